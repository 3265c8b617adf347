/* Resources that components define, as Python has them: owned ones end with their last reference, or by close(). */
#include "component.h"

PyObject *wax_resource_new(wax_component_instance *instance, uint32_t number, uint32_t rep, wax_resource_state state)
{
    PyObject *key = PyLong_FromUnsignedLong(number);
    PyObject *class = key == NULL ? NULL : Py_XNewRef(PyDict_GetItemWithError(instance->classes, key));
    if (class == NULL && !PyErr_Occurred()) {
        PyObject *component = wax_component_face(instance->component);
        class = component == NULL ? NULL : wax_call_helper(WAX_RESOURCE_CLASS, component, (PyObject *)instance, key);
        Py_XDECREF(component);
        if (class != NULL && PyDict_SetItem(instance->classes, key, class) < 0)
            Py_CLEAR(class);
    }
    Py_XDECREF(key);
    wax_resource *resource = class == NULL ? NULL : (wax_resource *)((PyTypeObject *)class)->tp_alloc((PyTypeObject *)class, 0);
    Py_XDECREF(class);
    if (resource == NULL)
        return NULL;
    resource->instance = (wax_component_instance *)Py_NewRef(instance);
    resource->resource = number;
    resource->rep = rep;
    resource->state = state;
    return (PyObject *)resource;
}

static PyObject *resource_close(PyObject *object, PyObject *unused)
{
    (void)unused;
    wax_resource *resource = (wax_resource *)object;
    if (resource->state == WAX_BORROWED || resource->lends != 0) {
        PyErr_SetString(PyExc_ValueError, resource->lends != 0 ? "the resource is lent to a call, and can't be closed meanwhile"
                                                               : "the resource is borrowed, and not yours to close");
        return NULL;
    }
    if (resource->state == WAX_OWNED && resource->instance != NULL) {
        resource->state = WAX_GONE;
        if (wax_end_resource(resource->instance, resource->resource, resource->rep) < 0)
            return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *resource_enter(PyObject *object, PyObject *unused)
{
    (void)unused;
    return Py_NewRef(object);
}

static PyObject *resource_exit(PyObject *object, PyObject *args)
{
    (void)args;
    return resource_close(object, NULL);
}

static PyObject *resource_repr(PyObject *object)
{
    static const char *const states[] = {"", " (borrowed)", " (closed)"};
    return PyUnicode_FromFormat("<%s%s>", Py_TYPE(object)->tp_name, states[((wax_resource *)object)->state]);
}

static int resource_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((wax_resource *)object)->instance);
    return 0;
}

static void resource_finalize(PyObject *object)
{
    wax_resource *resource = (wax_resource *)object;
    if (resource->state != WAX_OWNED || resource->instance == NULL)
        return;
    PyObject *class, *raised, *traceback;
    PyErr_Fetch(&class, &raised, &traceback);
    resource->state = WAX_GONE;
    if (wax_end_resource(resource->instance, resource->resource, resource->rep) < 0)
        PyErr_WriteUnraisable(object);
    PyErr_Restore(class, raised, traceback);
}

static int resource_clear(PyObject *object)
{
    Py_CLEAR(((wax_resource *)object)->instance);
    return 0;
}

static void resource_dealloc(PyObject *object)
{
    PyTypeObject *class = Py_TYPE(object);
    if (PyObject_CallFinalizerFromDealloc(object) < 0)
        return;
    PyObject_GC_UnTrack(object);
    if (((wax_resource *)object)->weakrefs != NULL)
        PyObject_ClearWeakRefs(object);
    resource_clear(object);
    class->tp_free(object);
    Py_DECREF(class);
}

static PyObject *resource_closed(PyObject *object, void *closure)
{
    (void)closure;
    return PyBool_FromLong(((wax_resource *)object)->state == WAX_GONE);
}

static PyMethodDef resource_methods[] = {
    {"close", resource_close, METH_NOARGS, "Run the destructor, once; later uses are a ValueError."},
    {"__enter__", resource_enter, METH_NOARGS, NULL},
    {"__exit__", resource_exit, METH_VARARGS, NULL},
    WAX_NOT_PICKLED,
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef resource_getset[] = {
    {"closed", resource_closed, NULL, "Whether it was closed, given away, or borrowed for a call that is over.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef resource_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(wax_resource, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyObject *resource_refuse(PyTypeObject *class, PyObject *args, PyObject *kwargs)
{
    (void)args;
    (void)kwargs;
    return PyErr_Format(PyExc_TypeError, "a %s comes from a function of its component", class->tp_name);
}

static PyType_Slot resource_slots[] = {
    {Py_tp_new, resource_refuse},         {Py_tp_dealloc, resource_dealloc}, {Py_tp_traverse, resource_traverse},
    {Py_tp_clear, resource_clear},        {Py_tp_finalize, resource_finalize}, {Py_tp_repr, resource_repr},
    {Py_tp_methods, resource_methods},    {Py_tp_getset, resource_getset},   {Py_tp_members, resource_members},
    {0, NULL},
};

PyType_Spec wax_resource_spec = {
    .name = "wasmartifact._types.Resource",
    .basicsize = sizeof(wax_resource),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = resource_slots,
};
