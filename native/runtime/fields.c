/* Structs and arrays as the embedder sees them: what they hold, what may be put where, and putting it there. */
#include "gc.h"
#include "objects.h"
#include "store.h"

static const wa_object *object_at(uint64_t reference)
{
    return (const wa_object *)(uintptr_t)reference;
}

bool wa_object_is_array(uint64_t object)
{
    return wa_rtt_of(object_at(object))->head.kind == WA_TYPE_ARRAY;
}

uint32_t wa_object_length(uint64_t object)
{
    if (wa_object_is_array(object))
        return ((const wa_array *)(uintptr_t)object)->length;
    return wa_rtt_details_of(wa_rtt_of(object_at(object)))->field_count;
}

wa_slot wa_object_slot(uint64_t object, uint32_t index)
{
    const wa_rtt_details *details = wa_rtt_details_of(wa_rtt_of(object_at(object)));
    bool is_array = wa_object_is_array(object);
    const wa_field *field = &details->fields[is_array ? 0 : index];
    uint64_t offset = field->offset + (is_array ? (uint64_t)index * field->size_bytes : 0);
    return (wa_slot){.place = (uint8_t *)(uintptr_t)object + offset,
                     .type = field->type,
                     .storage = field->storage,
                     .size_bytes = field->size_bytes,
                     .is_mutable = field->is_mutable};
}

void wa_slot_set(wa_store *store, const wa_slot *slot, const uint64_t *bits)
{
    const wa_heap *heap = wa_root(store)->heap;
    uint64_t reference;
    if (wa_valtype_is_reference(slot->storage) && heap->marking != NULL) {
        memcpy(&reference, slot->place, sizeof reference);
        wa_marking_note(heap->marking, reference);
    }
    memcpy(slot->place, bits, slot->size_bytes);
}

bool wa_store_has_object(wa_store *store, uint64_t reference)
{
    const wa_heap *heap = wa_root(store)->heap;
    return wa_is_object(reference) && heap != NULL && wa_heap_region(heap, reference) != NULL;
}

/* ---- what fits ----------------------------------------------------------------------------------------------------- */

/* Of the hierarchy of any, or of extern; not null. */
static bool value_fits(const wa_valtype *wanted, uint64_t reference)
{
    uint32_t heap = wanted->code >> 8;
    if (heap == WA_HEAP_ANY || heap == WA_HEAP_EXTERN)
        return true;
    if (reference & WA_REFERENCE_HANDLE)
        return false;
    if (reference & WA_REFERENCE_I31)
        return heap == WA_HEAP_EQ || heap == WA_HEAP_I31;
    const wa_rtt *rtt = wa_rtt_of(object_at(reference));
    if (heap < WA_HEAP_ABSTRACT)
        return wanted->rtt != NULL && wa_rtt_matches(rtt, wanted->rtt);
    return heap == WA_HEAP_EQ || heap == (rtt->head.kind == WA_TYPE_ARRAY ? WA_HEAP_ARRAY : WA_HEAP_STRUCT);
}

static bool fits(const wa_valtype *wanted, bool is_function, uint64_t reference)
{
    uint32_t heap = wanted->code >> 8;
    if (reference == 0)
        return (wanted->code & 0xff) == WA_VALTYPE_REF_NULL;
    bool wants_function = heap == WA_HEAP_FUNC || heap == WA_HEAP_NOFUNC ||
                          (heap < WA_HEAP_ABSTRACT && (wanted->rtt == NULL || wanted->rtt->head.kind == WA_TYPE_FUNC));
    if (is_function != wants_function)
        return false;
    if (!is_function)
        return value_fits(wanted, reference);
    return heap == WA_HEAP_FUNC ||
           (heap < WA_HEAP_ABSTRACT && wa_function_is_of((const wa_function *)(uintptr_t)reference, wanted->digest));
}

bool wa_slot_takes(const wa_slot *slot, bool is_function, uint64_t reference)
{
    wa_valtype wanted = {.code = slot->storage, .rtt = slot->type};
    if (slot->type != NULL)
        memcpy(wanted.digest, wa_rtt_details_of(slot->type)->digest, sizeof wanted.digest);
    return fits(&wanted, is_function, reference);
}

bool wa_artifact_takes(const wa_artifact *artifact, uint32_t valtype, bool is_function, uint64_t reference)
{
    wa_valtype wanted = wa_valtype_of(artifact, valtype);
    return fits(&wanted, is_function, reference);
}

bool wa_table_takes(const wa_table *table, bool is_function, uint64_t reference)
{
    return fits(&table->valtype, is_function, reference);
}

bool wa_tag_takes(const wa_tag *tag, uint32_t param, bool is_function, uint64_t reference)
{
    wa_valtype wanted = {.code = tag->params[param]};
    return fits(tag->types != NULL ? &tag->types[param] : &wanted, is_function, reference);
}

bool wa_global_takes(const wa_global *global, bool is_function, uint64_t reference)
{
    return fits(&global->valtype, is_function, reference);
}
