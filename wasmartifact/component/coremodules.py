"""Core modules that a component imports, exports or is given: their types, and whether one fits another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

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


def core_type(definition: Any, outer: Callable[[int, int], Any]) -> Any:
    """What a core type stands for: the type of a core module, or a function type, which it is already.

    ``outer`` gives a core type by scopes outwards and index; the first one outwards is where the definition stands.
    """
    return _module_type(definition, outer) if isinstance(definition, Declarations) else definition


def _module_type(declarations: Declarations, outer: Callable[[int, int], Any]) -> ModuleType:
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


def difference(found: ModuleType, wanted: ModuleType) -> str | None:
    """What keeps a core module from standing where one of another type is wanted; None where nothing does.

    It exports what is wanted at least, and imports at most what the other one may.
    """
    exports = {row.name: row.type for row in found.exports}
    for row in wanted.exports:
        if row.name not in exports:
            return f"does not export {row.name!r}, {_words(row.type)}"
        if not _fits(exports[row.name], row.type):
            return f"exports {row.name!r} as {_words(exports[row.name])}, expected {_words(row.type)}"
    imports = {(row.module, row.name): row.type for row in wanted.imports}
    for needed in found.imports:
        place = (needed.module, needed.name)
        if place not in imports:
            return f"imports {needed.module!r} {needed.name!r}, which the component does not give it"
        if not _fits(imports[place], needed.type):
            words = f"{_words(needed.type)}, the component gives {_words(imports[place])}"
            return f"imports {needed.module!r} {needed.name!r} as {words}"
    return None


def _fits(found: ExternType, wanted: ExternType) -> bool:
    """Whether what there is can stand for what is wanted: equal, but for limits of memories and tables."""
    if isinstance(found, MemoryType) and isinstance(wanted, MemoryType):
        limits = (found.min_pages, found.max_pages), (wanted.min_pages, wanted.max_pages)
        rests = [type_._replace(min_pages=0, max_pages=None) for type_ in (found, wanted)]
        return rests[0] == rests[1] and _within(*limits)
    if isinstance(found, TableType) and isinstance(wanted, TableType):
        limits = (found.min, found.max), (wanted.min, wanted.max)
        return found._replace(min=0, max=None) == wanted._replace(min=0, max=None) and _within(*limits)
    return type(found) is type(wanted) and found == wanted  # as tuples, types of different kinds may be equal


def _within(found: tuple[int, int | None], wanted: tuple[int, int | None]) -> bool:
    (least, most), (wanted_least, wanted_most) = found, wanted
    return least >= wanted_least and (wanted_most is None or (most is not None and most <= wanted_most))


def _words(type_: ExternType) -> str:
    return f"{_KINDS[type(type_)]} {type_}"


_KINDS: Final[dict[type, str]] = {
    FuncType: "a function", MemoryType: "a memory", TableType: "a table", GlobalType: "a global", TagType: "a tag",
}  # fmt: skip
