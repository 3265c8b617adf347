/* Functions of the host and of other instances, bound to the instance that calls them. */
#include <stdlib.h>

#include "instance.h"
#include "thread.h"

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
    size_t bucket_bytes = buckets * sizeof(wa_binding *);
    details->bindings = malloc(bucket_bytes + imports * sizeof(wa_binding)); /* a binding is written whole when it is made */
    if (details->bindings == NULL)
        return -1;
    memset(details->bindings, 0, bucket_bytes);
    details->binding_buckets = buckets;
    details->free_bindings = (uint32_t)imports;
    return 0;
}

/* The binding of this key, or a new one that calls through the instance's own trampoline for the type. 0, or a trap code. */
static uint32_t bind(wa_details *details, const void *key, const wa_function *function, uint32_t canonical_type,
                     wa_binding **result)
{
    const wa_artifact *artifact = details->artifact;
    wa_binding **bucket = bucket_of(details, key);
    for (wa_binding *binding = *bucket; binding != NULL; binding = binding->next)
        if (binding->key == key) {
            *result = binding;
            return 0;
        }
    const uint8_t *trampoline = wa_code(artifact, WA_COLUMN(artifact, type_host)[canonical_type]);
    if (trampoline == NULL)
        return WA_TRAP_MISSING_TRAMPOLINE;
    /* References that come later, by tables and calls, have bindings of their own. */
    wa_binding *binding = details->free_bindings > 0 ? &binding_room(details)[--details->free_bindings] : calloc(1, sizeof *binding);
    if (binding == NULL)
        return WA_TRAP_OUT_OF_MEMORY;
    binding->key = key;
    binding->host = NULL;
    binding->record = *function;
    binding->record.code = (void *)(uintptr_t)trampoline;
    binding->record.context = &binding->record;
    binding->record.instance = details->instance;
    binding->record.tail_code = NULL;
    binding->next = *bucket;
    *result = *bucket = binding;
    return 0;
}

static uint32_t bind_host(wa_details *details, wa_host *host, uint32_t canonical_type, wa_function **called)
{
    wa_binding *binding;
    uint32_t problem = bind(details, host, &host->function, canonical_type, &binding);
    if (problem != 0)
        return problem;
    if (binding->host == NULL) {
        atomic_fetch_add_explicit(&host->references, 1, memory_order_relaxed);
        binding->host = host;
    }
    *called = &binding->record;
    return 0;
}

/* The wa_invoke of bindings to functions of other instances. */
static void invoke_function(wa_function *record, uint64_t *slots)
{
    const wa_binding *binding = (const wa_binding *)(const void *)((const uint8_t *)record - offsetof(wa_binding, record));
    const wa_function *function = binding->key;
    wa_call_across(record->instance, function, wa_function_entry(function), slots);
}

/* For a function of another instance whose code can't call it as it is: the call goes through slots and the function's entry
 * trampoline, and has a landing of its own. */
static uint32_t bind_function(wa_details *details, wa_function *function, uint32_t canonical_type, wa_function **called)
{
    wa_binding *binding;
    uint32_t problem = wa_function_entry(function) == NULL ? WA_TRAP_MISSING_TRAMPOLINE
                                                           : bind(details, function, function, canonical_type, &binding);
    if (problem != 0)
        return problem;
    binding->record.invoke = (void *)(uintptr_t)invoke_function;
    *called = &binding->record;
    return 0;
}

uint32_t wa_callable(wa_details *details, wa_function *function, uint32_t type, wa_function **called)
{
    if (function->host != NULL)
        return bind_host(details, function->host, type, called);
    if (wa_checks_exceptions(details->artifact) != wa_checks_exceptions(wa_instance_artifact(function->instance)))
        return bind_function(details, function, type, called);
    *called = function;
    return 0;
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
