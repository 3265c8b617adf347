"""Modules of the benchmarks, packed once per run into a directory that goes with the process."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import wasmtime

import wasmartifact as wa


@functools.cache
def directory() -> Path:
    """A directory for what this run makes; removed at exit."""
    holder = tempfile.TemporaryDirectory(prefix="bench-")
    _KEPT.append(holder)
    return Path(holder.name)


@functools.cache
def wasmtime_engine() -> Any:
    """The engine that every wasmtime module of a run belongs to."""
    return wasmtime.Engine()


@functools.cache
def packed(name: str, wasm: bytes) -> Path:
    """The module packed at level 0; loading, instantiating and crossing into it don't depend on the level."""
    path = directory() / f"{name.replace(' ', '-')}.so"
    wa.pack(wasm, path, opt_level=0)
    return path


@functools.cache
def serialized(name: str, wasm: bytes) -> Path:
    """The module as wasmtime compiles and serializes it."""
    path = directory() / f"{name.replace(' ', '-')}.cwasm"
    path.write_bytes(wasmtime.Module(wasmtime_engine(), wasm).serialize())
    return path


def child_environment() -> dict[str, str]:
    """Environment of Python processes that are measured: the first one keeps the bytecode of all it imports.

    Installers do that, too. Otherwise a source tree under PYTHONDONTWRITEBYTECODE would be compiled at each start, and
    an installed rival would not.
    """
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return inherited | {"PYTHONPYCACHEPREFIX": str(directory() / "bytecode")}


def compiler() -> str | None:
    """Path of gcc, which makes the native rivals; None where it is missing."""
    return shutil.which("gcc")


#: Keeps the temporary directory until exit, when its finalizer removes it.
_KEPT: list[tempfile.TemporaryDirectory[str]] = []
