"""Imports of WASI 0.2 whose types are not WASI's; the table of types is compared with wasmtime's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import wasmtime
import wasmtime.component

import wasmartifact as wa
from tools.wasi_functions import FUNCTIONS, Signature, Type

#: What components export, and what WASI calls unstable: wasmtime's linker has none of it.
NOT_IMPORTED = (
    "cli/run", "http/incoming-handler", "network-error-code", "[method]response-outparam.send-informational",
)  # fmt: skip
#: Resources of interfaces that have no functions of them.
BARE = {
    "cli/terminal-input": {"terminal-input"},
    "cli/terminal-output": {"terminal-output"},
    "sockets/network": {"network"},
    "http/types": {"response-outparam"},
}


class Interface:
    """The text of an instance that a component imports; types are called by their kinds and numbers."""

    def __init__(self, name: str, functions: Mapping[str, Signature]) -> None:
        self.name = name
        self.own = {name.partition("]")[2].partition(".")[0] for name in functions if name.startswith("[")}
        self.own |= BARE.get(name, set())
        self.names: dict[Type, str] = {}
        self.definitions = [f'(export "{name}" (type ${name} (sub resource)))' for name in sorted(self.own)]
        self.definitions += [
            self.function(name, signature) for name, signature in functions.items() if name not in NOT_IMPORTED
        ]

    def text(self) -> Iterator[str]:
        """Its import, and its resources for those that come later."""
        yield f'(import "wasi:{self.name}@0.2.12" (instance ${self.name} {" ".join(self.definitions)}))'
        for resource in sorted(self.own):
            yield f'(alias export ${self.name} "{resource}" (type ${resource}))'

    def function(self, name: str, signature: Signature) -> str:
        """An export, after the types that it needs."""
        *parameters, result = [part and self.type(part) for part in signature]
        first = "self" if name.startswith("[method]") else "first"  # those of methods have to be called so
        words = [f'(param "{f"p{number}" if number else first}" {part})' for number, part in enumerate(parameters)]
        words += [f"(result {result})"] if result else []
        return f'(export "{name}" (func {" ".join(words)}))'

    def type(self, type_: Type) -> str:
        """Name of a type, which is defined if need be."""
        if type_ not in self.names:
            self.names[type_] = self.define(type_)
        return self.names[type_]

    def define(self, type_: Type) -> str:
        kind, names, parts = type_.kind, type_.names, [part and self.type(part) for part in type_.parts]
        if kind in ("own", "borrow"):
            return f"({kind} ${names[0]})"
        if kind in ("list", "option", "tuple"):
            return f"({kind} {' '.join(map(str, parts))})"
        if kind == "result":
            return f"(result {parts[0] or ''} {f'(error {parts[1]})' if parts[1] else ''})"
        if not names:
            return kind
        if kind in ("enum", "flags"):
            body = " ".join(f'"{name}"' for name in names)
        else:
            word = "field" if kind == "record" else "case"
            body = " ".join(f'({word} "{name}" {part or ""})' for name, part in zip(names, parts, strict=True))
        name = f"{kind}{len(self.names)}"
        self.definitions.append(
            f'(type ${name}-itself ({kind} {body})) (export "{name}" (type ${name} (eq ${name}-itself)))'
        )
        return f"${name}"


def everything() -> str:
    """A component that imports all of WASI 0.2 but what it calls unstable."""
    interfaces = {name: found for name, found in FUNCTIONS.items() if name not in NOT_IMPORTED}
    lines = [line for name in BARE.keys() - interfaces.keys() for line in Interface(name, {}).text()]
    lines += [line for name, found in interfaces.items() for line in Interface(name, found).text()]
    return "(component\n{}\n)".format("\n".join(lines))


def wasmtimes(component: bytes | str) -> None:
    """Instantiate with the WASI of wasmtime, which compares types."""
    engine = wasmtime.Engine()
    store, linker = wasmtime.Store(engine), wasmtime.component.Linker(engine)
    store.set_wasi(wasmtime.WasiConfig())
    store.set_wasi_http()
    linker.add_wasip2()
    linker.add_wasi_http()
    linker.instantiate(store, wasmtime.component.Component(engine, component))


def ours(component: bytes | str, tmp_path: Path, imports: Any = None) -> Any:
    """Instantiate with a Wasi."""
    source = tmp_path / "c.wat"
    source.write_bytes(component if isinstance(component, bytes) else component.encode())
    wa.pack(source, tmp_path / "c.so", opt_level=0)
    wa.verify(tmp_path / "c.so")
    loaded = wa.load(tmp_path / "c.so")
    assert isinstance(loaded, wa.Component)
    return loaded.instantiate(wa.Wasi(http=True, network=True) if imports is None else imports)


def test_all_of_wasi_has_these_types(tmp_path: Path) -> None:
    text = everything()
    assert text.count("(func ") == sum(map(len, FUNCTIONS.values())) - len(NOT_IMPORTED)
    wasmtimes(text)
    ours(text, tmp_path)


#: Interface, definitions in it, what the error says.
OTHER_TYPES = (
    ("random/random", '(export "get-random-u64" (func (result u32)))', "its result is u32, expected u64"),
    ("random/random", '(export "get-random-u64" (func))', "its result is nothing, expected u64"),
    ("random/random", '(export "get-random-bytes" (func (result (list u8))))', "it has 0 parameters, expected 1"),
    (
        "random/random",
        '(export "get-random-bytes" (func (param "len" u64) (result (list s8))))',
        r"its result \(element\) is s8, expected u8",
    ),
    (
        "cli/environment",
        '(export "get-environment" (func (result (list (tuple string string string)))))',
        r"its result \(element\), a tuple, has 3 parts, expected 2",
    ),
    (
        "cli/exit",
        '(export "exit" (func (param "status" (result u8))))',
        r"its parameter 'status' \(ok\) is u8, expected nothing",
    ),
    (
        "clocks/wall-clock",
        """(type $t (record (field "seconds" u64) (field "nanos" u32))) (export "datetime" (type $d (eq $t)))
           (export "now" (func (result $d)))""",
        "its result, a record, has 'nanos' in the place of 'nanoseconds'",
    ),
    (
        "cli/stdin",
        '(export "input-stream" (type $i (sub resource))) (export "get-stdin" (func (result (option (own $i)))))',
        "its result is an option, expected an owned resource",
    ),
    (
        "cli/stdout",
        '(export "input-stream" (type $i (sub resource))) (export "get-stdout" (func (result (own $i))))',
        "its result is of 'input-stream', expected 'output-stream'",
    ),
)  # fmt: skip


@pytest.mark.parametrize(("interface", "definitions", "words"), OTHER_TYPES)
def test_other_types_are_told(interface: str, definitions: str, words: str, tmp_path: Path) -> None:
    """A clear error when it is instantiated, as with wasmtime; not what a guest makes of values that don't fit."""
    component = f'(component (import "wasi:{interface}@0.2.3" (instance {definitions})))'
    with pytest.raises(wasmtime.WasmtimeError, match="matching implementation was not found"):
        wasmtimes(component)
    with pytest.raises(wa.UnlinkableModule, match=words) as told:
        ours(component, tmp_path)
    assert told.value.module == f"wasi:{interface}@0.2.3"


def test_who_gives_it_himself_may_have_other_types(tmp_path: Path) -> None:
    text = """(component (import "wasi:random/random@0.2.0" (instance $r (export "get-random-u64" (func (result u32)))))
      (core func $f (canon lower (func $r "get-random-u64")))
      (core module $m (import "" "f" (func $f (result i32))) (export "f" (func $f)))
      (core instance $i (instantiate $m (with "" (instance (export "f" (func $f))))))
      (func (export "f") (result u32) (canon lift (core func $i "f"))))"""
    given = {"wasi:random/random@0.2.0": {"get-random-u64": lambda: 7}}
    assert ours(text, tmp_path, given).f() == 7
    assert ours(text, tmp_path, {**wa.Wasi().imports(), **given}).f() == 7
    with pytest.raises(wa.UnlinkableModule, match="expected u64"):
        ours(text, tmp_path, wa.Wasi().imports())


def test_names_of_parameters_and_versions_do_not_count(tmp_path: Path) -> None:
    definitions = '(export "get-random-bytes" (func (param "how-many" u64) (result (list u8))))'
    for version in ("0.2.0", "0.2.99"):
        ours(f'(component (import "wasi:random/random@{version}" (instance {definitions})))', tmp_path)


def test_a_snapshot_knows_them(tmp_path: Path) -> None:
    text = '(component (import "wasi:random/random@0.2.0" (instance (export "get-random-u64" (func (result u32))))))'
    given = {"wasi:random/random@0.2.0": {"get-random-u64": lambda: 7}}
    wa.snapshot(ours(text, tmp_path, given), tmp_path / "s.so")
    loaded = wa.load(tmp_path / "s.so")
    loaded.instantiate(given)
    with pytest.raises(wa.UnlinkableModule, match="expected u64"):
        loaded.instantiate(wa.Wasi())  # type: ignore[arg-type]
