/* Reading of a body: bytes and LEB128 numbers (spec section 5.2.2). What ends too early reads as zero and is noted. */
#ifndef WA_ONEPASS_READER_H
#define WA_ONEPASS_READER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* (ref null ht) and (ref ht), as signed numbers; the heap type follows. */
enum { WA_REF_NULL_CODE = -29, WA_REF_CODE = -28 };

/* Borrowed bytes from at to end. */
typedef struct {
    const uint8_t *at, *end;
    bool has_failed;
} wop_reader;

static inline uint8_t wop_read_byte(wop_reader *reader)
{
    if (reader->at < reader->end)
        return *reader->at++;
    reader->has_failed = true;
    return 0;
}

static inline uint64_t wop_read_leb(wop_reader *reader, bool is_signed)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        uint8_t byte = wop_read_byte(reader);
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            if (is_signed && (byte & 0x40) && shift + 7 < 64)
                value |= UINT64_MAX << (shift + 7);
            return value;
        }
    }
    reader->has_failed = true;
    return 0;
}

static inline uint32_t wop_read_u32(wop_reader *reader)
{
    if (reader->at < reader->end && *reader->at < 0x80)
        return *reader->at++;
    return (uint32_t)wop_read_leb(reader, false);
}

static inline uint64_t wop_read_u64(wop_reader *reader)
{
    return wop_read_leb(reader, false);
}

static inline int64_t wop_read_signed(wop_reader *reader)
{
    return (int64_t)wop_read_leb(reader, true);
}

/* Little-endian bits of size_bytes. */
static inline uint64_t wop_read_bits(wop_reader *reader, unsigned size_bytes)
{
    uint64_t bits = 0;
    if ((size_t)(reader->end - reader->at) < size_bytes) {
        reader->has_failed = true;
        reader->at = reader->end;
        return 0;
    }
    memcpy(&bits, reader->at, size_bytes);
    reader->at += size_bytes;
    return bits;
}

static inline void wop_skip(wop_reader *reader, size_t size_bytes)
{
    if ((size_t)(reader->end - reader->at) < size_bytes) {
        reader->has_failed = true;
        reader->at = reader->end;
    } else {
        reader->at += size_bytes;
    }
}

#endif
