/* Between which numbers a float can be truncated to an integer (spec section 4.3.4). */
#include "machine.h"
#include "operators.h"

static uint64_t bits_of(bool is_double, double value)
{
    uint64_t bits = 0;
    float narrow = (float)value;
    if (is_double)
        memcpy(&bits, &value, sizeof value);
    else
        memcpy(&bits, &narrow, sizeof narrow);
    return bits;
}

wop_bounds wop_bounds_of(bool is_wide, bool is_signed, bool is_double)
{
    bool includes_lower = is_signed && (is_wide || !is_double); /* less than the lowest integer by one is no float then */
    double half = is_wide ? 0x1p63 : 0x1p31, upper = is_signed ? half : 2 * half;
    double lower = !is_signed ? -1.0 : includes_lower ? -half : -half - 1.0;
    return (wop_bounds){bits_of(is_double, lower), bits_of(is_double, upper), includes_lower};
}
