/* Sieve of Eratosthenes: strided byte stores. Counts the primes below size, at most LIMIT. */
#include <stdint.h>

enum { LIMIT = 1 << 20 };

static uint8_t composite[LIMIT];

int32_t run(int32_t size) {
    int32_t limit = size < LIMIT ? size : LIMIT, count = 0;
    for (int32_t i = 0; i < limit; i++) composite[i] = 0;
    for (int32_t i = 2; i < limit; i++) {
        if (composite[i]) continue;
        count++;
        for (int32_t multiple = 2 * i; multiple < limit; multiple += i) composite[multiple] = 1;
    }
    return count;
}
