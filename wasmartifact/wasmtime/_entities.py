"""Global, Table and Tag, as wasmtime-py has them."""

from __future__ import annotations

from wasmartifact.runtime import entities as native
from wasmartifact.wasmtime._closing import check_type
from wasmartifact.wasmtime._errors import WasmtimeError
from wasmartifact.wasmtime._extern import Extern, stands_for
from wasmartifact.wasmtime._func import check_limit, check_open
from wasmartifact.wasmtime._types import GlobalType, TableType, TagType
from wasmartifact.wasmtime._value import Val, from_native, to_native

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from typing import Any

    from wasmartifact.wasmtime._func import Storelike


def _given(name: str, value: Any) -> Any:
    """A value from the package; wasmtime-py gives a null as a Val, which says its type."""
    return Val(name, None) if value is None else from_native(name, value)


@stands_for(native.Global)
class Global(Extern):
    """A global variable.

    Parameters
    ----------
    store : Store
    ty : GlobalType
    val : object
        What it starts as.
    """

    __slots__ = ()
    _native: native.Global

    def __init__(self, store: Storelike, ty: GlobalType, val: Any) -> None:
        check_open(store)
        check_type(ty, GlobalType, "a GlobalType")
        name, mutable = ty._type
        self._native = native.Global(name, to_native(name, val), mutable=mutable)

    def type(self, store: Storelike) -> GlobalType:
        """Its type."""
        check_open(store)
        return GlobalType._of(self._native.type)

    def value(self, store: Storelike) -> Any:
        """Its value now; a null is a Val that equals None."""
        check_open(store)
        return _given(self._native.type.type, self._native.value)

    def set_value(self, store: Storelike, val: Any) -> None:
        """Change it; WasmtimeError where it is immutable."""
        check_open(store)
        name, mutable = self._native.type
        val = to_native(name, val)
        if not mutable:
            raise WasmtimeError("immutable global cannot be set")
        self._native.value = val


@stands_for(native.Table)
class Table(Extern):
    """A table of references.

    Parameters
    ----------
    store : Store
    ty : TableType
    init : object
        What the elements start as; None is null.
    """

    __slots__ = ()
    _native: native.Table

    def __init__(self, store: Storelike, ty: TableType, init: Any) -> None:
        check_open(store)
        check_type(ty, TableType, "a TableType")
        wanted = ty._type
        init = to_native(wanted.element, init)
        check_limit(store, "table_elements", wanted.min, "table")
        try:
            self._native = native.Table(wanted.element, wanted.min, wanted.max, init)
        except ValueError as problem:
            raise WasmtimeError(str(problem)) from None

    def type(self, store: Storelike) -> TableType:
        """Its type, with its size now for the minimum."""
        check_open(store)
        return TableType._of(self._native.type)

    def size(self, store: Storelike) -> int:
        """Its size, in elements."""
        check_open(store)
        return len(self._native)

    def grow(self, store: Storelike, amt: int, init: Any) -> int:
        """Add elements: its size before; WasmtimeError where it can't grow."""
        check_open(store)
        check_type(amt, int, "an int")
        init = to_native(self._native.type.element, init)
        check_limit(store, "table_elements", len(self._native) + amt, "table")
        try:
            return self._native.grow(amt, init)
        except ValueError:
            raise WasmtimeError(f"failed to grow table by `{amt}`") from None

    def get(self, store: Storelike, idx: int) -> Any | None:
        """An element: a Func, an object, a Val for null; None outside of the table."""
        check_open(store)
        if not 0 <= idx < len(self._native):
            return None
        return _given(self._native.type.element, self._native[idx])

    def set(self, store: Storelike, idx: int, val: Any) -> None:
        """Store an element; WasmtimeError outside of the table."""
        check_open(store)
        value = to_native(self._native.type.element, val)
        if not 0 <= idx < len(self._native):
            raise WasmtimeError("wasm trap: undefined element: out of bounds table access")
        self._native[idx] = value


@stands_for(native.Tag)
class Tag(Extern):
    """What identifies a kind of exception.

    Parameters
    ----------
    store : Store
    ty : TagType
    """

    __slots__ = ()
    _native: native.Tag

    def __init__(self, store: Storelike, ty: TagType) -> None:
        check_open(store)
        check_type(ty, TagType, "a TagType")
        if ty._functype.results:
            raise WasmtimeError(f"the type of a tag has no results, found {ty._functype}")
        self._native = native.Tag(ty._functype.params)

    def type(self, store: Storelike) -> TagType:
        """Its type."""
        check_open(store)
        return TagType._of(self._native.type)

    def eq(self, store: Storelike, other: Tag) -> bool:
        """Whether both are the same tag."""
        check_open(store)
        check_type(other, Tag, "a Tag")
        return self._native is other._native
