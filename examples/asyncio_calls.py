"""Calls that take long, in an asyncio program: they run on a thread, without the GIL, and the event loop goes on.

A store takes one thread at a time, so calls that shall run side by side have instances of their own.
"""

from __future__ import annotations

import asyncio

import wasmartifact as wa

WAT = b"""
(module
  ;; Number of primes below `limit`, by trial division.
  (func (export "primes") (param $limit i32) (result i32)
    (local $number i32) (local $divisor i32) (local $found i32)
    (local.set $number (i32.const 2))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $number) (local.get $limit)))
        (local.set $divisor (i32.const 2))
        (block $composite
          (loop $try
            (if (i32.le_u (i32.mul (local.get $divisor) (local.get $divisor)) (local.get $number))
              (then
                (br_if $composite (i32.eqz (i32.rem_u (local.get $number) (local.get $divisor))))
                (local.set $divisor (i32.add (local.get $divisor) (i32.const 1)))
                (br $try))))
          (local.set $found (i32.add (local.get $found) (i32.const 1))))
        (local.set $number (i32.add (local.get $number) (i32.const 1)))
        (br $next)))
    (local.get $found)))
"""


async def heartbeat(beats: list[float]) -> None:
    """Notes the loop's time every millisecond: a blocked loop would note nothing."""
    while True:
        beats.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.001)


async def main() -> None:
    """Two counts side by side, and a loop that stays alive."""
    linked = wa.compile(WAT).link()
    loop = asyncio.get_running_loop()
    beats: list[float] = []
    beating = asyncio.create_task(heartbeat(beats))
    limits = (100_000, 1_000_000)
    counts = await asyncio.gather(
        *(loop.run_in_executor(None, linked.instantiate().exports["primes"], limit) for limit in limits)
    )
    beating.cancel()
    for limit, count in zip(limits, counts, strict=True):
        print(f"primes below {limit:,}: {count:,}")
    print("the loop went on:", len(beats) > 1)


if __name__ == "__main__":
    asyncio.run(main())
