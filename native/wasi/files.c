/* The descriptors of a WASI program: files, and the table that numbers them. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wasi.h"

enum { LAST_STREAM = 2 };
enum { TABLE_MIN = 16, TABLE_MAX = 1 << 24 };

/* ---- files ------------------------------------------------------------------------------------------------------ */

uint8_t wasi_filetype(mode_t mode, int fd)
{
    if (S_ISREG(mode))
        return WA_WASI_FILETYPE_REGULAR_FILE;
    if (S_ISDIR(mode))
        return WA_WASI_FILETYPE_DIRECTORY;
    if (S_ISLNK(mode))
        return WA_WASI_FILETYPE_SYMBOLIC_LINK;
    if (S_ISCHR(mode))
        return WA_WASI_FILETYPE_CHARACTER_DEVICE;
    if (S_ISBLK(mode))
        return WA_WASI_FILETYPE_BLOCK_DEVICE;
    if (!S_ISSOCK(mode))
        return WA_WASI_FILETYPE_UNKNOWN; /* WASI has no pipes */
    int type = SOCK_STREAM;
    socklen_t size = sizeof type;
    if (fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_DGRAM)
        return WA_WASI_FILETYPE_SOCKET_DGRAM;
    return WA_WASI_FILETYPE_SOCKET_STREAM;
}

static const uint64_t common_rights = WA_WASI_RIGHT_FD_FILESTAT_GET | WA_WASI_RIGHT_FD_FDSTAT_SET_FLAGS |
                                      WA_WASI_RIGHT_POLL_FD_READWRITE;
static const uint64_t read_rights = WA_WASI_RIGHT_FD_READ;
static const uint64_t write_rights = WA_WASI_RIGHT_FD_WRITE | WA_WASI_RIGHT_FD_DATASYNC | WA_WASI_RIGHT_FD_SYNC |
                                     WA_WASI_RIGHT_FD_ALLOCATE | WA_WASI_RIGHT_FD_FILESTAT_SET_SIZE;
static const uint64_t seek_rights = WA_WASI_RIGHT_FD_SEEK | WA_WASI_RIGHT_FD_TELL | WA_WASI_RIGHT_FD_ADVISE;
static const uint64_t socket_rights = WA_WASI_RIGHT_SOCK_SHUTDOWN | WA_WASI_RIGHT_SOCK_ACCEPT;
static const uint64_t look_rights = WA_WASI_RIGHT_FD_READDIR | WA_WASI_RIGHT_PATH_OPEN | WA_WASI_RIGHT_PATH_READLINK |
                                    WA_WASI_RIGHT_PATH_FILESTAT_GET;
static const uint64_t change_rights =
    WA_WASI_RIGHT_PATH_CREATE_DIRECTORY | WA_WASI_RIGHT_PATH_CREATE_FILE | WA_WASI_RIGHT_PATH_LINK_SOURCE |
    WA_WASI_RIGHT_PATH_LINK_TARGET | WA_WASI_RIGHT_PATH_RENAME_SOURCE | WA_WASI_RIGHT_PATH_RENAME_TARGET |
    WA_WASI_RIGHT_PATH_FILESTAT_SET_SIZE | WA_WASI_RIGHT_PATH_FILESTAT_SET_TIMES | WA_WASI_RIGHT_PATH_SYMLINK |
    WA_WASI_RIGHT_PATH_REMOVE_DIRECTORY | WA_WASI_RIGHT_PATH_UNLINK_FILE;

/* A character device that is no terminal (/dev/null) answers at once. */
static bool may_block(const wasi_file *file)
{
    switch (file->filetype) {
    case WA_WASI_FILETYPE_REGULAR_FILE:
    case WA_WASI_FILETYPE_DIRECTORY:
    case WA_WASI_FILETYPE_BLOCK_DEVICE:
        return false;
    case WA_WASI_FILETYPE_CHARACTER_DEVICE:
        return isatty(file->fd) != 0;
    default:
        return true;
    }
}

/* A terminal has neither seek nor tell: that is how wasi-libc's isatty knows it. */
static bool has_position(const wasi_file *file)
{
    return file->filetype == WA_WASI_FILETYPE_REGULAR_FILE || file->filetype == WA_WASI_FILETYPE_BLOCK_DEVICE ||
           (file->filetype == WA_WASI_FILETYPE_CHARACTER_DEVICE && !isatty(file->fd));
}

uint64_t wasi_file_rights(const wasi_file *file, uint64_t *inheriting)
{
    *inheriting = 0;
    if (file->is_directory) {
        uint64_t times = file->is_read_only ? 0 : WA_WASI_RIGHT_FD_FILESTAT_SET_TIMES;
        uint64_t own = common_rights | look_rights | times | (file->is_read_only ? 0 : change_rights) |
                       WA_WASI_RIGHT_FD_SYNC | WA_WASI_RIGHT_FD_DATASYNC;
        /* Below a read-only directory too: wasi-libc would leave out of an open what it finds missing here, and write to a
         * file that can only be read, instead of being told EROFS. */
        *inheriting = own | read_rights | seek_rights | write_rights;
        return own;
    }
    uint64_t rights = common_rights | (file->can_read ? read_rights : 0) | (file->can_write ? write_rights : 0);
    if (file->fd < 0)
        return rights;
    if (has_position(file))
        rights |= seek_rights;
    if (file->filetype == WA_WASI_FILETYPE_SOCKET_STREAM || file->filetype == WA_WASI_FILETYPE_SOCKET_DGRAM)
        rights |= socket_rights;
    return file->is_read_only ? rights : rights | WA_WASI_RIGHT_FD_FILESTAT_SET_TIMES;
}

wasi_file *wasi_file_new(int fd)
{
    wasi_file *file = calloc(1, sizeof *file);
    struct stat status;
    if (file == NULL)
        return NULL;
    file->references = 1;
    file->fd = fd;
    file->can_read = file->can_write = true;
    file->rights = file->inheriting = UINT64_MAX;
    if (fd < 0 || fstat(fd, &status) < 0)
        return file;
    file->filetype = wasi_filetype(status.st_mode, fd);
    int mode = fcntl(fd, F_GETFL) & O_ACCMODE;
    file->may_block = may_block(file);
    file->can_read = mode != O_WRONLY;
    file->can_write = mode != O_RDONLY;
    return file;
}

void wasi_file_release(wasi_file *file)
{
    if (file == NULL || atomic_fetch_sub_explicit(&file->references, 1, memory_order_acq_rel) != 1)
        return;
    if (file->fd >= 0)
        close(file->fd);
    if (file->stream.finalizer != NULL)
        file->stream.finalizer(file->stream.user);
    free(file->preopen_path);
    free(file);
}

/* ---- the table -------------------------------------------------------------------------------------------------- */

wasi_file *wasi_fd_get(wa_wasi *wasi, uint32_t number)
{
    pthread_mutex_lock(&wasi->mutex);
    wasi_file *file = number < wasi->capacity ? wasi->files[number] : NULL;
    if (file != NULL)
        atomic_fetch_add_explicit(&file->references, 1, memory_order_relaxed);
    pthread_mutex_unlock(&wasi->mutex);
    return file;
}

static uint32_t grow(wa_wasi *wasi)
{
    uint32_t capacity = wasi->capacity == 0 ? TABLE_MIN : 2 * wasi->capacity;
    wasi_file **files = capacity > TABLE_MAX ? NULL : realloc(wasi->files, capacity * sizeof *files);
    if (files == NULL)
        return WA_WASI_EMFILE;
    memset(files + wasi->capacity, 0, (capacity - wasi->capacity) * sizeof *files);
    wasi->files = files;
    wasi->capacity = capacity;
    return WA_WASI_ESUCCESS;
}

uint32_t wasi_fd_add(wa_wasi *wasi, wasi_file *file, uint32_t *number)
{
    uint32_t result = WA_WASI_ESUCCESS;
    pthread_mutex_lock(&wasi->mutex);
    if (wasi->count >= wasi->limit)
        result = WA_WASI_EMFILE;
    while (wasi->first_free < wasi->capacity && wasi->files[wasi->first_free] != NULL)
        wasi->first_free++;
    if (result == WA_WASI_ESUCCESS && wasi->first_free == wasi->capacity)
        result = grow(wasi);
    if (result == WA_WASI_ESUCCESS) {
        wasi->count++;
        *number = wasi->first_free;
        wasi->files[wasi->first_free++] = file;
    }
    pthread_mutex_unlock(&wasi->mutex);
    return result;
}

static wasi_file *take(wa_wasi *wasi, uint32_t number)
{
    wasi_file *file = number < wasi->capacity ? wasi->files[number] : NULL;
    if (file == NULL)
        return NULL;
    wasi->files[number] = NULL;
    wasi->count--;
    /* A program that closed its output must not find what it prints in the next file that it opens: yosys would. */
    if (number < wasi->first_free && number > LAST_STREAM)
        wasi->first_free = number;
    return file;
}

bool wa_wasi_close(wa_wasi *wasi, uint32_t number)
{
    pthread_mutex_lock(&wasi->mutex);
    wasi_file *file = take(wasi, number);
    pthread_mutex_unlock(&wasi->mutex);
    wasi_file_release(file);
    return file != NULL;
}

uint32_t wasi_fd_move(wa_wasi *wasi, uint32_t from, uint32_t to)
{
    wasi_file *replaced = NULL;
    pthread_mutex_lock(&wasi->mutex);
    bool are_open = from < wasi->capacity && to < wasi->capacity && wasi->files[from] != NULL && wasi->files[to] != NULL;
    if (are_open && from != to) {
        replaced = wasi->files[to];
        wasi->files[to] = take(wasi, from); /* one less: what was there is gone */
    }
    pthread_mutex_unlock(&wasi->mutex);
    wasi_file_release(replaced);
    return are_open ? WA_WASI_ESUCCESS : WA_WASI_EBADF;
}

bool wa_wasi_next_own(wa_wasi *wasi, uint32_t *number, int *fd)
{
    bool found = false;
    pthread_mutex_lock(&wasi->mutex);
    for (; !found && *number < wasi->capacity; *number += !found) {
        const wasi_file *file = wasi->files[*number];
        found = file != NULL && file->given != *number + 1;
        if (found)
            *fd = file->fd;
    }
    pthread_mutex_unlock(&wasi->mutex);
    return found;
}

void wasi_fds_free(wa_wasi *wasi)
{
    for (uint32_t number = 0; number < wasi->capacity; number++)
        wasi_file_release(wasi->files[number]);
    free(wasi->files);
}
