"""TrapCode: why a trap happened, with wasmtime's names and numbers."""

from __future__ import annotations

from enum import Enum


class TrapCode(Enum):
    """Why a trap happened; the numbers are those of ``wasmtime_trap_code_enum`` in wasmtime's C API, version 50."""

    STACK_OVERFLOW = 0
    MEMORY_OUT_OF_BOUNDS = 1
    HEAP_MISALIGNED = 2
    TABLE_OUT_OF_BOUNDS = 3
    INDIRECT_CALL_TO_NULL = 4
    BAD_SIGNATURE = 5
    INTEGER_OVERFLOW = 6
    INTEGER_DIVISION_BY_ZERO = 7
    BAD_CONVERSION_TO_INTEGER = 8
    UNREACHABLE = 9
    INTERRUPT = 10
    OUT_OF_FUEL = 11
    ATOMIC_WAIT_NON_SHARED_MEMORY = 12
    NULL_REFERENCE = 13
    ARRAY_OUT_OF_BOUNDS = 14
    ALLOCATION_TOO_LARGE = 15
    CAST_FAILURE = 16
    CANNOT_ENTER_COMPONENT = 17
    NO_ASYNC_RESULT = 18
    UNHANDLED_TAG = 19
    CONTINUATION_ALREADY_CONSUMED = 20
    DISABLED_OPCODE = 21
    ASYNC_DEADLOCK = 22
    CANNOT_LEAVE_COMPONENT = 23
    CANNOT_BLOCK_SYNC_TASK = 24
    INVALID_CHAR = 25
    DEBUG_ASSERT_STRING_ENCODING_FINISHED = 26
    DEBUG_ASSERT_EQUAL_CODE_UNITS = 27
    DEBUG_ASSERT_POINTER_ALIGNED = 28
    DEBUG_ASSERT_UPPER_BITS_UNSET = 29
    STRING_OUT_OF_BOUNDS = 30
    LIST_OUT_OF_BOUNDS = 31
    INVALID_DISCRIMINANT = 32
    UNALIGNED_POINTER = 33
    TASK_CANCEL_NOT_CANCELLED = 34
    TASK_CANCEL_OR_RETURN_TWICE = 35
    SUBTASK_CANCEL_AFTER_TERMINAL = 36
    TASK_RETURN_INVALID = 37
    WAITABLE_SET_DROP_HAS_WAITERS = 38
    SUBTASK_DROP_NOT_RESOLVED = 39
    THREAD_NEW_INDIRECT_INVALID_TYPE = 40
    THREAD_NEW_INDIRECT_UNINITIALIZED = 41
    BACKPRESSURE_OVERFLOW = 42
    UNSUPPORTED_CALLBACK_CODE = 43
    CANNOT_RESUME_THREAD = 44
    CONCURRENT_FUTURE_STREAM_OP = 45
    REFERENCE_COUNT_OVERFLOW = 46
    STREAM_OP_TOO_BIG = 47
    WAITABLE_SYNC_AND_ASYNC = 48
    UNCAUGHT_EXCEPTION = 49


#: Name of a trap of ours (``schema.TRAP_CODES``) -> what wasmtime calls it.
TRAP_CODES = {
    "unreachable": TrapCode.UNREACHABLE,
    "memory_out_of_bounds": TrapCode.MEMORY_OUT_OF_BOUNDS,
    "table_out_of_bounds": TrapCode.TABLE_OUT_OF_BOUNDS,
    "undefined_element": TrapCode.TABLE_OUT_OF_BOUNDS,
    "uninitialized_element": TrapCode.INDIRECT_CALL_TO_NULL,
    "indirect_call_type_mismatch": TrapCode.BAD_SIGNATURE,
    "integer_divide_by_zero": TrapCode.INTEGER_DIVISION_BY_ZERO,
    "integer_overflow": TrapCode.INTEGER_OVERFLOW,
    "invalid_conversion_to_integer": TrapCode.BAD_CONVERSION_TO_INTEGER,
    "stack_exhausted": TrapCode.STACK_OVERFLOW,
    "null_reference": TrapCode.NULL_REFERENCE,
    "null_function_reference": TrapCode.NULL_REFERENCE,
    "null_structure_reference": TrapCode.NULL_REFERENCE,
    "null_array_reference": TrapCode.NULL_REFERENCE,
    "null_i31_reference": TrapCode.NULL_REFERENCE,
    "unaligned_atomic": TrapCode.HEAP_MISALIGNED,
    "expected_shared_memory": TrapCode.ATOMIC_WAIT_NON_SHARED_MEMORY,
    "interrupted": TrapCode.INTERRUPT,
    "cast_failure": TrapCode.CAST_FAILURE,
    "array_out_of_bounds": TrapCode.ARRAY_OUT_OF_BOUNDS,
    "null_exception_reference": TrapCode.NULL_REFERENCE,
    "out_of_memory": TrapCode.ALLOCATION_TOO_LARGE,
    "deadline_exceeded": TrapCode.INTERRUPT,
    "out_of_fuel": TrapCode.OUT_OF_FUEL,
}
