"""The metadata of an artifact as Python sees it: zero-copy views over the mapped section."""

from __future__ import annotations

from wasmartifact.constants import HEADER_COMPONENT, HEADER_SNAPSHOT, KIND_FUNC
from wasmartifact.externtypes import TagType
from wasmartifact.metadata import rows
from wasmartifact.metadata.columns import Columns
from wasmartifact.metadata.rows import Rows

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from collections.abc import Callable, Container
    from mmap import mmap
    from types import TracebackType
    from typing import TypeVar

    from wasmartifact.metadata import detail_rows, places
    from wasmartifact.metadata.header import Header

    Row = TypeVar("Row")


def close_mapping(mapping: mmap) -> None:
    """Close a mapping, or leave that to the last of its views that are still alive (in rows, or in a traceback)."""
    try:  # contextlib costs more than all the rest here
        mapping.close()
    except BufferError:
        return


class ExportRows(Rows[rows.ExportRow]):
    """The exports: a sequence of rows that also finds one by name."""

    __slots__ = ()

    def find(self, name: str) -> rows.ExportRow | None:
        """Look an export up: one probe of the hash index, whatever the number of exports.

        Parameters
        ----------
        name : str
            The whole name.

        Returns
        -------
        ExportRow | None
            None where nothing has this name.

        Raises
        ------
        CorruptArtifact
            The index is damaged.
        """
        try:
            wanted = name.encode()
        except UnicodeEncodeError:  # a lone surrogate: no WebAssembly name has one
            return None
        items, hashes = self._columns.column("export_slots.item"), self._columns.column("export_slots.hash")
        mask = len(items) - 1
        if mask < 0 or len(items) & mask:
            raise self._columns.corrupt_row("export_slots", 0, f"{len(items)} slots", "a power of two")
        value = rows.export_hash(wanted)
        slot = value & mask
        for _ in range(len(items)):
            if not items[slot]:
                return None
            if hashes[slot] == value and rows.slot_name(self._columns, slot) == wanted:
                return rows.slot_export(self._columns, slot, name)
            slot = slot + 1 & mask
        raise self._columns.corrupt_row("export_slots", slot, "no empty slot", "at least one")


class Metadata:
    """Everything that an artifact says about its module and its code; `open_metadata` and `Artifact.metadata` give it.

    Construction reads nothing. Rows are made when they are asked for and stay valid after ``close``, but for the
    memoryviews that some of them hold. Every access is checked: damaged bytes raise CorruptArtifact, nothing else.
    Using a closed Metadata raises ValueError. To have all digests and rows checked, use `verify`.

    Parameters
    ----------
    buffer : buffer
        The whole metadata section.
    owner : mmap | None
        The mapping behind the buffer, closed with the Metadata.
    path : str | None
        The file that it comes from, for errors.

    Examples
    --------
    >>> with wa.open_metadata("module.wasm.so") as metadata:
    ...     [(row.module, row.name, row.kind) for row in metadata.imports]
    ...     metadata.exports.find("add").type
    [('env', 'log', 'func')]
    FuncType(params=('i32', 'i32'), results=('i32',))
    """

    def __init__(
        self, buffer: bytes | bytearray | memoryview, *, owner: mmap | None = None, path: str | None = None
    ) -> None:
        self._columns: Columns | None = Columns(buffer, path)
        self._owner = owner

    def __enter__(self) -> Metadata:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the section; may be called again. Live memoryviews keep a mapping until the last of them goes."""
        columns, self._columns = self._columns, None
        if columns is not None:
            columns.release()
        owner, self._owner = self._owner, None
        if owner is not None:
            close_mapping(owner)

    @property
    def columns(self) -> Columns:
        """Bounds-checked access to single values. Raises ValueError once the metadata is closed."""
        if self._columns is None:
            raise ValueError("the metadata is closed")
        return self._columns

    @property
    def header(self) -> Header:
        """Header fields: ``numbers`` and ``digests`` by the names of ``schema.METADATA_HEADER``."""
        return self.columns.header

    @property
    def is_component(self) -> bool:
        """Whether the module is a flattened component."""
        return bool(self.header.numbers["flags"] & HEADER_COMPONENT)

    def column(self, name: str) -> memoryview:
        """A whole column, in place.

        Parameters
        ----------
        name : str
            As in ``schema.COLUMNS`` and FORMAT.md.

        Returns
        -------
        memoryview
            Read-only. Items are ints; columns of 16-byte values are plain bytes.

        Raises
        ------
        KeyError
            Where ``schema.COLUMNS`` has no such column.
        CorruptArtifact
            Where the section lacks it or it does not lie inside the section.
        """
        return self.columns.column(name)

    def _rows(self, group: str, make: Callable[[Columns, int], Row]) -> Rows[Row]:
        columns = self.columns
        return Rows(columns, columns.row_count(group), make)

    @property
    def types(self) -> Rows[detail_rows.TypeRow]:
        """Types of the module."""
        from wasmartifact.metadata.detail_rows import type_row

        return self._rows("types", type_row)

    @property
    def imports(self) -> Rows[rows.ImportRow]:
        """Imports, in the module's order."""
        return self._rows("imports", rows.import_row)

    @property
    def exports(self) -> ExportRows:
        """Exports, in the module's order; ``find`` looks one up by name."""
        columns = self.columns
        return ExportRows(columns, columns.row_count("exports"), rows.export_row)

    @property
    def functions(self) -> Rows[places.FunctionRow]:
        """The function index space: imported functions first."""
        from wasmartifact.metadata.places import function_row

        return self._rows("functions", function_row)

    @property
    def memories(self) -> Rows[detail_rows.MemoryRow]:
        """The memory index space."""
        from wasmartifact.metadata.detail_rows import memory_row

        return self._rows("memories", memory_row)

    @property
    def tables(self) -> Rows[detail_rows.TableRow]:
        """The table index space."""
        from wasmartifact.metadata.detail_rows import table_row

        return self._rows("tables", table_row)

    @property
    def globals(self) -> Rows[detail_rows.GlobalRow]:
        """The global index space."""
        from wasmartifact.metadata.detail_rows import global_row

        return self._rows("globals", global_row)

    @property
    def tags(self) -> Rows[TagType]:
        """The tag index space."""
        return self._rows("tags", rows.tag_type)

    @property
    def elements(self) -> Rows[detail_rows.ElementRow]:
        """Element segments."""
        from wasmartifact.metadata.detail_rows import element_row

        return self._rows("elements", element_row)

    @property
    def data(self) -> Rows[detail_rows.DataRow]:
        """Data segments."""
        from wasmartifact.metadata.detail_rows import data_row

        return self._rows("data", data_row)

    @property
    def names(self) -> Rows[detail_rows.NameRow]:
        """Functions that the name section names, ascending by index."""
        from wasmartifact.metadata.detail_rows import name_row

        return self._rows("function_names", name_row)

    @property
    def custom_sections(self) -> Rows[detail_rows.CustomSectionRow]:
        """Custom sections, in the module's order."""
        from wasmartifact.metadata.detail_rows import custom_section_row

        return self._rows("custom_sections", custom_section_row)

    @property
    def address_map(self) -> Rows[places.AddressRow]:
        """Ranges of instructions, ascending by text offset."""
        from wasmartifact.metadata.chunks import ADDRESSES, all_rows
        from wasmartifact.metadata.places import address_row

        return Rows(self.columns, len(all_rows(self.columns, ADDRESSES)[0]), address_row)

    @property
    def trap_sites(self) -> Rows[places.AddressRow]:
        """Rows of the address map that can trap. Finding them takes the whole map apart."""
        from wasmartifact.metadata.chunks import ADDRESSES, all_rows
        from wasmartifact.metadata.places import address_row

        columns = self.columns
        numbers = [row for row, trap in enumerate(all_rows(columns, ADDRESSES)[2]) if trap]
        return Rows(columns, len(numbers), lambda columns, row: address_row(columns, numbers[row]))

    @property
    def source_lines(self) -> Rows[places.SourceRow]:
        """Source lines of the instructions in the address map, ascending by wasm offset; empty without DWARF."""
        from wasmartifact.metadata.chunks import LINES, all_rows
        from wasmartifact.metadata.places import source_row

        return Rows(self.columns, len(all_rows(self.columns, LINES)[0]), source_row)

    @property
    def cpu_levels(self) -> tuple[detail_rows.CpuLevelRow, ...]:
        """What code there is for which CPU, the one with the fewest features first; mostly one."""
        from wasmartifact.metadata.detail_rows import cpu_level_rows

        return cpu_level_rows(self.columns)

    @property
    def is_snapshot(self) -> bool:
        """Whether it is a snapshot: then ``info["snapshot_of"]`` is the build id of the artifact that it is of."""
        return bool(self.header.numbers["flags"] & HEADER_SNAPSHOT)

    @property
    def info(self) -> dict[str, str]:
        """Strings about the pack: module_name, opt_level, cpu, target, packer, llvmlite, libllvm where that generated
        the code; of a snapshot, snapshot_of.
        """
        columns = self.columns
        count = columns.row_count("info")
        return {columns.text("info_key", row): columns.text("info_value", row) for row in range(count)}

    def info_value(self, key: str) -> str | None:
        """One of the strings about the pack, without a look at those behind it.

        Parameters
        ----------
        key : str
            Which one, as in ``info``.

        Returns
        -------
        str | None
            None where there is none.
        """
        columns = self.columns
        rows = range(columns.row_count("info"))
        return next((columns.text("info_value", row) for row in rows if columns.text("info_key", row) == key), None)

    def function_name(self, func_index: int) -> str | None:
        """Name of a function. O(log n).

        Parameters
        ----------
        func_index : int
            In the function index space: imported functions first.

        Returns
        -------
        str | None
            From the name section, None where it has none.
        """
        from wasmartifact.metadata.places import function_name

        return function_name(self.columns, func_index)

    def exported_names(self, func_indices: Container[int]) -> dict[int, str]:
        """Under which name functions are exported. One pass over the exports.

        Parameters
        ----------
        func_indices : container of int
            The functions in question.

        Returns
        -------
        dict[int, str]
            The first name of each of them that is exported.
        """
        columns = self.columns
        found: dict[int, str] = {}
        kinds, indices = columns.column("export_kind"), columns.column("export_index")
        for row, (kind, index) in enumerate(zip(kinds, indices, strict=True)):
            if kind == KIND_FUNC and index in func_indices and index not in found:
                found[index] = columns.text("export_name", row)
        return found

    def function_at(self, text_offset: int) -> tuple[int, int | None] | None:
        """The function whose machine code covers a text offset, and the WebAssembly instruction there. O(log n).

        Parameters
        ----------
        text_offset : int
            Bytes from the start of .text; for a return address, of the byte before it.

        Returns
        -------
        tuple[int, int | None] | None
            Function index, byte offset in the module or None where unknown; None outside every function body.
        """
        from wasmartifact.metadata.places import function_at

        return function_at(self.columns, text_offset)

    def source_at(self, wasm_offset: int) -> tuple[str | None, int | None]:
        """Source file and line of a WebAssembly instruction, None where unknown. O(log n).

        Parameters
        ----------
        wasm_offset : int
            Bytes from the start of the module.

        Returns
        -------
        tuple[str | None, int | None]
            The path as the compiler wrote it, and the line.
        """
        from wasmartifact.metadata.places import source_at

        return source_at(self.columns, wasm_offset)
