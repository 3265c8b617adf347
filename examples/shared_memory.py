"""Links two modules that share a memory: one owns it and allocates, the other computes in it.

The exports of an instance are what the next one imports. Memory that both see makes their stores one.
"""

from __future__ import annotations

import wasmartifact as wa

HEAP = b"""
(module
  (memory (export "memory") 2)
  (global $top (mut i32) (i32.const 16))
  (func (export "allocate") (param $size i32) (result i32)
    (global.get $top)
    (global.set $top (i32.add (global.get $top) (local.get $size)))))
"""
ADLER = b"""
(module
  (import "heap" "memory" (memory 1))
  (import "heap" "allocate" (func $allocate (param i32) (result i32)))
  ;; Room for input: this module asks the other one for it.
  (func (export "input") (param $size i32) (result i32) (call $allocate (local.get $size)))
  (func (export "adler32") (param $at i32) (param $size i32) (result i32)
    (local $end i32) (local $a i32) (local $b i32)
    (local.set $end (i32.add (local.get $at) (local.get $size)))
    (local.set $a (i32.const 1))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $a (i32.rem_u (i32.add (local.get $a) (i32.load8_u (local.get $at))) (i32.const 65521)))
        (local.set $b (i32.rem_u (i32.add (local.get $b) (local.get $a)) (i32.const 65521)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (i32.or (i32.shl (local.get $b) (i32.const 16)) (local.get $a))))
"""


def adler32(data: bytes) -> int:
    """The checksum of zlib; the data lies in the memory of the one module, the code is of the other."""
    heap = wa.compile(HEAP).instantiate()
    adler = wa.compile(ADLER).instantiate({"heap": heap.exports})
    address = adler.exports["input"](len(data))
    heap.exports["memory"][address : address + len(data)] = data
    checksum: int = adler.exports["adler32"](address, len(data))
    return checksum & 0xFFFFFFFF


def main() -> None:
    """The checksum of a short text."""
    print(f"{adler32(b'Wikipedia'):08x}")


if __name__ == "__main__":
    main()
