"""Threads on a shared memory: two threads beside one, and atomics that two threads contend for beside those of C11.

Instances that import one shared memory run on threads of Python's, each in a store of its own. Both threads of a pair
work on the same cell, or each on half of the work; what counts is the time until both are done.
"""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import wasmtime

import wasmartifact as wa
from bench import scratch
from bench.figures import Figure
from bench.timing import actions_ns

THREADS: Final = 2
#: Rounds of a loop: each some 100 ms.
STEPS: Final = 80_000_000
CONTENDED: Final = 2_000_000
SAMPLES: Final = 31
#: Two threads do the same work 1.9 times as fast; a contended atomic takes 1.1 of what it takes in C.
SPEED_GOAL, SPEED_STRETCH = 1 / 1.9, 1 / 1.98
ATOMIC_GOAL, ATOMIC_STRETCH = 1.1, 1.0

WAT: Final = """(module
  (import "env" "memory" (memory 1 1 shared))
  (func (export "mix") (param $rounds i32) (local $x i64)
    (local.set $x (i64.const 88172645463325252))
    (loop $next
      (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 13))))
      (local.set $x (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 7))))
      (br_if $next (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (i64.store (i32.const 1024) (local.get $x)))
  (func (export "add") (param $rounds i32)
    (loop $next
      (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))
      (br_if $next (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1))))))
  (func (export "exchange") (param $rounds i32) (local $seen i32)
    (loop $next
      (local.set $seen (i32.atomic.load (i32.const 0)))
      (br_if $next (i32.ne (local.get $seen)
        (i32.atomic.rmw.cmpxchg (i32.const 0) (local.get $seen) (i32.add (local.get $seen) (i32.const 1)))))
      (br_if $next (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1))))))
)"""

C_SOURCE: Final = """
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

static _Alignas(4096) _Atomic int32_t cell;

int32_t value(void) { return cell; }

void add(int32_t rounds) {
    do atomic_fetch_add(&cell, 1);
    while (--rounds);
}

void exchange(int32_t rounds) {
    do {
        int32_t seen = atomic_load(&cell);
        if (!atomic_compare_exchange_strong(&cell, &seen, seen + 1)) rounds++;
    } while (--rounds);
}
"""

Action = Callable[[int], Any]


def c_library() -> ctypes.CDLL | None:
    """The loops in C11; None without gcc. ctypes lets go of the GIL while they run, as calls of guests do."""
    compiler = scratch.compiler()
    if compiler is None:
        return None
    source, library = scratch.directory() / "atomics.c", scratch.directory() / "atomics.so"
    source.write_text(C_SOURCE)
    subprocess.run([compiler, "-std=c11", "-O2", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return ctypes.CDLL(str(library))


def in_pair(pool: ThreadPoolExecutor, actions: list[Action], rounds: int) -> Callable[[], None]:
    """Runs the actions at the same time, and waits for all of them."""
    return lambda: list(pool.map(lambda action: action(rounds), actions)).clear()


def figures(*, quick: bool) -> list[Figure]:
    """Speed of two threads, then contended atomics. Raises AssertionError where an update was lost."""
    scale, samples = (50, 3) if quick else (1, SAMPLES)
    memory = wa.Memory(1, 1, shared=True)
    path = scratch.directory() / "threads.so"
    wa.pack(bytes(wasmtime.wat2wasm(WAT)), path)
    artifact = wa.load(path)
    exports = [artifact.instantiate({"env": {"memory": memory}}).exports for _ in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as pool:
        mixes = [each.mix for each in exports]
        steps = STEPS // scale
        times = actions_ns({"two": in_pair(pool, mixes, steps // THREADS), "one": lambda: mixes[0](steps)}, samples)
        rows = [Figure("two threads", times["two"], times["one"], "one thread", SPEED_GOAL, SPEED_STRETCH)]
        library = c_library()
        if library is None:
            return rows
        rounds = CONTENDED // scale
        for name in ("add", "exchange"):
            ours, theirs = [each[name] for each in exports], [getattr(library, name)] * THREADS
            actions = {"ours": in_pair(pool, ours, rounds), "C": in_pair(pool, theirs, rounds)}
            times = actions_ns(actions, samples)
            rows.append(Figure(f"contended {name}", times["ours"], times["C"], "C11", ATOMIC_GOAL, ATOMIC_STRETCH))
        expected = 2 * (samples + 1) * THREADS * rounds
        assert (memory[:4], library.value()) == (expected.to_bytes(4, "little"), expected)
    return rows
