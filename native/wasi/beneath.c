/* Paths beneath a directory: no symbolic link, "..", absolute path, magic link or rename leads out of it.
 *
 * openat2 lets the kernel see to it. Where it is missing, the walk goes one component at a time: each is opened without
 * following links, a link's text takes the component's place, and ".." starts again from the directory with what is left of
 * the names, so that no step upwards is ever asked of the kernel. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "runtime/thread.h"
#include "wasi.h"

enum { LINKS_MAX = 40, RETRIES_MAX = 64 };

/* What linux/openat2.h has, which older systems lack. */
enum { OPENAT2 = 437, BENEATH = 0x08, NO_MAGIC_LINKS = 0x02 };
typedef struct open_request {
    uint64_t flags, mode, resolve;
} open_request;

/* ---- with openat2 ----------------------------------------------------------------------------------------------- */

static int open_beneath(int directory, const char *path, int flags, mode_t mode)
{
    open_request how = {
        .flags = (uint64_t)(unsigned)flags,
        .mode = flags & O_CREAT ? mode : 0,
        .resolve = BENEATH | NO_MAGIC_LINKS,
    };
    for (int i = 0;; i++) {
        long fd = syscall(OPENAT2, directory, path, &how, sizeof how);
        if (fd >= 0)
            return (int)fd;
        /* EAGAIN: something was renamed while ".." was resolved. */
        if (errno == EINTR && wa_interrupt_is_due())
            return -EINTR;
        if (errno != EINTR && (errno != EAGAIN || i == RETRIES_MAX))
            return -errno;
    }
}

/* ---- without ---------------------------------------------------------------------------------------------------- */

/* Where a walk is: the open directory, the names that led there, and what is still to be gone. */
typedef struct walk {
    int root, here;                /* here: owned, or root */
    char names[WASI_PATH_BYTES];   /* "a/b/", all of them directories when they were met */
    char rest[2 * WASI_PATH_BYTES]; /* zero-terminated */
    size_t names_size;
    int links;
} walk;

static void stand(walk *way, int fd)
{
    if (way->here != way->root)
        close(way->here);
    way->here = fd;
}

static int open_directory(int directory, const char *name)
{
    int fd = openat(directory, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int enter(walk *way, const char *name)
{
    size_t size = strlen(name);
    if (way->names_size + size + 2 > sizeof way->names)
        return -ENAMETOOLONG;
    int fd = open_directory(way->here, name);
    if (fd < 0)
        return fd;
    stand(way, fd);
    memcpy(way->names + way->names_size, name, size);
    way->names_size += size;
    way->names[way->names_size++] = '/';
    return 0;
}

/* Drop the last name and walk the others again: a directory that was moved meanwhile is not followed to where it is now. */
static int ascend(walk *way)
{
    char names[WASI_PATH_BYTES];
    if (way->names_size == 0)
        return -EXDEV;
    size_t size = way->names_size - 1;
    while (size > 0 && way->names[size - 1] != '/')
        size--;
    memcpy(names, way->names, size);
    stand(way, way->root);
    way->names_size = 0;
    for (size_t start = 0; start < size;) {
        char *end = memchr(names + start, '/', size - start);
        *end = 0;
        int result = enter(way, names + start);
        if (result < 0)
            return result;
        start = (size_t)(end - names) + 1;
    }
    return 0;
}

/* Put the text of a link before what is still to be gone; has_slash: a slash followed the link. */
static int follow(walk *way, const char *name, bool has_slash)
{
    char text[WASI_PATH_BYTES];
    ssize_t size = readlinkat(way->here, name, text, sizeof text);
    size_t rest = strlen(way->rest);
    if (size < 0)
        return -errno;
    if (++way->links > LINKS_MAX)
        return -ELOOP;
    if (size == 0)
        return -ENOENT;
    if (text[0] == '/')
        return -EXDEV;
    if ((size_t)size + rest + 2 > sizeof way->rest)
        return -ENAMETOOLONG;
    memmove(way->rest + size + 1, way->rest, rest + 1); /* its zero too */
    memcpy(way->rest, text, (size_t)size);
    if (rest > 0 || has_slash)
        way->rest[size] = '/';
    else
        way->rest[size] = 0;
    return 0;
}

/* A descriptor, or -errno. Opening a FIFO may wait. */
static int open_here(const walk *way, const char *name, int flags, mode_t mode)
{
    for (;;) {
        int fd = openat(way->here, name, flags | O_NOFOLLOW, mode);
        if (fd >= 0)
            return fd;
        if (errno != EINTR || wa_interrupt_is_due())
            return -errno;
    }
}

static bool is_link(int directory, const char *name)
{
    struct stat status;
    return fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode);
}

/* Take the next name from the rest. Its slashes stay at the start of the rest, of which *is_last tells that they are all. */
static int next_name(walk *way, char *name, bool *is_last, bool *has_slash)
{
    size_t size = strcspn(way->rest, "/"), skip = size + strspn(way->rest + size, "/");
    if (size > NAME_MAX)
        return -ENAMETOOLONG;
    memcpy(name, way->rest, size);
    name[size] = 0;
    *has_slash = skip > size;
    *is_last = way->rest[skip] == 0;
    memmove(way->rest, way->rest + skip, strlen(way->rest + skip) + 1);
    return 0;
}

/* Open the last name where the walk stands: a descriptor, -errno, or -EAGAIN where it was a link that is now to be gone. */
static int open_last(walk *way, const char *name, int flags, mode_t mode, bool has_slash)
{
    bool is_new = (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
    bool follows = has_slash || !(flags & O_NOFOLLOW || is_new);
    if (has_slash && flags & O_CREAT)
        return -EISDIR;
    if (follows && is_link(way->here, name)) {
        int result = follow(way, name, has_slash);
        return result < 0 ? result : -EAGAIN;
    }
    int fd = open_here(way, name, flags | (has_slash ? O_DIRECTORY : 0), mode);
    if (fd != -ELOOP || !follows || ++way->links > LINKS_MAX)
        return fd;
    /* It became a link after the look: look again. */
    snprintf(way->rest, sizeof way->rest, "%s%s", name, has_slash ? "/" : "");
    return -EAGAIN;
}

static int step(walk *way, int flags, mode_t mode)
{
    char name[NAME_MAX + 1];
    bool is_last, has_slash;
    int result = next_name(way, name, &is_last, &has_slash);
    if (result < 0)
        return result;
    bool is_dot = strcmp(name, ".") == 0, is_up = strcmp(name, "..") == 0;
    if (is_up && (result = ascend(way)) < 0)
        return result;
    if (is_last && (is_dot || is_up)) {
        if (flags & O_CREAT)
            return flags & O_EXCL ? -EEXIST : -EISDIR;
        return open_here(way, ".", flags, mode);
    }
    if (is_last)
        return open_last(way, name, flags, mode, has_slash);
    if (!is_dot && !is_up)
        result = is_link(way->here, name) ? follow(way, name, true) : enter(way, name);
    return result < 0 ? result : -EAGAIN;
}

static int walk_beneath(int directory, const char *path, int flags, mode_t mode)
{
    if (path[0] == 0)
        return -ENOENT;
    if (path[0] == '/')
        return -EXDEV;
    walk *way = malloc(sizeof *way); /* too large for a small stack */
    if (way == NULL)
        return -ENOMEM;
    way->root = way->here = directory;
    way->names_size = 0;
    way->links = 0;
    snprintf(way->rest, sizeof way->rest, "%s", path);
    int result;
    do
        result = step(way, flags, mode);
    while (result == -EAGAIN);
    stand(way, directory);
    free(way);
    return result;
}

/* ---- both ------------------------------------------------------------------------------------------------------- */

int wasi_path_open_beneath(const wa_wasi *wasi, int directory, const char *path, int flags, mode_t mode)
{
    flags |= O_CLOEXEC | (flags & O_PATH ? 0 : O_NOCTTY);
    return wasi->avoids_openat2 ? walk_beneath(directory, path, flags, mode) : open_beneath(directory, path, flags, mode);
}

/* Kernels before 5.6 say ENOSYS, a filter of system calls around the process may say anything. */
bool wasi_path_has_openat2(int directory)
{
    int fd = open_beneath(directory, ".", O_PATH | O_CLOEXEC, 0);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

int wasi_path_open_parent(const wa_wasi *wasi, int directory, char *path, const char **last)
{
    size_t end = strlen(path);
    while (end > 0 && path[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    if (path[0] == 0)
        return -ENOENT;
    if (path[0] == '/')
        return -EXDEV;
    *last = path + start;
    if (start == 0)
        return wasi_path_open_beneath(wasi, directory, ".", O_PATH | O_DIRECTORY, 0);
    path[start - 1] = 0; /* the slash before; more of them do no harm */
    return wasi_path_open_beneath(wasi, directory, path, O_PATH | O_DIRECTORY, 0);
}
