/* Calls (spec section 4.4.8): of functions, imports, records and the runtime, as C has them; and what functions return. */
#include "x86_64.h"

enum { SLOT_BYTES = 8, MOST_MOVES = 16 };

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
            wop_store(fn, local->type, wop_memory(RBP, local->offset), reg);
        local->is_stored = true;
    }
}

static void load_homes(wop_function *fn)
{
    for (wop_register reg = 0; reg < WA_REGISTERS; reg++) {
        if (!(fn->caller_homes & WA_SET(reg)))
            continue;
        const wop_local *local = wop_locals(fn) + fn->home_local[reg];
        wop_load(fn, local->type, reg, wop_memory(RBP, local->offset));
    }
}

/* ---- results ------------------------------------------------------------------------------------------------------- */

/* Where each result is behind a call; registers become values, and those in the area go to their slots. */
static void push_results(wop_function *fn, wop_types results)
{
    uint32_t integers = 0, vectors = 0;
    bool is_in_memory = wop_returns_in_memory(results);
    for (uint32_t i = 0; i < results.count; i++) {
        uint8_t type = wop_type_of(results.letters[i]);
        if (is_in_memory) {
            wop_register scratch = wop_is_vector(type) ? WA_VECTOR_SCRATCH : WA_SCRATCH;
            wop_load(fn, type, scratch, wop_memory(RBP, fn->area_offset + (int32_t)wop_area_offset(results, i)));
            wop_push_slot(fn, type);
            wop_store(fn, type, wop_slot(fn, fn->height - 1), scratch);
        } else if (wop_is_vector(type) && vectors < 2) {
            wop_push_register(fn, type, (wop_register)(XMM0 + vectors++));
        } else if (wop_is_vector(type)) {
            wop_register reg = wop_integer_results[integers++];
            wop_push_slot(fn, type);
            wop_store(fn, wop_is_wide(type) ? WA_I64 : WA_I32, wop_slot(fn, fn->height - 1), reg);
        } else {
            wop_register reg = wop_integer_results[integers++];
            if (type == WA_I32) /* C leaves the upper half open */
                wop_move(fn, false, reg, reg);
            wop_push_register(fn, type, reg);
        }
    }
}

/* The results of this function are on the stack: bring them to where its caller expects them. */
void wop_return_values(wop_function *fn)
{
    wop_types results = fn->results;
    uint32_t integers = 0, vectors = 0, first = fn->height - results.count;
    if (wop_returns_in_memory(results)) {
        wop_flush(fn, first);
        wop_load(fn, WA_I64, RAX, wop_memory(RBP, fn->area_pointer_offset));
        for (uint32_t i = 0; i < results.count; i++) {
            uint8_t type = wop_returned_type(results, i);
            wop_register area = wop_is_vector(type) ? WA_VECTOR_SCRATCH : WA_SCRATCH;
            wop_load(fn, type, area, wop_slot(fn, first + i));
            wop_store(fn, type, wop_memory(RAX, (int32_t)wop_area_offset(results, i)), area);
        }
        return;
    }
    if (results.count > 1)
        wop_flush(fn, first);
    for (uint32_t i = 0; i < results.count; i++) {
        uint8_t type = wop_returned_type(results, i);
        wop_register to = wop_is_vector(type) ? (wop_register)(XMM0 + vectors++) : wop_integer_results[integers++];
        if (results.count == 1)
            wop_load_value(fn, to, &wop_values(fn)[first], first);
        else
            wop_load(fn, type, to, wop_slot(fn, first + i));
    }
}

/* ---- calls --------------------------------------------------------------------------------------------------------- */

/* Arguments go to where C has them. first: height of the first; taken: what comes before; moves: of what comes before. */
static void pass(wop_function *fn, uint32_t first, uint32_t count, wop_arguments taken, wop_move_to *moves, uint32_t move_count)
{
    wop_register to[MOST_MOVES];
    uint32_t direct[MOST_MOVES], direct_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        const wop_value *value = wop_values(fn) + first + i;
        int32_t stack_offset;
        wop_register reg = wop_next_argument(&taken, value->type, &stack_offset);
        if (reg == WA_NO_REGISTER) {
            wop_store_value(fn, wop_memory(RSP, stack_offset), value, first + i);
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
    if (SLOT_BYTES * taken.stack > fn->outgoing_bytes)
        fn->outgoing_bytes = SLOT_BYTES * taken.stack;
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
    wop_arithmetic_constant(fn, X_CMP, true, wop_memory(WA_SCRATCH, 0), 0);
    wop_jump_if(fn, NOT_EQUAL, wop_landing(fn, fn->labels.count));
}

/* The instruction that calls, once all arguments are in place. */
typedef struct {
    enum { TO_FUNCTION, TO_MEMORY } kind;
    uint32_t func_index;
    wop_register base;
    int32_t offset;
} callee;

static void put_call(wop_function *fn, callee what)
{
    wop_add_row(fn, 0);
    if (what.kind == TO_MEMORY) {
        wop_x86(fn, 0xff, 2, wop_memory(what.base, what.offset));
        return;
    }
    wop_byte(fn, 0xe8);
    wop_push_u32(&fn->unit->call_offsets, wop_text_offset(fn));
    wop_push_u32(&fn->unit->call_functions, what.func_index);
    wop_word(fn, 0);
}

/* Call with a context: the instance, or what lies at context_base + context_offset, which must not be an argument's register. */
static void call_with(wop_function *fn, wop_types params, wop_types results, callee what, wop_register context_base, int32_t context_offset)
{
    wop_move_to moves[MOST_MOVES];
    uint32_t count = 0, first = fn->height - params.count;
    wop_arguments taken = {.integers = 1 + wop_returns_in_memory(results)};
    wop_register context = taken.integers == 1 ? RDI : RSI;
    spill_below(fn, first);
    save_homes(fn);
    if (context_base == WA_NO_REGISTER && fn->instance != WA_NO_REGISTER)
        moves[count++] = (wop_move_to){context, fn->instance, true};
    pass(fn, first, params.count, taken, moves, count);
    if (context_base != WA_NO_REGISTER)
        wop_load(fn, WA_I64, context, wop_memory(context_base, context_offset));
    else if (count == 0)
        wop_load(fn, WA_I64, context, wop_instance_operand(fn));
    if (taken.integers == 2)
        wop_x86(fn, 0x8d | WA_WIDE, RDI, wop_memory(RBP, fn->area_offset));
    put_call(fn, what);
    wop_drop_to(fn, first);
    fn->locked = 0;
    load_homes(fn);
    push_results(fn, results);
    leave_if_pending(fn);
}

void wop_call(wop_function *fn)
{
    uint32_t func_index = wop_read_u32(&fn->reader);
    const wa_onepass_module *module = fn->module;
    if (func_index >= module->function_count) {
        fn->has_failed = true;
        return;
    }
    uint32_t type = module->function_types[func_index];
    wop_types params = wop_params_of(module, type), results = wop_results_of(module, type);
    if (func_index >= module->imported_functions) {
        call_with(fn, params, results, (callee){TO_FUNCTION, func_index, 0, 0}, WA_NO_REGISTER, 0);
        return;
    }
    wop_register instance = fn->instance;
    int32_t slot = (int32_t)(module->imported_functions_offset + func_index * sizeof(struct wa_schema_import_slot));
    if (instance == WA_NO_REGISTER) {
        instance = R10;
        wop_take(fn, R10);
        wop_load(fn, WA_I64, R10, wop_instance_operand(fn));
    }
    call_with(fn, params, results,
              (callee){TO_MEMORY, 0, instance, slot + (int32_t)offsetof(struct wa_schema_import_slot, code)}, instance,
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
            ((wop_saved *)fn->saved.data)[fn->saved.count++] = (wop_saved){reg, wop_is_wide(type), offset};
    }
    stub->saved_count = fn->saved.count - stub->saved;
}

/* Where a condition holds, have the runtime replace the record in a register. */
static void resolve_if(wop_function *fn, uint8_t condition, wop_register record, wop_register index, size_t call, uint32_t number)
{
    wop_stub *stub = wop_add_stub(fn);
    if (stub == NULL)
        return;
    stub->call = (uint8_t)call;
    stub->reg = record;
    stub->index = index;
    stub->number = number;
    keep_registers(fn, stub);
    wop_jump_if(fn, condition, &stub->fixups);
    stub->back = wop_text_offset(fn);
}

static void note_indirect_type(wop_function *fn, uint32_t canonical)
{
    const wop_buffer *seen = &fn->unit->indirect_types;
    for (uint32_t i = seen->count; i > 0 && seen->count - i < 8; i--)
        if (((const uint32_t *)seen->data)[i - 1] == canonical)
            return;
    wop_push_u32(&fn->unit->indirect_types, canonical);
}

/* Call the function of a record in R10, whose type is checked by address. */
static void call_record(wop_function *fn, uint32_t type)
{
    const wa_onepass_module *module = fn->module;
    uint32_t canonical = module->canonical[type];
    note_indirect_type(fn, canonical);
    wop_load_digest(fn, WA_SCRATCH, canonical);
    wop_arithmetic(fn, X_CMP, true, WA_SCRATCH, wop_memory(R10, offsetof(struct wa_schema_function_record, type)));
    resolve_if(fn, NOT_EQUAL, R10, R10, WA_CALL_INDEX(resolve_call), canonical);
    call_with(fn, wop_params_of(module, type), wop_results_of(module, type),
              (callee){TO_MEMORY, 0, R10, offsetof(struct wa_schema_function_record, code)}, R10,
              offsetof(struct wa_schema_function_record, context));
}

void wop_call_indirect(wop_function *fn)
{
    uint32_t type = wop_read_u32(&fn->reader), table = wop_read_u32(&fn->reader);
    const wa_onepass_module *module = fn->module;
    if (type >= module->type_count || table >= module->table_count) {
        fn->has_failed = true;
        return;
    }
    wop_value index = wop_pop(fn);
    wop_register at = wop_to_register(fn, &index, fn->height);
    wop_take(fn, R10);
    if (at == R10) { /* the register was the index's own */
        at = wop_allocate(fn, false, 0);
        wop_move(fn, true, at, R10);
    }
    wop_register instance = wop_instance(fn);
    wop_load(fn, WA_I64, WA_SCRATCH, wop_memory(instance, (int32_t)(module->tables_offset + SLOT_BYTES * table)));
    wop_arithmetic(fn, X_CMP, true, at, wop_memory(WA_SCRATCH, offsetof(struct wa_schema_table_head, size)));
    wop_trap_if(fn, ABOVE_EQUAL, WA_TRAP_UNDEFINED_ELEMENT);
    wop_load(fn, WA_I64, R10, wop_memory(WA_SCRATCH, offsetof(struct wa_schema_table_head, slots)));
    wop_load(fn, WA_I64, R10, wop_indexed(R10, at, 3, 0));
    wop_x86(fn, 0x85 | WA_WIDE, R10, wop_reg(R10));
    wop_trap_if(fn, EQUAL, WA_TRAP_UNINITIALIZED_ELEMENT);
    wop_x86_imm8(fn, 0xf6 | WA_BYTE_RM, 0, wop_reg(R10), 1);
    resolve_if(fn, NOT_EQUAL, R10, at, WA_CALL_INDEX(resolve_slot), table);
    call_record(fn, type);
}

void wop_call_reference(wop_function *fn)
{
    uint32_t type = wop_read_u32(&fn->reader);
    if (type >= fn->module->type_count) {
        fn->has_failed = true;
        return;
    }
    wop_value reference = wop_pop(fn);
    wop_take(fn, R10);
    wop_load_value(fn, R10, &reference, fn->height);
    wop_x86(fn, 0x85 | WA_WIDE, R10, wop_reg(R10));
    wop_trap_if(fn, EQUAL, WA_TRAP_NULL_FUNCTION_REFERENCE);
    call_record(fn, type);
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
        moves[moved++] = (wop_move_to){RDI, fn->instance, true};
    pass(fn, first, value_count, (wop_arguments){.integers = 1 + number_count}, moves, moved);
    for (uint32_t i = 0; i < number_count; i++)
        wop_load_constant(fn, WA_I32, wop_next_argument(&taken, WA_I32, &unused), numbers[i]);
    if (moved == 0)
        wop_load(fn, WA_I64, RDI, wop_instance_operand(fn));
    wop_load(fn, WA_I64, RAX, wop_memory(RDI, offsetof(struct wa_schema_instance, calls)));
    put_call(fn, (callee){TO_MEMORY, 0, RAX, (int32_t)call * SLOT_BYTES});
    wop_drop_to(fn, first);
    fn->locked = 0;
    load_homes(fn);
    if (result == WA_I32)
        wop_move(fn, false, RAX, RAX);
    if (result != WA_NO_RESULT)
        wop_push_register(fn, result, RAX);
}
