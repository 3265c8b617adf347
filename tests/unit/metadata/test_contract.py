"""The contract: what the packer puts beside the code is what the section says, and `verify` sees where it is not."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

import wasmartifact as wa
from tests.support.lying import Lie
from wasmartifact import schema
from wasmartifact.elf.read import file_offset, read_segments
from wasmartifact.errors import CorruptArtifact, ToolchainError
from wasmartifact.metadata.columns import Columns
from wasmartifact.metadata.contract import check_contract

FORMAT_PAGE = Path(__file__).parents[3] / "docs" / "FORMAT.md"
#: Something for every array of the contract; the first table's image is mapped, the second one's is not.
WAT = f"""(module
  (type $many (func (param i64 i64 i64 i64 i64 i64 i64 i64) (result i64)))
  (import "e" "f" (func)) (import "e" "t" (table 1 funcref)) (import "e" "g" (global i32)) (import "e" "x" (tag))
  (memory (export "m") 1 2) (global (mut i64) (i64.const 7)) (tag (param i32)) (data "passive")
  (table $large 3000 funcref) (elem (table $large) (i32.const 0) func {"$one $two " * 1500})
  (table $small 4 funcref) (elem (table $small) (i32.const 1) func $one)
  (func $one (export "one") (result i32) (i32.const 1))
  (func $two (type $many) (return_call $two (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4)
    (local.get 5) (local.get 6) (local.get 7))))"""


@pytest.fixture(scope="module", params=[("x86_64", "2.35"), ("x86_64", "2.17"), ("aarch64", None)], ids=str)
def artifact(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """With one segment and with two, for pages of both sizes."""
    machine, min_glibc = request.param
    path = tmp_path_factory.mktemp("contract") / "a.so"
    wa.pack(WAT.encode(), path, target=machine, opt_level=0, min_glibc=min_glibc)
    wa.verify(path)
    return path.read_bytes()


def parts(contents: bytes) -> tuple[Columns, bytearray, bytes]:
    """Columns, the loaded bytes from the anchor on, the file."""
    lie = Lie(contents)
    segments = read_segments(memoryview(contents))
    start = file_offset(segments, "the anchor", lie.numbers["anchor_vaddr"], schema.ANCHOR.size_bytes)
    end = max(segment.offset + segment.size_bytes for segment in segments)
    return Columns(contents[lie.section]), bytearray(contents[start:end]), contents


def read_arrays(loaded: bytes | bytearray) -> dict[str, bytes]:
    """As the format page has it: anchor, contract, then a pair of offset and count for each array."""
    found = {}
    for number, tied in enumerate(schema.TIED_ARRAYS):
        offset, count = struct.unpack_from("<II", loaded, 32 + 128 + 8 * number)
        assert offset % 16 == 0
        found[tied.name] = bytes(loaded[offset : offset + count * schema.VALUE_SIZES[tied.type]])
    return found


def test_the_arrays_are_the_columns(artifact: bytes) -> None:
    columns, loaded, file = parts(artifact)
    arrays = read_arrays(loaded)
    for name in schema.TIED_COLUMNS:
        assert arrays[name] == columns.column(name).tobytes(), name
        assert arrays[name], "the module has something for each"
    rows = struct.iter_unpack("<IIII", columns.column("function"))
    expected = [(text_offset, type_ << 1 | flags & 1) for type_, text_offset, _, flags in rows]
    assert list(struct.iter_unpack("<II", arrays["functions"])) == expected
    page = columns.header.numbers["page_size_bytes"]
    images = list(struct.iter_unpack("<QQ", arrays["table_images"]))
    assert [count for _, count in images] == [0, 3000, 0]
    offset = images[1][0]
    assert offset % page == 0
    start = columns.value("table_image_offset", 1)
    assert file[offset : offset + 8 * 3000] == columns.section[start : start + 8 * 3000]
    assert not file[offset + 8 * 3000 : -(-(offset + 8 * 3000) // page) * page].strip(b"\0")
    assert columns.header.numbers["type_digests_vaddr"] - columns.header.numbers["anchor_vaddr"] == 32 + 128 + 8 * 24


def test_every_changed_byte_is_seen(artifact: bytes) -> None:
    """Whoever changes the code can change all digests with it; a section that says something else is seen even then."""
    columns, loaded, file = parts(artifact)
    last = max(struct.unpack_from("<II", loaded, 160 + 8 * number)[0] for number in range(len(schema.TIED_ARRAYS)))
    check_contract(columns, memoryview(loaded), memoryview(file))
    for place in range(schema.ANCHOR.size_bytes, last + 16 * 3):
        changed = bytearray(loaded)
        changed[place] ^= 1
        with pytest.raises(CorruptArtifact, match="the metadata does not fit the code"):
            check_contract(columns, memoryview(changed), memoryview(file))
    for size in (0, 33, 160, 200, 400):
        with pytest.raises(CorruptArtifact, match="the metadata does not fit the code"):
            check_contract(columns, memoryview(loaded)[:size], memoryview(file))


def test_a_copy_of_an_image_that_differs_is_seen(artifact: bytes) -> None:
    columns, loaded, file = parts(artifact)
    offset, count = struct.unpack("<QQ", read_arrays(loaded)["table_images"][16:32])
    for place in (offset, offset + 8 * count - 1, offset + 8 * count):
        changed = bytearray(file)
        changed[place] ^= 1
        with pytest.raises(CorruptArtifact, match="the image of table 1"):
            check_contract(columns, memoryview(loaded), memoryview(changed))


def test_what_differs_is_named(artifact: bytes) -> None:
    columns, loaded, file = parts(artifact)
    offsets = schema.CONTRACT.offsets()
    for name in ("text_vaddr", "instance_size_bytes", "imported_tags", "data_segments"):
        words = name.replace("data_segments", "number of data segments")
        changed = bytearray(loaded)
        changed[32 + offsets[name]] ^= 1
        with pytest.raises(CorruptArtifact, match=words):
            check_contract(columns, memoryview(changed), memoryview(file))


def test_the_page_says_for_every_field_who_trusts_it() -> None:
    table = FORMAT_PAGE.read_text(encoding="utf-8").partition("## Who trusts what")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| ")]
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    struct_fields = {"type", "text_offset", "code_size_bytes"}  # of function
    twice = {"function", "table_image_offset", "table_image_count"}
    expected = {field.name for field in schema.METADATA_HEADER.fields} | {
        column.name for column in (*schema.COLUMNS, *schema.CPU_LEVEL_COLUMNS, *schema.CHUNK_COLUMNS)
    }
    expected |= {field.name for field in schema.DIRECTORY_ENTRY.fields} | struct_fields
    assert set(named) == expected
    assert sorted(named) == sorted([*expected, *twice])


def test_a_contract_of_another_size_than_planned_is_a_defect() -> None:
    from tests.unit.elf.objects import TYPE_DIGESTS, lay_out

    with pytest.raises(ToolchainError, match="planned were"):
        lay_out([]).write_contract(TYPE_DIGESTS)
