"""Types and Val: what they are made of, what they hold, and what they refuse."""

from __future__ import annotations

import math
from types import ModuleType

import pytest

from .harness import exports, func_type

# ---- value types ---------------------------------------------------------------------------------------------------


@pytest.mark.core
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("i32", "i32"),
        ("i64", "i64"),
        ("f32", "f32"),
        ("f64", "f64"),
        ("externref", "anyref"),  # the old name of externref stayed in its text
        ("funcref", "funcref"),
    ],
)
def test_value_type_shows_its_name(w: ModuleType, name: str, text: str) -> None:
    valtype = getattr(w.ValType, name)()
    assert str(valtype) == repr(valtype) == text


def test_value_types_are_equal_by_kind(w: ModuleType) -> None:
    assert w.ValType.i32() == w.ValType.i32()
    assert (w.ValType.i32() != w.ValType.i32()) is False
    assert w.ValType.i32() != w.ValType.i64()
    assert w.ValType.i32() != "i32"


def test_value_type_cannot_be_made_directly(w: ModuleType) -> None:
    with pytest.raises(w.WasmtimeError, match="cannot construct directly"):
        w.ValType()


# ---- types of what is imported and exported ------------------------------------------------------------------------


@pytest.mark.core
def test_function_type_holds_lists(w: ModuleType) -> None:
    ty = w.FuncType([], [])
    assert ty.params == []
    assert ty.results == []
    ty = w.FuncType([w.ValType.i32(), w.ValType.f64()], [w.ValType.i64()])
    assert ty.params == [w.ValType.i32(), w.ValType.f64()]
    assert ty.results == [w.ValType.i64()]


def test_function_type_takes_any_sized_sequence(w: ModuleType) -> None:
    assert w.FuncType((w.ValType.i32(),), ()).params == [w.ValType.i32()]


def test_function_type_takes_value_types_only(w: ModuleType) -> None:
    for params, results in ([1], []), ([], ["i32"]), (["i32"], []), (3, []), ([], None):
        with pytest.raises(TypeError):
            w.FuncType(params, results)


def test_global_type(w: ModuleType) -> None:
    ty = w.GlobalType(w.ValType.i64(), True)
    assert ty.content == w.ValType.i64()
    assert ty.mutable is True
    assert w.GlobalType(w.ValType.f32(), False).mutable is False
    with pytest.raises(TypeError):
        w.GlobalType("i32", True)


def test_table_type(w: ModuleType) -> None:
    ty = w.TableType(w.ValType.funcref(), w.Limits(1, 2))
    assert ty.element == w.ValType.funcref()
    assert ty.limits == w.Limits(1, 2)
    assert w.TableType(w.ValType.externref(), w.Limits(0, None)).limits.max is None
    for valtype, limits in (w.ValType.funcref(), 1), (1, w.Limits(1, None)), (w.ValType.funcref(), None):
        with pytest.raises(TypeError):
            w.TableType(valtype, limits)


def test_limits_are_equal_by_what_they_say(w: ModuleType) -> None:
    limits = w.Limits(1, 2)
    assert (limits.min, limits.max) == (1, 2)
    assert limits == w.Limits(1, 2)
    assert limits != w.Limits(1, None)
    assert limits != (1, 2)
    limits.max = None
    assert limits == w.Limits(1, None)


def test_memory_type(w: ModuleType) -> None:
    ty = w.MemoryType(w.Limits(1, 2))
    assert ty.limits == w.Limits(1, 2)
    assert (ty.is_64, ty.is_shared, ty.page_size, ty.page_size_log2) == (False, False, 65536, 16)
    with pytest.raises(TypeError):
        w.MemoryType(1)


@pytest.mark.core
def test_memory_type_of_64_bits(w: ModuleType) -> None:
    ty = w.MemoryType(w.Limits(1 << 32, 1 << 32), is_64=True)
    assert ty.is_64
    assert ty.limits == w.Limits(1 << 32, 1 << 32)
    assert w.MemoryType(w.Limits(1 << 32, None), is_64=True).limits.max is None


@pytest.mark.core
@pytest.mark.parametrize(("least", "most"), [(1 << 32, None), (1, 1 << 32), (65537, None), (2, 1)])
def test_memory_type_bounds_its_sizes(w: ModuleType, least: int, most: int | None) -> None:
    with pytest.raises(w.WasmtimeError):
        w.MemoryType(w.Limits(least, most))


@pytest.mark.core
def test_memory_type_with_bytes_as_pages(w: ModuleType) -> None:
    ty = w.MemoryType(w.Limits(1, None), page_size_log2=0)
    assert (ty.page_size, ty.page_size_log2) == (1, 0)
    with pytest.raises(w.WasmtimeError):
        w.MemoryType(w.Limits(1, None), page_size_log2=12)


@pytest.mark.core
def test_tag_type_takes_its_function_type_over(w: ModuleType) -> None:
    functype = func_type(w, "i32 f64")
    ty = w.TagType(functype)
    assert ty.functype.params == [w.ValType.i32(), w.ValType.f64()]
    assert ty.functype.results == []
    with pytest.raises(TypeError):
        w.TagType("i32")


def test_types_can_be_closed(w: ModuleType) -> None:
    ty = func_type(w, "i32")
    ty.close()
    ty.close()
    with pytest.raises(ValueError, match="already closed"):
        _ = ty.params
    with w.MemoryType(w.Limits(1, None)) as memory_type:
        assert memory_type.page_size == 65536
    with pytest.raises(ValueError, match="already closed"):
        _ = memory_type.limits


# ---- values --------------------------------------------------------------------------------------------------------

#: Constructor, what it takes, what becomes of it.
VALUES = [
    ("i32", 1, 1),
    ("i32", -1, -1),
    ("i32", 0xFFFFFFFF, -1),
    ("i32", 0x8_0000_0000, 0),
    ("i32", True, 1),
    ("i64", 1, 1),
    ("i64", 0xFFFFFFFF, 0xFFFFFFFF),
    ("i64", 0x8_0000_0000, 0x8_0000_0000),
    ("i64", 0xFFFF_FFFF_FFFF_FFFF, -1),
    ("i64", 0x8_0000_0000_0000_0000, 0),
    ("f32", 1.0, 1.0),
    ("f32", 0.1, 0.10000000149011612),
    ("f64", 0.1, 0.1),
    ("f64", math.inf, math.inf),
]


@pytest.mark.core
@pytest.mark.parametrize(("name", "given", "held"), VALUES)
def test_number_wraps_to_its_type(w: ModuleType, name: str, given: float, held: float) -> None:
    value = getattr(w.Val, name)(given)
    assert value.value == held
    assert value.type == getattr(w.ValType, name)()
    for other in ("i32", "i64", "f32", "f64"):
        assert getattr(value, f"as_{other}")() == (held if other == name else None)
    assert value.as_externref() is None
    assert value.as_funcref() is None


@pytest.mark.core
@pytest.mark.parametrize(("name", "other"), [("i32", 1.2), ("i64", 1.2), ("f32", 1), ("f64", 1)])
def test_number_takes_only_its_kind(w: ModuleType, name: str, other: float) -> None:
    for bad in (other, "", None, b"1", [1]):
        with pytest.raises(TypeError):
            getattr(w.Val, name)(bad)


@pytest.mark.core
@pytest.mark.parametrize("thing", [42, True, None, "text", {"x": 1}, [1, 2]])
def test_externref_holds_any_object(w: ModuleType, thing: object) -> None:
    value = w.Val.externref(thing)
    assert value.value is thing
    assert value.as_externref() is thing
    assert value.type == w.ValType.externref()


def test_funcref_holds_a_function(w: ModuleType) -> None:
    store = w.Store()
    func = w.Func(store, func_type(w), lambda: None)
    value = w.Val.funcref(func)
    assert value.value is func
    assert value.as_funcref() is func
    assert value.type == w.ValType.funcref()


def test_null_references(w: ModuleType) -> None:
    assert w.Val.ref_null(w.ValType.externref()).type == w.ValType.externref()
    assert w.Val.ref_null(w.ValType.funcref()).value is None
    with pytest.raises(w.WasmtimeError, match="ref_null"):
        w.Val.ref_null(w.ValType.i32())


def test_value_equals_what_it_holds(w: ModuleType) -> None:
    assert w.Val.i32(3) == 3
    assert w.Val.i32(3) == w.Val.i32(3)
    assert w.Val.i32(3) != w.Val.i64(3)
    assert w.Val.f64(0.5) == 0.5
    assert w.Val.externref(None) == None  # noqa: E711  what programs compare


def test_results_are_plain_values(w: ModuleType) -> None:
    store = w.Store()
    found = exports(
        w,
        store,
        """
        (module
          (func (export "i") (result i32) (i32.const -1))
          (func (export "l") (result i64) (i64.const -1))
          (func (export "f") (result f32) (f32.const 0.5))
          (func (export "d") (result f64) (f64.const 0.25))
          (func (export "n") (result externref) (ref.null extern)))""",
    )
    results = [found[name](store) for name in "ilfdn"]
    assert results == [-1, -1, 0.5, 0.25, None]
    assert [type(result) for result in results] == [int, int, float, float, type(None)]
