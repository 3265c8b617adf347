"""Calls within calls, code that runs in the middle of a conversion, stores that become one while they are in use."""

from __future__ import annotations

import gc
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import wasmartifact as wa
from tests.unit.runtime.harness import exports, load

LEVEL_WAT = """(module (import "env" "down" (func $down (param i32) (result i32))) (memory 1)
  (func (export "go") (param i32) (result i32) (i32.add (i32.const 1) (call $down (local.get 0))))
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "unreachable") (param i32) (result i32) (unreachable))
  (func (export "divide") (param i32) (result i32) (i32.div_u (i32.const 1) (i32.const 0)))
  (func $deeper (export "recurse") (param i32) (result i32) (i32.add (i32.const 1) (call $deeper (local.get 0)))))"""
ENDINGS = {
    "load": "memory_out_of_bounds",
    "unreachable": "unreachable",
    "divide": "integer_divide_by_zero",
    "recurse": "stack_exhausted",
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("levels", [1, 2, 5])
def test_a_trap_passes_through_every_level(ending: str, levels: int) -> None:
    """Python, wasm, Python, wasm, ...: each level in a store of its own sees the trap of the innermost one, and can go on."""  # noqa: E501
    instances: list[Any] = []
    seen: list[int] = []

    def level(number: int) -> Callable[[int], int]:
        def down(value: int) -> int:
            if number + 1 == levels:
                return int(instances[number][ending](-1))
            try:
                return int(instances[number + 1].go(value))
            except wa.Trap as trap:
                assert trap.code == ENDINGS[ending]
                seen.append(number)
                raise

        return down

    instances = [exports(LEVEL_WAT, {"env": {"down": level(number)}}) for number in range(levels)]
    for _ in range(3):
        seen.clear()
        with pytest.raises(wa.Trap) as caught:
            instances[0].go(1)
        assert caught.value.code == ENDINGS[ending]
        assert seen == list(range(levels - 1))[::-1]
        assert all(instance.load(0) == 0 for instance in instances)


def test_a_trap_that_python_handles_leaves_the_outer_call_running() -> None:
    def down(value: int) -> int:
        for ending, code in ENDINGS.items():
            with pytest.raises(wa.Trap) as caught:
                got[ending](-1)
            assert caught.value.code == code
        return got.go(value - 1) if value else 40

    got: Any = exports(LEVEL_WAT, {"env": {"down": down}})
    assert got.go(10) == 51


def test_an_outer_trap_after_an_inner_exception() -> None:
    """The landing of the inner call must be gone."""
    wat = """(module (import "env" "f" (func $f)) (memory 1)
      (func (export "go") (result i32) (call $f) (i32.load (i32.const -1))))"""

    def fail() -> None:
        raise KeyError("inner")

    inner = exports(wat, {"env": {"f": fail}})

    def outer_host() -> None:
        with pytest.raises(KeyError, match="inner"):
            inner.go()

    outer = exports(wat, {"env": {"f": outer_host}})
    with pytest.raises(wa.Trap) as caught:
        outer.go()
    assert caught.value.code == "memory_out_of_bounds"


PAIR_WAT = """(module (import "env" "f" (func $f (result i32 i32 i32)))
  (func (export "go") (result i32 i32 i32) (call $f)))"""


class Shrinking:
    """A number that empties the list it stands in when it is converted, and has its memory used again."""

    def __init__(self, values: list[Any]) -> None:
        self.values = values
        self.rubbish: list[bytes] = []

    def __index__(self) -> int:
        self.values.clear()
        self.rubbish = [bytes(24) for _ in range(1000)]
        return 1


def shrinking_list() -> list[Any]:
    """Three results, the first of which removes the others."""
    values: list[Any] = []
    values += [Shrinking(values), 10**6 + 2, 10**6 + 3]
    return values


def test_a_result_list_that_changes_while_it_is_converted() -> None:
    assert exports(PAIR_WAT, {"env": {"f": shrinking_list}}).go() == (1, 10**6 + 2, 10**6 + 3)
    assert wa.Func(shrinking_list, [], ["i32", "i32", "i32"])() == (1, 10**6 + 2, 10**6 + 3)


def test_a_type_list_that_changes_while_it_is_read() -> None:
    names: list[Any] = []

    class Name(str):
        def __eq__(self, other: object) -> bool:
            names.clear()
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    names += [Name("exnref"), "".join(["f", "64"]), "".join(["f", "32"])]
    assert wa.Func(print, names).type.params == ("exnref", "f64", "f32")


EXTERN_WAT = '(module (table (export "t") 4 externref))'
JOIN_WAT = '(module (import "a" "t" (table 1 externref)) (import "b" "t" (table 1 externref)))'


class Thing:
    """Anything that can be watched."""


def test_an_object_that_two_stores_knew_is_released_after_they_were_joined() -> None:
    first, second = exports(EXTERN_WAT), exports(EXTERN_WAT)
    thing = Thing()
    watched = weakref.ref(thing)
    first.t[0] = second.t[0] = thing
    joined = exports(JOIN_WAT, {"a": {"t": first.t}, "b": {"t": second.t}})
    first.t[0] = None
    gc.collect()
    assert second.t[0] is thing
    second.t[1] = thing
    second.t[0] = second.t[1] = None
    del thing
    gc.collect()
    assert watched() is None
    assert len(joined) == 0


def test_externrefs_in_imported_globals_are_held_and_released() -> None:
    thing = Thing()
    watched = weakref.ref(thing)
    cell = wa.Global("externref", thing, mutable=True)
    got = exports(
        '(module (import "env" "g" (global $g (mut externref))) (func (export "read") (result externref) (global.get $g)))',  # noqa: E501
        {"env": {"g": cell}},
    )
    del cell, thing
    gc.collect()
    assert got.read() is watched()
    del got
    gc.collect()
    assert watched() is None


MEMORY_WAT = """(module (memory (export "m") 1)
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))"""
USER_WAT = """(module (import "env" "m" (memory 1))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))"""


def fastest_call_s(func: Any) -> float:
    """Least time of many calls, in seconds."""
    least = 1.0
    for _ in range(3000):
        start = time.perf_counter()
        func(1, 2)
        least = min(least, time.perf_counter() - start)
    return least


def test_calls_stay_fast_however_many_instances_share_the_store() -> None:
    """Joining must not make a chain: a call through one of 2000 links took 200 times as long."""
    first = exports(MEMORY_WAT)
    artifact = load(USER_WAT)
    memory = first.m
    instances = [artifact.instantiate({"env": {"m": memory}}) for _ in range(2000)]
    assert fastest_call_s(first.add) < 10 * fastest_call_s(instances[-1].exports.add)


def test_a_store_that_is_running_joins_another() -> None:
    """The host function gives the guest a function of a store that it never met: both directions of the join."""
    wat = """(module (type $t (func (result i32))) (import "env" "give" (func $give (result funcref)))
      (table $t (export "t") 4 funcref) (memory (export "m") 1)
      (func (export "go") (result i32)
        (table.set $t (i32.const 0) (call $give))
        (i32.add (i32.load (i32.const 0)) (call_indirect $t (type $t) (i32.const 0)))))"""
    for weight in (1, 20):
        other = exports('(module (memory (export "m") 1) (func (export "seven") (result i32) (i32.const 7)))')
        artifact = load('(module (import "env" "m" (memory 1)))')
        for _ in range(weight):  # the heavier store is the one that stays
            artifact.instantiate({"env": {"m": other.m}})
        got = exports(wat, {"env": {"give": lambda other=other: other.seven}})
        got.m[0] = 100
        for _ in range(3):
            assert got.go() == 107
        assert got.t[0] == other.seven
