"""Atomic instructions (threads proposal): sequentially consistent, and trapping where an address is not aligned.

Code for one thread uses them too, where it was compiled so that it could run in several. On a memory that is not
shared, waiting traps, and since nobody waits, nobody is woken; on a shared one the runtime does both.
"""

from __future__ import annotations

from typing import Final

from wasmartifact import schema
from wasmartifact.codegen.emitter import ZEROS, FunctionEmitter, Handler, i64_constant
from wasmartifact.codegen.memory import MemoryArgument, effective_address
from wasmartifact.codegen.signature import LLVM_TYPES

_OUT_OF_BOUNDS: Final = schema.TRAP_BY_NAME["memory_out_of_bounds"]
_NOT_SHARED: Final = schema.TRAP_BY_NAME["expected_shared_memory"]
_UNALIGNED: Final = schema.TRAP_BY_NAME["unaligned_atomic"]
_OPERATORS: Final = ("add", "sub", "and", "or", "xor", "xchg")


def _aligned_address(fn: FunctionEmitter, operand: str, argument: MemoryArgument, bits: int) -> str:
    """Pointer of an access that must be aligned."""
    if bits > 8:
        index = fn.widen(operand, fn.context.memories[argument[2]].index)
        address = fn.define("l", f"add i64 {index}, {i64_constant(argument[1])}")
        rest = fn.define("l", f"and i64 {address}, {bits // 8 - 1}")
        fn.trap_if(fn.define("c", f"icmp ne i64 {rest}, 0"), _UNALIGNED)
    return effective_address(fn, operand, argument, bits // 8)


def _narrow(fn: FunctionEmitter, letter: str, bits: int, value: str) -> str:
    """The low bits of a value."""
    if LLVM_TYPES[letter] == f"i{bits}":
        return value
    return fn.define("n", f"trunc {LLVM_TYPES[letter]} {value} to i{bits}")


def _push(fn: FunctionEmitter, letter: str, bits: int, expression: str) -> None:
    """Push the value of an access, zero-extended."""
    at = fn.located(_OUT_OF_BOUNDS)
    is_narrow = LLVM_TYPES[letter] != f"i{bits}"
    name = fn.name("n" if is_narrow else letter)
    fn.out.append(f"  {name} = {expression}{at}")
    if is_narrow:
        name = fn.define(letter, f"zext i{bits} {name} to {LLVM_TYPES[letter]}")
    fn.stack.append(name)


def _load(letter: str, bits: int) -> Handler:
    def emit(fn: FunctionEmitter, argument: MemoryArgument) -> None:
        pointer = _aligned_address(fn, fn.stack.pop(), argument, bits)
        _push(fn, letter, bits, f"load atomic volatile i{bits}, ptr {pointer} seq_cst, align {bits // 8}")

    return emit


def _store(letter: str, bits: int) -> Handler:
    def emit(fn: FunctionEmitter, argument: MemoryArgument) -> None:
        operand, value = fn.pop_values(2)
        pointer = _aligned_address(fn, operand, argument, bits)
        value = _narrow(fn, letter, bits, value)
        at = fn.located(_OUT_OF_BOUNDS)
        fn.out.append(f"  store atomic volatile i{bits} {value}, ptr {pointer} seq_cst, align {bits // 8}{at}")

    return emit


def _modify(operator: str, letter: str, bits: int) -> Handler:
    def emit(fn: FunctionEmitter, argument: MemoryArgument) -> None:
        operand, value = fn.pop_values(2)
        pointer = _aligned_address(fn, operand, argument, bits)
        value = _narrow(fn, letter, bits, value)
        _push(fn, letter, bits, f"atomicrmw volatile {operator} ptr {pointer}, i{bits} {value} seq_cst")

    return emit


def _compare_exchange(letter: str, bits: int) -> Handler:
    def emit(fn: FunctionEmitter, argument: MemoryArgument) -> None:
        operand, expected, value = fn.pop_values(3)
        pointer = _aligned_address(fn, operand, argument, bits)
        expected, value = _narrow(fn, letter, bits, expected), _narrow(fn, letter, bits, value)
        at = fn.located(_OUT_OF_BOUNDS)
        pair = fn.name("n")
        exchange = f"cmpxchg volatile ptr {pointer}, i{bits} {expected}, i{bits} {value} seq_cst seq_cst"
        fn.out.append(f"  {pair} = {exchange}{at}")
        _push(fn, letter, bits, f"extractvalue {{ i{bits}, i1 }} {pair}, 0")

    return emit


def _notify(fn: FunctionEmitter, argument: MemoryArgument) -> None:
    """Where nobody waits, nobody is woken; the address must be right all the same."""
    operand, count = fn.pop_values(2)
    if fn.context.memories[argument[2]].shared:
        _call_runtime(fn, "memory_notify", argument, operand, count)
        return
    _probe(fn, operand, argument, 32)
    fn.stack.append(ZEROS["i"])


def _wait(bits: int) -> Handler:
    def emit(fn: FunctionEmitter, argument: MemoryArgument) -> None:
        operand, expected, timeout = fn.pop_values(3)
        if fn.context.memories[argument[2]].shared:
            _call_runtime(fn, f"memory_wait{bits}", argument, operand, expected, timeout)
            return
        _probe(fn, operand, argument, bits)
        fn.trap_if("true", _NOT_SHARED)
        fn.stack.append(ZEROS["i"])

    return emit


def _call_runtime(fn: FunctionEmitter, name: str, argument: MemoryArgument, operand: str, *values: str) -> None:
    """Push what the runtime gives, which looks at the address."""
    _, offset, memory = argument
    address = fn.widen(operand, fn.context.memories[memory].index)
    fn.dbg = fn.located(0)
    fn.stack.append(fn.runtime_call(name, str(memory), i64_constant(offset), address, *values))
    fn.dbg = ""


def _probe(fn: FunctionEmitter, operand: str, argument: MemoryArgument, bits: int) -> None:
    """Trap where an access would."""
    pointer = _aligned_address(fn, operand, argument, bits)
    at = fn.located(_OUT_OF_BOUNDS)
    fn.out.append(f"  {fn.name('n')} = load atomic volatile i{bits}, ptr {pointer} seq_cst, align {bits // 8}{at}")


def _fence(fn: FunctionEmitter, _: None) -> None:
    fn.out.append("  fence seq_cst")


def _access_handlers() -> dict[str, Handler]:
    made: dict[str, Handler] = {}
    for prefix, letter, all_bits in (("i32", "i", (32, 8, 16)), ("i64", "l", (64, 8, 16, 32))):
        for bits in all_bits:
            whole = bits == all_bits[0]
            width, sign = ("", "") if whole else (str(bits), "_u")
            made[f"{prefix}.atomic.load{width}{sign}"] = _load(letter, bits)
            made[f"{prefix}.atomic.store{width}"] = _store(letter, bits)
            for operator in _OPERATORS:
                made[f"{prefix}.atomic.rmw{width}.{operator}{sign}"] = _modify(operator, letter, bits)
            made[f"{prefix}.atomic.rmw{width}.cmpxchg{sign}"] = _compare_exchange(letter, bits)
    return made


HANDLERS: Final[dict[str, Handler]] = {
    **_access_handlers(),
    "memory.atomic.notify": _notify,
    "memory.atomic.wait32": _wait(32),
    "memory.atomic.wait64": _wait(64),
    "atomic.fence": _fence,
}
