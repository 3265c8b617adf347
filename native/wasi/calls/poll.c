/* poll_oneoff: waiting for clocks and descriptors. */
#include <stdlib.h>
#include <sys/ioctl.h>

#include "wasi/wasi.h"

enum { EVENT_BYTES = 32, SUBSCRIPTION_BYTES = 48, UNSTABLE_SUBSCRIPTION_BYTES = 56, SUBSCRIPTIONS_MAX = 1 << 16 };

typedef struct subscription {
    uint64_t userdata;
    uint8_t kind; /* WA_WASI_EVENT_* */
    uint32_t error;
    bool is_ready;
    uint64_t deadline;        /* monotonic; of a clock */
    wasi_file *file;          /* retained; of a descriptor */
    const struct pollfd *waiting; /* its place in what is polled; NULL: nothing to wait for */
} subscription;

/* The deadline of a clock subscription on the monotonic clock. */
static uint32_t read_deadline(uint32_t clock, uint64_t timeout, uint32_t flags, uint64_t *deadline)
{
    if (clock > WA_WASI_CLOCK_MONOTONIC || flags > WA_WASI_CLOCK_ABSTIME)
        return WA_WASI_EINVAL;
    uint64_t now = wasi_now(CLOCK_MONOTONIC), delta = timeout;
    if (flags & WA_WASI_CLOCK_ABSTIME) {
        uint64_t its_now = wasi_now(clock == WA_WASI_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC);
        delta = timeout > its_now ? timeout - its_now : 0;
    }
    *deadline = delta > INT64_MAX - now ? INT64_MAX : now + delta;
    return WA_WASI_ESUCCESS;
}

static void read_subscription(const wasi_call *call, const uint8_t *from, subscription *to)
{
    to->userdata = wasi_load64(from);
    to->kind = from[8];
    if (to->kind == WA_WASI_EVENT_CLOCK) {
        const uint8_t *clock = from + (call->is_unstable ? 24 : 16); /* the older layout has an identifier before */
        to->error = read_deadline(wasi_load32(clock), wasi_load64(clock + 8), wasi_load16(clock + 24), &to->deadline);
    } else {
        to->file = wasi_fd_get(call->wasi, wasi_load32(from + 16));
        to->error = to->file == NULL || to->file->is_directory ? WA_WASI_EBADF : WA_WASI_ESUCCESS;
        if (to->file != NULL && (to->file->rights & WA_WASI_RIGHT_POLL_FD_READWRITE) == 0)
            to->error = WA_WASI_ENOTCAPABLE;
    }
    to->is_ready = to->error != WA_WASI_ESUCCESS;
}

/* What to wait for. Clocks take no room in fds: Linux polls no more of them than a process may have open. */
typedef struct waiting {
    struct pollfd *fds;
    nfds_t count;
    uint64_t deadline; /* the earliest, or WASI_NEVER */
    bool is_any_ready;
} waiting;

/* A stream of the embedder counts as ready. */
static void prepare(subscription *subscriptions, uint32_t count, waiting *all)
{
    for (uint32_t i = 0; i < count; i++) {
        subscription *one = &subscriptions[i];
        if (one->kind == WA_WASI_EVENT_CLOCK && !one->is_ready && one->deadline < all->deadline)
            all->deadline = one->deadline;
        if (one->file != NULL && one->file->fd < 0)
            one->is_ready = true;
        if (one->file != NULL && !one->is_ready) {
            one->waiting = &all->fds[all->count];
            all->fds[all->count++] = (struct pollfd){
                .fd = one->file->fd, .events = one->kind == WA_WASI_EVENT_FD_WRITE ? POLLOUT : POLLIN};
        }
        all->is_any_ready = all->is_any_ready || one->is_ready;
    }
}

/* Bytes that can be read without waiting, as far as the host tells. */
static uint64_t readable_bytes(const wasi_file *file)
{
    int bytes = 0;
    if (file->fd < 0)
        return 1; /* a stream of the embedder, which nobody can ask */
    return ioctl(file->fd, FIONREAD, &bytes) == 0 && bytes > 0 ? (uint64_t)bytes : 0;
}

static void put_event(uint8_t *place, const subscription *one, short happened)
{
    uint16_t error = (uint16_t)one->error, flags = happened & (POLLHUP | POLLRDHUP) ? WA_WASI_EVENT_RW_HANGUP : 0;
    uint64_t bytes = one->kind == WA_WASI_EVENT_FD_READ && one->error == 0 ? readable_bytes(one->file) : 0;
    if (one->kind == WA_WASI_EVENT_FD_WRITE && one->error == 0)
        bytes = 1;
    memset(place, 0, EVENT_BYTES);
    memcpy(place, &one->userdata, sizeof one->userdata);
    memcpy(place + 8, &error, sizeof error);
    place[10] = one->kind;
    memcpy(place + 16, &bytes, sizeof bytes);
    memcpy(place + 24, &flags, sizeof flags);
}

static uint32_t wait_and_put(uint8_t *events, subscription *subscriptions, struct pollfd *fds, uint32_t count, uint32_t *happened)
{
    waiting all = {.fds = fds, .deadline = WASI_NEVER};
    prepare(subscriptions, count, &all);
    int ready;
    uint32_t result = wasi_wait(fds, all.count, all.is_any_ready ? 0 : all.deadline, &ready);
    if (result != WA_WASI_ESUCCESS)
        return result;
    uint64_t now = wasi_now(CLOCK_MONOTONIC);
    *happened = 0;
    for (uint32_t i = 0; i < count; i++) {
        subscription *one = &subscriptions[i];
        short seen = one->waiting != NULL ? one->waiting->revents : 0;
        if (one->kind == WA_WASI_EVENT_CLOCK && !one->is_ready)
            one->is_ready = now >= one->deadline;
        if (seen & POLLNVAL)
            one->error = WA_WASI_EBADF;
        if (one->is_ready || seen != 0)
            put_event(events + EVENT_BYTES * (uint64_t)(*happened)++, one, seen);
    }
    return WA_WASI_ESUCCESS;
}

/* args: subscriptions, room for events, how many, where the number of events goes. */
uint32_t wasi_poll_oneoff(wasi_call *call, const uint64_t *args)
{
    uint32_t count = (uint32_t)args[2], happened = 0, result = WA_WASI_ESUCCESS;
    uint64_t stride = call->is_unstable ? UNSTABLE_SUBSCRIPTION_BYTES : SUBSCRIPTION_BYTES;
    const uint8_t *given = wasi_at(call, (uint32_t)args[0], count * stride);
    uint8_t *events = wasi_at(call, (uint32_t)args[1], (uint64_t)count * EVENT_BYTES);
    if (count == 0)
        return WA_WASI_EINVAL;
    if (given == NULL || events == NULL || wasi_at(call, (uint32_t)args[3], 4) == NULL)
        return WA_WASI_EFAULT;
    subscription *subscriptions = count > SUBSCRIPTIONS_MAX ? NULL : calloc(count, sizeof *subscriptions);
    struct pollfd *fds = subscriptions == NULL ? NULL : calloc(count, sizeof *fds);
    if (fds == NULL) {
        free(subscriptions);
        return WA_WASI_ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        read_subscription(call, given + stride * i, &subscriptions[i]);
        if (subscriptions[i].kind > WA_WASI_EVENT_FD_WRITE)
            result = WA_WASI_EINVAL;
    }
    if (result == WA_WASI_ESUCCESS)
        result = wait_and_put(events, subscriptions, fds, count, &happened);
    for (uint32_t i = 0; i < count; i++)
        wasi_file_release(subscriptions[i].file);
    free(subscriptions);
    free(fds);
    return result != WA_WASI_ESUCCESS ? result : wasi_put32(call, (uint32_t)args[3], happened);
}
