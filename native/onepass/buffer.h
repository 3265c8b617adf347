/* Growing arrays. One that can't grow says so at the end: until then, its writes go to a place of their own. */
#ifndef WA_ONEPASS_BUFFER_H
#define WA_ONEPASS_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* data is owned; count and capacity are in elements. */
typedef struct {
    void *data;
    uint32_t count, capacity;
    bool has_failed;
} wop_buffer;

enum { WA_BUFFER_START = 64 };

/* Make room for more elements of size_bytes; false: there is none, and count is 0 again, so that what follows fits. */
static inline bool wop_buffer_reserve(wop_buffer *buffer, uint32_t more, size_t size_bytes)
{
    if (buffer->capacity - buffer->count >= more)
        return true;
    uint64_t wanted = (uint64_t)buffer->capacity * 2;
    if (wanted < (uint64_t)buffer->count + more)
        wanted = (uint64_t)buffer->count + more;
    if (wanted < WA_BUFFER_START)
        wanted = WA_BUFFER_START;
    void *grown = wanted < UINT32_MAX ? realloc(buffer->data, wanted * size_bytes) : NULL;
    if (grown == NULL) {
        buffer->has_failed = true;
        buffer->count = 0;
        return buffer->capacity >= more;
    }
    buffer->data = grown;
    buffer->capacity = (uint32_t)wanted;
    return true;
}

static inline void wop_buffer_release(wop_buffer *buffer)
{
    free(buffer->data);
    *buffer = (wop_buffer){0};
}

static inline void wop_push_u32(wop_buffer *buffer, uint32_t value)
{
    if (wop_buffer_reserve(buffer, 1, sizeof value))
        ((uint32_t *)buffer->data)[buffer->count++] = value;
}

static inline void wop_push_u8(wop_buffer *buffer, uint8_t value)
{
    if (wop_buffer_reserve(buffer, 1, 1))
        ((uint8_t *)buffer->data)[buffer->count++] = value;
}

#endif
