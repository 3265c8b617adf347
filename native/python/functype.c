/* FuncType: the parameter and result types of a function, with what converting its values needs. */
#include "types.h"

PyTypeObject *wax_functype_type;

/* {digest: address of the live FuncType of that digest, as an int}: functions of one type share one object. The
 * addresses are borrowed; a FuncType takes itself out when it goes. */
static PyObject *interned;

/* The one that was asked for last, borrowed: neighbouring exports often have the same type. */
static wax_functype *latest;

static const struct {
    uint32_t code;
    const char *name;
    wax_tag tag;
} plain_types[] = {
    {WA_VALTYPE_I32, "i32", WAX_I32},
    {WA_VALTYPE_I64, "i64", WAX_I64},
    {WA_VALTYPE_F32, "f32", WAX_F32},
    {WA_VALTYPE_F64, "f64", WAX_F64},
    {WA_VALTYPE_V128, "v128", WAX_V128},
    {WA_VALTYPE_FUNCREF, "funcref", WAX_FUNCREF},
    {WA_VALTYPE_EXTERNREF, "externref", WAX_EXTERNREF},
};
enum { PLAIN_TYPE_COUNT = sizeof plain_types / sizeof plain_types[0] };
static PyObject *plain_names[PLAIN_TYPE_COUNT];

wax_tag wax_tag_of(uint32_t valtype)
{
    for (size_t i = 0; i < PLAIN_TYPE_COUNT; i++)
        if (plain_types[i].code == valtype)
            return plain_types[i].tag;
    bool nonnull = (valtype & 0xff) == WA_VALTYPE_REF;
    if ((nonnull || (valtype & 0xff) == WA_VALTYPE_REF_NULL) && (valtype >> 8) < WA_HEAP_ABSTRACT)
        return nonnull ? WAX_TYPED_FUNCREF_NONNULL : WAX_TYPED_FUNCREF; /* structures and arrays are not compiled */
    switch (valtype >> 8) {
    case WA_HEAP_FUNC:
    case WA_HEAP_NOFUNC:
        return nonnull ? WAX_FUNCREF_NONNULL : WAX_FUNCREF;
    case WA_HEAP_EXTERN:
    case WA_HEAP_NOEXTERN:
        return nonnull ? WAX_EXTERNREF_NONNULL : WAX_EXTERNREF;
    default:
        return WAX_OPAQUE;
    }
}

PyObject *wax_valtype_name(uint32_t valtype)
{
    for (size_t i = 0; i < PLAIN_TYPE_COUNT; i++)
        if (plain_types[i].code == valtype)
            return Py_NewRef(plain_names[i]);
    PyObject *helper = wax_help(WAX_VALTYPE_NAME);
    return helper == NULL ? NULL : PyObject_CallFunction(helper, "k", (unsigned long)valtype);
}

/* Code of a type name; -1 with an exception set. */
static int valtype_code(PyObject *name, uint32_t *code)
{
    if (PyUnicode_Check(name)) {
        for (size_t i = 0; i < PLAIN_TYPE_COUNT; i++) {
            if (PyUnicode_CompareWithASCIIString(name, plain_types[i].name) == 0) {
                *code = plain_types[i].code;
                return 0;
            }
        }
    }
    PyObject *helper = wax_help(WAX_VALTYPE_CODE);
    PyObject *number = helper == NULL ? NULL : PyObject_CallOneArg(helper, name);
    if (number == NULL)
        return -1;
    *code = (uint32_t)PyLong_AsUnsignedLong(number);
    Py_DECREF(number);
    return PyErr_Occurred() ? -1 : 0;
}

PyObject *wax_valtype_names(const uint32_t *codes, uint32_t count)
{
    PyObject *names = PyTuple_New(count);
    for (uint32_t i = 0; names != NULL && i < count; i++) {
        PyObject *name = wax_valtype_name(codes[i]);
        if (name == NULL)
            Py_CLEAR(names);
        else
            PyTuple_SET_ITEM(names, i, name);
    }
    return names;
}

/* Tags and slot count; true unless a type is written with an index of its module, which other modules number otherwise. */
static bool fill_tags(wax_functype *type, const uint32_t *params, const uint32_t *results)
{
    uint32_t slots[2] = {0, 0};
    bool is_universal = true;
    for (uint32_t i = 0; i < type->param_count + type->result_count; i++) {
        bool is_param = i < type->param_count;
        uint32_t code = is_param ? params[i] : results[i - type->param_count];
        wax_tag tag = wax_tag_of(code);
        type->tags[i] = (uint8_t)tag;
        slots[is_param] += wax_slots_of(tag);
        if (tag == WAX_TYPED_FUNCREF || tag == WAX_TYPED_FUNCREF_NONNULL)
            is_universal = false;
    }
    type->slot_count = slots[0] > slots[1] ? slots[0] : slots[1];
    return is_universal;
}

static wax_functype *new_functype(const uint32_t *params, uint32_t param_count, const uint32_t *results,
                                  uint32_t result_count, PyObject *digest)
{
    wax_functype *type = PyObject_New(wax_functype, wax_functype_type);
    if (type == NULL)
        return NULL;
    type->is_interned = false;
    type->param_count = param_count;
    type->result_count = result_count;
    memcpy(type->digest, PyBytes_AS_STRING(digest), sizeof type->digest);
    type->params = wax_valtype_names(params, param_count);
    type->results = type->params == NULL ? NULL : wax_valtype_names(results, result_count);
    type->tags = PyMem_Malloc((size_t)param_count + result_count + 1);
    if (type->results == NULL || type->tags == NULL) {
        if (!PyErr_Occurred())
            PyErr_NoMemory();
        Py_DECREF(type);
        return NULL;
    }
    if (!fill_tags(type, params, results))
        return type;
    PyObject *address = PyLong_FromVoidPtr(type);
    PyObject *first = address == NULL ? NULL : PyDict_SetDefault(interned, digest, address);
    /* Naming the values may have run code that made the same type: the first one counts. */
    wax_functype *known = first == NULL ? NULL : (wax_functype *)Py_NewRef(PyLong_AsVoidPtr(first));
    type->is_interned = known == type;
    Py_XDECREF(address);
    Py_DECREF(type);
    return known;
}

wax_functype *wax_functype_from_codes(const uint32_t *params, uint32_t param_count, const uint32_t *results,
                                      uint32_t result_count, const uint8_t *digest)
{
    if (latest != NULL && memcmp(latest->digest, digest, sizeof latest->digest) == 0)
        return (wax_functype *)Py_NewRef(latest);
    PyObject *key = PyBytes_FromStringAndSize((const char *)digest, 16);
    if (key == NULL)
        return NULL;
    PyObject *address = PyDict_GetItemWithError(interned, key);
    wax_functype *type = NULL;
    if (address != NULL)
        type = (wax_functype *)Py_NewRef(PyLong_AsVoidPtr(address));
    else if (!PyErr_Occurred())
        type = new_functype(params, param_count, results, result_count, key);
    Py_DECREF(key);
    if (type != NULL && type->is_interned)
        latest = type;
    return type;
}

/* Codes of a sequence of names, in memory to be freed with PyMem_Free; NULL with an exception set. */
static uint32_t *codes_of(PyObject *names, uint32_t *count)
{
    if (PyUnicode_Check(names)) {
        /* A string is a sequence too: ("i32") without the comma must not mean three types. */
        PyErr_Format(PyExc_TypeError, "expected a list of value types such as [\"i32\"], found the string %R", names);
        return NULL;
    }
    /* A tuple: what looks up a name may run code that changes a list. */
    PyObject *given = PySequence_Fast(names, "expected a list of value types such as [\"i32\"]");
    PyObject *sequence = given == NULL ? NULL : PySequence_Tuple(given);
    Py_XDECREF(given);
    if (sequence == NULL)
        return NULL;
    Py_ssize_t length = PyTuple_GET_SIZE(sequence);
    uint32_t *codes = length > 1000 ? NULL : PyMem_Malloc(sizeof *codes * ((size_t)length + 1));
    if (codes == NULL) {
        PyErr_Format(PyExc_ValueError, "a function type with %zd values; at most 1000 are possible", length);
    } else {
        for (Py_ssize_t i = 0; i < length; i++) {
            if (valtype_code(PyTuple_GET_ITEM(sequence, i), &codes[i]) < 0) {
                PyMem_Free(codes);
                codes = NULL;
                break;
            }
        }
    }
    Py_DECREF(sequence);
    *count = (uint32_t)length;
    return codes;
}

static PyObject *code_tuple(const uint32_t *codes, uint32_t count)
{
    PyObject *tuple = PyTuple_New(count);
    for (uint32_t i = 0; tuple != NULL && i < count; i++) {
        PyObject *code = PyLong_FromUnsignedLong(codes[i]);
        if (code == NULL)
            Py_CLEAR(tuple);
        else
            PyTuple_SET_ITEM(tuple, i, code);
    }
    return tuple;
}

static wax_functype *functype_with_digest(const uint32_t *params, uint32_t param_count, const uint32_t *results,
                                          uint32_t result_count)
{
    wax_functype *type = NULL;
    PyObject *helper = wax_help(WAX_TYPE_DIGEST), *digest = NULL;
    PyObject *param_codes = code_tuple(params, param_count), *result_codes = code_tuple(results, result_count);
    if (helper != NULL && param_codes != NULL && result_codes != NULL)
        digest = PyObject_CallFunctionObjArgs(helper, param_codes, result_codes, NULL);
    if (digest != NULL && (!PyBytes_Check(digest) || PyBytes_GET_SIZE(digest) != 16))
        PyErr_SetString(PyExc_SystemError, "the digest of a function type must have 16 bytes");
    else if (digest != NULL)
        type = wax_functype_from_codes(params, param_count, results, result_count,
                                       (const uint8_t *)PyBytes_AS_STRING(digest));
    Py_XDECREF(digest);
    Py_XDECREF(param_codes);
    Py_XDECREF(result_codes);
    return type;
}

wax_functype *wax_functype_from_names(PyObject *params, PyObject *results)
{
    uint32_t param_count, result_count;
    uint32_t *param_codes = codes_of(params, &param_count);
    uint32_t *result_codes = param_codes == NULL ? NULL : codes_of(results, &result_count);
    wax_functype *type = NULL;
    if (result_codes != NULL)
        type = functype_with_digest(param_codes, param_count, result_codes, result_count);
    PyMem_Free(param_codes);
    PyMem_Free(result_codes);
    return type;
}

static void functype_dealloc(PyObject *object)
{
    wax_functype *type = (wax_functype *)object;
    PyTypeObject *class = Py_TYPE(object);
    if (latest == type)
        latest = NULL;
    if (type->is_interned) {
        PyObject *pending_type, *pending, *traceback;
        PyErr_Fetch(&pending_type, &pending, &traceback);
        PyObject *key = PyBytes_FromStringAndSize((const char *)type->digest, 16);
        if (key == NULL || PyDict_DelItem(interned, key) < 0)
            PyErr_WriteUnraisable(object);
        Py_XDECREF(key);
        PyErr_Restore(pending_type, pending, traceback);
    }
    Py_XDECREF(type->params);
    Py_XDECREF(type->results);
    PyMem_Free(type->tags);
    class->tp_free(object);
    Py_DECREF(class);
}

static PyObject *functype_richcompare(PyObject *left, PyObject *right, int operation)
{
    if (!Py_IS_TYPE(right, wax_functype_type) || (operation != Py_EQ && operation != Py_NE))
        Py_RETURN_NOTIMPLEMENTED;
    bool equal = memcmp(((wax_functype *)left)->digest, ((wax_functype *)right)->digest, 16) == 0;
    return PyBool_FromLong(equal == (operation == Py_EQ));
}

static Py_hash_t functype_hash(PyObject *object)
{
    Py_hash_t hash;
    memcpy(&hash, ((wax_functype *)object)->digest, sizeof hash);
    return hash == -1 ? -2 : hash;
}

static PyObject *functype_str(PyObject *object)
{
    wax_functype *type = (wax_functype *)object;
    PyObject *comma = PyUnicode_FromString(", "), *text = NULL;
    PyObject *params = comma == NULL ? NULL : PyUnicode_Join(comma, type->params);
    PyObject *results = comma == NULL ? NULL : PyUnicode_Join(comma, type->results);
    if (params != NULL && results != NULL)
        text = PyUnicode_FromFormat(type->result_count == 1 ? "(%U) -> %U" : "(%U) -> (%U)", params, results);
    Py_XDECREF(comma);
    Py_XDECREF(params);
    Py_XDECREF(results);
    return text;
}

static PyObject *functype_repr(PyObject *object)
{
    wax_functype *type = (wax_functype *)object;
    return PyUnicode_FromFormat("FuncType(params=%R, results=%R)", type->params, type->results);
}

static PyObject *functype_new(PyTypeObject *class, PyObject *args, PyObject *kwargs)
{
    (void)class;
    static char *names[] = {"params", "results", NULL};
    PyObject *params, *results;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO:FuncType", names, &params, &results))
        return NULL;
    return (PyObject *)wax_functype_from_names(params, results);
}

static PyMemberDef functype_members[] = {
    {"params", T_OBJECT_EX, offsetof(wax_functype, params), READONLY, "names of the parameter types"},
    {"results", T_OBJECT_EX, offsetof(wax_functype, results), READONLY, "names of the result types"},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot functype_slots[] = {
    {Py_tp_doc, "Type of a function: the names of its parameter and result types, such as (\"i32\",)."},
    {Py_tp_new, functype_new},
    {Py_tp_dealloc, functype_dealloc},
    {Py_tp_richcompare, functype_richcompare},
    {Py_tp_hash, functype_hash},
    {Py_tp_str, functype_str},
    {Py_tp_repr, functype_repr},
    {Py_tp_members, functype_members},
    {0, NULL},
};

static PyType_Spec functype_spec = {
    .name = "wasmartifact.FuncType",
    .basicsize = sizeof(wax_functype),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = functype_slots,
};

int wax_functype_ready(PyObject *module)
{
    for (size_t i = 0; i < PLAIN_TYPE_COUNT; i++)
        if ((plain_names[i] = PyUnicode_InternFromString(plain_types[i].name)) == NULL)
            return -1;
    interned = PyDict_New();
    wax_functype_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &functype_spec, NULL);
    if (interned == NULL || wax_functype_type == NULL)
        return -1;
    return PyModule_AddObjectRef(module, "FuncType", (PyObject *)wax_functype_type);
}
