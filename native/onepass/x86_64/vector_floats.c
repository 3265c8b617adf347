/* Sequences for vector operators on floats and conversions that SSE4.2 has no single instruction for.
 *
 * They do what codegen/simd.py has LLVM do, so that all levels give the same bits but for those of NaNs. */
#include "vectors.h"

enum {
    X_ANDPS = 0x54, X_XORPS = 0x57, X_ADDPS = 0x58, X_MULPS = 0x59, X_SUBPS = 0x5c, X_MINPS = 0x5d, X_MAXPS = 0x5f,
    X_CMPPS = 0xc2,
};
enum { CMP_LE = 2, CMP_UNORDERED = 3, CMP_ORDERED = 7 };

/* An instruction on f32 or f64. */
static uint32_t packed(bool is_double, uint32_t code)
{
    return (is_double ? WA_66 : 0) | WA_MAP_0F | code;
}

static void compare(wop_function *fn, bool is_double, wop_register reg, wop_register with, uint8_t how)
{
    wop_x86_imm8(fn, packed(is_double, X_CMPPS), reg, wop_reg(with), how);
}

static bool is_double(const wop_vector_row *row)
{
    return (row->opcode & WA_66) != 0;
}

/* min and max (spec section 4.3.3.10), of both orders, which differ for zeros; sums where there is a NaN. opcode: minps or the
 * like; second: or, and: how both orders go together. */
void wop_put_vector_extremum(wop_function *fn, const wop_vector_row *row)
{
    const wop_register scratch = WA_VECTOR_SCRATCH;
    wop_value b = wop_pop(fn), a = wop_pop(fn);
    uint32_t height = fn->height;
    wop_register by = wop_to_register(fn, &b, height + 1), to = wop_own(fn, &a, height), ordered = wop_allocate(fn, true, 0);
    wop_move(fn, true, ordered, to);
    wop_vector_op(fn, row->opcode, ordered, by);
    wop_move(fn, true, scratch, by);
    wop_vector_op(fn, row->opcode, scratch, to);
    wop_vector_op(fn, row->second, ordered, scratch);
    wop_move(fn, true, scratch, to);
    compare(fn, is_double(row), scratch, by, CMP_UNORDERED);
    wop_vector_op(fn, packed(is_double(row), X_ADDPS), to, by);
    wop_vector_op(fn, X_PAND, to, scratch);
    wop_vector_op(fn, X_PANDN, scratch, ordered);
    wop_vector_op(fn, X_POR, to, scratch);
    wop_finish_from(fn, WA_V128, to);
}

/* a = a * b + c with one rounding: vfmadd213 and vfnmadd213. */
static void put_fused(wop_function *fn, uint32_t opcode, wop_register a, wop_register b, wop_register c)
{
    bool is_wide = (opcode & WA_66) != 0;
    wop_byte(fn, 0xc4);
    wop_byte(fn, (uint8_t)((a & 8 ? 0 : 0x80) | 0x40 | (c & 8 ? 0 : 0x20) | 2));
    wop_byte(fn, (uint8_t)((is_wide ? 0x80 : 0) | (~b & 15) << 3 | 1));
    wop_byte(fn, (uint8_t)opcode);
    wop_byte(fn, (uint8_t)(0xc0 | (a & 7) << 3 | (c & 7)));
}

/* opcode: the fused instruction; WA_INVERTED: of the first operand's opposite. */
void wop_put_multiply_add(wop_function *fn, const wop_vector_row *row)
{
    wop_value c = wop_pop(fn), b = wop_pop(fn), a = wop_pop(fn);
    uint32_t height = fn->height;
    if (fn->module->has_fma) {
        wop_register added = wop_to_register(fn, &c, height + 2), by = wop_to_register(fn, &b, height + 1);
        wop_register to = wop_own(fn, &a, height);
        put_fused(fn, row->opcode, to, by, added);
        wop_finish_from(fn, WA_V128, to);
        return;
    }
    wop_operand by = wop_operand_of(fn, &b, height + 1), added = wop_operand_of(fn, &c, height + 2);
    wop_register to = wop_own(fn, &a, height);
    if (row->flags & WA_INVERTED)
        wop_x86(fn, X_PXOR, to, wop_splat(fn, is_double(row) ? UINT64_C(1) << 63 : UINT64_C(0x8000000080000000)));
    wop_x86(fn, packed(is_double(row), X_MULPS), to, by);
    wop_x86(fn, packed(is_double(row), X_ADDPS), to, added);
    wop_finish_from(fn, WA_V128, to);
}

/* From u32. To f64: as the low half of 2**52 + x. To f32: the halves of x as those of 2**23 + low and 2**39 + high. */
void wop_put_unsigned_conversion(wop_function *fn, const wop_vector_row *row)
{
    const wop_register low = WA_VECTOR_SCRATCH;
    wop_value value = wop_pop(fn);
    wop_register to = wop_own(fn, &value, fn->height);
    if (is_double(row)) {
        wop_x86(fn, WA_PS(0x14), to, wop_splat(fn, UINT64_C(0x4330000043300000))); /* unpcklps */
        wop_x86(fn, packed(true, X_SUBPS), to, wop_splat(fn, UINT64_C(0x4330000000000000)));
    } else {
        wop_move(fn, true, low, to);
        wop_x86_imm8(fn, WA_P3A(0x0e), low, wop_splat(fn, UINT64_C(0x4b0000004b000000)), 0xaa); /* pblendw */
        wop_x86_imm8(fn, WA_P66(0x72), 2, wop_reg(to), 16); /* psrld */
        wop_x86_imm8(fn, WA_P3A(0x0e), to, wop_splat(fn, UINT64_C(0x5300000053000000)), 0xaa);
        wop_x86(fn, packed(false, X_SUBPS), to, wop_splat(fn, UINT64_C(0x5300008053000080)));
        wop_vector_op(fn, packed(false, X_ADDPS), to, low);
    }
    wop_finish_from(fn, WA_V128, to);
}

/* ---- truncation: a NaN becomes 0, and what does not fit the nearest number that does ------------------------------------- */

enum { X_CVTTPS2DQ = WA_F3 | WA_MAP_0F | 0x5b, X_CVTTPD2DQ = WA_P66(0xe6) };
static const uint64_t two_31_f32 = UINT64_C(0x4f0000004f000000);

/* In the scratch register: all ones where 2**31 is less than or equal. */
static void find_large(wop_function *fn, wop_register value)
{
    wop_load(fn, WA_V128, WA_VECTOR_SCRATCH, wop_splat(fn, two_31_f32));
    compare(fn, false, WA_VECTOR_SCRATCH, value, CMP_LE);
}

/* x86 gives 0x80000000 for what is too great or small: too great becomes 0x7fffffff. */
static void truncate_signed_f32(wop_function *fn, wop_register to)
{
    wop_move(fn, true, WA_VECTOR_SCRATCH, to);
    compare(fn, false, WA_VECTOR_SCRATCH, to, CMP_ORDERED);
    wop_vector_op(fn, X_PAND, to, WA_VECTOR_SCRATCH);
    find_large(fn, to);
    wop_vector_op(fn, X_CVTTPS2DQ, to, to);
    wop_vector_op(fn, X_PXOR, to, WA_VECTOR_SCRATCH);
}

/* The sum of two signed conversions: of the number, and of what it exceeds 2**31 by. */
static void truncate_unsigned_f32(wop_function *fn, wop_register to)
{
    wop_register excess = wop_allocate(fn, true, 0);
    wop_vector_op(fn, X_PXOR, WA_VECTOR_SCRATCH, WA_VECTOR_SCRATCH);
    wop_vector_op(fn, packed(false, X_MAXPS), to, WA_VECTOR_SCRATCH);
    wop_move(fn, true, excess, to);
    wop_x86(fn, packed(false, X_SUBPS), excess, wop_splat(fn, two_31_f32));
    find_large(fn, excess);
    wop_vector_op(fn, X_CVTTPS2DQ, excess, excess);
    wop_vector_op(fn, X_PXOR, excess, WA_VECTOR_SCRATCH);
    wop_vector_op(fn, X_PXOR, WA_VECTOR_SCRATCH, WA_VECTOR_SCRATCH);
    wop_vector_op(fn, WA_P38(0x3d), excess, WA_VECTOR_SCRATCH); /* pmaxsd */
    wop_vector_op(fn, X_CVTTPS2DQ, to, to);
    wop_vector_op(fn, X_PADDD, to, excess);
}

void wop_put_truncation_f32(wop_function *fn, const wop_vector_row *row)
{
    wop_value value = wop_pop(fn);
    wop_register to = wop_own(fn, &value, fn->height);
    if (row->flags & WA_SIGNED)
        truncate_signed_f32(fn, to);
    else
        truncate_unsigned_f32(fn, to);
    wop_finish_from(fn, WA_V128, to);
}

/* Of a NaN, min and max give their second operand. */
void wop_put_truncation_f64(wop_function *fn, const wop_vector_row *row)
{
    wop_value value = wop_pop(fn);
    wop_register to = wop_own(fn, &value, fn->height);
    if (row->flags & WA_SIGNED) {
        wop_move(fn, true, WA_VECTOR_SCRATCH, to);
        compare(fn, true, WA_VECTOR_SCRATCH, to, CMP_ORDERED);
        wop_x86(fn, packed(true, X_ANDPS), WA_VECTOR_SCRATCH, wop_splat(fn, UINT64_C(0x41dfffffffc00000))); /* 2**31 - 1 */
        wop_vector_op(fn, packed(true, X_MINPS), to, WA_VECTOR_SCRATCH);
        wop_vector_op(fn, X_CVTTPD2DQ, to, to);
    } else { /* plus 2**52: the integer then is the low half of the lane */
        wop_vector_op(fn, packed(true, X_XORPS), WA_VECTOR_SCRATCH, WA_VECTOR_SCRATCH);
        wop_vector_op(fn, packed(true, X_MAXPS), to, WA_VECTOR_SCRATCH);
        wop_x86(fn, packed(true, X_MINPS), to, wop_splat(fn, UINT64_C(0x41efffffffe00000))); /* 2**32 - 1 */
        wop_x86_imm8(fn, WA_P3A(0x09), to, wop_reg(to), 0x0b); /* roundpd, towards zero */
        wop_x86(fn, packed(true, X_ADDPS), to, wop_splat(fn, UINT64_C(0x4330000000000000)));
        wop_x86_imm8(fn, X_SHUFPS, to, wop_reg(WA_VECTOR_SCRATCH), 0x88);
    }
    wop_finish_from(fn, WA_V128, to);
}
