/* Struct and Array: objects of the guest's heap, which live as long as Python refers to them. */
#include "docs.h"
#include "types.h"

static wax_object *object_of(PyObject *self)
{
    return (wax_object *)self;
}

static PyTypeObject *type_of(bool is_array);

bool wax_is_object(PyObject *value)
{
    const wax_state *state = wax_here();
    return Py_IS_TYPE(value, state->struct_type) || Py_IS_TYPE(value, state->array_type);
}

static PyObject *new_object(wax_store *store, uint64_t reference)
{
    PyTypeObject *type = type_of(wa_object_is_array(reference));
    wax_object *object = type == NULL ? NULL : (wax_object *)PyType_GenericAlloc(type, 0);
    if (object == NULL)
        return NULL;
    object->store = (wax_store *)Py_NewRef(wax_root(store));
    wa_hold(object->store->native, &object->held, reference);
    return (PyObject *)object;
}

PyObject *wax_object_from_reference(wax_store *store, uint64_t reference)
{
    if (reference & WA_REFERENCE_I31)
        return PyLong_FromLongLong((int64_t)reference >> WA_I31_SHIFT);
    if (reference & WA_REFERENCE_HANDLE)
        return wax_store_object(store, reference);
    return new_object(store, reference);
}

static void object_dealloc(PyObject *self)
{
    wax_object *object = object_of(self);
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (object->store != NULL)
        wa_unhold(&object->held);
    Py_CLEAR(object->store);
    type->tp_free(self);
    Py_DECREF(type);
}

static int object_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(object_of(self)->store);
    return 0;
}

/* ---- identity ------------------------------------------------------------------------------------------------------- */

static PyObject *object_compare(PyObject *self, PyObject *other, int operation)
{
    if (!wax_is_object(other) || (operation != Py_EQ && operation != Py_NE))
        Py_RETURN_NOTIMPLEMENTED;
    bool is_same = object_of(self)->held.reference == object_of(other)->held.reference;
    return PyBool_FromLong(is_same == (operation == Py_EQ));
}

static Py_hash_t object_hash(PyObject *self)
{
    return (Py_hash_t)(object_of(self)->held.reference >> 4);
}

static PyObject *object_repr(PyObject *self)
{
    uint64_t reference = object_of(self)->held.reference;
    bool is_array = wa_object_is_array(reference);
    return PyUnicode_FromFormat("<%s of %u %s at %p>", is_array ? "Array" : "Struct", wa_object_length(reference),
                                is_array ? "elements" : "fields", (void *)(uintptr_t)reference);
}

/* ---- fields and elements -------------------------------------------------------------------------------------------- */

static Py_ssize_t object_length(PyObject *self)
{
    return (Py_ssize_t)wa_object_length(object_of(self)->held.reference);
}

/* 0, or -1 with an exception set. Indices from the end are made positive by the caller, CPython. */
static int slot_at(PyObject *self, Py_ssize_t index, wa_slot *slot)
{
    uint64_t reference = object_of(self)->held.reference;
    Py_ssize_t length = object_length(self);
    if (index < 0 || index >= length) {
        PyErr_Format(PyExc_IndexError, "%s index %zd is out of range, it has %zd", Py_TYPE(self)->tp_name, index, length);
        return -1;
    }
    *slot = wa_object_slot(reference, (uint32_t)index);
    return 0;
}

static bool is_packed(const wa_slot *slot)
{
    return slot->storage == WA_VALTYPE_I8 || slot->storage == WA_VALTYPE_I16;
}

static PyObject *object_item(PyObject *self, Py_ssize_t index)
{
    wax_store *store = object_of(self)->store;
    wa_slot slot;
    if (slot_at(self, index, &slot) < 0)
        return NULL;
    uint64_t value[2] = {0, 0};
    if (wax_store_enter(store) < 0)
        return NULL;
    memcpy(value, slot.place, slot.size_bytes);
    wax_store_pin(store);
    wa_pin(store->native);
    wa_store_leave(store->native);
    PyObject *result = is_packed(&slot) ? PyLong_FromUnsignedLongLong(value[0])
                                        : wax_from_slots(store, wax_conversion_of(slot.storage), value);
    wa_unpin(store->native);
    wax_store_unpin(store);
    return result;
}

static wax_outcome packed_to_slot(const wa_slot *slot, PyObject *value, uint64_t *bits)
{
    if (!PyIndex_Check(value))
        return WAX_WRONG_TYPE;
    PyObject *index = PyNumber_Index(value);
    if (index == NULL)
        return WAX_RAISED;
    int overflow;
    long long number = PyLong_AsLongLongAndOverflow(index, &overflow), limit = 1 << 8 * slot->size_bytes;
    Py_DECREF(index);
    *bits = (uint64_t)number;
    return overflow != 0 || number < -limit / 2 || number >= limit ? WAX_OUT_OF_RANGE : WAX_CONVERTED;
}

static wax_outcome value_to_slots(wax_store *store, const wa_slot *slot, PyObject *value, uint64_t *bits)
{
    if (is_packed(slot))
        return packed_to_slot(slot, value, bits);
    wax_conversion conversion = wax_conversion_of(slot->storage);
    wax_outcome outcome = wax_to_slots(store, conversion, value, bits);
    bool is_function;
    if (outcome != WAX_WRONG_TYPE || !wax_is_typed(conversion))
        return outcome;
    outcome = wax_typed_to_slot(store, value, bits, &is_function);
    return outcome == WAX_CONVERTED && !wa_slot_takes(slot, is_function, *bits) ? WAX_WRONG_TYPE : outcome;
}

static int object_set_item(PyObject *self, Py_ssize_t index, PyObject *value)
{
    wax_store *store = object_of(self)->store;
    wa_slot slot;
    if (slot_at(self, index, &slot) < 0)
        return -1;
    if (value == NULL || !slot.is_mutable) {
        PyErr_Format(PyExc_TypeError, "%s %zd of the %s is immutable", Py_TYPE(self) == wax_here()->array_type ? "element" : "field",
                     index, Py_TYPE(self)->tp_name);
        return -1;
    }
    uint64_t bits[2] = {0, 0};
    wax_store_pin(store);
    wax_outcome outcome = value_to_slots(store, &slot, value, bits);
    if (outcome == WAX_CONVERTED && wax_store_enter(store) < 0)
        outcome = WAX_RAISED;
    if (outcome == WAX_CONVERTED) {
        wa_slot_set(store->native, &slot, bits);
        wa_store_leave(store->native);
    } else if (outcome != WAX_RAISED) {
        PyObject *name = is_packed(&slot) ? PyUnicode_FromFormat("i%u", 8 * slot.size_bytes) : wax_valtype_name(slot.storage);
        if (name != NULL)
            wax_raise_value(outcome, PyUnicode_FromFormat("%s: item %zd", Py_TYPE(self)->tp_name, index), name, value);
        Py_XDECREF(name);
    }
    wax_store_unpin(store);
    return outcome == WAX_CONVERTED ? 0 : -1;
}

/* ---- elements as a buffer ------------------------------------------------------------------------------------------- */

static const char *format_of(uint32_t storage)
{
    switch (storage) {
    case WA_VALTYPE_I8:
        return "B";
    case WA_VALTYPE_I16:
        return "H";
    case WA_VALTYPE_I32:
        return "i";
    case WA_VALTYPE_I64:
        return "q";
    case WA_VALTYPE_F32:
        return "f";
    case WA_VALTYPE_F64:
        return "d";
    default:
        return NULL;
    }
}

/* Objects never move, and this one lives as long as the view, which refers to the Array. */
static int array_getbuffer(PyObject *self, Py_buffer *view, int flags)
{
    wa_slot slot = wa_object_slot(object_of(self)->held.reference, 0);
    const char *format = format_of(slot.storage);
    view->obj = NULL;
    if (format == NULL || (!slot.is_mutable && flags & PyBUF_WRITABLE)) {
        PyErr_SetString(PyExc_BufferError, format == NULL ? "an Array of references or vectors has no buffer"
                                                          : "the elements of the Array are immutable");
        return -1;
    }
    Py_ssize_t *shape = PyMem_Malloc(2 * sizeof *shape);
    if (shape == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    shape[0] = object_length(self);
    shape[1] = (Py_ssize_t)slot.size_bytes;
    view->buf = slot.place;
    view->len = shape[0] * shape[1];
    view->itemsize = shape[1];
    view->readonly = !slot.is_mutable;
    view->ndim = 1;
    view->format = flags & PyBUF_FORMAT ? (char *)(uintptr_t)format : NULL;
    view->shape = flags & PyBUF_ND ? &shape[0] : NULL;
    view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? &shape[1] : NULL;
    view->suboffsets = NULL;
    view->internal = shape;
    view->obj = Py_NewRef(self);
    return 0;
}

static void array_releasebuffer(PyObject *self, Py_buffer *view)
{
    (void)self;
    PyMem_Free(view->internal);
}

/* ---- the types ------------------------------------------------------------------------------------------------------- */

static PyMethodDef object_methods[] = {
    WAX_NOT_PICKLED,
    {NULL, NULL, 0, NULL},
};

#define COMMON_SLOTS(doc) \
    {Py_tp_doc, (char *)(uintptr_t)(doc)}, {Py_tp_dealloc, object_dealloc}, {Py_tp_traverse, object_traverse}, \
        {Py_tp_methods, object_methods}, \
        {Py_tp_richcompare, object_compare}, {Py_tp_hash, object_hash}, {Py_tp_repr, object_repr}, {Py_sq_length, object_length}, \
        {Py_sq_item, object_item}, {Py_sq_ass_item, object_set_item}

static PyType_Slot struct_slots[] = {
    COMMON_SLOTS(WAX_DOC_Struct),
    {0, NULL},
};

static PyType_Slot array_slots[] = {
    COMMON_SLOTS(WAX_DOC_Array),
    {Py_bf_getbuffer, array_getbuffer},
    {Py_bf_releasebuffer, array_releasebuffer},
    {0, NULL},
};

enum { FLAGS = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION };

PyType_Spec wax_struct_spec = {
    .name = "wasmartifact._types.Struct",
    .basicsize = sizeof(wax_object),
    .flags = FLAGS,
    .slots = struct_slots,
};

PyType_Spec wax_array_spec = {
    .name = "wasmartifact._types.Array",
    .basicsize = sizeof(wax_object),
    .flags = FLAGS,
    .slots = array_slots,
};

static PyTypeObject *type_of(bool is_array)
{
    wax_state *state = wax_here();
    return is_array ? state->array_type : state->struct_type;
}
