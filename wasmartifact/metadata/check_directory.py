"""The cheap check of a section that may hold anything: header and directory, whatever the number of rows.

What passes has a known version and size, and its columns lie inside the section, apart from each other, with matching
numbers of rows. ``rowcheck`` goes on to the rows. The C runtime checks the same before it maps anything
(``native/runtime/metadata.c``), with the same words.
"""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter, sub
from typing import Final

from wasmartifact import schema
from wasmartifact.constants import ROW_COLUMNS
from wasmartifact.errors import CorruptArtifact
from wasmartifact.metadata import faults
from wasmartifact.metadata.columns import Columns

_MACHINE_NAMES: Final = {number: name for name, number in schema.MACHINES.items()}
_COLUMN_BY_ID: Final = {column.id: column for column in schema.COLUMNS}
#: Size of a value, by the column's id.
_SIZES: Final = {column.id: schema.VALUE_SIZES[column.type] for column in schema.COLUMNS}
#: Of each group the column that tells its rows, how many values it has more, and the same of all that have rows.
_GROUPS: Final = {
    group: (
        schema.COLUMN_BY_NAME[ROW_COLUMNS[group][0]].id,
        ROW_COLUMNS[group][1],
        tuple((column.id, int(column.shape == "offsets")) for column in columns if column.shape != "flat"),
    )
    for group, columns in groupby(schema.COLUMNS, key=lambda column: column.group)
}
_EXPORT_SLOTS: Final = schema.COLUMN_BY_NAME["export_slots"].id
#: Ids of columns that have no more values than another one.
_PARTS: Final = tuple(
    (schema.COLUMN_BY_NAME[part].id, schema.COLUMN_BY_NAME[whole].id)
    for part, whole in (("code_wasm_offset", "function"), ("global_image", "global_type"))
)
#: What the directory starts with: the first word of each entry, its id and the size of its values.
_HEADS: Final = [column_id | size_bytes << 32 for column_id, size_bytes in _SIZES.items()]
_VALUE_SIZES: Final = tuple(_SIZES.values())
_LAST_ID: Final = schema.COLUMNS[-1].id
#: By id, which of these entries it is.
_NUMBERS: Final = {column_id: number for number, column_id in enumerate(_SIZES)}
_SLOTS, _EXPORTS = _NUMBERS[_EXPORT_SLOTS], _NUMBERS[_GROUPS["exports"][0]]
_NUMBERED_PARTS: Final = tuple((_NUMBERS[part], _NUMBERS[whole]) for part, whole in _PARTS)
#: How many values each column has more than its group has rows; nobody asks that of flat ones.
_EXTRAS: Final = tuple(int(column.shape == "offsets") for column in schema.COLUMNS)
#: The columns that have as many rows as their group; and for each of them the one that tells how many these are.
_members: Final = itemgetter(*(_NUMBERS[id_] for _, _, members in _GROUPS.values() for id_, _ in members))
_leaders: Final = itemgetter(*(_NUMBERS[first] for first, _, members in _GROUPS.values() for _ in members))


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
    if not _is_plain(columns):
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


def _is_plain(columns: Columns) -> bool:
    """Whether the directory is sound, and starts with the columns that every section has.

    It does, and a few looks at all entries tell that in a third of the time that a look at each takes. What is wrong
    with which of them, `_check_entries` and `_check_counts` say.
    """
    numbers, section = columns.header.numbers, columns.section
    free = numbers["directory_offset"] + numbers["directory_count"] * schema.DIRECTORY_ENTRY.size_bytes
    if free > len(section):
        return False
    words = section[numbers["directory_offset"] : free].cast("Q")
    heads, offsets, counts = (words[field::3].tolist() for field in range(3))
    more = heads[len(_HEADS) :]
    ids = [_LAST_ID, *(head & 0xFFFFFFFF for head in more)]
    rows = list(map(sub, counts, _EXTRAS))
    is_plain = (
        heads[: len(_HEADS)] == _HEADS
        and ids == sorted(set(ids))
        and min(rows) >= 0
        and _members(rows) == _leaders(rows)
        and counts[_SLOTS] > rows[_EXPORTS]
        and not counts[_SLOTS] & (counts[_SLOTS] - 1)
        and all([counts[part] <= counts[whole] for part, whole in _NUMBERED_PARTS])
    )
    if not is_plain:
        return False
    places = zip(offsets, counts, [*_VALUE_SIZES, *(head >> 32 for head in more)], strict=True)
    spans = [(offset, offset + count * size_bytes) for offset, count, size_bytes in places if count]
    # What is empty lies at one place mostly.
    spans += [(offset, offset) for offset in set(offsets).difference(dict(spans))]
    for start, end in sorted(spans):
        if start < free or start % schema.COLUMN_ALIGN_BYTES:
            return False
        free = end
    return free <= len(section)


def _check_entries(columns: Columns) -> None:
    """Every entry by itself, then all beside each other. Unknown columns may have any element size, no more."""
    numbers, directory, size_bytes = columns.header.numbers, columns.directory, len(columns.section)
    if len(directory) != numbers["directory_count"]:
        raise faults.corrupt_header("number of different columns", len(directory), numbers["directory_count"])
    known_sizes, align, previous, spans = _SIZES, schema.COLUMN_ALIGN_BYTES, -1, []
    for number, (column_id, element_size_bytes, offset, count) in enumerate(directory.values()):
        if column_id <= previous:
            raise faults.corrupt_directory(number, "column_id", column_id, f"more than {previous}")
        if column_id in known_sizes and element_size_bytes != known_sizes[column_id]:
            expected = f"{known_sizes[column_id]} for {_COLUMN_BY_ID[column_id].name}"
            raise faults.corrupt_directory(number, "element_size_bytes", element_size_bytes, expected)
        if offset % align:
            raise faults.corrupt_directory(number, "offset", offset, f"a multiple of {align}")
        end = offset + count * element_size_bytes
        if end > size_bytes:
            raise faults.corrupt_directory(number, "end", end, f"at most {size_bytes}")
        spans.append((offset, end, number))
        previous = column_id
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
    for group, (first, more, members) in _GROUPS.items():
        rows = directory[first][3] - more
        if rows < 0:
            columns.row_count(group)  # raises
        for column_id, extra in members:
            if directory[column_id][3] != rows + extra:
                raise _wrong_count(columns, column_id, rows + extra)
    slots = directory[_EXPORT_SLOTS][3]
    exports = columns.row_count("exports")
    if slots & (slots - 1) or slots <= exports:
        raise _wrong_count(columns, _EXPORT_SLOTS, f"a power of two above {exports}")
    for part, whole in _PARTS:
        limit = directory[whole][3]
        if directory[part][3] > limit:
            raise _wrong_count(columns, part, f"at most {limit}, the count of {_COLUMN_BY_ID[whole].name}")


def _wrong_count(columns: Columns, column_id: int, expected: object) -> CorruptArtifact:
    entry = columns.entry(column_id)
    return faults.corrupt_directory(entry.number, f"count of {entry.name}", entry.count, expected)
