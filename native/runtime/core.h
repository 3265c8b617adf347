/* Private structures of the C runtime, shared by its files; nothing here is visible to the embedder. */
#ifndef WA_CORE_H
#define WA_CORE_H

#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "wasmartifact.h"

#define WA_UNUSED __attribute__((unused))
#define WA_COLD __attribute__((cold, noinline))

/* A column of the mapped metadata: count values at data. Absent columns have count 0. */
typedef struct wa_column {
    const void *data;
    uint64_t count;
} wa_column;

/* Every known column by name, and the number of rows of every group. */
typedef struct wa_columns {
#define X(id, name, element_size, shape, group) wa_column name;
    WA_COLUMNS(X)
#undef X
} wa_columns;

/* Room for the header, the column directory, which has 24 bytes for each of some 80 columns, and the columns of a few
 * values, which come first. */
enum { WA_FRONT_BYTES = 8192 };

struct wa_artifact {
    atomic_uint references;
    int fd;
    const uint8_t *section; /* mapped, read-only */
    uint64_t section_size_bytes;
    uint64_t section_file_offset;
    const struct wa_schema_metadata_header *header; /* the copy in front */
    const struct wa_schema_directory_entry *directory; /* in front, or in the section where that has no room */
    wa_columns columns;
    void *dl_handle;
    const uint8_t *text; /* NULL until bound */
    const uint8_t *type_digests;
    size_t front_size_bytes;
    _Alignas(8) uint8_t front[WA_FRONT_BYTES]; /* the first bytes of the section; columns that end here are read here */
};

/* Typed access to a column; the caller has bounds-checked the row. */
#define WA_COLUMN(artifact, name, type) ((const type *)(artifact)->columns.name.data)
#define WA_ROWS(artifact, name) ((artifact)->columns.name.count)

/* Functions that come before those with code. */
static inline uint64_t wa_imported_functions(const wa_artifact *artifact)
{
    return WA_ROWS(artifact, function) - WA_ROWS(artifact, code_wasm_offset);
}

/* What an object needs to lie in the pool (pool.c) between two instances of its artifact. */
typedef struct wa_spare {
    struct wa_spare *next;
    wa_artifact *artifact; /* retained while the object is in use, not while it lies in the pool; NULL: never goes there */
    uint32_t kind, index;  /* WA_KIND_MEMORY or WA_KIND_TABLE, and which one of the artifact */
    uint64_t size_bytes;   /* accessible from the start, before anything grows */
    void *object;
    void (*free)(void *object);
} wa_spare;

struct wa_memory {
    struct wa_schema_memory_head head;
    wa_spare spare;
    atomic_uint references;
    uint32_t flags;
    uint32_t page_log2;
    uint64_t max_pages;
    uint64_t reserved_bytes; /* from head.base */
};

/* A value type that means the same in every artifact: a concrete heap type is known by its digest, not by its index. */
typedef struct wa_valtype {
    uint32_t code;
    uint8_t digest[16]; /* zero for all other types */
} wa_valtype;

struct wa_table {
    struct wa_schema_table_head head;
    wa_spare spare;
    atomic_uint references;
    uint32_t flags;
    wa_valtype valtype;
    uint64_t max;
    uint64_t capacity;     /* slots that the storage holds */
    uint64_t mapped_bytes; /* size of the mapping that holds the slots; 0: they are on the heap */
};

struct wa_global {
    atomic_uint references;
    wa_valtype valtype;
    bool is_mutable;
    uint8_t *cell;    /* own_cell, or a cell of an instance record */
    _Alignas(16) uint8_t own_cell[16];
};

struct wa_tag {
    atomic_uint references;
    uint8_t digest[16];
    uint32_t param_count;
    uint32_t params[]; /* value types; concrete heap types as the defining module numbers them */
};

struct wa_host {
    atomic_uint references;
    wa_invoke invoke;
    void *user;
    void *face; /* borrowed */
    wa_finalizer finalizer;
    uint8_t digest[16];
    wa_function function; /* unbound: code is null */
};

/* A function of the host, or of another instance, bound to an instance: compiled code can call record.code. */
typedef struct wa_binding {
    struct wa_binding *next;
    const void *key; /* the host, or the function's own record */
    wa_host *host;   /* retained; NULL for a function of another instance, which the store keeps */
    wa_function record;
} wa_binding;

/* The private part of an instance; the record (struct wa_schema_instance and what follows) is a separate block. */
typedef struct wa_details {
    struct wa_instance *instance;
    struct wa_details *next; /* in the store */
    wa_artifact *artifact;   /* retained */
    wa_binding **bindings;    /* buckets of a hash by key, and behind them room for as many bindings as there are imports */
    uint32_t binding_buckets; /* a power of two */
    uint32_t free_bindings;   /* of that room */
    wa_global **globals;     /* objects of exported or imported globals by index, created on demand; retained */
    wa_memory *exported_memory; /* the export "memory", once it was looked for; borrowed */
    bool looked_for_memory;
    void **element_storage;  /* computed element segments by index, or NULL */
    uint32_t imported_functions, imported_tables, imported_memories, imported_globals, imported_tags;
    uint32_t built_tables, built_memories; /* how many slots hold a retained object: for undoing a failed link */
    uint32_t built_tags;
} wa_details;

struct wa_instance {
    struct wa_schema_instance head;
};

typedef struct wa_adopted {
    struct wa_adopted *next;
    wa_extern object; /* retained */
} wa_adopted;

struct wa_store {
    atomic_uint references;
    _Atomic(wa_store *) forward; /* after a join: the store that stands for this one; retained */
    _Atomic(uintptr_t) owner;    /* identity of the thread inside, 0: none */
    atomic_uint waiters;
    pthread_mutex_t mutex; /* only for waiting */
    pthread_cond_t left;
    uint32_t depth;   /* enters of the owner */
    uint32_t active;  /* calls in progress */
    uint64_t stack_limit; /* what the instances hold */
    wa_details *instances;
    wa_adopted *adopted;
    wa_exception *pending;      /* thrown and not caught yet: compiled code is returning */
    wa_exception **exceptions;  /* all that live, in no order */
    uint64_t exception_count, exception_capacity, exceptions_collect_at;
    atomic_uint exception_pins; /* how many of them the embedder is looking at */
    void *operands;             /* what the instances hold; NULL until an artifact needs it */
};

/* One protected call: on the stack of wa_call, linked from the innermost outwards. */
typedef struct wa_activation {
    struct wa_activation *previous;
    wa_store *store;
    wa_call_info *info;
    int outcome;
    uint8_t deadly_signals; /* WASI: what a failing write would do; 0: not looked at yet */
    sigjmp_buf landing;
} wa_activation;

/* Per thread; initial-exec so that the signal handler reaches it without a call. */
typedef struct wa_thread {
    wa_activation *current;
    uint64_t stack_size_bytes;
    uint64_t stack_limit; /* lowest stack pointer at which wasm may start a function */
    uintptr_t chaining;   /* frame of the handler that hands a signal on */
    volatile bool is_interrupted; /* a SIGINT came, and compiled code that could be left at once was not running */
    bool is_ready;
} wa_thread;
extern _Thread_local wa_thread wa_this_thread;

/* error.c */
WA_COLD int wa_fail(wa_error *error, uint32_t code, uint64_t where, uint64_t found, uint64_t expected, const char *text);
WA_COLD int wa_fail_system(wa_error *error, uint32_t code, uint64_t expected, const char *text);

/* metadata.c */
/* Header and directory of the mapped section: fills in artifact->columns. */
int wa_metadata_check(wa_artifact *artifact, wa_error *error);
/* Whether this host can run the artifact. */
int wa_host_check(const wa_artifact *artifact, wa_error *error);

/* checksum.c: compare load_checksum. head: the first head_size_bytes of the file; what strip rewrites becomes zero. */
int wa_load_checksum_check(const wa_artifact *artifact, uint8_t *head, wa_error *error);

/* metadata.c, continued */
uint32_t wa_canonical_type(const wa_artifact *artifact, uint32_t type_index);
/* Canonical type of a function of the index space, or UINT32_MAX. */
uint32_t wa_function_type(const wa_artifact *artifact, uint32_t func_index);
/* Whether a code is a value type of the format. */
bool wa_valtype_is_sound(const wa_artifact *artifact, uint32_t code);
/* The value type of a column, with its digest where it has one. */
wa_valtype wa_valtype_of(const wa_artifact *artifact, uint32_t code);
/* Offset column: first and last + 1 index of a row in its target, clipped to target_count. */
void wa_span(const uint32_t *offsets, uint64_t row, uint64_t target_count, uint64_t *start, uint64_t *end);

/* host.c: the LLVM name of one WA_CPU_<machine>_* mask. */
const char *wa_cpu_feature_name(uint64_t mask);
uint32_t wa_host_machine(void);

/* signals.c: all async-signal code. */
int wa_signals_ensure(wa_error *error);
void wa_thread_prepare(void);
void wa_capture_frames(wa_store *store, wa_call_info *info, uintptr_t pc, uintptr_t stack_pointer, uintptr_t frame_pointer);

/* activation.c: from inside a call, call a function of another instance; what ends that call early ends this one too. */
void wa_call_across(const wa_instance *caller, const wa_function *function, wa_entry entry, uint64_t *slots);
/* Leave wasm at once; the innermost call returns WA_INTERRUPTED. */
_Noreturn void wa_interrupt(void);

/* store.c */
void wa_store_set_stack_limit(wa_store *store, uint64_t limit);
/* Takes the block over. The store has none yet. */
void wa_store_set_operands(wa_store *store, void *operands);

/* Call visit for every reference in tables, globals and element segments of the store whose type is wanted. */
void wa_store_visit_references(wa_store *store, bool (*wants)(uint32_t valtype), void (*visit)(uint64_t, void *), void *user);

/* exception.c; stores are roots here */
void wa_exceptions_collect(wa_store *store);
void wa_exceptions_free(wa_store *store);
/* Give all exceptions to the other store; -1: no memory. */
int wa_exceptions_move(wa_store *into, wa_store *from);
/* It was caught, and the catch made no exnref. */
void wa_exception_done(wa_store *store, wa_exception *exception);

/* instance.c */
/* What compiled code of the instance can call: the function itself, or a binding. NULL: no memory, or no trampoline for it. */
wa_function *wa_instance_callable(wa_instance *instance, wa_function *function, uint32_t canonical_type);
/* Whether compiled code of the artifact returns when an exception is pending. */
bool wa_checks_exceptions(const wa_artifact *artifact);
wa_details *wa_instance_details(const wa_instance *instance);
struct wa_schema_memory_slot *wa_memory_slots(const wa_instance *instance);
wa_table **wa_table_slots(const wa_instance *instance);
wa_tag *wa_instance_tag(const wa_instance *instance, uint32_t index);
void wa_instance_free(wa_details *details);

/* function.c */
/* Make room for the bindings of this many imports; -1: no memory. */
int wa_bindings_prepare(wa_details *details, uint64_t imports);
wa_function *wa_bind_host(wa_instance *instance, wa_host *host, uint32_t canonical_type);
/* A record for a function of another instance whose code can't call it as it is: the call goes through slots and the function's
 * entry trampoline, and has a landing of its own. NULL: no memory, or one of the trampolines is missing. */
wa_function *wa_bind_function(wa_instance *instance, wa_function *function, uint32_t canonical_type);
void wa_bindings_free(wa_details *details);

/* pool.c */
/* A clean memory or table of an earlier instance, or NULL. The caller owns it, and sets its count. */
void *wa_pool_take(wa_artifact *artifact, uint32_t kind, uint32_t index);
/* Takes the object over, which must be clean. The caller still holds the artifact and releases it afterwards. */
void wa_pool_put(wa_spare *spare);
/* Free what belongs to an artifact that is about to go; NULL: everything. True where there was something. */
bool wa_pool_drop(const wa_artifact *artifact);

/* memory.c */
/* Whether compiled code checks every access to such a memory; else it relies on a reservation for all that it can reach. */
bool wa_memory_is_checked(uint32_t flags, uint32_t page_log2);
wa_memory *wa_memory_new_image(wa_artifact *artifact, uint32_t memory_index, wa_error *error);

/* table.c */
wa_table *wa_table_new_image(wa_artifact *artifact, uint32_t table_index, wa_error *error);
/* The reference in a slot, materialised and stored back; 0 null. index must be in range. */
uint64_t wa_table_materialise(wa_table *table, uint64_t index);

/* libcalls.c: the runtime functions that compiled code calls. */
extern const struct wa_schema_calls wa_runtime_calls;

#endif
