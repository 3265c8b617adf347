/* Tail calls (spec section 4.4.8.13): the callee takes the caller's place, so that the frame is gone when it begins. */
#include "machine.h"

/* All arguments are in place; WA_TARGET has the code. */
static void jump_to_code(wop_function *fn)
{
    wop_leave_frame(fn);
    wop_jump_register(fn, WA_TARGET);
}

static void jump_to_function(wop_function *fn, uint32_t func_index)
{
    wop_pass_arguments(fn, fn->module->function_types[func_index], true, WA_NO_REGISTER, 0);
    wop_leave_frame(fn);
    wop_jump_function(fn, func_index);
}

/* To what a pair of code and context names, which is called as in C: nothing of the type spills. */
static void jump_outside(wop_function *fn, uint32_t type, wop_register base, size_t code, size_t context)
{
    wop_pass_arguments(fn, type, true, base, (int32_t)context);
    wop_load(fn, WA_I64, WA_TARGET, wop_memory(base, (int32_t)code));
    jump_to_code(fn);
}

/* To the function of a record in WA_CALLEE, of any artifact or the host. Where values spill, functions with this convention have a code
 * of their own; others get a trampoline, with the record as context. */
static void jump_to_record(wop_function *fn, uint32_t type)
{
    uint32_t is_inside = 0;
    if (!wop_spills(fn->module, type)) {
        jump_outside(fn, type, WA_CALLEE, offsetof(struct wa_schema_function_record, code),
                     offsetof(struct wa_schema_function_record, context));
        return;
    }
    wop_pass_arguments(fn, type, true, WA_CALLEE, offsetof(struct wa_schema_function_record, instance));
    wop_load(fn, WA_I64, WA_TARGET, wop_memory(WA_CALLEE, offsetof(struct wa_schema_function_record, tail_code)));
    wop_test(fn, true, WA_TARGET);
    wop_jump_if(fn, NOT_EQUAL, &is_inside);
    wop_load_outward(fn, WA_TARGET, fn->module->canonical[type]);
    wop_move(fn, true, wop_integer_arguments[0], WA_CALLEE);
    wop_bind(fn, &is_inside);
    jump_to_code(fn);
}

static void put_return_call(wop_function *fn)
{
    uint32_t func_index = wop_read_u32(&fn->reader), type;
    if (func_index >= fn->module->function_count) {
        fn->has_failed = true;
        return;
    }
    type = fn->module->function_types[func_index];
    if (func_index >= fn->module->imported_functions) {
        jump_to_function(fn, func_index);
    } else if (wop_spills(fn->module, type)) {
        wop_imported_record(fn, func_index);
        jump_to_record(fn, type);
    } else {
        int32_t slot;
        wop_register base = wop_import_slot(fn, func_index, &slot);
        jump_outside(fn, type, base, (size_t)slot + offsetof(struct wa_schema_import_slot, code),
                     (size_t)slot + offsetof(struct wa_schema_import_slot, context));
    }
}

/* To a function of the module, whose code WA_CALLEE has. */
static void jump_to_own(wop_function *fn, uint32_t type)
{
    wop_pass_arguments(fn, type, true, WA_NO_REGISTER, 0);
    wop_move(fn, true, WA_TARGET, WA_CALLEE);
    jump_to_code(fn);
}

void wop_tail_call(wop_function *fn)
{
    uint32_t type;
    if (fn->opcode == WA_OP_RETURN_CALL) {
        put_return_call(fn);
    } else {
        wop_callee what =
            fn->opcode == WA_OP_RETURN_CALL_INDIRECT ? wop_indexed_callee(fn, &type) : wop_referenced_callee(fn, &type);
        if (what == WA_RECORD)
            jump_to_record(fn, type);
        else if (what == WA_CODE)
            jump_to_own(fn, type);
    }
    if (!fn->has_failed)
        wop_die(fn);
}
