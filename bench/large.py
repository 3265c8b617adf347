"""A large module: what packing it costs, and that its artifact is as small and loads as fast as it should.

``python -m bench.large [MODULE.wasm]``; without a module it takes a C++ compiler of PyPI, 26 MB with 35,221 functions.
For the fastest level and the default one it prints time, CPU time and the peak memory of every process of the pack,
what the artifact is made of, its size against wasmtime's .cwasm, and its load time against a tiny artifact's.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import wasmartifact as wa
from bench import synthetic
from bench.figures import Figure, figure_table
from bench.timing import sample_ns
from tests.programs.packages import module_path
from tests.programs.scenario import read_scenarios

DEFAULT_MODULE: Final = "cc1plus"
TINY_FUNCTIONS: Final = 10
WATCH_SECONDS: Final = 0.2
MEMORY_LIMIT_BYTES: Final = 6_000_000_000
#: Minutes that a pack may take on two cores, and its CPU time by that of wasmtime's compiler: goal, stretch.
LIMITS: Final = {0: (5, 0.3, 0.1), 2: (15, 8.0, 6.0)}
#: Columns of the metadata that a large artifact may mostly consist of.
PARTS: Final = {
    "address map": ("address_chunk_key", "address_chunk", "address_chunk_bytes"),
    "source lines": ("source_chunk_key", "source_chunk", "source_chunk_bytes"),
    "custom sections": ("custom_data_bytes",),
}
PACK: Final = """
import os, sys, wasmartifact as wa
from wasmartifact.cli.progress import ProgressBar
with ProgressBar() as bar:
    report = wa.pack(
        sys.argv[1], sys.argv[2], opt_level=int(sys.argv[3]), jobs=int(sys.argv[4]) or None, progress=bar,
        incremental=False,
    )
from wasmartifact.codegen.pool import close_idle_workers
close_idle_workers()  # so that their CPU time counts as that of ended children
print(report.functions, report.text_size_bytes, sum(os.times()[:4]))
"""
SERIALIZE: Final = """
import os, sys, wasmtime
config = wasmtime.Config()
config.wasm_exceptions = True
module = wasmtime.Module.from_file(wasmtime.Engine(config), sys.argv[1])
open(sys.argv[2], "wb").write(module.serialize())
print(sum(os.times()[:4]))
"""


def peaks_bytes(process: subprocess.Popen[str]) -> dict[int, int]:
    """Largest resident memory of a process and of each of its children, by process id; returns when it has ended."""
    peaks: dict[int, int] = {}
    while process.poll() is None:
        for pid in [process.pid, *children(process.pid)]:
            try:
                lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            except (FileNotFoundError, ProcessLookupError):  # it has ended
                continue
            for line in lines:
                if line.startswith("VmHWM:"):  # what the kernel has seen as the peak, whenever that was
                    peaks[pid] = max(peaks.get(pid, 0), int(line.split()[1]) * 1024)
        time.sleep(WATCH_SECONDS)
    return peaks


def children(pid: int) -> list[int]:
    """Processes that a process has started."""
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
        texts = [Path(f"/proc/{pid}/task/{task}/children").read_text() for task in tasks]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(word) for text in texts for word in text.split()]


def run(program: str, *arguments: object) -> tuple[list[str], float, dict[int, int]]:
    """Run a Python program: the words that it prints, wall-clock seconds, peak memory by process."""
    start = time.perf_counter()
    command = [sys.executable, "-c", program, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        words: list[str] = []
        reader = threading.Thread(target=lambda stream: words.extend(stream.read().split()), args=(process.stdout,))
        reader.start()
        peaks = peaks_bytes(process)
        reader.join()
    if process.returncode:
        raise SystemExit(f"exit status {process.returncode}: {command[2]}")
    return words, time.perf_counter() - start, peaks


@dataclass(frozen=True)
class Rivals:
    """What does not depend on the level: wasmtime's compiled module, what it took to make, a tiny artifact."""

    cwasm: Path
    cpu_seconds: float
    peak_bytes: int
    tiny: Path


def composition(artifact: Path, text_bytes: int) -> str:
    """What takes the room in an artifact."""
    with wa.open_metadata(artifact) as metadata:
        sizes = {part: sum(metadata.column(name).nbytes for name in names) for part, names in PARTS.items()}
    rest = artifact.stat().st_size - text_bytes - sum(sizes.values())
    parts = {"machine code": text_bytes, **sizes, "images and the rest": rest}
    return ", ".join(f"{part} {size / 1e6:.1f} MB" for part, size in parts.items())


def pack_figures(module: Path, opt_level: int, jobs: int, rivals: Rivals, folder: Path) -> list[Figure]:
    """Pack at a level; prints what is no ratio."""
    ours = folder / f"level{opt_level}.so"
    (functions, text_bytes, cpu_seconds), seconds, peaks = run(PACK, module, ours, opt_level, jobs)
    print(f"level {opt_level}: {int(functions):,} functions in {seconds:.0f} s, {float(cpu_seconds):.0f} s of CPU")
    print(f"  peak memory of each process: {', '.join(f'{peak / 1e9:.2f} GB' for peak in peaks.values())}")
    print(f"  artifact: {composition(ours, int(text_bytes))}")
    name = f"level {opt_level}"
    minutes, goal, stretch = LIMITS.get(opt_level, (None, None, None))
    figures = [
        Figure(f"{name}: pack, CPU", float(cpu_seconds) * 1e9, rivals.cpu_seconds * 1e9, "wasmtime-py", goal, stretch)
    ]
    if minutes is not None:
        figures.append(Figure(f"{name}: pack, clock", seconds * 1e9, minutes * 60e9, f"{minutes} minutes", 1.0))
    return [
        *figures,
        Figure(f"{name}: largest process", max(peaks.values()), MEMORY_LIMIT_BYTES, "limit", 1.0, unit="bytes"),
        Figure(f"{name}: all processes", sum(peaks.values()), rivals.peak_bytes, "wasmtime-py", 0.7, 0.4, unit="bytes"),
        Figure(f"{name}: artifact", ours.stat().st_size, rivals.cwasm.stat().st_size, ".cwasm", 1.0, 0.6, unit="bytes"),
        load_figure(f"{name}: load", ours, rivals.tiny),
    ]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("module", type=Path, nargs="?")
    parser.add_argument("--opt-levels", type=int, nargs="+", default=[0, 2], choices=range(4), metavar="LEVEL")
    parser.add_argument("--jobs", type=int, default=0, help="compiling processes (default: one per CPU)")
    options = parser.parse_args()
    module = options.module or module_path(read_scenarios()[0][DEFAULT_MODULE])
    with tempfile.TemporaryDirectory(prefix="bench-large-") as temporary:
        folder = Path(temporary)
        cwasm, tiny = folder / "theirs.cwasm", folder / "tiny.so"
        print(f"{module.name}: {module.stat().st_size:,} bytes", flush=True)
        (cpu_seconds,), _, peaks = run(SERIALIZE, module, cwasm)
        wa.pack(synthetic.exported_functions(TINY_FUNCTIONS), tiny, opt_level=0)
        rivals = Rivals(cwasm, float(cpu_seconds), max(peaks.values()), tiny)
        figures = []
        for opt_level in options.opt_levels:
            figures += pack_figures(module, opt_level, options.jobs, rivals, folder)
        print(figure_table(figures))
    return 0


def load_figure(name: str, ours: Path, tiny: Path) -> Figure:
    """Load time against a tiny artifact's, in turns."""
    rounds = [(median(sample_ns(ours, wa.load, 20)), median(sample_ns(tiny, wa.load, 20))) for _ in range(9)]
    large_ns, tiny_ns = (median(values) for values in zip(*rounds, strict=True))
    return Figure(name, large_ns, tiny_ns, f"{TINY_FUNCTIONS} functions", 1.2, 1.05)


if __name__ == "__main__":
    sys.exit(main())
