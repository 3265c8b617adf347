"""Locals that equal a global wherever control branches: where two ways meet, the global has their value.

Go keeps its stack pointer so: in a global, and in a local that each function loads from it first and after each call.
As a value, that local is merged at all labels of a function, which has as many values for it as it has calls; LLVM's
coalescer of registers takes a time that grows with the product. Loaded from the global, it is not merged at all.
"""

from __future__ import annotations

from typing import Any, Final

from wasmartifact.codegen.context import GlobalFacts
from wasmartifact.wasm.model import Instruction
from wasmartifact.wasm.opcodes import OPCODE_BY_NAME

_GLOBAL_GET: Final = OPCODE_BY_NAME["global.get"].code
_GLOBAL_SET: Final = OPCODE_BY_NAME["global.set"].code
_LOCAL_GET: Final = OPCODE_BY_NAME["local.get"].code
_LOCAL_SET: Final = OPCODE_BY_NAME["local.set"].code
_LOCAL_TEE: Final = OPCODE_BY_NAME["local.tee"].code
_LOCAL_OPCODES: Final = (_LOCAL_GET, _LOCAL_SET, _LOCAL_TEE)
_BRANCHING, _LEAVING, _FOREIGN = 1, 2, 3
#: Of opcodes: ways part or meet; a way ends without a need of locals; code of others may run, which may set a global.
#: ``block`` is none of them.
_KINDS: Final = {
    OPCODE_BY_NAME[name].code: kind
    for kind, names in (
        (_BRANCHING, ("loop", "if", "else", "end", "br", "br_if", "br_table", "br_on_null", "br_on_non_null")),
        (_LEAVING, ("return", "return_call", "return_call_indirect", "return_call_ref", "unreachable")),
        (_FOREIGN, ("call", "call_indirect", "call_ref", "memory.grow", "table.grow")),
        (_FOREIGN, tuple(f"memory.atomic.{name}" for name in ("notify", "wait32", "wait64"))),
    )
    for name in names
}
#: A local that is loaded from its global so many times is loaded after a call, and not only where the function begins.
_MIN_LOADS: Final = 2
_LETTERS: Final = "il"


def mirroring_locals(instructions: list[Instruction], params: int, facts: tuple[GlobalFacts, ...]) -> dict[int, int]:
    """Locals that equal a global at each branch and each label of a body, and the global of each.

    Parameters
    ----------
    instructions : list[Instruction]
        A body that catches no exceptions.
    params : int
        Number of the function's parameters, which are no such locals.
    facts : tuple[GlobalFacts, ...]
        The module's globals.
    """
    loads: dict[tuple[int, int], int] = {}
    before = 0
    operand: Any = None
    for _, opcode, immediate in instructions:
        if opcode in (_LOCAL_SET, _LOCAL_TEE) and before == _GLOBAL_GET and immediate >= params:
            pair = immediate, operand
            loads[pair] = loads.get(pair, 0) + 1
        before, operand = opcode, immediate
    return {
        local: global_index
        for (local, global_index), count in loads.items()
        if count >= _MIN_LOADS
        and not facts[global_index].imported
        and facts[global_index].letter in _LETTERS
        and _mirrors(instructions, local, global_index)
    }


def _mirrors(instructions: list[Instruction], local: int, global_index: int) -> bool:
    """Whether a local equals a global wherever ways part or meet, the end of the function left aside.

    In between it may differ. Where it was set, the emitter knows its value; where the global was, or may have been, it
    does not, and nothing may read the local.
    """
    equal = known = False
    before = 0
    operand: Any = None
    for _, opcode, immediate in instructions[:-1]:
        kind = _KINDS.get(opcode)
        if kind is None:
            if immediate == local and opcode in _LOCAL_OPCODES:
                if opcode != _LOCAL_GET:
                    equal, known = before == _GLOBAL_GET and operand == global_index, True
                elif not (equal or known):
                    return False
            elif opcode == _GLOBAL_SET and immediate == global_index:
                equal, known = before in (_LOCAL_TEE, _LOCAL_GET) and operand == local, False
        elif kind == _FOREIGN:
            equal = known = False
        elif kind == _LEAVING:
            equal = True  # at the next label, as at all
        elif not equal:
            return False
        before, operand = opcode, immediate
    return True
