"""Tail calls between functions of any signature, of one module and of several: right values, constant stack.

wasmtime says what the values are. Depths are such that one word of stack per call would exhaust it.
"""

from __future__ import annotations

import random
import subprocess
from array import array
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
import wasmtime

import wasmartifact as wa
from tests.support.tools import find_tool
from tests.unit.runtime.harness import exports, instance, load

DEPTH: Final = 1_000_000
HOPS: Final = 10_000_000
TYPES: Final = ("i32", "i64", "f32", "f64", "v128")


# Random signatures ------------------------------------------------------------------------------------------------

#: The bits of a value as an i64, and a value with the bits of an i64: none changes a NaN.
TO_BITS: Final = {
    "i32": "(i64.extend_i32_u {})",
    "i64": "{}",
    "f32": "(i64.extend_i32_u (i32.reinterpret_f32 {}))",
    "f64": "(i64.reinterpret_f64 {})",
    "v128": "(call $fold {})",
}
FROM_BITS: Final = {
    "i32": "(i32.wrap_i64 {})",
    "i64": "{}",
    "f32": "(f32.reinterpret_i32 (i32.wrap_i64 {}))",
    "f64": "(f64.reinterpret_i64 {})",
    "v128": "(v128.xor (v128.const i64x2 1 -7) (i64x2.splat {}))",
}


class Ring:
    """Functions with random parameters and the same results, each of which tail calls the next one.

    A function has a countdown among its parameters. It mixes all of the others into one number, from which come the
    arguments of the next, and at the end the results.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.results = self.random.choices(TYPES, k=self.random.choice([0, 1, 1, 2, 3, 6, 20]))
        counts = [self.random.choice([0, 1, 3, 5, 8, 12, 20, 40]) for _ in range(self.random.randint(2, 5))]
        self.params = [self.random.choices(TYPES, k=count) for count in counts]
        self.countdowns = [self.random.randint(0, len(params)) for params in self.params]

    def wat(self) -> str:
        size = len(self.params)
        types = [
            f"(type $t{index} (func {_clause('param', self._signature(index))} {_clause('result', self.results)}))"
            for index in range(size)
        ]
        functions = [self._function(index) for index in range(size)]
        bits = [
            "(local.set $all (i64.xor (i64.rotl (local.get $all) (i64.const 9)) "
            f"{TO_BITS[type_].format(f'(local.get $r{index})')}))"
            for index, type_ in enumerate(self.results)
        ]
        return f"""(module {" ".join(types)}
          (table funcref (elem {" ".join(f"$f{index}" for index in range(size))}))
          (func $fold (param v128) (result i64)
            (i64.xor (i64x2.extract_lane 0 (local.get 0))
              (i64.rotl (i64x2.extract_lane 1 (local.get 0)) (i64.const 3))))
          {" ".join(functions)}
          (func (export "run") (param $count i64) (param $bits i64) (result i64) (local $all i64)
            {" ".join(f"(local $r{index} {type_})" for index, type_ in enumerate(self.results))}
            {self._pass("call $f0", 0, "(local.get $count)", "(local.get $bits)")}
            {" ".join(f"(local.set $r{index})" for index in reversed(range(len(self.results))))}
            {" ".join(bits)} (local.get $all)))"""

    def _signature(self, index: int) -> list[str]:
        params = list(self.params[index])
        params.insert(self.countdowns[index], "i64")
        return params

    def _function(self, index: int) -> str:
        following = (index + 1) % len(self.params)
        countdown = self.countdowns[index]
        names = [f"$p{position}" for position in range(len(self.params[index]))]
        names.insert(countdown, "$count")
        declared = " ".join(
            f"(param {name} {type_})" for name, type_ in zip(names, self._signature(index), strict=True)
        )
        mixed = " ".join(
            f"(local.set $bits (i64.add (i64.mul (i64.rotl (local.get $bits) (i64.const 11)) (i64.const 0x9e3779b1)) "
            f"{TO_BITS[type_].format(f'(local.get $p{position})')}))"
            for position, type_ in enumerate(self.params[index])
        )
        results = " ".join(
            FROM_BITS[type_].format(f"(i64.add (local.get $bits) (i64.const {position}))")
            for position, type_ in enumerate(self.results)
        )
        way, before = self.random.choice([
            (f"return_call $f{following}", ""),
            (f"return_call_indirect (type $t{following})", f"(i32.const {following})"),
            (f"return_call_ref $t{following}", f"(ref.func $f{following})"),
        ])  # fmt: skip
        count = "(i64.sub (local.get $count) (i64.const 1))"
        return f"""(func $f{index} {declared} {_clause("result", self.results)} (local $bits i64)
          (local.set $bits (local.get $count)) {mixed}
          (if (i64.eqz (local.get $count)) (then (return {results})))
          {self._pass(way, following, count, "(local.get $bits)", before)})"""

    def _pass(self, call: str, index: int, count: str, bits: str, last: str = "") -> str:
        """A call of function ``index`` with values made of ``bits``."""
        values = [
            FROM_BITS[type_].format(f"(i64.add {bits} (i64.const {position * position}))")
            for position, type_ in enumerate(self.params[index])
        ]
        values.insert(self.countdowns[index], count)
        return f"({call} {' '.join(values)} {last})"


def _clause(kind: str, types: list[str]) -> str:
    return f"({kind} {' '.join(types)})" if types else ""


def wasmtime_run(wat: str, *arguments: int) -> int:
    config = wasmtime.Config()
    config.wasm_tail_call = config.wasm_function_references = config.wasm_exceptions = True
    store = wasmtime.Store(wasmtime.Engine(config))
    run = wasmtime.Instance(store, wasmtime.Module(store.engine, wat), []).exports(store)["run"]
    assert isinstance(run, wasmtime.Func)
    result = run(store, *arguments)
    assert isinstance(result, int)
    return result


@pytest.mark.parametrize("seed", range(12))
def test_functions_of_any_signatures_take_turns(seed: int, tmp_path: Path) -> None:
    wat = Ring(seed).wat()
    output = tmp_path / "ring.so"
    for opt_level in (seed % 4, (seed + 2) % 4):
        wa.pack(wat.encode(), output, opt_level=opt_level, cpu=("baseline", "native")[seed // 4 % 2])
        run = wa.load(output).instantiate().exports["run"]
        for count in (0, 1, 2, 7, DEPTH + seed):
            assert run(count, seed * 77) == wasmtime_run(wat, count, seed * 77), (opt_level, count)


def test_more_results_than_a_page_of_slots() -> None:
    types = " ".join(["i64"] * 1000)
    module = f"""(module
      (func $last (param {types}) (result {types}) {" ".join(f"(local.get {999 - index})" for index in range(1000))})
      (func (export "all") (param i64) (result {types})
        {" ".join(f"(i64.add (local.get 0) (i64.const {index}))" for index in range(1000))} (return_call $last)))"""
    assert exports(module)["all"](5) == tuple(5 + index for index in reversed(range(1000)))


# Several modules --------------------------------------------------------------------------------------------------

#: Values that registers hold, and more than that: the latter go through the store.
SIGNATURES: Final = {
    "in registers": ("i32 f64", "i32"),
    "spilling": (" ".join(["i32", "f64"] + ["i64"] * 9 + ["f32"] * 8), "i32 i64 f32 f64"),
}


def hop(signature: str, other: str) -> str:
    """Body of a function that counts its first parameter down, and ends with values of every result's type."""
    params, results = (types.split() for types in SIGNATURES[signature])
    count, total = "(local.get 0)", "(local.get 1)"
    ends = {"i32": f"(i32.trunc_f64_s {total})", "i64": "(local.get 4)", "f32": "(f32.const 2)", "f64": total}
    rest = [f"(local.get {index})" for index in range(2, len(params))]
    return f"""(if (i32.eqz {count}) (then (return {" ".join(ends[type_] for type_ in results)})))
      (i32.sub {count} (i32.const 1)) (f64.add {total} (f64.const 1)) {" ".join(rest)} {other}"""


def function_type(signature: str) -> str:
    params, results = SIGNATURES[signature]
    return f"(param {params}) (result {results})"


def arguments_of(signature: str, count: int) -> tuple[Any, ...]:
    values = {"i32": count, "f64": 0.5, "i64": 77, "f32": 1.5}
    return tuple(values[type_] for type_ in SIGNATURES[signature][0].split())


def expected(signature: str, count: int) -> Any:
    values = {"i32": count, "i64": 77, "f32": 2.0, "f64": count + 0.5}
    results = tuple(values[type_] for type_ in SIGNATURES[signature][1].split())
    return results[0] if len(results) == 1 else results


@pytest.mark.parametrize("signature", SIGNATURES)
def test_two_modules_call_each_other_through_an_import_and_a_table(signature: str) -> None:
    type_ = function_type(signature)
    table = wa.Table("funcref", 1)
    first = instance(
        f"""(module (import "m" "table" (table 1 funcref)) (type $t (func {type_}))
          (func (export "go") {type_} {hop(signature, "(return_call_indirect (type $t) (i32.const 0))")}))""",
        {"m": {"table": table}},
    )
    second = instance(
        f"""(module (import "m" "go" (func $go {type_}))
          (func (export "hop") {type_} {hop(signature, "(return_call $go)")}))""",
        {"m": first.exports},
    )
    table[0] = second.exports.hop
    for count in (0, 1, 2, HOPS):
        assert first.exports.go(*arguments_of(signature, count)) == expected(signature, count)
        assert second.exports.hop(*arguments_of(signature, count)) == expected(signature, count)


@pytest.mark.parametrize("signature", SIGNATURES)
@pytest.mark.parametrize("way", ["import", "table", "reference"])
def test_a_function_of_the_host_and_one_of_a_module_without_tail_calls(signature: str, way: str) -> None:
    params, results = (types.split() for types in SIGNATURES[signature])
    type_ = function_type(signature)
    calls = []

    def listen(*values: Any) -> Any:
        calls.append(values)
        return expected(signature, 3)

    plain = exports(
        f"""(module (import "m" "listen" (func $listen {type_})) (func (export "f") {type_}
          {" ".join(f"(local.get {index})" for index in range(len(params)))} (call $listen)))""",
        {"m": {"listen": wa.Func(listen, params, results)}},
    ).f
    call = {
        "import": "(return_call $f)",
        "table": "(return_call_indirect (type $t) (i32.const 0))",
        "reference": "(ref.as_non_null (ref.func $f)) (return_call_ref $t)",
    }[way]
    caller = f"""(module (type $t (func {type_})) (import "m" "f" (func $f (type $t))) (table funcref (elem $f))
      (func (export "go") {type_} {" ".join(f"(local.get {index})" for index in range(len(params)))} {call}))"""
    given = arguments_of(signature, 3)
    for function in (wa.Func(listen, params, results), plain):
        go = exports(caller, {"m": {"f": function}}).go
        assert go(*given) == expected(signature, 3)
        assert calls.pop() == given
    assert not calls


def test_stores_that_join_share_what_passes_between_functions() -> None:
    type_ = function_type("spilling")
    arguments = arguments_of("spilling", 4)
    rest = " ".join(f"(local.get {index})" for index in range(len(arguments)))
    a, b = (
        instance(
            f"""(module (table (export "t") 1 funcref) (type $t (func {type_}))
              (func $end (export "end") {type_} {hop("spilling", "(return_call $end)")})
              (func (export "go") {type_} {rest} (return_call_indirect (type $t) (i32.const 0))))"""
        )
        for _ in range(2)
    )
    joined = instance(
        f"""(module (import "a" "t" (table $a 1 funcref)) (import "b" "t" (table $b 1 funcref))
          (import "a" "end" (func $a {type_})) (import "b" "end" (func $b {type_}))
          (elem declare func $a $b)
          (func (export "swap")
            (table.set $a (i32.const 0) (ref.func $b)) (table.set $b (i32.const 0) (ref.func $a))))""",
        {"a": a.exports, "b": b.exports},
    )
    joined.exports.swap()
    assert a.exports.go(*arguments) == b.exports.go(*arguments) == expected("spilling", 4)


def test_init_code_and_the_start_function_may_end_in_tail_calls() -> None:
    got = exports(
        """(module (global $k (import "m" "k") i32) (global $g (export "g") (mut i32) (global.get $k))
          (func $add (param i32) (global.set $g (i32.add (global.get $g) (local.get 0))))
          (func $start (return_call $add (i32.const 41))) (start $start))""",
        {"m": {"k": 1}},
    )
    assert got.g.value == 42


# Exceptions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("opt_level", [0, 2, 3])
def test_a_tail_call_leaves_the_handlers_of_its_function(opt_level: int, tmp_path: Path) -> None:
    many = " ".join(["i64"] * 12)
    wat = f"""(module (tag $e (param i64)) (type $t (func (param i64) (result i64)))
      (func $throw (param i64) (result i64) (throw $e (local.get 0)))
      (func $throw_wide (param {many}) (result i64 i64 i64) (throw $e (local.get 11)))
      (func $leaves (param i64) (result i64)
        (block (result i64) (try_table (result i64) (catch $e 0) (return_call $throw (local.get 0))) (return))
        (drop) (i64.const -1))
      (func $leaves_wide (param {many}) (result i64 i64 i64)
        (block (result i64)
          (try_table (result i64 i64 i64) (catch $e 0)
            {"(local.get 0)" * 11} (local.get 11) (return_call $throw_wide)) (return))
        (drop) (i64.const -1) (i64.const -1) (i64.const -1))
      (func (export "run") (param i64 i64) (result i64)
        (block (result i64) (try_table (result i64) (catch $e 0) (call $leaves (local.get 0))) (return))
        (i64.mul (i64.const 3))
        (block (result i64)
          (try_table (catch $e 0) {"(i64.const 5)" * 11} (local.get 1) (call $leaves_wide) (drop) (drop) (drop))
          (i64.const -2))
        (i64.add)))"""
    wa.pack(wat.encode(), tmp_path / "throws.so", opt_level=opt_level)
    run = wa.load(tmp_path / "throws.so").instantiate().exports["run"]
    assert run(14, 1000) == wasmtime_run(wat, 14, 1000) == 1042


@pytest.mark.parametrize("signature", SIGNATURES)
@pytest.mark.parametrize("middle_has_tags", [False, True])
def test_an_exception_passes_modules_that_ended_in_tail_calls(signature: str, middle_has_tags: bool) -> None:
    params, results = (types.split() for types in SIGNATURES[signature])
    type_ = function_type(signature)
    tag = wa.Tag(["i32"])
    all_params = " ".join(f"(local.get {index})" for index in range(len(params)))
    thrower = exports(
        f"""(module (import "m" "tag" (tag $e (param i32)))
          (func (export "f") {type_} (throw $e (local.get 0))))""",
        {"m": {"tag": tag}},
    )
    middle = exports(
        f"""(module (type $t (func {type_})) (import "m" "f" (func $f (type $t))) (table funcref (elem $f))
          {"(tag (param i32))" if middle_has_tags else ""}
          (func (export "direct") {type_} {all_params} (return_call $f))
          (func (export "indirect") {type_} {all_params} (return_call_indirect (type $t) (i32.const 0))))""",
        {"m": {"f": thrower.f}},
    )
    for name in ("direct", "indirect"):
        catcher = exports(
            f"""(module (import "m" "tag" (tag $e (param i32))) (import "m" "f" (func $f {type_}))
              (func (export "go") {type_.split(" (result")[0]} (result i32)
                (block (result i32)
                  (try_table (catch $e 0) {all_params} (call $f) {"(drop)" * len(results)}) (i32.const -1))))""",
            {"m": {"tag": tag, "f": middle[name]}},
        )
        assert catcher.go(*arguments_of(signature, 41)) == 41
        with pytest.raises(wa.WasmException) as caught:
            middle[name](*arguments_of(signature, 6))
        assert caught.value.values == (6,)


# Traps, frames, targets -------------------------------------------------------------------------------------------

TRAPPING: Final = f"""(module (type $t (func (param i32) (result i32)))
  (func $divide (param i32) (result i32) (i32.div_u (i32.const 7) (local.get 0)))
  (func $outer (export "outer") (param i32) (result i32) (i32.add (i32.const 1) (call $middle (local.get 0))))
  (func $middle (param i32) (result i32) (return_call $wide {"(i64.const 3)" * 12} (local.get 0)))
  (func $wide (param {"i64 " * 12} i32) (result i32) (return_call $divide (local.get 12)))
  (func (export "loop") (param i32) (return_call $again (local.get 0)))
  (func $again (param i32) (return_call $again (local.get 0)))
  (func $deep (export "deep") (param i32) (result i32) (i32.add (i32.const 1) (call $deep (local.get 0))))
  (func (export "null") (param i32) (result i32) (return_call_ref $t (local.get 0) (ref.null $t))))"""


@pytest.mark.parametrize("opt_level", [0, 1, 2, 3])
def test_frames_of_a_trap_are_those_that_are_left(opt_level: int, tmp_path: Path) -> None:
    output = tmp_path / "traps.so"
    wa.pack(TRAPPING.encode(), output, opt_level=opt_level)
    got = wa.load(output).instantiate().exports
    assert got.outer(7) == 2
    with pytest.raises(wa.Trap, match="integer divide by zero") as caught:
        got.outer(0)
    names = [frame.func_name for frame in caught.value.frames]
    assert names == ["divide", "outer"]
    with pytest.raises(wa.Trap, match="call stack exhausted"):
        got.deep(0)
    with pytest.raises(wa.Trap, match="null function reference"):
        got["null"](1)
    symbols = subprocess.run([find_tool("nm"), output], capture_output=True, text=True, check=True).stdout
    assert {"divide", "middle", "wide"} <= {line.split()[-1] for line in symbols.splitlines()}


def test_a_function_with_a_tail_call_is_not_short() -> None:
    flags = {function.name: function.is_short for function in load(TRAPPING).metadata.functions}
    assert flags["divide"] and not flags["again"]


@pytest.mark.parametrize("opt_level", [0, 2, 3])
@pytest.mark.parametrize("seed", [1, 4])
def test_code_for_aarch64_is_made_too(opt_level: int, seed: int, tmp_path: Path) -> None:
    output = tmp_path / "ring.so"
    wa.pack(Ring(seed).wat().encode(), output, opt_level=opt_level, target="aarch64", keep=tmp_path)
    assembly = "".join(path.read_text() for path in tmp_path.glob("functions-*.s"))
    words = array("I", b"".join(path.read_bytes() for path in tmp_path.glob("functions-*.bin")))
    # b and br behind ldp x29, x30, [sp], #16
    leaving = {word for before, word in pairwise(words) if before == 0xA8C17BFD}
    is_jump = any(word >> 26 == 5 or word & 0xFFFFFC1F == 0xD61F0000 for word in leaving)
    assert is_jump if opt_level == 0 else " b\tf" in assembly or "\tbr\tx" in assembly
    wa.verify(output)
