"""Modules with a function for each vector operator. Parameters and results are integers: wasmtime-py takes no v128."""

from __future__ import annotations

from typing import Final

from wasmartifact.wasm.opcodes import LANE, NONE, OPCODES, SHUFFLE, V128, Opcode

VECTOR_FEATURES: Final = ("simd", "relaxed-simd")
#: Operators on values alone, and those that access memory.
OPERATORS: Final = [
    opcode for opcode in OPCODES.values()
    if opcode.feature in VECTOR_FEATURES and opcode.immediate in (NONE, LANE, SHUFFLE, V128)
]  # fmt: skip
ACCESSES: Final = [
    opcode for opcode in OPCODES.values() if opcode.feature in VECTOR_FEATURES and opcode not in OPERATORS
]
IMMEDIATES: Final = {
    NONE: "",
    LANE: "1",
    SHUFFLE: "0 17 2 31 4 21 6 7 15 9 10 16 12 13 30 1",
    V128: "i32x4 0x7fa00001 2 0x80000000 4",
}
#: Types that a function of the module takes and gives for an operand, and how it turns them into each other.
_TYPES: Final = {"i": ("i32",), "l": ("i64",), "f": ("i32",), "d": ("i64",), "v": ("i64", "i64")}
_FROM: Final = {"i": "", "l": "", "f": "f32.reinterpret_i32", "d": "f64.reinterpret_i64"}
_TO: Final = {"i": "", "l": "", "f": "i32.reinterpret_f32", "d": "i64.reinterpret_f64"}


def letters(opcode: Opcode) -> tuple[str, str]:
    """Operand and result letters."""
    assert opcode.signature is not None
    operands, results = opcode.signature.split(":")
    return operands, results


def integer_types(kinds: str) -> tuple[str, ...]:
    """What a function of the module has for operands or results."""
    return tuple(type_ for letter in kinds for type_ in _TYPES[letter])


def _operand(letter: str, first: int) -> str:
    if letter != "v":
        return f"(local.get {first}) {_FROM[letter]}"
    return f"(i64x2.replace_lane 1 (i64x2.splat (local.get {first})) (local.get {first + 1}))"


def operator_function(opcode: Opcode, name: str = "") -> str:
    """A function that applies an operator."""
    operands, results = letters(opcode)
    body, first = [], 0
    for letter in operands:
        body.append(_operand(letter, first))
        first += len(_TYPES[letter])
    body.append(f"{opcode.name} {IMMEDIATES[opcode.immediate]}")
    if results == "v":
        body.append("local.set $v (i64x2.extract_lane 0 (local.get $v)) (i64x2.extract_lane 1 (local.get $v))")
    else:
        body.append(_TO[results])
    return (
        f'(func (export "{name or opcode.name}") (param {" ".join(integer_types(operands))}) '
        f"(result {' '.join(integer_types(results))}) (local $v v128) {' '.join(body)})"
    )


def operators_module(opcodes: list[Opcode] = OPERATORS) -> str:
    """A module with a function for each of the operators."""
    return f"(module {' '.join(map(operator_function, opcodes))})"


def access_function(opcode: Opcode) -> str:
    """A function (address, low and high half of a vector) that loads, and gives the halves, or stores."""
    lane = " 0" if opcode.name.endswith("_lane") else ""
    operands, results = letters(opcode)
    vector = _operand("v", 1) if "v" in operands else ""
    access = f"(local.get 0) {vector} {opcode.name}{lane}"
    if results:
        access += " local.set $v"
    return (
        f'(func (export "{opcode.name}") (param i32 i64 i64) (result i64 i64) (local $v v128) {access} '
        "(i64x2.extract_lane 0 (local.get $v)) (i64x2.extract_lane 1 (local.get $v)))"
    )


def accesses_module() -> str:
    """A module with a page of memory and a function for each vector load and store."""
    return f'(module (memory (export "memory") 1) {" ".join(map(access_function, ACCESSES))})'


def access_size_bytes(opcode: Opcode) -> int:
    """How many bytes a load or store accesses: ``v128.load32x2_s`` takes 8, ``v128.load32_zero`` 4."""
    digits = opcode.name.split("load")[-1].split("store")[-1].split("_")[0]
    if not digits:
        return 16
    bits, _, count = digits.partition("x")
    return int(bits) * int(count or 1) // 8
