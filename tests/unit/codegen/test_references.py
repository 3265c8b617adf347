"""Typed function references: calls, branches on null, and how they reach Python. wasmtime says what is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
import wasmtime

import wasmartifact as wa

#: Each function takes a number of what to refer to: 0 null, 1 $double, 2 the imported $host.
WAT: Final = """(module
  (type $unary (func (param i32) (result i32)))
  (import "env" "host" (func $host (type $unary)))
  (table $t 3 (ref null $unary))
  (elem declare func $double $host)
  (func $start (table.set $t (i32.const 1) (ref.func $double)) (table.set $t (i32.const 2) (ref.func $host)))
  (start $start)
  (func $double (type $unary) (i32.mul (local.get 0) (i32.const 2)))
  (func (export "call") (param i32 i32) (result i32)
    (call_ref $unary (local.get 1) (table.get $t (local.get 0))))
  (func (export "as_non_null") (param i32 i32) (result i32)
    (call_ref $unary (local.get 1) (ref.as_non_null (table.get $t (local.get 0)))))
  (func (export "on_null") (param i32 i32) (result i32)
    (block $null
      (return (call_ref $unary (local.get 1) (br_on_null $null (table.get $t (local.get 0))))))
    (i32.const -1))
  (func (export "on_non_null") (param i32 i32) (result i32) (local $f (ref null $unary))
    (block $some (result (ref $unary))
      (br_on_non_null $some (table.get $t (local.get 0)))
      (return (i32.const -2)))
    (local.set $f)
    (call_ref $unary (local.get 1) (local.get $f)))
  (func (export "select") (param i32 i32) (result i32)
    (call_ref $unary (local.get 1)
      (select (result (ref null $unary)) (table.get $t (local.get 0)) (ref.func $double) (local.get 1))))
  (func (export "unreached") (param i32 i32) (result i32)
    (if (local.get 0)
      (then
        (return (i32.const -3))
        (drop (block (result (ref null $unary))
          (select (result (ref null $unary)) (table.get $t (local.get 0)) (ref.func $double) (local.get 1))))))
    (local.get 1))
  (func (export "get") (param i32) (result (ref null $unary)) (table.get $t (local.get 0)))
  (func (export "must") (param i32) (result (ref $unary)) (ref.as_non_null (table.get $t (local.get 0))))
  (func (export "take") (param (ref null $unary)) (result i32) (ref.is_null (local.get 0))))
"""
NAMES: Final = ("call", "as_non_null", "on_null", "on_non_null", "select", "unreached")


@pytest.fixture(scope="module", params=[0, 2, 3])
def instance(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> wa.Instance:
    path = tmp_path_factory.mktemp("references") / "a.so"
    wa.pack(WAT.encode(), path, opt_level=request.param)
    return wa.load(path).instantiate({"env": {"host": lambda number: number + 100}})


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    config = wasmtime.Config()
    config.wasm_function_references = True
    engine = wasmtime.Engine(config)
    store = wasmtime.Store(engine)
    unary = wasmtime.FuncType([wasmtime.ValType.i32()], [wasmtime.ValType.i32()])
    host = wasmtime.Func(store, unary, lambda number: number + 100)
    exports = wasmtime.Instance(store, wasmtime.Module(engine, WAT), [host]).exports(store)

    def bind(name: str) -> Any:
        function = exports[name]
        assert isinstance(function, wasmtime.Func)
        return lambda *arguments: function(store, *arguments)

    return {name: bind(name) for name in NAMES}


def outcome(function: Any, *arguments: int) -> object:
    try:
        return function(*arguments)
    except (wa.Trap, wasmtime.Trap):
        return "trap"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("which", [0, 1, 2])
def test_calls_and_branches(instance: wa.Instance, reference: dict[str, Any], name: str, which: int) -> None:
    assert outcome(instance.exports[name], which, 21) == outcome(reference[name], which, 21)


def test_null_is_a_trap_of_its_own(instance: wa.Instance) -> None:
    for name, code in (("call", "null_function_reference"), ("as_non_null", "null_reference")):
        with pytest.raises(wa.Trap) as caught:
            instance.exports[name](0, 1)
        assert caught.value.code == code
        assert caught.value.frames[0].func_name == name


def test_references_come_out_as_functions(instance: wa.Instance) -> None:
    exports = instance.exports
    assert exports["get"](0) is None
    assert [exports["get"](which)(4) for which in (1, 2)] == [8, 104]
    assert exports["must"](1)(5) == 10
    with pytest.raises(wa.Trap):
        exports["must"](0)


def test_a_function_of_the_type_goes_in(instance: wa.Instance) -> None:
    exports = instance.exports
    assert exports["take"](None) == 1
    assert exports["take"](exports["get"](1)) == 0
    for wrong in (exports["take"], 3, "x", lambda: None):
        with pytest.raises(TypeError, match="take"):
            exports["take"](wrong)


def test_a_reference_of_another_module(instance: wa.Instance, tmp_path: Path) -> None:
    """The record's type has another address there, and means the same."""
    wat = """(module
      (type $other (func)) (type $unary (func (param i32) (result i32)))
      (import "a" "get" (func $get (param i32) (result (ref null $unary))))
      (func (export "through") (param i32 i32) (result i32)
        (call_ref $unary (local.get 1) (call $get (local.get 0)))))"""
    wa.pack(wat.encode(), tmp_path / "b.so")
    other = wa.load(tmp_path / "b.so").instantiate({"a": instance})
    assert [other.exports["through"](which, 30) for which in (1, 2)] == [60, 130]
    with pytest.raises(wa.Trap):
        other.exports["through"](0, 1)
