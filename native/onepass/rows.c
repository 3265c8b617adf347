/* Rows of the address map. */
#include "machine.h"

/* From here on, code stands for the current operator and can raise this trap; 0: none, but it may call. */
void wop_add_row(wop_function *fn, uint8_t trap)
{
    wop_unit *unit = fn->unit;
    if (fn->last_row == fn->offset && fn->last_row_trap == trap)
        return;
    wop_push_u32(&unit->row_text_offsets, wop_text_offset(fn));
    wop_push_u32(&unit->row_wasm_offsets, fn->offset);
    wop_push_u8(&unit->row_traps, trap);
    fn->last_row = fn->offset;
    fn->last_row_trap = trap;
}
