"""The metadata of an artifact as plain rows: what every contestant of ``bench.metadata`` holds, and what it is asked.

The shape is what runtimes serialize (wasmer's ``ModuleInfo`` and compiled-function records): exports are a map by name,
everything else is a list of records.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, cast
from zlib import adler32

import numpy

import wasmartifact as wa
from wasmartifact.constants import KINDS
from wasmartifact.schema import TRAP_BY_NAME

#: Below it, Python's own loop over a column is faster than numpy's preparations.
NUMPY_MIN_VALUES = 200


class Facts(NamedTuple):
    """Numbers are below 2**32; value types, kinds and trap codes are those of docs/FORMAT.md.

    Attributes
    ----------
    types : list
        (parameters, results) of each type.
    imports : list
        (module, name, kind, index).
    exports : dict
        Name -> (kind, index).
    function_types : list
        Type index of each function, imported ones first.
    code : list
        (text offset, size in bytes) of each defined function.
    names : list
        (function index, name).
    trap_sites : list
        (text offset, wasm offset, trap code).
    """

    types: list[tuple[list[int], list[int]]]
    imports: list[tuple[str, str, int, int]]
    exports: dict[str, tuple[int, int]]
    function_types: list[int]
    code: list[tuple[int, int]]
    names: list[tuple[int, str]]
    trap_sites: list[tuple[int, int, int]]


class Totals(NamedTuple):
    """What touching everything once gives: the sum of all numbers, Adler-32 of all texts in the order of `Facts`."""

    number_sum: int
    text_checksum: int


def read_facts(artifact: Path) -> Facts:
    """The facts of a packed artifact, by way of the public views and columns."""
    with wa.open_metadata(artifact) as metadata:
        columns = metadata.columns
        return Facts(
            [
                (list(columns.span("type_params", row)), list(columns.span("type_results", row)))
                for row in range(len(metadata.types))
            ],
            [(row.module, row.name, KINDS.index(row.kind), row.index) for row in metadata.imports],
            {row.name: (KINDS.index(row.kind), row.index) for row in metadata.exports},
            list(metadata.column("function.type")),
            list(
                zip(metadata.column("function.text_offset"), metadata.column("function.code_size_bytes"), strict=True)
            )[len(metadata.functions) - len(metadata.column("code_wasm_offset")) :],
            list(metadata.names),
            [
                (site.text_offset, site.wasm_offset or 0, TRAP_BY_NAME[site.trap])
                for site in metadata.trap_sites
                if site.trap is not None
            ],
        )


def code_offset(facts: Facts, export: str) -> int:
    """The first answer: text offset of an exported function that the module defines."""
    _, func_index = facts.exports[export]
    return facts.code[func_index - len(facts.function_types) + len(facts.code)][0]


def numbers(facts: Facts) -> Iterator[Iterable[int]]:
    """All numbers, column by column, in the one order that every contestant keeps."""
    yield chain.from_iterable(chain.from_iterable(facts.types))
    yield from _columns(facts.imports, 2, 3)
    yield from _columns(facts.exports.values(), 0, 1)
    yield facts.function_types
    yield from _columns(facts.code, 0, 1)
    yield from _columns(facts.names, 0)
    yield from _columns(facts.trap_sites, 0, 1, 2)


def texts(facts: Facts) -> Iterator[bytes]:
    """All texts, column by column: import modules, import names, export names, function names."""
    for column in (*_columns(facts.imports, 0, 1), facts.exports, *_columns(facts.names, 1)):
        yield "".join(cast(Iterable[str], column)).encode()


def totals(sums: Iterable[int], chunks: Iterable[Any]) -> Totals:
    """Totals from the sums of the columns of numbers and the columns of texts."""
    checksum = 1
    for chunk in chunks:
        checksum = adler32(chunk, checksum)
    return Totals(sum(sums), checksum)


def column_sum(column: Sequence[int]) -> int:
    """Sum of a column that lies in memory as an array: without making a Python object of each number."""
    if len(column) < NUMPY_MIN_VALUES:
        return int(sum(column))
    return int(numpy.asarray(column).sum(dtype=numpy.uint64))


def _columns(rows: Iterable[Sequence[Any]], *fields: int) -> Iterator[Iterable[Any]]:
    """Fields of rows as columns."""
    return (map(itemgetter(field), rows) for field in fields)
