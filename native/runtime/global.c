/* Globals as objects: what the embedder makes, and what instances export. */
#include <stdlib.h>

#include "objects.h"

wa_global *wa_global_new(uint32_t valtype, bool is_mutable, const uint8_t *cell)
{
    wa_global *global = aligned_alloc(_Alignof(wa_global), sizeof *global);
    if (global == NULL)
        return NULL;
    memset(global, 0, sizeof *global);
    global->references = 1;
    global->valtype.code = valtype;
    global->is_mutable = is_mutable;
    global->cell = global->own_cell;
    memcpy(global->own_cell, cell, sizeof global->own_cell);
    return global;
}

void wa_global_retain(wa_global *global)
{
    atomic_fetch_add_explicit(&global->references, 1, memory_order_relaxed);
}

void wa_global_release(wa_global *global)
{
    if (global != NULL && atomic_fetch_sub_explicit(&global->references, 1, memory_order_acq_rel) == 1)
        free(global);
}

uint8_t *wa_global_cell(const wa_global *global)
{
    return global->cell;
}

uint32_t wa_global_valtype(const wa_global *global)
{
    return global->valtype.code;
}

bool wa_global_is_mutable(const wa_global *global)
{
    return global->is_mutable;
}
