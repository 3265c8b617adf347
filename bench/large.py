"""A large module: what packing it costs, and that its artifact is as small and loads as fast as it should.

``python -m bench.large MODULE.wasm [--opt-level N]`` prints CPU time, wall-clock time, and the peak memory of every
process of the pack, the artifact's size against wasmtime's .cwasm, and its load time against a tiny artifact's.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import Final

import wasmartifact as wa
from bench import synthetic
from bench.figures import Figure, figure_table
from bench.timing import duration, sample_ns

TINY_FUNCTIONS: Final = 10
WATCH_SECONDS: Final = 0.2
PACK: Final = """
import os, sys, wasmartifact as wa
report = wa.pack(sys.argv[1], sys.argv[2], opt_level=int(sys.argv[3]), jobs=int(sys.argv[4]) or None)
from wasmartifact.codegen.pool import close_idle_workers
close_idle_workers()  # so that their CPU time counts as that of ended children
print(report.functions, sum(os.times()[:4]))
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


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("module", type=Path)
    parser.add_argument("--opt-level", type=int, default=2, choices=range(4))
    parser.add_argument("--jobs", type=int, default=0, help="compiling processes (default: one per CPU)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-large-") as temporary:
        ours, theirs, tiny = (Path(temporary) / name for name in ("ours.so", "theirs.cwasm", "tiny.so"))
        (functions, cpu_seconds), seconds, peaks = run(PACK, options.module, ours, options.opt_level, options.jobs)
        (their_cpu_seconds,), _, _ = run(SERIALIZE, options.module, theirs)
        wa.pack(synthetic.exported_functions(TINY_FUNCTIONS), tiny, opt_level=0)
        module_bytes = options.module.stat().st_size
        print(f"{options.module.name}: {module_bytes:,} bytes, {int(functions):,} functions, level {options.opt_level}")
        print(f"pack: {duration(seconds * 1e9)}, {duration(float(cpu_seconds) * 1e9)} of CPU")
        print(f"peak memory of each process: {', '.join(f'{peak / 1e9:.2f} GB' for peak in peaks.values())}")
        print(
            figure_table(
                [
                    Figure("pack, CPU", float(cpu_seconds) * 1e9, float(their_cpu_seconds) * 1e9, "wasmtime-py"),
                    Figure("artifact", ours.stat().st_size, theirs.stat().st_size, ".cwasm", 1.0, 0.6, unit="bytes"),
                    load_figure(ours, tiny),
                ]
            )
        )
    return 0


def load_figure(ours: Path, tiny: Path) -> Figure:
    """Load time against a tiny artifact's, in turns."""
    rounds = [(median(sample_ns(ours, wa.load, 20)), median(sample_ns(tiny, wa.load, 20))) for _ in range(9)]
    large_ns, tiny_ns = (median(values) for values in zip(*rounds, strict=True))
    return Figure("load", large_ns, tiny_ns, f"{TINY_FUNCTIONS} functions", 1.2, 1.05)


if __name__ == "__main__":
    sys.exit(main())
