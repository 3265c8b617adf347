/* Instances of components: what each canonical function of one works with, found when it is first used. */
#include <stdlib.h>

#include "runtime/instance.h"
#include "wa_component.h"

/* The handles of a snapshot, whose rows were checked. */
static int resume(wa_component_instance *instance)
{
    const struct wa_schema_component_table *tables = instance->component->tables;
    const struct wa_schema_component_handle *rows = instance->component->handles;
    for (uint32_t i = 0; tables != NULL && i < instance->component->sub_count; rows += tables[i].place_count, i++) {
        wac_sub *sub = &instance->subs[i];
        uint32_t count = tables[i].place_count;
        if (count == 0)
            continue;
        sub->handles = malloc(count * sizeof *sub->handles);
        if (sub->handles == NULL)
            return -1;
        for (uint32_t k = 0; k < count; k++)
            sub->handles[k] = (wac_handle){.resource = rows[k].resource, .rep = rows[k].rep, .is_own = rows[k].resource != 0};
        sub->count = sub->capacity = count;
        sub->free = tables[i].free;
    }
    return 0;
}

int wa_component_instance_begin(wa_component_instance *instance, const wa_component *component)
{
    *instance = (wa_component_instance){.component = component, .max_handles = WAC_MAX_HANDLES};
    instance->subs = calloc(component->sub_count, sizeof *instance->subs);
    instance->options = malloc((component->canon_count + 1u) * sizeof *instance->options);
    instance->is_resolved = calloc(component->canon_count + 1u, sizeof *instance->is_resolved);
    if (instance->subs != NULL && instance->options != NULL && instance->is_resolved != NULL && resume(instance) == 0)
        return 0;
    wa_component_instance_end(instance);
    return -1;
}

void wa_component_instance_end(wa_component_instance *instance)
{
    for (uint32_t i = 0; instance->subs != NULL && i < instance->component->sub_count; i++)
        free(instance->subs[i].handles);
    free(instance->subs);
    free(instance->options);
    free(instance->is_resolved);
    free(instance->lends);
    instance->subs = NULL;
    instance->options = NULL;
    instance->is_resolved = NULL;
    instance->lends = NULL;
}

wac_callee wac_callee_of(const wa_function *function)
{
    return (wac_callee){function, wa_function_entry(function), wa_function_is_short(function)};
}

/* A function of the core instance; *found is false where there is no memory for its record. */
static wac_callee function_of(wa_instance *core, uint32_t place, bool *found)
{
    const wa_function *function = place == 0 ? NULL : wa_instance_function(core, place - 1);
    *found = *found && (place == 0 || function != NULL);
    return function == NULL ? (wac_callee){0} : wac_callee_of(function);
}

const wac_options *wac_options_of(wa_component_instance *instance, uint32_t row)
{
    wac_options *options = &instance->options[row];
    if (instance->is_resolved[row])
        return options;
    const struct wa_schema_component_canon *canon = &instance->component->canons[row];
    bool found = wa_component_canon_is_sound(instance->component, row);
    *options = (wac_options){.encoding = (uint8_t)canon->encoding, .sub = canon->instance};
    if (canon->memory != 0) {
        const struct wa_schema_memory_slot *slot = &wa_memory_slots(instance->core)[canon->memory - 1];
        options->base = slot->base;
        options->memory = slot->memory;
    }
    if (canon->kind == WA_CANON_LIFT)
        options->lifted = function_of(instance->core, canon->function, &found);
    options->realloc = function_of(instance->core, canon->realloc, &found);
    options->post_return = function_of(instance->core, canon->post_return, &found);
    instance->is_resolved[row] = found;
    return found ? options : NULL;
}
