"""The metadata section of a snapshot: that of the artifact, but for what says how an instance starts.

Nothing is decoded and encoded again that stays as it is: columns are copied. What init code has done is in the images,
and there is none any more.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence

from wasmartifact import schema
from wasmartifact.dataclass import dataclass
from wasmartifact.metadata.columns import Columns
from wasmartifact.metadata.encode import (
    Images,
    Named,
    Values,
    build_section,
    image_columns,
    ints,
    library_version,
    spans,
    texts,
)
from wasmartifact.wasm.initial import InitialState

#: Key of the info string that names the artifact of a snapshot.
SNAPSHOT_OF = "snapshot_of"


@dataclass(frozen=True, slots=True)
class ComponentState:
    """What an instance of a component holds beside its module's.

    Attributes
    ----------
    tables, handles : bytes
        Rows of ``component_table`` and ``component_handle``.
    host_objects : Sequence[tuple[str, str]]
        Kind and name of each object of the embedder that it has a handle of.
    """

    tables: bytes
    handles: bytes
    host_objects: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class InstanceState:
    """What an instance holds, as the format has it.

    Attributes
    ----------
    initial : InitialState
        Its images, those of imported memories and tables too. Segments that were dropped count as in an image; there
        are no actions.
    memory_pages, table_sizes : Sequence[int]
        Size of each memory in its pages, of each table in elements; of imported ones, too.
    segment_slots : Sequence[bytes]
        u64 slots of each element segment; those of a dropped one don't matter.
    component : ComponentState | None
        Of a component's.
    """

    initial: InitialState
    memory_pages: Sequence[int]
    table_sizes: Sequence[int]
    segment_slots: Sequence[bytes]
    component: ComponentState | None = None


def encode_snapshot(columns: Columns, state: InstanceState, version: tuple[int, int, int]) -> bytearray:
    """Build the section; file_size_bytes, build_id and the digests are left zero, and there is no signature.

    Parameters
    ----------
    columns : Columns
        Of the artifact, whose rows were checked.
    state : InstanceState
        Of an instance of it.
    version : tuple[int, int, int]
        Of this package.
    """
    page_size_bytes = columns.header.numbers["page_size_bytes"]
    images = Images.plan(state.initial, page_size_bytes)
    values: dict[str, Values] = {
        column.name: columns.column(column.name) for column in schema.ALL_COLUMNS if column.id in columns.directory
    }
    values |= dict(_changes(columns, state, images))
    return build_section(values, images, page_size_bytes, _header_fields(columns, version))


def _changes(columns: Columns, state: InstanceState, images: Images) -> Iterator[Named]:
    """The columns that differ from the artifact's."""
    yield ints("memory_min_pages", state.memory_pages)
    yield ints("table_min", state.table_sizes)
    yield from image_columns(state.initial, images, columns.row_count("tables"))
    yield "global_image", state.initial.global_image
    yield from _elements(columns, state)
    yield from _data(columns, state)
    if state.component is not None:
        yield from _component(state.component)
    info = {columns.text("info_key", row): columns.text("info_value", row) for row in range(columns.row_count("info"))}
    info[SNAPSHOT_OF] = columns.header.digests["build_id"].hex()
    yield from texts("info_key", list(info))
    yield from texts("info_value", list(info.values()))


def _component(state: ComponentState) -> Iterator[Named]:
    yield "component_table", state.tables
    yield "component_handle", state.handles
    yield ints("host_object_kind", (schema.HOST_OBJECT_KINDS.index(kind) for kind, _ in state.host_objects))
    yield from texts("host_object_name", [name for _, name in state.host_objects])


def _elements(columns: Columns, state: InstanceState) -> Iterator[Named]:
    """A segment that is still there has no computed values any more."""
    dropped = state.initial.elements_in_image
    yield ints("element_in_image", (row in dropped for row in range(len(state.segment_slots))))
    slots = array("Q", columns.column("element_slot_values"))
    for row, (start, found) in enumerate(zip(columns.column("element_slots"), state.segment_slots, strict=False)):
        if row not in dropped:
            slots[start : start + len(found) // 8] = array("Q", found)
    yield "element_slot_values", slots


def _data(columns: Columns, state: InstanceState) -> Iterator[Named]:
    """A segment that was dropped needs no bytes any more."""
    dropped, rows = state.initial.datas_in_image, range(columns.row_count("data"))
    yield ints("data_in_image", (row in dropped for row in rows))
    yield from spans("data_start", [b"" if row in dropped else columns.span("data_start", row) for row in rows])


def _header_fields(columns: Columns, version: tuple[int, int, int]) -> dict[str, int | bytes]:
    """The artifact's header; what is made anew is zero."""
    numbers, digests = columns.header
    return {
        **numbers,
        "wasm_digest": digests["wasm_digest"],
        "flags": numbers["flags"] | schema.HEADER_SNAPSHOT,
        "library_version": library_version(version),
        "init_text_offset": 0,
        "start_function": 0,
        "file_size_bytes": 0,
        "load_checksum": 0,
    }
