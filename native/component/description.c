/* The description of a component: its columns, checked, and the layout of its types (CanonicalABI.md: alignment, size,
 * flattening). */
#include <stdlib.h>
#include <string.h>

#include "runtime/metadata.h"
#include "wa_component.h"

static int fail_row(wa_error *error, const char *what, uint64_t row, uint64_t found)
{
    return wa_fail(error, WA_ERROR_CORRUPT_ROW, row, found, 0, what);
}

/* A column that only components have, found among the entries that were checked when the artifact was opened. */
static const void *find_column(const wa_artifact *artifact, uint32_t id, uint32_t element_bytes, uint32_t *count)
{
    for (uint32_t i = 0; i < artifact->header->directory_count; i++) {
        const struct wa_schema_directory_entry *entry = artifact->directory + i;
        if (entry->column_id != id || entry->element_size_bytes != element_bytes || entry->count > UINT32_MAX / 64)
            continue;
        *count = (uint32_t)entry->count;
        return artifact->section + entry->offset;
    }
    return NULL;
}

static int open_columns(wa_component *component, const struct wa_schema_component_type **types,
                        const struct wa_schema_component_item **items, wa_error *error)
{
    const wa_artifact *artifact = component->artifact;
    uint32_t name_rows = 0;
    component->names = find_column(artifact, WA_COLUMN_COMPONENT_NAME, 4, &name_rows);
    component->name_bytes = find_column(artifact, WA_COLUMN_COMPONENT_NAME_BYTES, 1, &component->name_bytes_count);
    *types = find_column(artifact, WA_COLUMN_COMPONENT_TYPE, sizeof **types, &component->type_count);
    *items = find_column(artifact, WA_COLUMN_COMPONENT_ITEM, sizeof **items, &component->item_count);
    component->resources =
        find_column(artifact, WA_COLUMN_COMPONENT_RESOURCE, sizeof *component->resources, &component->resource_count);
    component->canons = find_column(artifact, WA_COLUMN_COMPONENT_CANON, sizeof *component->canons, &component->canon_count);
    component->externs = find_column(artifact, WA_COLUMN_COMPONENT_EXTERN, sizeof *component->externs, &component->extern_count);
    if (component->names == NULL || component->name_bytes == NULL || *types == NULL || *items == NULL ||
        component->resources == NULL || component->canons == NULL || component->externs == NULL || name_rows == 0)
        return fail_row(error, "a component column (missing)", 0, 0);
    component->name_count = name_rows - 1;
    component->notes = find_column(artifact, WA_COLUMN_COMPONENT_NOTE, sizeof *component->notes, &component->note_count);
    return 0;
}

/* What a snapshot has beside: all of it, or nothing. */
static int open_state(wa_component *component, uint32_t *table_count, uint32_t *handle_count, wa_error *error)
{
    const wa_artifact *artifact = component->artifact;
    uint32_t name_rows = 0;
    component->tables = find_column(artifact, WA_COLUMN_COMPONENT_TABLE, sizeof *component->tables, table_count);
    if (component->tables == NULL)
        return 0;
    component->handles = find_column(artifact, WA_COLUMN_COMPONENT_HANDLE, sizeof *component->handles, handle_count);
    component->host_object_kinds = find_column(artifact, WA_COLUMN_HOST_OBJECT_KIND, 4, &component->host_object_count);
    component->host_object_names = find_column(artifact, WA_COLUMN_HOST_OBJECT_NAME, 4, &name_rows);
    uint32_t name_bytes = 0;
    component->host_object_name_bytes = find_column(artifact, WA_COLUMN_HOST_OBJECT_NAME_BYTES, 1, &name_bytes);
    if (component->handles == NULL || component->host_object_kinds == NULL || component->host_object_names == NULL ||
        component->host_object_name_bytes == NULL || name_rows != component->host_object_count + 1)
        return fail_row(error, "a column of a component's snapshot (missing)", 0, name_rows);
    for (uint32_t i = 0; i < component->host_object_count; i++)
        if (component->host_object_kinds[i] >= WA_HOST_OBJECT_KINDS)
            return fail_row(error, "host_object_kind", i, component->host_object_kinds[i]);
    for (uint32_t i = 0; i < name_rows; i++)
        if (component->host_object_names[i] > name_bytes ||
            (i > 0 && component->host_object_names[i] < component->host_object_names[i - 1]))
            return fail_row(error, "host_object_name", i, component->host_object_names[i]);
    return 0;
}

/* ---- layout ------------------------------------------------------------------------------------------------------ */

static uint64_t align_up(uint64_t value, uint32_t align)
{
    return (value + align - 1) / align * align;
}

static void be_scalar(wac_type *type, uint8_t size_bytes, uint32_t valtype, bool is_plain)
{
    type->size_bytes = size_bytes;
    type->align_bytes = size_bytes;
    type->flat_count = 1;
    type->flat[0] = (uint8_t)valtype;
    type->is_plain = is_plain;
}

/* Append the flat form of a part. */
static void append_flat(wac_type *type, const wac_type *part)
{
    if (type->flat_count == WAC_NOT_FLAT || part->flat_count == WAC_NOT_FLAT ||
        type->flat_count + part->flat_count > WA_MAX_FLAT_PARAMS) {
        type->flat_count = WAC_NOT_FLAT;
        return;
    }
    memcpy(type->flat + type->flat_count, part->flat, part->flat_count);
    type->flat_count = (uint8_t)(type->flat_count + part->flat_count);
}

/* Fields one after the other; count of the parts are fields. */
static uint64_t lay_out_record(wac_type *type, uint32_t count, uint32_t *offsets)
{
    uint64_t size = 0;
    type->align_bytes = 1;
    type->is_plain = true;
    for (uint32_t i = 0; i < count; i++) {
        const wac_type *part = type->parts[i];
        size = align_up(size, part->align_bytes);
        offsets[i] = (uint32_t)size;
        size += part->size_bytes;
        if (size > INT32_MAX)
            return size;
        if (part->align_bytes > type->align_bytes)
            type->align_bytes = part->align_bytes;
        type->is_plain = type->is_plain && part->is_plain && offsets[i] + part->size_bytes == size;
        append_flat(type, part);
    }
    return align_up(size, type->align_bytes);
}

static uint8_t discriminant_bytes(uint32_t cases)
{
    return cases <= 0x100 ? 1 : cases <= 0x10000 ? 2 : 4;
}

/* A value type that can hold either of two. */
static uint8_t joined(uint8_t one, uint8_t other)
{
    if (one == other)
        return one;
    bool is_narrow = (one == WA_VALTYPE_I32 || one == WA_VALTYPE_F32) && (other == WA_VALTYPE_I32 || other == WA_VALTYPE_F32);
    return is_narrow ? WA_VALTYPE_I32 : WA_VALTYPE_I64;
}

static void join_case(wac_type *type, uint8_t *count, const wac_type *part)
{
    if (part->flat_count == WAC_NOT_FLAT || part->flat_count >= WA_MAX_FLAT_PARAMS)
        *count = WAC_NOT_FLAT;
    for (uint8_t i = 0; *count != WAC_NOT_FLAT && i < part->flat_count; i++) {
        type->flat[i + 1] = i + 1 < *count ? joined(type->flat[i + 1], part->flat[i]) : part->flat[i];
        *count = (uint8_t)(i + 1 < *count ? *count : i + 2);
    }
}

static uint64_t lay_out_variant(wac_type *type)
{
    uint32_t cases = wac_case_count(type);
    uint64_t payload = 0;
    uint8_t count = 1;
    type->discriminant_bytes = type->align_bytes = discriminant_bytes(cases);
    type->flat[0] = (uint8_t)WA_VALTYPE_I32;
    for (uint32_t i = 0; i < cases; i++) {
        const wac_type *part = wac_case(type, i);
        if (part == NULL)
            continue;
        payload = part->size_bytes > payload ? part->size_bytes : payload;
        if (part->align_bytes > type->align_bytes)
            type->align_bytes = part->align_bytes;
        join_case(type, &count, part);
    }
    type->flat_count = count;
    type->payload_offset = (uint32_t)align_up(type->discriminant_bytes, type->align_bytes);
    return align_up(type->payload_offset + payload, type->align_bytes);
}

static int lay_out(wac_type *type, uint32_t *offsets, wa_error *error, uint32_t row)
{
    static const uint8_t widths[] = {1, 1, 1, 2, 2, 4, 4, 8, 8, 4, 8, 4};
    uint64_t size = 0;
    switch (type->kind) {
    case WA_CTYPE_STRING:
    case WA_CTYPE_LIST:
        be_scalar(type, 8, WA_VALTYPE_I32, false);
        type->align_bytes = 4;
        type->flat[1] = (uint8_t)WA_VALTYPE_I32;
        type->flat_count = 2;
        return 0;
    case WA_CTYPE_RECORD:
    case WA_CTYPE_TUPLE:
        size = lay_out_record(type, type->item_count, offsets);
        break;
    case WA_CTYPE_FUNC:
        size = lay_out_record(type, type->item_count - 1, offsets);
        break;
    case WA_CTYPE_VARIANT:
    case WA_CTYPE_OPTION:
    case WA_CTYPE_RESULT:
        size = lay_out_variant(type);
        break;
    case WA_CTYPE_ENUM:
        type->discriminant_bytes = discriminant_bytes(type->item_count);
        be_scalar(type, type->discriminant_bytes, WA_VALTYPE_I32, false);
        return 0;
    case WA_CTYPE_FLAGS:
        type->discriminant_bytes = type->item_count <= 8 ? 1 : type->item_count <= 16 ? 2 : 4;
        be_scalar(type, type->discriminant_bytes, WA_VALTYPE_I32, false);
        return 0;
    case WA_CTYPE_OWN:
    case WA_CTYPE_BORROW:
        be_scalar(type, 4, WA_VALTYPE_I32, false);
        return 0;
    default:
        be_scalar(type, widths[type->kind],
                  type->kind == WA_CTYPE_F32   ? WA_VALTYPE_F32
                  : type->kind == WA_CTYPE_F64 ? WA_VALTYPE_F64
                  : widths[type->kind] == 8    ? WA_VALTYPE_I64
                                               : WA_VALTYPE_I32,
                  type->kind != WA_CTYPE_BOOL && type->kind != WA_CTYPE_CHAR);
        return 0;
    }
    if (size > INT32_MAX || (type->flat_count != WAC_NOT_FLAT && size > WAC_FLAT_BYTES))
        return fail_row(error, "component_type (size in bytes)", row, size);
    type->size_bytes = (uint32_t)size;
    return 0;
}

/* ---- reading ------------------------------------------------------------------------------------------------------ */

/* How many items each kind has, at least and at most. */
static bool has_right_count(uint32_t kind, uint32_t count)
{
    switch (kind) {
    case WA_CTYPE_LIST:
    case WA_CTYPE_OPTION:
    case WA_CTYPE_OWN:
    case WA_CTYPE_BORROW:
        return count == 1;
    case WA_CTYPE_RESULT:
        return count == 2;
    case WA_CTYPE_FLAGS:
        return count <= 32;
    case WA_CTYPE_RECORD:
    case WA_CTYPE_TUPLE:
        return true;
    case WA_CTYPE_FUNC:
    case WA_CTYPE_VARIANT:
    case WA_CTYPE_ENUM:
        return count > 0;
    default:
        return count == 0;
    }
}

/* Whether a part may be left out. */
static bool is_optional(uint32_t kind, uint32_t item, uint32_t count)
{
    return kind == WA_CTYPE_VARIANT || kind == WA_CTYPE_RESULT || kind == WA_CTYPE_ENUM || kind == WA_CTYPE_FLAGS ||
           (kind == WA_CTYPE_FUNC && item + 1 == count);
}

static int read_parts(wa_component *component, wac_type *type, uint32_t first_item, uint32_t row, wa_error *error)
{
    for (uint32_t i = 0; i < type->item_count; i++) {
        uint32_t part = type->items[i].type;
        if (type->items[i].name > component->name_count)
            return fail_row(error, "component_item.name", row, type->items[i].name);
        if (part == 0 && is_optional(type->kind, i, type->item_count))
            continue;
        if (part == 0 || part > row || component->types[part - 1].kind == WA_CTYPE_FUNC)
            return fail_row(error, "component_item.type", row, part);
        const wac_type *found = component->part_storage[first_item + i] = &component->types[part - 1];
        if (found->depth >= type->depth)
            type->depth = found->depth == UINT8_MAX ? UINT8_MAX : (uint8_t)(found->depth + 1);
    }
    return 0;
}

static int read_type(wa_component *component, uint32_t row, const struct wa_schema_component_type *read,
                     const struct wa_schema_component_item *items, wa_error *error)
{
    wac_type *type = &component->types[row];
    if (read->kind > WA_CTYPE_FUNC || !has_right_count(read->kind, read->item_count))
        return fail_row(error, "component_type.kind", row, read->kind);
    if (read->first_item > component->item_count || read->item_count > component->item_count - read->first_item)
        return fail_row(error, "component_type.first_item", row, read->first_item);
    type->kind = (uint8_t)read->kind;
    type->item_count = read->item_count;
    type->items = items + read->first_item;
    type->parts = component->part_storage + read->first_item;
    type->offsets = component->offset_storage + read->first_item;
    if (read->kind == WA_CTYPE_OWN || read->kind == WA_CTYPE_BORROW) {
        if (type->items->type == 0 || type->items->type > component->resource_count)
            return fail_row(error, "component_item.type", row, type->items->type);
        type->resource = type->items->type - 1;
    } else if (read_parts(component, type, read->first_item, row, error) < 0) {
        return -1;
    }
    return lay_out(type, component->offset_storage + read->first_item, error, row);
}

static bool is_function(const wa_artifact *artifact, uint32_t place)
{
    return place == 0 || place - 1 < WA_ROWS(artifact, function);
}

/* That all that the rows of canons and externs name exists. */
static int check_rows(wa_component *component, wa_error *error)
{
    const wa_artifact *artifact = component->artifact;
    for (uint32_t row = 0; row < component->canon_count; row++) {
        const struct wa_schema_component_canon *canon = &component->canons[row];
        bool has_type = canon->type != 0 && canon->type <= component->type_count && component->types[canon->type - 1].kind == WA_CTYPE_FUNC;
        uint32_t targets = canon->kind == WA_CANON_HOST      ? component->extern_count
                           : canon->kind == WA_CANON_ADAPTER ? component->canon_count
                           : canon->kind == WA_CANON_LIFT    ? UINT32_MAX
                                                             : component->resource_count;
        if (canon->kind > WA_CANON_RESOURCE_DROP || canon->encoding > WA_ENCODING_LATIN1_UTF16 || canon->target > targets ||
            (canon->kind != WA_CANON_LIFT && canon->target == 0) || (canon->kind <= WA_CANON_ADAPTER && !has_type))
            return fail_row(error, "component_canon", row, canon->kind);
        if (canon->function == 0 || !is_function(artifact, canon->function) || !is_function(artifact, canon->realloc) ||
            !is_function(artifact, canon->post_return) || canon->memory > WA_ROWS(artifact, memory_flags))
            return fail_row(error, "component_canon.function", row, canon->function);
        if (canon->kind == WA_CANON_ADAPTER && component->canons[canon->target - 1].kind != WA_CANON_LIFT)
            return fail_row(error, "component_canon.target", row, canon->target);
        if (canon->instance >= UINT32_C(1) << 20)
            return fail_row(error, "component_canon.instance", row, canon->instance);
        if (canon->instance >= component->sub_count)
            component->sub_count = canon->instance + 1;
        if ((canon->kind == WA_CANON_LIFT) != (row >= WA_ROWS(artifact, import_kind)))
            return fail_row(error, "component_canon.kind", row, canon->kind);
        if (canon->kind != WA_CANON_LIFT)
            component->import_count = row + 1;
    }
    for (uint32_t row = 0; row < component->resource_count; row++) {
        const struct wa_schema_component_resource *resource = &component->resources[row];
        if (!is_function(artifact, resource->destructor) || resource->name > component->name_count)
            return fail_row(error, "component_resource", row, resource->destructor);
    }
    for (uint32_t row = 0; row < component->extern_count; row++) {
        const struct wa_schema_component_extern *item = &component->externs[row];
        if (item->name > component->name_count || item->parent > row || item->sort > WA_SORT_IMPORTED_FUNC)
            return fail_row(error, "component_extern", row, item->name);
    }
    for (uint32_t row = 0; row < component->note_count; row++)
        if (component->notes[row].owner >= component->extern_count || component->notes[row].text > component->name_count)
            return fail_row(error, "component_note", row, component->notes[row].owner);
    return component->import_count == WA_ROWS(artifact, import_kind)
               ? 0
               : fail_row(error, "component_canon (number of imports)", 0, component->import_count);
}

/* That the free places of a table, and no others, are those that lead from one to the next. */
static bool is_free_list(const struct wa_schema_component_table *table, const struct wa_schema_component_handle *handles)
{
    uint32_t found = 0, unused = 0;
    for (uint32_t i = 1; i < table->place_count; i++)
        unused += handles[i].resource == 0;
    for (uint32_t place = table->free; place != 0; place = handles[place].rep, found++)
        if (found == unused || place >= table->place_count || handles[place].resource != 0)
            return false;
    return found == unused;
}

static int check_state(const wa_component *component, uint32_t table_count, uint32_t handle_count, wa_error *error)
{
    if (component->tables == NULL)
        return 0;
    const struct wa_schema_component_handle *handles = component->handles;
    if (table_count != component->sub_count)
        return fail_row(error, "component_table (number of rows)", 0, table_count);
    uint32_t rest = handle_count;
    for (uint32_t row = 0; row < table_count; row++) {
        const struct wa_schema_component_table *table = &component->tables[row];
        if (table->place_count > rest || (table->place_count == 0 && table->free != 0))
            return fail_row(error, "component_table.place_count", row, table->place_count);
        for (uint32_t i = 0; i < table->place_count; i++) {
            uint32_t resource = handles[i].resource;
            if (resource > component->resource_count || (i == 0 && resource != 0))
                return fail_row(error, "component_handle.resource", handle_count - rest + i, resource);
            if (resource != 0 && component->resources[resource - 1].owner == 0 &&
                (handles[i].rep == 0 || handles[i].rep > component->host_object_count))
                return fail_row(error, "component_handle.rep", handle_count - rest + i, handles[i].rep);
        }
        if (!is_free_list(table, handles))
            return fail_row(error, "component_table.free", row, table->free);
        handles += table->place_count;
        rest -= table->place_count;
    }
    return rest == 0 ? 0 : fail_row(error, "component_handle (number of rows)", 0, handle_count);
}

static int read_component(wa_component *component, wa_error *error)
{
    const struct wa_schema_component_type *types;
    const struct wa_schema_component_item *items;
    uint32_t table_count = 0, handle_count = 0;
    if (open_columns(component, &types, &items, error) < 0 || open_state(component, &table_count, &handle_count, error) < 0)
        return -1;
    for (uint32_t i = 0; i <= component->name_count; i++)
        if (component->names[i] > component->name_bytes_count || (i > 0 && component->names[i] < component->names[i - 1]))
            return fail_row(error, "component_name", i, component->names[i]);
    component->types = calloc(component->type_count + 1, sizeof *component->types);
    component->part_storage = calloc(component->item_count + 1, sizeof *component->part_storage);
    component->offset_storage = calloc(component->item_count + 1, sizeof *component->offset_storage);
    if (component->types == NULL || component->part_storage == NULL || component->offset_storage == NULL)
        return wa_fail(error, WA_ERROR_NO_MEMORY, 0, 0, 0, "the types of a component");
    for (uint32_t row = 0; row < component->type_count; row++)
        if (read_type(component, row, &types[row], items, error) < 0)
            return -1;
    return check_rows(component, error) < 0 ? -1 : check_state(component, table_count, handle_count, error);
}

wa_component *wa_component_open(wa_artifact *artifact, wa_error *error)
{
    wa_component *component = calloc(1, sizeof *component);
    if (component == NULL) {
        wa_fail(error, WA_ERROR_NO_MEMORY, 0, 0, 0, "component");
        return NULL;
    }
    wa_artifact_retain(artifact);
    component->artifact = artifact;
    component->sub_count = 1;
    if (read_component(component, error) == 0)
        return component;
    wa_component_release(component);
    return NULL;
}

void wa_component_release(wa_component *component)
{
    if (component == NULL)
        return;
    for (uint32_t i = 0; component->hosts != NULL && i < component->import_count; i++)
        wa_host_release(component->hosts[i]);
    free(component->hosts);
    free(component->types);
    free(component->part_storage);
    free(component->offset_storage);
    wa_artifact_release(component->artifact);
    free(component);
}

const char *wa_component_name(const wa_component *component, uint32_t number, size_t *size_bytes)
{
    *size_bytes = 0;
    if (number == 0 || number > component->name_count)
        return "";
    *size_bytes = component->names[number] - component->names[number - 1];
    return component->name_bytes + component->names[number - 1];
}

/* ---- core types ---------------------------------------------------------------------------------------------------- */

static bool has_types(const wa_artifact *artifact, uint32_t function, const uint8_t *params, uint32_t param_count,
                      const uint8_t *results, uint32_t result_count)
{
    uint32_t type = wa_function_type(artifact, function);
    if (type == UINT32_MAX)
        return false;
    wa_signature signature = wa_type_signature(artifact, type);
    if (signature.param_count != param_count || signature.result_count != result_count)
        return false;
    for (uint32_t i = 0; i < param_count; i++)
        if (signature.params[i] != params[i])
            return false;
    for (uint32_t i = 0; i < result_count; i++)
        if (signature.results[i] != results[i])
            return false;
    return true;
}

bool wa_component_canon_is_sound(const wa_component *component, uint32_t row)
{
    static const uint8_t i32s[4] = {WA_VALTYPE_I32, WA_VALTYPE_I32, WA_VALTYPE_I32, WA_VALTYPE_I32};
    const wa_artifact *artifact = component->artifact;
    const struct wa_schema_component_canon *canon = &component->canons[row];
    if (canon->kind >= WA_CANON_RESOURCE_NEW)
        return has_types(artifact, canon->function - 1, i32s, 1, i32s, canon->kind != WA_CANON_RESOURCE_DROP);
    if (canon->realloc != 0 && !has_types(artifact, canon->realloc - 1, i32s, 4, i32s, 1))
        return false;
    const wac_type *type = &component->types[canon->type - 1], *result = wac_result(type);
    uint8_t params[WA_MAX_FLAT_PARAMS + 1], results[1] = {0};
    uint32_t param_count = type->flat_count, result_count = 0;
    if (type->flat_count == WAC_NOT_FLAT) {
        params[0] = WA_VALTYPE_I32;
        param_count = 1;
    } else {
        memcpy(params, type->flat, type->flat_count);
    }
    if (result != NULL && result->flat_count <= WA_MAX_FLAT_RESULTS) {
        result_count = result->flat_count;
        results[0] = result->flat[0];
    } else if (result != NULL && canon->kind == WA_CANON_LIFT) {
        results[0] = WA_VALTYPE_I32;
        result_count = 1;
    } else if (result != NULL) {
        params[param_count++] = WA_VALTYPE_I32;
    }
    if (canon->post_return != 0 && !has_types(artifact, canon->post_return - 1, results, result_count, NULL, 0))
        return false;
    return has_types(artifact, canon->function - 1, params, param_count, results, result_count);
}
