/* Float operators, and conversions between integers and floats (Arm ARM, chapter C7). */
#include "machine.h"
#include "operators.h"

/* How an instruction tells f32 from f64. */
static uint32_t sized(bool is_double)
{
    return is_double ? UINT32_C(1) << 22 : 0;
}

/* ---- operators ------------------------------------------------------------------------------------------------------------- */

static void put_unary(wop_function *fn, uint32_t opcode, bool is_double)
{
    uint8_t type = wop_float_type(is_double);
    wop_value value = wop_pop(fn);
    wop_register from = wop_to_register(fn, &value, fn->height), to = wop_destination(fn, type, &value);
    wop_put_two(fn, opcode | sized(is_double), to, from);
    wop_finish(fn, type, to);
}

static void put_binary(wop_function *fn, uint32_t opcode, bool is_double)
{
    uint8_t type = wop_float_type(is_double);
    wop_value b = wop_pop(fn), a = wop_pop(fn);
    wop_register first = wop_to_register(fn, &a, fn->height), second = wop_to_register(fn, &b, fn->height + 1);
    wop_register to = wop_destination(fn, type, a.place == WA_REGISTER ? &a : &b);
    wop_put_three(fn, opcode | sized(is_double), to, first, second);
    wop_finish(fn, type, to);
}

/* The sign is shifted down to the lowest bit, and inserted from there. */
static void put_copysign(wop_function *fn, bool is_double)
{
    const uint32_t ushr = is_double ? 0x7f410400 : 0x2f210400, sli = is_double ? 0x7f7f5400 : 0x2f3f5400; /* by 63; of 2s, by 31 */
    uint8_t type = wop_float_type(is_double);
    wop_value b = wop_pop(fn), a = wop_pop(fn);
    wop_register from = wop_to_register(fn, &a, fn->height), sign = wop_to_register(fn, &b, fn->height + 1);
    wop_register to = wop_destination(fn, type, &a);
    wop_put_two(fn, ushr, WA_VECTOR_SCRATCH, sign);
    if (to != from)
        wop_move(fn, is_double, to, from);
    wop_put_two(fn, sli, to, WA_VECTOR_SCRATCH);
    wop_finish(fn, type, to);
}

void wop_put_float_operator(wop_function *fn, bool is_double, uint32_t position)
{
    /* fabs fneg frintp frintm frintz frintn fsqrt; fadd fsub fmul fdiv fmin fmax, which treat NaNs and zeros as wasm does */
    static const uint32_t opcodes[] = {
        0x1e20c000, 0x1e214000, 0x1e24c000, 0x1e254000, 0x1e25c000, 0x1e244000, 0x1e21c000,
        0x1e202800, 0x1e203800, 0x1e200800, 0x1e201800, 0x1e205800, 0x1e204800,
    };
    enum { FIRST_BINARY = 7, COPYSIGN = sizeof opcodes / sizeof opcodes[0] };
    if (position == COPYSIGN)
        put_copysign(fn, is_double);
    else if (position < FIRST_BINARY)
        put_unary(fn, opcodes[position], is_double);
    else
        put_binary(fn, opcodes[position], is_double);
}

/* ---- comparisons ----------------------------------------------------------------------------------------------------------- */

enum { FCMP = 0x1e202000, FCMP_ZERO = 0x1e202008 };

void wop_compare_float(wop_function *fn, bool is_double, wop_register reg, uint64_t bits)
{
    wop_load_constant(fn, wop_float_type(is_double), WA_VECTOR_SCRATCH, bits);
    wop_put_three(fn, FCMP | sized(is_double), 0, reg, WA_VECTOR_SCRATCH);
}

void wop_put_float_comparison(wop_function *fn, bool is_double, uint32_t position)
{
    static const uint8_t conditions[] = {EQUAL, NOT_EQUAL, SIGN, GREATER, BELOW_EQUAL, GREATER_EQUAL}; /* eq ne lt gt le ge */
    wop_value b = wop_pop(fn), a = wop_pop(fn);
    wop_register first = wop_to_register(fn, &a, fn->height);
    if (b.place == WA_CONSTANT && b.bits == 0)
        wop_put_two(fn, FCMP_ZERO | sized(is_double), 0, first);
    else
        wop_put_three(fn, FCMP | sized(is_double), 0, first, wop_to_register(fn, &b, fn->height + 1));
    wop_push_comparison(fn, conditions[position]);
}

/* ---- conversions ----------------------------------------------------------------------------------------------------------- */

/* Rounds to zero, gives the nearest integer there is, and 0 for a NaN. */
void wop_put_float_truncation(wop_function *fn, bool is_wide, bool is_signed, bool is_double, wop_register from, wop_register to)
{
    const uint32_t fcvtzs = 0x1e380000, fcvtzu = 0x1e390000;
    wop_put_two(fn, (is_signed ? fcvtzs : fcvtzu) | sized(is_double) | wop_sf(is_wide), to, from);
}

void wop_put_float_saturation(wop_function *fn, bool is_wide, bool is_signed, bool is_double, wop_register from)
{
    uint8_t type = is_wide ? WA_I64 : WA_I32;
    wop_register to = wop_destination(fn, type, NULL);
    wop_put_float_truncation(fn, is_wide, is_signed, is_double, from, to);
    wop_finish(fn, type, to);
}

void wop_put_float_conversion(wop_function *fn, bool is_wide, bool is_signed, bool is_double, wop_register from)
{
    const uint32_t scvtf = 0x1e220000, ucvtf = 0x1e230000;
    uint8_t type = wop_float_type(is_double);
    wop_register to = wop_destination(fn, type, NULL);
    wop_put_two(fn, (is_signed ? scvtf : ucvtf) | sized(is_double) | wop_sf(is_wide), to, from);
    wop_finish(fn, type, to);
}

void wop_put_float_resizing(wop_function *fn, bool to_double, wop_register to, wop_register from)
{
    wop_put_two(fn, to_double ? 0x1e22c000 : 0x1e624000, to, from);
}
