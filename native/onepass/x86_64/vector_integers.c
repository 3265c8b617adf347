/* Sequences for vector operators on integers that SSE4.2 has no single instruction for. */
#include "vectors.h"

enum {
    X_PADDQ = WA_P66(0xd4), X_PSUBQ = WA_P66(0xfb), X_PMULUDQ = WA_P66(0xf4), X_PADDW = WA_P66(0xfd), X_PMULLW = WA_P66(0xd5),
};
/* Shifts by a constant: groups of opcodes, and which of the group. */
enum { X_WORDS = WA_P66(0x71), X_QUADS = WA_P66(0x73), X_RIGHT = 2, X_ARITHMETIC = 4, X_LEFT = 6 };

static void shift_by(wop_function *fn, uint32_t group, unsigned which, wop_register reg, uint64_t count)
{
    wop_x86_imm8(fn, group, which, wop_reg(reg), (uint8_t)count);
}

/* ((a ^ b) & mask) ^ b */
void wop_put_bitselect(wop_function *fn, const wop_vector_row *row)
{
    (void)row;
    wop_value mask = wop_pop(fn), b = wop_pop(fn), a = wop_pop(fn);
    uint32_t height = fn->height;
    wop_operand at_b = wop_operand_of(fn, &b, height + 1), at_mask = wop_operand_of(fn, &mask, height + 2);
    wop_register to = wop_own(fn, &a, height);
    wop_x86(fn, X_PXOR, to, at_b);
    wop_x86(fn, X_PAND, to, at_mask);
    wop_x86(fn, X_PXOR, to, at_b);
    wop_finish_from(fn, WA_V128, to);
}

/* ---- shifts ------------------------------------------------------------------------------------------------------------ */

/* The count, less what is beyond the width of a lane, plus a number, in the vector scratch register. */
static void put_count(wop_function *fn, const wop_value *count, uint32_t height, int32_t mask, int32_t added)
{
    wop_load_value(fn, WA_SCRATCH, count, height);
    wop_arithmetic_constant(fn, WA_AND, false, wop_reg(WA_SCRATCH), mask);
    if (added != 0)
        wop_arithmetic_constant(fn, WA_ADD, false, wop_reg(WA_SCRATCH), added);
    wop_vector_op(fn, X_MOVD, WA_VECTOR_SCRATCH, WA_SCRATCH);
}

/* opcode: the shift by a register; second and immediate: the group and which of it; flags: width of a lane in bits. */
void wop_put_shift(wop_function *fn, const wop_vector_row *row)
{
    wop_value count = wop_pop(fn), value = wop_pop(fn);
    uint32_t height = fn->height;
    int32_t mask = row->flags - 1;
    if (count.place != WA_CONSTANT)
        put_count(fn, &count, height + 1, mask, 0);
    wop_register to = wop_destination(fn, WA_V128, &value);
    wop_load_value(fn, to, &value, height);
    if (count.place == WA_CONSTANT)
        shift_by(fn, row->second, row->immediate, to, count.bits & (uint64_t)mask);
    else
        wop_vector_op(fn, row->opcode, to, WA_VECTOR_SCRATCH);
    wop_finish(fn, WA_V128, to);
}

static uint64_t all_bytes(uint64_t byte)
{
    return (byte & 0xff) * UINT64_C(0x0101010101010101);
}

/* As words, less what comes from the neighbour. opcode: the shift of words by a register; immediate: which of the group. */
void wop_put_byte_shift(wop_function *fn, const wop_vector_row *row)
{
    wop_value count = wop_pop(fn), value = wop_pop(fn);
    uint32_t height = fn->height;
    bool is_left = row->immediate == X_LEFT;
    if (count.place == WA_CONSTANT) {
        uint64_t bits = count.bits & 7;
        wop_register to = wop_destination(fn, WA_V128, &value);
        wop_load_value(fn, to, &value, height);
        shift_by(fn, X_WORDS, row->immediate, to, bits);
        wop_x86(fn, X_PAND, to, wop_splat(fn, all_bytes(is_left ? UINT64_C(0xff) << bits : UINT64_C(0xff) >> bits)));
        wop_finish(fn, WA_V128, to);
        return;
    }
    wop_register to = wop_own(fn, &value, height), mask = wop_allocate(fn, true, 0);
    put_count(fn, &count, height + 1, 7, 0);
    wop_vector_op(fn, row->opcode, to, WA_VECTOR_SCRATCH);
    wop_vector_op(fn, X_PCMPEQD, mask, mask);
    wop_vector_op(fn, row->opcode, mask, WA_VECTOR_SCRATCH);
    if (!is_left)
        shift_by(fn, X_WORDS, X_RIGHT, mask, 8);
    wop_vector_op(fn, X_PXOR, WA_VECTOR_SCRATCH, WA_VECTOR_SCRATCH);
    wop_vector_op(fn, X_PSHUFB, mask, WA_VECTOR_SCRATCH);
    wop_vector_op(fn, X_PAND, to, mask);
    wop_finish_from(fn, WA_V128, to);
}

/* As the upper halves of words. */
void wop_put_signed_byte_shift(wop_function *fn, const wop_vector_row *row)
{
    (void)row;
    wop_value count = wop_pop(fn), value = wop_pop(fn);
    uint32_t height = fn->height;
    wop_register to = wop_own(fn, &value, height), high = wop_allocate(fn, true, 0);
    wop_move(fn, true, high, to);
    wop_vector_op(fn, WA_P66(0x68), high, high); /* punpckhbw */
    wop_vector_op(fn, WA_P66(0x60), to, to);
    if (count.place == WA_CONSTANT) {
        shift_by(fn, X_WORDS, X_ARITHMETIC, high, (count.bits & 7) + 8);
        shift_by(fn, X_WORDS, X_ARITHMETIC, to, (count.bits & 7) + 8);
    } else {
        put_count(fn, &count, height + 1, 7, 8);
        wop_vector_op(fn, WA_P66(0xe1), high, WA_VECTOR_SCRATCH); /* psraw */
        wop_vector_op(fn, WA_P66(0xe1), to, WA_VECTOR_SCRATCH);
    }
    wop_vector_op(fn, WA_P66(0x63), to, high); /* packsswb */
    wop_finish_from(fn, WA_V128, to);
}

/* As without a sign, whose bit is then spread to the left: (x ^ bit) - bit. */
void wop_put_signed_quad_shift(wop_function *fn, const wop_vector_row *row)
{
    (void)row;
    const uint64_t sign = UINT64_C(1) << 63;
    wop_value count = wop_pop(fn), value = wop_pop(fn);
    uint32_t height = fn->height;
    wop_register to = wop_own(fn, &value, height);
    wop_operand bit;
    if (count.place == WA_CONSTANT) {
        shift_by(fn, X_QUADS, X_RIGHT, to, count.bits & 63);
        bit = wop_splat(fn, sign >> (count.bits & 63));
    } else {
        bit = wop_reg(wop_allocate(fn, true, 0));
        put_count(fn, &count, height + 1, 63, 0);
        wop_load(fn, WA_V128, bit.reg, wop_splat(fn, sign));
        wop_vector_op(fn, WA_P66(0xd3), bit.reg, WA_VECTOR_SCRATCH); /* psrlq */
        wop_vector_op(fn, WA_P66(0xd3), to, WA_VECTOR_SCRATCH);
    }
    wop_x86(fn, X_PXOR, to, bit);
    wop_x86(fn, X_PSUBQ, to, bit);
    wop_finish_from(fn, WA_V128, to);
}

/* ---- arithmetic ---------------------------------------------------------------------------------------------------------- */

/* Of the halves: low * low + ((high * low + low * high) << 32). */
void wop_put_quad_product(wop_function *fn, const wop_vector_row *row)
{
    (void)row;
    const wop_register cross = WA_VECTOR_SCRATCH;
    wop_value b = wop_pop(fn), a = wop_pop(fn);
    uint32_t height = fn->height;
    wop_register by = wop_to_register(fn, &b, height + 1), to = wop_own(fn, &a, height), other = wop_allocate(fn, true, 0);
    wop_move(fn, true, other, to);
    shift_by(fn, X_QUADS, X_RIGHT, other, 32);
    wop_vector_op(fn, X_PMULUDQ, other, by);
    wop_move(fn, true, cross, by);
    shift_by(fn, X_QUADS, X_RIGHT, cross, 32);
    wop_vector_op(fn, X_PMULUDQ, cross, to);
    wop_vector_op(fn, X_PADDQ, cross, other);
    shift_by(fn, X_QUADS, X_LEFT, cross, 32);
    wop_vector_op(fn, X_PMULUDQ, to, by);
    wop_vector_op(fn, X_PADDQ, to, cross);
    wop_finish_from(fn, WA_V128, to);
}

void wop_put_quad_abs(wop_function *fn, const wop_vector_row *row)
{
    (void)row;
    wop_value value = wop_pop(fn);
    wop_register to = wop_own(fn, &value, fn->height);
    wop_vector_op(fn, X_PXOR, WA_VECTOR_SCRATCH, WA_VECTOR_SCRATCH);
    wop_vector_op(fn, WA_P38(0x37), WA_VECTOR_SCRATCH, to); /* pcmpgtq: all ones where it is negative */
    wop_vector_op(fn, X_PXOR, to, WA_VECTOR_SCRATCH);
    wop_vector_op(fn, X_PSUBQ, to, WA_VECTOR_SCRATCH);
    wop_finish_from(fn, WA_V128, to);
}

/* The sum of what a table says of both halves of each byte. */
void wop_put_popcnt(wop_function *fn, const wop_vector_row *row)
{
    (void)row;
    wop_value value = wop_pop(fn);
    wop_register to = wop_own(fn, &value, fn->height), low = wop_allocate(fn, true, 0);
    wop_operand halves = wop_splat(fn, all_bytes(0x0f));
    wop_operand table = wop_pool_vector(fn, UINT64_C(0x0302020102010100), UINT64_C(0x0403030203020201));
    wop_load(fn, WA_V128, WA_VECTOR_SCRATCH, halves);
    wop_vector_op(fn, X_PAND, WA_VECTOR_SCRATCH, to);
    wop_load(fn, WA_V128, low, table);
    wop_vector_op(fn, X_PSHUFB, low, WA_VECTOR_SCRATCH);
    shift_by(fn, X_WORDS, X_RIGHT, to, 4);
    wop_x86(fn, X_PAND, to, halves);
    wop_load(fn, WA_V128, WA_VECTOR_SCRATCH, table);
    wop_vector_op(fn, X_PSHUFB, WA_VECTOR_SCRATCH, to);
    wop_vector_op(fn, WA_P66(0xfc), low, WA_VECTOR_SCRATCH); /* paddb */
    wop_finish_from(fn, WA_V128, low);
}

/* The extension of an operand's low or high half. */
static void extend(wop_function *fn, const wop_vector_row *row, wop_register to, wop_operand from)
{
    if (row->flags & WA_HIGH) {
        wop_x86_imm8(fn, X_PSHUFD, to, from, 0xee);
        from = wop_reg(to);
    }
    wop_x86(fn, row->opcode, to, from);
}

/* opcode: pmovsx or pmovzx; second: the product of extended lanes. */
void wop_put_extended_product(wop_function *fn, const wop_vector_row *row)
{
    wop_value b = wop_pop(fn), a = wop_pop(fn);
    uint32_t height = fn->height;
    wop_operand at_a = wop_operand_of(fn, &a, height), at_b = wop_operand_of(fn, &b, height + 1);
    wop_register to = wop_destination(fn, WA_V128, &a);
    extend(fn, row, WA_VECTOR_SCRATCH, at_b);
    extend(fn, row, to, at_a);
    wop_vector_op(fn, row->second, to, WA_VECTOR_SCRATCH);
    wop_finish(fn, WA_V128, to);
}

/* immediate: bits of a lane; pmaddubsw takes its first operand without signs, pmaddwd both with signs. */
void wop_put_pair_sum(wop_function *fn, const wop_vector_row *row)
{
    const uint64_t bytes = all_bytes(1), words = UINT64_C(0x0001000100010001);
    bool is_signed = (row->flags & WA_SIGNED) != 0;
    wop_value value = wop_pop(fn);
    wop_register to = wop_own(fn, &value, fn->height);
    if (row->immediate == 8 && is_signed) {
        wop_load(fn, WA_V128, WA_VECTOR_SCRATCH, wop_splat(fn, bytes));
        wop_vector_op(fn, WA_P38(0x04), WA_VECTOR_SCRATCH, to); /* pmaddubsw */
        wop_move(fn, true, to, WA_VECTOR_SCRATCH);
    } else if (row->immediate == 8) {
        wop_x86(fn, WA_P38(0x04), to, wop_splat(fn, bytes));
    } else {
        if (!is_signed)
            wop_x86(fn, X_PXOR, to, wop_splat(fn, words << 15));
        wop_x86(fn, WA_P66(0xf5), to, wop_splat(fn, words)); /* pmaddwd */
        if (!is_signed)
            wop_x86(fn, X_PADDD, to, wop_splat(fn, UINT64_C(0x0001000000010000)));
    }
    wop_finish_from(fn, WA_V128, to);
}

/* pmulhrsw; -1 * -1 is the one product that gives -1 before it is saturated. */
void wop_put_q15_product(wop_function *fn, const wop_vector_row *row)
{
    wop_operand other;
    wop_register to = wop_prepare_two(fn, WA_V128, WA_EITHER_ORDER, &other);
    wop_x86(fn, row->opcode, to, other);
    wop_load(fn, WA_V128, WA_VECTOR_SCRATCH, wop_splat(fn, UINT64_C(0x8000800080008000)));
    wop_vector_op(fn, WA_P66(0x75), WA_VECTOR_SCRATCH, to); /* pcmpeqw */
    wop_vector_op(fn, X_PXOR, to, WA_VECTOR_SCRATCH);
    wop_finish(fn, WA_V128, to);
}

static void sign_extend_even(wop_function *fn, wop_register reg)
{
    shift_by(fn, X_WORDS, X_LEFT, reg, 8);
    shift_by(fn, X_WORDS, X_ARITHMETIC, reg, 8);
}

/* Sums of two products of bytes with signs, which may wrap. second: their pairs are summed up and added to a third operand. */
void wop_put_byte_dot(wop_function *fn, const wop_vector_row *row)
{
    const wop_register odd = WA_VECTOR_SCRATCH;
    wop_value addend = row->second != 0 ? wop_pop(fn) : (wop_value){0}, b = wop_pop(fn), a = wop_pop(fn);
    uint32_t height = fn->height;
    wop_register by = wop_own(fn, &b, height + 1), to = wop_own(fn, &a, height), other = wop_allocate(fn, true, 0);
    wop_move(fn, true, odd, to);
    shift_by(fn, X_WORDS, X_ARITHMETIC, odd, 8);
    wop_move(fn, true, other, by);
    shift_by(fn, X_WORDS, X_ARITHMETIC, other, 8);
    wop_vector_op(fn, X_PMULLW, odd, other);
    sign_extend_even(fn, to);
    sign_extend_even(fn, by);
    wop_vector_op(fn, X_PMULLW, to, by);
    wop_vector_op(fn, X_PADDW, to, odd);
    if (row->second != 0) {
        wop_x86(fn, row->second, to, wop_splat(fn, UINT64_C(0x0001000100010001)));
        wop_x86(fn, X_PADDD, to, wop_operand_of(fn, &addend, height + 2));
    }
    wop_finish_from(fn, WA_V128, to);
}
