/* Atomic operators (threads proposal): sequentially consistent, and trapping where an address is not aligned.
 *
 * The address of an access is in the scratch register; what comes between it and the access must leave that alone. On a memory
 * that is not shared, waiting traps, and since nobody waits, nobody is woken; on a shared one the runtime does both. */
#include "machine.h"
#include "operators.h"

/* In the order of opcodes, for each operation. */
static const wop_atomic_form forms[] = {
    {WA_I32, 4}, {WA_I64, 8}, {WA_I32, 1}, {WA_I32, 2}, {WA_I64, 1}, {WA_I64, 2}, {WA_I64, 4},
};
enum { FORMS = sizeof forms / sizeof forms[0] };

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
        wop_test_sum(fn, address.reg, at.offset, (uint8_t)(size_bytes - 1));
        wop_trap_if(fn, NOT_EQUAL, WA_TRAP_UNALIGNED_ATOMIC);
    }
    wop_address(fn, WA_SCRATCH, wop_effective(fn, &address, height, at, size_bytes));
    fn->locked = 0;
}

/* ---- notify and wait ------------------------------------------------------------------------------------------------- */

/* Trap where an access would. */
static void probe(wop_function *fn, wop_argument at, uint32_t operands, uint32_t size_bytes)
{
    load_address(fn, at, operands - 1, size_bytes);
    wop_add_row(fn, WA_TRAP_MEMORY_OUT_OF_BOUNDS);
    wop_load(fn, size_bytes == 8 ? WA_I64 : WA_I32, WA_SCRATCH, wop_memory(WA_SCRATCH, 0));
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

/* ---- all of them ----------------------------------------------------------------------------------------------------- */

static void put_access(wop_function *fn, const wop_atomic_form *form, wop_atomic_operation operation)
{
    uint32_t below = operation == WA_ATOMIC_LOAD ? 0 : operation == WA_ATOMIC_COMPARE_EXCHANGE ? 2 : 1;
    load_address(fn, wop_read_argument(fn), below, form->size_bytes);
    switch (operation) {
    case WA_ATOMIC_LOAD:
        wop_put_atomic_load(fn, form);
        return;
    case WA_ATOMIC_STORE:
        wop_put_atomic_store(fn, form);
        return;
    case WA_ATOMIC_COMPARE_EXCHANGE:
        wop_put_atomic_compare_exchange(fn, form);
        return;
    default:
        wop_put_atomic_change(fn, form, operation);
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
        wop_skip_immediate(&fn->reader, fn->opcode);
        wop_put_fence(fn);
        return;
    default: {
        uint32_t position = fn->opcode - WA_OP_I32_ATOMIC_LOAD;
        put_access(fn, &forms[position % FORMS], (wop_atomic_operation)(position / FORMS));
    }
    }
}
