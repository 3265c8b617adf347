"""Table, Global and Tag: exported by an instance, or made by the host to be imported.

Those of guests take nothing of cffi, whose import takes as long as ten of ours; a host that makes some imports it then.
"""

from __future__ import annotations

from wasmartifact import _types as types
from wasmartifact.constants import (
    KIND_GLOBAL,
    KIND_TABLE,
    KIND_TAG,
    LIMITS_64,
    LIMITS_HAS_MAX,
    LIMITS_SHARED,
    MAX_TABLE_ELEMENTS,
    NONE_U64,
)
from wasmartifact.externtypes import GlobalType, TableType, TagType, valtype_from_name, value_types

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, Final, Self

_TABLE_LIMIT: Final = 2**32 - 1


def _is_reference(valtype: int) -> bool:
    return valtype > 0xFF  # a heap type stands above the low byte


class Table(types.Entity):
    """A table of references: table[i], table[i] = value, len(table), iteration.

    Parameters
    ----------
    type : str
        Reference type of the elements, such as "funcref".
    min : int
        Size at the start, in elements.
    max : int, optional
        Size beyond which it doesn't grow.
    init : Func | object, optional
        What the elements start as; None is null.

    Raises
    ------
    ValueError
        No reference type, or sizes that make no table.
    TypeError
        ``init`` is no value of the type.

    Examples
    --------
    >>> table = wa.Table("funcref", 2)
    >>> table[0] = wa.Func(print, ["i32"])
    >>> table[0](5)
    5
    >>> table.grow(1), len(table), table[2] is None
    (2, 3, True)
    """

    __slots__ = ()

    def __new__(cls, type: str, min: int, max: int | None = None, init: object = None) -> Self:
        """Make a table of the host."""
        valtype = valtype_from_name(type)
        if not _is_reference(valtype):
            raise ValueError(f'a table holds references such as "funcref" or "externref", not {type}')
        for name, number in (("min", min), ("max", max)):
            if not isinstance(number, int) and (name == "min" or number is not None):
                from wasmartifact.arguments import wrong_type

                raise wrong_type(f"{name} of a table", number, "an int")
        if not 0 <= min <= (_TABLE_LIMIT if max is None else max) <= _TABLE_LIMIT:
            raise ValueError(f"a table of {min} to {max} elements; expected 0 <= min <= max <= {_TABLE_LIMIT}")
        from wasmartifact._native import ffi, lib

        error = ffi.new("wa_error *")
        flags = 0 if max is None else LIMITS_HAS_MAX
        native = lib.wa_table_new(valtype, 0, NONE_U64 if max is None else max, flags, 0, error)
        if not native:
            from wasmartifact.runtime.native_errors import raise_native_error

            raise_native_error(error)
        table = super().__new__(cls, KIND_TABLE, _address_of(native), None)
        table.grow(min, init)
        return table

    def __len__(self) -> int:
        return types.table_type(self)[1]

    def __getitem__(self, index: int) -> Any:
        """The element: a Func, any object, or None for null. Raises IndexError outside of the table."""
        return types.table_get(self, index)

    def __setitem__(self, index: int, value: object) -> None:
        """Store an element. Raises IndexError outside of the table, TypeError for another type."""
        types.table_set(self, index, value)

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))

    def __repr__(self) -> str:
        return f"<Table of {len(self)} {self.type.element}>"

    def grow(self, delta: int, init: object = None) -> int:
        """Add elements.

        Parameters
        ----------
        delta : int
            How many.
        init : Func | object, optional
            What they start as; None is null.

        Returns
        -------
        int
            Size before, in elements.

        Raises
        ------
        ValueError
            The maximum, the limit of 10,000,000 elements, or `Limits` of the store don't allow it; the table stays as
            it was.
        """
        if delta < 0:
            raise ValueError(f"a table can't grow by {delta} elements")
        old = types.table_grow(self, delta, init)
        if old < 0:
            limit = self.type.max
            if limit is not None and len(self) + delta > limit:
                words = f"its maximum is {limit}"
            elif len(self) + delta > MAX_TABLE_ELEMENTS:
                words = f"no table holds more than {MAX_TABLE_ELEMENTS:,}"
            else:
                words = f"the store's {self.store.limits or 'memory'} does not allow it"
            raise ValueError(f"a table of {len(self)} elements can't grow by {delta}; {words}")
        return old

    @property
    def type(self) -> TableType:
        """Element type, current size, maximum."""
        element, size, limit, flags = types.table_type(self)
        maximum = limit if flags & LIMITS_HAS_MAX else None
        return TableType(element, size, maximum, bool(flags & LIMITS_SHARED), bool(flags & LIMITS_64))


class Global(types.Entity):
    """A global variable.

    Parameters
    ----------
    type : str
        Value type, such as "i32".
    value : object
        What it starts as; converted as an argument of a call is.
    mutable : bool
        Whether its value can change.

    Raises
    ------
    TypeError, OverflowError
        The value does not fit the type.
    ValueError
        No such type.

    Examples
    --------
    >>> counter = wa.Global("i64", 41, mutable=True)
    >>> counter.value += 1
    >>> counter.value, counter.type
    (42, GlobalType(type='i64', mutable=True))
    """

    __slots__ = ()

    def __new__(cls, type: str, value: object, *, mutable: bool = False) -> Self:
        """Make a global of the host."""
        from wasmartifact._native import lib

        native = lib.wa_global_new(valtype_from_name(type), bool(mutable), bytes(16))
        if not native:
            raise MemoryError("no memory for a global")
        made = super().__new__(cls, KIND_GLOBAL, _address_of(native), None)
        types.global_set(made, value)
        return made

    @property
    def value(self) -> Any:
        """The value now. Setting it raises AttributeError where the global is immutable."""
        return types.global_get(self)

    @value.setter
    def value(self, value: object) -> None:
        if not self.type.mutable:
            raise AttributeError(f"this global of type {self.type.type} is immutable; make it with mutable=True")
        types.global_set(self, value)

    @property
    def type(self) -> GlobalType:
        """Value type and mutability."""
        return GlobalType(*types.global_type(self))

    def __repr__(self) -> str:
        return f"<Global {'mut ' if self.type.mutable else ''}{self.type.type} = {self.value!r}>"


def _address_of(pointer: object) -> int:
    """Address of a cffi pointer, as `types` takes it."""
    from wasmartifact._native import ffi

    return int(ffi.cast("uintptr_t", pointer))


class Tag(types.Entity):
    """A tag: the identity and the parameter types of a kind of exception.

    Parameters
    ----------
    params : iterable of str
        Types of the values that an exception of this tag carries.

    Raises
    ------
    TypeError
        ``params`` is a string, or holds something else than strings.
    ValueError
        No such type.

    Examples
    --------
    >>> tag = wa.Tag(["i32"])
    >>> wa.WasmException(tag, [7]).values
    (7,)
    """

    __slots__ = ()

    def __new__(cls, params: Iterable[str] = ()) -> Self:
        """Make a tag of the host."""
        from wasmartifact._native import lib
        from wasmartifact.wasm.types import func_type_digest

        codes = [valtype_from_name(name) for name in value_types(params)]
        native = lib.wa_tag_new(func_type_digest(codes, ()), codes, len(codes))
        if not native:
            raise MemoryError("no memory for a tag")
        return super().__new__(cls, KIND_TAG, _address_of(native), None)

    @property
    def params(self) -> tuple[str, ...]:
        """Types of the values that an exception of this tag carries."""
        return types.tag_params(self)

    @property
    def type(self) -> TagType:
        """The same as a type, to be compared with what the metadata says."""
        return TagType(self.params)
