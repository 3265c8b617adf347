"""Packing by an executor: time over two workers of Dask on this machine, beside as many processes of our own.

The default level, every CPU busy: QuickJS, and yosys, which is downloaded once, where time is no matter. The cluster is
up and its workers are warm, as those of a fleet are.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path
from statistics import median
from typing import Final

from distributed import Client, LocalCluster

import wasmartifact as wa
from bench import scratch, yosys
from bench.figures import Figure
from bench.kernels import KERNELS
from bench.quickjs import module_path

WORKERS: Final = 2
#: How much longer than here it may take.
GOAL: Final = 1.15


def pack_ns(wasm: Path, output: Path, executor: Executor | None) -> float:
    """Wall-clock time in ns of a pack."""
    start = time.perf_counter_ns()
    wa.pack(wasm, output, jobs=WORKERS, executor=executor, incremental=False)
    return time.perf_counter_ns() - start


def modules(*, quick: bool) -> Iterator[tuple[str, Path, int]]:
    """Name, path and number of samples of what is packed."""
    if quick:
        kernel = max(KERNELS, key=lambda one: one.wasm.stat().st_size)
        yield kernel.name, kernel.wasm, 1
        return
    yield "QuickJS", module_path(), 3
    if (path := yosys.module_path()) is not None:
        yield "yosys", path, 1


def figures(*, quick: bool) -> list[Figure]:
    """Both in turns. Raises RuntimeError where the artifacts are not the same."""
    rows = []
    ours, theirs = scratch.directory() / "local.so", scratch.directory() / "remote.so"
    options = {"n_workers": WORKERS, "threads_per_worker": 1, "dashboard_address": None, "host": "127.0.0.1"}
    with LocalCluster(**options) as cluster, Client(cluster) as client:  # type: ignore[no-untyped-call]
        executor = client.get_executor()
        warm = KERNELS[0].wasm
        pack_ns(warm, ours, None)
        pack_ns(warm, theirs, executor)
        for name, wasm, samples in modules(quick=quick):
            local, remote = [], []
            for _ in range(samples):
                local.append(pack_ns(wasm, ours, None))
                remote.append(pack_ns(wasm, theirs, executor))
            if ours.read_bytes() != theirs.read_bytes():
                raise RuntimeError(f"the executor's artifact of {name} is another one")
            rows.append(
                Figure(f"pack over Dask, {name}", median(remote), median(local), "here", None if quick else GOAL)
            )
    return rows
