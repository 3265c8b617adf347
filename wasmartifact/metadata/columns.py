"""Columns of a metadata section in place: every access is checked against the bytes that are there.

Nothing here trusts the section. A directory entry is checked when its column is first used, an index when it is used;
what does not hold raises CorruptArtifact with the file, the column, the row, what was found and what was expected.
"""

from __future__ import annotations

import sys

from wasmartifact.constants import (
    COLUMN_FIELDS,
    COLUMN_IDS,
    DIRECTORY_ENTRY_BYTES,
    ENTRY_RANGES,
    HEADER_RANGES,
    METADATA_HEADER_BYTES,
    OFFSET_TARGETS,
    ROW_COLUMNS,
    VALUE_BYTES,
)

TYPE_CHECKING = False  # importing typing, the schema or errors costs more than all the rest here
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import NoReturn

    from wasmartifact.errors import CorruptArtifact
    from wasmartifact.externtypes import FuncType
    from wasmartifact.metadata.header import Entry, Header


class Columns:
    """Bounds-checked access to the columns of a section.

    Parameters
    ----------
    buffer : buffer
        The whole section: bytes, a mapping, memory of the C runtime. Not copied.
    path : str | None
        The file that it comes from, for errors; None where it has no name.

    Raises
    ------
    IncompatibleHost
        On a big-endian host: columns are little-endian and used in place.
    """

    __slots__ = (
        "_columns",
        "_directory",
        "_header",
        "_names",
        "_names_bytes",
        "chunk_rows",
        "func_types",
        "path",
        "section",
    )

    def __init__(self, buffer: bytes | bytearray | memoryview, path: str | None = None) -> None:
        if sys.byteorder != "little":
            from wasmartifact.errors import IncompatibleHost

            raise IncompatibleHost("artifacts are little-endian and are used in place; this host is big-endian")
        self.section = memoryview(buffer).cast("B").toreadonly()
        self.path = path
        self._header: Header | None = None
        self._directory: dict[int, tuple[int, ...]] | None = None
        self._columns: dict[str, memoryview] = {}
        self._names: dict[int, str] = {}
        self._names_bytes = 0
        self.func_types: dict[int, FuncType] = {}  # made so far, by type index: see rows.py
        self.chunk_rows: dict[str, tuple[Sequence[int], Sequence[int], Sequence[int]]] = {}  # see chunks.py

    def __reduce__(self) -> NoReturn:
        from wasmartifact.hints import unpicklable

        raise unpicklable(self)

    @property
    def header(self) -> Header:
        """The header, decoded on first use."""
        if self._header is None:
            from wasmartifact.metadata.header import read_header

            self._header = read_header(self.section)
        return self._header

    def _header_number(self, name: str) -> int:
        """A field of the header by itself: most readers need no more than the place of the directory."""
        if len(self.section) < METADATA_HEADER_BYTES:
            raise self.corrupt_header("section size in bytes", len(self.section), f"at least {METADATA_HEADER_BYTES}")
        start, end = HEADER_RANGES[name]
        return int.from_bytes(self.section[start:end], "little")

    @property
    def directory(self) -> dict[int, tuple[int, ...]]:
        """The directory by column id, decoded on first use: entries as they stand there. Numbers count from 0."""
        if self._directory is None:
            start, count = map(self._header_number, ("directory_offset", "directory_count"))
            end = start + count * DIRECTORY_ENTRY_BYTES
            if end > len(self.section):
                raise self.corrupt_header("end of the directory", end, f"at most {len(self.section)}")
            fields = list(_entry_fields(self.section[start:end]))
            self._directory = dict(zip(fields[0], zip(*fields, strict=True), strict=True))
        return self._directory

    def entry(self, column_id: int) -> Entry:
        """The directory entry of a column. Raises KeyError where there is none."""
        from wasmartifact.metadata.header import Entry

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
            if name in COLUMN_FIELDS:
                column, place, step = COLUMN_FIELDS[name]
                view = self.column(column).cast("B").cast("I")[place::step]
            else:
                view = self._map(name)
            self._columns[name] = view
        return view

    def _map(self, name: str) -> memoryview:
        """Check a directory entry and view its column."""
        column_id, value_bytes = COLUMN_IDS[name], VALUE_BYTES[name]
        entry = self.directory.get(column_id)
        if entry is None:
            raise self.corrupt_directory(len(self.directory), "column", "missing", name)
        _, element_size_bytes, start, count = entry
        if element_size_bytes != value_bytes:
            number, what = self.entry(column_id).number, f"element_size_bytes of {name}"
            raise self.corrupt_directory(number, what, element_size_bytes, value_bytes)
        end = start + count * value_bytes
        if end > len(self.section):
            number, what = self.entry(column_id).number, f"end of {name}"
            raise self.corrupt_directory(number, what, end, f"at most {len(self.section)}")
        return _values(self.section[start:end], value_bytes)

    def row_count(self, group: str) -> int:
        """Number of rows of a group."""
        name, more = ROW_COLUMNS[group]
        count = self.column(name).nbytes // VALUE_BYTES[name]
        if count < more:
            raise self.corrupt_row(name, 0, "no value", "rows + 1 values")
        return count - more

    def value(self, name: str, row: int) -> int:
        """One value of a column of numbers; ``row`` may come from another column."""
        column = self.column(name)
        if not 0 <= row < len(column):
            raise self.corrupt_row(name, row, "missing", f"one of {len(column)} values")
        return int(column[row])

    def digest(self, name: str, row: int) -> bytes:
        """One value of a column of 16-byte values."""
        data = bytes(self.column(name)[16 * row : 16 * row + 16])
        if len(data) != 16:
            raise self.corrupt_row(name, row, "missing", "16 bytes")
        return data

    def span(self, name: str, row: int) -> memoryview:
        """The values of one row of an offsets column: a slice of its flat column."""
        target = self.column(OFFSET_TARGETS[name])
        start, end = self.value(name, row), self.value(name, row + 1)
        if start > end:
            raise self.corrupt_row(name, row + 1, end, f"at least {start}")
        if end > len(target):
            raise self.corrupt_row(name, row + 1, end, f"at most {len(target)}")
        return target[start:end]

    def text(self, name: str, row: int) -> str:
        """One row of an offsets column of UTF-8 bytes."""
        return self._decode(bytes(self.span(name, row)), name, row)

    def function_name(self, row: int) -> str:
        """Text of one row of the group function_names: bytes of a custom section. Made once for each row."""
        if row in self._names:
            return self._names[row]
        contents = self.column("custom_data_bytes")
        start, size_bytes = self.value("function_name_offset", row), self.value("function_name_size", row)
        if start > len(contents):
            raise self.corrupt_row("function_name_offset", row, start, f"at most {len(contents)}")
        if size_bytes > len(contents) - start:
            raise self.corrupt_row("function_name_size", row, size_bytes, f"at most {len(contents) - start}")
        # Names don't overlap: all of them together are no more than what holds them.
        self._names_bytes += size_bytes
        if self._names_bytes > len(contents):
            raise self.corrupt_row("function_name_size", row, size_bytes, "names that don't overlap")
        name = self._names[row] = self._decode(bytes(contents[start : start + size_bytes]), "function_name_offset", row)
        return name

    def release(self) -> None:
        """Let go of the buffer; every view that was handed out by ``column`` becomes unusable."""
        for view in self._columns.values():
            view.release()
        self._columns.clear()
        self.section.release()

    def _decode(self, data: bytes, name: str, row: int) -> str:
        """The text of a row of a column."""
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise self.corrupt_row(name, row, repr(data), "UTF-8") from error

    # The errors of `faults`, with the file's name. They and their words are imported when there is one.

    def corrupt_header(self, field: str, found: object, expected: object) -> CorruptArtifact:
        """A header field is wrong."""
        from wasmartifact.errors import with_path
        from wasmartifact.metadata import faults

        return with_path(faults.corrupt_header(field, found, expected), self.path)

    def corrupt_directory(self, entry: int, what: str, found: object, expected: object) -> CorruptArtifact:
        """An entry of the directory is wrong."""
        from wasmartifact.errors import with_path
        from wasmartifact.metadata import faults

        return with_path(faults.corrupt_directory(entry, what, found, expected), self.path)

    def corrupt_row(self, column: str, row: int, found: object, expected: object) -> CorruptArtifact:
        """A value of a column is wrong."""
        from wasmartifact.errors import with_path
        from wasmartifact.metadata import faults

        return with_path(faults.corrupt_row(column, row, found, expected), self.path)


def _values(data: memoryview, size_bytes: int) -> memoryview:
    """Values of this size in place: numbers up to 8 bytes, digests and structures as plain bytes."""
    return data.cast("Q" if size_bytes == 8 else "I" if size_bytes == 4 else "H" if size_bytes == 2 else "B")


def _entry_fields(entries: memoryview) -> Iterator[list[int]]:
    """The fields of directory entries, each as a column."""
    for start, end in ENTRY_RANGES.values():
        size_bytes = end - start
        yield _values(entries, size_bytes)[start // size_bytes :: DIRECTORY_ENTRY_BYTES // size_bytes].tolist()
