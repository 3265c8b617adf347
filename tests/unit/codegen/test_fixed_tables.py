"""Tables that nothing changes: which they are, and that calls through their constants do what wasmtime does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import wasmtime

import wasmartifact as wa
from tests.unit.codegen.harness import module_from_wat
from wasmartifact.codegen.fixedtables import fixed_tables
from wasmartifact.wasm.initial import plan_initial_state

LEVELS: Final = pytest.mark.parametrize("opt_level", [0, 1, 2, 3])
PAGE_BYTES: Final = 4096


def found(fields: str, head: str = "") -> dict[int, list[int]]:
    """The fixed tables of a module with two functions, in table 0 of five slots from slot 1 on, and these fields."""
    wat = f"""(module {head}
      (table $t 5 funcref) (elem (table $t) (i32.const 1) func $a $b)
      (func $a (result i32) (i32.const 1)) (func $b (param i32))
      {fields})"""
    module = module_from_wat(wat)
    return {table: list(slots) for table, slots in fixed_tables(module, plan_initial_state(module, PAGE_BYTES)).items()}


@pytest.mark.parametrize(
    "fields",
    [
        '(func (export "f") (result i32) (call_indirect $t (result i32) (i32.const 1)))',
        "(func (result funcref) (table.get $t (i32.const 1)))",
        "(func (result i32) (table.size $t))",
        "(table $u 5 funcref) (func (table.copy $u $t (i32.const 0) (i32.const 0) (i32.const 1)))",
        "(table $u 5 funcref) (func (table.set $u (i32.const 0) (ref.null func)))",
        "(elem $e func $a) (table $u 5 funcref) (func (table.init $u $e (i32.const 0) (i32.const 0) (i32.const 1)))",
        "(elem $e func $a) (func (elem.drop $e))",
        # Bytes that look like an instruction which writes.
        "(func (result i32) (local i32 i64) (i32.const 38)) (func (result i32) (i32.const 0x226fc))",
    ],
)
def test_a_table_that_nothing_writes_to_is_fixed(fields: str) -> None:
    assert found(fields)[0] == [0, 1, 2, 0, 0]


@pytest.mark.parametrize(
    ("fields", "head"),
    [
        ('(export "t" (table $t))', ""),
        ("(func (table.set $t (i32.const 0) (ref.null func)))", ""),
        ("(func (drop (table.grow $t (ref.null func) (i32.const 1))))", ""),
        ("(func (table.fill $t (i32.const 0) (ref.null func) (i32.const 1)))", ""),
        ("(func (table.copy $t $t (i32.const 0) (i32.const 1) (i32.const 1)))", ""),
        ("(table $u 5 funcref) (func (table.copy $t $u (i32.const 0) (i32.const 0) (i32.const 1)))", ""),
        ("(elem $e func $a) (func (table.init $t $e (i32.const 0) (i32.const 0) (i32.const 1)))", ""),
        # Another segment goes where nobody knows yet, or an item is what nobody knows yet.
        ("(elem (table $t) (global.get $g) func $a)", '(import "m" "g" (global $g i32))'),
        ("(elem (table $t) (i32.const 0) funcref (global.get $g))", '(import "m" "g" (global $g funcref))'),
        # Their code and instance are somebody else's.
        ("(elem (table $t) (i32.const 0) func $i)", '(import "m" "i" (func $i))'),
        # A call takes functions of subtypes, too.
        ("", "(type $open (sub (func)))"),
    ],
)
def test_a_table_that_may_change_or_holds_what_is_not_known_is_not(fields: str, head: str) -> None:
    assert 0 not in found(fields, head)


def test_an_imported_table_and_one_that_is_mostly_empty_are_not() -> None:
    wat = """(module (import "m" "t" (table 2 funcref)) (table $large 100000 funcref)
      (elem (table 0) (i32.const 0) func $f) (elem (table $large) (i32.const 9) func $f) (func $f))"""
    module = module_from_wat(wat)
    assert fixed_tables(module, plan_initial_state(module, PAGE_BYTES)) == {}


#: Own functions of three types, two of which are written twice; an index in an i32 or an i64; results on the stack.
CALLS: Final = """(module
  (type $one (func (param i32) (result i32)))
  (type $same (func (param i32) (result i32)))
  (type $many (func (param i32) (result i32 i64 f64 i32)))
  (type $none (func))
  (table $t {index} 9 funcref)
  (elem (table $t) ({index}.const 1) func $add $double $many $nothing $loop)
  (table $u 3 funcref)
  (elem (table $u) (i32.const 0) func $double $add)
  (memory 1)
  (func $add (type $one) (i32.add (local.get 0) (i32.const 100)))
  (func $double (type $same) (i32.mul (local.get 0) (i32.const 2)))
  (func $many (type $many) (local.get 0) (i64.const -5) (f64.const 2.5) (i32.add (local.get 0) (i32.const 1)))
  (func $nothing (type $none))
  (func $loop (type $one) (i32.load (i32.mul (local.get 0) (i32.const 65536))))
  (func (export "one") (param $slot {index}) (param $value i32) (result i32)
    (i32.add (local.get $value) (call_indirect $t (type $one) (local.get $value) (local.get $slot))))
  (func (export "many") (param $slot {index}) (param $value i32) (result i32 i64 f64 i32)
    (call_indirect $t (type $many) (local.get $value) (local.get $slot)))
  (func (export "none") (param $slot {index}) (call_indirect $t (type $none) (local.get $slot)))
  (func (export "other") (param $slot i32) (param $value i32) (result i32)
    (call_indirect $u (type $one) (local.get $value) (local.get $slot)))
  (func (export "sum") (param $count i32) (result i32) (local $i i32) (local $total i32)
    (loop $next
      (local.set $total (i32.add (local.get $total)
        (call_indirect $u (type $same) (local.get $i) (i32.and (local.get $i) (i32.const 1)))))
      (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $count))))
    (local.get $total)))"""


def reference(wat: str) -> Any:
    """Exports of a module in wasmtime: ``call(name, *values)``."""
    config = wasmtime.Config()
    config.wasm_tail_call = True
    store = wasmtime.Store(wasmtime.Engine(config))
    instance = wasmtime.Instance(store, wasmtime.Module(store.engine, wat), [])

    def call(name: str, *values: int) -> Any:
        function = instance.exports(store)[name]
        assert isinstance(function, wasmtime.Func)
        return function(store, *values)

    return call


def outcome(call: Callable[..., Any], *values: int) -> tuple[str, Any]:
    """What a call gives: its results, or the kind of trap and where it was raised."""
    try:
        result = call(*values)
    except wasmtime.Trap as trap:
        frame = trap.frames[0]
        return "trap", (str(trap.trap_code).rpartition(".")[2].lower(), frame.func_index, frame.module_offset)
    except wa.Trap as trap:
        own = trap.frames[0]
        return "trap", (OUR_TRAPS[trap.code], own.func_index, own.wasm_offset)
    return "results", tuple(result) if isinstance(result, list | tuple) else result


OUR_TRAPS: Final = {
    "undefined_element": "table_out_of_bounds",
    "uninitialized_element": "indirect_call_to_null",
    "indirect_call_type_mismatch": "bad_signature",
    "memory_out_of_bounds": "memory_out_of_bounds",
}


@LEVELS
@pytest.mark.parametrize("index", ["i32", "i64"])
@pytest.mark.parametrize("fuel", [False, True])
def test_calls_do_what_wasmtime_does(tmp_path: Path, opt_level: int, index: str, fuel: bool) -> None:
    wat = CALLS.replace("{index}", index)
    wa.pack(wat.encode(), tmp_path / "calls.so", opt_level=opt_level, fuel=fuel)
    exports = wa.load(tmp_path / "calls.so").instantiate().exports
    theirs = reference(wat)
    slots = [*range(-1, 11), 1 << 30, -(1 << 31), *([1 << 32, (1 << 32) + 1, -(1 << 63)] if index == "i64" else [])]
    calls: list[tuple[str, tuple[int, ...]]]
    calls = [(name, (slot, value)) for name in ("one", "many") for slot in slots for value in (0, 7)]
    calls += [("none", (slot,)) for slot in slots]
    calls += [("other", (slot, 5)) for slot in (-1, 0, 1, 2, 3, 4)]
    calls += [("sum", (1000,))]
    for name, values in calls:
        ours = outcome(exports[name], *values)
        assert ours == outcome(lambda *given, name=name: theirs(name, *given), *values), (name, values)


TAIL: Final = """(module
  (type $t (func (param i32 i64) (result i32 i64 i32)))
  (table 3 funcref) (elem (i32.const 0) $down $end)
  (func $down (type $t)
    (if (i32.eqz (local.get 0)) (then (return_call_indirect (type $t) (i32.const 9) (local.get 1) (i32.const 1))))
    (return_call_indirect (type $t)
      (i32.sub (local.get 0) (i32.const 1)) (i64.add (local.get 1) (i64.const 3)) (i32.const 0)))
  (func $end (type $t) (local.get 0) (local.get 1) (i32.const -1))
  (func (export "go") (param i32 i32) (result i32 i64 i32)
    (call_indirect (type $t) (local.get 0) (i64.const 1) (local.get 1))))"""


@LEVELS
def test_tail_calls_do_what_wasmtime_does(tmp_path: Path, opt_level: int) -> None:
    wa.pack(TAIL.encode(), tmp_path / "tail.so", opt_level=opt_level)
    go = wa.load(tmp_path / "tail.so").instantiate().exports.go
    theirs = reference(TAIL)
    for values in ((0, 0), (300_000, 0), (5, 1), (1, 2), (1, 3)):
        assert outcome(go, *values) == outcome(lambda *given: theirs("go", *given), *values)


@pytest.mark.parametrize("opt_level", [0, 2])
def test_the_constant_is_there_only_where_code_refers_to_it(tmp_path: Path, opt_level: int) -> None:
    # No call goes through the table: with it and without it, the code is the same.
    sizes = [
        wa.pack(
            f'(module {table} (func $f (export "f")))'.encode(), tmp_path / "a.so", opt_level=opt_level
        ).text_size_bytes
        for table in ("", "(table 900 funcref) (elem (i32.const 0) " + "$f " * 900 + ")")
    ]
    assert sizes[0] == sizes[1]


def test_code_for_several_levels_of_cpus_calls_the_best_one(tmp_path: Path) -> None:
    wat = CALLS.replace("{index}", "i32")
    wa.pack(wat.encode(), tmp_path / "levels.so", cpu=("baseline", "x86-64-v3"))
    exports = wa.load(tmp_path / "levels.so").instantiate().exports
    theirs = reference(wat)
    for slot in range(-1, 10):
        assert outcome(exports.one, slot, 3) == outcome(lambda *given: theirs("one", *given), slot, 3)


def test_kept_code_goes_with_a_table_that_has_grown(tmp_path: Path) -> None:
    """Code does not depend on what is in the table: what was kept is right for another one."""
    body = "(i32.const 1) (drop) " * 1500
    many = "".join(f"(func $p{i} (result i32) {body} (i32.const {i}))" for i in range(12))

    def module(names: str) -> bytes:
        wat = f"""(module (table {len(names.split())} funcref) (elem (i32.const 0) {names}) {many}
          (func (export "go") (param i32) (result i32) (call_indirect (result i32) (local.get 0))))"""
        return wat.encode()

    for names, expected in (("$p1 $p2", [1, 2]), ("$p7 $p3 $p11", [7, 3, 11]), ("$p2", [2])):
        wa.pack(module(names), tmp_path / "kept.so", incremental=tmp_path / "kept")
        go = wa.load(tmp_path / "kept.so").instantiate().exports.go
        assert [go(slot) for slot in range(len(expected))] == expected
        with pytest.raises(wa.Trap, match="undefined element"):
            go(len(expected))
