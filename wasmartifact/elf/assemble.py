"""Write the artifact: the mapped part, the metadata section, function names for debuggers, the section headers.

    head | .rodata | .eh_frame | .text | pages' end | .wasmartifact | .symtab | .strtab | .shstrtab | section headers

The section headers are last, with nothing behind them, so that readers find every byte accounted for.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from wasmartifact.elf.head import (
    BUILD_ID_BYTES,
    DYNAMIC_ENTRY,
    GNU_HASH_BYTES,
    NOTE_BYTES,
    HeadPlan,
    SectionTable,
    align_up,
    build_head,
)
from wasmartifact.elf.layout import Layout
from wasmartifact.elf.object import (
    ALIGN_MAX_BYTES,
    SECTION_HEADER,
    SHF_ALLOC,
    SHF_EXECINSTR,
    SHF_WRITE,
    SHT_NOTE,
    SHT_PROGBITS,
    SHT_STRTAB,
    SHT_SYMTAB,
    STB_LOCAL,
    STT_FUNC,
    SYMBOL,
    UNWIND_NAME,
)
from wasmartifact.errors import ToolchainError
from wasmartifact.schema import ANCHOR_MAGIC, RUNTIME_ABI, SECTION_NAME

SHT_DYNAMIC, SHT_DYNSYM, SHT_GNU_HASH = 6, 11, 0x6FFFFFF6
_ANCHOR: Final = struct.Struct(f"<QII{BUILD_ID_BYTES}s")
Buffer = bytes | bytearray | memoryview


@dataclass(slots=True)
class _Section:
    """A section header in the making; ``contents`` is None for parts of the head."""

    name: str
    type: int
    flags: int
    vaddr: int
    offset: int
    size: int
    contents: Buffer | None = None
    link: int = 0
    info: int = 0
    align: int = 1
    entry_size: int = 0

    @property
    def end(self) -> int:
        """File offset of its end."""
        return self.offset + self.size


def assemble(
    layout: Layout,
    *,
    build_id: bytes,
    section: Buffer,
    symbol_names: Mapping[str, str] | Callable[[str], str],
) -> list[Buffer]:
    """Put the file together.

    Parameters
    ----------
    layout : Layout
        What is mapped.
    build_id : bytes
        16 bytes, for the note and the anchor.
    section : bytes-like
        Contents of ``.wasmartifact``.
    symbol_names : Mapping[str, str] | Callable[[str], str]
        Symbol of a global function to the name that debuggers show. Symbols that a mapping lacks keep theirs.

    Returns
    -------
    list[bytes-like]
        The file is their concatenation. The first chunk is the head (``layout.head_size_bytes`` long, what
        load_checksum covers). One chunk is ``section`` itself, not a copy, so that fields which depend on the finished
        file (its size, digests) can be filled in afterwards; no other chunk depends on the section's contents.
    """
    if len(build_id) != BUILD_ID_BYTES:
        raise ValueError(f"a build id has {BUILD_ID_BYTES} bytes, not {len(build_id)}")
    sections = [*_head_sections(layout.head), *_code_sections(layout, build_id)]
    mapped_end = sections[-1].end
    numbers = {entry.name: number for number, entry in enumerate(sections)}
    # eu-strip and llvm-strip drop a section that is not mapped, unless a mapped one refers to it.
    sections[numbers[".rodata"]].link = len(sections)
    _append(sections, SECTION_NAME, SHT_PROGBITS, section, align=layout.page_size_bytes)
    symbols, strings = _symbol_table(layout, symbol_names, numbers[".text"])
    count = len(symbols) // SYMBOL.size
    places = {"link": len(sections) + 1, "info": count, "align": 8, "entry_size": SYMBOL.size}
    _append(sections, ".symtab", SHT_SYMTAB, symbols, **places)
    _append(sections, ".strtab", SHT_STRTAB, strings)
    starts, names = _section_names([*(entry.name for entry in sections), ".shstrtab"])
    _append(sections, ".shstrtab", SHT_STRTAB, names)
    headers_offset = align_up(sections[-1].end, 8)
    head = build_head(
        layout.head,
        mapped_end=mapped_end,
        build_id=build_id,
        anchor_vaddr=layout.anchor_vaddr,
        anchor_section=numbers[".rodata"],
        table=SectionTable(headers_offset, len(sections), len(sections) - 1),
    )
    chunks: list[Buffer] = [head]
    position = len(head)
    headers = _section_headers(sections, starts)
    contents = [(entry.offset, entry.contents) for entry in sections if entry.contents is not None]
    for offset, chunk in [*contents, (headers_offset, headers)]:
        if offset > position:
            chunks.append(bytes(offset - position))
        chunks.append(chunk)
        position = offset + memoryview(chunk).nbytes
    return chunks


def _append(sections: list[_Section], name: str, type_: int, contents: Buffer, *, align: int = 1, **more: int) -> None:
    """Add a section that is not mapped behind the others."""
    offset = align_up(sections[-1].end, align)
    size = memoryview(contents).nbytes
    sections.append(_Section(name, type_, 0, 0, offset, size, contents, align=align, **more))


def _head_sections(head: HeadPlan) -> list[_Section]:
    """The sections of the head, index 0 included."""
    names = [".note.gnu.build-id", ".gnu.hash", ".dynsym", ".dynstr", ".dynamic"]
    dynsym, dynstr = names.index(".dynsym") + 1, names.index(".dynstr") + 1

    def place(name: str, type_: int, offset: int, size: int, **more: Any) -> _Section:
        is_writable = name == ".dynamic" and head.segments == 2
        flags = SHF_ALLOC | SHF_WRITE if is_writable else SHF_ALLOC
        return _Section(name, type_, flags, offset, offset, size, **more)

    symbols = {"link": dynstr, "info": 1, "align": 8, "entry_size": SYMBOL.size}
    dynamic = {"link": dynstr, "align": 8, "entry_size": DYNAMIC_ENTRY.size}
    return [
        _Section("", 0, 0, 0, 0, 0, align=0),
        place(names[0], SHT_NOTE, head.note_offset, NOTE_BYTES, align=4),
        place(names[1], SHT_GNU_HASH, head.hash_offset, GNU_HASH_BYTES, link=dynsym, align=8),
        place(names[2], SHT_DYNSYM, head.dynsym_offset, 2 * SYMBOL.size, **symbols),
        place(names[3], SHT_STRTAB, head.dynstr_offset, head.dynstr_size_bytes),
        place(names[4], SHT_DYNAMIC, head.dynamic_offset, head.dynamic_size_bytes, **dynamic),
    ]


def _code_sections(layout: Layout, build_id: bytes) -> list[_Section]:
    """What is mapped behind the head; the anchor gets its build id."""
    rodata = bytearray(layout.rodata)
    _ANCHOR.pack_into(rodata, layout.anchor_vaddr - layout.rodata_vaddr, ANCHOR_MAGIC, RUNTIME_ABI, 0, build_id)
    bias = layout.head.code_vaddr_bias
    return [
        _Section(name, SHT_PROGBITS, flags, vaddr, vaddr - bias, len(contents), contents, align=ALIGN_MAX_BYTES)
        for name, vaddr, contents, flags in (
            (".rodata", layout.rodata_vaddr, rodata, SHF_ALLOC),
            (UNWIND_NAME, layout.unwind_vaddr, layout.unwind, SHF_ALLOC),
            (".text", layout.text_vaddr, layout.text, SHF_ALLOC | SHF_EXECINSTR),
        )
        if contents or name != UNWIND_NAME
    ]


def _symbol_table(
    layout: Layout, symbol_names: Mapping[str, str] | Callable[[str], str], text_section: int
) -> tuple[bytes, bytes]:
    """.symtab (local functions, ascending by address) and its strings, equal names stored once."""
    name_of = symbol_names if callable(symbol_names) else (lambda symbol: symbol_names.get(symbol, symbol))
    table = bytearray((len(layout.functions) + 1) * SYMBOL.size)
    starts = {b"\0": 0}
    strings = [b"\0"]
    size = 1
    pack_into = SYMBOL.pack_into
    info = STB_LOCAL << 4 | STT_FUNC
    for index, (symbol, (offset, size_bytes)) in enumerate(layout.functions.items(), 1):
        # A NUL would end the name early.
        name = name_of(symbol).replace("\0", "\ufffd").encode("utf-8", "replace") + b"\0"
        start = starts.setdefault(name, size)
        if start == size:
            strings.append(name)
            size += len(name)
        pack_into(table, index * SYMBOL.size, start, info, 0, text_section, layout.text_vaddr + offset, size_bytes)
    if size > 0xFFFFFFFF:
        raise ToolchainError(f"the function names have {size} bytes, expected at most 4 GiB; strip the name section")
    return bytes(table), b"".join(strings)


def _section_names(names: Sequence[str]) -> tuple[list[int], bytes]:
    """Where each name starts in ``.shstrtab``, and its contents. The first name is the empty one."""
    starts, size = [], 0
    for name in names:
        starts.append(size)
        size += len(name) + 1
    return starts, "".join(f"{name}\0" for name in names).encode()


def _section_headers(sections: Sequence[_Section], name_starts: Sequence[int]) -> bytes:
    return b"".join(
        SECTION_HEADER.pack(
            start, entry.type, entry.flags, entry.vaddr, entry.offset, entry.size, entry.link, entry.info, entry.align,
            entry.entry_size,
        )
        for start, entry in zip(name_starts, sections, strict=True)
    )  # fmt: skip
