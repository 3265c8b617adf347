"""The model of a component: its definitions in the order in which they stand, as the binary format has them.

Each definition adds entries to index spaces, so that order matters; `link` walks the list and resolves everything.
Indices are as written. ``offset`` counts bytes from the start of the file.
"""

from __future__ import annotations

from typing import Any

from wasmartifact.dataclass import dataclass, field
from wasmartifact.wasm.model import FuncType as CoreFuncType

#: Sorts of definitions and index spaces. Those of core WebAssembly begin with "core ".
CORE_SORTS = {
    0x00: "core func",
    0x01: "core table",
    0x02: "core memory",
    0x03: "core global",
    0x04: "core tag",
    0x10: "core type",
    0x11: "core module",
    0x12: "core instance",
}
SORTS = {0x01: "func", 0x02: "value", 0x03: "type", 0x04: "component", 0x05: "instance"}

#: Value types that are one byte.
PRIMITIVES = {
    0x7F: "bool",
    0x7E: "s8",
    0x7D: "u8",
    0x7C: "s16",
    0x7B: "u16",
    0x7A: "s32",
    0x79: "u32",
    0x78: "s64",
    0x77: "u64",
    0x76: "f32",
    0x75: "f64",
    0x74: "char",
    0x73: "string",
}

#: What stands beside the name of an import or export: (kind, value).
Attributes = tuple[tuple[int, str], ...]
#: A value type as it is used: the name of a primitive one, or the index of a type.
ValType = str | int


@dataclass(frozen=True, slots=True)
class DefinedType:
    """A value type with parts: ``kind`` is "record", "variant", "list", "tuple", "flags", "enum", "option", "result",
    "map", "own", "borrow" or a primitive's name; ``names`` of fields, cases or labels, ``parts`` their types."""

    kind: str
    names: tuple[str, ...] = ()
    parts: tuple[ValType | None, ...] = ()


@dataclass(frozen=True, slots=True)
class FuncType:
    """Parameters by name, and the result's type."""

    params: tuple[tuple[str, ValType], ...]
    result: ValType | None
    is_async: bool = False


@dataclass(frozen=True, slots=True)
class ResourceType:
    """A resource that this component defines; ``destructor`` is a core function."""

    destructor: int | None


@dataclass(frozen=True, slots=True)
class ScopeType:
    """The type of an instance or of a component: declarations, which are definitions of a scope of their own."""

    is_component: bool
    declarations: tuple[Definition, ...]


@dataclass(frozen=True, slots=True)
class ModuleType:
    """The type of a core module."""

    declarations: tuple[ModuleDeclaration, ...]


#: A function type; ("import", module, name, kind, type), ("export", name, kind, type); ("alias", scopes, core type).
ModuleDeclaration = CoreFuncType | tuple[Any, ...]
TypeDef = DefinedType | FuncType | ResourceType | ScopeType | ModuleType | CoreFuncType


@dataclass(frozen=True, slots=True)
class ExternDesc:
    """What an import or a declared export is: ``bound`` is "eq" (of type ``index``) or "sub" (a new resource)."""

    sort: str
    index: int = 0
    bound: str = "eq"
    value: ValType | None = None


# Definitions ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CoreModule:
    """A core module: bytes ``data[start:end]`` of the file."""

    offset: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class CoreInstantiate:
    """A core instance of a module, with an instance for each module name."""

    offset: int
    module: int
    arguments: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class InlineInstance:
    """An instance, core or not, that is made of items: (name, sort, index)."""

    offset: int
    is_core: bool
    items: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True, slots=True)
class Instantiate:
    """An instance of a component, with arguments (name, sort, index)."""

    offset: int
    component: int
    arguments: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True, slots=True)
class Alias:
    """An item of an instance (``name``), or of an enclosing component (``depth`` scopes out)."""

    offset: int
    sort: str
    index: int
    name: str | None = None
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Type:
    """A type; ``is_core`` puts it into the index space of core types."""

    offset: int
    type: TypeDef
    is_core: bool = False


@dataclass(frozen=True, slots=True)
class CanonOptions:
    """Canonical options: core indices, and the encoding of strings."""

    encoding: str = "utf8"
    memory: int | None = None
    realloc: int | None = None
    post_return: int | None = None


@dataclass(frozen=True, slots=True)
class Canon:
    """A function by the canonical ABI: ``kind`` is "lift", "lower", "resource.new", "resource.rep" or "resource.drop".

    ``function`` is the core function that is lifted, or the function that is lowered; ``type`` the lifted function's
    type, or the resource."""

    offset: int
    kind: str
    function: int = 0
    type: int = 0
    options: CanonOptions = field(default_factory=CanonOptions)


@dataclass(frozen=True, slots=True)
class Import:
    """An import, or a declared one; ``attributes`` of its name are (kind, value)."""

    offset: int
    name: str
    desc: ExternDesc
    attributes: Attributes = ()


@dataclass(frozen=True, slots=True)
class Export:
    """An export of a component."""

    offset: int
    name: str
    sort: str
    index: int
    desc: ExternDesc | None = None
    attributes: Attributes = ()


@dataclass(frozen=True, slots=True)
class ExportDecl:
    """An export that an instance type or a component type declares."""

    offset: int
    name: str
    desc: ExternDesc
    attributes: Attributes = ()


@dataclass(frozen=True, slots=True)
class Component:
    """A component: ``definitions`` in order; nested ones stand among them."""

    offset: int
    definitions: tuple[Definition, ...]


Definition = (
    CoreModule
    | CoreInstantiate
    | InlineInstance
    | Instantiate
    | Alias
    | Type
    | Canon
    | Import
    | Export
    | ExportDecl
    | Component
)
