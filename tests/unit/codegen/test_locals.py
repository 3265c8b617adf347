"""Locals that are written once: what is read is the value of that write only where control came by it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
import wasmtime

import wasmartifact as wa

#: Bodies that write $x, by name: whether it lives in memory nevertheless, and (param $a i32) (result i32).
BODIES: Final = {
    "read behind it": (
        False,
        """(local.set $x (i32.mul (local.get $a) (i32.const 3)))
        (i32.add (local.get $x) (local.get $x))""",
    ),
    "read in blocks behind it": (
        False,
        """(local.set $x (i32.mul (local.get $a) (i32.const 5)))
        (loop $l (local.set $y (i32.add (local.get $y) (local.get $x)))
          (if (i32.lt_s (local.get $y) (i32.const 40)) (then (local.set $a (i32.const 7)) (br_if $l (local.get $x)))))
        (i32.sub (local.get $y) (local.get $x))""",
    ),
    "a new value in each round": (
        False,
        """(loop $l (local.set $x (i32.mul (local.get $a) (i32.const 3)))
          (block (br_if 0 (i32.and (local.get $a) (i32.const 1)))
            (local.set $y (i32.add (local.get $y) (local.get $x))))
          (local.set $y (i32.xor (local.get $y) (local.get $x)))
          (br_if $l (i32.lt_s (local.tee $a (i32.add (local.get $a) (i32.const 1))) (i32.const 9))))
        (local.get $y)""",
    ),
    "a constant": (
        False,
        """(local.set $x (i32.const 11)) (block (br_if 0 (local.get $a)) (return (local.get $x)))
        (local.get $x)""",
    ),
    "a test": (
        False,
        """(local.set $x (i32.gt_s (local.get $a) (i32.const 2)))
        (block (br_if 0 (local.get $x)) (local.set $y (i32.const 4)))
        (if (local.get $x) (then (local.set $y (i32.const 9)))) (i32.add (local.get $x) (local.get $y))""",
    ),
    "in a tee": (
        False,
        """(block (br_if 0 (local.tee $x (i32.rem_s (local.get $a) (i32.const 3))))
        (return (local.get $x))) (local.get $a)""",
    ),
    "read before it": (
        True,
        """(local.set $y (local.get $x)) (local.set $x (local.get $a))
        (i32.sub (local.get $y) (local.get $x))""",
    ),
    "read in the round before": (
        True,
        """(loop $l (local.set $y (i32.add (i32.mul (local.get $y) (i32.const 7)) (local.get $x)))
          (local.set $x (local.get $a))
          (br_if $l (i32.lt_s (local.tee $a (i32.add (local.get $a) (i32.const 1))) (i32.const 5))))
        (local.get $y)""",
    ),
    "in an arm, read behind it": (True, "(if (local.get $a) (then (local.set $x (local.get $a)))) (local.get $x)"),
    "in an arm, read in the other": (
        True,
        """(loop $l (if (i32.and (local.get $a) (i32.const 1))
            (then (local.set $x (local.get $a))) (else (local.set $y (i32.add (local.get $y) (local.get $x)))))
          (br_if $l (i32.lt_s (local.tee $a (i32.add (local.get $a) (i32.const 1))) (i32.const 6))))
        (local.get $y)""",
    ),
    "written twice": (
        True,
        """(local.set $x (local.get $a))
        (loop $l (local.set $y (i32.add (local.get $y) (local.get $x)))
          (local.set $x (i32.add (local.get $x) (i32.const 3)))
          (br_if $l (i32.lt_s (local.tee $a (i32.add (local.get $a) (i32.const 1))) (i32.const 5))))
        (local.get $y)""",
    ),
    "in a block that may be left before": (
        True,
        "(block (br_if 0 (i32.gt_s (local.get $a) (i32.const 1))) (local.set $x (i32.const 8))) (local.get $x)",
    ),
}
ARGUMENTS: Final = (-3, -1, 0, 1, 2, 3, 4, 8)


def module_wat(body: str) -> str:
    return f'(module (func (export "f") (param $a i32) (result i32) (local $x i32) (local $y i32) {body}))'


@pytest.mark.parametrize("opt_level", [0, 1, 2, 3])
@pytest.mark.parametrize("name", BODIES)
def test_values(name: str, opt_level: int, tmp_path: Path) -> None:
    wat = module_wat(BODIES[name][1])
    wa.pack(wat.encode(), tmp_path / "locals.so", opt_level=opt_level)
    ours = wa.load(tmp_path / "locals.so").instantiate().exports.f
    store = wasmtime.Store()
    theirs = wasmtime.Instance(store, wasmtime.Module(store.engine, wat), []).exports(store)["f"]
    assert isinstance(theirs, wasmtime.Func)
    assert [ours(argument) for argument in ARGUMENTS] == [theirs(store, argument) for argument in ARGUMENTS]


@pytest.mark.parametrize("name", BODIES)
def test_what_lives_in_memory(name: str, tmp_path: Path) -> None:
    """The parameter and $y do if they are written, and $x if it may be read where it was not."""
    is_in_memory, body = BODIES[name]
    wa.pack(module_wat(body).encode(), tmp_path / "locals.so", opt_level=2, keep=tmp_path)
    [text] = [path.read_text() for path in tmp_path.glob("functions-*.ll")]
    written = [f"local.set ${local}" in body or f"local.tee ${local}" in body for local in "ay"]
    once_y = name == "read before it"  # its $y is written once, too
    assert text.count(" = alloca ") == sum(written) - once_y + is_in_memory
