"""Modules of registries that are built for threads: several instances over one shared memory."""

from __future__ import annotations

import random
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import wasmartifact as wa
from tests.programs.napi import Napi
from tests.programs.packages import module_path
from tests.programs.scenario import read_scenarios
from tests.programs.support import artifacts_folder, available


@pytest.mark.parametrize("opt_level", [0, 2])
def test_checksums_are_those_of_zlib(opt_level: int) -> None:
    path = available(module_path, read_scenarios()[0]["node-rs-crc32"])
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


def test_a_module_of_emscripten_has_instances_over_one_memory(tmp_path: Path) -> None:
    """What it imports besides the memory is JavaScript's, which no test calls."""
    source = available(module_path, read_scenarios()[0]["web-ifc-mt"])
    wa.pack(source, tmp_path / "module.so", opt_level=0)
    artifact = wa.load(tmp_path / "module.so")
    given: dict[str, Any] = {
        row.name: wa.Func(lambda *_: 0, list(row.type.params), list(row.type.results))
        for row in artifact.metadata.imports
        if isinstance(row.type, wa.FuncType)
    }
    (name,) = (row.name for row in artifact.metadata.imports if row.kind == "memory")
    given[name] = wa.Memory(256, 65536, shared=True)
    stores = wa.Store(), wa.Store()
    instances = [artifact.instantiate({"a": given}, store=store) for store in stores]
    assert [len(instance.exports) for instance in instances] == [20, 20]
