"""The columns that only components have, of a flattened program."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from itertools import accumulate
from typing import Final

from wasmartifact.component.flatten import Flat
from wasmartifact.component.link import CoreRef, ExternRow
from wasmartifact.schema import COMPONENT_SORTS

_RESOURCE: Final = COMPONENT_SORTS.index("resource")


def component_columns(flat: Flat) -> dict[str, bytes | array[int]]:
    """Values of each column of ``schema.COMPONENT_COLUMNS``, by its name."""
    program, names = flat.program, _Names()
    items: list[int] = []
    types: list[int] = []
    for type_ in program.types:
        types += (type_.kind, len(items) // 2, len(type_.items))
        for name, part in type_.items:
            items += (names.row(name), part)
    resource_names = _resource_names(program.externs, len(program.resources))
    resources: list[int] = []
    for row, resource in enumerate(program.resources):
        owner = 0 if resource.owner is None else resource.owner + 1
        resources += (owner, _place(flat.functions, resource.destructor), names.row(resource_names[row]))
    canons: list[int] = []
    for place, canon in enumerate(program.canons):
        function = _place(flat.functions, canon.core) if canon.core is not None else place + 1
        canons += (
            canon.kind, canon.instance, _plus_one(canon.type), function, _place(flat.memories, canon.memory),
            _place(flat.functions, canon.realloc), _place(flat.functions, canon.post_return), canon.encoding,
            _plus_one(canon.target),
        )  # fmt: skip
    externs: list[int] = []
    for extern in program.externs:
        externs += (
            names.row(extern.name), extern.sort, _plus_one(extern.parent), extern.is_export, _plus_one(extern.index),
        )  # fmt: skip
    encoded = names.encoded()
    return {
        "component_name": array("I", accumulate(map(len, encoded), initial=0)),
        "component_name_bytes": b"".join(encoded),
        "component_type": array("I", types),
        "component_item": array("I", items),
        "component_resource": array("I", resources),
        "component_canon": array("I", canons),
        "component_extern": array("I", externs),
    }


class _Names:
    """Names, each once; rows count from 1, the empty name is 0."""

    def __init__(self) -> None:
        self.rows: dict[str, int] = {"": 0}

    def row(self, name: str) -> int:
        return self.rows.setdefault(name, len(self.rows))

    def encoded(self) -> list[bytes]:
        return [name.encode() for name in list(self.rows)[1:]]


def _resource_names(externs: Iterable[ExternRow], count: int) -> list[str]:
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
