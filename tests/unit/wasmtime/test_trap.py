"""Traps: codes, messages and frames; the exit of a WASI program; errors that programs make themselves."""

from __future__ import annotations

import re
from types import ModuleType
from typing import Any

import pytest

from .harness import exports, func_type

NAMED = """
    (module $module
      (func (export "init") call $foo)
      (func $foo call $bar)
      (func $bar unreachable))"""


def trap_of(w: ModuleType, store: Any, text: str, *args: object) -> Any:
    with pytest.raises(w.Trap) as caught:
        exports(w, store, text).by_index[0](store, *args)
    return caught.value


@pytest.mark.core
def test_trap_of_ones_own(w: ModuleType) -> None:
    trap = w.Trap("x")
    assert trap.message == str(trap) == "x"
    assert trap.frames == []
    assert trap.trap_code is None
    assert isinstance(trap, Exception)
    assert not isinstance(trap, w.WasmtimeError)
    with pytest.raises(AttributeError):
        w.Trap(3)


@pytest.mark.core
def test_frames_from_the_innermost(w: ModuleType, store: Any) -> None:
    frames = trap_of(w, store, NAMED).frames
    assert all(isinstance(frame, w.Frame) for frame in frames)
    assert [frame.func_index for frame in frames] == [2, 1, 0]
    assert [frame.module_name for frame in frames] == ["module"] * 3


@pytest.mark.core
def test_frames_have_the_names_of_the_name_section(w: ModuleType, store: Any) -> None:
    assert [frame.func_name for frame in trap_of(w, store, NAMED).frames] == ["bar", "foo", None]


@pytest.mark.core
def test_frames_without_names(w: ModuleType, store: Any) -> None:
    (frame,) = trap_of(w, store, '(module (func (export "init") unreachable))').frames
    assert (frame.func_index, frame.func_name, frame.module_name) == (0, None, None)


def test_frames_tell_where(w: ModuleType, store: Any) -> None:
    """Offsets of the instruction in the module and in the function's body."""
    wasm = bytes(w.wat2wasm(NAMED))
    frames = trap_of(w, store, NAMED).frames
    assert wasm[frames[0].module_offset] == 0x00  # unreachable
    assert wasm[frames[1].module_offset] == 0x10  # call
    assert [frame.func_offset for frame in frames] == [1, 1, 1]


@pytest.mark.core
def test_message_is_a_backtrace(w: ModuleType, store: Any) -> None:
    message = str(trap_of(w, store, NAMED))
    assert message == trap_of(w, store, NAMED).message
    lines = [
        r"error while executing at wasm backtrace:",
        r"    0:\s+0x[0-9a-f]+ - module!bar",
        r"    1:\s+0x[0-9a-f]+ - module!foo",
        r"    2:\s+0x[0-9a-f]+ - module!<wasm function 0>",
    ]
    assert re.search(r"\n".join(lines), message)
    assert "wasm trap: wasm `unreachable` instruction executed" in message


#: What traps, its code, and what the message says of it.
CODES = [
    ("unreachable", "UNREACHABLE", "wasm `unreachable` instruction executed"),
    ("(drop (i32.load (i32.const -1)))", "MEMORY_OUT_OF_BOUNDS", "out of bounds memory access"),
    ("(drop (i32.div_s (i32.const 1) (i32.const 0)))", "INTEGER_DIVISION_BY_ZERO", "integer divide by zero"),
    ("(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))", "INTEGER_OVERFLOW", "integer overflow"),
    ("(drop (i32.trunc_f32_s (f32.const nan)))", "BAD_CONVERSION_TO_INTEGER", "invalid conversion to integer"),
    ("(call_indirect (type $t) (i32.const 9))", "TABLE_OUT_OF_BOUNDS", "undefined element: out of bounds table access"),
    ("(call_indirect (type $t) (i32.const 0))", "INDIRECT_CALL_TO_NULL", "uninitialized element"),
    ("(drop (call_indirect (result i32) (i32.const 1)))", "BAD_SIGNATURE", "indirect call type mismatch"),
    ("(call $deep)", "STACK_OVERFLOW", "call stack exhausted"),
    ("(call_ref $t (ref.null $t))", "NULL_REFERENCE", "null reference"),
]


@pytest.mark.parametrize(("body", "code", "words"), CODES, ids=[code for _, code, _ in CODES])
def test_code_of_a_trap(w: ModuleType, store: Any, body: str, code: str, words: str) -> None:
    text = f"""
        (module
          (type $t (func))
          (func (export "run") {body})
          (memory 1)
          (table 2 funcref)
          (elem (i32.const 1) $deep)
          (func $deep (call $deep)))"""
    trap = trap_of(w, store, text)
    assert trap.trap_code is w.TrapCode[code]
    assert words in trap.message


def test_codes_have_the_numbers_of_wasmtime(w: ModuleType) -> None:
    numbers = {code.name: code.value for code in w.TrapCode}
    assert numbers["STACK_OVERFLOW"] == 0
    assert numbers["UNREACHABLE"] == 9
    assert numbers["INTERRUPT"] == 10
    assert len(numbers) > 40


def test_trap_within_host_calls_shows_guest_frames(w: ModuleType, store: Any) -> None:
    inner = exports(w, store, '(module (func $inner (export "f") unreachable))')["f"]
    host = w.Func(store, func_type(w), lambda: inner(store))
    text = '(module (import "" "" (func $host)) (func $outer (export "f") call $host))'
    with pytest.raises(w.Trap) as caught:
        exports(w, store, text, [host])["f"](store)
    assert caught.value.frames[0].func_name == "inner"
    assert caught.value.trap_code is w.TrapCode.UNREACHABLE


# ---- errors --------------------------------------------------------------------------------------------------------


def test_error_of_ones_own(w: ModuleType) -> None:
    error = w.WasmtimeError("words")
    assert str(error) == "words"
    assert isinstance(error, Exception)
    assert issubclass(w.ExitTrap, w.WasmtimeError)
    assert not issubclass(w.Trap, w.WasmtimeError)
    with pytest.raises(AttributeError):
        w.WasmtimeError(3)


EXIT = """
    (module
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (memory (export "memory") 1)
      (func (export "exit") (param i32) (call $exit (local.get 0))))"""


def leaving(w: ModuleType) -> tuple[Any, Any]:
    """A function that leaves with the code that it is given, and its store."""
    linker = w.Linker(w.Engine())
    linker.define_wasi()
    store = w.Store(linker.engine)
    store.set_wasi(w.WasiConfig())
    return linker.instantiate(store, w.Module(linker.engine, EXIT)).exports(store)["exit"], store


@pytest.mark.core
@pytest.mark.parametrize("code", [0, 1, 42, 125])
def test_exit_of_a_program(w: ModuleType, code: int) -> None:
    leave, store = leaving(w)
    with pytest.raises(w.ExitTrap) as caught:
        leave(store, code)
    assert caught.value.code == code
    assert f"Exited with i32 exit status {code}" in str(caught.value)
    assert isinstance(caught.value, w.WasmtimeError)


@pytest.mark.parametrize("code", [126, 255, -1])
def test_exit_beyond_what_codes_are(w: ModuleType, code: int) -> None:
    """Preview 1 knows codes up to 125 in wasmtime: more is an error, of which ExitTrap is one."""
    leave, store = leaving(w)
    with pytest.raises(w.WasmtimeError):
        leave(store, code)
