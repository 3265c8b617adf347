/* Looking into the objects of a heap: what their fields hold. */
#include "gc.h"
#include "store.h"

void wa_object_visit(const wa_object *object, uint8_t holds, void (*visit)(uint64_t, void *), void *user)
{
    const wa_rtt *rtt = wa_rtt_of(object);
    const wa_rtt_details *details = wa_rtt_details_of(rtt);
    const uint8_t *bytes = (const void *)object;
    if (rtt->head.kind == WA_TYPE_ARRAY) {
        const uint64_t *elements = (const void *)(bytes + details->fields[0].offset);
        uint32_t length = details->fields[0].holds == holds ? ((const wa_array *)(const void *)object)->length : 0;
        for (uint32_t i = 0; i < length; i++)
            if (elements[i] != 0)
                visit(elements[i], user);
        return;
    }
    for (uint32_t i = 0; i < details->field_count; i++) {
        if (details->fields[i].holds != holds)
            continue;
        uint64_t reference;
        memcpy(&reference, bytes + details->fields[i].offset, sizeof reference);
        if (reference != 0)
            visit(reference, user);
    }
}

typedef struct walk {
    void (*visit)(uint64_t, void *);
    void *user;
} walk;

static void visit_handle(uint64_t reference, void *user)
{
    const walk *how = user;
    if (reference & WA_REFERENCE_HANDLE)
        how->visit(reference, how->user);
}

static void visit_object_handles(const wa_object *object, void *user)
{
    wa_object_visit(object, WA_FIELD_REFERENCE, visit_handle, user);
}

void wa_heap_visit_handles(wa_store *store, void (*visit)(uint64_t, void *), void *user)
{
    walk how = {visit, user};
    if (store->heap != NULL)
        wa_heap_each_object(store->heap, false, visit_object_handles, &how);
}

static void visit_exceptions(const wa_object *object, void *user)
{
    const walk *how = user;
    if (wa_rtt_details_of(wa_rtt_of(object))->has_exceptions)
        wa_object_visit(object, WA_FIELD_EXCEPTION, how->visit, how->user);
}

void wa_heap_visit_exceptions(wa_store *store, void (*visit)(uint64_t, void *), void *user)
{
    walk how = {visit, user};
    if (store->heap != NULL)
        wa_heap_each_object(store->heap, false, visit_exceptions, &how);
}
