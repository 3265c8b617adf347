"""The init function as a body of WebAssembly, for the one-pass compiler: what instantiation has to run.

See section 4.7.2 of the spec; `initcode` has the same as IR. One operator is ours: it sets an item of a segment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wasmartifact.codegen.onepass import library
from wasmartifact.wasm.encode import constant, opcode_bytes, operator, unsigned
from wasmartifact.wasm.initial import CONSTANT_ITEMS, InitialState
from wasmartifact.wasm.model import ConstExpr, Module


def init_body(module: Module, initial: InitialState) -> bytes:
    """The code entry: no locals, what the plan says, the call of the start function."""
    body = bytearray(b"\0")
    for kind, index in initial.actions:
        body += _ACTIONS[kind](module, index)
    if module.start is not None:
        body += operator("call", module.start)
    return bytes(body + operator("end"))


def _expression(module: Module, expression: ConstExpr) -> bytes:
    return module.data[expression.start : expression.end - 1]


def _init_global(module: Module, index: int) -> bytes:
    value = _expression(module, module.globals[index].init)
    return value + operator("global.set", module.imported_globals + index)


def _init_table(module: Module, index: int) -> bytes:
    table = module.tables[index]
    assert table.init is not None
    is64 = table.type.limits.is64
    values = constant(0, is64=is64) + _expression(module, table.init) + constant(table.type.limits.min, is64=is64)
    return values + operator("table.fill", module.imported_tables + index)


def _init_element_values(module: Module, index: int) -> bytes:
    lib = library().lib
    body = bytearray()
    for position, item in enumerate(module.elements[index].items):
        if isinstance(item, ConstExpr) and item.instructions[0][1] not in CONSTANT_ITEMS:
            body += constant(position, is64=True) + _expression(module, item)
            body += opcode_bytes(lib.WA_ONEPASS_ELEMENT_SET) + unsigned(index)
    return bytes(body)


def _init_element(module: Module, index: int) -> bytes:
    segment = module.elements[index]
    assert segment.offset is not None
    values = _expression(module, segment.offset) + constant(0) + constant(len(segment.items))
    return values + operator("table.init", index, segment.table) + operator("elem.drop", index)


def _init_data(module: Module, index: int) -> bytes:
    segment = module.datas[index]
    assert segment.offset is not None
    values = _expression(module, segment.offset) + constant(0) + constant(segment.end - segment.start)
    return values + operator("memory.init", index, segment.memory) + operator("data.drop", index)


_ACTIONS: Final[dict[str, Callable[[Module, int], bytes]]] = {
    "global": _init_global,
    "table": _init_table,
    "element_values": _init_element_values,
    "element": _init_element,
    "data": _init_data,
}
