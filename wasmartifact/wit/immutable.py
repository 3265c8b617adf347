"""Frozen: what ``dataclass(frozen=True, slots=True)`` makes, without the imports of dataclasses.

They need inspect, re, typing and more, which takes longer than a load. Type checkers take a class over `Frozen` for
one of dataclasses.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing is what this avoids
if TYPE_CHECKING:
    from typing import dataclass_transform

    @dataclass_transform(frozen_default=True)
    class Frozen:
        """An immutable object with the annotated names of its class as attributes.

        One whose class was made with ``eq=False`` equals itself only.
        """

        __slots__ = ()

        def __init_subclass__(cls, *, eq: bool = True) -> None: ...

else:
    from wasmartifact.record import complete

    #: What mappings that nobody can change are of; types.MappingProxyType, without the import of types.
    _View = type(type.__dict__)

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
                values = complete(type(self), values, named)
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
            return tuple([dict(value) if type(value) is _View else value for value in self._values()])

        def __setstate__(self, values):
            for put, value in zip(self._setters, values, strict=True):
                put(self, _View(value) if type(value) is dict else value)

        def __repr__(self):
            fields = ", ".join(f"{field}={getattr(self, field)!r}" for field in self._fields)
            return f"{type(self).__name__}({fields})"
