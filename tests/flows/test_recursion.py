"""Functions that hold copies of their own body in place of calls of themselves: results, traps and fuel are as without.

What is expected comes from wasmtime, which makes every call, and from level 0, which does, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wasmtime

import wasmartifact as wa
from wasmartifact.codegen.recursion import Inlining, inlined_functions
from wasmartifact.constants import COLUMN_IDS
from wasmartifact.wasm.decode import decode_module

#: What the innermost call does; some of it traps.
ENDS = {
    "load": "(i32.load (i32.const -1))",
    "division": "(i32.div_u (i32.const 1) (local.get $depth))",
    "another function": "(call $other (local.get $depth))",
    "table": "(call_indirect (param i32) (result i32) (i32.const 1) (i32.const 0))",
    "nothing": "(local.get $path)",
}


def step(mark: int, arithmetic: str) -> str:
    return f"""(if (i32.eq (i32.and (local.get $path) (i32.const 3)) (i32.const {mark})) (then (return ({arithmetic}
      (call $walk (i32.shr_u (local.get $path) (i32.const 2)) (i32.sub (local.get $depth) (i32.const 1)))))))"""


def walk(end: str, more: str = "") -> bytes:
    """A function that calls itself in two places, or in a third one behind another function, as its path tells."""
    return bytes(
        wasmtime.wat2wasm(f"""(module
          (memory (export "memory") 1) (table 1 funcref) (global $calls (mut i32) (i32.const 0))
          (func $other (param i32) (result i32) (i32.rem_s (i32.const 7) (local.get 0)))
          {more}
          (func $walk (export "walk") (param $path i32) (param $depth i32) (result i32)
            (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
            (if (i32.eqz (local.get $depth)) (then (return {end})))
            {step(0, "i32.add (i32.const 1)")} {step(1, "i32.mul (i32.const 3)")}
            (call $between (i32.shr_u (local.get $path) (i32.const 2)) (i32.sub (local.get $depth) (i32.const 1))))
          (func $between (param i32 i32) (result i32) (i32.xor (i32.const 5) (call $walk (local.get 0) (local.get 1))))
          (func (export "calls") (result i32) (global.get $calls)))""")
    )


def paths() -> Iterator[tuple[int, int]]:
    """Arguments: all ways of up to five calls, and some longer ones."""
    for depth in range(6):
        for number in range(3**depth):
            yield sum(number // 3**place % 3 << 2 * place for place in range(depth)), depth
    for depth in range(6, 14):
        yield from ((path, depth) for path in (0, 0x55555555, 0x0419A512, 0x28A1A4 << depth & 0x3FFFFFFF))


def columns_of(path: Path) -> dict[int, list[int]]:
    """The calls that copies stand for, by function."""
    with wa.open_metadata(path) as metadata:
        if COLUMN_IDS["inlined_call_func"] not in metadata.columns.directory:
            return {}
        found: dict[int, list[int]] = {}
        columns = metadata.columns
        functions, offsets = columns.column("inlined_call_func"), columns.column("inlined_call_offset")
        for func_index, offset in zip(functions, offsets, strict=True):
            found.setdefault(func_index, []).append(offset)
        return found


class Rival:
    """The same module in wasmtime."""

    def __init__(self, wasm: bytes) -> None:
        engine = wasmtime.Engine()
        self._store = wasmtime.Store(engine)
        self._exports = wasmtime.Instance(self._store, wasmtime.Module(engine, wasm), []).exports(self._store)

    def outcome(self, name: str, *arguments: int) -> Any:
        function = self._exports[name]
        assert isinstance(function, wasmtime.Func)
        try:
            return function(self._store, *arguments)
        except wasmtime.Trap as trap:
            return [(frame.func_index, frame.module_offset) for frame in trap.frames]


def outcome(exports: Any, name: str, *arguments: int) -> Any:
    """The result, or function and wasm offset of each frame of the trap."""
    try:
        return exports[name](*arguments)
    except wa.Trap as trap:
        return [(frame.func_index, frame.wasm_offset) for frame in trap.frames]


@pytest.mark.parametrize("opt_level", [0, 2, 3])
@pytest.mark.parametrize("end", ENDS)
def test_traps_name_every_call(tmp_path: Path, end: str, opt_level: int) -> None:
    wasm = walk(ENDS[end])
    wa.pack(wasm, tmp_path / "a.so", opt_level=opt_level)
    wa.verify(tmp_path / "a.so")
    assert list(columns_of(tmp_path / "a.so")) == ([] if opt_level == 0 else [1])
    exports, rival = wa.load(tmp_path / "a.so").instantiate().exports, Rival(wasm)
    for arguments in paths():
        assert outcome(exports, "walk", *arguments) == rival.outcome("walk", *arguments), arguments
    assert outcome(exports, "calls") == rival.outcome("calls")


@pytest.mark.parametrize("cpu", ["baseline", ("baseline", "x86-64-v3")])
def test_snapshots_and_cpu_levels_name_every_call(tmp_path: Path, cpu: Any) -> None:
    wasm = walk(ENDS["load"], "(func (param v128) (result v128) (f32x4.mul (local.get 0) (local.get 0)))")
    wa.pack(wasm, tmp_path / "a.so", cpu=cpu)
    instance = wa.load(tmp_path / "a.so").instantiate()
    wa.snapshot(instance, tmp_path / "b.so")
    wa.verify(tmp_path / "b.so")
    exports, rival = wa.load(tmp_path / "b.so").instantiate().exports, Rival(wasm)
    for arguments in [(0x55, 4), (0x14, 3), (0x85, 5)]:
        assert outcome(exports, "walk", *arguments) == rival.outcome("walk", *arguments)


def test_the_address_map_has_offsets_of_the_body(tmp_path: Path) -> None:
    wa.pack(walk(ENDS["load"]), tmp_path / "a.so", opt_level=2)
    with wa.open_metadata(tmp_path / "a.so") as metadata:
        function = metadata.functions[1]
        assert function.wasm_offset is not None and function.wasm_size_bytes is not None
        start, end = function.wasm_offset, function.wasm_offset + function.wasm_size_bytes
        assert function.text_offset is not None and function.size_bytes is not None
        text = range(function.text_offset, function.text_offset + function.size_bytes)
        rows = [row for row in metadata.address_map if row.text_offset in text and row.wasm_offset is not None]
        assert len(rows) > 20 and all(row.wasm_offset in range(start, end) for row in rows)
        assert all(metadata.function_at(row.text_offset) == (1, row.wasm_offset) for row in rows)


def test_source_lines_of_copies(tmp_path: Path) -> None:
    """The lines of a function with copies are all there: see test_source_lines, whose ``stop`` is one."""
    wasm = Path(__file__).parents[1] / "data" / "source_lines.dwarf5.wasm"
    wa.pack(wasm, tmp_path / "a.so", opt_level=2)
    with wa.open_metadata(tmp_path / "a.so") as metadata:
        names = {metadata.function_name(func_index) for func_index in columns_of(tmp_path / "a.so")}
    assert names == {"stop"}


def test_a_recursion_without_end(tmp_path: Path) -> None:
    wasm = walk("(i32.const 1)")
    wa.pack(wasm, tmp_path / "a.so", opt_level=2)
    (offsets,) = columns_of(tmp_path / "a.so").values()
    with pytest.raises(wa.Trap) as caught:
        wa.load(tmp_path / "a.so").instantiate().exports.walk(0, -1)
    assert caught.value.code == "stack_exhausted"
    frames = [(frame.func_name or frame.func_index, frame.wasm_offset) for frame in caught.value.frames]
    assert len(frames) == 64
    assert frames[1:] == [(frames[0][0], offsets[0])] * 63


def test_fuel_is_the_same(tmp_path: Path) -> None:
    wasm = walk(ENDS["nothing"])
    spent = {}
    for opt_level in (0, 2):
        path = tmp_path / f"{opt_level}.so"
        wa.pack(wasm, path, opt_level=opt_level, fuel=True)
        assert bool(columns_of(path)) == (opt_level == 2)
        store = wa.Store()
        exports = wa.load(path).instantiate(store=store).exports
        counts: list[Any] = []
        for arguments in paths():
            store.fuel = 10_000
            result = exports.walk(*arguments)
            counts.append((result, store.fuel))
        store.fuel = 100
        with pytest.raises(wa.OutOfFuel) as caught:
            exports.walk(0, 13)
        counts.append([frame.func_index for frame in caught.value.frames])
        spent[opt_level] = counts
    assert spent[0] == spent[2]


@pytest.mark.parametrize("depth", range(12))
def test_exceptions_pass_through(tmp_path: Path, depth: int) -> None:
    """Every third call catches; what it adds tells how deep it was."""
    source = """(module (tag $odd (param i32))
      (func $walk (export "walk") (param $depth i32) (param $at i32) (result i32)
        (if (i32.eqz (local.get $depth)) (then (throw $odd (i32.const 1000))))
        (if (result i32) (i32.rem_u (local.get $depth) (local.get $at))
          (then (i32.add (i32.const 1)
            (call $walk (i32.sub (local.get $depth) (i32.const 1)) (local.get $at))))
          (else (block $caught (result i32)
            (return (i32.add (i32.const 10) (try_table (result i32) (catch $odd $caught)
              (call $walk (i32.sub (local.get $depth) (i32.const 1)) (local.get $at)))))) ))))"""
    wa.pack(source.encode(), tmp_path / "a.so", opt_level=2)
    assert columns_of(tmp_path / "a.so")
    exports: Any = wa.load(tmp_path / "a.so").instantiate().exports

    def expected(left: int, at: int) -> int | None:
        """The function as it reads; None where it throws."""
        if not left:
            return None
        inner = expected(left - 1, at)
        if left % at:
            return None if inner is None else inner + 1
        return 1000 if inner is None else inner + 10

    for at in (1, 2, 3):
        if (value := expected(depth, at)) is None:
            with pytest.raises(wa.WasmException):
                exports.walk(depth, at)
        else:
            assert exports.walk(depth, at) == value


def test_which_copy_is_which() -> None:
    """A call of copy k is copy k * n + 1 + i."""
    inlining = Inlining((10, 20), 6)
    assert [inlining.replaced(copy) for copy in range(4)] == [{10: 1, 20: 2}, {10: 3, 20: 4}, {10: 5, 20: 6}, {}]


def test_a_module_of_recursions_is_copied_in_part(tmp_path: Path) -> None:
    """What copies add to a module is bounded, and calls with padded indices are found as others are."""
    functions = "".join(
        f"(func $f{number} (param i32) (result i32) (if (result i32) (local.get 0) (then (i32.add"
        f" (call $f{number} (i32.const 0)) (call $f{number} (i32.const {number})))) (else (i32.const 1))))"
        for number in range(3000)
    )
    module = decode_module(bytes(wasmtime.wat2wasm(f"(module {functions})")))
    found = inlined_functions(module)
    assert found and list(found) == list(range(len(found)))
    operators = 9
    assert sum(item.copies for item in found.values()) * operators <= 10_000
    short, padded = b"\x10\x00", b"\x10\x80\x80\x80\x80\x00"
    body = b"\x00\x20\x00\x04\x7f\x20\x00" + padded + b"\x05\x41\x01\x0b\x0b"
    one = b"\0asm\1\0\0\0\x01\x06\x01\x60\x01\x7f\x01\x7f\x03\x02\x01\x00\x0a"
    for call in (short, padded):
        code = bytes([len(body) - len(padded) + len(call)]) + body.replace(padded, call)
        found = inlined_functions(decode_module(one + bytes([len(code) + 1, 1]) + code))
        assert [item.copies for item in found.values()] == [4]


@pytest.mark.parametrize(
    ("body", "copies"),
    [
        ("(call $f (i32.sub (local.get 0) (i32.const 1)))", 4),
        ("(call $f (call $f (i32.sub (local.get 0) (i32.const 1))))", 30),
        (f"{'(drop (local.get 0))' * 30} (call $f (i32.const 1))", 4),
        (f"{'(drop (local.get 0))' * 31} (call $f (i32.const 1))", 0),
        (f"(local{' i64' * 200}) (call $f (i32.const 1))", 0),
        ("(drop (i32.const 16)) (i32.const 1)", 0),
    ],
)
def test_how_often_bodies_are_copied(body: str, copies: int) -> None:
    wasm = wasmtime.wat2wasm(f"(module (func $f (param i32) (result i32) {body}))")
    assert sum(item.copies for item in inlined_functions(decode_module(bytes(wasm))).values()) == copies
