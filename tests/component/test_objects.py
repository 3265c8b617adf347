"""Core modules of a component that share structs and arrays: types are equal across them as the spec says (section
3.1.4), objects are the same ones, and wasmtime gives the same results."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
import wasmtime
from wasmtime.component import Component, Linker

import wasmartifact as wa

NODES: Final = """
    (rec (type $node (sub (struct (field $value i32) (field $next (ref null $node)))))
         (type $big (sub final $node (struct (field $value i32) (field $next (ref null $node)) (field i64)))))"""
TWO: Final = f"""(component
  (core module $lib
    (type $lone (struct (field i32)))
    {NODES}
    (type $visit (func (param (ref null $node)) (result i32)))
    (global $one (export "one") (ref $node) (struct.new $node (i32.const 40) (ref.null $node)))
    (global $again (export "again") (ref $node) (global.get $one))
    (global $few (export "few") i31ref (ref.i31 (i32.const -5)))
    (table (export "table") 4 funcref)
    (tag $found (export "found") (param (ref $node)))
    (elem (i32.const 2) func $sum)
    (func (export "make") (param i32) (result (ref $node))
      (struct.new $big (local.get 0) (global.get $one) (i64.const 9)))
    (func (export "lone") (result anyref) (struct.new $lone (i32.const 3)))
    (func (export "throw") (param (ref $node)) (throw $found (local.get 0)))
    (func $sum (type $visit) (local $sum i32)
      (loop $more
        (if (ref.is_null (local.get 0)) (then (return (local.get $sum))))
        (local.set $sum (i32.add (local.get $sum) (struct.get $node $value (local.get 0))))
        (local.set 0 (struct.get $node $next (local.get 0)))
        (br $more))
      (unreachable)))
  (core module $main
    (type $other (func (param i32)))
    (rec (type $pair_of_one (struct (field i32))) (type (struct)))
    {NODES}
    (type $bytes (array (mut i8))) (type $words (array (mut i16))) (type $nodes (array (mut (ref null $node))))
    (type $visit (func (param (ref null $node)) (result i32)))
    (type $lone (struct (field i32)))
    (import "lib" "make" (func $make (param i32) (result (ref $node))))
    (import "lib" "lone" (func $lone (result anyref)))
    (import "lib" "throw" (func $throw (param (ref $node))))
    (import "lib" "one" (global $one (ref $node)))
    (import "lib" "again" (global $again (ref $node)))
    (import "lib" "few" (global $few i31ref))
    (import "lib" "table" (table $table 4 funcref))
    (import "lib" "found" (tag $found (param (ref $node))))
    (data $text "abcdef")
    (elem $nodes (ref null $node) (item (global.get $one)) (item (global.get $again)))
    (global $mine (ref $node) (global.get $again))
    (global $number i31ref (global.get $few))
    (func (export "sum") (param i32) (result i32)
      (call_indirect $table (type $visit) (call $make (local.get 0)) (i32.const 2)))
    (func (export "same") (param i32) (result i32) (local $array (ref $nodes))
      (local.set $array (array.new_elem $nodes $nodes (i32.const 0) (i32.const 2)))
      (i32.add (i32.add (ref.eq (global.get $mine) (global.get $one)) (i32.mul (i32.const 10)
          (ref.eq (struct.get $node $next (call $make (local.get 0))) (global.get $mine))))
        (i32.mul (i32.const 100)
          (ref.eq (array.get $nodes (local.get $array) (i32.const 1)) (global.get $one)))))
    (func (export "types") (param i32) (result i32)
      (i32.add (ref.test (ref $big) (call $make (local.get 0))) (i32.add
        (i32.mul (i32.const 10) (ref.test (ref $lone) (call $lone)))
        (i32.mul (i32.const 100) (ref.test (ref $pair_of_one) (call $lone))))))
    (func (export "branch") (param i32) (result i32)
      (block $big (result (ref $big))
        (br_on_cast $big (ref null $node) (ref $big) (select (result (ref null $node))
          (call $make (i32.const 7)) (global.get $one) (local.get 0)))
        (return (struct.get $node $value (ref.as_non_null))))
      (struct.get $big $value))
    (func (export "caught") (param i32) (result i32)
      (block $caught (result (ref $node))
        (try_table (catch $found $caught) (call $throw (call $make (local.get 0))))
        (unreachable))
      (struct.get $node $value))
    (func (export "arrays") (param i32) (result i32) (local $a (ref $bytes)) (local $b (ref $bytes))
      (local.set $a (array.new_data $bytes $text (i32.const 1) (i32.const 4)))
      (local.set $b (array.new $bytes (local.get 0) (i32.const 3)))
      (array.copy $bytes $bytes (local.get $b) (i32.const 0) (local.get $a) (i32.const 2) (i32.const 2))
      (array.init_data $bytes $text (local.get $a) (i32.const 3) (i32.const 5) (i32.const 1))
      (array.fill $bytes (local.get $a) (i32.const 0) (i32.const 1) (i32.const 1))
      (i32.add (i32.add (array.get_u $bytes (local.get $b) (i32.const 1))
          (array.get_s $bytes (local.get $b) (i32.const 2)))
        (i32.add (array.get_u $bytes (local.get $a) (i32.const 3)) (i32.add (array.len (local.get $b))
          (array.get_u $words (array.new_fixed $words 2 (i32.const 1) (i32.const 1000)) (i32.const 1))))))
    (func (export "number") (param i32) (result i32)
      (i32.add (local.get 0) (i31.get_s (ref.cast i31ref (global.get $number))))))
  (core instance $l (instantiate $lib))
  (core instance $m (instantiate $main (with "lib" (instance $l))))
  {{}})"""
#: Export, argument, result: by hand.
CALLS: Final = (
    ("sum", 2, 42),
    ("same", 1, 111),
    ("types", 1, 11),
    ("branch", 0, 40),
    ("branch", 1, 7),
    ("caught", 77, 77),
    ("arrays", 9, ord("e") + 9 + ord("f") + 3 + 1000),
    ("number", 10, 5),
)
SOURCE: Final = TWO.format(
    "\n".join(
        f'(func (export "{name}") (param "x" s32) (result s32) (canon lift (core func $m "{name}")))'
        for name in dict.fromkeys(name for name, _, _ in CALLS)
    )
).encode()


@pytest.mark.parametrize("level", [0, 2])
def test_core_modules_share_objects(level: int, tmp_path: Path) -> None:
    wa.pack(SOURCE, tmp_path / "two.so", opt_level=level)
    exports: Any = wa.load(tmp_path / "two.so").instantiate().exports
    assert [exports[name](argument) for name, argument, _ in CALLS] == [result for _, _, result in CALLS]


def test_wasmtime_says_the_same() -> None:
    config = wasmtime.Config()
    config.wasm_gc = config.wasm_function_references = config.wasm_exceptions = True
    store = wasmtime.Store(wasmtime.Engine(config))
    component = Component(store.engine, SOURCE)
    instance = Linker(store.engine).instantiate(store, component)
    for name, argument, result in CALLS:
        func: Any = instance.get_func(store, name)
        assert func(store, argument) == result, name


def test_a_table_full_of_an_imported_object_is_refused(tmp_path: Path) -> None:
    source = b"""(component
      (core module $lib (type $s (struct)) (global (export "g") (ref $s) (struct.new $s)))
      (core module $main (type $s (struct)) (import "lib" "g" (global $g (ref $s)))
        (table 2 (ref $s) (global.get $g)))
      (core instance $l (instantiate $lib))
      (core instance $m (instantiate $main (with "lib" (instance $l)))))"""
    with pytest.raises(wa.UnsupportedModule, match="set them in a start function") as refused:
        wa.pack(source, tmp_path / "a.so", opt_level=0)
    assert refused.value.facts["feature"] == "component-gc"
