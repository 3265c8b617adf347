/* Reading and writing: fd_read, fd_pread, fd_write, fd_pwrite, fd_append, fd_seek, fd_tell. */
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/thread.h"
#include "wasi/wasi.h"

/* A stream of the embedder gets no more than this at once: the guest calls again. */
static const size_t stream_bytes = 1 << 20;
/* What a pipe has room for when it says that it has any. */
static const size_t ready_bytes = 4096;

/* ---- transfers -------------------------------------------------------------------------------------------------- */

typedef struct transfer {
    const wasi_file *file;
    struct iovec parts[WASI_PARTS_MAX];
    size_t part_count;
    bool is_write, has_offset, appends;
    off_t offset;
    uint32_t size_bytes; /* done */
} transfer;

/* Cut what is transferred to this much. */
static void limit(transfer *what, size_t left)
{
    for (size_t i = 0; i < what->part_count; i++) {
        if (what->parts[i].iov_len > left) {
            what->parts[i].iov_len = left;
            what->part_count = i + 1;
        }
        left -= what->parts[i].iov_len;
    }
}

static ssize_t once(const transfer *what)
{
    int fd = what->file->fd, count = (int)what->part_count;
    if (!what->is_write)
        return what->has_offset ? preadv(fd, what->parts, count, what->offset) : readv(fd, what->parts, count);
    wasi_guard guard;
    wasi_guard_begin(&guard);
    ssize_t done = what->appends ? pwritev2(fd, what->parts, count, what->offset, RWF_APPEND)
                   : what->has_offset ? pwritev(fd, what->parts, count, what->offset)
                                      : writev(fd, what->parts, count);
    int error = done < 0 ? errno : 0;
    wasi_guard_end(&guard, error);
    errno = error;
    return done;
}

static uint32_t transfer_fd(transfer *what)
{
    bool waits = what->file->may_block && !what->has_offset && what->part_count > 0;
    if (waits && what->is_write && what->file->fdflags & WA_WASI_FDFLAG_NONBLOCK)
        limit(what, ready_bytes); /* the host's descriptor would wait for room for more */
    for (;;) {
        uint32_t result = waits ? wasi_await(what->file, what->is_write ? POLLOUT : POLLIN) : WA_WASI_ESUCCESS;
        if (result != WA_WASI_ESUCCESS)
            return result;
        ssize_t done = once(what);
        if (done >= 0) {
            what->size_bytes = (uint32_t)done; /* Linux transfers less than 2 GiB at once */
            return WA_WASI_ESUCCESS;
        }
        if (errno == EINTR && wa_interrupt_is_due())
            return WASI_INTERRUPTED;
        /* EAGAIN: the host's descriptor is non-blocking, which the guest did not ask for. */
        if (errno != EINTR && !(errno == EAGAIN && waits))
            return wasi_errno(errno);
    }
}

static uint32_t transfer_stream(transfer *what)
{
    const wa_wasi_stream *stream = &what->file->stream;
    if (what->has_offset)
        return WA_WASI_ESPIPE;
    int64_t (*move)(void *, const struct iovec *, size_t) = what->is_write ? stream->write : stream->read;
    if (move == NULL) { /* nothing: reads as empty, takes everything */
        for (size_t i = 0; what->is_write && i < what->part_count; i++) {
            if (what->parts[i].iov_len > UINT32_MAX - what->size_bytes)
                break;
            what->size_bytes += (uint32_t)what->parts[i].iov_len;
        }
        return WA_WASI_ESUCCESS;
    }
    limit(what, stream_bytes);
    int64_t done = move(stream->user, what->parts, what->part_count);
    if (done < 0)
        return WASI_RAISED;
    what->size_bytes = (uint32_t)done;
    return WA_WASI_ESUCCESS;
}

typedef enum mode { AT_POSITION, AT_OFFSET, AT_END } mode;

/* args: descriptor, buffers, their number, [offset,] where the size goes. */
static uint32_t run(wasi_call *call, const uint64_t *args, bool is_write, mode place)
{
    transfer what; /* most of it is room for buffers */
    uint32_t result_address = (uint32_t)args[place == AT_OFFSET ? 4 : 3];
    wasi_file *file = wasi_fd_get(call->wasi, (uint32_t)args[0]);
    uint32_t result = WA_WASI_EBADF;
    what.file = file;
    what.is_write = is_write;
    what.has_offset = place != AT_POSITION;
    what.appends = place == AT_END;
    what.offset = place == AT_OFFSET ? (off_t)args[3] : 0;
    what.size_bytes = 0;
    if (file != NULL && !file->is_directory && (is_write ? file->can_write : file->can_read)) {
        result = wasi_parts(call, (uint32_t)args[1], (uint32_t)args[2], what.parts, &what.part_count);
        if (result == WA_WASI_ESUCCESS && wasi_at(call, result_address, 4) == NULL)
            result = WA_WASI_EFAULT; /* before anything is lost */
        if (result == WA_WASI_ESUCCESS)
            result = file->fd >= 0 ? transfer_fd(&what) : transfer_stream(&what);
    }
    wasi_file_release(file);
    return result != WA_WASI_ESUCCESS ? result : wasi_put32(call, result_address, what.size_bytes);
}

uint32_t wasi_fd_read(wasi_call *call, const uint64_t *args)
{
    return run(call, args, false, AT_POSITION);
}

uint32_t wasi_fd_pread(wasi_call *call, const uint64_t *args)
{
    return run(call, args, false, AT_OFFSET);
}

uint32_t wasi_fd_write(wasi_call *call, const uint64_t *args)
{
    return run(call, args, true, AT_POSITION);
}

uint32_t wasi_fd_pwrite(wasi_call *call, const uint64_t *args)
{
    return run(call, args, true, AT_OFFSET);
}

uint32_t wasi_fd_append(wasi_call *call, const uint64_t *args)
{
    return run(call, args, true, AT_END);
}

/* ---- positions -------------------------------------------------------------------------------------------------- */

static uint32_t seek(wasi_call *call, uint32_t number, int64_t offset, int whence, uint32_t result_address)
{
    wasi_file *file = wasi_fd_get(call->wasi, number);
    uint32_t result = WA_WASI_EBADF;
    if (file != NULL && !file->is_directory) {
        off_t position = -1;
        errno = ESPIPE;
        if (wasi_at(call, result_address, 8) == NULL)
            errno = EFAULT;
        else if (file->fd >= 0)
            position = lseek(file->fd, offset, whence);
        result = position < 0 ? wasi_errno(errno) : wasi_put64(call, result_address, (uint64_t)position);
    }
    wasi_file_release(file);
    return result;
}

uint32_t wasi_fd_seek(wasi_call *call, const uint64_t *args)
{
    static const int standard[] = {SEEK_SET, SEEK_CUR, SEEK_END}, unstable[] = {SEEK_CUR, SEEK_END, SEEK_SET};
    uint32_t whence = (uint32_t)args[2];
    if (whence > 2)
        return WA_WASI_EINVAL;
    int linux_whence = call->is_unstable ? unstable[whence] : standard[whence];
    return seek(call, (uint32_t)args[0], (int64_t)args[1], linux_whence, (uint32_t)args[3]);
}

uint32_t wasi_fd_tell(wasi_call *call, const uint64_t *args)
{
    return seek(call, (uint32_t)args[0], 0, SEEK_CUR, (uint32_t)args[1]);
}
