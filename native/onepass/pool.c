/* Constants in memory behind a function. */
#include "machine.h"

/* A constant in memory behind the function; each is there once, if the last few had it. */
static wop_operand pool(wop_function *fn, wop_pooled wanted)
{
    enum { LOOK_BACK = 32 };
    const wop_pooled *known = fn->pool.data;
    uint32_t count = fn->pool.count, number = count;
    for (uint32_t i = count; i > 0 && count - i < LOOK_BACK; i--)
        if (known[i - 1].bits == wanted.bits && known[i - 1].high == wanted.high && known[i - 1].is_vector == wanted.is_vector)
            number = i - 1;
    if (number == count) {
        if (!wop_buffer_reserve(&fn->pool, 1, sizeof(wop_pooled)))
            return wop_memory(WA_FRAME, 0);
        number = fn->pool.count;
        ((wop_pooled *)fn->pool.data)[fn->pool.count++] = wanted;
    }
    return (wop_operand){.kind = WA_IN_POOL, .displacement = (int32_t)number};
}

wop_operand wop_pool(wop_function *fn, uint64_t bits)
{
    return pool(fn, (wop_pooled){.bits = bits});
}

wop_operand wop_pool_vector(wop_function *fn, uint64_t low, uint64_t high)
{
    return pool(fn, (wop_pooled){.bits = low, .high = high, .is_vector = true});
}

/* The bits of a value WA_CONSTANT of a vector register's type, which are not zero. */
wop_operand wop_pooled_constant(wop_function *fn, uint8_t type, uint64_t bits)
{
    return type == WA_V128 ? (wop_operand){.kind = WA_IN_POOL, .displacement = (int32_t)bits - 1} : wop_pool(fn, bits);
}
