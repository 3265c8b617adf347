/* Traps, and the code behind a function's end that is rarely run. */
#include "machine.h"

void wop_trap(wop_function *fn, uint8_t trap)
{
    wop_add_row(fn, trap);
    wop_put_trap_code(fn, trap);
}

/* Owned by the function; null where there is no memory. */
wop_stub *wop_add_stub(wop_function *fn)
{
    if (!wop_buffer_reserve(&fn->stubs, 1, sizeof(wop_stub)))
        return NULL;
    wop_stub *stub = (wop_stub *)fn->stubs.data + fn->stubs.count++;
    *stub = (wop_stub){.wasm_offset = fn->offset};
    return stub;
}

void wop_trap_if(wop_function *fn, uint8_t condition, uint8_t trap)
{
    wop_stub *last = fn->stubs.count == 0 ? NULL : (wop_stub *)fn->stubs.data + fn->stubs.count - 1;
    if (last == NULL || last->trap != trap || last->wasm_offset != fn->offset) {
        last = wop_add_stub(fn);
        if (last == NULL)
            return;
        last->trap = trap;
    }
    wop_jump_if(fn, condition, &last->fixups);
}

static void move_saved(wop_function *fn, const wop_stub *stub, bool is_loading)
{
    const wop_saved *saved = (const wop_saved *)fn->saved.data + stub->saved;
    for (uint32_t i = 0; i < stub->saved_count; i++) {
        if (saved[i].reg == stub->reg)
            continue;
        if (is_loading)
            wop_load(fn, saved[i].type, saved[i].reg, wop_frame(fn, saved[i].offset));
        else
            wop_store(fn, saved[i].type, wop_frame(fn, saved[i].offset), saved[i].reg);
    }
}

/* Ask the runtime for the record to call, whether a function is of a type, or for an object, and go back with the answer. */
static void put_call(wop_function *fn, const wop_stub *stub)
{
    const wop_register *arguments = wop_integer_arguments;
    wop_add_row(fn, 0);
    move_saved(fn, stub, false);
    if (stub->call != WA_CALL_INDEX(resolve_call)) {
        wop_move(fn, true, arguments[2], stub->index);
        wop_load_constant(fn, WA_I32, arguments[1], stub->number);
    } else {
        wop_move(fn, true, arguments[1], stub->reg);
        wop_load_digest(fn, arguments[2], stub->number);
    }
    wop_load(fn, WA_I64, arguments[0], wop_instance_operand(fn));
    wop_call_entry(fn, stub->call);
    wop_move(fn, true, stub->reg, WA_RESULT);
    move_saved(fn, stub, true);
    wop_jump_to(fn, stub->back);
}

/* Tell the runtime of a reference that is about to be overwritten. */
static void put_note(wop_function *fn, const wop_stub *stub)
{
    wop_add_row(fn, 0);
    move_saved(fn, stub, false);
    wop_push_registers(fn, stub->kept);
    wop_address(fn, wop_integer_arguments[1], stub->place);
    wop_load(fn, WA_I64, wop_integer_arguments[0], wop_instance_operand(fn));
    wop_call_entry(fn, stub->call);
    wop_pop_registers(fn, stub->kept);
    move_saved(fn, stub, true);
    wop_jump_to(fn, stub->back);
}

/* Take another portion of fuel from the store, or trap. The callee keeps all registers but for the one of its result and the
 * scratch register; those that pass its arguments are kept here. */
static void put_fuel_call(wop_function *fn, const wop_stub *stub)
{
    const wop_register *arguments = wop_integer_arguments;
    wop_move_to moves[3];
    uint32_t count = 0;
    wop_push_registers(fn, stub->kept);
    if (fn->instance != WA_NO_REGISTER)
        moves[count++] = (wop_move_to){arguments[0], fn->instance, true};
    if (fn->portion != WA_NO_REGISTER)
        moves[count++] = (wop_move_to){arguments[1], fn->portion, true};
    if (stub->reg != WA_NO_REGISTER)
        moves[count++] = (wop_move_to){arguments[2], stub->reg, true};
    wop_move_all(fn, moves, count);
    if (fn->instance == WA_NO_REGISTER)
        wop_load(fn, WA_I64, arguments[0], wop_instance_operand(fn));
    if (fn->portion == WA_NO_REGISTER)
        wop_load(fn, WA_I64, arguments[1], wop_portion_operand(fn));
    if (stub->reg == WA_NO_REGISTER)
        wop_load_constant(fn, WA_I32, arguments[2], stub->number);
    wop_add_row(fn, 0);
    wop_call_function(fn, (uint32_t)WA_ONEPASS_TAKE_FUEL);
    wop_move(fn, true, WA_SCRATCH, WA_RESULT);
    wop_pop_registers(fn, stub->kept);
    wop_store(fn, WA_I64, wop_portion_operand(fn), WA_SCRATCH);
    wop_jump_to(fn, stub->back);
}

void wop_stubs_out(wop_function *fn)
{
    for (uint32_t i = 0; i < fn->stubs.count; i++) {
        wop_stub stub = ((wop_stub *)fn->stubs.data)[i];
        fn->offset = stub.wasm_offset;
        wop_bind(fn, &stub.fixups);
        if (stub.trap != 0)
            wop_trap(fn, stub.trap);
        else if (stub.call == WA_TAKE_FUEL)
            put_fuel_call(fn, &stub);
        else if (stub.call == WA_CALL_INDEX(reference_changes))
            put_note(fn, &stub);
        else
            put_call(fn, &stub);
    }
}
