/* Rows of three columns in chunks of steps (FORMAT.md, "Rows in chunks"): the packer writes them, readers get arrays of u32. */
#include "docs.h"
#include "types.h"

/* A row takes at most three numbers, of at most 33, 33 and 32 bits. */
enum { ROW_MAX_BYTES = 15, NUMBER_MAX_BYTES = 5, COLUMNS = 3 };

typedef struct {
    uint32_t key, value, mark;
} chunk_row;

/* ---- writing ---------------------------------------------------------------------------------------------------------- */

static uint8_t *put_number(uint8_t *at, uint64_t number)
{
    for (; number >= 0x80; number >>= 7)
        *at++ = (uint8_t)(number | 0x80);
    *at++ = (uint8_t)number;
    return at;
}

static uint8_t *put_row(uint8_t *at, chunk_row before, chunk_row next)
{
    bool is_other = next.mark != before.mark;
    int64_t step = (int64_t)next.value - before.value;
    at = put_number(at, (uint64_t)(next.key - before.key) << 1 | is_other);
    if (is_other)
        at = put_number(at, next.mark);
    return put_number(at, step < 0 ? ((uint64_t)-step << 1) - 1 : (uint64_t)step << 1);
}

static uint8_t *put_rows(uint8_t *start, const Py_buffer *views, size_t count, uint32_t *keys, uint32_t *offsets)
{
    const uint32_t *key = views[0].buf, *value = views[1].buf, *mark = views[2].buf;
    uint8_t *at = start;
    chunk_row before = {0};
    for (size_t i = 0; i < count; i++) {
        chunk_row next = {key[i], value[i], mark[i]};
        if (i % WA_CHUNK_ROWS == 0) {
            keys[i / WA_CHUNK_ROWS] = next.key;
            offsets[i / WA_CHUNK_ROWS] = (uint32_t)(at - start);
            before = (chunk_row){.key = next.key};
        }
        at = put_row(at, before, next);
        before = next;
    }
    offsets[(count + WA_CHUNK_ROWS - 1) / WA_CHUNK_ROWS] = (uint32_t)(at - start);
    return at;
}

/* ---- reading ---------------------------------------------------------------------------------------------------------- */

typedef struct {
    const uint8_t *at, *end;
} span;

/* As a packer writes it: in as few bytes as it takes. */
static bool get_number(span *from, uint64_t *number)
{
    *number = 0;
    for (int i = 0; i < NUMBER_MAX_BYTES && from->at < from->end; i++) {
        uint8_t byte = *from->at++;
        *number |= (uint64_t)(byte & 0x7f) << 7 * i;
        if (byte < 0x80)
            return byte != 0 || i == 0;
    }
    return false;
}

static bool get_row(span *from, chunk_row *last)
{
    uint64_t step, mark = last->mark, distance;
    if (!get_number(from, &step) || ((step & 1) != 0 && (!get_number(from, &mark) || mark == last->mark)) ||
        !get_number(from, &distance))
        return false;
    uint64_t key = last->key + (step >> 1);
    int64_t value = last->value + ((distance & 1) != 0 ? -(int64_t)(distance >> 1) - 1 : (int64_t)(distance >> 1));
    *last = (chunk_row){(uint32_t)key, (uint32_t)value, (uint32_t)mark};
    return key <= UINT32_MAX && value >= 0 && value <= UINT32_MAX && mark <= UINT32_MAX;
}

typedef struct {
    uint32_t *columns[COLUMNS];
    size_t count, capacity;
} table;

/* All rows of a chunk; false where a packer writes none, more than fit, or others. */
static bool get_chunk(span from, uint32_t key, table *rows)
{
    chunk_row last = {.key = key};
    size_t start = rows->count;
    while (from.at < from.end) {
        if (rows->count - start == WA_CHUNK_ROWS || rows->count == rows->capacity || !get_row(&from, &last) ||
            (rows->count == start && last.key != key))
            return false;
        rows->columns[0][rows->count] = last.key;
        rows->columns[1][rows->count] = last.value;
        rows->columns[2][rows->count++] = last.mark;
    }
    return rows->count > start;
}

/* The first chunk that is none, or their number. Keys ascend from chunk to chunk, and all but the last chunk are full. */
static size_t get_rows(const Py_buffer *views, size_t count, table *rows)
{
    const uint32_t *keys = views[0].buf, *offsets = views[1].buf;
    const uint8_t *contents = views[2].buf;
    for (size_t i = 0; i < count; i++) {
        uint32_t start = offsets[i], end = offsets[i + 1];
        bool is_sound = start <= end && end <= (size_t)views[2].len && rows->count == i * WA_CHUNK_ROWS &&
                        (i == 0 || keys[i] >= rows->columns[0][rows->count - 1]);
        if (!is_sound || !get_chunk((span){contents + start, contents + end}, keys[i], rows))
            return i;
    }
    return count;
}

/* ---- for Python ------------------------------------------------------------------------------------------------------- */

static void release(Py_buffer *views, int count)
{
    while (count > 0)
        PyBuffer_Release(&views[--count]);
}

/* What three arguments hold; the caller releases them. */
static int get_views(PyObject *const *arguments, Py_ssize_t count, Py_buffer *views)
{
    if (count != COLUMNS) {
        PyErr_SetString(PyExc_TypeError, "three buffers expected");
        return -1;
    }
    for (int i = 0; i < COLUMNS; i++) {
        if (PyObject_GetBuffer(arguments[i], &views[i], PyBUF_SIMPLE) < 0) {
            release(views, i);
            return -1;
        }
    }
    return 0;
}

static PyObject *packed(const Py_buffer *views)
{
    size_t count = (size_t)views[0].len / 4, chunks = (count + WA_CHUNK_ROWS - 1) / WA_CHUNK_ROWS;
    if (views[0].len % 4 != 0 || views[1].len != views[0].len || views[2].len != views[0].len ||
        count > UINT32_MAX / ROW_MAX_BYTES) {
        PyErr_SetString(PyExc_ValueError, "three columns of u32 of one length expected");
        return NULL;
    }
    uint32_t *keys = PyMem_RawMalloc(4 * chunks + 4 * (chunks + 1) + ROW_MAX_BYTES * count), *offsets = keys + chunks;
    if (keys == NULL)
        return PyErr_NoMemory();
    uint8_t *contents = (uint8_t *)(offsets + chunks + 1), *end = put_rows(contents, views, count, keys, offsets);
    PyObject *made = Py_BuildValue("(y#y#y#)", keys, (Py_ssize_t)(4 * chunks), offsets, (Py_ssize_t)(4 * (chunks + 1)), contents,
                                   (Py_ssize_t)(end - contents));
    PyMem_RawFree(keys);
    return made;
}

static PyObject *unpacked(const Py_buffer *views)
{
    size_t count = (size_t)views[0].len / 4, capacity = (size_t)views[2].len / 2; /* a row takes two bytes or more */
    const uint32_t *offsets = views[1].buf;
    if ((size_t)views[1].len != 4 * (count + 1) || offsets[0] != 0 || offsets[count] != (size_t)views[2].len)
        return PyLong_FromLong(0);
    if (capacity / WA_CHUNK_ROWS > count)
        capacity = count * WA_CHUNK_ROWS;
    uint32_t *keys = PyMem_RawMalloc(COLUMNS * 4 * capacity);
    if (keys == NULL)
        return PyErr_NoMemory();
    table rows = {{keys, keys + capacity, keys + 2 * capacity}, 0, capacity};
    size_t found = get_rows(views, count, &rows);
    Py_ssize_t size_bytes = (Py_ssize_t)(4 * rows.count);
    PyObject *made = found < count ? PyLong_FromSize_t(found)
                                   : Py_BuildValue("(y#y#y#)", rows.columns[0], size_bytes, rows.columns[1], size_bytes,
                                                   rows.columns[2], size_bytes);
    PyMem_RawFree(keys);
    return made;
}

/* The last of the ascending keys that is not above another one, plus one. */
static size_t last_up_to(const uint32_t *keys, size_t count, uint64_t key)
{
    size_t first = 0;
    while (first < count) {
        size_t middle = first + (count - first) / 2;
        if (keys[middle] <= key)
            first = middle + 1;
        else
            count = middle;
    }
    return first;
}

static PyObject *found_row(const Py_buffer *views, uint64_t key)
{
    const uint32_t *keys = views[0].buf, *offsets = views[1].buf;
    size_t count = (size_t)views[0].len / 4, chunk = last_up_to(keys, count, key);
    if (chunk == 0)
        Py_RETURN_NONE;
    chunk--;
    uint32_t columns[COLUMNS][WA_CHUNK_ROWS];
    table rows = {{columns[0], columns[1], columns[2]}, 0, WA_CHUNK_ROWS};
    const uint8_t *contents = views[2].buf;
    bool is_sound = (size_t)views[1].len == 4 * (count + 1) && offsets[chunk] <= offsets[chunk + 1] &&
                    offsets[chunk + 1] <= (size_t)views[2].len;
    if (!is_sound || !get_chunk((span){contents + offsets[chunk], contents + offsets[chunk + 1]}, keys[chunk], &rows))
        return PyLong_FromSize_t(chunk);
    size_t row = last_up_to(columns[0], rows.count, key) - 1; /* the first one has the chunk's key */
    return Py_BuildValue("(III)", columns[0][row], columns[1][row], columns[2][row]);
}

static PyObject *pack_chunks(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    (void)module;
    Py_buffer views[COLUMNS];
    if (get_views(arguments, count, views) < 0)
        return NULL;
    PyObject *made = packed(views);
    release(views, COLUMNS);
    return made;
}

static PyObject *unpack_chunks(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    (void)module;
    Py_buffer views[COLUMNS];
    if (get_views(arguments, count, views) < 0)
        return NULL;
    PyObject *made = unpacked(views);
    release(views, COLUMNS);
    return made;
}

static PyObject *find_row(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    (void)module;
    Py_buffer views[COLUMNS];
    if (count != COLUMNS + 1) {
        PyErr_SetString(PyExc_TypeError, "three buffers and a key expected");
        return NULL;
    }
    long long key = PyLong_AsLongLong(arguments[COLUMNS]);
    if ((key == -1 && PyErr_Occurred()) || get_views(arguments, COLUMNS, views) < 0)
        return NULL;
    PyObject *found = key < 0 ? Py_NewRef(Py_None) : found_row(views, (uint64_t)key);
    release(views, COLUMNS);
    return found;
}

PyMethodDef wax_chunk_functions[] = {
    {"pack_chunks", WAX_FASTCALL(pack_chunks), METH_FASTCALL, WAX_DOC_pack_chunks},
    {"find_row", WAX_FASTCALL(find_row), METH_FASTCALL, WAX_DOC_find_row},
    {"unpack_chunks", WAX_FASTCALL(unpack_chunks), METH_FASTCALL, WAX_DOC_unpack_chunks},
    {NULL, NULL, 0, NULL},
};
