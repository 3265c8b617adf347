/* Doubly recursive Fibonacci numbers: the cost of calls. */
#include <stdint.h>

static int32_t fib(int32_t n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

int32_t run(int32_t size) { return fib(size); }
