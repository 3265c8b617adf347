"""Runs a step of a scenario under wasmartifact, through its command line, or under wasmtime-py, or node."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import wasmtime

import wasmartifact as wa
from tests.programs.drivers import DRIVERS, Guest, Host, Imports
from tests.programs.scenario import Outcome, Scenario, Step, describe, describe_folder
from tests.support.node import Node, find_node
from wasmartifact.wasm.decode import decode_module

#: Runs a module (path) with folders by the names that it knows: exit code, standard output, standard error.
Runner = Callable[[Path, Step, Mapping[str, Path]], tuple[int, bytes, bytes]]
ROOT = Path(__file__).resolve().parents[2]
_WASI = "wasi_snapshot_preview1"


def outcomes(
    scenario: Scenario,
    module: Callable[[str], Path],
    share: Callable[[str], Path | None],
    runner: Runner,
    folder: Path,
) -> list[Outcome]:
    """What each step of a scenario leaves.

    ``module`` gives what the runner runs, by the module's name, and ``share`` the further files of its package.
    """
    for name, text in scenario.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    found = []
    for step in scenario.steps:
        shared = share(step.module)
        with tempfile.TemporaryDirectory() as temporary:
            preopens = {scenario.guest_folder: folder}
            if shared is not None:
                preopens["/share"] = shared
            if scenario.has_tmp:
                preopens["/tmp"] = Path(temporary)
            code, stdout, stderr = runner(module(step.module), step, preopens)
        found.append(Outcome(code, describe(stdout), describe(stderr), describe_folder(folder, scenario.files)))
    return found


def run_ours(artifact: Path, step: Step, preopens: Mapping[str, Path]) -> tuple[int, bytes, bytes]:
    """Under wasmartifact: a command by ``wasmartifact run``, a module with a driver through the Python interface."""
    if step.driver is None:
        return _run_command(artifact, step, preopens)
    with _Streams(step) as streams:
        stdin, stdout, stderr = streams.files
        wasi = wa.Wasi(
            (f"{step.module}.wasm", *step.args),
            {name: value for name, value in step.env.items()},
            {guest: host for guest, host in preopens.items()},
            stdin,
            stdout.fileno(),
            stderr.fileno(),
        )
        loaded = wa.load(artifact)
        needed = [(row.module, row.name) for row in loaded.metadata.imports]

        def start(imports: Imports) -> Guest:
            instance = loaded.instantiate({**wasi.imports(), **_complete(imports, needed)})
            memory = next(value for value in instance.exports.values() if isinstance(value, wa.Memory))

            def write(offset: int, data: bytes) -> None:
                memoryview(memory)[offset : offset + len(data)] = data

            return Guest(
                instance.exports.__getitem__, lambda offset, size: bytes(memory[offset : offset + size]), write
            )

        try:
            code = DRIVERS[step.driver](Host(start, streams.write), step.args)
        except wa.Exit as problem:
            code = problem.code
        return code, *streams.contents()


def _run_command(artifact: Path, step: Step, preopens: Mapping[str, Path]) -> tuple[int, bytes, bytes]:
    options = [f"--dir={host}::{guest}" for guest, host in preopens.items()]
    options += [f"--env={name}={value}" for name, value in step.env.items()]
    with tempfile.TemporaryDirectory() as folder:
        # The program's name is the last part of the path.
        named = Path(folder) / f"{step.module}.wasm"
        named.symlink_to(artifact)
        command = [sys.executable, "-m", "wasmartifact", "run", *options, str(named), "--", *step.args]
        result = subprocess.run(command, input=step.stdin.encode(), capture_output=True, check=False, cwd=ROOT)
    return result.returncode, result.stdout, result.stderr


def run_wasmtime(module: Path, step: Step, preopens: Mapping[str, Path]) -> tuple[int, bytes, bytes]:
    """Under wasmtime-py."""
    compiled = _module(module)
    linker, store = wasmtime.Linker(_engine()), wasmtime.Store(_engine())
    linker.define_wasi()
    with _Streams(step) as streams:
        wasi = wasmtime.WasiConfig()
        wasi.argv = [f"{step.module}.wasm", *step.args]
        wasi.env = list(step.env.items())
        for guest, host in preopens.items():
            wasi.preopen_dir(str(host), guest)
        wasi.stdin_file, wasi.stdout_file, wasi.stderr_file = (file.name for file in streams.files)
        store.set_wasi(wasi)

        def start(imports: Imports) -> Guest:
            types = {(str(entry.module), str(entry.name)): entry.type for entry in compiled.imports}
            for module_name, names in _complete(imports, types).items():
                for name, given in names.items():
                    type_ = types[module_name, name]
                    assert isinstance(type_, wasmtime.FuncType)
                    linker.define_func(module_name, name, type_, given)
            exports = linker.instantiate(store, compiled).exports(store)
            memory = next(value for value in exports.values() if isinstance(value, wasmtime.Memory))

            def write(offset: int, data: bytes) -> None:
                memory.write(store, data, offset)

            def function(name: str) -> Callable[..., Any]:
                found = exports[name]
                assert isinstance(found, wasmtime.Func)
                return lambda *values: found(store, *values)

            return Guest(
                function,
                lambda offset, size: bytes(memory.read(store, offset, offset + size)),
                write,
            )

        try:
            if step.driver is None:
                start({}).function("_start")()
                code = 0
            else:
                code = DRIVERS[step.driver](Host(start, streams.write), step.args)
        except wasmtime.ExitTrap as problem:
            code = problem.code
        return code, *streams.contents()


def run_node(module: Path, step: Step, preopens: Mapping[str, Path]) -> tuple[int, bytes, bytes]:
    """Under node, which has no WASI here: a module with a driver that needs none."""
    path = find_node()
    assert path is not None, "node is not installed, or too old"
    assert step.driver is not None
    data = module.read_bytes()
    with _Streams(step) as streams, Node(path) as node:

        def start(imports: Imports) -> Guest:
            instance = node.instantiate(
                data, _complete(imports, [(entry.module, entry.name) for entry in decode_module(data).imports])
            )

            def function(name: str) -> Callable[..., Any]:
                def call(*values: float) -> object:
                    results = instance.call(name, *values)
                    return results[0] if len(results) == 1 else results

                return call

            return Guest(function, instance.read, instance.write)

        code = DRIVERS[step.driver](Host(start, streams.write), step.args)
        return code, *streams.contents()


def _complete(imports: Imports, needed: Iterable[tuple[str, str]]) -> dict[str, dict[str, Callable[..., Any]]]:
    """A driver's imports, and for what else the module needs besides WASI a function that says that it was called."""
    result = {module: dict(names) for module, names in imports.items()}
    for module, name in needed:
        if module != _WASI:
            result.setdefault(module, {}).setdefault(name, _unexpected(f"{module}.{name}"))
    return result


def _unexpected(name: str) -> Callable[..., Any]:
    def fail(*values: object) -> Any:
        raise AssertionError(f"the driver does not know of {name}{values}")

    return fail


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
        self.files = [tempfile.NamedTemporaryFile() for _ in range(3)]  # noqa: SIM115 - closed in __exit__
        self.files[0].write(step.stdin.encode())
        self.files[0].seek(0)

    def __enter__(self) -> _Streams:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self.files:
            file.close()

    def write(self, descriptor: int, data: bytes) -> None:
        """Append to the output (1) or the errors (2)."""
        with Path(self.files[descriptor].name).open("ab") as file:
            file.write(data)

    def contents(self) -> tuple[bytes, bytes]:
        """Output and errors."""
        stdout, stderr = (Path(file.name).read_bytes() for file in self.files[1:])
        return stdout, stderr
