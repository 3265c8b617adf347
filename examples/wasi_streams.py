"""Runs a WASI program with streams that are Python objects: no file is touched.

The program copies standard input to standard output with ASCII letters in upper case. Its exit code is the number of
lines.
"""

from __future__ import annotations

import io

import wasmartifact as wa

WAT = b"""
(module
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (local $size i32) (local $at i32) (local $byte i32) (local $lines i32)
    (block $end
      (loop $more
        ;; An iovec at 0: the buffer at 1024, 4096 bytes. The number of bytes read goes to 8.
        (i32.store (i32.const 0) (i32.const 1024))
        (i32.store (i32.const 4) (i32.const 4096))
        (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
        (local.set $size (i32.load (i32.const 8)))
        (br_if $end (i32.eqz (local.get $size)))
        (local.set $at (i32.const 1024))
        (block $done
          (loop $next
            (br_if $done (i32.ge_u (local.get $at) (i32.add (i32.const 1024) (local.get $size))))
            (local.set $byte (i32.load8_u (local.get $at)))
            (if (i32.lt_u (i32.sub (local.get $byte) (i32.const 97)) (i32.const 26))
              (then (i32.store8 (local.get $at) (i32.sub (local.get $byte) (i32.const 32)))))
            (local.set $lines (i32.add (local.get $lines) (i32.eq (local.get $byte) (i32.const 10))))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br $next)))
        (i32.store (i32.const 4) (local.get $size))
        (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
        (br $more)))
    (call $proc_exit (local.get $lines))))
"""


def upper(text: str) -> tuple[str, int]:
    """What the program makes of a text, and its exit code."""
    output = io.StringIO()
    wasi = wa.Wasi(args=["upper"], stdin=io.StringIO(text), stdout=output)
    instance = wa.compile(WAT).instantiate(wasi.imports())
    try:
        instance.exports["_start"]()
    except wa.Exit as end:
        return output.getvalue(), end.code
    return output.getvalue(), 0


def main() -> None:
    """Three lines."""
    text, code = upper("one\ntwo\nthree\n")
    print(text, end="")
    print("exit code:", code)


if __name__ == "__main__":
    main()
