/* The state of one function's compilation, and what the files of this folder do for each other.
 *
 * wa_onepass_ is the interface, wop_ what the files share. The machine that code is for has a folder of its own; its machine.h, which
 * tells its registers, includes this file and emit.h. */
#ifndef WA_ONEPASS_FUNCTION_H
#define WA_ONEPASS_FUNCTION_H

#include "buffer.h"
#include "onepass.h"
#include "reader.h"
#include "wa_opcodes.h"
#include "wa_schema.h"

/* Types of values, in the order of their letters "ilfdv". References are WA_I64. */
enum wop_type { WA_I32, WA_I64, WA_F32, WA_F64, WA_V128 };

/* Registers by number: those for integers, and from WA_VECTORS on those for vectors. */
typedef uint8_t wop_register;
enum { WA_NO_REGISTER = 0xff };

/* Registers of a set that is not empty, and how many there are. */
static inline wop_register wop_lowest(wop_set set)
{
    return (wop_register)__builtin_ctzll(set);
}

static inline wop_register wop_highest(wop_set set)
{
    return (wop_register)(63 - __builtin_clzll(set));
}

static inline uint32_t wop_count(wop_set set)
{
    return (uint32_t)__builtin_popcountll(set);
}

/* Where a value of the operand stack is. */
enum wop_place {
    WA_SLOT,      /* in the frame's slot for its height */
    WA_REGISTER,  /* in a register that it owns */
    WA_LOCAL,     /* what the local holds now; before the local changes, it is copied */
    WA_CONSTANT,  /* nowhere */
    WA_CONDITION, /* in the flags; the next operator takes it */
};

typedef struct {
    uint8_t place, type;
    uint8_t reg; /* WA_CONDITION: the condition */
    uint32_t local;
    /* WA_CONSTANT: its bits, or of a v128 1 + number in the pool, 0 for zeros; WA_LOCAL: 1 + height of the next lower value of the
     * same local, or 0 */
    uint64_t bits;
} wop_value;

typedef struct {
    uint8_t type;
    wop_register home; /* WA_NO_REGISTER: it lives in the frame */
    bool is_assigned; /* something sets it */
    bool is_stored;   /* the frame has its value, too */
    int32_t offset;   /* of its place in the frame, from the frame pointer */
    uint32_t weight;  /* how often code uses it, a guess */
    uint32_t latest;  /* 1 + height of the topmost value WA_LOCAL of it, or 0 */
} wop_local;

/* A memory operand, a register, or a constant of the function's pool. */
typedef struct {
    enum { WA_IN_REGISTER, WA_IN_MEMORY, WA_AT_INDEX, WA_IN_POOL } kind;
    wop_register reg, index; /* WA_IN_MEMORY: reg + displacement; WA_AT_INDEX: reg + (index << scale) + displacement */
    uint8_t scale;
    int32_t displacement; /* WA_IN_POOL: number of the constant */
} wop_operand;

typedef struct {
    const uint8_t *letters;
    uint32_t count;
} wop_types;

enum wop_label_kind {
    WA_FUNCTION,
    WA_BLOCK,
    WA_LOOP,
    WA_IF,
    WA_ELSE,
    WA_TRY,   /* of both encodings; the other one begins with its first catch */
    WA_CATCH,
};

typedef struct {
    uint8_t kind;
    bool is_dead; /* code before it is unreachable */
    wop_types params, results;
    uint32_t height; /* of the stack below its parameters */
    uint32_t fixups; /* 1 + number of the first jump to its end, or 0 */
    uint32_t else_fixups, way_fixups, landing_fixups; /* else: where no catch before had the tag, too */
    uint32_t start;         /* loops: text offset */
    const uint8_t *catches; /* of a try_table, in the body; borrowed */
} wop_label;

/* Jumps to one place that is not known yet form a list. */
typedef struct {
    uint32_t position; /* of a rel32 in the text */
    uint32_t next;     /* 1 + number, or 0 */
} wop_fixup;

/* Code that is rarely run, behind the function's end. */
typedef struct {
    uint32_t fixups;
    uint32_t wasm_offset;
    uint32_t back;      /* text offset to return to */
    uint8_t trap;       /* 0: it calls the runtime */
    uint8_t call;       /* its number, or WA_TAKE_FUEL */
    wop_register reg;    /* of the result; resolve_call: also the record; WA_TAKE_FUEL: the cost, if it is no constant */
    wop_register index;  /* resolve_slot: the index; function_matches: the reference; array_new: the length */
    uint32_t number;    /* resolve_slot: table; resolve_call: canonical type; WA_TAKE_FUEL: the cost; others: type */
    wop_operand place;  /* reference_changes: of the reference */
    wop_set kept;       /* to be kept on the stack: for reference_changes registers that are no values and no homes */
    uint32_t saved;     /* first of its saved registers */
    uint32_t saved_count;
} wop_stub;
enum { WA_TAKE_FUEL = 0xff };

typedef struct {
    wop_register reg;
    uint8_t type;
    int32_t offset;
} wop_saved;

/* A move between registers of one kind. */
typedef struct {
    wop_register to, from;
    bool is_wide;
} wop_move_to;

typedef struct {
    uint64_t bits, high; /* high: of a v128 */
    bool is_vector;      /* 16 bytes, aligned to as many */
    uint32_t fixups;     /* where code refers to it */
} wop_pooled;

typedef struct {
    uint32_t position; /* of the lea's displacement */
    uint32_t first;    /* of its targets */
    uint32_t count;
} wop_jump_table;

/* What leads to a function that is not named: the record of any function, or the code of one of the module. */
typedef enum { WA_NO_CALLEE, WA_RECORD, WA_CODE } wop_callee;

/* All functions of a call of wa_onepass_compile. */
typedef struct {
    const wa_onepass_module *module;
    uint32_t base, first;
    wop_buffer text, function_offsets, function_sizes, function_flags;
    wop_buffer row_text_offsets, row_wasm_offsets, row_traps;
    wop_buffer call_offsets, call_functions, digest_offsets, digest_types, indirect_types;
    wop_buffer outward_offsets, outward_types, fixed_offsets, fixed_tables;
    uint8_t *used_opcodes;
    bool has_typed_blocks;
} wop_unit;

typedef struct {
    wop_unit *unit;
    const wa_onepass_module *module;
    wop_reader reader;
    const uint8_t *data; /* start of the group's data */
    wop_types params, results;
    bool has_failed; /* left to LLVM */
    bool is_long;    /* some of its code may be far from the rest */
    bool pays;       /* fuel for its blocks: where code counts it, all do but the init function */

    /* What the scan found. */
    bool has_calls, has_loops, has_rethrows, has_vectors;
    uint32_t call_weight, instance_weight, base_weight, portion_weight; /* base: of memory 0; portion: of fuel */

    wop_buffer locals, values, labels, fixups, stubs, saved, pool, tables, targets, controls;
    uint32_t param_count, local_count;

    /* Registers. */
    wop_set temporaries, used, locked, callee_saved, homes, caller_homes; /* caller_homes: homes that calls change */
    uint32_t owner[WA_REGISTERS];                                  /* height of the value */
    uint32_t home_local[WA_REGISTERS];
    wop_register instance, memory_base; /* WA_NO_REGISTER: in the frame, and loaded from the instance record */
    int32_t instance_offset;
    wop_register portion; /* WA_NO_REGISTER: in the frame */
    int32_t portion_offset;

    /* The frame. */
    uint32_t slot_bytes; /* 16 where a value may be a v128: then all slots are aligned to as many */
    uint32_t fixed_bytes, most_height, frame_position, unwind_fixups;
    uint32_t outgoing_bytes; /* for arguments that go by the stack: most of all calls, or where each makes room, of this one */
    uint32_t area_bytes; /* for results of callees that no register holds; such an area is the caller's */
    int32_t area_offset, area_pointer_offset; /* of ours for callees, and of the pointer to our caller's */

    uint32_t height, flushed; /* values below flushed are in slots or constants */
    bool is_dead;
    uint32_t dead_depth;
    uint32_t opcode, offset; /* of the current instruction */
    uint32_t target;         /* 1 + local that the result goes into, or 0 */
    uint32_t last_row_offset, last_row;
    uint8_t last_row_trap;
} wop_function;

static inline wop_value *wop_values(wop_function *fn)
{
    return fn->values.data;
}

static inline wop_local *wop_locals(wop_function *fn)
{
    return fn->locals.data;
}

static inline wop_label *wop_labels(wop_function *fn)
{
    return fn->labels.data;
}

static inline wop_label *wop_label_at(wop_function *fn, uint32_t depth)
{
    return &wop_labels(fn)[fn->labels.count - 1 - depth];
}

static inline bool wop_is_vector(uint8_t type)
{
    return type >= WA_F32;
}

static inline bool wop_is_wide(uint8_t type)
{
    return type == WA_I64 || type == WA_F64;
}

/* Whether an opcode throws, catches, or encloses what does. */
static inline bool wop_has_exceptions(uint32_t opcode)
{
    return (opcode >= WA_OP_TRY && opcode <= WA_OP_THROW_REF) || opcode == WA_OP_DELEGATE || opcode == WA_OP_CATCH_ALL ||
           opcode == WA_OP_TRY_TABLE;
}

static inline uint32_t wop_text_offset(const wop_function *fn)
{
    return fn->unit->text.count;
}

/* convention.c: types, arguments, results. */
typedef struct {
    uint32_t integers, vectors, stack; /* how many of each are taken; stack: in 8 bytes */
    bool spills;                       /* what no register holds goes through the store's operands, not by the stack */
} wop_arguments;
enum { WA_SLOT_BYTES = 8, WA_VECTOR_BYTES = 16, WA_OPERAND_BYTES = 16, WA_FUEL_BYTES = 8 };
uint8_t wop_type_of(uint8_t letter);
bool wop_has_vectors(wop_types types);
wop_types wop_params_of(const wa_onepass_module *module, uint32_t type);
wop_types wop_results_of(const wa_onepass_module *module, uint32_t type);
wop_register wop_next_argument(wop_arguments *taken, uint8_t type, int32_t *stack_offset);
void wop_move_all(wop_function *fn, wop_move_to *moves, uint32_t count);
typedef struct {
    uint32_t floats, end; /* how many came, and where the area for all of them ends so far */
} wop_returned;
wop_returned wop_first_result(const wa_onepass_module *module);
uint8_t wop_next_result(wop_returned *taken, uint8_t letter, int32_t *area_offset);
bool wop_returns_in_memory(const wa_onepass_module *module, wop_types results);
uint32_t wop_area_size_bytes(const wa_onepass_module *module, wop_types results);
void wop_load_digest(wop_function *fn, wop_register to, uint32_t canonical);
void wop_load_fixed(wop_function *fn, wop_register to, uint32_t table);
void wop_load_outward(wop_function *fn, wop_register to, uint32_t canonical);
bool wop_spills_results(const wa_onepass_module *module, wop_types results);
bool wop_has_area(const wa_onepass_module *module, wop_types results, bool is_own);
wop_arguments wop_leading_arguments(const wa_onepass_module *module, wop_types results, bool is_own);
bool wop_spills(const wa_onepass_module *module, uint32_t type);

/* memory.c: what an access names, and where it goes. */
typedef struct {
    uint32_t memory;
    uint64_t offset;
} wop_argument;
wop_argument wop_read_argument(wop_function *fn);
wop_operand wop_effective(wop_function *fn, const wop_value *address, uint32_t height, wop_argument at, uint32_t size_bytes);

/* scan.c: what the body uses, and whether it can be compiled here. */
bool wop_scan(wop_function *fn);
void wop_skip_immediate(wop_reader *reader, uint32_t opcode);
void wop_skip_locals(wop_reader *reader);
uint32_t wop_read_opcode(wop_reader *reader);

/* frame.c: homes of locals, prologue and epilogue. */
void wop_assign_homes(wop_function *fn);
void wop_prologue(wop_function *fn);
void wop_leave_frame(wop_function *fn);
void wop_epilogue(wop_function *fn);
void wop_finish_frame(wop_function *fn);

/* stack.c: values and registers. */
void wop_push_register(wop_function *fn, uint8_t type, wop_register reg);
void wop_push_constant(wop_function *fn, uint8_t type, uint64_t bits);
void wop_push_vector(wop_function *fn, uint64_t low, uint64_t high);
void wop_push_local(wop_function *fn, uint32_t local);
void wop_push_comparison(wop_function *fn, uint8_t condition);
void wop_push_slot(wop_function *fn, uint8_t type);
wop_value wop_pop(wop_function *fn);
wop_register wop_allocate(wop_function *fn, bool is_vector, wop_set avoid);
void wop_take(wop_function *fn, wop_register reg);
wop_operand wop_operand_of(wop_function *fn, const wop_value *value, uint32_t height);
wop_register wop_to_register(wop_function *fn, const wop_value *value, uint32_t height);
void wop_load_value(wop_function *fn, wop_register to, const wop_value *value, uint32_t height);
void wop_store_value(wop_function *fn, wop_operand to, const wop_value *value, uint32_t height);
wop_register wop_own(wop_function *fn, const wop_value *value, uint32_t height);
wop_register wop_destination(wop_function *fn, uint8_t type, const wop_value *reused);
void wop_finish(wop_function *fn, uint8_t type, wop_register reg);
void wop_finish_from(wop_function *fn, uint8_t type, wop_register reg);
void wop_settle_local(wop_function *fn, uint32_t local);
void wop_flush(wop_function *fn, uint32_t forced_height);
void wop_drop_to(wop_function *fn, uint32_t height);
bool wop_is_small(const wop_value *value);

/* fixups.c */
void wop_add_fixup(wop_function *fn, uint32_t *list);

/* jumps.c */
void wop_join(wop_function *fn, uint32_t *list, uint32_t other);
void wop_bind(wop_function *fn, uint32_t *list);
uint32_t *wop_landing(wop_function *fn, uint32_t label_count);

/* control.c */
void wop_open_function(wop_function *fn);
void wop_open_block(wop_function *fn, uint8_t kind);
void wop_leave_block(wop_function *fn);
void wop_enter_again(wop_function *fn, uint32_t *list);
void wop_end_block(wop_function *fn);
void wop_branch(wop_function *fn, wop_label *label);
void wop_die(wop_function *fn);
void wop_control(wop_function *fn);
bool wop_skip_dead(wop_function *fn);

/* sizes.c */
bool wop_is_inline(uint64_t size_bytes);
uint64_t wop_struct_bytes(const wa_onepass_module *module, const wa_onepass_subtype *of);
uint64_t wop_array_bytes(const wa_onepass_module *module, const wa_onepass_subtype *of, uint32_t length);
bool wop_replaces_objects(const wa_onepass_module *module, uint32_t opcode, wop_reader ahead);
bool wop_makes_inline(const wa_onepass_module *module, uint32_t opcode, wop_reader ahead);

/* casts.c */
uint32_t wop_read_heap(wop_reader *reader);
bool wop_is_function_type(const wa_onepass_module *module, uint32_t heap);
uint8_t wop_test_type(wop_function *fn, wop_register reference, uint32_t heap, bool takes_null);
wop_register wop_keep_reference(wop_function *fn);
void wop_cast(wop_function *fn);

/* exceptions.c */
bool wop_is_exception(wop_function *fn);
void wop_exception(wop_function *fn);

/* rows.c */
void wop_add_row(wop_function *fn, uint8_t trap);

/* traps.c: traps, code behind the end. */
void wop_trap(wop_function *fn, uint8_t trap);
void wop_trap_if(wop_function *fn, uint8_t condition, uint8_t trap);
wop_stub *wop_add_stub(wop_function *fn);
void wop_stubs_out(wop_function *fn);

/* calls.c */
void wop_resolve_if(wop_function *fn, uint8_t condition, wop_register result, wop_register index, size_t call, uint32_t number);
void wop_return_here(wop_function *fn);
void wop_note_if(wop_function *fn, uint8_t condition, wop_operand place);
void wop_call(wop_function *fn);
void wop_call_indirect(wop_function *fn);
void wop_call_reference(wop_function *fn);
void wop_pass_arguments(wop_function *fn, uint32_t type, bool is_own, wop_register context_base, int32_t context_offset);
void wop_imported_record(wop_function *fn, uint32_t func_index);
wop_callee wop_indexed_callee(wop_function *fn, uint32_t *type);
wop_callee wop_referenced_callee(wop_function *fn, uint32_t *type);
wop_register wop_import_slot(wop_function *fn, uint32_t func_index, int32_t *offset);
void wop_call_runtime(wop_function *fn, size_t call, const uint32_t *numbers, uint32_t number_count, uint32_t value_count,
                     uint8_t result);
void wop_return_values(wop_function *fn);
void wop_return_portion(wop_function *fn);

/* fuel.c */
bool wop_ends_fuel_block(uint32_t opcode);
void wop_charge_block(wop_function *fn, uint32_t more);
void wop_charge_count(wop_function *fn);
void wop_keep_growth(wop_function *fn);
void wop_charge_growth(wop_function *fn, uint32_t height, uint8_t type);

/* tailcalls.c */
void wop_tail_call(wop_function *fn);

enum { WA_NO_RESULT = 0xff };
/* Number of a runtime call. */
#define WA_CALL_INDEX(name) (offsetof(struct wa_schema_calls, name) / sizeof(void *))

/* Operators, by family. */
void wop_integer(wop_function *fn);
void wop_float(wop_function *fn);
void wop_convert(wop_function *fn);
void wop_variable(wop_function *fn);
void wop_access(wop_function *fn);
void wop_vector(wop_function *fn);
void wop_bulk(wop_function *fn);
void wop_atomic(wop_function *fn);
void wop_wide_arithmetic(wop_function *fn);
void wop_object(wop_function *fn);

wop_register wop_instance(wop_function *fn);

#endif
