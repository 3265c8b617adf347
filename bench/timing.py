"""What the benchmarks share: load samples that prove themselves, interleaved medians, the C floor, a text table."""

from __future__ import annotations

import _ctypes
import gc
import os
import subprocess
import time
import timeit
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

SOURCE = Path(__file__).with_name("floor.c")


def is_mapped(path: Path) -> bool:
    """Whether any part of the file is mapped into this process (/proc/self/maps)."""
    return str(path.resolve()) in Path("/proc/self/maps").read_text()


def is_loaded(path: Path) -> bool:
    """Whether the dynamic loader holds the file: a dlopen of it would then be a look-up that measures nothing."""
    try:
        _ctypes.dlclose(_ctypes.dlopen(str(path), os.RTLD_NOW | os.RTLD_NOLOAD))
    except OSError:
        return False
    return True


def prove_unmapped(path: Path) -> None:
    """Raise AssertionError where any part of the file is mapped."""
    if is_mapped(path):
        gc.collect()
    assert not is_mapped(path), f"{path} is still mapped: a sample would measure a cache hit"


def sample_ns(path: Path, load: Callable[[Path], Any], samples: int) -> list[int]:
    """Nanoseconds of ``samples`` calls of ``load(path)``, each from an unmapped state and each released again.

    Reading /proc/self/maps empties the processor's caches, which the C floor's loop keeps warm. So it is read before
    and after all samples, and before each of them the dynamic loader itself says that it does not hold the file.
    """
    prove_unmapped(path)
    loaded = load(path)
    assert is_mapped(path), f"{path} is not mapped after a load: samples would measure something else"
    del loaded
    prove_unmapped(path)
    gc.disable()
    try:
        durations = []
        for _ in range(samples):
            assert not is_loaded(path), f"{path} is still loaded: the sample would measure a cache hit"
            start = time.perf_counter_ns()
            loaded = load(path)
            durations.append(time.perf_counter_ns() - start)
            del loaded
    finally:
        gc.enable()
    prove_unmapped(path)
    return durations


def actions_ns(actions: Mapping[str, Callable[[], Any]], samples: int) -> dict[str, float]:
    """Median nanoseconds of each action, by name; they take turns, and dropping what they return is not counted."""
    durations: dict[str, list[int]] = {name: [] for name in actions}
    for action in actions.values():
        action()
    gc.collect()
    gc.disable()
    try:
        for _ in range(samples):
            for name, action in actions.items():
                start = time.perf_counter_ns()
                result = action()
                durations[name].append(time.perf_counter_ns() - start)
                del result
    finally:
        gc.enable()
    gc.collect()
    return {name: median(values) for name, values in durations.items()}


def statements_ns(
    statements: Mapping[str, tuple[str, Mapping[str, Any]]], samples: int, calls: int
) -> dict[str, float]:
    """Median nanoseconds of each statement, by name, in its namespace; they take turns of ``calls`` passes of a loop.

    The loop itself, about 5 ns a pass, counts for all alike.
    """
    timers = {name: timeit.Timer(text, globals=dict(space)) for name, (text, space) in statements.items()}
    durations: dict[str, list[float]] = {name: [] for name in timers}
    for _ in range(samples):
        for name, timer in timers.items():
            durations[name].append(timer.timeit(calls) * 1e9 / calls)
    return {name: median(values) for name, values in durations.items()}


def build_floor(directory: Path) -> Path:
    """Compile the C floor with gcc into the directory. Raises CalledProcessError where gcc fails."""
    program = directory / "floor"
    subprocess.run([os.environ.get("CC", "gcc"), "-O2", "-o", program, SOURCE, "-ldl"], check=True)
    return program


def floor_ns(program: Path, path: Path, samples: int) -> list[int]:
    """Nanoseconds of ``samples`` passes of the C floor over the file."""
    run = subprocess.run([program, path, str(samples)], capture_output=True, text=True, check=True)
    return [int(line) for line in run.stdout.split()]


def duration(nanoseconds: float) -> str:
    """A duration with a unit that suits it: ``17.2 µs``."""
    for unit, scale in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if nanoseconds >= scale:
            return f"{nanoseconds / scale:.3g} {unit}"
    return f"{nanoseconds:.3g} ns"


def comparison(ratio: float) -> str:
    """Us against a rival that takes ``ratio`` times our time: ``3.7x faster``, ``2.0x slower``."""
    return f"{ratio:.1f}x faster" if ratio >= 1 else f"{1 / ratio:.1f}x slower"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Text table: the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]

    def line(row: Sequence[str]) -> str:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        return "  ".join(cells).rstrip()

    return "\n".join([line(header), "  ".join("-" * width for width in widths), *map(line, rows)])
