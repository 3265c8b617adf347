/* The heap of a store: blocks of cells of one size, and runs of blocks for large objects, in reserved address space. Objects
 * never move. A block is swept bit by bit, as its cells are wanted again; a block in which nothing lives is free at once. */
#include <stdlib.h>
#include <sys/mman.h>

#include "gc.h"
#include "store.h"

enum {
    REGION_BLOCKS = 65536, /* 4 GiB */
    COMMIT_BLOCKS = 16,
    REPLACED_BLOCKS = 128, /* 8 MiB, which take a millisecond to overwrite */
    STEP_CLASSES = 4, /* between two powers of two, above 128 bytes */
#if defined WA_COLLECT_ALWAYS || defined WA_STEP_ALWAYS
    RUN_MAX_BYTES = 16, /* a cell, however small */
#else
    RUN_MAX_BYTES = 1920, /* in the cache when it is used, and less than what glibc zeroes by a string instruction, slow to start */
#endif
};

/* ---- size classes ------------------------------------------------------------------------------------------------ */

/* INLINE_CLASSES in steps of a granule, as compiled code has it, then four between two powers of two. */
static uint32_t class_bytes(uint32_t size_class)
{
    if (size_class < WA_INLINE_CLASSES)
        return WA_OBJECT_ALIGN_BYTES * (size_class + 1);
    uint32_t step = (size_class - WA_INLINE_CLASSES) / STEP_CLASSES, part = (size_class - WA_INLINE_CLASSES) % STEP_CLASSES + 1;
    return (128u << step) + part * (32u << step);
}

static void fill_classes(wa_heap *heap)
{
    uint32_t size_class = 0;
    for (uint32_t i = 0; i < WA_SIZE_CLASSES; i++)
        heap->class_bytes[i] = (uint16_t)class_bytes(i);
    for (uint32_t granules = 0; granules <= WA_SMALL_MAX_BYTES / WA_OBJECT_ALIGN_BYTES; granules++) {
        if (granules * WA_OBJECT_ALIGN_BYTES > class_bytes(size_class))
            size_class++;
        heap->class_of[granules] = (uint8_t)size_class;
    }
}

wa_heap *wa_heap_of(wa_store *store)
{
    if (store->heap != NULL)
        return store->heap;
    wa_heap *heap = calloc(1, sizeof *heap);
    if (heap == NULL)
        return NULL;
    fill_classes(heap);
    heap->collect_at = heap->look_at = WA_FIRST_COLLECTION_BYTES;
    return store->heap = heap;
}

/* ---- regions ------------------------------------------------------------------------------------------------------ */

static void free_region(wa_region *region)
{
    if (region->space != NULL)
        munmap(region->space, (uint64_t)(region->capacity + 1) * WA_BLOCK_BYTES);
    free(region->starts);
    free(region->states);
    free(region->allocated);
    free(region->marks);
    free(region);
}

/* Address space for so many blocks, and tables for them. */
static wa_region *reserve(uint32_t capacity)
{
    wa_region *region = calloc(1, sizeof *region);
    if (region == NULL)
        return NULL;
    uint8_t *space = mmap(NULL, (uint64_t)(capacity + 1) * WA_BLOCK_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    region->capacity = capacity;
    region->space = space == MAP_FAILED ? NULL : space;
    region->base = (uint8_t *)(((uintptr_t)space + WA_BLOCK_BYTES - 1) & ~(uintptr_t)(WA_BLOCK_BYTES - 1));
    region->starts = calloc(capacity, sizeof *region->starts);
    region->states = calloc(capacity, sizeof *region->states);
    region->allocated = calloc(capacity, WA_BLOCK_WORDS * sizeof *region->allocated);
    region->marks = calloc(capacity, WA_BLOCK_WORDS * sizeof *region->marks);
    if (region->space == NULL || region->starts == NULL || region->states == NULL || region->allocated == NULL ||
        region->marks == NULL) {
        free_region(region);
        return NULL;
    }
    return region;
}

static wa_region *add_region(wa_heap *heap, uint32_t blocks)
{
    uint32_t capacity = blocks > REGION_BLOCKS ? blocks : REGION_BLOCKS;
    wa_region *region = reserve(capacity);
    while (region == NULL && capacity / 2 >= blocks && capacity >= 2) /* address space may be limited */
        region = reserve(capacity /= 2);
    if (region == NULL)
        return NULL;
    region->next = heap->regions;
    return heap->regions = region;
}

/* Blocks up to this index become accessible. */
static bool commit(wa_region *region, uint32_t end)
{
    if (end <= region->committed)
        return true;
    uint32_t wanted = end + COMMIT_BLOCKS < region->capacity ? end + COMMIT_BLOCKS : region->capacity;
    uint64_t from = (uint64_t)region->committed * WA_BLOCK_BYTES;
    if (mprotect(region->base + from, (uint64_t)wanted * WA_BLOCK_BYTES - from, PROT_READ | PROT_WRITE) != 0)
        return false;
    region->committed = wanted;
    return true;
}

/* Free blocks in a row below `used`; UINT32_MAX where there are none. */
static uint32_t find_free(wa_region *region, uint32_t run)
{
    if (region->free_count < run)
        return UINT32_MAX;
    uint32_t found = 0;
    bool is_first = true;
    for (uint32_t i = region->first_free; i < region->used; i++) {
        if (region->starts[i] != 0) {
            found = 0;
            continue;
        }
        if (is_first)
            region->first_free = i;
        is_first = false;
        if (++found == run)
            return i + 1 - run;
    }
    return UINT32_MAX;
}

/* is_fresh: nobody had them, so that they are zero. */
static uint32_t take_blocks(wa_region *region, uint32_t run, bool *is_fresh)
{
    uint32_t index = find_free(region, run);
    *is_fresh = index == UINT32_MAX;
    if (index != UINT32_MAX) {
        region->free_count -= run;
    } else {
        if (region->capacity - region->used < run || !commit(region, region->used + run))
            return UINT32_MAX;
        index = region->used;
        region->used += run;
    }
    for (uint32_t i = 0; i < run; i++)
        region->starts[index + i] = index + 1;
    return index;
}

/* Blocks in a row; which region has them. NULL: no memory, or no room in the store's limits. */
static wa_block *new_block(wa_store *store, uint32_t run, wa_region **of)
{
    wa_heap *heap = store->heap;
    bool is_fresh;
    if (store->quota != NULL && !wa_quota_take(store->quota, WA_COUNTED_MEMORY_BYTES, (uint64_t)run * WA_BLOCK_BYTES))
        return NULL;
    wa_region *region = heap->regions;
    uint32_t index = UINT32_MAX;
    for (; region != NULL; region = region->next)
        if ((index = take_blocks(region, run, &is_fresh)) != UINT32_MAX)
            break;
    if (region == NULL && (region = add_region(heap, run)) != NULL)
        index = take_blocks(region, run, &is_fresh);
    if (index == UINT32_MAX) {
        if (store->quota != NULL)
            wa_quota_give_back(store->quota, WA_COUNTED_MEMORY_BYTES, (uint64_t)run * WA_BLOCK_BYTES);
        return NULL;
    }
    wa_block *block = wa_block_at(region, index);
    /* Zeroing takes time that nothing can interrupt; fresh pages come when the guest touches them. */
    if (!is_fresh && run >= REPLACED_BLOCKS)
        is_fresh = madvise(block, (uint64_t)run * WA_BLOCK_BYTES, MADV_DONTNEED) == 0;
    memset(block, 0, sizeof *block);
    block->run = run;
    block->swept = WA_BLOCK_HEADER_GRANULES;
    block->is_zero = is_fresh;
    region->states[index] = WA_BLOCK_SWEPT;
    heap->blocks += run;
    *of = region;
    return block;
}

void wa_heap_free_block(wa_store *store, wa_region *region, uint32_t index, bool keeps)
{
    uint32_t run = wa_block_at(region, index)->run;
    for (uint32_t i = 0; i < run; i++)
        region->starts[index + i] = 0;
    region->free_count += run;
    if (index < region->first_free)
        region->first_free = index;
    store->heap->blocks -= run;
    if (store->quota != NULL)
        wa_quota_give_back(store->quota, WA_COUNTED_MEMORY_BYTES, (uint64_t)run * WA_BLOCK_BYTES);
    if (!keeps)
        madvise(wa_block_at(region, index), (uint64_t)run * WA_BLOCK_BYTES, MADV_DONTNEED);
}

/* ---- looking addresses up ----------------------------------------------------------------------------------------- */

wa_object *wa_region_object(const wa_region *region, uint64_t address)
{
    uint64_t index = (address - (uintptr_t)region->base) / WA_BLOCK_BYTES;
    if (region->starts[index] == 0)
        return NULL;
    wa_block *block = wa_block_at(region, region->starts[index] - 1);
    uint64_t place = address - (uintptr_t)wa_block_cells(block);
    if (address < (uintptr_t)wa_block_cells(block))
        return NULL;
    uint64_t cell = block->cell_bytes == 0 ? 0 : place * block->reciprocal >> 32;
    wa_object *object = (void *)(wa_block_cells(block) + cell * block->cell_bytes);
    if (cell >= block->cell_count || !wa_is_set(region->allocated, wa_region_granule(region, (uintptr_t)object)))
        return NULL;
    return object->rtt == NULL ? NULL : object;
}

static void each_of_block(wa_block *block, const uint64_t *bits, void (*visit)(const wa_object *, void *), void *user)
{
    for (uint32_t i = 0; i < block->cell_count; i++) {
        const wa_object *object = (const void *)(wa_block_cells(block) + (uint64_t)i * block->cell_bytes);
        if (wa_is_set(bits, WA_BLOCK_HEADER_GRANULES + (uint64_t)i * block->cell_bytes / WA_OBJECT_ALIGN_BYTES) && object->rtt != NULL)
            visit(object, user);
    }
}

void wa_heap_each_object(const wa_heap *heap, bool marked_only, void (*visit)(const wa_object *, void *), void *user)
{
    for (const wa_region *region = heap->regions; region != NULL; region = region->next)
        for (uint32_t i = 0; i < region->used; i++)
            if (region->starts[i] == i + 1)
                each_of_block(wa_block_at(region, i), (marked_only ? region->marks : region->allocated) + (uint64_t)i * WA_BLOCK_WORDS,
                              visit, user);
}

/* ---- cells -------------------------------------------------------------------------------------------------------- */

/* The first granule from here that has its bit set, or the end. */
static uint32_t next_set(const uint64_t *bits, uint32_t from, uint32_t end)
{
    uint64_t word = bits[from / 64] >> from % 64 << from % 64;
    uint32_t at = from / 64 * 64;
    while (word == 0) {
        at += 64;
        if (at >= end)
            return end;
        word = bits[at / 64];
    }
    at += (uint32_t)__builtin_ctzll(word);
    return at < end ? at : end;
}

static void set_all(uint64_t *bits, uint32_t from, uint32_t end)
{
    for (uint32_t at = from; at < end;) {
        uint32_t stop = at / 64 * 64 + 64 < end ? at / 64 * 64 + 64 : end;
        bits[at / 64] |= UINT64_MAX >> (64 - (stop - at)) << at % 64;
        at = stop;
    }
}

/* Of each cell in a row. */
static void set_marks(uint64_t *marks, uint32_t from, uint32_t end, uint32_t step)
{
    for (uint32_t at = from; at < end; at += step)
        wa_set_mark(marks, at);
}

/* The next free cells in a row of a block; false: there are none. */
static bool take_cells(wa_heap *heap, const wa_region *region, wa_block *block, wa_run *run)
{
    uint64_t *allocated = region->allocated + wa_region_granule(region, (uintptr_t)block) / 64;
    uint32_t step = block->cell_bytes / WA_OBJECT_ALIGN_BYTES, end = WA_BLOCK_HEADER_GRANULES + block->cell_count * step, at = block->swept;
    while (at < end && wa_is_set(allocated, at))
        at += step;
    block->swept = end;
    if (at >= end)
        return false;
    uint32_t most = RUN_MAX_BYTES > block->cell_bytes ? RUN_MAX_BYTES / block->cell_bytes * step : step;
    if (most < end - at)
        end = at + most;
    block->swept = end = next_set(allocated, at, end);
    set_all(allocated, at, end);
    if (heap->marking != NULL)
        set_marks(region->marks + wa_region_granule(region, (uintptr_t)block) / 64, at, end, step);
    uint8_t *first = (uint8_t *)block + (uint64_t)at * WA_OBJECT_ALIGN_BYTES;
    uint64_t size_bytes = (uint64_t)(end - at) * WA_OBJECT_ALIGN_BYTES;
    if (!block->is_zero)
        memset(first, 0, size_bytes);
    heap->taken_bytes += size_bytes;
    *run = (wa_run){.next = first, .end = first + size_bytes};
    return true;
}

bool wa_heap_new_run(wa_store *store, uint32_t size_class, wa_run *run)
{
    wa_region *region;
    wa_block *block = new_block(store, 1, &region);
    if (block == NULL)
        return false;
    block->size_class = size_class;
    block->cell_bytes = class_bytes(size_class);
    block->cell_count = (WA_BLOCK_BYTES - WA_BLOCK_HEADER_BYTES) / block->cell_bytes;
    block->reciprocal = ((UINT64_C(1) << 32) + block->cell_bytes - 1) / block->cell_bytes;
    block->next = store->heap->unswept[size_class];
    store->heap->unswept[size_class] = block;
    return take_cells(store->heap, region, block, run);
}

bool wa_heap_swept_run(wa_heap *heap, uint32_t size_class, wa_run *run)
{
    while (heap->unswept[size_class] != NULL) {
        wa_block *block = heap->unswept[size_class];
        if (take_cells(heap, wa_heap_region(heap, (uintptr_t)block), block, run))
            return true;
        heap->unswept[size_class] = block->next;
    }
    return false;
}

wa_object *wa_heap_new_large(wa_store *store, uint32_t blocks)
{
    wa_region *region;
    wa_block *block = new_block(store, blocks, &region);
    if (block == NULL)
        return NULL;
    block->cell_count = 1;
    uint8_t *object = wa_block_cells(block);
    if (!block->is_zero)
        memset(object, 0, (uint64_t)blocks * WA_BLOCK_BYTES - WA_BLOCK_HEADER_BYTES);
    uint64_t granule = wa_region_granule(region, (uintptr_t)object);
    wa_set_mark(region->allocated, granule);
    if (store->heap->marking != NULL)
        wa_set_mark(region->marks, granule);
    store->heap->taken_bytes += (uint64_t)blocks * WA_BLOCK_BYTES;
    return (void *)object;
}

/* ---- as a whole ---------------------------------------------------------------------------------------------------- */

uint64_t wa_heap_bytes(const wa_store *store)
{
    return store->heap == NULL ? 0 : store->heap->blocks * WA_BLOCK_BYTES;
}

void wa_heap_free(wa_store *store)
{
    wa_heap *heap = store->heap;
    if (heap == NULL)
        return;
    if (store->quota != NULL)
        wa_quota_give_back(store->quota, WA_COUNTED_MEMORY_BYTES, wa_heap_bytes(store));
    while (heap->regions != NULL) {
        wa_region *region = heap->regions;
        heap->regions = region->next;
        free_region(region);
    }
    memset(store->runs, 0, sizeof store->runs);
    free(heap);
    store->heap = NULL;
}

/* Cells that are free there wait for the next collection. */
void wa_heap_join(wa_store *into, wa_store *from)
{
    wa_heap *heap = into->heap, *old = from->heap;
    if (old == NULL)
        return;
    from->heap = NULL;
    if (heap == NULL)
        memcpy(into->runs, from->runs, sizeof into->runs);
    memset(from->runs, 0, sizeof from->runs);
    if (heap == NULL) {
        into->heap = old;
        return;
    }
    wa_region **last = &heap->regions;
    while (*last != NULL)
        last = &(*last)->next;
    *last = old->regions;
    heap->blocks += old->blocks;
    heap->taken_bytes += old->taken_bytes;
    wa_heap_join_held(heap, old);
    free(old);
}
