"""Lifetimes: the last reference releases all; the collector finds cycles through the guest, and unused externrefs."""

from __future__ import annotations

import gc
import os
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest

import wasmartifact as wa
from tests.unit.runtime.harness import exports, instance, load, packed

MODULE_WAT = """(module
    (import "env" "f" (func $f (param i32) (result i32)))
    (memory (export "memory") 1) (data (i32.const 0) "data")
    (table (export "table") 4 funcref) (global (export "any") (mut externref) (ref.null extern))
    (table $refs (export "refs") 4 externref)
    (func (export "go") (param i32) (result i32) (call $f (local.get 0)))
    (func (export "keep") (param i32 externref) (table.set $refs (local.get 0) (local.get 1)))
    (func (export "pass") (param externref) (result externref) (local.get 0)))"""


class Thing:
    """Something that weak references can watch."""


def traces(path: Path) -> tuple[list[str], list[str]]:
    """What this process holds of a file: descriptors and mappings."""
    descriptors = []
    for entry in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{entry}")
        except FileNotFoundError:  # the listing's own descriptor
            continue
        if target == str(path):
            descriptors.append(entry)
    mappings = [line for line in Path("/proc/self/maps").read_text().splitlines() if str(path) in line]
    return descriptors, mappings


@pytest.fixture(autouse=True)
def quiet_collector() -> Any:
    """Collections happen where a test asks for them."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def assert_released(path: Path) -> None:
    assert traces(path) == ([], [])


def test_the_last_reference_releases_at_once() -> None:
    path = packed(MODULE_WAT)
    artifact = wa.load(path)
    assert all(traces(path))
    made = artifact.instantiate({"env": {"f": abs}})
    del artifact
    go = made.exports.go
    del made
    assert go(-3) == 3
    assert all(traces(path))
    del go
    assert_released(path)


def test_metadata_keeps_the_mapping_but_not_the_code() -> None:
    path = packed(MODULE_WAT)
    artifact = wa.load(path)
    metadata = artifact.metadata
    del artifact
    assert [row.name for row in metadata.imports] == ["f"]
    del metadata
    assert_released(path)


def test_a_memory_view_keeps_its_bytes() -> None:
    path = packed(MODULE_WAT)
    view = memoryview(wa.load(path).instantiate({"env": {"f": abs}}).exports.memory)
    gc.collect()
    assert bytes(view[:4]) == b"data"
    del view
    assert_released(path)


def test_a_cycle_through_a_host_function_is_collected() -> None:
    path = packed(MODULE_WAT)

    def build() -> weakref.ref[wa.Instance]:
        reachable: list[Any] = []
        made = wa.load(path).instantiate({"env": {"f": lambda value: len(reachable) + value}})
        reachable.append(made)
        assert made.exports.go(5) == 6
        return weakref.ref(made)

    watch = build()
    assert watch() is not None
    assert all(traces(path))
    gc.collect()
    assert watch() is None
    assert_released(path)


def test_a_cycle_through_a_table_is_collected() -> None:
    path = packed(MODULE_WAT)

    def build() -> weakref.ref[wa.Instance]:
        made = wa.load(path).instantiate({"env": {"f": abs}})
        reachable: list[Any] = [made]
        made.exports.table[0] = wa.Func(lambda: len(reachable), [], ["i32"])
        gc.collect()
        assert made.exports.table[0]() == 1
        return weakref.ref(made)

    watch = build()
    assert watch() is not None
    gc.collect()
    assert watch() is None
    assert_released(path)


def test_a_cycle_through_an_externref_is_collected() -> None:
    path = packed(MODULE_WAT)
    made = wa.load(path).instantiate({"env": {"f": abs}})
    watch = weakref.ref(made)
    made.exports.keep(0, made)
    made.exports.any.value = made.exports
    del made
    gc.collect()
    assert watch() is None
    assert_released(path)


def test_instances_that_use_each_other_are_released_together() -> None:
    other_wat = MODULE_WAT.replace('"data"', '"other"')
    paths = [packed(MODULE_WAT), packed(other_wat)]
    first = wa.load(paths[0]).instantiate({"env": {"f": abs}})
    second = wa.load(paths[1]).instantiate({"env": {"f": first.exports.go}})
    first.exports.table[0] = second.exports.go
    first.exports.keep(0, second)
    second.exports.keep(0, first)
    watches = [weakref.ref(first), weakref.ref(second)]
    del first
    assert second.exports.go(-7) == 7
    assert all(all(traces(path)) for path in paths)
    del second
    gc.collect()
    assert [watch() for watch in watches] == [None, None]
    for path in paths:
        assert_released(path)


def test_a_failed_start_is_released() -> None:
    wat = '(module (import "env" "f" (func $f)) (memory 1) (start $f))'
    path = packed(wat)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            wa.load(path).instantiate({"env": {"f": lambda: 1 // 0}})
    gc.collect()
    assert_released(path)


def test_a_joined_store_is_released_with_the_last_of_either() -> None:
    source = exports('(module (func (export "f") (result i32) (i32.const 5)))')
    path = packed(MODULE_WAT)
    table = wa.Table("funcref", 2)
    made = wa.load(path).instantiate({"env": {"f": abs}})
    table[0] = source.f
    made.exports.table[0] = table[0]  # the stores of table, source and made are one by now
    table[1] = made.exports.go
    del made, source
    gc.collect()
    assert table[1](-2) == 2
    assert all(traces(path))
    del table
    gc.collect()
    assert_released(path)


def test_host_functions_live_as_long_as_the_guest_can_call_them() -> None:
    made = load(MODULE_WAT).instantiate({"env": {"f": lambda value: value + 1}})
    gc.collect()
    assert made.exports.go(1) == 2
    made.exports.table[0] = wa.Func(lambda: 9, [], ["i32"])
    gc.collect()
    assert made.exports.table[0]() == 9


# externref ------------------------------------------------------------------------------------------------------------


def test_externrefs_live_while_the_guest_holds_them() -> None:
    made = instance(MODULE_WAT, {"env": {"f": abs}})
    things = [Thing() for _ in range(4)]
    watches = [weakref.ref(thing) for thing in things]
    for index, thing in enumerate(things):
        made.exports.keep(index, thing)
    made.exports.any.value = things[0]
    del thing, things
    gc.collect()
    assert all(watch() for watch in watches)
    assert made.exports.refs[3] is watches[3]()
    made.exports.keep(3, None)
    made.exports.keep(0, None)  # the global still holds it
    gc.collect()
    assert [watch() is None for watch in watches] == [False, False, False, True]
    made.exports.any.value = None
    gc.collect()
    assert [watch() is None for watch in watches] == [True, False, False, True]


def test_an_externref_that_only_passes_is_dropped_by_the_next_collection() -> None:
    made = instance(MODULE_WAT, {"env": {"f": abs}})
    thing = Thing()
    watch = weakref.ref(thing)
    assert made.exports["pass"](thing) is thing
    del thing
    gc.collect()
    assert watch() is None


def test_one_object_keeps_one_reference() -> None:
    made = instance(MODULE_WAT, {"env": {"f": abs}})
    thing = Thing()
    count = sys.getrefcount(thing)
    for _ in range(1000):
        made.exports["pass"](thing)
    assert sys.getrefcount(thing) - count < 5


def test_passing_many_objects_needs_no_collection() -> None:
    """Without the collector too, what the guest let go of does not pile up."""
    made = instance(MODULE_WAT, {"env": {"f": abs}})
    watches = []
    for _ in range(5000):
        thing = Thing()
        watches.append(weakref.ref(thing))
        made.exports["pass"](thing)
    assert sum(watch() is not None for watch in watches) < 1000


def test_a_collection_inside_a_call_spares_what_the_call_holds() -> None:
    wat = """(module (import "env" "collect" (func $collect))
        (func (export "pass") (param externref) (result externref) (call $collect) (local.get 0)))"""
    watches: list[weakref.ref[Thing]] = []

    def collect() -> None:
        gc.collect()
        assert watches[-1]() is not None

    def thing() -> Thing:
        made = Thing()
        watches.append(weakref.ref(made))
        return made

    got = exports(wat, {"env": {"collect": collect}})
    for _ in range(3):
        assert got["pass"](thing()) is watches[-1]()
    gc.collect()
    assert [watch() for watch in watches] == [None] * 3


#: Gets objects of the host one after the other, while it holds some in all places that there are.
LONG_WAT = """(module
  (type $box (struct (field externref)))
  (type $six (func (param externref externref externref externref externref externref externref externref)
    (result externref)))
  (import "host" "new" (func $new (result externref)))
  (import "host" "pair" (func $pair (result externref externref)))
  (import "host" "again" (func $again))
  (tag $thrown (param externref))
  (global $kept (mut externref) (ref.null extern))
  (table $row 1 externref)
  (func $churn (export "churn") (param $rounds i32)
    (loop $more
      (drop (call $new))
      (br_if $more (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1))))))
  (func $last (type $six) (call $churn (i32.const 10000)) (local.get 7))
  (func $handed (param externref) (result externref)
    (return_call $last (local.get 0) (local.get 0) (local.get 0) (local.get 0) (local.get 0) (local.get 0) (local.get 0)
      (local.get 0)))
  (func (export "long") (param $rounds i32)
    (result externref externref externref externref externref externref externref externref)
    (local $box (ref null $box)) (local $exception exnref) (local $one externref)
    (local.set $one (call $new))
    (global.set $kept (call $new))
    (table.set $row (i32.const 0) (call $new))
    (local.set $box (struct.new $box (call $new)))
    (block $caught (result externref exnref)
      (try_table (catch_ref $thrown $caught) (throw $thrown (call $new)))
      (unreachable))
    (local.set $exception) (drop)
    (call $again)
    (call $handed (call $new))
    (call $pair)
    (call $churn (local.get $rounds))
    (local.get $one) (global.get $kept) (table.get $row (i32.const 0)) (struct.get $box 0 (local.get $box))
    (block $caught (result externref)
      (try_table (catch $thrown $caught) (throw_ref (local.get $exception)))
      (unreachable))))"""


@pytest.mark.parametrize("opt_level", [0, 2])
def test_a_call_that_gets_many_objects_drops_them(opt_level: int, tmp_path: Path) -> None:
    wa.pack(LONG_WAT.encode(), tmp_path / "long.so", opt_level=opt_level)
    made: list[weakref.ref[Thing]] = []
    most = 0

    def new() -> Thing:
        nonlocal most
        if len(made) % 1000 == 0:
            most = max(most, sum(watch() is not None for watch in made))
        thing = Thing()
        made.append(weakref.ref(thing))
        return thing

    def again() -> None:
        long.churn(10_000)

    imports = {"new": new, "pair": lambda: (new(), new()), "again": again}
    long = wa.load(tmp_path / "long.so").instantiate({"host": imports}).exports
    results = long.long(30_000)
    assert len(made) == 50_008 and most < 12_000
    order = [made.index(weakref.ref(thing)) for thing in results]
    assert order == [10_005, 20_006, 20_007, 0, 1, 2, 3, 4]


def test_an_argument_of_a_thread_that_waits_is_not_dropped() -> None:
    wat = """(module (import "host" "new" (func $new (result externref)))
      (func (export "churn") (param $rounds i32)
        (loop $more
          (drop (call $new))
          (br_if $more (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1))))))
      (func (export "pass") (param externref) (result externref) (local.get 0)))"""
    begun, thing, got = threading.Event(), Thing(), []

    def new() -> Thing:
        begun.set()
        return Thing()

    guest = exports(wat, {"host": {"new": new}})

    def wait() -> None:
        begun.wait()
        got.append(guest["pass"](thing))

    waiting = threading.Thread(target=wait)
    waiting.start()
    guest.churn(50_000)
    waiting.join()
    assert got == [thing]


def test_a_dying_externref_may_use_its_store() -> None:
    made = instance(MODULE_WAT, {"env": {"f": abs}})
    survivor = Thing()
    made.exports.keep(1, survivor)

    class Last:
        def __del__(self) -> None:
            made.exports.keep(2, survivor)
            made.exports.keep(3, Thing())

    made.exports.keep(0, Last())
    made.exports.keep(0, None)
    made.exports.keep(1, None)
    gc.collect()
    assert made.exports.refs[2] is survivor
    assert isinstance(made.exports.refs[3], Thing)
    gc.collect()
    assert isinstance(made.exports.refs[3], Thing)


def test_host_made_tables_and_globals_hold_externrefs() -> None:
    table, held = wa.Table("externref", 1), wa.Global("externref", None, mutable=True)
    table[0], held.value = Thing(), Thing()
    watches = [weakref.ref(table[0]), weakref.ref(held.value)]
    gc.collect()
    assert all(watch() for watch in watches)
    table[0] = held.value = None
    gc.collect()
    assert [watch() for watch in watches] == [None, None]


def test_objects_are_released_without_traces_in_the_heap() -> None:
    """Making and dropping everything many times does not grow the process's Python heap."""

    def round_trip() -> None:
        reachable: list[Any] = []
        made = load(MODULE_WAT).instantiate({"env": {"f": lambda value: value + len(reachable)}})
        reachable.append(made)
        made.exports.go(1)
        made.exports.keep(0, Thing())
        made.exports.table[0] = wa.Func(lambda: reachable)
        list(made.exports.items())

    for _ in range(3):
        round_trip()
        gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(20):
        round_trip()
        gc.collect()
    assert sys.getallocatedblocks() - before < 20
