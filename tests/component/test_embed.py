"""Core modules and components in the place of their imports; wasmtime, which links core modules late, has the word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import wasmtime
import wasmtime.component

import wasmartifact as wa


def run(data: bytes, tmp_path: Path, imports: Any = None) -> Any:
    wa.pack(data, tmp_path / "c.so", opt_level=0)
    component = wa.load(tmp_path / "c.so")
    assert isinstance(component, wa.Component)
    return component.instantiate(imports)


def wasmtimes(component: str, module: str) -> Any:
    """What ``f`` gives there, with a module for the import ``m``."""
    engine = wasmtime.Engine()
    store, linker = wasmtime.Store(engine), wasmtime.component.Linker(engine)
    with linker.root() as root:
        root.add_module("m", wasmtime.Module(engine, module))
    instance = linker.instantiate(store, wasmtime.component.Component(engine, component))
    found = instance.get_func(store, "f")
    assert found is not None
    return found(store)


ONE = '(func (export "f") (result i32) (i32.const 1))'
#: Imports a core module; ``f`` gives what it gives. It gets a memory, a table, a global and a function of another one.
HOST = """(component
  (import "other" (func $other))
  (core type $seven (func (result i32)))
  (import "m" (core module $m (alias outer 1 $seven (type $seven))
    (import "" "memory" (memory 1 2)) (import "" "table" (table 2 4 funcref)) (import "" "global" (global i32))
    (import "" "seven" (func (type $seven)))
    (export "f" (func (result i32))) (export "memory" (memory 1 9))))
  (import "last" (func))
  (core module $own
    (memory (export "memory") 1 2) (table (export "table") 2 4 funcref) (global (export "global") i32 (i32.const 30))
    (func (export "seven") (result i32) (i32.const 7)))
  (core instance $own (instantiate $own))
  (core instance $i (instantiate $m (with "" (instance $own))))
  (alias core export $i "memory" (core memory $memory))
  (func (export "f") (result u32) (canon lift (core func $i "f"))))"""
#: For wasmtime, which wants each import that it declares.
PLAIN = HOST.replace('(import "other" (func $other))', "").replace('(import "last" (func))', "")
EXPORTS = '(func (export "f") (result i32) (i32.add (call $seven) (global.get 0))) (memory (export "memory") 1 9)'
SEVEN = '(import "" "seven" (func $seven (result i32)))'


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (f'(module {SEVEN} (import "" "global" (global i32)) {EXPORTS})', None),
        (f'(module {SEVEN} (import "" "global" (global i32)) (import "" "memory" (memory 1)) {EXPORTS})', None),
        (f'(module {SEVEN} (import "" "global" (global i32)) (import "" "memory" (memory 0 5)) {EXPORTS})', None),
        (f'(module {SEVEN} (import "" "global" (global i32)) (import "" "table" (table 1 funcref)) {EXPORTS})', None),
        (f'(module {ONE} (memory (export "memory") 3 8) (func (export "more")))', None),
        ("(module)", "does not export 'f', a function"),
        (f'(module {ONE})', "does not export 'memory', a memory"),
        ('(module (func (export "f") (result i64) (i64.const 1)) (memory (export "memory") 1 9))', "exports 'f' as"),
        ('(module (global (export "f") i32 (i32.const 1)) (memory (export "memory") 1 9))', "exports 'f' as a global"),
        (f'(module {ONE} (memory (export "memory") 1 10))', "exports 'memory'"),
        (f'(module {ONE} (memory (export "memory") 1))', "exports 'memory'"),
        (f'(module (import "" "global" (global i64)) {ONE} (memory (export "memory") 1 9))', "imports '' 'global' as"),
        (f'(module {SEVEN} (import "" "global" (global (mut i32))) {EXPORTS})', "imports '' 'global' as a global"),
        (f'(module {SEVEN} (import "" "memory" (memory 2)) (global i32 (i32.const 1)) {EXPORTS})', "'memory'"),
        (f'(module {SEVEN} (import "" "global" (global i32)) (import "" "x" (func)) {EXPORTS})', "does not give it"),
    ],
)  # fmt: skip
def test_core_modules_that_fit_and_that_do_not(module: str, words: str | None, tmp_path: Path) -> None:
    if words is None:
        expected = wasmtimes(PLAIN, module)
        given = {"other": print, "last": print}
        assert run(wa.embed(HOST.encode(), {"m": module.encode()}), tmp_path, given).f() == expected
        return
    with pytest.raises(wasmtime.WasmtimeError, match="matching implementation was not found"):
        wasmtimes(PLAIN, module)
    with pytest.raises(wa.UnlinkableModule, match=words) as told:
        wa.embed(HOST.encode(), {"m": module.encode()})
    assert told.value.name == "m"


#: Adds one to what it imports.
INNER = """(component
  (import "x" (func $x (result u32)))
  (core func $x (canon lower (func $x)))
  (core module $m (import "" "x" (func $x (result i32)))
    (func (export "f") (result i32) (i32.add (call $x) (i32.const 1))))
  (core instance $i (instantiate $m (with "" (instance (export "x" (func $x))))))
  (func (export "f") (result u32) (canon lift (core func $i "f"))))"""
OUTER = """(component
  (import "x" (func $x (result u32)))
  (import "some-thing" (component $c (import "x" (func (result u32))) (export "f" (func (result u32)))))
  (instance $one (instantiate $c (with "x" (func $x))))
  (instance $two (instantiate $c (with "x" (func $one "f"))))
  (export "f" (func $two "f")))"""


def test_components(tmp_path: Path) -> None:
    data = wa.embed(OUTER.encode(), {"some-thing": INNER.encode()})
    assert run(data, tmp_path, {"x": lambda: 40}).f() == 42


@pytest.mark.parametrize(
    "inner",
    [
        "(component)",
        INNER.replace("u32", "u8"),
        INNER.replace('"x" (func $x (result u32))', '"y" (func $x (result u32))'),
    ],
)
def test_components_of_another_type(inner: str) -> None:
    with pytest.raises(wa.InvalidModule, match="does not fit its parts, 'some-thing'"):
        wa.embed(OUTER.encode(), {"some-thing": inner.encode()})


def test_files_and_what_is_no_part(tmp_path: Path) -> None:
    outer, inner = tmp_path / "outer.wat", tmp_path / "inner.wat"
    outer.write_text(OUTER)
    inner.write_text(INNER)
    assert wa.embed(outer, {"some-thing": inner})[:4] == b"\0asm"
    for parts, words in (
        ({"x": inner}, r"no core module or component 'x'; it imports these: 'some-thing' \(component\)"),
        ({"some-thing": b"(module)"}, "is a component, found a core module"),
    ):
        with pytest.raises(wa.UnlinkableModule, match=words):
            wa.embed(outer, parts)
    with pytest.raises(wa.UnlinkableModule, match="no parts"):
        wa.embed(b"(module)", {})
    with pytest.raises(wa.InvalidModule):
        wa.embed(HOST.encode(), {"m": b"(module (func (result i32)))"})
    with pytest.raises(wa.MalformedModule):
        wa.embed(HOST.encode(), {"m": b"\0asm\1\0\0\0\1\xff"})


def test_without_its_parts_it_is_refused_by_name(tmp_path: Path) -> None:
    for text in (HOST, OUTER):
        with pytest.raises(wa.UnsupportedModule, match=r"wasmartifact\.embed\(component") as told:
            wa.pack(text.encode(), tmp_path / "c.so")
        assert told.value.facts["feature"] == "component-imports"
    # What comes out may still import some: only these are missing then.
    both = OUTER.replace(
        "(instance $one", '(import "m" (core module $m)) (core instance (instantiate $m)) (instance $one'
    )
    data = wa.embed(both.encode(), {"some-thing": INNER.encode()})
    with pytest.raises(wa.UnsupportedModule, match="'m'"):
        wa.pack(data, tmp_path / "c.so")
    assert run(wa.embed(data, {"m": b"(module)"}), tmp_path, {"x": lambda: 1}).f() == 3
