"""Types of components: what they import and export, and the types of values."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from .components import component_api


@pytest.fixture
def c(w: ModuleType) -> Any:
    """``wasmtime.component``."""
    return component_api(w)


def imports(w: ModuleType, text: str) -> dict[str, Any]:
    engine = w.Engine()
    found: dict[str, Any] = component_api(w).Component(engine, text).type.imports(engine)
    return found


def named(w: ModuleType, definition: str) -> Any:
    """A type as a function has it that is imported."""
    text = f"""(component (type $own {definition}) (import "t" (type $t (eq $own)))
      (import "f" (func (param "x" $t) (result $t))))"""
    return imports(w, text)["f"].ty.result


def test_an_empty_component(w: ModuleType, c: Any) -> None:
    engine = w.Engine()
    found = c.Component(engine, "(component)").type
    assert isinstance(found, c.ComponentType)
    assert found.imports(engine) == {} == found.exports(engine)


def test_scalars(w: ModuleType, c: Any) -> None:
    for name in ("Bool", "U8", "U16", "U32", "U64", "S8", "S16", "S32", "S64", "F32", "F64", "Char", "String"):
        found = named(w, name.lower())
        assert found == getattr(c, name)(), name
        assert repr(found) == f"{name}()"
    assert c.U8() != c.U16()


@pytest.mark.parametrize(
    ("definition", "other", "class_name", "attribute", "value"),
    [
        ("(list u8)", "(list u16)", "ListType", "element", "c.U8()"),
        ("(list (list char))", "(list char)", "ListType", "element.element", "c.Char()"),
        (
            '(record (field "a" u8) (field "b-c" f32))',
            '(record (field "a" u8) (field "b-d" f32))',
            "RecordType",
            "fields",
            '[("a", c.U8()), ("b-c", c.F32())]',
        ),
        ("(tuple u8 string)", "(tuple string u8)", "TupleType", "elements", "[c.U8(), c.String()]"),
        (
            '(variant (case "a") (case "b" f32))',
            '(variant (case "a") (case "b" f64))',
            "VariantType",
            "cases",
            '[("a", None), ("b", c.F32())]',
        ),
        ('(enum "a" "b")', '(enum "a" "c")', "EnumType", "names", '["a", "b"]'),
        ('(flags "a" "b")', '(flags "a" "c")', "FlagsType", "names", '["a", "b"]'),
        ("(option u32)", "(option u64)", "OptionType", "payload", "c.U32()"),
        ("(result u32 (error f32))", "(result f32 (error u32))", "ResultType", "ok", "c.U32()"),
        ("(result (error f32))", "(result f32)", "ResultType", "ok", "None"),
        ("(result (error f32))", "(result)", "ResultType", "err", "c.F32()"),
    ],
)
def test_types_with_parts(
    w: ModuleType, c: Any, definition: str, other: str, class_name: str, attribute: str, value: str
) -> None:
    found = named(w, definition)
    assert isinstance(found, getattr(c, class_name))
    part = found
    for name in attribute.split("."):
        part = getattr(part, name)
    assert part == eval(value, {"c": c})
    assert found == named(w, definition)
    assert found != named(w, other)
    assert found != value


def test_names_by_number(w: ModuleType) -> None:
    found = named(w, '(enum "a" "b")')
    assert (found.names_count, found.name(0), found.name(1), found.name(2)) == (2, "a", "b", None)


def test_functions(w: ModuleType, c: Any) -> None:
    found = imports(
        w, '(component (import "a" (func)) (import "b" (func (param "x" u8) (param "y-z" bool) (result u32))))'
    )
    a, b = found["a"].ty, found["b"].ty
    assert isinstance(a, c.FuncType)
    assert (a.params, a.result) == ([], None)
    assert (b.params, b.result) == ([("x", c.U8()), ("y-z", c.Bool())], c.U32())
    assert found["a"].implements is None
    assert found["a"].external_id is None
    assert not found["a"].is_implements("x")


def test_attributes_of_names(w: ModuleType, c: Any) -> None:
    config = w.Config()
    config.wasm_component_model_implements = True
    engine = w.Engine(config)
    text = """(component
      (import "x" (implements "a:b/c@1.0.0") (external-id "hello") (instance
        (export "f" (external-id "inner") (func))))
      (import "y" (external-id "") (func))
      (core module $m (func (export "f")))
      (core instance $i (instantiate $m))
      (func $f (canon lift (core func $i "f")))
      (instance $z (export "f" (func $f)))
      (export "z" (implements "a:b/c@1.0.0") (instance $z)) (export "g" (external-id "\N{SNOWMAN}") (func $f)))"""
    component = c.Component(engine, text)
    found = component.type
    x, y = (found.imports(engine)[name] for name in "xy")
    assert (x.implements, x.external_id, y.implements, y.external_id) == ("a:b/c@1.0.0", "hello", None, "")
    names = ("a:b/c@1.0.0", "a:b/c@1.0.1", "a:b/c@2.0.0", "a:b/c", "a:b/d@1.0.0", "x")
    assert [name for name in names if x.is_implements(name)] == ["a:b/c@1.0.0", "a:b/c@1.0.1"]
    assert x.ty.exports(engine)["f"].external_id == "inner"
    z, g = (found.exports(engine)[name] for name in "zg")
    assert (z.implements, z.external_id, g.implements, g.external_id) == ("a:b/c@1.0.0", None, None, "\N{SNOWMAN}")


def told(type_: Any, w: ModuleType) -> object:
    """What a type of a core module's import or export says."""
    if isinstance(type_, w.FuncType):
        return [str(part) for part in type_.params], [str(part) for part in type_.results]
    if isinstance(type_, w.GlobalType):
        return str(type_.content), type_.mutable
    if isinstance(type_, w.TableType):
        return str(type_.element), type_.limits.min, type_.limits.max
    return type_.limits.min, type_.limits.max


def test_core_modules(w: ModuleType, c: Any) -> None:
    """Those that it imports and exports again, those that are its own; types from outside of the module's."""
    engine = w.Engine()
    text = """(component
      (core type $outer (func (param i64)))
      (import "a" (core module $a (alias outer 1 $outer (type $f))
        (import "x" "y" (memory 1 2)) (import "x" "f" (func (type $f)))
        (export "f" (func (param i32 f64) (result i32))) (export "t" (table 1 funcref))
        (export "g" (global (mut i64)))))
      (core module $own (import "q" "r" (func)) (memory (export "m") 3) (func (export "h") (result f32) f32.const 1))
      (export "b" (core module $a)) (export "c" (core module $own)))"""
    component = c.Component(engine, text)  # wasmtime-py ends the process where the component is gone
    found = component.type
    exports = found.exports(engine)
    for module in (found.imports(engine)["a"].ty, exports["b"].ty):
        assert [(row.module, row.name, told(row.type, w)) for row in module.imports(engine)] == [
            ("x", "y", (1, 2)), ("x", "f", (["i64"], [])),
        ]  # fmt: skip
        assert [(row.name, told(row.type, w)) for row in module.exports(engine)] == [
            ("f", (["i32", "f64"], ["i32"])), ("t", ("funcref", 1, None)), ("g", ("i64", True)),
        ]  # fmt: skip
    own = exports["c"].ty
    assert [(row.module, row.name, told(row.type, w)) for row in own.imports(engine)] == [("q", "r", ([], []))]
    assert [(row.name, told(row.type, w)) for row in own.exports(engine)] == [("m", (3, None)), ("h", ([], ["f32"]))]


def test_interfaces(w: ModuleType, c: Any) -> None:
    text = """(component (import "a:b/c@1.0.0" (instance (export "f" (func (result u8)))
      (type $t (record (field "x" u8)))
      (export "t" (type (eq $t))))) (import "b" (instance)))"""
    engine = w.Engine()
    found = imports(w, text)
    assert set(found) == {"a:b/c@1.0.0", "b"}
    inner = found["a:b/c@1.0.0"].ty
    assert isinstance(inner, c.ComponentInstanceType)
    exports = inner.exports(engine)
    assert set(exports) == {"f", "t"}
    assert exports["f"].ty.result == c.U8()
    assert exports["t"].ty.fields == [("x", c.U8())]
    assert found["b"].ty.exports(engine) == {}


def test_resources(w: ModuleType, c: Any) -> None:
    text = """(component (import "a" (type $t (sub resource))) (export "a" (type $t))
      (type $u (resource (rep i32))) (export "b" (type $u))
      (import "f" (func (param "x" (borrow $t)) (result (own $t)))))"""
    engine = w.Engine()
    found = c.Component(engine, text).type
    imported, again, own = (
        side[name].ty
        for side, name in ((found.imports(engine), "a"), (found.exports(engine), "a"), (found.exports(engine), "b"))
    )
    assert isinstance(imported, c.ResourceType)
    assert imported == again != own
    function = found.imports(engine)["f"].ty
    assert isinstance(function.params[0][1], c.BorrowType)
    assert isinstance(function.result, c.OwnType)
    assert function.params[0][1].ty == function.result.ty == imported
    assert c.OwnType(imported) == c.OwnType(again) != c.OwnType(own)


MODULES = """(component
  (import "a" (core module $a (import "b" "c" (func)) (export "d" (global i32))))
  (import "in" (instance (export "f" (func)) (export "m" (core module))))
  (core module $own)
  (export "g" (core module $a))
  (core module (export "own"))
  (instance (export "out") (export "m" (core module $own))))"""


def test_core_modules_are_named(w: ModuleType, c: Any) -> None:
    engine = w.Engine()
    component = c.Component(engine, MODULES)
    wanted, given = component.type.imports(engine), component.type.exports(engine)
    assert set(wanted) == {"a", "in"} and set(given) == {"g", "own", "out"}
    inner = wanted["in"].ty.exports(engine)
    assert set(inner) == {"f", "m"}
    for found in (wanted["a"], inner["m"], given["g"], given["own"], given["out"].ty.exports(engine)["m"]):
        assert isinstance(found.ty, c.ModuleType)
    with pytest.raises(w.WasmtimeError):
        c.ModuleType()


def test_core_modules_are_looked_up(w: ModuleType, c: Any) -> None:
    engine = w.Engine()
    component, other = c.Component(engine, MODULES), c.Component(engine, MODULES)
    index = component.get_export_index("own")
    assert isinstance(index, c.ExportIndex)
    assert component.get_export_index("own", instance=index) is None
    out = component.get_export_index("out")
    assert component.get_export_index("m", instance=out) is not None
    assert other.get_export_index("m", instance=out) is None
    assert component.get_export_index("a") is None


def test_core_modules_that_are_imported_have_to_be_there(w: ModuleType, c: Any) -> None:
    engine = w.Engine()
    store, linker = w.Store(engine), c.Linker(engine)
    component = c.Component(engine, MODULES)
    module = w.Module(engine, '(module (import "b" "c" (func)) (global (export "d") i32 (i32.const 0)))')
    with pytest.raises(w.WasmtimeError, match="imports core module `a`, but a matching implementation was not found"):
        linker.instantiate(store, component)
    with linker.root() as root:
        root.add_module("a", module)
        with root.add_instance("in") as inner:
            inner.add_func("f", lambda _store: None)
    with pytest.raises(w.WasmtimeError, match="imports instance `in`, but a matching implementation was not found"):
        linker.instantiate(store, component)
    linker.allow_shadowing = True
    with linker.root() as root, root.add_instance("in") as inner:
        inner.add_func("m", lambda _store: None)
    with pytest.raises(w.WasmtimeError, match="expected module found func"):
        linker.instantiate(store, component)
    with linker.root() as root, root.add_instance("in") as inner:
        inner.add_module("m", w.Module(engine, "(module)"))
    instance = linker.instantiate(store, component)
    index = instance.get_export_index(store, "own")
    assert isinstance(index, c.ExportIndex)
    assert instance.get_func(store, index) is None
