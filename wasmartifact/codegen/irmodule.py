"""The LLVM module around function definitions: what these name by number is defined here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from wasmartifact import schema
from wasmartifact.codegen.context import ModuleContext
from wasmartifact.codegen.convention import fixed_table_symbol
from wasmartifact.codegen.signature import Signature
from wasmartifact.elf.object import TYPE_DIGESTS_SYMBOL

#: Attribute groups and metadata that the header of every group of functions defines.
#: The section is named lest LLVM moves cold functions to another one: functions stay in order.
FUNCTION_ATTRIBUTES: Final = '#0 section ".text"'
#: For functions of a few instructions that call nothing: no frame, which would be half of them.
FRAMELESS_ATTRIBUTES: Final = '#2 section ".text"'
#: After them: the function gets sections of its own, for its code and its jump tables, in a section group.
APART: Final = " comdat"
#: The linkage of functions, and of those with `APART`: of results of what is weak LLVM learns nothing, which callers
#: would profit from that happen to be in the same group.
LINKAGE: Final = "hidden"
APART_LINKAGE: Final = "weak hidden"
#: For copies of a body that LLVM puts in place of calls.
COPY_ATTRIBUTES: Final = "#3"
#: Of what LLVM must not make one of: traps and calls tell where they are.
NOMERGE: Final = "#1"
INVARIANT: Final = "!invariant.load !0"
UNLIKELY: Final = "!prof !1"  # the first target of the branch is cold
STACK_POINTER: Final = "metadata !2"
TAKE_FUEL: Final = "take_fuel"  # symbol of the function that takes a portion of fuel from the store
FIRST_SCOPE: Final = 8  # number of the first function's debug scope
_STACK_REGISTERS: Final = {"x86_64": "rsp", "aarch64": "sp"}
#: What LLVM's back end says of each machine. The passes before it have to be told, or they know of no integers that fit
#: a register, and leave a loop's address in 32 bits.
DATA_LAYOUTS: Final = {
    "x86_64": "e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-i128:128-f80:128-n8:16:32:64-S128",
    "aarch64": "e-m:e-p270:32:32-p271:32:32-p272:64:64-i8:8:32-i16:16:32-i64:64-i128:128-n32:64-S128-Fn32",
}


def _declaration(name: str, result: str, params: str) -> str:
    # As definitions are: what LLVM knows of a function must not depend on what else is in the module.
    return f"declare hidden {result} @{name}({params}) nounwind"


def apart(name: str) -> str:
    """What goes before the definition of a function that has `APART`."""
    return f"${name} = comdat nodeduplicate\n"


def subprogram(scope: int, wasm_offset: int) -> str:
    """Debug scope of a function; its line is the offset of its code entry."""
    return (
        f"!{scope} = distinct !DISubprogram(scope: !4, file: !4, line: {wasm_offset}, type: !5, "
        f"scopeLine: {wasm_offset}, spFlags: DISPFlagDefinition, unit: !3)"
    )


def _fixed_tables(context: ModuleContext) -> Iterator[str]:
    """Declarations of the constants that stand for tables; as long as all of them are."""
    for table, is_fixed in enumerate(context.fixed_tables):
        if is_fixed:
            size_bytes = schema.FIXED_TABLE.size_bytes
            yield f"@{fixed_table_symbol(table)} = external hidden constant [{size_bytes} x i8], align 8"


def _function_attributes(group: int, frames: str, tune_cpu: str, inlining: str = "noinline") -> str:
    # No unwind tables: backtraces walk frame pointers. No inlining but for copies: backtraces name every function.
    return (
        f'attributes #{group} = {{ {inlining} nounwind "frame-pointer"="{frames}" "probe-stack"="inline-asm" '
        f'"no-builtins" "tune-cpu"="{tune_cpu}" "prefer-vector-width"="256" }}'
    )


def module_text(
    context: ModuleContext,
    declared: Iterable[tuple[str, Signature]],
    bodies: Sequence[str],
    scopes: Sequence[str],
    *,
    takes_fuel: bool = False,
) -> str:
    """The whole LLVM module around function definitions: what ``emit`` names by number is defined here."""
    target = context.options.target
    return "\n".join([
        f'target triple = "{target.triple}"',
        f'target datalayout = "{DATA_LAYOUTS[target.machine]}"',
        f"@{TYPE_DIGESTS_SYMBOL} = external hidden constant [{len(context.canonical)} x [16 x i8]]",
        *_fixed_tables(context),
        *(_declaration(name, *context.llvm_type(signature)) for name, signature in declared),
        *([f"declare hidden preserve_allcc i64 @{TAKE_FUEL}(ptr, i64, i64)"] if takes_fuel else []),
        *bodies,
        _function_attributes(0, "all", target.tune_cpu),
        "attributes #1 = { nomerge }",
        _function_attributes(2, "none", target.tune_cpu),
        *([_function_attributes(3, "all", target.tune_cpu, "alwaysinline")] if context.inlined else []),
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
