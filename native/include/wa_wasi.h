/* WASI preview 1 as host functions of the C runtime. It knows no Python. Ownership as in wasmartifact.h. */
#ifndef WA_WASI_H
#define WA_WASI_H

#include "wasmartifact.h"

/* What a WASI program sees: arguments, environment, descriptors. Counted: each function of it retains it. Its functions may be
 * called by several stores at once. */
typedef struct wa_wasi wa_wasi;

/* A stream that the embedder reads and writes. Both work on the parts in order and return the number of bytes, at most
 * their sum; or -1 where the embedder has an exception to raise, for which the guest is left by wa_unwind. */
struct iovec;
typedef struct wa_wasi_stream {
    int64_t (*read)(void *user, const struct iovec *parts, size_t count);
    int64_t (*write)(void *user, const struct iovec *parts, size_t count);
    void (*finalizer)(void *user);
    void *user;
} wa_wasi_stream;

/* args and environ: zero-terminated strings one after the other, copied. exit is called from inside a host function when the
 * program calls proc_exit; the guest is then left by wa_unwind. Owned: wa_wasi_release. NULL: out of memory. */
typedef struct wa_wasi_strings {
    const char *bytes;
    size_t count, size_bytes;
} wa_wasi_strings;
typedef void (*wa_wasi_exit)(uint32_t code);
wa_wasi *wa_wasi_new(const wa_wasi_strings *args, const wa_wasi_strings *environ, wa_wasi_exit exit);
void wa_wasi_release(wa_wasi *wasi);
/* Add the next descriptor, the first one being 0. fd is the host's, taken over on success; a stream is copied and taken over
 * on success, NULL reads as empty and discards what is written. direction: WA_WASI_INPUT | WA_WASI_OUTPUT, what the program
 * may do with it. 0, or an errno. */
enum { WA_WASI_INPUT = 1, WA_WASI_OUTPUT = 2 };
int wa_wasi_add_fd(wa_wasi *wasi, int fd, int direction, uint32_t *number);
int wa_wasi_add_stream(wa_wasi *wasi, const wa_wasi_stream *stream, int direction);
int wa_wasi_add_directory(wa_wasi *wasi, int fd, const char *guest_path, bool is_read_only);
/* No more descriptors than this may be open at a time, before the program starts. */
void wa_wasi_limit_descriptors(wa_wasi *wasi, uint32_t limit);
/* Resolve paths without openat2, as on kernels before 5.6. */
void wa_wasi_avoid_openat2(wa_wasi *wasi);

/* The functions: count, names, types as letters (i i32, l i64), whether the older module wasi_unstable has it. */
typedef struct wa_wasi_function {
    const char *name, *params, *results;
    const uint8_t *digest; /* 16 bytes, of the type */
    bool is_in_unstable;
} wa_wasi_function;
extern const wa_wasi_function wa_wasi_functions[];
extern const size_t wa_wasi_function_count;
/* With those behind them that no guest imports. */
extern const size_t wa_wasi_all_function_count;
/* Make a host function of it. wasi NULL: of the program of the store that calls it (wa_store_set_program). Owned:
 * wa_host_release. */
wa_host *wa_wasi_host(wa_wasi *wasi, size_t index, bool is_unstable);

/* Call a function (index below wa_wasi_all_function_count) with memory of the embedder's in the place of a guest's: an errno, or one
 * of these. WA_WASI_RAISED: as a stream does; WA_WASI_INTERRUPTED: it did nothing, as a SIGINT or a stop came. It may wait, and goes
 * through streams, only where a call from outside runs that is not in the embedder's code. */
enum { WA_WASI_RAISED = 0x10000, WA_WASI_INTERRUPTED };
uint32_t wa_wasi_call(wa_wasi *wasi, size_t index, uint8_t *memory, uint64_t memory_bytes, const uint64_t *args);
/* Close a descriptor, from anywhere. False: it is not open. */
bool wa_wasi_close(wa_wasi *wasi, uint32_t number);

/* The program whose function this is, borrowed; NULL: it is no function of WASI. */
wa_wasi *wa_wasi_of(const wa_function *function, wa_store *store);
/* Make it the program of a store, which retains it. The store must be entered. */
void wa_wasi_set_program(wa_store *store, wa_wasi *wasi);
/* The first descriptor from *number on that the program opened or moved: *fd is the host's, which is open until the program runs
 * again, or -1. False: there is none. */
bool wa_wasi_next_own(wa_wasi *wasi, uint32_t *number, int *fd);
/* Whether the program gave up rights of a descriptor. */
bool wa_wasi_is_narrowed(const wa_wasi *wasi);

#endif
