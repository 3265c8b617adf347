/* The first look at a body: which locals it uses and how often, whether it calls, and whether all of it is compiled here. */
#include "machine.h"

enum {
    MOST_LOCALS = 50000, /* what validators allow */
    LOOP_WEIGHT = 8,     /* a loop runs so often, for all that is known */
    MOST_WEIGHT = 512,
    MOST_TOTAL = 1 << 28,
    PREFIX_BASE = 0xfb,
};

/* 1 + kind of immediate, by index of the opcode; 0: there is no such opcode. */
#define ROW_INDEX(code) ((code) < 256 ? (code) : ((code) >> 16) - PREFIX_BASE + 1) * ((code) < 256 ? 1 : WA_ONEPASS_SUBCODES) + ((code) < 256 ? 0 : (code) & 0xffff)
#define ROW(name, code, kind) [ROW_INDEX(code)] = 1 + WA_IMMEDIATE_##kind,
static const uint8_t immediates[WA_ONEPASS_PREFIXES * WA_ONEPASS_SUBCODES] = {WA_OPCODES(ROW)};

/* Place of an opcode in tables; 0, which is unreachable's, where it has none. */
static uint32_t opcode_index(uint32_t opcode)
{
    if (opcode < 256)
        return opcode;
    uint32_t sub = opcode & 0xffff;
    return sub < WA_ONEPASS_SUBCODES ? ((opcode >> 16) - PREFIX_BASE + 1) * WA_ONEPASS_SUBCODES + sub : 0;
}

uint32_t wop_read_opcode(wop_reader *reader)
{
    uint32_t opcode = wop_read_byte(reader);
    if (opcode < PREFIX_BASE || opcode == 0xff)
        return opcode;
    uint32_t sub = wop_read_u32(reader);
    return opcode << 16 | (sub < WA_ONEPASS_SUBCODES ? sub : WA_ONEPASS_SUBCODES - 1);
}

/* A value type, or a block's: references to a heap type have that behind them. */
static void skip_type(wop_reader *reader)
{
    int64_t type = wop_read_signed(reader);
    if (type == WA_REF_NULL_CODE || type == WA_REF_CODE)
        wop_read_signed(reader);
}

static void skip_catches(wop_reader *reader)
{
    uint32_t count = wop_read_u32(reader);
    for (; count > 0 && !reader->has_failed; count--) {
        if (wop_read_byte(reader) < WA_CATCH_ALL)
            wop_read_u32(reader);
        wop_read_u32(reader);
    }
}

static void skip_memory_argument(wop_reader *reader)
{
    uint32_t alignment = wop_read_u32(reader);
    if (alignment & 0x40)
        wop_read_u32(reader);
    wop_read_u64(reader);
}

void wop_skip_immediate(wop_reader *reader, uint32_t opcode)
{
    if (opcode == WA_ONEPASS_ELEMENT_SET) {
        wop_read_u32(reader);
        return;
    }
    switch (immediates[opcode_index(opcode)] - 1) {
    case WA_IMMEDIATE_NONE:
    case WA_IMMEDIATE_END:
    case WA_IMMEDIATE_ELSE:
        return;
    case WA_IMMEDIATE_INDEX:
    case WA_IMMEDIATE_CATCH:
    case WA_IMMEDIATE_DELEGATE:
        wop_read_u32(reader);
        return;
    case WA_IMMEDIATE_INDEX_PAIR:
        wop_read_u32(reader);
        wop_read_u32(reader);
        return;
    case WA_IMMEDIATE_I32:
    case WA_IMMEDIATE_I64:
    case WA_IMMEDIATE_HEAP:
        wop_read_signed(reader);
        return;
    case WA_IMMEDIATE_F32:
        wop_skip(reader, 4);
        return;
    case WA_IMMEDIATE_F64:
        wop_skip(reader, 8);
        return;
    case WA_IMMEDIATE_MEMARG:
        skip_memory_argument(reader);
        return;
    case WA_IMMEDIATE_BLOCK:
        skip_type(reader);
        return;
    case WA_IMMEDIATE_TRY_TABLE:
        skip_type(reader);
        skip_catches(reader);
        return;
    case WA_IMMEDIATE_BR_CAST:
        wop_read_byte(reader);
        wop_read_u32(reader);
        wop_read_signed(reader);
        wop_read_signed(reader);
        return;
    case WA_IMMEDIATE_SELECT:
        for (uint32_t count = wop_read_u32(reader); count > 0 && !reader->has_failed; count--)
            skip_type(reader);
        return;
    case WA_IMMEDIATE_BR_TABLE:
        for (uint64_t count = (uint64_t)wop_read_u32(reader) + 1; count > 0 && !reader->has_failed; count--)
            wop_read_u32(reader);
        return;
    case WA_IMMEDIATE_MEMARG_LANE:
        skip_memory_argument(reader);
        wop_read_byte(reader);
        return;
    case WA_IMMEDIATE_ZERO:
    case WA_IMMEDIATE_LANE:
        wop_read_byte(reader);
        return;
    case WA_IMMEDIATE_V128:
    case WA_IMMEDIATE_SHUFFLE:
        wop_skip(reader, 16);
        return;
    default:
        reader->has_failed = true;
    }
}

/* The declaration of locals, with which a code entry begins. */
void wop_skip_locals(wop_reader *reader)
{
    for (uint32_t runs = wop_read_u32(reader); runs > 0 && !reader->has_failed; runs--) {
        wop_read_u32(reader);
        skip_type(reader);
    }
}

static bool is_atomic(uint32_t opcode)
{
    return opcode >= WA_OP_MEMORY_ATOMIC_NOTIFY && opcode <= WA_OP_I64_ATOMIC_RMW32_CMPXCHG_U;
}

static bool is_access(uint32_t opcode)
{
    return (opcode >= WA_OP_I32_LOAD && opcode <= WA_OP_I64_STORE32) || (is_atomic(opcode) && opcode != WA_OP_ATOMIC_FENCE) ||
           (opcode >= WA_OP_V128_LOAD && opcode <= WA_OP_V128_STORE) ||
           (opcode >= WA_OP_V128_LOAD8_LANE && opcode <= WA_OP_V128_LOAD64_ZERO);
}

static bool is_bulk(uint32_t opcode)
{
    return opcode >= WA_OP_MEMORY_INIT && opcode <= WA_OP_TABLE_FILL;
}

static bool is_vector(uint32_t opcode)
{
    return opcode >> 16 == WA_OP_V128_LOAD >> 16;
}

/* Whether this folder compiles an operator. */
static bool is_compiled(uint32_t opcode)
{
    if (immediates[opcode_index(opcode)] == 0)
        return false;
    if (opcode < 256)
        return opcode <= WA_OP_RETURN_CALL_REF || wop_has_exceptions(opcode) || (opcode >= WA_OP_DROP && opcode <= WA_OP_TABLE_SET) ||
               (opcode >= WA_OP_I32_LOAD && opcode <= WA_OP_BR_ON_NON_NULL);
    return (opcode >= WA_OP_STRUCT_NEW && opcode <= WA_OP_I31_GET_U) ||
           (opcode >= WA_OP_I32_TRUNC_SAT_F32_S && opcode <= WA_OP_I64_TRUNC_SAT_F64_U) || is_bulk(opcode) || is_atomic(opcode) ||
           is_vector(opcode) || (opcode >= WA_OP_I64_ADD128 && opcode <= WA_OP_I64_MUL_WIDE_U);
}

static bool is_call(uint32_t opcode)
{
    return (opcode >= WA_OP_CALL && opcode <= WA_OP_RETURN_CALL_REF) || opcode == WA_OP_MEMORY_GROW || wop_has_exceptions(opcode) ||
           opcode == WA_OP_REF_FUNC || opcode == WA_OP_TABLE_GET || opcode == WA_OP_TABLE_SET ||
           (is_bulk(opcode) && opcode != WA_OP_TABLE_SIZE) || opcode == WA_ONEPASS_ELEMENT_SET ||
           (opcode >= WA_OP_ARRAY_FILL && opcode <= WA_OP_ARRAY_INIT_ELEM);
}

static bool makes_object(uint32_t opcode)
{
    return opcode == WA_OP_STRUCT_NEW || opcode == WA_OP_STRUCT_NEW_DEFAULT ||
           (opcode >= WA_OP_ARRAY_NEW && opcode <= WA_OP_ARRAY_NEW_ELEM);
}

static bool is_cast(uint32_t opcode)
{
    return opcode >= WA_OP_REF_TEST && opcode <= WA_OP_BR_ON_CAST_FAIL;
}

/* The type that a cast looks for. */
static uint32_t cast_heap(uint32_t opcode, wop_reader ahead)
{
    if (opcode >= WA_OP_BR_ON_CAST) {
        wop_read_byte(&ahead);
        wop_read_u32(&ahead);
        wop_read_heap(&ahead);
    }
    return wop_read_heap(&ahead);
}

/* Whether an operator waits or notifies at a shared memory, which the runtime does. */
static bool waits(const wop_function *fn, uint32_t opcode, wop_reader ahead)
{
    if (opcode < WA_OP_MEMORY_ATOMIC_NOTIFY || opcode > WA_OP_MEMORY_ATOMIC_WAIT64)
        return false;
    uint32_t memory = wop_read_u32(&ahead) & 0x40 ? wop_read_u32(&ahead) : 0;
    return memory < fn->module->memory_count && fn->module->memories[memory].is_shared;
}

static void add_weight(uint32_t *total, uint32_t weight)
{
    if (*total < MOST_TOTAL)
        *total += weight;
}

/* Whether a block type is an index. */
static bool has_type_index(const uint8_t *at)
{
    return (*at & 0x40) == 0 || (*at & 0x80) != 0;
}

/* The controls around the current operator: 1 for a loop. Weight of what is inside. */
static uint32_t scan_nesting(wop_function *fn, uint32_t opcode, uint32_t weight)
{
    uint8_t *controls = fn->controls.data;
    if ((opcode >= WA_OP_BLOCK && opcode <= WA_OP_IF) || opcode == WA_OP_TRY || opcode == WA_OP_TRY_TABLE) {
        bool deepens = opcode == WA_OP_LOOP && weight < MOST_WEIGHT;
        if (fn->module->has_fuel)
            add_weight(&fn->portion_weight, deepens ? weight * LOOP_WEIGHT : weight);
        wop_push_u8(&fn->controls, deepens);
        fn->has_loops |= opcode == WA_OP_LOOP;
        if (fn->reader.at < fn->reader.end && has_type_index(fn->reader.at))
            fn->unit->has_typed_blocks = true;
        return deepens ? weight * LOOP_WEIGHT : weight;
    }
    if ((opcode == WA_OP_END || opcode == WA_OP_DELEGATE) && fn->controls.count > 0 && controls[--fn->controls.count])
        return weight / LOOP_WEIGHT;
    return weight;
}

/* Room for results of a callee that no register holds. */
static void note_area(wop_function *fn, uint32_t opcode, wop_reader *ahead)
{
    const wa_onepass_module *module = fn->module;
    if (opcode != WA_OP_CALL && opcode != WA_OP_CALL_INDIRECT && opcode != WA_OP_CALL_REF)
        return;
    uint32_t index = wop_read_u32(ahead);
    if (index >= (opcode == WA_OP_CALL ? module->function_count : module->type_count)) {
        fn->reader.has_failed = true;
        return;
    }
    bool is_own = opcode == WA_OP_CALL && index >= module->imported_functions;
    wop_types results = wop_results_of(module, opcode == WA_OP_CALL ? module->function_types[index] : index);
    fn->has_vectors |= wop_has_vectors(results);
    uint32_t size_bytes = wop_has_area(module, results, is_own) ? wop_area_size_bytes(module, results) : 0;
    if (size_bytes > fn->area_bytes)
        fn->area_bytes = size_bytes;
}

static bool is_vector_global(const wop_function *fn, uint32_t index)
{
    return index < fn->module->global_count && wop_type_of(fn->module->globals[index].letter) == WA_V128;
}

static void note_tag(wop_function *fn, uint32_t tag)
{
    if (tag < fn->module->tag_count)
        fn->has_vectors |= wop_has_vectors(wop_params_of(fn->module, fn->module->tag_types[tag]));
}

/* Whether what an object holds is a vector. */
static void note_field(wop_function *fn, uint32_t opcode, wop_reader ahead)
{
    const wa_onepass_module *module = fn->module;
    uint32_t type = wop_read_u32(&ahead), field = opcode <= WA_OP_STRUCT_SET ? wop_read_u32(&ahead) : 0;
    if (type < module->subtype_count && field < module->subtypes[type].field_count)
        fn->has_vectors |= wop_type_of(module->fields[module->subtypes[type].first_field + field].letter) == WA_V128;
}

/* Whether values of exceptions that the operator throws or catches are vectors. */
static void note_tags(wop_function *fn, uint32_t opcode, wop_reader *ahead)
{
    if (opcode == WA_OP_THROW || opcode == WA_OP_CATCH)
        note_tag(fn, wop_read_u32(ahead));
    if (opcode != WA_OP_TRY_TABLE)
        return;
    skip_type(ahead);
    for (uint32_t count = wop_read_u32(ahead); count > 0 && !ahead->has_failed; count--) {
        if (wop_read_byte(ahead) < WA_CATCH_ALL)
            note_tag(fn, wop_read_u32(ahead));
        wop_read_u32(ahead);
    }
}

static void scan_operator(wop_function *fn, uint32_t opcode, uint32_t weight)
{
    wop_reader ahead = fn->reader;
    fn->has_vectors |= is_vector(opcode);
    if (opcode >= WA_OP_LOCAL_GET && opcode <= WA_OP_LOCAL_TEE) {
        uint32_t index = wop_read_u32(&ahead);
        if (index >= fn->local_count) {
            fn->reader.has_failed = true;
            return;
        }
        wop_local *local = wop_locals(fn) + index;
        add_weight(&local->weight, weight);
        local->is_assigned |= opcode != WA_OP_LOCAL_GET;
    } else if (waits(fn, opcode, ahead)) {
        fn->has_calls = true;
        add_weight(&fn->call_weight, weight);
        add_weight(&fn->instance_weight, weight);
    } else if (is_access(opcode)) {
        bool is_first = (wop_read_u32(&ahead) & 0x40) == 0 || wop_read_u32(&ahead) == 0;
        if (is_first)
            add_weight(&fn->base_weight, weight);
        if (!is_first || (fn->module->memory_count > 0 && fn->module->memories[0].is_checked))
            add_weight(&fn->instance_weight, weight);
    } else if (wop_replaces_objects(fn->module, opcode, ahead) ||
               (makes_object(opcode) && wop_makes_inline(fn->module, opcode, ahead))) {
        /* What a call changes is kept when there is one. */
        fn->has_calls = true;
        add_weight(&fn->instance_weight, weight);
    } else if (is_call(opcode) || makes_object(opcode)) {
        fn->has_calls = true;
        fn->has_rethrows |= opcode == WA_OP_RETHROW;
        note_area(fn, opcode, &ahead);
        note_tags(fn, opcode, &ahead);
        add_weight(&fn->call_weight, weight);
        add_weight(&fn->instance_weight, weight);
    } else if (is_cast(opcode)) {
        uint32_t heap = cast_heap(opcode, ahead);
        bool calls = wop_is_function_type(fn->module, heap);
        fn->has_calls |= calls;
        add_weight(&fn->call_weight, calls ? weight : 0);
        add_weight(&fn->instance_weight, heap < WA_HEAP_ABSTRACT ? weight : 0);
    } else if ((opcode >= WA_OP_STRUCT_GET && opcode <= WA_OP_STRUCT_SET) || opcode == WA_OP_ARRAY_GET) {
        note_field(fn, opcode, ahead);
    } else if (opcode == WA_OP_GLOBAL_GET || opcode == WA_OP_GLOBAL_SET || opcode == WA_OP_MEMORY_SIZE ||
               opcode == WA_OP_TABLE_SIZE) {
        fn->has_vectors |= opcode == WA_OP_GLOBAL_GET && is_vector_global(fn, wop_read_u32(&ahead));
        add_weight(&fn->instance_weight, weight);
    }
}

/* Add the declared locals to the parameters; false: too many. */
static bool read_locals(wop_function *fn)
{
    uint32_t runs = wop_read_u32(&fn->reader);
    for (; runs > 0 && !fn->reader.has_failed; runs--) {
        uint32_t count = wop_read_u32(&fn->reader);
        static const uint8_t types[] = {WA_V128, WA_F64, WA_F32, WA_I64, WA_I32}; /* 0x7b to 0x7f */
        uint8_t code = wop_read_byte(&fn->reader);
        uint8_t type = code >= 0x7b && code <= 0x7f ? types[code - 0x7b] : WA_I64;
        if (code == 0x63 || code == 0x64)
            wop_read_signed(&fn->reader);
        fn->has_vectors |= type == WA_V128;
        if (count > MOST_LOCALS - fn->local_count || !wop_buffer_reserve(&fn->locals, count, sizeof(wop_local)))
            return false;
        for (; count > 0; count--)
            wop_locals(fn)[fn->local_count++] = (wop_local){.type = type, .home = WA_NO_REGISTER};
        fn->locals.count = fn->local_count;
    }
    return !fn->reader.has_failed;
}

/* The reader stands before the declaration of locals, and after it at the end. */
bool wop_scan(wop_function *fn)
{
    if (!read_locals(fn))
        return false;
    const uint8_t *body = fn->reader.at;
    uint32_t weight = 1;
    if (wop_spills_results(fn->module, fn->results) || fn->module->has_fuel)
        add_weight(&fn->instance_weight, weight);
    if (fn->module->has_fuel)
        add_weight(&fn->portion_weight, weight);
    fn->controls.count = 0;
    while (fn->reader.at < fn->reader.end && !fn->reader.has_failed) {
        uint32_t opcode = wop_read_opcode(&fn->reader);
        bool is_of_init = opcode == WA_ONEPASS_ELEMENT_SET && fn->unit->first == fn->module->function_count;
        if (!is_compiled(opcode) && !is_of_init)
            return false;
        fn->unit->used_opcodes[opcode_index(opcode)] = 1;
        weight = scan_nesting(fn, opcode, weight);
        scan_operator(fn, opcode, weight);
        wop_skip_immediate(&fn->reader, opcode);
    }
    bool is_whole = !fn->reader.has_failed && !fn->controls.has_failed;
    fn->reader.at = body;
    return is_whole;
}
