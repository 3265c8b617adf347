"""Strings of JavaScript: the functions give what node's give, string constants are themselves."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

import wasmartifact as wa
from tests.unit.runtime.harness import load
from tests.unit.runtime.js_strings import RECORDED, SHAPES, cases, module_text
from wasmartifact import jsstring


def text_of(units: list[int]) -> str:
    return b"".join(unit.to_bytes(2, "little") for unit in units).decode("utf-16-le", "surrogatepass")


def units_of(text: str) -> list[int]:
    data = text.encode("utf-16-le", "surrogatepass")
    return [int.from_bytes(data[at : at + 2], "little") for at in range(0, len(data), 2)]


@pytest.fixture(scope="module")
def guest() -> Any:
    return load(module_text()).instantiate(jsstring.imports()).exports


def argument(guest: Any, letter: str, recorded: Any) -> Any:
    """A value of the record, which has strings and arrays as lists of code units."""
    if not isinstance(recorded, list):
        return recorded
    text = text_of(recorded)
    if letter == "s":
        return text
    array = guest.make(len(recorded))
    memoryview(array)[:] = memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H")
    return array


def run(guest: Any, name: str, shape: str, arguments: list[Any]) -> list[Any]:
    """As the record has it: the result, then what the arrays hold."""
    values = [argument(guest, *pair) for pair in zip(shape, arguments, strict=False)]
    try:
        result = guest[name](*values)
    except (TypeError, IndexError):
        result = "trap"
    else:
        result = units_of(result) if shape[-1] == "s" else result
    return [result, *(list(value) for value in values if isinstance(value, wa.Array))]


def test_results_are_those_of_node(guest: Any) -> None:
    recorded = json.loads(RECORDED.read_text())
    assert [case[:3] for case in recorded] == [list(case) for case in cases()]
    assert {case[0] for case in recorded if case[3] != "trap"} == SHAPES.keys()
    for name, shape, arguments, *expected in recorded:
        assert run(guest, name, shape, arguments) == expected, (name, arguments)


def test_string_constants_are_themselves() -> None:
    names = ("", "it's", "Gr\u00fc\u00dfe \U0001f600")
    constants = "".join(
        f'(import "S" "{name}" (global $g{i} (ref extern))) (export "{i}" (global $g{i}))'
        for i, name in enumerate(names)
    )
    exports = load(f"(module {constants})").instantiate(jsstring.imports("S")).exports
    assert [exports[str(i)].value for i in range(len(names))] == list(names)
    assert jsstring.imports(None).keys() == {"wasm:js-string"}


def test_what_is_no_string_is_named(guest: Any) -> None:
    with pytest.raises(TypeError, match="wasm:js-string: expected a str, found int"):
        guest.length(7)
    with pytest.raises(IndexError, match="index 1 is out of range, the string has 1 code units"):
        guest.charCodeAt("\u00e9", 1)
    wrong = load("""(module (type $bytes (array (mut i8)))
      (import "wasm:js-string" "intoCharCodeArray" (func $into (param externref (ref null $bytes) i32) (result i32)))
      (func (export "into") (param externref) (result i32)
        (call $into (local.get 0) (array.new_default $bytes (i32.const 2)) (i32.const 0))))""")
    with pytest.raises(TypeError, match="expected an array of i16, found one of 1 bytes each"):
        wrong.instantiate(jsstring.imports()).exports.into("ab")


def test_threads_look_into_strings_of_their_own() -> None:
    """The units of the last string are kept for all of them."""
    char_code_at = jsstring.imports()["wasm:js-string"]["charCodeAt"]
    wrong: list[int] = []

    def look(text: str) -> None:
        wrong.extend(found for _ in range(20_000) if (found := char_code_at(text, 0)) != ord(text))

    threads = [threading.Thread(target=look, args=(text,)) for text in ("\u00e9", "\u03b1", "\u4e00")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
