/* Types at run time: one per process for all types of modules that are equal, known by its digest. */
#include <stdlib.h>

#include "forks.h"
#include "gc.h"
#include "objects.h"

enum { FIRST_BUCKETS = 256 };

/* Guarded by the mutex; types stay when they are in it. */
static struct {
    pthread_mutex_t mutex;
    wa_rtt **buckets;
    uint64_t bucket_count, count;
} known = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static wa_rtt_details *details_of(const wa_rtt *rtt)
{
    return rtt->head.details;
}

static wa_rtt **bucket_of(wa_rtt **buckets, uint64_t count, const uint8_t *digest)
{
    uint64_t hash;
    memcpy(&hash, digest, sizeof hash);
    return &buckets[hash & (count - 1)];
}

static int grow_table(void)
{
    uint64_t count = known.bucket_count == 0 ? FIRST_BUCKETS : 2 * known.bucket_count;
    wa_rtt **buckets = calloc(count, sizeof *buckets);
    if (buckets == NULL)
        return -1;
    for (uint64_t i = 0; i < known.bucket_count; i++)
        while (known.buckets[i] != NULL) {
            wa_rtt *rtt = known.buckets[i], **bucket = bucket_of(buckets, count, details_of(rtt)->digest);
            known.buckets[i] = details_of(rtt)->next;
            details_of(rtt)->next = *bucket;
            *bucket = rtt;
        }
    free(known.buckets);
    known.buckets = buckets;
    known.bucket_count = count;
    return 0;
}

/* ---- layout ------------------------------------------------------------------------------------------------------ */

static uint32_t size_of(uint32_t storage)
{
    switch (storage) {
    case WA_VALTYPE_I8:
        return 1;
    case WA_VALTYPE_I16:
        return 2;
    case WA_VALTYPE_I32:
    case WA_VALTYPE_F32:
        return 4;
    case WA_VALTYPE_V128:
        return 16;
    default:
        return 8;
    }
}

static uint8_t holds(const wa_artifact *artifact, uint32_t storage)
{
    uint32_t heap = storage >> 8;
    if (!wa_valtype_is_reference(storage))
        return WA_FIELD_PLAIN;
    if (heap < WA_HEAP_ABSTRACT)
        return artifact->subtypes[heap].kind == WA_TYPE_FUNC ? WA_FIELD_PLAIN : WA_FIELD_REFERENCE;
    if (heap == WA_HEAP_EXN)
        return WA_FIELD_EXCEPTION;
    return wa_valtype_is_traced(storage) ? WA_FIELD_REFERENCE : WA_FIELD_PLAIN;
}

/* Where the collector looks. */
static uint32_t reference_bit(const wa_rtt *rtt, uint32_t offset)
{
    uint32_t word = (offset - (uint32_t)sizeof(wa_object)) / 8;
    return rtt->head.kind == WA_TYPE_STRUCT && word < 31 ? UINT32_C(1) << word : WA_REFERENCES_FAR;
}

/* Fields in order, each at a multiple of its size; the same as code generation has it. */
static void lay_out(const wa_artifact *artifact, uint32_t type, wa_rtt *rtt)
{
    wa_rtt_details *details = details_of(rtt);
    const uint32_t *starts = WA_COLUMN(artifact, type_params);
    uint32_t offset = rtt->head.kind == WA_TYPE_ARRAY ? sizeof(wa_array) : sizeof(wa_object);
    for (uint32_t i = 0; i < details->field_count; i++) {
        wa_field *field = &details->fields[i];
        field->storage = WA_COLUMN(artifact, type_values)[starts[type] + i];
        field->is_mutable = artifact->mutable_fields[starts[type] + i] != 0;
        field->size_bytes = size_of(field->storage);
        field->holds = holds(artifact, field->storage);
        field->offset = (offset + field->size_bytes - 1) & -field->size_bytes;
        offset = field->offset + field->size_bytes;
        if (field->holds == WA_FIELD_REFERENCE)
            rtt->head.references |= reference_bit(rtt, field->offset);
        details->has_exceptions |= field->holds == WA_FIELD_EXCEPTION;
    }
    rtt->head.size_bytes = rtt->head.kind == WA_TYPE_ARRAY ? details->fields[0].size_bytes : offset;
}

static uint32_t field_count(const wa_artifact *artifact, uint32_t type)
{
    const uint32_t *starts = WA_COLUMN(artifact, type_params);
    return artifact->subtypes[type].kind == WA_TYPE_FUNC ? 0 : starts[type + 1] - starts[type];
}

/* A type that the process has not met yet. Its supertype, which stands before it, is there. */
static wa_rtt *make(const wa_artifact *artifact, uint32_t type, wa_rtt *const *rtts)
{
    const struct wa_schema_tied_subtype *row = &artifact->subtypes[type];
    uint32_t places = row->depth + 1 > WA_RTT_DISPLAY_MIN ? row->depth + 1 : WA_RTT_DISPLAY_MIN;
    uint32_t fields = field_count(artifact, type);
    wa_rtt *rtt = calloc(1, sizeof *rtt + places * sizeof rtt->display[0]);
    wa_rtt_details *details = calloc(1, sizeof *details + fields * sizeof details->fields[0]);
    if (rtt == NULL || details == NULL) {
        free(rtt);
        free(details);
        return NULL;
    }
    rtt->head.depth = row->depth;
    rtt->head.kind = row->kind;
    rtt->head.details = details;
    if (row->supertype != 0)
        memcpy(rtt->display, rtts[row->supertype - 1]->display, row->depth * sizeof rtt->display[0]);
    rtt->display[row->depth] = rtt;
    memcpy(details->digest, wa_type_digest(artifact, type), sizeof details->digest);
    details->field_count = fields;
    if (row->kind != WA_TYPE_FUNC)
        lay_out(artifact, type, rtt);
    return rtt;
}

/* Digests come from files: no file may decide what a type of another one is. */
static bool is_same(const wa_artifact *artifact, uint32_t type, const wa_rtt *rtt)
{
    const struct wa_schema_tied_subtype *row = &artifact->subtypes[type];
    const wa_rtt_details *details = details_of(rtt);
    const uint32_t *values = WA_COLUMN(artifact, type_values) + WA_COLUMN(artifact, type_params)[type];
    if (rtt->head.depth != row->depth || rtt->head.kind != row->kind || details->field_count != field_count(artifact, type))
        return false;
    for (uint32_t i = 0; i < details->field_count; i++)
        if (details->fields[i].size_bytes != size_of(values[i]) || details->fields[i].holds != holds(artifact, values[i]))
            return false;
    return true;
}

/* What fields refer to, once all types of the module are there. */
static void refer(const wa_artifact *artifact, uint32_t type, wa_rtt *const *rtts)
{
    wa_rtt_details *details = details_of(rtts[type]);
    for (uint32_t i = 0; i < details->field_count; i++) {
        uint32_t storage = WA_COLUMN(artifact, type_values)[WA_COLUMN(artifact, type_params)[type] + i];
        if (wa_valtype_is_concrete(storage))
            details->fields[i].type = rtts[storage >> 8];
    }
}

/* ---- of an artifact ----------------------------------------------------------------------------------------------- */

static int find_or_make(const wa_artifact *artifact, uint32_t type, wa_rtt **rtts, wa_error *error)
{
    const uint8_t *digest = wa_type_digest(artifact, type);
    wa_rtt **bucket = bucket_of(known.buckets, known.bucket_count, digest), *rtt = *bucket;
    while (rtt != NULL && memcmp(details_of(rtt)->digest, digest, 16) != 0)
        rtt = details_of(rtt)->next;
    if (rtt != NULL) {
        rtts[type] = rtt;
        return is_same(artifact, type, rtt) ? 0 : wa_fail(error, WA_ERROR_TYPE_CONFLICT, type, 0, 0, "");
    }
    rtts[type] = rtt = make(artifact, type, rtts);
    if (rtt == NULL)
        return wa_fail(error, WA_ERROR_NO_MEMORY, type, 0, 0, "type");
    details_of(rtt)->next = *bucket;
    *bucket = rtt;
    known.count++;
    return 0;
}

static int make_all(wa_artifact *artifact, wa_rtt **rtts, wa_error *error)
{
    uint64_t types = WA_ROWS(artifact, type_digest);
    for (uint64_t i = 0; i < types; i++) {
        if (known.count >= known.bucket_count && grow_table() < 0)
            return wa_fail(error, WA_ERROR_NO_MEMORY, i, 0, 0, "type");
        if (find_or_make(artifact, (uint32_t)i, rtts, error) < 0)
            return -1;
    }
    for (uint64_t i = 0; i < types; i++)
        refer(artifact, (uint32_t)i, rtts);
    return 0;
}

int wa_artifact_make_rtts(wa_artifact *artifact, wa_error *error)
{
    int failed = 0;
    wa_guard_forks(WA_LOCK_TYPES, &known.mutex);
    pthread_mutex_lock(&known.mutex);
    if (artifact->subtypes != NULL && artifact->rtts == NULL) {
        wa_rtt **rtts = calloc(WA_ROWS(artifact, type_digest) + 1, sizeof *rtts);
        failed = rtts == NULL ? wa_fail(error, WA_ERROR_NO_MEMORY, 0, 0, 0, "type") : make_all(artifact, rtts, error);
        if (failed)
            free(rtts);
        else
            artifact->rtts = rtts;
    }
    pthread_mutex_unlock(&known.mutex);
    return failed;
}
