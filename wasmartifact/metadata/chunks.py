"""Rows of the address map and of source lines: ascending keys with two values each (FORMAT.md, "Rows in chunks").

A look-up searches the keys of the chunks and takes one of them apart. Files up to format 2.3 have arrays instead.
"""

from __future__ import annotations

from wasmartifact._types import find_row, pack_chunks, unpack_chunks
from wasmartifact.constants import COLUMN_IDS
from wasmartifact.metadata.columns import Columns

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from array import array
    from collections.abc import Sequence
    from typing import Final, TypeAlias

    from typing_extensions import Buffer

    from wasmartifact.errors import CorruptArtifact

    #: Keys and their two values, of type u32.
    Triple: TypeAlias = tuple[memoryview, ...]

#: Text offset, wasm offset (0: unknown), trap (0: none).
ADDRESSES: Final = "address_chunk"
#: Wasm offset, line (0: unknown), file + 1 (0: unknown).
LINES: Final = "source_chunk"
#: Where they were up to format 2.3.
_OLD_GROUPS: Final = {ADDRESSES: "address_map", LINES: "source_lines"}


def row_at(columns: Columns, name: str, key: int) -> tuple[int, int, int] | None:
    """The last row of ADDRESSES or LINES that starts at this key or before. O(log n). Raises CorruptArtifact."""
    found = find_row(*(columns.chunks.get(name) or _chunks(columns, name)), key)
    if isinstance(found, int):
        raise _damaged(columns, name, found)
    return found


def all_rows(columns: Columns, name: str) -> Triple:
    """Every row, taken apart once. Raises CorruptArtifact."""
    rows = columns.chunk_rows.get(name)
    if rows is None:
        found = unpack_chunks(*_chunks(columns, name))
        if isinstance(found, int):
            raise _damaged(columns, name, found)
        rows = columns.chunk_rows[name] = tuple(memoryview(column).cast("I") for column in found)
    return rows


def _damaged(columns: Columns, name: str, chunk: int) -> CorruptArtifact:
    return columns.corrupt_row(name, chunk, "damaged", "rows in chunks as FORMAT.md has them")


def _chunks(columns: Columns, name: str) -> tuple[Buffer, Buffer, Buffer]:
    """Keys, offsets and contents; made of the rows of an older format, which a snapshot of an old artifact has, too."""
    found: tuple[Buffer, Buffer, Buffer]
    if COLUMN_IDS[name] not in columns.directory or columns.row_count(_OLD_GROUPS[name]):
        found = pack_chunks(*_old_rows(columns, name))
    else:
        found = columns.column(f"{name}_key"), columns.column(name), columns.column(f"{name}_bytes")
    columns.chunks[name] = found
    return found


def _old_rows(columns: Columns, name: str) -> list[array[int]]:
    """From arrays: of 16-bit distances in blocks, or as they are."""
    from array import array

    if name == ADDRESSES:
        rows: list[Sequence[int]] = [*_old_addresses(columns), columns.column("address_trap")]
    else:
        rows = [*map(columns.column, ("source_wasm_offset", "source_line", "source_file"))]
    group = _OLD_GROUPS[name]
    count = columns.row_count(group)
    for column in rows:
        if len(column) != count:
            raise columns.corrupt_row(f"of the group {group}", len(column), "missing", f"one of {count} rows")
        if max(column, default=0) >= 2**32:
            raise columns.corrupt_row(f"of the group {group}", 0, max(column), "values below 2**32")
    return [array("I", iter(column)) for column in rows]


def _old_addresses(columns: Columns) -> tuple[list[int], list[int]]:
    starts, texts, wasms = map(columns.column, ("address_block_row", "address_text", "address_wasm"))
    keys, values = [], []
    for block, first in enumerate(starts):
        text, wasm = columns.value("address_block_text", block), columns.value("address_block_wasm", block)
        behind = starts[block + 1] if block + 1 < len(starts) else len(texts)
        keys += [text + distance for distance in texts[first:behind]]
        values += [distance and wasm + distance - 1 for distance in wasms[first:behind]]
    return keys, values
