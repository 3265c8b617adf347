/* Private to native/: stores, what they own, and the exceptions that live in them. */
#ifndef WA_RUNTIME_STORE_H
#define WA_RUNTIME_STORE_H

#include <pthread.h>

#include "gc.h"
#include "instance.h"
#include "quota.h"

typedef struct wa_adopted {
    struct wa_adopted *next;
    wa_extern object; /* retained */
} wa_adopted;

/* What stop.c knows of a store that is no alias; its mutex guards it. */
typedef struct wa_stops {
    wa_store *next_watched; /* in the list of those whose thread gets signals */
    atomic_bool is_watched;
    uint32_t sent, idle;    /* signals since the stop came; rounds without a thread inside */
    uint32_t passed;        /* deadlines that are over and not ended yet */
    wa_ticket *ticket;      /* of the thread inside; NULL: none */
} wa_stops;

struct wa_store {
    atomic_uint references;
    _Atomic(wa_store *) forward; /* after a join: the store that stands for this one; retained */
    _Atomic uint32_t owner;      /* id of the thread inside, 0: none */
    atomic_uint waiters;
    pthread_mutex_t mutex; /* only for waiting */
    pthread_cond_t left;
    uint32_t depth;   /* enters of the owner */
    uint32_t active;  /* calls in progress */
    uint64_t latest;  /* of stacks.c: the serial of the call that began last while calls of other stacks were inside; 0: none */
    uint64_t stack_limit; /* what the instances hold */
    _Atomic uint64_t known_limit; /* the same; 0: the next call has to look, at the stack's limit and for a stop */
    _Atomic uint32_t stop;        /* WA_STOP_*: what shall end its calls */
    atomic_bool is_heard;         /* the thread inside knows of the stop, and will look before it goes back to wasm */
    wa_stops stops;
    wa_details *instances;
    wa_adopted *adopted;
    wa_exception *pending;      /* thrown and not caught yet: compiled code is returning */
    wa_run runs[WA_INLINE_CLASSES]; /* of the heap, by size class; behind pending, where compiled code looks for them */
    wa_exception **exceptions;  /* all that live, in no order */
    uint64_t exception_count, exception_capacity, exceptions_collect_at;
    atomic_uint exception_pins; /* how many of them the embedder is looking at */
    wa_heap *heap;              /* owned; NULL until there is an object */
    bool marks_at_once;         /* an instance has code that overwrites references without a word */
    atomic_uint heap_pins;      /* no collection: references are where nobody looks */
    void *operands;             /* what the instances hold; NULL until an artifact needs it */
    wa_quota *quota;            /* owned; NULL: no limits */
    uint64_t fuel;              /* but for the portion that running code holds; WA_FUEL_MAX where none is counted */
    bool counts_fuel;           /* the embedder gave a number */
    bool is_metered;            /* an instance has code that takes fuel */
    void *program;              /* what host functions of the store's program work on: wa_store_set_program; NULL: none */
    wa_finalizer program_finalizer;
};
_Static_assert(offsetof(wa_store, runs) == offsetof(wa_store, pending) + sizeof(struct wa_schema_store_cells), "code finds them there");

/* ---- store.c ---------------------------------------------------------------------------------------------------- */

/* The store that stands for this one after joins. Inline, so that the signal handler calls no other file. */
static inline wa_store *wa_root(wa_store *store)
{
    wa_store *next;
    while ((next = atomic_load_explicit(&store->forward, memory_order_acquire)) != NULL)
        store = next;
    return store;
}

void wa_store_set_stack_limit(wa_store *store, uint64_t limit);
/* Before code of the store runs on this thread: give the instances the thread's limit, or the store's own, which is never the
 * same. */
WA_COLD void wa_store_fit_stack_limit(wa_store *store);
/* Takes the block over. The store has none yet. */
void wa_store_set_operands(wa_store *store, void *operands);
/* Make `from`, which this thread has entered and whose contents are gone, an alias of `into`, which it retains. Who waits for
 * it waits for the other one then. */
void wa_store_become(wa_store *from, wa_store *into);

/* ---- limits.c; stores are roots here ---------------------------------------------------------------------------- */

/* Whether a store with limits has room for an instance whose imports are linked. */
WA_COLD int wa_limits_check_instance(const wa_store *store, const wa_details *details, wa_error *error);
/* Before a join, whose two stores this thread has entered: the limits of either hold for the contents of both. */
int wa_limits_join(wa_store *into, wa_store *from, wa_error *error);

/* ---- fuel.c ------------------------------------------------------------------------------------------------------ */

/* A call of this store, or of one that it was joined with, had so much left of its portion. */
WA_COLD void wa_fuel_return(wa_store *store, uint64_t portion);
/* Whether an instance of the artifact may be in the store. */
int wa_fuel_admit(const wa_store *store, const wa_artifact *artifact, wa_error *error);
/* Whether both may be one store: all code that is in one counts fuel, or none does. */
int wa_fuel_check_join(const wa_store *into, const wa_store *from, wa_error *error);
/* The fuel of both. */
void wa_fuel_join(wa_store *into, const wa_store *from);

/* ---- references.c ----------------------------------------------------------------------------------------------- */

/* Call visit for every reference in tables, globals and element segments of the store whose type is wanted. */
void wa_store_visit_references(wa_store *store, bool (*wants)(uint32_t valtype), void (*visit)(uint64_t, void *), void *user);

/* ---- exception.c; stores are roots here ------------------------------------------------------------------------- */

void wa_exceptions_collect(wa_store *store);
void wa_exceptions_free(wa_store *store);
/* Give all exceptions to the other store, which has made room for them; -1: no memory. */
int wa_exceptions_make_room(wa_store *into, const wa_store *from);
void wa_exceptions_move(wa_store *into, wa_store *from);
/* What an exception of this tag takes. */
uint64_t wa_exception_bytes(const wa_tag *tag);
/* It was caught, and the catch made no exnref. */
void wa_exception_done(wa_store *store, wa_exception *exception);
/* Call visit for every reference that a living exception carries and whose type is wanted. */
void wa_exceptions_visit(wa_store *store, bool (*wants)(uint32_t valtype), void (*visit)(uint64_t, void *), void *user);

#endif
