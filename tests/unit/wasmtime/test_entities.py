"""Tables, globals and tags: made by the host, shared with guests."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from .harness import engine_with, exports, func_type, instantiate, store_with

# ---- globals -------------------------------------------------------------------------------------------------------


@pytest.mark.core
def test_global_holds_a_value(w: ModuleType, store: Any) -> None:
    ty = w.GlobalType(w.ValType.i32(), True)
    one, other = (w.Global(store, ty, w.Val.i32(1)) for _ in range(2))
    one.set_value(store, w.Val.i32(2))
    assert (one.value(store), other.value(store)) == (2, 1)
    one.set_value(store, 3)
    assert one.value(store) == 3


def test_global_that_is_too_large_wraps(w: ModuleType, store: Any) -> None:
    made = w.Global(store, w.GlobalType(w.ValType.i32(), True), (1 << 40) + 5)
    assert made.value(store) == 5
    made.set_value(store, 2**64 - 1)
    assert made.value(store) == -1


@pytest.mark.core
def test_global_tells_its_type(w: ModuleType, store: Any) -> None:
    ty = w.Global(store, w.GlobalType(w.ValType.f64(), True), 0.5).type(store)
    assert isinstance(ty, w.GlobalType)
    assert ty.content == w.ValType.f64()
    assert ty.mutable


@pytest.mark.core
@pytest.mark.parametrize(("name", "zero"), [("i32", 0), ("i64", 0), ("f32", 0.0), ("f64", 0.0)])
def test_zero_is_a_plain_zero(w: ModuleType, store: Any, name: str, zero: float) -> None:
    value = w.Global(store, w.GlobalType(getattr(w.ValType, name)(), True), zero).value(store)
    assert value == zero
    assert type(value) is type(zero)


@pytest.mark.core
def test_global_takes_its_kinds_only(w: ModuleType, store: Any) -> None:
    ty = w.GlobalType(w.ValType.i32(), True)
    with pytest.raises(AttributeError):
        w.Global(1, ty, w.Val.i32(1))
    for bad in (1, None, w.ValType.i32()):
        with pytest.raises(TypeError):
            w.Global(store, bad, w.Val.i32(1))
    for bad in (store, "1", 1.5, None, w.Val.i64(1)):
        with pytest.raises(TypeError):
            w.Global(store, ty, bad)
    found = w.Global(store, ty, 1)
    for bad in (found, "1", 1.5, None, w.Val.i64(1)):
        with pytest.raises(TypeError):
            found.set_value(store, bad)
    assert found.value(store) == 1


@pytest.mark.core
def test_constant_global_stays(w: ModuleType, store: Any) -> None:
    found = w.Global(store, w.GlobalType(w.ValType.i32(), False), w.Val.i32(1))
    with pytest.raises(w.WasmtimeError):
        found.set_value(store, 2)
    assert found.value(store) == 1


@pytest.mark.core
def test_global_is_shared_by_instances(w: ModuleType, store: Any) -> None:
    text = """
        (module
          (import "" "" (global $g (mut i32)))
          (func (export "get") (result i32) (global.get $g))
          (func (export "set") (param i32) (global.set $g (local.get 0))))"""
    shared = w.Global(store, w.GlobalType(w.ValType.i32(), True), 2)
    one, other = (exports(w, store, text, [shared]) for _ in range(2))
    assert one["get"](store) == 2
    shared.set_value(store, 4)
    assert (one["get"](store), other["get"](store)) == (4, 4)
    one["set"](store, 5)
    assert (shared.value(store), other["get"](store)) == (5, 5)


def test_global_of_another_type_is_no_import(w: ModuleType, store: Any) -> None:
    found = w.Global(store, w.GlobalType(w.ValType.i64(), True), 2)
    with pytest.raises(w.WasmtimeError, match="type"):
        instantiate(w, store, '(module (import "" "" (global (mut i32))))', [found])


# ---- tables --------------------------------------------------------------------------------------------------------


def funcref_table(w: ModuleType, store: Any, least: int, most: int | None = None, init: Any = None) -> Any:
    return w.Table(store, w.TableType(w.ValType.funcref(), w.Limits(least, most)), init)


@pytest.mark.core
def test_table_of_an_instance(w: ModuleType, store: Any) -> None:
    table = exports(w, store, '(module (table (export "") 1 funcref))')[""]
    assert isinstance(table, w.Table)
    assert isinstance(table.type(store), w.TableType)
    assert table.type(store).limits == w.Limits(1, None)
    assert table.type(store).element == w.ValType.funcref()
    assert table.size(store) == 1


@pytest.mark.core
def test_table_begins_with_what_it_is_given(w: ModuleType, store: Any) -> None:
    func = w.Func(store, func_type(w, "", "i32"), lambda: 42)
    table = funcref_table(w, store, 2, 3, func)
    assert table.get(store, 0)(store) == 42
    assert table.get(store, 1)(store) == 42


@pytest.mark.core
def test_table_grows_to_its_maximum(w: ModuleType, store: Any) -> None:
    table = funcref_table(w, store, 1, 2)
    assert table.grow(store, 1, None) == 1
    assert table.size(store) == 2
    with pytest.raises(w.WasmtimeError, match="grow"):
        table.grow(store, 1, None)
    assert table.size(store) == 2


@pytest.mark.core
def test_table_grows_by_its_kinds_only(w: ModuleType, store: Any) -> None:
    table = funcref_table(w, store, 1)
    with pytest.raises(TypeError):
        table.grow(store, "x", None)
    with pytest.raises(TypeError):
        table.grow(store, 2, "x")
    assert table.size(store) == 1


@pytest.mark.core
def test_null_and_out_of_bounds_are_none(w: ModuleType, store: Any) -> None:
    table = funcref_table(w, store, 1, 2)
    assert table.get(store, 0) == None  # noqa: E711  a null is a Val that equals None
    assert table.get(store, 1) is None


@pytest.mark.core
def test_function_in_a_table_can_be_called(w: ModuleType, store: Any) -> None:
    hits: list[int] = []
    table = funcref_table(w, store, 1, 2)
    table.grow(store, 1, w.Func(store, func_type(w), lambda: hits.append(1)))
    found = table.get(store, 1)
    assert hits == []
    assert isinstance(found, w.Func)
    found(store)
    assert hits == [1]


@pytest.mark.core
def test_setting_an_element(w: ModuleType, store: Any) -> None:
    table = funcref_table(w, store, 1, 2)
    func = w.Func(store, func_type(w, "", "i32"), lambda: 7)
    table.set(store, 0, func)
    assert table.get(store, 0)(store) == 7
    with pytest.raises(w.WasmtimeError):
        table.set(store, 1, func)
    table.set(store, 0, None)
    assert table.get(store, 0) == None  # noqa: E711


def test_setting_what_is_no_element(w: ModuleType, store: Any) -> None:
    table = funcref_table(w, store, 1)
    for bad in ("x", 1, w.Val.i32(1), w.Val.externref("x")):
        with pytest.raises(TypeError):
            table.set(store, 0, bad)


def test_table_takes_reference_types_only(w: ModuleType, store: Any) -> None:
    with pytest.raises((w.WasmtimeError, TypeError)):
        w.Table(store, w.TableType(w.ValType.i32(), w.Limits(1, 2)), None)


def test_table_takes_a_store_and_a_type(w: ModuleType, store: Any) -> None:
    ty = w.TableType(w.ValType.funcref(), w.Limits(1, 2))
    with pytest.raises(AttributeError):
        w.Table(1, ty, None)
    with pytest.raises(AttributeError):
        w.Table(store, 2, None)


@pytest.mark.core
def test_table_as_an_import(w: ModuleType, store: Any) -> None:
    table = exports(w, store, '(module (table (export "") 1 funcref) (elem (i32.const 0) $f) (func $f))')[""]
    text = """
        (module
          (type $t (func))
          (import "" "" (table 1 funcref))
          (func (export "run") (call_indirect (type $t) (i32.const 0))))"""
    run = exports(w, store, text, [table])["run"]
    run(store)
    hits: list[int] = []
    table.set(store, 0, w.Func(store, func_type(w), lambda: hits.append(1)))
    run(store)
    assert hits == [1]


# ---- tags ----------------------------------------------------------------------------------------------------------


@pytest.mark.core
def test_tag_of_the_host(w: ModuleType, store: Any) -> None:
    tag = w.Tag(store, w.TagType(func_type(w, "i32")))
    assert isinstance(tag.type(store), w.TagType)
    assert tag.type(store).functype.params == [w.ValType.i32()]


@pytest.mark.core
def test_tags_are_equal_by_identity(w: ModuleType, store: Any) -> None:
    ty = w.TagType(func_type(w, "i32"))
    one, other = w.Tag(store, ty), w.Tag(store, ty)
    assert one.eq(store, one) is True
    assert one.eq(store, other) is False


@pytest.mark.core
def test_tag_takes_a_type(w: ModuleType, store: Any) -> None:
    for bad in ("not a type", None, func_type(w)):
        with pytest.raises(TypeError):
            w.Tag(store, bad)


@pytest.mark.core
def test_tag_among_the_exports_of_a_module(w: ModuleType) -> None:
    engine = engine_with(w, wasm_exceptions=True)
    ty = w.Module(engine, '(module (tag (export "t") (param i32)))').exports[0].type
    assert isinstance(ty, w.TagType)
    assert ty.functype.params == [w.ValType.i32()]
    assert ty.functype.results == []


@pytest.mark.core
def test_tag_as_an_export(w: ModuleType) -> None:
    store = store_with(w, wasm_exceptions=True)
    tag = exports(w, store, '(module (tag (export "")))')[""]
    assert isinstance(tag, w.Tag)
    assert tag.type(store).functype.params == []
    assert tag.type(store).functype.results == []


@pytest.mark.core
def test_tag_as_an_import(w: ModuleType) -> None:
    store = store_with(w, wasm_exceptions=True)
    text = '(module (import "" "" (tag)))'
    with pytest.raises(w.WasmtimeError):
        instantiate(w, store, text)
    instantiate(w, store, text, [w.Tag(store, w.TagType(func_type(w)))])


def test_exception_caught_by_its_tag(w: ModuleType) -> None:
    store = store_with(w, wasm_exceptions=True)
    tag = w.Tag(store, w.TagType(func_type(w, "i32")))
    thrower = exports(
        w,
        store,
        '(module (import "" "" (tag $t (param i32))) (func (export "f") (throw $t (i32.const 5))))',
        [tag],
    )["f"]
    text = """
        (module
          (import "" "t" (tag $t (param i32)))
          (import "" "f" (func $f))
          (func (export "run") (result i32)
            (block $caught (result i32)
              (try_table (catch $t $caught) (call $f))
              (i32.const 0))))"""
    assert exports(w, store, text, [tag, thrower])["run"](store) == 5


def test_exception_that_nobody_catches(w: ModuleType) -> None:
    store = store_with(w, wasm_exceptions=True)
    throw = exports(w, store, '(module (tag $t) (func (export "f") (throw $t)))')["f"]
    with pytest.raises((w.WasmtimeError, w.Trap)):
        throw(store)
