"""Packing under limits: the same artifacts; and what takes too much ends at once, with all its processes and files."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import wasmartifact as wa
from tests.support.workload import workload_wasm

TIMEOUT_S = 120
WIDE = wa.PackLimits(memory_bytes=4 * 10**9, seconds=TIMEOUT_S)


#: Above some shapes and sizes one pass compiles a function, and takes no time.
STEPS_PER_FUNCTION = 2_000


def long_wat(steps: int) -> str:
    """Functions of so many branches together, which LLVM takes seconds for each thousand of."""
    arms = [
        f"(if (i32.and (local.get 0) (i32.const {step % 31 + 1})) (then (local.set 1 (i32.add (local.get 1)"
        f" (i32.load offset={step * 4} (local.get {step % 2}))))))"
        for step in range(steps)
    ]
    functions = (
        f"(func (param i32 i32) (result i32) {''.join(arms[start : start + STEPS_PER_FUNCTION])} (local.get 1))"
        for start in range(0, steps, STEPS_PER_FUNCTION)
    )
    return f"(module (memory 4) {' '.join(functions)})"


@pytest.fixture(scope="module")
def long_module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("long") / "long.wat"
    path.write_text(long_wat(30_000))
    return path


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """In a folder that holds nothing else."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "module.so"


def descendants(pid: int) -> Iterator[int]:
    """Processes of a process that still do something."""
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, path.read_text().split()):
            if is_running(child):
                yield child
                yield from descendants(child)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def anonymous_bytes(pid: int) -> int:
    """Of /proc/PID/status, in kB there."""
    try:
        found = re.search(r"^RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(found[1]) * 1024 if found else 0


def wait_for_the_end(pids: set[int]) -> None:
    deadline = time.monotonic() + 20
    while any(map(is_running, pids)):
        assert time.monotonic() < deadline, "a process outlives the pack that it worked for"
        time.sleep(0.02)


# ---- the same artifacts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("opt_level", [0, 2])
def test_limits_change_no_byte(output: Path, opt_level: int) -> None:
    source = output.parent.with_name("in.wasm")
    source.write_bytes(workload_wasm())
    counts: list[tuple[int, int]] = []
    report = wa.pack(source, output, opt_level=opt_level, limits=WIDE, progress=lambda *count: counts.append(count))
    plain = wa.pack(source, output.with_suffix(".2"), opt_level=opt_level)
    assert report == replace(plain, output=str(output))
    assert output.read_bytes() == output.with_suffix(".2").read_bytes()
    assert counts[0] == (0, report.functions) and counts[-1] == (report.functions, report.functions)
    wa.verify(output)


def test_the_source_may_be_anything(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes, text, a path from the working directory, another process's pipe, an open file by its name in /dev."""
    wat = '(module (func (export "f") (result i32) (i32.const 5)))'
    folder = output.parent.parent
    (folder / "module.wat").write_text(wat)
    monkeypatch.chdir(folder)
    os.mkfifo("pipe")
    threading.Thread(target=Path("pipe").write_text, args=(wat,), daemon=True).start()
    with Path("module.wat").open() as file:
        for source in (wat.encode(), "module.wat", Path("module.wat"), "pipe", f"/dev/fd/{file.fileno()}"):
            wa.pack(source, output, opt_level=0, limits=WIDE)
            assert wa.load(output).instantiate().exports.f() == 5


def test_the_output_may_be_a_descriptor_or_a_pipe(output: Path) -> None:
    source = b'(module (func (export "f")))'
    wa.pack(source, output, opt_level=0)
    reader, writer = os.pipe()
    assert wa.pack(source, writer, opt_level=0, limits=WIDE).output == f"/proc/self/fd/{writer}"
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        assert file.read() == output.read_bytes()


def test_errors_are_the_same(output: Path) -> None:
    cases: list[tuple[bytes | str, type[Exception]]] = [
        (b"\0asm\2\0\0\0", wa.MalformedModule),
        (b"(module (func (result i32)))", wa.InvalidModule),
        (b"(module\n  (fun))", wa.MalformedModule),
        (b"(module (memory 1) (func (memory.discard (i32.const 0) (i32.const 0))))", wa.UnsupportedModule),
        ("/nowhere/module.wasm", FileNotFoundError),
    ]
    for source, error in cases:
        with pytest.raises(error) as plain:
            wa.pack(source, output)
        with pytest.raises(error) as bounded:
            wa.pack(source, output, limits=WIDE)
        assert str(bounded.value) == str(plain.value) and vars(bounded.value) == vars(plain.value)
    with pytest.raises(ValueError, match="jobs is 0"):
        wa.pack(b"(module)", output, jobs=0, limits=WIDE)
    with pytest.raises(FileNotFoundError, match="no such directory for the output"):
        wa.pack(b"(module)", "/nowhere/a.so", limits=WIDE)
    assert list(output.parent.iterdir()) == []


def test_a_cached_pack_takes_limits(tmp_path: Path) -> None:
    wat = b'(module (func (export "f") (result i32) (i32.const 6)))'
    with pytest.raises(wa.LimitExceeded):
        wa.compile(wat, cache_dir=tmp_path / "cache", limits=wa.PackLimits(seconds=0))
    assert wa.compile(wat, cache_dir=tmp_path / "cache", limits=WIDE).instantiate().exports.f() == 6
    assert wa.compile(wat, cache_dir=tmp_path / "cache", limits=wa.PackLimits(seconds=0)).instantiate().exports.f() == 6


# ---- too much --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limits", [wa.PackLimits(seconds=4), wa.PackLimits(memory_bytes=120 * 10**6)])
def test_what_takes_too_much_ends(long_module: Path, output: Path, limits: wa.PackLimits) -> None:
    output.write_bytes(b"before")
    seen: set[int] = set()
    most_bytes = [0]
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            now = set(descendants(os.getpid())) - before
            seen.update(now)
            most_bytes[0] = max(most_bytes[0], sum(map(anonymous_bytes, now)))

    before = set(descendants(os.getpid()))
    thread = threading.Thread(target=look)
    thread.start()
    try:
        with pytest.raises(wa.LimitExceeded) as caught:
            wa.pack(long_module, output, opt_level=3 if limits.seconds else 2, jobs=6, limits=limits)
    finally:
        over.set()
        thread.join()
    error = caught.value
    assert (error.which, error.limit, error.exit_code) == (
        ("seconds", 4, 43) if limits.seconds else ("memory_bytes", 120 * 10**6, 43)
    )
    assert error.limit <= error.wanted and "long.wat" in str(error) and "raise the limit" in str(error)
    assert error.wanted < 60 if limits.seconds else max(error.wanted, most_bytes[0]) < 350 * 10**6
    assert len(seen) >= 2  # the pack, and a worker at least
    wait_for_the_end(seen)
    assert [(path.name, path.read_bytes()) for path in output.parent.iterdir()] == [("module.so", b"before")]


def test_a_limit_of_nothing_ends_before_any_work(output: Path) -> None:
    for limits in (wa.PackLimits(seconds=0), wa.PackLimits(memory_bytes=0)):
        with pytest.raises(wa.LimitExceeded):
            wa.pack(b"(module)", output, limits=limits)
    assert list(output.parent.iterdir()) == []


def test_an_exception_of_progress_ends_all(long_module: Path, output: Path) -> None:
    started: set[int] = set()
    before = set(descendants(os.getpid()))

    def interrupt(done: int, total: int) -> None:
        started.update(set(descendants(os.getpid())) - before)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        wa.pack(long_module, output, limits=WIDE, progress=interrupt)
    assert started
    wait_for_the_end(started)
    assert list(output.parent.iterdir()) == []


PACKER = """
import sys, threading, wasmartifact as wa
{frozen}
def pack():
    limits = wa.PackLimits(seconds=1000) if sys.argv[3] else None
    wa.pack(sys.argv[1], sys.argv[2], opt_level=3, jobs=2, limits=limits)
thread = threading.Thread(target=pack)
thread.start()
thread.join()
"""


@pytest.mark.parametrize("frozen", ["", "sys.frozen = True"], ids=["interpreter", "fork"])
@pytest.mark.parametrize("limits", ["", "limited"])
def test_all_end_with_a_packer_that_is_killed(long_module: Path, output: Path, limits: str, frozen: str) -> None:
    """By SIGKILL, from a thread that is not the main one, deep in LLVM."""
    command: list[str | Path] = [sys.executable, "-c", PACKER.format(frozen=frozen), long_module, output, limits]
    with subprocess.Popen(command) as packer:
        deadline = time.monotonic() + TIMEOUT_S
        workers: set[int] = set()
        while not any(cpu_seconds(pid) > 2 for pid in workers):
            assert time.monotonic() < deadline and packer.poll() is None
            time.sleep(0.05)
            workers = set(descendants(packer.pid))
        packer.send_signal(signal.SIGKILL)
    assert len(workers) >= (2 if limits else 1)
    wait_for_the_end(workers)
    assert list(output.parent.iterdir()) == []


def cpu_seconds(pid: int) -> float:
    try:
        user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


# ---- the value -------------------------------------------------------------------------------------------------------


def test_pack_limits_are_a_value(tmp_path: Path) -> None:
    limits = wa.PackLimits(memory_bytes=1, seconds=0.5)
    assert limits == wa.PackLimits(seconds=0.5, memory_bytes=1) != wa.PackLimits(seconds=0.5)
    assert repr(limits) == "PackLimits(memory_bytes=1, seconds=0.5)"
    with pytest.raises(TypeError, match="memory_bytes must be int or None, found float"):
        wa.PackLimits(memory_bytes=1.5)  # type: ignore[arg-type]
    for seconds in (-1, float("nan")):
        with pytest.raises(ValueError, match="expected a number from 0"):
            wa.PackLimits(seconds=seconds)
    with pytest.raises(TypeError, match="limits must be PackLimits, found Limits"):
        wa.pack(b"(module)", tmp_path / "a.so", limits=wa.Limits())  # type: ignore[arg-type]


def test_the_command_takes_limits(long_module: Path, output: Path) -> None:
    command: list[str | Path] = [sys.executable, "-m", "wasmartifact", "pack", long_module, "-o", output]
    ended = subprocess.run([*command, "--max-seconds", "1"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (43, "") and "1.0 s (seconds)" in ended.stderr
    ended = subprocess.run([*command, "-O0", "--max-memory", "1M"], capture_output=True, text=True, check=False)
    assert ended.returncode == 43 and "its limits allow 1000000 (memory_bytes)" in ended.stderr
    for option in ("--max-memory=1T", "--max-seconds=-1", "--max-seconds=x"):
        assert subprocess.run([*command, option], capture_output=True, check=False).returncode == 2
