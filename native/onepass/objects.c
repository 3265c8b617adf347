/* Structs, arrays, numbers of 31 bits (spec section 4.4.5): making objects, and looking into them. Small ones come from runs of free
 * cells, by a few instructions; the runtime makes the others, and new runs. codegen/aggregates.py is the same for LLVM. */
#include "machine.h"

enum { ARRAY_LENGTH = offsetof(struct wa_schema_array, length) };

/* ---- fields -------------------------------------------------------------------------------------------------------------- */

/* Read the index of a struct's or array's type; null where the body is malformed. */
static const wa_onepass_subtype *read_type(wop_function *fn, uint8_t kind, uint32_t *type)
{
    *type = wop_read_u32(&fn->reader);
    if (*type < fn->module->subtype_count && fn->module->subtypes[*type].kind == kind)
        return &fn->module->subtypes[*type];
    fn->has_failed = true;
    return NULL;
}

static const wa_onepass_field *first_field(const wop_function *fn, const wa_onepass_subtype *of)
{
    return fn->module->fields + of->first_field;
}

static const wa_onepass_field *read_field(wop_function *fn)
{
    uint32_t type;
    const wa_onepass_subtype *of = read_type(fn, WA_TYPE_STRUCT, &type);
    uint32_t field = wop_read_u32(&fn->reader);
    if (of != NULL && field < of->field_count)
        return first_field(fn, of) + field;
    fn->has_failed = true;
    return NULL;
}

static const wa_onepass_field *read_element(wop_function *fn)
{
    uint32_t type;
    const wa_onepass_subtype *of = read_type(fn, WA_TYPE_ARRAY, &type);
    return of == NULL ? NULL : first_field(fn, of);
}

/* Load what a field holds; reused: a popped value whose register may be taken. */
static void load_field(wop_function *fn, const wa_onepass_field *field, wop_operand from, bool is_signed, const wop_value *reused)
{
    uint8_t type = wop_type_of(field->letter);
    wop_register to = wop_destination(fn, type, reused);
    if (field->size_bytes < 4)
        wop_load_part(fn, field->size_bytes, is_signed, false, to, from);
    else
        wop_load(fn, type, to, from);
    wop_finish(fn, type, to);
}

/* The scratch register may be taken. */
static void store_field(wop_function *fn, const wa_onepass_field *field, wop_operand to, const wop_value *value, uint32_t height)
{
    if (field->size_bytes >= 4) {
        wop_store_value(fn, to, value, height);
    } else if (value->place == WA_CONSTANT) {
        wop_store_constant(fn, field->size_bytes, to, value->bits);
    } else {
        wop_operand at = wop_operand_of(fn, value, height);
        wop_register from = at.kind == WA_IN_REGISTER ? at.reg : WA_SCRATCH;
        wop_load(fn, WA_I32, from, at);
        wop_store_part(fn, field->size_bytes, to, from);
    }
}

/* Put a value over another one, of which the collector hears while it marks. The scratch register may be taken. */
static void replace_field(wop_function *fn, const wa_onepass_field *field, wop_operand to, const wop_value *value, uint32_t height)
{
    wop_register instance = fn->instance;
    if (field->has_objects) {
        if (instance == WA_NO_REGISTER)
            wop_load(fn, WA_I64, instance = WA_SCRATCH, wop_instance_operand(fn));
        wop_arithmetic_constant(fn, WA_CMP, false, wop_memory(instance, offsetof(struct wa_schema_instance, is_marking)), 0);
        wop_note_if(fn, NOT_EQUAL, to);
    }
    store_field(fn, field, to, value, height);
}

/* The address of an object in a register; traps where there is none. */
static wop_register object_of(wop_function *fn, const wop_value *reference, uint32_t height, uint8_t trap)
{
    wop_register reg = wop_to_register(fn, reference, height);
    wop_test(fn, true, reg);
    wop_trap_if(fn, EQUAL, trap);
    return reg;
}

/* ---- making -------------------------------------------------------------------------------------------------------------- */

/* Push an object of such a size whose fields are zero: the next cell of its run; where there is none, what a call of the runtime gives
 * that takes the type and the register. length: where that is none, of a struct. */
static void push_cell(wop_function *fn, uint32_t type, uint64_t size_bytes, size_t call, wop_register length)
{
    uint64_t granules = (size_bytes + WA_OBJECT_ALIGN_BYTES - 1) / WA_OBJECT_ALIGN_BYTES;
    int32_t run = (int32_t)(sizeof(struct wa_schema_store_cells) + (granules - 1) * sizeof(struct wa_schema_run));
    wop_register instance = wop_instance(fn), cell = wop_allocate(fn, false, 0);
    wop_load(fn, WA_I64, WA_SCRATCH, wop_memory(instance, offsetof(struct wa_schema_instance, exception)));
    wop_load(fn, WA_I64, cell, wop_memory(WA_SCRATCH, run + (int32_t)offsetof(struct wa_schema_run, next)));
    wop_arithmetic(fn, WA_CMP, true, cell, wop_memory(WA_SCRATCH, run + (int32_t)offsetof(struct wa_schema_run, end)));
    wop_resolve_if(fn, EQUAL, cell, length == WA_NO_REGISTER ? cell : length, call, type);
    wop_arithmetic_constant(fn, WA_ADD, true, wop_memory(WA_SCRATCH, run + (int32_t)offsetof(struct wa_schema_run, next)),
                            (int32_t)(granules * WA_OBJECT_ALIGN_BYTES));
    wop_load(fn, WA_I64, WA_SCRATCH, wop_memory(instance, offsetof(struct wa_schema_instance, rtts)));
    wop_load(fn, WA_I64, WA_SCRATCH, wop_memory(WA_SCRATCH, (int32_t)(type * sizeof(void *))));
    wop_store(fn, WA_I64, wop_memory(cell, offsetof(struct wa_schema_object, rtt)), WA_SCRATCH);
    if (length != WA_NO_REGISTER)
        wop_store(fn, WA_I32, wop_memory(cell, ARRAY_LENGTH), length);
    wop_return_here(fn);
    fn->locked = 0;
    wop_push_register(fn, WA_I64, cell);
}

static void push_struct(wop_function *fn, uint32_t type, const wa_onepass_subtype *of)
{
    if (wop_is_inline(wop_struct_bytes(fn->module, of)))
        push_cell(fn, type, wop_struct_bytes(fn->module, of), WA_CALL_INDEX(struct_new), WA_NO_REGISTER);
    else
        wop_call_runtime(fn, WA_CALL_INDEX(struct_new), &type, 1, 0, WA_I64);
}

/* Push an array of a length that is known. */
static void push_array(wop_function *fn, uint32_t type, const wa_onepass_subtype *of, uint32_t length)
{
    uint32_t numbers[] = {type, length};
    if (!wop_is_inline(wop_array_bytes(fn->module, of, length))) {
        wop_call_runtime(fn, WA_CALL_INDEX(array_new), numbers, 2, 0, WA_I64);
        return;
    }
    wop_register reg = wop_allocate(fn, false, 0);
    wop_load_constant(fn, WA_I32, reg, length);
    push_cell(fn, type, wop_array_bytes(fn->module, of, length), WA_CALL_INDEX(array_new), reg);
}

/* ---- structs ------------------------------------------------------------------------------------------------------------- */

/* A new object is on top of the stack: its values, which are below, go there. step: to the next field, 0 in arrays. */
static void fill_new(wop_function *fn, const wa_onepass_field *field, uint32_t count, uint32_t step)
{
    wop_value made = wop_pop(fn);
    if (fn->has_failed || fn->height < count) {
        fn->has_failed = true;
        return;
    }
    uint32_t first = fn->height - count;
    for (uint32_t i = 0; i < count; i++, field += step) {
        int32_t offset = (int32_t)(field->offset + (step == 0 ? i * field->size_bytes : 0));
        wop_value value = wop_values(fn)[first + i];
        store_field(fn, field, wop_memory(made.reg, offset), &value, first + i);
    }
    wop_drop_to(fn, first);
    wop_finish_from(fn, WA_I64, made.reg);
}

static void new_struct(wop_function *fn, bool is_default)
{
    uint32_t type;
    const wa_onepass_subtype *of = read_type(fn, WA_TYPE_STRUCT, &type);
    if (of == NULL)
        return;
    push_struct(fn, type, of);
    fill_new(fn, first_field(fn, of), is_default ? 0 : of->field_count, 1);
}

static void get_field(wop_function *fn, bool is_signed)
{
    const wa_onepass_field *field = read_field(fn);
    wop_value reference = wop_pop(fn);
    if (fn->has_failed)
        return;
    wop_register object = object_of(fn, &reference, fn->height, WA_TRAP_NULL_STRUCTURE_REFERENCE);
    load_field(fn, field, wop_memory(object, (int32_t)field->offset), is_signed, &reference);
}

static void set_field(wop_function *fn)
{
    const wa_onepass_field *field = read_field(fn);
    wop_value value = wop_pop(fn), reference = wop_pop(fn);
    if (fn->has_failed)
        return;
    wop_register object = object_of(fn, &reference, fn->height, WA_TRAP_NULL_STRUCTURE_REFERENCE);
    replace_field(fn, field, wop_memory(object, (int32_t)field->offset), &value, fn->height + 1);
}

/* ---- elements ------------------------------------------------------------------------------------------------------------ */

/* Where an element is whose array and index were popped, from a height and the one above; traps where there is none. */
static wop_operand element_at(wop_function *fn, const wa_onepass_field *element, const wop_value *reference, const wop_value *index,
                              uint32_t height)
{
    wop_register array = object_of(fn, reference, height, WA_TRAP_NULL_ARRAY_REFERENCE);
    uint64_t place = element->offset + index->bits * element->size_bytes;
    if (index->place == WA_CONSTANT && place <= INT32_MAX) {
        wop_arithmetic_constant(fn, WA_CMP, false, wop_memory(array, ARRAY_LENGTH), (int32_t)index->bits);
        wop_trap_if(fn, BELOW_EQUAL, WA_TRAP_ARRAY_OUT_OF_BOUNDS);
        return wop_memory(array, (int32_t)place);
    }
    wop_register at = wop_to_register(fn, index, height + 1);
    uint8_t scale = (uint8_t)__builtin_ctz(element->size_bytes);
    wop_arithmetic(fn, WA_CMP, false, at, wop_memory(array, ARRAY_LENGTH));
    wop_trap_if(fn, ABOVE_EQUAL, WA_TRAP_ARRAY_OUT_OF_BOUNDS);
    if (element->size_bytes == WA_VECTOR_BYTES) { /* no operand has such a scale */
        at = wop_own(fn, index, height + 1);
        wop_shift_left(fn, at, scale);
        scale = 0;
    }
    return wop_indexed(array, at, scale, (int32_t)element->offset);
}

static void get_element(wop_function *fn, bool is_signed)
{
    const wa_onepass_field *element = read_element(fn);
    wop_value index = wop_pop(fn), reference = wop_pop(fn);
    if (fn->has_failed)
        return;
    wop_operand from = element_at(fn, element, &reference, &index, fn->height);
    load_field(fn, element, from, is_signed, &reference);
}

static void set_element(wop_function *fn)
{
    const wa_onepass_field *element = read_element(fn);
    wop_value value = wop_pop(fn), index = wop_pop(fn), reference = wop_pop(fn);
    if (fn->has_failed)
        return;
    wop_operand to = element_at(fn, element, &reference, &index, fn->height);
    replace_field(fn, element, to, &value, fn->height + 2);
}

static void get_length(wop_function *fn)
{
    wop_value reference = wop_pop(fn);
    wop_register array = object_of(fn, &reference, fn->height, WA_TRAP_NULL_ARRAY_REFERENCE);
    wop_register to = wop_destination(fn, WA_I32, &reference);
    wop_load(fn, WA_I32, to, wop_memory(array, ARRAY_LENGTH));
    wop_finish(fn, WA_I32, to);
}

/* ---- whole arrays -------------------------------------------------------------------------------------------------------- */

/* Push a value that was popped, as it is; a slot is to be at the same height. */
static void push_again(wop_function *fn, const wop_value *value)
{
    switch (value->place) {
    case WA_LOCAL:
        wop_push_local(fn, value->local);
        return;
    case WA_REGISTER:
        wop_push_register(fn, value->type, value->reg);
        return;
    case WA_CONSTANT:
        wop_push_constant(fn, value->type, value->bits);
        return;
    default:
        wop_push_slot(fn, value->type);
    }
}

/* A value that doesn't depend on its slot. */
static wop_value out_of_slot(wop_function *fn, wop_value value, uint32_t height)
{
    if (value.place != WA_SLOT)
        return value;
    return (wop_value){.place = WA_REGISTER, .type = value.type, .reg = wop_to_register(fn, &value, height)};
}

/* The bits of a popped value as the runtime takes them, none of them in its slot: low and high half. */
static wop_value low_half(wop_function *fn, wop_value value, uint32_t height, wop_value *high)
{
    *high = (wop_value){.place = WA_CONSTANT, .type = WA_I64};
    if (!wop_is_vector(value.type))
        return out_of_slot(fn, value, height);
    wop_operand slot = wop_slot(fn, height);
    if (value.place != WA_SLOT)
        wop_store_value(fn, slot, &value, height);
    if (value.type == WA_V128) {
        high->place = WA_REGISTER;
        high->reg = wop_allocate(fn, false, 0);
        wop_load(fn, WA_I64, high->reg, wop_memory(slot.reg, slot.displacement + WA_SLOT_BYTES));
    }
    value.place = WA_SLOT;
    value.type = value.type == WA_F32 ? WA_I32 : WA_I64;
    return out_of_slot(fn, value, height);
}

/* Push an array whose length is on top of the stack; that stays there, below the array. */
static void push_array_above(wop_function *fn, uint32_t type, const wa_onepass_subtype *of)
{
    uint32_t height = fn->height - 1;
    wop_value length = wop_pop(fn);
    if (length.place == WA_CONSTANT) {
        push_again(fn, &length);
        push_array(fn, type, of, (uint32_t)length.bits);
        return;
    }
    wop_register copy = wop_allocate(fn, false, 0);
    wop_load_value(fn, copy, &length, height);
    push_again(fn, &length);
    wop_push_register(fn, WA_I32, copy);
    wop_call_runtime(fn, WA_CALL_INDEX(array_new), &type, 1, 1, WA_I64);
}

/* array.new: elements are zero, and are filled with what else they are to be. */
static void new_array(wop_function *fn)
{
    uint32_t type;
    wop_value high;
    const wa_onepass_subtype *of = read_type(fn, WA_TYPE_ARRAY, &type);
    if (of == NULL || fn->height < 2) {
        fn->has_failed = true;
        return;
    }
    wop_charge_count(fn);
    push_array_above(fn, type, of);
    wop_value made = wop_pop(fn), length = wop_pop(fn), value = wop_pop(fn);
    if (value.place == WA_CONSTANT && value.bits == 0) {
        wop_finish_from(fn, WA_I64, made.reg);
        return;
    }
    uint32_t height = fn->height;
    wop_value low = low_half(fn, value, height, &high);
    length = out_of_slot(fn, length, height + 1);
    wop_push_slot(fn, WA_I64);
    wop_store(fn, WA_I64, wop_slot(fn, height), made.reg);
    wop_push_register(fn, WA_I64, made.reg);
    wop_push_constant(fn, WA_I32, 0);
    push_again(fn, &low);
    push_again(fn, &length);
    push_again(fn, &high);
    wop_call_runtime(fn, WA_CALL_INDEX(array_fill), NULL, 0, 5, WA_NO_RESULT);
}

static void new_default_array(wop_function *fn)
{
    uint32_t type;
    const wa_onepass_subtype *of = read_type(fn, WA_TYPE_ARRAY, &type);
    if (of == NULL || fn->height == 0) {
        fn->has_failed = true;
        return;
    }
    wop_charge_count(fn);
    push_array_above(fn, type, of);
    wop_value made = wop_pop(fn);
    wop_pop(fn);
    wop_finish_from(fn, WA_I64, made.reg);
}

static void new_fixed_array(wop_function *fn)
{
    uint32_t type;
    const wa_onepass_subtype *of = read_type(fn, WA_TYPE_ARRAY, &type);
    uint32_t length = wop_read_u32(&fn->reader);
    if (of == NULL)
        return;
    push_array(fn, type, of, length);
    fill_new(fn, first_field(fn, of), length, 0);
}

static void new_array_of_segment(wop_function *fn, size_t call)
{
    uint32_t numbers[2];
    read_type(fn, WA_TYPE_ARRAY, &numbers[0]);
    numbers[1] = wop_read_u32(&fn->reader);
    wop_charge_count(fn);
    wop_call_runtime(fn, call, numbers, 2, 2, WA_I64);
}

static void fill_array(wop_function *fn)
{
    uint32_t type;
    wop_value high;
    read_type(fn, WA_TYPE_ARRAY, &type);
    if (fn->has_failed || fn->height < 4) {
        fn->has_failed = true;
        return;
    }
    wop_charge_count(fn);
    wop_value count = wop_pop(fn), value = wop_pop(fn), low = low_half(fn, value, fn->height, &high);
    push_again(fn, &low);
    push_again(fn, &count);
    push_again(fn, &high);
    wop_call_runtime(fn, WA_CALL_INDEX(array_fill), NULL, 0, 5, WA_NO_RESULT);
}

static void copy_array(wop_function *fn)
{
    wop_read_u32(&fn->reader);
    wop_read_u32(&fn->reader);
    wop_charge_count(fn);
    wop_call_runtime(fn, WA_CALL_INDEX(array_copy), NULL, 0, 5, WA_NO_RESULT);
}

static void init_array(wop_function *fn, size_t call)
{
    wop_read_u32(&fn->reader);
    uint32_t segment = wop_read_u32(&fn->reader);
    wop_charge_count(fn);
    wop_call_runtime(fn, call, &segment, 1, 4, WA_NO_RESULT);
}

/* ---- numbers ------------------------------------------------------------------------------------------------------------- */

static void make_number(wop_function *fn)
{
    wop_value value = wop_pop(fn);
    if (value.place == WA_CONSTANT) {
        wop_push_constant(fn, WA_I64, value.bits << WA_I31_SHIFT | WA_REFERENCE_I31);
        return;
    }
    wop_register to = wop_destination(fn, WA_I64, &value);
    wop_load_value(fn, to, &value, fn->height);
    wop_shift_left(fn, to, WA_I31_SHIFT);
    wop_arithmetic_constant(fn, WA_OR, true, wop_reg(to), WA_REFERENCE_I31);
    wop_finish(fn, WA_I64, to);
}

static void get_number(wop_function *fn, bool is_signed)
{
    wop_value value = wop_pop(fn);
    wop_register reference = object_of(fn, &value, fn->height, WA_TRAP_NULL_I31_REFERENCE);
    wop_register to = wop_destination(fn, WA_I32, &value);
    wop_load(fn, WA_I64, to, wop_reg(reference));
    wop_shift_right(fn, to, is_signed ? 32 : WA_I31_SHIFT);
    if (is_signed)
        wop_shift_right_signed(fn, to, WA_I31_SHIFT - 32);
    wop_finish(fn, WA_I32, to);
}

/* ---- all of them --------------------------------------------------------------------------------------------------------- */

void wop_object(wop_function *fn)
{
    switch (fn->opcode) {
    case WA_OP_STRUCT_NEW:
    case WA_OP_STRUCT_NEW_DEFAULT:
        new_struct(fn, fn->opcode == WA_OP_STRUCT_NEW_DEFAULT);
        return;
    case WA_OP_STRUCT_GET:
    case WA_OP_STRUCT_GET_S:
    case WA_OP_STRUCT_GET_U:
        get_field(fn, fn->opcode == WA_OP_STRUCT_GET_S);
        return;
    case WA_OP_STRUCT_SET:
        set_field(fn);
        return;
    case WA_OP_ARRAY_NEW:
        new_array(fn);
        return;
    case WA_OP_ARRAY_NEW_DEFAULT:
        new_default_array(fn);
        return;
    case WA_OP_ARRAY_NEW_FIXED:
        new_fixed_array(fn);
        return;
    case WA_OP_ARRAY_NEW_DATA:
        new_array_of_segment(fn, WA_CALL_INDEX(array_new_data));
        return;
    case WA_OP_ARRAY_NEW_ELEM:
        new_array_of_segment(fn, WA_CALL_INDEX(array_new_elem));
        return;
    case WA_OP_ARRAY_GET:
    case WA_OP_ARRAY_GET_S:
    case WA_OP_ARRAY_GET_U:
        get_element(fn, fn->opcode == WA_OP_ARRAY_GET_S);
        return;
    case WA_OP_ARRAY_SET:
        set_element(fn);
        return;
    case WA_OP_ARRAY_LEN:
        get_length(fn);
        return;
    case WA_OP_ARRAY_FILL:
        fill_array(fn);
        return;
    case WA_OP_ARRAY_COPY:
        copy_array(fn);
        return;
    case WA_OP_ARRAY_INIT_DATA:
        init_array(fn, WA_CALL_INDEX(array_init_data));
        return;
    case WA_OP_ARRAY_INIT_ELEM:
        init_array(fn, WA_CALL_INDEX(array_init_elem));
        return;
    case WA_OP_REF_I31:
        make_number(fn);
        return;
    case WA_OP_I31_GET_S:
    case WA_OP_I31_GET_U:
        get_number(fn, fn->opcode == WA_OP_I31_GET_S);
        return;
    case WA_OP_ANY_CONVERT_EXTERN:
    case WA_OP_EXTERN_CONVERT_ANY: /* both hierarchies have the same values */
        return;
    default:
        fn->has_failed = true;
    }
}
