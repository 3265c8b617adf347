"""Looking up exports by name: the first after a load, later distinct ones, and all of them."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

import wasmtime

import wasmartifact as wa
from bench import scratch, synthetic
from bench.figures import Figure
from bench.load import curve_name

COUNT: Final = 100_000
QUICK_COUNT: Final = 1_000
#: Beyond this the rival's exports, quadratic in their number, would take the time of all other benchmarks.
WASMTIME_COUNT: Final = 1_000
FIRST_WITHIN_NS: Final = 10_000
DISTINCT: Final = 500
SEED: Final = 20


def names_of(count: int) -> list[str]:
    """Names of all exports of the module, in its order."""
    return [f"f{index}" for index in range(count)]


def fresh_ns(make: Callable[[], Any], act: Callable[[Any], Any], samples: int) -> float:
    """Median nanoseconds of ``act(make())``; making is not counted."""
    durations = []
    gc.collect()
    gc.disable()
    try:
        for _ in range(samples):
            made = make()
            start = time.perf_counter_ns()
            act(made)
            durations.append(time.perf_counter_ns() - start)
            del made
    finally:
        gc.enable()
    return median(durations)


def loaded(path: Path) -> Callable[[], Any]:
    """What loads and instantiates the artifact."""
    return lambda: wa.load(path).instantiate()


def wasmtime_first_ns(wasm: bytes, name: str, samples: int) -> float:
    """Nanoseconds of the first look-up of an export of wasmtime-py."""
    engine = scratch.wasmtime_engine()
    module = wasmtime.Module(engine, wasm)

    def make() -> tuple[Any, Any]:
        store = wasmtime.Store(engine)
        return store, wasmtime.Instance(store, module, [])

    return fresh_ns(make, lambda made: made[1].exports(made[0])[name], samples)


def later_ns(
    instantiate: Callable[[], Any], as_dict: Mapping[str, Any], distinct: int, samples: int
) -> tuple[float, float]:
    """Nanoseconds per look-up of distinct names after a first one, after a new load each time; and in the dict.

    Each sample chooses names anew, for both sides: the dict would find those of before in the processor's caches.
    """
    numbers, names = random.Random(SEED), list(as_dict)
    ours, rival = [], []
    for _ in range(samples):
        first, *later = numbers.sample(names, distinct)

        def look_up(mapping: Any, later: Sequence[str] = later) -> None:
            for name in later:
                mapping[name]

        def begun(first: str = first) -> Any:
            exports = instantiate().exports
            exports[first]
            return exports

        ours.append(fresh_ns(begun, look_up, 1) / len(later))
        rival.append(fresh_ns(lambda: as_dict, look_up, 1) / len(later))
    return median(ours), median(rival)


def figures(*, quick: bool) -> list[Figure]:
    """First, later, all."""
    count, samples = (QUICK_COUNT, 5) if quick else (COUNT, 101)
    label, names = curve_name(count), names_of(count)
    path = scratch.packed(label, synthetic.exported_functions(count))
    instantiate = loaded(path)
    as_dict, encoded = dict.fromkeys(names), [name.encode() for name in names]
    first_ns = fresh_ns(instantiate, lambda instance: instance.exports[names[-1]], samples)
    some_ns, some_rival_ns = later_ns(instantiate, as_dict, DISTINCT, samples)
    all_ns, all_rival_ns = later_ns(instantiate, as_dict, count, max(samples // 10, 3))
    list_ns = fresh_ns(instantiate, lambda instance: list(instance.exports), max(samples // 5, 3))
    decode_ns = fresh_ns(lambda: encoded, lambda found: [name.decode() for name in found], max(samples // 5, 3))
    few = synthetic.exported_functions(WASMTIME_COUNT)
    few_path = scratch.packed(curve_name(WASMTIME_COUNT), few)
    few_ns = fresh_ns(loaded(few_path), lambda instance: instance.exports["f999"], samples)
    few_rival_ns = wasmtime_first_ns(few, "f999", 1 if quick else 15)
    return [
        Figure(f"first export looked up, {label}", first_ns, FIRST_WITHIN_NS, "fixed limit", 1.0),
        Figure(f"first export looked up, {curve_name(WASMTIME_COUNT)}", few_ns, few_rival_ns, "wasmtime-py"),
        Figure(f"each of {DISTINCT} later exports of {count:,}", some_ns, some_rival_ns, "dict look-up", 20.0),
        Figure(f"each of all later exports of {count:,}", all_ns, all_rival_ns, "dict look-up", 20.0),
        Figure(f"list all names, {label}", list_ns, decode_ns, "decode as many bytes"),
    ]
