/* The runtime functions that compiled code calls for structs and arrays.
 *
 * What libcalls.c says of its functions holds here, too: whoever traps or heeds an interrupt owns nothing. A collection may run
 * wherever an object is allocated, and finds references of the guest in its frames and of this file in its own. */
#include "steps.h"
#include "store.h"
#include "thread.h"

typedef struct wa_schema_instance head;

static wa_instance *instance_of(head *self)
{
    return (wa_instance *)self;
}

static const wa_rtt *rtt_at(const head *self, uint32_t type)
{
    return ((const wa_rtt *const *)self->rtts)[type];
}

static uint8_t *elements_of(wa_array *array)
{
    return (uint8_t *)array + sizeof *array;
}

static uint32_t element_bytes(const wa_array *array)
{
    const wa_rtt *rtt = array->rtt;
    return rtt->head.size_bytes;
}

void wa_call_reference_changes(head *self, uint64_t place)
{
    uint64_t reference;
    memcpy(&reference, (const void *)(uintptr_t)place, sizeof reference);
    wa_marking_note(wa_root(self->store)->heap->marking, reference);
    wa_heed_interrupt();
}

/* All that elements from here on hold is about to be overwritten. */
static void elements_change(head *self, wa_array *array, uint32_t first, uint32_t count)
{
    const wa_rtt *rtt = array->rtt;
    if (!self->is_marking || rtt->head.references == 0)
        return;
    uint64_t *elements = (uint64_t *)(void *)elements_of(array) + first;
    for (uint64_t i = 0; i < count; i++)
        wa_call_reference_changes(self, (uintptr_t)&elements[i]);
}

static bool is_outside(uint64_t start, uint64_t count, uint64_t size)
{
    return start > size || count > size - start;
}

static wa_array *array_at(uint64_t reference, uint32_t start, uint32_t count)
{
    wa_array *array = (wa_array *)(uintptr_t)reference;
    if (array == NULL)
        wa_trap(WA_TRAP_NULL_ARRAY_REFERENCE);
    if (is_outside(start, count, array->length))
        wa_trap(WA_TRAP_ARRAY_OUT_OF_BOUNDS);
    return array;
}

/* ---- making ------------------------------------------------------------------------------------------------------ */

static wa_object *allocate(head *self, const wa_rtt *rtt, uint64_t size_bytes)
{
    wa_object *object = wa_heap_allocate(wa_root(self->store), rtt, size_bytes);
    if (object != NULL)
        return object;
    wa_heed_interrupt(); /* which may have kept the collector from freeing something */
    wa_trap(WA_TRAP_OUT_OF_MEMORY);
}

uint64_t wa_call_struct_new(head *self, uint32_t type)
{
    const wa_rtt *rtt = rtt_at(self, type);
    uint64_t object = (uintptr_t)allocate(self, rtt, rtt->head.size_bytes);
    wa_heed_interrupt();
    return object;
}

static wa_array *new_array(head *self, uint32_t type, uint32_t length)
{
    const wa_rtt *rtt = rtt_at(self, type);
    wa_array *array = (wa_array *)allocate(self, rtt, sizeof *array + (uint64_t)length * rtt->head.size_bytes);
    array->length = length;
    return array;
}

uint64_t wa_call_array_new(head *self, uint32_t type, uint32_t length)
{
    uint64_t array = (uintptr_t)new_array(self, type, length);
    wa_heed_interrupt();
    return array;
}

/* ---- data segments ------------------------------------------------------------------------------------------------ */

/* A part of a data segment, which is as large as the elements. */
static const uint8_t *data_at(head *self, uint32_t segment, uint32_t offset, uint64_t size_bytes)
{
    const wa_artifact *artifact = self->artifact;
    const uint64_t *offsets = WA_COLUMN(artifact, data_start) + segment;
    uint64_t start = offsets[0], end = offsets[1];
    if (wa_data_dropped(instance_of(self))[segment] || end > WA_ROWS(artifact, data_bytes) || start > end)
        end = start = 0;
    if (is_outside(offset, size_bytes, end - start))
        wa_trap(WA_TRAP_MEMORY_OUT_OF_BOUNDS);
    return WA_COLUMN(artifact, data_bytes) + start + offset;
}

uint64_t wa_call_array_new_data(head *self, uint32_t type, uint32_t segment, uint32_t offset, uint32_t length)
{
    uint64_t size_bytes = (uint64_t)length * rtt_at(self, type)->head.size_bytes;
    const uint8_t *bytes = data_at(self, segment, offset, size_bytes);
    wa_array *array = new_array(self, type, length);
    wa_move_bytes(elements_of(array), bytes, size_bytes);
    return (uint64_t)(uintptr_t)array;
}

void wa_call_array_init_data(head *self, uint32_t segment, uint64_t reference, uint32_t dst, uint32_t src, uint32_t count)
{
    wa_array *array = array_at(reference, dst, count);
    uint64_t width = element_bytes(array);
    const uint8_t *bytes = data_at(self, segment, src, count * width);
    wa_move_bytes(elements_of(array) + dst * width, bytes, count * width);
}

/* ---- element segments --------------------------------------------------------------------------------------------- */

static void check_elements(head *self, uint32_t segment, uint32_t offset, uint32_t count)
{
    if (is_outside(offset, count, wa_element_slots(instance_of(self))[segment].size))
        wa_trap(WA_TRAP_TABLE_OUT_OF_BOUNDS);
}

/* What init code computed are references; what is mapped from the file are tags and null, and tags of functions only. */
static void put_elements(head *self, uint32_t segment, uint32_t offset, uint32_t count, uint64_t *to)
{
    const wa_details *details = self->details;
    const uint64_t *from = (const uint64_t *)wa_element_slots(instance_of(self))[segment].slots + offset;
    bool is_computed = details->element_storage != NULL && details->element_storage[segment] != NULL;
    bool has_tags = wa_valtype_is_function(details->artifact, WA_COLUMN(details->artifact, element_type)[segment]);
    for (uint32_t i = 0; i < count; i++) {
        if (!(from[i] & 1))
            to[i] = is_computed ? from[i] : 0;
        else if (!has_tags)
            to[i] = 0;
        else if (!wa_instance_reference(instance_of(self), from[i], &to[i]))
            wa_trap(WA_TRAP_OUT_OF_MEMORY);
        wa_heed_interrupt();
    }
}

uint64_t wa_call_array_new_elem(head *self, uint32_t type, uint32_t segment, uint32_t offset, uint32_t length)
{
    check_elements(self, segment, offset, length);
    wa_array *array = new_array(self, type, length);
    put_elements(self, segment, offset, length, (uint64_t *)(void *)elements_of(array));
    wa_heed_interrupt();
    return (uint64_t)(uintptr_t)array;
}

void wa_call_array_init_elem(head *self, uint32_t segment, uint64_t reference, uint32_t dst, uint32_t src, uint32_t count)
{
    wa_array *array = array_at(reference, dst, count);
    check_elements(self, segment, src, count);
    elements_change(self, array, dst, count);
    put_elements(self, segment, src, count, (uint64_t *)(void *)elements_of(array) + dst);
    wa_heed_interrupt();
}

/* ---- filling and copying ------------------------------------------------------------------------------------------ */

void wa_call_array_fill(head *self, uint64_t reference, uint32_t index, uint64_t low, uint32_t count, uint64_t high)
{
    wa_array *array = array_at(reference, index, count);
    elements_change(self, array, index, count);
    uint64_t width = element_bytes(array), value[2] = {low, high};
    wa_fill_elements(elements_of(array) + index * width, value, count, width);
}

void wa_call_array_copy(head *self, uint64_t dst_array, uint32_t dst, uint64_t src_array, uint32_t src, uint32_t count)
{
    if (dst_array == 0 || src_array == 0)
        wa_trap(WA_TRAP_NULL_ARRAY_REFERENCE);
    wa_array *to = array_at(dst_array, dst, count), *from = array_at(src_array, src, count);
    elements_change(self, to, dst, count);
    uint64_t width = element_bytes(to);
    wa_move_bytes(elements_of(to) + dst * width, elements_of(from) + src * width, count * width);
}

/* ---- types -------------------------------------------------------------------------------------------------------- */

uint32_t wa_call_function_matches(head *self, uint32_t type, uint64_t reference)
{
    uint32_t matches = wa_function_is_of((const wa_function *)(uintptr_t)reference, wa_type_digest(self->artifact, type));
    wa_heed_interrupt();
    return matches;
}
