"""What the columns of a component say of its types, imports and exports, checked row by row."""

from __future__ import annotations

from wasmartifact.constants import COLUMN_IDS, COMPONENT_KINDS, COMPONENT_SORTS, NOTE_MODULE_TYPE
from wasmartifact.metadata.columns import Columns
from wasmartifact.wit.modules import module_type
from wasmartifact.wit.read import ExternRow, Rows

_STRING, _OWN, _BORROW, _FUNC = (COMPONENT_KINDS.index(kind) for kind in ("string", "own", "borrow", "func"))
#: Kinds of which an item may be without a type.
_OPTIONAL = frozenset(COMPONENT_KINDS.index(kind) for kind in ("variant", "result", "enum", "flags"))
#: How many items a kind has, where that is fixed; the others that have any have one at least.
_COUNTS = {"list": 1, "option": 1, "result": 2, "own": 1, "borrow": 1}
_EXPORTED_FUNC, _TYPE, _RESOURCE, _IMPORTED_FUNC = (
    COMPONENT_SORTS.index(sort) for sort in ("func", "type", "resource", "imported func")
)


def component_rows(columns: Columns) -> Rows:
    """What `wasmartifact.wit.read` reads, of the section of a component.

    Raises
    ------
    CorruptArtifact
        A row refers to one that is not there.
    """
    types = _types(columns)
    canon_types = list(columns.column("component_canon.type"))
    for row, number in enumerate(canon_types):
        if number and (number > len(types) or types[number - 1][0] != _FUNC):
            raise columns.corrupt_row("component_canon.type", row, number, "the row of a function's type")
    externs = _externs(columns, types, canon_types)
    return Rows(types, externs, canon_types, _notes(columns, len(externs)))


def _notes(columns: Columns, extern_count: int) -> list[tuple[int, int, str]]:
    """Notes on imports and exports; artifacts without any have no column for them."""
    if COLUMN_IDS["component_note"] not in columns.directory:
        return []
    notes = []
    for row, (extern, kind) in enumerate(
        zip(columns.column("component_note.owner"), columns.column("component_note.kind"), strict=True)
    ):
        if extern >= extern_count:
            raise columns.corrupt_row("component_note.owner", row, extern, f"below {extern_count}")
        text = _name(columns, "component_note.text", row)
        if kind == NOTE_MODULE_TYPE:
            try:
                module_type(text)
            except ValueError as problem:
                raise columns.corrupt_row(
                    "component_note.text", row, text, f"the type of a module: {problem}"
                ) from None
        notes.append((extern, kind, text))
    return notes


def _name(columns: Columns, column: str, row: int) -> str:
    number = columns.value(column, row)
    return columns.text("component_name", number - 1) if number else ""


def _types(columns: Columns) -> list[tuple[int, list[tuple[str, int]]]]:
    types: list[tuple[int, list[tuple[str, int]]]] = []
    parts = columns.column("component_item.type")
    for row, kind in enumerate(columns.column("component_type.kind")):
        if kind >= len(COMPONENT_KINDS):
            raise columns.corrupt_row("component_type.kind", row, kind, f"below {len(COMPONENT_KINDS)}")
        first, count = columns.value("component_type.first_item", row), columns.value("component_type.item_count", row)
        wanted = 0 if kind <= _STRING else _COUNTS.get(COMPONENT_KINDS[kind])
        if first + count > len(parts) or (count < 1 if kind > _STRING and wanted is None else count != wanted):
            raise columns.corrupt_row("component_type.item_count", row, count, "what the kind has, within the items")
        for item in range(first, first + count):
            part = parts[item]
            if kind in (_OWN, _BORROW):
                is_right = 0 < part <= len(columns.column("component_resource.name"))
            elif part == 0:
                is_right = kind in _OPTIONAL or (kind == _FUNC and item == first + count - 1)
            else:
                is_right = part <= row and types[part - 1][0] != _FUNC
            if not is_right:
                raise columns.corrupt_row("component_item.type", item, part, "an earlier type, or a resource")
        types.append(
            (kind, [(_name(columns, "component_item.name", item), parts[item]) for item in range(first, first + count)])
        )
    return types


def _externs(
    columns: Columns, types: list[tuple[int, list[tuple[str, int]]]], canon_types: list[int]
) -> list[ExternRow]:
    externs: list[ExternRow] = []
    for row, sort in enumerate(columns.column("component_extern.sort")):
        parent, is_export, index = (
            columns.value(f"component_extern.{field}", row) for field in ("parent", "is_export", "index")
        )
        if sort >= len(COMPONENT_SORTS) or is_export > 1:
            raise columns.corrupt_row("component_extern.sort", row, (sort, is_export), "a sort, and 0 or 1")
        if parent > row:
            raise columns.corrupt_row("component_extern.parent", row, parent, f"at most {row}")
        if not _is_index(sort, index, is_export, types, canon_types, externs, columns):
            raise columns.corrupt_row("component_extern.index", row, index, f"a row for a {COMPONENT_SORTS[sort]}")
        externs.append(ExternRow(_name(columns, "component_extern.name", row), sort, parent, is_export, index))
    return externs


def _is_index(
    sort: int,
    index: int,
    is_export: int,
    types: list[tuple[int, list[tuple[str, int]]]],
    canon_types: list[int],
    externs: list[ExternRow],
    columns: Columns,
) -> bool:
    """Whether an index is one of a row that its sort may refer to."""
    if sort == _EXPORTED_FUNC and is_export:
        return 0 < index <= len(canon_types) and canon_types[index - 1] != 0
    if sort == _EXPORTED_FUNC:
        return 0 < index <= len(types) and types[index - 1][0] == _FUNC
    if sort == _TYPE:
        return index <= len(types)
    if sort == _RESOURCE:
        return 0 < index <= len(columns.column("component_resource.name"))
    if sort == _IMPORTED_FUNC:
        return (
            0 < index <= len(externs) and externs[index - 1].sort == _EXPORTED_FUNC and not externs[index - 1].is_export
        )
    return True
