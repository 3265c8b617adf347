"""The cheap check of a section that may hold anything: header and directory, whatever the number of rows.

What passes has a known version and size, and its columns lie inside the section, apart from each other, with matching
numbers of rows. ``rowcheck`` goes on to the rows. The C runtime checks the same before it maps anything
(``native/src/metadata.c``), with the same words.
"""

from __future__ import annotations

from typing import Final

from wasmartifact import schema
from wasmartifact.metadata import faults
from wasmartifact.metadata.columns import ENTRY, Columns

_MACHINE_NAMES: Final = {number: name for name, number in schema.MACHINES.items()}
_COLUMN_BY_ID: Final = {column.id: column for column in schema.COLUMNS}


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
    if numbers["flags"] & ~(schema.HEADER_READ_ONLY_DYNAMIC | schema.HEADER_CHECKS_EXCEPTIONS):
        raise faults.corrupt_header("flags", numbers["flags"], "no bits that this version does not know")
    if not schema.HEAD_MASKED_RANGES[-1][1] <= numbers["head_size_bytes"] <= schema.HEAD_MAX_BYTES:
        expected_range = f"{schema.HEAD_MASKED_RANGES[-1][1]} to {schema.HEAD_MAX_BYTES}"
        raise faults.corrupt_header("head_size_bytes", numbers["head_size_bytes"], expected_range)


def _check_entries(columns: Columns) -> None:
    """Every entry by itself, then all beside each other. Unknown columns may have any element size, no more."""
    numbers, size_bytes = columns.header.numbers, len(columns.section)
    directory_end = numbers["directory_offset"] + numbers["directory_count"] * ENTRY.size
    if len(columns.entries) != numbers["directory_count"]:
        raise faults.corrupt_header("number of different columns", len(columns.entries), numbers["directory_count"])
    previous = -1
    for entry in columns.entries.values():
        known = _COLUMN_BY_ID.get(entry.column_id)
        if entry.column_id <= previous:
            raise faults.corrupt_directory(entry.number, "column_id", entry.column_id, f"more than {previous}")
        previous = entry.column_id
        if known and entry.element_size_bytes != schema.VALUE_SIZES[known.type]:
            expected = f"{schema.VALUE_SIZES[known.type]} for {known.name}"
            raise faults.corrupt_directory(entry.number, "element_size_bytes", entry.element_size_bytes, expected)
        if entry.offset % schema.COLUMN_ALIGN_BYTES:
            expected = f"a multiple of {schema.COLUMN_ALIGN_BYTES}"
            raise faults.corrupt_directory(entry.number, "offset", entry.offset, expected)
        if entry.end > size_bytes:
            raise faults.corrupt_directory(entry.number, "end", entry.end, f"at most {size_bytes}")
    for column in schema.COLUMNS:
        if column.id not in columns.entries:
            raise faults.corrupt_directory(len(columns.entries), "column", "missing", column.name)
    end = directory_end
    for entry in sorted(columns.entries.values(), key=lambda entry: (entry.offset, entry.end)):
        if entry.offset < end:
            expected = f"at least {end}, where something else ends"
            raise faults.corrupt_directory(entry.number, "offset", entry.offset, expected)
        end = entry.end


def _check_counts(columns: Columns) -> None:
    """Columns of a group have as many rows as the group; flat columns have rules of their own."""
    for column in schema.COLUMNS:
        entry = columns.entries[column.id]
        rows = columns.row_count(column.group)
        count = {"rows": rows, "offsets": rows + 1, "flat": entry.count}[column.shape]
        if entry.count != count:
            raise faults.corrupt_directory(entry.number, f"count of {column.name}", entry.count, count)
    slots, exports = columns.entries[schema.COLUMN_BY_NAME["export_slots"].id], columns.row_count("exports")
    if slots.count & (slots.count - 1) or slots.count <= exports:
        expected = f"a power of two above {exports}"
        raise faults.corrupt_directory(slots.number, "count of export_slots", slots.count, expected)
    for part, whole in (("code_wasm_offset", "function"), ("global_image", "global_type")):
        entry = columns.entries[schema.COLUMN_BY_NAME[part].id]
        limit = columns.entries[schema.COLUMN_BY_NAME[whole].id].count
        if entry.count > limit:
            expected = f"at most {limit}, the count of {whole}"
            raise faults.corrupt_directory(entry.number, f"count of {part}", entry.count, expected)
