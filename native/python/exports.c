/* Exports: what an instance exports, by name; each object is made when it is first asked for. */
#include "docs.h"
#include "types.h"

typedef struct wax_exports {
    PyObject_HEAD
    wax_store *store;
    wa_instance *instance; /* owned by the store */
    PyObject *objects;     /* dict {name: object} of those made so far */
    PyObject *names;       /* tuple in module order, NULL until asked for */
    PyObject *weakrefs;
} wax_exports;

static const wa_artifact *artifact_of(const wax_exports *exports)
{
    return wa_instance_artifact(exports->instance);
}

PyObject *wax_exports_new(wa_instance *instance, wax_store *store)
{
    wax_exports *exports = (wax_exports *)PyType_GenericAlloc(wax_here()->exports_type, 0);
    if (exports == NULL)
        return NULL;
    exports->store = (wax_store *)Py_NewRef(store);
    exports->instance = instance;
    exports->objects = PyDict_New();
    if (exports->objects == NULL)
        Py_CLEAR(exports);
    return (PyObject *)exports;
}

/* Slot of an export in the index, or UINT32_MAX. Without exceptions: what is no name is no export. */
static uint32_t find_slot(const wax_exports *exports, PyObject *name)
{
    if (!PyUnicode_Check(name))
        return UINT32_MAX;
    Py_ssize_t size;
    const char *text = PyUnicode_AsUTF8AndSize(name, &size);
    if (text == NULL) { /* a lone surrogate */
        PyErr_Clear();
        return UINT32_MAX;
    }
    return wa_artifact_find_export(artifact_of(exports), text, (size_t)size);
}

static PyObject *make_object(wax_exports *exports, uint32_t slot, PyObject *name)
{
    wa_extern object;
    wa_error error;
    if (wax_store_enter(exports->store) < 0) /* records and globals are made on demand, in the instance */
        return NULL;
    int failed = wa_instance_export(exports->instance, slot, &object, &error);
    wa_store_leave(exports->store->native);
    if (failed) {
        wax_raise_error(&error, NULL);
        wax_name_artifact(exports->store, artifact_of(exports));
        return NULL;
    }
    if (object.kind == WA_KIND_FUNC)
        return wax_func_from_record(exports->store, object.object, name);
    return wax_entity_wrap(object.kind, object.object, exports->store);
}

/* The export of this name: a new reference. NULL without an exception where there is none. */
static PyObject *look_up(wax_exports *exports, PyObject *name)
{
    PyObject *object = PyDict_GetItemWithError(exports->objects, name);
    if (object != NULL)
        return Py_NewRef(object);
    if (PyErr_Occurred())
        return NULL;
    uint32_t slot = find_slot(exports, name);
    if (slot == UINT32_MAX)
        return NULL;
    object = make_object(exports, slot, name);
    if (object == NULL)
        return NULL;
    /* Another thread may have made it while this one waited to enter the store: the first one counts. */
    PyObject *first = Py_XNewRef(PyDict_SetDefault(exports->objects, name, object));
    Py_DECREF(object);
    return first;
}

static PyObject *names_of(wax_exports *exports)
{
    PyObject *names = exports->names == NULL ? wax_export_names(artifact_of(exports)) : NULL;
    if (exports->names == NULL && names == NULL)
        wax_name_artifact(exports->store, artifact_of(exports));
    else if (exports->names == NULL)
        exports->names = names;
    else
        Py_XDECREF(names); /* a collection on the way ran code that asked for them too */
    return exports->names;
}

/* ---- mapping ------------------------------------------------------------------------------------------------------------ */

static PyObject *exports_subscript(PyObject *object, PyObject *name)
{
    PyObject *found = look_up((wax_exports *)object, name);
    if (found == NULL && !PyErr_Occurred())
        PyErr_SetObject(PyExc_KeyError, name);
    return found;
}

static Py_ssize_t exports_length(PyObject *object)
{
    return wax_export_count(artifact_of((wax_exports *)object));
}

static int exports_contains(PyObject *object, PyObject *name)
{
    return find_slot((wax_exports *)object, name) != UINT32_MAX;
}

static PyObject *exports_iter(PyObject *object)
{
    PyObject *names = names_of((wax_exports *)object);
    return names == NULL ? NULL : PyObject_GetIter(names);
}

static PyObject *exports_getattr(PyObject *object, PyObject *name)
{
    if (_PyType_Lookup(Py_TYPE(object), name) != NULL)
        return PyObject_GenericGetAttr(object, name);
    PyObject *found = look_up((wax_exports *)object, name);
    if (found == NULL && !PyErr_Occurred())
        PyErr_Format(PyExc_AttributeError, "the module has no export %R", name);
    return found;
}

static PyObject *exports_get(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    if (count < 1 || count > 2) {
        PyErr_Format(PyExc_TypeError, "get expected a name and an optional default, found %zd arguments", count);
        return NULL;
    }
    PyObject *found = look_up((wax_exports *)object, args[0]);
    if (found != NULL || PyErr_Occurred())
        return found;
    return Py_NewRef(count == 2 ? args[1] : Py_None);
}

static PyObject *exports_keys(PyObject *object, PyObject *unused)
{
    (void)unused;
    return wax_call_helper(WAX_KEYS_VIEW, object, NULL, NULL);
}

static PyObject *exports_values(PyObject *object, PyObject *unused)
{
    (void)unused;
    return wax_call_helper(WAX_VALUES_VIEW, object, NULL, NULL);
}

static PyObject *exports_items(PyObject *object, PyObject *unused)
{
    (void)unused;
    return wax_call_helper(WAX_ITEMS_VIEW, object, NULL, NULL);
}

/* What tab completion offers: methods, and exports that can be written after a dot. */
static PyObject *exports_dir(PyObject *object, PyObject *unused)
{
    (void)unused;
    PyObject *names = names_of((wax_exports *)object);
    PyObject *all = names == NULL ? NULL : PyObject_Dir((PyObject *)Py_TYPE(object));
    if (all == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); i++) {
        PyObject *name = PyTuple_GET_ITEM(names, i);
        if (PyUnicode_IsIdentifier(name) && PyList_Append(all, name) < 0) {
            Py_DECREF(all);
            return NULL;
        }
    }
    return all;
}

static PyObject *exports_repr(PyObject *object)
{
    return PyUnicode_FromFormat("<Exports: %zd names>", exports_length(object));
}

/* ---- the type ------------------------------------------------------------------------------------------------------------ */

static int exports_traverse(PyObject *object, visitproc visit, void *arg)
{
    wax_exports *exports = (wax_exports *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(exports->store);
    Py_VISIT(exports->objects);
    return 0;
}

static int exports_clear(PyObject *object)
{
    PyDict_Clear(((wax_exports *)object)->objects); /* the rest stays: the object is usable until it is gone */
    return 0;
}

static void exports_dealloc(PyObject *object)
{
    wax_exports *exports = (wax_exports *)object;
    PyTypeObject *class = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    if (exports->weakrefs != NULL)
        PyObject_ClearWeakRefs(object);
    Py_XDECREF(exports->objects);
    Py_XDECREF(exports->names);
    Py_XDECREF(exports->store);
    class->tp_free(object);
    Py_DECREF(class);
}

static PyMethodDef exports_methods[] = {
    {"get", WAX_FASTCALL(exports_get), METH_FASTCALL, WAX_DOC_Exports_get},
    {"keys", exports_keys, METH_NOARGS, WAX_DOC_Exports_keys},
    {"values", exports_values, METH_NOARGS, WAX_DOC_Exports_values},
    {"items", exports_items, METH_NOARGS, WAX_DOC_Exports_items},
    {"__dir__", exports_dir, METH_NOARGS, NULL},
    WAX_NOT_PICKLED,
    {NULL, NULL, 0, NULL},
};

static PyMemberDef exports_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(wax_exports, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot exports_slots[] = {
    {Py_tp_doc, WAX_DOC_Exports},
    {Py_tp_dealloc, exports_dealloc},
    {Py_tp_traverse, exports_traverse},
    {Py_tp_clear, exports_clear},
    {Py_tp_getattro, exports_getattr},
    {Py_tp_iter, exports_iter},
    {Py_tp_repr, exports_repr},
    {Py_tp_methods, exports_methods},
    {Py_tp_members, exports_members},
    {Py_mp_length, exports_length},
    {Py_mp_subscript, exports_subscript},
    {Py_sq_contains, exports_contains},
    {0, NULL},
};

PyType_Spec wax_exports_spec = {
    .name = "wasmartifact.Exports",
    .basicsize = sizeof(wax_exports),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_MAPPING | Py_TPFLAGS_DISALLOW_INSTANTIATION |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = exports_slots,
};
