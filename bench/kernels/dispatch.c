/* A small machine that runs size instructions through a table of functions: indirect calls. Returns a digest of its
   registers. */
#include <stdint.h>

enum { REGISTERS = 8, PROGRAM = 64 };

typedef void (*Operation)(uint32_t *target, uint32_t operand);

static void move(uint32_t *target, uint32_t operand) { *target = operand; }
static void add(uint32_t *target, uint32_t operand) { *target += operand; }
static void subtract(uint32_t *target, uint32_t operand) { *target -= operand; }
static void multiply(uint32_t *target, uint32_t operand) { *target *= operand | 1; }
static void exclusive(uint32_t *target, uint32_t operand) { *target ^= operand; }
static void rotate(uint32_t *target, uint32_t operand) { *target = *target << (operand & 31) | *target >> (-operand & 31); }
static void shift(uint32_t *target, uint32_t operand) { *target += operand >> 7; }
static void invert(uint32_t *target, uint32_t operand) { *target = ~*target + operand; }

static const Operation operations[8] = {add, rotate, exclusive, multiply, subtract, shift, invert, move};
static uint8_t code[PROGRAM];
static uint32_t registers[REGISTERS];

int32_t run(int32_t size) {
    uint32_t random = 7;
    for (int i = 0; i < PROGRAM; i++) {
        random = random * 1664525 + 1013904223;
        code[i] = (uint8_t)(random >> 24);
    }
    for (uint32_t i = 0; i < REGISTERS; i++) registers[i] = i * 0x9e3779b9;
    for (int32_t step = 0; step < size; step++) {
        uint8_t instruction = code[step % PROGRAM];
        operations[instruction & 7](&registers[instruction >> 3 & 7], registers[instruction >> 5]);
        registers[step & 7] += (uint32_t)step;
    }
    uint32_t digest = 0;
    for (int i = 0; i < REGISTERS; i++) digest = digest * 31 + registers[i];
    return (int32_t)digest;
}
