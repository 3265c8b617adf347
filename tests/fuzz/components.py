"""Values of random component types, there and back: ``python -m tests.fuzz.components --seconds 60``.

Each generated function takes a value of a random type, gives it to a function of the host, and returns what that gives
back; another one gets it in memory, with 16 more parameters, and returns all of them. What the host saw, and what came
back, must be the value that was given.
"""

from __future__ import annotations

import argparse
import math
import random
import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import wasmartifact as wa
from tests.unit.wasm.inputs import wat
from wasmartifact.component.abi import Flattener
from wasmartifact.component.link import Program, TypeRow
from wasmartifact.schema import COMPONENT_KINDS

#: (kind, names, parts)
Type: TypeAlias = tuple[str, tuple[str, ...], tuple[Any, ...]]
INTEGERS = {f"{sign}{bits}": (bits, sign == "s") for bits in (8, 16, 32, 64) for sign in "su"}
SCALARS = ("bool", *INTEGERS, "f32", "f64", "char", "string")
#: Keywords of Python, names of its methods, dashes, capitals among them.
_HARD_NAMES = ("class", "a-b", "URL", "none", "count", "index", "value", "x2-y3-URL", "self", "from", "case")
NAMES = (*_HARD_NAMES, *(f"n{index}" for index in range(300)))
VALTYPES = {0x7F: "i32", 0x7E: "i64", 0x7D: "f32", 0x7C: "f64"}
FUNCTIONS = 24
REALLOC = """
  (func $realloc (export "realloc") (param i32 i32 i32 i32) (result i32)
    (global.set $end (i32.and (i32.add (global.get $end) (i32.const 7)) (i32.const -8)))
    (global.get $end)
    (global.set $end (i32.add (global.get $end) (local.get 3))))"""


def random_type(source: random.Random, depth: int) -> Type:
    """A type of at most so many levels."""
    if depth == 0 or source.random() < 0.35:
        return source.choice(SCALARS), (), ()
    kind = source.choice(("list", "record", "tuple", "variant", "enum", "option", "result", "flags"))
    count = source.randint(1, 5)

    def part() -> Type:
        return random_type(source, depth - 1)

    def optional() -> Type | None:
        return part() if source.random() < 0.7 else None

    if kind in ("list", "option"):
        return kind, (), (part(),)
    if kind == "tuple":
        return kind, (), tuple(part() for _ in range(count))
    if kind == "record":
        return kind, _names(source, count), tuple(part() for _ in range(count))
    if kind == "variant":
        count = 300 if source.random() < 0.01 else count
        return kind, _names(source, count), tuple(optional() if place < 5 else None for place in range(count))
    if kind == "result":
        return kind, (), (optional(), optional())
    return kind, _names(source, source.choice((1, 3, 9, 17, 32) if kind == "flags" else (1, 3, 20, 256, 257))), ()


def _names(source: random.Random, count: int) -> tuple[str, ...]:
    first = source.randrange(len(NAMES) - count + 1) if source.random() < 0.5 else 0
    return NAMES[first : first + count]


class Definitions:
    """Type definitions of a component in the text format, each once; and the rows that tell their flat forms."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.known: dict[Type, str] = {}
        self.program = Program()
        self.rows: dict[Type, int] = {}

    def name(self, type_: Type | None) -> str:
        """How a type is written where it is used."""
        if type_ is None:
            return "_"
        kind, names, parts = type_
        if kind in SCALARS:
            return kind
        if type_ not in self.known:
            used = [self.name(part) for part in parts]
            if kind == "record":
                body = " ".join(f'(field "{name}" {part})' for name, part in zip(names, used, strict=True))
            elif kind == "variant":
                cases = zip(names, used, strict=True)
                body = " ".join(f'(case "{name}"{"" if part == "_" else " " + part})' for name, part in cases)
            elif kind == "result":
                body = ("" if used[0] == "_" else used[0]) + ("" if used[1] == "_" else f" (error {used[1]})")
            elif kind in ("enum", "flags"):
                body = " ".join(f'"{name}"' for name in names)
            else:
                body = " ".join(used)
            own = f"$t{len(self.known)}"
            exported = f"$e{len(self.known)}"
            self.lines.append(f"(type {own} ({kind} {body}))")
            if kind in ("record", "variant", "enum", "flags"):
                self.lines.append(f'(import "t{len(self.known)}" (type {exported} (eq {own})))')
                own = exported
            self.known[type_] = own
        return self.known[type_]

    def row(self, type_: Type) -> int:
        """Row of a type, for its flat form."""
        if type_ not in self.rows:
            kind, names, parts = type_
            items = [0 if part is None else self.row(part) + 1 for part in parts] or [0] * len(names)
            named = tuple(zip(names or ("",) * len(items), items, strict=True))
            self.program.types.append(TypeRow(COMPONENT_KINDS.index(kind), named))
            self.rows[type_] = len(self.program.types) - 1
        return self.rows[type_]


def component(types: list[Type]) -> bytes:
    """A component with two functions for each type."""
    definitions = Definitions()
    imports, lowers, core, lifts, wires = [], [], [], [], []
    for number, type_ in enumerate(types):
        used = definitions.name(type_)
        row = definitions.row(type_)
        flat = Flattener(definitions.program).type(row)
        params = "i32" if flat is None else " ".join(VALTYPES[value] for value in flat)
        count = 1 if flat is None else len(flat)
        is_wide = flat is None or count > 1
        result = "i32" if is_wide else params
        imports.append(f'(import "g{number}" (func $g{number} (param "x" {used}) (result {used})))')
        lowers.append(f"(core func $l{number} (canon lower (func $g{number}) (memory $memory) (realloc $realloc)))")
        more = " i32" if is_wide else ""
        answer = "" if is_wide else f"(result {result})"
        core.append(f'(import "" "g{number}" (func $g{number} (param {params}{more}) {answer}))')
        wires.append(f'(export "g{number}" (func $l{number}))')
        given = " ".join(f"(local.get {place})" for place in range(count))
        call = f"(call $g{number} {given} (i32.const 16))(i32.const 16)" if is_wide else f"(call $g{number} {given})"
        lifts.append(
            (
                f'(func (export "f{number}") (param {params}) (result {result}) {call})',
                f'(func (export "f{number}") (param "x" {used}) (result {used}) '
                f'(canon lift (core func $core "f{number}") '
                "(memory $memory) (realloc $realloc)))",
            )
        )
        fillers = " ".join(f'(param "p{place}" u8)' for place in range(16))
        lifts.append(
            (
                f'(func (export "m{number}") (param i32) (result i32) (local.get 0))',
                f'(func (export "m{number}") (param "x" {used}) {fillers} (result (tuple {used}{" u8" * 16})) '
                f'(canon lift (core func $core "m{number}") (memory $memory) (realloc $realloc)))',
            )
        )
    text = f"""(component
      {" ".join(definitions.lines)} {" ".join(imports)}
      (core module $libc (memory (export "memory") 40) (global $end (mut i32) (i32.const 4096)) {REALLOC})
      (core instance $libc (instantiate $libc))
      (alias core export $libc "memory" (core memory $memory))
      (alias core export $libc "realloc" (core func $realloc))
      {" ".join(lowers)}
      (core module $code {" ".join(core)} {" ".join(body for body, _ in lifts)})
      (core instance $core (instantiate $code (with "" (instance {" ".join(wires)}))))
      {" ".join(lift for _, lift in lifts)})"""
    return wat(text)


# Values ---------------------------------------------------------------------------------------------------------------


def random_value(source: random.Random, type_: Type) -> Any:
    """A value in a form of our own: numbers and strings; ("some", v), (case, v), lists, tuples and dicts."""
    kind, names, parts = type_
    if kind in INTEGERS:
        bits, signed = INTEGERS[kind]
        value = source.choice((0, 1, 2**bits - 1, 2 ** (bits - 1), source.getrandbits(bits)))
        return value - 2**bits if signed and value >= 2 ** (bits - 1) else value
    if kind in ("f32", "f64"):
        code, bits = {"f32": ("<f", 32), "f64": ("<d", 64)}[kind]
        number = source.choice((0.0, -0.0, math.inf, math.nan, 1.5, source.uniform(-1e9, 1e9), None))
        any_bits = source.getrandbits(bits).to_bytes(bits // 8, "little")
        return struct.unpack(code, any_bits if number is None else struct.pack(code, number))[0]
    if kind == "bool":
        return source.random() < 0.5
    if kind == "char":
        return chr(source.choice((0x41, 0xE9, 0x2603, 0x1F370, 0x10FFFF, source.randrange(0xD800))))
    if kind == "string":
        many = source.choice((0, 1, 3, 6, 6, 6, 200))
        narrow = source.random() < 0.3
        return "".join("é" if narrow else random_value(source, ("char", (), ())) for _ in range(many))
    if kind == "list":
        many = source.choice((0, 1, 2, 5, 300 if parts[0][0] in SCALARS and source.random() < 0.1 else 3))
        return [random_value(source, parts[0]) for _ in range(many)]
    if kind == "record":
        return {name: random_value(source, part) for name, part in zip(names, parts, strict=True)}
    if kind == "tuple":
        return tuple(random_value(source, part) for part in parts)
    if kind == "enum":
        return source.choice(names)
    if kind == "flags":
        return {name for name in names if source.random() < 0.5}
    if kind == "option":
        return None if source.random() < 0.4 else ("some", random_value(source, parts[0]))
    place = source.randrange(len(parts))
    case = names[place] if kind == "variant" else ("ok", "err")[place]
    return case, None if parts[place] is None else random_value(source, parts[place])


def to_ours(type_: Type, value: Any) -> Any:
    """What is given to our functions."""
    kind, names, parts = type_
    if kind == "list":
        return [to_ours(parts[0], item) for item in value]
    if kind == "record":
        return {name: to_ours(part, value[name]) for name, part in zip(names, parts, strict=True)}
    if kind == "tuple":
        return tuple(to_ours(part, item) for part, item in zip(parts, value, strict=True))
    if kind == "option":
        if value is None:
            return None
        inner = to_ours(parts[0], value[1])
        return wa.Some(inner) if parts[0][0] == "option" else inner
    if kind == "variant":
        part = parts[names.index(value[0])]
        return (value[0], to_ours(part, value[1])) if part is not None else value[0]
    if kind == "result":
        part = parts[value[0] == "err"]
        return (wa.Ok, wa.Err)[value[0] == "err"](None if part is None else to_ours(part, value[1]))
    return value


def from_ours(type_: Type, value: Any) -> Any:
    """Back to the form of our own."""
    kind, names, parts = type_
    if kind == "list":
        return [from_ours(parts[0], item) for item in list(value)]
    if kind == "record":
        return {name: from_ours(part, item) for name, part, item in zip(names, parts, value, strict=True)}
    if kind == "tuple":
        return tuple(from_ours(part, item) for part, item in zip(parts, value, strict=True))
    if kind == "enum":
        return value.value
    if kind == "flags":
        return {name for bit, name in enumerate(names) if value >> bit & 1}
    if kind == "option":
        if value is None:
            return None
        return "some", from_ours(parts[0], value.value if parts[0][0] == "option" else value)
    if kind == "variant":
        part = parts[names.index(value.case)]
        return value.case, None if part is None else from_ours(part, value.value)
    if kind == "result":
        place = isinstance(value, wa.Err)
        return ("ok", "err")[place], None if parts[place] is None else from_ours(parts[place], value.value)
    return value


def key(value: Any) -> str:
    """What tells values apart, negative zero too."""
    return repr(sorted(value) if isinstance(value, set) else value)


@dataclass
class Difference:
    """A value that did not come back as it was given."""

    type: Type
    given: Any
    found: Any
    where: str


def run_ours(data: bytes, types: list[Type], values: list[list[Any]], folder: Path) -> Iterator[Difference]:
    """All values through our functions."""
    output = folder / "fuzz.so"
    wa.pack(data, output, opt_level=0, jobs=1)
    seen: list[Any] = []

    def echo(value: Any) -> Any:
        seen.append(value)
        return value

    loaded: Any = wa.load(output)
    instance = loaded.instantiate({f"g{number}": echo for number in range(len(types))})
    for number, type_ in enumerate(types):
        for value in values[number]:
            given = to_ours(type_, value)
            seen.clear()
            try:
                found = instance[f"f{number}"](given)
                if type_[0] == "result":
                    found = wa.Ok(found)
            except wa.Err as problem:
                found = problem
            together, *_ = instance[f"m{number}"](given, *range(16))
            for where, result in (("result", found), ("host", seen[0]), ("memory", together)):
                back = from_ours(type_, result)
                if key(back) != key(value):
                    yield Difference(type_, value, back, where)


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="tests.fuzz.components")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    end, signatures, seed = time.monotonic() + options.seconds, 0, options.seed
    with tempfile.TemporaryDirectory() as temporary:
        while time.monotonic() < end:
            source = random.Random(seed)
            types = [random_type(source, source.randint(0, 4)) for _ in range(FUNCTIONS)]
            values = [[random_value(source, type_) for _ in range(4)] for type_ in types]
            data = component(types)
            for difference in run_ours(data, types, values, Path(temporary)):
                print(f"seed {seed}: {difference}")
                return 1
            signatures += 2 * FUNCTIONS
            seed += 1
    print(f"{signatures} signatures, no differences")
    return 0


if __name__ == "__main__":
    sys.exit(main())
