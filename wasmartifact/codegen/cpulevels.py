"""Code for several CPU levels in one text: functions whose code is the same at two levels are there once.

Calls are direct. Where code that several levels share calls a function that they do not, it calls a **choice**: a few
instructions that compare the level of the instance and jump. So it can be shared whatever it calls; without choices, a
function could be shared only if all that it calls, and so on, is.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Final

from wasmartifact.codegen.compiled import AddressMap, CompiledGroup, GroupFacts, Variant
from wasmartifact.dataclass import dataclass, replace
from wasmartifact.elf.object import TEXT, UNDEFINED, CodeObject, Relocations, Section
from wasmartifact.elf.relocation import R_AARCH64_JUMP26, R_X86_64_PLT32
from wasmartifact.schema import INSTANCE_HEADER

CHOICE_SUFFIX: Final = "@choice"
_LEVEL_OFFSET: Final = INSTANCE_HEADER.offsets()["cpu_level"]
_ALIGN_BYTES: Final = 16


@dataclass(slots=True)
class _Stored:
    """Code that is there once: ``first`` is the level that it was compiled for, ``bits`` those that have it."""

    part: CompiledGroup
    first: int
    bits: int

    def symbol(self, name: str) -> str:
        """What a function of it is called in the joined code."""
        return name if self.first == 0 else f"{name}@{self.first}"


@dataclass(frozen=True, slots=True)
class JoinedLevels:
    """The code of all levels, in the order in which it must be laid out, but for trampolines and init code.

    Attributes
    ----------
    kept : list[int]
        Positions of the levels that have code of their own, and 0. Bits of variants, and levels that choices compare
        with, count these alone.
    functions : list[CompiledGroup]
        The first level's functions.
    above : list[CompiledGroup]
        What comes last: variants, then choices.
    variants : list[Variant]
        One for each function of ``above`` that is no choice.
    support : list[CompiledGroup]
        Trampolines and init code, which all levels share.
    """

    kept: list[int]
    functions: list[CompiledGroup]
    support: list[CompiledGroup]
    above: list[CompiledGroup]
    variants: list[Variant]


def join_levels(levels: Sequence[Sequence[CompiledGroup]], support: Sequence[CompiledGroup]) -> JoinedLevels:
    """Put levels together; each has all functions, the first one's features are among those of all others.

    Parameters
    ----------
    levels : Sequence[Sequence[CompiledGroup]]
        Functions of each level, in order.
    support : Sequence[CompiledGroup]
        Trampolines and init code of the first one.
    """
    stored, homes, kept = _share(levels)
    choices: dict[str, tuple[str, ...]] = {}

    def bound(part: CompiledGroup, bits: int, rename: Callable[[str], str]) -> CompiledGroup:
        """With the symbols of what these levels call."""

        def target(name: str) -> str:
            if name not in homes[0]:
                return name
            by_level = tuple(home[name].symbol(name) for home in homes)
            own = {symbol for level, symbol in enumerate(by_level) if bits >> level & 1}
            if len(own) == 1:
                return own.pop()
            choices[name] = by_level
            return name + CHOICE_SUFFIX

        code = part.object
        names = zip(code.symbol_names, code.symbol_sections, strict=True)
        return replace(
            part,
            object=replace(
                code,
                functions=[(rename(name), offset, size) for name, offset, size in code.functions],
                symbol_names=[target(name) if section == UNDEFINED else name for name, section in names],
            ),
        )

    joined = [(item, bound(item.part, item.bits, item.symbol)) for item in stored]
    shared = [bound(part, (1 << len(homes)) - 1, str) for part in support]
    machine = levels[0][0].object.machine
    above = [part for item, part in joined if item.first]
    return JoinedLevels(
        kept=kept,
        functions=[part for item, part in joined if not item.first],
        support=shared,
        above=[*above, _choice_code(machine, choices)] if choices else above,
        variants=[
            Variant(int(name.removeprefix("f")), item.symbol(name), item.bits)
            for item, _ in joined
            if item.first
            for name, _, _ in item.part.object.functions
        ],
    )


def _share(levels: Sequence[Sequence[CompiledGroup]]) -> tuple[list[_Stored], list[dict[str, _Stored]], list[int]]:
    """What is stored; for each level that stays, where each function is; and which levels stay.

    A level that has nothing that the one below it lacks does not stay.
    """
    stored: list[_Stored] = []
    homes: list[dict[str, _Stored]] = []
    kept: list[int] = []
    known: dict[tuple[str, ...], list[_Stored]] = {}
    for number, parts in enumerate(levels):
        level = len(kept)
        found = [(part, _equal(part, known.get(_names(part), ()))) for part in parts]
        if homes and all(same is not None and same.bits >> level - 1 & 1 for _, same in found):
            continue
        home: dict[str, _Stored] = {}
        for part, same in found:
            item = _Stored(part, level, 0) if same is None else same
            item.bits |= 1 << level
            home |= dict.fromkeys(_names(part), item)
            if same is None:
                stored.append(item)
                known.setdefault(_names(part), []).append(item)
        homes.append(home)
        kept.append(number)
    return stored, homes, kept


def _names(part: CompiledGroup) -> tuple[str, ...]:
    return tuple(name for name, _, _ in part.object.functions)


def _equal(part: CompiledGroup, candidates: Sequence[_Stored]) -> _Stored | None:
    """What is the same code, bytes, constants, calls and address map."""
    for item in candidates:
        if item.part.object == part.object and item.part.address_map == part.address_map:
            return item
    return None


# Choices ------------------------------------------------------------------------------------------------------------


def _choice_code(machine: str, choices: Mapping[str, Sequence[str]]) -> CompiledGroup:
    """A choice for each function, from its symbol at each level."""
    text, jumps = bytearray(), _JUMPS[machine]
    functions: list[tuple[str, int, int]] = []
    relocations = Relocations(TEXT, jumps.relocation)
    symbols: dict[str, int] = {}
    for name, by_level in sorted(choices.items(), key=lambda item: int(item[0].removeprefix("f"))):
        text += bytes(-len(text) % _ALIGN_BYTES)
        start = len(text)
        runs = [(symbol, min(level for level, _ in run)) for symbol, run in _runs(by_level)]
        text += jumps.prologue
        for symbol, level in reversed(runs):
            text += jumps.jump(level)
            relocations.offsets.append(len(text) - 4)
            relocations.symbols.append(symbols.setdefault(symbol, len(symbols)))
            relocations.addends.append(jumps.addend)
        functions.append((name + CHOICE_SUFFIX, start, len(text) - start))
    code = CodeObject(
        machine, [Section(".text", bytes(text), _ALIGN_BYTES)], functions, [], list(symbols),
        array("i", [UNDEFINED] * len(symbols)), array("Q", bytes(8 * len(symbols))), [relocations],
    )  # fmt: skip
    return CompiledGroup(code, AddressMap(array("I"), array("I"), b""), GroupFacts(), is_by_llvm=False)


def _runs(by_level: Sequence[str]) -> list[tuple[str, list[tuple[int, str]]]]:
    """Levels in a row that have the same symbol, ascending."""
    return [(symbol, list(run)) for symbol, run in groupby(enumerate(by_level), key=lambda item: item[1])]


@dataclass(frozen=True, slots=True)
class _Jumps:
    """Instructions of a choice. ``jump(level)``: to what the last 4 bytes refer to, from this level on; 0: always.

    The instance is the first parameter, so that it is in the first register for integers. A choice changes the flags,
    and on aarch64 x16, which calls may (AAPCS64, section 6.1.1).
    """

    prologue: bytes
    jump: Callable[[int], bytes]
    relocation: int
    addend: int


def _jump_x86_64(level: int) -> bytes:
    """``cmpb $level, offset(%rdi)``, ``jae``; ``jmp``. Intel SDM volume 2, CMP, Jcc, JMP."""
    return struct.pack("<BBBBBBi", 0x80, 0x7F, _LEVEL_OFFSET, level, 0x0F, 0x83, 0) if level else b"\xe9\0\0\0\0"


def _jump_aarch64(level: int) -> bytes:
    """``cmp w16, #level``, ``b.lo`` over the next, ``b``; ``b``. Arm ARM, SUBS (immediate), B.cond, B."""
    branch = 0x14000000
    return struct.pack("<III", 0x7100021F | level << 10, 0x54000043, branch) if level else struct.pack("<I", branch)


_JUMPS: Final = {
    "x86_64": _Jumps(b"", _jump_x86_64, R_X86_64_PLT32, -4),
    # ldrb w16, [x0, #offset]
    "aarch64": _Jumps(struct.pack("<I", 0x39400010 | _LEVEL_OFFSET << 10), _jump_aarch64, R_AARCH64_JUMP26, 0),
}
