/* References that the embedder holds, which are roots: a list per heap. */
#include <pthread.h>

#include "forks.h"
#include "gc.h"
#include "store.h"

/* Of the lists of what the embedder holds, in all heaps: a collector that runs reads one while Python drops others. */
static pthread_mutex_t held_mutex = PTHREAD_MUTEX_INITIALIZER;

void wa_hold(wa_store *store, wa_held *held, uint64_t reference)
{
    held->store = store;
    held->reference = reference;
    wa_guard_forks(WA_LOCK_HELD, &held_mutex);
    pthread_mutex_lock(&held_mutex);
    wa_heap *heap = wa_root(store)->heap;
    held->next = heap->held;
    held->link = &heap->held;
    if (held->next != NULL)
        held->next->link = &held->next;
    heap->held = held;
    pthread_mutex_unlock(&held_mutex);
}

void wa_unhold(wa_held *held)
{
    pthread_mutex_lock(&held_mutex);
    *held->link = held->next;
    if (held->next != NULL)
        held->next->link = held->link;
    pthread_mutex_unlock(&held_mutex);
}

void wa_heap_join_held(wa_heap *into, wa_heap *from)
{
    pthread_mutex_lock(&held_mutex);
    wa_held **end = &into->held;
    while (*end != NULL)
        end = &(*end)->next;
    *end = from->held;
    if (from->held != NULL)
        from->held->link = end;
    pthread_mutex_unlock(&held_mutex);
}

void wa_held_visit(const wa_heap *heap, void (*visit)(uint64_t, void *), void *user)
{
    pthread_mutex_lock(&held_mutex);
    for (const wa_held *held = heap->held; held != NULL; held = held->next)
        visit(held->reference, user);
    pthread_mutex_unlock(&held_mutex);
}
