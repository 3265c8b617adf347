"""A call of a component's function from the command line: found by its name, with arguments that are read from text."""

from __future__ import annotations

from typing import Any

from wasmartifact.cli.common import UsageError
from wasmartifact.cli.component_values import read_value, value_text
from wasmartifact.runtime.component import Component, ComponentInstance
from wasmartifact.wit.types import Alias, Function, Interface, Result, Type


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
        One for each parameter, as `read_value` reads them.

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
        self._good, self._bad = _outcomes(found.functions[function].result)

    def run(self, instance: ComponentInstance) -> Any:
        """Call it. What its type refuses, and what it calls and was not given, is a UsageError."""
        place: Any = instance if self.interface is None else instance[self.interface]
        try:
            return place[self.function](*self.arguments)
        except (TypeError, ValueError, OverflowError, NotImplementedError, ImportError) as problem:
            raise UsageError(str(problem)) from None

    def text(self, result: Any) -> str | None:
        """What it gave, as text; None for no value."""
        return None if self._good is None else value_text(result, self._good)

    def error_text(self, value: Any) -> str:
        """What came with its error, as text."""
        return "no value" if self._bad is None else value_text(value, self._bad)


def _outcomes(result: Type | None) -> tuple[Type | None, Type | None]:
    """Types of what a function gives, and of what comes with its error."""
    behind = result
    while isinstance(behind, Alias):
        behind = behind.type
    return (behind.ok, behind.err) if isinstance(behind, Result) else (result, None)


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
    try:
        return read_value(text, type_)
    except (ValueError, RecursionError) as problem:
        raise UsageError(f"{text!r} is not a value of type {type_}: {problem}") from None
