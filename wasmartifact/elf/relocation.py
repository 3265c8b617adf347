"""The closed set of relocation kinds that code of ours may hold, and how each one changes bytes.

x86-64: System V psABI, table 4.9. aarch64: ELF for the Arm 64-bit Architecture, section 5.7. A kind that is not here
is a ToolchainError, never ignored.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from wasmartifact.dataclass import dataclass
from wasmartifact.errors import ToolchainError

#: Those that code of ours asks for by number.
R_X86_64_PC32: Final = 2
R_X86_64_PLT32: Final = 4
R_AARCH64_PREL32: Final = 261
R_AARCH64_ADR_PREL_PG_HI21: Final = 275
R_AARCH64_ADD_ABS_LO12_NC: Final = 277
R_AARCH64_JUMP26: Final = 282
R_AARCH64_CALL26: Final = 283
#: By machine: what stores a distance in 32 bits.
DISTANCE_KINDS: Final = {"x86_64": R_X86_64_PC32, "aarch64": R_AARCH64_PREL32}
_INT32: Final = struct.Struct("<i")
_INT64: Final = struct.Struct("<q")
_WORD: Final = struct.Struct("<I")

#: ``describe(position)`` words the relocation at this position of a group for an error message.
Describe = Callable[[int], str]
#: ``apply(image, start, place, offsets, targets, describe)`` changes ``image`` for a group of relocations of one kind:
#: each lies at ``image[start + offset]``, which has the address ``place + offset``, and refers to the address
#: ``target`` (symbol + addend). It raises ToolchainError where an instruction can't express the target.
Apply = Callable[[bytearray, int, int, Sequence[int], Iterable[int], Describe], None]


@dataclass(frozen=True, slots=True)
class Kind:
    """One relocation kind.

    Attributes
    ----------
    name : str
        As in the psABI.
    size_bytes : int
        Size of what it changes.
    is_movable : bool
        The value is target - place, so that it stays the same wherever both move together.
    is_exact : bool
        Symbol + addend is what the code means. On x86-64 it is off by the bytes up to the end of the instruction.
    apply : Apply
        How it changes the bytes.
    """

    name: str
    size_bytes: int
    is_movable: bool
    is_exact: bool
    apply: Apply


def _store(format_: struct.Struct) -> Apply:
    """Kinds that store target - place as one signed integer."""

    def apply(
        image: bytearray, start: int, place: int, offsets: Sequence[int], targets: Iterable[int], describe: Describe
    ) -> None:
        pack_into = format_.pack_into
        done = 0
        try:
            for offset, target in zip(offsets, targets, strict=True):
                pack_into(image, start + offset, target - place - offset)
                done += 1
        except struct.error:
            raise ToolchainError(
                f"{describe(done)} is further from its target than {format_.size} bytes can say "
                f"({1 << 8 * format_.size - 31} GiB to either side); split the module"
            ) from None

    return apply


def _branch(bits: int, shift: int) -> Apply:
    """aarch64 branches: a signed distance in words, ``bits`` wide, at bit ``shift`` of the instruction."""
    mask = ((1 << bits) - 1) << shift
    reach_bytes = 4 << (bits - 1)

    def apply(
        image: bytearray, start: int, place: int, offsets: Sequence[int], targets: Iterable[int], describe: Describe
    ) -> None:
        for position, (offset, target) in enumerate(zip(offsets, targets, strict=True)):
            distance = target - place - offset
            if distance & 3:
                raise ToolchainError(f"{describe(position)} branches to {target:#x}, expected a multiple of 4")
            if not -reach_bytes <= distance < reach_bytes:
                raise ToolchainError(
                    f"{describe(position)} branches over {distance} bytes, the instruction reaches "
                    f"{reach_bytes / (1 << 20):g} MiB; split the module"
                )
            (word,) = _WORD.unpack_from(image, start + offset)
            _WORD.pack_into(image, start + offset, word & ~mask | (distance >> 2 << shift) & mask)

    return apply


def _page(
    image: bytearray, start: int, place: int, offsets: Sequence[int], targets: Iterable[int], describe: Describe
) -> None:
    """ADRP: distance in 4 KiB pages, 21 bits, the low two at bit 29, the others at bit 5."""
    for position, (offset, target) in enumerate(zip(offsets, targets, strict=True)):
        pages = (target >> 12) - (place + offset >> 12)
        if not -(1 << 20) <= pages < 1 << 20:
            raise ToolchainError(f"{describe(position)} is more than 4 GiB away from its target; split the module")
        (word,) = _WORD.unpack_from(image, start + offset)
        _WORD.pack_into(image, start + offset, word & 0x9F00001F | (pages & 3) << 29 | (pages >> 2 & 0x7FFFF) << 5)


def _low12(size_log2: int) -> Apply:
    """ADD and LDR/STR: the target's low 12 bits in units of the access size, at bit 10."""
    unit_mask = (1 << size_log2) - 1

    def apply(
        image: bytearray, start: int, place: int, offsets: Sequence[int], targets: Iterable[int], describe: Describe
    ) -> None:
        for position, (offset, target) in enumerate(zip(offsets, targets, strict=True)):
            if target & unit_mask:
                raise ToolchainError(
                    f"{describe(position)} accesses {target:#x}, expected a multiple of {unit_mask + 1}"
                )
            (word,) = _WORD.unpack_from(image, start + offset)
            _WORD.pack_into(image, start + offset, word & ~(0xFFF << 10) | (target & 0xFFF) >> size_log2 << 10)

    return apply


#: By machine and relocation type number.
KINDS: Final[dict[str, dict[int, Kind]]] = {
    "x86_64": {
        R_X86_64_PC32: Kind("R_X86_64_PC32", 4, True, False, _store(_INT32)),
        R_X86_64_PLT32: Kind("R_X86_64_PLT32", 4, True, False, _store(_INT32)),
    },
    "aarch64": {
        260: Kind("R_AARCH64_PREL64", 8, True, True, _store(_INT64)),
        R_AARCH64_PREL32: Kind("R_AARCH64_PREL32", 4, True, True, _store(_INT32)),
        R_AARCH64_ADR_PREL_PG_HI21: Kind("R_AARCH64_ADR_PREL_PG_HI21", 4, False, True, _page),
        R_AARCH64_ADD_ABS_LO12_NC: Kind("R_AARCH64_ADD_ABS_LO12_NC", 4, False, True, _low12(0)),
        278: Kind("R_AARCH64_LDST8_ABS_LO12_NC", 4, False, True, _low12(0)),
        279: Kind("R_AARCH64_TSTBR14", 4, True, True, _branch(14, 5)),
        280: Kind("R_AARCH64_CONDBR19", 4, True, True, _branch(19, 5)),
        R_AARCH64_JUMP26: Kind("R_AARCH64_JUMP26", 4, True, True, _branch(26, 0)),
        R_AARCH64_CALL26: Kind("R_AARCH64_CALL26", 4, True, True, _branch(26, 0)),
        284: Kind("R_AARCH64_LDST16_ABS_LO12_NC", 4, False, True, _low12(1)),
        285: Kind("R_AARCH64_LDST32_ABS_LO12_NC", 4, False, True, _low12(2)),
        286: Kind("R_AARCH64_LDST64_ABS_LO12_NC", 4, False, True, _low12(3)),
        299: Kind("R_AARCH64_LDST128_ABS_LO12_NC", 4, False, True, _low12(4)),
    },
}

#: Names of kinds that code generators are known to emit and that we refuse, for messages.
REFUSED_NAMES: Final[dict[str, dict[int, str]]] = {
    "x86_64": {
        1: "R_X86_64_64", 3: "R_X86_64_GOT32", 9: "R_X86_64_GOTPCREL", 10: "R_X86_64_32", 11: "R_X86_64_32S",
        19: "R_X86_64_TLSGD", 22: "R_X86_64_GOTTPOFF", 23: "R_X86_64_TPOFF32", 24: "R_X86_64_PC64",
        25: "R_X86_64_GOTOFF64", 26: "R_X86_64_GOTPC32", 41: "R_X86_64_GOTPCRELX", 42: "R_X86_64_REX_GOTPCRELX",
    },
    "aarch64": {
        257: "R_AARCH64_ABS64", 258: "R_AARCH64_ABS32", 273: "R_AARCH64_LD_PREL_LO19", 274: "R_AARCH64_ADR_PREL_LO21",
        311: "R_AARCH64_ADR_GOT_PAGE", 312: "R_AARCH64_LD64_GOT_LO12_NC", 314: "R_AARCH64_PLT32",
        562: "R_AARCH64_TLSDESC_ADR_PAGE21",
    },
}  # fmt: skip

#: Kinds of debug sections: type number to width in bytes. The value is symbol + addend.
ABSOLUTE_KINDS: Final[dict[str, dict[int, int]]] = {"x86_64": {1: 8, 10: 4}, "aarch64": {257: 8, 258: 4}}


def find_kind(machine: str, number: int, symbol: str) -> Kind:
    """The kind with this number; ToolchainError naming kind and symbol where it is not in the closed set."""
    kind = KINDS[machine].get(number)
    if kind is None:
        name = REFUSED_NAMES[machine].get(number, f"type {number}")
        raise ToolchainError(
            f"relocation {name} against {symbol!r} can't be laid out, expected one of "
            f"{', '.join(entry.name for entry in KINDS[machine].values())}; "
            "make the code generator emit position-independent code with hidden symbols",
            relocation=name,
            symbol=symbol,
        )
    return kind
