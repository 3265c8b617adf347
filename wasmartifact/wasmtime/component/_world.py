"""What components import and export: their functions, interfaces and types, as wasmtime-py has them."""

from __future__ import annotations

from wasmartifact.runtime.component_imports import find_interface
from wasmartifact.wasmtime._closing import Managed
from wasmartifact.wasmtime._types import ExportType, ImportType, wrap_type
from wasmartifact.wasmtime.component._made import Made
from wasmartifact.wasmtime.component._resources import ResourceType
from wasmartifact.wasmtime.component._types import Types, ValType
from wasmartifact.wit import types as wit

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from typing import TypeAlias

    from wasmartifact.wasmtime._engine import Engine

    #: What a component imports or exports.
    Item: TypeAlias = wit.Function | wit.Interface | wit.CoreModule | wit.Type


class FuncType(Made, Managed):
    """The type of a function of a component."""

    _params: list[tuple[str, ValType]]
    _result: ValType | None

    @classmethod
    def _of(cls, function: wit.Function, types: Types) -> FuncType:
        made = cls.__new__(cls)
        made._params = [(param.name, types.valtype(param.type)) for param in function.params]
        made._result = types.optional(function.result)
        return made

    @property
    def params(self) -> list[tuple[str, ValType]]:
        """Names and types of its parameters."""
        self._check_open()
        return list(self._params)

    @property
    def result(self) -> ValType | None:
        """Type of its result, None for none."""
        self._check_open()
        return self._result


class ModuleType(Made, Managed):
    """The type of a core module."""

    _module: wit.CoreModule

    @classmethod
    def _of(cls, module: wit.CoreModule) -> ModuleType:
        made = cls.__new__(cls)
        made._module = module
        return made

    def imports(self, engine: Engine) -> list[ImportType]:
        """What it imports, in order."""
        self._check_open()
        return [ImportType(row.module, row.name, wrap_type(row.type)) for row in self._module.imports]

    def exports(self, engine: Engine) -> list[ExportType]:
        """What it exports, in order."""
        self._check_open()
        return [ExportType(row.name, wrap_type(row.type)) for row in self._module.exports]


class ComponentType(Made, Managed):
    """What a component imports and exports."""

    _world: wit.World
    _types: Types

    @classmethod
    def _of(cls, world: wit.World, types: Types) -> ComponentType:
        made = cls.__new__(cls)
        made._world = world
        made._types = types
        return made

    def imports(self, engine: Engine) -> dict[str, ComponentExtern]:
        """What it imports, by name."""
        self._check_open()
        return _externs(self._world.imports, self._types)

    def exports(self, engine: Engine) -> dict[str, ComponentExtern]:
        """What it exports, by name."""
        self._check_open()
        return _externs(self._world.exports, self._types)


class ComponentInstanceType(Made, Managed):
    """The type of an interface that a component imports or exports."""

    _interface: wit.Interface
    _types: Types

    @classmethod
    def _of(cls, interface: wit.Interface, types: Types) -> ComponentInstanceType:
        made = cls.__new__(cls)
        made._interface = interface
        made._types = types
        return made

    def exports(self, engine: Engine) -> dict[str, ComponentExtern]:
        """What it has, by name."""
        self._check_open()
        return _externs(self._interface, self._types)


class ComponentExtern(Made, Managed):
    """Something that is imported or exported."""

    _item: Item
    _types: Types
    _implements: str | None
    _external_id: str | None

    @classmethod
    def _of(cls, name: str, item: Item, place: wit.Interface, types: Types) -> ComponentExtern:
        """Of an item under its name, and what it is in."""
        made = cls.__new__(cls)
        made._item = item
        made._types = types
        made._implements = place.implements.get(name)
        made._external_id = place.external_ids.get(name)
        return made

    @property
    def ty(self) -> ComponentItem:
        """Its type."""
        self._check_open()
        item = self._item
        if isinstance(item, wit.Function):
            return FuncType._of(item, self._types)
        if isinstance(item, wit.Interface):
            return ComponentInstanceType._of(item, self._types)
        if isinstance(item, wit.CoreModule):
            return ModuleType._of(item)
        return self._types.resource(item) if isinstance(item, wit.Resource) else self._types.valtype(item)

    @property
    def implements(self) -> str | None:
        """The interface that an instance with a name of its own stands for; None where it stands for none."""
        self._check_open()
        return self._implements

    def is_implements(self, s: str) -> bool:
        """Whether it stands for an interface, in a version that fits."""
        self._check_open()
        return self._implements is not None and find_interface(self._implements, {s: s}) is not None

    @property
    def external_id(self) -> str | None:
        """What it is called outside of components; None where it has no other name."""
        self._check_open()
        return self._external_id


def _externs(interface: wit.Interface, types: Types) -> dict[str, ComponentExtern]:
    everything = {**interface.interfaces, **interface.types, **interface.modules, **interface.functions}
    return {name: ComponentExtern._of(name, item, interface, types) for name, item in everything.items()}


ComponentItem: TypeAlias = ComponentType | ModuleType | ComponentInstanceType | ResourceType | ValType | FuncType
