"""The cache: what it packs again and what not, with processes that run side by side, die, or tamper with it."""

from __future__ import annotations

import fcntl
import importlib.machinery
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import wasmartifact as wa
from wasmartifact import cache
from wasmartifact.host import cache_folder, cache_upkeep

ROOT = Path(__file__).resolve().parents[2]
ADD = b'(module (func (export "f") (result i32) (i32.const 42)))'
OTHER = b'(module (func (export "f") (result i32) (i32.const 43)))'


class Packs:
    """Counts packs through the progress callback, which a hit never calls."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, done: int, total: int) -> None:
        self.count += done == total


@pytest.fixture
def packs() -> Packs:
    return Packs()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "module.wat"
    path.write_bytes(ADD)
    return path


def answer(
    source: Path | bytes, folder: Path, packs: Packs | None = None, *, size_bytes: int | None = None, opt_level: int = 0
) -> int:
    """What the module's function returns, compiled through the cache."""
    artifact = wa.compile(
        source, opt_level=opt_level, jobs=1, progress=packs, cache_dir=folder, cache_size_bytes=size_bytes
    )
    result = artifact.instantiate().exports["f"]()
    assert isinstance(result, int)
    return result


def module(number: int) -> bytes:
    """A module whose function returns the number."""
    return ADD.replace(b"42", str(number).encode())


def artifacts(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.so"))


def make_trusted(path: Path) -> None:
    """Wait until the file is older than a step of its time stamps."""
    while time.time_ns() <= path.stat().st_ctime_ns + cache.COARSE_STEP_NS // 10:
        time.sleep(0.02)


def test_packs_once(source: Path, folder: Path, packs: Packs) -> None:
    make_trusted(source)
    assert [answer(source, folder, packs) for _ in range(3)] == [42, 42, 42]
    assert packs.count == 1
    assert folder.stat().st_mode & 0o777 == 0o700
    assert artifacts(folder)[0].stat().st_mode & 0o777 == 0o600


def test_contents_count_not_names(source: Path, folder: Path, packs: Packs, tmp_path: Path) -> None:
    answer(source, folder, packs)
    copy = tmp_path / "copy.wat"
    shutil.copy(source, copy)
    assert (answer(copy, folder, packs), answer(ADD, folder, packs)) == (42, 42)
    assert packs.count == 1


def test_options_and_contents_that_differ_are_packed(source: Path, folder: Path, packs: Packs) -> None:
    make_trusted(source)
    answer(source, folder, packs)
    answer(source, folder, packs, opt_level=1)
    assert packs.count == 2
    source.write_bytes(OTHER)
    assert answer(source, folder, packs) == 43
    assert packs.count == 3


def test_another_code_generator_is_another_artifact(
    source: Path, folder: Path, packs: Packs, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("VERSION", "9.9"), ("RUNTIME_ABI", 99), ("FORMAT_VERSION", (9, 9))):
        with monkeypatch.context() as patch:
            answer(source, folder, packs)
            patch.setattr(cache, name, value)
            answer(source, folder, packs)
    with monkeypatch.context() as patch:
        patch.setattr(cache, "_llvm_version", lambda: "another")
        answer(source, folder, packs)
    assert packs.count == len(artifacts(folder)) == 5


@pytest.mark.parametrize("place", ["frozen", "without files"])
def test_a_frozen_program_knows_its_code_generator(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyInstaller keeps no Python file, cx_Freeze .pyc files alone; an update of the program must not use old code."""
    spec = importlib.machinery.ModuleSpec(
        "llvmlite", None, origin="frozen" if place == "frozen" else f"{tmp_path}/i.pyc"
    )
    spec.has_location = place != "frozen"
    monkeypatch.setattr(sys, "meta_path", [types.SimpleNamespace(find_spec=lambda *_: spec), *sys.meta_path])
    recipes = set()
    for version in ("0.50.0", "0.51.0"):
        monkeypatch.setitem(sys.modules, "llvmlite", types.SimpleNamespace(__version__=version))
        recipes.add(cache._toolchain("baseline"))
        assert version in cache._toolchain("baseline")
    assert len(recipes) == 2
    monkeypatch.setitem(sys.modules, "llvmlite", None)  # broken
    assert cache._toolchain("baseline") not in recipes


def test_what_only_loads_has_no_code_generator_and_imports_nothing_to_find_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "meta_path", [types.SimpleNamespace(find_spec=lambda *_: None)])
    assert cache._llvm_version() == ""


def test_native_depends_on_the_features_of_the_host(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    native, baseline = cache._toolchain("native"), cache._toolchain("baseline")
    monkeypatch.setattr(cache, "_cpu_features", lambda: "1")
    assert cache._toolchain("native") != native
    assert cache._toolchain("baseline") == baseline


def test_a_change_in_the_same_step_of_time_is_seen(source: Path, folder: Path) -> None:
    # Same size, and written as soon after the first read as can be: time stamps may well be equal.
    for number in range(20, 24):
        source.write_bytes(module(number))
        assert answer(source, folder) == number
        source.write_bytes(module(number + 40))
        assert answer(source, folder) == number + 40


def test_a_new_file_is_not_trusted_until_it_is_old_enough(source: Path, folder: Path) -> None:
    source.write_bytes(ADD)
    answer(source, folder)
    if time.time_ns() < source.stat().st_ctime_ns + cache.FINE_STEP_NS:  # packing took less than that
        assert not list(folder.glob("*.src"))
    make_trusted(source)
    answer(source, folder)
    assert len(list(folder.glob("*.src"))) == 1


WARM = """
import builtins, sys, os
opened = []
sys.addaudithook(lambda event, arguments: opened.append(str(arguments[0])) if event == "open" else None)
import wasmartifact as wa
artifact = wa.compile({source!r}, opt_level=0, cache_dir={folder!r})
heavy = {{"llvmlite", "lief", "elftools", "wasmtime", "hashlib", "subprocess"}}
heavy |= {{"wasmartifact.packer", "wasmartifact.schema"}}
print(artifact.instantiate().exports["f"](), sorted(heavy & set(sys.modules)), {source!r} in opened)
"""


def test_a_warm_start_reads_no_module_and_imports_nothing_heavy(source: Path, folder: Path) -> None:
    make_trusted(source)
    answer(source, folder)
    code = WARM.format(source=str(source), folder=str(folder))
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["42", "[]", "False"]


# ---- damage --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["empty", "truncated", "header", "text", "foreign machine", "symlink", "writable"])
def test_what_cant_be_used_is_packed_again(
    source: Path, folder: Path, packs: Packs, damage: str, tmp_path: Path
) -> None:
    make_trusted(source)
    answer(source, folder, packs)
    (path,) = artifacts(folder)
    contents = bytearray(path.read_bytes())
    if damage == "header":
        at = contents.index(b"WASMART") if b"WASMART" in contents else 20
        contents[at] ^= 1
    elif damage == "foreign machine":
        contents[18] = 0xF3  # e_machine: RISC-V
    changed: dict[str, bytes | bytearray] = {
        "empty": b"",
        "truncated": contents[: len(contents) // 2],
        "text": b"not an artifact",
    }
    path.unlink()
    if damage == "symlink":
        (tmp_path / "elsewhere.so").write_bytes(contents)
        path.symlink_to(tmp_path / "elsewhere.so")
    else:
        path.write_bytes(changed.get(damage, contents))
        path.chmod(0o666 if damage == "writable" else 0o600)
    assert [answer(source, folder, packs) for _ in range(2)] == [42, 42]
    assert packs.count == 2
    wa.verify(path)
    assert not path.is_symlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
def test_files_of_another_user_are_packed_again(source: Path, folder: Path, packs: Packs) -> None:
    answer(source, folder, packs)
    (path,) = artifacts(folder)
    os.chown(path, 12345, 12345)
    assert answer(source, folder, packs) == 42
    assert packs.count == 2
    assert path.stat().st_uid == 0


def test_a_folder_that_others_can_write_is_refused(source: Path, folder: Path, packs: Packs) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.warns(RuntimeWarning, match="chmod 700"):
        assert answer(source, folder, packs) == 42
    assert not list(folder.iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders to another user")
def test_a_folder_of_another_user_is_refused(source: Path, folder: Path) -> None:
    folder.mkdir(0o700)
    os.chown(folder, 12345, 12345)
    with pytest.warns(RuntimeWarning, match="must belong to user 0"):
        assert answer(source, folder) == 42
    assert not list(folder.iterdir())


@pytest.mark.parametrize("place", ["/proc/no/such", "/dev/null", "/dev/null/below"])
def test_without_a_folder_modules_are_packed_into_memory(source: Path, place: str) -> None:
    with pytest.warns(RuntimeWarning, match="for this process only"):
        assert answer(source, Path(place)) == 42


def test_a_full_cache_costs_no_second_pack(source: Path, folder: Path, packs: Packs) -> None:
    code = """
import resource, sys, warnings
import wasmartifact as wa
from wasmartifact import cache
from wasmartifact.host import cache_folder, cache_upkeep
warnings.simplefilter("ignore")
packs = []
def progress(done, total):
    # From here on nothing can be written to a file; files in memory don't count.
    packs.append(done) if done == total else None
cache._make_private = lambda path: (_ for _ in ()).throw(OSError(28, "No space left on device"))
artifact = wa.compile(sys.argv[1], opt_level=0, cache_dir=sys.argv[2], progress=progress)
print(artifact.instantiate().exports["f"](), len(packs))
"""
    command = [sys.executable, "-c", code, str(source), str(folder)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["42", "1"]
    assert artifacts(folder) == []


def test_without_a_home(source: Path, tmp_path: Path) -> None:
    code = "import sys, wasmartifact as wa; print(wa.compile(sys.argv[1], opt_level=0).instantiate().exports['f']())"
    for home in ("/proc/none", ""):
        environment = {**os.environ, "HOME": home, "XDG_CACHE_HOME": "relative/is/ignored"}
        command = [sys.executable, "-c", code, str(source)]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment, check=True)
        assert result.stdout == "42\n"
        assert "for this process only" in result.stderr


@pytest.mark.parametrize("limits", [None, wa.PackLimits(seconds=60)], ids=["here", "in-a-child"])
@pytest.mark.parametrize("contents", [b"", b"(module\n  (fun))", b"\xff"])
def test_errors_of_text_name_its_file(contents: bytes, limits: Any, folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "broken.wat"
    source.write_bytes(contents)
    for cache_dir in (folder, "/dev/null/none"):  # with a cache, and without
        with pytest.raises(wa.MalformedModule) as caught:
            wa.compile(source, opt_level=0, cache_dir=cache_dir, limits=limits, warn=lambda words: None)
        assert str(caught.value).startswith(str(source))


def test_errors_of_the_module_pass_and_leave_nothing(folder: Path) -> None:
    with pytest.raises(wa.InvalidModule):
        wa.compile(b"(module (func (result i32)))", cache_dir=folder)
    with pytest.raises(FileNotFoundError):
        wa.compile("absent.wasm", cache_dir=folder)
    with pytest.raises(FileNotFoundError, match="text of a module as bytes"):
        wa.compile("(module)", cache_dir=folder)
    with pytest.raises(ValueError, match="opt_level"):
        wa.compile(ADD, opt_level=9, cache_dir=folder)
    assert [path.name for path in folder.iterdir()] == ["lock"]


# ---- size ----------------------------------------------------------------------------------------------------------


def test_what_was_not_used_for_the_longest_time_goes(folder: Path, packs: Packs) -> None:
    answer(module(10), folder)
    (first,) = artifacts(folder)
    size_bytes = first.stat().st_size
    for number in (11, 12):
        answer(module(number), folder)
    by_number = {}
    for age_hours, number in ((30, 10), (20, 11), (10, 12)):
        before = {path: path.stat().st_mtime_ns for path in artifacts(folder)}
        for path in before:
            os.utime(path, (1, 1))
        answer(module(number), folder, packs)  # records the use, which tells whose artifact it is
        (by_number[number],) = [path for path in before if path.stat().st_mtime_ns > 10**9]
        stamp = time.time() - age_hours * 3600
        for path, stamp_ns in before.items():
            os.utime(path, ns=(stamp_ns, stamp_ns))
        os.utime(by_number[number], (stamp, stamp))
    answer(module(10), folder, packs)  # now the most recently used one
    assert packs.count == 0
    answer(module(13), folder, packs, size_bytes=3 * size_bytes)
    assert not by_number[11].exists()
    assert by_number[10].exists() and by_number[12].exists()
    assert sum(path.stat().st_size for path in artifacts(folder)) <= 3 * size_bytes


def test_an_artifact_larger_than_the_cache_is_used_but_not_kept(folder: Path) -> None:
    assert answer(ADD, folder, size_bytes=0) == 42
    assert artifacts(folder) == []


def test_the_limit_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder.size_limit(None) == cache_folder.DEFAULT_SIZE_BYTES
    monkeypatch.setenv(cache_folder.SIZE_VARIABLE, "5000")
    assert (cache_folder.size_limit(None), cache_folder.size_limit(7)) == (5000, 7)
    for wrong in ("2 GB", "-1"):
        monkeypatch.setenv(cache_folder.SIZE_VARIABLE, wrong)
        with pytest.raises(ValueError, match=cache_folder.SIZE_VARIABLE):
            cache_folder.size_limit(None)


def test_leftovers_and_links_to_nothing_are_removed(source: Path, folder: Path) -> None:
    make_trusted(source)
    answer(source, folder)
    old, new = folder / ".wasmartifact.old", folder / ".wasmartifact.new"
    for path in (old, new):
        path.write_bytes(b"half an artifact")
    os.utime(old, (1, 1))
    artifacts(folder)[0].unlink()
    (link,) = folder.glob("*.src")
    answer(OTHER, folder)
    assert not old.exists() and new.exists()
    assert not link.is_symlink()
    assert answer(source, folder) == 42


def test_links_do_not_pile_up(source: Path, folder: Path, packs: Packs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers see the same file with another inode, device or time at each start; copies have names of their own."""
    for age_s in (900, 800, 700):
        source.write_bytes(ADD)
        os.utime(source, (time.time() - age_s, time.time() - age_s))
        make_trusted(source)
        answer(source, folder, packs)
    assert (packs.count, len(list(folder.glob("*.src")))) == (1, 1)
    monkeypatch.setattr(cache_upkeep, "MAX_LINKS", 3)
    for number in range(6):
        copy = source.with_name(f"copy{number}.wasm")
        copy.write_bytes(ADD)
        make_trusted(copy)
        answer(copy, folder, packs)
    assert (packs.count, len(list(folder.glob("*.src")))) == (1, 3)
    size_bytes = sum(path.lstat().st_size for path in folder.glob("*.s*"))
    cache_upkeep.sweep(str(folder), size_bytes - 1)  # links count
    assert sum(path.lstat().st_size for path in folder.glob("*.s*")) < size_bytes


def test_a_link_knows_its_source(source: Path, folder: Path) -> None:
    make_trusted(source)
    answer(source, folder)
    other = source.with_name("an#other\n.wasm")
    other.write_bytes(OTHER)
    make_trusted(other)
    answer(other, folder)
    rows = cache_upkeep.list_artifacts(str(folder))
    assert sorted(row["sources"] for row in rows) == sorted([[str(source)], [str(other)]])
    assert all(row["size_bytes"] == os.stat(row["path"]).st_size for row in rows)
    # A link from another time is not taken for the file that is there now.
    other.write_bytes(ADD)
    assert answer(other, folder) == 42


def test_clear_and_prune(source: Path, folder: Path) -> None:
    make_trusted(source)
    artifact = wa.compile(source, opt_level=0, cache_dir=folder)
    answer(OTHER, folder)
    old = artifacts(folder)[0]
    os.utime(old, (1, 1))
    assert cache_upkeep.sweep(str(folder), 10**9, max_age_s=3600) == [str(old)]
    assert len(artifacts(folder)) == 1
    assert len(cache_upkeep.clear(str(folder))) == 1
    assert [path.name for path in folder.iterdir()] == ["lock"]
    assert artifact.instantiate().exports["f"]() == 42
    assert answer(source, folder) == 42


def test_a_loaded_artifact_outlives_its_eviction(folder: Path) -> None:
    artifact = wa.compile(ADD, opt_level=0, cache_dir=folder)
    answer(OTHER, folder, size_bytes=0)
    assert artifacts(folder) == []
    assert artifact.instantiate().exports["f"]() == 42


# ---- processes side by side ----------------------------------------------------------------------------------------

#: Compiles and says so; each pack appends a line to a log.
COMPILER = """
import os, sys, wasmartifact as wa
source, folder, log = sys.argv[1:4]
def progress(done, total):
    if done == total:
        with open(log, "a") as file: file.write("packed\\n")
artifact = wa.compile(source, opt_level=0, jobs=1, cache_dir=folder, progress=progress)
print(artifact.instantiate().exports["f"]())
"""


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def start(source: Path, folder: Path, log: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", COMPILER, str(source), str(folder), str(log)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_of_two_processes_one_packs(
    source: Path, folder: Path, tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    log = tmp_path / "log"
    started.extend(start(source, folder, log) for _ in range(3))
    assert [process.communicate(timeout=60) for process in started] == [(b"42\n", b"")] * 3
    assert log.read_text() == "packed\n"


def test_kill_9_at_any_point_leaves_a_cache_that_works(
    source: Path, folder: Path, tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    begin = time.monotonic()
    process = start(source, tmp_path / "other", tmp_path / "log")
    process.communicate(timeout=60)
    whole_seconds = time.monotonic() - begin
    for _ in range(5):
        for path in artifacts(folder):
            path.unlink()
        process = start(source, folder, tmp_path / "log")
        started.append(process)
        # Most of the time is Python's start; what matters happens in the last third.
        time.sleep(moments.uniform(0.4, 1.1) * whole_seconds)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        for path in artifacts(folder):  # whatever has its name is whole
            wa.verify(path)
    begin = time.monotonic()
    assert answer(source, folder) == 42
    assert time.monotonic() - begin < 30, "a lock of a dead process blocked"


def test_a_killed_packer_lets_the_waiting_one_in(
    source: Path, folder: Path, tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    # Stopped while it packs, the first process holds the lock; the second waits until the first is killed.
    stopper = COMPILER.replace("if done == total:", "os.kill(os.getpid(), 19)\n    if done == total:")
    command = [sys.executable, "-c", stopper, str(source), str(folder), str(tmp_path / "log")]
    first = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    started.append(first)
    os.waitpid(first.pid, os.WUNTRACED)
    second = start(source, folder, tmp_path / "log")
    started.append(second)
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(1)
    first.kill()
    assert second.communicate(timeout=60) == (b"42\n", b"")


def test_eviction_beside_processes_that_load(folder: Path, tmp_path: Path) -> None:
    # Each process evicts what the other one made, all the time; nobody may fail.
    code = """
import sys, wasmartifact as wa
folder, first = sys.argv[1], int(sys.argv[2])
for turn in range(6):
    number = 10 + (first + turn) % 3
    text = b'(module (func (export "f") (result i32) (i32.const %d)))' % number
    artifact = wa.compile(text, opt_level=0, jobs=1, cache_dir=folder, cache_size_bytes=1)
    assert artifact.instantiate().exports["f"]() == number
"""
    command = [sys.executable, "-W", "error", "-c", code, str(folder)]
    processes = [subprocess.Popen([*command, str(first)], cwd=ROOT, stderr=subprocess.PIPE) for first in range(2)]
    results = [process.communicate(timeout=120)[1] for process in processes]
    assert results == [b"", b""]


def test_a_folder_that_goes_while_a_module_is_packed_costs_no_error(source: Path, folder: Path) -> None:
    def remove(done: int, total: int) -> None:
        shutil.rmtree(folder, ignore_errors=True)

    artifact = wa.compile(source, opt_level=0, jobs=1, progress=remove, cache_dir=folder)
    assert artifact.instantiate().exports["f"]() == 42


def test_folders_on_the_way_are_private_whatever_the_umask(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        cache_folder.open_folder(tmp_path / "a" / "b" / "cache")
    finally:
        os.umask(previous)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("a", "a/b", "a/b/cache")] == [0o700] * 3


def test_a_use_in_the_future_is_corrected(source: Path, folder: Path) -> None:
    """A clock that was wrong for a while must not keep an artifact beyond all others."""
    answer(source, folder)
    (path,) = artifacts(folder)
    future = time.time() + 10**6
    os.utime(path, (future, future))
    answer(source, folder)
    assert abs(path.stat().st_mtime - time.time()) < 3600


def test_a_child_that_was_forked_meanwhile_holds_no_lock(source: Path, folder: Path) -> None:
    """Its copy of the descriptor lives on, the lock must not."""
    reading, writing = os.pipe()
    children: list[int] = []

    def fork(done: int, total: int) -> None:
        if not children:
            children.append(os.fork())
            if children[0] == 0:
                os.close(writing)
                os.read(reading, 1)
                os._exit(0)

    answer_of_fork = wa.compile(source, opt_level=0, jobs=1, progress=fork, cache_dir=folder)
    try:
        with open(folder / "lock", "r+b") as lock:
            fcntl.fcntl(lock, fcntl.F_OFD_SETLK, struct.pack("hhqqi0q", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    finally:
        os.close(writing)
        os.close(reading)
        os.waitpid(children[0], 0)
    assert answer_of_fork.instantiate().exports["f"]() == 42


def test_contents_are_hashed_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two artifacts are asked for, that of level 0 and the better one, by one digest of the contents."""
    monkeypatch.setenv(cache.TIER_UP_VARIABLE, "1")
    monkeypatch.setattr("wasmartifact.tier.begin", lambda *given: cache_folder.unlock(given[4]))
    hashed: list[str | bytes] = []
    real = cache._digest

    def digest(*parts: str | bytes) -> str:
        hashed.extend(parts)
        return real(*parts)

    monkeypatch.setattr(cache, "_digest", digest)
    assert wa.compile(ADD, cache_dir=folder).instantiate().exports.f() == 42
    assert hashed.count(ADD) == 1
