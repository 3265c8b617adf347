"""Hostile surroundings: system calls and file systems that refuse, limits that are reached, directories that are gone.

All that may be asked of a program there is that it works, or says in an error of ours what to change.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import wasmartifact as wa

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 120
WAT = b"""(module (memory 1) (data (i32.const 0) "\\07")
  (func $deeper (export "deeper") (param i32) (result i32) (i32.add (i32.const 1) (call $deeper (local.get 0))))
  (func (export "f") (result i32) (i32.load8_u (i32.const 0))))"""

#: What every program below begins with: an artifact `m.so` in the folder that is its argument.
PRELUDE = """
import errno, os, resource, sys, warnings
from pathlib import Path
import wasmartifact as wa
from tests.support.forbid import forbid_memfd, forbid_shared_mappings
folder = Path(sys.argv[1])
artifact, contents = folder / "m.so", (folder / "m.so").read_bytes()
WAT = (folder / "m.wat").read_bytes()
def answer(loaded):
    return loaded.instantiate().exports.f()
def words(work):
    try:
        return work()
    except wa.WasmArtifactError as error:
        return f"{type(error).__name__}: {error}"
    except OSError as error:
        return f"OSError: {error}"
"""


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an artifact whose f gives 7, and its module."""
    folder = tmp_path_factory.mktemp("packed")
    (folder / "m.wat").write_bytes(WAT)
    wa.pack(WAT, folder / "m.so", opt_level=0)
    return folder


@pytest.fixture
def folder(packed: Path, tmp_path: Path) -> Path:
    """A folder of its own with the same."""
    for name in ("m.so", "m.wat"):
        (tmp_path / name).write_bytes((packed / name).read_bytes())
    return tmp_path


def run(code: str, folder: Path, *, within: str = "", **environment: str) -> list[str]:
    """What a program prints, by lines; ``within``: the start of a shell command that runs it."""
    command = [sys.executable, "-c", PRELUDE + code, str(folder)]
    if within:
        command = ["unshare", "-rm", "sh", "-c", f'{within} && exec "$@"', "sh", *command]
    done = subprocess.run(
        command,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def mounts() -> None:
    """Skips where this user can't have a mount namespace."""
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespace for this user")


# System calls -------------------------------------------------------------------------------------------------------

FORBIDDEN = {
    "EPERM": "forbid_memfd(errno.EPERM)",
    "ENOSYS": "forbid_memfd(errno.ENOSYS)",
    "no such function": "del os.memfd_create",  # a Python that was built for an old C library
}


@pytest.mark.parametrize("how", FORBIDDEN)
def test_no_files_in_memory(folder: Path, how: str) -> None:
    """A temporary file takes their place, and leaves nothing behind."""
    temporary = folder / "temporary"
    temporary.mkdir()
    code = f"""{FORBIDDEN[how]}
loaded = [wa.load(contents), wa.load(contents)]
print(*map(answer, loaded))
wa.pack(WAT, folder / "n.so")
print(answer(wa.load(folder / "n.so")))
print(answer(wa.compile(WAT, cache_dir=folder / "cache")))
from wasmartifact.cli import main
sys.stdin = open(artifact)
print(main(["verify", "-"]))
print(os.listdir(os.environ["TMPDIR"]))
"""
    said = run(code, folder, TMPDIR=str(temporary))
    assert said == ["7 7", "7", "7", "-: every digest and every row is right", "0", "[]"]


def test_no_place_for_a_temporary_file(folder: Path) -> None:
    """Packing does without one; loading contents names all that was tried."""
    code = """forbid_memfd()
import wasmartifact.host.scratch
wasmartifact.host.scratch._FOLDERS = (str(folder / "gone"), str(artifact))
wa.pack(WAT, folder / "n.so")
print(words(lambda: wa.load(contents)))
"""
    assert run(code, folder, TMPDIR=str(folder / "missing")) == [
        "LoadError: there is no place for a temporary file (memfd_create: Operation not permitted; "
        f"{folder}/missing: No such file or directory; {folder}/gone: No such file or directory; "
        f"{folder}/m.so: Not a directory): allow memfd_create, or set TMPDIR to a directory that can be written to and "
        "is not mounted noexec"
    ]


def test_no_shared_mappings(folder: Path) -> None:
    code = """forbid_shared_mappings()
from wasmartifact.cli import main
wa.verify(artifact)
with wa.open_metadata(artifact) as metadata:
    print(metadata.exports[1].name)
print(main(["inspect", str(artifact)]), answer(wa.load(artifact)))
"""
    said = run(code, folder)
    assert (said[0], said[-1]) == ("f", "0 7")


# File systems ---------------------------------------------------------------------------------------------------------


def test_no_proc(folder: Path, mounts: None) -> None:
    """A chroot or a build root."""
    code = """
assert not os.path.exists("/proc/self")
print(answer(wa.load(artifact)), answer(wa.load(contents)))
wa.verify(artifact)
first = wa.load(folder / "m.so")
for name in ("m.so", "m.so", "new$ORIGIN.so"):  # replaced while it is loaded, and a name that dlopen can't take
    wa.pack(WAT.replace(b"07", b"08"), folder / name)
    print(answer(first), answer(wa.load(folder / name)))
for _ in range(2):
    print(answer(wa.compile(WAT, cache_dir=folder / "cache")))
try:
    first.instantiate().exports.deeper(1)
except wa.Trap as trap:
    print(trap.code)
print(sorted(os.listdir(folder)), os.listdir(os.environ["TMPDIR"]))
"""
    temporary = folder / "temporary"
    temporary.mkdir()
    said = run(code, folder, within="mount -t tmpfs none /proc", TMPDIR=str(temporary))
    files = ["cache", "m.so", "m.wat", "new$ORIGIN.so", "temporary"]
    assert said == ["7 7", "7 8", "7 8", "7 8", "7", "7", "stack_exhausted", f"{files} []"]


NOEXEC = "mount -t tmpfs -o noexec none {0}/noexec && cp {0}/m.so {0}/m.wat {0}/noexec"


def test_a_file_system_without_execution(folder: Path, mounts: None) -> None:
    """What lies there is loaded through memory, and is not packed again."""
    (folder / "noexec").mkdir()
    code = """
loaded = wa.load(folder / "noexec" / "m.so")
print(answer(loaded), loaded.path == str(folder / "noexec" / "m.so"), flush=True)  # before what its children say
import subprocess
for _ in range(3):
    code = "import sys, wasmartifact as w; w.compile(sys.argv[1], cache_dir=sys.argv[2], progress=lambda *_: print(1))"
    paths = [folder / "noexec" / "m.wat", folder / "noexec" / "cache"]
    subprocess.run([sys.executable, "-W", "error", "-c", code, *paths], check=True)
"""
    said = run(code, folder, within=NOEXEC.format(folder))
    assert said[0] == "7 True"
    # The progress is told at the start and at the end of the only pack.
    assert said[1:] == ["1"] * 2


def test_no_place_for_execution_at_all(folder: Path, mounts: None) -> None:
    (folder / "noexec").mkdir()
    code = """forbid_memfd()
import wasmartifact.host.scratch
wasmartifact.host.scratch._FOLDERS = ()
print(words(lambda: wa.load(folder / "noexec" / "m.so")))
"""
    within = NOEXEC.format(folder)
    (said,) = run(code, folder, within=within, TMPDIR=f"{folder}/noexec")
    assert said.startswith(f"LoadError: {folder}/noexec/m.so lies on a file system that is mounted noexec, and a copy ")
    assert f"{folder}/noexec: mounted noexec" in said
    assert said.endswith("move it to a file system without noexec")


def test_a_home_that_is_read_only(folder: Path, mounts: None) -> None:
    (folder / "home").mkdir()
    code = """
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    print(answer(wa.compile(WAT)), len(caught), "without the cache" in str(caught[0].message))
"""
    environment = {"HOME": f"{folder}/home", "XDG_CACHE_HOME": ""}
    assert run(code, folder, within=f"mount -t tmpfs -o ro none {folder}/home", **environment) == ["7 1 True"]


def test_a_temporary_directory_that_is_missing(folder: Path) -> None:
    code = """
wa.pack(WAT, folder / "n.so")
print(answer(wa.load(contents)), answer(wa.load(folder / "n.so")), answer(wa.compile(WAT, cache_dir=folder / "cache")))
"""
    assert run(code, folder, TMPDIR=str(folder / "missing")) == ["7 7 7"]


def test_a_working_directory_that_was_removed(folder: Path) -> None:
    """The interactive Python has "" in sys.path, and may stand in a directory that is gone."""
    code = """
sys.path.insert(0, "")
gone = folder / "gone"
gone.mkdir()
os.chdir(gone)
gone.rmdir()
wa.pack(WAT, folder / "n.so")
print(answer(wa.load(folder / "n.so")), answer(wa.load(contents)))
print(answer(wa.compile(WAT, cache_dir=folder / "cache")))
"""
    assert run(code, folder) == ["7 7", "7"]


# Limits ---------------------------------------------------------------------------------------------------------------


def test_too_many_open_files(folder: Path) -> None:
    """Each artifact keeps one; the last one may be missing for the file, for dlopen or for a process."""
    code = """
wa.pack(WAT, folder / "n.so")
from wasmartifact.codegen.pool import close_idle_workers
close_idle_workers()
resource.setrlimit(resource.RLIMIT_NOFILE, (50, 50))
keep = []
def fill(what):
    while True:
        keep.append(wa.load(what))
        answer(keep[-1])
found = {words(lambda: fill(artifact)), words(lambda: fill(contents))}
for _ in range(6):
    keep.pop()
    if not isinstance(said := words(lambda: wa.pack(WAT, folder / "n.so")), str):
        break
    found.add(said)
print(*found, sep="\\n")
"""
    said = run(code, folder)
    advice = "Too many open files; raise the limit on open files (ulimit -n), of which each loaded artifact keeps one"
    assert {
        f"LoadError: {folder}/m.so can't be loaded: {advice}",
        f"LoadError: the artifact can't be loaded: {advice}",
    } < {*said}
    assert all("raise the limit on open files (ulimit -n)" in line for line in said)
    assert any(line.startswith("ToolchainError: packing starts Python processes") for line in said)


def test_dlopen_without_a_descriptor(folder: Path) -> None:
    code = """
wa.load(artifact)
lowest = os.open("/", os.O_RDONLY)
os.close(lowest)
resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 1, lowest + 1))
print(words(lambda: wa.load(artifact)))
"""
    (said,) = run(code, folder)
    assert said.startswith(
        f"LoadError: {folder}/m.so can't be loaded: Too many open files; raise the limit on open files"
    )


def test_no_address_space(folder: Path) -> None:
    code = """
import wasmartifact.packer
wa.load(artifact)
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
works = [lambda: wa.load(artifact), lambda: wa.load(contents), lambda: wa.verify(artifact)]
works.append(lambda: wa.pack(WAT, folder / "n.so"))
for spare in (0, 16 << 10, 64 << 20):
    resource.setrlimit(resource.RLIMIT_AS, (used + spare, resource.RLIM_INFINITY))
    for work in works:
        print(words(work))
"""
    # With bytecode, as installed packages have it: parsing takes the more memory, and CPython may lose its MemoryError.
    bytecode = {"PYTHONPYCACHEPREFIX": str(folder / "bytecode"), "PYTHONDONTWRITEBYTECODE": ""}
    compileall = [sys.executable, "-m", "compileall", "-q", str(ROOT / "wasmartifact")]
    subprocess.run(compileall, env=os.environ | bytecode, check=True, timeout=TIMEOUT_S)
    refused = [line for line in run(code, folder, **bytecode) if "Error: " in line]
    assert len(refused) >= 6
    assert all("raise the limit on virtual memory (ulimit -v), which is " in line for line in refused), refused


@pytest.mark.parametrize(
    "lost", ["ValueError(\"field 'target' is required for AnnAssign\")", "SystemError('no exception set')"]
)
def test_no_memory_to_parse_what_describes_an_error(folder: Path, lost: str) -> None:
    """What CPython's parser makes of a MemoryError is one again."""
    code = f"""
class NoMemory:
    def find_spec(self, name, *rest):
        if name in ("wasmartifact.runtime.native_errors", "wasmartifact.host.limits"):
            raise {lost}
artifact.write_bytes(contents[:18] + b"\\xff" + contents[19:])  # of an unknown machine
sys.meta_path.insert(0, NoMemory())
print(words(lambda: wa.load(artifact)))
"""
    assert run(code, folder) == ["OSError: [Errno 12] Cannot allocate memory"]
    (told,) = run(code.replace("wasmartifact.runtime.native_errors", "wasmartifact.diagnosis"), folder)
    assert told.startswith("IncompatibleHost: ") and "ELF machine 255" in told  # what was found without it
