/* What the folder of each machine does for the files that all machines share: instructions, by what they do.
 *
 * Only arithmetic and tests change the flags. An integer of 32 bits leaves zeros above it in a register. A machine's header names the
 * registers by their roles: WA_FRAME, WA_STACK, WA_RESULT and WA_VECTOR_RESULT (of calls, and where ways meet), WA_CALLEE (the record
 * of a call), WA_TARGET (the code of a call), WA_OPERANDS (what leads to values that no register holds), WA_AREA (the address of the
 * caller's area for results), WA_SCRATCH and WA_VECTOR_SCRATCH, which never hold a value from one operator to the next. */
#ifndef WA_ONEPASS_EMIT_H
#define WA_ONEPASS_EMIT_H

#include "function.h"

static inline wop_operand wop_reg(wop_register reg)
{
    return (wop_operand){.kind = WA_IN_REGISTER, .reg = reg};
}

static inline wop_operand wop_memory(wop_register base, int32_t displacement)
{
    return (wop_operand){.kind = WA_IN_MEMORY, .reg = base, .displacement = displacement};
}

static inline wop_operand wop_indexed(wop_register base, wop_register index, uint8_t scale, int32_t displacement)
{
    return (wop_operand){.kind = WA_AT_INDEX, .reg = base, .index = index, .scale = scale, .displacement = displacement};
}

/* ---- the frame ------------------------------------------------------------------------------------------------------------ */

static inline wop_operand wop_instance_operand(const wop_function *fn)
{
    return fn->instance != WA_NO_REGISTER ? wop_reg(fn->instance) : wop_frame(fn, fn->instance_offset);
}

static inline wop_operand wop_portion_operand(const wop_function *fn)
{
    return fn->portion != WA_NO_REGISTER ? wop_reg(fn->portion) : wop_frame(fn, fn->portion_offset);
}

static inline wop_operand wop_slot(const wop_function *fn, uint32_t height)
{
    return wop_frame(fn, wop_slot_offset(fn, height));
}

/* Build the frame record, and make room of a size that is known (wop_open_frame), or that wop_size_frame tells later. */
void wop_begin_frame(wop_function *fn);
void wop_size_frame(wop_function *fn, uint64_t size_bytes);
void wop_open_frame(wop_function *fn, uint32_t size_bytes);
/* The stack and the frame pointer as the caller left them; then back to it. */
void wop_drop_frame(wop_function *fn);
void wop_return(wop_function *fn);
/* Room for arguments that go by the stack, from before they are passed until behind the call. */
void wop_lower_stack(wop_function *fn, uint32_t size_bytes);
void wop_raise_stack(wop_function *fn);
/* Keep registers on the stack meanwhile. */
void wop_push_registers(wop_function *fn, wop_set registers);
void wop_pop_registers(wop_function *fn, wop_set registers);

/* ---- arguments and results ------------------------------------------------------------------------------------------------ */

extern const wop_register wop_integer_arguments[WA_INTEGER_ARGUMENTS], wop_integer_results[WA_INTEGER_RESULTS];

/* The instance or another context; and the portion of fuel behind it. */
static inline wop_register wop_context_argument(bool has_area)
{
    return wop_integer_arguments[has_area ? WA_AREA_ARGUMENTS : 0];
}

static inline wop_register wop_portion_argument(bool has_area)
{
    return wop_integer_arguments[has_area ? WA_AREA_ARGUMENTS + 1 : 1];
}

/* ---- data ----------------------------------------------------------------------------------------------------------------- */

void wop_move(wop_function *fn, bool is_wide, wop_register to, wop_register from);
void wop_exchange(wop_function *fn, wop_register a, wop_register b);
/* The bits of a float between registers of both kinds. */
void wop_move_bits(wop_function *fn, bool is_wide, wop_register to, wop_register from);
void wop_load(wop_function *fn, uint8_t type, wop_register to, wop_operand from);
void wop_store(wop_function *fn, uint8_t type, wop_operand to, wop_register from);
/* One, two or four bytes of memory in a register, with their sign or zeros above. */
void wop_load_part(wop_function *fn, uint32_t size_bytes, bool is_signed, bool is_wide, wop_register to, wop_operand from);
void wop_store_part(wop_function *fn, uint32_t size_bytes, wop_operand to, wop_register from);
void wop_store_constant(wop_function *fn, uint32_t size_bytes, wop_operand to, uint64_t bits);
void wop_load_constant(wop_function *fn, uint8_t type, wop_register to, uint64_t bits);
void wop_address(wop_function *fn, wop_register to, wop_operand at);
/* Memory operators, by their position behind i32.load or i32.store. */
void wop_load_access(wop_function *fn, uint32_t position, wop_register to, wop_operand from);
void wop_store_access(wop_function *fn, uint32_t position, wop_operand to, wop_register from);
/* An address that is not known yet; what it is of is noted in two arrays. */
void wop_load_symbol(wop_function *fn, wop_register to, wop_buffer *offsets, wop_buffer *indices, uint32_t index);

wop_operand wop_pool(wop_function *fn, uint64_t bits);
wop_operand wop_pool_vector(wop_function *fn, uint64_t low, uint64_t high);
wop_operand wop_pooled_constant(wop_function *fn, uint8_t type, uint64_t bits);

/* ---- arithmetic ----------------------------------------------------------------------------------------------------------- */

/* reg = reg op operand; operand = operand op constant; memory = memory op reg. op: WA_ADD, WA_SUB, WA_AND, WA_OR, WA_XOR, WA_CMP. */
void wop_arithmetic(wop_function *fn, unsigned op, bool is_wide, wop_register reg, wop_operand operand);
void wop_arithmetic_constant(wop_function *fn, unsigned op, bool is_wide, wop_operand operand, int32_t constant);
void wop_arithmetic_memory(wop_function *fn, unsigned op, wop_operand memory, wop_register reg);
/* The register becomes 0. */
void wop_clear(wop_function *fn, wop_register reg);
/* Of 64 bits; with the sign, of 32. */
void wop_shift_left(wop_function *fn, wop_register reg, uint8_t count);
void wop_shift_right(wop_function *fn, wop_register reg, uint8_t count);
void wop_shift_right_signed(wop_function *fn, wop_register reg, uint8_t count);
/* Flags of a comparison with zero: of a register; and EQUAL or NOT_EQUAL of some of its low bits. */
void wop_test(wop_function *fn, bool is_wide, wop_register reg);
void wop_test_bits(wop_function *fn, wop_register reg, uint8_t bits);
/* An i32 that is 1 where the condition holds. */
void wop_set_condition(wop_function *fn, uint8_t condition, wop_register to);
/* to = condition ? to : other, where there is an instruction for it. */
bool wop_can_choose(uint8_t condition, uint8_t type);
void wop_choose(wop_function *fn, uint8_t condition, uint8_t type, wop_register to, wop_operand other);

/* ---- ways ----------------------------------------------------------------------------------------------------------------- */

void wop_jump(wop_function *fn, uint32_t *list);
void wop_jump_if(wop_function *fn, uint8_t condition, uint32_t *list);
/* To a known place before: in the shortest form, or in one of a fixed size. */
void wop_jump_back(wop_function *fn, uint32_t target);
void wop_jump_back_if(wop_function *fn, uint8_t condition, uint32_t target);
void wop_jump_to(wop_function *fn, uint32_t target);
/* What a fixup is of leads to a place. */
void wop_link(wop_function *fn, uint32_t position, uint32_t target);
/* To an entry of a table of distances, which follows. Changes the index. */
void wop_jump_by_table(wop_function *fn, wop_register index, uint32_t *table);
void wop_jump_register(wop_function *fn, wop_register reg);
void wop_jump_function(wop_function *fn, uint32_t func_index);
void wop_call_at(wop_function *fn, wop_operand at);
void wop_call_register(wop_function *fn, wop_register reg);
void wop_call_function(wop_function *fn, uint32_t func_index);
/* A function of the runtime by its number; the first argument is the instance. */
void wop_call_entry(wop_function *fn, size_t call);
/* A call or jump to a function, which lies at a position of the text, leads to a place of the same text; false: out of reach. */
bool wop_join_call(uint8_t *at, uint32_t position, uint32_t target);
void wop_put_trap_code(wop_function *fn, uint8_t trap);

/* ---- bytes ---------------------------------------------------------------------------------------------------------------- */

void wop_word(wop_function *fn, uint32_t word);
void wop_quad(wop_function *fn, uint64_t bits);
/* Fill up with instructions that trap. */
void wop_align(wop_function *fn, uint32_t size_bytes);

/* The function of artifacts with fuel that takes a portion of it. */
void wop_put_take_fuel(wop_function *fn);

#endif
