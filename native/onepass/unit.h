/* The text of several functions, and what is noted of them, on its way to who asked for it. */
#ifndef WA_ONEPASS_UNIT_H
#define WA_ONEPASS_UNIT_H

#include "machine.h"

/* Aligned; returns the text offset. */
uint32_t wop_begin_function(wop_unit *unit);
void wop_end_function(wop_unit *unit, uint32_t start, uint8_t flags);

/* Give all to code. Returns 0; or -1 where something found no memory, and nothing is left. */
int wop_hand_over(wop_unit *unit, wa_onepass_code *code);

#endif
