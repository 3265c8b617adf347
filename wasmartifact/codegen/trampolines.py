"""Trampolines, one of a kind per function type.

Two lead between wasm's calling convention and arrays of 8-byte slots: a value fills the low bytes of one slot (v128:
two slots); i32 and f32 results are zero-extended to 64 bits. In modules with tail calls, two more lead between C's
convention and that of functions that spill (see ``convention``).
"""

from __future__ import annotations

from typing import Final

from wasmartifact import schema
from wasmartifact.codegen.convention import Convention, Lines, inward_symbol, outward_symbol, received, returned
from wasmartifact.codegen.irmodule import FUNCTION_ATTRIBUTES
from wasmartifact.codegen.signature import LLVM_TYPES, SLOTS_OF, Signature, slot_places

_RECORD: Final = schema.FUNCTION_RECORD.offsets()


def entry_symbol(type_index: int) -> str:
    """Symbol of the trampoline that calls a function of this type with values from slots."""
    return f"entry_{type_index}"


def host_symbol(type_index: int) -> str:
    """Symbol of the trampoline that calls a host function of this type, which takes slots."""
    return f"host_{type_index}"


def _slot_count(letters: str) -> int:
    return sum(SLOTS_OF[letter] for letter in letters)


def _load(name: str, letter: str, offset: int) -> list[str]:
    return [
        f"  {name}.slot = getelementptr i8, ptr %slots, i64 {offset}",
        f"  {name} = load {LLVM_TYPES[letter]}, ptr {name}.slot, align 8",
    ]


def _store(name: str, value: str, letter: str, offset: int) -> list[str]:
    """Store a value in its slot, filling all of it."""
    lines = [f"  {name}.slot = getelementptr i8, ptr %slots, i64 {offset}"]
    if letter == "f":
        lines.append(f"  {name}.bits = bitcast float {value} to i32")
        value, letter = f"{name}.bits", "i"
    if letter == "i":
        lines.append(f"  {name}.wide = zext i32 {value} to i64")
        value, letter = f"{name}.wide", "l"
    lines.append(f"  store {LLVM_TYPES[letter]} {value}, ptr {name}.slot, align 8")
    return lines


def entry_trampoline(type_index: int, signature: Signature) -> str:
    """``void entry_<t>(ptr code, ptr context, ptr slots)``: call code(context, values of slots), store the results."""
    lines = [
        f"define hidden void @{entry_symbol(type_index)}(ptr %code, ptr %context, ptr %slots) {FUNCTION_ATTRIBUTES} {{"
    ]
    arguments = ["ptr %context"]
    for position, (letter, offset) in enumerate(slot_places(signature.params)):
        lines += _load(f"%p{position}", letter, offset)
        arguments.append(f"{LLVM_TYPES[letter]} %p{position}")
    call = f"notail call {signature.llvm_result} %code({', '.join(arguments)})"
    lines.append(f"  %result = {call}" if signature.results else f"  {call}")
    for position, (letter, offset) in enumerate(slot_places(signature.returned)):
        value = "%result"
        if len(signature.results) > 1:
            value = f"%r{position}.value"
            lines.append(f"  {value} = extractvalue {signature.llvm_result} %result, {position}")
        lines += _store(f"%r{position}", value, letter, offset)
    return "\n".join([*lines, "  ret void", "}"])


def host_trampoline(type_index: int, signature: Signature) -> str:
    """``<result> host_<t>(ptr record, params...)``: store params in slots, call record->invoke(), load the results."""
    count = max(_slot_count(signature.params), _slot_count(signature.results), 1)
    lines = [
        f"define hidden {signature.llvm_result} @{host_symbol(type_index)}({_record_params(signature)})",
        f"    {FUNCTION_ATTRIBUTES} {{",
        f"  %slots = alloca [{count} x i64], align 16",
    ]
    for position, (letter, offset) in enumerate(slot_places(signature.params)):
        lines += _store(f"%p{position}", f"%p{position}", letter, offset)
    lines += [
        f"  %invoke.field = getelementptr i8, ptr %record, i64 {_RECORD['invoke']}",
        "  %invoke = load ptr, ptr %invoke.field, align 8",
        "  notail call void %invoke(ptr %record, ptr %slots)",
    ]
    for position, (letter, offset) in enumerate(slot_places(signature.returned)):
        lines += _load(f"%r{position}", letter, offset)
    return "\n".join([*lines, *_return(signature), "}"])


def _record_params(signature: Signature) -> str:
    """Parameters ``%record``, ``%p0``, ``%p1``, ... as C has them."""
    params = (f"{LLVM_TYPES[letter]} %p{position}" for position, letter in enumerate(signature.params))
    return ", ".join(["ptr %record", *params])


def _return(signature: Signature) -> list[str]:
    """Return the values ``%r0``, ``%r1``, ..."""
    if len(signature.results) < 2:
        return [f"  ret {signature.llvm_result}{' %r0' if signature.results else ''}"]
    lines, whole = [], "poison"
    for position, letter in enumerate(signature.returned):
        value = f"{LLVM_TYPES[letter]} %r{position}"
        lines.append(f"  %all{position} = insertvalue {signature.llvm_result} {whole}, {value}, {position}")
        whole = f"%all{position}"
    return [*lines, f"  ret {signature.llvm_result} {whole}"]


# Between C's convention and that of a module with tail calls ----------------------------------------------------------


def inward_trampoline(type_index: int, signature: Signature, convention: Convention) -> str:
    """``<result> inward_<t>(ptr record, params...)``: call record->tail_code, which spills."""
    head = f"define hidden {signature.llvm_result} @{inward_symbol(type_index)}({_record_params(signature)})"
    lines = Lines([f"{head} {FUNCTION_ATTRIBUTES} {{"])
    instance, code = _record_field(lines, "instance"), _record_field(lines, "tail_code")
    operands = [f"%p{position}" for position in range(len(signature.params))]
    arguments = convention.arguments(lines, instance, signature.params, operands)
    call = f"notail call {convention.llvm_result(signature)} {code}(ptr {instance}{arguments})"
    if convention.spills_results(signature):
        lines.emit(call)
        values = convention.spilled_results(lines, instance, signature)
    else:
        values = received(lines, signature, call)
    lines.emit(f"ret {signature.llvm_result} {returned(lines, signature, values)}")
    return "\n".join([*lines.out, "}"])


def outward_trampoline(type_index: int, signature: Signature, convention: Convention) -> str:
    """What a tail call that spills calls with a record in place of the instance: call record->code as C does."""
    result, params = convention.llvm_result(signature), convention.parameters("%record")
    lines = Lines([f"define hidden {result} @{outward_symbol(type_index)}({params}) {FUNCTION_ATTRIBUTES} {{"])
    instance, code, context = (_record_field(lines, name) for name in ("instance", "code", "context"))
    values = convention.unpack(lines, instance, signature.params)
    passed = (f"{LLVM_TYPES[letter]} {value}" for letter, value in zip(signature.params, values, strict=True))
    call = f"notail call {signature.llvm_result} {code}({', '.join([f'ptr {context}', *passed])})"
    values = received(lines, signature, call)
    if convention.spill_results(lines, instance, signature, values):
        lines.emit("ret void")
    else:
        lines.emit(f"ret {result} {returned(lines, signature, values)}")
    return "\n".join([*lines.out, "}"])


def _record_field(lines: Lines, name: str) -> str:
    """A pointer in the function record ``%record``."""
    address = lines.define("p", f"getelementptr i8, ptr %record, i64 {_RECORD[name]}")
    return lines.define("p", f"load ptr, ptr {address}, align 8")
