/* Value types: their codes, and which of them match. */
#include "gc.h"

uint32_t wa_valtype_slots(uint32_t valtype)
{
    return valtype == WA_VALTYPE_V128 ? 2 : 1;
}

bool wa_valtype_is_exnref(uint32_t valtype)
{
    return valtype >> 8 == WA_HEAP_EXN;
}

bool wa_valtype_is_traced(uint32_t valtype)
{
    uint32_t heap = valtype >> 8;
    if (!wa_valtype_is_reference(valtype))
        return false;
    return heap != WA_HEAP_FUNC && heap != WA_HEAP_NOFUNC && heap != WA_HEAP_EXN && heap != WA_HEAP_NOEXN;
}

bool wa_valtype_is_function(const wa_artifact *artifact, uint32_t valtype)
{
    uint32_t heap = valtype >> 8;
    if (!wa_valtype_is_reference(valtype))
        return false;
    return heap == WA_HEAP_FUNC ||
           (heap < WA_HEAP_ABSTRACT && (artifact->subtypes == NULL || artifact->subtypes[heap].kind == WA_TYPE_FUNC));
}

bool wa_valtype_is_sound(const wa_artifact *artifact, uint32_t code)
{
    uint32_t low = code & 0xff, heap = code >> 8;
    if (low == WA_VALTYPE_REF || low == WA_VALTYPE_REF_NULL)
        return heap < WA_ROWS(artifact, type_digest) || (heap >= WA_HEAP_EXN && heap <= WA_HEAP_NOEXN);
    return code >= WA_VALTYPE_V128 && code <= WA_VALTYPE_I32;
}

wa_valtype wa_valtype_of(const wa_artifact *artifact, uint32_t code)
{
    wa_valtype valtype = {.code = code};
    uint32_t heap = code >> 8;
    if (wa_valtype_is_concrete(code) && heap < WA_ROWS(artifact, type_digest)) {
        memcpy(valtype.digest, wa_type_digest(artifact, heap), sizeof valtype.digest);
        valtype.rtt = artifact->rtts == NULL ? NULL : artifact->rtts[heap];
    }
    return valtype;
}

static uint32_t kind_of(const wa_valtype *type)
{
    return type->rtt == NULL ? WA_TYPE_FUNC : type->rtt->head.kind;
}

/* The abstract heap type right above a concrete one. */
static uint32_t abstraction_of(const wa_valtype *type)
{
    static const uint32_t heaps[] = {WA_HEAP_FUNC, WA_HEAP_STRUCT, WA_HEAP_ARRAY};
    return heaps[kind_of(type)];
}

static bool abstract_matches(uint32_t from, uint32_t to)
{
    if (from == to)
        return true;
    switch (from) {
    case WA_HEAP_NOFUNC:
        return to == WA_HEAP_FUNC;
    case WA_HEAP_NOEXTERN:
        return to == WA_HEAP_EXTERN;
    case WA_HEAP_NOEXN:
        return to == WA_HEAP_EXN;
    case WA_HEAP_NONE:
        return to == WA_HEAP_I31 || to == WA_HEAP_STRUCT || to == WA_HEAP_ARRAY || to == WA_HEAP_EQ || to == WA_HEAP_ANY;
    case WA_HEAP_I31:
    case WA_HEAP_STRUCT:
    case WA_HEAP_ARRAY:
        return to == WA_HEAP_EQ || to == WA_HEAP_ANY;
    default:
        return from == WA_HEAP_EQ && to == WA_HEAP_ANY;
    }
}

/* Whether a concrete type has a supertype of this digest, or it itself. */
static bool has_supertype(const wa_valtype *found, const uint8_t *digest)
{
    if (memcmp(found->digest, digest, 16) == 0)
        return true;
    for (uint32_t i = 0; found->rtt != NULL && i < found->rtt->head.depth; i++)
        if (memcmp(wa_rtt_details_of(found->rtt->display[i])->digest, digest, 16) == 0)
            return true;
    return false;
}

static bool heap_matches(const wa_valtype *found, const wa_valtype *wanted)
{
    bool is_from_concrete = wa_valtype_is_concrete(found->code), is_to_concrete = wa_valtype_is_concrete(wanted->code);
    uint32_t from = found->code >> 8, to = wanted->code >> 8;
    if (is_from_concrete)
        return is_to_concrete ? has_supertype(found, wanted->digest) : abstract_matches(abstraction_of(found), to);
    if (is_to_concrete) /* below it is the bottom of its hierarchy only */
        return from == (kind_of(wanted) == WA_TYPE_FUNC ? WA_HEAP_NOFUNC : WA_HEAP_NONE);
    return abstract_matches(from, to);
}

bool wa_valtype_matches(const wa_valtype *found, const wa_valtype *wanted)
{
    uint32_t from = found->code & 0xff, to = wanted->code & 0xff;
    bool fits_null = from == to || (from == WA_VALTYPE_REF && to == WA_VALTYPE_REF_NULL);
    if (!wa_valtype_is_reference(wanted->code))
        return found->code == wanted->code;
    return fits_null && heap_matches(found, wanted);
}
