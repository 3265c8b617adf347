/* Float operators, and conversions between integers and floats. */
#include "machine.h"
#include "operators.h"

/* How an instruction tells f32 from f64: by F3 and F2, or by none and 66. */
static uint32_t scalar(bool is_double)
{
    return is_double ? WA_F2 : WA_F3;
}

static uint32_t packed(bool is_double)
{
    return is_double ? WA_66 : 0;
}

static uint64_t sign_bit(bool is_double)
{
    return is_double ? UINT64_C(1) << 63 : UINT64_C(1) << 31;
}

/* ---- arithmetic ------------------------------------------------------------------------------------------------------- */

static void put_binary(wop_function *fn, uint32_t opcode, bool is_double, bool is_commutative)
{
    uint8_t type = wop_float_type(is_double);
    wop_operand second;
    wop_register to = wop_prepare_two(fn, type, is_commutative ? WA_EITHER_ORDER : WA_IN_ORDER, &second);
    wop_x86(fn, scalar(is_double) | WA_MAP_0F | opcode, to, second);
    wop_finish(fn, type, to);
}

/* min and max (section 4.3.3.10): a NaN if there is one, and zeros by their signs. */
static void put_extremum(wop_function *fn, bool is_double, bool is_max)
{
    uint8_t type = wop_float_type(is_double);
    wop_value b = wop_pop(fn), a = wop_pop(fn);
    uint32_t height = fn->height, differ = 0, unordered = 0, done = 0;
    wop_register by = wop_to_register(fn, &b, height + 1), to = wop_own(fn, &a, height);
    wop_x86(fn, packed(is_double) | WA_MAP_0F | 0x2e, to, wop_reg(by)); /* ucomis */
    wop_jump_if(fn, NOT_EQUAL, &differ);
    wop_jump_if(fn, UNORDERED, &unordered);
    wop_x86(fn, packed(is_double) | WA_MAP_0F | (is_max ? 0x54u : 0x56u), to, wop_reg(by)); /* and, or: the sign decides */
    wop_jump(fn, &done);
    wop_bind(fn, &unordered);
    wop_x86(fn, scalar(is_double) | WA_MAP_0F | 0x58, to, wop_reg(by)); /* add: a NaN of either */
    wop_jump(fn, &done);
    wop_bind(fn, &differ);
    wop_x86(fn, scalar(is_double) | WA_MAP_0F | (is_max ? 0x5fu : 0x5du), to, wop_reg(by));
    wop_bind(fn, &done);
    wop_finish_from(fn, type, to);
}

/* abs, neg: on the bits. */
static void put_sign(wop_function *fn, bool is_double, bool is_negation)
{
    wop_value value = wop_pop(fn);
    wop_register to = wop_own(fn, &value, fn->height);
    uint64_t mask = is_negation ? sign_bit(is_double) : sign_bit(is_double) - 1;
    wop_load(fn, wop_float_type(is_double), WA_VECTOR_SCRATCH, wop_pool(fn, mask));
    wop_x86(fn, packed(is_double) | WA_MAP_0F | (is_negation ? 0x57u : 0x54u), to, wop_reg(WA_VECTOR_SCRATCH));
    wop_finish_from(fn, wop_float_type(is_double), to);
}

static void put_copysign(wop_function *fn, bool is_double)
{
    uint8_t type = wop_float_type(is_double);
    wop_value b = wop_pop(fn), a = wop_pop(fn);
    uint32_t height = fn->height;
    wop_register sign = wop_own(fn, &b, height + 1), to = wop_own(fn, &a, height);
    wop_load(fn, type, WA_VECTOR_SCRATCH, wop_pool(fn, sign_bit(is_double)));
    wop_x86(fn, packed(is_double) | WA_MAP_0F | 0x54, sign, wop_reg(WA_VECTOR_SCRATCH));
    wop_x86(fn, packed(is_double) | WA_MAP_0F | 0x55, WA_VECTOR_SCRATCH, wop_reg(to)); /* andn: ~mask & a */
    wop_x86(fn, packed(is_double) | WA_MAP_0F | 0x56, WA_VECTOR_SCRATCH, wop_reg(sign));
    wop_move(fn, true, to, WA_VECTOR_SCRATCH);
    wop_finish_from(fn, type, to);
}

/* ceil, floor, trunc, nearest by roundss; sqrt. */
static void put_rounding(wop_function *fn, bool is_double, uint32_t position)
{
    static const uint8_t modes[] = {[2] = 0x0a, [3] = 0x09, [4] = 0x0b, [5] = 0x08}; /* inexact is not told */
    uint8_t type = wop_float_type(is_double);
    wop_value value = wop_pop(fn);
    wop_operand from = wop_operand_of(fn, &value, fn->height);
    wop_register to = wop_destination(fn, type, &value);
    if (from.kind != WA_IN_REGISTER || from.reg != to)
        wop_x86(fn, WA_MAP_0F | 0x57, to, wop_reg(to)); /* else it waits for who wrote the register last */
    if (position == 6)
        wop_x86(fn, scalar(is_double) | WA_MAP_0F | 0x51, to, from);
    else
        wop_x86_imm8(fn, WA_66 | WA_MAP_0F3A | (is_double ? 0x0bu : 0x0au), to, from, modes[position]);
    wop_finish(fn, type, to);
}

/* ---- comparisons ------------------------------------------------------------------------------------------------------- */

void wop_put_float_comparison(wop_function *fn, bool is_double, uint32_t position)
{
    /* eq ne lt gt le ge; less is asked as greater of exchanged operands, which is false for a NaN. */
    static const uint8_t conditions[] = {FLOAT_EQUAL, FLOAT_NOT_EQUAL, ABOVE, ABOVE, ABOVE_EQUAL, ABOVE_EQUAL};
    bool is_exchanged = position == 2 || position == 4;
    wop_value b = wop_pop(fn), a = wop_pop(fn);
    uint32_t height = fn->height;
    const wop_value *first = is_exchanged ? &b : &a, *second = is_exchanged ? &a : &b;
    wop_register left = wop_to_register(fn, first, is_exchanged ? height + 1 : height);
    wop_operand right = wop_operand_of(fn, second, is_exchanged ? height : height + 1);
    wop_x86(fn, packed(is_double) | WA_MAP_0F | 0x2e, left, right);
    wop_push_comparison(fn, conditions[position]);
}

/* The seven unary and seven binary operators, in the order of their opcodes. */
void wop_put_float_operator(wop_function *fn, bool is_double, uint32_t position)
{
    static const uint32_t binary[] = {0x58, 0x5c, 0x59, 0x5e}; /* add sub mul div */
    switch (position) {
    case 0:
    case 1:
        put_sign(fn, is_double, position == 1);
        return;
    case 7:
    case 8:
    case 9:
    case 10:
        put_binary(fn, binary[position - 7], is_double, position == 7 || position == 9);
        return;
    case 11:
    case 12:
        put_extremum(fn, is_double, position == 12);
        return;
    case 13:
        put_copysign(fn, is_double);
        return;
    default:
        put_rounding(fn, is_double, position);
    }
}

/* ---- conversions --------------------------------------------------------------------------------------------------------- */

void wop_compare_float(wop_function *fn, bool is_double, wop_register reg, uint64_t bits)
{
    wop_x86(fn, packed(is_double) | WA_MAP_0F | 0x2e, reg, wop_pool(fn, bits)); /* ucomis */
}

/* A u64 above 2**63 is converted less 2**63. */
void wop_put_float_truncation(wop_function *fn, bool is_wide, bool is_signed, bool is_double, wop_register from, wop_register to)
{
    uint32_t convert = scalar(is_double) | WA_MAP_0F | 0x2c, large = 0, done = 0;
    if (is_signed || !is_wide) {
        wop_x86(fn, convert | wop_wide(is_wide || !is_signed), to, wop_reg(from)); /* a u32 is an i64 */
        if (!is_signed)
            wop_move(fn, false, to, to);
        return;
    }
    uint64_t half = wop_bounds_of(true, true, is_double).upper;
    wop_compare_float(fn, is_double, from, half);
    wop_jump_if(fn, ABOVE_EQUAL, &large);
    wop_x86(fn, convert | WA_WIDE, to, wop_reg(from));
    wop_jump(fn, &done);
    wop_bind(fn, &large);
    wop_move(fn, true, WA_VECTOR_SCRATCH, from);
    wop_x86(fn, scalar(is_double) | WA_MAP_0F | 0x5c, WA_VECTOR_SCRATCH, wop_pool(fn, half));
    wop_x86(fn, convert | WA_WIDE, to, wop_reg(WA_VECTOR_SCRATCH));
    wop_x86_imm8(fn, WA_MAP_0F | 0xba | WA_WIDE, 7, wop_reg(to), 63); /* btc */
    wop_bind(fn, &done);
}

void wop_put_float_saturation(wop_function *fn, bool is_wide, bool is_signed, bool is_double, wop_register from)
{
    wop_bounds allowed = wop_bounds_of(is_wide, is_signed, is_double);
    uint32_t unordered = 0, below = 0, above = 0, done[3] = {0};
    uint8_t type = is_wide ? WA_I64 : WA_I32;
    uint64_t half = is_wide ? UINT64_C(1) << 63 : UINT64_C(1) << 31, all = is_wide ? UINT64_MAX : UINT32_MAX;
    wop_register to = wop_allocate(fn, false, 0);
    wop_compare_float(fn, is_double, from, allowed.lower);
    wop_jump_if(fn, UNORDERED, &unordered);
    wop_jump_if(fn, allowed.includes_lower ? BELOW : BELOW_EQUAL, &below);
    wop_compare_float(fn, is_double, from, allowed.upper);
    wop_jump_if(fn, ABOVE_EQUAL, &above);
    wop_put_float_truncation(fn, is_wide, is_signed, is_double, from, to);
    wop_jump(fn, &done[0]);
    wop_bind(fn, &unordered);
    wop_load_constant(fn, type, to, 0);
    wop_jump(fn, &done[1]);
    wop_bind(fn, &below);
    wop_load_constant(fn, type, to, is_signed ? half : 0);
    wop_jump(fn, &done[2]);
    wop_bind(fn, &above);
    wop_load_constant(fn, type, to, is_signed ? half - 1 : all);
    for (size_t i = 0; i < sizeof done / sizeof done[0]; i++)
        wop_bind(fn, &done[i]);
    wop_finish_from(fn, type, to);
}

/* From a u64 that is negative as an i64: half of it, rounded to odd, and doubled. */
static void put_large_conversion(wop_function *fn, bool is_double, wop_register from, wop_register to)
{
    wop_register half = wop_allocate(fn, false, 0);
    wop_move(fn, true, half, from);
    wop_move(fn, true, WA_SCRATCH, from);
    wop_x86(fn, 0xd1 | WA_WIDE, 5, wop_reg(half)); /* shr 1 */
    wop_arithmetic_constant(fn, WA_AND, false, wop_reg(WA_SCRATCH), 1);
    wop_arithmetic(fn, WA_OR, true, half, wop_reg(WA_SCRATCH));
    wop_x86(fn, scalar(is_double) | WA_MAP_0F | 0x2a | WA_WIDE, to, wop_reg(half));
    wop_x86(fn, scalar(is_double) | WA_MAP_0F | 0x58, to, wop_reg(to));
}

void wop_put_float_conversion(wop_function *fn, bool is_wide, bool is_signed, bool is_double, wop_register from)
{
    uint32_t opcode = scalar(is_double) | WA_MAP_0F | 0x2a, large = 0, done = 0;
    wop_register to = wop_allocate(fn, true, 0);
    wop_x86(fn, WA_MAP_0F | 0x57, to, wop_reg(to)); /* the conversion keeps the upper half, and would wait for it */
    if (is_signed || !is_wide) {
        wop_x86(fn, opcode | wop_wide(is_wide || !is_signed), to, wop_reg(from));
    } else {
        wop_x86(fn, 0x85 | WA_WIDE, from, wop_reg(from));
        wop_jump_if(fn, SIGN, &large);
        wop_x86(fn, opcode | WA_WIDE, to, wop_reg(from));
        wop_jump(fn, &done);
        wop_bind(fn, &large);
        put_large_conversion(fn, is_double, from, to);
        wop_bind(fn, &done);
    }
    wop_finish_from(fn, wop_float_type(is_double), to);
}

void wop_put_float_resizing(wop_function *fn, bool to_double, wop_register to, wop_register from)
{
    wop_x86(fn, scalar(!to_double) | WA_MAP_0F | 0x5a, to, wop_reg(from));
}
