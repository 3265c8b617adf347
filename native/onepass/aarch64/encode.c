/* Encoding of aarch64 instructions: fields, addresses, constants that instructions hold. */
#include "machine.h"

enum {
    A64_ADD_IMMEDIATE = 0x11000000,
    A64_SUB_IMMEDIATE = 0x51000000,
    A64_HIGH_IMMEDIATE = 1 << 22, /* shifted by 12 */
    A64_MOVN = 0x12800000,
    A64_MOVZ = 0x52800000,
    A64_MOVK = 0x72800000,
    A64_ORR_IMMEDIATE = 0x32000000,
    MOST_IMMEDIATE = 4095,
};
static const uint32_t add_extended = 0x8b206000, add_shifted = 0x8b000000; /* of 64 bits; the former knows the stack pointer */

void wop_word(wop_function *fn, uint32_t word)
{
    wop_buffer *text = &fn->unit->text;
    if (!wop_buffer_reserve(text, sizeof word, 1))
        return;
    memcpy((uint8_t *)text->data + text->count, &word, sizeof word);
    text->count += (uint32_t)sizeof word;
}

void wop_quad(wop_function *fn, uint64_t bits)
{
    wop_word(fn, (uint32_t)bits);
    wop_word(fn, (uint32_t)(bits >> 32));
}

void wop_align(wop_function *fn, uint32_t size_bytes)
{
    uint32_t fill;
    memcpy(&fill, wop_fill_bytes, sizeof fill);
    while (wop_text_offset(fn) % size_bytes != 0 && !fn->unit->text.has_failed)
        wop_word(fn, fill);
}

void wop_put_two(wop_function *fn, uint32_t opcode, wop_register rd, wop_register rn)
{
    wop_word(fn, opcode | (rn & 31u) << 5 | (rd & 31u));
}

void wop_put_three(wop_function *fn, uint32_t opcode, wop_register rd, wop_register rn, wop_register rm)
{
    wop_word(fn, opcode | (rm & 31u) << 16 | (rn & 31u) << 5 | (rd & 31u));
}

/* ---- constants ------------------------------------------------------------------------------------------------------------ */

static uint64_t rotate_right(uint64_t bits, unsigned count, unsigned width)
{
    uint64_t mask = width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
    return count == 0 ? bits : ((bits >> count) | (bits << (width - count))) & mask;
}

/* A run of ones, rotated, in an element of 2 to 64 bits that repeats (ARM DDI 0487, DecodeBitMasks). */
bool wop_logical_fields(uint64_t bits, bool is_wide, uint32_t *fields)
{
    unsigned width = 64, rotation = 0;
    if (!is_wide)
        bits = (uint32_t)bits | bits << 32;
    if (bits == 0 || bits == UINT64_MAX)
        return false;
    while (width > 2 && rotate_right(bits, width / 2, 64) == bits)
        width /= 2;
    uint64_t mask = width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1, element = bits & mask;
    unsigned ones = (unsigned)__builtin_popcountll(element);
    uint64_t run = (UINT64_C(1) << ones) - 1;
    while (rotation < width && rotate_right(run, rotation, width) != element)
        rotation++;
    if (rotation == width)
        return false;
    uint32_t size_field = width == 64 ? 0 : ~(2 * width - 1) & 0x3f;
    *fields = (uint32_t)(width == 64) << 22 | rotation << 16 | (size_field | (ones - 1)) << 10;
    return true;
}

/* By 16 bits at a time, from zeros or from ones, whichever leaves less to write. */
static void put_parts(wop_function *fn, bool is_wide, wop_register to, uint64_t bits)
{
    unsigned parts = is_wide ? 4 : 2, zeros = 0, ones = 0;
    bool is_first = true;
    for (unsigned i = 0; i < parts; i++) {
        zeros += (bits >> 16 * i & 0xffff) == 0;
        ones += (bits >> 16 * i & 0xffff) == 0xffff;
    }
    uint64_t usual = ones > zeros ? 0xffff : 0;
    bool is_uniform = ones == parts || zeros == parts;
    for (unsigned i = 0; i < parts; i++) {
        uint32_t part = (uint32_t)(bits >> 16 * i & 0xffff), position = i << 21;
        if (part == usual && !(is_uniform && i == 0))
            continue;
        uint32_t opcode = !is_first ? A64_MOVK : usual != 0 ? A64_MOVN : A64_MOVZ;
        uint32_t immediate = is_first && usual != 0 ? part ^ 0xffff : part;
        wop_put_two(fn, opcode | wop_sf(is_wide) | position | immediate << 5, to, 0);
        is_first = false;
    }
}

void wop_load_integer(wop_function *fn, bool is_wide, wop_register to, uint64_t bits)
{
    uint32_t fields;
    if (!is_wide)
        bits = (uint32_t)bits;
    is_wide &= bits > UINT32_MAX;
    uint64_t inverted = is_wide ? ~bits : (uint32_t)~bits;
    bool is_short = (bits & (bits - 1) & ~UINT64_C(0xffff)) == 0 || bits <= 0xffff || inverted <= 0xffff;
    if (!is_short && wop_logical_fields(bits, is_wide, &fields))
        wop_put_two(fn, A64_ORR_IMMEDIATE | wop_sf(is_wide) | fields, to, ZERO);
    else
        put_parts(fn, is_wide, to, bits);
}

/* ---- addresses ------------------------------------------------------------------------------------------------------------ */

void wop_add_constant(wop_function *fn, wop_register rd, wop_register rn, int64_t constant)
{
    uint64_t size = constant < 0 ? 0 - (uint64_t)constant : (uint64_t)constant;
    uint32_t opcode = (constant < 0 ? A64_SUB_IMMEDIATE : A64_ADD_IMMEDIATE) | wop_sf(true);
    if (size >= 1 << 24) {
        wop_register scratch = rn == WA_FIRST ? WA_SECOND : WA_FIRST;
        wop_load_integer(fn, true, scratch, (uint64_t)constant);
        wop_put_three(fn, add_extended, rd, rn, scratch);
        return;
    }
    if (size > MOST_IMMEDIATE) {
        wop_put_two(fn, opcode | A64_HIGH_IMMEDIATE | (uint32_t)(size >> 12) << 10, rd, rn);
        rn = rd;
        size &= MOST_IMMEDIATE;
    }
    if (size > 0 || rd != rn)
        wop_put_two(fn, opcode | (uint32_t)size << 10, rd, rn);
}

void wop_address(wop_function *fn, wop_register to, wop_operand at)
{
    if (at.kind == WA_AT_INDEX) {
        wop_put_three(fn, add_shifted | (uint32_t)at.scale << 10, to, at.reg, at.index);
        at.reg = to;
    }
    wop_add_constant(fn, to, at.reg, at.displacement);
}

wop_register wop_plain_address(wop_function *fn, wop_operand at)
{
    if (at.kind == WA_IN_MEMORY && at.displacement == 0)
        return at.reg;
    wop_address(fn, WA_FIRST, at);
    return WA_FIRST;
}

/* A displacement that is a field of the instruction, counted in size_bytes. */
static bool is_scaled(int32_t displacement, uint32_t size_bytes)
{
    return displacement >= 0 && (uint32_t)displacement % size_bytes == 0 && (uint32_t)displacement / size_bytes <= MOST_IMMEDIATE;
}

static bool is_unscaled(int32_t displacement)
{
    return displacement >= -256 && displacement < 256;
}

bool wop_is_simple(wop_operand at, uint32_t size_bytes)
{
    if (at.kind == WA_AT_INDEX)
        return at.displacement == 0 && (at.scale == 0 || 1u << at.scale == size_bytes);
    return is_scaled(at.displacement, size_bytes) || is_unscaled(at.displacement);
}

static void put_indexed(wop_function *fn, uint32_t opcode, wop_register rt, wop_register base, wop_register index, bool is_scaled)
{
    uint32_t form = (opcode & ~UINT32_C(0x01000000)) | 0x00206800 | (is_scaled ? 1u << 12 : 0);
    wop_put_three(fn, form, rt, base, index);
}

static void put_displaced(wop_function *fn, uint32_t opcode, uint32_t size_bytes, wop_register rt, wop_register base,
                          int32_t displacement)
{
    if (is_scaled(displacement, size_bytes)) {
        wop_put_two(fn, opcode | (uint32_t)displacement / size_bytes << 10, rt, base);
    } else if (is_unscaled(displacement)) {
        wop_put_two(fn, (opcode & ~UINT32_C(0x01000000)) | ((uint32_t)displacement & 0x1ff) << 12, rt, base);
    } else {
        wop_register scratch = base == WA_FIRST ? WA_SECOND : WA_FIRST;
        wop_load_integer(fn, true, scratch, (uint64_t)(int64_t)displacement);
        put_indexed(fn, opcode, rt, base, scratch, false);
    }
}

void wop_put_access(wop_function *fn, uint32_t opcode, uint32_t size_bytes, wop_register rt, wop_operand at)
{
    if (at.kind == WA_IN_MEMORY) {
        put_displaced(fn, opcode, size_bytes, rt, at.reg, at.displacement);
    } else if (wop_is_simple(at, size_bytes)) {
        put_indexed(fn, opcode, rt, at.reg, at.index, at.scale != 0);
    } else {
        wop_put_three(fn, add_shifted | (uint32_t)at.scale << 10, WA_FIRST, at.reg, at.index);
        put_displaced(fn, opcode, size_bytes, rt, WA_FIRST, at.displacement);
    }
}
