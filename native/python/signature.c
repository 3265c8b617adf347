/* Signature: the Python side of a function type. Its FuncType, which users see, is made when somebody asks for it. */
#include "docs.h"
#include "types.h"

/* state->interned is {digest: address of the live Signature of that digest, as an int}: functions of one type share one object.
 * The addresses are borrowed; a Signature takes itself out when it goes. state->latest is the one that was asked for last:
 * neighbouring exports often have the same type. */

static const struct {
    uint32_t code;
    const char *name;
    wax_conversion conversion;
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

wax_conversion wax_conversion_of(uint32_t valtype)
{
    for (size_t i = 0; i < PLAIN_TYPE_COUNT; i++)
        if (plain_types[i].code == valtype)
            return plain_types[i].conversion;
    bool nonnull = (valtype & 0xff) == WA_VALTYPE_REF;
    if ((nonnull || (valtype & 0xff) == WA_VALTYPE_REF_NULL) && (valtype >> 8) < WA_HEAP_ABSTRACT)
        return nonnull ? WAX_TYPED_NONNULL : WAX_TYPED;
    switch (valtype >> 8) {
    case WA_HEAP_FUNC:
        return nonnull ? WAX_FUNCREF_NONNULL : WAX_FUNCREF;
    case WA_HEAP_EXTERN:
        return nonnull ? WAX_EXTERNREF_NONNULL : WAX_EXTERNREF;
    case WA_HEAP_NOFUNC:
    case WA_HEAP_NOEXTERN:
    case WA_HEAP_NOEXN:
    case WA_HEAP_NONE:
        return nonnull ? WAX_OPAQUE : WAX_NULL; /* without null, a bottom type has no values */
    case WA_HEAP_ANY:
        return nonnull ? WAX_ANYREF_NONNULL : WAX_ANYREF;
    case WA_HEAP_EQ:
        return nonnull ? WAX_EQREF_NONNULL : WAX_EQREF;
    case WA_HEAP_I31:
        return nonnull ? WAX_I31REF_NONNULL : WAX_I31REF;
    case WA_HEAP_STRUCT:
        return nonnull ? WAX_STRUCTREF_NONNULL : WAX_STRUCTREF;
    case WA_HEAP_ARRAY:
        return nonnull ? WAX_ARRAYREF_NONNULL : WAX_ARRAYREF;
    default:
        return WAX_OPAQUE;
    }
}

PyObject *wax_valtype_name(uint32_t valtype)
{
    for (size_t i = 0; i < PLAIN_TYPE_COUNT; i++)
        if (plain_types[i].code == valtype)
            return Py_NewRef(PyTuple_GET_ITEM(wax_here()->type_names, (Py_ssize_t)i));
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

/* Codes, conversions and slot count; true unless a type is written with an index of its module, which other modules number
 * otherwise. */
static bool fill_conversions(wax_signature *type, const uint32_t *params, const uint32_t *results)
{
    uint32_t slots[2] = {0, 0};
    bool is_universal = true;
    type->returns_references = false;
    for (uint32_t i = 0; i < type->param_count + type->result_count; i++) {
        bool is_param = i < type->param_count;
        uint32_t code = is_param ? params[i] : results[i - type->param_count];
        wax_conversion conversion = wax_conversion_of(code);
        type->codes[i] = code;
        type->conversions[i] = (uint8_t)conversion;
        slots[is_param] += wax_slots_of(conversion);
        if (wax_is_typed(conversion))
            is_universal = false;
        if (!is_param && conversion > WAX_V128)
            type->returns_references = true;
    }
    type->slot_count = slots[0] > slots[1] ? slots[0] : slots[1];
    return is_universal;
}

/* Whether a type that a digest led to is the one that was asked for. Digests come from files: calls are made by what a type is,
 * and no file may decide that for another one. */
static bool is_same(const wax_signature *type, const uint32_t *params, uint32_t param_count, const uint32_t *results,
                    uint32_t result_count)
{
    if (type->param_count != param_count || type->result_count != result_count)
        return false;
    for (uint32_t i = 0; i < param_count; i++)
        if (type->codes[i] != params[i])
            return false;
    for (uint32_t i = 0; i < result_count; i++)
        if (type->codes[param_count + i] != results[i])
            return false;
    return true;
}

/* The signature at an address that a digest led to: a new reference. NULL with an exception set where it is of another type. */
static wax_signature *known_signature(PyObject *address, const uint32_t *params, uint32_t param_count, const uint32_t *results,
                                      uint32_t result_count)
{
    wax_signature *known = PyLong_AsVoidPtr(address);
    if (is_same(known, params, param_count, results, result_count))
        return (wax_signature *)Py_NewRef(known);
    wa_error error = {.code = WA_ERROR_TYPE_CONFLICT};
    wax_raise_error(&error, NULL);
    return NULL;
}

static wax_signature *new_signature(const uint32_t *params, uint32_t param_count, const uint32_t *results,
                                  uint32_t result_count, PyObject *digest)
{
    wax_signature *type = PyObject_New(wax_signature, wax_here()->signature_type);
    if (type == NULL)
        return NULL;
    uint32_t count = param_count + result_count;
    type->face = type->interned = NULL;
    type->param_count = param_count;
    type->result_count = result_count;
    memcpy(type->digest, PyBytes_AS_STRING(digest), sizeof type->digest);
    type->params = wax_valtype_names(params, param_count);
    type->results = type->params == NULL ? NULL : wax_valtype_names(results, result_count);
    type->codes = PyMem_Malloc(count * (sizeof *type->codes + 1) + 1);
    if (type->results == NULL || type->codes == NULL) {
        if (!PyErr_Occurred())
            PyErr_NoMemory();
        Py_DECREF(type);
        return NULL;
    }
    type->conversions = (uint8_t *)(type->codes + count);
    if (!fill_conversions(type, params, results))
        return type;
    PyObject *address = PyLong_FromVoidPtr(type), *interned = wax_here()->interned;
    PyObject *first = address == NULL ? NULL : PyDict_SetDefault(interned, digest, address);
    /* Naming the values may have run code that made the same type: the first one counts. */
    wax_signature *known = first == NULL ? NULL : known_signature(first, params, param_count, results, result_count);
    if (known == type)
        type->interned = Py_NewRef(interned);
    Py_XDECREF(address);
    Py_DECREF(type);
    return known;
}

wax_signature *wax_signature_from_codes(const uint32_t *params, uint32_t param_count, const uint32_t *results,
                                      uint32_t result_count, const uint8_t *digest)
{
    wax_state *state = wax_here();
    if (state->latest != NULL && memcmp(state->latest->digest, digest, sizeof state->latest->digest) == 0 &&
        is_same(state->latest, params, param_count, results, result_count))
        return (wax_signature *)Py_NewRef(state->latest);
    PyObject *key = PyBytes_FromStringAndSize((const char *)digest, 16);
    if (key == NULL)
        return NULL;
    PyObject *address = PyDict_GetItemWithError(state->interned, key);
    wax_signature *type = NULL;
    if (address != NULL)
        type = known_signature(address, params, param_count, results, result_count);
    else if (!PyErr_Occurred())
        type = new_signature(params, param_count, results, result_count, key);
    Py_DECREF(key);
    if (type != NULL && type->interned != NULL)
        state->latest = type;
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
    PyObject *given = PySequence_Fast(names, "");
    if (given == NULL && Py_TYPE(names)->tp_iter == NULL && !PySequence_Check(names))
        PyErr_Format(PyExc_TypeError, "expected a list of value types such as [\"i32\"], found %.100s", Py_TYPE(names)->tp_name);
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

static wax_signature *with_digest(const uint32_t *params, uint32_t param_count, const uint32_t *results,
                                          uint32_t result_count)
{
    wax_signature *type = NULL;
    PyObject *helper = wax_help(WAX_TYPE_DIGEST), *digest = NULL;
    PyObject *param_codes = code_tuple(params, param_count), *result_codes = code_tuple(results, result_count);
    if (helper != NULL && param_codes != NULL && result_codes != NULL)
        digest = PyObject_CallFunctionObjArgs(helper, param_codes, result_codes, NULL);
    if (digest != NULL && (!PyBytes_Check(digest) || PyBytes_GET_SIZE(digest) != 16))
        PyErr_SetString(PyExc_SystemError, "the digest of a function type must have 16 bytes");
    else if (digest != NULL)
        type = wax_signature_from_codes(params, param_count, results, result_count,
                                       (const uint8_t *)PyBytes_AS_STRING(digest));
    Py_XDECREF(digest);
    Py_XDECREF(param_codes);
    Py_XDECREF(result_codes);
    return type;
}

wax_signature *wax_signature_from_names(PyObject *params, PyObject *results)
{
    uint32_t param_count, result_count;
    uint32_t *param_codes = codes_of(params, &param_count);
    uint32_t *result_codes = param_codes == NULL ? NULL : codes_of(results, &result_count);
    wax_signature *type = NULL;
    if (result_codes != NULL)
        type = with_digest(param_codes, param_count, result_codes, result_count);
    PyMem_Free(param_codes);
    PyMem_Free(result_codes);
    return type;
}

static void signature_dealloc(PyObject *object)
{
    wax_signature *type = (wax_signature *)object;
    PyTypeObject *class = Py_TYPE(object);
    wax_state *state = wax_here();
    if (state != NULL && state->latest == type)
        state->latest = NULL;
    if (type->interned != NULL) {
        PyObject *pending_type, *pending, *traceback;
        PyErr_Fetch(&pending_type, &pending, &traceback);
        PyObject *key = PyBytes_FromStringAndSize((const char *)type->digest, 16);
        if (key == NULL || PyDict_DelItem(type->interned, key) < 0)
            PyErr_WriteUnraisable(object);
        Py_XDECREF(key);
        PyErr_Restore(pending_type, pending, traceback);
    }
    Py_XDECREF(type->interned);
    Py_XDECREF(type->face);
    Py_XDECREF(type->params);
    Py_XDECREF(type->results);
    PyMem_Free(type->codes);
    class->tp_free(object);
    Py_DECREF(class);
}

PyObject *wax_signature_face(wax_signature *signature)
{
    if (signature->face == NULL) {
        PyObject *face = wax_call_helper(WAX_FUNC_TYPE, signature->params, signature->results, NULL);
        Py_XSETREF(signature->face, face);
    }
    return Py_XNewRef(signature->face);
}

static PyType_Slot signature_slots[] = {
    {Py_tp_doc, WAX_DOC_Signature},
    {Py_tp_dealloc, signature_dealloc},
    {0, NULL},
};

PyType_Spec wax_signature_spec = {
    .name = "wasmartifact._types.Signature",
    .basicsize = sizeof(wax_signature),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = signature_slots,
};

int wax_signature_begin(wax_state *state)
{
    state->interned = PyDict_New();
    state->type_names = PyTuple_New(PLAIN_TYPE_COUNT);
    for (size_t i = 0; state->type_names != NULL && i < PLAIN_TYPE_COUNT; i++) {
        PyObject *name = PyUnicode_InternFromString(plain_types[i].name);
        if (name == NULL)
            return -1;
        PyTuple_SET_ITEM(state->type_names, (Py_ssize_t)i, name);
    }
    return state->interned == NULL || state->type_names == NULL ? -1 : 0;
}
