"""Calls from Python: exact conversions, results, traps with frames, errors that name function and type."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy
import pytest
import wasmtime

import wasmartifact as wa
from tests.unit.runtime.harness import IDENTITIES, exports

IDENTITY_WAT = f"(module {IDENTITIES})"


@pytest.mark.parametrize(
    ("valtype", "given", "expected"),
    [
        ("i32", 0, 0),
        ("i32", 2**31 - 1, 2**31 - 1),
        ("i32", 2**31, -(2**31)),
        ("i32", -(2**31), -(2**31)),
        ("i32", 2**32 - 1, -1),
        ("i32", True, 1),
        ("i32", 2**30 - 1, 2**30 - 1),  # the largest int of one digit, and the next one
        ("i32", 2**30, 2**30),
        ("i32", -(2**30) + 1, -(2**30) + 1),
        ("i32", -(2**30), -(2**30)),
        ("i64", -(2**30) + 1, -(2**30) + 1),
        ("i64", -(2**30), -(2**30)),
        ("i64", 2**30, 2**30),
        ("i64", False, 0),
        ("f64", numpy.float64(0.25), 0.25),
        ("i32", numpy.uint8(200), 200),
        ("i64", 2**63 - 1, 2**63 - 1),
        ("i64", 2**63, -(2**63)),
        ("i64", -(2**63), -(2**63)),
        ("i64", 2**64 - 1, -1),
        ("i64", numpy.int64(-5), -5),
        ("f64", 1.5, 1.5),
        ("f64", 3, 3.0),
        ("f64", 2**53 + 2, float(2**53 + 2)),
        ("f64", math.inf, math.inf),
        ("f64", numpy.float32(0.5), 0.5),
        ("f32", 0.1, struct.unpack("f", struct.pack("f", 0.1))[0]),
        ("f32", 1e300, math.inf),
        ("f32", -math.inf, -math.inf),
    ],
)
def test_a_value_arrives_exactly(valtype: str, given: Any, expected: Any) -> None:
    result = exports(IDENTITY_WAT)[valtype](given)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize("valtype", ["f32", "f64"])
def test_zeros_keep_their_sign_and_nans_are_nans(valtype: str) -> None:
    identity = exports(IDENTITY_WAT)[valtype]
    assert math.copysign(1.0, identity(-0.0)) == -1.0
    assert math.isnan(identity(math.nan))


@pytest.mark.parametrize(
    ("valtype", "given", "error", "message"),
    [
        ("i32", 2**32, OverflowError, r"^i32\(i32\) -> i32: argument 1 is 4294967296, outside -2\*\*31 .. 2\*\*32-1"),
        ("i32", -(2**31) - 1, OverflowError, r"-2147483649"),
        ("i32", 2**100, OverflowError, r"argument 1 is 1267650600228229401496703205376"),
        ("i64", 2**64, OverflowError, r"outside -2\*\*63 .. 2\*\*64-1"),
        ("i64", -(2**63) - 1, OverflowError, r"i64"),
        ("i32", 1.0, TypeError, r"must be an int \(i32\), found float"),
        ("i32", "1", TypeError, r"found str"),
        ("i32", None, TypeError, r"found None"),
        ("f64", "1.5", TypeError, r"^f64\(f64\) -> f64: argument 1 must be a float \(f64\), found str"),
        ("f32", b"1", TypeError, r"found bytes"),
        ("f64", 10**400, OverflowError, r"argument 1"),
        ("funcref", 5, TypeError, r"must be a Func or None \(funcref\), found int"),
        ("funcref", print, TypeError, r"found builtin_function_or_method"),
    ],
)
def test_what_does_not_fit_is_an_error(valtype: str, given: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        exports(IDENTITY_WAT)[valtype](given)


def test_an_error_of_a_conversion_comes_through() -> None:
    class Broken:
        def __index__(self) -> int:
            raise LookupError("mine")

        __float__ = __index__

    with pytest.raises(LookupError, match="mine"):
        exports(IDENTITY_WAT).i32(Broken())
    with pytest.raises(LookupError, match="mine"):
        exports(IDENTITY_WAT).f64(Broken())


ADD_WAT = """(module (func (export "add") (param i32 i64) (result i64)
    (i64.add (i64.extend_i32_s (local.get 0)) (local.get 1))))"""


def test_a_wrong_number_of_arguments_names_the_function() -> None:
    add = exports(ADD_WAT).add
    with pytest.raises(TypeError, match=r"^add\(i32, i64\) -> i64 expects 2 arguments, found 1$"):
        add(1)
    with pytest.raises(TypeError, match=r"takes no keyword arguments, found 'b'"):
        add(1, 2, b=3)
    with pytest.raises(TypeError, match="keyword"):
        add(1, b=3)
    assert add(*[1, 2], **{}) == 3


def test_results_are_none_a_value_or_a_tuple() -> None:
    got = exports(
        """(module
        (func (export "none"))
        (func (export "two") (result i32 f64) (i32.const -1) (f64.const 2.5))
        (func (export "many") (param i32 i64 f32 f64) (result f64 f32 i64 i32)
          local.get 3 local.get 2 local.get 1 local.get 0))"""
    )
    assert got.none() is None
    assert got.two() == (-1, 2.5)
    assert got.many(1, -2, 0.5, -0.25) == (-0.25, 0.5, -2, 1)


def test_more_values_than_fit_the_inline_slots() -> None:
    count = 100
    params = " ".join(["i64"] * count)
    wat = f"""(module (func (export "rotate") (param {params}) (result {params})
        {" ".join(f"local.get {(index + 1) % count}" for index in range(count))}))"""
    values = [(-1) ** index * index * 2**40 for index in range(count)]
    assert exports(wat).rotate(*values) == tuple(values[1:] + values[:1])


def test_types_and_names() -> None:
    got = exports(
        """(module (func $inner (export "outer") (param i32 externref) (result f32) f32.const 0)
        (table (export "t") 1 funcref) (elem (i32.const 0) $hidden) (func $hidden))"""
    )
    assert (got.outer.type.params, got.outer.type.results) == (("i32", "externref"), ("f32",))
    assert got.outer.name == "outer"
    assert repr(got.outer) == "<Func outer(i32, externref) -> f32>"
    assert got.t[0].name == "hidden"
    assert got.outer.type == wa.Func(lambda a, b: 0.0, ["i32", "externref"], ["f32"]).type


FRAMES_WAT = """(module $frames
    (func $divide (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
    (func $spin (param i32) (result i32) (loop $again (br_if $again (i32.const 0)))
      (if (result i32) (local.get 0)
        (then (i32.add (i32.const 1) (call $spin (i32.sub (local.get 0) (i32.const 1)))))
        (else (call $divide (i32.const 1) (local.get 0)))))
    (func (export "run") (param i32) (result i32) (i32.add (i32.const 1) (call $spin (local.get 0)))))"""


def test_a_trap_tells_code_message_and_functions() -> None:
    with pytest.raises(wa.Trap) as caught:
        exports(FRAMES_WAT).run(2)
    trap = caught.value
    assert trap.code == "integer_divide_by_zero"
    assert trap.message == "integer divide by zero"
    # The exported function has no name of its own. Nothing is inlined.
    assert [frame.func_name for frame in trap.frames] == ["divide", "spin", "spin", "spin", "run"]
    assert all(frame.module_name == "frames" for frame in trap.frames)
    wasm = bytes(wasmtime.wat2wasm(FRAMES_WAT))
    assert trap.frames[0].wasm_offset is not None
    assert wasm[trap.frames[0].wasm_offset] == 0x6D  # i32.div_s
    assert "integer divide by zero\n  at frames!" in str(trap)


def test_the_first_trap_of_a_process_may_be_stack_exhaustion() -> None:
    got = exports(
        '(module (func $f (export "f") (param i32) (result i32) (i32.add (i32.const 1) (call $f (local.get 0)))))'
    )
    for _ in range(3):
        with pytest.raises(wa.Trap) as caught:
            got.f(0)
        assert caught.value.code == "stack_exhausted"


def test_a_function_works_after_a_trap() -> None:
    got = exports(
        '(module (memory 1) (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))'
        ' (func (export "unreachable") unreachable))'
    )
    for _ in range(3):
        with pytest.raises(wa.Trap) as caught:
            got.load(65533)
        assert caught.value.code == "memory_out_of_bounds"
        with pytest.raises(wa.Trap) as caught:
            got.unreachable()
        assert caught.value.code == "unreachable"
        assert got.load(65532) == 0


def test_functions_are_equal_by_identity_of_the_function() -> None:
    got = exports(
        """(module (func $a (export "a") (export "again")) (func $b (export "b"))
        (table (export "t") funcref (elem $a $b)))"""
    )
    assert got.a == got.again == got.t[0]
    assert got.a != got.b
    assert len({got.a, got.again, got.t[0], got.b, got.t[1]}) == 2
    assert got.a != 5
