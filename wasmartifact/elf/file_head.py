"""The first bytes of an artifact: ELF header, program headers, build id note, hash, dynamic symbols, dynamic section.

It is all that dlopen looks at. Its size depends on nothing but the number of segments, so that addresses behind it can
be fixed before anything else is known.

    1 segment   R-X [ head | .rodata | .eh_frame | .text ]               needs glibc 2.35 or newer, musl, ...
    2 segments  RW- [ head ]  R-X [ .rodata | .eh_frame | .text ]        for C libraries that write into .dynamic

The images of a snapshot may follow the text in its segment.

With two segments the file looks the same; the second one is mapped one page further up, and the page of the file where
they meet is mapped twice.
"""

from __future__ import annotations

import struct
from functools import reduce
from typing import Final

from wasmartifact.dataclass import dataclass
from wasmartifact.elf.structs import (
    BUILD_ID_NOTE,
    DT_GNU_HASH,
    DT_NULL,
    DT_STRSZ,
    DT_STRTAB,
    DT_SYMENT,
    DT_SYMTAB,
    DYNAMIC_ENTRY,
    ELF_HEADER,
    ELF_IDENT,
    ET_DYN,
    GNU_HASH,
    NT_GNU_BUILD_ID,
    PF_R,
    PF_W,
    PF_X,
    PROGRAM_HEADER,
    PT_DYNAMIC,
    PT_GNU_STACK,
    PT_LOAD,
    PT_NOTE,
    SECTION_HEADER,
    STB_GLOBAL,
    STT_OBJECT,
    SYMBOL,
)
from wasmartifact.schema import ANCHOR, ANCHOR_SYMBOL, BUILD_ID_BYTES, HEAD_MAX_BYTES, MACHINES, PAGE_BYTES, align_up

_DYNSTR: Final = b"\0" + ANCHOR_SYMBOL.encode() + b"\0"
#: What the GNU hash function gives for the only symbol.
_HASH: Final = reduce(lambda value, byte: value * 33 + byte & 0xFFFFFFFF, ANCHOR_SYMBOL.encode(), 5381)
_HASH_SHIFT: Final = 6
_DYNAMIC: Final = struct.Struct("<" + 6 * DYNAMIC_ENTRY.format.removeprefix("<"))


@dataclass(frozen=True, slots=True)
class HeadPlan:
    """File offsets of the parts of the head, which are their virtual addresses too, and what follows from its size.

    Attributes
    ----------
    segments : int
        1 or 2.
    page_size_bytes : int
        Alignment of segments.
    size_bytes : int
        Size of the head; ``.rodata`` starts there in the file.
    code_vaddr_bias : int
        Virtual address minus file offset of everything mapped behind the head.
    """

    machine: str
    segments: int
    page_size_bytes: int
    note_offset: int
    hash_offset: int
    dynsym_offset: int
    dynstr_offset: int
    dynstr_size_bytes: int
    dynamic_offset: int
    dynamic_size_bytes: int
    size_bytes: int
    code_vaddr_bias: int

    @property
    def build_id_offset(self) -> int:
        """Where the note holds the build id."""
        return self.note_offset + BUILD_ID_NOTE.size - BUILD_ID_BYTES


@dataclass(frozen=True, slots=True)
class SectionTable:
    """Where the section headers of the finished file lie."""

    offset: int
    count: int
    names_index: int


def plan_head(machine: str, segments: int) -> HeadPlan:
    """Place the parts of the head.

    Parameters
    ----------
    machine : str
        Key of ``schema.MACHINES``.
    segments : int
        1, or 2 for C libraries that write into the dynamic section.
    """
    if segments not in (1, 2):
        raise ValueError(f"an artifact has 1 or 2 segments, not {segments}")
    page = PAGE_BYTES[machine]
    note = ELF_HEADER.size + (segments + 3) * PROGRAM_HEADER.size
    hash_ = align_up(note + BUILD_ID_NOTE.size, 8)
    dynsym = align_up(hash_ + GNU_HASH.size, 8)
    dynstr = dynsym + 2 * SYMBOL.size
    dynamic = align_up(dynstr + len(_DYNSTR), 8)
    dynamic_size = _DYNAMIC.size
    size = align_up(dynamic + dynamic_size, 64)
    assert size <= HEAD_MAX_BYTES
    bias = page if segments == 2 else 0
    return HeadPlan(
        machine, segments, page, note, hash_, dynsym, dynstr, len(_DYNSTR), dynamic, dynamic_size, size, bias
    )


def build_head(
    plan: HeadPlan, *, mapped_end: int, anchor_vaddr: int, anchor_section: int, table: SectionTable
) -> bytearray:
    """Write the head, with zeros for the build id, which is not known before all else is (``plan.build_id_offset``).

    Parameters
    ----------
    plan : HeadPlan
        Where everything lies.
    mapped_end : int
        File offset of the end of the last thing that is mapped.
    anchor_vaddr, anchor_section : int
        Address of the anchor, and the index of its section.
    table : SectionTable
        The section headers.
    """
    image = bytearray(plan.size_bytes)
    _write_elf_header(image, plan, table)
    _write_program_headers(image, plan, mapped_end)
    BUILD_ID_NOTE.pack_into(image, plan.note_offset, 4, BUILD_ID_BYTES, NT_GNU_BUILD_ID, b"GNU", bytes(BUILD_ID_BYTES))
    # The symbol is in the only bucket and ends its chain.
    bloom = 1 << _HASH % 64 | 1 << (_HASH >> _HASH_SHIFT) % 64
    GNU_HASH.pack_into(image, plan.hash_offset, 1, 1, 1, _HASH_SHIFT, bloom, 1, _HASH | 1)
    SYMBOL.pack_into(
        image, plan.dynsym_offset + SYMBOL.size, 1, STB_GLOBAL << 4 | STT_OBJECT, 0, anchor_section, anchor_vaddr,
        ANCHOR.size_bytes,
    )  # fmt: skip
    image[plan.dynstr_offset : plan.dynstr_offset + len(_DYNSTR)] = _DYNSTR
    _DYNAMIC.pack_into(
        image, plan.dynamic_offset, DT_GNU_HASH, plan.hash_offset, DT_STRTAB, plan.dynstr_offset,
        DT_SYMTAB, plan.dynsym_offset, DT_STRSZ, len(_DYNSTR), DT_SYMENT, SYMBOL.size, DT_NULL, 0,
    )  # fmt: skip
    return image


def _write_elf_header(image: bytearray, plan: HeadPlan, table: SectionTable) -> None:
    ELF_HEADER.pack_into(
        image, 0, ELF_IDENT, ET_DYN, MACHINES[plan.machine], 1, 0, ELF_HEADER.size, table.offset, 0, ELF_HEADER.size,
        PROGRAM_HEADER.size, plan.segments + 3, SECTION_HEADER.size, table.count, table.names_index,
    )  # fmt: skip


def _write_program_headers(image: bytearray, plan: HeadPlan, mapped_end: int) -> None:
    page = plan.page_size_bytes
    size, bias = plan.size_bytes, plan.code_vaddr_bias
    if plan.segments == 1:
        loads = [(PT_LOAD, PF_R | PF_X, 0, 0, 0, mapped_end, mapped_end, page)]
        dynamic_flags = PF_R
    else:
        code_size = mapped_end - size
        loads = [
            (PT_LOAD, PF_R | PF_W, 0, 0, 0, size, size, page),
            (PT_LOAD, PF_R | PF_X, size, size + bias, size + bias, code_size, code_size, page),
        ]
        dynamic_flags = PF_R | PF_W
    dynamic, note = plan.dynamic_offset, plan.note_offset
    headers = [
        *loads,
        (PT_DYNAMIC, dynamic_flags, dynamic, dynamic, dynamic, plan.dynamic_size_bytes, plan.dynamic_size_bytes, 8),
        (PT_NOTE, PF_R, note, note, note, BUILD_ID_NOTE.size, BUILD_ID_NOTE.size, 4),
        (PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 0, 0, 16),
    ]
    for index, header in enumerate(headers):
        PROGRAM_HEADER.pack_into(image, ELF_HEADER.size + index * PROGRAM_HEADER.size, *header)
