/* Being inside a component: one call at a time, resources that end, and traps. */
#include "component.h"

PyObject *wax_raise_trap_code(uint32_t code)
{
    if (code == WAC_RAISED)
        return NULL;
    PyObject *helper = wax_help(WAX_MAKE_TRAP), *frames = helper == NULL ? NULL : PyList_New(0);
    wax_raise_object(frames == NULL ? NULL : PyObject_CallFunction(helper, "kN", (unsigned long)code, frames));
    return NULL;
}

uint32_t wax_component_run(wa_component_instance *native, const wac_callee *callee, uint64_t *slots)
{
    wax_component_instance *instance =
        (wax_component_instance *)(void *)((char *)native - offsetof(wax_component_instance, native));
    if (callee->entry == NULL) {
        wax_raise_trap_code(WA_TRAP_MISSING_TRAMPOLINE);
        return WAC_RAISED;
    }
    return wax_run_inside(instance->store, callee->function, callee->entry, slots, callee->is_short) < 0 ? WAC_RAISED : 0;
}

int wax_component_enter(wax_component_instance *instance)
{
    if (wax_store_enter(instance->store) < 0)
        return -1;
    if (!instance->native.is_poisoned && !instance->native.is_entered) {
        instance->native.is_entered = true;
        return 0;
    }
    wa_store_leave(instance->store->native);
    wax_raise_trap_code(WA_TRAP_CANNOT_ENTER_COMPONENT);
    return -1;
}

/* Inside the component. */
static int run_destructor(wax_component_instance *instance, uint32_t number, uint32_t rep)
{
    const struct wa_schema_component_resource *row = &instance->native.component->resources[number];
    if (row->destructor == 0)
        return 0;
    wa_instance *core = ((wax_entity *)instance->core)->native;
    wa_function *function = wa_instance_function(core, row->destructor - 1);
    wa_signature signature;
    uint64_t slots[1] = {rep};
    if (function == NULL || wa_function_signature(function, &signature) < 0 || signature.param_count != 1 ||
        signature.params[0] != WA_VALTYPE_I32 || signature.result_count != 0) {
        wax_raise_trap_code(WA_TRAP_DAMAGED_COMPONENT);
        return -1;
    }
    wac_callee callee = wac_callee_of(function);
    return wax_component_run(&instance->native, &callee, slots) == 0 ? 0 : -1;
}

static int end_later(wax_component_instance *instance, uint32_t number, uint32_t rep)
{
    if (instance->ended_count == instance->ended_capacity) {
        uint32_t capacity = instance->ended_capacity == 0 ? 8 : instance->ended_capacity * 2;
        wax_ended *ended = PyMem_Realloc(instance->ended, capacity * sizeof *ended);
        if (ended == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        instance->ended = ended;
        instance->ended_capacity = capacity;
    }
    instance->ended[instance->ended_count++] = (wax_ended){number, rep};
    return 0;
}

static void end_waiting(wax_component_instance *instance)
{
    PyObject *class, *raised, *traceback;
    PyErr_Fetch(&class, &raised, &traceback);
    while (instance->ended_count > 0 && !instance->native.is_poisoned) {
        wax_ended ended = instance->ended[--instance->ended_count];
        instance->native.is_entered = true;
        if (run_destructor(instance, ended.resource, ended.rep) < 0) {
            instance->native.is_poisoned = true;
            PyErr_WriteUnraisable((PyObject *)instance);
        }
        instance->native.is_entered = false;
    }
    PyErr_Restore(class, raised, traceback);
}

void wax_component_leave(wax_component_instance *instance, bool is_poisoned)
{
    instance->native.is_entered = false;
    instance->native.is_poisoned = instance->native.is_poisoned || is_poisoned;
    if (instance->ended_count > 0 && !instance->native.is_poisoned)
        end_waiting(instance);
    wa_store_leave(instance->store->native);
}

int wax_end_resource(wax_component_instance *instance, uint32_t number, uint32_t rep)
{
    if (instance->native.is_poisoned || instance->core == NULL)
        return 0;
    if (instance->native.is_entered)
        return end_later(instance, number, rep); /* a guest runs, on this thread or another one */
    if (wax_component_enter(instance) < 0)
        return -1;
    int failed = run_destructor(instance, number, rep);
    wax_component_leave(instance, failed != 0);
    return failed;
}

