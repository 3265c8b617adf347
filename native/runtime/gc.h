/* Private to native/: types at run time, the heap of a store and its collector. */
#ifndef WA_RUNTIME_GC_H
#define WA_RUNTIME_GC_H

#include "metadata.h"
#include "quota.h"

/* ---- rtt.c ------------------------------------------------------------------------------------------------------ */

typedef struct wa_schema_object wa_object;
typedef struct wa_schema_array wa_array;

/* How the collector sees what a field holds. */
enum { WA_FIELD_PLAIN, WA_FIELD_REFERENCE, WA_FIELD_EXCEPTION };

/* A field of a struct, or what an array is made of. */
typedef struct wa_field {
    uint32_t storage;    /* value type, or VALTYPE_I8 and _I16; an index in it is of the module that the type was first met in */
    uint32_t offset;     /* from the start of the object; of an array: of the first element */
    uint32_t size_bytes;
    uint8_t holds;       /* WA_FIELD_* */
    bool is_mutable;
    const struct wa_rtt *type; /* of a reference to a type of a module, else NULL */
} wa_field;

typedef struct wa_rtt_details {
    struct wa_rtt *next; /* in the process's table */
    uint8_t digest[16];
    uint32_t field_count; /* 1 for an array, 0 for a function */
    bool has_exceptions;
    wa_field fields[];
} wa_rtt_details;

/* Types are never freed: there is one for each that a process meets. */
typedef struct wa_rtt {
    struct wa_schema_rtt head;
    const struct wa_rtt *display[]; /* at least RTT_DISPLAY_MIN */
} wa_rtt;

static inline const wa_rtt_details *wa_rtt_details_of(const wa_rtt *rtt)
{
    return rtt->head.details;
}

static inline const wa_rtt *wa_rtt_of(const wa_object *object)
{
    return object->rtt;
}

/* Whether the type is the other one or a subtype of it. */
static inline bool wa_rtt_matches(const wa_rtt *found, const wa_rtt *wanted)
{
    return found->head.depth >= wanted->head.depth && found->display[wanted->head.depth] == wanted;
}

/* Whether a reference is the address of an object, null aside. */
static inline bool wa_is_object(uint64_t reference)
{
    return reference != 0 && (reference & 15) == 0;
}

/* Whether a value of this type may be an object or a handle of the embedder; of types of a module that takes a look. */
bool wa_valtype_is_traced(uint32_t valtype);

/* ---- heap.c ----------------------------------------------------------------------------------------------------- */

enum {
    WA_BLOCK_BYTES = 1 << 16,
    WA_BLOCK_GRANULES = WA_BLOCK_BYTES / WA_OBJECT_ALIGN_BYTES,
    WA_BLOCK_WORDS = WA_BLOCK_GRANULES / 64, /* of a bitmap of granules */
    WA_SIZE_CLASSES = 40,
    WA_SMALL_MAX_BYTES = 32768,
    WA_FIRST_COLLECTION_BYTES = 16 << 20,
};

/* The first bytes of a block of cells of one size, or of the run of blocks that holds one large object. */
typedef struct wa_block {
    struct wa_block *next; /* in the list of blocks that are to be swept */
    uint32_t cell_bytes;   /* 0: a large object */
    uint32_t cell_count;
    uint64_t reciprocal;   /* of cell_bytes, times 2**32, rounded up */
    uint32_t size_class;
    uint32_t run;          /* blocks of a large object; 1 for cells */
    uint32_t swept;        /* granules from the block's start whose free cells are handed out */
    bool is_zero;          /* what was not handed out yet */
} wa_block;
enum {
    WA_BLOCK_HEADER_BYTES = (sizeof(wa_block) + 15) / 16 * 16,
    WA_BLOCK_HEADER_GRANULES = WA_BLOCK_HEADER_BYTES / WA_OBJECT_ALIGN_BYTES,
};

/* What is left to do for a block after marking: find out what lives there, or free it. */
enum { WA_BLOCK_SWEPT, WA_BLOCK_DUE, WA_BLOCK_EMPTY };

/* Address space for blocks, and what is known of them. A granule is what an object starts at: OBJECT_ALIGN_BYTES of space. */
typedef struct wa_region {
    struct wa_region *next;
    uint8_t *space;      /* what was reserved, with one block more, so that base is aligned */
    uint8_t *base;
    uint32_t *starts;    /* for each block 0 where it is free, else the first of its run + 1 */
    uint8_t *states;     /* for each block, but for the rest of a run: WA_BLOCK_* */
    /* Bits of granules. allocated: what lived at the last collection, and cells handed out since; none in free blocks. marks:
     * while the collector marks, what lives; else none, but in blocks that are due to be swept, where they are left over. */
    uint64_t *allocated, *marks;
    uint32_t capacity, used, committed; /* in blocks: there are; were ever in use; are accessible */
    uint32_t free_count;                /* below used */
    uint32_t first_free;                /* none is free below it */
} wa_region;

/* Cells in a row that are free and zero: whoever allocates takes the next one. */
typedef struct wa_schema_run wa_run;

/* What goes on after marking. */
enum { WA_SWEPT, WA_LOOKING_INTO_BLOCKS, WA_FREEING_BLOCKS };

typedef struct wa_marking wa_marking;

typedef struct wa_heap {
    wa_block *unswept[WA_SIZE_CLASSES];
    wa_run runs[WA_SIZE_CLASSES]; /* of classes that compiled code leaves to the runtime: the store has the others */
    wa_region *regions;
    uint64_t taken_bytes; /* since the last collection began */
    uint64_t collect_at;  /* how many of them call for the next one */
    uint64_t look_at;     /* how many call for the collector's next step: collect_at, where no collection is under way */
    uint64_t begun_at;    /* how many there were when marking began */
    uint64_t finish_at;   /* how many call for the rest of what is under way, at once */
    wa_marking *marking;  /* owned; NULL: nothing is being marked */
    wa_region *sweep_region; /* what is left to sweep: that many of its blocks, and the next regions */
    uint32_t sweep_left;
    uint8_t sweeping;     /* WA_SWEPT and so on */
    uint64_t live_bytes;  /* found by sweeping, with those that were allocated since marking began: new_bytes */
    uint64_t new_bytes, kept_bytes; /* kept_bytes: of blocks that were freed and whose memory stays */
    uint64_t blocks;      /* in use */
    wa_held *held;        /* guarded by the lock of held.c */
    uint16_t class_bytes[WA_SIZE_CLASSES];
    uint8_t class_of[WA_SMALL_MAX_BYTES / WA_OBJECT_ALIGN_BYTES + 1]; /* by size in granules, rounded up */
} wa_heap;

/* The heap of a store, made for its first object; NULL: no memory. */
wa_heap *wa_heap_of(wa_store *store);
/* Room for one large object, zero; NULL: no memory, or no room in the store's limits. */
wa_object *wa_heap_new_large(wa_store *store, uint32_t blocks);
/* A run of a new block; false as above. */
bool wa_heap_new_run(wa_store *store, uint32_t size_class, wa_run *run);
/* A run of a block in which objects live; false: there is none. */
bool wa_heap_swept_run(wa_heap *heap, uint32_t size_class, wa_run *run);
/* Of an empty block. keeps: the memory stays, for the next block. */
void wa_heap_free_block(wa_store *store, wa_region *region, uint32_t index, bool keeps);
/* The heap is neither being marked nor swept, or goes as it is. */
void wa_heap_free(wa_store *store);
/* What the blocks of a store's heap take, which count as memory. */
uint64_t wa_heap_bytes(const wa_store *store);
/* The heap of a store that is about to become an alias goes to the other one. Both are settled. */
void wa_heap_join(wa_store *into, wa_store *from);
/* The region that has an address, NULL where none has. */
static inline const wa_region *wa_heap_region(const wa_heap *heap, uint64_t address)
{
    const wa_region *region = heap->regions;
    while (region != NULL && address - (uintptr_t)region->base >= (uint64_t)region->used * WA_BLOCK_BYTES)
        region = region->next;
    return region;
}
/* The object that an address in a region lies in, NULL where it lies in none. */
wa_object *wa_region_object(const wa_region *region, uint64_t address);
/* Call visit for each object that was marked by a collection that runs, or for each that may live; in all blocks. */
void wa_heap_each_object(const wa_heap *heap, bool marked_only, void (*visit)(const wa_object *, void *), void *user);

static inline wa_block *wa_block_at(const wa_region *region, uint32_t index)
{
    return (wa_block *)(void *)(region->base + (uint64_t)index * WA_BLOCK_BYTES);
}

static inline uint8_t *wa_block_cells(wa_block *block)
{
    return (uint8_t *)block + WA_BLOCK_HEADER_BYTES;
}

/* The number of the granule that has an address. */
static inline uint64_t wa_region_granule(const wa_region *region, uint64_t address)
{
    return (address - (uintptr_t)region->base) / WA_OBJECT_ALIGN_BYTES;
}

static inline bool wa_is_set(const uint64_t *bits, uint64_t granule)
{
    return (bits[granule / 64] >> granule % 64 & 1) != 0;
}

/* Set the mark of the object that starts with a granule; false where it had one. */
static inline bool wa_set_mark(uint64_t *marks, uint64_t granule)
{
    uint64_t word = marks[granule / 64], bit = UINT64_C(1) << granule % 64;
    if (word & bit)
        return false;
    marks[granule / 64] = word | bit;
    return true;
}

/* ---- held.c --------------------------------------------------------------------------------------------------------- */

void wa_held_visit(const wa_heap *heap, void (*visit)(uint64_t, void *), void *user);
/* What the embedder holds in a heap that goes is held in the other one. */
void wa_heap_join_held(wa_heap *into, wa_heap *from);

/* ---- walk.c --------------------------------------------------------------------------------------------------------- */

/* Call visit for what the fields of an object hold that are looked at in this way. */
void wa_object_visit(const wa_object *object, uint8_t holds, void (*visit)(uint64_t, void *), void *user);
/* Call visit for every handle of the embedder in an object that may live: in one that lives, where a collection has just been. */
void wa_heap_visit_handles(wa_store *store, void (*visit)(uint64_t, void *), void *user);
/* For every exception that such an object refers to. */
void wa_heap_visit_exceptions(wa_store *store, void (*visit)(uint64_t, void *), void *user);

/* ---- marking.c; stores are roots here ----------------------------------------------------------------------------- */

/* Begin with what the roots refer to. The caller owns it, and sees to it that all roots are where it looks; NULL: no memory. */
wa_marking *wa_marking_new(wa_store *store);
/* So many references or objects; true where nothing is left. */
bool wa_marking_step(wa_marking *marking, int64_t steps);
/* The reference in a field of an object is about to be overwritten. */
void wa_marking_note(wa_marking *marking, uint64_t reference);
/* With WA_STEP_ALWAYS, where nothing is left to mark: end the process where a root or a marked object refers to one that is not. */
void wa_marking_check(wa_store *store);
void wa_marking_free(wa_marking *marking);

/* ---- sweep.c; stores are roots here ------------------------------------------------------------------------------- */

/* Cells of the runs that are no objects yet are free again after the next collection. */
void wa_heap_forget_runs(wa_store *store);
/* No object has a mark. */
void wa_heap_clear_marks(wa_heap *heap);
/* After marking: what has no mark is free. */
void wa_heap_begin_sweep(wa_store *store);
/* So many steps of what is left: a block takes 1 to 256. */
void wa_heap_sweep(wa_store *store, int64_t steps);

/* ---- collector.c; stores are roots here --------------------------------------------------------------------------- */

/* Free at once what nothing refers to; false where that can't be told now, or something shall end the call. */
bool wa_heap_collect(wa_store *store);
/* Bring the cycle that is under way to its end; false where there is none, or something shall end the call. */
bool wa_heap_finish(wa_store *store);
/* More was allocated than look_at says: begin a cycle, or go on with it. wanted_bytes: about to be allocated. */
void wa_heap_step(wa_store *store, uint64_t wanted_bytes);
/* Nothing is marked any more; what is marked by now lives on all the same. */
void wa_heap_abandon(wa_store *store);
/* Nor is anything left to sweep. */
void wa_heap_settle(wa_store *store);

/* ---- allocate.c ------------------------------------------------------------------------------------------------- */

/* A new object whose fields are zero. NULL: it is too large, or there is no memory, or no room in the store's limits. */
wa_object *wa_heap_allocate(wa_store *store, const wa_rtt *rtt, uint64_t size_bytes);

/* ---- stackwords.c ----------------------------------------------------------------------------------------------- */

/* Call visit for each word on the stack that runs, from here to the frame of its outermost call, registers included. */
void wa_visit_stack(void (*visit)(uint64_t word, void *user), void *user);

/* ---- aggregates.c ----------------------------------------------------------------------------------------------- */

struct wa_schema_instance;
uint64_t wa_call_struct_new(struct wa_schema_instance *self, uint32_t type);
uint64_t wa_call_array_new(struct wa_schema_instance *self, uint32_t type, uint32_t length);
uint64_t wa_call_array_new_data(struct wa_schema_instance *self, uint32_t type, uint32_t segment, uint32_t offset, uint32_t length);
uint64_t wa_call_array_new_elem(struct wa_schema_instance *self, uint32_t type, uint32_t segment, uint32_t offset, uint32_t length);
void wa_call_array_fill(struct wa_schema_instance *self, uint64_t array, uint32_t index, uint64_t low, uint32_t count, uint64_t high);
void wa_call_array_copy(struct wa_schema_instance *self, uint64_t dst_array, uint32_t dst, uint64_t src_array, uint32_t src,
                        uint32_t count);
void wa_call_array_init_data(struct wa_schema_instance *self, uint32_t segment, uint64_t array, uint32_t dst, uint32_t src,
                             uint32_t count);
void wa_call_array_init_elem(struct wa_schema_instance *self, uint32_t segment, uint64_t array, uint32_t dst, uint32_t src,
                             uint32_t count);
void wa_call_reference_changes(struct wa_schema_instance *self, uint64_t place);
uint32_t wa_call_function_matches(struct wa_schema_instance *self, uint32_t type, uint64_t function);

#endif
