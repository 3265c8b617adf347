"""The typed model of a WebAssembly module: what the decoder produces and every later pass reads.

Value types are the u32 codes of ``schema`` (``VALTYPE_*``). Offsets named ``wasm_offset`` count bytes from the start of
the module. The model keeps no instruction: function bodies stay byte ranges of ``Module.data``.
"""

from __future__ import annotations

from typing import Any

from wasmartifact.dataclass import dataclass, field
from wasmartifact.schema import KIND_MEMORY, TYPE_ARRAY, TYPE_FUNC, TYPE_STRUCT, InstanceLayout, instance_layout

#: (wasm_offset, opcode, immediate); a prefixed opcode is prefix << 16 | sub-opcode. See ``opcodes.py`` for immediates.
Instruction = tuple[int, int, Any]


@dataclass(frozen=True, slots=True)
class FuncType:
    """A function type: parameter and result value types."""

    params: tuple[int, ...]
    results: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a struct, or what an array is of: value type or packed type, and mutability."""

    storage: int
    mutable: bool


@dataclass(frozen=True, slots=True)
class StructType:
    """A struct type."""

    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class ArrayType:
    """An array type."""

    element: Field


CompositeType = FuncType | StructType | ArrayType


def parts(composite: CompositeType) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Parameters and results of a function type; what the fields hold and nothing for the others."""
    if isinstance(composite, FuncType):
        return composite.params, composite.results
    return tuple([item.storage for item in fields(composite)]), ()


def kind_of(composite: CompositeType) -> int:
    """The kind as the format has it."""
    return (
        TYPE_FUNC
        if isinstance(composite, FuncType)
        else TYPE_STRUCT
        if isinstance(composite, StructType)
        else TYPE_ARRAY
    )


def fields(composite: CompositeType) -> tuple[Field, ...]:
    """Fields of a struct type, the one of an array type, none of a function type."""
    if isinstance(composite, FuncType):
        return ()
    return composite.fields if isinstance(composite, StructType) else (composite.element,)


@dataclass(frozen=True, slots=True)
class SubType:
    """What a type definition says beside the type: ``group`` is the first type of its recursive group."""

    supertype: int | None
    final: bool
    group: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in the unit of their owner (pages or elements); ``max`` is None where there is none."""

    min: int
    max: int | None
    is64: bool = False
    shared: bool = False


@dataclass(frozen=True, slots=True)
class TableType:
    """Element value type and limits in elements."""

    element: int
    limits: Limits


@dataclass(frozen=True, slots=True)
class MemoryType:
    """Limits in pages of ``1 << page_log2`` bytes."""

    limits: Limits
    page_log2: int = 16


@dataclass(frozen=True, slots=True)
class GlobalType:
    """Value type and mutability."""

    valtype: int
    mutable: bool


@dataclass(frozen=True, slots=True)
class ConstExpr:
    """A constant expression: bytes ``data[start:end]`` with the final ``end``, and instructions without it."""

    start: int
    end: int
    instructions: tuple[Instruction, ...]


@dataclass(frozen=True, slots=True)
class Import:
    """``kind`` is a code of ``schema.KINDS``; ``index`` is the position in the index space of that kind."""

    module: str
    name: str
    kind: int
    index: int


@dataclass(frozen=True, slots=True)
class Export:
    """``kind`` is a code of ``schema.KINDS``; ``index`` is the position in the index space of that kind."""

    name: str
    kind: int
    index: int


@dataclass(frozen=True, slots=True)
class Code:
    """A defined function's code entry without its size: ``data[start:end]`` holds local declarations and the body."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Table:
    """A defined table; ``init`` is None where the elements start as null."""

    type: TableType
    init: ConstExpr | None


@dataclass(frozen=True, slots=True)
class Global:
    """A defined global."""

    type: GlobalType
    init: ConstExpr


#: Modes of element and data segments, the codes of the metadata columns element_mode and data_mode.
ACTIVE, PASSIVE, DECLARATIVE = range(3)


@dataclass(frozen=True, slots=True)
class Element:
    """An element segment: ``items`` are function indices where the encoding lists these, else constant expressions."""

    mode: int
    type: int
    table: int
    offset: ConstExpr | None
    items: tuple[int, ...] | tuple[ConstExpr, ...]


@dataclass(frozen=True, slots=True)
class Data:
    """A data segment: bytes ``data[start:end]`` of the module."""

    mode: int
    memory: int
    offset: ConstExpr | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class CustomSection:
    """A custom section: bytes ``data[start:end]`` of the module, name excluded."""

    name: str
    start: int
    end: int


@dataclass(slots=True)
class Module:
    """A decoded module. ``*_types`` lists span the whole index space, imported entries first."""

    data: bytes
    types: list[CompositeType] = field(default_factory=list)
    #: For each type; empty where all are function types of their own that are final and have no supertype.
    subtypes: list[SubType] = field(default_factory=list)
    imports: list[Import] = field(default_factory=list)
    has_compact_imports: bool = False  # some stand in groups, which not every reader of the binary format knows
    exports: list[Export] = field(default_factory=list)
    function_types: list[int] = field(default_factory=list)  # type index of every function
    table_types: list[TableType] = field(default_factory=list)
    memory_types: list[MemoryType] = field(default_factory=list)
    global_types: list[GlobalType] = field(default_factory=list)
    tag_types: list[int] = field(default_factory=list)  # type index of every tag
    tables: list[Table] = field(default_factory=list)  # defined only, as are the lists below
    globals: list[Global] = field(default_factory=list)
    codes: list[Code] = field(default_factory=list)
    code_section_start: int | None = None  # wasm_offset of the code section's contents, where DWARF's address 0 is
    elements: list[Element] = field(default_factory=list)
    datas: list[Data] = field(default_factory=list)
    start: int | None = None
    has_data_count: bool = False
    custom_sections: list[CustomSection] = field(default_factory=list)
    name: str | None = None
    function_names: dict[int, str] = field(default_factory=dict)  # ascending; of functions that exist
    function_name_ends: dict[int, int] = field(default_factory=dict)  # byte offset in data behind each of these names

    @property
    def imported_functions(self) -> int:
        """Number of imported functions: the first defined function has this index."""
        return len(self.function_types) - len(self.codes)

    @property
    def imported_tables(self) -> int:
        """Number of imported tables."""
        return len(self.table_types) - len(self.tables)

    @property
    def imported_memories(self) -> int:
        """Number of imported memories."""
        return sum(entry.kind == KIND_MEMORY for entry in self.imports)

    @property
    def imported_globals(self) -> int:
        """Number of imported globals."""
        return len(self.global_types) - len(self.globals)

    @property
    def instance_layout(self) -> InstanceLayout:
        """Where an instance record of this module holds what."""
        return instance_layout(
            memories=len(self.memory_types),
            tables=len(self.table_types),
            imported_functions=self.imported_functions,
            imported_globals=self.imported_globals,
            tags=len(self.tag_types),
            defined_globals=len(self.globals),
            elements=len(self.elements),
            data_segments=len(self.datas),
        )

    def func_type(self, func_index: int) -> FuncType:
        """Type of a function of the index space."""
        return self.func_type_at(self.function_types[func_index])

    def func_type_at(self, type_index: int) -> FuncType:
        """A type that is a function's or a tag's."""
        found = self.types[type_index]
        assert isinstance(found, FuncType)
        return found

    def depth(self, type_index: int) -> int:
        """Number of supertypes of a type, of those and so on."""
        depth, supertype = 0, self.subtypes[type_index].supertype
        while supertype is not None:
            depth, supertype = depth + 1, self.subtypes[supertype].supertype
        return depth
