"""Component: a compiled component, which is an artifact of the cache; ExportIndex: an export that was looked up."""

from __future__ import annotations

from wasmartifact.errors import WasmArtifactError
from wasmartifact.runtime.component import Component as NativeComponent
from wasmartifact.runtime.component_imports import find_interface
from wasmartifact.wasmtime._closing import Managed, check_type
from wasmartifact.wasmtime._errors import WasmtimeError
from wasmartifact.wasmtime._module import Compiled
from wasmartifact.wasmtime.component._made import Made
from wasmartifact.wasmtime.component._resources import ResourceType
from wasmartifact.wasmtime.component._types import Types
from wasmartifact.wasmtime.component._world import ComponentType
from wasmartifact.wit import types as wit

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from collections.abc import Mapping

    from wasmartifact.runtime.artifact import Artifact
    from wasmartifact.wasmtime.component._world import Item


class ExportIndex(Made, Managed):
    """An export of a component, for any of its instances."""

    _component: NativeComponent
    _path: tuple[str, ...]
    _item: Item

    @classmethod
    def _of(cls, component: NativeComponent, path: tuple[str, ...], item: Item) -> ExportIndex:
        """``path``: its name, after those of the interfaces that it is in."""
        made = cls.__new__(cls)
        made._component = component
        made._path = path
        made._item = item
        return made


class Component(Compiled):
    """A compiled component; like a module's, its code comes from the cache of `wasmartifact.compile`.

    Parameters
    ----------
    engine : Engine
    wasm : str | bytes
        The component: text, or binary.

    Raises
    ------
    WasmtimeError
        It is no valid component, or needs what the package does not take.
    """

    _artifact: NativeComponent

    def _check_kind(self, artifact: Artifact) -> None:
        if not artifact._is_component:
            raise WasmtimeError("expected a component, found a WebAssembly module: Module takes it")

    def get_export_index(self, name: str, instance: ExportIndex | None = None) -> ExportIndex | None:
        """Look an export up, in an exported interface where one is given; None where there is none."""
        self._check_open()
        return find_export(self._artifact, name, instance)

    @property
    def type(self) -> ComponentType:
        """What it imports and exports."""
        self._check_open()
        component = self._artifact
        return ComponentType._of(world(component), Types(lambda resource: ResourceType._of(component, resource)))


def world(component: NativeComponent) -> wit.World:
    """The types of a component, with the errors of wasmtime-py."""
    try:
        return component.types
    except WasmArtifactError as problem:
        raise WasmtimeError(problem.message) from None


def find_export(component: NativeComponent, name: str, instance: ExportIndex | None) -> ExportIndex | None:
    """An export by its name, in an interface that was looked up before; versions that fit each other do."""
    check_type(name, str, "a str")
    place = world(component).exports
    path: tuple[str, ...] = ()
    if instance is not None:
        check_type(instance, ExportIndex, "an ExportIndex")
        instance._check_open()
        if instance._component is not component or not isinstance(instance._item, wit.Interface):
            return None
        place, path = instance._item, instance._path
    known: tuple[Mapping[str, Item], ...] = (place.functions, place.types, place.modules)
    item = next((names[name] for names in known if name in names), None) or find_interface(name, place.interfaces)
    if item is None:
        return None
    own_name = item.name if isinstance(item, wit.Interface) and item.name is not None else name
    return ExportIndex._of(component, (*path, own_name), item)
