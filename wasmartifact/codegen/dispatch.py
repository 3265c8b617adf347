"""From opcodes to the functions that emit them, and the loop over a body's instructions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from wasmartifact.codegen import (
    aggregates,
    atomics,
    calls,
    casts,
    control,
    exceptions,
    memory,
    numeric,
    simd,
    simd_memory,
    variables,
)
from wasmartifact.codegen.emitter import FunctionEmitter, Handler
from wasmartifact.errors import UnsupportedModule
from wasmartifact.wasm import opcodes
from wasmartifact.wasm.model import Instruction
from wasmartifact.wasm.opcodes import OPCODE_BY_NAME, OPCODES

HANDLERS: Final[dict[int, Handler]] = {
    OPCODE_BY_NAME[name].code: handler
    for module in (
        numeric,
        simd,
        memory,
        simd_memory,
        atomics,
        variables,
        control,
        exceptions,
        calls,
        aggregates,
        casts,
    )
    for name, handler in module.HANDLERS.items()
}
#: What an opcode means for the nesting of blocks: opens one, closes one, or begins another arm.
_OPENERS: Final = frozenset(code for code, op in OPCODES.items() if op.immediate in (opcodes.BLOCK, opcodes.TRY_TABLE))
_CLOSERS: Final = frozenset(code for code, op in OPCODES.items() if op.immediate in (opcodes.END, opcodes.DELEGATE))
_ARMS: Final = frozenset(code for code, op in OPCODES.items() if op.immediate in (opcodes.ELSE, opcodes.CATCH))

#: Opcodes that call something: another function or the runtime.
CALLING_OPCODES: Final = frozenset(
    OPCODE_BY_NAME[name].code
    for name in (
        "call", "call_indirect", "call_ref", "return_call", "return_call_indirect", "return_call_ref",
        "ref.func", "memory.grow", "memory.copy", "memory.fill", "memory.init",
        "data.drop", "table.get", "table.set", "table.grow", "table.fill", "table.copy", "table.init", "elem.drop",
        "throw", "struct.new", "struct.new_default", "array.new", "array.new_default", "array.new_fixed",
        "array.new_data", "array.new_elem", "array.fill", "array.copy", "array.init_data", "array.init_elem",
        "ref.test", "ref.test_null", "ref.cast", "ref.cast_null", "br_on_cast", "br_on_cast_fail",
    )
)  # fmt: skip
#: Opcodes that call the runtime where their memory is shared.
WAITING_OPCODES: Final = frozenset(
    OPCODE_BY_NAME[f"memory.atomic.{name}"].code for name in ("notify", "wait32", "wait64")
)
#: Opcodes that compute a value from the operands alone.
_PLAIN_OPERATORS: Final = frozenset(
    OPCODE_BY_NAME[name].code
    for name in (*numeric.HANDLERS, *simd.HANDLERS, "select", "select_typed")
    if not name.endswith(".const")
)
LOOP_OPCODE: Final = OPCODE_BY_NAME["loop"].code
#: By opcode: its handler, and whether it calls something, and whether it is a plain operator.
_ROUTES: Final = {
    code: (handler, code in CALLING_OPCODES, code in _PLAIN_OPERATORS) for code, handler in HANDLERS.items()
}
#: Opcodes that read a local, and those that write one.
_LOCAL_READ: Final = OPCODE_BY_NAME["local.get"].code
_LOCAL_WRITES: Final = frozenset(OPCODE_BY_NAME[name].code for name in ("local.set", "local.tee"))


def written_locals(instructions: list[Instruction], params: int) -> tuple[set[int], set[int]]:
    """Locals that a body writes; and those that are no parameters, written once and read behind that only.

    Behind a write is what follows it in its block, as control gets there by no other way.
    """
    assigned: set[int] = set()
    others = set(range(params))
    home: dict[int, int] = {}  # number of the block of a local's write
    blocks, open_blocks, count = [0], {0}, 0
    for _, opcode, immediate in instructions:
        if opcode == _LOCAL_READ:
            if immediate not in others and home.get(immediate, -1) not in open_blocks:
                others.add(immediate)
        elif opcode in _LOCAL_WRITES:
            if immediate in assigned:
                others.add(immediate)
            else:
                assigned.add(immediate)
                home[immediate] = blocks[-1]
        elif opcode in _OPENERS or opcode in _ARMS:
            if opcode in _ARMS:
                open_blocks.discard(blocks.pop())
            count += 1
            blocks.append(count)
            open_blocks.add(count)
        elif opcode in _CLOSERS:
            open_blocks.discard(blocks.pop())
    return assigned, assigned - others


def emit_instructions(fn: FunctionEmitter, instructions: list[Instruction], base: int) -> None:
    """Emit a body or an expression.

    Parameters
    ----------
    fn : FunctionEmitter
        Where the code goes.
    instructions : list[Instruction]
        As decoded.
    base : int
        What to add to their offsets to get offsets in the module.

    Raises
    ------
    UnsupportedModule
        A reachable opcode that is not compiled.
    """
    routes = _ROUTES
    following: Iterable[int] = [opcode for _, opcode, _ in instructions[1:]] + [0]
    for (offset, opcode, immediate), upcoming in zip(instructions, following, strict=True):
        if fn.dead and _stays_dead(fn, opcode):
            continue
        fn.offset = offset + base
        fn.upcoming = upcoming
        try:
            handler, is_call, is_plain = routes[opcode]
        except KeyError:
            raise _unsupported(fn, opcode) from None
        if is_plain and fn.origins:
            _emit_operator(fn, handler, immediate)
        elif is_call:
            fn.dbg = fn.located(0)
            handler(fn, immediate)
            fn.dbg = ""
        else:
            handler(fn, immediate)


def _emit_operator(fn: FunctionEmitter, handler: Handler, immediate: Any) -> None:
    """Emit an operator, with the location of the load that one of its operands comes from, if any."""
    stack, origins = fn.stack, fn.origins
    # An unrelated second value does no harm: plain operators don't trap.
    origin = origins.get(stack[-1]) or (origins.get(stack[-2]) if len(stack) > 1 else None)
    if origin is None:
        handler(fn, immediate)
        return
    fn.dbg = origin[0]
    count = fn.count
    handler(fn, immediate)
    fn.dbg = ""
    if fn.count != count:  # else it is a value of before, with what is known of it
        fn.origins[stack[-1]] = origin
        fn.loaded[stack[-1]] = origin[0]


def _stays_dead(fn: FunctionEmitter, opcode: int) -> bool:
    """Skip an opcode in unreachable code; false where it belongs to the innermost block that was reachable."""
    if opcode in _OPENERS:
        fn.dead_depth += 1
    elif opcode in _CLOSERS:
        if not fn.dead_depth:
            return False
        fn.dead_depth -= 1
    elif opcode in _ARMS:
        return fn.dead_depth > 0
    return True


def _unsupported(fn: FunctionEmitter, opcode: int) -> UnsupportedModule:
    entry = OPCODES[opcode]
    return UnsupportedModule(
        f"{fn.where} uses {entry.name} at wasm offset {fn.offset:#x} (feature {entry.feature}), "
        "which this version does not compile",
        feature=entry.feature,
        wasm_offset=fn.offset,
    )
