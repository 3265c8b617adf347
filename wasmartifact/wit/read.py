"""From the rows that an artifact has of a component to its types."""

from __future__ import annotations

from types import MappingProxyType

from wasmartifact.constants import (
    COMPONENT_KINDS,
    COMPONENT_SORTS,
    NOTE_EXTERNAL_ID,
    NOTE_IMPLEMENTS,
    NOTE_MODULE_TYPE,
)
from wasmartifact.record import NamedTuple
from wasmartifact.wit import types as wit
from wasmartifact.wit.modules import module_type

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

_FUNC, _TYPE, _RESOURCE, _INSTANCE, _MODULE, _IMPORTED_FUNC = (
    COMPONENT_SORTS.index(sort) for sort in ("func", "type", "resource", "instance", "core module", "imported func")
)


class ExternRow(NamedTuple):
    """Something imported or exported, as the column ``component_extern`` has it."""

    name: str
    sort: int
    parent: int
    is_export: int
    index: int  # type: ignore[assignment]  # hides tuple.index, which no row needs


class Rows(NamedTuple):
    """What is known of a component; rows that are referred to count from 1, 0 is none.

    ``types`` are (kind, [(name, type)]), ``canon_types`` the types of the functions of the canonical ABI, ``notes``
    (extern, kind, text), in which ``extern`` is a row.
    """

    types: Sequence[tuple[int, Sequence[tuple[str, int]]]]
    externs: Sequence[ExternRow]
    canon_types: Sequence[int]
    notes: Sequence[tuple[int, int, str]] = ()


def read_world(rows: Rows) -> wit.World:
    """The types of a component."""
    reader = _Reader(rows)
    return wit.World(reader.interface(0, is_export=False), reader.interface(0, is_export=True))


class _Reader:
    """Makes each type once, and puts it where it is named."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        #: Interface and name of each type, by the first that gives it one.
        self.names: dict[int, tuple[str | None, str]] = {}
        self.made: dict[int, wit.Type] = {}
        self.resources: dict[int, wit.Resource] = {}
        self.children: dict[tuple[int, bool], dict[int, ExternRow]] = {}
        #: By kind and extern, as ``children`` counts them.
        self.notes = {(kind, row + 1): text for row, kind, text in rows.notes}
        for place, extern in enumerate(rows.externs, 1):
            self.children.setdefault((extern.parent, bool(extern.is_export)), {})[place] = extern
        for extern in rows.externs:
            if extern.sort == _RESOURCE and extern.index not in self.resources:
                self.resources[extern.index] = wit.Resource(extern.name, self.owner(extern.parent))
            elif extern.sort == _TYPE:
                self.names.setdefault(extern.index, (self.owner(extern.parent), extern.name))
        self._find_methods()

    def _find_methods(self) -> None:
        """Methods name their resource as types of their parameters do, so that it is there before them."""
        for siblings in self.children.values():
            named = {row.name: self.resources[row.index] for row in siblings.values() if row.sort == _RESOURCE}
            found: dict[str, dict[str, dict[str, wit.Function]]] = {}
            for row in siblings.values():
                kind, closing, rest = row.name.partition("]")
                owner, _, method = rest.partition(".")
                if row.sort in (_FUNC, _IMPORTED_FUNC) and closing and owner in named:
                    found.setdefault(owner, {}).setdefault(kind[1:], {})[method] = self.function(row)
            for owner, kinds in found.items():
                resource = named[owner]
                object.__setattr__(resource, "constructor", kinds.get("constructor", {}).get(""))
                object.__setattr__(resource, "methods", MappingProxyType(kinds.get("method", {})))
                object.__setattr__(resource, "statics", MappingProxyType(kinds.get("static", {})))

    def owner(self, parent: int) -> str | None:
        """Name of the interface in a row, which counts from 1; 0 is the component itself."""
        return self.rows.externs[parent - 1].name if parent else None

    def interface(self, parent: int, *, is_export: bool) -> wit.Interface:
        """What is in an instance, or what the component itself imports or exports."""
        types: dict[str, wit.Type] = {}
        functions: dict[str, wit.Function] = {}
        interfaces: dict[str, wit.Interface] = {}
        modules: dict[str, wit.CoreModule] = {}
        for place, row in self.children.get((parent, is_export), {}).items():
            if row.sort in (_FUNC, _IMPORTED_FUNC):
                functions[row.name] = self.function(row)
            elif row.sort == _RESOURCE:
                types[row.name] = self.resources[row.index]
            elif row.sort == _TYPE and row.index and COMPONENT_KINDS[self.rows.types[row.index - 1][0]] != "func":
                types[row.name] = self.type(row.index)
            elif row.sort == _INSTANCE:
                interfaces[row.name] = self.interface(place, is_export=is_export)
            elif row.sort == _MODULE:
                modules[row.name] = self.module(place, row.name)
        parts: list[Any] = [MappingProxyType(part) for part in (types, functions, interfaces, modules)]
        attributes = [self.attributes(kind, parent, is_export) for kind in (NOTE_IMPLEMENTS, NOTE_EXTERNAL_ID)]
        return wit.Interface(self.owner(parent), *parts, *attributes)

    def module(self, place: int, name: str) -> wit.CoreModule:
        """A core module; artifacts of before have no types of them."""
        text = self.notes.get((NOTE_MODULE_TYPE, place))
        return wit.CoreModule(name) if text is None else wit.CoreModule(name, *module_type(text))

    def attributes(self, kind: int, parent: int, is_export: bool) -> Mapping[str, str]:
        """What notes of a kind say of what is in an instance, by name."""
        rows = self.children.get((parent, is_export), {}) if self.notes else {}
        found = {row.name: self.notes[kind, place] for place, row in rows.items() if (kind, place) in self.notes}
        return MappingProxyType(found) if found else wit.NO_TEXTS

    def function(self, row: ExternRow) -> wit.Function:
        """A function of either side."""
        index = row.index
        if row.sort == _IMPORTED_FUNC:
            index = self.rows.externs[index - 1].index
        elif row.is_export:
            index = self.rows.canon_types[index - 1]
        *params, (_, result) = self.rows.types[index - 1][1]
        named = tuple([wit.Param(name, self.type(part)) for name, part in params])
        return wit.Function(row.name, named, self.optional(result))

    def optional(self, number: int) -> wit.Type | None:
        """A type that may not be there."""
        return self.type(number) if number else None

    def type(self, number: int) -> wit.Type:
        """The type of a row, which counts from 1; each is made once."""
        if number not in self.made:
            self.made[number] = self._make(number)
        return self.made[number]

    def _make(self, number: int) -> wit.Type:
        code, items = self.rows.types[number - 1]
        kind = COMPONENT_KINDS[code]
        owner, name = self.names.get(number, (None, ""))
        labels = tuple([label for label, _ in items])
        if kind == "record":
            return wit.Record(name, owner, tuple([wit.Field(label, self.type(part)) for label, part in items]))
        if kind == "variant":
            return wit.Variant(name, owner, tuple([wit.Case(label, self.optional(part)) for label, part in items]))
        if kind == "enum":
            return wit.Enum(name, owner, labels)
        if kind == "flags":
            return wit.Flags(name, owner, labels)
        plain = self._plain(kind, [part for _, part in items])
        return wit.Alias(name, owner, plain) if name else plain

    def _plain(self, kind: str, parts: list[int]) -> wit.Type:
        if kind == "list":
            return wit.List(self.type(parts[0]))
        if kind == "option":
            return wit.Option(self.type(parts[0]))
        if kind == "result":
            return wit.Result(self.optional(parts[0]), self.optional(parts[1]))
        if kind == "tuple":
            return wit.Tuple(tuple([self.type(part) for part in parts]))
        if kind in ("own", "borrow"):
            handle: Any = wit.Own if kind == "own" else wit.Borrow
            made: wit.Type = handle(self.resource(parts[0]))
            return made
        return wit.Primitive(kind)

    def resource(self, number: int) -> wit.Resource:
        """A resource; one that has no name is its component's own business."""
        if number not in self.resources:
            self.resources[number] = wit.Resource(f"resource-{number}", None)
        return self.resources[number]
