/* Calls of components: exports from Python, and imports that Python functions are. */
#include "component.h"

/* ---- exports -------------------------------------------------------------------------------------------------------------- */

static PyObject *parameter_name(const wax_component_func *func, uint32_t number)
{
    return wax_component_text(func->instance->component, func->type->items[number].name);
}

/* The exception that is set, and its class, if it is one of a value that does not fit: owned, and set no more. */
static PyObject *take_misfit(PyObject **class)
{
    PyObject *raised, *traceback;
    PyErr_Fetch(class, &raised, &traceback);
    if (*class != PyExc_TypeError && *class != PyExc_OverflowError && *class != PyExc_ValueError) {
        PyErr_Restore(*class, raised, traceback);
        return NULL;
    }
    PyErr_NormalizeException(class, &raised, &traceback);
    Py_XDECREF(traceback);
    return raised;
}

/* Put the function and the parameter in front of the words of the exception that is set. */
static __attribute__((cold, noinline)) void in_argument(const wax_component_func *func, uint32_t number)
{
    PyObject *class, *raised = take_misfit(&class);
    if (raised == NULL)
        return;
    PyObject *name = parameter_name(func, number);
    if (name != NULL)
        PyErr_Format(class, "%U: argument %U: %S", func->name, name, raised);
    Py_XDECREF(name);
    Py_DECREF(class);
    Py_DECREF(raised);
}

/* More arguments than there are registers for go into the guest's memory. */
static int store_arguments(wax_passing *passing, const wax_component_func *func, PyObject *const *args, uint64_t *slots)
{
    const wac_type *type = func->type;
    uint32_t pointer;
    uint8_t *bytes;
    uint32_t trap = wac_allocate(&passing->instance->native, passing->options, 0, 0, type->align_bytes, type->size_bytes, &pointer,
                                 &bytes);
    if (trap != 0) {
        passing->is_trapped = true;
        wax_raise_trap_code(trap);
        return -1;
    }
    slots[0] = pointer;
    for (uint32_t i = 0; i + 1 < type->item_count; i++) {
        if (wax_store_value(passing, type->parts[i], args[i], bytes + type->offsets[i]) < 0) {
            in_argument(func, i);
            return -1;
        }
    }
    return 0;
}

static int lower_arguments(wax_passing *passing, const wax_component_func *func, PyObject *const *args, uint64_t *slots)
{
    const wac_type *type = func->type;
    for (uint32_t i = 0; i + 1 < type->item_count; i++) {
        if (wax_lower_value(passing, type->parts[i], args[i], slots) < 0) {
            in_argument(func, i);
            return -1;
        }
        slots += type->parts[i]->flat_count;
    }
    return 0;
}

/* What a result's bytes are, in a guest's memory where registers don't hold them. NULL with a Trap. */
static const uint8_t *result_bytes(const wac_options *options, const wac_type *result, const uint64_t *slots, uint8_t *flat_bytes)
{
    uint32_t trap = 0;
    const uint8_t *bytes = flat_bytes;
    if (result->flat_count <= WA_MAX_FLAT_RESULTS) {
        trap = wac_from_flat(result, slots, flat_bytes);
    } else if (((uint32_t)slots[0] & (result->align_bytes - 1u)) != 0) {
        trap = WA_TRAP_UNALIGNED_POINTER;
    } else {
        bytes = wac_place(options, (uint32_t)slots[0], result->size_bytes);
        trap = bytes == NULL ? WA_TRAP_POINTER_OUT_OF_BOUNDS : 0;
    }
    if (trap == 0)
        return bytes;
    wax_raise_trap_code(trap);
    return NULL;
}

/* A function's result: of a result, its value, or the Err that it raises: *err. */
static PyObject *load_result(wax_passing *passing, const wac_type *result, const uint64_t *slots, PyObject **err)
{
    uint8_t flat_bytes[WAC_FLAT_BYTES];
    if (result == NULL)
        return Py_NewRef(Py_None);
    if (result->kind <= WA_CTYPE_CHAR)
        return wax_load_scalar(result, slots[0]);
    const uint8_t *bytes = result_bytes(passing->options, result, slots, flat_bytes);
    if (bytes == NULL || result->kind != WA_CTYPE_RESULT)
        return bytes == NULL ? NULL : wax_load_value(passing, result, bytes);
    PyObject *wrapper = wax_load_value(passing, result, bytes);
    if (wrapper != NULL && wac_discriminant(result, bytes) == 1) {
        *err = wrapper;
        return Py_NewRef(Py_None);
    }
    PyObject *value = wrapper == NULL ? NULL : PyObject_GetAttrString(wrapper, "value");
    Py_XDECREF(wrapper);
    return value;
}

/* After the arguments: 0, or -1 with an exception set, and the instance is not to be entered again. */
static int run_lifted(wax_passing *passing, const wax_component_func *func, uint64_t *slots, PyObject **value, PyObject **err)
{
    wax_component_instance *instance = passing->instance;
    wa_component_instance *native = &instance->native;
    const wac_options *options = func->options;
    if (wax_component_run(native, &options->lifted, slots) != 0)
        return -1;
    *value = load_result(passing, wac_result(func->type), slots, err);
    if (*value == NULL)
        return -1;
    if (options->post_return.function != NULL) {
        native->subs[options->sub].may_not_leave = true;
        uint32_t problem = wax_component_run(native, &options->post_return, slots);
        native->subs[options->sub].may_not_leave = false;
        if (problem != 0)
            return -1;
    }
    uint32_t trap = wac_scope_end(native, passing->scope);
    if (trap == 0)
        return 0;
    wax_raise_trap_code(trap);
    return -1;
}

/* An exception that is set stays. */
static void leave_lifted(wax_passing *passing, bool is_poisoned)
{
    PyObject *class = NULL, *raised = NULL, *traceback = NULL;
    bool has_raised = PyErr_Occurred() != NULL;
    if (has_raised)
        PyErr_Fetch(&class, &raised, &traceback);
    if (passing->given_count != 0 || passing->lent != NULL)
        wax_passing_end(passing);
    wax_component_leave(passing->instance, is_poisoned);
    if (has_raised)
        PyErr_Restore(class, raised, traceback);
}

static PyObject *call_lifted(wax_component_func *func, PyObject *const *args)
{
    wax_component_instance *instance = func->instance;
    uint64_t slots[WA_MAX_FLAT_PARAMS + 1];
    wax_passing passing;
    wac_scope scope;
    PyObject *value = NULL, *err = NULL;
    if (wax_component_enter(instance) < 0)
        return NULL;
    wac_scope_begin(&instance->native, &scope);
    wax_passing_begin(&passing, instance, func->options, &scope);
    int failed = func->type->flat_count == WAC_NOT_FLAT ? store_arguments(&passing, func, args, slots)
                                                        : lower_arguments(&passing, func, args, slots);
    if (failed) { /* A wrong argument leaves all as it was, but for what a realloc did that trapped. */
        PyObject *class, *raised, *traceback;
        PyErr_Fetch(&class, &raised, &traceback);
        wax_passing_undo(&passing);
        PyErr_Restore(class, raised, traceback);
        leave_lifted(&passing, passing.is_trapped);
        return NULL;
    }
    wax_passing_commit(&passing);
    failed = run_lifted(&passing, func, slots, &value, &err);
    leave_lifted(&passing, failed != 0);
    if (failed)
        Py_CLEAR(value);
    if (err != NULL && !failed) {
        PyErr_SetObject((PyObject *)Py_TYPE(err), err);
        Py_CLEAR(value);
    }
    Py_XDECREF(err);
    return value;
}

/* Whether the store need not be entered: a short function keeps the GIL, so that a store that is free stays so, as in call.c. */
static bool stays_out(const wax_component_func *func)
{
    const wa_component_instance *native = &func->instance->native;
    return func->options->lifted.is_short && !native->is_poisoned && !native->is_entered &&
           wa_store_is_free(func->instance->store->native);
}

/* Functions of scalars alone touch neither memory nor handles. */
static PyObject *call_scalars(wax_component_func *func, PyObject *const *args)
{
    wax_component_instance *instance = func->instance;
    const wac_type *type = func->type, *result = wac_result(type);
    uint64_t slots[WA_MAX_FLAT_PARAMS + 1];
    for (uint32_t i = 0; i + 1 < type->item_count; i++) {
        if (!wax_store_scalar(type->parts[i], args[i], &slots[i])) {
            in_argument(func, i);
            return NULL;
        }
    }
    bool enters = !stays_out(func);
    if (enters && wax_component_enter(instance) < 0)
        return NULL;
    instance->native.is_entered = true;
    int failed = wax_component_run(&instance->native, &func->options->lifted, slots) != 0;
    PyObject *value = failed ? NULL : result == NULL ? Py_NewRef(Py_None) : wax_load_scalar(result, slots[0]);
    if (enters) {
        wax_component_leave(instance, value == NULL);
    } else { /* no resource waits for this: no code of Python's has run, but where it failed */
        instance->native.is_entered = false;
        instance->native.is_poisoned = value == NULL;
    }
    return value;
}

/* Whether a keyword names a parameter: as in WIT, with underscores in the place of dashes, and one more at the end where somebody
 * needs it, as `from_` for `from`. 1 or 0, or -1 with an exception set. */
static int is_called(const wax_component_func *func, uint32_t number, PyObject *given)
{
    PyObject *name = parameter_name(func, number), *dash = PyUnicode_FromString("-"), *line = PyUnicode_FromString("_");
    PyObject *snake = name == NULL || dash == NULL || line == NULL ? NULL : PyUnicode_Replace(name, dash, line, -1);
    int is_it = snake == NULL ? -1 : PyUnicode_Compare(snake, given) == 0;
    PyObject *longer = is_it == 0 ? PyUnicode_Concat(snake, line) : NULL;
    if (is_it == 0)
        is_it = longer == NULL ? -1 : PyUnicode_Compare(longer, given) == 0;
    Py_XDECREF(name);
    Py_XDECREF(dash);
    Py_XDECREF(line);
    Py_XDECREF(snake);
    Py_XDECREF(longer);
    return is_it;
}

/* Arguments by name: a new array, to be freed by PyMem_Free; NULL with an exception set. */
static __attribute__((cold, noinline)) PyObject **named_arguments(const wax_component_func *func, PyObject *const *args, Py_ssize_t count, PyObject *kwnames)
{
    uint32_t wanted = func->type->item_count - 1;
    PyObject **all = PyMem_Calloc(wanted + 1u, sizeof *all);
    if (all == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    for (Py_ssize_t i = 0; i < count && i < (Py_ssize_t)wanted; i++)
        all[i] = args[i];
    Py_ssize_t named = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    bool fits = count <= (Py_ssize_t)wanted;
    for (Py_ssize_t k = 0; fits && k < named; k++) {
        PyObject *given = PyTuple_GET_ITEM(kwnames, k);
        fits = false;
        for (uint32_t i = (uint32_t)count; i < wanted && !fits; i++) {
            int is_it = all[i] == NULL ? is_called(func, i, given) : 0;
            if (is_it > 0) {
                all[i] = args[count + k];
                fits = true;
            }
            if (is_it < 0)
                break;
        }
        if (!fits && !PyErr_Occurred())
            PyErr_Format(PyExc_TypeError, "%U has no parameter %R, or it was given twice", func->name, given);
    }
    for (uint32_t i = 0; fits && i < wanted; i++)
        fits = all[i] != NULL;
    if (fits)
        return all;
    if (!PyErr_Occurred())
        PyErr_Format(PyExc_TypeError, "%U takes %u arguments, found %zd", func->name, wanted, count + named);
    PyMem_Free(all);
    return NULL;
}

static PyObject *func_call(PyObject *object, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    wax_component_func *func = (wax_component_func *)object;
    Py_ssize_t count = PyVectorcall_NARGS(nargsf);
    bool has_names = kwnames != NULL && PyTuple_GET_SIZE(kwnames) != 0;
    PyObject **named = NULL;
    if (func->instance == NULL) {
        PyErr_SetString(PyExc_ReferenceError, "the instance of this function is gone");
        return NULL;
    }
    if (has_names || count + 1 != (Py_ssize_t)func->type->item_count) {
        named = named_arguments(func, args, count, kwnames);
        if (named == NULL)
            return NULL;
    }
    PyObject *const *all = named != NULL ? named : args;
    PyObject *value = func->is_scalar ? call_scalars(func, all) : call_lifted(func, all);
    PyMem_Free(named);
    return value;
}

/* Whether all values are scalars, in registers, and nothing is to be done afterwards. */
static bool is_scalar(const wac_options *options, const wac_type *type)
{
    const wac_type *result = wac_result(type);
    bool is_scalar = options->post_return.function == NULL && type->item_count <= WA_MAX_FLAT_PARAMS + 1 &&
                     (result == NULL || result->kind <= WA_CTYPE_CHAR);
    for (uint32_t i = 0; is_scalar && i + 1 < type->item_count; i++)
        is_scalar = type->parts[i]->kind <= WA_CTYPE_CHAR;
    return is_scalar;
}

PyObject *wax_component_func_new(wax_component_instance *instance, uint32_t canon, PyObject *name)
{
    const wa_component *description = instance->native.component;
    if (canon >= description->canon_count || description->canons[canon].kind != WA_CANON_LIFT)
        return PyErr_Format(PyExc_ValueError, "row %u is no lifted function", canon);
    if (wax_store_enter(instance->store) < 0)
        return NULL;
    const wac_options *options = wac_options_of(&instance->native, canon);
    wa_store_leave(instance->store->native);
    if (options == NULL)
        return wax_raise_trap_code(WA_TRAP_DAMAGED_COMPONENT);
    wax_component_func *func =
        (wax_component_func *)PyType_GenericAlloc(wax_here()->component_func_type, 0);
    if (func == NULL)
        return NULL;
    func->vectorcall = func_call;
    func->instance = (wax_component_instance *)Py_NewRef(instance);
    func->options = options;
    func->type = &description->types[description->canons[canon].type - 1];
    func->canon = canon;
    func->is_scalar = is_scalar(options, func->type);
    func->name = Py_NewRef(name);
    if (options->lifted.entry == NULL) {
        wax_raise_trap_code(WA_TRAP_MISSING_TRAMPOLINE);
        Py_CLEAR(func);
    }
    return (PyObject *)func;
}

/* A method of a resource, taken off it: the receiver goes in front of the arguments. */
static PyObject *bound_call(PyObject *object, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    PyObject *receiver = ((wax_component_func *)object)->receiver, *few[WA_MAX_FLAT_PARAMS + 1];
    Py_ssize_t count = PyVectorcall_NARGS(nargsf), given = count + (kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames));
    PyObject **all = given < (Py_ssize_t)(sizeof few / sizeof *few) ? few : PyMem_Malloc(((size_t)given + 1) * sizeof *all);
    if (all == NULL)
        return PyErr_NoMemory();
    all[0] = receiver;
    if (given > 0)
        memcpy(all + 1, args, (size_t)given * sizeof *all);
    PyObject *value = func_call(object, all, (size_t)count + 1, kwnames);
    if (all != few)
        PyMem_Free(all);
    return value;
}

/* As functions of Python do. Calls by `object.method(...)` don't come here: they pass the receiver themselves. */
static PyObject *func_get(PyObject *object, PyObject *owner, PyObject *class)
{
    (void)class;
    const wax_component_func *func = (wax_component_func *)object;
    if (owner == NULL || func->receiver != NULL)
        return Py_NewRef(object);
    wax_component_func *bound = (wax_component_func *)PyType_GenericAlloc(Py_TYPE(object), 0);
    if (bound == NULL)
        return NULL;
    bound->vectorcall = bound_call;
    bound->instance = (wax_component_instance *)Py_XNewRef(func->instance);
    bound->options = func->options;
    bound->type = func->type;
    bound->canon = func->canon;
    bound->is_scalar = func->is_scalar;
    bound->name = Py_NewRef(func->name);
    bound->receiver = Py_NewRef(owner);
    return (PyObject *)bound;
}

/* call_async(*args): a coroutine, as that of Func. */
static PyObject *func_call_async(PyObject *object, PyObject *args)
{
    return wax_call_helper(WAX_CALL_ASYNC, object, args, NULL);
}

wax_store *wax_component_func_store(PyObject *object)
{
    const wax_component_func *func = (wax_component_func *)object;
    if (func->instance == NULL)
        PyErr_SetString(PyExc_ReferenceError, "the instance of this function is gone");
    return func->instance == NULL ? NULL : func->instance->store;
}

static int func_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((wax_component_func *)object)->instance);
    Py_VISIT(((wax_component_func *)object)->receiver);
    return 0;
}

static int func_clear(PyObject *object)
{
    Py_CLEAR(((wax_component_func *)object)->instance);
    Py_CLEAR(((wax_component_func *)object)->receiver);
    return 0;
}

static void func_dealloc(PyObject *object)
{
    wax_component_func *func = (wax_component_func *)object;
    PyTypeObject *class = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    if (func->weakrefs != NULL)
        PyObject_ClearWeakRefs(object);
    Py_CLEAR(func->instance);
    Py_CLEAR(func->receiver);
    Py_CLEAR(func->name);
    class->tp_free(object);
    Py_DECREF(class);
}

static PyObject *func_repr(PyObject *object)
{
    return PyUnicode_FromFormat("<ComponentFunc %U>", ((wax_component_func *)object)->name);
}

static PyMethodDef func_methods[] = {
    {"call_async", func_call_async, METH_VARARGS, "Call on a thread of the package, for asyncio, as Func.call_async does."},
    WAX_NOT_PICKLED,
    {NULL, NULL, 0, NULL},
};

static PyMemberDef func_members[] = {
    {"__name__", T_OBJECT_EX, offsetof(wax_component_func, name), READONLY, NULL},
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(wax_component_func, vectorcall), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(wax_component_func, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot func_slots[] = {
    {Py_tp_dealloc, func_dealloc}, {Py_tp_traverse, func_traverse}, {Py_tp_clear, func_clear},   {Py_tp_repr, func_repr},
    {Py_tp_call, PyVectorcall_Call}, {Py_tp_descr_get, func_get},   {Py_tp_members, func_members}, {Py_tp_methods, func_methods},
    {0, NULL},
};

PyType_Spec wax_component_func_spec = {
    .name = "wasmartifact._types.ComponentFunc",
    .basicsize = sizeof(wax_component_func),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR |
             Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = func_slots,
};

/* ---- imports ---------------------------------------------------------------------------------------------------------------- */

/* The Python function of an import: a new reference. */
static PyObject *callable_of(wax_component_instance *instance, uint32_t canon)
{
    if (instance->callables[canon] != NULL)
        return Py_NewRef(instance->callables[canon]);
    if (instance->find == NULL) {
        PyErr_SetString(PyExc_ReferenceError, "the instance of this function is gone");
        return NULL;
    }
    PyObject *number = PyLong_FromUnsignedLong(canon);
    PyObject *found = number == NULL ? NULL : PyObject_CallOneArg(instance->find, number);
    Py_XDECREF(number);
    if (found != NULL && instance->find != NULL) /* else the instance went meanwhile */
        Py_XSETREF(instance->callables[canon], Py_NewRef(found));
    return found;
}

/* The Python arguments: a new tuple. */
static PyObject *load_arguments(wax_passing *passing, const wac_type *type, const uint64_t *slots)
{
    bool is_flat = type->flat_count != WAC_NOT_FLAT;
    const uint8_t *bytes = NULL;
    if (!is_flat && ((uint32_t)slots[0] & (type->align_bytes - 1u)) != 0)
        return wax_raise_trap_code(WA_TRAP_UNALIGNED_POINTER);
    if (!is_flat && (bytes = wac_place(passing->options, (uint32_t)slots[0], type->size_bytes)) == NULL)
        return wax_raise_trap_code(WA_TRAP_POINTER_OUT_OF_BOUNDS);
    PyObject *arguments = PyTuple_New((Py_ssize_t)type->item_count - 1);
    for (uint32_t i = 0; arguments != NULL && i + 1 < type->item_count; i++) {
        PyObject *value = is_flat ? wax_lift_value(passing, type->parts[i], slots)
                                  : wax_load_value(passing, type->parts[i], bytes + type->offsets[i]);
        if (value == NULL)
            Py_CLEAR(arguments);
        else
            PyTuple_SET_ITEM(arguments, i, value);
        slots += is_flat ? type->parts[i]->flat_count : 0;
    }
    return arguments;
}

/* A result's function returns the value, or raises an Err: what its type wants is an Ok or Err. Steals the value. */
static PyObject *as_result(PyObject *value)
{
    PyObject *class = NULL, *raised = NULL, *traceback = NULL;
    if (value == NULL)
        PyErr_Fetch(&class, &raised, &traceback); /* the first look at the wrappers imports them */
    PyObject *ok = wax_wrapper(0), *err = wax_wrapper(1);
    bool is_known = ok != NULL && err != NULL;
    if (value == NULL && is_known && !PyErr_GivenExceptionMatches(class, err)) {
        PyErr_Restore(class, raised, traceback);
        return NULL;
    }
    if (value == NULL && is_known) {
        PyErr_NormalizeException(&class, &raised, &traceback);
        value = Py_XNewRef(raised);
    }
    Py_XDECREF(class);
    Py_XDECREF(raised);
    Py_XDECREF(traceback);
    if (!is_known)
        Py_CLEAR(value);
    if (value == NULL || PyObject_TypeCheck(value, (PyTypeObject *)ok) || PyObject_TypeCheck(value, (PyTypeObject *)err))
        return value;
    PyObject *wrapper = PyObject_CallOneArg(ok, value);
    Py_DECREF(value);
    return wrapper;
}

/* Put the imported function in front of the words of the exception that is set, of the result that it gave. */
static void in_import(const wax_component_instance *instance, uint32_t canon)
{
    PyObject *class, *raised = take_misfit(&class);
    if (raised == NULL)
        return;
    PyObject *label = wax_import_label(instance->component, canon);
    if (label != NULL)
        PyErr_Format(class, "%U: result: %S", label, raised);
    Py_XDECREF(label);
    Py_DECREF(class);
    Py_DECREF(raised);
}

static int store_import_result(wax_passing *passing, const wac_type *type, PyObject *value, uint64_t *slots)
{
    const wac_type *result = wac_result(type);
    if (result->flat_count <= WA_MAX_FLAT_RESULTS)
        return wax_lower_value(passing, result, value, slots);
    uint32_t place = type->flat_count == WAC_NOT_FLAT ? 1 : type->flat_count;
    uint32_t pointer = (uint32_t)slots[place];
    uint8_t *bytes = wac_place(passing->options, pointer, result->size_bytes);
    if (bytes == NULL || (pointer & (result->align_bytes - 1u)) != 0) {
        wax_raise_trap_code(bytes == NULL ? WA_TRAP_POINTER_OUT_OF_BOUNDS : WA_TRAP_UNALIGNED_POINTER);
        return -1;
    }
    return wax_store_value(passing, result, value, bytes);
}

static int call_import(wax_component_instance *instance, uint32_t canon, uint64_t *slots)
{
    const wac_options *options = wac_options_of(&instance->native, canon);
    const wa_component *description = instance->native.component;
    if (options == NULL) {
        wax_raise_trap_code(WA_TRAP_DAMAGED_COMPONENT);
        return -1;
    }
    const wac_type *type = &description->types[description->canons[canon].type - 1];
    wax_passing passing;
    wac_scope scope;
    wac_scope_begin(&instance->native, &scope);
    wax_passing_begin(&passing, instance, options, &scope);
    PyObject *arguments = load_arguments(&passing, type, slots);
    PyObject *callable = arguments == NULL ? NULL : callable_of(instance, canon);
    PyObject *value = callable == NULL ? NULL : PyObject_Call(callable, arguments, NULL);
    if (value != NULL && PyCoro_CheckExact(value))
        Py_SETREF(value, wax_call_helper(WAX_AWAIT_HOST, value, NULL, NULL));
    if (callable != NULL && wac_result(type) != NULL && wac_result(type)->kind == WA_CTYPE_RESULT)
        value = as_result(value);
    int failed = value == NULL ? -1 : 0;
    if (!failed && wac_result(type) == NULL && value != Py_None) {
        PyErr_Format(PyExc_TypeError, "the host function must return None, found %s", Py_TYPE(value)->tp_name);
        failed = -1;
    } else if (!failed && wac_result(type) != NULL) {
        failed = store_import_result(&passing, type, value, slots);
    }
    if (failed && value != NULL)
        in_import(instance, canon);
    if (!failed)
        wax_passing_commit(&passing);
    PyObject *class, *raised, *traceback;
    PyErr_Fetch(&class, &raised, &traceback);
    wax_passing_end(&passing);
    (void)wac_scope_end(&instance->native, &scope);
    Py_XDECREF(value);
    Py_XDECREF(arguments);
    Py_XDECREF(callable);
    PyErr_Restore(class, raised, traceback);
    return failed;
}

void wax_component_invoke(wa_function *record, uint64_t *slots)
{
    wa_component_instance *native = wa_instance_owner(record->instance);
    uint32_t canon = wac_called_canon(record);
    if (native == NULL)
        wa_trap(WA_TRAP_DAMAGED_COMPONENT);
    if (wa_stack_is_short())
        wa_trap(WA_TRAP_STACK_EXHAUSTED);
    native->core = record->instance;
    if (native->subs[native->component->canons[canon].instance].may_not_leave)
        wa_trap(WA_TRAP_CANNOT_LEAVE_COMPONENT);
    wax_component_instance *instance = (wax_component_instance *)(void *)((char *)native - offsetof(wax_component_instance, native));
    wax_call *call = wax_enter_python();
    if ((call_import(instance, canon, slots) < 0 ? wax_leave_raised(call) : wax_leave_python(call)) < 0)
        wa_unwind();
    wa_leave_if_interrupted();
}

/* An owned resource of the embedder's was dropped: the guest runs, and the GIL is not held. */
uint32_t wax_component_drop(wa_component_instance *native, uint32_t resource, uint32_t rep)
{
    (void)resource;
    wax_component_instance *instance =
        (wax_component_instance *)(void *)((char *)native - offsetof(wax_component_instance, native));
    wax_call *call = wax_enter_python();
    PyObject *object = Py_XNewRef(wax_object_get(instance, rep)), *result = NULL;
    int failed = object == NULL ? -1 : 0;
    if (!failed) {
        wax_object_free(instance, rep);
        PyObject *close = PyObject_GetAttrString(object, "close");
        if (close == NULL)
            PyErr_Clear(); /* it need not have any */
        else
            result = PyObject_CallNoArgs(close);
        failed = close != NULL && result == NULL ? -1 : 0;
        Py_XDECREF(close);
        Py_XDECREF(result);
        Py_DECREF(object);
    }
    return (failed ? wax_leave_raised(call) : wax_leave_python(call)) < 0 ? WAC_RAISED : 0;
}
