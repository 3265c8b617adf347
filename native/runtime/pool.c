/* Mappings of dropped instances, kept for the next instance of the same artifact: memories and mapped tables.
 *
 * What lies here is clean: its pages were given back to the kernel, so that a read finds the image or zeros again, and only
 * the mapping itself is saved. Nothing but the pool refers to it. The pool is one per process; a forked child has copies of
 * its own of all of it, since no mapping here is shared. */
#include "forks.h"
#include "objects.h"

/* Page tables stay with the mappings, 1/512 of what was once touched: these limits bound them to 8 MiB. */
enum { SPARE_COUNT = 64 };
static const uint64_t spare_limit_bytes = UINT64_C(4) << 30;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static wa_spare *newest; /* list from the newest to the oldest */
static uint32_t spare_count;
static uint64_t spare_bytes;

static void lock(void)
{
    wa_guard_forks(WA_LOCK_POOL, &mutex);
    pthread_mutex_lock(&mutex);
}

static void unlock(void)
{
    pthread_mutex_unlock(&mutex);
}

/* Take *link out of the list. */
static wa_spare *unlink_spare(wa_spare **link)
{
    wa_spare *spare = *link;
    *link = spare->next;
    spare->next = NULL;
    spare_count--;
    spare_bytes -= spare->size_bytes;
    return spare;
}

void *wa_pool_take(wa_artifact *artifact, uint32_t kind, uint32_t index)
{
    lock();
    wa_spare **link = &newest;
    while (*link != NULL && ((*link)->artifact != artifact || (*link)->kind != kind || (*link)->index != index))
        link = &(*link)->next;
    void *object = *link == NULL ? NULL : unlink_spare(link)->object;
    unlock();
    return object;
}

static void free_list(wa_spare *list)
{
    while (list != NULL) {
        wa_spare *spare = list;
        list = spare->next;
        spare->free(spare->object);
    }
}

void wa_pool_put(wa_spare *spare)
{
    wa_spare *evicted = NULL;
    lock();
    spare->next = newest;
    newest = spare;
    spare_count++;
    spare_bytes += spare->size_bytes;
    while (spare_count > SPARE_COUNT || spare_bytes > spare_limit_bytes) {
        wa_spare **oldest = &newest;
        while ((*oldest)->next != NULL)
            oldest = &(*oldest)->next;
        wa_spare *old = unlink_spare(oldest);
        old->next = evicted;
        evicted = old;
    }
    unlock();
    free_list(evicted);
}

bool wa_pool_drop(const wa_artifact *artifact)
{
    wa_spare *dropped = NULL;
    lock();
    for (wa_spare **link = &newest; *link != NULL;) {
        if (artifact != NULL && (*link)->artifact != artifact) {
            link = &(*link)->next;
            continue;
        }
        wa_spare *spare = unlink_spare(link);
        spare->next = dropped;
        dropped = spare;
    }
    unlock();
    bool is_freed = dropped != NULL;
    free_list(dropped);
    return is_freed;
}
