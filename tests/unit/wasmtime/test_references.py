"""References: any Python object as an externref, functions as funcrefs, and when they are let go."""

from __future__ import annotations

import gc
import weakref
from types import ModuleType
from typing import Any

import pytest

from .harness import exports, func_type, instantiate

ECHO = """
    (module
      (func (export "extern") (param externref) (result externref) (local.get 0))
      (func (export "func") (param funcref) (result funcref) (local.get 0))
      (func (export "null_extern") (result externref) (ref.null extern))
      (func (export "null_func") (result funcref) (ref.null func))
      (func (export "is_null") (param externref) (result i32) (ref.is_null (local.get 0)))
      (func (export "sink") (param externref)))"""


class Thing:
    """What can be referred to weakly."""


@pytest.fixture
def echo(w: ModuleType, store: Any) -> Any:
    return exports(w, store, ECHO)


@pytest.mark.core
@pytest.mark.parametrize("thing", [42, 5.7, True, False, None, "Hello", {"x": 1}, [12, 13], 0, "", b""])
def test_object_comes_back_as_it_was(w: ModuleType, store: Any, echo: Any, thing: object) -> None:
    assert echo["extern"](store, w.Val.externref(thing)) is thing
    assert echo["extern"](store, thing) is thing


@pytest.mark.core
def test_null_is_none(w: ModuleType, store: Any, echo: Any) -> None:
    assert echo["null_extern"](store) is None
    assert echo["null_func"](store) is None
    assert echo["is_null"](store, None) == 1
    assert echo["is_null"](store, w.Val.externref(None)) == 1
    assert echo["is_null"](store, 0) == 0
    assert echo["is_null"](store, False) == 0


@pytest.mark.core
def test_object_goes_through_a_host_function(w: ModuleType, store: Any) -> None:
    seen: list[object] = []

    def pass_on(thing: object) -> object:
        seen.append(thing)
        return thing

    host = w.Func(store, func_type(w, "externref", "externref"), pass_on)
    text = '(module (import "" "" (func $f (param externref) (result externref))) (export "f" (func $f)))'
    through = exports(w, store, text, [host])["f"]
    for thing in (5, 5.7, None, "text"):
        assert through(store, thing) == thing
    assert seen == [5, 5.7, None, "text"]


@pytest.mark.core
def test_table_of_objects(w: ModuleType, store: Any) -> None:
    table = w.Table(store, w.TableType(w.ValType.externref(), w.Limits(3, None)), "init")
    assert table.grow(store, 2, "grown") == 3
    table.set(store, 1, "lucky")
    assert [table.get(store, i) for i in range(5)] == ["init", "lucky", "init", "grown", "grown"]
    table.set(store, 0, None)
    assert table.get(store, 0) == None  # noqa: E711  a null is a Val that equals None


@pytest.mark.core
def test_global_of_an_object(w: ModuleType, store: Any) -> None:
    found = w.Global(store, w.GlobalType(w.ValType.externref(), True), w.Val.externref("hello"))
    assert found.value(store) == "hello"
    found.set_value(store, "goodbye")
    assert found.value(store) == "goodbye"
    found.set_value(store, None)
    assert found.value(store) == None  # noqa: E711  a null is a Val that equals None


@pytest.mark.core
def test_global_lets_its_object_go(w: ModuleType, store: Any) -> None:
    thing = Thing()
    gone = weakref.ref(thing)
    found = w.Global(store, w.GlobalType(w.ValType.externref(), True), w.Val.externref(thing))
    del thing
    assert gone() is not None
    found.set_value(store, None)
    store.gc()
    gc.collect()
    assert gone() is None


@pytest.mark.core
def test_call_lets_its_object_go(w: ModuleType, store: Any, echo: Any) -> None:
    thing = Thing()
    gone = weakref.ref(thing)
    echo["sink"](store, thing)
    del thing
    store.gc()
    gc.collect()
    assert gone() is None


def test_store_lets_its_objects_go(w: ModuleType) -> None:
    store = w.Store()
    thing = Thing()
    gone = weakref.ref(thing)
    table = w.Table(store, w.TableType(w.ValType.externref(), w.Limits(1, None)), thing)
    del thing
    store.gc()
    gc.collect()
    assert gone() is not None
    del table, store
    gc.collect()
    assert gone() is None


@pytest.mark.core
def test_function_comes_back_as_it_was(w: ModuleType, store: Any, echo: Any) -> None:
    func = w.Func(store, func_type(w, "", "i32"), lambda: 42)
    for given in (func, w.Val.funcref(func)):
        found = echo["func"](store, given)
        assert isinstance(found, w.Func)
        assert found(store) == 42
    assert echo["func"](store, None) is None
    assert echo["func"](store, w.Val.funcref(None)) is None


def test_function_of_a_guest_as_a_value(w: ModuleType, store: Any, echo: Any) -> None:
    add = exports(
        w, store, '(module (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))'
    )
    assert echo["func"](store, add["f"])(store, 41) == 42


@pytest.mark.parametrize("bad", [1, "f", 1.5, print, object()])
def test_what_is_no_function(w: ModuleType, store: Any, echo: Any, bad: object) -> None:
    with pytest.raises(TypeError):
        echo["func"](store, bad)


def test_funcref_among_the_arguments_of_a_host_function(w: ModuleType, store: Any) -> None:
    text = """
        (module
          (import "" "" (func $apply (param funcref) (result i32)))
          (func $answer (result i32) (i32.const 42))
          (elem declare func $answer)
          (func (export "run") (result i32) (call $apply (ref.func $answer))))"""
    apply = w.Func(store, func_type(w, "funcref", "i32"), lambda caller, func: func(caller), access_caller=True)
    assert exports(w, store, text, [apply])["run"](store) == 42


def test_object_is_held_by_the_guest(w: ModuleType, store: Any) -> None:
    text = """
        (module
          (global $g (mut externref) (ref.null extern))
          (func (export "put") (param externref) (global.set $g (local.get 0)))
          (func (export "take") (result externref) (global.get $g) (global.set $g (ref.null extern))))"""
    out = instantiate(w, store, text).exports(store)
    thing = Thing()
    kept = weakref.ref(thing)
    out["put"](store, thing)
    del thing
    store.gc()
    gc.collect()
    assert kept() is not None
    assert isinstance(out["take"](store), Thing)
    store.gc()
    gc.collect()
    assert kept() is None
