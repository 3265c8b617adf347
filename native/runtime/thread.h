/* Private to native/: threads, the protected calls that they are in, and the ways out of those. */
#ifndef WA_RUNTIME_THREAD_H
#define WA_RUNTIME_THREAD_H

#include <setjmp.h>
#include <signal.h>

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

/* One protected call: on the stack of wa_call, linked from the innermost outwards. */
typedef struct wa_activation {
    struct wa_activation *previous;
    wa_store *store;
    wa_call_info *info;
    int outcome;
    uint8_t deadly_signals; /* WASI: what a failing write would do; 0: not looked at yet */
    sigjmp_buf landing;
} wa_activation;

/* What came while no compiled code ran that could be left at once. The handler writes one of them at a time. */
typedef union wa_notes {
    struct {
        volatile bool sigint; /* of the main thread */
        volatile bool stop;   /* a store that the thread is inside has a stop: wa_take_stop tells which, and clears the note */
    };
    volatile uint16_t any;
} wa_notes;

/* Per thread; initial-exec so that the signal handler reaches it without a call. */
typedef struct wa_thread {
    wa_activation *current;
    uint64_t stack_size_bytes;
    uint64_t stack_limit; /* lowest stack pointer at which wasm may start a function */
    uintptr_t chaining;   /* frame of the handler that hands a signal on */
    uint32_t id;          /* of the kernel; 0: nobody asked for it yet, see wa_thread_id */
    wa_notes notes;
    volatile bool is_handling; /* the handler reads what it trusts: a fault there is no guest's */
    volatile bool is_ready;
} wa_thread;
extern _Thread_local wa_thread wa_this_thread;

/* Leave the innermost call, which returns the outcome. */
_Noreturn static inline void wa_leap(int outcome)
{
    wa_activation *activation = wa_this_thread.current;
    activation->outcome = outcome;
    siglongjmp(activation->landing, 1);
}

/* ---- thread.c --------------------------------------------------------------------------------------------------- */

/* Before the first call of a thread: its stack's limit, a stack for the handler, and no fault is blocked. What a program may
 * change later (that, and handlers) is looked at again where is_ready was cleared: by a trap, and by a timer of the main
 * thread. */
void wa_thread_prepare(void);
/* Look at it now. */
void wa_thread_check(void);
/* Ask the kernel for the thread's id, which the child of a fork gets anew. */
uint32_t wa_thread_identify(void);

static inline uint32_t wa_thread_id(void)
{
    uint32_t id = wa_this_thread.id;
    return __builtin_expect(id != 0, 1) ? id : wa_thread_identify();
}

/* ---- signals.c -------------------------------------------------------------------------------------------------- */

/* Install the handler for faults, or put it back. */
int wa_signals_ensure(wa_error *error);
/* Of the main thread, before a call: look soon whether SIGINT still has our handler, in case the call takes long. */
void wa_interrupts_check_soon(void);
/* In the child of a fork, which has no timers. */
void wa_interrupts_forget_timer(void);
/* Whether the embedder wants a SIGINT to end the innermost call, which is away. */
bool wa_interrupt_is_wanted(void);
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

/* ---- activation.c ----------------------------------------------------------------------------------------------- */

/* From inside a call, call a function of another instance; what ends that call early ends this one too. */
void wa_call_across(const wa_instance *caller, const wa_function *function, wa_entry entry, uint64_t *slots);

#endif
