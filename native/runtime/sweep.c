/* After marking: which blocks of a heap have free cells, and which go back to the system. In steps: the guest runs in between, and
 * allocates in blocks that were looked into, or in new ones. */
#include <string.h>

#include "gc.h"
#include "store.h"

/* What a block takes, in steps: to find that it is free, to look into it, and to give its memory back. */
enum { PASSING_STEPS = 1, LOOKING_STEPS = 16, FREEING_STEPS = 256 };

void wa_heap_forget_runs(wa_store *store)
{
    memset(store->runs, 0, sizeof store->runs);
    memset(store->heap->runs, 0, sizeof store->heap->runs);
}

void wa_heap_clear_marks(wa_heap *heap)
{
    for (wa_region *region = heap->regions; region != NULL; region = region->next)
        memset(region->marks, 0, (uint64_t)region->used * WA_BLOCK_WORDS * sizeof *region->marks);
}

static uint32_t count_living(const wa_region *region, uint32_t index)
{
    const uint64_t *allocated = region->allocated + (uint64_t)index * WA_BLOCK_WORDS;
    uint32_t count = 0;
    for (uint32_t i = 0; i < WA_BLOCK_WORDS; i++)
        if (allocated[i] != 0)
            count += (uint32_t)__builtin_popcountll(allocated[i]);
    return count;
}

#if defined WA_COLLECT_ALWAYS || defined WA_STEP_ALWAYS
/* Whoever reads what is free reads no zeros. */
static void overwrite(const wa_region *region, wa_block *block)
{
    const uint64_t *living = region->allocated + wa_region_granule(region, (uintptr_t)block) / 64;
    for (uint32_t i = 0; i < block->cell_count; i++)
        if (!wa_is_set(living, WA_BLOCK_HEADER_GRANULES + i * (block->cell_bytes / WA_OBJECT_ALIGN_BYTES)))
            memset(wa_block_cells(block) + (uint64_t)i * block->cell_bytes, 0xa5, block->cell_bytes);
}

static void overwrite_all(const wa_heap *heap)
{
    for (const wa_region *region = heap->regions; region != NULL; region = region->next)
        for (uint32_t i = 0; i < region->used; i++)
            if (region->starts[i] == i + 1)
                overwrite(region, wa_block_at(region, i));
}
#else
static void overwrite_all(const wa_heap *heap WA_UNUSED)
{
}
#endif

/* ---- a cycle ------------------------------------------------------------------------------------------------------ */

static void start_over(wa_heap *heap, uint8_t sweeping)
{
    heap->sweeping = sweeping;
    heap->sweep_region = heap->regions;
    heap->sweep_left = heap->regions == NULL ? 0 : heap->regions->used;
}

void wa_heap_begin_sweep(wa_store *store)
{
    wa_heap *heap = store->heap;
    for (wa_region *region = heap->regions; region != NULL; region = region->next) {
        uint64_t *marks = region->marks;
        region->marks = region->allocated;
        region->allocated = marks;
        memset(region->states, WA_BLOCK_DUE, region->used);
    }
    memset(heap->unswept, 0, sizeof heap->unswept);
    heap->live_bytes = heap->kept_bytes = 0;
    heap->taken_bytes -= heap->begun_at;
    heap->new_bytes = heap->taken_bytes;
    heap->finish_at = heap->taken_bytes + heap->collect_at;
    overwrite_all(heap);
    start_over(heap, WA_LOOKING_INTO_BLOCKS);
}

/* Its free cells may be taken from now on. */
static void look_into_block(wa_heap *heap, wa_region *region, uint32_t index)
{
    wa_block *block = wa_block_at(region, index);
    uint32_t live_count = count_living(region, index);
    memset(region->marks + (uint64_t)index * WA_BLOCK_WORDS, 0, WA_BLOCK_WORDS * sizeof *region->marks);
    region->states[index] = live_count == 0 ? WA_BLOCK_EMPTY : WA_BLOCK_SWEPT;
    if (live_count == 0)
        return;
    heap->live_bytes += block->cell_bytes == 0 ? (uint64_t)block->run * WA_BLOCK_BYTES : (uint64_t)live_count * block->cell_bytes;
    block->swept = WA_BLOCK_HEADER_GRANULES;
    block->is_zero = false;
    if (live_count == block->cell_count)
        return;
    block->next = heap->unswept[block->size_class];
    heap->unswept[block->size_class] = block;
}

/* What is taken again before the next collection needs no fresh pages. Returns what it took. */
static int64_t free_block(wa_store *store, wa_region *region, uint32_t index)
{
    wa_heap *heap = store->heap;
    heap->kept_bytes += (uint64_t)wa_block_at(region, index)->run * WA_BLOCK_BYTES;
    bool keeps = heap->kept_bytes <= heap->collect_at;
    region->states[index] = WA_BLOCK_SWEPT;
    wa_heap_free_block(store, region, index, keeps);
    return keeps ? LOOKING_STEPS : FREEING_STEPS;
}

/* The last of those that are left, or the run that it ends. Returns what it took. */
static int64_t sweep_block(wa_store *store)
{
    wa_heap *heap = store->heap;
    wa_region *region = heap->sweep_region;
    uint32_t index = heap->sweep_left - 1, start = region->starts[index];
    heap->sweep_left = start == 0 ? index : start - 1;
    uint8_t state = start == 0 ? WA_BLOCK_SWEPT : region->states[start - 1];
    if (state == WA_BLOCK_EMPTY && heap->sweeping == WA_FREEING_BLOCKS)
        return free_block(store, region, start - 1);
    if (state != WA_BLOCK_DUE)
        return PASSING_STEPS;
    look_into_block(heap, region, start - 1);
    return LOOKING_STEPS;
}

static void end_turn(wa_heap *heap)
{
    if (heap->sweeping == WA_FREEING_BLOCKS) {
        heap->sweeping = WA_SWEPT;
        heap->look_at = heap->collect_at;
        return;
    }
    uint64_t live_bytes = heap->live_bytes - (heap->new_bytes < heap->live_bytes ? heap->new_bytes : heap->live_bytes);
    heap->collect_at = live_bytes > WA_FIRST_COLLECTION_BYTES ? live_bytes : WA_FIRST_COLLECTION_BYTES;
    start_over(heap, WA_FREEING_BLOCKS);
}

/* Downwards, so that lists of blocks, which grow at their heads, lead upwards. */
void wa_heap_sweep(wa_store *store, int64_t steps)
{
    wa_heap *heap = store->heap;
    while (heap->sweeping != WA_SWEPT && steps > 0) {
        if (heap->sweep_left != 0) {
            steps -= sweep_block(store);
        } else if (heap->sweep_region != NULL && heap->sweep_region->next != NULL) {
            heap->sweep_region = heap->sweep_region->next;
            heap->sweep_left = heap->sweep_region->used;
        } else {
            end_turn(heap);
        }
    }
}
