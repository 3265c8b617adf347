/* What is known of files, and their times. */
#include <fcntl.h>

#include "wasi/wasi.h"

/* 64 bytes; 56 in wasi_unstable, where the number of links has 32 bits. */
uint32_t wasi_put_filestat(const wasi_call *call, uint32_t address, const struct stat *status, int filetype)
{
    uint64_t words[8] = {(uint64_t)status->st_dev, (uint64_t)status->st_ino, (uint64_t)filetype};
    uint64_t *next = words + 3;
    if (call->is_unstable)
        words[2] |= (uint64_t)(uint32_t)status->st_nlink << 32;
    else
        *next++ = (uint64_t)status->st_nlink;
    *next++ = (uint64_t)status->st_size;
    *next++ = wasi_nanoseconds(&status->st_atim);
    *next++ = wasi_nanoseconds(&status->st_mtim);
    *next++ = wasi_nanoseconds(&status->st_ctim);
    return wasi_put(call, address, words, (uint64_t)(next - words) * sizeof *words);
}

uint32_t wasi_fd_filestat_get(wasi_call *call, const uint64_t *args)
{
    struct stat status = {0};
    wasi_file *file = wasi_fd_get(call->wasi, (uint32_t)args[0]);
    if (file == NULL)
        return WA_WASI_EBADF;
    uint32_t result = WA_WASI_ESUCCESS;
    if (file->fd >= 0 && fstat(file->fd, &status) < 0)
        result = wasi_errno(errno);
    int filetype = file->filetype;
    wasi_file_release(file);
    return result != WA_WASI_ESUCCESS ? result : wasi_put_filestat(call, (uint32_t)args[1], &status, filetype);
}

static uint32_t one_time(uint64_t given, bool is_set, bool is_now, struct timespec *time)
{
    if (is_set && is_now)
        return WA_WASI_EINVAL;
    *time = (struct timespec){.tv_nsec = is_now ? UTIME_NOW : UTIME_OMIT};
    if (is_set)
        *time = wasi_timespec(given);
    return WA_WASI_ESUCCESS;
}

uint32_t wasi_times(uint64_t access, uint64_t modification, uint32_t flags, struct timespec *times)
{
    if (flags >= 2 * WA_WASI_FST_MTIM_NOW)
        return WA_WASI_EINVAL;
    uint32_t result = one_time(access, flags & WA_WASI_FST_ATIM, flags & WA_WASI_FST_ATIM_NOW, &times[0]);
    if (result != WA_WASI_ESUCCESS)
        return result;
    return one_time(modification, flags & WA_WASI_FST_MTIM, flags & WA_WASI_FST_MTIM_NOW, &times[1]);
}

uint32_t wasi_fd_filestat_set_times(wasi_call *call, const uint64_t *args)
{
    struct timespec times[2];
    uint32_t result = wasi_times(args[1], args[2], (uint32_t)args[3], times);
    wasi_file *file = wasi_fd_get(call->wasi, (uint32_t)args[0]);
    if (file == NULL)
        result = WA_WASI_EBADF;
    else if (file->is_read_only)
        result = WA_WASI_EROFS;
    else if (file->fd < 0)
        result = WA_WASI_EBADF;
    else if (result == WA_WASI_ESUCCESS && futimens(file->fd, times) < 0)
        result = wasi_errno(errno);
    wasi_file_release(file);
    return result;
}
