"""Between i32 and i64: sums, halves, tests and their negations, which the emitter simplifies.

What is expected is computed by Python.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import wasmtime

import wasmartifact as wa

LOW, ALL = 2**32 - 1, 2**64 - 1
WIDE = "(i64.extend_i32_u (local.get $x))"
NARROW = "(i32.wrap_i64 (local.tee $t (i64.add {} (i64.const -7))))"
LESS = "(i64.lt_u (local.get $y) (i64.const 9))"
#: Result type, body of a function (param $x i32) (param $y i64) (local $t i64), and its value modulo the type's size.
CASES: dict[str, tuple[str, str, Callable[[int, int], int]]] = {
    "sum": ("i32", f"(i32.wrap_i64 (i64.add {WIDE} (i64.const -7)))", lambda x, y: x - 7),
    "sum of sums": (
        "i32", f"(i32.wrap_i64 (i64.add (i64.add {WIDE} (i64.const 0xfffffffff)) (i64.const 5)))",
        lambda x, y: x + 0xFFFFFFFFF + 5,
    ),
    "sum that is kept": (
        "i64", f"(i64.xor (i64.extend_i32_u {NARROW.format(WIDE)}) (local.get $t))",
        lambda x, y: (x - 7 & LOW) ^ (x - 7 & ALL),
    ),
    "sum with the constant first": ("i32", f"(i32.wrap_i64 (i64.add (i64.const 9) {WIDE}))", lambda x, y: x + 9),
    "sum of two": ("i32", f"(i32.wrap_i64 (i64.add {WIDE} (local.get $y)))", lambda x, y: x + y),
    "wide again": ("i64", "(i64.extend_i32_u (i32.wrap_i64 (local.get $y)))", lambda x, y: y & LOW),
    "narrow again": ("i32", f"(i32.wrap_i64 {WIDE})", lambda x, y: x),
    "constant": ("i32", "(i32.wrap_i64 (i64.const 0xfedcba9876543210))", lambda x, y: 0x76543210),
    "address": (
        "i64", "(i64.load (i32.wrap_i64 (i64.and (local.get $y) (i64.const 0xf00000008))))",
        lambda x, y: 5 if y & 8 else 3,
    ),
    "address, atomic": (
        "i64", "(i64.atomic.load (i32.wrap_i64 (i64.and (local.get $y) (i64.const 0xf00000008))))",
        lambda x, y: 5 if y & 8 else 3,
    ),
    "test": ("i64", f"(i64.extend_i32_u {LESS})", lambda x, y: y < 9),
    "test and sum": ("i64", f"(i64.add (i64.extend_i32_u {LESS}) (i64.const 4))", lambda x, y: 4 + (y < 9)),
    "test, narrow again": ("i32", f"(i32.wrap_i64 (i64.extend_i32_u {LESS}))", lambda x, y: y < 9),
    "test, sum, narrow again": (
        "i32", f"(i32.wrap_i64 (i64.add (i64.extend_i32_u {LESS}) (i64.const -1)))", lambda x, y: (y < 9) - 1,
    ),
    "negated": ("i32", f"(i64.eqz (i64.extend_i32_u {LESS}))", lambda x, y: y >= 9),
    "negated twice": ("i32", f"(i32.eqz (i64.eqz (i64.extend_i32_u {LESS})))", lambda x, y: y < 9),
    "negated three times": ("i64", f"(i64.extend_i32_u (i32.eqz (i32.eqz (i32.eqz {LESS}))))", lambda x, y: y >= 9),
    "negated and branched on": (
        "i32",
        f"(if (result i32) (i32.eqz (i64.eqz (i64.extend_i32_u {LESS}))) (then (i32.const 3)) (else (local.get $x)))",
        lambda x, y: 3 if y < 9 else x,
    ),
}  # fmt: skip


@pytest.fixture(scope="module", params=[1, 2, 3])
def exports(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    functions = "".join(
        f'(func (export "{name}") (param $x i32) (param $y i64) (result {result}) (local $t i64) {body})'
        for name, (result, body, _) in CASES.items()
    )
    memory = '(memory 1) (data (i32.const 0) "\\03\\00\\00\\00\\00\\00\\00\\00\\05")'
    path = tmp_path_factory.mktemp("halves") / "a.so"
    wa.pack(bytes(wasmtime.wat2wasm(f"(module {memory} {functions})")), path, opt_level=request.param)
    return wa.load(path).instantiate().exports


@pytest.mark.parametrize("name", CASES)
def test_value(exports: Any, name: str) -> None:
    result, _, value = CASES[name]
    for x in (0, 1, 6, 7, 8, 0x7FFFFFFF, 0x80000000, LOW):
        for y in (0, 1, 8, 9, LOW, LOW + 1, LOW + 10, 1 << 63, ALL):
            assert exports[name](x, y) % 2 ** int(result[1:]) == value(x, y) % 2 ** int(result[1:]), (x, y)
