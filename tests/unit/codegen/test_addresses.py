"""The address map in blocks gives back what went in, and looks up what a search of all rows would find."""

from __future__ import annotations

import itertools
import random
from array import array
from bisect import bisect_right
from dataclasses import replace

import pytest

from tests.unit.metadata.sections import fake_facts, module_from_text
from wasmartifact.codegen.addresses import LIMIT, address_columns
from wasmartifact.metadata import Metadata
from wasmartifact.metadata.check_rows import check_rows
from wasmartifact.metadata.encode import encode_metadata

TEXT_BYTES = 1 << 22


def decoded(text_offsets: array[int], wasm_offsets: array[int]) -> list[tuple[int, int]]:
    """The rows that columns stand for, by the words of FORMAT.md."""
    columns = address_columns(text_offsets, wasm_offsets)
    starts = [*columns["address_block_row"], len(columns["address_text"])]
    found = []
    for block, (start, end) in enumerate(itertools.pairwise(starts)):
        for row in range(start, end):
            text = columns["address_block_text"][block] + columns["address_text"][row]
            wasm = columns["address_wasm"][row]
            found.append((text, wasm and columns["address_block_wasm"][block] + wasm - 1))
    return found


def random_rows(seed: int) -> tuple[array[int], array[int]]:
    """Small steps and large ones, equal offsets, unknown origins, and code that lies far from where it came from."""
    chance = random.Random(seed)
    steps = chance.choice([[0, 1, 5], [1, 3000], [0, LIMIT - 1, LIMIT, LIMIT + 1]])
    text, wasm, at, origin = array("I"), array("I"), 0, 40
    for _ in range(chance.choice([0, 1, 2, 500])):
        at += chance.choice(steps)
        origin = max(1, origin + chance.choice([-3, 2, 9, *([70_000, -70_000, 2**31] if seed % 3 == 0 else [])]))
        if at >= TEXT_BYTES or origin >= 2**32:
            break
        text.append(at)
        wasm.append(0 if chance.random() < 0.2 else origin)
    return text, wasm


@pytest.mark.parametrize("seed", range(60))
def test_rows_come_back(seed: int) -> None:
    text, wasm = random_rows(seed)
    assert decoded(text, wasm) == list(zip(text, wasm, strict=True))


@pytest.mark.parametrize(
    ("text", "wasm", "blocks"),
    [
        ([0, LIMIT - 1], [1, 1], 1),
        ([0, LIMIT], [1, 1], 2),
        ([0, 1], [1, LIMIT], 1),
        ([0, 1], [1, LIMIT + 1], 2),
        ([0, 1], [0, 2**32 - 1], 1),
        ([0, 1, 2], [2**32 - 1, 1, 2**32 - 1], 3),
    ],
)
def test_where_blocks_end(text: list[int], wasm: list[int], blocks: int) -> None:
    columns = address_columns(array("I", text), array("I", wasm))
    assert len(columns["address_block_row"]) == blocks
    assert decoded(array("I", text), array("I", wasm)) == list(zip(text, wasm, strict=True))


@pytest.mark.parametrize("seed", range(0, 60, 4))
def test_a_look_up_finds_what_a_search_of_all_rows_does(seed: int) -> None:
    text, wasm = random_rows(seed)
    facts = fake_facts(module_from_text("(module (func))"))
    code = replace(
        facts.code,
        sizes_bytes=[TEXT_BYTES],
        address_columns=address_columns(text, wasm),
        address_traps=array("B", bytes(len(text))),
    )
    section = encode_metadata(replace(facts, code=code, layout=replace(facts.layout, text_size_bytes=TEXT_BYTES)))
    check_rows(section)
    metadata = Metadata(section)
    assert [(row.text_offset, row.wasm_offset or 0) for row in metadata.address_map] == list(
        zip(text, wasm, strict=True)
    )
    chance = random.Random(seed)
    places = [chance.randrange(TEXT_BYTES) for _ in range(50)] + [max(0, at + step) for at in text for step in (-1, 0)]
    for place in places:
        row = bisect_right(text, place) - 1
        assert metadata.function_at(place) == (0, (wasm[row] or None) if row >= 0 else None)
