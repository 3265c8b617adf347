/* The collector of a store's heap: cycles of marking and sweeping, in steps between which the guest runs, or at once.
 *
 * A cycle begins with the roots, which are looked at in one go; that takes as long as the stack, the tables and what Python holds
 * are large. Then each STEP_BYTES that are handed out pay for a step. Marking all takes less than half a step for each byte of
 * what lives, so it ends before the guest has allocated half as much again. */
#include "gc.h"
#include "store.h"
#include "thread.h"

enum {
#ifdef WA_STEP_ALWAYS
    STEP_BYTES = 1,
    MARK_STEPS = 3,
    SWEEP_STEPS = 1,
    MOST_TIMES = 1,
#else
    STEP_BYTES = 1 << 16,
    MARK_STEPS = 1 << 16,  /* a quarter of a millisecond, as is the next */
    SWEEP_STEPS = 1 << 13,
    MOST_TIMES = 4,        /* in one pause */
#endif
    ALL_STEPS = -1,
    STEPS_PER_LOOK = 16384, /* between two looks for what shall end the call */
};

/* ---- a cycle ------------------------------------------------------------------------------------------------------ */

static void tell_instances(const wa_store *store, bool is_marking)
{
    for (const wa_details *details = store->instances; details != NULL; details = details->next)
        details->instance->head.is_marking = is_marking;
}

static bool is_idle(const wa_heap *heap)
{
    return heap->marking == NULL && heap->sweeping == WA_SWEPT;
}

/* Whether all references of the guest are where a collection looks. */
static bool sees_roots(wa_store *store)
{
    return atomic_load(&store->heap_pins) == 0 && !wa_stack_has_others(store);
}

/* False: there is no memory. Nothing is being swept. */
static bool begin(wa_store *store)
{
    wa_heap *heap = store->heap;
    wa_heap_forget_runs(store); /* so that each cell that is handed out from now on gets its mark */
    heap->marking = wa_marking_new(store);
    if (heap->marking == NULL)
        return false;
    heap->begun_at = heap->taken_bytes;
    heap->finish_at = heap->taken_bytes + heap->collect_at;
    tell_instances(store, true);
    return true;
}

static void end_marking(wa_store *store)
{
    wa_heap *heap = store->heap;
    wa_marking_free(heap->marking);
    heap->marking = NULL;
    tell_instances(store, false);
}

void wa_heap_abandon(wa_store *store)
{
    if (store->heap == NULL || store->heap->marking == NULL)
        return;
    end_marking(store);
    wa_heap_clear_marks(store->heap);
}

void wa_heap_settle(wa_store *store)
{
    wa_heap_abandon(store);
    if (store->heap != NULL)
        wa_heap_sweep(store, INT64_MAX);
}

/* ---- at once ------------------------------------------------------------------------------------------------------ */

/* Mark the rest, and sweep; false where something shall end the call. */
static bool finish(wa_store *store, bool may_stop)
{
    while (!wa_marking_step(store->heap->marking, STEPS_PER_LOOK))
        if (may_stop && wa_interrupt_is_due())
            return false;
    wa_marking_check(store);
    end_marking(store);
    wa_heap_begin_sweep(store);
    wa_heap_sweep(store, INT64_MAX);
    return true;
}

bool wa_heap_finish(wa_store *store)
{
    wa_heap *heap = store->heap;
    if (heap == NULL || is_idle(heap))
        return false;
    if (heap->marking != NULL)
        return finish(store, true);
    wa_heap_sweep(store, INT64_MAX);
    return true;
}

bool wa_heap_collect(wa_store *store)
{
    wa_heap *heap = store->heap;
    if (heap == NULL || !sees_roots(store))
        return false;
    /* Whoever ends all calls soon must not keep the collector from ever getting to the end. */
    bool is_overdue = heap->taken_bytes > 2 * heap->collect_at;
    if (!is_overdue && wa_interrupt_is_due())
        return false; /* and what is marked by now stays */
    wa_heap_settle(store);
    if (!begin(store))
        return false;
    if (finish(store, !is_overdue))
        return true;
    if (store->marks_at_once)
        wa_heap_abandon(store);
    return false;
}

/* ---- in steps ----------------------------------------------------------------------------------------------------- */

/* So many times what STEP_BYTES pay for. */
static void go_on(wa_store *store, int64_t times)
{
    wa_heap *heap = store->heap;
    if (heap->marking != NULL) {
        if (!wa_marking_step(heap->marking, times == ALL_STEPS ? INT64_MAX : times * MARK_STEPS))
            return;
        wa_marking_check(store);
        end_marking(store);
        wa_heap_begin_sweep(store);
    }
    wa_heap_sweep(store, times == ALL_STEPS ? INT64_MAX : times * SWEEP_STEPS);
}

void wa_heap_step(wa_store *store, uint64_t wanted_bytes)
{
    wa_heap *heap = store->heap;
    uint64_t taken_bytes = heap->taken_bytes + wanted_bytes;
    uint64_t times = taken_bytes > heap->look_at ? (taken_bytes - heap->look_at) / STEP_BYTES + 1 : 1;
    if (is_idle(heap) && store->marks_at_once) {
        wa_heap_collect(store);
        return;
    }
    if (is_idle(heap) && (!sees_roots(store) || !begin(store)))
        return;
    /* Large objects pay for more than a pause may take: what is late then is done at once, or the heap grew without end. */
    bool is_late = taken_bytes > heap->finish_at;
    go_on(store, is_late ? ALL_STEPS : (int64_t)(times < MOST_TIMES ? times : MOST_TIMES));
    heap->look_at = is_idle(heap) ? heap->collect_at : heap->taken_bytes + STEP_BYTES;
}

/* ---- pins --------------------------------------------------------------------------------------------------------- */

void wa_pin(wa_store *store)
{
    atomic_fetch_add(&wa_root(store)->heap_pins, 1);
}

void wa_unpin(wa_store *store)
{
    atomic_fetch_sub(&wa_root(store)->heap_pins, 1);
}
