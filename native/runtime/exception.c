/* Exceptions: objects of a store that compiled code throws and exnrefs point to, and the collector that frees them.
 *
 * What is caught without an exnref is freed at once. An exnref can lie anywhere in the guest's frames, of which no map
 * exists, so the collector takes every word on the stack for one that has the address of an exception.
 */
#include <stdlib.h>

#include "store.h"
#include "thread.h"

/* So many exceptions are kept before the first collection, and again between two. */
enum { COLLECT_MIN = 1024 };

/* ---- marking ---------------------------------------------------------------------------------------------------- */

typedef struct collection {
    wa_exception **sorted; /* all exceptions of the store by address */
    uint64_t count;
    wa_exception **stack; /* marked, but not looked into yet; room for all */
    uint64_t stack_count;
} collection;

static int compare_addresses(const void *left, const void *right)
{
    const wa_exception *const *a = left, *const *b = right;
    return (*a > *b) - (*a < *b);
}

/* Mark the exception at this address, if there is one: the word may be anything. */
static void mark(collection *all, uint64_t word)
{
    uint64_t low = 0, high = all->count;
    if (word < (uintptr_t)all->sorted[0] || word > (uintptr_t)all->sorted[high - 1])
        return;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if ((uintptr_t)all->sorted[middle] < word)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == all->count || (uintptr_t)all->sorted[low] != word || all->sorted[low]->mark)
        return;
    all->sorted[low]->mark = 1;
    all->stack[all->stack_count++] = all->sorted[low];
}

/* Call visit for every reference that an exception carries and whose type is wanted. */
static void visit_values(const wa_exception *exception, bool (*wants)(uint32_t), void (*visit)(uint64_t, void *), void *user)
{
    const wa_tag *tag = exception->tag;
    const uint64_t *slot = (const uint64_t *)(const void *)(exception + 1);
    for (uint32_t i = 0; i < tag->param_count; i++) {
        if (wants(tag->params[i]) && *slot != 0)
            visit(*slot, user);
        slot += wa_valtype_slots(tag->params[i]);
    }
}

static void mark_reference(uint64_t word, void *all)
{
    mark(all, word);
}

/* What the marked ones hold; no recursion, as chains can be long. */
static void mark_values(collection *all)
{
    while (all->stack_count > 0) {
        const wa_exception *exception = all->stack[--all->stack_count];
        visit_values(exception, wa_valtype_is_exnref, mark_reference, all);
    }
}

/* ---- sweeping --------------------------------------------------------------------------------------------------- */

uint64_t wa_exception_bytes(const wa_tag *tag)
{
    uint64_t slots = 1; /* in the list */
    for (uint32_t i = 0; i < tag->param_count; i++)
        slots += wa_valtype_slots(tag->params[i]);
    return sizeof(wa_exception) + slots * sizeof(uint64_t);
}

static void remove_exception(wa_store *store, wa_exception *exception)
{
    if (store->quota != NULL)
        wa_quota_give_back(store->quota, WA_COUNTED_MEMORY_BYTES, wa_exception_bytes(exception->tag));
    wa_exception *last = store->exceptions[--store->exception_count];
    store->exceptions[exception->position] = last;
    last->position = exception->position;
    wa_tag_release(exception->tag);
    free(exception);
}

void wa_exceptions_collect(wa_store *store)
{
    collection all = {.count = store->exception_count};
    /* What is on its way to the embedder is on no stack that is looked at; nor is what calls of other stacks hold. */
    if (all.count == 0 || atomic_load(&store->exception_pins) != 0 || wa_stack_has_others(store))
        return;
    all.sorted = malloc(all.count * sizeof *all.sorted);
    all.stack = malloc(all.count * sizeof *all.stack);
    if (all.sorted != NULL && all.stack != NULL) {
        memcpy(all.sorted, store->exceptions, all.count * sizeof *all.sorted);
        qsort(all.sorted, all.count, sizeof *all.sorted, compare_addresses);
        if (store->active != 0)
            wa_visit_stack(mark_reference, &all);
        mark(&all, (uintptr_t)store->pending);
        wa_store_visit_references(store, wa_valtype_is_exnref, mark_reference, &all);
        wa_heap_visit_exceptions(store, mark_reference, &all);
        mark_values(&all);
        for (uint64_t i = 0; i < all.count; i++) {
            if (!all.sorted[i]->mark)
                remove_exception(store, all.sorted[i]);
            else
                all.sorted[i]->mark = 0;
        }
    }
    free(all.sorted);
    free(all.stack);
}

void wa_exceptions_free(wa_store *store)
{
    while (store->exception_count > 0)
        remove_exception(store, store->exceptions[store->exception_count - 1]);
    free(store->exceptions);
    store->exceptions = NULL;
    store->exception_capacity = 0;
}

/* ---- the list --------------------------------------------------------------------------------------------------- */

static int make_room(wa_store *store, uint64_t count)
{
    uint64_t capacity = store->exception_capacity < 16 ? 16 : store->exception_capacity;
    while (capacity < count)
        capacity *= 2;
    if (capacity == store->exception_capacity)
        return 0;
    wa_exception **grown = realloc(store->exceptions, capacity * sizeof *grown);
    if (grown == NULL)
        return -1;
    store->exceptions = grown;
    store->exception_capacity = capacity;
    return 0;
}

int wa_exceptions_make_room(wa_store *into, const wa_store *from)
{
    return make_room(into, into->exception_count + from->exception_count);
}

void wa_exceptions_move(wa_store *into, wa_store *from)
{
    for (uint64_t i = 0; i < from->exception_count; i++) {
        from->exceptions[i]->position = into->exception_count;
        into->exceptions[into->exception_count++] = from->exceptions[i];
    }
    from->exception_count = 0;
    atomic_fetch_add(&into->exception_pins, atomic_load(&from->exception_pins));
}

void wa_exceptions_visit(wa_store *store, bool (*wants)(uint32_t valtype), void (*visit)(uint64_t, void *), void *user)
{
    for (uint64_t i = 0; i < store->exception_count; i++)
        visit_values(store->exceptions[i], wants, visit, user);
}

/* ---- for compiled code and the embedder ------------------------------------------------------------------------- */

/* Whether the store's limits have room for another exception, once those are gone that nobody refers to. */
static WA_COLD bool take_room(wa_store *store, uint64_t size_bytes)
{
    if (wa_quota_take(store->quota, WA_COUNTED_MEMORY_BYTES, size_bytes))
        return true;
    wa_exceptions_collect(store);
    return wa_quota_take(store->quota, WA_COUNTED_MEMORY_BYTES, size_bytes);
}

wa_exception *wa_exception_new(wa_store *store, wa_tag *tag)
{
    store = wa_root(store);
    if (store->exception_count >= store->exceptions_collect_at) {
        wa_exceptions_collect(store);
        store->exceptions_collect_at = 2 * store->exception_count + COLLECT_MIN;
    }
    uint64_t size_bytes = wa_exception_bytes(tag);
    if (store->quota != NULL && !take_room(store, size_bytes))
        return NULL;
    wa_exception *exception = malloc(size_bytes);
    if (exception == NULL || make_room(store, store->exception_count + 1) < 0) {
        if (store->quota != NULL)
            wa_quota_give_back(store->quota, WA_COUNTED_MEMORY_BYTES, size_bytes);
        free(exception);
        return NULL;
    }
    wa_tag_retain(tag);
    exception->tag = tag;
    exception->is_shared = 0;
    exception->mark = 0;
    exception->position = store->exception_count;
    memset(exception + 1, 0, size_bytes - sizeof *exception);
    store->exceptions[store->exception_count++] = exception;
    return exception;
}

void wa_exception_done(wa_store *store, wa_exception *exception)
{
    if (!exception->is_shared)
        remove_exception(store, exception);
}

wa_tag *wa_exception_tag(const wa_exception *exception)
{
    return exception->tag;
}

uint64_t *wa_exception_values(wa_exception *exception)
{
    return (uint64_t *)(void *)(exception + 1);
}

void wa_throw(wa_store *store, wa_exception *exception)
{
    wa_root(store)->pending = exception;
}

void wa_exception_unpin(wa_store *store)
{
    atomic_fetch_sub(&wa_root(store)->exception_pins, 1);
}
