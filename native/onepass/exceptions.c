/* Exceptions (spec sections 4.4.8.5 to 4.4.8.8) and their legacy encoding.
 *
 * A thrown exception waits in a cell of the store while functions return, one after the other: after each call they look there,
 * and jump to the landing of the innermost try block around, or to the end of the function. Landings are where a block's end or
 * first catch is: values that the block does not own are in slots since it began, and locals in their homes. An arm that compares
 * the tag finds the exception in the cell still; caught, it goes through WA_RESULT. */
#include "machine.h"

enum { SLOT_BYTES = 8 };

/* ---- the pending exception ------------------------------------------------------------------------------------------- */

/* The store's cell, by way of the scratch register. Another store's, should a call have joined two of them. */
static wop_operand pending_cell(wop_function *fn)
{
    wop_load(fn, WA_I64, WA_SCRATCH, wop_instance_operand(fn));
    wop_load(fn, WA_I64, WA_SCRATCH, wop_memory(WA_SCRATCH, offsetof(struct wa_schema_instance, exception)));
    return wop_memory(WA_SCRATCH, 0);
}

/* An exception in a register becomes the pending one, and goes to the innermost landing. */
static void raise_exception(wop_function *fn, wop_register exception)
{
    wop_store(fn, WA_I64, pending_cell(fn), exception);
    wop_jump(fn, wop_landing(fn, fn->labels.count));
    wop_die(fn);
}

/* Where an exception is in a register, the place of its next value. offset: of that, behind the head at first. */
static wop_operand next_value(wop_register exception, uint8_t letter, int32_t *offset)
{
    wop_operand place = wop_memory(exception, *offset);
    *offset += SLOT_BYTES * (1 + (wop_type_of(letter) == WA_V128));
    return place;
}

static wop_types tag_values(wop_function *fn, uint32_t tag)
{
    const wa_onepass_module *module = fn->module;
    if (tag >= module->tag_count) {
        fn->has_failed = true;
        return (wop_types){0};
    }
    return wop_params_of(module, module->tag_types[tag]);
}

/* ---- throwing -------------------------------------------------------------------------------------------------------- */

static void put_throw(wop_function *fn)
{
    uint32_t tag = wop_read_u32(&fn->reader);
    wop_types values = tag_values(fn, tag);
    wop_call_runtime(fn, WA_CALL_INDEX(exception_new), &tag, 1, 0, WA_I64);
    wop_value made = wop_pop(fn);
    if (fn->has_failed || fn->height < values.count) {
        fn->has_failed = true;
        return;
    }
    uint32_t first = fn->height - values.count;
    int32_t offset = sizeof(struct wa_schema_exception);
    for (uint32_t i = 0; i < values.count; i++) {
        wop_value value = wop_values(fn)[first + i];
        wop_store_value(fn, next_value(made.reg, values.letters[i], &offset), &value, first + i);
    }
    raise_exception(fn, made.reg);
}

static void put_throw_ref(wop_function *fn)
{
    wop_value reference = wop_pop(fn);
    wop_register exception = wop_to_register(fn, &reference, fn->height);
    wop_test(fn, true, exception);
    wop_trap_if(fn, EQUAL, WA_TRAP_NULL_EXCEPTION_REFERENCE);
    raise_exception(fn, exception);
}

static void put_rethrow(wop_function *fn)
{
    uint32_t depth = wop_read_u32(&fn->reader);
    if (depth >= fn->labels.count) {
        fn->has_failed = true;
        return;
    }
    wop_load(fn, WA_I64, WA_RESULT, wop_slot(fn, wop_label_at(fn, depth)->height));
    raise_exception(fn, WA_RESULT);
}

/* ---- catching -------------------------------------------------------------------------------------------------------- */

/* WA_RESULT has the exception; where it has another tag, jump to a list. */
static void compare_tag(wop_function *fn, uint32_t tag, uint32_t *other)
{
    int32_t place = (int32_t)(fn->module->tags_offset + SLOT_BYTES * tag);
    wop_load(fn, WA_I64, WA_SCRATCH, wop_instance_operand(fn));
    wop_load(fn, WA_I64, WA_SCRATCH, wop_memory(WA_SCRATCH, place));
    wop_arithmetic(fn, WA_CMP, true, WA_SCRATCH, wop_memory(WA_RESULT, offsetof(struct wa_schema_exception, tag)));
    wop_jump_if(fn, NOT_EQUAL, other);
}

/* Catch the exception in WA_RESULT: its values go to slots. keeps: code goes on to refer to it, so it is the collector's from now on. */
static void take_exception(wop_function *fn, wop_types values, bool keeps)
{
    int32_t offset = sizeof(struct wa_schema_exception);
    wop_store_constant(fn, SLOT_BYTES, pending_cell(fn), 0);
    for (uint32_t i = 0; i < values.count; i++) {
        uint8_t type = wop_type_of(values.letters[i]);
        wop_register scratch = wop_is_vector(type) ? WA_VECTOR_SCRATCH : WA_SCRATCH;
        wop_load(fn, type, scratch, next_value(WA_RESULT, values.letters[i], &offset));
        wop_push_slot(fn, type);
        wop_store(fn, type, wop_slot(fn, fn->height - 1), scratch);
    }
    if (keeps) {
        wop_store_constant(fn, SLOT_BYTES, wop_memory(WA_RESULT, offsetof(struct wa_schema_exception, is_shared)), 1);
        return;
    }
    wop_push_register(fn, WA_I64, WA_RESULT);
    wop_call_runtime(fn, WA_CALL_INDEX(exception_done), NULL, 0, 1, WA_NO_RESULT);
}

/* What no catch wants goes on to the landing around: inside of so many labels. */
static void go_on(wop_function *fn, uint32_t *list, uint32_t label_count)
{
    if (*list == 0)
        return;
    wop_bind(fn, list);
    wop_jump(fn, wop_landing(fn, label_count));
}

/* ---- try_table ------------------------------------------------------------------------------------------------------- */

static void open_try_table(wop_function *fn)
{
    const uint8_t *immediate = fn->reader.at;
    wop_open_block(fn, WA_TRY);
    wop_label_at(fn, 0)->catches = fn->reader.at;
    fn->reader.at = immediate;
    wop_skip_immediate(&fn->reader, WA_OP_TRY_TABLE);
}

/* One catch, WA_RESULT has the exception; false: it catches all. */
static bool put_catch_clause(wop_function *fn, wop_reader *clauses, uint32_t *other)
{
    uint8_t kind = wop_read_byte(clauses);
    bool has_tag = kind < WA_CATCH_ALL, keeps = kind == WA_CATCH_TAG_REF || kind == WA_CATCH_ALL_REF;
    uint32_t tag = has_tag ? wop_read_u32(clauses) : 0, depth = wop_read_u32(clauses);
    if (clauses->has_failed || depth + 1 >= fn->labels.count) {
        fn->has_failed = true;
        return false;
    }
    wop_enter_again(fn, other);
    if (has_tag)
        compare_tag(fn, tag, other);
    take_exception(fn, has_tag ? tag_values(fn, tag) : (wop_types){0}, keeps);
    if (keeps)
        wop_push_register(fn, WA_I64, WA_RESULT);
    wop_branch(fn, wop_label_at(fn, depth + 1));
    return has_tag;
}

static void end_try_table(wop_function *fn)
{
    wop_label *label = wop_label_at(fn, 0);
    wop_leave_block(fn);
    if (label->landing_fixups != 0) {
        wop_reader clauses = {label->catches, fn->reader.end, false};
        uint32_t other = 0, count = wop_read_u32(&clauses);
        bool has_other = true;
        wop_enter_again(fn, &label->landing_fixups);
        wop_load(fn, WA_I64, WA_RESULT, pending_cell(fn));
        for (; count > 0 && has_other && !fn->has_failed; count--)
            has_other = put_catch_clause(fn, &clauses, &other);
        if (has_other) {
            wop_bind(fn, &other);
            wop_jump(fn, wop_landing(fn, fn->labels.count - 1));
        }
        wop_die(fn);
    }
    wop_end_block(fn);
}

/* ---- the legacy encoding --------------------------------------------------------------------------------------------- */

/* End what came before a catch, and go on where its turn comes; false: no exception gets there. */
static bool begin_arm(wop_function *fn)
{
    wop_label *label = wop_label_at(fn, 0);
    wop_leave_block(fn);
    uint32_t *list = label->kind == WA_TRY ? &label->landing_fixups : &label->else_fixups;
    label->kind = WA_CATCH;
    if (*list == 0)
        return false;
    wop_enter_again(fn, list);
    wop_load(fn, WA_I64, WA_RESULT, pending_cell(fn));
    return true;
}

static void put_catch(wop_function *fn, bool has_tag)
{
    uint32_t tag = has_tag ? wop_read_u32(&fn->reader) : 0;
    if (!begin_arm(fn))
        return;
    if (has_tag)
        compare_tag(fn, tag, &wop_label_at(fn, 0)->else_fixups);
    if (fn->has_rethrows) { /* which finds it below the arm's values */
        wop_push_slot(fn, WA_I64);
        wop_store(fn, WA_I64, wop_slot(fn, fn->height - 1), WA_RESULT);
    }
    take_exception(fn, has_tag ? tag_values(fn, tag) : (wop_types){0}, fn->has_rethrows);
}

static void end_try(wop_function *fn)
{
    wop_label *label = wop_label_at(fn, 0);
    wop_leave_block(fn);
    go_on(fn, label->kind == WA_TRY ? &label->landing_fixups : &label->else_fixups, fn->labels.count - 1);
    wop_end_block(fn);
}

/* Exceptions go to the landing of the label, or the next one around it. */
static void put_delegate(wop_function *fn)
{
    uint32_t depth = wop_read_u32(&fn->reader);
    if (depth + 1 >= fn->labels.count) {
        fn->has_failed = true;
        return;
    }
    wop_leave_block(fn);
    go_on(fn, &wop_label_at(fn, 0)->landing_fixups, fn->labels.count - 1 - depth);
    wop_end_block(fn);
}

/* ---- all of them ----------------------------------------------------------------------------------------------------- */

/* Whether the operator is one of these; the end of a try is. */
bool wop_is_exception(wop_function *fn)
{
    uint8_t kind = wop_label_at(fn, 0)->kind;
    return wop_has_exceptions(fn->opcode) || (fn->opcode == WA_OP_END && (kind == WA_TRY || kind == WA_CATCH));
}

void wop_exception(wop_function *fn)
{
    switch (fn->opcode) {
    case WA_OP_THROW:
        put_throw(fn);
        return;
    case WA_OP_THROW_REF:
        put_throw_ref(fn);
        return;
    case WA_OP_RETHROW:
        put_rethrow(fn);
        return;
    case WA_OP_TRY_TABLE:
        open_try_table(fn);
        return;
    case WA_OP_TRY:
        wop_open_block(fn, WA_TRY);
        return;
    case WA_OP_CATCH:
    case WA_OP_CATCH_ALL:
        put_catch(fn, fn->opcode == WA_OP_CATCH);
        return;
    case WA_OP_DELEGATE:
        put_delegate(fn);
        return;
    default:
        if (wop_label_at(fn, 0)->catches != NULL)
            end_try_table(fn);
        else
            end_try(fn);
    }
}
