"""Structs, arrays, numbers of 31 bits (spec section 4.4.5): making objects, and looking into them.

Small objects come from runs of free cells, by a few instructions; the runtime makes the others, and new runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from wasmartifact import schema
from wasmartifact.codegen import fuel
from wasmartifact.codegen.casts import is_not_null, rtt_of
from wasmartifact.codegen.context import FieldFacts
from wasmartifact.codegen.emitter import INSTANCE, NOT_NULL, ZEROS, FunctionEmitter, Handler
from wasmartifact.codegen.irmodule import UNLIKELY
from wasmartifact.codegen.signature import LLVM_TYPES

_ARRAY: Final = schema.ARRAY.offsets()
_RUN: Final = schema.RUN.offsets()
_INLINE_MAX_BYTES: Final = schema.INLINE_CLASSES * schema.OBJECT_ALIGN_BYTES
_TRAPS: Final = schema.TRAP_BY_NAME

# Places -----------------------------------------------------------------------------------------------------------


def object_pointer(fn: FunctionEmitter, reference: str, trap: str) -> str:
    """The address of an object; traps where there is none."""
    if not is_not_null(fn, reference):
        fn.trap_if(fn.define("c", f"icmp eq i64 {reference}, 0"), _TRAPS[trap])
        fn.prove(reference, NOT_NULL)
    return fn.define("p", f"inttoptr i64 {reference} to ptr")


def _field_place(fn: FunctionEmitter, pointer: str, field: FieldFacts) -> str:
    return fn.define("p", f"getelementptr i8, ptr {pointer}, i64 {field.offset}")


def _element_place(fn: FunctionEmitter, pointer: str, element: FieldFacts, index: str) -> str:
    """Address of an element whose index, an i64, was checked."""
    first = _field_place(fn, pointer, element)
    return fn.define("p", f"getelementptr i{element.bits}, ptr {first}, i64 {index}")


def _store(fn: FunctionEmitter, place: str, field: FieldFacts, value: str) -> None:
    if field.bits < 32:
        type_ = f"i{field.bits}"
        value = fn.define("n", f"trunc i32 {value} to {type_}")
    else:
        type_, value = LLVM_TYPES[field.letter], fn.opaque(value)
    fn.emit(f"store {type_} {value}, ptr {place}, align {field.bits // 8}")


def _replace(fn: FunctionEmitter, place: Callable[[], str], field: FieldFacts, value: str) -> None:
    """Put a value over another one, of which the collector hears while it marks.

    ``place`` emits the address, for each block anew: one that both have would take an instruction before the test.
    """
    if field.has_objects:
        number = fn.fresh()
        flag = fn.define("i", f"load i32, ptr {fn.record_field(INSTANCE['is_marking'])}, align 4")
        is_marking = fn.define("c", f"icmp ne i32 {flag}, 0")
        fn.out.append(f"  br i1 {is_marking}, label %note{number}, label %put{number}, {UNLIKELY}{fn.dbg}")
        fn.start_block(f"note{number}")
        fn.runtime_call("reference_changes", place())
        fn.out.append(f"  br label %put{number}{fn.dbg}")
        fn.start_block(f"put{number}")
    _store(fn, place(), field, value)


def _load(fn: FunctionEmitter, place: str, field: FieldFacts, extension: str) -> None:
    if field.bits < 32:
        narrow = fn.define("n", f"load i{field.bits}, ptr {place}, align {field.bits // 8}")
        fn.push("i", f"{extension} i{field.bits} {narrow} to i32")
    else:
        fn.push(field.letter, f"load {LLVM_TYPES[field.letter]}, ptr {place}, align {field.bits // 8}")
        fn.prove(fn.stack[-1], field.valtype)


# Making -----------------------------------------------------------------------------------------------------------


def _allocate(fn: FunctionEmitter, type_index: int, size_bytes: int, call: str, *arguments: str) -> str:
    """A new object whose fields are zero. ``call``: what makes one in the runtime, where there is no cell."""
    if size_bytes > _INLINE_MAX_BYTES:
        return fn.runtime_call(call, str(type_index), *arguments)
    cell_bytes = schema.align_up(size_bytes, schema.OBJECT_ALIGN_BYTES)
    return _take_cell(fn, type_index, str(cell_bytes), fn.fresh(), call, *arguments)


def _take_cell(fn: FunctionEmitter, type_index: int, cell_bytes: str, number: int, call: str, *arguments: str) -> str:
    """From the run of this size, an i64; ``refill{number}`` is the block that calls the runtime."""
    cells = fn.define("p", f"getelementptr i8, ptr {fn.pending_cell()}, i64 {cell_bytes}")
    first = schema.STORE_CELLS.size_bytes - schema.OBJECT_ALIGN_BYTES  # a run is as large as the step between sizes
    run = fn.define("p", f"getelementptr i8, ptr {cells}, i64 {first}")
    cell = fn.load_field(run, _RUN["next"])
    end = fn.load_field(run, _RUN["end"])
    is_empty = fn.define("c", f"icmp eq ptr {cell}, {end}")
    fn.out.append(f"  br i1 {is_empty}, label %refill{number}, label %take{number}, {UNLIKELY}{fn.dbg}")
    fn.start_block(f"refill{number}")
    made = fn.runtime_call(call, str(type_index), *arguments)
    fn.out.append(f"  br label %made{number}{fn.dbg}")
    fn.start_block(f"take{number}")
    following = fn.define("p", f"getelementptr i8, ptr {cell}, i64 {cell_bytes}")
    fn.emit(f"store ptr {following}, ptr {run}, align 8")
    fn.emit(f"store ptr {rtt_of(fn, type_index)}, ptr {cell}, align 8")
    if arguments:
        length = fn.define("p", f"getelementptr i8, ptr {cell}, i64 {_ARRAY['length']}")
        fn.emit(f"store i32 {arguments[0]}, ptr {length}, align 4")
    taken = fn.define("l", f"ptrtoint ptr {cell} to i64")
    fn.out.append(f"  br label %made{number}{fn.dbg}")
    fn.start_block(f"made{number}")
    reference = fn.define("l", f"phi i64 [ {made}, %refill{number} ], [ {taken}, %take{number} ]")
    fn.prove(reference, schema.VALTYPE_REF | type_index << 8)
    return reference


# Structs ----------------------------------------------------------------------------------------------------------


def _new_struct(fn: FunctionEmitter, type_index: int) -> str:
    fields = fn.context.types[type_index].fields
    size_bytes = fields[-1].offset + fields[-1].bits // 8 if fields else schema.OBJECT.size_bytes
    return _allocate(fn, type_index, size_bytes, "struct_new")


def _struct_new(fn: FunctionEmitter, type_index: int) -> None:
    fields = fn.context.types[type_index].fields
    values = fn.pop_values(len(fields))
    reference = _new_struct(fn, type_index)
    pointer = fn.define("p", f"inttoptr i64 {reference} to ptr")
    for field, value in zip(fields, values, strict=True):
        _store(fn, _field_place(fn, pointer, field), field, value)
    fn.stack.append(reference)


def _struct_new_default(fn: FunctionEmitter, type_index: int) -> None:
    fn.stack.append(_new_struct(fn, type_index))


def _struct_get(extension: str) -> Handler:
    def emit(fn: FunctionEmitter, pair: tuple[int, int]) -> None:
        field = fn.context.types[pair[0]].fields[pair[1]]
        pointer = object_pointer(fn, fn.stack.pop(), "null_structure_reference")
        _load(fn, _field_place(fn, pointer, field), field, extension)

    return emit


def _struct_set(fn: FunctionEmitter, pair: tuple[int, int]) -> None:
    reference, value = fn.pop_values(2)
    field = fn.context.types[pair[0]].fields[pair[1]]
    pointer = object_pointer(fn, reference, "null_structure_reference")
    _replace(fn, lambda: _field_place(fn, pointer, field), field, value)


# Arrays -----------------------------------------------------------------------------------------------------------


def _element(fn: FunctionEmitter, type_index: int) -> FieldFacts:
    return fn.context.types[type_index].fields[0]


def _charge(fn: FunctionEmitter, count: str) -> None:
    if fn.pays:
        fuel.charge_count(fn, fn.widen(count, "i"), "i")


def _slots(fn: FunctionEmitter, value: str, element: FieldFacts) -> tuple[str, str]:
    """Low and high bits of a value."""
    letter, zero = element.letter, ZEROS["l"]
    value = fn.opaque(value)
    if letter == "l":
        return value, zero
    if letter == "v":
        low, high = (fn.define("l", f"extractelement <2 x i64> {value}, i32 {lane}") for lane in range(2))
        return low, high
    if letter == "d":
        return fn.define("l", f"bitcast double {value} to i64"), zero
    bits = fn.define("i", f"bitcast float {value} to i32") if letter == "f" else value
    return fn.define("l", f"zext i32 {bits} to i64"), zero


def _new_array(fn: FunctionEmitter, type_index: int, length: str) -> str:
    element = _element(fn, type_index)
    width_bytes = element.bits // 8
    if length[0] != "%":
        size_bytes = element.offset + (int(length) & 0xFFFFFFFF) * width_bytes
        return _allocate(fn, type_index, size_bytes, "array_new", length)
    number = fn.fresh()
    wide = fn.widen(length, "i")
    most = (_INLINE_MAX_BYTES - element.offset) // width_bytes
    is_large = fn.define("c", f"icmp ugt i32 {length}, {most}")
    fn.out.append(f"  br i1 {is_large}, label %refill{number}, label %small{number}{fn.dbg}")
    fn.start_block(f"small{number}")
    elements = fn.define("l", f"mul i64 {wide}, {width_bytes}")
    rounded = fn.define("l", f"add i64 {elements}, {element.offset + schema.OBJECT_ALIGN_BYTES - 1}")
    cell_bytes = fn.define("l", f"and i64 {rounded}, {-schema.OBJECT_ALIGN_BYTES}")
    return _take_cell(fn, type_index, cell_bytes, number, "array_new", length)


def _array_new(fn: FunctionEmitter, type_index: int) -> None:
    value, length = fn.pop_values(2)
    _charge(fn, length)
    reference = _new_array(fn, type_index, length)
    if value not in ZEROS.values():
        low, high = _slots(fn, value, _element(fn, type_index))
        fn.runtime_call("array_fill", reference, "0", low, length, high)
    fn.stack.append(reference)


def _array_new_default(fn: FunctionEmitter, type_index: int) -> None:
    length = fn.stack.pop()
    _charge(fn, length)
    fn.stack.append(_new_array(fn, type_index, length))


def _array_new_fixed(fn: FunctionEmitter, pair: tuple[int, int]) -> None:
    type_index, length = pair
    values = fn.pop_values(length)
    reference = _new_array(fn, type_index, str(length))
    pointer = fn.define("p", f"inttoptr i64 {reference} to ptr")
    element = _element(fn, type_index)
    for index, value in enumerate(values):
        _store(fn, _element_place(fn, pointer, element, str(index)), element, value)
    fn.stack.append(reference)


def _array_new_segment(call: str) -> Handler:
    def emit(fn: FunctionEmitter, pair: tuple[int, int]) -> None:
        offset, length = fn.pop_values(2)
        _charge(fn, length)
        fn.stack.append(fn.runtime_call(call, str(pair[0]), str(pair[1]), offset, length))

    return emit


def _check_element(fn: FunctionEmitter, reference: str, index: str) -> tuple[str, str]:
    """The array and the index as an i64; traps where there is no such element."""
    pointer = object_pointer(fn, reference, "null_array_reference")
    length = _length(fn, pointer)
    fn.trap_if(fn.define("c", f"icmp uge i32 {index}, {length}"), _TRAPS["array_out_of_bounds"])
    return pointer, fn.widen(index, "i")


def _length(fn: FunctionEmitter, pointer: str) -> str:
    place = fn.define("p", f"getelementptr i8, ptr {pointer}, i64 {_ARRAY['length']}")
    return fn.define("i", f"load i32, ptr {place}, align 4")


def _array_get(extension: str) -> Handler:
    def emit(fn: FunctionEmitter, type_index: int) -> None:
        reference, index = fn.pop_values(2)
        pointer, wide = _check_element(fn, reference, index)
        element = _element(fn, type_index)
        _load(fn, _element_place(fn, pointer, element, wide), element, extension)

    return emit


def _array_set(fn: FunctionEmitter, type_index: int) -> None:
    reference, index, value = fn.pop_values(3)
    pointer, wide = _check_element(fn, reference, index)
    element = _element(fn, type_index)
    _replace(fn, lambda: _element_place(fn, pointer, element, wide), element, value)


def _array_len(fn: FunctionEmitter, _: Any) -> None:
    fn.stack.append(_length(fn, object_pointer(fn, fn.stack.pop(), "null_array_reference")))


def _array_fill(fn: FunctionEmitter, type_index: int) -> None:
    reference, index, value, count = fn.pop_values(4)
    _charge(fn, count)
    low, high = _slots(fn, value, _element(fn, type_index))
    fn.runtime_call("array_fill", reference, index, low, count, high)


def _array_copy(fn: FunctionEmitter, _: tuple[int, int]) -> None:
    to, at, source, start, count = fn.pop_values(5)
    _charge(fn, count)
    fn.runtime_call("array_copy", to, at, source, start, count)


def _array_init(call: str) -> Handler:
    def emit(fn: FunctionEmitter, pair: tuple[int, int]) -> None:
        reference, to, start, count = fn.pop_values(4)
        _charge(fn, count)
        fn.runtime_call(call, str(pair[1]), reference, to, start, count)

    return emit


# Numbers ----------------------------------------------------------------------------------------------------------


def _ref_i31(fn: FunctionEmitter, _: Any) -> None:
    wide = fn.define("l", f"zext i32 {fn.stack.pop()} to i64")
    shifted = fn.define("l", f"shl i64 {wide}, {schema.I31_SHIFT}")
    fn.push("l", f"or i64 {shifted}, {schema.REFERENCE_I31}")


def _i31_get(shift: str) -> Handler:
    def emit(fn: FunctionEmitter, _: Any) -> None:
        reference = fn.stack.pop()
        fn.trap_if(fn.define("c", f"icmp eq i64 {reference}, 0"), _TRAPS["null_i31_reference"])
        number = fn.define("l", f"{shift} i64 {reference}, {schema.I31_SHIFT}")
        fn.push("i", f"trunc i64 {number} to i32")

    return emit


HANDLERS: Final[dict[str, Handler]] = {
    "struct.new": _struct_new,
    "struct.new_default": _struct_new_default,
    "struct.get": _struct_get(""),
    "struct.get_s": _struct_get("sext"),
    "struct.get_u": _struct_get("zext"),
    "struct.set": _struct_set,
    "array.new": _array_new,
    "array.new_default": _array_new_default,
    "array.new_fixed": _array_new_fixed,
    "array.new_data": _array_new_segment("array_new_data"),
    "array.new_elem": _array_new_segment("array_new_elem"),
    "array.get": _array_get(""),
    "array.get_s": _array_get("sext"),
    "array.get_u": _array_get("zext"),
    "array.set": _array_set,
    "array.len": _array_len,
    "array.fill": _array_fill,
    "array.copy": _array_copy,
    "array.init_data": _array_init("array_init_data"),
    "array.init_elem": _array_init("array_init_elem"),
    "ref.i31": _ref_i31,
    "i31.get_s": _i31_get("ashr"),
    "i31.get_u": _i31_get("lshr"),
}
