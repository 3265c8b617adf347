"""DWARF line tables, versions 2 to 5 (DWARF 5, section 6.2): units of a ``.debug_line`` section, their files and rows.

The table may be anything: what does not decode raises ``LineTableError``, and no input takes more memory or time than
its size explains.
"""

from __future__ import annotations

import posixpath
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_COPY, _ADVANCE_PC, _ADVANCE_LINE, _SET_FILE, _SET_COLUMN = range(1, 6)
_CONST_ADD_PC, _FIXED_ADVANCE_PC = 8, 9
_END_SEQUENCE, _SET_ADDRESS = 1, 2
#: Content types and forms of version 5's file entries; sizes of the forms that tell nothing of interest.
_CONTENT_PATH, _CONTENT_DIRECTORY = 1, 2
_FORM_STRING, _FORM_STRP, _FORM_LINE_STRP, _FORM_UDATA, _FORM_BLOCK = 0x08, 0x0E, 0x1F, 0x0F, 0x09
_FIXED_FORMS: Final = {0x0B: 1, 0x05: 2, 0x06: 4, 0x07: 8, 0x1E: 16}
_DWARF64: Final = 0xFFFFFFFF
_LEB_MAX_BITS: Final = 70
_ADDRESS_MAX_BYTES: Final = 8
#: Longest file name in bytes that is taken for one.
_NAME_MAX_BYTES: Final = 4096
#: Bytes of a line program whose rows are handed over together.
_CHUNK_BYTES: Final = 1 << 16

#: In place of a row's line: the address is the first one behind a sequence of instructions.
END: Final = -1
#: (address, file, line, column)
Row = tuple[int, int, int, int]
#: A string that ends with a zero byte: the bytes that it lies in, and where it starts there.
_Text = tuple[bytes, int]


class LineTableError(ValueError):
    """A line table that does not decode."""


@dataclass(frozen=True, slots=True)
class LineUnit:
    """One unit of a line table: what its header says, and its program, which ``rows`` runs.

    Attributes
    ----------
    version : int
        DWARF version.
    program : bytes
        The line program.
    address_step, line_base, line_range : int
        Parameters of the special opcodes.
    operand_counts : bytes
        Number of operands of each standard opcode, from opcode 1 on.
    directories : list[_Text | None]
        None stands for the compilation directory.
    files : list[tuple[_Text, int] | None]
        Name and directory of each file, by the index that rows have.
    """

    version: int
    program: bytes
    address_step: int
    line_base: int
    line_range: int
    operand_counts: bytes
    directories: list[_Text | None]
    files: list[tuple[_Text, int] | None]

    def path(self, file: int) -> str | None:
        """Path of a file of the unit, relative to the compilation directory unless it is absolute; None if unknown."""
        entry = self.files[file] if 0 <= file < len(self.files) else None
        if entry is None:
            return None
        text, directory = entry
        base = self.directories[directory] if 0 <= directory < len(self.directories) else None
        try:
            return posixpath.join(_decode(base), _decode(text)) if base else _decode(text)
        except ValueError:
            return None

    def rows(self) -> Iterator[list[Row]]:
        """Run the program; yields rows in the program's order, in lists of some size.

        Raises
        ------
        LineTableError
            The program is cut off or does not decode.
        """
        try:
            yield from self._run()
        except (IndexError, struct.error) as error:
            raise LineTableError(f"a line program is cut off: {error}") from error

    def _run(self) -> Iterator[list[Row]]:
        program, step, opcode_base = self.program, self.address_step, len(self.operand_counts) + 1
        specials = [max(opcode - opcode_base, 0) for opcode in range(256)]
        advances = [special // self.line_range * step for special in specials]
        lines = [self.line_base + special % self.line_range for special in specials]
        address, file, line, column, position = 0, 1, 1, 0, 0
        while position < len(program):
            rows: list[Row] = []
            append = rows.append
            chunk_end = min(position + _CHUNK_BYTES, len(program))
            while position < chunk_end:
                opcode = program[position]
                position += 1
                if opcode >= opcode_base:
                    address += advances[opcode]
                    line += lines[opcode]
                    append((address, file, line, column))
                elif opcode == _COPY:
                    append((address, file, line, column))
                elif opcode == _ADVANCE_LINE:
                    change, position = read_leb(program, position, signed=True)
                    line += change
                elif opcode == _SET_COLUMN:
                    column, position = read_leb(program, position)
                elif opcode == _ADVANCE_PC:
                    change, position = read_leb(program, position)
                    address += change * step
                elif opcode == _SET_FILE:
                    file, position = read_leb(program, position)
                elif opcode == _CONST_ADD_PC:
                    address += advances[255]
                elif opcode == _FIXED_ADVANCE_PC:
                    address += struct.unpack_from("<H", program, position)[0]
                    position += 2
                elif opcode == 0:
                    size, position = read_leb(program, position)
                    if not size or position + size > len(program):
                        raise LineTableError(f"an extended opcode of {size} bytes")
                    if program[position] == _END_SEQUENCE:
                        append((address, file, END, 0))
                        address, file, line, column = 0, 1, 1, 0
                    elif program[position] == _SET_ADDRESS:
                        if size > 1 + _ADDRESS_MAX_BYTES:
                            raise LineTableError(f"an address of {size - 1} bytes")
                        address = int.from_bytes(program[position + 1 : position + size], "little")
                    position += size
                else:
                    for _ in range(self.operand_counts[opcode - 1]):
                        _, position = read_leb(program, position)
            yield rows


def read_units(section: bytes, line_strings: bytes = b"", strings: bytes = b"") -> Iterator[LineUnit]:
    """The units of a ``.debug_line`` section.

    Parameters
    ----------
    section : bytes
        The whole section.
    line_strings, strings : bytes
        The sections ``.debug_line_str`` and ``.debug_str``, which version 5 refers to.

    Raises
    ------
    LineTableError
        A header that does not decode; nothing behind it is read.
    """
    position = 0
    while position < len(section):
        try:
            (size,) = struct.unpack_from("<I", section, position)
            position += 4
            offset_size = 4
            if size == _DWARF64:
                (size,) = struct.unpack_from("<Q", section, position)
                position += 8
                offset_size = 8
            if size > len(section) - position:
                raise LineTableError(f"a unit of {size} bytes where {len(section) - position} are left")
            unit = section[position : position + size]
            yield _HeaderReader(unit, offset_size, line_strings, strings).read()
        except (IndexError, struct.error) as error:
            raise LineTableError(f"a header is cut off: {error}") from error
        position += size


class _HeaderReader:
    """Reads the header of one unit, whose bytes are ``data``."""

    def __init__(self, data: bytes, offset_size: int, line_strings: bytes, strings: bytes) -> None:
        self.data, self.offset_size = data, offset_size
        self.pools = {_FORM_LINE_STRP: line_strings, _FORM_STRP: strings}
        self.position = 0

    def number(self, size_bytes: int) -> int:
        start = self.position
        self.position += size_bytes
        if self.position > len(self.data):
            raise LineTableError("a header is cut off")
        return int.from_bytes(self.data[start : self.position], "little")

    def leb(self) -> int:
        value, self.position = read_leb(self.data, self.position)
        return value

    def text(self) -> _Text:
        start = self.position
        end = self.data.find(0, start)
        if end < 0:
            raise LineTableError("a name without an end")
        self.position = end + 1
        return self.data, start

    def read(self) -> LineUnit:
        version = self.number(2)
        if not 2 <= version <= 5:
            raise LineTableError(f"a line table of DWARF version {version}, expected 2 to 5")
        if version == 5:
            self.number(2)  # size of addresses, of segment selectors
        header_size = self.number(self.offset_size)
        program = self.position + header_size
        step = self.number(1)
        self.number(2 if version >= 4 else 1)  # operations per instruction; whether rows start as statements
        (line_base,) = struct.unpack_from("<b", self.data, self.position)
        self.position += 1
        line_range, opcode_base = self.number(1), self.number(1)
        if not line_range or not opcode_base:
            raise LineTableError("a line range or an opcode base of 0")
        operand_counts = bytes(self.number(1) for _ in range(opcode_base - 1))
        directories, files = self.entries_5() if version == 5 else self.entries_2()
        return LineUnit(
            version, self.data[program:], step, line_base, line_range, operand_counts, directories, files
        )  # fmt: skip

    def entries_2(self) -> tuple[list[_Text | None], list[tuple[_Text, int] | None]]:
        """Directories and files up to version 4, counted from 1."""
        directories: list[_Text | None] = [None]
        files: list[tuple[_Text, int] | None] = [None]
        while self.data[self.position]:
            directories.append(self.text())
        self.position += 1
        while self.data[self.position]:
            name, directory = self.text(), self.leb()
            self.leb()  # time of change
            self.leb()  # size
            files.append((name, directory))
        return directories, files

    def entries_5(self) -> tuple[list[_Text | None], list[tuple[_Text, int] | None]]:
        """Directories and files of version 5, counted from 0; the first directory is the compilation's."""
        directories: list[_Text | None] = [text for text, _ in self.table_5()]
        directories[:1] = [None]
        files: list[tuple[_Text, int] | None] = [(text, index) if text else None for text, index in self.table_5()]
        return directories, files

    def table_5(self) -> list[tuple[_Text | None, int]]:
        """Path and directory of each entry of a table that describes its own columns."""
        columns = [(self.leb(), self.leb()) for _ in range(self.number(1))]
        count = self.leb()
        if count and not columns:
            raise LineTableError(f"{count} entries without a column")
        rows = []
        for _ in range(count):
            path, directory = None, 0
            for content, form in columns:
                value = self.value(form)
                if content == _CONTENT_PATH and isinstance(value, tuple):
                    path = value
                elif content == _CONTENT_DIRECTORY and isinstance(value, int):
                    directory = value
            rows.append((path, directory))
        return rows

    def value(self, form: int) -> _Text | int:
        """One value; every form takes at least a byte."""
        if form == _FORM_STRING:
            return self.text()
        if form in self.pools:
            return self.pools[form], self.number(self.offset_size)
        if form == _FORM_UDATA:
            return self.leb()
        if form == _FORM_BLOCK:
            return self.number(self.leb())
        if form in _FIXED_FORMS:
            return self.number(_FIXED_FORMS[form])
        raise LineTableError(f"a form {form:#x} that file entries don't have")


def _decode(text: _Text) -> str:
    """The string; ValueError where it has no end or is too long to be a name."""
    data, start = text
    return data[start : data.index(0, start, start + _NAME_MAX_BYTES)].decode(errors="replace")


def read_leb(data: bytes, position: int, signed: bool = False) -> tuple[int, int]:
    """Decode a LEB128 integer; return it and the position behind it.

    Raises
    ------
    IndexError
        It is cut off.
    LineTableError
        It is longer than any that DWARF has.
    """
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (value - (1 << shift) if signed and byte & 0x40 else value), position
        if shift >= _LEB_MAX_BITS:
            raise LineTableError(f"an integer of more than {_LEB_MAX_BITS} bits")
