"""The full check of the columns that only components have, and those that only snapshots of components have."""

from __future__ import annotations

from itertools import accumulate, pairwise, starmap
from operator import gt

from wasmartifact import schema
from wasmartifact.metadata import faults
from wasmartifact.metadata.columns import Columns
from wasmartifact.metadata.component_rows import component_rows

#: Component instances in a component, at most.
_MOST_INSTANCES = 1 << 20


def check_component(columns: Columns) -> None:
    """Check every row. Raises CorruptArtifact."""
    flags = columns.header.numbers["flags"]
    for kind, group in schema.OPTIONAL_COLUMNS:
        if kind & schema.HEADER_COMPONENT and flags & kind == kind:
            _check_columns(columns, group)
    if not flags & schema.HEADER_COMPONENT:
        return
    component_rows(columns)
    _check_canons(columns)
    _check_resources(columns)
    if _has(columns, "component_note"):
        _check_notes(columns)
    if flags & schema.HEADER_SNAPSHOT and _has(columns, "component_table"):
        _check_handles(columns)


def _has(columns: Columns, name: str) -> bool:
    return schema.COLUMN_BY_NAME[name].id in columns.directory


def _check_columns(columns: Columns, group: tuple[schema.Column, ...]) -> None:
    """That all are there, have values of the right size, and texts within their bytes."""
    may_lack = group in (schema.COMPONENT_STATE_COLUMNS, schema.COMPONENT_NOTE_COLUMNS)
    if may_lack and not any(_has(columns, column.name) for column in group):
        return
    for column in group:
        if not _has(columns, column.name):
            raise faults.corrupt_row(column.name, 0, "no such column", "one")
        if column.shape != "offsets":
            continue
        values, limit = columns.column(column.name), len(columns.column(column.target))
        if not len(values) or any(starmap(gt, pairwise(values))):
            raise faults.corrupt_row(column.name, 0, list(values[:4]), "offsets that ascend")
        if values[-1] > limit:
            raise faults.corrupt_row(column.name, len(values) - 1, values[-1], f"at most {limit}")
        for row in range(len(values) - 1):
            columns.text(column.name, row)


def _check_each(columns: Columns, name: str, limits: dict[str, int]) -> None:
    """Fields of a structure that are at most so large."""
    for field, limit in limits.items():
        for row, value in enumerate(columns.column(f"{name}.{field}")):
            if value > limit:
                raise faults.corrupt_row(f"{name}.{field}", row, value, f"at most {limit}")


def _check_canons(columns: Columns) -> None:
    functions = columns.row_count("functions")
    _check_each(
        columns,
        "component_canon",
        {
            "kind": schema.CANON_RESOURCE_DROP,
            "instance": _MOST_INSTANCES - 1,
            "function": functions,
            "memory": columns.row_count("memories"),
            "realloc": functions,
            "post_return": functions,
            "encoding": len(schema.STRING_ENCODINGS) - 1,
        },
    )
    kinds = columns.column("component_canon.kind")
    resources = len(columns.column("component_resource.owner"))
    rows = {schema.CANON_HOST: len(columns.column("component_extern.name")), schema.CANON_ADAPTER: len(kinds)}
    imports = columns.row_count("imports")
    for row, (kind, target) in enumerate(zip(kinds, columns.column("component_canon.target"), strict=True)):
        if (kind != schema.CANON_LIFT) != (row < imports):
            raise faults.corrupt_row("component_canon.kind", row, kind, f"a lift from row {imports} on, and only there")
        if kind != schema.CANON_LIFT and not 0 < target <= rows.get(kind, resources):
            raise faults.corrupt_row("component_canon.target", row, target, f"1 to {rows.get(kind, resources)}")
        if kind == schema.CANON_ADAPTER and kinds[target - 1] != schema.CANON_LIFT:
            raise faults.corrupt_row("component_canon.target", row, target, "a lifted function")


def _check_resources(columns: Columns) -> None:
    names = len(columns.column("component_name")) - 1
    limits = {"owner": _MOST_INSTANCES, "destructor": columns.row_count("functions"), "name": names}
    _check_each(columns, "component_resource", limits)


def _check_notes(columns: Columns) -> None:
    names = len(columns.column("component_name")) - 1
    externs = len(columns.column("component_extern.name"))
    _check_each(columns, "component_note", {"owner": externs - 1, "text": names})


def _check_handles(columns: Columns) -> None:
    """Each instance has its places, those that are free in a list; each object of the embedder has a handle."""
    counts, frees = columns.column("component_table.place_count"), columns.column("component_table.free")
    resources, reps = columns.column("component_handle.resource"), columns.column("component_handle.rep")
    if sum(counts) != len(reps):
        raise faults.corrupt_row("component_table.place_count", len(counts), sum(counts), len(reps))
    _check_objects(columns)
    _check_each(columns, "component_handle", {"resource": len(columns.column("component_resource.owner"))})
    for row, (end, count) in enumerate(zip(accumulate(counts), counts, strict=True)):
        start, place = end - count, frees[row]
        unused = {place for place in range(1, count) if not resources[start + place]}
        while place in unused:
            unused.remove(place)
            place = reps[start + place]
        if place or unused or (count and resources[start]):
            raise faults.corrupt_row("component_table.free", row, frees[row], "a list of all free places and no others")


def _check_objects(columns: Columns) -> None:
    kinds, names = columns.column("host_object_kind"), columns.column("host_object_name")
    if len(names) != len(kinds) + 1:
        raise faults.corrupt_row("host_object_name", len(names), "its end", f"{len(kinds) + 1} values")
    for row, kind in enumerate(kinds):
        if kind >= len(schema.HOST_OBJECT_KINDS):
            raise faults.corrupt_row("host_object_kind", row, kind, f"below {len(schema.HOST_OBJECT_KINDS)}")
    owners, left = columns.column("component_resource.owner"), set(range(1, len(kinds) + 1))
    for row, (resource, rep) in enumerate(
        zip(columns.column("component_handle.resource"), columns.column("component_handle.rep"), strict=True)
    ):
        if resource and resource <= len(owners) and owners[resource - 1] == 0:
            if rep not in left:
                raise faults.corrupt_row("component_handle.rep", row, rep, f"1 to {len(kinds)}, each once")
            left.remove(rep)
    if left:
        raise faults.corrupt_row("host_object_kind", min(left) - 1, "an object without a handle", "one handle")
