"""Cases for functions of wasm:js-string. ``python -m tests.unit.runtime.js_strings NODE`` records node's results."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from wasmartifact.wasm.source import read_source

RECORDED: Final = Path(__file__).parents[2] / "data" / "js_strings.json"
#: By function: a letter for each parameter and the result: string, array, number of 32 bits.
SHAPES: Final = {
    "cast": "ss",
    "test": "sn",
    "fromCharCodeArray": "anns",
    "intoCharCodeArray": "sann",
    "fromCharCode": "ns",
    "fromCodePoint": "ns",
    "charCodeAt": "snn",
    "codePointAt": "snn",
    "length": "sn",
    "concat": "sss",
    "substring": "snns",
    "equals": "ssn",
    "compare": "ssn",
}
ROUNDS: Final = 60
_TYPES: Final = {"s": "externref", "a": "(ref null $units)", "n": "i32"}
_EDGES: Final = (0, 0x7F, 0xD7FF, 0xD800, 0xDBFF, 0xDC00, 0xDFFF, 0xFFFF, 0x10000, 0x10FFFF, 0x110000, 0x7FFFFFFF, -1)
_UNITS: Final = (0x41, 0x42, 0xE9, 0x3B1, 0xD83D, 0xDE00, 0xD800, 0xDC00, 0xFFFD, 0)

#: Runs the cases of a file in a module of another one; a result is what it holds, "trap" where the call ended.
_SCRIPT: Final = """
import fs from "node:fs";
const [modulePath, casesPath] = process.argv.slice(2);
const { instance } = await WebAssembly.instantiate(fs.readFileSync(modulePath), {}, { builtins: ["js-string"] });
const guest = instance.exports;
const units = (text) => Array.from({ length: text.length }, (_, index) => text.charCodeAt(index));
function array(values) {
  const made = guest.make(values.length);
  values.forEach((value, index) => guest.set(made, index, value));
  return made;
}
const read = (made) => Array.from({ length: guest.size(made) }, (_, index) => guest.get(made, index));
const take = { s: (v) => (Array.isArray(v) ? String.fromCharCode(...v) : v), a: (v) => v && array(v), n: (v) => v };
const give = { s: units, n: (v) => v };
const results = JSON.parse(fs.readFileSync(casesPath, "utf8")).map(([name, shape, args]) => {
  const values = args.map((value, index) => take[shape[index]](value));
  let result;
  try {
    result = give[shape.at(-1)](guest[name](...values));
  } catch (problem) {
    if (!(problem instanceof WebAssembly.RuntimeError)) throw problem;
    result = "trap";
  }
  return [result, ...values.filter((value, index) => shape[index] === "a" && value).map(read)];
});
console.log(JSON.stringify(results));
"""


def module_text() -> str:
    """A module that exports each of the functions, and what makes arrays and looks into them."""
    imports, functions = [], []
    for name, shape in SHAPES.items():
        params = " ".join(_TYPES[letter] for letter in shape[:-1])
        result = "(ref extern)" if shape[-1] == "s" else "i32"
        imports.append(f'(import "wasm:js-string" "{name}" (func ${name} (param {params}) (result {result})))')
        values = " ".join(f"(local.get {index})" for index in range(len(shape) - 1))
        functions.append(f'(func (export "{name}") (param {params}) (result {result}) (call ${name} {values}))')
    return f"""(module (type $units (array (mut i16)))
      {" ".join(imports)} {" ".join(functions)}
      (func (export "make") (param i32) (result (ref $units)) (array.new_default $units (local.get 0)))
      (func (export "size") (param (ref $units)) (result i32) (array.len (local.get 0)))
      (func (export "get") (param (ref $units) i32) (result i32) (array.get_u $units (local.get 0) (local.get 1)))
      (func (export "set") (param (ref $units) i32 i32)
        (array.set $units (local.get 0) (local.get 1) (local.get 2))))"""


def cases() -> Iterator[tuple[str, str, list[Any]]]:
    """Function, shape, arguments: strings and arrays as lists of code units, null as None, numbers as strings too."""
    chosen = random.Random(17)

    def units() -> list[int]:
        return [chosen.choice(_UNITS[: chosen.choice((2, 10))]) for _ in range(chosen.randrange(7))]

    def string() -> Any:
        return chosen.choice((None, 7)) if chosen.random() < 0.05 else units()

    def number() -> int:
        return chosen.choice(_EDGES) if chosen.random() < 0.25 else chosen.randrange(8)

    make = {"s": string, "a": lambda: None if chosen.random() < 0.05 else units(), "n": number}
    for name, shape in SHAPES.items():
        for _ in range(ROUNDS):
            yield name, shape, [make[letter]() for letter in shape[:-1]]


def record(node: str) -> None:
    """Write what node says."""
    with tempfile.TemporaryDirectory() as folder:
        module, script, given = (Path(folder) / name for name in ("module.wasm", "script.mjs", "cases.json"))
        module.write_bytes(read_source(module_text().encode()))
        script.write_text(_SCRIPT)
        given.write_text(json.dumps(list(cases())))
        said = subprocess.run([node, script, module, given], capture_output=True, text=True, check=True).stdout
    found = [json.dumps([*case, *result]) for case, result in zip(cases(), json.loads(said), strict=True)]
    RECORDED.write_text("[\n" + ",\n".join(found) + "\n]\n")


if __name__ == "__main__":
    record(*sys.argv[1:] or ["node"])
