"""The worked example of the format page: nothing of it is left out, and the artifact is one that loads."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest
import wasmtime

import wasmartifact as wa
from tools import format_example
from wasmartifact import schema


def test_the_module_is_the_text() -> None:
    assert bytes(wasmtime.wat2wasm(format_example.WAT)) == format_example.MODULE


def test_the_lines_are_the_whole_section() -> None:
    built, _ = format_example.example()
    section = bytearray(len(built.section))
    end = 0
    for piece in format_example.section_pieces(bytes(built.section)):
        assert piece.offset >= end, piece.name
        end = piece.offset + len(piece.data)
        section[piece.offset : end] = piece.data
    assert section == built.section


def test_the_page_has_every_line() -> None:
    """Bytes of the dump, read back as a stranger would."""
    built, placed = format_example.example()
    page = format_example.page()
    dumps = page.split("```text\n")[1:]
    expected = (built.code[0][: placed.contract_size_bytes], built.section)
    for dump, contents in zip(dumps, expected, strict=True):
        found = bytearray(len(contents))
        for line in dump.partition("```")[0].splitlines():
            at, data = int(line[:4], 16), bytes.fromhex(line[6:77])
            found[at : at + len(data)] = data
        assert found == contents


def test_the_artifact_is_sound(tmp_path: Path) -> None:
    built, _ = format_example.example()
    path = tmp_path / "sum.so"
    path.write_bytes(b"".join(built.pieces))
    wa.verify(path)
    with wa.open_metadata(path) as metadata:
        assert [(row.name, row.kind) for row in metadata.exports] == [("sum", "func")]
        assert metadata.info["cpu"] == "x86-64-v2"
    name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    if platform.machine() != format_example.MACHINE:
        pytest.skip("the example is for x86-64")
    if name == "glibc" and tuple(map(int, version.split(".")[:2])) < schema.GLIBC_MIN:
        pytest.skip("the example has one segment, which takes glibc 2.35")
    assert wa.load(path).instantiate().exports.sum(2, 2**31 - 1) == 1 - 2**31
