/* Linking: a new instance of resolved imports, and what Python needs to know of an instance. */
#include <signal.h>

#include "types.h"

static bool check_args(Py_ssize_t found, Py_ssize_t expected, PyObject *store)
{
    if (found == expected && (store == NULL || Py_IS_TYPE(store, wax_store_type)))
        return true;
    PyErr_Format(PyExc_TypeError, "expected %zd arguments, the first a Store", expected);
    return false;
}

/* The store becomes one with those of all imports that have a state, then keeps the Python functions among them. */
static int share(wax_store *store, wax_imports *imports)
{
    int failed = 0;
    Py_ssize_t count = PyTuple_GET_SIZE(imports->objects);
    for (Py_ssize_t i = 0; !failed && i < count; i++) {
        PyObject *object = PyTuple_GET_ITEM(imports->objects, i);
        if (!Py_IS_TYPE(object, wax_func_type))
            failed = wax_entity_join((wax_entity *)object, store);
        else if (((wax_func *)object)->host == NULL)
            failed = wax_store_join(store, ((wax_func *)object)->store);
    }
    return failed || count == 0 ? failed : wax_store_keep(store, imports, (PyObject *)imports);
}

/* Ctrl-C ends a call where Python does with it what it does by default. A handler of the program's own may want the guest to
 * go on; it runs when the guest returns or calls back, as for any C function. */
static int watch_interrupts(void)
{
    if (wa_interrupts_watched())
        return 0;
    PyObject *getsignal = wax_help(WAX_GETSIGNAL), *standard = wax_help(WAX_DEFAULT_INT_HANDLER);
    PyObject *handler = getsignal == NULL || standard == NULL ? NULL : PyObject_CallFunction(getsignal, "i", SIGINT);
    if (handler == NULL)
        return -1;
    wa_error error;
    int failed = handler == standard ? wa_interrupts_watch(&error) : 0;
    Py_DECREF(handler);
    if (failed)
        wax_raise_error(&error);
    return failed;
}

/* Link first, share afterwards: no code runs in between, and imports of the wrong type leave no store changed. */
static PyObject *link_externs(wax_store *store, wax_imports *imports)
{
    if (watch_interrupts() < 0)
        return NULL;
    wa_error error;
    wax_store_enter(store);
    wa_instance *instance =
        wa_instantiate(store->native, imports->native, imports->externs, (size_t)PyTuple_GET_SIZE(imports->objects), &error);
    wa_store_leave(store->native);
    if (instance == NULL)
        return Py_BuildValue("kiKKKs", (unsigned long)error.code, error.system_errno, (unsigned long long)error.where,
                             (unsigned long long)error.found, (unsigned long long)error.expected, error.text);
    /* The artifact is kept for what traps and `caller` have to tell. */
    if (share(store, imports) < 0 || wax_store_keep(store, imports->native, imports->artifact) < 0) {
        wax_store_enter(store);
        wa_instance_discard(instance);
        wa_store_leave(store->native);
        return NULL;
    }
    wax_root(store)->weight++;
    return PyLong_FromVoidPtr(instance);
}

/* link(store, Imports) -> address of the instance, or the facts of the error */
static PyObject *link_instance(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    if (!check_args(count, 2, args[0]))
        return NULL;
    if (!PyObject_TypeCheck(args[1], wax_imports_type))
        return PyErr_Format(PyExc_TypeError, "expected Imports, found %s", Py_TYPE(args[1])->tp_name);
    wax_store *store = (wax_store *)args[0];
    wax_store_pin(store);
    PyObject *result = link_externs(store, (wax_imports *)args[1]);
    wax_store_unpin(store);
    return result;
}

/* run_init(store, address of the instance) */
static PyObject *run_init(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    wa_instance *instance = check_args(count, 2, args[0]) ? PyLong_AsVoidPtr(args[1]) : NULL;
    if (instance == NULL)
        return NULL;
    wax_store *store = (wax_store *)args[0];
    wax_store_pin(store);
    int failed = wax_run_init(store, instance);
    wax_store_unpin(store);
    return failed ? NULL : Py_NewRef(Py_None);
}

static PyObject *import_rows(PyObject *module, PyObject *address)
{
    (void)module;
    const wa_artifact *artifact = PyLong_AsVoidPtr(address);
    return artifact == NULL ? NULL : wax_import_rows(artifact);
}

static PyObject *artifact_of(PyObject *module, PyObject *address)
{
    (void)module;
    const wa_instance *instance = PyLong_AsVoidPtr(address);
    return instance == NULL ? NULL : PyLong_FromVoidPtr(wa_instance_artifact(instance));
}

static PyObject *implicit_store(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return (PyObject *)wax_store_new_implicit();
}

/* kept(store, address) -> object */
static PyObject *kept(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    void *address = check_args(count, 2, args[0]) ? PyLong_AsVoidPtr(args[1]) : NULL;
    if (PyErr_Occurred())
        return NULL;
    PyObject *object = wax_store_kept((wax_store *)args[0], address);
    return Py_NewRef(object == NULL ? Py_None : object);
}

PyMethodDef wax_link_functions[] = {
    {"link", WAX_FASTCALL(link_instance), METH_FASTCALL, NULL},
    {"run_init", WAX_FASTCALL(run_init), METH_FASTCALL, NULL},
    {"import_rows", import_rows, METH_O, NULL},
    {"artifact_of", artifact_of, METH_O, NULL},
    {"implicit_store", implicit_store, METH_NOARGS, NULL},
    {"kept", WAX_FASTCALL(kept), METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};
