/* Bulk operations in steps, between which an interrupt or a stop ends the call: who calls them owns nothing. */
#ifndef WA_STEPS_H
#define WA_STEPS_H

#include <stdint.h>

/* memmove. */
void wa_move_bytes(void *to, const void *from, uint64_t size_bytes);
/* So many copies of a value of 1, 2, 4, 8 or 16 bytes. */
void wa_fill_elements(void *to, const void *value, uint64_t count, uint64_t width_bytes);

#endif
