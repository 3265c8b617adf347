"""Runs a step of a scenario under wasmartifact, through its command line, or under wasmtime-py."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import wasmtime

import wasmartifact as wa
from tests.programs.drivers import DRIVERS, Exports
from tests.programs.scenario import Outcome, Scenario, Step, describe, describe_folder

#: Runs a module (path) with a folder that it knows by a name: exit code, standard output, standard error.
Runner = Callable[[Path, Step, Path, str], tuple[int, bytes, bytes]]
ROOT = Path(__file__).resolve().parents[2]


def outcomes(scenario: Scenario, module: Callable[[str], Path], runner: Runner, folder: Path) -> list[Outcome]:
    """What each step of a scenario leaves; ``module`` gives what the runner runs, by the module's name."""
    for name, text in scenario.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    found = []
    for step in scenario.steps:
        code, stdout, stderr = runner(module(step.module), step, folder, scenario.guest_folder)
        found.append(Outcome(code, describe(stdout), describe(stderr), describe_folder(folder, scenario.files)))
    return found


def run_ours(artifact: Path, step: Step, folder: Path, guest_folder: str) -> tuple[int, bytes, bytes]:
    """Under wasmartifact: a command by ``wasmartifact run``, a reactor through the Python interface."""
    if step.driver is None:
        options = [f"--dir={folder}::{guest_folder}", *(f"--env={name}={value}" for name, value in step.env.items())]
        # The program's name is the last part of the path.
        named = folder.parent / f"{step.module}.wasm"
        named.unlink(missing_ok=True)
        named.symlink_to(artifact)
        command = [sys.executable, "-m", "wasmartifact", "run", *options, str(named), "--", *step.args]
        result = subprocess.run(command, input=step.stdin.encode(), capture_output=True, check=False, cwd=ROOT)
        return result.returncode, result.stdout, result.stderr
    with _Streams(step) as (stdin, stdout, stderr):
        wasi = wa.Wasi(
            (f"{step.module}.wasm", *step.args),
            {name: value for name, value in step.env.items()},
            {guest_folder: folder},
            stdin,
            stdout.fileno(),
            stderr.fileno(),
        )
        instance = wa.load(artifact).instantiate(wasi.imports())
        memory = instance.exports["memory"]

        def write(offset: int, data: bytes) -> None:
            memory[offset : offset + len(data)] = data

        def read(offset: int, size: int) -> bytes:
            return bytes(memory[offset : offset + size])

        emitted = bytearray()
        try:
            exports = Exports(instance.exports.__getitem__, write, read, emitted.extend)
            code = DRIVERS[step.driver](exports, step.args)
        except wa.Exit as problem:
            code = problem.code
        return code, _contents(stdout) + emitted, _contents(stderr)


def run_wasmtime(module: Path, step: Step, folder: Path, guest_folder: str) -> tuple[int, bytes, bytes]:
    """Under wasmtime-py."""
    engine = _engine()
    linker, store = wasmtime.Linker(engine), wasmtime.Store(engine)
    linker.define_wasi()
    with _Streams(step) as (stdin, stdout, stderr):
        wasi = wasmtime.WasiConfig()
        wasi.argv = [f"{step.module}.wasm", *step.args]
        wasi.env = list(step.env.items())
        wasi.preopen_dir(str(folder), guest_folder)
        wasi.stdin_file, wasi.stdout_file, wasi.stderr_file = stdin.name, stdout.name, stderr.name
        store.set_wasi(wasi)
        exports = linker.instantiate(store, _module(module)).exports(store)

        def function(name: str) -> Callable[..., Any]:
            found = exports[name]
            assert isinstance(found, wasmtime.Func)
            return lambda *values: found(store, *values)

        def write(offset: int, data: bytes) -> None:
            memory = exports["memory"]
            assert isinstance(memory, wasmtime.Memory)
            memory.write(store, data, offset)

        def read(offset: int, size: int) -> bytes:
            memory = exports["memory"]
            assert isinstance(memory, wasmtime.Memory)
            return bytes(memory.read(store, offset, offset + size))

        emitted = bytearray()
        try:
            if step.driver is None:
                function("_start")()
                code = 0
            else:
                code = DRIVERS[step.driver](Exports(function, write, read, emitted.extend), step.args)
        except wasmtime.ExitTrap as problem:
            code = problem.code
        return code, _contents(stdout) + emitted, _contents(stderr)


@lru_cache
def _engine() -> wasmtime.Engine:
    config = wasmtime.Config()
    config.cranelift_opt_level = "none"
    config.wasm_exceptions = True
    return wasmtime.Engine(config)


@lru_cache(maxsize=4)
def _module(path: Path) -> wasmtime.Module:
    return wasmtime.Module.from_file(_engine(), str(path))


class _Streams:
    """Three temporary files: standard input with its contents, output, errors."""

    def __init__(self, step: Step) -> None:
        self._files = [tempfile.NamedTemporaryFile() for _ in range(3)]  # noqa: SIM115 - closed in __exit__
        self._files[0].write(step.stdin.encode())
        self._files[0].seek(0)

    def __enter__(self) -> list[tempfile._TemporaryFileWrapper[bytes]]:
        return self._files

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            file.close()


def _contents(file: tempfile._TemporaryFileWrapper[bytes]) -> bytes:
    return Path(file.name).read_bytes()
