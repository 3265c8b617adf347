/* Trampolines, one of a kind per function type: between the convention of calls and arrays of 8-byte slots, and between C's convention
 * and that of modules with tail calls. codegen/trampolines.py has LLVM make them where this folder compiles nothing. */
#include "unit.h"

enum { RECORD_PLACE = -8, AREA_PLACE = -16, FIXED_BYTES = 16, SLOT_ALIGNMENT = 16 };

static uint32_t slots_of(uint8_t type)
{
    return type == WA_V128 ? 2 : 1;
}

static uint32_t slot_count(wop_types types)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < types.count; i++)
        count += slots_of(wop_type_of(types.letters[i]));
    return count;
}

static uint32_t aligned(uint64_t size_bytes)
{
    return (uint32_t)((size_bytes + SLOT_ALIGNMENT - 1) / SLOT_ALIGNMENT * SLOT_ALIGNMENT);
}

static void close_frame(wop_function *fn)
{
    wop_drop_frame(fn);
    wop_return(fn);
}

/* The type of a value in a slot: an i32 fills all of it with zeros above, so does an f32. */
static void store_slot(wop_function *fn, uint8_t type, wop_operand slot, wop_register from)
{
    if (type == WA_I32) {
        wop_move(fn, false, WA_SCRATCH, from);
        wop_store(fn, WA_I64, slot, WA_SCRATCH);
    } else if (type == WA_F32) {
        wop_move_bits(fn, false, WA_SCRATCH, from);
        wop_store(fn, WA_I64, slot, WA_SCRATCH);
    } else {
        wop_store(fn, type, slot, from);
    }
}

/* The register that a result is in, in the order in which results take them. */
static wop_register result_register(uint8_t type, uint32_t *integers, uint32_t *vectors)
{
    return wop_is_vector(type) ? (wop_register)(WA_VECTOR_RESULT + (*vectors)++) : wop_integer_results[(*integers)++];
}

/* ---- from slots ------------------------------------------------------------------------------------------------------------ */

/* Results go from registers, or from the area, to slots at the address that the frame keeps. The fuel that is left is the first
 * one: it goes on to the caller. */
static void put_results(wop_function *fn, wop_types results, int32_t area)
{
    uint32_t integers = fn->module->has_fuel, vectors = 0, slot = 0;
    bool is_in_memory = wop_returns_in_memory(fn->module, results);
    if (results.count > 0)
        wop_load(fn, WA_I64, WA_CALLEE, wop_memory(WA_FRAME, RECORD_PLACE));
    wop_returned taken = wop_first_result(fn->module);
    for (uint32_t i = 0; i < results.count; i++) {
        int32_t offset;
        uint8_t type = wop_next_result(&taken, results.letters[i], &offset);
        wop_operand to = wop_memory(WA_CALLEE, (int32_t)(WA_SLOT_BYTES * slot));
        wop_register from = wop_is_vector(type) ? WA_VECTOR_SCRATCH : WA_SCRATCH;
        if (is_in_memory)
            wop_load(fn, type, from, wop_memory(WA_FRAME, area + offset));
        else
            from = result_register(type, &integers, &vectors);
        store_slot(fn, type, to, from);
        slot += slots_of(type);
    }
    if (fn->module->has_fuel && is_in_memory)
        wop_load(fn, WA_I64, WA_RESULT, wop_memory(WA_FRAME, area));
}

/* Arguments that go by the stack first: their copies need the scratch registers only. */
static void pass_slots(wop_function *fn, wop_types params, wop_arguments taken, bool by_stack)
{
    uint32_t slot = 0;
    for (uint32_t i = 0; i < params.count; i++) {
        uint8_t type = wop_type_of(params.letters[i]);
        int32_t stack_offset;
        wop_register to = wop_next_argument(&taken, type, &stack_offset);
        wop_operand from = wop_memory(WA_CALLEE, (int32_t)(WA_SLOT_BYTES * slot));
        slot += slots_of(type);
        if (by_stack && to == WA_NO_REGISTER) {
            wop_register scratch = wop_is_vector(type) ? WA_VECTOR_SCRATCH : WA_SCRATCH;
            wop_load(fn, type, scratch, from);
            wop_store(fn, type, wop_memory(WA_STACK, stack_offset), scratch);
        } else if (!by_stack && to != WA_NO_REGISTER) {
            wop_load(fn, type, to, from);
        }
    }
}

static uint32_t stack_arguments(wop_types params, wop_arguments taken)
{
    int32_t unused;
    for (uint32_t i = 0; i < params.count; i++)
        wop_next_argument(&taken, wop_type_of(params.letters[i]), &unused);
    return taken.stack;
}

/* void entry(code, context, slots): call code(context, values of slots), store the results. With fuel, the call begins with an
 * empty portion, and what is left of it is returned. */
static void put_entry(wop_function *fn, wop_types params, wop_types results)
{
    uint32_t area_bytes = aligned(wop_area_size_bytes(fn->module, results));
    int32_t area = -(int32_t)(FIXED_BYTES + area_bytes);
    wop_arguments taken = wop_leading_arguments(fn->module, results, false);
    wop_open_frame(fn, aligned(FIXED_BYTES + area_bytes + WA_SLOT_BYTES * (uint64_t)stack_arguments(params, taken)));
    wop_store(fn, WA_I64, wop_memory(WA_FRAME, RECORD_PLACE), wop_integer_arguments[2]);
    wop_move(fn, true, WA_CALLEE, wop_integer_arguments[2]);
    wop_move(fn, true, WA_TARGET, wop_integer_arguments[0]);
    wop_move(fn, true, wop_context_argument(area_bytes > 0), wop_integer_arguments[1]);
    if (area_bytes > 0)
        wop_address(fn, WA_AREA, wop_memory(WA_FRAME, area));
    if (fn->module->has_fuel)
        wop_load_constant(fn, WA_I64, wop_integer_arguments[taken.integers - 1], 0);
    pass_slots(fn, params, taken, true);
    pass_slots(fn, params, taken, false);
    wop_call_register(fn, WA_TARGET);
    put_results(fn, results, area);
    close_frame(fn);
}

/* ---- to slots ---------------------------------------------------------------------------------------------------------------- */

static void take_arguments(wop_function *fn, wop_types params, wop_arguments taken)
{
    uint32_t slot = 0;
    for (uint32_t i = 0; i < params.count; i++) {
        uint8_t type = wop_type_of(params.letters[i]);
        int32_t stack_offset;
        wop_register from = wop_next_argument(&taken, type, &stack_offset);
        if (from == WA_NO_REGISTER) {
            from = wop_is_vector(type) ? WA_VECTOR_SCRATCH : WA_SCRATCH;
            wop_load(fn, type, from, wop_memory(WA_FRAME, 2 * WA_SLOT_BYTES + stack_offset));
        }
        store_slot(fn, type, wop_memory(WA_STACK, (int32_t)(WA_SLOT_BYTES * slot)), from);
        slot += slots_of(type);
    }
}

static void return_slots(wop_function *fn, wop_types results)
{
    uint32_t integers = fn->module->has_fuel, vectors = 0, slot = 0;
    bool is_in_memory = wop_returns_in_memory(fn->module, results);
    if (is_in_memory)
        wop_load(fn, WA_I64, WA_OPERANDS, wop_memory(WA_FRAME, AREA_PLACE));
    wop_returned taken = wop_first_result(fn->module);
    for (uint32_t i = 0; i < results.count; i++) {
        int32_t offset;
        uint8_t type = wop_next_result(&taken, results.letters[i], &offset);
        wop_operand from = wop_memory(WA_STACK, (int32_t)(WA_SLOT_BYTES * slot));
        slot += slots_of(type);
        if (is_in_memory) {
            wop_register scratch = wop_is_vector(type) ? WA_VECTOR_SCRATCH : WA_SCRATCH;
            wop_load(fn, type, scratch, from);
            wop_store(fn, type, wop_memory(WA_OPERANDS, offset), scratch);
        } else {
            wop_load(fn, type, result_register(type, &integers, &vectors), from);
        }
    }
    if (!fn->module->has_fuel)
        return;
    wop_load_constant(fn, WA_I64, is_in_memory ? WA_SCRATCH : WA_RESULT, 0);
    if (is_in_memory)
        wop_store(fn, WA_I64, wop_memory(WA_OPERANDS, 0), WA_SCRATCH);
}

/* A portion goes back to the store, by the instance of a record. */
static void give_fuel_back(wop_function *fn, wop_register record, wop_register portion)
{
    wop_load(fn, WA_I64, WA_OPERANDS, wop_memory(record, offsetof(struct wa_schema_function_record, instance)));
    wop_load(fn, WA_I64, WA_OPERANDS, wop_memory(WA_OPERANDS, offsetof(struct wa_schema_instance, fuel)));
    wop_arithmetic_memory(fn, WA_ADD, wop_memory(WA_OPERANDS, 0), portion);
}

/* <result> host(record, params...): store the parameters in slots, call record->invoke(record, slots), load the results. With
 * fuel, the portion goes back to the store before, and the caller gets an empty one. */
static void put_host(wop_function *fn, wop_types params, wop_types results)
{
    bool is_in_memory = wop_returns_in_memory(fn->module, results);
    uint32_t count = slot_count(params) > slot_count(results) ? slot_count(params) : slot_count(results);
    wop_arguments taken = wop_leading_arguments(fn->module, results, false);
    wop_register record = wop_context_argument(is_in_memory);
    wop_open_frame(fn, aligned(FIXED_BYTES + WA_SLOT_BYTES * (uint64_t)count));
    if (is_in_memory)
        wop_store(fn, WA_I64, wop_memory(WA_FRAME, AREA_PLACE), WA_AREA);
    if (fn->module->has_fuel)
        give_fuel_back(fn, record, wop_integer_arguments[taken.integers - 1]);
    take_arguments(fn, params, taken);
    if (record != wop_integer_arguments[0])
        wop_move(fn, true, wop_integer_arguments[0], record);
    wop_move(fn, true, wop_integer_arguments[1], WA_STACK);
    wop_call_at(fn, wop_memory(wop_integer_arguments[0], offsetof(struct wa_schema_function_record, invoke)));
    return_slots(fn, results);
    close_frame(fn);
}

/* ---- between C's convention and that of modules with tail calls ----------------------------------------------------------------- */

/* The store's bytes for values, by the instance of a record in WA_CALLEE. */
static void load_operands(wop_function *fn, wop_register to)
{
    wop_load(fn, WA_I64, to, wop_memory(WA_CALLEE, offsetof(struct wa_schema_function_record, instance)));
    wop_load(fn, WA_I64, to, wop_memory(to, offsetof(struct wa_schema_instance, operands)));
}

/* Where an argument is or goes that no register holds. WA_OPERANDS leads to the store's. */
static wop_operand argument_place(wop_arguments taken, bool is_arriving, int32_t offset)
{
    if (taken.spills)
        return wop_memory(WA_OPERANDS, offset);
    return is_arriving ? wop_memory(WA_FRAME, 2 * WA_SLOT_BYTES + offset) : wop_memory(WA_STACK, offset);
}

/* Arguments that came by one convention go on by the other. What goes to memory first, then registers, then what comes from memory. */
static void pass_on(wop_function *fn, wop_types params, wop_arguments from, wop_arguments to)
{
    wop_move_to moves[WA_REGISTERS];
    uint32_t count = 0;
    bool from_spills = from.spills, to_spills = to.spills;
    if (fn->module->has_fuel)
        moves[count++] = (wop_move_to){wop_integer_arguments[to.integers - 1], wop_integer_arguments[from.integers - 1], true};
    for (int is_loading = 0; is_loading < 2; is_loading++) {
        wop_arguments taken_from = from, taken_to = to;
        if (is_loading)
            wop_move_all(fn, moves, count);
        for (uint32_t i = 0; i < params.count; i++) {
            uint8_t type = wop_type_of(params.letters[i]);
            int32_t offset_from = 0, offset_to = 0;
            wop_register source = wop_next_argument(&taken_from, type, &offset_from);
            wop_register target = wop_next_argument(&taken_to, type, &offset_to);
            wop_operand at = argument_place((wop_arguments){.spills = from_spills}, true, offset_from);
            if (is_loading && source == WA_NO_REGISTER && target != WA_NO_REGISTER) {
                wop_load(fn, type, target, at);
            } else if (!is_loading && target == WA_NO_REGISTER) {
                wop_register scratch = wop_is_vector(type) ? WA_VECTOR_SCRATCH : WA_SCRATCH;
                if (source == WA_NO_REGISTER)
                    wop_load(fn, type, source = scratch, at);
                wop_store(fn, type, argument_place((wop_arguments){.spills = to_spills}, false, offset_to), source);
            } else if (!is_loading && source != WA_NO_REGISTER) {
                moves[count++] = (wop_move_to){target, source, wop_is_wide(type)};
            }
        }
    }
}

/* Results that are in the store's operands go to where C has them, or the other way. area: of C's results, where it has one. */
static void move_results(wop_function *fn, wop_types results, bool is_inward, wop_operand area)
{
    uint32_t integers = fn->module->has_fuel, vectors = 0;
    bool is_in_memory = wop_returns_in_memory(fn->module, results), has_fuel = fn->module->has_fuel;
    wop_returned taken = wop_first_result(fn->module);
    for (uint32_t i = 0; i < results.count + has_fuel; i++) { /* the portion, then the results */
        bool is_portion = i == 0 && has_fuel;
        int32_t offset = 0;
        uint8_t type = is_portion ? WA_I64 : wop_next_result(&taken, results.letters[i - has_fuel], &offset);
        wop_operand spilled = wop_memory(WA_CALLEE, (int32_t)(WA_OPERAND_BYTES * i)), returned = wop_memory(area.reg, area.displacement + offset);
        wop_register scratch = wop_is_vector(type) ? WA_VECTOR_SCRATCH : WA_SCRATCH;
        if (!is_in_memory) {
            wop_register reg = is_portion ? WA_RESULT : result_register(type, &integers, &vectors);
            if (is_inward)
                wop_load(fn, type, reg, spilled);
            else
                wop_store(fn, type, spilled, reg);
        } else {
            wop_load(fn, type, scratch, is_inward ? spilled : returned);
            wop_store(fn, type, is_inward ? returned : spilled, scratch);
        }
    }
}

/* <result> inward(record, params...): call record->tail_code, which spills. */
static void put_inward(wop_function *fn, wop_types params, wop_types results)
{
    wop_arguments from = wop_leading_arguments(fn->module, results, false), to = wop_leading_arguments(fn->module, results, true);
    bool has_area = wop_has_area(fn->module, results, false);
    wop_open_frame(fn, FIXED_BYTES);
    if (has_area)
        wop_store(fn, WA_I64, wop_memory(WA_FRAME, AREA_PLACE), WA_AREA);
    wop_move(fn, true, WA_CALLEE, wop_context_argument(has_area));
    wop_store(fn, WA_I64, wop_memory(WA_FRAME, RECORD_PLACE), WA_CALLEE);
    load_operands(fn, WA_OPERANDS);
    pass_on(fn, params, from, to);
    wop_load(fn, WA_I64, wop_integer_arguments[0], wop_memory(WA_CALLEE, offsetof(struct wa_schema_function_record, instance)));
    wop_call_at(fn, wop_memory(WA_CALLEE, offsetof(struct wa_schema_function_record, tail_code)));
    if (wop_spills_results(fn->module, results)) {
        wop_load(fn, WA_I64, WA_CALLEE, wop_memory(WA_FRAME, RECORD_PLACE));
        load_operands(fn, WA_CALLEE);
        if (has_area)
            wop_load(fn, WA_I64, WA_OPERANDS, wop_memory(WA_FRAME, AREA_PLACE));
        move_results(fn, results, true, wop_memory(WA_OPERANDS, 0));
    }
    close_frame(fn);
}

/* What a tail call that spills calls with a record in place of the instance: call record->code as C does. */
static void put_outward(wop_function *fn, wop_types params, wop_types results)
{
    wop_arguments from = wop_leading_arguments(fn->module, results, true), to = wop_leading_arguments(fn->module, results, false);
    bool has_area = wop_has_area(fn->module, results, false);
    uint32_t area_bytes = has_area ? aligned(wop_area_size_bytes(fn->module, results)) : 0;
    int32_t area = -(int32_t)(FIXED_BYTES + area_bytes);
    wop_open_frame(fn, aligned(FIXED_BYTES + area_bytes + WA_SLOT_BYTES * (uint64_t)stack_arguments(params, to)));
    wop_move(fn, true, WA_CALLEE, wop_integer_arguments[0]);
    wop_store(fn, WA_I64, wop_memory(WA_FRAME, RECORD_PLACE), WA_CALLEE);
    load_operands(fn, WA_OPERANDS);
    pass_on(fn, params, from, to);
    wop_load(fn, WA_I64, wop_context_argument(has_area), wop_memory(WA_CALLEE, offsetof(struct wa_schema_function_record, context)));
    if (has_area)
        wop_address(fn, WA_AREA, wop_memory(WA_FRAME, area));
    wop_call_at(fn, wop_memory(WA_CALLEE, offsetof(struct wa_schema_function_record, code)));
    if (wop_spills_results(fn->module, results)) {
        wop_load(fn, WA_I64, WA_CALLEE, wop_memory(WA_FRAME, RECORD_PLACE));
        load_operands(fn, WA_CALLEE);
        move_results(fn, results, false, wop_memory(WA_FRAME, area));
    }
    close_frame(fn);
}

/* ---- all of them ------------------------------------------------------------------------------------------------------------- */

typedef void put_trampoline(wop_function *fn, wop_types params, wop_types results);

static void put_all(wop_function *fn, put_trampoline *put, const uint32_t *types, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t start = wop_begin_function(fn->unit);
        put(fn, wop_params_of(fn->module, types[i]), wop_results_of(fn->module, types[i]));
        wop_end_function(fn->unit, start, 0);
    }
}

int wa_onepass_trampolines(const wa_onepass_module *module, const uint32_t *entry_types, uint32_t entry_count,
                           const uint32_t *host_types, uint32_t host_count, const uint32_t *inward_types, uint32_t inward_count,
                           const uint32_t *outward_types, uint32_t outward_count, wa_onepass_code *code)
{
    wop_unit unit = {.module = module};
    wop_function fn = {.unit = &unit, .module = module};
    put_all(&fn, put_entry, entry_types, entry_count);
    put_all(&fn, put_host, host_types, host_count);
    put_all(&fn, put_inward, inward_types, inward_count);
    put_all(&fn, put_outward, outward_types, outward_count);
    if (module->has_fuel) {
        uint32_t start = wop_begin_function(&unit);
        wop_put_take_fuel(&fn);
        wop_end_function(&unit, start, 0);
    }
    return wop_hand_over(&unit, code);
}
