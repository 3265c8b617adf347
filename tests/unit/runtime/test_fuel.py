"""Fuel: counts by the rules of FORMAT.md at every level, what a store has left, and what runs out of it.

Expected counts are worked out by hand from that page where they stand as numbers; others come from wasmtime: its own
fuel, which agrees with ours for a call that ends by itself, or a module that `meter` has rewritten to count by itself.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import wasmtime

import wasmartifact as wa
from bench.kernels import KERNELS, Kernel
from tests.fuzz.fuel import PORTION, work
from tests.fuzz.metering import USED_NAME, meter
from tests.unit.codegen.object_modules import OBJECT_MODULES
from tests.unit.runtime.harness import load as load_unmetered
from tests.unit.runtime.test_exceptions import LEGACY

LEVELS: Final = range(4)
PLENTY: Final = 1 << 40

COUNTED: Final = """(module
  (memory (export "memory") 1 3)
  (table $t 10 20 funcref)
  (data $d "0123456789")
  (elem $e func $empty $empty $empty)
  (func $empty (export "empty"))
  (func (export "straight") (result i32) (i32.add (i32.const 1) (i32.const 2)))
  (func (export "free") nop (drop (i32.const 1)) (block (loop)) return)
  (func (export "loop") (param i32)
    (loop (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br_if 0 (local.get 0))))
  (func (export "if") (param i32) (result i32)
    (if (result i32) (local.get 0) (then (i32.const 1)) (else (i32.add (i32.const 1) (i32.const 1)))))
  (func (export "if_alone") (param i32) (if (local.get 0) (then (call $empty))) (call $empty))
  (func (export "switch") (param i32)
    (block (block (block (br_table 0 1 2 (local.get 0))) (call $empty) (return)) (call $empty) (call $empty)))
  (func (export "dead") (block (br 0) (call $empty)) (return) (call $empty))
  (func (export "values") (param i32) (result i32 i64)
    (local.get 0)
    (block (param i32) (result i32 i64) (i64.const 1) (br 0))
    (loop (param i32 i64) (result i32 i64)))
  (func (export "indirect") (call_indirect $t (i32.const 1)))
  (func (export "fill") (param i32) (memory.fill (i32.const 0) (i32.const 1) (local.get 0)))
  (func (export "copy") (param i32) (memory.copy (i32.const 9) (i32.const 0) (local.get 0)))
  (func (export "init") (param i32) (memory.init $d (i32.const 9) (i32.const 0) (local.get 0)))
  (func (export "grow") (param i32) (drop (memory.grow (local.get 0))))
  (func (export "table_fill") (param i32) (table.fill $t (i32.const 0) (ref.null func) (local.get 0)))
  (func (export "table_copy") (param i32) (table.copy $t $t (i32.const 0) (i32.const 1) (local.get 0)))
  (func (export "table_init") (param i32) (table.init $t $e (i32.const 0) (i32.const 0) (local.get 0)))
  (func (export "table_grow") (param i32) (drop (table.grow $t (ref.null func) (local.get 0))))
  (func (export "set_element") (table.set $t (i32.const 1) (ref.func $empty)))
)"""
#: Export, arguments, units.
COUNTS: Final = (
    ("empty", (), 1),
    ("straight", (), 1 + 3),
    ("free", (), 1 + 1),  # the constant
    ("loop", (1,), 1 + 6),
    ("loop", (100,), 1 + 6 * 100),
    ("if", (1,), 1 + 2 + 1),
    ("if", (0,), 1 + 2 + 3),
    ("if_alone", (0,), 1 + 2 + 2),
    ("if_alone", (1,), 1 + 2 + 2 + 2),
    ("switch", (0,), 1 + 2 + 2),
    ("switch", (1,), 1 + 2 + 4),
    ("switch", (2,), 1 + 2),
    ("dead", (), 1 + 1),
    ("values", (7,), 1 + 3),
    ("set_element", (), 1 + 3),
    ("indirect", (), 1 + 2 + 1),
    ("fill", (0,), 1 + 4),
    ("fill", (65536,), 1 + 4 + 65536),
    ("copy", (100,), 1 + 4 + 100),
    ("init", (10,), 1 + 4 + 10),
    ("grow", (0,), 1 + 2),
    ("grow", (2,), 1 + 2 + 2),
    ("grow", (1,), 1 + 2),  # fails
    ("table_fill", (10,), 1 + 4 + 10),
    ("table_copy", (9,), 1 + 4 + 9),
    ("table_init", (3,), 1 + 4 + 3),
    ("table_grow", (10,), 1 + 3 + 10),
    ("table_grow", (1,), 1 + 3),  # fails
)


@cache
def load(source: str | bytes, level: int = 2) -> wa.Artifact:
    """A module with fuel."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "module.so")
        wa.pack(source.encode() if isinstance(source, str) else source, path, opt_level=level, fuel=True)
        return wa.load(path)


def start(
    source: str | bytes, level: int = 2, imports: Mapping[str, Any] | None = None, fuel: int | None = PLENTY
) -> tuple[wa.Store, Any]:
    """A store with fuel, and the exports of an instance in it."""
    store = wa.Store()
    store.fuel = fuel
    return store, load(source, level).instantiate(imports, store=store).exports


def used_by(store: wa.Store, func: Any, *arguments: Any) -> int:
    """Units that a call uses."""
    store.fuel = PLENTY
    func(*arguments)
    assert store.fuel is not None
    return PLENTY - store.fuel


# What a call costs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
def test_every_kind_of_block_costs_what_the_page_says(level: int) -> None:
    store, exports = start(COUNTED, level)
    assert [used_by(store, exports[name], *arguments) for name, arguments, _ in COUNTS] == [
        units for _, _, units in COUNTS
    ]


def test_wasmtime_has_the_same_costs() -> None:
    config = wasmtime.Config()
    config.consume_fuel = True
    store = wasmtime.Store(wasmtime.Engine(config))
    store.set_fuel(PLENTY)
    exports = wasmtime.Instance(store, wasmtime.Module(store.engine, COUNTED), []).exports(store)
    for name, arguments, units in COUNTS:
        store.set_fuel(PLENTY)
        exports[name](store, *arguments)  # type: ignore[operator]
        assert PLENTY - store.get_fuel() == units, name


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_kernels_use_what_wasmtime_says_at_every_level(kernel: Kernel) -> None:
    config = wasmtime.Config()
    config.consume_fuel = True
    reference = wasmtime.Store(wasmtime.Engine(config))
    reference.set_fuel(PLENTY)
    module = wasmtime.Module.from_file(reference.engine, str(kernel.wasm))
    run, size = wasmtime.Instance(reference, module, []).exports(reference)["run"], kernel.size // 50
    run(reference, size)  # type: ignore[operator]
    expected = PLENTY - reference.get_fuel()
    for level in LEVELS:
        store, exports = start(kernel.wasm.read_bytes(), level)
        assert used_by(store, exports.run, size) == expected


ARRAYS: Final = """(module
  (type $bytes (array (mut i8))) (type $pair (struct (field i32 i32))) (type $code (array (mut funcref)))
  (global $bytes (ref $bytes) (array.new $bytes (i32.const 1) (i32.const 100)))
  (data $d "0123456789")
  (elem $e func $f $f $f)
  (func $f)
  (func (export "new") (param i32) (drop (array.new $bytes (i32.const 1) (local.get 0))))
  (func (export "default") (param i32) (drop (array.new_default $bytes (local.get 0))))
  (func (export "fixed") (drop (array.new_fixed $bytes 3 (i32.const 1) (i32.const 2) (i32.const 3))))
  (func (export "data") (param i32) (drop (array.new_data $bytes $d (i32.const 0) (local.get 0))))
  (func (export "elem") (param i32) (drop (array.new_elem $code $e (i32.const 0) (local.get 0))))
  (func (export "fill") (param i32) (array.fill $bytes (global.get $bytes) (i32.const 0) (i32.const 1) (local.get 0)))
  (func (export "copy") (param i32)
    (array.copy $bytes $bytes (global.get $bytes) (i32.const 0) (global.get $bytes) (i32.const 1) (local.get 0)))
  (func (export "init") (param i32)
    (array.init_data $bytes $d (global.get $bytes) (i32.const 0) (i32.const 0) (local.get 0)))
  (func (export "struct") (drop (struct.get $pair 1 (struct.new_default $pair))))
  (func (export "cast") (param i32) (result i32)
    (block $number (result (ref i31))
      (drop (br_on_cast $number anyref (ref i31)
        (select (result anyref) (ref.i31 (local.get 0)) (ref.null any) (local.get 0))))
      (return (i32.const 7)))
    (i31.get_s)))"""


@pytest.mark.parametrize("level", LEVELS)
def test_operators_on_objects_cost_what_the_page_says(level: int) -> None:
    store, exports = start(ARRAYS, level)
    assert used_by(store, exports.new, 50) == 1 + 3 + 50
    assert used_by(store, exports.default, 50) == 1 + 2 + 50
    assert used_by(store, exports.fixed) == 1 + 4
    assert used_by(store, exports.data, 10) == 1 + 3 + 10
    assert used_by(store, exports.elem, 3) == 1 + 3 + 3
    assert used_by(store, exports.fill, 100) == 1 + 5 + 100
    assert used_by(store, exports.copy, 99) == 1 + 6 + 99
    assert used_by(store, exports.init, 10) == 1 + 5 + 10
    assert used_by(store, exports.struct) == 1 + 2
    assert used_by(store, exports.cast, 5) == 1 + 6 + 1
    assert used_by(store, exports.cast, 0) == 1 + 6 + 1


@pytest.mark.parametrize("name", OBJECT_MODULES)
def test_modules_with_objects_use_the_same_at_every_level(name: str) -> None:
    used = {}
    for level in LEVELS:
        store, exports = start(OBJECT_MODULES[name], level)
        assert store.fuel == PLENTY
        used[level] = used_by(store, exports.go, 3)
    assert len(set(used.values())) == 1, used


def test_generated_modules_use_the_same_at_every_level() -> None:
    counts, found = work([f"unit/{number}" for number in range(12)])
    assert not found
    assert counts["counts that agree"] > 500


def test_i64_sizes_that_can_not_be_in_bounds_are_free() -> None:
    store, exports = start("""(module (memory i64 1)
      (func (export "fill") (param i64) (memory.fill (i64.const 0) (i32.const 1) (local.get 0))))""")
    assert used_by(store, exports.fill, 1000) == 1 + 4 + 1000
    for size in (1 << 48, (1 << 64) - 1):
        store.fuel = PLENTY
        with pytest.raises(wa.Trap) as caught:
            exports.fill(size)
        assert caught.value.code == "memory_out_of_bounds"
        assert store.fuel == PLENTY - PORTION


# Exceptions, tail calls ----------------------------------------------------------------------------------------------

THROWING: Final = """(module
  (tag $t (param i32))
  (func $throw (param i32) (if (local.get 0) (then (throw $t (local.get 0)))) (drop (i32.const 1)))
  (func (export "catch") (param i32) (result i32)
    (block $caught (result i32)
      (try_table (catch $t $caught)
        (call $throw (local.get 0)) (drop (i32.const 1)) (drop (i32.const 2)))
      (return (i32.const 0)))
    (i32.add (i32.const 1)))
  (func (export "uncaught") (param i32) (call $throw (local.get 0)) (drop (i32.const 1)))
)"""


@pytest.mark.parametrize("level", LEVELS)
def test_who_throws_has_paid_for_the_block(level: int) -> None:
    store, exports = start(THROWING, level)
    # catch: 1, try_table 1, then the block up to the end of try_table with two constants: get, call, const, const.
    throw = 1 + 2
    assert used_by(store, exports["catch"], 0) == 1 + 5 + (throw + 1) + 1
    assert used_by(store, exports["catch"], 5) == 1 + 5 + (throw + 2) + 2
    store.fuel = PLENTY
    with pytest.raises(wa.WasmException):
        exports.uncaught(5)
    assert PLENTY - store.fuel == 1 + 3 + (throw + 2)
    reference = wasmtime.Store(wasmtime.Engine(_with_exceptions()))
    module = wasmtime.Module(reference.engine, meter(bytes(wasmtime.wat2wasm(THROWING))))
    counting = wasmtime.Instance(reference, module, []).exports(reference)
    counting["catch"](reference, 5)  # type: ignore[operator]
    assert counting[USED_NAME].value(reference) == 1 + 5 + (throw + 2) + 2  # type: ignore[union-attr]


@pytest.mark.parametrize("level", LEVELS)
def test_the_legacy_encoding_counts_likewise(level: int) -> None:
    store, exports = start(LEGACY, level)
    # try, local.get, if; then the constant, or the throw and the constant of the catch.
    assert used_by(store, exports.go, 0) == 1 + 3 + 1
    assert used_by(store, exports.go, 1) == 1 + 3 + 1 + 1


def _with_exceptions() -> wasmtime.Config:
    config = wasmtime.Config()
    config.wasm_exceptions = config.wasm_gc = config.wasm_function_references = True
    return config


TAIL: Final = """(module
  (import "m" "host" (func $host (param i32)))
  (type $many (func (param i32) (result i32 i64 f32 f64 i32)))
  (table funcref (elem $down $many))
  (func $down (export "down") (param i32) (result i32)
    (if (i32.eqz (local.get 0)) (then (return (i32.const 7))))
    (return_call_indirect (param i32) (result i32) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0)))
  (func $many (export "many") (type $many)
    (if (i32.eqz (local.get 0))
      (then (return (i32.const 1) (i64.const 2) (f32.const 3) (f64.const 4) (i32.const 5))))
    (return_call $many (i32.sub (local.get 0) (i32.const 1))))
  (func (export "more") (result i32) (call $many (i32.const 3)) drop drop drop drop)
  (func (export "away") (param i32) (return_call $host (local.get 0)))
)"""


@pytest.mark.parametrize("level", LEVELS)
def test_tail_calls_pass_the_portion_on(level: int) -> None:
    seen: list[int | None] = []
    store = wa.Store()
    host = wa.Func(lambda _: seen.append(store.fuel), params=["i32"], results=[])
    store.fuel = PLENTY
    exports = load(TAIL, level).instantiate({"m": {"host": host}}, store=store).exports
    # eqz, get, if; then const; else get, const, sub, const, return_call_indirect.
    assert used_by(store, exports.down, 1000) == 1000 * (1 + 3 + 5) + 1 + 3 + 1
    assert used_by(store, exports.many, 10) == 10 * (1 + 3 + 4) + 1 + 3 + 5
    assert exports.many(0) == (1, 2, 3.0, 4.0, 5)
    assert used_by(store, exports.more) == 1 + 2 + 3 * (1 + 3 + 4) + 1 + 3 + 5
    assert used_by(store, exports.away, 1) == 1 + 2
    assert seen == [PLENTY - 3]


# Running out ---------------------------------------------------------------------------------------------------------

MARKING: Final = """(module
  (import "m" "mark" (func $mark (param i32)))
  (func (export "run") (param i32)
    (loop
      (call $mark (local.get 0))
      (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (call $mark (i32.const -1))))"""


@pytest.mark.parametrize("level", LEVELS)
def test_a_call_ends_by_itself_if_and_only_if_the_store_has_what_it_costs(level: int) -> None:
    marks: list[int] = []
    mark = wa.Func(marks.append, params=["i32"], results=[])
    store, exports = start(MARKING, level, {"m": {"mark": mark}})
    first, iteration, last = 1, 7, 2
    for count in (1, 2, 5):
        cost = first + count * iteration + last
        for fuel in range(cost):
            marks.clear()
            store.fuel = fuel
            with pytest.raises(wa.OutOfFuel):
                exports.run(count)
            assert store.fuel == 0
            # A block that is not paid for has not begun: so many iterations were.
            begun = 0 if fuel < first else min((fuel - first) // iteration, count)
            assert marks == [count - number for number in range(begun)]
        store.fuel = cost
        exports.run(count)
        assert store.fuel == 0


@pytest.mark.parametrize("level", LEVELS)
def test_out_of_fuel_is_a_trap_with_frames_and_the_store_goes_on(level: int) -> None:
    source = """(module
      (func $spin (export "spin") (loop (br 0)))
      (func $outer (export "outer") (call $spin))
      (func (export "one") (result i32) (i32.const 1)))"""
    store, exports = start(source, level, fuel=1_000_000)
    with pytest.raises(wa.Trap) as caught:
        exports.outer()
    error = caught.value
    assert isinstance(error, wa.OutOfFuel) and error.code == "out_of_fuel" and error.exit_code == 46
    assert [frame.func_name for frame in error.frames] == ["spin", "outer"]
    assert error.frames[0].wasm_offset is not None
    assert store.fuel == 0
    with pytest.raises(wa.OutOfFuel):
        exports.one()
    store.fuel = 2
    assert exports.one() == 1
    assert store.fuel == 0


def test_recursion_and_calls_through_tables_run_out(level: int = 2) -> None:
    source = """(module
      (table funcref (elem $a))
      (func $a (export "a") (param i32) (result i32)
        (if (result i32) (local.get 0)
          (then (i32.add
            (call_indirect (param i32) (result i32) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0))
            (call_indirect (param i32) (result i32) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0))))
          (else (i32.const 1)))))"""
    store, exports = start(source, level, fuel=10_000_000)
    with pytest.raises(wa.OutOfFuel):
        exports.a(60)
    assert store.fuel == 0
    cost = used_by(store, exports.a, 5)
    assert cost == (2**6 - 1) * (1 + 2) + (2**5 - 1) * 11 + 2**5


@pytest.mark.parametrize("size", [1, PORTION - 1, PORTION, PORTION + 1, 10 * PORTION])
def test_bulk_work_is_paid_before_it_is_done(size: int) -> None:
    source = f"""(module (memory (export "memory") 20)
      (func (export "fill") (memory.fill (i32.const 0) (i32.const 1) (i32.const {size}))))"""
    store, exports = start(source)
    store.fuel = 5 + size - 1
    with pytest.raises(wa.OutOfFuel):
        exports.fill()
    assert exports.memory[:1] == b"\0"
    store.fuel = 5 + size
    exports.fill()
    assert store.fuel == 0 and exports.memory[:1] == b"\1"


# What a trap takes ---------------------------------------------------------------------------------------------------

TRAPPING: Final = """(module
  (import "m" "host" (func $host))
  (memory 1)
  (func $work (param i32) (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
  (func (export "load") (param i32) (call $work (local.get 0)) (drop (i32.load (i32.const -1))))
  (func (export "unreachable") (param i32) (call $work (local.get 0)) unreachable)
  (func (export "divide") (param i32)
    (call $work (local.get 0)) (drop (i32.div_u (i32.const 1) (i32.const 0))))
  (func (export "host") (param i32) (call $work (local.get 0)) (call $host)
    (call $work (local.get 0)) unreachable))"""


@pytest.mark.parametrize("level", LEVELS)
def test_a_trap_takes_whole_portions(level: int) -> None:
    def paid(name: str, count: int) -> int:
        """By the page: the function with its operators, and the loop; two of them for "host"."""
        rest = {"load": 4, "unreachable": 2, "divide": 5, "host": 5}[name]
        return 1 + rest + (2 if name == "host" else 1) * (1 + 5 * count)

    seen: list[int | None] = []
    store = wa.Store()
    store.fuel = PLENTY
    host = wa.Func(lambda: seen.append(store.fuel), params=[], results=[])
    exports = load(TRAPPING, level).instantiate({"m": {"host": host}}, store=store).exports
    for name in ("load", "unreachable", "divide"):
        for count in (1, PORTION // 5 - 3, PORTION // 5, 10**6):
            store.fuel = PLENTY
            with pytest.raises(wa.Trap):
                exports[name](count)
            assert PLENTY - store.fuel == -(-paid(name, count) // PORTION) * PORTION
        store.fuel = paid(name, 1) + 5
        with pytest.raises(wa.Trap) as caught:
            exports[name](1)
        assert caught.value.code != "out_of_fuel" and store.fuel == 0
    store.fuel = PLENTY
    with pytest.raises(wa.Trap):
        exports.host(10)
    # Up to the call of the host what was paid; from there on a portion.
    before = 1 + 5 + 1 + 5 * 10
    assert seen == [PLENTY - before]
    assert PLENTY - store.fuel == before + PORTION


@pytest.mark.parametrize("level", LEVELS)
def test_what_a_host_function_raises_costs_nothing_more(level: int) -> None:
    def fail() -> None:
        raise KeyError

    store, exports = start(TRAPPING, level, {"m": {"host": wa.Func(fail, params=[], results=[])}})
    with pytest.raises(KeyError):
        exports.host(10)
    assert store.fuel is not None
    assert PLENTY - store.fuel == 1 + 5 + 1 + 5 * 10


# The store -----------------------------------------------------------------------------------------------------------


def test_without_a_number_nothing_is_counted() -> None:
    store = wa.Store()
    assert store.fuel is None
    exports = load(TRAPPING).instantiate({"m": {"host": wa.Func(print, params=[], results=[])}}, store=store).exports
    for _ in range(3):
        with pytest.raises(wa.Trap):
            exports.load(100_000)
    assert store.fuel is None
    store.fuel = 10
    store.fuel = None
    with pytest.raises(wa.Trap) as caught:
        exports.unreachable(100_000)
    assert caught.value.code == "unreachable" and store.fuel is None


def test_a_host_function_may_refuel() -> None:
    store = wa.Store()

    def refuel(_: int) -> None:
        assert store.fuel is not None and store.fuel < 20
        store.fuel = 20

    store.fuel = 20
    mark = wa.Func(refuel, params=["i32"], results=[])
    exports = load(MARKING).instantiate({"m": {"mark": mark}}, store=store).exports
    exports.run(1000)
    assert store.fuel == 20


@pytest.mark.parametrize("value", [-1, 2**63, 2**70, -(2**70)])
def test_a_number_out_of_range_is_refused(value: int) -> None:
    store = wa.Store()
    with pytest.raises(ValueError, match=r"fuel is .*, expected 0 to 2\*\*63 - 1, or None"):
        store.fuel = value
    assert store.fuel is None


@pytest.mark.parametrize("value", ["1", 1.0, True])
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=r"fuel is a \w+, expected an int, or None"):
        wa.Store().fuel = value


def test_the_largest_number_and_deleting() -> None:
    store = wa.Store()
    store.fuel = 2**63 - 1
    assert store.fuel == 2**63 - 1
    with pytest.raises(AttributeError, match="set it to None"):
        del store.fuel


@pytest.mark.parametrize("level", LEVELS)
def test_the_start_function_pays_and_initial_values_do_not(level: int) -> None:
    source = """(module (memory 1) (table 10 funcref) (global $g i32 (i32.const 5)) (global (mut i32) (global.get $g))
      (type $bytes (array i8)) (global (ref $bytes) (array.new $bytes (i32.const 1) (i32.const 100)))
      (elem (ref $bytes) (item (array.new_default $bytes (i32.const 50))))
      (data (i32.const 0) "0123456789") (elem (i32.const 0) $f $f $f)
      (func $f (loop (br_if 0 (i32.const 0)))) (start $f))"""
    store = wa.Store()
    store.fuel = PLENTY
    load(source, level).instantiate(store=store)
    assert PLENTY - store.fuel == 1 + 2
    store.fuel = 2
    with pytest.raises(wa.OutOfFuel):
        load(source, level).instantiate(store=store)
    assert store.fuel == 0


# With and without ----------------------------------------------------------------------------------------------------

PLAIN: Final = '(module (func (export "f") (result i32) (i32.const 1)))'
USER: Final = """(module (import "m" "f" (func $f (result i32)))
  (func (export "f") (result i32) (i32.add (call $f) (i32.const 1))))"""
MIXED: Final = r"code that counts fuel and code that does not can't be in one store: .*; pack all modules with"


def test_a_store_that_counts_refuses_code_that_does_not() -> None:
    store = wa.Store()
    store.fuel = 100
    with pytest.raises(wa.UnlinkableModule, match=MIXED):
        load_unmetered(PLAIN).instantiate(store=store)
    assert load(PLAIN).instantiate(store=store).exports.f() == 1
    with pytest.raises(wa.UnlinkableModule, match=MIXED):
        load_unmetered(PLAIN).instantiate(store=store)


def test_code_that_does_not_count_refuses_fuel() -> None:
    store = wa.Store()
    exports = load_unmetered(PLAIN).instantiate(store=store).exports
    with pytest.raises(ValueError, match="packed without fuel"):
        store.fuel = 100
    assert store.fuel is None
    with pytest.raises(wa.UnlinkableModule, match=MIXED):
        load(PLAIN).instantiate(store=store)
    assert exports.f() == 1


@pytest.mark.parametrize("is_metered", [False, True])
def test_imports_don_t_mix_them(is_metered: bool) -> None:
    one, other = (load, load_unmetered) if is_metered else (load_unmetered, load)
    exports = one(PLAIN).instantiate().exports
    with pytest.raises(wa.UnlinkableModule, match=MIXED):
        other(USER).instantiate({"m": exports})
    assert one(USER).instantiate({"m": exports}).exports.f() == 2


@pytest.mark.parametrize("is_metered", [False, True])
def test_tables_don_t_mix_them(is_metered: bool) -> None:
    one, other = (load, load_unmetered) if is_metered else (load_unmetered, load)
    table = wa.Table("funcref", 2)
    table[0] = one(PLAIN).instantiate().exports.f
    with pytest.raises(wa.UnlinkableModule, match=MIXED):
        table[1] = other(PLAIN).instantiate().exports.f
    assert table[0]() == 1 and table[1] is None


@pytest.mark.parametrize(("one", "other", "both"), [(10, 32, 42), (10, None, 10), (None, 32, 32), (None, None, None)])
def test_stores_that_become_one_have_the_fuel_of_both(one: int | None, other: int | None, both: int | None) -> None:
    first, second = (load(PLAIN).instantiate() for _ in range(2))
    first.store.fuel, second.store.fuel = one, other
    table = wa.Table("funcref", 2)
    table[0], table[1] = first.exports.f, second.exports.f
    assert first.store.fuel == second.store.fuel == both
    first.exports.f()
    second.exports.f()
    assert first.store.fuel == second.store.fuel == (None if both is None else both - 4)


def test_modules_that_call_each_other_share_one_count() -> None:
    store = wa.Store()
    store.fuel = PLENTY
    inner = load(PLAIN).instantiate(store=store)
    outer = load(USER, 0).instantiate({"m": inner.exports}, store=store)
    assert used_by(store, outer.exports.f) == 1 + 3 + 1 + 1


def test_a_call_joins_stores_while_it_runs() -> None:
    """The code that runs goes on with the other store's fuel."""
    source = """(module (import "m" "host" (func $host (param i32)))
      (func (export "run") (param i32) (loop (call $host (local.get 0))
        (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"""
    others = [load(PLAIN).instantiate() for _ in range(3)]
    for number, other in enumerate(others):
        other.store.fuel = 1000 * (number + 1)
    table = wa.Table("funcref", 4)

    def host(number: int) -> None:
        table[number] = others[number - 1].exports.f

    running = load(source).instantiate({"m": {"host": wa.Func(host, params=["i32"], results=[])}})
    running.store.fuel = 500
    table[0] = running.exports.run
    running.exports.run(3)
    assert {instance.store.fuel for instance in (running, *others)} == {500 + 6000 - (1 + 3 * 7)}


def test_exceptions_between_modules_that_know_none_count_alike() -> None:
    thrower = """(module (tag (export "t")) (func (export "f") (result i32) (throw 0)))"""
    store = wa.Store()
    store.fuel = PLENTY
    inner = load(thrower).instantiate(store=store)
    outer = load(USER).instantiate({"m": inner.exports}, store=store)
    with pytest.raises(wa.WasmException):
        outer.exports.f()
    assert PLENTY - store.fuel == 1 + 3 + 1 + 1


# Around it -----------------------------------------------------------------------------------------------------------


def test_code_without_fuel_knows_nothing_of_it(tmp_path: Path) -> None:
    wa.pack(COUNTED.encode(), tmp_path / "plain.so", keep=tmp_path / "plain")
    wa.pack(COUNTED.encode(), tmp_path / "fuel.so", keep=tmp_path / "fuel", fuel=True)
    texts = {name: "".join(path.read_text() for path in (tmp_path / name).glob("*.ll")) for name in ("plain", "fuel")}
    assert "fuel" not in texts["plain"] and "fuel" in texts["fuel"]


def test_inspect_tells(tmp_path: Path) -> None:
    from wasmartifact.cli.summary import describe_head

    for fuel in (False, True):
        wa.pack(PLAIN.encode(), tmp_path / "module.so", fuel=fuel)
        with wa.open_metadata(tmp_path / "module.so") as metadata:
            assert describe_head(metadata)["fuel"] is fuel
        wa.verify(tmp_path / "module.so")


def test_the_cache_keeps_both(tmp_path: Path) -> None:
    store = wa.Store()
    store.fuel = 100
    for _ in range(2):
        assert wa.compile(PLAIN.encode(), cache_dir=tmp_path).instantiate().exports.f() == 1
        assert wa.compile(PLAIN.encode(), cache_dir=tmp_path, fuel=True).instantiate(store=store).exports.f() == 1
    assert store.fuel == 100 - 2 * 2
