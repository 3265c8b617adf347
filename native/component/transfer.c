/* Values from one component instance to another: what is in the one's memory or table gets into the other's. */
#include "transfer.h"

#include <string.h>

static uint32_t transfer_list(const wac_crossing *crossing, const wac_type *type, const uint8_t *from, uint8_t *to)
{
    const wac_type *element = type->parts[0];
    wac_span span, made = {0, 0};
    const uint8_t *source;
    uint8_t *target;
    memcpy(&span, from, sizeof span);
    uint32_t trap = wac_list_place(crossing->from, element, span, &source);
    uint64_t size_bytes = (uint64_t)span.count * element->size_bytes;
    if (trap == 0)
        trap = wac_allocate_across(crossing, element->align_bytes, size_bytes, WA_TRAP_LIST_OUT_OF_BOUNDS, &made.pointer, &target);
    if (trap != 0)
        return trap;
    made.count = span.count;
    if (element->is_plain)
        memmove(target, source, size_bytes);
    for (uint32_t i = 0; !element->is_plain && trap == 0 && i < span.count; i++)
        trap = wac_transfer(crossing, element, source + (uint64_t)i * element->size_bytes,
                            target + (uint64_t)i * element->size_bytes);
    memcpy(to, &made, sizeof made);
    return trap;
}

static uint32_t transfer_own(const wac_crossing *crossing, const wac_type *type, uint32_t index, uint32_t *made)
{
    uint32_t rep = 0;
    uint32_t trap = wac_take_own(crossing->instance, crossing->from->sub, index, type->resource, &rep);
    if (trap != 0)
        return trap;
    return wac_handle_new(crossing->instance, crossing->to->sub,
                          (wac_handle){.resource = type->resource, .rep = rep, .is_own = true}, made);
}

static uint32_t transfer_borrow(const wac_crossing *crossing, const wac_type *type, uint32_t index, uint32_t *made)
{
    uint32_t rep = 0;
    if (crossing->scope == NULL)
        return WA_TRAP_DAMAGED_COMPONENT; /* no result is borrowed */
    uint32_t trap = wac_lend_handle(crossing->instance, crossing->from->sub, index, type->resource, &rep);
    if (trap != 0)
        return trap;
    return wac_give_borrow(crossing->instance, crossing->to->sub, type->resource, rep, crossing->scope, made);
}

static uint32_t transfer_fields(const wac_crossing *crossing, const wac_type *type, const uint8_t *from, uint8_t *to)
{
    uint32_t count = type->kind == WA_CTYPE_FUNC ? type->item_count - 1 : type->item_count, trap = 0;
    for (uint32_t i = 0; trap == 0 && i < count; i++)
        trap = wac_transfer(crossing, type->parts[i], from + type->offsets[i], to + type->offsets[i]);
    return trap;
}

static uint32_t transfer_case(const wac_crossing *crossing, const wac_type *type, const uint8_t *from, uint8_t *to)
{
    uint32_t number = wac_discriminant(type, from);
    if (number >= (type->kind == WA_CTYPE_ENUM ? type->item_count : wac_case_count(type)))
        return WA_TRAP_INVALID_VARIANT;
    wac_set_discriminant(type, to, number);
    const wac_type *part = type->kind == WA_CTYPE_ENUM ? NULL : wac_case(type, number);
    return part == NULL ? 0 : wac_transfer(crossing, part, from + type->payload_offset, to + type->payload_offset);
}

uint32_t wac_transfer(const wac_crossing *crossing, const wac_type *type, const uint8_t *from, uint8_t *to)
{
    uint32_t value = 0, made = 0, trap;
    wac_span span;
    switch (type->kind) {
    case WA_CTYPE_LIST:
        return transfer_list(crossing, type, from, to);
    case WA_CTYPE_STRING:
        memcpy(&span, from, sizeof span);
        trap = wac_transfer_string(crossing, span, &span);
        memcpy(to, &span, sizeof span);
        return trap;
    case WA_CTYPE_RECORD:
    case WA_CTYPE_TUPLE:
    case WA_CTYPE_FUNC:
        return transfer_fields(crossing, type, from, to);
    case WA_CTYPE_VARIANT:
    case WA_CTYPE_OPTION:
    case WA_CTYPE_RESULT:
    case WA_CTYPE_ENUM:
        return transfer_case(crossing, type, from, to);
    case WA_CTYPE_OWN:
    case WA_CTYPE_BORROW:
        memcpy(&value, from, sizeof value);
        trap = type->kind == WA_CTYPE_OWN ? transfer_own(crossing, type, value, &made)
                                          : transfer_borrow(crossing, type, value, &made);
        memcpy(to, &made, sizeof made);
        return trap;
    case WA_CTYPE_BOOL:
        *to = *from != 0;
        return 0;
    case WA_CTYPE_CHAR:
        memcpy(&value, from, sizeof value);
        memcpy(to, &value, sizeof value);
        return value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff) ? WA_TRAP_INVALID_CHAR : 0;
    case WA_CTYPE_FLAGS:
        memcpy(&value, from, type->size_bytes);
        value &= type->item_count >= 32 ? UINT32_MAX : (UINT32_C(1) << type->item_count) - 1;
        memcpy(to, &value, type->size_bytes);
        return 0;
    default:
        memcpy(to, from, type->size_bytes);
        return 0;
    }
}
