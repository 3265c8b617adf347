/* Value types: their codes, and which of them match. */
#include "metadata.h"

uint32_t wa_valtype_slots(uint32_t valtype)
{
    return valtype == WA_VALTYPE_V128 ? 2 : 1;
}

bool wa_valtype_is_exnref(uint32_t valtype)
{
    return valtype >> 8 == WA_HEAP_EXN;
}

bool wa_valtype_is_externref(uint32_t valtype)
{
    return (valtype >> 8) == WA_HEAP_EXTERN || (valtype >> 8) == WA_HEAP_NOEXTERN;
}

bool wa_valtype_is_function(uint32_t valtype)
{
    uint32_t low = valtype & 0xff, heap = valtype >> 8; /* structures and arrays are not compiled */
    return (low == WA_VALTYPE_REF || low == WA_VALTYPE_REF_NULL) && (heap < WA_HEAP_ABSTRACT || heap == WA_HEAP_FUNC);
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
    uint32_t low = code & 0xff, heap = code >> 8;
    if ((low == WA_VALTYPE_REF || low == WA_VALTYPE_REF_NULL) && heap < WA_ROWS(artifact, type_digest))
        memcpy(valtype.digest, wa_type_digest(artifact, heap), sizeof valtype.digest);
    return valtype;
}

static bool is_concrete(const wa_valtype *type)
{
    uint32_t low = type->code & 0xff;
    return (low == WA_VALTYPE_REF || low == WA_VALTYPE_REF_NULL) && type->code >> 8 < WA_HEAP_ABSTRACT;
}

static bool heap_matches(const wa_valtype *found, const wa_valtype *wanted)
{
    uint32_t from = found->code >> 8, to = wanted->code >> 8;
    bool to_function = to == WA_HEAP_FUNC || is_concrete(wanted);
    if (is_concrete(found))
        return to == WA_HEAP_FUNC || (is_concrete(wanted) && memcmp(found->digest, wanted->digest, 16) == 0);
    return from == to || (from == WA_HEAP_NOFUNC && to_function) || (from == WA_HEAP_NOEXTERN && to == WA_HEAP_EXTERN) ||
           (from == WA_HEAP_NOEXN && to == WA_HEAP_EXN);
}

bool wa_valtype_matches(const wa_valtype *found, const wa_valtype *wanted)
{
    uint32_t from = found->code & 0xff, to = wanted->code & 0xff;
    bool fits_null = from == to || (from == WA_VALTYPE_REF && to == WA_VALTYPE_REF_NULL);
    if (to != WA_VALTYPE_REF && to != WA_VALTYPE_REF_NULL)
        return found->code == wanted->code;
    return fits_null && heap_matches(found, wanted);
}
