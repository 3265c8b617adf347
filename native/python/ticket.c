/* Tickets: call_async ends the call that it made, and no other one in the same store. */
#include "docs.h"
#include "types.h"

typedef struct wax_ticket {
    PyObject_HEAD
    wa_ticket native;
} wax_ticket;

/* So often a call that waits for its store looks whether it was cancelled. */
enum { WAIT_SLICE_MS = 20 };

static void raise_interrupted(void)
{
    PyObject *helper = wax_help(WAX_MAKE_TRAP);
    PyObject *frames = helper == NULL ? NULL : PyList_New(0);
    wax_raise_object(frames == NULL ? NULL : PyObject_CallFunction(helper, "kN", (unsigned long)WA_TRAP_INTERRUPTED, frames));
}

/* Enter the store, with the ticket. 0, or -1 with an exception set. */
static int ticket_enter(wax_ticket *ticket, wax_store *store)
{
    bool entered = false;
    while (!ticket->native.is_cancelled && !entered)
        entered = wax_store_enter_within(store, WAIT_SLICE_MS);
    if (entered && wa_ticket_begin(&ticket->native, store->native) == 0)
        return 0;
    if (entered)
        wa_store_leave(store->native);
    raise_interrupted();
    return -1;
}

/* The store of a function of either kind: *store, borrowed, NULL for a host function. Whether it is one. */
static bool store_of(PyObject *func, wax_store **store)
{
    const wax_state *state = wax_here();
    *store = NULL;
    if (state->component_func_type == NULL || !PyObject_TypeCheck(func, state->component_func_type)) {
        if (!wax_check_type(func, state->func_type))
            return false;
        *store = ((wax_func *)func)->store;
        return true;
    }
    *store = wax_component_func_store(func);
    return *store != NULL;
}

/* run(func, arguments) */
static PyObject *ticket_run(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    wax_ticket *ticket = (wax_ticket *)object;
    wax_store *store;
    if (!wax_check_count("run", count, 2) || !store_of(args[0], &store))
        return NULL;
    if (store == NULL) /* a host function */
        return PyObject_CallObject(args[0], args[1]);
    if (ticket_enter(ticket, store) < 0)
        return NULL;
    PyObject *result = PyObject_CallObject(args[0], args[1]);
    wa_ticket_end(&ticket->native);
    wa_store_leave(store->native);
    return result;
}

static PyObject *ticket_cancel(PyObject *object, PyObject *unused)
{
    (void)unused;
    wa_error error;
    if (wa_ticket_cancel(&((wax_ticket *)object)->native, &error) == 0)
        Py_RETURN_NONE;
    wax_raise_error(&error, NULL);
    return NULL;
}

static PyMethodDef ticket_methods[] = {
    {"run", WAX_FASTCALL(ticket_run), METH_FASTCALL, "Call a Func, or a component's function, with a tuple of arguments."},
    {"cancel", ticket_cancel, METH_NOARGS, "End the call with Interrupted, or keep it from starting."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot ticket_slots[] = {
    {Py_tp_dealloc, wax_free_object},
    {Py_tp_methods, ticket_methods},
    {0, NULL},
};

static PyType_Spec ticket_spec = {
    .name = "wasmartifact._types.Ticket",
    .basicsize = sizeof(wax_ticket),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = ticket_slots,
};

static PyObject *new_ticket(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return wax_new_object(&wax_here()->ticket_type, &ticket_spec);
}

PyMethodDef wax_ticket_functions[] = {
    {"new_ticket", new_ticket, METH_NOARGS, WAX_DOC_new_ticket},
    {NULL, NULL, 0, NULL},
};
