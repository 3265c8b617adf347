/* Which bytes of which operand a shuffle takes (spec section 4.3.6); how is the machine's. */
#include "vector_rows.h"

static bool are_same_local(const wop_value *a, const wop_value *b)
{
    return a->place == WA_LOCAL && b->place == WA_LOCAL && a->local == b->local;
}

void wop_put_shuffle(wop_function *fn, const wop_vector_row *row)
{
    (void)row;
    uint8_t lanes[16], either = 0, both = 16;
    for (unsigned i = 0; i < 16; i++)
        lanes[i] = wop_read_byte(&fn->reader) & 31;
    if (fn->height < 2) {
        fn->has_failed = true;
        return;
    }
    bool is_same = are_same_local(wop_values(fn) + fn->height - 2, wop_values(fn) + fn->height - 1);
    for (unsigned i = 0; i < 16; i++) {
        lanes[i] = is_same ? lanes[i] % 16 : lanes[i];
        either |= lanes[i] & 16;
        both &= lanes[i];
    }
    if (either != both) {
        wop_shuffle_two(fn, lanes);
        return;
    }
    wop_value b = wop_pop(fn), a = wop_pop(fn);
    for (unsigned i = 0; i < 16; i++)
        lanes[i] %= 16;
    wop_shuffle_one(fn, both ? &b : &a, fn->height + (both ? 1 : 0), lanes);
}
