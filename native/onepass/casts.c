/* Tests and casts of references (spec section 4.4.5): by the low bits of a value, then by the type of the object. All ways of a test
 * meet with the answer in the flags. codegen/casts.py is the same for LLVM. */
#include "machine.h"

enum { SLOT_BYTES = 8 };

/* A type index, or one of WA_HEAP_*. */
uint32_t wop_read_heap(wop_reader *reader)
{
    int64_t heap = wop_read_signed(reader);
    return heap >= 0 ? (uint32_t)heap : WA_HEAP_ABSTRACT | (uint32_t)(heap & 0x7f);
}

bool wop_is_function_type(const wa_onepass_module *module, uint32_t heap)
{
    return heap < WA_HEAP_ABSTRACT && (heap >= module->subtype_count || module->subtypes[heap].kind == WA_TYPE_FUNC);
}

/* The reference on top of the stack, which stays there, in a register. */
wop_register wop_keep_reference(wop_function *fn)
{
    wop_value value = wop_pop(fn);
    wop_register reg = wop_to_register(fn, &value, fn->height);
    if (value.place == WA_LOCAL)
        wop_push_local(fn, value.local);
    else
        wop_push_register(fn, WA_I64, reg);
    return reg;
}

static void compare_with_itself(wop_function *fn, wop_register reference)
{
    wop_arithmetic(fn, WA_CMP, true, reference, wop_reg(reference));
}

static void test_null(wop_function *fn, wop_register reference)
{
    wop_test(fn, true, reference);
}

/* Null jumps to a list, with flags of EQUAL where it is taken, else of NOT_EQUAL. */
static void sort_out_null(wop_function *fn, wop_register reference, bool takes_null, uint32_t *tested)
{
    if (takes_null) {
        test_null(fn, reference);
        wop_jump_if(fn, EQUAL, tested);
    } else { /* only null is below 1, and differs from it */
        wop_arithmetic_constant(fn, WA_CMP, true, wop_reg(reference), 1);
        wop_jump_if(fn, BELOW, tested);
    }
}

/* Compare the type of an object, whose address is in the scratch register, with one of the module; rtts: those of the module. */
static void compare_type(wop_function *fn, uint32_t heap, wop_register rtts, uint32_t *tested)
{
    const wa_onepass_subtype *wanted = &fn->module->subtypes[heap];
    if (!wanted->is_final) {
        if (wanted->depth >= WA_RTT_DISPLAY_MIN) { /* what is no subtype may have no such place; below differs from it */
            wop_operand depth = wop_memory(WA_SCRATCH, offsetof(struct wa_schema_rtt, depth));
            wop_arithmetic_constant(fn, WA_CMP, false, depth, (int32_t)wanted->depth);
            wop_jump_if(fn, BELOW, tested);
        }
        int32_t place = (int32_t)(sizeof(struct wa_schema_rtt) + SLOT_BYTES * wanted->depth);
        wop_load(fn, WA_I64, WA_SCRATCH, wop_memory(WA_SCRATCH, place));
    }
    wop_arithmetic(fn, WA_CMP, true, WA_SCRATCH, wop_memory(rtts, (int32_t)(SLOT_BYTES * heap)));
}

/* Flags of EQUAL where the reference is one of such objects. */
static void test_object(wop_function *fn, wop_register reference, uint32_t heap, bool takes_null)
{
    uint32_t tested = 0;
    wop_register rtts = WA_NO_REGISTER;
    if (heap < WA_HEAP_ABSTRACT) {
        wop_register instance = wop_instance(fn);
        rtts = fn->instance == WA_NO_REGISTER ? instance : wop_allocate(fn, false, 0);
        wop_load(fn, WA_I64, rtts, wop_memory(instance, offsetof(struct wa_schema_instance, rtts)));
    }
    sort_out_null(fn, reference, takes_null, &tested);
    wop_test_bits(fn, reference, WA_REFERENCE_TAGS);
    wop_jump_if(fn, NOT_EQUAL, &tested);
    wop_load(fn, WA_I64, WA_SCRATCH, wop_memory(reference, 0));
    if (heap < WA_HEAP_ABSTRACT)
        compare_type(fn, heap, rtts, &tested);
    else
        wop_arithmetic_constant(fn, WA_CMP, false, wop_memory(WA_SCRATCH, offsetof(struct wa_schema_rtt, kind)),
                                heap == WA_HEAP_ARRAY ? WA_TYPE_ARRAY : WA_TYPE_STRUCT);
    wop_bind(fn, &tested);
}

/* The runtime knows functions' types. */
static void test_function(wop_function *fn, wop_register reference, uint32_t type, bool takes_null)
{
    uint32_t tested = 0;
    wop_register matches = wop_allocate(fn, false, 0);
    sort_out_null(fn, reference, takes_null, &tested);
    wop_resolve_if(fn, takes_null ? NOT_EQUAL : ABOVE_EQUAL, matches, reference, WA_CALL_INDEX(function_matches), type);
    wop_arithmetic_constant(fn, WA_CMP, false, wop_reg(matches), 1);
    wop_bind(fn, &tested);
}

static void test_number(wop_function *fn, wop_register reference, bool takes_null)
{
    uint32_t tested = 0;
    sort_out_null(fn, reference, takes_null, &tested);
    wop_move(fn, false, WA_SCRATCH, reference);
    wop_arithmetic_constant(fn, WA_AND, false, wop_reg(WA_SCRATCH), WA_REFERENCE_I31);
    wop_arithmetic_constant(fn, WA_CMP, false, wop_reg(WA_SCRATCH), WA_REFERENCE_I31);
    wop_bind(fn, &tested);
}

/* All but handles of the embedder. */
static void test_equatable(wop_function *fn, wop_register reference, bool takes_null)
{
    uint32_t tested = 0;
    sort_out_null(fn, reference, takes_null, &tested);
    wop_test_bits(fn, reference, WA_REFERENCE_HANDLE);
    wop_bind(fn, &tested);
}

/* Whether a reference, which a value on the stack has in a register, is of a type: the condition that tells, in the flags. */
uint8_t wop_test_type(wop_function *fn, wop_register reference, uint32_t heap, bool takes_null)
{
    switch (heap) {
    case WA_HEAP_ANY:
    case WA_HEAP_EXTERN:
    case WA_HEAP_FUNC:
    case WA_HEAP_EXN:
        if (takes_null)
            compare_with_itself(fn, reference);
        else
            test_null(fn, reference);
        return takes_null ? EQUAL : NOT_EQUAL;
    case WA_HEAP_NONE:
    case WA_HEAP_NOEXTERN:
    case WA_HEAP_NOFUNC:
    case WA_HEAP_NOEXN:
        if (takes_null)
            test_null(fn, reference);
        else
            compare_with_itself(fn, reference);
        return takes_null ? EQUAL : NOT_EQUAL;
    case WA_HEAP_I31:
        test_number(fn, reference, takes_null);
        return EQUAL;
    case WA_HEAP_EQ:
        test_equatable(fn, reference, takes_null);
        return EQUAL;
    default:
        if (heap < WA_HEAP_ABSTRACT && heap >= fn->module->type_count)
            fn->has_failed = true;
        else if (wop_is_function_type(fn->module, heap))
            test_function(fn, reference, heap, takes_null);
        else
            test_object(fn, reference, heap, takes_null);
        return EQUAL;
    }
}

/* ref.test and ref.cast. */
void wop_cast(wop_function *fn)
{
    bool takes_null = fn->opcode == WA_OP_REF_TEST_NULL || fn->opcode == WA_OP_REF_CAST_NULL;
    uint32_t heap = wop_read_heap(&fn->reader);
    uint8_t condition = wop_test_type(fn, wop_keep_reference(fn), heap, takes_null);
    if (fn->opcode == WA_OP_REF_CAST || fn->opcode == WA_OP_REF_CAST_NULL) {
        wop_trap_if(fn, condition ^ 1, WA_TRAP_CAST_FAILURE);
        return;
    }
    wop_pop(fn);
    wop_push_comparison(fn, condition);
}
