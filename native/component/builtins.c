/* Canonical functions that need no embedder: resources of the component, and calls from one component instance to another; and
 * the imports of a component's core module, which these and the embedder's functions are.
 * Core functions are called so that what leaves them leaves these frames, too: nothing here is to be undone but what the
 * instance has, which is not entered again. */
#include <stdlib.h>
#include <string.h>

#include "runtime/store.h"
#include "runtime/thread.h"
#include "transfer.h"

static void heed(uint32_t problem)
{
    if (problem == WAC_RAISED)
        wa_unwind();
    if (problem != 0)
        wa_trap(problem);
}

/* The instance and the row of the canon that was called; it traps where the component instance may not leave. */
static wa_component_instance *begin(const wa_function *record, const struct wa_schema_component_canon **canon)
{
    wa_component_instance *instance = wa_instance_owner(record->instance);
    if (instance == NULL)
        wa_trap(WA_TRAP_DAMAGED_COMPONENT);
    if (wa_stack_is_short())
        wa_trap(WA_TRAP_STACK_EXHAUSTED);
    *canon = &instance->component->canons[wac_called_canon(record)];
    instance->core = record->instance;
    if (instance->subs[(*canon)->instance].may_not_leave && (*canon)->kind != WA_CANON_RESOURCE_REP)
        wa_trap(WA_TRAP_CANNOT_LEAVE_COMPONENT);
    return instance;
}

static void call_core(wa_component_instance *instance, const wac_callee *callee, uint64_t *slots)
{
    if (callee->entry == NULL)
        wa_trap(WA_TRAP_MISSING_TRAMPOLINE);
    wa_call_across(instance->core, callee->function, callee->entry, slots);
}

/* ---- resources ------------------------------------------------------------------------------------------------------ */

static void resource_new(wa_function *record, uint64_t *slots)
{
    const struct wa_schema_component_canon *canon;
    wa_component_instance *instance = begin(record, &canon);
    wac_handle handle = {.resource = canon->target - 1, .rep = (uint32_t)slots[0], .is_own = true};
    uint32_t index, trap = wac_handle_new(instance, canon->instance, handle, &index);
    if (trap != 0)
        wa_trap(trap);
    slots[0] = index;
    wa_heed_interrupt();
}

static void resource_rep(wa_function *record, uint64_t *slots)
{
    const struct wa_schema_component_canon *canon;
    wa_component_instance *instance = begin(record, &canon);
    uint32_t trap;
    const wac_handle *handle = wac_handle_get(instance, canon->instance, (uint32_t)slots[0], canon->target - 1, &trap);
    if (handle == NULL)
        wa_trap(trap);
    slots[0] = handle->rep;
    wa_heed_interrupt();
}

/* The resource ends: by its destructor, or by the embedder. */
static void end_resource(wa_component_instance *instance, uint32_t resource, uint32_t rep)
{
    const struct wa_schema_component_resource *row = &instance->component->resources[resource];
    if (row->owner == 0) {
        heed(instance->drop == NULL ? 0 : instance->drop(instance, resource, rep));
        return;
    }
    if (row->destructor == 0)
        return;
    wa_function *destructor = wa_instance_function(instance->core, row->destructor - 1);
    uint64_t slots[1] = {rep};
    wa_signature signature;
    if (destructor == NULL || wa_function_signature(destructor, &signature) < 0 || signature.param_count != 1 ||
        signature.params[0] != WA_VALTYPE_I32 || signature.result_count != 0)
        wa_trap(WA_TRAP_DAMAGED_COMPONENT);
    wac_callee callee = wac_callee_of(destructor);
    call_core(instance, &callee, slots);
}

static void resource_drop(wa_function *record, uint64_t *slots)
{
    const struct wa_schema_component_canon *canon;
    wa_component_instance *instance = begin(record, &canon);
    uint32_t trap, index = (uint32_t)slots[0];
    const wac_handle *found = wac_handle_get(instance, canon->instance, index, canon->target - 1, &trap);
    if (found == NULL)
        wa_trap(trap);
    wac_handle handle = *found;
    if (handle.lends != 0)
        wa_trap(WA_TRAP_RESOURCE_BORROWED);
    wac_handle_free(instance, canon->instance, index);
    if (handle.is_own)
        end_resource(instance, canon->target - 1, handle.rep);
    else if (handle.scope != NULL)
        handle.scope->borrows--;
    wa_heed_interrupt();
}

/* ---- calls between component instances ------------------------------------------------------------------------------ */

/* A value in a guest's memory. */
static uint8_t *pointed(const wac_options *options, const wac_type *type, uint64_t pointer)
{
    if ((uint32_t)pointer % type->align_bytes != 0)
        wa_trap(WA_TRAP_UNALIGNED_POINTER);
    uint8_t *place = wac_place(options, (uint32_t)pointer, type->size_bytes);
    if (place == NULL)
        wa_trap(WA_TRAP_POINTER_OUT_OF_BOUNDS);
    return place;
}

static void pass_arguments(const wac_crossing *crossing, const wac_type *type, const uint64_t *given, uint64_t *slots)
{
    uint8_t from_bytes[WAC_FLAT_BYTES], to_bytes[WAC_FLAT_BYTES];
    if (type->flat_count != WAC_NOT_FLAT) {
        heed(wac_from_flat(type, given, from_bytes));
        heed(wac_transfer(crossing, type, from_bytes, to_bytes));
        wac_to_flat(type, to_bytes, slots);
        return;
    }
    const uint8_t *from = pointed(crossing->from, type, given[0]);
    uint32_t pointer;
    uint8_t *to;
    heed(wac_allocate_across(crossing, type->align_bytes, type->size_bytes, WA_TRAP_POINTER_OUT_OF_BOUNDS, &pointer, &to));
    heed(wac_transfer(crossing, type, from, to));
    slots[0] = pointer;
}

/* results: what the callee gave; given: what the caller called with, of which the place for the result is the last one. */
static void pass_result(const wac_crossing *crossing, const wac_type *result, const uint64_t *results, uint64_t *given,
                        uint32_t params)
{
    uint8_t from_bytes[WAC_FLAT_BYTES], to_bytes[WAC_FLAT_BYTES];
    if (result->flat_count <= WA_MAX_FLAT_RESULTS) {
        heed(wac_from_flat(result, results, from_bytes));
        heed(wac_transfer(crossing, result, from_bytes, to_bytes));
        wac_to_flat(result, to_bytes, given);
        return;
    }
    const uint8_t *from = pointed(crossing->from, result, results[0]);
    heed(wac_transfer(crossing, result, from, pointed(crossing->to, result, given[params])));
}

static void call_adapter(wa_function *record, uint64_t *given)
{
    const struct wa_schema_component_canon *canon;
    wa_component_instance *instance = begin(record, &canon);
    const wac_options *caller = wac_options_of(instance, wac_called_canon(record));
    const wac_options *callee = wac_options_of(instance, canon->target - 1);
    const wac_type *type = &instance->component->types[canon->type - 1], *result = wac_result(type);
    if (caller == NULL || callee == NULL || instance->component->canons[canon->target - 1].type != canon->type)
        wa_trap(WA_TRAP_DAMAGED_COMPONENT);
    uint32_t (*run)(wa_component_instance *, const wac_callee *, uint64_t *) = instance->run;
    instance->run = NULL;
    wac_scope scope;
    wac_scope_begin(instance, &scope);
    uint64_t slots[WA_MAX_FLAT_PARAMS + 1] = {0}, results[1];
    pass_arguments(&(wac_crossing){instance, caller, callee, &scope}, type, given, slots);
    instance->run = run;
    call_core(instance, &callee->lifted, slots);
    instance->run = NULL;
    results[0] = slots[0];
    if (result != NULL)
        pass_result(&(wac_crossing){instance, callee, caller, NULL}, result, results, given,
                    type->flat_count == WAC_NOT_FLAT ? 1 : type->flat_count);
    if (callee->post_return.function != NULL) {
        instance->subs[callee->sub].may_not_leave = true;
        call_core(instance, &callee->post_return, results);
        instance->subs[callee->sub].may_not_leave = false;
    }
    instance->run = run;
    heed(wac_scope_end(instance, &scope));
    wa_heed_interrupt();
}

/* The wa_invoke of the imported canons that need no embedder; NULL for a lower of a host function. */
static wa_invoke builtin(uint32_t kind)
{
    switch (kind) {
    case WA_CANON_ADAPTER:
        return call_adapter;
    case WA_CANON_RESOURCE_NEW:
        return resource_new;
    case WA_CANON_RESOURCE_REP:
        return resource_rep;
    case WA_CANON_RESOURCE_DROP:
        return resource_drop;
    default:
        return NULL;
    }
}

static wa_host *new_host(const wa_component *component, uint32_t import, uint32_t type, wa_invoke lowered)
{
    wa_invoke own = builtin(component->canons[import].kind);
    wa_signature signature = wa_type_signature(component->artifact, type);
    return wa_host_new(own == NULL ? lowered : own, signature.digest, wac_canon_user(import), NULL);
}

uint32_t wa_component_link(wa_component *component, wa_invoke lowered, wa_extern *externs)
{
    if (component->hosts == NULL)
        component->hosts = calloc(component->import_count + 1u, sizeof *component->hosts);
    if (component->hosts == NULL)
        return WA_TRAP_OUT_OF_MEMORY;
    for (uint32_t i = 0; i < component->import_count; i++) {
        uint32_t type = wa_function_type(component->artifact, component->canons[i].function - 1);
        if (type == UINT32_MAX || component->canons[i].function != i + 1)
            return WA_TRAP_DAMAGED_COMPONENT;
        if (component->hosts[i] == NULL)
            component->hosts[i] = new_host(component, i, type, lowered);
        if (component->hosts[i] == NULL)
            return WA_TRAP_OUT_OF_MEMORY;
        externs[i] = (wa_extern){.kind = WA_KIND_FUNC, .object = wa_host_function(component->hosts[i])};
    }
    return 0;
}
