"""A guest that hands every WASI function out, driven from Python under this runtime and under wasmtime-py.

Tests put arguments into its memory, call a function of WASI through it and look at errno and memory, so that one script
of calls runs in both engines and the answers can be compared.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol

import wasmtime

import wasmartifact as wa
from tests.unit.runtime import harness as runtime_harness
from wasmartifact.wasi import abi

PAGES: Final = 4
MEMORY_BYTES: Final = PAGES * 65536
#: Places in the guest's memory that the helpers use.
RESULT, PATH, OTHER_PATH, VECTORS, DATA = 16, 1024, 8192, 16384, 65536
DATA_BYTES: Final = 65536
#: What wasmtime does where an address lies outside: it traps. Here that is an errno.
TRAPPED: Final = -1
ERRNO: Final = {name: number for number, name in enumerate(abi.ERRNOS)}
RIGHTS: Final = {name: 1 << bit for bit, name in enumerate(abi.BIT_SETS["right"])}
ALL_RIGHTS: Final = sum(RIGHTS.values())
CREAT, DIRECTORY, EXCL, TRUNC = 1, 2, 4, 8
FOLLOW: Final = 1
CLOCK: Final = 0  # the type of subscriptions to a clock, and of their events
_TYPES: Final = {"i": "i32", "l": "i64"}


@cache
def clock(userdata: int, number: int, timeout: int, flags: int = 0) -> bytes:
    """A subscription of `poll_oneoff` to a clock."""
    return struct.pack("<QB7xI4xQQH6x", userdata, CLOCK, number, timeout, 0, flags)


def guest_wat(module: str = abi.MODULE) -> str:
    """Text of the module: each function of WASI, imported, behind an export of its name."""
    names = [f for f in abi.FUNCTIONS if f.in_unstable or module == abi.MODULE]
    imports, functions = [], []
    for function in names:
        params = f"(param {' '.join(_TYPES[p] for p in function.params)})" if function.params else ""
        result = "(result i32)" if function.results else ""
        arguments = " ".join(f"(local.get {i})" for i in range(len(function.params)))
        imports.append(f'(import "{module}" "{function.name}" (func ${function.name} {params} {result}))')
        functions.append(f'(func (export "{function.name}") {params} {result} (call ${function.name} {arguments}))')
    memory = f'(memory (export "memory") {PAGES} {PAGES})'
    return "\n".join(["(module", *imports, memory, *functions, ")"])


class Engine(Protocol):
    """One running guest."""

    def call(self, name: str, *args: int) -> int:
        """Errno of a function of WASI, TRAPPED where it trapped."""

    def read(self, address: int, size_bytes: int) -> bytes: ...
    def write(self, address: int, data: bytes) -> None: ...


class Ours:
    """The guest under this runtime."""

    def __init__(self, wasi: wa.Wasi, module: str = abi.MODULE) -> None:
        self.instance = runtime_harness.instance(guest_wat(module), wasi.imports())
        self.memory = self.instance.exports["memory"]

    def call(self, name: str, *args: int) -> int:
        result = self.instance.exports[name](*args)
        assert isinstance(result, int)
        return result

    def read(self, address: int, size_bytes: int) -> bytes:
        data = self.memory[address : address + size_bytes]
        assert isinstance(data, bytes)
        return data

    def write(self, address: int, data: bytes) -> None:
        self.memory[address : address + len(data)] = data


@cache
def _wasmtime_module(module: str) -> tuple[wasmtime.Engine, wasmtime.Module]:
    engine = wasmtime.Engine()
    return engine, wasmtime.Module(engine, guest_wat(module))


class Theirs:
    """The guest under wasmtime."""

    def __init__(self, config: wasmtime.WasiConfig, module: str = abi.MODULE) -> None:
        engine, compiled = _wasmtime_module(module)
        linker = wasmtime.Linker(engine)
        linker.define_wasi()
        self.store = wasmtime.Store(engine)
        self.store.set_wasi(config)
        self.exports = linker.instantiate(self.store, compiled).exports(self.store)
        memory = self.exports["memory"]
        assert isinstance(memory, wasmtime.Memory)
        self.memory = memory

    def call(self, name: str, *args: int) -> int:
        function = self.exports[name]
        assert isinstance(function, wasmtime.Func)
        try:
            result = function(self.store, *map(_signed, function.type(self.store).params, args))
        except (wasmtime.Trap, wasmtime.WasmtimeError):
            return TRAPPED
        assert isinstance(result, int)
        return result

    def read(self, address: int, size_bytes: int) -> bytes:
        return bytes(self.memory.read(self.store, address, address + size_bytes))

    def write(self, address: int, data: bytes) -> None:
        self.memory.write(self.store, bytearray(data), address)


def _signed(type_: wasmtime.ValType, value: int) -> int:
    bits = 32 if str(type_) == "i32" else 64
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


class Guest:
    """A guest with helpers that lay out arguments in its memory."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.call = engine.call

    def u32(self, address: int = RESULT) -> int:
        return int.from_bytes(self.engine.read(address, 4), "little")

    def u64(self, address: int = RESULT) -> int:
        return int.from_bytes(self.engine.read(address, 8), "little")

    def path(self, text: str | bytes, address: int = PATH) -> tuple[int, int]:
        """Address and size of a path in memory."""
        data = text.encode() if isinstance(text, str) else text
        self.engine.write(address, data)
        return address, len(data)

    def with_path(self, name: str, fd: int, text: str | bytes, *rest: int) -> int:
        """A call that takes a directory and a path first."""
        return self.call(name, fd, *self.path(text), *rest)

    def open(
        self,
        fd: int,
        text: str | bytes,
        oflags: int = 0,
        rights: int = RIGHTS["fd_read"],
        *,
        fdflags: int = 0,
        lookup: int = FOLLOW,
    ) -> tuple[int, int | None]:
        """Errno and descriptor of path_open."""
        errno = self.call("path_open", fd, lookup, *self.path(text), oflags, rights, ALL_RIGHTS, fdflags, RESULT)
        return errno, self.u32() if errno == 0 else None

    def vectors(self, *sizes: int) -> tuple[int, int]:
        """Buffers one after the other from DATA on: address and number of their vectors."""
        address, fields = DATA, []
        for size in sizes:
            fields += [address, size]
            address += size
        self.engine.write(VECTORS, struct.pack(f"<{len(fields)}I", *fields))
        return VECTORS, len(sizes)

    def write(self, fd: int, data: bytes) -> tuple[int, int | None]:
        """Errno and size of fd_write."""
        self.engine.write(DATA, data)
        errno = self.call("fd_write", fd, *self.vectors(len(data)), RESULT)
        return errno, self.u32() if errno == 0 else None

    def read(self, fd: int, size_bytes: int) -> tuple[int, bytes | None]:
        """Errno and bytes of fd_read."""
        errno = self.call("fd_read", fd, *self.vectors(size_bytes), RESULT)
        return errno, self.engine.read(DATA, self.u32()) if errno == 0 else None

    def seek(self, fd: int, offset: int, whence: int) -> tuple[int, int | None]:
        errno = self.call("fd_seek", fd, offset, whence, RESULT)
        return errno, self.u64() if errno == 0 else None

    def filestat(self, fd: int, text: str | None = None, lookup: int = FOLLOW) -> tuple[int, dict[str, int]]:
        """Errno and fields of path_filestat_get, or fd_filestat_get where there is no path."""
        if text is None:
            errno = self.call("fd_filestat_get", fd, DATA)
        else:
            errno = self.call("path_filestat_get", fd, lookup, *self.path(text), DATA)
        names = ("dev", "ino", "filetype", "nlink", "size", "atim", "mtim", "ctim")
        values = struct.unpack("<QQB7xQQQQQ", self.engine.read(DATA, 64))
        return errno, dict(zip(names, values, strict=True)) if errno == 0 else {}

    def fdstat(self, fd: int) -> tuple[int, tuple[int, ...]]:
        """Errno; file type, flags, rights, inheriting rights."""
        errno = self.call("fd_fdstat_get", fd, DATA)
        return errno, struct.unpack("<BxH4xQQ", self.engine.read(DATA, 24)) if errno == 0 else ()

    def entries(
        self, fd: int, cookie: int = 0, size_bytes: int = 4096
    ) -> tuple[int, list[tuple[int, int, int, bytes]]]:
        """Errno; (cookie of the next, inode, file type, name) of the whole entries of one fd_readdir."""
        errno = self.call("fd_readdir", fd, DATA, size_bytes, cookie, RESULT)
        found: list[tuple[int, int, int, bytes]] = []
        if errno != 0:
            return errno, found
        data = self.engine.read(DATA, self.u32())
        while len(data) >= 24:
            following, inode, size, filetype = struct.unpack("<QQIB", data[:21])
            if len(data) < 24 + size:
                break
            found.append((following, inode, filetype, data[24 : 24 + size]))
            data = data[24 + size :]
        return errno, found

    def two_paths(self, name: str, from_fd: int, from_path: str, to_fd: int, to_path: str, *flags: int) -> int:
        """path_rename, and path_link with its lookup flags."""
        first, second = self.path(from_path), self.path(to_path, OTHER_PATH)
        return self.call(name, from_fd, *flags, *first, to_fd, *second)

    def symlink(self, target: str, fd: int, text: str) -> int:
        return self.call("path_symlink", *self.path(target), fd, *self.path(text, OTHER_PATH))

    def readlink(self, fd: int, text: str, size_bytes: int = 4096) -> tuple[int, bytes | None]:
        errno = self.call("path_readlink", fd, *self.path(text), DATA, size_bytes, RESULT)
        return errno, self.engine.read(DATA, self.u32()) if errno == 0 else None


def ours(directory: Path, *, walks: bool = False, module: str = abi.MODULE, **options: Any) -> Guest:
    """A guest of this runtime with a directory as descriptor 3; ``walks``: paths are resolved without openat2."""
    wasi = wa.Wasi(preopens={"/": options.pop("preopen", directory)}, **options)
    if walks:
        wasi._avoid_openat2()
    return Guest(Ours(wasi, module))


def theirs(directory: Path, *, module: str = abi.MODULE) -> Guest:
    """The same under wasmtime."""
    config = wasmtime.WasiConfig()
    config.preopen_dir(str(directory), "/")
    return Guest(Theirs(config, module))


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """The process's mask for new files, for as long as files are made whose modes are compared."""
    saved = os.umask(mask)
    try:
        yield
    finally:
        os.umask(saved)
