"""What a component imports, found in what the user gave: by the name in WIT, or by the name that it has in Python."""

from __future__ import annotations

from wasmartifact import _types as types
from wasmartifact.constants import HOST_OBJECT_KINDS
from wasmartifact.runtime.component_types import camel, snake

TYPE_CHECKING = False  # importing typing costs more than a load
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any


#: What a Wasi gives has the functions of preview 1 under this name, which know their Wasi.
PREVIEW_1 = "wasi_snapshot_preview1"


class Wanted:
    """An imported function, and the names that it may stand under.

    Parameters
    ----------
    interface : str | None
        Name of the interface that it is in, None where it is imported by itself.
    name : str
        Its name in WIT.
    """

    __slots__ = ("interface", "name")

    def __init__(self, interface: str | None, name: str) -> None:
        self.interface = interface
        self.name = name

    def find(self, place: Any) -> Any:
        """It, in what stands for its interface: a function, or an attribute of the class of its resource; or None."""
        kind, closing, rest = self.name.partition("]")
        found = _item(place, self.name)
        if found is not None or not closing:
            return _item(place, snake(self.name)) if found is None else found
        owner, _, method = rest.partition(".")
        for name in (camel(owner), owner, snake(owner)):
            holder = _item(place, name)
            if holder is not None:
                return holder if kind == "[constructor" else getattr(holder, snake(method), None)
        return None


class WantedInterface:
    """The functions that a component imports of one interface; of None: those that are imported by themselves.

    Attributes
    ----------
    interface : str | None
        Its name.
    key : tuple of str | None
        Its name without the version, and what versions that fit have in common; None where only an equal name fits.
    indices : list of int
        Where its functions stand among the component's imports.
    wanted : list of Wanted
        Its functions, in that order.
    is_served : bool | None
        Whether a Wasi has it; None where that was not asked yet.
    """

    __slots__ = ("indices", "interface", "is_served", "key", "wanted")

    def __init__(self, interface: str | None) -> None:
        self.interface = interface
        self.key = None if interface is None else _key(interface)
        self.indices: list[int] = []
        self.wanted: list[Wanted] = []
        self.is_served: bool | None = None

    def is_served_by(self, interfaces: Any) -> bool:
        """Whether a Wasi has it, of these interfaces or any."""
        if self.is_served is None:
            self.is_served = interfaces.serves(self.interface)
        return self.is_served

    def find(self, place: Any) -> list[Callable[..., Any]]:
        """A callable for each function, in what stands for the interface."""
        found = []
        for item in self.wanted:
            value = None if place is None else item.find(place)
            if not callable(value):
                raise _unlinkable(item, value)
            found.append(value)
        return found


def by_interface(wanted: Sequence[Wanted | None]) -> list[WantedInterface]:
    """The functions of each interface; None where an import is no function of the host."""
    groups: dict[str | None, WantedInterface] = {}
    for index, item in enumerate(wanted):
        if item is not None:
            group = groups.setdefault(item.interface, WantedInterface(item.interface))
            group.indices.append(index)
            group.wanted.append(item)
    return list(groups.values())


class Finder:
    """Finds what a component imports of WASI 0.2 when it is called first: most of it never is.

    Parameters
    ----------
    places : sequence of Wanted or None
        What is imported, in order.
    interfaces : Preview2
        Have it.
    """

    __slots__ = ("interfaces", "places")

    def __init__(self, places: Sequence[Wanted | None], interfaces: Any) -> None:
        self.places = places
        self.interfaces = interfaces

    def __call__(self, index: int) -> Callable[..., Any]:
        """The function of an import."""
        wanted = self.places[index]
        assert wanted is not None
        found: Callable[..., Any] = self.interfaces.callable_of(wanted)
        return found


def find_callables(
    wanted: Sequence[Wanted | None], groups: Sequence[WantedInterface], imports: Any
) -> tuple[list[Callable[..., Any] | None], Finder | None]:
    """A callable for each import, None where no function of the host is wanted; and what finds those of WASI 0.2 later.

    Raises
    ------
    UnlinkableModule
        One is not there, or can't be called.
    TypeError
        ``imports`` is no mapping.
    """
    given = _as_mapping(imports)
    compatible = _by_track(given)
    host = getattr(given.get(PREVIEW_1), "host", None)
    interfaces = None if host is None else host._component_interfaces()
    found: list[Callable[..., Any] | None] = [None] * len(wanted)
    for group in groups:
        name = group.interface
        if name is None:
            values = group.find(given)
        elif (
            interfaces is not None
            and name not in given
            and group.key not in compatible
            and group.is_served_by(interfaces)
        ):
            continue
        else:
            values = group.find(_given(name, group.key, given, compatible))
        for index, value in zip(group.indices, values, strict=True):
            found[index] = value
    return found, None if interfaces is None else Finder(wanted, interfaces)


def renew(objects: Sequence[tuple[int, str]], imports: Any) -> tuple[object, ...]:
    """What the component of a snapshot had of a Wasi, by kind and name, made anew by the one among the imports.

    Raises
    ------
    UnlinkableModule
        There is no Wasi, or it lacks one of them.
    """
    kinds = [HOST_OBJECT_KINDS[kind] for kind, _ in objects]
    host = getattr(_as_mapping(imports).get(PREVIEW_1), "host", None)
    if host is None:
        from wasmartifact.errors import UnlinkableModule

        had = ", ".join(dict.fromkeys(kinds))
        raise UnlinkableModule(
            f"the component of the snapshot has these of its WASI program: {had}; give it a wa.Wasi among the imports",
            module="wasi",
            name=had,
        )
    return tuple(host._renew(kind, name) for kind, (_, name) in zip(kinds, objects, strict=True))


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
    found = _given(wanted, _key(wanted), given, _by_track(given))
    host = getattr(given.get(PREVIEW_1), "host", None)
    if found is not None or host is None or not wanted.startswith("wasi:"):
        return found
    return host._component_interfaces().interface(wanted)


def _given(
    wanted: str,
    key: tuple[str, str] | None,
    given: Mapping[str, Any],
    compatible: Mapping[tuple[str, str] | None, str],
) -> Any:
    if wanted in given:
        return given[wanted]
    name = compatible.get(key)
    return None if name is None else given[name]


def _by_track(given: Mapping[str, Any]) -> dict[tuple[str, str] | None, str]:
    """The first name that was given of each interface and track of versions."""
    found: dict[tuple[str, str] | None, str] = {}
    for name in given:
        key = _key(name) if "@" in name else None
        if key is not None:
            found.setdefault(key, name)
    return found


def _key(name: str) -> tuple[str, str] | None:
    stem, _, version = name.partition("@")
    track = _track(version)
    return None if track is None else (stem, track)


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
