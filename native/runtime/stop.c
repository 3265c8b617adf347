/* Stops: deadlines, interrupts, tickets, and the thread that sees to them.
 *
 * A stop is a bit in the store, and whoever runs inside looks at it before a call starts and on each way back to wasm. A
 * guest that goes neither way gets a signal: a thread of ours, the watcher, sends it when a deadline is over, and again every
 * millisecond until the guest's thread knows of it. (A signal that comes between a look and a blocking system call is lost.)
 *
 * The watcher starts when it is first needed, and ends after a few idle seconds: CPython warns of forks beside threads. Within
 * `with store.deadline(...)` around one short call nobody wakes it: it sleeps until the nearest end that it was told, and
 * finds then that there is nothing to do. It does little and is in a hurry, which it tells the kernel.
 */
#include <errno.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "forks.h"
#include "stop.h"

static const uint64_t millisecond = 1000000, idle_nanoseconds = UINT64_C(5000000000);
static const uint64_t shortest_slice_nanoseconds = 100000; /* that the kernel gives */
/* So many signals restart what system call they interrupt. A thread that is still not back in wasm then waits in one of ours
 * that would go on for ever: the next ones interrupt it. */
enum { RESTARTING_SIGNALS = 5 };
/* A store that nobody was inside for so many rounds needs no signals: a call that starts looks for itself. */
enum { IDLE_ROUNDS = 10 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of all that follows, and of what wa_stops and deadlines hold */
static pthread_cond_t changed;
static wa_deadline *first, *last; /* those that are not over, by their ends */
static wa_store *watched;         /* those whose thread is to get signals */
static bool is_running;           /* the watcher */
static atomic_bool is_used;       /* it ran at some time: before that no store has a stop */
static uint64_t wakes_at;

static uint64_t now_nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- what a store holds; the mutex is held ---------------------------------------------------------------------- */

static void watch_store(wa_store *store)
{
    store->stops.sent = store->stops.idle = 0;
    if (store->stops.is_watched)
        return;
    store->stops.is_watched = true;
    store->stops.next_watched = watched;
    watched = store;
}

static void unwatch_store(wa_store *store)
{
    wa_store **link = &watched;
    if (!store->stops.is_watched)
        return;
    while (*link != store)
        link = &(*link)->stops.next_watched;
    *link = store->stops.next_watched;
    store->stops.is_watched = false;
}

/* First the stop, then the limit, then the look at who is inside (send_signal); a call writes who is inside, then the limit,
 * then looks for a stop: one of both sees the other. */
static void set_stop(wa_store *store, uint32_t stop)
{
    atomic_store(&store->is_heard, false);
    atomic_fetch_or(&store->stop, stop);
    atomic_store(&store->known_limit, 0);
    watch_store(store);
}

/* A host function may have stopped the very call that it serves: this thread then looks on its way back, without a signal, which
 * would come after any number of further calls. */
static void note_own_stop(void)
{
    if (wa_has_stop())
        wa_this_thread.notes.stop = true;
}

static void clear_stop(wa_store *store, uint32_t stop)
{
    atomic_fetch_and(&store->stop, ~stop);
}

/* ---- the watcher ------------------------------------------------------------------------------------------------ */

static void unlink_deadline(wa_deadline *deadline)
{
    *(deadline->previous != NULL ? &deadline->previous->next : &first) = deadline->next;
    *(deadline->next != NULL ? &deadline->next->previous : &last) = deadline->previous;
}

static void end_deadlines(void)
{
    uint64_t now = now_nanoseconds();
    while (first != NULL && first->end_nanoseconds <= now) {
        wa_deadline *deadline = first;
        wa_store *store = wa_root(deadline->store);
        unlink_deadline(deadline);
        deadline->is_over = true;
        store->stops.passed++;
        set_stop(store, WA_STOP_DEADLINE);
    }
}

/* Whether the store's thread still has to be told of the stop. */
static bool send_signal(wa_store *store)
{
    if (atomic_load(&store->stop) == 0 || atomic_load(&store->is_heard))
        return false;
    uint32_t thread = atomic_load(&store->owner);
    if (thread == 0)
        return ++store->stops.idle < IDLE_ROUNDS;
    if (store->stops.sent == 0)
        wa_stop_signal_forget(thread); /* what it heard was another stop */
    else if (wa_stop_signal_is_heard(thread))
        return false;
    wa_stop_signal_send(thread, store->stops.sent++ < RESTARTING_SIGNALS);
    return true;
}

static void send_signals(void)
{
    for (wa_store *store = watched, *next; store != NULL; store = next) {
        next = store->stops.next_watched;
        if (!send_signal(store))
            unwatch_store(store);
    }
}

/* Wait until the time or a change. */
static void wait_until(uint64_t time)
{
    struct timespec until = {(time_t)(time / 1000000000), (long)(time % 1000000000)};
    wakes_at = time;
    pthread_cond_timedwait(&changed, &mutex, &until);
}

/* Sleeps of a thread end up to 50 us late so that the kernel can end several at once, unless it says otherwise. And where a guest
 * spins on the CPU that the watcher wakes on, the scheduler lets the guest's slice end first, 3 ms and more, but to a thread that
 * asked for shorter slices it gives the CPU at once: since Linux 6.12, and nobody needs a right to ask. Older kernels ignore
 * the number. Refused or not, the watcher does its work. */
static void ask_for_haste(void)
{
    struct {
        uint32_t size_bytes, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t slice_nanoseconds, deadline_nanoseconds, period_nanoseconds;
    } attributes = {0}; /* the kernel's struct sched_attr, of version 0 */
    prctl(PR_SET_TIMERSLACK, 1UL);
    if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0 || attributes.policy != SCHED_OTHER)
        return;
    attributes.slice_nanoseconds = shortest_slice_nanoseconds;
    syscall(SYS_sched_setattr, 0, &attributes, 0);
}

static void *watch(void *unused)
{
    uint64_t idle_end = 0;
    ask_for_haste();
    pthread_mutex_lock(&mutex);
    for (;;) {
        end_deadlines();
        send_signals();
        uint64_t now = now_nanoseconds();
        bool is_idle = first == NULL && watched == NULL;
        if (is_idle && idle_end != 0 && now >= idle_end)
            break;
        idle_end = !is_idle ? 0 : idle_end != 0 ? idle_end : now + idle_nanoseconds;
        uint64_t next = is_idle ? idle_end : first != NULL ? first->end_nanoseconds : UINT64_MAX;
        if (watched != NULL && next > now + millisecond)
            next = now + millisecond;
        if (wakes_at > now && wakes_at < next)
            next = wakes_at; /* of a deadline that was ended; the next one need not wake us then */
        wait_until(next);
    }
    is_running = false;
    pthread_mutex_unlock(&mutex);
    return unused;
}

/* ---- its life --------------------------------------------------------------------------------------------------- */

static int start_thread(void)
{
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_condattr_t condition;
    sigset_t all, saved;
    pthread_condattr_init(&condition);
    pthread_condattr_setclock(&condition, CLOCK_MONOTONIC);
    pthread_cond_init(&changed, &condition);
    pthread_condattr_destroy(&condition);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &saved); /* inherited: no handler of the process ever runs in it */
    int error = pthread_create(&thread, &attributes, watch, NULL);
    pthread_sigmask(SIG_SETMASK, &saved, NULL);
    pthread_attr_destroy(&attributes);
    if (error == 0)
        pthread_setname_np(thread, "wa-watcher");
    return error;
}

/* The child has copies of all deadlines and no watcher. */
static void restart(void)
{
    pthread_mutex_lock(&mutex);
    is_running = (first != NULL || watched != NULL) && start_thread() == 0;
    pthread_mutex_unlock(&mutex);
}

static void follow_forks(void)
{
    wa_guard_forks(WA_LOCK_STOPS, &mutex);
    pthread_atfork(NULL, NULL, restart); /* after that guard, whose lock is free by then */
}

/* Lock the mutex, with the watcher running. 0, or -1 with the mutex free. */
static int lock_watched(wa_error *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (!atomic_load(&is_used)) {
        pthread_once(&once, follow_forks);
        atomic_store(&is_used, true);
    }
    pthread_mutex_lock(&mutex);
    if (is_running)
        return 0;
    int failed = start_thread();
    is_running = failed == 0;
    wakes_at = 0;
    if (is_running)
        return 0;
    pthread_mutex_unlock(&mutex);
    errno = failed;
    return wa_fail_system(error, WA_ERROR_WATCHER, 0, "");
}

/* Have the watcher look no later than this. */
static void wake_before(uint64_t time)
{
    if (wakes_at <= time)
        return;
    wakes_at = time;
    pthread_cond_signal(&changed);
}

/* ---- deadlines -------------------------------------------------------------------------------------------------- */

/* From the end of the list: what begins later mostly ends later. */
static void insert_deadline(wa_deadline *deadline)
{
    wa_deadline *before = last;
    while (before != NULL && before->end_nanoseconds > deadline->end_nanoseconds)
        before = before->previous;
    deadline->previous = before;
    deadline->next = before != NULL ? before->next : first;
    *(before != NULL ? &before->next : &first) = deadline;
    *(deadline->next != NULL ? &deadline->next->previous : &last) = deadline;
}

int wa_deadline_begin(wa_deadline *deadline, wa_store *store, uint64_t nanoseconds, wa_error *error)
{
    uint64_t now = now_nanoseconds();
    deadline->store = store;
    deadline->is_over = false;
    deadline->end_nanoseconds = nanoseconds < (uint64_t)INT64_MAX - now ? now + nanoseconds : (uint64_t)INT64_MAX;
    if (lock_watched(error) < 0)
        return -1;
    insert_deadline(deadline);
    if (nanoseconds == 0)
        end_deadlines(); /* the next call finds it over, however late the watcher wakes */
    wake_before(deadline->end_nanoseconds);
    pthread_mutex_unlock(&mutex);
    if (nanoseconds == 0)
        note_own_stop();
    return 0;
}

void wa_deadline_end(wa_deadline *deadline)
{
    pthread_mutex_lock(&mutex);
    wa_store *store = wa_root(deadline->store);
    if (!deadline->is_over)
        unlink_deadline(deadline);
    else if (--store->stops.passed == 0)
        clear_stop(store, WA_STOP_DEADLINE);
    pthread_mutex_unlock(&mutex);
}

/* ---- interrupts ------------------------------------------------------------------------------------------------- */

int wa_store_interrupt(wa_store *store, wa_error *error)
{
    if (lock_watched(error) < 0)
        return -1;
    set_stop(wa_root(store), WA_STOP_INTERRUPT);
    wake_before(0);
    pthread_mutex_unlock(&mutex);
    note_own_stop();
    return 0;
}

int wa_ticket_begin(wa_ticket *ticket, wa_store *store)
{
    pthread_mutex_lock(&mutex);
    bool may_begin = !ticket->is_cancelled;
    if (may_begin) {
        ticket->store = store;
        ticket->outer = wa_root(store)->stops.ticket;
        wa_root(store)->stops.ticket = ticket;
    }
    pthread_mutex_unlock(&mutex);
    return may_begin ? 0 : -1;
}

void wa_ticket_end(wa_ticket *ticket)
{
    pthread_mutex_lock(&mutex);
    wa_store *store = wa_root(ticket->store);
    store->stops.ticket = ticket->outer;
    ticket->store = NULL;
    if (ticket->is_cancelled && (ticket->outer == NULL || !ticket->outer->is_cancelled))
        clear_stop(store, WA_STOP_TICKET);
    pthread_mutex_unlock(&mutex);
}

int wa_ticket_cancel(wa_ticket *ticket, wa_error *error)
{
    if (lock_watched(error) < 0)
        return -1;
    ticket->is_cancelled = true;
    if (ticket->store != NULL) {
        set_stop(wa_root(ticket->store), WA_STOP_TICKET);
        wake_before(0);
    }
    pthread_mutex_unlock(&mutex);
    note_own_stop();
    return 0;
}

/* ---- the life of stores ----------------------------------------------------------------------------------------- */

void wa_stops_join(wa_store *into, wa_store *from)
{
    if (!atomic_load(&is_used))
        return;
    pthread_mutex_lock(&mutex);
    unwatch_store(from);
    into->stops.passed += from->stops.passed;
    if (into->stops.ticket == NULL)
        into->stops.ticket = from->stops.ticket;
    uint32_t stop = atomic_exchange(&from->stop, 0);
    if (stop != 0) {
        set_stop(into, stop);
        wake_before(0);
    }
    pthread_mutex_unlock(&mutex);
}

void wa_stops_forget(wa_store *store)
{
    if (!atomic_load_explicit(&store->stops.is_watched, memory_order_acquire)) /* the watcher is done with it */
        return;
    pthread_mutex_lock(&mutex);
    unwatch_store(store);
    pthread_mutex_unlock(&mutex);
}
