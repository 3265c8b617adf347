"""Structs, arrays and numbers of 31 bits in Python's hands, and the collector under them."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import wasmartifact as wa

TEXT = b"""(module
  (rec
    (type $node (sub (struct (field $value (mut i32)) (field $next (mut (ref null $node))))))
    (type $leaf (sub final $node
      (struct (field (mut i32)) (field (mut (ref null $node))) (field $name (mut externref))))))
  (type $other (struct (field f64)))
  (type $packed (struct (field (mut i8)) (field (mut i16)) (field v128) (field f32)))
  (type $bytes (array (mut i8)))
  (type $longs (array i64))
  (type $many (array (mut anyref)))
  (global (export "kept") (mut (ref null $node)) (ref.null $node))
  (table (export "table") 3 anyref)
  (func (export "node") (param i32 (ref null $node)) (result (ref $node))
    (struct.new $node (local.get 0) (local.get 1)))
  (func (export "leaf") (param i32 externref) (result (ref $leaf))
    (struct.new $leaf (local.get 0) (ref.null $node) (local.get 1)))
  (func (export "other") (result (ref $other)) (struct.new $other (f64.const 1.5)))
  (func (export "packed") (result (ref $packed))
    (struct.new $packed (i32.const -1) (i32.const -2) (v128.const i32x4 1 2 3 4) (f32.const 0.5)))
  (func (export "bytes") (param i32) (result (ref $bytes)) (array.new $bytes (i32.const 7) (local.get 0)))
  (func (export "longs") (result (ref $longs)) (array.new_fixed $longs 2 (i64.const -5) (i64.const 6)))
  (func (export "many") (param i32) (result (ref $many)) (array.new_default $many (local.get 0)))
  (func (export "sum") (param $at (ref null $node)) (result i32) (local $sum i32)
    (loop $next
      (if (ref.is_null (local.get $at)) (then (return (local.get $sum))))
      (local.set $sum (i32.add (local.get $sum) (struct.get $node $value (local.get $at))))
      (local.set $at (struct.get $node $next (local.get $at)))
      (br $next))
    (unreachable))
  (func (export "any") (param anyref) (result anyref) (local.get 0))
  (func (export "eq") (param eqref) (result eqref) (local.get 0))
  (func (export "i31") (param i31ref) (result i31ref) (local.get 0))
  (func (export "struct") (param structref) (result structref) (local.get 0))
  (func (export "array") (param arrayref) (result arrayref) (local.get 0))
  (func (export "extern") (param externref) (result externref) (local.get 0))
  (func (export "two") (param i32) (result (ref $node) (ref $node))
    (struct.new $node (local.get 0) (ref.null $node)) (struct.new $node (local.get 0) (ref.null $node)))
  (func (export "churn") (param $rounds i32)
    (loop $more
      (drop (array.new_default $many (i32.const 1000)))
      (br_if $more (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1))))))
)"""


@pytest.fixture(scope="module", params=[0, 2])
def artifact(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> wa.Artifact:
    path = tmp_path_factory.mktemp("objects") / "objects.so"
    wa.pack(TEXT, path, opt_level=request.param)
    return wa.load(path)


@pytest.fixture
def got(artifact: wa.Artifact) -> Any:
    return artifact.instantiate().exports


def test_fields_by_index(got: Any) -> None:
    node = got.node(3, None)
    assert isinstance(node, wa.Struct)
    assert (len(node), list(node)) == (2, [3, None])
    node[0] = -9
    node[1] = got.node(4, None)
    assert got.sum(node) == -5
    assert node[1][0] == node[-1][0] == 4


def test_packed_fields_have_no_sign(got: Any) -> None:
    packed = got.packed()
    assert list(packed) == [255, 65534, bytes([1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0]), 0.5]
    packed[0] = -128
    packed[1] = 65535
    assert list(packed)[:2] == [128, 65535]
    for wrong in (256, -129, 2**32 - 1, 2**64 - 1, -(2**80)):
        with pytest.raises(OverflowError, match=f"item 0 is {wrong}"):
            packed[0] = wrong
    with pytest.raises(TypeError, match="item 0 must be"):
        packed[0] = 1.0


def test_what_can_not_be_set(got: Any) -> None:
    with pytest.raises(TypeError, match=r"field 0 of the .*Struct is immutable"):
        got.other()[0] = 1.0
    with pytest.raises(TypeError, match=r"element 0 of the .*Array is immutable"):
        got.longs()[0] = 1
    node = got.node(1, None)
    with pytest.raises(TypeError):
        node[1] = got.other()
    with pytest.raises(TypeError):
        node[1] = 5
    with pytest.raises(IndexError):
        node[2]
    with pytest.raises(IndexError):
        node[2] = 1
    with pytest.raises(TypeError):
        del node[0]


def test_a_subtype_fits_where_its_supertype_is_wanted(got: Any) -> None:
    leaf = got.leaf(2, "name")
    assert got.sum(got.node(1, leaf)) == 3
    assert leaf[2] == "name"
    for wrong in (got.other(), got.bytes(1), 5, "x"):
        with pytest.raises(TypeError, match="argument 1"):
            got.sum(wrong)


def test_identity_is_that_of_the_object(got: Any) -> None:
    node, other = got.node(1, None), got.node(1, None)
    got.kept.value = node
    again = got.kept.value
    assert again == node and hash(again) == hash(node) and again != other
    assert {node, again, other} == {node, other}
    assert node != 1 and (node == "x") is False
    assert "2 fields" in repr(node)


def test_arrays_of_numbers_are_buffers(got: Any) -> None:
    text = got.bytes(4)
    assert (len(text), list(text), bytes(text)) == (4, [7, 7, 7, 7], b"\7\7\7\7")
    view = memoryview(text)
    assert (view.format, view.itemsize, view.readonly) == ("B", 1, False)
    view[1] = 200
    assert text[1] == 200
    longs = memoryview(got.longs())
    assert (longs.format, longs.tolist(), longs.readonly) == ("q", [-5, 6], True)
    with pytest.raises(BufferError):
        memoryview(got.many(2))
    assert bytes(got.bytes(0)) == b""


def test_a_view_keeps_its_array(artifact: wa.Artifact) -> None:
    exports = artifact.instantiate(store=wa.Store(limits=wa.Limits(memory_bytes=1 << 20))).exports
    view = memoryview(exports.bytes(1000))
    exports.churn(1000)
    assert set(view) == {7}


def test_numbers_of_31_bits(got: Any) -> None:
    for number in (0, 1, -1, 2**30 - 1, -(2**30)):
        assert got.any(number) == got.eq(number) == got.i31(number) == number
    for number in (2**30, -(2**30) - 1):
        assert got.any(number) == number  # an object of the host
        with pytest.raises(OverflowError):
            got.i31(number)
        with pytest.raises(OverflowError):
            got.eq(number)


@pytest.mark.parametrize("name", ["any", "eq", "i31", "struct", "array", "extern"])
def test_null_is_none(got: Any, name: str) -> None:
    assert got[name](None) is None


def test_what_abstract_types_take(got: Any) -> None:
    node, text, thing = got.node(1, None), got.bytes(1), object()
    fits: dict[str, list[object]] = {
        "any": [node, text, 5, thing],
        "eq": [node, text, 5],
        "i31": [5],
        "struct": [node],
        "array": [text],
        "extern": [node, text, thing],
    }
    for name, values in fits.items():
        for value in (node, text, 5, thing):
            if value in values:
                assert got[name](value) == value
            elif name != "extern":
                with pytest.raises(TypeError):
                    got[name](value)


def test_tables_and_arrays_hold_anything(got: Any) -> None:
    thing = object()
    many = got.many(3)
    for holder in (got.table, many):
        holder[0], holder[1], holder[2] = 5, thing, many
        assert holder[0] == 5 and holder[1] is thing and holder[2] == many
    got.table.grow(2, got.node(8, None))
    assert got.table[4][0] == 8


def test_objects_cross_instances_of_a_store(artifact: wa.Artifact) -> None:
    one, other = artifact.instantiate().exports, artifact.instantiate().exports
    node = one.node(1, one.node(2, None))
    assert other.sum(node) == 3
    assert other.sum(other.node(4, node)) == 7


def test_what_python_holds_survives_collections(artifact: wa.Artifact) -> None:
    exports = artifact.instantiate(store=wa.Store(limits=wa.Limits(memory_bytes=2 << 20))).exports
    held = [exports.node(number, exports.node(1, None)) for number in range(50)]
    pair = exports.two(9)
    exports.churn(2000)
    assert [exports.sum(node) for node in held] == [number + 1 for number in range(50)]
    assert [node[0] for node in pair] == [9, 9]


def test_what_nobody_holds_is_freed(artifact: wa.Artifact) -> None:
    """A million arrays of 8 kB in a store that has room for a hundred."""
    store = wa.Store(limits=wa.Limits(memory_bytes=1 << 20))
    artifact.instantiate(store=store).exports.churn(100_000)


def test_a_full_store_traps(artifact: wa.Artifact) -> None:
    exports = artifact.instantiate(store=wa.Store(limits=wa.Limits(memory_bytes=1 << 20))).exports
    held = []
    with pytest.raises(wa.Trap) as caught:
        for _ in range(1000):
            held.append(exports.many(1000))
    assert caught.value.code == "out_of_memory"
    del held[:]
    exports.churn(1000)


class Thing:
    """Something that can be watched."""


def _watched(make: Callable[[Thing], object]) -> weakref.ref[Thing]:
    thing = Thing()
    make(thing)
    return weakref.ref(thing)


def test_a_host_object_lives_as_long_as_a_struct_refers_to_it(got: Any) -> None:
    leaves = []
    watched = _watched(lambda thing: leaves.append(got.leaf(1, thing)))
    gc.collect()
    assert watched() is not None and leaves[0][2] is watched()
    leaves.clear()
    gc.collect()
    assert watched() is None


def test_a_cycle_within_the_guest_does_not_keep_host_objects(got: Any) -> None:
    def make(thing: Thing) -> None:
        leaf = got.leaf(1, thing)
        leaf[1] = leaf

    watched = _watched(make)
    gc.collect()
    assert watched() is None


CASTS_ALONE = b"""(module
  (type $number (func (result i32)))
  (type $none (func))
  (func $seven (type $number) (i32.const 7))
  (func $nothing)
  (table funcref (elem $seven $nothing))
  (func (export "is") (param i32) (result i32) (ref.test (ref $number) (table.get (local.get 0))))
  (func (export "run") (param i32) (result i32) (call_ref $number (ref.cast (ref $number) (table.get (local.get 0)))))
  (func (export "branch") (param i32) (result i32)
    (block $it (result (ref $number))
      (drop (br_on_cast $it funcref (ref $number) (table.get (local.get 0))))
      (return (i32.const -1)))
    (call_ref $number))
  (func (export "others") (param i32) (result i32) (local $any anyref)
    (local.set $any (ref.i31 (local.get 0)))
    (i32.add
      (ref.test (ref i31) (local.get $any))
      (i32.mul (i32.const 10) (i32.or
        (ref.test (ref struct) (local.get $any))
        (ref.test (ref array) (local.get $any)))))))
"""


@pytest.mark.parametrize("opt_level", [0, 2])
def test_casts_in_a_module_whose_types_are_all_functions(opt_level: int, tmp_path: Path) -> None:
    wa.pack(CASTS_ALONE, tmp_path / "casts.so", opt_level=opt_level)
    got: Any = wa.load(tmp_path / "casts.so").instantiate().exports
    assert [got["is"](0), got["is"](1)] == [1, 0]
    assert got.run(0) == 7
    with pytest.raises(wa.Trap) as trap:
        got.run(1)
    assert trap.value.code == "cast_failure"
    assert [got.branch(0), got.branch(1)] == [7, -1]
    assert got.others(5) == 1


def test_types_tell_what_their_fields_hold(artifact: wa.Artifact) -> None:
    rows = {row.kind: row for row in artifact.metadata.types}
    assert {"func", "struct", "array"} == set(rows)
    assert any(row.params == ("i8", "i16", "v128", "f32") for row in artifact.metadata.types if row.kind == "struct")


def test_python_makes_none(got: Any) -> None:
    for class_ in (wa.Struct, wa.Array):
        with pytest.raises(TypeError):
            class_()


SIZES_TEXT = b"""(module
  (type $bytes (array (mut i8))) (type $wide (array (mut v128))) (type $longs (array (mut i64)))
  (func (export "bytes") (param $length i32) (param $value i32) (result i64) (local $it (ref $bytes)) (local $sum i64)
    (local.set $it (array.new $bytes (local.get $value) (local.get $length)))
    (loop $next (if (local.get $length) (then
      (local.set $length (i32.sub (local.get $length) (i32.const 1)))
      (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u
        (array.get_u $bytes (local.get $it) (local.get $length)))))
      (br $next))))
    (i64.add (i64.mul (local.get $sum) (i64.const 1000)) (i64.extend_i32_u (array.len (local.get $it)))))
  (func (export "longs") (param $length i32) (result i64) (local $it (ref $longs)) (local $sum i64)
    (local.set $it (array.new_default $longs (local.get $length)))
    (loop $next (if (local.get $length) (then
      (local.set $length (i32.sub (local.get $length) (i32.const 1)))
      (array.set $longs (local.get $it) (local.get $length)
        (i64.add (array.get $longs (local.get $it) (local.get $length)) (i64.extend_i32_u (local.get $length))))
      (local.set $sum (i64.add (local.get $sum) (array.get $longs (local.get $it) (local.get $length))))
      (br $next))))
    (i64.add (i64.mul (local.get $sum) (i64.const 1000)) (i64.extend_i32_u (array.len (local.get $it)))))
  (func (export "wide") (param $length i32) (result i32) (local $it (ref $wide))
    (local.set $it (array.new_default $wide (local.get $length)))
    (array.set $wide (local.get $it) (i32.sub (local.get $length) (i32.const 1)) (v128.const i32x4 1 2 3 4))
    (i32.add (array.len (local.get $it))
      (i32x4.extract_lane 3 (array.get $wide (local.get $it) (i32.sub (local.get $length) (i32.const 1))))))
  (global $rows (mut (ref null $rows)) (ref.null $rows)) (type $rows (array (mut (ref null $bytes))))
  (func (export "many") (param $count i32) (param $length i32)
    (global.set $rows (array.new_default $rows (local.get $count)))
    (loop $next
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (array.set $rows (global.get $rows) (local.get $count) (array.new_default $bytes (local.get $length)))
      (br_if $next (local.get $count)))))"""


@pytest.fixture(scope="module", params=[0, 1, 2, 3])
def sizes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> wa.Artifact:
    path = tmp_path_factory.mktemp("sizes") / "sizes.so"
    wa.pack(SIZES_TEXT, path, opt_level=request.param)
    return wa.load(path)


def test_arrays_of_all_sizes_are_whole(sizes: wa.Artifact) -> None:
    """Around each size that code and runtime allocate in another way: expected is what the arithmetic gives."""
    exports = sizes.instantiate().exports
    around = [0, 1, 7, 8, 15, 16, 17, *range(90, 135), 500, 8175, 8177, 32752, 32753, 65488, 65489, 200_000]
    for length in around:
        assert exports.bytes(length, 3) == 3 * length * 1000 + length
        assert exports.bytes(length, 0) == length
    for length in (*range(20), 1021, 1023, 4093, 4095, 100_000):
        assert exports.longs(length) == length * (length - 1) // 2 * 1000 + length
    for length in (*range(1, 12), 511, 2047, 5000):
        assert exports.wide(length) == length + 4
    for length in (2**31, 2**32 - 1):
        with pytest.raises(wa.Trap):
            exports.longs(length)


def test_arrays_of_some_kilobytes_take_little_more(sizes: wa.Artifact) -> None:
    """A block for each would take 62 MiB. The rows before may live on: a word on the stack may look like them."""
    store = wa.Store(limits=wa.Limits(memory_bytes=40 << 20))
    exports = sizes.instantiate(store=store).exports
    for length in (9000, 12_000, 14_000):
        exports.many(1000, length)
