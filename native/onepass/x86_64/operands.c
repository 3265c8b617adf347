/* Instructions of x86-64 overwrite one of their two operands: which one. */
#include "machine.h"

/* Pop two operands of a vector register's type: the result's register, which holds one of them, and where the other one is. The
 * scratch register may be taken. */
wop_register wop_prepare_two(wop_function *fn, uint8_t type, wop_order order, wop_operand *other)
{
    wop_value b = wop_pop(fn), a = wop_pop(fn), *first = order == WA_REVERSED ? &b : &a, *second = order == WA_REVERSED ? &a : &b;
    uint32_t first_height = fn->height + (first == &b), second_height = fn->height + (second == &b);
    wop_register to = wop_destination(fn, type, first);
    *other = wop_operand_of(fn, second, second_height);
    bool is_same = a.place == WA_LOCAL && b.place == WA_LOCAL && a.local == b.local;
    if (other->kind == WA_IN_REGISTER && other->reg == to && !is_same) {
        if (order == WA_EITHER_ORDER) {
            *other = wop_operand_of(fn, first, first_height);
            return to;
        }
        wop_move(fn, true, WA_VECTOR_SCRATCH, to);
        *other = wop_reg(WA_VECTOR_SCRATCH);
    }
    wop_load_value(fn, to, first, first_height);
    return to;
}
