/* NativeArtifact: the native half of wasmartifact.Artifact. It owns the mapping, and its buffer is the metadata section. */
#include "types.h"

typedef struct wax_artifact {
    PyObject_HEAD
    wa_artifact *native; /* owned; NULL once discarded */
} wax_artifact;

/* The native artifact, borrowed; NULL with an exception set where it was discarded. */
static wa_artifact *native_of(PyObject *object)
{
    wa_artifact *native = ((wax_artifact *)object)->native;
    if (native == NULL)
        PyErr_SetString(PyExc_ValueError, "the artifact was discarded");
    return native;
}

/* The fields of an error as make_native_error takes them: new reference. */
static PyObject *fault(const wa_error *error)
{
    return Py_BuildValue("kiKKKs", (unsigned long)error->code, error->system_errno, (unsigned long long)error->where,
                         (unsigned long long)error->found, (unsigned long long)error->expected, error->text);
}

static void raise_with_path(const wa_error *error, PyObject *path)
{
    PyObject *helper = wax_help(WAX_MAKE_ERROR);
    PyObject *args = helper == NULL ? NULL : fault(error);
    PyObject *names = args == NULL ? NULL : Py_BuildValue("{sO}", "path", path);
    PyObject *exception = names == NULL ? NULL : PyObject_Call(helper, args, names);
    if (exception != NULL)
        PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    Py_XDECREF(exception);
    Py_XDECREF(names);
    Py_XDECREF(args);
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
    if (artifact->native == NULL) {
        raise_with_path(&error, path);
        Py_CLEAR(artifact);
    }
    return (PyObject *)artifact;
}

static void artifact_dealloc(PyObject *object)
{
    PyTypeObject *class = Py_TYPE(object);
    wa_artifact_release(((wax_artifact *)object)->native);
    class->tp_free(object);
    Py_DECREF(class);
}

/* bind(dl_handle, address of the anchor or 0) -> None, or what is wrong. Takes dl_handle over where nothing is. */
static PyObject *artifact_bind(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    wa_error error;
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "expected a handle and an address");
        return NULL;
    }
    wa_artifact *native = native_of(object);
    void *dl_handle = native == NULL ? NULL : PyLong_AsVoidPtr(args[0]);
    const void *anchor = PyErr_Occurred() ? NULL : PyLong_AsVoidPtr(args[1]);
    if (PyErr_Occurred())
        return NULL;
    if (wa_artifact_bind(native, dl_handle, anchor, &error) < 0)
        return fault(&error);
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

static PyObject *artifact_get_address(PyObject *object, void *closure)
{
    (void)closure;
    wa_artifact *native = native_of(object);
    return native == NULL ? NULL : PyLong_FromVoidPtr(native);
}

static PyMethodDef artifact_methods[] = {
    {"bind", WAX_FASTCALL(artifact_bind), METH_FASTCALL, NULL},
    {"discard", artifact_discard, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef artifact_getset[] = {
    {"address", artifact_get_address, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot artifact_slots[] = {
    {Py_tp_new, artifact_new},
    {Py_tp_dealloc, artifact_dealloc},
    {Py_tp_methods, artifact_methods},
    {Py_tp_getset, artifact_getset},
    {Py_bf_getbuffer, artifact_getbuffer},
    {0, NULL},
};

static PyType_Spec artifact_spec = {
    .name = "wasmartifact._types.NativeArtifact",
    .basicsize = sizeof(wax_artifact),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = artifact_slots,
};

int wax_artifact_ready(PyObject *module)
{
    PyObject *class = PyType_FromModuleAndSpec(module, &artifact_spec, NULL);
    int failed = class == NULL ? -1 : PyModule_AddObjectRef(module, "NativeArtifact", class);
    Py_XDECREF(class);
    return failed;
}
