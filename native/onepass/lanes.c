/* Constants of vectors: read from the body, made of one lane, or of bytes. */
#include "vector_rows.h"

void wop_put_vector_constant(wop_function *fn, const wop_vector_row *row)
{
    (void)row;
    uint64_t low = wop_read_bits(&fn->reader, 8), high = wop_read_bits(&fn->reader, 8);
    wop_push_vector(fn, low, high);
}

bool wop_splat_constant(wop_function *fn, const wop_value *value, unsigned size_bytes)
{
    if (value->place != WA_CONSTANT)
        return false;
    uint64_t bits = size_bytes < 8 ? value->bits & ((UINT64_C(1) << 8 * size_bytes) - 1) : value->bits;
    for (unsigned filled = size_bytes; filled < 8; filled *= 2)
        bits |= bits << 8 * filled;
    wop_push_vector(fn, bits, bits);
    return true;
}

wop_operand wop_pool_bytes(wop_function *fn, const uint8_t *bytes)
{
    uint64_t halves[2];
    memcpy(halves, bytes, sizeof halves);
    return wop_pool_vector(fn, halves[0], halves[1]);
}
