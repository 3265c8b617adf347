"""The cheap check of a section that may hold anything: header and directory, whatever the number of rows.

What passes has a known version and size, and its columns lie inside the section, apart from each other, with matching
numbers of rows. ``rowcheck`` goes on to the rows. The C runtime checks the same before it maps anything
(``native/runtime/metadata.c``), with the same words.
"""

from __future__ import annotations

from typing import Final

from wasmartifact import schema
from wasmartifact.errors import CorruptArtifact
from wasmartifact.metadata import faults
from wasmartifact.metadata.columns import Columns

_MACHINE_NAMES: Final = {number: name for name, number in schema.MACHINES.items()}
_COLUMN_BY_ID: Final = {column.id: column for column in schema.COLUMNS}
#: Size of a value, by the column's id.
_SIZES: Final = {column.id: schema.VALUE_SIZES[column.type] for column in schema.COLUMNS}
#: Id and group of each column with as many values as its group has rows, or one more.
_ROW_SHAPES: Final = tuple(
    (column.id, column.group, int(column.shape == "offsets")) for column in schema.COLUMNS if column.shape != "flat"
)
_EXPORT_SLOTS: Final = schema.COLUMN_BY_NAME["export_slots"].id
#: Ids of columns that have no more values than another one.
_PARTS: Final = tuple(
    (schema.COLUMN_BY_NAME[part].id, schema.COLUMN_BY_NAME[whole].id)
    for part, whole in (("code_wasm_offset", "function"), ("global_image", "global_type"))
)


def check_directory(buffer: bytes | bytearray | memoryview) -> None:
    """Check the header and the directory of a metadata section. O(columns).

    Parameters
    ----------
    buffer : buffer
        The whole section.

    Raises
    ------
    BadMagic
        The section does not start with METADATA_MAGIC.
    VersionMismatch
        Another format version.
    CorruptArtifact
        A header field or directory entry that no packer writes.
    """
    columns = Columns(buffer)
    _check_header(columns)
    _check_entries(columns)
    _check_counts(columns)


def _check_header(columns: Columns) -> None:
    """Versions first: they tell how to read the rest."""
    numbers = columns.header.numbers
    if numbers["magic"] != schema.METADATA_MAGIC:
        raise faults.bad_magic(numbers["magic"])
    if numbers["format_major"] != schema.FORMAT_MAJOR:
        raise faults.version_mismatch("format_version", numbers["format_major"], schema.FORMAT_MAJOR)
    if numbers["machine"] not in _MACHINE_NAMES:
        raise faults.corrupt_header("machine", numbers["machine"], f"one of {sorted(_MACHINE_NAMES)}")
    size_bytes = len(columns.section)
    for field, expected in (
        ("page_size_bytes", schema.PAGE_BYTES[_MACHINE_NAMES[numbers["machine"]]]),
        ("header_size_bytes", schema.METADATA_HEADER.size_bytes),
        ("directory_offset", schema.METADATA_HEADER.size_bytes),
        ("section_size_bytes", size_bytes),
        ("load_reserved", 0),
        ("reserved", 0),
    ):
        if numbers[field] != expected:
            raise faults.corrupt_header(field, numbers[field], expected)
    if numbers["flags"] & ~schema.HEADER_FLAGS:
        raise faults.corrupt_header("flags", numbers["flags"], "no bits that this version does not know")
    if not schema.HEAD_MASKED_RANGES[-1][1] <= numbers["head_size_bytes"] <= schema.HEAD_MAX_BYTES:
        expected_range = f"{schema.HEAD_MASKED_RANGES[-1][1]} to {schema.HEAD_MAX_BYTES}"
        raise faults.corrupt_header("head_size_bytes", numbers["head_size_bytes"], expected_range)


def _check_entries(columns: Columns) -> None:
    """Every entry by itself, then all beside each other. Unknown columns may have any element size, no more."""
    numbers, directory, size_bytes = columns.header.numbers, columns.directory, len(columns.section)
    if len(directory) != numbers["directory_count"]:
        raise faults.corrupt_header("number of different columns", len(directory), numbers["directory_count"])
    previous, spans = -1, []
    for number, (column_id, element_size_bytes, offset, count) in enumerate(directory.values()):
        if column_id <= previous:
            raise faults.corrupt_directory(number, "column_id", column_id, f"more than {previous}")
        previous = column_id
        expected_bytes = _SIZES.get(column_id, element_size_bytes)
        if element_size_bytes != expected_bytes:
            expected = f"{expected_bytes} for {_COLUMN_BY_ID[column_id].name}"
            raise faults.corrupt_directory(number, "element_size_bytes", element_size_bytes, expected)
        if offset % schema.COLUMN_ALIGN_BYTES:
            expected = f"a multiple of {schema.COLUMN_ALIGN_BYTES}"
            raise faults.corrupt_directory(number, "offset", offset, expected)
        end = offset + count * element_size_bytes
        if end > size_bytes:
            raise faults.corrupt_directory(number, "end", end, f"at most {size_bytes}")
        spans.append((offset, end, number))
    if not _SIZES.keys() <= directory.keys():
        missing = next(column.name for column_id, column in _COLUMN_BY_ID.items() if column_id not in directory)
        raise faults.corrupt_directory(len(directory), "column", "missing", missing)
    free = numbers["directory_offset"] + numbers["directory_count"] * schema.DIRECTORY_ENTRY.size_bytes
    for offset, end, number in sorted(spans):
        if offset < free:
            expected = f"at least {free}, where something else ends"
            raise faults.corrupt_directory(number, "offset", offset, expected)
        free = end


def _check_counts(columns: Columns) -> None:
    """Columns of a group have as many rows as the group; flat columns have rules of their own."""
    directory = columns.directory
    rows: dict[str, int] = {}
    for column_id, group, extra in _ROW_SHAPES:
        count = directory[column_id][3]
        if group not in rows:
            rows[group] = count - extra if count else columns.row_count(group)
        if count != rows[group] + extra:
            raise _wrong_count(columns, column_id, rows[group] + extra)
    slots = directory[_EXPORT_SLOTS][3]
    if slots & (slots - 1) or slots <= rows["exports"]:
        raise _wrong_count(columns, _EXPORT_SLOTS, f"a power of two above {rows['exports']}")
    for part, whole in _PARTS:
        limit = directory[whole][3]
        if directory[part][3] > limit:
            raise _wrong_count(columns, part, f"at most {limit}, the count of {_COLUMN_BY_ID[whole].name}")


def _wrong_count(columns: Columns, column_id: int, expected: object) -> CorruptArtifact:
    entry = columns.entry(column_id)
    return faults.corrupt_directory(entry.number, f"count of {entry.name}", entry.count, expected)
