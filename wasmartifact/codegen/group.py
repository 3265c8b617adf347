"""Emission of a group of functions as one LLVM module in text form."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from wasmartifact.codegen.calls import DIGESTS_SYMBOL
from wasmartifact.codegen.context import ModuleContext, Signature, letter_of
from wasmartifact.codegen.control import open_function
from wasmartifact.codegen.convention import outward_symbol
from wasmartifact.codegen.dispatch import CALLING_OPCODES, LOOP_OPCODE, emit_instructions
from wasmartifact.codegen.emit import FIRST_SCOPE, MANY_LOCALS, FunctionEmitter
from wasmartifact.wasm import opcodes
from wasmartifact.wasm.instructions import decode_instructions, decode_locals
from wasmartifact.wasm.model import Instruction

_STACK_REGISTERS: Final = {"x86_64": "rsp", "aarch64": "sp"}
_BLOCK_OPCODES: Final = frozenset(code for code, op in opcodes.OPCODES.items() if op.immediate == opcodes.BLOCK)


_RETHROW: Final = opcodes.OPCODE_BY_NAME["rethrow"].code
_LOCAL_WRITES: Final = (opcodes.OPCODE_BY_NAME["local.set"].code, opcodes.OPCODE_BY_NAME["local.tee"].code)


@dataclass(frozen=True, slots=True)
class FunctionGroup:
    """Consecutive defined functions: ``data`` holds their code entries and starts at wasm offset ``base``.

    ``starts`` and ``ends`` are offsets in ``data``, one per function from ``first`` on.
    """

    first: int
    data: bytes
    base: int
    starts: array[int]
    ends: array[int]


@dataclass(slots=True)
class GroupFacts:
    """What is learnt of a group while it is emitted."""

    features: set[str] = field(default_factory=set)
    indirect_types: set[int] = field(default_factory=set)  # canonical types of indirect calls
    outward_types: set[int] = field(default_factory=set)  # those of tail calls that need an outward trampoline
    short_functions: list[int] = field(default_factory=list)


def emit_group(context: ModuleContext, group: FunctionGroup) -> tuple[str, GroupFacts]:
    """IR text of a group of functions.

    Raises
    ------
    MalformedModule
        A body that breaks the binary format; its offset counts from the start of the group's data.
    UnsupportedModule
        A body that needs what is not compiled.
    """
    facts = GroupFacts()
    bodies: list[str] = []
    scopes: list[str] = []
    calls: set[int] = set()
    for position, (start, end) in enumerate(zip(group.starts, group.ends, strict=True)):
        func_index = group.first + position
        scope = FIRST_SCOPE + position
        signature = context.function_signature(func_index)
        fn = FunctionEmitter(context, signature, scope, group.base + start, f"function {func_index}")
        bodies.append(_emit_function(fn, func_index, group, start, end, facts))
        scopes.append(subprogram(scope, group.base + start))
        calls |= fn.calls
        facts.indirect_types |= fn.type_uses
        facts.outward_types |= fn.outward_types
    defined = range(group.first, group.first + len(bodies))
    declared = [(f"f{index}", context.function_signature(index)) for index in sorted(calls) if index not in defined]
    declared += [(outward_symbol(index), context.signatures[index]) for index in sorted(facts.outward_types)]
    return module_text(context, declared, bodies, scopes), facts


def _emit_function(
    fn: FunctionEmitter, func_index: int, group: FunctionGroup, start: int, end: int, facts: GroupFacts
) -> str:
    runs, body = decode_locals(group.data, start, end)
    instructions = decode_instructions(group.data, body, end)
    used = {opcode for _, opcode, _ in instructions}
    calls_something = not used.isdisjoint(CALLING_OPCODES)
    if not calls_something and LOOP_OPCODE not in used:
        facts.short_functions.append(func_index)
    facts.features.update(feature for opcode in used if (feature := opcodes.OPCODES[opcode].feature) is not None)
    if not used.isdisjoint(_BLOCK_OPCODES) and _has_typed_blocks(instructions):
        facts.features.add("multi-value")
    declared = "".join(letter_of(valtype) * count for count, valtype in runs)
    fn.has_stack_check = calls_something or len(declared) > MANY_LOCALS
    assigned = {index for _, opcode, index in instructions if opcode in _LOCAL_WRITES}
    fn.rethrows = _RETHROW in used
    fn.open_locals(declared, assigned)
    open_function(fn)
    emit_instructions(fn, instructions, group.base)
    return fn.finish(f"f{func_index}")


def _has_typed_blocks(instructions: list[Instruction]) -> bool:
    return "type" in [immediate[0] for _, opcode, immediate in instructions if opcode in _BLOCK_OPCODES]


def _declaration(name: str, result: str, params: str) -> str:
    return f"declare hidden {result} @{name}({params})"


def subprogram(scope: int, wasm_offset: int) -> str:
    """Debug scope of a function; its line is the offset of its code entry."""
    return (
        f"!{scope} = distinct !DISubprogram(scope: !4, file: !4, line: {wasm_offset}, type: !5, "
        f"scopeLine: {wasm_offset}, spFlags: DISPFlagDefinition, unit: !3)"
    )


def module_text(
    context: ModuleContext,
    declared: Iterable[tuple[str, Signature]],
    bodies: Sequence[str],
    scopes: Sequence[str],
) -> str:
    """The whole LLVM module around function definitions: what ``emit`` names by number is defined here."""
    target = context.options.target
    return "\n".join([
        f'target triple = "{target.triple}"',
        f"@{DIGESTS_SYMBOL} = external hidden constant [{len(context.canonical)} x [16 x i8]]",
        *(_declaration(name, *context.llvm_type(signature)) for name, signature in declared),
        *bodies,
        # No unwind tables: backtraces walk frame pointers. No inlining: they name every function.
        'attributes #0 = { noinline nounwind "frame-pointer"="all" "probe-stack"="inline-asm" "no-builtins" '
        f'"tune-cpu"="{target.tune_cpu}" '
        '"prefer-vector-width"="256" }',
        "attributes #1 = { nomerge }",
        "!llvm.module.flags = !{!6, !7}",
        "!llvm.dbg.cu = !{!3}",
        "!0 = !{}",
        '!1 = !{!"branch_weights", i32 1, i32 2000}',
        f'!2 = !{{!"{_STACK_REGISTERS[target.machine]}\\00"}}',
        "!3 = distinct !DICompileUnit(language: DW_LANG_C99, file: !4, isOptimized: true, runtimeVersion: 0, "
        "emissionKind: DebugDirectivesOnly)",
        '!4 = !DIFile(filename: "wasm", directory: "")',
        "!5 = !DISubroutineType(types: !0)",
        '!6 = !{i32 7, !"Dwarf Version", i32 4}',
        '!7 = !{i32 2, !"Debug Info Version", i32 3}',
        *scopes,
        "",
    ])  # fmt: skip
