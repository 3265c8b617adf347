/* Vector operators (prefix 0xfd), as all machines have them: a machine's table has for each of them what writes it, and with
 * which instructions. */
#ifndef WA_ONEPASS_VECTOR_ROWS_H
#define WA_ONEPASS_VECTOR_ROWS_H

#include "machine.h"

typedef struct wop_vector_row wop_vector_row;
struct wop_vector_row {
    void (*put)(wop_function *fn, const wop_vector_row *row);
    uint32_t opcode, second; /* instructions; 0: none */
    uint8_t immediate;       /* of the instruction, or what else its writer says */
    uint8_t flags;           /* the machine's */
};

/* Write the operator that a table has behind its prefix, or leave the function to LLVM. */
static inline void wop_put_row(wop_function *fn, const wop_vector_row *rows, size_t count)
{
    uint32_t place = fn->opcode & 0xffff;
    if (place < count && rows[place].put != NULL)
        rows[place].put(fn, &rows[place]);
    else
        fn->has_failed = true;
}

/* ---- what is written in the same way everywhere ---------------------------------------------------------------------------- */

/* lanes.c */
void wop_put_vector_constant(wop_function *fn, const wop_vector_row *row);
/* Push the low lane as all lanes, where the value is a constant. */
bool wop_splat_constant(wop_function *fn, const wop_value *value, unsigned size_bytes);
/* 16 bytes as a constant of the pool. */
wop_operand wop_pool_bytes(wop_function *fn, const uint8_t *bytes);

/* shuffles.c */
void wop_put_shuffle(wop_function *fn, const wop_vector_row *row);

/* vector_memory.c. immediate: how many bytes memory has of it. */
void wop_put_vector_load(wop_function *fn, const wop_vector_row *row);
void wop_put_vector_store(wop_function *fn, const wop_vector_row *row);
void wop_put_lane_load(wop_function *fn, const wop_vector_row *row);
void wop_put_lane_store(wop_function *fn, const wop_vector_row *row);

/* ---- of the machine -------------------------------------------------------------------------------------------------------- */

/* Instructions of a row that access memory. Other lanes keep their values. */
void wop_emit_vector_load(wop_function *fn, const wop_vector_row *row, wop_register to, wop_operand from);
void wop_emit_lane_load(wop_function *fn, const wop_vector_row *row, wop_register to, wop_operand from, uint8_t lane);
void wop_emit_lane_store(wop_function *fn, const wop_vector_row *row, wop_operand to, wop_register from, uint8_t lane);
/* Bytes of one operand, with numbers below 16; of the two operands on top, with numbers below 32, some of each. */
void wop_shuffle_one(wop_function *fn, const wop_value *value, uint32_t height, const uint8_t *lanes);
void wop_shuffle_two(wop_function *fn, const uint8_t *lanes);

#endif
