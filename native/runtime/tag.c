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

static bool has_types_of_module(const wa_signature *signature)
{
    for (uint32_t i = 0; i < signature->param_count; i++)
        if (wa_valtype_is_concrete(signature->params[i]))
            return true;
    return false;
}

wa_tag *wa_tag_of_type(const wa_artifact *artifact, uint32_t type)
{
    wa_signature signature = wa_type_signature(artifact, type);
    wa_tag *tag = wa_tag_new(signature.digest, signature.params, signature.param_count);
    if (tag == NULL || !has_types_of_module(&signature))
        return tag;
    tag->types = malloc(signature.param_count * sizeof *tag->types);
    if (tag->types == NULL) {
        wa_tag_release(tag);
        return NULL;
    }
    for (uint32_t i = 0; i < signature.param_count; i++)
        tag->types[i] = wa_valtype_of(artifact, signature.params[i]);
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
    if (tag != NULL && atomic_fetch_sub_explicit(&tag->references, 1, memory_order_acq_rel) == 1) {
        free(tag->types);
        free(tag);
    }
}
