"""Vector loads and stores (spec section 4.4.7): volatile as in ``memory``, each one access of exactly its width."""

from __future__ import annotations

from typing import Final

from wasmartifact import schema
from wasmartifact.codegen.emitter import FunctionEmitter, Handler
from wasmartifact.codegen.memory import MemoryArgument, effective_address
from wasmartifact.codegen.simd import SHAPES, V128, Shape, lanes, push_unfoldable, splat

#: Alignment exponent, offset in bytes, memory index, lane.
LaneArgument = tuple[int, int, int, int]

_OUT_OF_BOUNDS: Final = schema.TRAP_BY_NAME["memory_out_of_bounds"]
_SHAPE_OF_BITS: Final = {shape.bits: shape for name, shape in SHAPES.items() if name[0] == "i"}


def _access(fn: FunctionEmitter, operand: str, argument: MemoryArgument, bits: int) -> str:
    """Pointer of an access; what follows gets its debug location."""
    pointer = effective_address(fn, operand, argument, bits // 8)
    fn.dbg = fn.located(_OUT_OF_BOUNDS)
    return pointer


def _push(fn: FunctionEmitter, shape: Shape, expression: str) -> None:
    """Push what was made of a load, and end the access."""
    value = fn.define("n", expression)
    if shape.type != V128:
        value = fn.define("n", f"bitcast {shape.type} {value} to {V128}")
    push_unfoldable(fn, value)
    fn.dbg = ""


def _load(fn: FunctionEmitter, argument: MemoryArgument) -> None:
    pointer = _access(fn, fn.stack.pop(), argument, 128)
    _push(fn, SHAPES["i64x2"], f"load volatile {V128}, ptr {pointer}, align 1")


def _load_extend(bits: int, extension: str) -> Handler:
    count, shape = 64 // bits, _SHAPE_OF_BITS[2 * bits]

    def emit(fn: FunctionEmitter, argument: MemoryArgument) -> None:
        pointer = _access(fn, fn.stack.pop(), argument, 64)
        whole = fn.define("n", f"load volatile i64, ptr {pointer}, align 1")
        narrow = fn.define("n", f"bitcast i64 {whole} to <{count} x i{bits}>")
        _push(fn, shape, f"{extension} <{count} x i{bits}> {narrow} to {shape.type}")

    return emit


def _load_splat(shape: Shape) -> Handler:
    def emit(fn: FunctionEmitter, argument: MemoryArgument) -> None:
        pointer = _access(fn, fn.stack.pop(), argument, shape.bits)
        element = fn.define("n", f"load volatile {shape.element}, ptr {pointer}, align 1")
        _push(fn, shape, splat(fn, shape, element))

    return emit


def _load_zero(shape: Shape) -> Handler:
    def emit(fn: FunctionEmitter, argument: MemoryArgument) -> None:
        pointer = _access(fn, fn.stack.pop(), argument, shape.bits)
        element = fn.define("n", f"load volatile {shape.element}, ptr {pointer}, align 1")
        _push(fn, shape, f"insertelement {shape.type} zeroinitializer, {shape.element} {element}, i64 0")

    return emit


def _load_lane(shape: Shape) -> Handler:
    def emit(fn: FunctionEmitter, argument: LaneArgument) -> None:
        operand, vector = fn.pop_values(2)
        pointer = _access(fn, operand, argument[:3], shape.bits)
        element = fn.define("n", f"load volatile {shape.element}, ptr {pointer}, align 1")
        value = lanes(fn, vector, shape)
        _push(fn, shape, f"insertelement {shape.type} {value}, {shape.element} {element}, i64 {argument[3]}")

    return emit


def _store(fn: FunctionEmitter, argument: MemoryArgument) -> None:
    operand, value = fn.pop_values(2)
    pointer = effective_address(fn, operand, argument, 16)
    at = fn.located(_OUT_OF_BOUNDS)
    fn.out.append(f"  store volatile {V128} {value}, ptr {pointer}, align 1{at}")


def _store_lane(shape: Shape) -> Handler:
    def emit(fn: FunctionEmitter, argument: LaneArgument) -> None:
        operand, vector = fn.pop_values(2)
        value = lanes(fn, vector, shape)
        pointer = effective_address(fn, operand, argument[:3], shape.bits // 8)
        element = fn.define("n", f"extractelement {shape.type} {value}, i64 {argument[3]}")
        at = fn.located(_OUT_OF_BOUNDS)
        fn.out.append(f"  store volatile {shape.element} {element}, ptr {pointer}, align 1{at}")

    return emit


HANDLERS: Final[dict[str, Handler]] = {
    "v128.load": _load,
    "v128.store": _store,
    **{
        f"v128.load{bits}x{64 // bits}_{sign}": _load_extend(bits, extension)
        for bits in (8, 16, 32)
        for sign, extension in (("s", "sext"), ("u", "zext"))
    },
    **{f"v128.load{bits}_splat": _load_splat(shape) for bits, shape in _SHAPE_OF_BITS.items()},
    **{f"v128.load{bits}_zero": _load_zero(_SHAPE_OF_BITS[bits]) for bits in (32, 64)},
    **{f"v128.load{bits}_lane": _load_lane(shape) for bits, shape in _SHAPE_OF_BITS.items()},
    **{f"v128.store{bits}_lane": _store_lane(shape) for bits, shape in _SHAPE_OF_BITS.items()},
}
