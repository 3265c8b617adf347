"""Columns of a metadata section in place: every access is checked against the bytes that are there.

Nothing here trusts the section. A directory entry is checked when its column is first used, an index when it is used;
what does not hold raises CorruptArtifact with the column, the row, what was found and what was expected.
"""

from __future__ import annotations

import sys

from wasmartifact import schema
from wasmartifact.errors import IncompatibleHost
from wasmartifact.metadata import faults
from wasmartifact.metadata.header import Header, read_header
from wasmartifact.record import NamedTuple

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from typing import Final, Literal

    from wasmartifact.wasm.externtypes import FuncType

ENTRY: Final = schema.DIRECTORY_ENTRY.packer()
_CAST_CODES: Final[dict[str, Literal["I", "Q"]]] = {"u32": "I", "u64": "Q"}
#: The column that tells how many rows a group has: its first one that is not flat.
_ROW_COLUMNS: Final = {
    column.group: column for column in reversed(schema.COLUMNS) if column.shape in ("rows", "offsets")
}


class Entry(NamedTuple):
    """A directory entry, as it stands there: ``number`` counts entries, the rest are the fields of directory_entry."""

    number: int
    column_id: int
    element_size_bytes: int
    offset: int
    count: int  # type: ignore[assignment]  # hides tuple.count, which no entry needs

    @property
    def name(self) -> str:
        """Name of the column, which must be a known one."""
        return next(column.name for column in schema.COLUMNS if column.id == self.column_id)

    @property
    def end(self) -> int:
        """Offset behind the last value."""
        return self.offset + self.count * self.element_size_bytes


class Columns:
    """Bounds-checked access to the columns of a section.

    Parameters
    ----------
    buffer : buffer
        The whole section: bytes, a mapping, memory of the C runtime. Not copied.

    Raises
    ------
    IncompatibleHost
        On a big-endian host: columns are little-endian and used in place.
    """

    __slots__ = ("_columns", "_directory", "_header", "_names", "_names_bytes", "func_types", "section")

    def __init__(self, buffer: bytes | bytearray | memoryview) -> None:
        if sys.byteorder != "little":
            raise IncompatibleHost("artifacts are little-endian and are used in place; this host is big-endian")
        self.section = memoryview(buffer).cast("B").toreadonly()
        self._header: Header | None = None
        self._directory: dict[int, tuple[int, ...]] | None = None
        self._columns: dict[str, memoryview] = {}
        self._names: dict[int, str] = {}
        self._names_bytes = 0
        self.func_types: dict[int, FuncType] = {}  # made so far, by type index: see rows.py

    @property
    def header(self) -> Header:
        """The header, decoded on first use."""
        if self._header is None:
            self._header = read_header(self.section)
        return self._header

    @property
    def directory(self) -> dict[int, tuple[int, ...]]:
        """The directory by column id, decoded on first use: entries as they stand there. Numbers count from 0."""
        if self._directory is None:
            numbers = self.header.numbers
            start, count = numbers["directory_offset"], numbers["directory_count"]
            end = start + count * ENTRY.size
            if end > len(self.section):
                raise faults.corrupt_header("end of the directory", end, f"at most {len(self.section)}")
            self._directory = {fields[0]: fields for fields in ENTRY.iter_unpack(self.section[start:end])}
        return self._directory

    def entry(self, column_id: int) -> Entry:
        """The directory entry of a column. Raises KeyError where there is none."""
        fields = self.directory[column_id]
        return Entry(list(self.directory).index(column_id), *fields)

    @property
    def entries(self) -> dict[int, Entry]:
        """All directory entries by column id."""
        return {column_id: self.entry(column_id) for column_id in self.directory}

    def column(self, name: str) -> memoryview:
        """The values of a column: a read-only view, cast to the column's type.

        Columns of u8x16 and of structures are plain bytes; ``function.type`` is the view of a field of one.

        Raises
        ------
        KeyError
            Where the schema has no such column, or its structure no such field.
        CorruptArtifact
            Where the section lacks it, or it does not lie inside the section.
        """
        view = self._columns.get(name)
        if view is None:
            column, _, field = name.partition(".")
            view = self._columns[name] = self._map(schema.COLUMN_BY_NAME[column], field)
        return view

    def _map(self, column: schema.Column, field: str) -> memoryview:
        """Check a directory entry and view its column, or a field of it."""
        if column.id not in self.directory:
            raise faults.corrupt_directory(len(self.directory), "column", "missing", column.name)
        entry = self.entry(column.id)
        expected = schema.VALUE_SIZES[column.type]
        if entry.element_size_bytes != expected:
            what = f"element_size_bytes of {column.name}"
            raise faults.corrupt_directory(entry.number, what, entry.element_size_bytes, expected)
        if entry.end > len(self.section):
            what = f"end of {column.name}"
            raise faults.corrupt_directory(entry.number, what, entry.end, f"at most {len(self.section)}")
        view = self.section[entry.offset : entry.end]
        if not field:
            return view.cast(_CAST_CODES.get(column.type, "B"))
        row = schema.STRUCT_BY_NAME[column.type]
        return view.cast("I")[row.offsets()[field] // 4 :: row.size_bytes // 4]

    def row_count(self, group: str) -> int:
        """Number of rows of a group."""
        column = _ROW_COLUMNS[group]
        count = self.column(column.name).nbytes // schema.VALUE_SIZES[column.type]
        if column.shape == "rows":
            return count
        if not count:
            raise faults.corrupt_row(column.name, 0, "no value", "rows + 1 values")
        return count - 1

    def value(self, name: str, row: int) -> int:
        """One value of a column of numbers; ``row`` may come from another column."""
        column = self.column(name)
        if not 0 <= row < len(column):
            raise faults.corrupt_row(name, row, "missing", f"one of {len(column)} values")
        return int(column[row])

    def digest(self, name: str, row: int) -> bytes:
        """One value of a column of 16-byte values."""
        data = bytes(self.column(name)[16 * row : 16 * row + 16])
        if len(data) != 16:
            raise faults.corrupt_row(name, row, "missing", "16 bytes")
        return data

    def span(self, name: str, row: int) -> memoryview:
        """The values of one row of an offsets column: a slice of its flat column."""
        target = self.column(schema.COLUMN_BY_NAME[name].target)
        start, end = self.value(name, row), self.value(name, row + 1)
        if start > end:
            raise faults.corrupt_row(name, row + 1, end, f"at least {start}")
        if end > len(target):
            raise faults.corrupt_row(name, row + 1, end, f"at most {len(target)}")
        return target[start:end]

    def text(self, name: str, row: int) -> str:
        """One row of an offsets column of UTF-8 bytes."""
        return _decode(bytes(self.span(name, row)), name, row)

    def function_name(self, row: int) -> str:
        """Text of one row of the group function_names: bytes of a custom section. Made once for each row."""
        if row in self._names:
            return self._names[row]
        contents = self.column("custom_data_bytes")
        start, size_bytes = self.value("function_name_offset", row), self.value("function_name_size", row)
        if start > len(contents):
            raise faults.corrupt_row("function_name_offset", row, start, f"at most {len(contents)}")
        if size_bytes > len(contents) - start:
            raise faults.corrupt_row("function_name_size", row, size_bytes, f"at most {len(contents) - start}")
        # Names don't overlap: all of them together are no more than what holds them.
        self._names_bytes += size_bytes
        if self._names_bytes > len(contents):
            raise faults.corrupt_row("function_name_size", row, size_bytes, "names that don't overlap")
        name = self._names[row] = _decode(bytes(contents[start : start + size_bytes]), "function_name_offset", row)
        return name

    def release(self) -> None:
        """Let go of the buffer; every view that was handed out by ``column`` becomes unusable."""
        for view in self._columns.values():
            view.release()
        self._columns.clear()
        self.section.release()


def _decode(data: bytes, name: str, row: int) -> str:
    """The text of a row of a column."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise faults.corrupt_row(name, row, repr(data), "UTF-8") from error
