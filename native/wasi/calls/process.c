/* The program itself: arguments, environment, random bytes, the end. */
#include <sched.h>
#include <sys/random.h>

#include "runtime/thread.h"
#include "wasi/wasi.h"

/* A list of pointers, and the strings that they point to. */
static uint32_t put_strings(const wasi_call *call, const wasi_strings *strings, uint32_t list, uint32_t bytes)
{
    if (wasi_at(call, list, 4 * (uint64_t)strings->count) == NULL)
        return WA_WASI_EFAULT;
    uint32_t result = wasi_put(call, bytes, strings->bytes, strings->size_bytes), offset = 0;
    for (uint32_t i = 0; result == WA_WASI_ESUCCESS && i < strings->count; i++) {
        result = wasi_put32(call, list + 4 * i, bytes + offset);
        offset += (uint32_t)strlen(strings->bytes + offset) + 1;
    }
    return result;
}

static uint32_t put_sizes(const wasi_call *call, const wasi_strings *strings, uint32_t count, uint32_t size_bytes)
{
    uint32_t result = wasi_put32(call, count, strings->count);
    return result != WA_WASI_ESUCCESS ? result : wasi_put32(call, size_bytes, strings->size_bytes);
}

uint32_t wasi_args_get(wasi_call *call, const uint64_t *args)
{
    return put_strings(call, &call->wasi->args, (uint32_t)args[0], (uint32_t)args[1]);
}

uint32_t wasi_args_sizes_get(wasi_call *call, const uint64_t *args)
{
    return put_sizes(call, &call->wasi->args, (uint32_t)args[0], (uint32_t)args[1]);
}

uint32_t wasi_environ_get(wasi_call *call, const uint64_t *args)
{
    return put_strings(call, &call->wasi->environ, (uint32_t)args[0], (uint32_t)args[1]);
}

uint32_t wasi_environ_sizes_get(wasi_call *call, const uint64_t *args)
{
    return put_sizes(call, &call->wasi->environ, (uint32_t)args[0], (uint32_t)args[1]);
}

uint32_t wasi_random_get(wasi_call *call, const uint64_t *args)
{
    uint64_t left = (uint32_t)args[1];
    uint8_t *place = wasi_at(call, (uint32_t)args[0], left);
    if (place == NULL)
        return WA_WASI_EFAULT;
    while (left > 0) {
        ssize_t got = getrandom(place, left < 65536 ? left : 65536, 0);
        if (wa_interrupt_is_due())
            return WASI_INTERRUPTED;
        if (got < 0 && errno != EINTR)
            return wasi_errno(errno);
        if (got > 0) {
            place += got;
            left -= (uint64_t)got;
        }
    }
    return WA_WASI_ESUCCESS;
}

uint32_t wasi_proc_exit(wasi_call *call, const uint64_t *args)
{
    call->wasi->exit((uint32_t)args[0]);
    return WASI_RAISED;
}

/* A signal to the guest would be one to the host. */
uint32_t wasi_proc_raise(wasi_call *call WA_UNUSED, const uint64_t *args WA_UNUSED)
{
    return WA_WASI_ENOTSUP;
}

uint32_t wasi_sched_yield(wasi_call *call WA_UNUSED, const uint64_t *args WA_UNUSED)
{
    sched_yield();
    return WA_WASI_ESUCCESS;
}
