"""The address map and source lines as the metadata has them: rows as steps, in chunks (FORMAT.md, "Rows in chunks")."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from itertools import chain
from typing import Final

from wasmartifact.codegen.onepass import library
from wasmartifact.errors import ToolchainError
from wasmartifact.schema import CHUNK_ROWS
from wasmartifact.wasm.model import Code, Module
from wasmartifact.wasm.sourcelines import read_source_lines

#: The most that a row takes.
_ROW_BYTES: Final = 15


def chunk_columns(
    module: Module,
    text_offsets: array[int],
    wasm_offsets: array[int],
    traps: array[int],
    functions: Iterable[Code] = (),
) -> tuple[dict[str, array[int] | bytes], list[str]]:
    """The columns of both by name, and the files of the source lines.

    Parameters
    ----------
    module : Module
        Whose DWARF tells source lines: those of the instructions in the address map are taken.
    text_offsets, wasm_offsets, traps : array of u32
        The address map, ascending: where code starts, what it came from (0: unknown), what it can trap with (0: none).
    functions : iterable of Code
        Functions all of whose source lines are taken: those with offsets of copies in the map.
    """
    lines = read_source_lines(module).of(chain(wasm_offsets, *(range(code.start, code.end) for code in functions)))
    addresses = pack_chunks("address_chunk", text_offsets, wasm_offsets, traps)
    return addresses | pack_chunks("source_chunk", lines.wasm_offsets, lines.lines, lines.files), lines.file_names


def pack_chunks(name: str, keys: array[int], values: array[int], marks: array[int]) -> dict[str, array[int] | bytes]:
    """The columns of a group, by name.

    Parameters
    ----------
    name : str
        Of the column of offsets; the others have it in front.
    keys, values, marks : array of u32
        What a row has, all of one length; keys ascend.

    Raises
    ------
    ToolchainError
        More rows than offsets of 32 bits have room for.
    """
    count = len(keys)
    if count * _ROW_BYTES >> 32:
        raise ToolchainError(f"{name} has {count} rows, expected at most {(1 << 32) // _ROW_BYTES}; split the module")
    chunks = -(-count // CHUNK_ROWS)
    chunk_keys, offsets = array("I", bytes(4 * chunks)), array("I", bytes(4 * chunks + 4))
    made = library()
    ffi = made.ffi
    contents = ffi.new("uint8_t[]", count * _ROW_BYTES)  # touched as far as it is filled
    columns = (ffi.from_buffer("uint32_t[]", column) for column in (keys, values, marks))
    places = (ffi.from_buffer("uint32_t[]", column) for column in (chunk_keys, offsets))
    size_bytes = made.lib.wa_onepass_pack_chunks(*columns, count, *places, contents)
    return {f"{name}_key": chunk_keys, name: offsets, f"{name}_bytes": bytes(ffi.buffer(contents, size_bytes))}
