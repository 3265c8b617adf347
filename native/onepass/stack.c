/* The operand stack at compile time: where each value is, and which register holds which.
 *
 * A register that an operator has taken or popped stays locked until the next operator. Heights count values; each height has
 * a slot of the frame, so that wherever code comes together, values below are in the same place on all ways. */
#include "machine.h"

enum { NOTHING = 0 };

static wop_set registers_of(bool is_vector)
{
    return is_vector ? WA_VECTOR_SET : WA_INTEGER_SET;
}

static wop_value *push(wop_function *fn, uint8_t place, uint8_t type)
{
    static wop_value nowhere;
    fn->values.count = fn->height;
    if (!wop_buffer_reserve(&fn->values, 1, sizeof(wop_value))) {
        fn->has_failed = true;
        return &nowhere;
    }
    fn->has_failed |= type == WA_V128 && fn->slot_bytes < WA_VECTOR_BYTES; /* the scan saw none */
    wop_value *value = wop_values(fn) + fn->height++;
    fn->values.count = fn->height;
    if (fn->height > fn->most_height)
        fn->most_height = fn->height;
    *value = (wop_value){.place = place, .type = type};
    return value;
}

void wop_push_register(wop_function *fn, uint8_t type, wop_register reg)
{
    push(fn, WA_REGISTER, type)->reg = reg;
    fn->owner[reg] = fn->height - 1;
    fn->used |= WA_SET(reg);
}

void wop_push_constant(wop_function *fn, uint8_t type, uint64_t bits)
{
    push(fn, WA_CONSTANT, type)->bits = bits;
}

void wop_push_vector(wop_function *fn, uint64_t low, uint64_t high)
{
    bool is_zero = (low | high) == 0;
    wop_push_constant(fn, WA_V128, is_zero ? 0 : (uint64_t)wop_pool_vector(fn, low, high).displacement + 1);
}

void wop_push_slot(wop_function *fn, uint8_t type)
{
    push(fn, WA_SLOT, type);
}

static void push_condition(wop_function *fn, uint8_t condition)
{
    push(fn, WA_CONDITION, WA_I32)->reg = condition;
}

void wop_push_local(wop_function *fn, uint32_t local)
{
    wop_local *entry = wop_locals(fn) + local;
    wop_value *value = push(fn, WA_LOCAL, entry->type);
    value->local = local;
    value->bits = entry->latest;
    entry->latest = fn->height;
}

/* The value on top. A register that it owned stays locked. */
wop_value wop_pop(wop_function *fn)
{
    if (fn->height == 0) {
        fn->has_failed = true;
        return (wop_value){.place = WA_CONSTANT};
    }
    wop_value value = wop_values(fn)[--fn->height];
    if (fn->flushed > fn->height)
        fn->flushed = fn->height;
    if (value.place == WA_REGISTER) {
        fn->used &= ~WA_SET(value.reg);
        fn->locked |= WA_SET(value.reg);
    } else if (value.place == WA_LOCAL) {
        wop_locals(fn)[value.local].latest = (uint32_t)value.bits;
    }
    return value;
}

/* Forget values above a height. */
void wop_drop_to(wop_function *fn, uint32_t height)
{
    while (fn->height > height)
        wop_pop(fn);
}

static void spill(wop_function *fn, uint32_t height)
{
    wop_value *value = wop_values(fn) + height;
    wop_store(fn, value->type, wop_slot(fn, height), value->reg);
    fn->used &= ~WA_SET(value->reg);
    value->place = WA_SLOT;
}

/* A free temporary, locked; if need be, the lowest value that has one goes to its slot. */
wop_register wop_allocate(wop_function *fn, bool is_vector, wop_set avoid)
{
    wop_set possible = fn->temporaries & registers_of(is_vector) & ~fn->locked & ~avoid, available = possible & ~fn->used;
    if (possible == 0) {
        fn->has_failed = true;
        return is_vector ? WA_VECTOR_RESULT : WA_RESULT;
    }
    if (available == 0) {
        uint32_t lowest = UINT32_MAX;
        for (wop_register reg = 0; reg < WA_REGISTERS; reg++)
            if ((possible & WA_SET(reg)) && fn->owner[reg] < lowest)
                lowest = fn->owner[reg];
        available = WA_SET(wop_values(fn)[lowest].reg);
        spill(fn, lowest);
    }
    wop_register reg = wop_lowest(available);
    fn->locked |= WA_SET(reg);
    return reg;
}

/* Get hold of a certain temporary: a value in it moves elsewhere. */
void wop_take(wop_function *fn, wop_register reg)
{
    fn->locked |= WA_SET(reg);
    if (!(fn->used & WA_SET(reg)))
        return;
    uint32_t height = fn->owner[reg];
    wop_set available = fn->temporaries & registers_of(reg >= WA_VECTORS) & ~fn->locked & ~fn->used;
    if (available == 0) {
        spill(fn, height);
        return;
    }
    wop_register other = wop_lowest(available);
    wop_value *value = wop_values(fn) + height;
    wop_move(fn, wop_is_wide(value->type), other, reg);
    fn->used = (fn->used & ~WA_SET(reg)) | WA_SET(other);
    fn->owner[other] = height;
    value->reg = other;
}

/* The register that holds a value already, or WA_NO_REGISTER. */
static wop_register held(wop_function *fn, const wop_value *value)
{
    if (value->place == WA_REGISTER)
        return value->reg;
    return value->place == WA_LOCAL ? wop_locals(fn)[value->local].home : WA_NO_REGISTER;
}

/* Where an instruction finds a value that was popped from a height. Integer constants go to a register. */
wop_operand wop_operand_of(wop_function *fn, const wop_value *value, uint32_t height)
{
    wop_register reg = held(fn, value);
    if (reg != WA_NO_REGISTER)
        return wop_reg(reg);
    if (value->place == WA_SLOT)
        return wop_slot(fn, height);
    if (value->place == WA_LOCAL)
        return wop_frame(fn, wop_locals(fn)[value->local].offset);
    if (value->place == WA_CONSTANT && wop_is_vector(value->type) && value->bits != 0)
        return wop_pooled_constant(fn, value->type, value->bits);
    return wop_reg(wop_to_register(fn, value, height));
}

wop_register wop_to_register(wop_function *fn, const wop_value *value, uint32_t height)
{
    wop_register reg = held(fn, value);
    if (reg == WA_NO_REGISTER) {
        reg = wop_allocate(fn, wop_is_vector(value->type), 0);
        wop_load_value(fn, reg, value, height);
    }
    return reg;
}

/* Changes no flags, but for a condition's. */
void wop_load_value(wop_function *fn, wop_register to, const wop_value *value, uint32_t height)
{
    if (value->place == WA_CONSTANT)
        wop_load_constant(fn, value->type, to, value->bits);
    else if (value->place == WA_CONDITION)
        wop_set_condition(fn, value->reg, to);
    else
        wop_load(fn, value->type, to, wop_operand_of(fn, value, height));
}

/* Whether a constant is an immediate of 32 bits with sign. */
bool wop_is_small(const wop_value *value)
{
    return value->place == WA_CONSTANT && !wop_is_vector(value->type) &&
           (value->type == WA_I32 || (int64_t)value->bits == (int32_t)value->bits);
}

/* To a place in memory, if need be by way of the scratch register. */
void wop_store_value(wop_function *fn, wop_operand to, const wop_value *value, uint32_t height)
{
    bool is_zero = value->place == WA_CONSTANT && value->bits == 0 && value->type != WA_V128;
    wop_register from = held(fn, value);
    if (is_zero || wop_is_small(value)) {
        wop_store_constant(fn, wop_is_wide(value->type) ? 8 : 4, to, value->bits);
        return;
    }
    if (from == WA_NO_REGISTER) {
        from = wop_is_vector(value->type) ? WA_VECTOR_SCRATCH : WA_SCRATCH;
        wop_load_value(fn, from, value, height);
    }
    wop_store(fn, value->type, to, from);
}

/* Copy the values that are what a local holds now: it is about to change. */
void wop_settle_local(wop_function *fn, uint32_t local)
{
    wop_local *entry = wop_locals(fn) + local;
    while (entry->latest != NOTHING) {
        uint32_t height = entry->latest - 1;
        wop_value value = wop_values(fn)[height];
        wop_set available = fn->temporaries & registers_of(wop_is_vector(value.type)) & ~fn->locked & ~fn->used;
        entry->latest = (uint32_t)value.bits;
        if (available != 0) {
            wop_register reg = wop_lowest(available);
            wop_load_value(fn, reg, &value, height);
            wop_values(fn)[height].place = WA_REGISTER;
            wop_values(fn)[height].reg = reg;
            fn->owner[reg] = height;
            fn->used |= WA_SET(reg);
        } else {
            wop_store_value(fn, wop_slot(fn, height), &value, height);
            wop_values(fn)[height].place = WA_SLOT;
        }
    }
}

/* Bring all values to their slots, but for constants below forced_height. */
void wop_flush(wop_function *fn, uint32_t forced_height)
{
    uint32_t start = fn->flushed < forced_height ? fn->flushed : forced_height;
    for (uint32_t height = start; height < fn->height; height++) {
        wop_value value = wop_values(fn)[height];
        if (value.place == WA_SLOT || (value.place == WA_CONSTANT && height < forced_height))
            continue;
        if (value.place == WA_REGISTER) {
            spill(fn, height);
            continue;
        }
        wop_store_value(fn, wop_slot(fn, height), &value, height);
        wop_values(fn)[height].place = WA_SLOT;
        if (value.place == WA_LOCAL)
            wop_locals(fn)[value.local].latest = NOTHING; /* from the lowest to the topmost, all of them go */
    }
    fn->flushed = fn->height;
}

/* The operator's local.set, if the next one is that; the result may go to its register at once. */
static uint32_t upcoming_local(const wop_function *fn)
{
    wop_reader ahead = fn->reader;
    uint8_t opcode = wop_read_byte(&ahead);
    if (opcode != WA_OP_LOCAL_SET && opcode != WA_OP_LOCAL_TEE)
        return NOTHING;
    uint32_t index = wop_read_u32(&ahead);
    return index < fn->local_count ? index + 1 : NOTHING;
}

/* A register for a result; the one that an operand leaves, or the home of the local that the result is for. */
wop_register wop_destination(wop_function *fn, uint8_t type, const wop_value *reused)
{
    uint32_t local = upcoming_local(fn);
    if (local != NOTHING && wop_locals(fn)[local - 1].home != WA_NO_REGISTER) {
        wop_settle_local(fn, local - 1);
        fn->target = local;
        return wop_locals(fn)[local - 1].home;
    }
    if (reused != NULL && reused->place == WA_REGISTER && (reused->reg >= WA_VECTORS) == wop_is_vector(type))
        return reused->reg;
    return wop_allocate(fn, wop_is_vector(type), 0);
}

/* The result is in a register. Where that is a local's home, its local.set is done. */
void wop_finish(wop_function *fn, uint8_t type, wop_register reg)
{
    if (fn->target == NOTHING) {
        wop_push_register(fn, type, reg);
        return;
    }
    wop_local *local = wop_locals(fn) + fn->target - 1;
    if (reg != local->home)
        wop_move(fn, wop_is_wide(type), local->home, reg);
    local->is_stored = false;
    uint8_t opcode = wop_read_byte(&fn->reader);
    wop_read_u32(&fn->reader);
    if (opcode == WA_OP_LOCAL_TEE)
        wop_push_local(fn, fn->target - 1);
    fn->target = NOTHING;
}

/* The result is in a register of the operator's own; it goes where the next operator wants it. */
void wop_finish_from(wop_function *fn, uint8_t type, wop_register reg)
{
    wop_value here = {.place = WA_REGISTER, .type = type, .reg = reg};
    wop_register to = wop_destination(fn, type, &here);
    if (to != reg)
        wop_move(fn, type == WA_I64, to, reg);
    wop_finish(fn, type, to);
}

/* Whether the next operator takes a condition from the flags. */
static bool takes_condition(const wop_function *fn)
{
    if (fn->reader.at >= fn->reader.end)
        return false;
    switch (*fn->reader.at) {
    case WA_OP_BR_IF:
    case WA_OP_IF:
    case WA_OP_SELECT:
    case WA_OP_I32_EQZ:
        return true;
    default:
        return false;
    }
}

/* The flags have the result of a comparison. */
void wop_push_comparison(wop_function *fn, uint8_t condition)
{
    if (takes_condition(fn)) {
        push_condition(fn, condition);
        return;
    }
    wop_register to = wop_destination(fn, WA_I32, NULL);
    wop_set_condition(fn, condition, to);
    wop_finish(fn, WA_I32, to);
}

/* A copy of a value in a register that may be overwritten. */
wop_register wop_own(wop_function *fn, const wop_value *value, uint32_t height)
{
    if (value->place == WA_REGISTER)
        return value->reg;
    wop_register reg = wop_allocate(fn, wop_is_vector(value->type), 0);
    wop_load_value(fn, reg, value, height);
    return reg;
}

/* The instance in a register, if need be a temporary one. */
wop_register wop_instance(wop_function *fn)
{
    if (fn->instance != WA_NO_REGISTER)
        return fn->instance;
    wop_register reg = wop_allocate(fn, false, 0);
    wop_load(fn, WA_I64, reg, wop_instance_operand(fn));
    return reg;
}
