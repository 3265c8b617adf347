"""Load time against the module's size, the C floor, and ``wasmtime.Module.deserialize_file``, in one run.

Every sample starts with the file proven unmapped; samples of all contestants are interleaved in rounds; a figure is the
median of the rounds' medians.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

import wasmtime

import wasmartifact as wa
from bench import quickjs, scratch, synthetic
from bench.figures import Figure
from bench.timing import build_floor, floor_ns, sample_ns

TINY_FUNCTIONS: Final = 10
#: As many functions as yosys has.
TOOL_FUNCTIONS: Final = 46_473
#: Exported functions of the modules that make the curve.
CURVE: Final = (TINY_FUNCTIONS, 100, 1_000, 10_000, 100_000)
QUICK_CURVE: Final = (TINY_FUNCTIONS, 1_000)
WASMTIME_SAMPLES: Final = 10


@dataclass
class Subject:
    """One module: its artifact, the serialized module of wasmtime, and the medians of each round in nanoseconds."""

    name: str
    artifact: Path
    cwasm: Path | None = None
    rounds: dict[str, list[float]] = field(default_factory=dict)

    def add(self, contestant: str, samples: list[int]) -> None:
        """Keep the median of one round."""
        self.rounds.setdefault(contestant, []).append(median(samples))

    def figure(self, contestant: str) -> float:
        """Nanoseconds: the median over the rounds."""
        return median(self.rounds[contestant])


def pack_subject(name: str, wasm: bytes, *, against_wasmtime: bool = False) -> Subject:
    """Pack a module, without optimisation: loading does not depend on it."""
    return Subject(name, scratch.packed(name, wasm), scratch.serialized(name, wasm) if against_wasmtime else None)


def measure(
    subjects: Sequence[Subject],
    floor: Path,
    *,
    rounds: int,
    samples: int,
    deserialize: Callable[[Path], Any] | None = None,
) -> None:
    """Fill the subjects' rounds, with all contestants taking turns."""
    for _ in range(rounds):
        for subject in subjects:
            subject.add("floor", floor_ns(floor, subject.artifact, samples))
            subject.add("load", sample_ns(subject.artifact, wa.load, samples))
            if subject.cwasm and deserialize:
                subject.add("wasmtime", sample_ns(subject.cwasm, deserialize, min(samples, WASMTIME_SAMPLES)))


def curve_name(count: int) -> str:
    """What a module of the curve is called."""
    return f"{count:,} exported functions"


def figures(*, quick: bool) -> list[Figure]:
    """The curve, QuickJS and a module with as many functions as yosys: floor, growth, wasmtime."""
    counts = QUICK_CURVE if quick else CURVE
    tool_functions = 500 if quick else TOOL_FUNCTIONS
    curve = [
        pack_subject(curve_name(count), synthetic.exported_functions(count), against_wasmtime=True) for count in counts
    ]
    tool = pack_subject(f"{tool_functions:,} functions", synthetic.tool_like(tool_functions), against_wasmtime=True)
    subjects = [*curve, tool]
    if not quick:
        subjects.append(pack_subject("QuickJS", quickjs.module_path().read_bytes(), against_wasmtime=True))
    engine = scratch.wasmtime_engine()
    measure(
        subjects,
        build_floor(scratch.directory()),
        rounds=3 if quick else 15,
        samples=5 if quick else 50,
        deserialize=lambda path: wasmtime.Module.deserialize_file(engine, str(path)),
    )
    return figures_of(subjects, dict(zip(map(curve_name, counts), counts, strict=True)))


def figures_of(subjects: Sequence[Subject], sizes: Mapping[str, int]) -> list[Figure]:
    """Three kinds of rows of measured subjects; ``sizes`` gives exported functions of those on the curve."""
    #: Goal and stretch against wasmtime, by subject; the second is the one that is shaped like yosys.
    limits = {
        curve_name(TINY_FUNCTIONS): (1 / 0.7, 1.0),
        "QuickJS": (1 / 4, 1 / 6),
        f"{TOOL_FUNCTIONS:,} functions": (1 / 35, 1 / 50),
        curve_name(100_000): (1 / 500, 1 / 1000),
    }
    rows = []
    for subject in subjects:
        name, ours, size = f"load, {subject.name}", subject.figure("load"), sizes.get(subject.name)
        rows.append(Figure(name, ours, subject.figure("floor"), "C floor", 2.0, 1.3, size=size))
    for subject in subjects:
        name, ours, size = f"load, {subject.name}", subject.figure("load"), sizes.get(subject.name)
        goal, stretch = limits.get(subject.name, (None, None))
        rows.append(Figure(name, ours, subject.figure("wasmtime"), "wasmtime-py", goal, stretch, size=size))
    by_size = sorted((size, name) for name, size in sizes.items())
    by_name = {subject.name: subject.figure("load") for subject in subjects}
    (_, smallest), (_, largest) = by_size[0], by_size[-1]
    rows.append(Figure(f"load, {largest}", by_name[largest], by_name[smallest], smallest, 1.2, 1.05))
    return rows
