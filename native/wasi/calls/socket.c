/* Sockets that the embedder gave: sock_accept, sock_recv, sock_send, sock_shutdown. */
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/thread.h"
#include "wasi/wasi.h"

/* The socket of a number, retained, or NULL with *result. directions: WA_WASI_SHUT_* of what shall go through it. */
static wasi_file *get_socket(wasi_call *call, uint64_t number, uint32_t directions, uint32_t *result)
{
    wasi_file *file = wasi_fd_get(call->wasi, (uint32_t)number);
    bool is_socket = file != NULL && (file->filetype == WA_WASI_FILETYPE_SOCKET_STREAM ||
                                      file->filetype == WA_WASI_FILETYPE_SOCKET_DGRAM);
    *result = is_socket ? WA_WASI_ESUCCESS : file == NULL ? WA_WASI_EBADF : WA_WASI_ENOTSOCK;
    if (is_socket && ((directions & WA_WASI_SHUT_RD && !file->can_read) || (directions & WA_WASI_SHUT_WR && !file->can_write)))
        *result = WA_WASI_EBADF; /* as for fd_read and fd_write */
    if (*result == WA_WASI_ESUCCESS)
        return file;
    wasi_file_release(file);
    return NULL;
}

/* After a system call failed: 0 where it should be done again. EAGAIN: the host's socket is non-blocking. */
static uint32_t failure(const wasi_file *file)
{
    if (errno == EINTR)
        return wa_interrupt_is_due() ? WASI_INTERRUPTED : WA_WASI_ESUCCESS;
    if (errno == EAGAIN && !(file->fdflags & WA_WASI_FDFLAG_NONBLOCK))
        return WA_WASI_ESUCCESS;
    return wasi_errno(errno);
}

static uint32_t move(const wasi_file *file, struct msghdr *message, int flags, bool is_send, uint32_t *size_bytes)
{
    for (;;) {
        uint32_t result = wasi_await(file, is_send ? POLLOUT : POLLIN);
        if (result != WA_WASI_ESUCCESS)
            return result;
        ssize_t done = is_send ? sendmsg(file->fd, message, flags | MSG_NOSIGNAL) : recvmsg(file->fd, message, flags);
        if (done >= 0) {
            *size_bytes = (uint32_t)done;
            return WA_WASI_ESUCCESS;
        }
        result = failure(file);
        if (result != WA_WASI_ESUCCESS)
            return result;
    }
}

/* args: descriptor, buffers, their number, flags, where size [and flags] go. No descriptors come along: there is no room for
 * control data. */
static uint32_t transfer(wasi_call *call, const uint64_t *args, int flags, bool is_send)
{
    uint32_t result, size_bytes = 0;
    struct iovec parts[WASI_PARTS_MAX];
    struct msghdr message = {.msg_iov = parts};
    wasi_file *file = get_socket(call, args[0], is_send ? WA_WASI_SHUT_WR : WA_WASI_SHUT_RD, &result);
    if (result == WA_WASI_ESUCCESS)
        result = wasi_parts(call, (uint32_t)args[1], (uint32_t)args[2], parts, &message.msg_iovlen);
    if (result == WA_WASI_ESUCCESS &&
        (wasi_at(call, (uint32_t)args[4], 4) == NULL || (!is_send && wasi_at(call, (uint32_t)args[5], 2) == NULL)))
        result = WA_WASI_EFAULT;
    if (result == WA_WASI_ESUCCESS)
        result = move(file, &message, flags, is_send, &size_bytes);
    wasi_file_release(file);
    if (result != WA_WASI_ESUCCESS)
        return result;
    if (!is_send) {
        uint16_t told = message.msg_flags & MSG_TRUNC ? WA_WASI_RO_DATA_TRUNCATED : 0;
        wasi_put(call, (uint32_t)args[5], &told, sizeof told);
    }
    return wasi_put32(call, (uint32_t)args[4], size_bytes);
}

uint32_t wasi_sock_recv(wasi_call *call, const uint64_t *args)
{
    uint32_t given = (uint32_t)args[3];
    if (given & ~(uint32_t)(WA_WASI_RI_PEEK | WA_WASI_RI_WAITALL))
        return WA_WASI_EINVAL;
    int flags = (given & WA_WASI_RI_PEEK ? MSG_PEEK : 0) | (given & WA_WASI_RI_WAITALL ? MSG_WAITALL : 0);
    return transfer(call, args, flags, false);
}

uint32_t wasi_sock_send(wasi_call *call, const uint64_t *args)
{
    return (uint32_t)args[3] != 0 ? WA_WASI_EINVAL : transfer(call, args, 0, true);
}

uint32_t wasi_sock_shutdown(wasi_call *call, const uint64_t *args)
{
    static const int hows[] = {-1, SHUT_RD, SHUT_WR, SHUT_RDWR};
    uint32_t result, how = (uint32_t)args[1];
    wasi_file *file = get_socket(call, args[0], how, &result);
    if (file == NULL)
        return result;
    if (how == 0 || how > 3)
        result = WA_WASI_EINVAL;
    else if (shutdown(file->fd, hows[how]) < 0)
        result = wasi_errno(errno);
    wasi_file_release(file);
    return result;
}

/* A connection as a file of its own: owned, NULL with *result. */
static wasi_file *accept_one(const wasi_file *listener, uint32_t *result)
{
    int fd = -1;
    *result = WA_WASI_ESUCCESS;
    while (fd < 0 && *result == WA_WASI_ESUCCESS) {
        *result = wasi_await(listener, POLLIN);
        if (*result == WA_WASI_ESUCCESS && (fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC)) < 0)
            *result = failure(listener);
    }
    wasi_file *file = fd < 0 ? NULL : wasi_file_new(fd);
    if (fd >= 0 && file == NULL) {
        close(fd);
        *result = WA_WASI_ENOMEM;
    }
    return file;
}

uint32_t wasi_sock_accept(wasi_call *call, const uint64_t *args)
{
    uint32_t result, number, flags = (uint32_t)args[1];
    if (flags & ~(uint32_t)WA_WASI_FDFLAG_NONBLOCK)
        return WA_WASI_EINVAL;
    if (wasi_at(call, (uint32_t)args[2], 4) == NULL)
        return WA_WASI_EFAULT;
    wasi_file *listener = get_socket(call, args[0], 0, &result);
    wasi_file *file = listener == NULL ? NULL : accept_one(listener, &result);
    wasi_file_release(listener);
    if (file == NULL)
        return result;
    file->is_own = true;
    file->fdflags = (uint16_t)flags;
    result = wasi_fd_add(call->wasi, file, &number);
    if (result != WA_WASI_ESUCCESS) {
        wasi_file_release(file);
        return result;
    }
    return wasi_put32(call, (uint32_t)args[2], number);
}
