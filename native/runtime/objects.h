/* Private to native/: memories, tables, globals and tags, which live on their own and are counted. */
#ifndef WA_RUNTIME_OBJECTS_H
#define WA_RUNTIME_OBJECTS_H

#include "metadata.h"
#include "quota.h"

/* ---- pool.c ----------------------------------------------------------------------------------------------------- */

/* What an object needs to lie in the pool between two instances of its artifact. */
typedef struct wa_spare {
    struct wa_spare *next;
    wa_artifact *artifact; /* retained while the object is in use, not while it lies in the pool; NULL: never goes there */
    uint32_t kind, index;  /* WA_KIND_MEMORY or WA_KIND_TABLE, and which one of the artifact */
    uint64_t size_bytes;   /* accessible from the start, before anything grows */
    void *object;
    void (*free)(void *object);
} wa_spare;

/* A clean memory or table of an earlier instance, or NULL. The caller owns it, and sets its count. */
void *wa_pool_take(wa_artifact *artifact, uint32_t kind, uint32_t index);
/* Takes the object over, which must be clean. The caller still holds the artifact and releases it afterwards. */
void wa_pool_put(wa_spare *spare);
/* Free what belongs to an artifact that is about to go; NULL: everything. True where there was something. */
bool wa_pool_drop(const wa_artifact *artifact);

/* ---- memory.c --------------------------------------------------------------------------------------------------- */

struct wa_memory {
    struct wa_schema_memory_head head;
    wa_spare spare;
    atomic_uint references;
    uint32_t flags;
    uint32_t page_log2;
    uint64_t max_pages;
    uint64_t reserved_bytes; /* from head.base */
    _Atomic(wa_quota *) quota; /* where its bytes count; retained; NULL: nowhere */
};

/* Bytes that there are. A shared memory grows while others use it: who sees the size may use the bytes. */
static inline uint64_t wa_memory_bytes(const wa_memory *memory)
{
    return __atomic_load_n(&memory->head.size_bytes, __ATOMIC_SEQ_CST);
}

wa_memory *wa_memory_new_image(wa_artifact *artifact, uint32_t memory_index, wa_error *error);
/* Put the run of the memory image in this row into a memory that there is already, by mapping or by copying it. */
int wa_memory_put_run(wa_memory *memory, const wa_artifact *artifact, uint64_t row, wa_error *error);
/* Count its bytes there, unless they count somewhere already. */
void wa_memory_count(wa_memory *memory, wa_quota *quota);

/* ---- table.c ---------------------------------------------------------------------------------------------------- */

struct wa_table {
    struct wa_schema_table_head head;
    wa_spare spare;
    atomic_uint references;
    uint32_t flags;
    wa_valtype valtype;
    uint64_t max;
    uint64_t capacity;     /* slots that the storage holds */
    uint64_t mapped_bytes; /* size of the mapping that holds the slots; 0: they are on the heap */
    wa_quota *quota;       /* where its elements count; retained; NULL: nowhere */
};

wa_table *wa_table_new_image(wa_artifact *artifact, uint32_t table_index, wa_error *error);
/* The image of a table in the section, which is to fit into so many slots: their number, UINT64_MAX where it is corrupt. */
uint64_t wa_table_image(const wa_artifact *artifact, uint32_t table_index, uint64_t size, const uint64_t **slots, wa_error *error);
/* Count its elements there, unless they count somewhere already. */
void wa_table_count(wa_table *table, wa_quota *quota);

/* ---- global.c --------------------------------------------------------------------------------------------------- */

/* Room for a value of any type, in the low bytes. */
typedef struct wa_schema_u8x16 wa_cell;

struct wa_global {
    atomic_uint references;
    wa_valtype valtype;
    bool is_mutable;
    uint8_t *cell; /* own_cell, or a cell of an instance record */
    _Alignas(16) uint8_t own_cell[16];
};

/* ---- tag.c ------------------------------------------------------------------------------------------------------ */

struct wa_tag {
    atomic_uint references;
    uint8_t digest[16];
    wa_valtype *types; /* the same as params, where one is of a type of the module; else NULL */
    uint32_t param_count;
    uint32_t params[]; /* value types; concrete heap types as the defining module numbers them */
};

/* A tag of an artifact, by its function type. NULL: no memory. */
wa_tag *wa_tag_of_type(const wa_artifact *artifact, uint32_t type);

#endif
