/* Waiting for descriptors and times, so that interrupts and deadlines get through. */
#include "runtime/thread.h"
#include "wasi.h"

/* All but what faults raise: the signal of stops can be any. */
static void block_signals(sigset_t *saved)
{
    static const int faults[] = {WA_FAULT_SIGNALS};
    sigset_t all;
    sigfillset(&all);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        sigdelset(&all, faults[i]);
    pthread_sigmask(SIG_SETMASK, &all, saved);
}

/* Signals are let in by ppoll only: one that comes between the look at the notes and the wait must end the wait. */
uint32_t wasi_wait(struct pollfd *fds, nfds_t count, uint64_t deadline, int *ready)
{
    sigset_t saved;
    uint32_t result = WA_WASI_ESUCCESS;
    *ready = poll(fds, count, 0);
    if (*ready > 0)
        return WA_WASI_ESUCCESS;
    if (wa_missed_signal_raises())
        return WASI_RAISED;
    block_signals(&saved);
    for (;;) {
        if (wa_interrupt_is_due()) {
            result = WASI_INTERRUPTED;
            break;
        }
        uint64_t now = wasi_now(CLOCK_MONOTONIC);
        struct timespec left = wasi_timespec(deadline > now ? deadline - now : 0);
        *ready = ppoll(fds, count, deadline != WASI_NEVER ? &left : NULL, &saved);
        if (*ready >= 0)
            break;
        if (errno != EINTR) {
            result = wasi_errno(errno);
            break;
        }
    }
    pthread_sigmask(SIG_SETMASK, &saved, NULL);
    return result;
}

uint32_t wasi_await(const wasi_file *file, short events)
{
    struct pollfd one = {.fd = file->fd, .events = events};
    int ready;
    if (file->fdflags & WA_WASI_FDFLAG_NONBLOCK) {
        ready = poll(&one, 1, 0);
        return ready > 0 ? WA_WASI_ESUCCESS : WA_WASI_EAGAIN;
    }
    return wasi_wait(&one, 1, WASI_NEVER, &ready);
}
