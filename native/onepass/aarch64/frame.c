/* The frame on aarch64: the record of frame pointer and return address on top, all else below, reached from the stack pointer. How it
 * begins and ends is what the runtime's handler of signals looks for (runtime/signals.c). */
#include "machine.h"

enum {
    STP_RECORD = (int)0xa9bf7bfd, /* stp x29, x30, [sp, #-16]! */
    LDP_RECORD = (int)0xa8c17bfd, /* ldp x29, x30, [sp], #16 */
    SUB_STACK = (int)0xd10003ff,
    SUB_STACK_HIGH = (int)0xd14003ff, /* by multiples of 4096 */
    NOP = (int)0xd503201f,
    PAGE_BYTES = 4096,
};

static void put_record(wop_function *fn)
{
    wop_word(fn, (uint32_t)STP_RECORD);
    wop_move(fn, true, X29, SP);
}

/* One instruction where the frame is not expected to be larger than that holds. */
void wop_begin_frame(wop_function *fn)
{
    uint64_t most_bytes = fn->fixed_bytes + fn->slot_bytes * (uint64_t)(fn->reader.end - fn->reader.at);
    put_record(fn);
    if (most_bytes >= PAGE_BYTES)
        wop_word(fn, (uint32_t)SUB_STACK_HIGH);
    wop_word(fn, (uint32_t)SUB_STACK);
    fn->frame_position = wop_text_offset(fn);
}

/* Of values on the stack, nothing but a call adds more than the body has bytes: then the one instruction has whole pages. */
void wop_size_frame(wop_function *fn, uint64_t size_bytes)
{
    uint8_t *end = (uint8_t *)fn->unit->text.data + fn->frame_position;
    uint32_t words[2];
    if (fn->frame_position > fn->unit->text.count) {
        fn->has_failed = true;
        return;
    }
    memcpy(words, end - sizeof words, sizeof words);
    bool has_both = words[0] == (uint32_t)SUB_STACK_HIGH;
    uint64_t unit = !has_both && size_bytes >= PAGE_BYTES ? PAGE_BYTES : 16, size = (size_bytes + unit - 1) / unit * unit;
    uint32_t pages = (uint32_t)(size / PAGE_BYTES) << 10, rest = (uint32_t)(size % PAGE_BYTES) << 10;
    uint32_t high = pages != 0 ? (uint32_t)SUB_STACK_HIGH | pages : (uint32_t)NOP;
    fn->has_failed |= size >= 1 << 24;
    if (has_both)
        words[0] = high;
    words[1] = rest != 0 ? (uint32_t)SUB_STACK | rest : has_both ? (uint32_t)NOP : high;
    memcpy(end - sizeof words, words, sizeof words);
}

void wop_open_frame(wop_function *fn, uint32_t size_bytes)
{
    put_record(fn);
    wop_add_constant(fn, SP, SP, -(int64_t)size_bytes);
}

void wop_drop_frame(wop_function *fn)
{
    wop_move(fn, true, SP, X29);
    wop_word(fn, (uint32_t)LDP_RECORD);
}

void wop_return(wop_function *fn)
{
    wop_put_two(fn, 0xd65f0000, 0, X30);
}

/* ---- meanwhile ------------------------------------------------------------------------------------------------------------ */

static void lower(wop_function *fn, uint32_t size_bytes)
{
    wop_add_constant(fn, SP, SP, -(int64_t)size_bytes);
    fn->outgoing_bytes += size_bytes;
}

/* By a register: an immediate, with a jump behind it, is how the handler knows that a function has given its frame up. */
static void raise(wop_function *fn, uint32_t size_bytes)
{
    if (size_bytes == 0)
        return;
    wop_load_integer(fn, false, WA_FIRST, size_bytes);
    wop_put_three(fn, 0x8b206000, SP, SP, WA_FIRST);
    fn->outgoing_bytes -= size_bytes;
}

void wop_lower_stack(wop_function *fn, uint32_t size_bytes)
{
    lower(fn, (size_bytes + 15) / 16 * 16);
}

void wop_raise_stack(wop_function *fn)
{
    raise(fn, fn->outgoing_bytes);
}

static uint32_t kept_bytes(wop_set registers)
{
    return 16 * wop_count(registers);
}

static void move_kept(wop_function *fn, wop_set registers, bool is_loading)
{
    int32_t offset = 0;
    for (wop_set left = registers; left != 0; left &= left - 1, offset += 16) {
        wop_register reg = wop_lowest(left);
        uint8_t type = reg >= WA_VECTORS ? WA_V128 : WA_I64;
        if (is_loading)
            wop_load(fn, type, reg, wop_memory(SP, offset));
        else
            wop_store(fn, type, wop_memory(SP, offset), reg);
    }
}

void wop_push_registers(wop_function *fn, wop_set registers)
{
    lower(fn, kept_bytes(registers));
    move_kept(fn, registers, false);
}

void wop_pop_registers(wop_function *fn, wop_set registers)
{
    move_kept(fn, registers, true);
    raise(fn, kept_bytes(registers));
}
