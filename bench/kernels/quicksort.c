/* Quicksort of size pseudo-random integers, at most LIMIT: compares, swaps, branches that can't be predicted.
   Returns a sum that depends on the order. */
#include <stdint.h>

enum { LIMIT = 1 << 18 };

static uint32_t values[LIMIT];

static void sort(int32_t first, int32_t last) {
    while (first < last) {
        uint32_t pivot = values[first + (last - first) / 2];
        int32_t low = first, high = last;
        while (low <= high) {
            while (values[low] < pivot) low++;
            while (values[high] > pivot) high--;
            if (low <= high) {
                uint32_t other = values[low];
                values[low++] = values[high];
                values[high--] = other;
            }
        }
        sort(first, high);
        first = low;
    }
}

int64_t run(int32_t size) {
    int32_t count = size < LIMIT ? size : LIMIT;
    uint32_t random = 42;
    for (int32_t i = 0; i < count; i++) values[i] = random = random * 1664525 + 1013904223;
    sort(0, count - 1);
    uint64_t sum = 0;
    for (int32_t i = 0; i < count; i++) sum += (uint64_t)values[i] * (uint64_t)(i + 1);
    return (int64_t)sum;
}
