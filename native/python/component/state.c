/* What wasmartifact.snapshot takes of a component's instance beside the state of its module: handles, as the format has them. */
#include "component.h"

/* Whether no artifact could hold what it is in the middle of. */
static const char *unkept(const wax_component_instance *instance)
{
    return instance->native.is_poisoned ? "trapped" : instance->native.is_entered || instance->ended_count > 0 ? "running" : NULL;
}

/* The number that a resource has in the format: one of the embedder's is appended to the objects. 0: an exception is set. */
static uint32_t rep_of(wax_component_instance *instance, const wac_handle *handle, PyObject *objects)
{
    uint32_t resource = handle->resource - 1;
    if (instance->native.component->resources[resource].owner != 0)
        return handle->rep;
    PyObject *object = wax_object_get(instance, handle->rep);
    PyObject *item = object == NULL ? NULL : Py_BuildValue("kO", (unsigned long)resource, object);
    int failed = item == NULL ? -1 : PyList_Append(objects, item);
    Py_XDECREF(item);
    return failed < 0 ? 0 : (uint32_t)PyList_GET_SIZE(objects);
}

/* Append the rows of a component instance. 0, or -1 with an exception set. */
static int take_sub(wax_component_instance *instance, const wac_sub *sub, struct wa_schema_component_handle *rows, PyObject *objects)
{
    for (uint32_t i = 1; i < sub->count; i++) {
        const wac_handle *handle = &sub->handles[i];
        rows[i] = (struct wa_schema_component_handle){.resource = handle->resource, .rep = handle->rep};
        if (handle->resource != 0)
            rows[i].rep = rep_of(instance, handle, objects);
        if (PyErr_Occurred())
            return -1;
    }
    return 0;
}

static uint64_t count_places(const wa_component_instance *native)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < native->component->sub_count; i++)
        count += native->subs[i].count;
    return count;
}

PyObject *wax_component_state(PyObject *object)
{
    wax_component_instance *instance = (wax_component_instance *)object;
    const wa_component_instance *native = &instance->native;
    const char *problem = unkept(instance);
    if (problem != NULL)
        return PyUnicode_FromString(problem);
    uint32_t subs = native->component->sub_count;
    struct wa_schema_component_table *table;
    struct wa_schema_component_handle *rows;
    PyObject *tables = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(subs * sizeof *table));
    PyObject *handles = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(count_places(native) * sizeof *rows));
    PyObject *objects = PyList_New(0);
    int failed = tables == NULL || handles == NULL || objects == NULL;
    if (!failed) {
        table = (struct wa_schema_component_table *)(void *)PyBytes_AS_STRING(tables);
        rows = (struct wa_schema_component_handle *)(void *)PyBytes_AS_STRING(handles);
        memset(rows, 0, (size_t)PyBytes_GET_SIZE(handles));
    }
    for (uint32_t i = 0; !failed && i < subs; rows += native->subs[i].count, i++) {
        const wac_sub *sub = &native->subs[i];
        table[i] = (struct wa_schema_component_table){.place_count = sub->count, .free = sub->free};
        failed = take_sub(instance, sub, rows, objects) < 0;
    }
    if (!failed)
        return Py_BuildValue("NNN", tables, handles, objects);
    Py_XDECREF(tables);
    Py_XDECREF(handles);
    Py_XDECREF(objects);
    return NULL;
}
