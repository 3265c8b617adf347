"""Numeric instructions: integers, floats, comparisons, conversions (spec sections 4.3 and 4.4.3).

Floats follow the rules on NaNs to the bit: arithmetic gives quiet NaNs; abs, neg, copysign and moves keep every bit.
"""

from __future__ import annotations

import struct
from typing import Any, Final

from wasmartifact.codegen.emitter import (
    ADDRESS_USERS,
    CONSTANTS,
    DIGITS,
    STEP,
    TEST_DIGITS,
    TEST_USERS,
    FunctionEmitter,
    Handler,
    opaque_value,
    type_letter,
)
from wasmartifact.codegen.signature import LLVM_TYPES
from wasmartifact.schema import TRAP_BY_NAME
from wasmartifact.wasm.opcodes import OPCODE_BY_NAME

_PREFIXES: Final = {"i32": "i", "i64": "l", "f32": "f", "f64": "d"}
_BITS: Final = {"i": 32, "l": 64, "f": 32, "d": 64}
_INTEGER_OF: Final = {"f": "i32", "d": "i64"}


def _float_bits(letter: str, value: float) -> int:
    return int(struct.unpack("<I" if letter == "f" else "<Q", struct.pack("<f" if letter == "f" else "<d", value))[0])


def _float(letter: str, value: float) -> str:
    """Operand for a float constant that the letter's type represents exactly."""
    return CONSTANTS[letter](_float_bits(letter, value))


#: Constants that LLVM simplifies arithmetic with: x*1, x-0 and so on.
_RISKY: Final = frozenset(
    _float(letter, sign * value) for letter in "fd" for value in (0.0, 1.0, float("inf")) for sign in (1, -1)
)


# Constants --------------------------------------------------------------------------------------------------------


def _constant(letter: str) -> Handler:
    make = CONSTANTS[letter] if letter != "i" else str  # the decoder gives i32 and i64 as signed numbers

    def emit(fn: FunctionEmitter, value: Any) -> None:
        fn.stack.append(make(value))

    return emit


# Integers ---------------------------------------------------------------------------------------------------------


def _binary(letter: str, instruction: str) -> Handler:
    start = f"{instruction} {LLVM_TYPES[letter]}"
    digit = DIGITS[letter]
    is_bitwise = letter == "i" and instruction in ("and", "or", "xor")

    def emit(fn: FunctionEmitter, _: Any) -> None:
        stack = fn.stack
        b = stack.pop()
        a = stack[-1]
        fn.count += STEP
        name = f"%{fn.count + digit}"
        fn.out.append(f"  {name} = {start} {a}, {b}{fn.dbg}")
        stack[-1] = name
        if is_bitwise:
            fn.note_bitwise(name, instruction, a, b)

    return emit


def _shift(letter: str, instruction: str) -> Handler:
    type_ = LLVM_TYPES[letter]
    mask = _BITS[letter] - 1

    def emit(fn: FunctionEmitter, _: Any) -> None:
        amount = fn.stack.pop()
        value = fn.stack.pop()
        if amount[0] == "%":
            amount = fn.define(letter, f"and {type_} {amount}, {mask}")
            is_bitwise = False
        else:
            amount = str(int(amount.removeprefix("u"), 0) & mask)
            is_bitwise = letter == "i" and instruction == "lshr"
        fn.push(letter, f"{instruction} {type_} {value}, {amount}")
        if is_bitwise:
            fn.note_bitwise(fn.stack[-1], instruction, value, amount)

    return emit


def _rotate(letter: str, intrinsic: str) -> Handler:
    type_ = LLVM_TYPES[letter]

    def emit(fn: FunctionEmitter, _: Any) -> None:
        amount = fn.stack.pop()
        value = fn.stack.pop()
        fn.push(letter, f"call {type_} @llvm.{intrinsic}.{type_}({type_} {value}, {type_} {value}, {type_} {amount})")

    return emit


def _bit_count(letter: str, intrinsic: str, flag: str) -> Handler:
    type_ = LLVM_TYPES[letter]

    def emit(fn: FunctionEmitter, _: Any) -> None:
        value = fn.stack.pop()
        fn.push(letter, f"call {type_} @llvm.{intrinsic}.{type_}({type_} {value}{flag})")

    return emit


def _divide(letter: str, instruction: str) -> Handler:
    """div_s, div_u, rem_s, rem_u: LLVM leaves division by zero and the overflow of MIN / -1 undefined."""
    type_ = LLVM_TYPES[letter]
    minus_one = CONSTANTS[letter]((1 << _BITS[letter]) - 1)
    smallest = CONSTANTS[letter](1 << (_BITS[letter] - 1))
    zero = CONSTANTS[letter](0)

    def emit(fn: FunctionEmitter, _: Any) -> None:
        b = fn.stack.pop()
        a = fn.stack.pop()
        if b[0] == "%" or b in (zero, minus_one):
            fn.trap_if(fn.define("c", f"icmp eq {type_} {b}, {zero}"), TRAP_BY_NAME["integer_divide_by_zero"])
            if instruction == "sdiv":
                is_smallest = fn.define("c", f"icmp eq {type_} {a}, {smallest}")
                is_minus_one = fn.define("c", f"icmp eq {type_} {b}, {minus_one}")
                fn.trap_if(fn.define("c", f"and i1 {is_smallest}, {is_minus_one}"), TRAP_BY_NAME["integer_overflow"])
            elif instruction == "srem":
                is_minus_one = fn.define("c", f"icmp eq {type_} {b}, {minus_one}")
                b = fn.define(letter, f"select i1 {is_minus_one}, {type_} {CONSTANTS[letter](1)}, {type_} {b}")
        fn.push(letter, f"{instruction} {type_} {a}, {b}")

    return emit


def _extend(letter: str, narrow: str) -> Handler:
    type_ = LLVM_TYPES[letter]

    def emit(fn: FunctionEmitter, _: Any) -> None:
        low = fn.define("n", f"trunc {type_} {fn.stack.pop()} to {narrow}")
        fn.push(letter, f"sext {narrow} {low} to {type_}")

    return emit


# Comparisons ------------------------------------------------------------------------------------------------------


def _compare(letter: str, instruction: str) -> Handler:
    start = f"{instruction} {LLVM_TYPES[letter]}"

    def emit(fn: FunctionEmitter, _: Any) -> None:
        b = fn.stack.pop()
        a = fn.stack.pop()
        fn.push_test(f"{start} {a}, {b}")

    return emit


def _i32_eqz(fn: FunctionEmitter, _: Any) -> None:
    value = fn.stack.pop()
    test = fn.test_of(value)
    if test is not None:
        _push_negation(fn, test)
    else:
        fn.push_test(f"icmp eq i32 {value}, 0")


def _push_negation(fn: FunctionEmitter, test: str) -> None:
    """Push the i1 that is true where another is not; where that is a negation itself, what it negates."""
    negated = fn.negated.get(test)
    if negated is None:
        name = fn.define("c", f"xor i1 {test}, true")
        fn.negated[name] = test
        fn.push_condition(name)
    elif fn.upcoming in TEST_USERS:
        fn.stack.append(negated)
    else:
        fn.push("i", f"zext i1 {negated} to i32")


def _i64_eqz(fn: FunctionEmitter, _: Any) -> None:
    low = fn.low.get(fn.stack[-1])
    test = fn.test_of(low[0]) if low else None
    if test is not None:
        fn.stack.pop()
        _push_negation(fn, test)
        return
    fn.stack.append("u0x0")
    _I64_EQ(fn, None)


_I64_EQ: Final = _compare("l", "icmp eq")


# Floats -----------------------------------------------------------------------------------------------------------


def _arithmetic(letter: str, instruction: str) -> Handler:
    emit_binary = _binary(letter, instruction)

    def emit(fn: FunctionEmitter, _: Any) -> None:
        stack = fn.stack
        if stack[-1][0] != "%":
            # One harmless constant may stand as it is; two would fold to one that may be harmful further on.
            if stack[-1] in _RISKY or stack[-2][0] != "%":
                stack[-1] = fn.opaque(stack[-1])
            if stack[-2] in _RISKY:
                stack[-2] = fn.opaque(stack[-2])
        elif stack[-2] in _RISKY:
            stack[-2] = fn.opaque(stack[-2])
        emit_binary(fn, None)

    return emit


def _round(letter: str, intrinsic: str) -> Handler:
    type_ = LLVM_TYPES[letter]

    def emit(fn: FunctionEmitter, _: Any) -> None:
        value = fn.opaque(fn.stack.pop())
        name = fn.name(letter)
        call = f"call {type_} @llvm.{intrinsic}.f{_BITS[letter]}({type_} {value})"
        fn.out.append(f"  {name} = {call}{fn.dbg}")
        fn.stack.append(name)

    return emit


def _extremum(letter: str, comparison: str, merge: str) -> Handler:
    """min and max: both orders of operands give the same bits, but for zeros of both signs, which ``merge`` joins.

    x86 turns each of the selects into one instruction.
    """
    type_, bits = LLVM_TYPES[letter], _INTEGER_OF[letter]

    def emit(fn: FunctionEmitter, _: Any) -> None:
        b = fn.opaque(fn.stack.pop())
        a = fn.opaque(fn.stack.pop())
        halves = []
        for one, other in ((a, b), (b, a)):
            test = fn.define("c", f"fcmp {comparison} {type_} {one}, {other}")
            chosen = fn.define(letter, f"select i1 {test}, {type_} {one}, {type_} {other}")
            halves.append(fn.define("n", f"bitcast {type_} {chosen} to {bits}"))
        merged = fn.define("n", f"{merge} {bits} {halves[0]}, {halves[1]}")
        ordered = fn.define(letter, f"bitcast {bits} {merged} to {type_}")
        nan = fn.define(letter, f"fadd {type_} {a}, {b}")
        unordered = fn.define("c", f"fcmp uno {type_} {a}, {b}")
        fn.push(letter, f"select i1 {unordered}, {type_} {nan}, {type_} {ordered}")

    return emit


def _change_bits(letter: str, instruction: str, mask: int) -> Handler:
    """abs and neg: on the bits, so that a NaN keeps its payload."""
    type_, bits = LLVM_TYPES[letter], _INTEGER_OF[letter]

    def emit(fn: FunctionEmitter, _: Any) -> None:
        value = fn.define("n", f"bitcast {type_} {fn.opaque(fn.stack.pop())} to {bits}")
        changed = fn.define("n", f"{instruction} {bits} {value}, {mask}")
        fn.push(letter, f"bitcast {bits} {changed} to {type_}")

    return emit


def _copysign(letter: str) -> Handler:
    type_, bits = LLVM_TYPES[letter], _INTEGER_OF[letter]
    sign = 1 << (_BITS[letter] - 1)

    def emit(fn: FunctionEmitter, _: Any) -> None:
        b = fn.define("n", f"bitcast {type_} {fn.opaque(fn.stack.pop())} to {bits}")
        a = fn.define("n", f"bitcast {type_} {fn.opaque(fn.stack.pop())} to {bits}")
        magnitude = fn.define("n", f"and {bits} {a}, {sign - 1}")
        sign_bit = fn.define("n", f"and {bits} {b}, {sign}")
        joined = fn.define("n", f"or {bits} {magnitude}, {sign_bit}")
        fn.push(letter, f"bitcast {bits} {joined} to {type_}")

    return emit


# Conversions ------------------------------------------------------------------------------------------------------


def _convert(source: str, instruction: str, target: str) -> Handler:
    """A conversion that LLVM has as one instruction. A float that results is made opaque: it may be a constant."""
    start = f"{instruction} {LLVM_TYPES[source]}"
    end = f"to {LLVM_TYPES[target]}"

    def emit(fn: FunctionEmitter, _: Any) -> None:
        value = fn.stack.pop()
        name = fn.name(target)
        fn.out.append(f"  {name} = {start} {value} {end}{fn.dbg}")
        fn.stack.append(fn.define(target, opaque_value(target, name)) if target in "fd" else name)

    return emit


#: Bounds of what truncation accepts: (comparison with the lower bound, lower bound, upper bound, exclusive).
_TRUNCATION_RANGES: Final = {
    "i32_f32_s": ("oge", -(2.0**31), 2.0**31),
    "i32_f64_s": ("ogt", -(2.0**31) - 1, 2.0**31),
    "i64_f32_s": ("oge", -(2.0**63), 2.0**63),
    "i64_f64_s": ("oge", -(2.0**63), 2.0**63),
    "i32_f32_u": ("ogt", -1.0, 2.0**32),
    "i32_f64_u": ("ogt", -1.0, 2.0**32),
    "i64_f32_u": ("ogt", -1.0, 2.0**64),
    "i64_f64_u": ("ogt", -1.0, 2.0**64),
}


def _truncate(source: str, target: str, sign: str, bounds: tuple[str, float, float]) -> Handler:
    from_type, to_type = LLVM_TYPES[source], LLVM_TYPES[target]
    comparison, lower, upper = bounds[0], _float(source, bounds[1]), _float(source, bounds[2])

    def emit(fn: FunctionEmitter, _: Any) -> None:
        value = fn.stack.pop()
        above = fn.define("c", f"fcmp {comparison} {from_type} {value}, {lower}")
        below = fn.define("c", f"fcmp olt {from_type} {value}, {upper}")
        inside = fn.define("c", f"and i1 {above}, {below}")
        number = fn.fresh()
        fn.out.append(f"  br i1 {inside}, label %in{number}, label %out{number}{fn.dbg}\nout{number}:")
        fn.trap_if(
            fn.define("c", f"fcmp uno {from_type} {value}, {value}"), TRAP_BY_NAME["invalid_conversion_to_integer"]
        )
        fn.trap(TRAP_BY_NAME["integer_overflow"])
        fn.start_block(f"in{number}")
        fn.push(target, f"fpto{sign}i {from_type} {value} to {to_type}")

    return emit


def _truncate_saturating(source: str, target: str, sign: str) -> Handler:
    from_type, to_type = LLVM_TYPES[source], LLVM_TYPES[target]
    intrinsic = f"@llvm.fpto{sign}i.sat.{to_type}.f{_BITS[source]}"

    def emit(fn: FunctionEmitter, _: Any) -> None:
        fn.push(target, f"call {to_type} {intrinsic}({from_type} {fn.stack.pop()})")

    return emit


# Between i32 and i64 ----------------------------------------------------------------------------------------------
# Go adds to addresses as i64. What LLVM would find out by itself, where it combines instructions, costs it more.


def _extend_unsigned(fn: FunctionEmitter, _: Any) -> None:
    value = fn.stack.pop()
    test = fn.test_of(value)
    if test is not None:
        fn.push("l", f"zext i1 {test} to i64")
        fn.low[fn.stack[-1]] = test, "0"
        return
    wide = fn.widen(value, "i")
    fn.stack.append(wide)
    if wide[0] == "%":
        fn.low[wide] = value, "0"
        if value in fn.loaded:  # it may have been made as an address
            fn.loaded[wide] = fn.loaded[value]
        if value in fn.origins:
            fn.origins[wide] = fn.origins[value]


def _add_i64(fn: FunctionEmitter, _: Any) -> None:
    left, right = fn.stack[-2:]
    low = fn.low.get(left)
    if low is None or low[0][-1] in TEST_DIGITS or right[0] == "%":
        _ADD_I64(fn, None)
        return
    constant = CONSTANTS["i"](int(low[1]) + int(right[1:], 0) & 0xFFFFFFFF)
    if fn.upcoming == _WRAP:
        del fn.stack[-2:]
        fn.push("i", f"add i32 {low[0]}, {constant}")
    else:
        _ADD_I64(fn, None)
        fn.low[fn.stack[-1]] = low[0], constant


_ADD_I64: Final = _binary("l", "add")
_WRAP: Final = OPCODE_BY_NAME["i32.wrap_i64"].code


def _wrap(fn: FunctionEmitter, _: Any) -> None:
    value = fn.stack.pop()
    low = fn.low.get(value)
    if value[0] != "%":
        fn.stack.append(CONSTANTS["i"](int(value[1:], 0) & 0xFFFFFFFF))
    elif type_letter(value) == "i":  # it was made as such
        fn.stack.append(value)
    elif low is not None and low[0][-1] not in TEST_DIGITS:
        if low[1] == "0":
            fn.stack.append(low[0])
        else:
            fn.push("i", f"add i32 {low[0]}, {low[1]}")
    elif fn.upcoming in ADDRESS_USERS:
        fn.stack.append(fn.low_half(value))
    else:
        fn.push("i", f"trunc i64 {value} to i32")
        fn.halved[fn.stack[-1]] = value


# Wide arithmetic --------------------------------------------------------------------------------------------------


def _push_wide(fn: FunctionEmitter, value: str) -> None:
    """Push an i128 as two i64, the low half first."""
    fn.push("l", f"trunc i128 {value} to i64")
    high = fn.define("n", f"lshr i128 {value}, 64")
    fn.push("l", f"trunc i128 {high} to i64")


def _join_wide(fn: FunctionEmitter, low: str, high: str) -> str:
    wide_low = fn.define("n", f"zext i64 {low} to i128")
    wide_high = fn.define("n", f"zext i64 {high} to i128")
    shifted = fn.define("n", f"shl i128 {wide_high}, 64")
    return fn.define("n", f"or i128 {shifted}, {wide_low}")


def _wide_sum(instruction: str) -> Handler:
    def emit(fn: FunctionEmitter, _: Any) -> None:
        a_low, a_high, b_low, b_high = fn.pop_values(4)
        a, b = _join_wide(fn, a_low, a_high), _join_wide(fn, b_low, b_high)
        _push_wide(fn, fn.define("n", f"{instruction} i128 {a}, {b}"))

    return emit


def _wide_product(extension: str) -> Handler:
    def emit(fn: FunctionEmitter, _: Any) -> None:
        a, b = (fn.define("n", f"{extension} i64 {operand} to i128") for operand in fn.pop_values(2))
        _push_wide(fn, fn.define("n", f"mul i128 {a}, {b}"))

    return emit


# The table --------------------------------------------------------------------------------------------------------


def _integer_handlers(prefix: str) -> dict[str, Handler]:
    letter = _PREFIXES[prefix]
    made: dict[str, Handler] = {"const": _constant(letter)}
    made |= {name: _binary(letter, name) for name in ("add", "sub", "mul", "and", "or", "xor")}
    for sign, name in (("s", "sdiv"), ("u", "udiv")):
        made[f"div_{sign}"] = _divide(letter, name)
    for sign, name in (("s", "srem"), ("u", "urem")):
        made[f"rem_{sign}"] = _divide(letter, name)
    made |= {name: _shift(letter, llvm) for name, llvm in (("shl", "shl"), ("shr_s", "ashr"), ("shr_u", "lshr"))}
    made |= {name: _rotate(letter, llvm) for name, llvm in (("rotl", "fshl"), ("rotr", "fshr"))}
    made["clz"] = _bit_count(letter, "ctlz", ", i1 false")
    made["ctz"] = _bit_count(letter, "cttz", ", i1 false")
    made["popcnt"] = _bit_count(letter, "ctpop", "")
    made |= {name: _compare(letter, f"icmp {name}") for name in ("eq", "ne")}
    for order in ("lt", "gt", "le", "ge"):
        for sign in "su":
            made[f"{order}_{sign}"] = _compare(letter, f"icmp {sign}{order}")
    for bits in (8, 16, 32):
        if bits < _BITS[letter]:
            made[f"extend{bits}_s"] = _extend(letter, f"i{bits}")
    for source in ("f32", "f64"):
        for sign in "su":
            bounds = _TRUNCATION_RANGES[f"{prefix}_{source}_{sign}"]
            made[f"trunc_{source}_{sign}"] = _truncate(_PREFIXES[source], letter, sign, bounds)
            made[f"trunc_sat_{source}_{sign}"] = _truncate_saturating(_PREFIXES[source], letter, sign)
    same_size = "f" + prefix[1:]
    made[f"reinterpret_{same_size}"] = _convert(_PREFIXES[same_size], "bitcast", letter)
    return {f"{prefix}.{name}": handler for name, handler in made.items()}


def _float_handlers(prefix: str) -> dict[str, Handler]:
    letter = _PREFIXES[prefix]
    sign = 1 << (_BITS[letter] - 1)
    made: dict[str, Handler] = {"const": _constant(letter)}
    made |= {name: _arithmetic(letter, f"f{name}") for name in ("add", "sub", "mul", "div")}
    made |= {name: _round(letter, name) for name in ("ceil", "floor", "trunc", "sqrt")}
    made["nearest"] = _round(letter, "roundeven")
    made["min"] = _extremum(letter, "olt", "or")
    made["max"] = _extremum(letter, "ogt", "and")
    made["abs"] = _change_bits(letter, "and", sign - 1)
    made["neg"] = _change_bits(letter, "xor", sign)
    made["copysign"] = _copysign(letter)
    made |= {name: _compare(letter, f"fcmp o{name}") for name in ("eq", "lt", "gt", "le", "ge")}
    made["ne"] = _compare(letter, "fcmp une")
    for source in ("i32", "i64"):
        for kind in "su":
            made[f"convert_{source}_{kind}"] = _convert(_PREFIXES[source], f"{kind}itofp", letter)
    same_size = "i" + prefix[1:]
    made[f"reinterpret_{same_size}"] = _convert(_PREFIXES[same_size], "bitcast", letter)
    return {f"{prefix}.{name}": handler for name, handler in made.items()}


HANDLERS: Final[dict[str, Handler]] = {
    **_integer_handlers("i32"),
    **_integer_handlers("i64"),
    **_float_handlers("f32"),
    **_float_handlers("f64"),
    "i32.eqz": _i32_eqz,
    "i64.eqz": _i64_eqz,
    "i32.wrap_i64": _wrap,
    "i64.add": _add_i64,
    "i64.extend_i32_s": _convert("i", "sext", "l"),
    "i64.extend_i32_u": _extend_unsigned,
    "f64.promote_f32": _convert("f", "fpext", "d"),
    "f32.demote_f64": _convert("d", "fptrunc", "f"),
    "i64.add128": _wide_sum("add"),
    "i64.sub128": _wide_sum("sub"),
    "i64.mul_wide_s": _wide_product("sext"),
    "i64.mul_wide_u": _wide_product("zext"),
}
