/* Private to native/: instances, the parts of their records, and the functions that they call. */
#ifndef WA_RUNTIME_INSTANCE_H
#define WA_RUNTIME_INSTANCE_H

#include "objects.h"

/* ---- binding.c -------------------------------------------------------------------------------------------------- */

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
    struct wa_details *next;  /* in the store */
    wa_artifact *artifact;    /* retained */
    wa_binding **bindings;    /* buckets of a hash by key, and behind them room for as many bindings as there are imports */
    uint32_t binding_buckets; /* a power of two */
    uint32_t free_bindings;   /* of that room */
    wa_global **globals;      /* objects of exported or imported globals by index, created on demand; retained */
    void *owner;              /* of the embedder: what the instance is part of; borrowed */
    wa_memory *exported_memory; /* the export "memory", once it was looked for; borrowed */
    bool looked_for_memory;
    void **element_storage;   /* computed element segments by index, or NULL */
    uint32_t imported_functions, imported_tables, imported_memories, imported_globals, imported_tags;
    uint32_t built_tables, built_memories, built_tags; /* slots that hold a retained object: for undoing a failed link */
} wa_details;

/* Make room for the bindings of this many imports; -1: no memory. */
int wa_bindings_prepare(wa_details *details, uint64_t imports);
void wa_bindings_free(wa_details *details);
/* What compiled code of the instance can call: the function itself, or a binding. 0, or the trap that it is to try:
 * WA_TRAP_OUT_OF_MEMORY, WA_TRAP_MISSING_TRAMPOLINE. */
uint32_t wa_callable(wa_details *details, wa_function *function, uint32_t canonical_type, wa_function **called);

/* ---- function.c ------------------------------------------------------------------------------------------------- */

struct wa_host {
    atomic_uint references;
    wa_invoke invoke;
    void *user;
    void *face; /* borrowed */
    wa_finalizer finalizer;
    uint8_t digest[16];
    wa_function function; /* unbound: code is null */
};

/* ---- record.c --------------------------------------------------------------------------------------------------- */

struct wa_instance {
    struct wa_schema_instance head;
};

/* The parts of a record lie where the contract says. Inline, so that the signal handler calls no other file. */
static inline void *wa_record_part(const wa_instance *instance, uint32_t offset)
{
    return (uint8_t *)(uintptr_t)instance + offset;
}

#define WA_RECORD_PART(function, type, field) \
    static inline type *function(const wa_instance *instance) \
    { \
        return wa_record_part(instance, ((const wa_artifact *)instance->head.artifact)->contract->field); \
    }
WA_RECORD_PART(wa_memory_slots, struct wa_schema_memory_slot, instance_memories_offset)
WA_RECORD_PART(wa_table_slots, wa_table *, instance_tables_offset)
WA_RECORD_PART(wa_import_slots, struct wa_schema_import_slot, instance_imported_functions_offset)
WA_RECORD_PART(wa_imported_global_cells, void *, instance_imported_globals_offset)
WA_RECORD_PART(wa_tag_slots, wa_tag *, instance_tags_offset)
WA_RECORD_PART(wa_global_cells, wa_cell, instance_globals_offset)
WA_RECORD_PART(wa_element_slots, struct wa_schema_element_slot, instance_elements_offset)
WA_RECORD_PART(wa_data_dropped, uint8_t, instance_data_dropped_offset)
#undef WA_RECORD_PART

static inline wa_details *wa_instance_details(const wa_instance *instance)
{
    return instance->head.details;
}

/* Free the records of the functions. */
void wa_records_free(const wa_details *details);

/* The reference that a tagged slot of a table or an element segment stands for; 0 where no function has this index. False: no
 * memory for its record. */
bool wa_instance_reference(wa_instance *instance, uint64_t tagged, uint64_t *reference);

/* ---- link.c ----------------------------------------------------------------------------------------------------- */

/* Check the imports against what the module asks for, and fill the record's slots with them. */
int wa_link_imports(wa_details *details, const wa_extern *externs, size_t count, wa_error *error);

/* ---- instance.c ------------------------------------------------------------------------------------------------- */

void wa_instance_free(wa_details *details);

/* ---- resume.c --------------------------------------------------------------------------------------------------- */

/* What images can't do for a new instance of a snapshot, whose imports are linked. */
WA_COLD int wa_instance_resume(wa_details *details, wa_error *error);

/* ---- libcalls.c ------------------------------------------------------------------------------------------------- */

/* The runtime functions that compiled code calls. */
extern const struct wa_schema_calls wa_runtime_calls;

#endif
