/* Jumps, calls, and tables of jumps of aarch64. A conditional jump reaches 1 MB: in long functions it leaps over one that goes further. */
#include "machine.h"

enum { B = 0x14000000, B_IF = 0x54000000, ADR = 0x10000000 };

/* ---- jumps ---------------------------------------------------------------------------------------------------------------- */

static bool fits(int64_t words, unsigned bits)
{
    return words >= -(INT64_C(1) << (bits - 1)) && words < INT64_C(1) << (bits - 1);
}

/* An instruction whose field of a distance is empty, with the distance; 0: it is out of reach. */
static uint32_t with_distance(uint32_t word, int64_t distance)
{
    int64_t words = distance / 4;
    uint32_t low = (uint32_t)distance & 3, bits = (uint32_t)words;
    if ((word & 0x7c000000) == B)
        return fits(words, 26) ? word | (bits & 0x3ffffff) : 0;
    if ((word & 0x9f000000) == ADR)
        return fits(words, 19) ? word | low << 29 | (bits & 0x7ffff) << 5 : 0;
    return fits(words, 19) ? word | (bits & 0x7ffff) << 5 : 0; /* b.cond, cbz, cbnz, ldr of a literal */
}

/* No instruction begins with the bits of a distance in a table, which counts from its own end. */
void wop_link(wop_function *fn, uint32_t position, uint32_t target)
{
    const wop_buffer *text = &fn->unit->text;
    uint32_t word;
    if (position + sizeof word > text->count)
        return;
    memcpy(&word, (uint8_t *)text->data + position, sizeof word);
    bool is_distance = (word & 0x1e000000) == 0;
    word = is_distance ? word + (target - (position + 4)) : with_distance(word, (int64_t)target - position);
    fn->has_failed |= word == 0;
    memcpy((uint8_t *)text->data + position, &word, sizeof word);
}

void wop_jump(wop_function *fn, uint32_t *list)
{
    wop_word(fn, B);
    wop_add_fixup(fn, list);
}

void wop_jump_if(wop_function *fn, uint8_t condition, uint32_t *list)
{
    if (fn->is_long) {
        wop_word(fn, with_distance(B_IF | (condition ^ 1u), 8));
        wop_jump(fn, list);
        return;
    }
    wop_word(fn, B_IF | condition);
    wop_add_fixup(fn, list);
}

void wop_jump_to(wop_function *fn, uint32_t target)
{
    uint32_t word = with_distance(B, (int64_t)target - wop_text_offset(fn));
    fn->has_failed |= word == 0;
    wop_word(fn, word);
}

void wop_jump_back(wop_function *fn, uint32_t target)
{
    wop_jump_to(fn, target);
}

void wop_jump_back_if(wop_function *fn, uint8_t condition, uint32_t target)
{
    uint32_t word = with_distance(B_IF | condition, (int64_t)target - wop_text_offset(fn));
    if (word != 0) {
        wop_word(fn, word);
        return;
    }
    wop_word(fn, with_distance(B_IF | (condition ^ 1u), 8));
    wop_jump_to(fn, target);
}

void wop_jump_by_table(wop_function *fn, wop_register index, uint32_t *table)
{
    wop_put_two(fn, ADR, WA_SCRATCH, 0);
    wop_add_fixup(fn, table);
    wop_load_part(fn, 4, true, true, WA_FIRST, wop_indexed(WA_SCRATCH, index, 2, 0));
    wop_address(fn, WA_SCRATCH, wop_indexed(WA_SCRATCH, WA_FIRST, 0, 0));
    wop_jump_register(fn, WA_SCRATCH);
}

void wop_jump_register(wop_function *fn, wop_register reg)
{
    wop_put_two(fn, 0xd61f0000, 0, reg); /* br */
}

/* ---- calls ---------------------------------------------------------------------------------------------------------------- */

static void put_function(wop_function *fn, uint32_t opcode, uint32_t func_index)
{
    wop_push_u32(&fn->unit->call_offsets, wop_text_offset(fn));
    wop_push_u32(&fn->unit->call_functions, func_index);
    wop_word(fn, opcode);
}

void wop_jump_function(wop_function *fn, uint32_t func_index)
{
    put_function(fn, B, func_index);
}

void wop_call_function(wop_function *fn, uint32_t func_index)
{
    put_function(fn, 0x94000000, func_index); /* bl */
}

bool wop_join_call(uint8_t *at, uint32_t position, uint32_t target)
{
    int64_t words = ((int64_t)target - position) / 4;
    uint32_t word;
    memcpy(&word, at, sizeof word);
    word |= (uint32_t)words & 0x3ffffff;
    if (!fits(words, 26))
        return false;
    memcpy(at, &word, sizeof word);
    return true;
}

void wop_call_register(wop_function *fn, wop_register reg)
{
    wop_put_two(fn, 0xd63f0000, 0, reg); /* blr */
}

void wop_call_at(wop_function *fn, wop_operand at)
{
    wop_load(fn, WA_I64, WA_FIRST, at);
    wop_call_register(fn, WA_FIRST);
}

void wop_call_entry(wop_function *fn, size_t call)
{
    wop_load(fn, WA_I64, WA_SCRATCH, wop_memory(X0, offsetof(struct wa_schema_instance, calls)));
    wop_add_row(fn, 0);
    wop_call_at(fn, wop_memory(WA_SCRATCH, (int32_t)call * WA_SLOT_BYTES));
}

/* brk #0x5500 and the code, as the runtime's handler of signals reads it. */
void wop_put_trap_code(wop_function *fn, uint8_t trap)
{
    wop_word(fn, 0xd4200000 | (0x5500u | trap) << 5);
}
