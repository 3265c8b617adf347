/* Accesses of atomic operators: only those that read and write need a lock, and a fence; a store is an exchange. */
#include "machine.h"
#include "operators.h"

enum { LOCK = 0xf0 };

/* ---- instructions ---------------------------------------------------------------------------------------------------- */

/* An opcode for so many bytes; that for a single one is the next lower number. */
static uint32_t sized(uint32_t opcode, uint32_t size_bytes)
{
    switch (size_bytes) {
    case 1:
        return (opcode - 1) | WA_BYTE;
    case 2:
        return opcode | WA_66;
    default:
        return opcode | wop_wide(size_bytes == 8);
    }
}

static void put_access(wop_function *fn, uint32_t opcode, wop_register reg, uint32_t size_bytes, bool is_locked)
{
    wop_add_row(fn, WA_TRAP_MEMORY_OUT_OF_BOUNDS);
    if (is_locked)
        wop_byte(fn, LOCK);
    wop_x86(fn, sized(opcode, size_bytes), reg, wop_memory(WA_SCRATCH, 0));
}

/* The low bytes of a place, with zeros above. */
static void load_bytes(wop_function *fn, wop_register to, wop_operand from, uint32_t size_bytes)
{
    if (size_bytes <= 2)
        wop_x86(fn, WA_MAP_0F | (size_bytes == 1 ? 0xb6u | WA_BYTE_RM : 0xb7u), to, from);
    else
        wop_x86(fn, 0x8b | wop_wide(size_bytes == 8), to, from);
}

void wop_test_sum(wop_function *fn, wop_register reg, uint64_t offset, uint8_t bits)
{
    wop_address(fn, WA_SCRATCH, wop_memory(reg, (int32_t)(uint32_t)offset)); /* low bits are right */
    wop_test_bits(fn, WA_SCRATCH, bits);
}

/* ---- operators ------------------------------------------------------------------------------------------------------- */

void wop_put_atomic_load(wop_function *fn, const wop_atomic_form *form)
{
    wop_drop_address(fn);
    wop_register to = wop_allocate(fn, false, 0);
    wop_add_row(fn, WA_TRAP_MEMORY_OUT_OF_BOUNDS);
    load_bytes(fn, to, wop_memory(WA_SCRATCH, 0), form->size_bytes);
    wop_push_register(fn, form->type, to);
}

/* The operand in a register of its own, for one instruction, which leaves the old value there. */
static wop_register pop_own(wop_function *fn)
{
    wop_value value = wop_pop(fn);
    wop_register reg = wop_own(fn, &value, fn->height);
    wop_drop_address(fn);
    return reg;
}

static void put_exchange(wop_function *fn, const wop_atomic_form *form, wop_atomic_operation operation)
{
    bool adds = operation != WA_ATOMIC_EXCHANGE;
    wop_register reg = pop_own(fn);
    if (operation == WA_ATOMIC_SUB)
        wop_x86(fn, 0xf7 | WA_WIDE, 3, wop_reg(reg)); /* neg */
    put_access(fn, adds ? WA_MAP_0F | 0xc1 : 0x87, reg, form->size_bytes, adds);
    if (form->size_bytes <= 2)
        load_bytes(fn, reg, wop_reg(reg), form->size_bytes);
    wop_push_register(fn, form->type, reg);
}

void wop_put_atomic_store(wop_function *fn, const wop_atomic_form *form)
{
    put_access(fn, 0x87, pop_own(fn), form->size_bytes, false); /* xchg, which locks by itself */
}

/* The value on top of the stack in a register that is not RAX, which is free then. */
static wop_register pop_beside_rax(wop_function *fn)
{
    wop_value value = wop_pop(fn);
    wop_register reg = wop_to_register(fn, &value, fn->height);
    if (reg == RAX) {
        reg = wop_allocate(fn, false, WA_SET(RAX));
        wop_move(fn, true, reg, RAX);
    }
    wop_take(fn, RAX);
    return reg;
}

/* Operators on bits: until nobody has changed the value in between. */
static void put_bits(wop_function *fn, const wop_atomic_form *form, wop_atomic_operation operation)
{
    static const uint8_t operators[] = {[WA_ATOMIC_AND] = WA_AND, [WA_ATOMIC_OR] = WA_OR, [WA_ATOMIC_XOR] = WA_XOR};
    wop_register operand = pop_beside_rax(fn);
    wop_drop_address(fn);
    wop_register changed = wop_allocate(fn, false, 0);
    wop_add_row(fn, WA_TRAP_MEMORY_OUT_OF_BOUNDS);
    load_bytes(fn, RAX, wop_memory(WA_SCRATCH, 0), form->size_bytes);
    uint32_t again = wop_text_offset(fn);
    wop_move(fn, true, changed, RAX);
    wop_arithmetic(fn, operators[operation], true, changed, wop_reg(operand));
    put_access(fn, WA_MAP_0F | 0xb1, changed, form->size_bytes, true);
    wop_jump_back_if(fn, NOT_EQUAL, again);
    wop_push_register(fn, form->type, RAX);
}

void wop_put_atomic_change(wop_function *fn, const wop_atomic_form *form, wop_atomic_operation operation)
{
    if (operation == WA_ATOMIC_AND || operation == WA_ATOMIC_OR || operation == WA_ATOMIC_XOR)
        put_bits(fn, form, operation);
    else
        put_exchange(fn, form, operation);
}

void wop_put_atomic_compare_exchange(wop_function *fn, const wop_atomic_form *form)
{
    wop_register replacement = pop_beside_rax(fn);
    wop_value expected = wop_pop(fn);
    wop_load_value(fn, RAX, &expected, fn->height);
    wop_drop_address(fn);
    put_access(fn, WA_MAP_0F | 0xb1, replacement, form->size_bytes, true);
    load_bytes(fn, RAX, wop_reg(RAX), form->size_bytes);
    wop_push_register(fn, form->type, RAX);
}

void wop_put_fence(wop_function *fn)
{
    wop_byte(fn, 0x0f); /* mfence */
    wop_byte(fn, 0xae);
    wop_byte(fn, 0xf0);
}
