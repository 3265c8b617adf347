/* What emit.h asks for, as instructions of aarch64: data and arithmetic. */
#include "machine.h"

enum { FP_ZERO = 0x6f00e400 }; /* movi v.2d, #0 */

const wop_register wop_integer_arguments[WA_INTEGER_ARGUMENTS] = {X0, X1, X2, X3, X4, X5, X6, X7};
const wop_register wop_integer_results[WA_INTEGER_RESULTS] = {X0, X1, X2, X3, X4, X5, X6, X7};

/* Loads and stores with a scaled offset, and the bytes that they move, by the type of a value. */
static const struct {
    uint32_t load, store;
    uint8_t size_bytes;
} of_type[] = {
    {0xb9400000, 0xb9000000, 4}, {0xf9400000, 0xf9000000, 8},  {0xbd400000, 0xbd000000, 4},
    {0xfd400000, 0xfd000000, 8}, {0x3dc00000, 0x3d800000, 16},
};

/* ---- data ----------------------------------------------------------------------------------------------------------------- */

/* A vector register moves whole. */
void wop_move(wop_function *fn, bool is_wide, wop_register to, wop_register from)
{
    if (to >= WA_VECTORS)
        wop_put_three(fn, 0x4ea01c00, to, from, from); /* orr */
    else if (to == SP || from == SP)
        wop_put_two(fn, 0x91000000, to, from); /* add #0 */
    else
        wop_put_three(fn, 0x2a000000 | wop_sf(is_wide), to, ZERO, from); /* orr */
}

void wop_exchange(wop_function *fn, wop_register a, wop_register b)
{
    wop_move(fn, true, WA_FIRST, a);
    wop_move(fn, true, a, b);
    wop_move(fn, true, b, WA_FIRST);
}

void wop_move_bits(wop_function *fn, bool is_wide, wop_register to, wop_register from)
{
    uint32_t from_integer = to >= WA_VECTORS ? 1 << 16 : 0;
    wop_put_two(fn, (is_wide ? 0x9e660000 : 0x1e260000) | from_integer, to, from); /* fmov */
}

/* A constant of the pool: from there, or where that may be out of reach, by way of an integer register. */
static void load_pooled(wop_function *fn, uint8_t type, wop_register to, int32_t number)
{
    static const uint32_t opcodes[] = {[WA_F32] = 0x1c000000, [WA_F64] = 0x5c000000, [WA_V128] = 0x9c000000};
    wop_pooled *entry = (wop_pooled *)fn->pool.data + number;
    if (!fn->is_long) {
        wop_put_two(fn, opcodes[type], to, 0); /* ldr */
        wop_add_fixup(fn, &entry->fixups);
        return;
    }
    wop_load_integer(fn, true, WA_FIRST, entry->bits);
    wop_move_bits(fn, true, to, WA_FIRST);
    if (type != WA_V128)
        return;
    wop_load_integer(fn, true, WA_FIRST, entry->high);
    wop_put_two(fn, 0x4e181c00, to, WA_FIRST); /* ins v.d[1] */
}

void wop_load(wop_function *fn, uint8_t type, wop_register to, wop_operand from)
{
    if (from.kind == WA_IN_REGISTER) {
        if (from.reg != to)
            wop_move(fn, type == WA_I64, to, from.reg);
    } else if (from.kind == WA_IN_POOL) {
        load_pooled(fn, type, to, from.displacement);
    } else {
        wop_put_access(fn, of_type[type].load, of_type[type].size_bytes, to, from);
    }
}

void wop_store(wop_function *fn, uint8_t type, wop_operand to, wop_register from)
{
    if (to.kind == WA_IN_REGISTER)
        wop_move(fn, wop_is_wide(type), to.reg, from);
    else
        wop_put_access(fn, of_type[type].store, of_type[type].size_bytes, from, to);
}

void wop_load_part(wop_function *fn, uint32_t size_bytes, bool is_signed, bool is_wide, wop_register to, wop_operand from)
{
    uint32_t opcode = 0x39400000 | (uint32_t)__builtin_ctz(size_bytes) << 30;
    if (is_signed && (is_wide || size_bytes < 4))
        opcode = (opcode & ~UINT32_C(0x00400000)) | (is_wide ? 0x00800000 : 0x00c00000);
    wop_put_access(fn, opcode, size_bytes, to, from);
}

void wop_store_part(wop_function *fn, uint32_t size_bytes, wop_operand to, wop_register from)
{
    wop_put_access(fn, 0x39000000 | (uint32_t)__builtin_ctz(size_bytes) << 30, size_bytes, from, to);
}

void wop_store_constant(wop_function *fn, uint32_t size_bytes, wop_operand to, uint64_t bits)
{
    wop_register from = ZERO;
    uint64_t mask = size_bytes == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * size_bytes) - 1;
    if ((bits & mask) != 0) {
        if (!wop_is_simple(to, size_bytes))
            to = wop_memory(wop_plain_address(fn, to), 0);
        wop_load_integer(fn, size_bytes == 8, from = WA_SECOND, bits & mask);
    }
    wop_store_part(fn, size_bytes, to, from);
}

/* Eight bits for a sign, an exponent of three bits and four more: fmov has them. */
static bool is_float_immediate(uint64_t bits, bool is_double, uint32_t *immediate)
{
    unsigned fraction = is_double ? 52 : 23, exponent = is_double ? 11 : 8;
    uint64_t whole = bits >> fraction & ((UINT64_C(1) << exponent) - 1), ones = (UINT64_C(1) << (exponent - 3)) - 1;
    uint64_t first = whole >> (exponent - 1), middle = whole >> 2 & ones;
    bool is_low = first == 0 && middle == ones; /* the first bit of the exponent is the opposite of the next ones */
    if ((!is_low && !(first == 1 && middle == 0)) || (bits & ((UINT64_C(1) << (fraction - 4)) - 1)) != 0)
        return false;
    uint64_t sign = bits >> (fraction + exponent) & 1, low = whole & 3, digits = bits >> (fraction - 4) & 15;
    *immediate = (uint32_t)(sign << 7 | (uint64_t)is_low << 6 | low << 4 | digits);
    return true;
}

static void load_float(wop_function *fn, bool is_double, wop_register to, uint64_t bits)
{
    uint32_t immediate;
    if (bits == 0) {
        wop_put_two(fn, FP_ZERO, to, 0);
    } else if (is_float_immediate(bits, is_double, &immediate)) {
        wop_put_two(fn, (is_double ? 0x1e601000u : 0x1e201000u) | immediate << 13, to, 0); /* fmov */
    } else {
        wop_load_integer(fn, is_double, WA_FIRST, bits);
        wop_move_bits(fn, is_double, to, WA_FIRST);
    }
}

/* Changes no flags. */
void wop_load_constant(wop_function *fn, uint8_t type, wop_register to, uint64_t bits)
{
    if (!wop_is_vector(type))
        wop_load_integer(fn, type == WA_I64, to, bits);
    else if (type != WA_V128)
        load_float(fn, type == WA_F64, to, bits);
    else if (bits == 0)
        wop_put_two(fn, FP_ZERO, to, 0);
    else
        wop_load(fn, type, to, wop_pooled_constant(fn, type, bits));
}

void wop_load_access(wop_function *fn, uint32_t position, wop_register to, wop_operand from)
{
    static const struct {
        uint32_t opcode;
        uint8_t size_bytes;
    } forms[] = {
        {0xb9400000, 4}, {0xf9400000, 8}, {0xbd400000, 4}, {0xfd400000, 8}, {0x39c00000, 1}, {0x39400000, 1}, {0x79c00000, 2},
        {0x79400000, 2}, {0x39800000, 1}, {0x39400000, 1}, {0x79800000, 2}, {0x79400000, 2}, {0xb9800000, 4}, {0xb9400000, 4},
    };
    wop_put_access(fn, forms[position].opcode, forms[position].size_bytes, to, from);
}

void wop_store_access(wop_function *fn, uint32_t position, wop_operand to, wop_register from)
{
    static const struct {
        uint32_t opcode;
        uint8_t size_bytes;
    } forms[] = {
        {0xb9000000, 4}, {0xf9000000, 8}, {0xbd000000, 4}, {0xfd000000, 8}, {0x39000000, 1},
        {0x79000000, 2}, {0x39000000, 1}, {0x79000000, 2}, {0xb9000000, 4},
    };
    wop_put_access(fn, forms[position].opcode, forms[position].size_bytes, from, to);
}

/* adrp and add: both get their fields when the address is known. */
void wop_load_symbol(wop_function *fn, wop_register to, wop_buffer *offsets, wop_buffer *indices, uint32_t index)
{
    wop_push_u32(offsets, wop_text_offset(fn));
    wop_push_u32(indices, index);
    wop_put_two(fn, 0x90000000, to, 0);
    wop_put_two(fn, 0x91000000, to, to);
}

/* ---- arithmetic ----------------------------------------------------------------------------------------------------------- */

static const uint32_t of_registers[] = {
    [WA_ADD] = 0x2b000000, [WA_SUB] = 0x6b000000, [WA_CMP] = 0x6b000000,
    [WA_AND] = 0x6a000000, [WA_OR] = 0x2a000000,  [WA_XOR] = 0x4a000000,
};

/* adds, subs and ands: flags are those of the result. */
static void put_registers(wop_function *fn, unsigned op, bool is_wide, wop_register to, wop_register a, wop_register b)
{
    bool is_stack = a == SP && op == WA_CMP;
    uint32_t extended = is_stack ? UINT32_C(0x00206000) : 0; /* the form that knows the stack pointer */
    wop_put_three(fn, of_registers[op] | extended | wop_sf(is_wide), op == WA_CMP ? ZERO : to, a, b);
}

/* to = a op constant; false: no instruction holds it. */
static bool put_immediate(wop_function *fn, unsigned op, bool is_wide, wop_register to, wop_register a, int32_t constant)
{
    enum { MOST = 4095, IMMEDIATE = 0x10000000 };
    uint32_t fields, opcode;
    if (op >= WA_AND) {
        if (!wop_logical_fields((uint64_t)(int64_t)constant, is_wide, &fields))
            return false;
        wop_put_two(fn, (op == WA_AND ? 0x72000000u : op == WA_OR ? 0x32000000u : 0x52000000u) | wop_sf(is_wide) | fields, to, a);
        return true;
    }
    bool adds = (op == WA_ADD) == (constant >= 0);
    uint32_t size = constant < 0 ? 0 - (uint32_t)constant : (uint32_t)constant;
    if (size > MOST && ((size & MOST) != 0 || size >> 12 > MOST))
        return false;
    opcode = (adds ? 0x31000000u : 0x71000000u) | (size > MOST ? 1u << 22 | size >> 12 << 10 : size << 10);
    wop_put_two(fn, opcode | wop_sf(is_wide), op == WA_CMP ? ZERO : to, a);
    return true;
}

static wop_register in_register(wop_function *fn, bool is_wide, wop_operand operand)
{
    if (operand.kind == WA_IN_REGISTER)
        return operand.reg;
    wop_load(fn, is_wide ? WA_I64 : WA_I32, WA_FIRST, operand);
    return WA_FIRST;
}

void wop_arithmetic(wop_function *fn, unsigned op, bool is_wide, wop_register reg, wop_operand operand)
{
    put_registers(fn, op, is_wide, reg, reg, in_register(fn, is_wide, operand));
}

static void apply_constant(wop_function *fn, unsigned op, bool is_wide, wop_register reg, int32_t constant, wop_register scratch)
{
    if (put_immediate(fn, op, is_wide, reg, reg, constant))
        return;
    wop_load_integer(fn, is_wide, scratch, (uint64_t)(int64_t)constant);
    put_registers(fn, op, is_wide, reg, reg, scratch);
}

/* What is changed in memory has its address, its value and the constant in registers; X30 is in the frame. */
void wop_arithmetic_constant(wop_function *fn, unsigned op, bool is_wide, wop_operand operand, int32_t constant)
{
    uint8_t type = is_wide ? WA_I64 : WA_I32;
    if (operand.kind == WA_IN_REGISTER) {
        apply_constant(fn, op, is_wide, operand.reg, constant, WA_SECOND);
    } else if (op == WA_CMP) {
        wop_load(fn, type, WA_FIRST, operand);
        apply_constant(fn, op, is_wide, WA_FIRST, constant, WA_SECOND);
    } else {
        wop_operand place = wop_is_simple(operand, is_wide ? 8 : 4) ? operand : wop_memory(wop_plain_address(fn, operand), 0);
        wop_load(fn, type, WA_SECOND, place);
        apply_constant(fn, op, is_wide, WA_SECOND, constant, X30);
        wop_store(fn, type, place, WA_SECOND);
    }
}

void wop_arithmetic_memory(wop_function *fn, unsigned op, wop_operand memory, wop_register reg)
{
    wop_operand place = wop_is_simple(memory, 8) ? memory : wop_memory(wop_plain_address(fn, memory), 0);
    wop_load(fn, WA_I64, WA_SECOND, place);
    put_registers(fn, op, true, WA_SECOND, WA_SECOND, reg);
    wop_store(fn, WA_I64, place, WA_SECOND);
}

void wop_clear(wop_function *fn, wop_register reg)
{
    wop_put_three(fn, 0x2a000000, reg, ZERO, ZERO); /* orr */
}

void wop_shift_left(wop_function *fn, wop_register reg, uint8_t count)
{
    wop_put_two(fn, 0xd3400000 | (64u - count) % 64 << 16 | (63u - count) << 10, reg, reg); /* ubfm */
}

void wop_shift_right(wop_function *fn, wop_register reg, uint8_t count)
{
    wop_put_two(fn, 0xd340fc00 | (uint32_t)count << 16, reg, reg); /* ubfm */
}

void wop_shift_right_signed(wop_function *fn, wop_register reg, uint8_t count)
{
    wop_put_two(fn, 0x13007c00 | (uint32_t)count << 16, reg, reg); /* sbfm */
}

void wop_test(wop_function *fn, bool is_wide, wop_register reg)
{
    wop_put_two(fn, 0x7100001f | wop_sf(is_wide), ZERO, reg); /* cmp #0 */
}

void wop_test_bits(wop_function *fn, wop_register reg, uint8_t bits)
{
    uint32_t fields;
    if (wop_logical_fields(bits, false, &fields)) {
        wop_put_two(fn, 0x72000000 | fields, ZERO, reg); /* tst */
        return;
    }
    wop_load_integer(fn, false, WA_FIRST, bits);
    put_registers(fn, WA_AND, false, ZERO, reg, WA_FIRST);
}

void wop_set_condition(wop_function *fn, uint8_t condition, wop_register to)
{
    wop_put_two(fn, 0x1a9f0400 | (condition ^ 1u) << 12, to, ZERO); /* cset */
}

bool wop_can_choose(uint8_t condition, uint8_t type)
{
    (void)condition;
    return type != WA_V128;
}

void wop_choose(wop_function *fn, uint8_t condition, uint8_t type, wop_register to, wop_operand other)
{
    uint32_t opcode = wop_is_vector(type) ? (type == WA_F64 ? 0x1e600c00 : 0x1e200c00) : 0x1a800000 | wop_sf(type == WA_I64);
    wop_register reg = other.reg;
    if (other.kind != WA_IN_REGISTER)
        wop_load(fn, type, reg = wop_is_vector(type) ? WA_VECTOR_FIRST : WA_FIRST, other);
    wop_put_three(fn, opcode | (uint32_t)condition << 12, to, to, reg); /* csel, fcsel */
}
