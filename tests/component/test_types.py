"""Types of components: `component.types`, and the WIT that inspect prints, which wasm-tools reads."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import wasmartifact as wa
from tests.component.wit_inputs import SHOP, component_of, wasm_tools
from wasmartifact.cli import main
from wasmartifact.wit import types as wit


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return component_of(SHOP, tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def packed(shop: Path) -> Path:
    output = shop.with_suffix(".so")
    wa.pack(shop, output, opt_level=0)
    return output


@pytest.fixture(scope="module")
def world(packed: Path) -> wit.World:
    loaded = wa.load(packed)
    assert isinstance(loaded, wa.Component)
    assert loaded.types is loaded.types
    return loaded.types


def items(text: str) -> dict[str, set[str]]:
    """What each world, interface and type of WIT text has, in any order."""
    found: dict[str, set[str]] = {}
    path: list[str] = []
    text = re.sub(r"use ([^{]*)\{([^}]*)\};", _uses, text)
    for line in filter(None, map(str.strip, text.splitlines())):
        if line == "}":
            path.pop()
        elif line.endswith("{"):
            path.append(line)
            found.setdefault(" ".join(path), set())
        else:
            found.setdefault(" ".join(path), set()).add(line)
    return found


def _uses(match: re.Match[str]) -> str:
    return "\n".join(f"use {match[1]}{{{name.strip()}}};" for name in match[2].split(","))


def test_the_same_items_as_wasm_tools_prints(
    shop: Path, packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = items(wasm_tools("component", "wit", shop).decode())
    for file in (shop, packed):
        assert main(["inspect", "--wit", str(file)]) == 0
        ours = capsys.readouterr().out
        assert items(ours) == theirs
        (tmp_path / "world.wit").write_text(ours)
        assert items(wasm_tools("component", "wit", tmp_path / "world.wit").decode()) == theirs


def test_inspect_shows_the_world(shop: Path, packed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in (shop, packed):
        assert main(["inspect", str(file)]) == 0
        page = capsys.readouterr().out
        assert "export example:shop/api@1.2.0;" in page
        assert main(["inspect", "--json", str(file)]) == 0
        wit_text = json.loads(capsys.readouterr().out)["wit"]
        assert page.endswith("\n" + wit_text)


def test_wit_is_of_components(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = tmp_path / "module.wat"
    module.write_text("(module)")
    wa.pack(module, tmp_path / "module.so", opt_level=0)
    for file in (module, tmp_path / "module.so"):
        assert main(["inspect", "--wit", str(file)]) == 2
        assert "--wit is of components" in capsys.readouterr().err


def test_objects(world: wit.World) -> None:
    types, api = (world.exports.interfaces[f"example:shop/{name}@1.2.0"] for name in ("types", "api"))
    box = types.types["box"]
    assert isinstance(box, wit.Resource)
    assert api.types["crate"] is box
    assert box.constructor is not None
    assert box.constructor.params == (wit.Param("name", wit.Primitive("string")),)
    assert list(box.methods) == ["name"]
    assert box.statics["merge"].result == wit.Result(wit.Own(box), wit.Primitive("string"))
    point = types.types["point"]
    assert isinstance(point, wit.Record)
    assert point.fields == (wit.Field("x", wit.Primitive("s32")), wit.Field("y", wit.Primitive("s32")))
    line, pair = api.types["line"], api.types["pair"]
    assert isinstance(line, wit.Record) and isinstance(pair, wit.Record)
    assert (line != pair, line.fields == pair.fields) == (True, True)
    assert [param.type for param in api.functions["both"].params[:2]] == [line, pair]
    assert str(api.functions["nest"]) == "nest: func(o: option<option<u32>>) -> result"
    assert str(api.functions["weigh"]) == "weigh: func(c: borrow<box>, t: tuple<u8, s64, char>) -> size"
    imported = world.imports.interfaces["example:shop/types@1.2.0"].types["box"]
    assert isinstance(imported, wit.Resource) and imported is not box
    assert world.imports.functions["favourite"].result is world.imports.types["color"]
    assert "red" in repr(world.imports.types["color"]) and "<resource box" in repr(types.functions["[method]box.name"])


def test_core_modules_have_names(tmp_path: Path) -> None:
    text = """(component
      (import "a" (core module $a)) (core module $own)
      (export "g" (core module $a)) (instance (export "out") (export "m" (core module $own))))"""
    (tmp_path / "modules.wat").write_text(text)
    wa.pack(tmp_path / "modules.wat", tmp_path / "modules.so", opt_level=0)
    wa.verify(tmp_path / "modules.so")
    component = wa.load(tmp_path / "modules.so")
    assert isinstance(component, wa.Component)
    wanted, given = component.types.imports, component.types.exports
    assert (dict(wanted.modules), list(given.modules)) == ({"a": wit.CoreModule("a")}, ["g"])
    assert list(given.interfaces["out"].modules) == ["m"] and "g" in repr(given)
    assert list(component.instantiate()) == ["g", "out"]


def test_objects_are_immutable(world: wit.World) -> None:
    with pytest.raises(AttributeError):
        world.exports.functions = {}  # type: ignore[misc]
    with pytest.raises(TypeError):
        world.exports.functions["x"] = world.exports.functions["total"]  # type: ignore[index]


def test_types_cost_nothing_before_they_are_asked_for(packed: Path) -> None:
    program = f"""import sys, wasmartifact as wa
component = wa.load({str(packed)!r})
assert not [name for name in sys.modules if name.startswith("wasmartifact.wit")]
component.types"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("component_item.type", 255),
        ("component_extern.index", 255),
        ("component_extern.parent", 255),
        ("component_type.kind", 99),
        ("component_type.item_count", 200),
        ("component_canon.type", 1),
    ],
)
def test_rows_that_lie(packed: Path, column: str, value: int) -> None:
    """What `open_metadata` reads is checked: no row refers to what is not there, or to itself."""
    from wasmartifact.metadata.columns import Columns
    from wasmartifact.metadata.component_rows import component_rows

    with wa.open_metadata(packed) as metadata:
        good = bytes(metadata.columns.section)
        entry = metadata.columns.entry(_column_id(column))
    rows = len(Columns(good).column(column))
    field = list(Columns(good).column(column))
    place = next(row for row in range(rows - 1, -1, -1) if field[row] != value and field[row] != 0)
    step, start = entry.element_size_bytes, entry.offset + _field_offset(column)
    bad = bytearray(good)
    bad[start + place * step : start + place * step + 4] = value.to_bytes(4, "little")
    with pytest.raises(wa.CorruptArtifact, match="component_"):
        component_rows(Columns(bytes(bad)))


@pytest.mark.parametrize(("field", "value"), [("owner", 1), ("text", 200), ("kind", 3)])
def test_notes_that_lie(tmp_path: Path, field: str, value: int) -> None:
    """A note is on an import that there is, its text is there, and that of a core module's type is one."""
    from wasmartifact.metadata.columns import Columns
    from wasmartifact.metadata.component_rows import component_rows

    (tmp_path / "c.wat").write_text('(component (import "x" (external-id "[]") (func)))')
    wa.pack(tmp_path / "c.wat", tmp_path / "c.so", opt_level=0)
    with wa.open_metadata(tmp_path / "c.so") as metadata:
        section = bytearray(metadata.columns.section)
        start = metadata.columns.entry(_column_id("component_note")).offset + _field_offset(f"component_note.{field}")
    assert component_rows(Columns(bytes(section))).notes == [(0, 2, "[]")]
    section[start : start + 4] = value.to_bytes(4, "little")
    with pytest.raises(wa.CorruptArtifact):
        component_rows(Columns(bytes(section)))


def _column_id(column: str) -> int:
    from wasmartifact.constants import COLUMN_IDS

    return COLUMN_IDS[column.partition(".")[0]]


def _field_offset(column: str) -> int:
    from wasmartifact.constants import COLUMN_FIELDS

    return COLUMN_FIELDS[column][1] * 4
