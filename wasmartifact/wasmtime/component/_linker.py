"""Linker and LinkerInstance: what components import, by name, for any number of instances."""

from __future__ import annotations

from wasmartifact.errors import WasmArtifactError
from wasmartifact.runtime.component_imports import PREVIEW_1, find_interface
from wasmartifact.wasmtime._closing import Managed, SetOnly, WrongType, check_type
from wasmartifact.wasmtime._engine import Engine
from wasmartifact.wasmtime._errors import WasmtimeError, component_error
from wasmartifact.wasmtime._func import check_open, native_store
from wasmartifact.wasmtime._instance import count_entities
from wasmartifact.wasmtime._module import Module
from wasmartifact.wasmtime.component._component import Component, world
from wasmartifact.wasmtime.component._func import host_function
from wasmartifact.wasmtime.component._instance import Instance
from wasmartifact.wasmtime.component._made import Made
from wasmartifact.wasmtime.component._resources import ResourceType
from wasmartifact.wasmtime.component._surroundings import Surroundings
from wasmartifact.wit import types as wit

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final, TypeAlias

    from wasmartifact.wasmtime._func import Storelike
    from wasmartifact.wasmtime.component._resources import Destructor

    #: By name: an instance is a dictionary of such, else a callable, a _ResourceDefinition or a Module.
    Definitions: TypeAlias = dict[str, Any]
    LinkerInstanceParent: TypeAlias = "Linker | LinkerInstance"

_WASI_PREFIX: Final = "wasi:"
_HTTP_PREFIX: Final = "wasi:http/"
#: The type of resources that nobody defined, for components whose unknown imports may trap.
_UNKNOWN_RESOURCE: Final = 0


class _ResourceDefinition:
    """A resource of the host, with what is called when one is dropped for good."""

    def __init__(self, type_: ResourceType, destructor: Destructor) -> None:
        self.type = type_
        self.destructor = destructor


class _Lockable(Managed):
    """What a `LinkerInstance` is made of, and can't be used while that is open."""

    locked = False
    _words = ""

    def _check_free(self) -> None:
        self._check_open()
        if self.locked:
            raise WasmtimeError(f"cannot use {self._words} while it's in use by other instances")


class _AllowShadowing(SetOnly):
    """Whether a name may be defined again. It can be set, not read."""

    def __set__(self, linker: Linker, allow: bool) -> None:
        linker._check_free()
        linker._may_shadow = bool(allow)


class Linker(_Lockable):
    """Imports by name, from which components are instantiated.

    Parameters
    ----------
    engine : Engine
    """

    _words = "linker"
    allow_shadowing = _AllowShadowing()

    def __init__(self, engine: Engine) -> None:
        check_type(engine, Engine, "an Engine")
        engine._check_open()
        self.engine = engine
        self._may_shadow = False
        self._definitions: Definitions = {}
        self._wasi: set[str] = set()

    def close(self) -> None:
        """End its use; WasmtimeError while a LinkerInstance of it is open."""
        if not self._closed:
            self._check_free()
        super().close()

    def root(self) -> LinkerInstance:
        """Where definitions are made; until it is closed, this linker can't be used otherwise."""
        self._check_free()
        return LinkerInstance._of(self, self, self._definitions)

    def add_wasip2(self) -> None:
        """Define the interfaces of WASI 0.2; they show what `Store.set_wasi` gave."""
        self._add_wasi("cli")

    def add_wasi_http(self) -> None:
        """Define the interfaces of WASI's HTTP for requests that go out; `Store.set_wasi_http` says who sends them."""
        self._add_wasi("http")

    def _add_wasi(self, package: str) -> None:
        self._check_free()
        defined = package == "cli" and any(name.startswith(_WASI_PREFIX) for name in self._definitions)
        if (defined or package in self._wasi) and not self._may_shadow:
            raise WasmtimeError("map entry `wasi` defined twice")
        self._wasi.add(package)

    def instantiate(self, store: Storelike, component: Component) -> Instance:
        """Make an instance with what is defined.

        Raises
        ------
        WasmtimeError
            An import is not defined, or the guest trapped at its start.
        """
        self._check_free()
        check_open(store)
        check_type(component, Component, "a `Component`")
        component._check_open()
        artifact = component._artifact
        surroundings = Surroundings(store)
        imports = self._imports(world(artifact).imports, surroundings)
        count_entities(store, artifact)
        try:
            return Instance._of(artifact.instantiate(imports, store=native_store(store)), surroundings)
        except WasmArtifactError as problem:
            raise component_error(problem) from None

    def define_unknown_imports_as_traps(self, component: Component) -> None:
        """Define what a component needs and nobody defined: functions that raise WasmtimeError when they are called."""
        self._check_free()
        check_type(component, Component, "a `Component`")
        component._check_open()
        wanted = world(component._artifact).imports
        self._define_unknown(self._definitions, wanted, None)
        for name, interface in wanted.interfaces.items():
            if not self._has_wasi(name):
                found = find_interface(name, self._definitions)
                if found is None:
                    found = self._definitions[name] = {}
                if isinstance(found, dict):
                    self._define_unknown(found, interface, name)

    def _define_unknown(self, definitions: Definitions, wanted: wit.Interface, place: str | None) -> None:
        for name in wanted.functions:
            definitions.setdefault(name, _unknown(name if place is None else f"{place}#{name}"))
        for name, type_ in wanted.types.items():
            if isinstance(type_, wit.Resource):
                unknown = _ResourceDefinition(ResourceType.host(_UNKNOWN_RESOURCE), lambda store, rep: None)
                definitions.setdefault(name, unknown)

    # ---- what a component imports

    def _has_wasi(self, name: str) -> bool:
        """Whether an interface is one of WASI, which this linker has."""
        if not self._wasi or not name.startswith(_WASI_PREFIX):
            return False
        from wasmartifact.wasi.preview2 import serves

        return serves(name) and ("http" if name.startswith(_HTTP_PREFIX) else "cli") in self._wasi

    def _imports(self, wanted: wit.Interface, surroundings: Surroundings) -> dict[str, Any]:
        """What the package's component takes; resources come first, as types of functions have them."""
        found: dict[str, Definitions | None] = {}
        for name, interface in wanted.interfaces.items():
            given = find_interface(name, self._definitions)
            if given is None and not self._has_wasi(name):
                given = {}
            if given is not None and not isinstance(given, dict):
                raise _missing("instance", name, f"expected instance found {_kind(given)}")
            found[name] = given
            for own_name, type_ in interface.types.items():
                if isinstance(type_, wit.Resource):
                    self._take_resource(own_name, type_, name, given or {}, surroundings)
        for name, type_ in wanted.types.items():
            if isinstance(type_, wit.Resource):
                self._take_resource(name, type_, None, self._definitions, surroundings)
        self._check_modules(wanted, None, self._definitions)
        for name, interface in wanted.interfaces.items():
            self._check_modules(interface, name, found[name] or {})
        imports: dict[str, Any] = {
            name: host_function(function, self._function(name, None, self._definitions), surroundings)
            for name, function in wanted.functions.items()
        }
        for name, interface in wanted.interfaces.items():
            imports[name] = self._interface(name, interface, found[name], surroundings)
        return imports

    def _take_resource(
        self, name: str, resource: wit.Resource, place: str | None, given: Definitions, surroundings: Surroundings
    ) -> None:
        """Note what the linker has for a resource; one that an interface has of another one is that one's."""
        definition = given.get(name)
        if isinstance(definition, _ResourceDefinition):
            surroundings.resources.setdefault(resource, definition.type)
            surroundings.destructors[definition.type] = definition.destructor
        elif definition is not None:
            raise _missing("resource", name, f"expected resource found {_kind(definition)}")
        elif resource.interface == place and (place is None or not self._has_wasi(place)):
            kind, whole = ("resource", name) if place is None else ("instance", place)
            raise _missing(kind, whole, f"`{name}`: resource implementation is missing")

    def _check_modules(self, wanted: wit.Interface, place: str | None, given: Definitions) -> None:
        """Core modules have to be there, though no instance is made of them."""
        for name in wanted.modules:
            definition = given.get(name)
            if not isinstance(definition, Module):
                kind, whole = ("core module", name) if place is None else ("instance", place)
                reason = "module implementation is missing"
                if definition is not None:
                    reason = f"expected module found {_kind(definition)}"
                raise _missing(kind, whole, reason if place is None else f"`{name}`: {reason}")

    def _function(self, name: str, place: str | None, given: Definitions) -> Callable[..., Any]:
        definition = given.get(name)
        if callable(definition):
            found: Callable[..., Any] = definition
            return found
        kind, whole = ("function", name) if place is None else ("instance", place)
        if definition is None:
            raise _missing(kind, whole, f"`{name}`: function implementation is missing")
        raise _missing(kind, whole, f"`{name}`: expected function found {_kind(definition)}")

    def _interface(
        self, name: str, interface: wit.Interface, given: Definitions | None, surroundings: Surroundings
    ) -> object:
        """What the package takes for an interface: the definitions; where WASI has the rest, with that behind them."""
        has_wasi = self._has_wasi(name)
        functions = {
            own_name: host_function(function, self._function(own_name, name, given or {}), surroundings)
            for own_name, function in interface.functions.items()
            if not has_wasi or own_name in (given or {})
        }
        if not has_wasi:
            return functions
        behind = find_interface(name, {PREVIEW_1: surroundings.program.imports()[PREVIEW_1]})
        return _Overlay(functions, behind) if functions else behind


class _Overlay:
    """Functions by name, and an interface of the package's behind them."""

    def __init__(self, functions: dict[str, Callable[..., Any]], behind: object) -> None:
        self._functions = functions
        self._behind = behind

    def _has_of_wasi(self, name: str) -> bool:
        """Whether a function is not defined in front."""
        return name not in self._functions

    def keys(self) -> list[str]:
        """The names that are defined in front."""
        return list(self._functions)

    def __getitem__(self, name: str) -> Any:
        if name in self._functions:
            return self._functions[name]
        found = getattr(self._behind, name, None) if name.isidentifier() else None
        if found is None:
            raise KeyError(name)
        return found


class LinkerInstance(Made, _Lockable):
    """Where definitions are made: a linker's root, or an instance in it; to be closed, at best by a ``with`` block."""

    _words = "linker instance"
    parent: LinkerInstanceParent | None = None
    _linker: Linker
    _definitions: Definitions

    @classmethod
    def _of(cls, linker: Linker, parent: LinkerInstanceParent, definitions: Definitions) -> LinkerInstance:
        made = cls.__new__(cls)
        made._linker = linker
        made._definitions = definitions
        made.parent = parent
        parent.locked = True
        return made

    def close(self) -> None:
        """End its use, so that what it was made of can be used again."""
        if self._closed or self.parent is None:
            return
        self._check_free()
        super().close()
        self.parent.locked = False
        self.parent = None

    def __del__(self) -> None:
        self.locked = False  # what was made of it keeps it, and is gone, too
        self.close()

    def _define(self, name: str, item: object) -> None:
        self._check_free()
        check_type(name, str, "a str")
        if name in self._definitions and not self._linker._may_shadow:
            raise WasmtimeError(f"map entry `{name}` defined twice")
        self._definitions[name] = item

    def add_instance(self, name: str) -> LinkerInstance:
        """An instance in this one, made or opened again; until it is closed, this one can't be used."""
        self._check_free()
        check_type(name, str, "a str")
        found = self._definitions.get(name)
        if not isinstance(found, dict):
            found = {}
            self._define(name, found)
        return LinkerInstance._of(self._linker, self, found)

    def add_module(self, name: str, module: Module) -> None:
        """Define a core module, for components that export it again; `wasmartifact.embed` puts in those that run."""
        check_type(module, Module, "a `Module`")
        module._check_open()
        self._define(name, module)

    def add_resource(self, name: str, ty: ResourceType, dtor: Destructor) -> None:
        """Define a resource: ``dtor`` is called with a store and the rep of each that is dropped for good."""
        check_type(ty, ResourceType, "a ResourceType")
        if not callable(dtor):
            raise WrongType("a callable", dtor)
        self._define(name, _ResourceDefinition(ty, dtor))

    def add_func(self, name: str, func: Callable[..., Any]) -> None:
        """Define a function, which is called with a store first."""
        if not callable(func):
            raise WrongType("a callable", func)
        self._define(name, func)


def _kind(item: object) -> str:
    if isinstance(item, dict):
        return "instance"
    if isinstance(item, _ResourceDefinition):
        return "resource"
    return "module" if isinstance(item, Module) else "func"


def _missing(kind: str, name: str, reason: str) -> WasmtimeError:
    words = f"component imports {kind} `{name}`, but a matching implementation was not found in the linker"
    return WasmtimeError(f"{words}\n\nCaused by:\n    {reason}\n")


def _unknown(name: str) -> Callable[..., Any]:
    def call(*arguments: object) -> Any:
        raise WasmtimeError(f"unknown import: `{name}` has not been defined")

    return call
