/* Deadlines and interrupts of a store, and the signal that they use. */
#include <math.h>

#include "docs.h"
#include "types.h"

typedef struct wax_deadline {
    PyObject_HEAD
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

static PyObject *deadline_enter(PyObject *object, PyObject *unused)
{
    (void)unused;
    return deadline_begin((wax_deadline *)object) < 0 ? NULL : Py_NewRef(object);
}

static PyObject *deadline_exit(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    (void)args;
    (void)count;
    deadline_end((wax_deadline *)object);
    Py_RETURN_NONE;
}

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

static PyMethodDef deadline_methods[] = {
    {"__enter__", deadline_enter, METH_NOARGS, "Begin now."},
    {"__exit__", WAX_FASTCALL(deadline_exit), METH_FASTCALL, "Take it back."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot deadline_slots[] = {
    {Py_tp_dealloc, deadline_dealloc},
    {Py_tp_traverse, deadline_traverse},
    {Py_tp_methods, deadline_methods},
    {0, NULL},
};

static PyType_Spec deadline_spec = {
    .name = "wasmartifact._types.Deadline",
    .basicsize = sizeof(wax_deadline),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = deadline_slots,
};

static wax_deadline *new_deadline(void)
{
    wax_state *state = wax_here();
    PyObject *object = state->spare_deadline;
    if (object == NULL)
        return (wax_deadline *)wax_new_object(&state->deadline_type, &deadline_spec);
    state->spare_deadline = NULL;
    PyObject_Init(object, state->deadline_type);
    PyObject_GC_Track(object);
    return (wax_deadline *)object;
}

PyObject *wax_store_deadline(PyObject *store, PyObject *argument)
{
    double seconds = PyFloat_AsDouble(argument);
    if (seconds == -1 && PyErr_Occurred())
        return NULL;
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
