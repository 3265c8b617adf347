"""The address map as columns: rows of 5 bytes, whose offsets count from those of their block.

A block ends where an offset would not fit 16 bits. There are few: a look-up searches the blocks, then the rows of one.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import Final

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
    text, wasm = array("H"), array("H")
    rows, text_starts, wasm_starts = array("I"), array("I"), array("I")
    start, count = 0, len(text_offsets)
    while start < count:
        text_start = text_offsets[start]
        end, wasm_start = _block_end(wasm_offsets, start, bisect_left(text_offsets, text_start + LIMIT, start))
        rows.append(start)
        text_starts.append(text_start)
        wasm_starts.append(wasm_start)
        text.extend(map((-text_start).__add__, text_offsets[start:end]))
        wasm.extend([offset and offset - wasm_start + 1 for offset in wasm_offsets[start:end]])
        start = end
    return {
        "address_text": text,
        "address_wasm": wasm,
        "address_block_row": rows,
        "address_block_text": text_starts,
        "address_block_wasm": wasm_starts,
    }


def _block_end(wasm_offsets: array[int], start: int, end: int) -> tuple[int, int]:
    """How many of these rows make a block, and the smallest WebAssembly offset in it."""
    while True:
        known = [offset for offset in wasm_offsets[start:end] if offset]
        smallest = min(known, default=0)
        if max(known, default=0) - smallest < LIMIT:
            return end, smallest
        end = start + (end - start) // 2  # at least one row: a single one fits
