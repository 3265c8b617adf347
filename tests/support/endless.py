"""Guests that never end by themselves, one for each way to pass the time: what ends them is tested with these."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import wasmartifact as wa
from tests.unit.runtime.harness import load

COMPUTING_WAT = """(module
  (import "env" "f" (func $f)) (import "env" "one" (func $one (result i32)))
  (type $none (func)) (tag $t)
  (memory (export "memory") 16384) (table $big (export "table") 1000000 1000100 funcref) (table $calls 1 funcref)
  (global $n (mut i32) (i32.const 0))
  (elem $e (table $calls) (i32.const 0) func $count)
  (func $count (global.set $n (i32.add (global.get $n) (i32.const 1))))
  (func (export "usable") (result i32) (i32.add (i32.const 40) (call $one)))
  (func (export "loop") (loop $again (call $count) (br $again)))
  (func (export "loads") (local $i i32) (loop $again
    (i32.store (local.get $i) (i32.add (i32.load (local.get $i)) (i32.const 1)))
    (local.set $i (i32.and (i32.add (local.get $i) (i32.const 64)) (i32.const 0xffff))) (br $again)))
  (func $fib (export "recursion") (param $n i32) (result i32)
    (if (result i32) (i32.lt_s (local.get $n) (i32.const 2)) (then (local.get $n)) (else (i32.add
      (call $fib (i32.sub (local.get $n) (i32.const 1))) (call $fib (i32.sub (local.get $n) (i32.const 2)))))))
  (func (export "call_indirect") (loop $again (call_indirect $calls (type $none) (i32.const 0)) (br $again)))
  (func (export "memory.fill") (loop $again
    (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x3fff0000)) (br $again)))
  (func (export "memory.copy") (loop $again
    (memory.copy (i32.const 64) (i32.const 0) (i32.const 0x3fff0000)) (br $again)))
  (func (export "memory.grow") (loop $again (drop (memory.grow (i32.const 0))) (br $again)))
  (func (export "table.fill") (loop $again
    (table.fill $big (i32.const 0) (ref.func $count) (i32.const 1000000)) (br $again)))
  (func (export "table.copy") (loop $again
    (table.copy $big $big (i32.const 1) (i32.const 0) (i32.const 999999)) (br $again)))
  (func (export "table.grow") (loop $again (drop (table.grow $big (ref.null func) (i32.const 1))) (br $again)))
  (func (export "callbacks") (loop $again (call $f) (br $again)))
  (func (export "exceptions") (loop $again
    (block $caught (try_table (catch $t $caught) (throw $t))) (call $count) (br $again))))"""
TAIL_WAT = """(module (func $ping (param i32) (return_call $pong (i32.add (local.get 0) (i32.const 1))))
  (func $pong (param i32) (return_call $ping (local.get 0)))
  (func (export "tail") (param i32) (return_call $ping (local.get 0)))
  (func (export "usable") (result i32) (i32.const 41)))"""
START_WAT = """(module (global $n (mut i32) (i32.const 0))
  (func $start (loop $again (global.set $n (i32.add (global.get $n) (i32.const 1))) (br $again))) (start $start))"""
PING_WAT = """(module (table (export "table") 2 funcref) (type $t (func (param i32) (result i32)))
  (func $down (param i32) (result i32) (if (result i32) (local.get 0)
    (then (call_indirect (type $t) (i32.sub (local.get 0) (i32.const 1)) (i32.const 1))) (else (i32.const 41))))
  (elem (i32.const 0) $down)
  (func (export "pairs") (loop $again (drop (call $down (i32.const 100))) (br $again)))
  (func (export "usable") (result i32) (call $down (i32.const 2))))"""
PONG_WAT = """(module (import "ping" "table" (table 2 funcref)) (type $t (func (param i32) (result i32)))
  (func $down (param i32) (result i32) (if (result i32) (local.get 0)
    (then (call_indirect (type $t) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0))) (else (i32.const 41))))
  (elem (i32.const 1) $down))"""
#: Most of its time is the collector's, which has half a million objects in a row to mark each time.
COLLECTING_WAT = """(module
  (type $node (struct (field $rest (ref null $node)) (field $n i32)))
  (global $kept (mut (ref null $node)) (ref.null $node)) (global $n (mut i32) (i32.const 500000))
  (func $make (loop $again
    (global.set $kept (struct.new $node (global.get $kept) (global.get $n)))
    (br_if $again (global.get $n) (global.set $n (i32.sub (global.get $n) (i32.const 1))))))
  (start $make)
  (func (export "collections") (loop $again (drop (struct.new_default $node)) (br $again)))
  (func (export "usable") (result i32) (local $at (ref null $node)) (local $sum i32)
    (local.set $at (global.get $kept))
    (loop $next
      (local.set $sum (i32.add (local.get $sum) (i32.const 1)))
      (br_if $next (i32.eqz (ref.is_null (local.tee $at (struct.get $node $rest (local.get $at)))))))
    (i32.sub (local.get $sum) (i32.const 499960))))"""
#: Arrays of 256 MiB, each of which takes ten times as long to fill or copy as a deadline may be late.
ARRAYS_WAT = """(module
  (type $bytes (array (mut i8))) (type $longs (array (mut i64)))
  (global $from (mut (ref null $bytes)) (ref.null $bytes)) (global $to (mut (ref null $longs)) (ref.null $longs))
  (func $make (global.set $from (array.new_default $bytes (i32.const 0x10000000)))
    (global.set $to (array.new_default $longs (i32.const 0x2000000))))
  (start $make)
  (func (export "array.fill") (loop $again
    (array.fill $longs (global.get $to) (i32.const 1) (i64.const 7) (i32.const 0x1ffffff)) (br $again)))
  (func (export "array.copy") (loop $again (array.copy $bytes $bytes (global.get $from) (i32.const 1)
    (global.get $from) (i32.const 0) (i32.const 0xfffffff)) (br $again)))
  (func (export "array.new") (loop $again (drop (array.new_default $longs (i32.const 0x1000000))) (br $again)))
  (func (export "usable") (result i32) (i32.sub (i32.const 0x10000029) (array.len (global.get $from)))))"""
WASI_WAT = """(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_readdir" (func $readdir (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_accept" (func $accept (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (memory (export "memory") 32)
  (data (i32.const 0) "\\40\\00\\00\\00\\00\\00\\10\\00") (; a buffer of 1 MiB at 64 ;)
  (data (i32.const 16) "\\07") (data (i32.const 40) "\\00\\00\\00\\00\\ff\\ff\\ff\\7f") (; a clock, in years ;)
  (func (export "usable") (result i32) (i32.const 41))
  (func (export "sleep") (loop $again
    (drop (call $poll (i32.const 16) (i32.const 2000000) (i32.const 1) (i32.const 8))) (br $again)))
  (func (export "poll") (i32.store8 (i32.const 24) (i32.const 1)) (i32.store (i32.const 32) (i32.const 0))
    (loop $again (drop (call $poll (i32.const 16) (i32.const 2000000) (i32.const 1) (i32.const 8))) (br $again)))
  (func (export "read") (loop $again
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8))) (br $again)))
  (func (export "write") (loop $again
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))) (br $again)))
  (func (export "readdir") (loop $again
    (drop (call $readdir (i32.const 3) (i32.const 64) (i32.const 65536) (i64.const 0) (i32.const 8))) (br $again)))
  (func (export "accept") (loop $again
    (drop (call $accept (i32.const 2) (i32.const 0) (i32.const 8))) (br $again)))
  (func (export "random") (loop $again
    (drop (call $random (i32.const 64) (i32.const 1000000))) (br $again))))"""

COMPUTING = (
    "loop", "loads", "recursion", "call_indirect", "memory.fill", "memory.copy", "memory.grow", "table.fill",
    "table.copy", "table.grow", "callbacks", "exceptions",
)  # fmt: skip
ARRAYS = ("array.fill", "array.copy", "array.new")
WAITING = ("sleep", "poll", "read", "write", "readdir", "accept", "random")
SHAPES = (*COMPUTING, "tail", "pairs", "start", "nested", "collections", *ARRAYS, *WAITING)
ARGUMENTS = {"recursion": (80,), "tail": (0,)}


@dataclass
class Guest:
    """An endless guest: its store, the call that doesn't end, and one that gives 41 while the store is usable.

    ``func`` and ``arguments`` are the call where it is one of an exported function, ``imports`` what it got of WASI.
    """

    store: wa.Store
    run: Callable[[], object]
    usable: Callable[[], object]
    func: Any = None
    arguments: tuple[int, ...] = ()
    imports: Mapping[str, Mapping[str, Any]] | None = None


def _of(instance: wa.Instance, name: str) -> Guest:
    func, arguments = instance.exports[name], ARGUMENTS.get(name, ())
    return Guest(instance.store, lambda: func(*arguments), instance.exports["usable"], func, arguments)


def _computing(name: str) -> Guest:
    instance = load(COMPUTING_WAT).instantiate({"env": {"f": lambda: None, "one": lambda: 1}})
    return _of(instance, name)


def _pair() -> Guest:
    ping = load(PING_WAT).instantiate()
    load(PONG_WAT).instantiate({"ping": ping})
    return _of(ping, "pairs")


def _start() -> Guest:
    store = wa.Store()
    usable = load(TAIL_WAT).instantiate(store=store).exports["usable"]
    artifact = load(START_WAT)
    return Guest(store, lambda: artifact.instantiate(store=store), usable)


def _nested() -> Guest:
    """A host function calls an endless guest of another store, which no deadline knows of."""
    inner = _of(load(TAIL_WAT).instantiate(), "tail")
    outer = load(COMPUTING_WAT).instantiate({"env": {"f": inner.run, "one": lambda: 1}})
    return _of(outer, "callbacks")


def _waiting(name: str, cleanup: ExitStack) -> Guest:
    """With pipes that nobody uses as input and output, a socket that nobody connects to, and a directory."""
    source, source_end = os.pipe()
    sink_end, sink = os.pipe()
    listener = cleanup.enter_context(socket.create_server(("127.0.0.1", 0)))
    files = [cleanup.enter_context(os.fdopen(fd, mode, buffering=0)) for fd, mode in ((source, "rb"), (sink, "wb"))]
    cleanup.callback(os.close, source_end)
    cleanup.callback(os.close, sink_end)
    directory = cleanup.enter_context(tempfile.TemporaryDirectory())
    for number in range(100):
        (Path(directory) / str(number)).touch()
    stream = cleanup.enter_context(os.fdopen(os.dup(listener.fileno()), "r+b", buffering=0))
    wasi = wa.Wasi(stdin=files[0], stdout=files[1], stderr=stream, preopens={"/": directory})
    guest = _of(load(WASI_WAT).instantiate(wasi.imports()), name)
    guest.imports = wasi.imports()
    return guest


def _collecting() -> Guest:
    return _of(load(COLLECTING_WAT).instantiate(), "collections")


@contextmanager
def endless(shape: str) -> Iterator[Guest]:
    """The guest of a shape, with whatever it needs around it."""
    with ExitStack() as cleanup:
        if shape in COMPUTING:
            yield _computing(shape)
        elif shape in WAITING:
            yield _waiting(shape, cleanup)
        elif shape in ARRAYS:
            yield _of(load(ARRAYS_WAT).instantiate(), shape)
        else:
            makers = {"pairs": _pair, "start": _start, "nested": _nested, "collections": _collecting}
            yield makers[shape]() if shape in makers else _of(load(TAIL_WAT).instantiate(), shape)
