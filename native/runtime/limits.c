/* The limits of a store: what counts there, each once.
 *
 * Memories and tables count where they are defined, those of the embedder where they are adopted; a shared memory in the first
 * store with limits that has it. Exceptions and the blocks of the heap count as memory. Growth and release keep the count
 * (memory.c, table.c). */
#include "store.h"

int wa_store_limit(wa_store *store, const wa_limits *limits)
{
    store->quota = wa_quota_new(limits);
    return store->quota != NULL ? 0 : -1;
}

int wa_store_change_limits(wa_store *store, const wa_limits *limits)
{
    wa_quota *quota = wa_root(store)->quota;
    if (quota != NULL)
        wa_quota_change(quota, limits);
    return quota != NULL ? 0 : -1;
}

static void add(uint64_t *sum, uint64_t amount)
{
    *sum = amount > UINT64_MAX - *sum ? UINT64_MAX : *sum + amount;
}

int wa_limits_check_instance(const wa_store *store, const wa_details *details, wa_error *error)
{
    const wa_artifact *artifact = details->artifact;
    uint64_t needed[WA_COUNTED] = {[WA_COUNTED_INSTANCES] = 1};
    for (uint64_t i = details->imported_memories; i < WA_ROWS(artifact, memory_min_pages); i++) {
        uint64_t pages = WA_COLUMN(artifact, memory_min_pages)[i];
        uint32_t page_log2 = WA_COLUMN(artifact, memory_page_log2)[i] & 63;
        add(&needed[WA_COUNTED_MEMORY_BYTES], pages > UINT64_MAX >> page_log2 ? UINT64_MAX : pages << page_log2);
    }
    for (uint64_t i = details->imported_tables; i < WA_ROWS(artifact, table_type); i++)
        add(&needed[WA_COUNTED_TABLE_ELEMENTS], WA_COLUMN(artifact, table_min)[i]);
    return wa_quota_check(store->quota, needed, error);
}

static void add_object(uint64_t *amounts, uint32_t kind, const void *object)
{
    if (kind == WA_KIND_MEMORY && ((const wa_memory *)object)->quota == NULL)
        add(&amounts[WA_COUNTED_MEMORY_BYTES], wa_memory_size(object));
    if (kind == WA_KIND_TABLE && ((const wa_table *)object)->quota == NULL)
        add(&amounts[WA_COUNTED_TABLE_ELEMENTS], wa_table_size(object));
}

static void count_object(wa_quota *quota, uint32_t kind, void *object)
{
    if (kind == WA_KIND_MEMORY)
        wa_memory_count(object, quota);
    if (kind == WA_KIND_TABLE)
        wa_table_count(object, quota);
}

int wa_store_admit(wa_store *store, const wa_extern *object, wa_error *error)
{
    wa_quota *quota = wa_root(store)->quota;
    uint64_t needed[WA_COUNTED] = {0};
    if (quota == NULL)
        return 0;
    add_object(needed, object->kind, object->object);
    if (wa_quota_check(quota, needed, error) < 0)
        return -1;
    count_object(quota, object->kind, object->object);
    return 0;
}

/* ---- joins ------------------------------------------------------------------------------------------------------ */

/* What a store without limits holds, each object once. */
static void add_contents(const wa_store *store, uint64_t *amounts)
{
    for (const wa_details *details = store->instances; details != NULL; details = details->next) {
        add(&amounts[WA_COUNTED_INSTANCES], 1);
        for (uint32_t i = details->imported_memories; i < details->built_memories; i++)
            add_object(amounts, WA_KIND_MEMORY, wa_memory_slots(details->instance)[i].memory);
        for (uint32_t i = details->imported_tables; i < details->built_tables; i++)
            add_object(amounts, WA_KIND_TABLE, wa_table_slots(details->instance)[i]);
    }
    for (const wa_adopted *adopted = store->adopted; adopted != NULL; adopted = adopted->next)
        add_object(amounts, adopted->object.kind, adopted->object.object);
    add(&amounts[WA_COUNTED_MEMORY_BYTES], wa_heap_bytes(store));
    for (uint64_t i = 0; i < store->exception_count; i++)
        add(&amounts[WA_COUNTED_MEMORY_BYTES], wa_exception_bytes(store->exceptions[i]->tag));
}

static void count_contents(const wa_store *store, wa_quota *quota)
{
    for (const wa_details *details = store->instances; details != NULL; details = details->next) {
        wa_quota_count(quota, WA_COUNTED_INSTANCES, 1);
        for (uint32_t i = 0; i < details->built_memories; i++)
            count_object(quota, WA_KIND_MEMORY, wa_memory_slots(details->instance)[i].memory);
        for (uint32_t i = 0; i < details->built_tables; i++)
            count_object(quota, WA_KIND_TABLE, wa_table_slots(details->instance)[i]);
    }
    for (const wa_adopted *adopted = store->adopted; adopted != NULL; adopted = adopted->next)
        count_object(quota, adopted->object.kind, adopted->object.object);
    wa_quota_count(quota, WA_COUNTED_MEMORY_BYTES, wa_heap_bytes(store));
    for (uint64_t i = 0; i < store->exception_count; i++)
        wa_quota_count(quota, WA_COUNTED_MEMORY_BYTES, wa_exception_bytes(store->exceptions[i]->tag));
}

static int check_contents(const wa_store *store, const wa_quota *quota, wa_error *error)
{
    uint64_t amounts[WA_COUNTED] = {0};
    add_contents(store, amounts);
    return wa_quota_check(quota, amounts, error);
}

int wa_limits_join(wa_store *into, wa_store *from, wa_error *error)
{
    wa_store *newcomer = into->quota != NULL ? from : into;
    if (into->quota == NULL && from->quota == NULL)
        return 0;
    wa_quota *quota = into->quota != NULL ? into->quota : from->quota;
    if (check_contents(newcomer, quota, error) < 0 && !(wa_heap_collect(newcomer) && check_contents(newcomer, quota, error) == 0))
        return -1;
    count_contents(newcomer, quota);
    from->quota = NULL;
    into->quota = quota;
    return 0;
}
