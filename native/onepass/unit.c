/* See unit.h. */
#include "unit.h"

enum { ALIGNMENT = 16 };

uint32_t wop_begin_function(wop_unit *unit)
{
    while (unit->text.count % ALIGNMENT != 0 && !unit->text.has_failed)
        wop_push_u8(&unit->text, wop_fill_bytes[unit->text.count % sizeof wop_fill_bytes]);
    return unit->text.count;
}

void wop_end_function(wop_unit *unit, uint32_t start, uint8_t flags)
{
    wop_push_u32(&unit->function_offsets, start);
    wop_push_u32(&unit->function_sizes, unit->text.count - start);
    wop_push_u8(&unit->function_flags, flags);
}

void wa_onepass_release(wa_onepass_code *code)
{
    void *owned[] = {
        code->text, code->function_offsets, code->function_sizes, code->function_flags, code->row_text_offsets,
        code->row_wasm_offsets, code->row_traps, code->call_offsets, code->call_functions, code->digest_offsets,
        code->digest_types, code->outward_offsets, code->outward_types, code->fixed_offsets, code->fixed_tables,
        code->indirect_types, code->used_opcodes,
    };
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        free(owned[i]);
    *code = (wa_onepass_code){0};
}

static bool unit_has_memory(const wop_unit *unit)
{
    const wop_buffer *buffers[] = {
        &unit->text, &unit->function_offsets, &unit->function_sizes, &unit->function_flags, &unit->row_text_offsets,
        &unit->row_wasm_offsets, &unit->row_traps, &unit->call_offsets, &unit->call_functions, &unit->digest_offsets,
        &unit->digest_types, &unit->outward_offsets, &unit->outward_types, &unit->fixed_offsets, &unit->fixed_tables,
        &unit->indirect_types,
    };
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++)
        if (buffers[i]->has_failed)
            return false;
    return true;
}

int wop_hand_over(wop_unit *unit, wa_onepass_code *code)
{
    *code = (wa_onepass_code){
        .text = unit->text.data,
        .function_offsets = unit->function_offsets.data,
        .function_sizes = unit->function_sizes.data,
        .function_flags = unit->function_flags.data,
        .row_text_offsets = unit->row_text_offsets.data,
        .row_wasm_offsets = unit->row_wasm_offsets.data,
        .row_traps = unit->row_traps.data,
        .call_offsets = unit->call_offsets.data,
        .call_functions = unit->call_functions.data,
        .digest_offsets = unit->digest_offsets.data,
        .digest_types = unit->digest_types.data,
        .outward_offsets = unit->outward_offsets.data,
        .outward_types = unit->outward_types.data,
        .fixed_offsets = unit->fixed_offsets.data,
        .fixed_tables = unit->fixed_tables.data,
        .indirect_types = unit->indirect_types.data,
        .used_opcodes = unit->used_opcodes,
        .text_size_bytes = unit->text.count,
        .function_count = unit->function_sizes.count,
        .row_count = unit->row_text_offsets.count,
        .call_count = unit->call_offsets.count,
        .digest_count = unit->digest_offsets.count,
        .outward_count = unit->outward_offsets.count,
        .fixed_count = unit->fixed_offsets.count,
        .indirect_count = unit->indirect_types.count,
        .has_typed_blocks = unit->has_typed_blocks,
    };
    if (unit_has_memory(unit))
        return 0;
    wa_onepass_release(code);
    return -1;
}
