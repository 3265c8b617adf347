/* Atomic operators (threads proposal): sequentially consistent, and trapping where an address is not aligned.
 *
 * The address of an access is in the scratch register; what comes between it and the access must leave that alone. On a memory
 * that is not shared, waiting traps, and since nobody waits, nobody is woken; on a shared one the runtime does both. */
#include "machine.h"

enum { LOCK = 0xf0 };

typedef struct {
    uint8_t type, size_bytes;
} atomic_form;

/* In the order of opcodes, for each operation. */
static const atomic_form forms[] = {
    {WA_I32, 4}, {WA_I64, 8}, {WA_I32, 1}, {WA_I32, 2}, {WA_I64, 1}, {WA_I64, 2}, {WA_I64, 4},
};
enum { FORMS = sizeof forms / sizeof forms[0] };
enum operation { LOAD, STORE, ADD, SUB, AND, OR, XOR, XCHG, CMPXCHG };

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

/* ---- addresses ------------------------------------------------------------------------------------------------------- */

/* The address of an access, so many values below the top of the stack, goes to the scratch register. Values stay where they are. */
static void load_address(wop_function *fn, wop_argument at, uint32_t below, uint32_t size_bytes)
{
    if (fn->has_failed || fn->height <= below) {
        fn->has_failed = true;
        return;
    }
    uint32_t height = fn->height - 1 - below;
    wop_value address = wop_values(fn)[height];
    if (address.place == WA_REGISTER)
        fn->locked |= WA_SET(address.reg);
    address.reg = wop_to_register(fn, &address, height);
    address.place = WA_REGISTER;
    if (size_bytes > 1) {
        wop_x86(fn, 0x8d | WA_WIDE, WA_SCRATCH, wop_memory(address.reg, (int32_t)(uint32_t)at.offset)); /* low bits are right */
        wop_x86_imm8(fn, 0xf6 | WA_BYTE_RM, 0, wop_reg(WA_SCRATCH), (uint8_t)(size_bytes - 1));
        wop_trap_if(fn, NOT_EQUAL, WA_TRAP_UNALIGNED_ATOMIC);
    }
    wop_x86(fn, 0x8d | WA_WIDE, WA_SCRATCH, wop_effective(fn, &address, height, at, size_bytes));
    fn->locked = 0;
}

/* The address is in the scratch register: its value goes. */
static void drop_address(wop_function *fn)
{
    uint32_t locked = fn->locked;
    wop_pop(fn);
    fn->locked = locked;
}

/* ---- operators ------------------------------------------------------------------------------------------------------- */

static void put_load(wop_function *fn, const atomic_form *form)
{
    load_address(fn, wop_read_argument(fn), 0, form->size_bytes);
    drop_address(fn);
    wop_register to = wop_allocate(fn, false, 0);
    wop_add_row(fn, WA_TRAP_MEMORY_OUT_OF_BOUNDS);
    load_bytes(fn, to, wop_memory(WA_SCRATCH, 0), form->size_bytes);
    wop_push_register(fn, form->type, to);
}

/* Store, exchange, add, subtract: one instruction, which has the old value in the operand's register afterwards. */
static void put_exchange(wop_function *fn, const atomic_form *form, enum operation operation)
{
    bool adds = operation == ADD || operation == SUB;
    load_address(fn, wop_read_argument(fn), 1, form->size_bytes);
    wop_value value = wop_pop(fn);
    wop_register reg = wop_own(fn, &value, fn->height);
    drop_address(fn);
    if (operation == SUB)
        wop_x86(fn, 0xf7 | WA_WIDE, 3, wop_reg(reg)); /* neg */
    put_access(fn, adds ? WA_MAP_0F | 0xc1 : 0x87, reg, form->size_bytes, adds);
    if (operation == STORE)
        return;
    if (form->size_bytes <= 2)
        load_bytes(fn, reg, wop_reg(reg), form->size_bytes);
    wop_push_register(fn, form->type, reg);
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
static void put_bits(wop_function *fn, const atomic_form *form, enum operation operation)
{
    static const uint8_t operators[] = {[AND] = WA_AND, [OR] = WA_OR, [XOR] = WA_XOR};
    load_address(fn, wop_read_argument(fn), 1, form->size_bytes);
    wop_register operand = pop_beside_rax(fn);
    drop_address(fn);
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

static void put_compare_exchange(wop_function *fn, const atomic_form *form)
{
    load_address(fn, wop_read_argument(fn), 2, form->size_bytes);
    wop_register replacement = pop_beside_rax(fn);
    wop_value expected = wop_pop(fn);
    wop_load_value(fn, RAX, &expected, fn->height);
    drop_address(fn);
    put_access(fn, WA_MAP_0F | 0xb1, replacement, form->size_bytes, true);
    load_bytes(fn, RAX, wop_reg(RAX), form->size_bytes);
    wop_push_register(fn, form->type, RAX);
}

/* Trap where an access would. */
static void probe(wop_function *fn, wop_argument at, uint32_t operands, uint32_t size_bytes)
{
    load_address(fn, at, operands - 1, size_bytes);
    wop_add_row(fn, WA_TRAP_MEMORY_OUT_OF_BOUNDS);
    load_bytes(fn, WA_SCRATCH, wop_memory(WA_SCRATCH, 0), size_bytes);
    for (; operands > 0; operands--)
        wop_pop(fn);
}

/* On a shared memory: call the runtime, which looks at the address. */
static void call_runtime(wop_function *fn, size_t call, wop_argument at, uint32_t operands)
{
    const uint32_t numbers[] = {at.memory, (uint32_t)at.offset};
    fn->has_failed |= at.offset > UINT32_MAX; /* LLVM's side has it */
    wop_call_runtime(fn, call, numbers, 2, operands, WA_I32);
}

static void put_notify(wop_function *fn)
{
    wop_argument at = wop_read_argument(fn);
    if (!fn->has_failed && fn->module->memories[at.memory].is_shared) {
        call_runtime(fn, WA_CALL_INDEX(memory_notify), at, 2);
        return;
    }
    probe(fn, at, 2, 4);
    wop_push_constant(fn, WA_I32, 0);
}

static void put_wait(wop_function *fn, size_t call, uint32_t size_bytes)
{
    wop_argument at = wop_read_argument(fn);
    if (!fn->has_failed && fn->module->memories[at.memory].is_shared) {
        call_runtime(fn, call, at, 3);
        return;
    }
    probe(fn, at, 3, size_bytes);
    wop_trap(fn, WA_TRAP_EXPECTED_SHARED_MEMORY);
    wop_push_constant(fn, WA_I32, 0);
}

static void put_fence(wop_function *fn)
{
    wop_skip_immediate(&fn->reader, fn->opcode);
    wop_byte(fn, 0x0f); /* mfence */
    wop_byte(fn, 0xae);
    wop_byte(fn, 0xf0);
}

static void put_form(wop_function *fn, const atomic_form *form, enum operation operation)
{
    switch (operation) {
    case LOAD:
        put_load(fn, form);
        return;
    case AND:
    case OR:
    case XOR:
        put_bits(fn, form, operation);
        return;
    case CMPXCHG:
        put_compare_exchange(fn, form);
        return;
    default:
        put_exchange(fn, form, operation);
    }
}

void wop_atomic(wop_function *fn)
{
    switch (fn->opcode) {
    case WA_OP_MEMORY_ATOMIC_NOTIFY:
        put_notify(fn);
        return;
    case WA_OP_MEMORY_ATOMIC_WAIT32:
        put_wait(fn, WA_CALL_INDEX(memory_wait32), 4);
        return;
    case WA_OP_MEMORY_ATOMIC_WAIT64:
        put_wait(fn, WA_CALL_INDEX(memory_wait64), 8);
        return;
    case WA_OP_ATOMIC_FENCE:
        put_fence(fn);
        return;
    default: {
        uint32_t position = fn->opcode - WA_OP_I32_ATOMIC_LOAD;
        put_form(fn, &forms[position % FORMS], (enum operation)(position / FORMS));
    }
    }
}
