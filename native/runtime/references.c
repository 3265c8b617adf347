/* The references that a store holds outside of the stack: in tables, globals and element segments. */
#include "store.h"

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
    const wa_cell *cells = wa_global_cells(details->instance);
    for (uint64_t i = 0; i < globals; i++)
        visit_cell(how, WA_COLUMN(artifact, global_type)[details->imported_globals + i], &cells[i]);
    for (uint64_t i = 0; i < WA_ROWS(artifact, table_type); i++)
        visit_table(how, wa_table_slots(details->instance)[i]);
    /* What a segment has from the file are no references yet. */
    const struct wa_schema_element_slot *elements = wa_element_slots(details->instance);
    for (uint64_t i = 0; details->element_storage != NULL && i < WA_ROWS(artifact, element_type); i++)
        if (details->element_storage[i] != NULL)
            visit_slots(how, WA_COLUMN(artifact, element_type)[i], elements[i].slots, elements[i].size);
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
