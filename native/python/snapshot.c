/* What wasmartifact.snapshot takes of an instance: copies, made while this thread is inside the store. */
#include <unistd.h>

#include "docs.h"
#include "types.h"
#include "wa_wasi.h"

/* Appends what was made, whose reference is stolen. 0, or -1 with an exception set. */
static int append(PyObject *list, PyObject *item)
{
    int failed = item == NULL || PyList_Append(list, item) < 0;
    Py_XDECREF(item);
    return failed ? -1 : 0;
}

/* Bytes for so many slots, and where they go; making them runs no code of anybody. */
static PyObject *new_slots(uint64_t count, uint64_t **slots)
{
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(count * sizeof **slots));
    *slots = bytes == NULL ? NULL : (uint64_t *)(void *)PyBytes_AS_STRING(bytes);
    return bytes;
}

static PyObject *take_tables(const wa_snapshot *snapshot, const struct wa_schema_columns *columns)
{
    PyObject *tables = PyList_New(0);
    for (uint64_t i = 0; tables != NULL && i < columns->table_type.count; i++) {
        uint64_t *slots, count = wa_snapshot_table_size(snapshot, (uint32_t)i);
        PyObject *bytes = new_slots(count, &slots);
        if (bytes != NULL && !wa_snapshot_table(snapshot, (uint32_t)i, slots, count)) {
            PyErr_NoMemory();
            Py_CLEAR(bytes);
        }
        if (append(tables, bytes) < 0)
            Py_CLEAR(tables);
    }
    return tables;
}

static PyObject *take_globals(const wa_snapshot *snapshot, const struct wa_schema_columns *columns)
{
    uint32_t imported = wa_snapshot_imported(snapshot, WA_KIND_GLOBAL);
    PyObject *cells = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(columns->global_type.count - imported) * 16);
    for (uint64_t i = imported; cells != NULL && i < columns->global_type.count; i++)
        wa_snapshot_global(snapshot, (uint32_t)i, (uint8_t *)PyBytes_AS_STRING(cells) + 16 * (i - imported));
    return cells;
}

static PyObject *take_segments(const wa_snapshot *snapshot, const struct wa_schema_columns *columns)
{
    PyObject *segments = PyList_New(0);
    for (uint64_t i = 0; segments != NULL && i < columns->element_mode.count; i++) {
        uint64_t *slots, count = wa_snapshot_segment_size(snapshot, (uint32_t)i);
        PyObject *bytes = new_slots(count, &slots);
        if (bytes != NULL)
            wa_snapshot_segment(snapshot, (uint32_t)i, slots, count);
        if (append(segments, bytes) < 0)
            Py_CLEAR(segments);
    }
    return segments;
}

/* Stretches of a memory: a list of (offset, bytes), the last of which may end with the memory. */
static PyObject *take_stretches(const wa_memory *memory, uint64_t page_bytes, uint64_t gap_bytes)
{
    PyObject *stretches = PyList_New(0);
    uint64_t start = 0, end = 0;
    while (stretches != NULL) {
        bool found;
        Py_BEGIN_ALLOW_THREADS /* other threads may wait for the store, not enter it */
        found = wa_memory_used(memory, page_bytes, gap_bytes, &start, &end);
        Py_END_ALLOW_THREADS
        if (!found)
            break;
        uint64_t size = wa_memory_size(memory), stop = end < size ? end : size;
        const char *bytes = (const char *)wa_memory_base(memory) + start;
        if (append(stretches, Py_BuildValue("Ky#", (unsigned long long)start, bytes, (Py_ssize_t)(stop - start))) < 0)
            Py_CLEAR(stretches);
        start = end;
    }
    return stretches;
}

/* (size in pages, stretches) of each memory. */
static PyObject *take_memories(const wa_snapshot *snapshot, const struct wa_schema_columns *columns, const uint64_t *grain)
{
    PyObject *memories = PyList_New(0);
    for (uint64_t i = 0; memories != NULL && i < columns->memory_flags.count; i++) {
        const wa_memory *memory = wa_snapshot_memory(snapshot, (uint32_t)i);
        unsigned long long pages = wa_memory_size(memory) >> wa_memory_page_log2(memory);
        PyObject *stretches = take_stretches(memory, grain[0], grain[1]);
        if (append(memories, stretches == NULL ? NULL : Py_BuildValue("KN", pages, stretches)) < 0)
            Py_CLEAR(memories);
    }
    return memories;
}

/* ---- WASI: what the program holds outside of itself ----------------------------------------------------------------- */

static PyObject *name_of_file(int fd)
{
    char link[32], path[4096];
    PyOS_snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = fd < 0 ? -1 : readlink(link, path, sizeof path);
    return PyUnicode_DecodeFSDefaultAndSize(path, size < 0 ? 0 : size);
}

static int add_files(PyObject *files, wa_wasi *wasi)
{
    int fd;
    for (uint32_t number = 0; wa_wasi_next_own(wasi, &number, &fd); number++) {
        PyObject *name = name_of_file(fd);
        if (append(files, name == NULL ? NULL : Py_BuildValue("IN", (unsigned int)number, name)) < 0)
            return -1;
    }
    return wa_wasi_is_narrowed(wasi) ? append(files, Py_BuildValue("Os", Py_None, "")) : 0;
}

/* (descriptor, path or "") of what WASI programs whose functions the instance imports have open; (None, "") for rights that
 * they gave up. */
static PyObject *take_files(wa_instance *instance, wa_store *store, uint32_t imported)
{
    PyObject *files = PyList_New(0);
    wa_wasi *last = NULL;
    for (uint32_t i = 0; files != NULL && i < imported; i++) {
        wa_wasi *wasi = wa_wasi_of(wa_instance_function(instance, i), store);
        if (wasi != NULL && wasi != last && add_files(files, wasi) < 0)
            Py_CLEAR(files);
        last = wasi == NULL ? last : wasi;
    }
    return files;
}

/* ---- all of it ------------------------------------------------------------------------------------------------------ */

static PyObject *take(wa_instance *instance, wa_store *store, const uint64_t *grain, PyObject *component)
{
    const struct wa_schema_columns *columns = wa_artifact_columns(wa_instance_artifact(instance));
    wa_snapshot *snapshot = wa_snapshot_begin(instance);
    if (snapshot == NULL)
        return PyErr_NoMemory();
    PyObject *tables = take_tables(snapshot, columns);
    PyObject *globals = take_globals(snapshot, columns);
    PyObject *segments = take_segments(snapshot, columns);
    PyObject *dropped =
        PyBytes_FromStringAndSize((const char *)wa_snapshot_dropped(snapshot), (Py_ssize_t)columns->data_mode.count);
    PyObject *memories = take_memories(snapshot, columns, grain);
    PyObject *files = take_files(instance, store, wa_snapshot_imported(snapshot, WA_KIND_FUNC));
    PyObject *outside = component == Py_None ? Py_NewRef(Py_None) : wax_component_state(component);
    wa_snapshot_end(snapshot);
    if (tables == NULL || globals == NULL || segments == NULL || dropped == NULL || memories == NULL || files == NULL ||
        outside == NULL) {
        Py_XDECREF(tables);
        Py_XDECREF(globals);
        Py_XDECREF(segments);
        Py_XDECREF(dropped);
        Py_XDECREF(memories);
        Py_XDECREF(files);
        Py_XDECREF(outside);
        return NULL;
    }
    return Py_BuildValue("NNNNNNN", tables, globals, segments, dropped, memories, files, outside);
}

/* take_state(instance, page size in bytes, gap in bytes, instance of a component or None) -> _State, or None while a call runs */
static PyObject *take_state(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *object, *component;
    unsigned long long page_bytes, gap_bytes;
    if (!PyArg_ParseTuple(args, "O!KKO:take_state", wax_here()->instance_type, &object, &page_bytes, &gap_bytes, &component) ||
        (component != Py_None && !wax_check_type(component, wax_here()->component_instance_type)))
        return NULL;
    wax_instance *instance = (wax_instance *)object;
    wax_store *store = wax_root(instance->entity.store);
    if (wax_store_enter(store) < 0)
        return NULL;
    const uint64_t grain[] = {page_bytes, gap_bytes};
    PyObject *state = wa_store_is_active(store->native) ? Py_NewRef(Py_None) : take(instance->entity.native, store->native, grain, component);
    wa_store_leave(store->native);
    return state;
}

PyMethodDef wax_snapshot_functions[] = {
    {"take_state", take_state, METH_VARARGS, WAX_DOC_take_state},
    {NULL, NULL, 0, NULL},
};
