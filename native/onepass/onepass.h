/* The one-pass compiler: machine code for function bodies of WebAssembly, each read once from front to back.
 *
 * It takes bodies of a module that a validator accepted, and gives text, address map and relocations, as LLVM's objects
 * do. What it does not compile it leaves to LLVM, function by function: both have the same convention of calls. */
#ifndef WA_ONEPASS_H
#define WA_ONEPASS_H

#include <stdint.h>

/* ---- interface (cffi reads from here) ---------------------------------------------------------------------------- */

enum {
    WA_ONEPASS_SHORT = 1,         /* flag of a function without loops and calls */
    WA_ONEPASS_PREFIXES = 5,      /* of opcodes: none, then 0xfb and so on */
    WA_ONEPASS_SUBCODES = 512,    /* opcodes of each of them */
    WA_ONEPASS_TAKE_FUEL = -1,    /* in place of the index of a function that is called */
    WA_ONEPASS_ELEMENT_SET = 0xfc01ff, /* an operator of init functions: see codegen/initbody.py */
};

/* A global; bits: its value where is_constant; high: the upper half of a v128. */
typedef struct {
    uint64_t bits, high;
    uint32_t offset; /* in the instance record: of the cell, or of the pointer to it where it is imported */
    uint8_t letter, is_imported, is_constant;
} wa_onepass_global;

typedef struct {
    uint8_t is64, is_checked, is_shared, page_log2;
} wa_onepass_memory;

/* A field of a struct, or what an array is made of. letter: of the value that it gives. has_objects: it may refer to one. */
typedef struct {
    uint32_t offset; /* from the start of the object; of an array: of its first element */
    uint8_t letter, size_bytes, has_objects;
} wa_onepass_field;

/* depth: the number of its supertypes. */
typedef struct {
    uint32_t depth, first_field, field_count;
    uint8_t kind, is_final; /* WA_TYPE_* */
} wa_onepass_subtype;

/* What bodies refer to. All pointers are borrowed for the time of a call. */
typedef struct {
    const uint8_t *letters;      /* type letters of all types: parameters, then results of each */
    const uint32_t *type_places; /* 2 * type_count + 1: where in letters parameters and results of a type start */
    const uint32_t *canonical;   /* by type: the first type that equals it */
    const uint32_t *function_types; /* may have one more than function_count, for an init function */
    const uint32_t *tag_types;
    const wa_onepass_memory *memories;
    const uint8_t *tables;       /* by table: 1 for 64-bit indices */
    const uint8_t *fixed_tables; /* by table: 1 where calls read a constant in place of it */
    const wa_onepass_global *globals;
    const wa_onepass_subtype *subtypes; /* of all types, or of none where all are plain types of functions */
    const wa_onepass_field *fields;
    uint32_t type_count, subtype_count, function_count, imported_functions, memory_count, table_count, global_count, tag_count;
    uint32_t memories_offset, tables_offset, imported_functions_offset, tags_offset; /* in the instance record */
    uint8_t has_tail_calls; /* functions call each other by the convention of such modules */
    uint8_t has_fuel;       /* a portion of it goes into and out of each function, before all else */
    uint8_t checks_exceptions, has_lzcnt, has_bmi1, has_fma, has_lse;
} wa_onepass_module;

/* Machine code of consecutive functions. The arrays belong to the struct until wa_onepass_release. */
typedef struct {
    uint8_t *text;
    uint32_t *function_offsets; /* by function, and the end of the last one; code of each ends where its size says */
    uint32_t *function_sizes;
    uint8_t *function_flags; /* WA_ONEPASS_SHORT */
    uint32_t *row_text_offsets, *row_wasm_offsets;
    uint8_t *row_traps;
    uint32_t *call_offsets, *call_functions;     /* rel32 of calls, function index: those out of reach of this text, or WA_ONEPASS_TAKE_FUEL */
    uint32_t *digest_offsets, *digest_types;     /* rel32 of addresses of type digests, canonical type */
    uint32_t *outward_offsets, *outward_types;   /* rel32 of addresses of outward trampolines, canonical type */
    uint32_t *fixed_offsets, *fixed_tables;      /* rel32 of addresses of constants that stand for tables, table index */
    uint32_t *indirect_types;                    /* canonical types of indirect calls, each once */
    uint8_t *used_opcodes;                       /* a flag for each sub-opcode of each prefix */
    uint32_t text_size_bytes, function_count, row_count, call_count, digest_count, outward_count,
        fixed_count, indirect_count;
    uint8_t has_typed_blocks;
} wa_onepass_code;

/* Compile functions up to the first that is left to LLVM, or whose code is malformed. data holds their code entries, the first
 * of which has the index first; starts and ends are offsets in data. base: wasm offset of data.
 * Returns 0, or -1 without memory. */
int wa_onepass_compile(const wa_onepass_module *module, const uint8_t *data, uint32_t base, uint32_t first, const uint32_t *starts,
                       const uint32_t *ends, uint32_t count, wa_onepass_code *code);

/* Trampolines of these types: entries, those to hosts, in modules with tail calls those from C and to C, and with fuel the function
 * that takes it. Returns as above. */
int wa_onepass_trampolines(const wa_onepass_module *module, const uint32_t *entry_types, uint32_t entry_count,
                           const uint32_t *host_types, uint32_t host_count, const uint32_t *inward_types, uint32_t inward_count,
                           const uint32_t *outward_types, uint32_t outward_count, wa_onepass_code *code);

void wa_onepass_release(wa_onepass_code *code);

/* Set a flag for each function whose shape takes LLVM more than linear time. */
void wa_onepass_find_large(const uint8_t *data, const uint32_t *starts, const uint32_t *ends, uint32_t count, uint8_t *flags);

/* Set a flag for each table, of table_count, that one of these functions may write to or grow. */
void wa_onepass_find_written_tables(const uint8_t *data, const uint32_t *starts, const uint32_t *ends, uint32_t count, uint8_t *flags,
                                    uint32_t table_count);

/* Put rows of three columns, of count items, into chunks. The arrays have room for a chunk of WA_CHUNK_ROWS rows each, one offset more than
 * that, and 15 bytes a row. Returns the size of the contents. */
uint64_t wa_onepass_pack_chunks(const uint32_t *keys, const uint32_t *values, const uint32_t *marks, uint32_t count,
                                uint32_t *chunk_keys, uint32_t *offsets, uint8_t *contents);

/* The XXH64 of some bytes: no part of compiling, but packing has no other code of its own that is not Python. */
uint64_t wa_onepass_xxh64(const uint8_t *data, uint64_t size_bytes, uint64_t seed);

/* ---- end of the interface ---------------------------------------------------------------------------------------- */

#endif
