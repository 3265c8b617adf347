"""Packing: CPU time of processes that pack QuickJS at each level, against wasmtime-py's compile; a small module, warm.

``python -m bench.pack [LEVEL ...]`` prints all levels. CPU time counts all processes that take part, with the start of
Python.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import wasmartifact as wa
from bench import scratch
from bench.figures import Figure
from bench.kernels import KERNELS
from bench.quickjs import module_path
from bench.synthetic import exported_functions
from bench.timing import duration, table

PACK = (
    "import sys, wasmartifact as wa; wa.pack(sys.argv[1], sys.argv[2], opt_level=int(sys.argv[3]), incremental=False)"
)
COMPILE = (
    "import sys, wasmtime; from pathlib import Path; "
    "module = wasmtime.Module.from_file(wasmtime.Engine(), sys.argv[1]); "
    "Path(sys.argv[2]).write_bytes(module.serialize())"
)
SMALL_FUNCTIONS = 10
DEFAULT_LEVEL, FASTEST_LEVEL = 2, 0
DISPATCH = next(kernel for kernel in KERNELS if kernel.name == "dispatch")


def cpu_ns(program: str, *arguments: str) -> float:
    """CPU time in ns of a Python program and the processes that it starts. Raises RuntimeError where it fails."""
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", program, *arguments], scratch.child_environment())
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        raise RuntimeError(f"exit status {os.waitstatus_to_exitcode(status)}: {program}")
    return (usage.ru_utime + usage.ru_stime) * 1e9


@dataclass(frozen=True)
class Packing:
    """CPU time in ns and size in bytes, by level, and those of wasmtime's compile and of its .cwasm file."""

    cpu: Mapping[int, float]
    size: Mapping[int, int]
    rival_cpu: float
    rival_size: int


def measure(wasm: Path, directory: Path, levels: Sequence[int], samples: int) -> Packing:
    """Pack and compile in turns, each in a process of its own."""
    output, rival = directory / "packed.so", directory / "compiled.cwasm"
    cpu_ns(COMPILE, str(DISPATCH.wasm), str(rival))  # these two keep the bytecode of what they import
    cpu_ns(PACK, str(DISPATCH.wasm), str(output), "0")
    times: dict[int, list[float]] = {level: [] for level in levels}
    compiles, sizes = [], {}
    for _ in range(samples):
        compiles.append(cpu_ns(COMPILE, str(wasm), str(rival)))
        for level in levels:
            times[level].append(cpu_ns(PACK, str(wasm), str(output), str(level)))
            sizes[level] = output.stat().st_size
    cpu = {level: median(values) for level, values in times.items()}
    return Packing(cpu, sizes, median(compiles), rival.stat().st_size)


def figures(*, quick: bool) -> list[Figure]:
    """CPU time and size at the default and at the fastest level: of QuickJS, or of a kernel where it shall be quick."""
    name, wasm = (DISPATCH.name, DISPATCH.wasm) if quick else ("QuickJS", module_path())
    packing = measure(wasm, scratch.directory(), (DEFAULT_LEVEL, FASTEST_LEVEL), 1 if quick else 3)
    rows = []
    for level, label, goal, stretch, size_goal, size_stretch in (
        (DEFAULT_LEVEL, "default level", 8.0, 6.0, 0.75, 0.6),
        (FASTEST_LEVEL, "level 0", 0.3, 0.1, 1.1, 0.9),
    ):
        what = f"pack, {label}, {name}, CPU time"
        rows.append(Figure(what, packing.cpu[level], packing.rival_cpu, "wasmtime", goal, stretch))
        sizes = packing.size[level], packing.rival_size
        rows.append(Figure(f"artifact, {label}, {name}", *sizes, ".cwasm", size_goal, size_stretch, unit="bytes"))
    return rows


def quickjs_rows(packing: Packing) -> list[tuple[str, ...]]:
    """One row per level: CPU time, its ratio to wasmtime's, size of the artifact and its ratio to the .cwasm file's."""
    rows: list[tuple[str, ...]] = [
        ("wasmtime", duration(packing.rival_cpu), "1.0", f"{packing.rival_size:,}", "1.00"),
    ]
    for level, cpu in packing.cpu.items():
        size = packing.size[level]
        ratios = (f"{cpu / packing.rival_cpu:.1f}", f"{size / packing.rival_size:.2f}")
        rows.append((f"opt_level={level}", duration(cpu), ratios[0], f"{size:,}", ratios[1]))
    return rows


def warm_ns(data: bytes, directory: Path, opt_level: int, samples: int = 15) -> float:
    """Median wall-clock nanoseconds of a pack of a module, once the process is warm."""
    durations = []
    for _ in range(samples + 1):
        start = time.perf_counter_ns()
        wa.pack(data, directory / "small.so", opt_level=opt_level)
        durations.append(time.perf_counter_ns() - start)
    return median(durations[1:])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.pack", description=__doc__.splitlines()[0])
    parser.add_argument("levels", nargs="*", type=int, default=[0, 1, 2, 3], metavar="LEVEL", help="default: 0 1 2 3")
    parser.add_argument("--samples", type=int, default=3, help="processes per level and for wasmtime; default: 3")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        rows = quickjs_rows(measure(module_path(), Path(temporary), options.levels, options.samples))
        small, dispatch = (
            [duration(warm_ns(data, Path(temporary), level)) for level in (FASTEST_LEVEL, DEFAULT_LEVEL)]
            for data in (exported_functions(SMALL_FUNCTIONS), DISPATCH.wasm.read_bytes())
        )
    print(table(("QuickJS", "CPU time", "/ wasmtime", "bytes", "/ .cwasm"), rows))
    print(f"\nIn a warm process, level 0 and the default: {SMALL_FUNCTIONS} functions that return a constant ", end="")
    print(f"{' and '.join(small)}, the kernel {DISPATCH.name} {' and '.join(dispatch)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
