/* Exceptions of WebAssembly as wasmartifact.WasmException, and back. An exnref has no Python object; where one is a value of
 * another exception, it is a WasmException too. */
#include "types.h"

/* Py_EnterRecursiveCall, which counts levels, for small stacks too: 0, or -1 with an exception set. */
static int enter_recursive_call(const char *where)
{
    if (!wa_stack_is_short())
        return Py_EnterRecursiveCall(where);
    PyErr_Format(PyExc_RecursionError, "the thread's stack is nearly used up%s", where);
    return -1;
}

/* ---- from the guest --------------------------------------------------------------------------------------------------- */

/* `made` (borrowed) has what was made already, by address: exceptions that share others would take exponential time. */
static PyObject *to_python(wax_store *store, wa_exception *exception, PyObject *made);

static PyObject *value_to_python(wax_store *store, uint32_t valtype, const uint64_t *slot, PyObject *made)
{
    if (!wa_valtype_is_exnref(valtype))
        return wax_from_slots(store, wax_conversion_of(valtype), slot);
    if (*slot == 0)
        Py_RETURN_NONE;
    return to_python(store, (wa_exception *)(uintptr_t)*slot, made);
}

static PyObject *values_to_python(wax_store *store, wa_exception *exception, PyObject *made)
{
    uint32_t count;
    const uint32_t *params = wa_tag_params(wa_exception_tag(exception), &count);
    const uint64_t *slot = wa_exception_values(exception);
    PyObject *values = PyTuple_New(count);
    for (uint32_t i = 0; values != NULL && i < count; i++) {
        PyObject *value = value_to_python(store, params[i], slot, made);
        slot += wa_valtype_slots(params[i]);
        if (value == NULL)
            Py_CLEAR(values);
        else
            PyTuple_SET_ITEM(values, i, value);
    }
    return values;
}

static PyObject *new_exception(wax_store *store, wa_exception *exception, PyObject *made)
{
    PyObject *class = wax_help(WAX_WASM_EXCEPTION), *result = NULL;
    PyObject *tag = class == NULL ? NULL : wax_entity_wrap(WA_KIND_TAG, wa_exception_tag(exception), store);
    PyObject *values = tag == NULL ? NULL : values_to_python(store, exception, made);
    if (values != NULL)
        result = PyObject_CallFunctionObjArgs(class, tag, values, NULL);
    Py_XDECREF(tag);
    Py_XDECREF(values);
    return result;
}

/* A new reference. */
static PyObject *to_python(wax_store *store, wa_exception *exception, PyObject *made)
{
    PyObject *key = PyLong_FromVoidPtr(exception);
    PyObject *result = key == NULL ? NULL : Py_XNewRef(PyDict_GetItemWithError(made, key));
    if (key != NULL && result == NULL && !PyErr_Occurred() &&
        !enter_recursive_call(" while reading a WebAssembly exception")) {
        result = new_exception(store, exception, made);
        Py_LeaveRecursiveCall();
        if (result != NULL && PyDict_SetItem(made, key, result) < 0)
            Py_CLEAR(result);
    }
    Py_XDECREF(key);
    return result;
}

void wax_raise_exception(wax_store *store, wa_exception *exception)
{
    PyObject *made = PyDict_New();
    PyObject *raised = made == NULL ? NULL : to_python(store, exception, made);
    wa_exception_unpin(store->native);
    wax_raise_object(raised);
    Py_XDECREF(made);
}

/* ---- into the guest --------------------------------------------------------------------------------------------------- */

static wa_exception *from_python(wax_store *store, PyObject *raised);

/* Of any type but exnref. */
static wax_outcome plain_from_python(wax_store *store, const wa_tag *tag, uint32_t param, uint32_t valtype, PyObject *value, uint64_t *slot)
{
    wax_conversion conversion = wax_conversion_of(valtype);
    wax_outcome outcome = wax_to_slots(store, conversion, value, slot);
    bool is_function;
    if (outcome != WAX_WRONG_TYPE || !wax_is_typed(conversion))
        return outcome;
    outcome = wax_typed_to_slot(store, value, slot, &is_function);
    return outcome == WAX_CONVERTED && !wa_tag_takes(tag, param, is_function, *slot) ? WAX_WRONG_TYPE : outcome;
}

/* 0, or -1 with an exception set. */
static int value_from_python(wax_store *store, const wa_tag *tag, uint32_t param, uint32_t valtype, PyObject *value, uint64_t *slot)
{
    wax_outcome outcome;
    if (!wa_valtype_is_exnref(valtype)) {
        outcome = plain_from_python(store, tag, param, valtype, value, slot);
    } else if (value == Py_None) {
        *slot = 0;
        outcome = (valtype & 0xff) == WA_VALTYPE_REF_NULL ? WAX_CONVERTED : WAX_WRONG_TYPE;
    } else {
        wa_exception *inner = from_python(store, value);
        *slot = (uint64_t)(uintptr_t)inner;
        outcome = inner != NULL ? WAX_CONVERTED : WAX_RAISED;
        if (inner != NULL)
            inner->is_shared = 1;
    }
    if (outcome == WAX_CONVERTED)
        return 0;
    PyObject *type_name = outcome == WAX_RAISED ? NULL : wax_valtype_name(valtype);
    if (type_name != NULL)
        wax_raise_value(outcome, PyUnicode_FromFormat("WasmException: value %u", param + 1), type_name, value);
    Py_XDECREF(type_name);
    return -1;
}

static wa_exception *fill(wax_store *store, wa_tag *tag, PyObject *values)
{
    uint32_t count;
    const uint32_t *params = wa_tag_params(tag, &count);
    if (PyTuple_GET_SIZE(values) != (Py_ssize_t)count) {
        PyErr_Format(PyExc_TypeError, "WasmException: the tag carries %u values, found %zd", count, PyTuple_GET_SIZE(values));
        return NULL;
    }
    wa_exception *exception = wa_exception_new(store->native, tag);
    uint64_t *slot = exception == NULL ? NULL : wa_exception_values(exception);
    if (exception == NULL)
        PyErr_NoMemory();
    for (uint32_t i = 0; slot != NULL && i < count; i++) {
        if (value_from_python(store, tag, i, params[i], PyTuple_GET_ITEM(values, i), slot) < 0)
            return NULL;
        slot += wa_valtype_slots(params[i]);
    }
    return exception;
}

/* NULL with an exception set. */
static wa_exception *from_python(wax_store *store, PyObject *raised)
{
    PyObject *class = wax_help(WAX_WASM_EXCEPTION);
    int is_exception = class == NULL ? -1 : PyObject_IsInstance(raised, class);
    if (is_exception == 0)
        PyErr_Format(PyExc_TypeError, "WasmException: a value of type exnref must be a WasmException or None, found %s",
                     Py_TYPE(raised)->tp_name);
    if (is_exception != 1 || enter_recursive_call(" while throwing a WebAssembly exception"))
        return NULL;
    wa_exception *exception = NULL;
    PyObject *tag = PyObject_GetAttrString(raised, "tag");
    PyObject *given = tag == NULL ? NULL : PyObject_GetAttrString(raised, "values");
    PyObject *values = given == NULL ? NULL : PySequence_Tuple(given);
    if (values != NULL && (!wax_is_entity(tag) || ((wax_entity *)tag)->kind != WA_KIND_TAG))
        PyErr_Format(PyExc_TypeError, "WasmException: tag must be a Tag, found %s", Py_TYPE(tag)->tp_name);
    else if (values != NULL)
        exception = fill(store, ((wax_entity *)tag)->native, values);
    Py_XDECREF(tag);
    Py_XDECREF(given);
    Py_XDECREF(values);
    Py_LeaveRecursiveCall();
    return exception;
}

bool wax_throw_raised(wax_store *store, const wa_instance *caller)
{
    PyObject *class, *wanted, *type, *raised, *traceback;
    /* Where no code can catch it, it stays what it is. */
    if (!wa_instance_checks_exceptions(caller) && !wa_call_is_across())
        return false;
    class = PyErr_Occurred();
    PyErr_Fetch(&type, &raised, &traceback);
    wanted = wax_help(WAX_WASM_EXCEPTION);
    if (wanted == NULL || !PyErr_GivenExceptionMatches(class, wanted)) {
        PyErr_Restore(type, raised, traceback);
        return false;
    }
    PyErr_NormalizeException(&type, &raised, &traceback);
    wa_exception *exception = from_python(store, raised);
    Py_XDECREF(type);
    Py_XDECREF(raised);
    Py_XDECREF(traceback);
    if (exception == NULL)
        return false;
    wa_throw(store->native, exception);
    return true;
}
