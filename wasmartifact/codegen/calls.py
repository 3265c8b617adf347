"""Call instructions (spec section 4.4.8): direct, imported, through a table, through a reference; tail calls."""

from __future__ import annotations

from typing import Final

from wasmartifact import schema
from wasmartifact.codegen.control import die
from wasmartifact.codegen.convention import Convention, fixed_table_symbol, outward_symbol, received
from wasmartifact.codegen.emitter import FunctionEmitter, Handler
from wasmartifact.codegen.irmodule import INVARIANT, NOMERGE, UNLIKELY
from wasmartifact.codegen.signature import LLVM_TYPES, Signature
from wasmartifact.codegen.variables import TABLE_HEAD, table_pointer
from wasmartifact.elf.object import TYPE_DIGESTS_SYMBOL
from wasmartifact.wasm.types import DIGEST_SIZE_BYTES

_IMPORT_SLOT: Final = schema.IMPORT_SLOT.offsets()
_FUNCTION_RECORD: Final = schema.FUNCTION_RECORD.offsets()
_FIXED_SLOT: Final = schema.FIXED_SLOT.offsets()


def emit_call(
    fn: FunctionEmitter, code: str, context: str, signature: Signature, convention: Convention | None = None
) -> None:
    """Call ``code(context, operands...)``: pop the operands, push the results. ``convention``: None for that of C."""
    operands = fn.with_fuel(fn.pop_values(len(signature.params)))
    called = fn.context.called(signature)
    if convention is not None:
        passed = convention.arguments(fn, "%instance", called.params, operands)
        call = f"notail call {convention.llvm_result(called)} {code}(ptr {context}{passed}) {NOMERGE}"
    else:
        arguments = ", ".join(
            [
                f"ptr {context}",
                *(f"{LLVM_TYPES[letter]} {value}" for letter, value in zip(called.params, operands, strict=True)),
            ]
        )
        call = f"notail call {called.llvm_result} {code}({arguments}) {NOMERGE}"
    fn.stack.extend(_results(fn, called, call, convention))


def _results(fn: FunctionEmitter, called: Signature, call: str, convention: Convention | None) -> list[str]:
    """Emit a call; its results, but for the fuel. An exception that it leaves behind goes to its landing first."""
    if convention is None or not convention.spills_results(called):
        if not fn.context.options.fuel:
            return received(fn, called, call, fn.leave_if_pending)
        values = received(fn, called, call)
    else:
        fn.emit(call)
        if not fn.context.options.fuel:
            fn.leave_if_pending()
            return convention.spilled_results(fn, "%instance", called)
        values = convention.spilled_results(fn, "%instance", called)
    fn.set_fuel(values.pop(0))
    fn.leave_if_pending()
    return values


def call_function(fn: FunctionEmitter, func_index: int) -> None:
    """Call a function of the index space."""
    signature = fn.context.function_signature(func_index)
    if func_index >= fn.context.imported_functions:
        fn.calls.add(func_index)
        code = f"@{fn.copies.get(fn.offset) or f'f{func_index}'}"
        emit_call(fn, code, "%instance", signature, fn.context.convention)
    else:
        code = _import_field(fn, func_index, "code")
        emit_call(fn, code, _import_field(fn, func_index, "context"), signature)
    if fn.context.types:
        results = fn.context.types[fn.context.function_types[func_index]].results
        for operand, valtype in zip(fn.stack[len(fn.stack) - len(results) :], results, strict=True):
            fn.prove(operand, valtype)


def _import_field(fn: FunctionEmitter, func_index: int, field: str) -> str:
    slot = fn.context.layout.imported_functions_offset + schema.IMPORT_SLOT.size_bytes * func_index
    return fn.load_invariant(slot + _IMPORT_SLOT[field])


def _call_indirect(fn: FunctionEmitter, pair: tuple[int, int]) -> None:
    type_index, table = pair
    if fn.context.fixed_tables[table]:
        emit_call(fn, _fixed_code(fn, pair), "%instance", fn.context.signatures[type_index], fn.context.convention)
    else:
        _call_record(fn, _indexed_record(fn, pair), type_index)


def _fixed_code(fn: FunctionEmitter, pair: tuple[int, int]) -> str:
    """Pop an index into a table that never changes; the address of the code to call, which is the module's own."""
    type_index, table = pair
    head = f"@{fixed_table_symbol(table)}"
    index = fn.widen(fn.stack.pop(), fn.context.tables[table])
    size = fn.define("l", f"load i64, ptr {head}, align 8, {INVARIANT}")
    fn.trap_if(fn.define("c", f"icmp uge i64 {index}, {size}"), schema.TRAP_BY_NAME["undefined_element"])
    _check_fixed_type(fn, _fixed_field(fn, head, index, "type"), type_index)
    distance = fn.define("l", f"sext i32 {_fixed_field(fn, head, index, 'code')} to i64")
    return fn.define("p", f"getelementptr i8, ptr {head}, i64 {distance}")


def _fixed_field(fn: FunctionEmitter, head: str, index: str, field: str) -> str:
    """A field of a slot of such a table."""
    column = f"getelementptr (i8, ptr {head}, i64 {schema.FIXED_TABLE.size_bytes + _FIXED_SLOT[field]})"
    place = fn.define("p", f"getelementptr [{schema.FIXED_SLOT.size_bytes} x i8], ptr {column}, i64 {index}")
    return fn.define("i", f"load i32, ptr {place}, align 4, {INVARIANT}")


def _check_fixed_type(fn: FunctionEmitter, found: str, type_index: int) -> None:
    """Trap unless the type that stands in a slot is this one; one comparison where it is."""
    number = fn.fresh()
    differs = fn.define("c", f"icmp ne i32 {found}, {fn.context.canonical[type_index] + 1}")
    fn.out.append(f"  br i1 {differs}, label %wrong{number}, label %right{number}, {UNLIKELY}{fn.dbg}")
    fn.start_block(f"wrong{number}")
    fn.trap_if(fn.define("c", f"icmp eq i32 {found}, 0"), schema.TRAP_BY_NAME["uninitialized_element"])
    fn.trap(schema.TRAP_BY_NAME["indirect_call_type_mismatch"])
    fn.start_block(f"right{number}")


def _indexed_record(fn: FunctionEmitter, pair: tuple[int, int]) -> str:
    """Pop an index; the record to call for it."""
    type_index, table = pair
    index = fn.widen(fn.stack.pop(), fn.context.tables[table])
    return _checked_record(fn, _table_record(fn, table, index), type_index)


def _call_record(fn: FunctionEmitter, record: str, type_index: int) -> None:
    context = fn.load_field(record, _FUNCTION_RECORD["context"])
    code = fn.load_field(record, _FUNCTION_RECORD["code"])
    emit_call(fn, code, context, fn.context.signatures[type_index])


def _call_ref(fn: FunctionEmitter, type_index: int) -> None:
    _call_record(fn, _referenced_record(fn, type_index), type_index)


def _referenced_record(fn: FunctionEmitter, type_index: int) -> str:
    """Pop a reference; the record to call for it."""
    reference = fn.stack.pop()
    fn.trap_if(fn.define("c", f"icmp eq i64 {reference}, 0"), schema.TRAP_BY_NAME["null_function_reference"])
    # Validation has seen to the type. The record may still be one of another artifact, or a host's that is not bound.
    return _checked_record(fn, fn.define("p", f"inttoptr i64 {reference} to ptr"), type_index)


def _table_record(fn: FunctionEmitter, table: int, index: str) -> str:
    """Address of the function record in a table's slot; traps where there is none."""
    head = table_pointer(fn, table)
    size = fn.load_field(head, TABLE_HEAD["size"], "i64")
    fn.trap_if(fn.define("c", f"icmp uge i64 {index}, {size}"), schema.TRAP_BY_NAME["undefined_element"])
    slots = fn.load_field(head, TABLE_HEAD["slots"])
    place = fn.define("p", f"getelementptr i64, ptr {slots}, i64 {index}")
    slot = fn.define("p", f"load ptr, ptr {place}, align 8")
    fn.trap_if(fn.define("c", f"icmp eq ptr {slot}, null"), schema.TRAP_BY_NAME["uninitialized_element"])
    bits = fn.define("l", f"ptrtoint ptr {slot} to i64")
    tag = fn.define("n", f"trunc i64 {bits} to i1")
    return _replace_if(fn, tag, slot, "resolve_slot", str(table), index)


def _checked_record(fn: FunctionEmitter, record: str, type_index: int) -> str:
    """The record to call: itself where its type has the expected address, else what the runtime says."""
    canonical = fn.context.canonical[type_index]
    fn.type_uses.add(canonical)
    expected = f"getelementptr (i8, ptr @{TYPE_DIGESTS_SYMBOL}, i64 {DIGEST_SIZE_BYTES * canonical})"
    found = fn.load_field(record, _FUNCTION_RECORD["type"])
    differs = fn.define("c", f"icmp ne ptr {found}, {expected}")
    return _replace_if(fn, differs, record, "resolve_call", record, expected)


def _replace_if(fn: FunctionEmitter, condition: str, pointer: str, call: str, *arguments: str) -> str:
    """``pointer``, or the result of a runtime call in the unlikely case that the condition holds."""
    number = fn.fresh()
    before = fn.block
    fn.out.append(f"  br i1 {condition}, label %slow{number}, label %go{number}, {UNLIKELY}{fn.dbg}")
    fn.start_block(f"slow{number}")
    bits = fn.runtime_call(call, *arguments)
    resolved = fn.define("p", f"inttoptr i64 {bits} to ptr")
    fn.out.append(f"  br label %go{number}{fn.dbg}")
    fn.start_block(f"go{number}")
    name = fn.name("p")
    fn.out.append(f"  {name} = phi ptr [ {pointer}, %{before} ], [ {resolved}, %slow{number} ]")
    return name


# Tail calls -------------------------------------------------------------------------------------------------------


def _emit_tail_call(fn: FunctionEmitter, code: str, context: str, signature: Signature) -> None:
    """Leave the function for ``code(context, operands...)``, which has its results and the module's convention."""
    convention = fn.context.convention
    assert convention is not None
    operands = fn.with_fuel(fn.pop_values(len(signature.params)))
    called = fn.context.called(signature)
    passed = convention.arguments(fn, "%instance", called.params, operands)
    type_ = convention.llvm_result(called)
    call = f"musttail call {type_} {code}(ptr {context}{passed})"
    if type_ == "void":
        fn.emit(call)
        fn.emit("ret void")
    else:
        fn.emit(f"ret {type_} {fn.define('s', call)}")
    die(fn)


def _return_call(fn: FunctionEmitter, func_index: int) -> None:
    signature, convention = fn.context.function_signature(func_index), fn.context.convention
    assert convention is not None
    if func_index >= fn.context.imported_functions:
        fn.calls.add(func_index)
        _emit_tail_call(fn, f"@f{func_index}", "%instance", signature)
    elif not convention.spills(fn.context.called(signature)):
        code = _import_field(fn, func_index, "code")
        _emit_tail_call(fn, code, _import_field(fn, func_index, "context"), signature)
    else:
        type_index = fn.context.function_types[func_index]
        record = _checked_record(fn, _import_field(fn, func_index, "record"), type_index)
        _tail_call_record(fn, record, type_index)


def _return_call_indirect(fn: FunctionEmitter, pair: tuple[int, int]) -> None:
    type_index, table = pair
    if fn.context.fixed_tables[table]:
        _emit_tail_call(fn, _fixed_code(fn, pair), "%instance", fn.context.signatures[type_index])
    else:
        _tail_call_record(fn, _indexed_record(fn, pair), type_index)


def _return_call_ref(fn: FunctionEmitter, type_index: int) -> None:
    _tail_call_record(fn, _referenced_record(fn, type_index), type_index)


def _tail_call_record(fn: FunctionEmitter, record: str, type_index: int) -> None:
    """Tail call a function of any artifact, or of the host."""
    signature, convention = fn.context.signatures[type_index], fn.context.convention
    assert convention is not None
    if not convention.spills(fn.context.called(signature)):
        code = fn.load_field(record, _FUNCTION_RECORD["code"])
        _emit_tail_call(fn, code, fn.load_field(record, _FUNCTION_RECORD["context"]), signature)
        return
    canonical = fn.context.canonical[type_index]
    fn.outward_types.add(canonical)
    code = fn.load_field(record, _FUNCTION_RECORD["tail_code"])
    instance = fn.load_field(record, _FUNCTION_RECORD["instance"])
    is_outside = fn.define("c", f"icmp eq ptr {code}, null")
    code = fn.define("p", f"select i1 {is_outside}, ptr @{outward_symbol(canonical)}, ptr {code}")
    context = fn.define("p", f"select i1 {is_outside}, ptr {record}, ptr {instance}")
    _emit_tail_call(fn, code, context, signature)


HANDLERS: Final[dict[str, Handler]] = {
    "call": call_function,
    "call_indirect": _call_indirect,
    "call_ref": _call_ref,
    "return_call": _return_call,
    "return_call_indirect": _return_call_indirect,
    "return_call_ref": _return_call_ref,
}
