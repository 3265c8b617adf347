"""What a component imports, found in what the user gave: by the name in WIT, or by the name that it has in Python."""

from __future__ import annotations

from wasmartifact.runtime.component_types import camel, snake

TYPE_CHECKING = False  # importing typing costs more than a load
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any


def find_callable(interface: str | None, name: str, imports: Mapping[str, Any] | None) -> Callable[..., Any]:
    """The callable for an imported function.

    Parameters
    ----------
    interface : str | None
        Name of the interface that it is in, None where it is imported by itself.
    name : str
        Its name in WIT.
    imports : mapping | None
        As for `Component.instantiate`.

    Raises
    ------
    UnlinkableModule
        It is not there, or can't be called.
    TypeError
        ``imports`` is no mapping.
    """
    given: Any = {} if imports is None else imports
    if hasattr(given, "imports") and callable(given.imports):
        given = given.imports()
    if not hasattr(given, "keys"):
        raise TypeError(f"imports must be a mapping of interfaces to their functions, found {type(given).__name__}")
    place = given if interface is None else find_interface(interface, given)
    found = None if place is None else _find(place, name)
    if callable(found):
        return found  # type: ignore[no-any-return]
    from wasmartifact.errors import UnlinkableModule

    whole = name if interface is None else f"{interface}#{name}"
    path = f"imports[{name!r}]" if interface is None else f"imports[{interface!r}][{name!r}]"
    problem = "unknown import" if found is None else "incompatible import type"
    words = f"{problem}: {whole}, a function; give it as {path}"
    if found is not None:
        words += f", found an object of type {type(found).__name__}, which can't be called"
    raise UnlinkableModule(words, module=interface or "", name=name, kind="func", expected=None, found=None)


def find_interface(wanted: str, given: Mapping[str, Any]) -> Any:
    """What was given for an interface: by its name, or by one whose version fits."""
    if wanted in given:
        return given[wanted]
    stem, _, version = wanted.partition("@")
    track = _track(version)
    for name in given:
        other, _, other_version = name.partition("@")
        if other == stem and track is not None and _track(other_version) == track:
            return given[name]
    return None


def _track(version: str) -> str | None:
    """What versions that fit each other have in common: 1.x, 0.2.x; None where only equal ones fit."""
    numbers = version.partition("+")[0].split(".")
    if "-" in version or len(numbers) != 3:
        return None
    if numbers[0] != "0":
        return numbers[0]
    return f"0.{numbers[1]}" if numbers[1] != "0" else None


def _find(place: Any, name: str) -> Any:
    """A function of an interface; of a resource's functions, what its class has."""
    for candidate in _names(name):
        found = _item(place, candidate)
        if found is not None:
            return found
    kind, closing, rest = name.partition("]")
    if not closing:
        return None
    owner, _, method = rest.partition(".")
    for candidate in (owner, camel(owner), snake(owner)):
        holder = _item(place, candidate)
        if holder is not None:
            return holder if kind == "[constructor" else getattr(holder, snake(method), None)
    return None


def _names(name: str) -> Iterator[str]:
    yield name
    if not name.startswith("["):
        yield snake(name)


def _item(place: Any, name: str) -> Any:
    if hasattr(place, "keys"):
        try:
            return place[name]
        except KeyError:
            return None
    return getattr(place, name, None) if name.isidentifier() else None
