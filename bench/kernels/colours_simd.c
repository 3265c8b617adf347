/* The last loop of a video decoder: size rows of 1024 pixels from luma and chroma to red, green and blue, eight pixels at
 * a time in 16-bit lanes with saturation. Returns a checksum of the bytes. */
#include <stdint.h>

typedef uint8_t bytes8 __attribute__((vector_size(8)));
typedef int16_t shorts __attribute__((vector_size(16)));
typedef uint32_t words __attribute__((vector_size(16)));

enum { WIDTH = 1024, LANES = 8 };

static uint8_t luma[WIDTH], blue_difference[WIDTH], red_difference[WIDTH], pixels[3][WIDTH];

static shorts load(const uint8_t *from) {
    bytes8 narrow;
    __builtin_memcpy(&narrow, from, sizeof narrow);
    return __builtin_convertvector(narrow, shorts);
}

static void store(uint8_t *to, shorts value) {
    value &= ~(value < 0);
    shorts above = value > 255;
    value = (value & ~above) | (above & 255);
    bytes8 narrow = __builtin_convertvector(value, bytes8);
    __builtin_memcpy(to, &narrow, sizeof narrow);
}

static void convert_row(void) {
    for (int32_t i = 0; i < WIDTH; i += LANES) {
        shorts y = (load(luma + i) - 16) * 74 + 32;
        shorts u = load(blue_difference + i) - 128, v = load(red_difference + i) - 128;
        store(pixels[0] + i, (y >> 6) + ((v * 102) >> 6));
        store(pixels[1] + i, (y >> 6) - ((u * 25 + v * 52) >> 6));
        store(pixels[2] + i, (y >> 6) + ((u * 129) >> 6));
    }
}

int32_t run(int32_t size) {
    words sum = {1, 2, 3, 4};
    for (int32_t i = 0; i < WIDTH; i++) {
        luma[i] = (uint8_t)(i * 3);
        blue_difference[i] = (uint8_t)(i * 5 + 17);
        red_difference[i] = (uint8_t)(i * 7 + 29);
    }
    for (int32_t row = 0; row < size; row++) {
        luma[row % WIDTH] ^= (uint8_t)row;
        convert_row();
        for (int32_t i = 0; i < 3 * WIDTH; i += 16) {
            words next;
            __builtin_memcpy(&next, &pixels[0][0] + i, sizeof next);
            sum = (sum ^ next) + (sum << 5);
        }
    }
    return (int32_t)(sum[0] ^ sum[1] ^ sum[2] ^ sum[3]);
}
