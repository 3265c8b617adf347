/* Descriptors: closing, renumbering, flags, rights, preopens, space, syncing. */
#include <fcntl.h>
#include <unistd.h>

#include "runtime/thread.h"
#include "wasi/wasi.h"

uint32_t wasi_fd_close(wasi_call *call, const uint64_t *args)
{
    return wa_wasi_close(call->wasi, (uint32_t)args[0]) ? WA_WASI_ESUCCESS : WA_WASI_EBADF;
}

uint32_t wasi_fd_renumber(wasi_call *call, const uint64_t *args)
{
    return wasi_fd_move(call->wasi, (uint32_t)args[0], (uint32_t)args[1]);
}

/* ---- preopens --------------------------------------------------------------------------------------------------- */

uint32_t wasi_fd_prestat_get(wasi_call *call, const uint64_t *args)
{
    wasi_file *file = wasi_fd_get(call->wasi, (uint32_t)args[0]);
    uint32_t result = WA_WASI_EBADF;
    if (file != NULL && file->preopen_path != NULL) {
        uint32_t prestat[2] = {0, (uint32_t)strlen(file->preopen_path)}; /* 0: a directory */
        result = wasi_put(call, (uint32_t)args[1], prestat, sizeof prestat);
    }
    wasi_file_release(file);
    return result;
}

uint32_t wasi_fd_prestat_dir_name(wasi_call *call, const uint64_t *args)
{
    wasi_file *file = wasi_fd_get(call->wasi, (uint32_t)args[0]);
    uint32_t result = file == NULL ? WA_WASI_EBADF : WA_WASI_ENOTDIR;
    if (file != NULL && file->preopen_path != NULL) {
        size_t size_bytes = strlen(file->preopen_path);
        result = size_bytes > (uint32_t)args[2] ? WA_WASI_ENAMETOOLONG
                                                : wasi_put(call, (uint32_t)args[1], file->preopen_path, size_bytes);
    }
    wasi_file_release(file);
    return result;
}

/* ---- flags and rights ------------------------------------------------------------------------------------------- */

uint32_t wasi_fd_fdstat_get(wasi_call *call, const uint64_t *args)
{
    wasi_file *file = wasi_fd_get(call->wasi, (uint32_t)args[0]);
    if (file == NULL)
        return WA_WASI_EBADF;
    uint8_t fdstat[24] = {file->filetype};
    uint16_t flags = file->fdflags;
    uint64_t inheriting, rights = wasi_file_rights(file, &inheriting) & file->rights;
    inheriting &= file->inheriting;
    memcpy(fdstat + 2, &flags, sizeof flags);
    memcpy(fdstat + 8, &rights, sizeof rights);
    memcpy(fdstat + 16, &inheriting, sizeof inheriting);
    wasi_file_release(file);
    return wasi_put(call, (uint32_t)args[1], fdstat, sizeof fdstat);
}

/* Non-blocking is our own affair: the host's open file may be shared with other processes. So may be the appending of what the
 * embedder gave. */
static uint32_t set_flags(wasi_file *file, uint32_t flags)
{
    const uint32_t settable = WA_WASI_FDFLAG_APPEND | WA_WASI_FDFLAG_NONBLOCK;
    if ((flags ^ file->fdflags) & ~settable)
        return WA_WASI_EINVAL;
    if ((flags ^ file->fdflags) & WA_WASI_FDFLAG_APPEND) {
        if (!file->is_own)
            return WA_WASI_ENOTSUP;
        int now = fcntl(file->fd, F_GETFL);
        int wanted = flags & WA_WASI_FDFLAG_APPEND ? now | O_APPEND : now & ~O_APPEND;
        if (now < 0 || fcntl(file->fd, F_SETFL, wanted) < 0)
            return wasi_errno(errno);
    }
    file->fdflags = (uint16_t)flags;
    return WA_WASI_ESUCCESS;
}

uint32_t wasi_fd_fdstat_set_flags(wasi_call *call, const uint64_t *args)
{
    wasi_file *file = wasi_fd_get(call->wasi, (uint32_t)args[0]);
    uint32_t result = file == NULL ? WA_WASI_EBADF : set_flags(file, (uint32_t)args[1]);
    wasi_file_release(file);
    return result;
}

/* What fd_fdstat_get tells can be given up; calls that need it are refused from then on. Nothing can be gained. */
uint32_t wasi_fd_fdstat_set_rights(wasi_call *call, const uint64_t *args)
{
    wasi_file *file = wasi_fd_get(call->wasi, (uint32_t)args[0]);
    if (file == NULL)
        return WA_WASI_EBADF;
    uint64_t inheriting, rights = wasi_file_rights(file, &inheriting) & file->rights;
    bool gains = (args[1] & ~rights) != 0 || (args[2] & ~(inheriting & file->inheriting)) != 0;
    if (!gains) {
        file->rights = args[1];
        file->inheriting = args[2];
        call->wasi->is_narrowed = true;
    }
    wasi_file_release(file);
    return gains ? WA_WASI_ENOTCAPABLE : WA_WASI_ESUCCESS;
}

/* ---- space and syncing ------------------------------------------------------------------------------------------ */

/* The file of a number for a system call, retained; NULL with *result where there is none that has a descriptor. */
static wasi_file *get_host_file(wasi_call *call, uint64_t number, uint32_t *result)
{
    wasi_file *file = wasi_fd_get(call->wasi, (uint32_t)number);
    *result = WA_WASI_ESUCCESS;
    if (file != NULL && file->fd >= 0)
        return file;
    wasi_file_release(file);
    *result = WA_WASI_EBADF;
    return NULL;
}

static uint32_t sync_with(wasi_call *call, uint64_t number, int (*function)(int))
{
    uint32_t result;
    wasi_file *file = get_host_file(call, number, &result);
    while (file != NULL && function(file->fd) < 0) {
        result = errno == EINTR && wa_interrupt_is_due() ? WASI_INTERRUPTED : wasi_errno(errno);
        if (result != WA_WASI_EINTR)
            break;
        result = WA_WASI_ESUCCESS;
    }
    wasi_file_release(file);
    return result;
}

uint32_t wasi_fd_sync(wasi_call *call, const uint64_t *args)
{
    return sync_with(call, args[0], fsync);
}

uint32_t wasi_fd_datasync(wasi_call *call, const uint64_t *args)
{
    return sync_with(call, args[0], fdatasync);
}

uint32_t wasi_fd_advise(wasi_call *call, const uint64_t *args)
{
    static const int advices[] = {
        [WA_WASI_ADVICE_NORMAL] = POSIX_FADV_NORMAL,     [WA_WASI_ADVICE_SEQUENTIAL] = POSIX_FADV_SEQUENTIAL,
        [WA_WASI_ADVICE_RANDOM] = POSIX_FADV_RANDOM,     [WA_WASI_ADVICE_WILLNEED] = POSIX_FADV_WILLNEED,
        [WA_WASI_ADVICE_DONTNEED] = POSIX_FADV_DONTNEED, [WA_WASI_ADVICE_NOREUSE] = POSIX_FADV_NOREUSE,
    };
    uint32_t result, advice = (uint32_t)args[3];
    if (advice > WA_WASI_ADVICE_NOREUSE)
        return WA_WASI_EINVAL;
    wasi_file *file = get_host_file(call, args[0], &result);
    if (file != NULL && file->is_directory)
        result = WA_WASI_EBADF;
    else if (file != NULL)
        result = wasi_errno(posix_fadvise(file->fd, (off_t)args[1], (off_t)args[2], advices[advice]));
    wasi_file_release(file);
    return result;
}

typedef int (*sizer)(int fd, off_t first, off_t second);

static int truncate_to(int fd, off_t size_bytes, off_t unused WA_UNUSED)
{
    return ftruncate(fd, size_bytes);
}

static int allocate(int fd, off_t offset, off_t size_bytes)
{
    return fallocate(fd, 0, offset, size_bytes);
}

/* Why a file keeps its size, whatever Linux would say: the host's descriptor of a stream may be good for more than the guest's. */
static uint32_t size_refusal(const wasi_file *file, sizer function)
{
    if (file->is_directory)
        return WA_WASI_EBADF;
    if (file->can_write)
        return WA_WASI_ESUCCESS;
    if (!file->is_own)
        return function == truncate_to ? WA_WASI_EINVAL : WA_WASI_EBADF; /* as Linux of one that can't be written */
    return file->is_read_only ? WA_WASI_EROFS : WA_WASI_ESUCCESS;
}

static uint32_t resize(wasi_call *call, uint64_t number, sizer function, uint64_t first, uint64_t second)
{
    uint32_t result;
    wasi_file *file = get_host_file(call, number, &result);
    if (file != NULL)
        result = size_refusal(file, function);
    if (file != NULL && result == WA_WASI_ESUCCESS) {
        wasi_guard guard;
        wasi_guard_begin(&guard);
        int error = function(file->fd, (off_t)first, (off_t)second) < 0 ? errno : 0;
        wasi_guard_end(&guard, error);
        result = wasi_errno(error);
    }
    wasi_file_release(file);
    return result;
}

uint32_t wasi_fd_filestat_set_size(wasi_call *call, const uint64_t *args)
{
    return resize(call, args[0], truncate_to, args[1], 0);
}

uint32_t wasi_fd_allocate(wasi_call *call, const uint64_t *args)
{
    return resize(call, args[0], allocate, args[1], args[2]);
}
