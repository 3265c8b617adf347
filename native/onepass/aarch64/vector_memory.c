/* Accesses of vectors to memory, as instructions. Those of single lanes go by way of a scratch register: ld1 and st1 know no
 * address that is a sum, so that they would need an instruction more, too. */
#include "vectors.h"

/* second: what extends the lanes; WA_SPLAT: the loaded one goes to all lanes. */
void wop_emit_vector_load(wop_function *fn, const wop_vector_row *row, wop_register to, wop_operand from)
{
    wop_put_access(fn, row->opcode, row->immediate, to, from);
    if (row->flags & WA_SPLAT)
        wop_put_two(fn, N_SPLAT_LANE | wop_lane_field(wop_lowest(row->immediate), 0), to, to);
    if (row->second != 0)
        wop_put_two(fn, row->second, to, to);
}

void wop_emit_lane_load(wop_function *fn, const wop_vector_row *row, wop_register to, wop_operand from, uint8_t lane)
{
    wop_put_access(fn, row->opcode, row->immediate, WA_VECTOR_SCRATCH, from);
    wop_put_two(fn, N_INSERT_LANE | wop_lane_field(wop_lowest(row->immediate), lane), to, WA_VECTOR_SCRATCH);
}

void wop_emit_lane_store(wop_function *fn, const wop_vector_row *row, wop_operand to, wop_register from, uint8_t lane)
{
    if (lane != 0) {
        wop_put_two(fn, N_LANE | wop_lane_field(wop_lowest(row->immediate), lane), WA_VECTOR_SCRATCH, from);
        from = WA_VECTOR_SCRATCH;
    }
    wop_put_access(fn, row->opcode, row->immediate, from, to);
}
