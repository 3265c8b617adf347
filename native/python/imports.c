/* Imports: what an artifact asks for, found in what the user gave and turned into native objects; once for any number of
 * instances. */
#include "types.h"

/* Fields of what wax_import_rows says of an import. */
enum { ROW_MODULE, ROW_NAME, ROW_KIND, ROW_TYPE, ROW_LABEL };

/* What is asked for and what was given, while it is resolved; all borrowed but the results. */
typedef struct resolution {
    PyObject *artifact; /* wasmartifact.Artifact */
    PyObject *rows;
    PyObject *imports;
    PyObject *objects;  /* result */
    wa_extern *externs; /* result */
} resolution;

/* The value of a key: a new reference. NULL without an exception where there is none. */
static PyObject *look_up(PyObject *mapping, PyObject *key)
{
    if (PyDict_CheckExact(mapping))
        return Py_XNewRef(PyDict_GetItemWithError(mapping, key));
    PyObject *value = PyObject_GetItem(mapping, key);
    if (value == NULL && PyErr_ExceptionMatches(PyExc_KeyError))
        PyErr_Clear();
    return value;
}

/* Whether names can be looked up in it; texts and lists can be subscripted, too, but not by names. */
static bool has_names(PyObject *object)
{
    return PyDict_Check(object) || (PyMapping_Check(object) && !PyUnicode_Check(object) && !PyBytes_Check(object) &&
                                    !PyList_Check(object) && !PyTuple_Check(object) && !wax_is_entity(object));
}

/* Steals the object: it, or NULL with an exception set where it is no mapping. module: what it is given for, NULL: all. */
static PyObject *as_mapping(const resolution *request, PyObject *module, PyObject *object)
{
    if (object != NULL && !has_names(object)) {
        wax_raise_object(wax_call_helper(WAX_WRONG_IMPORTS, request->artifact, module == NULL ? Py_None : module, object));
        Py_CLEAR(object);
    }
    return object;
}

/* What stands for a module: an instance's exports stand for the instance. */
static PyObject *find_namespace(const resolution *request, PyObject *module)
{
    PyObject *found = look_up(request->imports, module);
    if (found != NULL && Py_IS_TYPE(found, wax_here()->instance_type))
        Py_SETREF(found, PyObject_GetAttrString(found, "exports"));
    return as_mapping(request, module, found);
}

/* Call a helper about an import. */
static PyObject *help_with(wax_helper helper, const resolution *request, Py_ssize_t index, PyObject *value)
{
    PyObject *number = PyLong_FromSsize_t(index);
    PyObject *result = number == NULL ? NULL : wax_call_helper(helper, request->artifact, number, value);
    Py_XDECREF(number);
    return result;
}

/* Whether an import is an immutable global, which any value can be given for: a Func or a Memory, too, as a reference. */
static bool takes_values(PyObject *row)
{
    PyObject *type = PyTuple_GET_ITEM(row, ROW_TYPE);
    return PyTuple_Check(type) && PyTuple_GET_ITEM(type, 1) == Py_False;
}

/* A Func or Entity for a value; steals the value. */
static PyObject *as_import(const resolution *request, Py_ssize_t index, PyObject *value)
{
    PyObject *row = PyTuple_GET_ITEM(request->rows, index), *type = PyTuple_GET_ITEM(row, ROW_TYPE), *made;
    uint32_t kind = wax_is_func(value) ? WA_KIND_FUNC : wax_is_entity(value) ? ((wax_entity *)value)->kind : WA_KIND_TAG + 1;
    if (kind == WA_KIND_GLOBAL || (kind <= WA_KIND_TAG && !takes_values(row)))
        return value;
    if (Py_IS_TYPE(type, wax_here()->signature_type) && PyCallable_Check(value))
        made = wax_func_new_host(value, (wax_signature *)type, PyTuple_GET_ITEM(row, ROW_LABEL));
    else
        made = help_with(WAX_MAKE_IMPORT, request, index, value);
    Py_DECREF(value);
    return made;
}

/* One import as the native side links it. */
static wa_extern describe(PyObject *object)
{
    if (wax_is_func(object))
        return (wa_extern){.kind = WA_KIND_FUNC, .object = ((wax_func *)object)->record};
    return (wa_extern){.kind = ((wax_entity *)object)->kind, .object = ((wax_entity *)object)->native};
}

/* The object of one import: a new reference. namespace: of its module; NULL where there is none, or with an exception set. */
static PyObject *find_import(const resolution *request, Py_ssize_t index, PyObject *namespace)
{
    PyObject *name = PyTuple_GET_ITEM(PyTuple_GET_ITEM(request->rows, index), ROW_NAME);
    PyObject *value = namespace == NULL ? NULL : look_up(namespace, name);
    if (value != NULL)
        return as_import(request, index, value);
    if (!PyErr_Occurred())
        wax_raise_object(help_with(WAX_UNKNOWN_IMPORT, request, index, request->imports));
    return NULL;
}

static int resolve(resolution *request)
{
    PyObject *module = NULL, *namespace = NULL; /* imports of one module come in a row */
    int failed = 0;
    for (Py_ssize_t i = 0; !failed && i < PyTuple_GET_SIZE(request->rows); i++) {
        PyObject *wanted = PyTuple_GET_ITEM(PyTuple_GET_ITEM(request->rows, i), ROW_MODULE);
        if (wanted != module) {
            module = wanted;
            Py_XSETREF(namespace, find_namespace(request, module));
        }
        PyObject *object = find_import(request, i, namespace);
        if (object != NULL) {
            PyTuple_SET_ITEM(request->objects, i, object);
            request->externs[i] = describe(object);
        }
        failed = object == NULL ? -1 : 0;
    }
    Py_XDECREF(namespace);
    return failed;
}

int wax_resolve_imports(PyObject *face, wax_artifact *artifact, PyObject *imports, PyObject **objects, wa_extern **externs)
{
    PyObject *rows = wax_artifact_imports(artifact);
    PyObject *given = rows == NULL ? NULL : imports == Py_None ? PyDict_New() : Py_NewRef(imports);
    resolution request = {.artifact = face, .rows = rows};
    request.imports = given = as_mapping(&request, NULL, given);
    if (given == NULL)
        return -1;
    request.objects = PyTuple_New(PyTuple_GET_SIZE(rows));
    request.externs = PyMem_Calloc((size_t)PyTuple_GET_SIZE(rows) + 1, sizeof *request.externs);
    if (request.objects != NULL && request.externs == NULL)
        PyErr_NoMemory();
    int failed = request.objects == NULL || request.externs == NULL ? -1 : resolve(&request);
    Py_DECREF(given);
    if (failed) {
        Py_XDECREF(request.objects);
        PyMem_Free(request.externs);
        return -1;
    }
    *objects = request.objects;
    *externs = request.externs;
    return 0;
}
