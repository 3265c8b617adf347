/* The functions of WASI as host functions: binding one to a state, and what happens around each call. */
#include <stdlib.h>

#include "runtime/objects.h"
#include "runtime/thread.h"
#include "wasi.h"

const wa_wasi_function wa_wasi_functions[] = {
#define X(name, params, results, in_unstable, digest) {#name, params, results, (const uint8_t *)(digest), in_unstable},
    WA_WASI_FUNCTIONS(X)
    WA_WASI_EMBEDDER_FUNCTIONS(X)
#undef X
};
const size_t wa_wasi_all_function_count = sizeof wa_wasi_functions / sizeof wa_wasi_functions[0];
#define X(name, params, results, in_unstable, digest) +1
const size_t wa_wasi_function_count = 0 WA_WASI_FUNCTIONS(X);
#undef X

static const wasi_function functions[] = {
#define X(name, params, results, in_unstable, digest) wasi_##name,
    WA_WASI_FUNCTIONS(X)
    WA_WASI_EMBEDDER_FUNCTIONS(X)
#undef X
};

/* What a host function works on: the user of its wa_host. */
typedef struct binding {
    wa_wasi *wasi; /* retained; NULL: the program of the store that calls */
    wasi_function function;
    bool is_unstable;
} binding;

static const struct {
    wasi_function function;
    uint8_t place; /* of the descriptor among the arguments */
    uint64_t right;
} needed_rights[] = {
#define X(name, place, right) {wasi_##name, place, right},
    WA_WASI_NEEDED_RIGHTS(X)
#undef X
};

/* Whether the guest gave up a right that a call needs. A descriptor that is not open is for the call to find. */
static bool lacks_right(wa_wasi *wasi, wasi_function function, const uint64_t *args)
{
    bool lacks = false;
    for (size_t i = 0; i < sizeof needed_rights / sizeof needed_rights[0]; i++) {
        if (needed_rights[i].function != function)
            continue;
        wasi_file *file = wasi_fd_get(wasi, (uint32_t)args[needed_rights[i].place]);
        lacks = lacks || (file != NULL && (file->rights & needed_rights[i].right) == 0);
        wasi_file_release(file);
    }
    return lacks;
}

static void finalize(void *user)
{
    wa_wasi *wasi = ((binding *)user)->wasi;
    if (wasi != NULL)
        wa_wasi_release(wasi);
    free(user);
}

static void invoke(wa_function *record, uint64_t *slots)
{
    const binding *bound = wa_host_user(record->host);
    if (wa_stack_is_short())
        wa_trap(WA_TRAP_STACK_EXHAUSTED);
    wa_wasi *wasi = bound->wasi != NULL ? bound->wasi : wa_store_program(wa_this_thread.current->store);
    if (wasi == NULL) {
        slots[0] = WA_WASI_ENOSYS;
        return;
    }
    wasi_call call = {.wasi = wasi, .is_unstable = bound->is_unstable};
    const wa_memory *memory = wa_instance_memory(record->instance);
    if (memory != NULL) {
        call.memory = memory->head.base;
        call.memory_bytes = wa_memory_bytes(memory);
    }
    if (__builtin_expect(wasi->is_narrowed, 0) && lacks_right(wasi, bound->function, slots)) {
        slots[0] = WA_WASI_ENOTCAPABLE;
        return;
    }
    uint32_t result;
    do {
        result = bound->function(&call, slots);
        if (result == WASI_RAISED)
            wa_unwind();
        wa_heed_interrupt(); /* leaves after WASI_INTERRUPTED, unless a deadline was taken back meanwhile */
    } while (result == WASI_INTERRUPTED);
    slots[0] = result;
}

uint32_t wa_wasi_call(wa_wasi *wasi, size_t index, uint8_t *memory, uint64_t memory_bytes, const uint64_t *args)
{
    wasi_call call = {.wasi = wasi, .memory = memory, .memory_bytes = memory_bytes};
    if (wasi->is_narrowed && lacks_right(wasi, functions[index], args))
        return WA_WASI_ENOTCAPABLE;
    return functions[index](&call, args);
}

wa_host *wa_wasi_host(wa_wasi *wasi, size_t index, bool is_unstable)
{
    binding *bound = malloc(sizeof *bound);
    wa_host *host = bound == NULL ? NULL : wa_host_new(invoke, wa_wasi_functions[index].digest, bound, finalize);
    if (host == NULL) {
        free(bound);
        return NULL;
    }
    *bound = (binding){wasi, functions[index], is_unstable};
    if (wasi != NULL)
        atomic_fetch_add_explicit(&wasi->references, 1, memory_order_relaxed);
    return host;
}

wa_wasi *wa_wasi_of(const wa_function *function, wa_store *store)
{
    if (function->host == NULL || function->invoke != (void *)(uintptr_t)invoke)
        return NULL;
    wa_wasi *wasi = ((const binding *)wa_host_user(function->host))->wasi;
    return wasi != NULL ? wasi : wa_store_program(store);
}

static void release_program(void *program)
{
    wa_wasi_release(program);
}

void wa_wasi_set_program(wa_store *store, wa_wasi *wasi)
{
    atomic_fetch_add_explicit(&wasi->references, 1, memory_order_relaxed);
    wa_store_set_program(store, wasi, release_program);
}
