/* WasiHost: the state of a WASI program as Python has it, its streams that are Python callables, its functions as Funcs. */
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "docs.h"
#include "types.h"
#include "wa_wasi.h"

enum { STREAMS_MAX = 3 };

/* A callable behind a descriptor. The native state and the WasiHost have one count each: either may go first. */
typedef struct python_stream {
    atomic_uint references;
    PyObject *callable; /* owned by the WasiHost, which clears it; used with the GIL only */
} python_stream;

typedef struct wasi_host {
    PyObject_HEAD
    wa_wasi *native; /* owned */
    python_stream *streams[STREAMS_MAX];
    size_t stream_count;
} wasi_host;

/* ---- streams ---------------------------------------------------------------------------------------------------------- */

static void release_stream(void *user)
{
    python_stream *stream = user;
    if (atomic_fetch_sub_explicit(&stream->references, 1, memory_order_acq_rel) == 1)
        free(stream);
}

static size_t total_bytes(const struct iovec *parts, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += parts[i].iov_len;
    return total;
}

/* callable(argument), which is stolen: new reference. */
static PyObject *call_stream(const python_stream *stream, PyObject *argument)
{
    PyObject *result = NULL, *callable = Py_XNewRef(stream->callable);
    if (callable == NULL)
        PyErr_SetString(PyExc_ReferenceError, "the stream of this program is gone");
    else if (argument != NULL)
        result = PyObject_CallOneArg(callable, argument);
    Py_XDECREF(callable);
    Py_XDECREF(argument);
    return result;
}

static PyObject *gather(const struct iovec *parts, size_t count)
{
    PyObject *data = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)total_bytes(parts, count));
    char *to = data == NULL ? NULL : PyBytes_AS_STRING(data);
    for (size_t i = 0; data != NULL && i < count; i++) {
        memcpy(to, parts[i].iov_base, parts[i].iov_len);
        to += parts[i].iov_len;
    }
    return data;
}

static int64_t write_stream(void *user, const struct iovec *parts, size_t count)
{
    wax_call *call = wax_enter_python();
    PyObject *result = call_stream(user, gather(parts, count));
    if (result == NULL)
        return wax_leave_raised(call);
    Py_DECREF(result);
    return wax_leave_python(call) < 0 ? -1 : (int64_t)total_bytes(parts, count);
}

/* Copy what a callable returned: its size, or -1 with an exception set. */
static int64_t scatter(PyObject *data, const struct iovec *parts, size_t count)
{
    Py_buffer view;
    size_t room = total_bytes(parts, count);
    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0)
        return -1;
    int64_t size = view.len;
    if ((size_t)size > room) {
        PyErr_Format(PyExc_ValueError, "stdin: asked for %zu bytes, the callable returned %zd", room, view.len);
        size = -1;
    }
    const char *from = view.buf;
    int64_t left = size;
    for (size_t i = 0; left > 0 && i < count; i++) {
        size_t step = (size_t)left < parts[i].iov_len ? (size_t)left : parts[i].iov_len;
        memmove(parts[i].iov_base, from, step); /* it may be a view of the guest's memory */
        from += step;
        left -= (int64_t)step;
    }
    PyBuffer_Release(&view);
    return size;
}

static int64_t read_stream(void *user, const struct iovec *parts, size_t count)
{
    wax_call *call = wax_enter_python();
    PyObject *data = call_stream(user, PyLong_FromSize_t(total_bytes(parts, count)));
    int64_t size = data == NULL ? -1 : scatter(data, parts, count);
    Py_XDECREF(data);
    return size < 0 ? wax_leave_raised(call) : wax_leave_python(call) < 0 ? -1 : size;
}

/* proc_exit: what Python raises; the GIL stays taken for it. */
static void raise_exit(uint32_t code)
{
    wax_call *call = wax_enter_python();
    PyObject *helper = wax_help(WAX_MAKE_EXIT);
    wax_raise_object(helper == NULL ? NULL : PyObject_CallFunction(helper, "k", (unsigned long)code));
    wax_leave_raised(call);
}

/* ---- the type ----------------------------------------------------------------------------------------------------------- */

static wa_wasi_strings strings_of(PyObject *joined)
{
    wa_wasi_strings strings = {PyBytes_AS_STRING(joined), 0, (size_t)PyBytes_GET_SIZE(joined)};
    for (size_t i = 0; i < strings.size_bytes; i++)
        strings.count += strings.bytes[i] == 0;
    return strings;
}

static PyObject *wasi_host_new(PyTypeObject *class, PyObject *args, PyObject *kwargs)
{
    PyObject *arguments, *environ;
    if (kwargs != NULL || !PyArg_ParseTuple(args, "SS:WasiHost", &arguments, &environ))
        return kwargs != NULL ? PyErr_Format(PyExc_TypeError, "WasiHost takes no keyword arguments") : NULL;
    wasi_host *self = (wasi_host *)class->tp_alloc(class, 0);
    if (self == NULL)
        return NULL;
    wa_wasi_strings given[] = {strings_of(arguments), strings_of(environ)};
    self->native = wa_wasi_new(&given[0], &given[1], raise_exit);
    if (self->native == NULL) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    return (PyObject *)self;
}

static PyObject *outcome(int error)
{
    if (error == 0)
        Py_RETURN_NONE;
    errno = error;
    return PyErr_SetFromErrno(PyExc_OSError);
}

/* add_fd(fd, direction) -> its number */
static PyObject *add_fd(PyObject *object, PyObject *args)
{
    int fd, direction;
    if (!PyArg_ParseTuple(args, "ii:add_fd", &fd, &direction))
        return NULL;
    uint32_t number;
    int error = wa_wasi_add_fd(((wasi_host *)object)->native, fd, direction, &number);
    return error != 0 ? outcome(error) : PyLong_FromUnsignedLong(number);
}

/* add_stream(callable or None, direction) */
static PyObject *add_stream(PyObject *object, PyObject *args)
{
    wasi_host *self = (wasi_host *)object;
    PyObject *callable;
    int direction;
    if (!PyArg_ParseTuple(args, "Oi:add_stream", &callable, &direction))
        return NULL;
    if (callable == Py_None)
        return outcome(wa_wasi_add_stream(self->native, NULL, direction));
    python_stream *stream = self->stream_count == STREAMS_MAX ? NULL : malloc(sizeof *stream);
    if (stream == NULL)
        return PyErr_NoMemory();
    *stream = (python_stream){2, callable};
    wa_wasi_stream native = {read_stream, write_stream, release_stream, stream};
    int error = wa_wasi_add_stream(self->native, &native, direction);
    if (error == 0) {
        Py_INCREF(callable);
        self->streams[self->stream_count++] = stream;
    } else {
        free(stream);
    }
    return outcome(error);
}

/* add_directory(fd, path of the guest, is read-only) */
static PyObject *add_directory(PyObject *object, PyObject *args)
{
    int fd, is_read_only;
    const char *path;
    if (!PyArg_ParseTuple(args, "iyp:add_directory", &fd, &path, &is_read_only))
        return NULL;
    return outcome(wa_wasi_add_directory(((wasi_host *)object)->native, fd, path, is_read_only != 0));
}

/* limit_descriptors(how many) */
static PyObject *limit_descriptors(PyObject *object, PyObject *number)
{
    unsigned long limit = PyLong_AsUnsignedLong(number);
    if (PyErr_Occurred())
        return NULL;
    wa_wasi_limit_descriptors(((wasi_host *)object)->native, limit < UINT32_MAX ? (uint32_t)limit : UINT32_MAX);
    Py_RETURN_NONE;
}

static PyObject *avoid_openat2(PyObject *object, PyObject *unused)
{
    (void)unused;
    wa_wasi_avoid_openat2(((wasi_host *)object)->native);
    Py_RETURN_NONE;
}

/* ---- functions ------------------------------------------------------------------------------------------------------------ */

static PyObject *call_wasi(PyObject *func, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    (void)args;
    (void)nargsf;
    (void)kwnames;
    PyObject *description = wax_func_describe((wax_func *)func);
    if (description != NULL)
        PyErr_Format(PyExc_TypeError, "%U works on the memory of the WebAssembly instance that calls it; Python can't call it",
                     description);
    Py_XDECREF(description);
    return NULL;
}

static uint32_t codes_of(const char *letters, uint32_t *codes)
{
    uint32_t count = 0;
    for (; letters[count] != 0; count++)
        codes[count] = letters[count] == 'i' ? WA_VALTYPE_I32 : WA_VALTYPE_I64;
    return count;
}

/* self NULL: of whatever program the store that calls it has */
static PyObject *make_func(wasi_host *self, size_t index, bool is_unstable)
{
    const wa_wasi_function *function = &wa_wasi_functions[index];
    uint32_t params[16], results[16];
    uint32_t param_count = codes_of(function->params, params), result_count = codes_of(function->results, results);
    wax_signature *type = wax_signature_from_codes(params, param_count, results, result_count, function->digest);
    PyObject *name = type == NULL ? NULL : PyUnicode_InternFromString(function->name), *func = NULL;
    wa_host *host = name == NULL ? NULL : wa_wasi_host(self == NULL ? NULL : self->native, index, is_unstable);
    if (host != NULL)
        func = wax_func_from_host(host, type, call_wasi, self == NULL ? Py_None : (PyObject *)self, name);
    else if (name != NULL)
        PyErr_NoMemory();
    Py_XDECREF(type);
    Py_XDECREF(name);
    return func;
}

/* The function of a name -> Func or None */
static PyObject *find_func(PyObject *object, PyObject *name_object, bool is_unstable)
{
    const char *name = PyUnicode_Check(name_object) ? PyUnicode_AsUTF8(name_object) : "";
    if (name == NULL)
        PyErr_Clear(); /* a lone surrogate */
    for (size_t i = 0; name != NULL && i < wa_wasi_function_count; i++)
        if (strcmp(wa_wasi_functions[i].name, name) == 0 && (!is_unstable || wa_wasi_functions[i].is_in_unstable))
            return make_func((wasi_host *)object, i, is_unstable);
    Py_RETURN_NONE;
}

static PyObject *function(PyObject *object, PyObject *name)
{
    return find_func(object, name, false);
}

static PyObject *unstable_function(PyObject *object, PyObject *name)
{
    return find_func(object, name, true);
}

/* wasi_names(of wasi_unstable) -> (name, ...) */
static PyObject *wasi_names(PyObject *module, PyObject *flag)
{
    (void)module;
    int is_unstable = PyObject_IsTrue(flag);
    PyObject *made = is_unstable < 0 ? NULL : PyList_New(0);
    for (size_t i = 0; made != NULL && i < wa_wasi_function_count; i++) {
        if (is_unstable && !wa_wasi_functions[i].is_in_unstable)
            continue;
        PyObject *name = PyUnicode_InternFromString(wa_wasi_functions[i].name);
        if (name == NULL || PyList_Append(made, name) < 0)
            Py_CLEAR(made);
        Py_XDECREF(name);
    }
    PyObject *names = made == NULL ? NULL : PyList_AsTuple(made);
    Py_XDECREF(made);
    return names;
}

/* wasi_functions(of wasi_unstable) -> {name: Func} */
static PyObject *wasi_functions(PyObject *module, PyObject *flag)
{
    (void)module;
    int is_unstable = PyObject_IsTrue(flag);
    PyObject *made = is_unstable < 0 ? NULL : PyDict_New();
    for (size_t i = 0; made != NULL && i < wa_wasi_function_count; i++) {
        if (is_unstable && !wa_wasi_functions[i].is_in_unstable)
            continue;
        PyObject *func = make_func(NULL, i, is_unstable != 0);
        if (func == NULL || PyDict_SetItemString(made, wa_wasi_functions[i].name, func) < 0)
            Py_CLEAR(made);
        Py_XDECREF(func);
    }
    return made;
}

/* set_program(store, WasiHost) */
static PyObject *set_program(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *store_object, *host;
    if (!PyArg_ParseTuple(args, "O!O!:set_program", wax_here()->store_type, &store_object, wax_here()->wasi_type, &host))
        return NULL;
    wax_store *store = wax_root((wax_store *)store_object);
    wa_wasi *wasi = ((wasi_host *)host)->native;
    if (wax_store_enter(store) < 0)
        return NULL;
    int failed = wax_store_keep(store, wasi, host); /* for the collector: it may reach the store */
    if (!failed)
        wa_wasi_set_program(store->native, wasi);
    wa_store_leave(store->native);
    return failed ? NULL : Py_NewRef(Py_None);
}

PyMethodDef wax_wasi_functions[] = {
    {"wasi_names", wasi_names, METH_O, WAX_DOC_wasi_names},
    {"wasi_functions", wasi_functions, METH_O, WAX_DOC_wasi_functions},
    {"set_program", set_program, METH_VARARGS, WAX_DOC_set_program},
    {NULL, NULL, 0, NULL},
};

/* ---- calls of WASI 0.2 -------------------------------------------------------------------------------------------------------- */

enum { ARGUMENTS_MAX = 9 };

/* Inside a host function: an errno, or WA_WASI_RAISED with an exception set. */
static uint32_t run_waiting(wa_wasi *wasi, size_t index, const Py_buffer *memory, const uint64_t *args)
{
    for (;;) {
        wax_call *call = wa_current_user();
        if (wax_leave_python(call) < 0)
            return WA_WASI_RAISED;
        uint32_t result = wa_wasi_call(wasi, index, memory->buf, (uint64_t)memory->len, args);
        if (result == WA_WASI_RAISED) /* the GIL is taken again */
            return result;
        wax_enter_python();
        if (result != WA_WASI_INTERRUPTED)
            return result;
        if (wax_heed_stops(call) < 0)
            return WA_WASI_RAISED;
    }
}

/* call(number of the function, memory, arguments...) -> errno */
static PyObject *call_function(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    uint64_t slots[ARGUMENTS_MAX];
    Py_buffer memory;
    size_t index = count < 2 ? SIZE_MAX : PyLong_AsSize_t(args[0]);
    if (PyErr_Occurred())
        return NULL;
    if (index >= wa_wasi_all_function_count || strlen(wa_wasi_functions[index].params) != (size_t)count - 2)
        return PyErr_Format(PyExc_TypeError, "no function of WASI has this number and %zd arguments", count - 2);
    for (Py_ssize_t i = 2; i < count; i++) {
        slots[i - 2] = PyLong_AsUnsignedLongLong(args[i]);
        if (PyErr_Occurred())
            return NULL;
    }
    if (wa_current_user() == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "what a WASI program sees can be used only while a guest calls it");
        return NULL;
    }
    if (PyObject_GetBuffer(args[1], &memory, PyBUF_WRITABLE) < 0)
        return NULL;
    uint32_t result = run_waiting(((wasi_host *)object)->native, index, &memory, slots);
    PyBuffer_Release(&memory);
    return result == WA_WASI_RAISED ? NULL : PyLong_FromUnsignedLong(result);
}

static PyObject *close_descriptor(PyObject *object, PyObject *number)
{
    unsigned long fd = PyLong_AsUnsignedLong(number);
    if (PyErr_Occurred())
        return NULL;
    return PyBool_FromLong(fd <= UINT32_MAX && wa_wasi_close(((wasi_host *)object)->native, (uint32_t)fd));
}

/* ---- life ------------------------------------------------------------------------------------------------------------------- */

static int wasi_host_traverse(PyObject *object, visitproc visit, void *arg)
{
    wasi_host *self = (wasi_host *)object;
    Py_VISIT(Py_TYPE(object));
    for (size_t i = 0; i < self->stream_count; i++)
        Py_VISIT(self->streams[i]->callable);
    return 0;
}

static int wasi_host_clear(PyObject *object)
{
    wasi_host *self = (wasi_host *)object;
    for (size_t i = 0; i < self->stream_count; i++)
        Py_CLEAR(self->streams[i]->callable);
    return 0;
}

static void wasi_host_dealloc(PyObject *object)
{
    wasi_host *self = (wasi_host *)object;
    PyTypeObject *class = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    wasi_host_clear(object);
    for (size_t i = 0; i < self->stream_count; i++)
        release_stream(self->streams[i]);
    wa_wasi_release(self->native);
    class->tp_free(object);
    Py_DECREF(class);
}

static PyMethodDef wasi_host_methods[] = {
    {"_add_fd", add_fd, METH_VARARGS, WAX_DOC_WasiHost__add_fd},
    {"_add_stream", add_stream, METH_VARARGS, WAX_DOC_WasiHost__add_stream},
    {"_add_directory", add_directory, METH_VARARGS, WAX_DOC_WasiHost__add_directory},
    {"_limit_descriptors", limit_descriptors, METH_O, WAX_DOC_WasiHost__limit_descriptors},
    {"_avoid_openat2", avoid_openat2, METH_NOARGS, WAX_DOC_WasiHost__avoid_openat2},
    {"_function", function, METH_O, WAX_DOC_WasiHost__function},
    {"_unstable_function", unstable_function, METH_O, WAX_DOC_WasiHost__unstable_function},
    {"_call", WAX_FASTCALL(call_function), METH_FASTCALL, WAX_DOC_WasiHost__call},
    {"_close", close_descriptor, METH_O, WAX_DOC_WasiHost__close},
    WAX_NOT_PICKLED,
    {NULL, NULL, 0, NULL},
};

static PyType_Slot wasi_host_slots[] = {
    {Py_tp_doc, WAX_DOC_WasiHost},
    {Py_tp_new, wasi_host_new},
    {Py_tp_dealloc, wasi_host_dealloc},
    {Py_tp_traverse, wasi_host_traverse},
    {Py_tp_clear, wasi_host_clear},
    {Py_tp_methods, wasi_host_methods},
    {0, NULL},
};

PyType_Spec wax_wasi_spec = {
    .name = "wasmartifact._types.WasiHost",
    .basicsize = sizeof(wasi_host),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = wasi_host_slots,
};
