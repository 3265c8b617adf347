/* Wide arithmetic: operators on 128 bits, which are two i64 on the stack, the low half first. */
#include "machine.h"

/* The operator for the low halves, then the one that takes their carry. */
static void put_sum(wop_function *fn, unsigned low_op, unsigned high_op)
{
    wop_value b_high = wop_pop(fn), b_low = wop_pop(fn), a_high = wop_pop(fn), a_low = wop_pop(fn);
    uint32_t height = fn->height;
    wop_register low = wop_own(fn, &a_low, height), high = wop_own(fn, &a_high, height + 1);
    wop_operand low_operand = wop_operand_of(fn, &b_low, height + 2), high_operand = wop_operand_of(fn, &b_high, height + 3);
    wop_arithmetic(fn, low_op, true, low, low_operand);
    wop_arithmetic(fn, high_op, true, high, high_operand);
    wop_push_register(fn, WA_I64, low);
    wop_push_register(fn, WA_I64, high);
}

static void put_product(wop_function *fn, bool is_signed)
{
    const uint32_t taken = WA_SET(RAX) | WA_SET(RDX);
    wop_value b = wop_pop(fn), a = wop_pop(fn);
    uint32_t height = fn->height;
    wop_operand by = b.place == WA_CONSTANT ? wop_reg(RAX) : wop_operand_of(fn, &b, height + 1);
    if (by.kind == WA_IN_REGISTER && (taken & WA_SET(by.reg))) {
        by = wop_reg(wop_allocate(fn, false, taken));
        wop_load_value(fn, by.reg, &b, height + 1);
    }
    wop_take(fn, RDX);
    wop_take(fn, RAX);
    wop_load_value(fn, RAX, &a, height);
    wop_x86(fn, 0xf7 | WA_WIDE, is_signed ? 5 : 4, by);
    wop_push_register(fn, WA_I64, RAX);
    wop_push_register(fn, WA_I64, RDX);
}

void wop_wide_arithmetic(wop_function *fn)
{
    switch (fn->opcode) {
    case WA_OP_I64_ADD128:
        put_sum(fn, WA_ADD, WA_ADC);
        return;
    case WA_OP_I64_SUB128:
        put_sum(fn, WA_SUB, WA_SBB);
        return;
    default:
        put_product(fn, fn->opcode == WA_OP_I64_MUL_WIDE_S);
    }
}
