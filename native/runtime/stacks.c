/* Stacks that one thread switches between, as greenlets do, while the embedder's code runs inside of calls.
 *
 * The calls of a stack form a list on that stack. While another one runs, its memory may hold anything: whoever switches keeps
 * the contents elsewhere. So the calls of a stack that was left are parked, and nothing reads them until it runs again. That is
 * found out where it matters: when a call begins inside of another one or beside parked ones, and when the embedder's code comes
 * back to wasm. A call that has none around it and none beside it costs nothing.
 *
 * Calls in different stores may end in any order. Those in one store must end innermost first: the guest's own stack, which lies
 * in its memory, grows with them. A call that is about to go on while a later one in its store has not ended is a trap.
 */
#include <stdlib.h>

#include "store.h"
#include "thread.h"

static bool (*runs_here)(void *user, const void *mark);

void wa_stacks_tell_apart(bool (*judge)(void *user, const void *mark))
{
    runs_here = judge;
}

/* Whether the mark is of the stack that runs. An embedder that tells nothing has one. */
static bool is_of_this(void *user, const void *mark)
{
    return runs_here == NULL || runs_here(user, mark);
}

/* Put the calls aside. -1: no memory. */
static int park(wa_activation *innermost)
{
    wa_parked *parked = malloc(sizeof *parked);
    if (parked == NULL)
        return -1;
    *parked = (wa_parked){wa_this_thread.parked, wa_this_thread.mark, innermost};
    wa_this_thread.parked = parked;
    return 0;
}

/* Take parked calls, and leave others in their place, if there are any. */
static wa_activation *exchange(wa_parked **link, wa_activation *others)
{
    wa_parked *found = *link;
    wa_activation *innermost = found->innermost;
    const void *mark = found->mark;
    if (others != NULL) {
        found->innermost = others;
        found->mark = wa_this_thread.mark;
    } else {
        *link = found->next;
        free(found);
    }
    wa_this_thread.mark = mark;
    return innermost;
}

int wa_stack_settle(wa_activation **innermost, void *user)
{
    wa_activation *current = *innermost;
    wa_parked **link = &wa_this_thread.parked;
    if (current == NULL ? *link == NULL : is_of_this(user, wa_this_thread.mark))
        return 0;
    while (*link != NULL && !is_of_this(user, (*link)->mark))
        link = &(*link)->next;
    if (*link != NULL)
        *innermost = exchange(link, current);
    else if (current != NULL && park(current) < 0)
        return -1;
    else
        *innermost = NULL;
    wa_this_thread.notes.parked = wa_this_thread.parked != NULL;
    wa_this_thread.notes.stop = true; /* a note of these calls may have been taken for one of others */
    return 0;
}

bool wa_stack_has_others(const wa_store *store)
{
    if (!wa_this_thread.notes.parked)
        return false;
    uint32_t own = 0;
    for (const wa_activation *call = wa_this_thread.current; call != NULL; call = call->previous) {
        bool is_across = call->previous != NULL && call->previous->info == call->info;
        own += !is_across && wa_root(call->store) == store;
    }
    return store->active != own;
}

void wa_stack_begin(wa_activation *activation)
{
    wa_store *store = wa_root(activation->store);
    if (wa_stack_settle(&activation->previous, activation->info->user) < 0) {
        activation->info->trap_code = WA_TRAP_OUT_OF_MEMORY;
        wa_leap(WA_TRAPPED);
    }
    wa_this_thread.is_outside = false;
    activation->is_linked = true;
    activation->outer_mark = wa_this_thread.mark;
    activation->serial = 0;
    if (!wa_stack_has_others(store))
        return;
    activation->serial = ++wa_this_thread.last_serial;
    activation->outer_latest = store->latest;
    store->latest = activation->serial;
}

void wa_stack_end(const wa_activation *activation)
{
    wa_store *store = wa_root(activation->store);
    wa_this_thread.mark = activation->outer_mark;
    wa_this_thread.is_outside = activation->previous != NULL;
    if (activation->serial != 0 && store->latest == activation->serial)
        store->latest = activation->outer_latest;
}

bool wa_stack_is_interleaved(void)
{
    const wa_activation *call = wa_this_thread.current;
    while (call->previous != NULL && call->previous->info == call->info)
        call = call->previous; /* calls from instance to instance */
    const wa_store *store = wa_root(call->store);
    uint64_t serial = call->is_linked ? call->serial : 0;
    return store->latest != 0 && store->latest != serial && wa_stack_has_others(store);
}
