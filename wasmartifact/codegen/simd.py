"""Vector instructions but for memory accesses (spec section 4.4.3 and the relaxed operators).

A v128 is a ``<2 x i64>``: an integer type, so that LLVM never takes moves, constants and phis of it for floats, whose
NaNs it might make quiet. Operators see it as lanes through a bitcast, which costs no instruction; ``lanes`` keeps the
casts of a basic block, so that most operators take the result of another one as that left it.

Floats follow the rules on NaNs as in ``numeric``. But a v128 of unknown origin may be a constant that LLVM finds out by
itself, so arithmetic takes its operands through a fence (``float_lanes``), which costs no instruction either.

Relaxed operators do what the strict ones do, but for ``relaxed_madd``, which is fused where the CPU does that.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from wasmartifact.codegen.emitter import CONSTANTS, FunctionEmitter, Handler, opaque_value
from wasmartifact.codegen.signature import LLVM_TYPES
from wasmartifact.dataclass import dataclass
from wasmartifact.wasm.opcodes import OPCODE_BY_NAME

V128: Final = LLVM_TYPES["v"]


@dataclass(frozen=True, slots=True)
class Shape:
    """How a v128 is divided: ``type`` in LLVM's words, ``suffix`` of intrinsics; ``letter`` of a lane's operand."""

    element: str
    count: int
    bits: int
    letter: str

    @property
    def type(self) -> str:
        """LLVM's vector type."""
        return f"<{self.count} x {self.element}>"

    @property
    def suffix(self) -> str:
        """Ending of the names of intrinsics."""
        name = {"float": "f32", "double": "f64"}.get(self.element, self.element)
        return f"v{self.count}{name}"

    def splat(self, value: int | str) -> str:
        """A constant with the same value in all lanes."""
        return f"splat ({self.element} {value})"


SHAPES: Final = {
    "i8x16": Shape("i8", 16, 8, "i"),
    "i16x8": Shape("i16", 8, 16, "i"),
    "i32x4": Shape("i32", 4, 32, "i"),
    "i64x2": Shape("i64", 2, 64, "l"),
    "f32x4": Shape("float", 4, 32, "f"),
    "f64x2": Shape("double", 2, 64, "d"),
}
#: The shape with lanes of twice the width.
_WIDER: Final = {"i8x16": "i16x8", "i16x8": "i32x4", "i32x4": "i64x2"}
_BYTES: Final = SHAPES["i8x16"]
#: Half as many bytes, and where the low bytes of lanes of 16 bits are.
_HALF: Final = "<8 x i8>"
_LOW_BYTES: Final = bytes(range(0, 16, 2))


def _integers_of(shape: Shape) -> Shape:
    """The integer shape with as many lanes."""
    return SHAPES[f"i{shape.bits}x{shape.count}"]


# Lanes ------------------------------------------------------------------------------------------------------------


def lanes(fn: FunctionEmitter, operand: str, shape: Shape) -> str:
    """A v128 operand as the lanes of a shape."""
    type_ = shape.type
    if type_ == V128:
        return operand
    name = fn.lanes.get((operand, type_))
    if name is None:
        name = fn.lanes[operand, type_] = fn.define("n", f"bitcast {V128} {operand} to {type_}")
    return name


def float_lanes(fn: FunctionEmitter, operand: str, shape: Shape) -> str:
    """A v128 operand as float lanes that LLVM can't know to be constants: operands of arithmetic."""
    key = operand, f"opaque {shape.type}"
    name = fn.lanes.get(key)
    if name is None:
        name = fn.lanes[key] = fn.define("n", fence(lanes(fn, operand, shape), shape))
    return name


def fence(value: str, shape: Shape) -> str:
    """Expression for lanes of floats that LLVM can't see through."""
    return f"call {shape.type} @llvm.arithmetic.fence.{shape.suffix}({shape.type} {value})"


def push_lanes(fn: FunctionEmitter, shape: Shape, expression: str) -> str:
    """Emit an instruction that gives lanes and push them as a v128; return the lanes."""
    type_ = shape.type
    if type_ == V128:
        fn.push("v", expression)
        return fn.stack[-1]
    value = fn.define("n", expression)
    fn.push("v", f"bitcast {type_} {value} to {V128}")
    fn.lanes[fn.stack[-1], type_] = value
    return value


def push_arithmetic(fn: FunctionEmitter, shape: Shape, expression: str) -> None:
    """Push the float lanes that arithmetic on opaque operands gives: they are no constants."""
    value = push_lanes(fn, shape, expression)
    fn.lanes[fn.stack[-1], f"opaque {shape.type}"] = value


def splat(fn: FunctionEmitter, shape: Shape, element: str) -> str:
    """Expression for a vector with the same value in all lanes."""
    first = fn.define("n", f"insertelement {shape.type} poison, {shape.element} {element}, i64 0")
    return f"shufflevector {shape.type} {first}, {shape.type} poison, <{shape.count} x i32> zeroinitializer"


def pick(fn: FunctionEmitter, shape: Shape, value: str, indices: Iterable[int]) -> tuple[str, str]:
    """Some lanes of a vector: (type, value)."""
    chosen = [f"i32 {index}" for index in indices]
    mask = f"<{len(chosen)} x i32> <{', '.join(chosen)}>"
    name = fn.define("n", f"shufflevector {shape.type} {value}, {shape.type} poison, {mask}")
    return f"<{len(chosen)} x {shape.element}>", name


def push_unfoldable(fn: FunctionEmitter, value: str) -> None:
    """Push a v128 that LLVM can't trace back to the load which it was made of.

    Else LLVM narrows the load, volatile or not, where only the low lanes are used (pmovsxbw takes 8 bytes), and with
    AVX-512 makes a masked load of it where a select uses it: neither traps where the whole access must.
    """
    shape = SHAPES["f64x2"]
    floats = fn.define("n", f"bitcast {V128} {value} to {shape.type}")
    opaque = fn.define("n", fence(floats, shape))
    fn.push("v", f"bitcast {shape.type} {opaque} to {V128}")


# Constants and lanes ----------------------------------------------------------------------------------------------


def _const(fn: FunctionEmitter, value: bytes) -> None:
    fn.stack.append(CONSTANTS["v"](int.from_bytes(value, "little")))


def _shuffle(fn: FunctionEmitter, indices: bytes) -> None:
    operands = fn.pop_values(2)
    if _narrows(indices):
        wide = SHAPES["i16x8"]
        a, b = (fn.define("n", f"trunc {wide.type} {lanes(fn, operand, wide)} to {_HALF}") for operand in operands)
        mask = ", ".join(f"i32 {index >> 1}" for index in indices)
        push_lanes(fn, _BYTES, f"shufflevector {_HALF} {a}, {_HALF} {b}, <16 x i32> <{mask}>")
        return
    a, b = (lanes(fn, operand, _BYTES) for operand in operands)
    mask = ", ".join(f"i32 {index}" for index in indices)
    push_lanes(fn, _BYTES, f"shufflevector {_BYTES.type} {a}, {_BYTES.type} {b}, <16 x i32> <{mask}>")


def _narrows(indices: bytes) -> bool:
    """Whether a shuffle is what compilers make of vectors of i16 that are narrowed to i8: the low byte of each lane.

    LLVM combines a narrowing with what comes before it, such as saturation, but not such a shuffle.
    """
    return indices[:8] == _LOW_BYTES and not any(index & 1 for index in indices[8:])


def _swizzle(fn: FunctionEmitter, _: Any) -> None:
    a, indices = (lanes(fn, operand, _BYTES) for operand in fn.pop_values(2))
    type_ = _BYTES.type
    if fn.context.options.target.machine == "x86_64":
        # pshufb gives zero where the highest bit of the index is set: indices from 16 on get it.
        sum_ = f"call {type_} @llvm.uadd.sat.v16i8({type_} {indices}, {type_} {_BYTES.splat(0x70)})"
        call = f"@llvm.x86.ssse3.pshuf.b.128({type_} {a}, {type_} {fn.define('n', sum_)})"
    else:
        call = f"@llvm.aarch64.neon.tbl1.v16i8({type_} {a}, {type_} {indices})"
    push_lanes(fn, _BYTES, f"call {type_} {call}")


def narrow_lane(fn: FunctionEmitter, shape: Shape, operand: str) -> str:
    """A scalar operand as a lane's element."""
    return operand if shape.bits > 16 else fn.define("n", f"trunc i32 {operand} to {shape.element}")


def _push_scalar_made(fn: FunctionEmitter, shape: Shape, scalar: str, expression: str) -> None:
    """Push lanes that a scalar went into. That may come from a load, and with AVX-512 become a masked one."""
    push_lanes(fn, shape, expression)
    if scalar[0] == "%" and shape.letter in "il" and "avx512f" in fn.context.options.target.cpu_features:
        push_unfoldable(fn, fn.stack.pop())


def _splat(shape: Shape) -> Handler:
    def emit(fn: FunctionEmitter, _: Any) -> None:
        scalar = fn.stack.pop()
        _push_scalar_made(fn, shape, scalar, splat(fn, shape, narrow_lane(fn, shape, scalar)))

    return emit


def _extract_lane(shape: Shape, extension: str = "") -> Handler:
    def emit(fn: FunctionEmitter, lane: int) -> None:
        value = lanes(fn, fn.stack.pop(), shape)
        expression = f"extractelement {shape.type} {value}, i64 {lane}"
        if extension:
            fn.push("i", f"{extension} {shape.element} {fn.define('n', expression)} to i32")
        elif shape.letter in "fd":  # opaque, as it may be a constant
            fn.push(shape.letter, opaque_value(shape.letter, fn.define("n", expression)))
        else:
            fn.push(shape.letter, expression)

    return emit


def _replace_lane(shape: Shape) -> Handler:
    def emit(fn: FunctionEmitter, lane: int) -> None:
        operand, scalar = fn.pop_values(2)
        value, element = lanes(fn, operand, shape), narrow_lane(fn, shape, scalar)
        expression = f"insertelement {shape.type} {value}, {shape.element} {element}, i64 {lane}"
        _push_scalar_made(fn, shape, scalar, expression)

    return emit


# Bits -------------------------------------------------------------------------------------------------------------

_ONES: Final = CONSTANTS["v"]((1 << 128) - 1)


def _bitwise(instruction: str) -> Handler:
    def emit(fn: FunctionEmitter, _: Any) -> None:
        a, b = fn.pop_values(2)
        fn.push("v", f"{instruction} {V128} {a}, {b}")

    return emit


def _not(fn: FunctionEmitter, _: Any) -> None:
    fn.push("v", f"xor {V128} {fn.stack.pop()}, {_ONES}")


def _andnot(fn: FunctionEmitter, _: Any) -> None:
    a, b = fn.pop_values(2)
    inverse = fn.define("n", f"xor {V128} {b}, {_ONES}")
    fn.push("v", f"and {V128} {a}, {inverse}")


def _bitselect(fn: FunctionEmitter, _: Any) -> None:
    a, b, mask = fn.pop_values(3)
    inverse = fn.define("n", f"xor {V128} {mask}, {_ONES}")
    from_a = fn.define("n", f"and {V128} {a}, {mask}")
    from_b = fn.define("n", f"and {V128} {b}, {inverse}")
    fn.push("v", f"or {V128} {from_a}, {from_b}")


def _any_true(fn: FunctionEmitter, _: Any) -> None:
    whole = fn.define("n", f"bitcast {V128} {fn.stack.pop()} to i128")
    fn.push_test(f"icmp ne i128 {whole}, 0")


def _all_true(shape: Shape) -> Handler:
    def emit(fn: FunctionEmitter, _: Any) -> None:
        value = lanes(fn, fn.stack.pop(), shape)
        tests = fn.define("n", f"icmp ne {shape.type} {value}, zeroinitializer")
        fn.push_test(f"call i1 @llvm.vector.reduce.and.v{shape.count}i1(<{shape.count} x i1> {tests})")

    return emit


def _bitmask(shape: Shape) -> Handler:
    def emit(fn: FunctionEmitter, _: Any) -> None:
        value = lanes(fn, fn.stack.pop(), shape)
        signs = fn.define("n", f"icmp slt {shape.type} {value}, zeroinitializer")
        mask = fn.define("n", f"bitcast <{shape.count} x i1> {signs} to i{shape.count}")
        fn.push("i", f"zext i{shape.count} {mask} to i32")

    return emit


# Integers ---------------------------------------------------------------------------------------------------------


def _binary(shape: Shape, instruction: str) -> Handler:
    def emit(fn: FunctionEmitter, _: Any) -> None:
        a, b = (lanes(fn, operand, shape) for operand in fn.pop_values(2))
        push_lanes(fn, shape, f"{instruction} {shape.type} {a}, {b}")

    return emit


def _intrinsic(shape: Shape, name: str, flag: str = "") -> Handler:
    """An intrinsic of one operand."""
    type_ = shape.type

    def emit(fn: FunctionEmitter, _: Any) -> None:
        value = lanes(fn, fn.stack.pop(), shape)
        push_lanes(fn, shape, f"call {type_} @llvm.{name}.{shape.suffix}({type_} {value}{flag})")

    return emit


def _intrinsic2(shape: Shape, name: str) -> Handler:
    """An intrinsic of two operands."""
    type_ = shape.type

    def emit(fn: FunctionEmitter, _: Any) -> None:
        a, b = (lanes(fn, operand, shape) for operand in fn.pop_values(2))
        push_lanes(fn, shape, f"call {type_} @llvm.{name}.{shape.suffix}({type_} {a}, {type_} {b})")

    return emit


def _negate(shape: Shape) -> Handler:
    def emit(fn: FunctionEmitter, _: Any) -> None:
        push_lanes(fn, shape, f"sub {shape.type} zeroinitializer, {lanes(fn, fn.stack.pop(), shape)}")

    return emit


def _shift(shape: Shape, instruction: str) -> Handler:
    def emit(fn: FunctionEmitter, _: Any) -> None:
        operand, amount = fn.pop_values(2)
        value = lanes(fn, operand, shape)
        if amount[0] == "%":
            masked = fn.define("i", f"and i32 {amount}, {shape.bits - 1}")
            if shape.bits != 32:
                masked = fn.define("n", f"{'zext' if shape.bits > 32 else 'trunc'} i32 {masked} to {shape.element}")
            count = fn.define("n", splat(fn, shape, masked))
        else:
            count = shape.splat(int(amount) & (shape.bits - 1))
        push_lanes(fn, shape, f"{instruction} {shape.type} {value}, {count}")

    return emit


def _compare(shape: Shape, instruction: str) -> Handler:
    result = _integers_of(shape)

    def emit(fn: FunctionEmitter, _: Any) -> None:
        a, b = (lanes(fn, operand, shape) for operand in fn.pop_values(2))
        tests = fn.define("n", f"{instruction} {shape.type} {a}, {b}")
        push_lanes(fn, result, f"sext <{shape.count} x i1> {tests} to {result.type}")

    return emit


def _average(shape: Shape) -> Handler:
    wide = f"<{shape.count} x i{2 * shape.bits}>"
    one = f"splat (i{2 * shape.bits} 1)"

    def emit(fn: FunctionEmitter, _: Any) -> None:
        a, b = (
            fn.define("n", f"zext {shape.type} {lanes(fn, operand, shape)} to {wide}") for operand in fn.pop_values(2)
        )
        sum_ = fn.define("n", f"add {wide} {a}, {b}")
        rounded = fn.define("n", f"add {wide} {sum_}, {one}")
        half = fn.define("n", f"lshr {wide} {rounded}, {one}")
        push_lanes(fn, shape, f"trunc {wide} {half} to {shape.type}")

    return emit


#: x86's instructions that narrow two vectors into one with saturation, by result and signedness.
_PACKS: Final = {
    ("i8x16", "s"): "sse2.packsswb.128",
    ("i8x16", "u"): "sse2.packuswb.128",
    ("i16x8", "s"): "sse2.packssdw.128",
    ("i16x8", "u"): "sse41.packusdw",
}


def _narrow(name: str, sign: str) -> Handler:
    """narrow: the operands are signed in any case, ``sign`` tells the range that they are brought into."""
    shape, source = SHAPES[name], SHAPES[_WIDER[name]]
    least, greatest = (
        (-(1 << (shape.bits - 1)), (1 << (shape.bits - 1)) - 1) if sign == "s" else (0, (1 << shape.bits) - 1)
    )
    half = f"<{source.count} x {shape.element}>"
    joined = ", ".join(f"i32 {index}" for index in range(shape.count))

    def clamp(fn: FunctionEmitter, value: str) -> str:
        for bound, intrinsic in ((least, "smax"), (greatest, "smin")):
            call = f"call {source.type} @llvm.{intrinsic}.{source.suffix}"
            value = fn.define("n", f"{call}({source.type} {value}, {source.type} {source.splat(bound)})")
        return fn.define("n", f"trunc {source.type} {value} to {half}")

    def emit(fn: FunctionEmitter, _: Any) -> None:
        a, b = (lanes(fn, operand, source) for operand in fn.pop_values(2))
        if fn.context.options.target.machine == "x86_64":
            pack = _PACKS[name, sign]
            push_lanes(fn, shape, f"call {shape.type} @llvm.x86.{pack}({source.type} {a}, {source.type} {b})")
        else:
            mask = f"<{shape.count} x i32> <{joined}>"
            push_lanes(fn, shape, f"shufflevector {half} {clamp(fn, a)}, {half} {clamp(fn, b)}, {mask}")

    return emit


def _extended_half(fn: FunctionEmitter, operand: str, source: str, half: str, sign: str) -> str:
    """The low or high half of the lanes of a shape, extended to twice the width."""
    shape, wide = SHAPES[source], SHAPES[_WIDER[source]]
    start = 0 if half == "low" else wide.count
    type_, value = pick(fn, shape, lanes(fn, operand, shape), range(start, start + wide.count))
    return f"{'sext' if sign == 's' else 'zext'} {type_} {value} to {wide.type}"


def _extend(source: str, half: str, sign: str) -> Handler:
    def emit(fn: FunctionEmitter, _: Any) -> None:
        push_lanes(fn, SHAPES[_WIDER[source]], _extended_half(fn, fn.stack.pop(), source, half, sign))

    return emit


def _extended_product(source: str, half: str, sign: str) -> Handler:
    wide = SHAPES[_WIDER[source]]

    def emit(fn: FunctionEmitter, _: Any) -> None:
        a, b = (fn.define("n", _extended_half(fn, operand, source, half, sign)) for operand in fn.pop_values(2))
        push_lanes(fn, wide, f"mul {wide.type} {a}, {b}")

    return emit


def _extended_pairs(fn: FunctionEmitter, operand: str, source: str, sign: str) -> tuple[str, str]:
    """The even and the odd lanes of a shape, extended in place."""
    wide = SHAPES[_WIDER[source]]
    value, bits = lanes(fn, operand, wide), wide.splat(SHAPES[source].bits)
    shift = "ashr" if sign == "s" else "lshr"
    odd = fn.define("n", f"{shift} {wide.type} {value}, {bits}")
    if sign == "u":
        return fn.define("n", f"and {wide.type} {value}, {wide.splat((1 << SHAPES[source].bits) - 1)}"), odd
    low = fn.define("n", f"shl {wide.type} {value}, {bits}")
    return fn.define("n", f"ashr {wide.type} {low}, {bits}"), odd


def _extended_pair_sum(source: str, sign: str) -> Handler:
    wide = SHAPES[_WIDER[source]]

    def emit(fn: FunctionEmitter, _: Any) -> None:
        even, odd = _extended_pairs(fn, fn.stack.pop(), source, sign)
        push_lanes(fn, wide, f"add {wide.type} {even}, {odd}")

    return emit


def _dot_i16x8(fn: FunctionEmitter, _: Any) -> None:
    shape, wide = SHAPES["i16x8"], SHAPES["i32x4"]
    a, b = (
        fn.define("n", f"sext {shape.type} {lanes(fn, operand, shape)} to <8 x i32>") for operand in fn.pop_values(2)
    )
    products = fn.define("n", f"mul nsw <8 x i32> {a}, {b}")
    even, odd = (pick(fn, Shape("i32", 8, 32, "i"), products, range(start, 8, 2))[1] for start in (0, 1))
    push_lanes(fn, wide, f"add {wide.type} {even}, {odd}")


def _dot_i8x16(fn: FunctionEmitter, _: Any) -> None:
    wide = SHAPES["i16x8"]
    (a_even, a_odd), (b_even, b_odd) = (_extended_pairs(fn, operand, "i8x16", "s") for operand in fn.pop_values(2))
    even = fn.define("n", f"mul {wide.type} {a_even}, {b_even}")
    odd = fn.define("n", f"mul {wide.type} {a_odd}, {b_odd}")
    push_lanes(fn, wide, f"add {wide.type} {even}, {odd}")


def _dot_i8x16_add(fn: FunctionEmitter, _: Any) -> None:
    addend = fn.stack.pop()
    _dot_i8x16(fn, None)
    _extended_pair_sum("i16x8", "s")(fn, None)
    fn.stack.append(addend)
    _binary(SHAPES["i32x4"], "add")(fn, None)


def _q15_product(fn: FunctionEmitter, _: Any) -> None:
    shape = SHAPES["i16x8"]
    type_ = shape.type
    a, b = (lanes(fn, operand, shape) for operand in fn.pop_values(2))
    if fn.context.options.target.machine == "x86_64":
        product = fn.define("n", f"call {type_} @llvm.x86.ssse3.pmul.hr.sw.128({type_} {a}, {type_} {b})")
    else:
        wide_a, wide_b = (fn.define("n", f"sext {type_} {value} to <8 x i32>") for value in (a, b))
        whole = fn.define("n", f"mul <8 x i32> {wide_a}, {wide_b}")
        rounded = fn.define("n", f"add <8 x i32> {whole}, splat (i32 16384)")
        high = fn.define("n", f"lshr <8 x i32> {rounded}, splat (i32 15)")
        product = fn.define("n", f"trunc <8 x i32> {high} to {type_}")
    # -1 * -1 is the one product that gives -1 before it is saturated.
    overflows = fn.define("n", f"icmp eq {type_} {product}, {shape.splat(-0x8000)}")
    mask = fn.define("n", f"sext <8 x i1> {overflows} to {type_}")
    push_lanes(fn, shape, f"xor {type_} {product}, {mask}")


# Floats -----------------------------------------------------------------------------------------------------------


def _float_binary(shape: Shape, instruction: str) -> Handler:
    def emit(fn: FunctionEmitter, _: Any) -> None:
        a, b = (float_lanes(fn, operand, shape) for operand in fn.pop_values(2))
        push_arithmetic(fn, shape, f"{instruction} {shape.type} {a}, {b}")

    return emit


def _float_intrinsic(shape: Shape, name: str) -> Handler:
    def emit(fn: FunctionEmitter, _: Any) -> None:
        value = float_lanes(fn, fn.stack.pop(), shape)
        push_arithmetic(fn, shape, f"call {shape.type} @llvm.{name}.{shape.suffix}({shape.type} {value})")

    return emit


def _change_bits(shape: Shape, instruction: str, mask: int) -> Handler:
    """abs and neg: on the bits, so that a NaN keeps its payload."""

    def emit(fn: FunctionEmitter, _: Any) -> None:
        push_lanes(fn, shape, f"{instruction} {shape.type} {lanes(fn, fn.stack.pop(), shape)}, {shape.splat(mask)}")

    return emit


def _extremum(shape: Shape, comparison: str, merge: str) -> Handler:
    """min and max, as in ``numeric``."""
    type_, bits = shape.type, _integers_of(shape).type
    tests = f"<{shape.count} x i1>"

    def emit(fn: FunctionEmitter, _: Any) -> None:
        a, b = (float_lanes(fn, operand, shape) for operand in fn.pop_values(2))
        halves = []
        for one, other in ((a, b), (b, a)):
            test = fn.define("n", f"fcmp {comparison} {type_} {one}, {other}")
            chosen = fn.define("n", f"select {tests} {test}, {type_} {one}, {type_} {other}")
            halves.append(fn.define("n", f"bitcast {type_} {chosen} to {bits}"))
        merged = fn.define("n", f"{merge} {bits} {halves[0]}, {halves[1]}")
        ordered = fn.define("n", f"bitcast {bits} {merged} to {type_}")
        nan = fn.define("n", f"fadd {type_} {a}, {b}")
        unordered = fn.define("n", f"fcmp uno {type_} {a}, {b}")
        push_arithmetic(fn, shape, f"select {tests} {unordered}, {type_} {nan}, {type_} {ordered}")

    return emit


def _pseudo_extremum(shape: Shape, *, is_min: bool) -> Handler:
    """pmin is ``b < a ? b : a``, pmax ``a < b ? b : a``: one instruction of x86 each. Either keeps all bits."""
    type_ = shape.type

    def emit(fn: FunctionEmitter, _: Any) -> None:
        a, b = (lanes(fn, operand, shape) for operand in fn.pop_values(2))
        less, greater = (b, a) if is_min else (a, b)
        test = fn.define("n", f"fcmp olt {type_} {less}, {greater}")
        push_lanes(fn, shape, f"select <{shape.count} x i1> {test}, {type_} {b}, {type_} {a}")

    return emit


def _multiply_add(shape: Shape, *, negate: bool) -> Handler:
    type_ = shape.type

    def emit(fn: FunctionEmitter, _: Any) -> None:
        a, b, c = (float_lanes(fn, operand, shape) for operand in fn.pop_values(3))
        if negate:
            a = fn.define("n", f"fneg {type_} {a}")
        call = f"@llvm.fmuladd.{shape.suffix}({type_} {a}, {type_} {b}, {type_} {c})"
        push_arithmetic(fn, shape, f"call {type_} {call}")

    return emit


# Conversions ------------------------------------------------------------------------------------------------------


def _convert(instruction: str, shape: Shape) -> Handler:
    """From integers, the low ones where there are more of them than results."""
    source = SHAPES["i32x4"]

    def emit(fn: FunctionEmitter, _: Any) -> None:
        type_, value = source.type, lanes(fn, fn.stack.pop(), source)
        if shape.count < source.count:
            type_, value = pick(fn, source, value, range(shape.count))
        push_lanes(fn, shape, f"{instruction} {type_} {value} to {shape.type}")

    return emit


def _promote(fn: FunctionEmitter, _: Any) -> None:
    source, shape = SHAPES["f32x4"], SHAPES["f64x2"]
    type_, low = pick(fn, source, float_lanes(fn, fn.stack.pop(), source), range(2))
    push_lanes(fn, shape, f"fpext {type_} {low} to {shape.type}")


def _demote(fn: FunctionEmitter, _: Any) -> None:
    source, shape = SHAPES["f64x2"], SHAPES["f32x4"]
    value = float_lanes(fn, fn.stack.pop(), source)
    low = fn.define("n", f"fptrunc {source.type} {value} to <2 x float>")
    push_lanes(fn, shape, _above_zeros("float", low))


def _above_zeros(element: str, low: str) -> str:
    """Expression for four lanes, the upper two being zero."""
    type_ = f"<2 x {element}>"
    return f"shufflevector {type_} {low}, {type_} zeroinitializer, <4 x i32> <i32 0, i32 1, i32 2, i32 3>"


def _truncate(source: Shape, sign: str) -> Handler:
    """trunc_sat: x86 gives 0x80000000 for what does not fit, and LLVM's own saturation goes lane by lane there."""
    on_x86 = {
        ("f", "s"): _truncate_f32_signed,
        ("f", "u"): _truncate_f32_unsigned,
        ("d", "s"): _truncate_f64_signed,
        ("d", "u"): _truncate_f64_unsigned,
    }[source.letter, sign]
    result = f"<{source.count} x i32>"
    shape = SHAPES["i32x4"]

    def emit(fn: FunctionEmitter, _: Any) -> None:
        value = float_lanes(fn, fn.stack.pop(), source)
        if fn.context.options.target.machine == "x86_64":
            push_lanes(fn, shape, on_x86(fn, value))
            return
        call = f"call {result} @llvm.fpto{sign}i.sat.v{source.count}i32.{source.suffix}({source.type} {value})"
        push_lanes(fn, shape, call if source.count == shape.count else _above_zeros("i32", fn.define("n", call)))

    return emit


_F32: Final = SHAPES["f32x4"].type
_F64: Final = SHAPES["f64x2"].type
_I32: Final = SHAPES["i32x4"].type
_TWO_31_F32: Final = "splat (float 0x41E0000000000000)"


def _choose(fn: FunctionEmitter, comparison: str, type_: str, a: str, b: str) -> str:
    """``a comparison b ? a : b``, so b where either is a NaN: one instruction of x86."""
    count = type_[1]
    test = fn.define("n", f"fcmp {comparison} {type_} {a}, {b}")
    return fn.define("n", f"select <{count} x i1> {test}, {type_} {a}, {type_} {b}")


def _mask(fn: FunctionEmitter, comparison: str, a: str, b: str) -> str:
    test = fn.define("n", f"fcmp {comparison} {_F32} {a}, {b}")
    return fn.define("n", f"sext <4 x i1> {test} to {_I32}")


def _truncate_f32_signed(fn: FunctionEmitter, value: str) -> str:
    ordered = fn.define("n", f"fcmp ord {_F32} {value}, {value}")
    number = fn.define("n", f"select <4 x i1> {ordered}, {_F32} {value}, {_F32} zeroinitializer")
    whole = fn.define("n", f"call {_I32} @llvm.x86.sse2.cvttps2dq({_F32} {number})")
    return f"xor {_I32} {whole}, {_mask(fn, 'oge', number, _TWO_31_F32)}"  # 0x80000000 becomes 0x7fffffff


def _truncate_f32_unsigned(fn: FunctionEmitter, value: str) -> str:
    """The sum of two signed conversions: of the number, and of what it exceeds 2**31 by."""
    number = _choose(fn, "ogt", _F32, value, "zeroinitializer")
    excess = fn.define("n", f"fsub {_F32} {number}, {_TWO_31_F32}")
    too_great = _mask(fn, "oge", excess, _TWO_31_F32)
    whole = fn.define("n", f"call {_I32} @llvm.x86.sse2.cvttps2dq({_F32} {number})")
    above = fn.define("n", f"call {_I32} @llvm.x86.sse2.cvttps2dq({_F32} {excess})")
    saturated = fn.define("n", f"xor {_I32} {above}, {too_great}")
    positive = fn.define("n", f"call {_I32} @llvm.smax.v4i32({_I32} {saturated}, {_I32} zeroinitializer)")
    return f"add {_I32} {whole}, {positive}"


def _truncate_f64_signed(fn: FunctionEmitter, value: str) -> str:
    ordered = fn.define("n", f"fcmp ord {_F64} {value}, {value}")
    greatest = "splat (double 0x41DFFFFFFFC00000)"
    bound = fn.define("n", f"select <2 x i1> {ordered}, {_F64} {greatest}, {_F64} zeroinitializer")
    number = _choose(fn, "olt", _F64, value, bound)
    return f"call {_I32} @llvm.x86.sse2.cvttpd2dq({_F64} {number})"


def _truncate_f64_unsigned(fn: FunctionEmitter, value: str) -> str:
    """Add 2**52: the integer then stands in the low half of the lane."""
    positive = _choose(fn, "ogt", _F64, value, "zeroinitializer")
    number = _choose(fn, "olt", _F64, positive, "splat (double 0x41EFFFFFFFE00000)")
    integer = fn.define("n", f"call {_F64} @llvm.trunc.v2f64({_F64} {number})")
    moved = fn.define("n", f"fadd {_F64} {integer}, splat (double 0x4330000000000000)")
    halves = fn.define("n", f"bitcast {_F64} {moved} to {_I32}")
    return f"shufflevector {_I32} {halves}, {_I32} zeroinitializer, {_I32} <i32 0, i32 2, i32 4, i32 5>"


# The table --------------------------------------------------------------------------------------------------------


def _lane_handlers(name: str) -> dict[str, Handler]:
    shape = SHAPES[name]
    made: dict[str, Handler] = {"splat": _splat(shape), "replace_lane": _replace_lane(shape)}
    if shape.bits < 32:
        made["extract_lane_s"] = _extract_lane(shape, "sext")
        made["extract_lane_u"] = _extract_lane(shape, "zext")
    else:
        made["extract_lane"] = _extract_lane(shape)
    return made


def _integer_handlers(name: str) -> dict[str, Handler]:
    shape = SHAPES[name]
    made = _lane_handlers(name)
    made |= {operator: _binary(shape, operator) for operator in ("add", "sub", "mul")}
    made |= {operator: _shift(shape, llvm) for operator, llvm in (("shl", "shl"), ("shr_s", "ashr"), ("shr_u", "lshr"))}
    made |= {"neg": _negate(shape), "abs": _intrinsic(shape, "abs", ", i1 false")}
    made |= {"all_true": _all_true(shape), "bitmask": _bitmask(shape)}
    made |= {operator: _compare(shape, f"icmp {operator}") for operator in ("eq", "ne")}
    for sign in "su":
        for operator in ("lt", "gt", "le", "ge"):
            made[f"{operator}_{sign}"] = _compare(shape, f"icmp {sign}{operator}")
        for operator in ("min", "max"):
            made[f"{operator}_{sign}"] = _intrinsic2(shape, f"{sign}{operator}")
        for operator in ("add", "sub"):
            made[f"{operator}_sat_{sign}"] = _intrinsic2(shape, f"{sign}{operator}.sat")
    made["relaxed_laneselect"] = _bitselect
    return {f"{name}.{operator}": handler for operator, handler in made.items()}


def _widening_handlers(source: str) -> dict[str, Handler]:
    made: dict[str, Handler] = {}
    wide = _WIDER[source]
    for sign in "su":
        for half in ("low", "high"):
            made[f"{wide}.extend_{half}_{source}_{sign}"] = _extend(source, half, sign)
            made[f"{wide}.extmul_{half}_{source}_{sign}"] = _extended_product(source, half, sign)
        if source != "i32x4":
            made[f"{wide}.extadd_pairwise_{source}_{sign}"] = _extended_pair_sum(source, sign)
            made[f"{source}.narrow_{wide}_{sign}"] = _narrow(source, sign)
    return made


def _float_handlers(name: str) -> dict[str, Handler]:
    shape = SHAPES[name]
    sign = 1 << (shape.bits - 1)
    bits = _integers_of(shape)
    made = _lane_handlers(name)
    made |= {operator: _float_binary(shape, f"f{operator}") for operator in ("add", "sub", "mul", "div")}
    made |= {operator: _float_intrinsic(shape, operator) for operator in ("ceil", "floor", "trunc", "sqrt")}
    made["nearest"] = _float_intrinsic(shape, "roundeven")
    made |= {"abs": _change_bits(bits, "and", sign - 1), "neg": _change_bits(bits, "xor", sign)}
    made["min"] = made["relaxed_min"] = _extremum(shape, "olt", "or")
    made["max"] = made["relaxed_max"] = _extremum(shape, "ogt", "and")
    made |= {"pmin": _pseudo_extremum(shape, is_min=True), "pmax": _pseudo_extremum(shape, is_min=False)}
    made["relaxed_madd"] = _multiply_add(shape, negate=False)
    made["relaxed_nmadd"] = _multiply_add(shape, negate=True)
    made |= {operator: _compare(shape, f"fcmp o{operator}") for operator in ("eq", "lt", "gt", "le", "ge")}
    made["ne"] = _compare(shape, "fcmp une")
    return {f"{name}.{operator}": handler for operator, handler in made.items()}


def _conversion_handlers(sign: str) -> dict[str, Handler]:
    from_f32, from_f64 = (_truncate(SHAPES[source], sign) for source in ("f32x4", "f64x2"))
    return {
        f"f32x4.convert_i32x4_{sign}": _convert(f"{sign}itofp", SHAPES["f32x4"]),
        f"f64x2.convert_low_i32x4_{sign}": _convert(f"{sign}itofp", SHAPES["f64x2"]),
        f"i32x4.trunc_sat_f32x4_{sign}": from_f32,
        f"i32x4.relaxed_trunc_f32x4_{sign}": from_f32,
        f"i32x4.trunc_sat_f64x2_{sign}_zero": from_f64,
        f"i32x4.relaxed_trunc_f64x2_{sign}_zero": from_f64,
    }


def _all_handlers() -> dict[str, Handler]:
    made: dict[str, Handler] = {}
    for name in SHAPES:
        made |= _float_handlers(name) if name[0] == "f" else _integer_handlers(name)
    for source in _WIDER:
        made |= _widening_handlers(source)
    for sign in "su":
        made |= _conversion_handlers(sign)
    return made | {
        "v128.const": _const,
        "i8x16.shuffle": _shuffle,
        "i8x16.swizzle": _swizzle,
        "i8x16.relaxed_swizzle": _swizzle,
        "v128.not": _not,
        **{f"v128.{operator}": _bitwise(operator) for operator in ("and", "or", "xor")},
        "v128.andnot": _andnot,
        "v128.bitselect": _bitselect,
        "v128.any_true": _any_true,
        "i8x16.popcnt": _intrinsic(_BYTES, "ctpop"),
        "i8x16.avgr_u": _average(_BYTES),
        "i16x8.avgr_u": _average(SHAPES["i16x8"]),
        "i32x4.dot_i16x8_s": _dot_i16x8,
        "i16x8.relaxed_dot_i8x16_i7x16_s": _dot_i8x16,
        "i32x4.relaxed_dot_i8x16_i7x16_add_s": _dot_i8x16_add,
        "i16x8.q15mulr_sat_s": _q15_product,
        "i16x8.relaxed_q15mulr_s": _q15_product,
        "f64x2.promote_low_f32x4": _promote,
        "f32x4.demote_f64x2_zero": _demote,
    }


#: Not every shape has every operator: there is no ``i8x16.mul``, say.
HANDLERS: Final[dict[str, Handler]] = {
    name: handler for name, handler in _all_handlers().items() if name in OPCODE_BY_NAME
}
