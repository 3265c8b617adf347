/* Signals that a write sends by default are held back around it: to the guest they are errnos. */
#include "runtime/thread.h"
#include "wasi.h"

/* SIGPIPE is left alone: Python ignores it, and a process that gave it its default action wants to die of closed pipes,
 * as the command `run` does. */
static void deadly_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGXFSZ);
}

static bool is_ignored(int number)
{
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

/* Python ignores the signal, which is looked at once for each call from outside: four system calls for each write would cost
 * more than the write. */
static bool needs_guard(void)
{
    enum { IGNORED = 1, DEADLY };
    wa_activation *activation = wa_this_thread.current;
    if (activation->deadly_signals == 0)
        activation->deadly_signals = is_ignored(SIGXFSZ) ? IGNORED : DEADLY;
    return activation->deadly_signals == DEADLY;
}

void wasi_guard_begin(wasi_guard *guard)
{
    sigset_t deadly;
    guard->is_needed = needs_guard();
    if (!guard->is_needed)
        return;
    deadly_signals(&deadly);
    pthread_sigmask(SIG_BLOCK, &deadly, &guard->saved);
}

/* The signal is sent to the thread that wrote, so one that waits now is ours, unless it was blocked before. */
void wasi_guard_end(const wasi_guard *guard, int error)
{
    if (!guard->is_needed)
        return;
    if (error == EFBIG && !sigismember(&guard->saved, SIGXFSZ)) {
        sigset_t ours;
        struct timespec now = {0, 0};
        deadly_signals(&ours);
        while (sigtimedwait(&ours, NULL, &now) < 0 && errno == EINTR)
            ;
    }
    pthread_sigmask(SIG_SETMASK, &guard->saved, NULL);
}
