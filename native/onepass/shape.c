/* Which functions have a shape that an optimising compiler takes too long for: its passes grow with the square of a block, of the
 * targets of a switch, of blocks and loops behind each other, or of what is live. Few functions of real code are above these limits; they
 * get this folder's code at all levels. */
#include "machine.h"

enum {
    MOST_BODY_BYTES = 256 * 1024,
    MOST_BLOCK_OPERATORS = 3000, /* between two operators of control */
    MOST_BLOCK_SELECTS = 300,
    MOST_TARGETS = 1500, /* of all br_table together */
    MOST_INDIRECT_CALLS = 200,
    MOST_BLOCKS = 2500, /* as many as their beginnings and the branches that depend on something */
    MOST_LOOPS = 300,   /* LLVM looks for what is known at the beginning of one in all before it */
};

typedef struct {
    uint64_t operators, selects, targets, indirect_calls, blocks, loops;
} shape;

static bool is_above(const shape *seen)
{
    return seen->operators > MOST_BLOCK_OPERATORS || seen->selects > MOST_BLOCK_SELECTS || seen->targets > MOST_TARGETS ||
           seen->indirect_calls > MOST_INDIRECT_CALLS || seen->blocks > MOST_BLOCKS || seen->loops > MOST_LOOPS;
}

static void count_operator(shape *seen, uint32_t opcode, wop_reader ahead)
{
    if (opcode == WA_OP_BR_TABLE)
        seen->targets += wop_read_u32(&ahead);
    if (opcode <= WA_OP_RETURN) {
        seen->operators = seen->selects = 0;
        seen->blocks += opcode == WA_OP_BR_IF || (opcode >= WA_OP_BLOCK && opcode <= WA_OP_ELSE);
        seen->loops += opcode == WA_OP_LOOP;
        return;
    }
    seen->operators++;
    seen->indirect_calls += opcode == WA_OP_CALL_INDIRECT || opcode == WA_OP_CALL_REF;
    seen->selects += opcode == WA_OP_SELECT || opcode == WA_OP_SELECT_TYPED;
}

static bool is_large(const uint8_t *data, uint32_t start, uint32_t end)
{
    wop_reader reader = {data + start, data + end, false};
    shape seen = {0};
    if (end - start > MOST_BODY_BYTES)
        return true;
    if (end - start <= MOST_BLOCK_SELECTS)
        return false;
    wop_skip_locals(&reader);
    while (reader.at < reader.end && !reader.has_failed && !is_above(&seen)) {
        uint32_t opcode = wop_read_opcode(&reader);
        count_operator(&seen, opcode, reader);
        wop_skip_immediate(&reader, opcode);
    }
    return is_above(&seen);
}

void wa_onepass_find_large(const uint8_t *data, const uint32_t *starts, const uint32_t *ends, uint32_t count, uint8_t *flags)
{
    for (uint32_t i = 0; i < count; i++)
        flags[i] = is_large(data, starts[i], ends[i]);
}
