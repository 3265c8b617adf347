/* Vector operators (spec section 4.4.3): the table of all of them, and those that are one instruction or little more. */
#include "vectors.h"

static void put_instruction(wop_function *fn, const wop_vector_row *row, wop_register to, wop_operand from)
{
    if (row->flags & WA_WITH_IMMEDIATE)
        wop_x86_imm8(fn, row->opcode, to, from, row->immediate);
    else
        wop_x86(fn, row->opcode, to, from);
}

static void invert(wop_function *fn, wop_register reg)
{
    wop_vector_op(fn, X_PCMPEQD, WA_VECTOR_SCRATCH, WA_VECTOR_SCRATCH);
    wop_vector_op(fn, X_PXOR, reg, WA_VECTOR_SCRATCH);
}

/* second: one more instruction with the same second operand. */
static void put_two(wop_function *fn, const wop_vector_row *row)
{
    wop_operand other;
    wop_order order = row->flags & WA_EITHER ? WA_EITHER_ORDER : row->flags & WA_EXCHANGED ? WA_REVERSED : WA_IN_ORDER;
    wop_register to = wop_prepare_two(fn, WA_V128, order, &other);
    put_instruction(fn, row, to, other);
    if (row->second != 0)
        wop_x86(fn, row->second, to, other);
    if (row->flags & WA_INVERTED)
        invert(fn, to);
    wop_finish(fn, WA_V128, to);
}

static void put_one(wop_function *fn, const wop_vector_row *row)
{
    wop_value value = wop_pop(fn);
    wop_operand from = wop_operand_of(fn, &value, fn->height);
    wop_register to = wop_destination(fn, WA_V128, &value);
    if (row->flags & WA_HIGH) {
        wop_x86_imm8(fn, X_PSHUFD, to, from, 0xee);
        from = wop_reg(to);
    }
    put_instruction(fn, row, to, from);
    wop_finish(fn, WA_V128, to);
}

static void put_not(wop_function *fn, const wop_vector_row *row)
{
    (void)row;
    wop_value value = wop_pop(fn);
    wop_register to = wop_destination(fn, WA_V128, &value);
    wop_load_value(fn, to, &value, fn->height);
    invert(fn, to);
    wop_finish(fn, WA_V128, to);
}

/* From zero. */
static void put_negation(wop_function *fn, const wop_vector_row *row)
{
    wop_value value = wop_pop(fn);
    wop_operand from = wop_operand_of(fn, &value, fn->height);
    wop_register to = wop_destination(fn, WA_V128, &value);
    wop_vector_op(fn, X_PXOR, WA_VECTOR_SCRATCH, WA_VECTOR_SCRATCH);
    wop_x86(fn, row->opcode, WA_VECTOR_SCRATCH, from);
    wop_move(fn, true, to, WA_VECTOR_SCRATCH);
    wop_finish(fn, WA_V128, to);
}

/* abs and neg of floats: on the bits. immediate: bits of a lane; WA_INVERTED: the sign's bit changes. */
static void put_sign(wop_function *fn, const wop_vector_row *row)
{
    uint64_t signs = row->immediate == 64 ? UINT64_C(1) << 63 : UINT64_C(0x8000000080000000);
    bool is_negation = (row->flags & WA_INVERTED) != 0;
    wop_value value = wop_pop(fn);
    wop_register to = wop_destination(fn, WA_V128, &value);
    wop_load_value(fn, to, &value, fn->height);
    wop_x86(fn, row->opcode, to, wop_splat(fn, is_negation ? signs : ~signs));
    wop_finish(fn, WA_V128, to);
}

/* ---- the table ----------------------------------------------------------------------------------------------------------- */

#define ROW(name) [WA_OP_##name & 0xffff]
#define BARE(name, put) ROW(name) = {put, 0, 0, 0, 0}
#define WITH(name, put, code) ROW(name) = {put, code, 0, 0, 0}
#define TWO(name, code, flags) ROW(name) = {put_two, code, 0, 0, flags}
#define TWICE(name, code, second, flags) ROW(name) = {put_two, code, second, 0, flags}
#define COMPARE(name, code, how, flags) ROW(name) = {put_two, code, 0, how, WA_WITH_IMMEDIATE | (flags)}
#define ONE(name, code) WITH(name, put_one, code)
#define ONE_HIGH(name, code) ROW(name) = {put_one, code, 0, 0, WA_HIGH}
#define ROUND(name, code, mode) ROW(name) = {put_one, code, 0, mode, WA_WITH_IMMEDIATE}
#define SHIFT(name, code, group, which, bits) ROW(name) = {wop_put_shift, code, group, which, bits}
#define LOAD(name, code, size_bytes) ROW(name) = {wop_put_vector_load, code, 0, size_bytes, 0}
#define PRODUCT(name, extension, code, flags) ROW(name) = {wop_put_extended_product, extension, code, 0, flags}

/* Comparisons of integers: eq, ne, the ordered ones with sign by pcmpgt, the others by minima and maxima. */
#define INTEGER_COMPARISONS(shape, equal, greater, min_s, max_s, min_u, max_u) \
    TWO(shape##_EQ, equal, WA_EITHER), TWO(shape##_NE, equal, WA_EITHER | WA_INVERTED), \
    TWO(shape##_GT_S, greater, 0), TWO(shape##_LT_S, greater, WA_EXCHANGED), \
    TWICE(shape##_LE_S, max_s, equal, 0), TWICE(shape##_GE_S, min_s, equal, 0), \
    TWICE(shape##_LE_U, max_u, equal, 0), TWICE(shape##_GE_U, min_u, equal, 0), \
    TWICE(shape##_GT_U, max_u, equal, WA_INVERTED), TWICE(shape##_LT_U, min_u, equal, WA_INVERTED), \
    TWO(shape##_MIN_S, min_s, WA_EITHER), TWO(shape##_MAX_S, max_s, WA_EITHER), \
    TWO(shape##_MIN_U, min_u, WA_EITHER), TWO(shape##_MAX_U, max_u, WA_EITHER)

/* What f32x4 and f64x2 have in the same way. */
#define FLOATS(shape, prefix, bits, round_code, fused) \
    TWO(shape##_ADD, prefix | WA_PS(0x58), WA_EITHER), TWO(shape##_SUB, prefix | WA_PS(0x5c), 0), \
    TWO(shape##_MUL, prefix | WA_PS(0x59), WA_EITHER), TWO(shape##_DIV, prefix | WA_PS(0x5e), 0), \
    COMPARE(shape##_EQ, prefix | WA_PS(0xc2), 0, WA_EITHER), COMPARE(shape##_NE, prefix | WA_PS(0xc2), 4, WA_EITHER), \
    COMPARE(shape##_LT, prefix | WA_PS(0xc2), 1, 0), COMPARE(shape##_GT, prefix | WA_PS(0xc2), 1, WA_EXCHANGED), \
    COMPARE(shape##_LE, prefix | WA_PS(0xc2), 2, 0), COMPARE(shape##_GE, prefix | WA_PS(0xc2), 2, WA_EXCHANGED), \
    TWO(shape##_PMIN, prefix | WA_PS(0x5d), WA_EXCHANGED), TWO(shape##_PMAX, prefix | WA_PS(0x5f), WA_EXCHANGED), \
    ROW(shape##_MIN) = {wop_put_vector_extremum, prefix | WA_PS(0x5d), X_POR, 0, 0}, \
    ROW(shape##_MAX) = {wop_put_vector_extremum, prefix | WA_PS(0x5f), X_PAND, 0, 0}, \
    ROW(shape##_RELAXED_MIN) = {wop_put_vector_extremum, prefix | WA_PS(0x5d), X_POR, 0, 0}, \
    ROW(shape##_RELAXED_MAX) = {wop_put_vector_extremum, prefix | WA_PS(0x5f), X_PAND, 0, 0}, \
    ROW(shape##_RELAXED_MADD) = {wop_put_multiply_add, prefix | WA_PS(fused), 0, 0, 0}, \
    ROW(shape##_RELAXED_NMADD) = {wop_put_multiply_add, prefix | WA_PS((fused) + 4), 0, 0, WA_INVERTED}, \
    ROW(shape##_ABS) = {put_sign, prefix | WA_PS(0x54), 0, bits, 0}, \
    ROW(shape##_NEG) = {put_sign, prefix | WA_PS(0x57), 0, bits, WA_INVERTED}, ONE(shape##_SQRT, prefix | WA_PS(0x51)), \
    ROUND(shape##_NEAREST, round_code, 8), ROUND(shape##_FLOOR, round_code, 9), ROUND(shape##_CEIL, round_code, 10), \
    ROUND(shape##_TRUNC, round_code, 11)

/* From lanes to such of twice the width. */
#define EXTENSIONS(wide, narrow, sign_extend, zero_extend, product_s, product_u) \
    ONE(wide##_EXTEND_LOW_##narrow##_S, sign_extend), ONE_HIGH(wide##_EXTEND_HIGH_##narrow##_S, sign_extend), \
    ONE(wide##_EXTEND_LOW_##narrow##_U, zero_extend), ONE_HIGH(wide##_EXTEND_HIGH_##narrow##_U, zero_extend), \
    PRODUCT(wide##_EXTMUL_LOW_##narrow##_S, sign_extend, product_s, 0), \
    PRODUCT(wide##_EXTMUL_HIGH_##narrow##_S, sign_extend, product_s, WA_HIGH), \
    PRODUCT(wide##_EXTMUL_LOW_##narrow##_U, zero_extend, product_u, 0), \
    PRODUCT(wide##_EXTMUL_HIGH_##narrow##_U, zero_extend, product_u, WA_HIGH)

/* Loads and stores of lanes, splats, and access to single lanes. */
#define LANES(shape, bits, insert, extract) \
    ROW(V128_LOAD##bits##_LANE) = {wop_put_lane_load, insert, 0, bits / 8, 0}, \
    ROW(V128_STORE##bits##_LANE) = {wop_put_lane_store, extract, 0, bits / 8, 0}, \
    ROW(shape##_SPLAT) = {wop_put_integer_splat, 0, 0, bits / 8, 0}, \
    ROW(shape##_REPLACE_LANE) = {wop_put_replacement, insert, 0, 0, 0}

static const wop_vector_row rows[] = {
    LOAD(V128_LOAD, WA_PS(0x10), 16), LOAD(V128_LOAD8X8_S, WA_P38(0x20), 8), LOAD(V128_LOAD8X8_U, WA_P38(0x30), 8),
    LOAD(V128_LOAD16X4_S, WA_P38(0x23), 8), LOAD(V128_LOAD16X4_U, WA_P38(0x33), 8), LOAD(V128_LOAD32X2_S, WA_P38(0x25), 8),
    LOAD(V128_LOAD32X2_U, WA_P38(0x35), 8), LOAD(V128_LOAD32_ZERO, WA_F3 | WA_PS(0x10), 4),
    LOAD(V128_LOAD64_ZERO, WA_F3 | WA_PS(0x7e), 8), LOAD(V128_LOAD64_SPLAT, WA_F2 | WA_PS(0x12), 8),
    ROW(V128_LOAD8_SPLAT) = {wop_put_vector_load, WA_PS(0xb6), 0, 1, WA_SPLAT},
    ROW(V128_LOAD16_SPLAT) = {wop_put_vector_load, WA_PS(0xb7), 0, 2, WA_SPLAT},
    ROW(V128_LOAD32_SPLAT) = {wop_put_vector_load, WA_F3 | WA_PS(0x10), 0, 4, WA_SPLAT},
    ROW(V128_STORE) = {wop_put_vector_store, 0, 0, 16, 0},
    LANES(I8X16, 8, WA_P3A(0x20), WA_P3A(0x14)), LANES(I16X8, 16, WA_P66(0xc4), WA_P3A(0x15)),
    LANES(I32X4, 32, WA_P3A(0x22), WA_P3A(0x16)), LANES(I64X2, 64, WA_P3A(0x22) | WA_WIDE, WA_P3A(0x16) | WA_WIDE),
    ROW(F32X4_SPLAT) = {wop_put_float_splat, 0, 0, 4, 0}, ROW(F64X2_SPLAT) = {wop_put_float_splat, 0, 0, 8, 0},
    ROW(I8X16_EXTRACT_LANE_S) = {wop_put_integer_lane, WA_P3A(0x14), WA_PS(0xbe) | WA_BYTE_RM, 0, 0},
    WITH(I8X16_EXTRACT_LANE_U, wop_put_integer_lane, WA_P3A(0x14)),
    ROW(I16X8_EXTRACT_LANE_S) = {wop_put_integer_lane, WA_P3A(0x15), WA_PS(0xbf), 0, 0},
    WITH(I16X8_EXTRACT_LANE_U, wop_put_integer_lane, WA_P3A(0x15)),
    ROW(I32X4_EXTRACT_LANE) = {wop_put_integer_lane, WA_P3A(0x16), 0, 0x7e, 0},
    ROW(I64X2_EXTRACT_LANE) = {wop_put_integer_lane, WA_P3A(0x16) | WA_WIDE, 0, 0x7e, 0},
    ROW(F32X4_EXTRACT_LANE) = {wop_put_float_lane, 0, 0, 4, 0}, ROW(F64X2_EXTRACT_LANE) = {wop_put_float_lane, 0, 0, 8, 0},
    WITH(F32X4_REPLACE_LANE, wop_put_replacement, WA_P3A(0x21)),
    ROW(F64X2_REPLACE_LANE) = {wop_put_replacement, WA_F2 | WA_PS(0x10), WA_PS(0x16), 0, 0},
    BARE(V128_CONST, wop_put_vector_constant), BARE(I8X16_SHUFFLE, wop_put_shuffle),
    BARE(I8X16_SWIZZLE, wop_put_swizzle), BARE(I8X16_RELAXED_SWIZZLE, wop_put_swizzle),

    TWO(V128_AND, X_PAND, WA_EITHER), TWO(V128_OR, X_POR, WA_EITHER), TWO(V128_XOR, X_PXOR, WA_EITHER),
    TWO(V128_ANDNOT, X_PANDN, WA_EXCHANGED), BARE(V128_NOT, put_not),
    BARE(V128_BITSELECT, wop_put_bitselect), BARE(I8X16_RELAXED_LANESELECT, wop_put_bitselect),
    BARE(I16X8_RELAXED_LANESELECT, wop_put_bitselect), BARE(I32X4_RELAXED_LANESELECT, wop_put_bitselect),
    BARE(I64X2_RELAXED_LANESELECT, wop_put_bitselect), BARE(V128_ANY_TRUE, wop_put_any_true),
    WITH(I8X16_ALL_TRUE, wop_put_all_true, WA_P66(0x74)), WITH(I16X8_ALL_TRUE, wop_put_all_true, WA_P66(0x75)),
    WITH(I32X4_ALL_TRUE, wop_put_all_true, WA_P66(0x76)), WITH(I64X2_ALL_TRUE, wop_put_all_true, WA_P38(0x29)),
    WITH(I8X16_BITMASK, wop_put_bitmask, WA_P66(0xd7)), WITH(I32X4_BITMASK, wop_put_bitmask, WA_PS(0x50)),
    WITH(I64X2_BITMASK, wop_put_bitmask, WA_P66(0x50)), ROW(I16X8_BITMASK) = {wop_put_bitmask, WA_P66(0xd7), WA_P66(0x63), 0, 0},

    INTEGER_COMPARISONS(I8X16, WA_P66(0x74), WA_P66(0x64), WA_P38(0x38), WA_P38(0x3c), WA_P66(0xda), WA_P66(0xde)),
    INTEGER_COMPARISONS(I16X8, WA_P66(0x75), WA_P66(0x65), WA_P66(0xea), WA_P66(0xee), WA_P38(0x3a), WA_P38(0x3e)),
    INTEGER_COMPARISONS(I32X4, WA_P66(0x76), WA_P66(0x66), WA_P38(0x39), WA_P38(0x3d), WA_P38(0x3b), WA_P38(0x3f)),
    TWO(I64X2_EQ, WA_P38(0x29), WA_EITHER), TWO(I64X2_NE, WA_P38(0x29), WA_EITHER | WA_INVERTED),
    TWO(I64X2_GT_S, WA_P38(0x37), 0), TWO(I64X2_LT_S, WA_P38(0x37), WA_EXCHANGED),
    TWO(I64X2_LE_S, WA_P38(0x37), WA_INVERTED), TWO(I64X2_GE_S, WA_P38(0x37), WA_EXCHANGED | WA_INVERTED),

    TWO(I8X16_ADD, WA_P66(0xfc), WA_EITHER), TWO(I16X8_ADD, WA_P66(0xfd), WA_EITHER), TWO(I32X4_ADD, X_PADDD, WA_EITHER),
    TWO(I64X2_ADD, WA_P66(0xd4), WA_EITHER), TWO(I8X16_SUB, WA_P66(0xf8), 0), TWO(I16X8_SUB, WA_P66(0xf9), 0),
    TWO(I32X4_SUB, WA_P66(0xfa), 0), TWO(I64X2_SUB, WA_P66(0xfb), 0), TWO(I16X8_MUL, WA_P66(0xd5), WA_EITHER),
    TWO(I32X4_MUL, WA_P38(0x40), WA_EITHER), BARE(I64X2_MUL, wop_put_quad_product),
    TWO(I8X16_ADD_SAT_S, WA_P66(0xec), WA_EITHER), TWO(I8X16_ADD_SAT_U, WA_P66(0xdc), WA_EITHER),
    TWO(I16X8_ADD_SAT_S, WA_P66(0xed), WA_EITHER), TWO(I16X8_ADD_SAT_U, WA_P66(0xdd), WA_EITHER),
    TWO(I8X16_SUB_SAT_S, WA_P66(0xe8), 0), TWO(I8X16_SUB_SAT_U, WA_P66(0xd8), 0), TWO(I16X8_SUB_SAT_S, WA_P66(0xe9), 0),
    TWO(I16X8_SUB_SAT_U, WA_P66(0xd9), 0), TWO(I8X16_AVGR_U, WA_P66(0xe0), WA_EITHER), TWO(I16X8_AVGR_U, WA_P66(0xe3), WA_EITHER),
    TWO(I8X16_NARROW_I16X8_S, WA_P66(0x63), 0), TWO(I8X16_NARROW_I16X8_U, WA_P66(0x67), 0),
    TWO(I16X8_NARROW_I32X4_S, WA_P66(0x6b), 0), TWO(I16X8_NARROW_I32X4_U, WA_P38(0x2b), 0),
    TWO(I32X4_DOT_I16X8_S, WA_P66(0xf5), WA_EITHER), ONE(I8X16_ABS, WA_P38(0x1c)), ONE(I16X8_ABS, WA_P38(0x1d)),
    ONE(I32X4_ABS, WA_P38(0x1e)), BARE(I64X2_ABS, wop_put_quad_abs), BARE(I8X16_POPCNT, wop_put_popcnt),
    WITH(I8X16_NEG, put_negation, WA_P66(0xf8)), WITH(I16X8_NEG, put_negation, WA_P66(0xf9)),
    WITH(I32X4_NEG, put_negation, WA_P66(0xfa)), WITH(I64X2_NEG, put_negation, WA_P66(0xfb)),
    WITH(I16X8_Q15MULR_SAT_S, wop_put_q15_product, WA_P38(0x0b)),
    WITH(I16X8_RELAXED_Q15MULR_S, wop_put_q15_product, WA_P38(0x0b)),
    BARE(I16X8_RELAXED_DOT_I8X16_I7X16_S, wop_put_byte_dot),
    ROW(I32X4_RELAXED_DOT_I8X16_I7X16_ADD_S) = {wop_put_byte_dot, 0, WA_P66(0xf5), 0, 0},
    ROW(I16X8_EXTADD_PAIRWISE_I8X16_S) = {wop_put_pair_sum, 0, 0, 8, WA_SIGNED},
    ROW(I16X8_EXTADD_PAIRWISE_I8X16_U) = {wop_put_pair_sum, 0, 0, 8, 0},
    ROW(I32X4_EXTADD_PAIRWISE_I16X8_S) = {wop_put_pair_sum, 0, 0, 16, WA_SIGNED},
    ROW(I32X4_EXTADD_PAIRWISE_I16X8_U) = {wop_put_pair_sum, 0, 0, 16, 0},
    EXTENSIONS(I16X8, I8X16, WA_P38(0x20), WA_P38(0x30), WA_P66(0xd5), WA_P66(0xd5)),
    EXTENSIONS(I32X4, I16X8, WA_P38(0x23), WA_P38(0x33), WA_P38(0x40), WA_P38(0x40)),
    EXTENSIONS(I64X2, I32X4, WA_P38(0x25), WA_P38(0x35), WA_P38(0x28), WA_P66(0xf4)),

    ROW(I8X16_SHL) = {wop_put_byte_shift, WA_P66(0xf1), 0, 6, 0}, ROW(I8X16_SHR_U) = {wop_put_byte_shift, WA_P66(0xd1), 0, 2, 0},
    BARE(I8X16_SHR_S, wop_put_signed_byte_shift), BARE(I64X2_SHR_S, wop_put_signed_quad_shift),
    SHIFT(I16X8_SHL, WA_P66(0xf1), WA_P66(0x71), 6, 16), SHIFT(I16X8_SHR_S, WA_P66(0xe1), WA_P66(0x71), 4, 16),
    SHIFT(I16X8_SHR_U, WA_P66(0xd1), WA_P66(0x71), 2, 16), SHIFT(I32X4_SHL, WA_P66(0xf2), WA_P66(0x72), 6, 32),
    SHIFT(I32X4_SHR_S, WA_P66(0xe2), WA_P66(0x72), 4, 32), SHIFT(I32X4_SHR_U, WA_P66(0xd2), WA_P66(0x72), 2, 32),
    SHIFT(I64X2_SHL, WA_P66(0xf3), WA_P66(0x73), 6, 64), SHIFT(I64X2_SHR_U, WA_P66(0xd3), WA_P66(0x73), 2, 64),

    FLOATS(F32X4, 0, 32, WA_P3A(0x08), 0xa8), FLOATS(F64X2, (uint32_t)WA_66, 64, WA_P3A(0x09), 0xa8),
    ONE(F32X4_CONVERT_I32X4_S, WA_PS(0x5b)), BARE(F32X4_CONVERT_I32X4_U, wop_put_unsigned_conversion),
    ONE(F64X2_CONVERT_LOW_I32X4_S, WA_F3 | WA_PS(0xe6)),
    WITH(F64X2_CONVERT_LOW_I32X4_U, wop_put_unsigned_conversion, WA_P66(0)),
    ONE(F64X2_PROMOTE_LOW_F32X4, WA_PS(0x5a)), ONE(F32X4_DEMOTE_F64X2_ZERO, WA_P66(0x5a)),
    ROW(I32X4_TRUNC_SAT_F32X4_S) = {wop_put_truncation_f32, 0, 0, 0, WA_SIGNED},
    BARE(I32X4_TRUNC_SAT_F32X4_U, wop_put_truncation_f32),
    ROW(I32X4_TRUNC_SAT_F64X2_S_ZERO) = {wop_put_truncation_f64, 0, 0, 0, WA_SIGNED},
    BARE(I32X4_TRUNC_SAT_F64X2_U_ZERO, wop_put_truncation_f64),
    ROW(I32X4_RELAXED_TRUNC_F32X4_S) = {wop_put_truncation_f32, 0, 0, 0, WA_SIGNED},
    BARE(I32X4_RELAXED_TRUNC_F32X4_U, wop_put_truncation_f32),
    ROW(I32X4_RELAXED_TRUNC_F64X2_S_ZERO) = {wop_put_truncation_f64, 0, 0, 0, WA_SIGNED},
    BARE(I32X4_RELAXED_TRUNC_F64X2_U_ZERO, wop_put_truncation_f64),
};

void wop_vector(wop_function *fn)
{
    wop_put_row(fn, rows, sizeof rows / sizeof rows[0]);
}
