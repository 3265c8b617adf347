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

static void drain(marking *state)
{
    while (state->count > 0)
        wa_object_visit(state->stack[--state->count], WA_FIELD_REFERENCE, mark, state);
}

static void look_again(const wa_object *object, void *user)
{
    wa_object_visit(object, WA_FIELD_REFERENCE, mark, user);
    drain(user);
}

static void look_into_block(wa_heap *heap WA_UNUSED, wa_block *block, void *user)
{
    wa_block_each_object(block, true, look_again, user);
}

static void clear_marks(wa_heap *heap WA_UNUSED, wa_block *block, void *user WA_UNUSED)
{
    memset(block->marks, 0, sizeof block->marks);
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
    wa_held_visit(heap, mark, &state);
    drain(&state);
    while (state.has_overflowed) {
        state.has_overflowed = false;
        wa_heap_each_block(heap, look_into_block, &state);
    }
    free(state.stack);
    wa_heap_sweep(store, state.live_bytes);
    return true;
}

void wa_pin(wa_store *store)
{
    atomic_fetch_add(&wa_root(store)->heap_pins, 1);
}

void wa_unpin(wa_store *store)
{
    atomic_fetch_sub(&wa_root(store)->heap_pins, 1);
}
