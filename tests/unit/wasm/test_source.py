"""Reading sources: binary and text, from files and bytes, and the words for what is neither."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from wasmartifact.errors import MalformedModule, ToolchainError
from wasmartifact.wasm.source import read_source

EMPTY_MODULE = b"\0asm\1\0\0\0"


def test_bytes_and_text() -> None:
    assert read_source(EMPTY_MODULE) == EMPTY_MODULE
    assert read_source(bytearray(EMPTY_MODULE)) == EMPTY_MODULE  # type: ignore[arg-type]
    assert read_source(b"(module)") == EMPTY_MODULE


@pytest.mark.parametrize(("name", "contents"), [("a.wasm", EMPTY_MODULE), ("a.wat", b"(module)"), ("a", b"(module)")])
def test_files(tmp_path: Path, name: str, contents: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(contents)
    assert read_source(path) == EMPTY_MODULE
    assert read_source(str(path)) == EMPTY_MODULE


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.wasm"):
        read_source(tmp_path / "nothing.wasm")


def test_a_syntax_error_has_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "bad.wat"
    path.write_text("(module\n  (func (result i33)))\n")
    with pytest.raises(MalformedModule) as caught:
        read_source(path)
    assert (caught.value.facts["line"], caught.value.facts["column"]) == (2, 17)
    assert str(caught.value).startswith(f"{path}:2:17: malformed WebAssembly text: unexpected token")


def test_an_error_in_a_long_line_is_short() -> None:
    with pytest.raises(MalformedModule) as caught:
        read_source(b"(module (func " + b"nop " * 100_000 + b"nope))")
    assert (caught.value.facts["line"], caught.value.facts["column"]) == (1, 400_015)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("contents", [b"", b"\x7fELF\2\1\1\0", b"\x1f\x8b\x08", b"hello", b"(module", b"(" * 100_000])
def test_what_is_no_module(contents: bytes) -> None:
    with pytest.raises(MalformedModule):
        read_source(contents)


def test_a_missing_parser_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wasmtime", None)
    assert read_source(EMPTY_MODULE) == EMPTY_MODULE
    with pytest.raises(ToolchainError, match=r"pip install 'wasmartifact\[pack\]'"):
        read_source(b"(module)")
