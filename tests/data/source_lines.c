/* The guest of tests that look for source lines in traps. In this folder, with clang 14 and lld:

   for version in 4 5; do
       clang --target=wasm32 -O1 -gdwarf-$version -fdebug-compilation-dir=. -Iinclude -nostdlib \
           -Wl,--no-entry -Wl,--allow-undefined -o source_lines.dwarf$version.wasm source_lines.c
   done
*/
#include "fraction.h"

extern int host(int value);
static volatile int cells[4];

/* The linker drops it and leaves its lines in the table. */
int never_called(int value)
{
    return host(value) + host(value + 1);
}

__attribute__((noinline)) static int load(int index)
{
    int sum = host(index);
    sum += cells[index]; /* line: load */
    return sum;
}

__attribute__((export_name("read"))) int read(int index)
{
    int first = load(index); /* line: read */
    return first + 1;
}

__attribute__((export_name("divide"))) int divide(int dividend, int divisor)
{
    cells[0] = dividend;
    return fraction(dividend, divisor);
}

__attribute__((export_name("stop"))) void stop(int depth)
{
    if (depth == 0) {
        cells[2] = 1;
        __builtin_trap(); /* line: trap */
    }
    stop(depth - 1); /* line: recursion */
    cells[1] = depth;
}
