/* Memories, tables, globals and tags by their kind. Functions and instances have no count of their own. */
#include "wasmartifact.h"

void wa_extern_retain(uint32_t kind, void *object)
{
    switch (kind) {
    case WA_KIND_TABLE:
        wa_table_retain(object);
        break;
    case WA_KIND_MEMORY:
        wa_memory_retain(object);
        break;
    case WA_KIND_GLOBAL:
        wa_global_retain(object);
        break;
    case WA_KIND_TAG:
        wa_tag_retain(object);
        break;
    default:
        break;
    }
}

void wa_extern_release(uint32_t kind, void *object)
{
    switch (kind) {
    case WA_KIND_TABLE:
        wa_table_release(object);
        break;
    case WA_KIND_MEMORY:
        wa_memory_release(object);
        break;
    case WA_KIND_GLOBAL:
        wa_global_release(object);
        break;
    case WA_KIND_TAG:
        wa_tag_release(object);
        break;
    default:
        break;
    }
}
