/* How much the guests of a store may hold, and how much they do. */
#include <stdlib.h>

#include "quota.h"

wa_quota *wa_quota_new(const wa_limits *limits)
{
    wa_quota *quota = calloc(1, sizeof *quota);
    if (quota == NULL)
        return NULL;
    quota->references = 1;
    wa_quota_change(quota, limits);
    return quota;
}

void wa_quota_change(wa_quota *quota, const wa_limits *limits)
{
    for (uint32_t what = 0; what < WA_COUNTED; what++)
        atomic_store(&quota->limits[what], limits->counted[what]);
    atomic_store(&quota->stack_bytes, limits->stack_bytes);
}

wa_quota *wa_quota_retain(wa_quota *quota)
{
    atomic_fetch_add_explicit(&quota->references, 1, memory_order_relaxed);
    return quota;
}

void wa_quota_release(wa_quota *quota)
{
    if (atomic_fetch_sub_explicit(&quota->references, 1, memory_order_acq_rel) == 1)
        free(quota);
}

static uint64_t left_of(const wa_quota *quota, uint32_t what, uint64_t used)
{
    uint64_t limit = atomic_load(&quota->limits[what]);
    return used < limit ? limit - used : 0;
}

int wa_quota_check(const wa_quota *quota, const uint64_t *amounts, wa_error *error)
{
    static const uint32_t errors[WA_COUNTED] = {
        [WA_COUNTED_MEMORY_BYTES] = WA_ERROR_OVER_MEMORY_BYTES,
        [WA_COUNTED_TABLE_ELEMENTS] = WA_ERROR_OVER_TABLE_ELEMENTS,
        [WA_COUNTED_INSTANCES] = WA_ERROR_OVER_INSTANCES,
    };
    for (uint32_t what = 0; what < WA_COUNTED; what++) {
        uint64_t used = atomic_load(&quota->used[what]), wanted = used + amounts[what];
        if (amounts[what] > left_of(quota, what, used))
            return wa_fail(error, errors[what], 0, wanted < used ? UINT64_MAX : wanted, atomic_load(&quota->limits[what]), "");
    }
    return 0;
}

bool wa_quota_take(wa_quota *quota, uint32_t what, uint64_t amount)
{
    uint64_t used = atomic_load(&quota->used[what]);
    do
        if (amount > left_of(quota, what, used))
            return false;
    while (!atomic_compare_exchange_weak(&quota->used[what], &used, used + amount));
    return true;
}

void wa_quota_count(wa_quota *quota, uint32_t what, uint64_t amount)
{
    atomic_fetch_add(&quota->used[what], amount);
}

void wa_quota_give_back(wa_quota *quota, uint32_t what, uint64_t amount)
{
    atomic_fetch_sub(&quota->used[what], amount);
}
