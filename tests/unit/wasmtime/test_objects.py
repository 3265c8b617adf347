"""The objects are Python's: subclasses, attributes of one's own, weak references, comparisons, text."""

from __future__ import annotations

import weakref
from types import ModuleType
from typing import Any

import pytest

from .harness import exports, func_type


def test_own_attributes(w: ModuleType, store: Any) -> None:
    """Programs hang what they need on a store."""
    store.name = "mine"
    assert store.name == "mine"
    module = w.Module(store.engine, "(module)")
    module.name = "m"
    assert module.name == "m"


def test_subclass_of_a_store(w: ModuleType) -> None:
    class Named(w.Store):  # type: ignore[misc, name-defined]
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    store = Named("mine")
    assert exports(w, store, '(module (func (export "f") (result i32) (i32.const 3)))')["f"](store) == 3
    assert store.name == "mine"


def test_subclass_of_an_error(w: ModuleType) -> None:
    class Own(w.WasmtimeError):  # type: ignore[misc, name-defined]
        pass

    class OwnTrap(w.Trap):  # type: ignore[misc, name-defined]
        pass

    with pytest.raises(w.WasmtimeError, match="words"):
        raise Own("words")
    with pytest.raises(w.Trap, match="words"):
        raise OwnTrap("words")


def test_own_error_crosses_the_guest(w: ModuleType, store: Any) -> None:
    class Own(w.WasmtimeError):  # type: ignore[misc, name-defined]
        code = 7

    def fail() -> None:
        raise Own("words")

    text = '(module (import "" "" (func $f)) (func (export "run") call $f))'
    run = exports(w, store, text, [w.Func(store, func_type(w), fail)])["run"]
    with pytest.raises(Own) as caught:
        run(store)
    assert caught.value.code == 7


def test_weak_references(w: ModuleType, store: Any) -> None:
    module = w.Module(store.engine, "(module)")
    func = w.Func(store, func_type(w), print)
    for one in (store, store.engine, module, func, w.Linker(store.engine)):
        assert weakref.ref(one)() is one


def test_exported_things_are_keys(w: ModuleType, store: Any) -> None:
    found = exports(w, store, '(module (func (export "f")) (memory (export "m") 1) (func (export "g")))')
    names = {found["f"]: "f", found["m"]: "m", found["g"]: "g"}
    assert names[found["g"]] == "g"
    assert len({found["f"], found["f"], found["g"]}) == 2


def test_every_object_has_a_text(w: ModuleType, store: Any) -> None:
    found = exports(w, store, '(module (func (export "f")) (memory (export "m") 1))')
    for one in (store, store.engine, found, found["f"], found["m"], w.Val.i32(1), w.Limits(1, 2), w.WasiConfig()):
        assert repr(one)
        assert str(one)


def test_function_bound_to_its_store(w: ModuleType, store: Any) -> None:
    """functools.partial, map and threads take a function as they take any callable."""
    double = exports(
        w, store, '(module (func (export "f") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2))))'
    )["f"]
    assert callable(double)
    assert list(map(double, [store] * 3, [1, 2, 3])) == [2, 4, 6]


@pytest.mark.parametrize("keyword", ["params", "x"])
def test_calls_take_no_keywords(w: ModuleType, store: Any, keyword: str) -> None:
    func = w.Func(store, func_type(w, "i32"), lambda x: None)
    with pytest.raises(TypeError):
        func(store, **{keyword: 1})


def test_arguments_by_name(w: ModuleType) -> None:
    engine = w.Engine(config=None)
    store = w.Store(engine=engine, data=None)
    ty = w.FuncType(params=[], results=[])
    func = w.Func(store=store, ty=ty, func=lambda: None, access_caller=False)
    memory = w.Memory(store=store, ty=w.MemoryType(limits=w.Limits(min=1, max=None), is_64=False))
    table_type = w.TableType(valtype=w.ValType.funcref(), limits=w.Limits(1, None))
    table = w.Table(store=store, ty=table_type, init=None)
    table.set(store=store, idx=0, val=func)
    assert isinstance(table.get(store=store, idx=0), w.Func)
    variable = w.Global(store=store, ty=w.GlobalType(valtype=w.ValType.i32(), mutable=True), val=1)
    variable.set_value(store=store, val=2)
    assert variable.value(store=store) == 2
    assert memory.write(store=store, value=b"x", start=3) == 1
    assert memory.read(store=store, start=3, stop=4) == b"x"
    assert memory.grow(store=store, delta=1) == 1
    module = w.Module(engine=engine, wasm='(module (import "a" "b" (func)))')
    linker = w.Linker(engine=engine)
    linker.define(store=store, module="a", name="b", item=func)
    linker.instantiate(store=store, module=module).exports(store=store)
    w.Instance(store=store, module=module, imports=[func])
