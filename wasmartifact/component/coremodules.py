"""Core modules that a component imports, exports or is given: their types, and whether one fits another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wasmartifact.component.model import ModuleType as Declarations
from wasmartifact.externtypes import (
    ExternType,
    FuncType,
    GlobalType,
    MemoryType,
    TableType,
    TagType,
    valtype_name,
)
from wasmartifact.schema import KIND_FUNC, KIND_GLOBAL, KIND_MEMORY, KIND_TABLE, KIND_TAG
from wasmartifact.wasm import model
from wasmartifact.wit.modules import ModuleExport, ModuleImport, ModuleType

if TYPE_CHECKING:
    from collections.abc import Callable


def type_of(module: model.Module) -> ModuleType:
    """The type of a decoded module."""
    spaces: dict[int, Any] = {
        KIND_FUNC: [_function(module.types[index]) for index in module.function_types],
        KIND_TABLE: module.table_types,
        KIND_MEMORY: module.memory_types,
        KIND_GLOBAL: module.global_types,
        KIND_TAG: [_tag(module.types[index]) for index in module.tag_types],
    }
    return ModuleType(
        tuple([ModuleImport(row.module, row.name, extern_type(spaces[row.kind][row.index])) for row in module.imports]),
        tuple([ModuleExport(row.name, extern_type(spaces[row.kind][row.index])) for row in module.exports]),
    )


def declared_type(declarations: Declarations, outer: Callable[[int, int], Any]) -> ModuleType:
    """The type that a component declares; ``outer`` gives a core type by scopes outwards and index."""
    types: list[Any] = []
    imports, exports = [], []
    for declaration in declarations.declarations:
        if isinstance(declaration, model.FuncType):
            types.append(declaration)
        elif declaration[0] == "alias":
            types.append(outer(*declaration[1:]))
        else:
            what, *names, kind, found = declaration
            if kind == KIND_FUNC:
                found = _function(types[found])
            elif kind == KIND_TAG:
                found = _tag(types[found])
            if what == "import":
                imports.append(ModuleImport(names[0], names[1], extern_type(found)))
            else:
                exports.append(ModuleExport(names[0], extern_type(found)))
    return ModuleType(tuple(imports), tuple(exports))


def extern_type(type_: Any) -> ExternType:
    """A type of the model as users see it."""
    if isinstance(type_, model.TableType):
        limits = type_.limits
        return TableType(valtype_name(type_.element), limits.min, limits.max, limits.shared, limits.is64)
    if isinstance(type_, model.MemoryType):
        limits = type_.limits
        return MemoryType(limits.min, limits.max, limits.shared, limits.is64, 1 << type_.page_log2)
    if isinstance(type_, model.GlobalType):
        return GlobalType(valtype_name(type_.valtype), type_.mutable)
    made: ExternType = type_
    return made


def _function(type_: Any) -> FuncType:
    """A function type; another composite type is none of a valid module's functions."""
    return FuncType(map(valtype_name, type_.params), map(valtype_name, type_.results))


def _tag(type_: Any) -> TagType:
    return TagType(tuple(map(valtype_name, type_.params)))
