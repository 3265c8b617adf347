/* What integers.c, floats.c and atomics.c leave to the machine's folder: operators whose operands are known. The result is pushed
 * there. */
#ifndef WA_ONEPASS_OPERATORS_H
#define WA_ONEPASS_OPERATORS_H

#include "emit.h"

/* ---- integers ------------------------------------------------------------------------------------------------------------- */

/* Two popped values; b was above a, unless they were exchanged. */
typedef struct {
    wop_value a, b;
    uint32_t height_a, height_b;
} wop_operands;

static inline bool wop_is_exchanged(const wop_operands *two)
{
    return two->height_a > two->height_b;
}

/* Each in the order of opcodes. */
typedef enum { WA_LEADING_ZEROS, WA_TRAILING_ZEROS, WA_ONES } wop_bit_count;
typedef enum { WA_SHIFT_LEFT, WA_SHIFT_RIGHT_SIGNED, WA_SHIFT_RIGHT, WA_ROTATE_LEFT, WA_ROTATE_RIGHT } wop_integer_shift;

/* The value was popped from fn->height. */
void wop_put_integer_bit_count(wop_function *fn, wop_bit_count count, uint8_t type, const wop_value *value);
/* The low bytes with their sign. */
void wop_put_integer_extension(wop_function *fn, uint32_t size_bytes, uint8_t type, const wop_value *value);
/* op: WA_ADD, WA_SUB, WA_AND, WA_OR, WA_XOR. */
void wop_put_integer_arithmetic(wop_function *fn, unsigned op, uint8_t type, const wop_operands *two);
void wop_put_integer_multiplication(wop_function *fn, uint8_t type, const wop_operands *two);
void wop_put_integer_division(wop_function *fn, uint8_t type, bool is_signed, bool is_remainder, const wop_operands *two);
void wop_put_integer_shift(wop_function *fn, wop_integer_shift shift, uint8_t type, const wop_operands *two);

/* The divisor's constant, or 0 where it may be any. */
static inline uint64_t wop_known_divisor(const wop_operands *two)
{
    uint64_t bits = two->b.type == WA_I32 ? (uint32_t)two->b.bits : two->b.bits;
    return two->b.place == WA_CONSTANT ? bits : 0;
}

/* ---- floats --------------------------------------------------------------------------------------------------------------- */

static inline uint8_t wop_float_type(bool is_double)
{
    return is_double ? WA_F64 : WA_F32;
}

/* Pop operands. position: behind f32.eq; and behind f32.abs. */
void wop_put_float_comparison(wop_function *fn, bool is_double, uint32_t position);
void wop_put_float_operator(wop_function *fn, bool is_double, uint32_t position);

/* What a truncation accepts: above or from lower, and below upper; as bits. */
typedef struct {
    uint64_t lower, upper;
    bool includes_lower;
} wop_bounds;
wop_bounds wop_bounds_of(bool is_wide, bool is_signed, bool is_double);

/* Flags of a comparison with a constant: UNORDERED, and without a NaN as of integers without signs. */
void wop_compare_float(wop_function *fn, bool is_double, wop_register reg, uint64_t bits);
/* Of what is in bounds. from and to are of different kinds. */
void wop_put_float_truncation(wop_function *fn, bool is_wide, bool is_signed, bool is_double, wop_register from, wop_register to);
/* These push the result. */
void wop_put_float_saturation(wop_function *fn, bool is_wide, bool is_signed, bool is_double, wop_register from);
void wop_put_float_conversion(wop_function *fn, bool is_wide, bool is_signed, bool is_double, wop_register from);
/* To an f32 or f64 from the other one. */
void wop_put_float_resizing(wop_function *fn, bool to_double, wop_register to, wop_register from);

/* ---- atomics -------------------------------------------------------------------------------------------------------------- */

typedef struct {
    uint8_t type, size_bytes;
} wop_atomic_form;

/* In the order of opcodes. */
typedef enum {
    WA_ATOMIC_LOAD,
    WA_ATOMIC_STORE,
    WA_ATOMIC_ADD,
    WA_ATOMIC_SUB,
    WA_ATOMIC_AND,
    WA_ATOMIC_OR,
    WA_ATOMIC_XOR,
    WA_ATOMIC_EXCHANGE,
    WA_ATOMIC_COMPARE_EXCHANGE,
} wop_atomic_operation;

/* The address of an access is in the scratch register: its value goes, and what was locked stays so. */
static inline void wop_drop_address(wop_function *fn)
{
    wop_set locked = fn->locked;
    wop_pop(fn);
    fn->locked = locked;
}

/* The address is in the scratch register, which what comes before the access leaves alone, and still a value on the stack, below
 * the other operands: wop_drop_address pops it. A row of the address map comes before the access. */
void wop_put_atomic_load(wop_function *fn, const wop_atomic_form *form);
void wop_put_atomic_store(wop_function *fn, const wop_atomic_form *form);
/* Of the five operators between stores and exchanges, and of exchanges. */
void wop_put_atomic_change(wop_function *fn, const wop_atomic_form *form, wop_atomic_operation operation);
void wop_put_atomic_compare_exchange(wop_function *fn, const wop_atomic_form *form);
void wop_put_fence(wop_function *fn);
/* Flags: EQUAL where none of these low bits of reg + offset is set. Changes the scratch register. */
void wop_test_sum(wop_function *fn, wop_register reg, uint64_t offset, uint8_t bits);

#endif
