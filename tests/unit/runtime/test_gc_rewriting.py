"""Objects that are rewritten while the collector marks: by each instruction that puts a reference over another.

Python does so, too.

A guest keeps nodes in structs and arrays, and large trees that the collector looks at before them. What is allocated
while it marks it does not look into; so a node that went from an old object to a new one, and whose old place was
overwritten, is lost where nobody tells the collector. It would be other objects' memory then: the guest makes garbage
all the while.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any

import pytest

import wasmartifact as wa

PLACES = 64
#: Where the collector is always at work, small trees keep it marking; else it begins after as many bytes as it found.
ALWAYS = os.environ.get("WASMARTIFACT_SANITIZE") in ("step", "collect")
TREE, GARBAGE, ROUNDS = (10, 40, 120) if ALWAYS else (16_000, 5_000, 1_000)
TEXT = b"""(module
  (type $node (struct (field $n i32)))
  (type $holder (struct (field $a (mut (ref null $node))) (field $b (mut anyref)) (field f64) (field $c (mut eqref))))
  (type $row (array (mut (ref null $node))))
  (type $mixed (array (mut externref)))
  (type $tree (struct (field $left (ref null $tree)) (field $right (ref null $tree)) (field i32)))
  (table $holders 64 (ref null $holder))
  (table $rows 1 (ref null $row))
  (table $mixed 1 (ref null $mixed))
  (table $trees 64 (ref null $tree)) (; roots are pushed in this order, so that the last are looked into first ;)
  (elem $none (ref null $node)
    REFS)

  (func $grow (param $count i32) (result (ref null $tree))
    (if (i32.eqz (local.get $count)) (then (return (ref.null $tree))))
    (local.set $count (i32.sub (local.get $count) (i32.const 1)))
    (struct.new $tree
      (call $grow (i32.shr_u (local.get $count) (i32.const 1)))
      (call $grow (i32.sub (local.get $count) (i32.shr_u (local.get $count) (i32.const 1))))
      (local.get $count)))
  (func $size (param $at (ref null $tree)) (result i32)
    (if (ref.is_null (local.get $at)) (then (return (i32.const 0))))
    (i32.add (i32.const 1) (i32.add
      (call $size (struct.get $tree $left (local.get $at))) (call $size (struct.get $tree $right (local.get $at))))))
  (func (export "size") (result i32) (local $i i32) (local $sum i32)
    (loop $next
      (local.set $sum (i32.add (local.get $sum) (call $size (table.get $trees (local.get $i)))))
      (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 64))))
    (local.get $sum))
  (func (export "churn") (param $count i32)
    (loop $next
      (drop (struct.new $node (i32.const -1)))
      (br_if $next (i32.gt_s (local.tee $count (i32.sub (local.get $count) (i32.const 1))) (i32.const 0)))))
  (func (export "begin") (param $count i32) (local $i i32) (local $row (ref $row)) (local $mixed (ref $mixed))
    (local.set $row (array.new_default $row (i32.const 64)))
    (local.set $mixed (array.new_default $mixed (i32.const 64)))
    (table.set $rows (i32.const 0) (local.get $row))
    (table.set $mixed (i32.const 0) (local.get $mixed))
    (loop $next
      (array.set $row (local.get $row) (local.get $i) (struct.new $node (local.get $i)))
      (array.set $mixed (local.get $mixed) (local.get $i)
        (extern.convert_any (struct.new $node (i32.add (local.get $i) (i32.const 100)))))
      (table.set $holders (local.get $i) (struct.new $holder
        (struct.new $node (i32.add (local.get $i) (i32.const 200)))
        (struct.new $node (i32.add (local.get $i) (i32.const 300)))
        (f64.const 1) (struct.new $node (i32.add (local.get $i) (i32.const 400)))))
      (table.set $trees (local.get $i) (call $grow (local.get $count)))
      (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 64)))))

  ;; Each leaves new objects with the old nodes behind, and the old objects empty.
  (func (export "struct.set") (local $i i32) (local $old (ref null $holder))
    (loop $next
      (local.set $old (table.get $holders (local.get $i)))
      (table.set $holders (local.get $i) (struct.new $holder
        (struct.get $holder $a (local.get $old)) (struct.get $holder $b (local.get $old))
        (f64.const 1) (struct.get $holder $c (local.get $old))))
      (struct.set $holder $a (local.get $old) (ref.null $node))
      (struct.set $holder $b (local.get $old) (ref.i31 (i32.const 3)))
      (struct.set $holder $c (local.get $old) (ref.null none))
      (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 64)))))
  ;; In a function of its own, whose other values are all in registers.
  (func (export "registers") (param $i i32) (param $j i32) (param $x f64) (result f64)
    (local $old (ref null $holder)) (local $new (ref null $holder))
    (local $a i32) (local $b i32) (local $c i32) (local $d i32) (local $e i32) (local $y f64)
    (local.set $a (i32.mul (local.get $i) (i32.const 3))) (local.set $b (i32.mul (local.get $j) (i32.const 5)))
    (local.set $c (i32.mul (local.get $i) (i32.const 7))) (local.set $d (i32.mul (local.get $j) (i32.const 11)))
    (local.set $e (i32.xor (local.get $a) (local.get $d))) (local.set $y (f64.mul (local.get $x) (local.get $x)))
    (local.set $old (table.get $holders (local.get $i)))
    (local.set $new (struct.new $holder (struct.get $holder $a (local.get $old))
      (struct.get $holder $b (local.get $old)) (f64.const 1) (struct.get $holder $c (local.get $old))))
    (table.set $holders (local.get $i) (local.get $new))
    (f64.add (f64.convert_i32_s (i32.add (local.get $a) (local.get $b))) (local.get $y))
    (struct.set $holder $c (local.get $new) (struct.get $holder $c (local.get $old)))
    (f64.sub (local.get $x) (f64.convert_i32_s (i32.add (local.get $c) (local.get $d))))
    (i32.sub (local.get $e) (local.get $a))
    (struct.set $holder $a (local.get $old) (ref.null $node))
    (struct.set $holder $b (local.get $old) (struct.new $node (i32.const -2)))
    (struct.set $holder $c (local.get $old) (ref.null none))
    (f64.convert_i32_s) (f64.add) (f64.add)
    (f64.add (f64.add (local.get $y) (f64.convert_i32_s (local.get $e))))
    (f64.add (f64.convert_i32_s
      (i32.add (i32.add (local.get $a) (local.get $b)) (i32.add (local.get $c) (local.get $d))))))
  (func $renewed (result (ref $row)) (local $old (ref null $row)) (local $new (ref $row))
    (local.set $old (table.get $rows (i32.const 0)))
    (local.set $new (array.new_default $row (i32.const 64)))
    (array.copy $row $row (local.get $new) (i32.const 0) (local.get $old) (i32.const 0) (i32.const 64))
    (table.set $rows (i32.const 0) (local.get $new))
    (ref.as_non_null (local.get $old)))
  (func (export "array.set") (local $i i32) (local $old (ref null $row))
    (local.set $old (call $renewed))
    (loop $next
      (array.set $row (local.get $old) (local.get $i) (ref.null $node))
      (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 62))))
    (array.set $row (local.get $old) (i32.const 62) (ref.null $node))
    (array.set $row (local.get $old) (i32.const 63) (struct.new $node (i32.const -2))))
  (func (export "array.fill")
    (array.fill $row (call $renewed) (i32.const 0) (ref.null $node) (i32.const 64)))
  (func (export "array.copy")
    (array.copy $row $row (call $renewed) (i32.const 0) (array.new_default $row (i32.const 64)) (i32.const 0)
      (i32.const 64)))
  (func (export "array.init_elem")
    (array.init_elem $row $none (call $renewed) (i32.const 0) (i32.const 0) (i32.const 64)))
  (func (export "externref") (local $i i32) (local $old (ref null $mixed)) (local $new (ref $mixed))
    (local.set $old (table.get $mixed (i32.const 0)))
    (local.set $new (array.new_default $mixed (i32.const 64)))
    (array.copy $mixed $mixed (local.get $new) (i32.const 0) (local.get $old) (i32.const 0) (i32.const 64))
    (table.set $mixed (i32.const 0) (local.get $new))
    (loop $next
      (array.set $mixed (local.get $old) (local.get $i) (ref.null extern))
      (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 64)))))
  (func (export "row") (result (ref $row)) (call $renewed))
  (func (export "holder") (param $i i32) (result (ref null $holder)) (local $old (ref null $holder))
    (local.set $old (table.get $holders (local.get $i)))
    (table.set $holders (local.get $i) (struct.new $holder (struct.get $holder $a (local.get $old))
      (struct.get $holder $b (local.get $old)) (f64.const 1) (struct.get $holder $c (local.get $old))))
    (local.get $old))

  (func (export "value") (param $where i32) (param $i i32) (result i32)
    (block $c (block $b (block $a (block $mixed (block $row
      (br_table $row $mixed $a $b $c (local.get $where)))
      (return (struct.get $node $n (array.get $row (table.get $rows (i32.const 0)) (local.get $i)))))
      (return (struct.get $node $n (ref.cast (ref $node) (any.convert_extern
        (array.get $mixed (table.get $mixed (i32.const 0)) (local.get $i)))))))
      (return (struct.get $node $n (struct.get $holder $a (table.get $holders (local.get $i))))))
      (return (struct.get $node $n (ref.cast (ref $node) (struct.get $holder $b (table.get $holders (local.get $i)))))))
    (struct.get $node $n (ref.cast (ref $node) (struct.get $holder $c (table.get $holders (local.get $i))))))
)""".replace(b"REFS", b" ".join([b"(ref.null $node)"] * PLACES))


@pytest.fixture(scope="module", params=[0, 2])
def artifact(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> wa.Artifact:
    path = tmp_path_factory.mktemp("rewriting") / "rewriting.so"
    wa.pack(TEXT, path, opt_level=request.param)
    return wa.load(path)


def _renew_holders_by_python(exports: Any) -> None:
    for i in range(0, PLACES, 8):
        old = exports.holder(i)
        old[0], old[1], old[3] = None, None, None


def _renew_the_row_by_python(exports: Any) -> None:
    old = exports.row()
    for i in range(PLACES):
        old[i] = None


def _renew_with_registers(exports: Any) -> None:
    for i in range(PLACES):
        j, x = 3 * i + 1, i / 4
        a, b, c, d, y = 3 * i, 5 * j, 7 * i, 11 * j, x * x
        e = a ^ d
        assert exports.registers(i, j, x) == (a + b + y) + (x - (c + d)) + (e - a) + (y + e) + (a + b + c + d)


def _by_call(name: str) -> Callable[[Any], None]:
    return lambda exports: exports[name]()


CHANGES = {
    **{name: _by_call(name) for name in
       ("struct.set", "array.set", "array.fill", "array.copy", "array.init_elem", "externref")},
    "registers": _renew_with_registers,
    "fields by Python": _renew_holders_by_python,
    "elements by Python": _renew_the_row_by_python,
}  # fmt: skip


def _check(exports: Any) -> None:
    assert [[exports.value(where, i) for i in range(PLACES)] for where in range(5)] == [
        list(range(100 * where, 100 * where + PLACES)) for where in range(5)
    ]
    assert exports.size() == TREE * PLACES


@pytest.mark.parametrize("name", CHANGES)
def test_what_leaves_an_old_object_while_the_collector_marks_is_not_lost(artifact: wa.Artifact, name: str) -> None:
    exports: Any = artifact.instantiate().exports
    exports.begin(TREE)
    garbage = random.Random(name)
    for _ in range(ROUNDS):
        CHANGES[name](exports)
        exports.churn(garbage.randrange(2 * GARBAGE))
    _check(exports)


def test_all_of_them_at_once(artifact: wa.Artifact) -> None:
    exports: Any = artifact.instantiate().exports
    exports.begin(TREE)
    choices = random.Random(1)
    for _ in range(2 * ROUNDS):
        CHANGES[choices.choice(list(CHANGES))](exports)
        exports.churn(choices.randrange(2 * GARBAGE))
    _check(exports)
