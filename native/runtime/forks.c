/* Locks that the child of a fork finds free: whoever forks takes all of them before, and gives them back on both sides. */
#include <stdatomic.h>
#include <stddef.h>

#include "forks.h"

static _Atomic(pthread_mutex_t *) guarded[WA_LOCK_COUNT];
static pthread_mutex_t *held[WA_LOCK_COUNT]; /* those that the fork took: more may come meanwhile */

static void take_all(void)
{
    for (int lock = 0; lock < WA_LOCK_COUNT; lock++) {
        pthread_mutex_t *mutex = atomic_load(&guarded[lock]);
        if (mutex == NULL)
            continue;
        pthread_mutex_lock(mutex);
        held[lock] = mutex;
    }
}

static void give_back(void)
{
    for (int lock = WA_LOCK_COUNT - 1; lock >= 0; lock--) {
        pthread_mutex_t *mutex = held[lock];
        held[lock] = NULL;
        if (mutex != NULL)
            pthread_mutex_unlock(mutex);
    }
}

static void follow_forks(void)
{
    pthread_atfork(take_all, give_back, give_back);
}

void wa_guard_forks(int lock, pthread_mutex_t *mutex)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (atomic_load_explicit(&guarded[lock], memory_order_relaxed) != NULL)
        return;
    pthread_once(&once, follow_forks);
    atomic_store(&guarded[lock], mutex);
}
