"""Every numeric operator on corner values, and the rules on NaNs, against wasmtime."""

from __future__ import annotations

import itertools
import math
import struct
from pathlib import Path
from typing import Final

import pytest
import wasmtime

from tests.unit.codegen.harness import Program, Reference, module_from_wat
from wasmartifact.wasm.opcodes import NONE, OPCODES, Opcode

TYPES: Final = {"i": "i32", "l": "i64", "f": "f32", "d": "f64"}
#: How a test function turns its integer parameters into operands, and results back: no float crosses into Python.
TO_INT: Final = {"i": "", "l": "", "f": "i32.reinterpret_f32", "d": "i64.reinterpret_f64"}
FROM_INT: Final = {"i": "", "l": "", "f": "f32.reinterpret_i32", "d": "f64.reinterpret_i64"}
INT_TYPE: Final = {"i": "i32", "l": "i64", "f": "i32", "d": "i64"}


def is_plain(opcode: Opcode) -> bool:
    """Whether an opcode is an operator on integers and floats alone."""
    return opcode.immediate == NONE and opcode.signature is not None and set(opcode.signature) <= set("ilfd:")


OPERATORS: Final = [opcode for opcode in OPCODES.values() if is_plain(opcode) and opcode.feature != "wide-arithmetic"]
LIMITS: Final = [2.0**31, 2.0**32, 2.0**63, 2.0**64]
FLOATS: Final = [
    0.0, 0.5, 1.0, 1.5, 2.5, 0.9999999, 1e-310, 1e300, 3.4028235e38, 4503599627370497.5, 8388609.0, math.pi, math.inf,
    *LIMITS, *(math.nextafter(limit, 0) for limit in LIMITS), 2147483649.0, 2147483648.5,
]  # fmt: skip


def f32_bits(value: float) -> int:
    """Bits of a number rounded to f32."""
    try:
        return int(struct.unpack("<I", struct.pack("<f", value))[0])
    except OverflowError:
        return 0x7F800000


def corner_values() -> dict[str, list[int]]:
    """Bits of interesting values by type letter."""
    ints = {
        bits: [
            0,
            1,
            2,
            5,
            (1 << bits) - 1,
            (1 << bits) - 2,
            1 << (bits - 1),
            (1 << (bits - 1)) - 1,
            0x80,
            0x8000,
            bits,
            0x12345678,
        ]
        for bits in (32, 64)
    }
    singles = sorted({f32_bits(value) for value in FLOATS} | {0x7FC00000, 0x7FA00001, 1})
    doubles = sorted(
        {int(struct.unpack("<Q", struct.pack("<d", value))[0]) for value in FLOATS}
        | {0x7FF8 << 48, 0x7FF4 << 48 | 1, 1}
    )
    return {
        "i": ints[32],
        "l": [*ints[64], 0x80000000, 0xFFFFFFFF],
        "f": singles + [bits | 1 << 31 for bits in singles],
        "d": doubles + [bits | 1 << 63 for bits in doubles],
    }


TRAP_NAMES: Final = {
    wasmtime.TrapCode.INTEGER_OVERFLOW: "integer_overflow",
    wasmtime.TrapCode.INTEGER_DIVISION_BY_ZERO: "integer_divide_by_zero",
    wasmtime.TrapCode.BAD_CONVERSION_TO_INTEGER: "invalid_conversion_to_integer",
}


def operators_module() -> str:
    """A module with one function per operator, with integer parameters and results."""
    functions = []
    for opcode in OPERATORS:
        assert opcode.signature is not None
        operands, results = opcode.signature.split(":")
        params = " ".join(INT_TYPE[letter] for letter in operands)
        body = " ".join(f"local.get {index} {FROM_INT[letter]}" for index, letter in enumerate(operands))
        functions.append(
            f'(func (export "{opcode.name}") (param {params}) (result {INT_TYPE[results]})'
            f" {body} {opcode.name} {TO_INT[results]})"
        )
    return f"(module {' '.join(functions)})"


def is_nan(letter: str, bits: int) -> bool:
    """Whether the bits of an f32 or f64 are a NaN."""
    return bits & 0x7FFFFFFF > 0x7F800000 if letter == "f" else letter == "d" and bits & (1 << 63) - 1 > 0x7FF << 52


def is_quiet(letter: str, bits: int) -> bool:
    """Whether a NaN is an arithmetic one."""
    return bool(bits >> (22 if letter == "f" else 51) & 1)


def signed(value: int, letter: str) -> int:
    """What wasmtime takes for the bits of an integer."""
    bits = 32 if INT_TYPE[letter] == "i32" else 64
    return value - (value >> (bits - 1) << bits)


#: Results whose NaNs keep all bits of an operand.
MOVES: Final = ("abs", "neg", "copysign", "reinterpret")


@pytest.mark.parametrize("opt_level", [0, 2, 3])
def test_operators(tmp_path: Path, opt_level: int) -> None:
    wat = operators_module()
    program = Program(module_from_wat(wat), tmp_path, opt_level)
    reference = Reference(wat)
    values = corner_values()
    checked = 0
    for opcode in OPERATORS:
        assert opcode.signature is not None
        operands, result = opcode.signature.split(":")
        for arguments in itertools.product(*(values[letter] for letter in operands)):
            # Two operands: half of the pairs are enough.
            if len(operands) > 1 and sum(arguments) % 2 and arguments[0] != arguments[1]:
                continue
            expected_trap, expected = None, 0
            try:
                number = reference.call(opcode.name, *map(signed, arguments, operands))
                expected = number & ((1 << int(INT_TYPE[result][1:])) - 1)
            except wasmtime.Trap as trap:
                expected_trap = trap.trap_code
            trap_name, (bits, *_) = program.invoke(opcode.name, *arguments)
            note = f"{opcode.name} of {list(map(hex, arguments))}: {trap_name} {bits:#x}, expected {expected:#x}"
            assert (trap_name is None) == (expected_trap is None), note
            if trap_name is not None:
                assert expected_trap is not None and trap_name == TRAP_NAMES[expected_trap], note
            elif is_nan(result, bits) and not opcode.name.split(".")[1].startswith(MOVES):
                assert is_nan(result, expected) and is_quiet(result, bits), note
            else:
                assert bits == expected, note
            checked += 1
    assert checked > 10_000


#: Expressions of a parameter that is a signalling NaN, and of a local that is zero at first: all are arithmetic.
ARITHMETIC: Final = (
    "(f64.mul (local.get 0) (f64.const 1))",
    "(f64.mul (local.get 0) (f64.const -1))",
    "(f64.div (local.get 0) (f64.const 1))",
    "(f64.sub (local.get 0) (f64.const 0))",
    "(f64.add (local.get 0) (f64.const -0))",
    "(f64.sub (f64.const -0) (local.get 0))",
    "(f64.sub (local.get 0) (local.get 1))",
    "(local.set 1 (f64.const 1)) (f64.mul (local.get 0) (local.get 1))",
    "(f64.mul (local.get 0) (f64.add (f64.const 0.5) (f64.const 0.5)))",
    "(local.set 1 (f64.const 0.5)) (f64.mul (local.get 0) (f64.add (local.get 1) (local.get 1)))",
    "(f64.mul (local.get 0) (f64.convert_i32_s (i32.const 1)))",
    "(f64.mul (local.get 0) (f64.reinterpret_i64 (i64.const 0x3ff0000000000000)))",
    "(f64.sub (local.get 0) (f64.floor (f64.const 0.5)))",
    "(f64.mul (local.get 0) (select (f64.const 1) (f64.const 1) (i32.const 1)))",
    "(f64.mul (local.get 0) (block (result f64) (br 0 (f64.const 1))))",
    "(f64.promote_f32 (f32.demote_f64 (local.get 0)))",
    "(f64.min (local.get 0) (local.get 0))",
    "(f64.min (local.get 0) (f64.const inf))",
    "(f64.max (local.get 0) (f64.const -inf))",
    "(f64.nearest (f64.nearest (local.get 0)))",
    "(f64.sqrt (local.get 0))",
    "(f64.mul (local.get 0) (global.get $one))",
    "(f64.add (local.get 0) (f64.const nan:0x4000000000000))",
)


@pytest.mark.parametrize("opt_level", [0, 1, 2, 3])
def test_arithmetic_quiets_signalling_nans(tmp_path: Path, opt_level: int) -> None:
    functions = [
        f'(func (export "{number}") (param i64) (result i64)'
        f" (i64.reinterpret_f64 (call $f{number} (f64.reinterpret_i64 (local.get 0)))))"
        f"(func $f{number} (param f64) (result f64) (local f64) {expression})"
        for number, expression in enumerate(ARITHMETIC)
    ]
    program = Program(
        module_from_wat(f"(module (global $one f64 (f64.const 1)) {' '.join(functions)})"), tmp_path, opt_level
    )
    for number, expression in enumerate(ARITHMETIC):
        _, (bits,) = program.invoke(str(number), 0x7FF4 << 48 | 1)
        assert is_nan("d", bits) and is_quiet("d", bits), f"{expression} gives {bits:#x}"


@pytest.mark.parametrize("opt_level", [0, 2])
def test_moves_keep_signalling_nans(tmp_path: Path, opt_level: int) -> None:
    wat = """(module (memory 1) (global $g (mut f32) (f32.const 0))
      (func $same (param f32) (result f32) (local.get 0))
      (func (export "f32") (param i32) (result i32)
        (f32.store offset=8 (i32.const 0) (call $same (f32.reinterpret_i32 (local.get 0))))
        (global.set $g (f32.load offset=8 (i32.const 0)))
        (i32.reinterpret_f32 (select (global.get $g) (f32.const 0) (local.get 0))))
      (func (export "const") (result i32) (i32.reinterpret_f32 (f32.const nan:0x200001)))
      (func (export "const64") (result i64) (i64.reinterpret_f64 (f64.const -nan:0x4000000000001))))"""
    program = Program(module_from_wat(wat), tmp_path, opt_level)
    assert program.invoke("f32", 0x7FA00001) == (None, [0x7FA00001])
    assert program.invoke("const") == (None, [0x7FA00001])
    assert program.invoke("const64") == (None, [0xFFF4000000000001])
