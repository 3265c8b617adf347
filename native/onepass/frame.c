/* The frame of a function, and which locals have a register for their home.
 *
 * In this order, downwards from the frame pointer or upwards from the stack pointer, as the machine has it: registers of the caller, the
 * instance, locals, an area for results of callees, slots of the operand stack. Arguments of callees lie lowest. Parameters that came by the
 * stack stay where they are. */
#include "machine.h"

enum {
    SLOT_BYTES = 8,
    UNCHECKED_BYTES = 2048, /* what a frame may take without a look at the stack limit */
    MOST_CANDIDATES = 64,
};

static const wop_register callee_pool[] = WA_CALLEE_POOL;
static const wop_register caller_pool[] = WA_CALLER_POOL;

/* The instance and, before it, the address of the caller's area for results. */
static wop_arguments first_arguments(const wop_function *fn)
{
    return wop_leading_arguments(fn->module, fn->results, true);
}

static bool has_spilled_params(const wop_function *fn)
{
    wop_arguments taken = first_arguments(fn);
    int32_t offset;
    for (uint32_t i = 0; i < fn->params.count; i++)
        wop_next_argument(&taken, wop_type_of(fn->params.letters[i]), &offset);
    return taken.spills && taken.stack > 0;
}

static bool has_area(const wop_function *fn)
{
    return wop_has_area(fn->module, fn->results, true);
}

static wop_register portion_arrival(const wop_function *fn)
{
    return wop_portion_argument(has_area(fn));
}

/* ---- homes ------------------------------------------------------------------------------------------------------- */

enum { THE_INSTANCE = UINT32_MAX, THE_BASE = UINT32_MAX - 1, THE_PORTION = UINT32_MAX - 2, FIRST_SPECIAL = THE_PORTION };

/* What may get a register: a local, or what code needs beside them. */
typedef struct {
    uint32_t local, weight;
    wop_register arrival;
    bool is_vector;
} candidate;

/* The heaviest first; of equals, the lower index. */
static bool is_before(const candidate *a, const candidate *b)
{
    return a->weight != b->weight ? a->weight > b->weight : a->local < b->local;
}

/* Keep the heaviest. count: how many there are. */
static uint32_t add_candidate(candidate *list, uint32_t count, candidate added)
{
    uint32_t at = count < MOST_CANDIDATES ? count : MOST_CANDIDATES - 1;
    if (added.weight == 0 || (count == MOST_CANDIDATES && !is_before(&added, &list[at])))
        return count;
    for (; at > 0 && is_before(&added, &list[at - 1]); at--)
        list[at] = list[at - 1];
    list[at] = added;
    return count < MOST_CANDIDATES ? count + 1 : count;
}

static uint32_t gather(wop_function *fn, candidate *list)
{
    wop_arguments taken = first_arguments(fn);
    wop_register instance = wop_context_argument(has_area(fn));
    uint32_t count = add_candidate(list, 0, (candidate){THE_INSTANCE, fn->instance_weight, instance, false});
    count = add_candidate(list, count, (candidate){THE_BASE, fn->base_weight, WA_NO_REGISTER, false});
    count = add_candidate(list, count, (candidate){THE_PORTION, fn->portion_weight, portion_arrival(fn), false});
    for (uint32_t i = 0; i < fn->local_count; i++) {
        wop_local *local = wop_locals(fn) + i;
        int32_t stack_offset = -1;
        wop_register arrival = i < fn->param_count ? wop_next_argument(&taken, local->type, &stack_offset) : WA_NO_REGISTER;
        if (stack_offset >= 0 && !taken.spills)
            local->offset = 2 * SLOT_BYTES + stack_offset;
        count = add_candidate(list, count, (candidate){i, local->weight, arrival, wop_is_vector(local->type)});
    }
    return count;
}

/* The best register for a candidate among the free ones of a pool. */
static wop_register choose(const wop_register *pool, size_t size, wop_set available, wop_register arrival)
{
    wop_register found = WA_NO_REGISTER;
    for (size_t i = 0; i < size; i++)
        if ((available & WA_SET(pool[i])) && (found == WA_NO_REGISTER || pool[i] == arrival))
            found = pool[i];
    return found;
}

static wop_register choose_vector(wop_set available, wop_register arrival)
{
    if (arrival != WA_NO_REGISTER && (available & WA_SET(arrival)))
        return arrival;
    wop_set vectors = available & WA_VECTOR_SET;
    return vectors != 0 ? wop_highest(vectors) : WA_NO_REGISTER;
}

/* A register for one candidate, or WA_NO_REGISTER where none is free, or costs more than it saves. */
static wop_register choose_home(const wop_function *fn, const candidate *one, wop_set available)
{
    enum { SAVING_COST = 2 };
    bool is_local = one->local < FIRST_SPECIAL, survives_calls = !fn->has_calls;
    bool may_be_changed = survives_calls || (is_local && one->weight > 2 * (uint64_t)fn->call_weight);
    if (one->local == THE_PORTION) /* it is returned when other results are in place */
        available &= ~WA_RESULT_SET;
    if (one->is_vector)
        return may_be_changed ? choose_vector(available, one->arrival) : WA_NO_REGISTER;
    wop_register caller = may_be_changed ? choose(caller_pool, sizeof caller_pool, available, one->arrival) : WA_NO_REGISTER;
    wop_register callee = one->weight > SAVING_COST ? choose(callee_pool, sizeof callee_pool, available, WA_NO_REGISTER) : WA_NO_REGISTER;
    if (survives_calls)
        return caller != WA_NO_REGISTER ? caller : callee;
    return callee != WA_NO_REGISTER ? callee : caller;
}

static void settle_in(wop_function *fn, uint32_t what, wop_register home)
{
    fn->homes |= WA_SET(home);
    if (WA_CALLEE_POOL_SET & WA_SET(home))
        fn->callee_saved |= WA_SET(home);
    if (what == THE_INSTANCE) {
        fn->instance = home;
    } else if (what == THE_BASE) {
        fn->memory_base = home;
    } else if (what == THE_PORTION) {
        fn->portion = home;
    } else {
        wop_locals(fn)[what].home = home;
        fn->home_local[home] = what;
        if (fn->has_calls && !(WA_CALLEE_POOL_SET & WA_SET(home)))
            fn->caller_homes |= WA_SET(home);
    }
}

static int32_t take_bytes(wop_function *fn, uint32_t size_bytes)
{
    if (size_bytes % WA_VECTOR_BYTES == 0)
        fn->fixed_bytes = (fn->fixed_bytes + WA_VECTOR_BYTES - 1) / WA_VECTOR_BYTES * WA_VECTOR_BYTES;
    int32_t offset = wop_place_offset(fn->fixed_bytes, size_bytes);
    fn->fixed_bytes += size_bytes;
    return offset;
}

static int32_t take_local(wop_function *fn, const wop_local *local)
{
    return take_bytes(fn, local->type == WA_V128 ? WA_VECTOR_BYTES : SLOT_BYTES);
}

/* Places in the frame: for the heaviest locals first, as near offsets have shorter instructions. */
static void place_locals(wop_function *fn, const candidate *list, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        wop_local *local = list[i].local < FIRST_SPECIAL ? wop_locals(fn) + list[i].local : NULL;
        if (local != NULL && local->offset == 0 && (local->home == WA_NO_REGISTER || (fn->caller_homes & WA_SET(local->home))))
            local->offset = take_local(fn, local);
    }
    for (uint32_t i = 0; i < fn->local_count; i++) {
        wop_local *local = wop_locals(fn) + i;
        if (local->weight > 0 && local->offset == 0 && local->home == WA_NO_REGISTER)
            local->offset = take_local(fn, local);
    }
}

void wop_assign_homes(wop_function *fn)
{
    candidate list[MOST_CANDIDATES];
    wop_set available = WA_CALLEE_POOL_SET | WA_CALLER_POOL_SET | WA_VECTOR_POOL_SET;
    fn->instance = fn->memory_base = fn->portion = WA_NO_REGISTER;
    uint32_t count = gather(fn, list);
    for (uint32_t i = 0; i < count; i++) {
        wop_register home = choose_home(fn, &list[i], available);
        if (home == WA_NO_REGISTER)
            continue;
        available &= ~WA_SET(home);
        settle_in(fn, list[i].local, home);
    }
    fn->temporaries = WA_ALWAYS_TEMPORARY | (available & ~WA_CALLEE_POOL_SET);
    fn->fixed_bytes = SLOT_BYTES * wop_count(fn->callee_saved);
    bool needs_instance = fn->instance_weight > 0 || (fn->base_weight > 0 && fn->memory_base == WA_NO_REGISTER);
    if (fn->instance == WA_NO_REGISTER && needs_instance)
        fn->instance_offset = take_bytes(fn, SLOT_BYTES);
    if (fn->module->has_fuel && fn->portion == WA_NO_REGISTER)
        fn->portion_offset = take_bytes(fn, SLOT_BYTES);
    if (has_area(fn))
        fn->area_pointer_offset = take_bytes(fn, SLOT_BYTES);
    place_locals(fn, list, count);
    if (fn->area_bytes > 0)
        fn->area_offset = take_bytes(fn, (fn->area_bytes + WA_VECTOR_BYTES - 1) / WA_VECTOR_BYTES * WA_VECTOR_BYTES);
    if (fn->slot_bytes == WA_VECTOR_BYTES)
        take_bytes(fn, 0);
}

/* ---- prologue and epilogue ---------------------------------------------------------------------------------------- */

static void move_callee_saved(wop_function *fn, bool is_loading)
{
    int32_t offset = 0;
    for (wop_register reg = 0; reg < WA_VECTORS; reg++) {
        if (!(fn->callee_saved & WA_SET(reg)))
            continue;
        offset -= SLOT_BYTES;
        if (is_loading)
            wop_load(fn, WA_I64, reg, wop_frame(fn, offset));
        else
            wop_store(fn, WA_I64, wop_frame(fn, offset), reg);
    }
}

static void check_stack(wop_function *fn, wop_register instance)
{
    uint64_t size_bytes = (uint64_t)fn->fixed_bytes + fn->slot_bytes * (uint64_t)(fn->reader.end - fn->reader.at);
    if (!fn->has_calls && size_bytes < UNCHECKED_BYTES)
        return;
    wop_add_row(fn, WA_TRAP_STACK_EXHAUSTED);
    wop_arithmetic(fn, WA_CMP, true, WA_STACK, wop_memory(instance, offsetof(struct wa_schema_instance, stack_limit)));
    wop_trap_if(fn, BELOW, WA_TRAP_STACK_EXHAUSTED);
}

/* Parameters go from where they arrive to their homes. */
static uint32_t receive(wop_function *fn, wop_move_to *moves)
{
    uint32_t count = 0;
    wop_arguments taken = first_arguments(fn);
    for (uint32_t i = 0; i < fn->param_count; i++) {
        wop_local *local = wop_locals(fn) + i;
        int32_t unused;
        wop_register arrival = wop_next_argument(&taken, local->type, &unused);
        if (arrival == WA_NO_REGISTER || local->weight == 0)
            continue;
        bool is_kept = local->home != WA_NO_REGISTER;
        if (!is_kept || ((fn->caller_homes & WA_SET(local->home)) && !local->is_assigned)) {
            wop_store(fn, local->type, wop_frame(fn, local->offset), arrival);
            local->is_stored = true;
        }
        if (is_kept && local->type == WA_I32 && arrival == local->home)
            wop_move(fn, false, arrival, arrival); /* C leaves the upper half open */
        else if (is_kept)
            moves[count++] = (wop_move_to){local->home, arrival, wop_is_wide(local->type)};
    }
    return count;
}

/* The frame keeps the value of a local that nothing sets, where calls change its home: from the start, as any way may lead to one. */
static void store_once(wop_function *fn, wop_local *local)
{
    if (!(fn->caller_homes & WA_SET(local->home)))
        return;
    wop_store(fn, local->type, wop_frame(fn, local->offset), local->home);
    local->is_stored = true;
}

/* A parameter that comes through the store's operands, whose address is in WA_OPERANDS. */
static void read_spilled(wop_function *fn, wop_local *local, int32_t offset)
{
    wop_register to = local->home != WA_NO_REGISTER ? local->home : wop_is_vector(local->type) ? WA_VECTOR_SCRATCH : WA_SCRATCH;
    wop_load(fn, local->type, to, wop_memory(WA_OPERANDS, offset));
    local->is_stored = local->offset != 0;
    if (local->is_stored)
        wop_store(fn, local->type, wop_frame(fn, local->offset), to);
}

/* What did not arrive in registers: parameters of the stack, and zeros. */
static void fill_locals(wop_function *fn)
{
    wop_arguments taken = first_arguments(fn);
    bool has_zero = false;
    for (uint32_t i = 0; i < fn->local_count; i++) {
        wop_local *local = wop_locals(fn) + i;
        int32_t offset;
        bool is_param = i < fn->param_count;
        if ((is_param && wop_next_argument(&taken, local->type, &offset) != WA_NO_REGISTER) || local->weight == 0)
            continue;
        if (is_param && taken.spills) {
            read_spilled(fn, local, offset);
        } else if (is_param && local->home != WA_NO_REGISTER) {
            wop_load(fn, local->type, local->home, wop_frame(fn, local->offset));
            local->is_stored = true;
        } else if (!is_param && local->home != WA_NO_REGISTER) {
            if (wop_is_vector(local->type))
                wop_load_constant(fn, local->type, local->home, 0);
            else
                wop_clear(fn, local->home);
            if (!local->is_assigned)
                store_once(fn, local);
        } else if (!is_param) {
            if (!has_zero)
                wop_clear(fn, WA_SCRATCH);
            has_zero = true;
            wop_operand place = wop_frame(fn, local->offset);
            for (int32_t word = 0; word < (local->type == WA_V128 ? WA_VECTOR_BYTES : WA_SLOT_BYTES); word += WA_SLOT_BYTES)
                wop_store(fn, WA_I64, wop_memory(place.reg, place.displacement + word), WA_SCRATCH);
        }
    }
}

void wop_prologue(wop_function *fn)
{
    wop_move_to moves[WA_REGISTERS];
    wop_register instance = wop_context_argument(has_area(fn));
    wop_begin_frame(fn);
    check_stack(fn, instance);
    move_callee_saved(fn, false);
    if (has_area(fn))
        wop_store(fn, WA_I64, wop_frame(fn, fn->area_pointer_offset), WA_AREA);
    if (fn->instance_offset != 0)
        wop_store(fn, WA_I64, wop_frame(fn, fn->instance_offset), instance);
    if (has_spilled_params(fn))
        wop_load(fn, WA_I64, WA_OPERANDS, wop_memory(instance, offsetof(struct wa_schema_instance, operands)));
    if (fn->memory_base != WA_NO_REGISTER)
        wop_load(fn, WA_I64, WA_SCRATCH, wop_memory(instance, (int32_t)fn->module->memories_offset));
    uint32_t count = receive(fn, moves);
    if (fn->portion != WA_NO_REGISTER)
        moves[count++] = (wop_move_to){fn->portion, portion_arrival(fn), true};
    else if (fn->module->has_fuel)
        wop_store(fn, WA_I64, wop_portion_operand(fn), portion_arrival(fn));
    if (fn->instance != WA_NO_REGISTER)
        moves[count++] = (wop_move_to){fn->instance, instance, true};
    if (fn->memory_base != WA_NO_REGISTER)
        moves[count++] = (wop_move_to){fn->memory_base, WA_SCRATCH, true};
    wop_move_all(fn, moves, count);
    fill_locals(fn);
}

/* Registers of the caller as it left them, the stack as the call made it. */
void wop_leave_frame(wop_function *fn)
{
    move_callee_saved(fn, true);
    wop_drop_frame(fn);
}

void wop_epilogue(wop_function *fn)
{
    wop_leave_frame(fn);
    wop_return(fn);
}

/* Now that all of the frame is known, its size goes into the prologue. */
void wop_finish_frame(wop_function *fn)
{
    uint64_t size_bytes = (uint64_t)fn->fixed_bytes + fn->slot_bytes * (uint64_t)fn->most_height + fn->outgoing_bytes;
    if (size_bytes > INT32_MAX / 2) {
        fn->has_failed = true;
        return;
    }
    wop_size_frame(fn, size_bytes);
}
