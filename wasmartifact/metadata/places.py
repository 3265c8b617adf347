"""Where things are: a function's name by its index, the function and the source line of an instruction. O(log n).

What traps tell, and rows of functions. Metadata's methods of the same names say what goes in and out.
"""

from __future__ import annotations

from _bisect import bisect_left, bisect_right  # what bisect shows, without its file

from wasmartifact.constants import HEADER_CPU_LEVELS
from wasmartifact.metadata.columns import Columns
from wasmartifact.metadata.rows import FunctionRow, address_at, function_type


def function_name(columns: Columns, func_index: int) -> str | None:
    """Name of a function from the name section, None where it has none."""
    indices = columns.column("function_name_index")
    row = bisect_left(indices, func_index)
    if row == len(indices) or indices[row] != func_index:
        return None
    return columns.function_name(row)


def function_at(columns: Columns, text_offset: int) -> tuple[int, int | None] | None:
    """The function whose machine code covers a text offset, and the offset of the WebAssembly instruction there."""
    if columns.header.numbers["flags"] & HEADER_CPU_LEVELS:
        starts = columns.column("cpu_variant.text_offset")
        row = bisect_right(starts, text_offset) - 1
        if row >= 0:
            if text_offset >= starts[row] + columns.value("cpu_variant.code_size_bytes", row):
                return None
            return columns.value("cpu_variant.func_index", row), _wasm_offset_at(columns, text_offset, starts[row])
    starts, imported = columns.column("function.text_offset"), _imported_functions(columns)
    row = bisect_right(starts, text_offset, imported) - 1
    if row < imported or text_offset >= starts[row] + columns.value("function.code_size_bytes", row):
        return None
    return row, _wasm_offset_at(columns, text_offset, starts[row])


def _wasm_offset_at(columns: Columns, text_offset: int, start: int) -> int | None:
    """The WebAssembly instruction at a text offset of a function that starts there; None where unknown."""
    starts, ranges = columns.column("address_block_row"), columns.column("address_text")
    block = bisect_right(columns.column("address_block_text"), text_offset) - 1
    if block < 0:
        return None
    end = min(starts[block + 1], len(ranges)) if block + 1 < len(starts) else len(ranges)
    first = min(columns.value("address_block_row", block), end)
    place = bisect_right(ranges, text_offset - columns.value("address_block_text", block), first, end) - 1
    found, wasm_offset = address_at(columns, place, block)
    return wasm_offset if found >= start else None


def source_at(columns: Columns, wasm_offset: int) -> tuple[str | None, int | None]:
    """Source file and line of a WebAssembly instruction, None where unknown."""
    row = bisect_right(columns.column("source_wasm_offset"), wasm_offset) - 1
    if row < 0:
        return None, None
    from wasmartifact.metadata.detail_rows import source_row  # few modules have any

    return source_row(columns, row)[1:]


def body_offset(columns: Columns, func_index: int) -> int:
    """Bytes from the start of the module to the body of a function that has code."""
    return columns.value("code_wasm_offset", func_index - _imported_functions(columns))


def function_row(columns: Columns, func_index: int) -> FunctionRow:
    """A row of the function index space."""
    name, type_ = function_name(columns, func_index), function_type(columns, func_index)
    row = func_index - _imported_functions(columns)
    if row < 0:
        return FunctionRow(name, type_, None, None, False, None, None)
    return FunctionRow(
        name,
        type_,
        columns.value("function.text_offset", func_index),
        columns.value("function.code_size_bytes", func_index),
        bool(columns.value("function.flags", func_index) & 1),
        columns.value("code_wasm_offset", row),
        columns.value("code_wasm_size", row),
    )


def _imported_functions(columns: Columns) -> int:
    """Number of imported functions: all functions but those with code."""
    functions, defined = columns.row_count("functions"), columns.row_count("code")
    if defined > functions:
        raise columns.corrupt_row("code_wasm_offset", functions, "a function", f"at most {functions} functions")
    return functions - defined
