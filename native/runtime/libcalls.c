/* The runtime functions that compiled code calls through its instance.
 *
 * All operands come from the guest: check first. wa_trap and wa_heed_interrupt leap to the landing of the innermost call, so a
 * function that is to call one of them must own nothing at that moment: no lock, no memory that only it knows of. Each looks
 * for an interrupt before it returns: a guest that calls it in a loop may be in compiled code too seldom for a signal to find
 * it there. */
#include <stdlib.h>

#include "steps.h"
#include "store.h"
#include "thread.h"

typedef struct wa_schema_instance head;

static wa_instance *instance_of(head *self)
{
    return (wa_instance *)self;
}

static wa_memory *memory_at(head *self, uint32_t index)
{
    return wa_memory_slots(instance_of(self))[index].memory;
}

static wa_table *table_at(head *self, uint32_t index)
{
    return wa_table_slots(instance_of(self))[index];
}

static bool is_outside(uint64_t start, uint64_t count, uint64_t size)
{
    return start > size || count > size - start;
}

/* ---- memories --------------------------------------------------------------------------------------------------- */

static uint64_t memory_grow(head *self, uint32_t memory, uint64_t delta_pages)
{
    uint64_t old_pages = (uint64_t)wa_memory_grow(memory_at(self, memory), delta_pages);
    wa_heed_interrupt();
    return old_pages;
}

static void memory_copy(head *self, uint32_t dst_memory, uint32_t src_memory, uint64_t dst, uint64_t src, uint64_t size_bytes)
{
    wa_memory *target = memory_at(self, dst_memory), *source = memory_at(self, src_memory);
    if (is_outside(dst, size_bytes, wa_memory_bytes(target)) || is_outside(src, size_bytes, wa_memory_bytes(source)))
        wa_trap(WA_TRAP_MEMORY_OUT_OF_BOUNDS);
    wa_move_bytes((uint8_t *)target->head.base + dst, (uint8_t *)source->head.base + src, size_bytes);
}

static void memory_fill(head *self, uint32_t memory, uint64_t dst, uint32_t value, uint64_t size_bytes)
{
    wa_memory *target = memory_at(self, memory);
    if (is_outside(dst, size_bytes, wa_memory_bytes(target)))
        wa_trap(WA_TRAP_MEMORY_OUT_OF_BOUNDS);
    uint8_t byte = (uint8_t)value;
    wa_fill_elements((uint8_t *)target->head.base + dst, &byte, size_bytes, 1);
}

static void memory_init(head *self, uint32_t memory, uint32_t segment, uint64_t dst, uint64_t src, uint64_t size_bytes)
{
    wa_memory *target = memory_at(self, memory);
    const wa_artifact *artifact = self->artifact;
    const uint64_t *offsets = WA_COLUMN(artifact, data_start) + segment;
    uint64_t start = offsets[0], end = offsets[1];
    if (wa_data_dropped(instance_of(self))[segment] || end > WA_ROWS(artifact, data_bytes) || start > end)
        end = start = 0;
    if (is_outside(src, size_bytes, end - start) || is_outside(dst, size_bytes, wa_memory_bytes(target)))
        wa_trap(WA_TRAP_MEMORY_OUT_OF_BOUNDS);
    wa_move_bytes((uint8_t *)target->head.base + dst, WA_COLUMN(artifact, data_bytes) + start + src, size_bytes);
}

/* A place in a shared memory that somebody waits or notifies at. */
static const void *waiting_place(head *self, uint32_t index, uint64_t offset, uint64_t address, uint32_t size_bytes)
{
    wa_memory *memory = memory_at(self, index);
    uint64_t place = address + offset;
    if (place % size_bytes != 0)
        wa_trap(WA_TRAP_UNALIGNED_ATOMIC);
    if (place < address || is_outside(place, size_bytes, wa_memory_bytes(memory)))
        wa_trap(WA_TRAP_MEMORY_OUT_OF_BOUNDS);
    return (const uint8_t *)memory->head.base + place;
}

static uint32_t memory_wait32(head *self, uint32_t memory, uint64_t offset, uint64_t address, uint32_t expected, uint64_t timeout)
{
    return wa_wait(waiting_place(self, memory, offset, address, 4), expected, 4, (int64_t)timeout);
}

static uint32_t memory_wait64(head *self, uint32_t memory, uint64_t offset, uint64_t address, uint64_t expected, uint64_t timeout)
{
    return wa_wait(waiting_place(self, memory, offset, address, 8), expected, 8, (int64_t)timeout);
}

static uint32_t memory_notify(head *self, uint32_t memory, uint64_t offset, uint64_t address, uint32_t count)
{
    uint32_t woken = wa_notify(waiting_place(self, memory, offset, address, 4), count);
    wa_heed_interrupt();
    return woken;
}

static void data_drop(head *self, uint32_t segment)
{
    wa_data_dropped(instance_of(self))[segment] = 1;
    wa_heed_interrupt();
}

/* ---- tables ----------------------------------------------------------------------------------------------------- */

static uint64_t table_get(head *self, uint32_t table, uint64_t index)
{
    uint64_t reference;
    uint32_t problem = wa_table_get(table_at(self, table), index, &reference);
    if (problem != 0)
        wa_trap(problem);
    wa_heed_interrupt();
    return reference;
}

static void table_set(head *self, uint32_t table, uint64_t index, uint64_t reference)
{
    if (wa_table_set(table_at(self, table), index, reference) < 0)
        wa_trap(WA_TRAP_TABLE_OUT_OF_BOUNDS);
    wa_heed_interrupt();
}

static uint64_t table_grow(head *self, uint32_t table, uint64_t reference, uint64_t delta)
{
    uint64_t old = (uint64_t)wa_table_grow(table_at(self, table), delta, reference);
    wa_heed_interrupt();
    return old;
}

static void table_fill(head *self, uint32_t table, uint64_t index, uint64_t reference, uint64_t count)
{
    wa_table *target = table_at(self, table);
    if (is_outside(index, count, target->head.size))
        wa_trap(WA_TRAP_TABLE_OUT_OF_BOUNDS);
    wa_fill_elements((uint64_t *)target->head.slots + index, &reference, count, sizeof reference);
}

static void table_copy(head *self, uint32_t dst_table, uint32_t src_table, uint64_t dst, uint64_t src, uint64_t count)
{
    wa_table *target = table_at(self, dst_table), *source = table_at(self, src_table);
    if (is_outside(dst, count, target->head.size) || is_outside(src, count, source->head.size))
        wa_trap(WA_TRAP_TABLE_OUT_OF_BOUNDS);
    /* A tagged slot means a function of its table's owner: it may move only within tables of that owner. */
    if (target->head.owner != source->head.owner)
        for (uint64_t i = 0; i < count; i++) {
            uint64_t reference;
            uint32_t problem = wa_table_get(source, src + i, &reference);
            if (problem != 0)
                wa_trap(problem);
            wa_heed_interrupt();
        }
    wa_move_bytes((uint8_t *)target->head.slots + dst * sizeof(uint64_t), (const uint8_t *)source->head.slots + src * sizeof(uint64_t),
                  count * sizeof(uint64_t));
}

static struct wa_schema_element_slot *element_at(head *self, uint32_t segment)
{
    return &wa_element_slots(instance_of(self))[segment];
}

static void table_init(head *self, uint32_t table, uint32_t segment, uint64_t dst, uint64_t src, uint64_t count)
{
    wa_table *target = table_at(self, table);
    const struct wa_schema_element_slot *element = element_at(self, segment);
    if (is_outside(src, count, element->size) || is_outside(dst, count, target->head.size))
        wa_trap(WA_TRAP_TABLE_OUT_OF_BOUNDS);
    const uint64_t *from = (const uint64_t *)element->slots + src;
    uint64_t *to = (uint64_t *)target->head.slots + dst;
    const wa_details *details = self->details;
    /* What init code computed are references; what is mapped from the file are tags and null, and tags of functions only. */
    bool is_computed = details->element_storage != NULL && details->element_storage[segment] != NULL;
    bool has_tags = wa_valtype_is_function(details->artifact, WA_COLUMN(details->artifact, element_type)[segment]);
    bool keeps_tags = target->head.owner == self;
    for (uint64_t i = 0; i < count; i++) {
        if (!(from[i] & 1))
            to[i] = is_computed ? from[i] : 0;
        else if (!has_tags)
            to[i] = 0;
        else if (keeps_tags)
            to[i] = from[i];
        else if (!wa_instance_reference(instance_of(self), from[i], &to[i]))
            wa_trap(WA_TRAP_OUT_OF_MEMORY);
        wa_heed_interrupt();
    }
    wa_heed_interrupt();
}

static void element_drop(head *self, uint32_t segment)
{
    element_at(self, segment)->size = 0;
    wa_heed_interrupt();
}

/* Computed segments get storage of their own when the first value arrives; the mapped one is read-only. */
static void element_set(head *self, uint32_t segment, uint64_t index, uint64_t reference)
{
    wa_details *details = self->details;
    struct wa_schema_element_slot *element = element_at(self, segment);
    if (details->element_storage == NULL)
        details->element_storage = calloc(WA_ROWS(details->artifact, element_mode), sizeof(void *));
    if (details->element_storage == NULL || index >= element->size)
        wa_trap(WA_TRAP_OUT_OF_MEMORY);
    if (details->element_storage[segment] == NULL) {
        uint64_t *storage = calloc(element->size, sizeof *storage);
        if (storage == NULL)
            wa_trap(WA_TRAP_OUT_OF_MEMORY);
        for (uint64_t i = 0; i < element->size; i++)
            storage[i] = wa_file_slot(((const uint64_t *)element->slots)[i]);
        details->element_storage[segment] = storage;
        element->slots = storage;
    }
    ((uint64_t *)element->slots)[index] = reference;
    wa_heed_interrupt();
}

/* ---- functions -------------------------------------------------------------------------------------------------- */

static uint64_t function_reference(head *self, uint32_t func_index)
{
    wa_function *function = wa_instance_function(instance_of(self), func_index);
    if (function == NULL)
        wa_trap(WA_TRAP_OUT_OF_MEMORY);
    wa_heed_interrupt();
    return (uint64_t)(uintptr_t)function;
}

static uint64_t resolve_slot(head *self, uint32_t table, uint64_t index)
{
    uint64_t reference;
    uint32_t problem = wa_table_get(table_at(self, table), index, &reference);
    if (problem != 0)
        wa_trap(problem);
    if (reference == 0)
        wa_trap(WA_TRAP_UNINITIALIZED_ELEMENT);
    wa_heed_interrupt();
    return reference;
}

/* The fast path compares addresses of types, which agree within an artifact. Functions of other artifacts and host
 * functions come here; the latter get a record bound to the caller, so that they know who called. */
static uint64_t resolve_call(head *self, uint64_t record, uint64_t type)
{
    wa_function *function = (wa_function *)(uintptr_t)record;
    const wa_artifact *artifact = self->artifact;
    const struct wa_schema_u8x16 *wanted = (const void *)(uintptr_t)type;
    if (!wa_function_is_of(function, wanted->bytes))
        wa_trap(WA_TRAP_INDIRECT_CALL_TYPE_MISMATCH);
    uint32_t canonical = (uint32_t)(wanted - WA_COLUMN(artifact, type_digest));
    wa_function *called;
    uint32_t problem = wa_callable(self->details, function, canonical, &called);
    if (problem != 0)
        wa_trap(problem);
    wa_heed_interrupt();
    return (uint64_t)(uintptr_t)called;
}

/* ---- exceptions ------------------------------------------------------------------------------------------------- */

static uint64_t exception_new(head *self, uint32_t tag)
{
    wa_exception *exception = wa_exception_new(self->store, wa_tag_slots(instance_of(self))[tag]);
    if (exception == NULL)
        wa_trap(WA_TRAP_OUT_OF_MEMORY);
    wa_heed_interrupt();
    return (uint64_t)(uintptr_t)exception;
}

static void exception_done(head *self, uint64_t exception)
{
    wa_exception_done(wa_root(self->store), (wa_exception *)(uintptr_t)exception);
    wa_heed_interrupt();
}

static void trap(head *self WA_UNUSED, uint32_t code)
{
    wa_trap(code);
}

const struct wa_schema_calls wa_runtime_calls = {
    .memory_grow = memory_grow,
    .memory_copy = memory_copy,
    .memory_fill = memory_fill,
    .memory_init = memory_init,
    .data_drop = data_drop,
    .table_get = table_get,
    .table_set = table_set,
    .table_grow = table_grow,
    .table_fill = table_fill,
    .table_copy = table_copy,
    .table_init = table_init,
    .element_drop = element_drop,
    .element_set = element_set,
    .function_reference = function_reference,
    .resolve_slot = resolve_slot,
    .resolve_call = resolve_call,
    .exception_new = exception_new,
    .exception_done = exception_done,
    .trap = trap,
    .memory_wait32 = memory_wait32,
    .memory_wait64 = memory_wait64,
    .memory_notify = memory_notify,
    .struct_new = wa_call_struct_new,
    .array_new = wa_call_array_new,
    .array_new_data = wa_call_array_new_data,
    .array_new_elem = wa_call_array_new_elem,
    .array_fill = wa_call_array_fill,
    .array_copy = wa_call_array_copy,
    .array_init_data = wa_call_array_init_data,
    .array_init_elem = wa_call_array_init_elem,
    .function_matches = wa_call_function_matches,
    .reference_changes = wa_call_reference_changes,
};
