"""Memory, Table, Global, Tag and Exports as Python objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy
import pytest

import wasmartifact as wa
from tests.unit.runtime.harness import exports, instance, load

PAGE = 65536

# Memory -------------------------------------------------------------------------------------------------------------


def test_memory_is_a_writable_buffer() -> None:
    memory = wa.Memory(1)
    view = memoryview(memory)
    assert (view.format, view.itemsize, view.readonly, view.nbytes, view.ndim) == ("B", 1, False, PAGE, 1)
    array = numpy.frombuffer(memory, dtype="<u4")  # type: ignore[call-overload]
    array[1] = 0x01020304
    assert memory[4:8] == b"\4\3\2\1"
    assert view[5] == 3


def test_memory_slices_copy_and_write() -> None:
    memory = wa.Memory(1)
    memory[10:13] = b"abc"
    memory[13] = 0x64
    assert memory[10:14] == b"abcd"
    assert type(memory[10:14]) is bytes
    assert memory[10] == 0x61
    copied = memory[10:14]
    memory[10:12] = bytearray(b"xy")
    assert copied == b"abcd"
    memory[11:14] = memoryview(memory)[10:13]  # overlapping
    assert memory[10:14] == b"xxyc"
    assert memory[PAGE - 1 :] == b"\0"
    assert memory[PAGE:] == b""
    assert memory[:] == bytes(memory)


@pytest.mark.parametrize(
    "key",
    [
        PAGE,
        -1,
        2**70,
        slice(0, PAGE + 1),
        slice(-4, None),
        slice(PAGE + 1, None),
        slice(5, 4),
        slice(None, -1),
        slice(2**64, None),
    ],
)
def test_memory_addresses_outside_are_index_errors(key: Any) -> None:
    memory = wa.Memory(1)
    before = bytes(memory)
    with pytest.raises(IndexError):
        memory[key]
    with pytest.raises(IndexError):
        memory[key] = b"" if isinstance(key, slice) else 0
    assert bytes(memory) == before


def test_memory_refuses_wrong_values() -> None:
    memory = wa.Memory(1)
    with pytest.raises(ValueError, match="3 bytes don't fit a memory slice of 4"):
        memory[0:4] = b"abc"
    with pytest.raises(ValueError, match=r"0 \.\. 255"):
        memory[0] = 256
    with pytest.raises(ValueError, match="no step"):
        memory[0:8:2]
    with pytest.raises(TypeError):
        memory[0:4] = "abcd"  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        memory["x"]  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="deleted"):
        del memory[0]  # type: ignore[attr-defined]


def test_c_strings() -> None:
    memory = wa.Memory(1)
    memory[65530:65536] = b"ab\0cde"
    assert memory.read_cstring(65530) == b"ab"
    assert memory.read_cstring(65532) == b""
    with pytest.raises(IndexError, match="no zero byte between memory address 65533 and the memory's end at 65536"):
        memory.read_cstring(65533)
    for outside in (65536, -1, 2**63, 2**70):
        with pytest.raises(IndexError):
            memory.read_cstring(outside)
    with pytest.raises(TypeError):
        memory.read_cstring("0")  # type: ignore[arg-type]


def test_typed_views_of_a_memory_see_what_is_written_while_it_grows() -> None:
    memory = wa.Memory(1, 3)
    view = memoryview(memory)[8:24].cast("i")
    array = numpy.frombuffer(memory, dtype="<i4", count=4, offset=8)  # type: ignore[call-overload]
    memory.grow(2)
    memory[8:16] = (-5).to_bytes(4, "little", signed=True) + (7).to_bytes(4, "little")
    view[3] = 11
    assert view.tolist() == array.tolist() == [-5, 7, 0, 11]
    assert (len(memory), memoryview(memory).nbytes) == (3 * 65536, 3 * 65536)


def test_memory_grows_up_to_its_maximum() -> None:
    memory = wa.Memory(1, 3)
    view = memoryview(memory)
    assert memory.grow(1) == 1
    assert memory.grow(0) == 2
    assert (memory.size_bytes, len(memory), view.nbytes) == (2 * PAGE, 2 * PAGE, PAGE)
    memory[PAGE + 5] = 7
    view[0] = 9
    assert (memory[PAGE + 5], memory[0]) == (7, 9)  # the bytes did not move
    with pytest.raises(ValueError, match="2 pages with a maximum of 3 can't grow by 2"):
        memory.grow(2)
    with pytest.raises(ValueError, match="expected a number of pages"):
        memory.grow(-1)
    assert memory.size_bytes == 2 * PAGE
    assert memory.type._asdict() == {
        "min_pages": 2, "max_pages": 3, "shared": False, "memory64": False, "page_size_bytes": PAGE,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((2, 1), {}, "min_pages <= max_pages"),
        ((-1,), {}, "expected a number of pages"),
        ((65537,), {}, "65536"),
        ((1, 65537), {}, "65536"),
        ((1,), {"shared": True}, "shared memory needs max_pages"),
    ],
)
def test_a_memory_that_can_not_be(arguments: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wa.Memory(*arguments, **options)


def test_memory_views_outlive_everything() -> None:
    view = memoryview(exports('(module (memory (export "m") 1) (data (i32.const 3) "kept"))').m)
    assert bytes(view[3:7]) == b"kept"
    view[PAGE - 1] = 1


def test_the_guest_and_the_host_see_the_same_bytes() -> None:
    got = exports(
        """(module (memory (export "m") 1 4)
        (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
        (func (export "store") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
        (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"""
    )
    got.m[8:12] = (123456).to_bytes(4, "little")
    assert got.load(8) == 123456
    got.store(8, -1)
    assert got.m[8:12] == b"\xff" * 4
    assert got.grow(1) == 1
    assert got.m.size_bytes == 2 * PAGE
    assert got.m.grow(2) == 2
    assert got.grow(1) == -1
    assert got.load(4 * PAGE - 4) == 0


# Table --------------------------------------------------------------------------------------------------------------


def test_tables_of_references() -> None:
    items: list[Any] = [object(), "text", None, 5]
    table = wa.Table("externref", len(items), 6)
    for index, item in enumerate(items):
        table[index] = item
    assert all(found is item for found, item in zip(table, items, strict=True))
    assert len(table) == 4
    assert table.grow(2, "new") == 4
    assert [table[4], table[5]] == ["new", "new"]
    with pytest.raises(ValueError, match="6 elements can't grow by 1; its maximum is 6"):
        table.grow(1)
    assert table.type == ("externref", 6, 6, False, False)
    for maximum in (None, 20_000_000):
        table = wa.Table("externref", 4, maximum)
        with pytest.raises(ValueError, match="4 elements can't grow by 9999997; no table holds more than 10,000,000"):
            table.grow(9_999_997)
        assert len(table) == 4


@pytest.mark.parametrize("index", [3, -1, 2**32, 2**64])
def test_table_indices_outside_are_index_errors(index: int) -> None:
    table = wa.Table("funcref", 3)
    with pytest.raises(IndexError, match="the table has 3 elements"):
        table[index]
    with pytest.raises(IndexError, match="the table has 3 elements"):
        table[index] = None


def test_tables_refuse_wrong_values() -> None:
    table = wa.Table("funcref", 1)
    with pytest.raises(TypeError, match=r"a table element must be a Func or None \(funcref\), found str"):
        table[0] = "x"
    with pytest.raises(TypeError):
        table["x"]  # type: ignore[index]
    with pytest.raises(TypeError):
        wa.Table("funcref", 1, init=5)
    with pytest.raises(ValueError, match="not i32"):
        wa.Table("i32", 1)
    with pytest.raises(ValueError, match="min <= max"):
        wa.Table("funcref", 2, 1)
    with pytest.raises(ValueError, match="no value type"):
        wa.Table("nonsense", 1)
    with pytest.raises(ValueError, match="can't grow by -1"):
        table.grow(-1)


def test_an_exported_table_is_the_guests() -> None:
    got = exports(
        """(module (table (export "t") 3 10 funcref) (elem (i32.const 1) $one)
        (func $one (result i32) (i32.const 1))
        (func (export "call") (param i32) (result i32) (call_indirect (result i32) (local.get 0)))
        (func (export "size") (result i32) (table.size 0)))"""
    )
    assert [function and function() for function in got.t] == [None, 1, None]
    got.t[2] = got.t[1]
    assert got.call(2) == 1
    host = wa.Func(lambda: 42, [], ["i32"])
    assert got.t.grow(4, host) == 3
    assert got.size() == 7
    assert got.call(6) == 42
    assert got.t[6] is host


# Global, Tag ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("valtype", "first", "second", "read"),
    [
        ("i32", 1, 2**32 - 1, -1),
        ("i64", -5, 2**63 - 1, 2**63 - 1),
        ("f32", 0.5, 2, 2.0),
        ("f64", 1e300, -0.25, -0.25),
        ("v128", bytes(16), bytes(range(16)), bytes(range(16))),
        ("externref", None, "text", "text"),
    ],
)
def test_globals_hold_every_type(valtype: str, first: Any, second: Any, read: Any) -> None:
    made = wa.Global(valtype, first, mutable=True)
    assert made.value == first
    made.value = second
    assert made.value == read
    assert made.type == (valtype, True)


def test_globals_refuse_wrong_values() -> None:
    with pytest.raises(AttributeError, match="immutable"):
        wa.Global("i32", 1).value = 2
    with pytest.raises(TypeError, match=r"the value of a global must be an int \(i32\), found float"):
        wa.Global("i32", 1.5)
    with pytest.raises(OverflowError, match=r"the value of a global is 4294967296"):
        wa.Global("i32", 2**32)
    with pytest.raises(TypeError, match=r"must be 16 bytes \(v128\), found bytes of length 3"):
        wa.Global("v128", b"abc")
    with pytest.raises(ValueError, match="no value type"):
        wa.Global("int", 1)


def test_exported_globals_are_the_guests() -> None:
    got = exports(
        """(module (global $g (export "g") (mut i64) (i64.const 5)) (global (export "c") f32 (f32.const 0.5))
        (func (export "bump") (global.set $g (i64.add (global.get $g) (i64.const 1)))))"""
    )
    got.bump()
    assert got.g.value == 6
    got.g.value = 10
    got.bump()
    assert got.g.value == 11
    assert got.c.value == 0.5
    with pytest.raises(AttributeError):
        got.c.value = 1


def test_tags_are_made_of_types() -> None:
    assert isinstance(wa.Tag(["i32", "externref"]), wa.Tag)
    with pytest.raises(ValueError, match="no value type"):
        wa.Tag(["x"])
    with pytest.raises(TypeError, match="'i32'"):
        wa.Tag("i32")


# Exports --------------------------------------------------------------------------------------------------------------

NAMES_WAT = """(module
    (func (export "f")) (memory (export "memory") 1) (table (export "t") 1 funcref)
    (global (export "g") i32 (i32.const 5)) (func (export "keys") (result i32) (i32.const 1))
    (func (export "") (result i32) (i32.const 2)) (func (export "na\\c3\\afve"))
    (func (export "__dunder__")) (export "f2" (func 0)))"""


def test_exports_are_a_mapping_in_module_order() -> None:
    got = exports(NAMES_WAT)
    names = ["f", "memory", "t", "g", "keys", "", "naïve", "__dunder__", "f2"]
    assert issubclass(type(got), Mapping)
    assert list(got) == names
    assert len(got) == len(names)
    assert list(got.keys()) == names
    assert [name for name, _ in got.items()] == names
    assert list(got.values()) == [got[name] for name in names]
    assert dict(got) == {name: got[name] for name in names}
    assert "g" in got
    assert "h" not in got
    assert 5 not in got
    assert "\ud800" not in got
    assert got.get("h") is None
    assert got.get("h", 5) == 5
    assert got.get("g") is got.g
    kinds = [type(got[name]).__name__ for name in ("f", "memory", "t", "g")]
    assert kinds == ["Func", "Memory", "Table", "Global"]


def test_an_export_is_the_same_object_each_time() -> None:
    made = instance(NAMES_WAT)
    for name in made.exports:
        assert made.exports[name] is made.exports[name]
    assert made.exports.memory is made.exports["memory"]
    assert made.exports is made.exports
    assert made.exports.f == made.exports.f2


def test_methods_of_the_mapping_win_over_names() -> None:
    got = exports(NAMES_WAT)
    assert callable(got.keys)
    assert not isinstance(got.keys, wa.Func)
    assert got["keys"]() == 1
    assert got[""]() == 2
    assert isinstance(got.__dunder__, wa.Func)
    assert {"f", "memory", "naïve", "get"} <= set(dir(got))


def test_a_missing_export_is_named() -> None:
    got = exports(NAMES_WAT)
    with pytest.raises(AttributeError, match="no export 'missing'"):
        got.missing  # noqa: B018
    with pytest.raises(KeyError, match="'missing'"):
        got["missing"]
    with pytest.raises(KeyError):
        got[5]
    with pytest.raises(TypeError):
        got[[]]
    assert not hasattr(got, "missing")


def test_an_exported_import_is_the_object_that_came_in() -> None:
    wat = """(module (import "e" "f" (func $f (result i32))) (import "e" "m" (memory $m 1))
        (import "e" "t" (table $t 1 funcref)) (import "e" "g" (global $g (mut i32)))
        (export "f" (func $f)) (export "m" (memory $m)) (export "t" (table $t)) (export "g" (global $g)))"""
    given = {
        "f": wa.Func(lambda: 3, [], ["i32"]),
        "m": wa.Memory(1),
        "t": wa.Table("funcref", 1),
        "g": wa.Global("i32", 1, mutable=True),
    }
    got = exports(wat, {"e": given})
    for name, value in given.items():
        assert got[name] is value
    again = exports(wat, {"e": got})
    for name, value in given.items():
        assert again[name] is value


def test_instances_come_from_artifacts_only() -> None:
    with pytest.raises(TypeError, match=r"artifact\.instantiate"):
        wa.Instance()
    artifact = load(NAMES_WAT)
    made = artifact.instantiate()
    assert made.artifact is artifact
    assert isinstance(made.store, wa.Store)


def test_a_memory_with_pages_of_one_byte() -> None:
    """The proposal custom-page-sizes: an import of that page size takes it, and no other."""
    memory = wa.Memory(3, 10, page_size_bytes=1)
    assert (memory.size_bytes, memory.type.page_size_bytes) == (3, 1)
    wat = '(module (import "m" "m" (memory 3 10 (pagesize 1))) (func (export "size") (result i32) memory.size))'
    guest = load(wat).instantiate({"m": {"m": memory}})
    assert memory.grow(7) == 3
    assert guest.exports.size() == 10
    with pytest.raises(ValueError, match="maximum of 10 can't grow"):
        memory.grow(1)
    with pytest.raises(wa.UnlinkableModule):
        load(wat).instantiate({"m": {"m": wa.Memory(3, 10)}})
    with pytest.raises(ValueError, match="page_size_bytes is 4096: expected 1 or 65536"):
        wa.Memory(1, page_size_bytes=4096)
