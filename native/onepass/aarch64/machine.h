/* aarch64: registers, conditions, and what encodes its instructions (Arm ARM DDI 0487, chapters C4 and C6; AAPCS64 for calls). */
#ifndef WA_ONEPASS_MACHINE_H
#define WA_ONEPASS_MACHINE_H

#include <stdint.h>

enum { WA_VECTORS = 32, WA_REGISTERS = 64 };

/* A set of registers. */
typedef uint64_t wop_set;
#define WA_SET(reg) (UINT64_C(1) << (reg))
#define WA_INTEGER_SET UINT64_C(0xffffffff)
#define WA_VECTOR_SET UINT64_C(0xffffffff00000000)

#include "function.h"

enum {
    X0, X1, X2, X3, X4, X5, X6, X7, X8, X9, X10, X11, X12, X13, X14, X15,
    X16, X17, X18, X19, X20, X21, X22, X23, X24, X25, X26, X27, X28, X29, X30, SP,
    V0, V1, V2, V3, V4, V5, V6, V7, V8, V9, V10, V11, V12, V13, V14, V15,
    V16, V17, V18, V19, V20, V21, V22, V23, V24, V25, V26, V27, V28, V29, V30, V31,
    ZERO = SP, /* where an instruction knows no stack pointer */
};

/* See emit.h. WA_FIRST, WA_SECOND and WA_VECTOR_FIRST are the encoder's own: what takes an operand in memory, or a constant that no
 * instruction holds, may change them. */
enum {
    WA_FRAME = X29, WA_STACK = SP, WA_RESULT = X0, WA_VECTOR_RESULT = V0, WA_CALLEE = X9, WA_TARGET = X10, WA_OPERANDS = X11,
    WA_AREA = X8, WA_SCRATCH = X16, WA_VECTOR_SCRATCH = V31, WA_FIRST = X17, WA_SECOND = X15, WA_VECTOR_FIRST = V30,
};

/* How many of each hold arguments and results; the area for results has a register of its own. */
enum { WA_INTEGER_ARGUMENTS = 8, WA_VECTOR_ARGUMENTS = 8, WA_INTEGER_RESULTS = 8, WA_VECTOR_RESULTS = 8, WA_AREA_ARGUMENTS = 0 };

#define WA_RESULT_SET UINT64_C(0xff) /* of integers */

/* Homes of locals, in the order of choice: those that callees keep, and those that they don't. Callees keep the low halves of V8 to
 * V15, so that nothing is there. */
#define WA_CALLEE_POOL {X19, X20, X21, X22, X23, X24, X25, X26, X27, X28}
#define WA_CALLER_POOL {X1, X2, X3, X4, X5, X6, X7, X8, X14}
#define WA_CALLEE_POOL_SET UINT64_C(0x1ff80000)
#define WA_CALLER_POOL_SET UINT64_C(0x41fe)
#define WA_VECTOR_POOL_SET (UINT64_C(0x3fff00f0) << WA_VECTORS)
#define WA_ALWAYS_TEMPORARY (UINT64_C(0x3e01) | UINT64_C(0xf) << WA_VECTORS)
/* Those for integers that calls change, but for those that hold no values. */
#define WA_CALLER_SAVED UINT64_C(0x7fff)
/* What the call that takes fuel changes and the function uses: LLVM's preserve_allcc keeps X9 to X15 and V8 to V31. */
#define WA_FUEL_CHANGES(fn) (((fn)->used | (fn)->locked | (fn)->homes) & (UINT64_C(0x1ff) | UINT64_C(0xff) << WA_VECTORS))

/* As b.cond has them; the opposite of each is ^ 1. After fcmp: EQUAL, SIGN (less), BELOW_EQUAL (less or equal), GREATER and
 * GREATER_EQUAL are false for a NaN, NOT_EQUAL is true, OVERFLOW tells that there is one. */
enum {
    EQUAL, NOT_EQUAL, ABOVE_EQUAL, BELOW, SIGN, NO_SIGN, OVERFLOW, NO_OVERFLOW,
    ABOVE, BELOW_EQUAL, GREATER_EQUAL, LESS, GREATER, LESS_EQUAL,
    CARRY = ABOVE_EQUAL, /* of an addition */
    UNORDERED = OVERFLOW,
};

enum { WA_ADD, WA_SUB, WA_CMP, WA_AND, WA_OR, WA_XOR };

/* A body of more bytes may have code that is out of reach of a conditional jump. */
enum { WA_LONG_BODY_BYTES = 16 * 1024 };

/* What code is filled up with: brk. */
static const uint8_t wop_fill_bytes[] = {0x00, 0x00, 0x20, 0xd4};

/* A place of the frame. Negative offsets are of places that are ours, from the stack pointer upwards: -8 is the lowest one, as loads
 * and stores reach higher than lower. Positive ones are the caller's, from the frame record. */
static inline wop_operand wop_frame(const wop_function *fn, int32_t offset)
{
    bool is_ours = offset < 0;
    int32_t displacement = is_ours ? (int32_t)fn->outgoing_bytes - offset - WA_SLOT_BYTES : offset;
    return (wop_operand){.kind = WA_IN_MEMORY, .reg = is_ours ? WA_STACK : WA_FRAME, .displacement = displacement};
}

static inline int32_t wop_place_offset(uint32_t taken_bytes, uint32_t size_bytes)
{
    (void)size_bytes;
    return -(int32_t)(taken_bytes + WA_SLOT_BYTES);
}

static inline int32_t wop_slot_offset(const wop_function *fn, uint32_t height)
{
    return -(int32_t)(fn->fixed_bytes + fn->slot_bytes * height + WA_SLOT_BYTES);
}

#include "emit.h"

/* ---- encode.c: instructions as words -------------------------------------------------------------------------------------- */

/* The size bit of integer instructions. */
static inline uint32_t wop_sf(bool is_wide)
{
    return is_wide ? UINT32_C(1) << 31 : 0;
}

/* An opcode with registers: rd in bits 0 to 4, rn in 5 to 9, rm in 16 to 20. */
void wop_put_two(wop_function *fn, uint32_t opcode, wop_register rd, wop_register rn);
void wop_put_three(wop_function *fn, uint32_t opcode, wop_register rd, wop_register rn, wop_register rm);
/* A load or store of size_bytes. opcode is that of the form with an unsigned scaled offset (bits 24 and 25 are 01); the form that the
 * operand needs is found from it. Changes WA_FIRST and WA_SECOND at most, and no flags. */
void wop_put_access(wop_function *fn, uint32_t opcode, uint32_t size_bytes, wop_register rt, wop_operand at);
/* The address of an operand as a register alone, for instructions that know no offset; WA_FIRST where it needs one of its own. */
wop_register wop_plain_address(wop_function *fn, wop_operand at);
/* rd = rn + constant. Changes WA_FIRST at most, and no flags. */
void wop_add_constant(wop_function *fn, wop_register rd, wop_register rn, int64_t constant);
/* Whether an access of size_bytes is one instruction. */
bool wop_is_simple(wop_operand at, uint32_t size_bytes);
void wop_load_integer(wop_function *fn, bool is_wide, wop_register to, uint64_t bits);
/* Whether and, orr, eor and tst have the constant, and as which bits 10 to 22. */
bool wop_logical_fields(uint64_t bits, bool is_wide, uint32_t *fields);

#endif
