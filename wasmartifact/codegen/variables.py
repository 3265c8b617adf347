"""Parametric, variable, reference and table instructions (spec sections 4.4.1, 4.4.4 to 4.4.6)."""

from __future__ import annotations

from typing import Any, Final

from wasmartifact import schema
from wasmartifact.codegen import fuel
from wasmartifact.codegen.emitter import (
    NOT_NULL,
    ZEROS,
    FunctionEmitter,
    Handler,
    constant_of_cell,
    local_cell,
    type_letter,
)
from wasmartifact.codegen.signature import LLVM_TYPES

NULL: Final = ZEROS["l"]
TABLE_HEAD: Final = schema.TABLE_HEAD.offsets()

# Parametric -------------------------------------------------------------------------------------------------------


def _drop(fn: FunctionEmitter, _: Any) -> None:
    fn.stack.pop()


def _select(fn: FunctionEmitter, _: Any) -> None:
    condition = fn.condition(fn.stack.pop())
    b = fn.opaque(fn.stack.pop())
    a = fn.opaque(fn.stack.pop())
    letter = type_letter(a)
    type_ = LLVM_TYPES[letter]
    fn.push(letter, f"select i1 {condition}, {type_} {a}, {type_} {b}")


# Variables --------------------------------------------------------------------------------------------------------


def _local_get(fn: FunctionEmitter, index: int) -> None:
    value = fn.known.get(index) or fn.fixed.get(index)
    if value is None:
        if index in fn.mirrored:
            _global_get(fn, fn.mirrored[index])
            fn.known[index] = fn.stack[-1]
            return
        letter = fn.local_letters[index]
        value = fn.known[index] = fn.define(letter, f"load {LLVM_TYPES[letter]}, ptr {local_cell(index)}")
    fn.stack.append(value)
    if fn.local_types:
        fn.prove(value, fn.local_types[index])


def _local_tee(fn: FunctionEmitter, index: int) -> None:
    value = fn.known[index] = fn.stack[-1]
    if index in fn.once:
        fn.fixed[index] = fn.opaque(value)
        return
    if index in fn.mirrored:
        return
    fn.out.append(f"  store {LLVM_TYPES[fn.local_letters[index]]} {fn.opaque(value)}, ptr {local_cell(index)}{fn.dbg}")


def _local_set(fn: FunctionEmitter, index: int) -> None:
    _local_tee(fn, index)
    fn.stack.pop()


def _cell(fn: FunctionEmitter, offset: int, imported: bool) -> str:
    return fn.load_invariant(offset) if imported else fn.record_field(offset)


def _global_get(fn: FunctionEmitter, index: int) -> None:
    facts = fn.context.globals[index]
    if facts.constant is not None:
        fn.stack.append(constant_of_cell(facts.letter, facts.constant))
        return
    cell = _cell(fn, facts.offset, facts.imported)
    fn.push(facts.letter, f"load {LLVM_TYPES[facts.letter]}, ptr {cell}, align 8")


def _global_set(fn: FunctionEmitter, index: int) -> None:
    store_global(fn, index, fn.stack.pop())


def store_global(fn: FunctionEmitter, index: int, value: str) -> None:
    """Store an operand in the cell of a global."""
    facts = fn.context.globals[index]
    cell = _cell(fn, facts.offset, facts.imported)
    fn.out.append(f"  store {LLVM_TYPES[facts.letter]} {fn.opaque(value)}, ptr {cell}, align 8{fn.dbg}")


# References -------------------------------------------------------------------------------------------------------


def _ref_null(fn: FunctionEmitter, _: Any) -> None:
    fn.stack.append(NULL)


def _ref_is_null(fn: FunctionEmitter, _: Any) -> None:
    fn.push_test(f"icmp eq i64 {fn.stack.pop()}, 0")


def _ref_as_non_null(fn: FunctionEmitter, _: Any) -> None:
    test = fn.define("c", f"icmp eq i64 {fn.stack[-1]}, 0")
    fn.trap_if(test, schema.TRAP_BY_NAME["null_reference"])
    fn.prove(fn.stack[-1], NOT_NULL)


def _ref_func(fn: FunctionEmitter, func_index: int) -> None:
    fn.stack.append(fn.runtime_call("function_reference", str(func_index)))


# Tables -----------------------------------------------------------------------------------------------------------


def table_pointer(fn: FunctionEmitter, table: int) -> str:
    """Address of a table's table_head."""
    return fn.load_invariant(fn.context.layout.tables_offset + 8 * table)


def narrow(fn: FunctionEmitter, value: str, letter: str) -> str:
    """An i64 as an address operand of type ``letter``."""
    return value if letter == "l" else fn.define("i", f"trunc i64 {value} to i32")


def _table_get(fn: FunctionEmitter, table: int) -> None:
    index = fn.widen(fn.stack.pop(), fn.context.tables[table])
    fn.stack.append(fn.runtime_call("table_get", str(table), index))


def _table_set(fn: FunctionEmitter, table: int) -> None:
    index, value = fn.pop_values(2)
    fn.runtime_call("table_set", str(table), fn.widen(index, fn.context.tables[table]), value)


def _table_size(fn: FunctionEmitter, table: int) -> None:
    size = fn.load_field(table_pointer(fn, table), TABLE_HEAD["size"], "i64")
    fn.stack.append(narrow(fn, size, fn.context.tables[table]))


def _table_grow(fn: FunctionEmitter, table: int) -> None:
    value, delta = fn.pop_values(2)
    letter = fn.context.tables[table]
    count = fn.widen(delta, letter)
    old_count = fn.runtime_call("table_grow", str(table), value, count)
    fuel.charge_growth(fn, old_count, count)
    fn.stack.append(narrow(fn, old_count, letter))


def _table_fill(fn: FunctionEmitter, table: int) -> None:
    index, value, count = fn.pop_values(3)
    letter = fn.context.tables[table]
    operands = fn.widen(index, letter), value, fn.widen(count, letter)
    fuel.charge_count(fn, operands[-1], letter)
    fn.runtime_call("table_fill", str(table), *operands)


def _table_copy(fn: FunctionEmitter, pair: tuple[int, int]) -> None:
    destination, source = pair
    to, at, count = fn.pop_values(3)
    to_letter, from_letter = fn.context.tables[destination], fn.context.tables[source]
    count_letter = min(to_letter, from_letter)  # "i" where either index is an i32
    operands = fn.widen(to, to_letter), fn.widen(at, from_letter), fn.widen(count, count_letter)
    fuel.charge_count(fn, operands[-1], count_letter)
    fn.runtime_call("table_copy", str(destination), str(source), *operands)


def _table_init(fn: FunctionEmitter, pair: tuple[int, int]) -> None:
    segment, table = pair
    to, at, count = fn.pop_values(3)
    operands = fn.widen(to, fn.context.tables[table]), fn.widen(at, "i"), fn.widen(count, "i")
    fuel.charge_count(fn, operands[-1], "i")
    fn.runtime_call("table_init", str(table), str(segment), *operands)


def _elem_drop(fn: FunctionEmitter, segment: int) -> None:
    fn.runtime_call("element_drop", str(segment))


HANDLERS: Final[dict[str, Handler]] = {
    "drop": _drop,
    "select": _select,
    "select_typed": _select,
    "local.get": _local_get,
    "local.set": _local_set,
    "local.tee": _local_tee,
    "global.get": _global_get,
    "global.set": _global_set,
    "ref.null": _ref_null,
    "ref.is_null": _ref_is_null,
    "ref.func": _ref_func,
    "ref.as_non_null": _ref_as_non_null,
    "table.get": _table_get,
    "table.set": _table_set,
    "table.size": _table_size,
    "table.grow": _table_grow,
    "table.fill": _table_fill,
    "table.copy": _table_copy,
    "table.init": _table_init,
    "elem.drop": _elem_drop,
}
