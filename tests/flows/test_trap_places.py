"""Traps and calls that LLVM folds into what uses them, moves or merges keep their places in the module.

What is expected are wasmtime's places, or, where that names the instruction that it folded a load into, the load's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import wasmtime

import wasmartifact as wa

BEFORE = "(local.set 2 (i32.div_u (i32.const 9) (i32.const 2))) (i32.store (i32.const 8) (local.get 2))"
WILD = "(i32.load (local.get 0))"
#: Bodies of a function (param i32 i32) (result i32) (local i32) whose load is out of bounds by its first parameter, and
#: how many bytes the load starts before the place that wasmtime names.
LOADS = {
    "condition": f"(if {WILD} (then (return (i32.const 3)))) (local.get 2)",
    "branch": f"(block (br_if 0 {WILD}) (return (i32.const 3))) (local.get 2)",
    "address": f"(i32.store {WILD} (local.get 1)) (local.get 2)",
    "masked address": f"(i32.store (i32.and {WILD} (i32.const 65532)) (local.get 1)) (local.get 2)",
    "shifted address": f"(i32.load (i32.and (i32.shr_u {WILD} (i32.const 3)) (i32.const 65532)))",
    "combined address": f"(i32.load (i32.or (i32.and {WILD} (i32.const 1020)) (i32.const 4)))",
    "inverted address": f"(i32.load (i32.and (i32.xor {WILD} (i32.const 77)) (i32.const 1020)))",
    "address of another block": f"""(local.set 2 (i32.and {WILD} (i32.const 65532)))
      (if (local.get 1) (then (i32.store (local.get 2) (i32.const 5)))) (i32.load (local.get 2))""",
    "in a loop": f"""(loop $l (local.set 2 (i32.and {WILD} (i32.const 1020)))
      (local.set 1 (i32.sub (local.get 1) (i32.load (local.get 2)))) (br_if $l (local.get 1))) (local.get 2)""",
}
CALLS = {
    "ends of arms": """(if (result i32) (local.get 0)
      (then (call $trap (local.get 1))) (else (i32.store (i32.const 0) (i32.const 1)) (call $trap (local.get 1))))""",
    "returns": """(if (local.get 0) (then (return (call $trap (local.get 1)))))
      (i32.store (i32.const 0) (i32.const 7)) (call $trap (local.get 1))""",
    "through a table": """(if (result i32) (local.get 0)
      (then (call_indirect (param i32) (result i32) (local.get 1) (i32.const 0)))
      (else (i32.store (i32.const 0) (i32.const 1))
        (call_indirect (param i32) (result i32) (local.get 1) (i32.const 0))))""",
}


def places(wasm: bytes, path: Path, opt_level: int, *arguments: int) -> tuple[list[Any], list[Any]]:
    """Function and wasm offset of each frame of the trap: ours, and wasmtime's."""
    wa.pack(wasm, path, opt_level=opt_level)
    exports: Any = wa.load(path).instantiate().exports
    with pytest.raises(wa.Trap) as trapped:
        exports.f(*arguments)
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    function = wasmtime.Instance(store, wasmtime.Module(engine, wasm), []).exports(store)["f"]
    assert isinstance(function, wasmtime.Func)
    with pytest.raises(wasmtime.Trap) as expected:
        function(store, *arguments)
    return (
        [(frame.func_index, frame.wasm_offset) for frame in trapped.value.frames],
        [(frame.func_index, frame.module_offset) for frame in expected.value.frames],
    )


@pytest.mark.parametrize("opt_level", [0, 1, 2])
@pytest.mark.parametrize("name", LOADS)
def test_loads_in_what_uses_them(tmp_path: Path, name: str, opt_level: int) -> None:
    wasm = bytes(
        wasmtime.wat2wasm(f"""(module (memory (export "memory") 1)
          (func (export "f") (param i32 i32) (result i32) (local i32) {BEFORE} {LOADS[name]}))""")
    )
    ours, expected = places(wasm, tmp_path / "a.so", opt_level, -16, 1)
    load = wasm.index(b"\x20\x00\x28\x02\x00") + 2  # local.get 0, i32.load: the only one
    assert ours == [(0, load)]
    assert load <= expected[0][1] <= load + 10


@pytest.mark.parametrize("opt_level", [0, 1, 2, 3])
@pytest.mark.parametrize("name", CALLS)
def test_calls_that_end_alike(tmp_path: Path, name: str, opt_level: int) -> None:
    wasm = bytes(
        wasmtime.wat2wasm(f"""(module (memory 1) (table (export "table") 1 funcref) (elem (i32.const 0) $trap)
          (func $trap (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
          (func (export "f") (param i32 i32) (result i32) {CALLS[name]}))""")
    )
    found = [places(wasm, tmp_path / f"{way}.so", opt_level, way, 0) for way in (0, 1)]
    assert [ours for ours, _ in found] == [expected for _, expected in found]
    assert found[0][0] != found[1][0]
