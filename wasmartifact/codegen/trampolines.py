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
_INSTANCE: Final = schema.INSTANCE_HEADER.offsets()


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


def entry_trampoline(type_index: int, signature: Signature, called: Signature) -> str:
    """``void entry_<t>(ptr code, ptr context, ptr slots)``: call code(context, values of slots), store the results.

    Where ``called`` has fuel, the call begins with an empty portion, and the trampoline returns what is left of it.
    """
    has_fuel = called != signature
    name = f"{'i64' if has_fuel else 'void'} @{entry_symbol(type_index)}"
    lines = [f"define hidden {name}(ptr %code, ptr %context, ptr %slots) {FUNCTION_ATTRIBUTES} {{"]
    arguments = ["ptr %context", "i64 0"] if has_fuel else ["ptr %context"]
    for position, (letter, offset) in enumerate(slot_places(signature.params)):
        lines += _load(f"%p{position}", letter, offset)
        arguments.append(f"{LLVM_TYPES[letter]} %p{position}")
    call = f"notail call {called.llvm_result} %code({', '.join(arguments)})"
    lines.append(f"  %result = {call}" if called.results else f"  {call}")
    for position, (letter, offset) in enumerate(slot_places(signature.returned)):
        value = "%result"
        if len(called.results) > 1:
            value = f"%r{position}.value"
            lines.append(f"  {value} = extractvalue {called.llvm_result} %result, {position + has_fuel}")
        lines += _store(f"%r{position}", value, letter, offset)
    if not has_fuel:
        return "\n".join([*lines, "  ret void", "}"])
    if not signature.results:
        return "\n".join([*lines, "  ret i64 %result", "}"])
    return "\n".join([*lines, f"  %fuel = extractvalue {called.llvm_result} %result, 0", "  ret i64 %fuel", "}"])


def host_trampoline(type_index: int, signature: Signature, called: Signature) -> str:
    """``<result> host_<t>(ptr record, params...)``: store params in slots, call record->invoke(), load the results.

    Where ``called`` has fuel, the portion goes back to the store before the host runs, and an empty one to the caller.
    """
    has_fuel = called != signature
    count = max(_slot_count(signature.params), _slot_count(signature.results), 1)
    params = ["ptr %record", *(["i64 %fuel"] if has_fuel else []), *_params(signature)]
    lines = [
        f"define hidden {called.llvm_result} @{host_symbol(type_index)}({', '.join(params)})",
        f"    {FUNCTION_ATTRIBUTES} {{",
        f"  %slots = alloca [{count} x i64], align 16",
    ]
    if has_fuel:
        lines += _give_fuel_back()
    for position, (letter, offset) in enumerate(slot_places(signature.params)):
        lines += _store(f"%p{position}", f"%p{position}", letter, offset)
    lines += [
        f"  %invoke.field = getelementptr i8, ptr %record, i64 {_RECORD['invoke']}",
        "  %invoke = load ptr, ptr %invoke.field, align 8",
        "  notail call void %invoke(ptr %record, ptr %slots)",
    ]
    values = ["0"] if has_fuel else []
    for position, (letter, offset) in enumerate(slot_places(signature.returned)):
        lines += _load(f"%r{position}", letter, offset)
        values.append(f"%r{position}")
    return "\n".join([*lines, *_return(called, values), "}"])


def _give_fuel_back() -> list[str]:
    """Add ``%fuel`` to the store's cell, which the instance of the record knows."""
    return [
        f"  %instance.field = getelementptr i8, ptr %record, i64 {_RECORD['instance']}",
        "  %instance = load ptr, ptr %instance.field, align 8",
        f"  %fuel.field = getelementptr i8, ptr %instance, i64 {_INSTANCE['fuel']}",
        "  %fuel.cell = load ptr, ptr %fuel.field, align 8",
        "  %fuel.store = load i64, ptr %fuel.cell, align 8",
        "  %fuel.all = add i64 %fuel.store, %fuel",
        "  store i64 %fuel.all, ptr %fuel.cell, align 8",
    ]


def _params(signature: Signature) -> list[str]:
    """Parameters ``%p0``, ``%p1``, ... as C has them."""
    return [f"{LLVM_TYPES[letter]} %p{position}" for position, letter in enumerate(signature.params)]


def _return(signature: Signature, values: list[str]) -> list[str]:
    """Return the values."""
    if len(values) < 2:
        return [f"  ret {signature.llvm_result}{''.join(f' {value}' for value in values)}"]
    lines, whole = [], "poison"
    for position, (letter, value) in enumerate(zip(signature.returned, values, strict=True)):
        part = f"{LLVM_TYPES[letter]} {value}"
        lines.append(f"  %all{position} = insertvalue {signature.llvm_result} {whole}, {part}, {position}")
        whole = f"%all{position}"
    return [*lines, f"  ret {signature.llvm_result} {whole}"]


# Between C's convention and that of a module with tail calls ----------------------------------------------------------


def inward_trampoline(type_index: int, signature: Signature, convention: Convention) -> str:
    """``<result> inward_<t>(ptr record, params...)``: call record->tail_code, which spills."""
    params = ", ".join(["ptr %record", *_params(signature)])
    head = f"define hidden {signature.llvm_result} @{inward_symbol(type_index)}({params})"
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
