"""Encoding and reading back: what the views show is what the module's text and another engine say."""

from __future__ import annotations

import sys
import time
import zlib
from array import array
from collections.abc import Callable, Iterable
from dataclasses import replace
from types import FrameType
from typing import Any

import pytest
import wasmtime

from bench.synthetic import exported_functions
from tests.unit.metadata.sections import FUNCTION_SIZE_BYTES, RICH_WAT, fake_facts, module_from_text, section_from_text
from wasmartifact.codegen.chunks import chunk_columns
from wasmartifact.errors import ToolchainError
from wasmartifact.externtypes import FuncType, GlobalType, MemoryType, TableType, TagType
from wasmartifact.metadata import Metadata, rows
from wasmartifact.metadata.check_rows import check_rows
from wasmartifact.metadata.encode import MetadataFacts, encode_metadata, hash_slots
from wasmartifact.wasm.decode import decode_module


def with_addresses(facts: MetadataFacts, text_offsets: Iterable[int], wasm_offsets: Iterable[int]) -> MetadataFacts:
    """With these rows in the address map, which don't trap."""
    rows = array("I", text_offsets), array("I", wasm_offsets)
    chunks, source_files = chunk_columns(facts.module, *rows, array("I", bytes(4 * len(rows[0]))))
    return replace(facts, code=replace(facts.code, chunks=chunks, source_files=source_files))


@pytest.fixture(scope="module")
def rich() -> Metadata:
    return Metadata(section_from_text(RICH_WAT))


def rival_type(type_: object) -> object:
    """What wasmtime says of an import or export, as one of our types."""
    match type_:
        case wasmtime.FuncType():
            return FuncType(tuple(map(str, type_.params)), tuple(map(str, type_.results)))
        case wasmtime.MemoryType():
            return MemoryType(type_.limits.min, type_.limits.max, False, type_.is_64, 65536)
        case wasmtime.TableType():
            return TableType(str(type_.element), type_.limits.min, type_.limits.max, False, False)
        case wasmtime.GlobalType():
            return GlobalType(str(type_.content), type_.mutable)
    raise AssertionError(type_)


def test_imports_and_exports_are_those_that_wasmtime_sees() -> None:
    # wasmtime's Python API knows neither tags nor vectors here, and prints externref as anyref: leave them out.
    wat = RICH_WAT.replace('(import "env" "tag" (tag $tag (param i64)))', "").replace('(export "tag" (tag $tag))', "")
    wat = wat.replace("funcref v128", "funcref f64").replace("(result externref i32)", "(result i64 i32)")
    wat = wat.replace("(result (ref null extern)) (ref.null extern)", "(result funcref) (ref.null func)")
    module = wasmtime.Module(wasmtime.Engine(), wat)
    metadata = Metadata(section_from_text(wat))
    assert [(row.module, row.name, row.type) for row in metadata.imports] == [
        (entry.module, entry.name, rival_type(entry.type)) for entry in module.imports
    ]
    assert [(row.name, row.type) for row in metadata.exports] == [
        (entry.name, rival_type(entry.type)) for entry in module.exports
    ]


def test_import_kinds_count_per_kind(rich: Metadata) -> None:
    assert [(row.kind, row.index) for row in rich.imports] == [("func", 0), ("global", 0), ("table", 0), ("tag", 0)]
    assert rich.imports[1].name == "värde"
    assert rich.imports[-1].type == TagType(("i64",))


def test_exports_are_found_by_name(rich: Metadata) -> None:
    for row in rich.exports:
        assert rich.exports.find(row.name) == row
    found = rich.exports.find("naïve")
    assert found is not None and (found.kind, found.index) == ("func", 4)
    assert rich.exports.find("naive") is None
    assert rich.exports.find("\ud800") is None


def test_functions(rich: Metadata) -> None:
    imported, first, second, _, last = rich.functions
    assert (imported.name, imported.text_offset, imported.type) == ("log", None, FuncType(("i32",), ()))
    assert (first.name, first.text_offset, first.size_bytes) == ("add", 0, FUNCTION_SIZE_BYTES - 1)
    assert first.type == FuncType(("i32", "i64"), ("f32",))
    assert (first.is_short, second.is_short) == (False, True)
    assert last.name == "räksmörgås"
    assert rich.function_name(3) is None
    assert rich.function_name(99) is None


def test_wasm_offsets_point_at_code_entries(rich: Metadata) -> None:
    data = bytes(wasmtime.wat2wasm(RICH_WAT))
    row = rich.functions[1]
    assert row.wasm_offset is not None and row.wasm_size_bytes is not None
    # No locals, f32.const 0, end; the size stands before it.
    assert data[row.wasm_offset : row.wasm_offset + row.wasm_size_bytes] == b"\0\x43\0\0\0\0\x0b"
    assert data[row.wasm_offset - 1] == 7


def test_function_at(rich: Metadata) -> None:
    start = rich.functions[2].wasm_offset
    assert rich.function_at(FUNCTION_SIZE_BYTES) == (2, start)
    assert rich.function_at(FUNCTION_SIZE_BYTES + 15) == (2, start)
    assert rich.function_at(FUNCTION_SIZE_BYTES + 16) == (2, None)
    assert rich.function_at(FUNCTION_SIZE_BYTES - 1) is None, "between two functions"
    assert rich.function_at(10**6) is None
    assert rich.function_at(-1) is None


def test_function_at_takes_no_address_from_the_function_before() -> None:
    facts = fake_facts(module_from_text("(module (func) (func))"))
    metadata = Metadata(encode_metadata(with_addresses(facts, [4], [30])))
    assert metadata.function_at(2) == (0, None)
    assert metadata.function_at(5) == (0, 30)
    assert metadata.function_at(FUNCTION_SIZE_BYTES + 5) == (1, None)


def test_memories_tables_globals(rich: Metadata) -> None:
    assert rich.memories[0].type == MemoryType(2, 5, False, False, 65536)
    assert [row.type.element for row in rich.tables] == ["funcref", "externref", "funcref"]
    # Slot 0 is null; the functions $add and $start have the indices 1 and 2.
    assert list(rich.tables[2].image_slots) == [0, 3, 5]
    assert [row.type for row in rich.globals] == [
        GlobalType("i32", False), GlobalType("i64", True), GlobalType("i32", False)
    ]  # fmt: skip
    assert rich.globals[1].init == b"\x42\x2a\x0b"  # i64.const 42, end
    assert bytes(rich.column("global_image")) == (42).to_bytes(16, "little") + bytes(16)


def test_segments(rich: Metadata) -> None:
    active, passive, declared = rich.elements
    assert (active.mode, active.table_index, active.offset, active.in_image) == ("active", 2, 1, True)
    assert (passive.mode, list(passive.slots), passive.offset) == ("passive", [1], None)
    assert declared.mode == "declarative"
    first, second, bytes_, computed = rich.data
    assert (first.offset, first.in_image, first.data, second.offset) == (8, True, None, 70000)
    assert bytes_.data is not None and bytes(bytes_.data) == b"passive"
    assert (computed.offset, computed.in_image) == (None, False)
    assert computed.data is not None and bytes(computed.data) == b"computed"


def test_memory_image_is_what_an_instance_starts_with(rich: Metadata) -> None:
    memory = bytearray(2 * 65536)
    runs = zip(
        rich.column("run_memory_offset"), rich.column("run_section_offset"), rich.column("run_size"), strict=True
    )
    for memory_offset, section_offset, size in runs:
        memory[memory_offset : memory_offset + size] = rich.columns.section[section_offset : section_offset + size]
    expected = bytearray(2 * 65536)
    expected[8:13], expected[70000:70005] = b"hello", b"world"
    assert memory == expected


def test_custom_sections_and_info(rich: Metadata) -> None:
    names = [row.name for row in rich.custom_sections]
    assert names == ["name"]  # DWARF stays out unless it is asked for
    assert b"r\xc3\xa4ksm\xc3\xb6rg\xc3\xa5s" in bytes(rich.custom_sections[names.index("name")].data)
    assert rich.info == {"module_name": "rich", "cpu": "x86-64-v2"}


def test_traps_and_addresses(rich: Metadata) -> None:
    assert len(rich.address_map) == 8
    assert [row.text_offset for row in rich.trap_sites] == [16, 48, 80, 112]
    assert {row.trap for row in rich.trap_sites} == {"unreachable"}


def test_source_lines(rich: Metadata) -> None:
    """RICH_WAT says in a comment which lines its table gives; those of instructions in the address map are kept."""
    start = rich.functions[1].wasm_offset
    assert start is not None
    assert list(rich.source_lines) == [(start, "a.c", 1), (start + 4, None, None)]
    facts = fake_facts(module_from_text(RICH_WAT))
    metadata = Metadata(encode_metadata(with_addresses(facts, range(6), range(start - 1, start + 5))))
    assert list(metadata.source_lines) == [(start, "a.c", 1), (start + 2, "a.c", 2), (start + 4, None, None)]
    places = [metadata.source_at(start + distance) for distance in range(-1, 5)]
    assert places == [(None, None), ("a.c", 1), ("a.c", 1), ("a.c", 2), ("a.c", 2), (None, None)]


def test_rows_are_sequences(rich: Metadata) -> None:
    assert rich.exports[-1] == list(rich.exports)[-1]
    assert rich.exports[1:3] == tuple(rich.exports)[1:3]
    with pytest.raises(IndexError):
        rich.exports[len(rich.exports)]


def test_types_with_concrete_references() -> None:
    wat = (
        "(module (type $f (func)) (func (param (ref null $f) (ref func) (ref $f) (ref null exn) (ref null noextern))))"
    )
    metadata = Metadata(section_from_text(wat))
    names = ("(ref null 0)", "(ref func)", "(ref 0)", "exnref", "nullexternref")
    assert metadata.functions[0].type.params == names


def test_limits() -> None:
    wat = "(module (memory i64 1 8) (memory 1 2 shared) (memory 3 4 (pagesize 1)) (table i64 1 2 funcref))"
    metadata = Metadata(section_from_text(wat))
    assert [row.type for row in metadata.memories] == [
        MemoryType(1, 8, False, True, 65536), MemoryType(1, 2, True, False, 65536), MemoryType(3, 4, False, False, 1)
    ]  # fmt: skip
    assert metadata.tables[0].type == TableType("funcref", 1, 2, False, True)


def test_a_module_with_nothing() -> None:
    section = section_from_text("(module)")
    check_rows(section)
    metadata = Metadata(section)
    assert (len(metadata.exports), len(metadata.functions), list(metadata.imports)) == (0, 0, [])
    assert metadata.exports.find("") is None
    assert metadata.function_at(0) is None


def test_names_of_functions_that_do_not_exist_are_dropped() -> None:
    module = module_from_text("(module (func $f))")
    module.function_names[7] = "ghost"
    metadata = Metadata(encode_metadata(fake_facts(module)))
    assert [row.name for row in metadata.names] == ["f"]


def custom_section(name: bytes, contents: bytes) -> bytes:
    body = bytes([len(name)]) + name + contents
    return bytes([0, len(body)]) + body


def function_names(*names: tuple[int, bytes]) -> bytes:
    """A name section; all numbers are below 128."""
    entries = b"".join(bytes([index, len(name)]) + name for index, name in names)
    return custom_section(b"name", bytes([1, len(entries) + 1, len(names)]) + entries)


def test_names_are_stored_once_wherever_they_stand() -> None:
    """Several name sections among other ones, an empty name at a section's end, and names that others override."""
    data = bytes(wasmtime.wat2wasm("(module (func) (func) (func) (func))"))
    data = data[:8] + custom_section(b"early", b"name of nothing") + data[8:]
    data += function_names((1, b"overridden"), (2, b"stays"), (3, b"")) + custom_section(b"empty", b"")
    data += function_names((0, b"zero"), (1, "två".encode())) + custom_section(b"late", b"tail")
    section = encode_metadata(fake_facts(decode_module(data)))
    check_rows(section)
    metadata = Metadata(section)
    assert list(metadata.names) == [(0, "zero"), (1, "två"), (2, "stays"), (3, "")]
    assert [row.name for row in metadata.functions] == ["zero", "två", "stays", ""]
    assert bytes(section).count(b"stays") == 1


def test_values_that_do_not_fit_are_defects() -> None:
    facts = fake_facts(module_from_text("(module (func))"))
    with pytest.raises(ToolchainError, match="column function"):
        encode_metadata(replace(facts, code=replace(facts.code, sizes_bytes=[1 << 32])))
    with pytest.raises(ToolchainError, match="no-such"):
        encode_metadata(replace(facts, cpu_features=("no-such",)))


def test_encoding_is_deterministic() -> None:
    assert section_from_text(RICH_WAT) == section_from_text(RICH_WAT)


def test_closed_metadata_says_so() -> None:
    metadata = Metadata(section_from_text("(module)"))
    with metadata:
        pass
    with pytest.raises(ValueError, match="closed"):
        _ = metadata.exports
    metadata.close()


def test_hash_slots_leave_a_fifth_empty() -> None:
    for count in (0, 1, 2, 3, 4, 5, 1000):
        items = hash_slots([b"%d" % number for number in range(count)], range(1, count + 1))[::4]
        assert len(items) > 5 * count / 4 - 1 and len(items) > count and len(items).bit_count() == 1
        assert sorted(item for item in items if item) == list(range(1, count + 1))


def steps(function: Callable[..., object], *args: object) -> int:
    """How many lines of Python a call runs."""
    count = 0

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        function(*args)
    finally:
        sys.settrace(previous)
    return count


def test_names_of_one_hash_take_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever makes a module may choose them so. Probing one slot after the other would take n * n / 2 steps."""
    monkeypatch.setattr(rows, "export_hash", lambda name: 7)
    few, many = (
        steps(hash_slots, [b"%d" % number for number in range(count)], range(1, count + 1)) for count in (1000, 2000)
    )
    assert many < 3 * few < 100_000


def test_names_of_one_hash_are_checked_in_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "export_hash", lambda name: 7)
    few, many = (
        steps(check_rows, section_from_text(f"(module (global $g i32 (i32.const 0)) {exports})"))
        for exports in (
            "".join(f'(export "{number}" (global $g))' for number in range(count)) for count in (1000, 2000)
        )
    )
    assert many < 3 * few


@pytest.mark.parametrize("hashes", [7, 3, 1 << 31])
def test_slots_are_those_of_linear_probing(monkeypatch: pytest.MonkeyPatch, hashes: int) -> None:
    """As FORMAT.md says it: the first free one from the hash on, around the end."""
    monkeypatch.setattr(rows, "export_hash", lambda name: zlib.crc32(name) % hashes + (5 if hashes < 8 else 0))
    names = [b"%d" % number for number in range(50)]
    found = list(hash_slots(names, range(1, 51))[::4])
    wanted = [0] * len(found)
    for item, name in enumerate(names, 1):
        slot = rows.export_hash(name) % len(wanted)
        while wanted[slot]:
            slot = (slot + 1) % len(wanted)
        wanted[slot] = item
    assert found == wanted


def test_export_hash_is_fnv1a() -> None:
    """Vectors from the authors of FNV."""
    vectors = {b"": 0x811C9DC5, b"a": 0xE40C292C, b"foobar": 0xBF9CF968}
    assert {name: rows.export_hash(name) for name in vectors} == vectors


def test_a_hundred_thousand_exports(record_property: Callable[[str, object], None]) -> None:
    facts = fake_facts(decode_module(exported_functions(100_000)))
    start = time.perf_counter()
    section = encode_metadata(facts)
    encoded = time.perf_counter()
    exports = Metadata(section).exports
    first = time.perf_counter()
    found = [exports.find(f"f{index}") for index in (0, 1, 50_000, 99_999)]
    assert [row and row.index for row in found] == [0, 1, 50_000, 99_999]
    looked_up = time.perf_counter()
    record_property("encode_seconds", encoded - start)
    record_property("construct_seconds", first - encoded)
    record_property("lookup_seconds", (looked_up - first) / 4)
    check_rows(section)
    # A look-up probes, it does not search: a thousand of them touch a small part of the names.
    assert max(len(list(run)) for run in _runs(exports._columns.column("export_slots.item"))) < 200


def _runs(slots: memoryview) -> list[array[int]]:
    """Stretches of used slots."""
    runs = [array("I")]
    for slot in slots:
        if slot:
            runs[-1].append(slot)
        elif runs[-1]:
            runs.append(array("I"))
    return runs
