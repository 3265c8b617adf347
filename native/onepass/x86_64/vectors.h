/* What the files of vector operators have in common on x86-64. */
#ifndef WA_ONEPASS_VECTORS_H
#define WA_ONEPASS_VECTORS_H

#include "vector_rows.h"

enum {
    WA_EITHER = 1,         /* operands may change places */
    WA_EXCHANGED = 2,      /* operands do change places */
    WA_INVERTED = 4,       /* all bits of the result change */
    WA_WITH_IMMEDIATE = 8, /* the instruction has one */
    WA_HIGH = 16,          /* the upper half of the lanes */
    WA_SIGNED = 32,
    WA_SPLAT = 64,
};

/* Instructions with the prefix 66, and without one; by map. */
#define WA_P66(code) (WA_66 | WA_MAP_0F | (uint32_t)(code))
#define WA_P38(code) (WA_66 | WA_MAP_0F38 | (uint32_t)(code))
#define WA_P3A(code) (WA_66 | WA_MAP_0F3A | (uint32_t)(code))
#define WA_PS(code) (WA_MAP_0F | (uint32_t)(code))

/* Instructions that sequences are made of. */
enum {
    X_MOVD = WA_P66(0x6e), X_PSHUFD = WA_P66(0x70), X_PSHUFB = WA_P38(0x00), X_PXOR = WA_P66(0xef), X_PAND = WA_P66(0xdb),
    X_POR = WA_P66(0xeb), X_PANDN = WA_P66(0xdf), X_PCMPEQD = WA_P66(0x76), X_PADDD = WA_P66(0xfe), X_SHUFPS = WA_PS(0xc6),
};

/* Register to register. */
static inline void wop_vector_op(wop_function *fn, uint32_t opcode, wop_register reg, wop_register from)
{
    wop_x86(fn, opcode, reg, wop_reg(from));
}

/* The same bits in all lanes of 64. */
static inline wop_operand wop_splat(wop_function *fn, uint64_t bits)
{
    return wop_pool_vector(fn, bits, bits);
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

/* vector_integers.c */
void wop_put_bitselect(wop_function *fn, const wop_vector_row *row);
void wop_put_shift(wop_function *fn, const wop_vector_row *row);
void wop_put_byte_shift(wop_function *fn, const wop_vector_row *row);
void wop_put_signed_byte_shift(wop_function *fn, const wop_vector_row *row);
void wop_put_signed_quad_shift(wop_function *fn, const wop_vector_row *row);
void wop_put_quad_product(wop_function *fn, const wop_vector_row *row);
void wop_put_quad_abs(wop_function *fn, const wop_vector_row *row);
void wop_put_popcnt(wop_function *fn, const wop_vector_row *row);
void wop_put_extended_product(wop_function *fn, const wop_vector_row *row);
void wop_put_pair_sum(wop_function *fn, const wop_vector_row *row);
void wop_put_q15_product(wop_function *fn, const wop_vector_row *row);
void wop_put_byte_dot(wop_function *fn, const wop_vector_row *row);

/* vector_floats.c */
void wop_put_vector_extremum(wop_function *fn, const wop_vector_row *row);
void wop_put_multiply_add(wop_function *fn, const wop_vector_row *row);
void wop_put_unsigned_conversion(wop_function *fn, const wop_vector_row *row);
void wop_put_truncation_f32(wop_function *fn, const wop_vector_row *row);
void wop_put_truncation_f64(wop_function *fn, const wop_vector_row *row);

#endif
