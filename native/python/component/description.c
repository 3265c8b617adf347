/* NativeComponent: what the artifact says of a component, row by row as Python asks for it. */
#include "component.h"

/* A row that there is, of count. -1 with an exception set. */
static int64_t row_of(PyObject *number, uint32_t count)
{
    unsigned long row = PyLong_AsUnsignedLong(number);
    if (PyErr_Occurred())
        return -1;
    if (row < count)
        return (int64_t)row;
    PyErr_SetString(PyExc_IndexError, "no such row");
    return -1;
}

/* type(row) -> (kind, [(name, type + 1)]) */
static PyObject *component_type(PyObject *object, PyObject *number)
{
    const wax_component *component = (const wax_component *)object;
    int64_t row = row_of(number, component->native->type_count);
    if (row < 0)
        return NULL;
    const wac_type *type = &component->native->types[row];
    PyObject *items = PyList_New(type->item_count);
    for (uint32_t i = 0; items != NULL && i < type->item_count; i++) {
        PyObject *name = wax_component_text(component, type->items[i].name);
        PyObject *item = name == NULL ? NULL : Py_BuildValue("Nk", name, (unsigned long)type->items[i].type);
        if (item == NULL)
            Py_CLEAR(items);
        else
            PyList_SET_ITEM(items, i, item);
    }
    return items == NULL ? NULL : Py_BuildValue("kN", (unsigned long)type->kind, items);
}

/* type_name(row) -> the first name that a type is imported or exported by, or "" */
static PyObject *component_type_name(PyObject *object, PyObject *number)
{
    const wax_component *component = (const wax_component *)object;
    int64_t row = row_of(number, component->native->type_count);
    if (row < 0)
        return NULL;
    for (uint32_t i = 0; i < component->native->extern_count; i++) {
        const struct wa_schema_component_extern *item = &component->native->externs[i];
        if (item->sort == WA_SORT_TYPE && item->index == row + 1)
            return wax_component_text(component, item->name);
    }
    return PyUnicode_New(0, 0);
}

/* (name, sort, row of its interface + 1, whether it is exported, index) of a row: a new reference. */
static PyObject *make_extern(const wax_component *component, uint32_t row)
{
    const struct wa_schema_component_extern *item = &component->native->externs[row];
    PyObject *name = wax_component_text(component, item->name);
    return name == NULL ? NULL
                        : Py_BuildValue("Nkkkk", name, (unsigned long)item->sort, (unsigned long)item->parent,
                                        (unsigned long)item->is_export, (unsigned long)item->index);
}

static PyObject *component_externs(PyObject *object, PyObject *unused)
{
    (void)unused;
    const wax_component *component = (const wax_component *)object;
    PyObject *rows = PyList_New(component->native->extern_count);
    for (uint32_t row = 0; rows != NULL && row < component->native->extern_count; row++) {
        PyObject *made = make_extern(component, row);
        if (made == NULL)
            Py_CLEAR(rows);
        else
            PyList_SET_ITEM(rows, row, made);
    }
    return rows;
}

static PyObject *component_extern(PyObject *object, PyObject *number)
{
    const wax_component *component = (const wax_component *)object;
    int64_t row = row_of(number, component->native->extern_count);
    return row < 0 ? NULL : make_extern(component, (uint32_t)row);
}

/* The name of the interface that an extern is in, None where it is in none: a new reference. */
static PyObject *interface_of(const wax_component *component, uint32_t parent)
{
    return parent == 0 ? Py_NewRef(Py_None) : wax_component_text(component, component->native->externs[parent - 1].name);
}

/* Row of the function of the host that an import is + 1; 0 where it is another canonical function. */
static uint32_t host_function(const wa_component *native, uint32_t import)
{
    return native->canons[import].kind == WA_CANON_HOST ? native->canons[import].target : 0;
}

PyObject *wax_import_label(const wax_component *component, uint32_t import)
{
    const struct wa_schema_component_extern *row = &component->native->externs[host_function(component->native, import) - 1];
    PyObject *name = wax_component_text(component, row->name);
    PyObject *interface = row->parent == 0 || name == NULL ? NULL : interface_of(component, row->parent);
    if (interface != NULL)
        Py_SETREF(name, PyUnicode_FromFormat("%U#%U", interface, name));
    else if (row->parent != 0)
        Py_CLEAR(name);
    Py_XDECREF(interface);
    return name;
}

/* Append an import to those of its interface, which indices has by its row + 1, borrowed from the groups. */
static int group_import(const wax_component *component, uint32_t import, PyObject *groups, PyObject **indices)
{
    uint32_t function = host_function(component->native, import);
    if (function == 0)
        return 0;
    uint32_t parent = component->native->externs[function - 1].parent;
    int failed = 0;
    if (indices[parent] == NULL) {
        PyObject *name = interface_of(component, parent), *list = name == NULL ? NULL : PyList_New(0);
        PyObject *group = list == NULL ? NULL : PyTuple_Pack(2, name, list);
        failed = group == NULL ? -1 : PyList_Append(groups, group);
        indices[parent] = list; /* the groups keep it */
        Py_XDECREF(group);
        Py_XDECREF(list);
        Py_XDECREF(name);
    }
    PyObject *number = failed ? NULL : PyLong_FromUnsignedLong(import);
    failed = number == NULL ? -1 : PyList_Append(indices[parent], number);
    Py_XDECREF(number);
    return failed;
}

/* (interface or None, [import]) for each interface that functions of the host are imported of. */
static PyObject *component_imports(PyObject *object, PyObject *unused)
{
    (void)unused;
    const wax_component *component = (const wax_component *)object;
    PyObject **indices = PyMem_Calloc(component->native->extern_count + 1u, sizeof *indices);
    PyObject *groups = indices == NULL ? PyErr_NoMemory() : PyList_New(0);
    for (uint32_t import = 0; groups != NULL && import < component->native->import_count; import++)
        if (group_import(component, import, groups, indices) < 0)
            Py_CLEAR(groups);
    PyMem_Free(indices);
    return groups;
}

/* import_name(import) -> (interface or None, name) of a function of the host */
static PyObject *component_import_name(PyObject *object, PyObject *number)
{
    const wax_component *component = (const wax_component *)object;
    int64_t import = row_of(number, component->native->import_count);
    if (import < 0)
        return NULL;
    uint32_t function = host_function(component->native, (uint32_t)import);
    if (function == 0) {
        PyErr_SetString(PyExc_IndexError, "no function of the host");
        return NULL;
    }
    const struct wa_schema_component_extern *row = &component->native->externs[function - 1];
    PyObject *interface = interface_of(component, row->parent);
    PyObject *name = interface == NULL ? NULL : wax_component_text(component, row->name);
    if (name != NULL)
        return Py_BuildValue("NN", interface, name);
    Py_XDECREF(interface);
    return NULL;
}

/* exports(row of an instance + 1, 0: the component) -> [(row, name)] of what is exported there */
static PyObject *component_exports(PyObject *object, PyObject *parent)
{
    const wax_component *component = (const wax_component *)object;
    unsigned long owner = PyLong_AsUnsignedLong(parent);
    if (PyErr_Occurred())
        return NULL;
    PyObject *rows = PyList_New(0);
    for (uint32_t row = 0; rows != NULL && row < component->native->extern_count; row++) {
        const struct wa_schema_component_extern *item = &component->native->externs[row];
        if (!item->is_export || item->parent != owner)
            continue;
        PyObject *name = wax_component_text(component, item->name);
        PyObject *made = name == NULL ? NULL : Py_BuildValue("kN", (unsigned long)row, name);
        if (made == NULL || PyList_Append(rows, made) < 0)
            Py_CLEAR(rows);
        Py_XDECREF(made);
    }
    return rows;
}

/* (row of an extern, text) of the notes of a kind. */
static PyObject *component_notes(PyObject *object, PyObject *kind)
{
    const wax_component *component = (const wax_component *)object;
    unsigned long wanted = PyLong_AsUnsignedLong(kind);
    if (PyErr_Occurred())
        return NULL;
    PyObject *rows = PyList_New(0);
    for (uint32_t row = 0; rows != NULL && row < component->native->note_count; row++) {
        const struct wa_schema_component_note *note = &component->native->notes[row];
        if (note->kind != wanted)
            continue;
        PyObject *text = wax_component_text(component, note->text);
        PyObject *made = text == NULL ? NULL : Py_BuildValue("kN", (unsigned long)note->owner, text);
        if (made == NULL || PyList_Append(rows, made) < 0)
            Py_CLEAR(rows);
        Py_XDECREF(made);
    }
    return rows;
}

/* (kind, name) of each object of the embedder that a snapshot has handles of. */
static PyObject *component_host_objects(PyObject *object, PyObject *unused)
{
    (void)unused;
    const wa_component *native = ((const wax_component *)object)->native;
    PyObject *rows = PyList_New(native->host_object_count);
    for (uint32_t row = 0; rows != NULL && row < native->host_object_count; row++) {
        uint32_t start = native->host_object_names[row], end = native->host_object_names[row + 1];
        PyObject *name = PyUnicode_DecodeUTF8(native->host_object_name_bytes + start, end - start, "replace");
        PyObject *made = name == NULL ? NULL : Py_BuildValue("kN", (unsigned long)native->host_object_kinds[row], name);
        if (made == NULL)
            Py_CLEAR(rows);
        else
            PyList_SET_ITEM(rows, row, made);
    }
    return rows;
}

/* face(row of a type) -> what Python's values of it need */
static PyObject *component_face(PyObject *object, PyObject *number)
{
    wax_component *component = (wax_component *)object;
    int64_t row = row_of(number, component->native->type_count);
    return row < 0 ? NULL : Py_XNewRef(wax_face(component, &component->native->types[row]));
}

static int description_traverse(PyObject *object, visitproc visit, void *arg)
{
    const wax_component *component = (const wax_component *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(component->face);
    for (uint32_t i = 0; component->faces != NULL && i < component->native->type_count; i++)
        Py_VISIT(component->faces[i]);
    return 0;
}

static int description_clear(PyObject *object)
{
    Py_CLEAR(((wax_component *)object)->face);
    return 0;
}

static void description_dealloc(PyObject *object)
{
    wax_component *component = (wax_component *)object;
    PyTypeObject *class = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    for (uint32_t i = 0; component->faces != NULL && i < component->native->type_count; i++)
        Py_CLEAR(component->faces[i]);
    PyMem_Free(component->faces);
    Py_CLEAR(component->face);
    PyMem_Free(component->externs);
    wa_component_release(component->native);
    class->tp_free(object);
    Py_DECREF(class);
}

static PyMethodDef description_methods[] = {
    {"type", component_type, METH_O, NULL},
    {"type_name", component_type_name, METH_O, NULL},
    {"externs", component_externs, METH_NOARGS, NULL},
    {"extern", component_extern, METH_O, NULL},
    {"imports", component_imports, METH_NOARGS, NULL},
    {"import_name", component_import_name, METH_O, NULL},
    {"exports", component_exports, METH_O, NULL},
    {"notes", component_notes, METH_O, NULL},
    {"host_objects", component_host_objects, METH_NOARGS, NULL},
    {"face", component_face, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot description_slots[] = {
    {Py_tp_dealloc, description_dealloc}, {Py_tp_traverse, description_traverse},
    {Py_tp_clear, description_clear},     {Py_tp_methods, description_methods},
    {0, NULL},
};

PyType_Spec wax_component_spec = {
    .name = "wasmartifact._types.NativeComponent",
    .basicsize = sizeof(wax_component),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = description_slots,
};
