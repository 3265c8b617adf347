/* Allocation in the heap of a store, which gives the collector its turns, and has it collect before it gives up. Compiled code takes small objects
 * from the runs by itself, and comes here when one is empty. */
#include "gc.h"
#include "store.h"

/* The collector's turn, where it is. */
static void step_if_due(wa_store *store, uint64_t wanted_bytes)
{
#if defined WA_COLLECT_ALWAYS
    (void)wanted_bytes;
    wa_heap_collect(store);
#elif defined WA_STEP_ALWAYS
    wa_heap_step(store, wanted_bytes);
#else
    const wa_heap *heap = store->heap;
    if (heap->taken_bytes + wanted_bytes > heap->look_at)
        wa_heap_step(store, wanted_bytes);
#endif
}

static wa_run *run_of(wa_store *store, uint32_t size_class)
{
    return size_class < WA_INLINE_CLASSES ? &store->runs[size_class] : &store->heap->runs[size_class];
}

static bool take_run(wa_store *store, uint32_t size_class, wa_run *run)
{
    return wa_heap_swept_run(store->heap, size_class, run) || wa_heap_new_run(store, size_class, run);
}

static WA_COLD bool refill(wa_store *store, uint32_t size_class, wa_run *run)
{
    step_if_due(store, store->heap->class_bytes[size_class]);
    return take_run(store, size_class, run) || (wa_heap_finish(store) && take_run(store, size_class, run)) ||
           (wa_heap_collect(store) && take_run(store, size_class, run));
}

static WA_COLD wa_object *allocate_large(wa_store *store, uint64_t size_bytes)
{
    if (size_bytes > WA_OBJECT_MAX_BYTES)
        return NULL;
    uint32_t blocks = (uint32_t)((size_bytes + WA_BLOCK_HEADER_BYTES + WA_BLOCK_BYTES - 1) / WA_BLOCK_BYTES);
    step_if_due(store, size_bytes);
    wa_object *object = wa_heap_new_large(store, blocks);
    if (object == NULL && wa_heap_finish(store))
        object = wa_heap_new_large(store, blocks);
    if (object == NULL && wa_heap_collect(store))
        object = wa_heap_new_large(store, blocks);
    return object;
}

wa_object *wa_heap_allocate(wa_store *store, const wa_rtt *rtt, uint64_t size_bytes)
{
    wa_heap *heap = wa_heap_of(store);
    if (heap == NULL)
        return NULL;
    wa_object *object;
    if (size_bytes <= WA_SMALL_MAX_BYTES) {
        uint32_t size_class = heap->class_of[(size_bytes + WA_OBJECT_ALIGN_BYTES - 1) / WA_OBJECT_ALIGN_BYTES];
        wa_run *run = run_of(store, size_class);
        if (run->next == run->end && !refill(store, size_class, run))
            return NULL;
        object = run->next;
        run->next = (uint8_t *)run->next + heap->class_bytes[size_class];
    } else {
        object = allocate_large(store, size_bytes);
        if (object == NULL)
            return NULL;
    }
    object->rtt = (void *)(uintptr_t)rtt;
    return object;
}
