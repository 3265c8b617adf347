"""What components of the tests have in place of a C library: a memory, and a realloc that never frees."""

from __future__ import annotations

#: Part of a component's text: core memory $memory, core func $realloc, whose places are aligned to 8 bytes.
LIBC = """(core module $libc (memory (export "memory") 1) (global $end (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.set $end (i32.and (i32.add (global.get $end) (i32.const 7)) (i32.const -8)))
      (global.get $end) (global.set $end (i32.add (global.get $end) (local.get 3)))))
  (core instance $libc (instantiate $libc))
  (alias core export $libc "memory" (core memory $memory))
  (alias core export $libc "realloc" (core func $realloc))"""
