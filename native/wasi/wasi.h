/* Private structures of WASI, shared by the files here and in calls/.
 *
 * A function of WASI is a C function that gets a wasi_call and the slots of its arguments, and returns an errno of WASI. It
 * runs without the embedder's locks, may block, and is never left by a jump: what has to leave the guest is returned as
 * a number beyond the errnos, and leaves when everything that was held is released. */
#ifndef WA_WASI_PRIVATE_H
#define WA_WASI_PRIVATE_H

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#include "runtime/error.h"
#include "wa_wasi.h"
#include "wa_wasi_abi.h"

enum {
    WASI_RAISED = WA_WASI_RAISED,           /* the embedder has an exception */
    WASI_INTERRUPTED = WA_WASI_INTERRUPTED, /* Ctrl-C or a stop ends the call, which has done nothing yet */
    WASI_PATH_BYTES = 4096, /* longest path, with the zero */
    WASI_PARTS_MAX = 128,   /* buffers that one call transfers; what more the guest gives waits for its next call */
};

/* An open descriptor. Counted: the table has one count, each call that works on it another. */
typedef struct wasi_file {
    atomic_uint references;
    int fd;                /* of the host, owned; -1: a stream */
    uint8_t filetype;      /* WA_WASI_FILETYPE_* */
    bool is_own;           /* opened by the guest: nobody else shares its flags */
    uint32_t given;        /* the number that the embedder gave it, plus one; 0: the guest opened it */
    bool is_directory;     /* paths may start here */
    bool is_read_only;     /* neither it nor what is below may change */
    bool can_read, can_write;
    bool may_block;        /* reading or writing may wait for somebody else */
    atomic_ushort fdflags; /* WA_WASI_FDFLAG_* */
    _Atomic uint64_t rights, inheriting; /* what the guest did not give up */
    char *preopen_path;    /* the guest's name of a preopened directory, owned; else NULL */
    wa_wasi_stream stream; /* functions are NULL where there is none */
} wasi_file;

/* Strings as args_get and environ_get write them. */
typedef struct wasi_strings {
    char *bytes; /* owned */
    uint32_t count, size_bytes;
} wasi_strings;

struct wa_wasi {
    atomic_uint references;
    wasi_strings args, environ;
    wa_wasi_exit exit;
    bool avoids_openat2;
    atomic_bool is_narrowed; /* the guest gave up rights of some descriptor */
    pthread_mutex_t mutex; /* of the table; held for moments only, and a fork waits for its end */
    wa_wasi *previous, *next; /* all that there are, see state.c */
    wasi_file **files;     /* by the guest's number; NULL: free */
    uint32_t capacity, first_free;
    uint32_t count, limit; /* files in the table, and how many there may be */
};

typedef struct wasi_call {
    wa_wasi *wasi;
    uint8_t *memory; /* of the calling instance */
    uint64_t memory_bytes;
    bool is_unstable;
} wasi_call;

typedef uint32_t (*wasi_function)(wasi_call *call, const uint64_t *args);

/* ---- the guest's memory: every address and size comes from the guest -------------------------------------------- */

/* Size bytes at an address of the guest, or NULL where they don't all lie in the memory. */
static inline uint8_t *wasi_at(const wasi_call *call, uint32_t address, uint64_t size_bytes)
{
    if (size_bytes > call->memory_bytes || address > call->memory_bytes - size_bytes)
        return NULL;
    return call->memory + address;
}

static inline uint32_t wasi_put(const wasi_call *call, uint32_t address, const void *value, uint64_t size_bytes)
{
    uint8_t *place = wasi_at(call, address, size_bytes);
    if (place == NULL)
        return WA_WASI_EFAULT;
    memcpy(place, value, size_bytes);
    return WA_WASI_ESUCCESS;
}

static inline uint32_t wasi_put32(const wasi_call *call, uint32_t address, uint32_t value)
{
    return wasi_put(call, address, &value, sizeof value);
}

static inline uint32_t wasi_put64(const wasi_call *call, uint32_t address, uint64_t value)
{
    return wasi_put(call, address, &value, sizeof value);
}

static inline uint16_t wasi_load16(const uint8_t *place)
{
    uint16_t value;
    memcpy(&value, place, sizeof value);
    return value;
}

static inline uint32_t wasi_load32(const uint8_t *place)
{
    uint32_t value;
    memcpy(&value, place, sizeof value);
    return value;
}

static inline uint64_t wasi_load64(const uint8_t *place)
{
    uint64_t value;
    memcpy(&value, place, sizeof value);
    return value;
}

/* ---- times, in nanoseconds as WASI has them --------------------------------------------------------------------- */

static inline uint64_t wasi_nanoseconds(const struct timespec *time)
{
    return (uint64_t)time->tv_sec * 1000000000 + (uint64_t)time->tv_nsec;
}

static inline struct timespec wasi_timespec(uint64_t nanoseconds)
{
    return (struct timespec){(time_t)(nanoseconds / 1000000000), (long)(nanoseconds % 1000000000)};
}

static inline uint64_t wasi_now(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return wasi_nanoseconds(&now);
}

/* ---- errno.c ---------------------------------------------------------------------------------------------------- */

/* WASI's errno for Linux's. */
uint32_t wasi_errno(int number);

/* ---- files.c ---------------------------------------------------------------------------------------------------- */

/* Owned: wasi_file_release. NULL: out of memory; fd and stream are not taken over then. */
wasi_file *wasi_file_new(int fd);
void wasi_file_release(wasi_file *file);
/* The file of a number, retained, or NULL. */
wasi_file *wasi_fd_get(wa_wasi *wasi, uint32_t number);
/* Put a file under the lowest free number; takes it over on success. An errno of WASI. */
uint32_t wasi_fd_add(wa_wasi *wasi, wasi_file *file, uint32_t *number);
uint32_t wasi_fd_move(wa_wasi *wasi, uint32_t from, uint32_t to);
void wasi_fds_free(wa_wasi *wasi);
/* What fd_fdstat_get tells of a file that nobody narrowed. */
uint64_t wasi_file_rights(const wasi_file *file, uint64_t *inheriting);
/* File type of WASI for a mode of Linux and, for sockets, their descriptor (-1: unknown). */
uint8_t wasi_filetype(mode_t mode, int fd);

/* ---- wait.c ----------------------------------------------------------------------------------------------------- */

/* Wait until one of the descriptors is ready or the deadline on the monotonic clock has passed. *ready: how many. 0, an errno
 * of WASI, or WASI_INTERRUPTED, or WASI_RAISED. */
#define WASI_NEVER UINT64_MAX
uint32_t wasi_wait(struct pollfd *fds, nfds_t count, uint64_t deadline, int *ready);

/* Wait until a descriptor that may block is ready, as far as the file's flags let it. */
uint32_t wasi_await(const wasi_file *file, short events);

/* ---- buffers.c -------------------------------------------------------------------------------------------------- */

/* The buffers of the guest, checked, but for empty ones. */
uint32_t wasi_parts(const wasi_call *call, uint32_t address, uint32_t count, struct iovec *parts, size_t *part_count);

/* ---- guard.c ---------------------------------------------------------------------------------------------------- */

/* Block the signals that a write to a closed pipe or past a size limit would send; they are errnos to the guest. */
typedef struct wasi_guard {
    bool is_needed;
    sigset_t saved;
} wasi_guard;
void wasi_guard_begin(wasi_guard *guard);
void wasi_guard_end(const wasi_guard *guard, int error);

/* ---- beneath.c -------------------------------------------------------------------------------------------------- */

/* Open a path beneath a directory: a descriptor, or -errno. flags: of open(2), O_CLOEXEC is added. */
int wasi_path_open_beneath(const wa_wasi *wasi, int directory, const char *path, int flags, mode_t mode);
bool wasi_path_has_openat2(int directory);
/* Open the directory that holds the last component of a path: a descriptor, or -errno. *last: that component with the
 * slashes behind it, inside path; path is changed. */
int wasi_path_open_parent(const wa_wasi *wasi, int directory, char *path, const char **last);

/* ---- shared between calls --------------------------------------------------------------------------------------- */

/* calls/filestat.c: write a filestat; the times of a set_times call. */
uint32_t wasi_put_filestat(const wasi_call *call, uint32_t address, const struct stat *status, int filetype);
uint32_t wasi_times(uint64_t access, uint64_t modification, uint32_t flags, struct timespec *times);
/* calls/: the functions */
#define X(name, params, results, in_unstable, digest) uint32_t wasi_##name(wasi_call *call, const uint64_t *args);
WA_WASI_FUNCTIONS(X)
WA_WASI_EMBEDDER_FUNCTIONS(X)
#undef X

#endif
