/* Filling wa_error. */
#include <errno.h>

#include "error.h"

int wa_fail(wa_error *error, uint32_t code, uint64_t where, uint64_t found, uint64_t expected, const char *text)
{
    memset(error, 0, sizeof *error);
    error->code = code;
    error->where = where;
    error->found = found;
    error->expected = expected;
    strncpy(error->text, text, sizeof error->text - 1);
    return -1;
}

int wa_fail_system(wa_error *error, uint32_t code, uint64_t expected, const char *text)
{
    int saved = errno;
    wa_fail(error, code, 0, 0, expected, text);
    error->system_errno = saved;
    return -1;
}
