/* Threads: what each one needs before it runs compiled code, and how much of its stack is left. */
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "store.h"
#include "thread.h"

/* Room below the limit for the runtime's C code and for the embedder's functions. */
static const uint64_t stack_margin_bytes = 256 * 1024;
/* The main thread's stack grows on demand, and only this much is sure not to meet another mapping on its way: Linux keeps
 * 128 MiB free below it, even where the limit was raised later. */
static const uint64_t main_stack_bytes = 64 * 1024 * 1024;

/* What host functions get: Python code needs room, describing a trap does, and paths and buffers of WASI. */
static const uint64_t host_stack_bytes = 64 * 1024;

/* ---- the handler's stack ---------------------------------------------------------------------------------------- */

static pthread_key_t handler_stack_key;
static pthread_once_t handler_stack_once = PTHREAD_ONCE_INIT;

/* Below the handler's stack lies a page that nothing may touch: running over it must not change what lies below. */
static size_t guard_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t handler_stack_bytes(void)
{
    return WA_HANDLER_STACK_BYTES + getauxval(AT_MINSIGSTKSZ);
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

/* A blocked signal that a fault raises ends the process, a blocked one for stops ends no guest. Threads made to wait for signals
 * block all of them. */
static void unblock_signals(void)
{
    static const int numbers[] = {WA_FAULT_SIGNALS};
    sigset_t faults;
    sigemptyset(&faults);
    sigaddset(&faults, wa_stop_signal());
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigaddset(&faults, numbers[i]);
    pthread_sigmask(SIG_UNBLOCK, &faults, NULL);
}

/* ---- the thread's stack ----------------------------------------------------------------------------------------- */

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

/* ---- the thread's id -------------------------------------------------------------------------------------------- */

/* After a fork this thread goes on under another id, inside the same stores. */
static void renew_id(void)
{
    uint32_t old = wa_this_thread.id;
    wa_this_thread.id = (uint32_t)gettid();
    wa_stack_settle(&wa_this_thread.current, NULL);
    for (const wa_activation *activation = wa_this_thread.current; activation != NULL; activation = activation->previous) {
        uint32_t owner = old;
        atomic_compare_exchange_strong(&wa_root(activation->store)->owner, &owner, wa_this_thread.id);
    }
    wa_this_thread.is_ready = false;
    wa_interrupts_forget_timer();
}

static void follow_forks(void)
{
    pthread_atfork(NULL, NULL, renew_id);
}

uint32_t wa_thread_identify(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, follow_forks);
    return wa_this_thread.id = (uint32_t)gettid();
}

/* ---- before the first call -------------------------------------------------------------------------------------- */

void wa_thread_check(void)
{
    ensure_handler_stack();
    unblock_signals();
}

void wa_thread_begin(void)
{
    bool is_first = wa_this_thread.stack_size_bytes == 0;
    if (is_first) {
        uint64_t size_bytes, lowest = find_stack(&size_bytes);
        uint64_t margin = size_bytes / 4 < stack_margin_bytes ? size_bytes / 4 : stack_margin_bytes;
        wa_this_thread.stack_size_bytes = size_bytes;
        wa_this_thread.stack_limit = lowest + margin;
    }
    wa_thread_check();
    wa_error error;
    if (!is_first)
        wa_signals_ensure(&error); /* the first time, instantiating has done it */
    wa_this_thread.is_ready = true;
    if (wa_thread_id() == (uint32_t)getpid())
        wa_interrupts_check_soon();
}

bool wa_stack_is_short(void)
{
    wa_thread_prepare();
    uint64_t here = (uintptr_t)__builtin_frame_address(0), limit = wa_this_thread.stack_limit;
    uint64_t left = here > limit ? here - limit : 0;
    return left < host_stack_bytes && left < wa_this_thread.stack_size_bytes / 8;
}
