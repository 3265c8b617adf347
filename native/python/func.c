/* Func: a WebAssembly function, or a Python callable that WebAssembly can call. */
#include "docs.h"
#include "types.h"

/* Instances may keep the host longer than Python keeps the Func. */
wax_func *wax_func_of_host(const wa_host *host)
{
    return wa_host_face(host);
}

/* ---- making --------------------------------------------------------------------------------------------------------- */

static wax_func *new_func(wax_signature *type, vectorcallfunc vectorcall)
{
    wax_func *func = (wax_func *)PyType_GenericAlloc(wax_here()->func_type, 0);
    if (func != NULL) {
        func->type = (wax_signature *)Py_NewRef(type);
        func->vectorcall = vectorcall;
    }
    return func;
}

PyObject *wax_func_from_record(wax_store *store, wa_function *record, PyObject *name)
{
    if (record->host != NULL) {
        wax_func *func = wax_func_of_host(record->host);
        if (func == NULL)
            PyErr_SetString(PyExc_ReferenceError, "the Python function behind this reference is gone");
        return Py_XNewRef((PyObject *)func);
    }
    wa_signature signature;
    if (wa_function_signature(record, &signature) < 0) {
        PyErr_SetString(PyExc_SystemError, "a reference to a function that no module defines");
        return NULL;
    }
    wax_signature *type = wax_signature_from_codes(signature.params, signature.param_count, signature.results,
                                                 signature.result_count, signature.digest);
    if (type == NULL) /* its digest is taken by another one */
        wax_name_artifact(store, wa_instance_artifact(record->instance));
    wax_func *func = type == NULL ? NULL : new_func(type, wax_call_wasm);
    Py_XDECREF(type);
    if (func == NULL)
        return NULL;
    func->record = record;
    func->store = (wax_store *)Py_NewRef(store);
    func->entry = wa_function_entry(record);
    func->is_short = wa_function_is_short(record);
    func->name = Py_XNewRef(name);
    return (PyObject *)func;
}

PyObject *wax_func_from_host(wa_host *host, wax_signature *type, vectorcallfunc vectorcall, PyObject *callable, PyObject *name)
{
    wax_func *func = new_func(type, vectorcall);
    if (func == NULL) {
        wa_host_release(host);
        return NULL;
    }
    func->callable = Py_NewRef(callable);
    func->name = Py_XNewRef(name);
    func->host = host;
    func->record = wa_host_function(host);
    wa_host_set_face(host, func);
    return (PyObject *)func;
}

static PyObject *new_host_func(PyObject *callable, wax_signature *type, PyObject *name, bool passes_caller)
{
    wa_host *host = wa_host_new(wax_invoke_host, type->digest, NULL, NULL);
    PyObject *func = host == NULL ? PyErr_NoMemory() : wax_func_from_host(host, type, wax_call_host, callable, name);
    if (func != NULL)
        ((wax_func *)func)->passes_caller = passes_caller;
    return func;
}

static PyObject *func_new(PyTypeObject *class, PyObject *args, PyObject *kwargs)
{
    (void)class;
    static char *names[] = {"callable", "params", "results", "caller", NULL};
    PyObject *callable, *params = NULL, *results = NULL, *empty = PyTuple_New(0), *func = NULL;
    int passes_caller = 0;
    if (empty == NULL ||
        !PyArg_ParseTupleAndKeywords(args, kwargs, "O|OO$p:Func", names, &callable, &params, &results, &passes_caller)) {
        Py_XDECREF(empty);
        return NULL;
    }
    if (!PyCallable_Check(callable)) {
        PyErr_Format(PyExc_TypeError, "Func needs a callable, found %s", Py_TYPE(callable)->tp_name);
    } else {
        wax_signature *type = wax_signature_from_names(params == NULL ? empty : params, results == NULL ? empty : results);
        func = type == NULL ? NULL : new_host_func(callable, type, NULL, passes_caller != 0);
        Py_XDECREF(type);
    }
    Py_DECREF(empty);
    return func;
}

PyObject *wax_func_new_host(PyObject *callable, wax_signature *type, PyObject *name)
{
    return new_host_func(callable, type, name, false);
}

/* ---- names ---------------------------------------------------------------------------------------------------------- */

/* Name of a function: borrowed; made when it is first needed. */
static PyObject *name_of(wax_func *func)
{
    if (func->name == NULL && func->host == NULL) {
        func->name = wax_function_name(wa_instance_artifact(func->record->instance), func->record->func_index);
    } else if (func->name == NULL) {
        func->name = func->callable == NULL ? NULL : PyObject_GetAttrString(func->callable, "__name__");
        if (func->name == NULL || !PyUnicode_Check(func->name)) {
            PyErr_Clear();
            Py_XSETREF(func->name, PyUnicode_FromString("host function"));
        }
    }
    return func->name;
}

PyObject *wax_func_describe(const wax_func *func)
{
    PyObject *name = name_of((wax_func *)(uintptr_t)func);
    PyObject *printable = name == NULL ? NULL : wax_call_helper(WAX_PRINTABLE, name, NULL, NULL);
    PyObject *type = printable == NULL ? NULL : wax_signature_face(func->type);
    PyObject *text = type == NULL ? NULL : PyUnicode_FromFormat("%U%S", printable, type);
    Py_XDECREF(printable);
    Py_XDECREF(type);
    return text;
}

/* ---- the type ------------------------------------------------------------------------------------------------------- */

static PyObject *func_get_name(PyObject *object, void *closure)
{
    (void)closure;
    return Py_XNewRef(name_of((wax_func *)object));
}

static PyObject *func_get_type(PyObject *object, void *closure)
{
    (void)closure;
    return wax_signature_face(((wax_func *)object)->type);
}

static PyObject *func_repr(PyObject *object)
{
    PyObject *text = wax_func_describe((wax_func *)object);
    PyObject *repr = text == NULL ? NULL : PyUnicode_FromFormat("<Func %U>", text);
    Py_XDECREF(text);
    return repr;
}

static PyObject *func_richcompare(PyObject *left, PyObject *right, int operation)
{
    if (!wax_is_func(right) || (operation != Py_EQ && operation != Py_NE))
        Py_RETURN_NOTIMPLEMENTED;
    bool equal = ((wax_func *)left)->record == ((wax_func *)right)->record;
    return PyBool_FromLong(equal == (operation == Py_EQ));
}

static Py_hash_t func_hash(PyObject *object)
{
    return _Py_HashPointer(((wax_func *)object)->record);
}

static int func_traverse(PyObject *object, visitproc visit, void *arg)
{
    wax_func *func = (wax_func *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(func->store);
    Py_VISIT(func->callable);
    return 0;
}

static int func_clear(PyObject *object)
{
    Py_CLEAR(((wax_func *)object)->callable); /* the store stays: its containers break the cycles through it */
    return 0;
}

static void func_dealloc(PyObject *object)
{
    wax_func *func = (wax_func *)object;
    PyTypeObject *class = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    if (func->weakrefs != NULL)
        PyObject_ClearWeakRefs(object);
    if (func->host != NULL) {
        wa_host_set_face(func->host, NULL);
        wa_host_release(func->host);
    }
    Py_XDECREF(func->callable);
    Py_XDECREF(func->name);
    Py_XDECREF(func->type);
    Py_XDECREF(func->store);
    class->tp_free(object);
    Py_DECREF(class);
}

static PyMemberDef func_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(wax_func, vectorcall), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(wax_func, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

/* func.call_async(*args): a coroutine */
static PyObject *func_call_async(PyObject *func, PyObject *args)
{
    return wax_call_helper(WAX_CALL_ASYNC, func, args, NULL);
}

static PyMethodDef func_methods[] = {
    {"call_async", func_call_async, METH_VARARGS, WAX_DOC_Func_call_async},
    WAX_NOT_PICKLED,
    {"call_bits", wax_call_bits, METH_O, WAX_DOC_Func_call_bits},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef func_getset[] = {
    {"type", func_get_type, NULL, WAX_DOC_Func_type, NULL},
    {"name", func_get_name, NULL, WAX_DOC_Func_name, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot func_slots[] = {
    {Py_tp_doc, WAX_DOC_Func},
    {Py_tp_new, func_new},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_dealloc, func_dealloc},
    {Py_tp_traverse, func_traverse},
    {Py_tp_clear, func_clear},
    {Py_tp_richcompare, func_richcompare},
    {Py_tp_hash, func_hash},
    {Py_tp_repr, func_repr},
    {Py_tp_methods, func_methods},
    {Py_tp_members, func_members},
    {Py_tp_getset, func_getset},
    {0, NULL},
};

PyType_Spec wax_func_spec = {
    .name = "wasmartifact.Func",
    .basicsize = sizeof(wax_func),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = func_slots,
};
