/* Globals and tags as objects: what the embedder makes, and what instances export. */
#include <stdlib.h>

#include "core.h"

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

wa_tag *wa_tag_new(const uint8_t *digest, const uint32_t *params, uint32_t param_count)
{
    wa_tag *tag = calloc(1, sizeof *tag + param_count * sizeof tag->params[0]);
    if (tag == NULL)
        return NULL;
    tag->references = 1;
    tag->param_count = param_count;
    memcpy(tag->digest, digest, sizeof tag->digest);
    if (param_count != 0)
        memcpy(tag->params, params, param_count * sizeof tag->params[0]);
    return tag;
}

const uint32_t *wa_tag_params(const wa_tag *tag, uint32_t *count)
{
    *count = tag->param_count;
    return tag->params;
}

void wa_tag_retain(wa_tag *tag)
{
    atomic_fetch_add_explicit(&tag->references, 1, memory_order_relaxed);
}

void wa_tag_release(wa_tag *tag)
{
    if (tag != NULL && atomic_fetch_sub_explicit(&tag->references, 1, memory_order_acq_rel) == 1)
        free(tag);
}
