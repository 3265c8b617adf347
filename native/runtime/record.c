/* The record of an instance: what is read of it, and the records of its functions, which are made on demand. */
#include <stdlib.h>

#include "instance.h"

/* Function records come in chunks of 1 KiB, so that the first one of a large module costs no more than that of a small one. */
enum { CHUNK_RECORDS = 16 };

wa_artifact *wa_instance_artifact(const wa_instance *instance)
{
    return instance->head.artifact;
}

void wa_instance_set_owner(wa_instance *instance, void *owner)
{
    wa_instance_details(instance)->owner = owner;
}

void *wa_instance_owner(const wa_instance *instance)
{
    return wa_instance_details(instance)->owner;
}

bool wa_instance_checks_exceptions(const wa_instance *instance)
{
    return wa_checks_exceptions(instance->head.artifact);
}

static uint64_t chunk_count(const wa_details *details)
{
    return (WA_ROWS(details->artifact, function) + CHUNK_RECORDS - 1) / CHUNK_RECORDS;
}

void wa_records_free(const wa_details *details)
{
    wa_function **chunks = details->instance->head.functions;
    for (uint64_t i = 0; chunks != NULL && i < chunk_count(details); i++)
        free(chunks[i]);
    free(chunks);
}

/* The record of a function, whose index is in range; zero where it was not asked for before. NULL: out of memory. */
static wa_function *record_of(const wa_details *details, uint32_t func_index)
{
    struct wa_schema_instance *head = &details->instance->head;
    if (head->functions == NULL)
        head->functions = calloc(chunk_count(details), sizeof(wa_function *));
    wa_function **chunks = head->functions;
    if (chunks == NULL)
        return NULL;
    wa_function **chunk = &chunks[func_index / CHUNK_RECORDS];
    uint64_t rest = WA_ROWS(details->artifact, function) - func_index / CHUNK_RECORDS * CHUNK_RECORDS;
    if (*chunk == NULL)
        *chunk = calloc(rest < CHUNK_RECORDS ? rest : CHUNK_RECORDS, sizeof(wa_function));
    return *chunk == NULL ? NULL : *chunk + func_index % CHUNK_RECORDS;
}

static void fill_record(wa_details *details, uint32_t func_index, wa_function *record)
{
    const wa_artifact *artifact = details->artifact;
    uint32_t type = wa_function_type(artifact, func_index);
    uint32_t inward = type < WA_ROWS(artifact, type_inward) ? WA_COLUMN(artifact, type_inward)[type] : 0;
    const uint8_t *trampoline = wa_code(artifact, inward);
    record->type = (void *)(uintptr_t)wa_type_digest(artifact, type);
    record->context = details->instance;
    record->instance = details->instance;
    record->func_index = func_index;
    const uint8_t *code = artifact->text + artifact->functions[func_index].text_offset;
    if (trampoline != NULL) { /* C reaches it by the trampoline only, which takes the record */
        record->tail_code = (void *)(uintptr_t)code;
        record->context = record;
        code = trampoline;
    }
    record->code = (void *)(uintptr_t)code; /* last: marks the record as filled */
}

wa_function *wa_instance_function(wa_instance *instance, uint32_t func_index)
{
    wa_details *details = wa_instance_details(instance);
    if (func_index < details->imported_functions)
        return wa_import_slots(instance)[func_index].record;
    wa_function *record = record_of(details, func_index);
    if (record != NULL && record->code == NULL)
        fill_record(details, func_index, record);
    return record;
}

bool wa_instance_reference(wa_instance *instance, uint64_t tagged, uint64_t *reference)
{
    uint64_t func_index = tagged >> 1;
    bool is_function = func_index < WA_ROWS(wa_instance_artifact(instance), function);
    const wa_function *function = is_function ? wa_instance_function(instance, (uint32_t)func_index) : NULL;
    if (is_function && function == NULL)
        return false;
    *reference = (uint64_t)(uintptr_t)function;
    return true;
}
