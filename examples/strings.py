"""Passes strings in and gets strings back, as most toolchains do: an allocator of the guest, an address and a size.

Multiple results arrive as a tuple. What the guest allocated is freed by the guest.
"""

from __future__ import annotations

import wasmartifact as wa

WAT = b"""
(module
  (memory (export "memory") 1)
  (global $top (mut i32) (i32.const 1024))
  ;; The simplest allocator: it only goes up, and `free` of the lowest address takes all back.
  (func $allocate (export "allocate") (param $size i32) (result i32)
    (global.get $top)
    (global.set $top (i32.add (global.get $top) (local.get $size))))
  (func (export "free") (param $address i32) (global.set $top (local.get $address)))
  ;; The text with its ASCII letters moved by 13 places: address and size of the result.
  (func (export "rot13") (param $from i32) (param $size i32) (result i32 i32)
    (local $to i32) (local $at i32) (local $byte i32) (local $letter i32)
    (local.set $to (call $allocate (local.get $size)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $size)))
        (local.set $byte (i32.load8_u (i32.add (local.get $from) (local.get $at))))
        (local.set $letter (i32.sub (i32.or (local.get $byte) (i32.const 32)) (i32.const 97)))
        (i32.store8 (i32.add (local.get $to) (local.get $at))
          (if (result i32) (i32.lt_u (local.get $letter) (i32.const 26))
            (then
              (i32.add
                (i32.sub (local.get $byte) (local.get $letter))
                (i32.rem_u (i32.add (local.get $letter) (i32.const 13)) (i32.const 26))))
            (else (local.get $byte))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (local.get $to) (local.get $size)))
"""


class Rot13:
    """The guest's function as one of Python: str to str."""

    def __init__(self) -> None:
        exports = wa.compile(WAT).instantiate().exports
        self._memory = exports["memory"]
        self._allocate, self._free, self._rot13 = exports["allocate"], exports["free"], exports["rot13"]

    def __call__(self, text: str) -> str:
        data = text.encode()
        address = self._allocate(len(data))
        self._memory[address : address + len(data)] = data
        result, size = self._rot13(address, len(data))
        moved: str = self._memory[result : result + size].decode()
        self._free(address)
        return moved


def main() -> None:
    """There and back."""
    rot13 = Rot13()
    secret = rot13("Hello, Wörld!")
    print(secret)
    print(rot13(secret))


if __name__ == "__main__":
    main()
