"""Artifact.link: imports resolved once, any number of instances that share what they must and nothing else."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import pytest

import wasmartifact as wa
from tests.unit.runtime.harness import instance, load

CALLS = """(module (import "env" "f" (func $f (param i32) (result i32))) (import "env" "k" (global $k i32))
  (memory (export "m") 1) (global (export "g") (mut i32) (i32.const 0))
  (func (export "go") (param i32) (result i32) (i32.add (call $f (local.get 0)) (global.get $k))))"""
SHARES = """(module (import "env" "t" (table $t 2 funcref)) (elem declare func $f)
  (func $f (result i32) (i32.const 9)) (func (export "put") (table.set $t (i32.const 0) (ref.func $f))))"""


def test_instances_have_everything_but_their_imports_for_themselves() -> None:
    linked = load(CALLS).link({"env": {"f": lambda value: value * 2, "k": 1}})
    first, second = linked.instantiate(), linked.instantiate()
    assert (first.exports.go(4), second.exports.go(5)) == (9, 11)
    first.exports.m[0:1], first.exports.g.value = b"x", 5
    assert (second.exports.m[0], second.exports.g.value) == (0, 0)
    assert first.store is not second.store
    assert linked.artifact is first.artifact


def test_instances_of_one_link_run_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=30)
    linked = load(CALLS).link({"env": {"f": lambda value: meeting.wait() * 0 + value, "k": 0}})
    results: list[int] = []
    made = [linked.instantiate(), linked.instantiate()]
    threads = [threading.Thread(target=lambda got=one.exports: results.append(got.go(3))) for one in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == [3, 3]


def test_a_table_among_the_imports_makes_one_store() -> None:
    table = wa.Table("funcref", 2)
    linked = load(SHARES).link({"env": {"t": table}})
    first, second = linked.instantiate(), linked.instantiate()
    second.exports.put()
    assert table[0]() == 9
    ours = wa.Store()
    third = linked.instantiate(store=ours)
    third.exports.put()
    with pytest.raises(wa.UnlinkableModule):
        linked.instantiate(store=wa.Store())  # two stores that were made by hand
    del first


def test_later_changes_of_the_mappings_don_t_count() -> None:
    names: dict[str, Any] = {"f": lambda value: value, "k": 0}
    imports = {"env": names}
    artifact = load(CALLS)
    linked = artifact.link(imports)
    names["f"] = lambda value: -value
    assert linked.instantiate().exports.go(3) == 3
    assert artifact.instantiate(imports).exports.go(3) == -3
    del imports["env"]
    assert linked.instantiate().exports.go(3) == 3


def test_what_is_missing_or_of_another_kind_is_refused_when_linking() -> None:
    artifact = load(CALLS)
    with pytest.raises(wa.UnlinkableModule, match=r"unknown import: env\.f"):
        artifact.link()
    with pytest.raises(wa.UnlinkableModule, match=r"unknown import: env\.k"):
        artifact.link({"env": {"f": print}})
    with pytest.raises(wa.UnlinkableModule, match=r"env\.f is a func"):
        artifact.link({"env": {"f": 1, "k": 1}})
    with pytest.raises(ZeroDivisionError):
        artifact.link({"env": Failing()})  # type: ignore[dict-item]


class Failing:
    """A namespace whose look-ups fail."""

    def __getitem__(self, name: str) -> object:
        raise ZeroDivisionError(name)


def test_a_type_that_differs_is_refused_each_time() -> None:
    linked = load(CALLS).link({"env": {"f": wa.Func(print, ["i64"], []), "k": 1}})
    for _ in range(2):
        with pytest.raises(wa.UnlinkableModule, match=r"env\.f"):
            linked.instantiate()


def test_an_instance_can_stand_for_a_module() -> None:
    exporter = instance('(module (global (export "k") i32 (i32.const 3)) (func (export "f") (param i32) (result i32) '
                        "(i32.mul (local.get 0) (local.get 0))))")  # fmt: skip
    linked = load(CALLS).link({"env": exporter})
    assert [linked.instantiate().exports.go(value) for value in (2, 3)] == [7, 12]


def test_a_link_is_collected_with_a_callable_that_holds_it() -> None:
    class Host:
        linked: wa.Linked | None = None
        made: wa.Instance | None = None

        def call(self, value: int) -> int:
            return value

    host = Host()
    host.linked = load(CALLS).link({"env": {"f": host.call, "k": 0}})
    host.made = host.linked.instantiate()
    assert host.made.exports.go(1) == 1
    gone = weakref.ref(host), weakref.ref(host.linked), weakref.ref(host.made)
    del host
    gc.collect()
    assert [reference() for reference in gone] == [None] * 3


def test_an_instance_outlives_its_link() -> None:
    linked = load(CALLS).link({"env": {"f": lambda value: value + 1, "k": 0}})
    made = linked.instantiate()
    del linked
    gc.collect()
    assert made.exports.go(1) == 2


def test_a_constant_number_joins_no_stores() -> None:
    constant = wa.Global("i32", 5)
    artifact = load(CALLS)
    imports = {"env": {"f": lambda value: value, "k": constant}}
    first, second = artifact.instantiate(imports, store=wa.Store()), artifact.instantiate(imports, store=wa.Store())
    assert (first.exports.go(1), second.exports.go(2), constant.value) == (6, 7, 5)


def test_only_an_artifact_makes_one() -> None:
    with pytest.raises(TypeError, match=r"artifact\.link"):
        wa.Linked(load(CALLS), 1, (), {})


def test_many_imports() -> None:
    count = 3000
    declared = " ".join(f'(import "m" "f{index}" (func (result i32)))' for index in range(count))
    last = load(f'(module {declared} (func (export "last") (result i32) (call {count - 1})))')
    functions = {f"f{index}": (lambda index=index: index) for index in range(count)}
    assert last.link({"m": functions}).instantiate().exports.last() == count - 1
    same = dict.fromkeys(functions, wa.Func(lambda: 7, [], ["i32"]))
    assert last.instantiate({"m": same}).exports.last() == 7
