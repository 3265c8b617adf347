/* Memory: bytes of the guest, as a buffer. */
#include "docs.h"
#include "types.h"

static wa_memory *native_of(PyObject *object)
{
    return ((wax_entity *)object)->native;
}

/* ---- making and growing ----------------------------------------------------------------------------------------------- */

/* Number of pages from Python. */
static int page_count(PyObject *object, const char *name, uint64_t *count)
{
    int outcome = wax_to_u64(object, name, count);
    if (outcome <= 0)
        return outcome;
    PyErr_Format(PyExc_ValueError, "%s is %.40R; expected a number of pages from 0", name, object);
    return -1;
}

static PyObject *memory_new(PyTypeObject *class, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"min_pages", "max_pages", "shared", "memory64", "page_size_bytes", NULL};
    PyObject *min_object, *max_object = Py_None;
    int shared = 0, memory64 = 0;
    PyObject *page_object = NULL;
    uint64_t min, max = UINT64_MAX, page_size_bytes = WA_WASM_PAGE_BYTES;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O$ppO:Memory", names, &min_object, &max_object, &shared, &memory64,
                                     &page_object) ||
        page_count(min_object, "min_pages", &min) < 0 ||
        (max_object != Py_None && page_count(max_object, "max_pages", &max) < 0))
        return NULL;
    int outcome = page_object == NULL ? 0 : wax_to_u64(page_object, "page_size_bytes", &page_size_bytes);
    if (outcome < 0)
        return NULL;
    if (outcome > 0 || (page_size_bytes != 1 && page_size_bytes != WA_WASM_PAGE_BYTES)) {
        PyErr_Format(PyExc_ValueError, "page_size_bytes is %.40R: expected 1 or %d", page_object, WA_WASM_PAGE_BYTES);
        return NULL;
    }
    uint32_t page_log2 = page_size_bytes == 1 ? 0 : 16;
    /* Of 2**32 pages of one byte, the package has memories of at most 2**32 - 1. */
    uint64_t limit = page_log2 == 0 ? (memory64 ? UINT64_MAX : UINT32_MAX) : memory64 ? UINT64_C(1) << 48 : UINT64_C(1) << 16;
    if (min > max || min > limit || (max_object != Py_None && max > limit)) {
        PyErr_Format(PyExc_ValueError, "min_pages %llu and max_pages %R: expected min_pages <= max_pages <= %llu",
                     (unsigned long long)min, max_object, (unsigned long long)limit);
        return NULL;
    }
    if (shared && max_object == Py_None) {
        PyErr_SetString(PyExc_ValueError, "a shared memory needs max_pages");
        return NULL;
    }
    uint32_t flags = (max_object != Py_None ? WA_LIMITS_HAS_MAX : 0u) | (shared ? WA_LIMITS_SHARED : 0u) |
                     (memory64 ? WA_LIMITS_64 : 0u);
    wa_error error;
    wa_memory *native = wa_memory_new(min, max, flags, page_log2, &error);
    if (native == NULL) {
        wax_raise_error(&error, NULL);
        return NULL;
    }
    PyObject *memory = class->tp_alloc(class, 0);
    if (memory == NULL)
        wa_memory_release(native);
    else if (wax_entity_bind((wax_entity *)memory, WA_KIND_MEMORY, native, NULL) < 0)
        Py_CLEAR(memory);
    return memory;
}

static PyObject *memory_grow(PyObject *object, PyObject *delta_object)
{
    wax_entity *memory = (wax_entity *)object;
    wa_memory *native = memory->native;
    uint64_t delta;
    if (page_count(delta_object, "pages", &delta) < 0)
        return NULL;
    /* A guest of another thread may grow the memory right now; shared ones look after themselves. */
    wax_store *store = wa_memory_flags(native) & WA_LIMITS_SHARED ? NULL : memory->store;
    if (store != NULL && wax_store_enter(store) < 0)
        return NULL;
    int64_t old = wa_memory_grow(native, delta);
    if (store != NULL)
        wa_store_leave(store->native);
    if (old >= 0)
        return PyLong_FromLongLong(old);
    unsigned long long pages = wa_memory_size(native) >> wa_memory_page_log2(native);
    uint64_t max = wa_memory_max_pages(native);
    PyObject *limits = memory->store == NULL ? NULL : wax_root(memory->store)->limits;
    if (max != UINT64_MAX && (pages > max || delta > max - pages))
        PyErr_Format(PyExc_ValueError, "a memory of %llu pages with a maximum of %llu can't grow by %llu", pages,
                     (unsigned long long)max, (unsigned long long)delta);
    else if (limits != NULL)
        PyErr_Format(PyExc_ValueError, "a memory of %llu pages can't grow by %llu: the store's %R or the host don't allow it",
                     pages, (unsigned long long)delta, limits);
    else
        PyErr_Format(PyExc_ValueError, "a memory of %llu pages can't grow by %llu: the address space is exhausted", pages,
                     (unsigned long long)delta);
    return NULL;
}

/* ---- bytes -------------------------------------------------------------------------------------------------------------- */

static int memory_getbuffer(PyObject *object, Py_buffer *view, int flags)
{
    wa_memory *native = native_of(object);
    return PyBuffer_FillInfo(view, object, wa_memory_base(native), (Py_ssize_t)wa_memory_size(native), 0, flags);
}

static Py_ssize_t memory_length(PyObject *object)
{
    return (Py_ssize_t)wa_memory_size(native_of(object));
}

/* An error is set; what is no number at all gets one that says what it is for. */
static __attribute__((cold, noinline)) int refuse_address(PyObject *object)
{
    if (!PyIndex_Check(object))
        PyErr_Format(PyExc_TypeError, "a memory address must be an int, found %.100s", Py_TYPE(object)->tp_name);
    return -1;
}

/* One end of a slice or an index: addresses are unsigned, so nothing counts from the end and nothing is clipped. */
static int address_of(PyObject *object, Py_ssize_t size, Py_ssize_t *address)
{
    *address = PyNumber_AsSsize_t(object, PyExc_IndexError);
    if (*address == -1 && PyErr_Occurred())
        return refuse_address(object);
    if (*address >= 0 && *address <= size)
        return 0;
    PyErr_Format(PyExc_IndexError, "memory address %zd is outside of the memory's %zd bytes%s", *address, size,
                 *address < 0 ? "; an i32 pointer p of the guest is the address p & 0xffffffff" : "");
    return -1;
}

static int slice_bounds(PyObject *slice, Py_ssize_t size, Py_ssize_t *start, Py_ssize_t *end)
{
    PySliceObject *parts = (PySliceObject *)slice;
    *start = 0;
    *end = size;
    if (parts->step != Py_None) {
        PyErr_SetString(PyExc_ValueError, "a slice of a memory has no step; use memoryview(memory)[a:b:step]");
        return -1;
    }
    if ((parts->start != Py_None && address_of(parts->start, size, start) < 0) ||
        (parts->stop != Py_None && address_of(parts->stop, size, end) < 0))
        return -1;
    if (*start <= *end)
        return 0;
    PyErr_Format(PyExc_IndexError, "memory slice starts at %zd, behind its end at %zd", *start, *end);
    return -1;
}

static int byte_address(PyObject *object, Py_ssize_t size, Py_ssize_t *address)
{
    if (address_of(object, size, address) < 0)
        return -1;
    if (*address < size)
        return 0;
    PyErr_Format(PyExc_IndexError, "memory address %zd is outside of the memory's %zd bytes", *address, size);
    return -1;
}

static PyObject *memory_subscript(PyObject *object, PyObject *key)
{
    Py_ssize_t size = memory_length(object), start, end;
    const uint8_t *base = wa_memory_base(native_of(object));
    if (PySlice_Check(key)) {
        if (slice_bounds(key, size, &start, &end) < 0)
            return NULL;
        return PyBytes_FromStringAndSize((const char *)base + start, end - start);
    }
    return byte_address(key, size, &start) < 0 ? NULL : PyLong_FromLong(base[start]);
}

static int assign_slice(PyObject *object, PyObject *slice, PyObject *value)
{
    Py_ssize_t start, end;
    Py_buffer view;
    if (PyObject_GetBuffer(value, &view, PyBUF_SIMPLE) < 0)
        return -1;
    int failed = slice_bounds(slice, memory_length(object), &start, &end);
    if (!failed && view.len != end - start) {
        PyErr_Format(PyExc_ValueError, "%zd bytes don't fit a memory slice of %zd; a memory grows by grow() only", view.len,
                     end - start);
        failed = -1;
    }
    if (!failed)
        memmove(wa_memory_base(native_of(object)) + start, view.buf, (size_t)view.len);
    PyBuffer_Release(&view);
    return failed;
}

static int memory_assign(PyObject *object, PyObject *key, PyObject *value)
{
    Py_ssize_t address;
    if (value == NULL) {
        PyErr_SetString(PyExc_TypeError, "bytes of a memory can't be deleted");
        return -1;
    }
    if (PySlice_Check(key))
        return assign_slice(object, key, value);
    if (byte_address(key, memory_length(object), &address) < 0)
        return -1;
    long byte = PyLong_AsLong(value);
    if (byte == -1 && PyErr_Occurred())
        return -1;
    if (byte < 0 || byte > 255) {
        PyErr_Format(PyExc_ValueError, "a byte of a memory is 0 .. 255, found %ld", byte);
        return -1;
    }
    wa_memory_base(native_of(object))[address] = (uint8_t)byte;
    return 0;
}

/* read_cstring(address) -> bytes up to the next zero byte */
static PyObject *memory_read_cstring(PyObject *object, PyObject *address_object)
{
    Py_ssize_t size = memory_length(object), address;
    if (byte_address(address_object, size, &address) < 0)
        return NULL;
    const uint8_t *start = wa_memory_base(native_of(object)) + address;
    const uint8_t *end = memchr(start, 0, (size_t)(size - address));
    if (end == NULL)
        return PyErr_Format(PyExc_IndexError, "no zero byte between memory address %zd and the memory's end at %zd", address,
                            size);
    return PyBytes_FromStringAndSize((const char *)start, end - start);
}

/* ---- the type ----------------------------------------------------------------------------------------------------------- */

static PyObject *memory_get_size(PyObject *object, void *closure)
{
    (void)closure;
    return PyLong_FromUnsignedLongLong(wa_memory_size(native_of(object)));
}

static PyObject *memory_get_type(PyObject *object, void *closure)
{
    (void)closure;
    const wa_memory *native = native_of(object);
    uint64_t max = wa_memory_max_pages(native);
    uint32_t flags = wa_memory_flags(native);
    PyObject *helper = wax_help(WAX_MEMORY_TYPE);
    if (helper == NULL)
        return NULL;
    return PyObject_CallFunction(
        helper, "KNNNK", (unsigned long long)(wa_memory_size(native) >> wa_memory_page_log2(native)),
        flags & WA_LIMITS_HAS_MAX ? PyLong_FromUnsignedLongLong(max) : Py_NewRef(Py_None),
        PyBool_FromLong(flags & WA_LIMITS_SHARED), PyBool_FromLong(flags & WA_LIMITS_64),
        (unsigned long long)1 << wa_memory_page_log2(native));
}

static PyObject *memory_repr(PyObject *object)
{
    return PyUnicode_FromFormat("<Memory of %zd bytes>", memory_length(object));
}

static PyMethodDef memory_methods[] = {
    {"grow", memory_grow, METH_O, WAX_DOC_Memory_grow},
    {"read_cstring", memory_read_cstring, METH_O, WAX_DOC_Memory_read_cstring},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef memory_getset[] = {
    {"size_bytes", memory_get_size, NULL, WAX_DOC_Memory_size_bytes, NULL},
    {"type", memory_get_type, NULL, WAX_DOC_Memory_type, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot memory_slots[] = {
    {Py_tp_doc, WAX_DOC_Memory},
    {Py_tp_new, memory_new},
    {Py_tp_repr, memory_repr},
    {Py_tp_methods, memory_methods},
    {Py_tp_getset, memory_getset},
    {Py_mp_length, memory_length},
    {Py_mp_subscript, memory_subscript},
    {Py_mp_ass_subscript, memory_assign},
    {Py_bf_getbuffer, memory_getbuffer},
    {0, NULL},
};

PyType_Spec wax_memory_spec = {
    .name = "wasmartifact.Memory",
    .basicsize = sizeof(wax_entity),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = memory_slots,
};
