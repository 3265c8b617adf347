/* The module wasmartifact._types: one of its own for each interpreter, with types of its own. */
#include "types.h"
#include "wa_wasi.h"

/* Types in the order of their bases, and where the state has them. */
static const struct {
    PyType_Spec *spec;
    size_t place, base; /* offsets in wax_state; base 0: object */
} types[] = {
    {&wax_artifact_spec, offsetof(wax_state, artifact_type), 0},
    {&wax_signature_spec, offsetof(wax_state, signature_type), 0},
    {&wax_func_spec, offsetof(wax_state, func_type), 0},
    {&wax_store_spec, offsetof(wax_state, store_type), 0},
    {&wax_entity_spec, offsetof(wax_state, entity_type), 0},
    {&wax_memory_spec, offsetof(wax_state, memory_type), offsetof(wax_state, entity_type)},
    {&wax_instance_spec, offsetof(wax_state, instance_type), offsetof(wax_state, entity_type)},
    {&wax_exports_spec, offsetof(wax_state, exports_type), 0},
    {&wax_linked_spec, offsetof(wax_state, linked_type), 0},
    {&wax_wasi_spec, offsetof(wax_state, wasi_type), 0},
    {&wax_struct_spec, offsetof(wax_state, struct_type), 0},
    {&wax_array_spec, offsetof(wax_state, array_type), 0},
};

static PyTypeObject **type_at(wax_state *state, size_t place)
{
    return (PyTypeObject **)(void *)((char *)state + place);
}

static int add_types(PyObject *module, wax_state *state)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        PyTypeObject *base = types[i].base == 0 ? NULL : *type_at(state, types[i].base);
        PyObject *type = PyType_FromModuleAndSpec(module, types[i].spec, (PyObject *)base);
        if (type == NULL)
            return -1;
        *type_at(state, types[i].place) = (PyTypeObject *)type;
        if (PyModule_AddType(module, (PyTypeObject *)type) < 0)
            return -1;
    }
    return 0;
}

static int module_exec(PyObject *module)
{
    wax_state *state = PyModule_GetState(module);
    wax_state_begin(state);
    wax_tell_stacks_apart();
    state->known = PyDict_New();
    if (state->known == NULL || wax_signature_begin(state) < 0 || add_types(module, state) < 0 ||
        PyModule_AddFunctions(module, wax_entity_functions) < 0 || PyModule_AddFunctions(module, wax_link_functions) < 0 ||
        PyModule_AddFunctions(module, wax_stop_functions) < 0 || PyModule_AddFunctions(module, wax_ticket_functions) < 0 ||
        PyModule_AddFunctions(module, wax_snapshot_functions) < 0 || PyModule_AddFunctions(module, wax_wasi_functions) < 0 ||
        PyModule_AddFunctions(module, wax_component_functions) < 0 || PyModule_AddFunctions(module, wax_source_functions) < 0 ||
        PyModule_AddIntConstant(module, "WASI_INPUT", WA_WASI_INPUT) < 0 ||
        PyModule_AddIntConstant(module, "WASI_OUTPUT", WA_WASI_OUTPUT) < 0 ||
        PyModule_AddStringConstant(module, "ANCHOR_SYMBOL", WA_ANCHOR_SYMBOL) < 0)
        return -1;
    return 0;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    wax_state *state = PyModule_GetState(module);
    return state == NULL ? 0 : wax_state_traverse(state, visit, arg);
}

static int module_clear(PyObject *module)
{
    wax_state *state = PyModule_GetState(module);
    if (state != NULL)
        wax_state_end(state);
    return 0;
}

static void module_free(void *module)
{
    module_clear(module);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, module_exec},
#if PY_VERSION_HEX >= 0x030c0000
    /* Not those with a GIL of their own: the states of all interpreters are in one list. */
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_SUPPORTED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "wasmartifact._types",
    .m_doc = "The C types of the runtime, and the functions that its Python half builds on.",
    .m_size = sizeof(wax_state),
    .m_slots = slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__types(void);

PyMODINIT_FUNC PyInit__types(void)
{
#ifdef Py_GIL_DISABLED
    PyErr_SetString(PyExc_ImportError, "wasmartifact relies on the GIL, which this build of Python does without; use another build "
                                       "of the same version, one that is not called free-threaded");
    return NULL;
#else
    return PyModuleDef_Init(&definition);
#endif
}
