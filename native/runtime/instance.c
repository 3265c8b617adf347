/* Instances: building memories, tables, tags and segments from the images of the artifact, and letting them go. */
#include <stdlib.h>

#include "store.h"
#include "thread.h"

static int build_defined(wa_details *details, wa_quota *quota, wa_error *error)
{
    wa_artifact *artifact = details->artifact;
    wa_instance *instance = details->instance;
    for (uint32_t i = details->imported_memories; i < WA_ROWS(artifact, memory_min_pages); i++) {
        wa_memory *memory = wa_memory_new_image(artifact, i, error);
        if (memory == NULL)
            return -1;
        if (quota != NULL)
            wa_memory_count(memory, quota);
        wa_memory_slots(instance)[i] = (struct wa_schema_memory_slot){.base = memory->head.base, .memory = memory};
        details->built_memories = i + 1;
    }
    for (uint32_t i = details->imported_tables; i < WA_ROWS(artifact, table_type); i++) {
        wa_table *table = wa_table_new_image(artifact, i, error);
        if (table == NULL)
            return -1;
        if (quota != NULL)
            wa_table_count(table, quota);
        table->head.owner = instance;
        wa_table_slots(instance)[i] = table;
        details->built_tables = i + 1;
    }
    for (uint32_t i = details->imported_tags; i < WA_ROWS(artifact, tag_type); i++) {
        wa_tag *tag = wa_tag_of_type(artifact, WA_COLUMN(artifact, tag_type)[i]);
        if (tag == NULL)
            return wa_fail(error, WA_ERROR_NO_MEMORY, i, 0, 0, "tag");
        wa_tag_slots(instance)[i] = tag;
        details->built_tags = i + 1;
    }
    return 0;
}

/* Segments start available (passive, or active ones that init code still has to copy) or dropped. */
static int build_segments(wa_details *details, wa_error *error)
{
    const wa_artifact *artifact = details->artifact;
    struct wa_schema_element_slot *elements = wa_element_slots(details->instance);
    uint8_t *dropped = wa_data_dropped(details->instance);
    const uint64_t *offsets = WA_COLUMN(artifact, element_slots);
    for (uint64_t i = 0; i < WA_ROWS(artifact, element_mode); i++) {
        bool is_dropped = WA_COLUMN(artifact, element_mode)[i] == 2 || WA_COLUMN(artifact, element_in_image)[i];
        uint64_t start = offsets[i], end = offsets[i + 1];
        if (start > end || end > WA_ROWS(artifact, element_slot_values))
            return wa_fail(error, WA_ERROR_CORRUPT_ROW, i, end, WA_ROWS(artifact, element_slot_values), "element_slots");
        if (!is_dropped) {
            elements[i].slots = (void *)(uintptr_t)(WA_COLUMN(artifact, element_slot_values) + start);
            elements[i].size = end - start;
        }
    }
    memcpy(dropped, WA_COLUMN(artifact, data_in_image), WA_ROWS(artifact, data_in_image));
    return 0;
}

static wa_details *new_details(wa_store *store, wa_artifact *artifact)
{
    uint32_t size_bytes = artifact->contract->instance_size_bytes;
    wa_details *details = calloc(1, sizeof *details);
    wa_instance *instance = aligned_alloc(64, (size_bytes + UINT64_C(63)) & ~UINT64_C(63));
    wa_global **globals = calloc(WA_ROWS(artifact, global_type) + 1, sizeof(wa_global *));
    if (details == NULL || instance == NULL || globals == NULL ||
        wa_bindings_prepare(details, WA_ROWS(artifact, import_kind)) < 0) {
        free(details);
        free(instance);
        free(globals);
        return NULL;
    }
    memset(instance, 0, size_bytes);
    instance->head.stack_limit = store->stack_limit;
    instance->head.calls = (void *)(uintptr_t)&wa_runtime_calls;
    instance->head.store = store;
    instance->head.artifact = artifact;
    instance->head.text = (void *)(uintptr_t)artifact->text;
    instance->head.operands = store->operands;
    instance->head.exception = (void *)&store->pending;
    instance->head.fuel = &store->fuel;
    instance->head.rtts = artifact->rtts;
    instance->head.cpu_level = artifact->cpu_level;
    instance->head.is_marking = store->heap != NULL && store->heap->marking != NULL;
    instance->head.details = details;
    memcpy(wa_global_cells(instance), WA_COLUMN(artifact, global_image), WA_ROWS(artifact, global_image) * sizeof(wa_cell));
    details->instance = instance;
    details->artifact = artifact;
    details->globals = globals;
    wa_artifact_retain(artifact);
    return details;
}

/* Functions of a module with tail calls pass through the store what registers don't hold. */
static int ensure_operands(wa_store *store, const wa_artifact *artifact, wa_error *error)
{
    if (WA_ROWS(artifact, type_inward) == 0 || store->operands != NULL)
        return 0;
    void *operands = aligned_alloc(16, WA_MAX_OPERANDS * 16);
    if (operands == NULL)
        return wa_fail(error, WA_ERROR_NO_MEMORY, 0, 0, 0, "operands");
    wa_store_set_operands(store, operands);
    return 0;
}

wa_instance *wa_instantiate(wa_store *store, wa_artifact *artifact, const wa_extern *externs, size_t extern_count,
                            wa_error *error)
{
    store = wa_root(store);
    wa_thread_check();
    if (wa_signals_ensure(error) < 0 || wa_fuel_admit(store, artifact, error) < 0 ||
        (artifact->subtypes != NULL && wa_artifact_make_rtts(artifact, error) < 0) || ensure_operands(store, artifact, error) < 0)
        return NULL;
    wa_details *details = new_details(store, artifact);
    if (details == NULL) {
        wa_fail(error, WA_ERROR_NO_MEMORY, 0, 0, 0, "instance");
        return NULL;
    }
    if (wa_link_imports(details, externs, extern_count, error) < 0 ||
        (store->quota != NULL && wa_limits_check_instance(store, details, error) < 0) ||
        build_defined(details, store->quota, error) < 0 || build_segments(details, error) < 0 ||
        (artifact->contract->flags & WA_HEADER_SNAPSHOT && wa_instance_resume(details, error) < 0)) {
        wa_instance_free(details);
        return NULL;
    }
    if (store->quota != NULL)
        wa_quota_count(store->quota, WA_COUNTED_INSTANCES, 1);
    details->next = store->instances;
    store->instances = details;
    if (artifact->subtypes != NULL && artifact->header->runtime_abi < WA_RUNTIME_ABI_OF_BARRIER) {
        store->marks_at_once = true;
        wa_heap_abandon(store);
    }
    store->is_metered = wa_is_metered(artifact);
    return details->instance;
}

/* ---- letting go ------------------------------------------------------------------------------------------------- */

/* A global of the instance keeps its value, should anything outlive the instance and look. */
static void release_global(const wa_details *details, uint64_t index)
{
    wa_global *global = details->globals[index];
    if (global != NULL && index >= details->imported_globals) {
        memcpy(global->own_cell, global->cell, sizeof global->own_cell);
        global->cell = global->own_cell;
    }
    wa_global_release(global);
}

void wa_instance_free(wa_details *details)
{
    wa_instance *instance = details->instance;
    for (uint32_t i = 0; i < details->built_memories; i++)
        wa_memory_release(wa_memory_slots(instance)[i].memory);
    for (uint32_t i = 0; i < details->built_tables; i++) {
        wa_table *table = wa_table_slots(instance)[i];
        if (table->head.owner == instance)
            table->head.owner = NULL; /* an object that outlives the store must not look into freed memory */
        wa_table_release(table);
    }
    for (uint32_t i = 0; i < details->built_tags; i++)
        wa_tag_release(wa_tag_slots(instance)[i]);
    for (uint64_t i = 0; i < WA_ROWS(details->artifact, global_type); i++)
        release_global(details, i);
    for (uint64_t i = 0; details->element_storage != NULL && i < WA_ROWS(details->artifact, element_mode); i++)
        free(details->element_storage[i]);
    wa_bindings_free(details);
    wa_records_free(details);
    free(details->element_storage);
    free(details->globals);
    free(instance);
    wa_artifact_release(details->artifact);
    free(details);
}

void wa_instance_discard(wa_instance *instance)
{
    wa_store *store = wa_root(instance->head.store);
    wa_details *details = instance->head.details, **link = &store->instances;
    while (*link != details)
        link = &(*link)->next;
    *link = details->next;
    if (store->quota != NULL)
        wa_quota_give_back(store->quota, WA_COUNTED_INSTANCES, 1);
    wa_instance_free(details);
}
