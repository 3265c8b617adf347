"""Dataclasses as those of the standard library, but that they compile their ``__init__`` when it pays.

The library's compile all their methods when their module is imported: 4.5 million instructions a class. Packing has a
hundred classes, and a small module needs one object each of a few. Type checkers take these for the library's.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing, and dataclasses, is what this avoids
if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # noqa: PLC0414
    from dataclasses import field as field  # noqa: PLC0414
    from dataclasses import replace as replace  # noqa: PLC0414
else:
    _MISSING = object()
    #: So many objects of a class are made field by field: a tenth of what it takes to compile its ``__init__``.
    _FEW = 16

    class _Field:
        """What is known of a field beside its name."""

        __slots__ = ("compare", "default", "factory", "is_shown")

        def __init__(self, default, factory, compare, is_shown):
            self.default = default
            self.factory = factory
            self.compare = compare
            self.is_shown = is_shown

    def field(*, default=_MISSING, default_factory=_MISSING, compare=True, repr=True):
        """A field with more than a default; see `dataclasses.field`."""
        return _Field(default, default_factory, compare, repr)

    def dataclass(cls=None, /, *, frozen=False, slots=False):
        """Make the annotated names of a class its fields; see `dataclasses.dataclass`."""
        return (lambda cls: _make(cls, frozen, slots)) if cls is None else _make(cls, frozen, slots)

    def replace(item, /, **named):
        """An object like this one but for some fields; see `dataclasses.replace`."""
        cls = type(item)
        return cls(**{name: named.pop(name) if name in named else getattr(item, name) for name in cls._fields}, **named)

    def _make(cls, frozen, slots):
        inherited = getattr(cls, "_fields", {})
        namespace = dict(vars(cls))
        own = {}
        for name in namespace.get("__annotations__", ()):
            given = namespace.pop(name, _MISSING)
            own[name] = given if isinstance(given, _Field) else _Field(given, _MISSING, True, True)
            if not slots and own[name].default is not _MISSING:
                namespace[name] = own[name].default
        namespace["_fields"] = fields = {**inherited, **own}
        namespace["__match_args__"] = tuple(fields)
        namespace["__dataclass_fields__"] = _LibraryFields()
        for method in _FROZEN if frozen else _MUTABLE:
            namespace.setdefault(method.__name__, method)
        namespace.setdefault("__hash__", _hash if frozen else None)
        if slots:
            namespace["__slots__"] = tuple(name for name in own if name not in inherited)
        for name in ("__dict__", "__weakref__"):
            namespace.pop(name, None)
        made = []
        namespace.setdefault("__init__", _first_init(made, frozen))
        made.append(type(cls)(cls.__name__, cls.__bases__, namespace))
        made[0].__qualname__ = cls.__qualname__
        return made[0]

    class _LibraryFields:
        """The fields as `dataclasses.fields` and the like want them, made when they ask."""

        def __get__(self, item, cls):
            import dataclasses

            rows = [
                (
                    name,
                    object,
                    dataclasses.field(
                        **({} if known.default is _MISSING else {"default": known.default}),
                        **({} if known.factory is _MISSING else {"default_factory": known.factory}),
                        compare=known.compare,
                        repr=known.is_shown,
                    ),
                )
                for name, known in cls._fields.items()
            ]
            return dataclasses.make_dataclass(cls.__name__, rows).__dataclass_fields__

    def _first_init(made, frozen):
        """The ``__init__`` of the first few objects of a class, which stands in ``made``."""
        left = iter(range(_FEW))

        def __init__(self, *values, **named):
            cls = made[0]
            found = _complete(cls._fields, values, named) if next(left, None) is not None else None
            if found is None:  # there come more of them, or the compiled one tells what is wrong
                cls.__init__ = _compile_init(cls, frozen)
                cls.__init__(self, *values, **named)
                return
            for item in found.items():
                object.__setattr__(self, *item)
            if hasattr(cls, "__post_init__"):
                self.__post_init__()

        return __init__

    def _complete(fields, values, named):
        """The value of each field by its name, in order; None where the values are not those of such an object."""
        given = {**dict(zip(fields, values, strict=False)), **named}
        if len(given) != len(values) + len(named) or not given.keys() <= fields.keys():
            return None
        found = {}
        for name, known in fields.items():
            if name in given:
                found[name] = given[name]
            elif known.factory is not _MISSING:
                found[name] = known.factory()
            elif known.default is not _MISSING:
                found[name] = known.default
            else:
                return None
        return found

    def _compile_init(cls, frozen):
        """Its ``__init__``, as one would write it."""
        known = {"_missing": _MISSING, "_put": object.__setattr__}
        parameters, lines = [], []
        for name, item in cls._fields.items():
            if item.factory is not _MISSING:
                known["_make_" + name] = item.factory
                parameters.append(f"{name}=_missing")
                lines.append(f"if {name} is _missing: {name} = _make_{name}()")
            elif item.default is not _MISSING:
                known["_default_" + name] = item.default
                parameters.append(f"{name}=_default_{name}")
            else:
                parameters.append(name)
            lines.append(f"_put(self, {name!r}, {name})" if frozen else f"self.{name} = {name}")
        if hasattr(cls, "__post_init__"):
            lines.append("self.__post_init__()")
        body = "\n    ".join(lines or ["pass"])
        text = f"def __init__({', '.join(['self', *parameters])}):\n    {body}\n"
        # As code: a SIGINT while CPython executes a text ends the program in the end, though it was caught meanwhile
        # (findings/cpython_interrupted_text.sh).
        exec(compile(text, "<dataclass>", "exec"), known)
        known["__init__"].__qualname__ = f"{cls.__qualname__}.__init__"
        return known["__init__"]

    def _compared(item):
        return tuple([getattr(item, name) for name, known in item._fields.items() if known.compare])

    def __eq__(self, other):
        return _compared(self) == _compared(other) if type(other) is type(self) else NotImplemented

    def _hash(self):
        return hash(_compared(self))

    def __repr__(self):
        shown = [f"{name}={getattr(self, name)!r}" for name, known in self._fields.items() if known.is_shown]
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def __setattr__(self, name, value):
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name):
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __getstate__(self):
        return [getattr(self, name) for name in self._fields]

    def __setstate__(self, values):
        for name, value in zip(self._fields, values, strict=True):
            object.__setattr__(self, name, value)

    _MUTABLE = (__eq__, __repr__)
    _FROZEN = (*_MUTABLE, __setattr__, __delattr__, __getstate__, __setstate__)
