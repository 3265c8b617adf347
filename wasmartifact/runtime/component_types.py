"""Python's values of component types: classes for records, variants, enums and flags.

They are made when the first value of a type crosses, or when somebody asks for them. A record is a tuple whose fields
have names, a case of a variant an object with a ``value``, an enum's members are strings, flags are ints.
"""

from __future__ import annotations

from wasmartifact.constants import COMPONENT_KINDS

TYPE_CHECKING = False  # importing typing costs more than a load
if TYPE_CHECKING:
    from typing import Any, Generic

    from typing_extensions import TypeVar

    _T_co = TypeVar("_T_co", covariant=True, default=Any)

    class _Of(Generic[_T_co]):
        """What checkers know the type of a value of."""
else:
    _T_co = None

    class _Of:
        """What checkers know the type of a value of."""

        __slots__ = ()
        __class_getitem__ = classmethod(type(list[int]))


class _Wrapper(_Of[_T_co]):
    """An object that holds one value."""

    __slots__ = ("value",)
    __match_args__ = ("value",)

    def __init__(self, value: _T_co = None) -> None:  # type: ignore[assignment]  # None where there is no type
        self.value = value

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.value == self.value

    def __hash__(self) -> int:
        return hash((type(self), self.value))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'' if self.value is None else repr(self.value)})"


class Ok(_Wrapper[_T_co]):
    """The good outcome of a ``result`` that is part of another value; a function that gives one just returns its value.

    Parameters
    ----------
    value : object
        What it holds; None where the type has none.

    Examples
    --------
    >>> wa.Ok(3) == wa.Ok(3), wa.Ok()
    (True, Ok())
    """

    __slots__ = ()


class Some(_Wrapper[_T_co]):
    """A value of an ``option`` whose own value is an ``option`` again: ``Some(None)`` is not ``None``.

    Parameters
    ----------
    value : object
        What it holds.

    Examples
    --------
    >>> wa.Some(None).value is None
    True
    """

    __slots__ = ()


class Err(Exception, _Of[_T_co]):
    """The bad outcome of a ``result``: raised by functions that give one, a value where it is part of another value.

    A host function raises it, too, where its type is a ``result``.

    Parameters
    ----------
    value : object
        What it holds; None where the type has none.
    """

    __match_args__ = ("value",)

    def __init__(self, value: _T_co = None) -> None:  # type: ignore[assignment]  # None where there is no type
        super().__init__(value)
        self.value = value

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.value == self.value

    def __hash__(self) -> int:
        return hash((type(self), repr(self.value)))

    def __repr__(self) -> str:
        return f"Err({'' if self.value is None else repr(self.value)})"


WRAPPERS = (Ok, Err, Some)


def snake(name: str) -> str:
    """A kebab-case name as a Python name: ``from-utf8`` becomes ``from_utf8``; keywords get an underscore."""
    result = name.replace("-", "_")
    if not result.isidentifier() or result in _KEYWORDS:
        result += "_"
    return result


def camel(name: str) -> str:
    """A kebab-case name as the name of a class: ``output-stream`` becomes ``OutputStream``, ``none`` ``None_``."""
    result = "".join(word[:1].upper() + word[1:] for word in name.split("-")) or "Anonymous"
    return result + "_" if result in _KEYWORDS else result


_KEYWORDS = frozenset((
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def",
    "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda",
    "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
))  # fmt: skip


def make_face(component: Any, row: int) -> tuple[Any, ...]:
    """What C needs for values of a type; see ``native/python/component/values.c``."""
    kind, items = component._rows[row]
    names = [name for name, _ in items]
    title = camel(component._type_name(row))
    face: tuple[Any, ...] = _MAKERS[kind](title, names, component._module_name)
    return face


def _make_record(title: str, names: list[str], module: str) -> tuple[Any, ...]:
    from wasmartifact.record import NamedTuple

    attributes = tuple(snake(name) for name in names)
    namespace = {"__annotations__": dict.fromkeys(attributes, "object"), "__module__": module}
    made = type(NamedTuple)(title, (NamedTuple,), namespace)  # type: ignore[misc]
    return made, attributes, tuple(names)


def _make_variant(title: str, names: list[str], module: str) -> tuple[Any, ...]:
    base = type(title, (_Wrapper,), {"__slots__": (), "__module__": module})
    classes = []
    cases: dict[Any, int] = {}
    for number, name in enumerate(names):
        case = type(camel(name), (base,), {"__slots__": (), "__module__": module, "case": name})
        case.__qualname__ = f"{title}.{camel(name)}"
        setattr(base, camel(name), case)
        classes.append(case)
        cases[case] = cases[name] = number
    return base, cases, tuple(classes)


def _make_enum(title: str, names: list[str], module: str) -> tuple[Any, ...]:
    from enum import Enum

    members = [(snake(name).upper(), name) for name in names]
    made: Any = Enum(title, members, module=module, type=str)  # type: ignore[misc]
    values = tuple(made)
    numbers: dict[Any, int] = dict(zip(names, range(len(names)), strict=True))
    numbers.update(zip(values, range(len(names)), strict=True))
    return made, numbers, values


def _make_flags(title: str, names: list[str], module: str) -> tuple[Any, ...]:
    from enum import IntFlag

    members = [(snake(name).upper(), 1 << bit) for bit, name in enumerate(names)]
    made: Any = IntFlag(title, members, module=module)  # type: ignore[misc]
    bits: dict[Any, int] = {name: bit for bit, name in enumerate(names)}
    bits.update((member, bit) for bit, member in enumerate(made))
    return made, bits


_MAKERS: dict[int, Any] = {
    COMPONENT_KINDS.index("record"): _make_record,
    COMPONENT_KINDS.index("variant"): _make_variant,
    COMPONENT_KINDS.index("enum"): _make_enum,
    COMPONENT_KINDS.index("flags"): _make_flags,
}
#: Kinds of types that have a class of their own.
HAS_FACE = frozenset(_MAKERS)


def plain_type(kind: int, parts: list[Any]) -> Any:
    """What values of other types are, as annotations have it."""
    name = COMPONENT_KINDS[kind]
    if name == "list":
        numbers = {int: memoryview, float: memoryview}
        return numbers.get(parts[0], list[parts[0]])  # type: ignore[valid-type]
    if name == "tuple":
        return tuple[tuple(parts)]  # type: ignore[misc]
    if name == "option":
        return parts[0] | None
    return _PLAIN.get(name, object)


_PLAIN: dict[str, Any] = {
    "bool": bool, "f32": float, "f64": float, "char": str, "string": str, "result": object,
    **dict.fromkeys(("s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64"), int),
}  # fmt: skip
