"""Modules: from text, bytes and files, what they tell of themselves, validation and serialising."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

EMPTY = b"\0asm\1\0\0\0"
ADD = '(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))'


@pytest.fixture
def engine(w: ModuleType) -> Any:
    return w.Engine()


def call_add(w: ModuleType, module: Any, engine: Any) -> Any:
    store = w.Store(engine)
    return w.Instance(store, module, []).exports(store)["add"](store, 2, 3)


# ---- where it comes from -------------------------------------------------------------------------------------------


@pytest.mark.core
@pytest.mark.parametrize("source", ["(module)", b"(module)", EMPTY, bytearray(EMPTY)])
def test_text_and_bytes(w: ModuleType, engine: Any, source: Any) -> None:
    module = w.Module(engine, source)
    assert module.imports == []
    assert module.exports == []


@pytest.mark.core
def test_module_takes_an_engine(w: ModuleType) -> None:
    for bad in (1, None, w.Store()):
        with pytest.raises(TypeError):
            w.Module(bad, EMPTY)


@pytest.mark.core
@pytest.mark.parametrize("bad", [2, None, [0, 97], memoryview(EMPTY)])
def test_module_takes_text_or_bytes(w: ModuleType, engine: Any, bad: Any) -> None:
    with pytest.raises(TypeError):
        w.Module(engine, bad)


@pytest.mark.core
@pytest.mark.parametrize("bad", [b"", b"\0", b"\0asm", b"\0asm\2\0\0\0", EMPTY + b"\1", b"\x7fELF", b"(module", b"{}"])
def test_bytes_that_are_no_module(w: ModuleType, engine: Any, bad: bytes) -> None:
    with pytest.raises(w.WasmtimeError):
        w.Module(engine, bad)


@pytest.mark.parametrize("bad", ["(module", "(module (func (result i32)))", "x", "(module (import))"])
def test_text_that_is_no_module(w: ModuleType, engine: Any, bad: str) -> None:
    with pytest.raises(w.WasmtimeError):
        w.Module(engine, bad)


def test_empty_text(w: ModuleType, engine: Any) -> None:
    with pytest.raises((TypeError, w.WasmtimeError)):
        w.Module(engine, "")


@pytest.mark.parametrize("suffix", ["wasm", "wat"])
def test_file(w: ModuleType, engine: Any, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"module.{suffix}"
    path.write_bytes(ADD.encode() if suffix == "wat" else bytes(w.wat2wasm(ADD)))
    for name in (path, str(path), bytes(path)):
        assert call_add(w, w.Module.from_file(engine, name), engine) == 5


def test_file_that_is_missing(w: ModuleType, engine: Any, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        w.Module.from_file(engine, tmp_path / "missing.wasm")


def test_file_of_something_else(w: ModuleType, engine: Any, tmp_path: Path) -> None:
    path = tmp_path / "module.wasm"
    path.write_bytes(b"\0nothing")
    with pytest.raises(w.WasmtimeError):
        w.Module.from_file(engine, path)


def test_class_of_its_own(w: ModuleType, engine: Any, tmp_path: Path) -> None:
    """from_file makes an object of the class that it is called on."""

    class Named(w.Module):  # type: ignore[misc, name-defined]
        pass

    path = tmp_path / "module.wasm"
    path.write_bytes(EMPTY)
    assert type(Named.from_file(engine, path)) is Named


# ---- validation ----------------------------------------------------------------------------------------------------


@pytest.mark.core
def test_valid_module(w: ModuleType, engine: Any) -> None:
    assert w.Module.validate(engine, EMPTY) is None
    assert w.Module.validate(engine, bytearray(EMPTY)) is None


@pytest.mark.core
@pytest.mark.parametrize("bad", [b"", b"\0", EMPTY + b"\x0a\x05\x01\x03\x00\x6a\x0b"])
def test_module_that_is_not_valid(w: ModuleType, engine: Any, bad: bytes) -> None:
    with pytest.raises(w.WasmtimeError):
        w.Module.validate(engine, bad)


@pytest.mark.core
def test_validation_takes_bytes_only(w: ModuleType, engine: Any) -> None:
    for bad in (2, "(module)", None):
        with pytest.raises(TypeError):
            w.Module.validate(engine, bad)
    with pytest.raises(AttributeError):
        w.Module.validate(1, b"")


def test_validation_takes_no_text(w: ModuleType, engine: Any) -> None:
    with pytest.raises(w.WasmtimeError):
        w.Module.validate(engine, b"(module)")


# ---- what it tells of itself ---------------------------------------------------------------------------------------


@pytest.mark.core
def test_imports(w: ModuleType, engine: Any) -> None:
    imports = w.Module(
        engine,
        """
        (module
          (import "" "" (func (param i64) (result f32)))
          (import "a" "bcd" (global i32))
          (import "" "" (memory 1))
          (import "" "x" (table 1 5 funcref)))""",
    ).imports
    assert [(one.module, one.name) for one in imports] == [("", ""), ("a", "bcd"), ("", ""), ("", "x")]
    assert all(isinstance(one, w.ImportType) for one in imports)
    func, variable, memory, table = (one.type for one in imports)
    assert isinstance(func, w.FuncType)
    assert (func.params, func.results) == ([w.ValType.i64()], [w.ValType.f32()])
    assert isinstance(variable, w.GlobalType)
    assert (variable.content, variable.mutable) == (w.ValType.i32(), False)
    assert isinstance(memory, w.MemoryType)
    assert memory.limits == w.Limits(1, None)
    assert isinstance(table, w.TableType)
    assert (table.element, table.limits) == (w.ValType.funcref(), w.Limits(1, 5))


@pytest.mark.core
def test_exports(w: ModuleType, engine: Any) -> None:
    exports = w.Module(
        engine,
        """
        (module
          (func (export "a") (param i32 f32) (result f64) (f64.const 0))
          (global (export "") (mut i32) (i32.const 1))
          (memory (export "mem") 1)
          (table (export "table") 1 externref))""",
    ).exports
    assert [one.name for one in exports] == ["a", "", "mem", "table"]
    assert all(isinstance(one, w.ExportType) for one in exports)
    func, variable, memory, table = (one.type for one in exports)
    assert (func.params, func.results) == ([w.ValType.i32(), w.ValType.f32()], [w.ValType.f64()])
    assert (variable.content, variable.mutable) == (w.ValType.i32(), True)
    assert memory.limits == w.Limits(1, None)
    assert (table.element, table.limits) == (w.ValType.externref(), w.Limits(1, None))


def test_names_beyond_ascii(w: ModuleType, engine: Any) -> None:
    module = w.Module(engine, '(module (import "größe" "名" (func)) (export "λ" (func 0)))')
    assert (module.imports[0].module, module.imports[0].name) == ("größe", "名")
    assert module.exports[0].name == "λ"


def test_types_outlive_their_module(w: ModuleType, engine: Any) -> None:
    ty = w.Module(engine, ADD).exports[0].type
    assert ty.params == [w.ValType.i32()] * 2


# ---- serialising ---------------------------------------------------------------------------------------------------


@pytest.mark.core
def test_serialised_module_comes_back(w: ModuleType, engine: Any) -> None:
    encoded = w.Module(engine, ADD).serialize()
    assert isinstance(encoded, bytearray)
    for form in (encoded, bytes(encoded)):
        assert call_add(w, w.Module.deserialize(engine, form), engine) == 5


@pytest.mark.core
def test_serialised_module_in_a_file(w: ModuleType, engine: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/module.bin"
        Path(path).write_bytes(w.Module(engine, ADD).serialize())
        with w.Module.deserialize_file(engine, path) as module:
            assert len(module.exports) == 1
            assert call_add(w, module, engine) == 5


def test_serialising_twice(w: ModuleType, engine: Any) -> None:
    module = w.Module(engine, ADD)
    again = w.Module.deserialize(engine, module.serialize())
    assert call_add(w, w.Module.deserialize(engine, again.serialize()), engine) == 5


def test_deserialising_something_else(w: ModuleType, engine: Any, tmp_path: Path) -> None:
    for bad in (b"", b"nothing", EMPTY):
        with pytest.raises(w.WasmtimeError):
            w.Module.deserialize(engine, bad)
    with pytest.raises(TypeError):
        w.Module.deserialize(engine, "text")
    path = tmp_path / "module.bin"
    with pytest.raises(w.WasmtimeError):
        w.Module.deserialize_file(engine, str(path))
    path.write_bytes(b"nothing")
    with pytest.raises(w.WasmtimeError):
        w.Module.deserialize_file(engine, str(path))


def test_deserialising_a_cut_off_module(w: ModuleType, engine: Any) -> None:
    encoded = bytes(w.Module(engine, ADD).serialize())
    with pytest.raises(w.WasmtimeError):
        w.Module.deserialize(engine, encoded[: len(encoded) // 2])


# ---- text ----------------------------------------------------------------------------------------------------------


@pytest.mark.core
def test_text_to_binary(w: ModuleType) -> None:
    assert w.wat2wasm("(module)") == EMPTY
    assert isinstance(w.wat2wasm("(module)"), bytearray)
    assert w.wat2wasm(b"(module)") == EMPTY


@pytest.mark.core
def test_text_that_is_wrong(w: ModuleType) -> None:
    for bad in ("x", "(module", "(module (func (foo)))"):
        with pytest.raises(w.WasmtimeError) as caught:
            w.wat2wasm(bad)
        assert str(caught.value)


@pytest.mark.parametrize("bad", [None, 2, ["(module)"]])
def test_what_is_no_text(w: ModuleType, bad: Any) -> None:
    with pytest.raises(TypeError):
        w.wat2wasm(bad)


def test_text_is_not_validated(w: ModuleType) -> None:
    assert w.wat2wasm("(module (func (result i32)))")[:4] == b"\0asm"
