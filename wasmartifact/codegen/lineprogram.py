"""Address map of an object, from DWARF's line program: which wasm offset and trap a range of code stands for.

The code generator put the wasm offset into the line and the trap code into the column of every instruction.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import Final

from wasmartifact.codegen.compiled import AddressMap
from wasmartifact.errors import ToolchainError
from wasmartifact.wasm.linetable import END, LineTableError, Row, read_units

#: The version that the code generator asks LLVM for.
_DWARF_VERSION: Final = 4


def read_address_map(section: bytes | None) -> AddressMap:
    """Decode a ``.debug_line`` section whose addresses are text offsets; None is an empty one.

    Raises
    ------
    ToolchainError
        The section is not what LLVM writes.
    """
    return _columns(_rows(section))


def read_address_maps(section: bytes | None, starts: list[int]) -> list[AddressMap]:
    """The same for parts of the text, each from one of the ascending offsets to the next; offsets count from there."""
    parts: list[list[Row]] = [[] for _ in starts]
    for address, file, line, column in _rows(section):
        if line != END:  # that of a part is the start of the next, or lies in the gap before
            part = bisect_right(starts, address) - 1
            parts[part].append((address - starts[part], file, line, column))
    return [_columns(part) for part in parts]


def _rows(section: bytes | None) -> list[Row]:
    rows: list[Row] = []
    try:
        for unit in read_units(section or b""):
            if unit.version != _DWARF_VERSION:
                raise LineTableError(f"a line table of DWARF version {unit.version}, expected {_DWARF_VERSION}")
            for some in unit.rows():
                rows += some
    except LineTableError as error:
        raise ToolchainError(f"the code generator gave a damaged line table: {error}") from error
    return rows


def _columns(rows: list[Row]) -> AddressMap:
    """Sort, keep the last row of each address, and drop rows that repeat what the row before says, or say nothing.

    LLVM gives most blocks a first row without a line. What may trap, and every call, has a row of its own.
    """
    rows.sort(key=lambda row: row[0])  # stable: rows of one address stay in order
    # Where instructions of several places became one, LLVM gives line 0 and any column.
    latest = {address: (line, column if line else 0) for address, _, line, column in rows if line != END}
    text_offsets, wasm_offsets, traps = array("I"), array("I"), bytearray()
    previous = None
    for address, place in latest.items():
        if place not in (previous, (0, 0)):
            text_offsets.append(address)
            wasm_offsets.append(place[0])
            traps.append(place[1])
            previous = place
    return AddressMap(text_offsets, wasm_offsets, bytes(traps))
