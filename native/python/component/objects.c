/* What guests have of Python, by number: names and types of the description, and objects of the embedder. */
#include "component.h"

PyObject *wax_component_text(const wax_component *component, uint32_t number)
{
    size_t size;
    const char *text = wa_component_name(component->native, number, &size);
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t)size, "replace");
}

PyObject *wax_component_face(const wax_component *component)
{
    PyObject *face = component->face == NULL ? Py_NewRef(Py_None) : PyObject_CallNoArgs(component->face);
    if (face != Py_None)
        return face;
    Py_DECREF(face);
    PyErr_SetString(PyExc_ReferenceError, "the component is gone");
    return NULL;
}

PyObject *wax_make_face(wax_component *component, const wac_type *type)
{
    PyObject **place = &component->faces[type - component->native->types];
    PyObject *owner = wax_component_face(component);
    PyObject *row = owner == NULL ? NULL : PyLong_FromSsize_t(type - component->native->types);
    PyObject *face = row == NULL ? NULL : wax_call_helper(WAX_MAKE_FACE, owner, row, NULL);
    Py_XDECREF(row);
    Py_XDECREF(owner);
    if (face != NULL && !PyTuple_Check(face)) {
        PyErr_SetString(PyExc_SystemError, "the face of a type must be a tuple");
        Py_CLEAR(face);
    }
    if (*place == NULL)
        *place = face;
    else
        Py_XDECREF(face);
    return face == NULL ? NULL : *place;
}

/* ---- objects of the embedder ----------------------------------------------------------------------------------------------- */

uint32_t wax_object_new(wax_component_instance *instance, PyObject *object)
{
    uint32_t rep = instance->free_object;
    if (rep != 0) {
        instance->free_object = instance->objects[rep].next;
    } else {
        if (instance->object_count == instance->object_capacity) {
            uint32_t capacity = instance->object_capacity == 0 ? 16 : instance->object_capacity * 2;
            wax_host_object *objects =
                capacity > UINT32_C(1) << 28 ? NULL : PyMem_Realloc(instance->objects, capacity * sizeof *objects);
            if (objects == NULL) {
                PyErr_NoMemory();
                return 0;
            }
            instance->objects = objects;
            instance->object_capacity = capacity;
            if (instance->object_count == 0)
                instance->objects[instance->object_count++] = (wax_host_object){NULL, 0};
        }
        rep = instance->object_count++;
    }
    instance->objects[rep] = (wax_host_object){Py_NewRef(object), 0};
    return rep;
}

PyObject *wax_object_get(wax_component_instance *instance, uint32_t rep)
{
    if (rep != 0 && rep < instance->object_count && instance->objects[rep].object != NULL)
        return instance->objects[rep].object;
    return wax_raise_trap_code(WA_TRAP_UNKNOWN_HANDLE);
}

void wax_object_free(wax_component_instance *instance, uint32_t rep)
{
    PyObject *object = instance->objects[rep].object;
    instance->objects[rep] = (wax_host_object){NULL, instance->free_object};
    instance->free_object = rep;
    Py_XDECREF(object);
}

