"""The contract: what compiled code and the runtime rely on together, in the code segment behind the anchor.

::

    anchor | contract | a tied_array per array | the arrays | subtypes | levels

Each array, the subtypes and the levels are a multiple of 16 bytes from the anchor. The last two may be missing.

It repeats fields of the metadata header, counts, and columns, so that a section which lies changes nothing: a loader
compares header and counts, and reads the arrays here. The packer makes it from the finished section, once the code has
its place; `verify` makes it again and compares every byte.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from operator import itemgetter
from typing import Final

from wasmartifact import schema
from wasmartifact.errors import ToolchainError
from wasmartifact.metadata import faults
from wasmartifact.metadata.columns import Columns
from wasmartifact.wasm.initial import InitialState, TableImage
from wasmartifact.wasm.model import CompositeType, Module, fields, kind_of, parts

_CONTRACT: Final = schema.CONTRACT.packer()
_FIELDS: Final = schema.CONTRACT.offsets()
_TIED_ARRAY: Final = schema.TIED_ARRAY.packer()
_IMAGE: Final = schema.TIED_IMAGE.packer()
_SUBTYPE: Final = schema.TIED_SUBTYPE.packer()
_FUNCTION: Final = schema.TIED_FUNCTION.packer()
_LEVELS: Final = schema.TIED_LEVELS.packer()
_LEVEL: Final = schema.TIED_LEVEL.packer()
_VARIANT: Final = schema.TIED_VARIANT.packer()
_LEVELS_OFFSET: Final = schema.ANCHOR.offsets()["levels_offset"]
#: From the anchor.
_START: Final = schema.ANCHOR.size_bytes
_ENTRIES: Final = _START + schema.CONTRACT.size_bytes
_ARRAYS_END: Final = _ENTRIES + len(schema.TIED_ARRAYS) * schema.TIED_ARRAY.size_bytes
_TIED_COLUMNS: Final = {name: schema.COLUMN_BY_NAME[name] for name in schema.TIED_COLUMNS}
_tied_entries: Final = itemgetter(*(column.id for column in _TIED_COLUMNS.values()))
_header_fields: Final = itemgetter(*schema.TIED_HEADER_FIELDS)
_IMPORTED: Final = ("functions", "tables", "memories", "globals", "tags")  # by kind
#: Of each array: the size of its values; what it has as many of, rows of a group or something else, and how many more.
_VALUE_SIZES: Final = tuple(schema.VALUE_SIZES[tied.type] for tied in schema.TIED_ARRAYS)
_COUNTED: Final = (
    *(
        (name if column.shape == "flat" else column.group, int(column.shape == "offsets"))
        for name, column in _TIED_COLUMNS.items()
    ),
    ("functions", 0),
    ("tables", 0),
)
_FUNCTIONS: Final = next(number for number, tied in enumerate(schema.TIED_ARRAYS) if tied.name == "functions")
#: Where a mapped image lies in the file, and how many slots it has.
Place = tuple[int, int]


def contract_size_bytes(module: Module, *, has_tail_calls: bool, levels: int = 1, variants: int = 0) -> int:
    """Size of the contract of a module, which is known before its code has a place: from the anchor's start to its end.

    There are so many CPU levels, and so many variants of functions for those above the first.
    """
    rows = {
        "types": len(module.types),
        "type_values": _value_count(module),
        "inward_trampolines": len(module.types) if has_tail_calls else 0,
        "functions": len(module.function_types),
        "tables": len(module.table_types),
        "memories": len(module.memory_types),
        "globals": len(module.global_types),
        "global_image": len(module.globals),
        "tags": len(module.tag_types),
        "elements": len(module.elements),
    }
    end = _place([rows[what] + more for what, more in _COUNTED])[1]
    end += _subtypes_size_bytes(len(module.types), rows["type_values"]) if module.subtypes else 0
    return end + _levels_size_bytes(levels, variants, rows["functions"])


def _value_count(module: Module) -> int:
    return sum(len(part) for item in module.types for part in parts(item))


def _subtypes_size_bytes(types: int, values: int) -> int:
    return schema.align_up(types * _SUBTYPE.size + values, schema.TIED_ALIGN_BYTES)


def _levels_size_bytes(levels: int, variants: int, functions: int) -> int:
    if levels == 1:
        return 0
    above = (levels - 1) * (_LEVEL.size + schema.align_up(functions * _FUNCTION.size, schema.TIED_ALIGN_BYTES))
    return _LEVELS.size + schema.align_up(variants * _VARIANT.size, schema.TIED_ALIGN_BYTES) + above


def _mutability(item: CompositeType) -> list[bool]:
    """Per parameter or field."""
    found = fields(item)
    return [field.mutable for field in found] if found else [False] * len(parts(item)[0])


def encode_subtypes(module: Module) -> bytes:
    """What stands behind the arrays where types are more than function types; else empty."""
    if not module.subtypes:
        return b""
    rows = b"".join(
        _SUBTYPE.pack(
            kind_of(module.types[index]),
            0 if item.supertype is None else item.supertype + 1,
            schema.SUBTYPE_FINAL if item.final else 0,
            module.depth(index),
        )
        for index, item in enumerate(module.subtypes)
    )
    # As in type_values: all parameters and fields first.
    mutable = bytes(flag for item in module.types for flag in _mutability(item))
    return (rows + mutable).ljust(_subtypes_size_bytes(len(module.types), _value_count(module)), b"\0")


def mapped_images(initial: InitialState) -> list[TableImage]:
    """The table images that instances map: the code segment holds a copy of each."""
    return [image for image in initial.table_images if 8 * len(image.slots) >= schema.MAPPED_IMAGE_MIN_BYTES]


def encode_contract(
    section: bytes | bytearray, images: Mapping[int, Place], subtypes: bytes = b""
) -> tuple[bytes, int]:
    """The bytes behind the anchor, and what the anchor says of where CPU levels lie.

    Parameters
    ----------
    section : buffer
        The metadata section, final but for build_id, sizes and digests.
    images : Mapping[int, Place]
        Of the tables whose image is mapped: its copy in the code segment.
    subtypes : bytes
        As `encode_subtypes` or `read_subtypes` gives them.

    Raises
    ------
    ToolchainError
        The arrays are too large for their offsets.
    """
    return _encode(Columns(section), images, subtypes)


def check_contract(columns: Columns, found: memoryview, file: memoryview) -> None:
    """Check that a file's contract says what its metadata says.

    Parameters
    ----------
    columns : Columns
        Of the metadata section; its rows were checked.
    found : memoryview
        The mapped bytes from the anchor on.
    file : memoryview
        The whole file.

    Raises
    ------
    CorruptArtifact
        Names the first thing that differs.
    """
    _check_tied(columns, found)
    images = read_images(columns, found)
    for table, (offset, count) in images.items():
        _check_image(columns, file, table, offset, count)
    expected, place = _encode(columns, images, read_subtypes(columns, found))
    in_code = int.from_bytes(found[_LEVELS_OFFSET : _LEVELS_OFFSET + 4], "little")
    if in_code != place:
        raise faults.contract("the place of the CPU levels", place, in_code)
    given = bytes(found[_START : _START + len(expected)])
    if given != expected:
        _refuse_difference(given, expected)


# --------------------------------------------------------------------------------------------------------------------
# Writing


def _place(counts: Sequence[int]) -> tuple[list[int], int]:
    """Offset of each array, and where the last one ends; in bytes from the anchor."""
    align = schema.TIED_ALIGN_BYTES
    padded = [count * size + align - 1 & -align for count, size in zip(counts, _VALUE_SIZES, strict=True)]
    *offsets, end = accumulate(padded, initial=schema.TIED_ARRAYS_OFFSET)
    if end >> 32:
        raise ToolchainError(f"the contract of the code has {end} bytes, expected less than 4 GiB; split the module")
    return offsets, end


def _encode(columns: Columns, images: Mapping[int, Place], subtypes: bytes) -> tuple[bytes, int]:
    """As `encode_contract`."""
    arrays = list(_arrays(columns, images))
    counts = [len(data) // size for size, data in zip(_VALUE_SIZES, arrays, strict=True)]
    offsets, end = _place(counts)
    result = bytearray(end) + subtypes
    _CONTRACT.pack_into(result, _START, *_contract_fields(columns), end if subtypes else 0)
    entries = array("I", bytes(_ARRAYS_END - _ENTRIES))
    entries[0::2], entries[1::2] = array("I", offsets), array("I", counts)
    result[_ENTRIES:_ARRAYS_END] = entries.tobytes()
    for offset, data in zip(offsets, arrays, strict=True):
        if data:
            result[offset : offset + len(data)] = data
    levels_offset = len(result) if _has_levels(columns) else 0
    if levels_offset:
        result += _levels(columns, levels_offset, arrays[_FUNCTIONS])
    return bytes(memoryview(result)[_START:]), levels_offset


def _has_levels(columns: Columns) -> bool:
    return bool(columns.header.numbers["flags"] & schema.HEADER_CPU_LEVELS)


def _levels(columns: Columns, start: int, functions: bytes) -> bytes:
    """The CPU levels above the first, ``start`` bytes from the anchor: the first one's functions, but for variants."""
    above = columns.column("cpu_level_features")[1:]
    fields = ("text_offset", "code_size_bytes", "func_index", "levels")
    variants = list(zip(*(columns.column(f"cpu_variant.{name}") for name in fields), strict=True))
    variants_offset = start + _LEVELS.size + len(above) * _LEVEL.size
    functions_offset = schema.align_up(variants_offset + len(variants) * _VARIANT.size, schema.TIED_ALIGN_BYTES)
    end = variants[-1][0] + variants[-1][1]
    result = bytearray(_LEVELS.pack(len(above), len(variants), variants_offset, end))
    stride = schema.align_up(len(functions), schema.TIED_ALIGN_BYTES)
    for number, features in enumerate(above):
        result += _LEVEL.pack(features, functions_offset + number * stride, 0)
    for text_offset, _, func_index, _ in variants:
        result += _VARIANT.pack(text_offset, func_index)
    result += bytes(functions_offset - start - len(result))
    for level in range(1, len(above) + 1):
        own = array("I", functions)
        for text_offset, _, func_index, levels in variants:
            if levels >> level & 1:
                own[2 * func_index] = text_offset
        result += own.tobytes().ljust(stride, b"\0")
    return bytes(result)


def _contract_fields(columns: Columns) -> tuple[int, ...]:
    """Values of the contract's fields, in order, but for the last one, which says where the subtypes are."""
    kinds = columns.column("import_kind").tobytes()
    counts = map(kinds.count, range(len(_IMPORTED)))
    return *_header_fields(columns.header.numbers), len(kinds), *counts, columns.row_count("data")


def _arrays(columns: Columns, images: Mapping[int, Place]) -> Iterator[bytes]:
    """Contents of each array, in order."""
    section = columns.section
    for _, size_bytes, start, count in _tied_entries(columns.directory):
        yield bytes(section[start : start + count * size_bytes]) if count else b""  # most are empty in small modules
    rows = array("I", bytes(8 * columns.row_count("functions")))
    rows[0::2] = array("I", columns.column("function.text_offset"))
    types, flags = columns.column("function.type"), columns.column("function.flags")
    rows[1::2] = array("I", [type_ << 1 | flag & 1 for type_, flag in zip(types, flags, strict=True)])
    yield rows.tobytes()
    yield b"".join(_IMAGE.pack(*images.get(table, (0, 0))) for table in range(columns.row_count("tables")))


# --------------------------------------------------------------------------------------------------------------------
# Checking


def _check_tied(columns: Columns, found: memoryview) -> None:
    """Compare what a loader compares, in its order and its words (``check_contract`` in native/runtime/metadata.c)."""
    if len(found) < schema.TIED_ARRAYS_OFFSET:
        raise faults.contract("size in bytes", len(found), f"at least {schema.TIED_ARRAYS_OFFSET}")
    fields = dict(zip(_FIELDS, _CONTRACT.unpack_from(found, _START), strict=True))
    counts = [count for _, count in _TIED_ARRAY.iter_unpack(found[_ENTRIES:_ARRAYS_END])]
    numbers, functions = columns.header.numbers, columns.row_count("functions")
    pairs = [(name, numbers[name], fields[name]) for name in schema.TIED_HEADER_FIELDS]
    for name, count in zip(schema.TIED_COLUMNS, counts, strict=False):
        size_bytes = schema.VALUE_SIZES[schema.COLUMN_BY_NAME[name].type]
        pairs.append((f"the count of {name}", columns.column(name).nbytes // size_bytes, count))
    defined = (functions - fields["imported_functions"]) % 2**64  # as the loader counts
    pairs += [
        ("the count of function", functions, counts[len(schema.TIED_COLUMNS)]),
        ("the number of imports", columns.row_count("imports"), fields["imports"]),
        ("the number of defined functions", columns.row_count("code"), defined),
        ("the number of data segments", columns.row_count("data"), fields["data_segments"]),
    ]
    for what, in_section, in_code in pairs:
        if in_section != in_code:
            raise faults.contract(what, in_section, in_code)


def read_images(columns: Columns, found: memoryview) -> dict[int, Place]:
    """Where the mapped images lie in the file, by table.

    Parameters
    ----------
    columns : Columns
        Of the metadata section.
    found : memoryview
        The mapped bytes from the anchor on. What they say of this array need not be right yet.

    Raises
    ------
    CorruptArtifact
        It does not lie in them.
    """
    position = next(number for number, tied in enumerate(schema.TIED_ARRAYS) if tied.name == "table_images")
    entry = _ENTRIES + position * _TIED_ARRAY.size
    if entry + _TIED_ARRAY.size > len(found):
        raise faults.contract("size in bytes", len(found), f"more than {entry}")
    offset, count = _TIED_ARRAY.unpack_from(found, entry)
    if count != columns.row_count("tables") or offset + count * _IMAGE.size > len(found):
        raise faults.contract("the array table_images", count, f"{columns.row_count('tables')} values")
    places = enumerate(_IMAGE.iter_unpack(found[offset : offset + count * _IMAGE.size]))
    return {table: (start, slots) for table, (start, slots) in places if start or slots}


def read_subtypes(columns: Columns, found: memoryview) -> bytes:
    """What stands behind the arrays, as `encode_subtypes` made it: only the code's side has it.

    Raises
    ------
    CorruptArtifact
        It does not lie there, or is nothing that the packer writes.
    """
    offset = _CONTRACT.unpack_from(found, _START)[-1]
    if not offset:
        return b""
    types, values = columns.row_count("types"), len(columns.column("type_values"))
    size_bytes = _subtypes_size_bytes(types, values)
    data = bytes(found[offset : offset + size_bytes])
    if len(data) != size_bytes:
        raise faults.contract("the place of the subtypes", offset, f"{size_bytes} bytes within the code")
    depths: list[int] = []
    for row, (kind, supertype, flags, depth) in enumerate(_SUBTYPE.iter_unpack(data[: types * _SUBTYPE.size])):
        wanted = depths[supertype - 1] + 1 if 0 < supertype <= row else 0
        is_known = kind == columns.value("type_kind", row) and flags <= schema.SUBTYPE_FINAL
        if supertype > row or depth != wanted or not is_known:
            raise faults.contract(f"subtype {row}", (kind, supertype, flags, depth), "what a packer writes")
        depths.append(depth)
    return data


def _check_image(columns: Columns, file: memoryview, table: int, offset: int, count: int) -> None:
    """A copy equals the image in the section, and zeros follow up to the end of the page."""
    page = columns.header.numbers["page_size_bytes"]
    start, size = columns.value("table_image_offset", table), 8 * columns.value("table_image_count", table)
    padded = schema.align_up(size, page)
    copy = file[offset : offset + padded]
    is_right = (
        size == 8 * count
        and size >= schema.MAPPED_IMAGE_MIN_BYTES
        and offset % page == 0
        and len(copy) == padded
        and copy[:size] == columns.section[start : start + size]
        and not bytes(copy[size:]).strip(b"\0")
    )
    if not is_right:
        found = f"{count} slots at {offset:#x} of the file"
        raise faults.contract(f"the image of table {table}", found, "that of the section")


def _refuse_difference(found: bytes, expected: bytes) -> None:
    """Raise for the first byte that differs."""
    at = next((i for i, pair in enumerate(zip(found, expected, strict=False)) if pair[0] != pair[1]), len(found))
    place = _START + at
    raise faults.contract(_name_of(place), _byte(expected, at), _byte(found, at))


def _byte(data: bytes, at: int) -> str:
    return f"byte {data[at]:#04x}" if at < len(data) else "nothing"


def _name_of(place: int) -> str:
    """What lies at an offset from the anchor."""
    if place < _ENTRIES:
        name = max((offset, name) for name, offset in _FIELDS.items() if _START + offset <= place)[1]
        return f"{name}, byte {place - _START - _FIELDS[name]}"
    if place < schema.TIED_ARRAYS_OFFSET:
        number = min((place - _ENTRIES) // _TIED_ARRAY.size, len(schema.TIED_ARRAYS) - 1)
        return f"the place of the array {schema.TIED_ARRAYS[number].name}"
    return f"a row of a tied column or a CPU level, at byte {place} of the contract"
