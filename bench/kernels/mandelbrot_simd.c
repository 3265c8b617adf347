/* Escape times of size * size points of the Mandelbrot set, four at a time: floats in vectors. Returns their sum. */
#include <stdint.h>

typedef float floats __attribute__((vector_size(16)));
typedef int32_t ints __attribute__((vector_size(16)));
typedef int64_t longs __attribute__((vector_size(16)));

enum { MOST_STEPS = 100 };

static ints escape_times(floats re, floats im) {
    const floats four = {4, 4, 4, 4};
    floats x = {0, 0, 0, 0}, y = {0, 0, 0, 0};
    ints steps = {0, 0, 0, 0};
    for (int32_t i = 0; i < MOST_STEPS; i++) {
        floats xx = x * x, yy = y * y;
        ints inside = (ints)(xx + yy <= four);
        longs any = (longs)inside;
        if ((any[0] | any[1]) == 0)
            break;
        steps -= inside;
        floats xy = x * y;
        x = xx - yy + re;
        y = xy + xy + im;
    }
    return steps;
}

int32_t run(int32_t size) {
    ints sums = {0, 0, 0, 0};
    float scale = size > 0 ? 1.0f / (float)size : 0;
    for (int32_t row = 0; row < size; row++)
        for (int32_t column = 0; column < size; column += 4) {
            float left = (float)column, y = 2.0f * (float)row * scale - 1.0f;
            floats columns = {left, left + 1, left + 2, left + 3};
            floats im = {y, y, y, y};
            sums += escape_times(columns * (3.0f * scale) - 2.0f, im);
        }
    return sums[0] + sums[1] + sums[2] + sums[3];
}
