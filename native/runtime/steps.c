/* Bulk operations in steps, between which an interrupt or a stop ends the call. */
#include "steps.h"

#include <string.h>

#include "thread.h"

/* A step takes some ten microseconds, with fresh pages some hundred. */
enum { STEP_BYTES = 1 << 20 };

static uint64_t step_of(uint64_t left, uint64_t largest)
{
    return left < largest ? left : largest;
}

/* Upwards, or downwards where the target lies in the source. */
void wa_move_bytes(void *to, const void *from, uint64_t size_bytes)
{
    uint8_t *target = to;
    const uint8_t *source = from;
    bool is_upwards = (uintptr_t)to - (uintptr_t)from >= size_bytes;
    do {
        uint64_t step = step_of(size_bytes, STEP_BYTES);
        size_bytes -= step;
        memmove(is_upwards ? target : target + size_bytes, is_upwards ? source : source + size_bytes, step);
        if (is_upwards) {
            target += step;
            source += step;
        }
        wa_heed_interrupt();
    } while (size_bytes > 0);
}

/* A width that is known to the compiler makes a fast loop. */
static inline void put_copies(uint8_t *to, const void *value, uint64_t count, size_t width_bytes)
{
    for (uint64_t i = 0; i < count; i++)
        memcpy(to + i * width_bytes, value, width_bytes);
}

static void fill_step(uint8_t *to, const void *value, uint64_t count, uint64_t width_bytes)
{
    if (width_bytes == 1)
        memset(to, *(const uint8_t *)value, count);
    else if (width_bytes == 2)
        put_copies(to, value, count, 2);
    else if (width_bytes == 4)
        put_copies(to, value, count, 4);
    else if (width_bytes == 8)
        put_copies(to, value, count, 8);
    else
        put_copies(to, value, count, 16);
}

void wa_fill_elements(void *to, const void *value, uint64_t count, uint64_t width_bytes)
{
    uint8_t *target = to;
    do {
        uint64_t step = step_of(count, STEP_BYTES / width_bytes);
        fill_step(target, value, step, width_bytes);
        target += step * width_bytes;
        count -= step;
        wa_heed_interrupt();
    } while (count > 0);
}
