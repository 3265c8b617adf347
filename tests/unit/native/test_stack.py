"""The end of the stack: always a trap, on stacks of every size, whatever is on them, and Python goes on afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

import wasmartifact as wa
from tests.unit.runtime.harness import exports, packed

TIMEOUT_S = 60
NAMES = ("plain", "runtime", "host", "back")
#: CPython may reach an end of its own before: from 3.12 on where calls go through the guest and Python in turn,
#: whatever the recursion limit; from 3.14 on, which measures the stack, in any host function.
OWN_ENDS = {name for name, since in (("back", (3, 12)), ("host", (3, 14))) if sys.version_info >= since}


def is_an_end(name: str, end: str) -> bool:
    return end == "stack_exhausted" or (end == "RecursionError" and name in OWN_ENDS)


DEEP_WAT = """(module (import "env" "f" (func $f (param i32) (result i32))) (memory 1)
  (func $plain (export "plain") (param i32) (result i32) (i32.add (i32.const 1) (call $plain (local.get 0))))
  (func $runtime (export "runtime") (param i32) (result i32)
    (drop (memory.grow (i32.const 0))) (i32.add (i32.const 1) (call $runtime (local.get 0))))
  (func $host (export "host") (param i32) (result i32)
    (drop (call $f (i32.const 0))) (i32.add (i32.const 1) (call $host (local.get 0))))
  (func (export "back") (param i32) (result i32) (i32.add (i32.const 1) (call $f (local.get 0)))))"""

PROGRAM = """
import resource, sys
import wasmartifact as wa

def limit(size):
    resource.setrlimit(resource.RLIMIT_STACK, (size, resource.getrlimit(resource.RLIMIT_STACK)[1]))

def back(value):
    return made.exports.back(value - 1) if value else 0

{setting}
made = wa.load(sys.argv[1]).instantiate({{"env": {{"f": back}}}})
sys.setrecursionlimit(10**9)
for name in ("plain", "runtime", "host", "back"):
    try:
        made.exports[name](10**9)
    except wa.Trap as trap:
        print(name, trap.code)
    except RecursionError:
        print(name, "RecursionError")
assert made.exports.back(3) == 4
"""


@pytest.mark.parametrize(
    ("shell_limit", "setting"),
    [
        ("8192", ""),
        ("1024", ""),
        ("65536", ""),
        ("unlimited", ""),
        # Raised while the process runs, the limit promises more than there is room for.
        ("8192", "limit(512 << 20)"),
        ("8192", "limit(resource.RLIM_INFINITY)"),
    ],
)
def test_the_main_thread(shell_limit: str, setting: str) -> None:
    program = PROGRAM.format(setting=setting)
    command = f'ulimit -S -s {shell_limit} && exec "$@"'
    arguments = ["sh", "-c", command, "sh", sys.executable, "-c", program, str(packed(DEEP_WAT))]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    ends = [tuple(line.split()) for line in done.stdout.splitlines()]
    assert (done.returncode, [name for name, _ in ends]) == (0, list(NAMES)), done.stderr
    assert all(is_an_end(name, end) for name, end in ends), ends


def in_thread(stack_size_bytes: int, work: Callable[[], None]) -> None:
    """Run work in a thread with a stack of this size; its error is raised here."""
    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    before = threading.stack_size(max(stack_size_bytes, os.sysconf("SC_THREAD_STACK_MIN")))  # aarch64: 128 KiB
    try:
        thread = threading.Thread(target=guarded)
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join(TIMEOUT_S)
    assert not thread.is_alive()
    if errors:
        raise errors[0]


@pytest.mark.parametrize("kib", [64, 256, 1024, 16384])
def test_threads_with_stacks_of_their_own(kib: int) -> None:
    got: Any = exports(DEEP_WAT, {"env": {"f": lambda value: got.back(value - 1) if value else 0}})
    limit = sys.getrecursionlimit()

    def work() -> None:
        assert got.back(1) == 2  # a small stack has room for a host function too
        for name in NAMES:
            with pytest.raises((wa.Trap, RecursionError)) as caught:
                got[name](10**9)
            end = caught.value.code if isinstance(caught.value, wa.Trap) else "RecursionError"
            assert is_an_end(name, end), (name, end)
        assert got.back(1) == 2

    sys.setrecursionlimit(10**6)
    try:
        in_thread(kib * 1024, work)
    finally:
        sys.setrecursionlimit(limit)


def test_python_reaches_its_own_limit_first_by_default() -> None:
    got: Any = exports(DEEP_WAT, {"env": {"f": lambda value: got.back(value - 1) if value else 0}})
    with pytest.raises(RecursionError):
        got.back(10**6)
    assert got.back(5) == 6


def large_frame_wat(words: int) -> str:
    """A function that keeps so many values on its stack across a runtime call, under any depth of small frames."""
    numbers = range(words)
    loads = "".join(f"(local.set {i + 1} (i64.load offset={8 * i} (local.get 0)))" for i in numbers)
    stores = "".join(f"(i64.store offset={8 * i} (local.get 0) (local.get {i + 1}))" for i in numbers)
    return f"""(module (memory 8)
      (func $small (export "small") (param i32) (result i32)
        (if (local.get 0) (then (return (i32.add (i32.const 1) (call $small (i32.sub (local.get 0) (i32.const 1)))))))
        (call $large (i32.const 0)))
      (func $large (param i32) (result i32) (local {"i64 " * words})
        {loads} (drop (memory.grow (i32.const 0))) {stores} (i32.const 5)))"""


def wide_call_wat(params: int) -> str:
    """A host function whose arguments alone fill pages of the stack."""
    values = " ".join(f"(i64.const {i})" for i in range(params))
    return f"""(module (import "env" "f" (func $f (param {"i64 " * params})))
      (func $small (export "small") (param i32) (result i32)
        (if (local.get 0) (then (return (i32.add (i32.const 1) (call $small (i32.sub (local.get 0) (i32.const 1)))))))
        (call $f {values}) (i32.const 5)))"""


@pytest.mark.parametrize("wat", [large_frame_wat(3000), wide_call_wat(900)], ids=["frame", "arguments"])
def test_large_frames_at_every_distance_from_the_end(wat: str) -> None:
    """There is a depth up to which it works, beyond which it is a trap: nothing in between."""
    got = exports(wat, {"env": {"f": lambda *values: None}})

    def outcome(depth: int) -> str:
        try:
            return "works" if got.small(depth) == depth + 5 else "wrong"
        except wa.Trap as trap:
            return trap.code

    def work() -> None:
        low, high = 0, 10**6
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if outcome(middle) == "works" else (low, middle)
        step = 7
        found = [outcome(depth) for depth in range(max(0, low - 20 * step), low + 600 * step, step)]
        first_trap = found.index("stack_exhausted")
        assert set(found[:first_trap]) <= {"works"}
        assert set(found[first_trap:]) == {"stack_exhausted"}

    in_thread(256 * 1024, work)


def test_the_backtrace_has_the_innermost_frames() -> None:
    got = exports(DEEP_WAT, {"env": {"f": lambda value: 0}})
    with pytest.raises(wa.Trap) as caught:
        got.plain(0)
    assert len(caught.value.frames) == 64
    assert {frame.func_index for frame in caught.value.frames} == {1}
