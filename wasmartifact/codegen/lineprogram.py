"""Address map of an object: which wasm offset and trap each range of machine code stands for, from DWARF's line program.

The code generator put the wasm offset into the line and the trap code into the column of every instruction.
"""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass
from typing import Final

from wasmartifact.errors import ToolchainError

_COPY, _ADVANCE_PC, _ADVANCE_LINE, _SET_FILE, _SET_COLUMN = range(1, 6)
_CONST_ADD_PC, _FIXED_ADVANCE_PC = 8, 9
_END_SEQUENCE, _SET_ADDRESS = 1, 2
#: Number of operands, all LEB128, of the standard opcodes that change nothing of interest.
_IGNORED: Final = {_SET_FILE: 1, 6: 0, 7: 0, 10: 0, 11: 0, 12: 1}


@dataclass(frozen=True, slots=True)
class AddressMap:
    """Rows sorted by text offset: from there to the next row, code stands for this wasm offset and can raise this trap.

    A wasm offset of 0 means that none is known; a trap code of 0 that none is raised.
    """

    text_offsets: array[int]
    wasm_offsets: array[int]
    traps: bytes


def read_address_map(section: bytes | None) -> AddressMap:
    """Decode a ``.debug_line`` section (DWARF 4) whose addresses are text offsets; None is an empty one.

    Raises
    ------
    ToolchainError
        The section is not what LLVM writes.
    """
    rows: list[tuple[int, int, int]] = []
    position = 0
    try:
        while section is not None and position < len(section):
            (size,) = struct.unpack_from("<I", section, position)
            _read_unit(section, position + 4, position + 4 + size, rows)
            position += 4 + size
    except (IndexError, struct.error) as error:
        raise ToolchainError(f"the code generator gave a damaged line table: {error}") from error
    return _columns(rows)


def _columns(rows: list[tuple[int, int, int]]) -> AddressMap:
    """Sort, keep the last row of each address, and drop rows that repeat what the row before says."""
    rows.sort(key=lambda row: row[0])  # stable: rows of one address stay in order
    latest = {address: (line, column) for address, line, column in rows}
    text_offsets, wasm_offsets, traps = array("I"), array("I"), bytearray()
    previous = None
    for address, place in latest.items():
        if place != previous:
            text_offsets.append(address)
            wasm_offsets.append(place[0])
            traps.append(place[1])
            previous = place
    return AddressMap(text_offsets, wasm_offsets, bytes(traps))


def _read_unit(data: bytes, start: int, end: int, rows: list[tuple[int, int, int]]) -> None:
    """Run one unit's line program; append (address, line, column) per row."""
    version, header_size = struct.unpack_from("<HI", data, start)
    if version != 4:
        raise ToolchainError(f"the code generator gave a line table of DWARF version {version}, expected 4")
    step, _, _, line_base, line_range, opcode_base = struct.unpack_from("<BBBbBB", data, start + 6)
    position = start + 6 + header_size
    advances = [((opcode - opcode_base) // line_range) * step if opcode >= opcode_base else 0 for opcode in range(256)]
    lines = [line_base + (opcode - opcode_base) % line_range if opcode >= opcode_base else 0 for opcode in range(256)]
    address, line, column = 0, 1, 0
    append = rows.append
    while position < end:
        opcode = data[position]
        position += 1
        if opcode >= opcode_base:
            address += advances[opcode]
            line += lines[opcode]
            append((address, line, column))
        elif opcode == _COPY:
            append((address, line, column))
        elif opcode == _ADVANCE_LINE:
            change, position = _leb(data, position, signed=True)
            line += change
        elif opcode == _SET_COLUMN:
            column, position = _leb(data, position)
        elif opcode == _ADVANCE_PC:
            change, position = _leb(data, position)
            address += change * step
        elif opcode == _CONST_ADD_PC:
            address += advances[255]
        elif opcode == _FIXED_ADVANCE_PC:
            address += struct.unpack_from("<H", data, position)[0]
            position += 2
        elif opcode == 0:
            size, position = _leb(data, position)
            if data[position] == _END_SEQUENCE:
                address, line, column = 0, 1, 0
            elif data[position] == _SET_ADDRESS:
                (address,) = struct.unpack_from("<Q", data, position + 1)
            position += size
        else:
            for _ in range(_IGNORED[opcode]):
                _, position = _leb(data, position)


def _leb(data: bytes, position: int, signed: bool = False) -> tuple[int, int]:
    """Decode a LEB128 integer; return it and the position behind it."""
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (value - (1 << shift) if signed and byte & 0x40 else value), position
