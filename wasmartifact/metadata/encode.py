"""Build the metadata section from what the packer knows: the module, its initial state, and facts about its code.

    header | directory | columns, each 64-byte aligned | page-aligned: table images | memory image runs

Columns are built group by group as arrays, then placed, then copied once into the section. Offsets of images are
relative to the first image until the columns are placed. Written for little-endian hosts only, like the whole project.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain, compress
from typing import Final, TypeAlias

from wasmartifact import schema
from wasmartifact.dataclass import dataclass
from wasmartifact.errors import ToolchainError
from wasmartifact.metadata import header, rows
from wasmartifact.wasm.initial import InitialState, evaluate
from wasmartifact.wasm.model import ACTIVE, ConstExpr, CustomSection, Element, Limits, Module, kind_of, parts
from wasmartifact.wasm.opcodes import OPCODE_BY_NAME
from wasmartifact.wasm.sourcelines import DEBUG_PREFIX

_VALUE_BYTES: Final = {column.name: schema.VALUE_SIZES[column.type] for column in schema.ALL_COLUMNS}
#: The first word of a column's entry in the directory: its id and the size of its values.
_ENTRY_HEADS: Final = {column.name: column.id | _VALUE_BYTES[column.name] << 32 for column in schema.ALL_COLUMNS}
#: By kind.
_OPTIONAL_NAMES: Final = [tuple(column.name for column in kind) for _, kind in schema.OPTIONAL_COLUMNS]
_CODES: Final = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q"}
#: Type code of the array of each column of numbers.
_ARRAY_CODES: Final = {column.name: _CODES[column.type] for column in schema.ALL_COLUMNS if column.type in _CODES}
_REF_FUNC: Final = OPCODE_BY_NAME["ref.func"].code

Values: TypeAlias = "bytes | bytearray | memoryview | array[int]"
#: Every column of the schema, as it is where its group has no rows.
_WITHOUT_ROWS: Final[Mapping[str, Values]] = {
    column.name: bytes(schema.VALUE_SIZES[column.type]) if column.shape == "offsets" else b""
    for column in schema.COLUMNS
}
#: Of these columns, which every section has.
_HEADS: Final = array("Q", [_ENTRY_HEADS[name] for name in _WITHOUT_ROWS])
#: A column's name and its values, which have the column's element size.
Named: TypeAlias = "tuple[str, Values]"


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """Where the compiled code lies, in bytes from the start of .text.

    Attributes
    ----------
    text_offsets, sizes_bytes : Sequence[int]
        Start, ascending, and size of each defined function.
    flags : Sequence[int]
        Field ``flags`` in function_row of each defined function.
    entry_text_offsets, host_text_offsets : Sequence[int | None]
        Entry and host-call trampoline of each type of the module, None where there is none.
    inward_text_offsets : Sequence[int | None]
        Likewise; empty where the module has no tail calls.
    init_text_offset : int | None
        The init function, None where the module needs none.
    memory_guards : Sequence[int]
        Column memory_guard of each memory of the index space.
    variants : Sequence[tuple[int, int, int, int]]
        Code that CPU levels above the first have in place of a function's: the fields of cpu_variant.
    chunks : Mapping[str, Values]
        The columns of the address map and of source lines.
    source_files : Sequence[str]
        The files that source lines are of.
    inlined_calls : Sequence[tuple[int, int]]
        Functions that hold copies of their body, and the wasm offsets of the calls that these stand for; ascending.
    """

    text_offsets: Sequence[int]
    sizes_bytes: Sequence[int]
    flags: Sequence[int]
    entry_text_offsets: Sequence[int | None]
    host_text_offsets: Sequence[int | None]
    inward_text_offsets: Sequence[int | None]
    init_text_offset: int | None
    memory_guards: Sequence[int]
    chunks: Mapping[str, Values]
    source_files: Sequence[str]
    variants: Sequence[tuple[int, int, int, int]] = ()
    inlined_calls: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True, slots=True)
class LayoutFacts:
    """Where the ELF file has what the metadata points to: virtual addresses and sizes in bytes.

    Attributes
    ----------
    machine : str
        Key of ``schema.MACHINES``.
    head_size_bytes : int
        Bytes from the start of the file that load_checksum covers.
    segments : int
        1 or 2; with one, the dynamic section is read-only.
    """

    machine: str
    head_size_bytes: int
    segments: int
    anchor_vaddr: int
    text_vaddr: int
    text_size_bytes: int
    type_digests_vaddr: int


@dataclass(frozen=True, slots=True)
class MetadataFacts:
    """All that goes into the section, but for file_size_bytes, build_id and the digests, which are patched in later.

    Attributes
    ----------
    type_digests : Sequence[bytes]
        16 bytes per type.
    type_canonical : Sequence[int]
        Per type, the index of the first type with the same digest.
    cpu_features, wasm_features : Iterable[str]
        Names from ``schema.CPU_FEATURES`` and ``schema.WASM_FEATURES``.
    cpu_levels : Sequence[tuple[str, Iterable[str]]]
        Name and features of each CPU level, the first one's too; empty where there is one.
    info : Mapping[str, str]
        Strings about the pack: module_name, opt_level, cpu, target, packer, llvm.
    library_version : tuple[int, int, int]
        Version of this package.
    wasm_sha256 : bytes
        32 bytes, of the module.
    checks_exceptions : bool
        Functions look for a pending exception after calls.
    keep_debug : bool
        Custom sections of DWARF are stored, too.
    component : Mapping[str, Values] | None
        The columns that only components have; None for a module.
    """

    module: Module
    initial: InitialState
    code: CodeFacts
    layout: LayoutFacts
    type_digests: Sequence[bytes]
    type_canonical: Sequence[int]
    cpu_features: Iterable[str]
    wasm_features: Iterable[str]
    info: Mapping[str, str]
    library_version: tuple[int, int, int]
    wasm_sha256: bytes
    checks_exceptions: bool = False
    fuel: bool = False
    keep_debug: bool = False
    component: Mapping[str, Values] | None = None
    cpu_levels: Sequence[tuple[str, Iterable[str]]] = ()

    @property
    def custom_sections(self) -> list[CustomSection]:
        """Those that are stored."""
        sections = self.module.custom_sections
        return [section for section in sections if self.keep_debug or not section.name.startswith(DEBUG_PREFIX)]


def encode_metadata(facts: MetadataFacts) -> bytearray:
    """Build the section; file_size_bytes, build_id and the digests are left zero (see ``digests``).

    Raises
    ------
    ToolchainError
        Where a value does not fit its column, or facts contradict each other: a defect of the packer.
    """
    if sys.byteorder != "little":
        raise ToolchainError("metadata is written on little-endian hosts only; this host is big-endian")
    page_size_bytes = schema.PAGE_BYTES[facts.layout.machine]
    images = Images.plan(facts.initial, page_size_bytes)
    columns = {**_WITHOUT_ROWS, **dict(_columns(facts, images)), **(facts.component or {})}
    return build_section(columns, images, page_size_bytes, _header_fields(facts))


def build_section(
    columns: dict[str, Values], images: Images, page_size_bytes: int, header_fields: Mapping[str, int | bytes]
) -> bytearray:
    """Put header, directory, columns and images together.

    Parameters
    ----------
    columns : dict[str, Values]
        Every column of the schema; those that say where images lie count from the first one, and are replaced.
    images : Images
        What they tell the places of.
    page_size_bytes : int
        Alignment of the images.
    header_fields : Mapping[str, int | bytes]
        Of the header; those about format, directory and size are added.

    Raises
    ------
    ToolchainError
        A column is missing, or is no whole number of values.
    """
    names = _all_names(columns)
    if columns.keys() != set(names):
        raise ToolchainError(f"columns not encoded: {sorted(columns.keys() ^ set(names))}")
    sizes = [memoryview(value).nbytes if (value := columns[name]) else 0 for name in names]
    directory, filled, columns_end = _place(names, sizes)
    images_start = schema.align_up(columns_end, page_size_bytes)
    if images.pieces:
        _move_images(columns, images_start)

    size_bytes = images_start + images.size_bytes if images.pieces else columns_end
    own_fields = {
        "magic": schema.METADATA_MAGIC,
        "format_major": schema.FORMAT_MAJOR,
        "format_minor": schema.FORMAT_MINOR,
        "header_size_bytes": schema.METADATA_HEADER.size_bytes,
        "directory_offset": schema.METADATA_HEADER.size_bytes,
        "directory_count": len(names),
        "section_size_bytes": size_bytes,
    }
    pieces: list[Values] = [header.encode_header({**header_fields, **own_fields}), directory]
    position = sum(memoryview(piece).nbytes for piece in pieces)
    for number, place in filled:
        pieces += bytes(place - position), columns[names[number]]
        position = place + sizes[number]
    for offset, piece in images.pieces:
        pieces += bytes(images_start + offset - position), piece
        position = images_start + offset + memoryview(piece).nbytes
    pieces.append(bytes(size_bytes - position))
    return bytearray().join(pieces)


def _all_names(columns: Mapping[str, Values]) -> tuple[str, ...]:
    """The columns that a section has, ascending by id: optional ones where there is one of their kind."""
    return sum([names for names in _OPTIONAL_NAMES if not columns.keys().isdisjoint(names)], tuple(_WITHOUT_ROWS))


# --------------------------------------------------------------------------------------------------------------------
# Images and placing


@dataclass(frozen=True, slots=True)
class Images:
    """Page-aligned pieces: offsets count from the first one. ``tables`` maps a table index to offset and slot count."""

    pieces: list[tuple[int, Values]]
    tables: dict[int, tuple[int, int]]
    run_offsets: list[int]
    size_bytes: int

    @classmethod
    def plan(cls, initial: InitialState, page_size_bytes: int) -> Images:
        """Place table images, then memory image runs."""
        pieces: list[tuple[int, Values]] = []
        tables, run_offsets, offset = {}, [], 0
        for image in initial.table_images:
            if image.slots:
                tables[image.table_index] = (offset, len(image.slots))
                pieces.append((offset, image.slots))
                offset = schema.align_up(offset + 8 * len(image.slots), page_size_bytes)
        for run in initial.memory_runs:
            if len(run.data) % page_size_bytes or run.memory_offset % page_size_bytes:
                raise ToolchainError(
                    f"an image run of memory {run.memory_index} lies at {run.memory_offset} with {len(run.data)} "
                    f"bytes, expected multiples of {page_size_bytes}"
                )
            run_offsets.append(offset)
            pieces.append((offset, run.data))
            offset += len(run.data)
        return cls(pieces, tables, run_offsets, offset)


def _place(names: Sequence[str], sizes: Sequence[int]) -> tuple[array[int], list[tuple[int, int]], int]:
    """Place columns, ascending by id, that have these sizes in bytes: small ones first.

    A load reads the start of the section, and then has them without touching the mapping.

    Returns
    -------
    tuple[array[int], list[tuple[int, int]], int]
        The directory, three words an entry; number and place of each column that has values, in order; where all end.
    """
    end = schema.METADATA_HEADER.size_bytes + len(sizes) * schema.DIRECTORY_ENTRY.size_bytes
    end = schema.align_up(end, schema.COLUMN_ALIGN_BYTES)
    places, counts, align = [end] * len(sizes), [0] * len(sizes), schema.COLUMN_ALIGN_BYTES
    filled = sorted(compress(range(len(sizes)), sizes), key=sizes.__getitem__)  # equal ones by ascending id
    for number in filled:
        size_bytes, value_bytes = sizes[number], _VALUE_BYTES[names[number]]
        if size_bytes % value_bytes:
            raise ToolchainError(f"column {names[number]} is not a whole number of {value_bytes}-byte values")
        counts[number] = size_bytes // value_bytes
        places[number] = start = end + align - 1 & -align
        end = start + size_bytes
    directory = array("Q", bytes(len(sizes) * schema.DIRECTORY_ENTRY.size_bytes))
    directory[0::3] = _HEADS + array("Q", [_ENTRY_HEADS[name] for name in names[len(_HEADS) :]])
    directory[1::3] = array("Q", places)
    directory[2::3] = array("Q", counts)
    return directory, [(number, places[number]) for number in filled], end


def _move_images(columns: dict[str, Values], images_start: int) -> None:
    """Turn offsets from the first image into offsets from the section's start, now that that one is known."""
    runs = columns["run_section_offset"]
    tables = zip(columns["table_image_offset"], columns["table_image_count"], strict=True)
    columns |= (
        ints("run_section_offset", [offset + images_start for offset in runs]),
        ints("table_image_offset", [offset + images_start if count else 0 for offset, count in tables]),
    )


def runtime_abi(features: Iterable[str]) -> int:
    """The oldest runtime ABI that has all that the code of a module with these features needs."""
    return max(
        [schema.RUNTIME_ABI_OF_FEATURE.get(feature, schema.RUNTIME_ABI_OLDEST) for feature in features],
        default=schema.RUNTIME_ABI_OLDEST,
    )


def _header_fields(facts: MetadataFacts) -> dict[str, int | bytes]:
    module, layout = facts.module, facts.layout
    record = module.instance_layout
    return {
        "flags": (schema.HEADER_READ_ONLY_DYNAMIC if layout.segments == 1 else 0)
        | (schema.HEADER_CHECKS_EXCEPTIONS if facts.checks_exceptions else 0)
        | (schema.HEADER_FUEL if facts.fuel else 0)
        | (schema.HEADER_COMPONENT if facts.component else 0)
        | (schema.HEADER_CPU_LEVELS if facts.cpu_levels else 0),
        "runtime_abi": runtime_abi(facts.wasm_features),
        "library_version": library_version(facts.library_version),
        "machine": schema.MACHINES[layout.machine],
        "page_size_bytes": schema.PAGE_BYTES[layout.machine],
        "head_size_bytes": layout.head_size_bytes,
        "cpu_features": _feature_bits(facts.cpu_features, schema.CPU_FEATURES[layout.machine], "CPU"),
        "wasm_features": _feature_bits(facts.wasm_features, schema.WASM_FEATURES, "WebAssembly"),
        "anchor_vaddr": layout.anchor_vaddr,
        "text_vaddr": layout.text_vaddr,
        "text_size_bytes": layout.text_size_bytes,
        "type_digests_vaddr": layout.type_digests_vaddr,
        "wasm_digest": facts.wasm_sha256,
        "init_text_offset": _plus_one(facts.code.init_text_offset),
        "start_function": _plus_one(module.start),
        "instance_size_bytes": record.size_bytes,
        "instance_memories_offset": record.memories_offset,
        "instance_tables_offset": record.tables_offset,
        "instance_imported_functions_offset": record.imported_functions_offset,
        "instance_imported_globals_offset": record.imported_globals_offset,
        "instance_tags_offset": record.tags_offset,
        "instance_globals_offset": record.globals_offset,
        "instance_elements_offset": record.elements_offset,
        "instance_data_dropped_offset": record.data_dropped_offset,
    }


def library_version(numbers: tuple[int, int, int]) -> int:
    """The header's number for a version of this package."""
    major, minor, patch = numbers
    return major << 16 | minor << 8 | patch


def _feature_bits(names: Iterable[str], known: Sequence[str], what: str) -> int:
    """Bit i for the i-th known name."""
    names = set(names)
    unknown = names.difference(known)
    if unknown:
        raise ToolchainError(f"{what} features that the schema does not know: {', '.join(sorted(unknown))}")
    return sum(1 << known.index(name) for name in names)


# --------------------------------------------------------------------------------------------------------------------
# Columns, group by group


def _columns(facts: MetadataFacts, images: Images) -> Iterator[Named]:
    """The columns of each group that has rows; image offsets are relative to the first image."""
    module, initial, sections = facts.module, facts.initial, facts.custom_sections
    yield from _types(facts)
    if module.imports:
        yield from _imports(module)
    yield from _exports(module)
    yield "function", _function_rows(facts)
    yield from _code(facts)
    if module.function_names:
        yield from _function_names(facts)
    if module.table_types:
        yield from _tables(module)
    if module.table_types or initial.memory_runs:
        yield from image_columns(initial, images, len(module.table_types))
    if module.memory_types:
        yield from _memories(facts)
    if module.global_types:
        yield from _globals(facts)
    if module.tag_types:
        yield ints("tag_type", module.tag_types)
    if module.elements:
        yield from _elements(facts)
    if module.datas:
        yield from _data(facts)
    if sections:
        yield from _custom_sections(module, sections)
    yield from texts("info_key", list(facts.info))
    yield from texts("info_value", list(facts.info.values()))
    if facts.cpu_levels:
        yield from _cpu_levels(facts)


def _imports(module: Module) -> Iterator[Named]:
    yield from texts("import_module", [entry.module for entry in module.imports])
    yield from texts("import_name", [entry.name for entry in module.imports])
    yield ints("import_kind", [entry.kind for entry in module.imports])
    yield ints("import_index", [entry.index for entry in module.imports])


def _custom_sections(module: Module, sections: Sequence[CustomSection]) -> Iterator[Named]:
    yield from texts("custom_name", [section.name for section in sections])
    data = memoryview(module.data)
    yield from spans("custom_data", [data[section.start : section.end] for section in sections])


def _types(facts: MetadataFacts) -> Iterator[Named]:
    types = list(map(parts, facts.module.types))
    yield ints("type_kind", bytes(map(kind_of, facts.module.types)))
    yield "type_digest", b"".join(facts.type_digests)
    yield ints("type_canonical", facts.type_canonical)
    # One flat column for both: all parameters, then all results.
    starts = list(accumulate((len(params) for params, _ in types), initial=0))
    yield ints("type_params", starts)
    yield ints("type_results", accumulate((len(results) for _, results in types), initial=starts[-1]))
    yield ints(
        "type_values",
        chain(chain.from_iterable(params for params, _ in types), chain.from_iterable(results for _, results in types)),
    )
    yield ints("type_entry", map(_plus_one, facts.code.entry_text_offsets))
    yield ints("type_host", map(_plus_one, facts.code.host_text_offsets))
    yield ints("type_inward", map(_plus_one, facts.code.inward_text_offsets))


def _cpu_levels(facts: MetadataFacts) -> Iterator[Named]:
    known = schema.CPU_FEATURES[facts.layout.machine]
    yield ints("cpu_level_features", [_feature_bits(features, known, "CPU") for _, features in facts.cpu_levels])
    yield from texts("cpu_level_name", [name for name, _ in facts.cpu_levels])
    yield "cpu_variant", array("I", chain.from_iterable(facts.code.variants))


def _exports(module: Module) -> Iterator[Named]:
    names = [entry.name.encode() for entry in module.exports]
    yield from spans("export_name", names)
    yield ints("export_kind", [entry.kind for entry in module.exports])
    yield ints("export_index", [entry.index for entry in module.exports])
    yield "export_slots", hash_slots(names, [entry.index << 3 | entry.kind + 1 for entry in module.exports])


def hash_slots(names: Sequence[bytes], items: Sequence[int]) -> array[int]:
    """The hash index, as the fields of its slots: as few slots as leave a fifth of them empty, at least one.

    A module may choose its names so that all of them want one slot: where a slot is taken, the way to the next free one
    is remembered.
    """
    count = 1 << (len(names) * 5 // 4).bit_length()
    slots = array("I", bytes(count * schema.EXPORT_SLOT.size_bytes))
    mask, start = count - 1, 0
    following = array("I", range(count))  # a free slot has itself
    for name, item in zip(names, items, strict=True):
        value = rows.export_hash(name)
        slot = value & mask
        while following[slot] != slot:
            following[slot] = following[following[slot]]
            slot = following[slot]
        following[slot] = slot + 1 & mask
        slots[4 * slot : 4 * slot + 4] = array("I", (item, value, start, len(name)))
        start += len(name)
    return slots


def _function_rows(facts: MetadataFacts) -> array[int]:
    """The fields of each function's row; what is not compiled has only a type."""
    module, code = facts.module, facts.code
    table = array("I", bytes(len(module.function_types) * schema.FUNCTION_ROW.size_bytes))
    defined = 4 * (len(module.function_types) - len(module.codes))
    fields = (module.function_types, code.text_offsets, code.sizes_bytes, code.flags)
    try:
        for place, values in enumerate(fields):
            table[(place and defined) + place :: 4] = array("I", values)
    except OverflowError as error:
        raise ToolchainError(f"a value does not fit column function: {error}") from error
    return table


def _code(facts: MetadataFacts) -> Iterator[Named]:
    codes, code = facts.module.codes, facts.code
    yield ints("code_wasm_offset", [entry.start for entry in codes])
    yield ints("code_wasm_size", [entry.end - entry.start for entry in codes])
    yield from code.chunks.items()
    yield from texts("source_file_name", code.source_files)
    if code.inlined_calls:
        yield ints("inlined_call_func", [func_index for func_index, _ in code.inlined_calls])
        yield ints("inlined_call_offset", [offset for _, offset in code.inlined_calls])


def _function_names(facts: MetadataFacts) -> Iterator[Named]:
    module = facts.module
    # The name section is not validated: it may name functions that don't exist.
    indices = sorted(index for index in module.function_names if index < len(module.function_types))
    sizes = [len(module.function_names[index].encode()) for index in indices]
    starts = [module.function_name_ends[index] - size for index, size in zip(indices, sizes, strict=True)]
    yield ints("function_name_index", indices)
    yield ints("function_name_offset", _custom_data_offsets(facts.custom_sections, starts))
    yield ints("function_name_size", sizes)


def _custom_data_offsets(sections: Sequence[CustomSection], starts: Iterable[int]) -> Iterator[int]:
    """Offsets in custom_data_bytes of places in the module that lie in custom sections."""
    section_starts = [section.start for section in sections]
    stored = list(accumulate((section.end - section.start for section in sections), initial=0))
    for start in starts:
        row = bisect_right(section_starts, start) - 1
        yield stored[row] + start - section_starts[row]


def image_columns(initial: InitialState, images: Images, table_count: int) -> Iterator[Named]:
    """Where the images lie, from the first one on."""
    places = [images.tables.get(index, (0, 0)) for index in range(table_count)]
    yield ints("table_image_offset", [offset for offset, _ in places])
    yield ints("table_image_count", [count for _, count in places])
    yield ints("run_memory", [run.memory_index for run in initial.memory_runs])
    yield ints("run_memory_offset", [run.memory_offset for run in initial.memory_runs])
    yield ints("run_section_offset", images.run_offsets)
    yield ints("run_size", [len(run.data) for run in initial.memory_runs])


def _tables(module: Module) -> Iterator[Named]:
    yield ints("table_type", [table.element for table in module.table_types])
    yield from _limits("table_min", "table_max", "table_flags", [table.limits for table in module.table_types])


def _memories(facts: MetadataFacts) -> Iterator[Named]:
    memories = facts.module.memory_types
    limits = [memory.limits for memory in memories]
    yield from _limits("memory_min_pages", "memory_max_pages", "memory_flags", limits)
    yield ints("memory_page_log2", (memory.page_log2 for memory in memories))
    yield ints("memory_guard", facts.code.memory_guards)


def _limits(minimum: str, maximum: str, flags: str, limits: Sequence[Limits]) -> Iterator[Named]:
    yield ints(minimum, [item.min for item in limits])
    yield ints(maximum, [schema.NONE_U64 if item.max is None else item.max for item in limits])
    yield ints(
        flags,
        (
            (0 if item.max is None else schema.LIMITS_HAS_MAX)
            | (schema.LIMITS_SHARED if item.shared else 0)
            | (schema.LIMITS_64 if item.is64 else 0)
            for item in limits
        ),
    )


def _globals(facts: MetadataFacts) -> Iterator[Named]:
    module = facts.module
    yield ints("global_type", [item.valtype for item in module.global_types])
    yield ints("global_flags", [schema.GLOBAL_MUTABLE if item.mutable else 0 for item in module.global_types])
    yield "global_image", facts.initial.global_image
    data = memoryview(module.data)
    initialisers = [data[item.init.start : item.init.end] for item in module.globals]
    yield from spans("global_init", [memoryview(b"")] * module.imported_globals + initialisers)


def _elements(facts: MetadataFacts) -> Iterator[Named]:
    elements = facts.module.elements
    in_image = facts.initial.elements_in_image
    yield ints("element_mode", [element.mode for element in elements])
    yield ints("element_type", [element.type for element in elements])
    yield ints("element_table", [element.table if element.mode == ACTIVE else 0 for element in elements])
    yield ints("element_offset", [_constant_offset(element.offset) for element in elements])
    yield ints("element_in_image", [index in in_image for index in range(len(elements))])
    yield ints("element_slots", accumulate((len(element.items) for element in elements), initial=0))
    yield ints("element_slot_values", chain.from_iterable(map(_element_slots, elements)))


def _element_slots(element: Element) -> Iterator[int]:
    """Slots of a segment: functions tagged, null and computed values 0."""
    for item in element.items:
        if isinstance(item, int):
            yield item << 1 | 1
        else:
            (_, opcode, immediate), *more = item.instructions
            yield immediate << 1 | 1 if opcode == _REF_FUNC and not more else 0


def _data(facts: MetadataFacts) -> Iterator[Named]:
    datas, in_image = facts.module.datas, facts.initial.datas_in_image
    yield ints("data_mode", [segment.mode for segment in datas])
    yield ints("data_memory", [segment.memory if segment.mode == ACTIVE else 0 for segment in datas])
    yield ints("data_offset", [_constant_offset(segment.offset) for segment in datas])
    yield ints("data_in_image", [index in in_image for index in range(len(datas))])
    yield ints("data_size", [segment.end - segment.start for segment in datas])
    data = memoryview(facts.module.data)
    contents = [
        data[segment.start : segment.start if index in in_image else segment.end] for index, segment in enumerate(datas)
    ]
    yield from spans("data_start", contents)


def _constant_offset(offset: ConstExpr | None) -> int:
    """Value of an active segment's offset, schema.NONE_U64 where it is computed from globals and for other segments."""
    value = None if offset is None else evaluate(offset, {})
    return value if isinstance(value, int) else schema.NONE_U64


# --------------------------------------------------------------------------------------------------------------------
# Building single columns


def ints(name: str, values: Iterable[int]) -> Named:
    """A column of integers; arrays and bytes that have the column's type already are not copied."""
    code = _ARRAY_CODES[name]
    if (isinstance(values, array) and values.typecode == code) or (isinstance(values, bytes) and code == "B"):
        return name, values
    try:
        return name, array(code, values)
    except OverflowError as error:
        raise ToolchainError(f"a value does not fit column {name}: {error}") from error


def texts(name: str, strings: Sequence[str]) -> Iterator[Named]:
    """An offsets column and its flat column, from strings."""
    return spans(name, [string.encode() for string in strings])


def spans(name: str, parts: Sequence[bytes | memoryview]) -> Iterator[Named]:
    """An offsets column and its flat column, from pieces of bytes."""
    yield ints(name, accumulate(map(len, parts), initial=0))
    yield schema.COLUMN_BY_NAME[name].target, b"".join(parts)


def _plus_one(value: int | None) -> int:
    """Optional numbers are stored plus one, 0 being none."""
    return 0 if value is None else value + 1
