/* Accesses of vectors to memory, as instructions. */
#include "vectors.h"

/* Bytes or words: through an integer register, as insertion into a vector costs no less. */
static void load_small_splat(wop_function *fn, const wop_vector_row *row, wop_register to, wop_operand from)
{
    wop_x86(fn, row->opcode, WA_SCRATCH, from);
    wop_vector_op(fn, X_MOVD, to, WA_SCRATCH);
    if (row->immediate == 1) {
        wop_vector_op(fn, X_PXOR, WA_VECTOR_SCRATCH, WA_VECTOR_SCRATCH);
        wop_vector_op(fn, X_PSHUFB, to, WA_VECTOR_SCRATCH);
    } else {
        wop_x86_imm8(fn, WA_F2 | WA_MAP_0F | 0x70, to, wop_reg(to), 0); /* pshuflw */
        wop_x86_imm8(fn, X_PSHUFD, to, wop_reg(to), 0);
    }
}

/* WA_SPLAT: the loaded lane goes to all lanes. */
void wop_emit_vector_load(wop_function *fn, const wop_vector_row *row, wop_register to, wop_operand from)
{
    bool is_splat = (row->flags & WA_SPLAT) != 0;
    if (is_splat && row->immediate < 4) {
        load_small_splat(fn, row, to, from);
        return;
    }
    wop_x86(fn, row->opcode, to, from);
    if (is_splat)
        wop_x86_imm8(fn, X_PSHUFD, to, wop_reg(to), 0);
}

void wop_emit_lane_load(wop_function *fn, const wop_vector_row *row, wop_register to, wop_operand from, uint8_t lane)
{
    wop_x86_imm8(fn, row->opcode, to, from, lane);
}

void wop_emit_lane_store(wop_function *fn, const wop_vector_row *row, wop_operand to, wop_register from, uint8_t lane)
{
    wop_x86_imm8(fn, row->opcode, from, to, lane);
}
