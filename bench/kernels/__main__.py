"""Kernels: packed code against gcc, clang (the same C, native) and wasmtime-py, interleaved in one process.

``python -m bench.kernels [--opt-level N] [--cpu CPU] [--samples N] [KERNEL ...]``. Exits with 1 where results differ.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import geometric_mean, median
from typing import Final

import wasmtime

import wasmartifact as wa
from bench import scratch
from bench.figures import Figure
from bench.kernels import KERNELS, Kernel, native_command
from bench.timing import duration, table

#: run(size), and what it gives.
Run = Callable[[int], int | float]

COMPILERS: Final = ("gcc", "clang")
OURS, WASMTIME, BEST_NATIVE = "wasmartifact", "wasmtime", "best native"
_CTYPES: Final = {"i32": ctypes.c_int32, "i64": ctypes.c_int64, "f64": ctypes.c_double}


def native_run(kernel: Kernel, directory: Path, compiler: str, options: Sequence[str]) -> Run:
    """The kernel as native code. Raises CalledProcessError where the compiler fails."""
    library = directory / f"{kernel.name}-{Path(compiler).name}.so"
    subprocess.run(native_command(kernel, library, compiler, options), check=True)
    function = ctypes.CDLL(str(library)).run
    function.argtypes = [ctypes.c_int32]
    function.restype = _CTYPES[kernel.result]
    run: Run = function
    return run


def packed_run(kernel: Kernel, directory: Path, opt_level: int, cpu: str) -> Run:
    """The kernel packed and loaded."""
    path = directory / f"{kernel.name}.so"
    wa.pack(kernel.wasm, path, opt_level=opt_level, cpu=cpu)
    run: Run = wa.load(path).instantiate().exports["run"]
    return run


def wasmtime_run(kernel: Kernel) -> Run:
    """The kernel in wasmtime-py."""
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    instance = wasmtime.Instance(store, wasmtime.Module.from_file(engine, str(kernel.wasm)), [])
    function = instance.exports(store)["run"]
    assert isinstance(function, wasmtime.Func)
    return lambda size: function(store, size)


def make_runs(kernel: Kernel, directory: Path, opt_level: int, cpu: str) -> dict[str, Run]:
    """By engine; compilers that are not installed are left out."""
    options = ["-march=native"] if cpu == "native" else []
    runs = {OURS: packed_run(kernel, directory, opt_level, cpu)}
    for compiler in COMPILERS:
        if path := shutil.which(compiler):
            runs[compiler] = native_run(kernel, directory, path, options)
    runs[WASMTIME] = wasmtime_run(kernel)
    return runs


def check_results(kernel: Kernel, runs: Mapping[str, Run]) -> None:
    """Raise ValueError unless all engines agree, to the last bit."""
    results = {engine: run(kernel.size) for engine, run in runs.items()}
    if len({repr(result) for result in results.values()}) > 1:
        raise ValueError(f"{kernel.name}({kernel.size}): {results}")


def measure(kernel: Kernel, runs: Mapping[str, Run], samples: int) -> dict[str, float]:
    """Median nanoseconds of ``run(size)`` by engine. Each sample runs all engines, so that noise hits all alike."""
    durations: dict[str, list[int]] = {engine: [] for engine in runs}
    gc.disable()
    try:
        for _ in range(samples):
            for engine, run in runs.items():
                start = time.perf_counter_ns()
                run(kernel.size)
                durations[engine].append(time.perf_counter_ns() - start)
    finally:
        gc.enable()
    return {engine: median(values) for engine, values in durations.items()}


def ratios(times: Mapping[str, float]) -> dict[str, float]:
    """Our time divided by each rival's, and by the better of the native ones."""
    natives = [times[compiler] for compiler in COMPILERS if compiler in times]
    rivals = {engine: time for engine, time in times.items() if engine != OURS}
    if natives:
        rivals[BEST_NATIVE] = min(natives)
    return {rival: times[OURS] / time for rival, time in rivals.items()}


def report(times: Mapping[str, Mapping[str, float]]) -> str:
    """The table: one row per kernel, the geometric means last."""
    columns = (*COMPILERS, BEST_NATIVE, WASMTIME)
    by_kernel = {name: ratios(row) for name, row in times.items()}
    rows = [
        [name, duration(times[name][OURS]), *(_ratio(row.get(column)) for column in columns)]
        for name, row in by_kernel.items()
    ]
    means = [_mean(row[column] for row in by_kernel.values() if column in row) for column in columns]
    rows.append(["geometric mean", "", *map(_ratio, means)])
    return table(("time / rival's time", OURS, *columns), rows)


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return geometric_mean(found) if found else None


def _ratio(value: float | None) -> str:
    return "not installed" if value is None else f"{value:.2f}"


def figures(*, quick: bool) -> list[Figure]:
    """Geometric means over the kernels, of medians in nanoseconds. Raises ValueError where engines disagree.

    For the baseline, the default of a pack, and for this CPU, which is what wasmtime always compiles for.
    """
    kernels, samples = (KERNELS[:2], 2) if quick else (KERNELS, 25)
    return [
        row
        for level, cpu, note, goals in (
            (2, "baseline", "", ((BEST_NATIVE, 1.08, 1.0), (WASMTIME, 0.82, 0.75))),
            (2, "native", " for this CPU", ((BEST_NATIVE, 1.25, 1.05), (WASMTIME, 0.82, 0.75))),
            (0, "baseline", " at level 0", ((WASMTIME, 1.2, 1.0),)),
        )
        for row in _means(level, cpu, note, goals, kernels, samples)
    ]


def _means(
    opt_level: int,
    cpu: str,
    note: str,
    goals: Sequence[tuple[str, float, float]],
    kernels: Sequence[Kernel],
    samples: int,
) -> list[Figure]:
    """Figures of one way to pack; ``goals`` are (rival, goal, stretch)."""
    times = []
    for kernel in kernels:
        runs = make_runs(kernel, scratch.directory(), opt_level, cpu)
        check_results(kernel, runs)
        times.append(measure(kernel, runs, samples))
    rows = []
    for rival, goal, stretch in goals:
        compared = [row for row in times if rival == WASMTIME or any(compiler in row for compiler in COMPILERS)]
        if compared:
            ours = geometric_mean(row[OURS] for row in compared)
            theirs = geometric_mean(row[OURS] / ratios(row)[rival] for row in compared)
            rows.append(Figure(f"{len(compared)} kernels{note}, geometric mean", ours, theirs, rival, goal, stretch))
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print. Returns 1 where engines disagree."""
    parser = argparse.ArgumentParser(prog="python -m bench.kernels", description=__doc__.splitlines()[0])
    parser.add_argument("kernels", nargs="*", metavar="KERNEL", help="default: all of them")
    parser.add_argument("--opt-level", type=int, default=2, choices=range(4), help="what to pack with; default: 2")
    parser.add_argument(
        "--cpu", default="baseline", help="what to pack for, and whether rivals may use all of this CPU"
    )
    parser.add_argument("--samples", type=int, default=25, help="runs per kernel and engine; default: 25")
    options = parser.parse_args(arguments)
    chosen = [kernel for kernel in KERNELS if kernel.name in options.kernels or not options.kernels]
    if unknown := set(options.kernels) - {kernel.name for kernel in KERNELS}:
        parser.error(f"unknown kernels: {', '.join(sorted(unknown))}; there are {', '.join(k.name for k in KERNELS)}")
    times: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for kernel in chosen:
            runs = make_runs(kernel, Path(temporary), options.opt_level, options.cpu)
            try:
                check_results(kernel, runs)
            except ValueError as error:
                print(f"WRONG: the engines disagree on {error}", file=sys.stderr)
                return 1
            times[kernel.name] = measure(kernel, runs, options.samples)
    print(f"Kernels packed with opt_level={options.opt_level}, cpu={options.cpu}; {options.samples} samples each\n")
    print(report(times))
    return 0


if __name__ == "__main__":
    sys.exit(main())
