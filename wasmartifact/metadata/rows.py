"""Rows of the metadata's tables: small immutable objects, made from the columns when somebody asks for one.

Here are those of imports and exports, which most readers ask for first; `detail_rows` and `places` have the rest.
"""

from __future__ import annotations

from wasmartifact.constants import (
    GLOBAL_MUTABLE,
    KINDS,
    LIMITS_64,
    LIMITS_HAS_MAX,
    LIMITS_SHARED,
    MAX_OPERANDS,
)
from wasmartifact.externtypes import (
    ExternType,
    FuncType,
    GlobalType,
    MemoryType,
    TableType,
    TagType,
    is_valtype,
    valtype_name,
)
from wasmartifact.metadata.columns import Columns
from wasmartifact.record import NamedTuple

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Final, TypeVar, overload

    Row_co = TypeVar("Row_co", covariant=True)
else:
    from _collections_abc import Sequence  # what collections.abc shows, without the import of collections

    Row_co = object


class Rows(Sequence[Row_co]):
    """A table as a sequence: nothing is read before a row is asked for.

    Parameters
    ----------
    columns : Columns
        The section.
    count : int
        Number of rows.
    make : callable
        Makes the row with a given number.
    """

    __slots__ = ("_columns", "_count", "_make")

    def __init__(self, columns: Columns, count: int, make: Callable[[Columns, int], Row_co]) -> None:
        self._columns, self._count, self._make = columns, count, make

    def __len__(self) -> int:
        return self._count

    if TYPE_CHECKING:

        @overload
        def __getitem__(self, index: int) -> Row_co: ...
        @overload
        def __getitem__(self, index: slice) -> tuple[Row_co, ...]: ...

    def __getitem__(self, index: int | slice) -> Row_co | tuple[Row_co, ...]:
        """One row, or a tuple of rows; IndexError beyond the end, as for every sequence."""
        if isinstance(index, slice):
            return tuple(self._make(self._columns, row) for row in range(self._count)[index])
        return self._make(self._columns, range(self._count)[index])

    def __repr__(self) -> str:
        return f"<{self._count} rows: {self._make.__name__}>"


# --------------------------------------------------------------------------------------------------------------------
# Types


def valtype(columns: Columns, column: str, row: int, code: int) -> str:
    """Name of a value type that stands in a row of a column."""
    if not is_valtype(code, columns.row_count("types")):
        raise columns.corrupt_row(column, row, f"{code:#x}", "a value type")
    return valtype_name(code)


def func_type(columns: Columns, type_index: int) -> FuncType:
    """A function type, which rows share: many functions may have a large one."""
    made = columns.func_types.get(type_index)
    if made is None:
        params, results = (_value_types(columns, column, type_index) for column in ("type_params", "type_results"))
        made = columns.func_types[type_index] = FuncType(params, results)
    return made


def _value_types(columns: Columns, column: str, type_index: int) -> tuple[str, ...]:
    """The values in one row of an offsets column."""
    codes = columns.span(column, type_index)
    if len(codes) > MAX_OPERANDS:
        raise columns.corrupt_row(column, type_index, f"{len(codes)} values", f"at most {MAX_OPERANDS}")
    return tuple(valtype(columns, "type_values", type_index, code) for code in codes)


def function_type(columns: Columns, func_index: int) -> FuncType:
    """Type of a function of the index space."""
    return func_type(columns, columns.value("function.type", func_index))


def memory_type(columns: Columns, index: int) -> MemoryType:
    """Type of a memory of the index space."""
    flags = columns.value("memory_flags", index)
    log2 = columns.value("memory_page_log2", index)
    if log2 > 63:
        raise columns.corrupt_row("memory_page_log2", index, log2, "at most 63")
    maximum = columns.value("memory_max_pages", index)
    return MemoryType(
        columns.value("memory_min_pages", index),
        maximum if flags & LIMITS_HAS_MAX else None,
        bool(flags & LIMITS_SHARED),
        bool(flags & LIMITS_64),
        1 << log2,
    )


def table_type(columns: Columns, index: int) -> TableType:
    """Type of a table of the index space."""
    flags = columns.value("table_flags", index)
    maximum = columns.value("table_max", index)
    return TableType(
        valtype(columns, "table_type", index, columns.value("table_type", index)),
        columns.value("table_min", index),
        maximum if flags & LIMITS_HAS_MAX else None,
        bool(flags & LIMITS_SHARED),
        bool(flags & LIMITS_64),
    )


def global_type(columns: Columns, index: int) -> GlobalType:
    """Type of a global of the index space."""
    type_ = valtype(columns, "global_type", index, columns.value("global_type", index))
    return GlobalType(type_, bool(columns.value("global_flags", index) & GLOBAL_MUTABLE))


def tag_type(columns: Columns, index: int) -> TagType:
    """Type of a tag of the index space."""
    return TagType(func_type(columns, columns.value("tag_type", index)).params)


_EXTERN_TYPES: Final[tuple[Callable[[Columns, int], ExternType], ...]] = (
    function_type, table_type, memory_type, global_type, tag_type,
)  # fmt: skip


def _extern(columns: Columns, column: str, row: int, kind: int, index: int) -> tuple[str, ExternType]:
    """Kind and type of an import or export; the column is the one that says the kind."""
    if not 0 <= kind < len(KINDS):
        raise columns.corrupt_row(column, row, kind, f"below {len(KINDS)}")
    return KINDS[kind], _EXTERN_TYPES[kind](columns, index)


# --------------------------------------------------------------------------------------------------------------------
# Rows


class ImportRow(NamedTuple):
    """An import; ``kind`` is "func", "table", "memory", "global" or "tag", ``index`` counts within the kind."""

    module: str
    name: str
    kind: str
    index: int  # type: ignore[assignment]  # hides tuple.index, which no row needs
    type: ExternType


class ExportRow(NamedTuple):
    """An export; ``kind`` and ``index`` as for imports."""

    name: str
    kind: str
    index: int  # type: ignore[assignment]  # hides tuple.index, which no row needs
    type: ExternType


def import_row(columns: Columns, row: int) -> ImportRow:
    """A row of the group imports."""
    index = columns.value("import_index", row)
    kind, type_ = _extern(columns, "import_kind", row, columns.value("import_kind", row), index)
    return ImportRow(columns.text("import_module", row), columns.text("import_name", row), kind, index, type_)


def export_row(columns: Columns, row: int) -> ExportRow:
    """A row of the group exports."""
    index = columns.value("export_index", row)
    kind, type_ = _extern(columns, "export_kind", row, columns.value("export_kind", row), index)
    return ExportRow(columns.text("export_name", row), kind, index, type_)


def export_hash(name: bytes) -> int:
    """FNV-1a, 32 bits: the hash of the export index. C has the same in ``native/runtime/export.c``."""
    value = 0x811C9DC5
    for byte in name:
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def slot_name(columns: Columns, slot: int) -> memoryview:
    """The name in a slot of the export index."""
    names = columns.column("export_name_bytes")
    start, size_bytes = (columns.value(f"export_slots.{field}", slot) for field in ("name_start", "name_size_bytes"))
    if start + size_bytes > len(names):
        raise columns.corrupt_row("export_slots", slot, start + size_bytes, f"at most {len(names)}")
    return names[start : start + size_bytes]


def slot_export(columns: Columns, slot: int, name: str) -> ExportRow:
    """The export in a slot of the export index, whose name is known; no other column of the exports is touched."""
    index, kind = divmod(columns.value("export_slots.item", slot), 8)
    kind_name, type_ = _extern(columns, "export_slots.item", slot, kind - 1, index)
    return ExportRow(name, kind_name, index, type_)
