"""Traps: code, wasm offset and what was done before, at every level; wasmtime says where each trap stands."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
import wasmtime

import wasmartifact as wa
from tests.unit.codegen.harness import Program, Reference, module_from_wat

#: Every function traps. The name is the trap's, up to the first dot. UPDATE stores, of three bytes: LLVM makes one
#: instruction of it and the load before. wasmtime does too, and gives the place of the store; the load traps first.
TRAPS: Final = r"""(module
  (memory 1) (table $t 4 funcref) (elem (i32.const 1) $other $same)
  (type $wanted (func (param i32) (result i32)))
  (global $g (mut i32) (i32.const 0))
  (func $other (param f32))
  (func $same (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
  (func (export "unreachable") (param i32) (result i32) (drop (call $same (i32.const 1))) (unreachable))
  (func (export "memory_out_of_bounds.load") (param i32) (result i32) (i32.load (i32.const -4)))
  (func (export "memory_out_of_bounds.unused") (param i32) (result i32)
    (drop (i64.load offset=65530 (local.get 0))) (i32.const 1))
  (func (export "memory_out_of_bounds.offset") (param i32) (result i32) (i32.load offset=0xffffffff (i32.const -1)))
  (func (export "memory_out_of_bounds.folded") (param i32) (result i32)
    (i32.add (i32.mul (local.get 0) (i32.const 3)) (i32.load (i32.const 65533))))
  (func (export "memory_out_of_bounds.compared") (param i32) (result i32)
    (i32.lt_u (local.get 0) (i32.load8_u (i32.const 65536))))
  (func (export "memory_out_of_bounds.float") (param i32) (result i32)
    (i32.trunc_sat_f64_s (f64.sqrt (f64.mul (f64.convert_i32_s (local.get 0)) (f64.load (i32.const 65530))))))
  (func (export "memory_out_of_bounds.updated") (param i32) (result i32) (local $at i32)
    (local.set $at (i32.mul (local.get 0) (i32.const 65533)))
    local.get $at (i32.add (i32.load (local.get $at)) (i32.const 1)) UPDATE (i32.const 0))
  (func (export "memory_out_of_bounds.store") (param i32) (result i32)
    (i32.store (i32.const 8) (local.get 0)) (i32.store16 (i32.const 65535) (local.get 0)) (i32.const 0))
  (func (export "undefined_element") (param i32) (result i32)
    (call_indirect (type $wanted) (i32.const 5) (i32.const 4)))
  (func (export "uninitialized_element") (param i32) (result i32)
    (call_indirect (type $wanted) (i32.const 5) (i32.const 0)))
  (func (export "integer_divide_by_zero.div") (param i32) (result i32) (i32.div_s (local.get 0) (i32.const 0)))
  (func (export "integer_divide_by_zero.rem") (param i32) (result i32)
    (i32.wrap_i64
      (i64.rem_u (i64.extend_i32_s (local.get 0)) (i64.sub (i64.const 1) (i64.extend_i32_s (local.get 0))))))
  (func (export "integer_overflow.div") (param i32) (result i32)
    (i32.div_s (i32.shl (local.get 0) (i32.const 31)) (i32.sub (i32.const 0) (local.get 0))))
  (func (export "integer_overflow.trunc") (param i32) (result i32)
    (i32.trunc_f64_u (f64.neg (f64.convert_i32_s (local.get 0)))))
  (func (export "invalid_conversion_to_integer") (param i32) (result i32)
    (i32.trunc_f32_s (f32.div (f32.const 0) (f32.sub (f32.const 1) (f32.convert_i32_s (local.get 0)))))))"""


@pytest.fixture(scope="module", params=[0, 1, 2, 3])
def traps(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Program:
    return Program(
        module_from_wat(TRAPS.replace("UPDATE", "i32.store")), tmp_path_factory.mktemp("traps"), request.param
    )


def test_traps_have_their_code_and_place(traps: Program) -> None:
    reference = Reference(TRAPS.replace("UPDATE", "drop drop nop"))
    for export in traps.module.exports:
        with pytest.raises(wasmtime.Trap) as caught:
            reference.call(export.name, 1)
        name, _ = traps.invoke(export.name, 1)
        assert name == export.name.split(".")[0]
        wasm_offset, trap_code = traps.trap_wasm_offset()
        assert wasm_offset == caught.value.frames[0].module_offset, export.name
        assert trap_code != 0, export.name


@pytest.mark.parametrize("opt_level", [0, 1, 2, 3])
def test_stores_before_a_trap_are_done_and_those_after_are_not(tmp_path: Path, opt_level: int) -> None:
    wat = """(module (memory 1) (global $a (mut i32) (i32.const 1)) (global $b (mut i64) (i64.const 2))
      (func (export "memory_trap") (param i32) (result i32)
        (global.set $a (i32.const 10)) (i32.store (i32.const 0) (i32.const 11))
        (drop (i32.load (local.get 0)))
        (global.set $a (i32.const 20)) (i32.store (i32.const 0) (i32.const 21)) (i32.const 0))
      (func (export "division_trap") (param i32) (result i32)
        (global.set $b (i64.const 30)) (i32.store (i32.const 0) (i32.const 31))
        (global.set $b (i64.const 32))
        (drop (i32.div_u (i32.const 7) (local.get 0)))
        (global.set $b (i64.const 40)) (i32.store (i32.const 0) (i32.const 41)) (i32.const 0))
      (func (export "loop_trap") (param i32) (result i32) (local $i i32)
        (loop (global.set $a (local.get $i))
          (i32.store (i32.mul (local.get $i) (i32.const 4)) (local.get $i))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br_if 0 (i32.lt_u (local.get $i) (i32.const 100000))))
        (i32.const 0)))"""
    program = Program(module_from_wat(wat), tmp_path, opt_level)
    assert program.invoke("memory_trap", 65533)[0] == "memory_out_of_bounds"
    assert program.global_cell(0) & 0xFFFFFFFF == 10
    assert program.memory_bytes(0, 4) == (11).to_bytes(4, "little")
    assert program.invoke("division_trap", 0)[0] == "integer_divide_by_zero"
    assert program.global_cell(1) == 32
    assert program.memory_bytes(0, 4) == (31).to_bytes(4, "little")
    assert program.invoke("loop_trap", 0)[0] == "memory_out_of_bounds"
    assert program.global_cell(0) & 0xFFFFFFFF == 65536 // 4
    assert program.memory_bytes(65532, 65536) == (65536 // 4 - 1).to_bytes(4, "little")


@pytest.mark.parametrize("opt_level", [0, 1, 2, 3])
def test_runaway_recursion_ends_at_the_stack_limit(tmp_path: Path, opt_level: int) -> None:
    wat = """(module (table 2 funcref) (elem (i32.const 0) $indirect) (type $t (func (param i32) (result i32)))
      (func $self (export "self") (param i32) (result i32) (call $self (i32.add (local.get 0) (i32.const 1))))
      (func $sum (export "sum") (param i32) (result i32) (i32.add (i32.const 1) (call $sum (local.get 0))))
      (func $even (export "even") (param i32) (result i32) (call $odd (local.get 0)))
      (func $odd (param i32) (result i32) (call $even (local.get 0)))
      (func $indirect (export "indirect") (param i32) (result i32)
        (call_indirect (type $t) (local.get 0) (i32.const 0))))"""
    program = Program(module_from_wat(wat), tmp_path, opt_level)
    marker = program.stack_pointer()
    program.set_stack_limit(marker - 256 * 1024)
    for name in ("self", "sum", "even", "indirect"):
        assert program.invoke(name, 0)[0] == "stack_exhausted"


MASKED_LOADS: Final = Path(__file__).parents[2] / "fuzz" / "regressions" / "select-masks-load.wat"


@pytest.mark.parametrize("opt_level", [1, 2, 3])
def test_no_memory_operand_is_masked(opt_level: int, tmp_path: Path) -> None:
    """A load under a mask does not trap where the mask is off. This sees it without a CPU that has AVX-512."""
    wa.pack(MASKED_LOADS, tmp_path / "a.so", cpu="x86-64-v4", target="x86_64", opt_level=opt_level, keep=tmp_path)
    (assembly,) = tmp_path.glob("functions-*.s")
    lines = assembly.read_text().splitlines()
    masked = [line for line in lines if "{%k" in line]
    assert masked, "the code has no select under a mask: this test says nothing any more"
    assert not [line for line in masked if "(" in line]
