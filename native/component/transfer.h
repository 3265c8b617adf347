/* Private to native/component/: values from one component instance to another, without the embedder. */
#ifndef WA_COMPONENT_TRANSFER_H
#define WA_COMPONENT_TRANSFER_H

#include "wa_component.h"

/* Both ends of a crossing. */
typedef struct wac_crossing {
    wa_component_instance *instance;
    const wac_options *from, *to;
    wac_scope *scope; /* of the call whose arguments cross; NULL for results */
} wac_crossing;

/* Bytes of a value of one side become bytes of the other. */
uint32_t wac_transfer(const wac_crossing *crossing, const wac_type *type, const uint8_t *from, uint8_t *to);
/* Room on the other side. Where its realloc gives none: the words for a call between components, which differ. */
uint32_t wac_allocate_across(const wac_crossing *crossing, uint32_t align_bytes, uint64_t size_bytes, uint32_t out_of_bounds,
                             uint32_t *pointer, uint8_t **bytes);
/* A string, whose bytes are a wac_span. */
uint32_t wac_transfer_string(const wac_crossing *crossing, wac_span from, wac_span *to);

#endif
