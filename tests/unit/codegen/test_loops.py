"""Loops whose counters and addresses LLVM joins and widens: they end, wrap around and trap as wasmtime's do."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import wasmtime

import wasmartifact as wa

#: Loops of a module, in memory of a page.
LOOPS: Final = 24
#: What a loop begins with, steps by and ends at: small, around the end of the memory, around both ends of 32 bits.
STARTS: Final = (0, 1, 3, 60, 255, 65_500, 65_532, 0x7FFF_FFF0, 0x8000_0000, -64, -7, -1)
STEPS: Final = (1, 2, 3, 4, 8, 56, -1, -2, -4)
OFFSETS: Final = (0, 4, 48, 1024, 65_528, -4, -48, -65_536, 0x7FFF_FFFF)
CONDITIONS: Final = ("ne", "lt_u", "lt_s", "gt_u", "gt_s", "le_u", "ge_s")
#: A loop ends by this at the latest, or it would go through all of 32 bits.
MOST_ROUNDS: Final = 40
ARGUMENTS: Final = (0, 1, 5, 33, 100, 65_520, 0x8000_0003, 0xFFFF_FFFF)


def loop_wat(rng: random.Random, name: int) -> str:
    """A function with a loop of two counters, of which one is an address: (param $n i32) (result i64)."""
    scale = rng.choice((0, 1, 2, 3))
    address = f"(i32.add (i32.shl (local.get $i) (i32.const {scale})) (i32.const {rng.choice(OFFSETS)}))"
    if rng.random() < 0.5:  # the address has a local of its own
        address = "(local.get $a)"
    access = rng.choice((
        f"(i32.store {address} (local.get $i))",
        f"(i32.store8 offset={rng.choice((0, 1, 16))} {address} (local.get $a))",
        f"(local.set $s (i64.add (local.get $s) (i64.load32_u {address})))",
        f"(local.set $s (i64.add (local.get $s) (i64.extend_i32_{rng.choice('us')} {address})))",
    ))  # fmt: skip
    bound = rng.choice(
        ("(local.get $n)", f"(i32.const {rng.choice(STARTS)})", "(i32.and (local.get $n) (i32.const 63))")
    )
    first = rng.choice(("(local.get $n)", f"(i32.const {rng.choice(STARTS)})"))
    return f"""
    (func (export "f{name}") (param $n i32) (result i64) (local $i i32) (local $a i32) (local $k i32) (local $s i64)
      (local.set $i {first})
      (local.set $a (i32.const {rng.choice(STARTS)}))
      (block $done
        (loop $again
          {access}
          (local.set $a (i32.add (local.get $a) (i32.const {rng.choice(STEPS)})))
          (local.set $i (i32.add (local.get $i) (i32.const {rng.choice(STEPS)})))
          (br_if $done (i32.gt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (i32.const {MOST_ROUNDS})))
          (br_if $again (i32.{rng.choice(CONDITIONS)} (local.get $i) {bound}))))
      (i64.add (i64.extend_i32_u (local.get $a)) (i64.add (local.get $s) (i64.extend_i32_u (local.get $i)))))"""


def module_wat(seed: int) -> str:
    rng = random.Random(seed)
    return f"""(module (memory (export "memory") 1) {"".join(loop_wat(rng, name) for name in range(LOOPS))})"""


def theirs(source: str) -> Iterator[tuple[object, bytes]]:
    """Result or "trap" of each call by wasmtime, and the memory behind it."""
    store = wasmtime.Store()
    instance = wasmtime.Instance(store, wasmtime.Module(store.engine, source), [])
    exports = instance.exports(store)
    memory = exports["memory"]
    assert isinstance(memory, wasmtime.Memory)
    for name in range(LOOPS):
        function = exports[f"f{name}"]
        assert isinstance(function, wasmtime.Func)
        for argument in ARGUMENTS:
            result: object
            try:
                result = function(store, argument - (argument >> 31 << 32))
            except wasmtime.Trap as trap:
                assert trap.trap_code is wasmtime.TrapCode.MEMORY_OUT_OF_BOUNDS
                result = "trap"
            yield result, bytes(memory.read(store))


def ours(path: Path) -> Iterator[tuple[object, bytes]]:
    """The same by the artifact."""
    exports = wa.load(path).instantiate().exports
    for name in range(LOOPS):
        for argument in ARGUMENTS:
            result: object
            try:
                result = exports[f"f{name}"](argument - (argument >> 31 << 32))
            except wa.Trap as trap:
                assert trap.code == "memory_out_of_bounds"
                result = "trap"
            yield result, bytes(exports["memory"])


@pytest.mark.parametrize("opt_level", [0, 1, 2, 3])
@pytest.mark.parametrize("seed", range(6))
def test_loops_do_what_they_do_elsewhere(seed: int, opt_level: int, tmp_path: Path) -> None:
    source = module_wat(seed)
    wa.pack(source.encode(), tmp_path / "loops.so", opt_level=opt_level)
    expected = list(theirs(source))
    assert list(ours(tmp_path / "loops.so")) == expected
    traps = sum(result == "trap" for result, _ in expected)
    assert 0 < traps < len(expected) * 0.7  # both are seen often
