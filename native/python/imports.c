/* Imports: what an artifact asks for, found in what the user gave and turned into native objects; once for any number of
 * instances. */
#include "types.h"

PyTypeObject *wax_imports_type;

/* Fields of a row of Artifact.import_rows. */
enum { ROW_MODULE, ROW_NAME, ROW_KIND, ROW_TYPE, ROW_LABEL, ROW_FIELDS };

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

/* What stands for a module: an instance's exports stand for the instance. */
static PyObject *find_namespace(PyObject *imports, PyObject *module)
{
    PyObject *found = look_up(imports, module);
    if (found != NULL && PyObject_TypeCheck(found, wax_entity_type) && ((wax_entity *)found)->kind == WAX_KIND_INSTANCE)
        Py_SETREF(found, PyObject_GetAttrString(found, "exports"));
    return found;
}

static PyObject *call_helper(wax_helper helper, PyObject *first, PyObject *second)
{
    PyObject *function = wax_help(helper);
    return function == NULL ? NULL : PyObject_CallFunctionObjArgs(function, first, second, NULL);
}

/* A Func or Entity for a value; steals the value. */
static PyObject *as_import(PyObject *row, PyObject *value)
{
    if (value == NULL || Py_IS_TYPE(value, wax_func_type) || PyObject_TypeCheck(value, wax_entity_type))
        return value;
    PyObject *type = PyTuple_GET_ITEM(row, ROW_TYPE), *made;
    if (Py_IS_TYPE(type, wax_functype_type) && PyCallable_Check(value))
        made = wax_func_new_host(value, (wax_functype *)type, PyTuple_GET_ITEM(row, ROW_LABEL));
    else
        made = call_helper(WAX_MAKE_IMPORT, row, value);
    Py_DECREF(value);
    return made;
}

/* One import as the native side links it. */
static int describe(PyObject *object, wa_extern *result)
{
    if (Py_IS_TYPE(object, wax_func_type)) {
        *result = (wa_extern){.kind = WA_KIND_FUNC, .object = ((wax_func *)object)->record};
        return 0;
    }
    if (!PyObject_TypeCheck(object, wax_entity_type) || ((wax_entity *)object)->kind > WA_KIND_TAG) {
        PyErr_Format(PyExc_TypeError, "a %s can't be imported", Py_TYPE(object)->tp_name);
        return -1;
    }
    wax_entity *entity = (wax_entity *)object;
    *result = (wa_extern){.kind = entity->kind, .object = entity->native};
    return 0;
}

/* The object of one row: a new reference. namespace: of its module; NULL where there is none, or with an exception set. */
static PyObject *find_import(wax_imports *self, Py_ssize_t index, PyObject *row, PyObject *namespace)
{
    PyObject *value = namespace == NULL ? NULL : look_up(namespace, PyTuple_GET_ITEM(row, ROW_NAME));
    if (value != NULL || PyErr_Occurred())
        return as_import(row, value);
    PyObject *number = PyLong_FromSsize_t(index);
    Py_XDECREF(number == NULL ? NULL : call_helper(WAX_UNKNOWN_IMPORT, self->artifact, number)); /* raises */
    Py_XDECREF(number);
    return NULL;
}

static int resolve(wax_imports *self, PyObject *rows, PyObject *imports)
{
    PyObject *module = NULL, *namespace = NULL; /* imports of one module come in a row */
    int failed = 0;
    for (Py_ssize_t i = 0; !failed && i < PyTuple_GET_SIZE(rows); i++) {
        PyObject *row = PyTuple_GET_ITEM(rows, i);
        if (PyTuple_GET_ITEM(row, ROW_MODULE) != module) {
            module = PyTuple_GET_ITEM(row, ROW_MODULE);
            Py_XSETREF(namespace, find_namespace(imports, module));
        }
        PyObject *object = find_import(self, i, row, namespace);
        if (object != NULL)
            PyTuple_SET_ITEM(self->objects, i, object);
        failed = object == NULL ? -1 : describe(object, &self->externs[i]);
    }
    Py_XDECREF(namespace);
    return failed;
}

static bool check_rows(PyObject *rows)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(rows); i++) {
        PyObject *row = PyTuple_GET_ITEM(rows, i);
        if (!PyTuple_CheckExact(row) || PyTuple_GET_SIZE(row) != ROW_FIELDS) {
            PyErr_Format(PyExc_TypeError, "row %zd is no tuple of %d", i, ROW_FIELDS);
            return false;
        }
    }
    return true;
}

static PyObject *imports_new(PyTypeObject *class, PyObject *args, PyObject *kwargs)
{
    PyObject *artifact, *rows, *imports;
    unsigned long long address;
    if (kwargs != NULL && PyDict_GET_SIZE(kwargs) != 0) {
        PyErr_SetString(PyExc_TypeError, "Imports takes no keyword arguments");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "OKO!O:Imports", &artifact, &address, &PyTuple_Type, &rows, &imports) || !check_rows(rows))
        return NULL;
    wax_imports *self = (wax_imports *)class->tp_alloc(class, 0);
    if (self == NULL)
        return NULL;
    self->artifact = Py_NewRef(artifact);
    self->native = (wa_artifact *)(uintptr_t)address;
    self->objects = PyTuple_New(PyTuple_GET_SIZE(rows));
    self->externs = PyMem_Calloc((size_t)PyTuple_GET_SIZE(rows) + 1, sizeof *self->externs);
    if (self->objects != NULL && self->externs == NULL)
        PyErr_NoMemory();
    if (self->objects == NULL || self->externs == NULL || resolve(self, rows, imports) < 0)
        Py_CLEAR(self);
    return (PyObject *)self;
}

/* ---- the type ------------------------------------------------------------------------------------------------------- */

static int imports_traverse(PyObject *object, visitproc visit, void *arg)
{
    wax_imports *self = (wax_imports *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->artifact);
    Py_VISIT(self->objects);
    return 0;
}

/* No tp_clear: every cycle runs through a Func or a Store, which break it. */

static void imports_dealloc(PyObject *object)
{
    wax_imports *self = (wax_imports *)object;
    PyTypeObject *class = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    if (self->weakrefs != NULL)
        PyObject_ClearWeakRefs(object);
    Py_XDECREF(self->objects);
    PyMem_Free(self->externs);
    Py_XDECREF(self->artifact);
    class->tp_free(object);
    Py_DECREF(class);
}

static PyMemberDef imports_members[] = {
    {"artifact", T_OBJECT_EX, offsetof(wax_imports, artifact), READONLY, "the Artifact that asks for them"},
    {"objects", T_OBJECT_EX, offsetof(wax_imports, objects), READONLY, "a Func or Entity for each import, in order"},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(wax_imports, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot imports_slots[] = {
    {Py_tp_doc, "Imports(artifact, address, rows, imports)\n--\n\nBase of Linked: the objects that an artifact's imports stand for."},
    {Py_tp_new, imports_new},
    {Py_tp_dealloc, imports_dealloc},
    {Py_tp_traverse, imports_traverse},
    {Py_tp_members, imports_members},
    {0, NULL},
};

static PyType_Spec imports_spec = {
    .name = "wasmartifact._types.Imports",
    .basicsize = sizeof(wax_imports),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = imports_slots,
};

int wax_imports_ready(PyObject *module)
{
    wax_imports_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &imports_spec, NULL);
    if (wax_imports_type == NULL)
        return -1;
    return PyModule_AddObjectRef(module, "Imports", (PyObject *)wax_imports_type);
}
