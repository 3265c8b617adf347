/* Parametric, variable, reference and table operators (spec sections 4.4.1, 4.4.4 to 4.4.6). */
#include "machine.h"

/* ---- locals ---------------------------------------------------------------------------------------------------------- */

static bool is_same_local(const wop_value *value, uint32_t local)
{
    return value->place == WA_LOCAL && value->local == local;
}

static void set_local(wop_function *fn, uint32_t index, bool keeps)
{
    wop_value value = wop_pop(fn);
    uint32_t height = fn->height;
    if (is_same_local(&value, index)) {
        if (keeps)
            wop_push_local(fn, index);
        return;
    }
    wop_settle_local(fn, index);
    wop_local *local = wop_locals(fn) + index;
    local->is_stored = false;
    if (local->home != WA_NO_REGISTER)
        wop_load_value(fn, local->home, &value, height);
    else
        wop_store_value(fn, wop_frame(fn, local->offset), &value, height);
    if (!keeps)
        return;
    if (local->home == WA_NO_REGISTER && value.place == WA_REGISTER)
        wop_push_register(fn, value.type, value.reg);
    else if (value.place == WA_CONSTANT)
        wop_push_constant(fn, value.type, value.bits);
    else
        wop_push_local(fn, index);
}

/* ---- globals ---------------------------------------------------------------------------------------------------------- */

static uint8_t global_type(const wa_onepass_global *global)
{
    return wop_type_of(global->letter);
}

/* The cell, by way of the scratch register where it is imported. */
static wop_operand cell(wop_function *fn, const wa_onepass_global *global)
{
    wop_register instance = wop_instance(fn);
    if (!global->is_imported)
        return wop_memory(instance, (int32_t)global->offset);
    wop_load(fn, WA_I64, WA_SCRATCH, wop_memory(instance, (int32_t)global->offset));
    return wop_memory(WA_SCRATCH, 0);
}

static void get_global(wop_function *fn, const wa_onepass_global *global)
{
    uint8_t type = global_type(global);
    if (global->is_constant) {
        if (type == WA_V128)
            wop_push_vector(fn, global->bits, global->high);
        else
            wop_push_constant(fn, type, global->bits);
        return;
    }
    wop_operand from = cell(fn, global);
    wop_register to = wop_destination(fn, type, NULL);
    wop_load(fn, type, to, from);
    wop_finish(fn, type, to);
}

static void set_global(wop_function *fn, const wa_onepass_global *global)
{
    wop_value value = wop_pop(fn);
    uint32_t height = fn->height;
    if (!wop_is_small(&value)) { /* before the scratch register is taken */
        wop_register reg = wop_to_register(fn, &value, height);
        value.place = WA_REGISTER;
        value.reg = reg;
    }
    wop_store_value(fn, cell(fn, global), &value, height);
}

/* ---- select ------------------------------------------------------------------------------------------------------------- */

/* to = condition ? to : b */
static void put_choice(wop_function *fn, uint8_t condition, uint8_t type, wop_register to, const wop_value *b, uint32_t height)
{
    if (wop_can_choose(condition, type)) {
        wop_choose(fn, condition, type, to, wop_operand_of(fn, b, height));
        return;
    }
    uint32_t chosen = 0;
    wop_jump_if(fn, condition, &chosen);
    wop_load_value(fn, to, b, height);
    wop_bind(fn, &chosen);
}

static void put_select(wop_function *fn)
{
    wop_value test = wop_pop(fn);
    uint8_t condition = test.reg;
    wop_value b = wop_pop(fn), a = wop_pop(fn);
    uint32_t height = fn->height;
    if (test.place != WA_CONDITION) {
        wop_operand at = wop_operand_of(fn, &test, height + 2);
        if (at.kind == WA_IN_REGISTER)
            wop_test(fn, false, at.reg);
        else
            wop_arithmetic_constant(fn, WA_CMP, false, at, 0);
        condition = NOT_EQUAL;
    }
    wop_register to = wop_destination(fn, a.type, &a);
    wop_operand at_b = b.place == WA_CONSTANT ? wop_memory(WA_FRAME, 0) : wop_operand_of(fn, &b, height + 1);
    bool b_is_there = at_b.kind == WA_IN_REGISTER && at_b.reg == to;
    if (b_is_there && !(a.place == WA_LOCAL && is_same_local(&b, a.local))) {
        put_choice(fn, condition ^ 1, a.type, to, &a, height);
    } else {
        if (b.place == WA_CONSTANT && !wop_is_vector(b.type)) { /* no instruction that chooses has an immediate */
            wop_register reg = wop_to_register(fn, &b, height + 1);
            b.place = WA_REGISTER;
            b.reg = reg;
        }
        wop_load_value(fn, to, &a, height);
        put_choice(fn, condition, a.type, to, &b, height + 1);
    }
    wop_finish(fn, a.type, to);
}

/* ---- references ------------------------------------------------------------------------------------------------------------ */

static void is_null(wop_function *fn)
{
    wop_value value = wop_pop(fn);
    wop_register reg = wop_to_register(fn, &value, fn->height);
    wop_test(fn, true, reg);
    wop_push_comparison(fn, EQUAL);
}

static void as_non_null(wop_function *fn)
{
    wop_value value = wop_pop(fn);
    wop_register reg = wop_to_register(fn, &value, fn->height);
    wop_test(fn, true, reg);
    wop_trap_if(fn, EQUAL, WA_TRAP_NULL_REFERENCE);
    if (value.place == WA_LOCAL)
        wop_push_local(fn, value.local);
    else
        wop_push_register(fn, WA_I64, reg);
}

/* ---- all of them ------------------------------------------------------------------------------------------------------------ */

static void put_local(wop_function *fn)
{
    uint32_t index = wop_read_u32(&fn->reader);
    if (index >= fn->local_count) {
        fn->has_failed = true;
        return;
    }
    if (fn->opcode == WA_OP_LOCAL_GET)
        wop_push_local(fn, index);
    else
        set_local(fn, index, fn->opcode == WA_OP_LOCAL_TEE);
}

static void put_global(wop_function *fn)
{
    uint32_t index = wop_read_u32(&fn->reader);
    if (index >= fn->module->global_count) {
        fn->has_failed = true;
        return;
    }
    const wa_onepass_global *global = &fn->module->globals[index];
    if (fn->opcode == WA_OP_GLOBAL_GET)
        get_global(fn, global);
    else
        set_global(fn, global);
}

void wop_variable(wop_function *fn)
{
    switch (fn->opcode) {
    case WA_OP_DROP:
        wop_pop(fn);
        return;
    case WA_OP_SELECT_TYPED:
        wop_skip_immediate(&fn->reader, fn->opcode);
        put_select(fn);
        return;
    case WA_OP_SELECT:
        put_select(fn);
        return;
    case WA_OP_LOCAL_GET:
    case WA_OP_LOCAL_SET:
    case WA_OP_LOCAL_TEE:
        put_local(fn);
        return;
    case WA_OP_GLOBAL_GET:
    case WA_OP_GLOBAL_SET:
        put_global(fn);
        return;
    case WA_OP_REF_NULL:
        wop_read_signed(&fn->reader);
        wop_push_constant(fn, WA_I64, 0);
        return;
    case WA_OP_REF_IS_NULL:
        is_null(fn);
        return;
    case WA_OP_REF_EQ: /* references are equal where their bits are */
        fn->opcode = WA_OP_I64_EQ;
        wop_integer(fn);
        return;
    case WA_OP_REF_AS_NON_NULL:
        as_non_null(fn);
        return;
    case WA_OP_REF_FUNC: {
        uint32_t index = wop_read_u32(&fn->reader);
        wop_call_runtime(fn, WA_CALL_INDEX(function_reference), &index, 1, 0, WA_I64);
        return;
    }
    default:
        fn->has_failed = true;
    }
}
