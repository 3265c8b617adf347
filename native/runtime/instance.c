/* Instances: linking imports, building memories, tables and globals from their images, function records on demand. */
#include <stdlib.h>

#include "core.h"

/* Function records come in chunks of 1 KiB, so that the first one of a large module costs no more than that of a small one. */
enum { CHUNK_RECORDS = 16 };

wa_details *wa_instance_details(const wa_instance *instance)
{
    return instance->head.details;
}

static void *part(const wa_instance *instance, uint32_t offset)
{
    return (uint8_t *)(uintptr_t)instance + offset;
}

static const struct wa_schema_metadata_header *header_of(const wa_instance *instance)
{
    return ((const wa_artifact *)instance->head.artifact)->header;
}

struct wa_schema_memory_slot *wa_memory_slots(const wa_instance *instance)
{
    return part(instance, header_of(instance)->instance_memories_offset);
}

wa_table **wa_table_slots(const wa_instance *instance)
{
    return part(instance, header_of(instance)->instance_tables_offset);
}

static struct wa_schema_import_slot *import_slots(const wa_instance *instance)
{
    return part(instance, header_of(instance)->instance_imported_functions_offset);
}

static void **imported_global_cells(const wa_instance *instance)
{
    return part(instance, header_of(instance)->instance_imported_globals_offset);
}

static wa_tag **tag_slots(const wa_instance *instance)
{
    return part(instance, header_of(instance)->instance_tags_offset);
}

wa_tag *wa_instance_tag(const wa_instance *instance, uint32_t index)
{
    return tag_slots(instance)[index];
}

bool wa_checks_exceptions(const wa_artifact *artifact)
{
    return (artifact->header->flags & WA_HEADER_CHECKS_EXCEPTIONS) != 0;
}

bool wa_instance_checks_exceptions(const wa_instance *instance)
{
    return wa_checks_exceptions(instance->head.artifact);
}

wa_artifact *wa_instance_artifact(const wa_instance *instance)
{
    return instance->head.artifact;
}

/* ---- linking ------------------------------------------------------------------------------------------------------ */

static int fail_import(wa_error *error, uint64_t row, const char *text)
{
    return wa_fail(error, WA_ERROR_IMPORT_TYPE, row, 0, 0, text);
}

/* Spec section 3.3.5, limits matching: the given sizes fit into what the import asks for. */
static int check_limits(uint64_t row, uint64_t size, uint64_t max, uint32_t flags, uint64_t wanted_min, uint64_t wanted_max,
                        uint32_t wanted_flags, wa_error *error)
{
    if ((flags ^ wanted_flags) & WA_LIMITS_64)
        return fail_import(error, row, "the index type differs");
    if ((flags ^ wanted_flags) & WA_LIMITS_SHARED)
        return fail_import(error, row, "one is shared, the other is not");
    if (size < wanted_min)
        return fail_import(error, row, "it is smaller than the minimum that the import asks for");
    if (wanted_flags & WA_LIMITS_HAS_MAX && (!(flags & WA_LIMITS_HAS_MAX) || max > wanted_max))
        return fail_import(error, row, "its maximum is larger than the import allows");
    return 0;
}

/* What code of the artifact calls: the function itself, or a binding of it. NULL: no memory, or a trampoline is missing. */
static wa_function *callable(wa_details *details, wa_function *function, uint32_t type)
{
    if (function->host != NULL)
        return wa_bind_host(details->instance, function->host, type);
    if (wa_checks_exceptions(details->artifact) != wa_checks_exceptions(wa_instance_artifact(function->instance)))
        return wa_bind_function(details->instance, function, type);
    return function;
}

wa_function *wa_instance_callable(wa_instance *instance, wa_function *function, uint32_t canonical_type)
{
    return callable(wa_instance_details(instance), function, canonical_type);
}

static int link_function(wa_details *details, uint64_t row, uint32_t index, wa_function *function, wa_error *error)
{
    const wa_artifact *artifact = details->artifact;
    uint32_t type = wa_function_type(artifact, index);
    if (type == UINT32_MAX)
        return wa_fail(error, WA_ERROR_CORRUPT_ROW, index, type, WA_ROWS(artifact, type_canonical), "function.type");
    if (memcmp(function->type, WA_COLUMN(artifact, type_digest, uint8_t) + 16 * (uint64_t)type, 16) != 0)
        return fail_import(error, row, "the signature differs");
    uint32_t trampoline = WA_COLUMN(artifact, type_host, uint32_t)[type];
    if (function->host != NULL && (trampoline == 0 || trampoline > artifact->header->text_size_bytes))
        return wa_fail(error, WA_ERROR_CORRUPT_ROW, type, trampoline, artifact->header->text_size_bytes, "type_host");
    wa_function *called = callable(details, function, type);
    if (called == NULL)
        return wa_fail(error, WA_ERROR_NO_MEMORY, row, 0, 0, "imported function");
    /* A reference to it is the bound record of a host function, and else the function's own. */
    import_slots(details->instance)[index] = (struct wa_schema_import_slot){
        .code = called->code, .context = called->context, .record = function->host != NULL ? called : function};
    return 0;
}

static bool is_concrete(const wa_valtype *type)
{
    uint32_t low = type->code & 0xff;
    return (low == WA_VALTYPE_REF || low == WA_VALTYPE_REF_NULL) && type->code >> 8 < WA_HEAP_ABSTRACT;
}

static bool heap_matches(const wa_valtype *found, const wa_valtype *wanted)
{
    uint32_t from = found->code >> 8, to = wanted->code >> 8;
    bool to_function = to == WA_HEAP_FUNC || is_concrete(wanted);
    if (is_concrete(found))
        return to == WA_HEAP_FUNC || (is_concrete(wanted) && memcmp(found->digest, wanted->digest, 16) == 0);
    return from == to || (from == WA_HEAP_NOFUNC && to_function) || (from == WA_HEAP_NOEXTERN && to == WA_HEAP_EXTERN) ||
           (from == WA_HEAP_NOEXN && to == WA_HEAP_EXN);
}

/* Spec section 3.3.3, as far as types without declared subtypes go. */
static bool valtype_matches(const wa_valtype *found, const wa_valtype *wanted)
{
    uint32_t from = found->code & 0xff, to = wanted->code & 0xff;
    bool fits_null = from == to || (from == WA_VALTYPE_REF && to == WA_VALTYPE_REF_NULL);
    if (to != WA_VALTYPE_REF && to != WA_VALTYPE_REF_NULL)
        return found->code == wanted->code;
    return fits_null && heap_matches(found, wanted);
}

static int link_table(wa_details *details, uint64_t row, uint32_t index, wa_table *table, wa_error *error)
{
    const wa_artifact *artifact = details->artifact;
    wa_valtype wanted = wa_valtype_of(artifact, WA_COLUMN(artifact, table_type, uint32_t)[index]);
    if (!valtype_matches(&table->valtype, &wanted) || !valtype_matches(&wanted, &table->valtype))
        return fail_import(error, row, "the element type differs");
    if (check_limits(row, table->head.size, table->max, table->flags, WA_COLUMN(artifact, table_min, uint64_t)[index],
                     WA_COLUMN(artifact, table_max, uint64_t)[index], WA_COLUMN(artifact, table_flags, uint8_t)[index],
                     error) < 0)
        return -1;
    wa_table_retain(table);
    wa_table_slots(details->instance)[index] = table;
    details->built_tables = index + 1;
    return 0;
}

static int link_memory(wa_details *details, uint64_t row, uint32_t index, wa_memory *memory, wa_error *error)
{
    const wa_artifact *artifact = details->artifact;
    uint32_t page_log2 = WA_COLUMN(artifact, memory_page_log2, uint8_t)[index];
    if (memory->page_log2 != page_log2)
        return fail_import(error, row, "the page size differs");
    if (check_limits(row, memory->head.size_bytes >> page_log2, memory->max_pages, memory->flags,
                     WA_COLUMN(artifact, memory_min_pages, uint64_t)[index],
                     WA_COLUMN(artifact, memory_max_pages, uint64_t)[index],
                     WA_COLUMN(artifact, memory_flags, uint8_t)[index], error) < 0)
        return -1;
    wa_memory_retain(memory);
    wa_memory_slots(details->instance)[index] = (struct wa_schema_memory_slot){.base = memory->head.base, .memory = memory};
    details->built_memories = index + 1;
    return 0;
}

static int link_global(wa_details *details, uint64_t row, uint32_t index, wa_global *global, wa_error *error)
{
    const wa_artifact *artifact = details->artifact;
    wa_valtype wanted = wa_valtype_of(artifact, WA_COLUMN(artifact, global_type, uint32_t)[index]);
    bool wants_mutable = (WA_COLUMN(artifact, global_flags, uint8_t)[index] & WA_GLOBAL_MUTABLE) != 0;
    if (global->is_mutable != wants_mutable)
        return fail_import(error, row, "one is mutable, the other is not");
    if (!valtype_matches(&global->valtype, &wanted) || (wants_mutable && !valtype_matches(&wanted, &global->valtype)))
        return fail_import(error, row, "the value type differs");
    wa_global_retain(global);
    details->globals[index] = global;
    imported_global_cells(details->instance)[index] = global->cell;
    return 0;
}

static int link_tag(wa_details *details, uint64_t row, uint32_t index, wa_tag *tag, wa_error *error)
{
    const wa_artifact *artifact = details->artifact;
    uint32_t type = wa_canonical_type(artifact, WA_COLUMN(artifact, tag_type, uint32_t)[index]);
    if (type == UINT32_MAX)
        return wa_fail(error, WA_ERROR_CORRUPT_ROW, index, type, WA_ROWS(artifact, type_canonical), "tag_type");
    if (memcmp(tag->digest, WA_COLUMN(artifact, type_digest, uint8_t) + 16 * (uint64_t)type, 16) != 0)
        return fail_import(error, row, "the tag's parameters differ");
    wa_tag_retain(tag);
    tag_slots(details->instance)[index] = tag;
    details->built_tags = index + 1;
    return 0;
}

static int link_row(wa_details *details, uint64_t row, uint32_t kind, uint32_t index, void *object, wa_error *error)
{
    switch (kind) {
    case WA_KIND_FUNC:
        return link_function(details, row, index, object, error);
    case WA_KIND_TABLE:
        return link_table(details, row, index, object, error);
    case WA_KIND_MEMORY:
        return link_memory(details, row, index, object, error);
    case WA_KIND_GLOBAL:
        return link_global(details, row, index, object, error);
    default:
        return link_tag(details, row, index, object, error);
    }
}

/* Imports come first in each index space, in order: count them, so that a damaged row can't write outside the record. */
static int link_imports(wa_details *details, const wa_extern *externs, size_t count, wa_error *error)
{
    const wa_artifact *artifact = details->artifact;
    if (count != WA_ROWS(artifact, import_kind))
        return wa_fail(error, WA_ERROR_CORRUPT_ROW, 0, count, WA_ROWS(artifact, import_kind), "imports");
    const uint64_t limits[] = {
        wa_imported_functions(artifact), WA_ROWS(artifact, table_type),
        WA_ROWS(artifact, memory_min_pages), WA_ROWS(artifact, global_type) - WA_ROWS(artifact, global_image),
        WA_ROWS(artifact, tag_type),
    };
    uint32_t *const counters[] = {&details->imported_functions, &details->imported_tables, &details->imported_memories,
                                  &details->imported_globals, &details->imported_tags};
    for (uint64_t row = 0; row < count; row++) {
        uint32_t kind = WA_COLUMN(artifact, import_kind, uint8_t)[row];
        uint32_t index = WA_COLUMN(artifact, import_index, uint32_t)[row];
        if (kind > WA_KIND_TAG || index != *counters[kind] || index >= limits[kind])
            return wa_fail(error, WA_ERROR_CORRUPT_ROW, row, index, kind > WA_KIND_TAG ? 0 : *counters[kind], "import_index");
        if (externs[row].kind != kind)
            return wa_fail(error, WA_ERROR_IMPORT_KIND, row, externs[row].kind, kind, "");
        if (link_row(details, row, kind, index, externs[row].object, error) < 0)
            return -1;
        ++*counters[kind];
    }
    if (details->imported_functions != limits[WA_KIND_FUNC] || details->imported_globals != limits[WA_KIND_GLOBAL])
        return wa_fail(error, WA_ERROR_CORRUPT_ROW, count, details->imported_functions, limits[WA_KIND_FUNC], "imports");
    return 0;
}

/* Compiled code checks its accesses to a memory, or relies on what is reserved behind it: the row that says which, and the
 * rows that decide what is reserved, must agree. */
static int check_guards(const wa_artifact *artifact, wa_error *error)
{
    for (uint64_t i = 0; i < WA_ROWS(artifact, memory_guard); i++) {
        bool is_checked = wa_memory_is_checked(WA_COLUMN(artifact, memory_flags, uint8_t)[i],
                                               WA_COLUMN(artifact, memory_page_log2, uint8_t)[i]);
        if (WA_COLUMN(artifact, memory_guard, uint8_t)[i] != is_checked)
            return wa_fail(error, WA_ERROR_CORRUPT_ROW, i, WA_COLUMN(artifact, memory_guard, uint8_t)[i], is_checked,
                           "memory_guard");
    }
    return 0;
}

/* ---- building ----------------------------------------------------------------------------------------------------- */

static wa_tag *new_tag(const wa_artifact *artifact, uint32_t type)
{
    uint64_t start, end;
    wa_span(artifact->columns.type_params.data, type, WA_ROWS(artifact, type_values), &start, &end);
    return wa_tag_new(WA_COLUMN(artifact, type_digest, uint8_t) + 16 * (uint64_t)type,
                      WA_COLUMN(artifact, type_values, uint32_t) + start, (uint32_t)(end - start));
}

static int build_defined(wa_details *details, wa_error *error)
{
    wa_artifact *artifact = details->artifact;
    wa_instance *instance = details->instance;
    for (uint32_t i = details->imported_memories; i < WA_ROWS(artifact, memory_min_pages); i++) {
        wa_memory *memory = wa_memory_new_image(artifact, i, error);
        if (memory == NULL)
            return -1;
        wa_memory_slots(instance)[i] = (struct wa_schema_memory_slot){.base = memory->head.base, .memory = memory};
        details->built_memories = i + 1;
    }
    for (uint32_t i = details->imported_tables; i < WA_ROWS(artifact, table_type); i++) {
        wa_table *table = wa_table_new_image(artifact, i, error);
        if (table == NULL)
            return -1;
        table->head.owner = instance;
        wa_table_slots(instance)[i] = table;
        details->built_tables = i + 1;
    }
    for (uint32_t i = details->imported_tags; i < WA_ROWS(artifact, tag_type); i++) {
        uint32_t type = wa_canonical_type(artifact, WA_COLUMN(artifact, tag_type, uint32_t)[i]);
        wa_tag *tag = type == UINT32_MAX ? NULL : new_tag(artifact, type);
        if (tag == NULL)
            return wa_fail(error, WA_ERROR_NO_MEMORY, i, 0, 0, "tag");
        tag_slots(instance)[i] = tag;
        details->built_tags = i + 1;
    }
    return 0;
}

/* Segments start available (passive, or active ones that init code still has to copy) or dropped. */
static int build_segments(wa_details *details, wa_error *error)
{
    const wa_artifact *artifact = details->artifact;
    struct wa_schema_element_slot *elements = part(details->instance, artifact->header->instance_elements_offset);
    uint8_t *dropped = part(details->instance, artifact->header->instance_data_dropped_offset);
    const uint64_t *offsets = artifact->columns.element_slots.data;
    for (uint64_t i = 0; i < WA_ROWS(artifact, element_mode); i++) {
        bool is_dropped = WA_COLUMN(artifact, element_mode, uint8_t)[i] == 2 || WA_COLUMN(artifact, element_in_image, uint8_t)[i];
        uint64_t start = offsets[i], end = offsets[i + 1];
        if (start > end || end > WA_ROWS(artifact, element_slot_values))
            return wa_fail(error, WA_ERROR_CORRUPT_ROW, i, end, WA_ROWS(artifact, element_slot_values), "element_slots");
        if (!is_dropped) {
            elements[i].slots = (void *)(uintptr_t)(WA_COLUMN(artifact, element_slot_values, uint64_t) + start);
            elements[i].size = end - start;
        }
    }
    memcpy(dropped, artifact->columns.data_in_image.data, WA_ROWS(artifact, data_in_image));
    return 0;
}

static wa_details *new_details(wa_store *store, wa_artifact *artifact)
{
    const struct wa_schema_metadata_header *header = artifact->header;
    wa_details *details = calloc(1, sizeof *details);
    wa_instance *instance = aligned_alloc(64, (header->instance_size_bytes + UINT64_C(63)) & ~UINT64_C(63));
    wa_global **globals = calloc(WA_ROWS(artifact, global_type) + 1, sizeof(wa_global *));
    if (details == NULL || instance == NULL || globals == NULL ||
        wa_bindings_prepare(details, WA_ROWS(artifact, import_kind)) < 0) {
        free(details);
        free(instance);
        free(globals);
        return NULL;
    }
    memset(instance, 0, header->instance_size_bytes);
    instance->head.stack_limit = store->stack_limit;
    instance->head.calls = (void *)(uintptr_t)&wa_runtime_calls;
    instance->head.store = store;
    instance->head.artifact = artifact;
    instance->head.text = (void *)(uintptr_t)artifact->text;
    instance->head.operands = store->operands;
    instance->head.exception = (void *)&store->pending;
    instance->head.details = details;
    memcpy(part(instance, header->instance_globals_offset), artifact->columns.global_image.data,
           WA_ROWS(artifact, global_image) * 16);
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
    store = wa_store_root(store);
    if (wa_signals_ensure(error) < 0 || ensure_operands(store, artifact, error) < 0)
        return NULL;
    wa_details *details = new_details(store, artifact);
    if (details == NULL) {
        wa_fail(error, WA_ERROR_NO_MEMORY, 0, 0, 0, "instance");
        return NULL;
    }
    if (check_guards(artifact, error) < 0 || link_imports(details, externs, extern_count, error) < 0 ||
        build_defined(details, error) < 0 || build_segments(details, error) < 0) {
        wa_instance_free(details);
        return NULL;
    }
    details->next = store->instances;
    store->instances = details;
    return details->instance;
}

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

static uint64_t chunk_count(const wa_details *details)
{
    return (WA_ROWS(details->artifact, function) + CHUNK_RECORDS - 1) / CHUNK_RECORDS;
}

static void free_records(const wa_details *details)
{
    wa_function **chunks = details->instance->head.functions;
    for (uint64_t i = 0; chunks != NULL && i < chunk_count(details); i++)
        free(chunks[i]);
    free(chunks);
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
        wa_tag_release(tag_slots(instance)[i]);
    for (uint64_t i = 0; i < WA_ROWS(details->artifact, global_type); i++)
        release_global(details, i);
    for (uint64_t i = 0; details->element_storage != NULL && i < WA_ROWS(details->artifact, element_mode); i++)
        free(details->element_storage[i]);
    wa_bindings_free(details);
    free_records(details);
    free(details->element_storage);
    free(details->globals);
    free(instance);
    wa_artifact_release(details->artifact);
    free(details);
}

void wa_instance_discard(wa_instance *instance)
{
    wa_details *details = instance->head.details, **link = &wa_store_root(instance->head.store)->instances;
    while (*link != details)
        link = &(*link)->next;
    *link = details->next;
    wa_instance_free(details);
}

/* ---- function records and exports --------------------------------------------------------------------------------- */

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

static int fill_record(wa_details *details, uint32_t func_index, wa_function *record)
{
    const wa_artifact *artifact = details->artifact;
    uint32_t text_offset = WA_COLUMN(artifact, function, struct wa_schema_function_row)[func_index].text_offset;
    uint32_t type = wa_function_type(artifact, func_index);
    if (type == UINT32_MAX || text_offset >= artifact->header->text_size_bytes)
        return -1;
    uint32_t inward = type < WA_ROWS(artifact, type_inward) ? WA_COLUMN(artifact, type_inward, uint32_t)[type] : 0;
    if (inward > artifact->header->text_size_bytes)
        return -1;
    record->type = (void *)(uintptr_t)(artifact->type_digests + 16 * (uint64_t)type);
    record->context = details->instance;
    record->instance = details->instance;
    record->func_index = func_index;
    const uint8_t *code = artifact->text + text_offset;
    if (inward != 0) { /* C reaches it by the trampoline only, which takes the record */
        record->tail_code = (void *)(uintptr_t)code;
        record->context = record;
        code = artifact->text + inward - 1;
    }
    record->code = (void *)(uintptr_t)code; /* last: marks the record as filled */
    return 0;
}

wa_function *wa_instance_function(wa_instance *instance, uint32_t func_index)
{
    wa_details *details = wa_instance_details(instance);
    if (func_index < details->imported_functions)
        return import_slots(instance)[func_index].record;
    if (func_index >= WA_ROWS(details->artifact, function))
        return NULL;
    wa_function *record = record_of(details, func_index);
    if (record != NULL && record->code == NULL && fill_record(details, func_index, record) < 0)
        return NULL;
    return record;
}

static wa_global *global_object(wa_details *details, uint32_t index)
{
    const wa_artifact *artifact = details->artifact;
    if (details->globals[index] != NULL)
        return details->globals[index];
    static const uint8_t zero[16];
    wa_global *global = wa_global_new(WA_COLUMN(artifact, global_type, uint32_t)[index],
                                      (WA_COLUMN(artifact, global_flags, uint8_t)[index] & WA_GLOBAL_MUTABLE) != 0, zero);
    if (global != NULL)
        global->valtype = wa_valtype_of(artifact, global->valtype.code);
    if (global != NULL)
        global->cell = (uint8_t *)part(details->instance, artifact->header->instance_globals_offset) +
                       16 * (uint64_t)(index - details->imported_globals);
    details->globals[index] = global;
    return global;
}

int wa_instance_export(wa_instance *instance, uint32_t slot, wa_extern *result, wa_error *error)
{
    wa_details *details = wa_instance_details(instance);
    const wa_artifact *artifact = details->artifact;
    if (slot >= WA_ROWS(artifact, export_slots))
        return wa_fail(error, WA_ERROR_CORRUPT_ROW, slot, slot, WA_ROWS(artifact, export_slots), "export_slots");
    uint32_t item = WA_COLUMN(artifact, export_slots, struct wa_schema_export_slot)[slot].item;
    uint32_t kind = (item & 7) - 1, index = item >> 3;
    void *object = NULL;
    if (kind == WA_KIND_FUNC)
        object = wa_instance_function(instance, index);
    else if (kind == WA_KIND_TABLE && index < WA_ROWS(artifact, table_type))
        object = wa_table_slots(instance)[index];
    else if (kind == WA_KIND_MEMORY && index < WA_ROWS(artifact, memory_min_pages))
        object = wa_memory_slots(instance)[index].memory;
    else if (kind == WA_KIND_GLOBAL && index < WA_ROWS(artifact, global_type))
        object = global_object(details, index);
    else if (kind == WA_KIND_TAG && index < WA_ROWS(artifact, tag_type))
        object = tag_slots(instance)[index];
    if (object == NULL)
        return wa_fail(error, WA_ERROR_CORRUPT_ROW, slot, item, 0, "export_slots.item");
    *result = (wa_extern){.kind = kind, .object = object};
    return 0;
}

wa_memory *wa_instance_memory(wa_instance *instance)
{
    wa_details *details = wa_instance_details(instance);
    if (details->looked_for_memory)
        return details->exported_memory;
    uint32_t slot = wa_artifact_find_export(details->artifact, "memory", strlen("memory"));
    wa_extern found;
    wa_error error;
    if (slot != UINT32_MAX && wa_instance_export(instance, slot, &found, &error) == 0 && found.kind == WA_KIND_MEMORY)
        details->exported_memory = found.object;
    details->looked_for_memory = true;
    return details->exported_memory;
}
