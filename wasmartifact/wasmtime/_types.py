"""Types of values, functions, globals, tables, memories and tags, as wasmtime-py has them."""

from __future__ import annotations

from wasmartifact import externtypes
from wasmartifact.wasmtime._closing import Managed, WrongType, check_type, wasmtime_error

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Final, Self, TypeAlias


#: How wasmtime-py prints a type that it has another name for.
_PRINTED: Final = {"externref": "anyref"}


class ValType(Managed):
    """A value type; `i32`, `i64`, `f32`, `f64`, `externref` and `funcref` make one, equal types are equal."""

    _name: str

    def __init__(self) -> None:
        raise wasmtime_error("cannot construct directly")

    @classmethod
    def _of(cls, name: str) -> ValType:
        made = cls.__new__(cls)
        made._name = name
        return made

    @classmethod
    def i32(cls) -> ValType:
        """An integer of 32 bits."""
        return cls._of("i32")

    @classmethod
    def i64(cls) -> ValType:
        """An integer of 64 bits."""
        return cls._of("i64")

    @classmethod
    def f32(cls) -> ValType:
        """A floating-point number of 32 bits."""
        return cls._of("f32")

    @classmethod
    def f64(cls) -> ValType:
        """A floating-point number of 64 bits."""
        return cls._of("f64")

    @classmethod
    def externref(cls) -> ValType:
        """Any object of Python, or null."""
        return cls._of("externref")

    @classmethod
    def funcref(cls) -> ValType:
        """A function or null."""
        return cls._of("funcref")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ValType) and self._name == other._name

    def __hash__(self) -> int:
        return hash(self._name)

    def __str__(self) -> str:
        self._check_open()
        return _PRINTED.get(self._name, self._name)

    __repr__ = __str__


def _name_of(valtype: object) -> str:
    check_type(valtype, ValType, "ValType")
    return valtype._name  # type: ignore[attr-defined, no-any-return]


class _Type(Managed):
    """Base of the types that stand for one of the package's, ``_type``."""

    _type: Any

    @classmethod
    def _of(cls, native: Any) -> Self:
        made = cls.__new__(cls)
        made._type = native
        return made


class FuncType(_Type):
    """Type of a function.

    Parameters
    ----------
    params, results : list[ValType]
    """

    _type: externtypes.FuncType

    def __init__(self, params: Iterable[ValType], results: Iterable[ValType]) -> None:
        self._type = externtypes.FuncType(
            [_name_of(param) for param in params], [_name_of(result) for result in results]
        )

    @property
    def params(self) -> list[ValType]:
        """Types of the parameters."""
        self._check_open()
        return [ValType._of(name) for name in self._type.params]

    @property
    def results(self) -> list[ValType]:
        """Types of the results."""
        self._check_open()
        return [ValType._of(name) for name in self._type.results]


class GlobalType(_Type):
    """Type of a global.

    Parameters
    ----------
    valtype : ValType
    mutable : bool
    """

    _type: externtypes.GlobalType

    def __init__(self, valtype: ValType, mutable: bool) -> None:
        self._type = externtypes.GlobalType(_name_of(valtype), bool(mutable))

    @property
    def content(self) -> ValType:
        """Type of the value."""
        self._check_open()
        return ValType._of(self._type.type)

    @property
    def mutable(self) -> bool:
        """Whether the value can change."""
        self._check_open()
        return self._type.mutable


class Limits:
    """Sizes: at the start, and at most (None: no maximum).

    Parameters
    ----------
    min : int
    max : int | None
    """

    def __init__(self, min: int, max: int | None) -> None:
        self.min = min
        self.max = max

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Limits) and (self.min, self.max) == (other.min, other.max)

    def __hash__(self) -> int:
        return hash((self.min, self.max))

    def __repr__(self) -> str:
        return f"Limits({self.min!r}, {self.max!r})"


def _checked_limits(limits: Limits, bits: int) -> Limits:
    check_type(limits, Limits, "Limits")
    for word, size in (("minimum", limits.min), ("maximum", limits.max)):
        if size is None:
            continue
        if not isinstance(size, int):
            raise WrongType(f"an int for the {word} size", size)
        if not 0 <= size < 1 << bits:
            raise wasmtime_error(f"{word} size too large" if size > 0 else f"{word} size is negative")
    return limits


def _check_bytes(limits: Limits, page_size_log2: int, bits: int) -> None:
    """Raise WasmtimeError where a memory would have more bytes than there are addresses."""
    for word, pages in (("minimum", limits.min), ("maximum", limits.max)):
        if pages is not None and pages << page_size_log2 > 1 << bits:
            raise wasmtime_error(f"{word} size of {pages} pages is more than addresses of {bits} bits reach")


class TableType(_Type):
    """Type of a table.

    Parameters
    ----------
    valtype : ValType
        Of the elements.
    limits : Limits
        In elements.
    """

    _type: externtypes.TableType

    def __init__(self, valtype: ValType, limits: Limits) -> None:
        _checked_limits(limits, 32)
        self._type = externtypes.TableType(_name_of(valtype), limits.min, limits.max, False, False)

    @property
    def element(self) -> ValType:
        """Type of the elements."""
        self._check_open()
        return ValType._of(self._type.element)

    @property
    def limits(self) -> Limits:
        """Sizes, in elements."""
        self._check_open()
        return Limits(self._type.min, self._type.max)


class MemoryType(_Type):
    """Type of a memory.

    Parameters
    ----------
    limits : Limits
        In pages.
    is_64, shared : bool
    page_size_log2 : int
        16, or 0 for pages of one byte.
    """

    _type: externtypes.MemoryType

    def __init__(self, limits: Limits, is_64: bool = False, shared: bool = False, page_size_log2: int = 16) -> None:
        _checked_limits(limits, 64 if is_64 else 32)
        if page_size_log2 not in (0, 16):
            raise wasmtime_error(
                f"page size must be 1 or 65536 bytes: page_size_log2 is 0 or 16, found {page_size_log2}"
            )
        _check_bytes(limits, page_size_log2, 64 if is_64 else 32)
        if limits.max is not None and limits.max < limits.min:
            raise wasmtime_error("maximum page size cannot be smaller than the minimum page size")
        if shared and limits.max is None:
            raise wasmtime_error("shared memories must have a maximum size")
        self._type = externtypes.MemoryType(limits.min, limits.max, bool(shared), bool(is_64), 1 << page_size_log2)

    @property
    def limits(self) -> Limits:
        """Sizes, in pages."""
        self._check_open()
        return Limits(self._type.min_pages, self._type.max_pages)

    @property
    def is_64(self) -> bool:
        """Whether addresses have 64 bits."""
        self._check_open()
        return self._type.memory64

    @property
    def is_shared(self) -> bool:
        """Whether threads may share it."""
        self._check_open()
        return self._type.shared

    @property
    def page_size(self) -> int:
        """Size of a page in bytes."""
        self._check_open()
        return self._type.page_size_bytes

    @property
    def page_size_log2(self) -> int:
        """The same, as a power of two."""
        self._check_open()
        return self._type.page_size_bytes.bit_length() - 1


class TagType(Managed):
    """Type of an exception's tag.

    Parameters
    ----------
    functype : FuncType
        Its parameters are what an exception carries. wasmtime-py takes it over: it is closed afterwards.
    """

    def __init__(self, functype: FuncType) -> None:
        check_type(functype, FuncType, "a FuncType")
        functype._check_open()
        self._functype = functype._type
        functype.close()

    @classmethod
    def _of(cls, native: externtypes.TagType) -> TagType:
        made = cls.__new__(cls)
        made._functype = externtypes.FuncType(native.params, ())
        return made

    @property
    def functype(self) -> FuncType:
        """Its parameters are what an exception carries."""
        self._check_open()
        return FuncType._of(self._functype)


AsExternType: TypeAlias = "FuncType | TableType | MemoryType | GlobalType | TagType"
_FACES: Final = {
    externtypes.FuncType: FuncType,
    externtypes.GlobalType: GlobalType,
    externtypes.TableType: TableType,
    externtypes.MemoryType: MemoryType,
    externtypes.TagType: TagType,
}


def wrap_type(native: externtypes.ExternType) -> AsExternType:
    """The type as wasmtime-py has it."""
    return _FACES[type(native)]._of(native)  # type: ignore[attr-defined, no-any-return]


class ImportType(Managed):
    """What a module imports: ``module``, ``name``, ``type``."""

    def __init__(self, module: str, name: str, type: AsExternType) -> None:
        self._names = (module, name)
        self._type = type

    @property
    def module(self) -> str:
        """Name of the module that it is imported from."""
        self._check_open()
        return self._names[0]

    @property
    def name(self) -> str | None:
        """Its name there."""
        self._check_open()
        return self._names[1]

    @property
    def type(self) -> AsExternType:
        """Its type."""
        self._check_open()
        return self._type


class ExportType(Managed):
    """What a module exports: ``name``, ``type``."""

    def __init__(self, name: str, type: AsExternType) -> None:
        self._name = name
        self._type = type

    @property
    def name(self) -> str:
        """The name that it is exported by."""
        self._check_open()
        return self._name

    @property
    def type(self) -> AsExternType:
        """Its type."""
        self._check_open()
        return self._type
