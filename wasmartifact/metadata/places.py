"""Where things are: a function's name by its index, the function and the source line of an instruction. O(log n).

What traps tell, and rows of functions and places. Metadata's methods of the same names say what goes in and out.
"""

from __future__ import annotations

from _bisect import bisect_left, bisect_right  # what bisect shows, without its file

from wasmartifact.constants import COLUMN_IDS, HEADER_CPU_LEVELS, INLINED_MAX_DEPTH
from wasmartifact.metadata.columns import Columns
from wasmartifact.metadata.rows import function_type
from wasmartifact.record import NamedTuple

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from wasmartifact.externtypes import FuncType


_INLINED = COLUMN_IDS["inlined_call_func"]


class FunctionRow(NamedTuple):
    """A function of the index space; the code fields are None for imported ones. Offsets and sizes are in bytes.

    ``is_short`` tells that the packer proved it free of loops and calls.
    """

    name: str | None
    type: FuncType
    text_offset: int | None
    size_bytes: int | None
    is_short: bool
    wasm_offset: int | None
    wasm_size_bytes: int | None


class AddressRow(NamedTuple):
    """A range of instructions, up to the next row: where it came from (None: unknown) and what it can trap with."""

    text_offset: int
    wasm_offset: int | None
    trap: str | None


class SourceRow(NamedTuple):
    """A range of WebAssembly instructions, up to the next row: the source that it came from, None where unknown."""

    wasm_offset: int
    file: str | None
    line: int | None


def function_name(columns: Columns, func_index: int) -> str | None:
    """Name of a function from the name section, None where it has none."""
    indices = columns.column("function_name_index")
    row = bisect_left(indices, func_index)
    if row == len(indices) or indices[row] != func_index:
        return None
    return columns.function_name(row)


def function_at(columns: Columns, text_offset: int) -> tuple[int, int | None] | None:
    """The function whose machine code covers a text offset, and the offset of the WebAssembly instruction there."""
    found = calls_at(columns, text_offset)
    return found and (found[0], found[1][0])


def calls_at(columns: Columns, text_offset: int) -> tuple[int, list[int | None]] | None:
    """The same with offsets for every call of the function that runs there, innermost first.

    They are several where it holds copies of its body in place of calls of itself.
    """
    covering = _covering(columns, text_offset)
    if covering is None:
        return None
    func_index, start = covering
    wasm_offset = _wasm_offset_at(columns, text_offset, start)
    return func_index, [None] if wasm_offset is None else [*nested_calls(columns, func_index, wasm_offset)]


def _covering(columns: Columns, text_offset: int) -> tuple[int, int] | None:
    """The function whose machine code covers a text offset, and where that code starts."""
    if columns.header.numbers["flags"] & HEADER_CPU_LEVELS:
        starts = columns.column("cpu_variant.text_offset")
        row = bisect_right(starts, text_offset) - 1
        if row >= 0:
            if text_offset >= starts[row] + columns.value("cpu_variant.code_size_bytes", row):
                return None
            return columns.value("cpu_variant.func_index", row), starts[row]
    starts, imported = columns.column("function.text_offset"), _imported_functions(columns)
    row = bisect_right(starts, text_offset, imported) - 1
    if row < imported or text_offset >= starts[row] + columns.value("function.code_size_bytes", row):
        return None
    return row, starts[row]


def _wasm_offset_at(columns: Columns, text_offset: int, start: int) -> int | None:
    """The WebAssembly instruction at a text offset of a function that starts there; None where unknown."""
    from wasmartifact.metadata.chunks import ADDRESSES, row_at  # only traps need it

    found = row_at(columns, ADDRESSES, text_offset)
    return found[1] or None if found is not None and found[0] >= start else None


def nested_calls(columns: Columns, func_index: int, wasm_offset: int) -> list[int]:
    """The instruction that an offset of the address map stands for, and the calls around it, outwards."""
    if _INLINED not in columns.directory:
        return [wasm_offset]
    functions = columns.column("inlined_call_func")
    first = bisect_left(functions, func_index)
    calls = bisect_right(functions, func_index, first) - first
    if not calls:
        return [wasm_offset]
    body = func_index - _imported_functions(columns)
    start, size_bytes = columns.value("code_wasm_offset", body), columns.value("code_wasm_size", body)
    copy, place = divmod(wasm_offset - start, size_bytes or 1)
    offsets = [start + place]
    while copy > 0 and len(offsets) <= INLINED_MAX_DEPTH:
        copy, call = divmod(copy - 1, calls)
        offsets.append(columns.value("inlined_call_offset", first + call))
    if copy:
        raise columns.corrupt_row("inlined_call_func", first, f"offset {wasm_offset}", "one in a copy of its body")
    return offsets


def source_at(columns: Columns, wasm_offset: int) -> tuple[str | None, int | None]:
    """Source file and line of a WebAssembly instruction, None where unknown."""
    from wasmartifact.metadata.chunks import LINES, row_at

    found = row_at(columns, LINES, wasm_offset)
    return (None, None) if found is None else _place(columns, *found)[1:]


def address_row(columns: Columns, row: int) -> AddressRow:
    """A row of the address map."""
    from wasmartifact.messages import TRAPS  # functions and lines need no words
    from wasmartifact.metadata.chunks import ADDRESSES, all_rows

    text_offset, wasm_offset, trap = (column[row] for column in all_rows(columns, ADDRESSES))
    if trap and trap not in TRAPS:
        raise columns.corrupt_row("trap of the address map", row, trap, "a trap code or 0")
    if wasm_offset and (covering := _covering(columns, text_offset)):
        wasm_offset = nested_calls(columns, covering[0], wasm_offset)[0]
    return AddressRow(text_offset, wasm_offset or None, TRAPS[trap][0] if trap else None)


def source_row(columns: Columns, row: int) -> SourceRow:
    """A row of the source lines."""
    from wasmartifact.metadata.chunks import LINES, all_rows

    return _place(columns, *(column[row] for column in all_rows(columns, LINES)))


def _place(columns: Columns, wasm_offset: int, line: int, file: int) -> SourceRow:
    return SourceRow(wasm_offset, columns.text("source_file_name", file - 1) if file else None, line or None)


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
