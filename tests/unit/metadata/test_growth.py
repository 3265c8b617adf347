"""Rows that overlap: what reading all of them makes is no more than a small multiple of the file, or they are refused.

A file of 3 MB whose rows all told of the same bytes took 11 GiB.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path

import pytest

import wasmartifact as wa
from tests.support.lying import Lie, outcome
from tests.unit.runtime.harness import packed
from wasmartifact import cli, schema
from wasmartifact.cli.summary import describe
from wasmartifact.metadata import Metadata

ROWS = 1000
NAME = "n" * 3000
#: Many functions that have names of their own, exported and imported under others.
WAT = f"""(module (type $t (func (param {"i32 " * 900})))
  {"".join(f'(import "m{index}" "{index}" (func))' for index in range(ROWS))}
  {"".join(f'(func $f{index} (export "{index}"))' for index in range(ROWS))}
  (func ${NAME} (export "{NAME}") (type $t)))"""
LIMIT_BYTES = 1 << 30


def lie() -> Lie:
    return Lie(packed(WAT).read_bytes())


def overlap(column: str) -> bytes:
    """Every second row has all of the column that the offsets lead into, the others have less than nothing."""
    lying = lie()
    target = lying.entries[schema.COLUMN_BY_NAME[column].target].count
    for row in range(lying.entries[column].count):
        lying.row(column, row, target if row % 2 else 0)
    return lying.sealed()


def limited(use: Callable[[], object]) -> str:
    """What a process with little memory says of it."""

    def run() -> object:
        resource.setrlimit(resource.RLIMIT_DATA, (LIMIT_BYTES, LIMIT_BYTES))
        return use()

    return outcome(run)


def read_all(contents: bytes) -> str:
    """Everything that ``inspect`` reads."""
    describe(Metadata(contents[Lie(contents).section]))
    return "read"


def test_sound_rows_are_read() -> None:
    assert limited(partial(read_all, packed(WAT).read_bytes())) == "'read'"


@pytest.mark.parametrize(
    "column", ["import_module", "import_name", "export_name", "type_params", "type_results", "info_key"]
)
def test_offsets_that_do_not_ascend_are_refused(column: str) -> None:
    assert limited(partial(read_all, overlap(column))).startswith(f"CorruptArtifact: damaged metadata: {column}, row ")


def test_names_that_overlap_are_refused() -> None:
    """All functions have the longest name."""
    lying = lie()
    last = lying.entries["function_name_index"].count - 1
    for row in range(last):
        for column in ("function_name_offset", "function_name_size"):
            lying.row(column, row, lying.get(column, last))
    words = limited(partial(read_all, lying.sealed()))
    assert words.startswith("CorruptArtifact: damaged metadata: function_name_size, row "), words


def test_a_type_has_as_many_values_as_a_module_can_give_it() -> None:
    """1,000, the limit of JavaScript engines and of validators; and functions share what is made of it."""
    lying = lie()
    for row in range(lying.entries["function"].count):
        lying.row("function", row, lying.get("function", row) >> 32 << 32)
    assert limited(partial(read_all, lying.sealed())) == "'read'"
    rows = Metadata(bytes(lying.sealed()[lying.section])).functions
    assert rows[0].type is rows[ROWS].type
    many = Lie(packed(f"(module {'(func (param i32))' * 2} {'(type (func (param i64)))' * 2000})").read_bytes())
    for row in range(1, many.entries["type_params"].count):
        many.row("type_params", row, many.entries["type_values"].count)
    words = limited(partial(read_all, many.sealed()))
    assert words.startswith("CorruptArtifact: damaged metadata: type_params, row 0, is "), words


def test_the_text_of_all_functions_is_never_whole_in_memory(tmp_path: Path) -> None:
    """1,000 functions whose type has 900 values: 16 MB of JSON."""
    lying = lie()
    for row in range(lying.entries["function"].count):
        lying.row("function", row, lying.get("function", row) >> 32 << 32)
    path = tmp_path / "lie.so"
    path.write_bytes(lying.sealed())

    def inspect() -> bool:
        with open(os.devnull, "w") as sink, redirect_stdout(sink):
            cli.main(["inspect", str(packed(WAT))])
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            cli.main(["inspect", "--json", str(path)])
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 << 10

    assert outcome(inspect) == "True"


@pytest.mark.parametrize("column", ["import_module", "import_name"])
def test_the_runtime_refuses_imports_whose_names_overlap(column: str) -> None:
    contents = overlap(column)
    words = limited(lambda: wa.load(contents).instantiate({}))
    assert words.startswith(f"CorruptArtifact: damaged metadata: {column}, row "), words


def test_the_runtime_refuses_exports_whose_names_overlap() -> None:
    contents = overlap("export_name")
    imports = {f"m{index}": {str(index): lambda: None} for index in range(ROWS)}
    words = limited(lambda: list(wa.load(contents).instantiate(imports).exports))
    assert words.startswith("CorruptArtifact: damaged metadata: export_name, row "), words
