/* The function that takes a portion of fuel from the store. */
#include "machine.h"

/* take_fuel(instance, left, cost): the new portion, after a cost was paid that the old one did not hold; left is what would be left
 * of it, modulo 2**64. Or a trap, whose frames are found by this one. It keeps all registers but for X0 to X2 and those that hold no
 * values. codegen/portion.py is the same for LLVM. */
void wop_put_take_fuel(wop_function *fn)
{
    uint32_t out = 0;
    wop_open_frame(fn, 0);
    wop_load(fn, WA_I64, WA_SCRATCH, wop_memory(X0, offsetof(struct wa_schema_instance, fuel)));
    wop_load(fn, WA_I64, X0, wop_memory(WA_SCRATCH, 0));
    wop_put_three(fn, 0xcb000000, X2, ZERO, X1); /* neg: what is needed at least */
    wop_arithmetic(fn, WA_CMP, true, X2, wop_reg(X0));
    wop_jump_if(fn, ABOVE, &out);
    wop_load_integer(fn, true, WA_FIRST, WA_FUEL_PORTION);
    wop_arithmetic(fn, WA_CMP, true, X2, wop_reg(WA_FIRST));
    wop_choose(fn, ABOVE_EQUAL, WA_I64, X2, wop_reg(WA_FIRST)); /* so much is wanted */
    wop_arithmetic(fn, WA_CMP, true, X2, wop_reg(X0));
    wop_choose(fn, BELOW, WA_I64, X2, wop_reg(X0)); /* so much is taken */
    wop_arithmetic(fn, WA_SUB, true, X0, wop_reg(X2));
    wop_store(fn, WA_I64, wop_memory(WA_SCRATCH, 0), X0);
    wop_put_three(fn, 0x8b000000, X0, X1, X2); /* add */
    wop_drop_frame(fn);
    wop_return(fn);
    wop_bind(fn, &out);
    wop_store_constant(fn, WA_SLOT_BYTES, wop_memory(WA_SCRATCH, 0), 0);
    wop_put_trap_code(fn, WA_TRAP_OUT_OF_FUEL);
}
