/* Store: what instances that can reach each other have in common, on Python's side.
 *
 * The Python objects that code in a store can reach hang on two dicts, so that every cycle through WebAssembly runs through
 * containers that Python's collector sees. The store itself never refers to instances, functions or memories of its own. */
#include "docs.h"
#include "types.h"

/* state->handle_owners: all root stores that own externref handles.
 *
 * Handles are unique in the process and never used again, so a join is a union of dicts. Their low bits tell them from other
 * references. */
static uint64_t last_handle = WA_REFERENCE_HANDLE;
enum { HANDLE_STEP = 16 };

enum { FIRST_SWEEP = 256 };

/* While calls are in progress, so many handles are worth looking through the stack and the guest's heap. */
enum { CALLS_SWEEP = 4096 };

/* So often a thread that waits for a store looks whether a Ctrl-C came. */
enum { WAIT_SLICE_MS = 50 };

static void unlink_owner(wax_store *store)
{
    wax_state *state = wax_here();
    if (store->previous != NULL)
        store->previous->next = store->next;
    else if (state != NULL && state->handle_owners == store)
        state->handle_owners = store->next;
    if (store->next != NULL)
        store->next->previous = store->previous;
    store->previous = store->next = NULL;
}

static void link_owner(wax_store *store)
{
    wax_state *state = wax_here();
    unlink_owner(store);
    store->next = state->handle_owners;
    if (store->next != NULL)
        store->next->previous = store;
    state->handle_owners = store;
}

static wax_store *new_store(bool is_explicit)
{
    wax_store *store = (wax_store *)PyType_GenericAlloc(wax_here()->store_type, 0);
    if (store == NULL)
        return NULL;
    store->is_explicit = is_explicit;
    store->sweep_at = FIRST_SWEEP;
    store->weight = 1;
    store->component_limits = (wax_component_limits){UINT64_MAX, UINT64_MAX};
    store->native = wa_store_new();
    store->keep = PyDict_New();
    if (store->native == NULL)
        PyErr_NoMemory();
    if (store->native == NULL || store->keep == NULL) {
        Py_DECREF(store);
        return NULL;
    }
    return store;
}

wax_store *wax_store_new_implicit(void)
{
    return new_store(false);
}

bool wax_store_enter_within(wax_store *store, uint32_t milliseconds)
{
    if (wa_store_try_enter(store->native))
        return true;
    PyThreadState *thread = PyEval_SaveThread();
    bool entered = wa_store_enter_within(store->native, milliseconds);
    PyEval_RestoreThread(thread);
    return entered;
}

int wax_store_wait(wax_store *store)
{
    while (!wax_store_enter_within(store, WAIT_SLICE_MS))
        if (PyErr_CheckSignals() < 0)
            return -1;
    return 0;
}

int wax_store_keep(wax_store *store, const void *address, PyObject *object)
{
    PyObject *key = PyLong_FromVoidPtr((void *)(uintptr_t)address);
    int failed = key == NULL ? -1 : PyDict_SetItem(wax_root(store)->keep, key, object);
    Py_XDECREF(key);
    return failed;
}

PyObject *wax_store_kept(wax_store *store, const void *address)
{
    PyObject *key = PyLong_FromVoidPtr((void *)(uintptr_t)address);
    PyObject *object = key == NULL ? NULL : PyDict_GetItem(wax_root(store)->keep, key);
    Py_XDECREF(key);
    return object;
}

/* ---- joining -------------------------------------------------------------------------------------------------------- */

static int merge(PyObject **into, PyObject **from)
{
    if (*from == NULL)
        return 0;
    if (*into == NULL) {
        *into = *from;
        *from = NULL;
        return 0;
    }
    return PyDict_Update(*into, *from);
}

static int join_roots(wax_store *into, wax_store *from)
{
    wa_error error;
    if (wa_store_join(into->native, from->native, &error) < 0) {
        wax_raise_error(&error, NULL);
        return -1;
    }
    from->parent = (wax_store *)Py_NewRef(into);
    into->is_explicit |= from->is_explicit;
    if (into->limits == NULL) {
        into->limits = Py_XNewRef(from->limits);
        into->component_limits = from->component_limits;
    }
    into->busy += from->busy;
    into->weight += from->weight;
    if (merge(&into->keep, &from->keep) < 0 || merge(&into->externrefs, &from->externrefs) < 0 ||
        merge(&into->handles, &from->handles) < 0)
        return -1; /* out of memory: what could not move stays alive with `from` */
    Py_CLEAR(from->keep);
    Py_CLEAR(from->externrefs);
    Py_CLEAR(from->handles);
    unlink_owner(from);
    if (into->externrefs != NULL)
        link_owner(into);
    return 0;
}

int wax_store_join(wax_store *into, wax_store *from)
{
    into = wax_root(into);
    from = wax_root(from);
    if (into == from)
        return 0;
    /* The lighter one moves: a chain of instances that import from each other must not become a chain of stores. */
    if (!into->is_explicit || !from->is_explicit)
        return into->weight < from->weight ? join_roots(from, into) : join_roots(into, from);
    wax_raise_object(wax_call_helper(WAX_JOIN_ERROR, NULL, NULL, NULL));
    return -1;
}

/* ---- externref handles ---------------------------------------------------------------------------------------------- */

typedef struct marking {
    PyObject *handles; /* set: what tables and globals of the store hold */
    bool failed;
} marking;

static void mark_handle(uint64_t handle, void *user)
{
    marking *state = user;
    if (handle > last_handle) /* a word of the stack that is none */
        return;
    PyObject *number = PyLong_FromUnsignedLongLong(handle);
    if (number == NULL || PySet_Add(state->handles, number) < 0)
        state->failed = true;
    Py_XDECREF(number);
}

/* List of (handle, object) that are not marked; NULL with an exception set. */
static PyObject *unmarked(wax_store *store, PyObject *marked)
{
    PyObject *dead = PyList_New(0), *handle, *object;
    Py_ssize_t position = 0;
    while (dead != NULL && PyDict_Next(store->externrefs, &position, &handle, &object)) {
        int is_marked = PySet_Contains(marked, handle);
        PyObject *pair = is_marked == 0 ? PyTuple_Pack(2, handle, object) : NULL;
        if (is_marked < 0 || (is_marked == 0 && (pair == NULL || PyList_Append(dead, pair) < 0)))
            Py_CLEAR(dead);
        Py_XDECREF(pair);
    }
    return dead;
}

/* Take a handle out of both dicts. An object that two stores knew when they were joined has two handles, and `handles` knows
 * one of them. */
static int forget_handle(wax_store *store, PyObject *handle, PyObject *object)
{
    PyObject *identity = PyLong_FromVoidPtr(object);
    PyObject *current = identity == NULL ? NULL : PyDict_GetItemWithError(store->handles, identity);
    int is_current = current == NULL ? 0 : PyObject_RichCompareBool(current, handle, Py_EQ);
    int failed = PyErr_Occurred() || is_current < 0 || (is_current && PyDict_DelItem(store->handles, identity) < 0) ||
                 PyDict_DelItem(store->externrefs, handle) < 0;
    Py_XDECREF(identity);
    return failed ? -1 : 0;
}

/* Take the pairs of `dead` out of both dicts; their objects die with the list. */
static int forget(wax_store *store, PyObject *dead)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(dead); i++) {
        PyObject *pair = PyList_GET_ITEM(dead, i);
        if (forget_handle(store, PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1)) < 0)
            return -1;
    }
    return 0;
}

/* Drop the handles that nothing in the store holds. An object may run any code when it dies, which may pass it to the guest
 * again under its old handle: so all are taken out before the first dies, and no collection runs in between. */
static void drop_handles(wax_store *store)
{
    PyObject *error_type, *error, *traceback, *dead = NULL;
    PyErr_Fetch(&error_type, &error, &traceback);
    int was_enabled = PyGC_Disable();
    marking state = {PySet_New(NULL), false};
    if (state.handles != NULL) {
        wa_store_visit_externrefs(store->native, mark_handle, &state);
        if (!state.failed && (dead = unmarked(store, state.handles)) != NULL && forget(store, dead) == 0)
            store->sweep_at = 2 * PyDict_GET_SIZE(store->externrefs) + FIRST_SWEEP;
    }
    if (PyErr_Occurred())
        PyErr_WriteUnraisable((PyObject *)store); /* out of memory: the objects stay for the next sweep */
    if (was_enabled)
        PyGC_Enable();
    Py_XDECREF(state.handles);
    Py_XDECREF(dead);
    PyErr_Restore(error_type, error, traceback);
}

static void sweep_store(wax_store *store)
{
    if (store->busy == 0 && store->externrefs != NULL && !wa_store_is_active(store->native))
        drop_handles(store);
}

/* A guest that runs for long gets one object after the other: those that it has no more are dropped meanwhile. Handles are where
 * somebody looks if all that pins the store is calls of this stack which are past their arguments: they are as many. */
static void sweep_during_calls(wax_store *store)
{
    Py_ssize_t count = store->externrefs == NULL ? 0 : PyDict_GET_SIZE(store->externrefs);
    if (count >= CALLS_SWEEP && count >= store->sweep_at && wa_store_calls_are_here(store->native, (uint32_t)store->busy)) {
        Py_INCREF(store);
        drop_handles(store);
        Py_DECREF(store);
    }
}

void wax_store_sweep(wax_store *store)
{
    if (PyDict_GET_SIZE(store->externrefs) >= store->sweep_at) {
        Py_INCREF(store);
        sweep_store(store);
        Py_DECREF(store);
    }
}

/* gc.callbacks entry: sweep all idle stores before a full collection, which then sees what the guest dropped. */
static PyObject *sweep_callback(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    if (count != 2 || !PyUnicode_Check(args[0]) || PyUnicode_CompareWithASCIIString(args[0], "start") != 0)
        Py_RETURN_NONE;
    PyObject *generation = PyDict_Check(args[1]) ? PyDict_GetItemString(args[1], "generation") : NULL;
    if (generation == NULL || !PyLong_Check(generation) || PyLong_AsLong(generation) != 2)
        Py_RETURN_NONE;
    /* Dying objects may free stores and make new ones: work on a list of our own. */
    PyObject *stores = PyList_New(0);
    for (wax_store *store = wax_here()->handle_owners; store != NULL && stores != NULL; store = store->next)
        if (PyList_Append(stores, (PyObject *)store) < 0)
            Py_CLEAR(stores);
    for (Py_ssize_t i = 0; stores != NULL && i < PyList_GET_SIZE(stores); i++)
        sweep_store(wax_root((wax_store *)PyList_GET_ITEM(stores, i)));
    Py_XDECREF(stores);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef sweep_definition = {"sweep_externrefs", WAX_FASTCALL(sweep_callback), METH_FASTCALL,
                                       "gc.callbacks entry: drop the externrefs that no guest holds any more."};

/* The store gets its first handle. */
static int own_handles(wax_store *store)
{
    wax_state *state = wax_here();
    if (!state->sweeps) {
        PyObject *callbacks = wax_help(WAX_GC_CALLBACKS);
        PyObject *callback = callbacks == NULL ? NULL : PyCFunction_New(&sweep_definition, NULL);
        int failed = callback == NULL ? -1 : PyList_Append(callbacks, callback);
        Py_XDECREF(callback);
        if (failed < 0)
            return -1;
        state->sweeps = true;
    }
    store->externrefs = PyDict_New();
    store->handles = PyDict_New();
    if (store->externrefs == NULL || store->handles == NULL) {
        Py_CLEAR(store->externrefs);
        Py_CLEAR(store->handles);
        return -1;
    }
    link_owner(store);
    return 0;
}

uint64_t wax_store_handle(wax_store *store, PyObject *object)
{
    sweep_during_calls(wax_root(store));
    store = wax_root(store); /* objects that died may have joined it with another one */
    if (store->externrefs == NULL && own_handles(store) < 0)
        return 0;
    PyObject *identity = PyLong_FromVoidPtr(object);
    if (identity == NULL)
        return 0;
    uint64_t handle = 0;
    PyObject *number = PyDict_GetItemWithError(store->handles, identity);
    if (number != NULL) {
        handle = PyLong_AsUnsignedLongLong(number);
    } else if (!PyErr_Occurred()) {
        number = PyLong_FromUnsignedLongLong(last_handle + HANDLE_STEP);
        if (number != NULL && PyDict_SetItem(store->externrefs, number, object) == 0) {
            if (PyDict_SetItem(store->handles, identity, number) == 0)
                handle = last_handle += HANDLE_STEP;
            else
                PyDict_DelItem(store->externrefs, number);
        }
        Py_XDECREF(number);
    }
    Py_DECREF(identity);
    return handle;
}

PyObject *wax_store_object(wax_store *store, uint64_t handle)
{
    store = wax_root(store);
    PyObject *number = PyLong_FromUnsignedLongLong(handle);
    PyObject *object = number == NULL || store->externrefs == NULL ? NULL : PyDict_GetItemWithError(store->externrefs, number);
    Py_XDECREF(number);
    if (object == NULL && !PyErr_Occurred())
        PyErr_Format(PyExc_SystemError, "an externref of the guest has the unknown handle %llu", (unsigned long long)handle);
    return Py_XNewRef(object);
}

/* ---- the type ------------------------------------------------------------------------------------------------------- */

/* One limit by its name: UINT64_MAX for None, and less for any number, the largest of which no counter can reach. */
static int read_limit(PyObject *limits, const char *name, uint64_t *limit)
{
    *limit = UINT64_MAX;
    PyObject *number = PyObject_GetAttrString(limits, name);
    if (number != NULL && number != Py_None) {
        *limit = PyLong_AsUnsignedLongLong(number);
        if (PyErr_ExceptionMatches(PyExc_OverflowError))
            PyErr_Clear();
        if (*limit == UINT64_MAX)
            --*limit;
    }
    Py_XDECREF(number);
    return PyErr_Occurred() ? -1 : 0;
}

static int read_limits(PyObject *limits, wa_limits *native, wax_component_limits *component)
{
    PyObject *class = wax_help(WAX_LIMITS_CLASS);
    if (class == NULL || !wax_check_type(limits, (PyTypeObject *)class))
        return -1;
    return read_limit(limits, "memory_bytes", &native->counted[WA_COUNTED_MEMORY_BYTES]) < 0 ||
                   read_limit(limits, "table_elements", &native->counted[WA_COUNTED_TABLE_ELEMENTS]) < 0 ||
                   read_limit(limits, "instances", &native->counted[WA_COUNTED_INSTANCES]) < 0 ||
                   read_limit(limits, "stack_bytes", &native->stack_bytes) < 0 ||
                   read_limit(limits, "value_bytes", &component->value_bytes) < 0 ||
                   read_limit(limits, "handles", &component->handles) < 0
               ? -1
               : 0;
}

static void keep_limits(wax_store *store, PyObject *limits, const wax_component_limits *component)
{
    Py_XSETREF(store->limits, Py_NewRef(limits));
    store->component_limits = *component;
}

static PyObject *store_new(PyTypeObject *class, PyObject *args, PyObject *kwargs)
{
    (void)class;
    static char *names[] = {"limits", NULL};
    PyObject *limits = Py_None;
    wa_limits native;
    wax_component_limits component;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$O:Store", names, &limits) ||
        (limits != Py_None && read_limits(limits, &native, &component) < 0))
        return NULL;
    wax_store *store = new_store(true);
    if (store == NULL || limits == Py_None)
        return (PyObject *)store;
    keep_limits(store, limits, &component);
    if (wa_store_limit(store->native, &native) < 0) {
        Py_DECREF(store);
        return PyErr_NoMemory();
    }
    return (PyObject *)store;
}

static PyObject *store_get_limits(PyObject *object, void *closure)
{
    (void)closure;
    PyObject *limits = wax_root((wax_store *)object)->limits;
    return Py_NewRef(limits == NULL ? Py_None : limits);
}

static int store_set_limits(PyObject *object, PyObject *limits, void *closure)
{
    (void)closure;
    wax_store *store = wax_root((wax_store *)object);
    wa_limits native;
    wax_component_limits component;
    bool is_given = limits != NULL && limits != Py_None;
    if (is_given && read_limits(limits, &native, &component) < 0)
        return -1;
    if (!is_given || store->limits == NULL) {
        PyErr_SetString(PyExc_ValueError, "limits can be changed to other ones, where the store was made with some: wa.Store("
                                          "limits=wa.Limits()) has none yet, and counts");
        return -1;
    }
    wa_store_change_limits(store->native, &native);
    keep_limits(store, limits, &component);
    return 0;
}

static int store_traverse(PyObject *object, visitproc visit, void *arg)
{
    wax_store *store = (wax_store *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(store->parent);
    Py_VISIT(store->keep);
    Py_VISIT(store->externrefs);
    Py_VISIT(store->limits);
    return 0;
}

static int store_clear(PyObject *object)
{
    wax_store *store = (wax_store *)object;
    /* The containers stay, empty: whatever runs while the rest of the cycle dies finds a store in order. The parent stays
     * as well: it breaks no cycle that the containers don't break. */
    if (store->handles != NULL)
        PyDict_Clear(store->handles);
    if (store->externrefs != NULL)
        PyDict_Clear(store->externrefs);
    if (store->keep != NULL)
        PyDict_Clear(store->keep);
    return 0;
}

static void store_dealloc(PyObject *object)
{
    wax_store *store = (wax_store *)object;
    PyTypeObject *class = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    unlink_owner(store); /* before any code can run that sweeps */
    if (store->weakrefs != NULL)
        PyObject_ClearWeakRefs(object);
    /* First the code that could call the host, then what it would call. */
    if (store->native != NULL)
        wa_store_release(store->native);
    Py_CLEAR(store->handles);
    Py_CLEAR(store->externrefs);
    Py_CLEAR(store->keep);
    Py_CLEAR(store->parent);
    Py_CLEAR(store->limits);
    class->tp_free(object);
    Py_DECREF(class);
}

static PyObject *store_get_fuel(PyObject *object, void *closure)
{
    (void)closure;
    uint64_t units;
    if (!wa_store_fuel(((wax_store *)object)->native, &units))
        Py_RETURN_NONE;
    return PyLong_FromUnsignedLongLong(units);
}

/* -1 with an exception set. */
static int fuel_units(PyObject *value, uint64_t *units)
{
    if (!PyIndex_Check(value) || PyBool_Check(value)) {
        PyErr_Format(PyExc_TypeError, "fuel is a %.100s, expected an int, or None", Py_TYPE(value)->tp_name);
        return -1;
    }
    PyObject *number = PyNumber_Index(value);
    if (number == NULL)
        return -1;
    int overflow;
    long long found = PyLong_AsLongLongAndOverflow(number, &overflow);
    if (!PyErr_Occurred() && (overflow != 0 || found < 0))
        PyErr_Format(PyExc_ValueError, "fuel is %R, expected 0 to 2**63 - 1, or None", number);
    Py_DECREF(number);
    *units = (uint64_t)found;
    return PyErr_Occurred() ? -1 : 0;
}

static int store_set_fuel(PyObject *object, PyObject *value, void *closure)
{
    (void)closure;
    wax_store *store = (wax_store *)object;
    uint64_t units = 0;
    if (value == NULL) {
        PyErr_SetString(PyExc_AttributeError, "fuel can't be deleted; set it to None, so that none is counted");
        return -1;
    }
    if (value != Py_None && fuel_units(value, &units) < 0)
        return -1;
    if (wax_store_enter(store) < 0)
        return -1;
    int failed = 0;
    if (value == Py_None)
        wa_store_count_no_fuel(store->native);
    else
        failed = wa_store_set_fuel(store->native, units);
    wa_store_leave(store->native);
    if (failed < 0)
        PyErr_SetString(PyExc_ValueError, "the store has an instance of a module that was packed without fuel, which nothing "
                                          "would count; pack it with fuel=True");
    return failed;
}

static PyMemberDef store_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(wax_store, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef store_getset[] = {
    {"fuel", store_get_fuel, store_set_fuel, WAX_DOC_Store_fuel, NULL},
    {"limits", store_get_limits, store_set_limits, WAX_DOC_Store_limits, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef store_methods[] = {
    {"deadline", wax_store_deadline, METH_O, WAX_DOC_Store_deadline},
    {"interrupt", wax_store_interrupt, METH_NOARGS, WAX_DOC_Store_interrupt},
    WAX_NOT_PICKLED,
    {NULL, NULL, 0, NULL},
};

static PyType_Slot store_slots[] = {
    {Py_tp_doc, WAX_DOC_Store},
    {Py_tp_new, store_new},
    {Py_tp_dealloc, store_dealloc},
    {Py_tp_traverse, store_traverse},
    {Py_tp_clear, store_clear},
    {Py_tp_methods, store_methods},
    {Py_tp_members, store_members},
    {Py_tp_getattro, wax_getattr},
    {Py_tp_getset, store_getset},
    {0, NULL},
};

PyType_Spec wax_store_spec = {
    .name = "wasmartifact.Store",
    .basicsize = sizeof(wax_store),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = store_slots,
};
