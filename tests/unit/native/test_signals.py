"""Signals: traps of ours, of another engine and real crashes side by side, whoever installed a handler last."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import wasmartifact as wa
from tests.support.tools import find_tool
from tests.unit.runtime.harness import exports, packed
from wasmartifact import _native

FAULTS_WAT = """(module (memory 1)
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "divide") (param i32) (result i32) (i32.div_s (i32.const 1) (local.get 0)))
  (func $deeper (export "recurse") (param i32) (result i32) (i32.add (i32.const 1) (call $deeper (local.get 0)))))"""
FAULTS = {
    "load": (-1, "memory_out_of_bounds"),
    "divide": (0, "integer_divide_by_zero"),
    "recurse": (0, "stack_exhausted"),
}
TIMEOUT_S = 30

# Steps by letter: o instantiates ours, f enables faulthandler, w starts wasmtime; O and W trap in either.
PROGRAM = f"""
import ctypes, faulthandler, mmap, os, sys
import wasmartifact as wa
steps, ending, artifact, wat = sys.argv[1:]
FAULTS = {FAULTS!r}

def ours():
    for name, (argument, code) in FAULTS.items():
        try:
            made.exports[name](argument)
        except wa.Trap as trap:
            assert trap.code == code, trap.code
        else:
            raise AssertionError(name)

def theirs():
    for name, (argument, code) in FAULTS.items():
        try:
            other.exports(store)[name](store, argument)
        except wasmtime.Trap:
            pass
        else:
            raise AssertionError(name)

for step in steps:
    if step == "o":
        made = wa.load(artifact).instantiate()
    elif step == "f":
        faulthandler.enable()
    elif step == "w":
        import wasmtime
        store = wasmtime.Store()
        other = wasmtime.Instance(store, wasmtime.Module(store.engine, wat), [])
        theirs()
    else:
        {{"O": ours, "W": theirs}}[step]()
print("stepped", flush=True)
if ending == "segv":
    ctypes.string_at(0)
elif ending == "breakpoint":
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\\xcc\\xc3")  # int3, ret
    ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
elif ending != "none":
    os.kill(os.getpid(), getattr(signal, ending))
""".replace("import ctypes,", "import signal, ctypes,")


def run(steps: str, ending: str) -> subprocess.CompletedProcess[str]:
    """A process that goes these steps and ends this way."""
    command = [sys.executable, "-c", PROGRAM, steps, ending, str(packed(FAULTS_WAT)), FAULTS_WAT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.stdout == "stepped\n", done.stderr
    return done


@pytest.mark.parametrize("steps", ["oO", "foO", "ofoO", "woOWO", "owOWO", "owoOWO", "wowoWO", "fowoOW"])
def test_traps_of_both_engines_work_in_every_order(steps: str) -> None:
    assert run(steps, "none").returncode == 0


@pytest.mark.parametrize("steps", ["o", "oo", "of", "fo", "ofo", "wo", "ow", "owo", "wowo", "fowo", "owofo", "ofofoO"])
def test_a_real_crash_still_ends_the_process(steps: str) -> None:
    """With the right status, in reasonable time, and described once where faulthandler is on top."""
    done = run(steps, "segv")
    assert done.returncode == -signal.SIGSEGV
    if "f" in steps:
        assert done.stderr.count("Fatal Python error") == 1


@pytest.mark.parametrize("steps", ["o", "fo", "ofo"])
@pytest.mark.parametrize("ending", ["SIGSEGV", "SIGBUS", "SIGILL", "SIGTRAP"])
def test_a_signal_that_somebody_sent_is_no_trap(steps: str, ending: str) -> None:
    assert run(steps, ending).returncode == -signal.Signals[ending]


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the bytes are an x86-64 breakpoint")
def test_a_breakpoint_ends_the_process() -> None:
    """Its pc lies behind it: a handler that returned to it would go on as if nothing had been."""
    assert run("o", "breakpoint").returncode == -signal.SIGTRAP


ONE_SHOT_C = """
#include <signal.h>
#include <unistd.h>
static void once(int number) { (void)number; (void)!write(1, "once ", 5); }
void install_one_shot(void)
{
    struct sigaction action = {.sa_handler = once, .sa_flags = SA_RESETHAND};
    sigaction(SIGSEGV, &action, 0);
}
"""


def test_a_one_shot_handler_is_called_once(tmp_path: Path) -> None:
    (tmp_path / "oneshot.c").write_text(ONE_SHOT_C)
    library = tmp_path / "oneshot.so"
    subprocess.run([find_tool("cc"), "-shared", "-fPIC", "-o", library, tmp_path / "oneshot.c"], check=True)
    program = f"""
import ctypes, wasmartifact as wa
ctypes.CDLL({str(library)!r}).install_one_shot()
made = wa.load({str(packed(FAULTS_WAT))!r}).instantiate()
ctypes.string_at(0)
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert (done.stdout, done.returncode) == ("once ", -signal.SIGSEGV)


def trap_code(call: Callable[[], object]) -> str:
    """Code of the trap that a call ends in."""
    with pytest.raises(wa.Trap) as caught:
        call()
    return caught.value.code


def test_threads_that_block_all_signals_can_trap() -> None:
    """Blocked, a fault's signal would end the process; such threads are what signal.sigwait is used with."""
    got = exports(FAULTS_WAT)
    codes: list[str] = []

    def work() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        codes.extend(trap_code(lambda name=name, argument=argument: got[name](argument))  # type: ignore[misc]
                     for name, (argument, _) in FAULTS.items())  # fmt: skip

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(TIMEOUT_S)
    assert codes == [code for _, code in FAULTS.values()]


def test_traps_leave_the_signal_mask_alone() -> None:
    got = exports(FAULTS_WAT)
    trap_code(lambda: got.load(-1))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    try:
        for name, (argument, _) in FAULTS.items():
            trap_code(lambda name=name, argument=argument: got[name](argument))  # type: ignore[misc]
        assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before | {signal.SIGUSR1}
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_the_handler_needs_nothing_of_the_dynamic_linker() -> None:
    """No lazy binding, and thread-locals without a call: both could wait for a lock that the interrupted thread holds."""  # noqa: E501
    readelf = find_tool("readelf")
    path = str(_native.__file__)
    symbols = subprocess.run([readelf, "--dyn-syms", "-W", path], capture_output=True, text=True, check=True).stdout
    assert "sigaltstack" in symbols
    assert "__tls_get_addr" not in symbols
    dynamic = subprocess.run([readelf, "-d", "-W", path], capture_output=True, text=True, check=True).stdout
    assert "BIND_NOW" in dynamic or "NOW" in dynamic.partition("FLAGS_1")[2].split("\n")[0]
