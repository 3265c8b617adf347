/* Vector operators (spec section 4.4.3): the table of all of them, and those that are one or two instructions. */
#include "vectors.h"

static void put_two(wop_function *fn, const wop_vector_row *row)
{
    wop_value b = wop_pop(fn), a = wop_pop(fn);
    uint32_t height = fn->height;
    wop_register of_a = wop_to_register(fn, &a, height), of_b = wop_to_register(fn, &b, height + 1);
    wop_register to = wop_destination(fn, WA_V128, &a);
    if (row->flags & WA_EXCHANGED)
        wop_put_three(fn, row->opcode, to, of_b, of_a);
    else
        wop_put_three(fn, row->opcode, to, of_a, of_b);
    if (row->flags & WA_INVERTED)
        wop_put_two(fn, N_NOT, to, to);
    wop_finish(fn, WA_V128, to);
}

/* second: one more instruction, on the first one's result. */
static void put_one(wop_function *fn, const wop_vector_row *row)
{
    wop_value value = wop_pop(fn);
    wop_register from = wop_to_register(fn, &value, fn->height), to = wop_destination(fn, WA_V128, &value);
    wop_put_two(fn, row->opcode, to, from);
    if (row->second != 0)
        wop_put_two(fn, row->second, to, to);
    wop_finish(fn, WA_V128, to);
}

/* ---- the table ----------------------------------------------------------------------------------------------------------- */

#define ROW(name) [WA_OP_##name & 0xffff]
#define BARE(name, put) ROW(name) = {put, 0, 0, 0, 0}
#define WITH(name, put, code) ROW(name) = {put, code, 0, 0, 0}
#define TWO(name, code) WITH(name, put_two, code)
#define TWO_FLAGS(name, code, flags) ROW(name) = {put_two, code, 0, 0, flags}
#define ONE(name, code) WITH(name, put_one, code)
#define ONE_MORE(name, code, second) ROW(name) = {put_one, code, second, 0, 0}
#define LOAD(name, code, size_bytes, second) ROW(name) = {wop_put_vector_load, code, second, size_bytes, 0}
#define LANE_ACCESSES(bits, size) \
    ROW(V128_LOAD##bits##_SPLAT) = {wop_put_vector_load, N_LOAD(size), 0, bits / 8, WA_SPLAT}, \
    ROW(V128_LOAD##bits##_LANE) = {wop_put_lane_load, N_LOAD(size), 0, bits / 8, 0}, \
    ROW(V128_STORE##bits##_LANE) = {wop_put_lane_store, N_STORE(size), 0, bits / 8, 0}

/* Loads and stores without sign extension, of 1 << size bytes, in the form with an unsigned scaled offset. */
#define N_LOAD(size) (UINT32_C(0x3d400000) | (uint32_t)(size) << 30)
#define N_STORE(size) (UINT32_C(0x3d000000) | (uint32_t)(size) << 30)
#define N_LOAD_WHOLE UINT32_C(0x3dc00000)
/* Lanes of the low half, or with WA_UPPER of the high one, as such of twice the width: a shift to the left by 0. */
#define N_EXTEND(u, size) (UINT32_C(0x0f00a400) | (uint32_t)(u) << 29 | UINT32_C(1) << (19 + (size)))

/* What i8x16, i16x8, i32x4 and i64x2 have in the same way. */
#define INTEGERS(shape, size) \
    TWO(shape##_ADD, N_ADD(size)), TWO(shape##_SUB, N_SAME(1, size, 0x10)), \
    ONE(shape##_ABS, N_MISC(0, size, 0x0b)), ONE(shape##_NEG, N_MISC(1, size, 0x0b)), \
    TWO(shape##_EQ, N_SAME(1, size, 0x11)), TWO_FLAGS(shape##_NE, N_SAME(1, size, 0x11), WA_INVERTED), \
    TWO(shape##_GT_S, N_SAME(0, size, 0x06)), TWO_FLAGS(shape##_LT_S, N_SAME(0, size, 0x06), WA_EXCHANGED), \
    TWO(shape##_GE_S, N_SAME(0, size, 0x07)), TWO_FLAGS(shape##_LE_S, N_SAME(0, size, 0x07), WA_EXCHANGED), \
    ROW(shape##_SHL) = {wop_put_shift, N_SHIFT(1, size), N_SHL, size, 0}, \
    ROW(shape##_SHR_S) = {wop_put_shift, N_SHIFT(0, size), N_SHR(0), size, 0}, \
    ROW(shape##_SHR_U) = {wop_put_shift, N_SHIFT(1, size), N_SHR(1), size, 0}, \
    WITH(shape##_ALL_TRUE, wop_put_all_true, N_CMEQ_ZERO(size)), \
    ROW(shape##_BITMASK) = {wop_put_bitmask, N_CMLT_ZERO(size), N_ADDP(size), size, 0}, \
    ROW(shape##_SPLAT) = {wop_put_integer_splat, 0, 0, size, 0}, \
    ROW(shape##_REPLACE_LANE) = {wop_put_replacement, N_INSERT, 0, size, 0}, \
    BARE(shape##_RELAXED_LANESELECT, wop_put_bitselect)

/* What all but i64x2 have. */
#define SMALL_INTEGERS(shape, size) \
    TWO(shape##_GT_U, N_SAME(1, size, 0x06)), TWO_FLAGS(shape##_LT_U, N_SAME(1, size, 0x06), WA_EXCHANGED), \
    TWO(shape##_GE_U, N_SAME(1, size, 0x07)), TWO_FLAGS(shape##_LE_U, N_SAME(1, size, 0x07), WA_EXCHANGED), \
    TWO(shape##_MIN_S, N_SAME(0, size, 0x0d)), TWO(shape##_MIN_U, N_SAME(1, size, 0x0d)), \
    TWO(shape##_MAX_S, N_SAME(0, size, 0x0c)), TWO(shape##_MAX_U, N_SAME(1, size, 0x0c))

/* What i8x16 and i16x8 have. */
#define TINY_INTEGERS(shape, size) \
    TWO(shape##_ADD_SAT_S, N_SAME(0, size, 0x01)), TWO(shape##_ADD_SAT_U, N_SAME(1, size, 0x01)), \
    TWO(shape##_SUB_SAT_S, N_SAME(0, size, 0x05)), TWO(shape##_SUB_SAT_U, N_SAME(1, size, 0x05)), \
    TWO(shape##_AVGR_U, N_SAME(1, size, 0x02)), \
    ROW(shape##_EXTRACT_LANE_S) = {wop_put_integer_lane, N_LANE_S, 0, size, 0}, \
    ROW(shape##_EXTRACT_LANE_U) = {wop_put_integer_lane, N_LANE_U, 0, size, 0}

/* From lanes of a size to such of twice the width. */
#define EXTENSIONS(wide, narrow, size) \
    ONE(wide##_EXTEND_LOW_##narrow##_S, N_EXTEND(0, size)), ONE(wide##_EXTEND_LOW_##narrow##_U, N_EXTEND(1, size)), \
    ONE(wide##_EXTEND_HIGH_##narrow##_S, N_EXTEND(0, size) | WA_UPPER), \
    ONE(wide##_EXTEND_HIGH_##narrow##_U, N_EXTEND(1, size) | WA_UPPER), \
    TWO(wide##_EXTMUL_LOW_##narrow##_S, N_PRODUCT(0, size)), TWO(wide##_EXTMUL_LOW_##narrow##_U, N_PRODUCT(1, size)), \
    TWO(wide##_EXTMUL_HIGH_##narrow##_S, N_PRODUCT(0, size) | WA_UPPER), \
    TWO(wide##_EXTMUL_HIGH_##narrow##_U, N_PRODUCT(1, size) | WA_UPPER)

/* fmin and fmax are the strict operators; the relaxed ones do the same at all levels. */
#define FLOATS(shape, is_double) \
    TWO(shape##_ADD, N_FLOAT(0, 0, is_double, 0x1a)), TWO(shape##_SUB, N_FLOAT(0, 1, is_double, 0x1a)), \
    TWO(shape##_MUL, N_FLOAT(1, 0, is_double, 0x1b)), TWO(shape##_DIV, N_FLOAT(1, 0, is_double, 0x1f)), \
    TWO(shape##_MIN, N_FLOAT(0, 1, is_double, 0x1e)), TWO(shape##_MAX, N_FLOAT(0, 0, is_double, 0x1e)), \
    TWO(shape##_RELAXED_MIN, N_FLOAT(0, 1, is_double, 0x1e)), TWO(shape##_RELAXED_MAX, N_FLOAT(0, 0, is_double, 0x1e)), \
    TWO(shape##_EQ, N_FLOAT(0, 0, is_double, 0x1c)), TWO_FLAGS(shape##_NE, N_FLOAT(0, 0, is_double, 0x1c), WA_INVERTED), \
    TWO(shape##_GT, N_FLOAT(1, 1, is_double, 0x1c)), TWO_FLAGS(shape##_LT, N_FLOAT(1, 1, is_double, 0x1c), WA_EXCHANGED), \
    TWO(shape##_GE, N_FLOAT(1, 0, is_double, 0x1c)), TWO_FLAGS(shape##_LE, N_FLOAT(1, 0, is_double, 0x1c), WA_EXCHANGED), \
    WITH(shape##_PMIN, wop_put_pseudo_extremum, N_FLOAT(1, 1, is_double, 0x1c)), \
    ROW(shape##_PMAX) = {wop_put_pseudo_extremum, N_FLOAT(1, 1, is_double, 0x1c), 0, 0, WA_EXCHANGED}, \
    WITH(shape##_RELAXED_MADD, wop_put_multiply_add, N_FLOAT(0, 0, is_double, 0x19)), \
    WITH(shape##_RELAXED_NMADD, wop_put_multiply_add, N_FLOAT(0, 1, is_double, 0x19)), \
    ONE(shape##_ABS, N_FLOAT_MISC(0, 1, is_double, 0x0f)), ONE(shape##_NEG, N_FLOAT_MISC(1, 1, is_double, 0x0f)), \
    ONE(shape##_SQRT, N_FLOAT_MISC(1, 1, is_double, 0x1f)), ONE(shape##_NEAREST, N_FLOAT_MISC(0, 0, is_double, 0x18)), \
    ONE(shape##_FLOOR, N_FLOAT_MISC(0, 0, is_double, 0x19)), ONE(shape##_CEIL, N_FLOAT_MISC(0, 1, is_double, 0x18)), \
    ONE(shape##_TRUNC, N_FLOAT_MISC(0, 1, is_double, 0x19)), \
    ROW(shape##_SPLAT) = {wop_put_float_splat, 0, 0, N_32 + (is_double), 0}, \
    ROW(shape##_EXTRACT_LANE) = {wop_put_float_lane, 0, 0, N_32 + (is_double), 0}, \
    ROW(shape##_REPLACE_LANE) = {wop_put_replacement, N_INSERT_LANE, 0, N_32 + (is_double), 0}

/* Floats to integers: what does not fit becomes the nearest number that does, a NaN 0. Those of f64 become narrow then. */
#define TRUNCATIONS(name_f32, name_f64, sign, u, narrow) \
    ONE(name_f32##_##sign, N_FLOAT_MISC(u, 1, 0, 0x1b)), \
    ONE_MORE(name_f64##_##sign##_ZERO, N_FLOAT_MISC(u, 1, 1, 0x1b), (narrow) ^ WA_UPPER)
#define N_NARROW_S(size) N_MISC(0, size, 0x14)
#define N_NARROW_U(size) N_MISC(1, size, 0x14)
#define N_NARROW_S_TO_U(size) N_MISC(1, size, 0x12)
#define N_TO_FLOAT(u, is_double) N_FLOAT_MISC(u, 0, is_double, 0x1d)

static const wop_vector_row rows[] = {
    LOAD(V128_LOAD, N_LOAD_WHOLE, 16, 0), ROW(V128_STORE) = {wop_put_vector_store, 0, 0, 16, 0},
    LOAD(V128_LOAD8X8_S, N_LOAD(N_64), 8, N_EXTEND(0, N_8)), LOAD(V128_LOAD8X8_U, N_LOAD(N_64), 8, N_EXTEND(1, N_8)),
    LOAD(V128_LOAD16X4_S, N_LOAD(N_64), 8, N_EXTEND(0, N_16)), LOAD(V128_LOAD16X4_U, N_LOAD(N_64), 8, N_EXTEND(1, N_16)),
    LOAD(V128_LOAD32X2_S, N_LOAD(N_64), 8, N_EXTEND(0, N_32)), LOAD(V128_LOAD32X2_U, N_LOAD(N_64), 8, N_EXTEND(1, N_32)),
    LOAD(V128_LOAD32_ZERO, N_LOAD(N_32), 4, 0), LOAD(V128_LOAD64_ZERO, N_LOAD(N_64), 8, 0),
    LANE_ACCESSES(8, N_8), LANE_ACCESSES(16, N_16), LANE_ACCESSES(32, N_32), LANE_ACCESSES(64, N_64),

    BARE(V128_CONST, wop_put_vector_constant), BARE(I8X16_SHUFFLE, wop_put_shuffle),
    BARE(I8X16_SWIZZLE, wop_put_swizzle), BARE(I8X16_RELAXED_SWIZZLE, wop_put_swizzle),
    ROW(I32X4_EXTRACT_LANE) = {wop_put_integer_lane, N_LANE_U, 0, N_32, 0},
    ROW(I64X2_EXTRACT_LANE) = {wop_put_integer_lane, N_LANE_U | WA_UPPER, 0, N_64, 0},

    TWO(V128_AND, N_AND), TWO(V128_ANDNOT, N_SAME(0, 1, 0x03)), TWO(V128_OR, N_SAME(0, 2, 0x03)),
    TWO(V128_XOR, N_SAME(1, 0, 0x03)), ONE(V128_NOT, N_NOT), BARE(V128_BITSELECT, wop_put_bitselect),
    BARE(V128_ANY_TRUE, wop_put_any_true),

    INTEGERS(I8X16, N_8), SMALL_INTEGERS(I8X16, N_8), TINY_INTEGERS(I8X16, N_8),
    INTEGERS(I16X8, N_16), SMALL_INTEGERS(I16X8, N_16), TINY_INTEGERS(I16X8, N_16),
    INTEGERS(I32X4, N_32), SMALL_INTEGERS(I32X4, N_32), INTEGERS(I64X2, N_64),
    TWO(I16X8_MUL, N_MUL(N_16)), TWO(I32X4_MUL, N_MUL(N_32)), BARE(I64X2_MUL, wop_put_quad_product),
    ONE(I8X16_POPCNT, N_MISC(0, 0, 0x05)),
    TWO(I16X8_Q15MULR_SAT_S, N_SAME(1, N_16, 0x16)), TWO(I16X8_RELAXED_Q15MULR_S, N_SAME(1, N_16, 0x16)),
    EXTENSIONS(I16X8, I8X16, N_8), EXTENSIONS(I32X4, I16X8, N_16), EXTENSIONS(I64X2, I32X4, N_32),
    ONE(I16X8_EXTADD_PAIRWISE_I8X16_S, N_PAIR_SUM(0, N_8)), ONE(I16X8_EXTADD_PAIRWISE_I8X16_U, N_PAIR_SUM(1, N_8)),
    ONE(I32X4_EXTADD_PAIRWISE_I16X8_S, N_PAIR_SUM(0, N_16)), ONE(I32X4_EXTADD_PAIRWISE_I16X8_U, N_PAIR_SUM(1, N_16)),
    WITH(I8X16_NARROW_I16X8_S, wop_put_narrowing, N_NARROW_S(N_8)),
    WITH(I8X16_NARROW_I16X8_U, wop_put_narrowing, N_NARROW_S_TO_U(N_8)),
    WITH(I16X8_NARROW_I32X4_S, wop_put_narrowing, N_NARROW_S(N_16)),
    WITH(I16X8_NARROW_I32X4_U, wop_put_narrowing, N_NARROW_S_TO_U(N_16)),
    ROW(I32X4_DOT_I16X8_S) = {wop_put_dot, N_PRODUCT(0, N_16), N_ADDP(N_32), 0, 0},
    ROW(I16X8_RELAXED_DOT_I8X16_I7X16_S) = {wop_put_dot, N_PRODUCT(0, N_8), N_ADDP(N_16), 0, 0},
    ROW(I32X4_RELAXED_DOT_I8X16_I7X16_ADD_S) = {wop_put_dot, N_PRODUCT(0, N_8), N_ADDP(N_16), 1, 0},

    FLOATS(F32X4, 0), FLOATS(F64X2, 1),
    ONE(F32X4_CONVERT_I32X4_S, N_TO_FLOAT(0, 0)), ONE(F32X4_CONVERT_I32X4_U, N_TO_FLOAT(1, 0)),
    ONE_MORE(F64X2_CONVERT_LOW_I32X4_S, N_EXTEND(0, N_32), N_TO_FLOAT(0, 1)),
    ONE_MORE(F64X2_CONVERT_LOW_I32X4_U, N_EXTEND(1, N_32), N_TO_FLOAT(1, 1)),
    ONE(F64X2_PROMOTE_LOW_F32X4, N_MISC(0, 1, 0x17) ^ WA_UPPER), ONE(F32X4_DEMOTE_F64X2_ZERO, N_MISC(0, 1, 0x16) ^ WA_UPPER),
    TRUNCATIONS(I32X4_TRUNC_SAT_F32X4, I32X4_TRUNC_SAT_F64X2, S, 0, N_NARROW_S(N_32)),
    TRUNCATIONS(I32X4_TRUNC_SAT_F32X4, I32X4_TRUNC_SAT_F64X2, U, 1, N_NARROW_U(N_32)),
    TRUNCATIONS(I32X4_RELAXED_TRUNC_F32X4, I32X4_RELAXED_TRUNC_F64X2, S, 0, N_NARROW_S(N_32)),
    TRUNCATIONS(I32X4_RELAXED_TRUNC_F32X4, I32X4_RELAXED_TRUNC_F64X2, U, 1, N_NARROW_U(N_32)),
};

void wop_vector(wop_function *fn)
{
    wop_put_row(fn, rows, sizeof rows / sizeof rows[0]);
}
