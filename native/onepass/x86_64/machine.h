/* x86-64: registers, conditions, and one function that encodes its instructions (Intel SDM, volume 2, chapter 2). */
#ifndef WA_ONEPASS_MACHINE_H
#define WA_ONEPASS_MACHINE_H

#include <stdint.h>

enum { WA_VECTORS = 16, WA_REGISTERS = 32 };

/* A set of registers. */
typedef uint32_t wop_set;
#define WA_SET(reg) (UINT32_C(1) << (reg))
#define WA_INTEGER_SET UINT32_C(0xffff)
#define WA_VECTOR_SET UINT32_C(0xffff0000)

#include "function.h"

enum {
    RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, XMM0,
    XMM1, XMM2, XMM3, XMM4, XMM5, XMM6, XMM7, XMM8, XMM9, XMM10, XMM11, XMM12, XMM13, XMM14, XMM15,
};

/* See emit.h. */
enum {
    WA_FRAME = RBP, WA_STACK = RSP, WA_RESULT = RAX, WA_VECTOR_RESULT = XMM0, WA_CALLEE = R10, WA_TARGET = RAX, WA_OPERANDS = RAX,
    WA_AREA = RDI, WA_SCRATCH = R11, WA_VECTOR_SCRATCH = XMM15,
};

/* How many of each hold arguments and results; the area for results takes the first of the former. */
enum { WA_INTEGER_ARGUMENTS = 6, WA_VECTOR_ARGUMENTS = 8, WA_INTEGER_RESULTS = 3, WA_VECTOR_RESULTS = 4, WA_AREA_ARGUMENTS = 1 };

#define WA_RESULT_SET (WA_SET(RAX) | WA_SET(RDX) | WA_SET(RCX)) /* of integers */

/* Homes of locals, in the order of choice: those that callees keep, and those that they don't. */
#define WA_CALLEE_POOL {RBX, R12, R13, R14, R15}
#define WA_CALLER_POOL {RSI, RDI, R8, R9}
#define WA_CALLEE_POOL_SET (WA_SET(RBX) | WA_SET(R12) | WA_SET(R13) | WA_SET(R14) | WA_SET(R15))
#define WA_CALLER_POOL_SET (WA_SET(RSI) | WA_SET(RDI) | WA_SET(R8) | WA_SET(R9))
#define WA_VECTOR_POOL_SET UINT32_C(0x7ff00000)
#define WA_ALWAYS_TEMPORARY \
    (WA_SET(RAX) | WA_SET(RCX) | WA_SET(RDX) | WA_SET(R10) | WA_SET(XMM0) | WA_SET(XMM1) | WA_SET(XMM2) | WA_SET(XMM3))
/* Those for integers that calls change, but for the scratch register. */
#define WA_CALLER_SAVED \
    (WA_SET(RAX) | WA_SET(RCX) | WA_SET(RDX) | WA_SET(RSI) | WA_SET(RDI) | WA_SET(R8) | WA_SET(R9) | WA_SET(R10))
/* What the call that takes fuel changes, but for the scratch register. */
#define WA_FUEL_CHANGES(fn) ((void)(fn), WA_SET(RAX) | WA_SET(RDX) | WA_SET(RSI) | WA_SET(RDI))

/* Conditions of jcc, setcc and cmovcc; the last two need two flags. The opposite of each is ^ 1. */
enum {
    OVERFLOW, NO_OVERFLOW, BELOW, ABOVE_EQUAL, EQUAL, NOT_EQUAL, BELOW_EQUAL, ABOVE,
    SIGN, NO_SIGN, UNORDERED, ORDERED, LESS, GREATER_EQUAL, LESS_EQUAL, GREATER,
    FLOAT_EQUAL, FLOAT_NOT_EQUAL,
    CARRY = BELOW, /* of an addition */
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
enum { WA_ADD, WA_OR, WA_ADC, WA_SBB, WA_AND, WA_SUB, WA_XOR, WA_CMP };

/* All jumps reach everything. */
enum { WA_LONG_BODY_BYTES = INT32_MAX };

/* What code is filled up with. */
static const uint8_t wop_fill_bytes[] = {0xcc};

/* A place of the frame, by its distance from the frame pointer. */
static inline wop_operand wop_frame(const wop_function *fn, int32_t offset)
{
    (void)fn;
    return (wop_operand){.kind = WA_IN_MEMORY, .reg = WA_FRAME, .displacement = offset};
}

/* The distance of what takes size_bytes of the frame after so many; and of a slot. */
static inline int32_t wop_place_offset(uint32_t taken_bytes, uint32_t size_bytes)
{
    return -(int32_t)(taken_bytes + size_bytes);
}

static inline int32_t wop_slot_offset(const wop_function *fn, uint32_t height)
{
    return -(int32_t)(fn->fixed_bytes + fn->slot_bytes * (height + 1));
}

#include "emit.h"

void wop_byte(wop_function *fn, uint8_t byte);
void wop_patch(wop_function *fn, uint32_t position, uint32_t addend);
void wop_x86(wop_function *fn, uint32_t opcode, unsigned reg, wop_operand rm);
void wop_x86_imm8(wop_function *fn, uint32_t opcode, unsigned reg, wop_operand rm, uint8_t immediate);
void wop_x86_imm16(wop_function *fn, uint32_t opcode, unsigned reg, wop_operand rm, uint16_t immediate);
void wop_x86_imm32(wop_function *fn, uint32_t opcode, unsigned reg, wop_operand rm, uint32_t immediate);

/* Which operand an instruction of two overwrites: the first, whichever suits, the second. */
typedef enum { WA_IN_ORDER, WA_EITHER_ORDER, WA_REVERSED } wop_order;
wop_register wop_prepare_two(wop_function *fn, uint8_t type, wop_order order, wop_operand *other);

static inline uint32_t wop_wide(bool is_wide)
{
    return is_wide ? WA_WIDE : 0;
}

#endif
