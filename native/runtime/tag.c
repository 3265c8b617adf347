/* Exception tags: their identity is their address. */
#include <stdlib.h>

#include "objects.h"

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
