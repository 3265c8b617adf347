/* ALL async-signal code: faults of compiled code become traps, interrupts stop it, everything else goes to the handler that
 * was there before.
 *
 * A fault is ours only if this thread is inside a call, the pc lies in a function body of an artifact of that call's store,
 * and the fault is one that compiled code raises on purpose: a trap instruction, or an access to a memory reservation of
 * the store, or to the stack's guard. The handler then fills wa_call_info and jumps to the landing of the call. Compiled
 * code holds no locks and owns nothing, so it may be left at any instruction.
 *
 * What runs in the handler calls nothing of other files but what is inline in their headers, and of the C library only what
 * POSIX calls async-signal-safe, and siglongjmp. It reads the lists of the store that the thread is inside, which nobody else
 * changes. The end of the file installs the handler; that part runs outside of it.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "forks.h"
#include "stop.h"

/* Compiled code touches its stack in steps of less than this (probes, pushes), so a fault on it lies no farther away. */
static const uint64_t stack_step_bytes = 64 * 1024;

static const int fault_signals[] = {WA_FAULT_SIGNALS};
enum { FAULT_COUNT = sizeof fault_signals / sizeof fault_signals[0], SIGNALS_END = 65 };

_Thread_local wa_thread wa_this_thread;

/* By number: what was installed before us, and what was found in our place when we last looked. The latter may chain to us. */
static struct sigaction first_actions[SIGNALS_END], latest_actions[SIGNALS_END];
static pthread_mutex_t install_mutex = PTHREAD_MUTEX_INITIALIZER;

/* Ignored by default, and never meant for a handler that does not expect more of them than there are: Go's choice too. */
static _Atomic int stop_signal = SIGURG;
/* What our signals for stops carry: its address. Others of that number are somebody else's. */
static char stop_mark;
/* The same for a SIGINT that another thread got, whose handlers have run there. */
static char forward_mark;

/* So long after a call of the main thread has begun, SIGINT's handler is looked at. */
static const long check_after_nanoseconds = 50000000;
static timer_t check_timer;
static int check_signal; /* of the timer; 0: there is none */

static wa_judge judge_interrupt;
static wa_heed heed_signals;

/* ---- registers -------------------------------------------------------------------------------------------------- */

#if defined(__x86_64__)
static uintptr_t context_pc(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
}

static uintptr_t context_stack_pointer(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
}

static uintptr_t context_frame_pointer(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.gregs[REG_RBP];
}

static uint32_t body_at(const wa_artifact *artifact, uint32_t text_offset, uint32_t *start);
static uint32_t function_at(const wa_artifact *artifact, uint32_t text_offset);

/* Whether a function that has given up its frame goes on in another one, or in itself from the start: jmp behind pop %rbp or leave. */
static bool is_tail_jump(const wa_artifact *artifact, const uint8_t *pc, const uint8_t *end)
{
    static const uint8_t pop = 0x5d, leave = 0xc9;
    int32_t near;
    int64_t target = pc - artifact->text;
    const uint8_t *opcode = pc + (*pc == 0x41);
    if (pc == artifact->text || (pc[-1] != pop && pc[-1] != leave) || end - pc < 5)
        return false;
    if (*opcode == 0xff)
        return (opcode[1] & 0x38) == 0x20;
    memcpy(&near, pc + 1, sizeof near);
    if (*pc == 0xe9)
        target += 5 + (int64_t)near;
    else if (*pc == 0xeb)
        target += 2 + (int8_t)pc[1];
    else
        return false;
    return function_at(artifact, (uint32_t)(target - 1)) != function_at(artifact, (uint32_t)(pc - artifact->text));
}

/* Where a function without a frame returns to: its return address is above what it has pushed so far. 0: the function has one, which
 * is the first thing that it sets up. */
static uintptr_t context_leaf_return(const ucontext_t *context, const wa_artifact *artifact)
{
    static const uint8_t push_frame = 0x55;
    const uint8_t *pc = (const uint8_t *)context_pc(context);
    uint32_t start;
    if (body_at(artifact, (uint32_t)(pc - artifact->text), &start) == UINT32_MAX)
        return 0; /* a trampoline or init, which have one */
    const uint8_t *at = artifact->text + start;
    if (*at == push_frame)
        return 0;
    const uintptr_t *stack = (const uintptr_t *)context_stack_pointer(context);
    for (; at < pc && ((at[0] & 0xf8) == 0x50 || (at[0] == 0x41 && (at[1] & 0xf8) == 0x50)); at += at[0] == 0x41 ? 2 : 1)
        stack++;
    return *stack;
}

/* Where compiled code returns to from an instruction at which it has no frame of its own: push %rbp, mov %rsp, %rbp (behind it),
 * ret, or a tail call's jmp; 0: it has one. */
static uintptr_t context_frameless_return(const ucontext_t *context, const wa_artifact *artifact)
{
    const uint8_t *end = artifact->text + artifact->contract->text_size_bytes;
    static const uint8_t push = 0x55, ret = 0xc3, move[] = {0x48, 0x89, 0xe5};
    const uint8_t *pc = (const uint8_t *)context_pc(context);
    const uintptr_t *stack = (const uintptr_t *)context_stack_pointer(context);
    if (*pc == push || *pc == ret || is_tail_jump(artifact, pc, end))
        return stack[0];
    if (end - pc >= 3 && memcmp(pc, move, sizeof move) == 0)
        return stack[1];
    return context_leaf_return(context, artifact);
}

/* Where a function returns to that has done nothing yet. */
static uintptr_t context_entry_return(const ucontext_t *context)
{
    return *(const uintptr_t *)context_stack_pointer(context);
}

/* ud1 with the trap code as displacement: 67 0f b9 40 NN. */
static uint32_t trap_instruction_code(int number, const uint8_t *pc, const uint8_t *end)
{
    if (number != WA_TRAP_SIGNAL || end - pc < 5)
        return 0;
    return pc[0] == 0x67 && pc[1] == 0x0f && pc[2] == 0xb9 && pc[3] == 0x40 ? pc[4] : 0;
}
#else
/* Every function has a frame. */
static uintptr_t context_leaf_return(const ucontext_t *context, const wa_artifact *artifact)
{
    (void)context, (void)artifact;
    return 0;
}

static uintptr_t context_pc(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.pc;
}

static uintptr_t context_stack_pointer(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.sp;
}

static uintptr_t context_frame_pointer(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.regs[29];
}

static bool is_like(uint32_t instruction, uint32_t mask, uint32_t bits)
{
    return (instruction & mask) == bits;
}

/* add sp, sp, #n or a load that takes sp up. */
static bool takes_stack_back(uint32_t instruction)
{
    return is_like(instruction, 0xff8003ffu, 0x910003ffu) || is_like(instruction, 0xffc003e0u, 0xa8c003e0u) ||
           is_like(instruction, 0xffc003e0u, 0x6cc003e0u) || is_like(instruction, 0xffe00fe0u, 0xf84007e0u) ||
           is_like(instruction, 0xffe00fe0u, 0xfc4007e0u);
}

/* Likewise: x29 is still, or again, the caller's, and x30 returns there. Which instructions save and restore other registers, and
 * what the scheduler puts between them, differs; but every function has a frame, so that what comes next of these tells: x29 is
 * set to the frame (not there yet), or loaded (still there), or the function ends (there no more). A branch ends it if the stack
 * was taken back before. */
static uintptr_t context_frameless_return(const ucontext_t *context, const wa_artifact *artifact)
{
    enum { SEARCHED_INSTRUCTIONS = 64, INSTRUCTION_BYTES = 4 };
    const uint8_t *pc = (const uint8_t *)context_pc(context), *end = artifact->text + artifact->contract->text_size_bytes;
    uint32_t instruction = 0;
    if (pc > artifact->text)
        memcpy(&instruction, pc - INSTRUCTION_BYTES, sizeof instruction);
    bool is_back = takes_stack_back(instruction);
    for (int i = 0; i < SEARCHED_INSTRUCTIONS && end - pc >= INSTRUCTION_BYTES; i++, pc += INSTRUCTION_BYTES) {
        memcpy(&instruction, pc, sizeof instruction);
        bool sets_frame = is_like(instruction, 0xffc003ffu, 0x910003fdu), returns = instruction == 0xd65f03c0u;
        bool branches = is_like(instruction, 0xfc000000u, 0x14000000u) || is_like(instruction, 0xfffffc1fu, 0xd61f0000u);
        if (sets_frame || returns || (branches && is_back))
            return (uintptr_t)context->uc_mcontext.regs[30];
        bool loads_frame = is_like(instruction, 0xffc07fffu, 0xa8c07bfdu) || is_like(instruction, 0xffc07fffu, 0xa9407bfdu);
        bool calls = is_like(instruction, 0xfc000000u, 0x94000000u) || is_like(instruction, 0xfffffc1fu, 0xd63f0000u);
        bool traps = is_like(instruction, 0xffe0001fu, 0xd4200000u);
        if (loads_frame || branches || calls || traps)
            return 0;
        is_back |= takes_stack_back(instruction);
    }
    return 0;
}

/* Where a function returns to that has done nothing yet. */
static uintptr_t context_entry_return(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.regs[30];
}

/* brk #0x5500 | code: llvm.ubsantrap. */
static uint32_t trap_instruction_code(int number, const uint8_t *pc, const uint8_t *end)
{
    uint32_t instruction;
    if (number != WA_TRAP_SIGNAL || end - pc < 4)
        return 0;
    memcpy(&instruction, pc, sizeof instruction);
    uint32_t immediate = instruction >> 5 & 0xffff;
    return (instruction & 0xffe0001fu) == 0xd4200000u && immediate >> 8 == 0x55 ? immediate & 0xff : 0;
}
#endif

/* ---- from a pc to a function ------------------------------------------------------------------------------------ */

/* The artifact of the store whose text holds pc. The thread is inside the store, so its lists don't change. */
static wa_artifact *artifact_at(const wa_store *store, uintptr_t pc)
{
    for (const wa_details *details = store->instances; details != NULL; details = details->next) {
        wa_artifact *artifact = details->artifact;
        if (pc - (uintptr_t)artifact->text < artifact->contract->text_size_bytes)
            return artifact;
    }
    return NULL;
}

/* Likewise behind the code of the first CPU level: the contract has what is there, and choices come last. */
static uint32_t variant_at(const wa_artifact *artifact, uint32_t text_offset, uint32_t *start)
{
    const struct wa_schema_tied_levels *levels = artifact->levels;
    const struct wa_schema_tied_variant *variants = (const void *)(wa_anchor_of(artifact) + levels->variants_offset);
    uint32_t low = 0, high = levels->variants;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (variants[middle].text_offset <= text_offset)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || text_offset >= levels->choices_text_offset)
        return UINT32_MAX;
    *start = variants[low - 1].text_offset;
    return variants[low - 1].func_index;
}

/* Function whose body holds text_offset, and where that body starts; or UINT32_MAX. Binary search in what the contract says. */
static uint32_t body_at(const wa_artifact *artifact, uint32_t text_offset, uint32_t *start)
{
    if (artifact->levels != NULL) {
        uint32_t func_index = variant_at(artifact, text_offset, start);
        if (func_index != UINT32_MAX)
            return func_index;
    }
    const struct wa_schema_tied_function *functions = wa_first_functions(artifact);
    uint64_t imported = artifact->contract->imported_functions, low = imported, high = WA_ROWS(artifact, function);
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (functions[middle].text_offset <= text_offset)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == imported)
        return UINT32_MAX;
    uint32_t size_bytes = WA_COLUMN(artifact, function)[low - 1].code_size_bytes;
    *start = functions[low - 1].text_offset;
    return text_offset - *start < size_bytes ? (uint32_t)(low - 1) : UINT32_MAX;
}

static uint32_t function_at(const wa_artifact *artifact, uint32_t text_offset)
{
    uint32_t start;
    return body_at(artifact, text_offset, &start);
}

/* Where compiled code returns to from where it has no frame of its own, else 0. A choice between variants never has one. */
static uintptr_t frameless_return(const wa_artifact *artifact, const ucontext_t *context)
{
    uintptr_t text_offset = context_pc(context) - (uintptr_t)artifact->text;
    if (artifact->levels != NULL && text_offset >= artifact->levels->choices_text_offset)
        return context_entry_return(context);
    return context_frameless_return(context, artifact);
}

static bool add_frame(wa_store *store, wa_call_info *info, uintptr_t pc)
{
    wa_artifact *artifact = artifact_at(store, pc);
    if (artifact == NULL)
        return true;
    uint32_t text_offset = (uint32_t)(pc - (uintptr_t)artifact->text), func_index = function_at(artifact, text_offset);
    if (func_index == UINT32_MAX)
        return true; /* a trampoline or init */
    if (info->frame_count == sizeof info->frames / sizeof info->frames[0])
        return false;
    info->frames[info->frame_count].artifact = artifact;
    info->frames[info->frame_count].text_offset = text_offset;
    info->frames[info->frame_count].func_index = func_index;
    info->frame_count++;
    return true;
}

/* Walk the frame pointers from pc up to the frame of the call from the embedder. What lies between stack_pointer and that is
 * mapped, so that no value of the frame pointer can make the walk fault. */
void wa_capture_frames(wa_store *store, wa_call_info *info, const wa_place *place)
{
    const wa_activation *base = wa_this_thread.current;
    while (base->previous != NULL && base->previous->info == info)
        base = base->previous; /* calls from instance to instance */
    info->frame_count = 0;
    if (!add_frame(store, info, place->pc) ||
        (place->frameless_return != 0 && !add_frame(store, info, place->frameless_return - 1)))
        return;
    uintptr_t lowest = place->stack_pointer, frame_pointer = place->frame_pointer, end = (uintptr_t)base;
    while (frame_pointer >= lowest && frame_pointer < end && frame_pointer % sizeof(uintptr_t) == 0) {
        const uintptr_t *frame = (const uintptr_t *)frame_pointer;
        /* A return address may lie just behind a function whose last instruction is the call. */
        if (!add_frame(store, info, frame[1] - 1))
            return;
        if (frame[0] <= frame_pointer)
            return;
        frame_pointer = frame[0];
    }
}

static void check_interrupts(void);

/* ---- the handler ------------------------------------------------------------------------------------------------ */

static bool is_in_reservation(const wa_store *store, uintptr_t address)
{
    for (const wa_details *details = store->instances; details != NULL; details = details->next) {
        const struct wa_schema_memory_slot *slots = wa_memory_slots(details->instance);
        uint64_t count = WA_ROWS(details->artifact, memory_min_pages);
        for (uint64_t i = 0; i < count; i++) {
            const wa_memory *memory = slots[i].memory;
            if (address - (uintptr_t)memory->head.base < memory->reserved_bytes)
                return true;
        }
    }
    return false;
}

static uint32_t classify(const wa_store *store, const wa_artifact *artifact, int number, const siginfo_t *info,
                         const ucontext_t *context)
{
    const uint8_t *end = artifact->text + artifact->contract->text_size_bytes;
    uint32_t code = trap_instruction_code(number, (const uint8_t *)context_pc(context), end);
    if (code != 0 || (number != SIGSEGV && number != SIGBUS))
        return code;
    uintptr_t address = (uintptr_t)info->si_addr;
    if (is_in_reservation(store, address))
        return WA_TRAP_MEMORY_OUT_OF_BOUNDS;
    /* Where the stack ends is not asked: limits can change, and other mappings can be in the way of its growth. */
    if (address - (context_stack_pointer(context) - stack_step_bytes) < 2 * stack_step_bytes)
        return WA_TRAP_STACK_EXHAUSTED;
    return 0;
}

/* If the fault is a trap of the innermost call, leave the handler through its landing. */
static void try_trap(int number, const siginfo_t *info, const ucontext_t *context)
{
    wa_activation *activation = wa_this_thread.current;
    if (activation == NULL || wa_this_thread.is_outside || info->si_code <= 0)
        return; /* not inside, or sent by somebody */
    wa_this_thread.is_handling = true;
    wa_store *store = wa_root(activation->store);
    uintptr_t pc = context_pc(context);
    const wa_artifact *artifact = artifact_at(store, pc);
    uint32_t code = artifact == NULL ? 0 : classify(store, artifact, number, info, context);
    if (code == 0) {
        wa_this_thread.is_handling = false;
        return;
    }
    activation->info->trap_code = code;
    wa_place place = {pc, context_stack_pointer(context), context_frame_pointer(context),
                      context_leaf_return(context, artifact)};
    wa_capture_frames(store, activation->info, &place);
    wa_this_thread.is_handling = false;
    wa_this_thread.is_ready = false; /* who changes handlers between two traps has them put back before the second */
    wa_leap(WA_TRAPPED);
}

/* The artifact whose compiled code the thread is in, where the call may be left at once, else NULL. */
static const wa_artifact *leavable_artifact(const ucontext_t *context)
{
    return wa_is_away() ? artifact_at(wa_root(wa_this_thread.current->store), context_pc(context)) : NULL;
}

/* Where a thread leaves word that it was told of a stop. Others may overwrite it: then it is told again. */
static _Atomic uint32_t *heard_by(uint32_t thread)
{
    static _Atomic uint32_t threads[64];
    return &threads[thread % (sizeof threads / sizeof threads[0])];
}

bool wa_stop_signal_is_heard(uint32_t thread)
{
    return atomic_load(heard_by(thread)) == thread;
}

void wa_stop_signal_forget(uint32_t thread)
{
    atomic_store(heard_by(thread), 0);
}

/* Send a signal to a thread of this process, in a way that the handler knows. */
static void queue_signal(uint32_t thread, int number, char *mark)
{
    siginfo_t info = {.si_signo = number, .si_code = SI_QUEUE};
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_ptr = mark;
    syscall(SYS_rt_tgsigqueueinfo, getpid(), (pid_t)thread, number, &info);
}

static bool is_queued(const siginfo_t *info, const char *mark)
{
    return info->si_code == SI_QUEUE && info->si_value.sival_ptr == mark && info->si_pid == getpid();
}

/* For who looks before the way back to compiled code; a wait ends at once, however shortly before the system call it is. */
static void leave_note(volatile bool *note)
{
    *note = true;
    atomic_fetch_or(&wa_this_thread.wake, WA_WAKE_NOTED);
}

/* Leave the innermost call where the main thread is in compiled code, if the embedder wants it. Elsewhere leave a note: the
 * runtime's C code looks at it before it returns to compiled code, the embedder before it starts any. Compiled code holds no
 * lock, so the embedder is as free here as in a function that it calls, but for the small stack. */
static void try_interrupt(const ucontext_t *context)
{
    if (getpid() != gettid())
        queue_signal((uint32_t)getpid(), SIGINT, &forward_mark); /* the kernel chose another thread */
    else if (leavable_artifact(context) == NULL)
        leave_note(&wa_this_thread.notes.sigint);
    else if (judge_interrupt(wa_this_thread.current->info->user))
        wa_leap(WA_INTERRUPTED);
}

/* Likewise for a stop of a store. Where the embedder's code runs, the note is enough. Elsewhere it may come too late, before a
 * system call that waits: then the signal has to come again. */
static void try_stop(const ucontext_t *context)
{
    wa_activation *activation = wa_this_thread.current;
    if (activation == NULL && !wa_this_thread.notes.parked)
        return; /* a call that starts looks for itself */
    const wa_artifact *artifact = leavable_artifact(context);
    if (artifact != NULL) {
        uint32_t code = wa_take_stop();
        if (code == 0)
            return;
        activation->info->trap_code = code;
        wa_place place = {context_pc(context), context_stack_pointer(context), context_frame_pointer(context),
                          frameless_return(artifact, context)};
        wa_capture_frames(wa_root(activation->store), activation->info, &place);
        pthread_sigmask(SIG_SETMASK, &context->uc_sigmask, NULL); /* lets SIGINT in again, see install */
        wa_leap(WA_TRAPPED);
    }
    leave_note(&wa_this_thread.notes.stop);
    if (!wa_is_away())
        *heard_by(wa_this_thread.id) = wa_this_thread.id;
}

/* Do what the kernel would have done with this action. */
static void act(struct sigaction *action, int number, siginfo_t *info, void *context)
{
    struct sigaction standard = {.sa_handler = SIG_DFL}, now = *action;
    if (now.sa_handler == SIG_IGN && info->si_code <= 0)
        return;
    if (now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN) {
        if (now.sa_flags & (int)SA_RESETHAND)
            *action = standard;
        if (now.sa_flags & SA_SIGINFO)
            now.sa_sigaction(number, info, context);
        else
            now.sa_handler(number);
        return;
    }
    /* The default action: restore it and return to the fault, which then ends the process with the right status. */
    sigaction(number, &standard, NULL);
    if (info->si_code <= 0)
        raise(number);
}

/* Hand on what is not ours. One that was installed over us, and over which we were installed again, may hand it back, by a
 * call or by raising it again: then we are nested in ourselves, farther down the same stack, and go on with what was there
 * before both. A handler that left by a jump leaves the mark of its frame behind, which no later frame is below. */
static void chain(int number, siginfo_t *info, void *context)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0), outer = wa_this_thread.chaining;
    if (outer - here - 1 < WA_HANDLER_STACK_BYTES) {
        act(&first_actions[number], number, info, context);
        return;
    }
    wa_this_thread.chaining = here;
    act(&latest_actions[number], number, info, context);
    wa_this_thread.chaining = 0;
}

static bool is_of_check(const siginfo_t *info)
{
    return info->si_code == SI_TIMER && info->si_value.sival_ptr == &stop_mark;
}

static void handle(int number, siginfo_t *info, void *context)
{
    int saved_errno = errno;
    if (is_queued(info, &stop_mark)) {
        try_stop(context);
    } else if (is_queued(info, &forward_mark)) {
        try_interrupt(context);
    } else if (is_of_check(info)) {
        check_interrupts();
    } else if (wa_this_thread.is_handling && info->si_code > 0) {
        /* Memory of the runtime was overwritten. Returning to the fault without a handler ends the process, with its status. */
        struct sigaction standard = {.sa_handler = SIG_DFL};
        sigaction(number, &standard, NULL);
    } else {
        if (number != SIGINT)
            try_trap(number, info, context);
        chain(number, info, context);
        if (number == SIGINT)
            try_interrupt(context); /* the embedder's handler has noted it by now */
    }
    errno = saved_errno;
}

/* ---- installing it ---------------------------------------------------------------------------------------------- */

/* The flags: SA_SIGINFO, since the fault's address and registers decide what it is. SA_ONSTACK, since the fault may be an
 * exhausted stack. SA_NODEFER, since the handler is left by a jump, which restores no signal mask (saving one costs each call
 * a system call): the signal must not be blocked meanwhile. Only stops keep SIGINT out: it would find the thread in the handler,
 * leave a note, and then the handler returns to compiled code, which looks at none. */
static bool is_ours(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) && action->sa_sigaction == handle;
}

static int install(int number, int more_flags)
{
    static bool is_installed[SIGNALS_END];
    struct sigaction found, ours = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | more_flags};
    sigemptyset(&ours.sa_mask);
    if (number == wa_stop_signal())
        sigaddset(&ours.sa_mask, SIGINT);
    if (sigaction(number, NULL, &found) != 0)
        return -1;
    if (is_ours(&found)) {
        if ((found.sa_flags & SA_RESTART) == more_flags)
            return 0;
    } else {
        latest_actions[number] = found;
        if (!is_installed[number])
            first_actions[number] = found;
        is_installed[number] = true;
    }
    return sigaction(number, &ours, NULL);
}

int wa_signals_ensure(wa_error *error)
{
    int result = 0;
    wa_guard_forks(WA_LOCK_SIGNALS, &install_mutex);
    pthread_mutex_lock(&install_mutex);
    for (int i = 0; i < FAULT_COUNT && result == 0; i++)
        result = install(fault_signals[i], 0);
    pthread_mutex_unlock(&install_mutex);
    return result == 0 ? 0 : wa_fail_system(error, WA_ERROR_SIGNALS, 0, "sigaction");
}

bool wa_interrupts_watched(void)
{
    return judge_interrupt != NULL;
}

/* Take SIGINT over from a handler; ignored, or deadly, it stays. */
static int install_for_interrupts(void)
{
    struct sigaction found;
    if (sigaction(SIGINT, NULL, &found) != 0)
        return -1;
    return found.sa_handler == SIG_DFL || found.sa_handler == SIG_IGN ? 0 : install(SIGINT, 0);
}

int wa_interrupts_watch(wa_judge judge, wa_heed heed, wa_error *error)
{
    judge_interrupt = judge;
    heed_signals = heed;
    pthread_mutex_lock(&install_mutex);
    int result = install_for_interrupts();
    pthread_mutex_unlock(&install_mutex);
    return result == 0 ? 0 : wa_fail_system(error, WA_ERROR_SIGNALS, 0, "sigaction");
}

bool wa_interrupt_is_wanted(void)
{
    return judge_interrupt(wa_this_thread.current->info->user);
}

/* In the handler, some time after the last call of the main thread began. The next one has to look again: only this thread
 * can change Python's handlers, and not while it is in a guest. */
static void check_interrupts(void)
{
    wa_this_thread.is_ready = false;
    if (wa_this_thread.current == NULL || judge_interrupt == NULL)
        return;
    if (pthread_mutex_trylock(&install_mutex) != 0)
        return;
    install_for_interrupts();
    pthread_mutex_unlock(&install_mutex);
}

bool wa_missed_signal_raises(void)
{
    struct sigaction found;
    if (heed_signals == NULL || getpid() != gettid() || sigaction(SIGINT, NULL, &found) != 0 || is_ours(&found))
        return false;
    pthread_mutex_lock(&install_mutex);
    install_for_interrupts();
    pthread_mutex_unlock(&install_mutex);
    return wa_is_away() && heed_signals();
}

void wa_interrupts_forget_timer(void)
{
    check_signal = 0;
}

void wa_interrupts_check_soon(void)
{
    struct itimerspec once = {.it_value.tv_nsec = check_after_nanoseconds};
    int number = wa_stop_signal();
    if (judge_interrupt == NULL)
        return; /* nobody watches */
    pthread_mutex_lock(&install_mutex);
    install(number, SA_RESTART);
    pthread_mutex_unlock(&install_mutex);
    if (check_signal != number) {
        struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = number, .sigev_value.sival_ptr = &stop_mark};
        event._sigev_un._tid = gettid();
        if (check_signal != 0)
            timer_delete(check_timer);
        check_signal = timer_create(CLOCK_MONOTONIC, &event, &check_timer) == 0 ? number : 0;
    }
    if (check_signal != 0)
        timer_settime(check_timer, 0, &once, NULL);
}

int wa_stop_signal(void)
{
    return atomic_load(&stop_signal);
}

static bool is_fault(int number)
{
    for (int i = 0; i < FAULT_COUNT; i++)
        if (fault_signals[i] == number)
            return true;
    return false;
}

int wa_stop_signal_set(int number)
{
    bool is_possible = number > 0 && number < SIGNALS_END && !is_fault(number) && number != SIGINT && number != SIGKILL &&
                       number != SIGSTOP && (number < __SIGRTMIN || number >= SIGRTMIN); /* the C library's own */
    if (is_possible)
        atomic_store(&stop_signal, number);
    return is_possible ? 0 : -1;
}

/* Somebody may have installed a handler since the last one was sent: looking here costs no call anything. */
void wa_stop_signal_send(uint32_t thread, bool restarts)
{
    int number = wa_stop_signal();
    pthread_mutex_lock(&install_mutex);
    install(number, restarts ? SA_RESTART : 0);
    pthread_mutex_unlock(&install_mutex);
    queue_signal(thread, number, &stop_mark);
}
