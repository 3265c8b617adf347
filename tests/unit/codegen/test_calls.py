"""Calls, trampolines, indirect calls, many values; control flow against wasmtime."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.unit.codegen.harness import Program, Reference, module_from_wat

LEVELS = pytest.mark.parametrize("opt_level", [0, 2, 3])


def double_bits(value: float) -> int:
    """Bits of an f64."""
    return int(struct.unpack("<Q", struct.pack("<d", value))[0])


def float_bits(value: float) -> int:
    """Bits of an f32, zero-extended."""
    return int(struct.unpack("<I", struct.pack("<f", value))[0])


@LEVELS
def test_values_of_all_types_pass_through_trampolines_and_calls(tmp_path: Path, opt_level: int) -> None:
    wat = """(module
      (func $turn (param i32 i64 f32 f64) (result f64 f32 i64 i32) local.get 3 local.get 2 local.get 1 local.get 0)
      (func (export "twice") (param i32 i64 f32 f64) (result f64 f32 i64 i32)
        (local $d f64) (local $f f32) (local $l i64)
        (call $turn (local.get 0) (local.get 1) (local.get 2) (local.get 3))
        (local.set 0) (local.set $l) (local.set $f) (local.set $d)
        (call $turn (local.get 0) (local.get $l) (local.get $f) (local.get $d))))"""
    program = Program(module_from_wat(wat), tmp_path, opt_level)
    # The upper halves of the slots of i32 and f32 parameters are ignored; those of results are zero.
    slots = (0xDEADBEEF_80000001, 1 << 63 | 5, 0xFFFFFFFF << 32 | float_bits(-1.5), double_bits(2.25))
    expected = [double_bits(2.25), float_bits(-1.5), 1 << 63 | 5, 0x80000001]
    assert program.invoke("twice", *slots) == (None, expected)


@LEVELS
@pytest.mark.parametrize("count", [3, 16, 300])
def test_more_values_than_registers(tmp_path: Path, opt_level: int, count: int) -> None:
    types = [("i32", "i64", "f32", "f64")[index % 4] for index in range(count)]
    turned = " ".join(f"local.get {index}" for index in reversed(range(count)))
    wat = f"""(module
      (func $turn (export "turn") (param {" ".join(types)}) (result {" ".join(reversed(types))}) {turned})
      (table funcref (elem $turn)) (type $t (func (param {" ".join(types)}) (result {" ".join(reversed(types))})))
      (func (export "through_table") (param {" ".join(types)}) (result {" ".join(reversed(types))})
        {" ".join(f"local.get {index}" for index in range(count))} i32.const 0 call_indirect (type $t)))"""
    program = Program(module_from_wat(wat), tmp_path, opt_level)
    slots = [(index + 1) * 0x010101 for index in range(count)]
    for name in ("turn", "through_table"):
        assert program.invoke(name, *slots) == (None, slots[::-1])


@LEVELS
def test_indirect_calls_resolve_slots_once_and_check_types(tmp_path: Path, opt_level: int) -> None:
    wat = """(module (table 4 funcref) (elem (i32.const 0) $one $two $float)
      (type $t (func (param i32) (result i32))) (type $same (func (param i32) (result i32)))
      (func $one (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
      (func $two (type $same) (i32.mul (local.get 0) (i32.const 2)))
      (func $float (param f32) (result i32) (i32.const 0))
      (func (export "call") (param i32 i32) (result i32) (call_indirect (type $t) (local.get 1) (local.get 0))))"""
    program = Program(module_from_wat(wat), tmp_path, opt_level)
    for _ in range(2):
        assert program.invoke("call", 0, 41) == (None, [42])
        assert program.invoke("call", 1, 41) == (None, [82])
    assert program.invoke("call", 2, 1)[0] == "indirect_call_type_mismatch"
    assert program.invoke("call", 3, 1)[0] == "uninitialized_element"
    for index in (4, 0x7FFFFFFF, 0xFFFFFFFF):
        assert program.invoke("call", index, 1)[0] == "undefined_element"


#: Functions of one i32 whose blocks pass values, are left early or contain unreachable code.
CONTROL = """(module
  (func (export "collatz") (param $n i32) (result i32) (local $steps i32)
    (local.get $n)
    (loop $next (param i32) (result i32)
      (local.set $n)
      (if (i32.le_u (local.get $n) (i32.const 1)) (then (return (local.get $steps))))
      (local.set $steps (i32.add (local.get $steps) (i32.const 1)))
      (if (result i32) (i32.and (local.get $n) (i32.const 1))
        (then (i32.add (i32.mul (local.get $n) (i32.const 3)) (i32.const 1)))
        (else (i32.shr_u (local.get $n) (i32.const 1))))
      (br $next)))
  (func (export "table") (param i32) (result i32)
    (block $c (result i32) (block $b (result i32) (block $a (result i32)
      (i32.const 15) (local.get 0) (br_table $a $b $c $b $a))
      (i32.add (i32.const 1)))
      (i32.mul (i32.const 10))))
  (func (export "dead") (param i32) (result i32)
    (block $b (result i32)
      (br $b (i32.const 5))
      (loop (block (br 1)) (if (i32.const 1) (then (br 1)) (else (unreachable))))
      (i32.wrap_i64 (i64.add)))
    (if (result i32) (local.get 0) (then (return (i32.const 9))) (else (i32.const 1)))
    (i32.add))
  (func (export "no_else") (param i32) (result i32)
    (i32.const 3) (local.get 0) (if (param i32) (result i32) (then (i32.add (local.get 0)))))
  (func (export "old_value") (param i32) (result i32)
    (i32.sub (local.get 0) (local.tee 0 (i32.const 4))) (local.set 0 (i32.const 100)))
  (func (export "set_in_one_arm") (param i32) (result i32) (local $x i32)
    (if (i32.and (local.get 0) (i32.const 1)) (then (local.set $x (i32.const 7))) (else (drop (local.get $x))))
    (if (i32.and (local.get 0) (i32.const 2)) (then (local.set $x (i32.add (local.get $x) (i32.const 1)))))
    (local.get $x))
  (func (export "tests") (param i32) (result i32)
    (i32.add (i32.eqz (i32.eqz (i32.lt_s (local.get 0) (i32.const 3))))
      (select (i32.const 10) (i32.const 20) (i32.eqz (i32.gt_u (local.get 0) (i32.const 1)))))))"""


@LEVELS
def test_control_flow(tmp_path: Path, opt_level: int) -> None:
    program = Program(module_from_wat(CONTROL), tmp_path, opt_level)
    reference = Reference(CONTROL)
    for export in program.module.exports:
        for argument in range(30):
            expected = reference.call(export.name, argument) & 0xFFFFFFFF
            assert program.invoke(export.name, argument) == (None, [expected]), (export.name, argument)


@LEVELS
def test_a_local_that_nothing_sets_is_zero_behind_calls_on_every_way(tmp_path: Path, opt_level: int) -> None:
    # $dirty leaves its parameter all over the stack; $zeros has its locals in registers that calls change.
    sums = "".join("(local.set 0 (i64.add (local.get 0) (local.get 1)))" for _ in range(8))
    lanes = "".join("(local.set 0 (i64.add (local.get 0) (i64x2.extract_lane 1 (local.get 2))))" for _ in range(8))
    wat = f"""(module
      (func $none)
      (func $dirty (param i64)
        {"(i64.mul (local.get 0) (i64.const 3)) " * 40} call $none {"drop " * 40})
      (func $zeros (param i64) (result i64) (local i64 v128)
        (if (i64.ne (local.get 0) (i64.const 0)) (then (call $none)))
        (call $none) {sums} {lanes} (local.get 0))
      (func (export "run") (param i64) (result i64)
        (call $dirty (i64.const -1)) (call $zeros (local.get 0))))"""
    program = Program(module_from_wat(wat), tmp_path, opt_level)
    assert program.invoke("run", 0) == (None, [0])
    assert program.invoke("run", 5) == (None, [5])
