/* Exports: from a name to a slot of the hash index, from a slot to the object. */
#include <string.h>

#include "instance.h"

/* FNV-1a, as export_hash of metadata/rows.py. */
static uint32_t export_hash(const char *name, size_t size_bytes)
{
    uint32_t value = 0x811c9dc5u;
    for (size_t i = 0; i < size_bytes; i++)
        value = (value ^ (uint8_t)name[i]) * 0x01000193u;
    return value;
}

uint32_t wa_artifact_find_export(const wa_artifact *artifact, const char *name, size_t size_bytes)
{
    uint64_t count = WA_ROWS(artifact, export_slots), names_size = WA_ROWS(artifact, export_name_bytes);
    const struct wa_schema_export_slot *slots = WA_COLUMN(artifact, export_slots);
    if (count == 0)
        return UINT32_MAX;
    uint32_t hash = export_hash(name, size_bytes);
    uint64_t index = hash & (count - 1);
    for (uint64_t probes = 0; probes < count && slots[index].item != 0; probes++) {
        const struct wa_schema_export_slot *slot = &slots[index];
        if (slot->hash == hash && slot->name_size_bytes == size_bytes &&
            (uint64_t)slot->name_start + size_bytes <= names_size &&
            memcmp(WA_COLUMN(artifact, export_name_bytes) + slot->name_start, name, size_bytes) == 0)
            return (uint32_t)index;
        index = (index + 1) & (count - 1);
    }
    return UINT32_MAX;
}

static wa_global *global_object(wa_details *details, uint32_t index)
{
    const wa_artifact *artifact = details->artifact;
    if (details->globals[index] != NULL)
        return details->globals[index];
    static const uint8_t zero[16];
    wa_global *global = wa_global_new(WA_COLUMN(artifact, global_type)[index],
                                      (WA_COLUMN(artifact, global_flags)[index] & WA_GLOBAL_MUTABLE) != 0, zero);
    if (global != NULL)
        global->valtype = wa_valtype_of(artifact, global->valtype.code);
    if (global != NULL)
        global->cell = wa_global_cells(details->instance)[index - details->imported_globals].bytes;
    details->globals[index] = global;
    return global;
}

int wa_instance_export(wa_instance *instance, uint32_t slot, wa_extern *result, wa_error *error)
{
    wa_details *details = wa_instance_details(instance);
    const wa_artifact *artifact = details->artifact;
    if (slot >= WA_ROWS(artifact, export_slots))
        return wa_fail(error, WA_ERROR_CORRUPT_ROW, slot, slot, WA_ROWS(artifact, export_slots), "export_slots");
    uint32_t item = WA_COLUMN(artifact, export_slots)[slot].item;
    uint32_t kind = (item & 7) - 1, index = item >> 3;
    const uint64_t counts[] = {WA_ROWS(artifact, function), WA_ROWS(artifact, table_type), WA_ROWS(artifact, memory_min_pages),
                               WA_ROWS(artifact, global_type), WA_ROWS(artifact, tag_type)};
    if (kind > WA_KIND_TAG || index >= counts[kind])
        return wa_fail(error, WA_ERROR_CORRUPT_ROW, slot, item, 0, "export_slots.item");
    void *object = kind == WA_KIND_FUNC     ? (void *)wa_instance_function(instance, index)
                   : kind == WA_KIND_TABLE  ? (void *)wa_table_slots(instance)[index]
                   : kind == WA_KIND_MEMORY ? (void *)wa_memory_slots(instance)[index].memory
                   : kind == WA_KIND_GLOBAL ? (void *)global_object(details, index)
                                            : (void *)wa_tag_slots(instance)[index];
    if (object == NULL)
        return wa_fail(error, WA_ERROR_NO_MEMORY, slot, 0, 0, "an export");
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
