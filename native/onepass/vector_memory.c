/* Vector loads and stores (spec section 4.4.7), each one access of exactly its width. */
#include "vector_rows.h"

void wop_put_vector_load(wop_function *fn, const wop_vector_row *row)
{
    wop_argument at = wop_read_argument(fn);
    wop_value address = wop_pop(fn);
    if (fn->has_failed)
        return;
    wop_operand from = wop_effective(fn, &address, fn->height, at, row->immediate);
    wop_register to = wop_destination(fn, WA_V128, NULL);
    wop_add_row(fn, WA_TRAP_MEMORY_OUT_OF_BOUNDS);
    wop_emit_vector_load(fn, row, to, from);
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
    wop_emit_lane_load(fn, row, to, from, lane);
    wop_finish(fn, WA_V128, to);
}

/* What a store stores, and where; false: it is left to LLVM. */
static bool begin_store(wop_function *fn, const wop_vector_row *row, wop_argument at, wop_operand *to, wop_register *from)
{
    wop_value value = wop_pop(fn), address = wop_pop(fn);
    uint32_t height = fn->height;
    if (fn->has_failed)
        return false;
    *from = wop_to_register(fn, &value, height + 1);
    *to = wop_effective(fn, &address, height, at, row->immediate);
    wop_add_row(fn, WA_TRAP_MEMORY_OUT_OF_BOUNDS);
    return true;
}

void wop_put_vector_store(wop_function *fn, const wop_vector_row *row)
{
    wop_register from;
    wop_operand to;
    if (begin_store(fn, row, wop_read_argument(fn), &to, &from))
        wop_store(fn, WA_V128, to, from);
}

void wop_put_lane_store(wop_function *fn, const wop_vector_row *row)
{
    wop_argument at = wop_read_argument(fn);
    uint8_t lane = wop_read_byte(&fn->reader);
    wop_register from;
    wop_operand to;
    if (begin_store(fn, row, at, &to, &from))
        wop_emit_lane_store(fn, row, to, from, lane);
}
