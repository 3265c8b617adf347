/* WASI's errnos for Linux's. */
#include "wasi.h"

uint32_t wasi_errno(int number)
{
    switch (number) {
#define X(linux_errno, wasi) \
    case linux_errno: \
        return wasi;
        WA_WASI_ERRNOS(X)
#undef X
    default:
        return number == 0 ? WA_WASI_ESUCCESS : WA_WASI_EIO;
    }
}
