/* The heap of a store: blocks of cells of one size, and runs of blocks for large objects, in reserved address space. Objects
 * never move. A block is swept when its cells are wanted again; a block without a marked one is free at once. */
#include <stdlib.h>
#include <sys/mman.h>

#include "gc.h"
#include "store.h"

enum {
    REGION_BLOCKS = 65536, /* 4 GiB */
    COMMIT_BLOCKS = 16,
    FIRST_COLLECTION_BYTES = 16 << 20,
    STEP_CLASSES = 4, /* between two powers of two, above 128 bytes */
};

/* ---- size classes ------------------------------------------------------------------------------------------------ */

/* 16 to 128 bytes in steps of 16, then four between two powers of two. */
static uint32_t class_bytes(uint32_t size_class)
{
    if (size_class < 8)
        return 16 * (size_class + 1);
    uint32_t step = (size_class - 8) / STEP_CLASSES, part = (size_class - 8) % STEP_CLASSES + 1;
    return (128u << step) + part * (32u << step);
}

static void fill_classes(wa_heap *heap)
{
    uint32_t size_class = 0;
    for (uint32_t units = 0; units <= WA_SMALL_MAX_BYTES / 16; units++) {
        if (units * 16 > class_bytes(size_class))
            size_class++;
        heap->class_of[units] = (uint8_t)size_class;
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
    heap->collect_at = FIRST_COLLECTION_BYTES;
    return store->heap = heap;
}

/* ---- regions ------------------------------------------------------------------------------------------------------ */

static wa_block *block_at(const wa_region *region, uint32_t index)
{
    return (wa_block *)(void *)(region->base + (uint64_t)index * WA_BLOCK_BYTES);
}

static wa_region *add_region(wa_heap *heap, uint32_t blocks)
{
    uint32_t capacity = blocks > REGION_BLOCKS ? blocks : REGION_BLOCKS;
    wa_region *region = calloc(1, sizeof *region);
    uint8_t *space = MAP_FAILED;
    for (; region != NULL; capacity /= 2) { /* address space may be limited */
        space = mmap(NULL, (uint64_t)(capacity + 1) * WA_BLOCK_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (space != MAP_FAILED || capacity / 2 < blocks || capacity < 2)
            break;
    }
    uint32_t *starts = space == MAP_FAILED ? NULL : calloc(capacity, sizeof *starts);
    if (starts == NULL) {
        if (space != MAP_FAILED)
            munmap(space, (uint64_t)(capacity + 1) * WA_BLOCK_BYTES);
        free(region);
        return NULL;
    }
    region->base = (uint8_t *)(((uintptr_t)space + WA_BLOCK_BYTES - 1) & ~(uintptr_t)(WA_BLOCK_BYTES - 1));
    region->space = space;
    region->starts = starts;
    region->capacity = capacity;
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

wa_block *wa_heap_new_block(wa_store *store, uint32_t run, bool *is_fresh)
{
    wa_heap *heap = store->heap;
    if (store->quota != NULL && !wa_quota_take(store->quota, WA_COUNTED_MEMORY_BYTES, (uint64_t)run * WA_BLOCK_BYTES))
        return NULL;
    wa_region *region = heap->regions;
    uint32_t index = UINT32_MAX;
    for (; region != NULL; region = region->next)
        if ((index = take_blocks(region, run, is_fresh)) != UINT32_MAX)
            break;
    if (region == NULL && (region = add_region(heap, run)) != NULL)
        index = take_blocks(region, run, is_fresh);
    if (index == UINT32_MAX) {
        if (store->quota != NULL)
            wa_quota_give_back(store->quota, WA_COUNTED_MEMORY_BYTES, (uint64_t)run * WA_BLOCK_BYTES);
        return NULL;
    }
    wa_block *block = block_at(region, index);
    memset(block, 0, sizeof *block);
    block->run = run;
    heap->blocks += run;
    heap->taken_bytes += (uint64_t)run * WA_BLOCK_BYTES;
    return block;
}

/* keeps: the memory stays, for the next block. */
static void free_block(wa_store *store, wa_region *region, uint32_t index, bool keeps)
{
    uint32_t run = block_at(region, index)->run;
    for (uint32_t i = 0; i < run; i++)
        region->starts[index + i] = 0;
    region->free_count += run;
    if (index < region->first_free)
        region->first_free = index;
    store->heap->blocks -= run;
    if (store->quota != NULL)
        wa_quota_give_back(store->quota, WA_COUNTED_MEMORY_BYTES, (uint64_t)run * WA_BLOCK_BYTES);
    if (!keeps)
        madvise(block_at(region, index), (uint64_t)run * WA_BLOCK_BYTES, MADV_DONTNEED);
}

/* ---- looking addresses up ----------------------------------------------------------------------------------------- */

wa_block *wa_heap_block(const wa_heap *heap, uint64_t address)
{
    for (const wa_region *region = heap->regions; region != NULL; region = region->next) {
        uint64_t index = (address - (uintptr_t)region->base) / WA_BLOCK_BYTES;
        if (index < region->used)
            return region->starts[index] == 0 ? NULL : block_at(region, region->starts[index] - 1);
    }
    return NULL;
}

wa_object *wa_block_object(wa_block *block, uint64_t address, uint32_t *cell)
{
    uint64_t place = address - (uintptr_t)wa_block_cells(block);
    if (address < (uintptr_t)wa_block_cells(block))
        return NULL;
    *cell = block->run > 1 || block->cell_count == 1 ? 0 : (uint32_t)(place * block->reciprocal >> 32);
    if (*cell >= block->cell_count)
        return NULL;
    wa_object *object = (void *)(wa_block_cells(block) + (uint64_t)*cell * block->cell_bytes);
    return object->rtt == NULL ? NULL : object;
}

void wa_heap_each_block(wa_heap *heap, void (*visit)(wa_heap *, wa_block *, void *), void *user)
{
    for (wa_region *region = heap->regions; region != NULL; region = region->next)
        for (uint32_t i = 0; i < region->used; i++)
            if (region->starts[i] == i + 1)
                visit(heap, block_at(region, i), user);
}

/* ---- cells -------------------------------------------------------------------------------------------------------- */

/* Make a list of the cells that are not marked, in the order of their addresses. */
static wa_free_cell *free_cells(wa_block *block)
{
    wa_free_cell *first = NULL, **last = &first;
    for (uint32_t i = 0; i < block->cell_count; i++) {
        if (wa_block_is_marked(block, i))
            continue;
        wa_free_cell *cell = (void *)(wa_block_cells(block) + (uint64_t)i * block->cell_bytes);
        cell->none = 0;
        *last = cell;
        last = &cell->next;
    }
    *last = NULL;
    return first;
}

wa_free_cell *wa_heap_new_cells(wa_store *store, uint32_t size_class)
{
    bool is_fresh;
    wa_block *block = wa_heap_new_block(store, 1, &is_fresh);
    if (block == NULL)
        return NULL;
    block->size_class = size_class;
    block->cell_bytes = class_bytes(size_class);
    block->cell_count = (WA_BLOCK_BYTES - WA_BLOCK_HEADER_BYTES) / block->cell_bytes;
    block->reciprocal = ((UINT64_C(1) << 32) + block->cell_bytes - 1) / block->cell_bytes;
    return free_cells(block);
}

wa_free_cell *wa_heap_swept_cells(wa_heap *heap, uint32_t size_class)
{
    while (heap->unswept[size_class] != NULL) {
        wa_block *block = heap->unswept[size_class];
        heap->unswept[size_class] = block->next;
        wa_free_cell *cells = free_cells(block);
        if (cells != NULL) {
            heap->taken_bytes += WA_BLOCK_BYTES / 2; /* some of it */
            return cells;
        }
    }
    return NULL;
}

/* ---- after marking ------------------------------------------------------------------------------------------------ */

static bool has_marks(const wa_block *block)
{
    for (size_t i = 0; i < sizeof block->marks / sizeof block->marks[0]; i++)
        if (block->marks[i] != 0)
            return true;
    return false;
}

void wa_heap_sweep(wa_store *store, uint64_t live_bytes)
{
    wa_heap *heap = store->heap;
    heap->taken_bytes = 0;
    heap->collect_at = live_bytes > FIRST_COLLECTION_BYTES ? live_bytes : FIRST_COLLECTION_BYTES;
    memset(heap->free, 0, sizeof heap->free);
    memset(heap->unswept, 0, sizeof heap->unswept);
    uint64_t kept_bytes = 0; /* of free blocks: what is taken again before the next collection needs no fresh pages */
    for (wa_region *region = heap->regions; region != NULL; region = region->next)
        for (uint32_t i = 0; i < region->used; i++) {
            if (region->starts[i] != i + 1)
                continue;
            wa_block *block = block_at(region, i);
            if (has_marks(block)) {
                if (block->cell_bytes != 0) {
                    block->next = heap->unswept[block->size_class];
                    heap->unswept[block->size_class] = block;
                }
                continue;
            }
            kept_bytes += (uint64_t)block->run * WA_BLOCK_BYTES;
            free_block(store, region, i, kept_bytes <= heap->collect_at);
        }
}

/* ---- as a whole ---------------------------------------------------------------------------------------------------- */

void wa_heap_free(wa_store *store)
{
    wa_heap *heap = store->heap;
    if (heap == NULL)
        return;
    if (store->quota != NULL)
        wa_quota_give_back(store->quota, WA_COUNTED_MEMORY_BYTES, heap->blocks * WA_BLOCK_BYTES);
    while (heap->regions != NULL) {
        wa_region *region = heap->regions;
        heap->regions = region->next;
        munmap(region->space, (uint64_t)(region->capacity + 1) * WA_BLOCK_BYTES);
        free(region->starts);
        free(region);
    }
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
