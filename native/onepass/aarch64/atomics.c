/* Accesses of atomic operators: loads that acquire, stores that release. Operators that read and write are one instruction each
 * where the CPU has LSE, else a loop around a pair of exclusive accesses. */
#include "machine.h"
#include "operators.h"

/* What bits 16 to 20 hold: a register to store, or of the status of an exclusive store. */
enum { RS = 16 };

/* What a loop writes: the value to store, and 0 where it was stored. No operand in memory is encoded meanwhile. */
enum { CHANGED = WA_FIRST, STATUS = WA_SECOND };

/* An access to the address in the scratch register; an opcode has its size on top. */
static void put_access(wop_function *fn, uint32_t opcode, const wop_atomic_form *form, wop_register reg)
{
    wop_put_two(fn, opcode | (uint32_t)__builtin_ctz(form->size_bytes) << 30, reg, WA_SCRATCH);
}

static void put_row(wop_function *fn)
{
    wop_add_row(fn, WA_TRAP_MEMORY_OUT_OF_BOUNDS);
}

void wop_test_sum(wop_function *fn, wop_register reg, uint64_t offset, uint8_t bits)
{
    if (offset & bits) {
        wop_add_constant(fn, WA_SCRATCH, reg, (int64_t)(offset & bits));
        reg = WA_SCRATCH;
    }
    wop_test_bits(fn, reg, bits);
}

/* ---- loads and stores ------------------------------------------------------------------------------------------------------ */

void wop_put_atomic_load(wop_function *fn, const wop_atomic_form *form)
{
    wop_drop_address(fn);
    wop_register to = wop_destination(fn, form->type, NULL);
    put_row(fn);
    put_access(fn, 0x08dffc00, form, to); /* ldar */
    wop_finish(fn, form->type, to);
}

static wop_register pop_operand(wop_function *fn)
{
    wop_value value = wop_pop(fn);
    return wop_to_register(fn, &value, fn->height);
}

void wop_put_atomic_store(wop_function *fn, const wop_atomic_form *form)
{
    wop_register from = pop_operand(fn);
    wop_drop_address(fn);
    put_row(fn);
    put_access(fn, 0x089ffc00, form, from); /* stlr */
}

/* ---- reading and writing --------------------------------------------------------------------------------------------------- */

/* One instruction. It can add and clear bits, neither subtract nor keep them. */
static void put_single(wop_function *fn, const wop_atomic_form *form, wop_atomic_operation operation, wop_register old,
                       wop_register operand)
{
    static const uint32_t opcodes[] = {
        [WA_ATOMIC_ADD] = 0x38e00000, [WA_ATOMIC_SUB] = 0x38e00000, [WA_ATOMIC_AND] = 0x38e01000, [WA_ATOMIC_OR] = 0x38e03000,
        [WA_ATOMIC_XOR] = 0x38e02000, [WA_ATOMIC_EXCHANGE] = 0x38e08000,
    }; /* ldaddal twice, ldclral, ldsetal, ldeoral, swpal */
    if (operation == WA_ATOMIC_SUB || operation == WA_ATOMIC_AND) {
        wop_put_three(fn, operation == WA_ATOMIC_SUB ? 0xcb000000 : 0xaa200000, CHANGED, ZERO, operand); /* neg, mvn */
        operand = CHANGED;
    }
    put_row(fn);
    put_access(fn, opcodes[operation] | (uint32_t)operand << RS, form, old);
}

/* Store a register where nobody has accessed the place since it was loaded, else load it again. */
static void put_exclusive_store(wop_function *fn, const wop_atomic_form *form, wop_register from, uint32_t again)
{
    put_access(fn, 0x0800fc00 | (uint32_t)STATUS << RS, form, from); /* stlxr */
    uint32_t distance = (again - wop_text_offset(fn)) / 4;
    wop_word(fn, 0x35000000 | (distance & 0x7ffff) << 5 | STATUS); /* cbnz */
}

static void put_loop(wop_function *fn, const wop_atomic_form *form, wop_atomic_operation operation, wop_register old,
                     wop_register operand)
{
    static const uint32_t opcodes[] = {
        [WA_ATOMIC_ADD] = 0x8b000000, [WA_ATOMIC_SUB] = 0xcb000000, [WA_ATOMIC_AND] = 0x8a000000,
        [WA_ATOMIC_OR] = 0xaa000000, [WA_ATOMIC_XOR] = 0xca000000, [WA_ATOMIC_EXCHANGE] = 0,
    };
    uint32_t again = wop_text_offset(fn);
    put_row(fn);
    put_access(fn, 0x085ffc00, form, old); /* ldaxr */
    if (operation != WA_ATOMIC_EXCHANGE) {
        wop_put_three(fn, opcodes[operation], CHANGED, old, operand);
        operand = CHANGED;
    }
    put_exclusive_store(fn, form, operand, again);
}

void wop_put_atomic_change(wop_function *fn, const wop_atomic_form *form, wop_atomic_operation operation)
{
    wop_register operand = pop_operand(fn);
    wop_drop_address(fn);
    wop_register old = wop_allocate(fn, false, 0); /* other than the operand's: a loop needs that again */
    if (fn->module->has_lse)
        put_single(fn, form, operation, old, operand);
    else
        put_loop(fn, form, operation, old, operand);
    wop_finish_from(fn, form->type, old);
}

/* Compare the old value with as many low bytes of the expected one. */
static void put_comparison(wop_function *fn, const wop_atomic_form *form, wop_register old, wop_register expected)
{
    uint32_t extension = (uint32_t)__builtin_ctz(form->size_bytes) << 13; /* uxtb, uxth, uxtw, uxtx */
    wop_put_three(fn, 0x6b200000 | extension | wop_sf(form->size_bytes == 8), ZERO, old, expected);
}

void wop_put_atomic_compare_exchange(wop_function *fn, const wop_atomic_form *form)
{
    wop_register replacement = pop_operand(fn);
    wop_value value = wop_pop(fn);
    if (fn->module->has_lse) {
        wop_register old = wop_own(fn, &value, fn->height);
        wop_drop_address(fn);
        put_row(fn);
        put_access(fn, 0x08e0fc00 | (uint32_t)old << RS, form, replacement); /* casal */
        wop_finish_from(fn, form->type, old);
        return;
    }
    uint32_t differ = 0;
    wop_register expected = wop_to_register(fn, &value, fn->height);
    wop_drop_address(fn);
    wop_register old = wop_allocate(fn, false, 0);
    uint32_t again = wop_text_offset(fn);
    put_row(fn);
    put_access(fn, 0x085ffc00, form, old);
    put_comparison(fn, form, old, expected);
    wop_jump_if(fn, NOT_EQUAL, &differ);
    put_exclusive_store(fn, form, replacement, again);
    wop_bind(fn, &differ);
    wop_finish_from(fn, form->type, old);
}

void wop_put_fence(wop_function *fn)
{
    wop_word(fn, 0xd5033bbf); /* dmb ish */
}
