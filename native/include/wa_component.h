/* Components: the canonical ABI on a flattened module. It knows no Python. Ownership as in wasmartifact.h.
 *
 * A value is passed as its bytes in the layout that it has in memory, whose pointers lead into a guest's memory; what is passed
 * in registers goes through such bytes, too. Whatever a guest or the columns say is checked before it is used. Functions that
 * can fail return 0, a WA_TRAP_* code, or WAC_RAISED where the embedder has an error of its own. */
#ifndef WA_COMPONENT_H
#define WA_COMPONENT_H

#include "wasmartifact.h"

#define WAC_RAISED UINT32_MAX
/* flat_count of what no call passes in registers. */
#define WAC_NOT_FLAT UINT8_MAX
/* Bytes of a value that is passed in registers, at most. */
enum { WAC_FLAT_BYTES = 512 };

/* ---- the description (description.c) ---------------------------------------------------------------------------- */

/* A type. Of a func, the layout is that of its parameters as a tuple, and the last part its result. */
typedef struct wac_type {
    uint8_t kind;               /* WA_CTYPE_* */
    uint8_t align_bytes;
    uint8_t discriminant_bytes; /* of variant, option, result, enum; of flags, all bytes */
    uint8_t flat_count;
    bool is_plain;              /* bytes that mean the same everywhere: numbers */
    uint8_t depth;              /* of types within types: 0 of those without parts; UINT8_MAX: as many or more */
    uint8_t flat[WA_MAX_FLAT_PARAMS]; /* low bytes of the value types */
    uint32_t size_bytes;
    uint32_t payload_offset;
    uint32_t item_count;
    uint32_t resource;          /* of own and borrow */
    const struct wa_schema_component_item *items;
    const struct wac_type *const *parts; /* per item, NULL where it has no type */
    const uint32_t *offsets;    /* of the fields of record, tuple, func */
} wac_type;

typedef struct wa_component {
    wa_artifact *artifact; /* retained */
    uint32_t type_count, item_count, resource_count, canon_count, extern_count, name_count, import_count, note_count;
    uint32_t sub_count; /* component instances in it */
    /* Of a snapshot: handles of each component instance, and objects of the embedder that they stand for. Else NULL and 0. */
    const struct wa_schema_component_table *tables;
    const struct wa_schema_component_handle *handles;
    const uint32_t *host_object_kinds, *host_object_names;
    const char *host_object_name_bytes;
    uint32_t host_object_count;
    wac_type *types;
    const struct wa_schema_component_resource *resources;
    const struct wa_schema_component_canon *canons;
    const struct wa_schema_component_extern *externs;
    /* NULL where there are none; kinds and texts are not known to be right, externs and rows of names are. */
    const struct wa_schema_component_note *notes;
    const uint32_t *names;
    const char *name_bytes;
    uint32_t name_bytes_count;
    const wac_type **part_storage;
    uint32_t *offset_storage;
    wa_host **hosts; /* per import: what stands for it in all instances; NULL before wa_component_link */
} wa_component;

/* Read and check the component columns of an artifact. Owned: wa_component_release. */
wa_component *wa_component_open(wa_artifact *artifact, wa_error *error);
void wa_component_release(wa_component *component);
/* A name by the number that rows have, which counts from 1; empty where there is none. */
const char *wa_component_name(const wa_component *component, uint32_t number, size_t *size_bytes);
/* Whether a canon's core function has the type that its component type asks for, and all that it names exists. */
bool wa_component_canon_is_sound(const wa_component *component, uint32_t canon);
/* Cases of a variant, an option or a result: the part of each, with none for an option's first. */
static inline uint32_t wac_case_count(const wac_type *type)
{
    return type->kind == WA_CTYPE_OPTION ? 2 : type->item_count;
}
static inline const wac_type *wac_case(const wac_type *type, uint32_t number)
{
    if (type->kind == WA_CTYPE_OPTION)
        return number == 0 ? NULL : type->parts[0];
    return type->parts[number];
}
static inline const wac_type *wac_result(const wac_type *function)
{
    return function->parts[function->item_count - 1];
}

/* ---- instances (instance.c, handles.c) -------------------------------------------------------------------------- */

typedef struct wac_handle {
    uint32_t resource; /* + 1; 0: free */
    uint32_t rep;      /* of a free one: the next free one */
    uint32_t lends;
    bool is_own;
    struct wac_scope *scope; /* of a borrow: the call that it is for */
} wac_handle;

/* A component instance within the component. */
typedef struct wac_sub {
    wac_handle *handles; /* owned; the first one is never used */
    uint32_t count, capacity, free;
    bool may_not_leave;
} wac_sub;

/* A core function, and how it is called. */
typedef struct wac_callee {
    const wa_function *function; /* NULL: there is none */
    wa_entry entry;              /* NULL: the artifact has none for its type */
    bool is_short;
} wac_callee;

/* What a canonical function works with. */
typedef struct wac_options {
    uint8_t encoding;
    uint32_t sub;
    uint8_t *base;                            /* of the memory; NULL without one */
    const struct wa_schema_memory_head *memory;
    wac_callee lifted, realloc, post_return;
} wac_options;

/* A call that borrows: handles that were made for it, and lends that end with it. */
typedef struct wac_scope {
    uint32_t borrows;
    uint32_t first_lend;
} wac_scope;

typedef struct wac_lend {
    uint32_t sub, index;
} wac_lend;

/* Handles cost their guest nothing, and the embedder its objects. */
enum { WAC_MAX_HANDLES = 100000, WAC_MAX_TABLE = 1 << 28 /* MAX_TABLE_LENGTH of the canonical ABI */ };

typedef struct wa_component_instance {
    const wa_component *component;
    wa_instance *core; /* NULL until it is linked */
    wac_sub *subs;
    wac_options *options; /* per canon; the flag beside says whether it was found, which few ever are */
    bool *is_resolved;
    wac_lend *lends;
    uint32_t lend_count, lend_capacity;
    uint32_t max_handles; /* of each component instance; the embedder may set it */
    bool is_poisoned, is_entered;
    /* Of the embedder: run a core function, where no C frame may be jumped over; NULL: jump. 0 or WAC_RAISED. */
    uint32_t (*run)(struct wa_component_instance *instance, const wac_callee *callee, uint64_t *slots);
    /* An owned resource of the embedder's ends. 0 or WAC_RAISED. */
    uint32_t (*drop)(struct wa_component_instance *instance, uint32_t resource, uint32_t rep);
} wa_component_instance;

/* With the handles of a snapshot. 0, or -1: no memory. The caller provides the storage, and ends it by wa_component_instance_end. */
int wa_component_instance_begin(wa_component_instance *instance, const wa_component *component);
void wa_component_instance_end(wa_component_instance *instance);
wac_callee wac_callee_of(const wa_function *function);
/* What a canon of a linked instance works with; NULL: its columns are damaged. */
const wac_options *wac_options_of(wa_component_instance *instance, uint32_t canon);

/* Put a handle into the table of a component instance: 0, or the trap where there is no room for it. */
uint32_t wac_handle_new(wa_component_instance *instance, uint32_t sub, wac_handle handle, uint32_t *index);
/* The handle, or NULL with the trap. */
wac_handle *wac_handle_get(wa_component_instance *instance, uint32_t sub, uint32_t index, uint32_t resource, uint32_t *trap);
/* Free its place. */
void wac_handle_free(wa_component_instance *instance, uint32_t sub, uint32_t index);
/* An owned handle leaves the table: its rep. */
uint32_t wac_take_own(wa_component_instance *instance, uint32_t sub, uint32_t index, uint32_t resource, uint32_t *rep);
/* A handle is lent for a call: its rep. */
uint32_t wac_lend_handle(wa_component_instance *instance, uint32_t sub, uint32_t index, uint32_t resource, uint32_t *rep);
/* A borrowed resource for a call into a component instance: the rep itself for the one that defines it. */
uint32_t wac_give_borrow(wa_component_instance *instance, uint32_t sub, uint32_t resource, uint32_t rep, wac_scope *scope,
                         uint32_t *value);
static inline void wac_scope_begin(const wa_component_instance *instance, wac_scope *scope)
{
    scope->borrows = 0;
    scope->first_lend = instance->lend_count;
}
/* What was lent since the scope began is lent no more. */
void wac_end_lends(wa_component_instance *instance, const wac_scope *scope);
/* 0, or WA_TRAP_BORROWS_REMAIN. */
static inline uint32_t wac_scope_end(wa_component_instance *instance, const wac_scope *scope)
{
    if (instance->lend_count > scope->first_lend)
        wac_end_lends(instance, scope);
    return scope->borrows == 0 ? 0 : WA_TRAP_BORROWS_REMAIN;
}

/* ---- values (layout.c, text.c, transfer.c) ----------------------------------------------------------------------- */

/* Registers to bytes, and back. Bytes of at most WAC_FLAT_BYTES. */
uint32_t wac_from_flat(const wac_type *type, const uint64_t *slots, uint8_t *bytes);
void wac_to_flat(const wac_type *type, const uint8_t *bytes, uint64_t *slots);
/* A discriminant, or its number of cases and more. */
static inline uint32_t wac_discriminant(const wac_type *type, const uint8_t *bytes)
{
    if (type->discriminant_bytes == 1)
        return *bytes;
    uint32_t value = 0;
    __builtin_memcpy(&value, bytes, type->discriminant_bytes);
    return value;
}
static inline void wac_set_discriminant(const wac_type *type, uint8_t *bytes, uint32_t value)
{
    __builtin_memcpy(bytes, &value, type->discriminant_bytes);
}
/* The place of so many bytes in the guest's memory; NULL where they are not all in it. */
static inline uint8_t *wac_place(const wac_options *options, uint64_t pointer, uint64_t size_bytes)
{
    if (options->base == NULL || pointer > options->memory->size_bytes || size_bytes > options->memory->size_bytes - pointer)
        return NULL;
    return options->base + pointer;
}
/* Room in the guest's memory by its realloc. */
uint32_t wac_allocate(wa_component_instance *instance, const wac_options *options, uint32_t old, uint32_t old_bytes,
                      uint32_t align_bytes, uint64_t size_bytes, uint32_t *pointer, uint8_t **bytes);
/* A string or list as bytes have it: two u32. */
typedef struct wac_span {
    uint32_t pointer, count;
} wac_span;
/* Elements of a list: checked. */
uint32_t wac_list_place(const wac_options *options, const wac_type *element, wac_span span, const uint8_t **bytes);
/* The bytes of a string in the encoding that it has: checked for their place, not for what they say. encoding: WA_ENCODING_UTF8,
 * WA_ENCODING_UTF16 or WAC_LATIN1. */
#define WAC_LATIN1 3
uint32_t wac_string_place(const wac_options *options, wac_span span, const uint8_t **bytes, uint64_t *size_bytes, uint8_t *encoding);
#define WAC_UTF16_TAG UINT32_C(0x80000000)

/* ---- canonical functions (builtins.c) ---------------------------------------------------------------------------- */

/* The user of a host that stands for an imported canon is its row. A wa_component_instance is the owner of the instance that calls:
 * hosts are the same for all instances of a component. */
static inline void *wac_canon_user(uint32_t canon)
{
    return (void *)(uintptr_t)canon;
}
static inline uint32_t wac_called_canon(const wa_function *record)
{
    return (uint32_t)(uintptr_t)wa_host_user(record->host);
}
/* What the imports of the flattened module are linked with, the same for all instances; the component keeps it. lowered: what runs
 * where a function of the embedder is called. 0, WA_TRAP_OUT_OF_MEMORY or WA_TRAP_DAMAGED_COMPONENT. */
uint32_t wa_component_link(wa_component *component, wa_invoke lowered, wa_extern *externs);

#endif
