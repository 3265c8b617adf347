/* Waiting on shared memories: memory.atomic.wait and notify.
 *
 * Threads that wait stand in lists by their address, in the order in which they came; a value is compared with the list locked, so
 * that no notification falls between the comparison and the wait. Each one sleeps on a word of its own (a futex), which a
 * notification changes, and so does the signal handler where it leaves a note: whatever comes before the thread sleeps keeps it
 * from sleeping. */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "thread.h"

enum { LISTS = 64 };

/* On the stack of the thread that waits, in a list until it is notified or gives up. */
typedef struct waiter {
    struct waiter *next, *previous;
    const void *address;
    _Atomic uint32_t *wake; /* of its thread */
    bool is_notified;       /* and in no list */
} waiter;

typedef struct list {
    pthread_mutex_t mutex;
    waiter *first, *last;
} list;

static list lists[LISTS] = {[0 ... LISTS - 1] = {.mutex = PTHREAD_MUTEX_INITIALIZER}};

/* The child of a fork has none of the threads that wait; the one that forked does not. */
static void forget_waiters(void)
{
    for (int i = 0; i < LISTS; i++)
        lists[i] = (list){.mutex = PTHREAD_MUTEX_INITIALIZER};
}

static void follow_forks(void)
{
    pthread_atfork(NULL, NULL, forget_waiters);
}

static list *lock_list(const void *address)
{
    list *found = &lists[((uintptr_t)address * UINT64_C(0x9e3779b97f4a7c15) >> 32) % LISTS];
    pthread_mutex_lock(&found->mutex);
    return found;
}

static void append(list *to, waiter *item)
{
    item->previous = to->last;
    *(to->last != NULL ? &to->last->next : &to->first) = item;
    to->last = item;
}

static void take_out(list *from, const waiter *item)
{
    *(item->previous != NULL ? &item->previous->next : &from->first) = item->next;
    *(item->next != NULL ? &item->next->previous : &from->last) = item->previous;
}

static bool holds(const void *address, uint64_t expected, uint32_t size_bytes)
{
    if (size_bytes == 4)
        return __atomic_load_n((const uint32_t *)address, __ATOMIC_SEQ_CST) == (uint32_t)expected;
    return __atomic_load_n((const uint64_t *)address, __ATOMIC_SEQ_CST) == expected;
}

/* When a wait that begins now is over; NULL: never. */
static const struct timespec *end_of(int64_t timeout_nanoseconds, struct timespec *end)
{
    static const int64_t second = 1000000000;
    if (timeout_nanoseconds < 0)
        return NULL;
    clock_gettime(CLOCK_MONOTONIC, end);
    end->tv_sec += timeout_nanoseconds / second;
    end->tv_nsec += timeout_nanoseconds % second;
    end->tv_sec += end->tv_nsec / second;
    end->tv_nsec %= second;
    return end;
}

enum { WOKEN, NOT_EQUAL, TIMED_OUT, RAISED };

/* Until a notification, the end, or something that shall end the call: WOKEN, TIMED_OUT, or RAISED for wa_unwind. */
static uint32_t sleep_until(const struct timespec *end)
{
    _Atomic uint32_t *wake = &wa_this_thread.wake;
    if (wa_missed_signal_raises())
        return RAISED;
    for (;;) {
        uint32_t found = atomic_fetch_and(wake, ~(uint32_t)WA_WAKE_NOTED); /* before the look at the notes: later ones show here */
        if (found & WA_WAKE_NOTIFIED || wa_interrupt_is_due())
            return WOKEN;
        if (syscall(SYS_futex, wake, FUTEX_WAIT_BITSET_PRIVATE, 0, end, NULL, FUTEX_BITSET_MATCH_ANY) != 0 && errno == ETIMEDOUT)
            return TIMED_OUT;
    }
}

/* Whoever was notified is so, whatever else came at the same time. */
static bool end_wait(const waiter *item)
{
    list *from = lock_list(item->address);
    bool is_notified = item->is_notified;
    if (!is_notified)
        take_out(from, item);
    pthread_mutex_unlock(&from->mutex);
    return is_notified;
}

uint32_t wa_wait(const void *address, uint64_t expected, uint32_t size_bytes, int64_t timeout_nanoseconds)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, follow_forks);
    struct timespec room;
    const struct timespec *end = end_of(timeout_nanoseconds, &room);
    waiter self = {.address = address, .wake = &wa_this_thread.wake};
    atomic_store(&wa_this_thread.wake, 0);
    list *own = lock_list(address);
    bool is_equal = holds(address, expected, size_bytes);
    if (is_equal)
        append(own, &self);
    pthread_mutex_unlock(&own->mutex);
    if (!is_equal) {
        wa_heed_interrupt();
        return NOT_EQUAL;
    }
    uint32_t result = sleep_until(end);
    bool is_notified = end_wait(&self);
    if (result == RAISED)
        wa_unwind();
    wa_heed_interrupt(); /* where a stop was taken back meanwhile, it wakes for nothing: who waits looks again */
    return is_notified ? WOKEN : result;
}

uint32_t wa_notify(const void *address, uint32_t count)
{
    uint32_t woken = 0;
    list *from = lock_list(address);
    for (waiter *item = from->first, *next; item != NULL && woken < count; item = next) {
        next = item->next;
        if (item->address != address)
            continue;
        take_out(from, item);
        item->is_notified = true;
        atomic_fetch_or(item->wake, WA_WAKE_NOTIFIED);
        syscall(SYS_futex, item->wake, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
        woken++;
    }
    pthread_mutex_unlock(&from->mutex);
    return woken;
}
