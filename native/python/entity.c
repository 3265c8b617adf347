/* Entity: base of the Python classes of memories, tables, globals, tags and instances; reading and writing tables and
 * globals. One native object has one Python object at a time, so that identity in Python is identity in the guest. */
#include "docs.h"
#include "types.h"

/* state->known is {native address: weak reference to its entity}. An entity takes its entry out when it goes. */

/* ---- from native objects to Python objects ---------------------------------------------------------------------------- */

static PyTypeObject *class_of(uint32_t kind)
{
    switch (kind) {
    case WA_KIND_MEMORY:
        return wax_here()->memory_type;
    case WA_KIND_TABLE:
        return (PyTypeObject *)wax_help(WAX_TABLE_CLASS);
    case WA_KIND_GLOBAL:
        return (PyTypeObject *)wax_help(WAX_GLOBAL_CLASS);
    case WA_KIND_TAG:
        return (PyTypeObject *)wax_help(WAX_TAG_CLASS);
    case WAX_KIND_INSTANCE:
        return wax_here()->instance_type;
    default:
        PyErr_Format(PyExc_SystemError, "no class for a native object of kind %u", kind);
        return NULL;
    }
}

/* The entity of this address, or NULL: a new reference; check PyErr_Occurred. */
static PyObject *find_known(const void *native)
{
    PyObject *address = PyLong_FromVoidPtr((void *)(uintptr_t)native);
    PyObject *reference = address == NULL ? NULL : PyDict_GetItemWithError(wax_here()->known, address);
    PyObject *entity = reference == NULL ? NULL : wax_referent(reference);
    Py_XDECREF(address);
    return entity;
}

int wax_entity_bind(wax_entity *entity, uint32_t kind, void *native, wax_store *store)
{
    entity->kind = kind;
    entity->native = native;
    entity->store = (wax_store *)Py_XNewRef(store);
    PyObject *address = PyLong_FromVoidPtr(native);
    PyObject *reference = address == NULL ? NULL : PyWeakref_NewRef((PyObject *)entity, NULL);
    int failed = reference == NULL ? -1 : PyDict_SetItem(wax_here()->known, address, reference);
    Py_XDECREF(address);
    Py_XDECREF(reference);
    return failed;
}

PyObject *wax_entity_wrap(uint32_t kind, void *native, wax_store *store)
{
    PyObject *entity = find_known(native);
    if (entity != NULL || PyErr_Occurred())
        return entity;
    PyTypeObject *class = class_of(kind);
    entity = class == NULL ? NULL : class->tp_alloc(class, 0);
    if (entity == NULL)
        return NULL;
    wa_extern_retain(kind, native);
    if (wax_entity_bind((wax_entity *)entity, kind, native, store) < 0)
        Py_CLEAR(entity);
    return entity;
}

/* ---- stores of entities ----------------------------------------------------------------------------------------------- */

/* What the host made belongs to the store, unless it belongs to one by now. 0, or -1 with an exception set. */
static int adopt(wax_store *store, wax_entity *entity)
{
    const wa_extern object = {.kind = entity->kind, .object = entity->native};
    wa_error error;
    if (wax_store_enter(store) < 0) /* may wait for a thread that needs the same object */
        return -1;
    int failed = entity->store == NULL ? wa_store_adopt(store->native, &object, &error) : 0;
    if (!failed && entity->store == NULL)
        entity->store = (wax_store *)Py_NewRef(store);
    wa_store_leave(store->native);
    if (failed)
        wax_raise_error(&error, NULL);
    return failed;
}

/* A shared memory belongs to no store, but counts in one. Likewise. */
static int admit(wax_store *store, const wax_entity *entity)
{
    const wa_extern object = {.kind = entity->kind, .object = entity->native};
    wa_error error;
    if (wa_store_admit(store->native, &object, &error) == 0)
        return 0;
    wax_raise_error(&error, NULL);
    return -1;
}

static wax_store *entity_store(wax_entity *entity)
{
    if (entity->store == NULL) {
        wax_store *store = wax_store_new_implicit();
        if (store != NULL)
            adopt(store, entity);
        Py_XDECREF(store);
    }
    return entity->store;
}

static bool is_constant_number(const wa_global *global)
{
    return !wa_global_is_mutable(global) && wax_conversion_of(wa_global_valtype(global)) <= WAX_V128;
}

int wax_entity_join(wax_entity *entity, wax_store *store)
{
    if (entity->kind == WA_KIND_TAG)
        return 0; /* has no state that could be shared */
    if (entity->kind == WA_KIND_GLOBAL && is_constant_number(entity->native))
        return 0; /* likewise */
    if (entity->kind == WA_KIND_MEMORY && (wa_memory_flags(entity->native) & WA_LIMITS_SHARED) != 0)
        return admit(store, entity); /* made to be used by several threads at a time */
    if (entity->store == NULL && adopt(store, entity) < 0)
        return -1;
    return wax_store_join(store, entity->store);
}

/* ---- tables and globals ----------------------------------------------------------------------------------------------- */

static wax_entity *checked(PyObject *object, uint32_t kind)
{
    if (!wax_is_entity(object) || ((wax_entity *)object)->kind != kind ||
        ((wax_entity *)object)->native == NULL) {
        PyErr_Format(PyExc_TypeError, "expected a native object of kind %u, found %s", kind, Py_TYPE(object)->tp_name);
        return NULL;
    }
    return (wax_entity *)object;
}

static int index_error(const wa_table *table, PyObject *index)
{
    PyErr_Format(PyExc_IndexError, "table index %.40R is out of range: the table has %llu elements", index,
                 (unsigned long long)wa_table_size(table));
    return -1;
}

/* Element index from Python. */
static int table_index(const wa_table *table, PyObject *object, uint64_t *index)
{
    int outcome = wax_to_u64(object, "the index of a table", index);
    return outcome > 0 ? index_error(table, object) : outcome;
}

static PyObject *table_get(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    wax_entity *entity = wax_check_count("table_get", count, 2) ? checked(args[0], WA_KIND_TABLE) : NULL;
    wax_store *store = entity == NULL ? NULL : entity_store(entity);
    uint64_t index, reference;
    if (store == NULL || table_index(entity->native, args[1], &index) < 0)
        return NULL;
    if (wax_store_enter(store) < 0)
        return NULL;
    wax_store_pin(store); /* before others can drop the reference */
    wa_pin(store->native);
    uint32_t problem = wa_table_get(entity->native, index, &reference);
    wa_store_leave(store->native);
    PyObject *value = NULL;
    if (problem == WA_TRAP_OUT_OF_MEMORY)
        PyErr_NoMemory();
    else if (problem != 0)
        index_error(entity->native, args[1]);
    else
        value = wax_from_slots(store, wax_conversion_of(wa_table_valtype(entity->native)), &reference);
    wa_unpin(store->native);
    wax_store_unpin(store);
    return value;
}

/* A table element as a reference. 0, or -1 with an exception set. */
static int element_reference(wax_entity *entity, PyObject *value, uint64_t *reference)
{
    uint32_t valtype = wa_table_valtype(entity->native);
    wax_conversion conversion = wax_conversion_of(valtype);
    wax_outcome outcome = wax_to_slots(entity->store, conversion, value, reference);
    if (outcome == WAX_WRONG_TYPE && wax_is_typed(conversion)) {
        bool is_function;
        outcome = wax_typed_to_slot(entity->store, value, reference, &is_function);
        if (outcome == WAX_CONVERTED && !wa_table_takes(entity->native, is_function, *reference))
            outcome = WAX_WRONG_TYPE;
    }
    if (outcome == WAX_CONVERTED)
        return 0;
    PyObject *name = outcome == WAX_RAISED ? NULL : wax_valtype_name(valtype);
    if (name != NULL)
        wax_raise_value(outcome, PyUnicode_FromString("a table element"), name, value);
    Py_XDECREF(name);
    return -1;
}

static PyObject *table_set(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    wax_entity *entity = wax_check_count("table_set", count, 3) ? checked(args[0], WA_KIND_TABLE) : NULL;
    wax_store *store = entity == NULL ? NULL : entity_store(entity);
    uint64_t index, reference;
    if (store == NULL || table_index(entity->native, args[1], &index) < 0)
        return NULL;
    wax_store_pin(store);
    int failed = element_reference(entity, args[2], &reference);
    if (!failed && (failed = wax_store_enter(store)) == 0) {
        failed = wa_table_set(entity->native, index, reference);
        wa_store_leave(store->native);
        if (failed)
            index_error(entity->native, args[1]);
    }
    wax_store_unpin(store);
    return failed ? NULL : Py_NewRef(Py_None);
}

static PyObject *table_grow(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    wax_entity *entity = wax_check_count("table_grow", count, 3) ? checked(args[0], WA_KIND_TABLE) : NULL;
    wax_store *store = entity == NULL ? NULL : entity_store(entity);
    uint64_t delta = store == NULL ? 0 : PyLong_AsUnsignedLongLong(args[1]), reference;
    if (store == NULL || PyErr_Occurred())
        return NULL;
    int64_t old = -1;
    wax_store_pin(store);
    int failed = element_reference(entity, args[2], &reference);
    if (!failed && (failed = wax_store_enter(store)) == 0) {
        old = wa_table_grow(entity->native, delta, reference);
        wa_store_leave(store->native);
    }
    wax_store_unpin(store);
    return failed ? NULL : PyLong_FromLongLong(old);
}

static PyObject *table_type(PyObject *module, PyObject *object)
{
    (void)module;
    wax_entity *entity = checked(object, WA_KIND_TABLE);
    if (entity == NULL)
        return NULL;
    const wa_table *table = entity->native;
    return Py_BuildValue("NKKk", wax_valtype_name(wa_table_valtype(table)), (unsigned long long)wa_table_size(table),
                         (unsigned long long)wa_table_max(table), (unsigned long)wa_table_flags(table));
}

static PyObject *global_get(PyObject *module, PyObject *object)
{
    (void)module;
    wax_entity *entity = checked(object, WA_KIND_GLOBAL);
    wax_store *store = entity == NULL ? NULL : entity_store(entity);
    if (store == NULL)
        return NULL;
    uint64_t cell[2];
    if (wax_store_enter(store) < 0)
        return NULL;
    wax_store_pin(store);
    memcpy(cell, wa_global_cell(entity->native), sizeof cell);
    wa_pin(store->native);
    wa_store_leave(store->native);
    PyObject *value = wax_from_slots(store, wax_conversion_of(wa_global_valtype(entity->native)), cell);
    wa_unpin(store->native);
    wax_store_unpin(store);
    return value;
}

/* Also gives a new immutable global its value, hence no test of mutability. */
static PyObject *global_set(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    wax_entity *entity = wax_check_count("global_set", count, 2) ? checked(args[0], WA_KIND_GLOBAL) : NULL;
    wax_store *store = entity == NULL ? NULL : entity_store(entity);
    if (store == NULL)
        return NULL;
    uint64_t cell[2] = {0, 0};
    uint32_t valtype = wa_global_valtype(entity->native);
    wax_store_pin(store);
    wax_conversion conversion = wax_conversion_of(valtype);
    wax_outcome outcome = wax_to_slots(store, conversion, args[1], cell);
    if (outcome == WAX_WRONG_TYPE && wax_is_typed(conversion)) {
        bool is_function;
        outcome = wax_typed_to_slot(store, args[1], cell, &is_function);
        if (outcome == WAX_CONVERTED && !wa_global_takes(entity->native, is_function, *cell))
            outcome = WAX_WRONG_TYPE;
    }
    if (outcome == WAX_CONVERTED && wax_store_enter(store) < 0)
        outcome = WAX_RAISED;
    if (outcome == WAX_CONVERTED) {
        memcpy(wa_global_cell(entity->native), cell, sizeof cell);
        wa_store_leave(store->native);
    } else if (outcome != WAX_RAISED) {
        PyObject *name = wax_valtype_name(valtype);
        if (name != NULL)
            wax_raise_value(outcome, PyUnicode_FromString("the value of a global"), name, args[1]);
        Py_XDECREF(name);
    }
    wax_store_unpin(store);
    return outcome == WAX_CONVERTED ? Py_NewRef(Py_None) : NULL;
}

static PyObject *global_type(PyObject *module, PyObject *object)
{
    (void)module;
    wax_entity *entity = checked(object, WA_KIND_GLOBAL);
    if (entity == NULL)
        return NULL;
    return Py_BuildValue("NN", wax_valtype_name(wa_global_valtype(entity->native)),
                         PyBool_FromLong(wa_global_is_mutable(entity->native)));
}

static PyObject *tag_params(PyObject *module, PyObject *object)
{
    (void)module;
    wax_entity *entity = checked(object, WA_KIND_TAG);
    if (entity == NULL)
        return NULL;
    uint32_t count;
    const uint32_t *params = wa_tag_params(entity->native, &count);
    return wax_valtype_names(params, count);
}

PyMethodDef wax_entity_functions[] = {
    {"table_get", WAX_FASTCALL(table_get), METH_FASTCALL, WAX_DOC_table_get},
    {"table_set", WAX_FASTCALL(table_set), METH_FASTCALL, WAX_DOC_table_set},
    {"table_grow", WAX_FASTCALL(table_grow), METH_FASTCALL, WAX_DOC_table_grow},
    {"table_type", table_type, METH_O, WAX_DOC_table_type},
    {"global_get", global_get, METH_O, WAX_DOC_global_get},
    {"global_set", WAX_FASTCALL(global_set), METH_FASTCALL, WAX_DOC_global_set},
    {"global_type", global_type, METH_O, WAX_DOC_global_type},
    {"tag_params", tag_params, METH_O, WAX_DOC_tag_params},
    {NULL, NULL, 0, NULL},
};

/* ---- the type ------------------------------------------------------------------------------------------------------- */

static PyObject *entity_new(PyTypeObject *class, PyObject *args, PyObject *kwargs)
{
    unsigned int kind;
    unsigned long long address;
    PyObject *store;
    if (kwargs != NULL && PyDict_GET_SIZE(kwargs) != 0) {
        PyErr_SetString(PyExc_TypeError, "Entity takes no keyword arguments");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "IKO:Entity", &kind, &address, &store))
        return NULL;
    if (store != Py_None && !wax_check_type(store, wax_here()->store_type))
        return NULL;
    PyObject *entity = class->tp_alloc(class, 0);
    if (entity != NULL && wax_entity_bind((wax_entity *)entity, kind, (void *)(uintptr_t)address,
                                          store == Py_None ? NULL : (wax_store *)store) < 0)
        Py_CLEAR(entity);
    return entity;
}

static int entity_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((wax_entity *)object)->store);
    return 0;
}

/* No tp_clear: an entity refers to its store only, whose containers break every cycle. */

static void forget_known(PyObject *known, const void *native)
{
    PyObject *error_type, *error, *traceback;
    PyErr_Fetch(&error_type, &error, &traceback);
    PyObject *address = PyLong_FromVoidPtr((void *)(uintptr_t)native);
    PyObject *reference = address == NULL ? NULL : PyDict_GetItemWithError(known, address);
    /* The entry may be of a successor already: weak references die before their object. */
    PyObject *successor = reference == NULL ? NULL : wax_referent(reference);
    if (reference != NULL && successor == NULL)
        PyDict_DelItem(known, address);
    Py_XDECREF(successor);
    Py_XDECREF(address);
    PyErr_Restore(error_type, error, traceback);
}

void wax_entity_dealloc(PyObject *object)
{
    wax_entity *entity = (wax_entity *)object;
    PyTypeObject *class = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    if (entity->weakrefs != NULL)
        PyObject_ClearWeakRefs(object);
    if (entity->native != NULL) {
        wax_state *state = wax_here();
        if (state != NULL)
            forget_known(state->known, entity->native);
        wa_extern_release(entity->kind, entity->native);
    }
    Py_XDECREF(entity->store);
    class->tp_free(object);
    Py_DECREF(class);
}

static PyObject *entity_get_store(PyObject *object, void *closure)
{
    (void)closure;
    return Py_XNewRef((PyObject *)entity_store((wax_entity *)object));
}

static PyMethodDef entity_methods[] = {
    WAX_NOT_PICKLED,
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef entity_getset[] = {
    {"store", entity_get_store, NULL, WAX_DOC_Entity_store, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef entity_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(wax_entity, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot entity_slots[] = {
    {Py_tp_doc, WAX_DOC_Entity},
    {Py_tp_new, entity_new},
    {Py_tp_dealloc, wax_entity_dealloc},
    {Py_tp_traverse, entity_traverse},
    {Py_tp_getattro, wax_getattr},
    {Py_tp_methods, entity_methods},
    {Py_tp_getset, entity_getset},
    {Py_tp_members, entity_members},
    {0, NULL},
};

PyType_Spec wax_entity_spec = {
    .name = "wasmartifact._types.Entity",
    .basicsize = sizeof(wax_entity),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = entity_slots,
};
