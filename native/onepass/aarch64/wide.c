/* Wide arithmetic: operators on 128 bits, which are two i64 on the stack, the low half first. */
#include "machine.h"

/* The operator for the low halves, then the one that takes their carry. */
static void put_sum(wop_function *fn, uint32_t low_opcode, uint32_t high_opcode)
{
    wop_value b_high = wop_pop(fn), b_low = wop_pop(fn), a_high = wop_pop(fn), a_low = wop_pop(fn);
    uint32_t height = fn->height;
    wop_register low = wop_own(fn, &a_low, height), high = wop_own(fn, &a_high, height + 1);
    wop_register by_low = wop_to_register(fn, &b_low, height + 2), by_high = wop_to_register(fn, &b_high, height + 3);
    wop_put_three(fn, low_opcode, low, low, by_low);
    wop_put_three(fn, high_opcode, high, high, by_high);
    wop_push_register(fn, WA_I64, low);
    wop_push_register(fn, WA_I64, high);
}

static void put_product(wop_function *fn, uint32_t high_opcode)
{
    wop_value b = wop_pop(fn), a = wop_pop(fn);
    wop_register first = wop_to_register(fn, &a, fn->height), second = wop_to_register(fn, &b, fn->height + 1);
    wop_register low = wop_allocate(fn, false, 0), high = wop_allocate(fn, false, 0);
    wop_put_three(fn, 0x9b007c00, low, first, second); /* mul */
    wop_put_three(fn, high_opcode, high, first, second);
    wop_push_register(fn, WA_I64, low);
    wop_push_register(fn, WA_I64, high);
}

void wop_wide_arithmetic(wop_function *fn)
{
    switch (fn->opcode) {
    case WA_OP_I64_ADD128:
        put_sum(fn, 0xab000000, 0x9a000000); /* adds, adc */
        return;
    case WA_OP_I64_SUB128:
        put_sum(fn, 0xeb000000, 0xda000000); /* subs, sbc */
        return;
    default:
        put_product(fn, fn->opcode == WA_OP_I64_MUL_WIDE_S ? 0x9b407c00 : 0x9bc07c00); /* smulh, umulh */
    }
}
