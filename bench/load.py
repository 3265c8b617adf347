"""Load time against the module's size, the C floor, and ``wasmtime.Module.deserialize_file``, in one run.

Run ``python -m bench.load`` (``--help`` for options). Every sample starts with the file proven unmapped; samples of all
contestants are interleaved in rounds; a figure is the median of the rounds' medians.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import wasmartifact as wa
from bench import quickjs, synthetic
from bench.timing import build_floor, comparison, duration, floor_ns, sample_ns, table

FUNCTION_COUNTS = (10, 1_000, 100_000)


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


def pack_subject(name: str, wasm: bytes, directory: Path, wasmtime_engine: Any = None) -> Subject:
    """Pack a module into the directory, without optimisation: loading does not depend on it."""
    subject = Subject(name, directory / f"{name.replace(' ', '-')}.so")
    wa.pack(wasm, subject.artifact, opt_level=0)
    if wasmtime_engine is not None:
        import wasmtime

        subject.cwasm = subject.artifact.with_suffix(".cwasm")
        subject.cwasm.write_bytes(wasmtime.Module(wasmtime_engine, wasm).serialize())
    return subject


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
                subject.add("wasmtime", sample_ns(subject.cwasm, deserialize, max(samples // 5, 5)))


def report(subjects: Sequence[Subject]) -> str:
    """The table that the command prints."""
    smallest = subjects[0].figure("load")
    rows = []
    for subject in subjects:
        load, floor, rival = (subject.figure(key) for key in ("load", "floor", "wasmtime"))
        rows.append(
            (
                subject.name,
                duration(load),
                duration(floor),
                f"{load / floor:.2f}",
                f"{load / smallest:.2f}",
                duration(rival),
                comparison(rival / load),
            )
        )
    header = ("load", "wasmartifact", "C floor", "/ floor", f"/ {subjects[0].name}", "wasmtime-py", "wasmartifact is")
    return table(header, rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(prog="bench.load", description="load time by ratio: size, C floor, wasmtime-py")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each contestant (default 7)")
    parser.add_argument("--samples", type=int, default=50, help="loads per turn (default 50)")
    parser.add_argument(
        "--functions", type=int, nargs="+", default=FUNCTION_COUNTS, help="sizes of the synthetic modules"
    )
    options = parser.parse_args(arguments)
    import wasmtime

    engine = wasmtime.Engine()
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        subjects = [
            pack_subject(f"{count} functions", synthetic.exported_functions(count), directory, engine)
            for count in options.functions
        ]
        subjects.append(pack_subject("QuickJS", quickjs.module_path().read_bytes(), directory, engine))
        measure(
            subjects,
            build_floor(directory),
            rounds=options.rounds,
            samples=options.samples,
            deserialize=lambda path: wasmtime.Module.deserialize_file(engine, str(path)),
        )
        print(report(subjects))
    return 0


if __name__ == "__main__":
    sys.exit(main())
