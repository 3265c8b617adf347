"""A stop comes at any instruction, before a function has its frame and after it has given it up: no frame is missed."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

import wasmartifact as wa

COUNT = 24
#: Saves registers and has room for what they don't hold, as a function has that nothing else fits.
LARGE = "\n".join(
    (
        f"(func $large (param $x i64) (result i64) {'(local i64) ' * COUNT} (local.set 1 (local.get $x))",
        *(
            f"(local.set {1 + i} (i64.add (i64.mul (local.get {(i + 1) % COUNT + 1}) (i64.const {7 * i + 3}))"
            f"  (call $leaf (local.get {1 + i}))))"
            for i in range(COUNT)
        ),
        *(f"(i64.store offset={16 + 8 * i} (i32.const 0) (local.get {1 + i}))" for i in range(COUNT)),
        "(local.get 4))",
    )
)
WAT = f"""(module (memory 1) (global $value (mut i64) (i64.const 1))
  (func $leaf (param $x i64) (result i64)
    (i64.store (i32.const 8) (local.get $x)) (i64.xor (local.get $x) (global.get $value)))
  {LARGE}
  (func $small (param $x i64) (result i64) (i64.add (call $leaf (local.get $x)) (i64.const 1)))
  (func $both (param $x i64) (result i64) (i64.add (call $large (local.get $x)) (call $small (local.get $x))))
  (func $main (export "main")
    (loop $again (global.set $value (call $both (global.get $value))) (br $again))))"""
CHAINS = {
    "main", "both main", "large both main", "leaf large both main", "small both main", "leaf small both main"
}  # fmt: skip
STOPS = 60


def stopped(artifact: wa.Artifact, seconds: float) -> str:
    """The functions that a deadline found, innermost first; none where it came before the call."""
    store = wa.Store()
    guest: Any = artifact.instantiate(store=store).exports
    with pytest.raises(wa.DeadlineExceeded) as caught, store.deadline(seconds):
        guest.main()
    return " ".join(str(frame).split()[0] for frame in caught.value.frames)


@pytest.mark.parametrize("opt_level", [0, 2])
def test_no_frame_is_missed(opt_level: int, tmp_path: Path) -> None:
    wa.pack(WAT.encode(), tmp_path / "calls.so", opt_level=opt_level)
    artifact = wa.load(tmp_path / "calls.so")
    chosen = random.Random(opt_level)
    found = {stopped(artifact, chosen.uniform(0.01, 0.03)) for _ in range(STOPS)}
    assert found - {""} and found - {""} <= CHAINS


#: A function that goes on in another one, by its index and through a table, and one that does so in itself.
TAILS = """(module (memory 1) (type $t (func (param i64) (result i64)))
  (table funcref (elem $g)) (global $value (mut i64) (i64.const 1))
  (func $leaf (param $x i64) (result i64) (i64.xor (local.get $x) (global.get $value)))
  (func $g (param $x i64) (result i64)
    (i64.store (i32.const 8) (local.get $x)) (i64.add (call $leaf (local.get $x)) (i64.const 1)))
  (func $f (param $x i64) (result i64) (return_call $g (i64.mul (call $leaf (local.get $x)) (i64.const 3))))
  (func $h (param $x i64) (result i64)
    (return_call_indirect (type $t) (i64.mul (call $leaf (local.get $x)) (i64.const 5)) (i32.const 0)))
  (func $down (param $x i64) (result i64)
    (if (i64.eqz (local.get $x)) (then (return (i64.const 1))))
    (drop (call $leaf (local.get $x)))
    (return_call $down (i64.sub (local.get $x) (i64.const 1))))
  (func $main (export "main")
    (loop $again
      (global.set $value (i64.add
        (call $down (i64.const 3)) (i64.add (call $f (global.get $value)) (call $h (global.get $value)))))
      (br $again))))"""


@pytest.mark.parametrize("opt_level", [0, 2])
def test_no_frame_is_missed_where_a_tail_call_leaves(opt_level: int, tmp_path: Path) -> None:
    wa.pack(TAILS.encode(), tmp_path / "tails.so", opt_level=opt_level)
    artifact = wa.load(tmp_path / "tails.so")
    chosen = random.Random(opt_level)
    found = {stopped(artifact, chosen.uniform(0.002, 0.006)) for _ in range(3 * STOPS)} - {""}
    assert found and all(frames == "main" or frames.endswith(" main") for frames in found)
