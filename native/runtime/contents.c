/* What a store owns: instances, objects that the embedder made, exceptions. Adopting, joining two stores, letting all go. */
#include <stdlib.h>

#include "stop.h"

static void free_contents(wa_store *store)
{
    while (store->instances != NULL) {
        wa_details *details = store->instances;
        store->instances = details->next;
        wa_instance_free(details);
    }
    wa_exceptions_free(store);
    wa_heap_abandon(store);
    wa_heap_free(store);
    while (store->adopted != NULL) {
        wa_adopted *adopted = store->adopted;
        store->adopted = adopted->next;
        wa_extern_release(adopted->object.kind, adopted->object.object);
        free(adopted);
    }
}

void wa_store_release(wa_store *store)
{
    /* A loop, not recursion: joins may have made a long chain. */
    while (store != NULL && atomic_fetch_sub_explicit(&store->references, 1, memory_order_acq_rel) == 1) {
        wa_store *forward = atomic_load(&store->forward);
        free_contents(store);
        wa_stops_forget(store);
        free(store->operands);
        wa_store_set_program(store, NULL, NULL);
        if (store->quota != NULL)
            wa_quota_release(store->quota);
        pthread_cond_destroy(&store->left);
        pthread_mutex_destroy(&store->mutex);
        free(store);
        store = forward;
    }
}

int wa_store_adopt(wa_store *store, const wa_extern *object, wa_error *error)
{
    store = wa_root(store);
    if (object->kind == WA_KIND_FUNC)
        return 0; /* functions are kept by their instance or by the embedder */
    wa_adopted *adopted = malloc(sizeof *adopted);
    if (adopted == NULL)
        return wa_fail(error, WA_ERROR_NO_MEMORY, 0, 0, 0, "store");
    if (wa_store_admit(store, object, error) < 0) {
        free(adopted);
        return -1;
    }
    wa_extern_retain(object->kind, object->object);
    adopted->object = *object;
    adopted->next = store->adopted;
    store->adopted = adopted;
    return 0;
}

static void move_contents(wa_store *into, wa_store *from)
{
    if (into->operands == NULL) {
        wa_store_set_operands(into, from->operands);
        from->operands = NULL;
    }
    while (from->instances != NULL) {
        wa_details *details = from->instances;
        from->instances = details->next;
        details->next = into->instances;
        into->instances = details;
        details->instance->head.store = into;
        details->instance->head.operands = into->operands;
        details->instance->head.exception = (void *)&into->pending;
        details->instance->head.fuel = &into->fuel;
        details->instance->head.stack_limit = into->stack_limit;
    }
    while (from->adopted != NULL) {
        wa_adopted *adopted = from->adopted;
        from->adopted = adopted->next;
        adopted->next = into->adopted;
        into->adopted = adopted;
    }
}

/* Calls of this thread that are inside now run with the same limit: the stricter of what was there, and from here on that of a
 * store with limits. */
void wa_store_set_program(wa_store *store, void *program, void (*finalizer)(void *program))
{
    if (store->program != NULL)
        store->program_finalizer(store->program);
    store->program = program;
    store->program_finalizer = finalizer;
}

void *wa_store_program(wa_store *store)
{
    return wa_root(store)->program;
}

/* What a store lacks comes from the other. */
static void join_programs(wa_store *into, wa_store *from)
{
    if (into->program == NULL) {
        wa_store_set_program(into, from->program, from->program_finalizer);
        from->program = NULL;
    }
}

static void join_stack_limits(wa_store *into, const wa_store *from)
{
    if (from->active != 0 && (into->active == 0 || from->stack_limit > into->stack_limit))
        wa_store_set_stack_limit(into, from->stack_limit);
    into->active += from->active;
    /* With calls of several stacks in both, which of them came last is not known: none may go on. */
    into->latest = into->latest != 0 && from->latest != 0 ? UINT64_MAX : into->latest | from->latest;
    if (into->quota != NULL)
        wa_store_fit_stack_limit(into);
}

int wa_store_join(wa_store *into, wa_store *from, wa_error *error)
{
    into = wa_root(into);
    from = wa_root(from);
    if (into == from)
        return 0;
    if (!wa_store_try_enter(into))
        return wa_fail(error, WA_ERROR_STORE_BUSY, 0, 0, 0, "");
    if (!wa_store_try_enter(from)) {
        wa_store_leave(into);
        return wa_fail(error, WA_ERROR_STORE_BUSY, 0, 0, 0, "");
    }
    if (wa_fuel_check_join(into, from, error) < 0) {
        wa_store_leave(from);
        wa_store_leave(into);
        return -1;
    }
    int failed = wa_exceptions_make_room(into, from);
    if (failed)
        wa_fail(error, WA_ERROR_NO_MEMORY, 0, 0, 0, "store");
    if (failed || wa_limits_join(into, from, error) < 0) {
        wa_store_leave(from);
        wa_store_leave(into);
        return -1;
    }
    wa_exceptions_move(into, from);
    wa_heap_settle(into);
    wa_heap_settle(from);
    wa_heap_join(into, from);
    into->marks_at_once |= from->marks_at_once;
    atomic_fetch_add(&into->heap_pins, atomic_load(&from->heap_pins));
    wa_fuel_join(into, from);
    join_programs(into, from);
    move_contents(into, from);
    join_stack_limits(into, from);
    into->depth += from->depth;
    wa_store_become(from, into);
    wa_stops_join(into, from);
    wa_store_leave(from); /* by now an alias of into */
    wa_store_leave(into);
    return 0;
}

bool wa_store_calls_are_here(wa_store *store, uint32_t count)
{
    store = wa_root(store);
    return store->active == count && atomic_load(&store->owner) == wa_thread_id() && !wa_this_thread.notes.parked;
}

typedef struct handle_walk {
    void (*visit)(uint64_t, void *);
    void *user;
} handle_walk;

static void visit_handle(uint64_t reference, void *user)
{
    const handle_walk *how = user;
    if ((reference & WA_REFERENCE_TAGS) == WA_REFERENCE_HANDLE)
        how->visit(reference, how->user);
}

void wa_store_visit_externrefs(wa_store *store, void (*visit)(uint64_t handle, void *user), void *user)
{
    store = wa_root(store);
    handle_walk how = {visit, user};
    if (store->active != 0)
        wa_visit_stack(visit_handle, &how);
    wa_heap_collect(store);
    wa_store_visit_references(store, wa_valtype_is_traced, visit_handle, &how);
    wa_exceptions_collect(store);
    wa_exceptions_visit(store, wa_valtype_is_traced, visit_handle, &how);
    wa_heap_visit_handles(store, visit, user);
}
