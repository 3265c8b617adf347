"""WasiConfig: what a WASI program gets to see, as wasmtime-py has it."""

from __future__ import annotations

import os
import sys

from wasmartifact.wasi.host import ReadOnly, Wasi
from wasmartifact.wasmtime._closing import Managed, SetOnly, WrongType, check_type, wasmtime_error

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import IO, Any, TypeAlias

    HostPath: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]
    CustomOutput: TypeAlias = Callable[[bytes], int | None]


#: Bit of DirPerms and FilePerms.
_WRITE = 2


class _OnlySet(SetOnly):
    """An attribute of WasiConfig; what is decorated takes the value."""

    def __init__(self, take: Callable[[Any, Any], None]) -> None:
        self._take = take
        self.__doc__ = take.__doc__

    def __set__(self, config: WasiConfig, value: Any) -> None:
        config._check_open()
        self._take(config, value)


class WasiConfig(Managed):
    """What a WASI program gets to see; nothing by default. `Store.set_wasi` takes it over."""

    def __init__(self) -> None:
        self._args: list[str] = []
        self._env: dict[str | bytes, str | bytes] = {}
        self._preopens: dict[str | bytes, Any] = {}
        self._streams: dict[str, Any] = {"stdin": None, "stdout": None, "stderr": None}
        #: Those that were opened for it.
        self._files: list[IO[bytes]] = []

    def close(self) -> None:
        """End its use; files that were opened for it are closed."""
        super().close()
        self._close_files()

    def _close_files(self) -> None:
        for file in self._files:
            file.close()
        self._files.clear()

    @_OnlySet
    def argv(self, argv: list[str]) -> None:
        """The arguments, the program's name first."""
        self._args = list(_texts("argv", argv))

    def inherit_argv(self) -> None:
        """Give the program the arguments of this process."""
        self._check_open()
        self._args = list(sys.argv)

    @_OnlySet
    def env(self, pairs: Iterable[Iterable[str]]) -> None:
        """The environment variables, as pairs of name and value."""
        self._env = dict([tuple(_texts("env", pair)) for pair in pairs])  # type: ignore[misc]  # the list: dict changes errors

    def inherit_env(self) -> None:
        """Give the program the environment of this process."""
        self._check_open()
        self._env.clear()
        self._env.update(os.environ.items())

    def _open(self, name: str, path: HostPath, mode: str) -> None:
        check_type(path, (str, bytes, os.PathLike), f"a path for {name}_file")
        try:
            file: IO[bytes] = open(path, mode, buffering=0)  # noqa: SIM115
        except OSError as problem:
            words = f"failed to set {name} file: {os.fsdecode(path)}: {problem.strerror}"
            raise wasmtime_error(words) from None
        self._files.append(file)
        self._give(name, file)

    def _give(self, name: str, stream: Any) -> None:
        self._check_open()
        self._streams[name] = stream

    @_OnlySet
    def stdin_file(self, path: HostPath) -> None:
        """A file to read from; WasmtimeError where it can't be opened."""
        self._open("stdin", path, "rb")

    def inherit_stdin(self) -> None:
        """Let the program read from this process's standard input."""
        self._give("stdin", 0)

    @_OnlySet
    def stdout_file(self, path: HostPath) -> None:
        """A file to write to, made or emptied; WasmtimeError where it can't be opened."""
        self._open("stdout", path, "wb")

    @_OnlySet
    def stdout_custom(self, callback: CustomOutput) -> None:
        """A callable that gets what the program writes, and says how much it took; None for all."""
        self._give("stdout", _output(callback))

    def inherit_stdout(self) -> None:
        """Let the program write to this process's standard output."""
        self._give("stdout", 1)

    @_OnlySet
    def stderr_file(self, path: HostPath) -> None:
        """A file to write to, made or emptied; WasmtimeError where it can't be opened."""
        self._open("stderr", path, "wb")

    @_OnlySet
    def stderr_custom(self, callback: CustomOutput) -> None:
        """A callable that gets what the program writes, and says how much it took; None for all."""
        self._give("stderr", _output(callback))

    def inherit_stderr(self) -> None:
        """Let the program write to this process's standard error."""
        self._give("stderr", 2)

    def preopen_dir(self, path: str, guest_path: str, fs_mutable: bool | int = True, file_perms: int = _WRITE) -> None:
        """Let the program use a directory.

        Parameters
        ----------
        path : str
            The directory.
        guest_path : str
            The name that the program knows it by.
        fs_mutable : bool | DirPerms
            Whether the program may change anything in it; older versions of wasmtime-py take DirPerms.
        file_perms : FilePerms
            Of older versions.
        """
        self._check_open()
        for name, value in (("path", path), ("guest_path", guest_path)):
            check_type(value, (str, os.PathLike), f"a str for {name}")
        if not os.path.isdir(path):
            raise wasmtime_error(f"failed to add preopen dir: {os.fsdecode(path)} is no directory")
        is_writable = fs_mutable is True or (not isinstance(fs_mutable, bool) and fs_mutable & _WRITE)
        is_mutable = bool(is_writable) and bool(file_perms & _WRITE)
        self._preopens[os.fspath(guest_path)] = path if is_mutable else ReadOnly(path)

    def _consume(self) -> Wasi:
        """The program's surroundings; the config can't be used afterwards."""
        check_type(self, WasiConfig, "a WasiConfig")
        self._check_open()
        try:
            return Wasi(args=self._args, env=self._env, preopens=self._preopens, **self._streams)
        except (OSError, ValueError) as problem:
            raise wasmtime_error(str(problem)) from None
        finally:
            self.close()


def _texts(name: str, texts: Iterable[str]) -> Iterable[str]:
    for text in texts:
        check_type(text, str, f"str in {name}")
        yield text


def _output(callback: CustomOutput) -> Callable[[bytes], None]:
    if not callable(callback):
        raise WrongType("a callable", callback)

    def write(data: bytes) -> None:
        while data:
            taken = callback(data)
            if taken is None:
                return
            if taken <= 0:
                raise OSError(-taken, os.strerror(-taken))
            data = data[taken:]

    return write
