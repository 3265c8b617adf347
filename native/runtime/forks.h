/* Private to native/: locks that the child of a fork finds free. */
#ifndef WA_RUNTIME_FORKS_H
#define WA_RUNTIME_FORKS_H

#include <pthread.h>

/* In the order in which one thread takes them. */
enum { WA_LOCK_STOPS, WA_LOCK_SIGNALS, WA_LOCK_GROWTH, WA_LOCK_POOL, WA_LOCK_TYPES, WA_LOCK_HELD, WA_LOCK_COUNT };

/* A child must not inherit the lock from a thread that it has not. Before the lock is taken for the first time; may be called
 * again. The mutex lives as long as the process. */
void wa_guard_forks(int lock, pthread_mutex_t *mutex);

#endif
