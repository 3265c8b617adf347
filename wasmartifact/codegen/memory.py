"""Memory instructions (spec section 4.4.7).

Accesses are volatile: an access out of bounds must trap even if its value is unused. They and the plain accesses to
globals are one alias class, so that a trap finds the globals as they are at that point.
"""

from __future__ import annotations

from typing import Final

from wasmartifact import schema
from wasmartifact.codegen import fuel
from wasmartifact.codegen.emitter import FunctionEmitter, Handler, Origin, i64_constant, opaque_value
from wasmartifact.codegen.signature import FLOAT_BITS, LLVM_TYPES
from wasmartifact.codegen.variables import narrow

#: Alignment exponent, offset in bytes, memory index.
MemoryArgument = tuple[int, int, int]

_OUT_OF_BOUNDS: Final = schema.TRAP_BY_NAME["memory_out_of_bounds"]
_MEMORY_SLOT: Final = schema.MEMORY_SLOT.offsets()
_MEMORY_HEAD: Final = schema.MEMORY_HEAD.offsets()


def effective_address(fn: FunctionEmitter, operand: str, argument: MemoryArgument, size_bytes: int) -> str:
    """Pointer to ``size_bytes`` bytes at an address operand plus the constant offset of the memory argument."""
    _, offset, memory = argument
    facts = fn.context.memories[memory]
    base = fn.memory_base(memory)
    index = fn.widen(operand, facts.index)
    if facts.checked:
        _check_bounds(fn, index, offset + size_bytes, memory)
    if offset:  # base + index * 1 + offset * 1: index and offset are below 2**32 each, or the sum was checked
        return fn.define("p", f"getelementptr [1 x i8], ptr {base}, i64 {index}, i64 {i64_constant(offset)}")
    return fn.define("p", f"getelementptr i8, ptr {base}, i64 {index}")


def _check_bounds(fn: FunctionEmitter, index: str, extent: int, memory: int) -> None:
    """Trap unless index + extent <= size of the memory, without wrapping around."""
    if extent >> 64:
        fn.trap_if("true", _OUT_OF_BOUNDS)
        return
    size = memory_size_bytes(fn, memory)
    end = fn.define("l", f"add i64 {index}, {i64_constant(extent)}")
    wrapped = fn.define("c", f"icmp ult i64 {end}, {index}")
    beyond = fn.define("c", f"icmp ugt i64 {end}, {size}")
    fn.trap_if(fn.define("c", f"or i1 {wrapped}, {beyond}"), _OUT_OF_BOUNDS)


def memory_size_bytes(fn: FunctionEmitter, memory: int) -> str:
    """Current size of a memory as an i64. A shared one grows in other threads: each look is one of its own."""
    slot = fn.context.layout.memories_offset + schema.MEMORY_SLOT.size_bytes * memory
    head = fn.load_invariant(slot + _MEMORY_SLOT["memory"])
    if fn.context.memories[memory].shared:
        address = fn.define("p", f"getelementptr i8, ptr {head}, i64 {_MEMORY_HEAD['size_bytes']}")
        return fn.define("l", f"load atomic volatile i64, ptr {address} seq_cst, align 8")
    return fn.load_field(head, _MEMORY_HEAD["size_bytes"], "i64")


def _load(letter: str, narrow_bits: int = 0, extension: str = "") -> Handler:
    type_ = LLVM_TYPES[letter]
    access = f"i{narrow_bits}" if narrow_bits else type_
    size_bytes = narrow_bits // 8 if narrow_bits else 4 if letter in "if" else 8

    def emit(fn: FunctionEmitter, argument: MemoryArgument) -> None:
        operand = fn.stack.pop()
        pointer = effective_address(fn, operand, argument, size_bytes)
        dbg = fn.located(_OUT_OF_BOUNDS)
        name = fn.name("n" if extension else letter)
        fn.out.append(f"  {name} = load volatile {access}, ptr {pointer}, align 1{dbg}")
        if extension:
            narrow_value, name = name, fn.name(letter)
            fn.out.append(f"  {name} = {extension} {access} {narrow_value} to {type_}{dbg}")
        if letter in FLOAT_BITS and "avx512f" in fn.context.options.target.cpu_features:
            # Else a select of it becomes a masked load, volatile or not: it does not trap where the mask is off.
            name = fn.define(letter, opaque_value(letter, name))
        fn.origins[name] = (dbg, operand, argument)
        fn.loaded[name] = dbg
        fn.stack.append(name)

    return emit


def _store(letter: str, narrow_bits: int = 0) -> Handler:
    type_ = LLVM_TYPES[letter]
    access = f"i{narrow_bits}" if narrow_bits else type_
    size_bytes = narrow_bits // 8 if narrow_bits else 4 if letter in "if" else 8

    def emit(fn: FunctionEmitter, argument: MemoryArgument) -> None:
        value = fn.stack.pop()
        operand = fn.stack.pop()
        pointer = effective_address(fn, operand, argument, size_bytes)
        dbg = fn.located(_OUT_OF_BOUNDS)
        if (origin := fn.origins.get(value)) is not None and _same_place(origin, operand, argument):
            dbg = origin[0]  # load, operator and store may become one instruction, in which the load comes first
        if narrow_bits:
            value = fn.define("n", f"trunc {type_} {value} to {access}")
        fn.out.append(f"  store volatile {access} {value}, ptr {pointer}, align 1{dbg}")

    return emit


def _same_place(origin: Origin, operand: str, argument: MemoryArgument) -> bool:
    return origin[1] == operand and origin[2][1:] == argument[1:]


def _memory_size(fn: FunctionEmitter, memory: int) -> None:
    facts = fn.context.memories[memory]
    size = memory_size_bytes(fn, memory)
    pages = fn.define("l", f"lshr i64 {size}, {facts.page_log2}") if facts.page_log2 else size
    fn.stack.append(narrow(fn, pages, facts.index))


def _memory_grow(fn: FunctionEmitter, memory: int) -> None:
    letter = fn.context.memories[memory].index
    delta = fn.widen(fn.stack.pop(), letter)
    old_size = fn.runtime_call("memory_grow", str(memory), delta)
    fuel.charge_growth(fn, old_size, delta)
    fn.stack.append(narrow(fn, old_size, letter))


def _memory_fill(fn: FunctionEmitter, memory: int) -> None:
    to, value, count = fn.pop_values(3)
    letter = fn.context.memories[memory].index
    operands = fn.widen(to, letter), value, fn.widen(count, letter)
    fuel.charge_count(fn, operands[-1], letter)
    fn.runtime_call("memory_fill", str(memory), *operands)


def _memory_copy(fn: FunctionEmitter, pair: tuple[int, int]) -> None:
    destination, source = pair
    to, at, count = fn.pop_values(3)
    to_letter, from_letter = fn.context.memories[destination].index, fn.context.memories[source].index
    count_letter = min(to_letter, from_letter)  # "i" where either address is an i32
    operands = fn.widen(to, to_letter), fn.widen(at, from_letter), fn.widen(count, count_letter)
    fuel.charge_count(fn, operands[-1], count_letter)
    fn.runtime_call("memory_copy", str(destination), str(source), *operands)


def _memory_init(fn: FunctionEmitter, pair: tuple[int, int]) -> None:
    segment, memory = pair
    to, at, count = fn.pop_values(3)
    operands = fn.widen(to, fn.context.memories[memory].index), fn.widen(at, "i"), fn.widen(count, "i")
    fuel.charge_count(fn, operands[-1], "i")
    fn.runtime_call("memory_init", str(memory), str(segment), *operands)


def _data_drop(fn: FunctionEmitter, segment: int) -> None:
    fn.runtime_call("data_drop", str(segment))


def _narrow_handlers() -> dict[str, Handler]:
    made: dict[str, Handler] = {}
    for prefix, letter, widths in (("i32", "i", (8, 16)), ("i64", "l", (8, 16, 32))):
        for bits in widths:
            made[f"{prefix}.load{bits}_s"] = _load(letter, bits, "sext")
            made[f"{prefix}.load{bits}_u"] = _load(letter, bits, "zext")
            made[f"{prefix}.store{bits}"] = _store(letter, bits)
    return made


HANDLERS: Final[dict[str, Handler]] = {
    **{f"{prefix}.load": _load(letter) for prefix, letter in (("i32", "i"), ("i64", "l"), ("f32", "f"), ("f64", "d"))},
    **{
        f"{prefix}.store": _store(letter) for prefix, letter in (("i32", "i"), ("i64", "l"), ("f32", "f"), ("f64", "d"))
    },
    **_narrow_handlers(),
    "memory.size": _memory_size,
    "memory.grow": _memory_grow,
    "memory.fill": _memory_fill,
    "memory.copy": _memory_copy,
    "memory.init": _memory_init,
    "data.drop": _data_drop,
}
