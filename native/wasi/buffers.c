/* The buffers of a transfer: lists of them in the guest's memory, checked. */
#include "wasi.h"

enum { IOVEC_BYTES = 8 };

uint32_t wasi_parts(const wasi_call *call, uint32_t address, uint32_t count, struct iovec *parts, size_t *part_count)
{
    const uint8_t *list = wasi_at(call, address, (uint64_t)count * IOVEC_BYTES);
    if (list == NULL)
        return WA_WASI_EFAULT;
    *part_count = 0;
    for (uint32_t i = 0; i < count && *part_count < WASI_PARTS_MAX; i++) {
        const uint8_t *item = list + (uint64_t)i * IOVEC_BYTES;
        uint32_t size_bytes = wasi_load32(item + 4);
        uint8_t *start = wasi_at(call, wasi_load32(item), size_bytes);
        if (start == NULL)
            return WA_WASI_EFAULT;
        if (size_bytes > 0) /* nothing but empty ones would look like the end of a file */
            parts[(*part_count)++] = (struct iovec){.iov_base = start, .iov_len = size_bytes};
    }
    return WA_WASI_ESUCCESS;
}
