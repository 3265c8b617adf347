/* Integer operators: arithmetic, bits, shifts, division, extensions (Arm ARM, chapter C6). */
#include "machine.h"
#include "operators.h"

/* ---- operands -------------------------------------------------------------------------------------------------------------- */

/* A value in a register. One that was loaded here is noted as the value's, so that the result may take it. */
static wop_register settle(wop_function *fn, wop_value *value, uint32_t height)
{
    wop_register reg = wop_to_register(fn, value, height);
    if (value->place != WA_LOCAL || wop_locals(fn)[value->local].home == WA_NO_REGISTER)
        *value = (wop_value){.place = WA_REGISTER, .type = value->type, .reg = reg};
    return reg;
}

static wop_register settle_a(wop_function *fn, wop_operands *two)
{
    return settle(fn, &two->a, two->height_a);
}

static wop_register settle_b(wop_function *fn, wop_operands *two)
{
    return settle(fn, &two->b, two->height_b);
}

/* The result's register: an operand's, where one is free. */
static wop_register destination(wop_function *fn, uint8_t type, const wop_operands *two)
{
    return wop_destination(fn, type, two->a.place == WA_REGISTER ? &two->a : &two->b);
}

static uint64_t constant_of(const wop_value *value)
{
    return value->type == WA_I32 ? (uint32_t)value->bits : value->bits;
}

/* An instruction with constants in place of its third operand. */
static void finish_one(wop_function *fn, uint32_t opcode, uint8_t type, wop_operands *two)
{
    wop_register a = settle_a(fn, two), to = wop_destination(fn, type, &two->a);
    wop_put_two(fn, opcode | wop_sf(type == WA_I64), to, a);
    wop_finish(fn, type, to);
}

static void finish_two(wop_function *fn, uint32_t opcode, uint8_t type, wop_operands *two)
{
    bool is_zero = two->a.place == WA_CONSTANT && constant_of(&two->a) == 0; /* it negates */
    wop_register a = is_zero ? (wop_register)ZERO : settle_a(fn, two), b = settle_b(fn, two), to = destination(fn, type, two);
    wop_put_three(fn, opcode | wop_sf(type == WA_I64), to, a, b);
    wop_finish(fn, type, to);
}

/* ---- arithmetic ------------------------------------------------------------------------------------------------------------ */

/* Twelve bits, or as many above twelve zeros, as bits 10 to 22. */
static bool add_fields(uint64_t bits, uint32_t *fields)
{
    if (bits < 1 << 12)
        *fields = (uint32_t)bits << 10;
    else if (bits < 1 << 24 && bits % (1 << 12) == 0)
        *fields = (uint32_t)(bits >> 12) << 10 | UINT32_C(1) << 22;
    else
        return false;
    return true;
}

/* The operator with a constant: bits 10 to 22 hold it. A negative one is that of the opposite operator. */
static bool find_immediate(unsigned op, uint8_t type, uint64_t bits, uint32_t *opcode)
{
    static const uint32_t opcodes[] = {[WA_AND] = 0x12000000, [WA_OR] = 0x32000000, [WA_XOR] = 0x52000000};
    uint64_t negative = type == WA_I32 ? (uint32_t)-bits : -bits;
    uint32_t fields, add = 0x11000000, sub = 0x51000000;
    if (op == WA_ADD || op == WA_SUB) {
        if (add_fields(bits, &fields))
            *opcode = (op == WA_ADD ? add : sub) | fields;
        else if (add_fields(negative, &fields))
            *opcode = (op == WA_ADD ? sub : add) | fields;
        else
            return false;
        return true;
    }
    if (!wop_logical_fields(bits, type == WA_I64, &fields))
        return false;
    *opcode = opcodes[op] | fields;
    return true;
}

void wop_put_integer_arithmetic(wop_function *fn, unsigned op, uint8_t type, const wop_operands *operands)
{
    static const uint32_t opcodes[] = {
        [WA_ADD] = 0x0b000000, [WA_SUB] = 0x4b000000, [WA_AND] = 0x0a000000, [WA_OR] = 0x2a000000, [WA_XOR] = 0x4a000000,
    };
    wop_operands two = *operands;
    uint32_t opcode;
    if (two.b.place == WA_CONSTANT && find_immediate(op, type, constant_of(&two.b), &opcode))
        finish_one(fn, opcode, type, &two);
    else
        finish_two(fn, opcodes[op], type, &two);
}

/* ---- shifts ---------------------------------------------------------------------------------------------------------------- */

/* ubfm and sbfm, whose sf comes with N. */
static uint32_t bit_field(bool is_signed, bool is_wide, uint32_t immr, uint32_t imms)
{
    return (is_signed ? UINT32_C(0x13000000) : UINT32_C(0x53000000)) | (is_wide ? UINT32_C(1) << 22 : 0) | immr << 16 | imms << 10;
}

/* By less than the width. */
static void shift_by(wop_function *fn, wop_integer_shift shift, uint8_t type, uint32_t count, wop_operands *two)
{
    bool is_wide = type == WA_I64;
    uint32_t width = is_wide ? 64 : 32, opposite = (width - count) % width;
    if (shift == WA_SHIFT_LEFT) {
        finish_one(fn, bit_field(false, is_wide, opposite, width - 1 - count), type, two);
    } else if (shift == WA_SHIFT_RIGHT || shift == WA_SHIFT_RIGHT_SIGNED) {
        finish_one(fn, bit_field(shift == WA_SHIFT_RIGHT_SIGNED, is_wide, count, width - 1), type, two);
    } else {
        uint32_t right = shift == WA_ROTATE_LEFT ? opposite : count;
        wop_register a = settle_a(fn, two), to = wop_destination(fn, type, &two->a);
        wop_put_three(fn, 0x13800000 | (is_wide ? UINT32_C(1) << 22 : 0) | right << 10 | wop_sf(is_wide), to, a, a); /* extr */
        wop_finish(fn, type, to);
    }
}

void wop_put_integer_shift(wop_function *fn, wop_integer_shift shift, uint8_t type, const wop_operands *operands)
{
    static const uint32_t opcodes[] = {
        [WA_SHIFT_LEFT] = 0x1ac02000, [WA_SHIFT_RIGHT_SIGNED] = 0x1ac02800, [WA_SHIFT_RIGHT] = 0x1ac02400,
        [WA_ROTATE_LEFT] = 0x1ac02c00, [WA_ROTATE_RIGHT] = 0x1ac02c00,
    };
    wop_operands two = *operands;
    if (two.b.place == WA_CONSTANT) {
        shift_by(fn, shift, type, (uint32_t)two.b.bits % (type == WA_I64 ? 64 : 32), &two);
        return;
    }
    wop_register a = settle_a(fn, &two), b = settle_b(fn, &two), to = destination(fn, type, &two);
    if (shift == WA_ROTATE_LEFT) { /* to the right by as much less than the width */
        wop_put_three(fn, 0x4b000000, WA_SCRATCH, ZERO, b);
        b = WA_SCRATCH;
    }
    wop_put_three(fn, opcodes[shift] | wop_sf(type == WA_I64), to, a, b);
    wop_finish(fn, type, to);
}

/* ---- multiplication and division ------------------------------------------------------------------------------------------- */

enum { MADD = 0x1b000000, MSUB = 0x1b008000, RA = 10 };

void wop_put_integer_multiplication(wop_function *fn, uint8_t type, const wop_operands *operands)
{
    wop_operands two = *operands;
    uint64_t bits = constant_of(&two.b);
    if (two.b.place == WA_CONSTANT && bits != 0 && (bits & (bits - 1)) == 0)
        shift_by(fn, WA_SHIFT_LEFT, type, (uint32_t)__builtin_ctzll(bits), &two);
    else
        finish_two(fn, MADD | ZERO << RA, type, &two);
}

/* MIN / -1 overflows; MIN % -1 is 0 by itself. */
static void check_overflow(wop_function *fn, bool is_wide, wop_register a, wop_register by)
{
    uint32_t sf = wop_sf(is_wide);
    wop_put_two(fn, 0x31000400 | sf, ZERO, by);                     /* cmn by, #1 */
    wop_put_two(fn, 0x7a410800 | (uint32_t)EQUAL << 12 | sf, 0, a); /* ccmp a, #1, #0, eq: MIN - 1 overflows */
    wop_trap_if(fn, OVERFLOW, WA_TRAP_INTEGER_OVERFLOW);
}

void wop_put_integer_division(wop_function *fn, uint8_t type, bool is_signed, bool is_remainder, const wop_operands *operands)
{
    bool is_wide = type == WA_I64;
    wop_operands two = *operands;
    uint64_t known = wop_known_divisor(&two), minus_one = is_wide ? UINT64_MAX : UINT32_MAX;
    uint32_t divide = (is_signed ? UINT32_C(0x1ac00c00) : UINT32_C(0x1ac00800)) | wop_sf(is_wide);
    wop_register a = settle_a(fn, &two), by = settle_b(fn, &two);
    if (known == 0) {
        wop_test(fn, is_wide, by);
        wop_trap_if(fn, EQUAL, WA_TRAP_INTEGER_DIVIDE_BY_ZERO);
    }
    if (is_signed && !is_remainder && (known == 0 || known == minus_one))
        check_overflow(fn, is_wide, a, by);
    wop_register to = destination(fn, type, &two);
    wop_put_three(fn, divide, is_remainder ? WA_SCRATCH : to, a, by);
    if (is_remainder)
        wop_put_three(fn, MSUB | (uint32_t)a << RA | wop_sf(is_wide), to, WA_SCRATCH, by); /* a - quotient * by */
    wop_finish(fn, type, to);
}

/* ---- bits ------------------------------------------------------------------------------------------------------------------ */

/* Only vectors have an instruction for it, by bytes. */
static void put_ones(wop_function *fn, bool is_wide, wop_register to, wop_register from)
{
    wop_move_bits(fn, is_wide, WA_VECTOR_SCRATCH, from);
    wop_put_two(fn, 0x0e205800, WA_VECTOR_SCRATCH, WA_VECTOR_SCRATCH); /* cnt v.8b */
    wop_put_two(fn, 0x0e31b800, WA_VECTOR_SCRATCH, WA_VECTOR_SCRATCH); /* addv b, v.8b */
    wop_move_bits(fn, false, to, WA_VECTOR_SCRATCH);
}

void wop_put_integer_bit_count(wop_function *fn, wop_bit_count count, uint8_t type, const wop_value *value)
{
    const uint32_t clz = 0x5ac01000, rbit = 0x5ac00000, sf = wop_sf(type == WA_I64);
    wop_value here = *value;
    wop_register from = settle(fn, &here, fn->height), to = wop_destination(fn, type, &here);
    if (count == WA_ONES) {
        put_ones(fn, type == WA_I64, to, from);
    } else if (count == WA_LEADING_ZEROS) {
        wop_put_two(fn, clz | sf, to, from);
    } else {
        wop_put_two(fn, rbit | sf, to, from);
        wop_put_two(fn, clz | sf, to, to);
    }
    wop_finish(fn, type, to);
}

void wop_put_integer_extension(wop_function *fn, uint32_t size_bytes, uint8_t type, const wop_value *value)
{
    bool is_wide = type == WA_I64;
    wop_value here = *value;
    wop_register from = settle(fn, &here, fn->height), to = wop_destination(fn, type, &here);
    wop_put_two(fn, bit_field(true, is_wide, 0, 8 * size_bytes - 1) | wop_sf(is_wide), to, from);
    wop_finish(fn, type, to);
}
