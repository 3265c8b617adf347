/* Calls: from Python into WebAssembly and back, with the GIL, traps and exceptions.
 *
 * A call releases the GIL unless pack proved the function short. Whether it did is on the C stack, in a wax_call, which a
 * host function reaches by wa_current_user(): it takes the GIL for as long as Python code runs. When a host function
 * raises, the exception stays where CPython keeps it, the guest's frames are dropped by wa_unwind, and the outer call
 * returns NULL: to Python it looks as if there were no guest in between. */
#include <signal.h>

#include "types.h"

struct wax_call {
    PyThreadState *thread; /* saved while the GIL is released, else NULL */
    wax_store *store;
    PyObject *caller; /* owned: the Instance that host functions with caller=True got last, or NULL */
    wa_call_info info; /* away: outside of Python code, the GIL is released */
};

/* ---- from Python ------------------------------------------------------------------------------------------------------ */

/* What the store keeps of the functions that were running: it may be gone while the collector takes it apart. */
static PyObject *frame_list(wax_store *store, const wa_call_info *info)
{
    PyObject *frames = PyList_New(info->frame_count);
    for (uint32_t i = 0; frames != NULL && i < info->frame_count; i++) {
        PyObject *artifact = wax_store_kept(store, info->frames[i].artifact);
        PyObject *frame = PyErr_Occurred() ? NULL
                                           : Py_BuildValue("Okk", artifact == NULL ? Py_None : artifact,
                                                           (unsigned long)info->frames[i].func_index,
                                                           (unsigned long)info->frames[i].text_offset);
        if (frame == NULL)
            Py_CLEAR(frames);
        else
            PyList_SET_ITEM(frames, i, frame);
    }
    return frames;
}

static void raise_trap(wax_store *store, const wa_call_info *info)
{
    PyObject *helper = wax_help(WAX_MAKE_TRAP);
    PyObject *frames = helper == NULL ? NULL : frame_list(store, info);
    wax_raise_object(frames == NULL ? NULL : PyObject_CallFunction(helper, "kN", (unsigned long)info->trap_code, frames));
}

/* Run a function, or the init code of an instance where function is NULL. Returns 0, or -1 with an exception set. is_inside:
 * whether the caller has entered the store. pins: whether wa_pin is to follow, which the caller ends. */
static inline __attribute__((always_inline)) int run(wax_store *store, const wa_function *function, wa_entry entry, uint64_t *slots,
                                                     wa_instance *instance, bool keeps_gil, bool is_inside, bool pins)
{
    wax_call call; /* not cleared: most of it is room for frames */
    call.thread = NULL;
    call.store = store;
    call.caller = NULL;
    call.info.user = &call;
    call.info.is_away = !keeps_gil;
    /* With the GIL kept, a store that is free stays so: others enter with the GIL, or get it before they do anything inside.
     * Not to enter saves two locked instructions, a quarter of a call. */
    bool enters = !is_inside && (!keeps_gil || !wa_store_is_free(store->native));
    /* A SIGINT that came since Python last looked must not wait for the guest; one that comes from here on ends it. */
    if ((!keeps_gil && wa_take_interrupt() && PyErr_CheckSignals() < 0) || (enters && wax_store_enter(store) < 0)) {
        if (pins)
            wa_pin(store->native);
        return -1;
    }
    if (!keeps_gil)
        call.thread = PyEval_SaveThread();
    int outcome = function != NULL ? wa_call(store->native, function, entry, slots, &call.info)
                                   : wa_call_init(store->native, instance, &call.info);
    if (pins) /* before anybody else is inside: results are where no collector looks */
        wa_pin(store->native);
    if (enters)
        wa_store_leave(store->native);
    if (call.thread != NULL)
        PyEval_RestoreThread(call.thread);
    Py_XDECREF(call.caller);
    if (__builtin_expect(outcome == WA_RETURNED, 1))
        return 0;
    /* Python's own handler has noted the signal, and raises KeyboardInterrupt now; another one that was set at this moment
     * need not raise anything. */
    if (outcome == WA_INTERRUPTED && PyErr_CheckSignals() == 0) {
        call.info.trap_code = WA_TRAP_INTERRUPTED;
        outcome = WA_TRAPPED;
    }
    if (outcome == WA_TRAPPED)
        raise_trap(store, &call.info);
    if (outcome == WA_THREW)
        wax_raise_exception(store, call.info.exception);
    return -1;
}

/* Ctrl-C ends a call where Python does with it what it does by default. A handler of the program's own may want the guest to
 * go on; it runs when the guest returns or calls back, as for any C function. This may run in a signal handler, which found the
 * thread in compiled code, on a stack that CPython doesn't know: so getsignal is called past the interpreter, which would
 * check for an overflow. */
bool wax_judge_interrupt(void *user)
{
    wax_call *call = user;
    PyEval_RestoreThread(call->thread);
    PyObject *getsignal = wax_help(WAX_GETSIGNAL), *standard = wax_help(WAX_DEFAULT_INT_HANDLER), *handler = NULL;
    PyObject *number = PyLong_FromLong(SIGINT);
    if (getsignal != NULL && number != NULL && PyCFunction_Check(getsignal) && PyCFunction_GET_FLAGS(getsignal) == METH_O)
        handler = PyCFunction_GET_FUNCTION(getsignal)(PyCFunction_GET_SELF(getsignal), number);
    bool ends = handler != NULL && handler == standard;
    PyErr_Clear();
    Py_XDECREF(number);
    Py_XDECREF(handler);
    call->thread = PyEval_SaveThread();
    return ends;
}

int wax_run_init(wax_store *store, wa_instance *instance)
{
    return run(store, NULL, NULL, NULL, instance, false, false, false);
}

int wax_run_inside(wax_store *store, const wa_function *function, wa_entry entry, uint64_t *slots, bool keeps_gil)
{
    wax_store_pin(store); /* as all calls do: whoever looks for handles counts them */
    int failed = run(store, function, entry, slots, NULL, keeps_gil, true, false);
    wax_store_unpin(store);
    return failed;
}

/* "add(i32, i32) -> i32: result 2", a new reference; number 0: without one. */
static PyObject *place(const wax_func *func, const char *what, Py_ssize_t number)
{
    PyObject *description = wax_func_describe(func), *text = NULL;
    if (description != NULL && number != 0)
        text = PyUnicode_FromFormat("%U: %s %zd", description, what, number);
    else if (description != NULL)
        text = PyUnicode_FromFormat("%U: %s", description, what);
    Py_XDECREF(description);
    return text;
}

static PyObject *wrong_arguments(const wax_func *func, Py_ssize_t found, PyObject *kwnames)
{
    PyObject *description = wax_func_describe(func);
    if (description != NULL && kwnames != NULL && PyTuple_GET_SIZE(kwnames) != 0)
        PyErr_Format(PyExc_TypeError, "%U takes no keyword arguments, found %R", description, PyTuple_GET_ITEM(kwnames, 0));
    else if (description != NULL)
        PyErr_Format(PyExc_TypeError, "%U expects %u arguments, found %zd", description, func->type->param_count, found);
    Py_XDECREF(description);
    return NULL;
}

static bool has_right_count(const wax_func *func, Py_ssize_t count, PyObject *kwnames)
{
    return count == (Py_ssize_t)func->type->param_count && (kwnames == NULL || PyTuple_GET_SIZE(kwnames) == 0);
}

static PyObject *results_to_python(const wax_func *func, wax_store *store, const uint64_t *slots)
{
    const wax_signature *type = func->type;
    const uint8_t *conversions = type->conversions + type->param_count;
    if (type->result_count == 0)
        Py_RETURN_NONE;
    if (type->result_count == 1)
        return wax_from_slots(store, conversions[0], slots);
    PyObject *results = PyTuple_New(type->result_count);
    for (uint32_t i = 0; results != NULL && i < type->result_count; i++) {
        PyObject *value = wax_from_slots(store, conversions[i], slots);
        slots += wax_slots_of(conversions[i]);
        if (value == NULL)
            Py_CLEAR(results);
        else
            PyTuple_SET_ITEM(results, i, value);
    }
    return results;
}

/* A value of a type that stands in the module of this instance. */
static __attribute__((cold, noinline)) wax_outcome typed_to_slot(wax_store *store, const wa_instance *instance, uint32_t valtype,
                                                                 PyObject *value, uint64_t *slot)
{
    bool is_function;
    wax_outcome outcome = instance == NULL ? WAX_WRONG_TYPE : wax_typed_to_slot(store, value, slot, &is_function);
    if (outcome != WAX_CONVERTED)
        return outcome;
    return wa_artifact_takes(wa_instance_artifact(instance), valtype, is_function, *slot) ? WAX_CONVERTED : WAX_WRONG_TYPE;
}

/* Arguments of a call, or results of a host function, for the instance of this record. 0, or -1 with an exception set for the
 * first that does not fit. */
static int values_to_slots(const wax_func *func, wax_store *store, const wa_function *record, const uint8_t *conversions,
                           PyObject *const *values, uint32_t count, PyObject *names, const char *what, uint64_t *slots)
{
    for (uint32_t i = 0; i < count; i++) {
        wax_conversion conversion = conversions[i];
        wax_outcome outcome =
            wax_plain_to_slot(conversion, values[i], slots) ? WAX_CONVERTED : wax_to_slots(store, conversion, values[i], slots);
        if (__builtin_expect(outcome == WAX_WRONG_TYPE, 0) && wax_is_typed(conversion))
            outcome = typed_to_slot(store, record->instance, func->type->codes[conversions + i - func->type->conversions], values[i], slots);
        if (__builtin_expect(outcome != WAX_CONVERTED, 0)) {
            if (outcome != WAX_RAISED)
                wax_raise_value(outcome, place(func, what, i + 1), PyTuple_GET_ITEM(names, i), values[i]);
            return -1;
        }
        slots += wax_slots_of(conversion);
    }
    return 0;
}

static uint32_t slot_total(const uint8_t *conversions, uint32_t count)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < count; i++)
        total += (uint32_t)wax_slots_of(conversions[i]);
    return total;
}

/* The same where a collection may not come before the results are Python objects. */
static __attribute__((cold, noinline)) PyObject *call_for_references(wax_func *func, PyObject *const *args, uint64_t *slots)
{
    wax_signature *type = func->type;
    wax_store *store = func->store;
    PyObject *result = NULL;
    wax_store_pin(store);
    if (values_to_slots(func, store, func->record, type->conversions, args, type->param_count, type->params, "argument", slots) == 0) {
        if (run(store, func->record, func->entry, slots, NULL, func->is_short, false, true) == 0)
            result = results_to_python(func, store, slots);
        wa_unpin(store->native);
    }
    wax_store_unpin(store);
    return result;
}

static PyObject *call_with_slots(wax_func *func, PyObject *const *args, uint64_t *slots)
{
    wax_signature *type = func->type;
    wax_store *store = func->store;
    PyObject *result = NULL;
    if (__builtin_expect(type->returns_references, 0))
        return call_for_references(func, args, slots);
    wax_store_pin(store);
    if (values_to_slots(func, store, func->record, type->conversions, args, type->param_count, type->params, "argument", slots) == 0 &&
        run(store, func->record, func->entry, slots, NULL, func->is_short, false, false) == 0)
        result = results_to_python(func, store, slots);
    wax_store_unpin(store);
    return result;
}

PyObject *wax_call_wasm(PyObject *callable, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    wax_func *func = (wax_func *)callable;
    Py_ssize_t count = PyVectorcall_NARGS(nargsf);
    if (__builtin_expect(!has_right_count(func, count, kwnames), 0))
        return wrong_arguments(func, count, kwnames);
    if (func->entry == NULL) {
        PyObject *description = wax_func_describe(func);
        if (description != NULL)
            PyErr_Format(PyExc_TypeError, "%U can't be called from Python: the artifact has no entry for its type", description);
        Py_XDECREF(description);
        return NULL;
    }
    if (func->type->slot_count <= WAX_INLINE_SLOTS) {
        uint64_t slots[WAX_INLINE_SLOTS];
        return call_with_slots(func, args, slots);
    }
    uint64_t *slots = PyMem_Malloc(sizeof *slots * func->type->slot_count);
    if (slots == NULL)
        return PyErr_NoMemory();
    PyObject *result = call_with_slots(func, args, slots);
    PyMem_Free(slots);
    return result;
}

/* func.call_bits(slots) -> slots: the call without conversion, for values that Python numbers can't carry. */
PyObject *wax_call_bits(PyObject *self, PyObject *argument)
{
    wax_func *func = (wax_func *)self;
    if (func->entry == NULL)
        return PyErr_Format(PyExc_TypeError, "call_bits works on functions of WebAssembly instances only");
    /* A reference as a number would let Python forge pointers. */
    for (uint32_t i = 0; i < func->type->param_count + func->type->result_count; i++)
        if (func->type->conversions[i] > WAX_V128)
            return PyErr_Format(PyExc_TypeError, "call_bits works on functions of numbers and vectors only");
    PyObject *given = PySequence_Fast(argument, "call_bits expects a sequence of integers");
    uint64_t *slots = given == NULL ? NULL : PyMem_Calloc((size_t)func->type->slot_count + 1, sizeof *slots);
    if (given != NULL && slots == NULL)
        PyErr_NoMemory();
    uint32_t params = slot_total(func->type->conversions, func->type->param_count);
    uint32_t results = slot_total(func->type->conversions + func->type->param_count, func->type->result_count);
    PyObject *result = NULL;
    if (given != NULL && slots != NULL && PySequence_Fast_GET_SIZE(given) != (Py_ssize_t)params)
        PyErr_Format(PyExc_TypeError, "call_bits expects %u slots, found %zd", params, PySequence_Fast_GET_SIZE(given));
    for (uint32_t i = 0; slots != NULL && !PyErr_Occurred() && i < params; i++)
        slots[i] = PyLong_AsUnsignedLongLong(PySequence_Fast_GET_ITEM(given, (Py_ssize_t)i));
    if (slots != NULL && !PyErr_Occurred()) {
        wax_store_pin(func->store);
        if (run(func->store, func->record, func->entry, slots, NULL, func->is_short, false, false) == 0)
            result = PyList_New(results);
        for (uint32_t i = 0; result != NULL && i < results; i++) {
            PyObject *bits = PyLong_FromUnsignedLongLong(slots[i]);
            if (bits == NULL)
                Py_CLEAR(result);
            else
                PyList_SET_ITEM(result, i, bits);
        }
        wax_store_unpin(func->store);
    }
    PyMem_Free(slots);
    Py_XDECREF(given);
    return result;
}

/* ---- into Python ------------------------------------------------------------------------------------------------------- */

/* What the callable of a host function is called with: values are owned, values[-1] is room for the vectorcall protocol. */
typedef struct arguments {
    PyObject *inline_values[10];
    PyObject **values;
    uint32_t count;
} arguments;

static int begin_arguments(arguments *args, const wax_func *func)
{
    size_t needed = (size_t)func->type->param_count + 2; /* one for the protocol, one for the caller */
    PyObject **all = args->inline_values;
    if (needed > sizeof args->inline_values / sizeof args->inline_values[0]) {
        all = PyMem_Malloc(sizeof *all * needed);
        if (all == NULL) {
            PyErr_NoMemory();
            return -1;
        }
    }
    args->values = all + 1;
    args->count = 0;
    return 0;
}

static void end_arguments(arguments *args)
{
    for (uint32_t i = 0; i < args->count; i++)
        Py_DECREF(args->values[i]);
    if (args->values != args->inline_values + 1)
        PyMem_Free(args->values - 1);
}

/* Takes over the reference; -1 where it is NULL. */
static int add_argument(arguments *args, PyObject *value)
{
    if (value == NULL)
        return -1;
    args->values[args->count++] = value;
    return 0;
}

/* Call the Python side: new reference. */
static PyObject *call_callable(wax_func *func, arguments *args)
{
    if (func->callable == NULL) {
        PyErr_SetString(PyExc_ReferenceError, "the Python function behind this reference is gone");
        return NULL;
    }
    PyObject *callable = Py_NewRef(func->callable);
    PyObject *result = PyObject_Vectorcall(callable, args->values, args->count | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    Py_DECREF(callable);
    if (result != NULL && PyCoro_CheckExact(result))
        Py_SETREF(result, wax_call_helper(WAX_AWAIT_HOST, result, NULL, NULL));
    return result;
}

/* The values of a callable's result as an array: the result itself, or the items of a tuple or list. NULL with an
 * exception set where the number is wrong. A list is replaced by a tuple: converting one value may run code that changes
 * the list. */
static PyObject *const *result_values(const wax_func *func, PyObject **result)
{
    uint32_t expected = func->type->result_count;
    if (expected > 1 && PyList_Check(*result)) {
        PyObject *tuple = PyList_AsTuple(*result);
        if (tuple == NULL)
            return NULL;
        Py_SETREF(*result, tuple);
    }
    if (expected == 1)
        return result;
    if (expected == 0 && *result == Py_None)
        return result;
    if (expected > 1 && PyTuple_Check(*result) && PyTuple_GET_SIZE(*result) == (Py_ssize_t)expected)
        return PySequence_Fast_ITEMS(*result);
    PyObject *where = place(func, "the host function must return", 0);
    if (where != NULL && expected == 0)
        PyErr_Format(PyExc_TypeError, "%U None, found %s", where, Py_TYPE(*result)->tp_name);
    else if (where != NULL && PyTuple_Check(*result))
        PyErr_Format(PyExc_TypeError, "%U a tuple of %u values, found %zd values", where, expected, PyTuple_GET_SIZE(*result));
    else if (where != NULL)
        PyErr_Format(PyExc_TypeError, "%U a tuple of %u values, found %s", where, expected, Py_TYPE(*result)->tp_name);
    Py_XDECREF(where);
    return NULL;
}

/* The Instance that called: a new reference. Kept until the call from Python returns: a guest that calls in a loop would
 * otherwise find it, or have it made, each time. */
static PyObject *caller_of(wa_function *record, wax_call *call)
{
    if (call->caller == NULL || ((wax_entity *)call->caller)->native != record->instance) {
        PyObject *caller = wax_entity_wrap(WAX_KIND_INSTANCE, record->instance, call->store);
        if (caller == NULL)
            return NULL;
        Py_XSETREF(call->caller, caller);
    }
    return Py_NewRef(call->caller);
}

/* The call of a host function by the guest, with the GIL: 0, or -1 with an exception set. */
static int call_from_guest(wa_function *record, wax_call *call, uint64_t *slots)
{
    wax_store *store = call->store;
    wax_func *func = wax_func_of_host(record->host);
    if (func == NULL) {
        PyErr_SetString(PyExc_ReferenceError, "the Python function behind this import is gone");
        return -1;
    }
    const wax_signature *type = func->type;
    arguments args;
    if (begin_arguments(&args, func) < 0)
        return -1;
    Py_INCREF(func);
    int failed = func->passes_caller ? add_argument(&args, caller_of(record, call)) : 0;
    const uint64_t *params = slots;
    for (uint32_t i = 0; !failed && i < type->param_count; i++) {
        failed = add_argument(&args, wax_from_slots(store, type->conversions[i], params));
        params += wax_slots_of(type->conversions[i]);
    }
    PyObject *result = failed ? NULL : call_callable(func, &args);
    PyObject *const *values = result == NULL ? NULL : result_values(func, &result);
    failed = values == NULL ? -1
                            : values_to_slots(func, store, record, type->conversions + type->param_count, values, type->result_count,
                                              type->results, "result", slots);
    Py_XDECREF(result);
    end_arguments(&args);
    Py_DECREF(func);
    return failed;
}

/* What a stack is known by: the part of Python's own stack that the caller's frames lie in. Who switches stacks (greenlet) has to
 * give each one its own, else Python's frames would be lost. The last part of a stack stays as long as the stack does. */
static bool runs_here(void *user, const void *mark)
{
    const wax_call *call = user;
#if PY_VERSION_HEX >= 0x030d0000
    const PyThreadState *thread = call != NULL && call->thread != NULL ? call->thread : PyThreadState_GetUnchecked();
#else
    const PyThreadState *thread = call != NULL && call->thread != NULL ? call->thread : _PyThreadState_UncheckedGet();
#endif
    const _PyStackChunk *chunk = thread == NULL ? NULL : thread->datastack_chunk;
    while (chunk != NULL && chunk != mark)
        chunk = chunk->previous;
    return chunk != NULL;
}

void wax_tell_stacks_apart(void)
{
    wa_stacks_tell_apart(runs_here);
}

/* No function in Python has run on this stack yet. One does now, and leaves what the stack is known by. */
static __attribute__((cold, noinline)) void begin_first(PyThreadState *thread)
{
    PyObject *names = PyDict_New();
    PyObject *result = names == NULL ? NULL : PyRun_String("0", Py_eval_input, names, names);
    if (result == NULL)
        PyErr_Clear();
    Py_XDECREF(result);
    Py_XDECREF(names);
    wa_embedder_begins(thread->datastack_chunk);
}

wax_call *wax_enter_python(void)
{
    wax_call *call = wa_current_user();
    PyThreadState *saved = call->thread, *thread = saved != NULL ? saved : PyThreadState_Get();
    wa_embedder_begins(thread->datastack_chunk);
    if (saved != NULL)
        PyEval_RestoreThread(saved);
    call->thread = NULL; /* an unwound call finds the GIL taken */
    if (__builtin_expect(thread->datastack_chunk == NULL, 0))
        begin_first(thread);
    return call;
}

/* After wa_embedder_ends: 0, or -1 with an exception set. */
static __attribute__((cold, noinline)) int heed(wax_call *call, int found)
{
    while (found == WA_SIGINT_CAME) { /* when Python had looked for the last time */
        if (PyErr_CheckSignals() < 0)
            return -1;
        found = wa_embedder_ends(call);
    }
    if (found == WA_INTERLEAVED && !PyErr_Occurred())
        raise_trap(call->store, &call->info);
    return found == WA_GOES_ON ? 0 : -1;
}

int wax_leave_python(wax_call *call)
{
    int found = wa_embedder_ends(call);
    if (__builtin_expect(found != WA_GOES_ON, 0) && heed(call, found) < 0)
        return -1;
    if (call->info.is_away)
        call->thread = PyEval_SaveThread();
    return 0;
}

int wax_leave_raised(wax_call *call)
{
    wa_embedder_is_back(call); /* wa_unwind leaves this stack's innermost call */
    return -1;
}

int wax_heed_stops(wax_call *call)
{
    (void)wa_take_interrupt();
    if (PyErr_CheckSignals() < 0)
        return -1;
    if (!wa_embedder_is_stopped())
        return 0;
    raise_trap(call->store, &call->info);
    return -1;
}

bool wax_heed_signals(void)
{
    wax_call *call = wax_enter_python();
    return (PyErr_CheckSignals() < 0 ? wax_leave_raised(call) : wax_leave_python(call)) < 0;
}

void wax_invoke_host(wa_function *record, uint64_t *slots)
{
    if (wa_stack_is_short())
        wa_trap(WA_TRAP_STACK_EXHAUSTED);
    wax_call *call = wax_enter_python();
    bool threw = call_from_guest(record, call, slots) < 0;
    bool is_thrown = threw && wa_embedder_is_back(call) && wax_throw_raised(call->store, record->instance);
    if ((threw && !is_thrown ? wax_leave_raised(call) : wax_leave_python(call)) < 0)
        wa_unwind();
    wa_leave_if_interrupted();
    if (threw && !wa_instance_checks_exceptions(record->instance))
        wa_leave_by_exception();
}

/* ---- from Python into Python: a host function called directly ------------------------------------------------------------ */

/* One value as the crossing would change it: 0, or -1 with an exception set. */
static int pass(const wax_func *func, wax_conversion conversion, PyObject *value, const char *what, uint32_t number, PyObject *type_name,
                PyObject **passed)
{
    wax_outcome outcome = wax_pass(conversion, value, passed);
    if (outcome != WAX_CONVERTED && outcome != WAX_RAISED)
        wax_raise_value(outcome, place(func, what, number), type_name, value);
    return outcome == WAX_CONVERTED ? 0 : -1;
}

static PyObject *pass_results(const wax_func *func, PyObject **result)
{
    const wax_signature *type = func->type;
    PyObject *const *values = result_values(func, result);
    if (values == NULL)
        return NULL;
    if (type->result_count == 0)
        Py_RETURN_NONE;
    PyObject *passed = NULL, *results = type->result_count == 1 ? NULL : PyTuple_New(type->result_count);
    if (type->result_count > 1 && results == NULL)
        return NULL;
    for (uint32_t i = 0; i < type->result_count; i++) {
        if (pass(func, type->conversions[type->param_count + i], values[i], "result", i + 1, PyTuple_GET_ITEM(type->results, i),
                 &passed) < 0) {
            Py_XDECREF(results);
            return NULL;
        }
        if (results != NULL)
            PyTuple_SET_ITEM(results, i, passed);
    }
    return results != NULL ? results : passed;
}

PyObject *wax_call_host(PyObject *object, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    wax_func *func = (wax_func *)object;
    Py_ssize_t count = PyVectorcall_NARGS(nargsf);
    arguments passed;
    if (!has_right_count(func, count, kwnames))
        return wrong_arguments(func, count, kwnames);
    if (begin_arguments(&passed, func) < 0)
        return NULL;
    int failed = func->passes_caller ? add_argument(&passed, Py_NewRef(Py_None)) : 0;
    for (uint32_t i = 0; !failed && i < func->type->param_count; i++) {
        PyObject *value = NULL;
        failed = pass(func, func->type->conversions[i], args[i], "argument", i + 1, PyTuple_GET_ITEM(func->type->params, i), &value);
        failed = failed ? failed : add_argument(&passed, value);
    }
    PyObject *result = failed ? NULL : call_callable(func, &passed);
    PyObject *checked = result == NULL ? NULL : pass_results(func, &result);
    Py_XDECREF(result);
    end_arguments(&passed);
    return checked;
}
