"""A bottom type has null for its only value (spec section 2.3.3): nothing but None comes in by any way."""

from __future__ import annotations

from typing import Any

import pytest

import wasmartifact as wa
from tests.unit.runtime.harness import exports

#: Of the three hierarchies that modules without garbage collection have, with values that the type above would take.
BOTTOM = {
    "nullexternref": ["text", 5, wa.Memory(1)],
    "nullfuncref": [wa.Func(print), "text"],
    "nullexnref": [wa.WasmException(wa.Tag()), "text"],
}
CASES = [(name, value) for name, values in BOTTOM.items() for value in values]


def refused(name: str) -> Any:
    return pytest.raises(TypeError, match=rf"must be None \({name}\), found ")


@pytest.mark.parametrize(("name", "value"), CASES)
def test_a_parameter(name: str, value: object) -> None:
    f = exports(
        f'(module (func (export "f") (param {name}) (result i32 {name}) (ref.is_null local.get 0) local.get 0))'
    ).f
    assert f(None) == (1, None)
    with refused(name):
        f(value)


@pytest.mark.parametrize(("name", "value"), CASES)
def test_a_result_of_a_host_function(name: str, value: object) -> None:
    wat = f'(module (import "m" "f" (func $f (result {name}))) (func (export "f") (result {name}) call $f))'
    assert exports(wat, {"m": {"f": lambda: None}}).f() is None
    with refused(name):
        exports(wat, {"m": {"f": lambda: value}}).f()


@pytest.mark.parametrize(("name", "value"), CASES)
def test_a_host_function_called_by_python(name: str, value: object) -> None:
    echo = wa.Func(lambda given: given, [name], [name])
    assert echo(None) is None
    with refused(name):
        echo(value)
    with refused(name):
        wa.Func(lambda: value, [], [name])()


@pytest.mark.parametrize(("name", "value"), CASES)
def test_a_global(name: str, value: object) -> None:
    assert wa.Global(name, None).value is None
    with refused(name):
        wa.Global(name, value)
    short = {"nullexternref": "noextern", "nullfuncref": "nofunc", "nullexnref": "noexn"}[name]
    own = exports(f'(module (global (export "g") (mut {name}) (ref.null {short})))').g
    with refused(name):
        own.value = value
    own.value = None
    assert own.value is None
    wat = f'(module (import "m" "g" (global {name})))'
    exports(wat, {"m": {"g": None}})
    with pytest.raises(wa.UnlinkableModule, match=r"^incompatible import type"):
        exports(wat, {"m": {"g": value}})


@pytest.mark.parametrize(("name", "value"), CASES)
def test_a_table(name: str, value: object) -> None:
    for table in (wa.Table(name, 2), exports(f'(module (table (export "t") 2 3 {name}))').t):
        table[1] = None
        with refused(name):
            table[0] = value
        with refused(name):
            table.grow(1, value)
        assert list(table) == [None, None]
    with refused(name):
        wa.Table(name, 1, init=value)


@pytest.mark.parametrize(("name", "value"), CASES)
def test_a_value_of_an_exception(name: str, value: object) -> None:
    tag = wa.Tag([name])
    wat = f"""(module (import "m" "tag" (tag $tag (param {name}))) (import "m" "f" (func $f))
      (func (export "f") (result i32) (block $caught (result {name})
        (try_table (catch $tag $caught) (call $f)) (return (i32.const 0))) (return (ref.is_null)) (unreachable)))"""

    def throw(thrown: object) -> Any:
        def f() -> None:
            raise wa.WasmException(tag, [thrown])

        return exports(wat, {"m": {"tag": tag, "f": f}}).f

    assert throw(None)() == 1
    with refused(name):
        throw(value)()


@pytest.mark.parametrize("heap", ["noextern", "nofunc", "noexn", "none"])
def test_a_bottom_type_without_null_has_no_values(heap: str) -> None:
    f = wa.Func(lambda given: given, [f"(ref {heap})"])
    for value in (None, "text", wa.Func(print)):
        with pytest.raises(TypeError, match="argument 1"):
            f(value)


def test_the_bottom_of_garbage_collection_takes_none_only() -> None:
    f = wa.Func(lambda given: given, ["nullref"], ["nullref"])
    assert f(None) is None
    with refused("nullref"):
        f(5)
