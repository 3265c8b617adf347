/* Escape times of size * size points of the Mandelbrot set: doubles in registers. Returns the sum of the times. */
#include <stdint.h>

enum { MOST_STEPS = 100 };

static int32_t escape_time(double re, double im) {
    double x = 0, y = 0;
    int32_t steps = 0;
    while (steps < MOST_STEPS && x * x + y * y <= 4.0) {
        double next = x * x - y * y + re;
        y = 2 * x * y + im;
        x = next;
        steps++;
    }
    return steps;
}

int32_t run(int32_t size) {
    int32_t sum = 0;
    for (int32_t row = 0; row < size; row++)
        for (int32_t column = 0; column < size; column++)
            sum += escape_time(3.0 * column / size - 2.0, 2.0 * row / size - 1.0);
    return sum;
}
