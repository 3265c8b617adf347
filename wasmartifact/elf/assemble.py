"""Write the artifact: the mapped part, the metadata section, function names for debuggers, the section headers.

    head | .rodata | .eh_frame | .text | pages' end | .wasmartifact | .symtab | .strtab | .shstrtab | section headers

A snapshot may have .images behind .text. The section headers are last, with nothing behind them, so that readers find
every byte accounted for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, Final

from wasmartifact.dataclass import dataclass
from wasmartifact.elf.file_head import HeadPlan, SectionTable, build_head
from wasmartifact.elf.layout import Layout
from wasmartifact.elf.object import ALIGN_MAX_BYTES, UNWIND_NAME
from wasmartifact.elf.structs import (
    BUILD_ID_NOTE,
    DYNAMIC_ENTRY,
    GNU_HASH,
    SECTION_HEADER,
    SHF_ALLOC,
    SHF_EXECINSTR,
    SHF_WRITE,
    SHT_DYNAMIC,
    SHT_DYNSYM,
    SHT_GNU_HASH,
    SHT_NOTE,
    SHT_PROGBITS,
    SHT_STRTAB,
    SHT_SYMTAB,
    STB_LOCAL,
    STT_FUNC,
    SYMBOL,
)
from wasmartifact.errors import ToolchainError
from wasmartifact.schema import ANCHOR, ANCHOR_MAGIC, BUILD_ID_BYTES, SECTION_NAME, Buffer, align_up

#: Table images of a snapshot that have no room before the text.
IMAGES_NAME: Final = ".images"
#: Longer names of symbols lose their middle: with C++'s .strtab would be a tenth of the file. Metadata has them whole.
SYMBOL_MAX_CHARS: Final = 96
_MIDDLE: Final = "..."
_ANCHOR: Final = ANCHOR.packer()
_ANCHOR_BUILD_ID: Final = ANCHOR.offsets()["build_id"]


@dataclass(slots=True)
class SharedObject:
    """A file in pieces, which are its contents in the order of the attributes.

    Attributes
    ----------
    head : bytearray
        What dlopen looks at: the bytes that ``load_checksum`` covers.
    code : list[Buffer]
        From there to the metadata section, padding included: what ``build_id`` covers. The anchor comes first.
    section : bytearray
        The very object that `assemble` got, so that header fields which depend on the finished file can be filled in
        afterwards: no other piece depends on its contents.
    rest : list[Buffer]
        Symbols, names and section headers.
    """

    head: bytearray
    code: list[Buffer]
    section: bytearray
    rest: list[Buffer]
    _build_id_places: tuple[tuple[bytearray, int], ...]

    @property
    def pieces(self) -> list[Buffer]:
        """The file is their concatenation."""
        return [self.head, *self.code, self.section, *self.rest]

    @property
    def size_bytes(self) -> int:
        """Size of the file."""
        return sum(map(len, self.pieces))

    def write_build_id(self, build_id: bytes) -> None:
        """Fill in the build id, zero so far, where the note and the anchor hold it."""
        if len(build_id) != BUILD_ID_BYTES:
            raise ValueError(f"a build id has {BUILD_ID_BYTES} bytes, not {len(build_id)}")
        for piece, offset in self._build_id_places:
            piece[offset : offset + BUILD_ID_BYTES] = build_id


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


def assemble(layout: Layout, *, section: bytearray, runtime_abi: int, symbol_names: Mapping[str, str]) -> SharedObject:
    """Put the file together; its build id is zero.

    Parameters
    ----------
    layout : Layout
        What is mapped.
    section : bytearray
        Contents of ``.wasmartifact``.
    runtime_abi : int
        What its header says of that, for the anchor.
    symbol_names : Mapping[str, str]
        Symbol of a global function to the name that debuggers show. Symbols that are not there keep theirs.
    """
    rodata = _rodata(layout, runtime_abi)
    sections = [*_head_sections(layout.head), *_code_sections(layout, rodata)]
    mapped = len(sections)
    mapped_end = sections[-1].end
    numbers = {entry.name: number for number, entry in enumerate(sections)}
    # eu-strip and llvm-strip drop a section that is not mapped, unless a mapped one refers to it.
    sections[numbers[".rodata"]].link = mapped
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
        anchor_vaddr=layout.anchor_vaddr,
        anchor_section=numbers[".rodata"],
        table=SectionTable(headers_offset, len(sections), len(sections) - 1),
    )
    metadata = sections[mapped]
    contents = [(entry.offset, entry.contents) for entry in sections]
    code = _padded(len(head), [*contents[:mapped], (metadata.offset, b"")])
    rest = _padded(metadata.end, [*contents[mapped + 1 :], (headers_offset, _section_headers(sections, starts))])
    return SharedObject(
        head,
        list(code),
        section,
        list(rest),
        ((head, layout.head.build_id_offset), (rodata, _anchor_offset(layout) + _ANCHOR_BUILD_ID)),
    )


def _padded(position: int, contents: Iterable[tuple[int, Buffer | None]]) -> Iterator[Buffer]:
    """Contents that lie at file offsets, ascending from ``position`` on, with zeros between them."""
    for offset, piece in contents:
        if piece is None:  # a part of the head
            continue
        if offset > position:
            yield bytes(offset - position)
        if piece:
            yield piece
        position = offset + len(piece)


def _append(sections: list[_Section], name: str, type_: int, contents: Buffer, *, align: int = 1, **more: int) -> None:
    """Add a section that is not mapped behind the others."""
    offset = align_up(sections[-1].end, align)
    sections.append(_Section(name, type_, 0, 0, offset, len(contents), contents, align=align, **more))


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
        place(names[0], SHT_NOTE, head.note_offset, BUILD_ID_NOTE.size, align=4),
        place(names[1], SHT_GNU_HASH, head.hash_offset, GNU_HASH.size, link=dynsym, align=8),
        place(names[2], SHT_DYNSYM, head.dynsym_offset, 2 * SYMBOL.size, **symbols),
        place(names[3], SHT_STRTAB, head.dynstr_offset, head.dynstr_size_bytes),
        place(names[4], SHT_DYNAMIC, head.dynamic_offset, head.dynamic_size_bytes, **dynamic),
    ]


def _anchor_offset(layout: Layout) -> int:
    """Where the anchor lies in ``.rodata``."""
    return layout.anchor_vaddr - layout.rodata_vaddr


def _rodata(layout: Layout, runtime_abi: int) -> bytearray:
    """The constants, with an anchor that has no build id yet."""
    rodata = bytearray(layout.rodata)
    _ANCHOR.pack_into(
        rodata, _anchor_offset(layout), ANCHOR_MAGIC, runtime_abi, layout.levels_offset, bytes(BUILD_ID_BYTES)
    )
    return rodata


def _code_sections(layout: Layout, rodata: bytearray) -> list[_Section]:
    """What is mapped behind the head."""
    bias = layout.head.code_vaddr_bias
    page = layout.page_size_bytes
    return [
        _Section(name, SHT_PROGBITS, flags, vaddr, vaddr - bias, len(contents), contents, align=align)
        for name, vaddr, contents, flags, align in (
            (".rodata", layout.rodata_vaddr, rodata, SHF_ALLOC, ALIGN_MAX_BYTES),
            (UNWIND_NAME, layout.unwind_vaddr, layout.unwind, SHF_ALLOC, ALIGN_MAX_BYTES),
            (".text", layout.text_vaddr, layout.text, SHF_ALLOC | SHF_EXECINSTR, ALIGN_MAX_BYTES),
            (IMAGES_NAME, layout.images_vaddr, layout.images, SHF_ALLOC, page),
        )
        if contents or name not in (UNWIND_NAME, IMAGES_NAME)
    ]


def _symbol_table(layout: Layout, symbol_names: Mapping[str, str], text_section: int) -> tuple[bytes, bytes]:
    """.symtab (local functions, ascending by address) and its strings, equal names stored once."""
    table = bytearray((len(layout.functions) + 1) * SYMBOL.size)
    starts = {b"\0": 0}
    strings = [b"\0"]
    size = 1
    pack_into = SYMBOL.pack_into
    info = STB_LOCAL << 4 | STT_FUNC
    for index, (symbol, (offset, size_bytes)) in enumerate(layout.functions.items(), 1):
        # A NUL would end the name early.
        name = _abridged(symbol_names.get(symbol, symbol)).replace("\0", "\ufffd").encode("utf-8", "replace") + b"\0"
        start = starts.setdefault(name, size)
        if start == size:
            strings.append(name)
            size += len(name)
        pack_into(table, index * SYMBOL.size, start, info, 0, text_section, layout.text_vaddr + offset, size_bytes)
    if size > 0xFFFFFFFF:
        raise ToolchainError(f"the function names have {size} bytes, expected at most 4 GiB; strip the name section")
    return bytes(table), b"".join(strings)


def _abridged(name: str) -> str:
    """A name of at most SYMBOL_MAX_CHARS characters: of a longer one how it begins and how it ends."""
    if len(name) <= SYMBOL_MAX_CHARS:
        return name
    half = (SYMBOL_MAX_CHARS - len(_MIDDLE)) // 2
    return name[: SYMBOL_MAX_CHARS - len(_MIDDLE) - half] + _MIDDLE + name[-half:]


def _section_names(names: Sequence[str]) -> tuple[list[int], bytes]:
    """Where each name starts in ``.shstrtab``, and its contents. The first name is the empty one."""
    starts = accumulate([len(name) + 1 for name in names[:-1]], initial=0)
    return list(starts), "\0".join([*names, ""]).encode()


def _section_headers(sections: Sequence[_Section], name_starts: Sequence[int]) -> bytes:
    return b"".join([
        SECTION_HEADER.pack(
            start, entry.type, entry.flags, entry.vaddr, entry.offset, entry.size, entry.link, entry.info, entry.align,
            entry.entry_size,
        )
        for start, entry in zip(name_starts, sections, strict=True)
    ])  # fmt: skip
