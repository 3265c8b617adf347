"""Litmus tests: what threads may see of each other's writes to a shared memory, and what never.

``python -m tests.litmus [--rounds N] [--opt-level L ...]`` runs each N times and prints how often each
outcome came; exits with 1 where one came that the memory model of the threads proposal forbids. The last test has plain
accesses in the place of atomic ones: what it shows is that this machine, and this program, can tell the difference.

The threads of a test go through the rounds of a batch side by side, each round with numbers of its own in cache lines
of their own. Before each they look for each other for a moment, so that they do it at the same time where each has a
CPU. Between batches they meet, by wait and notify, and the first one counts and clears.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, Final

import wasmartifact as wa

#: Rounds of a batch.
BATCH: Final = 256
#: Bytes of a round: x at 0, y at 64, results of four bytes from 128 on, how many threads are there at 176.
ROUND_BYTES: Final = 192
#: So often a thread looks whether the others are there.
LOOKS: Final = 1000
#: Where the first round is, behind what the threads meet at; where outcomes are counted.
ROUNDS_AT: Final = 4096
COUNTS_AT: Final = 256


@dataclass(frozen=True)
class Litmus:
    """A test: what each thread does, as text, and the outcomes that must not come.

    A register holds 0 or 1. An outcome is the registers of a round, in order.
    """

    threads: tuple[str, ...]
    forbidden: frozenset[str]
    registers: int = 2


def _outcome(index: int, text: str) -> str:
    return f"(i32.store (i32.add (local.get $at) (i32.const {128 + 4 * index})) {text})"


_X, _Y = "(local.get $at)", "(i32.add (local.get $at) (i32.const 64))"


def _write(place: str, atomic: bool = True) -> str:
    return f"(i32.{'atomic.' if atomic else ''}store {place} (i32.const 1))"


def _read(place: str, atomic: bool = True) -> str:
    return f"(i32.{'atomic.' if atomic else ''}load {place})"


def _exchange(place: str) -> str:
    return f"(i32.atomic.rmw.xchg {place} (i32.const 1))"


TESTS: Final[Mapping[str, Litmus]] = {
    # What was written before the flag is there when the flag is.
    "message passing": Litmus(
        (_write(_X, atomic=False) + _write(_Y), _outcome(0, _read(_Y)) + _outcome(1, _read(_X, atomic=False))),
        frozenset({"10"}),
    ),
    "message passing by exchange": Litmus(
        (
            _write(_X, atomic=False) + f"(drop {_exchange(_Y)})",
            _outcome(0, f"(i32.atomic.rmw.cmpxchg {_Y} (i32.const 1) (i32.const 1))")
            + _outcome(1, _read(_X, atomic=False)),
        ),
        frozenset({"10"}),
    ),
    # One of both writes came first.
    "store buffering": Litmus(
        (_write(_X) + _outcome(0, _read(_Y)), _write(_Y) + _outcome(1, _read(_X))), frozenset({"00"})
    ),
    "store buffering by exchange": Litmus(
        (f"(drop {_exchange(_X)})" + _outcome(0, _read(_Y)), f"(drop {_exchange(_Y)})" + _outcome(1, _read(_X))),
        frozenset({"00"}),
    ),
    # No value comes from a write that its reader caused.
    "load buffering": Litmus(
        (_outcome(0, _read(_X)) + _write(_Y), _outcome(1, _read(_Y)) + _write(_X)), frozenset({"11"})
    ),
    # Independent reads of independent writes: all see them in one order.
    "IRIW": Litmus(
        (
            _write(_X),
            _write(_Y),
            _outcome(0, _read(_X)) + _outcome(1, _read(_Y)),
            _outcome(2, _read(_Y)) + _outcome(3, _read(_X)),
        ),
        frozenset({"1010"}),
        registers=4,
    ),
    # Reads of one place see its writes in order.
    "coherence": Litmus((_write(_X), _outcome(0, _read(_X)) + _outcome(1, _read(_X))), frozenset({"10"})),
    # Of two exchanges one comes first.
    "exchange": Litmus((_outcome(0, _exchange(_X)), _outcome(1, _exchange(_X))), frozenset({"00", "11"})),
}
PLAIN: Final = Litmus(
    (
        _write(_X, atomic=False) + _outcome(0, _read(_Y, atomic=False)),
        _write(_Y, atomic=False) + _outcome(1, _read(_X, atomic=False)),
    ),
    frozenset(),
)


def module_text(litmus: Litmus) -> str:
    """A module that exports ``run(thread, batches)``, which is to be called once for each thread."""
    count = len(litmus.threads)
    outcome = reduce(
        lambda other, register: f"(i32.or {other} {register})",
        (
            f"(i32.shl (i32.load (i32.add (local.get $at) (i32.const {128 + 4 * index}))) (i32.const {index}))"
            for index in range(litmus.registers)
        ),
    )
    loops = "".join(
        f"""(func $thread{index} (param $at i32) (local $left i32) (local $looks i32)
          (local.set $left (i32.const {BATCH}))
          (loop $next
            (drop (i32.atomic.rmw.add offset=176 (local.get $at) (i32.const 1)))
            (local.set $looks (i32.const {LOOKS}))
            (loop $look
              (local.set $looks (i32.sub (local.get $looks) (i32.const 1)))
              (br_if $look (i32.and
                (i32.ne (local.get $looks) (i32.const 0))
                (i32.lt_u (i32.atomic.load offset=176 (local.get $at)) (i32.const {count})))))
            {body}
            (local.set $at (i32.add (local.get $at) (i32.const {ROUND_BYTES})))
            (br_if $next (local.tee $left (i32.sub (local.get $left) (i32.const 1))))))"""
        for index, body in enumerate(litmus.threads)
    )
    calls = "".join(
        f"(if (i32.eq (local.get $thread) (i32.const {index})) (then (call $thread{index} (i32.const {ROUNDS_AT}))))"
        for index in range(count)
    )
    return f"""(module (import "env" "memory" (memory 2 2 shared)) {loops}
      ;; All threads meet: 0 is how many came, 64 how often all of them did.
      (func $meet (local $times i32) (local $spins i32)
        (local.set $times (i32.atomic.load (i32.const 64)))
        (if (i32.eq (i32.atomic.rmw.add (i32.const 0) (i32.const 1)) (i32.const {count - 1}))
          (then
            (i32.atomic.store (i32.const 0) (i32.const 0))
            (drop (i32.atomic.rmw.add (i32.const 64) (i32.const 1)))
            (drop (memory.atomic.notify (i32.const 64) (i32.const -1))))
          (else
            (loop $again
              (if (i32.eq (i32.atomic.load (i32.const 64)) (local.get $times))
                (then
                  (if (i32.gt_u (local.tee $spins (i32.add (local.get $spins) (i32.const 1))) (i32.const 500))
                    (then (drop (memory.atomic.wait32 (i32.const 64) (local.get $times) (i64.const -1)))))
                  (br $again)))))))
      (func $count (local $at i32) (local $left i32) (local $place i32)
        (local.set $at (i32.const {ROUNDS_AT}))
        (local.set $left (i32.const {BATCH}))
        (loop $next
          (local.set $place (i32.add (i32.const {COUNTS_AT}) (i32.shl {outcome} (i32.const 3))))
          (i64.store (local.get $place) (i64.add (i64.load (local.get $place)) (i64.const 1)))
          (memory.fill (local.get $at) (i32.const 0) (i32.const {ROUND_BYTES}))
          (local.set $at (i32.add (local.get $at) (i32.const {ROUND_BYTES})))
          (br_if $next (local.tee $left (i32.sub (local.get $left) (i32.const 1))))))
      (func (export "run") (param $thread i32) (param $batches i32)
        (loop $again
          (call $meet)
          {calls}
          (call $meet)
          (if (i32.eqz (local.get $thread)) (then (call $count)))
          (br_if $again (local.tee $batches (i32.sub (local.get $batches) (i32.const 1)))))))"""


def run(litmus: Litmus, directory: Path, *, rounds: int, opt_level: int) -> dict[str, int]:
    """Run a test so often, in whole batches.

    Returns
    -------
    dict[str, int]
        How often each outcome came.
    """
    wa.pack(module_text(litmus).encode(), directory / "litmus.so", opt_level=opt_level)
    memory = wa.Memory(2, 2, shared=True)
    linked = wa.load(directory / "litmus.so").link({"env": {"memory": memory}})
    batches = -(-rounds // BATCH)
    with ThreadPoolExecutor(len(litmus.threads)) as pool:
        instances: list[Any] = [linked.instantiate().exports for _ in litmus.threads]
        for done in [pool.submit(one.run, index, batches) for index, one in enumerate(instances)]:
            done.result()
    counts = {}
    for bits in range(1 << litmus.registers):
        start = COUNTS_AT + 8 * bits
        outcome = "".join(str(bits >> index & 1) for index in range(litmus.registers))
        counts[outcome] = int.from_bytes(memory[start : start + 8], "little")
    return counts


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.litmus", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1_000_000, help="of each test; default: a million")
    parser.add_argument("--opt-level", type=int, nargs="+", default=[0, 2], choices=range(4))
    given = parser.parse_args()
    failed = False
    for opt_level in given.opt_level:
        for name, litmus in {**TESTS, "store buffering, plain": PLAIN}.items():
            with tempfile.TemporaryDirectory() as directory:
                counts = run(litmus, Path(directory), rounds=given.rounds, opt_level=opt_level)
            wrong = {outcome for outcome in litmus.forbidden if counts[outcome]}
            failed |= bool(wrong)
            verdict = "WRONG" if wrong else "ok" if litmus.forbidden else ""
            seen = "  ".join(f"{outcome}: {number:,}" for outcome, number in counts.items() if number)
            print(f"level {opt_level}  {name:28}{verdict:7}{seen}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
