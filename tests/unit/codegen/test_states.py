"""Loops that begin with a ``br_table`` of a local: who sets the local goes past it, with the results of wasmtime."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Final

import pytest
import wasmtime

import wasmartifact as wa

#: Machines of a module, and states of each.
MACHINES: Final = 16
STATES: Final = 7
#: Where states lead: to each other, past the table, and to what is past it as numbers without a sign.
NEXT: Final = (*range(STATES), STATES + 3, -1, -0x8000_0000)
#: A machine ends by this at the latest.
MOST_ROUNDS: Final = 60
ARGUMENTS: Final = ((0, 0), (-1, 1), (0x5A5A_5A5A, 3), (0x1234_5678, 6), (0x0F0F_0F0F, -2))

#: What a machine's loop begins with, by what is there beside the look at the state: type of the loop, what lies below
#: its blocks, what its blocks begin with.
HEADS: Final = {
    "bare": ("", "", ""),
    "known below": ("", "(i32.const 9)", ""),
    "the state below": ("", "(local.get $at)", ""),
    "the state in a local": ("", "(local.set $w (local.get $at)) (i32.const 2)", ""),
    "a parameter below": ("(param i32)", "", ""),
    "a value along": ("", "", "(i32.const 5)"),
    "another local": ("", "(local.set $at (local.get $n)) (i32.const 1)", ""),
    "a store": ("", "(i32.store (i32.const 8) (local.get $at)) (i32.const 1)", ""),
}
#: Adds the value on top of the stack to the sum.
ADD_VALUE: Final = "(local.set $v) (local.set $s (i64.add (local.get $s) (i64.extend_i32_u (local.get $v))))"


def move(rng: random.Random, argument: str) -> str:
    """One step from a state: to another one, or on to the next."""
    state = f"(local.set $at (i32.const {rng.choice(NEXT)}))"
    computed = "(local.set $at (i32.rem_u (i32.add (local.get $at) (local.get $k)) (i32.const 9)))"
    test = f"(i32.and (i32.shr_u (local.get $n) (local.get $k)) (i32.const {rng.choice((1, 2, 3))}))"
    again = f"{argument} (br $again)"
    return rng.choice((
        f"{state} {again}",
        f"{computed} {again}",
        f"(if {test} (then {state} {again}))",
        f"(if {test} (then {state}) (else {computed})) {again}",
        f"{state} {argument} (br_if $again {test}) {'(drop)' if argument else ''}",
        f"(if {test} (then {state})) {again}",
        f"(block {state} (br_if 0 {test}) {again})",
        "",
    ))  # fmt: skip


def machine_wat(rng: random.Random, name: int, head: str) -> str:
    """A function around one loop: (param $n i32) (param $at i32) (result i64)."""
    loop, below, along = HEADS[head]
    argument = "(local.get $k)" if loop else ""
    depths = " ".join(str(rng.randrange(STATES)) if rng.random() < 0.2 else str(state) for state in range(STATES))
    result = "(result i32)" if along else ""
    code = f"{along} (br_table {depths} {STATES - 1} (local.get $at))"
    for state in range(STATES):
        count = f"(local.set $s (i64.add (i64.mul (local.get $s) (i64.const 31)) (i64.const {state})))"
        if along:
            count += ADD_VALUE
        rounds = "(local.tee $k (i32.add (local.get $k) (i32.const 1)))"
        end = f"(br_if $done (i32.gt_u {rounds} (i32.const {MOST_ROUNDS})))"
        next_along = along if state < STATES - 1 else ""
        code = f"(block {result} {code}) {count} {end} {move(rng, argument)} {next_along}"
    if loop or below:  # what lies below is seen once all blocks have ended
        code += f"{ADD_VALUE} (local.get $w) {ADD_VALUE}"
    return f"""
    (func (export "f{name}") (param $n i32) (param $at i32) (result i64) (local $k i32) (local $s i64)
      (local $v i32) (local $w i32)
      (block $done {argument} (loop $again {loop} {below} {code}))
      (i64.xor (local.get $s) (i64.extend_i32_u (local.get $at))))"""


def module_wat(seed: int) -> str:
    rng = random.Random(seed)
    heads = [rng.choice(list(HEADS)) if name >= len(HEADS) else list(HEADS)[name] for name in range(MACHINES)]
    functions = "".join(machine_wat(rng, name, head) for name, head in enumerate(heads))
    return f'(module (memory (export "memory") 1) {functions})'


@pytest.mark.parametrize("opt_level", [0, 1, 2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_machines(seed: int, opt_level: int, tmp_path: Path) -> None:
    """Every machine gives what wasmtime gives, from every state."""
    wat = module_wat(seed)
    wa.pack(wat.encode(), tmp_path / "machines.so", opt_level=opt_level)
    exports = wa.load(tmp_path / "machines.so").instantiate().exports
    store = wasmtime.Store()
    peers = wasmtime.Instance(store, wasmtime.Module(store.engine, wat), []).exports(store)
    for name in range(MACHINES):
        peer = peers[f"f{name}"]
        assert isinstance(peer, wasmtime.Func)
        for arguments in ARGUMENTS:
            assert exports[f"f{name}"](*arguments) == peer(store, *arguments), (name, arguments)


@pytest.mark.parametrize(
    ("head", "is_past"),
    [("bare", True), ("known below", True), ("the state below", False), ("the state in a local", False)],
)
def test_the_way_past(head: str, is_past: bool, tmp_path: Path) -> None:
    """A branch to the loop leads past its table where the state is known, unless the loop's first block is needed."""
    loop, below, _ = HEADS[head]
    drop = "(drop)" if below else ""
    wat = f"""(module (func (export "f") (param $at i32) (local $w i32)
      (loop $again {loop} {below}
        (block (block (br_table 0 1 (local.get $at))) (local.set $at (i32.const 1)) (br $again)) {drop})))"""
    wa.pack(wat.encode(), tmp_path / "machine.so", opt_level=2, keep=tmp_path)
    [text] = [path.read_text() for path in tmp_path.glob("functions-*.ll")]
    (entered,) = {line.split("%")[1] for line in text.splitlines() if line.startswith("  br label %loop")}
    assert (text.count(f"br label %{entered}") == 1) == is_past
