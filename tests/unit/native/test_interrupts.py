"""Ctrl-C: with Python's own handler it ends the guest at once, wherever that is; other handlers let the guest go on."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.unit.runtime.harness import packed

TIMEOUT_S = 60
SPIN_WAT = """(module (import "env" "f" (func $f (param i32) (result i32))) (memory (export "m") 256)
  (table $t 10 funcref)
  (global $n (export "n") (mut i32) (i32.const 0))
  (func (export "spin") (loop $again (global.set $n (i32.add (global.get $n) (i32.const 1))) (br $again)))
  (func $on (export "spin_on") (param i32)
    (loop $again (global.set $n (i32.add (global.get $n) (local.get 0))) (br $again)))
  (func (export "ask_and_spin") (call $on (call $f (i32.const 0))))
  (func (export "fill") (loop $again
    (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x1000000)) (br $again)))
  (func (export "tables") (loop $again (table.set $t (i32.const 1) (table.get $t (i32.const 0))) (br $again)))
  (func (export "back") (loop $again (drop (call $f (i32.const 0))) (br $again)))
  (func (export "once") (result i32) (call $f (i32.const 1)))
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "count") (param i32) (result i32) (local $x i32)
    (loop $again
      (local.set $x (i32.xor (i32.mul (local.get $x) (i32.const 1664525)) (i32.shr_u (local.get $x) (i32.const 7))))
      (local.set $x (i32.add (local.get $x) (i32.load (i32.const 8))))
      (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (i32.or (local.get $x) (i32.const 1))))"""
START_WAT = (
    "(module (global $n (mut i32) (i32.const 0)) (func $s (loop $l (global.set $n (i32.const 1)) (br $l))) (start $s))"
)

PRELUDE = """
import os, signal, sys, threading, time
import wasmartifact as wa

def back(value):
    return 0

def interrupt_after(seconds, times=1):
    def work():
        for _ in range(times):
            time.sleep(seconds)
            os.kill(os.getpid(), signal.SIGINT)
    threading.Thread(target=work, daemon=True).start()

def is_interrupted(call, *arguments):
    try:
        call(*arguments)
    except KeyboardInterrupt:
        return True
    return False

got = wa.load(sys.argv[1]).instantiate({"env": {"f": lambda value: back(value)}}).exports

def still_works():
    try:
        got.load(-1)
    except wa.Trap as trap:
        assert trap.code == "memory_out_of_bounds"
    else:
        raise AssertionError("no trap")
    return got.count(1000) & 1
"""


def run(program: str) -> str:
    """Output of a program that has the prelude behind it; it must end well."""
    paths = [str(packed(SPIN_WAT)), str(packed(START_WAT))]
    command = [sys.executable, "-c", PRELUDE + program, *paths]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("where", ["spin", "fill", "tables", "back"])
def test_ctrl_c_ends_an_endless_guest(where: str) -> None:
    """In compiled code, in the runtime's C code, and between host functions; more than once."""
    program = f"""
for _ in range(3):
    interrupt_after(0.05)
    assert is_interrupted(got.{where})
    assert still_works()
"""
    run(program)


def test_a_signal_during_the_conversion_of_arguments_is_not_lost() -> None:
    """It comes when Python's interpreter has looked for signals, and before the guest runs: C code sends it."""
    run(
        """
import ctypes, functools
class Argument:
    __index__ = staticmethod(functools.partial(ctypes.PyDLL(None).kill, os.getpid(), int(signal.SIGINT)))
assert is_interrupted(got.spin_on, Argument())
assert still_works()
"""
    )


def test_a_signal_during_the_conversion_of_results_is_not_lost() -> None:
    run(
        """
import ctypes, functools
class Result:
    __index__ = staticmethod(functools.partial(ctypes.PyDLL(None).kill, os.getpid(), int(signal.SIGINT)))
def back(value):
    return Result()
assert is_interrupted(got.ask_and_spin)
assert still_works()
"""
    )


def test_ctrl_c_ends_a_start_function() -> None:
    run("interrupt_after(0.05)\nassert is_interrupted(wa.load(sys.argv[2]).instantiate)\nassert still_works()")


def test_ctrl_c_in_the_innermost_of_nested_calls() -> None:
    """It passes through the outer guest as an exception, unless the host function between takes it."""
    run(
        """
def back(value):
    return got.spin()
interrupt_after(0.05)
assert is_interrupted(got.once)
assert still_works()
def back(value):
    return 5 if is_interrupted(got.spin) else 6
interrupt_after(0.05)
assert got.once() == 5
assert still_works()
"""
    )


def test_another_thread_goes_on() -> None:
    """Ctrl-C is the main thread's, as everywhere in Python."""
    run(
        """
done = []
thread = threading.Thread(target=lambda: done.append(got.count(100_000_000)))
other = wa.load(sys.argv[1]).instantiate({"env": {"f": back}}).exports
thread.start()
interrupt_after(0.02)
assert is_interrupted(other.spin)
thread.join()
assert len(done) == 1 and done[0] & 1
"""
    )


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_handler_of_the_program_lets_the_guest_go_on(when: str) -> None:
    """Set before the first instance or later."""
    program = """
seen = []
signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
"""
    if when == "before":
        program += 'got = wa.load(sys.argv[1]).instantiate({"env": {"f": back}}).exports\n'
    program += """
expected = got.count(20_000_000)
def work():  # one signal after the other: two that are pending at a time count as one
    for number in range(3):
        time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)
        while len(seen) == number:
            time.sleep(0.001)
threading.Thread(target=work, daemon=True).start()
while len(seen) < 3:
    assert got.count(1_000_000) == got.count(1_000_000)
assert got.count(20_000_000) == expected
assert seen == [signal.SIGINT] * 3
"""
    run(program)


def test_ignored_it_stays_ignored() -> None:
    run(
        """
signal.signal(signal.SIGINT, signal.SIG_IGN)
got = wa.load(sys.argv[1]).instantiate({"env": {"f": back}}).exports
interrupt_after(0.001, times=5)
assert got.count(50_000_000) & 1
"""
    )


def test_python_without_a_guest_behaves_as_before() -> None:
    run(
        """
interrupt_after(0.05)
assert is_interrupted(time.sleep, 30)
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
"""
    )


def test_a_process_that_does_not_catch_it_ends_by_the_signal() -> None:
    program = PRELUDE + "\ninterrupt_after(0.05)\ngot.spin()"
    command = [sys.executable, "-c", program, str(packed(SPIN_WAT))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == -2
    assert done.stderr.rstrip().endswith("KeyboardInterrupt")


WAITS_WAT = """(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (memory $shared 1 1 shared)
  (data (i32.const 24) "\\ff\\ff\\ff\\ff\\ff\\ff\\ff\\0f")
  (func (export "sleep") (result i32) (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))
  (func (export "wait") (result i32)
    (memory.atomic.wait32 $shared (i32.const 0) (i32.const 0) (i64.const -1))))"""
SET_AGAIN = """
import asyncio, os, signal, sys, threading
import wasmartifact as wa

async def nothing():
    pass

wait = wa.load(sys.argv[1]).instantiate(wa.Wasi().imports()).exports[sys.argv[2]]
for number in range(200):
    asyncio.run(nothing())  # sets the handler of SIGINT, and Python's own again
    timer = threading.Timer(number % 20 * 2e-5, os.kill, (os.getpid(), signal.SIGINT))
    try:
        timer.start()
        wait()
    except KeyboardInterrupt:
        timer.join()
print("ended")
"""


@pytest.mark.parametrize("wait", ["sleep", "wait"])
def test_a_signal_before_a_wait_is_not_lost_where_the_handler_was_set_again(wait: str) -> None:
    command = [sys.executable, "-c", SET_AGAIN, str(packed(WAITS_WAT)), wait]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert (done.returncode, done.stdout) == (0, "ended\n"), done.stderr
