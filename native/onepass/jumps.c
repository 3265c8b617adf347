/* Jumps to places that are not known yet form lists, and are completed when their place is reached. */
#include "machine.h"

/* Jumps of the list lead here. */
void wop_bind(wop_function *fn, uint32_t *list)
{
    uint32_t target = wop_text_offset(fn);
    const wop_fixup *fixups = fn->fixups.data;
    for (uint32_t number = *list; number != 0 && !fn->fixups.has_failed; number = fixups[number - 1].next)
        wop_link(fn, fixups[number - 1].position, target);
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

/* The list of jumps to where an exception goes inside of so many labels: the innermost try block, or out of the function. */
uint32_t *wop_landing(wop_function *fn, uint32_t label_count)
{
    for (uint32_t i = label_count; i > 0; i--)
        if (wop_labels(fn)[i - 1].kind == WA_TRY)
            return &wop_labels(fn)[i - 1].landing_fixups;
    return &fn->unwind_fixups;
}
