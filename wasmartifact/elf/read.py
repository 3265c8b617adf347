"""Find sections and segments in a file that may be anything: every field is checked before it is used.

The rules are those of the C runtime (``native/runtime/artifact.c``), and so are the words of the errors. They hold for
a file as packed and for what `strip` leaves of it.
"""

from __future__ import annotations

from typing import Final

from wasmartifact import schema
from wasmartifact.elf.structs import (
    ELF_HEADER,
    ELF_IDENT,
    ET_DYN,
    PROGRAM_HEADER,
    PT_LOAD,
    SECTION_HEADER,
    SHT_PROGBITS,
    SHT_STRTAB,
    SHT_SYMTAB,
)
from wasmartifact.errors import BadMagic, CorruptArtifact
from wasmartifact.record import NamedTuple
from wasmartifact.schema import Buffer

_SECTION_NAME: Final = schema.SECTION_NAME.encode() + b"\0"
_TEMPLATES: Final = {error.name: error.template for error in schema.NATIVE_ERRORS}


class SectionPlace(NamedTuple):
    """A section of a file: what its header says."""

    name: bytes
    type: int
    offset: int
    size: int


def find_section(buffer: Buffer, *, is_packed: bool = True) -> tuple[int, int]:
    """Find ``.wasmartifact``.

    Parameters
    ----------
    buffer : bytes-like
        A whole file, of any content; usually a mapping, of which only a few pages are touched.
    is_packed : bool
        False to also find it where a tool has moved it: at any offset, in a file that does not end with its section
        headers.

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
        machine, names, raw = _read_table(data, is_packed=is_packed)
        entry = next((entry for entry in raw if names.startswith(_SECTION_NAME, entry[0])), None)
        if entry is None:
            raise _no_section()
        section = SectionPlace(b"", entry[1], entry[4], entry[5])
        if section.type != SHT_PROGBITS or not _is_inside(section, len(data)):
            raise corrupt_elf(f"place of {schema.SECTION_NAME}", section.offset, len(data))
        if section.size < schema.METADATA_HEADER.size_bytes:
            raise corrupt_elf(f"size of {schema.SECTION_NAME}", section.size, schema.METADATA_HEADER.size_bytes)
        if is_packed and section.offset % schema.PAGE_BYTES[machine]:
            raise corrupt_elf(f"alignment of {schema.SECTION_NAME}", section.offset % schema.PAGE_BYTES[machine], 0)
        return section.offset, section.size


def is_stripped(buffer: Buffer) -> bool:
    """Whether the file's symbol table, which every artifact has when it is packed, was removed.

    Raises
    ------
    BadMagic, CorruptArtifact
        As `find_section`.
    """
    with memoryview(buffer).cast("B") as data:
        return all(entry[1] != SHT_SYMTAB for entry in _read_table(data)[2])


class Segment(NamedTuple):
    """A loadable segment: where its bytes lie in the file and in memory."""

    offset: int
    vaddr: int
    size_bytes: int


def read_segments(data: memoryview) -> list[Segment]:
    """The loadable segments of a file in which `find_section` found a section.

    Raises
    ------
    CorruptArtifact
        A program header lies outside of the file, or a segment does.
    """
    _, _, _, _, _, table, _, _, _, entry_size, count, _, _, _ = ELF_HEADER.unpack_from(data)
    if entry_size != PROGRAM_HEADER.size:
        raise corrupt_elf("e_phentsize", entry_size, PROGRAM_HEADER.size)
    end = table + count * PROGRAM_HEADER.size
    if end > len(data):
        raise corrupt_elf("end of the program headers", end, f"at most {len(data)}")
    segments = []
    for kind, _, offset, vaddr, _, size_bytes, _, _ in PROGRAM_HEADER.iter_unpack(data[table:end]):
        if kind == PT_LOAD:
            if offset + size_bytes > len(data):
                raise corrupt_elf("end of a loadable segment", offset + size_bytes, f"at most {len(data)}")
            segments.append(Segment(offset, vaddr, size_bytes))
    if not segments:
        raise corrupt_elf("number of loadable segments", 0, "at least 1")
    return segments


def file_offset(segments: list[Segment], what: str, vaddr: int, size_bytes: int) -> int:
    """Where the bytes at a virtual address lie in the file.

    Raises
    ------
    CorruptArtifact
        They lie in no segment; ``what`` names them.
    """
    for segment in segments:
        if segment.vaddr <= vaddr and vaddr + size_bytes <= segment.vaddr + segment.size_bytes:
            return segment.offset + vaddr - segment.vaddr
    raise corrupt_elf(f"address of {what}", f"{vaddr:#x}", "an address in a loadable segment")


def read_sections(data: memoryview) -> tuple[str, list[SectionPlace]]:
    """Machine, and all sections but the first, which is none. Raises as `find_section` does."""
    machine, names, raw = _read_table(data)
    return machine, [SectionPlace(_name_at(names, entry[0]), entry[1], entry[4], entry[5]) for entry in raw]


def _read_table(data: memoryview, *, is_packed: bool = True) -> tuple[str, bytes, list[tuple[int, ...]]]:
    """Machine, names and headers of all sections but the first."""
    if bytes(data[:4]) != ELF_IDENT[:4]:
        found = int.from_bytes(data[:4], "little")
        expected = int.from_bytes(ELF_IDENT[:4], "little")
        raise BadMagic(_TEMPLATES["not_elf"].format(found=found, expected=expected), found=found, expected=expected)
    if len(data) < ELF_HEADER.size:
        raise corrupt_elf("the size of the file", len(data), ELF_HEADER.size)
    ident, type_, number, _, _, _, table, _, _, _, _, entry_size, count, names_index = ELF_HEADER.unpack_from(data)
    machines = {number: name for name, number in schema.MACHINES.items()}
    if ident[:6] != ELF_IDENT[:6] or type_ != ET_DYN or number not in machines:
        raise _no_section()
    if entry_size != SECTION_HEADER.size:
        raise corrupt_elf("e_shentsize", entry_size, SECTION_HEADER.size)
    if not 2 <= count <= schema.MAX_SECTIONS:
        raise _no_section()
    # Our writer and all known strip tools put the section headers last.
    end = table + count * entry_size
    if len(data) < end < 1 << 63:
        raise corrupt_elf("the size of the file", len(data), end)
    if end > len(data) or (is_packed and end != len(data)):
        raise corrupt_elf("e_shoff", table, len(data) - count * entry_size)
    if not 0 < names_index < count:
        raise corrupt_elf("e_shstrndx", names_index, count - 1)
    _, *raw = SECTION_HEADER.iter_unpack(data[table:end])
    return machines[number], _read_names(data, raw[names_index - 1]), raw


def _read_names(data: memoryview, entry: tuple[int, ...]) -> bytes:
    """The section name table, checked by its own name."""
    table = SectionPlace(b"", entry[1], entry[4], entry[5])
    if table.type != SHT_STRTAB or table.size > schema.MAX_SECTION_NAMES_BYTES or not _is_inside(table, len(data)):
        raise corrupt_elf("the section name table", table.type, SHT_STRTAB)
    names = bytes(data[table.offset : table.offset + table.size]) + b"\0"
    if _name_at(names, entry[0]) != b".shstrtab":
        raise corrupt_elf("the name of the section name table", entry[0], 0)
    return names


def _name_at(names: bytes, start: int) -> bytes:
    """The string that starts there; nothing where that is outside of the table."""
    return names[start:].partition(b"\0")[0]


def _is_inside(section: SectionPlace, size_bytes: int) -> bool:
    return section.offset + section.size <= size_bytes


def _no_section() -> BadMagic:
    return BadMagic(_TEMPLATES["no_section"])


def corrupt_elf(what: str, found: object, expected: object) -> CorruptArtifact:
    """The error for a field of the ELF structure that is not what it should be."""
    message = _TEMPLATES["corrupt_elf"].format(text=what, found=found, expected=expected)
    return CorruptArtifact(message, what=what, found=found, expected=expected)
