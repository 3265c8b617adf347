"""Call instructions (spec section 4.4.8): direct, imported, through a table, through a reference."""

from __future__ import annotations

from typing import Final

from wasmartifact import schema
from wasmartifact.codegen.context import LLVM_TYPES, Signature
from wasmartifact.codegen.emit import UNLIKELY, FunctionEmitter, Handler
from wasmartifact.codegen.variables import TABLE_HEAD, table_pointer

DIGESTS_SYMBOL: Final = "wa_type_digests"
_IMPORT_SLOT: Final = schema.IMPORT_SLOT.offsets()
_FUNCTION_RECORD: Final = schema.FUNCTION_RECORD.offsets()
_DIGEST_SIZE_BYTES: Final = 16


def emit_call(fn: FunctionEmitter, code: str, context: str, signature: Signature) -> None:
    """Call ``code(context, operands...)``: pop the operands, push the results."""
    operands = fn.pop_values(len(signature.params))
    arguments = ", ".join(
        [
            f"ptr {context}",
            *(f"{LLVM_TYPES[letter]} {value}" for letter, value in zip(signature.params, operands, strict=True)),
        ]
    )
    call = f"notail call {signature.llvm_result} {code}({arguments})"
    if not signature.results:
        fn.out.append(f"  {call}{fn.dbg}")
        fn.leave_if_pending()
    elif len(signature.results) == 1:
        value = fn.define(signature.results, call)
        fn.leave_if_pending()
        fn.stack.append(value)
    else:
        whole = fn.define("s", call)
        fn.leave_if_pending()
        for position, (letter, returned) in enumerate(zip(signature.results, signature.returned, strict=True)):
            value = fn.define(returned, f"extractvalue {signature.llvm_result} {whole}, {position}")
            fn.stack.append(fn.bitcast(letter, returned, value))


def call_function(fn: FunctionEmitter, func_index: int) -> None:
    """Call a function of the index space."""
    signature = fn.context.function_signature(func_index)
    if func_index >= fn.context.imported_functions:
        fn.calls.add(func_index)
        emit_call(fn, f"@f{func_index}", "%instance", signature)
        return
    slot = fn.context.layout.imported_functions_offset + schema.IMPORT_SLOT.size_bytes * func_index
    code = fn.load_invariant(slot + _IMPORT_SLOT["code"])
    emit_call(fn, code, fn.load_invariant(slot + _IMPORT_SLOT["context"]), signature)


def _call_indirect(fn: FunctionEmitter, pair: tuple[int, int]) -> None:
    type_index, table = pair
    index = fn.widen(fn.stack.pop(), fn.context.tables[table])
    _call_record(fn, _checked_record(fn, _table_record(fn, table, index), type_index), type_index)


def _call_record(fn: FunctionEmitter, record: str, type_index: int) -> None:
    context = fn.load_field(record, _FUNCTION_RECORD["context"])
    code = fn.load_field(record, _FUNCTION_RECORD["code"])
    emit_call(fn, code, context, fn.context.signatures[type_index])


def _call_ref(fn: FunctionEmitter, type_index: int) -> None:
    reference = fn.stack.pop()
    fn.trap_if(fn.define("c", f"icmp eq i64 {reference}, 0"), schema.TRAP_BY_NAME["null_function_reference"])
    # Validation has seen to the type. The record may still be one of another artifact, or a host's that is not bound.
    record = _checked_record(fn, fn.define("p", f"inttoptr i64 {reference} to ptr"), type_index)
    _call_record(fn, record, type_index)


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
    expected = f"getelementptr (i8, ptr @{DIGESTS_SYMBOL}, i64 {_DIGEST_SIZE_BYTES * canonical})"
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


HANDLERS: Final[dict[str, Handler]] = {
    "call": call_function,
    "call_indirect": _call_indirect,
    "call_ref": _call_ref,
}
