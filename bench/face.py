"""The face of wasmtime-py against wasmtime-py: one program, written for it, that runs on both in turn.

What it costs to import is CPU time of processes of their own.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from statistics import median
from typing import Any, Final

import wasmtime

import wasmartifact.wasmtime
from bench import scratch
from bench.calls import CALL_BACKS, READ_BYTES, WAT, callback, callback_with_caller
from bench.figures import Figure
from bench.quickjs import module_path
from bench.timing import actions_ns, statements_ns

#: What most programs import.
IMPORT: Final = """
import sys, time
start = time.process_time_ns()
from {} import Config, Engine, ExitTrap, Func, FuncType, Linker, Module, Store, Trap, ValType, WasiConfig
print(time.process_time_ns() - start)
"""
OURS, THEIRS = "wasmartifact.wasmtime", "wasmtime"
#: Largest ratios: 0.4 us a call, 0.15 a call back, 0.3 a read, where wasmtime-py took 25, 8 and 3.
GOALS: Final = {"call (i32, i32) -> i32": 0.016, "call back": 0.02, f"read {READ_BYTES} bytes of memory": 0.1}


class Program:
    """The module of `bench.calls` and QuickJS, in one of the two packages."""

    def __init__(self, package: Any) -> None:
        self._package = package
        self._engine = package.Engine()
        self._callback_type = package.FuncType([package.ValType.i32()], [package.ValType.i32()])
        module = package.Module(self._engine, WAT)
        self.store = package.Store(self._engine)
        self.exports = self._linker(callback, False).instantiate(self.store, module).exports(self.store)
        with_caller = self._linker(callback_with_caller, True)
        self.caller_exports = with_caller.instantiate(self.store, module).exports(self.store)
        self._quickjs = package.Module(self._engine, module_path().read_bytes())
        self._wasi = package.Linker(self._engine)
        self._wasi.define_wasi()
        self._wasi.define_unknown_imports_as_traps(self._quickjs)

    def _linker(self, function: Callable[..., int], access_caller: bool) -> Any:
        linker = self._package.Linker(self._engine)
        linker.define_func("host", "callback", self._callback_type, function, access_caller)
        return linker

    def instantiate(self) -> Any:
        """A store with a WASI program of QuickJS."""
        store = self._package.Store(self._engine)
        store.set_wasi(self._package.WasiConfig())
        return store, self._wasi.instantiate(store, self._quickjs)


def import_ns(package: str, samples: int) -> float:
    """Median CPU time of the imports, in processes that do nothing else."""
    command = [sys.executable, "-c", IMPORT.format(package)]
    environment = scratch.child_environment()
    return median(
        int(subprocess.run(command, check=True, capture_output=True, env=environment).stdout) for _ in range(samples)
    )


def figures(*, quick: bool) -> list[Figure]:
    """Calls, calls back, reads, instances, imports."""
    programs = {OURS: Program(wasmartifact.wasmtime), THEIRS: Program(wasmtime)}
    samples, calls = (5, 200) if quick else (51, 2_000)
    end = 64 + READ_BYTES

    def turns(export: str, text: str, per_sample: int, caller: bool = False) -> dict[str, float]:
        statements = {}
        for name, program in programs.items():
            exports = program.caller_exports if caller else program.exports
            statements[name] = (text, {"it": exports[export], "store": program.store})
        return statements_ns(statements, samples, per_sample)

    loop = f"it(store, {CALL_BACKS})"
    found = {
        "call (i32, i32) -> i32": turns("add", "it(store, 20, 22)", calls),
        "call back": {name: value / CALL_BACKS for name, value in turns("repeat", loop, 1).items()},
        "call back, with its caller": {
            name: value / CALL_BACKS for name, value in turns("repeat", loop, 1, caller=True).items()
        },
        f"read {READ_BYTES} bytes of memory": turns("memory", f"it.read(store, 64, {end})", calls),
        "store, WASI and instance of QuickJS": actions_ns(
            {name: program.instantiate for name, program in programs.items()}, samples
        ),
        "import": {name: import_ns(name, samples=3 if quick else 15) for name in programs},
    }
    return [
        Figure(f"face: {name}", values[OURS], values[THEIRS], "wasmtime-py", GOALS.get(name, 1.0))
        for name, values in found.items()
    ]
