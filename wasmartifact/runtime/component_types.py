"""Python's values of component types: classes for records, variants, enums and flags.

They are made when the first value of a type crosses, or when somebody asks for them. A record is a tuple whose fields
have names, a case of a variant an object with a ``value``, an enum's members are strings, flags are ints.
"""

from __future__ import annotations

from wasmartifact.constants import COMPONENT_KINDS, COMPONENT_SORTS

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
    """What C needs for values of a type; see ``native/python/component/values.c``.

    The classes are those of the package that was generated for the component, where there is one.
    """
    kind, items = component._type(row)
    names = [name for name, _ in items]
    given = component._package_class(_SORT_TYPE, row)
    make, face_of, labels_of = _MAKERS[kind]
    if given is None:
        given = make(camel(component._type_name(row)), names, component._module_name)
    else:
        known = labels_of(given)
        if len(known) != len(names) or any(not _is_label(*pair) for pair in zip(known, names, strict=True)):
            raise other_component(component.path)
    face: tuple[Any, ...] = face_of(given, names)
    return face


def _is_label(known: str, name: str) -> bool:
    """Whether what a class has is, but for what Python wants, a name of WIT."""
    return known.replace("-", "_").rstrip("_").upper() == name.replace("-", "_").upper()


def other_component(path: str | None) -> Exception:
    """The error for a generated package whose classes are not those of its component."""
    from wasmartifact.errors import LoadError

    words = "is not the component that this package was generated for; run `wasmartifact bindgen` again"
    return LoadError(f"{path} {words}", path=path)


def _make_record(title: str, names: list[str], module: str) -> Any:
    from wasmartifact.record import NamedTuple

    namespace = {"__annotations__": dict.fromkeys(map(snake, names), "object"), "__module__": module}
    return type(NamedTuple)(title, (NamedTuple,), namespace)  # type: ignore[misc]


def _record_face(made: Any, names: list[str]) -> tuple[Any, ...]:
    attributes: tuple[str, ...] = made.__match_args__
    if issubclass(made, tuple):
        return made, attributes, tuple(names)
    return made, attributes, tuple(names), tuple([vars(made)[attribute] for attribute in attributes])


def _make_variant(title: str, names: list[str], module: str) -> tuple[Any, ...]:
    base = type(title, (_Wrapper,), {"__slots__": (), "__module__": module})
    cases = []
    for name in names:
        case = type(camel(name), (base,), {"__slots__": (), "__module__": module, "case": name})
        case.__qualname__ = f"{title}.{camel(name)}"
        setattr(base, camel(name), case)
        cases.append(case)
    return tuple(cases)


def _variant_face(cases: tuple[Any, ...], names: list[str]) -> tuple[Any, ...]:
    numbers: dict[Any, int] = dict(zip(cases, range(len(cases)), strict=True))
    numbers.update(zip(names, range(len(cases)), strict=True))
    base = cases[0].__mro__[1]
    return cases if base is object else base, numbers, cases


def _make_enum(title: str, names: list[str], module: str) -> Any:
    from enum import Enum

    return Enum(title, [(snake(name).upper(), name) for name in names], module=module, type=str)


def _enum_face(made: Any, names: list[str]) -> tuple[Any, ...]:
    values = tuple(made)
    numbers: dict[Any, int] = dict(zip(names, range(len(names)), strict=True))
    numbers.update(zip(values, range(len(names)), strict=True))
    return made, numbers, values


def _make_flags(title: str, names: list[str], module: str) -> Any:
    from enum import IntFlag

    members = [(snake(name).upper(), 1 << bit) for bit, name in enumerate(names)]
    return IntFlag(title, members, module=module)


def _flags_face(made: Any, names: list[str]) -> tuple[Any, ...]:
    bits: dict[Any, int] = {name: bit for bit, name in enumerate(names)}
    bits.update((member, bit) for bit, member in enumerate(made))
    return made, bits


#: Of each kind that has classes: what makes them, what C needs of them, and the labels that they have.
_MAKERS: dict[int, tuple[Any, Any, Any]] = {
    COMPONENT_KINDS.index("record"): (_make_record, _record_face, lambda made: made.__match_args__),
    COMPONENT_KINDS.index("variant"): (_make_variant, _variant_face, lambda made: [case.case for case in made]),
    COMPONENT_KINDS.index("enum"): (_make_enum, _enum_face, lambda made: [member.value for member in made]),
    COMPONENT_KINDS.index("flags"): (_make_flags, _flags_face, lambda made: [member.name for member in made]),
}
_SORT_TYPE = COMPONENT_SORTS.index("type")
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
