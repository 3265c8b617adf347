/* Vector loads and stores (spec section 4.4.7), each one access of exactly its width. */
#include "vectors.h"

/* Where a load of row->immediate bytes goes; false: it is left to LLVM. */
static bool begin_load(wop_function *fn, const wop_vector_row *row, wop_operand *from)
{
    wop_argument at = wop_read_argument(fn);
    wop_value address = wop_pop(fn);
    if (!fn->has_failed)
        *from = wop_effective(fn, &address, fn->height, at, row->immediate);
    return !fn->has_failed;
}

/* immediate: size in bytes; WA_SPLAT: the loaded f32 goes to all lanes. */
void wop_put_vector_load(wop_function *fn, const wop_vector_row *row)
{
    wop_operand from;
    if (!begin_load(fn, row, &from))
        return;
    wop_register to = wop_destination(fn, WA_V128, NULL);
    wop_add_row(fn, WA_TRAP_MEMORY_OUT_OF_BOUNDS);
    wop_x86(fn, row->opcode, to, from);
    if (row->flags & WA_SPLAT)
        wop_x86_imm8(fn, X_PSHUFD, to, wop_reg(to), 0);
    wop_finish(fn, WA_V128, to);
}

/* Bytes or words: through an integer register, as insertion into a vector costs no less. */
void wop_put_small_splat_load(wop_function *fn, const wop_vector_row *row)
{
    wop_operand from;
    if (!begin_load(fn, row, &from))
        return;
    wop_register to = wop_destination(fn, WA_V128, NULL);
    wop_add_row(fn, WA_TRAP_MEMORY_OUT_OF_BOUNDS);
    wop_x86(fn, row->opcode, WA_SCRATCH, from);
    wop_vector_op(fn, X_MOVD, to, WA_SCRATCH);
    if (row->immediate == 1) {
        wop_vector_op(fn, X_PXOR, WA_VECTOR_SCRATCH, WA_VECTOR_SCRATCH);
        wop_vector_op(fn, X_PSHUFB, to, WA_VECTOR_SCRATCH);
    } else {
        wop_x86_imm8(fn, WA_F2 | WA_MAP_0F | 0x70, to, wop_reg(to), 0); /* pshuflw */
        wop_x86_imm8(fn, X_PSHUFD, to, wop_reg(to), 0);
    }
    wop_finish(fn, WA_V128, to);
}

void wop_put_lane_load(wop_function *fn, const wop_vector_row *row)
{
    wop_argument at = wop_read_argument(fn);
    uint8_t lane = wop_read_byte(&fn->reader);
    wop_value vector = wop_pop(fn), address = wop_pop(fn);
    uint32_t height = fn->height;
    if (fn->has_failed)
        return;
    wop_operand from = wop_effective(fn, &address, height, at, row->immediate);
    wop_register to = wop_destination(fn, WA_V128, &vector);
    wop_load_value(fn, to, &vector, height + 1);
    wop_add_row(fn, WA_TRAP_MEMORY_OUT_OF_BOUNDS);
    wop_x86_imm8(fn, row->opcode, to, from, lane);
    wop_finish(fn, WA_V128, to);
}

void wop_put_vector_store(wop_function *fn, const wop_vector_row *row)
{
    wop_argument at = wop_read_argument(fn);
    wop_value value = wop_pop(fn), address = wop_pop(fn);
    uint32_t height = fn->height;
    if (fn->has_failed)
        return;
    wop_register from = wop_to_register(fn, &value, height + 1);
    wop_operand to = wop_effective(fn, &address, height, at, row->immediate);
    wop_add_row(fn, WA_TRAP_MEMORY_OUT_OF_BOUNDS);
    wop_x86(fn, row->opcode, from, to);
}

void wop_put_lane_store(wop_function *fn, const wop_vector_row *row)
{
    wop_argument at = wop_read_argument(fn);
    uint8_t lane = wop_read_byte(&fn->reader);
    wop_value value = wop_pop(fn), address = wop_pop(fn);
    uint32_t height = fn->height;
    if (fn->has_failed)
        return;
    wop_register from = wop_to_register(fn, &value, height + 1);
    wop_operand to = wop_effective(fn, &address, height, at, row->immediate);
    wop_add_row(fn, WA_TRAP_MEMORY_OUT_OF_BOUNDS);
    wop_x86_imm8(fn, row->opcode, from, to, lane);
}
