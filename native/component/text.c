/* Strings from one component instance to another: decoded, checked, and encoded as the other one wants them. */
#include <string.h>

#include "transfer.h"

uint32_t wac_allocate_across(const wac_crossing *crossing, uint32_t align_bytes, uint64_t size_bytes, uint32_t out_of_bounds,
                             uint32_t *pointer, uint8_t **bytes)
{
    uint32_t trap = wac_allocate(crossing->instance, crossing->to, 0, 0, align_bytes, size_bytes, pointer, bytes);
    return trap == WA_TRAP_REALLOC_UNALIGNED ? WA_TRAP_UNALIGNED_POINTER : trap == WA_TRAP_REALLOC_OUT_OF_BOUNDS ? out_of_bounds : trap;
}

/* The next character of a string, or UINT32_MAX with the trap. */
typedef struct reader {
    const uint8_t *at, *end;
    uint8_t encoding;
    uint32_t trap;
} reader;

static uint32_t fail(reader *text, uint32_t trap)
{
    text->trap = trap;
    return UINT32_MAX;
}

static uint32_t next_utf8(reader *text)
{
    uint8_t first = *text->at;
    if (first < 0x80) {
        text->at++;
        return first;
    }
    uint32_t more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    if (first < 0xc2 || first > 0xf4)
        return fail(text, WA_TRAP_INVALID_UTF8);
    uint32_t character = first & (0x3fu >> more);
    for (uint32_t i = 1; i <= more; i++) {
        if (text->at + i == text->end)
            return fail(text, WA_TRAP_INCOMPLETE_UTF8);
        uint8_t byte = text->at[i];
        uint8_t low = i > 1 ? 0x80 : first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
        uint8_t high = i > 1 ? 0xbf : first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
        if (byte < low || byte > high)
            return fail(text, WA_TRAP_INVALID_UTF8);
        character = character << 6 | (byte & 0x3f);
    }
    text->at += more + 1;
    return character;
}

static uint32_t next_utf16(reader *text)
{
    uint16_t unit, low;
    memcpy(&unit, text->at, 2);
    text->at += 2;
    if (unit < 0xd800 || unit > 0xdfff)
        return unit;
    if (unit > 0xdbff || text->end - text->at < 2)
        return fail(text, WA_TRAP_INVALID_UTF16);
    memcpy(&low, text->at, 2);
    if (low < 0xdc00 || low > 0xdfff)
        return fail(text, WA_TRAP_INVALID_UTF16);
    text->at += 2;
    return 0x10000 + ((uint32_t)(unit - 0xd800) << 10 | (low - 0xdc00u));
}

static uint32_t next(reader *text)
{
    if (text->encoding == WA_ENCODING_UTF8)
        return next_utf8(text);
    return text->encoding == WA_ENCODING_UTF16 ? next_utf16(text) : *text->at++;
}

static uint32_t encoded_bytes(uint32_t character, uint8_t encoding)
{
    if (encoding == WAC_LATIN1)
        return 1;
    if (encoding == WA_ENCODING_UTF16)
        return character > 0xffff ? 4 : 2;
    return character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
}

static uint8_t *put(uint8_t *to, uint32_t character, uint8_t encoding)
{
    if (encoding == WA_ENCODING_UTF16) {
        uint16_t units[2] = {(uint16_t)character, 0};
        if (character > 0xffff) {
            units[0] = (uint16_t)(0xd800 + ((character - 0x10000) >> 10));
            units[1] = (uint16_t)(0xdc00 + ((character - 0x10000) & 0x3ff));
        }
        uint32_t size = character > 0xffff ? 4 : 2;
        memcpy(to, units, size);
        return to + size;
    }
    if (encoding == WAC_LATIN1 || character < 0x80) {
        *to++ = (uint8_t)character;
        return to;
    }
    static const uint8_t marks[] = {0, 0xc0, 0xe0, 0xf0};
    uint32_t more = character < 0x800 ? 1 : character < 0x10000 ? 2 : 3;
    *to++ = (uint8_t)(marks[more] | character >> (6 * more));
    while (more-- > 0)
        *to++ = (uint8_t)(0x80 | (character >> (6 * more) & 0x3f));
    return to;
}

/* Bytes that a string takes in an encoding, and its highest character: it is checked by that, too. */
static uint32_t measure(reader text, uint8_t encoding, uint64_t *size_bytes, uint32_t *highest)
{
    *size_bytes = *highest = 0;
    while (text.at < text.end) {
        uint32_t character = next(&text);
        if (character == UINT32_MAX)
            return text.trap;
        *size_bytes += encoded_bytes(character, encoding);
        if (character > *highest)
            *highest = character;
    }
    return 0;
}

uint32_t wac_transfer_string(const wac_crossing *crossing, wac_span from, wac_span *to)
{
    reader text = {.trap = 0};
    uint64_t size_bytes;
    uint32_t highest;
    uint32_t trap = wac_string_place(crossing->from, from, &text.at, &size_bytes, &text.encoding);
    if (trap != 0)
        return trap == WA_TRAP_STRING_OUT_OF_BOUNDS ? WA_TRAP_STRING_CONTENT_OUT_OF_BOUNDS : trap;
    text.end = text.at + size_bytes;
    uint8_t encoding = crossing->to->encoding;
    if (encoding == WA_ENCODING_LATIN1_UTF16) {
        trap = measure(text, WAC_LATIN1, &size_bytes, &highest);
        encoding = highest < 0x100 ? WAC_LATIN1 : WA_ENCODING_UTF16;
    }
    if (trap == 0)
        trap = measure(text, encoding, &size_bytes, &highest);
    uint8_t *bytes;
    uint32_t align_bytes = crossing->to->encoding == WA_ENCODING_UTF8 ? 1 : 2;
    if (trap == 0)
        trap = wac_allocate_across(crossing, align_bytes, size_bytes, WA_TRAP_STRING_CONTENT_OUT_OF_BOUNDS, &to->pointer, &bytes);
    if (trap != 0)
        return trap;
    to->count = (uint32_t)(encoding == WA_ENCODING_UTF16 ? size_bytes / 2 : size_bytes);
    if (crossing->to->encoding == WA_ENCODING_LATIN1_UTF16 && encoding == WA_ENCODING_UTF16)
        to->count |= WAC_UTF16_TAG;
    /* realloc is code of a guest's, which may have changed the string meanwhile: no more is written than there is room for. */
    uint8_t *end = bytes + size_bytes;
    while (text.at < text.end) {
        uint32_t character = next(&text);
        if (character == UINT32_MAX)
            return text.trap;
        if (encoded_bytes(character, encoding) > end - bytes || (encoding == WAC_LATIN1 && character > 0xff))
            return WA_TRAP_TOO_LONG;
        bytes = put(bytes, character, encoding);
    }
    return 0;
}
