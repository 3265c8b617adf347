/* ALL async-signal code: faults of compiled code become traps, everything else goes to the handler that was there before.
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
/* A function's frame is probed page by page, so a fault lies at most this far below the stack. */
static const uint64_t guard_reach_bytes = 1024 * 1024;

#define SIGNALS(X) X(0, SIGSEGV) X(1, SIGBUS) X(2, SIGILL) X(3, SIGTRAP)
enum { SIGNAL_COUNT = 4 };
static const int signal_numbers[SIGNAL_COUNT] = {
#define X(index, number) [index] = number,
    SIGNALS(X)
#undef X
};
static struct sigaction previous_actions[SIGNAL_COUNT];
static pthread_mutex_t install_mutex = PTHREAD_MUTEX_INITIALIZER;

/* ---- registers ---------------------------------------------------------------------------------------------------- */

#if defined(__x86_64__)
static uintptr_t context_pc(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
}

static uintptr_t context_frame_pointer(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.gregs[REG_RBP];
}

/* ud1 with the trap code as displacement: 67 0f b9 40 NN. */
static uint32_t trap_instruction_code(int number, const uint8_t *pc, const uint8_t *end)
{
    if (number != SIGILL || end - pc < 5)
        return 0;
    return pc[0] == 0x67 && pc[1] == 0x0f && pc[2] == 0xb9 && pc[3] == 0x40 ? pc[4] : 0;
}
#else
static uintptr_t context_pc(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.pc;
}

static uintptr_t context_frame_pointer(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.regs[29];
}

/* brk #0x5500 | code: llvm.ubsantrap. */
static uint32_t trap_instruction_code(int number, const uint8_t *pc, const uint8_t *end)
{
    uint32_t instruction;
    if (number != SIGTRAP || end - pc < 4)
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

/* Defined function whose body holds text_offset, or UINT32_MAX: binary search in the mapped column. */
static uint32_t defined_function_at(const wa_artifact *artifact, uint32_t text_offset)
{
    const uint32_t *starts = artifact->columns.code_text_offset.data, *sizes = artifact->columns.code_size.data;
    uint64_t low = 0, high = WA_ROWS(artifact, code_size);
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (starts[middle] <= text_offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && text_offset - starts[low - 1] < sizes[low - 1] ? (uint32_t)(low - 1) : UINT32_MAX;
}

static bool add_frame(wa_store *store, wa_call_info *info, uintptr_t pc)
{
    wa_artifact *artifact = artifact_at(store, pc);
    if (artifact == NULL)
        return true;
    uint32_t text_offset = (uint32_t)(pc - (uintptr_t)artifact->text), defined = defined_function_at(artifact, text_offset);
    if (defined == UINT32_MAX)
        return true; /* a trampoline or init */
    if (info->frame_count == sizeof info->frames / sizeof info->frames[0])
        return false;
    uint64_t imported = WA_ROWS(artifact, function_type) - WA_ROWS(artifact, code_size);
    info->frames[info->frame_count].artifact = artifact;
    info->frames[info->frame_count].text_offset = text_offset;
    info->frames[info->frame_count].func_index = (uint32_t)imported + defined;
    info->frame_count++;
    return true;
}

/* Walk the frame pointers from pc up to base, the activation's own frame. */
void wa_capture_frames(wa_store *store, wa_call_info *info, uintptr_t pc, uintptr_t frame_pointer, const void *base)
{
    info->frame_count = 0;
    if (!add_frame(store, info, pc))
        return;
    uintptr_t end = (uintptr_t)base, lowest = (uintptr_t)wa_this_thread.stack_lowest;
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

static uint32_t classify(const wa_store *store, const wa_artifact *artifact, int number, const siginfo_t *info, uintptr_t pc)
{
    const uint8_t *end = artifact->text + artifact->header->text_size_bytes;
    uint32_t code = trap_instruction_code(number, (const uint8_t *)pc, end);
    if (code != 0 || (number != SIGSEGV && number != SIGBUS))
        return code;
    uintptr_t address = (uintptr_t)info->si_addr;
    if (is_in_reservation(store, address))
        return WA_TRAP_MEMORY_OUT_OF_BOUNDS;
    uintptr_t lowest = (uintptr_t)wa_this_thread.stack_lowest;
    if (address < (uintptr_t)wa_this_thread.stack_limit && address >= lowest - guard_reach_bytes)
        return WA_TRAP_STACK_EXHAUSTED;
    return 0;
}

/* If the fault is a trap of the innermost call, leave the handler through its landing. */
static void try_trap(int number, const siginfo_t *info, const ucontext_t *context)
{
    wa_activation *activation = wa_this_thread.current;
    if (activation == NULL)
        return;
    wa_store *store = wa_store_root(activation->store);
    uintptr_t pc = context_pc(context);
    const wa_artifact *artifact = artifact_at(store, pc);
    if (artifact == NULL)
        return;
    uint32_t code = classify(store, artifact, number, info, pc);
    if (code == 0)
        return;
    activation->outcome = WA_TRAPPED;
    activation->info->trap_code = code;
    wa_capture_frames(store, activation->info, pc, context_frame_pointer(context), activation);
    siglongjmp(activation->landing, 1);
}

static void call_previous(int index, int number, siginfo_t *info, void *context)
{
    const struct sigaction *action = &previous_actions[index];
    if (action->sa_flags & SA_SIGINFO) {
        action->sa_sigaction(number, info, context);
        return;
    }
    if (action->sa_handler == SIG_IGN && info->si_code <= 0)
        return; /* sent by a process, and ignored before us */
    if (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN) {
        action->sa_handler(number);
        return;
    }
    /* The default action: restore it and return to the fault, which then ends the process with the right status. */
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigaction(number, &standard, NULL);
    if (info->si_code <= 0)
        raise(number);
}

static void handle(int number, siginfo_t *info, void *context)
{
    int saved_errno = errno;
    try_trap(number, info, context);
    for (int index = 0; index < SIGNAL_COUNT; index++)
        if (signal_numbers[index] == number)
            call_previous(index, number, info, context);
    errno = saved_errno;
}

static int install(int index, wa_error *error)
{
    struct sigaction found, ours = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    if (sigaction(signal_numbers[index], NULL, &found) != 0)
        return wa_fail_system(error, WA_ERROR_SIGNALS, 0, "sigaction");
    if ((found.sa_flags & SA_SIGINFO) && found.sa_sigaction == handle)
        return 0;
    /* One that was installed over ours may call ours back: forget what we chained to before, or a fault of neither would go
     * round for ever. */
    previous_actions[index] = found;
    if (sigaction(signal_numbers[index], &ours, NULL) != 0)
        return wa_fail_system(error, WA_ERROR_SIGNALS, 0, "sigaction");
    return 0;
}

int wa_signals_ensure(wa_error *error)
{
    int result = 0;
    pthread_mutex_lock(&install_mutex);
    for (int index = 0; index < SIGNAL_COUNT && result == 0; index++)
        result = install(index, error);
    pthread_mutex_unlock(&install_mutex);
    return result;
}

/* ---- threads ------------------------------------------------------------------------------------------------------ */

static pthread_key_t handler_stack_key;
static pthread_once_t handler_stack_once = PTHREAD_ONCE_INIT;

static void free_handler_stack(void *stack)
{
    stack_t off = {.ss_flags = SS_DISABLE}, found;
    if (sigaltstack(NULL, &found) == 0 && found.ss_sp == stack)
        sigaltstack(&off, NULL);
    munmap(stack, HANDLER_STACK_BYTES + getauxval(AT_MINSIGSTKSZ));
}

static void make_handler_stack_key(void)
{
    pthread_key_create(&handler_stack_key, free_handler_stack);
}

/* A handler can't run on an exhausted stack: give the thread an alternate one, unless it has a large enough one. */
static void ensure_handler_stack(void)
{
    stack_t found, ours = {0};
    size_t needed = HANDLER_STACK_BYTES + getauxval(AT_MINSIGSTKSZ);
    if (sigaltstack(NULL, &found) != 0 || (!(found.ss_flags & SS_DISABLE) && found.ss_size >= needed))
        return;
    pthread_once(&handler_stack_once, make_handler_stack_key);
    ours.ss_size = needed;
    ours.ss_sp = mmap(NULL, needed, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (ours.ss_sp == MAP_FAILED)
        return;
    if (sigaltstack(&ours, NULL) == 0)
        pthread_setspecific(handler_stack_key, ours.ss_sp);
    else
        munmap(ours.ss_sp, needed);
}

void wa_thread_prepare(void)
{
    if (wa_this_thread.is_ready)
        return;
    ensure_handler_stack();
    pthread_attr_t attributes;
    void *lowest = NULL;
    size_t size_bytes = 0, guard_bytes = 0;
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        pthread_attr_getstack(&attributes, &lowest, &size_bytes);
        pthread_attr_getguardsize(&attributes, &guard_bytes);
        pthread_attr_destroy(&attributes);
    }
    /* The main thread's stack may be unlimited; then, and where nothing is known, count on the usual 8 MiB. */
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    const uint64_t usual_bytes = 8 * 1024 * 1024;
    if (lowest == NULL || size_bytes > UINT64_C(1) << 30)
        lowest = (void *)(here - (usual_bytes - 64 * 1024)), size_bytes = usual_bytes, guard_bytes = 0;
    uint64_t margin = size_bytes / 4 < stack_margin_bytes ? size_bytes / 4 : stack_margin_bytes;
    wa_this_thread.stack_lowest = (uint64_t)(uintptr_t)lowest;
    wa_this_thread.stack_limit = wa_this_thread.stack_lowest + guard_bytes + margin;
    wa_this_thread.is_ready = true;
}
