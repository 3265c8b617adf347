/* XXH64 for what packs: Python takes a step for each operation on each stripe. */
#include "onepass.h"
#include "wa_xxh64.h"

uint64_t wa_onepass_xxh64(const uint8_t *data, uint64_t size_bytes, uint64_t seed)
{
    return wa_xxh64(data, size_bytes, seed);
}
