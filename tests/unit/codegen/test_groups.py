"""Where a group becomes an object for each function, a function's code depends on nothing else in its group."""

from __future__ import annotations

import pytest

from tests.unit.codegen.harness import context_of, module_from_wat
from wasmartifact.codegen.llvm import compile_group
from wasmartifact.codegen.module import group_functions

#: LLVM sees that the first one gives 0 or 1; constants of several sizes come in several orders.
FUNCTIONS = """
  (func $test (param i32) (result i32) (i32.eqz (local.get 0)))
  (func (param i32) (result i32) (i32.and (call $test (local.get 0)) (i32.const 1)))
  (func (param f64) (result f64) (f64.mul (local.get 0) (f64.const 1.5)))
  (func (param v128 f64) (result v128)
    (f64x2.replace_lane 0 (i32x4.mul (local.get 0) (v128.const i32x4 1 2 3 5)) (f64.mul (local.get 1) (f64.const 2.5))))
  (func (param i32) (result i32) (block $a (block $b (block $c (block $d (block $e
    (br_table $a $b $c $d $e (local.get 0))) (return (i32.const 11))) (return (i32.const 5)))
    (return (i32.const 7))) (return (i32.const 2))) (i32.const 3))"""


@pytest.mark.parametrize("target", ["x86_64", "aarch64"])
@pytest.mark.parametrize("level", [1, 2])
def test_code_is_the_same_alone_and_in_company(level: int, target: str) -> None:
    module = module_from_wat(f"(module {FUNCTIONS})")
    context = context_of(module, level, target=target)
    (group,) = group_functions(module, (100, 10**6))
    together = compile_group(context, group)
    apart = [part for single in group_functions(module, (1, 1)) for part in compile_group(context, single)]
    assert len(together) == len(apart) == len(group.indices)
    for one, other in zip(together, apart, strict=True):
        assert one.object == other.object
        assert one.address_map == other.address_map
