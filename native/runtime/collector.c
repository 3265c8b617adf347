/* The collector of a store's heap: mark, and leave the rest to the heap.
 *
 * Precise in the heap, by the types of objects. References on the stack may be anywhere, also as addresses inside of objects, so
 * every word there that is such an address counts. */
#include <stdlib.h>

#include "gc.h"
#include "store.h"
#include "thread.h"

typedef struct marking {
    const wa_heap *heap;
    wa_object **stack; /* marked, and not looked into yet */
    uint64_t count, capacity;
    uint64_t live_bytes;
    bool has_overflowed; /* some that are marked were not looked into: there was no memory for the stack */
} marking;

static void push(marking *state, wa_object *object)
{
    if (state->count == state->capacity) {
        uint64_t capacity = state->capacity == 0 ? 1024 : 2 * state->capacity;
        wa_object **grown = realloc(state->stack, capacity * sizeof *grown);
        if (grown == NULL) {
            state->has_overflowed = true;
            return;
        }
        state->stack = grown;
        state->capacity = capacity;
    }
    state->stack[state->count++] = object;
}

static uint64_t bytes_of(const wa_block *block)
{
    return block->cell_bytes != 0 ? block->cell_bytes : (uint64_t)block->run * WA_BLOCK_BYTES;
}

/* A word that may be anything. */
static void mark(uint64_t word, void *user)
{
    marking *state = user;
    uint32_t cell;
    wa_block *block = wa_heap_block(state->heap, word);
    wa_object *object = block == NULL ? NULL : wa_block_object(block, word, &cell);
    if (object == NULL || wa_block_is_marked(block, cell))
        return;
    block->marks[cell / 64] |= UINT64_C(1) << cell % 64;
    state->live_bytes += bytes_of(block);
    if (wa_rtt_details_of(wa_rtt_of(object))->has_references)
        push(state, object);
}

/* Call visit for what the fields of an object hold that are looked at in this way. */
static void visit_fields(const wa_object *object, uint8_t holds, void (*visit)(uint64_t, void *), void *user)
{
    const wa_rtt *rtt = wa_rtt_of(object);
    const wa_rtt_details *details = wa_rtt_details_of(rtt);
    const uint8_t *bytes = (const void *)object;
    if (rtt->head.kind == WA_TYPE_ARRAY) {
        const uint64_t *elements = (const void *)(bytes + details->fields[0].offset);
        uint32_t length = details->fields[0].holds == holds ? ((const wa_array *)(const void *)object)->length : 0;
        for (uint32_t i = 0; i < length; i++)
            if (elements[i] != 0)
                visit(elements[i], user);
        return;
    }
    for (uint32_t i = 0; i < details->field_count; i++) {
        if (details->fields[i].holds != holds)
            continue;
        uint64_t reference;
        memcpy(&reference, bytes + details->fields[i].offset, sizeof reference);
        if (reference != 0)
            visit(reference, user);
    }
}

static void drain(marking *state)
{
    while (state->count > 0)
        visit_fields(state->stack[--state->count], WA_FIELD_REFERENCE, mark, state);
}

static void each_object(wa_block *block, bool marked_only, void (*visit)(const wa_object *, void *), void *user)
{
    for (uint32_t i = 0; i < block->cell_count; i++) {
        const wa_object *object = (const void *)(wa_block_cells(block) + (uint64_t)i * block->cell_bytes);
        if (object->rtt != NULL && (!marked_only || wa_block_is_marked(block, i)))
            visit(object, user);
    }
}

static void look_again(const wa_object *object, void *user)
{
    visit_fields(object, WA_FIELD_REFERENCE, mark, user);
    drain(user);
}

static void look_into_block(wa_heap *heap WA_UNUSED, wa_block *block, void *user)
{
    each_object(block, true, look_again, user);
}

static void clear_marks(wa_heap *heap WA_UNUSED, wa_block *block, void *user WA_UNUSED)
{
    memset(block->marks, 0, sizeof block->marks);
}

static void mark_held(marking *state, wa_heap *heap)
{
    pthread_mutex_lock(&heap->mutex);
    for (const wa_held *held = heap->held; held != NULL; held = held->next)
        mark(held->reference, state);
    pthread_mutex_unlock(&heap->mutex);
}

bool wa_heap_collect(wa_store *store)
{
    wa_heap *heap = store->heap;
    if (heap == NULL || atomic_load(&store->heap_pins) != 0 || wa_stack_has_others(store))
        return false;
    marking state = {.heap = heap};
    wa_heap_each_block(heap, clear_marks, NULL);
    if (store->active != 0)
        wa_visit_stack(mark, &state);
    wa_store_visit_references(store, wa_valtype_is_traced, mark, &state);
    wa_exceptions_visit(store, wa_valtype_is_traced, mark, &state);
    mark_held(&state, heap);
    drain(&state);
    while (state.has_overflowed) {
        state.has_overflowed = false;
        wa_heap_each_block(heap, look_into_block, &state);
    }
    free(state.stack);
    wa_heap_sweep(store, state.live_bytes);
    return true;
}

/* ---- for others -------------------------------------------------------------------------------------------------- */

typedef struct walk {
    void (*visit)(uint64_t, void *);
    void *user;
    bool marked_only;
} walk;

static void visit_handle(uint64_t reference, void *user)
{
    const walk *how = user;
    if (reference & WA_REFERENCE_HANDLE)
        how->visit(reference, how->user);
}

static void visit_object_handles(const wa_object *object, void *user)
{
    visit_fields(object, WA_FIELD_REFERENCE, visit_handle, user);
}

static void visit_block_handles(wa_heap *heap WA_UNUSED, wa_block *block, void *user)
{
    each_object(block, ((const walk *)user)->marked_only, visit_object_handles, user);
}

void wa_heap_visit_handles(wa_store *store, bool exact, void (*visit)(uint64_t, void *), void *user)
{
    walk how = {visit, user, exact};
    if (store->heap != NULL)
        wa_heap_each_block(store->heap, visit_block_handles, &how);
}

static void visit_exceptions(const wa_object *object, void *user)
{
    const walk *how = user;
    if (wa_rtt_details_of(wa_rtt_of(object))->has_exceptions)
        visit_fields(object, WA_FIELD_EXCEPTION, how->visit, how->user);
}

static void visit_block_exceptions(wa_heap *heap WA_UNUSED, wa_block *block, void *user)
{
    each_object(block, false, visit_exceptions, user);
}

void wa_heap_visit_exceptions(wa_store *store, void (*visit)(uint64_t, void *), void *user)
{
    walk how = {visit, user, false};
    if (store->heap != NULL)
        wa_heap_each_block(store->heap, visit_block_exceptions, &how);
}

/* ---- references that the embedder holds ---------------------------------------------------------------------------- */

void wa_hold(wa_store *store, wa_held *held, uint64_t reference)
{
    wa_heap *heap = wa_root(store)->heap;
    held->store = store;
    held->reference = reference;
    pthread_mutex_lock(&heap->mutex);
    held->next = heap->held;
    held->link = &heap->held;
    if (held->next != NULL)
        held->next->link = &held->next;
    heap->held = held;
    pthread_mutex_unlock(&heap->mutex);
}

void wa_unhold(wa_held *held)
{
    wa_heap *heap = wa_root(held->store)->heap;
    pthread_mutex_lock(&heap->mutex);
    *held->link = held->next;
    if (held->next != NULL)
        held->next->link = held->link;
    pthread_mutex_unlock(&heap->mutex);
}

void wa_pin(wa_store *store)
{
    atomic_fetch_add(&wa_root(store)->heap_pins, 1);
}

void wa_unpin(wa_store *store)
{
    atomic_fetch_sub(&wa_root(store)->heap_pins, 1);
}
