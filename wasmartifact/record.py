"""NamedTuple and frozen dataclasses without their cost.

Those of the library need typing, collections, functools, re and inspect, which take longer than a load. A class is
written as with ``typing.NamedTuple``, or over `Frozen` as with ``dataclass(frozen=True, slots=True)``; that is what
type checkers take it for.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing is what this avoids
if TYPE_CHECKING:
    from typing import NamedTuple as NamedTuple  # noqa: PLC0414
    from typing import dataclass_transform

    @dataclass_transform(frozen_default=True)
    class Frozen:
        """An immutable object with the annotated names of its class as attributes.

        One whose class was made with ``eq=False`` equals itself only.
        """

        __slots__ = ()

        def __init_subclass__(cls, *, eq: bool = True) -> None: ...

else:
    from _collections import _tuplegetter  # what the fields of namedtuple are

    class _RecordType(type):
        """Makes the annotated names of a class its fields, and their values the defaults."""

        def __new__(mcls, name, bases, namespace):
            namespace.setdefault("__slots__", ())
            cls = super().__new__(mcls, name, bases, namespace)
            fields = tuple(cls.__annotations__)
            if fields:  # else a record with more methods
                cls._fields = cls.__match_args__ = fields
                cls._field_defaults = {field: namespace[field] for field in fields if field in namespace}
                for index, field in enumerate(fields):
                    setattr(cls, field, _tuplegetter(index, None))
            return cls

    class NamedTuple(tuple, metaclass=_RecordType):
        """A tuple whose items have names; see `typing.NamedTuple`."""

        _fields = ()
        _field_defaults = {}  # noqa: RUF012

        def __new__(cls, *values, **named):
            if named or len(values) != len(cls._fields):
                values = _complete(cls, values, named)
            return tuple.__new__(cls, values)

        @classmethod
        def _make(cls, values):
            return cls(*values)

        def _asdict(self):
            return dict(zip(self._fields, self, strict=True))

        def _replace(self, **named):
            return type(self)(**{**self._asdict(), **named})

        def __getnewargs__(self):
            return tuple(self)

        def __repr__(self):
            fields = ", ".join(f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
            return f"{type(self).__name__}({fields})"

    def _complete(cls, values, named):
        """All values in order: those given in order, those given by name, the defaults."""
        fields, name = cls._fields, cls.__name__
        if len(values) > len(fields):
            raise TypeError(f"{name} takes {len(fields)} values, found {len(values)}")
        found = {**cls._field_defaults, **dict(zip(fields, values, strict=False))}
        for field, value in named.items():
            if field not in fields:
                raise TypeError(f"{name} has no field {field!r}; expected {', '.join(fields)}")
            if field in fields[: len(values)]:
                raise TypeError(f"{name} got two values for {field!r}")
            found[field] = value
        if missing := [field for field in fields if field not in found]:
            raise TypeError(f"{name} lacks a value for {', '.join(missing)}")
        return [found[field] for field in fields]

    class _FrozenType(type):
        """Makes the annotated names of a class its slots, behind those of its base, and their values the defaults."""

        def __new__(mcls, name, bases, namespace, *, eq=True):
            fields = tuple(namespace.get("__annotations__", ()))
            defaults = {field: namespace.pop(field) for field in fields if field in namespace}
            namespace["__slots__"] = fields
            if not eq:
                namespace.update(__eq__=object.__eq__, __hash__=object.__hash__)
            cls = super().__new__(mcls, name, bases, namespace)
            base = bases[0] if bases else None
            cls._fields = cls.__match_args__ = (*getattr(base, "_fields", ()), *fields)
            cls._field_defaults = {**getattr(base, "_field_defaults", {}), **defaults}
            cls._setters = (*getattr(base, "_setters", ()), *[vars(cls)[field].__set__ for field in fields])
            return cls

    class Frozen(metaclass=_FrozenType):
        """An immutable object with the annotated names of its class as attributes."""

        def __init__(self, *values, **named):
            if named or len(values) != len(self._fields):
                values = _complete(type(self), values, named)
            for put, value in zip(self._setters, values, strict=True):
                put(self, value)

        def _values(self):
            return tuple([getattr(self, field) for field in self._fields])

        def __eq__(self, other):
            return self._values() == other._values() if type(other) is type(self) else NotImplemented

        def __hash__(self):
            return hash(self._values())

        def __setattr__(self, name, value):
            raise AttributeError(f"{type(self).__name__} is immutable: found a value for {name!r}")

        def __delattr__(self, name):
            raise AttributeError(f"{type(self).__name__} is immutable: {name!r} can't be deleted")

        def __getstate__(self):
            return self._values()

        def __setstate__(self, values):
            for put, value in zip(self._setters, values, strict=True):
                put(self, value)

        def __repr__(self):
            fields = ", ".join(f"{field}={getattr(self, field)!r}" for field in self._fields)
            return f"{type(self).__name__}({fields})"
