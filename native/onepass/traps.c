/* Traps, rows of the address map, and the code behind a function's end that is rarely run. */
#include "machine.h"

/* From here on, code stands for the current operator and can raise this trap; 0: none, but it may call. */
void wop_add_row(wop_function *fn, uint8_t trap)
{
    wop_unit *unit = fn->unit;
    if (fn->last_row == fn->offset && fn->last_row_trap == trap)
        return;
    wop_push_u32(&unit->row_text_offsets, wop_text_offset(fn));
    wop_push_u32(&unit->row_wasm_offsets, fn->offset);
    wop_push_u8(&unit->row_traps, trap);
    fn->last_row = fn->offset;
    fn->last_row_trap = trap;
}

/* ud1 with the code as displacement, as the runtime's handler of signals reads it. */
void wop_put_trap_code(wop_function *fn, uint8_t trap)
{
    wop_word(fn, 0x40b90f67);
    wop_byte(fn, trap);
}

static void put_trap(wop_function *fn, uint8_t trap)
{
    wop_add_row(fn, trap);
    wop_put_trap_code(fn, trap);
}

void wop_trap(wop_function *fn, uint8_t trap)
{
    put_trap(fn, trap);
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
            wop_load(fn, saved[i].type, saved[i].reg, wop_memory(RBP, saved[i].offset));
        else
            wop_store(fn, saved[i].type, wop_memory(RBP, saved[i].offset), saved[i].reg);
    }
}

/* Ask the runtime for the record to call, whether a function is of a type, or for an object, and go back with the answer. */
static void put_call(wop_function *fn, const wop_stub *stub)
{
    wop_add_row(fn, 0);
    move_saved(fn, stub, false);
    if (stub->call != WA_CALL_INDEX(resolve_call)) {
        wop_move(fn, true, RDX, stub->index);
        wop_load_constant(fn, WA_I32, RSI, stub->number);
    } else {
        wop_move(fn, true, RSI, stub->reg);
        wop_load_digest(fn, RDX, stub->number);
    }
    wop_load(fn, WA_I64, RDI, wop_instance_operand(fn));
    wop_load(fn, WA_I64, RAX, wop_memory(RDI, offsetof(struct wa_schema_instance, calls)));
    wop_x86(fn, 0xff, 2, wop_memory(RAX, (int32_t)stub->call * 8));
    wop_move(fn, true, stub->reg, RAX);
    move_saved(fn, stub, true);
    wop_byte(fn, 0xe9);
    wop_word(fn, stub->back - (wop_text_offset(fn) + 4));
}

/* Push or pop a set of registers, and keep the stack aligned. */
static void move_kept(wop_function *fn, uint32_t kept, bool is_popping)
{
    bool is_odd = __builtin_popcount(kept) % 2 != 0;
    if (is_odd && !is_popping)
        wop_byte(fn, 0x50); /* push rax */
    for (int i = 0; i < WA_VECTORS; i++) {
        wop_register reg = (wop_register)(is_popping ? WA_VECTORS - 1 - i : i);
        if (!(kept & WA_SET(reg)))
            continue;
        if (reg >= R8)
            wop_byte(fn, 0x41);
        wop_byte(fn, (uint8_t)((is_popping ? 0x58 : 0x50) | (reg & 7)));
    }
    if (is_odd && is_popping)
        wop_arithmetic_constant(fn, WA_ADD, true, wop_reg(RSP), WA_SLOT_BYTES);
}

/* Tell the runtime of a reference that is about to be overwritten. */
static void put_note(wop_function *fn, const wop_stub *stub)
{
    wop_add_row(fn, 0);
    move_saved(fn, stub, false);
    move_kept(fn, stub->kept, false);
    wop_x86(fn, 0x8d | WA_WIDE, RSI, stub->place); /* lea */
    wop_load(fn, WA_I64, RDI, wop_instance_operand(fn));
    wop_load(fn, WA_I64, RAX, wop_memory(RDI, offsetof(struct wa_schema_instance, calls)));
    wop_x86(fn, 0xff, 2, wop_memory(RAX, (int32_t)stub->call * 8));
    move_kept(fn, stub->kept, true);
    move_saved(fn, stub, true);
    wop_byte(fn, 0xe9);
    wop_word(fn, stub->back - (wop_text_offset(fn) + 4));
}

/* Take another portion of fuel from the store, or trap. The callee keeps all registers but for the one of its result and the
 * scratch register; those that pass its arguments are kept here. */
static void put_fuel_call(wop_function *fn, const wop_stub *stub)
{
    static const wop_register kept[] = {RAX, RDX, RSI, RDI};
    enum { KEPT = sizeof kept / sizeof kept[0] };
    wop_move_to moves[3];
    uint32_t count = 0;
    for (int i = 0; i < KEPT; i++)
        wop_byte(fn, (uint8_t)(0x50 | kept[i])); /* push */
    if (fn->instance != WA_NO_REGISTER)
        moves[count++] = (wop_move_to){RDI, fn->instance, true};
    if (fn->portion != WA_NO_REGISTER)
        moves[count++] = (wop_move_to){RSI, fn->portion, true};
    if (stub->reg != WA_NO_REGISTER)
        moves[count++] = (wop_move_to){RDX, stub->reg, true};
    wop_move_all(fn, moves, count);
    if (fn->instance == WA_NO_REGISTER)
        wop_load(fn, WA_I64, RDI, wop_instance_operand(fn));
    if (fn->portion == WA_NO_REGISTER)
        wop_load(fn, WA_I64, RSI, wop_portion_operand(fn));
    if (stub->reg == WA_NO_REGISTER)
        wop_load_constant(fn, WA_I32, RDX, stub->number);
    wop_add_row(fn, 0);
    wop_byte(fn, 0xe8);
    wop_push_u32(&fn->unit->call_offsets, wop_text_offset(fn));
    wop_push_u32(&fn->unit->call_functions, (uint32_t)WA_ONEPASS_TAKE_FUEL);
    wop_word(fn, 0);
    wop_move(fn, true, WA_SCRATCH, RAX);
    for (int i = KEPT; i > 0; i--)
        wop_byte(fn, (uint8_t)(0x58 | kept[i - 1])); /* pop */
    wop_store(fn, WA_I64, wop_portion_operand(fn), WA_SCRATCH);
    wop_byte(fn, 0xe9);
    wop_word(fn, stub->back - (wop_text_offset(fn) + 4));
}

void wop_stubs_out(wop_function *fn)
{
    for (uint32_t i = 0; i < fn->stubs.count; i++) {
        wop_stub stub = ((wop_stub *)fn->stubs.data)[i];
        fn->offset = stub.wasm_offset;
        wop_bind(fn, &stub.fixups);
        if (stub.trap != 0)
            put_trap(fn, stub.trap);
        else if (stub.call == WA_TAKE_FUEL)
            put_fuel_call(fn, &stub);
        else if (stub.call == WA_CALL_INDEX(reference_changes))
            put_note(fn, &stub);
        else
            put_call(fn, &stub);
    }
}
