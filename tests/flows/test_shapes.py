"""One function that would take an optimising compiler more than linear time: one pass compiles it, at every level."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import wasmtime

import wasmartifact as wa


def cases(count: int) -> str:
    """A switch with so many cases, each of which gives a constant."""
    opened = "".join(f"(block $c{number} " for number in reversed(range(count)))
    targets = " ".join(f"$c{number}" for number in range(count))
    arms = "".join(f") (local.set 1 (i32.const {3 * number})) (br $out)" for number in range(count))
    return f"(local i32) (block $out {opened} (br_table {targets} $c0 (local.get 0)) {arms}) (local.get 1)"


def states(count: int) -> str:
    """A loop around a switch, as of a lexer: each state goes on to the next one."""
    opened = "".join(f"(block $c{number} " for number in reversed(range(count)))
    targets = " ".join(f"$c{number}" for number in range(count))
    step = "(local.set 0 (i32.add (local.get 0) (i32.const 1))) (br $l)"
    arms = "".join(
        f") (local.set 1 (i32.xor (local.get 1) (i32.const {3 * number}))) {step}" for number in range(count)
    )
    return f"(local i32) (block $out (loop $l {opened} (br_table {targets} $out (local.get 0)) {arms})) (local.get 1)"


def repeated(step: str, start: str = "local.get 0", end: str = "") -> Callable[[int], str]:
    """Straight-line code."""
    return lambda count: f"{start} {f'{step} ' * count} {end}"


def loops(count: int) -> str:
    """Loops behind each other, each of which the one before leads to."""
    step = "(local.tee 1 (i32.add (local.get 1) (i32.const 4)))"
    each = f"(loop (i32.store (local.get 1) (local.get 0)) (br_if 0 (i32.lt_u {step} (local.get 0))))"
    return (
        f"(local i32) {' '.join(f'(local.set 1 (i32.const {number})) {each}' for number in range(count))} (local.get 1)"
    )


#: Shape, how often to have it in too large a function, and in one that LLVM compiles.
SHAPES: dict[str, tuple[Callable[[int], str], int, int]] = {
    "cases": (cases, 2_000, 20),
    "states": (states, 2_000, 20),
    "integers": (repeated("i32.const 3 i32.mul i32.const 11 i32.add local.get 0 i32.xor"), 600, 20),
    "floats": (
        repeated("f32.const 1.1 f32.mul f32.const 1 f32.add", "f32.const 1", "i32.reinterpret_f32"), 900, 20,
    ),
    "selects": (repeated("local.get 0 local.get 0 select local.get 0 i32.add"), 400, 20),
    "loads": (lambda count: "local.get 0 i32.load " * count + "i32.add " * (count - 1), 2_000, 20),
    "indirect calls": (repeated("i32.const 0 call_indirect (param i32) (result i32)"), 300, 20),
    "divisions": (repeated("local.get 0 i32.const 1 i32.or i32.div_u local.get 0 i32.add"), 30_000, 20),
    "loops": (loops, 500, 20),
    "branches": (repeated("local.set 0 local.get 0 if (result i32) i32.const 7 else local.get 0 end"), 1_300, 20),
}  # fmt: skip


@pytest.mark.parametrize("opt_level", [1, 2])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_function_of_too_large_a_shape(tmp_path: Path, shape: str, opt_level: int) -> None:
    """It stands between two others, which LLVM compiles; results are wasmtime's."""
    make, large, small = SHAPES[shape]
    function = "(func (export {name}) (param i32) (result i32) {body})"
    source = f"""(module (memory 1) (data (i32.const 0) "\\07\\00\\00\\00\\09") (table funcref (elem $plain))
      (func $plain (export "plain") (param i32) (result i32) (i32.add (local.get 0) (i32.const 5)))
      {function.format(name='"large"', body=make(large))}
      {function.format(name='"small"', body=make(small))})"""
    wa.pack(source.encode(), tmp_path / "a.so", opt_level=opt_level, keep=tmp_path / "kept")
    kept = sorted(path.name for path in (tmp_path / "kept").glob("functions*") if path.suffix in (".bin", ".o"))
    assert kept == ["functions-000000-000000.o", "functions-000001-000001.bin", "functions-000002-000002.o"]

    store = wasmtime.Store()
    module = wasmtime.Module(store.engine, source)
    expected: Any = wasmtime.Instance(store, module, []).exports(store)
    ours: Any = wa.load(tmp_path / "a.so").instantiate().exports
    for name in ("plain", "small", "large"):
        for argument in (0, 1, 3, 12, 19, 600):
            assert ours[name](argument) == expected[name](store, argument), (name, argument)
