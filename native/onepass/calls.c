/* Calls (spec section 4.4.8): of functions, imports, records and the runtime, as C has them; and what functions return. */
#include "machine.h"

enum { SLOT_BYTES = 8, MOST_MOVES = WA_INTEGER_ARGUMENTS + WA_VECTOR_ARGUMENTS + 2 };

/* ---- what a call leaves alone -------------------------------------------------------------------------------------- */

/* Registers of values below a height go to their slots. */
static void spill_below(wop_function *fn, uint32_t height)
{
    for (wop_register reg = 0; reg < WA_REGISTERS; reg++) {
        if (!(fn->used & WA_SET(reg)) || fn->owner[reg] >= height)
            continue;
        wop_value *value = wop_values(fn) + fn->owner[reg];
        wop_store(fn, value->type, wop_slot(fn, fn->owner[reg]), reg);
        value->place = WA_SLOT;
        fn->used &= ~WA_SET(reg);
    }
}

static void save_homes(wop_function *fn)
{
    for (wop_register reg = 0; reg < WA_REGISTERS; reg++) {
        if (!(fn->caller_homes & WA_SET(reg)))
            continue;
        wop_local *local = wop_locals(fn) + fn->home_local[reg];
        if (!local->is_stored)
            wop_store(fn, local->type, wop_frame(fn, local->offset), reg);
        local->is_stored = true;
    }
}

static void load_homes(wop_function *fn)
{
    for (wop_register reg = 0; reg < WA_REGISTERS; reg++) {
        if (!(fn->caller_homes & WA_SET(reg)))
            continue;
        const wop_local *local = wop_locals(fn) + fn->home_local[reg];
        wop_load(fn, local->type, reg, wop_frame(fn, local->offset));
    }
}

/* ---- results ------------------------------------------------------------------------------------------------------- */

/* Among the store's operands, behind the portion of fuel. */
static int32_t operand_offset(const wop_function *fn, uint32_t position)
{
    return (int32_t)(WA_OPERAND_BYTES * (position + fn->module->has_fuel));
}

/* Results that lie in memory go to their slots. */
static void push_from_memory(wop_function *fn, wop_types results, wop_operand from, bool is_spilled)
{
    if (fn->module->has_fuel) {
        wop_load(fn, WA_I64, WA_SCRATCH, from);
        wop_store(fn, WA_I64, wop_portion_operand(fn), WA_SCRATCH);
    }
    wop_returned taken = wop_first_result(fn->module);
    for (uint32_t i = 0; i < results.count; i++) {
        uint8_t type = wop_type_of(results.letters[i]);
        int32_t offset;
        wop_next_result(&taken, results.letters[i], &offset);
        offset = is_spilled ? operand_offset(fn, i) : offset;
        wop_register scratch = wop_is_vector(type) ? WA_VECTOR_SCRATCH : WA_SCRATCH;
        wop_load(fn, type, scratch, wop_memory(from.reg, from.displacement + offset));
        wop_push_slot(fn, type);
        wop_store(fn, type, wop_slot(fn, fn->height - 1), scratch);
    }
}

/* The store's bytes for values that no register holds; their address changes when stores join. */
static void load_operands(wop_function *fn, wop_register to)
{
    wop_load(fn, WA_I64, to, wop_instance_operand(fn));
    wop_load(fn, WA_I64, to, wop_memory(to, offsetof(struct wa_schema_instance, operands)));
}

/* A result in a register becomes a value: there, or where that is a local's home, in its slot. */
static void push_result(wop_function *fn, uint8_t type, wop_register reg)
{
    if (!(fn->caller_homes & WA_SET(reg))) {
        wop_push_register(fn, type, reg);
        return;
    }
    wop_push_slot(fn, type);
    wop_store(fn, type, wop_slot(fn, fn->height - 1), reg);
}

/* Where each result is behind a call. */
static void push_results(wop_function *fn, wop_types results, bool is_own)
{
    uint32_t integers = fn->module->has_fuel, vectors = 0;
    if (wop_has_area(fn->module, results, is_own)) {
        push_from_memory(fn, results, wop_frame(fn, fn->area_offset), false);
        return;
    }
    if (is_own && wop_spills_results(fn->module, results)) {
        load_operands(fn, WA_OPERANDS);
        push_from_memory(fn, results, wop_memory(WA_OPERANDS, 0), true);
        return;
    }
    if (fn->module->has_fuel)
        wop_store(fn, WA_I64, wop_portion_operand(fn), WA_RESULT);
    wop_returned taken = wop_first_result(fn->module);
    int32_t unused;
    for (uint32_t i = 0; i < results.count; i++) {
        uint8_t type = wop_type_of(results.letters[i]);
        if (wop_is_vector(wop_next_result(&taken, results.letters[i], &unused))) {
            push_result(fn, type, (wop_register)(WA_VECTOR_RESULT + vectors++));
        } else if (wop_is_vector(type)) {
            wop_register reg = wop_integer_results[integers++];
            wop_push_slot(fn, type);
            wop_store(fn, wop_is_wide(type) ? WA_I64 : WA_I32, wop_slot(fn, fn->height - 1), reg);
        } else {
            wop_register reg = wop_integer_results[integers++];
            if (type == WA_I32) /* C leaves the upper half open */
                wop_move(fn, false, reg, reg);
            push_result(fn, type, reg);
        }
    }
}

/* What is left of the portion goes to the caller: with the results, and alone where an exception leaves the function. WA_OPERANDS
 * leads to the results afterwards, where they go through memory. */
void wop_return_portion(wop_function *fn)
{
    bool is_spilled = wop_spills_results(fn->module, fn->results), has_area = wop_has_area(fn->module, fn->results, true);
    if (is_spilled)
        load_operands(fn, WA_OPERANDS);
    else if (has_area)
        wop_load(fn, WA_I64, WA_OPERANDS, wop_frame(fn, fn->area_pointer_offset));
    if (!fn->module->has_fuel)
        return;
    wop_register to = is_spilled || has_area ? WA_SCRATCH : WA_RESULT;
    wop_load(fn, WA_I64, to, wop_portion_operand(fn));
    if (to == WA_SCRATCH)
        wop_store(fn, WA_I64, wop_memory(WA_OPERANDS, 0), WA_SCRATCH);
}

/* Results go from their slots, from a height on, to the caller's area or the store's operands. */
static void return_in_memory(wop_function *fn, uint32_t first, bool is_spilled)
{
    wop_types results = fn->results;
    wop_returned taken = wop_first_result(fn->module);
    wop_return_portion(fn);
    for (uint32_t i = 0; i < results.count; i++) {
        int32_t offset;
        uint8_t type = wop_next_result(&taken, results.letters[i], &offset);
        if (is_spilled) {
            type = wop_type_of(results.letters[i]);
            offset = operand_offset(fn, i);
        }
        wop_register scratch = wop_is_vector(type) ? WA_VECTOR_SCRATCH : WA_SCRATCH;
        wop_load(fn, type, scratch, wop_slot(fn, first + i));
        wop_store(fn, type, wop_memory(WA_OPERANDS, offset), scratch);
    }
}

/* The results of this function are on the stack: bring them to where its caller expects them. */
void wop_return_values(wop_function *fn)
{
    wop_types results = fn->results;
    uint32_t integers = fn->module->has_fuel, vectors = 0, first = fn->height - results.count;
    bool is_spilled = wop_spills_results(fn->module, results);
    if (is_spilled || wop_has_area(fn->module, results, true)) {
        wop_flush(fn, first);
        return_in_memory(fn, first, is_spilled);
        return;
    }
    if (results.count > 1)
        wop_flush(fn, first);
    wop_returned taken = wop_first_result(fn->module);
    int32_t unused;
    for (uint32_t i = 0; i < results.count; i++) {
        uint8_t type = wop_next_result(&taken, results.letters[i], &unused);
        wop_register to = wop_is_vector(type) ? (wop_register)(WA_VECTOR_RESULT + vectors++) : wop_integer_results[integers++];
        if (results.count == 1)
            wop_load_value(fn, to, &wop_values(fn)[first], first);
        else
            wop_load(fn, type, to, wop_slot(fn, first + i));
    }
    wop_return_portion(fn);
}

/* ---- calls --------------------------------------------------------------------------------------------------------- */

/* A register that leads to where arguments go that no register holds, and room for them. It is none of those that values are in. */
static wop_register overflow_base(wop_function *fn, uint32_t first, uint32_t count, wop_arguments taken)
{
    int32_t offset;
    if (count + taken.integers <= WA_INTEGER_ARGUMENTS)
        return WA_STACK;
    for (uint32_t i = 0; i < count; i++)
        wop_next_argument(&taken, wop_values(fn)[first + i].type, &offset);
    if (taken.stack == 0)
        return WA_STACK;
    if (!taken.spills) {
        wop_lower_stack(fn, SLOT_BYTES * taken.stack);
        return WA_STACK;
    }
    wop_register base = wop_allocate(fn, false, 0);
    load_operands(fn, base);
    return base;
}

/* Arguments go to where the callee expects them. first: height of the first; taken: what comes before; moves: of what comes
 * before. */
static void pass(wop_function *fn, uint32_t first, uint32_t count, wop_arguments taken, wop_move_to *moves, uint32_t move_count)
{
    wop_register to[MOST_MOVES], base = overflow_base(fn, first, count, taken);
    uint32_t direct[MOST_MOVES], direct_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        const wop_value *value = wop_values(fn) + first + i;
        int32_t offset;
        wop_register reg = wop_next_argument(&taken, value->type, &offset);
        if (reg == WA_NO_REGISTER) {
            wop_store_value(fn, wop_memory(base, offset), value, first + i);
            continue;
        }
        wop_register from = value->place == WA_REGISTER ? value->reg
                           : value->place == WA_LOCAL  ? wop_locals(fn)[value->local].home
                                                       : WA_NO_REGISTER;
        if (from != WA_NO_REGISTER) {
            moves[move_count++] = (wop_move_to){reg, from, wop_is_wide(value->type)};
        } else {
            to[direct_count] = reg;
            direct[direct_count++] = first + i;
        }
    }
    wop_move_all(fn, moves, move_count);
    for (uint32_t i = 0; i < direct_count; i++)
        wop_load_value(fn, to[i], &wop_values(fn)[direct[i]], direct[i]);
}

/* Look for an exception that the callee left behind. */
static void leave_if_pending(wop_function *fn)
{
    if (!fn->module->checks_exceptions)
        return;
    wop_register at = fn->instance;
    if (at == WA_NO_REGISTER) {
        at = WA_SCRATCH;
        wop_load(fn, WA_I64, at, wop_instance_operand(fn));
    }
    wop_load(fn, WA_I64, WA_SCRATCH, wop_memory(at, offsetof(struct wa_schema_instance, exception)));
    wop_arithmetic_constant(fn, WA_CMP, true, wop_memory(WA_SCRATCH, 0), 0);
    wop_jump_if(fn, NOT_EQUAL, wop_landing(fn, fn->labels.count));
}

/* The instruction that calls, once all arguments are in place. */
typedef struct {
    enum { TO_FUNCTION, TO_MEMORY, TO_REGISTER } kind;
    uint32_t func_index;
    wop_register base;
    int32_t offset;
} callee;

static void put_call(wop_function *fn, callee what)
{
    wop_add_row(fn, 0);
    if (what.kind == TO_MEMORY)
        wop_call_at(fn, wop_memory(what.base, what.offset));
    else if (what.kind == TO_REGISTER)
        wop_call_register(fn, what.base);
    else
        wop_call_function(fn, what.func_index);
    wop_raise_stack(fn);
}

/* Everything that a callee of a type gets, its arguments from the top of the stack. The context is the instance, or what lies at
 * context_base + context_offset; the base must not be an argument's register. is_own: see convention.c. */
void wop_pass_arguments(wop_function *fn, uint32_t type, bool is_own, wop_register context_base, int32_t context_offset)
{
    wop_move_to moves[MOST_MOVES];
    wop_types params = wop_params_of(fn->module, type), results = wop_results_of(fn->module, type);
    bool has_area = wop_has_area(fn->module, results, is_own), is_moved = context_base == WA_NO_REGISTER && fn->instance != WA_NO_REGISTER;
    wop_register context = wop_context_argument(has_area), portion = wop_portion_argument(has_area);
    uint32_t count = 0;
    if (is_moved)
        moves[count++] = (wop_move_to){context, fn->instance, true};
    if (fn->portion != WA_NO_REGISTER)
        moves[count++] = (wop_move_to){portion, fn->portion, true};
    pass(fn, fn->height - params.count, params.count, wop_leading_arguments(fn->module, results, is_own), moves, count);
    if (fn->module->has_fuel && fn->portion == WA_NO_REGISTER)
        wop_load(fn, WA_I64, portion, wop_portion_operand(fn));
    if (context_base != WA_NO_REGISTER)
        wop_load(fn, WA_I64, context, wop_memory(context_base, context_offset));
    else if (!is_moved)
        wop_load(fn, WA_I64, context, wop_instance_operand(fn));
    if (has_area)
        wop_address(fn, WA_AREA, wop_frame(fn, fn->area_offset));
}

/* Call with a context, as wop_pass_arguments has it. */
static void call_with(wop_function *fn, uint32_t type, bool is_own, callee what, wop_register context_base, int32_t context_offset)
{
    uint32_t first = fn->height - wop_params_of(fn->module, type).count;
    spill_below(fn, first);
    save_homes(fn);
    wop_pass_arguments(fn, type, is_own, context_base, context_offset);
    put_call(fn, what);
    wop_drop_to(fn, first);
    fn->locked = 0;
    push_results(fn, wop_results_of(fn->module, type), is_own);
    load_homes(fn);
    leave_if_pending(fn);
}

/* The instance in a register that calls of others may take from, and the offset of an import's slot there. */
wop_register wop_import_slot(wop_function *fn, uint32_t func_index, int32_t *offset)
{
    *offset = (int32_t)(fn->module->imported_functions_offset + func_index * sizeof(struct wa_schema_import_slot));
    if (fn->instance != WA_NO_REGISTER)
        return fn->instance;
    wop_take(fn, WA_CALLEE);
    wop_load(fn, WA_I64, WA_CALLEE, wop_instance_operand(fn));
    return WA_CALLEE;
}

void wop_call(wop_function *fn)
{
    uint32_t func_index = wop_read_u32(&fn->reader);
    if (func_index >= fn->module->function_count) {
        fn->has_failed = true;
        return;
    }
    uint32_t type = fn->module->function_types[func_index];
    if (func_index >= fn->module->imported_functions) {
        call_with(fn, type, true, (callee){TO_FUNCTION, func_index, 0, 0}, WA_NO_REGISTER, 0);
        return;
    }
    int32_t slot;
    wop_register base = wop_import_slot(fn, func_index, &slot);
    call_with(fn, type, false, (callee){TO_MEMORY, 0, base, slot + (int32_t)offsetof(struct wa_schema_import_slot, code)}, base,
              slot + (int32_t)offsetof(struct wa_schema_import_slot, context));
}

/* Note what an out-of-line call of the runtime must keep: all registers with values, and homes that calls change. */
static void keep_registers(wop_function *fn, wop_stub *stub)
{
    stub->saved = fn->saved.count;
    for (wop_register reg = 0; reg < WA_REGISTERS; reg++) {
        bool is_value = (fn->used & WA_SET(reg)) != 0, is_home = (fn->caller_homes & WA_SET(reg)) != 0;
        if (!is_value && !is_home)
            continue;
        const wop_local *local = wop_locals(fn) + fn->home_local[reg];
        uint8_t type = is_value ? wop_values(fn)[fn->owner[reg]].type : local->type;
        int32_t offset = is_value ? wop_slot_offset(fn, fn->owner[reg]) : local->offset;
        if (wop_buffer_reserve(&fn->saved, 1, sizeof(wop_saved)))
            ((wop_saved *)fn->saved.data)[fn->saved.count++] = (wop_saved){reg, type, offset};
    }
    stub->saved_count = fn->saved.count - stub->saved;
}

/* Where a condition holds, ask the runtime; its answer goes to a register. For resolve_call, that has the record before. */
void wop_resolve_if(wop_function *fn, uint8_t condition, wop_register result, wop_register index, size_t call, uint32_t number)
{
    wop_stub *stub = wop_add_stub(fn);
    if (stub == NULL)
        return;
    stub->call = (uint8_t)call;
    stub->reg = result;
    stub->index = index;
    stub->number = number;
    keep_registers(fn, stub);
    wop_jump_if(fn, condition, &stub->fixups);
    stub->back = wop_text_offset(fn);
}

/* Where a condition holds, tell the runtime of a reference that is about to be overwritten. It changes no register but the scratch
 * one. */
void wop_note_if(wop_function *fn, uint8_t condition, wop_operand place)
{
    wop_stub *stub = wop_add_stub(fn);
    if (stub == NULL)
        return;
    stub->call = WA_CALL_INDEX(reference_changes);
    stub->reg = WA_NO_REGISTER;
    stub->place = place;
    stub->kept = fn->locked & ~fn->used & ~fn->caller_homes & WA_CALLER_SAVED;
    keep_registers(fn, stub);
    wop_jump_if(fn, condition, &stub->fixups);
    stub->back = wop_text_offset(fn);
}

/* What was last asked of the runtime goes on here with the answer. */
void wop_return_here(wop_function *fn)
{
    if (fn->stubs.count > 0)
        ((wop_stub *)fn->stubs.data)[fn->stubs.count - 1].back = wop_text_offset(fn);
}

static void note_indirect_type(wop_function *fn, uint32_t canonical)
{
    const wop_buffer *seen = &fn->unit->indirect_types;
    for (uint32_t i = seen->count; i > 0 && seen->count - i < 8; i--)
        if (((const uint32_t *)seen->data)[i - 1] == canonical)
            return;
    wop_push_u32(&fn->unit->indirect_types, canonical);
}

/* The record in WA_CALLEE has the type, by address; if not, the runtime says what to call. */
static void check_record(wop_function *fn, uint32_t type)
{
    uint32_t canonical = fn->module->canonical[type];
    note_indirect_type(fn, canonical);
    wop_load_digest(fn, WA_SCRATCH, canonical);
    wop_arithmetic(fn, WA_CMP, true, WA_SCRATCH, wop_memory(WA_CALLEE, offsetof(struct wa_schema_function_record, type)));
    wop_resolve_if(fn, NOT_EQUAL, WA_CALLEE, WA_CALLEE, WA_CALL_INDEX(resolve_call), canonical);
}

/* Call the function of a record in WA_CALLEE, as C does. */
static void call_record(wop_function *fn, uint32_t type)
{
    call_with(fn, type, false, (callee){TO_MEMORY, 0, WA_CALLEE, offsetof(struct wa_schema_function_record, code)}, WA_CALLEE,
              offsetof(struct wa_schema_function_record, context));
}

/* The record of an import, in WA_CALLEE. */
void wop_imported_record(wop_function *fn, uint32_t func_index)
{
    int32_t slot;
    wop_register base = wop_import_slot(fn, func_index, &slot);
    wop_take(fn, WA_CALLEE);
    wop_load(fn, WA_I64, WA_CALLEE, wop_memory(base, slot + (int32_t)offsetof(struct wa_schema_import_slot, record)));
    check_record(fn, fn->module->function_types[func_index]);
}

/* The function in a slot of a table, whose index is in a register: its record goes to WA_CALLEE. */
static void load_record(wop_function *fn, uint32_t table, wop_register at)
{
    wop_register instance = wop_instance(fn);
    wop_load(fn, WA_I64, WA_SCRATCH, wop_memory(instance, (int32_t)(fn->module->tables_offset + SLOT_BYTES * table)));
    wop_arithmetic(fn, WA_CMP, true, at, wop_memory(WA_SCRATCH, offsetof(struct wa_schema_table_head, size)));
    wop_trap_if(fn, ABOVE_EQUAL, WA_TRAP_UNDEFINED_ELEMENT);
    wop_load(fn, WA_I64, WA_CALLEE, wop_memory(WA_SCRATCH, offsetof(struct wa_schema_table_head, slots)));
    wop_load(fn, WA_I64, WA_CALLEE, wop_indexed(WA_CALLEE, at, 3, 0));
    wop_test(fn, true, WA_CALLEE);
    wop_trap_if(fn, EQUAL, WA_TRAP_UNINITIALIZED_ELEMENT);
    wop_test_bits(fn, WA_CALLEE, 1);
    wop_resolve_if(fn, NOT_EQUAL, WA_CALLEE, at, WA_CALL_INDEX(resolve_slot), table);
}

/* The same of a table that never changes: the address of its code, after a check of its type. */
static void load_fixed(wop_function *fn, uint32_t table, wop_register at, uint32_t type)
{
    const int32_t slots = sizeof(struct wa_schema_fixed_table);
    const int32_t type_offset = slots + (int32_t)offsetof(struct wa_schema_fixed_slot, type);
    wop_load_fixed(fn, WA_SCRATCH, table);
    wop_arithmetic(fn, WA_CMP, true, at, wop_memory(WA_SCRATCH, offsetof(struct wa_schema_fixed_table, size)));
    wop_trap_if(fn, ABOVE_EQUAL, WA_TRAP_UNDEFINED_ELEMENT);
    wop_load(fn, WA_I32, WA_CALLEE, wop_indexed(WA_SCRATCH, at, 3, type_offset));
    wop_test(fn, false, WA_CALLEE);
    wop_trap_if(fn, EQUAL, WA_TRAP_UNINITIALIZED_ELEMENT);
    wop_arithmetic_constant(fn, WA_CMP, false, wop_reg(WA_CALLEE), (int32_t)(fn->module->canonical[type] + 1));
    wop_trap_if(fn, NOT_EQUAL, WA_TRAP_INDIRECT_CALL_TYPE_MISMATCH);
    wop_load_part(fn, 4, true, true, WA_CALLEE, wop_indexed(WA_SCRATCH, at, 3, slots + (int32_t)offsetof(struct wa_schema_fixed_slot, code)));
    wop_arithmetic(fn, WA_ADD, true, WA_CALLEE, wop_reg(WA_SCRATCH));
}

/* Read a type and a table and pop an index: what WA_CALLEE has then. */
wop_callee wop_indexed_callee(wop_function *fn, uint32_t *type)
{
    const wa_onepass_module *module = fn->module;
    *type = wop_read_u32(&fn->reader);
    uint32_t table = wop_read_u32(&fn->reader);
    if (*type >= module->type_count || table >= module->table_count) {
        fn->has_failed = true;
        return WA_NO_CALLEE;
    }
    wop_value index = wop_pop(fn);
    wop_register at = wop_to_register(fn, &index, fn->height);
    wop_take(fn, WA_CALLEE);
    if (at == WA_CALLEE) { /* the register was the index's own */
        at = wop_allocate(fn, false, 0);
        wop_move(fn, true, at, WA_CALLEE);
    }
    bool is_fixed = module->fixed_tables[table];
    if (is_fixed)
        load_fixed(fn, table, at, *type);
    else
        load_record(fn, table, at);
    fn->locked = WA_SET(WA_CALLEE);
    if (!is_fixed)
        check_record(fn, *type);
    return is_fixed ? WA_CODE : WA_RECORD;
}

/* Read a type and pop a reference: what WA_CALLEE has then. */
wop_callee wop_referenced_callee(wop_function *fn, uint32_t *type)
{
    *type = wop_read_u32(&fn->reader);
    if (*type >= fn->module->type_count) {
        fn->has_failed = true;
        return WA_NO_CALLEE;
    }
    wop_value reference = wop_pop(fn);
    wop_take(fn, WA_CALLEE);
    wop_load_value(fn, WA_CALLEE, &reference, fn->height);
    wop_test(fn, true, WA_CALLEE);
    wop_trap_if(fn, EQUAL, WA_TRAP_NULL_FUNCTION_REFERENCE);
    check_record(fn, *type);
    return WA_RECORD;
}

/* Call what WA_CALLEE has. */
static void call_callee(wop_function *fn, wop_callee what, uint32_t type)
{
    if (what == WA_RECORD)
        call_record(fn, type);
    else if (what == WA_CODE)
        call_with(fn, type, true, (callee){TO_REGISTER, 0, WA_CALLEE, 0}, WA_NO_REGISTER, 0);
}

void wop_call_indirect(wop_function *fn)
{
    uint32_t type;
    wop_callee what = wop_indexed_callee(fn, &type);
    call_callee(fn, what, type);
}

void wop_call_reference(wop_function *fn)
{
    uint32_t type;
    wop_callee what = wop_referenced_callee(fn, &type);
    call_callee(fn, what, type);
}

/* Call a function of the runtime with numbers, then values of the stack; result: a type or WA_NO_RESULT. An i32 that the runtime
 * takes as 64 bits has zeros above. */
void wop_call_runtime(wop_function *fn, size_t call, const uint32_t *numbers, uint32_t number_count, uint32_t value_count, uint8_t result)
{
    wop_move_to moves[MOST_MOVES];
    wop_arguments taken = {.integers = 1};
    uint32_t moved = 0;
    int32_t unused;
    if (fn->has_failed || fn->height < value_count) {
        fn->has_failed = true;
        return;
    }
    uint32_t first = fn->height - value_count;
    spill_below(fn, first);
    save_homes(fn);
    if (fn->instance != WA_NO_REGISTER)
        moves[moved++] = (wop_move_to){wop_integer_arguments[0], fn->instance, true};
    pass(fn, first, value_count, (wop_arguments){.integers = 1 + number_count}, moves, moved);
    for (uint32_t i = 0; i < number_count; i++)
        wop_load_constant(fn, WA_I32, wop_next_argument(&taken, WA_I32, &unused), numbers[i]);
    if (moved == 0)
        wop_load(fn, WA_I64, wop_integer_arguments[0], wop_instance_operand(fn));
    wop_call_entry(fn, call);
    wop_drop_to(fn, first);
    fn->locked = 0;
    load_homes(fn);
    if (result == WA_I32)
        wop_move(fn, false, WA_RESULT, WA_RESULT);
    if (result != WA_NO_RESULT)
        wop_push_register(fn, result, WA_RESULT);
}
