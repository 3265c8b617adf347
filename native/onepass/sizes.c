/* How large objects are, and which of them code makes itself. */
#include "machine.h"

/* Whether code takes objects of this size from a run of free cells. */
bool wop_is_inline(uint64_t size_bytes)
{
    return size_bytes <= (uint64_t)WA_INLINE_CLASSES * WA_OBJECT_ALIGN_BYTES;
}

uint64_t wop_struct_bytes(const wa_onepass_module *module, const wa_onepass_subtype *of)
{
    if (of->field_count == 0)
        return sizeof(struct wa_schema_object);
    const wa_onepass_field *last = &module->fields[of->first_field + of->field_count - 1];
    return (uint64_t)last->offset + last->size_bytes;
}

uint64_t wop_array_bytes(const wa_onepass_module *module, const wa_onepass_subtype *of, uint32_t length)
{
    const wa_onepass_field *element = &module->fields[of->first_field];
    return element->offset + (uint64_t)length * element->size_bytes;
}

/* Whether an operator, whose immediates are ahead, puts a reference over another that may be to an object. */
bool wop_replaces_objects(const wa_onepass_module *module, uint32_t opcode, wop_reader ahead)
{
    if (opcode != WA_OP_STRUCT_SET && opcode != WA_OP_ARRAY_SET)
        return false;
    uint32_t type = wop_read_u32(&ahead), field = opcode == WA_OP_STRUCT_SET ? wop_read_u32(&ahead) : 0;
    return type < module->subtype_count && field < module->subtypes[type].field_count &&
           module->fields[module->subtypes[type].first_field + field].has_objects;
}

/* Whether an operator, whose immediates are ahead, calls the runtime for its object only where a run is empty. */
bool wop_makes_inline(const wa_onepass_module *module, uint32_t opcode, wop_reader ahead)
{
    uint32_t type = wop_read_u32(&ahead), length = wop_read_u32(&ahead);
    if (type >= module->subtype_count)
        return false;
    const wa_onepass_subtype *of = &module->subtypes[type];
    if (opcode == WA_OP_STRUCT_NEW || opcode == WA_OP_STRUCT_NEW_DEFAULT)
        return of->kind == WA_TYPE_STRUCT && wop_is_inline(wop_struct_bytes(module, of));
    return opcode == WA_OP_ARRAY_NEW_FIXED && of->kind == WA_TYPE_ARRAY && wop_is_inline(wop_array_bytes(module, of, length));
}
