/* Linking: each import is checked against what the module asks for, and put into the record of the new instance. */
#include "instance.h"

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

static int link_function(wa_details *details, uint64_t row, uint32_t index, wa_function *function, wa_error *error)
{
    const wa_artifact *artifact = details->artifact;
    uint32_t type = wa_function_type(artifact, index);
    if (!wa_function_is_of(function, wa_type_digest(artifact, type)))
        return fail_import(error, row, "the signature differs");
    wa_function *called;
    uint32_t problem = wa_callable(details, function, type, &called);
    if (problem == WA_TRAP_OUT_OF_MEMORY)
        return wa_fail(error, WA_ERROR_NO_MEMORY, row, 0, 0, "imported function");
    if (problem != 0)
        return wa_fail(error, WA_ERROR_MISSING_TRAMPOLINE, row, 0, 0, "");
    /* A reference to it is the bound record of a host function, and else the function's own. */
    wa_import_slots(details->instance)[index] = (struct wa_schema_import_slot){
        .code = called->code, .context = called->context, .record = function->host != NULL ? called : function};
    return 0;
}

static int link_table(wa_details *details, uint64_t row, uint32_t index, wa_table *table, wa_error *error)
{
    const wa_artifact *artifact = details->artifact;
    wa_valtype wanted = wa_valtype_of(artifact, WA_COLUMN(artifact, table_type)[index]);
    if (!wa_valtype_matches(&table->valtype, &wanted) || !wa_valtype_matches(&wanted, &table->valtype))
        return fail_import(error, row, "the element type differs");
    if (check_limits(row, table->head.size, table->max, table->flags, WA_COLUMN(artifact, table_min)[index],
                     WA_COLUMN(artifact, table_max)[index], WA_COLUMN(artifact, table_flags)[index], error) < 0)
        return -1;
    wa_table_retain(table);
    wa_table_slots(details->instance)[index] = table;
    details->built_tables = index + 1;
    return 0;
}

static int link_memory(wa_details *details, uint64_t row, uint32_t index, wa_memory *memory, wa_error *error)
{
    const wa_artifact *artifact = details->artifact;
    uint32_t page_log2 = WA_COLUMN(artifact, memory_page_log2)[index];
    if (memory->page_log2 != page_log2)
        return fail_import(error, row, "the page size differs");
    if (check_limits(row, wa_memory_bytes(memory) >> page_log2, memory->max_pages, memory->flags,
                     WA_COLUMN(artifact, memory_min_pages)[index], WA_COLUMN(artifact, memory_max_pages)[index],
                     WA_COLUMN(artifact, memory_flags)[index], error) < 0)
        return -1;
    wa_memory_retain(memory);
    wa_memory_slots(details->instance)[index] = (struct wa_schema_memory_slot){.base = memory->head.base, .memory = memory};
    details->built_memories = index + 1;
    return 0;
}

static int link_global(wa_details *details, uint64_t row, uint32_t index, wa_global *global, wa_error *error)
{
    const wa_artifact *artifact = details->artifact;
    wa_valtype wanted = wa_valtype_of(artifact, WA_COLUMN(artifact, global_type)[index]);
    bool wants_mutable = (WA_COLUMN(artifact, global_flags)[index] & WA_GLOBAL_MUTABLE) != 0;
    if (global->is_mutable != wants_mutable)
        return fail_import(error, row, "one is mutable, the other is not");
    if (!wa_valtype_matches(&global->valtype, &wanted) || (wants_mutable && !wa_valtype_matches(&wanted, &global->valtype)))
        return fail_import(error, row, "the value type differs");
    wa_global_retain(global);
    details->globals[index] = global;
    wa_imported_global_cells(details->instance)[index] = global->cell;
    return 0;
}

static int link_tag(wa_details *details, uint64_t row, uint32_t index, wa_tag *tag, wa_error *error)
{
    const wa_artifact *artifact = details->artifact;
    if (memcmp(tag->digest, wa_type_digest(artifact, WA_COLUMN(artifact, tag_type)[index]), 16) != 0)
        return fail_import(error, row, "the tag's parameters differ");
    wa_tag_retain(tag);
    wa_tag_slots(details->instance)[index] = tag;
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

/* Imports come first in each index space, in order; how many of a kind there are is tied to the code, whatever rows say. */
int wa_link_imports(wa_details *details, const wa_extern *externs, size_t count, wa_error *error)
{
    const wa_artifact *artifact = details->artifact;
    const struct wa_schema_contract *contract = artifact->contract;
    if (count != contract->imports)
        return wa_fail(error, WA_ERROR_CORRUPT_ROW, 0, count, contract->imports, "imports");
    const uint32_t limits[] = {contract->imported_functions, contract->imported_tables, contract->imported_memories,
                               contract->imported_globals, contract->imported_tags};
    uint32_t *const counters[] = {&details->imported_functions, &details->imported_tables, &details->imported_memories,
                                  &details->imported_globals, &details->imported_tags};
    for (uint64_t row = 0; row < count; row++) {
        uint32_t kind = WA_COLUMN(artifact, import_kind)[row];
        uint32_t index = WA_COLUMN(artifact, import_index)[row];
        if (kind > WA_KIND_TAG || index != *counters[kind] || index >= limits[kind])
            return wa_fail(error, WA_ERROR_CORRUPT_ROW, row, index, kind > WA_KIND_TAG ? 0 : *counters[kind], "import_index");
        if (externs[row].kind != kind)
            return wa_fail(error, WA_ERROR_IMPORT_KIND, row, externs[row].kind, kind, "");
        if (link_row(details, row, kind, index, externs[row].object, error) < 0)
            return -1;
        ++*counters[kind];
    }
    return 0; /* no kind has more than its number, and all of them together have as many as there are: each has its number */
}
