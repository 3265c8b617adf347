"""Locals that equal a global wherever control branches: which those are, and that code with them does the same.

What programs must do comes from wasmtime. They are made at random, in the shape that Go gives to its functions: a loop
around a ``br_table``, a stack pointer in a global and a local, addresses that are added to as i64.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import wasmtime

import wasmartifact as wa
from wasmartifact.codegen.context import GlobalFacts
from wasmartifact.codegen.mirrors import mirroring_locals
from wasmartifact.wasm.decode import decode_module
from wasmartifact.wasm.instructions import decode_instructions, decode_locals

LOAD = "(local.set $s (global.get $sp))"
PUSH = "(global.set $sp (local.tee $s (i32.sub (local.get $s) (i32.const 8))))"
BLOCK = "(block (br_if 0 (local.get 0)))"
#: Bodies of a function (param i32) (local $s i32), and whether the local mirrors the global.
BODIES = {
    "loaded after each call": (f"{LOAD} {BLOCK} {PUSH} (call $f) {LOAD} {BLOCK}", True),
    "set with the global": (f"{LOAD} {PUSH} {BLOCK} (call $f) {LOAD} {PUSH} (loop (br_if 0 (local.get 0)))", True),
    "set first, the global behind it": (
        f"{LOAD} (local.set $s (i32.const 8)) (global.set $sp (local.get $s)) {BLOCK} (call $f) {LOAD}", True,
    ),
    "behind a return": (f"{LOAD} (if (local.get 0) (then {LOAD} (call $f) (return))) {BLOCK}", True),
    "no call to load behind": (f"{LOAD} {BLOCK} {PUSH} {BLOCK}", False),
    "not loaded after one call": (f"{LOAD} (call $f) {LOAD} {BLOCK} (call $f) {BLOCK}", False),
    "not loaded after the memory grew": (
        f"{LOAD} (call $f) {LOAD} (drop (memory.grow (local.get 0))) {BLOCK}", False,
    ),
    "not loaded in one arm": (
        f"{LOAD} (if (local.get 0) (then (call $f)) (else (call $f) {LOAD})) (drop (local.get $s))", False,
    ),
    "read behind a call": (f"{LOAD} {BLOCK} (call $f) {PUSH} {BLOCK} (call $f) {LOAD} {BLOCK}", False),
    "read behind the global": (f"{LOAD} (call $f) {LOAD} (global.set $sp (i32.const 8)) {PUSH} {BLOCK}", False),
    "loaded too late": (f"{BLOCK} {LOAD} (call $f) {LOAD} {BLOCK}", False),
    "set alone": (f"{LOAD} (call $f) {LOAD} (local.set $s (i32.const 8)) {BLOCK}", False),
    "the global set alone": (f"{LOAD} (call $f) {LOAD} (global.set $sp (i32.const 8)) {BLOCK}", False),
    "the global set to another local": (f"{LOAD} (call $f) {LOAD} (global.set $sp (local.get 0)) {BLOCK}", False),
    "another global loaded": (f"{LOAD} (call $f) {LOAD} {BLOCK} (local.set $s (global.get $other)) {BLOCK}", False),
    "a parameter": (f"{LOAD} (call $f) {LOAD} {BLOCK}".replace("$s ", "0 "), False),
    "another's global": (f"{LOAD} (call $f) {LOAD} {BLOCK}".replace("$sp", "$theirs"), False),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_what_mirrors_a_global(name: str) -> None:
    body, mirrors = BODIES[name]
    data = bytes(
        wasmtime.wat2wasm(f"""(module (import "m" "g" (global $theirs (mut i32)))
          (memory 1) (global $sp (mut i32) (i32.const 64)) (global $other (mut i32) (i32.const 3))
          (func $f) (func (param i32) (local $s i32) {body}))""")
    )
    code = decode_module(data).codes[1]
    _, start = decode_locals(data, code.start, code.end)
    facts = (GlobalFacts("i", True, 0, None), GlobalFacts("i", False, 8, None), GlobalFacts("i", False, 16, None))
    found = mirroring_locals(decode_instructions(data, start, code.end), 1, facts)
    assert found == ({1: 1} if mirrors else {})


def address(offset: int, choose: random.Random) -> str:
    """The stack pointer plus an offset, as Go adds it, or as an i32."""
    if choose.random() < 0.3:
        return f"(i32.add (local.get $s) (i32.const {offset}))"
    return f"(i32.wrap_i64 (i64.add (i64.extend_i32_u (local.get $s)) (i64.const {offset})))"


def truth(test: str, choose: random.Random) -> str:
    """An i32 that says what a test says, or its contrary, by way of an i64 and negations."""
    for _ in range(choose.randrange(4)):
        test = choose.choice(["(i32.eqz {})", "(i64.eqz (i64.extend_i32_u {}))"]).format(test)
    return test


def statement(choose: random.Random, labels: int, functions: int) -> str:
    """Code that leaves the local and the global equal, most times."""
    registers = ("$a", "$b")
    one, other = choose.choice(registers), choose.choice(registers)
    offset = choose.choice([0, 8, 16, -8, 40])
    call = f"(local.set $r (call $f{choose.randrange(functions)} (i32.const 0)))"
    jump = f"(local.set $pc (i32.const {choose.randrange(labels)})) (br $again)"
    return choose.choice([
        f"(i64.store offset=8 {address(offset, choose)} (local.get {one}))",
        f"(local.set {one} (i64.load {address(offset, choose)}))",
        f"(local.set {one} (i64.add (local.get {other}) (i64.const {choose.randrange(-9, 9)})))",
        f"(local.set {one} (i64.extend_i32_u {truth(f'(i64.lt_s (local.get $a) (local.get {other}))', choose)}))",
        f"(i64.store (i32.wrap_i64 (i64.and (local.get {one}) (i64.const 0xfff8))) (local.get {other}))",
        f"(local.set {one} (i64.load (i32.wrap_i64 (local.get {other}))))" if choose.random() < 0.1 else PUSH,
        f"{call} (local.set $s (global.get $sp)) (br_if $out (local.get $r))",
        f"{call} (local.set $s (global.get $sp))" if choose.random() < 0.9 else call,
        f"(if {truth('(i64.eqz (local.get $b))', choose)} (then {jump}))",
        f"(if {truth('(i64.eqz (local.get $a))', choose)} (then {PUSH}) (else (local.set {one} (i64.const 5))))",
        PUSH.replace("sub", "add"),
        PUSH.replace("global.set $sp", "drop") if choose.random() < 0.1 else "(nop)",
    ])  # fmt: skip


def function(number: int, functions: int, choose: random.Random) -> str:
    labels = choose.randrange(2, 6)
    spent = "(global.set $n (i32.sub (global.get $n) (i32.const 1)))"
    code = ""
    for label in range(labels):
        statements = [statement(choose, labels, functions) for _ in range(choose.randrange(1, 9))]
        ends = "(if (i32.le_s (global.get $n) (i32.const 0)) (then (return (i32.const 1))))"
        code = f"(block $l{label} {code}" if label else f"(block $l0 {dispatch(labels)}"
        code += f") {spent} {ends} {' '.join(statements)}"
    return f"""(func $f{number} (export "f{number}") (param $pc i32) (result i32)
      (local $s i32) (local $r i32) (local $a i64) (local $b i64)
      (local.set $s (global.get $sp)) (block $out (loop $again {code} {PUSH}))
      (i64.store (i32.const 8) (i64.xor (local.get $a) (local.get $b))) (local.get $s))"""


def dispatch(labels: int) -> str:
    return f"(br_table {' '.join(f'$l{label}' for label in range(labels))} (local.get $pc))"


def program(seed: int, functions: int = 6) -> bytes:
    choose = random.Random(seed)
    code = "\n".join(function(number, functions, choose) for number in range(functions))
    return bytes(
        wasmtime.wat2wasm(f"""(module (memory (export "memory") 1)
          (global $sp (export "sp") (mut i32) (i32.const 32768)) (global $n (export "n") (mut i32) (i32.const 0))
          {code})""")
    )


def run(call: Callable[[str, int], Any], reset: Callable[[], None], state: Callable[[], Any]) -> list[Any]:
    """What functions return or where they trap, and what they leave."""
    found = []
    for name in range(6):
        for entry in (0, 1, 4):
            reset()
            found.append((call(f"f{name}", entry), state()))
    return found


def ours(path: Path) -> list[Any]:
    exports: Any = wa.load(path).instantiate().exports

    def call(name: str, entry: int) -> Any:
        try:
            return exports[name](entry)
        except wa.Trap as trap:
            return [frame.func_index for frame in trap.frames]

    def reset() -> None:
        exports["n"].value, exports["sp"].value = 40, 32768

    return run(call, reset, lambda: (exports["n"].value, exports["sp"].value, bytes(exports["memory"])))


def theirs(wasm: bytes) -> list[Any]:
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    exports: Any = wasmtime.Instance(store, wasmtime.Module(engine, wasm), []).exports(store)

    def call(name: str, entry: int) -> Any:
        try:
            return exports[name](store, entry)
        except wasmtime.Trap as trap:
            return [frame.func_index for frame in trap.frames]

    def reset() -> None:
        exports["n"].set_value(store, 40)
        exports["sp"].set_value(store, 32768)

    def state() -> Any:
        values = (exports[name].value(store) for name in ("n", "sp"))
        return (*values, bytes(exports["memory"].read(store, 0, 65536)))

    return run(call, reset, state)


@pytest.mark.parametrize("seed", [*range(12), 1022])  # the last has a local that is read behind a call
def test_programs_in_the_shape_of_go(tmp_path: Path, seed: int) -> None:
    wasm = program(seed)
    expected = theirs(wasm)
    for opt_level in (0, 1, 2, 3):
        wa.pack(wasm, tmp_path / "a.so", opt_level=opt_level)
        assert ours(tmp_path / "a.so") == expected, opt_level
