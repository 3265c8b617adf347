/* Marking what lives in a store's heap, bit by bit: from the roots as they were when it began, through the fields of objects.
 *
 * Precise in the heap, by the types of objects. References on the stack may be anywhere, also as addresses inside of objects, so
 * every word there that is such an address counts.
 * The guest runs between two steps. What it could reach at the start is marked all the same: whoever puts a reference over another
 * in an object tells of the one that was there (wa_marking_note), and what is allocated meanwhile is marked from the start.
 * Marking waits for memory more than for anything else: an object waits in a queue between the time when a reference to it is
 * found, and it and its mark are fetched, and the time when they are looked at. */
#include <stdio.h>
#include <stdlib.h>

#include "gc.h"
#include "store.h"

enum { QUEUE = 16 /* a power of two */ };

struct wa_marking {
    const wa_heap *heap;
    uint64_t base, size_bytes; /* of the region that the last reference was in; the next is of it */
    uint64_t *marks;
    const wa_object **stack; /* marked, and not looked into yet */
    uint64_t count, capacity;
    const wa_array *array;   /* which is looked into, and its first element that was not; NULL: none */
    uint64_t element;
    uint64_t queue[QUEUE];   /* addresses of objects that are not marked yet; 0: none */
    uint32_t turn, waiting;  /* the place that is next; how many are not 0 */
    int64_t steps_left;
    bool has_overflowed; /* some that are marked were not looked into: there was no memory for the stack */
};

static WA_COLD bool grow(wa_marking *state)
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

static inline void push(wa_marking *state, const wa_object *object)
{
    if (wa_rtt_of(object)->head.references != 0 && (state->count < state->capacity || grow(state)))
        state->stack[state->count++] = object;
}

static WA_COLD bool enter_region(wa_marking *state, uint64_t object)
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
static inline bool is_in_heap(wa_marking *state, uint64_t object)
{
    return __builtin_expect(object - state->base < state->size_bytes, 1) || enter_region(state, object);
}

/* Its turn in the queue has come. */
static inline void mark_object(wa_marking *state, uint64_t object)
{
    if (is_in_heap(state, object) && wa_set_mark(state->marks, (object - state->base) / WA_OBJECT_ALIGN_BYTES))
        push(state, (const wa_object *)(uintptr_t)object);
}

/* What a field of an object holds. */
static inline void found(wa_marking *state, uint64_t reference)
{
    state->steps_left--;
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
static inline void take_turn(wa_marking *state)
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
    wa_marking *state = user;
    const wa_region *region = wa_heap_region(state->heap, word);
    wa_object *object = region == NULL ? NULL : wa_region_object(region, word);
    if (object != NULL && wa_set_mark(region->marks, wa_region_granule(region, (uintptr_t)object)))
        push(state, object);
}

/* ---- looking into objects ----------------------------------------------------------------------------------------- */

static void found_in_field(uint64_t reference, void *state)
{
    found(state, reference);
}

/* As many elements as there are steps: an array may be large. */
static void look_on_into_array(wa_marking *state)
{
    const uint64_t *elements = (const void *)((const uint8_t *)state->array + sizeof *state->array);
    uint64_t left = state->array->length - state->element, end = state->element;
    end += left < (uint64_t)state->steps_left ? left : (uint64_t)state->steps_left;
    for (uint64_t i = state->element; i < end; i++)
        found(state, elements[i]);
    state->element = end;
    if (end == state->array->length)
        state->array = NULL;
}

static inline void look_into(wa_marking *state, const wa_object *object)
{
    const wa_rtt *rtt = wa_rtt_of(object);
    uint32_t references = rtt->head.references;
    if (rtt->head.kind == WA_TYPE_ARRAY) {
        state->array = (const wa_array *)(const void *)object;
        state->element = 0;
        return;
    }
    if (references & WA_REFERENCES_FAR) {
        wa_object_visit(object, WA_FIELD_REFERENCE, found_in_field, state);
        return;
    }
    for (; references != 0; references &= references - 1)
        found(state, ((const uint64_t *)(const void *)object)[1 + __builtin_ctz(references)]);
}

/* Whether nothing is left to look at. */
static bool drain(wa_marking *state)
{
    while (state->steps_left > 0) {
        state->steps_left--;
        if (state->array != NULL)
            look_on_into_array(state);
        else if (state->count != 0)
            look_into(state, state->stack[--state->count]);
        else if (state->waiting != 0)
            take_turn(state);
        else
            return true;
    }
    return false;
}

static void look_again(const wa_object *object, void *user)
{
    look_into(user, object);
    drain(user);
}

/* ---- the whole ------------------------------------------------------------------------------------------------------ */

wa_marking *wa_marking_new(wa_store *store)
{
    wa_marking *state = calloc(1, sizeof *state);
    if (state == NULL)
        return NULL;
    state->heap = store->heap;
    if (store->active != 0)
        wa_visit_stack(mark_word, state);
    wa_store_visit_references(store, wa_valtype_is_traced, mark_word, state);
    wa_exceptions_visit(store, wa_valtype_is_traced, mark_word, state);
    wa_held_visit(state->heap, mark_word, state);
    return state;
}

bool wa_marking_step(wa_marking *state, int64_t steps)
{
    state->steps_left = steps;
    if (!drain(state))
        return false;
    state->steps_left = INT64_MAX; /* without memory for the stack there is no telling where to go on */
    while (state->has_overflowed) {
        state->has_overflowed = false;
        wa_heap_each_object(state->heap, true, look_again, state);
    }
    return true;
}

void wa_marking_note(wa_marking *state, uint64_t reference)
{
    if (wa_is_object(reference))
        mark_object(state, reference);
}

#ifdef WA_STEP_ALWAYS
static void check_reference(uint64_t reference, void *user)
{
    const wa_region *region = wa_is_object(reference) ? wa_heap_region(user, reference) : NULL;
    if (region == NULL || wa_is_set(region->marks, wa_region_granule(region, reference)))
        return;
    fprintf(stderr, "the collector lost the object at %#llx\n", (unsigned long long)reference);
    abort();
}

static void check_object(const wa_object *object, void *heap)
{
    wa_object_visit(object, WA_FIELD_REFERENCE, check_reference, heap);
}

void wa_marking_check(wa_store *store)
{
    wa_store_visit_references(store, wa_valtype_is_traced, check_reference, store->heap);
    wa_exceptions_visit(store, wa_valtype_is_traced, check_reference, store->heap);
    wa_held_visit(store->heap, check_reference, store->heap);
    wa_heap_each_object(store->heap, true, check_object, store->heap);
}
#else
void wa_marking_check(wa_store *store WA_UNUSED)
{
}
#endif

void wa_marking_free(wa_marking *state)
{
    if (state != NULL)
        free(state->stack);
    free(state);
}
