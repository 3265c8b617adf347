/* What the files of vector operators have in common on aarch64: NEON's instructions (Arm ARM DDI 0487, section C4.1). */
#ifndef WA_ONEPASS_VECTORS_H
#define WA_ONEPASS_VECTORS_H

#include "vector_rows.h"

enum {
    WA_EXCHANGED = 1, /* operands change places */
    WA_INVERTED = 2,  /* all bits of the result change */
    WA_SPLAT = 4,     /* the loaded lane goes to all lanes */
};

/* Widths of lanes, as most instructions have them: log2 of bytes. */
enum { N_8, N_16, N_32, N_64 };

/* Forms of instructions, by their fields: U, size, opcode. Three vectors of one shape; one or two of them; two vectors whose
 * low halves, or with WA_UPPER high ones, give lanes of twice the width; lanes of two vectors in another order. */
#define N_SAME(u, size, code) (UINT32_C(0x4e200400) | (uint32_t)(u) << 29 | (uint32_t)(size) << 22 | (uint32_t)(code) << 11)
#define N_MISC(u, size, code) (UINT32_C(0x4e200800) | (uint32_t)(u) << 29 | (uint32_t)(size) << 22 | (uint32_t)(code) << 12)
#define N_LONG(u, size, code) (UINT32_C(0x0e200000) | (uint32_t)(u) << 29 | (uint32_t)(size) << 22 | (uint32_t)(code) << 12)
#define N_PERMUTE(size, code) (UINT32_C(0x4e000800) | (uint32_t)(size) << 22 | (uint32_t)(code) << 12)
#define WA_UPPER (UINT32_C(1) << 30)
/* From bit 1 of the size: the other of two instructions on floats. */
#define N_FLOAT(u, is_other, is_double, code) N_SAME(u, (is_other) << 1 | (is_double), code)
#define N_FLOAT_MISC(u, is_other, is_double, code) N_MISC(u, (is_other) << 1 | (is_double), code)

/* Instructions that sequences are made of. The first ones are for all shapes alike. */
#define N_NOT N_MISC(1, 0, 0x05)
#define N_AND N_SAME(0, 0, 0x03)
#define N_BSL N_SAME(1, 1, 0x03) /* where rd has ones it takes rn, elsewhere rm */
#define N_BIT N_SAME(1, 2, 0x03) /* where rm has ones rd takes rn */
#define N_BIF N_SAME(1, 3, 0x03) /* where rm has zeros rd takes rn */
#define N_ADD(size) N_SAME(0, size, 0x10)
#define N_ADDP(size) N_SAME(0, size, 0x17)
#define N_UMAXP(size) N_SAME(1, size, 0x14)
#define N_MUL(size) N_SAME(0, size, 0x13)
#define N_CMLT_ZERO(size) N_MISC(0, size, 0x0a)
#define N_CMEQ_ZERO(size) N_MISC(0, size, 0x09)
#define N_SHIFT(u, size) N_SAME(u, size, 0x08) /* by the lanes of rm, to the right where they are negative */
#define N_PAIR_SUM(u, size) N_MISC(u, size, 0x02)
#define N_NARROW(size) (N_MISC(0, size, 0x12) ^ WA_UPPER)
#define N_PRODUCT(u, size) N_LONG(u, size, 0x0c)
#define N_SHLL_32 (N_MISC(1, N_32, 0x13) ^ WA_UPPER)
#define N_REVERSE_IN_64(size) N_MISC(0, size, 0x00)

/* Shifts by a constant in bits 16 to 22: lane's bits + count, or 2 * lane's bits - count. */
#define N_SHL UINT32_C(0x4f005400)
#define N_SHR(u) (UINT32_C(0x4f000400) | (uint32_t)(u) << 29)

/* With wop_lane_field: an integer register or a lane as all lanes; a register or the lowest lane as a lane; a lane as a scalar,
 * and as an integer with its sign or zeros above. Lanes of 64 bits as integers: with WA_UPPER. */
#define N_SPLAT UINT32_C(0x4e000c00)
#define N_SPLAT_LANE UINT32_C(0x4e000400)
#define N_INSERT UINT32_C(0x4e001c00)
#define N_INSERT_LANE UINT32_C(0x6e000400)
#define N_LANE UINT32_C(0x5e000400)
#define N_LANE_S UINT32_C(0x0e002c00)
#define N_LANE_U UINT32_C(0x0e003c00)

/* The field of a lane's size and number, in bits 16 to 20. */
static inline uint32_t wop_lane_field(unsigned size, unsigned lane)
{
    return (uint32_t)(((lane << 1 | 1) << size) << 16);
}

/* The register to write before `later` is read, and then to move to `to`: another one where these are the same. */
static inline wop_register wop_working(wop_register to, wop_register later)
{
    return to == later ? (wop_register)WA_VECTOR_SCRATCH : to;
}

/* Nothing where they are the same. */
static inline void wop_copy_vector(wop_function *fn, wop_register to, wop_register from)
{
    if (to != from)
        wop_move(fn, true, to, from);
}

/* lanes.c */
void wop_put_swizzle(wop_function *fn, const wop_vector_row *row);
void wop_put_integer_splat(wop_function *fn, const wop_vector_row *row);
void wop_put_float_splat(wop_function *fn, const wop_vector_row *row);
void wop_put_integer_lane(wop_function *fn, const wop_vector_row *row);
void wop_put_float_lane(wop_function *fn, const wop_vector_row *row);
void wop_put_replacement(wop_function *fn, const wop_vector_row *row);
void wop_put_any_true(wop_function *fn, const wop_vector_row *row);
void wop_put_all_true(wop_function *fn, const wop_vector_row *row);
void wop_put_bitmask(wop_function *fn, const wop_vector_row *row);

/* vector_arithmetic.c */
void wop_put_bitselect(wop_function *fn, const wop_vector_row *row);
void wop_put_shift(wop_function *fn, const wop_vector_row *row);
void wop_put_quad_product(wop_function *fn, const wop_vector_row *row);
void wop_put_narrowing(wop_function *fn, const wop_vector_row *row);
void wop_put_dot(wop_function *fn, const wop_vector_row *row);
void wop_put_pseudo_extremum(wop_function *fn, const wop_vector_row *row);
void wop_put_multiply_add(wop_function *fn, const wop_vector_row *row);

#endif
