"""Rewrites a module so that it counts its own fuel, by the rules of FORMAT.md, in a global that it exports.

Any engine can run the result: what the global holds is a count that no code of ours has made. The costs stand here once
more, on purpose: they are those of the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.fuzz.sections import encode_name, read_leb, read_sections, write_sections
from wasmartifact.wasm.decode import decode_module
from wasmartifact.wasm.encode import unsigned
from wasmartifact.wasm.instructions import decode_instructions, decode_locals
from wasmartifact.wasm.model import Instruction, Module
from wasmartifact.wasm.opcodes import OPCODES

#: Export of the count.
USED_NAME: Final = "fuzz:used"
FREE: Final = ("nop", "drop", "unreachable", "return", "block", "loop", "else", "end", "catch", "catch_all", "delegate")
LAST: Final = (
    "loop", "if", "else", "end", "catch", "catch_all", "delegate", "br", "br_if", "br_table", "br_on_null",
    "br_on_non_null", "return", "return_call", "return_call_indirect", "return_call_ref", "throw", "throw_ref",
    "rethrow", "unreachable",
)  # fmt: skip
_GLOBAL, _EXPORT, _CODE = 6, 7, 10
_I32, _I64 = 0x7F, 0x7E
_TWO_TO_48: Final = b"\x42\x80\x80\x80\x80\x80\x80\xc0\x00"


def meter(data: bytes) -> bytes:
    """The module, with a count of what it used in the global ``USED_NAME``."""
    module = decode_module(data)
    sections = dict(read_sections(data))
    number = len(module.global_types)
    sections[_GLOBAL] = _with(sections.get(_GLOBAL), bytes([_I64, 1, 0x42, 0, 0x0B]))
    sections[_EXPORT] = _with(sections.get(_EXPORT), encode_name(USED_NAME.encode()) + b"\3" + unsigned(number))
    sections[_CODE] = unsigned(len(module.codes)) + b"".join(
        _Body(module, index, unsigned(number)).metered() for index in range(len(module.codes))
    )
    return data[:8] + write_sections(sections)


def _with(content: bytes | None, entry: bytes) -> bytes:
    """A section with one more entry."""
    count, start = read_leb(content or b"\0", 0)
    return unsigned(count + 1) + (content or b"\0")[start:] + entry


class _Body:
    """Rewrites one function. It gets four locals more: for a count and for what growing gave, of either type."""

    def __init__(self, module: Module, index: int, used: bytes) -> None:
        self.module, self.used = module, used
        code = module.codes[index]
        self.data, self.start, self.end = module.data, code.start, code.end
        runs, self.first = decode_locals(self.data, code.start, code.end)
        self.declared = runs
        params = module.func_type(module.imported_functions + index).params
        self.free_local = len(params) + sum(count for count, _ in runs)

    def metered(self) -> bytes:
        """The code entry, behind its size."""
        count, position = read_leb(self.data, self.start)
        more = b"".join(bytes([1, kind]) for kind in (_I32, _I64, _I32, _I64))
        body = unsigned(count + 4) + self.data[position : self.first] + more + b"".join(self._pieces())
        return unsigned(len(body)) + body

    def _pieces(self) -> Iterator[bytes]:
        instructions = decode_instructions(self.data, self.first, self.end)
        offsets = [offset for offset, _, _ in instructions] + [self.end]
        costs = dict(_block_costs(instructions))
        for position, (offset, opcode, immediate) in enumerate(instructions):
            if position in costs:
                yield self._add(b"\x42" + _signed(costs[position]))
            text = self.data[offset : offsets[position + 1]]
            name = OPCODES[opcode].name
            if name in ("memory.grow", "table.grow"):
                yield self._grow(text, self._is_64(name, immediate))
            elif name.partition(".")[0] in ("memory", "table") and name.endswith((".copy", ".fill", ".init")):
                yield self._bulk(self._is_64(name, immediate)) + text
            else:
                yield text

    def _is_64(self, name: str, immediate: object) -> bool:
        """Whether the count of a bulk operator is an i64."""
        kind, _, what = name.partition(".")
        types = self.module.memory_types if kind == "memory" else self.module.table_types
        if what == "init":
            return False
        numbers = immediate if isinstance(immediate, tuple) else (immediate,)
        return all(types[number].limits.is64 for number in numbers)

    def _add(self, value: bytes) -> bytes:
        """Code that adds an i64 to the count."""
        return b"\x23" + self.used + value + b"\x7c\x24" + self.used

    def _local(self, opcode: int, number: int) -> bytes:
        return bytes([opcode]) + unsigned(self.free_local + number)

    def _wide(self, is_64: bool, number: int) -> bytes:
        """Code for a local as an i64."""
        return self._local(0x20, number + is_64) + (b"" if is_64 else b"\xad")

    def _bulk(self, is_64: bool) -> bytes:
        """Count the i32 or i64 on top of the stack, unless it is 2**48 or more."""
        value = self._wide(is_64, 0)
        counted = value + b"\x42\0" + value + _TWO_TO_48 + b"\x54\x1b"
        return self._local(0x22, is_64) + b"\x1a" + self._add(counted) + self._local(0x20, is_64)

    def _grow(self, text: bytes, is_64: bool) -> bytes:
        """Grow, and count how much, if that succeeded."""
        failed = b"\x42\x7f" if is_64 else b"\x42\xff\xff\xff\xff\x0f"  # -1 as an i64; as a u32
        grown = self._wide(is_64, 0) + b"\x42\0" + self._wide(is_64, 2) + failed + b"\x52\x1b"
        return self._local(0x22, is_64) + text + self._local(0x22, 2 + is_64) + self._add(grown)


def _block_costs(instructions: list[Instruction]) -> Iterator[tuple[int, int]]:
    """Position of the first operator of each block, and what the block costs."""
    first, cost = 0, 1  # a function costs 1 by itself
    for position, (_, opcode, _) in enumerate(instructions):
        name = OPCODES[opcode].name
        cost += name not in FREE
        if name in LAST:
            yield first, cost
            first, cost = position + 1, 0


def _signed(value: int) -> bytes:
    """A positive number in signed LEB128."""
    text = bytearray()
    while value >= 0x40:
        text.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(text) + bytes([value])
