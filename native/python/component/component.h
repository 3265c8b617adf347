/* Private to native/python/component/: components as Python has them.
 *
 * None of these types is made before the first component is instantiated. Everything here runs with the GIL held. */
#ifndef WAX_COMPONENT_H
#define WAX_COMPONENT_H

#include "python/types.h"
#include "wa_component.h"

/* The description of a component, and what Python's values of its types need: made once for each artifact. */
typedef struct wax_component {
    PyObject_HEAD
    wa_component *native; /* owned */
    PyObject *face;       /* weak reference to the wasmartifact.Component, which owns this; instances keep it by their stores */
    PyObject **faces;     /* per type: what `wax_face` gives, or NULL; owned */
    wa_extern *externs;   /* canonical functions for all imports, the same for all instances; NULL until the first one; owned */
} wax_component;

/* Objects of the embedder that guests have handles of, by rep. */
typedef struct wax_host_object {
    PyObject *object; /* NULL: free */
    uint32_t next;    /* of a free one */
} wax_host_object;

/* A resource whose last reference went while its component could not be entered. */
typedef struct wax_ended {
    uint32_t resource, rep;
} wax_ended;

/* An instance of a component. */
typedef struct wax_component_instance {
    PyObject_HEAD
    wa_component_instance native;
    wax_component *component; /* owned */
    wax_store *store;         /* owned */
    PyObject *core;           /* Instance of the flattened module; NULL until it is linked */
    PyObject *classes;        /* dict {resource: class} */
    PyObject **callables;     /* per import: its function; NULL for one that is found by its first call, or is none of Python's; owned */
    PyObject *find;           /* callable: import -> its function */
    wax_host_object *objects; /* owned; the first one is never used */
    uint32_t object_count, object_capacity, free_object;
    wax_ended *ended;
    uint32_t ended_count, ended_capacity;
    PyObject *weakrefs;
} wax_component_instance;

typedef enum wax_resource_state { WAX_OWNED, WAX_BORROWED, WAX_GONE } wax_resource_state;

/* A resource that a component defines. */
typedef struct wax_resource {
    PyObject_HEAD
    wax_component_instance *instance; /* owned; NULL once cleared */
    uint32_t resource, rep;
    uint32_t lends; /* calls that it is lent to */
    wax_resource_state state;
    PyObject *weakrefs;
} wax_resource;

/* A function that a component exports. */
typedef struct wax_component_func {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    wax_component_instance *instance; /* owned; NULL once cleared */
    const wac_options *options;
    const wac_type *type;
    uint32_t canon;
    bool is_scalar;
    PyObject *name;
    PyObject *receiver; /* of a method that was taken off its resource; owned, else NULL */
    PyObject *weakrefs;
} wax_component_func;

/* ---- enter.c ------------------------------------------------------------------------------------------------------- */

/* Raise the Trap of a code, unless it is WAC_RAISED: NULL. */
PyObject *wax_raise_trap_code(uint32_t code);
/* Enter the component: 0, or -1 with an exception set. What is done inside is ended by leave, which poisons the instance where
 * it failed. */
int wax_component_enter(wax_component_instance *instance);
void wax_component_leave(wax_component_instance *instance, bool is_poisoned);
uint32_t wax_component_run(wa_component_instance *native, const wac_callee *callee, uint64_t *slots);
/* A resource ends: its destructor runs, now, or when the component can be entered. 0, or -1 with an exception set. */
int wax_end_resource(wax_component_instance *instance, uint32_t resource, uint32_t rep);

/* ---- values.c: Python objects to bytes, and back ------------------------------------------------------------------ */

/* A handle that a guest got, and the owned resource that it was made of, which is given away when all is converted. */
typedef struct wax_given {
    wax_resource *resource; /* owned reference; NULL for an object of the embedder */
    uint32_t handle, object;
    bool is_own;
} wax_given;

/* What a conversion has to undo or to finish. */
typedef struct wax_passing {
    wax_component_instance *instance;
    const wac_options *options;
    wac_scope *scope;
    wax_given *given; /* few_given, or owned */
    uint32_t given_count, given_capacity;
    bool is_trapped; /* the guest that was to get values failed */
    uint64_t taken_bytes, most_bytes; /* of the values that Python gets */
    PyObject *lent; /* list of resources that were lent to Python, or NULL */
    wax_given few_given[2];
} wax_passing;

void wax_passing_begin(wax_passing *passing, wax_component_instance *instance, const wac_options *options, wac_scope *scope);
/* All was converted: owned resources are the guest's now. */
void wax_passing_commit(wax_passing *passing);
/* Something was not converted: handles are taken back, resources stay Python's. */
void wax_passing_undo(wax_passing *passing);
/* The call is over. */
void wax_passing_end(wax_passing *passing);
/* Python object -> bytes in the guest's layout: 0, or -1 with an exception set. */
int wax_store_value(wax_passing *passing, const wac_type *type, PyObject *value, uint8_t *to);
/* Python object -> registers, as many as its type has: the same. */
int wax_lower_value(wax_passing *passing, const wac_type *type, PyObject *value, uint64_t *slots);
/* Bytes -> Python object: a new reference. */
PyObject *wax_load_value(wax_passing *passing, const wac_type *type, const uint8_t *from);
/* Registers -> Python object: the same. */
PyObject *wax_lift_value(wax_passing *passing, const wac_type *type, const uint64_t *slots);
/* Scalars in registers, without any bytes: false where it has to go through them. */
bool wax_store_scalar(const wac_type *type, PyObject *value, uint64_t *slot);
PyObject *wax_load_scalar(const wac_type *type, uint64_t slot);
/* The class of Ok (0), Err (1) or Some (2): borrowed. */
PyObject *wax_wrapper(int which);

/* ---- objects.c ------------------------------------------------------------------------------------------------------ */

/* An object of the embedder as a rep: 0 with an exception set. */
uint32_t wax_object_new(wax_component_instance *instance, PyObject *object);
/* Borrowed; NULL with an exception set. */
PyObject *wax_object_get(wax_component_instance *instance, uint32_t rep);
void wax_object_free(wax_component_instance *instance, uint32_t rep);
/* What Python's values of a type need, see runtime/component_types.py: borrowed. */
PyObject *wax_make_face(wax_component *component, const wac_type *type);
static inline PyObject *wax_face(wax_component *component, const wac_type *type)
{
    PyObject *face = component->faces[type - component->native->types];
    return face != NULL ? face : wax_make_face(component, type);
}
/* The wasmartifact.Component: a new reference, or NULL with an exception set where it is gone. */
PyObject *wax_component_face(const wax_component *component);
/* Text of a name of the component: new reference. */
PyObject *wax_component_text(const wax_component *component, uint32_t number);
/* "interface#name" of a function of the host that is imported, or its name alone: a new reference. */
PyObject *wax_import_label(const wax_component *component, uint32_t import);

/* ---- calls.c -------------------------------------------------------------------------------------------------------- */

PyObject *wax_component_func_new(wax_component_instance *instance, uint32_t canon, PyObject *name);
/* The wa_invoke of what an import of the flattened module is linked with where a Python function stands behind it. */
void wax_component_invoke(wa_function *record, uint64_t *slots);
uint32_t wax_component_drop(wa_component_instance *native, uint32_t resource, uint32_t rep);

/* ---- resource.c ----------------------------------------------------------------------------------------------------- */

PyObject *wax_resource_new(wax_component_instance *instance, uint32_t resource, uint32_t rep, wax_resource_state state);

extern PyType_Spec wax_component_spec, wax_resource_spec, wax_component_func_spec;

#endif
