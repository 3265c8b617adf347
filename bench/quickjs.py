"""QuickJS (the reactor build on PyPI) as a guest: finds the module, drives its exports, lends it a few WASI functions.

The same code drives it under wasmartifact and under wasmtime-py; an engine gives what ``Engine`` asks for. The
reactor evaluates what its command line says: ``qjs_init_argv`` with ``qjs -e SOURCE``, ``qjs_destroy`` afterwards.
"""

from __future__ import annotations

import importlib.metadata
import itertools
import os
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PACKAGE = "qjs-wasi-reactor.wasm"
WASI_MODULE = "wasi_snapshot_preview1"
SUCCESS, BADF = 0, 8
CHARACTER_DEVICE = 2


def module_path() -> Path:
    """Path of the .wasm file of the installed package. Raises FileNotFoundError with the command that installs it."""
    try:
        files = importlib.metadata.files(PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.suffix == ".wasm":
            return Path(str(file.locate()))
    raise FileNotFoundError(f"the package {PACKAGE} is not installed; run: pip install {PACKAGE}")


@dataclass(frozen=True)
class Engine:
    """What the driver needs of an instance: functions by name, reads and writes of memory (offsets in bytes)."""

    function: Callable[[str], Callable[..., Any]]
    read: Callable[[int, int], bytes]
    write: Callable[[int, bytes], None]


class QuickJs:
    """One QuickJS instance; ``evaluate`` runs a script in a fresh JavaScript runtime and returns what it printed."""

    def __init__(self) -> None:
        self.engine: Engine | None = None
        self.output = bytearray()

    def attach(self, engine: Engine) -> None:
        """Give the instance, once it exists: imports must be known before it."""
        self.engine = engine
        engine.function("_initialize")()

    def evaluate(self, source: str) -> str:
        """Run ``qjs -e source`` and return its standard output. Raises RuntimeError with the output where it fails."""
        engine = self._attached()
        malloc, free = engine.function("malloc"), engine.function("free")
        self.output.clear()
        arguments = [b"qjs\0", b"-e\0", source.encode() + b"\0"]
        text = malloc(sum(map(len, arguments)))
        vector = malloc(4 * (len(arguments) + 1))
        pointers = itertools.accumulate(map(len, arguments), initial=text)
        engine.write(text, b"".join(arguments))
        engine.write(vector, struct.pack(f"<{len(arguments) + 1}I", *itertools.islice(pointers, len(arguments)), 0))
        status = engine.function("qjs_init_argv")(len(arguments), vector)
        if status == 0:
            engine.function("qjs_destroy")()
        free(vector)
        free(text)
        if status != 0:
            raise RuntimeError(f"JavaScript failed: {self.output.decode(errors='replace')}")
        return self.output.decode()

    def _attached(self) -> Engine:
        if self.engine is None:
            raise RuntimeError("attach an instance first")
        return self.engine

    # ---- the WASI functions that it calls; the rest answer "bad file descriptor"

    def imports(self) -> dict[str, Callable[..., int | None]]:
        """Host functions by name, for every function that the module imports from ``wasi_snapshot_preview1``."""
        no_files = dict.fromkeys(_FILE_FUNCTIONS, lambda *_: BADF)
        return no_files | {
            "clock_time_get": self._clock_time_get,
            "environ_get": lambda _environ, _buffer: SUCCESS,
            "environ_sizes_get": self._environ_sizes_get,
            "fd_fdstat_get": self._fd_fdstat_get,
            "fd_write": self._fd_write,
            "proc_exit": self._proc_exit,
            "random_get": self._random_get,
        }

    def _clock_time_get(self, _clock: int, _precision: int, result: int) -> int:
        self._attached().write(result, struct.pack("<Q", time.time_ns()))
        return SUCCESS

    def _environ_sizes_get(self, count: int, size_bytes: int) -> int:
        self._attached().write(count, bytes(4))
        self._attached().write(size_bytes, bytes(4))
        return SUCCESS

    def _fd_fdstat_get(self, fd: int, result: int) -> int:
        if fd > 2:
            return BADF
        self._attached().write(result, struct.pack("<BxHxxxxQQ", CHARACTER_DEVICE, 0, 2**64 - 1, 2**64 - 1))
        return SUCCESS

    def _fd_write(self, fd: int, vectors: int, count: int, written: int) -> int:
        engine = self._attached()
        if fd not in {1, 2}:
            return BADF
        fields = struct.unpack(f"<{2 * count}I", engine.read(vectors, 8 * count))
        total = 0
        for offset, size in zip(fields[::2], fields[1::2], strict=True):
            self.output += engine.read(offset, size)
            total += size
        engine.write(written, struct.pack("<I", total))
        return SUCCESS

    def _proc_exit(self, code: int) -> None:
        raise RuntimeError(f"the guest called proc_exit({code})")

    def _random_get(self, buffer: int, size_bytes: int) -> int:
        self._attached().write(buffer, os.urandom(size_bytes))
        return SUCCESS


_FILE_FUNCTIONS = (
    "fd_close",
    "fd_fdstat_set_flags",
    "fd_prestat_dir_name",
    "fd_prestat_get",
    "fd_read",
    "fd_readdir",
    "fd_seek",
    "path_create_directory",
    "path_filestat_get",
    "path_filestat_set_times",
    "path_open",
    "path_remove_directory",
    "path_rename",
    "path_unlink_file",
    "poll_oneoff",
)
