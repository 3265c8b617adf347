/* The table of handles that each component instance has: resources that it owns, and those that it has for a call. */
#include <stdlib.h>

#include "wa_component.h"

static bool grow(wac_sub *sub)
{
    uint32_t capacity = sub->capacity == 0 ? 16 : sub->capacity * 2;
    if (capacity > WAC_MAX_TABLE)
        return false;
    wac_handle *handles = realloc(sub->handles, capacity * sizeof *handles);
    if (handles == NULL)
        return false;
    if (sub->capacity == 0)
        handles[0] = (wac_handle){0};
    sub->handles = handles;
    sub->capacity = capacity;
    sub->count = sub->count == 0 ? 1 : sub->count;
    return true;
}

uint32_t wac_handle_new(wa_component_instance *instance, uint32_t number, wac_handle handle, uint32_t *index)
{
    wac_sub *sub = &instance->subs[number];
    handle.resource++;
    *index = sub->free;
    if (*index != 0) {
        sub->free = sub->handles[*index].rep;
    } else {
        if (sub->count > instance->max_handles) /* the first one, which is none, counts */
            return WA_TRAP_TOO_MANY_HANDLES;
        if (sub->count == sub->capacity && !grow(sub))
            return WA_TRAP_OUT_OF_MEMORY;
        *index = sub->count++;
    }
    sub->handles[*index] = handle;
    return 0;
}

wac_handle *wac_handle_get(wa_component_instance *instance, uint32_t number, uint32_t index, uint32_t resource, uint32_t *trap)
{
    wac_sub *sub = &instance->subs[number];
    if (index == 0 || index >= sub->count || sub->handles[index].resource == 0) {
        *trap = WA_TRAP_UNKNOWN_HANDLE;
        return NULL;
    }
    if (sub->handles[index].resource != resource + 1) {
        *trap = WA_TRAP_WRONG_HANDLE_TYPE;
        return NULL;
    }
    *trap = 0;
    return &sub->handles[index];
}

void wac_handle_free(wa_component_instance *instance, uint32_t number, uint32_t index)
{
    wac_sub *sub = &instance->subs[number];
    sub->handles[index] = (wac_handle){.rep = sub->free};
    sub->free = index;
}

uint32_t wac_take_own(wa_component_instance *instance, uint32_t sub, uint32_t index, uint32_t resource, uint32_t *rep)
{
    uint32_t trap;
    wac_handle *handle = wac_handle_get(instance, sub, index, resource, &trap);
    if (handle == NULL)
        return trap;
    if (!handle->is_own)
        return WA_TRAP_WRONG_HANDLE_TYPE;
    if (handle->lends != 0)
        return WA_TRAP_RESOURCE_BORROWED;
    *rep = handle->rep;
    wac_handle_free(instance, sub, index);
    return 0;
}

uint32_t wac_lend_handle(wa_component_instance *instance, uint32_t sub, uint32_t index, uint32_t resource, uint32_t *rep)
{
    uint32_t trap;
    wac_handle *handle = wac_handle_get(instance, sub, index, resource, &trap);
    if (handle == NULL)
        return trap;
    *rep = handle->rep;
    if (instance->lend_count == instance->lend_capacity) {
        uint32_t capacity = instance->lend_capacity == 0 ? 16 : instance->lend_capacity * 2;
        wac_lend *lends = realloc(instance->lends, capacity * sizeof *lends);
        if (lends == NULL)
            return WA_TRAP_OUT_OF_MEMORY;
        instance->lends = lends;
        instance->lend_capacity = capacity;
    }
    handle->lends++;
    instance->lends[instance->lend_count++] = (wac_lend){sub, index};
    return 0;
}

uint32_t wac_give_borrow(wa_component_instance *instance, uint32_t sub, uint32_t resource, uint32_t rep, wac_scope *scope,
                         uint32_t *value)
{
    *value = rep;
    if (instance->component->resources[resource].owner == sub + 1)
        return 0;
    uint32_t trap = wac_handle_new(instance, sub, (wac_handle){.resource = resource, .rep = rep, .scope = scope}, value);
    scope->borrows += trap == 0;
    return trap;
}

void wac_end_lends(wa_component_instance *instance, const wac_scope *scope)
{
    while (instance->lend_count > scope->first_lend) {
        wac_lend lend = instance->lends[--instance->lend_count];
        wac_sub *sub = &instance->subs[lend.sub];
        if (lend.index < sub->count && sub->handles[lend.index].lends > 0)
            sub->handles[lend.index].lends--;
    }
}
