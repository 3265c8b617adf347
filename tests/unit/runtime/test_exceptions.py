"""Exceptions between WebAssembly and Python, between modules, and what becomes of them in memory."""

from __future__ import annotations

import gc
import os
import sys
import weakref
from pathlib import Path
from typing import Any

import pytest

import wasmartifact as wa
from tests.unit.runtime.harness import exports, instance

VECTOR = bytes(range(16))
THROWER = """(module
  (tag $t (export "t") (param i32 i64 f32 f64 v128 externref))
  (tag $empty (export "empty"))
  (func (export "throw") (param i32 i64 f32 f64 v128 externref)
    (throw $t (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5)))
  (func (export "throw_empty") (param i32) (if (local.get 0) (then (throw $empty)))))"""

#: Catches what `f` throws: 1 the tag, 2 anything else, 0 nothing.
CATCHER = """(module
  (import "m" "t" (tag $t))
  (import "m" "f" (func $f))
  (func (export "go") (result i32)
    (block $mine
      (block $other
        (try_table (catch $t $mine) (catch_all $other) (call $f))
        (return (i32.const 0)))
      (return (i32.const 2)))
    (i32.const 1)))"""

#: Knows nothing of exceptions.
PASSER = """(module
  (import "m" "f" (func $f))
  (global $left (export "left") (mut i32) (i32.const 0))
  (func (export "f") (call $f) (global.set $left (i32.const 1))))"""


def test_values_of_all_types_reach_python() -> None:
    thrower = exports(THROWER)
    marker = object()
    with pytest.raises(wa.WasmException, match="WebAssembly exception with the values") as caught:
        thrower.throw(-1, 2**63, 0.5, -2.25, VECTOR, marker)
    assert caught.value.tag is thrower.t
    assert caught.value.values == (-1, -(2**63), 0.5, -2.25, VECTOR, marker)
    assert caught.value.exit_code == 41
    assert thrower.t.params == ("i32", "i64", "f32", "f64", "v128", "externref")
    with pytest.raises(wa.WasmException) as caught:
        thrower.throw_empty(1)
    assert (caught.value.tag, caught.value.values) == (thrower.empty, ())
    assert thrower.throw_empty(0) is None


#: Carries what a module has types for.
TYPED = """(module
  (type $node (sub (struct (field i32)))) (type $leaf (sub $node (struct (field i32))))
  (type $other (struct (field f64)))
  (type $func (func (result i32)))
  (import "host" "back" (func $back))
  (tag $t (export "t") (param (ref $node) i31ref (ref null $func)))
  (elem declare func $seven)
  (func $seven (type $func) (i32.const 7))
  (func (export "throw") (throw $t (struct.new $leaf (i32.const 30)) (ref.i31 (i32.const 5)) (ref.func $seven)))
  (func (export "other") (result (ref $other)) (struct.new $other (f64.const 1)))
  (func (export "catch") (result i32) (local $number i31ref) (local $func (ref null $func))
    (block $caught (result (ref $node) i31ref (ref null $func))
      (try_table (catch $t $caught) (call $back))
      (return (i32.const -1)))
    (local.set $func) (local.set $number)
    (i32.add (struct.get $node 0) (i32.add (i31.get_s (local.get $number)) (call_ref $func (local.get $func))))))"""


def test_a_host_function_raises_what_the_guest_threw_again() -> None:
    def back() -> None:
        guest.throw()

    guest: Any = exports(TYPED, {"host": {"back": back}})
    assert guest.catch() == 42


def test_a_host_function_throws_what_the_types_of_a_module_allow() -> None:
    thrown: list[tuple[Any, ...]] = []

    def back() -> None:
        raise wa.WasmException(guest.t, thrown[-1])

    guest: Any = exports(TYPED, {"host": {"back": back}})
    with pytest.raises(wa.WasmException) as caught:
        guest.throw()
    leaf, number, func = caught.value.values
    thrown.append((leaf, number - 1, func))
    assert guest.catch() == 41
    for wrong in ((guest.other(), 1, func), (None, 1, func), (func, 1, func), (leaf, 1, leaf), (leaf, 1, guest.throw)):
        thrown.append(wrong)
        with pytest.raises(TypeError, match=r"WasmException: value [13]"):
            guest.catch()


def test_a_host_function_throws_in_the_guest() -> None:
    tag, other = wa.Tag(), wa.Tag()
    raised: list[BaseException | None] = [None]

    def f() -> None:
        if raised[0] is not None:
            raise raised[0]

    catcher = exports(CATCHER, {"m": {"t": tag, "f": f}})
    assert catcher.go() == 0
    raised[0] = wa.WasmException(tag)
    assert catcher.go() == 1
    raised[0] = wa.WasmException(other)
    assert catcher.go() == 2
    raised[0] = wa.WasmException(wa.Tag(["i32"]), [7])
    assert catcher.go() == 2
    raised[0] = KeyError("not for the guest")
    with pytest.raises(KeyError, match="not for the guest"):
        catcher.go()


def test_values_that_a_host_function_throws_arrive() -> None:
    tag = wa.Tag(["i32", "i64", "f32", "f64", "v128", "externref"])
    wat = """(module
      (import "m" "t" (tag $t (param i32 i64 f32 f64 v128 externref)))
      (import "m" "f" (func $f))
      (func (export "go") (result i32 i64 f32 f64 v128 externref)
        (block $l (result i32 i64 f32 f64 v128 externref)
          (try_table (catch $t $l) (call $f))
          (unreachable))))"""
    marker = object()
    values = (2**32 - 1, -5, 1.5, 2.5, VECTOR, marker)

    def f() -> None:
        raise wa.WasmException(tag, values)

    assert exports(wat, {"m": {"t": tag, "f": f}}).go() == (-1, *values[1:])


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ((), TypeError, "WasmException: the tag carries 1 values, found 0"),
        (("a",), TypeError, r"WasmException: value 1 must be an int \(i32\), found str"),
        ((2**32,), OverflowError, "WasmException: value 1 is 4294967296, outside"),
    ],
)
def test_values_that_do_not_fit_are_an_error_of_the_host(values: Any, error: type[Exception], message: str) -> None:
    tag = wa.Tag(["i32"])

    def f() -> None:
        raise wa.WasmException(tag, values)

    with pytest.raises(error, match=message):
        exports(CATCHER, {"m": {"t": wa.Tag(), "f": f}}).go()


def test_a_tag_that_is_none_is_an_error_of_the_host() -> None:
    def f() -> None:
        raise wa.WasmException("not a tag")  # type: ignore[arg-type]

    with pytest.raises(TypeError, match="tag must be a Tag, found str"):
        exports(CATCHER, {"m": {"t": wa.Tag(), "f": f}}).go()


def test_an_exception_crosses_modules_that_know_and_do_not_know_exceptions() -> None:
    thrower = exports(THROWER)
    wat = '(module (import "m" "g" (func $g (param i32))) (func (export "f") (call $g (i32.const 1))))'
    direct = exports(wat, {"m": {"g": thrower.throw_empty}})
    with pytest.raises(wa.WasmException) as caught:
        direct.f()
    assert caught.value.tag is thrower.empty
    passer = exports(PASSER, {"m": {"f": direct.f}})
    catcher = exports(CATCHER, {"m": {"t": thrower.empty, "f": passer.f}})
    assert catcher.go() == 1
    assert passer.left.value == 0, "the function in between must not go on"
    assert exports(CATCHER, {"m": {"t": wa.Tag(), "f": passer.f}}).go() == 2


def test_a_host_exception_crosses_a_module_that_does_not_know_exceptions() -> None:
    tag = wa.Tag()
    raised = wa.WasmException(tag)

    def f() -> None:
        raise raised

    passer = exports(PASSER, {"m": {"f": f}})
    assert exports(CATCHER, {"m": {"t": tag, "f": passer.f}}).go() == 1
    with pytest.raises(wa.WasmException) as caught:
        passer.f()
    assert caught.value is raised, "no code in between could have caught it"


def test_a_module_without_tags_catches_all() -> None:
    wat = """(module (import "m" "f" (func $f)) (func $between (call $f) (unreachable))
      (func (export "go") (result i32)
        (block $l (try_table (catch_all $l) (call $between)) (return (i32.const 0))) (i32.const 1)))"""

    def f() -> None:
        raise wa.WasmException(wa.Tag())

    assert exports(wat, {"m": {"f": f}}).go() == 1


def test_an_exception_crosses_a_table_between_modules() -> None:
    table = wa.Table("funcref", 2)
    thrower = exports(THROWER)
    table[0] = thrower.throw_empty
    wat = """(module (import "m" "t" (table 2 funcref)) (type $t (func (param i32)))
      (func (export "f") (call_indirect (type $t) (i32.const 1) (i32.const 0)))
      (func (export "quiet") (call_indirect (type $t) (i32.const 0) (i32.const 0))))"""
    passer = exports(wat, {"m": {"t": table}})
    passer.quiet()
    with pytest.raises(wa.WasmException):
        passer.f()
    catcher = exports(CATCHER, {"m": {"t": thrower.empty, "f": passer.f}})
    assert [catcher.go() for _ in range(3)] == [1, 1, 1]


def test_other_ends_of_a_call_pass_modules_of_both_kinds() -> None:
    trapper = exports('(module (func (export "f") unreachable))')
    passer = exports(PASSER, {"m": {"f": trapper.f}})
    catcher = exports(CATCHER, {"m": {"t": wa.Tag(), "f": passer.f}})
    with pytest.raises(wa.Trap, match="unreachable") as caught:
        catcher.go()
    assert [frame.func_index for frame in caught.value.frames] == [0, 1, 1]

    def f() -> None:
        raise KeyError("from within")

    passer = exports(PASSER, {"m": {"f": f}})
    with pytest.raises(KeyError, match="from within"):
        exports(CATCHER, {"m": {"t": wa.Tag(), "f": passer.f}}).go()


def test_deep_recursion_through_both_kinds_of_modules_is_a_trap() -> None:
    again: list[Any] = []
    wat = """(module (import "m" "t" (table 1 funcref)) (tag $e) (type $t (func))
      (func (export "f") (call_indirect (type $t) (i32.const 0))))"""
    table = wa.Table("funcref", 1)
    checked = exports(wat, {"m": {"t": table}})
    again.append(exports(PASSER, {"m": {"f": checked.f}}))
    table[0] = again[0].f
    with pytest.raises(wa.Trap, match="call stack exhausted"):
        checked.f()


def test_a_start_function_that_throws() -> None:
    wat = "(module (tag $t (param i32)) (func $s (throw $t (i32.const 9))) (start $s))"
    with pytest.raises(wa.WasmException) as caught:
        instance(wat)
    assert caught.value.values == (9,)


def test_an_exception_inside_of_an_exception() -> None:
    inner, outer = wa.Tag(["i32"]), wa.Tag(["exnref", "i32"])
    wat = """(module
      (import "m" "inner" (tag $inner (param i32))) (import "m" "outer" (tag $outer (param exnref i32)))
      (import "m" "f" (func $f))
      (func (export "wrap") (param i32)
        (block $l (result exnref)
          (try_table (catch_all_ref $l) (throw $inner (local.get 0)))
          (unreachable))
        (i32.const 5) (throw $outer))
      (func (export "unwrap") (result i32)
        (block $value (result i32)
          (block $o (result exnref i32)
            (try_table (catch $outer $o) (call $f))
            (unreachable))
          (drop)
          (try_table (param exnref) (catch $inner $value) (throw_ref))
          (unreachable))))"""

    def f() -> None:
        raise wa.WasmException(outer, (wa.WasmException(inner, (11,)), 0))

    guest = exports(wat, {"m": {"inner": inner, "outer": outer, "f": f}})
    with pytest.raises(wa.WasmException) as caught:
        guest.wrap(3)
    assert caught.value.tag is outer
    nested, number = caught.value.values
    assert (nested.tag, nested.values, number) == (inner, (3,), 5)
    assert guest.unwrap() == 11


def test_a_chain_of_exceptions_as_long_as_you_like_ends_in_an_error_not_a_crash() -> None:
    wat = """(module
      (tag $t (param exnref))
      (func (export "chain") (param $n i32)
        (local $e exnref)
        (loop $again
          (block $l (result exnref)
            (try_table (catch_all_ref $l) (throw $t (local.get $e)))
            (unreachable))
          (local.set $e)
          (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (throw_ref (local.get $e))))"""
    guest = exports(wat)
    with pytest.raises(wa.WasmException) as caught:
        guest.chain(3)
    (inner,) = caught.value.values
    assert inner.values[0].values == (None,)
    with pytest.raises(RecursionError):
        guest.chain(1_000_000)


def test_exnrefs_do_not_cross_as_values_of_calls() -> None:
    wat = """(module (tag $t)
      (func (export "give") (result exnref)
        (block $l (result exnref) (try_table (catch_all_ref $l) (throw $t)) (unreachable)))
      (func (export "null") (result exnref) (ref.null exn)))"""
    guest = exports(wat)
    with pytest.raises(TypeError, match="keep it inside WebAssembly"):
        guest.give()
    assert guest.null() is None


def test_throwing_a_null_reference_traps() -> None:
    guest = exports('(module (tag $t) (func (export "f") (throw_ref (ref.null exn))))')
    with pytest.raises(wa.Trap, match="null exception reference") as caught:
        guest.f()
    assert caught.value.code == "null_exception_reference"


#: Keeps exceptions where the collector must find them, and throws many others meanwhile.
KEEPER = """(module
  (tag $t (param i32))
  (table $kept 64 exnref)
  (global $last (mut exnref) (ref.null exn))
  (func $make (param i32) (result exnref)
    (block $l (result exnref) (try_table (catch_all_ref $l) (throw $t (local.get 0))) (unreachable)))
  (func $value (param exnref) (result i32)
    (block $l (result i32) (try_table (catch $t $l) (throw_ref (local.get 0))) (unreachable)))
  (func (export "litter") (param $n i32)
    (loop $again
      (drop (call $make (local.get $n)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  (func (export "keep") (param $at i32) (table.set $kept (local.get $at) (call $make (local.get $at))))
  (func (export "kept") (param $at i32) (result i32) (call $value (table.get $kept (local.get $at))))
  (func (export "keep_last") (param i32) (global.set $last (call $make (local.get 0))))
  (func (export "last") (result i32) (call $value (global.get $last)))
  (func $deep (export "deep") (param $n i32) (result i32)
    (local $mine exnref)
    (local.set $mine (call $make (local.get $n)))
    (if (result i32) (local.get $n)
      (then (i32.add (call $deep (i32.sub (local.get $n) (i32.const 1))) (call $value (local.get $mine))))
      (else (i32.const 0)))))"""


def test_the_collector_keeps_what_tables_globals_and_frames_hold() -> None:
    keeper = exports(KEEPER)
    for index in range(64):
        keeper.keep(index)
    keeper.keep_last(1234)
    keeper.litter(200_000)
    gc.collect()
    assert [keeper.kept(index) for index in range(64)] == list(range(64))
    assert keeper.last() == 1234
    assert keeper.deep(20_000) == 20_000 * 20_001 // 2
    keeper.litter(20_000)
    assert keeper.kept(63) == 63


#: A sanitizer keeps what was freed, to see who goes on using it.
MEMORY_IS_KEPT = pytest.mark.skipif("ASAN_OPTIONS" in os.environ, reason="the sanitizer keeps freed memory")


def resident_bytes() -> int:
    """Resident memory of this process."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


LOOPS = {
    "catch": "(block $l (result i32) (try_table (catch $t $l) (throw $t (i32.const 1))) (unreachable)) (drop)",
    "catch_all": "(block $l (try_table (catch_all $l) (throw $t (i32.const 1))))",
    "catch_ref": """(block $l (result exnref) (try_table (catch_all_ref $l) (throw $t (i32.const 1))) (unreachable))
      (drop)""",
    "throw_ref": """(block $l
      (block $r (result exnref) (try_table (catch_all_ref $r) (throw $t (i32.const 1))) (unreachable))
      (try_table (param exnref) (catch_all $l) (throw_ref)))""",
}


@MEMORY_IS_KEPT
@pytest.mark.parametrize("name", LOOPS)
def test_exceptions_that_nobody_holds_take_no_memory(name: str) -> None:
    wat = f"""(module (tag $t (param i32))
      (func (export "run") (param $n i32)
        (loop $again {LOOPS[name]}
          (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))"""
    guest = exports(wat)
    guest.run(10_000)
    before = resident_bytes()
    guest.run(2_000_000)  # of 40 bytes or more each
    assert resident_bytes() - before < 20_000_000


@MEMORY_IS_KEPT
def test_uncaught_exceptions_take_no_memory() -> None:
    thrower = exports(THROWER)

    def throw(times: int) -> None:
        for _ in range(times):
            with pytest.raises(wa.WasmException):
                thrower.throw(1, 2, 3.0, 4.0, VECTOR, None)

    throw(5_000)
    before = resident_bytes()
    throw(50_000)
    assert resident_bytes() - before < 5_000_000


class Marker:
    """An object that can be watched."""


def test_externrefs_in_exceptions_live_as_long_as_these() -> None:
    wat = """(module
      (tag $t (param externref))
      (global $kept (mut exnref) (ref.null exn))
      (func (export "keep") (param externref)
        (block $l (result exnref) (try_table (catch_all_ref $l) (throw $t (local.get 0))) (unreachable))
        (global.set $kept))
      (func (export "look") (result externref)
        (block $l (result externref) (try_table (catch $t $l) (throw_ref (global.get $kept))) (unreachable)))
      (func (export "drop") (global.set $kept (ref.null exn))))"""
    guest = exports(wat)
    marker = Marker()
    watch = weakref.ref(marker)
    guest.keep(marker)
    del marker
    gc.collect()
    assert guest.look() is watch() is not None
    guest.drop()
    gc.collect()
    assert watch() is None


def test_stores_that_become_one_while_a_call_runs() -> None:
    """The exception is thrown where the joined store looks, and caught by a frame that began before the join."""
    tag = wa.Tag()
    made: list[Any] = []

    def join() -> None:
        """Link with the running instance, which makes its store and that of the new one the same."""
        made.append(exports(PASSER, {"m": {"f": running.exports.throw}}, store=None))
        made.append(exports(CATCHER, {"m": {"t": tag, "f": other.exports.throw}}))
        table[0] = other.exports.throw

    wat = """(module
      (import "m" "t" (tag $t)) (import "m" "f" (func $f)) (import "m" "table" (table 1 funcref)) (type $v (func))
      (func (export "throw") (throw $t))
      (func (export "go") (result i32)
        (block $l
          (try_table (catch $t $l) (call $f) (call_indirect (type $v) (i32.const 0)))
          (return (i32.const 0)))
        (i32.const 1)))"""
    table = wa.Table("funcref", 1)
    running = instance(wat, {"m": {"t": tag, "f": join, "table": table}})
    other = instance(wat, {"m": {"t": tag, "f": join, "table": wa.Table("funcref", 1)}})
    assert running.exports.go() == 1


LEGACY = b"".join([
    b"\0asm\1\0\0\0",
    b"\x01\x09\x02\x60\x01\x7f\x01\x7f\x60\x00\x00",  # types: (i32) -> i32; () -> ()
    b"\x03\x02\x01\x00",
    b"\x0d\x03\x01\x00\x01",  # a tag of type 1
    b"\x07\x06\x01\x02go\x00\x00",
    b"\x0a\x17\x01\x15\x00",
    # try (result i32) local.get 0 if throw 0 end i32.const 5 catch 0 i32.const 6 catch_all i32.const 7 end end
    b"\x06\x7f\x20\x00\x04\x40\x08\x00\x0b\x41\x05\x07\x00\x41\x06\x19\x41\x07\x0b\x0b",
])  # fmt: skip


def test_the_legacy_encoding_is_named_as_a_feature(tmp_path: Path) -> None:
    report = wa.pack(LEGACY, tmp_path / "legacy.so")
    assert {"exceptions", "legacy-exceptions"} <= set(report.wasm_features)
    go = wa.load(tmp_path / "legacy.so").instantiate().exports.go
    assert (go(0), go(1)) == (5, 6)


def test_references_are_released() -> None:
    thrower = exports(THROWER)
    marker = Marker()
    before = sys.getrefcount(marker)
    for _ in range(100):
        with pytest.raises(wa.WasmException):
            thrower.throw(1, 2, 3.0, 4.0, VECTOR, marker)
    gc.collect()
    assert sys.getrefcount(marker) <= before + 1  # the handle of the store


def test_exceptions_that_share_others_reach_python_in_no_time() -> None:
    """Forty generations, each with two references to the one before: a tree of them would have 2**40 leaves."""
    thrower = exports("""(module
      (tag $t (export "t") (param exnref exnref))
      (global $last (mut exnref) (ref.null exn))
      (func (export "throw") (param $left i32)
        (loop $more
          (block $made (result exnref)
            (try_table (catch_all_ref $made) (throw $t (global.get $last) (global.get $last)))
            (unreachable))
          (global.set $last)
          (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
        (throw_ref (global.get $last))))""")
    with pytest.raises(wa.WasmException) as caught:
        thrower.throw(40)
    assert "(WasmException(...), WasmException(...))" in str(caught.value)
    raised: wa.WasmException | None = caught.value
    generations = 0
    while raised is not None:
        assert raised.values[0] is raised.values[1]
        raised = raised.values[0]
        generations += 1
    assert generations == 40
