/* What a store owns: instances, objects that the embedder made, exceptions. Adopting, joining two stores, letting all go. */
#include <stdlib.h>

#include "store.h"

static void free_contents(wa_store *store)
{
    while (store->instances != NULL) {
        wa_details *details = store->instances;
        store->instances = details->next;
        wa_instance_free(details);
    }
    wa_exceptions_free(store);
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
        free(store->operands);
        pthread_cond_destroy(&store->left);
        pthread_mutex_destroy(&store->mutex);
        free(store);
        store = forward;
    }
}

void wa_store_adopt(wa_store *store, const wa_extern *object)
{
    store = wa_root(store);
    if (object->kind == WA_KIND_FUNC)
        return; /* functions are kept by their instance or by the embedder */
    wa_adopted *adopted = malloc(sizeof *adopted);
    if (adopted == NULL)
        return; /* the embedder's own reference keeps the object; only tracing of externrefs misses it */
    wa_extern_retain(object->kind, object->object);
    adopted->object = *object;
    adopted->next = store->adopted;
    store->adopted = adopted;
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
        details->instance->head.stack_limit = into->stack_limit;
    }
    while (from->adopted != NULL) {
        wa_adopted *adopted = from->adopted;
        from->adopted = adopted->next;
        adopted->next = into->adopted;
        into->adopted = adopted;
    }
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
    if (wa_exceptions_move(into, from) < 0) {
        wa_store_leave(from);
        wa_store_leave(into);
        return wa_fail(error, WA_ERROR_NO_MEMORY, 0, 0, 0, "store");
    }
    /* Calls of this thread that are inside `from` now run with the other's limit: it is the same thread's. */
    if (into->active == 0 && from->active != 0)
        wa_store_set_stack_limit(into, from->stack_limit);
    move_contents(into, from);
    into->depth += from->depth;
    into->active += from->active;
    wa_store_become(from, into);
    wa_store_leave(from); /* by now an alias of into */
    wa_store_leave(into);
    return 0;
}

void wa_store_visit_externrefs(wa_store *store, void (*visit)(uint64_t handle, void *user), void *user)
{
    store = wa_root(store);
    wa_store_visit_references(store, wa_valtype_is_externref, visit, user);
    wa_exceptions_collect(store);
    wa_exceptions_visit(store, wa_valtype_is_externref, visit, user);
}
