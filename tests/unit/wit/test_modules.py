"""Texts of types of core modules: there and back, and hostile ones."""

from __future__ import annotations

import pytest

from wasmartifact.externtypes import FuncType, GlobalType, MemoryType, TableType, TagType
from wasmartifact.wit.modules import ModuleExport, ModuleImport, ModuleType, module_text, module_type


def test_there_and_back() -> None:
    type_ = ModuleType(
        (
            ModuleImport("a", "\N{SNOWMAN}", FuncType(["i32", "(ref null func)"], [])),
            ModuleImport("", "", MemoryType(1, None, False, True, 65536)),
            ModuleImport("a", "t", TagType(("i64",))),
        ),
        (
            ModuleExport("x", TableType("externref", 0, 7, False, False)),
            ModuleExport("y", GlobalType("v128", True)),
        ),
    )
    assert module_type(module_text(type_)) == type_


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "7", "null", "[]", "[[]]", "[[], [], []]", "[7, []]", '[[], [["x"]]]', '[[], [["x", "func"]]]',
        '[[], [["x", "func", ["i33"], []]]]', '[[], [["x", "func", "i32", []]]]', '[[], [[1, "func", [], []]]]',
        '[[["a", "func", [], []]], []]', '[[], [["x", "memory", -1, null, false, false, 65536]]]',
        '[[], [["x", "memory", 1, true, false, false, 65536]]]', '[[], [["x", "memory", 1, null, 0, false, 65536]]]',
        '[[], [["x", "table", "i", 1, null, false, false]]]', '[[], [["x", "global", 7, true]]]',
        '[[], [["x", "global", "i32"]]]', '[[], [["x", "thing", 1]]]', '[[], [["x", ["func"], [], []]]]',
        '[[], [["x", "tag"]]]', "[" * 100_000, '[[], {"x": 1}]',
    ],
)  # fmt: skip
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        module_type(text)
