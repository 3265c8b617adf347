"""The one table of WebAssembly opcodes: name, code, kind of immediate, feature, stack signature.

It covers WebAssembly 3.0 (SIMD, relaxed SIMD, exceptions, tail calls, typed references, garbage collection), the legacy
exception encoding, atomics and wide arithmetic. A prefixed opcode's code is ``prefix << 16 | sub_opcode``.

Names are those of the text format. Where the text format tells two opcodes apart by their operands only, the second one
has a suffix: ``select_typed``, ``ref.test_null`` and ``ref.cast_null``.

A signature such as ``"ii:i"`` gives operands and results in stack order: i i32, l i64, f f32, d f64, v v128, and a for
an address, which is an i32 or, with a 64-bit memory, an i64. Operators whose types depend on more than that have none.

The kind of immediate says how the decoder represents it (indices and labels are plain ints):

=============  =====================================================================================================
kind           immediate
=============  =====================================================================================================
NONE           None
INDEX          int: label, or index of a function, local, global, table, type, tag, memory, data or element segment
INDEX_PAIR     (int, int) in binary order: call_indirect (type, table); memory.init (data, memory); memory.copy
               (destination, source); table.init (element, table); table.copy (destination, source); struct.get and set
               (type, field); array.new_fixed (type, count); array.new_data and the like (type, segment); array.copy
               (destination type, source type)
BLOCK          block type: ("value", value type or None), or ("type", type index)
TRY_TABLE      (block type, catches); a catch is (kind, tag index or None, label), kind one of the CATCH constants
BR_TABLE       tuple of labels, the default last
SELECT         tuple of value types
HEAP           heap type: one of ``schema.HEAP_TYPES``, or a type index
BR_CAST        (label, source value type, target value type)
MEMARG         (log2 of the alignment, offset in bytes, memory index)
MEMARG_LANE    (log2 of the alignment, offset in bytes, memory index, lane)
LANE           int
I32, I64       signed int
F32, F64       int: the bits
V128, SHUFFLE  16 bytes
ZERO           None: a zero byte follows the opcode
END, ELSE      None: end; else and catch_all, which start another arm of a block
CATCH          int: tag index; starts another arm of a legacy try
DELEGATE       int: label; ends a legacy try
=============  =====================================================================================================
"""

from __future__ import annotations

from typing import Final

from wasmartifact.record import NamedTuple

# Kinds of immediates. PREFIX and ILLEGAL occur in KIND_BY_BYTE only.
(
    NONE, INDEX, I32, I64, MEMARG, BLOCK, END, ELSE, CATCH, DELEGATE, INDEX_PAIR, TRY_TABLE, BR_TABLE, SELECT, HEAP,
    BR_CAST, MEMARG_LANE, LANE, F32, F64, V128, SHUFFLE, ZERO, PREFIX, ILLEGAL,
) = range(25)  # fmt: skip

#: Kinds of a try_table's catches: with or without a tag, with or without passing the exception reference on.
CATCH_TAG, CATCH_TAG_REF, CATCH_ALL, CATCH_ALL_REF = range(4)

PREFIX_GC: Final = 0xFB
PREFIX_MISC: Final = 0xFC
PREFIX_SIMD: Final = 0xFD
PREFIX_ATOMIC: Final = 0xFE
PREFIXES: Final = (PREFIX_GC, PREFIX_MISC, PREFIX_SIMD, PREFIX_ATOMIC)


class Opcode(NamedTuple):
    """One opcode.

    Attributes
    ----------
    code : int
        The byte, or ``prefix << 16 | sub_opcode``.
    name : str
        Name in the text format.
    immediate : int
        Kind of immediate, a constant of this module.
    feature : str | None
        The feature of ``schema.WASM_FEATURES`` that it belongs to; None for WebAssembly 1.0.
    signature : str | None
        Operands and results, for plain operators.
    """

    code: int
    name: str
    immediate: int
    feature: str | None
    signature: str | None


_GC, _MISC, _SIMD, _ATOMIC = (prefix << 16 for prefix in PREFIXES)

#: (feature, code of the first name, immediate, signature, names of consecutive codes)
_ROWS: Final[tuple[tuple[str | None, int, int, str | None, str], ...]] = (
    # Control
    (None, 0x00, NONE, None, "unreachable nop"),
    (None, 0x02, BLOCK, None, "block loop if"),
    (None, 0x05, ELSE, None, "else"),
    ("legacy-exceptions", 0x06, BLOCK, None, "try"),
    ("legacy-exceptions", 0x07, CATCH, None, "catch"),
    ("exceptions", 0x08, INDEX, None, "throw"),
    ("legacy-exceptions", 0x09, INDEX, None, "rethrow"),
    ("exceptions", 0x0A, NONE, None, "throw_ref"),
    (None, 0x0B, END, None, "end"),
    (None, 0x0C, INDEX, None, "br br_if"),
    (None, 0x0E, BR_TABLE, None, "br_table"),
    (None, 0x0F, NONE, None, "return"),
    (None, 0x10, INDEX, None, "call"),
    (None, 0x11, INDEX_PAIR, None, "call_indirect"),
    ("tail-call", 0x12, INDEX, None, "return_call"),
    ("tail-call", 0x13, INDEX_PAIR, None, "return_call_indirect"),
    ("function-references", 0x14, INDEX, None, "call_ref"),
    ("tail-call", 0x15, INDEX, None, "return_call_ref"),
    ("legacy-exceptions", 0x18, DELEGATE, None, "delegate"),
    ("legacy-exceptions", 0x19, ELSE, None, "catch_all"),
    ("exceptions", 0x1F, TRY_TABLE, None, "try_table"),
    # Parametric, variables, tables
    (None, 0x1A, NONE, None, "drop select"),
    ("reference-types", 0x1C, SELECT, None, "select_typed"),
    (None, 0x20, INDEX, None, "local.get local.set local.tee global.get global.set"),
    ("reference-types", 0x25, INDEX, None, "table.get table.set"),
    # Memory
    (None, 0x28, MEMARG, "a:i", "i32.load"),
    (None, 0x29, MEMARG, "a:l", "i64.load"),
    (None, 0x2A, MEMARG, "a:f", "f32.load"),
    (None, 0x2B, MEMARG, "a:d", "f64.load"),
    (None, 0x2C, MEMARG, "a:i", "i32.load8_s i32.load8_u i32.load16_s i32.load16_u"),
    (None, 0x30, MEMARG, "a:l", "i64.load8_s i64.load8_u i64.load16_s i64.load16_u i64.load32_s i64.load32_u"),
    (None, 0x36, MEMARG, "ai:", "i32.store"),
    (None, 0x37, MEMARG, "al:", "i64.store"),
    (None, 0x38, MEMARG, "af:", "f32.store"),
    (None, 0x39, MEMARG, "ad:", "f64.store"),
    (None, 0x3A, MEMARG, "ai:", "i32.store8 i32.store16"),
    (None, 0x3C, MEMARG, "al:", "i64.store8 i64.store16 i64.store32"),
    (None, 0x3F, INDEX, ":a", "memory.size"),
    (None, 0x40, INDEX, "a:a", "memory.grow"),
    # Constants
    (None, 0x41, I32, ":i", "i32.const"),
    (None, 0x42, I64, ":l", "i64.const"),
    (None, 0x43, F32, ":f", "f32.const"),
    (None, 0x44, F64, ":d", "f64.const"),
    # Comparisons
    (None, 0x45, NONE, "i:i", "i32.eqz"),
    (None, 0x46, NONE, "ii:i", "i32.eq i32.ne i32.lt_s i32.lt_u i32.gt_s i32.gt_u i32.le_s i32.le_u i32.ge_s i32.ge_u"),
    (None, 0x50, NONE, "l:i", "i64.eqz"),
    (None, 0x51, NONE, "ll:i", "i64.eq i64.ne i64.lt_s i64.lt_u i64.gt_s i64.gt_u i64.le_s i64.le_u i64.ge_s i64.ge_u"),
    (None, 0x5B, NONE, "ff:i", "f32.eq f32.ne f32.lt f32.gt f32.le f32.ge"),
    (None, 0x61, NONE, "dd:i", "f64.eq f64.ne f64.lt f64.gt f64.le f64.ge"),
    # Arithmetic
    (None, 0x67, NONE, "i:i", "i32.clz i32.ctz i32.popcnt"),
    (None, 0x6A, NONE, "ii:i", "i32.add i32.sub i32.mul i32.div_s i32.div_u i32.rem_s i32.rem_u"),
    (None, 0x71, NONE, "ii:i", "i32.and i32.or i32.xor i32.shl i32.shr_s i32.shr_u i32.rotl i32.rotr"),
    (None, 0x79, NONE, "l:l", "i64.clz i64.ctz i64.popcnt"),
    (None, 0x7C, NONE, "ll:l", "i64.add i64.sub i64.mul i64.div_s i64.div_u i64.rem_s i64.rem_u"),
    (None, 0x83, NONE, "ll:l", "i64.and i64.or i64.xor i64.shl i64.shr_s i64.shr_u i64.rotl i64.rotr"),
    (None, 0x8B, NONE, "f:f", "f32.abs f32.neg f32.ceil f32.floor f32.trunc f32.nearest f32.sqrt"),
    (None, 0x92, NONE, "ff:f", "f32.add f32.sub f32.mul f32.div f32.min f32.max f32.copysign"),
    (None, 0x99, NONE, "d:d", "f64.abs f64.neg f64.ceil f64.floor f64.trunc f64.nearest f64.sqrt"),
    (None, 0xA0, NONE, "dd:d", "f64.add f64.sub f64.mul f64.div f64.min f64.max f64.copysign"),
    # Conversions
    (None, 0xA7, NONE, "l:i", "i32.wrap_i64"),
    (None, 0xA8, NONE, "f:i", "i32.trunc_f32_s i32.trunc_f32_u"),
    (None, 0xAA, NONE, "d:i", "i32.trunc_f64_s i32.trunc_f64_u"),
    (None, 0xAC, NONE, "i:l", "i64.extend_i32_s i64.extend_i32_u"),
    (None, 0xAE, NONE, "f:l", "i64.trunc_f32_s i64.trunc_f32_u"),
    (None, 0xB0, NONE, "d:l", "i64.trunc_f64_s i64.trunc_f64_u"),
    (None, 0xB2, NONE, "i:f", "f32.convert_i32_s f32.convert_i32_u"),
    (None, 0xB4, NONE, "l:f", "f32.convert_i64_s f32.convert_i64_u"),
    (None, 0xB6, NONE, "d:f", "f32.demote_f64"),
    (None, 0xB7, NONE, "i:d", "f64.convert_i32_s f64.convert_i32_u"),
    (None, 0xB9, NONE, "l:d", "f64.convert_i64_s f64.convert_i64_u"),
    (None, 0xBB, NONE, "f:d", "f64.promote_f32"),
    (None, 0xBC, NONE, "f:i", "i32.reinterpret_f32"),
    (None, 0xBD, NONE, "d:l", "i64.reinterpret_f64"),
    (None, 0xBE, NONE, "i:f", "f32.reinterpret_i32"),
    (None, 0xBF, NONE, "l:d", "f64.reinterpret_i64"),
    ("sign-extension", 0xC0, NONE, "i:i", "i32.extend8_s i32.extend16_s"),
    ("sign-extension", 0xC2, NONE, "l:l", "i64.extend8_s i64.extend16_s i64.extend32_s"),
    # References
    ("reference-types", 0xD0, HEAP, None, "ref.null"),
    ("reference-types", 0xD1, NONE, None, "ref.is_null"),
    ("reference-types", 0xD2, INDEX, None, "ref.func"),
    ("gc", 0xD3, NONE, None, "ref.eq"),
    ("function-references", 0xD4, NONE, None, "ref.as_non_null"),
    ("function-references", 0xD5, INDEX, None, "br_on_null br_on_non_null"),
    # Garbage collection
    ("gc", _GC | 0x00, INDEX, None, "struct.new struct.new_default"),
    ("gc", _GC | 0x02, INDEX_PAIR, None, "struct.get struct.get_s struct.get_u struct.set"),
    ("gc", _GC | 0x06, INDEX, None, "array.new array.new_default"),
    ("gc", _GC | 0x08, INDEX_PAIR, None, "array.new_fixed array.new_data array.new_elem"),
    ("gc", _GC | 0x0B, INDEX, None, "array.get array.get_s array.get_u array.set"),
    ("gc", _GC | 0x0F, NONE, None, "array.len"),
    ("gc", _GC | 0x10, INDEX, None, "array.fill"),
    ("gc", _GC | 0x11, INDEX_PAIR, None, "array.copy array.init_data array.init_elem"),
    ("gc", _GC | 0x14, HEAP, None, "ref.test ref.test_null ref.cast ref.cast_null"),
    ("gc", _GC | 0x18, BR_CAST, None, "br_on_cast br_on_cast_fail"),
    ("gc", _GC | 0x1A, NONE, None, "any.convert_extern extern.convert_any ref.i31 i31.get_s i31.get_u"),
    # Saturating truncation, bulk operations, wide arithmetic
    ("saturating-float-to-int", _MISC | 0x00, NONE, "f:i", "i32.trunc_sat_f32_s i32.trunc_sat_f32_u"),
    ("saturating-float-to-int", _MISC | 0x02, NONE, "d:i", "i32.trunc_sat_f64_s i32.trunc_sat_f64_u"),
    ("saturating-float-to-int", _MISC | 0x04, NONE, "f:l", "i64.trunc_sat_f32_s i64.trunc_sat_f32_u"),
    ("saturating-float-to-int", _MISC | 0x06, NONE, "d:l", "i64.trunc_sat_f64_s i64.trunc_sat_f64_u"),
    ("bulk-memory", _MISC | 0x08, INDEX_PAIR, None, "memory.init"),
    ("bulk-memory", _MISC | 0x09, INDEX, None, "data.drop"),
    ("bulk-memory", _MISC | 0x0A, INDEX_PAIR, None, "memory.copy"),
    ("bulk-memory", _MISC | 0x0B, INDEX, None, "memory.fill"),
    ("bulk-memory", _MISC | 0x0C, INDEX_PAIR, None, "table.init"),
    ("bulk-memory", _MISC | 0x0D, INDEX, None, "elem.drop"),
    ("bulk-memory", _MISC | 0x0E, INDEX_PAIR, None, "table.copy"),
    ("reference-types", _MISC | 0x0F, INDEX, None, "table.grow table.size table.fill"),
    ("wide-arithmetic", _MISC | 0x13, NONE, "llll:ll", "i64.add128 i64.sub128"),
    ("wide-arithmetic", _MISC | 0x15, NONE, "ll:ll", "i64.mul_wide_s i64.mul_wide_u"),
    # SIMD: memory, constants, lanes
    ("simd", _SIMD | 0x00, MEMARG, "a:v", "v128.load v128.load8x8_s v128.load8x8_u v128.load16x4_s v128.load16x4_u"),
    ("simd", _SIMD | 0x05, MEMARG, "a:v", "v128.load32x2_s v128.load32x2_u"),
    ("simd", _SIMD | 0x07, MEMARG, "a:v", "v128.load8_splat v128.load16_splat v128.load32_splat v128.load64_splat"),
    ("simd", _SIMD | 0x0B, MEMARG, "av:", "v128.store"),
    ("simd", _SIMD | 0x0C, V128, ":v", "v128.const"),
    ("simd", _SIMD | 0x0D, SHUFFLE, "vv:v", "i8x16.shuffle"),
    ("simd", _SIMD | 0x0E, NONE, "vv:v", "i8x16.swizzle"),
    ("simd", _SIMD | 0x0F, NONE, "i:v", "i8x16.splat i16x8.splat i32x4.splat"),
    ("simd", _SIMD | 0x12, NONE, "l:v", "i64x2.splat"),
    ("simd", _SIMD | 0x13, NONE, "f:v", "f32x4.splat"),
    ("simd", _SIMD | 0x14, NONE, "d:v", "f64x2.splat"),
    ("simd", _SIMD | 0x15, LANE, "v:i", "i8x16.extract_lane_s i8x16.extract_lane_u"),
    ("simd", _SIMD | 0x17, LANE, "vi:v", "i8x16.replace_lane"),
    ("simd", _SIMD | 0x18, LANE, "v:i", "i16x8.extract_lane_s i16x8.extract_lane_u"),
    ("simd", _SIMD | 0x1A, LANE, "vi:v", "i16x8.replace_lane"),
    ("simd", _SIMD | 0x1B, LANE, "v:i", "i32x4.extract_lane"),
    ("simd", _SIMD | 0x1C, LANE, "vi:v", "i32x4.replace_lane"),
    ("simd", _SIMD | 0x1D, LANE, "v:l", "i64x2.extract_lane"),
    ("simd", _SIMD | 0x1E, LANE, "vl:v", "i64x2.replace_lane"),
    ("simd", _SIMD | 0x1F, LANE, "v:f", "f32x4.extract_lane"),
    ("simd", _SIMD | 0x20, LANE, "vf:v", "f32x4.replace_lane"),
    ("simd", _SIMD | 0x21, LANE, "v:d", "f64x2.extract_lane"),
    ("simd", _SIMD | 0x22, LANE, "vd:v", "f64x2.replace_lane"),
    ("simd", _SIMD | 0x54, MEMARG_LANE, "av:v", "v128.load8_lane v128.load16_lane v128.load32_lane v128.load64_lane"),
    ("simd", _SIMD | 0x58, MEMARG_LANE, "av:", "v128.store8_lane v128.store16_lane"),
    ("simd", _SIMD | 0x5A, MEMARG_LANE, "av:", "v128.store32_lane v128.store64_lane"),
    ("simd", _SIMD | 0x5C, MEMARG, "a:v", "v128.load32_zero v128.load64_zero"),
    # SIMD: comparisons
    ("simd", _SIMD | 0x23, NONE, "vv:v", "i8x16.eq i8x16.ne i8x16.lt_s i8x16.lt_u i8x16.gt_s"),
    ("simd", _SIMD | 0x28, NONE, "vv:v", "i8x16.gt_u i8x16.le_s i8x16.le_u i8x16.ge_s i8x16.ge_u"),
    ("simd", _SIMD | 0x2D, NONE, "vv:v", "i16x8.eq i16x8.ne i16x8.lt_s i16x8.lt_u i16x8.gt_s"),
    ("simd", _SIMD | 0x32, NONE, "vv:v", "i16x8.gt_u i16x8.le_s i16x8.le_u i16x8.ge_s i16x8.ge_u"),
    ("simd", _SIMD | 0x37, NONE, "vv:v", "i32x4.eq i32x4.ne i32x4.lt_s i32x4.lt_u i32x4.gt_s"),
    ("simd", _SIMD | 0x3C, NONE, "vv:v", "i32x4.gt_u i32x4.le_s i32x4.le_u i32x4.ge_s i32x4.ge_u"),
    ("simd", _SIMD | 0xD6, NONE, "vv:v", "i64x2.eq i64x2.ne i64x2.lt_s i64x2.gt_s i64x2.le_s i64x2.ge_s"),
    ("simd", _SIMD | 0x41, NONE, "vv:v", "f32x4.eq f32x4.ne f32x4.lt f32x4.gt f32x4.le f32x4.ge"),
    ("simd", _SIMD | 0x47, NONE, "vv:v", "f64x2.eq f64x2.ne f64x2.lt f64x2.gt f64x2.le f64x2.ge"),
    # SIMD: bits
    ("simd", _SIMD | 0x4D, NONE, "v:v", "v128.not"),
    ("simd", _SIMD | 0x4E, NONE, "vv:v", "v128.and v128.andnot v128.or v128.xor"),
    ("simd", _SIMD | 0x52, NONE, "vvv:v", "v128.bitselect"),
    ("simd", _SIMD | 0x53, NONE, "v:i", "v128.any_true"),
    # SIMD: integers, by shape
    ("simd", _SIMD | 0x60, NONE, "v:v", "i8x16.abs i8x16.neg i8x16.popcnt"),
    ("simd", _SIMD | 0x63, NONE, "v:i", "i8x16.all_true i8x16.bitmask"),
    ("simd", _SIMD | 0x65, NONE, "vv:v", "i8x16.narrow_i16x8_s i8x16.narrow_i16x8_u"),
    ("simd", _SIMD | 0x6B, NONE, "vi:v", "i8x16.shl i8x16.shr_s i8x16.shr_u"),
    ("simd", _SIMD | 0x6E, NONE, "vv:v", "i8x16.add i8x16.add_sat_s i8x16.add_sat_u"),
    ("simd", _SIMD | 0x71, NONE, "vv:v", "i8x16.sub i8x16.sub_sat_s i8x16.sub_sat_u"),
    ("simd", _SIMD | 0x76, NONE, "vv:v", "i8x16.min_s i8x16.min_u i8x16.max_s i8x16.max_u"),
    ("simd", _SIMD | 0x7B, NONE, "vv:v", "i8x16.avgr_u"),
    ("simd", _SIMD | 0x7C, NONE, "v:v", "i16x8.extadd_pairwise_i8x16_s i16x8.extadd_pairwise_i8x16_u"),
    ("simd", _SIMD | 0x7E, NONE, "v:v", "i32x4.extadd_pairwise_i16x8_s i32x4.extadd_pairwise_i16x8_u"),
    ("simd", _SIMD | 0x80, NONE, "v:v", "i16x8.abs i16x8.neg"),
    ("simd", _SIMD | 0x82, NONE, "vv:v", "i16x8.q15mulr_sat_s"),
    ("simd", _SIMD | 0x83, NONE, "v:i", "i16x8.all_true i16x8.bitmask"),
    ("simd", _SIMD | 0x85, NONE, "vv:v", "i16x8.narrow_i32x4_s i16x8.narrow_i32x4_u"),
    ("simd", _SIMD | 0x87, NONE, "v:v", "i16x8.extend_low_i8x16_s i16x8.extend_high_i8x16_s"),
    ("simd", _SIMD | 0x89, NONE, "v:v", "i16x8.extend_low_i8x16_u i16x8.extend_high_i8x16_u"),
    ("simd", _SIMD | 0x8B, NONE, "vi:v", "i16x8.shl i16x8.shr_s i16x8.shr_u"),
    ("simd", _SIMD | 0x8E, NONE, "vv:v", "i16x8.add i16x8.add_sat_s i16x8.add_sat_u"),
    ("simd", _SIMD | 0x91, NONE, "vv:v", "i16x8.sub i16x8.sub_sat_s i16x8.sub_sat_u"),
    ("simd", _SIMD | 0x95, NONE, "vv:v", "i16x8.mul i16x8.min_s i16x8.min_u i16x8.max_s i16x8.max_u"),
    ("simd", _SIMD | 0x9B, NONE, "vv:v", "i16x8.avgr_u"),
    ("simd", _SIMD | 0x9C, NONE, "vv:v", "i16x8.extmul_low_i8x16_s i16x8.extmul_high_i8x16_s"),
    ("simd", _SIMD | 0x9E, NONE, "vv:v", "i16x8.extmul_low_i8x16_u i16x8.extmul_high_i8x16_u"),
    ("simd", _SIMD | 0xA0, NONE, "v:v", "i32x4.abs i32x4.neg"),
    ("simd", _SIMD | 0xA3, NONE, "v:i", "i32x4.all_true i32x4.bitmask"),
    ("simd", _SIMD | 0xA7, NONE, "v:v", "i32x4.extend_low_i16x8_s i32x4.extend_high_i16x8_s"),
    ("simd", _SIMD | 0xA9, NONE, "v:v", "i32x4.extend_low_i16x8_u i32x4.extend_high_i16x8_u"),
    ("simd", _SIMD | 0xAB, NONE, "vi:v", "i32x4.shl i32x4.shr_s i32x4.shr_u"),
    ("simd", _SIMD | 0xAE, NONE, "vv:v", "i32x4.add"),
    ("simd", _SIMD | 0xB1, NONE, "vv:v", "i32x4.sub"),
    ("simd", _SIMD | 0xB5, NONE, "vv:v", "i32x4.mul i32x4.min_s i32x4.min_u i32x4.max_s i32x4.max_u i32x4.dot_i16x8_s"),
    ("simd", _SIMD | 0xBC, NONE, "vv:v", "i32x4.extmul_low_i16x8_s i32x4.extmul_high_i16x8_s"),
    ("simd", _SIMD | 0xBE, NONE, "vv:v", "i32x4.extmul_low_i16x8_u i32x4.extmul_high_i16x8_u"),
    ("simd", _SIMD | 0xC0, NONE, "v:v", "i64x2.abs i64x2.neg"),
    ("simd", _SIMD | 0xC3, NONE, "v:i", "i64x2.all_true i64x2.bitmask"),
    ("simd", _SIMD | 0xC7, NONE, "v:v", "i64x2.extend_low_i32x4_s i64x2.extend_high_i32x4_s"),
    ("simd", _SIMD | 0xC9, NONE, "v:v", "i64x2.extend_low_i32x4_u i64x2.extend_high_i32x4_u"),
    ("simd", _SIMD | 0xCB, NONE, "vi:v", "i64x2.shl i64x2.shr_s i64x2.shr_u"),
    ("simd", _SIMD | 0xCE, NONE, "vv:v", "i64x2.add"),
    ("simd", _SIMD | 0xD1, NONE, "vv:v", "i64x2.sub"),
    ("simd", _SIMD | 0xD5, NONE, "vv:v", "i64x2.mul"),
    ("simd", _SIMD | 0xDC, NONE, "vv:v", "i64x2.extmul_low_i32x4_s i64x2.extmul_high_i32x4_s"),
    ("simd", _SIMD | 0xDE, NONE, "vv:v", "i64x2.extmul_low_i32x4_u i64x2.extmul_high_i32x4_u"),
    # SIMD: floats and conversions
    ("simd", _SIMD | 0x67, NONE, "v:v", "f32x4.ceil f32x4.floor f32x4.trunc f32x4.nearest"),
    ("simd", _SIMD | 0xE0, NONE, "v:v", "f32x4.abs f32x4.neg"),
    ("simd", _SIMD | 0xE3, NONE, "v:v", "f32x4.sqrt"),
    ("simd", _SIMD | 0xE4, NONE, "vv:v", "f32x4.add f32x4.sub f32x4.mul f32x4.div"),
    ("simd", _SIMD | 0xE8, NONE, "vv:v", "f32x4.min f32x4.max f32x4.pmin f32x4.pmax"),
    ("simd", _SIMD | 0x74, NONE, "v:v", "f64x2.ceil f64x2.floor"),
    ("simd", _SIMD | 0x7A, NONE, "v:v", "f64x2.trunc"),
    ("simd", _SIMD | 0x94, NONE, "v:v", "f64x2.nearest"),
    ("simd", _SIMD | 0xEC, NONE, "v:v", "f64x2.abs f64x2.neg"),
    ("simd", _SIMD | 0xEF, NONE, "v:v", "f64x2.sqrt"),
    ("simd", _SIMD | 0xF0, NONE, "vv:v", "f64x2.add f64x2.sub f64x2.mul f64x2.div"),
    ("simd", _SIMD | 0xF4, NONE, "vv:v", "f64x2.min f64x2.max f64x2.pmin f64x2.pmax"),
    ("simd", _SIMD | 0x5E, NONE, "v:v", "f32x4.demote_f64x2_zero f64x2.promote_low_f32x4"),
    ("simd", _SIMD | 0xF8, NONE, "v:v", "i32x4.trunc_sat_f32x4_s i32x4.trunc_sat_f32x4_u"),
    ("simd", _SIMD | 0xFA, NONE, "v:v", "f32x4.convert_i32x4_s f32x4.convert_i32x4_u"),
    ("simd", _SIMD | 0xFC, NONE, "v:v", "i32x4.trunc_sat_f64x2_s_zero i32x4.trunc_sat_f64x2_u_zero"),
    ("simd", _SIMD | 0xFE, NONE, "v:v", "f64x2.convert_low_i32x4_s f64x2.convert_low_i32x4_u"),
    # Relaxed SIMD
    ("relaxed-simd", _SIMD | 0x100, NONE, "vv:v", "i8x16.relaxed_swizzle"),
    ("relaxed-simd", _SIMD | 0x101, NONE, "v:v", "i32x4.relaxed_trunc_f32x4_s i32x4.relaxed_trunc_f32x4_u"),
    ("relaxed-simd", _SIMD | 0x103, NONE, "v:v", "i32x4.relaxed_trunc_f64x2_s_zero i32x4.relaxed_trunc_f64x2_u_zero"),
    ("relaxed-simd", _SIMD | 0x105, NONE, "vvv:v", "f32x4.relaxed_madd f32x4.relaxed_nmadd"),
    ("relaxed-simd", _SIMD | 0x107, NONE, "vvv:v", "f64x2.relaxed_madd f64x2.relaxed_nmadd"),
    ("relaxed-simd", _SIMD | 0x109, NONE, "vvv:v", "i8x16.relaxed_laneselect i16x8.relaxed_laneselect"),
    ("relaxed-simd", _SIMD | 0x10B, NONE, "vvv:v", "i32x4.relaxed_laneselect i64x2.relaxed_laneselect"),
    ("relaxed-simd", _SIMD | 0x10D, NONE, "vv:v", "f32x4.relaxed_min f32x4.relaxed_max"),
    ("relaxed-simd", _SIMD | 0x10F, NONE, "vv:v", "f64x2.relaxed_min f64x2.relaxed_max"),
    ("relaxed-simd", _SIMD | 0x111, NONE, "vv:v", "i16x8.relaxed_q15mulr_s i16x8.relaxed_dot_i8x16_i7x16_s"),
    ("relaxed-simd", _SIMD | 0x113, NONE, "vvv:v", "i32x4.relaxed_dot_i8x16_i7x16_add_s"),
    # Atomics
    ("threads", _ATOMIC | 0x00, MEMARG, "ai:i", "memory.atomic.notify"),
    ("threads", _ATOMIC | 0x01, MEMARG, "ail:i", "memory.atomic.wait32"),
    ("threads", _ATOMIC | 0x02, MEMARG, "all:i", "memory.atomic.wait64"),
    ("threads", _ATOMIC | 0x03, ZERO, ":", "atomic.fence"),
    ("threads", _ATOMIC | 0x10, MEMARG, "a:i", "i32.atomic.load"),
    ("threads", _ATOMIC | 0x11, MEMARG, "a:l", "i64.atomic.load"),
    ("threads", _ATOMIC | 0x12, MEMARG, "a:i", "i32.atomic.load8_u i32.atomic.load16_u"),
    ("threads", _ATOMIC | 0x14, MEMARG, "a:l", "i64.atomic.load8_u i64.atomic.load16_u i64.atomic.load32_u"),
    ("threads", _ATOMIC | 0x17, MEMARG, "ai:", "i32.atomic.store"),
    ("threads", _ATOMIC | 0x18, MEMARG, "al:", "i64.atomic.store"),
    ("threads", _ATOMIC | 0x19, MEMARG, "ai:", "i32.atomic.store8 i32.atomic.store16"),
    ("threads", _ATOMIC | 0x1B, MEMARG, "al:", "i64.atomic.store8 i64.atomic.store16 i64.atomic.store32"),
    *(
        ("threads", _ATOMIC | first + offset, MEMARG, signature, widths.replace("@", name))
        for first, name, i32, i64 in (
            (0x1E, "add", "ai:i", "al:l"),
            (0x25, "sub", "ai:i", "al:l"),
            (0x2C, "and", "ai:i", "al:l"),
            (0x33, "or", "ai:i", "al:l"),
            (0x3A, "xor", "ai:i", "al:l"),
            (0x41, "xchg", "ai:i", "al:l"),
            (0x48, "cmpxchg", "aii:i", "all:l"),
        )
        for offset, signature, widths in (
            (0, i32, "i32.atomic.rmw.@"),
            (1, i64, "i64.atomic.rmw.@"),
            (2, i32, "i32.atomic.rmw8.@_u i32.atomic.rmw16.@_u"),
            (4, i64, "i64.atomic.rmw8.@_u i64.atomic.rmw16.@_u i64.atomic.rmw32.@_u"),
        )
    ),
)

#: Every opcode by its code.
OPCODES: Final[dict[int, Opcode]] = {
    first + index: Opcode(first + index, name, immediate, feature, signature)
    for feature, first, immediate, signature, names in _ROWS
    for index, name in enumerate(names.split())
}
OPCODE_BY_NAME: Final[dict[str, Opcode]] = {opcode.name: opcode for opcode in OPCODES.values()}

#: Kind of immediate by first byte: the decoder's dispatch.
KIND_BY_BYTE: Final = bytes(
    PREFIX if byte in PREFIXES else OPCODES[byte].immediate if byte in OPCODES else ILLEGAL for byte in range(256)
)
