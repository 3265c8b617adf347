/* The load checksum: what a loader compares before anything of the file runs. See docs/FORMAT.md. */
#include "metadata.h"

#define PRIME1 UINT64_C(0x9E3779B185EBCA87)
#define PRIME2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define PRIME3 UINT64_C(0x165667B19E3779F9)
#define PRIME4 UINT64_C(0x85EBCA77C2B2AE63)
#define PRIME5 UINT64_C(0x27D4EB2F165667C5)

static inline uint64_t rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static inline uint64_t word_at(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word); /* both hosts are little-endian, as the format is */
    return word;
}

static inline uint64_t mix(uint64_t lane, uint64_t word)
{
    return rotate(lane + word * PRIME2, 31) * PRIME1;
}

/* Whole stripes of 32 bytes; returns where they end. */
static const uint8_t *mix_stripes(const uint8_t *bytes, const uint8_t *end, uint64_t seed, uint64_t *state)
{
    uint64_t lanes[4] = {seed + PRIME1 + PRIME2, seed + PRIME2, seed, seed - PRIME1};
    for (; end - bytes >= 32; bytes += 32)
#pragma GCC unroll 4 /* lanes in registers: half the instructions */
        for (int i = 0; i < 4; i++)
            lanes[i] = mix(lanes[i], word_at(bytes + 8 * i));
    *state = rotate(lanes[0], 1) + rotate(lanes[1], 7) + rotate(lanes[2], 12) + rotate(lanes[3], 18);
    for (int i = 0; i < 4; i++)
        *state = (*state ^ mix(0, lanes[i])) * PRIME1 + PRIME4;
    return bytes;
}

uint64_t wa_xxh64(const void *data, uint64_t size_bytes, uint64_t seed)
{
    const uint8_t *bytes = data, *end = bytes + size_bytes;
    uint64_t state = seed + PRIME5;
    if (size_bytes >= 32)
        bytes = mix_stripes(bytes, end, seed, &state);
    state += size_bytes;
    for (; end - bytes >= 8; bytes += 8)
        state = rotate(state ^ mix(0, word_at(bytes)), 27) * PRIME1 + PRIME4;
    if (end - bytes >= 4) {
        uint32_t word;
        memcpy(&word, bytes, sizeof word);
        state = rotate(state ^ word * PRIME1, 23) * PRIME2 + PRIME3;
        bytes += 4;
    }
    for (; bytes < end; bytes++)
        state = rotate(state ^ *bytes * PRIME5, 11) * PRIME1;
    state = (state ^ state >> 33) * PRIME2;
    state = (state ^ state >> 29) * PRIME3;
    return state ^ state >> 32;
}

int wa_load_checksum_check(const wa_artifact *artifact, uint8_t *head, wa_error *error)
{
    struct wa_schema_metadata_header header = *artifact->header;
    header.load_checksum = 0;
#define X(start, end) memset(head + start, 0, end - start);
    WA_HEAD_MASKED_RANGES(X)
#undef X
    uint64_t found = wa_xxh64(head, header.head_size_bytes, 0);
    found = wa_xxh64(&header, sizeof header, found);
    found = wa_xxh64(artifact->directory, header.directory_count * sizeof(struct wa_schema_directory_entry), found);
    if (found != artifact->header->load_checksum)
        return wa_fail(error, WA_ERROR_LOAD_CHECKSUM, 0, found, artifact->header->load_checksum, "");
    return 0;
}
