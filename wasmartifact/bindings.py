"""What the packages that ``wasmartifact bindgen`` writes are made of.

A generated class has a typed function for each function of a component, marked with the name that it has in WIT. Its
body never runs: an instance has the component's own function in its place, so that a call costs what it costs without
the class.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

from wasmartifact import _types as native_types
from wasmartifact.runtime.component import Component, ComponentInstance, Namespace
from wasmartifact.runtime.component_types import other_component

_R = TypeVar("_R")
_Ts = TypeVarTuple("_Ts")
_F = TypeVar("_F", bound=Callable[..., Any])
_MARK = "_wit_name"
#: File of the artifact in a package. Of a `component.so`, Python would make the module `component`.
ARTIFACT_NAME = "component.wasm.so"

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from types import ModuleType
    from typing import Never, Protocol, Self, TypeAlias

    from typing_extensions import Buffer as _Buffer

    class _Array(Protocol):
        """An array of numpy, which has a buffer that checkers see in newer versions of Python only."""

        @property
        def __array_interface__(self) -> dict[str, Any]: ...

    Buffer: TypeAlias = _Buffer | _Array
    #: What a function of the host gives: one may be ``async def``, for `call_async`.
    NowOrLater: TypeAlias = _R | Awaitable[_R]

    class Resource:
        """A resource of a component: it ends with its last reference, by ``close()``, or with a ``with`` block."""

        def __new__(cls, function_that_gives_one: Never, /) -> Self: ...
        def __enter__(self) -> Self: ...
        def __exit__(self, *raised: object) -> None: ...
        def close(self) -> None:
            """Run the destructor, once; later uses are a ValueError."""

        @property
        def closed(self) -> bool:
            """Whether it was closed, given away, or borrowed for a call that is over."""

else:
    Buffer = bytes | bytearray | memoryview
    NowOrLater = Any  # annotations of generated packages are read by checkers only
    Resource = native_types.resource_base()


class Unbound(TypeError):
    """A function was taken from a class of a generated package in the place of one that an instance has."""

    def __init__(self) -> None:
        super().__init__(
            "this class is for annotations and isinstance: call the function of an instance, "
            "as instance.interface.Class() in the place of package.exports.interface.Class()"
        )


def wit_name(name: str) -> Callable[[_F], _F]:
    """Mark a function of a generated class with its name in WIT."""

    def mark(function: _F) -> _F:
        setattr(function, _MARK, name)
        return function

    return mark


def wit_names(cls: type) -> dict[str, str]:
    """Attributes of a generated class by the names that they have in WIT."""
    found: dict[str, str] = {}
    for attribute, value in vars(cls).items():
        name = getattr(getattr(value, "__wrapped__", value), _MARK, None)
        if name is not None:
            found[name] = attribute
    return found


async def call_async(function: Callable[[*_Ts], _R], *arguments: *_Ts) -> _R:
    """Call a function of an instance of a generated package on a thread, for asyncio.

    Checkers don't see that it has a ``call_async`` of its own; this one has its types.

    Parameters
    ----------
    function : callable
        A function of an instance, or a method of a resource.
    *arguments
        What it takes, in order.
    """
    result: _R = await function.call_async(*arguments)  # type: ignore[attr-defined]
    return result


class _Exported:
    """A function of an instance, which takes this place in the instance when it is first asked for."""

    def __init__(self, function: Callable[..., Any], attribute: str) -> None:
        self.__wrapped__ = function
        self.__doc__ = function.__doc__
        self._attribute = attribute

    def __get__(self, owner: Exports | None, cls: type) -> Any:
        if owner is None:
            return self.__wrapped__
        made = owner.__dict__[self._attribute] = owner._exports[getattr(self.__wrapped__, _MARK)]
        return made


class Exports:
    """What an instance exports: in an interface, or by itself.

    Parameters
    ----------
    exports : Namespace
        The same without types, as `wasmartifact.ComponentInstance` has it.
    """

    def __init__(self, exports: Namespace) -> None:
        self._exports = exports

    def __init_subclass__(cls) -> None:
        for attribute in wit_names(cls).values():
            setattr(cls, attribute, _Exported(vars(cls)[attribute], attribute))

    def __repr__(self) -> str:
        return repr(self._exports)


class Package:
    """A generated package: its artifact, and its modules by what they are of.

    Parameters
    ----------
    name, file : str
        Its ``__name__`` and ``__file__``.
    modules : mapping
        Modules of the package by (whether it is exported, name of the interface, or "" for the component itself).
    """

    def __init__(self, name: str, file: str, modules: Mapping[tuple[bool, str], str]) -> None:
        self._name = name
        self._path = os.path.join(os.path.dirname(file), ARTIFACT_NAME)
        self._modules = modules
        self._component: Component | None = None

    @property
    def component(self) -> Component:
        """The component, loaded when it is first asked for."""
        if self._component is None:
            from wasmartifact.loader import load

            loaded = load(self._path)
            if not isinstance(loaded, Component):
                raise other_component(self._path)
            loaded._package = self
            self._component = loaded
        return self._component

    def instantiate(
        self, imports: Mapping[str, Any], wasi: native_types.WasiHost | None, store: native_types.Store | None
    ) -> ComponentInstance:
        """An instance, without types; see `wasmartifact.Component.instantiate`.

        Parameters
        ----------
        imports : mapping
            Functions, and objects that have the functions of an interface as attributes; None for what ``wasi`` has.
        wasi : Wasi, optional
            Has all interfaces of WASI that are not given.
        store : Store, optional
            Where the instance shall live.
        """
        given: dict[str, Any] = {} if wasi is None else dict(wasi.imports())  # type: ignore[attr-defined]
        for name, value in imports.items():
            if value is not None:
                module = self._module(is_export=False, interface=name)
                given[name] = value if module is None else _host_functions(module, value)
        return self.component.instantiate(given, store=store)

    def class_of(self, name: str, interface: str, *, is_export: bool) -> Any:
        """The class of a record, an enum, flags or a resource; the classes of a variant's cases; or None."""
        module = self._module(is_export=is_export, interface=interface)
        return None if module is None else module.CLASSES.get(name)

    def attributes(self, cls: type) -> dict[str, str]:
        """Attributes of a class of it by the names that they have in WIT."""
        return wit_names(cls)

    def _module(self, *, is_export: bool, interface: str) -> ModuleType | None:
        name = self._modules.get((is_export, interface))
        return None if name is None else import_module(f".{name}", self._name)


def _host_functions(module: ModuleType, given: Any) -> dict[str, Any]:
    """Functions of an imported interface by their names in WIT: of what was given for it, and of its resources."""
    found: dict[str, Any] = {}
    for name, attribute in wit_names(module.HOST).items():
        function = getattr(given, attribute, None)
        if getattr(function, "__func__", function) is not vars(module.HOST)[attribute]:  # which would do nothing
            found[name] = function
    for resource in module.CLASSES.values():
        if isinstance(resource, type):
            found.update((name, _method(attribute)) for name, attribute in wit_names(resource).items())
    return found


def _method(attribute: str) -> Callable[..., Any]:
    return lambda resource, *arguments: getattr(resource, attribute)(*arguments)
