"""Other users of signals and threads of the process: handlers set again, blocked signals, forks, own faults."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest

import wasmartifact as wa
from tests.support.endless import WASI_WAT, endless
from tests.unit.runtime.harness import load, packed

#: Only guards against hanging.
TIMEOUT_S = 60
GUEST_WAT = """(module (import "env" "f" (func $f)) (memory (export "m") 1) (tag $t (param exnref)) (tag $u)
  (table (export "t") 1 funcref) (global (export "g") (mut i32) (i32.const 7))
  (func (export "nop")) (func (export "spin") (loop $l (br $l)))
  (func (export "oob") (drop (i32.load (i32.const -1))))
  (func (export "back") (call $f) (drop (i32.load (i32.const -1))))
  (func (export "deep") (param i32) (local $e exnref)
    (block $h (result exnref) (try_table (catch_all_ref $h) (throw $u)) (unreachable)) (local.set $e)
    (loop $l (block $k (result exnref) (try_table (catch_all_ref $k) (throw $t (local.get $e))) (unreachable))
      (local.set $e) (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (throw_ref (local.get $e))))"""
LINKED_WAT = """(module (import "env" "f" (func)) (import "env" "t" (table 1 funcref)))"""
PRELUDE = """
import asyncio, ctypes, faulthandler, os, signal, sys, threading, time
import wasmartifact as wa
instance = wa.load(sys.argv[1]).instantiate({"env": {"f": lambda: back()}})
got = instance.exports

def trap():
    try:
        got.oob()
    except wa.Trap as trap:
        print(trap.code, flush=True)
"""


def start(program: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PRELUDE + program, str(packed(GUEST_WAT)), str(packed(LINKED_WAT))]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def outcome(program: str) -> tuple[int, str]:
    with start(program) as process:
        try:
            printed, _ = process.communicate(timeout=TIMEOUT_S)
        finally:
            process.kill()
        return process.returncode, printed


SETTING_AGAIN = {
    "signal": "signal.signal(signal.SIGINT, signal.default_int_handler)",
    "asyncio": "asyncio.run(asyncio.sleep(0))",
    "cells": """
saved = signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGINT, saved)
signal.signal(signal.SIGINT, signal.default_int_handler)""",
    "own handler in between": """
signal.signal(signal.SIGINT, lambda number, frame: None)
got.nop()
signal.signal(signal.SIGINT, signal.default_int_handler)""",
}


@pytest.mark.parametrize("how", SETTING_AGAIN)
def test_ctrl_c_after_its_handler_was_set_again(how: str) -> None:
    program = f"""
got.nop()
{SETTING_AGAIN[how]}
print("ready", flush=True)
try:
    got.spin()
except KeyboardInterrupt:
    print("KeyboardInterrupt")
"""
    with start(program) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        try:
            assert process.communicate(timeout=TIMEOUT_S)[0] == "KeyboardInterrupt\n"
        finally:
            process.kill()


#: What waits while another thread is inside the store.
WAITS = {
    "call": "nop()",
    "look-up": 'got["deep"]',
    "memory": "memory.grow(1)",
    "fuel": "instance.store.fuel = 5",
    "table": "table[0]",
    "global": "number.value",
    "setting a global": "number.value = 5",
    "adopted table": 'linked({"f": print, "t": wa.Table("funcref", 1)})',
    "no imports of the host": 'linked({"f": nop, "t": table})',
}


@pytest.mark.parametrize("what", WAITS)
def test_ctrl_c_while_the_main_thread_waits_for_a_store(what: str) -> None:
    """The wait ends, and whoever was inside still is: the store is none the worse."""
    program = f"""
def linked(imports):
    return wa.load(sys.argv[2]).instantiate({{"env": imports}}, store=instance.store)

def run():
    try:
        got.spin()
    except wa.Interrupted:
        print("Interrupted", flush=True)

nop, memory = got.nop, got.m
table, number = got.t, got.g
spinning = threading.Thread(target=run, daemon=True)
spinning.start()
time.sleep(0.1)
threading.Thread(target=lambda: (time.sleep(0.2), os.kill(os.getpid(), signal.SIGINT)), daemon=True).start()
try:
    {WAITS[what]}
except KeyboardInterrupt:
    print("KeyboardInterrupt", flush=True)
instance.store.interrupt()
spinning.join()
nop()
print(number.value)
"""
    assert outcome(program) == (0, "KeyboardInterrupt\nInterrupted\n7\n")


def test_a_trap_after_faulthandler_took_its_handler_away() -> None:
    program = "faulthandler.enable()\ngot = wa.load(sys.argv[1]).instantiate({'env': {'f': print}}).exports\n"
    program += "trap()\nfaulthandler.disable()\ntrap()\n"
    assert outcome(program) == (0, "memory_out_of_bounds\n" * 2)


def test_a_trap_after_signals_were_blocked_and_another_instance_made() -> None:
    program = """
got.nop()
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
wa.load(sys.argv[1]).instantiate({"env": {"f": print}})
trap()
"""
    assert outcome(program) == (0, "memory_out_of_bounds\n")


def test_a_fault_inside_of_the_handler_ends_the_process() -> None:
    """The second word of a store says which one stands for it; the handler follows it."""
    program = """
native = ctypes.c_uint64.from_address(id(instance.store) + 16).value
def back():
    ctypes.c_uint64.from_address(native + 8).value = 0x10
got.back()
"""
    assert outcome(program) == (-signal.SIGSEGV, "")


def test_a_chain_of_exceptions_on_a_small_stack() -> None:
    program = """
def work():
    try:
        got.deep(900)
    except RecursionError:
        print("RecursionError")
    except wa.WasmException:
        print("WasmException")
    except MemoryError as error:  # of CPython 3.15's parser, when something is imported there
        print("RecursionError" if "stack overflowed" in str(error) else error)
threading.stack_size(max(65536, os.sysconf("SC_THREAD_STACK_MIN")))  # aarch64: twice as much
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""
    assert outcome(program) in ((0, "RecursionError\n"), (0, "WasmException\n"))


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_while_another_thread_lists_a_directory() -> None:
    """The child lists the same directory of the same program, and has deadlines."""
    with endless("readdir") as guest:

        def run() -> None:
            with suppress(wa.DeadlineExceeded):
                guest.run()

        other = load(WASI_WAT).instantiate(guest.imports)
        with guest.store.deadline(1.0):
            thread = threading.Thread(target=run)
            thread.start()
            for _ in range(20):
                child = os.fork()
                if child == 0:
                    signal.alarm(TIMEOUT_S)
                    try:
                        with other.store.deadline(0.01):
                            other.exports["readdir"]()
                    except wa.DeadlineExceeded:
                        os._exit(0)
                    finally:
                        os._exit(1)
                assert os.waitpid(child, 0)[1] == 0
            thread.join(TIMEOUT_S)


#: Looks up a descriptor that is not open, and nothing else.
BUSY_WAT = """(module
  (import "wasi_snapshot_preview1" "fd_fdstat_get" (func $stat (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "once") (result i32) (call $stat (i32.const 99) (i32.const 0)))
  (func (export "busy") (loop $again (drop (call $stat (i32.const 99) (i32.const 0))) (br $again))))"""
EBADF = 8


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_while_other_threads_look_up_descriptors() -> None:
    """The list of descriptors has a lock, which a thread that the child does not have may hold."""
    imports = wa.Wasi().imports()
    busy = [load(BUSY_WAT).instantiate(imports) for _ in range(2)]
    once = load(BUSY_WAT).instantiate(imports).exports.once

    def run(number: int) -> None:
        with suppress(wa.Interrupted):
            busy[number].exports.busy()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(busy))]
    for thread in threads:
        thread.start()
    try:
        for _ in range(100):
            child = os.fork()
            if child == 0:
                signal.alarm(TIMEOUT_S)
                os._exit(once() != EBADF)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        for instance in busy:
            instance.store.interrupt()
        for thread in threads:
            thread.join()


def test_handlers_of_others_get_their_signals_and_not_ours() -> None:
    seen: list[int] = []
    saved = signal.signal(signal.SIGURG, lambda number, frame: seen.append(number))
    try:
        with endless("loop") as guest:
            for turn in range(3):
                with guest.store.deadline(0.01), pytest.raises(wa.DeadlineExceeded):
                    guest.run()
                os.kill(os.getpid(), signal.SIGURG)
                assert len(seen) == turn + 1
    finally:
        signal.signal(signal.SIGURG, saved)


def test_the_signal_can_be_chosen() -> None:
    with endless("sleep") as guest:
        try:
            for number in (signal.SIGRTMIN + 1, signal.SIGUSR2):
                wa.set_interrupt_signal(number)
                with guest.store.deadline(0.01), pytest.raises(wa.DeadlineExceeded):
                    guest.run()
                assert guest.usable() == 41
        finally:
            wa.set_interrupt_signal(signal.SIGURG)
    for number in (0, -1, 32, 65, 1 << 40, signal.SIGKILL, signal.SIGSTOP, signal.SIGINT, signal.SIGSEGV):
        with pytest.raises((ValueError, OverflowError)):
            wa.set_interrupt_signal(number)


def test_a_blocked_signal_does_not_keep_a_guest_alive() -> None:
    """In a new thread that blocks all, as supervisors have them."""
    instance = load('(module (func (export "spin") (loop $l (br $l))))').instantiate()
    spin = instance.exports["spin"]
    codes: list[str] = []

    def work() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            spin()
        except wa.Interrupted as error:
            codes.append(error.code)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    time.sleep(0.05)
    instance.store.interrupt()
    thread.join(TIMEOUT_S)
    assert codes == ["interrupted"]
