"""Which functions hold their own body in place of calls of themselves, and how often.

Of a small function that calls itself, calling is most of what it costs. Copy 0 is the function; call ``i`` of the ``n``
calls of itself that a body has is, in copy ``k``, replaced by copy ``k * n + 1 + i``, as far as there are copies. So
the number of a copy tells all calls that led to it, and traps name every one of them.
"""

from __future__ import annotations

from typing import Final

from wasmartifact.dataclass import dataclass
from wasmartifact.wasm.encode import unsigned
from wasmartifact.wasm.instructions import decode_instructions, decode_locals
from wasmartifact.wasm.model import Module
from wasmartifact.wasm.opcodes import OPCODE_BY_NAME

#: From this level on; below it, packing shall be quick.
INLINING_LEVEL: Final = 2
#: A body of more operators does more than it calls.
_MAX_BODY_OPERATORS: Final = 64
#: What they take at most, but for what nobody writes.
_MAX_BODY_BYTES: Final = 500
#: So many calls deep at most, with so many operators and locals in the function and all copies.
_MAX_DEPTH: Final = 4
_MAX_OPERATORS: Final = 400
_MAX_LOCALS: Final = 200
#: Operators of all copies in a module, and for so many bytes of its code one more: what this adds to a pack is bounded.
_MODULE_OPERATORS: Final = 10_000
_BYTES_PER_OPERATOR: Final = 32
_CALL: Final = OPCODE_BY_NAME["call"].code
_U32_END: Final = 1 << 32


@dataclass(frozen=True, slots=True)
class Inlining:
    """The copies of a body: where it calls itself, as ascending offsets in the module, and how many there are."""

    call_offsets: tuple[int, ...]
    copies: int

    def replaced(self, copy: int) -> dict[int, int]:
        """Calls of a copy (0: the function) that other copies stand for: offset of the call, number of that copy."""
        first = copy * len(self.call_offsets) + 1
        return {offset: number for number, offset in enumerate(self.call_offsets, first) if number <= self.copies}


def inlined_functions(module: Module) -> dict[int, Inlining]:
    """The functions of a valid module that have copies, by index, ascending."""
    found: dict[int, Inlining] = {}
    left = max(_MODULE_OPERATORS, len(module.data) // _BYTES_PER_OPERATOR)
    for func_index, code in enumerate(module.codes, module.imported_functions):
        if code.end - code.start <= _MAX_BODY_BYTES and _may_call(module.data, code.start, code.end, func_index):
            inlining, operators = _inlining(module, func_index, code.start, code.end)
            if inlining.copies and operators <= left:
                left -= operators
                found[func_index] = inlining
    return found


def _may_call(data: bytes, start: int, end: int, func_index: int) -> bool:
    """Whether the bytes of a call of this function occur; its index may have 5 bytes, as linkers leave it."""
    padded = bytes([*(func_index >> shift & 127 | 128 for shift in range(0, 28, 7)), func_index >> 28])
    return any(data.find(bytes([_CALL]) + index, start, end) >= 0 for index in (unsigned(func_index), padded))


def _inlining(module: Module, func_index: int, start: int, end: int) -> tuple[Inlining, int]:
    """How a body is copied, and the operators of its copies."""
    runs, body = decode_locals(module.data, start, end)
    instructions = decode_instructions(module.data, body, end)
    calls = tuple(offset for offset, opcode, immediate in instructions if opcode == _CALL and immediate == func_index)
    variables = sum(count for count, _ in runs) + len(module.func_type(func_index).params)
    # Offsets in copies count on behind the body.
    most = (
        min(
            _MAX_OPERATORS // len(instructions),
            _MAX_LOCALS // max(variables, 1),
            (_U32_END - start) // (end - start),
        )
        - 1
    )
    copies = 0
    for _ in range(_MAX_DEPTH if calls and len(instructions) <= _MAX_BODY_OPERATORS else 0):
        deeper = (copies + 1) * len(calls)
        if deeper > most:
            break
        copies = deeper
    return Inlining(calls, copies), copies * len(instructions)
