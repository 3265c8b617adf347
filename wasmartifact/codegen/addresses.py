"""The address map as columns: rows of 5 bytes, whose offsets count from those of their block.

A block ends where an offset would not fit 16 bits. There are few: a look-up searches the blocks, then the rows of one.
"""

from __future__ import annotations

from array import array
from typing import Final

from wasmartifact.codegen.onepass import library

#: Distances within a block are below it: one value of 16 bits stands for "unknown".
LIMIT: Final = 0xFFFF


def address_columns(text_offsets: array[int], wasm_offsets: array[int]) -> dict[str, array[int]]:
    """The columns of both groups but for the traps, by name.

    Parameters
    ----------
    text_offsets : array of u32
        Start of each range of instructions, ascending.
    wasm_offsets : array of u32
        The WebAssembly instruction that each came from; 0 where unknown.
    """
    made = library()
    ffi, lib = made.ffi, made.lib
    count = len(text_offsets)
    text, wasm, blocks = array("H", bytes(2 * count)), array("H", bytes(2 * count)), array("I", bytes(12 * count))
    rows = (ffi.from_buffer("uint32_t[]", values) for values in (text_offsets, wasm_offsets))
    deltas = (ffi.from_buffer("uint16_t[]", values) for values in (text, wasm))
    found = lib.wa_onepass_address_blocks(*rows, count, LIMIT, *deltas, ffi.from_buffer("wa_onepass_block[]", blocks))
    del blocks[3 * found :]
    return {
        "address_text": text,
        "address_wasm": wasm,
        "address_block_row": blocks[0::3],
        "address_block_text": blocks[1::3],
        "address_block_wasm": blocks[2::3],
    }
