/* The function that takes a portion of fuel from the store. */
#include "machine.h"

/* take_fuel(instance, left, cost): the new portion, after a cost was paid that the old one did not hold; left is what would be left
 * of it, modulo 2**64. Or a trap, whose frames are found by this one. It keeps all registers but for RAX and the scratch register.
 * codegen/portion.py is the same for LLVM. */
void wop_put_take_fuel(wop_function *fn)
{
    uint32_t out = 0;
    wop_open_frame(fn, 0);
    wop_load(fn, WA_I64, WA_SCRATCH, wop_memory(RDI, offsetof(struct wa_schema_instance, fuel)));
    wop_move(fn, true, RAX, RSI);
    wop_x86(fn, 0xf7 | WA_WIDE, 3, wop_reg(RAX)); /* neg: what is needed at least */
    wop_arithmetic(fn, WA_CMP, true, RAX, wop_memory(WA_SCRATCH, 0));
    wop_jump_if(fn, ABOVE, &out);
    wop_byte(fn, 0x50 | RDX); /* push */
    wop_load_constant(fn, WA_I64, RDX, WA_FUEL_PORTION);
    wop_arithmetic(fn, WA_CMP, true, RAX, wop_reg(RDX));
    wop_x86(fn, WA_MAP_0F | 0x40u | BELOW | WA_WIDE, RAX, wop_reg(RDX)); /* cmov: so much is wanted */
    wop_load(fn, WA_I64, RDX, wop_memory(WA_SCRATCH, 0));
    wop_arithmetic(fn, WA_CMP, true, RDX, wop_reg(RAX));
    wop_x86(fn, WA_MAP_0F | 0x40u | BELOW | WA_WIDE, RAX, wop_reg(RDX)); /* so much is taken */
    wop_x86(fn, 0x29 | WA_WIDE, RAX, wop_memory(WA_SCRATCH, 0));         /* sub */
    wop_x86(fn, 0x01 | WA_WIDE, RSI, wop_reg(RAX));                      /* add */
    wop_byte(fn, 0x58 | RDX);                                            /* pop */
    wop_drop_frame(fn);
    wop_return(fn);
    wop_bind(fn, &out);
    wop_load_constant(fn, WA_I64, RAX, 0);
    wop_store(fn, WA_I64, wop_memory(WA_SCRATCH, 0), RAX);
    wop_put_trap_code(fn, WA_TRAP_OUT_OF_FUEL);
}
