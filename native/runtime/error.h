/* Private to native/: filling wa_error, and attributes that every file uses. */
#ifndef WA_RUNTIME_ERROR_H
#define WA_RUNTIME_ERROR_H

#include <string.h>

#include "wasmartifact.h"

#define WA_UNUSED __attribute__((unused))
#define WA_COLD __attribute__((cold, noinline))

/* ---- error.c ---------------------------------------------------------------------------------------------------- */

/* Always -1. text is copied; what is too long is cut. */
WA_COLD int wa_fail(wa_error *error, uint32_t code, uint64_t where, uint64_t found, uint64_t expected, const char *text);
/* The same with errno. */
WA_COLD int wa_fail_system(wa_error *error, uint32_t code, uint64_t expected, const char *text);

#endif
