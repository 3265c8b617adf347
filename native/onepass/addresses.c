/* The address map in blocks of rows with 16-bit offsets (FORMAT.md, "address_text"). */
#include <stdbool.h>

#include "onepass.h"

typedef struct {
    const uint32_t *text, *wasm;
    uint32_t limit;
} address_rows;

/* Behind the last row from start on whose text offset is less than limit away from start's. */
static uint32_t end_of_reach(const address_rows *rows, uint32_t start, uint32_t count)
{
    uint32_t end = start;
    while (end < count && rows->text[end] - rows->text[start] < rows->limit)
        end++;
    return end;
}

/* Whether the known wasm offsets of these rows lie close enough to each other, and the smallest. */
static bool is_block(const address_rows *rows, uint32_t start, uint32_t end, uint32_t *smallest)
{
    uint32_t low = UINT32_MAX, high = 0;
    for (uint32_t row = start; row < end; row++) {
        uint32_t offset = rows->wasm[row];
        if (offset == 0)
            continue;
        low = offset < low ? offset : low;
        high = offset > high ? offset : high;
    }
    *smallest = high == 0 ? 0 : low;
    return high - *smallest < rows->limit;
}

uint32_t wa_onepass_address_blocks(const uint32_t *text, const uint32_t *wasm, uint32_t count, uint32_t limit, uint16_t *text_deltas,
                                   uint16_t *wasm_deltas, wa_onepass_block *blocks)
{
    address_rows rows = {text, wasm, limit};
    uint32_t found = 0;
    for (uint32_t start = 0, end; start < count; start = end) {
        uint32_t smallest;
        end = end_of_reach(&rows, start, count);
        while (!is_block(&rows, start, end, &smallest))
            end = start + (end - start) / 2; /* at least one row: a single one fits */
        blocks[found++] = (wa_onepass_block){start, text[start], smallest};
        for (uint32_t row = start; row < end; row++) {
            text_deltas[row] = (uint16_t)(text[row] - text[start]);
            wasm_deltas[row] = (uint16_t)(wasm[row] == 0 ? 0 : wasm[row] - smallest + 1);
        }
    }
    return found;
}
