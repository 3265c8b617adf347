/* Encoding of x86-64 instructions. */
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

/* reg = reg op rm. */
void wop_arithmetic(wop_function *fn, unsigned op, bool is_wide, wop_register reg, wop_operand rm)
{
    wop_x86(fn, (op << 3 | 3) | wop_wide(is_wide), reg, rm);
}

void wop_arithmetic_constant(wop_function *fn, unsigned op, bool is_wide, wop_operand rm, int32_t constant)
{
    if (constant == (int8_t)constant)
        wop_x86_imm8(fn, 0x83 | wop_wide(is_wide), op, rm, (uint8_t)constant);
    else
        wop_x86_imm32(fn, 0x81 | wop_wide(is_wide), op, rm, (uint32_t)constant);
}

/* Between registers of one kind. A vector register moves whole. */
void wop_move(wop_function *fn, bool is_wide, wop_register to, wop_register from)
{
    if (to >= WA_VECTORS)
        wop_x86(fn, WA_MAP_0F | 0x28, to, wop_reg(from));
    else
        wop_x86(fn, 0x8b | wop_wide(is_wide), to, wop_reg(from));
}

void wop_load(wop_function *fn, uint8_t type, wop_register to, wop_operand from)
{
    static const uint32_t opcodes[] = {0x8b, 0x8b | WA_WIDE, WA_F3 | WA_MAP_0F | 0x10, WA_F2 | WA_MAP_0F | 0x10, WA_MAP_0F | 0x10};
    if (from.kind == WA_IN_REGISTER && from.reg == to)
        return;
    if (from.kind == WA_IN_REGISTER)
        wop_move(fn, type == WA_I64, to, from.reg);
    else
        wop_x86(fn, opcodes[type], to, from);
}

void wop_store(wop_function *fn, uint8_t type, wop_operand to, wop_register from)
{
    static const uint32_t opcodes[] = {0x89, 0x89 | WA_WIDE, WA_F3 | WA_MAP_0F | 0x11, WA_F2 | WA_MAP_0F | 0x11, WA_MAP_0F | 0x11};
    wop_x86(fn, opcodes[type], from, to);
}

/* Changes no flags. */
void wop_load_constant(wop_function *fn, uint8_t type, wop_register to, uint64_t bits)
{
    if (wop_is_vector(type)) {
        if (bits == 0)
            wop_x86(fn, WA_MAP_0F | 0x57, to, wop_reg(to)); /* xorps */
        else
            wop_load(fn, type, to, wop_pooled_constant(fn, type, bits));
        return;
    }
    if (type == WA_I32 || bits <= UINT32_MAX) {
        if (to & 8)
            wop_byte(fn, 0x41);
        wop_byte(fn, (uint8_t)(0xb8 | (to & 7)));
        wop_word(fn, (uint32_t)bits);
    } else if ((uint64_t)(int64_t)(int32_t)bits == bits) {
        wop_x86_imm32(fn, 0xc7 | WA_WIDE, 0, wop_reg(to), (uint32_t)bits);
    } else {
        wop_byte(fn, (uint8_t)(0x48 | to >> 3));
        wop_byte(fn, (uint8_t)(0xb8 | (to & 7)));
        wop_quad(fn, bits);
    }
}

/* An i32 that is 1 where the condition holds. */
void wop_set_condition(wop_function *fn, uint8_t condition, wop_register to)
{
    if (condition < FLOAT_EQUAL) {
        wop_x86(fn, (WA_MAP_0F | 0x90u | condition) | WA_BYTE_RM, 0, wop_reg(to));
        wop_x86(fn, (WA_MAP_0F | 0xb6) | WA_BYTE_RM, to, wop_reg(to));
        return;
    }
    bool is_equal = condition == FLOAT_EQUAL;
    const wop_register other = WA_SCRATCH;
    wop_x86(fn, WA_MAP_0F | 0x90u | (is_equal ? ORDERED : UNORDERED) | WA_BYTE_RM, 0, wop_reg(other));
    wop_x86(fn, WA_MAP_0F | 0x90u | (is_equal ? EQUAL : NOT_EQUAL) | WA_BYTE_RM, 0, wop_reg(to));
    wop_x86(fn, (is_equal ? 0x22u : 0x0au) | WA_BYTE | WA_BYTE_RM, to, wop_reg(other));
    wop_x86(fn, (WA_MAP_0F | 0xb6) | WA_BYTE_RM, to, wop_reg(to));
}

/* A constant in memory behind the function; each is there once, if the last few had it. */
static wop_operand pool(wop_function *fn, wop_pooled wanted)
{
    enum { LOOK_BACK = 32 };
    const wop_pooled *known = fn->pool.data;
    uint32_t count = fn->pool.count, number = count;
    for (uint32_t i = count; i > 0 && count - i < LOOK_BACK; i--)
        if (known[i - 1].bits == wanted.bits && known[i - 1].high == wanted.high && known[i - 1].is_vector == wanted.is_vector)
            number = i - 1;
    if (number == count) {
        if (!wop_buffer_reserve(&fn->pool, 1, sizeof(wop_pooled)))
            return wop_memory(RBP, 0);
        number = fn->pool.count;
        ((wop_pooled *)fn->pool.data)[fn->pool.count++] = wanted;
    }
    return (wop_operand){.kind = WA_IN_POOL, .displacement = (int32_t)number};
}

wop_operand wop_pool(wop_function *fn, uint64_t bits)
{
    return pool(fn, (wop_pooled){.bits = bits});
}

wop_operand wop_pool_vector(wop_function *fn, uint64_t low, uint64_t high)
{
    return pool(fn, (wop_pooled){.bits = low, .high = high, .is_vector = true});
}

/* The bits of a value WA_CONSTANT of a vector register's type, which are not zero. */
wop_operand wop_pooled_constant(wop_function *fn, uint8_t type, uint64_t bits)
{
    return type == WA_V128 ? (wop_operand){.kind = WA_IN_POOL, .displacement = (int32_t)bits - 1} : wop_pool(fn, bits);
}
