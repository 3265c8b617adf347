"""The ``init`` function: what instantiation has to run, in the order of the spec (section 4.7.2)."""

from __future__ import annotations

from wasmartifact.codegen.calls import call_function
from wasmartifact.codegen.compiled import INIT_SYMBOL
from wasmartifact.codegen.context import ModuleContext
from wasmartifact.codegen.control import open_function
from wasmartifact.codegen.dispatch import emit_instructions
from wasmartifact.codegen.emitter import FunctionEmitter, i64_constant
from wasmartifact.codegen.signature import Signature
from wasmartifact.codegen.variables import store_global
from wasmartifact.wasm.initial import CONSTANT_ITEMS, InitialState
from wasmartifact.wasm.model import ConstExpr, Module
from wasmartifact.wasm.opcodes import OPCODE_BY_NAME

_END = OPCODE_BY_NAME["end"].code


def emit_init(context: ModuleContext, module: Module, initial: InitialState, scope: int) -> tuple[str, FunctionEmitter]:
    """IR of ``void init(ptr instance)``, and the emitter for what it learnt.

    Raises
    ------
    UnsupportedModule
        A constant expression that is not compiled.
    """
    fn = FunctionEmitter(context, Signature("", "", "", "void", "ptr"), scope, 0, "an initialiser")
    fn.has_stack_check = True
    fn.pays = False
    fn.open_locals("", set())
    open_function(fn)
    for kind, index in initial.actions:
        _ACTIONS[kind](fn, module, index)
    if module.start is not None:
        call_function(fn, module.start)
    emit_instructions(fn, [(0, _END, None)], fn.offset)
    return fn.finish(INIT_SYMBOL), fn


def _evaluate(fn: FunctionEmitter, expression: ConstExpr) -> str:
    """Emit a constant expression; return its value."""
    emit_instructions(fn, list(expression.instructions), 0)
    return fn.stack.pop()


def _init_global(fn: FunctionEmitter, module: Module, index: int) -> None:
    store_global(fn, module.imported_globals + index, _evaluate(fn, module.globals[index].init))


def _init_table(fn: FunctionEmitter, module: Module, index: int) -> None:
    table = module.tables[index]
    assert table.init is not None
    value = _evaluate(fn, table.init)
    fn.runtime_call(
        "table_fill", str(module.imported_tables + index), "u0x0", value, i64_constant(table.type.limits.min)
    )


def _init_element_values(fn: FunctionEmitter, module: Module, index: int) -> None:
    for position, item in enumerate(module.elements[index].items):
        if isinstance(item, ConstExpr) and item.instructions[0][1] not in CONSTANT_ITEMS:
            value = _evaluate(fn, item)
            fn.runtime_call("element_set", str(index), i64_constant(position), value)


def _init_element(fn: FunctionEmitter, module: Module, index: int) -> None:
    segment = module.elements[index]
    assert segment.offset is not None
    offset = fn.widen(_evaluate(fn, segment.offset), fn.context.tables[segment.table])
    fn.runtime_call("table_init", str(segment.table), str(index), offset, "u0x0", i64_constant(len(segment.items)))
    fn.runtime_call("element_drop", str(index))


def _init_data(fn: FunctionEmitter, module: Module, index: int) -> None:
    segment = module.datas[index]
    assert segment.offset is not None
    offset = fn.widen(_evaluate(fn, segment.offset), fn.context.memories[segment.memory].index)
    fn.runtime_call(
        "memory_init", str(segment.memory), str(index), offset, "u0x0", i64_constant(segment.end - segment.start)
    )
    fn.runtime_call("data_drop", str(index))


_ACTIONS = {
    "global": _init_global,
    "table": _init_table,
    "element_values": _init_element_values,
    "element": _init_element,
    "data": _init_data,
}
