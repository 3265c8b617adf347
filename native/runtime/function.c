/* Functions as values: host functions, their binding to instances, and what is known of wasm functions. */
#include <stdlib.h>

#include "core.h"

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

static wa_binding **bucket_of(const wa_details *details, const void *key)
{
    /* Allocations of one size lie at equal distances: multiply, so that they don't meet in a few buckets. */
    return &details->bindings[((uintptr_t)key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (details->binding_buckets - 1)];
}

static wa_binding *binding_room(const wa_details *details)
{
    return (wa_binding *)(details->bindings + details->binding_buckets);
}

int wa_bindings_prepare(wa_details *details, uint64_t imports)
{
    uint32_t buckets = 8;
    while (buckets < imports && buckets < UINT32_C(1) << 20)
        buckets *= 2;
    details->bindings = calloc(1, buckets * sizeof(wa_binding *) + imports * sizeof(wa_binding));
    details->binding_buckets = buckets;
    details->free_bindings = (uint32_t)imports;
    return details->bindings != NULL ? 0 : -1;
}

/* The binding of this key, or a new one that calls through the instance's own trampoline for the type; NULL: no memory, or
 * no such trampoline. */
static wa_binding *bind(wa_instance *instance, const void *key, const wa_function *function, uint32_t canonical_type)
{
    wa_details *details = wa_instance_details(instance);
    const wa_artifact *artifact = details->artifact;
    wa_binding **bucket = bucket_of(details, key);
    for (wa_binding *binding = *bucket; binding != NULL; binding = binding->next)
        if (binding->key == key)
            return binding;
    uint32_t trampoline = WA_COLUMN(artifact, type_host, uint32_t)[canonical_type];
    if (trampoline == 0 || trampoline > artifact->header->text_size_bytes)
        return NULL;
    /* References that come later, by tables and calls, have bindings of their own. */
    wa_binding *binding = details->free_bindings > 0 ? &binding_room(details)[--details->free_bindings] : calloc(1, sizeof *binding);
    if (binding == NULL)
        return NULL;
    binding->key = key;
    binding->record = *function;
    binding->record.code = (void *)(uintptr_t)(artifact->text + trampoline - 1);
    binding->record.context = &binding->record;
    binding->record.instance = instance;
    binding->record.tail_code = NULL;
    binding->next = *bucket;
    *bucket = binding;
    return binding;
}

wa_function *wa_bind_host(wa_instance *instance, wa_host *host, uint32_t canonical_type)
{
    wa_binding *binding = bind(instance, host, &host->function, canonical_type);
    if (binding == NULL)
        return NULL;
    if (binding->host == NULL) {
        atomic_fetch_add_explicit(&host->references, 1, memory_order_relaxed);
        binding->host = host;
    }
    return &binding->record;
}

/* The wa_invoke of bindings to functions of other instances. */
static void invoke_function(wa_function *record, uint64_t *slots)
{
    const wa_binding *binding = (const wa_binding *)(const void *)((const uint8_t *)record - offsetof(wa_binding, record));
    const wa_function *function = binding->key;
    wa_call_across(record->instance, function, wa_function_entry(function), slots);
}

wa_function *wa_bind_function(wa_instance *instance, wa_function *function, uint32_t canonical_type)
{
    if (wa_function_entry(function) == NULL)
        return NULL;
    wa_binding *binding = bind(instance, function, function, canonical_type);
    if (binding == NULL)
        return NULL;
    binding->record.invoke = (void *)(uintptr_t)invoke_function;
    return &binding->record;
}

void wa_bindings_free(wa_details *details)
{
    const wa_binding *room = binding_room(details), *room_end = room + WA_ROWS(details->artifact, import_kind);
    for (uint32_t i = 0; i < details->binding_buckets; i++) {
        while (details->bindings[i] != NULL) {
            wa_binding *binding = details->bindings[i];
            details->bindings[i] = binding->next;
            wa_host_release(binding->host);
            if (binding < room || binding >= room_end)
                free(binding);
        }
    }
    free(details->bindings);
}

/* Canonical type of a wasm function's record, or UINT32_MAX. */
static uint32_t type_of(const wa_function *function, const wa_artifact **artifact)
{
    if (function->host != NULL || function->instance == NULL)
        return UINT32_MAX;
    *artifact = wa_instance_artifact(function->instance);
    return wa_function_type(*artifact, function->func_index);
}

static void read_values(const wa_artifact *artifact, const uint32_t *offsets, uint32_t type, const uint32_t **values,
                        uint32_t *count)
{
    uint64_t start, end;
    wa_span(offsets, type, WA_ROWS(artifact, type_values), &start, &end);
    *values = WA_COLUMN(artifact, type_values, uint32_t) + start;
    *count = (uint32_t)(end - start);
}

int wa_function_signature(const wa_function *function, wa_signature *signature)
{
    const wa_artifact *artifact;
    uint32_t type = type_of(function, &artifact);
    if (type == UINT32_MAX)
        return -1;
    read_values(artifact, artifact->columns.type_params.data, type, &signature->params, &signature->param_count);
    read_values(artifact, artifact->columns.type_results.data, type, &signature->results, &signature->result_count);
    signature->digest = WA_COLUMN(artifact, type_digest, uint8_t) + 16 * (uint64_t)type;
    return 0;
}

wa_entry wa_function_entry(const wa_function *function)
{
    const wa_artifact *artifact;
    uint32_t type = type_of(function, &artifact);
    uint32_t offset = type == UINT32_MAX ? 0 : WA_COLUMN(artifact, type_entry, uint32_t)[type];
    if (offset == 0 || offset > artifact->header->text_size_bytes)
        return NULL;
    return (wa_entry)(uintptr_t)(artifact->text + offset - 1);
}

bool wa_function_is_short(const wa_function *function)
{
    if (function->host != NULL || function->instance == NULL)
        return false;
    const wa_artifact *artifact = wa_instance_artifact(function->instance);
    const struct wa_schema_function_row *rows = artifact->columns.function.data;
    return function->func_index < WA_ROWS(artifact, function) && (rows[function->func_index].flags & 1) != 0;
}
