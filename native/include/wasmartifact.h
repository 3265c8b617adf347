/* The C runtime: artifacts, stores, instances, memories, tables, globals, protected calls. It knows no Python.
 *
 * Structures shared with compiled code and with the metadata format come from wa_schema.h, generated from schema.py.
 * Ownership: "owned" pointers are released by the caller with the named function; all others are borrowed and live as
 * long as the object that they came from. Functions that take a wa_error fill it and return NULL or -1 on failure.
 * Threads: a store and all that belongs to it may be used by one thread at a time, which wa_store_enter ensures.
 */
#ifndef WASMARTIFACT_H
#define WASMARTIFACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wa_schema.h"

typedef struct wa_artifact wa_artifact;
typedef struct wa_store wa_store;
typedef struct wa_instance wa_instance; /* its first bytes are struct wa_schema_instance */
typedef struct wa_memory wa_memory;     /* its first bytes are struct wa_schema_memory_head */
typedef struct wa_table wa_table;       /* its first bytes are struct wa_schema_table_head */
typedef struct wa_global wa_global;
typedef struct wa_tag wa_tag;
typedef struct wa_host wa_host;
typedef struct wa_schema_function_record wa_function;
/* A thrown exception. */
typedef struct wa_schema_exception wa_exception;

/* code: WA_ERROR_* of the schema; the other fields are the facts that its message template names. */
typedef struct wa_error {
    uint32_t code;
    int32_t system_errno;
    uint64_t where, found, expected;
    char text[104];
} wa_error;

/* object by kind: wa_function *, wa_table *, wa_memory *, wa_global *, wa_tag *. */
typedef struct wa_extern {
    uint32_t kind;
    uint32_t reserved;
    void *object;
} wa_extern;

/* ---- this host (host.c) ----------------------------------------------------------------------------------------- */

/* The features of WA_CPU_<machine>_* that this host has. */
uint64_t wa_host_cpu_features(void);

/* ---- artifacts (artifact.c, export.c) --------------------------------------------------------------------------- */

/* Check the file's head, its section table, the metadata header, the directory, their checksum and the host; map the
 * section.
 * On success the artifact owns fd. Owned: wa_artifact_release. No code of the file runs. */
wa_artifact *wa_artifact_open(int fd, wa_error *error);
/* The mapped metadata section. */
const uint8_t *wa_artifact_section(const wa_artifact *artifact, uint64_t *size_bytes);
/* Whether its module is a flattened component. */
bool wa_artifact_is_component(const wa_artifact *artifact);
/* The CPU level whose functions its instances have: 0 for the first, and until it is bound. */
uint32_t wa_artifact_cpu_level(const wa_artifact *artifact);
/* The file, borrowed. */
int wa_artifact_file(const wa_artifact *artifact);
/* Join metadata and mapped code: dl_handle from dlopen, anchor from dlsym(ANCHOR_SYMBOL), NULL where there is none.
 * Takes dl_handle over on success. */
int wa_artifact_bind(wa_artifact *artifact, void *dl_handle, const void *anchor, wa_error *error);
void wa_artifact_retain(wa_artifact *artifact);
void wa_artifact_release(wa_artifact *artifact);
/* Slot of the export index that holds this name, or UINT32_MAX. */
uint32_t wa_artifact_find_export(const wa_artifact *artifact, const char *name, size_t size_bytes);

/* ---- rows of the metadata (metadata.c, valtype.c) --------------------------------------------------------------- */

/* Every column. Those that the contract repeats are what the code was compiled with; rows of others are checked where they are
 * used. */
const struct wa_schema_columns *wa_artifact_columns(const wa_artifact *artifact);
/* A function type; all pointers are into the mapped artifact. */
typedef struct wa_signature {
    const uint32_t *params, *results;
    uint32_t param_count, result_count;
    const uint8_t *digest; /* 16 bytes */
} wa_signature;
/* The type must be in range, as wa_function_type gives it. */
wa_signature wa_type_signature(const wa_artifact *artifact, uint32_t type);
/* Canonical type of a function of the index space, or UINT32_MAX. */
uint32_t wa_function_type(const wa_artifact *artifact, uint32_t func_index);
/* Whether a code is a value type of the format. */
bool wa_valtype_is_sound(const wa_artifact *artifact, uint32_t code);

/* ---- stores (store.c, contents.c) ------------------------------------------------------------------------------- */

/* Owned: wa_store_release. A store frees its instances, memories, tables and globals, and releases their artifacts,
 * when its count drops to zero. */
wa_store *wa_store_new(void);
void wa_store_release(wa_store *store);
/* What is counted in a store with limits. */
enum { WA_COUNTED_MEMORY_BYTES, WA_COUNTED_TABLE_ELEMENTS, WA_COUNTED_INSTANCES, WA_COUNTED };
/* What its guests may take; UINT64_MAX: no limit. */
typedef struct wa_limits {
    uint64_t counted[WA_COUNTED];
    uint64_t stack_bytes; /* from the outermost call into the store */
} wa_limits;
/* Give limits to a store that is still empty: growth beyond them is refused, and so is what wa_instantiate, wa_store_adopt and
 * wa_store_join would add (over_...). -1: no memory. */
int wa_store_limit(wa_store *store, const wa_limits *limits);
/* Other limits for a store that has some, also while guests run. What is there already stays. -1: it has none. */
int wa_store_change_limits(wa_store *store, const wa_limits *limits);
/* Give a store the state of the program that its guests are, for host functions that have none of their own (wa_wasi_host). Taken
 * over: the finalizer ends it when another one is set, and with the store. The store must be entered. */
void wa_store_set_program(wa_store *store, void *program, void (*finalizer)(void *program));
void *wa_store_program(wa_store *store);
/* Make both stores one; `from` becomes an alias of `into`, which it retains. Limits, which only one of the two may have, hold
 * for all then. 0, or -1: store_busy, over_... */
int wa_store_join(wa_store *into, wa_store *from, wa_error *error);
/* Enter: true if this thread now is inside (again). wa_store_enter_within blocks for at most so long until it is; call it
 * without any lock that the thread inside may need. Every successful enter is paired with a leave. */
bool wa_store_try_enter(wa_store *store);
/* Whether no other thread is inside at this moment. */
bool wa_store_is_free(wa_store *store);
bool wa_store_enter_within(wa_store *store, uint32_t milliseconds);
void wa_store_leave(wa_store *store);
/* Make the store keep (retain) a memory, table, global or tag that the embedder made, once. 0, or -1: no_memory, over_... */
int wa_store_adopt(wa_store *store, const wa_extern *object, wa_error *error);
/* Count it in the store's limits, where it counts in none yet. 0, or -1: over_... */
int wa_store_admit(wa_store *store, const wa_extern *object, wa_error *error);
/* Call visit for every externref handle that guests have: in tables and globals that belong to the store, adopted ones included, in
 * objects and exceptions; while calls are in progress, which are all here then, for words on the stack that may be one. */
void wa_store_visit_externrefs(wa_store *store, void (*visit)(uint64_t handle, void *user), void *user);
/* True while a call is running inside the store. */
bool wa_store_is_active(const wa_store *store);
/* Whether so many calls are in progress, all of them on the stack that runs. */
bool wa_store_calls_are_here(wa_store *store, uint32_t count);

/* ---- structs and arrays (fields.c, collector.c) ------------------------------------------------------------------- */

/* A struct or an array that the embedder refers to: it lives until wa_unhold. Callers provide the storage. From any thread. */
typedef struct wa_held {
    struct wa_held *next, **link;
    wa_store *store;
    uint64_t reference;
} wa_held;
void wa_hold(wa_store *store, wa_held *held, uint64_t reference);
void wa_unhold(wa_held *held);
/* No object is freed in between: references are where only the embedder knows of them. From any thread. */
void wa_pin(wa_store *store);
void wa_unpin(wa_store *store);
/* Whether a reference, of which nothing else is known, is an object of the store. */
bool wa_store_has_object(wa_store *store, uint64_t reference);
bool wa_object_is_array(uint64_t object);
/* Number of fields, or of elements. */
uint32_t wa_object_length(uint64_t object);
/* A field or an element: where it is, a value type or VALTYPE_I8 and _I16, and what that refers to. */
typedef struct wa_slot {
    uint8_t *place;
    const struct wa_rtt *type;
    uint32_t storage, size_bytes;
    bool is_mutable;
} wa_slot;
/* The index is in range. */
wa_slot wa_object_slot(uint64_t object, uint32_t index);
/* Put a value that fits there, of one or two words. The store is the object's, and this thread has entered it. */
void wa_slot_set(wa_store *store, const wa_slot *slot, const uint64_t *bits);
/* Whether a reference, a function or of any other type that is not exn, may be put there, be a value of an exception of the tag,
 * or one of a type of an artifact that has an instance. */
bool wa_slot_takes(const wa_slot *slot, bool is_function, uint64_t reference);
bool wa_table_takes(const wa_table *table, bool is_function, uint64_t reference);
bool wa_global_takes(const wa_global *global, bool is_function, uint64_t reference);
bool wa_tag_takes(const wa_tag *tag, uint32_t param, bool is_function, uint64_t reference);
bool wa_artifact_takes(const wa_artifact *artifact, uint32_t valtype, bool is_function, uint64_t reference);

/* ---- fuel (fuel.c) ---------------------------------------------------------------------------------------------- */

/* Whether the store counts fuel, and how much is left; while a call runs, less what its code holds at the moment. */
bool wa_store_fuel(const wa_store *store, uint64_t *units);
/* Give the store so much, at most WA_FUEL_MAX. -1: it has code that counts none. The store must be entered. */
int wa_store_set_fuel(wa_store *store, uint64_t units);
/* Let code run without an end. The store must be entered. */
void wa_store_count_no_fuel(wa_store *store);

/* ---- calls (activation.c, leave.c, signals.c, thread.c) --------------------------------------------------------- */

/* Entry trampoline: reads parameters from slots, calls code(context, ...), writes results to slots. A slot is 8 bytes;
 * v128 takes two; i32 and f32 use the low half of one (results: the upper half is zero). Code that counts fuel has an empty
 * portion at first; what it gives back is returned, else nothing. */
typedef uint64_t (*wa_entry)(const void *code, void *context, uint64_t *slots);

enum { WA_RETURNED = 0, WA_TRAPPED = 1, WA_UNWOUND = 2, WA_INTERRUPTED = 3, WA_THREW = 4 };

/* One protected call on this thread; callers provide the storage; user and the flags are theirs too. */
typedef struct wa_call_info {
    void *user;          /* embedder's: reachable from host functions by wa_current_user() */
    bool is_away;        /* embedder's: while wasm runs, it can't see to a SIGINT itself, so that shall end the call */
    wa_exception *exception; /* after WA_THREW; pinned: wa_exception_unpin */
    uint32_t trap_code;  /* after WA_TRAPPED */
    uint32_t frame_count;
    struct {
        wa_artifact *artifact;
        uint32_t text_offset; /* of the trapping instruction, or of the last byte of the call instruction */
        uint32_t func_index;
    } frames[64]; /* innermost first; wasm frames of this call only. One may be several calls of its function, which text_offset
                   * tells: docs/FORMAT.md, "Copies of a body". */
} wa_call_info;

/* Run function through its entry trampoline with traps caught. The store must be entered. Returns WA_RETURNED,
 * WA_TRAPPED (info says why), WA_UNWOUND (a host function called wa_unwind), WA_INTERRUPTED or WA_THREW. function must have an
 * instance. */
int wa_call(wa_store *store, const wa_function *function, wa_entry entry, uint64_t *slots, wa_call_info *info);
/* Run the init code of a new instance (segments that are no image, computed globals, the start function), likewise. */
int wa_call_init(wa_store *store, wa_instance *instance, wa_call_info *info);
/* From inside a host function only, which was called by an instance whose code doesn't look for exceptions: leave that instance,
 * for one that does or for the innermost wa_call, which returns WA_THREW. wa_throw comes first. */
_Noreturn void wa_leave_by_exception(void);
/* From inside a host function only: leave wasm at once; the innermost wa_call returns WA_UNWOUND. */
_Noreturn void wa_unwind(void);
/* From inside a host function only: the innermost wa_call returns WA_TRAPPED with this code. */
_Noreturn void wa_trap(uint32_t trap_code);
/* Let a SIGINT that arrives on the main thread end the call there that is away, if the judge says so of the call's user, after
 * the handler that is installed has run; whether that was asked for. The judge runs on a small stack, and must not jump. heed runs
 * as a host function does, before a wait, where signals may have come that no handler of ours saw: whether the embedder has an
 * exception to raise, for which the guest is left by wa_unwind. */
typedef bool (*wa_judge)(void *user);
typedef bool (*wa_heed)(void);
int wa_interrupts_watch(wa_judge judge, wa_heed heed, wa_error *error);
bool wa_interrupts_watched(void);
/* Whether a SIGINT came to this thread, the main one, that nobody has seen to; after this call somebody has. A call that
 * starts away ends at once if one came since. */
bool wa_take_interrupt(void);
/* From inside a host function only, before it goes back to a call that is away: leave wasm if a SIGINT or a stop came. */
void wa_leave_if_interrupted(void);
/* info->user of the innermost call of this thread, or NULL. */
void *wa_current_user(void);
/* Around code of the embedder that runs inside of a host function: it sees to a SIGINT itself, and may switch to another stack
 * of this thread, where it calls wasm, and come back. mark: what it knows the stack by that runs now. */
void wa_embedder_begins(const void *mark);
/* WA_GOES_ON, or what keeps the call from going on: WA_SIGINT_CAME, once, or WA_INTERLEAVED. The latter has described the trap in
 * the call's info: a call that began later in the same store, on another stack, has not ended. The caller has to leave wasm. */
enum { WA_GOES_ON, WA_SIGINT_CAME, WA_INTERLEAVED };
int wa_embedder_ends(void *user);
/* While it still runs, on the stack of the call that it ends for: whether that is going to be something else than interleaved. */
bool wa_embedder_is_back(void *user);
/* While it still runs: whether a stop ends the innermost call now, whose info describes the trap then. */
bool wa_embedder_is_stopped(void);
/* Have the embedder tell whether a mark is of the stack that runs; user is of a call on that, or NULL. */
void wa_stacks_tell_apart(bool (*runs_here)(void *user, const void *mark));
/* Whether a host function that needs room on the stack shall trap instead: less than 64 KiB are left above the limit for wasm,
 * and less than an eighth of a small stack. */
bool wa_stack_is_short(void);

/* ---- stops (stop.c): what ends calls from outside --------------------------------------------------------------- */

/* All calls inside the store end with WA_TRAP_DEADLINE_EXCEEDED when the deadline is over, and those that start later at once,
 * until wa_deadline_end. Callers provide the storage, and keep the store alive meanwhile. The nearest of several counts.
 * 0, or -1: the thread that watches can't be started. */
typedef struct wa_deadline {
    struct wa_deadline *previous, *next; /* in the order of their ends, while it is not over */
    wa_store *store;
    uint64_t end_nanoseconds; /* of the monotonic clock */
    bool is_over;
} wa_deadline;
int wa_deadline_begin(wa_deadline *deadline, wa_store *store, uint64_t nanoseconds, wa_error *error);
void wa_deadline_end(wa_deadline *deadline);
/* The innermost call inside the store ends with WA_TRAP_INTERRUPTED, one that it made into another store included; where none
 * runs, the next one does. From any thread. */
int wa_store_interrupt(wa_store *store, wa_error *error);
/* The calls between begin and end, of a thread that is inside the store, can be ended apart from those of others. Begin gives
 * -1, and is not to be followed by end, where the ticket was cancelled before. */
typedef struct wa_ticket {
    struct wa_ticket *outer;
    wa_store *store; /* between begin and end, else NULL */
    bool is_cancelled;
} wa_ticket;
int wa_ticket_begin(wa_ticket *ticket, wa_store *store);
void wa_ticket_end(wa_ticket *ticket);
/* From any thread, before, between and after begin and end. */
int wa_ticket_cancel(wa_ticket *ticket, wa_error *error);
/* The signal that is sent to threads whose calls shall end; SIGURG at first. -1: not one that can be taken. */
int wa_stop_signal_set(int number);

/* ---- functions (function.c) ------------------------------------------------------------------------------------- */

/* A function that is no WebAssembly: of the embedder, or of this runtime (WASI). invoke(record, slots) reads parameters from
 * slots and writes results there; record->host is the host, record->instance the calling instance. digest: of the type, 16
 * bytes, copied. user is what invoke works on, ends with the finalizer; face is the embedder's object for the function,
 * borrowed. Owned: wa_host_release. Every instance bound to it retains it. */
typedef void (*wa_invoke)(wa_function *record, uint64_t *slots);
typedef void (*wa_finalizer)(void *user);
wa_host *wa_host_new(wa_invoke invoke, const uint8_t *digest, void *user, wa_finalizer finalizer);
void wa_host_release(wa_host *host);
void *wa_host_user(const wa_host *host);
void *wa_host_face(const wa_host *host);
void wa_host_set_face(wa_host *host, void *face);
/* The host's unbound record: what an import or a funcref of it is. */
wa_function *wa_host_function(wa_host *host);
/* wasm functions: signature from the metadata, entry trampoline (NULL where the artifact has none), short flag. */
int wa_function_signature(const wa_function *function, wa_signature *signature);
wa_entry wa_function_entry(const wa_function *function);
bool wa_function_is_short(const wa_function *function);

/* ---- instances (instance.c, record.c, export.c) ----------------------------------------------------------------- */

/* Link and initialise, but run no code: externs has one entry per import row, in order. The store must be entered and
 * owns the instance. On failure nothing is left behind. Follow with wa_call_init. */
wa_instance *wa_instantiate(wa_store *store, wa_artifact *artifact, const wa_extern *externs, size_t extern_count,
                            wa_error *error);
/* Undo wa_instantiate, before any code of the instance ran and anything else referred to it. The store must be entered. */
void wa_instance_discard(wa_instance *instance);
wa_artifact *wa_instance_artifact(const wa_instance *instance);
/* What the instance is part of for the embedder, which host functions find it by; NULL until it is set, and after that is gone. */
void wa_instance_set_owner(wa_instance *instance, void *owner);
void *wa_instance_owner(const wa_instance *instance);
/* The export in this slot of the export index as an extern; the object is borrowed from the instance. */
int wa_instance_export(wa_instance *instance, uint32_t slot, wa_extern *result, wa_error *error);
/* The memory that the instance exports under the name "memory", or NULL; borrowed. */
wa_memory *wa_instance_memory(wa_instance *instance);
/* The function record of an index of the function index space, which must be in range; NULL: no memory. */
wa_function *wa_instance_function(wa_instance *instance, uint32_t func_index);

/* ---- snapshots (snapshot.c): what an instance holds, as slots and images of the format -------------------------- */

/* A look at an instance of an entered store in which no call runs; it ends before the store is left. Owned: wa_snapshot_end.
 * NULL: no memory. Indices are those of the index spaces, in range. */
typedef struct wa_snapshot wa_snapshot;
wa_snapshot *wa_snapshot_begin(wa_instance *instance);
/* How many imports of a kind there are: they come first in its index space. */
uint32_t wa_snapshot_imported(const wa_snapshot *snapshot, uint32_t kind);
void wa_snapshot_end(wa_snapshot *snapshot);
/* Slots that stand for what no artifact can hold; every other one is 0 or func_index << 1 | 1. */
enum {
    WA_SNAPSHOT_HOST_FUNCTION = 2,
    WA_SNAPSHOT_OTHER_FUNCTION = 4, /* of another instance */
    WA_SNAPSHOT_HOST_OBJECT = 6,
    WA_SNAPSHOT_EXCEPTION = 8,
    WA_SNAPSHOT_OBJECT = 10, /* a struct or an array */
    WA_SNAPSHOT_NUMBER = 12, /* of 31 bits */
};
uint64_t wa_snapshot_table_size(const wa_snapshot *snapshot, uint32_t table_index);
/* False: no memory. */
bool wa_snapshot_table(const wa_snapshot *snapshot, uint32_t table_index, uint64_t *slots, uint64_t count);
/* 16 bytes of a global that the instance defines; a reference is a slot. */
void wa_snapshot_global(const wa_snapshot *snapshot, uint32_t global_index, uint8_t *cell);
/* An element segment: 0 where it was dropped. */
uint64_t wa_snapshot_segment_size(const wa_snapshot *snapshot, uint32_t segment);
void wa_snapshot_segment(const wa_snapshot *snapshot, uint32_t segment, uint64_t *slots, uint64_t count);
/* Per data segment: 1 where it was dropped. */
const uint8_t *wa_snapshot_dropped(const wa_snapshot *snapshot);
wa_memory *wa_snapshot_memory(const wa_snapshot *snapshot, uint32_t memory_index);
/* The next stretch of whole pages from *start on, a page's start, that is not zero but for gaps of less than gap_bytes. The last
 * page may reach beyond the memory's end. False: there is none. */
bool wa_memory_used(const wa_memory *memory, uint64_t page_bytes, uint64_t gap_bytes, uint64_t *start, uint64_t *end);

/* ---- memories, tables, globals, tags (memory.c, table.c, global.c, tag.c, extern.c) ----------------------------- */

/* By kind; nothing is done for functions and for kinds of the embedder. */
void wa_extern_retain(uint32_t kind, void *object);
void wa_extern_release(uint32_t kind, void *object);

/* Counted on their own: buffers may outlive the store. Owned: wa_memory_release. max UINT64_MAX: none. */
wa_memory *wa_memory_new(uint64_t min_pages, uint64_t max_pages, uint32_t flags, uint32_t page_log2, wa_error *error);
void wa_memory_retain(wa_memory *memory);
void wa_memory_release(wa_memory *memory);
uint8_t *wa_memory_base(const wa_memory *memory);
uint64_t wa_memory_size(const wa_memory *memory);
uint32_t wa_memory_page_log2(const wa_memory *memory);
uint64_t wa_memory_max_pages(const wa_memory *memory);
uint32_t wa_memory_flags(const wa_memory *memory);
int64_t wa_memory_grow(wa_memory *memory, uint64_t delta_pages);

/* References cross as 64 bits: funcref is a wa_function *, externref the embedder's handle, whose four
 * low bits are 0100; or what WebAssembly made an externref of: a multiple of 16, an object, or a number with REFERENCE_I31. 0 is
 * null. */
wa_table *wa_table_new(uint32_t valtype, uint64_t min, uint64_t max, uint32_t flags, uint64_t init, wa_error *error);
void wa_table_retain(wa_table *table);
void wa_table_release(wa_table *table);
uint64_t wa_table_size(const wa_table *table);
uint32_t wa_table_valtype(const wa_table *table);
uint64_t wa_table_max(const wa_table *table);
uint32_t wa_table_flags(const wa_table *table);
/* A tagged slot becomes the reference that it stands for. 0, or a trap: the index is out of range, or there is no memory. */
uint32_t wa_table_get(wa_table *table, uint64_t index, uint64_t *reference);
/* 0, or -1 where the index is out of range. */
int wa_table_set(wa_table *table, uint64_t index, uint64_t reference);
int64_t wa_table_grow(wa_table *table, uint64_t delta, uint64_t init);

/* A cell is 16 bytes, value in the low ones. */
wa_global *wa_global_new(uint32_t valtype, bool is_mutable, const uint8_t *cell);
void wa_global_retain(wa_global *global);
void wa_global_release(wa_global *global);
uint8_t *wa_global_cell(const wa_global *global);
uint32_t wa_global_valtype(const wa_global *global);
bool wa_global_is_mutable(const wa_global *global);

/* digest: of the function type with these parameters and no results. Copied, as are the value types. */
wa_tag *wa_tag_new(const uint8_t *digest, const uint32_t *params, uint32_t param_count);
/* Value types of what an exception of this tag carries. */
const uint32_t *wa_tag_params(const wa_tag *tag, uint32_t *count);
void wa_tag_retain(wa_tag *tag);
void wa_tag_release(wa_tag *tag);

/* ---- exceptions (exception.c); the store must be entered -------------------------------------------------------- */

/* A new exception with room for its values, which are zero: 8 bytes each, 16 for v128, as in the slots of calls. The store's
 * collector owns it; it is safe from the collector once it is thrown. NULL: no memory. */
wa_exception *wa_exception_new(wa_store *store, wa_tag *tag);
wa_tag *wa_exception_tag(const wa_exception *exception); /* borrowed */
uint64_t *wa_exception_values(wa_exception *exception);
uint32_t wa_valtype_slots(uint32_t valtype);
bool wa_valtype_is_exnref(uint32_t valtype);
/* From inside a host function only: make an exception pending. Compiled code sees it when the host function returns, where
 * wa_instance_checks_exceptions; else wa_leave_by_exception is to follow. */
void wa_throw(wa_store *store, wa_exception *exception);
bool wa_instance_checks_exceptions(const wa_instance *instance);
/* From inside a host function: whether the call came from another instance that looks for exceptions, or may have. */
bool wa_call_is_across(void);
/* The embedder has read what WA_THREW gave it; the exception is not to be touched any more. Takes no entering. */
void wa_exception_unpin(wa_store *store);

#endif
