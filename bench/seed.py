"""The observation that this project began with: deserializing grows with the module, a mapped structure stays flat.

wasmer took 3.5 ms to deserialize a module's metadata and 0.2 ms to map it, even at 100 times the size. Here the same
facts, from a file to the first answer, at a size and at 100 times that size. Run ``python -m bench.seed``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bench.figures import Figure, figure_table
from bench.metadata import FIRST, LOAD, OURS, OURS_IN_RUST, Subject, measure, subject

TIMES = 100
FUNCTIONS, QUICK_FUNCTIONS = 1_000, 10
#: Load's goal, with a look-up on top.
FLAT_GOAL, FLAT_STRETCH = 1.2, 1.05
#: What maps, and what deserializes in the same language.
PAIRS = ((OURS, "pickle"), (OURS, "msgpack"), (OURS_IN_RUST, "bincode"))


def figures(*, quick: bool) -> list[Figure]:
    """Growth of the mapped and of the deserialized metadata, and one against the other at both sizes."""
    functions = QUICK_FUNCTIONS if quick else FUNCTIONS
    small, large = (subject(size, rust=not quick) for size in (functions, TIMES * functions))
    for _ in range(3 if quick else 7):  # the sizes take turns too
        for made in (small, large):
            measure(made, (FIRST,), rounds=1, turn_ms=5 if quick else 40)
    pairs = [pair for pair in PAIRS if pair[1] in small.files]
    mapped = [_growth(name, small, large, FLAT_GOAL, FLAT_STRETCH) for name in (OURS, LOAD)]
    if OURS_IN_RUST in dict(pairs):
        # No goal: in so few microseconds, the page faults of a larger file show.
        mapped.append(_growth(OURS_IN_RUST, small, large))
    deserialized = [_growth(name, small, large) for _, name in pairs]
    against = [
        Figure(
            f"{ours}, first answer, {made.functions:,} functions",
            made.figure(ours, FIRST),
            made.figure(rival, FIRST),
            rival,
        )
        for made in (small, large)
        for ours, rival in pairs
    ]
    return [*mapped, *deserialized, *against]


def _growth(
    name: str, small: Subject, large: Subject, goal: float | None = None, stretch: float | None = None
) -> Figure:
    """A contestant's time at the large size against its own at the small one."""
    return Figure(
        f"{name}, first answer, {large.functions:,} functions",
        large.figure(name, FIRST),
        small.figure(name, FIRST),
        f"{name}, {small.functions:,}",
        goal,
        stretch,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(
        prog="bench.seed", description="mapping against deserializing at 100 times the size"
    )
    parser.add_argument("--quick", action="store_true", help="small modules, few samples")
    options = parser.parse_args(arguments)
    print(figure_table(figures(quick=options.quick)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
