/* Clocks: clock_res_get, clock_time_get. */
#include "wasi/wasi.h"

static bool host_clock(uint32_t number, clockid_t *clock)
{
    static const clockid_t clocks[] = {
        [WA_WASI_CLOCK_REALTIME] = CLOCK_REALTIME,
        [WA_WASI_CLOCK_MONOTONIC] = CLOCK_MONOTONIC,
        [WA_WASI_CLOCK_PROCESS_CPUTIME] = CLOCK_PROCESS_CPUTIME_ID,
        [WA_WASI_CLOCK_THREAD_CPUTIME] = CLOCK_THREAD_CPUTIME_ID,
    };
    if (number >= sizeof clocks / sizeof clocks[0])
        return false;
    *clock = clocks[number];
    return true;
}

typedef int (*reader)(clockid_t clock, struct timespec *time);

static uint32_t read_clock(const wasi_call *call, uint32_t number, uint32_t address, reader read)
{
    clockid_t clock;
    struct timespec time;
    if (!host_clock(number, &clock))
        return WA_WASI_EINVAL;
    if (read(clock, &time) < 0)
        return wasi_errno(errno);
    return wasi_put64(call, address, wasi_nanoseconds(&time));
}

uint32_t wasi_clock_res_get(wasi_call *call, const uint64_t *args)
{
    return read_clock(call, (uint32_t)args[0], (uint32_t)args[1], clock_getres);
}

uint32_t wasi_clock_time_get(wasi_call *call, const uint64_t *args)
{
    return read_clock(call, (uint32_t)args[0], (uint32_t)args[2], clock_gettime); /* args[1]: the precision asked for */
}
