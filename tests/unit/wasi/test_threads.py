"""wasi-threads: programs that start threads, and how they end.

What is expected is what the proposal's own tests want: a program ends with the exit code of the first thread that gives
one, or when its main thread returns, whatever its other threads do at that moment; a trap of any thread is one of the
program.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import wasmartifact as wa

#: Guards against hanging only.
LONG_SECONDS = 60

#: What a thread does for ever. 0: a number that stays 0; 256: a subscription; 512: buffers.
FOREVER = {
    "waits": "(drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))",
    "is busy": "(loop $again (br $again))",
    "sleeps": """(i64.store (i32.const 280) (i64.const 3600000000000))
      (drop (call $poll_oneoff (i32.const 256) (i32.const 320) (i32.const 1) (i32.const 400)))""",
    "reads": """(i32.store (i32.const 512) (i32.const 600)) (i32.store (i32.const 516) (i32.const 1))
      (drop (call $fd_read (i32.const 0) (i32.const 512) (i32.const 1) (i32.const 640)))""",
}

IMPORTS = """(import "env" "memory" (memory 1 2 shared)) (export "memory" (memory 0))
  (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))"""

#: Leave the other thread time to get where it stays.
PAUSE = "(drop (memory.atomic.wait32 (i32.const 8) (i32.const 0) (i64.const 50000000)))"
SPAWN = "(if (i32.le_s (call $spawn (i32.const 7)) (i32.const 0)) (then unreachable))"


def text(main: str, thread: str = "", more: str = "") -> str:
    """A program whose main thread and whose other threads do this."""
    return f"""(module {IMPORTS} {more}
      (func (export "_start") {main})
      (func (export "wasi_thread_start") (param $number i32) (param $argument i32) {thread}))"""


def packed(tmp_path: Path, source: str, opt_level: int = 0) -> Path:
    wa.pack(source.encode(), tmp_path / "program.so", opt_level=opt_level)
    return tmp_path / "program.so"


def run(program: Path, **wasi: Any) -> int:
    """Run it, with an input that never has anything; afterwards no thread of it is left."""
    before = threading.active_count()
    readable, writable = os.pipe()
    try:
        return wa.run(program, stdin=readable, **wasi)
    finally:
        os.close(readable)
        os.close(writable)
        assert threading.active_count() == before


@pytest.mark.parametrize("opt_level", [0, 2])
def test_a_thread_gets_its_number_and_its_argument(opt_level: int, tmp_path: Path) -> None:
    thread = """(i32.store (i32.const 16) (local.get $number)) (i32.store (i32.const 20) (local.get $argument))
      (i32.atomic.store (i32.const 0) (i32.const 1))
      (drop (memory.atomic.notify (i32.const 0) (i32.const 1)))"""
    main = """(local $number i32) (local.set $number (call $spawn (i32.const 12345)))
      (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))
      (if (i32.lt_s (local.get $number) (i32.const 1)) (then unreachable))
      (if (i32.ne (i32.load (i32.const 16)) (local.get $number)) (then unreachable))
      (if (i32.ne (i32.load (i32.const 20)) (i32.const 12345)) (then unreachable))
      (call $proc_exit (i32.const 22))"""
    assert run(packed(tmp_path, text(main, thread), opt_level)) == 22


@pytest.mark.parametrize("what", FOREVER)
@pytest.mark.parametrize(("end", "code"), [("(call $proc_exit (i32.const 99))", 99), ("", 0)])
def test_the_main_thread_ends_the_program(what: str, end: str, code: int, tmp_path: Path) -> None:
    program = packed(tmp_path, text(f"{SPAWN} {SPAWN} {PAUSE} {end}", FOREVER[what] + "unreachable"))
    assert run(program) == code


@pytest.mark.parametrize("what", FOREVER)
def test_another_thread_ends_the_program(what: str, tmp_path: Path) -> None:
    source = text(f"{SPAWN} {FOREVER[what]} unreachable", f"{PAUSE} (call $proc_exit (i32.const 99))")
    assert run(packed(tmp_path, source)) == 99


@pytest.mark.parametrize("what", FOREVER)
def test_a_trap_of_a_thread_is_one_of_the_program(what: str, tmp_path: Path) -> None:
    program = packed(tmp_path, text(f"{SPAWN} {FOREVER[what]}", f"{PAUSE} (drop (i32.load (i32.const -4)))"))
    with pytest.raises(wa.Trap) as caught:
        run(program)
    assert caught.value.code == "memory_out_of_bounds"


def test_who_returns_ends_no_other(tmp_path: Path) -> None:
    """A hundred threads, one after another and at the same time; each has globals of its own."""
    more = "(global $own (mut i32) (i32.const 0))"
    thread = """(global.set $own (i32.add (global.get $own) (i32.const 1)))
      (drop (i32.atomic.rmw.add (i32.const 0) (global.get $own)))
      (drop (memory.atomic.notify (i32.const 0) (i32.const 1)))"""
    main = """(local $left i32) (local $seen i32) (local.set $left (i32.const 100))
      (loop $again
        (if (i32.gt_s (call $spawn (i32.const 0)) (i32.const 0))
          (then (local.set $left (i32.sub (local.get $left) (i32.const 1)))))
        (br_if $again (local.get $left)))
      (loop $again
        (local.set $seen (i32.atomic.load (i32.const 0)))
        (drop (memory.atomic.wait32 (i32.const 0) (local.get $seen) (i64.const 1000000)))
        (br_if $again (i32.lt_u (local.get $seen) (i32.const 100))))
      (call $proc_exit (local.get $seen))"""
    assert run(packed(tmp_path, text(main, thread, more))) == 100


def test_a_program_without_threads_may_be_built_for_them(tmp_path: Path) -> None:
    source = '(module (import "env" "memory" (memory 1 1 shared)) (func (export "_start")))'
    assert run(packed(tmp_path, source)) == 0


def test_limits_bound_how_many_there_are(tmp_path: Path) -> None:
    main = f"""{SPAWN} {SPAWN} (call $proc_exit (i32.sub (i32.const 0) (call $spawn (i32.const 0))))"""
    program = packed(tmp_path, text(main, FOREVER["waits"]))
    assert run(program, limits=wa.Limits(instances=3)) == 6  # EAGAIN of Linux


def test_what_threads_would_start_with_is_there(tmp_path: Path) -> None:
    spawn = '(import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))'
    for export, found in (
        ("", "no such export"),
        ('(func (export "wasi_thread_start") (param i32))', r"\(i32\) -> \(\)"),
        ('(memory (export "wasi_thread_start") 1)', "a memory"),
    ):
        program = packed(tmp_path, f'(module {spawn} {export} (func (export "_start")))')
        with pytest.raises(ValueError, match=rf"wasi_thread_start\(i32, i32\) to start with, found {found}"):
            run(program)


def test_an_exception_of_a_stream_ends_the_program(tmp_path: Path) -> None:
    thread = f"""{PAUSE} (i32.store (i32.const 512) (i32.const 600)) (i32.store (i32.const 516) (i32.const 1))
      (drop (call $fd_write (i32.const 1) (i32.const 512) (i32.const 1) (i32.const 640)))"""

    def refuse(_: bytes) -> None:
        raise ArithmeticError("no")

    with pytest.raises(ArithmeticError, match="no"):
        run(packed(tmp_path, text(f"{SPAWN} {FOREVER['waits']}", thread)), stdout=refuse)


@pytest.mark.parametrize(
    ("thread", "code", "words"),
    [("(call $proc_exit (i32.const 7))", 7, ""), ("unreachable", 40, "unreachable")],
)
def test_the_command_runs_them(thread: str, code: int, words: str, tmp_path: Path) -> None:
    program = packed(tmp_path, text(f"{SPAWN} {FOREVER['waits']}", f"{PAUSE} {thread}"))
    command = [sys.executable, "-m", "wasmartifact", "run", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONG_SECONDS, check=False)
    assert (done.returncode, words in done.stderr) == (code, True)
