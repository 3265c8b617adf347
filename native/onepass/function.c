/* From the body of a function to its code, and from consecutive functions to one text. */
#include "unit.h"

/* ---- one function ---------------------------------------------------------------------------------------------------------- */

static void put_constant(wop_function *fn)
{
    switch (fn->opcode) {
    case WA_OP_I32_CONST:
        wop_push_constant(fn, WA_I32, (uint32_t)wop_read_signed(&fn->reader));
        return;
    case WA_OP_I64_CONST:
        wop_push_constant(fn, WA_I64, (uint64_t)wop_read_signed(&fn->reader));
        return;
    case WA_OP_F32_CONST:
        wop_push_constant(fn, WA_F32, wop_read_bits(&fn->reader, 4));
        return;
    default:
        wop_push_constant(fn, WA_F64, wop_read_bits(&fn->reader, 8));
    }
}

static bool is_float(uint32_t opcode)
{
    return (opcode >= WA_OP_F32_EQ && opcode <= WA_OP_F64_GE) || (opcode >= WA_OP_F32_ABS && opcode <= WA_OP_F64_COPYSIGN);
}

static bool is_integer(uint32_t opcode)
{
    return (opcode >= WA_OP_I32_EQZ && opcode <= WA_OP_I64_GE_U) || (opcode >= WA_OP_I32_CLZ && opcode <= WA_OP_I64_ROTR) ||
           opcode == WA_OP_I32_WRAP_I64 || opcode == WA_OP_I64_EXTEND_I32_S || opcode == WA_OP_I64_EXTEND_I32_U ||
           (opcode >= WA_OP_I32_EXTEND8_S && opcode <= WA_OP_I64_EXTEND32_S);
}

/* One operator, already read. */
static void put_operator(wop_function *fn)
{
    uint32_t opcode = fn->opcode;
    if (wop_is_exception(fn))
        wop_exception(fn);
    else if (opcode == WA_OP_CALL)
        wop_call(fn);
    else if (opcode == WA_OP_CALL_INDIRECT)
        wop_call_indirect(fn);
    else if (opcode == WA_OP_CALL_REF)
        wop_call_reference(fn);
    else if (opcode >= WA_OP_RETURN_CALL && opcode <= WA_OP_RETURN_CALL_REF)
        wop_tail_call(fn);
    else if (opcode <= WA_OP_RETURN || opcode == WA_OP_BR_ON_NULL || opcode == WA_OP_BR_ON_NON_NULL ||
             opcode == WA_OP_BR_ON_CAST || opcode == WA_OP_BR_ON_CAST_FAIL)
        wop_control(fn);
    else if (opcode >= WA_OP_REF_TEST && opcode <= WA_OP_REF_CAST_NULL)
        wop_cast(fn);
    else if (opcode >= WA_OP_STRUCT_NEW && opcode <= WA_OP_I31_GET_U)
        wop_object(fn);
    else if (opcode >= WA_OP_MEMORY_ATOMIC_NOTIFY)
        wop_atomic(fn);
    else if (opcode >= WA_OP_V128_LOAD)
        wop_vector(fn);
    else if (opcode >= WA_OP_I64_ADD128 && opcode <= WA_OP_I64_MUL_WIDE_U)
        wop_wide_arithmetic(fn);
    else if (opcode == WA_OP_TABLE_GET || opcode == WA_OP_TABLE_SET || opcode >= WA_OP_MEMORY_INIT)
        wop_bulk(fn);
    else if (opcode <= WA_OP_GLOBAL_SET || (opcode >= WA_OP_REF_NULL && opcode <= WA_OP_REF_AS_NON_NULL))
        wop_variable(fn);
    else if (opcode <= WA_OP_MEMORY_GROW)
        wop_access(fn);
    else if (opcode <= WA_OP_F64_CONST)
        put_constant(fn);
    else if (is_integer(opcode))
        wop_integer(fn);
    else if (is_float(opcode))
        wop_float(fn);
    else
        wop_convert(fn);
}

static void put_body(wop_function *fn)
{
    bool begins_block = fn->pays;
    uint32_t per_function = WA_FUEL_PER_FUNCTION;
    wop_open_function(fn);
    while (fn->labels.count > 0 && !fn->has_failed && !fn->reader.has_failed) {
        fn->offset = fn->unit->base + (uint32_t)(fn->reader.at - fn->data);
        fn->locked = 0;
        if (begins_block && !fn->is_dead)
            wop_charge_block(fn, per_function);
        fn->opcode = wop_read_opcode(&fn->reader);
        begins_block = fn->pays && wop_ends_fuel_block(fn->opcode);
        per_function = 0;
        if (!wop_skip_dead(fn))
            put_operator(fn);
    }
    fn->has_failed |= fn->reader.has_failed;
}

/* Vectors first, as they are aligned to more. */
static void put_pool(wop_function *fn)
{
    wop_pooled *pool = fn->pool.data;
    for (int is_vector = 1; is_vector >= 0; is_vector--) {
        for (uint32_t i = 0; i < fn->pool.count; i++) {
            if (pool[i].is_vector != is_vector)
                continue;
            wop_align(fn, is_vector ? WA_VECTOR_BYTES : WA_SLOT_BYTES);
            wop_bind(fn, &pool[i].fixups);
            wop_quad(fn, pool[i].bits);
            if (is_vector)
                wop_quad(fn, pool[i].high);
        }
    }
}

static void open_locals(wop_function *fn)
{
    fn->param_count = fn->params.count;
    if (!wop_buffer_reserve(&fn->locals, fn->param_count, sizeof(wop_local))) {
        fn->has_failed = true;
        return;
    }
    for (uint32_t i = 0; i < fn->param_count; i++)
        wop_locals(fn)[i] = (wop_local){.type = wop_type_of(fn->params.letters[i]), .home = WA_NO_REGISTER};
    fn->local_count = fn->locals.count = fn->param_count;
}

static bool has_memory(const wop_function *fn)
{
    const wop_buffer *buffers[] = {&fn->locals, &fn->values, &fn->labels, &fn->fixups,   &fn->stubs,
                                  &fn->saved,  &fn->pool,   &fn->targets, &fn->controls};
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++)
        if (buffers[i]->has_failed)
            return false;
    return true;
}

/* Emptied, but not released: the next function goes on with the room. */
static void reset(wop_function *fn)
{
    wop_function fresh = {
        .unit = fn->unit, .module = fn->module, .locals = fn->locals, .values = fn->values, .labels = fn->labels,
        .fixups = fn->fixups, .stubs = fn->stubs, .saved = fn->saved, .pool = fn->pool, .targets = fn->targets,
        .controls = fn->controls,
    };
    wop_buffer *buffers[] = {&fresh.locals, &fresh.values, &fresh.labels,  &fresh.fixups,  &fresh.stubs,
                            &fresh.saved,  &fresh.pool,   &fresh.targets, &fresh.controls};
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++)
        buffers[i]->count = 0;
    *fn = fresh;
}

/* True where the function is compiled; else its text is to be dropped. */
static bool compile_function(wop_function *fn, const uint8_t *data, uint32_t start, uint32_t end, uint32_t func_index)
{
    reset(fn);
    uint32_t type = fn->module->function_types[func_index];
    fn->pays = fn->module->has_fuel && func_index != fn->module->function_count;
    fn->is_long = end - start > WA_LONG_BODY_BYTES;
    fn->data = data;
    fn->params = wop_params_of(fn->module, type);
    fn->results = wop_results_of(fn->module, type);
    fn->reader = (wop_reader){data + start, data + end, false};
    fn->offset = fn->unit->base + start;
    open_locals(fn);
    fn->has_vectors = wop_has_vectors(fn->params) || wop_has_vectors(fn->results);
    if (fn->has_failed || !wop_scan(fn))
        return false;
    fn->slot_bytes = fn->has_vectors ? WA_VECTOR_BYTES : WA_SLOT_BYTES;
    wop_assign_homes(fn);
    wop_add_row(fn, 0);
    wop_prologue(fn);
    put_body(fn);
    wop_finish_frame(fn);
    wop_stubs_out(fn);
    put_pool(fn);
    return !fn->has_failed && has_memory(fn);
}

static void release_function(wop_function *fn)
{
    wop_buffer *buffers[] = {&fn->locals, &fn->values, &fn->labels,  &fn->fixups,  &fn->stubs,
                            &fn->saved,  &fn->pool,   &fn->targets, &fn->controls};
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++)
        wop_buffer_release(buffers[i]);
}

/* ---- all of them ------------------------------------------------------------------------------------------------------------- */

/* Counts of a unit's arrays before a function that may come to nothing. */
typedef struct {
    uint32_t text, rows, calls, digests, outward, fixed;
} mark;

static mark mark_of(const wop_unit *unit)
{
    return (mark){
        unit->text.count, unit->row_text_offsets.count, unit->call_offsets.count, unit->digest_offsets.count,
        unit->outward_offsets.count, unit->fixed_offsets.count,
    };
}

static void go_back(wop_unit *unit, mark to)
{
    unit->text.count = to.text;
    unit->row_text_offsets.count = unit->row_wasm_offsets.count = unit->row_traps.count = to.rows;
    unit->call_offsets.count = unit->call_functions.count = to.calls;
    unit->digest_offsets.count = unit->digest_types.count = to.digests;
    unit->outward_offsets.count = unit->outward_types.count = to.outward;
    unit->fixed_offsets.count = unit->fixed_tables.count = to.fixed;
}

/* Calls within this text get their distance. The others remain, those too that are out of reach: who links says so. */
static void join_calls(wop_unit *unit, uint32_t compiled)
{
    uint32_t *offsets = unit->call_offsets.data, *functions = unit->call_functions.data, kept = 0;
    const uint32_t *places = unit->function_offsets.data;
    for (uint32_t i = 0; i < unit->call_offsets.count; i++) {
        uint32_t position = functions[i] - unit->first;
        if (position < compiled && wop_join_call((uint8_t *)unit->text.data + offsets[i], offsets[i], places[position]))
            continue;
        offsets[kept] = offsets[i];
        functions[kept++] = functions[i];
    }
    unit->call_offsets.count = unit->call_functions.count = kept;
}

int wa_onepass_compile(const wa_onepass_module *module, const uint8_t *data, uint32_t base, uint32_t first, const uint32_t *starts,
                       const uint32_t *ends, uint32_t count, wa_onepass_code *code)
{
    wop_unit unit = {.module = module, .base = base, .first = first};
    wop_function fn = {.unit = &unit, .module = module};
    unit.used_opcodes = calloc(WA_ONEPASS_PREFIXES, WA_ONEPASS_SUBCODES);
    uint32_t compiled = 0;
    for (; compiled < count && unit.used_opcodes != NULL; compiled++) {
        mark before = mark_of(&unit);
        uint32_t start = wop_begin_function(&unit);
        if (!compile_function(&fn, data, starts[compiled], ends[compiled], first + compiled)) {
            go_back(&unit, before);
            break;
        }
        wop_end_function(&unit, start, !fn.has_calls && !fn.has_loops ? WA_ONEPASS_SHORT : 0);
    }
    release_function(&fn);
    if (unit.used_opcodes == NULL)
        unit.text.has_failed = true;
    if (!unit.text.has_failed && !unit.call_offsets.has_failed && !unit.call_functions.has_failed && !unit.function_offsets.has_failed)
        join_calls(&unit, compiled);
    return wop_hand_over(&unit, code);
}
