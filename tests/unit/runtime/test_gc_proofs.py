"""What code takes for granted of a reference holds where it does: types of locals, fields and results, tests before.

Each function learns something of its argument on one way and looks at it where another way leads, too. Every answer is
wasmtime's, which gets the same references.
"""

from __future__ import annotations

from typing import Any

import pytest
import wasmtime

import wasmartifact as wa

TEXT = b"""(module
  (type $any (sub (struct)))
  (type $one (sub $any (struct (field $n i32))))
  (type $two (sub final $one (struct (field $n i32) (field $next (mut (ref null $any))))))
  (type $row (array (mut (ref null $any))))
  (func $pick (param $what i32) (result anyref)
    (block $null (block $number (block $row (block $two (block $one (block $any
      (br_table $any $one $two $row $number $null (local.get $what)))
      (return (struct.new $any)))
      (return (struct.new $one (i32.const 7))))
      (return (struct.new $two (i32.const 8) (struct.new $one (i32.const 9)))))
      (return (array.new_default $row (i32.const 3))))
      (return (ref.i31 (i32.const 5))))
    (ref.null any))
  (func $struct (param $what i32) (result (ref null $any)) (local $it anyref)
    (local.set $it (call $pick (local.get $what)))
    (if (result (ref null $any)) (ref.test (ref null $any) (local.get $it))
      (then (ref.cast (ref null $any) (local.get $it)))
      (else (ref.null $any))))

  ;; tested on one way only
  (func (export "if_test") (param i32) (result i32) (local $it anyref)
    (local.set $it (call $pick (local.get 0)))
    (if (ref.test (ref $one) (local.get $it))
      (then (if (i32.gt_u (struct.get $one $n (ref.cast (ref $one) (local.get $it))) (i32.const 7))
        (then (return (i32.const 100))))))
    (i32.add (ref.test (ref $one) (local.get $it)) (i32.mul (i32.const 2) (ref.is_null (local.get $it)))))
  (func (export "else_test") (param i32) (result i32) (local $it anyref)
    (local.set $it (call $pick (local.get 0)))
    (if (result i32) (ref.test (ref $one) (local.get $it))
      (then (struct.get $one $n (ref.cast (ref $one) (local.get $it))))
      (else (i32.add (i32.const 50) (ref.test (ref $row) (local.get $it))))))
  (func (export "not_test") (param i32) (result i32) (local $it anyref)
    (local.set $it (call $pick (local.get 0)))
    (if (result i32) (i32.eqz (ref.test (ref $two) (local.get $it)))
      (then (ref.test (ref $one) (local.get $it)))
      (else (struct.get $two $n (ref.cast (ref $two) (local.get $it))))))
  ;; a null check on one way only
  (func (export "one_way") (param i32 i32) (result i32) (local $it (ref null $any))
    (local.set $it (call $struct (local.get 0)))
    (if (local.get 1) (then (drop (ref.as_non_null (local.get $it)))))
    (i32.add (ref.is_null (local.get $it)) (i32.mul (i32.const 2) (ref.test (ref $any) (local.get $it)))))
  (func (export "field_on_one_way") (param i32 i32) (result i32) (local $it (ref null $one))
    (local.set $it (ref.cast (ref null $one) (call $struct (local.get 0))))
    (if (local.get 1) (then (drop (struct.get $one $n (local.get $it)))))
    (i32.add (struct.get $one $n (local.get $it)) (ref.test (ref $two) (local.get $it))))
  (func (export "loops") (param i32 i32) (result i32) (local $it (ref null $any)) (local $sum i32)
    (local.set $it (call $struct (local.get 0)))
    (loop $next
      (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 3)) (ref.test (ref $any) (local.get $it))))
      (if (ref.test (ref $two) (local.get $it))
        (then (local.set $it (struct.get $two $next (ref.cast (ref $two) (local.get $it)))))
        (else (local.set $it (ref.null $any))))
      (br_if $next (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))
    (local.get $sum))
  ;; branches by type
  (func (export "on_cast") (param i32) (result i32) (local $it anyref)
    (local.set $it (call $pick (local.get 0)))
    (block $two (result (ref $two))
      (block $one (result (ref $one))
        (drop (br_on_cast $one anyref (ref $one) (local.get $it)))
        (return (i32.add (i32.const 60) (ref.test (ref struct) (local.get $it)))))
      (drop (br_on_cast $two (ref $one) (ref $two)))
      (return (struct.get $one $n (ref.cast (ref $one) (local.get $it)))))
    (drop)
    (ref.test (ref null $two) (local.get $it)))
  (func (export "on_cast_fail") (param i32) (result i32) (local $it anyref)
    (local.set $it (call $pick (local.get 0)))
    (block $other (result anyref)
      (drop (br_on_cast_fail $other anyref (ref null $one) (local.get $it)))
      (if (ref.is_null (local.get $it)) (then (return (i32.const 70))))
      (return (struct.get $one $n (ref.cast (ref $one) (local.get $it)))))
    (drop)
    (i32.add (ref.test (ref null $one) (local.get $it)) (i32.mul (i32.const 2) (ref.test (ref i31) (local.get $it)))))
  (func (export "on_null") (param i32) (result i32) (local $it (ref null $any))
    (local.set $it (call $struct (local.get 0)))
    (block $null
      (drop (br_on_null $null (local.get $it)))
      (if (ref.test (ref $any) (local.get $it)) (then (return (i32.const 80)))))
    (i32.add (ref.test (ref $any) (local.get $it)) (i32.mul (i32.const 2) (ref.test (ref null $any) (local.get $it)))))
  ;; a cast that lets null through proves no object
  (func (export "null_cast") (param i32) (result i32) (local $it anyref)
    (local.set $it (call $pick (local.get 0)))
    (drop (ref.cast (ref null $any) (local.get $it)))
    (i32.add (ref.test (ref $any) (local.get $it)) (i32.mul (i32.const 2) (ref.test (ref null $any) (local.get $it)))))
  (func (export "elements") (param i32 i32) (result i32) (local $row (ref $row))
    (local.set $row (array.new_default $row (i32.const 2)))
    (array.set $row (local.get $row) (i32.const 1) (call $struct (local.get 0)))
    (i32.add (ref.test (ref $one) (array.get $row (local.get $row) (local.get 1)))
      (i32.mul (i32.const 2) (ref.is_null (array.get $row (local.get $row) (local.get 1)))))))
"""
ONE = ("if_test", "else_test", "not_test", "on_cast", "on_cast_fail", "on_null", "null_cast")
TWO = ("one_way", "field_on_one_way", "loops", "elements")
CALLS: list[tuple[str, tuple[int, ...]]] = [(name, (what,)) for name in ONE for what in range(6)]
CALLS += [(name, (what, other)) for name in TWO for what in range(6) for other in (0, 1)]
CALLS += [("loops", (what, 4)) for what in range(6)]
ENDLESS = {("loops", (what, 0)) for what in range(6)}  # 2**32 rounds
CALLS = [call for call in CALLS if call not in ENDLESS]


def _expected() -> list[object]:
    config = wasmtime.Config()
    config.wasm_gc = True
    config.wasm_function_references = True
    engine = wasmtime.Engine(config)
    store = wasmtime.Store(engine)
    exports = wasmtime.Instance(store, wasmtime.Module(engine, TEXT), []).exports(store)
    found: list[object] = []
    for name, arguments in CALLS:
        function: Any = exports[name]
        try:
            found.append(function(store, *arguments))
        except wasmtime.Trap:
            found.append("trap")
    return found


@pytest.mark.parametrize("opt_level", [0, 1, 2, 3])
def test_answers_are_those_of_wasmtime(opt_level: int, tmp_path: Any) -> None:
    path = tmp_path / "proofs.so"
    wa.pack(TEXT, path, opt_level=opt_level)
    exports = wa.load(path).instantiate().exports
    found: list[object] = []
    for name, arguments in CALLS:
        try:
            found.append(exports[name](*arguments))
        except wa.Trap:
            found.append("trap")
    assert dict(zip(CALLS, found, strict=True)) == dict(zip(CALLS, _expected(), strict=True))
    assert "trap" in found
