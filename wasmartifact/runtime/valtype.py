"""ValType: the names of the value types, for those who prefer names to strings."""

from enum import StrEnum


class ValType(StrEnum):
    """A value type; each member is the string that it stands for, so both may be given wherever a type is wanted."""

    I32 = "i32"
    I64 = "i64"
    F32 = "f32"
    F64 = "f64"
    V128 = "v128"
    FUNCREF = "funcref"
    EXTERNREF = "externref"
    EXNREF = "exnref"
