/* Values in registers and in memory: each becomes the other; places in a guest's memory, and room that its realloc gives. */
#include <string.h>

#include "runtime/thread.h"
#include "wa_component.h"

static uint32_t flat_variant(const wac_type *type, const uint64_t *slots, uint8_t *bytes)
{
    uint32_t number = (uint32_t)slots[0];
    if (number >= wac_case_count(type))
        return WA_TRAP_INVALID_VARIANT;
    memset(bytes, 0, type->size_bytes);
    wac_set_discriminant(type, bytes, number);
    const wac_type *part = wac_case(type, number);
    return part == NULL ? 0 : wac_from_flat(part, slots + 1, bytes + type->payload_offset);
}

uint32_t wac_from_flat(const wac_type *type, const uint64_t *slots, uint8_t *bytes)
{
    switch (type->kind) {
    case WA_CTYPE_RECORD:
    case WA_CTYPE_TUPLE:
    case WA_CTYPE_FUNC: {
        uint32_t count = type->kind == WA_CTYPE_FUNC ? type->item_count - 1 : type->item_count;
        for (uint32_t i = 0; i < count; i++) {
            uint32_t trap = wac_from_flat(type->parts[i], slots, bytes + type->offsets[i]);
            if (trap != 0)
                return trap;
            slots += type->parts[i]->flat_count;
        }
        return 0;
    }
    case WA_CTYPE_VARIANT:
    case WA_CTYPE_OPTION:
    case WA_CTYPE_RESULT:
        return flat_variant(type, slots, bytes);
    case WA_CTYPE_STRING:
    case WA_CTYPE_LIST: {
        wac_span span = {(uint32_t)slots[0], (uint32_t)slots[1]};
        memcpy(bytes, &span, sizeof span);
        return 0;
    }
    case WA_CTYPE_BOOL:
        *bytes = (uint32_t)slots[0] != 0;
        return 0;
    case WA_CTYPE_ENUM:
        if ((uint32_t)slots[0] >= type->item_count)
            return WA_TRAP_INVALID_VARIANT;
        /* fall through */
    default:
        memcpy(bytes, slots, type->size_bytes); /* what is beyond a value's width does not count */
        return 0;
    }
}

/* Sign-extended or zero-extended as the core type has it. */
static uint64_t widen(const wac_type *type, const uint8_t *bytes)
{
    uint64_t value = 0;
    memcpy(&value, bytes, type->size_bytes);
    if (type->kind == WA_CTYPE_S8)
        return ((value ^ 0x80) - 0x80) & UINT32_MAX;
    if (type->kind == WA_CTYPE_S16)
        return ((value ^ 0x8000) - 0x8000) & UINT32_MAX;
    return value;
}

void wac_to_flat(const wac_type *type, const uint8_t *bytes, uint64_t *slots)
{
    switch (type->kind) {
    case WA_CTYPE_RECORD:
    case WA_CTYPE_TUPLE:
    case WA_CTYPE_FUNC: {
        uint32_t count = type->kind == WA_CTYPE_FUNC ? type->item_count - 1 : type->item_count;
        for (uint32_t i = 0; i < count; i++) {
            wac_to_flat(type->parts[i], bytes + type->offsets[i], slots);
            slots += type->parts[i]->flat_count;
        }
        return;
    }
    case WA_CTYPE_VARIANT:
    case WA_CTYPE_OPTION:
    case WA_CTYPE_RESULT: {
        memset(slots, 0, type->flat_count * sizeof *slots);
        slots[0] = wac_discriminant(type, bytes);
        const wac_type *part = slots[0] < wac_case_count(type) ? wac_case(type, (uint32_t)slots[0]) : NULL;
        if (part != NULL)
            wac_to_flat(part, bytes + type->payload_offset, slots + 1);
        return;
    }
    case WA_CTYPE_STRING:
    case WA_CTYPE_LIST: {
        wac_span span;
        memcpy(&span, bytes, sizeof span);
        slots[0] = span.pointer;
        slots[1] = span.count;
        return;
    }
    default:
        slots[0] = widen(type, bytes);
    }
}

uint32_t wac_allocate(wa_component_instance *instance, const wac_options *options, uint32_t old, uint32_t old_bytes,
                      uint32_t align_bytes, uint64_t size_bytes, uint32_t *pointer, uint8_t **bytes)
{
    if (size_bytes > WA_MAX_VALUE_BYTES)
        return WA_TRAP_TOO_LONG;
    if (options->realloc.function == NULL || options->base == NULL)
        return WA_TRAP_DAMAGED_COMPONENT;
    if (options->realloc.entry == NULL)
        return WA_TRAP_MISSING_TRAMPOLINE;
    uint64_t slots[4] = {old, old_bytes, align_bytes, size_bytes};
    wac_sub *sub = &instance->subs[options->sub];
    bool before = sub->may_not_leave;
    sub->may_not_leave = true;
    uint32_t problem = 0;
    if (instance->run != NULL)
        problem = instance->run(instance, &options->realloc, slots);
    else
        wa_call_across(instance->core, options->realloc.function, options->realloc.entry, slots);
    sub->may_not_leave = before;
    if (problem != 0)
        return problem;
    *pointer = (uint32_t)slots[0];
    if ((*pointer & (align_bytes - 1)) != 0)
        return WA_TRAP_REALLOC_UNALIGNED;
    *bytes = wac_place(options, *pointer, size_bytes);
    return *bytes == NULL ? WA_TRAP_REALLOC_OUT_OF_BOUNDS : 0;
}

uint32_t wac_list_place(const wac_options *options, const wac_type *element, wac_span span, const uint8_t **bytes)
{
    uint64_t size_bytes = (uint64_t)span.count * element->size_bytes;
    if (span.pointer % element->align_bytes != 0)
        return WA_TRAP_UNALIGNED_POINTER;
    if (size_bytes > WA_MAX_VALUE_BYTES)
        return WA_TRAP_TOO_LONG;
    *bytes = wac_place(options, span.pointer, size_bytes);
    return *bytes == NULL ? WA_TRAP_LIST_OUT_OF_BOUNDS : 0;
}

uint32_t wac_string_place(const wac_options *options, wac_span span, const uint8_t **bytes, uint64_t *size_bytes, uint8_t *encoding)
{
    uint32_t align_bytes = options->encoding == WA_ENCODING_UTF8 ? 1 : 2;
    *encoding = options->encoding;
    *size_bytes = span.count;
    if (*encoding == WA_ENCODING_LATIN1_UTF16) {
        *encoding = span.count & WAC_UTF16_TAG ? WA_ENCODING_UTF16 : WAC_LATIN1;
        *size_bytes = span.count & ~WAC_UTF16_TAG;
    }
    if (*encoding == WA_ENCODING_UTF16)
        *size_bytes *= 2;
    if (span.pointer % align_bytes != 0)
        return WA_TRAP_UNALIGNED_POINTER;
    if (*size_bytes > WA_MAX_VALUE_BYTES)
        return WA_TRAP_STRING_OUT_OF_BOUNDS;
    *bytes = wac_place(options, span.pointer, *size_bytes);
    return *bytes == NULL ? WA_TRAP_STRING_OUT_OF_BOUNDS : 0;
}
