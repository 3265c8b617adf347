"""Check a finished shared object with readers that are not ours, before anybody may see it.

pyelftools checks every artifact against the list of what may be in one. LIEF checks the layout of segments once more;
as importing it costs 0.4 s of CPU time, and reading takes time and memory in proportion to the file, it looks only at
artifacts whose compilation took a hundred times as long, and that are not huge.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from wasmartifact.elf.structs import PF_R, PF_W, PF_X, SHF_ALLOC
from wasmartifact.errors import ToolchainError
from wasmartifact.host.packages import require
from wasmartifact.schema import ANCHOR, ANCHOR_MAGIC, ANCHOR_SYMBOL, MACHINES, PAGE_BYTES, SECTION_NAME

#: The readers: of every artifact, and of those of a middling size.
CHECKERS: Final = ("elftools.elf.elffile", "lief")
LIEF_MIN_BYTES: Final = 8 << 20
LIEF_MAX_BYTES: Final = 128 << 20

_MACHINE_NAMES: Final = {"x86_64": "EM_X86_64", "aarch64": "EM_AARCH64"}
_DYNAMIC_TAGS: Final = ("DT_GNU_HASH", "DT_STRTAB", "DT_SYMTAB", "DT_STRSZ", "DT_SYMENT", "DT_NULL")
_SEGMENT_TYPES: Final = {"PT_LOAD", "PT_DYNAMIC", "PT_NOTE", "PT_GNU_STACK"}
_SECTIONS: Final = (
    "", ".note.gnu.build-id", ".gnu.hash", ".dynsym", ".dynstr", ".dynamic", ".rodata", ".eh_frame", ".text",
    SECTION_NAME, ".symtab", ".strtab", ".shstrtab",
)  # fmt: skip


def check_shared_object(path: str | os.PathLike[str]) -> None:
    """Check that a file which `assemble` made is what the design promises.

    One or two segments, none of them writable and executable; a stack that is not executable; nothing to relocate,
    nothing to run and nothing needed when it is loaded; the anchor found through the hash table; the sections in their
    order, with the metadata section page-aligned.

    Raises
    ------
    ToolchainError
        Names every finding; or the reader that is missing.
    """
    size_bytes = os.path.getsize(path)
    for package in CHECKERS[: 2 if LIEF_MIN_BYTES <= size_bytes <= LIEF_MAX_BYTES else 1]:
        require(package, "checking the artifact")
    try:
        with open(path, "rb") as stream:
            findings = list(_find_faults(stream))
        if LIEF_MIN_BYTES <= size_bytes <= LIEF_MAX_BYTES:
            findings += _lief_faults(path)
    except Exception as error:  # the readers raise whatever their parts raise
        raise ToolchainError(f"{os.fspath(path)}: the finished file can't be read as ELF: {error!r}") from error
    if findings:
        raise ToolchainError(f"{os.fspath(path)}: the finished file is wrong: {'; '.join(findings)}", findings=findings)


def _find_faults(stream: BinaryIO) -> Iterator[str]:
    from elftools.elf.elffile import ELFFile

    elf = ELFFile(stream)
    machine = next((name for name, label in _MACHINE_NAMES.items() if elf["e_machine"] == label), None)
    if machine is None or elf["e_type"] != "ET_DYN" or elf["e_entry"]:
        found = f"{elf['e_type']} for {elf['e_machine']} with entry point {elf['e_entry']:#x}"
        yield f"{found}, expected ET_DYN for {' or '.join(MACHINES)} without an entry point"
        return
    yield from _segment_faults(elf)
    yield from _section_faults(elf, PAGE_BYTES[machine])
    yield from _dynamic_faults(elf)


def _segment_faults(elf: Any) -> Iterator[str]:
    segments = list(elf.iter_segments())
    types = [segment["p_type"] for segment in segments]
    for type_ in sorted(map(str, {*types} - _SEGMENT_TYPES)):
        yield f"there is a {type_} segment"
    if types.count("PT_LOAD") not in (1, 2):
        yield f"{types.count('PT_LOAD')} segments are mapped, expected 1 or 2"
    for segment in segments:
        flags = segment["p_flags"]
        if flags & PF_W and flags & PF_X:
            yield f"{segment['p_type']} at {segment['p_vaddr']:#x} is writable and executable"
        if segment["p_type"] == "PT_LOAD" and segment["p_memsz"] != segment["p_filesz"]:
            yield f"PT_LOAD at {segment['p_vaddr']:#x} maps {segment['p_memsz']} bytes of {segment['p_filesz']}"
    stacks = [segment["p_flags"] for segment in segments if segment["p_type"] == "PT_GNU_STACK"]
    if stacks != [PF_R | PF_W]:
        yield f"the flags of PT_GNU_STACK are {stacks}, expected read and write"


def _section_faults(elf: Any, page_size_bytes: int) -> Iterator[str]:
    sections = list(elf.iter_sections())
    names = [section.name for section in sections]
    if names != [name for name in _SECTIONS if name != ".eh_frame" or name in names]:
        yield f"the sections are {' '.join(names)}, expected {' '.join(_SECTIONS)}"
        return
    metadata = sections[names.index(SECTION_NAME)]
    if metadata["sh_offset"] % page_size_bytes or metadata["sh_flags"] & SHF_ALLOC:
        yield f"{SECTION_NAME} at {metadata['sh_offset']:#x} is mapped, or not aligned to {page_size_bytes}"
    end = elf["e_shoff"] + elf["e_shnum"] * elf["e_shentsize"]
    if end != elf.stream_len:
        yield f"the section headers end at {end}, the file has {elf.stream_len} bytes"


def _dynamic_faults(elf: Any) -> Iterator[str]:
    tags = tuple(tag["d_tag"] for tag in elf.get_section_by_name(".dynamic").iter_tags())
    if tags != _DYNAMIC_TAGS:
        yield f"the dynamic section holds {' '.join(map(str, tags))}, expected {' '.join(_DYNAMIC_TAGS)}"
    symbols = elf.get_section_by_name(".dynsym")
    anchor = elf.get_section_by_name(".gnu.hash").get_symbol(ANCHOR_SYMBOL)
    if anchor is None or symbols.num_symbols() != 2 or anchor["st_shndx"] == "SHN_UNDEF":
        yield f"the dynamic symbols are not {ANCHOR_SYMBOL} alone"
        return
    (offset,) = elf.address_offsets(anchor["st_value"], ANCHOR.size_bytes)
    elf.stream.seek(offset)
    contents = elf.stream.read(ANCHOR.size_bytes)
    note = next(elf.get_section_by_name(".note.gnu.build-id").iter_notes())
    if int.from_bytes(contents[:8], "little") != ANCHOR_MAGIC or contents[16:].hex() != note["n_desc"]:
        yield f"{ANCHOR_SYMBOL} holds {contents.hex()}, expected its magic number and build id {note['n_desc']}"


def _lief_faults(path: str | os.PathLike[str]) -> list[str]:
    import lief

    binary = lief.ELF.parse(os.fspath(path))
    if binary is None:
        return ["LIEF can't read it"]
    is_sound, message = lief.ELF.check_layout(binary)
    findings = [] if is_sound else [f"LIEF: {message}"]
    if binary.libraries or len(binary.relocations) or not binary.has_nx:
        findings.append("LIEF finds a needed library, a relocation or an executable stack")
    return findings
