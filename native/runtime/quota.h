/* Private to native/: how much the guests of a store may hold, and how much they do. */
#ifndef WA_RUNTIME_QUOTA_H
#define WA_RUNTIME_QUOTA_H

#include <stdatomic.h>

#include "error.h"

/* Of a store with limits; each memory and table that counts there has a count of it, since it may outlive the store. Atomic:
 * shared memories grow while other threads are inside the store. */
typedef struct wa_quota {
    atomic_uint references;
    _Atomic uint64_t limits[WA_COUNTED], stack_bytes; /* the embedder may change them while guests run */
    _Atomic uint64_t used[WA_COUNTED];
} wa_quota;

/* ---- quota.c ---------------------------------------------------------------------------------------------------- */

/* Owned: wa_quota_release. NULL: no memory. */
wa_quota *wa_quota_new(const wa_limits *limits);
void wa_quota_change(wa_quota *quota, const wa_limits *limits);
wa_quota *wa_quota_retain(wa_quota *quota);
WA_COLD void wa_quota_release(wa_quota *quota);
/* Whether so much more is within the limit; else the error says what it would come to. */
int wa_quota_check(const wa_quota *quota, const uint64_t *amounts, wa_error *error);
/* Take so much if the limit allows it. */
bool wa_quota_take(wa_quota *quota, uint32_t what, uint64_t amount);
/* Take it in any case: it was checked before. */
WA_COLD void wa_quota_count(wa_quota *quota, uint32_t what, uint64_t amount);
WA_COLD void wa_quota_give_back(wa_quota *quota, uint32_t what, uint64_t amount);

#endif
