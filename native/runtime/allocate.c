/* Allocation in the heap of a store, which collects when it is time, and before it gives up. */
#include "gc.h"
#include "store.h"

/* Whether it is time for a collection, and there was one. */
static bool collect_if_due(wa_store *store, uint64_t wanted_bytes)
{
    const wa_heap *heap = store->heap;
    return heap->taken_bytes + wanted_bytes > heap->collect_at && wa_heap_collect(store);
}

static WA_COLD bool refill(wa_store *store, uint32_t size_class)
{
    wa_heap *heap = store->heap;
    wa_free_cell *cells = wa_heap_swept_cells(heap, size_class);
    if (cells == NULL && collect_if_due(store, WA_BLOCK_BYTES))
        cells = wa_heap_swept_cells(heap, size_class);
    if (cells == NULL)
        cells = wa_heap_new_cells(store, size_class);
    if (cells == NULL && wa_heap_collect(store) && (cells = wa_heap_swept_cells(heap, size_class)) == NULL)
        cells = wa_heap_new_cells(store, size_class);
    heap->free[size_class] = cells;
    return cells != NULL;
}

static WA_COLD wa_object *allocate_large(wa_store *store, uint64_t size_bytes)
{
    if (size_bytes > WA_OBJECT_MAX_BYTES)
        return NULL;
    uint32_t run = (uint32_t)((size_bytes + WA_BLOCK_HEADER_BYTES + WA_BLOCK_BYTES - 1) / WA_BLOCK_BYTES);
    bool is_fresh;
    collect_if_due(store, size_bytes);
    wa_block *block = wa_heap_new_block(store, run, &is_fresh);
    if (block == NULL && wa_heap_collect(store))
        block = wa_heap_new_block(store, run, &is_fresh);
    if (block == NULL)
        return NULL;
    block->cell_count = 1;
    block->cell_bytes = 0; /* its only one starts at 0 */
    if (!is_fresh)
        memset(wa_block_cells(block), 0, size_bytes);
    return (void *)wa_block_cells(block);
}

wa_object *wa_heap_allocate(wa_store *store, const wa_rtt *rtt, uint64_t size_bytes)
{
    wa_heap *heap = wa_heap_of(store);
    if (heap == NULL)
        return NULL;
    wa_object *object;
    if (size_bytes <= WA_SMALL_MAX_BYTES) {
        uint32_t size_class = heap->class_of[(size_bytes + 15) / 16];
        if (heap->free[size_class] == NULL && !refill(store, size_class))
            return NULL;
        wa_free_cell *cell = heap->free[size_class];
        heap->free[size_class] = cell->next;
        object = memset(cell, 0, (size_bytes + 15) & ~UINT64_C(15));
    } else {
        object = allocate_large(store, size_bytes);
        if (object == NULL)
            return NULL;
    }
    object->rtt = (void *)(uintptr_t)rtt;
    return object;
}
