"""Decoding of code: local declarations and instructions (spec sections 5.4 and 5.5.13).

Code generation decodes millions of instructions, so ``decode_expression`` handles common opcodes with short immediates
inline and leaves the rest to a table of functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from wasmartifact.schema import VALTYPE_REF, VALTYPE_REF_NULL
from wasmartifact.wasm import opcodes
from wasmartifact.wasm.model import Instruction
from wasmartifact.wasm.opcodes import (
    BLOCK,
    CATCH,
    DELEGATE,
    ELSE,
    END,
    I32,
    I64,
    ILLEGAL,
    INDEX,
    KIND_BY_BYTE,
    MEMARG,
    NONE,
    OPCODES,
    PREFIX,
    TRY_TABLE,
)
from wasmartifact.wasm.reader import Reader, illegal_opcode, malformed

_IF, _ELSE, _TRY, _CATCH = (opcodes.OPCODE_BY_NAME[name].code for name in ("if", "else", "try", "catch"))

_PREFIXED_KINDS: Final = {code: opcode.immediate for code, opcode in OPCODES.items() if code > 0xFF}
_ARM_KINDS: Final = frozenset((ELSE, CATCH, DELEGATE))
#: Block type of one byte -> immediate; the others take the slow way.
_BLOCK_TYPES: Final = {0x40: ("value", None)} | {code: ("value", code) for code in range(0x7B, 0x80)}

#: What `find_instructions` passes over, by first byte: so many integers, or something that is looked at.
_OF_MEMORY, _OTHER, _OF_BLOCK = 2, 0xFE, 0xFF
_INTEGERS: Final = {
    NONE: 0, ELSE: 0, END: 0, INDEX: 1, I32: 1, I64: 1, CATCH: 1, DELEGATE: 1, MEMARG: _OF_MEMORY, BLOCK: _OF_BLOCK,
}  # fmt: skip
_INTEGERS_BY_BYTE: Final = bytes(_INTEGERS.get(kind, _OTHER) for kind in KIND_BY_BYTE)
#: wasm_offset, opcode, immediate, offset behind it.
FoundInstruction = tuple[int, int, Any, int]


def decode_locals(data: bytes, start: int, end: int) -> tuple[list[tuple[int, int]], int]:
    """Decode the local declarations at the start of a code entry.

    Parameters
    ----------
    data : bytes
        The module.
    start, end : int
        Byte range of the code entry, size prefix excluded, as in ``model.Code``.

    Returns
    -------
    runs : list[tuple[int, int]]
        (count, value type) in order.
    body : int
        Offset of the first instruction.

    Raises
    ------
    MalformedModule
        A bad integer or value type, or 2**32 locals and more.
    """
    reader = Reader(data, start, end)
    runs = []
    total = 0
    for _ in range(reader.count()):
        offset = reader.pos
        count = reader.u32()
        total += count
        if total >= 1 << 32:
            raise malformed(offset, f"too many locals: {total}, expected less than 2**32")
        runs.append((count, reader.valtype()))
    return runs, reader.pos


def decode_instructions(data: bytes, start: int, end: int) -> list[Instruction]:
    """Decode the instructions of a function body or constant expression that fills a byte range.

    Parameters
    ----------
    data : bytes
        The module.
    start, end : int
        Byte range from the first instruction to behind the final ``end``.

    Returns
    -------
    list[Instruction]
        (wasm_offset, opcode, immediate), the final ``end`` included. ``opcodes`` defines the immediates. Blocks are
        well nested, and ``else``, ``catch``, ``catch_all`` and ``delegate`` stand where the grammar allows them.

    Raises
    ------
    MalformedModule
        An illegal opcode, a bad immediate or block structure, a missing ``end``, bytes behind it.
    """
    instructions, behind = decode_expression(data, start, end)
    if behind != end:
        raise malformed(behind, f"unexpected content after the final end: {end - behind} bytes")
    return instructions


def decode_expression(data: bytes, start: int, limit: int) -> tuple[list[Instruction], int]:
    """Decode instructions up to the ``end`` that closes them; return them and the offset behind it.

    ``limit`` is the end of the section or code entry: reading past it is an error. See ``decode_instructions``.
    """
    instructions: list[Instruction] = []
    append = instructions.append
    kinds = KIND_BY_BYTE
    prefixed_kinds = _PREFIXED_KINDS
    signed = frozenset((I32, I64))
    openers: list[int] = []  # opcodes of the open blocks, of their current arm
    pos = start
    try:
        while pos < limit:
            opcode = data[pos]
            kind = kinds[opcode]
            # Reads beyond limit are legal here if data goes on: then pos passes limit, which the last line reports.
            if kind == INDEX:
                value = data[pos + 1]
                if value < 0x80:
                    append((pos, opcode, value))
                    pos += 2
                    continue
                high = data[pos + 2]
                if high < 0x80:
                    append((pos, opcode, value & 0x7F | high << 7))
                    pos += 3
                    continue
            elif kind == NONE:
                append((pos, opcode, None))
                pos += 1
                continue
            elif kind in signed:
                value = data[pos + 1]
                if value < 0x80:
                    append((pos, opcode, value - (value << 1 & 0x80)))
                    pos += 2
                    continue
                high = data[pos + 2]
                if high < 0x80:
                    append((pos, opcode, (value & 0x7F | high << 7) - (high << 8 & 0x4000)))
                    pos += 3
                    continue
                # Addresses of memory have three bytes, or four.
                third, low = data[pos + 3], value & 0x7F | (high & 0x7F) << 7
                if third < 0x80:
                    append((pos, opcode, (low | third << 14) - (third << 15 & 0x20_0000)))
                    pos += 4
                    continue
                fourth = data[pos + 4]
                if fourth < 0x80:
                    append((pos, opcode, (low | (third & 0x7F) << 14 | fourth << 21) - (fourth << 22 & 0x1000_0000)))
                    pos += 5
                    continue
            elif kind == MEMARG:
                align_log2 = data[pos + 1]
                offset = data[pos + 2]
                if align_log2 < 0x40 and offset < 0x80:
                    append((pos, opcode, (align_log2, offset, 0)))
                    pos += 3
                    continue
                high = data[pos + 3]
                if align_log2 < 0x40 and high < 0x80:
                    append((pos, opcode, (align_log2, offset & 0x7F | high << 7, 0)))
                    pos += 4
                    continue
            elif kind == BLOCK:
                openers.append(opcode)
                if (block_type := _BLOCK_TYPES.get(data[pos + 1])) is not None:
                    append((pos, opcode, block_type))
                    pos += 2
                    continue
            elif kind == END:
                append((pos, opcode, None))
                pos += 1
                if not openers:
                    return instructions, pos
                openers.pop()
                continue
            elif kind == PREFIX:
                operand, sub_opcode = pos + 2, data[pos + 1]
                if sub_opcode >= 0x80:
                    operand, sub_opcode = pos + 3, sub_opcode & 0x7F | data[pos + 2] << 7
                prefixed = opcode << 16 | sub_opcode
                kind = prefixed_kinds.get(prefixed, ILLEGAL)
                if kind == NONE:
                    append((pos, prefixed, None))
                    pos = operand
                    continue
                if kind == MEMARG:
                    align_log2 = data[operand]
                    offset = data[operand + 1]
                    if align_log2 < 0x40 and offset < 0x80:
                        append((pos, prefixed, (align_log2, offset, 0)))
                        pos = operand + 2
                        continue
            instruction, pos = _decode_other(data, pos, limit, openers)
            append(instruction)
    except IndexError:
        pass  # data ended within an immediate
    raise malformed(min(pos, limit), "unexpected end of section or function: an instruction or a final end is missing")


def find_instructions(data: bytes, start: int, end: int, wanted: bytes) -> list[FoundInstruction]:
    """Find some of the instructions that fill a byte range, in a fraction of the time that it takes to decode all.

    Parameters
    ----------
    data : bytes
        A module that a validator has accepted: what is passed over is not checked.
    start, end : int
        Byte range, as of `decode_instructions`.
    wanted : bytes
        By the first byte of an opcode: 1 where instructions that begin with it are looked for.

    Returns
    -------
    list[FoundInstruction]
        (wasm_offset, opcode, immediate, offset behind it), in order; blocks with a type's index are always among them.

    Raises
    ------
    MalformedModule
        Something that is not passed over is no instruction.
    """
    found: list[FoundInstruction] = []
    append = found.append
    kinds, integers = KIND_BY_BYTE, _INTEGERS_BY_BYTE
    pos = start
    while pos < end:
        opcode = data[pos]
        behind = pos + 1
        count = integers[opcode]
        if wanted[opcode]:
            if kinds[opcode] == INDEX:
                byte = data[behind]
                value, shift = byte & 0x7F, 7
                while byte >= 0x80:
                    behind += 1
                    byte = data[behind]
                    value |= (byte & 0x7F) << shift
                    shift += 7
                append((pos, opcode, value, behind + 1))
                pos = behind + 1
                continue
        elif count < _OTHER:
            # The alignment, in however many bytes: the index of a memory is one integer more.
            if count == _OF_MEMORY and data[behind] & 0x40:
                count += 1
            while count:
                while data[behind] >= 0x80:
                    behind += 1
                behind += 1
                count -= 1
            pos = behind
            continue
        elif count == _OF_BLOCK and data[behind] in _BLOCK_TYPES:
            pos += 2
            continue
        reader = Reader(data, behind, end)
        code = _read_opcode(reader)
        immediate = _READERS[OPCODES[code].immediate](reader)
        if wanted[opcode] or count == _OF_BLOCK:
            append((pos, code, immediate, reader.pos))
        pos = reader.pos
    return found


def _decode_other(data: bytes, pos: int, limit: int, openers: list[int]) -> tuple[Instruction, int]:
    """Decode one instruction that the loop above doesn't, and keep its stack of open blocks."""
    reader = Reader(data, pos + 1, limit)
    opcode = _read_opcode(reader)
    kind = OPCODES[opcode].immediate
    if kind in _ARM_KINDS:
        _change_arm(pos, opcode, openers)
    elif kind == TRY_TABLE:
        openers.append(opcode)
    return (pos, opcode, _READERS[kind](reader)), reader.pos


def _read_opcode(reader: Reader) -> int:
    """The opcode of an instruction whose first byte has been read."""
    pos = reader.pos - 1
    opcode = byte = reader.data[pos]
    if KIND_BY_BYTE[byte] == PREFIX:
        sub_opcode = reader.u32()
        opcode = byte << 16 | sub_opcode
        if sub_opcode > 0xFFFF:
            raise malformed(pos, f"illegal opcode {byte:#04x} {sub_opcode:#04x}")
    if opcode not in OPCODES:
        raise illegal_opcode(pos, opcode)
    return opcode


def _change_arm(pos: int, opcode: int, openers: list[int]) -> None:
    """Enter another arm of the innermost block: else of if; catch and catch_all of try; delegate closes try."""
    innermost = openers[-1] if openers else None
    allowed = (_IF,) if opcode == _ELSE else (_TRY,) if OPCODES[opcode].immediate == DELEGATE else (_TRY, _CATCH)
    if innermost not in allowed:
        wanted = " or ".join(OPCODES[code].name for code in allowed)
        raise malformed(pos, f"{OPCODES[opcode].name} outside of {wanted}")
    openers.pop()
    if OPCODES[opcode].immediate != DELEGATE:
        openers.append(opcode)


# --------------------------------------------------------------------------------------------------------------------
# Immediates, one function for each kind


def _read_none(reader: Reader) -> None:
    return None


def _read_pair(reader: Reader) -> tuple[int, int]:
    return reader.u32(), reader.u32()


def _read_memarg(reader: Reader) -> tuple[int, int, int]:
    start = reader.pos
    flags = reader.u32()
    if flags >= 0x80:
        raise malformed(start, f"malformed memop flags {flags:#x}, expected less than 0x80")
    memory = reader.u32() if flags & 0x40 else 0
    return flags & 0x3F, reader.u64(), memory


def _read_memarg_lane(reader: Reader) -> tuple[int, int, int, int]:
    return *_read_memarg(reader), reader.byte()


def _read_br_table(reader: Reader) -> tuple[int, ...]:
    return tuple(reader.u32() for _ in range(reader.count() + 1))


def _read_select(reader: Reader) -> tuple[int, ...]:
    return tuple(reader.valtype() for _ in range(reader.count()))


def _read_try_table(reader: Reader) -> tuple[tuple[str, int | None], tuple[tuple[int, int | None, int], ...]]:
    block_type = reader.block_type()
    return block_type, tuple(_read_catch(reader) for _ in range(reader.count()))


def _read_catch(reader: Reader) -> tuple[int, int | None, int]:
    start = reader.pos
    kind = reader.byte()
    if kind > opcodes.CATCH_ALL_REF:
        raise malformed(start, f"malformed catch clause {kind:#04x}")
    tag = reader.u32() if kind in (opcodes.CATCH_TAG, opcodes.CATCH_TAG_REF) else None
    return kind, tag, reader.u32()


def _read_br_cast(reader: Reader) -> tuple[int, int, int]:
    start = reader.pos
    flags = reader.byte()
    if flags > 3:
        raise malformed(start, f"malformed br_on_cast flags {flags:#04x}, expected at most 3")
    label = reader.u32()
    source = (VALTYPE_REF_NULL if flags & 1 else VALTYPE_REF) | reader.heap_type() << 8
    target = (VALTYPE_REF_NULL if flags & 2 else VALTYPE_REF) | reader.heap_type() << 8
    return label, source, target


def _read_bits(size_bytes: int) -> Callable[[Reader], int]:
    def read(reader: Reader) -> int:
        start = reader.take(size_bytes)
        return int.from_bytes(reader.data[start : reader.pos], "little")

    return read


def _read_bytes16(reader: Reader) -> bytes:
    start = reader.take(16)
    return reader.data[start : reader.pos]


def _read_zero(reader: Reader) -> None:
    start = reader.pos
    if reader.byte():
        raise malformed(start, "zero byte expected")


_READERS: Final[dict[int, Callable[[Reader], Any]]] = {
    opcodes.NONE: _read_none,
    opcodes.INDEX: Reader.u32,
    opcodes.I32: Reader.s32,
    opcodes.I64: Reader.s64,
    opcodes.F32: _read_bits(4),
    opcodes.F64: _read_bits(8),
    opcodes.MEMARG: _read_memarg,
    opcodes.MEMARG_LANE: _read_memarg_lane,
    opcodes.BLOCK: Reader.block_type,
    opcodes.END: _read_none,
    opcodes.ELSE: _read_none,
    opcodes.CATCH: Reader.u32,
    opcodes.DELEGATE: Reader.u32,
    opcodes.INDEX_PAIR: _read_pair,
    opcodes.TRY_TABLE: _read_try_table,
    opcodes.BR_TABLE: _read_br_table,
    opcodes.SELECT: _read_select,
    opcodes.HEAP: Reader.heap_type,
    opcodes.BR_CAST: _read_br_cast,
    opcodes.LANE: Reader.byte,
    opcodes.V128: _read_bytes16,
    opcodes.SHUFFLE: _read_bytes16,
    opcodes.ZERO: _read_zero,
}
