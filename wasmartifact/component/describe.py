"""The columns that only components have, of a flattened program."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from itertools import accumulate, chain
from typing import Final

from wasmartifact.component.flatten import Flat
from wasmartifact.component.link import CoreRef, ExternRow, Program
from wasmartifact.schema import COMPONENT_KINDS, COMPONENT_SORTS, NOTE_UNLIKE_WASI
from wasmartifact.wit.read import ExternRow as Extern
from wasmartifact.wit.read import Rows

_FUNC, _TYPE, _RESOURCE = (COMPONENT_SORTS.index(sort) for sort in ("func", "type", "resource"))
_HANDLES: Final = frozenset(COMPONENT_KINDS.index(kind) for kind in ("own", "borrow"))


def component_columns(flat: Flat) -> dict[str, bytes | array[int]]:
    """Values of each column of ``schema.COMPONENT_COLUMNS``, by its name."""
    program, names = flat.program, _Names()
    items: list[int] = []
    types: list[int] = []
    places = _used_types(program)
    for row, type_ in enumerate(program.types):
        if row not in places:
            continue
        types += (type_.kind, len(items) // 2, len(type_.items))
        for name, part in type_.items:
            items += (names.row(name), part if type_.kind in _HANDLES or part == 0 else places[part - 1] + 1)
    resources_by_name = resource_names(program.externs, len(program.resources))
    resources: list[int] = []
    for row, resource in enumerate(program.resources):
        owner = 0 if resource.owner is None else resource.owner + 1
        resources += (owner, _place(flat.functions, resource.destructor), names.row(resources_by_name[row]))
    canons: list[int] = []
    for place, canon in enumerate(program.canons):
        function = _place(flat.functions, canon.core) if canon.core is not None else place + 1
        type_row = None if canon.type is None else places[canon.type]
        canons += (
            canon.kind, canon.instance, _plus_one(type_row), function, _place(flat.memories, canon.memory),
            _place(flat.functions, canon.realloc), _place(flat.functions, canon.post_return), canon.encoding,
            _plus_one(canon.target),
        )  # fmt: skip
    externs: list[int] = []
    for extern in program.externs:
        named = _type_of(extern)
        index = extern.index if named is None else places[named]
        externs += (names.row(extern.name), extern.sort, _plus_one(extern.parent), extern.is_export, _plus_one(index))
    notes = [(row, kind, names.row(words)) for kind, row, words in sorted(_notes(program, resources_by_name))]
    encoded = names.encoded()
    columns: dict[str, bytes | array[int]] = {
        "component_name": array("I", accumulate(map(len, encoded), initial=0)),
        "component_name_bytes": b"".join(encoded),
        "component_type": array("I", types),
        "component_item": array("I", items),
        "component_resource": array("I", resources),
        "component_canon": array("I", canons),
        "component_extern": array("I", externs),
    }
    if notes:
        columns["component_note"] = array("I", chain.from_iterable(notes))
    return columns


def _notes(program: Program, resources: list[str]) -> Iterator[tuple[int, int, str]]:
    """Kind, row and text of each note on an import or export."""
    yield from program.notes
    if any(row.name.startswith("wasi:") for row in program.externs):
        from wasmartifact.component.wasi_check import wasi_differences  # its table is large

        for row, words in wasi_differences(program, resources):
            yield NOTE_UNLIKE_WASI, row, words


def program_rows(program: Program) -> Rows:
    """What `wasmartifact.wit.read` reads, of a component that is not packed."""
    return Rows(
        [(type_.kind, type_.items) for type_ in program.types],
        [
            Extern(extern.name, extern.sort, _plus_one(extern.parent), extern.is_export, _plus_one(extern.index))
            for extern in program.externs
        ],
        [_plus_one(canon.type) for canon in program.canons],
        [(row, kind, text) for kind, row, text in program.notes],
    )


def _type_of(extern: ExternRow) -> int | None:
    """The row of its type, where it has one: a type, or an imported function."""
    return extern.index if extern.sort == _TYPE or (extern.sort == _FUNC and not extern.is_export) else None


def _used_types(program: Program) -> dict[int, int]:
    """New rows of the types that the component's functions and names need; parts still come before what has them."""
    used = {row for extern in program.externs if (row := _type_of(extern)) is not None}
    used |= {canon.type for canon in program.canons if canon.type is not None}
    for row in range(len(program.types) - 1, -1, -1):
        type_ = program.types[row]
        if row in used and type_.kind not in _HANDLES:
            used |= {part - 1 for _, part in type_.items if part}
    return {row: place for place, row in enumerate(sorted(used))}


class _Names:
    """Names, each once; rows count from 1, the empty name is 0."""

    def __init__(self) -> None:
        self.rows: dict[str, int] = {"": 0}

    def row(self, name: str) -> int:
        return self.rows.setdefault(name, len(self.rows))

    def encoded(self) -> list[bytes]:
        return [name.encode() for name in list(self.rows)[1:]]


def resource_names(externs: Iterable[ExternRow], count: int) -> list[str]:
    """What resources are imported or exported as."""
    names = [""] * count
    for extern in externs:
        if extern.sort == _RESOURCE and extern.index is not None and not names[extern.index]:
            names[extern.index] = extern.name
    return names


def _plus_one(value: int | None) -> int:
    return 0 if value is None else value + 1


def _place(places: dict[CoreRef, int], ref: CoreRef | None) -> int:
    return 0 if ref is None else places[ref] + 1
