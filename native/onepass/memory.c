/* Memory operators (spec section 4.4.7), and the bulk operators, which the runtime does. */
#include "machine.h"

enum { SLOT_BYTES = 8 };

wop_argument wop_read_argument(wop_function *fn)
{
    wop_argument read = {0};
    if (wop_read_u32(&fn->reader) & 0x40)
        read.memory = wop_read_u32(&fn->reader);
    read.offset = wop_read_u64(&fn->reader);
    if (read.memory >= fn->module->memory_count) {
        fn->has_failed = true;
        read.memory = 0;
    }
    return read;
}

static int32_t slot_offset(const wop_function *fn, uint32_t memory, size_t field)
{
    return (int32_t)(fn->module->memories_offset + memory * sizeof(struct wa_schema_memory_slot) + field);
}

/* The address of byte 0 in a register. */
static wop_register base_of(wop_function *fn, uint32_t memory)
{
    if (memory == 0 && fn->memory_base != WA_NO_REGISTER)
        return fn->memory_base;
    wop_register instance = wop_instance(fn), base = fn->instance == WA_NO_REGISTER ? instance : wop_allocate(fn, false, 0);
    wop_load(fn, WA_I64, base, wop_memory(instance, slot_offset(fn, memory, offsetof(struct wa_schema_memory_slot, base))));
    return base;
}

/* Trap unless index + extent is within the memory, without wrapping around. */
static void check_bounds(wop_function *fn, wop_register index, uint64_t extent, uint32_t memory)
{
    wop_register instance = wop_instance(fn), end = wop_allocate(fn, false, 0);
    wop_load(fn, WA_I64, WA_SCRATCH, wop_memory(instance, slot_offset(fn, memory, offsetof(struct wa_schema_memory_slot, memory))));
    if (extent <= INT32_MAX) {
        wop_move(fn, true, end, index);
        wop_arithmetic_constant(fn, WA_ADD, true, wop_reg(end), (int32_t)extent);
    } else {
        wop_load_constant(fn, WA_I64, end, extent);
        wop_arithmetic(fn, WA_ADD, true, end, wop_reg(index));
    }
    wop_trap_if(fn, CARRY, WA_TRAP_MEMORY_OUT_OF_BOUNDS);
    wop_arithmetic(fn, WA_CMP, true, end, wop_memory(WA_SCRATCH, offsetof(struct wa_schema_memory_head, size_bytes)));
    wop_trap_if(fn, ABOVE, WA_TRAP_MEMORY_OUT_OF_BOUNDS);
    fn->locked &= ~WA_SET(end);
    if (fn->instance == WA_NO_REGISTER)
        fn->locked &= ~WA_SET(instance);
}

/* Where an access of size_bytes goes whose address was popped from a height. */
wop_operand wop_effective(wop_function *fn, const wop_value *address, uint32_t height, wop_argument at, uint32_t size_bytes)
{
    const wa_onepass_memory *memory = &fn->module->memories[at.memory];
    if (!memory->is_checked && address->place == WA_CONSTANT && address->bits + at.offset <= INT32_MAX)
        return wop_memory(base_of(fn, at.memory), (int32_t)(address->bits + at.offset));
    wop_register index = wop_to_register(fn, address, height);
    if (memory->is_checked && at.offset > UINT64_MAX - size_bytes) {
        wop_arithmetic(fn, WA_CMP, false, index, wop_reg(index));
        wop_trap_if(fn, EQUAL, WA_TRAP_MEMORY_OUT_OF_BOUNDS);
    } else if (memory->is_checked) {
        check_bounds(fn, index, at.offset + size_bytes, at.memory);
    }
    wop_register base = base_of(fn, at.memory);
    if (at.offset <= INT32_MAX)
        return wop_indexed(base, index, 0, (int32_t)at.offset);
    wop_register sum = wop_allocate(fn, false, 0);
    wop_load_constant(fn, WA_I64, sum, at.offset);
    wop_arithmetic(fn, WA_ADD, true, sum, wop_reg(index));
    return wop_indexed(base, sum, 0, 0);
}

/* ---- loads and stores -------------------------------------------------------------------------------------------------- */

typedef struct {
    uint8_t type, size_bytes;
} access_form;

/* From i32.load on, in the order of opcodes. */
static const access_form loads[] = {
    {WA_I32, 4}, {WA_I64, 8}, {WA_F32, 4}, {WA_F64, 8}, {WA_I32, 1}, {WA_I32, 1}, {WA_I32, 2},
    {WA_I32, 2}, {WA_I64, 1}, {WA_I64, 1}, {WA_I64, 2}, {WA_I64, 2}, {WA_I64, 4}, {WA_I64, 4},
};

/* From i32.store on. */
static const access_form stores[] = {
    {WA_I32, 4}, {WA_I64, 8}, {WA_F32, 4}, {WA_F64, 8}, {WA_I32, 1}, {WA_I32, 2}, {WA_I64, 1}, {WA_I64, 2}, {WA_I64, 4},
};

static void put_load(wop_function *fn, uint32_t position)
{
    const access_form *form = &loads[position];
    wop_argument at = wop_read_argument(fn);
    wop_value address = wop_pop(fn);
    if (fn->has_failed)
        return;
    wop_operand from = wop_effective(fn, &address, fn->height, at, form->size_bytes);
    wop_register to = wop_destination(fn, form->type, &address);
    wop_add_row(fn, WA_TRAP_MEMORY_OUT_OF_BOUNDS);
    wop_load_access(fn, position, to, from);
    wop_finish(fn, form->type, to);
}

static void put_store(wop_function *fn, uint32_t position)
{
    const access_form *form = &stores[position];
    wop_argument at = wop_read_argument(fn);
    wop_value value = wop_pop(fn), address = wop_pop(fn);
    uint32_t height = fn->height;
    if (fn->has_failed)
        return;
    bool is_immediate = value.place == WA_CONSTANT && (form->size_bytes < 8 || (int64_t)value.bits == (int32_t)value.bits);
    if (is_immediate) {
        wop_operand place = wop_effective(fn, &address, height, at, form->size_bytes);
        wop_add_row(fn, WA_TRAP_MEMORY_OUT_OF_BOUNDS);
        wop_store_constant(fn, form->size_bytes, place, value.bits);
        return;
    }
    wop_register from = wop_to_register(fn, &value, height + 1);
    wop_operand to = wop_effective(fn, &address, height, at, form->size_bytes);
    wop_add_row(fn, WA_TRAP_MEMORY_OUT_OF_BOUNDS);
    wop_store_access(fn, position, to, from);
}

/* ---- size and growth ------------------------------------------------------------------------------------------------------ */

static void put_size(wop_function *fn)
{
    uint32_t index = wop_read_u32(&fn->reader);
    if (index >= fn->module->memory_count) {
        fn->has_failed = true;
        return;
    }
    const wa_onepass_memory *memory = &fn->module->memories[index];
    uint8_t type = memory->is64 ? WA_I64 : WA_I32;
    wop_register instance = wop_instance(fn), to = wop_destination(fn, type, NULL);
    wop_load(fn, WA_I64, to, wop_memory(instance, slot_offset(fn, index, offsetof(struct wa_schema_memory_slot, memory))));
    wop_load(fn, WA_I64, to, wop_memory(to, offsetof(struct wa_schema_memory_head, size_bytes)));
    if (memory->page_log2 > 0)
        wop_shift_right(fn, to, memory->page_log2);
    if (type == WA_I32)
        wop_move(fn, false, to, to);
    wop_finish(fn, type, to);
}

static uint32_t read_index(wop_function *fn, uint32_t count)
{
    uint32_t index = wop_read_u32(&fn->reader);
    fn->has_failed |= index >= count;
    return index;
}

static uint8_t memory_type(const wop_function *fn, uint32_t memory)
{
    return fn->module->memories[fn->has_failed ? 0 : memory].is64 ? WA_I64 : WA_I32;
}

static uint8_t table_type(const wop_function *fn, uint32_t table)
{
    return fn->module->tables[fn->has_failed ? 0 : table] ? WA_I64 : WA_I32;
}

static void put_growth(wop_function *fn)
{
    uint32_t memory = read_index(fn, fn->module->memory_count);
    uint32_t height = fn->height - 1;
    wop_keep_growth(fn);
    wop_call_runtime(fn, WA_CALL_INDEX(memory_grow), &memory, 1, 1, memory_type(fn, memory));
    wop_charge_growth(fn, height, memory_type(fn, memory));
}

void wop_access(wop_function *fn)
{
    uint32_t opcode = fn->opcode;
    if (opcode == WA_OP_MEMORY_SIZE)
        put_size(fn);
    else if (opcode == WA_OP_MEMORY_GROW)
        put_growth(fn);
    else if (opcode >= WA_OP_I32_STORE)
        put_store(fn, opcode - WA_OP_I32_STORE);
    else
        put_load(fn, opcode - WA_OP_I32_LOAD);
}

/* ---- bulk operators and tables -------------------------------------------------------------------------------------------- */

static void put_table_size(wop_function *fn)
{
    uint32_t table = read_index(fn, fn->module->table_count);
    uint8_t type = table_type(fn, table);
    wop_register instance = wop_instance(fn), to = wop_destination(fn, type, NULL);
    wop_load(fn, WA_I64, to, wop_memory(instance, (int32_t)(fn->module->tables_offset + SLOT_BYTES * table)));
    wop_load(fn, type, to, wop_memory(to, offsetof(struct wa_schema_table_head, size)));
    wop_finish(fn, type, to);
}

static void put_table_growth(wop_function *fn, uint32_t table)
{
    uint32_t height = fn->height - 1;
    wop_keep_growth(fn);
    wop_call_runtime(fn, WA_CALL_INDEX(table_grow), &table, 1, 2, table_type(fn, table));
    wop_charge_growth(fn, height, table_type(fn, table));
}

/* The runtime does all of it. Segments are what the first index of the init operators names. */
void wop_bulk(wop_function *fn)
{
    const wa_onepass_module *module = fn->module;
    uint32_t numbers[2];
    switch (fn->opcode) {
    case WA_OP_TABLE_GET:
        numbers[0] = read_index(fn, module->table_count);
        wop_call_runtime(fn, WA_CALL_INDEX(table_get), numbers, 1, 1, WA_I64);
        return;
    case WA_OP_TABLE_SET:
        numbers[0] = read_index(fn, module->table_count);
        wop_call_runtime(fn, WA_CALL_INDEX(table_set), numbers, 1, 2, WA_NO_RESULT);
        return;
    case WA_OP_MEMORY_INIT:
        numbers[1] = wop_read_u32(&fn->reader);
        numbers[0] = read_index(fn, module->memory_count);
        wop_charge_count(fn);
        wop_call_runtime(fn, WA_CALL_INDEX(memory_init), numbers, 2, 3, WA_NO_RESULT);
        return;
    case WA_OP_MEMORY_COPY:
        numbers[0] = read_index(fn, module->memory_count);
        numbers[1] = read_index(fn, module->memory_count);
        wop_charge_count(fn);
        wop_call_runtime(fn, WA_CALL_INDEX(memory_copy), numbers, 2, 3, WA_NO_RESULT);
        return;
    case WA_OP_MEMORY_FILL:
        numbers[0] = read_index(fn, module->memory_count);
        wop_charge_count(fn);
        wop_call_runtime(fn, WA_CALL_INDEX(memory_fill), numbers, 1, 3, WA_NO_RESULT);
        return;
    case WA_OP_DATA_DROP:
        numbers[0] = wop_read_u32(&fn->reader);
        wop_call_runtime(fn, WA_CALL_INDEX(data_drop), numbers, 1, 0, WA_NO_RESULT);
        return;
    case WA_OP_TABLE_INIT:
        numbers[1] = wop_read_u32(&fn->reader);
        numbers[0] = read_index(fn, module->table_count);
        wop_charge_count(fn);
        wop_call_runtime(fn, WA_CALL_INDEX(table_init), numbers, 2, 3, WA_NO_RESULT);
        return;
    case WA_OP_ELEM_DROP:
        numbers[0] = wop_read_u32(&fn->reader);
        wop_call_runtime(fn, WA_CALL_INDEX(element_drop), numbers, 1, 0, WA_NO_RESULT);
        return;
    case WA_ONEPASS_ELEMENT_SET:
        numbers[0] = wop_read_u32(&fn->reader);
        wop_call_runtime(fn, WA_CALL_INDEX(element_set), numbers, 1, 2, WA_NO_RESULT);
        return;
    case WA_OP_TABLE_COPY:
        numbers[0] = read_index(fn, module->table_count);
        numbers[1] = read_index(fn, module->table_count);
        wop_charge_count(fn);
        wop_call_runtime(fn, WA_CALL_INDEX(table_copy), numbers, 2, 3, WA_NO_RESULT);
        return;
    case WA_OP_TABLE_GROW:
        numbers[0] = read_index(fn, module->table_count);
        put_table_growth(fn, numbers[0]);
        return;
    case WA_OP_TABLE_SIZE:
        put_table_size(fn);
        return;
    case WA_OP_TABLE_FILL:
        numbers[0] = read_index(fn, module->table_count);
        wop_charge_count(fn);
        wop_call_runtime(fn, WA_CALL_INDEX(table_fill), numbers, 1, 3, WA_NO_RESULT);
        return;
    default:
        fn->has_failed = true;
    }
}
