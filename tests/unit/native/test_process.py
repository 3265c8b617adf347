"""The life of a process around calls: fork, exit while threads are inside, and no memory lost on any path that fails."""  # noqa: E501

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import wasmartifact as wa
from tests.unit.runtime.harness import exports, packed

TIMEOUT_S = 60
FAULTS_WAT = """(module (memory (export "m") 1)
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
  (func $deeper (export "recurse") (param i32) (result i32) (i32.add (i32.const 1) (call $deeper (local.get 0)))))"""

# fork ---------------------------------------------------------------------------------------------------------------


def traps_here(got: wa.Exports) -> bool:
    """Whether traps are traps in this thread and in a new one."""
    found: list[str] = []

    def work() -> None:
        for call, argument in ((got["load"], -1), (got["recurse"], 0)):
            try:
                call(argument)
            except wa.Trap as trap:
                found.append(trap.code)

    work()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(TIMEOUT_S)
    return found == ["memory_out_of_bounds", "stack_exhausted"] * 2


def in_child(work: Callable[[], bool]) -> bool:
    """Whether work is true in a fork of this process."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if work() else 1)
        finally:
            os._exit(2)
    return os.waitpid(child, 0)[1] == 0


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_can_go_on_with_the_instances() -> None:
    got = exports(FAULTS_WAT)
    got.m[0] = 7
    assert traps_here(got)
    assert in_child(lambda: traps_here(got) and got.m.grow(1) == 1 and got.m.__setitem__(0, 9) is None)
    assert got.m.size_bytes == 65536
    assert got.m[0] == 7  # the child had a copy
    outcomes: list[bool] = []
    thread = threading.Thread(target=lambda: outcomes.append(traps_here(got) and in_child(lambda: traps_here(got))))
    thread.start()
    thread.join(TIMEOUT_S)
    assert outcomes == [True]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_inside_of_a_host_function() -> None:
    parent = os.getpid()

    def fork() -> int:
        child = os.fork()
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if child else 40

    wat = """(module (import "env" "fork" (func $fork (result i32))) (memory 1)
      (func (export "go") (result i32) (i32.add (call $fork) (i32.load (i32.const 0))))
      (func (export "load") (param i32) (result i32) (i32.load (local.get 0))))"""
    got = exports(wat, {"env": {"fork": fork}})
    result = got.go()
    if os.getpid() != parent:
        try:
            got.load(-1)
        except wa.Trap:
            os._exit(result + 2)
        finally:
            os._exit(1)
    assert result == 42


# exit ---------------------------------------------------------------------------------------------------------------

EXIT_PROGRAM = """
import sys, threading, time
import wasmartifact as wa
started = threading.Event()
def host():
    started.set()
    time.sleep(0.0 if sys.argv[2] == "call" else 0.001 if sys.argv[2] == "nap" else 1000)
made = wa.load(sys.argv[1]).instantiate({"env": {"f": host}})
calls = {"spin": made.exports.spin}
threading.Thread(target=calls.get(sys.argv[2], made.exports.call), daemon=True).start()
if sys.argv[2] == "spin":
    time.sleep(0.05)
else:
    started.wait()
print("leaving", flush=True)
"""
EXIT_WAT = """(module (import "env" "f" (func $f)) (global $g (mut i32) (i32.const 0))
  (func (export "spin") (loop $again (global.set $g (i32.add (global.get $g) (i32.const 1))) (br $again)))
  (func (export "call") (loop $again (call $f) (br $again))))"""


@pytest.mark.parametrize("inside", ["spin", "call", "nap", "sleep"])
def test_the_interpreter_exits_while_a_thread_is_inside(inside: str) -> None:
    command = [sys.executable, "-X", "dev", "-c", EXIT_PROGRAM, str(packed(EXIT_WAT)), inside]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "leaving\n", "")


# memory -------------------------------------------------------------------------------------------------------------

LEAK_PROGRAM = """
import ctypes, gc, sys
import wasmartifact as wa

class Mallinfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in
                "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()]

mallinfo = ctypes.CDLL(None).mallinfo2
mallinfo.restype = Mallinfo
ROUNDS = 1000

def allocated():
    gc.collect()
    now = mallinfo()
    return now.uordblks + now.hblkhd

def quietly(work):
    try:
        work()
    except (wa.WasmArtifactError, TypeError, OverflowError, ValueError, ZeroDivisionError, KeyError):
        return
    raise AssertionError("it was to fail")

def fail():
    return 1 // 0

artifact = wa.load(sys.argv[1])
good = {"f": fail, "m": wa.Memory(1), "t": wa.Table("funcref", 2), "g": wa.Global("i32", 1)}
got = artifact.instantiate({"env": good}).exports
half = bytearray(open(sys.argv[1], "rb").read())
half = bytes(half[: len(half) // 2])

SCENARIOS = {
    "wrong memory": lambda: artifact.instantiate({"env": {**good, "m": wa.Memory(0)}}),
    "wrong table": lambda: artifact.instantiate({"env": {**good, "t": wa.Table("externref", 2)}}),
    "wrong global": lambda: artifact.instantiate({"env": {**good, "g": wa.Global("i64", 1)}}),
    "wrong function": lambda: artifact.instantiate({"env": {**good, "f": wa.Func(fail, ["i64"])}}),
    "missing import": lambda: artifact.instantiate({"env": {}}),
    "truncated": lambda: wa.load(half),
    "huge memory": lambda: wa.Memory(1 << 40, memory64=True),
    "huge table": lambda: wa.Table("funcref", 1 << 31),
    "trap": lambda: got.load(-1),
    "exception": lambda: got.call(),
    "argument": lambda: got.load("text"),
    "range": lambda: got.load(1 << 40),
    "count": lambda: got.load(),
    "call_bits": lambda: got.load.call_bits([1, 2]),
    "func type": lambda: wa.Func(fail, ["i33"]),
    "grow": lambda: got.m2.grow(10),
    "table element": lambda: good["t"].__setitem__(0, 5),
    "no export": lambda: got["missing"],
}
for name, work in SCENARIOS.items():
    for _ in range(30):
        quietly(work)
    losses = []
    while len(losses) < 6:  # the pool of mappings fills up at first; a leak goes on
        before = allocated()
        for _ in range(ROUNDS):
            quietly(work)
        losses.append((allocated() - before) / ROUNDS)
        if losses[-1] < 12:  # less than half the smallest block each time
            break
    else:
        print(name, "loses", losses, "bytes each time")
"""
LEAK_WAT = """(module (import "env" "f" (func $f)) (import "env" "m" (memory 1)) (import "env" "t" (table 2 funcref))
  (import "env" "g" (global i32)) (memory $own (export "m2") 1 2)
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "call") (call $f)))"""


def test_no_path_that_fails_loses_memory(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(LEAK_PROGRAM)
    # Python's own allocator keeps memory back; malloc counts every block.
    environment = {**os.environ, "PYTHONMALLOC": "malloc", "PYTHONPATH": str(Path(wa.__file__).parents[1])}
    command = [sys.executable, str(tmp_path / "program.py"), str(packed(LEAK_WAT))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
    assert (done.stdout, done.returncode) == ("", 0), done.stderr
