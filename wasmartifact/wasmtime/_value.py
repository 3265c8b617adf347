"""Val: a value with its type; and how values cross between the face and the package."""

from __future__ import annotations

from _operator import is_  # not operator, which is a file of Python

from wasmartifact.wasmtime._closing import check_type, wasmtime_error
from wasmartifact.wasmtime._extern import wrap

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    from wasmartifact.wasmtime._types import ValType

_BITS: Final = {"i32": 32, "i64": 64}


class Val:
    """A value of WebAssembly with its type; `i32` and its like make one.

    Calls take and give plain Python values. A Val serves where a null needs a type, and in programs that make them.
    """

    __slots__ = ("__weakref__", "_name", "_val")

    def __init__(self, kind: str, val: Any) -> None:
        self._name = kind
        self._val = val

    @classmethod
    def i32(cls, val: int) -> Val:
        """An integer of 32 bits, which wraps around."""
        return cls("i32", _wrapped(val, 32))

    @classmethod
    def i64(cls, val: int) -> Val:
        """An integer of 64 bits, which wraps around."""
        return cls("i64", _wrapped(val, 64))

    @classmethod
    def f32(cls, val: float) -> Val:
        """A floating-point number, rounded to 32 bits."""
        check_type(val, float, "a float")
        from struct import pack, unpack

        try:
            return cls("f32", unpack("<f", pack("<f", val))[0])
        except OverflowError:
            return cls("f32", float("inf") if val > 0 else float("-inf"))

    @classmethod
    def f64(cls, val: float) -> Val:
        """A floating-point number of 64 bits."""
        check_type(val, float, "a float")
        return cls("f64", float(val))

    @classmethod
    def externref(cls, extern: Any | None) -> Val:
        """Any object of Python; None is null."""
        return cls("externref", extern)

    @classmethod
    def funcref(cls, f: Any | None) -> Val:
        """A function; None is null."""
        return cls("funcref", f)

    @classmethod
    def ref_null(cls, ty: ValType) -> Val:
        """Make the null of a reference type; WasmtimeError for another type."""
        from wasmartifact.wasmtime._types import ValType

        if isinstance(ty, ValType) and ty._name in ("externref", "funcref"):
            return cls(ty._name, None)
        raise wasmtime_error(f"Invalid reference type for `ref_null`: {ty}")

    @property
    def value(self) -> Any:
        """The plain Python value."""
        return self._val

    @property
    def type(self) -> ValType:
        """The type."""
        from wasmartifact.wasmtime._types import ValType

        return ValType._of(self._name)

    def as_i32(self) -> int | None:
        """The value of an i32, else None."""
        return self._val if self._name == "i32" else None

    def as_i64(self) -> int | None:
        """The value of an i64, else None."""
        return self._val if self._name == "i64" else None

    def as_f32(self) -> float | None:
        """The value of an f32, else None."""
        return self._val if self._name == "f32" else None

    def as_f64(self) -> float | None:
        """The value of an f64, else None."""
        return self._val if self._name == "f64" else None

    def as_externref(self) -> Any | None:
        """The object of an externref, else None."""
        return self._val if self._name == "externref" else None

    def as_funcref(self) -> Any | None:
        """The function of a funcref, else None."""
        return self._val if self._name == "funcref" else None

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Val):
            return bool(self._name == other._name and self._val == other._val)
        return bool(self._val == other)

    def __hash__(self) -> int:
        return hash(self._val)

    def __repr__(self) -> str:
        return f"Val({self._name}, {self._val!r})"

    # What the package asks numbers for: a Val crosses like the number that it holds.

    def __index__(self) -> int:
        if self._name not in _BITS:
            raise TypeError(f"a Val of type {self._name} is no int")
        return int(self._val)

    def __float__(self) -> float:
        if self._name not in ("f32", "f64"):
            raise TypeError(f"a Val of type {self._name} is no float")
        return float(self._val)


def _wrapped(value: int, bits: int) -> int:
    check_type(value, int, "an integer")
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def to_native(name: str, value: Any) -> Any:
    """A value as the package takes it; an integer that is too large wraps around.

    Raises
    ------
    TypeError
        It is a Val or a plain value of another type.
    """
    if isinstance(value, Val):
        if value._name != name:
            raise TypeError(f"wrong type of `Val` provided: expected {name}, found {value._name}")
        value = value._val
    if name in _BITS:
        return _fitting(name, value)
    if name == "funcref" and value is not None:
        native = getattr(value, "_native", None)
        if native is None or not callable(native):
            raise TypeError(f"don't know how to convert {value!r} to {name}")
        return native
    return value


def _fitting(name: str, value: Any) -> Any:
    """A value, wrapped around where it is an integer too large for its type: wasmtime-py cuts its upper bits off."""
    bits = _BITS.get(name)
    if bits is None or not isinstance(value, int) or -(1 << (bits - 1)) <= value < 1 << bits:
        return value
    return _wrapped(value, bits)


def fitting(names: tuple[str, ...], values: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """Arguments with the integers wrapped around that are too large for their types; None where all fit."""
    wrapped = tuple(map(_fitting, names, values))
    return None if len(values) != len(names) or all(map(is_, wrapped, values)) else wrapped


def from_native(name: str, value: Any) -> Any:
    """A value of the package as wasmtime-py gives it to Python."""
    if name == "funcref" and value is not None:
        return wrap(value)
    return value


def is_plain(names: tuple[str, ...]) -> bool:
    """Whether values of all these types are the same on both sides."""
    return all(name in ("i32", "i64", "f32", "f64", "v128") for name in names)


def calling(native: Callable[..., Any], params: tuple[str, ...], results: tuple[str, ...]) -> Callable[..., Any]:
    """What calls a function of the package with values of wasmtime-py."""
    if is_plain(params) and is_plain(results):
        return native if len(results) < 2 else lambda *arguments: list(native(*arguments))

    def call(*arguments: Any) -> Any:
        if len(arguments) == len(params):  # else the package says so
            arguments = tuple(map(to_native, params, arguments))
        found = native(*arguments)
        if len(results) < 2:
            return from_native(results[0], found) if results else None
        return list(map(from_native, results, found))

    return call


def serving(
    callable: Callable[..., Any], params: tuple[str, ...], results: tuple[str, ...], leading: int
) -> Callable[..., Any]:
    """What the package calls, of a callable with values of wasmtime-py; leading arguments pass as they are."""
    if is_plain(params) and is_plain(results):
        return callable

    def serve(*arguments: Any) -> Any:
        given = callable(*arguments[:leading], *map(from_native, params, arguments[leading:]))
        if len(results) == 1:
            return to_native(results[0], given)
        return given if not results or len(given) != len(results) else tuple(map(to_native, results, given))

    return serve
