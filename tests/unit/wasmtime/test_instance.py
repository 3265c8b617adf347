"""Instances: imports by position, exports by name and index, start functions."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from .harness import exports, func_type, instantiate

KINDS = """
    (module
      (func (export "a"))
      (func (export "b"))
      (global (export "c") i32 (i32.const 3))
      (memory (export "d") 1)
      (table (export "e") 1 funcref))"""


@pytest.mark.core
def test_empty_module(w: ModuleType, store: Any) -> None:
    assert len(exports(w, store, "(module)")) == 0


@pytest.mark.core
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('(func (export ""))', "Func"),
        ('(global (export "") i32 (i32.const 3))', "Global"),
        ('(memory (export "") 1)', "Memory"),
        ('(table (export "") 1 funcref)', "Table"),
    ],
)
def test_export_has_the_class_of_its_kind(w: ModuleType, store: Any, text: str, kind: str) -> None:
    found = exports(w, store, f"(module {text})")
    assert len(found) == 1
    assert isinstance(found.by_index[0], getattr(w, kind))
    assert isinstance(found[""], getattr(w, kind))
    assert isinstance(found[""].type(store), getattr(w, f"{kind}Type"))


@pytest.mark.core
def test_exported_function_runs(w: ModuleType, store: Any) -> None:
    assert exports(w, store, KINDS).by_index[0](store) is None


@pytest.mark.core
def test_exported_values(w: ModuleType, store: Any) -> None:
    found = exports(w, store, KINDS)
    assert found["c"].value(store) == 3
    assert found["d"].size(store) == 1
    assert found["e"].size(store) == 1


@pytest.mark.core
def test_export_that_is_missing(w: ModuleType, store: Any) -> None:
    found = exports(w, store, KINDS)
    with pytest.raises(KeyError):
        found["x"]
    with pytest.raises(IndexError):
        found.by_index[100]
    assert found.get("x") is None
    assert found.get("x", 7) == 7
    for other in (0, None):
        with pytest.raises(KeyError):
            found[other]


@pytest.mark.core
def test_exports_are_a_mapping(w: ModuleType, store: Any) -> None:
    found = exports(w, store, KINDS)
    assert list(found) == ["a", "b", "c", "d", "e"]
    assert list(found.keys()) == ["a", "b", "c", "d", "e"]
    assert len(found) == len(found.by_index) == 5
    assert "a" in found
    assert "x" not in found
    assert set(found.values()) == set(found.by_index)
    assert [name for name, _ in found.items()] == list(found)
    assert isinstance(found.by_index[-1], w.Table)
    assert len(found.by_index[1:3]) == 2


def test_exports_stay_the_same_objects(w: ModuleType, store: Any) -> None:
    instance = instantiate(w, store, KINDS)
    assert instance.exports(store) is instance.exports(store)
    assert instance.exports(store)["a"] is instance.exports(store)["a"]
    assert instance.exports(store)["a"] is instance.exports(store).by_index[0]


def test_same_function_under_two_names(w: ModuleType, store: Any) -> None:
    found = exports(w, store, '(module (func $f (export "a") (export "b") (result i32) (i32.const 4)))')
    assert found["a"](store) == found["b"](store) == 4
    assert len(found) == 2


def test_many_exports(w: ModuleType, store: Any) -> None:
    functions = "".join(f'(func (export "f{i}") (result i32) (i32.const {i}))' for i in range(300))
    found = exports(w, store, f"(module {functions})")
    assert len(found) == 300
    assert found["f299"](store) == 299


@pytest.mark.core
def test_start_function_is_called(w: ModuleType, store: Any) -> None:
    hits: list[int] = []
    func = w.Func(store, func_type(w), lambda: hits.append(1))
    module = w.Module(store.engine, '(module (import "" "" (func)) (start 0))')
    w.Instance(store, module, [func])
    assert len(hits) == 1
    w.Instance(store, module, (func,))
    assert len(hits) == 2


@pytest.mark.core
def test_start_function_that_traps(w: ModuleType, store: Any) -> None:
    with pytest.raises(w.Trap) as caught:
        instantiate(w, store, "(module (func unreachable) (start 0))")
    assert caught.value.trap_code is w.TrapCode.UNREACHABLE


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('(module (memory 1) (data (i32.const 65536) "x"))', "MEMORY_OUT_OF_BOUNDS"),
        ("(module (table 1 funcref) (elem (i32.const 1) $f) (func $f))", "TABLE_OUT_OF_BOUNDS"),
    ],
)
def test_segment_that_does_not_fit(w: ModuleType, store: Any, text: str, code: str) -> None:
    with pytest.raises(w.Trap) as caught:
        instantiate(w, store, text)
    assert caught.value.trap_code is w.TrapCode[code]


@pytest.mark.core
def test_number_of_imports(w: ModuleType, store: Any) -> None:
    func = w.Func(store, func_type(w), lambda: None)
    text = '(module (import "" "" (func)))'
    instantiate(w, store, text, [func])
    for imports in ([], [func, func]):
        with pytest.raises(w.WasmtimeError, match="expected 1 imports, found"):
            instantiate(w, store, text, imports)


def test_imports_of_one_name_are_told_apart_by_their_place(w: ModuleType, store: Any) -> None:
    text = """
        (module
          (import "" "" (func $a (result i32)))
          (import "host" "f" (func $b (result i32)))
          (import "" "" (func $c (result i32)))
          (import "" "" (memory 1))
          (import "" "" (global $d i32))
          (func (export "all") (result i32 i32 i32 i32 i32)
            (call $a) (call $b) (call $c) (memory.size) (global.get $d)))"""
    functions = [w.Func(store, func_type(w, "", "i32"), lambda number=number: number) for number in (5, 6, 7)]
    memory = w.Memory(store, w.MemoryType(w.Limits(2, None)))
    number = w.Global(store, w.GlobalType(w.ValType.i32(), False), 9)
    assert exports(w, store, text, [*functions, memory, number])["all"](store) == [5, 6, 7, 2, 9]


@pytest.mark.core
def test_import_of_another_kind(w: ModuleType, store: Any) -> None:
    func = w.Func(store, func_type(w), lambda: None)
    with pytest.raises(w.WasmtimeError):
        instantiate(w, store, '(module (import "" "" (global i32)))', [func])


def test_import_of_another_type(w: ModuleType, store: Any) -> None:
    func = w.Func(store, func_type(w), lambda: None)
    with pytest.raises(w.WasmtimeError, match="incompatible import type"):
        instantiate(w, store, '(module (import "a" "b" (func (param i32))))', [func])


@pytest.mark.core
def test_what_is_no_import(w: ModuleType, store: Any) -> None:
    module = w.Module(store.engine, '(module (import "" "" (func)))')
    for bad in (1, None, lambda: None, "f", module):
        with pytest.raises(TypeError):
            w.Instance(store, module, [bad])
    with pytest.raises(TypeError):
        w.Instance(store, module, 1)


@pytest.mark.core
def test_what_is_no_module(w: ModuleType, store: Any) -> None:
    for bad in (1, None, "(module)"):
        with pytest.raises(AttributeError):
            w.Instance(store, bad, [])


def test_what_is_no_store(w: ModuleType, store: Any) -> None:
    module = w.Module(store.engine, "(module)")
    for bad in (1, None, store.engine):
        with pytest.raises(AttributeError):
            w.Instance(bad, module, [])


def test_instances_are_apart(w: ModuleType, store: Any) -> None:
    text = """
        (module
          (global $g (mut i32) (i32.const 0))
          (func (export "next") (result i32)
            (global.set $g (i32.add (global.get $g) (i32.const 1)))
            (global.get $g)))"""
    one, other = (exports(w, store, text)["next"] for _ in range(2))
    assert [one(store), one(store), other(store)] == [1, 2, 1]


def test_exports_of_one_are_imports_of_another(w: ModuleType, store: Any) -> None:
    lower = exports(w, store, '(module (func (export "f") (result i32) (i32.const 20)) (memory (export "m") 1))')
    text = """
        (module
          (import "" "f" (func $f (result i32)))
          (import "" "m" (memory 1))
          (func (export "g") (result i32) 
            (i32.store8 (i32.const 0) (i32.const 1))
            (i32.add (call $f) (i32.const 22))))"""
    assert exports(w, store, text, [lower["f"], lower["m"]])["g"](store) == 42
    assert lower["m"].read(store, 0, 1) == b"\1"


def test_export_of_an_import(w: ModuleType, store: Any) -> None:
    func = w.Func(store, func_type(w, "i32", "i32"), lambda a: a + 1)
    text = '(module (import "" "" (func $f (param i32) (result i32))) (export "f" (func $f)))'
    assert exports(w, store, text, [func])["f"](store, 1) == 2
