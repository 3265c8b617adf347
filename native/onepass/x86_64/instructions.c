/* What emit.h asks for, as instructions of x86-64: data, arithmetic, the frame. */
#include "machine.h"

enum { RED_ZONE_BYTES = 128 }; /* below the stack pointer, for functions that call nothing */

const wop_register wop_integer_arguments[WA_INTEGER_ARGUMENTS] = {RDI, RSI, RDX, RCX, R8, R9};
const wop_register wop_integer_results[WA_INTEGER_RESULTS] = {RAX, RDX, RCX};

/* ---- data ----------------------------------------------------------------------------------------------------------------- */

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

void wop_exchange(wop_function *fn, wop_register a, wop_register b)
{
    wop_x86(fn, 0x87 | WA_WIDE, a, wop_reg(b));
}

void wop_move_bits(wop_function *fn, bool is_wide, wop_register to, wop_register from)
{
    bool is_vector = to >= WA_VECTORS;
    uint32_t opcode = WA_66 | WA_MAP_0F | (is_vector ? 0x6e : 0x7e) | wop_wide(is_wide); /* movd, movq */
    wop_x86(fn, opcode, is_vector ? to : from, wop_reg(is_vector ? from : to));
}

void wop_load_part(wop_function *fn, uint32_t size_bytes, bool is_signed, bool is_wide, wop_register to, wop_operand from)
{
    uint32_t narrow = WA_MAP_0F | (size_bytes == 1 ? 0xb6 : 0xb7) | (is_signed ? 8u : 0u); /* movzx, movsx */
    wop_x86(fn, size_bytes < 4 ? narrow | wop_wide(is_wide && is_signed) : is_signed ? 0x63 | WA_WIDE : 0x8b, to, from);
}

void wop_store_part(wop_function *fn, uint32_t size_bytes, wop_operand to, wop_register from)
{
    wop_x86(fn, size_bytes == 1 ? 0x88u | WA_BYTE : size_bytes == 2 ? WA_66 | 0x89u : 0x89, from, to);
}

/* Of eight bytes, it is one of four with its sign. */
void wop_store_constant(wop_function *fn, uint32_t size_bytes, wop_operand to, uint64_t bits)
{
    if (size_bytes == 1)
        wop_x86_imm8(fn, 0xc6, 0, to, (uint8_t)bits);
    else if (size_bytes == 2)
        wop_x86_imm16(fn, WA_66 | 0xc7, 0, to, (uint16_t)bits);
    else
        wop_x86_imm32(fn, 0xc7 | wop_wide(size_bytes == 8), 0, to, (uint32_t)bits);
}

void wop_address(wop_function *fn, wop_register to, wop_operand at)
{
    wop_x86(fn, 0x8d | WA_WIDE, to, at); /* lea */
}

void wop_load_access(wop_function *fn, uint32_t position, wop_register to, wop_operand from)
{
    static const uint32_t opcodes[] = {
        0x8b, 0x8b | WA_WIDE, WA_F3 | WA_MAP_0F | 0x10, WA_F2 | WA_MAP_0F | 0x10, WA_MAP_0F | 0xbe, WA_MAP_0F | 0xb6,
        WA_MAP_0F | 0xbf, WA_MAP_0F | 0xb7, WA_MAP_0F | 0xbe | WA_WIDE, WA_MAP_0F | 0xb6, WA_MAP_0F | 0xbf | WA_WIDE,
        WA_MAP_0F | 0xb7, 0x63 | WA_WIDE, 0x8b,
    };
    wop_x86(fn, opcodes[position], to, from);
}

void wop_store_access(wop_function *fn, uint32_t position, wop_operand to, wop_register from)
{
    static const uint32_t opcodes[] = {
        0x89, 0x89 | WA_WIDE, WA_F3 | WA_MAP_0F | 0x11, WA_F2 | WA_MAP_0F | 0x11, 0x88 | WA_BYTE, WA_66 | 0x89,
        0x88 | WA_BYTE, WA_66 | 0x89, 0x89,
    };
    wop_x86(fn, opcodes[position], from, to);
}

void wop_load_symbol(wop_function *fn, wop_register to, wop_buffer *offsets, wop_buffer *indices, uint32_t index)
{
    wop_byte(fn, (uint8_t)(0x48 | (to >> 3) << 2)); /* lea 0(%rip) */
    wop_byte(fn, 0x8d);
    wop_byte(fn, (uint8_t)((to & 7) << 3 | RBP));
    wop_push_u32(offsets, wop_text_offset(fn));
    wop_push_u32(indices, index);
    wop_word(fn, 0);
}

/* ---- arithmetic ----------------------------------------------------------------------------------------------------------- */

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

void wop_arithmetic_memory(wop_function *fn, unsigned op, wop_operand memory, wop_register reg)
{
    wop_x86(fn, (op << 3 | 1) | WA_WIDE, reg, memory);
}

void wop_clear(wop_function *fn, wop_register reg)
{
    wop_arithmetic(fn, WA_XOR, false, reg, wop_reg(reg));
}

void wop_shift_left(wop_function *fn, wop_register reg, uint8_t count)
{
    wop_x86_imm8(fn, 0xc1 | WA_WIDE, 4, wop_reg(reg), count);
}

void wop_shift_right(wop_function *fn, wop_register reg, uint8_t count)
{
    wop_x86_imm8(fn, 0xc1 | WA_WIDE, 5, wop_reg(reg), count);
}

void wop_shift_right_signed(wop_function *fn, wop_register reg, uint8_t count)
{
    wop_x86_imm8(fn, 0xc1, 7, wop_reg(reg), count);
}

void wop_test(wop_function *fn, bool is_wide, wop_register reg)
{
    wop_x86(fn, 0x85 | wop_wide(is_wide), reg, wop_reg(reg));
}

void wop_test_bits(wop_function *fn, wop_register reg, uint8_t bits)
{
    wop_x86_imm8(fn, 0xf6 | WA_BYTE_RM, 0, wop_reg(reg), bits);
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

bool wop_can_choose(uint8_t condition, uint8_t type)
{
    return !wop_is_vector(type) && condition < FLOAT_EQUAL;
}

void wop_choose(wop_function *fn, uint8_t condition, uint8_t type, wop_register to, wop_operand other)
{
    wop_x86(fn, WA_MAP_0F | 0x40u | (condition ^ 1u) | wop_wide(type == WA_I64), to, other); /* cmov */
}

/* ---- the frame ------------------------------------------------------------------------------------------------------------ */

static void put_record(wop_function *fn)
{
    wop_byte(fn, 0x55); /* push %rbp */
    wop_x86(fn, 0x89 | WA_WIDE, RSP, wop_reg(RBP)); /* the form that the runtime's handler knows */
}

void wop_begin_frame(wop_function *fn)
{
    put_record(fn);
    wop_x86_imm32(fn, 0x81 | WA_WIDE, WA_SUB, wop_reg(RSP), 0);
    fn->frame_position = wop_text_offset(fn);
}

void wop_size_frame(wop_function *fn, uint64_t size_bytes)
{
    static const uint8_t nop[] = {0x0f, 0x1f, 0x80, 0, 0, 0, 0};
    if (fn->has_calls || fn->module->has_fuel || size_bytes > RED_ZONE_BYTES)
        wop_patch(fn, fn->frame_position - 4, (uint32_t)(size_bytes + 15) / 16 * 16);
    else if (fn->frame_position <= fn->unit->text.count)
        memcpy((uint8_t *)fn->unit->text.data + fn->frame_position - sizeof nop, nop, sizeof nop);
}

void wop_open_frame(wop_function *fn, uint32_t size_bytes)
{
    put_record(fn);
    if (size_bytes > 0)
        wop_arithmetic_constant(fn, WA_SUB, true, wop_reg(RSP), (int32_t)size_bytes);
}

void wop_drop_frame(wop_function *fn)
{
    wop_byte(fn, 0xc9); /* leave */
}

void wop_return(wop_function *fn)
{
    wop_byte(fn, 0xc3);
}

/* The frame has room for all calls. */
void wop_lower_stack(wop_function *fn, uint32_t size_bytes)
{
    if (size_bytes > fn->outgoing_bytes)
        fn->outgoing_bytes = size_bytes;
}

void wop_raise_stack(wop_function *fn)
{
    (void)fn;
}

static void move_kept(wop_function *fn, wop_set kept, bool is_popping)
{
    bool is_odd = wop_count(kept) % 2 != 0;
    if (is_odd && !is_popping)
        wop_byte(fn, 0x50); /* push rax */
    for (int i = 0; i < WA_VECTORS; i++) {
        wop_register reg = (wop_register)(is_popping ? WA_VECTORS - 1 - i : i);
        if (!(kept & WA_SET(reg)))
            continue;
        if (reg >= R8)
            wop_byte(fn, 0x41);
        wop_byte(fn, (uint8_t)((is_popping ? 0x58 : 0x50) | (reg & 7)));
    }
    if (is_odd && is_popping)
        wop_arithmetic_constant(fn, WA_ADD, true, wop_reg(RSP), WA_SLOT_BYTES);
}

void wop_push_registers(wop_function *fn, wop_set registers)
{
    move_kept(fn, registers, false);
}

void wop_pop_registers(wop_function *fn, wop_set registers)
{
    move_kept(fn, registers, true);
}
