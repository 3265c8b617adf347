/* Rows of the mapped metadata as Python objects, for what the runtime itself needs: no part of `wasmartifact.metadata` is
 * imported on the way from load to a call. Rows are bounds-checked, as everywhere. */
#include "types.h"

typedef struct wa_schema_columns columns;
typedef struct wa_schema_column_u32 column;
typedef struct wa_schema_column_u8 byte_column;

static PyObject *corrupt_row(uint64_t row, uint64_t found, uint64_t limit, const char *name)
{
    wa_error error = {.code = WA_ERROR_CORRUPT_ROW, .where = row, .found = found, .expected = limit};
    snprintf(error.text, sizeof error.text, "%s", name);
    wax_raise_error(&error, NULL);
    return NULL;
}

/* Text of a row of a name column. Rows ascend, so that all of them together are no more than the column holds. */
static PyObject *row_text(const column *offsets, const byte_column *bytes, uint64_t row, const char *name)
{
    uint32_t start = offsets->data[row], end = offsets->data[row + 1];
    if (end > bytes->count)
        return corrupt_row(row + 1, end, bytes->count, name);
    if (start > end)
        return corrupt_row(row + 1, end, start, name);
    return PyUnicode_DecodeUTF8((const char *)bytes->data + start, (Py_ssize_t)(end - start), "replace");
}

static PyObject *function_type(const wa_artifact *artifact, uint64_t row, uint32_t index)
{
    const columns *all = wa_artifact_columns(artifact);
    uint32_t type = wa_function_type(artifact, index);
    if (type == UINT32_MAX)
        return corrupt_row(row, index, all->function.count, "import_index");
    wa_signature signature = wa_type_signature(artifact, type);
    return (PyObject *)wax_signature_from_codes(signature.params, signature.param_count, signature.results,
                                                signature.result_count, signature.digest);
}

static PyObject *global_type(const wa_artifact *artifact, uint64_t row, uint32_t index)
{
    const columns *all = wa_artifact_columns(artifact);
    if (index >= all->global_type.count)
        return corrupt_row(row, index, all->global_type.count, "import_index");
    uint32_t valtype = all->global_type.data[index];
    if (!wa_valtype_is_sound(artifact, valtype))
        return corrupt_row(index, valtype, WA_VALTYPE_I32, "global_type");
    bool is_mutable = (all->global_flags.data[index] & WA_GLOBAL_MUTABLE) != 0;
    return Py_BuildValue("NN", wax_valtype_name(valtype), PyBool_FromLong(is_mutable));
}

/* Interned, as names in source code are: a dict then compares pointers. */
static PyObject *interned_text(const column *offsets, const byte_column *bytes, uint64_t row, const char *name)
{
    PyObject *text = row_text(offsets, bytes, row, name);
    if (text != NULL)
        PyUnicode_InternInPlace(&text);
    return text;
}

static PyObject *import_row(const wa_artifact *artifact, uint64_t row)
{
    const columns *all = wa_artifact_columns(artifact);
    uint32_t kind = all->import_kind.data[row], index = all->import_index.data[row];
    PyObject *module = interned_text(&all->import_module, &all->import_module_bytes, row, "import_module");
    PyObject *name =
        module == NULL ? NULL : interned_text(&all->import_name, &all->import_name_bytes, row, "import_name");
    PyObject *label = module == NULL || name == NULL ? NULL : PyUnicode_FromFormat("%U.%U", module, name), *type = NULL;
    if (label != NULL && kind > WA_KIND_TAG)
        corrupt_row(row, kind, WA_KIND_TAG, "import_kind");
    else if (label != NULL)
        type = kind == WA_KIND_FUNC     ? function_type(artifact, row, index)
               : kind == WA_KIND_GLOBAL ? global_type(artifact, row, index)
                                        : Py_NewRef(Py_None);
    PyObject *fields = type == NULL ? NULL : Py_BuildValue("OOkOO", module, name, (unsigned long)kind, type, label);
    Py_XDECREF(module);
    Py_XDECREF(name);
    Py_XDECREF(label);
    Py_XDECREF(type);
    return fields;
}

PyObject *wax_import_rows(const wa_artifact *artifact)
{
    const columns *all = wa_artifact_columns(artifact);
    Py_ssize_t count = (Py_ssize_t)all->import_kind.count;
    PyObject *rows = PyTuple_New(count);
    for (Py_ssize_t row = 0; rows != NULL && row < count; row++) {
        PyObject *entry = import_row(artifact, (uint64_t)row);
        if (entry == NULL)
            Py_CLEAR(rows);
        else
            PyTuple_SET_ITEM(rows, row, entry);
    }
    return rows;
}

Py_ssize_t wax_export_count(const wa_artifact *artifact)
{
    const columns *all = wa_artifact_columns(artifact);
    return (Py_ssize_t)all->export_kind.count;
}

PyObject *wax_export_names(const wa_artifact *artifact)
{
    const columns *all = wa_artifact_columns(artifact);
    Py_ssize_t count = wax_export_count(artifact);
    PyObject *names = PyTuple_New(count);
    for (Py_ssize_t row = 0; names != NULL && row < count; row++) {
        PyObject *name = row_text(&all->export_name, &all->export_name_bytes, (uint64_t)row, "export_name");
        if (name == NULL)
            Py_CLEAR(names);
        else
            PyTuple_SET_ITEM(names, row, name);
    }
    return names;
}

/* Name of a row of function_names, which lies in a custom section. NULL without an exception: the row is damaged. */
static PyObject *function_name_text(const columns *all, uint64_t row)
{
    uint64_t limit = all->custom_data_bytes.count, start = all->function_name_offset.data[row];
    uint64_t size_bytes = all->function_name_size.data[row];
    if (start > limit || size_bytes > limit - start)
        return NULL;
    const char *contents = (const char *)all->custom_data_bytes.data;
    return PyUnicode_DecodeUTF8(contents + start, (Py_ssize_t)size_bytes, "replace");
}

PyObject *wax_function_name(const wa_artifact *artifact, uint32_t func_index)
{
    const columns *all = wa_artifact_columns(artifact);
    const uint32_t *indices = all->function_name_index.data;
    uint64_t low = 0, high = all->function_name_index.count, rows = high;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (indices[middle] < func_index)
            low = middle + 1;
        else
            high = middle;
    }
    PyObject *name = low < rows && indices[low] == func_index ? function_name_text(all, low) : NULL;
    if (name != NULL || PyErr_Occurred())
        return name;
    return PyUnicode_FromFormat("func[%u]", func_index);
}
