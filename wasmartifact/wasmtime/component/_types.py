"""Types of values of components, as wasmtime-py has them, and the classes of records and variants.

Which class of Python the values of a type have decides how a variant's values look: where no two cases have one in
common, a value stands for itself, else it is a `Variant` with the case's name. So do options and results.
"""

from __future__ import annotations

from wasmartifact.wasmtime._closing import Managed
from wasmartifact.wasmtime.component._resources import ResourceAny, ResourceHost
from wasmartifact.wit import types as wit

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    from wasmartifact.wasmtime.component._resources import ResourceType


class ValType:
    """A type of values."""

    def add_classes(self, s: set[type]) -> None:
        """Add the classes that its values have in Python; ``object`` where a case has no value."""
        raise NotImplementedError(f"{type(self).__name__} has no values in Python")

    def _parts(self) -> tuple[object, ...]:
        """What tells it from other types of its class."""
        return ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ValType) and type(other) is type(self) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._parts()))})"


class Record:
    """A record; its fields are attributes, by their names in WIT: ``getattr(record, "is-odd")``.

    It equals any object that has its fields with equal values.
    """

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: Any) -> bool:
        try:
            return all(getattr(other, name) == value for name, value in vars(self).items())
        except AttributeError:
            return False

    def __repr__(self) -> str:
        return f"Record({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"


class Variant:
    """A case of a variant, an option or a result whose values don't tell the case by themselves.

    Parameters
    ----------
    tag : str
        Name of the case.
    payload : object
        Its value, None where it has none.
    """

    __match_args__ = ("tag", "payload")
    __hash__ = None  # type: ignore[assignment]
    payload: Any | None = None

    def __init__(self, tag: str, payload: Any | None = None) -> None:
        self.tag = tag
        self.payload = payload

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Variant):
            return NotImplemented
        return (self.tag, self.payload) == (other.tag, other.payload)

    def __repr__(self) -> str:
        return f"Variant(tag={self.tag!r}, payload={self.payload!r})"


# Scalars and strings ----------------------------------------------------------------------------------------------


class _Bool(ValType):
    def add_classes(self, s: set[type]) -> None:
        s.add(bool)


class _Int(ValType):
    def add_classes(self, s: set[type]) -> None:
        s.add(int)


class _Float(ValType):
    def add_classes(self, s: set[type]) -> None:
        s.add(float)


class _Str(ValType):
    def add_classes(self, s: set[type]) -> None:
        s.add(str)


class Bool(_Bool):
    """``bool``."""


class S8(_Int):
    """``s8``."""


class U8(_Int):
    """``u8``."""


class S16(_Int):
    """``s16``."""


class U16(_Int):
    """``u16``."""


class S32(_Int):
    """``s32``."""


class U32(_Int):
    """``u32``."""


class S64(_Int):
    """``s64``."""


class U64(_Int):
    """``u64``."""


class F32(_Float):
    """``f32``."""


class F64(_Float):
    """``f64``."""


class Char(_Str):
    """``char``: a str of one character."""


class String(_Str):
    """``string``."""


class ErrorContext(ValType):
    """``error-context``, which no component here has."""


_SCALARS: Final[dict[str, ValType]] = {
    made.__name__.lower(): made()
    for made in (Bool, S8, U8, S16, U16, S32, U32, S64, U64, F32, F64, Char, String)
}  # fmt: skip


# Types with parts -------------------------------------------------------------------------------------------------


class ListType(Managed, ValType):
    """``list<T>``; a list, or bytes for ``list<u8>``."""

    def __init__(self, element: ValType) -> None:
        self._element = element

    @property
    def element(self) -> ValType:
        """Type of its elements."""
        return self._element

    def _parts(self) -> tuple[object, ...]:
        return (self._element,)

    def add_classes(self, s: set[type]) -> None:
        """See `ValType.add_classes`."""
        s.add(bytes if isinstance(self._element, U8) else list)


class RecordType(Managed, ValType):
    """A record; a `Record`, or any object with such attributes."""

    def __init__(self, fields: list[tuple[str, ValType]]) -> None:
        self._fields = fields

    @property
    def fields(self) -> list[tuple[str, ValType]]:
        """Names and types of its fields."""
        return list(self._fields)

    def _parts(self) -> tuple[object, ...]:
        return tuple(self._fields)

    def add_classes(self, s: set[type]) -> None:
        """See `ValType.add_classes`."""
        s.add(Record)


class TupleType(Managed, ValType):
    """``tuple<...>``; a tuple."""

    def __init__(self, elements: list[ValType]) -> None:
        self._elements = elements

    @property
    def elements(self) -> list[ValType]:
        """Types of its elements."""
        return list(self._elements)

    def _parts(self) -> tuple[object, ...]:
        return tuple(self._elements)

    def add_classes(self, s: set[type]) -> None:
        """See `ValType.add_classes`."""
        s.add(tuple)


class EnumType(Managed, ValType):
    """An enum; a str."""

    def __init__(self, names: list[str]) -> None:
        self._names = names

    @property
    def names_count(self) -> int:
        """How many names there are."""
        return len(self._names)

    def name(self, n: int) -> str | None:
        """A name by its number, None beyond them."""
        return self._names[n] if 0 <= n < len(self._names) else None

    @property
    def names(self) -> list[str]:
        """Its names, in order."""
        return list(self._names)

    def _parts(self) -> tuple[object, ...]:
        return tuple(self._names)

    def add_classes(self, s: set[type]) -> None:
        """See `ValType.add_classes`."""
        s.add(str)


class FlagsType(Managed, ValType):
    """Flags; a set of str."""

    def __init__(self, names: list[str]) -> None:
        self._names = names

    @property
    def names(self) -> list[str]:
        """Their names, from bit 0 on."""
        return list(self._names)

    def _parts(self) -> tuple[object, ...]:
        return tuple(self._names)

    def add_classes(self, s: set[type]) -> None:
        """See `ValType.add_classes`."""
        s.add(set)


class VariantLikeType(ValType):
    """What variants, options and results have in common: cases with values or without."""

    _known_classes: frozenset[type] | None = None
    _is_tagged: bool

    def _cases(self) -> list[tuple[str, ValType | None]]:
        raise NotImplementedError

    def _case_classes(self) -> list[frozenset[type]]:
        """The classes of each case's values."""
        return [classes_of(part) for _, part in self._cases()]

    def _look(self) -> frozenset[type]:
        """The classes of its values, told once: types may share parts many times over."""
        if self._known_classes is None:
            found: frozenset[type] = frozenset()
            self._is_tagged = False
            for classes in self._case_classes():
                self._is_tagged = self._is_tagged or bool(found & classes)
                found |= classes
            self._known_classes = frozenset((Variant,)) if self._is_tagged else found
        return self._known_classes

    def _tagged(self) -> bool:
        """Whether its values are `Variant`."""
        self._look()
        return self._is_tagged

    def add_classes(self, s: set[type]) -> None:
        """See `ValType.add_classes`."""
        s.update(self._look())


def classes_of(part: ValType | None) -> frozenset[type]:
    """The classes of a case's values; ``object`` where it has none."""
    if part is None:
        return frozenset((object,))
    found: set[type] = set()
    part.add_classes(found)
    return frozenset(found)


class VariantType(Managed, VariantLikeType):
    """A variant; its value itself, or a `Variant`."""

    def __init__(self, cases: list[tuple[str, ValType | None]]) -> None:
        self._all = cases

    @property
    def cases(self) -> list[tuple[str, ValType | None]]:
        """Names of its cases, and types of their values."""
        return list(self._all)

    def _cases(self) -> list[tuple[str, ValType | None]]:
        return self._all

    def _parts(self) -> tuple[object, ...]:
        return tuple(self._all)


class OptionType(Managed, VariantLikeType):
    """``option<T>``; None or the value, or a `Variant` of ``none`` and ``some``."""

    def __init__(self, payload: ValType) -> None:
        self._payload = payload

    @property
    def payload(self) -> ValType:
        """Type of what there may be."""
        return self._payload

    def _cases(self) -> list[tuple[str, ValType | None]]:
        return [("none", None), ("some", self._payload)]

    def _parts(self) -> tuple[object, ...]:
        return (self._payload,)


class ResultType(Managed, VariantLikeType):
    """``result<T, E>``; the value of either, or a `Variant` of ``ok`` and ``err``."""

    def __init__(self, ok: ValType | None, err: ValType | None) -> None:
        self._ok = ok
        self._err = err

    @property
    def ok(self) -> ValType | None:
        """Type of what a good outcome has, None for nothing."""
        return self._ok

    @property
    def err(self) -> ValType | None:
        """Type of what a bad outcome has, None for nothing."""
        return self._err

    def _cases(self) -> list[tuple[str, ValType | None]]:
        return [("ok", self._ok), ("err", self._err)]

    def _parts(self) -> tuple[object, ...]:
        return (self._ok, self._err)


class _Asynchronous(Managed, ValType):
    """What futures and streams have in common, which no component here has."""

    def __init__(self, payload: ValType) -> None:
        self._payload = payload

    @property
    def payload(self) -> ValType:
        """Type of what comes."""
        return self._payload

    def _parts(self) -> tuple[object, ...]:
        return (self._payload,)


class FutureType(_Asynchronous):
    """``future<T>``."""


class StreamType(_Asynchronous):
    """``stream<T>``."""


class _Handle(ValType):
    """What own and borrow have in common."""

    def __init__(self, ty: ResourceType) -> None:
        self.ty = ty

    def _parts(self) -> tuple[object, ...]:
        return (self.ty,)

    def add_classes(self, s: set[type]) -> None:
        """See `ValType.add_classes`."""
        s.update((ResourceAny, ResourceHost))


class OwnType(_Handle):
    """A resource that is given for good; a `ResourceAny`, or a `ResourceHost`."""


class BorrowType(_Handle):
    """A resource that is lent for a call; a `ResourceAny`, or a `ResourceHost`."""


# From the package's types -----------------------------------------------------------------------------------------


class Types:
    """Makes each of wasmtime-py's types once, of those that the package has of a component.

    Parameters
    ----------
    resource_type : callable
        Gives the type of a resource.
    """

    def __init__(self, resource_type: Callable[[wit.Resource], ResourceType]) -> None:
        self._resource_type = resource_type
        #: By what they were made of, which is kept so that its identity stays its own.
        self._made: dict[int, tuple[wit.Type, ValType]] = {}

    def valtype(self, type_: wit.Type) -> ValType:
        """A type of values."""
        if isinstance(type_, wit.Primitive):
            return _SCALARS[type_.name]
        if id(type_) not in self._made:
            self._made[id(type_)] = (type_, self._make(type_))
        return self._made[id(type_)][1]

    def optional(self, type_: wit.Type | None) -> ValType | None:
        """A type that need not be there."""
        return None if type_ is None else self.valtype(type_)

    def resource(self, resource: wit.Resource) -> ResourceType:
        """The type of a resource."""
        return self._resource_type(resource)

    def _make(self, type_: wit.Type) -> ValType:
        if isinstance(type_, wit.Alias):
            return self.valtype(type_.type)
        if isinstance(type_, wit.Record):
            return RecordType([(field.name, self.valtype(field.type)) for field in type_.fields])
        if isinstance(type_, wit.Variant):
            return VariantType([(case.name, self.optional(case.type)) for case in type_.cases])
        if isinstance(type_, wit.Enum):
            return EnumType(list(type_.cases))
        if isinstance(type_, wit.Flags):
            return FlagsType(list(type_.flags))
        if isinstance(type_, wit.List):
            return ListType(self.valtype(type_.element))
        if isinstance(type_, wit.Tuple):
            return TupleType([self.valtype(item) for item in type_.items])
        if isinstance(type_, wit.Option):
            return OptionType(self.valtype(type_.some))
        if isinstance(type_, wit.Result):
            return ResultType(self.optional(type_.ok), self.optional(type_.err))
        if isinstance(type_, wit.Own):
            return OwnType(self.resource(type_.resource))
        if isinstance(type_, wit.Borrow):
            return BorrowType(self.resource(type_.resource))
        raise TypeError(f"{type_} is no type of values")
