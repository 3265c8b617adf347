/* NativeArtifact: the native half of wasmartifact.Artifact. It owns the mapping, and its buffer is the metadata section. */
#include "docs.h"
#include "types.h"

/* The native artifact, borrowed; NULL with an exception set where it was discarded. */
static wa_artifact *native_of(PyObject *object)
{
    wa_artifact *native = ((wax_artifact *)object)->native;
    if (native == NULL)
        PyErr_SetString(PyExc_ValueError, "the artifact was discarded");
    return native;
}

static PyObject *artifact_new(PyTypeObject *class, PyObject *args, PyObject *kwargs)
{
    int fd;
    PyObject *path;
    wa_error error;
    if (kwargs != NULL || !PyArg_ParseTuple(args, "iO:NativeArtifact", &fd, &path))
        return NULL;
    wax_artifact *artifact = (wax_artifact *)class->tp_alloc(class, 0);
    if (artifact == NULL)
        return NULL;
    Py_BEGIN_ALLOW_THREADS /* a file may lie on a slow disk */
    artifact->native = wa_artifact_open(fd, &error);
    Py_END_ALLOW_THREADS
    artifact->path = Py_NewRef(path);
    if (artifact->native == NULL) {
        wax_raise_error(&error, path);
        Py_CLEAR(artifact);
    }
    return (PyObject *)artifact;
}

static void artifact_dealloc(PyObject *object)
{
    PyTypeObject *class = Py_TYPE(object);
    wa_artifact_release(((wax_artifact *)object)->native);
    Py_XDECREF(((wax_artifact *)object)->path);
    Py_XDECREF(((wax_artifact *)object)->imports);
    class->tp_free(object);
    Py_DECREF(class);
}

/* bind(dl_handle, address of the anchor or 0) -> None, or what is wrong. Takes dl_handle over where nothing is. */
static PyObject *artifact_bind(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    wa_error error;
    if (!wax_check_count("bind", count, 2))
        return NULL;
    wa_artifact *native = native_of(object);
    void *dl_handle = native == NULL ? NULL : PyLong_AsVoidPtr(args[0]);
    const void *anchor = PyErr_Occurred() ? NULL : PyLong_AsVoidPtr(args[1]);
    if (PyErr_Occurred())
        return NULL;
    if (wa_artifact_bind(native, dl_handle, anchor, &error) < 0)
        return wax_error_facts(&error);
    Py_RETURN_NONE;
}

/* discard(): unmap at once what could not be bound. Nobody else knows the object yet. */
static PyObject *artifact_discard(PyObject *object, PyObject *unused)
{
    (void)unused;
    wa_artifact *native = ((wax_artifact *)object)->native;
    ((wax_artifact *)object)->native = NULL;
    wa_artifact_release(native);
    Py_RETURN_NONE;
}

static PyObject *artifact_fileno(PyObject *object, PyObject *unused)
{
    (void)unused;
    const wa_artifact *native = native_of(object);
    return native == NULL ? NULL : PyLong_FromLong(wa_artifact_file(native));
}

static int artifact_getbuffer(PyObject *object, Py_buffer *view, int flags)
{
    uint64_t size_bytes;
    wa_artifact *native = native_of(object);
    if (native == NULL) {
        view->obj = NULL;
        return -1;
    }
    const uint8_t *section = wa_artifact_section(native, &size_bytes);
    return PyBuffer_FillInfo(view, object, (void *)(uintptr_t)section, (Py_ssize_t)size_bytes, 1, flags);
}

PyObject *wax_artifact_imports(wax_artifact *artifact)
{
    wa_artifact *native = native_of((PyObject *)artifact);
    if (native == NULL || artifact->imports != NULL)
        return native == NULL ? NULL : artifact->imports;
    PyObject *imports = wax_import_rows(native);
    if (imports != NULL)
        Py_XSETREF(artifact->imports, imports); /* making them may have run code that asked for them too */
    else
        wax_name_file(artifact->path);
    return imports == NULL ? NULL : artifact->imports;
}

void wax_name_artifact(wax_store *store, const wa_artifact *native)
{
    PyObject *type, *raised, *traceback;
    PyErr_Fetch(&type, &raised, &traceback);
    PyObject *face = wax_store_kept(store, native), *path = face == NULL ? NULL : PyObject_GetAttrString(face, "path");
    PyErr_Clear(); /* without a path, the error says what it knows */
    PyErr_Restore(type, raised, traceback);
    wax_name_file(path);
    Py_XDECREF(path);
}

static PyObject *artifact_get_imports(PyObject *object, void *closure)
{
    (void)closure;
    return Py_XNewRef(wax_artifact_imports((wax_artifact *)object));
}

static PyMethodDef artifact_methods[] = {
    {"bind", WAX_FASTCALL(artifact_bind), METH_FASTCALL, WAX_DOC_NativeArtifact_bind},
    {"discard", artifact_discard, METH_NOARGS, WAX_DOC_NativeArtifact_discard},
    {"fileno", artifact_fileno, METH_NOARGS, WAX_DOC_NativeArtifact_fileno},
    {NULL, NULL, 0, NULL},
};

static PyObject *artifact_is_component(PyObject *object, void *closure)
{
    (void)closure;
    const wa_artifact *native = native_of(object);
    return native == NULL ? NULL : PyBool_FromLong(wa_artifact_is_component(native));
}

static PyObject *artifact_cpu_level(PyObject *object, void *closure)
{
    (void)closure;
    const wa_artifact *native = native_of(object);
    return native == NULL ? NULL : PyLong_FromUnsignedLong(wa_artifact_cpu_level(native));
}

static PyGetSetDef artifact_getset[] = {
    {"cpu_level", artifact_cpu_level, NULL, WAX_DOC_NativeArtifact_cpu_level, NULL},
    {"imports", artifact_get_imports, NULL, WAX_DOC_NativeArtifact_imports, NULL},
    {"is_component", artifact_is_component, NULL, WAX_DOC_NativeArtifact_is_component, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot artifact_slots[] = {
    {Py_tp_doc, WAX_DOC_NativeArtifact},
    {Py_tp_new, artifact_new},
    {Py_tp_dealloc, artifact_dealloc},
    {Py_tp_methods, artifact_methods},
    {Py_tp_getset, artifact_getset},
    {Py_bf_getbuffer, artifact_getbuffer},
    {0, NULL},
};

PyType_Spec wax_artifact_spec = {
    .name = "wasmartifact._types.NativeArtifact",
    .basicsize = sizeof(wax_artifact),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = artifact_slots,
};
