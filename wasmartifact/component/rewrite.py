"""Code of a core module in the index spaces of the flattened one: indices are replaced, all other bytes stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from wasmartifact.dataclass import dataclass
from wasmartifact.schema import HEAP_ABSTRACT, VALTYPE_REF, VALTYPE_REF_NULL
from wasmartifact.wasm import opcodes
from wasmartifact.wasm.encode import opcode_bytes, signed, unsigned
from wasmartifact.wasm.instructions import decode_locals, find_instructions
from wasmartifact.wasm.opcodes import CATCH_TAG, CATCH_TAG_REF, OPCODE_BY_NAME, OPCODES


@dataclass(slots=True)
class Maps:
    """New indices, by the old ones, of everything that instructions of one core instance name."""

    types: list[int]
    functions: list[int]
    tables: list[int]
    memories: list[int]
    globals: list[int]
    tags: list[int]
    elements: list[int]
    datas: list[int]

    def heap(self, heap: int) -> bytes:
        """A heap type."""
        return bytes((heap & 0xFF,)) if heap & HEAP_ABSTRACT else signed(self.types[heap])

    def valtype(self, valtype: int) -> bytes:
        """A value type."""
        first = valtype & 0xFF
        if first not in (VALTYPE_REF, VALTYPE_REF_NULL):
            return bytes((first,))
        return bytes((first,)) + self.heap(valtype >> 8)

    def valtype_code(self, valtype: int) -> int:
        """A value type as a code of the schema."""
        heap = valtype >> 8
        if valtype & 0xFF not in (VALTYPE_REF, VALTYPE_REF_NULL) or heap & HEAP_ABSTRACT:
            return valtype
        return valtype & 0xFF | self.types[heap] << 8

    def block_type(self, block_type: tuple[str, int | None]) -> bytes:
        """A block type."""
        form, value = block_type
        if value is None:
            return b"\x40"
        return self.valtype(value) if form == "value" else signed(self.types[value])


#: Spaces of the indices of instructions, by name.
_INDICES: Final = {
    "call": "functions", "return_call": "functions", "ref.func": "functions", "global.get": "globals",
    "global.set": "globals", "table.get": "tables", "table.set": "tables", "memory.size": "memories",
    "memory.grow": "memories", "throw": "tags", "catch": "tags", "call_ref": "types", "return_call_ref": "types",
    "data.drop": "datas", "memory.fill": "memories", "elem.drop": "elements", "table.grow": "tables",
    "table.size": "tables", "table.fill": "tables", "struct.new": "types", "struct.new_default": "types",
    "array.new": "types", "array.new_default": "types", "array.get": "types", "array.get_s": "types",
    "array.get_u": "types", "array.set": "types", "array.fill": "types",
}  # fmt: skip
_PAIRS: Final = {
    "call_indirect": ("types", "tables"),
    "return_call_indirect": ("types", "tables"),
    "memory.init": ("datas", "memories"),
    "memory.copy": ("memories", "memories"),
    "table.init": ("elements", "tables"),
    "table.copy": ("tables", "tables"),
    "array.new_data": ("types", "datas"),
    "array.new_elem": ("types", "elements"),
    "array.copy": ("types", "types"),
    "array.init_data": ("types", "datas"),
    "array.init_elem": ("types", "elements"),
}
#: A type, and a number that stays.
_FIELDS: Final = ("struct.get", "struct.get_s", "struct.get_u", "struct.set", "array.new_fixed")
_REF_FUNC: Final = OPCODE_BY_NAME["ref.func"].code


def _index(space: str) -> Callable[[Maps, Any], bytes]:
    return lambda maps, immediate: unsigned(getattr(maps, space)[immediate])


def _pair(first: str, second: str) -> Callable[[Maps, Any], bytes]:
    return lambda maps, pair: unsigned(getattr(maps, first)[pair[0]]) + unsigned(getattr(maps, second)[pair[1]])


def _memarg(maps: Maps, immediate: Any) -> bytes:
    align_log2, offset, memory = immediate[:3]
    place = maps.memories[memory]
    lane = bytes(immediate[3:])
    if place == 0:
        return unsigned(align_log2) + unsigned(offset) + lane
    return unsigned(align_log2 | 0x40) + unsigned(place) + unsigned(offset) + lane


def _try_table(maps: Maps, immediate: Any) -> bytes:
    block_type, catches = immediate
    parts = [maps.block_type(block_type), unsigned(len(catches))]
    for kind, tag, label in catches:
        parts.append(bytes((kind,)))
        if kind in (CATCH_TAG, CATCH_TAG_REF):
            parts.append(unsigned(maps.tags[tag]))
        parts.append(unsigned(label))
    return b"".join(parts)


def _select(maps: Maps, immediate: Any) -> bytes:
    return unsigned(len(immediate)) + b"".join(map(maps.valtype, immediate))


def _field(maps: Maps, immediate: tuple[int, int]) -> bytes:
    return unsigned(maps.types[immediate[0]]) + unsigned(immediate[1])


def _br_cast(maps: Maps, immediate: tuple[int, int, int]) -> bytes:
    label, *ends = immediate
    flags = sum(1 << place for place, valtype in enumerate(ends) if valtype & 0xFF == VALTYPE_REF_NULL)
    return bytes((flags,)) + unsigned(label) + b"".join(maps.heap(valtype >> 8) for valtype in ends)


def _rewriters() -> dict[int, Callable[[Maps, Any], bytes]]:
    """What an instruction's immediate becomes, by opcode; instructions that stay are not here."""
    by_kind: dict[int, Callable[[Maps, Any], bytes]] = {
        opcodes.MEMARG: _memarg,
        opcodes.MEMARG_LANE: _memarg,
        opcodes.BLOCK: Maps.block_type,
        opcodes.TRY_TABLE: _try_table,
        opcodes.SELECT: _select,
        opcodes.HEAP: Maps.heap,
        opcodes.BR_CAST: _br_cast,
    }
    found = {code: by_kind[opcode.immediate] for code, opcode in OPCODES.items() if opcode.immediate in by_kind}
    found |= {OPCODE_BY_NAME[name].code: _index(space) for name, space in _INDICES.items()}
    found |= {OPCODE_BY_NAME[name].code: _pair(*spaces) for name, spaces in _PAIRS.items()}
    found |= {OPCODE_BY_NAME[name].code: _field for name in _FIELDS}
    return found


_REWRITERS: Final = _rewriters()
_MEMORY_CODES: Final = frozenset(
    code for code, opcode in OPCODES.items() if opcode.immediate in (opcodes.MEMARG, opcodes.MEMARG_LANE)
)
_BLOCK_CODES: Final = frozenset(code for code, opcode in OPCODES.items() if opcode.immediate == opcodes.BLOCK)


class Rewriter:
    """Rewrites the code of one core instance; ``referenced`` collects the functions that it takes references to."""

    def __init__(self, data: bytes, maps: Maps, referenced: set[int]) -> None:
        self.data = data
        self.maps = maps
        self.referenced = referenced
        self.rewriters = dict(_REWRITERS)
        if maps.memories[:1] in ([], [0]) and len(maps.memories) < 2:
            for code in _MEMORY_CODES:  # nearly all of them, and they stay as they are
                self.rewriters.pop(code, None)
        first_bytes = {code if code <= 0xFF else code >> 16 for code in self.rewriters.keys() - _BLOCK_CODES}
        self.written: dict[tuple[int, Any], bytes] = {}  # what was rewritten before: most is, many times
        self.wanted = bytes(byte in first_bytes for byte in range(256))

    def body(self, start: int, end: int) -> bytes:
        """A code entry without its size."""
        runs, place = decode_locals(self.data, start, end)
        local_parts = [unsigned(len(runs))]
        for count, valtype in runs:
            local_parts += (unsigned(count), self.maps.valtype(valtype))
        return b"".join([*local_parts, *self.expression(place, end)])

    def expression(self, start: int, end: int) -> list[bytes]:
        """Instructions that fill ``data[start:end]``."""
        data, rewriters, written = self.data, self.rewriters, self.written
        pieces: list[bytes] = []
        last = start
        for place, opcode, immediate, behind in find_instructions(data, start, end, self.wanted):
            if opcode not in rewriters:
                continue
            new = written.get((opcode, immediate))
            if new is None:
                new = written[opcode, immediate] = self.instruction(opcode, immediate)
            pieces.append(data[last:place])
            pieces.append(new)
            last = behind
        pieces.append(data[last:end])
        return pieces

    def instruction(self, opcode: int, immediate: Any) -> bytes:
        """An instruction that names something."""
        if opcode == _REF_FUNC:
            self.referenced.add(self.maps.functions[immediate])
        return opcode_bytes(opcode) + self.rewriters[opcode](self.maps, immediate)
