/* Private to native/: threads, the protected calls that they are in, and the ways out of those. */
#ifndef WA_RUNTIME_THREAD_H
#define WA_RUNTIME_THREAD_H

#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>

#include "error.h"

/* The signals that faults of compiled code raise. Of the two for trap instructions it needs one; the other one stays as it
 * is, since a debugger's breakpoint can't be handed on (its pc lies behind it, so it would not come again). */
#if defined(__x86_64__)
enum { WA_TRAP_SIGNAL = SIGILL };
#else
enum { WA_TRAP_SIGNAL = SIGTRAP };
#endif
#define WA_FAULT_SIGNALS SIGSEGV, SIGBUS, WA_TRAP_SIGNAL

/* Room above the kernel's signal frame (AT_MINSIGSTKSZ) for our handler and for those that it chains to. */
enum { WA_HANDLER_STACK_BYTES = 64 * 1024 };

/* One protected call: on the stack of wa_call, linked from the innermost outwards; all of them on one stack, see stacks.c. */
typedef struct wa_activation {
    struct wa_activation *previous;
    wa_store *store;
    wa_call_info *info;
    int outcome;
    uint8_t deadly_signals; /* WASI: what a failing write would do; 0: not looked at yet */
    bool is_linked;         /* by stacks.c, whose the next three are */
    const void *outer_mark;
    uint64_t serial, outer_latest;
    sigjmp_buf landing;
} wa_activation;

/* The calls of a stack that this thread has left for another one. */
typedef struct wa_parked {
    struct wa_parked *next;
    const void *mark;
    wa_activation *innermost; /* on that stack: what lies there now may be anything */
} wa_parked;

/* What came while no compiled code ran that could be left at once, and whoever goes back to it looks at. */
typedef union wa_notes {
    struct {
        volatile bool sigint; /* of the main thread; the handler writes this and the next */
        volatile bool stop;   /* a store that the thread is inside has a stop: wa_take_stop tells which, and clears the note */
        bool parked;          /* calls of other stacks have not ended: see stacks.c */
    };
    volatile uint32_t any;
} wa_notes;

/* What ends a wait: somebody notified it, or a note was left. */
enum { WA_WAKE_NOTIFIED = 1, WA_WAKE_NOTED = 2 };

/* Per thread; initial-exec so that the signal handler reaches it without a call. */
typedef struct wa_thread {
    wa_activation *current; /* while is_outside, of a stack that may not be the one that runs: then it is compared, not read */
    const void *mark;       /* what the embedder knows the stack of current by */
    wa_parked *parked;
    uint64_t last_serial;
    uint64_t stack_size_bytes;
    uint64_t stack_limit; /* lowest stack pointer at which wasm may start a function */
    uintptr_t chaining;   /* frame of the handler that hands a signal on */
    uint32_t id;          /* of the kernel; 0: nobody asked for it yet, see wa_thread_id */
    wa_notes notes;
    _Atomic uint32_t wake; /* WA_WAKE_*: what a wait of this thread looks at, see waiters.c */
    volatile bool is_outside;  /* the embedder's code runs inside of a call */
    volatile bool is_handling; /* the handler reads what it trusts: a fault there is no guest's */
    volatile bool is_ready;
} wa_thread;
extern _Thread_local wa_thread wa_this_thread;

/* Whether the innermost call is in code of the guest or of the runtime, and may be left there where it owns nothing. */
static inline bool wa_is_away(void)
{
    const wa_activation *activation = wa_this_thread.current;
    return activation != NULL && !wa_this_thread.is_outside && activation->info->is_away;
}

/* Leave the innermost call, which returns the outcome. */
_Noreturn static inline void wa_leap(int outcome)
{
    wa_activation *activation = wa_this_thread.current;
    wa_this_thread.is_outside = false;
    activation->outcome = outcome;
    siglongjmp(activation->landing, 1);
}

/* ---- thread.c --------------------------------------------------------------------------------------------------- */

/* Before the first call of a thread: its stack's limit, a stack for the handler, and no fault is blocked. What a program may
 * change later (that, and handlers) is looked at again where is_ready was cleared: by a trap, and by a timer of the main
 * thread. */
WA_COLD void wa_thread_begin(void);
static inline void wa_thread_prepare(void)
{
    if (__builtin_expect(!wa_this_thread.is_ready, 0))
        wa_thread_begin();
}
/* Look at it now. */
void wa_thread_check(void);
/* Ask the kernel for the thread's id, which the child of a fork gets anew. */
uint32_t wa_thread_identify(void);

static inline uint32_t wa_thread_id(void)
{
    uint32_t id = wa_this_thread.id;
    return __builtin_expect(id != 0, 1) ? id : wa_thread_identify();
}

/* ---- stacks.c; the embedder has left wasm, but for the first one ------------------------------------------------- */

/* A call begins that has a call around it or beside it. */
WA_COLD void wa_stack_begin(wa_activation *activation);
/* It has ended, and is no longer the innermost one. */
WA_COLD void wa_stack_end(const wa_activation *activation);
/* Make the calls of the stack that runs the current ones. -1: no memory. user: of a call on it, or NULL. */
WA_COLD int wa_stack_settle(wa_activation **innermost, void *user);
/* Whether calls on other stacks of this thread are in the store. */
bool wa_stack_has_others(const wa_store *store);
/* Whether one of them began later than the innermost call, in its store. */
WA_COLD bool wa_stack_is_interleaved(void);

/* ---- signals.c -------------------------------------------------------------------------------------------------- */

/* Install the handler for faults, or put it back. */
int wa_signals_ensure(wa_error *error);
/* Of the main thread, before a call: look soon whether SIGINT still has our handler, in case the call takes long. */
void wa_interrupts_check_soon(void);
/* In the child of a fork, which has no timers. */
void wa_interrupts_forget_timer(void);
/* Whether the embedder wants a SIGINT to end the innermost call, which is away. */
bool wa_interrupt_is_wanted(void);
/* Before a wait: whether the embedder has an exception to raise, with which the guest is to be left. While another handler than
 * ours has SIGINT (Python's own, where it was set again), a signal leaves no note; from here on ours has it. */
bool wa_missed_signal_raises(void);
/* The signal for stops. */
int wa_stop_signal(void);
/* Where a thread is. */
typedef struct wa_place {
    uintptr_t pc, stack_pointer, frame_pointer;
    uintptr_t frameless_return; /* where it returns to, before it has set up a frame or after; 0: it has one */
} wa_place;
/* The wasm frames of the innermost call, from there outwards, into info. */
void wa_capture_frames(wa_store *store, wa_call_info *info, const wa_place *place);

/* ---- leave.c ---------------------------------------------------------------------------------------------------- */

/* Whether an interrupt or a deadline shall end the innermost call now: then release what is held, and wa_heed_interrupt. */
bool wa_interrupt_is_due(void);

/* Before the way back to wasm: an interrupt or a deadline that came meanwhile ends the call. */
static inline void wa_heed_interrupt(void)
{
    if (__builtin_expect(wa_this_thread.notes.any, 0))
        wa_leave_if_interrupted();
}

/* ---- waiters.c -------------------------------------------------------------------------------------------------- */

/* Wait at an address of a shared memory for so long, less than 0: for ever, unless it holds something else than expected, which
 * was size_bytes (4 or 8) wide. What memory.atomic.wait gives; an interrupt or a stop leaves the call. */
uint32_t wa_wait(const void *address, uint64_t expected, uint32_t size_bytes, int64_t timeout_nanoseconds);
/* Wake at most so many of those that wait there, those that came first; how many. */
uint32_t wa_notify(const void *address, uint32_t count);

/* ---- activation.c ----------------------------------------------------------------------------------------------- */

/* From inside a call, call a function of another instance; what ends that call early ends this one too. */
void wa_call_across(const wa_instance *caller, const wa_function *function, wa_entry entry, uint64_t *slots);

#endif
