/* XXH64, the 64-bit xxHash: what load_checksum is made with (docs/FORMAT.md). The runtime checks it, packing makes it. */
#ifndef WA_XXH64_H
#define WA_XXH64_H

#include <stdint.h>
#include <string.h>

#define XXH_PRIME1 UINT64_C(0x9E3779B185EBCA87)
#define XXH_PRIME2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define XXH_PRIME3 UINT64_C(0x165667B19E3779F9)
#define XXH_PRIME4 UINT64_C(0x85EBCA77C2B2AE63)
#define XXH_PRIME5 UINT64_C(0x27D4EB2F165667C5)

static inline uint64_t xxh_rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static inline uint64_t xxh_word_at(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word); /* both hosts are little-endian, as the format is */
    return word;
}

static inline uint64_t xxh_mix(uint64_t lane, uint64_t word)
{
    return xxh_rotate(lane + word * XXH_PRIME2, 31) * XXH_PRIME1;
}

/* Whole stripes of 32 bytes; returns where they end. */
static inline const uint8_t *xxh_mix_stripes(const uint8_t *bytes, const uint8_t *end, uint64_t seed, uint64_t *state)
{
    uint64_t lanes[4] = {seed + XXH_PRIME1 + XXH_PRIME2, seed + XXH_PRIME2, seed, seed - XXH_PRIME1};
    for (; end - bytes >= 32; bytes += 32)
#pragma GCC unroll 4 /* lanes in registers: half the instructions */
        for (int i = 0; i < 4; i++)
            lanes[i] = xxh_mix(lanes[i], xxh_word_at(bytes + 8 * i));
    *state = xxh_rotate(lanes[0], 1) + xxh_rotate(lanes[1], 7) + xxh_rotate(lanes[2], 12) + xxh_rotate(lanes[3], 18);
    for (int i = 0; i < 4; i++)
        *state = (*state ^ xxh_mix(0, lanes[i])) * XXH_PRIME1 + XXH_PRIME4;
    return bytes;
}

static inline uint64_t wa_xxh64(const void *data, uint64_t size_bytes, uint64_t seed)
{
    const uint8_t *bytes = data, *end = bytes + size_bytes;
    uint64_t state = seed + XXH_PRIME5;
    if (size_bytes >= 32)
        bytes = xxh_mix_stripes(bytes, end, seed, &state);
    state += size_bytes;
    for (; end - bytes >= 8; bytes += 8)
        state = xxh_rotate(state ^ xxh_mix(0, xxh_word_at(bytes)), 27) * XXH_PRIME1 + XXH_PRIME4;
    if (end - bytes >= 4) {
        uint32_t word;
        memcpy(&word, bytes, sizeof word);
        state = xxh_rotate(state ^ word * XXH_PRIME1, 23) * XXH_PRIME2 + XXH_PRIME3;
        bytes += 4;
    }
    for (; bytes < end; bytes++)
        state = xxh_rotate(state ^ *bytes * XXH_PRIME5, 11) * XXH_PRIME1;
    state = (state ^ state >> 33) * XXH_PRIME2;
    state = (state ^ state >> 29) * XXH_PRIME3;
    return state ^ state >> 32;
}

#endif
