"""Where each microsecond of a load goes: the steps of ``wasmartifact.load`` beside what the C floor needs as well.

Run ``python -m bench.steps [FILE.so]`` (by default a module of ten functions, packed for it). A figure is the median of
many loads; the floor is a C program that opens, maps and dlopens the same file.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import tempfile
import time
from _ctypes import dlopen, dlsym
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import wasmartifact as wa
from bench import synthetic
from bench.timing import build_floor, duration, floor_ns, prove_unmapped, sample_ns, table
from wasmartifact import _types as types
from wasmartifact import loader
from wasmartifact.runtime.artifact import Artifact

#: Name of each step, in order.
STEPS = (
    "open",
    "look: fstat, two reads, mmap, checks, checksum",
    "dlopen",
    "dlsym, bind",
    "the Artifact",
)


def step_ns(path: str) -> list[int]:
    """Nanoseconds of each step of one load, which is undone before the return."""
    times = [time.perf_counter_ns()]
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    times.append(time.perf_counter_ns())
    native = types.NativeArtifact(fd, path)
    times.append(time.perf_counter_ns())
    handle = dlopen(path, loader._RTLD_NOW)
    times.append(time.perf_counter_ns())
    fault = native.bind(handle, dlsym(handle, types.ANCHOR_SYMBOL))
    times.append(time.perf_counter_ns())
    artifact = Artifact(native, path)
    times.append(time.perf_counter_ns())
    assert fault is None and artifact.path == path
    return [end - start for start, end in itertools.pairwise(times)]


def report(path: Path, floor: Path, samples: int) -> str:
    """The table that the command prints."""
    prove_unmapped(path)
    steps = [median(step) for step in zip(*(step_ns(str(path)) for _ in range(samples)), strict=True)]
    load = median(sample_ns(path, wa.load, samples))
    floor_time = median(floor_ns(floor, path, samples))
    rows = [
        (name, duration(time_ns), f"{time_ns / floor_time:.2f}") for name, time_ns in zip(STEPS, steps, strict=True)
    ]
    rows += [("load", duration(load), f"{load / floor_time:.2f}"), ("C floor", duration(floor_time), "1.00")]
    return table(("step", "time", "/ floor"), rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(prog="bench.steps", description="the steps of a load, by time")
    parser.add_argument("artifact", nargs="?", type=Path, help="an artifact (default: a module of ten functions)")
    parser.add_argument("--samples", type=int, default=500, help="loads per figure (default 500)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        path = options.artifact
        if path is None:
            path = Path(temporary) / "ten.so"
            wa.pack(synthetic.exported_functions(10), path, opt_level=0)
        print(report(path.resolve(), build_floor(Path(temporary)), options.samples))
    return 0


if __name__ == "__main__":
    sys.exit(main())
