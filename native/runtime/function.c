/* Functions as values: what the host makes, and what the metadata says of those of a module. */
#include <stdlib.h>

#include "instance.h"

wa_host *wa_host_new(wa_invoke invoke, const uint8_t *digest, void *user, wa_finalizer finalizer)
{
    wa_host *host = calloc(1, sizeof *host);
    if (host == NULL)
        return NULL;
    host->references = 1;
    host->invoke = invoke;
    host->user = user;
    host->finalizer = finalizer;
    memcpy(host->digest, digest, sizeof host->digest);
    host->function.type = host->digest;
    host->function.context = &host->function;
    host->function.invoke = (void *)(uintptr_t)invoke;
    host->function.host = host;
    return host;
}

void wa_host_release(wa_host *host)
{
    if (host == NULL || atomic_fetch_sub_explicit(&host->references, 1, memory_order_acq_rel) != 1)
        return;
    if (host->finalizer != NULL)
        host->finalizer(host->user);
    free(host);
}

void *wa_host_user(const wa_host *host)
{
    return host->user;
}

void *wa_host_face(const wa_host *host)
{
    return host->face;
}

void wa_host_set_face(wa_host *host, void *face)
{
    host->face = face;
}

wa_function *wa_host_function(wa_host *host)
{
    return &host->function;
}

/* ---- functions of a module -------------------------------------------------------------------------------------- */

/* Canonical type of a wasm function's record, or UINT32_MAX. */
static uint32_t type_of(const wa_function *function, const wa_artifact **artifact)
{
    if (function->host != NULL || function->instance == NULL)
        return UINT32_MAX;
    *artifact = wa_instance_artifact(function->instance);
    return wa_function_type(*artifact, function->func_index);
}

bool wa_function_is_of(const wa_function *function, const uint8_t *digest)
{
    const wa_artifact *artifact;
    if (memcmp(function->type, digest, 16) == 0)
        return true;
    uint32_t type = type_of(function, &artifact);
    if (type == UINT32_MAX || artifact->subtypes == NULL)
        return false;
    while (artifact->subtypes[type].supertype != 0) {
        type = artifact->subtypes[type].supertype - 1;
        if (memcmp(wa_type_digest(artifact, type), digest, 16) == 0)
            return true;
    }
    return false;
}

int wa_function_signature(const wa_function *function, wa_signature *signature)
{
    const wa_artifact *artifact;
    uint32_t type = type_of(function, &artifact);
    if (type == UINT32_MAX)
        return -1;
    *signature = wa_type_signature(artifact, type);
    return 0;
}

wa_entry wa_function_entry(const wa_function *function)
{
    const wa_artifact *artifact;
    uint32_t type = type_of(function, &artifact);
    return type == UINT32_MAX ? NULL : (wa_entry)(uintptr_t)wa_code(artifact, WA_COLUMN(artifact, type_entry)[type]);
}

bool wa_function_is_short(const wa_function *function)
{
    if (function->host != NULL || function->instance == NULL)
        return false;
    const wa_artifact *artifact = wa_instance_artifact(function->instance);
    return (artifact->functions[function->func_index].type_and_flags & 1) != 0;
}
