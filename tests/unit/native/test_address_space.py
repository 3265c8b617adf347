"""Memories that can't be had: the error names what ran out, and advice that helps.

Linux says ENOMEM for all of it (mmap(2): address space, RLIMIT_AS, number of mappings). Each is brought about here in a
process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import wasmartifact as wa
from tests.unit.runtime.harness import packed

TIMEOUT_S = 120
#: A sanitizer maps memory for itself where a test leaves none.
NEEDS_MEMORY = pytest.mark.skipif("ASAN_OPTIONS" in os.environ, reason="a sanitizer needs mappings of its own")
GUARDED_BYTES = (8 << 30) + (64 << 10)  # what a 32-bit memory reserves
PREAMBLE = """
import mmap, resource, sys
import wasmartifact as wa
linked = wa.load(sys.argv[1]).link({})
kept = [linked.instantiate()]
try:
    wa.Memory(1 << 30, memory64=True)  # an error beforehand, so that the one below imports nothing
except wa.LoadError:
    pass
ANONYMOUS = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
spare = [(object(), bytearray(1000)) for _ in range(100_000)]  # pages of Python's allocator and of malloc's
pinned = spare[::1000]  # so that what these lie in stays the process's

def fill():
    while True:
        try:
            kept.append(linked.instantiate())
        except wa.LoadError as error:
            return error
        except MemoryError:  # an allocator found none
            if not spare:
                raise
            spare.clear()

"""
LIMITED = """
taken = int(open("/proc/self/statm").read().split()[0]) * mmap.PAGESIZE
resource.setrlimit(resource.RLIMIT_AS, (taken + (20 << 30),) * 2)
error = fill()
print(type(error).__name__, error.error, error.found == taken + (20 << 30), error.expected)
print(error)
"""
FULL = """
held, size = [], 1 << 46
while size >= 1 << 40:
    try:
        held.append(mmap.mmap(-1, size, flags=ANONYMOUS, prot=0))
    except OSError:
        size >>= 1
error = fill()
print(type(error).__name__, error.error, error.found == len(kept), error.expected)
print(error)
kept.pop()
kept.append(linked.instantiate())
"""
MAPPINGS = """
held = []
try:
    while True:  # neighbours that differ are not merged
        held.append(mmap.mmap(-1, mmap.PAGESIZE, flags=ANONYMOUS, prot=len(held) % 2 * mmap.PROT_READ))
except OSError:
    del held[len(held) - int(sys.argv[2]) :]
error = fill()
del held
print(type(error).__name__, error.error)
print(error)
"""


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("memory") / "memory.so"
    wa.pack(b"\0asm\1\0\0\0\5\3\1\0\1", path, opt_level=0)  # one memory of one page
    return path


def run(program: str, artifact: Path, *arguments: str) -> tuple[list[str], str]:
    """The facts and the words that a program prints."""
    command = [sys.executable, "-c", PREAMBLE + program, str(artifact), *arguments]
    made = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert made.returncode == 0, made.stderr
    facts, words = made.stdout.splitlines()
    return facts.split(), words


@NEEDS_MEMORY
def test_limit_on_virtual_memory(artifact: Path) -> None:
    facts, words = run(LIMITED, artifact)
    assert facts == ["IncompatibleHost", "address_space", "True", str(GUARDED_BYTES)]
    assert "ulimit -v" in words


@NEEDS_MEMORY
def test_full_address_space(artifact: Path) -> None:
    facts, words = run(FULL, artifact)
    assert facts == ["LoadError", "address_space_full", "True", str(GUARDED_BYTES)]
    assert "ulimit" not in words and "no free range" in words


@NEEDS_MEMORY
@pytest.mark.parametrize("free", [0, 1])
def test_too_many_mappings(artifact: Path, free: int) -> None:
    """A memory takes two mappings: none is free for the range, or none for its accessible part."""
    limit = int(Path("/proc/sys/vm/max_map_count").read_text())
    if limit > 1 << 17:
        pytest.skip(f"vm.max_map_count is {limit}: reaching it takes too long")
    facts, words = run(MAPPINGS, artifact, str(free))
    assert facts == ["LoadError", "mappings"]
    assert "vm.max_map_count" in words


@pytest.mark.parametrize(
    ("wat", "error", "found", "expected", "words"),
    [
        ('(module (table (export "t") 10000001 funcref))', "table_limit", 10_000_001, 10_000_000, "10000000 elements"),
        ("(module (memory i64 1048577))", "memory_limit", 1_048_577, 1 << 20, "1048576 pages"),
    ],
)
def test_limits_of_the_runtime(wat: str, error: str, found: int, expected: int, words: str) -> None:
    with pytest.raises(wa.LoadError, match=words) as caught:
        wa.load(packed(wat)).instantiate()
    assert type(caught.value) is wa.LoadError
    facts = caught.value.facts
    assert (facts["error"], facts["found"], facts["expected"]) == (error, found, expected)
    assert "memory" not in str(caught.value) or "table" not in wat


def test_limits_of_the_host_made() -> None:
    with pytest.raises(wa.LoadError, match="281474976710656 pages is more than is supported, 1048576"):
        wa.Memory(1 << 48, memory64=True)
