"""Rows that are wrong: each is checked before it is followed, so that no value of any row ends the process.

What shows when a row is read names the file, as a load does.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

import wasmartifact as wa
from tests.support import spoiled_columns
from tests.support.artifact_files import resealed
from tests.unit.runtime.harness import packed
from wasmartifact import schema
from wasmartifact.elf.read import find_section
from wasmartifact.metadata.columns import Columns

COLUMNS = (*schema.COLUMNS, *schema.CHUNK_COLUMNS, *schema.INLINED_CALL_COLUMNS)
GROUPS = sorted({column.group for column in COLUMNS})


@pytest.mark.parametrize("group", GROUPS)
def test_no_value_of_a_row_ends_the_process(group: str) -> None:
    columns = [column.name for column in COLUMNS if column.group == group]
    command = [sys.executable, "-m", "tests.support.spoiled_columns", str(packed(spoiled_columns.WAT)), *columns]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.stdout, done.returncode) == ("", 0), done.stderr


def spoiled(contents: bytes, **values: int) -> bytes:
    """The artifact with the first value of these columns replaced."""
    offset, size_bytes = find_section(contents)
    entries = Columns(memoryview(contents)[offset : offset + size_bytes]).entries
    file = bytearray(contents)
    for name, value in values.items():
        column = schema.COLUMN_BY_NAME[name]
        size, start = schema.VALUE_SIZES[column.type], offset + entries[column.id].offset
        file[start : start + size] = value.to_bytes(size, "little")
    return bytes(file)


GUARDED_WAT = (
    """(module (memory 1 2) (func (export "load") (param i32) (result i32) (i32.load offset=1000 (local.get 0))))"""
)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("memory_flags", schema.LIMITS_HAS_MAX | schema.LIMITS_64),
        ("memory_page_log2", 12),
        ("memory_guard", 1),
        ("memory_guard", 255),
    ],
)
def test_rows_have_no_say_in_what_is_reserved(column: str, value: int) -> None:
    """The code relies on 8 GiB behind the base; a row that made the runtime reserve less would open the sandbox."""
    load = wa.load(spoiled(packed(GUARDED_WAT).read_bytes(), **{column: value})).instantiate().exports.load
    assert load(0) == 0
    for address in (65536, 1 << 31, (1 << 32) - 1):  # one page: spec section 4.4.7, memory accesses trap beyond it
        with pytest.raises(wa.Trap, match="out of bounds memory access"):
            load(address)


def test_a_page_size_that_is_no_power_of_two_is_refused() -> None:
    contents = packed(GUARDED_WAT).read_bytes()
    with pytest.raises((wa.IncompatibleHost, wa.CorruptArtifact)):
        wa.load(resealed(contents, page_size_bytes=3 * 4096)).instantiate()


@pytest.mark.parametrize("field", ["anchor_vaddr", "text_vaddr", "type_digests_vaddr", "text_size_bytes"])
@pytest.mark.parametrize("value", [1 << 24, (1 << 56) - 4096, (1 << 64) - 8])
def test_an_address_outside_of_the_loaded_image_is_refused(field: str, value: int) -> None:
    contents = packed(GUARDED_WAT).read_bytes()
    with pytest.raises(wa.CorruptArtifact, match=field):
        wa.load(resealed(contents, **{field: value}))
