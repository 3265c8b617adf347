/* Vector operators on integers and floats that take NEON several instructions, or that name one register twice. */
#include "vectors.h"

/* to = mask ? if_true : if_false, bit by bit. `to` may be any of them. */
static void put_choice(wop_function *fn, wop_register to, wop_register mask, wop_register if_true, wop_register if_false)
{
    if (to == if_false) {
        wop_put_three(fn, N_BIT, to, if_true, mask);
    } else if (to == if_true) {
        wop_put_three(fn, N_BIF, to, if_false, mask);
    } else {
        wop_copy_vector(fn, to, mask);
        wop_put_three(fn, N_BSL, to, if_true, if_false);
    }
}

void wop_put_bitselect(wop_function *fn, const wop_vector_row *row)
{
    (void)row;
    wop_value mask = wop_pop(fn), b = wop_pop(fn), a = wop_pop(fn);
    uint32_t height = fn->height;
    wop_register of_a = wop_to_register(fn, &a, height), of_b = wop_to_register(fn, &b, height + 1);
    wop_register of_mask = wop_to_register(fn, &mask, height + 2), to = wop_destination(fn, WA_V128, &mask);
    put_choice(fn, to, of_mask, of_a, of_b);
    wop_finish(fn, WA_V128, to);
}

/* ---- shifts -------------------------------------------------------------------------------------------------------------- */

/* In the scratch register's lanes: the count, less what is beyond the width of a lane; its opposite for shifts to the right. */
static void put_count(wop_function *fn, const wop_value *count, uint32_t height, unsigned size, bool is_left)
{
    const uint32_t and_low = UINT32_C(0x12000000), sub = UINT32_C(0x4b000000);
    wop_register from = wop_to_register(fn, count, height);
    wop_put_two(fn, and_low | (2 + size) << 10, WA_SCRATCH, from); /* 3 + size bits */
    if (!is_left)
        wop_put_three(fn, sub, WA_SCRATCH, ZERO, WA_SCRATCH);
    wop_put_two(fn, N_SPLAT | wop_lane_field(size, 0), WA_VECTOR_SCRATCH, WA_SCRATCH);
}

/* opcode: the shift by lanes; second: by a constant; immediate: the lanes' size. */
void wop_put_shift(wop_function *fn, const wop_vector_row *row)
{
    wop_value count = wop_pop(fn), value = wop_pop(fn);
    uint32_t height = fn->height, bits = UINT32_C(8) << row->immediate, by = (uint32_t)count.bits & (bits - 1);
    bool is_left = row->second == N_SHL;
    wop_register from = wop_to_register(fn, &value, height);
    if (count.place != WA_CONSTANT)
        put_count(fn, &count, height + 1, row->immediate, is_left);
    wop_register to = wop_destination(fn, WA_V128, &value);
    if (count.place != WA_CONSTANT)
        wop_put_three(fn, row->opcode, to, from, WA_VECTOR_SCRATCH);
    else if (by == 0)
        wop_copy_vector(fn, to, from);
    else
        wop_put_two(fn, row->second | (is_left ? bits + by : 2 * bits - by) << 16, to, from);
    wop_finish(fn, WA_V128, to);
}

/* ---- integers ------------------------------------------------------------------------------------------------------------ */

/* Of the halves: low * low + ((high * low + low * high) << 32). */
void wop_put_quad_product(wop_function *fn, const wop_vector_row *row)
{
    (void)row;
    const wop_register cross = WA_VECTOR_FIRST, low = WA_VECTOR_SCRATCH;
    wop_value b = wop_pop(fn), a = wop_pop(fn);
    uint32_t height = fn->height;
    wop_register of_a = wop_to_register(fn, &a, height), of_b = wop_to_register(fn, &b, height + 1);
    wop_register to = wop_destination(fn, WA_V128, &a);
    wop_put_two(fn, N_REVERSE_IN_64(N_32), cross, of_b);
    wop_put_three(fn, N_MUL(N_32), cross, cross, of_a);
    wop_put_three(fn, N_ADDP(N_32), cross, cross, cross);
    wop_put_two(fn, N_SHLL_32, cross, cross);
    wop_put_two(fn, N_NARROW(N_32), low, of_a);
    wop_put_two(fn, N_NARROW(N_32), to, of_b);
    wop_put_three(fn, N_PRODUCT(1, N_32), to, to, low);
    wop_put_three(fn, N_ADD(N_64), to, to, cross);
    wop_finish(fn, WA_V128, to);
}

/* opcode: the one that gives the high half of the lanes. */
void wop_put_narrowing(wop_function *fn, const wop_vector_row *row)
{
    wop_value b = wop_pop(fn), a = wop_pop(fn);
    uint32_t height = fn->height;
    wop_register of_a = wop_to_register(fn, &a, height), of_b = wop_to_register(fn, &b, height + 1);
    wop_register to = wop_destination(fn, WA_V128, &a), made = wop_working(to, of_b);
    wop_put_two(fn, row->opcode ^ WA_UPPER, made, of_a);
    wop_put_two(fn, row->opcode, made, of_b);
    wop_copy_vector(fn, to, made);
    wop_finish(fn, WA_V128, to);
}

/* opcode: products of the low half; second: sums of two of them; immediate: and their sums, onto a third operand. */
void wop_put_dot(wop_function *fn, const wop_vector_row *row)
{
    const wop_register low = WA_VECTOR_FIRST, high = WA_VECTOR_SCRATCH;
    bool is_added = row->immediate != 0;
    wop_value c = is_added ? wop_pop(fn) : (wop_value){0}, b = wop_pop(fn), a = wop_pop(fn);
    uint32_t height = fn->height;
    wop_register of_a = wop_to_register(fn, &a, height), of_b = wop_to_register(fn, &b, height + 1);
    wop_register of_c = is_added ? wop_to_register(fn, &c, height + 2) : of_a, to = wop_destination(fn, WA_V128, &a);
    wop_put_three(fn, row->opcode, low, of_a, of_b);
    wop_put_three(fn, row->opcode | WA_UPPER, high, of_a, of_b);
    wop_put_three(fn, row->second, is_added ? low : to, low, high);
    if (is_added) {
        wop_put_two(fn, N_PAIR_SUM(0, N_16), low, low);
        wop_put_three(fn, N_ADD(N_32), to, low, of_c);
    }
    wop_finish(fn, WA_V128, to);
}

/* ---- floats -------------------------------------------------------------------------------------------------------------- */

/* The second operand where it is less, or for pmax greater. opcode: fcmgt. */
void wop_put_pseudo_extremum(wop_function *fn, const wop_vector_row *row)
{
    const wop_register mask = WA_VECTOR_SCRATCH;
    bool is_greatest = (row->flags & WA_EXCHANGED) != 0;
    wop_value b = wop_pop(fn), a = wop_pop(fn);
    uint32_t height = fn->height;
    wop_register of_a = wop_to_register(fn, &a, height), of_b = wop_to_register(fn, &b, height + 1);
    wop_register to = wop_destination(fn, WA_V128, &a);
    wop_put_three(fn, row->opcode, mask, is_greatest ? of_b : of_a, is_greatest ? of_a : of_b);
    put_choice(fn, to, mask, of_b, of_a);
    wop_finish(fn, WA_V128, to);
}

/* opcode: fmla or fmls, which round once, as LLVM's code for this machine does. */
void wop_put_multiply_add(wop_function *fn, const wop_vector_row *row)
{
    wop_value c = wop_pop(fn), b = wop_pop(fn), a = wop_pop(fn);
    uint32_t height = fn->height;
    wop_register of_a = wop_to_register(fn, &a, height), of_b = wop_to_register(fn, &b, height + 1);
    wop_register of_c = wop_to_register(fn, &c, height + 2), to = wop_destination(fn, WA_V128, &c);
    wop_register sum = to == of_c ? to : wop_working(wop_working(to, of_a), of_b);
    wop_copy_vector(fn, sum, of_c);
    wop_put_three(fn, row->opcode, sum, of_a, of_b);
    wop_copy_vector(fn, to, sum);
    wop_finish(fn, WA_V128, to);
}
