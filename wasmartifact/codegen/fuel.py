"""Fuel: what the blocks of a function cost, and the code that counts it. FORMAT.md ("Fuel") has the contract.

Code does not count in memory. It has a *portion* of the store's fuel in a register, which each function gets as its
first parameter and returns as its first result (``signature.metered``). A block that costs more than the portion holds
takes another one from the store, by a function of the artifact that keeps all registers (``portion``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from wasmartifact import schema
from wasmartifact.codegen.emitter import FunctionEmitter
from wasmartifact.codegen.irmodule import NOMERGE, TAKE_FUEL, UNLIKELY
from wasmartifact.wasm.model import Instruction
from wasmartifact.wasm.opcodes import OPCODE_BY_NAME

_FREE: Final = frozenset(OPCODE_BY_NAME[name].code for name in schema.FUEL_FREE_OPERATORS)
_LAST: Final = frozenset(OPCODE_BY_NAME[name].code for name in schema.FUEL_BLOCK_ENDS)


def blocks(instructions: list[Instruction]) -> Iterator[tuple[int, list[Instruction]]]:
    """Cut a body into its blocks, each with what it costs."""
    start, cost = 0, schema.FUEL_PER_FUNCTION
    for position, (_, opcode, _) in enumerate(instructions, 1):
        if opcode not in _FREE:
            cost += 1
        if opcode in _LAST:
            yield cost, instructions[start:position]
            start, cost = position, 0


def charge(fn: FunctionEmitter, cost: int) -> None:
    """Pay for a block, before anything of it runs."""
    if cost:
        _pay(fn, str(cost))


def charge_count(fn: FunctionEmitter, count: str, letter: str) -> None:
    """Pay for an operator's work on so many bytes or elements: an i64, widened from type ``letter``.

    Nothing is emitted where code counts no fuel.
    """
    if not fn.pays:
        return
    if letter == "l":
        possible = fn.define("c", f"icmp ult i64 {count}, {schema.FUEL_COUNT_LIMIT}")
        count = fn.define("l", f"select i1 {possible}, i64 {count}, i64 0")
    _pay(fn, count)


def charge_growth(fn: FunctionEmitter, old_size: str, delta: str) -> None:
    """Pay for growing by an i64 number of pages or elements, which failed if it gave an i64 of -1."""
    if fn.pays:
        failed = fn.define("c", f"icmp eq i64 {old_size}, -1")
        _pay(fn, fn.define("l", f"select i1 {failed}, i64 0, i64 {delta}"))


def _pay(fn: FunctionEmitter, cost: str) -> None:
    # The difference, not the portion, is what the unlikely case gets: so only one of the two stays in a register.
    portion = fn.fuel()
    left = fn.define("l", f"sub i64 {portion}, {cost}")
    fn.set_fuel(left)
    short = fn.define("c", f"icmp ult i64 {portion}, {cost}")
    number = fn.fresh()
    fn.out.append(f"  br i1 {short}, label %short{number}, label %paid{number}, {UNLIKELY}{fn.dbg}")
    fn.start_block(f"short{number}")
    at = fn.located(0)
    taken = fn.name("l")
    call = f"call preserve_allcc i64 @{TAKE_FUEL}(ptr %instance, i64 {left}, i64 {cost})"
    fn.out.append(f"  {taken} = {call} {NOMERGE}{at}")
    fn.set_fuel(taken)
    fn.out.append(f"  br label %paid{number}{fn.dbg}")
    fn.start_block(f"paid{number}")
