/* Integer operators: arithmetic, bits, shifts, division, extensions. */
#include "machine.h"
#include "operators.h"

static bool is_in(wop_function *fn, const wop_value *value, wop_register reg)
{
    return (value->place == WA_REGISTER && value->reg == reg) ||
           (value->place == WA_LOCAL && wop_locals(fn)[value->local].home == reg);
}

/* ---- arithmetic ----------------------------------------------------------------------------------------------------- */

/* A sum of registers or a constant, in a register of its own. */
static bool put_lea(wop_function *fn, bool is_wide, wop_register to, const wop_operands *two)
{
    wop_operand a = wop_operand_of(fn, &two->a, two->height_a);
    if (a.kind != WA_IN_REGISTER || a.reg == to)
        return false;
    if (wop_is_small(&two->b)) {
        wop_x86(fn, 0x8d | wop_wide(is_wide), to, wop_memory(a.reg, (int32_t)two->b.bits));
        return true;
    }
    wop_operand b = wop_operand_of(fn, &two->b, two->height_b);
    if (b.kind != WA_IN_REGISTER || b.reg == to)
        return false;
    wop_x86(fn, 0x8d | wop_wide(is_wide), to, wop_indexed(a.reg, b.reg, 0, 0));
    return true;
}

/* to op= value. */
static void apply(wop_function *fn, unsigned op, bool is_wide, wop_register to, const wop_value *value, uint32_t height)
{
    if (wop_is_small(value))
        wop_arithmetic_constant(fn, op, is_wide, wop_reg(to), (int32_t)value->bits);
    else
        wop_arithmetic(fn, op, is_wide, to, wop_operand_of(fn, value, height));
}

void wop_put_integer_arithmetic(wop_function *fn, unsigned op, uint8_t type, const wop_operands *two)
{
    bool is_wide = type == WA_I64, is_commutative = op != WA_SUB;
    wop_register to = wop_destination(fn, type, &two->a);
    if (is_in(fn, &two->b, to) && !is_in(fn, &two->a, to)) {
        if (is_commutative) {
            apply(fn, op, is_wide, to, &two->a, two->height_a);
            wop_finish(fn, type, to);
            return;
        }
        to = wop_allocate(fn, false, 0);
    }
    if (op == WA_ADD && !wop_is_exchanged(two) && put_lea(fn, is_wide, to, two)) {
        wop_finish(fn, type, to);
        return;
    }
    wop_load_value(fn, to, &two->a, two->height_a);
    apply(fn, op, is_wide, to, &two->b, two->height_b);
    wop_finish(fn, type, to);
}

void wop_put_integer_multiplication(wop_function *fn, uint8_t type, const wop_operands *two)
{
    bool is_wide = type == WA_I64;
    uint32_t multiply = WA_MAP_0F | 0xaf | wop_wide(is_wide);
    wop_register to = wop_destination(fn, type, &two->a);
    if (wop_is_small(&two->b)) {
        uint64_t bits = type == WA_I32 ? (uint32_t)two->b.bits : two->b.bits;
        if (bits != 0 && (bits & (bits - 1)) == 0) {
            wop_load_value(fn, to, &two->a, two->height_a);
            wop_x86_imm8(fn, 0xc1 | wop_wide(is_wide), 4, wop_reg(to), (uint8_t)__builtin_ctzll(bits));
        } else {
            wop_x86_imm32(fn, 0x69 | wop_wide(is_wide), to, wop_operand_of(fn, &two->a, two->height_a), (uint32_t)two->b.bits);
        }
    } else if (is_in(fn, &two->b, to) && !is_in(fn, &two->a, to)) {
        wop_x86(fn, multiply, to, wop_operand_of(fn, &two->a, two->height_a));
    } else {
        wop_load_value(fn, to, &two->a, two->height_a);
        wop_x86(fn, multiply, to, wop_operand_of(fn, &two->b, two->height_b));
    }
    wop_finish(fn, type, to);
}

/* ---- shifts --------------------------------------------------------------------------------------------------------- */

void wop_put_integer_shift(wop_function *fn, wop_integer_shift shift, uint8_t type, const wop_operands *two)
{
    static const uint8_t extensions[] = {4, 7, 5, 0, 1}; /* shl, sar, shr, rol, ror */
    uint32_t wide = wop_wide(type == WA_I64), extension = extensions[shift];
    if (two->b.place == WA_CONSTANT) {
        wop_register to = wop_destination(fn, type, &two->a);
        wop_load_value(fn, to, &two->a, two->height_a);
        wop_x86_imm8(fn, 0xc1 | wide, extension, wop_reg(to), (uint8_t)(two->b.bits & (wide ? 63 : 31)));
        wop_finish(fn, type, to);
        return;
    }
    wop_value a = two->a;
    if (a.place == WA_REGISTER && a.reg == RCX) {
        a.reg = wop_allocate(fn, false, WA_SET(RCX));
        wop_move(fn, true, a.reg, RCX);
    }
    wop_take(fn, RCX);
    wop_load_value(fn, RCX, &two->b, two->height_b);
    wop_register to = wop_destination(fn, type, &a);
    wop_load_value(fn, to, &a, two->height_a);
    wop_x86(fn, 0xd3 | wide, extension, wop_reg(to));
    wop_finish(fn, type, to);
}

/* ---- division ------------------------------------------------------------------------------------------------------- */

/* The divisor in a register that division leaves alone. */
static wop_register divisor(wop_function *fn, const wop_operands *two)
{
    const uint32_t taken = WA_SET(RAX) | WA_SET(RDX);
    wop_operand at = two->b.place == WA_CONSTANT ? wop_memory(RBP, 0) : wop_operand_of(fn, &two->b, two->height_b);
    if (at.kind == WA_IN_REGISTER && !(taken & WA_SET(at.reg)))
        return at.reg;
    wop_register reg = wop_allocate(fn, false, taken);
    wop_load_value(fn, reg, &two->b, two->height_b);
    return reg;
}

/* MIN / -1 overflows; MIN % -1 is 0, but the instruction faults. */
static void check_overflow(wop_function *fn, uint8_t type, wop_register by, bool is_remainder, uint32_t *done)
{
    bool is_wide = type == WA_I64;
    uint32_t fine = 0;
    wop_arithmetic_constant(fn, WA_CMP, is_wide, wop_reg(by), -1);
    wop_jump_if(fn, NOT_EQUAL, &fine);
    if (is_remainder) {
        wop_arithmetic(fn, WA_XOR, false, RDX, wop_reg(RDX));
        wop_jump(fn, done);
    } else {
        wop_load_constant(fn, type, WA_SCRATCH, is_wide ? UINT64_C(1) << 63 : UINT64_C(1) << 31);
        wop_arithmetic(fn, WA_CMP, is_wide, RAX, wop_reg(WA_SCRATCH));
        wop_trap_if(fn, EQUAL, WA_TRAP_INTEGER_OVERFLOW);
    }
    wop_bind(fn, &fine);
}

void wop_put_integer_division(wop_function *fn, uint8_t type, bool is_signed, bool is_remainder, const wop_operands *two)
{
    uint32_t wide = wop_wide(type == WA_I64), done = 0;
    uint64_t known = wop_known_divisor(two);
    wop_register by = divisor(fn, two);
    wop_take(fn, RDX);
    wop_take(fn, RAX);
    wop_load_value(fn, RAX, &two->a, two->height_a);
    if (known == 0) {
        wop_x86(fn, 0x85 | wide, by, wop_reg(by));
        wop_trap_if(fn, EQUAL, WA_TRAP_INTEGER_DIVIDE_BY_ZERO);
    }
    if (is_signed && (known == 0 || (uint32_t)known == UINT32_MAX))
        check_overflow(fn, type, by, is_remainder, &done);
    if (!is_signed) {
        wop_arithmetic(fn, WA_XOR, false, RDX, wop_reg(RDX));
    } else {
        if (wide != 0)
            wop_byte(fn, 0x48);
        wop_byte(fn, 0x99); /* cdq, cqo */
    }
    wop_x86(fn, 0xf7 | wide, is_signed ? 7 : 6, wop_reg(by));
    wop_bind(fn, &done);
    wop_register result = is_remainder ? RDX : RAX;
    wop_value here = {.place = WA_REGISTER, .type = type, .reg = result};
    wop_register to = wop_destination(fn, type, &here);
    if (to != result)
        wop_move(fn, wide != 0, to, result);
    wop_finish(fn, type, to);
}

/* ---- bits ------------------------------------------------------------------------------------------------------------ */

/* bsr and bsf leave their result open for zero. */
static void put_bit_scan(wop_function *fn, uint8_t type, bool is_leading, const wop_value *value)
{
    bool is_wide = type == WA_I64;
    uint32_t wide = wop_wide(is_wide), width = is_wide ? 64 : 32;
    wop_operand from = wop_operand_of(fn, value, fn->height);
    if (is_leading ? fn->module->has_lzcnt : fn->module->has_bmi1) {
        wop_register to = wop_destination(fn, type, value);
        wop_x86(fn, WA_F3 | WA_MAP_0F | (is_leading ? 0xbdu : 0xbcu) | wide, to, from);
        wop_finish(fn, type, to);
        return;
    }
    wop_register to = wop_allocate(fn, false, 0);
    wop_x86(fn, WA_MAP_0F | (is_leading ? 0xbdu : 0xbcu) | wide, to, from);
    wop_load_constant(fn, WA_I32, WA_SCRATCH, is_leading ? 2 * width - 1 : width);
    wop_x86(fn, WA_MAP_0F | 0x40u | EQUAL | wide, to, wop_reg(WA_SCRATCH));
    if (is_leading)
        wop_arithmetic_constant(fn, WA_XOR, is_wide, wop_reg(to), (int32_t)width - 1);
    wop_finish_from(fn, type, to);
}

/* An instruction that reads one operand and writes another register. */
static void put_unary(wop_function *fn, uint32_t opcode, uint8_t type, const wop_value *value)
{
    bool needs_register = (opcode & WA_BYTE_RM) && value->place != WA_REGISTER && value->place != WA_LOCAL;
    wop_value here = *value;
    if (needs_register)
        here = (wop_value){.place = WA_REGISTER, .type = value->type, .reg = wop_to_register(fn, value, fn->height)};
    wop_operand from = wop_operand_of(fn, &here, fn->height);
    wop_register to = wop_destination(fn, type, &here);
    wop_x86(fn, opcode, to, from);
    wop_finish(fn, type, to);
}

void wop_put_integer_bit_count(wop_function *fn, wop_bit_count count, uint8_t type, const wop_value *value)
{
    if (count == WA_ONES)
        put_unary(fn, WA_F3 | WA_MAP_0F | 0xb8 | wop_wide(type == WA_I64), type, value); /* popcnt */
    else
        put_bit_scan(fn, type, count == WA_LEADING_ZEROS, value);
}

void wop_put_integer_extension(wop_function *fn, uint32_t size_bytes, uint8_t type, const wop_value *value)
{
    static const uint32_t opcodes[] = {[1] = WA_MAP_0F | 0xbe | WA_BYTE_RM, [2] = WA_MAP_0F | 0xbf, [4] = 0x63};
    put_unary(fn, opcodes[size_bytes] | wop_wide(type == WA_I64), type, value);
}
