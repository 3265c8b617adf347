/* The convention of calls (System V psABI, section 3.2.3), as LLVM has it for the types of WebAssembly. */
#include "machine.h"

/* ---- types ---------------------------------------------------------------------------------------------------------------- */

uint8_t wop_type_of(uint8_t letter)
{
    switch (letter) {
    case 'i':
        return WA_I32;
    case 'l':
        return WA_I64;
    case 'f':
        return WA_F32;
    case 'd':
        return WA_F64;
    default:
        return WA_V128;
    }
}

bool wop_has_vectors(wop_types types)
{
    return memchr(types.letters, 'v', types.count) != NULL;
}

wop_types wop_params_of(const wa_onepass_module *module, uint32_t type)
{
    const uint32_t *places = module->type_places + 2 * (size_t)type;
    return (wop_types){module->letters + places[0], places[1] - places[0]};
}

wop_types wop_results_of(const wa_onepass_module *module, uint32_t type)
{
    const uint32_t *places = module->type_places + 2 * (size_t)type + 1;
    return (wop_types){module->letters + places[0], places[1] - places[0]};
}

/* ---- arguments -------------------------------------------------------------------------------------------------------------- */

/* Where the next argument goes: a register, or WA_NO_REGISTER and an offset among those that go by the stack, or through the
 * store's operands. */
wop_register wop_next_argument(wop_arguments *taken, uint8_t type, int32_t *stack_offset)
{
    if (wop_is_vector(type) && taken->vectors < WA_VECTOR_ARGUMENTS)
        return (wop_register)(WA_VECTORS + taken->vectors++);
    if (!wop_is_vector(type) && taken->integers < WA_INTEGER_ARGUMENTS)
        return wop_integer_arguments[taken->integers++];
    uint32_t words = type == WA_V128 && !taken->spills ? 2 : 1;
    taken->stack = (taken->stack + words - 1) / words * words;
    *stack_offset = (int32_t)((taken->spills ? WA_OPERAND_BYTES : WA_SLOT_BYTES) * taken->stack);
    taken->stack += words;
    return WA_NO_REGISTER;
}

/* All at once: no register is overwritten before it was read. */
void wop_move_all(wop_function *fn, wop_move_to *moves, uint32_t count)
{
    while (count > 0) {
        wop_set sources = 0;
        uint32_t i = 0;
        for (uint32_t j = 0; j < count; j++)
            if (moves[j].to != moves[j].from)
                sources |= WA_SET(moves[j].from);
        while (i < count && moves[i].to != moves[i].from && (sources & WA_SET(moves[i].to)))
            i++;
        if (i < count) {
            if (moves[i].to != moves[i].from)
                wop_move(fn, moves[i].is_wide, moves[i].to, moves[i].from);
            moves[i] = moves[--count];
            continue;
        }
        /* Nothing but circles is left: one exchange shortens one of them. */
        wop_register to = moves[0].to, from = moves[0].from;
        if (to < WA_VECTORS) {
            wop_exchange(fn, to, from);
        } else {
            wop_move(fn, true, WA_VECTOR_SCRATCH, to);
            wop_move(fn, true, to, from);
            wop_move(fn, true, from, WA_VECTOR_SCRATCH);
        }
        for (uint32_t j = 1; j < count; j++) {
            if (moves[j].from == to)
                moves[j].from = from;
            else if (moves[j].from == from)
                moves[j].from = to;
        }
        moves[0] = moves[--count];
    }
}

/* ---- results --------------------------------------------------------------------------------------------------------------- */

static uint32_t size_of(uint8_t type)
{
    return type == WA_V128 ? WA_VECTOR_BYTES : wop_is_wide(type) ? 8 : 4;
}

/* Before the first result. */
wop_returned wop_first_result(const wa_onepass_module *module)
{
    return (wop_returned){.end = module->has_fuel ? WA_FUEL_BYTES : 0};
}

/* The type with which the next result is returned: the third float and the next ones go as integers (see codegen/signature.py). And
 * where it lies in an area for results, which is laid out as C lays out a struct. */
uint8_t wop_next_result(wop_returned *taken, uint8_t letter, int32_t *area_offset)
{
    uint8_t type = wop_type_of(letter);
    if (wop_is_vector(type) && ++taken->floats > 2 && type != WA_V128)
        type = type == WA_F32 ? WA_I32 : WA_I64;
    uint32_t size = size_of(type);
    *area_offset = (int32_t)((taken->end + size - 1) / size * size);
    taken->end = (uint32_t)*area_offset + size;
    return type;
}

/* Whether the registers for results don't hold them. Floats take the first two of those for vectors. */
bool wop_returns_in_memory(const wa_onepass_module *module, wop_types results)
{
    uint32_t integers = module->has_fuel, vectors = 0;
    wop_returned taken = wop_first_result(module);
    int32_t unused;
    for (uint32_t i = 0; i < results.count; i++)
        *(wop_is_vector(wop_next_result(&taken, results.letters[i], &unused)) ? &vectors : &integers) += 1;
    return integers > WA_INTEGER_RESULTS || vectors > WA_VECTOR_RESULTS;
}

uint32_t wop_area_size_bytes(const wa_onepass_module *module, wop_types results)
{
    wop_returned taken = wop_first_result(module);
    int32_t unused;
    for (uint32_t i = 0; i < results.count; i++)
        wop_next_result(&taken, results.letters[i], &unused);
    return wop_returns_in_memory(module, results) ? taken.end : 0;
}

/* ---- modules with tail calls ------------------------------------------------------------------------------------------------
 *
 * Their functions call each other in a way that leaves nothing on the stack: two results have registers, more of them go through
 * the store's operands, as do arguments that no register holds. All else is as in C, and so are calls of others. */

bool wop_spills_results(const wa_onepass_module *module, wop_types results)
{
    return module->has_tail_calls && results.count + module->has_fuel > 2;
}

/* Whether the caller passes an area for results. is_own: the callee is a function of the module. */
bool wop_has_area(const wa_onepass_module *module, wop_types results, bool is_own)
{
    return !(is_own && module->has_tail_calls) && wop_returns_in_memory(module, results);
}

/* What comes before the arguments of a call: such an area, the context, and fuel. */
wop_arguments wop_leading_arguments(const wa_onepass_module *module, wop_types results, bool is_own)
{
    return (wop_arguments){
        .integers = 1u + (wop_has_area(module, results, is_own) ? WA_AREA_ARGUMENTS : 0) + module->has_fuel,
        .spills = is_own && module->has_tail_calls,
    };
}

/* Whether a call of a function of the module differs from one in C. */
bool wop_spills(const wa_onepass_module *module, uint32_t type)
{
    wop_types params = wop_params_of(module, type), results = wop_results_of(module, type);
    wop_arguments taken = wop_leading_arguments(module, results, true);
    int32_t offset;
    for (uint32_t i = 0; i < params.count; i++)
        wop_next_argument(&taken, wop_type_of(params.letters[i]), &offset);
    return taken.stack > 0 || wop_spills_results(module, results);
}

/* ---- addresses -------------------------------------------------------------------------------------------------------------- */

/* The address of a type's digest, by which types are compared. */
void wop_load_digest(wop_function *fn, wop_register to, uint32_t canonical)
{
    wop_load_symbol(fn, to, &fn->unit->digest_offsets, &fn->unit->digest_types, canonical);
}

/* The address of the constant that stands for a table that never changes. */
void wop_load_fixed(wop_function *fn, wop_register to, uint32_t table)
{
    wop_load_symbol(fn, to, &fn->unit->fixed_offsets, &fn->unit->fixed_tables, table);
}

/* The address of the trampoline to functions of a type that are called as in C. */
void wop_load_outward(wop_function *fn, wop_register to, uint32_t canonical)
{
    wop_load_symbol(fn, to, &fn->unit->outward_offsets, &fn->unit->outward_types, canonical);
}
