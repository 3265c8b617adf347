"""Values of components: which shape each type's have in Python, there and back through a guest and the host."""

from __future__ import annotations

import math
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from .components import check_echo, component_api, echo, run_echo


@pytest.mark.parametrize(
    ("type_", "flat", "values"),
    [
        ("bool", "i32", [True, False]),
        ("u8", "i32", [0, 1, 255]),
        ("s8", "i32", [0, -1, 127, -128]),
        ("u16", "i32", [0, 65535]),
        ("s16", "i32", [-32768, 32767]),
        ("u32", "i32", [0, 2**32 - 1]),
        ("s32", "i32", [-(2**31), 2**31 - 1]),
        ("u64", "i64", [0, 2**64 - 1]),
        ("s64", "i64", [-(2**63), 2**63 - 1]),
        ("f32", "f32", [0.0, -1.5, math.inf]),
        ("f64", "f64", [0.0, 0.1, -math.inf]),
        ("char", "i32", ["a", "é", "\U0010ffff"]),
        ('(enum "a" "b-c")', "i32", ["a", "b-c"]),
        ('(flags "a" "b-c" "d")', "i32", [set(), {"a"}, {"b-c", "d"}]),
    ],
)
def test_scalars(w: ModuleType, type_: str, flat: str, values: list[Any]) -> None:
    check_echo(w, echo(type_, flat, in_memory=False), values, TypeError)


@pytest.mark.parametrize(
    ("type_", "values"),
    [
        ("string", ["", "plain", "Zoë ☃ \U0001f370"]),
        ("(list u8)", [b"", b"\0\xff"]),
        ("(list s8)", [[], [-1, 2]]),
        ("(list u64)", [[2**64 - 1]]),
        ("(list f32)", [[0.5, -0.0]]),
        ("(list bool)", [[True, False]]),
        ("(list char)", [["é"]]),
        ("(list string)", [["a", ""]]),
        ("(list (tuple u8 string))", [[(1, "a"), (2, "")]]),
        ("(list (option (list u8)))", [[None, b"x"]]),
    ],
)
def test_lists(w: ModuleType, type_: str, values: list[Any]) -> None:
    check_echo(w, echo(type_, "i32 i32", in_memory=True), values, TypeError)


def test_tuples(w: ModuleType) -> None:
    text = echo("(tuple u32 bool)", "i32 i32", in_memory=True)
    check_echo(w, text, [(0, False), (65535, True)], TypeError)
    for bad in ((0,), (0, "x"), (0, True, 1)):
        with pytest.raises(TypeError):
            run_echo(w, text, [bad])


def test_records(w: ModuleType) -> None:
    """Fields are attributes by their names in WIT, dashes and all."""
    c = component_api(w)
    text = echo('(record (field "a" u32) (field "is-odd" bool) (field "class" u8))', "i32 i32 i32", in_memory=True)
    given = c.Record()
    for name, value in (("a", 7), ("is-odd", True), ("class", 3)):
        setattr(given, name, value)
    seen: list[Any] = []
    (back,) = run_echo(w, text, [given], seen)
    assert isinstance(back, c.Record) and isinstance(seen[0], c.Record)
    assert vars(back) == {"a": 7, "is-odd": True, "class": 3} == vars(seen[0])
    assert back == given == SimpleNamespace(**vars(given))
    assert back != SimpleNamespace(a=7)
    assert run_echo(w, text, [SimpleNamespace(**vars(given))]) == [given]
    for bad in (SimpleNamespace(a=7), object(), {"a": 1, "is-odd": True, "class": 1}):
        with pytest.raises(AttributeError):
            run_echo(w, text, [bad])


def test_variants_by_their_values(w: ModuleType) -> None:
    """Where no two cases have a class of Python in common, a value stands for itself."""
    text = echo('(variant (case "a") (case "b" u32) (case "c" f32) (case "d" char))', "i32 i32", in_memory=True)
    check_echo(w, text, [None, 7, 0.5, "x"], ValueError)


def test_variants_by_tag(w: ModuleType) -> None:
    variant = component_api(w).Variant
    text = echo('(variant (case "a" u32) (case "b-c" u64) (case "d"))', "i32 i64", in_memory=True)
    check_echo(w, text, [variant("a", 1), variant("b-c", 2**40), variant("d")], TypeError)
    with pytest.raises(ValueError, match="not valid for this variant"):
        run_echo(w, text, [variant("x", 1)])
    assert variant("a", 1) != variant("a", 2)
    assert repr(variant("a", 1)) == "Variant(tag='a', payload=1)"


def test_two_cases_without_a_value_have_tags(w: ModuleType) -> None:
    variant = component_api(w).Variant
    check_echo(
        w, echo('(variant (case "a") (case "b"))', "i32", in_memory=False), [variant("a"), variant("b")], TypeError
    )
    check_echo(w, echo("(result)", "i32", in_memory=False), [variant("ok"), variant("err")], TypeError)


def test_a_payload_of_a_case_without_one_is_left_out(w: ModuleType) -> None:
    variant = component_api(w).Variant
    text = echo('(variant (case "a") (case "b"))', "i32", in_memory=False)
    assert run_echo(w, text, [variant("a", 3)]) == [variant("a")]


def test_options(w: ModuleType) -> None:
    variant = component_api(w).Variant
    check_echo(w, echo("(option u32)", "i32 i32", in_memory=True), [None, 0, 3], ValueError)
    nested = [variant("none"), variant("some"), variant("some", 3)]
    check_echo(w, echo("(option (option u8))", "i32 i32 i32", in_memory=True), nested, TypeError)


def test_results(w: ModuleType) -> None:
    """A bad outcome raises nothing: it is a value as a good one is."""
    variant = component_api(w).Variant
    check_echo(w, echo("(result u32 (error f32))", "i32 i32", in_memory=True), [3, 0.5], ValueError)
    check_echo(w, echo("(result u32)", "i32 i32", in_memory=True), [3, None], ValueError)
    check_echo(w, echo("(result (error string))", "i32 i32 i32", in_memory=True), [None, "no"], ValueError)
    tagged = [variant("ok", 1), variant("err", 2)]
    check_echo(w, echo("(result u32 (error u8))", "i32 i32", in_memory=True), tagged, TypeError)


def test_results_within_values(w: ModuleType) -> None:
    text = echo("(tuple u8 (result u32 (error f32)))", "i32 i32 i32", in_memory=True)
    check_echo(w, text, [(1, 2), (1, 0.5)], TypeError)


def test_unknown_names(w: ModuleType) -> None:
    for type_, bad in (('(enum "a" "b")', "c"), ('(flags "a" "b")', {"c"})):
        with pytest.raises(w.WasmtimeError, match="`c`"):
            run_echo(w, echo(type_, "i32", in_memory=False), [bad])


def test_what_a_host_function_gives_must_fit(w: ModuleType) -> None:
    c = component_api(w)
    store = w.Store()
    linker = c.Linker(store.engine)
    with linker.root() as root:
        root.add_func("x", lambda _store, _value: "no number")
    component = c.Component(store.engine, echo("u32", "i32", in_memory=False))
    func = linker.instantiate(store, component).get_func(store, "x")
    with pytest.raises(TypeError):
        func(store, 1)


def test_many_numbers_are_a_list(face: ModuleType) -> None:
    """Buffers are taken, too, which wasmtime-py refuses."""
    import array

    text = echo("(list f64)", "i32 i32", in_memory=True)
    assert run_echo(face, text, [array.array("d", [1.5, 2]), (3, 4)]) == [[1.5, 2.0], [3.0, 4.0]]
    assert run_echo(face, echo("(list u8)", "i32 i32", in_memory=True), [bytearray(b"ab"), [1, 2]]) == [b"ab", b"\1\2"]


def test_a_bool_is_a_bools_case(face: ModuleType) -> None:
    """wasmtime-py makes a number of it, as its class is one of int."""
    text = echo('(variant (case "a" s32) (case "b" bool))', "i32 i32", in_memory=True)
    assert [type(value) for value in run_echo(face, text, [True, 1])] == [bool, int]


def test_an_option_does_not_hide_later_cases(face: ModuleType) -> None:
    """wasmtime-py takes any value for one of the first case, as that may be without a value."""
    text = echo('(variant (case "a" (option u32)) (case "b" string))', "i32 i32 i32", in_memory=True)
    assert run_echo(face, text, ["x", None, 3]) == ["x", None, 3]


def test_wrong_values_end_nothing(face: ModuleType) -> None:
    """In wasmtime-py they end all components of the store."""
    c = component_api(face)
    store = face.Store()
    linker = c.Linker(store.engine)
    with linker.root() as root:
        root.add_func("x", lambda _store, value: value)
    text = echo('(record (field "a" u8) (field "b" u8))', "i32 i32", in_memory=True)
    func = linker.instantiate(store, c.Component(store.engine, text)).get_func(store, "x")
    for bad in (SimpleNamespace(a=1, b=256), SimpleNamespace(a=1, b="x"), SimpleNamespace(a=1)):
        with pytest.raises((OverflowError, TypeError, AttributeError)):
            func(store, bad)
    assert vars(func(store, SimpleNamespace(a=1, b=2))) == {"a": 1, "b": 2}
