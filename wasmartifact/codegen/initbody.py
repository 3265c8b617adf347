"""The init function as a body of WebAssembly, for the one-pass compiler: what instantiation has to run.

See section 4.7.2 of the spec; `initcode` has the same as IR. One operator is ours: it sets an item of a segment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wasmartifact.wasm.initial import CONSTANT_ITEMS, InitialState
from wasmartifact.wasm.model import ConstExpr, Module
from wasmartifact.wasm.opcodes import OPCODE_BY_NAME


def init_body(module: Module, initial: InitialState) -> bytes:
    """The code entry: no locals, what the plan says, the call of the start function."""
    body = bytearray(b"\0")
    for kind, index in initial.actions:
        body += _ACTIONS[kind](module, index)
    if module.start is not None:
        body += _operator("call", module.start)
    return bytes(body + _operator("end"))


def _leb(value: int) -> bytes:
    """An unsigned number (spec section 5.2.2)."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def _signed_leb(value: int) -> bytes:
    encoded = bytearray()
    while not -0x40 <= value < 0x40:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value & 0x7F])


def _encoded(code: int, *indices: int) -> bytes:
    opcode = bytes([code]) if code < 256 else bytes([code >> 16]) + _leb(code & 0xFFFF)
    return opcode + b"".join(map(_leb, indices))


def _operator(name: str, *indices: int) -> bytes:
    return _encoded(OPCODE_BY_NAME[name].code, *indices)


def _constant(value: int, *, is64: bool = False) -> bytes:
    """A number of either type; those of i32 are given without sign."""
    signed = value if is64 else (value & 0xFFFFFFFF ^ 0x80000000) - 0x80000000
    return _operator("i64.const" if is64 else "i32.const") + _signed_leb(signed)


def _expression(module: Module, expression: ConstExpr) -> bytes:
    return module.data[expression.start : expression.end - 1]


def _init_global(module: Module, index: int) -> bytes:
    value = _expression(module, module.globals[index].init)
    return value + _operator("global.set", module.imported_globals + index)


def _init_table(module: Module, index: int) -> bytes:
    table = module.tables[index]
    assert table.init is not None
    is64 = table.type.limits.is64
    values = _constant(0, is64=is64) + _expression(module, table.init) + _constant(table.type.limits.min, is64=is64)
    return values + _operator("table.fill", module.imported_tables + index)


def _init_element_values(module: Module, index: int) -> bytes:
    from wasmartifact._onepass import lib  # as the caller has done

    body = bytearray()
    for position, item in enumerate(module.elements[index].items):
        if isinstance(item, ConstExpr) and item.instructions[0][1] not in CONSTANT_ITEMS:
            body += (
                _constant(position, is64=True) + _expression(module, item) + _encoded(lib.WA_ONEPASS_ELEMENT_SET, index)
            )
    return bytes(body)


def _init_element(module: Module, index: int) -> bytes:
    segment = module.elements[index]
    assert segment.offset is not None
    values = _expression(module, segment.offset) + _constant(0) + _constant(len(segment.items))
    return values + _operator("table.init", index, segment.table) + _operator("elem.drop", index)


def _init_data(module: Module, index: int) -> bytes:
    segment = module.datas[index]
    assert segment.offset is not None
    values = _expression(module, segment.offset) + _constant(0) + _constant(segment.end - segment.start)
    return values + _operator("memory.init", index, segment.memory) + _operator("data.drop", index)


_ACTIONS: Final[dict[str, Callable[[Module, int], bytes]]] = {
    "global": _init_global,
    "table": _init_table,
    "element_values": _init_element_values,
    "element": _init_element,
    "data": _init_data,
}
