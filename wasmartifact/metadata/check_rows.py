"""The full check of a section that may hold anything: every row, every gap. Linear in the size of the section.

One function per group of columns, in the order of the schema. Together with ``check_directory`` it establishes all
that ``docs/FORMAT.md`` promises of a section, but for the digests.
"""

from __future__ import annotations

import operator
import struct
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise, starmap
from typing import Final

from wasmartifact import schema
from wasmartifact.externtypes import is_storage, is_valtype
from wasmartifact.messages import TRAPS
from wasmartifact.metadata import faults, rows
from wasmartifact.metadata.check_component import check_component
from wasmartifact.metadata.check_directory import check_directory
from wasmartifact.metadata.chunks import ADDRESSES, LINES, OLD_GROUPS, all_rows, is_old
from wasmartifact.metadata.columns import Columns
from wasmartifact.metadata.detail_rows import DATA_MODES, ELEMENT_MODES, TYPE_KINDS
from wasmartifact.metadata.places import nested_calls

_LIMITS_FLAGS: Final = schema.LIMITS_HAS_MAX | schema.LIMITS_SHARED | schema.LIMITS_64
_ACTIVE: Final = 0
_DECLARATIVE: Final = ELEMENT_MODES.index("declarative")
#: Column with the rows of each index space, by kind.
_SPACES: Final = ("function", "table_type", "memory_flags", "global_type", "tag_type")
_SPACE_GROUPS: Final = ("functions", "tables", "memories", "globals", "tags")


def check_rows(buffer: bytes | bytearray | memoryview) -> None:
    """Check a whole metadata section: header, directory, every row, every gap. Digests are for ``digests``.

    Parameters
    ----------
    buffer : buffer
        The whole section.

    Raises
    ------
    BadMagic, VersionMismatch
        The section is not of this format, or for another runtime ABI.
    CorruptArtifact
        A value that no packer writes; names the column, the row, what was found and what was expected.
    """
    check_directory(buffer)
    columns = Columns(buffer)
    abi = columns.header.numbers["runtime_abi"]
    if not schema.RUNTIME_ABI_OLDEST <= abi <= schema.RUNTIME_ABI:
        raise faults.version_mismatch("runtime_abi", abi, schema.RUNTIME_ABI)
    for column in schema.COLUMNS:
        if column.shape == "offsets":
            _check_offsets(columns, column)
    for check in (
        _check_types, _check_imports, _check_exports, _check_functions, _check_code, _check_names, _check_tables,
        _check_memories, _check_globals, _check_tags, _check_elements, _check_data, _check_runs, _check_address_map,
        _check_custom_sections, _check_info, _check_source_lines, _check_cpu_levels, _check_inlined_calls,
        check_component, _check_header, _check_gaps,
    ):  # fmt: skip
        check(columns)


# --------------------------------------------------------------------------------------------------------------------
# Rules that many columns share


def _check_each(columns: Columns, name: str, is_valid: Callable[[int], bool], expected: str) -> None:
    """Every value on its own."""
    for row, value in enumerate(columns.column(name)):
        if not is_valid(value):
            raise faults.corrupt_row(name, row, value, expected)


def _check_below(columns: Columns, name: str, limit: int) -> None:
    """Every value is below a limit. One pass in C where all is well."""
    if max(columns.column(name), default=0) >= limit and columns.column(name):
        _check_each(columns, name, lambda value: value < limit, f"below {limit}")


def _check_ascending(columns: Columns, name: str, *, strictly: bool = False) -> None:
    """Every value is at least the one before; ``strictly``: above it."""
    values = columns.column(name)
    compare = operator.lt if strictly else operator.le
    if not all(map(compare, values, values[1:])):
        row = list(starmap(compare, pairwise(values))).index(False) + 1
        expected = f"{'above' if strictly else 'at least'} {values[row - 1]}"
        raise faults.corrupt_row(name, row, values[row], expected)


def _check_offsets(columns: Columns, column: schema.Column) -> None:
    """Ascending, within the flat column."""
    _check_ascending(columns, column.name)
    _check_below(columns, column.name, len(columns.column(column.target)) + 1)


def _check_texts(columns: Columns, name: str) -> None:
    """Every row is UTF-8."""
    for row in range(len(columns.column(name)) - 1):
        columns.text(name, row)


def _check_valtypes(columns: Columns, name: str) -> None:
    """Every value is the code of a value type."""
    types = columns.row_count("types")
    if not all(is_valtype(code, types) for code in set(columns.column(name))):
        _check_each(columns, name, lambda code: is_valtype(code, types), "a value type")


def _check_slots(name: str, slots: Iterable[int], functions: int) -> None:
    """Every slot is null or a tagged function index."""
    for row, slot in enumerate(slots):
        if slot and not (slot & 1 and slot >> 1 < functions):
            expected = f"0, or func_index << 1 | 1 with an index below {functions}"
            raise faults.corrupt_row(name, row, f"slot {slot:#x}", expected)


def _check_limits(columns: Columns, minimum: str, maximum: str, flags: str) -> None:
    """Known flags, and a maximum exactly where the flag says so."""
    _check_below(columns, flags, _LIMITS_FLAGS + 1)
    for row, (low, high, flag) in enumerate(
        zip(columns.column(minimum), columns.column(maximum), columns.column(flags), strict=True)
    ):
        if flag & schema.LIMITS_HAS_MAX:
            if low > high:
                raise faults.corrupt_row(minimum, row, low, f"at most {high}")
        elif high != schema.NONE_U64:
            raise faults.corrupt_row(maximum, row, high, schema.NONE_U64)


def _imported(columns: Columns, kind: int) -> int:
    """Number of imports of a kind."""
    return sum(code == kind for code in columns.column("import_kind"))


# --------------------------------------------------------------------------------------------------------------------
# Groups


def _check_types(columns: Columns) -> None:
    text_size = columns.header.numbers["text_size_bytes"]
    _check_below(columns, "type_kind", len(TYPE_KINDS))
    types = columns.row_count("types")
    is_packed_allowed = any(columns.column("type_kind"))
    if not is_packed_allowed:
        _check_valtypes(columns, "type_values")
    elif not all(is_storage(code, types) for code in set(columns.column("type_values"))):
        _check_each(columns, "type_values", lambda code: is_storage(code, types), "a value type or a packed one")
    _check_below(columns, "type_entry", text_size + 1)
    _check_below(columns, "type_host", text_size + 1)
    _check_below(columns, "type_inward", text_size + 1)
    if columns.row_count("inward_trampolines") not in (0, columns.row_count("types")):
        found = columns.row_count("inward_trampolines")
        raise faults.corrupt_row("type_inward", found, f"{found} rows", f"none, or {columns.row_count('types')}")
    first: dict[bytes, int] = {}
    for row, canonical in enumerate(columns.column("type_canonical")):
        expected = first.setdefault(columns.digest("type_digest", row), row)
        if canonical != expected:
            raise faults.corrupt_row("type_canonical", row, canonical, expected)


def _check_imports(columns: Columns) -> None:
    _check_texts(columns, "import_module")
    _check_texts(columns, "import_name")
    _check_below(columns, "import_kind", len(schema.KINDS))
    # Imports come first in every index space, in order.
    counts = [0] * len(schema.KINDS)
    for row, (kind, index) in enumerate(
        zip(columns.column("import_kind"), columns.column("import_index"), strict=True)
    ):
        if index != counts[kind]:
            raise faults.corrupt_row("import_index", row, index, counts[kind])
        counts[kind] += 1
    for kind, (group, name) in enumerate(zip(_SPACE_GROUPS, _SPACES, strict=True)):
        if counts[kind] > columns.row_count(group):
            raise faults.corrupt_row(
                name, columns.row_count(group), "missing", f"at least {counts[kind]} rows: imports"
            )


def _check_exports(columns: Columns) -> None:
    _check_texts(columns, "export_name")
    _check_below(columns, "export_kind", len(schema.KINDS))
    sizes = [columns.row_count(group) for group in _SPACE_GROUPS]
    pairs = zip(columns.column("export_kind"), columns.column("export_index"), strict=True)
    for row, (kind, index) in enumerate(pairs):
        if index >= sizes[kind]:
            raise faults.corrupt_row("export_index", row, index, f"below {sizes[kind]}")
    _check_export_slots(columns)


def _check_export_slots(columns: Columns) -> None:
    """Every row stands in one slot, which probing reaches, and names differ.

    In time linear in the rows, wherever the slots say that they are: names may all have one hash.
    """
    slots = list(struct.iter_unpack("<4I", columns.column("export_slots")))
    count, mask, empty = columns.row_count("exports"), len(slots) - 1, (0, 0, 0, 0)
    used = len(slots) - slots.count(empty)
    if used != count or used == len(slots):
        found = f"{used} of {len(slots)} slots in use"
        raise faults.corrupt_row("export_slots", 0, found, f"{count}, one per export, and a free one")
    runs = _runs([slot != empty for slot in slots])
    places = {slot: place for place, slot in enumerate(slots)}
    known: set[bytes] = set()
    names, starts = columns.column("export_name_bytes"), columns.column("export_name")
    items = zip(columns.column("export_kind"), columns.column("export_index"), strict=True)
    for (kind, index), (start, end) in zip(items, pairwise(starts), strict=True):
        name = bytes(names[start:end])
        hash_ = rows.export_hash(name)
        home, expected = hash_ & mask, (index << 3 | kind + 1, hash_, start, len(name))
        slot = places.get(expected, home)
        if slots[slot] != expected or (slot - home & mask) >= runs[slot] or name in known:
            raise faults.corrupt_row("export_slots", slot, slots[slot], f"{expected}, the export {name!r}")
        known.add(name)


def _runs(used: Sequence[bool]) -> list[int]:
    """For every slot how many ones in use end with it, without a free one between; around the end of the table, too."""
    runs, length = [0] * len(used), 0
    for place in (*range(len(used)), *range(len(used))):
        length = length + 1 if used[place] else 0
        runs[place] = length
    return runs


def _check_functions(columns: Columns) -> None:
    _check_below(columns, "function.type", columns.row_count("types"))
    _check_below(columns, "function.flags", 2)
    imported = columns.row_count("functions") - columns.row_count("code")
    if _imported(columns, schema.KIND_FUNC) != imported:
        found = _imported(columns, schema.KIND_FUNC)
        raise faults.corrupt_row("import_kind", len(columns.column("import_kind")), f"{found} functions", imported)


def _check_code(columns: Columns) -> None:
    starts, sizes = columns.column("function.text_offset"), columns.column("function.code_size_bytes")
    flags = columns.column("function.flags")
    text_size = columns.header.numbers["text_size_bytes"]
    imported, end = columns.row_count("functions") - columns.row_count("code"), 0
    for row, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        if row < imported and (start, size, flags[row]) != (0, 0, 0):
            raise faults.corrupt_row(
                "function", row, (start, size, flags[row]), "zeros: an imported function has no code"
            )
        if start < end:
            raise faults.corrupt_row("function.text_offset", row, start, f"at least {end}, where another function ends")
        end = start + size
        if end > text_size:
            raise faults.corrupt_row(
                "function.code_size_bytes", row, size, f"at most {text_size - start}, the rest of .text"
            )


def _check_names(columns: Columns) -> None:
    _check_ascending(columns, "function_name_index", strictly=True)
    _check_below(columns, "function_name_index", columns.row_count("functions"))
    for row in range(columns.row_count("function_names")):
        columns.function_name(row)


def _check_tables(columns: Columns) -> None:
    _check_valtypes(columns, "table_type")
    _check_limits(columns, "table_min", "table_max", "table_flags")
    functions = columns.row_count("functions")
    imported = 0 if _is_snapshot(columns) else _imported(columns, schema.KIND_TABLE)
    for row, count in enumerate(columns.column("table_image_count")):
        offset, minimum = columns.value("table_image_offset", row), columns.value("table_min", row)
        if not count and offset:
            raise faults.corrupt_row("table_image_offset", row, offset, "0, for there is no image")
        if count > (minimum if row >= imported else 0):
            expected = f"at most {minimum}, the table's size" if row >= imported else "0, for the table is imported"
            raise faults.corrupt_row("table_image_count", row, count, expected)
        if count:
            _check_image(columns, "table_image_offset", row, offset, 8 * count)
            slots = columns.section[offset : offset + 8 * count].cast("Q")
            _check_slots(f"image of table {row}", slots, functions)


def _check_image(columns: Columns, name: str, row: int, offset: int, size_bytes: int) -> None:
    """An image is mapped: whole pages, all of them in the section."""
    page = columns.header.numbers["page_size_bytes"]
    if offset % page:
        raise faults.corrupt_row(name, row, offset, f"a multiple of {page}")
    if offset + schema.align_up(size_bytes, page) > len(columns.section):
        raise faults.corrupt_row(name, row, offset, f"{size_bytes} bytes in whole pages within the section")


def _check_memories(columns: Columns) -> None:
    _check_limits(columns, "memory_min_pages", "memory_max_pages", "memory_flags")
    _check_below(columns, "memory_page_log2", 17)
    _check_below(columns, "memory_guard", 2)


def _check_globals(columns: Columns) -> None:
    _check_valtypes(columns, "global_type")
    _check_below(columns, "global_flags", schema.GLOBAL_MUTABLE + 1)
    imported = columns.row_count("globals") - len(columns.column("global_image")) // 16
    if _imported(columns, schema.KIND_GLOBAL) != imported:
        found = _imported(columns, schema.KIND_GLOBAL)
        raise faults.corrupt_row("import_kind", len(columns.column("import_kind")), f"{found} globals", imported)
    for row in range(imported):
        if columns.span("global_init", row):
            raise faults.corrupt_row("global_init", row, "an initialiser", "none, for the global is imported")
    _check_reference_cells(columns, imported)


def _check_reference_cells(columns: Columns, imported: int) -> None:
    """A reference is zero, which init code computes; in a snapshot it is a slot."""
    limit = columns.row_count("functions") if _is_snapshot(columns) else 0
    image = columns.column("global_image")
    for row, valtype in enumerate(columns.column("global_type")[imported:]):
        if valtype & 0xFF in (schema.VALTYPE_REF, schema.VALTYPE_REF_NULL):
            slot = int.from_bytes(image[16 * row : 16 * row + 16], "little")
            _check_slots("global_image", [slot], limit)


def _is_snapshot(columns: Columns) -> bool:
    return bool(columns.header.numbers["flags"] & schema.HEADER_SNAPSHOT)


def _check_tags(columns: Columns) -> None:
    _check_below(columns, "tag_type", columns.row_count("types"))


def _check_elements(columns: Columns) -> None:
    _check_below(columns, "element_mode", len(ELEMENT_MODES))
    _check_valtypes(columns, "element_type")
    _check_below(columns, "element_in_image", 2)
    _check_slots("element_slot_values", columns.column("element_slot_values"), columns.row_count("functions"))
    tables, imported = columns.row_count("tables"), _imported(columns, schema.KIND_TABLE)
    is_snapshot = _is_snapshot(columns)
    for row, mode in enumerate(columns.column("element_mode")):
        table = columns.value("element_table", row)
        if table >= tables if mode == _ACTIVE else table:
            raise faults.corrupt_row("element_table", row, table, f"below {tables} if active, else 0")
        may_start_dropped = mode != _DECLARATIVE if is_snapshot else mode == _ACTIVE and table >= imported
        if columns.value("element_in_image", row) and not may_start_dropped:
            raise faults.corrupt_row("element_in_image", row, 1, "0: only active segments of defined tables have one")


def _check_data(columns: Columns) -> None:
    _check_below(columns, "data_mode", len(DATA_MODES))
    _check_below(columns, "data_in_image", 2)
    memories, imported = columns.row_count("memories"), _imported(columns, schema.KIND_MEMORY)
    is_snapshot = _is_snapshot(columns)
    for row, mode in enumerate(columns.column("data_mode")):
        memory, in_image = columns.value("data_memory", row), columns.value("data_in_image", row)
        if memory >= memories if mode == _ACTIVE else memory:
            raise faults.corrupt_row("data_memory", row, memory, f"below {memories} if active, else 0")
        if in_image and not is_snapshot and (mode != _ACTIVE or memory < imported):
            raise faults.corrupt_row("data_in_image", row, 1, "0: only active segments of defined memories have one")
        stored, size = len(columns.span("data_start", row)), columns.value("data_size", row)
        if stored != (0 if in_image else size):
            raise faults.corrupt_row("data_start", row, f"{stored} bytes", 0 if in_image else size)


def _check_runs(columns: Columns) -> None:
    memories = columns.row_count("memories")
    imported = 0 if _is_snapshot(columns) else _imported(columns, schema.KIND_MEMORY)
    page = columns.header.numbers["page_size_bytes"]
    place = (0, 0)  # memory and offset where the run before ends
    for row, memory in enumerate(columns.column("run_memory")):
        offset, size = columns.value("run_memory_offset", row), columns.value("run_size", row)
        if not imported <= memory < memories:
            raise faults.corrupt_row("run_memory", row, memory, f"a defined memory: {imported} to {memories - 1}")
        if offset % page or (memory, offset) < place:
            expected = f"a multiple of {page} from {place[1]} of memory {place[0]} on"
            raise faults.corrupt_row("run_memory_offset", row, offset, expected)
        min_bytes = columns.value("memory_min_pages", memory) << columns.value("memory_page_log2", memory)
        limit = schema.align_up(min_bytes, page)
        if not size or size % page or offset + size > limit:
            raise faults.corrupt_row("run_size", row, size, f"a multiple of {page} up to {limit - offset}, but not 0")
        _check_image(columns, "run_section_offset", row, columns.value("run_section_offset", row), size)
        place = (memory, offset + size)


def _check_address_map(columns: Columns) -> None:
    limit, known = columns.header.numbers["text_size_bytes"], {0, *TRAPS}
    _check_chunks(columns, ADDRESSES, limit, known.__contains__, "a trap code or 0")


def _check_inlined_calls(columns: Columns) -> None:
    """Calls lie in the body of their function, and rows of the function in its body or in copies of it."""
    if schema.COLUMN_BY_NAME["inlined_call_func"].id not in columns.directory:
        return
    calls = columns.column("inlined_call_func"), columns.column("inlined_call_offset")
    if len(calls[0]) != len(calls[1]):
        raise faults.corrupt_row("inlined_call_offset", len(calls[1]), "missing", f"{len(calls[0])} rows")
    imported = columns.row_count("functions") - columns.row_count("code")
    previous = (0, -1)
    for row, place in enumerate(zip(*calls, strict=True)):
        func_index, offset = place
        if not imported <= func_index < columns.row_count("functions"):
            raise faults.corrupt_row("inlined_call_func", row, func_index, "a function that has code")
        start = columns.value("code_wasm_offset", func_index - imported)
        end = start + columns.value("code_wasm_size", func_index - imported)
        if not start <= offset < end or place <= previous:
            raise faults.corrupt_row("inlined_call_offset", row, offset, f"one behind the last, from {start} to {end}")
        previous = place
    _check_copies(columns, set(calls[0]))


def _check_copies(columns: Columns, functions: set[int]) -> None:
    """Offsets in rows of these functions lie in their bodies or in copies of them."""
    names = ("text_offset", "code_size_bytes")
    places = list(zip(*(columns.column(f"function.{name}") for name in names), strict=True))
    ranges = [(*places[func_index], func_index) for func_index in functions]
    if columns.header.numbers["flags"] & schema.HEADER_CPU_LEVELS:
        variants = zip(*(columns.column(f"cpu_variant.{name}") for name in (*names, "func_index")), strict=True)
        ranges += [variant for variant in variants if variant[2] in functions]
    keys, offsets, _ = all_rows(columns, ADDRESSES)
    for start, size_bytes, func_index in ranges:
        for row in range(bisect_left(keys, start), bisect_left(keys, start + size_bytes)):
            if offsets[row]:
                nested_calls(columns, func_index, offsets[row])


def _check_source_lines(columns: Columns) -> None:
    files = columns.row_count("source_files")
    _check_chunks(columns, LINES, 2**32, lambda file: file <= files, f"at most {files}")
    _check_texts(columns, "source_file_name")


def _check_chunks(
    columns: Columns,
    name: str,
    limit: int,
    is_mark: Callable[[int], bool],
    expected: str,
) -> None:
    """Rows of the address map or of source lines, whatever holds them: keys ascend, and marks are known."""
    for group in () if is_old(columns, name) else OLD_GROUPS[name]:
        if rows := columns.row_count(group):
            raise faults.corrupt_row(f"of the group {group}", 0, f"one of {rows}", f"none beside {name}")
    keys, values, marks = all_rows(columns, name)
    what, compare, order = f"{name} (its rows taken apart)", operator.le, "at least"
    if name == LINES:
        compare, order = operator.lt, "above"
    if not all(map(compare, keys, keys[1:])):
        row = list(starmap(compare, pairwise(keys))).index(False) + 1
        raise faults.corrupt_row(what, row, f"key {keys[row]}", f"one {order} {keys[row - 1]}")
    if keys and keys[-1] >= limit:
        raise faults.corrupt_row(what, len(keys) - 1, f"key {keys[-1]}", f"one below {limit}")
    if max(values, default=0) >= 2**32:
        raise faults.corrupt_row(what, 0, f"value {max(values)}", "values below 2**32")
    if unknown := [mark for mark in set(marks) if not is_mark(mark)]:
        raise faults.corrupt_row(what, list(marks).index(unknown[0]), unknown[0], expected)


def _check_custom_sections(columns: Columns) -> None:
    _check_texts(columns, "custom_name")


def _check_info(columns: Columns) -> None:
    _check_texts(columns, "info_value")
    keys: set[str] = set()
    for row in range(columns.row_count("info")):
        key = columns.text("info_key", row)
        if key in keys:
            raise faults.corrupt_row("info_key", row, repr(key), "keys that differ")
        keys.add(key)


def _check_cpu_levels(columns: Columns) -> None:
    """Each level has more features than the one before; variants lie apart, one per level and function at most."""
    numbers = columns.header.numbers
    if not numbers["flags"] & schema.HEADER_CPU_LEVELS:
        return
    levels = columns.row_count("cpu_levels")
    if not 2 <= levels <= schema.MAX_CPU_LEVELS:
        raise faults.corrupt_row("cpu_level_features", 0, f"{levels} rows", f"2 to {schema.MAX_CPU_LEVELS}")
    found = columns.column("cpu_level_features")
    if found[0] != numbers["cpu_features"]:
        raise faults.corrupt_row("cpu_level_features", 0, f"{found[0]:#x}", f"{numbers['cpu_features']:#x}")
    for row, (below, features) in enumerate(pairwise(found), 1):
        if below & ~features or below == features:
            raise faults.corrupt_row("cpu_level_features", row, f"{features:#x}", f"all of {below:#x}, and more")
    names = next(column for column in schema.CPU_LEVEL_COLUMNS if column.name == "cpu_level_name")
    if len(columns.column(names.name)) != levels + 1:
        raise faults.corrupt_row(names.name, 0, f"{len(columns.column(names.name))} values", levels + 1)
    _check_offsets(columns, names)
    _check_texts(columns, names.name)
    _check_variants(columns, levels)


def _check_variants(columns: Columns, levels: int) -> None:
    functions, imported = columns.row_count("functions"), columns.row_count("functions") - columns.row_count("code")
    starts, sizes = columns.column("function.text_offset"), columns.column("function.code_size_bytes")
    end = max((start + size for start, size in zip(starts, sizes, strict=True)), default=0)
    fields = ("text_offset", "code_size_bytes", "func_index", "levels")
    variants = list(zip(*(columns.column(f"cpu_variant.{name}") for name in fields), strict=True))
    if not variants:
        raise faults.corrupt_row("cpu_variant", 0, "no rows", "one for each function that differs by level")
    known: dict[int, int] = {}
    for row, (start, size, func_index, bits) in enumerate(variants):
        if start < end:
            raise faults.corrupt_row("cpu_variant.text_offset", row, start, f"at least {end}, where another one ends")
        end = start + size
        if not size or end > columns.header.numbers["text_size_bytes"]:
            raise faults.corrupt_row("cpu_variant.code_size_bytes", row, size, "1 to the rest of .text")
        if not imported <= func_index < functions:
            raise faults.corrupt_row("cpu_variant.func_index", row, func_index, f"{imported} to {functions - 1}")
        taken = known.get(func_index, 1)
        if not bits or bits >> levels or bits & taken:
            expected = f"bits of levels 1 to {levels - 1}, each in one variant of a function"
            raise faults.corrupt_row("cpu_variant.levels", row, f"{bits:#x}", expected)
        known[func_index] = taken | bits


# --------------------------------------------------------------------------------------------------------------------
# The header's relations to the rows, and what lies between the parts


def _check_header(columns: Columns) -> None:
    numbers = columns.header.numbers
    functions = columns.row_count("functions")
    if numbers["start_function"] > functions:
        raise faults.corrupt_header("start_function", numbers["start_function"], f"at most {functions}")
    if numbers["init_text_offset"] > numbers["text_size_bytes"]:
        raise faults.corrupt_header("init_text_offset", numbers["init_text_offset"], numbers["text_size_bytes"])
    if numbers["format_minor"] <= schema.FORMAT_MINOR:
        _check_feature_bits(columns)
    defined_globals = len(columns.column("global_image")) // 16
    layout = schema.instance_layout(
        memories=columns.row_count("memories"),
        tables=columns.row_count("tables"),
        imported_functions=functions - columns.row_count("code"),
        imported_globals=columns.row_count("globals") - defined_globals,
        tags=columns.row_count("tags"),
        defined_globals=defined_globals,
        elements=columns.row_count("elements"),
        data_segments=columns.row_count("data"),
    )
    for name in schema.InstanceLayout._fields:
        if numbers[f"instance_{name}"] != getattr(layout, name):
            raise faults.corrupt_header(f"instance_{name}", numbers[f"instance_{name}"], getattr(layout, name))


def _check_feature_bits(columns: Columns) -> None:
    numbers = columns.header.numbers
    machine = next(name for name, number in schema.MACHINES.items() if number == numbers["machine"])
    known = schema.CPU_FEATURES[machine]
    for field, names in (("cpu_features", known), ("wasm_features", schema.WASM_FEATURES)):
        if numbers[field] >> len(names):
            raise faults.corrupt_header(field, f"{numbers[field]:#x}", f"{len(names)} bits")
    if numbers["flags"] & schema.HEADER_CPU_LEVELS:
        _check_each(columns, "cpu_level_features", lambda bits: not bits >> len(known), f"{len(known)} bits")


def _check_gaps(columns: Columns) -> None:
    """Header, directory, columns and images don't overlap, and all bytes between them are zero."""
    numbers = columns.header.numbers
    directory_end = numbers["directory_offset"] + numbers["directory_count"] * schema.DIRECTORY_ENTRY.size_bytes
    parts = [(0, directory_end)]
    parts += ((entry.offset, entry.end) for entry in columns.entries.values() if entry.count)
    tables = zip(columns.column("table_image_offset"), columns.column("table_image_count"), strict=True)
    parts += ((offset, offset + 8 * count) for offset, count in tables if count)
    runs = zip(columns.column("run_section_offset"), columns.column("run_size"), strict=True)
    parts += ((offset, offset + size) for offset, size in runs)
    parts.append((len(columns.section), len(columns.section)))
    for (_, end), (start, _) in pairwise(sorted(parts)):
        if start < end:
            raise faults.corrupt_row(
                "parts of the section", start, f"an overlap up to {end}", "parts that don't overlap"
            )
        gap = columns.section[end:start].tobytes()
        if gap.strip(b"\0"):
            row = end + next(index for index, byte in enumerate(gap) if byte)
            raise faults.corrupt_row("padding of the section, byte", row, columns.section[row], 0)
