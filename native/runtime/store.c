/* Stores: what may reach each other lives in one; one thread at a time is inside. */
#include <stdlib.h>

#include "core.h"

static uintptr_t this_thread(void)
{
    return (uintptr_t)&wa_this_thread;
}

wa_store *wa_store_new(void)
{
    wa_store *store = aligned_alloc(_Alignof(wa_store), sizeof *store);
    if (store == NULL)
        return NULL;
    memset(store, 0, sizeof *store);
    store->references = 1;
    pthread_mutex_init(&store->mutex, NULL);
    pthread_cond_init(&store->left, NULL);
    return store;
}

void wa_store_retain(wa_store *store)
{
    atomic_fetch_add_explicit(&store->references, 1, memory_order_relaxed);
}

static void release_object(const wa_extern *object)
{
    switch (object->kind) {
    case WA_KIND_TABLE:
        wa_table_release(object->object);
        break;
    case WA_KIND_MEMORY:
        wa_memory_release(object->object);
        break;
    case WA_KIND_GLOBAL:
        wa_global_release(object->object);
        break;
    case WA_KIND_TAG:
        wa_tag_release(object->object);
        break;
    default:
        break;
    }
}

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
        release_object(&adopted->object);
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

wa_store *wa_store_root(wa_store *store)
{
    wa_store *next;
    while ((next = atomic_load_explicit(&store->forward, memory_order_acquire)) != NULL)
        store = next;
    return store;
}

bool wa_store_try_enter(wa_store *store)
{
    store = wa_store_root(store);
    uintptr_t me = this_thread(), nobody = 0;
    if (atomic_load_explicit(&store->owner, memory_order_relaxed) != me) {
        if (!atomic_compare_exchange_strong(&store->owner, &nobody, me))
            return false;
        if (atomic_load_explicit(&store->forward, memory_order_relaxed) != NULL) {
            /* Joined between the two steps: the store that counts is another one now. */
            atomic_store(&store->owner, 0);
            return wa_store_try_enter(store);
        }
    }
    store->depth++;
    return true;
}

bool wa_store_is_free(wa_store *store)
{
    uintptr_t owner = atomic_load_explicit(&wa_store_root(store)->owner, memory_order_acquire);
    return owner == 0 || owner == this_thread();
}

void wa_store_enter_wait(wa_store *store)
{
    while (!wa_store_try_enter(store)) {
        wa_store *root = wa_store_root(store);
        pthread_mutex_lock(&root->mutex);
        atomic_fetch_add(&root->waiters, 1);
        /* The owner looks at waiters after it gave the store up, we look at the owner after we counted ourselves: one of
         * the two sees the other. */
        if (atomic_load(&root->owner) != 0 && atomic_load(&root->forward) == NULL)
            pthread_cond_wait(&root->left, &root->mutex);
        atomic_fetch_sub(&root->waiters, 1);
        pthread_mutex_unlock(&root->mutex);
    }
}

static void wake(wa_store *store)
{
    pthread_mutex_lock(&store->mutex);
    pthread_cond_broadcast(&store->left);
    pthread_mutex_unlock(&store->mutex);
}

void wa_store_leave(wa_store *store)
{
    store = wa_store_root(store);
    if (--store->depth != 0)
        return;
    atomic_store(&store->owner, 0);
    if (atomic_load(&store->waiters) != 0)
        wake(store);
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
    into = wa_store_root(into);
    from = wa_store_root(from);
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
    wa_store_retain(into);
    atomic_store(&from->forward, into);
    atomic_store(&from->owner, 0);
    wake(from);
    wa_store_leave(from); /* by now an alias of into */
    wa_store_leave(into);
    return 0;
}

void wa_store_set_stack_limit(wa_store *store, uint64_t limit)
{
    store->stack_limit = limit;
    for (wa_details *details = store->instances; details != NULL; details = details->next)
        details->instance->head.stack_limit = limit;
}

void wa_store_set_operands(wa_store *store, void *operands)
{
    store->operands = operands;
    for (wa_details *details = store->instances; details != NULL; details = details->next)
        details->instance->head.operands = operands;
}

void wa_store_adopt(wa_store *store, const wa_extern *object)
{
    store = wa_store_root(store);
    wa_adopted *adopted = malloc(sizeof *adopted);
    if (adopted == NULL)
        return; /* the embedder's own reference keeps the object; only tracing of externrefs misses it */
    switch (object->kind) {
    case WA_KIND_TABLE:
        wa_table_retain(object->object);
        break;
    case WA_KIND_MEMORY:
        wa_memory_retain(object->object);
        break;
    case WA_KIND_GLOBAL:
        wa_global_retain(object->object);
        break;
    case WA_KIND_TAG:
        wa_tag_retain(object->object);
        break;
    default:
        free(adopted); /* functions are kept by their instance or by the embedder */
        return;
    }
    adopted->object = *object;
    adopted->next = store->adopted;
    store->adopted = adopted;
}

bool wa_store_is_active(const wa_store *store)
{
    return wa_store_root((wa_store *)(uintptr_t)store)->active != 0;
}

static bool is_externref(uint32_t valtype)
{
    return (valtype >> 8) == WA_HEAP_EXTERN || (valtype >> 8) == WA_HEAP_NOEXTERN;
}

/* A walk over the references of some types that a store holds. */
typedef struct walk {
    bool (*wants)(uint32_t valtype);
    void (*visit)(uint64_t reference, void *user);
    void *user;
} walk;

static void visit_slots(const walk *how, uint32_t valtype, const uint64_t *slots, uint64_t count)
{
    if (!how->wants(valtype))
        return;
    for (uint64_t i = 0; i < count; i++)
        if (slots[i] != 0)
            how->visit(slots[i], how->user);
}

static void visit_cell(const walk *how, uint32_t valtype, const void *cell)
{
    uint64_t reference;
    memcpy(&reference, cell, sizeof reference);
    visit_slots(how, valtype, &reference, 1);
}

static void visit_table(const walk *how, const wa_table *table)
{
    visit_slots(how, table->valtype.code, table->head.slots, table->head.size);
}

static void visit_instance(const walk *how, const wa_details *details)
{
    const wa_artifact *artifact = details->artifact;
    uint64_t globals = WA_ROWS(artifact, global_type) - details->imported_globals;
    for (uint64_t i = 0; i < details->imported_globals; i++)
        visit_cell(how, details->globals[i]->valtype.code, details->globals[i]->cell);
    const uint8_t *cells = (const uint8_t *)details->instance + artifact->header->instance_globals_offset;
    for (uint64_t i = 0; i < globals; i++)
        visit_cell(how, WA_COLUMN(artifact, global_type, uint32_t)[details->imported_globals + i], cells + 16 * i);
    for (uint64_t i = 0; i < WA_ROWS(artifact, table_type); i++)
        visit_table(how, wa_table_slots(details->instance)[i]);
    const struct wa_schema_element_slot *elements =
        (const void *)((const uint8_t *)details->instance + artifact->header->instance_elements_offset);
    for (uint64_t i = 0; i < WA_ROWS(artifact, element_type); i++)
        visit_slots(how, WA_COLUMN(artifact, element_type, uint32_t)[i], elements[i].slots, elements[i].size);
}

void wa_store_visit_references(wa_store *store, bool (*wants)(uint32_t valtype), void (*visit)(uint64_t, void *), void *user)
{
    const walk how = {wants, visit, user};
    for (const wa_details *details = store->instances; details != NULL; details = details->next)
        visit_instance(&how, details);
    for (const wa_adopted *adopted = store->adopted; adopted != NULL; adopted = adopted->next) {
        if (adopted->object.kind == WA_KIND_TABLE)
            visit_table(&how, adopted->object.object);
        if (adopted->object.kind == WA_KIND_GLOBAL) {
            const wa_global *global = adopted->object.object;
            visit_cell(&how, global->valtype.code, global->cell);
        }
    }
}

void wa_store_visit_externrefs(wa_store *store, void (*visit)(uint64_t handle, void *user), void *user)
{
    store = wa_store_root(store);
    const walk how = {is_externref, visit, user};
    wa_store_visit_references(store, is_externref, visit, user);
    wa_exceptions_collect(store);
    for (uint64_t i = 0; i < store->exception_count; i++) {
        const wa_tag *tag = store->exceptions[i]->tag;
        const uint64_t *slot = wa_exception_values(store->exceptions[i]);
        for (uint32_t k = 0; k < tag->param_count; k++) {
            visit_cell(&how, tag->params[k], slot);
            slot += wa_valtype_slots(tag->params[k]);
        }
    }
}
