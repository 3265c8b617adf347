/* Instructions of x86-64: registers, conditions, and one function that encodes them (Intel SDM, volume 2, chapter 2). */
#ifndef WA_ONEPASS_X86_64_H
#define WA_ONEPASS_X86_64_H

#include "function.h"

enum {
    RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, XMM0,
    XMM1, XMM2, XMM3, XMM4, XMM5, XMM6, XMM7, XMM8, XMM9, XMM10, XMM11, XMM12, XMM13, XMM14, XMM15,
};

extern const wop_register wop_integer_arguments[6], wop_integer_results[3];

#define WA_SET(reg) (UINT32_C(1) << (reg))

/* Never hold a value from one operator to the next. */
enum { WA_SCRATCH = R11, WA_VECTOR_SCRATCH = XMM15 };

/* Conditions of jcc, setcc and cmovcc; the last two need two flags. The opposite of each is ^ 1. */
enum {
    OVERFLOW, NO_OVERFLOW, BELOW, ABOVE_EQUAL, EQUAL, NOT_EQUAL, BELOW_EQUAL, ABOVE,
    SIGN, NO_SIGN, UNORDERED, ORDERED, LESS, GREATER_EQUAL, LESS_EQUAL, GREATER,
    FLOAT_EQUAL, FLOAT_NOT_EQUAL,
};

/* An opcode: byte, map (0 none, 1 0F, 2 0F38, 3 0F3A), mandatory prefix, and how it is used. */
enum {
    WA_MAP_0F = 1 << 8,
    WA_MAP_0F38 = 2 << 8,
    WA_MAP_0F3A = 3 << 8,
    WA_66 = 0x66 << 16,
    WA_F2 = 0xf2 << 16,
    WA_F3 = 0xf3 << 16,
    WA_WIDE = 1 << 24, /* REX.W */
    WA_BYTE = 1 << 25, /* reg is a byte register */
    WA_BYTE_RM = 1 << 26,
};

/* The arithmetic operators that share a group of opcodes. */
enum { X_ADD, X_OR, X_ADC, X_SBB, X_AND, X_SUB, X_XOR, X_CMP };

static inline wop_operand wop_reg(wop_register reg)
{
    return (wop_operand){.kind = WA_IN_REGISTER, .reg = reg};
}

static inline wop_operand wop_memory(wop_register base, int32_t displacement)
{
    return (wop_operand){.kind = WA_IN_MEMORY, .reg = base, .displacement = displacement};
}

static inline wop_operand wop_indexed(wop_register base, wop_register index, uint8_t scale, int32_t displacement)
{
    return (wop_operand){.kind = WA_AT_INDEX, .reg = base, .index = index, .scale = scale, .displacement = displacement};
}

enum { WA_SLOT_BYTES = 8, WA_VECTOR_BYTES = 16 };

static inline wop_operand wop_instance_operand(const wop_function *fn)
{
    return fn->instance != WA_NO_REGISTER ? wop_reg(fn->instance) : wop_memory(RBP, fn->instance_offset);
}

static inline wop_operand wop_portion_operand(const wop_function *fn)
{
    return fn->portion != WA_NO_REGISTER ? wop_reg(fn->portion) : wop_memory(RBP, fn->portion_offset);
}

static inline int32_t wop_slot_offset(const wop_function *fn, uint32_t height)
{
    return -(int32_t)(fn->fixed_bytes + fn->slot_bytes * (height + 1));
}

static inline wop_operand wop_slot(const wop_function *fn, uint32_t height)
{
    return wop_memory(RBP, wop_slot_offset(fn, height));
}

void wop_byte(wop_function *fn, uint8_t byte);
void wop_word(wop_function *fn, uint32_t word);
void wop_quad(wop_function *fn, uint64_t bits);
void wop_patch(wop_function *fn, uint32_t position, uint32_t word);
void wop_x86(wop_function *fn, uint32_t opcode, unsigned reg, wop_operand rm);
void wop_x86_imm8(wop_function *fn, uint32_t opcode, unsigned reg, wop_operand rm, uint8_t immediate);
void wop_x86_imm16(wop_function *fn, uint32_t opcode, unsigned reg, wop_operand rm, uint16_t immediate);
void wop_x86_imm32(wop_function *fn, uint32_t opcode, unsigned reg, wop_operand rm, uint32_t immediate);
void wop_arithmetic(wop_function *fn, unsigned op, bool is_wide, wop_register reg, wop_operand rm);
void wop_arithmetic_constant(wop_function *fn, unsigned op, bool is_wide, wop_operand rm, int32_t constant);
void wop_move(wop_function *fn, bool is_wide, wop_register to, wop_register from);
void wop_load(wop_function *fn, uint8_t type, wop_register to, wop_operand from);
void wop_store(wop_function *fn, uint8_t type, wop_operand to, wop_register from);
void wop_load_constant(wop_function *fn, uint8_t type, wop_register to, uint64_t bits);
void wop_set_condition(wop_function *fn, uint8_t condition, wop_register to);
wop_operand wop_pool(wop_function *fn, uint64_t bits);
wop_operand wop_pool_vector(wop_function *fn, uint64_t low, uint64_t high);
wop_operand wop_pooled_constant(wop_function *fn, uint8_t type, uint64_t bits);

static inline uint32_t wop_wide(bool is_wide)
{
    return is_wide ? WA_WIDE : 0;
}

#endif
