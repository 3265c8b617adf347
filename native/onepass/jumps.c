/* Jumps to places that are known, and to those that are not yet: these form lists, and are patched when their place is reached. */
#include "machine.h"

/* The rel32 that was just written joins a list. */
void wop_add_fixup(wop_function *fn, uint32_t *list)
{
    if (!wop_buffer_reserve(&fn->fixups, 1, sizeof(wop_fixup)))
        return;
    ((wop_fixup *)fn->fixups.data)[fn->fixups.count++] = (wop_fixup){wop_text_offset(fn) - 4, *list};
    *list = fn->fixups.count;
}

static void bind_to(wop_function *fn, uint32_t *list, uint32_t target)
{
    const wop_fixup *fixups = fn->fixups.data;
    for (uint32_t number = *list; number != 0 && !fn->fixups.has_failed; number = fixups[number - 1].next)
        wop_patch(fn, fixups[number - 1].position, target - (fixups[number - 1].position + 4));
    *list = 0;
}

/* All of one list as well as of another. */
void wop_join(wop_function *fn, uint32_t *list, uint32_t other)
{
    wop_fixup *fixups = fn->fixups.data;
    uint32_t last = other;
    if (other == 0 || fn->fixups.has_failed)
        return;
    while (fixups[last - 1].next != 0)
        last = fixups[last - 1].next;
    fixups[last - 1].next = *list;
    *list = other;
}

/* Jumps of the list lead here. */
void wop_bind(wop_function *fn, uint32_t *list)
{
    bind_to(fn, list, wop_text_offset(fn));
}

void wop_jump(wop_function *fn, uint32_t *list)
{
    wop_byte(fn, 0xe9);
    wop_word(fn, 0);
    wop_add_fixup(fn, list);
}

static void put_jump_if(wop_function *fn, uint8_t condition, uint32_t *list)
{
    wop_byte(fn, 0x0f);
    wop_byte(fn, (uint8_t)(0x80 | condition));
    wop_word(fn, 0);
    wop_add_fixup(fn, list);
}

void wop_jump_if(wop_function *fn, uint8_t condition, uint32_t *list)
{
    uint32_t skipped = 0;
    switch (condition) {
    case FLOAT_EQUAL:
        put_jump_if(fn, UNORDERED, &skipped);
        put_jump_if(fn, EQUAL, list);
        wop_bind(fn, &skipped);
        return;
    case FLOAT_NOT_EQUAL:
        put_jump_if(fn, NOT_EQUAL, list);
        put_jump_if(fn, UNORDERED, list);
        return;
    default:
        put_jump_if(fn, condition, list);
    }
}

/* To a known place before. */
void wop_jump_back(wop_function *fn, uint32_t target)
{
    int64_t distance = (int64_t)target - (wop_text_offset(fn) + 2);
    if (distance >= INT8_MIN) {
        wop_byte(fn, 0xeb);
        wop_byte(fn, (uint8_t)distance);
    } else {
        wop_byte(fn, 0xe9);
        wop_word(fn, target - (wop_text_offset(fn) + 4));
    }
}

void wop_jump_back_if(wop_function *fn, uint8_t condition, uint32_t target)
{
    uint32_t list = 0;
    int64_t distance = (int64_t)target - (wop_text_offset(fn) + 2);
    if (condition < FLOAT_EQUAL && distance >= INT8_MIN) {
        wop_byte(fn, (uint8_t)(0x70 | condition));
        wop_byte(fn, (uint8_t)distance);
        return;
    }
    wop_jump_if(fn, condition, &list);
    bind_to(fn, &list, target);
}

/* The list of jumps to where an exception goes inside of so many labels: the innermost try block, or out of the function. */
uint32_t *wop_landing(wop_function *fn, uint32_t label_count)
{
    for (uint32_t i = label_count; i > 0; i--)
        if (wop_labels(fn)[i - 1].kind == WA_TRY)
            return &wop_labels(fn)[i - 1].landing_fixups;
    return &fn->unwind_fixups;
}
