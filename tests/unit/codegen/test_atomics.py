"""Atomic instructions, on memories that are shared and others: results, memory and traps as in wasmtime."""

from __future__ import annotations

import ctypes
from itertools import product
from pathlib import Path
from typing import Final

import pytest
import wasmtime

import wasmartifact as wa
from wasmartifact.codegen.atomics import HANDLERS
from wasmartifact.wasm.opcodes import MEMARG, OPCODE_BY_NAME

_NAMES: Final = sorted(name for name in HANDLERS if OPCODE_BY_NAME[name].immediate == MEMARG)
_VALTYPES: Final = {"a": "i32", "i": "i32", "l": "i64"}
_VALUES: Final = {
    "a": (0, 8, 65520, 1, 2, 65534, 65535, -1),
    "i": (0, 7, 0x11, 0x1111, 0x11111111, -2),
    "l": (0, 7, 0x11, 0x1111, 0x11111111, 0x1111111111111111, -2),
}
_TRAPS: Final = {
    wasmtime.TrapCode.HEAP_MISALIGNED: "unaligned_atomic",
    wasmtime.TrapCode.ATOMIC_WAIT_NON_SHARED_MEMORY: "expected_shared_memory",
    wasmtime.TrapCode.MEMORY_OUT_OF_BOUNDS: "memory_out_of_bounds",
}


def _signature(name: str) -> tuple[str, str]:
    """Letters of parameters and results."""
    params, results = (OPCODE_BY_NAME[name].signature or ":").split(":")
    return params, results


def _text(limits: str) -> str:
    """A module with a function for each instruction, which exports it under its name."""
    functions = []
    for name in _NAMES:
        params, results = _signature(name)
        given = " ".join(_VALTYPES[letter] for letter in params)
        result = f" (result {_VALTYPES[results]})" if results else ""
        operands = " ".join(f"(local.get {index})" for index in range(len(params)))
        functions.append(f'(func (export "{name}") (param {given}){result} ({name} offset=8 {operands}))')
    return f'(module (memory (export "memory") {limits}) {" ".join(functions)} (func (export "fence") (atomic.fence)))'


def _would_wait(name: str, values: tuple[int, ...]) -> bool:
    """Whether an instruction may wait for longer than a test has."""
    return "wait" in name and not 0 <= values[-1] < 10**6


@pytest.mark.parametrize("limits", ["1", "1 1 shared"])
@pytest.mark.parametrize("opt_level", [0, 2])
def test_atomics_do_what_they_do_in_wasmtime(opt_level: int, limits: str, tmp_path: Path) -> None:
    module = bytes(wasmtime.wat2wasm(_text(limits)))
    is_shared = "shared" in limits
    config = wasmtime.Config()
    config.shared_memory = is_shared
    store = wasmtime.Store(wasmtime.Engine(config))
    theirs = wasmtime.Instance(store, wasmtime.Module(store.engine, module), []).exports(store)
    their_memory = theirs["memory"]
    if is_shared:
        assert isinstance(their_memory, wasmtime.SharedMemory)
        start = their_memory.data_ptr()
    else:
        assert isinstance(their_memory, wasmtime.Memory)
        start = their_memory.data_ptr(store)
    their_bytes = memoryview((ctypes.c_ubyte * 65536).from_address(ctypes.addressof(start.contents))).cast("B")
    wa.pack(module, tmp_path / "module.so", opt_level=opt_level)
    ours = wa.load(tmp_path / "module.so").instantiate().exports
    our_memory = memoryview(ours["memory"])

    def outcome(name: str, values: tuple[int, ...]) -> tuple[object, object]:
        function = theirs[name]
        assert isinstance(function, wasmtime.Func)
        try:
            expected: object = function(store, *values)
        except wasmtime.Trap as trap:
            assert trap.trap_code is not None
            expected = _TRAPS[trap.trap_code]
        try:
            return expected, ours[name](*values)
        except wa.Trap as trap:
            return expected, trap.code

    traps = 0
    for name in _NAMES:
        params, _ = _signature(name)
        for values in product(*(_VALUES[letter] for letter in params)):
            if name.startswith("memory.") and values[0] == -1:
                continue  # neither aligned nor inside: wasmtime tells the one here and the other everywhere else
            if is_shared and _would_wait(name, values):
                continue
            fresh = bytes([0x11]) * 16
            for place in (0, 8, 16, 65520):
                their_bytes[place : place + 16] = fresh
                our_memory[place : place + 16] = fresh
            expected, found = outcome(name, values)
            assert found == expected, f"{name}{values}"
            for place in (0, 16, 65520):
                assert bytes(our_memory[place : place + 16]) == bytes(their_bytes[place : place + 16]), name
            traps += isinstance(expected, str)
    assert traps > len(_NAMES)
    assert ours["fence"]() is None
