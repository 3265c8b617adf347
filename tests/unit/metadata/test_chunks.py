"""Rows in chunks give back what went in, look up what a search of all rows would find, and take no others."""

from __future__ import annotations

import random
from array import array
from bisect import bisect_right
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from tests.unit.metadata.sections import fake_facts, module_from_text
from wasmartifact.codegen.chunks import pack_chunks
from wasmartifact.errors import CorruptArtifact, ToolchainError
from wasmartifact.metadata import Metadata
from wasmartifact.metadata.check_rows import check_rows
from wasmartifact.metadata.chunks import ADDRESSES, all_rows, row_at
from wasmartifact.metadata.columns import Columns
from wasmartifact.metadata.encode import encode_metadata
from wasmartifact.schema import CHUNK_ROWS, TRAP_CODES

TEXT_BYTES = 1 << 22
U32_MAX = 2**32 - 1
Rows = list[tuple[int, int, int]]


def columns_of(rows: Rows) -> tuple[array[int], ...]:
    return tuple(array("I", (row[place] for row in rows)) for place in range(3))


def numbers(data: bytes) -> list[int]:
    """LEB128, by the words of FORMAT.md."""
    found, shift = [0], 0
    for byte in data:
        found[-1] |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            found, shift = [*found, 0], 0
    return found[:-1]


def decoded(rows: Rows) -> Rows:
    """The rows that chunks stand for, by the words of FORMAT.md."""
    keys, offsets, contents = pack_chunks(ADDRESSES, *columns_of(rows)).values()
    assert isinstance(contents, bytes)
    found: Rows = []
    for first, (start, end) in zip(keys, pairwise(offsets), strict=True):
        assert len(found) % CHUNK_ROWS == 0
        key, value, mark = first, 0, 0
        rest = iter(numbers(contents[start:end]))
        for number in rest:
            key += number >> 1
            if number & 1:
                mark = next(rest)
            step = next(rest)
            value += -(step + 1) // 2 if step & 1 else step // 2
            found.append((key, value, mark))
    return found


def section_of(columns: Mapping[str, Any]) -> bytearray:
    """A section with these columns, in whose one function all text lies."""
    facts = fake_facts(module_from_text("(module (func))"))
    code = replace(facts.code, sizes_bytes=[TEXT_BYTES], chunks={**facts.code.chunks, **columns})
    return encode_metadata(replace(facts, code=code, layout=replace(facts.layout, text_size_bytes=TEXT_BYTES)))


def random_rows(seed: int) -> Rows:
    """Small steps and large ones, equal offsets, unknown origins, and code that lies far from where it came from."""
    chance = random.Random(seed)
    steps = chance.choice([[0, 1, 5], [1, 3000], [0, 63, 64, 8191, 8192]])
    rows: Rows = []
    at, origin = 0, 40
    for _ in range(chance.choice([0, 1, 2, CHUNK_ROWS, CHUNK_ROWS + 1, 500])):
        at += chance.choice(steps)
        origin = max(1, origin + chance.choice([-3, 2, 9, *([70_000, -70_000, 2**31] if seed % 3 == 0 else [])]))
        if at >= TEXT_BYTES or origin > U32_MAX:
            break
        trap = chance.choice([0, 0, 0, TRAP_CODES[0].code, TRAP_CODES[-1].code])
        rows.append((at, 0 if chance.random() < 0.2 else origin, trap))
    return rows


EXTREMES: list[Rows] = [
    [(0, 0, 0), (U32_MAX, U32_MAX, U32_MAX)],
    [(U32_MAX, 0, 1), (U32_MAX, U32_MAX, 0), (U32_MAX, 0, U32_MAX)],
    [(7, 1, 0)] * (3 * CHUNK_ROWS),
]


@pytest.mark.parametrize("rows", [*map(random_rows, range(60)), *EXTREMES])
def test_rows_come_back(rows: Rows) -> None:
    assert decoded(rows) == rows
    columns = Columns(section_of(pack_chunks(ADDRESSES, *columns_of(rows))))
    assert list(zip(*all_rows(columns, ADDRESSES), strict=True)) == rows
    keys = [row[0] for row in rows]
    for key in {-1, U32_MAX, U32_MAX + 1, *keys[:: max(1, len(keys) // 20)], *(key + 1 for key in keys[::50])}:
        row = bisect_right(keys, key) - 1
        assert row_at(columns, ADDRESSES, key) == (rows[row] if row >= 0 else None)


@pytest.mark.parametrize("seed", range(0, 60, 4))
def test_a_look_up_finds_what_a_search_of_all_rows_does(seed: int) -> None:
    rows = random_rows(seed)
    text, wasm, traps = columns_of(rows)
    section = section_of(pack_chunks(ADDRESSES, text, wasm, traps))
    check_rows(section)
    metadata = Metadata(section)
    assert [(row.text_offset, row.wasm_offset or 0) for row in metadata.address_map] == [row[:2] for row in rows]
    assert [row.text_offset for row in metadata.trap_sites] == [row[0] for row in rows if row[2]]
    chance = random.Random(seed)
    places = [chance.randrange(TEXT_BYTES) for _ in range(50)] + [max(0, at + step) for at in text for step in (-1, 0)]
    for place in places:
        row = bisect_right(text, place) - 1
        assert metadata.function_at(place) == (0, (wasm[row] or None) if row >= 0 else None)


def u32(*values: int) -> bytes:
    return array("I", values).tobytes()


FULL = b"\2\0" * CHUNK_ROWS


@pytest.mark.parametrize(
    ("keys", "offsets", "contents", "first_bad"),
    [
        (u32(0), u32(0, 0), b"", 0),  # no row
        (u32(0), u32(0, 1), b"\0", 0),  # half a row
        (u32(0), u32(0, 2), b"\1\1", 0),  # no first value
        (u32(0), u32(0, 3), b"\1\0\0", 0),  # another second value, which is the same
        (u32(0), u32(0, 3), b"\x80\0\0", 0),  # a number of more bytes than it takes
        (u32(0), u32(0, 7), b"\0\x80\x80\x80\x80\x80\1", 0),  # one of six bytes
        (u32(0), u32(0, 2), b"\0\1", 0),  # a first value below 0
        (u32(0), u32(0, 6), b"\0\x80\x80\x80\x80\x20", 0),  # 2**32
        (u32(0), u32(0, 7), b"\1\x80\x80\x80\x80\x10\0", 0),  # a second value of 2**32
        (u32(0), u32(0, 2), b"\2\0", 0),  # another key than the chunk's
        (u32(U32_MAX), u32(0, 4), b"\0\0\2\0", 0),  # a key of 2**32
        (u32(), u32(0), b"\0\0", 0),  # bytes of no chunk
        (u32(0), u32(2, 4), b"\0\0\0\0", 0),
        (u32(0), u32(0, 3), b"\0\0", 0),  # bytes that are not there
        (u32(0), u32(2, 0), b"\0\0", 0),  # offsets that descend
        (u32(0), u32(0, 2 * CHUNK_ROWS + 2), b"\0\0" * (CHUNK_ROWS + 1), 0),  # more rows than a chunk has
        (u32(0, 5), u32(0, 2, 4), b"\0\0" * 2, 1),  # a chunk behind one that is not full
        (u32(0, 0), u32(0, 2 * CHUNK_ROWS, 2 * CHUNK_ROWS + 2), b"\0\0" + FULL, 1),  # a key below the one before
    ],
)
def test_others_are_damage(keys: bytes, offsets: bytes, contents: bytes, first_bad: int) -> None:
    names = (f"{ADDRESSES}_key", ADDRESSES, f"{ADDRESSES}_bytes")
    columns = Columns(section_of(dict(zip(names, (keys, offsets, contents), strict=True))))
    with pytest.raises(
        CorruptArtifact, match=f"address_chunk(_key)?, row {first_bad}|address_chunk, row {first_bad + 1}"
    ):
        all_rows(columns, ADDRESSES)
    for key in (-1, 0, 5, U32_MAX):
        with suppress(CorruptArtifact):
            assert row_at(columns, ADDRESSES, key) in (None, (0, 0, 0), (5, 0, 0))


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("address_map", {"address_text": bytes(2), "address_wasm": bytes(2), "address_trap": bytes(1)}),
        ("address_blocks", dict.fromkeys(("address_block_row", "address_block_text", "address_block_wasm"), bytes(4))),
        ("source_lines", {"source_wasm_offset": bytes(4), "source_line": bytes(4), "source_file": bytes(4)}),
    ],
)
def test_rows_of_an_older_format_beside_chunks_are_damage(name: str, columns: dict[str, bytes]) -> None:
    with pytest.raises(CorruptArtifact, match=f"of the group {name}, row 0, is one of 1, expected none beside"):
        check_rows(section_of(columns))


def test_too_many_rows_are_refused() -> None:
    class Many(array):  # type: ignore[type-arg]
        def __len__(self) -> int:
            return U32_MAX // 15 + 1

    with pytest.raises(ToolchainError, match="address_chunk has 286331154 rows"):
        pack_chunks(ADDRESSES, Many("I"), array("I"), array("I"))
