/* ALL async-signal code: faults of compiled code become traps, interrupts stop it, everything else goes to the handler that
 * was there before.
 *
 * A fault is ours only if this thread is inside a call, the pc lies in a function body of an artifact of that call's store,
 * and the fault is one that compiled code raises on purpose: a trap instruction, or an access to a memory reservation of
 * the store, or to the stack's guard. The handler then fills wa_call_info and jumps to the landing of the call. Compiled
 * code holds no locks and owns nothing, so it may be left at any instruction.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <ucontext.h>
#include <unistd.h>

#include "core.h"

_Thread_local wa_thread wa_this_thread;

/* Room above the kernel's signal frame (AT_MINSIGSTKSZ) for our handler and for those that it chains to. */
enum { HANDLER_STACK_BYTES = 64 * 1024 };
/* Room below the limit for the runtime's C code and for the embedder's functions. */
static const uint64_t stack_margin_bytes = 256 * 1024;
/* The main thread's stack grows on demand, and only this much is sure not to meet another mapping on its way: Linux keeps
 * 128 MiB free below it, even where the limit was raised later. */
static const uint64_t main_stack_bytes = 64 * 1024 * 1024;
/* Compiled code touches its stack in steps of less than this (probes, pushes), so a fault on it lies no farther away. */
static const uint64_t stack_step_bytes = 64 * 1024;

/* The signals that faults of compiled code raise. Of the two for trap instructions it needs one; the other one stays as it
 * is, since a debugger's breakpoint can't be handed on (its pc lies behind it, so it would not come again). */
#if defined(__x86_64__)
enum { TRAP_SIGNAL = SIGILL };
#else
enum { TRAP_SIGNAL = SIGTRAP };
#endif
enum { FAULT_COUNT = 3, INTERRUPT = FAULT_COUNT, SIGNAL_COUNT };
static const int signal_numbers[SIGNAL_COUNT] = {SIGSEGV, SIGBUS, TRAP_SIGNAL, [INTERRUPT] = SIGINT};

/* What was installed before us, and what was found in our place when we last looked. The latter may chain to us. */
static struct sigaction first_actions[SIGNAL_COUNT], latest_actions[SIGNAL_COUNT];
static pthread_mutex_t install_mutex = PTHREAD_MUTEX_INITIALIZER;

/* ---- registers ---------------------------------------------------------------------------------------------------- */

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

/* ud1 with the trap code as displacement: 67 0f b9 40 NN. */
static uint32_t trap_instruction_code(int number, const uint8_t *pc, const uint8_t *end)
{
    if (number != TRAP_SIGNAL || end - pc < 5)
        return 0;
    return pc[0] == 0x67 && pc[1] == 0x0f && pc[2] == 0xb9 && pc[3] == 0x40 ? pc[4] : 0;
}
#else
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

/* brk #0x5500 | code: llvm.ubsantrap. */
static uint32_t trap_instruction_code(int number, const uint8_t *pc, const uint8_t *end)
{
    uint32_t instruction;
    if (number != TRAP_SIGNAL || end - pc < 4)
        return 0;
    memcpy(&instruction, pc, sizeof instruction);
    uint32_t immediate = instruction >> 5 & 0xffff;
    return (instruction & 0xffe0001fu) == 0xd4200000u && immediate >> 8 == 0x55 ? immediate & 0xff : 0;
}
#endif

/* ---- from a pc to a function -------------------------------------------------------------------------------------- */

/* The artifact of the store whose text holds pc. The thread is inside the store, so its lists don't change. */
static wa_artifact *artifact_at(const wa_store *store, uintptr_t pc)
{
    for (const wa_details *details = store->instances; details != NULL; details = details->next) {
        wa_artifact *artifact = details->artifact;
        if (pc - (uintptr_t)artifact->text < artifact->header->text_size_bytes)
            return artifact;
    }
    return NULL;
}

/* Function whose body holds text_offset, or UINT32_MAX: binary search in the mapped column. */
static uint32_t function_at(const wa_artifact *artifact, uint32_t text_offset)
{
    const struct wa_schema_function_row *rows = artifact->columns.function.data;
    uint64_t imported = wa_imported_functions(artifact), low = imported, high = WA_ROWS(artifact, function);
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (rows[middle].text_offset <= text_offset)
            low = middle + 1;
        else
            high = middle;
    }
    bool is_inside = low > imported && text_offset - rows[low - 1].text_offset < rows[low - 1].code_size_bytes;
    return is_inside ? (uint32_t)(low - 1) : UINT32_MAX;
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
void wa_capture_frames(wa_store *store, wa_call_info *info, uintptr_t pc, uintptr_t stack_pointer, uintptr_t frame_pointer)
{
    const wa_activation *base = wa_this_thread.current;
    while (base->previous != NULL && base->previous->info == info)
        base = base->previous; /* calls from instance to instance */
    info->frame_count = 0;
    if (!add_frame(store, info, pc))
        return;
    uintptr_t lowest = stack_pointer, end = (uintptr_t)base;
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

/* ---- the handler -------------------------------------------------------------------------------------------------- */

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
    const uint8_t *end = artifact->text + artifact->header->text_size_bytes;
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
    if (activation == NULL || info->si_code <= 0)
        return; /* not inside, or sent by somebody */
    wa_store *store = wa_store_root(activation->store);
    uintptr_t pc = context_pc(context);
    const wa_artifact *artifact = artifact_at(store, pc);
    if (artifact == NULL)
        return;
    uint32_t code = classify(store, artifact, number, info, context);
    if (code == 0)
        return;
    activation->outcome = WA_TRAPPED;
    activation->info->trap_code = code;
    wa_capture_frames(store, activation->info, pc, context_stack_pointer(context), context_frame_pointer(context));
    siglongjmp(activation->landing, 1);
}

/* Leave the innermost call where the main thread is in compiled code. Elsewhere leave a note: the runtime's C code looks at
 * it before it returns to compiled code, the embedder before it starts any. */
static void try_interrupt(const ucontext_t *context)
{
    wa_activation *activation = wa_this_thread.current;
    if (getpid() != gettid())
        return;
    if (activation != NULL && activation->info->is_away &&
        artifact_at(wa_store_root(activation->store), context_pc(context)) != NULL)
        wa_interrupt();
    wa_this_thread.is_interrupted = true;
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
static void chain(int index, int number, siginfo_t *info, void *context)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0), outer = wa_this_thread.chaining;
    if (outer - here - 1 < HANDLER_STACK_BYTES) {
        act(&first_actions[index], number, info, context);
        return;
    }
    wa_this_thread.chaining = here;
    act(&latest_actions[index], number, info, context);
    wa_this_thread.chaining = 0;
}

static void handle(int number, siginfo_t *info, void *context)
{
    int saved_errno = errno;
    if (number != SIGINT)
        try_trap(number, info, context);
    for (int index = 0; index < SIGNAL_COUNT; index++)
        if (signal_numbers[index] == number)
            chain(index, number, info, context);
    if (number == SIGINT)
        try_interrupt(context); /* the embedder's handler has noted it by now */
    errno = saved_errno;
}

static int install(int index, wa_error *error)
{
    static bool is_installed[SIGNAL_COUNT];
    struct sigaction found, ours = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    if (sigaction(signal_numbers[index], NULL, &found) != 0)
        return wa_fail_system(error, WA_ERROR_SIGNALS, 0, "sigaction");
    if ((found.sa_flags & SA_SIGINFO) && found.sa_sigaction == handle)
        return 0;
    latest_actions[index] = found;
    if (!is_installed[index])
        first_actions[index] = found;
    is_installed[index] = true;
    if (sigaction(signal_numbers[index], &ours, NULL) != 0)
        return wa_fail_system(error, WA_ERROR_SIGNALS, 0, "sigaction");
    return 0;
}

int wa_signals_ensure(wa_error *error)
{
    int result = 0;
    pthread_mutex_lock(&install_mutex);
    for (int index = 0; index < FAULT_COUNT && result == 0; index++)
        result = install(index, error);
    pthread_mutex_unlock(&install_mutex);
    return result;
}

bool wa_interrupts_watched(void)
{
    struct sigaction found;
    return sigaction(SIGINT, NULL, &found) == 0 && (found.sa_flags & SA_SIGINFO) && found.sa_sigaction == handle;
}

int wa_interrupts_watch(wa_error *error)
{
    pthread_mutex_lock(&install_mutex);
    int result = install(INTERRUPT, error);
    pthread_mutex_unlock(&install_mutex);
    return result;
}

/* ---- threads ------------------------------------------------------------------------------------------------------ */

static pthread_key_t handler_stack_key;
static pthread_once_t handler_stack_once = PTHREAD_ONCE_INIT;

/* Below the handler's stack lies a page that nothing may touch: running over it must not change what lies below. */
static size_t guard_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t handler_stack_bytes(void)
{
    return HANDLER_STACK_BYTES + getauxval(AT_MINSIGSTKSZ);
}

static void free_handler_stack(void *stack)
{
    stack_t off = {.ss_flags = SS_DISABLE}, found;
    if (sigaltstack(NULL, &found) == 0 && found.ss_sp == stack)
        sigaltstack(&off, NULL);
    munmap((uint8_t *)stack - guard_bytes(), handler_stack_bytes() + guard_bytes());
}

static void make_handler_stack_key(void)
{
    pthread_key_create(&handler_stack_key, free_handler_stack);
}

/* A handler can't run on an exhausted stack: give the thread an alternate one, unless it has a large enough one. */
static void ensure_handler_stack(void)
{
    stack_t found, ours = {.ss_size = handler_stack_bytes()};
    if (sigaltstack(NULL, &found) != 0 || (!(found.ss_flags & SS_DISABLE) && found.ss_size >= ours.ss_size))
        return;
    pthread_once(&handler_stack_once, make_handler_stack_key);
    size_t size = ours.ss_size + guard_bytes();
    uint8_t *mapping = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (mapping == MAP_FAILED)
        return;
    mprotect(mapping, guard_bytes(), PROT_NONE);
    ours.ss_sp = mapping + guard_bytes();
    if (sigaltstack(&ours, NULL) == 0)
        pthread_setspecific(handler_stack_key, ours.ss_sp);
    else
        munmap(mapping, size);
}

/* A blocked signal that a fault raises ends the process. Threads made to wait for signals block all of them. */
static void unblock_faults(void)
{
    sigset_t faults;
    sigemptyset(&faults);
    for (int index = 0; index < FAULT_COUNT; index++)
        sigaddset(&faults, signal_numbers[index]);
    pthread_sigmask(SIG_UNBLOCK, &faults, NULL);
}

/* Lowest usable address of this thread's stack, and its size. */
static uint64_t find_stack(uint64_t *size_bytes)
{
    pthread_attr_t attributes;
    void *lowest = NULL;
    size_t size = 0, guard = 0;
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        pthread_attr_getstack(&attributes, &lowest, &size);
        pthread_attr_getguardsize(&attributes, &guard);
        pthread_attr_destroy(&attributes);
    }
    uint64_t start = (uint64_t)(uintptr_t)lowest + guard, end = (uint64_t)(uintptr_t)lowest + size;
    if (lowest == NULL) { /* without /proc, nothing is known of the main thread: count on half of its limit */
        struct rlimit limit;
        bool is_known = getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur < main_stack_bytes;
        end = (uint64_t)(uintptr_t)__builtin_frame_address(0);
        start = end - (is_known ? limit.rlim_cur : main_stack_bytes) / 2;
    }
    if (getpid() == gettid() && end - start > main_stack_bytes)
        start = end - main_stack_bytes;
    *size_bytes = end - start;
    return start;
}

void wa_thread_prepare(void)
{
    if (wa_this_thread.is_ready)
        return;
    uint64_t size_bytes, lowest = find_stack(&size_bytes);
    uint64_t margin = size_bytes / 4 < stack_margin_bytes ? size_bytes / 4 : stack_margin_bytes;
    ensure_handler_stack();
    unblock_faults();
    wa_this_thread.stack_size_bytes = size_bytes;
    wa_this_thread.stack_limit = lowest + margin;
    wa_this_thread.is_ready = true;
}
