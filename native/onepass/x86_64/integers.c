/* Integer operators (spec section 4.3.2): arithmetic, bits, shifts, division, comparisons, extensions. */
#include "machine.h"

typedef struct {
    wop_value a, b;
    uint32_t height; /* of a; b was one above */
} operands;

static operands pop_two(wop_function *fn)
{
    operands two;
    two.b = wop_pop(fn);
    two.a = wop_pop(fn);
    two.height = fn->height;
    return two;
}

static bool is_in(wop_function *fn, const wop_value *value, wop_register reg)
{
    return (value->place == WA_REGISTER && value->reg == reg) ||
           (value->place == WA_LOCAL && wop_locals(fn)[value->local].home == reg);
}

/* ---- comparisons --------------------------------------------------------------------------------------------------- */

/* Flags of a - b; true: of b - a, where that is less to write. */
static bool compare(wop_function *fn, bool is_wide, const operands *two)
{
    if (wop_is_small(&two->b)) {
        wop_operand a = wop_operand_of(fn, &two->a, two->height);
        if (two->b.bits == 0 && a.kind == WA_IN_REGISTER)
            wop_x86(fn, 0x85 | wop_wide(is_wide), a.reg, a);
        else
            wop_arithmetic_constant(fn, WA_CMP, is_wide, a, (int32_t)two->b.bits);
        return false;
    }
    if (wop_is_small(&two->a)) {
        wop_operand b = wop_operand_of(fn, &two->b, two->height + 1);
        wop_arithmetic_constant(fn, WA_CMP, is_wide, b, (int32_t)two->a.bits);
        return true;
    }
    wop_register a = wop_to_register(fn, &two->a, two->height);
    wop_arithmetic(fn, WA_CMP, is_wide, a, wop_operand_of(fn, &two->b, two->height + 1));
    return false;
}

/* The condition for exchanged operands. */
static uint8_t exchanged(uint8_t condition)
{
    switch (condition) {
    case BELOW:
        return ABOVE;
    case ABOVE:
        return BELOW;
    case BELOW_EQUAL:
        return ABOVE_EQUAL;
    case ABOVE_EQUAL:
        return BELOW_EQUAL;
    case LESS:
        return GREATER;
    case GREATER:
        return LESS;
    case LESS_EQUAL:
        return GREATER_EQUAL;
    case GREATER_EQUAL:
        return LESS_EQUAL;
    default:
        return condition;
    }
}

static void put_comparison(wop_function *fn, bool is_wide, uint32_t position)
{
    static const uint8_t conditions[] = {
        EQUAL, NOT_EQUAL, LESS, BELOW, GREATER, ABOVE, LESS_EQUAL, BELOW_EQUAL, GREATER_EQUAL, ABOVE_EQUAL,
    };
    operands two = pop_two(fn);
    bool is_exchanged = compare(fn, is_wide, &two);
    wop_push_comparison(fn, is_exchanged ? exchanged(conditions[position]) : conditions[position]);
}

static void put_eqz(wop_function *fn, bool is_wide)
{
    wop_value value = wop_pop(fn);
    if (value.place == WA_CONDITION) {
        wop_push_comparison(fn, value.reg ^ 1);
        return;
    }
    wop_operand at = wop_operand_of(fn, &value, fn->height);
    if (at.kind == WA_IN_REGISTER)
        wop_x86(fn, 0x85 | wop_wide(is_wide), at.reg, at);
    else
        wop_arithmetic_constant(fn, WA_CMP, is_wide, at, 0);
    wop_push_comparison(fn, EQUAL);
}

/* ---- arithmetic ----------------------------------------------------------------------------------------------------- */

/* A sum of registers or a constant, in a register of its own. */
static bool put_lea(wop_function *fn, bool is_wide, wop_register to, const operands *two)
{
    wop_operand a = wop_operand_of(fn, &two->a, two->height);
    if (a.kind != WA_IN_REGISTER || a.reg == to)
        return false;
    if (wop_is_small(&two->b)) {
        wop_x86(fn, 0x8d | wop_wide(is_wide), to, wop_memory(a.reg, (int32_t)two->b.bits));
        return true;
    }
    wop_operand b = wop_operand_of(fn, &two->b, two->height + 1);
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

/* Exchange operands of a commutative operator where that saves a move: constants come second, what may be overwritten first. */
static void order(operands *two, uint32_t *height_a, uint32_t *height_b)
{
    bool b_is_free = two->b.place == WA_REGISTER && two->a.place != WA_REGISTER;
    bool wants = two->a.place == WA_CONSTANT || (b_is_free && two->b.place != WA_CONSTANT);
    if (two->b.place == WA_CONSTANT || !wants)
        return;
    wop_value a = two->a;
    uint32_t height = *height_a;
    two->a = two->b;
    two->b = a;
    *height_a = *height_b;
    *height_b = height;
}

static void put_arithmetic(wop_function *fn, unsigned op, uint8_t type)
{
    bool is_wide = type == WA_I64, is_commutative = op != WA_SUB;
    operands two = pop_two(fn);
    uint32_t height_a = two.height, height_b = two.height + 1;
    if (is_commutative)
        order(&two, &height_a, &height_b);
    wop_register wanted = wop_destination(fn, type, &two.a), to = wanted;
    if (is_in(fn, &two.b, to) && !is_in(fn, &two.a, to)) {
        if (is_commutative) {
            apply(fn, op, is_wide, to, &two.a, height_a);
            wop_finish(fn, type, to);
            return;
        }
        to = wop_allocate(fn, false, 0);
    }
    if (op == WA_ADD && height_a == two.height && put_lea(fn, is_wide, to, &two)) {
        wop_finish(fn, type, to);
        return;
    }
    wop_load_value(fn, to, &two.a, height_a);
    apply(fn, op, is_wide, to, &two.b, height_b);
    wop_finish(fn, type, to);
}

static void put_multiplication(wop_function *fn, uint8_t type)
{
    bool is_wide = type == WA_I64;
    operands two = pop_two(fn);
    uint32_t height_a = two.height, height_b = two.height + 1;
    order(&two, &height_a, &height_b);
    if (wop_is_small(&two.b)) {
        wop_register to = wop_destination(fn, type, &two.a);
        uint64_t bits = type == WA_I32 ? (uint32_t)two.b.bits : two.b.bits;
        if (bits != 0 && (bits & (bits - 1)) == 0) {
            wop_load_value(fn, to, &two.a, height_a);
            wop_x86_imm8(fn, 0xc1 | wop_wide(is_wide), 4, wop_reg(to), (uint8_t)__builtin_ctzll(bits));
        } else {
            wop_x86_imm32(fn, 0x69 | wop_wide(is_wide), to, wop_operand_of(fn, &two.a, height_a), (uint32_t)two.b.bits);
        }
        wop_finish(fn, type, to);
        return;
    }
    wop_register to = wop_destination(fn, type, &two.a);
    if (is_in(fn, &two.b, to) && !is_in(fn, &two.a, to)) {
        wop_x86(fn, WA_MAP_0F | 0xaf | wop_wide(is_wide), to, wop_operand_of(fn, &two.a, height_a));
    } else {
        wop_load_value(fn, to, &two.a, height_a);
        wop_x86(fn, WA_MAP_0F | 0xaf | wop_wide(is_wide), to, wop_operand_of(fn, &two.b, height_b));
    }
    wop_finish(fn, type, to);
}

/* ---- shifts --------------------------------------------------------------------------------------------------------- */

static void put_shift(wop_function *fn, unsigned extension, uint8_t type)
{
    uint32_t wide = wop_wide(type == WA_I64);
    operands two = pop_two(fn);
    if (two.b.place == WA_CONSTANT) {
        wop_register to = wop_destination(fn, type, &two.a);
        wop_load_value(fn, to, &two.a, two.height);
        wop_x86_imm8(fn, 0xc1 | wide, extension, wop_reg(to), (uint8_t)(two.b.bits & (wide ? 63 : 31)));
        wop_finish(fn, type, to);
        return;
    }
    if (two.a.place == WA_REGISTER && two.a.reg == RCX) {
        wop_register moved = wop_allocate(fn, false, WA_SET(RCX));
        wop_move(fn, true, moved, RCX);
        two.a.reg = moved;
    }
    wop_take(fn, RCX);
    wop_load_value(fn, RCX, &two.b, two.height + 1);
    wop_register to = wop_destination(fn, type, &two.a);
    wop_load_value(fn, to, &two.a, two.height);
    wop_x86(fn, 0xd3 | wide, extension, wop_reg(to));
    wop_finish(fn, type, to);
}

/* ---- division ------------------------------------------------------------------------------------------------------- */

/* The divisor in a register that division leaves alone. */
static wop_register divisor(wop_function *fn, const operands *two)
{
    const uint32_t taken = WA_SET(RAX) | WA_SET(RDX);
    wop_operand at = two->b.place == WA_CONSTANT ? wop_memory(RBP, 0) : wop_operand_of(fn, &two->b, two->height + 1);
    if (at.kind == WA_IN_REGISTER && !(taken & WA_SET(at.reg)))
        return at.reg;
    wop_register reg = wop_allocate(fn, false, taken);
    wop_load_value(fn, reg, &two->b, two->height + 1);
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

static void put_division(wop_function *fn, uint8_t type, bool is_signed, bool is_remainder)
{
    uint32_t wide = wop_wide(type == WA_I64), done = 0;
    operands two = pop_two(fn);
    uint64_t constant = type == WA_I32 ? (uint32_t)two.b.bits : two.b.bits;
    bool is_known = two.b.place == WA_CONSTANT && constant != 0;
    wop_register by = divisor(fn, &two);
    wop_take(fn, RDX);
    wop_take(fn, RAX);
    wop_load_value(fn, RAX, &two.a, two.height);
    if (!is_known) {
        wop_x86(fn, 0x85 | wide, by, wop_reg(by));
        wop_trap_if(fn, EQUAL, WA_TRAP_INTEGER_DIVIDE_BY_ZERO);
    }
    if (is_signed && (!is_known || (uint32_t)constant == UINT32_MAX))
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
static void put_bit_scan(wop_function *fn, uint8_t type, bool is_leading)
{
    bool is_wide = type == WA_I64;
    uint32_t wide = wop_wide(is_wide), width = is_wide ? 64 : 32;
    wop_value value = wop_pop(fn);
    wop_operand from = wop_operand_of(fn, &value, fn->height);
    if (is_leading ? fn->module->has_lzcnt : fn->module->has_bmi1) {
        wop_register to = wop_destination(fn, type, &value);
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
    wop_value here = {.place = WA_REGISTER, .type = type, .reg = to};
    wop_register wanted = wop_destination(fn, type, &here);
    if (wanted != to)
        wop_move(fn, is_wide, wanted, to);
    wop_finish(fn, type, wanted);
}

/* An instruction that reads one operand and writes another register. */
static void put_unary(wop_function *fn, uint32_t opcode, uint8_t type)
{
    wop_value value = wop_pop(fn);
    if ((opcode & WA_BYTE_RM) && value.place != WA_REGISTER && value.place != WA_LOCAL) {
        wop_register reg = wop_to_register(fn, &value, fn->height);
        value.place = WA_REGISTER;
        value.reg = reg;
    }
    wop_operand from = wop_operand_of(fn, &value, fn->height);
    wop_register to = wop_destination(fn, type, &value);
    wop_x86(fn, opcode, to, from);
    wop_finish(fn, type, to);
}

static void wrap(wop_function *fn)
{
    wop_value value = wop_pop(fn);
    if (value.place == WA_CONSTANT) {
        wop_push_constant(fn, WA_I32, (uint32_t)value.bits);
        return;
    }
    wop_operand from = wop_operand_of(fn, &value, fn->height);
    wop_register to = wop_destination(fn, WA_I32, &value);
    if (from.kind == WA_IN_REGISTER)
        wop_move(fn, false, to, from.reg);
    else
        wop_load(fn, WA_I32, to, from);
    wop_finish(fn, WA_I32, to);
}

/* i64.extend_i32_u: registers and slots of an i32 have zeros above, but slots are written with 32 bits. */
static void extend_unsigned(wop_function *fn)
{
    wop_value value = wop_pop(fn);
    if (value.place == WA_CONSTANT) {
        wop_push_constant(fn, WA_I64, (uint32_t)value.bits);
        return;
    }
    wop_operand from = wop_operand_of(fn, &value, fn->height);
    wop_register to = wop_destination(fn, WA_I64, &value);
    if (from.kind != WA_IN_REGISTER || from.reg != to)
        wop_load(fn, WA_I32, to, from);
    wop_finish(fn, WA_I64, to);
}

/* ---- all of them ----------------------------------------------------------------------------------------------------- */

/* The ten to twenty operators that i32 and i64 have in the same order. */
static void put_operator(wop_function *fn, uint8_t type, uint32_t position)
{
    uint32_t wide = wop_wide(type == WA_I64);
    switch (position) {
    case 0:
        put_bit_scan(fn, type, true);
        return;
    case 1:
        put_bit_scan(fn, type, false);
        return;
    case 2:
        put_unary(fn, WA_F3 | WA_MAP_0F | 0xb8 | wide, type); /* popcnt */
        return;
    case 3:
        put_arithmetic(fn, WA_ADD, type);
        return;
    case 4:
        put_arithmetic(fn, WA_SUB, type);
        return;
    case 5:
        put_multiplication(fn, type);
        return;
    case 6:
    case 7:
    case 8:
    case 9:
        put_division(fn, type, position % 2 == 0, position >= 8);
        return;
    case 10:
        put_arithmetic(fn, WA_AND, type);
        return;
    case 11:
        put_arithmetic(fn, WA_OR, type);
        return;
    case 12:
        put_arithmetic(fn, WA_XOR, type);
        return;
    default: {
        static const uint8_t shifts[] = {4, 7, 5, 0, 1}; /* shl, sar, shr, rol, ror */
        put_shift(fn, shifts[position - 13], type);
    }
    }
}

void wop_integer(wop_function *fn)
{
    uint32_t opcode = fn->opcode;
    if (opcode == WA_OP_I32_EQZ || opcode == WA_OP_I64_EQZ) {
        put_eqz(fn, opcode == WA_OP_I64_EQZ);
    } else if (opcode >= WA_OP_I32_EQ && opcode <= WA_OP_I32_GE_U) {
        put_comparison(fn, false, opcode - WA_OP_I32_EQ);
    } else if (opcode >= WA_OP_I64_EQ && opcode <= WA_OP_I64_GE_U) {
        put_comparison(fn, true, opcode - WA_OP_I64_EQ);
    } else if (opcode >= WA_OP_I32_CLZ && opcode <= WA_OP_I32_ROTR) {
        put_operator(fn, WA_I32, opcode - WA_OP_I32_CLZ);
    } else if (opcode >= WA_OP_I64_CLZ && opcode <= WA_OP_I64_ROTR) {
        put_operator(fn, WA_I64, opcode - WA_OP_I64_CLZ);
    } else {
        switch (opcode) {
        case WA_OP_I32_WRAP_I64:
            wrap(fn);
            return;
        case WA_OP_I64_EXTEND_I32_U:
            extend_unsigned(fn);
            return;
        case WA_OP_I64_EXTEND_I32_S:
        case WA_OP_I64_EXTEND32_S:
            put_unary(fn, 0x63 | WA_WIDE, WA_I64);
            return;
        case WA_OP_I32_EXTEND8_S:
            put_unary(fn, WA_MAP_0F | 0xbe | WA_BYTE_RM, WA_I32);
            return;
        case WA_OP_I32_EXTEND16_S:
            put_unary(fn, WA_MAP_0F | 0xbf, WA_I32);
            return;
        case WA_OP_I64_EXTEND8_S:
            put_unary(fn, WA_MAP_0F | 0xbe | WA_WIDE | WA_BYTE_RM, WA_I64);
            return;
        case WA_OP_I64_EXTEND16_S:
            put_unary(fn, WA_MAP_0F | 0xbf | WA_WIDE, WA_I64);
            return;
        default:
            fn->has_failed = true;
        }
    }
}
