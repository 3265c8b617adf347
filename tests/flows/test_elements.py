"""Element segments whose items are globals: the whole square of tables, globals, types and modes, as under wasmtime."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any, Final

import pytest
import wasmtime

import wasmartifact as wa

#: An externref of the host; wasmtime and this runtime hand the object itself back.
OBJECT: Final = "an object of the host"


@dataclass(frozen=True)
class Type:
    """A reference type, with what of it a test can have."""

    text: str
    is_function: bool = False  # has values of its own: $seven, which returns 7
    is_extern: bool = False  # has values of the host
    is_nullable: bool = True
    null: str | None = None  # heap type of its null

    @property
    def values(self) -> list[str]:
        """Constant expressions of the type, by what they are."""
        given = []
        if self.is_nullable:
            given.append(f"(ref.null {self.null})")
        if self.is_function:
            given.append("(ref.func $seven)")
        if self.is_extern:
            given.append("(global.get $object)")
        return given


TYPES: Final = (
    Type("funcref", is_function=True, null="func"),
    Type("(ref func)", is_function=True, is_nullable=False),
    Type("(ref null $number)", is_function=True, null="$number"),
    Type("(ref $number)", is_function=True, is_nullable=False),
    Type("nullfuncref", null="nofunc"),
    Type("externref", is_extern=True, null="extern"),
    Type("(ref extern)", is_extern=True, is_nullable=False),
    Type("nullexternref", null="noextern"),
    Type("exnref", null="exn"),
    Type("nullexnref", null="noexn"),
)
#: What stands in every module: the type of $seven, $seven itself.
FUNCTION: Final = "(type $number (func (result i32))) (func $seven (type $number) (i32.const 7))"


def provider(type_: Type) -> str:
    """Exports what the modules under test import: a global for each value, a table for each case."""
    object_ = f'(import "host" "object" (global $object {type_.text if type_.is_extern else "externref"}))'
    globals_ = [f'(global (export "global{number}") {type_.text} {value})' for number, value in enumerate(type_.values)]
    initial = "" if type_.is_nullable else f" {type_.values[0]}"
    tables = [f'(table (export "table{number}") 3 {type_.text}{initial})' for number in range(len(cases(type_)))]
    return f"(module {object_} {FUNCTION} {' '.join(tables + globals_)})"


@dataclass(frozen=True)
class Case:
    """A segment: at offset 1 of the table that has its number, twice the same global."""

    value: int  # index of type_.values
    is_imported: bool  # the global; else an own one of the same value
    mode: str


def cases(type_: Type) -> list[Case]:
    """All of one type."""
    return [
        Case(*parts) for parts in product(range(len(type_.values)), (False, True), ("active", "passive", "declare"))
    ]


def subject(type_: Type, table_is_imported: bool) -> str:
    """A module with all cases of a type."""
    text = type_.text
    imports, tables, globals_, segments, functions = [], [], [], [], []
    initial = "" if type_.is_nullable else " (global.get $g0)"
    for value in range(len(type_.values)):
        imports.append(f'(import "provider" "global{value}" (global $g{value} {text}))')
        own = "(ref.func $seven)" if "ref.func" in type_.values[value] else f"(global.get $g{value})"
        if "ref.null" in type_.values[value]:
            own = type_.values[value]
        globals_.append(f"(global $o{value} {text} {own})")
    for number, case in enumerate(cases(type_)):
        if table_is_imported:
            imports.append(f'(import "provider" "table{number}" (table $t{number} 3 {text}))')
        else:
            tables.append(f"(table $t{number} 3 {text}{initial})")
        place = f"(table $t{number}) (i32.const 1)" if case.mode == "active" else case.mode.replace("passive", "")
        item = f"(global.get ${'g' if case.is_imported else 'o'}{case.value})"
        segments.append(f"(elem $e{number} {place} {text} {item} {item})")
        functions.append(
            f"""(func (export "init{number}") (param i32)
                (table.init $t{number} $e{number} (i32.const 1) (i32.const 0) (local.get 0)))
            (func (export "is_null{number}") (param i32) (result i32)
                (ref.is_null (table.get $t{number} (local.get 0))))
            (func (export "get{number}") (param i32) (result {text}) (table.get $t{number} (local.get 0)))"""
        )
    return f"(module {' '.join(imports)} {FUNCTION} {' '.join(tables + globals_ + segments + functions)})"


def outcome(call: Callable[[], Any], traps: Any) -> Any:
    """What a call returned, called where it is a function; or that it trapped."""
    try:
        value = call()
    except traps:
        return "trap"
    return value


def slots(call: Callable[..., Any], number: int, is_shown: bool) -> list[Any]:
    """What the table of a case holds."""
    found = []
    for index in range(3):
        found.append(call(f"is_null{number}", index))
        if is_shown:
            value = call(f"get{number}", index)
            found.append(value() if callable(value) else value)
    return found


def observe(call: Callable[..., Any], traps: Any, type_: Type) -> list[Any]:
    """The slots of every table, before and after table.init of none, one and two items of its segment."""
    found = []
    is_shown = type_.is_function or type_.is_extern  # else all is null, and wasmtime's API can't show it
    for number in range(len(cases(type_))):
        found.append(slots(call, number, is_shown))
        for count in range(3):
            found.append(outcome(partial(call, f"init{number}", count), traps))
            found.append(slots(call, number, is_shown))
    return found


@cache
def engine() -> wasmtime.Engine:
    config = wasmtime.Config()
    config.wasm_function_references = config.wasm_gc = config.wasm_exceptions = True
    return wasmtime.Engine(config)


def caller(store: wasmtime.Store, instance: wasmtime.Instance) -> Callable[..., Any]:
    """Calls exports of wasmtime's by name; a function comes back as something to call."""
    exports = instance.exports(store)

    def call(name: str, *values: int) -> Any:
        function = exports[name]
        assert isinstance(function, wasmtime.Func)
        result = function(store, *values)
        return partial(result, store) if isinstance(result, wasmtime.Func) else result

    return call


def exports_caller(exports: Any) -> Callable[..., Any]:
    """The same of ours."""
    return lambda name, *values: exports[name](*values)


def under_wasmtime(type_: Type, table_is_imported: bool) -> list[Any]:
    """The same there, whose API ends the process where it is to make a global of ``(ref extern)``."""
    if type_.is_extern:
        type_ = replace(type_, text="externref")
    store = wasmtime.Store(engine())
    linker = wasmtime.Linker(engine())
    object_type = wasmtime.GlobalType(wasmtime.ValType.externref(), False)
    linker.define(store, "host", "object", wasmtime.Global(store, object_type, wasmtime.Val.externref(OBJECT)))
    linker.define_instance(store, "provider", linker.instantiate(store, wasmtime.Module(engine(), provider(type_))))
    made = linker.instantiate(store, wasmtime.Module(engine(), subject(type_, table_is_imported)))
    return observe(caller(store, made), wasmtime.Trap, type_)


@pytest.mark.parametrize("opt_level", [0, 2])
@pytest.mark.parametrize("table_is_imported", [False, True], ids=["own table", "imported table"])
@pytest.mark.parametrize("type_", TYPES, ids=lambda type_: type_.text)
def test_items_that_are_globals(type_: Type, table_is_imported: bool, opt_level: int, tmp_path: Path) -> None:
    given: Mapping[str, Any] = {"host": {"object": OBJECT}}
    wa.pack(provider(type_).encode(), tmp_path / "provider.so", opt_level=opt_level)
    made = wa.load(tmp_path / "provider.so").instantiate(given)
    wa.pack(subject(type_, table_is_imported).encode(), tmp_path / "subject.so", opt_level=opt_level)
    found = observe(
        exports_caller(wa.load(tmp_path / "subject.so").instantiate({"provider": made}).exports), wa.Trap, type_
    )
    assert found == under_wasmtime(type_, table_is_imported)


# Offsets, initialisers, order -----------------------------------------------------------------------------------------

#: Exports what a random module imports: two globals of each kind, a table and a memory of each index type.
SURROUNDINGS: Final = """(module
  (global (export "i32") i32 (i32.const 2)) (global (export "i64") i64 (i64.const 2))
  (global (export "null") funcref (ref.null func)) (global (export "function") (ref func) (ref.func $seven))
  (func $seven (result i32) (i32.const 7))
  (table $i32 (export "table_i32") 8 funcref) (table $i64 (export "table_i64") i64 8 funcref)
  (memory $memory_i32 (export "memory_i32") 1) (memory $memory_i64 (export "memory_i64") i64 1)
  (func (export "call_i32") (param i32) (result i32) (call_indirect $i32 (result i32) (local.get 0)))
  (func (export "call_i64") (param i64) (result i32) (call_indirect $i64 (result i32) (local.get 0)))
  (func (export "load_i32") (param i32) (result i32) (i32.load8_u $memory_i32 (local.get 0)))
  (func (export "load_i64") (param i64) (result i32) (i32.load8_u $memory_i64 (local.get 0))))"""
SIZE: Final = 8  # slots of each table, bytes of the memory that are looked at


class RandomModule:
    """A module that initialises tables and a memory at offsets that are computed in every way there is."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.index = self.chance.choice(["i32", "i64"])
        tables = [self._table(number) for number in range(2)]
        self.imports_memory = self.chance.random() < 0.4
        place = '(import "env" "memory_{0}" (memory {0} 1))' if self.imports_memory else "(memory {0} 1)"
        segments = [self._elements() for _ in range(self.chance.randrange(1, 6))]
        segments += [f'(data (offset {self._offset()}) "abcd")' for _ in range(self.chance.randrange(4))]
        self.wat = f"""(module
          (import "env" "i32" (global $imported_i32 i32)) (import "env" "i64" (global $imported_i64 i64))
          (import "env" "null" (global $imported_null funcref)) (import "env" "function" (global $imported (ref func)))
          (import "env" "table_{self.index}" (table $t2 {self.index} 8 funcref))
          {place.format(self.index)} {" ".join(tables)}
          (func $one (result i32) (i32.const 1)) (func $two (result i32) (i32.const 2))
          (global $own {self.index} ({self.index}.const 3))
          (global $computed {self.index} ({self.index}.add (global.get $own) (global.get $imported_{self.index})))
          (global $function (ref func) (ref.func $one)) (global $copy funcref (global.get $function))
          (global $again funcref (global.get $imported_null)) (global $null funcref (ref.null func))
          {" ".join(segments)} {" ".join(self._calls(number) for number in range(3))}
          (func (export "load") (param {self.index}) (result i32) (i32.load8_u (local.get 0))))"""

    def _table(self, number: int) -> str:
        self.nullable = [True, self.chance.random() < 0.6, True]
        initial = self.chance.choice(["", "(ref.func $two)", "(global.get $imported_null)", "(global.get $imported)"])
        if number == 1 and not self.nullable[1]:
            initial = self.chance.choice(["(ref.func $two)", "(global.get $imported)"])
        element = "funcref" if self.nullable[number] else "(ref func)"
        return f"(table $t{number} {self.index} {SIZE} {element} {initial})"

    def _offset(self) -> str:
        index, number = self.index, self.chance.randrange(SIZE)
        if self.chance.random() < 0.05:
            number = self.chance.choice([-1, SIZE, 65536, (1 << 31) - 1])
        return self.chance.choice(
            [
                f"({index}.const {number})",
                f"(global.get $imported_{index})",
                "(global.get $own)",
                "(global.get $computed)",
                f"({index}.add ({index}.const {number - 3}) (global.get $own))",
                f"({index}.mul ({index}.const 2) ({index}.sub (global.get $computed) ({index}.const 4)))",
            ]
        )

    def _elements(self) -> str:
        target = self.chance.randrange(3)
        items = ["(ref.func $one)", "(ref.func $two)", "(global.get $imported)", "(global.get $function)"]
        if self.nullable[target]:
            items += [f"(global.get ${name})" for name in ("imported_null", "copy", "again", "null")]
        chosen = " ".join(self.chance.choice(items) for _ in range(self.chance.randrange(4)))
        element = "funcref" if self.nullable[target] else "(ref func)"
        return f"(elem (table $t{target}) (offset {self._offset()}) {element} {chosen})"

    def _calls(self, number: int) -> str:
        return f"""(func (export "is_null{number}") (param {self.index}) (result i32)
            (ref.is_null (table.get $t{number} (local.get 0))))
          (func (export "call{number}") (param {self.index}) (result i32)
            (call_indirect $t{number} (result i32) (local.get 0)))"""

    def observe(self, call: Callable[..., Any] | None, outer: Callable[..., Any], traps: Any) -> list[Any]:
        """Slots and bytes of the instance, where there is one (``call``), and of what it imported."""
        names = [f"{name}{number}" for name in ("is_null", "call") for number in range(3)]
        found: list[Any] = ["trapped"]
        if call is not None:
            found = [outcome(partial(call, name, at), traps) for name, at in product(names, range(SIZE))]
            found += [call("load", at) for at in range(SIZE + 4)]
        found += [outcome(partial(outer, f"call_{self.index}", at), traps) for at in range(SIZE)]
        return found + [outer(f"load_{self.index}", at) for at in range(SIZE + 4)]

    def under_wasmtime(self) -> list[Any]:
        store = wasmtime.Store(engine())
        linker = wasmtime.Linker(engine())
        surroundings = wasmtime.Instance(store, wasmtime.Module(engine(), SURROUNDINGS), [])
        linker.define_instance(store, "env", surroundings)
        outer = caller(store, surroundings)
        try:
            made = linker.instantiate(store, wasmtime.Module(engine(), self.wat))
        except wasmtime.Trap:
            return self.observe(None, outer, wasmtime.Trap)
        return self.observe(caller(store, made), outer, wasmtime.Trap)

    def under_wasmartifact(self, surroundings: wa.Artifact, path: Path) -> list[Any]:
        outer = surroundings.instantiate().exports
        wa.pack(self.wat.encode(), path, opt_level=0)
        try:
            made = wa.load(path).instantiate({"env": outer}).exports
        except wa.Trap as trap:
            assert trap.code in {"table_out_of_bounds", "memory_out_of_bounds"}
            return self.observe(None, exports_caller(outer), wa.Trap)
        return self.observe(exports_caller(made), exports_caller(outer), wa.Trap)


def test_offsets_and_initialisers(tmp_path: Path) -> None:
    wa.pack(SURROUNDINGS.encode(), tmp_path / "surroundings.so", opt_level=0)
    surroundings = wa.load(tmp_path / "surroundings.so")
    trapped = 0
    for seed in range(50):
        module = RandomModule(seed)
        expected = module.under_wasmtime()
        assert module.under_wasmartifact(surroundings, tmp_path / "a.so") == expected, (seed, module.wat)
        trapped += expected[0] == "trapped"
    assert 10 <= trapped <= 40  # both ways are covered
