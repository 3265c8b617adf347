"""What only a frame, an exception or the embedder refers to outlives collections.

Each function here holds objects in one way only, and makes garbage until collections have run whose free cells are
taken again; what was lost would have become another object by then.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

import wasmartifact as wa

#: Nodes of garbage: tens of MiB, several times what calls for a collection, where one does not run at each allocation.
ROUNDS = 1000 if os.environ.get("WASMARTIFACT_SANITIZE") == "collect" else 1_000_000
TEXT = b"""(module
  (type $node (struct (field $value i32) (field $left (ref null $node)) (field $right (ref null $node))))
  (type $row (array (mut (ref null $node))))
  (tag $thrown (param (ref $node)))
  (import "host" "back" (func $back))
  (func $leaf (param i32) (result (ref $node))
    (struct.new $node (local.get 0) (ref.null $node) (ref.null $node)))
  (func $churn (export "churn") (param $rounds i32)
    (loop $more
      (drop (struct.new $node (i32.const -1) (ref.null $node) (ref.null $node)))
      (br_if $more (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1))))))
  (func $make (export "make") (param $depth i32) (result (ref $node))
    (if (i32.eqz (local.get $depth)) (then (return (call $leaf (i32.const 1)))))
    (struct.new $node (i32.const 1)
      (call $make (i32.sub (local.get $depth) (i32.const 1)))
      (call $make (i32.sub (local.get $depth) (i32.const 1)))))
  (func $sum (export "sum") (param $at (ref null $node)) (result i32)
    (if (ref.is_null (local.get $at)) (then (return (i32.const 0))))
    (i32.add (struct.get $node $value (local.get $at))
      (i32.add (call $sum (struct.get $node $left (local.get $at)))
        (call $sum (struct.get $node $right (local.get $at))))))

  (func (export "local") (param $rounds i32) (result i32) (local $held (ref null $node))
    (local.set $held (call $make (i32.const 9)))
    (call $churn (local.get $rounds))
    (call $sum (local.get $held)))
  (func (export "argument") (param $held (ref $node)) (param $rounds i32) (result i32)
    (call $churn (local.get $rounds))
    (call $sum (local.get $held)))
  (func (export "operand") (param $rounds i32) (result i32)
    (call $make (i32.const 9))
    (call $churn (local.get $rounds))
    (call $sum))
  ;; More than there are registers.
  (func (export "many") (param $rounds i32) (result i32)
    (local $a (ref null $node)) (local $b (ref null $node)) (local $c (ref null $node)) (local $d (ref null $node))
    (local $e (ref null $node)) (local $f (ref null $node)) (local $g (ref null $node)) (local $h (ref null $node))
    (local.set $a (call $leaf (i32.const 1))) (local.set $b (call $leaf (i32.const 2)))
    (local.set $c (call $leaf (i32.const 4))) (local.set $d (call $leaf (i32.const 8)))
    (local.set $e (call $leaf (i32.const 16))) (local.set $f (call $leaf (i32.const 32)))
    (local.set $g (call $leaf (i32.const 64))) (local.set $h (call $leaf (i32.const 128)))
    (loop $more
      (drop (struct.new $node (i32.const -1) (ref.null $node) (ref.null $node)))
      (br_if $more (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (i32.add
      (i32.add (i32.add (call $sum (local.get $a)) (call $sum (local.get $b)))
        (i32.add (call $sum (local.get $c)) (call $sum (local.get $d))))
      (i32.add (i32.add (call $sum (local.get $e)) (call $sum (local.get $f)))
        (i32.add (call $sum (local.get $g)) (call $sum (local.get $h))))))
  ;; Compiled code may keep the address of the next element only.
  (func (export "inside") (param $rounds i32) (result i32)
    (local $row (ref null $row)) (local $i i32) (local $total i32)
    (local.set $row (array.new_default $row (i32.const 1000)))
    (loop $fill
      (array.set $row (local.get $row) (local.get $i) (call $leaf (i32.const 1)))
      (br_if $fill (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))
    (local.set $i (i32.const 0))
    (loop $read
      (call $churn (i32.div_u (local.get $rounds) (i32.const 1000)))
      (local.set $total
        (i32.add (local.get $total) (call $sum (array.get $row (local.get $row) (local.get $i)))))
      (br_if $read (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))
    (local.get $total))
  (func $throw (throw $thrown (call $make (i32.const 9))))
  (func (export "exception") (param $rounds i32) (result i32) (local $caught exnref)
    (block $out (result (ref $node))
      (block $catch (result exnref)
        (try_table (catch_all_ref $catch) (call $throw))
        (unreachable))
      (local.set $caught)
      (call $churn (local.get $rounds))
      (try_table (catch $thrown $out) (throw_ref (local.get $caught)))
      (unreachable))
    (call $sum))
  ;; The frame of this call is below the host's, which calls churn.
  (func (export "across") (result i32) (local $held (ref null $node))
    (local.set $held (call $make (i32.const 9)))
    (call $back)
    (call $sum (local.get $held)))
)"""


@pytest.fixture(scope="module", params=[0, 2])
def artifact(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> wa.Artifact:
    path = tmp_path_factory.mktemp("roots") / "roots.so"
    wa.pack(TEXT, path, opt_level=request.param)
    return wa.load(path)


@pytest.fixture
def got(artifact: wa.Artifact) -> Any:
    def back() -> None:
        instance.exports.churn(ROUNDS)

    instance = artifact.instantiate({"host": {"back": back}})
    return instance.exports


@pytest.mark.parametrize(
    ("name", "total"), [("local", 1023), ("operand", 1023), ("many", 255), ("inside", 1000), ("exception", 1023)]
)
def test_a_frame_keeps_what_it_refers_to(got: Any, name: str, total: int) -> None:
    assert getattr(got, name)(ROUNDS) == total


def test_a_frame_keeps_its_arguments(got: Any) -> None:
    assert got.argument(got.make(9), ROUNDS) == 1023


def test_frames_below_a_host_function_keep_what_they_refer_to(got: Any) -> None:
    assert got.across() == 1023


def test_python_keeps_what_it_holds(got: Any) -> None:
    held = [got.make(9) for _ in range(20)]
    got.churn(ROUNDS)
    assert [got.sum(node) for node in held] == [1023] * 20
