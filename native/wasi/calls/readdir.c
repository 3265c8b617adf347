/* fd_readdir: the entries of a directory. A cookie is the position that Linux gives the entry behind, so nothing is kept. */
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "wasi/wasi.h"

enum { DIRENT_BYTES = 24, LISTING_BYTES = 8192 };

static uint8_t filetype_of(unsigned char type)
{
    static const uint8_t types[16] = {
        [DT_REG] = WA_WASI_FILETYPE_REGULAR_FILE,   [DT_DIR] = WA_WASI_FILETYPE_DIRECTORY,
        [DT_LNK] = WA_WASI_FILETYPE_SYMBOLIC_LINK,  [DT_CHR] = WA_WASI_FILETYPE_CHARACTER_DEVICE,
        [DT_BLK] = WA_WASI_FILETYPE_BLOCK_DEVICE,   [DT_SOCK] = WA_WASI_FILETYPE_SOCKET_STREAM,
    };
    return types[type & 15];
}

typedef struct listing {
    uint8_t *place; /* in the guest's memory */
    uint32_t size_bytes, used;
    bool is_full;
} listing;

/* What does not fit is cut: the guest sees that its buffer is full. */
static void put(listing *list, const void *bytes, size_t size_bytes)
{
    uint32_t room = list->size_bytes - list->used, count = size_bytes < room ? (uint32_t)size_bytes : room;
    memcpy(list->place + list->used, bytes, count);
    list->used += count;
    list->is_full = list->used == list->size_bytes;
}

static void put_entry(listing *list, const struct dirent64 *entry)
{
    uint8_t head[DIRENT_BYTES] = {0};
    uint64_t next = (uint64_t)entry->d_off, inode = (uint64_t)entry->d_ino;
    uint32_t size_bytes = (uint32_t)strlen(entry->d_name);
    if (strcmp(entry->d_name, "..") == 0)
        inode = 0; /* of a directory that may lie outside */
    memcpy(head, &next, sizeof next);
    memcpy(head + 8, &inode, sizeof inode);
    memcpy(head + 16, &size_bytes, sizeof size_bytes);
    head[20] = filetype_of(entry->d_type);
    put(list, head, sizeof head);
    put(list, entry->d_name, size_bytes);
}

static uint32_t list_entries(int fd, uint64_t cookie, listing *list)
{
    _Alignas(struct dirent64) uint8_t entries[LISTING_BYTES];
    if (cookie != 0 && lseek(fd, (off_t)cookie, SEEK_SET) < 0)
        return wasi_errno(errno);
    while (!list->is_full) {
        ssize_t size_bytes = getdents64(fd, entries, sizeof entries);
        if (size_bytes < 0 && errno != ENOENT) /* ENOENT: it was removed, which POSIX wants to look like its end */
            return wasi_errno(errno);
        if (size_bytes <= 0)
            return WA_WASI_ESUCCESS;
        for (ssize_t offset = 0; offset < size_bytes && !list->is_full;) {
            const struct dirent64 *entry = (const struct dirent64 *)(entries + offset);
            put_entry(list, entry);
            offset += entry->d_reclen;
        }
    }
    return WA_WASI_ESUCCESS;
}

/* The position belongs to the open directory, which other threads list, too, and processes after a fork: each call has one of
 * its own, and no lock. */
static uint32_t list_anew(int directory, uint64_t cookie, listing *list)
{
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? WA_WASI_ESUCCESS : wasi_errno(errno); /* it was removed */
    uint32_t result = list_entries(fd, cookie, list);
    close(fd);
    return result;
}

/* args: descriptor, buffer, its size, cookie, where the size used goes. */
uint32_t wasi_fd_readdir(wasi_call *call, const uint64_t *args)
{
    listing list = {.place = wasi_at(call, (uint32_t)args[1], (uint32_t)args[2]), .size_bytes = (uint32_t)args[2]};
    wasi_file *file = wasi_fd_get(call->wasi, (uint32_t)args[0]);
    uint32_t result = WA_WASI_ESUCCESS;
    list.is_full = list.size_bytes == 0;
    if (file == NULL || !file->is_directory)
        result = WA_WASI_EBADF;
    else if (list.place == NULL || wasi_at(call, (uint32_t)args[4], 4) == NULL)
        result = WA_WASI_EFAULT;
    if (result == WA_WASI_ESUCCESS)
        result = list_anew(file->fd, args[3], &list);
    wasi_file_release(file);
    return result != WA_WASI_ESUCCESS ? result : wasi_put32(call, (uint32_t)args[4], list.used);
}
