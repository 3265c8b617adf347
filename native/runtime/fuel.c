/* Fuel: what a store has of it, and that code which counts it and code which does not never meet. They could not call each
 * other: the former takes and returns its portion. What code itself does stands in codegen/fuel.py. */
#include "store.h"

enum { EITHER, COUNTS, COUNTS_NOT };

/* What the code of a store must do. */
static int demand(const wa_store *store)
{
    if (store->instances != NULL)
        return store->is_metered ? COUNTS : COUNTS_NOT;
    return store->counts_fuel ? COUNTS : EITHER;
}

int wa_fuel_admit(const wa_store *store, const wa_artifact *artifact, wa_error *error)
{
    int wanted = demand(store);
    if (wanted == EITHER || (wanted == COUNTS) == wa_is_metered(artifact))
        return 0;
    return wa_fail(error, WA_ERROR_FUEL, 0, 0, 0,
                   wanted == COUNTS ? "the store counts it, this module was packed without"
                                    : "this module was packed with fuel, others of its store without");
}

int wa_fuel_check_join(const wa_store *into, const wa_store *from, wa_error *error)
{
    int one = demand(into), other = demand(from);
    if (one == EITHER || other == EITHER || one == other)
        return 0;
    return wa_fail(error, WA_ERROR_FUEL, 0, 0, 0, "one of two modules that shall share something was packed without");
}

/* Who counts none has no end of it, and brings nothing. */
void wa_fuel_join(wa_store *into, const wa_store *from)
{
    into->is_metered |= from->is_metered;
    if (!from->counts_fuel)
        return;
    uint64_t sum = into->counts_fuel ? into->fuel + from->fuel : from->fuel;
    into->fuel = sum < WA_FUEL_MAX ? sum : WA_FUEL_MAX;
    into->counts_fuel = true;
}

void wa_fuel_return(wa_store *store, uint64_t portion)
{
    store = wa_root(store);
    store->fuel = store->counts_fuel ? store->fuel + portion : WA_FUEL_MAX;
}

bool wa_store_fuel(const wa_store *store, uint64_t *units)
{
    store = wa_root((wa_store *)(uintptr_t)store);
    *units = store->fuel;
    return store->counts_fuel;
}

int wa_store_set_fuel(wa_store *store, uint64_t units)
{
    store = wa_root(store);
    if (store->instances != NULL && !store->is_metered)
        return -1;
    store->fuel = units;
    store->counts_fuel = true;
    return 0;
}

void wa_store_count_no_fuel(wa_store *store)
{
    store = wa_root(store);
    store->fuel = WA_FUEL_MAX;
    store->counts_fuel = false;
}
