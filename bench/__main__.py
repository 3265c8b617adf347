"""Every figure against its rivals in one run: ``python -m bench``; ``--help`` lists the options.

``make bench`` and ``wasmartifact bench`` run it. It says which goals are met; a goal that is not met is no failure.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from bench.chart import line_chart, row_chart
from bench.figures import Figure, figure_table
from bench.timing import duration
from wasmartifact.version import VERSION

#: Each module has ``figures(*, quick: bool) -> list[Figure]``.
BENCHES: Final = {
    "load": "bench.load",
    "exports": "bench.exports",
    "instantiate": "bench.instantiate",
    "calls": "bench.calls",
    "face": "bench.face",
    "components": "bench.components",
    "process": "bench.process",
    "programs": "bench.programs",
    "metadata": "bench.metadata",
    "seed": "bench.seed",
    "kernels": "bench.kernels.__main__",
    "objects": "bench.objects",
    "threads": "bench.threads",
    "fuel": "bench.fuel",
    "deadlines": "bench.deadlines",
    "snapshots": "bench.snapshots",
    "packages": "bench.packages",
    "pack": "bench.pack",
    "first-run": "bench.first_run",
    "executors": "bench.executors",
}
Results = Mapping[str, Sequence[Figure]]


def curves(figures: Sequence[Figure]) -> dict[str, list[tuple[float, float]]]:
    """Ours and every rival's values over the size, of those figures that are points of a curve."""
    points: dict[str, dict[int, float]] = {"wasmartifact": {}}
    for figure in figures:
        if figure.size is not None:
            points["wasmartifact"][figure.size] = figure.ours
            points.setdefault(figure.rival_name, {})[figure.size] = figure.rival
    return {name: sorted(line.items()) for name, line in points.items()}


def chart(figures: Sequence[Figure]) -> str:
    """Load time over the module's size, as SVG."""
    return line_chart(
        "Load time over module size", "functions, all exported", "median load time", curves(figures), duration
    )


def contestants(figures: Sequence[Figure]) -> dict[str, dict[str, float]]:
    """Ours and every rival's value by what was measured."""
    rows: dict[str, dict[str, float]] = {}
    for figure in figures:
        rows.setdefault(figure.name, {"wasmartifact": figure.ours})[figure.rival_name] = figure.rival
    return rows


def calls_chart(figures: Sequence[Figure]) -> str:
    """Time of one call of each kind, as SVG."""
    return row_chart("Calls between Python and WebAssembly", "median time of one", contestants(figures), duration)


#: Bench -> its plot, which has the bench's name.
CHARTS: Final = {"load": chart, "calls": calls_chart}


def as_json(results: Results) -> dict[str, Any]:
    """Everything that a later comparison needs."""
    return {
        "wasmartifact": VERSION,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "figures": [
            {
                "bench": bench,
                **asdict(figure),
                "ratio": figure.ratio,
                "goal_met": figure.meets(figure.goal),
                "stretch_met": figure.meets(figure.stretch),
            }
            for bench, figures in results.items()
            for figure in figures
        ],
    }


def summary(results: Results) -> str:
    """One line: how many goals are met."""
    answers = [figure.meets(figure.goal) for figures in results.values() for figure in figures]
    return f"{answers.count(True)} of {len(answers) - answers.count(None)} goals are met."


def run(names: Sequence[str], *, quick: bool) -> dict[str, list[Figure]]:
    """Figures by bench, in the order of BENCHES; says on standard error what it does."""
    results = {}
    for name, module in BENCHES.items():
        if name in names:
            start = time.perf_counter()
            print(f"bench: {name} ...", end="", file=sys.stderr, flush=True)
            results[name] = import_module(module).figures(quick=quick)
            print(f" {time.perf_counter() - start:.0f} s", file=sys.stderr)
    return results


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write."""
    available = [name for name, module in BENCHES.items() if find_spec(module) is not None]
    parser = argparse.ArgumentParser(prog="bench", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only",
        nargs="+",
        choices=available,
        default=available,
        metavar="NAME",
        help="run these: " + ", ".join(available),
    )
    parser.add_argument("--quick", action="store_true", help="few samples and small modules, to see that all runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    parser.add_argument(
        "--svg",
        type=Path,
        metavar="FILE",
        help="write a plot of load time over module size; into a folder: of calls, too",
    )
    options = parser.parse_args(arguments)
    if options.svg and not options.svg.is_dir() and options.svg.suffix != ".svg":
        parser.error(f"--svg is {options.svg}, expected a folder that exists, or a file whose name ends in .svg")
    plotted = [name for name in CHARTS if options.svg and (name == "load" or options.svg.is_dir())]
    for name in plotted:
        if name not in options.only:
            parser.error(f"--svg plots the figures of {name}: add it to --only")
    results = run(options.only, quick=options.quick)
    print(figure_table([figure for figures in results.values() for figure in figures]))
    print(f"\nMedians of interleaved samples of one run; a ratio is ours / rival's. {summary(results)}")
    if options.json:
        options.json.write_text(json.dumps(as_json(results), indent=2) + "\n")
    for name in plotted:
        path = options.svg / f"{name}.svg" if options.svg.is_dir() else options.svg
        path.write_text(CHARTS[name](results[name]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
