"""Emission of a group of functions as one LLVM module in text form."""

from __future__ import annotations

from typing import Final

from wasmartifact.codegen import fuel
from wasmartifact.codegen.compiled import FunctionGroup, GroupFacts
from wasmartifact.codegen.context import ModuleContext
from wasmartifact.codegen.control import open_function
from wasmartifact.codegen.convention import outward_symbol
from wasmartifact.codegen.dispatch import (
    CALLING_OPCODES,
    LOOP_OPCODE,
    WAITING_OPCODES,
    emit_instructions,
    written_locals,
)
from wasmartifact.codegen.emitter import MANY_LOCALS, FunctionEmitter
from wasmartifact.codegen.irmodule import (
    APART,
    APART_LINKAGE,
    COPY_ATTRIBUTES,
    FIRST_SCOPE,
    FRAMELESS_ATTRIBUTES,
    apart,
    module_text,
    subprogram,
)
from wasmartifact.codegen.mirrors import mirroring_locals
from wasmartifact.codegen.recursion import Inlining
from wasmartifact.codegen.signature import letter_of
from wasmartifact.wasm import opcodes
from wasmartifact.wasm.instructions import decode_instructions, decode_locals
from wasmartifact.wasm.model import Instruction

_BLOCK_OPCODES: Final = frozenset(code for code, op in opcodes.OPCODES.items() if op.immediate == opcodes.BLOCK)
#: So many operators, ``end`` included, need few registers: what saves rbp has a frame, as the runtime knows.
_FRAMELESS_OPERATORS: Final = 24
_RETHROW: Final = opcodes.OPCODE_BY_NAME["rethrow"].code


def emit_group(context: ModuleContext, group: FunctionGroup) -> tuple[str, list[GroupFacts]]:
    """IR text of a group of functions, and what was learnt of each of them.

    Raises
    ------
    MalformedModule
        A body that breaks the binary format; its offset counts from the start of the group's data.
    UnsupportedModule
        A body that needs what is not compiled.
    """
    all_facts: list[GroupFacts] = []
    bodies: list[str] = []
    scopes: list[str] = []
    calls: set[int] = set()
    outward: set[int] = set()
    for position, func_index in enumerate(group.indices):
        start, size_bytes = (
            group.starts[position] + group.bases[position],
            group.ends[position] - group.starts[position],
        )
        signature = context.function_signature(func_index)
        inlining = context.inlined.get(func_index)
        for copy in range(1 + (inlining.copies if inlining else 0)):
            scope = FIRST_SCOPE + len(scopes)
            fn = FunctionEmitter(context, signature, scope, start, f"function {func_index}")
            if inlining:
                _set_copy(fn, func_index, inlining, copy, size_bytes)
            facts = GroupFacts()
            bodies.append(_emit_function(fn, group, position, facts))
            scopes.append(subprogram(scope, start))
            if not copy:  # the others have nothing that it has not
                all_facts.append(facts)
                calls |= fn.calls
                facts.indirect_types |= fn.type_uses
                facts.outward_types |= fn.outward_types
                outward |= fn.outward_types
    defined = set(group.indices)
    declared = [(f"f{index}", context.function_signature(index)) for index in sorted(calls) if index not in defined]
    declared += [(outward_symbol(index), context.signatures[index]) for index in sorted(outward)]
    return module_text(context, declared, bodies, scopes, takes_fuel=context.options.fuel), all_facts


def _set_copy(fn: FunctionEmitter, func_index: int, inlining: Inlining, copy: int, size_bytes: int) -> None:
    """Make ready for a copy of a body: where its offsets are, and what it calls in place of the function."""
    fn.copy = copy
    fn.shift = copy * size_bytes
    fn.copies = {offset: f"f{func_index}.{number}" for offset, number in inlining.replaced(copy).items()}
    if copy:
        fn.attributes = COPY_ATTRIBUTES


def _emit_function(fn: FunctionEmitter, group: FunctionGroup, position: int, facts: GroupFacts) -> str:
    func_index, end, base = group.indices[position], group.ends[position], group.bases[position]
    runs, body = decode_locals(group.data, group.starts[position], end)
    instructions = decode_instructions(group.data, body, end)
    used = {opcode for _, opcode, _ in instructions}
    calls_something = not used.isdisjoint(CALLING_OPCODES) or (
        not used.isdisjoint(WAITING_OPCODES) and _waits(fn.context, instructions)
    )
    if not calls_something and LOOP_OPCODE not in used:
        facts.short_functions.append(func_index)
    facts.features.update(feature for opcode in used if (feature := opcodes.OPCODES[opcode].feature) is not None)
    if not used.isdisjoint(_BLOCK_OPCODES) and _has_typed_blocks(instructions):
        facts.features.add("multi-value")
    declared = "".join(letter_of(valtype) * count for count, valtype in runs)
    # Copies of a body are within the function's frame, and it calls something.
    fn.has_stack_check = not fn.copy and (calls_something or len(declared) > MANY_LOCALS)
    if not calls_something and LOOP_OPCODE not in used and _needs_no_frame(fn, len(instructions)):
        fn.attributes = FRAMELESS_ATTRIBUTES
    assigned, fn.once = written_locals(instructions, len(fn.signature.params))
    fn.rethrows = _RETHROW in used
    if calls_something and not (fn.context.options.fuel or fn.context.types or fn.context.checks_exceptions):
        fn.mirrored = mirroring_locals(instructions, len(fn.signature.params), fn.context.globals)
    fn.open_locals(declared, assigned - fn.once)
    if fn.context.types:
        params = fn.context.types[fn.context.function_types[func_index]].params
        fn.local_types = (*params, *(valtype for count, valtype in runs for _ in range(count)))
    open_function(fn)
    if fn.context.options.fuel:
        _emit_metered(fn, instructions, base)
    else:
        emit_instructions(fn, instructions, base)
    if fn.copy:
        return fn.finish(f"f{func_index}.{fn.copy}", linkage="internal")
    name = f"f{func_index}"
    if fn.context.options.splits_groups:
        return apart(name) + fn.finish(name, APART, APART_LINKAGE)
    return fn.finish(name)


def _needs_no_frame(fn: FunctionEmitter, operators: int) -> bool:
    """Whether a leaf is so short that its frame would cost more than it tells.

    On x86-64 its return address is above what it has pushed. Elsewhere it is in a register, where walkers of frames
    don't look for it. Fuel and objects bring calls that no opcode tells of; level 0 keeps all values on the stack.
    """
    options = fn.context.options
    return (
        operators <= _FRAMELESS_OPERATORS
        and options.target.machine == "x86_64"
        and options.opt_level > 0
        and not options.fuel
        and not fn.context.types
        and not fn.has_stack_check
    )


def _emit_metered(fn: FunctionEmitter, instructions: list[Instruction], base: int) -> None:
    for cost, block in fuel.blocks(instructions):
        if not fn.dead:
            fn.offset = block[0][0] + base
            fuel.charge(fn, cost)
        emit_instructions(fn, block, base)


def _waits(context: ModuleContext, instructions: list[Instruction]) -> bool:
    """Whether a function waits or notifies at a shared memory."""
    return any(
        opcode in WAITING_OPCODES and context.memories[immediate[2]].shared for _, opcode, immediate in instructions
    )


def _has_typed_blocks(instructions: list[Instruction]) -> bool:
    return "type" in [immediate[0] for _, opcode, immediate in instructions if opcode in _BLOCK_OPCODES]
