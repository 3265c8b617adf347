"""Find the metadata section of a file that may be anything: every field is checked before it is used.

The rules are those of the C runtime (``native/runtime/artifact.c``), and so are the words of the errors. They hold for
a file as packed and for what `strip` leaves of it.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from wasmartifact import schema
from wasmartifact.errors import BadMagic, CorruptArtifact

_ELF_HEADER: Final = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION_HEADER: Final = struct.Struct("<IIQQQQIIQQ")
_MAGIC: Final = b"\x7fELF"
_IDENT_64_LITTLE: Final = b"\x7fELF\x02\x01"
_ET_DYN: Final = 3
_SHT_PROGBITS, _SHT_SYMTAB, _SHT_STRTAB = 1, 2, 3
_TEMPLATES: Final = {error.name: error.template for error in schema.NATIVE_ERRORS}

Buffer = bytes | bytearray | memoryview


class _Section(NamedTuple):
    name: bytes
    type: int
    offset: int
    size: int


def find_section(buffer: Buffer) -> tuple[int, int]:
    """Find ``.wasmartifact``.

    Parameters
    ----------
    buffer : bytes-like
        A whole file, of any content; usually a mapping, of which only a few pages are touched.

    Returns
    -------
    tuple[int, int]
        File offset and size in bytes. The section lies within the file, starts at a page boundary and is at least as
        large as the metadata header.

    Raises
    ------
    BadMagic
        The file is not ELF, or an ELF file without this section.
    CorruptArtifact
        The ELF structure is damaged.
    """
    with memoryview(buffer).cast("B") as data:
        machine, sections = _read_sections(data)
        for section in sections:
            if section.name == schema.SECTION_NAME.encode():
                break
        else:
            raise _no_section()
        if section.type != _SHT_PROGBITS or not _is_inside(section, len(data)):
            raise _corrupt(f"place of {schema.SECTION_NAME}", section.offset, len(data))
        if section.size < schema.METADATA_HEADER.size_bytes:
            raise _corrupt(f"size of {schema.SECTION_NAME}", section.size, schema.METADATA_HEADER.size_bytes)
        if section.offset % schema.PAGE_BYTES[machine]:
            raise _corrupt(f"alignment of {schema.SECTION_NAME}", section.offset % schema.PAGE_BYTES[machine], 0)
        return section.offset, section.size


def is_stripped(buffer: Buffer) -> bool:
    """Whether the file's symbol table, which every artifact has when it is packed, was removed.

    Raises
    ------
    BadMagic, CorruptArtifact
        As `find_section`.
    """
    with memoryview(buffer).cast("B") as data:
        return all(section.type != _SHT_SYMTAB for section in _read_sections(data)[1])


def _read_sections(data: memoryview) -> tuple[str, list[_Section]]:
    """Machine, and all sections but the first, which is none."""
    if len(data) < _ELF_HEADER.size or bytes(data[:4]) != _MAGIC:
        found = int.from_bytes(data[:4], "little")
        expected = int.from_bytes(_MAGIC, "little")
        raise BadMagic(_TEMPLATES["not_elf"].format(found=found, expected=expected), found=found, expected=expected)
    ident, type_, number, _, _, _, table, _, _, _, _, entry_size, count, names_index = _ELF_HEADER.unpack_from(data)
    machines = {number: name for name, number in schema.MACHINES.items()}
    if ident[:6] != _IDENT_64_LITTLE or type_ != _ET_DYN or number not in machines:
        raise _no_section()
    if entry_size != _SECTION_HEADER.size:
        raise _corrupt("e_shentsize", entry_size, _SECTION_HEADER.size)
    if not 2 <= count <= schema.MAX_SECTIONS:
        raise _no_section()
    # Our writer and all known strip tools put the section headers last.
    if table + count * entry_size != len(data):
        raise _corrupt("e_shoff", table, len(data) - count * entry_size)
    if not 0 < names_index < count:
        raise _corrupt("e_shstrndx", names_index, count - 1)
    raw = [_SECTION_HEADER.unpack_from(data, table + index * entry_size) for index in range(1, count)]
    names = _read_names(data, raw[names_index - 1])
    return machines[number], [_Section(_name_at(names, entry[0]), entry[1], entry[4], entry[5]) for entry in raw]


def _read_names(data: memoryview, entry: tuple[int, ...]) -> bytes:
    """The section name table, checked by its own name."""
    table = _Section(b"", entry[1], entry[4], entry[5])
    if table.type != _SHT_STRTAB or table.size > schema.MAX_SECTION_NAMES_BYTES or not _is_inside(table, len(data)):
        raise _corrupt("the section name table", table.type, _SHT_STRTAB)
    names = bytes(data[table.offset : table.offset + table.size])
    if _name_at(names, entry[0]) != b".shstrtab":
        raise _corrupt("the name of the section name table", entry[0], 0)
    return names


def _name_at(names: bytes, start: int) -> bytes:
    """The string that starts there; nothing where that is outside of the table."""
    return names[start:].partition(b"\0")[0]


def _is_inside(section: _Section, size_bytes: int) -> bool:
    return section.offset + section.size <= size_bytes


def _no_section() -> BadMagic:
    return BadMagic(_TEMPLATES["no_section"])


def _corrupt(what: str, found: int, expected: int) -> CorruptArtifact:
    message = _TEMPLATES["corrupt_elf"].format(text=what, found=found, expected=expected)
    return CorruptArtifact(message, what=what, found=found, expected=expected)
