"""Types of what modules import and export, as users see them: value types are texts. Equal types are equal objects.

A row of the metadata and an object of a running instance give the same type, so both can be compared. A value type that
is written with an index, such as ``(ref 3)``, means something in its own module only.
"""

from __future__ import annotations

from wasmartifact.record import NamedTuple

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self


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

_PLAIN = frozenset(("i32", "i64", "f32", "f64", "v128", "funcref", "externref", "exnref"))


def value_types(names: Iterable[str]) -> tuple[str, ...]:
    """The names of value types, each in its short form: ``(ref null func)`` is "funcref".

    Raises
    ------
    TypeError
        A text where a list of texts is wanted.
    ValueError
        No such value type.
    """
    if isinstance(names, str):
        raise TypeError(f'expected a list of value types such as ["i32"], found the string {names!r}')
    return tuple([str(name) if name in _PLAIN else _short(name) for name in names])


def _short(name: str) -> str:
    from wasmartifact.wasm.types import valtype_from_name, valtype_name

    return valtype_name(valtype_from_name(name))
