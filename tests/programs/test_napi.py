"""A module of napi-rs, built for threads: several instances over one shared memory, on threads of their own."""

from __future__ import annotations

import random
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest

import wasmartifact as wa
from tests.programs.napi import Napi
from tests.programs.packages import module_path
from tests.programs.test_programs import artifacts_folder, available


@pytest.mark.parametrize("opt_level", [0, 2])
def test_checksums_are_those_of_zlib(opt_level: int) -> None:
    path = available(module_path, "node-rs-crc32")
    artifact = wa.compile(path, opt_level=opt_level, cache_dir=artifacts_folder(), tier_up=False)
    memory = wa.Memory(99, 65536, shared=True)
    main = Napi(artifact, memory)
    assert main.exports.keys() == {"crc32", "crc32c"}
    assert main.exports["crc32"]("a text") == zlib.crc32(b"a text")
    assert main.exports["crc32c"](b"123456789") == 0xE3069283  # the check value of CRC-32C
    workers = [main.new_worker() for _ in range(4)]
    inputs = [random.Random(index).randbytes(100_000 + index) for index in range(40)]

    def work(worker: int) -> list[int]:
        crc32 = Napi(artifact, memory, worker).exports["crc32"]
        return [crc32(data) for data in inputs]

    with ThreadPoolExecutor(len(workers)) as pool:
        for found in pool.map(work, workers):
            assert found == [zlib.crc32(data) for data in inputs]
    assert main.exports["crc32"](inputs[0], 7) == zlib.crc32(inputs[0], 7)
