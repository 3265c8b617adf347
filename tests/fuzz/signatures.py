"""Random signatures of components: the same component, the same values, in wasmtime-py's component API and in our face.

``python -m tests.fuzz.signatures --seconds N --seed S [--signatures N] [--save DIR]`` prints what differs, and counts;
exits with 1 if there was any. Each seed is a component, or two of which one calls the other, with functions that give
their arguments to a function of the host and return what that gives. What the host sees and what comes back must be
what was given, under both. Then bytes of values in the guest's memory are changed, and strings are made of any bytes:
what comes out must be the same value, or an error, under both.
"""

from __future__ import annotations

import argparse
import importlib
import random
import re
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import wasmtime
import wasmtime.component

import wasmartifact as wa
import wasmartifact.wasmtime as face
from tests.fuzz.components import VALTYPES, Definitions, Type, random_type, random_value
from wasmartifact.component.abi import Flattener
from wasmartifact.schema import MAX_FLAT_PARAMS

#: Of a component, and calls of each.
FUNCTIONS, CALLS, CHANGES = 16, 3, 12
#: Where results lie that registers don't hold, and from where on the guest allocates. The memory is smaller than any
#: length whose highest byte was changed: wasmtime refuses lists of some millions of items for their cost.
RESULT_ADDRESS, FIRST_ADDRESS, PAGES = 65536, 1 << 20, 250
#: Bytes of a value in memory that are changed, and given back.
IMAGE_BYTES = 256
ENCODINGS = ("utf8", "utf16", "latin1+utf16")
PROGRESS_SECONDS = 60
LIBC = f"""(core module $libc (memory (export "memory") {PAGES}) (global $end (mut i32) (i32.const {FIRST_ADDRESS}))
  (func (export "realloc") (param $old i32) (param $size i32) (param i32) (param $wanted i32) (result i32)
    (if (i32.ge_u (local.get $size) (local.get $wanted)) (then (if (local.get $old) (then (return (local.get $old))))))
    (global.set $end (i32.and (i32.add (global.get $end) (i32.const 7)) (i32.const -8)))
    (memory.copy (global.get $end) (local.get $old) (local.get $size))
    (global.get $end)
    (global.set $end (i32.add (global.get $end) (local.get $wanted)))))
  (core instance $libc (instantiate $libc))
  (alias core export $libc "memory" (core memory $memory))
  (alias core export $libc "realloc" (core func $realloc))"""


@dataclass(frozen=True)
class Signature:
    """Types of a function."""

    params: tuple[Type, ...]
    result: Type | None


@dataclass(frozen=True)
class Case:
    """A component, its signatures, and for each of them calls: arguments, result."""

    text: str
    signatures: tuple[Signature, ...]
    calls: tuple[tuple[tuple[tuple[Any, ...], Any], ...], ...]
    #: Which function's value in memory, the offset and the byte that it becomes.
    changes: tuple[tuple[int, int, int], ...]
    #: Strings: number of the encoding, bytes, code units with the tag.
    strings: tuple[tuple[int, bytes, int], ...]


def generate(seed: str) -> Case:
    """The case of a seed."""
    source = random.Random(seed)
    signatures = tuple(_signature(source) for _ in range(FUNCTIONS))
    calls = tuple(
        tuple(
            (
                tuple(random_value(source, type_) for type_ in one.params),
                None if one.result is None else random_value(source, one.result),
            )
            for _ in range(CALLS)
        )
        for one in signatures
    )
    changes = tuple(
        (source.randrange(FUNCTIONS), source.choice((0, 3)) + 4 * min(source.randrange(16), source.randrange(64)), byte)
        for byte in source.choices((0, 1, 2, 3, 5, 0x7F, 0x80, 0xD8, 0xFF, source.randrange(256)), k=CHANGES)
    )
    strings = tuple(_string(source) for _ in range(CHANGES))
    return Case(component(source, signatures), signatures, calls, changes, strings)


def _string(source: random.Random) -> tuple[int, bytes, int]:
    """Bytes that are a string, or nearly so."""
    place = source.randrange(len(ENCODINGS))
    text = random_value(source, ("string", (), ()))
    is_wide = place == 1 or (place == 2 and source.random() < 0.6)
    codec = "utf-16-le" if is_wide else "utf-8" if place == 0 else "latin-1"
    data = bytearray(text.encode(codec, "replace"))
    for _ in range(source.choice((0, 0, 1, 1, 2)) if data else 0):
        data[source.randrange(len(data))] = source.choice((0, 0x41, 0x80, 0xC0, 0xD8, 0xDC, 0xED, 0xF4, 0xFF))
    units = max(0, len(data) // (2 if is_wide else 1) - source.choice((0, 0, 0, 1)))
    return place, bytes(data), units | (1 << 31 if is_wide and place == 2 else 0)


def _signature(source: random.Random) -> Signature:
    params = tuple(_type(source) for _ in range(source.choice((0, 1, 1, 2, 3, 6))))
    return Signature(params, None if source.random() < 0.1 else _type(source))


def _type(source: random.Random) -> Type:
    """A type; sometimes one that lies deep within others."""
    made = random_type(source, source.randint(0, 4))
    for _ in range(source.randint(5, 30) if source.random() < 0.03 else 0):
        kind = source.choice(("option", "option", "tuple", "result", "list"))
        made = (kind, (), (made, None) if kind == "result" else (made,))
    return made


def component(source: random.Random, signatures: tuple[Signature, ...]) -> str:
    """A component of these functions; or two, of which the second one calls the first one's."""
    definitions = Definitions()
    imports = []
    for number, one in enumerate(signatures):
        params = " ".join(f'(param "p{place}" {definitions.name(type_)})' for place, type_ in enumerate(one.params))
        result = "" if one.result is None else f"(result {definitions.name(one.result)})"
        imports.append(f'(import "g{number}" (func $g{number} {params} {result}))')
    shared = " ".join([*definitions.lines, *imports])
    if source.random() < 0.5:
        return f"(component {shared} {_guest(source, signatures, definitions)})"
    inner = [f"(component ${name} {shared} {_guest(source, signatures, definitions)})" for name in ("first", "second")]
    types = " ".join(
        f'(with "{name}" (type {used}))' for name, used in re.findall(r'\(import "(t\d+)" \(type (\$e\d+)', shared)
    )
    strings = " ".join(f'(export "s{place}" (func $second "s{place}"))' for place in range(len(ENCODINGS)))
    host, first, exports = (
        " ".join(template.format(number) for number in range(len(signatures)))
        for template in ('(with "g{0}" (func $g{0}))', '(with "g{0}" (func $first "f{0}"))', _EXPORT)
    )
    return f"""(component {shared} {" ".join(inner)}
      (instance $first (instantiate $first {types} {host}))
      (instance $second (instantiate $second {types} {first})) {exports} {strings})"""


_EXPORT = " ".join(f'(export "{kind}{{0}}" (func $second "{kind}{{0}}"))' for kind in "fir")


#: The string of bytes, with a number of code units.
_STRING = f"""(func (export "s") (param i32 i32 i32) (result i32)
  (i32.store (i32.const {RESULT_ADDRESS}) (local.get 0))
  (i32.store (i32.const {RESULT_ADDRESS + 4}) (local.get 2)) (i32.const {RESULT_ADDRESS}))"""


def _guest(source: random.Random, signatures: tuple[Signature, ...], definitions: Definitions) -> str:
    """A component but for its imports: f calls the host, i shows a result's bytes, r makes a result of bytes."""
    lowers, wires, core, lifts = [], [], [_STRING], []
    for place, encoding in enumerate(ENCODINGS):
        lifts.append(
            f'(func (export "s{place}") (param "bytes" (list u8)) (param "units" u32) (result string) '
            f'(canon lift (core func $core "s") (memory $memory) (realloc $realloc) string-encoding={encoding}))'
        )
    flattener = Flattener(definitions.program)

    def flat(types: tuple[Type, ...]) -> list[str] | None:
        rows = [definitions.row(type_) for type_ in types]
        forms = [flattener.type(row) for row in rows]
        joined = [VALTYPES[value] for form in forms if form is not None for value in form]
        return None if None in forms or len(joined) > MAX_FLAT_PARAMS else joined

    for number, one in enumerate(signatures):
        plain = "(memory $memory) (realloc $realloc)"
        options = f"{plain} string-encoding={source.choice(ENCODINGS)}"
        given = flat(one.params)
        given = ["i32"] if given is None else given
        form = [] if one.result is None else flat((one.result,))
        is_wide = form is None or len(form) > 1
        form = ["i32"] if is_wide else form or []
        arguments = " ".join(f"(local.get {place})" for place in range(len(given)))
        params, result = " ".join(given), f"(result {form[0]})" if form else ""
        core.append(
            f'(import "" "g{number}" (func $g{number} (param {params}{" i32" if is_wide else ""}) '
            f"{'' if is_wide else result}))"
        )
        lowers.append(f"(core func $l{number} (canon lower (func $g{number}) {options}))")
        wires.append(f'(export "g{number}" (func $l{number}))')
        address = f"(i32.const {RESULT_ADDRESS})" if is_wide else ""
        call = f"(call $g{number} {arguments} {address}) {address}"
        bodies = [f'(func (export "f{number}") (param {params}) {result} {call})']
        names = " ".join(f'(param "p{place}" {definitions.name(type_)})' for place, type_ in enumerate(one.params))
        used = "" if one.result is None else f"(result {definitions.name(one.result)})"
        lift = f'(canon lift (core func $core "{{}}{number}") {plain})'
        lifts.append(f'(func (export "f{number}") {names} {used} (canon lift (core func $core "f{number}") {options}))')
        if one.result is not None:
            load = "(local.get 0)" if is_wide else f"({form[0]}.load (local.get 0))"
            bodies.append(f'(func (export "r{number}") (param i32 i32) {result} {load})')
            lifts.append(f'(func (export "r{number}") (param "bytes" (list u8)) {used} {lift.format("r")})')
            fillers = " ".join(f'(param "p{place}" u8)' for place in range(MAX_FLAT_PARAMS))
            shown = f"""(i32.store (i32.const {RESULT_ADDRESS}) (local.get 0))
              (i32.store (i32.const {RESULT_ADDRESS + 4}) (i32.const {IMAGE_BYTES})) (i32.const {RESULT_ADDRESS})"""
            bodies.append(f'(func (export "i{number}") (param i32) (result i32) {shown})')
            lifts.append(
                f'(func (export "i{number}") (param "x" {definitions.name(one.result)}) {fillers} '
                f"(result (list u8)) {lift.format('i')})"
            )
        else:
            lifts += [f'(func (export "{kind}{number}") (canon lift (core func $core "none")))' for kind in "ir"]
        core += bodies
    imports = [line for line in core if line.startswith("(import")]
    functions = [line for line in core if not line.startswith("(import")]
    return f"""{LIBC} {" ".join(lowers)}
      (core module $code {" ".join(imports)} (import "" "memory" (memory 1)) {" ".join(functions)}
        (func (export "none")))
      (core instance $core (instantiate $code
        (with "" (instance (export "memory" (memory $memory)) {" ".join(wires)}))))
      {" ".join(lifts)}"""


# Values in wasmtime-py's shapes ---------------------------------------------------------------------------------------


class NotExpressible(Exception):
    """wasmtime-py takes a value for one of another case, so that nobody can give it."""


def to_shape(c: ModuleType, valtype: Any, type_: Type, value: Any) -> Any:
    """A value of our own form in the shape that a type of wasmtime-py, or of the face, asks for."""
    kind, names, parts = type_
    if kind == "list":
        items = [to_shape(c, valtype.element, parts[0], item) for item in value]
        return bytes(items) if parts[0][0] == "u8" else items
    if kind == "record":
        made = c.Record()
        for (name, inner), part in zip(valtype.fields, parts, strict=True):
            setattr(made, name, to_shape(c, inner, part, value[name]))
        return made
    if kind == "tuple":
        return tuple(to_shape(c, *both) for both in zip(valtype.elements, parts, value, strict=True))
    if kind not in ("variant", "option", "result"):
        return value
    if kind == "option":
        case, payload, place = ("none", None, 0) if value is None else (*value, 1)
        part = None if value is None else parts[0]
    else:
        case, payload = value
        place = names.index(case) if kind == "variant" else ("ok", "err").index(case)
        part = parts[place]
    inner = None if part is None else to_shape(c, valtype._cases()[place][1], part, payload)
    if valtype._tagged():
        return c.Variant(case, inner)
    if c is wasmtime.component and _taken_for(valtype, inner) != place:
        raise NotExpressible
    return inner


def _taken_for(valtype: Any, value: Any) -> int:
    """The case that wasmtime-py takes a value for: the first one of which it has a class."""
    for place, (_, part) in enumerate(valtype._cases()):
        classes: set[type] = {type(None)}
        if part is not None:
            classes.clear()
            part.add_classes(classes)
        if isinstance(value, tuple(classes)):
            return place
    return -1


def key(value: Any) -> str:
    """What tells values of either API apart, negative zero too; NaNs are one."""
    if isinstance(value, (list, tuple)):
        return f"{type(value).__name__}({', '.join(map(key, value))})"
    if isinstance(value, (set, frozenset)):
        return f"set({', '.join(sorted(value))})"
    if hasattr(value, "payload"):
        return f"Variant({value.tag}, {key(value.payload)})"
    if hasattr(value, "__dict__"):
        return f"Record({', '.join(f'{name}={key(item)}' for name, item in sorted(vars(value).items()))})"
    return f"{type(value).__name__}:{value!r}"


# Running --------------------------------------------------------------------------------------------------------------


class Side:
    """A component under one of the two: an instance, made anew where a trap ended it."""

    def __init__(self, w: ModuleType, compiled: Any, engine: Any, signatures: tuple[Signature, ...]) -> None:
        self.w = w
        self.c: ModuleType = importlib.import_module(f"{w.__name__}.component")
        self.compiled = compiled
        self.engine = engine
        self.signatures = signatures
        self.seen: list[str] = []
        self.answer: tuple[Type, Any] | None = None
        self.start()

    def start(self) -> None:
        """A new store with a new instance."""
        self.store = self.w.Store(self.engine)
        linker = self.c.Linker(self.engine)
        self.types: dict[str, Any] = {}

        with linker.root() as root:
            for number in range(len(self.signatures)):
                root.add_func(f"g{number}", lambda _store, *values, number=number: self.host(number, values))
            self.instance = linker_instantiate(linker, self.store, self.compiled, root)
        self.functions: dict[str, Any] = {}

    def func(self, name: str) -> Any:
        """An exported function."""
        if name not in self.functions:
            self.functions[name] = self.instance.get_func(self.store, name)
        return self.functions[name]

    def host(self, number: int, values: tuple[Any, ...]) -> Any:
        """What the guest calls."""
        self.seen = [key(value) for value in values]
        if self.answer is None:
            return None
        return to_shape(self.c, self.func(f"f{number}").type(self.store).result, *self.answer)

    def shaped(self, types: Any, parts: tuple[Type, ...], values: tuple[Any, ...]) -> list[Any]:
        """Arguments in this API's shapes."""
        return [to_shape(self.c, *both) for both in zip(types, parts, values, strict=True)]

    def call(self, number: int, arguments: tuple[Any, ...], answer: Any) -> tuple[list[str], str, list[str], str]:
        """What the host saw, what came back, and what both should have been."""
        one = self.signatures[number]
        func = self.func(f"f{number}")
        type_ = func.type(self.store)
        given = self.shaped([part for _, part in type_.params], one.params, arguments)
        self.answer = None if one.result is None else (one.result, answer)
        wanted = None if self.answer is None else to_shape(self.c, type_.result, *self.answer)
        found = func(self.store, *given)
        return self.seen, key(found), [key(value) for value in given], key(wanted)

    def image(self, number: int, value: Any) -> bytes:
        """The bytes of a value, and what lies behind it."""
        func = self.func(f"i{number}")
        (_, type_), *_ = func.type(self.store).params
        result = self.signatures[number].result
        assert result is not None
        found: bytes = func(self.store, to_shape(self.c, type_, result, value), *range(MAX_FLAT_PARAMS))
        return found

    def made_of(self, name: str, *arguments: Any) -> str:
        """The value that a guest makes of bytes; "error" where it is none."""
        try:
            return key(self.func(name)(self.store, *arguments))
        except self.w.WasmtimeError:
            self.start()
            return "error"


def linker_instantiate(linker: Any, store: Any, compiled: Any, root: Any) -> Any:
    """An instance; a linker is not used while its root is open."""
    root.close()
    return linker.instantiate(store, compiled)


def sides(case: Case, folder: Path) -> tuple[Side, Side]:
    """The case in wasmtime-py, and in the face."""
    data = bytes(wasmtime.wat2wasm(case.text))
    engine = wasmtime.Engine()
    reference = Side(wasmtime, wasmtime.component.Component(engine, data), engine, case.signatures)
    output = folder / "signatures.so"
    wa.pack(data, output, opt_level=0, jobs=1)
    own = face.Engine()
    component_api = importlib.import_module("wasmartifact.wasmtime.component")
    return reference, Side(face, component_api.Component.deserialize_file(own, str(output)), own, case.signatures)


@dataclass
class Totals:
    """What a run did and found."""

    counts: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)


def compare(case: Case, folder: Path, counts: Counter[str]) -> list[str]:
    """What differs in a case."""
    both = sides(case, folder)
    findings = []
    for number, calls in enumerate(case.calls):
        counts["signatures"] += 1
        for arguments, answer in calls:
            outcomes = []
            for side in both:
                try:
                    seen, found, given, wanted = side.call(number, arguments, answer)
                except NotExpressible:
                    counts["values that wasmtime-py can't be given"] += 1
                    break
                counts["calls"] += 1
                outcomes.append((seen, found))
                if (seen, found) != (given, wanted):
                    findings.append(f"{side.w.__name__} f{number}: given {given}, {wanted}; found {seen}, {found}")
            if len(outcomes) == 2 and outcomes[0] != outcomes[1]:
                findings.append(f"f{number}: {outcomes[0]} in wasmtime-py, {outcomes[1]} here")
    for side in both:
        side.start()  # what was allocated till now depends on how strings are turned into another encoding
    return findings + compare_strings(case, both, counts) + compare_bytes(case, both, counts)


def compare_strings(case: Case, both: tuple[Side, Side], counts: Counter[str]) -> list[str]:
    """What differs where bytes that may be none are taken for a string."""
    findings = []
    for place, data, units in case.strings:
        reference, own = (side.made_of(f"s{place}", data, units) for side in both)
        counts["strings: errors" if reference == "error" else "strings: values"] += 1
        if reference != own:
            findings.append(f"s{place} of {data.hex()}, {units:#x}: {reference} in wasmtime-py, {own} here")
    return findings


def compare_bytes(case: Case, both: tuple[Side, Side], counts: Counter[str]) -> list[str]:
    """What differs where bytes of values are changed."""
    findings = []
    for number, offset, byte in case.changes:
        if case.signatures[number].result is None:
            continue
        try:
            images = [side.image(number, case.calls[number][0][1]) for side in both]
        except NotExpressible:
            continue
        if images[0] != images[1]:
            findings.append(f"i{number}: {images[0].hex()} in wasmtime-py, {images[1].hex()} here")
        changed = images[0][:offset] + bytes([byte]) + images[0][offset + 1 :]
        reference, own = (side.made_of(f"r{number}", changed) for side in both)
        counts["changed: errors" if reference == "error" else "changed: values"] += 1
        if reference != own:
            findings.append(f"r{number} at {offset}, {byte}: {reference} in wasmtime-py, {own} here")
            for side in both:
                side.start()
    return findings


def fuzz(seed: str, *, seconds: float, signatures: int | None = None, save: Path | None = None) -> Totals:
    """Compare components until time or number is up."""
    end, told, totals, index = time.monotonic() + seconds, time.monotonic(), Totals(), 0
    with tempfile.TemporaryDirectory() as temporary:
        while time.monotonic() < end and (signatures is None or totals.counts["signatures"] < signatures):
            name = f"{seed}/{index}"
            index += 1
            case = generate(name)
            if save is not None:
                save.mkdir(parents=True, exist_ok=True)
                (save / "last.wat").write_text(f";; seed: {name}\n{case.text}")
            found = compare(case, Path(temporary), totals.counts)
            totals.findings += [f"seed {name}: {finding}" for finding in found]
            if found and save is not None:
                (save / f"{name.replace('/', '-')}.wat").write_text(f";; seed: {name}\n{case.text}")
            if time.monotonic() > told + PROGRESS_SECONDS:
                told = time.monotonic()
                print(dict(totals.counts), len(totals.findings), "findings", flush=True)
    return totals


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.signatures", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--signatures", type=int, help="stop after so many")
    parser.add_argument("--save", type=Path, metavar="DIR", help="where components go that differ, and the last one")
    given = parser.parse_args()
    totals = fuzz(given.seed, seconds=given.seconds, signatures=given.signatures, save=given.save)
    for finding in totals.findings:
        print(finding[:2000])
    print(dict(totals.counts), len(totals.findings), "findings")
    return 1 if totals.findings else 0


if __name__ == "__main__":
    sys.exit(main())
