/* SipHash-2-4 of size messages, message i being the bytes 0, 1, 2, ... of length i modulo 64, with the key 0, 1, ..., 15:
   64-bit rotations and additions. Returns the exclusive or of the hashes. */
#include <stdint.h>

enum { LENGTHS = 64 };

typedef struct {
    uint64_t v0, v1, v2, v3;
} State;

static uint8_t message[LENGTHS];

static uint64_t rotate(uint64_t word, int bits) { return word << bits | word >> (64 - bits); }

static uint64_t read_word(const uint8_t *bytes) {
    uint64_t low = bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
    uint64_t high = bytes[4] | (uint32_t)bytes[5] << 8 | (uint32_t)bytes[6] << 16 | (uint32_t)bytes[7] << 24;
    return low | high << 32;
}

static void round_of(State *s) {
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 = rotate(s->v2, 32);
}

static void absorb(State *s, uint64_t word) {
    s->v3 ^= word;
    round_of(s);
    round_of(s);
    s->v0 ^= word;
}

static uint64_t siphash(uint64_t key0, uint64_t key1, const uint8_t *bytes, int32_t size) {
    State s = {key0 ^ 0x736f6d6570736575, key1 ^ 0x646f72616e646f6d, key0 ^ 0x6c7967656e657261, key1 ^ 0x7465646279746573};
    int32_t at = 0;
    for (; at + 8 <= size; at += 8) absorb(&s, read_word(bytes + at));
    uint64_t last = (uint64_t)size << 56;
    for (int32_t i = 0; at + i < size; i++) last |= (uint64_t)bytes[at + i] << 8 * i;
    absorb(&s, last);
    s.v2 ^= 0xff;
    for (int i = 0; i < 4; i++) round_of(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

int64_t run(int32_t size) {
    for (int i = 0; i < LENGTHS; i++) message[i] = (uint8_t)i;
    uint64_t hashes = 0;
    for (int32_t i = 0; i < size; i++)
        hashes ^= siphash(0x0706050403020100, 0x0f0e0d0c0b0a0908, message, i % LENGTHS);
    return (int64_t)hashes;
}
