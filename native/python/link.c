/* Instantiating: the imports are resolved, the native side links them, init code runs. Linked has done the first step, for any
 * number of instances. */
#include "docs.h"
#include "types.h"

/* Immutable once made. */
typedef struct wax_linked {
    PyObject_HEAD
    wax_link link; /* owned, all of it */
    PyObject *weakrefs;
} wax_linked;

static wax_linked *new_linked(PyObject *face, PyObject *native, PyObject *imports)
{
    PyObject *objects;
    wa_extern *externs;
    if (!wax_check_type(native, wax_here()->artifact_type) ||
        wax_resolve_imports(face, (wax_artifact *)native, imports, &objects, &externs) < 0)
        return NULL;
    wax_linked *linked = (wax_linked *)PyType_GenericAlloc(wax_here()->linked_type, 0);
    if (linked == NULL) {
        Py_DECREF(objects);
        PyMem_Free(externs);
        return NULL;
    }
    linked->link = (wax_link){.face = Py_NewRef(face),
                              .artifact = (wax_artifact *)Py_NewRef(native),
                              .objects = objects,
                              .externs = externs,
                              .extern_count = (size_t)PyTuple_GET_SIZE(objects)};
    return linked;
}

/* ---- instances ---------------------------------------------------------------------------------------------------------- */

/* The store becomes one with those of all imports that have a state, then keeps the Python functions among them. */
static int share(wax_store *store, const wax_link *link)
{
    int failed = 0;
    Py_ssize_t count = link->objects == NULL ? 0 : PyTuple_GET_SIZE(link->objects);
    for (Py_ssize_t i = 0; !failed && i < count; i++) {
        PyObject *object = PyTuple_GET_ITEM(link->objects, i);
        if (!wax_is_func(object))
            failed = wax_entity_join((wax_entity *)object, store);
        else if (((wax_func *)object)->host == NULL)
            failed = wax_store_join(store, ((wax_func *)object)->store);
    }
    return failed || count == 0 ? failed : wax_store_keep(store, link->objects, link->objects);
}

static int watch_interrupts(void)
{
    wa_error error;
    if (wa_interrupts_watched())
        return 0;
    if (wax_help(WAX_GETSIGNAL) == NULL || wax_help(WAX_DEFAULT_INT_HANDLER) == NULL) /* what the judge needs */
        return -1;
    if (wa_interrupts_watch(wax_judge_interrupt, wax_heed_signals, &error) == 0)
        return 0;
    wax_raise_error(&error, NULL);
    return -1;
}

static void raise_link_error(const wax_link *link, const wa_error *error)
{
    PyObject *facts = wax_error_facts(error), *objects = link->objects == NULL ? Py_None : link->objects;
    wax_raise_object(facts == NULL ? NULL : wax_call_helper(WAX_LINK_ERROR, link->face, objects, facts));
    Py_XDECREF(facts);
}

static void discard(wax_store *store, wa_instance *native)
{
    while (!wax_store_enter_within(store, 1000))
        ;
    wa_instance_discard(native);
    wa_store_leave(store->native);
}

/* Link first, share afterwards: no code runs in between, and imports of the wrong type leave no store changed. */
static wa_instance *link_native(wax_store *store, const wax_link *link, void *owner)
{
    if (watch_interrupts() < 0)
        return NULL;
    wa_error error;
    if (wax_store_enter(store) < 0)
        return NULL;
    wa_instance *native = wa_instantiate(store->native, link->artifact->native, link->externs, link->extern_count, &error);
    wa_store_leave(store->native);
    if (native == NULL) {
        raise_link_error(link, &error);
        return NULL;
    }
    /* The artifact is kept for what traps and `caller` have to tell. */
    if (share(store, link) < 0 || wax_store_keep(store, link->artifact->native, link->face) < 0) {
        discard(store, native);
        return NULL;
    }
    wa_instance_set_owner(native, owner);
    wax_root(store)->weight++;
    return native;
}

/* The Instance knows its native one before any code of it can run and ask for it. */
static PyObject *start(wax_store *store, const wax_link *link, void *owner)
{
    wa_instance *native = link_native(store, link, owner);
    PyObject *instance = native == NULL ? NULL : wax_entity_wrap(WAX_KIND_INSTANCE, native, store);
    if (instance != NULL) {
        ((wax_instance *)instance)->artifact = Py_NewRef(link->face);
        if (wax_run_init(store, native) < 0)
            Py_CLEAR(instance);
    }
    if (instance == NULL && native != NULL)
        wa_instance_set_owner(native, NULL);
    return instance;
}

PyObject *wax_instantiate_link(const wax_link *link, PyObject *given, void *owner)
{
    if (given != Py_None && !Py_IS_TYPE(given, wax_here()->store_type))
        return PyErr_Format(PyExc_TypeError, "store must be a wasmartifact.Store, found an object of %R",
                            (PyObject *)Py_TYPE(given)); /* with its module: wasmtime-py's class has the same name */
    wax_store *store = given == Py_None ? wax_store_new_implicit() : (wax_store *)Py_NewRef(given);
    if (store == NULL)
        return NULL;
    wax_store_pin(store);
    PyObject *instance = start(store, link, owner);
    wax_store_unpin(store);
    Py_DECREF(store);
    return instance;
}

/* instantiate(Artifact, its NativeArtifact, imports, store) -> Instance */
static PyObject *instantiate(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    wax_linked *linked = wax_check_count("instantiate", count, 4) ? new_linked(args[0], args[1], args[2]) : NULL;
    PyObject *instance = linked == NULL ? NULL : wax_instantiate_link(&linked->link, args[3], NULL);
    Py_XDECREF(linked);
    return instance;
}

/* link(Artifact, its NativeArtifact, imports) -> Linked */
static PyObject *link_artifact(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    return wax_check_count("link", count, 3) ? (PyObject *)new_linked(args[0], args[1], args[2]) : NULL;
}

PyMethodDef wax_link_functions[] = {
    {"instantiate", WAX_FASTCALL(instantiate), METH_FASTCALL, WAX_DOC_instantiate},
    {"link", WAX_FASTCALL(link_artifact), METH_FASTCALL, WAX_DOC_link},
    {NULL, NULL, 0, NULL},
};

/* ---- the type ------------------------------------------------------------------------------------------------------- */

static PyObject *linked_new(PyTypeObject *class, PyObject *args, PyObject *kwargs)
{
    (void)class;
    (void)args;
    (void)kwargs;
    PyErr_SetString(PyExc_TypeError, "a Linked comes from artifact.link(imports)");
    return NULL;
}

static PyObject *linked_instantiate(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"store", NULL};
    PyObject *store = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$O:instantiate", names, &store))
        return NULL;
    return wax_instantiate_link(&((wax_linked *)object)->link, store, NULL);
}

static PyObject *linked_repr(PyObject *object)
{
    return PyUnicode_FromFormat("<Linked %R>", ((wax_linked *)object)->link.face);
}

static int linked_traverse(PyObject *object, visitproc visit, void *arg)
{
    wax_linked *linked = (wax_linked *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(linked->link.face);
    Py_VISIT(linked->link.objects);
    return 0;
}

/* No tp_clear: every cycle runs through a Func or a Store, which break it. */

static void linked_dealloc(PyObject *object)
{
    wax_linked *linked = (wax_linked *)object;
    PyTypeObject *class = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    if (linked->weakrefs != NULL)
        PyObject_ClearWeakRefs(object);
    Py_XDECREF(linked->link.objects);
    PyMem_Free(linked->link.externs);
    Py_XDECREF(linked->link.face);
    Py_XDECREF(linked->link.artifact);
    class->tp_free(object);
    Py_DECREF(class);
}

static PyMethodDef linked_methods[] = {
    {"instantiate", (PyCFunction)(void (*)(void))linked_instantiate, METH_VARARGS | METH_KEYWORDS,
     WAX_DOC_Linked_instantiate},
    WAX_NOT_PICKLED,
    {NULL, NULL, 0, NULL},
};

static PyMemberDef linked_members[] = {
    {"artifact", T_OBJECT_EX, offsetof(wax_linked, link.face), READONLY, WAX_DOC_Linked_artifact},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(wax_linked, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot linked_slots[] = {
    {Py_tp_doc, WAX_DOC_Linked},
    {Py_tp_new, linked_new},
    {Py_tp_dealloc, linked_dealloc},
    {Py_tp_traverse, linked_traverse},
    {Py_tp_methods, linked_methods},
    {Py_tp_members, linked_members},
    {Py_tp_repr, linked_repr},
    {0, NULL},
};

PyType_Spec wax_linked_spec = {
    .name = "wasmartifact.Linked",
    .basicsize = sizeof(wax_linked),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = linked_slots,
};
