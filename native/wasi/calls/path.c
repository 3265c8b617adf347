/* Paths: the path_* calls. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "runtime/thread.h"
#include "wasi/wasi.h"

/* ---- what the guest gives --------------------------------------------------------------------------------------- */

/* Bytes of the UTF-8 sequence at text, 0 where there is none. The Unicode standard, table 3-7. */
static size_t sequence_size(const uint8_t *text, size_t left)
{
    uint8_t first = text[0], low = 0x80, high = 0xbf;
    if (first < 0x80)
        return 1;
    size_t size = first >= 0xc2 && first <= 0xdf ? 2 : (first & 0xf0) == 0xe0 ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
    if (size == 0 || size > left)
        return 0;
    low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : low;
    high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : high;
    if (text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    return size;
}

/* A path of the guest as a string. */
static uint32_t read_path(const wasi_call *call, uint64_t address, uint64_t size_bytes, char *path)
{
    size_t size = (uint32_t)size_bytes;
    const uint8_t *text = wasi_at(call, (uint32_t)address, size);
    if (text == NULL)
        return WA_WASI_EFAULT;
    if (size >= WASI_PATH_BYTES)
        return WA_WASI_ENAMETOOLONG;
    memcpy(path, text, size); /* first, so that what is checked is what is used */
    path[size] = 0;
    for (size_t i = 0; i < size;) {
        size_t step = sequence_size((const uint8_t *)path + i, size - i);
        if (step == 0)
            return WA_WASI_EILSEQ;
        if (path[i] == 0)
            return WA_WASI_EINVAL;
        i += step;
    }
    return WA_WASI_ESUCCESS;
}

/* What the resolver returned as an errno of WASI: a way out of the directory is not permitted. */
static uint32_t path_errno(int result)
{
    if (result == -EINTR && wa_interrupt_is_due())
        return WASI_INTERRUPTED;
    return result == -EXDEV ? WA_WASI_EPERM : wasi_errno(-result);
}

/* The directory of a number, retained; NULL with *result. */
static wasi_file *get_directory(wasi_call *call, uint64_t number, bool is_change, uint32_t *result)
{
    wasi_file *file = wasi_fd_get(call->wasi, (uint32_t)number);
    *result = WA_WASI_ESUCCESS;
    if (file == NULL || file->fd < 0)
        *result = WA_WASI_EBADF;
    else if (!file->is_directory)
        *result = WA_WASI_ENOTDIR;
    else if (is_change && file->is_read_only)
        *result = WA_WASI_EROFS;
    if (*result == WA_WASI_ESUCCESS)
        return file;
    wasi_file_release(file);
    return NULL;
}

/* One end of a call that works on a name in a directory. */
typedef struct place {
    int parent; /* owned; -1: none */
    const char *last;
    char path[WASI_PATH_BYTES];
} place;

/* The descriptor of the parent, or -errno. The kernel refuses to work on what ends in ".." anyhow, but it can't say whether that
 * is a way out: the resolver can. */
static int open_parent(const wa_wasi *wasi, int directory, place *found)
{
    size_t end = strlen(found->path);
    while (end > 0 && found->path[end - 1] == '/')
        end--;
    if (end >= 2 && memcmp(found->path + end - 2, "..", 2) == 0 && (end == 2 || found->path[end - 3] == '/')) {
        int fd = wasi_path_open_beneath(wasi, directory, found->path, O_PATH, 0);
        if (fd < 0)
            return fd;
        close(fd);
    }
    return wasi_path_open_parent(wasi, directory, found->path, &found->last);
}

static uint32_t find_place(wasi_call *call, uint64_t number, uint64_t address, uint64_t size_bytes, place *found)
{
    uint32_t result = read_path(call, address, size_bytes, found->path);
    found->parent = -1;
    wasi_file *directory = result != WA_WASI_ESUCCESS ? NULL : get_directory(call, number, true, &result);
    if (directory == NULL)
        return result;
    found->parent = open_parent(call->wasi, directory->fd, found);
    wasi_file_release(directory);
    if (found->parent >= 0)
        return WA_WASI_ESUCCESS;
    result = path_errno(found->parent);
    found->parent = -1;
    return result;
}

static void leave_place(const place *found)
{
    if (found->parent >= 0)
        close(found->parent);
}

/* Open the object that a path (address and size) names, whatever it is: for what is known of it. A descriptor, or -1 with
 * *result. */
static int open_object(wasi_call *call, uint64_t directory_number, uint64_t lookup, const uint64_t *path_args, bool is_change,
                       uint32_t *result)
{
    char path[WASI_PATH_BYTES];
    *result = read_path(call, path_args[0], path_args[1], path);
    if (*result == WA_WASI_ESUCCESS && (uint32_t)lookup > WA_WASI_LOOKUP_SYMLINK_FOLLOW)
        *result = WA_WASI_EINVAL;
    wasi_file *directory = NULL;
    if (*result == WA_WASI_ESUCCESS)
        directory = get_directory(call, directory_number, is_change, result);
    if (directory == NULL)
        return -1;
    int flags = O_PATH | (lookup & WA_WASI_LOOKUP_SYMLINK_FOLLOW ? 0 : O_NOFOLLOW);
    int fd = wasi_path_open_beneath(call->wasi, directory->fd, path, flags, 0);
    wasi_file_release(directory);
    if (fd >= 0)
        return fd;
    *result = path_errno(fd);
    return -1;
}

/* ---- path_open -------------------------------------------------------------------------------------------------- */

static int access_mode(uint64_t rights)
{
    bool reads = rights & (WA_WASI_RIGHT_FD_READ | WA_WASI_RIGHT_FD_READDIR);
    bool writes = rights & (WA_WASI_RIGHT_FD_WRITE | WA_WASI_RIGHT_FD_ALLOCATE | WA_WASI_RIGHT_FD_FILESTAT_SET_SIZE);
    return writes ? reads ? O_RDWR : O_WRONLY : O_RDONLY;
}

static int open_flags(uint32_t lookup, uint32_t oflags, uint64_t rights, uint32_t fdflags)
{
    return access_mode(rights) | (lookup & WA_WASI_LOOKUP_SYMLINK_FOLLOW ? 0 : O_NOFOLLOW) |
           (oflags & WA_WASI_OFLAG_CREAT ? O_CREAT : 0) | (oflags & WA_WASI_OFLAG_DIRECTORY ? O_DIRECTORY : 0) |
           (oflags & WA_WASI_OFLAG_EXCL ? O_EXCL : 0) | (oflags & WA_WASI_OFLAG_TRUNC ? O_TRUNC : 0) |
           (fdflags & WA_WASI_FDFLAG_APPEND ? O_APPEND : 0) | (fdflags & WA_WASI_FDFLAG_DSYNC ? O_DSYNC : 0) |
           (fdflags & WA_WASI_FDFLAG_NONBLOCK ? O_NONBLOCK : 0) |
           (fdflags & (WA_WASI_FDFLAG_SYNC | WA_WASI_FDFLAG_RSYNC) ? O_SYNC : 0);
}

static uint32_t add_opened(wasi_call *call, const wasi_file *directory, int fd, const uint64_t *args)
{
    uint32_t number;
    wasi_file *file = wasi_file_new(fd);
    if (file == NULL) {
        close(fd);
        return WA_WASI_ENOMEM;
    }
    file->is_own = true;
    file->is_directory = file->filetype == WA_WASI_FILETYPE_DIRECTORY;
    file->is_read_only = directory->is_read_only;
    file->fdflags = (uint16_t)args[7];
    file->rights = file->inheriting = directory->inheriting;
    uint32_t result = wasi_fd_add(call->wasi, file, &number);
    if (result == WA_WASI_ESUCCESS)
        return wasi_put32(call, (uint32_t)args[8], number);
    wasi_file_release(file);
    return result;
}

/* Whether the guest gave up, for this directory or what is opened below it, what it asks for now. */
static bool is_given_up(const wasi_file *directory, uint32_t oflags, uint64_t rights)
{
    uint64_t needed = (oflags & WA_WASI_OFLAG_CREAT ? WA_WASI_RIGHT_PATH_CREATE_FILE : 0) |
                      (oflags & WA_WASI_OFLAG_TRUNC ? WA_WASI_RIGHT_PATH_FILESTAT_SET_SIZE : 0);
    return (needed & ~directory->rights) != 0 || (rights & ~directory->inheriting) != 0;
}

/* args: directory, lookup flags, path, its size, open flags, rights, rights inherited, descriptor flags, where the number
 * goes. */
uint32_t wasi_path_open(wasi_call *call, const uint64_t *args)
{
    char path[WASI_PATH_BYTES];
    uint32_t lookup = (uint32_t)args[1], oflags = (uint32_t)args[4], fdflags = (uint32_t)args[7];
    uint32_t result = read_path(call, args[2], args[3], path);
    if (result != WA_WASI_ESUCCESS)
        return result;
    if (wasi_at(call, (uint32_t)args[8], 4) == NULL)
        return WA_WASI_EFAULT;
    if (lookup > 1 || oflags > 15 || fdflags > 31 || (oflags & WA_WASI_OFLAG_DIRECTORY && oflags & ~2u))
        return WA_WASI_EINVAL;
    int flags = open_flags(lookup, oflags, args[5], fdflags);
    bool changes = (flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC);
    wasi_file *directory = get_directory(call, args[0], changes, &result);
    if (directory == NULL)
        return result;
    if (is_given_up(directory, oflags, args[5] | args[6])) {
        result = WA_WASI_ENOTCAPABLE;
    } else {
        int fd = wasi_path_open_beneath(call->wasi, directory->fd, path, flags, 0666);
        result = fd < 0 ? path_errno(fd) : add_opened(call, directory, fd, args);
    }
    wasi_file_release(directory);
    return result;
}

/* ---- looking ---------------------------------------------------------------------------------------------------- */

/* args: directory, lookup flags, path, its size, where the filestat goes. */
uint32_t wasi_path_filestat_get(wasi_call *call, const uint64_t *args)
{
    struct stat status;
    uint32_t result;
    int fd = open_object(call, args[0], args[1], args + 2, false, &result);
    if (fd < 0)
        return result;
    result = fstat(fd, &status) < 0 ? wasi_errno(errno) : WA_WASI_ESUCCESS;
    close(fd);
    if (result != WA_WASI_ESUCCESS)
        return result;
    return wasi_put_filestat(call, (uint32_t)args[4], &status, wasi_filetype(status.st_mode, -1));
}

/* args: directory, path, its size, buffer, its size, where the size used goes. */
uint32_t wasi_path_readlink(wasi_call *call, const uint64_t *args)
{
    char text[WASI_PATH_BYTES];
    uint32_t result, size_bytes = (uint32_t)args[4];
    uint8_t *buffer = wasi_at(call, (uint32_t)args[3], size_bytes);
    if (buffer == NULL || wasi_at(call, (uint32_t)args[5], 4) == NULL)
        return WA_WASI_EFAULT;
    int fd = open_object(call, args[0], 0, args + 1, false, &result);
    if (fd < 0)
        return result;
    ssize_t size = readlinkat(fd, "", text, sizeof text);
    result = size >= 0 ? WA_WASI_ESUCCESS : errno == ENOENT ? WA_WASI_EINVAL : wasi_errno(errno); /* ENOENT: no link */
    close(fd);
    if (result == WA_WASI_ESUCCESS && size > 0 && text[0] == '/')
        result = WA_WASI_EPERM; /* a path of the host, of no use to the guest */
    if (result != WA_WASI_ESUCCESS)
        return result;
    uint32_t used = (uint64_t)size < size_bytes ? (uint32_t)size : size_bytes;
    memcpy(buffer, text, used);
    return wasi_put32(call, (uint32_t)args[5], used);
}

/* ---- changing --------------------------------------------------------------------------------------------------- */

/* Times of an object that was opened with O_PATH: kernels before 5.8 want its name, which /proc has. */
static int set_times(int fd, const struct timespec *times)
{
    char name[64];
    if (utimensat(fd, "", times, AT_EMPTY_PATH) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOENT)
        return -1;
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    return utimensat(AT_FDCWD, name, times, 0);
}

/* args: directory, lookup flags, path, its size, access time, modification time, flags. */
uint32_t wasi_path_filestat_set_times(wasi_call *call, const uint64_t *args)
{
    struct timespec times[2];
    uint32_t result = wasi_times(args[4], args[5], (uint32_t)args[6], times);
    if (result != WA_WASI_ESUCCESS)
        return result;
    int fd = open_object(call, args[0], args[1], args + 2, true, &result);
    if (fd < 0)
        return result;
    result = set_times(fd, times) < 0 ? wasi_errno(errno) : WA_WASI_ESUCCESS;
    close(fd);
    return result;
}

uint32_t wasi_path_create_directory(wasi_call *call, const uint64_t *args)
{
    place at;
    uint32_t result = find_place(call, args[0], args[1], args[2], &at);
    if (result == WA_WASI_ESUCCESS && mkdirat(at.parent, at.last, 0777) < 0)
        result = wasi_errno(errno);
    leave_place(&at);
    return result;
}

static uint32_t remove_with(wasi_call *call, const uint64_t *args, int flags)
{
    place at;
    uint32_t result = find_place(call, args[0], args[1], args[2], &at);
    if (result == WA_WASI_ESUCCESS && unlinkat(at.parent, at.last, flags) < 0)
        result = wasi_errno(errno);
    leave_place(&at);
    return result;
}

uint32_t wasi_path_remove_directory(wasi_call *call, const uint64_t *args)
{
    return remove_with(call, args, AT_REMOVEDIR);
}

uint32_t wasi_path_unlink_file(wasi_call *call, const uint64_t *args)
{
    return remove_with(call, args, 0);
}

/* args: text, its size, directory, path, its size. A link to an absolute path would lead out. */
uint32_t wasi_path_symlink(wasi_call *call, const uint64_t *args)
{
    char text[WASI_PATH_BYTES];
    place at;
    uint32_t result = read_path(call, args[0], args[1], text);
    if (result == WA_WASI_ESUCCESS && text[0] == '/')
        result = WA_WASI_EPERM;
    if (result != WA_WASI_ESUCCESS)
        return result;
    result = find_place(call, args[2], args[3], args[4], &at);
    if (result == WA_WASI_ESUCCESS && symlinkat(text, at.parent, at.last) < 0)
        result = wasi_errno(errno);
    leave_place(&at);
    return result;
}

/* args: directory, path, its size, then the same of the new name. */
uint32_t wasi_path_rename(wasi_call *call, const uint64_t *args)
{
    place from, to;
    uint32_t result = find_place(call, args[0], args[1], args[2], &from);
    if (result != WA_WASI_ESUCCESS)
        return result;
    result = find_place(call, args[3], args[4], args[5], &to);
    if (result == WA_WASI_ESUCCESS && renameat(from.parent, from.last, to.parent, to.last) < 0)
        result = wasi_errno(errno);
    leave_place(&from);
    leave_place(&to);
    return result;
}

/* linkat, but for names that it would resolve, out of the directory too: behind a slash, "." and "..". What stands there is a
 * directory inside, which "." names as well, or nothing. Linux looks at the new name before it refuses to link a directory. */
static uint32_t link_place(const wa_wasi *wasi, const place *from, const place *to)
{
    size_t size = strcspn(from->last, "/");
    bool is_up = size == 2 && memcmp(from->last, "..", 2) == 0; /* known to stay inside, where every directory fares alike */
    if (from->last[size] == 0 && !is_up && strcmp(from->last, ".") != 0)
        return linkat(from->parent, from->last, to->parent, to->last, 0) < 0 ? wasi_errno(errno) : WA_WASI_ESUCCESS;
    int fd = wasi_path_open_beneath(wasi, from->parent, is_up ? "." : from->last, O_PATH | O_DIRECTORY, 0);
    if (fd < 0)
        return path_errno(fd);
    uint32_t result = linkat(fd, ".", to->parent, to->last, 0) < 0 ? wasi_errno(errno) : WA_WASI_ESUCCESS;
    close(fd);
    return result;
}

/* args: directory, lookup flags, path, its size, then directory, path, size of the new name. */
uint32_t wasi_path_link(wasi_call *call, const uint64_t *args)
{
    place from, to;
    if ((uint32_t)args[1] != 0) /* no link is followed */
        return WA_WASI_EINVAL;
    uint32_t result = find_place(call, args[0], args[2], args[3], &from);
    if (result != WA_WASI_ESUCCESS)
        return result;
    result = find_place(call, args[4], args[5], args[6], &to);
    if (result == WA_WASI_ESUCCESS)
        result = link_place(call->wasi, &from, &to);
    leave_place(&from);
    leave_place(&to);
    return result;
}
