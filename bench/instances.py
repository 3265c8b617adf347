"""Instantiating: QuickJS against wasmtime-py, and large modules against small ones; each row a ratio within one run.

``python -m bench.instances``. A sample is making and dropping one instance with host functions for all imports.
wasmtime-py makes its host functions once, in a Linker, and a store for each instance, as ours does by itself.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import wasmtime

import wasmartifact as wa
from bench import quickjs
from bench.timing import comparison, duration, table

SAMPLES: Final = 300
ROUNDS: Final = 7
PAGE: Final = 65536
#: What grows, how the module's text is made of a size, the small and the large size.
GROWING: Final[tuple[tuple[str, Callable[[int], str], int, int], ...]] = (
    ("bytes of data", lambda size: f"(memory {size // PAGE + 1}) {_segments(size)}", PAGE, PAGE << 10),
    ("table elements", lambda size: f"(func $f) (table funcref (elem {'$f ' * size}))", 10, 100_000),
    ("functions", lambda size: " ".join(f"(func (result i32) (i32.const {n}))" for n in range(size)), 10, 10_000),
)


def _segments(size: int) -> str:
    text = "x" * PAGE
    return " ".join(f'(data (i32.const {offset}) "{text}")' for offset in range(0, size, PAGE))


def median_ns(make: Callable[[], object]) -> float:
    """Nanoseconds of making and dropping one."""
    durations = []
    for _ in range(SAMPLES):
        start = time.perf_counter_ns()
        make()
        durations.append(time.perf_counter_ns() - start)
    return statistics.median(durations)


def compare(first: Callable[[], object], second: Callable[[], object]) -> tuple[float, float]:
    """Medians of both in the round whose ratio is the median: rounds alternate, so that load meets both."""
    rounds = [(median_ns(first), median_ns(second)) for _ in range(ROUNDS)]
    return sorted(rounds, key=lambda pair: pair[0] / pair[1])[ROUNDS // 2]


def pack_and_load(source: Path | bytes, directory: Path) -> wa.Artifact:
    """An artifact packed at the fastest level: no compiled code runs in a sample."""
    path = directory / f"{len(list(directory.iterdir()))}.so"
    wa.pack(source, path, opt_level=0)
    return wa.load(path)


def quickjs_rows(directory: Path) -> list[tuple[str, ...]]:
    """QuickJS, with the imports given each time and resolved once, against wasmtime-py."""
    functions = quickjs.QuickJs().imports()
    engine = wasmtime.Engine()
    module = wasmtime.Module.from_file(engine, str(quickjs.module_path()))
    linker = wasmtime.Linker(engine)
    for row in module.imports:
        assert isinstance(row.type, wasmtime.FuncType) and row.name is not None
        linker.define_func(row.module, row.name, row.type, functions[row.name])
    artifact = pack_and_load(quickjs.module_path(), directory)
    imports = {quickjs.WASI_MODULE: functions}
    linked = artifact.link(imports)
    ways: tuple[tuple[str, Callable[[], object]], ...] = (
        ("QuickJS, instantiate(imports)", lambda: artifact.instantiate(imports)),
        ("QuickJS, linked.instantiate()", linked.instantiate),
    )
    rows: list[tuple[str, ...]] = []
    for name, ours in ways:
        mine, rival = compare(ours, lambda: linker.instantiate(wasmtime.Store(engine), module))
        rows.append((name, duration(mine), duration(rival), comparison(rival / mine)))
    return rows


def growing_rows(directory: Path) -> list[tuple[str, ...]]:
    """A module with much of something against one with little of it."""
    rows: list[tuple[str, ...]] = []
    for name, text, few, many in GROWING:
        small, large = (
            pack_and_load(bytes(wasmtime.wat2wasm(f"(module {text(size)})")), directory) for size in (few, many)
        )
        mine, rival = compare(large.instantiate, small.instantiate)
        rows.append((f"{many:,} {name} against {few:,}", duration(mine), duration(rival), f"{mine / rival:.2f} times"))
    return rows


def main() -> int:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="wasmartifact-instances-") as name:
        rows = quickjs_rows(Path(name)) + growing_rows(Path(name))
    print(table(("instantiate and drop", "this", "against", "ratio"), rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
