/* What all files of the extension stand on: the state of an interpreter, the parts of Python that the types call for, errors. */
#include "types.h"

/* ---- the state -------------------------------------------------------------------------------------------------------- */

/* Of all interpreters that have the module, newest first; they share one GIL. */
static wax_state *states;

wax_state *wax_here(void)
{
    PyInterpreterState *interpreter = PyInterpreterState_Get();
    wax_state *state = states;
    while (state != NULL && state->interpreter != interpreter)
        state = state->next;
    return state;
}

void wax_state_begin(wax_state *state)
{
    state->interpreter = PyInterpreterState_Get();
    state->next = states;
    states = state;
}

int wax_state_traverse(wax_state *state, visitproc visit, void *arg)
{
    Py_VISIT(state->artifact_type);
    Py_VISIT(state->signature_type);
    Py_VISIT(state->func_type);
    Py_VISIT(state->store_type);
    Py_VISIT(state->entity_type);
    Py_VISIT(state->memory_type);
    Py_VISIT(state->instance_type);
    Py_VISIT(state->exports_type);
    Py_VISIT(state->linked_type);
    Py_VISIT(state->wasi_type);
    Py_VISIT(state->component_type);
    Py_VISIT(state->component_instance_type);
    Py_VISIT(state->component_func_type);
    Py_VISIT(state->resource_type);
    Py_VISIT(state->deadline_type);
    Py_VISIT(state->ticket_type);
    for (size_t i = 0; i < WAX_HELPER_COUNT; i++)
        Py_VISIT(state->helpers[i]);
    Py_VISIT(state->known);
    Py_VISIT(state->interned);
    return 0;
}

void wax_state_end(wax_state *state)
{
    for (wax_state **link = &states; *link != NULL; link = &(*link)->next) {
        if (*link == state) {
            *link = state->next;
            break;
        }
    }
    while (state->handle_owners != NULL) { /* those that outlive the state are in no list */
        wax_store *store = state->handle_owners;
        state->handle_owners = store->next;
        store->previous = store->next = NULL;
    }
    state->latest = NULL;
    Py_CLEAR(state->artifact_type);
    Py_CLEAR(state->signature_type);
    Py_CLEAR(state->func_type);
    Py_CLEAR(state->store_type);
    Py_CLEAR(state->entity_type);
    Py_CLEAR(state->memory_type);
    Py_CLEAR(state->instance_type);
    Py_CLEAR(state->exports_type);
    Py_CLEAR(state->linked_type);
    Py_CLEAR(state->wasi_type);
    if (state->spare_deadline != NULL)
        PyObject_GC_Del(state->spare_deadline);
    state->spare_deadline = NULL;
    Py_CLEAR(state->component_type);
    Py_CLEAR(state->component_instance_type);
    Py_CLEAR(state->component_func_type);
    Py_CLEAR(state->resource_type);
    Py_CLEAR(state->deadline_type);
    Py_CLEAR(state->ticket_type);
    for (size_t i = 0; i < WAX_HELPER_COUNT; i++)
        Py_CLEAR(state->helpers[i]);
    Py_CLEAR(state->known);
    Py_CLEAR(state->interned);
    Py_CLEAR(state->type_names);
}

/* ---- parts of Python -------------------------------------------------------------------------------------------------- */

/* Imported when first needed: a program that never traps never imports what describes a trap. */
static const struct {
    const char *module, *attribute;
} helper_places[WAX_HELPER_COUNT] = {
    [WAX_MAKE_TRAP] = {"wasmartifact.runtime.traps", "make_trap"},
    [WAX_MAKE_ERROR] = {"wasmartifact.runtime.native_errors", "make_native_error"},
    [WAX_WITH_PATH] = {"wasmartifact.errors", "with_path"},
    [WAX_JOIN_ERROR] = {"wasmartifact.runtime.native_errors", "make_join_error"},
    [WAX_VALTYPE_NAME] = {"wasmartifact.externtypes", "valtype_name"},
    [WAX_VALTYPE_CODE] = {"wasmartifact.externtypes", "valtype_from_name"},
    [WAX_TYPE_DIGEST] = {"wasmartifact.wasm.types", "func_type_digest"},
    [WAX_FUNC_TYPE] = {"wasmartifact.externtypes", "FuncType"},
    [WAX_MEMORY_TYPE] = {"wasmartifact.externtypes", "MemoryType"},
    [WAX_TABLE_CLASS] = {"wasmartifact.runtime.entities", "Table"},
    [WAX_GLOBAL_CLASS] = {"wasmartifact.runtime.entities", "Global"},
    [WAX_TAG_CLASS] = {"wasmartifact.runtime.entities", "Tag"},
    [WAX_KEYS_VIEW] = {"collections.abc", "KeysView"},
    [WAX_VALUES_VIEW] = {"collections.abc", "ValuesView"},
    [WAX_ITEMS_VIEW] = {"collections.abc", "ItemsView"},
    [WAX_MAKE_IMPORT] = {"wasmartifact.runtime.linking", "make_import"},
    [WAX_UNKNOWN_IMPORT] = {"wasmartifact.runtime.linking", "unknown_import"},
    [WAX_WRONG_IMPORTS] = {"wasmartifact.runtime.linking", "wrong_imports"},
    [WAX_LIMITS_CLASS] = {"wasmartifact.limits", "Limits"},
    [WAX_LINK_ERROR] = {"wasmartifact.runtime.linking", "link_error"},
    [WAX_GC_CALLBACKS] = {"gc", "callbacks"},
    [WAX_GETSIGNAL] = {"_signal", "getsignal"},
    [WAX_MAKE_EXIT] = {"wasmartifact.runtime.native_errors", "make_exit"},
    [WAX_PRINTABLE] = {"wasmartifact.errors", "printable"},
    [WAX_UNPICKLABLE] = {"wasmartifact.hints", "unpicklable"},
    [WAX_ABSENT] = {"wasmartifact.hints", "absent_attribute"},
    [WAX_WASM_EXCEPTION] = {"wasmartifact.errors", "WasmException"},
    [WAX_CALL_ASYNC] = {"wasmartifact.runtime.asynchronous", "call_async"},
    [WAX_AWAIT_HOST] = {"wasmartifact.runtime.asynchronous", "await_host"},
    [WAX_COMPONENT_WRAPPERS] = {"wasmartifact.runtime.component_types", "WRAPPERS"},
    [WAX_MAKE_FACE] = {"wasmartifact.runtime.component_types", "make_face"},
    [WAX_RESOURCE_CLASS] = {"wasmartifact.runtime.component", "make_resource_class"},
    [WAX_DEFAULT_INT_HANDLER] = {"_signal", "default_int_handler"},
};

/* CPython's parser may lose a MemoryError on its way, and tell what its tree lacks (ValueError), or nothing (SystemError): where
 * no bytecode is kept, importing parses. No module of ours raises either while it is imported. */
static PyObject *import_module(const char *name)
{
    PyObject *module = PyImport_ImportModule(name);
    if (module == NULL && (PyErr_ExceptionMatches(PyExc_ValueError) || PyErr_ExceptionMatches(PyExc_SystemError)))
        PyErr_NoMemory();
    return module;
}

PyObject *wax_help(wax_helper helper)
{
    wax_state *state = wax_here();
    if (state == NULL) {
        PyErr_SetString(PyExc_SystemError, "this interpreter is ending");
        return NULL;
    }
    if (state->helpers[helper] == NULL) {
        PyObject *module = import_module(helper_places[helper].module);
        PyObject *found = module == NULL ? NULL : PyObject_GetAttrString(module, helper_places[helper].attribute);
        Py_XDECREF(module);
        Py_XSETREF(state->helpers[helper], found); /* the import may have run code that needed it too */
    }
    return state->helpers[helper];
}

PyObject *wax_call_helper(wax_helper helper, PyObject *first, PyObject *second, PyObject *third)
{
    PyObject *function = wax_help(helper);
    return function == NULL ? NULL : PyObject_CallFunctionObjArgs(function, first, second, third, NULL);
}

PyObject *wax_getattr(PyObject *object, PyObject *name)
{
    PyObject *found = PyObject_GenericGetAttr(object, name);
    if (found != NULL || !PyErr_ExceptionMatches(PyExc_AttributeError))
        return found;
    /* Names with an underscore in front are asked for by those who look at every object. */
    if (PyUnicode_GET_LENGTH(name) == 0 || PyUnicode_READ_CHAR(name, 0) == '_')
        return NULL;
    PyObject *type, *raised, *traceback;
    PyErr_Fetch(&type, &raised, &traceback);
    PyObject *explained = wax_call_helper(WAX_ABSENT, object, name, NULL);
    if (explained == NULL || explained == Py_None) {
        Py_XDECREF(explained);
        PyErr_Restore(type, raised, traceback); /* in the place of what the helper may have raised */
        return NULL;
    }
    Py_XDECREF(type);
    Py_XDECREF(raised);
    Py_XDECREF(traceback);
    wax_raise_object(explained);
    return NULL;
}

PyObject *wax_refuse_pickle(PyObject *object, PyObject *unused)
{
    (void)unused;
    wax_raise_object(wax_call_helper(WAX_UNPICKLABLE, object, NULL, NULL));
    return NULL;
}

/* ---- objects of types that are made late ------------------------------------------------------------------------------ */

PyObject *wax_new_object(PyTypeObject **type, PyType_Spec *spec)
{
    if (*type == NULL)
        *type = (PyTypeObject *)PyType_FromSpec(spec);
    return *type == NULL ? NULL : PyType_GenericAlloc(*type, 0);
}

void wax_free_object(PyObject *object)
{
    PyTypeObject *class = Py_TYPE(object);
    class->tp_free(object);
    Py_DECREF(class);
}

/* ---- errors ------------------------------------------------------------------------------------------------------------- */

void wax_raise_object(PyObject *exception)
{
    if (exception != NULL)
        PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    Py_XDECREF(exception);
}

PyObject *wax_error_facts(const wa_error *error)
{
    return Py_BuildValue("kiKKKs", (unsigned long)error->code, error->system_errno, (unsigned long long)error->where,
                         (unsigned long long)error->found, (unsigned long long)error->expected, error->text);
}

void wax_raise_error(const wa_error *error, PyObject *path)
{
    PyObject *helper = wax_help(WAX_MAKE_ERROR);
    PyObject *facts = helper == NULL ? NULL : wax_error_facts(error);
    PyObject *names = facts == NULL ? NULL : path == NULL ? PyDict_New() : Py_BuildValue("{sO}", "path", path);
    wax_raise_object(names == NULL ? NULL : PyObject_Call(helper, facts, names));
    Py_XDECREF(facts);
    Py_XDECREF(names);
}

void wax_name_file(PyObject *path)
{
    PyObject *type, *raised, *traceback;
    PyErr_Fetch(&type, &raised, &traceback);
    PyErr_NormalizeException(&type, &raised, &traceback);
    PyObject *named = path == NULL || path == Py_None ? Py_NewRef(raised) : wax_call_helper(WAX_WITH_PATH, raised, path, NULL);
    wax_raise_object(named); /* or the exception of the helper */
    Py_XDECREF(type);
    Py_XDECREF(raised);
    Py_XDECREF(traceback);
}

int wax_to_u64(PyObject *object, const char *name, uint64_t *number)
{
    if (!PyIndex_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s must be an int, found %.100s", name, Py_TYPE(object)->tp_name);
        return -1;
    }
    PyObject *index = PyNumber_Index(object);
    if (index == NULL)
        return -1;
    *number = PyLong_AsUnsignedLongLong(index);
    Py_DECREF(index);
    if (!PyErr_Occurred())
        return 0;
    PyErr_Clear();
    return 1;
}

bool wax_check_count(const char *name, Py_ssize_t found, Py_ssize_t expected)
{
    if (found != expected)
        PyErr_Format(PyExc_TypeError, "%s() takes %zd arguments, found %zd", name, expected, found);
    return found == expected;
}

bool wax_check_type(PyObject *object, PyTypeObject *type)
{
    if (PyObject_TypeCheck(object, type))
        return true;
    PyErr_Format(PyExc_TypeError, "expected %s, found %s", type->tp_name, Py_TYPE(object)->tp_name);
    return false;
}
