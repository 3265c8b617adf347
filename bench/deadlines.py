"""What a deadline costs: kernels under one beside wasmtime's epochs, interleaved in one process, and a block of its own for one call."""  # noqa: E501

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import geometric_mean
from typing import Any, Final

import wasmtime

import wasmartifact as wa
from bench import scratch
from bench.figures import Figure
from bench.kernels import KERNELS, Kernel
from bench.kernels.__main__ import Run, check_results, measure, wasmtime_run
from bench.timing import statements_ns

PLAIN, DEADLINE, WASMTIME, EPOCHS = "plain", "deadline", "wasmtime", "wasmtime with epochs"
#: Never reached.
SECONDS: Final = 3600.0
#: What a block of its own may add to a call.
BLOCK_NS: Final = 150.0
WAT: Final = '(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))'


def deadline_run(run: Run, store: wa.Store) -> Run:
    """Each run in a block of its own."""

    def limited(size: int) -> int | float:
        with store.deadline(SECONDS):
            return run(size)

    return limited


def epochs_config() -> wasmtime.Config:
    """Code that looks at the epoch in each loop and function. Who wants deadlines adds a thread that counts epochs."""
    config = wasmtime.Config()
    config.epoch_interruption = True
    return config


def epochs_run(kernel: Kernel) -> Run:
    """The kernel in wasmtime-py, which looks at epochs."""
    store = wasmtime.Store(wasmtime.Engine(epochs_config()))
    store.set_epoch_deadline(1 << 40)
    instance = wasmtime.Instance(store, wasmtime.Module.from_file(store.engine, str(kernel.wasm)), [])
    function = instance.exports(store)["run"]
    assert isinstance(function, wasmtime.Func)
    return lambda size: function(store, size)


def kernel_times(kernel: Kernel, samples: int) -> dict[str, float]:
    """Medians by engine, with results checked."""
    path = scratch.directory() / f"{kernel.name}-deadlines.so"
    wa.pack(kernel.wasm, path)
    instance = wa.load(path).instantiate()
    run: Run = instance.exports["run"]
    runs = {
        PLAIN: run,
        DEADLINE: deadline_run(run, instance.store),
        WASMTIME: wasmtime_run(kernel),
        EPOCHS: epochs_run(kernel),
    }
    check_results(kernel, runs)
    return measure(kernel, runs, samples)


def call_statements() -> Mapping[str, tuple[str, dict[str, Any]]]:
    """One call each: alone, in a block of its own, and in one that is open."""
    artifact = wa.load(scratch.packed("deadlines", bytes(wasmtime.wat2wasm(WAT))))
    instance, inside = artifact.instantiate(), artifact.instantiate()
    block = inside.store.deadline(SECONDS)
    block.__enter__()
    names = {"f": instance.exports["add"], "deadline": instance.store.deadline, "seconds": SECONDS}
    return {
        "alone": ("f(20, 22)", names),
        "block": ("with deadline(seconds): f(20, 22)", names),
        "inside": ("f(20, 22)", {"f": inside.exports["add"], "block": block}),
    }


def figures(*, quick: bool) -> list[Figure]:
    """Geometric means over the kernels, of medians; what a deadline adds; calls."""
    times = [kernel_times(kernel, 2 if quick else 25) for kernel in (KERNELS[:2] if quick else KERNELS)]
    return [*_kernel_rows(times), *_call_rows(quick)]


def _kernel_rows(times: Sequence[dict[str, float]]) -> list[Figure]:
    mean = {engine: geometric_mean(row[engine] for row in times) for engine in times[0]}
    number = f"{len(times)} kernels"
    return [
        Figure(f"{number} under a deadline, geometric mean", mean[DEADLINE], mean[PLAIN], "without", 1.02),
        Figure(f"{number} with wasmtime's epochs, geometric mean", mean[EPOCHS], mean[WASMTIME], "without"),
        Figure(f"{number} under a deadline", mean[DEADLINE], mean[EPOCHS], "wasmtime's epochs"),
    ]


def _call_rows(quick: bool) -> list[Figure]:
    found = statements_ns(call_statements(), 3 if quick else 101, 2_000 if quick else 20_000)
    return [
        Figure("what a deadline block adds to a call", found["block"] - found["alone"], BLOCK_NS, "at most", 1.0),
        Figure("call within a deadline block", found["inside"], found["alone"], "without", 1.02),
    ]
