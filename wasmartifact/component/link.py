"""Linking of a component at pack time: its graph of instances is static, so all of it is resolved here.

What comes out (`Program`) has no nesting any more: core instances in the order in which they begin, the functions of
the canonical ABI, value types as rows of one table, resources, and the tree of what is imported and exported.
"""

from __future__ import annotations

from typing import Any, Final

from wasmartifact.component import model
from wasmartifact.component.coremodules import core_type, type_of
from wasmartifact.component.decode import unsupported
from wasmartifact.dataclass import dataclass, field, replace
from wasmartifact.errors import UnsupportedModule
from wasmartifact.record import NamedTuple
from wasmartifact.schema import (
    CANON_ADAPTER,
    CANON_HOST,
    CANON_LIFT,
    CANON_RESOURCE_DROP,
    CANON_RESOURCE_NEW,
    CANON_RESOURCE_REP,
    COMPONENT_KINDS,
    COMPONENT_SORTS,
    KINDS,
    NOTE_EXTERNAL_ID,
    NOTE_IMPLEMENTS,
    NOTE_MODULE_TYPE,
    STRING_ENCODINGS,
)
from wasmartifact.wasm.decode import decode_module
from wasmartifact.wasm.model import FuncType as CoreFuncType
from wasmartifact.wasm.model import Module
from wasmartifact.wit.modules import ModuleType, module_text

#: A core item: number of the core instance that defines it, index there; of a canonical function: CANON, its row.
CoreRef = tuple[int, int]
CANON: Final = -1
#: Components can make exponentially many instances of each other; published ones have about a hundred.
MAX_INSTANCES: Final = 20_000

_CORE_KINDS: Final = {f"core {kind}": index for index, kind in enumerate(KINDS)}
#: Attributes of names that are kept, by their codes in the binary format.
_NOTES: Final = {0: NOTE_IMPLEMENTS, 2: NOTE_EXTERNAL_ID}
_RESOURCE_CANONS: Final = {
    "resource.new": CANON_RESOURCE_NEW,
    "resource.rep": CANON_RESOURCE_REP,
    "resource.drop": CANON_RESOURCE_DROP,
}


@dataclass(frozen=True, slots=True)
class TypeRow:
    """A type: ``kind`` of COMPONENT_KINDS; ``items`` are (name, type row + 1 or 0); of own and borrow, a resource + 1.

    Of a function: its parameters, then one for its result."""

    kind: int
    items: tuple[tuple[str, int], ...]


@dataclass(slots=True)
class ResourceRow:
    """A resource: ``owner`` is the component instance that defines it, None for the embedder."""

    owner: int | None
    destructor: CoreRef | None


@dataclass(frozen=True, slots=True)
class CanonRow:
    """A function of the canonical ABI; see the columns ``canon_*`` of the schema."""

    kind: int
    instance: int
    type: int | None = None
    core: CoreRef | None = None
    memory: CoreRef | None = None
    realloc: CoreRef | None = None
    post_return: CoreRef | None = None
    encoding: int = 0
    target: int | None = None


@dataclass(frozen=True, slots=True)
class ExternRow:
    """Something imported or exported: ``parent`` is the row of the instance that it is in; ``index`` is by sort."""

    name: str
    sort: int
    parent: int | None
    is_export: bool
    index: int | None


@dataclass(slots=True)
class CoreInstance:
    """A core instance: its module, and what each of its imports is."""

    module: Module
    imports: list[CoreRef]


@dataclass(slots=True)
class Program:
    """A linked component."""

    cores: list[CoreInstance] = field(default_factory=list)
    types: list[TypeRow] = field(default_factory=list)
    resources: list[ResourceRow] = field(default_factory=list)
    canons: list[CanonRow] = field(default_factory=list)
    externs: list[ExternRow] = field(default_factory=list)
    #: Kind, row of externs and text of each note, see the column ``component_note``.
    notes: list[tuple[int, int, str]] = field(default_factory=list)
    instances: int = 0


@dataclass(frozen=True, slots=True)
class _Func:
    """A component function: a lifted one has a row of canons, one of the embedder a row of externs."""

    type: int
    lift: int | None = None
    extern: int | None = None


@dataclass(frozen=True, slots=True)
class _ValueType:
    row: int


@dataclass(frozen=True, slots=True)
class _Resource:
    row: int


@dataclass(frozen=True, slots=True)
class _Closure:
    """A component or the type of one, with the scope that it stands in."""

    body: model.Component | model.ScopeType
    scope: _Scope


@dataclass(frozen=True, slots=True)
class _ImportedModule:
    """A core module that the embedder gives: it may be exported, and no instance be made of it."""

    name: str
    type: ModuleType


class _Item(NamedTuple):
    """What an instance has under a name, and what stands beside the name."""

    sort: str
    entity: Any
    attributes: model.Attributes = ()


Items = dict[str, _Item]


class _Scope:
    """The index spaces of a component instance, or of an instance type."""

    def __init__(self, parent: _Scope | None, instance: int) -> None:
        self.parent = parent
        self.instance = instance
        self.spaces: dict[str, list[Any]] = {}
        self.exports: Items = {}

    def add(self, sort: str, entity: Any) -> None:
        self.spaces.setdefault(sort, []).append(entity)

    def get(self, sort: str, index: int) -> Any:
        return self.spaces[sort][index]

    def outer(self, depth: int) -> _Scope:
        scope = self
        for _ in range(depth):
            assert scope.parent is not None
            scope = scope.parent
        return scope


def link_component(data: bytes, component: model.Component) -> Program:
    """Resolve a valid component.

    Raises
    ------
    UnsupportedModule
        It imports or exports what can't be resolved before it runs.
    """
    linker = _Linker(data)
    scope = linker.instantiate(component, None, None)
    for name, item in scope.exports.items():
        linker.publish(name, item, None)
    return linker.program


def _import_error(offset: int, what: str, name: str) -> UnsupportedModule:
    """What can't be compiled before it is there, and can be put in."""
    return UnsupportedModule(
        f"component: byte {offset:#x}: {what}, {name!r} (feature component-imports): all that runs is compiled ahead "
        f"of time; put it in by wasmartifact.embed(component, {{{name!r}: ...}}), and pack what that gives",
        feature="component-imports",
        wasm_offset=offset,
    )


class _Linker:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.program = Program()
        self.modules: dict[int, Module] = {}
        self.type_rows: dict[TypeRow, int] = {}
        self.lowered: dict[CanonRow, int] = {}
        self.named: set[int] = set()

    # Scopes -------------------------------------------------------------------------------------------------------

    def instantiate(self, component: model.Component, parent: _Scope | None, arguments: Items | None) -> _Scope:
        """An instance of a component; the embedder gives the arguments of the outermost one."""
        scope = _Scope(parent, self.program.instances)
        self.program.instances += 1
        if self.program.instances > MAX_INSTANCES:
            raise unsupported(component.offset, f"more than {MAX_INSTANCES} component instances", "component-size")
        for definition in component.definitions:
            if isinstance(definition, model.Import):
                if arguments is None:
                    scope.add(definition.desc.sort, self.host_import(definition, scope, None))
                else:
                    item = arguments[definition.name]
                    scope.add(item.sort, item.entity)
            else:
                _DEFINE[type(definition)](self, definition, scope)
        return scope

    def host_import(self, declared: model.Import | model.ExportDecl, scope: _Scope, parent: int | None) -> Any:
        """What the embedder gives for an import, or for an export of an imported instance."""
        desc, program = declared.desc, self.program
        if desc.sort == "component":
            raise _import_error(declared.offset, "the import of a component", declared.name)
        row = len(program.externs)
        program.externs.append(ExternRow(declared.name, COMPONENT_SORTS.index(desc.sort), parent, False, None))
        self.note_attributes(declared.attributes, row)
        entity: Any
        if desc.sort == "type" and desc.bound == "sub":
            program.resources.append(ResourceRow(None, None))
            entity = _Resource(len(program.resources) - 1)
        elif desc.sort == "func":
            entity = _Func(scope.get("type", desc.index), extern=row)
        elif desc.sort == "type":
            entity = self.name_type(scope.get("type", desc.index))
        elif desc.sort == "core module":
            entity = _ImportedModule(declared.name, scope.get("core type", desc.index))
            self.note_module(entity.type, row)
        else:
            entity = self.host_instance(scope.get("type", desc.index), row)
        sort = COMPONENT_SORTS.index("resource" if isinstance(entity, _Resource) else desc.sort)
        program.externs[row] = ExternRow(declared.name, sort, parent, False, self.extern_index(entity))
        return entity

    def host_instance(self, closure: _Closure, row: int) -> Items:
        """An instance that the embedder gives, of an instance type."""
        scope, items = _Scope(closure.scope, 0), {}
        assert isinstance(closure.body, model.ScopeType)
        for definition in closure.body.declarations:
            if isinstance(definition, model.ExportDecl):
                entity = self.host_import(definition, scope, row)
                scope.add(definition.desc.sort, entity)
                items[definition.name] = _Item(definition.desc.sort, entity, definition.attributes)
            else:
                _DEFINE[type(definition)](self, definition, scope)
        return items

    def note_attributes(self, attributes: model.Attributes, row: int) -> None:
        """Keep what the name of an import or export says beside."""
        self.program.notes += [(_NOTES[kind], row, text) for kind, text in attributes if kind in _NOTES]

    def note_module(self, type_: ModuleType, row: int) -> None:
        """Keep the type of a core module that is imported or exported."""
        self.program.notes.append((NOTE_MODULE_TYPE, row, module_text(type_)))

    def extern_index(self, entity: Any) -> int | None:
        """What ``extern_index`` says of an entity."""
        if isinstance(entity, _Func):
            return entity.type if entity.lift is None else entity.lift
        if isinstance(entity, (_ValueType, _Resource)):
            return entity.row
        return entity if isinstance(entity, int) else None  # a type of functions

    def publish(self, name: str, item: _Item, parent: int | None) -> None:
        """Make a row of what the component exports, and of all that is in it."""
        sort, entity, attributes = item
        if sort not in COMPONENT_SORTS:
            return
        code = COMPONENT_SORTS.index("resource" if isinstance(entity, _Resource) else sort)
        if isinstance(entity, _Func) and entity.lift is None:
            code = COMPONENT_SORTS.index("imported func")
            index = entity.extern
        else:
            index = self.extern_index(entity)
        row = len(self.program.externs)
        self.program.externs.append(ExternRow(name, code, parent, True, index))
        self.note_attributes(attributes, row)
        if sort == "core module":
            self.note_module(entity.type if isinstance(entity, _ImportedModule) else type_of(self.module(entity)), row)
        if isinstance(entity, dict):
            for inner_name, inner in entity.items():
                self.publish(inner_name, inner, row)

    # Definitions --------------------------------------------------------------------------------------------------

    def core_module(self, definition: model.CoreModule, scope: _Scope) -> None:
        scope.add("core module", definition)

    def component(self, definition: model.Component, scope: _Scope) -> None:
        scope.add("component", _Closure(definition, scope))

    def core_instance(self, definition: model.CoreInstantiate, scope: _Scope) -> None:
        place = scope.get("core module", definition.module)
        if isinstance(place, _ImportedModule):
            raise _import_error(definition.offset, "an instance of a core module that is imported", place.name)
        module = self.module(place)
        arguments = {name: scope.get("core instance", index) for name, index in definition.arguments}
        imports = [arguments[row.module][row.name].entity for row in module.imports]
        number = len(self.program.cores)
        if number >= MAX_INSTANCES:
            raise unsupported(definition.offset, f"more than {MAX_INSTANCES} core instances", "component-size")
        self.program.cores.append(CoreInstance(module, imports))
        imported: dict[int, list[CoreRef]] = {kind: [] for kind in range(len(KINDS))}
        for row, ref in zip(module.imports, imports, strict=True):
            imported[row.kind].append(ref)
        exports = {}
        for export in module.exports:
            known = imported[export.kind]
            ref = known[export.index] if export.index < len(known) else (number, export.index)
            exports[export.name] = _Item(f"core {KINDS[export.kind]}", ref)
        scope.add("core instance", exports)

    def module(self, place: model.CoreModule) -> Module:
        """A core module of the component, decoded once."""
        if place.start not in self.modules:
            self.modules[place.start] = decode_module(self.data[place.start : place.end])
        return self.modules[place.start]

    def inline_instance(self, definition: model.InlineInstance, scope: _Scope) -> None:
        items = {name: _Item(sort, scope.get(sort, index)) for name, sort, index in definition.items}
        scope.add("core instance" if definition.is_core else "instance", items)

    def instance(self, definition: model.Instantiate, scope: _Scope) -> None:
        closure = scope.get("component", definition.component)
        arguments = {name: _Item(sort, scope.get(sort, index)) for name, sort, index in definition.arguments}
        scope.add("instance", self.instantiate(closure.body, closure.scope, arguments).exports)

    def alias(self, definition: model.Alias, scope: _Scope) -> None:
        if definition.name is None:
            scope.add(definition.sort, scope.outer(definition.depth).get(definition.sort, definition.index))
            return
        sort = "core instance" if definition.sort in _CORE_KINDS else "instance"
        scope.add(definition.sort, scope.get(sort, definition.index)[definition.name].entity)

    def export(self, definition: model.Export, scope: _Scope) -> None:
        entity = self.name_type(scope.get(definition.sort, definition.index))
        if isinstance(entity, _Func) and definition.desc is not None:
            entity = self.ascribe(entity, scope.get("type", definition.desc.index))
        scope.add(definition.sort, entity)
        scope.exports[definition.name] = _Item(definition.sort, entity, definition.attributes)

    def export_declaration(self, definition: model.ExportDecl, scope: _Scope) -> None:
        raise AssertionError("a declaration outside of the type of an imported instance")

    # Types --------------------------------------------------------------------------------------------------------

    def name_type(self, entity: Any) -> Any:
        """What an import or export gives a name: a type that has none yet becomes one of its own, so that types that
        are made alike keep their names, and one that has a name already is the same under the other one."""
        if not isinstance(entity, _ValueType) or entity.row in self.named:
            return entity
        row = len(self.program.types)
        self.program.types.append(self.program.types[entity.row])
        self.named.add(row)
        return _ValueType(row)

    def ascribe(self, function: _Func, type_row: int) -> _Func:
        """A function with an equal type, in which types have the names that they are exported by."""
        if function.lift is not None:
            canons = self.program.canons
            canons[function.lift] = replace(canons[function.lift], type=type_row)
        return replace(function, type=type_row)

    def type(self, definition: model.Type, scope: _Scope) -> None:
        sort = "core type" if definition.is_core else "type"
        scope.add(sort, self.resolve_type(definition.type, scope))

    def resolve_type(self, type_: model.TypeDef, scope: _Scope) -> Any:
        """What an index of types stands for: a value type, a resource, the row of a function type, or a scope."""
        if isinstance(type_, model.ScopeType):
            return _Closure(type_, scope)
        if isinstance(type_, (model.ModuleType, CoreFuncType)):
            return core_type(type_, lambda depth, index: scope.outer(depth - 1).get("core type", index))
        if isinstance(type_, model.ResourceType):
            destructor = None if type_.destructor is None else scope.get("core func", type_.destructor)
            self.program.resources.append(ResourceRow(scope.instance, destructor))
            return _Resource(len(self.program.resources) - 1)
        if isinstance(type_, model.FuncType):
            items = [(name, self.value_row(part, scope) + 1) for name, part in type_.params]
            items.append(("", 0 if type_.result is None else self.value_row(type_.result, scope) + 1))
            return self.intern("func", tuple(items))
        if type_.kind in ("own", "borrow"):
            resource = scope.get("type", type_.parts[0])  # type: ignore[arg-type]
            return _ValueType(self.intern(type_.kind, (("", resource.row + 1),)))
        if type_.kind == "map":  # passed as a list of pairs
            pair = [("", 0 if part is None else self.value_row(part, scope) + 1) for part in type_.parts]
            return _ValueType(self.intern("list", (("", self.intern("tuple", tuple(pair)) + 1),)))
        parts = [0 if part is None else self.value_row(part, scope) + 1 for part in type_.parts]
        names = type_.names or ("",) * len(parts)
        parts = parts or [0] * len(names)
        return _ValueType(self.intern(type_.kind, tuple(zip(names, parts, strict=True))))

    def value_row(self, type_: model.ValType, scope: _Scope) -> int:
        """Row of a value type."""
        if isinstance(type_, str):
            return self.intern(type_, ())
        row: int = scope.get("type", type_).row
        return row

    def intern(self, kind: str, items: tuple[tuple[str, int], ...]) -> int:
        """Row of a type; equal ones have one."""
        type_ = TypeRow(COMPONENT_KINDS.index(kind), items)
        row = self.type_rows.setdefault(type_, len(self.program.types))
        if row == len(self.program.types):
            self.program.types.append(type_)
        return row

    # Functions ----------------------------------------------------------------------------------------------------

    def canon(self, definition: model.Canon, scope: _Scope) -> None:
        row = len(self.program.canons)
        options = definition.options
        places: dict[str, Any] = {
            "memory": None if options.memory is None else scope.get("core memory", options.memory),
            "realloc": None if options.realloc is None else scope.get("core func", options.realloc),
            "post_return": None if options.post_return is None else scope.get("core func", options.post_return),
            "encoding": STRING_ENCODINGS.index(options.encoding),
        }
        if definition.kind == "lift":
            type_row = scope.get("type", definition.type)
            core = scope.get("core func", definition.function)
            self.program.canons.append(CanonRow(CANON_LIFT, scope.instance, type=type_row, core=core, **places))
            scope.add("func", _Func(type_row, lift=row))
            return
        if definition.kind == "lower":
            function = scope.get("func", definition.function)
            is_host = function.lift is None
            kind, target = (CANON_HOST, function.extern) if is_host else (CANON_ADAPTER, function.lift)
            lowered = CanonRow(kind, scope.instance, type=function.type, target=target, **places)
        else:
            resource = scope.get("type", definition.type)
            lowered = CanonRow(_RESOURCE_CANONS[definition.kind], scope.instance, target=resource.row)
        row = self.lowered.setdefault(lowered, row)  # each library that a component links lowers the same anew
        if row == len(self.program.canons):
            self.program.canons.append(lowered)
        scope.add("core func", (CANON, row))


_DEFINE: Final[dict[type, Any]] = {
    model.CoreModule: _Linker.core_module,
    model.Component: _Linker.component,
    model.CoreInstantiate: _Linker.core_instance,
    model.InlineInstance: _Linker.inline_instance,
    model.Instantiate: _Linker.instance,
    model.Alias: _Linker.alias,
    model.Export: _Linker.export,
    model.ExportDecl: _Linker.export_declaration,
    model.Type: _Linker.type,
    model.Canon: _Linker.canon,
}
