"""What counting fuel costs: the kernels with it against without, ours and wasmtime's, interleaved in one process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import geometric_mean
from typing import Final

import wasmtime

import wasmartifact as wa
from bench import scratch
from bench.figures import Figure
from bench.kernels import KERNELS, Kernel
from bench.kernels.__main__ import Run, check_results, measure, packed_run, wasmtime_run

PLAIN, METERED, WASMTIME, WASMTIME_METERED = "plain", "with fuel", "wasmtime", "wasmtime with fuel"
PLENTY: Final = 1 << 62


def metered_run(kernel: Kernel, directory: Path) -> Run:
    """The kernel packed with fuel, in a store that counts."""
    path = directory / f"{kernel.name}-fuel.so"
    wa.pack(kernel.wasm, path, fuel=True)
    store = wa.Store()
    store.fuel = PLENTY
    run: Run = wa.load(path).instantiate(store=store).exports["run"]
    return run


def metered_wasmtime_run(kernel: Kernel) -> Run:
    """The kernel in wasmtime-py, which counts."""
    config = wasmtime.Config()
    config.consume_fuel = True
    store = wasmtime.Store(wasmtime.Engine(config))
    store.set_fuel(PLENTY)
    instance = wasmtime.Instance(store, wasmtime.Module.from_file(store.engine, str(kernel.wasm)), [])
    function = instance.exports(store)["run"]
    assert isinstance(function, wasmtime.Func)
    return lambda size: function(store, size)


def figures(*, quick: bool) -> list[Figure]:
    """Geometric means over the kernels, of medians; what fuel adds, in nanoseconds for a mean kernel."""
    times = []
    for kernel in KERNELS[:2] if quick else KERNELS:
        directory = scratch.directory()
        runs = {
            PLAIN: packed_run(kernel, directory, 2, "baseline"),
            METERED: metered_run(kernel, directory),
            WASMTIME: wasmtime_run(kernel),
            WASMTIME_METERED: metered_wasmtime_run(kernel),
        }
        check_results(kernel, runs)
        times.append(measure(kernel, runs, 2 if quick else 25))
    return _rows(times)


def _rows(times: Sequence[dict[str, float]]) -> list[Figure]:
    mean = {engine: geometric_mean(row[engine] for row in times) for engine in times[0]}
    # What fuel adds to a kernel that takes a millisecond without.
    ours, theirs = (
        1e6 * max(mean[metered] / mean[plain] - 1, 1e-3)
        for metered, plain in ((METERED, PLAIN), (WASMTIME_METERED, WASMTIME))
    )
    return [
        Figure(f"{len(times)} kernels with fuel, geometric mean", mean[METERED], mean[PLAIN], "without", 1.1, 1.05),
        Figure("what fuel adds to 1 ms of kernels", ours, theirs, "wasmtime's fuel", 0.5, 0.25),
        Figure(f"{len(times)} kernels with fuel", mean[METERED], mean[WASMTIME_METERED], "wasmtime's fuel"),
    ]
