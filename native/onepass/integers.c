/* Integer operators (spec section 4.3.2): which one it is, its operands, and what all machines have in common. */
#include "machine.h"
#include "operators.h"

static wop_operands pop_two(wop_function *fn)
{
    wop_operands two;
    two.b = wop_pop(fn);
    two.a = wop_pop(fn);
    two.height_a = fn->height;
    two.height_b = fn->height + 1;
    return two;
}

static void exchange(wop_operands *two)
{
    *two = (wop_operands){two->b, two->a, two->height_b, two->height_a};
}

/* ---- comparisons ----------------------------------------------------------------------------------------------------------- */

/* Flags of a - b, or where that is less to write, of b - a: then the operands are exchanged. */
static void compare(wop_function *fn, bool is_wide, wop_operands *two)
{
    if (wop_is_small(&two->a) && !wop_is_small(&two->b))
        exchange(two);
    if (!wop_is_small(&two->b)) {
        wop_register a = wop_to_register(fn, &two->a, two->height_a);
        wop_arithmetic(fn, WA_CMP, is_wide, a, wop_operand_of(fn, &two->b, two->height_b));
        return;
    }
    wop_operand a = wop_operand_of(fn, &two->a, two->height_a);
    if (two->b.bits == 0 && a.kind == WA_IN_REGISTER && !wop_is_exchanged(two))
        wop_test(fn, is_wide, a.reg);
    else
        wop_arithmetic_constant(fn, WA_CMP, is_wide, a, (int32_t)two->b.bits);
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
    wop_operands two = pop_two(fn);
    compare(fn, is_wide, &two);
    wop_push_comparison(fn, wop_is_exchanged(&two) ? exchanged(conditions[position]) : conditions[position]);
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
        wop_test(fn, is_wide, at.reg);
    else
        wop_arithmetic_constant(fn, WA_CMP, is_wide, at, 0);
    wop_push_comparison(fn, EQUAL);
}

/* ---- between the types ------------------------------------------------------------------------------------------------------ */

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

static void extend_signed(wop_function *fn, uint32_t size_bytes, uint8_t type)
{
    wop_value value = wop_pop(fn);
    wop_put_integer_extension(fn, size_bytes, type, &value);
}

/* ---- all of them ------------------------------------------------------------------------------------------------------------ */

/* Exchange operands of a commutative operator where that saves a move: constants come second, what may be overwritten first. */
static void order(wop_operands *two)
{
    bool b_is_free = two->b.place == WA_REGISTER && two->a.place != WA_REGISTER;
    if (two->b.place != WA_CONSTANT && (two->a.place == WA_CONSTANT || b_is_free))
        exchange(two);
}

/* The three unary and fifteen binary operators that i32 and i64 have in the same order. */
static void put_operator(wop_function *fn, uint8_t type, uint32_t position)
{
    enum { ADD = 3, SUB, MUL, DIV_S, DIV_U, REM_S, REM_U, AND, OR, XOR, SHL };
    static const uint8_t arithmetic[] = {[ADD] = WA_ADD, [SUB] = WA_SUB, [AND] = WA_AND, [OR] = WA_OR, [XOR] = WA_XOR};
    if (position < ADD) {
        wop_value value = wop_pop(fn);
        wop_put_integer_bit_count(fn, (wop_bit_count)position, type, &value);
        return;
    }
    wop_operands two = pop_two(fn);
    switch (position) {
    case MUL:
        order(&two);
        wop_put_integer_multiplication(fn, type, &two);
        return;
    case DIV_S:
    case DIV_U:
    case REM_S:
    case REM_U:
        wop_put_integer_division(fn, type, position == DIV_S || position == REM_S, position >= REM_S, &two);
        return;
    case ADD:
    case AND:
    case OR:
    case XOR:
        order(&two);
        wop_put_integer_arithmetic(fn, arithmetic[position], type, &two);
        return;
    case SUB:
        wop_put_integer_arithmetic(fn, WA_SUB, type, &two);
        return;
    default:
        wop_put_integer_shift(fn, (wop_integer_shift)(position - SHL), type, &two);
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
            extend_signed(fn, 4, WA_I64);
            return;
        case WA_OP_I32_EXTEND8_S:
        case WA_OP_I32_EXTEND16_S:
            extend_signed(fn, opcode == WA_OP_I32_EXTEND8_S ? 1 : 2, WA_I32);
            return;
        case WA_OP_I64_EXTEND8_S:
        case WA_OP_I64_EXTEND16_S:
            extend_signed(fn, opcode == WA_OP_I64_EXTEND8_S ? 1 : 2, WA_I64);
            return;
        default:
            fn->has_failed = true;
        }
    }
}
