/* What is completed later: places in the text that wait for a target, in lists. */
#include "machine.h"

/* The word that was just written, a distance or an instruction with one, joins a list. */
void wop_add_fixup(wop_function *fn, uint32_t *list)
{
    if (!wop_buffer_reserve(&fn->fixups, 1, sizeof(wop_fixup)))
        return;
    ((wop_fixup *)fn->fixups.data)[fn->fixups.count++] = (wop_fixup){wop_text_offset(fn) - 4, *list};
    *list = fn->fixups.count;
}
