/* What a WASI program sees: making it, giving it descriptors, letting it go. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "wasi.h"

/* ---- forks ------------------------------------------------------------------------------------------------------ */

/* A child must not inherit a table's lock from a thread that it has not: whoever forks takes all of them before. */
static pthread_mutex_t all_mutex = PTHREAD_MUTEX_INITIALIZER;
static wa_wasi *all;

static void take_all(void)
{
    pthread_mutex_lock(&all_mutex);
    for (wa_wasi *wasi = all; wasi != NULL; wasi = wasi->next)
        pthread_mutex_lock(&wasi->mutex);
}

static void give_back(void)
{
    for (wa_wasi *wasi = all; wasi != NULL; wasi = wasi->next)
        pthread_mutex_unlock(&wasi->mutex);
    pthread_mutex_unlock(&all_mutex);
}

static void follow_forks(void)
{
    pthread_atfork(take_all, give_back, give_back);
}

static void enlist(wa_wasi *wasi)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, follow_forks);
    pthread_mutex_lock(&all_mutex);
    wasi->next = all;
    if (all != NULL)
        all->previous = wasi;
    all = wasi;
    pthread_mutex_unlock(&all_mutex);
}

static void delist(wa_wasi *wasi)
{
    pthread_mutex_lock(&all_mutex);
    *(wasi->previous != NULL ? &wasi->previous->next : &all) = wasi->next;
    if (wasi->next != NULL)
        wasi->next->previous = wasi->previous;
    pthread_mutex_unlock(&all_mutex);
}

/* ---- making it and letting it go -------------------------------------------------------------------------------- */

static int copy_strings(wasi_strings *copy, const wa_wasi_strings *strings)
{
    copy->bytes = malloc(strings->size_bytes + 1);
    if (copy->bytes == NULL || strings->size_bytes > UINT32_MAX)
        return -1;
    memcpy(copy->bytes, strings->bytes, strings->size_bytes);
    copy->count = (uint32_t)strings->count;
    copy->size_bytes = (uint32_t)strings->size_bytes;
    return 0;
}

wa_wasi *wa_wasi_new(const wa_wasi_strings *args, const wa_wasi_strings *environ, wa_wasi_exit exit)
{
    wa_wasi *wasi = calloc(1, sizeof *wasi);
    if (wasi == NULL)
        return NULL;
    wasi->references = 1;
    wasi->exit = exit;
    wasi->limit = UINT32_MAX;
    pthread_mutex_init(&wasi->mutex, NULL);
    enlist(wasi);
    if (copy_strings(&wasi->args, args) < 0 || copy_strings(&wasi->environ, environ) < 0) {
        wa_wasi_release(wasi);
        return NULL;
    }
    return wasi;
}

void wa_wasi_release(wa_wasi *wasi)
{
    if (wasi == NULL || atomic_fetch_sub_explicit(&wasi->references, 1, memory_order_acq_rel) != 1)
        return;
    delist(wasi);
    wasi_fds_free(wasi);
    pthread_mutex_destroy(&wasi->mutex);
    free(wasi->args.bytes);
    free(wasi->environ.bytes);
    free(wasi);
}

/* A file of the embedder as the next descriptor. */
static int add(wa_wasi *wasi, wasi_file *file, int direction, uint32_t *number)
{
    file->can_read = file->can_read && direction & WA_WASI_INPUT;
    file->can_write = file->can_write && direction & WA_WASI_OUTPUT;
    if (wasi_fd_add(wasi, file, number) == WA_WASI_ESUCCESS) {
        file->given = *number + 1;
        return 0;
    }
    file->fd = -1; /* stays the embedder's */
    file->stream = (wa_wasi_stream){0};
    wasi_file_release(file);
    return ENOMEM;
}

int wa_wasi_add_fd(wa_wasi *wasi, int fd, int direction, uint32_t *number)
{
    int flags = fcntl(fd, F_GETFL);
    wasi_file *file = flags < 0 ? NULL : wasi_file_new(fd);
    if (file == NULL)
        return flags < 0 ? errno : ENOMEM;
    if (file->filetype == WA_WASI_FILETYPE_DIRECTORY) {
        file->fd = -1;
        wasi_file_release(file);
        return EISDIR;
    }
    file->is_read_only = !(direction & WA_WASI_OUTPUT);
    return add(wasi, file, direction, number);
}

int wa_wasi_add_stream(wa_wasi *wasi, const wa_wasi_stream *stream, int direction)
{
    uint32_t number;
    wasi_file *file = wasi_file_new(-1);
    if (file == NULL)
        return ENOMEM;
    if (stream != NULL)
        file->stream = *stream;
    return add(wasi, file, direction, &number);
}

int wa_wasi_add_directory(wa_wasi *wasi, int fd, const char *guest_path, bool is_read_only)
{
    uint32_t number;
    struct stat status;
    if (fstat(fd, &status) < 0)
        return errno;
    if (!S_ISDIR(status.st_mode))
        return ENOTDIR;
    char *path = strdup(guest_path);
    wasi_file *file = path == NULL ? NULL : wasi_file_new(fd);
    if (file == NULL) {
        free(path);
        return ENOMEM;
    }
    if (!wasi_path_has_openat2(fd))
        wasi->avoids_openat2 = true;
    file->preopen_path = path;
    file->is_directory = true;
    file->is_read_only = is_read_only;
    file->is_own = true;
    return add(wasi, file, WA_WASI_INPUT, &number);
}

void wa_wasi_limit_descriptors(wa_wasi *wasi, uint32_t limit)
{
    wasi->limit = limit;
}

void wa_wasi_avoid_openat2(wa_wasi *wasi)
{
    wasi->avoids_openat2 = true;
}

bool wa_wasi_is_narrowed(const wa_wasi *wasi)
{
    return atomic_load(&wasi->is_narrowed);
}
