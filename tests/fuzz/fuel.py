"""The command that compares counts of fuel: ours at every level, and those of rewritten modules under wasmtime.

``python -m tests.fuzz.fuel --modules N --seed S [--target aarch64]``; exits with 1 if any count, or anything else,
differs. With a target, wasmartifact runs in the emulator that ``make test-aarch64`` makes.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Final

import wasmartifact as wa
from tests.aarch64.__main__ import prepare
from tests.fuzz.compare import Difference, Options, Pair, StackExhausted, load
from tests.fuzz.engine import Outcome, Returned, Thrown, Trapped
from tests.fuzz.generate import generate
from tests.fuzz.metering import USED_NAME, meter
from tests.fuzz.plan import Plan, make_plan
from tests.fuzz.reference import Reference, ReferenceModule, Rejected, compile_reference
from tests.fuzz.remote import RemoteSubject
from tests.fuzz.shape import Shape
from tests.fuzz.smith import SmithError
from tests.fuzz.subject import Subject

LEVELS: Final = range(4)
#: More than any call uses.
PLENTY: Final = 1 << 50
#: FORMAT.md: code takes so much at a time.
PORTION: Final = 65_536


class FuelPair(Pair):
    """Compares what calls use as well; ``left`` has modules that count by themselves. ``used`` gathers our counts."""

    left: Reference
    right: Subject | RemoteSubject

    def __init__(
        self, left: Reference, right: Subject | RemoteSubject, shapes: Sequence[Shape], counts: Counter[str]
    ) -> None:
        super().__init__(left, right, shapes, counts)
        self.used: list[int] = []
        self.expected_before = 0
        right.store.fuel = PLENTY

    def _same(self, place: str, left: Outcome, right: Outcome) -> Outcome:
        outcome = super()._same(place, left, right)
        store = self.right.store
        found = PLENTY - (store.fuel or 0)
        store.fuel = PLENTY
        self.used.append(found)
        if ": instantiation" in place and not isinstance(outcome, Returned):
            return outcome  # no instance to ask
        before, self.expected_before = self.expected_before, self._count()
        expected = self.expected_before - before
        if isinstance(outcome, Returned | Thrown) or outcome == Trapped("host"):
            is_right = found == expected
        else:
            is_right = expected <= found < expected + PORTION
        if not is_right:
            raise Difference(f"{place}: {outcome}: expected {expected} units, found {found}")
        self.counts["counts that agree"] += 1
        return outcome

    def _compare_state(self, place: str, *, whole: bool) -> None:
        """Nothing: this is what ``differential`` is for."""
        self.left.trace.clear()
        self.right.trace.clear()

    def _count(self) -> int:
        """What all instances used so far, by their own count."""
        keys = [((module, USED_NAME), "i64") for module in range(len(self.shapes)) if self.left.has(module, USED_NAME)]
        values = self.left.globals(keys)[: len(keys)]
        return sum(value for value in values if isinstance(value, int))


def compare_counts(modules: Sequence[bytes], seed: str, counts: Counter[str], target: str | None = None) -> None:
    """Run a module or a pair at every level. Raises Difference."""
    try:
        references = [compile_reference(meter(data)) for data in modules]
    except Rejected:
        counts["not for wasmtime"] += 1
        return
    shapes = [compile_reference(data).shape for data in modules]
    plan = make_plan(seed, shapes)
    try:
        used = [
            _use(references, modules, shapes, plan, counts, Options(level, target=target, fuel=True))
            for level in LEVELS
        ]
    except wa.UnsupportedModule:
        counts["not compiled"] += 1
        return
    shortest = min(map(len, used))  # a stack is exhausted at another depth at every level
    if any(one[:shortest] != used[0][:shortest] for one in used):
        raise Difference(f"counts by level: {used}")
    counts["modules"] += 1


def _use(
    references: Sequence[ReferenceModule],
    modules: Sequence[bytes],
    shapes: Sequence[Shape],
    plan: Plan,
    counts: Counter[str],
    options: Options,
) -> list[int]:
    """What each action uses at a level."""
    subject = load(modules, options, [shape.imports for shape in shapes])()
    pair = FuelPair(Reference(references), subject, shapes, counts)
    try:
        pair.run(plan, f"level {options.opt_level}")
    except StackExhausted:
        counts["stacks exhausted"] += 1
    return pair.used


def work(seeds: Sequence[str], *, target: str | None = None, progress: bool = False) -> tuple[Counter[str], list[str]]:
    """Compare the modules of these seeds; counts, and what differs."""
    counts, found = Counter[str](), []
    for number, seed in enumerate(seeds, 1):
        try:
            generated = generate(seed, canonical_nans=True)
        except SmithError:
            counts["seeds without a module"] += 1
            continue
        try:
            compare_counts(generated.modules, seed, counts, target)
        except Difference as difference:
            found.append(f"seed {seed} ({generated.origin}): {difference}")
            print(found[-1], flush=True)
        if progress and number % 100 == 0:
            print(f"{number} of {len(seeds)}: {dict(counts)}", flush=True)
    return counts, found


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="tests.fuzz.fuel", description="compare counts of fuel")
    parser.add_argument("--modules", type=int, default=100)
    parser.add_argument("--seed", default="fuel", help="chooses the modules")
    parser.add_argument("--target", choices=["aarch64"], help="emulate this machine")
    given = parser.parse_args(arguments)
    if given.target:
        prepare()
    seeds = [f"{given.seed}/{number}" for number in range(given.modules)]
    counts, found = work(seeds, target=given.target, progress=True)
    for name, count in sorted(counts.items()):
        print(f"{name:40}{count:9}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
