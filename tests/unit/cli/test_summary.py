"""What inspect tells: complete, JSON-ready, and harmless to a terminal."""

from __future__ import annotations

import json

import pytest

from tests.unit.metadata.sections import RICH_WAT, section_from_text
from wasmartifact.cli.summary import MAX_ROWS, bit_names, describe, page, type_text
from wasmartifact.externtypes import FuncType, GlobalType, MemoryType, TableType, TagType
from wasmartifact.metadata import Metadata


def test_json_holds_every_row() -> None:
    with Metadata(section_from_text(RICH_WAT)) as metadata:
        found = json.loads(json.dumps(describe(metadata)))
    assert [(row["module"], row["name"], row["kind"]) for row in found["imports"]] == [
        ("env", "log", "func"),
        ("env", "värde", "global"),
        ("other", "", "table"),
        ("env", "tag", "tag"),
    ]
    assert [row["name"] for row in found["exports"]] == ["memory", "calls", "counter", "add", "", "naïve", "log", "tag"]
    assert found["exports"][3]["type"] == {"params": ["i32", "i64"], "results": ["f32"]}
    assert (found["imported_functions"], found["defined_functions"], len(found["functions"])) == (1, 4, 5)
    assert found["memories"] == [
        {"min_pages": 2, "max_pages": 5, "shared": False, "memory64": False, "page_size_bytes": 65536, "guarded": True}
    ]
    assert [row["size_bytes"] for row in found["data"]] == [5, 5, 7, 8]
    assert [row["mode"] for row in found["elements"]] == ["active", "passive", "declarative"]
    assert found["library_version"] == [1, 2, 3]
    assert found["start_function"] == 2
    assert (found["trap_sites"], found["address_map_rows"], found["source_line_rows"]) == (4, 8, 2)


def test_page_names_imports_and_exports() -> None:
    with Metadata(section_from_text(RICH_WAT)) as metadata:
        text = "\n".join(page(metadata))
    for words in (
        "4 defined, 1 imported",
        "env.värde  i32",
        "2..5 pages",
        "counter  mutable i64",
        "8 exports",
        "x86_64",
    ):
        assert words in text


def test_page_is_bounded_and_escapes_control_characters() -> None:
    functions = "".join(f'(func (export "f{index}"))' for index in range(MAX_ROWS + 2))
    with Metadata(section_from_text(f'(module (func (export "\\1b[31m")) {functions})')) as metadata:
        lines = list(page(metadata))
    assert any("... and 3 more" in line for line in lines)
    assert any("\\x1b[31m" in line for line in lines)
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        (FuncType((), ()), "() -> nothing"),
        (FuncType(("i32", "f64"), ("v128", "i32")), "(i32, f64) -> v128, i32"),
        (MemoryType(1, None, False, False, 65536), "1.. pages"),
        (MemoryType(1, 2, True, True, 1), "1..2 pages of 1 bytes shared memory64"),
        (TableType("funcref", 0, 7, False, True), "0..7 funcref table64"),
        (GlobalType("i64", False), "i64"),
        (GlobalType("i64", True), "mutable i64"),
        (TagType(("i32",)), "(i32)"),
    ],
)
def test_type_text(type_: FuncType | MemoryType | TableType | GlobalType | TagType, text: str) -> None:
    assert type_text(type_) == text


def test_bits_without_a_name_are_told() -> None:
    assert bit_names(0b1011, ("a", "b")) == ["a", "b", "bit 3"]
    assert bit_names(0, ("a",)) == []
