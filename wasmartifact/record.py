"""NamedTuple without its cost: typing's own needs typing, collections, functools and re, which take longer than a load.

A class is written as with ``typing.NamedTuple``, and that is what type checkers take it for.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing is what this avoids
if TYPE_CHECKING:
    from typing import NamedTuple as NamedTuple  # noqa: PLC0414
else:
    from _collections import _tuplegetter  # what the fields of namedtuple are

    class _RecordType(type):
        """Makes the annotated names of a class its fields, and their values the defaults."""

        def __new__(mcls, name, bases, namespace):
            namespace.setdefault("__slots__", ())
            fields = tuple(namespace.get("__annotations__", ()))
            if fields:  # else a record with more methods
                namespace["_fields"] = namespace["__match_args__"] = fields
                namespace["_field_defaults"] = {field: namespace[field] for field in fields if field in namespace}
                # Before there is a class: to set attributes of one costs more than to make it.
                namespace.update({field: _tuplegetter(index, None) for index, field in enumerate(fields)})
            return super().__new__(mcls, name, bases, namespace)

    class NamedTuple(tuple, metaclass=_RecordType):
        """A tuple whose items have names; see `typing.NamedTuple`."""

        _fields = ()
        _field_defaults = {}  # noqa: RUF012

        def __new__(cls, *values, **named):
            fields = cls._fields
            if named or len(values) != len(fields):
                values = complete(cls, values, named)
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

    def complete(cls, values, named):
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
