"""Uses all CPUs: a pool of threads, each with an instance of its own, since one thread at a time runs inside a store.

Imports are resolved once (`artifact.link`); then making an instance looks nothing up. Calls run without the GIL, so
they run in parallel.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import wasmartifact as wa

WAT = b"""
(module
  (memory (export "memory") 17)
  ;; CRC-32 of `size` bytes at 0, bit by bit.
  (func (export "crc32") (param $size i32) (result i32)
    (local $crc i32) (local $at i32) (local $bit i32)
    (local.set $crc (i32.const -1))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $size)))
        (local.set $crc (i32.xor (local.get $crc) (i32.load8_u (local.get $at))))
        (local.set $bit (i32.const 8))
        (loop $bits
          (local.set $crc
            (i32.xor
              (i32.shr_u (local.get $crc) (i32.const 1))
              (i32.and (i32.const 0xEDB88320) (i32.sub (i32.const 0) (i32.and (local.get $crc) (i32.const 1))))))
          (br_if $bits (local.tee $bit (i32.sub (local.get $bit) (i32.const 1)))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (i32.xor (local.get $crc) (i32.const -1))))
"""
CHUNK_BYTES = 1 << 20


class Checksums:
    """CRC-32 of many pieces of data, in as many threads as asked for."""

    def __init__(self, threads: int) -> None:
        self._linked = wa.compile(WAT).link()
        self._own = threading.local()
        self._pool = ThreadPoolExecutor(threads)

    def _crc32(self, data: bytes) -> int:
        """Runs in a thread of the pool, in the thread's own instance."""
        if not hasattr(self._own, "exports"):
            self._own.exports = self._linked.instantiate().exports
        exports = self._own.exports
        exports["memory"][0 : len(data)] = data
        checksum: int = exports["crc32"](len(data))
        return checksum & 0xFFFFFFFF  # results are signed

    def all(self, pieces: Sequence[bytes]) -> list[int]:
        """The checksums, in the order of the pieces; each has CHUNK_BYTES at most."""
        return list(self._pool.map(self._crc32, pieces))


def main() -> None:
    """Eight pieces on four threads."""
    pieces = [bytes([number]) * CHUNK_BYTES for number in range(8)]
    for number, checksum in enumerate(Checksums(threads=4).all(pieces)):
        print(f"{number}: {checksum:08x}")


if __name__ == "__main__":
    main()
