"""Compilation in worker processes: the same result whatever the workers, errors that travel, workers that die."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import wasmartifact
from tests.unit.codegen.harness import initial_state, module_from_wat
from wasmartifact.codegen import module as module_compiler
from wasmartifact.codegen import process
from wasmartifact.codegen.compiled import CompiledModule, FunctionGroup
from wasmartifact.codegen.module import compile_module
from wasmartifact.codegen.options import CodegenOptions, resolve_target
from wasmartifact.errors import ToolchainError

MANY_FUNCTIONS = 200


def many_functions() -> str:
    """A module whose functions fill several groups and call each other."""
    functions = [
        f'(func $f{index} (export "f{index}") (param i32) (result i32) (local i64 f64)'
        f" (i32.add (call $f{(index * 7 + 3) % MANY_FUNCTIONS} (local.get 0)) (i32.const {index})))"
        for index in range(MANY_FUNCTIONS)
    ]
    return f"""(module (import "host" "log" (func $log (param i64))) (memory 1) {" ".join(functions)}
      (func $start (call $log (i64.const 1))) (start $start))"""


def compile_wat(
    wat: str, jobs: int = 1, opt_level: int = 2, progress: Callable[[int, int], None] | None = None
) -> CompiledModule:
    module = module_from_wat(wat)
    canonical = [module.types.index(func_type) for func_type in module.types]
    options = CodegenOptions(opt_level, resolve_target(None, "baseline"))
    return compile_module(
        module, initial_state(module), options, jobs=jobs, progress=progress, type_canonical=canonical
    )


def test_the_number_of_workers_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    one = compile_wat(many_functions(), jobs=1)
    monkeypatch.setattr(module_compiler, "BYTES_PER_WORKER", 1)
    calls: list[tuple[int, int]] = []
    three = compile_wat(many_functions(), jobs=3, progress=lambda done, total: calls.append((done, total)))
    assert len(one.objects) > 3
    assert pickle.dumps(one.objects) == pickle.dumps(three.objects)
    assert pickle.dumps(one.address_maps) == pickle.dumps(three.address_maps)
    assert calls[0] == (0, MANY_FUNCTIONS + 1) and calls[-1] == (MANY_FUNCTIONS + 1, MANY_FUNCTIONS + 1)
    assert [done for done, _ in calls] == sorted({done for done, _ in calls})


def test_what_layout_and_metadata_need() -> None:
    wat = """(module
      (type $log (func (param f64))) (type $unused (func (param i64 i64))) (type $called (func (result i64)))
      (type $short (func (param i32) (result i32))) (type $inner (func (param f32)))
      (type $in_table (func (result f32)))
      (import "m" "log" (func (type $log))) (memory 1) (table 1 funcref)
      (func (export "short") (type $short) (i32.extend8_s (local.get 0)))
      (func (export "loops") (type $short) (loop) (local.get 0))
      (func (type $inner)
        (memory.fill (i32.const 0) (i32.const 1) (i32.const 2)) (drop (call_indirect (type $called) (i32.const 0))))
      (func $in_table (type $in_table) (f32.const 1)) (elem (i32.const 0) $in_table))"""
    compiled = compile_wat(wat)
    types = {"log": 0, "unused": 1, "called": 2, "short": 3, "inner": 4, "in_table": 5}
    assert set(compiled.entry_symbols) == {types["short"], types["in_table"]}
    assert set(compiled.host_symbols) == {types["log"], types["called"]}
    assert compiled.short_functions == {1, 4}
    assert compiled.features == {"sign-extension", "bulk-memory"}
    assert compiled.memory_guards == [0]
    assert compiled.init_symbol is None
    symbols = [name for code in compiled.objects for name, _, _ in code.functions]
    assert sorted(symbols) == sorted(
        ["f1", "f2", "f3", "f4", *compiled.entry_symbols.values(), *compiled.host_symbols.values()]
    )
    offsets = [offset for name, offset, _ in compiled.objects[0].functions]
    assert offsets == sorted(offsets)
    undefined = {name for code in compiled.objects for name in code.symbol_names if name} - set(symbols)
    assert undefined <= {"wa_type_digests"}


def test_a_worker_that_dies_names_the_function(monkeypatch: pytest.MonkeyPatch) -> None:
    send = process.WorkerProcess.send
    doomed = 123

    def kill_for_one(worker: process.WorkerProcess, message: bytes) -> None:
        request: Any = pickle.loads(message[8:])
        if isinstance(request[1], FunctionGroup) and doomed in request[1].indices:
            worker._process.kill()
            worker._process.wait()
        send(worker, message)

    monkeypatch.setattr(process.WorkerProcess, "send", kill_for_one)
    with pytest.raises(ToolchainError, match=r"function 123.*signal 9") as caught:
        compile_wat(many_functions())
    assert caught.value.facts["func_index"] == doomed
    monkeypatch.undo()
    assert len(compile_wat(many_functions()).objects) > 3


def test_llvm_errors_are_toolchain_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module_compiler, "trampoline_texts", lambda *_, **__: ["this is no LLVM IR"])
    with pytest.raises(ToolchainError, match="LLVM rejected"):
        compile_wat("(module (func))")


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import os, sys\n"
        f"sys.path.insert(0, {str(Path(wasmartifact.__file__).parents[1])!r})\n"
        "from tests.unit.codegen.test_pool import compile_wat\n"
        "from wasmartifact.codegen import pool\n"
        "compile_wat('(module (func))')\n"
        "print(pool._idle[0]._process.pid, flush=True)\n"
        "os._exit(0)\n"  # no cleaning up: the worker sees its input end
    )
    # Another working directory and a hostile environment: workers import the same package all the same.
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "nowhere"), "PYTHONHASHSEED": "7"}
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    pid = int(done.stdout)
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text().split()[2]:
            return
        subprocess.run(["sleep", "0.05"], check=True)
    pytest.fail("the worker outlives its parent")
