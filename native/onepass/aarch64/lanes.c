/* Lanes of vectors: splats, shuffles, single lanes, and what is asked of all of them (spec section 4.3.6). */
#include "vectors.h"

/* ---- splats -------------------------------------------------------------------------------------------------------------- */

static void put_splat(wop_function *fn, const wop_vector_row *row, uint32_t opcode)
{
    wop_value value = wop_pop(fn);
    if (wop_splat_constant(fn, &value, 1u << row->immediate))
        return;
    wop_register from = wop_to_register(fn, &value, fn->height), to = wop_destination(fn, WA_V128, &value);
    wop_put_two(fn, opcode | wop_lane_field(row->immediate, 0), to, from);
    wop_finish(fn, WA_V128, to);
}

/* immediate: size of the lanes. */
void wop_put_integer_splat(wop_function *fn, const wop_vector_row *row)
{
    put_splat(fn, row, N_SPLAT);
}

void wop_put_float_splat(wop_function *fn, const wop_vector_row *row)
{
    put_splat(fn, row, N_SPLAT_LANE);
}

/* ---- shuffles ------------------------------------------------------------------------------------------------------------ */

#define N_EXTRACT UINT32_C(0x6e000000) /* 16 bytes of rn and then rm, from a byte on */
#define N_TABLE UINT32_C(0x4e000000)   /* bytes of rn by numbers in rm, 0 where it has none; of rn and the next register */
#define N_TABLE_OF_TWO UINT32_C(0x4e002000)
enum { N_UZP1 = 1, N_TRN1, N_ZIP1, N_UZP2 = 5, N_TRN2, N_ZIP2 };

/* The lane that zip, uzp and trn have in a place, of the lanes of both operands. */
static unsigned permuted(unsigned code, unsigned place, unsigned count)
{
    unsigned is_second = code >> 2, other = place % 2 * count;
    switch (code & 3) {
    case N_UZP1:
        return 2 * place + is_second;
    case N_TRN1:
        return (place & ~1u) + is_second + other;
    default:
        return place / 2 + is_second * (count / 2) + other;
    }
}

/* mask: 15 where both operands are one, 31 otherwise. */
static bool is_permutation(const uint8_t *lanes, unsigned code, unsigned size, unsigned mask)
{
    for (unsigned i = 0; i < 16; i++)
        if (lanes[i] != (((permuted(code, i >> size, 16u >> size) << size) + i % (1u << size)) & mask))
            return false;
    return true;
}

static bool is_run(const uint8_t *lanes, unsigned mask)
{
    for (unsigned i = 1; i < 16; i++)
        if (lanes[i] != ((lanes[0] + i) & mask))
            return false;
    return lanes[0] < 16;
}

/* The instruction that gives these bytes of two operands, or 0. */
static uint32_t find_of_two(const uint8_t *lanes, unsigned mask)
{
    static const uint8_t codes[] = {N_ZIP1, N_ZIP2, N_UZP1, N_UZP2, N_TRN1, N_TRN2};
    if (is_run(lanes, mask))
        return N_EXTRACT | (uint32_t)lanes[0] << 11;
    for (unsigned size = N_8; size <= N_64; size++)
        for (unsigned i = 0; i < sizeof codes; i++)
            if (is_permutation(lanes, codes[i], size, mask))
                return N_PERMUTE(size, codes[i]);
    return 0;
}

/* Of one operand: a lane as all lanes, or lanes of 16, 32 or 64 bits with smaller ones the other way round. Or 0. */
static uint32_t find_of_one(const uint8_t *lanes)
{
    static const uint32_t reversals[] = {N_MISC(0, 0, 0x01), N_MISC(1, 0, 0x00), N_MISC(0, 0, 0x00)};
    for (unsigned size = N_8; size <= N_64; size++) {
        unsigned i = 0, bytes = 1u << size;
        while (i < 16 && lanes[i] == (lanes[0] & ~(bytes - 1)) + i % bytes)
            i++;
        if (i == 16)
            return N_SPLAT_LANE | wop_lane_field(size, lanes[0] >> size);
        for (unsigned whole = size + 1; whole <= N_64; whole++) {
            i = 0;
            while (i < 16 && lanes[i] == (i ^ ((1u << whole) - bytes)))
                i++;
            if (i == 16)
                return reversals[whole - 1] | size << 22;
        }
    }
    return 0;
}

void wop_shuffle_one(wop_function *fn, const wop_value *value, uint32_t height, const uint8_t *lanes)
{
    uint32_t of_one = find_of_one(lanes), of_two = find_of_two(lanes, 15);
    wop_register from = wop_to_register(fn, value, height);
    if ((of_one | of_two) == 0)
        wop_load(fn, WA_V128, WA_VECTOR_SCRATCH, wop_pool_bytes(fn, lanes));
    wop_register to = wop_destination(fn, WA_V128, value);
    if (of_two == N_EXTRACT)
        wop_copy_vector(fn, to, from);
    else if (of_one != 0)
        wop_put_two(fn, of_one, to, from);
    else if (of_two != 0)
        wop_put_three(fn, of_two, to, from, from);
    else
        wop_put_three(fn, N_TABLE, to, from, WA_VECTOR_SCRATCH);
    wop_finish(fn, WA_V128, to);
}

/* Whether only one lane is not the first operand's own; its size and place. */
static bool is_insertion(const uint8_t *lanes, unsigned *size, unsigned *place)
{
    unsigned first = 16, last = 0;
    for (unsigned i = 0; i < 16; i++) {
        if (lanes[i] != i) {
            first = first < i ? first : i;
            last = i;
        }
    }
    for (*size = N_8; *size <= N_64; ++*size) {
        unsigned bytes = 1u << *size, start = first & ~(bytes - 1), i = 0;
        while (i < bytes && lanes[start] % bytes == 0 && lanes[start + i] == lanes[start] + i)
            i++;
        *place = start >> *size;
        if (last < start + bytes && i == bytes)
            return true;
    }
    return false;
}

/* The bytes of a, but for one lane of a or b. */
static bool put_insertion(wop_function *fn, const uint8_t *lanes, wop_register to, wop_register a, wop_register b)
{
    unsigned size, place;
    if (!is_insertion(lanes, &size, &place))
        return false;
    unsigned number = lanes[place << size];
    wop_register made = wop_working(to, b);
    wop_copy_vector(fn, made, a);
    wop_put_two(fn, N_INSERT_LANE | wop_lane_field(size, place) | (number & 15) << 11, made, number < 16 ? a : b);
    wop_copy_vector(fn, to, made);
    return true;
}

/* By a table of the numbers, which needs the operands in registers that follow each other. */
static void put_table(wop_function *fn, const uint8_t *lanes, wop_register to, wop_register a, wop_register b)
{
    wop_register numbers = to == a || to == b ? wop_allocate(fn, true, 0) : to;
    wop_load(fn, WA_V128, numbers, wop_pool_bytes(fn, lanes));
    if (b != a + 1) {
        wop_move(fn, true, WA_VECTOR_FIRST, a);
        wop_move(fn, true, WA_VECTOR_SCRATCH, b);
        a = WA_VECTOR_FIRST;
    }
    wop_put_three(fn, N_TABLE_OF_TWO, to, a, numbers);
}

void wop_shuffle_two(wop_function *fn, const uint8_t *lanes)
{
    uint8_t exchanged[16];
    for (unsigned i = 0; i < 16; i++)
        exchanged[i] = lanes[i] ^ 16;
    uint32_t in_order = find_of_two(lanes, 31), reversed = find_of_two(exchanged, 31);
    wop_value b = wop_pop(fn), a = wop_pop(fn);
    uint32_t height = fn->height;
    wop_register of_a = wop_to_register(fn, &a, height), of_b = wop_to_register(fn, &b, height + 1);
    wop_register to = wop_destination(fn, WA_V128, &a);
    if (in_order != 0)
        wop_put_three(fn, in_order, to, of_a, of_b);
    else if (reversed != 0)
        wop_put_three(fn, reversed, to, of_b, of_a);
    else if (!put_insertion(fn, lanes, to, of_a, of_b) && !put_insertion(fn, exchanged, to, of_b, of_a))
        put_table(fn, lanes, to, of_a, of_b);
    wop_finish(fn, WA_V128, to);
}

void wop_put_swizzle(wop_function *fn, const wop_vector_row *row)
{
    (void)row;
    wop_value indices = wop_pop(fn), value = wop_pop(fn);
    uint32_t height = fn->height;
    wop_register from = wop_to_register(fn, &value, height), by = wop_to_register(fn, &indices, height + 1);
    wop_register to = wop_destination(fn, WA_V128, &value);
    wop_put_three(fn, N_TABLE, to, from, by);
    wop_finish(fn, WA_V128, to);
}

/* ---- single lanes -------------------------------------------------------------------------------------------------------- */

/* opcode: N_LANE_S or N_LANE_U; immediate: size of the lanes. */
void wop_put_integer_lane(wop_function *fn, const wop_vector_row *row)
{
    uint8_t lane = wop_read_byte(&fn->reader), type = row->immediate == N_64 ? WA_I64 : WA_I32;
    wop_value value = wop_pop(fn);
    wop_register from = wop_to_register(fn, &value, fn->height), to = wop_destination(fn, type, NULL);
    wop_put_two(fn, row->opcode | wop_lane_field(row->immediate, lane), to, from);
    wop_finish(fn, type, to);
}

void wop_put_float_lane(wop_function *fn, const wop_vector_row *row)
{
    uint8_t lane = wop_read_byte(&fn->reader), type = row->immediate == N_64 ? WA_F64 : WA_F32;
    wop_value value = wop_pop(fn);
    wop_register from = wop_to_register(fn, &value, fn->height), to = wop_destination(fn, type, &value);
    if (lane == 0)
        wop_copy_vector(fn, to, from);
    else
        wop_put_two(fn, N_LANE | wop_lane_field(row->immediate, lane), to, from);
    wop_finish(fn, type, to);
}

/* opcode: N_INSERT or N_INSERT_LANE. */
void wop_put_replacement(wop_function *fn, const wop_vector_row *row)
{
    uint8_t lane = wop_read_byte(&fn->reader);
    wop_value element = wop_pop(fn), value = wop_pop(fn);
    uint32_t height = fn->height;
    wop_register from = wop_to_register(fn, &element, height + 1), to = wop_destination(fn, WA_V128, &value);
    wop_load_value(fn, to, &value, height);
    wop_put_two(fn, row->opcode | wop_lane_field(row->immediate, lane), to, from);
    wop_finish(fn, WA_V128, to);
}

/* ---- all lanes ----------------------------------------------------------------------------------------------------------- */

/* EQUAL where all bits are zero: of maxima of quarters, in half of the register. */
static void test_vector(wop_function *fn, wop_register reg)
{
    wop_put_three(fn, N_UMAXP(N_32), WA_VECTOR_SCRATCH, reg, reg);
    wop_move_bits(fn, true, WA_SCRATCH, WA_VECTOR_SCRATCH);
    wop_test(fn, true, WA_SCRATCH);
}

void wop_put_any_true(wop_function *fn, const wop_vector_row *row)
{
    (void)row;
    wop_value value = wop_pop(fn);
    test_vector(fn, wop_to_register(fn, &value, fn->height));
    wop_push_comparison(fn, NOT_EQUAL);
}

/* opcode: how lanes are compared with zero. */
void wop_put_all_true(wop_function *fn, const wop_vector_row *row)
{
    wop_value value = wop_pop(fn);
    wop_put_two(fn, row->opcode, WA_VECTOR_SCRATCH, wop_to_register(fn, &value, fn->height));
    test_vector(fn, WA_VECTOR_SCRATCH);
    wop_push_comparison(fn, EQUAL);
}

/* Each lane's own bit where it is negative, and their sum, which for lanes of bytes is one of each half. opcode: comparison of
 * lanes with zero; second: sums of pairs of them; immediate: their size. */
void wop_put_bitmask(wop_function *fn, const wop_vector_row *row)
{
    static const uint64_t bits[][2] = {
        {UINT64_C(0x8040201008040201), UINT64_C(0x8040201008040201)},
        {UINT64_C(0x0008000400020001), UINT64_C(0x0080004000200010)},
        {UINT64_C(0x0000000200000001), UINT64_C(0x0000000800000004)},
        {1, 2},
    };
    static const uint8_t steps[] = {3, 3, 2, 1};
    const wop_register mask = WA_VECTOR_FIRST, sum = WA_VECTOR_SCRATCH;
    wop_value value = wop_pop(fn);
    wop_register from = wop_to_register(fn, &value, fn->height), to = wop_destination(fn, WA_I32, NULL);
    wop_load(fn, WA_V128, sum, wop_pool_vector(fn, bits[row->immediate][0], bits[row->immediate][1]));
    wop_put_two(fn, row->opcode, mask, from);
    wop_put_three(fn, N_AND, sum, sum, mask);
    for (unsigned i = 0; i < steps[row->immediate]; i++)
        wop_put_three(fn, row->second, sum, sum, sum);
    wop_put_two(fn, N_LANE_U | wop_lane_field(N_16, 0), to, sum);
    wop_finish(fn, WA_I32, to);
}
