"""Functions of components called from the command line: what is written in JSON comes back as it was."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import wasmartifact as wa
from tests.component.passing import passing_component
from wasmartifact.cli.component_values import read_value, value_text

WIT = """package example:echo@0.1.0;
interface api {
  record point { x: s32, y-axis: f64 }
  variant shape { circle(f64), corners(list<point>), none }
  enum color { red, dark-green }
  flags perms { read, write, exec-all }
  type points = list<point>;
  record all { a: option<string>, b: option<option<u8>>, c: result<u8, string>, d: result, e: tuple<bool, char>,
    f: list<u8>, g: list<s16>, h: color, i: perms, j: shape }
  number: func(of: u8) -> u8;
  real: func(of: f64) -> f64;
  yes: func(of: bool) -> bool;
  text: func(of: string) -> string;
  letter: func(of: char) -> char;
  all-points: func(of: points) -> points;
  a-shape: func(of: shape) -> shape;
  a-color: func(of: color) -> color;
  some-perms: func(of: perms) -> perms;
  deep: func(of: option<option<u8>>) -> option<option<u8>>;
  maybe: func(of: option<color>) -> option<color>;
  everything: func(of: all) -> all;
  both: func(of: tuple<u64, result<color, string>>) -> tuple<u64, result<color, string>>;
}
world echo { import api; export api; }
"""
EVERYTHING = {
    "a": "Zoë", "b": {"some": None}, "c": {"err": "no"}, "d": "ok", "e": [True, "ß"], "f": [0, 255], "g": [-3, 4],
    "h": "dark-green", "i": ["read", "exec-all"], "j": {"corners": [{"x": -1, "y-axis": 0.5}]},
}  # fmt: skip
#: By function: what is written, and what is printed where that is something else.
SAME: list[tuple[str, str]] = [
    ("number", "255"),
    ("real", "0.1"),
    ("yes", "true"),
    ("text", "two words, {Zoë}"),
    ("text", ""),
    ("letter", "ß"),
    ("all-points", "[]"),
    ("all-points", '[{"x": 1, "y-axis": 2.5}, {"x": -2, "y-axis": Infinity}]'),
    ("a-shape", "none"),
    ("a-shape", '{"circle": 1.5}'),
    ("a-shape", '{"corners": [{"x": 1, "y-axis": -0.0}]}'),
    ("a-color", "dark-green"),
    ("some-perms", '["read", "exec-all"]'),
    ("some-perms", "[]"),
    ("deep", "null"),
    ("deep", '{"some": null}'),
    ("deep", '{"some": 7}'),
    ("maybe", "null"),
    ("both", '[18446744073709551615, {"ok": "red"}]'),
    ("both", '[0, {"err": "no"}]'),
    ("everything", json.dumps(EVERYTHING, ensure_ascii=False)),
]


class Host:
    """Gives everything back."""

    def __getattr__(self, name: str) -> Any:
        return lambda value: value


@pytest.fixture(scope="module")
def component(tmp_path_factory: pytest.TempPathFactory) -> wa.Component:
    folder = tmp_path_factory.mktemp("echo")
    wa.pack(passing_component(WIT, folder, "echo"), folder / "echo.so", opt_level=0)
    loaded = wa.load(folder / "echo.so")
    assert isinstance(loaded, wa.Component)
    return loaded


@pytest.fixture(scope="module")
def api(component: wa.Component) -> Any:
    return component.instantiate({"example:echo/api@0.1.0": Host()}).api


def call(component: wa.Component, api: Any, name: str, text: str) -> str:
    """As the command does it."""
    function = component.types.exports.interfaces["example:echo/api@0.1.0"].functions[name]
    assert function.result is not None
    return value_text(api[name](read_value(text, function.params[0].type)), function.result)


@pytest.mark.parametrize(("name", "text"), SAME)
def test_what_is_written_is_printed(component: wa.Component, api: Any, name: str, text: str) -> None:
    assert call(component, api, name, text) == text


def test_other_ways_to_write(component: wa.Component, api: Any) -> None:
    assert call(component, api, "number", "0x10") == "16"
    assert call(component, api, "real", "3") == "3.0"
    assert call(component, api, "maybe", '"red"') == "red"
    assert call(component, api, "all-points", '[{"y-axis": 3, "x": 1}]') == '[{"x": 1, "y-axis": 3.0}]'


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("number", "many", "invalid literal"),
        ("yes", "1", "true or false"),
        ("all-points", "[1", "delimiter"),
        ("all-points", "3", "expected a list, found 3"),
        ("all-points", '[{"x": 1}]', "expected x, y-axis, found x"),
        ("all-points", '[{"x": 1, "y-axis": 2, "z": 3}]', "found x, y-axis, z"),
        ("all-points", '[{"x": true, "y-axis": 2}]', "a value of s32, found true"),
        ("a-shape", "circle", "Expecting value"),
        ("a-shape", '"circle"', r'expected one of {"circle": "f64"}'),
        ("a-shape", '{"none": null}', "expected one of"),
        ("a-shape", '{"square": 3}', r'found {"square": 3}'),
        ("some-perms", '["fly"]', "expected read, write, exec-all, found fly"),
        ("both", "[1]", "argument"),
        ("deep", "3", "some"),
        ("everything", "[]", "an object"),
        ("all-points", "[" * 100_000, "recursion|Stack overflow"),
    ],
)  # fmt: skip
def test_wrong_values_are_told(component: wa.Component, api: Any, name: str, text: str, words: str) -> None:
    with pytest.raises((ValueError, RecursionError), match=words):
        call(component, api, name, text)


SHOP = """(component
  (core module $code
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "halve") (param i32) (result i32)
      (i32.store8 (i32.const 8) (i32.and (local.get 0) (i32.const 1)))
      (i32.store (i32.const 12) (i32.shr_u (local.get 0) (i32.const 1)))
      (i32.const 8))
    (func (export "same") (param i32 i32) (result i32)
      (i32.store (i32.const 0) (local.get 0)) (i32.store (i32.const 4) (local.get 1)) (i32.const 0))
    (func (export "trap") (unreachable)))
  (core instance $core (instantiate $code))
  (alias core export $core "memory" (core memory $memory))
  (alias core export $core "realloc" (core func $realloc))
  (func $same (param "of" (list u8)) (result (list u8))
    (canon lift (core func $core "same") (memory $memory) (realloc $realloc)))
  (func (export "trap") (canon lift (core func $core "trap")))
  (func (export "halve") (param "number" u32) (result (result u32 (error u32)))
    (canon lift (core func $core "halve") (memory $memory)))
  (instance (export "a:b/lists@1.2.3") (export "same" (func $same))))"""


@pytest.mark.parametrize(
    ("arguments", "code", "output", "words"),
    [
        (["halve", "6"], 0, "3\n", ""),
        (["halve", "7"], 1, "", "halve gave an error: 3"),
        (["lists#same", "[1, 2]"], 0, "[1, 2]\n", ""),
        (["a:b/lists@1.2.3#same", "[]"], 0, "[]\n", ""),
        (["lists#same", "[256]"], 2, "", "256"),
        (["lists#same", "x"], 2, "", "'x' is not a value of type list<u8>"),
        (["same", "[]"], 2, "", "it exports trap, halve, a:b/lists@1.2.3#same"),
        (["halve"], 2, "", "takes 1 arguments (number: u32), found 0"),
        (["halve", "-1"], 2, "", "-1"),
        (["trap"], 40, "", "unreachable"),
    ],
)
def test_the_command(arguments: list[str], code: int, output: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "shop.wat").write_text(SHOP)
    name, *values = arguments
    command = [sys.executable, "-m", "wasmartifact", "run", "--opt-level", "0", "--invoke", name, "shop.wat", *values]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (code, output), done.stderr
    assert words in done.stderr
