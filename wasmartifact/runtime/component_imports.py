"""What a component imports, found in what the user gave: by the name in WIT, or by the name that it has in Python."""

from __future__ import annotations

from wasmartifact import _types as types
from wasmartifact.runtime.component_types import camel, snake

TYPE_CHECKING = False  # importing typing costs more than a load
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any


class Wanted:
    """An imported function, and the names that it may stand under.

    Parameters
    ----------
    interface : str | None
        Name of the interface that it is in, None where it is imported by itself.
    name : str
        Its name in WIT.
    """

    __slots__ = ("interface", "is_constructor", "method", "name", "names", "owners")

    def __init__(self, interface: str | None, name: str) -> None:
        self.interface = interface
        self.name = name
        kind, closing, rest = name.partition("]")
        owner, _, method = rest.partition(".")
        self.is_constructor = kind == "[constructor"
        self.method = snake(method)
        self.names = (name,) if closing else (name, snake(name))
        self.owners = (camel(owner), owner, snake(owner)) if closing else ()

    def find(self, place: Any) -> Any:
        """It, in what stands for its interface: a function, or an attribute of the class of its resource; or None."""
        for candidate in self.names:
            found = _item(place, candidate)
            if found is not None:
                return found
        for owner in self.owners:
            holder = _item(place, owner)
            if holder is not None:
                return holder if self.is_constructor else getattr(holder, self.method, None)
        return None


def find_callables(wanted: Sequence[Wanted | None], imports: Any) -> tuple[Callable[..., Any] | None, ...]:
    """A callable for each import; None where no function of the host is wanted.

    Raises
    ------
    UnlinkableModule
        One is not there, or can't be called.
    TypeError
        ``imports`` is no mapping.
    """
    given = _as_mapping(imports)
    places: dict[str | None, Any] = {None: given}
    found: list[Callable[..., Any] | None] = []
    for item in wanted:
        if item is None:
            found.append(None)
            continue
        if item.interface not in places:
            places[item.interface] = find_interface(item.interface or "", given)
        place = places[item.interface]
        value = None if place is None else item.find(place)
        if not callable(value):
            raise _unlinkable(item, value)
        found.append(value)
    return tuple(found)


def _as_mapping(imports: Any) -> Mapping[str, Any]:
    """What was given for imports: a mapping, nothing, or a Wasi, whose imports are meant."""
    if isinstance(imports, types.WasiHost):
        imports = imports.imports()  # type: ignore[attr-defined]
    if imports is not None and not hasattr(imports, "keys"):
        raise TypeError(f"imports must be a mapping of interfaces to their functions, found {type(imports).__name__}")
    return {} if imports is None else imports


def _unlinkable(wanted: Wanted, found: object) -> Exception:
    from wasmartifact.errors import UnlinkableModule

    interface, name = wanted.interface, wanted.name
    whole = name if interface is None else f"{interface}#{name}"
    path = f"imports[{name!r}]" if interface is None else f"imports[{interface!r}][{name!r}]"
    problem = "unknown import" if found is None else "incompatible import type"
    words = f"{problem}: {whole}, a function; give it as {path}"
    if found is not None:
        words += f", found an object of type {type(found).__name__}, which can't be called"
    elif interface is not None and interface.startswith("wasi:"):
        words += "; wa.Wasi().imports() has the interfaces of WASI 0.2"
    return UnlinkableModule(words, module=interface or "", name=name, kind="func", expected=None, found=None)


def find_interface(wanted: str, given: Mapping[str, Any]) -> Any:
    """What was given for an interface: by its name, or by one whose version fits; else, of WASI, what a Wasi has."""
    if wanted in given:
        return given[wanted]
    stem, _, version = wanted.partition("@")
    track = _track(version)
    for name in given:
        other, _, other_version = name.partition("@")
        if other == stem and track is not None and _track(other_version) == track:
            return given[name]
    host = getattr(given.get("wasi_snapshot_preview1"), "host", None)
    return None if host is None or not stem.startswith("wasi:") else host._component_interfaces().interface(wanted)


def _track(version: str) -> str | None:
    """What versions that fit each other have in common: 1.x, 0.2.x; None where only equal ones fit."""
    numbers = version.partition("+")[0].split(".")
    if "-" in version or len(numbers) != 3:
        return None
    if numbers[0] != "0":
        return numbers[0]
    return f"0.{numbers[1]}" if numbers[1] != "0" else None


def _item(place: Any, name: str) -> Any:
    if hasattr(type(place), "keys"):
        try:
            return place[name]
        except KeyError:
            return None
    return getattr(place, name, None) if name.isidentifier() else None
