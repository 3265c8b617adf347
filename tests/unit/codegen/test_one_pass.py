"""What level 0 compiles in one pass: no function of these modules is left to LLVM, and each does what the spec says."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

import wasmartifact as wa
from tests.unit.codegen.object_modules import OBJECT_MODULES, right_count
from tests.unit.runtime.test_exceptions import LEGACY

TAGGED: Final = """(module
  (tag $t (param i32 v128 i64))
  (func $throw (param i32)
    (throw $t (local.get 0) (v128.const i64x2 3 4) (i64.const 5)))
  (func (export "go") (param i32) (result i32) (local $x i32)
    (local.set $x (i32.const 100))
    (block $caught (result i32 v128 i64)
      (try_table (catch $t $caught)
        (local.set $x (i32.const 200))
        (call $throw (local.get 0)))
      (unreachable))
    (i32.wrap_i64)
    (local.set 0)
    (i32.wrap_i64 (i64x2.extract_lane 1))
    (i32.add (local.get 0))
    (i32.add)
    (i32.add (local.get $x))))"""
#: Seven integers and three results: some of both go through the store's operands.
TAIL: Final = """(module
  (func $sum (param i32 i64 i32 i32 i32 i32 i32) (result i32 i64 i32)
    (if (i32.eqz (local.get 0))
      (then (return (local.get 6) (local.get 1) (local.get 5))))
    (return_call $sum (i32.sub (local.get 0) (i32.const 1)) (i64.add (local.get 1) (i64.const 1)) (local.get 3)
      (local.get 4) (local.get 5) (local.get 6) (i32.add (local.get 2) (i32.const 1))))
  (func (export "go") (param i32) (result i32) (local $a i32) (local $b i64)
    (call $sum (local.get 0) (i64.const 0) (i32.const 1) (i32.const 2) (i32.const 3) (i32.const 4) (i32.const 5))
    (drop) (local.set $b) (local.set $a)
    (i32.add (local.get $a) (i32.wrap_i64 (local.get $b)))))"""
ATOMIC: Final = """(module (memory 1)
  (func (export "go") (param i32) (result i32)
    (i32.atomic.store (i32.const 8) (i32.const 0xfff0))
    (drop (i32.atomic.rmw.or (i32.const 8) (local.get 0)))
    (drop (i32.atomic.rmw8.cmpxchg_u (i32.const 8) (i32.const 0xf7) (i32.const 1)))
    (i32.sub (i32.atomic.rmw16.sub_u (i32.const 8) (i32.const 1)) (i32.atomic.load (i32.const 8)))))"""
WIDE: Final = """(module
  (func (export "go") (param i32) (result i32) (local $high i64)
    (i64.mul_wide_u (i64.const -1) (i64.extend_i32_u (local.get 0)))
    (i64.add128 (i64.const 8) (i64.const 1))
    (local.set $high)
    (i32.add (i32.wrap_i64) (i32.wrap_i64 (local.get $high)))))"""
#: A local that nothing sets, in a register that calls change: one call is not made, one is. What lies below on
#: the stack is not zero.
UNSET: Final = f"""(module
  (func $nothing)
  (func $fill {"(local i64)" * 40} {"".join(f"(local.set {i} (i64.const -1))" for i in range(40))}
    (call $nothing) {"".join(f"(drop (local.get {i}))" for i in range(40))})
  (func $unset (param i32) (result f64) (local $zero f64) (local $sum f64)
    (if (local.get 0) (then (call $nothing)))
    (loop (local.set $sum (f64.add (f64.add (local.get $zero) (local.get $zero)) (local.get $zero)))
      (br_if 0 (i32.eq (local.get 0) (i32.const 9))))
    (call $nothing)
    (f64.add (local.get $zero) (local.get $sum)))
  (func (export "go") (param i32) (result i32)
    (call $fill)
    (i32.eqz (i32.wrap_i64 (i64.shr_u (i64.reinterpret_f64 (call $unset (i32.const 0))) (i64.const 32))))))"""
#: More locals than registers that calls preserve, all used in a loop; a call gives results in several registers.
LOCALS: Final = 40
MANY_HOMES: Final = f"""(module
  (func $three (param i32) (result i32 i64 i32)
    (i32.add (local.get 0) (i32.const 1)) (i64.const 20) (i32.const 300))
  (func (export "go") (param i32) (result i32) {"(local i32)" * LOCALS} (local $sum i64) (local $n i32)
    (loop
      {"".join(f"(local.set {i} (i32.add (local.get {i}) (i32.const {i})))" for i in range(1, LOCALS + 1))}
      (br_if 0 (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 10))))
    (call $three (local.get 0))
    (local.set 0) (local.set $sum) (i32.add (local.get 0)) (i32.add (i32.wrap_i64 (local.get $sum)))
    {"".join(f"(i32.add (local.get {i}))" for i in range(1, LOCALS + 1))}))"""
#: The same with vectors, too, and several of those as results of a call; a portion of fuel goes back beside a result.
NUMBERS, VECTORS = range(1, 25), range(25, 49)
REGISTERS: Final = f"""(module
  (func $three (param i32) (result i32 i32 i32) (local.get 0) (i32.const 20) (i32.const 300))
  (func $vectors (param v128) (result {"v128 " * 6}) {"(local.get 0) " * 6})
  (func $one (param i32) (result i32) (local.get 0))
  (func (export "go") (param i32) (result i32) (local {"i32 " * len(NUMBERS)}) (local {"v128 " * len(VECTORS)})
    {"".join(f"(local.set {i} (i32.const {i}))" for i in NUMBERS)}
    {"".join(f"(local.set {i} (i32x4.splat (local.get {i - 24})))" for i in VECTORS)}
    (loop
      {"".join(f"(local.set {i} (i32.add (i32.add (local.get {i}) (local.get 0)) (local.get 0)))" for i in NUMBERS)}
      {"".join(f"(local.set {i} (i32x4.sub (i32x4.neg (local.get {i})) (local.get {i})))" for i in VECTORS)}
      (br_if 0 (i32.eq (local.get 0) (i32.const -1))))
    (call $one (call $three (local.get 0)) (i32.add) (i32.add))
    (call $vectors (i32x4.splat (local.get 0))) {"i32x4.add " * 5} (i32x4.extract_lane 3) (i32.add)
    {"".join(f"(i32.add (local.get {i}))" for i in NUMBERS)}
    {"".join(f"(i32.add (i32x4.extract_lane 1 (local.get {i})))" for i in VECTORS)}))"""
#: More results of calls than bodies have bytes, and more arguments than registers hold: they take most of the frame.
RESULTS: Final = f"""(module
  (func $all (param i32) (result {"i32 " * 900}) {"(local.get 0) " * 900})
  (func $last (param {"i32 " * 900}) (result i32) (i32.add (local.get 899) (i32.const 1)))
  (func (export "go") (param i32) (result i32)
    (i32.add (call $last (call $all (call $last (call $all (local.get 0))))) (local.get 0))))"""
#: Name, module, whether it counts fuel, argument, result.
CASES: Final = (
    ("exceptions", TAGGED, False, 7, 7 + 4 + 5 + 200),
    ("legacy", LEGACY, False, 1, 6),
    ("tail calls", TAIL, False, 1, 1 + 2),  # the last parameter is what the third was, and one
    ("tail calls with fuel", TAIL, True, 1, 1 + 2),
    ("atomics", ATOMIC, False, 7, 1),  # 0xfff7, then 0xff01, then less 1
    ("wide arithmetic", WIDE, False, 3, 5 + 4),  # 3 * (2**64 - 1) + 8 + 2**64: halves 5 and 4
    ("a local that nothing sets", UNSET, False, 0, 1),
    ("many results", RESULTS, False, 3, (3 + 2) + 3),
    ("many results with fuel", RESULTS, True, 3, (3 + 2) + 3),
    ("results in registers", REGISTERS, False, 7, (7 + 320) + 6 * 7 + (300 + 24 * 14) - 2 * 300),
    ("results in registers with fuel", REGISTERS, True, 7, (7 + 320) + 6 * 7 + (300 + 24 * 14) - 2 * 300),
    ("fuel", TAGGED, True, 7, 7 + 4 + 5 + 200),
    ("locals in many registers", MANY_HOMES, False, 6, 7 + 20 + 300 + 10 * sum(range(LOCALS + 1))),
    ("locals in many registers with fuel", MANY_HOMES, True, 6, 7 + 20 + 300 + 10 * sum(range(LOCALS + 1))),
    *((name, source, False, 3, right_count(source)) for name, source in OBJECT_MODULES.items()),
    *((f"{name} with fuel", source, True, 3, right_count(source)) for name, source in OBJECT_MODULES.items()),
)


@pytest.mark.parametrize(
    ("source", "fuel", "argument", "result"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_nothing_is_left_to_llvm(source: str | bytes, fuel: bool, argument: int, result: int, tmp_path: Path) -> None:
    data = source if isinstance(source, bytes) else source.encode()
    wa.pack(data, tmp_path / "a.so", opt_level=0, keep=tmp_path / "kept", fuel=fuel)
    assert {path.suffix for path in (tmp_path / "kept").glob("functions-*")} == {".bin"}
    assert not list((tmp_path / "kept").glob("*.ll"))
    store = wa.Store()
    if fuel:
        store.fuel = 10_000
    assert wa.load(tmp_path / "a.so").instantiate(store=store).exports.go(argument) == result


VALUES: Final[dict[str, Callable[[int], Any]]] = {
    "i32": lambda n: n - 50,
    "i64": lambda n: (n << 40) - 7,
    "f32": lambda n: n + 0.5,
    "f64": lambda n: n / 3,
    "v128": lambda n: bytes([n] * 8 + [255 - n] * 8),
}


@pytest.mark.parametrize("fuel", [False, True])
@pytest.mark.parametrize("seed", range(15))
def test_values_of_any_types_pass_between_tail_calls_and_the_host(seed: int, fuel: bool, tmp_path: Path) -> None:
    """By trampolines where no register holds them: into the module, out of it, and through a table."""
    chance = random.Random(seed)
    types = [chance.choice(list(VALUES)) for _ in range(chance.choice([3, 8, 9, 20]))]
    taken = chance.sample(range(len(types)), chance.choice([0, 1, 2, 3, min(len(types), 9)]) % (len(types) + 1))
    results = [types[index] for index in taken]
    form = f"(type $t (func (param {' '.join(types)}) (result {' '.join(results)})))"
    given = " ".join(f"(local.get {index})" for index in range(len(types)))
    source = f"""(module {form} (import "host" "f" (func $host (type $t))) (table 2 funcref)
      (elem (i32.const 0) $own $host)
      (func $own (export "own") (type $t) {" ".join(f"(local.get {index})" for index in taken)})
      (func (export "in") (type $t) {given} (return_call $own))
      (func (export "out") (type $t) {given} (return_call $host))
      (func (export "by_table") (type $t) {given} (return_call_indirect (type $t) (i32.const 1)))
      (func (export "there_and_back") (type $t) {given} (call_indirect (type $t) (i32.const 0))))"""
    wa.pack(source.encode(), tmp_path / "a.so", opt_level=0, keep=tmp_path / "kept", fuel=fuel)
    assert not list((tmp_path / "kept").glob("*.ll"))
    arguments = tuple(VALUES[type_](10 + index) for index, type_ in enumerate(types))
    expected = tuple(arguments[index] for index in taken)
    seen: list[object] = []

    def host(*values: object) -> object:
        seen.append(values)
        return expected[0] if len(expected) == 1 else expected if expected else None

    store = wa.Store()
    if fuel:
        store.fuel = 10_000
    func = wa.Func(host, types, results)
    exports: Any = wa.load(tmp_path / "a.so").instantiate({"host": {"f": func}}, store=store).exports
    wanted = expected[0] if len(expected) == 1 else expected if expected else None
    for name in ("own", "in", "out", "by_table", "there_and_back"):
        assert exports[name](*arguments) == wanted, name
    assert seen == [arguments, arguments]


MANY_RESULTS = """(module
  (import "env" "mix" (func $mix (param i32 i64 f32 f64 i32 i64 i32 i64 f32) (result f64 i32 f32 i64 f32)))
  (import "env" "place" (global $place i32))
  (memory (export "memory") 1)
  (data (global.get $place) "text")
  (func $start (i32.store8 (i32.const 0) (i32.const 9)))
  (start $start)
  (func (export "mix") (param i32 i64 f32 f64 i32 i64 i32 i64 f32) (result f64 i32 f32 i64 f32)
    (call $mix (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5) (local.get 6)
      (local.get 7) (local.get 8))))"""


@pytest.mark.parametrize("opt_level", [0, 1])
def test_fuel_needs_no_llvm_at_level_0(opt_level: int, tmp_path: Path) -> None:
    wa.pack(MANY_RESULTS.encode(), tmp_path / "a.so", opt_level=opt_level, keep=tmp_path / "kept", fuel=True)
    texts = {path.stem for path in (tmp_path / "kept").glob("*.ll")}
    assert bool(texts) == (opt_level > 0), texts
    store = wa.Store()
    store.fuel = 100

    seen: list[object] = []

    def mix(*values: float) -> tuple[float, ...]:
        seen.append((values, store.fuel))
        return 0.75, 2, 3.5, 1 << 40, 4.5

    imports = {"env": {"mix": mix, "place": 100}}
    instance = wa.load(tmp_path / "a.so").instantiate(imports, store=store)
    assert store.fuel == 96  # start: one for the function, two operands, the store
    assert instance.exports.memory[100:104] == b"text"
    assert instance.exports.memory[0] == 9
    assert instance.exports.mix(1, 2, 0.5, 0.25, 5, 6, 7, 8, 1.5) == (0.75, 2, 3.5, 1 << 40, 4.5)
    assert store.fuel == 85  # one for the function, nine operands, the call
    assert seen == [((1, 2, 0.5, 0.25, 5, 6, 7, 8, 1.5), 85)]


#: As wasm_of_ocaml writes its tables: one constant expression makes thousands of objects.
MANY_OBJECTS = f"""(module
  (type $text (array (mut i8)))
  (type $pair (struct (field i32) (field (ref $text))))
  (type $pairs (array (ref $pair)))
  (global $pairs (mut (ref $pairs)) (array.new_fixed $pairs 2000 {
    " ".join(
        f"(struct.new $pair (i32.const {i}) (array.new_fixed $text 2 (i32.const {i % 250}) (i32.const 7)))"
        for i in range(2000)
    )
}))
  (global $started (mut i32) (i32.const 0))
  (func $start (param i32) (if (local.get 0) (then (return_call $start (i32.sub (local.get 0) (i32.const 1)))))
    (global.set $started (i32.const 5)))
  (func $run (call $start (i32.const 100000)))
  (start $run)
  (func (export "go") (param i32) (result i32) (local $pair (ref null $pair))
    (local.set $pair (array.get $pairs (global.get $pairs) (local.get 0)))
    (i32.add (global.get $started) (i32.mul (i32.const 1000) (i32.add
      (struct.get $pair 0 (local.get $pair))
      (array.get_u $text (struct.get $pair 1 (local.get $pair)) (i32.const 0)))))))"""


def test_initial_objects_by_the_thousand_are_left_to_no_llvm(tmp_path: Path) -> None:
    wa.pack(MANY_OBJECTS.encode(), tmp_path / "a.so", opt_level=2, keep=tmp_path / "kept")
    assert (tmp_path / "kept").exists()
    assert not (tmp_path / "kept" / "init.ll").exists()
    guest = wa.load(tmp_path / "a.so").instantiate().exports
    assert [guest.go(index) for index in (0, 249, 250, 1999)] == [5, 498_005, 250_005, (1999 + 249) * 1000 + 5]
