"""A call of a component's function from the command line: found by its name, with arguments that are read from text."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from wasmartifact.cli.common import UsageError
from wasmartifact.runtime.component import Component, ComponentInstance
from wasmartifact.wit.types import Alias, Function, Interface, Primitive, Type


class ComponentCall:
    """A function of a component, and what it is to be called with.

    Parameters
    ----------
    component : Component
        Exports it.
    program : str
        What the component is called in messages.
    name : str
        ``function``, or ``interface#function``; an interface by its whole name, or without package and version.
    arguments : list of str
        One for each parameter: numbers as Python writes them, strings as they are, all that has parts as JSON.

    Raises
    ------
    UsageError
        There is no such function, or an argument is not of its type.
    """

    def __init__(self, component: Component, program: str, name: str, arguments: list[str]) -> None:
        self.name = name
        place, _, function = name.rpartition("#")
        exports = component.types.exports
        self.interface, found = _interface(exports, place)
        if found is None or function not in found.functions:
            names = ", ".join(_names(exports)) or "nothing"
            raise UsageError(f"{program} exports no function {name!r}; it exports {names}")
        self.function = function
        self.arguments = _values(found.functions[function], arguments)

    def run(self, instance: ComponentInstance) -> Any:
        """Call it. What its type refuses is a UsageError."""
        place: Any = instance if self.interface is None else instance[self.interface]
        try:
            return place[self.function](*self.arguments)
        except (TypeError, ValueError, OverflowError) as problem:
            raise UsageError(str(problem)) from None


def _interface(exports: Interface, place: str) -> tuple[str | None, Interface | None]:
    """The exported interface of a name, and its whole name."""
    if not place:
        return None, exports
    for name, interface in exports.interfaces.items():
        if place in {name, name.rpartition("/")[2].partition("@")[0]}:
            return name, interface
    return None, None


def _names(exports: Interface) -> list[str]:
    names = [f"{name}#{function}" for name, part in exports.interfaces.items() for function in part.functions]
    return [*exports.functions, *names]


def _values(function: Function, texts: list[str]) -> list[Any]:
    if len(texts) != len(function.params):
        params = ", ".join(f"{param.name}: {param.type}" for param in function.params) or "none"
        raise UsageError(f"the function takes {len(function.params)} arguments ({params}), found {len(texts)}")
    return [_value(text, param.type) for text, param in zip(texts, function.params, strict=True)]


def _value(text: str, type_: Type) -> Any:
    while isinstance(type_, Alias):
        type_ = type_.type
    name = type_.name if isinstance(type_, Primitive) else None
    try:
        return _read_json(text) if name is None else _READERS.get(name, _integer)(text)
    except (ValueError, KeyError):
        raise UsageError(f"{text!r} is not a value of type {type_}") from None


def _integer(text: str) -> int:
    return int(text, 0)


#: Of all types without parts but integers.
_READERS: Final[dict[str, Callable[[str], Any]]] = {
    "string": str,
    "char": str,
    "bool": {"true": True, "false": False}.__getitem__,
    "f32": float,
    "f64": float,
}


def _read_json(text: str) -> Any:
    """A value of a type with parts; a name by itself is that of a case."""
    return text if text.isidentifier() and text not in {"null", "true", "false"} else json.loads(text)


def value_text(value: Any) -> str:
    """A result as text."""
    return str(value).lower() if isinstance(value, bool) else str(value)
