"""ValType: the names of the value types, for those who prefer names to strings."""

from enum import StrEnum


class ValType(StrEnum):
    """A value type; each member is the string that it stands for, so both may be given wherever a type is wanted.

    Attributes
    ----------
    I32, I64
        Integers of 32 and 64 bits; int in Python, signed where they come out.
    F32, F64
        Floating-point numbers of 32 and 64 bits; float in Python.
    V128
        A vector of 128 bits; bytes of length 16, lane 0 first.
    FUNCREF
        A function or null; Func or None.
    EXTERNREF
        Any object of the host, or null, which is None.
    EXNREF
        A caught exception or null; it reaches Python only as a value of a WasmException.
    """

    I32 = "i32"
    I64 = "i64"
    F32 = "f32"
    F64 = "f64"
    V128 = "v128"
    FUNCREF = "funcref"
    EXTERNREF = "externref"
    EXNREF = "exnref"
