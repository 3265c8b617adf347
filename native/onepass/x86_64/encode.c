/* Encoding of x86-64 instructions, and the constants that they refer to. */
#include "machine.h"

enum { MOST_INSTRUCTION_BYTES = 16 };

static uint8_t *room(wop_function *fn, uint32_t size_bytes)
{
    wop_buffer *text = &fn->unit->text;
    static uint8_t nowhere[64];
    return wop_buffer_reserve(text, size_bytes, 1) ? (uint8_t *)text->data + text->count : nowhere;
}

void wop_byte(wop_function *fn, uint8_t byte)
{
    room(fn, 1)[0] = byte;
    fn->unit->text.count++;
}

void wop_word(wop_function *fn, uint32_t word)
{
    memcpy(room(fn, sizeof word), &word, sizeof word);
    fn->unit->text.count += (uint32_t)sizeof word;
}

void wop_quad(wop_function *fn, uint64_t bits)
{
    wop_word(fn, (uint32_t)bits);
    wop_word(fn, (uint32_t)(bits >> 32));
}

/* Add to a word that was written. */
void wop_patch(wop_function *fn, uint32_t position, uint32_t addend)
{
    const wop_buffer *text = &fn->unit->text;
    uint32_t word;
    if (position + sizeof word > text->count)
        return;
    memcpy(&word, (uint8_t *)text->data + position, sizeof word);
    word += addend;
    memcpy((uint8_t *)text->data + position, &word, sizeof word);
}

static uint8_t rex(uint32_t opcode, unsigned reg, const wop_operand *rm)
{
    unsigned bits = (opcode & WA_WIDE) ? 8 : 0;
    bits |= (reg >> 3 & 1) << 2;
    if (rm->kind == WA_AT_INDEX)
        bits |= (unsigned)(rm->index >> 3 & 1) << 1;
    if (rm->kind != WA_IN_POOL)
        bits |= (unsigned)(rm->reg >> 3 & 1);
    bool needs = bits != 0 || ((opcode & WA_BYTE) && reg >= RSP && reg < XMM0) ||
                 ((opcode & WA_BYTE_RM) && rm->kind == WA_IN_REGISTER && rm->reg >= RSP && rm->reg < XMM0);
    return needs ? (uint8_t)(0x40 | bits) : 0;
}

static uint8_t *put_displacement(uint8_t *at, int32_t displacement, bool is_short)
{
    if (is_short) {
        *at = (uint8_t)displacement;
        return at + 1;
    }
    memcpy(at, &displacement, sizeof displacement);
    return at + sizeof displacement;
}

/* ModRM, SIB and displacement of a memory operand. */
static uint8_t *put_memory(uint8_t *at, unsigned reg, const wop_operand *rm)
{
    unsigned base = rm->reg & 7, field = (reg & 7) << 3;
    bool has_none = rm->displacement == 0 && base != RBP;
    bool is_short = rm->displacement == (int8_t)rm->displacement;
    unsigned mode = has_none ? 0 : is_short ? 0x40 : 0x80;
    if (rm->kind == WA_AT_INDEX || base == RSP) {
        unsigned index = rm->kind == WA_AT_INDEX ? rm->index & 7u : (unsigned)RSP;
        *at++ = (uint8_t)(mode | field | 4);
        *at++ = (uint8_t)((unsigned)rm->scale << 6 | index << 3 | base);
    } else {
        *at++ = (uint8_t)(mode | field | base);
    }
    return has_none ? at : put_displacement(at, rm->displacement, is_short);
}

/* The position of a pool constant's displacement joins the list of the constant. */
static void refer_to_pool(wop_function *fn, int32_t number, uint32_t position)
{
    wop_pooled *entry = (wop_pooled *)fn->pool.data + number;
    if (wop_buffer_reserve(&fn->fixups, 1, sizeof(wop_fixup))) {
        ((wop_fixup *)fn->fixups.data)[fn->fixups.count++] = (wop_fixup){position, entry->fixups};
        entry->fixups = fn->fixups.count;
    }
}

/* trailing_bytes: of an immediate that follows. */
static void encode(wop_function *fn, uint32_t opcode, unsigned reg, wop_operand rm, int trailing_bytes)
{
    uint8_t *start = room(fn, MOST_INSTRUCTION_BYTES), *at = start;
    uint8_t prefix = (uint8_t)(opcode >> 16), map = (uint8_t)(opcode >> 8 & 3), extension = rex(opcode, reg, &rm);
    if (prefix != 0)
        *at++ = prefix;
    if (extension != 0)
        *at++ = extension;
    if (map != 0)
        *at++ = 0x0f;
    if (map > 1)
        *at++ = map == 2 ? 0x38 : 0x3a;
    *at++ = (uint8_t)opcode;
    if (rm.kind == WA_IN_REGISTER) {
        *at++ = (uint8_t)(0xc0 | (reg & 7) << 3 | (rm.reg & 7));
    } else if (rm.kind == WA_IN_POOL) {
        *at++ = (uint8_t)((reg & 7) << 3 | RBP);
        refer_to_pool(fn, rm.displacement, fn->unit->text.count + (uint32_t)(at - start));
        at = put_displacement(at, -trailing_bytes, false);
    } else {
        at = put_memory(at, reg, &rm);
    }
    fn->unit->text.count += (uint32_t)(at - start);
}

void wop_x86(wop_function *fn, uint32_t opcode, unsigned reg, wop_operand rm)
{
    encode(fn, opcode, reg, rm, 0);
}

void wop_x86_imm8(wop_function *fn, uint32_t opcode, unsigned reg, wop_operand rm, uint8_t immediate)
{
    encode(fn, opcode, reg, rm, 1);
    wop_byte(fn, immediate);
}

void wop_x86_imm16(wop_function *fn, uint32_t opcode, unsigned reg, wop_operand rm, uint16_t immediate)
{
    encode(fn, opcode, reg, rm, 2);
    wop_byte(fn, (uint8_t)immediate);
    wop_byte(fn, (uint8_t)(immediate >> 8));
}

void wop_x86_imm32(wop_function *fn, uint32_t opcode, unsigned reg, wop_operand rm, uint32_t immediate)
{
    encode(fn, opcode, reg, rm, 4);
    wop_word(fn, immediate);
}

void wop_align(wop_function *fn, uint32_t size_bytes)
{
    while (wop_text_offset(fn) % size_bytes != 0)
        wop_byte(fn, wop_fill_bytes[0]);
}
