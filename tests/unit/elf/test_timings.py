"""dlopen of one segment against two and against what gcc links from the same objects, in one run."""

from __future__ import annotations

import _ctypes
import os
import statistics
import time
from pathlib import Path

import pytest

from tests.support.tools import find_tool
from tests.unit.elf import objects as elf_objects

ROUNDS = 400
FUNCTIONS = "".join(f"int f{index}(int a) {{ return a * {index} + 1; }}\n" for index in range(3000))


def open_seconds(path: Path) -> float:
    """Time of one dlopen of a library that is not loaded."""
    with pytest.raises(OSError):
        _ctypes.dlopen(str(path), os.RTLD_NOW | os.RTLD_NOLOAD)
    start = time.perf_counter()
    handle = _ctypes.dlopen(str(path), os.RTLD_NOW)
    elapsed = time.perf_counter() - start
    _ctypes.dlclose(handle)
    return elapsed


@pytest.mark.timing
def test_one_segment_opens_fastest(tmp_path: Path) -> None:
    data = elf_objects.compile_c(tmp_path, FUNCTIONS, "-fvisibility=hidden")
    paths = {"one segment": tmp_path / "1.so", "two segments": tmp_path / "2.so", "gcc": tmp_path / "gcc.so"}
    elf_objects.link(paths["one segment"], [data])
    elf_objects.link(paths["two segments"], [data], segments=2)
    elf_objects.run(find_tool("cc"), "-shared", tmp_path / "source.o", "-o", paths["gcc"])
    samples: dict[str, list[float]] = {name: [] for name in paths}
    for _ in range(ROUNDS):
        for name, path in paths.items():
            samples[name].append(open_seconds(path))
    medians = {name: statistics.median(values) for name, values in samples.items()}
    print({name: f"{value * 1e6:.1f} µs" for name, value in medians.items()})
    assert medians["one segment"] < medians["two segments"] < medians["gcc"]
