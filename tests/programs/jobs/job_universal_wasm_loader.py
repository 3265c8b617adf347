"""universal-wasm-loader loads a module by its path, with a function of the host."""

import asyncio
from pathlib import Path

from running import run
from universal_wasm_loader import wasm_import

#: (module (import "env" "log" (func $log (param i32)))
#:   (memory (export "memory") 1) (global (export "version") i32 (i32.const 7))
#:   (func (export "add") (param i32 i32) (result i32) (call $log (local.get 1)) (i32.add (local.get 0) (local.get 1))))
MODULE = bytes.fromhex(
    "0061736d01000000010b0260017f0060027f7f017f020b0103656e76036c6f670000030201010503010001060601"
    "7f0041070b071a03066d656d6f727902000776657273696f6e03000361646400010a0d010b0020011000200020016a0b"
)


async def load() -> object:
    """Load and call."""
    heard: list[int] = []
    exports = await wasm_import("module.wasm", {"log": heard.append})
    return [exports["add"](1, 2), exports["add"](-1, 2147483647), exports["version"], heard]


def job() -> object:
    """Once each time."""
    Path("module.wasm").write_bytes(MODULE)
    return asyncio.run(load())


run(job)
