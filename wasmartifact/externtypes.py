"""Types of what modules import and export, as users see them: value types are texts. Equal types are equal objects.

A row of the metadata and an object of a running instance give the same type, so both can be compared. A value type that
is written with an index, such as ``(ref 3)``, means something in its own module only.
"""

from __future__ import annotations

from wasmartifact.constants import (
    HEAP_ABSTRACT,
    HEAP_TYPES,
    VALTYPE_EXNREF,
    VALTYPE_EXTERNREF,
    VALTYPE_F32,
    VALTYPE_F64,
    VALTYPE_FUNCREF,
    VALTYPE_I8,
    VALTYPE_I16,
    VALTYPE_I32,
    VALTYPE_I64,
    VALTYPE_REF,
    VALTYPE_REF_NULL,
    VALTYPE_V128,
)
from wasmartifact.record import NamedTuple

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final, Self


class _Function(NamedTuple):
    """The fields of a FuncType."""

    params: tuple[str, ...]
    results: tuple[str, ...]


class FuncType(_Function):
    """Type of a function.

    Parameters
    ----------
    params, results : iterable of str
        Value types by name, such as ``["i32", "f64"]``.

    Attributes
    ----------
    params, results : tuple[str, ...]
        The same.

    Raises
    ------
    TypeError
        A text where a list of texts is wanted: ``("i32")`` is one, ``("i32",)`` is not.
    ValueError
        No such value type.

    Examples
    --------
    >>> str(FuncType(["i32", "i32"], ["i64"]))
    '(i32, i32) -> i64'
    """

    __slots__ = ()

    def __new__(cls, params: Iterable[str], results: Iterable[str]) -> Self:
        return super().__new__(cls, value_types(params), value_types(results))

    def __str__(self) -> str:
        results = ", ".join(self.results)
        return f"({', '.join(self.params)}) -> {results if len(self.results) == 1 else f'({results})'}"


class MemoryType(NamedTuple):
    """Type of a memory: sizes in pages of ``page_size_bytes``; ``max_pages`` None where there is none."""

    min_pages: int
    max_pages: int | None
    shared: bool
    memory64: bool
    page_size_bytes: int


class TableType(NamedTuple):
    """Type of a table: sizes in elements; ``max`` None where there is none."""

    element: str
    min: int
    max: int | None
    shared: bool
    table64: bool


class GlobalType(NamedTuple):
    """Type of a global."""

    type: str
    mutable: bool


class TagType(NamedTuple):
    """Type of an exception tag."""

    params: tuple[str, ...]


ExternType = FuncType | MemoryType | TableType | GlobalType | TagType

# --------------------------------------------------------------------------------------------------------------------
# Names of value types

_NUMBER_NAMES: Final = {
    VALTYPE_I32: "i32",
    VALTYPE_I64: "i64",
    VALTYPE_F32: "f32",
    VALTYPE_F64: "f64",
    VALTYPE_V128: "v128",
}
#: What fields and elements can hold beside values.
_PACKED_NAMES: Final = {VALTYPE_I8: "i8", VALTYPE_I16: "i16"}
_HEAP_NAMES: Final = {code: name for name, code in HEAP_TYPES.items()}
#: References with a short name of their own; ``nullref`` and its like are what the text format calls the bottom types.
_SHORT_NAMES: Final = {
    VALTYPE_FUNCREF: "funcref",
    VALTYPE_EXTERNREF: "externref",
    VALTYPE_EXNREF: "exnref",
    **{VALTYPE_REF_NULL | HEAP_TYPES[heap] << 8: f"{heap}ref" for heap in ("any", "eq", "i31", "struct", "array")},
    VALTYPE_REF_NULL | HEAP_TYPES["none"] << 8: "nullref",
    VALTYPE_REF_NULL | HEAP_TYPES["noextern"] << 8: "nullexternref",
    VALTYPE_REF_NULL | HEAP_TYPES["nofunc"] << 8: "nullfuncref",
    VALTYPE_REF_NULL | HEAP_TYPES["noexn"] << 8: "nullexnref",
}
_VALTYPE_NAMES: Final = _NUMBER_NAMES | _SHORT_NAMES
_VALTYPE_BY_NAME: Final = {name: code for code, name in _VALTYPE_NAMES.items()}


def is_valtype(code: int, type_count: int) -> bool:
    """Whether a u32 is the code of a value type, in a module with this many types."""
    if code in _NUMBER_NAMES:
        return True
    heap = code >> 8
    return code & 0xFF in (VALTYPE_REF, VALTYPE_REF_NULL) and (heap < type_count or heap in _HEAP_NAMES)


def is_storage(code: int, type_count: int) -> bool:
    """Whether a u32 is the code of what a field can hold."""
    return code in _PACKED_NAMES or is_valtype(code, type_count)


def storage_name(code: int) -> str:
    """Name of what a field holds: of a value type, "i8" or "i16"."""
    return _PACKED_NAMES.get(code) or valtype_name(code)


def valtype_name(valtype: int) -> str:
    """Name of a value type as in the text format: "i32", "funcref", "(ref null func)" as "funcref", "(ref 3)"."""
    if (name := _VALTYPE_NAMES.get(valtype)) is not None:
        return name
    heap = valtype >> 8
    null = "null " if valtype & 0xFF == VALTYPE_REF_NULL else ""
    return f"(ref {null}{_HEAP_NAMES.get(heap, heap)})"


def valtype_from_name(name: str) -> int:
    """Value type of a name; the inverse of ``valtype_name``, and long forms of short names are known too.

    Raises
    ------
    TypeError
        It is no text.
    ValueError
        The text names no value type.
    """
    if not isinstance(name, str):
        raise TypeError(f'expected the name of a value type such as "i32", found {name!r}')
    if (valtype := _VALTYPE_BY_NAME.get(name)) is not None:
        return valtype
    words = name.strip().removeprefix("(").removesuffix(")").split()
    nullable = len(words) == 3 and words[1] == "null"
    if words and words[0] == "ref" and (nullable or len(words) == 2):
        heap = HEAP_TYPES.get(words[-1])
        if heap is None and words[-1].isascii() and words[-1].isdigit() and int(words[-1]) < HEAP_ABSTRACT:
            heap = int(words[-1])
        if heap is not None:
            return (VALTYPE_REF_NULL if nullable else VALTYPE_REF) | heap << 8
    raise ValueError(f"{name!r} is no value type; expected {', '.join(_VALTYPE_BY_NAME)} or (ref null? heap_type)")


def value_types(names: Iterable[str]) -> tuple[str, ...]:
    """The names of value types, each in its short form: ``(ref null func)`` is "funcref".

    Raises
    ------
    TypeError
        A text where a list of texts is wanted, or something else in it.
    ValueError
        No such value type.
    """
    if isinstance(names, str) or not hasattr(type(names), "__iter__"):
        found = f"the string {names!r}" if isinstance(names, str) else type(names).__name__
        raise TypeError(f'expected a list of value types such as ["i32"], found {found}')
    return tuple([str(name) if name in _VALTYPE_BY_NAME else valtype_name(valtype_from_name(name)) for name in names])
