/* Jumps, calls, and tables of jumps of x86-64. */
#include "machine.h"

/* ---- jumps ---------------------------------------------------------------------------------------------------------------- */

/* Distances count from their end. */
void wop_link(wop_function *fn, uint32_t position, uint32_t target)
{
    wop_patch(fn, position, target - (position + 4));
}

void wop_jump(wop_function *fn, uint32_t *list)
{
    wop_byte(fn, 0xe9);
    wop_word(fn, 0);
    wop_add_fixup(fn, list);
}

/* With a distance that is known later: of its position. */
static uint32_t put_conditional(wop_function *fn, uint8_t condition)
{
    wop_byte(fn, 0x0f);
    wop_byte(fn, (uint8_t)(0x80 | condition));
    wop_word(fn, 0);
    return wop_text_offset(fn) - 4;
}

static void put_jump_if(wop_function *fn, uint8_t condition, uint32_t *list)
{
    put_conditional(fn, condition);
    wop_add_fixup(fn, list);
}

void wop_jump_if(wop_function *fn, uint8_t condition, uint32_t *list)
{
    if (condition == FLOAT_EQUAL) {
        uint32_t skipped = put_conditional(fn, UNORDERED);
        put_jump_if(fn, EQUAL, list);
        wop_link(fn, skipped, wop_text_offset(fn));
    } else if (condition == FLOAT_NOT_EQUAL) {
        put_jump_if(fn, NOT_EQUAL, list);
        put_jump_if(fn, UNORDERED, list);
    } else {
        put_jump_if(fn, condition, list);
    }
}

/* To a known place before. */
void wop_jump_back(wop_function *fn, uint32_t target)
{
    int64_t distance = (int64_t)target - (wop_text_offset(fn) + 2);
    if (distance >= INT8_MIN) {
        wop_byte(fn, 0xeb);
        wop_byte(fn, (uint8_t)distance);
    } else {
        wop_byte(fn, 0xe9);
        wop_word(fn, target - (wop_text_offset(fn) + 4));
    }
}

void wop_jump_back_if(wop_function *fn, uint8_t condition, uint32_t target)
{
    int64_t distance = (int64_t)target - (wop_text_offset(fn) + 2);
    if (condition == FLOAT_EQUAL) {
        uint32_t skipped = put_conditional(fn, UNORDERED);
        wop_link(fn, put_conditional(fn, EQUAL), target);
        wop_link(fn, skipped, wop_text_offset(fn));
    } else if (condition == FLOAT_NOT_EQUAL) {
        wop_link(fn, put_conditional(fn, NOT_EQUAL), target);
        wop_link(fn, put_conditional(fn, UNORDERED), target);
    } else if (distance >= INT8_MIN) {
        wop_byte(fn, (uint8_t)(0x70 | condition));
        wop_byte(fn, (uint8_t)distance);
    } else {
        wop_link(fn, put_conditional(fn, condition), target);
    }
}

void wop_jump_to(wop_function *fn, uint32_t target)
{
    wop_byte(fn, 0xe9);
    wop_word(fn, target - (wop_text_offset(fn) + 4));
}

void wop_jump_by_table(wop_function *fn, wop_register index, uint32_t *table)
{
    wop_byte(fn, 0x4c); /* lea table(%rip), %r11 */
    wop_byte(fn, 0x8d);
    wop_byte(fn, 0x1d);
    wop_word(fn, 0);
    wop_add_fixup(fn, table);
    wop_x86(fn, 0x63 | WA_WIDE, index, wop_indexed(WA_SCRATCH, index, 2, 0)); /* movslq */
    wop_arithmetic(fn, WA_ADD, true, WA_SCRATCH, wop_reg(index));
    wop_jump_register(fn, WA_SCRATCH);
}

void wop_jump_register(wop_function *fn, wop_register reg)
{
    wop_x86(fn, 0xff, 4, wop_reg(reg));
}

/* ---- calls ---------------------------------------------------------------------------------------------------------------- */

static void put_function(wop_function *fn, uint8_t opcode, uint32_t func_index)
{
    wop_byte(fn, opcode);
    wop_push_u32(&fn->unit->call_offsets, wop_text_offset(fn));
    wop_push_u32(&fn->unit->call_functions, func_index);
    wop_word(fn, 0);
}

void wop_jump_function(wop_function *fn, uint32_t func_index)
{
    put_function(fn, 0xe9, func_index);
}

void wop_call_function(wop_function *fn, uint32_t func_index)
{
    put_function(fn, 0xe8, func_index);
}

bool wop_join_call(uint8_t *at, uint32_t position, uint32_t target)
{
    uint32_t distance = target - (position + 4);
    memcpy(at, &distance, sizeof distance);
    return true;
}

void wop_call_at(wop_function *fn, wop_operand at)
{
    wop_x86(fn, 0xff, 2, at);
}

void wop_call_register(wop_function *fn, wop_register reg)
{
    wop_x86(fn, 0xff, 2, wop_reg(reg));
}

void wop_call_entry(wop_function *fn, size_t call)
{
    wop_load(fn, WA_I64, RAX, wop_memory(RDI, offsetof(struct wa_schema_instance, calls)));
    wop_add_row(fn, 0);
    wop_call_at(fn, wop_memory(RAX, (int32_t)call * WA_SLOT_BYTES));
}

/* ud1 with the code as displacement, as the runtime's handler of signals reads it. */
void wop_put_trap_code(wop_function *fn, uint8_t trap)
{
    wop_word(fn, 0x40b90f67);
    wop_byte(fn, trap);
}
