/* The collector of a store's heap: mark, and leave the rest to the heap.
 *
 * Precise in the heap, by the types of objects. References on the stack may be anywhere, also as addresses inside of objects, so
 * every word there that is such an address counts.
 * Marking waits for memory more than for anything else: an object waits in a queue between the time when a reference to it is
 * found, and it and its mark are fetched, and the time when they are looked at. */
#include <stdlib.h>

#include "gc.h"
#include "store.h"
#include "thread.h"

enum {
    QUEUE = 16,             /* a power of two */
    STEPS_PER_LOOK = 16384, /* references between two looks for what shall end the call */
};

typedef struct marking {
    const wa_heap *heap;
    uint64_t base, size_bytes; /* of the region that the last reference was in; the next is of it */
    uint64_t *marks;
    const wa_object **stack; /* marked, and not looked into yet */
    uint64_t count, capacity;
    uint64_t queue[QUEUE];   /* addresses of objects that are not marked yet; 0: none */
    uint32_t turn, waiting;  /* the place that is next; how many are not 0 */
    int64_t steps_left;
    bool may_stop, is_stopped;
    bool has_overflowed; /* some that are marked were not looked into: there was no memory for the stack */
} marking;

static WA_COLD bool grow(marking *state)
{
    uint64_t capacity = state->capacity == 0 ? 1024 : 2 * state->capacity;
    const wa_object **grown = realloc(state->stack, capacity * sizeof *grown);
    if (grown == NULL) {
        state->has_overflowed = true;
        return false;
    }
    state->stack = grown;
    state->capacity = capacity;
    return true;
}

static inline void push(marking *state, const wa_object *object)
{
    if (wa_rtt_of(object)->head.references != 0 && (state->count < state->capacity || grow(state)))
        state->stack[state->count++] = object;
}

static WA_COLD bool enter_region(marking *state, uint64_t object)
{
    const wa_region *region = wa_heap_region(state->heap, object);
    if (region == NULL)
        return false;
    state->base = (uintptr_t)region->base;
    state->size_bytes = (uint64_t)region->used * WA_BLOCK_BYTES;
    state->marks = region->marks;
    return true;
}

/* Have an object's region at hand; false where the heap has none of it. */
static inline bool is_in_heap(marking *state, uint64_t object)
{
    return __builtin_expect(object - state->base < state->size_bytes, 1) || enter_region(state, object);
}

/* Its turn in the queue has come. */
static inline void mark_object(marking *state, uint64_t object)
{
    if (is_in_heap(state, object) && wa_set_mark(state->marks, (object - state->base) / WA_OBJECT_ALIGN_BYTES))
        push(state, (const wa_object *)(uintptr_t)object);
}

/* What a field of an object holds. */
static inline void found(marking *state, uint64_t reference)
{
    if (!wa_is_object(reference) || !is_in_heap(state, reference))
        return;
    __builtin_prefetch(&state->marks[(reference - state->base) / (64 * WA_OBJECT_ALIGN_BYTES)], 1);
    __builtin_prefetch((const void *)(uintptr_t)reference);
    uint32_t turn = state->turn;
    uint64_t before = state->queue[turn];
    state->queue[turn] = reference;
    state->turn = (turn + 1) % QUEUE;
    if (__builtin_expect(before != 0, 1))
        mark_object(state, before);
    else
        state->waiting++;
}

/* The one that has waited longest. */
static inline void take_turn(marking *state)
{
    uint64_t object = state->queue[state->turn];
    state->queue[state->turn] = 0;
    state->turn = (state->turn + 1) % QUEUE;
    if (object == 0)
        return;
    state->waiting--;
    mark_object(state, object);
}

/* A word that may be anything. */
static void mark_word(uint64_t word, void *user)
{
    marking *state = user;
    const wa_region *region = wa_heap_region(state->heap, word);
    wa_object *object = region == NULL ? NULL : wa_region_object(region, word);
    if (object != NULL && wa_set_mark(region->marks, wa_region_granule(region, (uintptr_t)object)))
        push(state, object);
}

/* ---- looking into objects ----------------------------------------------------------------------------------------- */

static WA_COLD void look_for_stop(marking *state)
{
    state->steps_left = STEPS_PER_LOOK;
    state->is_stopped = state->may_stop && wa_interrupt_is_due();
}

static void found_in_field(uint64_t reference, void *state)
{
    found(state, reference);
}

static void look_into_array(marking *state, const wa_array *array)
{
    const uint64_t *elements = (const void *)((const uint8_t *)array + sizeof *array);
    for (uint64_t i = 0; i < array->length && !state->is_stopped; i++) {
        found(state, elements[i]);
        if (--state->steps_left < 0)
            look_for_stop(state);
    }
}

static inline void look_into(marking *state, const wa_object *object)
{
    const wa_rtt *rtt = wa_rtt_of(object);
    uint32_t references = rtt->head.references;
    if (rtt->head.kind == WA_TYPE_ARRAY) {
        look_into_array(state, (const wa_array *)(const void *)object);
        return;
    }
    if (references & WA_REFERENCES_FAR) {
        wa_object_visit(object, WA_FIELD_REFERENCE, found_in_field, state);
        return;
    }
    for (; references != 0; references &= references - 1)
        found(state, ((const uint64_t *)(const void *)object)[1 + __builtin_ctz(references)]);
}

static void drain(marking *state)
{
    while (!state->is_stopped) {
        if (state->count != 0)
            look_into(state, state->stack[--state->count]);
        else if (state->waiting != 0)
            take_turn(state);
        else
            return;
        if (--state->steps_left < 0)
            look_for_stop(state);
    }
}

static void look_again(const wa_object *object, void *user)
{
    look_into(user, object);
    drain(user);
}

/* ---- the whole ------------------------------------------------------------------------------------------------------ */

static void mark_all(wa_store *store, marking *state)
{
    if (store->active != 0)
        wa_visit_stack(mark_word, state);
    wa_store_visit_references(store, wa_valtype_is_traced, mark_word, state);
    wa_exceptions_visit(store, wa_valtype_is_traced, mark_word, state);
    wa_held_visit(state->heap, mark_word, state);
    drain(state);
    while (state->has_overflowed && !state->is_stopped) {
        state->has_overflowed = false;
        wa_heap_each_object(state->heap, true, look_again, state);
    }
}

bool wa_heap_collect(wa_store *store)
{
    wa_heap *heap = store->heap;
    if (heap == NULL || atomic_load(&store->heap_pins) != 0 || wa_stack_has_others(store))
        return false;
    /* Whoever ends all calls soon must not keep the collector from ever getting to the end. */
    bool is_overdue = heap->taken_bytes > 2 * heap->collect_at;
    marking state = {.heap = heap, .steps_left = STEPS_PER_LOOK, .may_stop = !is_overdue};
    wa_heap_clear_marks(heap);
    mark_all(store, &state);
    free(state.stack);
    if (state.is_stopped)
        return false;
    wa_heap_sweep(store);
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
