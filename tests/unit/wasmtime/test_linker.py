"""The linker: definitions by name, shadowing, whole modules, defaults, and instances that are linked ahead."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from .harness import func_type, instantiate

CALLS_Z = '(module (import "y" "z" (func $z)) (func (export "run") call $z))'


@pytest.fixture
def linker(w: ModuleType, store: Any) -> Any:
    return w.Linker(store.engine)


@pytest.fixture
def func(w: ModuleType, store: Any) -> Any:
    return w.Func(store, func_type(w), lambda: None)


@pytest.mark.core
def test_every_kind_can_be_defined(w: ModuleType, store: Any, linker: Any, func: Any) -> None:
    linker.define(store, "", "f", func)
    linker.define(store, "", "g", w.Global(store, w.GlobalType(w.ValType.i32(), False), 0))
    linker.define(store, "", "m", w.Memory(store, w.MemoryType(w.Limits(1, None))))
    linker.define(store, "", "t", w.Table(store, w.TableType(w.ValType.funcref(), w.Limits(1, None)), None))
    text = """
        (module
          (import "" "m" (memory 1))
          (import "" "t" (table 1 funcref))
          (import "" "f" (func))
          (import "" "g" (global i32)))"""
    linker.instantiate(store, w.Module(store.engine, text))


@pytest.mark.core
def test_shadowing(w: ModuleType, store: Any, linker: Any, func: Any) -> None:
    linker.allow_shadowing = False
    linker.define(store, "", "a", func)
    with pytest.raises(w.WasmtimeError, match="defined twice"):
        linker.define(store, "", "a", func)
    linker.allow_shadowing = True
    linker.define(store, "", "a", func)


def test_later_definition_counts(w: ModuleType, store: Any, linker: Any) -> None:
    hits: list[int] = []
    linker.allow_shadowing = True
    for i in range(2):
        linker.define_func("y", "z", func_type(w), lambda i=i: hits.append(i))
    linker.instantiate(store, w.Module(store.engine, CALLS_Z)).exports(store)["run"](store)
    assert hits == [1]


@pytest.mark.core
def test_what_can_not_be_defined(w: ModuleType, store: Any, linker: Any, func: Any) -> None:
    for bad in (2, None, "f", lambda: None):
        with pytest.raises(TypeError):
            linker.define(store, "", "x", bad)
    with pytest.raises(AttributeError):
        linker.define(store, 2, "", func)
    with pytest.raises(AttributeError):
        linker.define(store, "", 2, func)
    with pytest.raises(AttributeError):
        linker.define(1, "", "", func)


@pytest.mark.core
def test_linker_takes_an_engine(w: ModuleType, store: Any) -> None:
    for bad in (2, None):
        with pytest.raises(AttributeError):
            w.Linker(bad)
    assert w.Linker(store.engine).engine is store.engine


@pytest.mark.core
def test_linker_takes_a_module(w: ModuleType, store: Any, linker: Any) -> None:
    for bad in (3, None, "(module)"):
        with pytest.raises(AttributeError):
            linker.instantiate(store, bad)
    with pytest.raises(AttributeError):
        linker.instantiate(3, w.Module(store.engine, "(module)"))


@pytest.mark.core
def test_instance_under_a_name(w: ModuleType, store: Any, linker: Any, func: Any) -> None:
    linker.define_instance(store, "x", instantiate(w, store, '(module (func (export "foo")))'))
    linker.define(store, "y", "z", func)
    module = w.Module(store.engine, '(module (import "x" "foo" (func)) (import "y" "z" (func)))')
    assert isinstance(linker.instantiate(store, module), w.Instance)


@pytest.mark.core
def test_instance_under_a_name_that_is_taken(w: ModuleType, store: Any, linker: Any) -> None:
    instance = instantiate(w, store, '(module (func (export "foo")))')
    linker.define_instance(store, "b", instance)
    with pytest.raises(w.WasmtimeError):
        linker.define_instance(store, "b", instance)
    linker.allow_shadowing = True
    linker.define_instance(store, "b", instance)
    empty = instantiate(w, store, "(module)")
    linker.allow_shadowing = False
    linker.define_instance(store, "b", empty)


@pytest.mark.core
def test_what_is_no_instance(w: ModuleType, store: Any, linker: Any) -> None:
    for bad in (2, None, "x"):
        with pytest.raises(TypeError):
            linker.define_instance(store, "x", bad)
    with pytest.raises(TypeError):
        linker.define_instance("x", 2)


@pytest.mark.core
def test_import_that_is_missing(w: ModuleType, store: Any, linker: Any) -> None:
    with pytest.raises(w.WasmtimeError, match=r"unknown import: `y::z` has not been defined"):
        linker.instantiate(store, w.Module(store.engine, CALLS_Z))


@pytest.mark.core
def test_import_of_another_kind(w: ModuleType, store: Any, linker: Any, func: Any) -> None:
    linker.define(store, "y", "z", func)
    with pytest.raises(w.WasmtimeError, match=r"incompatible import type for `y::z`"):
        linker.instantiate(store, w.Module(store.engine, '(module (import "y" "z" (global i32)))'))


@pytest.mark.core
def test_start_function_that_traps(w: ModuleType, store: Any, linker: Any) -> None:
    with pytest.raises(w.Trap):
        linker.instantiate(store, w.Module(store.engine, "(module (func unreachable) (start 0))"))
    linker.instantiate(store, w.Module(store.engine, "(module)"))


# ---- modules under a name ------------------------------------------------------------------------------------------


@pytest.mark.core
def test_module_under_a_name(w: ModuleType, store: Any, linker: Any) -> None:
    linker.define_module(store, "y", w.Module(store.engine, '(module (func (export "z")))'))
    linker.instantiate(store, w.Module(store.engine, CALLS_Z)).exports(store)["run"](store)
    for bad in (2, "(module)"):
        with pytest.raises(TypeError):
            linker.define_module(store, "x", bad)


def test_reactor_under_a_name_is_one_instance(w: ModuleType, store: Any, linker: Any) -> None:
    """A module without _start is instantiated once, and initialised by what it exports for that."""
    text = """
        (module
          (global $g (mut i32) (i32.const 0))
          (func (export "_initialize") (global.set $g (i32.const 10)))
          (func (export "next") (result i32)
            (global.set $g (i32.add (global.get $g) (i32.const 1)))
            (global.get $g)))"""
    linker.define_module(store, "r", w.Module(store.engine, text))
    user = w.Module(store.engine, '(module (import "r" "next" (func $f (result i32))) (export "f" (func $f)))')
    results = [linker.instantiate(store, user).exports(store)["f"](store) for _ in range(2)]
    assert results == [11, 12]


def test_command_under_a_name_is_a_new_instance_each_call(w: ModuleType, store: Any, linker: Any) -> None:
    text = """
        (module
          (global $g (mut i32) (i32.const 0))
          (func (export "_start"))
          (func (export "next") (result i32)
            (global.set $g (i32.add (global.get $g) (i32.const 1)))
            (global.get $g)))"""
    linker.define_module(store, "c", w.Module(store.engine, text))
    user = w.Module(store.engine, '(module (import "c" "next" (func $f (result i32))) (export "f" (func $f)))')
    call = linker.instantiate(store, user).exports(store)["f"]
    assert [call(store), call(store)] == [1, 1]


@pytest.mark.core
def test_default_of_a_name_that_is_unknown_does_nothing(w: ModuleType, store: Any, linker: Any) -> None:
    default = linker.get_default(store, "foo")
    assert isinstance(default, w.Func)
    assert default(store) is None


def test_default_of_a_module(w: ModuleType, store: Any, linker: Any) -> None:
    hits: list[int] = []
    linker.define_func("host", "hit", func_type(w), lambda: hits.append(1))
    for name, export in (("command", "_start"), ("unnamed", "")):
        text = f'(module (import "host" "hit" (func $f)) (func (export "{export}") call $f))'
        linker.define_module(store, name, w.Module(store.engine, text))
        linker.get_default(store, name)(store)
    assert hits == [1, 1]


@pytest.mark.core
def test_getting_what_is_defined(w: ModuleType, store: Any, linker: Any) -> None:
    with pytest.raises(w.WasmtimeError, match="item not defined in linker"):
        linker.get(store, "foo", "f")
    linker.define_module(
        store, "foo", w.Module(store.engine, '(module (func (export "f") (result i32) (i32.const 6)))')
    )
    found = linker.get(store, "foo", "f")
    assert isinstance(found, w.Func)
    assert found(store) == 6


# ---- functions without a store -------------------------------------------------------------------------------------


@pytest.mark.core
def test_function_for_every_store(w: ModuleType) -> None:
    engine = w.Engine()
    linker = w.Linker(engine)
    hits: list[int] = []
    linker.define_func("a", "b", func_type(w), lambda: hits.append(1))
    module = w.Module(engine, '(module (import "a" "b" (func)) (start 0))')
    assert hits == []
    for _ in range(2):
        linker.instantiate(w.Store(engine), module)
    assert hits == [1, 1]


def test_function_with_a_caller(w: ModuleType, store: Any, linker: Any) -> None:
    seen: list[bytes] = []

    def log(caller: Any, address: int, length: int) -> None:
        seen.append(bytes(caller["memory"].read(caller, address, address + length)))

    linker.define_func("env", "log", func_type(w, "i32 i32"), log, access_caller=True)
    text = """
        (module
          (import "env" "log" (func $log (param i32 i32)))
          (memory (export "memory") 1)
          (data (i32.const 8) "hello")
          (func (export "run") (call $log (i32.const 8) (i32.const 5))))"""
    linker.instantiate(store, w.Module(store.engine, text)).exports(store)["run"](store)
    assert seen == [b"hello"]


def test_function_takes_a_type(w: ModuleType, linker: Any) -> None:
    for bad in (1, None, "i32"):
        with pytest.raises(TypeError):
            linker.define_func("a", "b", bad, lambda: None)
    with pytest.raises(AttributeError):
        linker.define_func(1, "b", func_type(w), lambda: None)


def test_function_defined_twice(w: ModuleType, linker: Any) -> None:
    linker.define_func("a", "b", func_type(w), lambda: None)
    with pytest.raises(w.WasmtimeError, match="defined twice"):
        linker.define_func("a", "b", func_type(w), lambda: None)


# ---- unknown imports -----------------------------------------------------------------------------------------------


@pytest.mark.core
def test_unknown_imports_as_traps(w: ModuleType, store: Any, linker: Any) -> None:
    module = w.Module(store.engine, CALLS_Z)
    linker.define_unknown_imports_as_traps(module)
    run = linker.instantiate(store, module).exports(store)["run"]
    with pytest.raises((w.WasmtimeError, w.Trap), match=r"unknown import: `y::z` has not been defined"):
        run(store)
    for bad in ("not a module", None):
        with pytest.raises(TypeError):
            linker.define_unknown_imports_as_traps(bad)


@pytest.mark.core
def test_unknown_imports_as_default_values(w: ModuleType, store: Any, linker: Any) -> None:
    text = """
        (module
          (import "y" "i" (func $i (result i32)))
          (import "y" "r" (func $r (param i64) (result f64 externref)))
          (export "i" (func $i))
          (export "r" (func $r)))"""
    module = w.Module(store.engine, text)
    linker.define_unknown_imports_as_default_values(store, module)
    out = linker.instantiate(store, module).exports(store)
    assert out["i"](store) == 0
    assert out["r"](store, 1) == [0.0, None]
    for bad in ("not a module", None):
        with pytest.raises(TypeError):
            linker.define_unknown_imports_as_default_values(store, bad)


def test_known_imports_stay(w: ModuleType, store: Any, linker: Any) -> None:
    hits: list[int] = []
    linker.define_func("y", "z", func_type(w), lambda: hits.append(1))
    module = w.Module(store.engine, CALLS_Z)
    linker.define_unknown_imports_as_traps(module)
    linker.define_unknown_imports_as_default_values(store, module)
    linker.instantiate(store, module).exports(store)["run"](store)
    assert hits == [1]


# ---- linked ahead --------------------------------------------------------------------------------------------------


@pytest.mark.core
def test_linked_ahead(w: ModuleType) -> None:
    engine = w.Engine()
    linker = w.Linker(engine)
    hits: list[int] = []
    linker.define_func("y", "z", func_type(w), lambda: hits.append(1))
    pre = linker.instantiate_pre(w.Module(engine, CALLS_Z))
    assert isinstance(pre, w.InstancePre)
    for _ in range(2):
        store = w.Store(engine)
        instance = pre.instantiate(store)
        assert isinstance(instance, w.Instance)
        instance.exports(store)["run"](store)
    assert hits == [1, 1]


@pytest.mark.core
def test_what_can_not_be_linked_ahead(w: ModuleType, linker: Any) -> None:
    for bad in ("not a module", None):
        with pytest.raises(TypeError):
            linker.instantiate_pre(bad)


def test_linking_ahead_finds_what_is_missing(w: ModuleType, store: Any, linker: Any) -> None:
    with pytest.raises(w.WasmtimeError, match="unknown import"):
        linker.instantiate_pre(w.Module(store.engine, CALLS_Z))


def test_linked_ahead_with_wasi(w: ModuleType, store: Any, linker: Any) -> None:
    linker.define_wasi()
    text = '(module (import "wasi_snapshot_preview1" "sched_yield" (func $f (result i32)))'
    text += '(memory (export "memory") 1) (func (export "f") (result i32) call $f))'
    pre = linker.instantiate_pre(w.Module(store.engine, text))
    store.set_wasi(w.WasiConfig())
    assert pre.instantiate(store).exports(store)["f"](store) == 0


@pytest.mark.core
def test_wasi_is_defined_once(w: ModuleType, linker: Any) -> None:
    linker.define_wasi()
    with pytest.raises(w.WasmtimeError, match="defined twice"):
        linker.define_wasi()
    linker.allow_shadowing = True
    linker.define_wasi()
