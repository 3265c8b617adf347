"""What an instance of a component has in common with the functions of the host that it calls."""

from __future__ import annotations

from wasmartifact.wasmtime._func import native_store, program_of
from wasmartifact.wasmtime._store import StoreContext
from wasmartifact.wasmtime.component._resources import ResourceType
from wasmartifact.wasmtime.component._types import Types
from wasmartifact.wasmtime.component._values import Conversions

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from wasmartifact.wasi.host import Wasi
    from wasmartifact.wasmtime._func import Storelike
    from wasmartifact.wasmtime.component._resources import Destructor
    from wasmartifact.wit import types as wit


class Surroundings:
    """What an instance's functions have in common, those that it calls too: its store, types and resources.

    Parameters
    ----------
    store : Storelike
        Where it is made.
    """

    def __init__(self, store: Storelike) -> None:
        self._native = native_store(store)
        self._program = program_of(store)
        #: Types of the resources that it imports; others are its own.
        self.resources: dict[wit.Resource, ResourceType] = {}
        #: What the linker has for resources of the host, by their types.
        self.destructors: dict[ResourceType, Destructor] = {}
        self.types = Types(self._resource_type)
        self.conversions = Conversions(self._destroyer)

    def _resource_type(self, resource: wit.Resource) -> ResourceType:
        if resource not in self.resources:
            self.resources[resource] = ResourceType._of(self, resource)
        return self.resources[resource]

    def _destroyer(self, type_: ResourceType) -> Callable[[int], None] | None:
        destructor = self.destructors.get(type_)
        if destructor is None:
            return None

        def destroy(rep: int) -> None:
            self.call(destructor, rep)

        return destroy

    @property
    def program(self) -> Wasi:
        """What a WASI program sees; nothing where the store was not told."""
        if self._program is None:
            from wasmartifact.wasi.host import Wasi

            self._program = Wasi()
        return self._program

    def call(self, func: Callable[..., Any], *arguments: Any) -> Any:
        """What a function of the host gives; the store that it gets is good until it returns."""
        context = StoreContext._within(self._native, self._program)
        try:
            return func(context, *arguments)
        finally:
            context._ended = True
