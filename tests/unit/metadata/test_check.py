"""Hostile bytes: the checks name what is wrong, and nothing but our own errors ever comes out."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.metadata.sections import (
    RICH_WAT,
    artifact_from_text,
    fake_facts,
    module_from_text,
    section_from_text,
)
from wasmartifact import schema
from wasmartifact.codegen.chunks import chunk_columns
from wasmartifact.elf.read import find_section
from wasmartifact.errors import ArtifactError, BadMagic, CorruptArtifact, VersionMismatch
from wasmartifact.metadata import Metadata, digests
from wasmartifact.metadata import check_directory as check_directory_module
from wasmartifact.metadata.check_directory import check_directory
from wasmartifact.metadata.check_rows import check_rows
from wasmartifact.metadata.columns import Columns
from wasmartifact.metadata.encode import encode_metadata
from wasmartifact.metadata.header import patch_header

SECTION = bytes(section_from_text(RICH_WAT))
NUMBERED = {column.name: number for number, column in enumerate(schema.COLUMNS)}
LAST = schema.COLUMNS[-1]
EMPTY = next(column for column in schema.COLUMNS if not Columns(SECTION).entries[column.id].count)
ENTRY = struct.Struct("<IIQQ")
#: Of the first row that traps, in its chunk: where the second value of it stands.
TRAP_PLACE = bytes(Columns(SECTION).column("address_chunk_bytes")).index(33) + 1  # 16 bytes behind the row before
CUSTOM_SIZE_BYTES = len(Columns(SECTION).column("custom_data_bytes"))


def read_everything(section: bytes) -> None:
    """Every view, every row, every look-up."""
    with Metadata(section) as metadata:
        for name in (
            "types", "imports", "exports", "functions", "memories", "tables", "globals", "tags", "elements", "data",
            "names", "custom_sections", "address_map", "trap_sites", "source_lines",
        ):  # fmt: skip
            _each(lambda name=name: list(getattr(metadata, name)))  # type: ignore[misc]
        _each(lambda: metadata.info)
        for export in ("memory", "add", "", "naïve", "missing"):
            _each(lambda export=export: metadata.exports.find(export))  # type: ignore[misc]
        for text_offset in (0, 17, 31, 100, 2**32 - 1):
            _each(lambda text_offset=text_offset: metadata.function_at(text_offset))  # type: ignore[misc]
        for wasm_offset in (0, *range(300, 900, 2), 2**32 - 1):
            _each(lambda wasm_offset=wasm_offset: metadata.source_at(wasm_offset))  # type: ignore[misc]
        for func_index in range(6):
            _each(lambda func_index=func_index: metadata.function_name(func_index))  # type: ignore[misc]


def _each(action: Callable[[], object]) -> None:
    """One damaged row must not hide what the others do."""
    try:
        action()
    except ArtifactError:
        return


def patched(**fields: int | bytes) -> bytearray:
    section = bytearray(SECTION)
    patch_header(section, **fields)
    return section


def with_entry(name: str, **changes: int) -> bytearray:
    """The section with a changed directory entry."""
    section = bytearray(SECTION)
    place = 384 + ENTRY.size * NUMBERED[name]
    fields = dict(zip(("column_id", "size", "offset", "count"), ENTRY.unpack_from(section, place), strict=True))
    ENTRY.pack_into(section, place, *(fields | changes).values())
    return section


def with_value(name: str, row: int, value: int) -> bytearray:
    """The section with one changed value of a column, or of a field of its structures."""
    section = bytearray(SECTION)
    name, _, field = name.partition(".")
    column = schema.COLUMN_BY_NAME[name]
    entry = Columns(SECTION).entries[column.id]
    start, size = entry.offset + row * entry.element_size_bytes, entry.element_size_bytes
    if field:
        start, size = start + schema.STRUCT_BY_NAME[column.type].offsets()[field], 4
    section[start : start + size] = value.to_bytes(size, "little")
    return section


def test_a_sound_section_passes() -> None:
    check_directory(SECTION)
    check_rows(SECTION)
    read_everything(SECTION)


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"magic": 1}, BadMagic, "0x1"),
        ({"format_major": 3}, VersionMismatch, "format 3, this version reads 2"),
        ({"machine": 3}, CorruptArtifact, "machine is 3"),
        ({"page_size_bytes": 65536}, CorruptArtifact, "page_size_bytes is 65536, expected 4096"),
        ({"header_size_bytes": 0}, CorruptArtifact, "header_size_bytes"),
        ({"directory_offset": 2**32 - 1}, CorruptArtifact, "directory_offset"),
        ({"directory_count": 2**32 - 1}, CorruptArtifact, "end of the directory"),
        ({"section_size_bytes": 2**63}, CorruptArtifact, "section_size_bytes"),
        ({"head_size_bytes": 5000}, CorruptArtifact, "head_size_bytes is 5000"),
        ({"flags": 64}, CorruptArtifact, "flags is 64, expected no bits"),
        ({"reserved": 1}, CorruptArtifact, "reserved is 1, expected 0"),
    ],
)
def test_header(fields: dict[str, int], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        check_directory(patched(**fields))


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("export_kind", {"column_id": 5}, "column_id is 5, expected more than 97"),
        ("export_kind", {"size": 2}, "element_size_bytes is 2, expected 1 for export_kind"),
        ("export_kind", {"offset": 2**63}, "end is"),
        ("export_kind", {"offset": 64}, "offset is 64, expected at least"),
        (EMPTY.name, {"offset": 64}, "offset is 64, expected at least"),
        ("export_kind", {"offset": 4097}, "offset is 4097, expected a multiple of 64"),
        ("export_kind", {"count": 2**64 - 1}, "end is"),
        ("export_kind", {"count": 7}, "count of export_kind is 7, expected 8"),
        ("export_name", {"count": 8}, "count of export_kind is 8, expected 7"),
        ("export_slots", {"count": 15}, "a power of two above 8"),
        ("export_slots", {"count": 8}, "a power of two above 8"),
        ("export_slots", {"count": 0}, "a power of two above 8"),
        ("global_image", {"count": 4}, "count of global_image is 4, expected at most 3"),
        (LAST.name, {"column_id": LAST.id + 1}, f"column is missing, expected {LAST.name}"),
    ],
)
def test_directory(name: str, changes: dict[str, int], words: str) -> None:
    with pytest.raises(CorruptArtifact, match=words):
        check_directory(with_entry(name, **changes))


@given(
    number=st.integers(0, len(Columns(SECTION).directory) - 1),
    word=st.integers(0, 2),
    change=st.sampled_from([-4096, -64, -16, -1, 1, 2, 16, 64, 4096, 1 << 32, 1 << 63]),
)
@settings(max_examples=1000, deadline=None)
def test_a_look_at_all_entries_agrees_with_a_look_at_each(number: int, word: int, change: int) -> None:
    assert check_directory_module._is_plain(Columns(SECTION))
    section = bytearray(SECTION)
    place = 384 + ENTRY.size * number + 8 * word
    value = int.from_bytes(section[place : place + 8], "little") + change
    section[place : place + 8] = (value % 2**64).to_bytes(8, "little")
    columns = Columns(section)
    is_plain = check_directory_module._is_plain(columns)
    try:
        check_directory_module._check_entries(columns)
        check_directory_module._check_counts(columns)
    except CorruptArtifact:
        assert not is_plain
    else:
        assert is_plain


def test_unknown_columns_are_ignored() -> None:
    """A newer minor version has one more column, and everything else a page further on."""
    columns = len(Columns(SECTION).directory)
    directory_end, page = 384 + columns * ENTRY.size, 4096
    section = bytearray(SECTION[:directory_end] + bytes(page) + SECTION[directory_end:])
    for number in range(columns):
        column_id, size, offset, count = ENTRY.unpack_from(section, 384 + number * ENTRY.size)
        ENTRY.pack_into(section, 384 + number * ENTRY.size, column_id, size, offset + page, count)
    place = directory_end + ENTRY.size + 63 & -64
    ENTRY.pack_into(section, directory_end, 99999, 3, place, 2)
    section[place] = 1
    for name in ("table_image_offset", "run_section_offset"):
        entry = Columns(section).entries[schema.COLUMN_BY_NAME[name].id]
        for place in range(entry.offset, entry.end, 8):
            offset = int.from_bytes(section[place : place + 8], "little")
            section[place : place + 8] = (offset + page if offset else 0).to_bytes(8, "little")
    count = columns + 1
    patch_header(
        section,
        directory_count=count,
        format_minor=schema.FORMAT_MINOR + 1,
        cpu_features=1 << 63,
        section_size_bytes=len(section),
    )
    check_rows(section)
    exports = Metadata(section).exports
    assert list(exports) == list(Metadata(SECTION).exports)


@pytest.mark.parametrize(
    ("name", "row", "value", "words"),
    [
        ("type_kind", 0, 3, "type_kind, row 0, is 3"),
        ("type_canonical", 1, 0, "type_canonical, row 1, is 0, expected 1"),
        ("type_params", 1, 2**32 - 1, "type_params, row 2"),
        ("type_values", 0, 0x50, "type_values, row 0, is 80, expected a value type"),
        ("type_entry", 0, 2**31, "type_entry"),
        ("import_kind", 0, 5, "import_kind"),
        ("import_index", 1, 1, "import_index, row 1, is 1, expected 0"),
        ("import_name_bytes", 4, 0xFF, "import_name, row 1, .* expected UTF-8"),
        ("export_index", 3, 5, "export_index, row 3, is 5, expected below 5"),
        ("export_kind", 3, 4, "export_index, row 3"),
        ("export_name", 8, 1000, "export_name, row 8"),
        ("function.type", 0, 6, "function.type, row 0, is 6, expected below 6"),
        (
            "function.text_offset",
            0,
            1,
            r"function, row 0, is \(1, 0, 0\), expected zeros: an imported function has no code",
        ),
        ("function.text_offset", 2, 0, "function.text_offset, row 2, is 0, expected at least 31"),
        ("function.code_size_bytes", 4, 2**31, "function.code_size_bytes, row 4"),
        ("function.flags", 1, 2, "function.flags"),
        ("function_name_index", 0, 1, "function_name_index, row 1, is 1, expected above 1"),
        ("function_name_index", 3, 5, "function_name_index, row 3, is 5, expected below 5"),
        ("function_name_offset", 1, 2**64 - 1, f"function_name_offset, row 1, is {2**64 - 1}, expected at most "),
        ("function_name_offset", 1, CUSTOM_SIZE_BYTES, "function_name_size, row 1, is 3, expected at most 0"),
        ("function_name_size", 2, 2**32 - 1, f"function_name_size, row 2, is {2**32 - 1}, expected at most "),
        ("function_name_size", 3, 2, r"function_name_offset, row 3, is b'r\\xc3', expected UTF-8"),
        ("table_type", 0, 0x7F00, "table_type"),
        ("table_min", 0, 11, "table_min, row 0, is 11, expected at most 10"),
        ("table_max", 1, 9, "table_max, row 1"),
        ("table_flags", 0, 8, "table_flags"),
        ("table_image_offset", 2, 64, "table_image_offset, row 2, is 64, expected a multiple of 4096"),
        ("table_image_count", 0, 1, "expected 0, for the table is imported"),
        ("table_image_count", 2, 6, "expected at most 5"),
        ("memory_min_pages", 0, 6, "memory_min_pages, row 0, is 6, expected at most 5"),
        ("memory_page_log2", 0, 17, "memory_page_log2"),
        ("memory_guard", 0, 2, "memory_guard"),
        ("global_flags", 0, 2, "global_flags"),
        ("global_init", 1, 1, "global_init, row 0, is an initialiser"),
        ("tag_type", 0, 6, "tag_type"),
        ("element_mode", 0, 3, "element_mode"),
        ("element_table", 0, 3, "element_table, row 0, is 3"),
        ("element_table", 1, 2, "element_table, row 1, is 2"),
        ("element_in_image", 1, 1, "element_in_image, row 1"),
        ("element_slot_values", 0, 2, "element_slot_values, row 0, is slot 0x2"),
        ("element_slot_values", 0, 11, "element_slot_values, row 0, is slot 0xb"),
        ("data_mode", 0, 2, "data_mode"),
        ("data_memory", 0, 1, "data_memory, row 0, is 1"),
        ("data_in_image", 2, 1, "data_in_image, row 2"),
        ("data_size", 2, 6, "data_start, row 2, is 7 bytes, expected 6"),
        ("run_memory", 0, 1, "run_memory, row 0, is 1"),
        ("run_memory_offset", 0, 1, "run_memory_offset, row 0, is 1"),
        ("run_memory_offset", 1, 0, "run_memory_offset, row 1, is 0"),
        ("run_section_offset", 0, 0, "overlap"),
        ("run_size", 0, 0, "run_size, row 0, is 0"),
        ("run_size", 1, 2**40, "run_size, row 1"),
        ("address_chunk_key", 0, 2**31, "address_chunk .*, row 7, is key 2147483760, expected one below"),
        ("address_chunk", 1, 2, "address_chunk, row 0, is damaged, expected rows in chunks"),
        ("address_chunk_bytes", 0, 2, "address_chunk, row 0, is damaged"),
        ("address_chunk_bytes", TRAP_PLACE, 100, "address_chunk .*, row 1, is 100, expected a trap code or 0"),
        ("info_key_bytes", 0, 0xC0, "info_key, row 0"),
        ("source_chunk", 0, 1, "source_chunk, row 0, is damaged"),
        ("source_chunk_bytes", 1, 2, "source_chunk .*, row 0, is 2, expected at most 1"),
        ("source_chunk_bytes", 3, 1, "source_chunk .*, row 1, is key [0-9]+, expected one above"),
        ("source_file_name_bytes", 0, 0xFF, "source_file_name, row 0, .* expected UTF-8"),
    ],
)
def test_rows(name: str, row: int, value: int, words: str) -> None:
    section = with_value(name, row, value)
    check_directory(section)
    with pytest.raises(CorruptArtifact, match=words):
        check_rows(section)
    read_everything(bytes(section))


@pytest.mark.parametrize(
    ("calls", "at", "words"),
    [
        ([(1, 2)], 9, None),
        ([(1, 2), (1, 4)], 9 * 7 * 3, None),
        ([(0, 2)], 0, "inlined_call_func, row 0, is 0, expected a function that has code"),
        ([(3, 2)], 0, "inlined_call_func, row 0, is 3, expected a function that has code"),
        ([(1, -1)], 0, "inlined_call_offset, row 0, is [0-9]+, expected one behind the last, from"),
        ([(1, 9)], 0, "inlined_call_offset, row 0"),
        ([(1, 4), (1, 2)], 0, "inlined_call_offset, row 1"),
        ([(2, 1), (1, 2)], 0, "inlined_call_offset, row 1"),
        ([(1, 2)], 9 * 17, "inlined_call_func, row 0, is offset [0-9]+, expected one in a copy of its body"),
        ([(1, 2)], -1, "inlined_call_func, row 0, is offset [0-9]+, expected one in a copy of its body"),
    ],
)
def test_inlined_calls(calls: list[tuple[int, int]], at: int, words: str | None) -> None:
    """Offsets of calls count from the body of the function, which has 9 bytes; the first row's, too."""
    wat = """(module (import "m" "n" (func)) (func (call 1) (call 1) (call 1) nop) (func))"""
    module = module_from_text(wat)
    facts = fake_facts(module)
    starts = {1: module.codes[0].start, 2: module.codes[1].start, 0: 0, 3: 0}
    assert module.codes[0].end - starts[1] == 9
    chunks, _ = chunk_columns(module, array("I", [0, 16]), array("I", [starts[1] + at, starts[1]]), array("I", [0, 1]))
    code = replace(
        facts.code, chunks=chunks, inlined_calls=[(index, starts[index] + offset) for index, offset in calls]
    )
    section = encode_metadata(replace(facts, code=code))
    check_directory(section)
    read_everything(bytes(section))
    if words is None:
        check_rows(section)
        return
    with pytest.raises(CorruptArtifact, match=words):
        check_rows(section)


@pytest.mark.parametrize(
    ("offsets", "words"),
    [
        ([None] * 3, None),
        ([None, 2**31, None], "type_inward, row 1"),
        ([None] * 2, "type_inward, row 2, is 2 rows, expected none, or 3"),
    ],
)
def test_inward_trampolines(offsets: list[int | None], words: str | None) -> None:
    facts = fake_facts(module_from_text("(module (type (func)) (type (func (param i32))) (type (func (param i64))))"))
    section = encode_metadata(replace(facts, code=replace(facts.code, inward_text_offsets=offsets)))
    check_directory(section)
    if words is None:
        check_rows(section)
        return
    with pytest.raises(CorruptArtifact, match=words):
        check_rows(section)


def test_the_export_index_must_find_every_export() -> None:
    for field in (field.name for field in schema.EXPORT_SLOT.fields):
        for slot, sound in enumerate(Columns(SECTION).column(f"export_slots.{field}")):
            for value in {0, 1, 2, 9, 10, sound + 1, 2**32 - 1} - {sound}:
                with pytest.raises(CorruptArtifact, match="export_slots"):
                    check_rows(with_value(f"export_slots.{field}", slot, value))


def test_equal_export_names_are_found() -> None:
    section = bytearray(section_from_text('(module (func (export "a")) (func (export "b")))'))
    entry = Columns(section).entries[schema.COLUMN_BY_NAME["export_name_bytes"].id]
    section[entry.offset : entry.offset + 2] = b"aa"
    with pytest.raises(CorruptArtifact, match="export_slots"):
        check_rows(section)


def test_an_index_without_an_empty_slot_ends() -> None:
    section = bytearray(SECTION)
    entry = Columns(SECTION).entries[schema.COLUMN_BY_NAME["export_slots"].id]
    section[entry.offset : entry.end] = b"\1" * (entry.end - entry.offset)
    with pytest.raises(CorruptArtifact, match="no empty slot"):
        Metadata(section).exports.find("missing")


def test_padding_is_zero() -> None:
    section = bytearray(SECTION)
    section[-1] ^= 0  # an image's last byte: content, not padding
    check_rows(section)
    entry = Columns(SECTION).entries[schema.COLUMN_BY_NAME["type_kind"].id]
    section[entry.end] = 1
    with pytest.raises(CorruptArtifact, match=f"padding of the section, byte, row {entry.end}, is 1, expected 0"):
        check_rows(section)


def test_instance_layout_is_that_of_the_schema() -> None:
    with pytest.raises(CorruptArtifact, match="instance_tags_offset"):
        check_rows(patched(instance_tags_offset=96))


def test_header_fields_that_rows_limit() -> None:
    for fields, words in (
        ({"start_function": 6}, "start_function is 6"),
        ({"init_text_offset": 2**32 - 1}, "init_text_offset"),
        ({"cpu_features": 1 << 63}, "cpu_features"),
        ({"wasm_features": 1 << 63}, "wasm_features"),
    ):
        with pytest.raises(CorruptArtifact, match=words):
            check_rows(patched(**fields))
    with pytest.raises(VersionMismatch, match="runtime ABI 7, this version has 6"):
        check_rows(patched(runtime_abi=7))


@pytest.mark.parametrize("size", [0, 1, 383, 384, 400, 4096, len(SECTION) - 1])
def test_cut_sections(size: int) -> None:
    for check in (check_directory, check_rows):
        with pytest.raises(CorruptArtifact):
            check(SECTION[:size])
    read_everything(SECTION[:size])


# Only what lies before the images: bytes of an image are content, which digests cover.
_CONTENT_END = min(
    offset for offset in [*Columns(SECTION).column("table_image_offset"), len(SECTION)] if offset
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, _CONTENT_END - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_mutated_sections_raise_our_errors_only(changes: list[tuple[int, int]]) -> None:
    section = bytearray(SECTION)
    for place, value in changes:
        section[place] = value
    for check in (check_directory, check_rows):
        _each(lambda check=check: check(section))  # type: ignore[misc]
    read_everything(bytes(section))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=1000), st.integers(0, 2000))
def test_random_bytes_raise_our_errors_only(data: bytes, place: int) -> None:
    section = SECTION[:place] + data + SECTION[place + len(data) : 8192]
    for check in (check_directory, check_rows):
        _each(lambda check=check: check(section))  # type: ignore[misc]
    read_everything(section)


_ARTIFACT = artifact_from_text(RICH_WAT)
_OFFSET, _SIZE = find_section(_ARTIFACT)
_SEALED = _ARTIFACT[_OFFSET : _OFFSET + _SIZE]


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(_SEALED) * 8 - 1))
def test_every_flipped_bit_of_a_section_is_found(bit: int) -> None:
    section = bytearray(_SEALED)
    section[bit // 8] ^= 1 << bit % 8
    # The digest of the whole file has no place in the section's own check: verify compares it.
    if 176 <= bit // 8 < 208:
        return
    with pytest.raises(ArtifactError):
        check_rows(section)
        digests.check_load(_ARTIFACT[: Columns(_SEALED).header.numbers["head_size_bytes"]], section)
        digests.check_section(section)
