"""Artifacts whose metadata lies while their code is honest, and processes in which they are used.

`Lie` changes rows, counts and header fields; what it gives has digests that fit, as anybody can compute them. Nothing
that the dynamic loader maps is changed.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Final

from wasmartifact import schema
from wasmartifact.elf.read import find_section
from wasmartifact.metadata import digests
from wasmartifact.metadata.columns import Columns
from wasmartifact.metadata.header import patch_header, read_header

TIMEOUT_S: Final = 60
_ENTRY_FIELDS: Final = {"column_id": (0, 4), "element_size_bytes": (4, 4), "offset": (8, 8), "count": (16, 8)}


class Lie:
    """The contents of a sound artifact while they are changed."""

    def __init__(self, contents: bytes) -> None:
        self.file = bytearray(contents)
        start, size_bytes = find_section(contents)
        self.section = slice(start, start + size_bytes)
        columns = Columns(contents[self.section])
        self.numbers = columns.header.numbers
        self.entries = {column.name: columns.entry(column.id) for column in schema.COLUMNS}

    def _place(self, column: str, row: int) -> slice:
        size = schema.VALUE_SIZES[schema.COLUMN_BY_NAME[column].type]
        start = self.section.start + self.entries[column].offset + row * size
        return slice(start, start + size)

    def get(self, column: str, row: int) -> int:
        """One value, or all fields of a structure as one number."""
        return int.from_bytes(self.file[self._place(column, row)], "little")

    def row(self, column: str, row: int, value: int) -> Lie:
        """Another value for a row."""
        place = self._place(column, row)
        self.file[place] = value.to_bytes(place.stop - place.start, "little")
        return self

    def entry(self, column: str, **fields: int) -> Lie:
        """Other fields of a directory entry."""
        number = self.entries[column].number
        start = self.section.start + self.numbers["directory_offset"] + number * schema.DIRECTORY_ENTRY.size_bytes
        for name, value in fields.items():
            at, size = _ENTRY_FIELDS[name]
            self.file[start + at : start + at + size] = value.to_bytes(size, "little")
        return self

    def rows(self, group: str, count: int) -> Lie:
        """Another number of rows for a group, in all of its columns."""
        for column in schema.COLUMNS:
            if column.group == group and column.shape != "flat":
                self.entry(column.name, count=count + int(column.shape == "offsets"))
        return self

    def header(self, **fields: int | bytes) -> Lie:
        """Other header fields."""
        section = memoryview(self.file)[self.section]
        patch_header(section, **fields)
        section.release()
        return self

    def write(self, section_offset: int, data: bytes) -> Lie:
        """Other bytes at an offset in the section: an image, or padding."""
        start = self.section.start + section_offset
        self.file[start : start + len(data)] = data
        return self

    def sealed(self) -> bytes:
        """The file with the digests that its author can compute."""
        section = memoryview(self.file)[self.section]
        head = bytes(self.file[: read_header(section).numbers["head_size_bytes"]])
        rest = bytes(self.file[self.section.stop :])
        digests.seal(head, section, [bytes(self.file[: self.section.start]), section, rest])
        section.release()
        return bytes(self.file)


def outcome(use: Callable[[], object]) -> str:
    """What a process says of ``use``: the repr of its result, or class and first line of its exception; how it died."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(TIMEOUT_S)
        try:
            words = repr(use())
        except BaseException as error:
            words = f"{type(error).__name__}: {error}".splitlines()[0]
        os.write(writer, words.encode()[:60000])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        words = pipe.read().decode()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return f"died with {code}" if code else words
