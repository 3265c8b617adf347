/* Fuel: code pays for each block before anything of it runs, from the portion that it has in a register or in the frame. What a
 * block costs says FORMAT.md ("Fuel"); codegen/fuel.py is the same for LLVM. */
#include "machine.h"

enum { FREE = 1, LAST = 2 };

static uint8_t kind_of(uint32_t opcode)
{
    switch (opcode) {
#define CASE(name) case WA_OP_##name:
        WA_FUEL_FREE(CASE)
        return FREE;
        WA_FUEL_LAST(CASE)
        return LAST;
        WA_FUEL_FREE_LAST(CASE)
        return FREE | LAST;
#undef CASE
    default:
        return 0;
    }
}

bool wop_ends_fuel_block(uint32_t opcode)
{
    return (kind_of(opcode) & LAST) != 0;
}

/* What the operators from the reader's place to the end of their block cost. */
static uint32_t block_cost(const wop_function *fn)
{
    wop_reader ahead = fn->reader;
    uint32_t cost = 0;
    while (ahead.at < ahead.end && !ahead.has_failed) {
        uint32_t opcode = wop_read_opcode(&ahead);
        cost += (kind_of(opcode) & FREE) == 0;
        if (wop_ends_fuel_block(opcode))
            break;
        wop_skip_immediate(&ahead, opcode);
    }
    return cost;
}

/* The flags are those of portion - cost: where that was too much, code behind the function's end takes another portion. */
static void take_if_short(wop_function *fn, wop_register cost_reg, uint32_t cost)
{
    wop_stub *stub = wop_add_stub(fn);
    if (stub == NULL)
        return;
    stub->call = WA_TAKE_FUEL;
    stub->reg = cost_reg;
    stub->number = cost;
    stub->kept = WA_FUEL_CHANGES(fn);
    wop_jump_if(fn, BELOW, &stub->fixups);
    stub->back = wop_text_offset(fn);
}

static void pay_register(wop_function *fn, wop_register cost)
{
    if (fn->portion != WA_NO_REGISTER)
        wop_arithmetic(fn, WA_SUB, true, fn->portion, wop_reg(cost));
    else
        wop_arithmetic_memory(fn, WA_SUB, wop_portion_operand(fn), cost);
    take_if_short(fn, cost, 0);
}

/* At the start of a block that is reachable. */
void wop_charge_block(wop_function *fn, uint32_t more)
{
    uint32_t cost = block_cost(fn) + more;
    if (fn->is_dead || cost == 0)
        return;
    wop_arithmetic_constant(fn, WA_SUB, true, wop_portion_operand(fn), (int32_t)cost);
    take_if_short(fn, WA_NO_REGISTER, cost);
}

/* Pay for an operator's work on so many bytes or elements as the value on top of the stack says. */
void wop_charge_count(wop_function *fn)
{
    uint32_t enough = 0;
    if (!fn->pays || fn->has_failed || fn->height == 0)
        return;
    wop_register cost = wop_allocate(fn, false, 0);
    wop_value count = wop_values(fn)[fn->height - 1];
    wop_load_value(fn, cost, &count, fn->height - 1);
    if (wop_is_wide(count.type)) {
        wop_load_constant(fn, WA_I64, WA_SCRATCH, WA_FUEL_COUNT_LIMIT);
        wop_arithmetic(fn, WA_CMP, true, cost, wop_reg(WA_SCRATCH));
        wop_jump_if(fn, BELOW, &enough);
        wop_clear(fn, cost); /* nothing is so large: the operator traps */
        wop_bind(fn, &enough);
    }
    pay_register(fn, cost);
    fn->locked = 0;
}

/* Before an operator that grows something by the value on top of the stack: keep that in its slot. */
void wop_keep_growth(wop_function *fn)
{
    if (!fn->pays || fn->has_failed || fn->height == 0)
        return;
    wop_value count = wop_values(fn)[fn->height - 1];
    if (count.place != WA_SLOT)
        wop_store_value(fn, wop_slot(fn, fn->height - 1), &count, fn->height - 1);
}

/* Behind it: pay, unless it failed and gave -1, which is on top of the stack. height: of the slot. */
void wop_charge_growth(wop_function *fn, uint32_t height, uint8_t type)
{
    uint32_t grown = 0;
    if (!fn->pays || fn->has_failed)
        return;
    wop_register cost = wop_allocate(fn, false, 0);
    wop_value old_size = wop_values(fn)[fn->height - 1];
    wop_load(fn, type, cost, wop_slot(fn, height));
    wop_arithmetic_constant(fn, WA_CMP, wop_is_wide(type), wop_reg(old_size.reg), -1);
    wop_jump_if(fn, NOT_EQUAL, &grown);
    wop_clear(fn, cost);
    wop_bind(fn, &grown);
    pay_register(fn, cost);
    fn->locked = 0;
}
