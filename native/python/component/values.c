/* Values of components: Python objects become bytes as the guest lays them out, and bytes become Python objects. */
#include "component.h"

static int fail_trap(wax_passing *passing, uint32_t code)
{
    passing->is_trapped = true;
    wax_raise_trap_code(code);
    return -1;
}

PyObject *wax_wrapper(int which)
{
    PyObject *wrappers = wax_help(WAX_COMPONENT_WRAPPERS);
    return wrappers == NULL ? NULL : PyTuple_GET_ITEM(wrappers, which);
}

/* Apart from what simple values pass through, which then has few registers to save. */
#define NOINLINE __attribute__((noinline))

/* ---- how much the values of a call may take ---------------------------------------------------------------------- */

/* Any number of a guest's lists and strings may stand for the same bytes of its memory, so that what it gives has no bound but
 * this one. As objects count what they take without their contents. */
enum { OBJECT_BYTES = 64, REFERENCE_BYTES = sizeof(PyObject *) };
static const uint64_t default_value_bytes = UINT64_C(128) << 20, memories = 4;

/* Whether they are within the limit that the store was given, or without one, not more than some times the guest's memory. */
static NOINLINE bool may_take(wax_passing *passing)
{
    uint64_t limit = wax_root(passing->instance->store)->component_limits.value_bytes;
    if (limit == UINT64_MAX)
        limit = passing->options->memory == NULL ? 0 : memories * passing->options->memory->size_bytes;
    passing->most_bytes = limit > default_value_bytes ? limit : passing->most_bytes;
    if (passing->taken_bytes <= passing->most_bytes)
        return true;
    wax_raise_trap_code(WA_TRAP_VALUES_TOO_LARGE);
    return false;
}

static inline bool takes(wax_passing *passing, uint64_t size_bytes)
{
    passing->taken_bytes += size_bytes;
    return passing->taken_bytes <= passing->most_bytes || may_take(passing);
}

/* Of what load_nested makes, without what a list holds. Members of enums, and an option's value or None, are no objects more. */
static uint64_t object_bytes(const wac_type *type)
{
    switch (type->kind) {
    case WA_CTYPE_RECORD:
    case WA_CTYPE_TUPLE:
        return OBJECT_BYTES + type->item_count * (uint64_t)REFERENCE_BYTES;
    case WA_CTYPE_ENUM:
    case WA_CTYPE_OPTION:
        return 0;
    default:
        return OBJECT_BYTES;
    }
}

/* ---- what a call passes ------------------------------------------------------------------------------------------ */

void wax_passing_begin(wax_passing *passing, wax_component_instance *instance, const wac_options *options, wac_scope *scope)
{
    passing->instance = instance;
    passing->options = options;
    passing->scope = scope;
    passing->given = passing->few_given;
    passing->given_count = 0;
    passing->given_capacity = sizeof passing->few_given / sizeof *passing->few_given;
    passing->is_trapped = false;
    passing->taken_bytes = 0;
    uint64_t limit = wax_root(instance->store)->component_limits.value_bytes;
    passing->most_bytes = limit < default_value_bytes ? limit : default_value_bytes;
    passing->lent = NULL;
}

static int make_room(wax_passing *passing)
{
    uint32_t capacity = passing->given_capacity * 2;
    bool is_owned = passing->given != passing->few_given;
    wax_given *given = PyMem_Realloc(is_owned ? passing->given : NULL, capacity * sizeof *given);
    if (given == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (!is_owned)
        memcpy(given, passing->few_given, sizeof passing->few_given);
    passing->given = given;
    passing->given_capacity = capacity;
    return 0;
}

static int note_given(wax_passing *passing, wax_resource *resource, uint32_t handle, uint32_t object, bool is_own)
{
    if (passing->given_count == passing->given_capacity && make_room(passing) < 0)
        return -1;
    passing->given[passing->given_count++] = (wax_given){(wax_resource *)Py_XNewRef(resource), handle, object, is_own};
    return 0;
}

void wax_passing_commit(wax_passing *passing)
{
    for (uint32_t i = 0; i < passing->given_count; i++)
        if (passing->given[i].is_own && passing->given[i].resource != NULL)
            passing->given[i].resource->state = WAX_GONE;
}

void wax_passing_undo(wax_passing *passing)
{
    wa_component_instance *native = &passing->instance->native;
    for (uint32_t i = 0; i < passing->given_count; i++) {
        if (passing->given[i].handle != 0)
            wac_handle_free(native, passing->options->sub, passing->given[i].handle);
        if (passing->given[i].is_own && passing->given[i].object != 0)
            wax_object_free(passing->instance, passing->given[i].object);
        if (!passing->given[i].is_own && passing->given[i].handle != 0 && passing->scope != NULL)
            passing->scope->borrows--;
    }
}

void wax_passing_end(wax_passing *passing)
{
    for (uint32_t i = 0; i < passing->given_count; i++) {
        wax_resource *resource = passing->given[i].resource;
        if (resource != NULL)
            resource->lends--;
        if (!passing->given[i].is_own && passing->given[i].object != 0)
            wax_object_free(passing->instance, passing->given[i].object);
        Py_XDECREF(resource);
    }
    if (passing->given != passing->few_given)
        PyMem_Free(passing->given);
    passing->given_count = 0;
    for (Py_ssize_t i = 0; passing->lent != NULL && i < PyList_GET_SIZE(passing->lent); i++)
        ((wax_resource *)PyList_GET_ITEM(passing->lent, i))->state = WAX_GONE;
    Py_CLEAR(passing->lent);
}

/* ---- scalars ------------------------------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    int64_t low;
    uint64_t high;
} ranges[] = {
    [WA_CTYPE_S8] = {"s8", INT8_MIN, INT8_MAX},    [WA_CTYPE_U8] = {"u8", 0, UINT8_MAX},
    [WA_CTYPE_S16] = {"s16", INT16_MIN, INT16_MAX}, [WA_CTYPE_U16] = {"u16", 0, UINT16_MAX},
    [WA_CTYPE_S32] = {"s32", INT32_MIN, INT32_MAX}, [WA_CTYPE_U32] = {"u32", 0, UINT32_MAX},
    [WA_CTYPE_S64] = {"s64", INT64_MIN, INT64_MAX}, [WA_CTYPE_U64] = {"u64", 0, UINT64_MAX},
};

static int wrong_type(PyObject *value, const char *expected)
{
    PyErr_Format(PyExc_TypeError, "expected %s, found %s", expected, Py_TYPE(value)->tp_name);
    return -1;
}

static int out_of_range(uint8_t kind, PyObject *value)
{
    PyErr_Format(PyExc_OverflowError, "expected a %s, from %lld to %llu, found %R", ranges[kind].name, (long long)ranges[kind].low,
                 (unsigned long long)ranges[kind].high, value);
    return -1;
}

/* The bits of an integer that fits. */
static int store_integer(uint8_t kind, PyObject *value, uint64_t *bits)
{
    if (!PyLong_Check(value) && !PyIndex_Check(value)) {
        PyErr_Format(PyExc_TypeError, "expected an int (%s), found %s", ranges[kind].name, Py_TYPE(value)->tp_name);
        return -1;
    }
    PyObject *number = PyLong_CheckExact(value) ? Py_NewRef(value) : PyNumber_Index(value);
    if (number == NULL)
        return -1;
    int overflow;
    long long small = PyLong_AsLongLongAndOverflow(number, &overflow);
    bool fits = false;
    if (overflow == 0) {
        fits = small >= ranges[kind].low && (small < 0 || (unsigned long long)small <= ranges[kind].high);
        *bits = (uint64_t)small;
    } else if (overflow > 0 && kind == WA_CTYPE_U64) {
        *bits = PyLong_AsUnsignedLongLong(number);
        fits = !PyErr_Occurred();
        PyErr_Clear();
    }
    Py_DECREF(number);
    return fits ? 0 : out_of_range(kind, value);
}

static int store_float(uint8_t kind, PyObject *value, uint64_t *bits)
{
    wax_outcome outcome = wax_to_slots(NULL, kind == WA_CTYPE_F32 ? WAX_F32 : WAX_F64, value, bits);
    if (outcome == WAX_WRONG_TYPE)
        return wrong_type(value, "a float");
    if (outcome == WAX_OUT_OF_RANGE)
        PyErr_Format(PyExc_OverflowError, "expected a float of %s bits, found %R", kind == WA_CTYPE_F32 ? "32" : "64", value);
    return outcome == WAX_CONVERTED ? 0 : -1;
}

static int store_char(PyObject *value, uint64_t *bits)
{
    if (!PyUnicode_Check(value) || PyUnicode_GET_LENGTH(value) != 1)
        return wrong_type(value, "a str of one character");
    Py_UCS4 character = PyUnicode_READ_CHAR(value, 0);
    if (character >= 0xd800 && character <= 0xdfff) {
        PyErr_SetString(PyExc_ValueError, "expected a character, found a surrogate");
        return -1;
    }
    *bits = character;
    return 0;
}

/* What is not converted inline. */
static int other_bits(uint8_t kind, PyObject *value, uint64_t *bits)
{
    if (kind == WA_CTYPE_BOOL)
        return wrong_type(value, "a bool");
    if (kind == WA_CTYPE_CHAR)
        return store_char(value, bits);
    return kind <= WA_CTYPE_U64 ? store_integer(kind, value, bits) : store_float(kind, value, bits);
}

/* The bits of a scalar, which are its bytes: 0, or -1 with an exception set. Inline for the commonest values. */
static inline int scalar_bits(const wac_type *type, PyObject *value, uint64_t *bits)
{
    uint8_t kind = type->kind;
    long long small;
    if (kind >= WA_CTYPE_S8 && kind <= WA_CTYPE_U64 && wax_is_small_int(value, &small) && small >= ranges[kind].low &&
        (small < 0 || (unsigned long long)small <= ranges[kind].high)) {
        *bits = (uint64_t)small;
        return 0;
    }
    if (kind == WA_CTYPE_BOOL && PyBool_Check(value)) {
        *bits = value == Py_True;
        return 0;
    }
    if (kind == WA_CTYPE_F64 && PyFloat_CheckExact(value)) {
        double number = PyFloat_AS_DOUBLE(value);
        memcpy(bits, &number, sizeof number);
        return 0;
    }
    return other_bits(kind, value, bits);
}

static bool is_scalar(const wac_type *type)
{
    return type->kind <= WA_CTYPE_CHAR;
}

static bool is_handle(const wac_type *type)
{
    return type->kind == WA_CTYPE_OWN || type->kind == WA_CTYPE_BORROW;
}

/* By widths that the compiler knows: a copy of any width is a call, and who reads it waits for it. */
static void write_bits(uint8_t *to, uint64_t bits, uint32_t size_bytes)
{
    if (size_bytes == 8)
        memcpy(to, &bits, 8);
    else if (size_bytes == 4)
        memcpy(to, &bits, 4);
    else if (size_bytes == 2)
        memcpy(to, &bits, 2);
    else
        *to = (uint8_t)bits;
}

/* As a register has them. */
static uint64_t widened(const wac_type *type, uint64_t bits)
{
    return type->size_bytes == 8 ? bits : (uint32_t)bits;
}

bool wax_store_scalar(const wac_type *type, PyObject *value, uint64_t *slot)
{
    uint64_t bits;
    if (scalar_bits(type, value, &bits) < 0)
        return false;
    *slot = widened(type, bits);
    return true;
}

static PyObject *load_char(uint32_t character)
{
    if (character > 0x10ffff || (character >= 0xd800 && character <= 0xdfff))
        return wax_raise_trap_code(WA_TRAP_INVALID_CHAR);
    return PyUnicode_FromOrdinal((int)character);
}

/* A scalar's bytes -> a new reference. */
static PyObject *load_scalar(uint8_t kind, const uint8_t *from)
{
    union {
        int16_t s16;
        uint16_t u16;
        int32_t s32;
        uint32_t u32;
        int64_t s64;
        uint64_t u64;
        float f32;
        double f64;
    } value;
    switch (kind) {
    case WA_CTYPE_BOOL:
        return PyBool_FromLong(*from != 0);
    case WA_CTYPE_S8:
        return PyLong_FromLong((int8_t)*from);
    case WA_CTYPE_U8:
        return PyLong_FromLong(*from);
    case WA_CTYPE_S16:
        memcpy(&value, from, 2);
        return PyLong_FromLong(value.s16);
    case WA_CTYPE_U16:
        memcpy(&value, from, 2);
        return PyLong_FromLong(value.u16);
    case WA_CTYPE_S32:
        memcpy(&value, from, 4);
        return PyLong_FromLong(value.s32);
    case WA_CTYPE_U32:
        memcpy(&value, from, 4);
        return PyLong_FromLong(value.u32);
    case WA_CTYPE_S64:
        memcpy(&value, from, 8);
        return PyLong_FromLongLong(value.s64);
    case WA_CTYPE_U64:
        memcpy(&value, from, 8);
        return PyLong_FromUnsignedLongLong(value.u64);
    case WA_CTYPE_F32:
        memcpy(&value, from, 4);
        return PyFloat_FromDouble((double)value.f32);
    case WA_CTYPE_F64:
        memcpy(&value, from, 8);
        return PyFloat_FromDouble(value.f64);
    default:
        memcpy(&value, from, 4);
        return load_char(value.u32);
    }
}

PyObject *wax_load_scalar(const wac_type *type, uint64_t slot)
{
    if (type->kind == WA_CTYPE_BOOL)
        return PyBool_FromLong((uint32_t)slot != 0);
    return load_scalar(type->kind, (const uint8_t *)&slot); /* what is beyond its width does not count */
}

/* ---- strings -------------------------------------------------------------------------------------------------------- */

static int allocate(wax_passing *passing, uint32_t align_bytes, uint64_t size_bytes, uint32_t *pointer, uint8_t **bytes)
{
    if (size_bytes > WA_MAX_VALUE_BYTES) {
        PyErr_Format(PyExc_OverflowError, "a string or list of %llu bytes; the canonical ABI allows %llu",
                     (unsigned long long)size_bytes, (unsigned long long)WA_MAX_VALUE_BYTES);
        return -1;
    }
    uint32_t trap = wac_allocate(&passing->instance->native, passing->options, 0, 0, align_bytes, size_bytes, pointer, bytes);
    return trap == 0 ? 0 : fail_trap(passing, trap);
}

static int store_bytes(wax_passing *passing, const void *data, uint64_t size_bytes, uint32_t align_bytes, uint32_t count, wac_span *to)
{
    uint8_t *bytes;
    to->count = count;
    if (allocate(passing, align_bytes, size_bytes, &to->pointer, &bytes) < 0)
        return -1;
    memmove(bytes, data, size_bytes); /* it may be a view of the guest's memory */
    return 0;
}

static int store_string(wax_passing *passing, PyObject *value, wac_span *to)
{
    if (!PyUnicode_Check(value))
        return wrong_type(value, "a str");
    uint8_t encoding = passing->options->encoding;
    if (encoding == WA_ENCODING_UTF8) {
        Py_ssize_t size;
        const char *text = PyUnicode_AsUTF8AndSize(value, &size);
        return text == NULL ? -1 : store_bytes(passing, text, (uint64_t)size, 1, (uint32_t)size, to);
    }
    if (encoding == WA_ENCODING_LATIN1_UTF16 && PyUnicode_KIND(value) == PyUnicode_1BYTE_KIND) {
        Py_ssize_t size = PyUnicode_GET_LENGTH(value);
        return store_bytes(passing, PyUnicode_1BYTE_DATA(value), (uint64_t)size, 2, (uint32_t)size, to);
    }
    PyObject *encoded = PyUnicode_AsEncodedString(value, "utf-16-le", NULL);
    if (encoded == NULL)
        return -1;
    uint32_t tag = encoding == WA_ENCODING_LATIN1_UTF16 ? WAC_UTF16_TAG : 0;
    uint64_t size_bytes = (uint64_t)PyBytes_GET_SIZE(encoded);
    int failed = store_bytes(passing, PyBytes_AS_STRING(encoded), size_bytes, 2, (uint32_t)(size_bytes / 2) | tag, to);
    Py_DECREF(encoded);
    return failed;
}

/* The trap for a string that is not in its encoding, in the place of Python's own exception. */
static PyObject *bad_string(uint8_t encoding)
{
    if (!PyErr_ExceptionMatches(PyExc_UnicodeDecodeError))
        return NULL;
    uint32_t code = encoding == WA_ENCODING_UTF8 ? WA_TRAP_INVALID_UTF8 : WA_TRAP_INVALID_UTF16;
    PyObject *class, *raised, *traceback;
    PyErr_Fetch(&class, &raised, &traceback);
    PyErr_NormalizeException(&class, &raised, &traceback);
    PyObject *reason = raised == NULL ? NULL : PyUnicodeDecodeError_GetReason(raised);
    if (reason != NULL && code == WA_TRAP_INVALID_UTF8 &&
        PyUnicode_CompareWithASCIIString(reason, "unexpected end of data") == 0)
        code = WA_TRAP_INCOMPLETE_UTF8;
    PyErr_Clear();
    Py_XDECREF(reason);
    Py_XDECREF(class);
    Py_XDECREF(raised);
    Py_XDECREF(traceback);
    return wax_raise_trap_code(code);
}

static bool is_ascii(const uint8_t *bytes, uint64_t size_bytes)
{
    uint64_t words[4], high = 0, at = 0;
    for (; at + sizeof words <= size_bytes && (high & UINT64_C(0x8080808080808080)) == 0; at += sizeof words) {
        memcpy(words, bytes + at, sizeof words);
        high = words[0] | words[1] | words[2] | words[3];
    }
    for (; at < size_bytes; at++)
        high |= bytes[at];
    return (high & UINT64_C(0x8080808080808080)) == 0;
}

/* Text that stays in the nearest cache between a look and a copy. */
enum { SHORT_TEXT_BYTES = 4096 };

/* Most text is ASCII, and short, which takes a look and a copy. Python looks and copies at once, and has strings of one character. */
static PyObject *decode_utf8(const uint8_t *bytes, uint64_t size_bytes)
{
    if (size_bytes < 2 || size_bytes > SHORT_TEXT_BYTES || !is_ascii(bytes, size_bytes))
        return PyUnicode_DecodeUTF8((const char *)bytes, (Py_ssize_t)size_bytes, NULL);
    PyObject *value = PyUnicode_New((Py_ssize_t)size_bytes, 127);
    if (value != NULL)
        memcpy(PyUnicode_1BYTE_DATA(value), bytes, size_bytes);
    return value;
}

static NOINLINE PyObject *load_string(wax_passing *passing, const uint8_t *from)
{
    wac_span span;
    const uint8_t *bytes;
    uint64_t size_bytes;
    uint8_t encoding;
    memcpy(&span, from, sizeof span);
    uint32_t trap = wac_string_place(passing->options, span, &bytes, &size_bytes, &encoding);
    if (trap != 0)
        return wax_raise_trap_code(trap);
    if (!takes(passing, OBJECT_BYTES + size_bytes))
        return NULL;
    const char *text = (const char *)bytes;
    int little = -1;
    PyObject *value = encoding == WAC_LATIN1           ? PyUnicode_DecodeLatin1(text, (Py_ssize_t)size_bytes, NULL)
                      : encoding == WA_ENCODING_UTF16 ? PyUnicode_DecodeUTF16(text, (Py_ssize_t)size_bytes, NULL, &little)
                                                       : decode_utf8(bytes, size_bytes);
    return value == NULL ? bad_string(encoding) : value;
}

/* ---- lists ------------------------------------------------------------------------------------------------------------ */

/* Formats of the buffers that numbers come in and go out as, by type. */
static const char *const formats[] = {
    [WA_CTYPE_S8] = "b",  [WA_CTYPE_U8] = "B",  [WA_CTYPE_S16] = "h", [WA_CTYPE_U16] = "H", [WA_CTYPE_S32] = "i",
    [WA_CTYPE_U32] = "I", [WA_CTYPE_S64] = "q", [WA_CTYPE_U64] = "Q", [WA_CTYPE_F32] = "f", [WA_CTYPE_F64] = "d",
};

static bool is_number(const wac_type *type)
{
    return type->kind >= WA_CTYPE_S8 && type->kind <= WA_CTYPE_F64;
}

/* Whether a buffer's items are the elements: of the size, and integers of the same sign or floats. */
static bool has_elements(const Py_buffer *view, const wac_type *element)
{
    const char *format = view->format == NULL ? "B" : view->format;
    if (*format == '@' || *format == '=' || *format == '<')
        format++;
    if (view->ndim != 1 || view->itemsize != (Py_ssize_t)element->size_bytes || format[0] == 0 || format[1] != 0)
        return false;
    if (element->kind == WA_CTYPE_F32 || element->kind == WA_CTYPE_F64)
        return *format == 'f' || *format == 'd';
    const char *allowed = *formats[element->kind] >= 'a' ? "bhilqn" : element->kind == WA_CTYPE_U8 ? "BHILQNc" : "BHILQN";
    return strchr(allowed, *format) != NULL;
}

static int store_buffer(wax_passing *passing, const wac_type *element, PyObject *value, wac_span *to)
{
    Py_buffer view;
    if (PyObject_GetBuffer(value, &view, PyBUF_ND | PyBUF_FORMAT) < 0)
        return -1;
    int failed = -1;
    if (has_elements(&view, element) && (uint64_t)view.shape[0] <= UINT32_MAX)
        failed = store_bytes(passing, view.buf, (uint64_t)view.len, element->align_bytes, (uint32_t)view.shape[0], to);
    else if (!has_elements(&view, element))
        PyErr_Format(PyExc_TypeError, "expected a buffer of one dimension with items of format %s, found %s, %d dimensions",
                     formats[element->kind], view.format == NULL ? "B" : view.format, view.ndim);
    else
        PyErr_SetString(PyExc_OverflowError, "a list with more items than the canonical ABI allows");
    PyBuffer_Release(&view);
    return failed;
}

static int in_item(const char *what, Py_ssize_t number)
{
    PyObject *class, *raised, *traceback;
    PyErr_Fetch(&class, &raised, &traceback);
    if (class == PyExc_TypeError || class == PyExc_OverflowError || class == PyExc_ValueError) {
        PyErr_NormalizeException(&class, &raised, &traceback);
        PyErr_Format(class, "%s %zd: %S", what, number, raised);
        Py_XDECREF(class);
        Py_XDECREF(raised);
        Py_XDECREF(traceback);
    } else {
        PyErr_Restore(class, raised, traceback);
    }
    return -1;
}

static int in_field(PyObject *name)
{
    PyObject *class, *raised, *traceback;
    PyErr_Fetch(&class, &raised, &traceback);
    if (class == PyExc_TypeError || class == PyExc_OverflowError || class == PyExc_ValueError) {
        PyErr_NormalizeException(&class, &raised, &traceback);
        PyErr_Format(class, "%U: %S", name, raised);
        Py_XDECREF(class);
        Py_XDECREF(raised);
        Py_XDECREF(traceback);
    } else {
        PyErr_Restore(class, raised, traceback);
    }
    return -1;
}

static int store_items(wax_passing *passing, const wac_type *element, PyObject *items, wac_span *to)
{
    uint64_t count = (uint64_t)PyTuple_GET_SIZE(items);
    uint8_t *bytes;
    to->count = (uint32_t)count;
    if (allocate(passing, element->align_bytes, count * element->size_bytes, &to->pointer, &bytes) < 0)
        return -1;
    for (uint32_t i = 0; i < to->count; i++)
        if (wax_store_value(passing, element, PyTuple_GET_ITEM(items, i), bytes + (uint64_t)i * element->size_bytes) < 0)
            return in_item("item", i);
    return 0;
}

static int store_list(wax_passing *passing, const wac_type *type, PyObject *value, wac_span *to)
{
    const wac_type *element = type->parts[0];
    if (is_number(element) && PyObject_CheckBuffer(value))
        return store_buffer(passing, element, value, to);
    if (PyUnicode_Check(value) || PyDict_Check(value) || !PySequence_Check(value))
        return wrong_type(value, "a sequence");
    PyObject *items = PySequence_Tuple(value);
    int failed = items == NULL ? -1 : store_items(passing, element, items, to);
    Py_XDECREF(items);
    return failed;
}

static PyObject *load_numbers(const wac_type *element, const uint8_t *bytes, uint32_t count)
{
    PyObject *copy = PyBytes_FromStringAndSize((const char *)bytes, (Py_ssize_t)((uint64_t)count * element->size_bytes));
    if (copy == NULL || element->kind == WA_CTYPE_U8)
        return copy;
    PyObject *view = PyMemoryView_FromObject(copy);
    Py_DECREF(copy);
    PyObject *cast = view == NULL ? NULL : PyObject_CallMethod(view, "cast", "s", formats[element->kind]);
    Py_XDECREF(view);
    return cast;
}

static PyObject *load_list(wax_passing *passing, const wac_type *type, const uint8_t *from)
{
    const wac_type *element = type->parts[0];
    const uint8_t *bytes;
    wac_span span;
    memcpy(&span, from, sizeof span);
    uint32_t trap = wac_list_place(passing->options, element, span, &bytes);
    if (trap != 0)
        return wax_raise_trap_code(trap);
    uint64_t item_bytes = is_number(element) ? element->size_bytes : REFERENCE_BYTES;
    if (!takes(passing, span.count * item_bytes))
        return NULL;
    if (is_number(element))
        return load_numbers(element, bytes, span.count);
    PyObject *list = PyList_New(span.count);
    for (uint32_t i = 0; list != NULL && i < span.count; i++) {
        PyObject *item = wax_load_value(passing, element, bytes + (uint64_t)i * element->size_bytes);
        if (item == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, item);
    }
    return list;
}

/* ---- records and tuples ---------------------------------------------------------------------------------------------- */

/* Where the parts of a value go: bytes, or where those are NULL, the registers from here on. */
typedef struct target {
    uint8_t *bytes;
    uint64_t *slots;
} target;

static inline __attribute__((always_inline)) int store_part(wax_passing *passing, const wac_type *type, uint32_t number,
                                                            PyObject *value, target *to)
{
    const wac_type *part = type->parts[number];
    if (is_scalar(part)) {
        uint64_t bits;
        if (scalar_bits(part, value, &bits) < 0)
            return -1;
        if (to->bytes != NULL)
            write_bits(to->bytes + type->offsets[number], bits, part->size_bytes);
        else
            *to->slots++ = widened(part, bits);
        return 0;
    }
    if (to->bytes != NULL)
        return wax_store_value(passing, part, value, to->bytes + type->offsets[number]);
    uint64_t *slots = to->slots;
    to->slots += part->flat_count;
    return wax_lower_value(passing, part, value, slots);
}

/* A record's face: (class, attributes, names), where the class is one of tuples; (class, attributes, names, descriptors of its
 * slots), where it is not. */
static PyObject *field_of_dict(PyObject *face, PyObject *value, uint32_t number)
{
    PyObject *attribute = PyTuple_GET_ITEM(PyTuple_GET_ITEM(face, 1), number);
    PyObject *field = PyDict_GetItemWithError(value, attribute);
    if (field == NULL && !PyErr_Occurred())
        field = PyDict_GetItemWithError(value, PyTuple_GET_ITEM(PyTuple_GET_ITEM(face, 2), number));
    if (field == NULL && !PyErr_Occurred())
        PyErr_Format(PyExc_TypeError, "expected the fields of %R, found no %R", PyTuple_GET_ITEM(face, 0), attribute);
    return Py_XNewRef(field);
}

/* A field of a record's class, of another object that has it, or of a dict: a new reference, or NULL with an exception set. */
static PyObject *record_field(PyObject *face, PyObject *value, uint32_t number)
{
    bool is_own = (PyObject *)Py_TYPE(value) == PyTuple_GET_ITEM(face, 0), has_slots = PyTuple_GET_SIZE(face) == 4;
    PyObject *attribute = PyTuple_GET_ITEM(PyTuple_GET_ITEM(face, 1), number), *field;
    if (PyDict_Check(value))
        return field_of_dict(face, value, number);
    if (is_own && has_slots) {
        PyObject *slot = PyTuple_GET_ITEM(PyTuple_GET_ITEM(face, 3), number);
        field = Py_TYPE(slot)->tp_descr_get(slot, value, (PyObject *)Py_TYPE(value));
    } else {
        field = PyObject_GetAttr(value, attribute);
    }
    if (field == NULL && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        PyErr_Format(PyExc_TypeError, "expected an object with the fields of %R, found %s, which has no %R",
                     PyTuple_GET_ITEM(face, 0), Py_TYPE(value)->tp_name, attribute);
    }
    return field;
}

/* A tuple of the record's class: nobody changes it, and the caller has it. */
static int store_own(wax_passing *passing, const wac_type *type, PyObject *face, PyObject *value, target to)
{
    for (uint32_t i = 0; i < type->item_count; i++)
        if (store_part(passing, type, i, PyTuple_GET_ITEM(value, i), &to) < 0)
            return in_field(PyTuple_GET_ITEM(PyTuple_GET_ITEM(face, 1), i));
    return 0;
}

static int store_record(wax_passing *passing, const wac_type *type, PyObject *value, target to)
{
    PyObject *face = wax_face(passing->instance->component, type);
    if (face == NULL)
        return -1;
    if ((PyObject *)Py_TYPE(value) == PyTuple_GET_ITEM(face, 0) && PyTuple_GET_SIZE(face) == 3 &&
        PyTuple_GET_SIZE(value) == (Py_ssize_t)type->item_count) /* tuple.__new__ makes objects of any length */
        return store_own(passing, type, face, value, to);
    for (uint32_t i = 0; i < type->item_count; i++) {
        PyObject *field = record_field(face, value, i);
        if (field == NULL)
            return -1;
        int failed = store_part(passing, type, i, field, &to);
        Py_DECREF(field);
        if (failed)
            return in_field(PyTuple_GET_ITEM(PyTuple_GET_ITEM(face, 1), i));
    }
    return 0;
}

/* class: of tuples. */
static PyObject *load_fields(wax_passing *passing, const wac_type *type, const uint8_t *from, PyTypeObject *class)
{
    PyObject *fields = class == &PyTuple_Type ? PyTuple_New(type->item_count) : class->tp_alloc(class, type->item_count);
    for (uint32_t i = 0; fields != NULL && i < type->item_count; i++) {
        const wac_type *part = type->parts[i];
        const uint8_t *place = from + type->offsets[i];
        PyObject *field = is_scalar(part) ? load_scalar(part->kind, place) : wax_load_value(passing, part, place);
        if (field == NULL)
            Py_CLEAR(fields);
        else
            PyTuple_SET_ITEM(fields, i, field);
    }
    return fields;
}

/* An object with slots: they are filled as its class would, which may be frozen for everybody else. */
static PyObject *load_slots(wax_passing *passing, const wac_type *type, const uint8_t *from, PyTypeObject *class, PyObject *slots)
{
    PyObject *record = class->tp_alloc(class, 0);
    for (uint32_t i = 0; record != NULL && i < type->item_count; i++) {
        PyObject *slot = PyTuple_GET_ITEM(slots, i);
        PyObject *field = wax_load_value(passing, type->parts[i], from + type->offsets[i]);
        if (field == NULL || Py_TYPE(slot)->tp_descr_set(slot, record, field) < 0)
            Py_CLEAR(record);
        Py_XDECREF(field);
    }
    return record;
}

static PyObject *load_record(wax_passing *passing, const wac_type *type, const uint8_t *from)
{
    PyObject *face = wax_face(passing->instance->component, type);
    if (face == NULL)
        return NULL;
    PyTypeObject *class = (PyTypeObject *)PyTuple_GET_ITEM(face, 0);
    return PyTuple_GET_SIZE(face) == 3 ? load_fields(passing, type, from, class)
                                       : load_slots(passing, type, from, class, PyTuple_GET_ITEM(face, 3));
}

static int store_tuple(wax_passing *passing, const wac_type *type, PyObject *value, target to)
{
    if (!PyTuple_Check(value) && !PyList_Check(value))
        return wrong_type(value, "a tuple");
    PyObject *items = PySequence_Tuple(value);
    if (items == NULL)
        return -1;
    int failed = 0;
    if (PyTuple_GET_SIZE(items) != (Py_ssize_t)type->item_count) {
        PyErr_Format(PyExc_TypeError, "expected a tuple of %u items, found %zd", type->item_count, PyTuple_GET_SIZE(items));
        failed = -1;
    }
    for (uint32_t i = 0; !failed && i < type->item_count; i++) {
        failed = store_part(passing, type, i, PyTuple_GET_ITEM(items, i), &to);
        if (failed)
            in_item("item", i);
    }
    Py_DECREF(items);
    return failed;
}

/* ---- variants and their kin ------------------------------------------------------------------------------------------ */

static int store_case(wax_passing *passing, const wac_type *type, uint32_t number, PyObject *payload, uint8_t *to)
{
    const wac_type *part = wac_case(type, number);
    memset(to, 0, type->size_bytes);
    wac_set_discriminant(type, to, number);
    if (part == NULL)
        return payload == NULL || payload == Py_None ? 0 : wrong_type(payload, "no value, None");
    if (payload == NULL) {
        PyErr_SetString(PyExc_TypeError, "expected a value for the case, found none");
        return -1;
    }
    return wax_store_value(passing, part, payload, to + type->payload_offset);
}

/* The number of a case by its key in a dict: -1 with an exception set. */
static int64_t find_case(PyObject *cases, PyObject *key, PyObject *value)
{
    PyObject *number = PyDict_GetItemWithError(cases, key);
    if (number == NULL && PyErr_ExceptionMatches(PyExc_TypeError))
        PyErr_Clear(); /* not hashable: no case */
    if (number == NULL && !PyErr_Occurred()) {
        PyObject *names = PyList_New(0), *name, *unused;
        Py_ssize_t place = 0;
        while (names != NULL && PyDict_Next(cases, &place, &name, &unused))
            if (PyUnicode_CheckExact(name) && PyList_Append(names, name) < 0)
                Py_CLEAR(names);
        if (names != NULL && PyUnicode_CheckExact(value))
            PyErr_Format(PyExc_ValueError, "expected one of %R, found %R", names, value);
        else if (names != NULL)
            PyErr_Format(PyExc_TypeError, "expected one of %R, found %s", names, Py_TYPE(value)->tp_name);
        Py_XDECREF(names);
    }
    return number == NULL ? -1 : PyLong_AsLongLong(number);
}

/* A variant's face: (class, cases by class and name, classes). A value is an object of a case's class, a name, or (name, value). */
static int store_variant(wax_passing *passing, const wac_type *type, PyObject *value, uint8_t *to)
{
    PyObject *face = wax_face(passing->instance->component, type), *payload = NULL, *key = (PyObject *)Py_TYPE(value);
    if (face == NULL)
        return -1;
    PyObject *cases = PyTuple_GET_ITEM(face, 1);
    if (PyUnicode_Check(value)) {
        key = value;
    } else if (PyTuple_Check(value) && PyTuple_GET_SIZE(value) == 2) {
        key = PyTuple_GET_ITEM(value, 0);
        payload = Py_NewRef(PyTuple_GET_ITEM(value, 1));
    } else if (PyDict_Contains(cases, key) == 1) {
        payload = PyObject_GetAttrString(value, "value");
        if (payload == NULL)
            return -1;
    }
    int64_t number = find_case(cases, key, value);
    int failed = number < 0 ? -1 : store_case(passing, type, (uint32_t)number, payload, to);
    Py_XDECREF(payload);
    return failed;
}

static int store_option(wax_passing *passing, const wac_type *type, PyObject *value, uint8_t *to)
{
    if (value == Py_None)
        return store_case(passing, type, 0, NULL, to);
    PyObject *some = wax_wrapper(2);
    if (some == NULL)
        return -1;
    if (!PyObject_TypeCheck(value, (PyTypeObject *)some))
        return type->parts[0]->kind == WA_CTYPE_OPTION ? wrong_type(value, "None or a Some, as an option of an option takes")
                                                       : store_case(passing, type, 1, value, to);
    PyObject *payload = PyObject_GetAttrString(value, "value");
    int failed = payload == NULL ? -1 : store_case(passing, type, 1, payload, to);
    Py_XDECREF(payload);
    return failed;
}

static int store_result(wax_passing *passing, const wac_type *type, PyObject *value, uint8_t *to)
{
    PyObject *ok = wax_wrapper(0), *err = wax_wrapper(1);
    if (ok == NULL || err == NULL)
        return -1;
    bool is_err = PyObject_TypeCheck(value, (PyTypeObject *)err);
    if (!is_err && !PyObject_TypeCheck(value, (PyTypeObject *)ok))
        return wrong_type(value, "an Ok or an Err");
    PyObject *payload = PyObject_GetAttrString(value, "value");
    int failed = payload == NULL ? -1 : store_case(passing, type, is_err, payload, to);
    Py_XDECREF(payload);
    return failed;
}

/* The number of a case in bytes: false with a Trap. */
static bool read_case(const wac_type *type, const uint8_t *from, uint32_t *number)
{
    *number = wac_discriminant(type, from);
    if (*number < (type->kind == WA_CTYPE_ENUM ? type->item_count : wac_case_count(type)))
        return true;
    wax_raise_trap_code(WA_TRAP_INVALID_VARIANT);
    return false;
}

static PyObject *load_payload(wax_passing *passing, const wac_type *type, uint32_t number, const uint8_t *from)
{
    const wac_type *part = wac_case(type, number);
    return part == NULL ? Py_NewRef(Py_None) : wax_load_value(passing, part, from + type->payload_offset);
}

/* An object of a class, of one value, which is stolen. */
static PyObject *wrapped(PyObject *class, PyObject *payload)
{
    PyObject *value = class == NULL || payload == NULL ? NULL : PyObject_CallOneArg(class, payload);
    Py_XDECREF(payload);
    return value;
}

static PyObject *load_variant(wax_passing *passing, const wac_type *type, const uint8_t *from)
{
    uint32_t number;
    PyObject *face = read_case(type, from, &number) ? wax_face(passing->instance->component, type) : NULL;
    if (face == NULL)
        return NULL;
    PyObject *class = PyTuple_GET_ITEM(PyTuple_GET_ITEM(face, 2), number);
    if (wac_case(type, number) == NULL)
        return PyObject_CallNoArgs(class);
    return wrapped(class, load_payload(passing, type, number, from));
}

static PyObject *load_option(wax_passing *passing, const wac_type *type, const uint8_t *from)
{
    uint32_t number;
    if (!read_case(type, from, &number))
        return NULL;
    PyObject *payload = load_payload(passing, type, number, from);
    return number == 0 || type->parts[0]->kind != WA_CTYPE_OPTION ? payload : wrapped(wax_wrapper(2), payload);
}

static PyObject *load_result(wax_passing *passing, const wac_type *type, const uint8_t *from)
{
    uint32_t number;
    return read_case(type, from, &number) ? wrapped(wax_wrapper((int)number), load_payload(passing, type, number, from)) : NULL;
}

/* An enum's face: (class, numbers by member and name, members). */
static int store_enum(wax_passing *passing, const wac_type *type, PyObject *value, uint8_t *to)
{
    PyObject *face = wax_face(passing->instance->component, type);
    int64_t number = face == NULL ? -1 : find_case(PyTuple_GET_ITEM(face, 1), value, value);
    if (number < 0)
        return -1;
    wac_set_discriminant(type, to, (uint32_t)number);
    return 0;
}

static PyObject *load_enum(wax_passing *passing, const wac_type *type, const uint8_t *from)
{
    uint32_t number;
    PyObject *face = read_case(type, from, &number) ? wax_face(passing->instance->component, type) : NULL;
    return face == NULL ? NULL : Py_NewRef(PyTuple_GET_ITEM(PyTuple_GET_ITEM(face, 2), number));
}

static uint32_t flags_mask(const wac_type *type)
{
    return type->item_count >= 32 ? UINT32_MAX : (UINT32_C(1) << type->item_count) - 1;
}

/* Flags' face: (class, bits by member and name). A value is an int, as the class is one, or names. */
static int store_flags(wax_passing *passing, const wac_type *type, PyObject *value, uint8_t *to)
{
    uint32_t bits = 0;
    if (PyLong_Check(value)) {
        uint64_t number;
        if (store_integer(WA_CTYPE_U32, value, &number) < 0)
            return -1;
        bits = (uint32_t)number;
        if ((bits & ~flags_mask(type)) != 0) {
            PyErr_Format(PyExc_ValueError, "expected flags below %#x, found %R", flags_mask(type), value);
            return -1;
        }
    } else {
        PyObject *face = wax_face(passing->instance->component, type);
        PyObject *names = face == NULL || PyUnicode_Check(value) ? NULL : PySequence_Tuple(value);
        if (names == NULL)
            return face == NULL || (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_TypeError))
                       ? -1
                       : (PyErr_Clear(), wrong_type(value, "flags or names of flags"));
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); i++) {
            PyObject *name = PyTuple_GET_ITEM(names, i);
            int64_t bit = find_case(PyTuple_GET_ITEM(face, 1), name, name);
            if (bit < 0) {
                Py_DECREF(names);
                return -1;
            }
            bits |= UINT32_C(1) << bit;
        }
        Py_DECREF(names);
    }
    memcpy(to, &bits, type->size_bytes);
    return 0;
}

static PyObject *load_flags(wax_passing *passing, const wac_type *type, const uint8_t *from)
{
    uint32_t bits = 0;
    memcpy(&bits, from, type->size_bytes);
    PyObject *face = wax_face(passing->instance->component, type);
    return face == NULL ? NULL : wrapped(PyTuple_GET_ITEM(face, 0), PyLong_FromUnsignedLong(bits & flags_mask(type)));
}

/* ---- resources ---------------------------------------------------------------------------------------------------------- */

/* An object of the embedder gets a handle: for good, or for the call. */
static int give_object(wax_passing *passing, const wac_type *type, PyObject *value, uint32_t *index)
{
    wa_component_instance *native = &passing->instance->native;
    uint32_t rep = wax_object_new(passing->instance, value);
    if (rep == 0)
        return -1;
    bool is_own = type->kind == WA_CTYPE_OWN;
    wac_handle handle = {.resource = type->resource, .rep = rep, .is_own = is_own, .scope = is_own ? NULL : passing->scope};
    uint32_t trap = wac_handle_new(native, passing->options->sub, handle, index);
    if (trap != 0 || note_given(passing, NULL, *index, rep, is_own) < 0) {
        if (trap == 0)
            wac_handle_free(native, passing->options->sub, *index);
        wax_object_free(passing->instance, rep);
        return trap != 0 ? fail_trap(passing, trap) : -1;
    }
    if (!is_own && passing->scope != NULL)
        passing->scope->borrows++;
    return 0;
}

/* Until the call is over, or nothing was given, the resource is lent: conversions of other arguments may run code that closes it. */
static int give_resource(wax_passing *passing, const wac_type *type, wax_resource *resource, uint32_t *index)
{
    wa_component_instance *native = &passing->instance->native;
    uint32_t handle = 0;
    for (uint32_t i = 0; i < passing->given_count; i++)
        if (passing->given[i].resource == resource && (type->kind == WA_CTYPE_OWN || passing->given[i].is_own)) {
            PyErr_SetString(PyExc_ValueError, "the resource is an argument twice, and can't be given away");
            return -1;
        }
    if (type->kind == WA_CTYPE_OWN) {
        if (resource->state != WAX_OWNED || resource->lends != 0) {
            PyErr_SetString(PyExc_ValueError, resource->lends != 0 ? "the resource is lent to a call, and can't be given away"
                                                                   : "the resource is borrowed, and can't be given away");
            return -1;
        }
        uint32_t trap = wac_handle_new(native, passing->options->sub,
                                       (wac_handle){.resource = type->resource, .rep = resource->rep, .is_own = true}, index);
        if (trap != 0)
            return fail_trap(passing, trap);
        handle = *index;
    } else {
        uint32_t trap = wac_give_borrow(native, passing->options->sub, type->resource, resource->rep, passing->scope, index);
        if (trap != 0)
            return fail_trap(passing, trap);
        handle = native->component->resources[type->resource].owner == passing->options->sub + 1 ? 0 : *index;
    }
    if (note_given(passing, resource, handle, 0, type->kind == WA_CTYPE_OWN) < 0)
        return -1;
    resource->lends++;
    return 0;
}

static int store_handle(wax_passing *passing, const wac_type *type, PyObject *value, uint32_t *index)
{
    if (passing->instance->native.component->resources[type->resource].owner == 0) {
        if (give_object(passing, type, value, index) < 0)
            return -1;
    } else {
        wax_resource *resource = (wax_resource *)value;
        if (!PyObject_TypeCheck(value, wax_here()->resource_type) || resource->resource != type->resource)
            return wrong_type(value, "a resource of the type that this function takes");
        if (resource->instance != passing->instance) {
            PyErr_SetString(PyExc_ValueError, "the resource is of another instance");
            return -1;
        }
        if (resource->state == WAX_GONE) {
            PyErr_SetString(PyExc_ValueError, "the resource is closed, was given away, or was borrowed for a call that is over");
            return -1;
        }
        return give_resource(passing, type, resource, index);
    }
    return 0;
}

static PyObject *lend_to_python(wax_passing *passing, const wac_type *type, uint32_t rep)
{
    if (passing->lent == NULL)
        passing->lent = PyList_New(0);
    PyObject *resource =
        passing->lent == NULL ? NULL : wax_resource_new(passing->instance, type->resource, rep, WAX_BORROWED);
    if (resource != NULL && PyList_Append(passing->lent, resource) < 0)
        Py_CLEAR(resource);
    return resource;
}

static PyObject *load_handle(wax_passing *passing, const wac_type *type, const uint8_t *from)
{
    wa_component_instance *native = &passing->instance->native;
    uint32_t index, rep = 0;
    memcpy(&index, from, sizeof index);
    bool is_own = type->kind == WA_CTYPE_OWN;
    uint32_t trap = is_own ? wac_take_own(native, passing->options->sub, index, type->resource, &rep)
                           : wac_lend_handle(native, passing->options->sub, index, type->resource, &rep);
    if (trap != 0)
        return wax_raise_trap_code(trap);
    if (native->component->resources[type->resource].owner != 0)
        return is_own ? wax_resource_new(passing->instance, type->resource, rep, WAX_OWNED) : lend_to_python(passing, type, rep);
    PyObject *object = Py_XNewRef(wax_object_get(passing->instance, rep));
    if (object != NULL && is_own)
        wax_object_free(passing->instance, rep);
    return object;
}

/* ---- all of them -------------------------------------------------------------------------------------------------------- */

/* Whether to count as Python counts calls within calls. A type says how deep its values go. */
static bool is_deep(const wac_type *type)
{
    return type->depth > 16;
}

/* Kinds whose parts may have parts again. */
static NOINLINE int store_nested(wax_passing *passing, const wac_type *type, PyObject *value, uint8_t *to)
{
    wac_span span;
    switch (type->kind) {
    case WA_CTYPE_LIST:
        if (store_list(passing, type, value, &span) < 0)
            return -1;
        memcpy(to, &span, sizeof span);
        return 0;
    case WA_CTYPE_RECORD:
        return store_record(passing, type, value, (target){to, NULL});
    case WA_CTYPE_TUPLE:
        return store_tuple(passing, type, value, (target){to, NULL});
    case WA_CTYPE_VARIANT:
        return store_variant(passing, type, value, to);
    case WA_CTYPE_ENUM:
        return store_enum(passing, type, value, to);
    case WA_CTYPE_OPTION:
        return store_option(passing, type, value, to);
    case WA_CTYPE_RESULT:
        return store_result(passing, type, value, to);
    default:
        return store_flags(passing, type, value, to);
    }
}

int wax_store_value(wax_passing *passing, const wac_type *type, PyObject *value, uint8_t *to)
{
    uint64_t bits;
    uint32_t index;
    wac_span span;
    if (is_scalar(type)) {
        if (scalar_bits(type, value, &bits) < 0)
            return -1;
        write_bits(to, bits, type->size_bytes);
        return 0;
    }
    if (type->kind == WA_CTYPE_STRING) {
        if (store_string(passing, value, &span) < 0)
            return -1;
        memcpy(to, &span, sizeof span);
        return 0;
    }
    if (is_handle(type)) {
        if (store_handle(passing, type, value, &index) < 0)
            return -1;
        memcpy(to, &index, sizeof index);
        return 0;
    }
    if (is_deep(type) && Py_EnterRecursiveCall(" while a value is given to a component"))
        return -1;
    int failed = store_nested(passing, type, value, to);
    if (is_deep(type))
        Py_LeaveRecursiveCall();
    return failed;
}

/* The same, into registers. What has cases goes through bytes, since they share registers. */
static NOINLINE int lower_nested(wax_passing *passing, const wac_type *type, PyObject *value, uint64_t *slots)
{
    uint8_t bytes[WAC_FLAT_BYTES];
    wac_span span;
    switch (type->kind) {
    case WA_CTYPE_LIST:
        if (store_list(passing, type, value, &span) < 0)
            return -1;
        slots[0] = span.pointer;
        slots[1] = span.count;
        return 0;
    case WA_CTYPE_RECORD:
        return store_record(passing, type, value, (target){NULL, slots});
    case WA_CTYPE_TUPLE:
        return store_tuple(passing, type, value, (target){NULL, slots});
    default:
        if (store_nested(passing, type, value, bytes) < 0)
            return -1;
        wac_to_flat(type, bytes, slots);
        return 0;
    }
}

int wax_lower_value(wax_passing *passing, const wac_type *type, PyObject *value, uint64_t *slots)
{
    uint32_t index;
    wac_span span;
    if (is_scalar(type))
        return wax_store_scalar(type, value, slots) ? 0 : -1;
    if (type->kind == WA_CTYPE_STRING) {
        if (store_string(passing, value, &span) < 0)
            return -1;
        slots[0] = span.pointer;
        slots[1] = span.count;
        return 0;
    }
    if (is_handle(type)) {
        if (store_handle(passing, type, value, &index) < 0)
            return -1;
        slots[0] = index;
        return 0;
    }
    if (is_deep(type) && Py_EnterRecursiveCall(" while a value is given to a component"))
        return -1;
    int failed = lower_nested(passing, type, value, slots);
    if (is_deep(type))
        Py_LeaveRecursiveCall();
    return failed;
}

static NOINLINE PyObject *load_nested(wax_passing *passing, const wac_type *type, const uint8_t *from)
{
    if (!takes(passing, object_bytes(type)))
        return NULL;
    switch (type->kind) {
    case WA_CTYPE_LIST:
        return load_list(passing, type, from);
    case WA_CTYPE_RECORD:
        return load_record(passing, type, from);
    case WA_CTYPE_TUPLE:
        return load_fields(passing, type, from, &PyTuple_Type);
    case WA_CTYPE_VARIANT:
        return load_variant(passing, type, from);
    case WA_CTYPE_ENUM:
        return load_enum(passing, type, from);
    case WA_CTYPE_OPTION:
        return load_option(passing, type, from);
    case WA_CTYPE_RESULT:
        return load_result(passing, type, from);
    default:
        return load_flags(passing, type, from);
    }
}

PyObject *wax_load_value(wax_passing *passing, const wac_type *type, const uint8_t *from)
{
    if (is_scalar(type))
        return load_scalar(type->kind, from);
    if (type->kind == WA_CTYPE_STRING)
        return load_string(passing, from);
    if (is_handle(type))
        return load_handle(passing, type, from);
    if (is_deep(type) && Py_EnterRecursiveCall(" while a value of a component is read"))
        return NULL;
    PyObject *value = load_nested(passing, type, from);
    if (is_deep(type))
        Py_LeaveRecursiveCall();
    return value;
}

PyObject *wax_lift_value(wax_passing *passing, const wac_type *type, const uint64_t *slots)
{
    uint8_t bytes[WAC_FLAT_BYTES];
    if (is_scalar(type))
        return wax_load_scalar(type, slots[0]);
    uint32_t trap = wac_from_flat(type, slots, bytes);
    return trap != 0 ? wax_raise_trap_code(trap) : wax_load_value(passing, type, bytes);
}
