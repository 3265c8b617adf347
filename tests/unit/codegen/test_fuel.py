"""Code that counts fuel, for aarch64: run by QEMU without our runtime, with an instance record made by hand."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

import wasmartifact as wa
from tests.support.tools import find_tool
from wasmartifact import schema

LEVELS: Final = range(4)
#: Calls itself, loops, branches and grows nothing: what a kernel does.
SOURCE: Final = """(module
  (memory 1)
  (func $sum (param i32) (result i32) (local i32)
    (loop
      (local.set 1 (i32.add (local.get 1) (local.get 0)))
      (i32.store (i32.const 8) (local.get 1))
      (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 1))
  (func $fib (param i32) (result i32)
    (if (result i32) (i32.lt_s (local.get 0) (i32.const 2))
      (then (local.get 0))
      (else (i32.add
        (call $fib (i32.sub (local.get 0) (i32.const 1)))
        (call $fib (i32.sub (local.get 0) (i32.const 2))))))))"""
#: Maps an artifact's code, calls a function with an empty portion and prints what it gives and what it used.
DRIVER: Final = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
typedef struct { uint64_t portion; uint32_t value; } outcome;
int main(int count, char **words) {
    struct stat status;
    int fd = open(words[1], O_RDONLY);
    fstat(fd, &status);
    uint8_t *file = mmap(0, status.st_size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    uint64_t fuel = 1000000000, before = fuel;
    static uint8_t memory[65536];
    static uint64_t instance[64];
    instance[FUEL / 8] = (uint64_t)&fuel;
    instance[MEMORIES / 8] = (uint64_t)memory;
    outcome (*function)(void *, uint64_t, uint32_t) = (void *)(file + strtoul(words[2], 0, 0));
    outcome got = function(instance, 0, atoi(words[3]));
    printf("%u %lu\n", got.value, (unsigned long)(before - fuel - got.portion));
    return count != 4;
}
"""


@pytest.mark.emulated
@pytest.mark.parametrize("level", LEVELS)
def test_aarch64_counts_alike(level: int, tmp_path: Path) -> None:
    compiler, qemu = (
        find_tool("aarch64-linux-gnu-gcc"),
        shutil.which("qemu-aarch64-static") or find_tool("qemu-aarch64"),
    )
    wa.pack(SOURCE.encode(), tmp_path / "m.so", opt_level=level, target="aarch64", fuel=True)
    with wa.open_metadata(tmp_path / "m.so") as metadata:
        header, _ = metadata.header
        rows = [metadata.columns.value("function.text_offset", index) for index in range(2)]
        memories = header["instance_memories_offset"]
        # One segment, mapped where it lies in the file.
        places = [header["text_vaddr"] + row for row in rows]
    source = tmp_path / "driver.c"
    source.write_text(DRIVER)
    fuel = schema.INSTANCE_HEADER.offsets()["fuel"]
    options = ["-O1", "-static", f"-DFUEL={fuel}", f"-DMEMORIES={memories}"]
    subprocess.run([compiler, *options, "-o", tmp_path / "driver", source], check=True)

    def run(place: int, argument: int) -> list[int]:
        command = [qemu, str(tmp_path / "driver"), str(tmp_path / "m.so"), str(place), str(argument)]
        return [int(word) for word in subprocess.run(command, capture_output=True, check=True).stdout.split()]

    # By the page: 12 operators an iteration; a call of fib: 4 units and 1, or 4 units and 9.
    assert run(places[0], 100_000) == [100_000 * 100_001 // 2 % 2**32, 1 + 12 * 100_000 + 1]
    calls, leaves = 1973, 987
    assert run(places[1], 15) == [610, calls * (1 + 4) + leaves + (calls - leaves) * 9]
