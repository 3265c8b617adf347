/* Structured control (spec section 4.4.8): labels, branches, and the way out of the function.
 *
 * At a label, values are where all ways to it agree: one result in its register, several in their slots; what lies below was
 * brought to its slots where the block began. */
#include "machine.h"

/* ---- state where ways meet ------------------------------------------------------------------------------------------ */

/* On another way, the frame may lack the values of locals in registers. */
static void forget_stored(wop_function *fn)
{
    for (wop_register reg = 0; reg < WA_REGISTERS; reg++) {
        if (!(fn->caller_homes & WA_SET(reg)))
            continue;
        wop_local *local = wop_locals(fn) + fn->home_local[reg];
        if (local->is_assigned)
            local->is_stored = false;
    }
}

static wop_types label_values(const wop_label *label)
{
    return label->kind == WA_LOOP ? label->params : label->results;
}

static wop_register meeting_register(uint8_t type)
{
    return wop_is_vector(type) ? WA_VECTOR_RESULT : WA_RESULT;
}

/* Whether a label's one value is in a register; a loop's is in its slot. */
static bool meets_in_register(const wop_label *label)
{
    return label->kind != WA_LOOP && label->results.count == 1;
}

/* Bring the label's values, which are on top of the stack, to where it wants them. The stack stays as it is; registers and slots
 * above the label's height may lose what they held. */
static void pass_values(wop_function *fn, const wop_label *label)
{
    wop_types values = label_values(label);
    uint32_t first = fn->height - values.count;
    if (meets_in_register(label)) {
        const wop_value *value = wop_values(fn) + first;
        wop_load_value(fn, meeting_register(value->type), value, first);
        return;
    }
    for (uint32_t i = 0; i < values.count; i++) {
        wop_value value = wop_values(fn)[first + i];
        if (value.place != WA_SLOT || first != label->height)
            wop_store_value(fn, wop_slot(fn, label->height + i), &value, first + i);
    }
}

/* Forget the block's values; the label's values are where it wants them. */
static void begin_behind(wop_function *fn, const wop_label *label)
{
    wop_drop_to(fn, label->height);
    fn->locked = 0;
    for (uint32_t i = 0; i < label->results.count; i++) {
        uint8_t type = wop_type_of(label->results.letters[i]);
        if (meets_in_register(label))
            wop_push_register(fn, type, meeting_register(type));
        else
            wop_push_slot(fn, type);
    }
    forget_stored(fn);
}

/* What follows is unreachable. */
void wop_die(wop_function *fn)
{
    wop_drop_to(fn, wop_label_at(fn, 0)->height);
    fn->is_dead = true;
    fn->dead_depth = 0;
}

/* Pop an i32 as a condition that is in the flags. */
static uint8_t pop_condition(wop_function *fn)
{
    wop_value value = wop_pop(fn);
    if (value.place == WA_CONDITION)
        return value.reg;
    wop_operand at = wop_operand_of(fn, &value, fn->height);
    if (at.kind == WA_IN_REGISTER)
        wop_test(fn, false, at.reg);
    else
        wop_arithmetic_constant(fn, WA_CMP, false, at, 0);
    return NOT_EQUAL;
}

/* ---- blocks --------------------------------------------------------------------------------------------------------- */

static void read_block_type(wop_function *fn, wop_label *label)
{
    static const uint8_t letters[] = "vdfli"; /* 0x7b to 0x7f */
    int64_t type = wop_read_signed(&fn->reader);
    if (type >= 0 && type < fn->module->type_count) {
        label->params = wop_params_of(fn->module, (uint32_t)type);
        label->results = wop_results_of(fn->module, (uint32_t)type);
    } else if (type == WA_REF_NULL_CODE || type == WA_REF_CODE) {
        wop_read_signed(&fn->reader);
        label->results = (wop_types){letters + 3, 1};
    } else if (type >= -5 && type <= -1) {
        label->results = (wop_types){letters + 5 + type, 1};
    } else if (type != -64) {
        label->results = (wop_types){letters + 3, 1}; /* a reference */
    }
}

static wop_label *push_label(wop_function *fn, uint8_t kind)
{
    static wop_label nowhere;
    if (!wop_buffer_reserve(&fn->labels, 1, sizeof(wop_label))) {
        fn->has_failed = true;
        return &nowhere;
    }
    wop_label *label = wop_labels(fn) + fn->labels.count++;
    *label = (wop_label){.kind = kind};
    if (kind != WA_FUNCTION)
        read_block_type(fn, label);
    return label;
}

void wop_open_function(wop_function *fn)
{
    wop_label *label = push_label(fn, WA_FUNCTION);
    label->results = fn->results;
}

void wop_open_block(wop_function *fn, uint8_t kind)
{
    wop_label *label = push_label(fn, kind);
    if (label->params.count > fn->height) {
        fn->has_failed = true;
        return;
    }
    label->height = fn->height - label->params.count;
    wop_flush(fn, label->params.count > 0 ? label->height : fn->height);
    if (kind == WA_LOOP) {
        label->start = wop_text_offset(fn);
        forget_stored(fn);
    }
}

static void open_if(wop_function *fn)
{
    uint8_t condition = pop_condition(fn);
    wop_open_block(fn, WA_IF);
    wop_jump_if(fn, condition ^ 1, &wop_label_at(fn, 0)->else_fixups);
}

/* Go to the end of the innermost block, if code gets there. */
void wop_leave_block(wop_function *fn)
{
    wop_label *label = wop_label_at(fn, 0);
    if (!fn->is_dead) {
        pass_values(fn, label);
        wop_jump(fn, &label->fixups);
    }
    wop_die(fn);
}

/* The jumps of a list lead here, into the innermost block; its values are gone. */
void wop_enter_again(wop_function *fn, uint32_t *list)
{
    wop_bind(fn, list);
    wop_drop_to(fn, wop_label_at(fn, 0)->height);
    fn->locked = 0;
    fn->is_dead = false;
    forget_stored(fn);
}

static void begin_else(wop_function *fn)
{
    wop_label *label = wop_label_at(fn, 0);
    label->kind = WA_ELSE;
    wop_enter_again(fn, &label->else_fixups);
    for (uint32_t i = 0; i < label->params.count; i++)
        wop_push_slot(fn, wop_type_of(label->params.letters[i]));
    fn->flushed = fn->height;
}

static void put_else(wop_function *fn)
{
    wop_leave_block(fn);
    begin_else(fn);
}

static void end_function(wop_function *fn)
{
    wop_label *label = wop_label_at(fn, 0);
    if (!fn->is_dead || label->fixups != 0) {
        if (!fn->is_dead && label->fixups != 0)
            pass_values(fn, label);
        if (label->fixups != 0) {
            wop_bind(fn, &label->fixups);
            begin_behind(fn, label);
        }
        fn->is_dead = false;
        wop_return_values(fn);
        wop_epilogue(fn);
    }
    if (fn->unwind_fixups != 0) {
        wop_bind(fn, &fn->unwind_fixups);
        wop_return_portion(fn);
        wop_epilogue(fn);
    }
    fn->labels.count--;
}

void wop_end_block(wop_function *fn)
{
    wop_label *label = wop_label_at(fn, 0);
    if (label->kind == WA_FUNCTION) {
        end_function(fn);
        return;
    }
    if (label->kind == WA_LOOP) { /* nothing jumps to its end */
        fn->labels.count--;
        return;
    }
    if (label->kind == WA_IF) {
        if (label->results.count > 0)
            put_else(fn);
        else if (fn->is_dead)
            begin_else(fn);
        else
            wop_join(fn, &label->fixups, label->else_fixups);
    }
    if (label->fixups != 0) {
        if (!fn->is_dead)
            pass_values(fn, label);
        wop_bind(fn, &label->fixups);
        begin_behind(fn, label);
        fn->is_dead = false;
    }
    fn->labels.count--;
}

/* ---- branches ------------------------------------------------------------------------------------------------------- */

static wop_label *read_label(wop_function *fn)
{
    uint32_t depth = wop_read_u32(&fn->reader);
    if (depth >= fn->labels.count) {
        fn->has_failed = true;
        depth = 0;
    }
    wop_label *label = wop_label_at(fn, depth);
    if (label_values(label).count > fn->height)
        fn->has_failed = true;
    return label;
}

static void jump_to(wop_function *fn, wop_label *label)
{
    if (label->kind == WA_LOOP)
        wop_jump_back(fn, label->start);
    else
        wop_jump(fn, &label->fixups);
}

void wop_branch(wop_function *fn, wop_label *label)
{
    if (fn->has_failed)
        return;
    pass_values(fn, label);
    jump_to(fn, label);
    wop_die(fn);
}

/* One value that a conditional branch passes goes to its register whether or not the branch is taken; it stays on the stack. */
static void keep_in_register(wop_function *fn)
{
    wop_value value = wop_pop(fn);
    wop_register reg = meeting_register(value.type);
    if (value.place != WA_REGISTER || value.reg != reg) {
        wop_take(fn, reg);
        wop_load_value(fn, reg, &value, fn->height);
    }
    wop_push_register(fn, value.type, reg);
}

static void branch_if(wop_function *fn, wop_label *label, uint8_t condition)
{
    if (fn->has_failed)
        return;
    uint32_t skipped = 0;
    if (meets_in_register(label)) {
        keep_in_register(fn);
    } else if (label_values(label).count > 0) {
        wop_jump_if(fn, condition ^ 1, &skipped);
        pass_values(fn, label);
        jump_to(fn, label);
        wop_bind(fn, &skipped);
        return;
    }
    if (label->kind == WA_LOOP)
        wop_jump_back_if(fn, condition, label->start);
    else
        wop_jump_if(fn, condition, &label->fixups);
}

/* br_on_null, br_on_non_null. */
static void branch_on_null(wop_function *fn, bool is_null)
{
    wop_label *label = read_label(fn);
    if (fn->has_failed)
        return;
    wop_value reference = wop_pop(fn);
    wop_register reg = wop_to_register(fn, &reference, fn->height);
    if (reference.place != WA_REGISTER) { /* the other way goes on with it as a value of its own */
        wop_register copy = wop_allocate(fn, false, 0);
        wop_move(fn, true, copy, reg);
        reg = copy;
    }
    if (is_null) {
        wop_register kept = reg;
        if (meets_in_register(label) && reg == WA_RESULT && label_values(label).count == 1) {
            kept = wop_allocate(fn, false, 0);
            wop_move(fn, true, kept, WA_RESULT);
        }
        wop_test(fn, true, kept);
        branch_if(fn, label, EQUAL);
        wop_push_register(fn, WA_I64, kept);
        return;
    }
    wop_test(fn, true, reg);
    wop_push_register(fn, WA_I64, reg);
    branch_if(fn, label, NOT_EQUAL);
    wop_pop(fn);
}

/* br_on_cast, br_on_cast_fail. The reference is a value on either way. */
static void branch_on_cast(wop_function *fn, bool fails)
{
    enum { TARGET_TAKES_NULL = 2 };
    uint8_t flags = wop_read_byte(&fn->reader);
    wop_label *label = read_label(fn);
    wop_read_heap(&fn->reader);
    uint32_t heap = wop_read_heap(&fn->reader);
    wop_register reference = wop_keep_reference(fn);
    uint8_t condition = wop_test_type(fn, reference, heap, (flags & TARGET_TAKES_NULL) != 0);
    branch_if(fn, label, condition ^ fails);
}

static void put_return(wop_function *fn)
{
    wop_label *label = wop_label_at(fn, fn->labels.count - 1);
    if (label->results.count > fn->height) {
        fn->has_failed = true;
    } else if (fn->callee_saved == 0 && !wop_returns_in_memory(fn->module, fn->results) && !wop_spills_results(fn->module, fn->results)) {
        wop_return_values(fn);
        wop_epilogue(fn);
        wop_die(fn);
    } else {
        wop_branch(fn, label);
    }
}

/* ---- br_table ------------------------------------------------------------------------------------------------------- */

/* Of several values, or a loop's, each label wants copies of its own: then targets lead to code that makes them. */
typedef struct {
    uint32_t first, count; /* in fn->targets: depths; the default is behind them */
    bool has_ways;
} branch_targets;

static wop_label *target_label(wop_function *fn, branch_targets targets, uint32_t number)
{
    return wop_label_at(fn, ((const uint32_t *)fn->targets.data)[targets.first + number]);
}

/* Few targets: compare one by one. */
static void compare_targets(wop_function *fn, wop_register index, branch_targets targets)
{
    for (uint32_t i = 0; i < targets.count; i++) {
        wop_label *label = target_label(fn, targets, i);
        wop_arithmetic_constant(fn, WA_CMP, false, wop_reg(index), (int32_t)i);
        if (targets.has_ways)
            wop_jump_if(fn, EQUAL, &label->way_fixups);
        else if (label->kind == WA_LOOP)
            wop_jump_back_if(fn, EQUAL, label->start);
        else
            wop_jump_if(fn, EQUAL, &label->fixups);
    }
}

/* Distances from the table's start, behind the jump that reads them. */
static void put_table(wop_function *fn, branch_targets targets)
{
    wop_align(fn, 4);
    uint32_t table = wop_text_offset(fn);
    for (uint32_t i = 0; i < targets.count; i++) {
        wop_label *label = target_label(fn, targets, i);
        bool is_known = label->kind == WA_LOOP && !targets.has_ways;
        /* What is added later is the distance from the entry's end. */
        wop_word(fn, is_known ? label->start - table : wop_text_offset(fn) + 4 - table);
        if (!is_known)
            wop_add_fixup(fn, targets.has_ways ? &label->way_fixups : &label->fixups);
    }
}

static void jump_through_table(wop_function *fn, wop_register index, branch_targets targets)
{
    uint32_t out = 0, table = 0;
    wop_arithmetic_constant(fn, WA_CMP, false, wop_reg(index), (int32_t)targets.count);
    wop_jump_if(fn, ABOVE_EQUAL, &out);
    wop_jump_by_table(fn, index, &table);
    wop_align(fn, 4);
    wop_bind(fn, &table);
    put_table(fn, targets);
    wop_bind(fn, &out);
}

/* For each label that the table leads to, once: the values go to their places. */
static void put_ways(wop_function *fn, branch_targets targets)
{
    for (uint32_t i = 0; i < targets.count; i++) {
        wop_label *label = target_label(fn, targets, i);
        if (label->way_fixups == 0)
            continue;
        wop_bind(fn, &label->way_fixups);
        pass_values(fn, label);
        jump_to(fn, label);
    }
}

static branch_targets read_targets(wop_function *fn)
{
    branch_targets targets = {.first = fn->targets.count, .count = wop_read_u32(&fn->reader)};
    for (uint32_t i = 0; i <= targets.count && !fn->reader.has_failed; i++) {
        uint32_t depth = wop_read_u32(&fn->reader);
        if (depth >= fn->labels.count || label_values(wop_label_at(fn, depth)).count > fn->height) {
            fn->has_failed = true;
            return targets;
        }
        const wop_label *label = wop_label_at(fn, depth);
        targets.has_ways |= label_values(label).count > 0 && !meets_in_register(label);
        wop_push_u32(&fn->targets, depth);
    }
    fn->has_failed |= fn->reader.has_failed || fn->targets.has_failed || targets.count > INT32_MAX / 8;
    return targets;
}

static void put_br_table(wop_function *fn)
{
    enum { FEW = 4 };
    wop_value index = wop_pop(fn);
    branch_targets targets = read_targets(fn);
    if (fn->has_failed)
        return;
    wop_label *last = target_label(fn, targets, targets.count);
    wop_register reg = index.reg;
    if (index.place != WA_REGISTER || reg == WA_RESULT) {
        reg = wop_allocate(fn, false, WA_SET(WA_RESULT));
        wop_load_value(fn, reg, &index, fn->height);
    }
    if (!targets.has_ways)
        pass_values(fn, last);
    if (targets.count <= FEW)
        compare_targets(fn, reg, targets);
    else
        jump_through_table(fn, reg, targets);
    if (targets.has_ways) {
        uint32_t to_last = 0;
        wop_jump(fn, &to_last);
        put_ways(fn, targets);
        wop_bind(fn, &to_last);
    }
    fn->targets.count = targets.first;
    wop_branch(fn, last);
}

/* ---- all of them ---------------------------------------------------------------------------------------------------- */

/* One control operator, already read. */
void wop_control(wop_function *fn)
{
    switch (fn->opcode) {
    case WA_OP_UNREACHABLE:
        wop_trap(fn, WA_TRAP_UNREACHABLE);
        wop_die(fn);
        return;
    case WA_OP_NOP:
        return;
    case WA_OP_BLOCK:
        wop_open_block(fn, WA_BLOCK);
        return;
    case WA_OP_LOOP:
        wop_open_block(fn, WA_LOOP);
        return;
    case WA_OP_IF:
        open_if(fn);
        return;
    case WA_OP_ELSE:
        put_else(fn);
        return;
    case WA_OP_END:
        wop_end_block(fn);
        return;
    case WA_OP_BR:
        wop_branch(fn, read_label(fn));
        return;
    case WA_OP_BR_IF: {
        wop_label *label;
        uint8_t condition = pop_condition(fn);
        label = read_label(fn);
        branch_if(fn, label, condition);
        return;
    }
    case WA_OP_BR_TABLE:
        put_br_table(fn);
        return;
    case WA_OP_RETURN:
        put_return(fn);
        return;
    case WA_OP_BR_ON_NULL:
    case WA_OP_BR_ON_NON_NULL:
        branch_on_null(fn, fn->opcode == WA_OP_BR_ON_NULL);
        return;
    case WA_OP_BR_ON_CAST:
    case WA_OP_BR_ON_CAST_FAIL:
        branch_on_cast(fn, fn->opcode == WA_OP_BR_ON_CAST_FAIL);
        return;
    default:
        fn->has_failed = true;
    }
}

/* In unreachable code: skip an operator, but for the one that ends the innermost block that was reachable. */
bool wop_skip_dead(wop_function *fn)
{
    if (!fn->is_dead)
        return false;
    uint32_t opcode = fn->opcode;
    bool ends = opcode == WA_OP_END || opcode == WA_OP_DELEGATE;
    bool divides = opcode == WA_OP_ELSE || opcode == WA_OP_CATCH || opcode == WA_OP_CATCH_ALL;
    if ((ends || divides) && fn->dead_depth == 0)
        return false;
    if (ends)
        fn->dead_depth--;
    else if ((opcode >= WA_OP_BLOCK && opcode <= WA_OP_IF) || opcode == WA_OP_TRY || opcode == WA_OP_TRY_TABLE)
        fn->dead_depth++;
    wop_skip_immediate(&fn->reader, fn->opcode);
    return true;
}
