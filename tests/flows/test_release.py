"""Instances that use each other, of several artifacts; and that all of it is released with the last reference."""

from __future__ import annotations

import gc
import os
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import wasmartifact as wa
from bench.timing import is_loaded
from tests.support.process import descriptors, holdings, mappings, reserved_gib

#: What a memory with a 32-bit index reserves, whatever its size.
RESERVED_GIB = 8

BASE_WAT = """(module $base
  (type $op (func (param i32) (result i32)))
  (import "host" "late" (func $late (type $op)))
  (memory (export "memory") 1 4) (data (i32.const 0) "base")
  (table $ops (export "ops") 4 8 funcref) (elem (i32.const 0) $double)
  (table $things (export "things") 2 externref)
  (global $count (export "count") (mut i32) (i32.const 0))
  (global (export "scale") i32 (i32.const 1000))
  (func $double (export "double") (type $op)
    (global.set $count (i32.add (global.get $count) (i32.const 1)))
    (i32.mul (local.get 0) (i32.const 2)))
  (func $dispatch (export "dispatch") (param i32 i32) (result i32)
    (call_indirect $ops (type $op) (local.get 1) (local.get 0)))
  (func (export "call_late") (type $op) (call $late (local.get 0)))
  (func (export "peek") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "keep") (param i32 externref) (table.set $things (local.get 0) (local.get 1))))"""

USER_WAT = """(module $user
  (type $op (func (param i32) (result i32)))
  (import "base" "memory" (memory 1 4))
  (import "base" "ops" (table $ops 4 8 funcref))
  (import "base" "count" (global $count (mut i32)))
  (import "base" "scale" (global $scale i32))
  (import "base" "double" (func $double (type $op)))
  (import "base" "dispatch" (func $dispatch (param i32 i32) (result i32)))
  (table $own (export "own") 2 funcref) (elem (table $own) (i32.const 0) func $add $mark)
  (global $mine (export "mine") (mut i64) (i64.const 7))
  (elem (table $ops) (i32.const 1) func $add $mark)
  (data (i32.const 16) "user")
  (func $add (export "add") (type $op)
    (global.set $count (i32.add (global.get $count) (i32.const 100)))
    (global.set $mine (i64.add (global.get $mine) (i64.extend_i32_s (local.get 0))))
    (i32.add (call $double (local.get 0)) (global.get $scale)))
  (func $mark (export "mark") (type $op)
    (i32.store8 (local.get 0) (i32.const 33)) (i32.load8_u (i32.const 2)))
  (func (export "back") (param i32) (result i32) (call $dispatch (i32.const 1) (local.get 0)))
  (func (export "grow") (result i32 i32) (drop (memory.grow (i32.const 1)))
    (drop (table.grow $ops (ref.func $add) (i32.const 2))) (memory.size) (table.size $ops)))"""

#: Uses what the user exports, and what the base exports, in one module.
THIRD_WAT = """(module $third
  (type $op (func (param i32) (result i32)))
  (import "user" "own" (table $own 2 funcref))
  (import "user" "mine" (global $mine (mut i64)))
  (import "user" "add" (func $add (type $op)))
  (import "base" "memory" (memory 1))
  (func (export "go") (type $op)
    (global.set $mine (i64.mul (global.get $mine) (i64.const 2)))
    (i32.store (i32.const 64) (i32.const 0x64726874))
    (i32.add (call $add (local.get 0)) (call_indirect $own (type $op) (i32.const 20) (i32.const 1)))))"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("release")
    for name, wat in (("base", BASE_WAT), ("user", USER_WAT), ("third", THIRD_WAT)):
        wa.pack(wat.encode(), folder / f"{name}.so")
    gc.collect()
    gc.freeze()  # the many objects of the test run: each collection here would look at them
    yield folder
    gc.unfreeze()


@pytest.fixture(autouse=True)
def released(folder: Path) -> Iterator[None]:
    """After each test, with its references gone: no mapping, no descriptor, no reservation, nothing loaded."""
    before = holdings(folder)  # what the traceback of a test that failed still holds
    yield
    assert holdings(folder) == before
    if not before.artifacts:
        assert not [path.name for path in folder.iterdir() if is_loaded(path)]


def load(folder: Path, name: str) -> wa.Artifact:
    """From its path or from its bytes, which must not matter."""
    path = folder / f"{name}.so"
    return wa.load(path.read_bytes() if name == "third" else path)


class Linked:
    """The three instances; ``late`` is how the base, made first, reaches the user."""

    def __init__(self, folder: Path) -> None:
        self.late: Callable[[int], int] = abs
        self.base = load(folder, "base").instantiate({"host": {"late": self.call_late}})
        self.user = load(folder, "user").instantiate({"base": self.base})
        self.third = load(folder, "third").instantiate({"base": self.base.exports, "user": self.user.exports})
        self.late = self.user.exports.add

    def call_late(self, value: int) -> int:
        return self.late(value)


# Instances that use each other ----------------------------------------------------------------------------------------


def test_instances_of_three_artifacts_use_each_other(folder: Path) -> None:
    linked = Linked(folder)
    base, user, third = linked.base.exports, linked.user.exports, linked.third.exports
    # Memory: one segment each, in one memory.
    assert (base.memory[0:4], base.memory[16:20]) == (b"base", b"user")
    # Tables: the base calls, through its own table, functions of the user, which call the base.
    assert base.dispatch(0, 21) == 42
    assert base.dispatch(1, 5) == 1010
    assert (base.count.value, user.mine.value) == (102, 12)
    assert base.dispatch(2, 40) == ord("s")
    assert base.peek(40) == 33
    # Functions: user -> base -> user -> base.
    assert user.back(6) == 1012
    assert base.call_late(7) == 1014
    assert (base.count.value, user.mine.value) == (304, 25)
    # The third: table and global of the user, memory of the base.
    assert third.go(1) == 1002 + ord("s")
    assert (base.memory[64:68], base.peek(20), user.mine.value) == (b"thrd", 33, 51)
    # What they share is one object in Python too.
    assert user.own[0] == user.add == base.ops[1]
    assert base.ops[3] is None
    # Growth by one is seen by all.
    assert user.grow() == (2, 6)
    assert (len(base.ops), base.memory.size_bytes, base.dispatch(5, 1)) == (6, 2 * 65536, 1002)


def test_a_trap_in_another_instance_tells_both(folder: Path) -> None:
    linked = Linked(folder)
    with pytest.raises(wa.Trap) as caught:
        linked.base.exports.dispatch(2, 65536 * 3)
    assert caught.value.code == "memory_out_of_bounds"
    assert [(frame.module_name, frame.func_name) for frame in caught.value.frames] == [
        ("user", "mark"),
        ("base", "dispatch"),
    ]
    with pytest.raises(wa.Trap, match="uninitialized element"):
        linked.base.exports.dispatch(3, 0)
    with pytest.raises(wa.Trap, match="undefined element"):
        linked.base.exports.dispatch(4, 0)


def test_each_instance_of_an_artifact_has_its_own_partners(folder: Path) -> None:
    first, second = Linked(folder), Linked(folder)
    assert first.base.exports.dispatch(1, 5) == second.base.exports.dispatch(1, 5) == 1010
    first.user.exports.back(6)
    assert (first.base.exports.count.value, second.base.exports.count.value) == (202, 101)
    second.base.exports.memory[0:4] = b"BASE"
    assert first.base.exports.memory[0:4] == b"base"


@pytest.mark.parametrize(
    ("hold", "use", "result"),
    [
        (lambda linked: linked.base, lambda base: base.exports.call_late(7), 1014),
        (lambda linked: linked.user.exports.back, lambda back: back(6), 1012),
        (lambda linked: linked.base.exports.ops, lambda ops: ops[1](5), 1010),
        (lambda linked: linked.third.exports, lambda exports: exports.go(1), 1117),
        (lambda linked: linked.user.exports.mine, lambda mine: mine.value, 7),
        (lambda linked: linked.base.exports.memory, lambda memory: bytes(memory[16:20]), b"user"),
        (lambda linked: memoryview(linked.base.exports.memory), lambda view: bytes(view[16:20]), b"user"),
    ],
    ids=["instance", "func", "table", "exports", "global", "memory", "view"],
)
def test_any_reference_keeps_what_it_needs(
    folder: Path, hold: Callable[[Linked], Any], use: Callable[[Any], Any], result: object
) -> None:
    held = hold(Linked(folder))
    gc.collect()
    assert use(held) == result


# Cycles ---------------------------------------------------------------------------------------------------------------


def closure_over_the_instance(folder: Path) -> wa.Instance:
    return Linked(folder).base


def host_function_in_a_table(folder: Path) -> wa.Instance:
    made = Linked(folder)
    made.base.exports.ops[3] = wa.Func(lambda value: value + len(made.base.exports), ["i32"], ["i32"])
    assert made.base.exports.dispatch(3, 1) == 1 + len(made.base.exports)
    return made.base


def externref_to_the_instance(folder: Path) -> wa.Instance:
    made = load(folder, "base").instantiate({"host": {"late": abs}})
    made.exports.keep(0, made)
    made.exports.things[1] = [made.exports, made.exports.memory]
    return made


def externref_to_another_instance(folder: Path) -> wa.Instance:
    first, second = (load(folder, "base").instantiate({"host": {"late": abs}}) for _ in range(2))
    first.exports.keep(0, second)
    second.exports.keep(0, first)
    return first


def functions_in_each_others_tables(folder: Path) -> wa.Instance:
    first, second = (load(folder, "base").instantiate({"host": {"late": abs}}) for _ in range(2))
    first.exports.ops[1], second.exports.ops[1] = second.exports.dispatch, first.exports.double
    return second


def attribute_of_a_host_object(folder: Path) -> wa.Instance:
    """A global of the host holds an object that holds the instance that imports... through Python alone."""
    held = wa.Global("externref", None, mutable=True)
    made = Linked(folder)
    held.value = (made, held)
    return made.base


def store_made_by_hand(folder: Path) -> wa.Instance:
    store = wa.Store()
    made = load(folder, "base").instantiate({"host": {"late": lambda value: id(store) and value}}, store=store)
    made.exports.keep(0, store)
    return made


@pytest.mark.parametrize(
    "build",
    [
        closure_over_the_instance,
        host_function_in_a_table,
        externref_to_the_instance,
        externref_to_another_instance,
        functions_in_each_others_tables,
        attribute_of_a_host_object,
        store_made_by_hand,
    ],
)
def test_cycles_are_released(folder: Path, build: Callable[[Path], wa.Instance]) -> None:
    gc.disable()
    try:
        watch = weakref.ref(build(folder))
        gc.collect()
        assert watch() is None
    finally:
        gc.enable()


# Instances that fail --------------------------------------------------------------------------------------------------

FAILING: dict[str, tuple[str, dict[str, dict[str, Any]], type[Exception]]] = {
    "trap in start": (
        "(module (memory 1) (table 100 funcref) (elem (i32.const 0) $f) (func $f unreachable) (start $f))",
        {},
        wa.Trap,
    ),
    "exception in start": (
        '(module (import "a" "f" (func $f)) (memory 1) (start $f))',
        {"a": {"f": lambda: 1 // 0}},
        ZeroDivisionError,
    ),
    "missing import": ('(module (import "a" "f" (func)) (memory 1))', {}, wa.UnlinkableModule),
    "import of another type": (
        '(module (import "a" "m" (memory 5)) (import "a" "f" (func)))',
        {"a": {"m": wa.Memory(1), "f": print}},
        wa.UnlinkableModule,
    ),
    "data out of bounds": ('(module (memory 1) (data (i32.const 65536) "x"))', {}, wa.Trap),
    "elements out of bounds": ("(module (memory 1) (table 1 funcref) (elem (i32.const 1) $f) (func $f))", {}, wa.Trap),
}


@pytest.mark.parametrize("case", FAILING)
def test_a_failed_instance_leaves_nothing(folder: Path, case: str) -> None:
    wat, imports, error = FAILING[case]
    wa.pack(wat.encode(), folder / "failing.so")
    artifact = wa.load(folder / "failing.so")

    def fail() -> None:
        with pytest.raises(error):
            artifact.instantiate(imports)

    fail()  # what it mapped is kept for the next instance
    before = holdings(folder)
    for _ in range(20):
        fail()
    assert holdings(folder) == before


def test_an_artifact_that_is_never_instantiated(folder: Path) -> None:
    before = descriptors()
    artifact = wa.load(folder / "base.so")
    assert mappings(folder / "base.so", executable_only=True) != []
    assert is_loaded(folder / "base.so")
    assert len(descriptors()) == len(before) + 1
    del artifact
    assert mappings(folder / "base.so") == []
    assert descriptors() == before


# Memories -------------------------------------------------------------------------------------------------------------


def test_a_view_keeps_the_memory(folder: Path) -> None:
    before = reserved_gib()
    made = load(folder, "base").instantiate({"host": {"late": abs}})
    view = memoryview(made.exports.memory)
    part = view[0:4]
    made.exports.memory.grow(1)
    grown = memoryview(made.exports.memory)
    watch = weakref.ref(made)
    del made, view
    gc.collect()
    assert watch() is None
    assert reserved_gib() - before == RESERVED_GIB
    assert (bytes(part), len(grown)) == (b"base", 2 * 65536)
    part[0] = ord("B")
    grown[65536] = 5
    assert (bytes(grown[0:4]), grown[65536]) == (b"Base", 5)
    del part
    gc.collect()
    assert reserved_gib() - before == RESERVED_GIB
    assert grown[65536] == 5
    del grown
    gc.collect()
    assert reserved_gib() == before


def test_a_host_memory_is_released_too(folder: Path) -> None:
    before = reserved_gib()
    memories = [wa.Memory(1, 2) for _ in range(3)]
    assert reserved_gib() - before == 3 * RESERVED_GIB
    view = memoryview(memories[1])
    del memories
    gc.collect()
    assert reserved_gib() - before == RESERVED_GIB
    view[0] = 1
    view.release()
    gc.collect()
    assert reserved_gib() == before


# Many -----------------------------------------------------------------------------------------------------------------


def test_two_hundred_instances_one_after_the_other(folder: Path) -> None:
    artifact = load(folder, "base")
    made = artifact.instantiate({"host": {"late": abs}})
    before = len(Path("/proc/self/maps").read_text().splitlines()), descriptors()
    for index in range(200):
        made = artifact.instantiate({"host": {"late": abs}})
        made.exports.memory[100] = index & 0xFF
        assert made.exports.peek(100) == index & 0xFF
    del made
    made = artifact.instantiate({"host": {"late": abs}})
    after = len(Path("/proc/self/maps").read_text().splitlines()), descriptors()
    assert abs(after[0] - before[0]) < 10  # the heap may have got another piece
    assert after[1] == before[1]
    assert made.exports.peek(100) == 0


def test_many_loads_one_after_the_other(folder: Path) -> None:
    before = descriptors()
    for _ in range(10):
        for _ in range(10):  # without cycles: released by the last reference
            base = load(folder, "base").instantiate({"host": {"late": abs}})
            user = load(folder, "user").instantiate({"base": base})
            assert user.exports.back(5) == 1010
        del base, user
        assert descriptors() == before
    for _ in range(3):
        for _ in range(10):
            assert Linked(folder).base.exports.call_late(7) == 1014
        gc.collect()
        assert descriptors() == before


def test_two_hundred_instances_at_once(folder: Path) -> None:
    artifact = load(folder, "base")
    made = [artifact.instantiate({"host": {"late": abs}}) for _ in range(200)]
    for index, each in enumerate(made):
        each.exports.memory[100] = index
    assert [each.exports.peek(100) for each in made] == list(range(200))
    assert len({id(each.exports.memory) for each in made}) == 200


def test_memory_use_does_not_grow(folder: Path) -> None:
    """Resident memory after many rounds of everything is what it was after a few."""

    def resident_kib() -> int:
        status = Path("/proc/self/status").read_text()
        return int(status[status.index("VmRSS:") :].split()[1])

    def rounds(count: int) -> None:
        for _ in range(count):
            for _ in range(10):
                for build in (host_function_in_a_table, externref_to_another_instance):
                    build(folder).exports.memory[0:4] = b"used"
            gc.collect()

    rounds(3)
    before = resident_kib()
    rounds(10)
    assert resident_kib() - before < 4096


def test_descriptors_are_closed_in_programs_that_are_started(folder: Path) -> None:
    """What an artifact holds open is not inherited."""
    artifact = load(folder, "third")
    held = [entry for entry in os.listdir("/proc/self/fd") if entry.isdigit() and int(entry) > 2]
    inheritable = []
    for entry in held:
        try:
            if os.get_inheritable(int(entry)) and "wasmartifact" in os.readlink(f"/proc/self/fd/{entry}"):
                inheritable.append(entry)
        except OSError:
            continue
    assert inheritable == []
    assert artifact.path is None
