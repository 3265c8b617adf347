"""The artifact's metadata, used in place, against the same metadata held by serializers and other in-place formats.

Run ``python -m bench.metadata`` (``--help`` for options). Measured is the time from a file on disk (in the page cache)
to the first answer, the code offset of one exported function, and to everything touched once. Each contestant uses its
best means; every answer is checked. Contestants take turns; a figure is the median of the turns' medians.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import median

from bench.contestants import Contestant, Load, OpenMetadata, msgpack_contestant, pickle_contestant
from bench.facts import Facts, Totals, code_offset, numbers, read_facts, texts, totals
from bench.figures import Figure, ratio_text
from bench.rust_contestants import MissingToolchain, build, rust_contestants
from bench.scratch import directory, packed
from bench.synthetic import described_functions
from bench.timing import duration, prove_unmapped, table

FUNCTION_COUNTS = (10, 1_000, 10_000, 100_000)
#: Sizes of the rows that ``python -m bench`` prints.
FIGURE_COUNTS = (1_000, 100_000)
QUICK_COUNTS = (1_000,)
MAX_SAMPLES = 200
FIRST, ALL = "first answer", "everything"
OURS, LOAD, OURS_IN_RUST = "open_metadata", "load", "section in Rust"
#: Rivals that are measured in Rust, hence against our section read by Rust.
RUST_RIVALS = ("bincode", "rkyv", "rkyv checked")


@dataclass
class Subject:
    """One module: its artifact, what is true of it, each contestant's file, and the medians of the turns in ns."""

    functions: int
    artifact: Path
    facts: Facts
    contestants: tuple[Contestant, ...]
    files: dict[str, Path] = field(default_factory=dict)
    sizes_bytes: dict[str, int] = field(default_factory=dict)
    turns: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    @property
    def export(self) -> str:
        """The export that is looked up: in the middle."""
        return f"f{self.functions // 2}"

    def figure(self, contestant: str, measure: str) -> float:
        """Nanoseconds: the median over the turns."""
        return median(self.turns[contestant, measure])


@cache
def contestants(rust: bool) -> tuple[Contestant, ...]:
    """All contestants for which this machine has what they need; a line on standard error for every other one.

    Those in Rust, which take half a minute to build, only on demand.
    """
    found = python_contestants()
    if not rust:
        return tuple(found)
    try:
        found += rust_contestants(build(Path(tempfile.mkdtemp(dir=directory()))))
    except MissingToolchain as problem:
        skip("Rust's bincode and rkyv", str(problem))
    return tuple(found)


def python_contestants() -> list[Contestant]:
    """Those that are read in this process."""
    found: list[Contestant] = [OpenMetadata(), Load(), pickle_contestant()]
    for name, make in (
        ("msgpack", msgpack_contestant),
        ("borsh", _borsh),
        ("flatbuffers", _flatbuffers),
        ("flatdata-py", _flatdata),
    ):
        try:
            found.append(make())
        except ImportError as problem:
            skip(name, f"{problem}: pip install 'wasmartifact[bench]'")
    return found


def skip(name: str, reason: str) -> None:
    """Say that a contestant stays out, and why."""
    print(f"bench.metadata: without {name}: {reason}", file=sys.stderr)


def _borsh() -> Contestant:
    from bench.borsh_rows import Borsh

    return Borsh()


def _flatbuffers() -> Contestant:
    from bench.flatbuffers_rows import FlatBuffers

    return FlatBuffers()


def _flatdata() -> Contestant:
    from bench.flatdata_archive import Flatdata

    return Flatdata()


@cache
def subject(functions: int, *, rust: bool = True) -> Subject:
    """Pack a module with this many functions and let all contestants write its facts; once per process."""
    artifact = packed(f"described {functions}", described_functions(functions))
    folder = Path(tempfile.mkdtemp(dir=directory()))
    made = Subject(functions, artifact, read_facts(artifact), contestants(rust))
    for contestant in made.contestants:
        path = contestant.write(artifact, made.facts, folder)
        made.files[contestant.name], made.sizes_bytes[contestant.name] = path, contestant.size_bytes(path)
    return made


def measure(subject: Subject, measures: Sequence[str], *, rounds: int, turn_ms: float) -> None:
    """Fill the subject's turns, with all contestants taking turns of ``turn_ms`` or three samples."""
    expected_totals = totals(map(sum, numbers(subject.facts)), texts(subject.facts))
    expected_offset = code_offset(subject.facts, subject.export)
    turns = []
    for contestant in subject.contestants:
        path = subject.files[contestant.name]
        if FIRST in measures:
            turns.append((contestant.name, FIRST, _turn(contestant, FIRST, path, expected_offset, subject.export)))
        if ALL in measures:
            turns.append((contestant.name, ALL, _turn(contestant, ALL, path, expected_totals, subject.export)))
    samples = {turn: _samples(turn[2], turn_ms) for turn in turns}
    prove_unmapped(subject.artifact)
    for _ in range(rounds):
        for turn in turns:
            name, measured, take = turn
            subject.turns.setdefault((name, measured), []).append(median(take(samples[turn])))
    prove_unmapped(subject.artifact)


def _turn(
    contestant: Contestant, measured: str, path: Path, expected: int | Totals, export: str
) -> Callable[[int], list[int]]:
    """A function that takes samples and checks the answer."""

    def take(samples: int) -> list[int]:
        found: int | Totals
        if measured == FIRST:
            found, durations = contestant.answers(path, export, samples)
        else:
            found, durations = contestant.touches(path, samples)
        if found != expected:
            raise RuntimeError(f"{contestant.name}, {measured}: {path} says {found}, the artifact {expected}")
        return durations

    return take


def _samples(take: Callable[[int], list[int]], turn_ms: float) -> int:
    """Number of samples that fill a turn; at least three, so that the median leaves out one that was interrupted."""
    return max(3, min(MAX_SAMPLES, int(turn_ms * 1e6 / min(take(2)))))


def figures(*, quick: bool) -> list[Figure]:
    """First answers of ``open_metadata`` and ``load``, and everything touched, against every rival in its language."""
    found = []
    for functions in QUICK_COUNTS if quick else FIGURE_COUNTS:
        made = subject(functions, rust=not quick)
        measure(made, (FIRST, ALL), rounds=3 if quick else 5, turn_ms=5 if quick else 40)
        for rival in made.files:
            if rival in (OURS, LOAD, OURS_IN_RUST):
                continue
            pairs = [(OURS, FIRST), (LOAD, FIRST), (OURS, ALL)]
            if rival in RUST_RIVALS:
                pairs = [(OURS_IN_RUST, FIRST), (OURS_IN_RUST, ALL)]
            found += [
                Figure(
                    f"{ours}, {measured}, {functions:,} functions",
                    made.figure(ours, measured),
                    made.figure(rival, measured),
                    rival,
                )
                for ours, measured in pairs
            ]
    return found


def report(subject: Subject) -> str:
    """The table of one module."""
    rows = []
    for name in subject.files:
        first, everything = subject.figure(name, FIRST), subject.figure(name, ALL)
        ours, load = subject.figure(OURS, FIRST), subject.figure(LOAD, FIRST)
        rows.append(
            (
                name,
                f"{subject.sizes_bytes[name]:,}",
                duration(first),
                ratio_text(first / ours),
                ratio_text(first / load),
                duration(everything),
                ratio_text(everything / subject.figure(OURS, ALL)),
            )
        )
    header = (f"{subject.functions:,} functions", "bytes", FIRST, f"/ {OURS}", f"/ {LOAD}", ALL, f"/ {OURS}")
    return table(header, rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(prog="bench.metadata", description="metadata in place against serializers")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contestant (default 5)")
    parser.add_argument("--turn-ms", type=float, default=40, help="milliseconds of a turn (default 40)")
    parser.add_argument("--functions", type=int, nargs="+", default=FUNCTION_COUNTS, help="sizes of the modules")
    options = parser.parse_args(arguments)
    for functions in options.functions:
        made = subject(functions)
        measure(made, (FIRST, ALL), rounds=options.rounds, turn_ms=options.turn_ms)
        print(report(made), end="\n\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
