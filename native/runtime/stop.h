/* Private to native/: stops, what ends the calls inside a store from outside. */
#ifndef WA_RUNTIME_STOP_H
#define WA_RUNTIME_STOP_H

#include "store.h"
#include "thread.h"

/* An interrupt ends one call. The other two stay until who asked for them takes them back. */
enum { WA_STOP_INTERRUPT = 1, WA_STOP_TICKET = 2, WA_STOP_DEADLINE = 4 };

static inline uint32_t wa_stop_code(uint32_t stop)
{
    if (stop & (WA_STOP_INTERRUPT | WA_STOP_TICKET))
        return WA_TRAP_INTERRUPTED;
    return stop & WA_STOP_DEADLINE ? WA_TRAP_DEADLINE_EXCEEDED : 0;
}

/* Whether a store that this thread has calls in, on the stack that runs, has a stop. */
static inline bool wa_has_stop(void)
{
    for (const wa_activation *activation = wa_this_thread.current; activation != NULL; activation = activation->previous)
        if (atomic_load(&wa_root(activation->store)->stop) != 0)
            return true;
    return false;
}

/* The trap that a store's stop is to a call that runs or starts now, 0: none. An interrupt is done with then. */
static inline uint32_t wa_take_stop_of(wa_store *store)
{
    uint32_t stop = atomic_load(&store->stop);
    if (stop & WA_STOP_INTERRUPT)
        atomic_fetch_and(&store->stop, ~(uint32_t)WA_STOP_INTERRUPT);
    return wa_stop_code(stop);
}

/* The trap that shall end the innermost call of this thread, 0: none. A stop of a store farther out ends it too: what it runs
 * belongs to the call there. The note stays while any stop does, so that no call farther out goes back to wasm. Inline, as
 * the signal handler does it. */
static inline uint32_t wa_take_stop(void)
{
    uint32_t code = 0;
    wa_this_thread.notes.stop = false; /* before the look: one that comes meanwhile is noted again */
    for (const wa_activation *activation = wa_this_thread.current; activation != NULL; activation = activation->previous) {
        wa_store *store = wa_root(activation->store);
        if (code == 0)
            code = wa_take_stop_of(store);
        if (atomic_load(&store->stop) == 0)
            continue;
        atomic_store(&store->is_heard, true);
        wa_this_thread.notes.stop = true;
    }
    return code;
}

/* ---- signals.c -------------------------------------------------------------------------------------------------- */

/* Send the signal for stops to a thread of this process, whose handler looks at the store's stop then. restarts: a system call
 * that it interrupts goes on. */
void wa_stop_signal_send(uint32_t thread, bool restarts);
/* Whether a signal reached the thread since wa_stop_signal_forget, which will look for stops before it goes back to wasm, and needs
 * no more of them. */
bool wa_stop_signal_is_heard(uint32_t thread);
void wa_stop_signal_forget(uint32_t thread);

/* ---- stop.c ----------------------------------------------------------------------------------------------------- */

/* What is known of `from` goes over to `into`, after it became an alias of that. */
void wa_stops_join(wa_store *into, wa_store *from);
/* The store is about to be freed. */
void wa_stops_forget(wa_store *store);

#endif
