"""v128 between Python and WebAssembly: 16 bytes, as parameter, result, global, and through host functions."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
import wasmtime

import wasmartifact as wa
from tests.unit.runtime.harness import exports, load

A = bytes(range(16))
B = struct.pack("<4f", 1.5, -2.25, 1e10, 3.0)
#: Signalling NaNs of both widths: what goes through must keep every bit.
NANS = struct.pack("<IIQ", 0x7FA00001, 0xFF800001, 0x7FF4 << 48 | 1)

IDENTITY = '(module (func (export "v") (param v128) (result v128) local.get 0))'


@pytest.mark.parametrize("value", [A, B, NANS, bytes(16), b"\xff" * 16])
def test_a_vector_arrives_exactly(value: bytes) -> None:
    result = exports(IDENTITY).v(value)
    assert type(result) is bytes
    assert result == value


def test_the_first_byte_is_the_first_lane() -> None:
    got = exports(
        """(module (func (export "lane") (param v128) (result i32 i32 f32)
          (i8x16.extract_lane_u 0 (local.get 0)) (i16x8.extract_lane_s 7 (local.get 0))
          (f32x4.extract_lane 1 (local.get 0)))
        (func (export "add") (param v128 v128) (result v128) (f32x4.add (local.get 0) (local.get 1))))"""
    )
    assert got.lane(b"\x07" + bytes(3) + struct.pack("<f", 2.5) + bytes(6) + b"\xfe\xff") == (7, -2, 2.5)
    assert struct.unpack("<4f", got.add(B, struct.pack("<4f", 1, 1, 1, 1))) == (2.5, -1.25, 1e10, 4.0)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (b"abc", "bytes of length 3"),
        (bytes(17), "bytes of length 17"),
        (5, "int"),
        (None, "None"),
        ("0123456789abcdef", "str"),
        (bytearray(16), "bytearray"),
        ([0] * 16, "list"),
    ],
)
def test_anything_else_is_an_error_that_names_the_function(given: Any, found: str) -> None:
    with pytest.raises(TypeError, match=rf"v\(v128\) -> v128: argument 1 must be 16 bytes \(v128\), found {found}"):
        exports(IDENTITY).v(given)


KINDS = (
    *("v128", "f32", "i32", "v128", "f64", "i64", "v128", "f32", "v128", "f64", "v128", "f32", "v128", "v128"),
    *("v128", "v128", "v128", "i64", "i32", "v128"),
)
VALUES = tuple(
    {"v128": bytes([n] * 16), "f32": n + 0.5, "f64": n / 4, "i32": -n, "i64": n << 40}[kind]
    for n, kind in enumerate(KINDS)
)


@pytest.mark.parametrize("cpu", ["baseline", "native"])
@pytest.mark.parametrize("opt_level", range(4))
@pytest.mark.parametrize("count", [2, 4, 5, 8, len(KINDS)])
def test_any_number_of_values_of_all_types(tmp_path: Path, count: int, opt_level: int, cpu: str) -> None:
    """Registers and stack: through a call, a call of an import, and a call from the host; results in reverse order."""
    kinds, values = KINDS[:count], VALUES[:count]
    params, results = " ".join(kinds), " ".join(reversed(kinds))
    gets = " ".join(f"local.get {index}" for index in range(count))
    back = " ".join(f"local.get {index}" for index in reversed(range(count)))
    wat = f"""(module (type $t (func (param {params}) (result {results})))
      (import "host" "reverse" (func $import (type $t)))
      (func $reverse (type $t) {back})
      (func (export "direct") (type $t) {gets} call $reverse)
      (func (export "imported") (type $t) {gets} call $import))"""
    seen = []

    def reverse(*given: Any) -> tuple[Any, ...]:
        seen.append(given)
        return given[::-1]

    wa.pack(bytes(wasmtime.wat2wasm(wat)), tmp_path / "x.so", opt_level=opt_level, cpu=cpu)
    host = wa.Func(reverse, kinds, kinds[::-1])
    got = wa.load(tmp_path / "x.so").instantiate({"host": {"reverse": host}}).exports
    assert got.direct(*values) == values[::-1]
    assert got.imported(*values) == values[::-1]
    assert seen == [values]


def test_signalling_nans_in_results_beside_floats() -> None:
    """Floats beyond the second register would go through x87 registers, which make them quiet."""
    got = exports(
        """(module (func $f (result v128 f32 v128 f32 f64) (v128.const i64x2 1 2) (f32.const nan:0x200001)
          (v128.const i32x4 0x7fa00001 0 0 0) (f32.const nan:0x200002) (f64.const nan:0x4000000000001))
        (func (export "f") (result i64 i32 i32 i32 i64) (local v128 f32 v128 f32 f64)
          call $f local.set 4 local.set 3 local.set 2 local.set 1 local.set 0
          (i64x2.extract_lane 1 (local.get 0)) (i32.reinterpret_f32 (local.get 1)) (i32x4.extract_lane 0 (local.get 2))
          (i32.reinterpret_f32 (local.get 3)) (i64.reinterpret_f64 (local.get 4))))"""
    )
    assert got.f() == (2, 0x7FA00001, 0x7FA00001, 0x7FA00002, 0x7FF4 << 48 | 1)


def test_a_wrong_result_of_a_host_function_is_an_error() -> None:
    wat = '(module (import "m" "f" (func $f (result v128))) (func (export "g") (result v128) call $f))'
    got = exports(wat, {"m": {"f": wa.Func(lambda: b"short", [], ["v128"])}})
    with pytest.raises(TypeError, match=r"result.* must be 16 bytes \(v128\), found bytes of length 5"):
        got.g()


def test_a_host_function_called_from_python_checks_alike() -> None:
    func = wa.Func(lambda value: value[::-1], ["v128"], ["v128"])
    assert func(A) == A[::-1]
    with pytest.raises(TypeError, match=r"must be 16 bytes \(v128\), found bytearray"):
        func(bytearray(16))


GLOBALS = """(module
  (import "m" "host" (global $host (mut v128)))
  (import "m" "const" (global $const v128))
  (global $own (export "own") (mut v128) (v128.const i8x16 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15))
  (global (export "constant") v128 (v128.const i64x2 -1 5))
  (global (export "copied") v128 (global.get $const))
  (func (export "swap") (result v128) (local v128)
    (local.set 0 (global.get $host)) (global.set $host (global.get $own)) (global.set $own (local.get 0))
    (local.get 0)))"""


def test_globals_cross_in_both_directions() -> None:
    host = wa.Global("v128", B, mutable=True)
    got = exports(GLOBALS, {"m": {"host": host, "const": wa.Global("v128", NANS)}})
    assert got.own.value == A
    assert got.constant.value == b"\xff" * 8 + struct.pack("<q", 5)
    assert got.copied.value == NANS
    assert got.swap() == B
    assert (host.value, got.own.value) == (A, B)
    got.own.value = NANS
    got.swap()
    assert (host.value, got.own.value) == (NANS, A)
    with pytest.raises(TypeError, match=r"must be 16 bytes \(v128\), found int"):
        got.own.value = 5


def test_vectors_pass_between_artifacts_and_through_tables(tmp_path: Path) -> None:
    """One packed for this CPU calls one packed for any, and both ways agree on where vectors are."""
    library = """(module (func $f (export "f") (param v128 f32 v128) (result v128 v128)
        (f32x4.add (local.get 0) (f32x4.splat (local.get 1))) (local.get 2))
      (table (export "t") 1 funcref) (elem (i32.const 0) $f))"""
    user = """(module (type $t (func (param v128 f32 v128) (result v128 v128)))
      (import "library" "f" (func $f (type $t))) (import "library" "t" (table $t 1 funcref))
      (func (export "direct") (type $t) local.get 0 local.get 1 local.get 2 call $f)
      (func (export "indirect") (type $t) local.get 0 local.get 1 local.get 2 i32.const 0 call_indirect (type $t)))"""
    wa.pack(bytes(wasmtime.wat2wasm(user)), tmp_path / "user.so", cpu="native")
    made = load(library).instantiate()
    got = wa.load(tmp_path / "user.so").instantiate({"library": made.exports}).exports
    expected = (struct.pack("<4f", 2.0, -1.75, 1e10, 3.5), A)
    assert got.direct(B, 0.5, A) == expected
    assert got.indirect(B, 0.5, A) == expected
    assert made.exports["t"][0](B, 0.5, A) == expected
