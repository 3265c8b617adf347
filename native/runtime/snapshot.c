/* What an instance holds, in the words of the format: references become slots of images, memories the pages that are not zero. */
#include <stdlib.h>

#include "instance.h"

/* An imported function as references to it know it: by its host, which any number of records stand for, or by its record. */
typedef struct known_import {
    const void *key;
    uint32_t index;
} known_import;

struct wa_snapshot {
    wa_instance *instance;
    uint32_t import_count;
    known_import imports[]; /* ascending by key, and by index where a function is imported twice */
};

static const void *key_of(const wa_function *function)
{
    return function->host != NULL ? (const void *)function->host : function;
}

static int compare_imports(const void *left, const void *right)
{
    const known_import *a = left, *b = right;
    if (a->key != b->key)
        return (uintptr_t)a->key < (uintptr_t)b->key ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

wa_snapshot *wa_snapshot_begin(wa_instance *instance)
{
    uint32_t count = wa_instance_details(instance)->imported_functions;
    wa_snapshot *snapshot = malloc(sizeof *snapshot + count * sizeof(known_import));
    if (snapshot == NULL)
        return NULL;
    snapshot->instance = instance;
    snapshot->import_count = count;
    for (uint32_t i = 0; i < count; i++)
        snapshot->imports[i] = (known_import){key_of(wa_import_slots(instance)[i].record), i};
    qsort(snapshot->imports, count, sizeof(known_import), compare_imports);
    return snapshot;
}

void wa_snapshot_end(wa_snapshot *snapshot)
{
    free(snapshot);
}

uint32_t wa_snapshot_imported(const wa_snapshot *snapshot, uint32_t kind)
{
    const wa_details *details = wa_instance_details(snapshot->instance);
    const uint32_t counts[] = {details->imported_functions, details->imported_tables, details->imported_memories,
                               details->imported_globals, details->imported_tags};
    return counts[kind];
}

/* ---- references ------------------------------------------------------------------------------------------------- */

/* The first import that is this function, or NULL. */
static const known_import *find_import(const wa_snapshot *snapshot, const wa_function *function)
{
    const void *key = key_of(function);
    uint32_t low = 0, high = snapshot->import_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if ((uintptr_t)snapshot->imports[middle].key < (uintptr_t)key)
            low = middle + 1;
        else
            high = middle;
    }
    return low < snapshot->import_count && snapshot->imports[low].key == key ? &snapshot->imports[low] : NULL;
}

static uint64_t function_slot(const wa_snapshot *snapshot, const wa_function *function)
{
    if (function->host == NULL && function->instance == snapshot->instance)
        return (uint64_t)function->func_index << 1 | 1;
    const known_import *import = find_import(snapshot, function);
    bool is_bound_elsewhere = function->host != NULL && function->instance != NULL && function->instance != snapshot->instance;
    if (import != NULL && !is_bound_elsewhere)
        return (uint64_t)import->index << 1 | 1;
    return function->host != NULL ? WA_SNAPSHOT_HOST_FUNCTION : WA_SNAPSHOT_OTHER_FUNCTION;
}

/* A value of the hierarchy of any or of extern. */
static uint64_t value_slot(uint64_t reference)
{
    if (reference & WA_REFERENCE_HANDLE)
        return WA_SNAPSHOT_HOST_OBJECT;
    return reference & WA_REFERENCE_I31 ? WA_SNAPSHOT_NUMBER : WA_SNAPSHOT_OBJECT;
}

/* A reference, or a tagged function of the instance. */
static uint64_t slot_of(const wa_snapshot *snapshot, uint32_t valtype, uint64_t reference)
{
    if (reference == 0)
        return 0;
    if (!wa_valtype_is_function(wa_instance_artifact(snapshot->instance), valtype))
        return wa_valtype_is_exnref(valtype) ? WA_SNAPSHOT_EXCEPTION : value_slot(reference);
    return reference & 1 ? reference : function_slot(snapshot, (const wa_function *)(uintptr_t)reference);
}

bool wa_snapshot_table(const wa_snapshot *snapshot, uint32_t table_index, uint64_t *slots, uint64_t count)
{
    wa_table *table = wa_table_slots(snapshot->instance)[table_index];
    bool is_own = table->head.owner == snapshot->instance; /* else what it tags are functions of another one */
    for (uint64_t i = 0; i < count; i++) {
        uint64_t reference = ((const uint64_t *)table->head.slots)[i];
        if (!is_own && wa_table_get(table, i, &reference) != 0)
            return false;
        slots[i] = slot_of(snapshot, table->valtype.code, reference);
    }
    return true;
}

void wa_snapshot_global(const wa_snapshot *snapshot, uint32_t global_index, uint8_t *cell)
{
    const wa_details *details = wa_instance_details(snapshot->instance);
    uint32_t valtype = WA_COLUMN(details->artifact, global_type)[global_index];
    memcpy(cell, &wa_global_cells(snapshot->instance)[global_index - details->imported_globals], 16);
    if (!wa_valtype_is_reference(valtype))
        return;
    uint64_t reference;
    memcpy(&reference, cell, sizeof reference);
    uint64_t slots[2] = {slot_of(snapshot, valtype, reference), 0};
    memcpy(cell, slots, sizeof slots);
}

uint64_t wa_snapshot_segment_size(const wa_snapshot *snapshot, uint32_t segment)
{
    return wa_element_slots(snapshot->instance)[segment].size;
}

void wa_snapshot_segment(const wa_snapshot *snapshot, uint32_t segment, uint64_t *slots, uint64_t count)
{
    const wa_details *details = wa_instance_details(snapshot->instance);
    bool is_computed = details->element_storage != NULL && details->element_storage[segment] != NULL;
    uint32_t valtype = WA_COLUMN(details->artifact, element_type)[segment];
    const uint64_t *from = wa_element_slots(snapshot->instance)[segment].slots;
    for (uint64_t i = 0; i < count; i++)
        slots[i] = is_computed ? slot_of(snapshot, valtype, from[i]) : wa_file_slot(from[i]);
}

const uint8_t *wa_snapshot_dropped(const wa_snapshot *snapshot)
{
    return wa_data_dropped(snapshot->instance);
}

/* ---- memories and tables ---------------------------------------------------------------------------------------- */

wa_memory *wa_snapshot_memory(const wa_snapshot *snapshot, uint32_t memory_index)
{
    return wa_memory_slots(snapshot->instance)[memory_index].memory;
}

uint64_t wa_snapshot_table_size(const wa_snapshot *snapshot, uint32_t table_index)
{
    return wa_table_slots(snapshot->instance)[table_index]->head.size;
}

static bool is_zero(const uint8_t *bytes, uint64_t size_bytes)
{
    return size_bytes == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size_bytes - 1) == 0);
}

bool wa_memory_used(const wa_memory *memory, uint64_t page_bytes, uint64_t gap_bytes, uint64_t *start, uint64_t *end)
{
    const uint8_t *base = memory->head.base;
    uint64_t size = memory->head.size_bytes, used_end = 0;
    for (uint64_t at = *start; at < size && (used_end == 0 || at - used_end < gap_bytes); at += page_bytes) {
        uint64_t rest = size - at;
        if (is_zero(base + at, rest < page_bytes ? rest : page_bytes))
            continue;
        if (used_end == 0)
            *start = at;
        used_end = at + page_bytes;
    }
    *end = used_end;
    return used_end != 0;
}
