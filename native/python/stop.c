/* Deadlines and interrupts of a store, and the signal that they use. */
#include <math.h>

#include "docs.h"
#include "types.h"

typedef struct wax_deadline {
    PyObject_HEAD
    vectorcallfunc call;
    wax_store *store;
    uint64_t nanoseconds;
    bool is_running;
    wa_deadline native;
} wax_deadline;

/* ---- deadlines -------------------------------------------------------------------------------------------------------- */

static int deadline_begin(wax_deadline *deadline)
{
    wa_error error;
    if (deadline->is_running) {
        PyErr_SetString(PyExc_RuntimeError, "this deadline is running; store.deadline(seconds) gives another one");
        return -1;
    }
    if (wa_deadline_begin(&deadline->native, deadline->store->native, deadline->nanoseconds, &error) < 0) {
        wax_raise_error(&error, NULL);
        return -1;
    }
    deadline->is_running = true;
    return 0;
}

static void deadline_end(wax_deadline *deadline)
{
    if (deadline->is_running)
        wa_deadline_end(&deadline->native);
    deadline->is_running = false;
}

/* As its own bound methods: __enter__ without arguments, __exit__ with three. */
static PyObject *deadline_call(PyObject *object, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    (void)args;
    (void)kwnames;
    if (PyVectorcall_NARGS(nargsf) == 0)
        return deadline_begin((wax_deadline *)object) < 0 ? NULL : Py_NewRef(object);
    deadline_end((wax_deadline *)object);
    Py_RETURN_NONE;
}

/* ---- __enter__ and __exit__ --------------------------------------------------------------------------------------------- */

/* What binds them. A `with` of CPython before 3.14 makes an object for each of the two, which takes longer than what they do; here
 * the deadline itself is that object. */
static PyObject *step_get(PyObject *step, PyObject *object, PyObject *class)
{
    (void)class;
    return Py_NewRef(object != NULL ? object : step);
}

/* Not bound, as contextlib.ExitStack takes it. */
static PyObject *step_call(PyObject *step, PyObject *args, PyObject *kwargs)
{
    (void)step;
    (void)kwargs;
    if (PyTuple_GET_SIZE(args) == 0 || !wax_check_type(PyTuple_GET_ITEM(args, 0), wax_here()->deadline_type))
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_TypeError, "a deadline is missing");
    return deadline_call(PyTuple_GET_ITEM(args, 0), NULL, (size_t)PyTuple_GET_SIZE(args) - 1, NULL);
}

static PyType_Slot step_slots[] = {
    {Py_tp_descr_get, step_get},
    {Py_tp_call, step_call},
    {0, NULL},
};

static PyType_Spec step_spec = {
    .name = "wasmartifact._types.DeadlineStep",
    .basicsize = sizeof(PyObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = step_slots,
};

static int add_steps(PyTypeObject *class)
{
    PyObject *step_type = PyType_FromSpec(&step_spec);
    PyObject *step = step_type == NULL ? NULL : PyType_GenericAlloc((PyTypeObject *)step_type, 0);
    int failed = step == NULL || PyObject_SetAttrString((PyObject *)class, "__enter__", step) < 0 ||
                 PyObject_SetAttrString((PyObject *)class, "__exit__", step) < 0;
    Py_XDECREF(step);
    Py_XDECREF(step_type);
    return failed ? -1 : 0;
}

/* ---- their life --------------------------------------------------------------------------------------------------------- */

/* Making one is half of what a block around a short call costs: the last one that was dropped is used again. */
static void deadline_dealloc(PyObject *object)
{
    PyObject_GC_UnTrack(object);
    deadline_end((wax_deadline *)object); /* a generator may have been dropped inside of its with block */
    Py_CLEAR(((wax_deadline *)object)->store);
    wax_state *state = wax_here();
    if (state != NULL && state->spare_deadline == NULL) {
        state->spare_deadline = object;
        Py_DECREF(Py_TYPE(object));
    } else {
        wax_free_object(object);
    }
}

static int deadline_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((wax_deadline *)object)->store);
    return 0;
}

static PyMemberDef deadline_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(wax_deadline, call), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot deadline_slots[] = {
    {Py_tp_dealloc, deadline_dealloc},
    {Py_tp_traverse, deadline_traverse},
    {Py_tp_members, deadline_members},
    {Py_tp_call, PyVectorcall_Call},
    {0, NULL},
};

static PyType_Spec deadline_spec = {
    .name = "wasmartifact._types.Deadline",
    .basicsize = sizeof(wax_deadline),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = deadline_slots,
};

static wax_deadline *new_deadline(void)
{
    wax_state *state = wax_here();
    PyObject *object = state->spare_deadline;
    bool has_type = state->deadline_type != NULL;
    if (object != NULL) {
        state->spare_deadline = NULL;
        PyObject_Init(object, state->deadline_type);
        PyObject_GC_Track(object);
        return (wax_deadline *)object;
    }
    wax_deadline *deadline = (wax_deadline *)wax_new_object(&state->deadline_type, &deadline_spec);
    if (deadline != NULL)
        deadline->call = deadline_call;
    if (deadline != NULL && !has_type && add_steps(state->deadline_type) < 0)
        Py_CLEAR(deadline);
    return deadline;
}

PyObject *wax_store_deadline(PyObject *store, PyObject *argument)
{
    double seconds = PyFloat_AsDouble(argument);
    if (seconds == -1 && PyErr_Occurred()) {
        if (PyErr_ExceptionMatches(PyExc_TypeError) && !PyNumber_Check(argument))
            PyErr_Format(PyExc_TypeError, "seconds must be a number, found %.100s", Py_TYPE(argument)->tp_name);
        return NULL;
    }
    if (isnan(seconds))
        return PyErr_Format(PyExc_ValueError, "a deadline in NaN seconds: expected a number");
    wax_deadline *deadline = new_deadline();
    if (deadline == NULL)
        return NULL;
    deadline->store = (wax_store *)Py_NewRef(store);
    /* What is left of a time may have become negative on the way here. 2**63 ns are 292 years. */
    deadline->nanoseconds = seconds <= 0 ? 0 : seconds < 9e9 ? (uint64_t)(seconds * 1e9) : UINT64_MAX;
    return (PyObject *)deadline;
}

/* ---- interrupts ------------------------------------------------------------------------------------------------------- */

PyObject *wax_store_interrupt(PyObject *store, PyObject *unused)
{
    (void)unused;
    wa_error error;
    if (wa_store_interrupt(((wax_store *)store)->native, &error) == 0)
        Py_RETURN_NONE;
    wax_raise_error(&error, NULL);
    return NULL;
}

static PyObject *set_interrupt_signal(PyObject *module, PyObject *argument)
{
    (void)module;
    if (!PyIndex_Check(argument))
        return PyErr_Format(PyExc_TypeError, "signal must be an int, found %.100s", Py_TYPE(argument)->tp_name);
    long number = PyLong_AsLong(argument);
    if (number == -1 && PyErr_Occurred())
        return NULL;
    if (number < INT_MIN || number > INT_MAX || wa_stop_signal_set((int)number) < 0)
        return PyErr_Format(PyExc_ValueError, "signal %ld can't interrupt guests: expected one that can be caught, and that is "
                                              "neither SIGINT nor what faults raise", number);
    Py_RETURN_NONE;
}

PyMethodDef wax_stop_functions[] = {
    {"set_interrupt_signal", set_interrupt_signal, METH_O, WAX_DOC_set_interrupt_signal},
    {NULL, NULL, 0, NULL},
};
