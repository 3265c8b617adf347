/* Which tables functions may change: one that none does is a constant of the module. */
#include <string.h>

#include "machine.h"

/* The table that an operator writes to or grows, or UINT32_MAX. */
static uint32_t written_table(uint32_t opcode, wop_reader ahead)
{
    switch (opcode) {
    case WA_OP_TABLE_SET:
    case WA_OP_TABLE_GROW:
    case WA_OP_TABLE_FILL:
    case WA_OP_TABLE_COPY: /* its first index is where to */
        return wop_read_u32(&ahead);
    case WA_OP_TABLE_INIT:
        wop_read_u32(&ahead);
        return wop_read_u32(&ahead);
    default:
        return UINT32_MAX;
    }
}

void wa_onepass_find_written_tables(const uint8_t *data, const uint32_t *starts, const uint32_t *ends, uint32_t count, uint8_t *flags,
                                    uint32_t table_count)
{
    for (uint32_t i = 0; i < count; i++) {
        wop_reader reader = {data + starts[i], data + ends[i], false};
        wop_skip_locals(&reader);
        while (reader.at < reader.end && !reader.has_failed) {
            uint32_t opcode = wop_read_opcode(&reader), table = written_table(opcode, reader);
            if (table < table_count)
                flags[table] = 1;
            wop_skip_immediate(&reader, opcode);
        }
        if (reader.has_failed) /* no code of a valid module: nothing is known of the rest */
            memset(flags, 1, table_count);
    }
}
