/* Float operators (spec section 4.3.3) and conversions between integers and floats (section 4.3.4): which one it is, and what all
 * machines have in common. */
#include "machine.h"
#include "operators.h"

void wop_float(wop_function *fn)
{
    uint32_t opcode = fn->opcode;
    if (opcode >= WA_OP_F32_EQ && opcode <= WA_OP_F32_GE)
        wop_put_float_comparison(fn, false, opcode - WA_OP_F32_EQ);
    else if (opcode >= WA_OP_F64_EQ && opcode <= WA_OP_F64_GE)
        wop_put_float_comparison(fn, true, opcode - WA_OP_F64_EQ);
    else if (opcode <= WA_OP_F32_COPYSIGN)
        wop_put_float_operator(fn, false, opcode - WA_OP_F32_ABS);
    else
        wop_put_float_operator(fn, true, opcode - WA_OP_F64_ABS);
}

/* ---- to integers ------------------------------------------------------------------------------------------------------------ */

static wop_register pop_to_register(wop_function *fn)
{
    wop_value value = wop_pop(fn);
    return wop_to_register(fn, &value, fn->height);
}

static void truncate(wop_function *fn, bool is_wide, bool is_signed, bool is_double)
{
    wop_bounds allowed = wop_bounds_of(is_wide, is_signed, is_double);
    wop_register from = pop_to_register(fn), to = wop_allocate(fn, false, 0);
    wop_compare_float(fn, is_double, from, allowed.lower);
    wop_trap_if(fn, UNORDERED, WA_TRAP_INVALID_CONVERSION_TO_INTEGER);
    wop_trap_if(fn, allowed.includes_lower ? BELOW : BELOW_EQUAL, WA_TRAP_INTEGER_OVERFLOW);
    wop_compare_float(fn, is_double, from, allowed.upper);
    wop_trap_if(fn, ABOVE_EQUAL, WA_TRAP_INTEGER_OVERFLOW);
    wop_put_float_truncation(fn, is_wide, is_signed, is_double, from, to);
    wop_finish_from(fn, is_wide ? WA_I64 : WA_I32, to);
}

/* ---- between types of one size or kind -------------------------------------------------------------------------------------- */

/* Between f32 and f64. */
static void resize(wop_function *fn, bool to_double)
{
    uint8_t type = wop_float_type(to_double);
    wop_value value = wop_pop(fn);
    wop_register from = wop_to_register(fn, &value, fn->height), to = wop_destination(fn, type, &value);
    wop_put_float_resizing(fn, to_double, to, from);
    wop_finish(fn, type, to);
}

static void reinterpret(wop_function *fn, uint8_t to_type)
{
    wop_value value = wop_pop(fn);
    if (value.place == WA_CONSTANT) {
        wop_push_constant(fn, to_type, value.bits);
        return;
    }
    wop_operand from = wop_operand_of(fn, &value, fn->height);
    wop_register to = wop_destination(fn, to_type, NULL);
    if (from.kind == WA_IN_REGISTER)
        wop_move_bits(fn, wop_is_wide(to_type), to, from.reg);
    else
        wop_load(fn, to_type, to, from);
    wop_finish(fn, to_type, to);
}

/* ---- all conversions -------------------------------------------------------------------------------------------------------- */

void wop_convert(wop_function *fn)
{
    uint32_t opcode = fn->opcode;
    if (opcode >= WA_OP_I32_TRUNC_SAT_F32_S) {
        uint32_t position = opcode - WA_OP_I32_TRUNC_SAT_F32_S;
        wop_put_float_saturation(fn, position >= 4, position % 2 == 0, position / 2 % 2 == 1, pop_to_register(fn));
        return;
    }
    if (opcode >= WA_OP_I32_TRUNC_F32_S && opcode <= WA_OP_I32_TRUNC_F64_U) {
        truncate(fn, false, opcode % 2 == 0, opcode >= WA_OP_I32_TRUNC_F64_S);
        return;
    }
    if (opcode >= WA_OP_I64_TRUNC_F32_S && opcode <= WA_OP_I64_TRUNC_F64_U) {
        truncate(fn, true, opcode % 2 == 0, opcode >= WA_OP_I64_TRUNC_F64_S);
        return;
    }
    if (opcode >= WA_OP_F32_CONVERT_I32_S && opcode <= WA_OP_F32_CONVERT_I64_U) {
        wop_put_float_conversion(fn, opcode >= WA_OP_F32_CONVERT_I64_S, opcode % 2 == 0, false, pop_to_register(fn));
        return;
    }
    if (opcode >= WA_OP_F64_CONVERT_I32_S && opcode <= WA_OP_F64_CONVERT_I64_U) {
        wop_put_float_conversion(fn, opcode >= WA_OP_F64_CONVERT_I64_S, opcode % 2 == 1, true, pop_to_register(fn));
        return;
    }
    static const uint8_t reinterpreted[] = {WA_I32, WA_I64, WA_F32, WA_F64};
    if (opcode == WA_OP_F32_DEMOTE_F64 || opcode == WA_OP_F64_PROMOTE_F32)
        resize(fn, opcode == WA_OP_F64_PROMOTE_F32);
    else
        reinterpret(fn, reinterpreted[opcode - WA_OP_I32_REINTERPRET_F32]);
}
