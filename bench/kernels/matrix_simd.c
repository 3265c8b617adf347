/* The product of two matrices of size * size floats (up to 256 * 256), rows in vectors. Returns a sum over the product. */
#include <stdint.h>

typedef float floats __attribute__((vector_size(16)));

/* A row is no power of two of bytes, or the lines of a column would share a few places of the cache. */
enum { MOST = 256, LANES = 4, WIDTH = MOST / LANES + 4 };

static floats a[MOST][WIDTH], b[MOST][WIDTH], product[MOST][WIDTH];

static void fill(int32_t size) {
    for (int32_t row = 0; row < size; row++) {
        float first = (float)(row & 15), second = (float)(row & 31);
        for (int32_t i = 0; i < size / LANES; i++) {
            floats lanes = {0.25f, 0.5f, 0.75f, (float)i};
            a[row][i] = lanes + first;
            b[row][i] = lanes - second;
        }
    }
}

static void multiply(int32_t size) {
    int32_t vectors = (size + LANES - 1) / LANES;
    for (int32_t row = 0; row < size; row++)
        for (int32_t start = 0; start < vectors; start += 2) {
            floats low = {0, 0, 0, 0}, high = low;
            for (int32_t k = 0; k < size; k++) {
                float factor = ((const float *)a[row])[k];
                floats factors = {factor, factor, factor, factor};
                low += factors * b[k][start];
                high += factors * b[k][start + 1];
            }
            product[row][start] = low;
            product[row][start + 1] = high;
        }
}

double run(int32_t size) {
    if (size > MOST)
        size = MOST;
    fill(size);
    multiply(size);
    double sum = 0;
    for (int32_t row = 0; row < size; row++)
        for (int32_t lane = 0; lane < LANES; lane++)
            sum += (double)product[row][row / LANES][lane] * (row + 1);
    return sum;
}
