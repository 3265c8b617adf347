/* What the files of the CPython extension wasmartifact._types share.
 *
 * The extension is the face of the runtime for what must be a C type: Func (vectorcall), Memory (buffer protocol), Exports
 * (attribute access), Store (reached from both), and Instance and Linked, so that to instantiate is one step. Everything declared here runs with the GIL held unless said otherwise. */
#ifndef WA_EXT_H
#define WA_EXT_H

#define PY_SSIZE_T_CLEAN
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <Python.h>
#include <structmember.h>
#pragma GCC diagnostic pop

#include "wasmartifact.h"

/* Kind of a wax_entity that is an instance; the others are WA_KIND_*. */
#define WAX_KIND_INSTANCE 5
/* Calls with at most this many slots keep them on the C stack. */
#define WAX_INLINE_SLOTS 32

/* How a value is converted. The names are those of the types, but for references: what the host may do with them counts. */
typedef enum wax_conversion {
    WAX_I32,
    WAX_I64,
    WAX_F32,
    WAX_F64,
    WAX_V128,
    WAX_FUNCREF,          /* Func or None */
    WAX_FUNCREF_NONNULL,
    WAX_EXTERNREF,        /* any object; None is null */
    WAX_EXTERNREF_NONNULL,
    WAX_TYPED,            /* (ref null $t): a Func, Struct or Array; whether one that goes in fits is to be looked at */
    WAX_TYPED_NONNULL,
    WAX_ANYREF,           /* an int of 31 bits, a Struct, an Array, any other object; None is null */
    WAX_ANYREF_NONNULL,
    WAX_EQREF,            /* no other objects */
    WAX_EQREF_NONNULL,
    WAX_I31REF,
    WAX_I31REF_NONNULL,
    WAX_STRUCTREF,
    WAX_STRUCTREF_NONNULL,
    WAX_ARRAYREF,
    WAX_ARRAYREF_NONNULL,
    WAX_NULL,             /* a bottom type: None and nothing else */
    WAX_OPAQUE            /* a reference that Python has no objects for */
} wax_conversion;

/* The Python side of a function type, shared by all functions of it: what converting their values needs. */
typedef struct wax_signature {
    PyObject_HEAD
    PyObject *params, *results; /* tuples of str */
    PyObject *face;             /* the FuncType; NULL until somebody asks for it */
    PyObject *interned;         /* the dict that has this one; NULL where none has */
    uint32_t param_count, result_count;
    uint32_t slot_count;        /* slots for the parameters or for the results, whichever are more */
    uint8_t digest[16];
    uint32_t *codes;      /* value type of each parameter, then of each result; owned */
    uint8_t *conversions; /* wax_conversion of each of them; in the same block */
    bool returns_references;
} wax_signature;

/* The native half of an artifact. */
typedef struct wax_artifact {
    PyObject_HEAD
    wa_artifact *native; /* owned; NULL once discarded */
    PyObject *path;      /* of the file, a str; or None */
    PyObject *imports;   /* tuple of what wax_import_rows says; NULL until somebody asks for it */
} wax_artifact;

/* A store. After a join, one of the two has the other as parent, and only the root's containers count. */
/* What components may take; UINT64_MAX: no limit was given, and the usual one holds. */
typedef struct wax_component_limits {
    uint64_t value_bytes, handles;
} wax_component_limits;

typedef struct wax_store {
    PyObject_HEAD
    wa_store *native;         /* owned */
    struct wax_store *parent; /* NULL: this is a root */
    PyObject *keep;           /* dict {native address: object that code in the store can reach} */
    PyObject *externrefs;     /* dict {handle: object} */
    PyObject *handles;        /* dict {id(object): handle}, the inverse */
    Py_ssize_t busy;          /* calls and conversions in progress: handles may be where no sweep sees them */
    Py_ssize_t sweep_at;      /* number of handles that is worth a sweep */
    Py_ssize_t weight;        /* of the tree of joined stores: one for each store and for each instance */
    bool is_explicit;         /* the user made it: two such stores are never joined */
    PyObject *limits;         /* a wasmartifact.Limits, only where is_explicit; NULL: none */
    wax_component_limits component_limits; /* those of limits */
    struct wax_store *previous, *next; /* stores that own handles */
    PyObject *weakrefs;
} wax_store;

/* A native object with a Python face: memory, table, global, tag (the entity owns one count) or instance (the store owns it). */
typedef struct wax_entity {
    PyObject_HEAD
    void *native;
    wax_store *store; /* NULL until something needs one */
    PyObject *weakrefs;
    uint32_t kind;
} wax_entity;

/* An instance: what its artifact is and what it exports are found when somebody asks. */
typedef struct wax_instance {
    wax_entity entity;
    PyObject *artifact; /* wasmartifact.Artifact */
    PyObject *exports;
} wax_instance;

typedef struct wax_func {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    wa_function *record; /* host: the unbound record */
    wax_signature *type;
    wax_store *store;    /* wasm functions; NULL for host functions */
    wa_entry entry;      /* wasm functions; NULL where the artifact has none for the type */
    PyObject *callable;  /* host functions */
    wa_host *host;       /* host functions; owned */
    PyObject *name;      /* str */
    PyObject *weakrefs;
    bool is_short;
    bool passes_caller;
} wax_func;

/* ---- helpers.c: what belongs to an interpreter, and things of Python's side that are imported when first needed --------- */

typedef enum wax_helper {
    WAX_MAKE_TRAP,       /* (code, frames) -> exception */
    WAX_MAKE_ERROR,      /* (code, errno, where, found, expected, text) -> exception */
    WAX_WITH_PATH,       /* (exception, path) -> exception */
    WAX_JOIN_ERROR,      /* () -> exception: two explicit stores */
    WAX_VALTYPE_NAME,    /* (code) -> str */
    WAX_VALTYPE_CODE,    /* (str) -> int */
    WAX_TYPE_DIGEST,     /* (params, results) -> 16 bytes */
    WAX_FUNC_TYPE,       /* (params, results) -> FuncType */
    WAX_MEMORY_TYPE,     /* (min_pages, max_pages, shared, memory64, page_size_bytes) -> MemoryType */
    WAX_TABLE_CLASS,
    WAX_GLOBAL_CLASS,
    WAX_TAG_CLASS,
    WAX_KEYS_VIEW,
    WAX_VALUES_VIEW,
    WAX_ITEMS_VIEW,
    WAX_MAKE_IMPORT,     /* (artifact, number of the import, value) -> Func | Entity: of a value that is neither */
    WAX_UNKNOWN_IMPORT,  /* (artifact, number of the import, imports) -> exception */
    WAX_WRONG_IMPORTS,   /* (artifact, module or None, what was given for it) -> exception */
    WAX_LIMITS_CLASS,
    WAX_LINK_ERROR,      /* (artifact, imported objects, facts) -> exception */
    WAX_GC_CALLBACKS,    /* list */
    WAX_GETSIGNAL,       /* (number) -> handler */
    WAX_DEFAULT_INT_HANDLER,
    WAX_MAKE_EXIT,       /* (code) -> Exit */
    WAX_WASM_EXCEPTION,  /* class */
    WAX_PRINTABLE,       /* (str) -> str: fit for a message */
    WAX_UNPICKLABLE,     /* (object) -> exception */
    WAX_ABSENT,          /* (object, str) -> AttributeError with what to do, or None */
    WAX_CALL_ASYNC,      /* (func, arguments) -> coroutine */
    WAX_AWAIT_HOST,      /* (coroutine) -> its result */
    WAX_COMPONENT_WRAPPERS, /* (Ok, Err, Some) */
    WAX_MAKE_FACE,       /* (Component, row of a type) -> tuple */
    WAX_RESOURCE_CLASS,  /* (Component, NativeComponentInstance, row of a resource) -> class */
    WAX_HELPER_COUNT
} wax_helper;

/* What the extension holds of Python, once for each interpreter: it is the state of the module. Objects of one interpreter never
 * reach another, and interpreters that have this module share one GIL, which guards the list of all states. */
typedef struct wax_state {
    PyInterpreterState *interpreter;
    struct wax_state *next;
    PyTypeObject *artifact_type, *signature_type, *func_type, *store_type, *entity_type, *memory_type, *instance_type,
        *exports_type, *linked_type, *wasi_type, *struct_type, *array_type;
    PyTypeObject *component_type, *component_instance_type, *component_func_type, *resource_type; /* NULL until they are needed */
    PyTypeObject *deadline_type, *ticket_type; /* NULL until they are needed: see wax_new_object */
    PyObject *spare_deadline;  /* stop.c: one that was dropped, without a reference to its type */
    PyObject *helpers[WAX_HELPER_COUNT];
    PyObject *known;           /* entity.c: dict */
    PyObject *interned;        /* signature.c: dict */
    PyObject *type_names;      /* signature.c: tuple */
    wax_signature *latest;     /* signature.c: borrowed */
    wax_store *handle_owners;  /* store.c: borrowed */
    bool sweeps;               /* store.c */
} wax_state;

/* The state of the running interpreter. NULL only while it ends: what releases objects has to expect that. */
wax_state *wax_here(void);
/* A new state becomes that of the running interpreter, in the place of one from an earlier import. */
void wax_state_begin(wax_state *state);
/* The state lets go of all that it holds. */
void wax_state_end(wax_state *state);
int wax_state_traverse(wax_state *state, visitproc visit, void *arg);

/* Borrowed; NULL with an exception set. */
PyObject *wax_help(wax_helper helper);
/* Call a helper with one to three objects: new reference; NULL with an exception set. */
PyObject *wax_call_helper(wax_helper helper, PyObject *first, PyObject *second, PyObject *third);
/* tp_getattro of the types whose attributes people look for by the names of wasmtime-py: the error says what there is instead. */
PyObject *wax_getattr(PyObject *object, PyObject *name);
/* Raise an exception object, whose reference is stolen; does nothing where it is NULL. */
void wax_raise_object(PyObject *exception);
/* Raise the TypeError that says what to send to another process instead. In the method table of a type: WAX_NOT_PICKLED. */
PyObject *wax_refuse_pickle(PyObject *object, PyObject *unused);
#define WAX_NOT_PICKLED {"__reduce__", wax_refuse_pickle, METH_NOARGS, NULL}
/* A new object of a type that most programs need none of: the state has it at this place, or gets it now. */
PyObject *wax_new_object(PyTypeObject **type, PyType_Spec *spec);
/* tp_dealloc of such a type, where nothing else is to be released. */
void wax_free_object(PyObject *object);
/* The fields of a native error as Python's side takes them: a new tuple. */
PyObject *wax_error_facts(const wa_error *error);
/* Raise the Python exception for a native error. path: of the artifact that it is about, or NULL. */
void wax_raise_error(const wa_error *error, PyObject *path);
/* Put the path, if it is one, into the ArtifactError that is set, unless it has one. */
void wax_name_file(PyObject *path);
/* An integer, or what has an __index__, as a number: 0; 1 where it is negative or too large; -1 with an exception set, which
 * calls the object by this name. */
int wax_to_u64(PyObject *object, const char *name, uint64_t *number);
/* Whether a function of a method table got as many arguments as it takes; else a TypeError is set. */
bool wax_check_count(const char *name, Py_ssize_t found, Py_ssize_t expected);
/* Set a TypeError and return false unless the type is what it should be. */
bool wax_check_type(PyObject *object, PyTypeObject *type);
/* A METH_FASTCALL function in a PyMethodDef table. */
#define WAX_FASTCALL(function) (PyCFunction)(void (*)(void))(function)

static inline bool wax_is_func(PyObject *object)
{
    return Py_IS_TYPE(object, wax_here()->func_type);
}

static inline bool wax_is_entity(PyObject *object)
{
    return PyObject_TypeCheck(object, wax_here()->entity_type);
}

/* ---- module.c: the types, each made from its description in one of these files ------------------------------------------ */

extern PyType_Spec wax_artifact_spec, wax_signature_spec, wax_func_spec, wax_store_spec, wax_entity_spec, wax_memory_spec,
    wax_instance_spec, wax_exports_spec, wax_linked_spec, wax_wasi_spec, wax_struct_spec, wax_array_spec;
extern PyMethodDef wax_entity_functions[], wax_link_functions[], wax_stop_functions[], wax_ticket_functions[],
    wax_snapshot_functions[], wax_wasi_functions[], wax_component_functions[], wax_source_functions[];

/* ---- component/state.c: (tables, handles, objects) of an instance of a component, or a str: why there is no state that can be kept.
 * Inside the store. */
PyObject *wax_component_state(PyObject *instance);

/* ---- component/calls.c: the store of a function of a component, borrowed; NULL with a ReferenceError where the instance is gone */

wax_store *wax_component_func_store(PyObject *func);

/* ---- signature.c -------------------------------------------------------------------------------------------------------- */

/* New reference. */
wax_signature *wax_signature_from_codes(const uint32_t *params, uint32_t param_count, const uint32_t *results,
                                      uint32_t result_count, const uint8_t *digest);
/* From sequences of type names. New reference. */
wax_signature *wax_signature_from_names(PyObject *params, PyObject *results);
/* Fill in the parts of the state. */
int wax_signature_begin(wax_state *state);
/* The FuncType that Python sees: new reference. */
PyObject *wax_signature_face(wax_signature *signature);
/* Name of a value type: new reference. */
PyObject *wax_valtype_name(uint32_t valtype);
PyObject *wax_valtype_names(const uint32_t *codes, uint32_t count);
wax_conversion wax_conversion_of(uint32_t valtype);

/* The object of a weak reference: a new reference, NULL when it is gone. PyWeakref_GetObject ended with CPython 3.14. */
static inline PyObject *wax_referent(PyObject *reference)
{
#if PY_VERSION_HEX >= 0x030d0000
    PyObject *object = NULL;
    (void)PyWeakref_GetRef(reference, &object); /* fails for what is no weak reference only */
    return object;
#else
    PyObject *object = PyWeakref_GetObject(reference);
    return object == Py_None ? NULL : Py_NewRef(object);
#endif
}

/* ---- convert.c ---------------------------------------------------------------------------------------------------------- */

typedef enum wax_outcome {
    WAX_CONVERTED,
    WAX_WRONG_TYPE,
    WAX_OUT_OF_RANGE,
    WAX_RAISED /* an exception is set */
} wax_outcome;

/* Ints of one digit, most of those that there are. */
static inline bool wax_is_small_int(PyObject *value, long long *number)
{
    if (!PyLong_CheckExact(value))
        return false;
#if PY_VERSION_HEX >= 0x030c0000
    if (!PyUnstable_Long_IsCompact((PyLongObject *)value))
        return false;
    *number = PyUnstable_Long_CompactValue((PyLongObject *)value);
#else
    Py_ssize_t size = Py_SIZE(value); /* the number of digits, with the sign */
    if (size < -1 || size > 1)
        return false;
    *number = size * (long long)((PyLongObject *)value)->ob_digit[0];
#endif
    return true;
}

/* wax_to_slots for the commonest values, without a call: false where it has to look itself. */
static inline bool wax_plain_to_slot(wax_conversion conversion, PyObject *value, uint64_t *slot)
{
    long long number;
    if (conversion <= WAX_I64 && wax_is_small_int(value, &number)) {
        *slot = conversion == WAX_I32 ? (uint32_t)number : (uint64_t)number;
        return true;
    }
    if (conversion != WAX_F64 || !PyFloat_CheckExact(value))
        return false;
    double real = PyFloat_AS_DOUBLE(value);
    memcpy(slot, &real, sizeof *slot);
    return true;
}

/* Python value -> slot (two slots for v128). store: what references belong to afterwards. */
wax_outcome wax_to_slots(wax_store *store, wax_conversion conversion, PyObject *value, uint64_t *slots);
/* Slots -> Python value, a new reference. */
PyObject *wax_from_slots(wax_store *store, wax_conversion conversion, const uint64_t *slots);
/* What the value would be after a crossing: the same checks and rounding, without a store. */
wax_outcome wax_pass(wax_conversion conversion, PyObject *value, PyObject **passed);
/* Set the exception that says what is wrong with a value. where: "add(i32) -> i32: argument 1", a new reference that is
 * stolen, or NULL with an exception set. Does nothing for WAX_RAISED. */
void wax_raise_value(wax_outcome outcome, PyObject *where, PyObject *type_name, PyObject *value);
/* Whether it takes the type itself to tell what fits. */
static inline bool wax_is_typed(wax_conversion conversion)
{
    return conversion == WAX_TYPED || conversion == WAX_TYPED_NONNULL;
}

static inline uint32_t wax_slots_of(wax_conversion conversion)
{
    return conversion == WAX_V128 ? 2 : 1;
}

/* ---- object.c ----------------------------------------------------------------------------------------------------------- */

/* A Struct or an Array, whose object lives as long as it does. */
typedef struct wax_object {
    PyObject_HEAD
    wax_store *store;
    wa_held held;
} wax_object;

bool wax_is_object(PyObject *value);
/* A value of the hierarchy of any or extern, not null: an int, what a handle stands for, a Struct or an Array. New reference. */
PyObject *wax_object_from_reference(wax_store *store, uint64_t reference);
/* A Func, Struct or Array as a reference, for a type of a module: whether it fits is for the caller to see. None is null. */
wax_outcome wax_typed_to_slot(wax_store *store, PyObject *value, uint64_t *slot, bool *is_function);

/* ---- store.c ------------------------------------------------------------------------------------------------------------ */

/* A store that nobody named. New reference. */
wax_store *wax_store_new_implicit(void);
static inline wax_store *wax_root(wax_store *store)
{
    while (store->parent != NULL)
        store = store->parent;
    return store;
}
/* Make the two stores one. 0, or -1 with an exception set. */
int wax_store_join(wax_store *into, wax_store *from);
/* Keep object alive as long as the store, under the native address that code in the store knows it by. */
int wax_store_keep(wax_store *store, const void *address, PyObject *object);
/* The kept object of this address, borrowed, or NULL without an exception. */
PyObject *wax_store_kept(wax_store *store, const void *address);
/* Handle of an object, 0 with an exception set. The caller has raised store->busy. */
uint64_t wax_store_handle(wax_store *store, PyObject *object);
/* Object of a handle: new reference. */
PyObject *wax_store_object(wax_store *store, uint64_t handle);
/* Wait, without the GIL, until this thread is inside the native store. 0: pair with wa_store_leave(store->native); -1 with an
 * exception set: a Ctrl-C came. */
__attribute__((warn_unused_result, cold)) int wax_store_wait(wax_store *store);
__attribute__((warn_unused_result)) static inline int wax_store_enter(wax_store *store)
{
    return wa_store_try_enter(store->native) ? 0 : wax_store_wait(store);
}
/* The same for at most so long, without looking for signals. */
__attribute__((warn_unused_result)) bool wax_store_enter_within(wax_store *store, uint32_t milliseconds);
/* Drop handles that the guest has no more, where there are many. */
void wax_store_sweep(wax_store *store);
/* Bracket everything that converts references or runs code: handles on the way are not swept. */
static inline void wax_store_pin(wax_store *store)
{
    wax_root(store)->busy++;
}
static inline void wax_store_unpin(wax_store *store)
{
    store = wax_root(store);
    if (--store->busy == 0 && __builtin_expect(store->externrefs != NULL, 0))
        wax_store_sweep(store);
}

/* ---- stop.c ------------------------------------------------------------------------------------------------------------- */

/* store.deadline(seconds), store.interrupt() */
PyObject *wax_store_deadline(PyObject *store, PyObject *seconds);
PyObject *wax_store_interrupt(PyObject *store, PyObject *unused);

/* ---- entity.c ----------------------------------------------------------------------------------------------------------- */

/* The Python object of a native memory, table, global, tag or instance: the one that lives already, or a new one. It
 * retains the native object by itself. store may be NULL for tags. New reference. */
PyObject *wax_entity_wrap(uint32_t kind, void *native, wax_store *store);
/* Give a new entity its native object, whose count it takes over, and its store, and make it known by its address. */
int wax_entity_bind(wax_entity *entity, uint32_t kind, void *native, wax_store *store);
/* An import of a new instance of this store: the entity's store becomes one with it. */
int wax_entity_join(wax_entity *entity, wax_store *store);
void wax_entity_dealloc(PyObject *object);

/* ---- exports.c ---------------------------------------------------------------------------------------------------------- */

/* The exports of an instance of the store: new reference. */
PyObject *wax_exports_new(wa_instance *instance, wax_store *store);

/* ---- func.c ------------------------------------------------------------------------------------------------------------- */

/* The Func of a record: a host function's own one, else a new one. name (may be NULL) is borrowed. New reference. */
PyObject *wax_func_from_record(wax_store *store, wa_function *record, PyObject *name);
/* A Func for a host, which it takes over, also where it fails. callable: what the function stands for or needs, kept alive
 * and shown to the collector. New reference. */
PyObject *wax_func_from_host(wa_host *host, wax_signature *type, vectorcallfunc vectorcall, PyObject *callable, PyObject *name);
/* The Func whose wa_host this is, borrowed; NULL when it is gone. */
wax_func *wax_func_of_host(const wa_host *host);
/* An import that is a plain callable: new reference. */
PyObject *wax_func_new_host(PyObject *callable, wax_signature *type, PyObject *name);
/* "name(i32, i32) -> i32", for messages: new reference. */
PyObject *wax_func_describe(const wax_func *func);

/* ---- call.c ------------------------------------------------------------------------------------------------------------- */

extern PyObject *wax_call_wasm(PyObject *callable, PyObject *const *args, size_t nargsf, PyObject *kwnames);
extern PyObject *wax_call_bits(PyObject *func, PyObject *slots);
PyObject *wax_call_host(PyObject *callable, PyObject *const *args, size_t nargsf, PyObject *kwnames);
/* The wa_invoke of every host function. */
void wax_invoke_host(wa_function *record, uint64_t *slots);
typedef struct wax_call wax_call;
/* Inside a host function, before Python code runs: take the GIL. */
wax_call *wax_enter_python(void);
/* After it: give the GIL back. -1 with an exception set and the GIL still held where the guest may not go on, because of a Ctrl-C
 * or of calls on another stack: it is to be left by wa_unwind then. wa_leave_if_interrupted is to follow before it goes on. */
int wax_leave_python(wax_call *call);
/* After code that raised, before wa_unwind: -1. */
int wax_leave_raised(wax_call *call);
/* In Python code that a guest called, after C code returned early because of a Ctrl-C or a stop: -1 with the exception set that it is,
 * or 0 where it was taken back. */
int wax_heed_stops(wax_call *call);
/* Of the module, once: how stacks are told apart. */
void wax_tell_stacks_apart(void);
/* The wa_judge of Ctrl-C: whether it ends a call that released the GIL. */
bool wax_judge_interrupt(void *call);
/* The wa_heed: let Python's handlers run. */
bool wax_heed_signals(void);
/* Run the init code of an instance. 0, or -1 with an exception set. */
int wax_run_init(wax_store *store, wa_instance *instance);
/* Run a function; the caller has entered the store. 0, or -1 with an exception set. */
int wax_run_inside(wax_store *store, const wa_function *function, wa_entry entry, uint64_t *slots, bool keeps_gil);

/* ---- exception.c -------------------------------------------------------------------------------------------------------- */

/* Raise what WA_THREW gave, and unpin it. */
void wax_raise_exception(wax_store *store, wa_exception *exception);
/* Inside a host function, with a Python exception set and the GIL: if it is a WasmException and there is code that may catch it,
 * clear it and make it pending. False: it, or another one, is set. */
bool wax_throw_raised(wax_store *store, const wa_instance *caller);

/* ---- link.c ------------------------------------------------------------------------------------------------------------- */

/* An artifact, and what its imports are. */
typedef struct wax_link {
    PyObject *face; /* wasmartifact.Artifact */
    wax_artifact *artifact;
    PyObject *objects;  /* tuple: a Func or Entity for each import, in order; NULL where Python has none for them */
    wa_extern *externs; /* the same for the native side */
    size_t extern_count;
} wax_link;

/* A new Instance of it, whose init code has run. given: a Store, or None for a new one. owner: see wa_instance_owner. */
PyObject *wax_instantiate_link(const wax_link *link, PyObject *given, void *owner);

/* ---- imports.c ---------------------------------------------------------------------------------------------------------- */

/* Find all that the artifact imports in what the user gave: a Func or Entity for each import in `objects`, a new tuple, and the
 * same for the native side in `externs`, to be freed with PyMem_Free. face: the wasmartifact.Artifact. 0, or -1 with an
 * exception set and nothing to release. */
int wax_resolve_imports(PyObject *face, wax_artifact *artifact, PyObject *imports, PyObject **objects, wa_extern **externs);

/* ---- artifact.c --------------------------------------------------------------------------------------------------------- */

/* What the artifact imports, read once: borrowed. */
PyObject *wax_artifact_imports(wax_artifact *artifact);
/* Rows are read late: put the file of an artifact, which the store keeps, into the ArtifactError that is set, if one is. */
void wax_name_artifact(wax_store *store, const wa_artifact *native);

/* ---- rows.c: rows of the mapped metadata as Python objects -------------------------------------------------------------- */

/* Tuple of (module, name, kind, Signature of a function or (valtype, is mutable) of a global or None, "module.name").
 * Equal modules in a row are one object. */
PyObject *wax_import_rows(const wa_artifact *artifact);
Py_ssize_t wax_export_count(const wa_artifact *artifact);
/* Tuple of export names in module order. */
PyObject *wax_export_names(const wa_artifact *artifact);
/* Name of a function from the name section, or "func[7]". */
PyObject *wax_function_name(const wa_artifact *artifact, uint32_t func_index);

#endif
