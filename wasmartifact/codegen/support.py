"""The code of an artifact that is no function of the module: trampolines and the init function."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from wasmartifact.codegen.compiled import CompiledGroup
from wasmartifact.codegen.context import ModuleContext
from wasmartifact.codegen.convention import inward_symbol
from wasmartifact.codegen.irmodule import FIRST_SCOPE, module_text, subprogram
from wasmartifact.codegen.portion import take_fuel
from wasmartifact.codegen.trampolines import (
    entry_symbol,
    entry_trampoline,
    host_symbol,
    host_trampoline,
    inward_trampoline,
    outward_trampoline,
)
from wasmartifact.dataclass import dataclass
from wasmartifact.schema import KIND_FUNC
from wasmartifact.wasm.initial import InitialState
from wasmartifact.wasm.model import ConstExpr, Module
from wasmartifact.wasm.opcodes import OPCODE_BY_NAME

#: Trampolines in one LLVM module.
TRAMPOLINES_PER_GROUP: Final = 200
_REF_FUNC: Final = OPCODE_BY_NAME["ref.func"].code


@dataclass(frozen=True, slots=True)
class TrampolineTypes:
    """Canonical types, ascending, that need a trampoline of a kind."""

    entry: list[int]
    host: list[int]
    inward: list[int]
    outward: list[int]

    def entry_symbols(self) -> dict[int, str]:
        """Symbol of the entry trampoline by canonical type."""
        return {index: entry_symbol(index) for index in self.entry}

    def host_symbols(self) -> dict[int, str]:
        """Symbol of the host-call trampoline by canonical type."""
        return {index: host_symbol(index) for index in self.host}

    def inward_symbols(self) -> dict[int, str]:
        """Symbol of the inward trampoline by canonical type."""
        return {index: inward_symbol(index) for index in self.inward}


def trampoline_types(module: Module, context: ModuleContext, compiled: Iterable[CompiledGroup]) -> TrampolineTypes:
    """Entry: types of functions that the outside can call; host: those of imports and of indirect calls.

    Inward: those of the former that spill; outward: what tail calls need.
    """
    canonical, types = context.canonical, module.function_types
    entry = {canonical[types[index]] for index in _reachable_functions(module)}
    host = {canonical[types[index]] for index in range(module.imported_functions)}
    outward = set()
    for group in compiled:
        host |= group.facts.indirect_types
        outward |= group.facts.outward_types
    convention = context.convention
    called = [context.called(signature) for signature in context.signatures]
    inward = {index for index in entry if convention is not None and convention.spills(called[index])}
    return TrampolineTypes(sorted(entry), sorted(host), sorted(inward), sorted(outward))


def _reachable_functions(module: Module) -> set[int]:
    """Functions that the outside can get at. A body may refer only to functions that stand here."""
    found = {export.index for export in module.exports if export.kind == KIND_FUNC}
    expressions = [entry.init for entry in module.globals] + [table.init for table in module.tables if table.init]
    for segment in module.elements:
        for item in segment.items:
            if isinstance(item, ConstExpr):
                expressions.append(item)
            else:
                found.add(item)
    for expression in expressions:
        found.update(index for _, opcode, index in expression.instructions if opcode == _REF_FUNC)
    return found


def trampoline_texts(context: ModuleContext, types: TrampolineTypes) -> list[str]:
    """LLVM modules with the trampolines, and with fuel what takes it."""
    signatures, called = context.signatures, [context.called(signature) for signature in context.signatures]
    trampolines = [entry_trampoline(index, signatures[index], called[index]) for index in types.entry]
    trampolines += [host_trampoline(index, signatures[index], called[index]) for index in types.host]
    if context.convention is not None:
        for make, indices in ((inward_trampoline, types.inward), (outward_trampoline, types.outward)):
            trampolines += [make(index, called[index], context.convention) for index in indices]
    if context.options.fuel:
        trampolines.append(take_fuel())
    return [
        module_text(context, (), trampolines[start : start + TRAMPOLINES_PER_GROUP], ())
        for start in range(0, len(trampolines), TRAMPOLINES_PER_GROUP)
    ]


def has_init(module: Module, initial: InitialState) -> bool:
    """Whether instantiation has something to run."""
    return bool(initial.actions) or module.start is not None


def init_text(context: ModuleContext, module: Module, initial: InitialState) -> str:
    """The LLVM module with the init function."""
    from wasmartifact.codegen.initcode import emit_init  # with all that emits instructions

    body, fn = emit_init(context, module, initial, FIRST_SCOPE)
    declared = ((f"f{index}", context.function_signature(index)) for index in sorted(fn.calls))
    return module_text(context, declared, [body], [subprogram(FIRST_SCOPE, 0)], takes_fuel=context.options.fuel)
