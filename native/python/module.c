/* The module wasmartifact._types, and the parts of Python that its types call for. */
#include "types.h"

/* Imported when first needed: a program that never traps never imports what describes a trap. */
static const struct {
    const char *module, *attribute;
} helper_places[WAX_HELPER_COUNT] = {
    [WAX_MAKE_TRAP] = {"wasmartifact.runtime.traps", "make_trap"},
    [WAX_MAKE_ERROR] = {"wasmartifact.runtime.native_errors", "make_native_error"},
    [WAX_JOIN_ERROR] = {"wasmartifact.runtime.native_errors", "make_join_error"},
    [WAX_VALTYPE_NAME] = {"wasmartifact.wasm.types", "valtype_name"},
    [WAX_VALTYPE_CODE] = {"wasmartifact.wasm.types", "valtype_from_name"},
    [WAX_TYPE_DIGEST] = {"wasmartifact.wasm.types", "func_type_digest"},
    [WAX_MEMORY_TYPE] = {"wasmartifact.metadata.rows", "MemoryType"},
    [WAX_TABLE_CLASS] = {"wasmartifact.runtime.entities", "Table"},
    [WAX_GLOBAL_CLASS] = {"wasmartifact.runtime.entities", "Global"},
    [WAX_TAG_CLASS] = {"wasmartifact.runtime.entities", "Tag"},
    [WAX_WRAP_INSTANCE] = {"wasmartifact.runtime.instance", "wrap_instance"},
    [WAX_KEYS_VIEW] = {"collections.abc", "KeysView"},
    [WAX_VALUES_VIEW] = {"collections.abc", "ValuesView"},
    [WAX_ITEMS_VIEW] = {"collections.abc", "ItemsView"},
    [WAX_MAKE_IMPORT] = {"wasmartifact.runtime.instance", "make_import"},
    [WAX_UNKNOWN_IMPORT] = {"wasmartifact.runtime.instance", "raise_unknown"},
    [WAX_GC_CALLBACKS] = {"gc", "callbacks"},
    [WAX_GETSIGNAL] = {"_signal", "getsignal"},
    [WAX_MAKE_EXIT] = {"wasmartifact.runtime.native_errors", "make_exit"},
    [WAX_PRINTABLE] = {"wasmartifact.errors", "printable"},
    [WAX_WASM_EXCEPTION] = {"wasmartifact.errors", "WasmException"},
    [WAX_DEFAULT_INT_HANDLER] = {"_signal", "default_int_handler"},
};
static PyObject *helpers[WAX_HELPER_COUNT];

PyObject *wax_help(wax_helper helper)
{
    if (helpers[helper] == NULL) {
        PyObject *module = PyImport_ImportModule(helper_places[helper].module);
        helpers[helper] = module == NULL ? NULL : PyObject_GetAttrString(module, helper_places[helper].attribute);
        Py_XDECREF(module);
    }
    return helpers[helper];
}

void wax_raise_error(const wa_error *error)
{
    PyObject *helper = wax_help(WAX_MAKE_ERROR);
    PyObject *exception =
        helper == NULL ? NULL
                       : PyObject_CallFunction(helper, "kiKKKs", (unsigned long)error->code, error->system_errno,
                                               (unsigned long long)error->where, (unsigned long long)error->found,
                                               (unsigned long long)error->expected, error->text);
    if (exception != NULL)
        PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    Py_XDECREF(exception);
}

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "wasmartifact._types",
    .m_doc = "The C types of the runtime: Func, Memory, Exports, Store.",
    .m_size = -1, /* the types are static state of the process, as the runtime's own state is */
};

PyMODINIT_FUNC PyInit__types(void);

PyMODINIT_FUNC PyInit__types(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL)
        return NULL;
    if (wax_artifact_ready(module) < 0 || wax_functype_ready(module) < 0 || wax_store_ready(module) < 0 || wax_entity_ready(module) < 0 ||
        wax_memory_ready(module) < 0 || wax_func_ready(module) < 0 || wax_exports_ready(module) < 0 || wax_wasi_ready(module) < 0 ||
        PyModule_AddFunctions(module, wax_entity_functions) < 0 || PyModule_AddFunctions(module, wax_exports_functions) < 0 ||
        wax_imports_ready(module) < 0 || PyModule_AddFunctions(module, wax_link_functions) < 0 ||
        PyModule_AddIntConstant(module, "KIND_INSTANCE", WAX_KIND_INSTANCE) < 0 ||
        PyModule_AddStringConstant(module, "ANCHOR_SYMBOL", WA_ANCHOR_SYMBOL) < 0)
        Py_CLEAR(module);
    return module;
}
