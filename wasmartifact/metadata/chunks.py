"""Rows of the address map and of source lines: ascending keys with two values each (FORMAT.md, "Rows in chunks").

A look-up searches the keys of the chunks and takes one of them apart. Files up to format 2.3 have arrays instead.
"""

from __future__ import annotations

from _bisect import bisect_right  # what bisect shows, without its file

from wasmartifact.constants import CHUNK_ROWS, COLUMN_IDS
from wasmartifact.metadata.columns import Columns

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final, TypeAlias

    from wasmartifact.errors import CorruptArtifact

    #: Keys and their two values.
    Triple: TypeAlias = tuple[Sequence[int], Sequence[int], Sequence[int]]
    Lists: TypeAlias = tuple[list[int], list[int], list[int]]

#: Text offset, wasm offset (0: unknown), trap (0: none).
ADDRESSES: Final = "address_chunk"
#: Wasm offset, line (0: unknown), file + 1 (0: unknown).
LINES: Final = "source_chunk"
_KEYS: Final = {ADDRESSES: "address_chunk_key", LINES: "source_chunk_key"}
_CONTENTS: Final = {ADDRESSES: "address_chunk_bytes", LINES: "source_chunk_bytes"}
#: Where they were up to format 2.3.
OLD_GROUPS: Final = {ADDRESSES: ("address_map", "address_blocks"), LINES: ("source_lines",)}
_NUMBER_MAX_BYTES: Final = 5
_U32_END: Final = 1 << 32


def row_at(columns: Columns, name: str, key: int) -> tuple[int, int, int] | None:
    """The last row of ADDRESSES or LINES that starts at this key or before. O(log n). Raises CorruptArtifact."""
    if is_old(columns, name):
        rows = all_rows(columns, name)
    else:
        chunk = bisect_right(columns.column(_KEYS[name]), key) - 1
        if chunk < 0:
            return None
        rows = [], [], []
        _take_apart(columns, name, chunk, rows)
    row = bisect_right(rows[0], key) - 1
    return (rows[0][row], rows[1][row], rows[2][row]) if row >= 0 else None


def all_rows(columns: Columns, name: str) -> Triple:
    """Every row, taken apart once. Raises CorruptArtifact."""
    rows = columns.chunk_rows.get(name)
    if rows is None:
        rows = columns.chunk_rows[name] = (_old_rows if is_old(columns, name) else _new_rows)(columns, name)
    return rows


def is_old(columns: Columns, name: str) -> bool:
    """Whether the rows are those of an older format, as in a snapshot of an artifact of one, too."""
    return COLUMN_IDS[name] not in columns.directory


def _new_rows(columns: Columns, name: str) -> Triple:
    """Chunks follow each other: all but the last are full, and keys ascend from one to the next."""
    rows: Lists = [], [], []
    starts = columns.column(_KEYS[name])
    for chunk, start in enumerate(starts):
        if len(rows[0]) != chunk * CHUNK_ROWS or (chunk and start < rows[0][-1]):
            raise _damaged(columns, name, chunk)
        _take_apart(columns, name, chunk, rows)
    offsets = columns.column(name)
    if len(offsets) != len(starts) + 1 or offsets[0] or offsets[-1] != len(columns.column(_CONTENTS[name])):
        raise _damaged(columns, name, 0)
    return rows


def _damaged(columns: Columns, name: str, chunk: int) -> CorruptArtifact:
    return columns.corrupt_row(name, chunk, "damaged", "rows in chunks as FORMAT.md has them")


def _take_apart(columns: Columns, name: str, chunk: int, rows: Lists) -> None:
    """Append the rows of a chunk."""
    offsets = columns.column(name)
    try:
        contents = bytes(columns.column(_CONTENTS[name])[offsets[chunk] : offsets[chunk + 1]])
        _append_rows(contents, columns.column(_KEYS[name])[chunk], rows)
    except (IndexError, ValueError):  # it ends within a row, or is not what a packer writes
        raise _damaged(columns, name, chunk) from None


def _append_rows(contents: bytes, key: int, rows: Lists) -> None:
    keys, values, marks = rows
    value = mark = at = 0
    if contents[0] > 1:
        raise ValueError  # the first row has the chunk's key
    for _ in range(CHUNK_ROWS):
        step, at = _number(contents, at)
        key += step >> 1
        if step & 1:
            before = mark
            mark, at = _number(contents, at)
            if mark == before:
                raise ValueError
        distance, at = _number(contents, at)
        value += distance >> 1 ^ -(distance & 1)
        if not 0 <= value < _U32_END > max(key, mark):
            raise ValueError
        keys.append(key)
        values.append(value)
        marks.append(mark)
        if at == len(contents):
            return
    raise ValueError


def _number(contents: bytes, at: int) -> tuple[int, int]:
    """The unsigned LEB128 number at a place, in no more bytes than it takes, and where it ends."""
    byte = contents[at]
    at += 1
    if byte < 128:
        return byte, at
    number = byte & 127
    for shift in range(7, 7 * _NUMBER_MAX_BYTES, 7):
        byte = contents[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            if not byte:
                break
            return number, at
    raise ValueError


def _old_rows(columns: Columns, name: str) -> Triple:
    """From arrays: of 16-bit distances in blocks, or as they are."""
    rows: Triple
    if name == ADDRESSES:
        rows = *_old_addresses(columns), columns.column("address_trap")
    else:
        rows = columns.column("source_wasm_offset"), columns.column("source_line"), columns.column("source_file")
    count = len(rows[2])
    for column in rows:
        if len(column) != count:
            raise columns.corrupt_row(f"{name}, as formats before 2.4 have it", len(column), "missing", f"{count} rows")
    return rows


def _old_addresses(columns: Columns) -> tuple[list[int], list[int]]:
    starts, texts, wasms = map(columns.column, ("address_block_row", "address_text", "address_wasm"))
    keys, values = [], []
    for block, first in enumerate(starts):
        text, wasm = columns.value("address_block_text", block), columns.value("address_block_wasm", block)
        behind = starts[block + 1] if block + 1 < len(starts) else len(texts)
        keys += [text + distance for distance in texts[first:behind]]
        values += [distance and wasm + distance - 1 for distance in wasms[first:behind]]
    return keys, values
