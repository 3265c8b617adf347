/* Lanes of vectors: splats, shuffles, single lanes, and what is asked of all of them (spec section 4.3.6). */
#include "vectors.h"

/* ---- splats ----------------------------------------------------------------------------------------------------------- */

/* immediate: size of a lane in bytes. */
void wop_put_integer_splat(wop_function *fn, const wop_vector_row *row)
{
    wop_value value = wop_pop(fn);
    if (wop_splat_constant(fn, &value, row->immediate))
        return;
    wop_operand from = wop_operand_of(fn, &value, fn->height);
    wop_register to = wop_destination(fn, WA_V128, NULL);
    wop_x86(fn, X_MOVD | wop_wide(row->immediate == 8), to, from);
    if (row->immediate == 1) {
        wop_vector_op(fn, X_PXOR, WA_VECTOR_SCRATCH, WA_VECTOR_SCRATCH);
        wop_vector_op(fn, X_PSHUFB, to, WA_VECTOR_SCRATCH);
    } else {
        if (row->immediate == 2)
            wop_x86_imm8(fn, WA_F2 | WA_MAP_0F | 0x70, to, wop_reg(to), 0); /* pshuflw */
        wop_x86_imm8(fn, X_PSHUFD, to, wop_reg(to), row->immediate == 8 ? 0x44 : 0);
    }
    wop_finish(fn, WA_V128, to);
}

void wop_put_float_splat(wop_function *fn, const wop_vector_row *row)
{
    wop_value value = wop_pop(fn);
    if (wop_splat_constant(fn, &value, row->immediate))
        return;
    wop_register from = wop_to_register(fn, &value, fn->height), to = wop_destination(fn, WA_V128, &value);
    wop_x86_imm8(fn, X_PSHUFD, to, wop_reg(from), row->immediate == 8 ? 0x44 : 0);
    wop_finish(fn, WA_V128, to);
}

/* ---- shuffles ---------------------------------------------------------------------------------------------------------- */

/* An instruction of two operands that a shuffle is. */
typedef struct {
    uint32_t opcode; /* 0: there is none */
    int immediate;   /* -1: none */
    wop_order order;
} two_source;

/* Whether lanes of so many bytes are taken from both operands in turn, from the low or the high halves. */
static bool interleaves(const uint8_t *lanes, unsigned size_bytes, bool is_high)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned element = i / size_bytes, source = element / 2 + (is_high ? 8 / size_bytes : 0);
        if (lanes[i] != (element % 2) * 16 + source * size_bytes + i % size_bytes)
            return false;
    }
    return true;
}

/* Lanes of four bytes as their numbers; false where there are others. */
static bool as_quarters(const uint8_t *lanes, uint8_t *quarters)
{
    for (unsigned i = 0; i < 16; i++) {
        if (lanes[i] % 4 != i % 4 || lanes[i] / 4 != lanes[i / 4 * 4] / 4)
            return false;
        quarters[i / 4] = lanes[i] / 4;
    }
    return true;
}

static uint8_t quarters_immediate(const uint8_t *quarters)
{
    return (uint8_t)((quarters[0] & 3) | (quarters[1] & 3) << 2 | (quarters[2] & 3) << 4 | (quarters[3] & 3) << 6);
}

/* The instruction that takes the operands in this order. */
static two_source find_in_order(const uint8_t *lanes, wop_order order)
{
    static const uint8_t unpacks[] = {0x60, 0x61, 0x62, 0x6c, 0x68, 0x69, 0x6a, 0x6d}; /* by log2 of the size, low and high */
    uint8_t quarters[4], words = 0;
    for (unsigned i = 0; i < 8; i++)
        if (interleaves(lanes, 1u << i % 4, i >= 4))
            return (two_source){WA_P66(unpacks[i]), -1, order};
    if (as_quarters(lanes, quarters) && quarters[0] < 4 && quarters[1] < 4 && quarters[2] >= 4 && quarters[3] >= 4)
        return (two_source){X_SHUFPS, quarters_immediate(quarters), order};
    bool is_blend = true, is_run = lanes[0] > 0 && lanes[0] < 16;
    for (unsigned i = 0; i < 16; i++) {
        is_blend &= lanes[i] % 16 == i && (lanes[i] ^ lanes[i / 2 * 2]) < 16;
        is_run &= lanes[i] == lanes[0] + i;
        words |= (uint8_t)((lanes[i] >= 16) << i / 2);
    }
    if (is_blend)
        return (two_source){WA_P3A(0x0e), words, order}; /* pblendw */
    if (is_run) /* palignr: the overwritten operand is the higher one */
        return (two_source){WA_P3A(0x0f), lanes[0], order == WA_IN_ORDER ? WA_REVERSED : WA_IN_ORDER};
    return (two_source){0};
}

static two_source find_instruction(const uint8_t *lanes)
{
    uint8_t exchanged[16];
    two_source found = find_in_order(lanes, WA_IN_ORDER);
    for (unsigned i = 0; i < 16; i++)
        exchanged[i] = lanes[i] ^ 16;
    return found.opcode != 0 ? found : find_in_order(exchanged, WA_REVERSED);
}

void wop_shuffle_one(wop_function *fn, const wop_value *value, uint32_t height, const uint8_t *lanes)
{
    uint8_t quarters[4];
    bool is_coarse = as_quarters(lanes, quarters);
    wop_operand from = wop_operand_of(fn, value, height);
    wop_register to = wop_destination(fn, WA_V128, value);
    if (is_coarse) {
        wop_x86_imm8(fn, X_PSHUFD, to, from, quarters_immediate(quarters));
    } else {
        wop_load(fn, WA_V128, to, from);
        wop_x86(fn, X_PSHUFB, to, wop_pool_bytes(fn, lanes));
    }
    wop_finish(fn, WA_V128, to);
}

/* What each operand contributes, zeros elsewhere, and both together. */
static void join_parts(wop_function *fn, const uint8_t *lanes)
{
    uint8_t of_a[16], of_b[16];
    wop_value b = wop_pop(fn), a = wop_pop(fn);
    uint32_t height = fn->height;
    for (unsigned i = 0; i < 16; i++) {
        of_a[i] = lanes[i] < 16 ? lanes[i] : 0x80;
        of_b[i] = lanes[i] < 16 ? 0x80 : lanes[i] - 16;
    }
    wop_load_value(fn, WA_VECTOR_SCRATCH, &b, height + 1);
    wop_register to = wop_own(fn, &a, height);
    wop_x86(fn, X_PSHUFB, WA_VECTOR_SCRATCH, wop_pool_bytes(fn, of_b));
    wop_x86(fn, X_PSHUFB, to, wop_pool_bytes(fn, of_a));
    wop_vector_op(fn, X_POR, to, WA_VECTOR_SCRATCH);
    wop_finish_from(fn, WA_V128, to);
}

void wop_shuffle_two(wop_function *fn, const uint8_t *lanes)
{
    two_source found = find_instruction(lanes);
    if (found.opcode == 0) {
        join_parts(fn, lanes);
        return;
    }
    wop_operand other;
    wop_register to = wop_prepare_two(fn, WA_V128, found.order, &other);
    if (found.immediate < 0)
        wop_x86(fn, found.opcode, to, other);
    else
        wop_x86_imm8(fn, found.opcode, to, other, (uint8_t)found.immediate);
    wop_finish(fn, WA_V128, to);
}

/* pshufb gives zero where the highest bit of the index is set: indices from 16 on get it. */
void wop_put_swizzle(wop_function *fn, const wop_vector_row *row)
{
    (void)row;
    wop_value indices = wop_pop(fn), value = wop_pop(fn);
    uint32_t height = fn->height;
    wop_load_value(fn, WA_VECTOR_SCRATCH, &indices, height + 1);
    wop_x86(fn, WA_P66(0xdc), WA_VECTOR_SCRATCH, wop_splat(fn, UINT64_C(0x7070707070707070))); /* paddusb */
    wop_register to = wop_destination(fn, WA_V128, &value);
    wop_load_value(fn, to, &value, height);
    wop_vector_op(fn, X_PSHUFB, to, WA_VECTOR_SCRATCH);
    wop_finish(fn, WA_V128, to);
}

/* ---- single lanes -------------------------------------------------------------------------------------------------------- */

/* opcode: pextr; second: how a lane is extended with its sign; immediate: movd, where the first lane is asked for. */
void wop_put_integer_lane(wop_function *fn, const wop_vector_row *row)
{
    uint8_t lane = wop_read_byte(&fn->reader), type = row->opcode & WA_WIDE ? WA_I64 : WA_I32;
    wop_value value = wop_pop(fn);
    wop_register from = wop_to_register(fn, &value, fn->height), to = wop_destination(fn, type, NULL);
    if (lane == 0 && row->immediate != 0)
        wop_x86(fn, WA_P66(row->immediate) | wop_wide(type == WA_I64), from, wop_reg(to));
    else
        wop_x86_imm8(fn, row->opcode, from, wop_reg(to), lane);
    if (row->second != 0)
        wop_x86(fn, row->second, to, wop_reg(to));
    wop_finish(fn, type, to);
}

/* immediate: size of a lane in bytes. */
void wop_put_float_lane(wop_function *fn, const wop_vector_row *row)
{
    uint8_t lane = wop_read_byte(&fn->reader), type = row->immediate == 8 ? WA_F64 : WA_F32;
    wop_value value = wop_pop(fn);
    wop_operand from = wop_operand_of(fn, &value, fn->height);
    wop_register to = wop_destination(fn, type, &value);
    if (from.kind == WA_IN_MEMORY) {
        from.displacement += lane * row->immediate;
        wop_load(fn, type, to, from);
    } else if (lane == 0) {
        wop_load(fn, WA_V128, to, from);
    } else {
        wop_x86_imm8(fn, X_PSHUFD, to, from, type == WA_F64 ? 0xee : (uint8_t)(lane * 0x55));
    }
    wop_finish(fn, type, to);
}

/* opcode: pinsr, insertps or, for f64, movsd, with movlhps as second. */
void wop_put_replacement(wop_function *fn, const wop_vector_row *row)
{
    uint8_t lane = wop_read_byte(&fn->reader);
    wop_value element = wop_pop(fn), value = wop_pop(fn);
    uint32_t height = fn->height;
    wop_operand from = wop_is_vector(element.type) ? wop_reg(wop_to_register(fn, &element, height + 1))
                                                   : wop_operand_of(fn, &element, height + 1);
    wop_register to = wop_destination(fn, WA_V128, &value);
    wop_load_value(fn, to, &value, height);
    if (element.type == WA_F64)
        wop_x86(fn, lane == 0 ? row->opcode : row->second, to, from);
    else
        wop_x86_imm8(fn, row->opcode, to, from, element.type == WA_F32 ? (uint8_t)(lane << 4) : lane);
    wop_finish(fn, WA_V128, to);
}

/* ---- all lanes ----------------------------------------------------------------------------------------------------------- */

enum { X_PTEST = WA_P38(0x17) };

void wop_put_any_true(wop_function *fn, const wop_vector_row *row)
{
    (void)row;
    wop_value value = wop_pop(fn);
    wop_register reg = wop_to_register(fn, &value, fn->height);
    wop_vector_op(fn, X_PTEST, reg, reg);
    wop_push_comparison(fn, NOT_EQUAL);
}

/* opcode: how lanes are compared for equality. */
void wop_put_all_true(wop_function *fn, const wop_vector_row *row)
{
    wop_value value = wop_pop(fn);
    wop_vector_op(fn, X_PXOR, WA_VECTOR_SCRATCH, WA_VECTOR_SCRATCH);
    wop_x86(fn, row->opcode, WA_VECTOR_SCRATCH, wop_operand_of(fn, &value, fn->height));
    wop_vector_op(fn, X_PTEST, WA_VECTOR_SCRATCH, WA_VECTOR_SCRATCH);
    wop_push_comparison(fn, EQUAL);
}

/* opcode: pmovmskb or the like; second: packsswb, for lanes of 16 bits. */
void wop_put_bitmask(wop_function *fn, const wop_vector_row *row)
{
    wop_value value = wop_pop(fn);
    wop_register from = wop_to_register(fn, &value, fn->height), to = wop_destination(fn, WA_I32, NULL);
    if (row->second != 0) {
        wop_move(fn, true, WA_VECTOR_SCRATCH, from);
        from = WA_VECTOR_SCRATCH;
        wop_vector_op(fn, row->second, from, from);
    }
    wop_vector_op(fn, row->opcode, to, from);
    if (row->second != 0)
        wop_x86(fn, (WA_MAP_0F | 0xb6) | WA_BYTE_RM, to, wop_reg(to)); /* the other half is a copy */
    wop_finish(fn, WA_I32, to);
}
