/* Instances of components: the flattened module, linked with canonical functions. */
#include "component.h"
#include "python/docs.h"

static PyType_Spec instance_spec;

static int make_type(PyTypeObject **place, PyType_Spec *spec)
{
    if (*place == NULL)
        *place = (PyTypeObject *)PyType_FromSpec(spec);
    return *place == NULL ? -1 : 0;
}

static int make_types(wax_state *state)
{
    return make_type(&state->component_type, &wax_component_spec) < 0 ||
                   make_type(&state->component_instance_type, &instance_spec) < 0 ||
                   make_type(&state->component_func_type, &wax_component_func_spec) < 0 ||
                   make_type(&state->resource_type, &wax_resource_spec) < 0
               ? -1
               : 0;
}

/* component_open(Component, its NativeArtifact) -> NativeComponent */
static PyObject *component_open(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    wax_state *state = wax_here();
    wa_error error;
    if (!wax_check_count("component_open", count, 2) || !wax_check_type(args[1], state->artifact_type) ||
        make_types(state) < 0)
        return NULL;
    wax_artifact *artifact = (wax_artifact *)args[1];
    wa_component *native = wa_component_open(artifact->native, &error);
    if (native == NULL) {
        wax_raise_error(&error, artifact->path);
        return NULL;
    }
    wax_component *component = (wax_component *)PyType_GenericAlloc(state->component_type, 0);
    if (component == NULL) {
        wa_component_release(native);
        return NULL;
    }
    component->native = native;
    component->faces = PyMem_Calloc(native->type_count + 1u, sizeof *component->faces);
    component->face = component->faces == NULL ? PyErr_NoMemory() : PyWeakref_NewRef(args[0], NULL);
    if (component->face == NULL)
        Py_CLEAR(component);
    return (PyObject *)component;
}

/* ---- instances ---------------------------------------------------------------------------------------------------------------- */

/* What the instances of a component are linked with, made once: borrowed. */
static wa_extern *externs_of(wax_component *component)
{
    if (component->externs != NULL)
        return component->externs;
    wa_extern *externs = PyMem_Calloc(component->native->import_count + 1u, sizeof *externs);
    uint32_t problem = externs == NULL ? WA_TRAP_OUT_OF_MEMORY
                                       : wa_component_link(component->native, wax_component_invoke, externs);
    if (problem == 0)
        return component->externs = externs;
    PyMem_Free(externs);
    if (problem == WA_TRAP_OUT_OF_MEMORY)
        PyErr_NoMemory();
    else
        wax_raise_trap_code(problem);
    return NULL;
}

/* The instance of the flattened module, for one of the component: a new reference. */
static PyObject *make_core(wax_component_instance *instance, wax_artifact *artifact)
{
    wax_component *component = instance->component;
    PyObject *face = wax_component_face(component);
    wax_link link = {.face = face, .artifact = artifact, .extern_count = component->native->import_count};
    link.externs = face == NULL ? NULL : externs_of(component);
    PyObject *core =
        link.externs == NULL ? NULL : wax_instantiate_link(&link, (PyObject *)instance->store, &instance->native);
    Py_XDECREF(face);
    return core;
}

/* Objects that a snapshot has handles of, in the order of its rows. 0, or -1 with an exception set. */
static int take_objects(wax_component_instance *instance, PyObject *objects)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(objects); i++)
        if (wax_object_new(instance, PyTuple_GET_ITEM(objects, i)) == 0)
            return -1;
    return 0;
}

static wax_component_instance *new_instance(wax_component *component, PyObject *store, PyObject *objects)
{
    wax_component_instance *instance =
        (wax_component_instance *)PyType_GenericAlloc(wax_here()->component_instance_type, 0);
    if (instance == NULL)
        return NULL;
    if (wa_component_instance_begin(&instance->native, component->native) < 0) {
        PyErr_NoMemory();
        Py_DECREF(instance);
        return NULL;
    }
    instance->component = (wax_component *)Py_NewRef(component);
    instance->native.run = wax_component_run;
    instance->native.drop = wax_component_drop;
    instance->store = store == Py_None ? wax_store_new_implicit() : (wax_store *)Py_NewRef(store);
    uint64_t handles = instance->store == NULL ? UINT64_MAX : wax_root(instance->store)->component_limits.handles;
    if (handles != UINT64_MAX)
        instance->native.max_handles = handles < WAC_MAX_TABLE ? (uint32_t)handles : WAC_MAX_TABLE;
    instance->classes = instance->store == NULL ? NULL : PyDict_New();
    if (instance->classes == NULL || take_objects(instance, objects) < 0)
        Py_CLEAR(instance);
    return instance;
}

/* Functions of imports, by their indices. 0, or -1 with an exception set. */
static int take_callables(wax_component_instance *instance, PyObject *callables)
{
    uint32_t count = instance->component->native->import_count;
    instance->callables = PyMem_Calloc(count + 1u, sizeof *instance->callables);
    if (instance->callables == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    PyObject *import, *callable;
    for (Py_ssize_t at = 0; PyDict_Next(callables, &at, &import, &callable);) {
        size_t index = PyLong_AsSize_t(import);
        if (index >= count) { /* or none */
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_IndexError, "no such import");
            return -1;
        }
        Py_XSETREF(instance->callables[index], Py_NewRef(callable));
    }
    return 0;
}

/* component_instantiate(NativeComponent, NativeArtifact, {import: callable}, find, store, objects) -> ComponentInstance */
static PyObject *component_instantiate(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    wax_state *state = wax_here();
    if (!wax_check_count("component_instantiate", count, 6) || make_types(state) < 0 ||
        !wax_check_type(args[0], state->component_type) || !wax_check_type(args[1], state->artifact_type) ||
        !wax_check_type(args[2], &PyDict_Type) || !wax_check_type(args[5], &PyTuple_Type))
        return NULL;
    wax_component *component = (wax_component *)args[0];
    uint32_t wanted = component->native->host_object_count;
    if (PyTuple_GET_SIZE(args[5]) != (Py_ssize_t)wanted)
        return PyErr_Format(PyExc_ValueError, "%u objects, found %zd", wanted, PyTuple_GET_SIZE(args[5]));
    if (args[4] != Py_None && !Py_IS_TYPE(args[4], state->store_type))
        return PyErr_Format(PyExc_TypeError, "store must be a Store, found %s", Py_TYPE(args[4])->tp_name);
    wax_component_instance *instance = new_instance(component, args[4], args[5]);
    if (instance != NULL && take_callables(instance, args[2]) < 0)
        Py_CLEAR(instance);
    if (instance != NULL) {
        instance->find = Py_NewRef(args[3]);
        instance->core = make_core(instance, (wax_artifact *)args[1]);
    }
    if (instance != NULL && instance->core == NULL)
        Py_CLEAR(instance);
    if (instance != NULL)
        instance->native.core = ((wax_entity *)instance->core)->native;
    return (PyObject *)instance;
}

/* function(canon, name) -> ComponentFunc */
static PyObject *instance_function(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    if (!wax_check_count("function", count, 2) || !wax_check_type(args[1], &PyUnicode_Type))
        return NULL;
    unsigned long canon = PyLong_AsUnsignedLong(args[0]);
    if (PyErr_Occurred())
        return NULL;
    if (canon > UINT32_MAX) {
        PyErr_SetString(PyExc_OverflowError, "no such row");
        return NULL;
    }
    return wax_component_func_new((wax_component_instance *)object, (uint32_t)canon, args[1]);
}

static int instance_traverse(PyObject *object, visitproc visit, void *arg)
{
    const wax_component_instance *instance = (const wax_component_instance *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(instance->component);
    Py_VISIT(instance->core);
    Py_VISIT(instance->store);
    Py_VISIT(instance->classes);
    for (uint32_t i = 0; instance->callables != NULL && i < instance->component->native->import_count; i++)
        Py_VISIT(instance->callables[i]);
    Py_VISIT(instance->find);
    for (uint32_t i = 0; i < instance->object_count; i++)
        Py_VISIT(instance->objects[i].object);
    return 0;
}

static int instance_clear(PyObject *object)
{
    wax_component_instance *instance = (wax_component_instance *)object;
    instance->native.is_poisoned = true;
    for (uint32_t i = 0; i < instance->object_count; i++)
        Py_CLEAR(instance->objects[i].object);
    Py_CLEAR(instance->classes);
    for (uint32_t i = 0; instance->callables != NULL && i < instance->component->native->import_count; i++)
        Py_CLEAR(instance->callables[i]);
    Py_CLEAR(instance->find);
    return 0;
}

static void instance_dealloc(PyObject *object)
{
    wax_component_instance *instance = (wax_component_instance *)object;
    PyTypeObject *class = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    if (instance->weakrefs != NULL)
        PyObject_ClearWeakRefs(object);
    instance_clear(object);
    if (instance->native.core != NULL) /* the store may keep that longer */
        wa_instance_set_owner(instance->native.core, NULL);
    Py_CLEAR(instance->core);
    Py_CLEAR(instance->store);
    PyMem_Free(instance->callables);
    PyMem_Free(instance->objects);
    PyMem_Free(instance->ended);
    if (instance->native.component != NULL)
        wa_component_instance_end(&instance->native);
    Py_CLEAR(instance->component);
    class->tp_free(object);
    Py_DECREF(class);
}

static PyMethodDef instance_methods[] = {
    {"function", WAX_FASTCALL(instance_function), METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef instance_members[] = {
    {"core", T_OBJECT, offsetof(wax_component_instance, core), READONLY, NULL},
    {"classes", T_OBJECT, offsetof(wax_component_instance, classes), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(wax_component_instance, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot instance_slots[] = {
    {Py_tp_dealloc, instance_dealloc}, {Py_tp_traverse, instance_traverse}, {Py_tp_clear, instance_clear},
    {Py_tp_methods, instance_methods}, {Py_tp_members, instance_members},   {0, NULL},
};

static PyType_Spec instance_spec = {
    .name = "wasmartifact._types.NativeComponentInstance",
    .basicsize = sizeof(wax_component_instance),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = instance_slots,
};

/* The class that resources' classes are made of. */
static PyObject *resource_base(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return make_types(wax_here()) < 0 ? NULL : Py_NewRef((PyObject *)wax_here()->resource_type);
}

PyMethodDef wax_component_functions[] = {
    {"component_open", WAX_FASTCALL(component_open), METH_FASTCALL, WAX_DOC_component_open},
    {"component_instantiate", WAX_FASTCALL(component_instantiate), METH_FASTCALL, WAX_DOC_component_instantiate},
    {"resource_base", resource_base, METH_NOARGS, WAX_DOC_resource_base},
    {NULL, NULL, 0, NULL},
};
