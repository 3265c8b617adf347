"""What a component imports, found in what the user gave: by the name in WIT, or by the name that it has in Python."""

from __future__ import annotations

from wasmartifact import _types as types
from wasmartifact.constants import HOST_OBJECT_KINDS, NOTE_UNLIKE_WASI
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

    Parameters
    ----------
    interface : str | None
        Its name.
    indices : list of int
        Where its functions stand among the component's imports.

    Attributes
    ----------
    key : tuple of str | None
        Its name without the version, and what versions that fit have in common; None where only an equal name fits.
    """

    __slots__ = ("indices", "interface", "key")

    def __init__(self, interface: str | None, indices: list[int]) -> None:
        self.interface = interface
        self.key = None if interface is None else _key(interface)
        self.indices = indices


class Imported:
    """What a component imports of its host, by interface; looked at in whole once, whatever the number of instances.

    Parameters
    ----------
    description : NativeComponent
        Of the component.
    """

    __slots__ = ("_description", "_functions", "_groups", "_of_wasi", "_others", "unlike_wasi")

    def __init__(self, description: types._NativeComponent) -> None:
        self._description = description
        #: Functions by index, each made when it is looked for: most never are.
        self._functions: dict[int, Wanted] = {}
        self._groups = [WantedInterface(*group) for group in description.imports()]
        #: Those of WASI 0.2, and the others; None before a Wasi was given.
        self._of_wasi: list[WantedInterface] = []
        self._others: list[WantedInterface] | None = None
        #: How the types of functions differ from those that WASI 0.2 has, by interface and name.
        self.unlike_wasi = {self._names(row): words for row, words in description.notes(NOTE_UNLIKE_WASI)}

    def _names(self, row: int) -> tuple[str, str]:
        """Interface and name of an extern."""
        name, _, parent, _, _ = self._description.extern(row)
        return self._description.extern(parent - 1)[0] if parent else "", name

    def function(self, index: int) -> Wanted:
        """The function that an import is: the same object each time."""
        wanted = self._functions.get(index)
        if wanted is None:
            wanted = self._functions[index] = Wanted(*self._description.import_name(index))
        return wanted

    def find(self, imports: Any) -> tuple[dict[int, Callable[..., Any]], Finder | None]:
        """A callable for each import but those that a Wasi has, by index; and what finds those when they are called.

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
        groups = self._groups if host is None else self._given_groups(host, given, compatible)
        for (owner, own_name), words in self.unlike_wasi.items():
            place = _given(owner, _key(owner), given, compatible)
            if is_of_wasi(place, own_name) if place is not None else host is not None and host._serves(owner):
                raise _unlike_wasi(owner, own_name, words)
        found: dict[int, Callable[..., Any]] = {}
        for group in groups:
            name = group.interface
            place = given if name is None else _given(name, group.key, given, compatible)
            for index in group.indices:
                wanted = self.function(index)
                value = None if place is None else wanted.find(place)
                if not callable(value):
                    raise _unlinkable(wanted, value)
                found[index] = value
        return found, None if host is None else Finder(self, host, host._http)

    def _given_groups(
        self, host: Any, given: Mapping[str, Any], compatible: Mapping[tuple[str, str] | None, str]
    ) -> list[WantedInterface]:
        """Those that are not left to a Wasi: what it lacks, and what was given all the same."""
        if self._others is None:
            is_served = [group.interface is not None and host._serves(group.interface) for group in self._groups]
            pairs = list(zip(self._groups, is_served, strict=True))
            self._of_wasi = [group for group, served in pairs if served]
            self._others = [group for group, served in pairs if not served]
        if not any(name.startswith("wasi:") for name in given):
            return self._others
        return self._others + [group for group in self._of_wasi if group.interface in given or group.key in compatible]


class Finder:
    """Finds what a component imports of WASI 0.2 when it is called first: most of it never is.

    Parameters
    ----------
    imported : Imported
        What is imported.
    host : Wasi
        Has it.
    client : urllib3.PoolManager | True | None
        Sends the requests of this instance, whatever client the Wasi has later.
    """

    __slots__ = ("_client", "_host", "_imported", "_interfaces")

    def __init__(self, imported: Imported, host: Any, client: Any) -> None:
        self._imported = imported
        self._host = host
        self._client = client
        self._interfaces: Any = None

    def __call__(self, index: int) -> Callable[..., Any]:
        """The function of an import."""
        if self._interfaces is None:
            self._interfaces = self._host._interfaces_with(self._client)
        found: Callable[..., Any] = self._interfaces.callable_of(self._imported.function(index))
        return found


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
    if name.startswith("["):
        owner = name.partition("]")[2].partition(".")[0]
        words += f", or with a class as {path.removesuffix(f'[{name!r}]')}[{owner!r}]"
    if found is not None:
        words += f", found an object of type {type(found).__name__}, which can't be called"
    elif interface is not None and interface.startswith("wasi:"):
        words += "; wa.Wasi().imports() has the interfaces of WASI 0.2"
    return UnlinkableModule(words, module=interface or "", name=name, kind="func", expected=None, found=None)


def is_of_wasi(place: object, name: str) -> bool:
    """Whether a function that stands under a name is one of a Wasi."""
    ask = getattr(type(place), "_has_of_wasi", None)
    return ask is not None and bool(ask(place, name))


def _unlike_wasi(interface: str, name: str, words: str) -> Exception:
    from wasmartifact.errors import UnlinkableModule

    return UnlinkableModule(
        f"incompatible import type: {interface}#{name} is not the function that WASI 0.2 has: {words}; build the "
        f"component with the interfaces of WASI, or give it as imports[{interface!r}][{name!r}]",
        module=interface,
        name=name,
        kind="func",
    )


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
