"""Rows of the metadata's tables, continued: types, contents, names. See `rows`."""

from __future__ import annotations

from wasmartifact.constants import HEADER_CPU_LEVELS, NONE_U64
from wasmartifact.externtypes import GlobalType, MemoryType, TableType, is_storage, storage_name
from wasmartifact.metadata.columns import Columns
from wasmartifact.metadata.rows import func_type, global_type, memory_type, table_type, valtype
from wasmartifact.record import NamedTuple

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from typing import Final

ELEMENT_MODES: Final = ("active", "passive", "declarative")
DATA_MODES: Final = ("active", "passive")
TYPE_KINDS: Final = ("func", "struct", "array")


class TypeRow(NamedTuple):
    """A type of the module. ``canonical`` is the first type with the same digest.

    ``params`` of a struct are what its fields hold, of an array what its elements are.
    """

    kind: str
    params: tuple[str, ...]
    results: tuple[str, ...]
    digest: bytes
    canonical: int


class MemoryRow(NamedTuple):
    """A memory; ``guarded`` tells that the code relies on reserved address space instead of checking accesses."""

    type: MemoryType
    guarded: bool


class TableRow(NamedTuple):
    """A table; ``image_slots`` are its initial slots in the image: 0 null, func_index << 1 | 1."""

    type: TableType
    image_slots: memoryview


class GlobalRow(NamedTuple):
    """A global; ``init`` is its initialiser as WebAssembly bytes, empty for imported ones."""

    type: GlobalType
    init: bytes


class ElementRow(NamedTuple):
    """An element segment; ``slots`` as in a table image, with 0 for computed values. ``offset`` None: computed."""

    mode: str
    type: str
    table_index: int
    offset: int | None
    in_image: bool
    slots: memoryview


class DataRow(NamedTuple):
    """A data segment; ``data`` is None where the memory image holds the bytes. ``offset`` None: computed or passive."""

    mode: str
    memory_index: int
    offset: int | None
    in_image: bool
    size_bytes: int
    data: memoryview | None


class NameRow(NamedTuple):
    """A function's name from the name section."""

    func_index: int
    name: str


class CustomSectionRow(NamedTuple):
    """A custom section of the module."""

    name: str
    data: memoryview


def type_row(columns: Columns, row: int) -> TypeRow:
    """A row of the group types."""
    kind = code_name(columns, "type_kind", row, TYPE_KINDS)
    is_func = kind == TYPE_KINDS[0]
    params, results = func_type(columns, row) if is_func else (_field_types(columns, row), ())
    return TypeRow(kind, params, results, columns.digest("type_digest", row), columns.value("type_canonical", row))


def _field_types(columns: Columns, type_index: int) -> tuple[str, ...]:
    """What the fields of a struct or the elements of an array are."""
    codes, types = columns.span("type_params", type_index), columns.row_count("types")
    for code in codes:
        if not is_storage(code, types):
            raise columns.corrupt_row("type_values", type_index, f"{code:#x}", "a value type or a packed one")
    return tuple(map(storage_name, codes))


def memory_row(columns: Columns, row: int) -> MemoryRow:
    """A row of the group memories."""
    return MemoryRow(memory_type(columns, row), columns.value("memory_guard", row) == 0)


def table_row(columns: Columns, row: int) -> TableRow:
    """A row of the group tables."""
    offset, count = columns.value("table_image_offset", row), columns.value("table_image_count", row)
    if offset + 8 * count > len(columns.section):
        raise columns.corrupt_row("table_image_offset", row, offset, f"{count} slots within the section")
    return TableRow(table_type(columns, row), columns.section[offset : offset + 8 * count].cast("Q"))


def global_row(columns: Columns, row: int) -> GlobalRow:
    """A row of the group globals."""
    return GlobalRow(global_type(columns, row), bytes(columns.span("global_init", row)))


def element_row(columns: Columns, row: int) -> ElementRow:
    """A row of the group elements."""
    return ElementRow(
        code_name(columns, "element_mode", row, ELEMENT_MODES),
        valtype(columns, "element_type", row, columns.value("element_type", row)),
        columns.value("element_table", row),
        _optional(columns.value("element_offset", row)),
        bool(columns.value("element_in_image", row)),
        columns.span("element_slots", row),
    )


def data_row(columns: Columns, row: int) -> DataRow:
    """A row of the group data."""
    in_image = bool(columns.value("data_in_image", row))
    return DataRow(
        code_name(columns, "data_mode", row, DATA_MODES),
        columns.value("data_memory", row),
        _optional(columns.value("data_offset", row)),
        in_image,
        columns.value("data_size", row),
        None if in_image else columns.span("data_start", row),
    )


def name_row(columns: Columns, row: int) -> NameRow:
    """A row of the group function_names."""
    return NameRow(columns.value("function_name_index", row), columns.function_name(row))


def custom_section_row(columns: Columns, row: int) -> CustomSectionRow:
    """A row of the group custom_sections."""
    return CustomSectionRow(columns.text("custom_name", row), columns.span("custom_data", row))


def code_name(columns: Columns, column: str, row: int, names: tuple[str, ...]) -> str:
    """Name of a small code that stands in a row of a column."""
    code = columns.value(column, row)
    if code >= len(names):
        raise columns.corrupt_row(column, row, code, f"below {len(names)}")
    return names[code]


def _optional(value: int) -> int | None:
    return None if value == NONE_U64 else value


class CpuLevelRow(NamedTuple):
    """A CPU that there is code for, by LLVM's names of it and of what it must have.

    So many ``functions`` have other code than at the first level, of ``code_size_bytes`` together.
    """

    name: str
    features: tuple[str, ...]
    functions: int
    code_size_bytes: int


def cpu_level_rows(columns: Columns) -> tuple[CpuLevelRow, ...]:
    """Of all levels."""
    from wasmartifact.schema import CPU_FEATURES, MACHINES  # few look at levels

    numbers = columns.header.numbers
    known = next((CPU_FEATURES[name] for name, number in MACHINES.items() if number == numbers["machine"]), ())

    def row(name: str, bits: int, sizes: list[int]) -> CpuLevelRow:
        features = tuple(feature for bit, feature in enumerate(known) if bits >> bit & 1)
        return CpuLevelRow(name, features, len(sizes), sum(sizes))

    if not numbers["flags"] & HEADER_CPU_LEVELS:
        keys = (columns.text("info_key", number) for number in range(columns.row_count("info")))
        names = [columns.text("info_value", number) for number, key in enumerate(keys) if key == "cpu"]
        return (row(names[0] if names else "", numbers["cpu_features"], []),)
    sizes, levels = columns.column("cpu_variant.code_size_bytes"), columns.column("cpu_variant.levels")
    return tuple(
        row(
            columns.text("cpu_level_name", level),
            bits,
            [size for size, found in zip(sizes, levels, strict=True) if found >> level & 1],
        )
        for level, bits in enumerate(columns.column("cpu_level_features"))
    )
