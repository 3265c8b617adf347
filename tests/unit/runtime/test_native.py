"""The shared object of native/: one file with two modules, nothing else visible, cffi's view of the header is right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import wasmartifact as wa
from wasmartifact import _native, errors
from wasmartifact import _types as types
from wasmartifact.runtime import native_errors
from wasmartifact.runtime.valtype import ValType
from wasmartifact.schema import NATIVE_ERRORS


def test_both_modules_lie_in_one_file_that_shows_nothing_else() -> None:
    assert types.__file__ == _native.__file__
    listed = subprocess.run(
        ["nm", "-D", "--defined-only", str(_native.__file__)], capture_output=True, text=True, check=True
    ).stdout
    assert {line.split()[-1] for line in listed.splitlines()} == {"PyInit__native", "PyInit__types"}


def test_cffi_agrees_with_the_compiler() -> None:
    """cffi checks a layout when it is first used: use each."""
    for name in ("wa_error", "wa_extern"):
        assert _native.ffi.new(f"{name} *") != _native.ffi.NULL
    for name in dir(_native.lib):
        assert getattr(_native.lib, name) is not None


@pytest.mark.parametrize("error", NATIVE_ERRORS, ids=lambda error: error.name)
def test_every_native_error_has_its_class_and_all_its_facts(error: object) -> None:
    assert isinstance(error, type(NATIVE_ERRORS[0]))
    made = native_errors.make_native_error(error.code, 2, 7, 11, 13, "the text", path="/some/file.so")
    assert type(made) is getattr(errors, error.exception)
    assert made.message.startswith("/some/file.so: ")
    assert "{" not in made.message
    for fact, text in (("where", "7"), ("text", "the text"), ("strerror", "No such file or directory")):
        assert ("{" + fact in error.template) <= (text in made.message)
    numbers = {"where": 7, "found": 11, "expected": 13}
    stated = {fact: value for fact, value in numbers.items() if "{" + fact in error.template}
    assert stated.items() <= made.facts.items()
    if error.exception != "UnlinkableModule":  # whose facts are types
        assert not (numbers.keys() - stated.keys()) & made.facts.keys()


def test_a_file_that_is_no_artifact_is_told_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "text.so"
    path.write_bytes(b"not an ELF file at all, but long enough to hold a header of one, which has sixty-four bytes")
    with pytest.raises(wa.BadMagic, match=r"text\.so: not an ELF file"):
        wa.load(path)


def test_valtypes_are_their_names() -> None:
    func = wa.Func(lambda value: value, [ValType.I32, "f64"], [ValType.EXTERNREF])
    assert func.type.params == ("i32", "f64")
    assert wa.Global(ValType.I64, 5).type.type == "i64"
    assert wa.Table(ValType.FUNCREF, 1).type.element == "funcref"


def test_loading_and_calling_imports_little() -> None:
    """What describes traps, errors and tables is imported when it is needed, not before."""
    program = """
import sys
import wasmartifact as wa
func = wa.Func(lambda: None)
func()
print(sorted(name for name in sys.modules if name.startswith("wasmartifact.")))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "traps" not in done.stdout
    assert "codegen" not in done.stdout
