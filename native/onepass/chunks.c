/* Rows of three columns in chunks of steps (FORMAT.md, "Rows in chunks"). */
#include <stdbool.h>

#include "onepass.h"
#include "wa_schema.h"

typedef struct {
    uint32_t key, value, mark;
} chunk_row;

static uint8_t *put_number(uint8_t *at, uint64_t number)
{
    for (; number >= 0x80; number >>= 7)
        *at++ = (uint8_t)(number | 0x80);
    *at++ = (uint8_t)number;
    return at;
}

/* At most 15 bytes: numbers of at most 33, 32 and 33 bits. */
static uint8_t *put_row(uint8_t *at, chunk_row before, chunk_row next)
{
    bool is_other = next.mark != before.mark;
    int64_t step = (int64_t)next.value - before.value;
    at = put_number(at, (uint64_t)(next.key - before.key) << 1 | is_other);
    if (is_other)
        at = put_number(at, next.mark);
    return put_number(at, step < 0 ? ((uint64_t)-step << 1) - 1 : (uint64_t)step << 1);
}

uint64_t wa_onepass_pack_chunks(const uint32_t *keys, const uint32_t *values, const uint32_t *marks, uint32_t count,
                                uint32_t *chunk_keys, uint32_t *offsets, uint8_t *contents)
{
    uint8_t *at = contents;
    chunk_row before = {0};
    for (uint32_t i = 0; i < count; i++) {
        chunk_row next = {keys[i], values[i], marks[i]};
        if (i % WA_CHUNK_ROWS == 0) {
            *chunk_keys++ = next.key;
            *offsets++ = (uint32_t)(at - contents);
            before = (chunk_row){.key = next.key};
        }
        at = put_row(at, before, next);
        before = next;
    }
    *offsets = (uint32_t)(at - contents);
    return (uint64_t)(at - contents);
}
