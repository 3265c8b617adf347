"""Initial memories and tables: as under wasmtime whatever the segments, private to each instance, safe in growth."""

from __future__ import annotations

import gc
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import wasmtime

import wasmartifact as wa
from bench.synthetic import END, I32_CONST, section
from tests.support.process import mappings
from tests.unit.runtime.harness import instance, load, packed
from wasmartifact.wasm.encode import signed, unsigned

PAGE = 65536
#: Slots of a table image that is mapped, not copied: more than 64 KiB of 8 bytes each.
MAPPED_SLOTS = 10_000


# Data -----------------------------------------------------------------------------------------------------------------


def wat_bytes(data: bytes) -> str:
    """A string literal of the text format."""
    return '"' + "".join(f"\\{byte:02x}" for byte in data) + '"'


@dataclass(frozen=True)
class Plan:
    """A module that does nothing but initialise a memory; ``base`` is the value of the imported global."""

    wat: str
    pages: int
    base: int
    is_imported: bool


def memory_under_wasmtime(plan: Plan) -> tuple[bytes | None, bool]:
    """Contents of the memory afterwards, where they can be seen, and whether instantiation trapped."""
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    base = wasmtime.Global(store, wasmtime.GlobalType(wasmtime.ValType.i32(), False), wasmtime.Val.i32(plan.base))
    imports: list[wasmtime.Global | wasmtime.Memory] = [base]
    memory: wasmtime.Memory | None = None
    if plan.is_imported:
        memory = wasmtime.Memory(store, wasmtime.MemoryType(wasmtime.Limits(plan.pages, None)))
        imports.append(memory)
    try:
        made = wasmtime.Instance(store, wasmtime.Module(engine, plan.wat), imports)
    except wasmtime.Trap:
        return (bytes(memory.read(store)) if memory else None), True
    found = made.exports(store)["memory"]
    assert isinstance(found, wasmtime.Memory)
    return bytes(found.read(store)), False


def memory_under_wasmartifact(plan: Plan, path: Path) -> tuple[bytes | None, bool]:
    """The same from an artifact."""
    wa.pack(plan.wat.encode(), path)
    imports: dict[str, object] = {"base": plan.base}
    memory = wa.Memory(plan.pages) if plan.is_imported else None
    if memory is not None:
        imports["memory"] = memory
    try:
        made = wa.load(path).instantiate({"env": imports})
    except wa.Trap as trap:
        assert trap.code == "memory_out_of_bounds"
        return (bytes(memory) if memory is not None else None), True
    return bytes(made.exports.memory), False


def random_plan(seed: int) -> Plan:
    """Segments that overlap, touch each other and page boundaries, lie at computed offsets, are empty, or don't fit."""
    chance = random.Random(seed)
    pages = chance.choice([0, 1, 1, 2, 3])
    base = chance.choice([0, 1, 4090, PAGE - 10, PAGE])
    is_imported = chance.random() < 0.4
    edges = [0, 1, 4095, 4096, 8192, PAGE - 1, PAGE, 2 * PAGE - 5, max(pages * PAGE - 40, 0)]
    segments = []
    for number in range(chance.randrange(1, 9)):
        size = chance.choice([0, 1, 5, 40, 4096, 5000])
        data = bytes([number + 1]) * size
        kind = chance.random()
        if kind < 0.15:
            segments.append(f"(data {wat_bytes(data)})")
            continue
        place = max(0, chance.choice(edges) + chance.randrange(-3, 4))
        if place + size > pages * PAGE and chance.random() < 0.8:
            place = max(0, pages * PAGE - size)
        offset = f"(i32.const {place})" if kind < 0.75 else "(global.get $base)"
        segments.append(f"(data {offset} {wat_bytes(data)})")
    memory = (
        f'(import "env" "memory" (memory $m {pages}))' if is_imported else f"(memory $m {pages})"
    )  # an import stands before definitions, as the base does
    wat = f"""(module (import "env" "base" (global $base i32)) {memory} (export "memory" (memory $m))
        {" ".join(segments)})"""
    return Plan(wat, pages, base, is_imported)


def test_memories_start_as_under_wasmtime(tmp_path: Path) -> None:
    trapped = 0
    for seed in range(60):
        plan = random_plan(seed)
        expected = memory_under_wasmtime(plan)
        found = memory_under_wasmartifact(plan, tmp_path / "a.so")
        assert found[1] == expected[1], (seed, plan.wat)
        assert found[0] == expected[0], (seed, plan.wat)
        trapped += expected[1]
    assert 5 <= trapped <= 40  # both ways are covered


def test_a_large_image(tmp_path: Path) -> None:
    """12 MB in three segments with gaps, all through the mapping: contents, sharing with the file, size of the file."""
    chance = random.Random(1)
    places = [0, 5_000_001, 9_999_999]
    parts = [chance.randbytes(size) for size in (4_000_000, 4_000_000, 4_000_000)]
    total = places[-1] + len(parts[-1])
    pages = total // PAGE + 1
    wasm = module_of_data(pages, list(zip(places, parts, strict=True)))
    report = wa.pack(wasm, tmp_path / "a.so")
    assert sum(map(len, parts)) <= report.size_bytes < sum(map(len, parts)) + PAGE
    expected = bytearray(pages * PAGE)
    for place, part in zip(places, parts, strict=True):
        expected[place : place + len(part)] = part
    made = wa.load(tmp_path / "a.so").instantiate()
    assert made.exports.memory[0 : pages * PAGE] == expected
    assert len(mappings(tmp_path / "a.so")) >= 5  # code, metadata, three runs


def module_of_data(pages: int, segments: Sequence[tuple[int, bytes]]) -> bytes:
    """A module that exports a memory with data: written as bytes, since the text of megabytes takes long to parse."""
    data = b"".join(
        bytes([0, I32_CONST]) + signed(place) + bytes([END]) + unsigned(len(part)) + part for place, part in segments
    )
    return b"".join(
        (
            b"\0asm\1\0\0\0",
            section(5, 1, bytes([0]) + unsigned(pages)),
            section(7, 1, unsigned(6) + b"memory" + bytes([2, 0])),
            section(11, len(segments), data),
        )
    )


PRIVATE_WAT = """(module
  (memory (export "memory") 2 10) (data (i32.const 100) "image") (data (i32.const 65530) "across pages")
  (data $passive "passive")
  (func (export "init") (param i32 i32 i32) (memory.init $passive (local.get 0) (local.get 1) (local.get 2)))
  (func (export "drop") (data.drop $passive))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "size") (result i32) (memory.size))
  (func (export "fill") (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
  (func (export "store") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
  (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0))))"""


def test_image_pages_are_private() -> None:
    artifact, before = load(PRIVATE_WAT), packed(PRIVATE_WAT).read_bytes()
    first, second = artifact.instantiate(), artifact.instantiate()
    first.exports.store(100, ord("I"))
    first.exports.memory[65530:65536] = b"ACROSS"
    second.exports.fill(0, 0xFF, 2 * PAGE)
    third = artifact.instantiate()
    assert first.exports.memory[100:105] == b"Image"
    assert first.exports.memory[65530:65542] == b"ACROSS pages"
    assert second.exports.memory[65530:65542] == b"\xff" * 12
    assert third.exports.memory[100:105] == b"image"
    assert third.exports.memory[65530:65542] == b"across pages"
    assert packed(PRIVATE_WAT).read_bytes() == before
    wa.verify(packed(PRIVATE_WAT))


def test_growth_keeps_the_image() -> None:
    made = instance(PRIVATE_WAT)
    view = memoryview(made.exports.memory)
    made.exports.store(101, ord("M"))
    assert [made.exports.grow(delta) for delta in (0, 1, 7, 1)] == [2, 2, 3, -1]
    assert made.exports.size() == 10
    assert made.exports.memory[100:105] == b"iMage"
    assert made.exports.memory[65530:65542] == b"across pages"
    assert made.exports.memory[2 * PAGE : 10 * PAGE] == bytes(8 * PAGE)
    made.exports.store(10 * PAGE - 1, 7)
    assert made.exports.load(10 * PAGE - 1) == 7
    with pytest.raises(wa.Trap, match="out of bounds memory access"):
        made.exports.load(10 * PAGE)
    view[102] = ord("A")
    assert made.exports.load(102) == ord("A")
    assert len(view) == 2 * PAGE


def test_passive_segments_are_not_in_the_image() -> None:
    made = instance(PRIVATE_WAT)
    made.exports.init(200, 1, 4)
    assert made.exports.memory[198:206] == b"\0\0assi\0\0"
    with pytest.raises(wa.Trap, match="out of bounds memory access"):
        made.exports.init(0, 5, 3)
    with pytest.raises(wa.Trap, match="out of bounds memory access"):
        made.exports.init(2 * PAGE - 1, 0, 2)
    assert made.exports.memory[2 * PAGE - 1] == 0  # nothing of it was written
    made.exports.drop()
    made.exports.init(2 * PAGE, 0, 0)
    with pytest.raises(wa.Trap, match="out of bounds memory access"):
        made.exports.init(0, 0, 1)
    other = instance(PRIVATE_WAT)
    other.exports.init(0, 0, 7)
    assert other.exports.memory[0:7] == b"passive"


# Elements -------------------------------------------------------------------------------------------------------------


def table_wat(slots: int = MAPPED_SLOTS) -> str:
    """A table that is mapped: slot i holds function i % 3, where there is no gap; f<n>() returns n."""
    filled = " ".join(f"$f{index % 3}" for index in range(slots - 100))
    return f"""(module
      (type $number (func (result i32)))
      (table $t (export "table") {slots} {slots + 5000} funcref)
      (func $f0 (export "f0") (result i32) (i32.const 10)) (func $f1 (result i32) (i32.const 11))
      (func $f2 (export "f2") (result i32) (i32.const 12)) (func $other (param i64))
      (elem (i32.const 0) func {filled})
      (elem (i32.const 3) func $f2 $f2)
      (elem (i32.const {slots - 1}) func $other)
      (elem $passive func $f1 $f2)
      (func (export "call") (param i32) (result i32) (call_indirect (type $number) (local.get 0)))
      (func (export "is_null") (param i32) (result i32) (ref.is_null (table.get $t (local.get 0))))
      (func (export "set") (param i32 funcref) (table.set $t (local.get 0) (local.get 1)))
      (func (export "grow") (param i32 funcref) (result i32) (table.grow $t (local.get 1) (local.get 0)))
      (func (export "fill") (param i32 funcref i32) (table.fill $t (local.get 0) (local.get 1) (local.get 2)))
      (func (export "copy") (param i32 i32 i32) (table.copy (local.get 0) (local.get 1) (local.get 2)))
      (func (export "init") (param i32 i32 i32) (table.init $passive (local.get 0) (local.get 1) (local.get 2))))"""


def check_slots(made: wa.Instance, expected: dict[int, int | None]) -> None:
    """Slots call functions that return these numbers; None is null."""
    for index, number in expected.items():
        assert made.exports.is_null(index) == (number is None), index
        if number is None:
            assert made.exports.table[index] is None
            with pytest.raises(wa.Trap, match="uninitialized element"):
                made.exports.call(index)
        else:
            assert made.exports.call(index) == number, index
            assert made.exports.table[index]() == number, index


INITIAL = {0: 10, 1: 11, 2: 12, 3: 12, 4: 12, 5: 12, 6: 10, 5000: 12, 9899: 12, 9900: None, 9998: None}


def test_a_mapped_table_starts_right() -> None:
    artifact = load(table_wat())
    before = len(mappings(packed(table_wat())))
    made = artifact.instantiate()
    assert len(mappings(packed(table_wat()))) == before + 1  # the image of the slots
    assert len(made.exports.table) == MAPPED_SLOTS
    check_slots(made, INITIAL)
    with pytest.raises(wa.Trap, match="indirect call type mismatch"):
        made.exports.call(MAPPED_SLOTS - 1)
    with pytest.raises(wa.Trap, match="undefined element"):
        made.exports.call(MAPPED_SLOTS)
    assert made.exports.table[6] == made.exports.f0


def test_a_mapped_table_is_private() -> None:
    artifact, before = load(table_wat()), packed(table_wat()).read_bytes()
    first, second = artifact.instantiate(), artifact.instantiate()
    assert first.exports.table[0] == first.exports.f0 != second.exports.f0 == second.exports.table[0]
    first.exports.set(1, None)
    first.exports.table[2] = second.exports.f0
    second.exports.fill(0, None, MAPPED_SLOTS)
    check_slots(first, INITIAL | {1: None, 2: 10})
    check_slots(second, dict.fromkeys(INITIAL))
    check_slots(artifact.instantiate(), INITIAL)
    assert packed(table_wat()).read_bytes() == before


def test_a_mapped_table_grows() -> None:
    made = instance(table_wat())
    made.exports.set(6, made.exports.f2)
    assert made.exports.grow(0, None) == MAPPED_SLOTS
    assert made.exports.grow(1000, made.exports.f2) == MAPPED_SLOTS
    assert made.exports.table.grow(1000) == MAPPED_SLOTS + 1000
    expected = INITIAL | {6: 12, 10_000: 12, 10_999: 12, 11_000: None, 11_999: None}
    check_slots(made, expected)
    assert made.exports.grow(3001, None) == -1
    with pytest.raises(ValueError, match="maximum is 15000"):
        made.exports.table.grow(3001)
    assert made.exports.grow(3000, None) == 12_000
    check_slots(made, expected)
    with pytest.raises(wa.Trap, match="indirect call type mismatch"):
        made.exports.call(MAPPED_SLOTS - 1)
    del made
    gc.collect()
    assert mappings(packed(table_wat())) == []


def test_bulk_operations_on_a_mapped_table() -> None:
    made = instance(table_wat())
    made.exports.copy(9900, 0, 99)
    made.exports.copy(1, 0, 6)  # overlapping, upwards
    made.exports.init(20, 0, 2)
    made.exports.fill(5000, made.exports.f0, 1)
    check_slots(made, {0: 10, 1: 10, 2: 11, 3: 12, 4: 12, 5: 12, 6: 12, 20: 11, 21: 12, 5000: 10, 9901: 11, 9998: 12})
    with pytest.raises(wa.Trap, match="out of bounds table access"):
        made.exports.copy(9999, 0, 2)
    with pytest.raises(wa.Trap, match="out of bounds table access"):
        made.exports.init(MAPPED_SLOTS - 1, 0, 2)


def test_a_mapped_table_works_in_another_instance() -> None:
    """Slots of an image are indices into the instance that defines the table, whoever calls through it."""
    artifact = load(table_wat())
    first, second = artifact.instantiate(), artifact.instantiate()
    user = instance(
        f"""(module (import "env" "t" (table $t {MAPPED_SLOTS} funcref))
          (func $mine (result i32) (i32.const 99))
          (table $small (export "small") 4 funcref)
          (elem (table $t) (i32.const 9) func $mine)
          (func (export "call") (param i32) (result i32) (call_indirect $t (result i32) (local.get 0)))
          (func (export "take") (table.copy $small $t (i32.const 0) (i32.const 8) (i32.const 4)))
          (func (export "call_small") (param i32) (result i32) (call_indirect $small (result i32) (local.get 0))))""",
        {"env": {"t": first.exports.table}},
    )
    assert [user.exports.call(index) for index in (0, 1, 2, 9)] == [10, 11, 12, 99]
    assert (first.exports.call(9), second.exports.call(9)) == (99, 10)
    user.exports.take()
    assert [user.exports.call_small(index) for index in range(4)] == [12, 99, 11, 12]
    assert user.exports.small[3] == first.exports.f2
    assert user.exports.small[3] != second.exports.f2


@pytest.mark.parametrize("slots", [1, 10, 4096, 4097, 20_000])
def test_tables_of_many_sizes(slots: int) -> None:
    """Below and above the size from which images are mapped; the last slot of all counts."""
    made = instance(
        f"""(module (table (export "table") {slots} funcref) (func $a (result i32) (i32.const 1))
        (func $b (result i32) (i32.const 2))
        (elem (i32.const 0) func {"$a " * slots}) (elem (i32.const {slots - 1}) func $b))"""
    )
    table = made.exports.table
    assert len(table) == slots
    assert table[slots - 1]() == 2
    assert slots == 1 or table[0]() == table[slots - 2]() == 1
    with pytest.raises(IndexError):
        table[slots]


def test_elements_take_effect_in_order_up_to_the_one_that_does_not_fit() -> None:
    wat = """(module (import "env" "t" (table $t 10 funcref)) (import "env" "base" (global $base i32))
      (func $a (result i32) (i32.const 1)) (func $b (result i32) (i32.const 2)) (func $c (result i32) (i32.const 3))
      (elem (i32.const 0) func $a $a $a) (elem (global.get $base) func $b $b) (elem (i32.const 2) func $c)
      (elem (i32.const 9) func $a $a) (elem (i32.const 5) func $c))"""
    table = wa.Table("funcref", 10)
    with pytest.raises(wa.Trap) as caught:
        instance(wat, {"env": {"t": table, "base": 1}})
    assert caught.value.code == "table_out_of_bounds"
    assert [slot and slot() for slot in table] == [1, 2, 3, *[None] * 7]
