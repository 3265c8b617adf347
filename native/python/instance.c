/* Instance: a module with memories, tables and globals of its own. Its exports are made when somebody asks for them. */
#include "docs.h"
#include "types.h"

static PyObject *instance_new(PyTypeObject *class, PyObject *args, PyObject *kwargs)
{
    (void)class;
    (void)args;
    (void)kwargs;
    PyErr_SetString(PyExc_TypeError, "an Instance comes from artifact.instantiate(imports)");
    return NULL;
}

static PyObject *get_exports(PyObject *object, void *closure)
{
    (void)closure;
    wax_instance *instance = (wax_instance *)object;
    PyObject *made = instance->exports == NULL ? wax_exports_new(instance->entity.native, instance->entity.store) : NULL;
    if (instance->exports == NULL)
        instance->exports = made;
    else
        Py_XDECREF(made); /* a collection on the way ran code that asked for them too */
    return Py_XNewRef(instance->exports);
}

/* The store keeps it, for as long as the collector does not take the store apart. */
static PyObject *get_artifact(PyObject *object, void *closure)
{
    (void)closure;
    wax_instance *instance = (wax_instance *)object;
    if (instance->artifact == NULL)
        instance->artifact = Py_XNewRef(wax_store_kept(instance->entity.store, wa_instance_artifact(instance->entity.native)));
    return Py_NewRef(instance->artifact == NULL ? Py_None : instance->artifact);
}

static PyObject *instance_repr(PyObject *object)
{
    PyObject *artifact = get_artifact(object, NULL);
    PyObject *text = PyUnicode_FromFormat("<Instance of %R>", artifact);
    Py_DECREF(artifact);
    return text;
}

static int instance_traverse(PyObject *object, visitproc visit, void *arg)
{
    wax_instance *instance = (wax_instance *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(instance->entity.store);
    Py_VISIT(instance->artifact);
    Py_VISIT(instance->exports);
    return 0;
}

/* No tp_clear: the exports and the store have containers, which break every cycle. */

static void instance_dealloc(PyObject *object)
{
    wax_instance *instance = (wax_instance *)object;
    PyObject_GC_UnTrack(object);
    Py_CLEAR(instance->exports);
    Py_CLEAR(instance->artifact);
    wax_entity_dealloc(object);
}

static PyGetSetDef instance_getset[] = {
    {"artifact", get_artifact, NULL, WAX_DOC_Instance_artifact, NULL},
    {"exports", get_exports, NULL, WAX_DOC_Instance_exports, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot instance_slots[] = {
    {Py_tp_doc, WAX_DOC_Instance},
    {Py_tp_new, instance_new},
    {Py_tp_dealloc, instance_dealloc},
    {Py_tp_traverse, instance_traverse},
    {Py_tp_getattro, wax_getattr},
    {Py_tp_getset, instance_getset},
    {Py_tp_repr, instance_repr},
    {0, NULL},
};

PyType_Spec wax_instance_spec = {
    .name = "wasmartifact.Instance",
    .basicsize = sizeof(wax_instance),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = instance_slots,
};
