/* Values between Python and slots: exact conversions, with an error for whatever would not arrive as it was sent. */
#include "types.h"

static wax_outcome i32_to_slot(PyObject *value, uint64_t *slot)
{
    int overflow;
    long long number;
    if (!PyLong_Check(value)) {
        if (!PyIndex_Check(value))
            return WAX_WRONG_TYPE;
        PyObject *index = PyNumber_Index(value);
        if (index == NULL)
            return WAX_RAISED;
        number = PyLong_AsLongLongAndOverflow(index, &overflow);
        Py_DECREF(index);
    } else {
        number = PyLong_AsLongLongAndOverflow(value, &overflow);
    }
    if (overflow != 0 || number < INT32_MIN || number > UINT32_MAX)
        return WAX_OUT_OF_RANGE;
    *slot = (uint32_t)number;
    return WAX_CONVERTED;
}

static wax_outcome i64_to_slot(PyObject *value, uint64_t *slot)
{
    if (!PyIndex_Check(value))
        return WAX_WRONG_TYPE;
    PyObject *index = PyNumber_Index(value);
    if (index == NULL)
        return WAX_RAISED;
    int overflow;
    long long number = PyLong_AsLongLongAndOverflow(index, &overflow);
    *slot = (uint64_t)number;
    if (overflow > 0) {
        *slot = PyLong_AsUnsignedLongLong(index);
        if (PyErr_Occurred())
            PyErr_Clear();
        else
            overflow = 0;
    }
    Py_DECREF(index);
    return overflow == 0 ? WAX_CONVERTED : WAX_OUT_OF_RANGE;
}

static wax_outcome to_double(PyObject *value, double *number)
{
    if (PyFloat_CheckExact(value)) {
        *number = PyFloat_AS_DOUBLE(value);
        return WAX_CONVERTED;
    }
    const PyNumberMethods *methods = Py_TYPE(value)->tp_as_number;
    if (!PyFloat_Check(value) && (methods == NULL || (methods->nb_float == NULL && methods->nb_index == NULL)))
        return WAX_WRONG_TYPE;
    *number = PyFloat_AsDouble(value);
    if (*number != -1.0 || !PyErr_Occurred())
        return WAX_CONVERTED;
    if (!PyLong_Check(value) || !PyErr_ExceptionMatches(PyExc_OverflowError))
        return WAX_RAISED;
    PyErr_Clear();
    return WAX_OUT_OF_RANGE;
}

static wax_outcome f32_to_slot(PyObject *value, uint64_t *slot)
{
    double number;
    wax_outcome outcome = to_double(value, &number);
    if (outcome != WAX_CONVERTED)
        return outcome;
    float narrow = (float)number;
    uint32_t bits;
    memcpy(&bits, &narrow, sizeof bits);
    *slot = bits;
    return WAX_CONVERTED;
}

static wax_outcome f64_to_slot(PyObject *value, uint64_t *slot)
{
    double number;
    wax_outcome outcome = to_double(value, &number);
    if (outcome == WAX_CONVERTED)
        memcpy(slot, &number, sizeof *slot);
    return outcome;
}

static wax_outcome v128_to_slots(PyObject *value, uint64_t *slots)
{
    if (!PyBytes_Check(value) || PyBytes_GET_SIZE(value) != 16)
        return WAX_WRONG_TYPE;
    memcpy(slots, PyBytes_AS_STRING(value), 16);
    return WAX_CONVERTED;
}

static wax_outcome funcref_to_slot(wax_store *store, PyObject *value, uint64_t *slot)
{
    if (!wax_is_func(value))
        return WAX_WRONG_TYPE;
    wax_func *func = (wax_func *)value;
    int failed = func->host != NULL ? wax_store_keep(store, func->record, value) : wax_store_join(store, func->store);
    *slot = (uint64_t)(uintptr_t)func->record;
    return failed ? WAX_RAISED : WAX_CONVERTED;
}

/* An int of 31 bits. */
static wax_outcome i31_to_slot(PyObject *value, uint64_t *slot)
{
    int overflow;
    long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow != 0 || number < -(1 << 30) || number >= 1 << 30)
        return WAX_OUT_OF_RANGE;
    *slot = (uint64_t)number << WA_I31_SHIFT | WA_REFERENCE_I31;
    return WAX_CONVERTED;
}

static wax_outcome handle_to_slot(wax_store *store, PyObject *value, uint64_t *slot)
{
    *slot = wax_store_handle(store, value);
    return *slot == 0 ? WAX_RAISED : WAX_CONVERTED;
}

static wax_outcome object_to_slot(wax_store *store, PyObject *value, uint64_t *slot)
{
    wax_object *object = (wax_object *)value;
    *slot = object->held.reference;
    return wax_store_join(store, object->store) < 0 ? WAX_RAISED : WAX_CONVERTED;
}

/* Not None. nullable: the conversion whose type has null. */
static wax_outcome any_to_slot(wax_store *store, wax_conversion nullable, PyObject *value, uint64_t *slot)
{
    bool is_number = PyLong_Check(value) && !PyBool_Check(value);
    if (is_number && nullable != WAX_STRUCTREF && nullable != WAX_ARRAYREF && nullable != WAX_EXTERNREF) {
        wax_outcome outcome = i31_to_slot(value, slot);
        if (outcome == WAX_CONVERTED || nullable != WAX_ANYREF)
            return outcome;
    }
    if (nullable == WAX_I31REF)
        return WAX_WRONG_TYPE;
    if (wax_is_object(value)) {
        bool is_array = wa_object_is_array(((wax_object *)value)->held.reference);
        if (nullable == (is_array ? WAX_STRUCTREF : WAX_ARRAYREF))
            return WAX_WRONG_TYPE;
        return object_to_slot(store, value, slot);
    }
    return nullable == WAX_ANYREF || nullable == WAX_EXTERNREF ? handle_to_slot(store, value, slot) : WAX_WRONG_TYPE;
}

wax_outcome wax_typed_to_slot(wax_store *store, PyObject *value, uint64_t *slot, bool *is_function)
{
    *is_function = wax_is_func(value);
    *slot = 0;
    if (value == Py_None)
        return WAX_CONVERTED;
    if (*is_function)
        return funcref_to_slot(store, value, slot);
    return wax_is_object(value) ? object_to_slot(store, value, slot) : WAX_WRONG_TYPE;
}

wax_outcome wax_to_slots(wax_store *store, wax_conversion conversion, PyObject *value, uint64_t *slots)
{
    switch (conversion) {
    case WAX_I32:
        return i32_to_slot(value, slots);
    case WAX_I64:
        return i64_to_slot(value, slots);
    case WAX_F32:
        return f32_to_slot(value, slots);
    case WAX_F64:
        return f64_to_slot(value, slots);
    case WAX_V128:
        return v128_to_slots(value, slots);
    case WAX_OPAQUE:
    case WAX_TYPED_NONNULL:
        return WAX_WRONG_TYPE;
    case WAX_FUNCREF:
    case WAX_EXTERNREF:
    case WAX_TYPED:
    case WAX_NULL:
    case WAX_ANYREF:
    case WAX_EQREF:
    case WAX_I31REF:
    case WAX_STRUCTREF:
    case WAX_ARRAYREF:
        if (value == Py_None) {
            *slots = 0;
            return WAX_CONVERTED;
        }
        break;
    default:
        if (value == Py_None)
            return WAX_WRONG_TYPE;
        conversion--; /* with null, which this is not */
        break;
    }
    if (conversion == WAX_TYPED || conversion == WAX_NULL)
        return WAX_WRONG_TYPE;
    if (conversion == WAX_FUNCREF)
        return funcref_to_slot(store, value, slots);
    return any_to_slot(store, conversion, value, slots);
}

PyObject *wax_from_slots(wax_store *store, wax_conversion conversion, const uint64_t *slots)
{
    float narrow;
    double number;
    switch (conversion) {
    case WAX_I32:
        return PyLong_FromLong((int32_t)(uint32_t)*slots);
    case WAX_I64:
        return PyLong_FromLongLong((int64_t)*slots);
    case WAX_F32:
        memcpy(&narrow, slots, sizeof narrow);
        return PyFloat_FromDouble((double)narrow);
    case WAX_F64:
        memcpy(&number, slots, sizeof number);
        return PyFloat_FromDouble(number);
    case WAX_V128:
        return PyBytes_FromStringAndSize((const char *)slots, 16);
    default:
        break;
    }
    if (*slots == 0)
        Py_RETURN_NONE;
    switch (conversion) {
    case WAX_FUNCREF:
    case WAX_FUNCREF_NONNULL:
        return wax_func_from_record(store, (wa_function *)(uintptr_t)*slots, NULL);
    case WAX_TYPED:
    case WAX_TYPED_NONNULL:
        if (!wa_store_has_object(store->native, *slots))
            return wax_func_from_record(store, (wa_function *)(uintptr_t)*slots, NULL);
        return wax_object_from_reference(store, *slots);
    case WAX_OPAQUE:
    case WAX_NULL:
        PyErr_SetString(PyExc_TypeError, "a reference of this type has no Python object; keep it inside WebAssembly");
        return NULL;
    default:
        return wax_object_from_reference(store, *slots);
    }
}

wax_outcome wax_pass(wax_conversion conversion, PyObject *value, PyObject **passed)
{
    bool is_nonnull = conversion == WAX_FUNCREF_NONNULL || conversion == WAX_EXTERNREF_NONNULL || conversion == WAX_ANYREF_NONNULL;
    bool is_func = conversion == WAX_FUNCREF || conversion == WAX_FUNCREF_NONNULL;
    if (is_func || is_nonnull || conversion == WAX_EXTERNREF || conversion == WAX_ANYREF) {
        if (value == Py_None ? is_nonnull : is_func && !wax_is_func(value))
            return WAX_WRONG_TYPE;
        *passed = Py_NewRef(value);
        return WAX_CONVERTED;
    }
    uint64_t slots[2];
    wax_outcome outcome = wax_to_slots(NULL, conversion, value, slots);
    if (outcome != WAX_CONVERTED)
        return outcome;
    *passed = wax_from_slots(NULL, conversion, slots);
    return *passed == NULL ? WAX_RAISED : WAX_CONVERTED;
}

/* What a value of the named type must be in Python, and its range. */
static const char *expected_of(PyObject *type_name, bool range)
{
    static const struct {
        const char *type, *what, *range;
    } texts[] = {
        {"i32", "an int", "-2**31 .. 2**32-1"},
        {"i64", "an int", "-2**63 .. 2**64-1"},
        {"f32", "a float", "the range of a float"},
        {"f64", "a float", "the range of a float"},
        {"v128", "16 bytes", ""},
        {"funcref", "a Func or None", ""},
        {"externref", "an object", ""},
        {"nullfuncref", "None", ""},
        {"nullexternref", "None", ""},
        {"nullexnref", "None", ""},
        {"nullref", "None", ""},
        {"anyref", "an object", ""},
        {"eqref", "an int, a Struct, an Array or None", "-2**30 .. 2**30-1"},
        {"i31ref", "an int or None", "-2**30 .. 2**30-1"},
        {"(ref i31)", "an int", "-2**30 .. 2**30-1"},
        {"structref", "a Struct or None", ""},
        {"arrayref", "an Array or None", ""},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (PyUnicode_CompareWithASCIIString(type_name, texts[i].type) == 0)
            return range ? texts[i].range : texts[i].what;
    return "a value that Python can pass";
}

void wax_raise_value(wax_outcome outcome, PyObject *where, PyObject *type_name, PyObject *value)
{
    if (where != NULL && outcome == WAX_OUT_OF_RANGE)
        PyErr_Format(PyExc_OverflowError, "%U is %.40R, outside %s (%U)", where, value, expected_of(type_name, true),
                     type_name);
    else if (where != NULL && outcome == WAX_WRONG_TYPE && PyBytes_Check(value))
        PyErr_Format(PyExc_TypeError, "%U must be %s (%U), found bytes of length %zd", where,
                     expected_of(type_name, false), type_name, PyBytes_GET_SIZE(value));
    else if (where != NULL && outcome == WAX_WRONG_TYPE)
        PyErr_Format(PyExc_TypeError, "%U must be %s (%U), found %s", where, expected_of(type_name, false), type_name,
                     value == Py_None ? "None" : Py_TYPE(value)->tp_name);
    Py_XDECREF(where);
}
