/* Stores: what may reach each other lives in one; one thread at a time is inside. */
#include <stdlib.h>
#include <time.h>

#include "store.h"
#include "thread.h"

wa_store *wa_store_new(void)
{
    wa_store *store = aligned_alloc(_Alignof(wa_store), sizeof *store);
    if (store == NULL)
        return NULL;
    memset(store, 0, sizeof *store);
    store->references = 1;
    store->fuel = WA_FUEL_MAX;
    pthread_mutex_init(&store->mutex, NULL);
    pthread_cond_init(&store->left, NULL);
    return store;
}

static void retain(wa_store *store)
{
    atomic_fetch_add_explicit(&store->references, 1, memory_order_relaxed);
}

bool wa_store_is_active(const wa_store *store)
{
    return wa_root((wa_store *)(uintptr_t)store)->active != 0;
}

/* ---- entering --------------------------------------------------------------------------------------------------- */

bool wa_store_try_enter(wa_store *store)
{
    store = wa_root(store);
    uint32_t me = wa_thread_id(), nobody = 0;
    if (atomic_load_explicit(&store->owner, memory_order_relaxed) != me) {
        if (!atomic_compare_exchange_strong(&store->owner, &nobody, me))
            return false;
        if (atomic_load_explicit(&store->forward, memory_order_relaxed) != NULL) {
            /* Joined between the two steps: the store that counts is another one now. */
            atomic_store(&store->owner, 0);
            return wa_store_try_enter(store);
        }
    }
    store->depth++;
    return true;
}

bool wa_store_is_free(wa_store *store)
{
    uint32_t owner = atomic_load_explicit(&wa_root(store)->owner, memory_order_acquire);
    return owner == 0 || owner == wa_thread_id();
}

static struct timespec milliseconds_from_now(uint32_t milliseconds)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time); /* what pthread_cond_timedwait goes by */
    time.tv_nsec += (long)(milliseconds % 1000) * 1000000;
    time.tv_sec += milliseconds / 1000 + time.tv_nsec / 1000000000;
    time.tv_nsec %= 1000000000;
    return time;
}

bool wa_store_enter_within(wa_store *store, uint32_t milliseconds)
{
    struct timespec until = milliseconds_from_now(milliseconds);
    int outcome = 0;
    while (outcome == 0 && !wa_store_try_enter(store)) {
        wa_store *root = wa_root(store);
        pthread_mutex_lock(&root->mutex);
        atomic_fetch_add(&root->waiters, 1);
        /* The owner looks at waiters after it gave the store up, we look at the owner after we counted ourselves: one of
         * the two sees the other. */
        if (atomic_load(&root->owner) != 0 && atomic_load(&root->forward) == NULL)
            outcome = pthread_cond_timedwait(&root->left, &root->mutex, &until);
        atomic_fetch_sub(&root->waiters, 1);
        pthread_mutex_unlock(&root->mutex);
    }
    return outcome == 0;
}

static void wake(wa_store *store)
{
    pthread_mutex_lock(&store->mutex);
    pthread_cond_broadcast(&store->left);
    pthread_mutex_unlock(&store->mutex);
}

void wa_store_leave(wa_store *store)
{
    store = wa_root(store);
    if (--store->depth != 0)
        return;
    atomic_store(&store->owner, 0);
    if (atomic_load(&store->waiters) != 0)
        wake(store);
}

void wa_store_become(wa_store *from, wa_store *into)
{
    retain(into);
    atomic_store(&from->forward, into);
    atomic_store(&from->owner, 0);
    wake(from);
}

/* ---- what all instances hold ------------------------------------------------------------------------------------ */

void wa_store_set_stack_limit(wa_store *store, uint64_t limit)
{
    store->stack_limit = limit;
    atomic_store(&store->known_limit, limit);
    for (wa_details *details = store->instances; details != NULL; details = details->next)
        details->instance->head.stack_limit = limit;
}

void wa_store_fit_stack_limit(wa_store *store)
{
    uint64_t limit = wa_this_thread.stack_limit, here = (uintptr_t)__builtin_frame_address(0);
    uint64_t own = store->quota != NULL ? atomic_load(&store->quota->stack_bytes) : UINT64_MAX;
    if (own != UINT64_MAX) {
        if (store->active != 0 && store->stack_limit > limit)
            return; /* counted from the outermost call */
        limit++; /* so that the next call comes here too */
        if (here > limit && here - limit > own)
            limit = here - own;
    }
    wa_store_set_stack_limit(store, limit);
}

void wa_store_set_operands(wa_store *store, void *operands)
{
    store->operands = operands;
    for (wa_details *details = store->instances; details != NULL; details = details->next)
        details->instance->head.operands = operands;
}
