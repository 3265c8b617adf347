"""The first run of a program on a machine, and the second: ``wasmartifact run`` beside wasmtime-py with its cache.

Both begin with an empty cache of their own, and find there in the second run what the first one left. What counts is
CPU time of the process and of all that it waits for, with Python's start. Ours runs at level 0, which is what a first
run has at any level; what packs for later runs in the background is not counted, and does not start here.

QuickJS makes a context (``qjs_init``); yosys, which is downloaded once, says its version.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from bench import scratch, yosys
from bench.figures import Figure
from bench.quickjs import module_path

OURS: Final = ("-m", "wasmartifact", "run", "--opt-level", "0")
#: MODULE EXPORT CACHE_CONFIGURATION [ARGUMENT ...]: what a program does that wants its cache to last.
THEIRS: Final = """
import sys, wasmtime
path, export, cache, *arguments = sys.argv[1:]
config = wasmtime.Config()
config.cache = cache
engine = wasmtime.Engine(config)
store, linker = wasmtime.Store(engine), wasmtime.Linker(engine)
linker.define_wasi()
wasi = wasmtime.WasiConfig()
wasi.inherit_stdout()
wasi.argv = [path, *arguments]
store.set_wasi(wasi)
exports = linker.instantiate(store, wasmtime.Module.from_file(engine, path)).exports(store)
if export != "_start":
    exports["_initialize"](store)
try:
    exports[export](store)
except wasmtime.ExitTrap as end:
    sys.exit(end.code)
"""
#: How much of wasmtime's CPU time a first run may take; a second one has no goal of its own.
GOAL, STRETCH = 0.35, 0.15


@dataclass(frozen=True)
class Program:
    """What is run: a WASI module, the exported function that is called, and its arguments."""

    name: str
    wasm: Path
    export: str = "_start"
    arguments: tuple[str, ...] = ()

    def ours(self) -> list[str]:
        """Command line of ``wasmartifact run``."""
        invoke = [] if self.export == "_start" else ["--invoke", self.export]
        return [sys.executable, *OURS, *invoke, str(self.wasm), "--", *self.arguments]

    def theirs(self, cache: Path) -> list[str]:
        """Command line of the same with wasmtime-py, whose cache is described in a file."""
        return [sys.executable, "-c", THEIRS, str(self.wasm), self.export, str(cache), *self.arguments]


def programs(*, quick: bool) -> Iterator[Program]:
    """QuickJS, and yosys where it can be had and time is no matter."""
    yield Program("QuickJS", module_path(), "qjs_init")
    if not quick and (path := yosys.module_path()) is not None:
        yield Program("yosys", path, arguments=("-V",))


def cpu_ns(command: Sequence[str], environment: dict[str, str]) -> float:
    """CPU time in ns of a process and of those that it waits for. Raises RuntimeError where it fails."""
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"exit status {process.returncode}: {' '.join(command)}")
    return (usage.ru_utime + usage.ru_stime) * 1e9


def first_and_second(program: Program, folder: Path) -> tuple[float, float, float, float]:
    """CPU time in ns of ours and theirs with an empty cache, then of both with what those left."""
    cache = folder / "cache.toml"
    folder.mkdir()
    cache.write_text(f'[cache]\ndirectory = "{folder / "theirs"}"\n')
    environment = scratch.child_environment() | {"XDG_CACHE_HOME": str(folder / "ours")}
    first, second = [
        (cpu_ns(program.ours(), environment), cpu_ns(program.theirs(cache), environment)) for _ in range(2)
    ]
    return (*first, *second)


def figures(*, quick: bool) -> list[Figure]:
    """CPU time of the first and the second run of each program."""
    found = []
    folders = (scratch.directory() / f"first-run-{number}" for number in itertools.count())
    for program in programs(quick=quick):
        first_and_second(program, next(folders))  # keeps the bytecode of what both import
        rounds = [first_and_second(program, next(folders)) for _ in range(1 if quick else 3)]
        first, first_rival, second, second_rival = (median(values) for values in zip(*rounds, strict=True))
        found += [
            Figure(f"first run, empty cache, {program.name}", first, first_rival, "wasmtime-py", GOAL, STRETCH),
            Figure(f"second run, {program.name}", second, second_rival, "wasmtime-py"),
        ]
    return found
