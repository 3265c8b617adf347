"""WASI 0.2 for components: the same arguments, variables and streams that preview 1 has, as interfaces.

An interface is a class whose attributes are its functions and resources, by their Python names. Sockets are denied, and
there are no directories. What is not here is named when it is called.
"""

from __future__ import annotations

import os
import time

from wasmartifact.runtime.component_types import Err

TYPE_CHECKING = False  # importing typing costs more than a load
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final, NoReturn

#: Most bytes that one call reads or writes.
CHUNK_BYTES: Final = 65536
_NANOSECONDS: Final = 1_000_000_000


class IoError:
    """wasi:io/error: why a stream failed."""

    def __init__(self, problem: OSError) -> None:
        self.problem = problem

    def to_debug_string(self) -> str:
        """Words for people."""
        return str(self.problem)


class Pollable:
    """wasi:io/poll: something to wait for; ``due`` is a time of the monotonic clock in nanoseconds, or a descriptor's
    readiness is asked for."""

    def __init__(self, due: int = 0, descriptor: int | None = None) -> None:
        self.due = due
        self.descriptor = descriptor

    def ready(self) -> bool:
        """Whether it has come."""
        return self.due <= time.monotonic_ns() and (self.descriptor is None or _is_readable(self.descriptor, 0))

    def block(self) -> None:
        """Wait for it."""
        _wait([self])


def _is_readable(descriptor: int, seconds: float | None) -> bool:
    from select import select

    return bool(select([descriptor], [], [], seconds)[0])


def _wait(pollables: list[Pollable]) -> list[int]:
    """Wait until one of them has come; which have."""
    from select import select

    while True:
        ready = [number for number, pollable in enumerate(pollables) if pollable.ready()]
        if ready:
            return ready
        now = time.monotonic_ns()
        descriptors = [item.descriptor for item in pollables if item.descriptor is not None and item.due <= now]
        waits = [item.due - now for item in pollables if item.due > now]
        select(descriptors, [], [], max(min(waits), 0) / _NANOSECONDS if waits else None)


class InputStream:
    """wasi:io/streams: the standard input, by a descriptor, a callable of the size, or None for an empty one."""

    def __init__(self, source: int | Callable[[int], bytes] | None) -> None:
        self.source = source

    def _read(self, size_bytes: int) -> bytes:
        size_bytes = min(size_bytes, CHUNK_BYTES)
        if size_bytes == 0:
            return b""
        try:
            if isinstance(self.source, int):
                data = os.read(self.source, size_bytes)
            else:
                data = b"" if self.source is None else self.source(size_bytes)
        except OSError as problem:
            raise Err(("last-operation-failed", IoError(problem))) from None
        if not data:
            raise Err("closed")
        return data

    def read(self, size_bytes: int) -> bytes:
        """What is there, without waiting."""
        if isinstance(self.source, int) and not _is_readable(self.source, 0):
            return b""
        return self._read(size_bytes)

    def blocking_read(self, size_bytes: int) -> bytes:
        """What comes next."""
        return self._read(size_bytes)

    def skip(self, size_bytes: int) -> int:
        """Leave out what is there."""
        return len(self.read(size_bytes))

    def blocking_skip(self, size_bytes: int) -> int:
        """Leave out what comes next."""
        return len(self._read(size_bytes))

    def subscribe(self) -> Pollable:
        """Ready when there is something to read."""
        return Pollable(descriptor=self.source if isinstance(self.source, int) else None)


class OutputStream:
    """wasi:io/streams: an output, by a descriptor, a callable of the bytes, or None to discard them."""

    def __init__(self, target: int | Callable[[bytes], object] | None) -> None:
        self.target = target

    def check_write(self) -> int:
        """How many bytes it takes now."""
        return CHUNK_BYTES

    def write(self, contents: bytes) -> None:
        """Write all of it."""
        try:
            if isinstance(self.target, int):
                rest = memoryview(contents)
                while rest:
                    rest = rest[os.write(self.target, rest) :]
            elif self.target is not None:
                self.target(bytes(contents))
        except OSError as problem:
            raise Err(("last-operation-failed", IoError(problem))) from None

    blocking_write_and_flush = write

    def flush(self) -> None:
        """Nothing is kept back."""

    blocking_flush = flush

    def write_zeroes(self, size_bytes: int) -> None:
        """Write zero bytes."""
        self.write(bytes(min(size_bytes, CHUNK_BYTES)))

    blocking_write_zeroes_and_flush = write_zeroes

    def splice(self, source: InputStream, size_bytes: int) -> int:
        """Write what an input has."""
        data = source.read(size_bytes)
        self.write(data)
        return len(data)

    def blocking_splice(self, source: InputStream, size_bytes: int) -> int:
        """Write what comes next in an input."""
        data = source.blocking_read(size_bytes)
        self.write(data)
        return len(data)

    def subscribe(self) -> Pollable:
        """Always ready."""
        return Pollable()


class Terminal:
    """wasi:cli/terminal-input and -output; no stream is known to be one."""


class Network:
    """wasi:sockets/network: leads nowhere."""


class _Interface:
    """Functions of an interface; one that is not here is named when it is called."""

    def __init__(self, name: str, **items: Any) -> None:
        self._name = name
        self.__dict__.update(items)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        made: Any = _Interface(f"{self._name}.{name}")
        if not name[:1].isupper():

            def made(*_: object) -> NoReturn:
                raise NotImplementedError(
                    f"{self._name} has no {name} here; give the interface to instantiate yourself"
                )

        self.__dict__[name] = made
        return made


def _denied(*_: object) -> NoReturn:
    raise Err("access-denied")


def _nothing(*_: object) -> None:
    return None


def _wall_time(nanoseconds: int) -> dict[str, int]:
    seconds, rest = divmod(nanoseconds, _NANOSECONDS)
    return {"seconds": seconds, "nanoseconds": rest}


def _exit(code: int) -> NoReturn:
    from wasmartifact.runtime.native_errors import make_exit

    raise make_exit(code)


def _random_u64() -> int:
    return int.from_bytes(os.urandom(8), "little")


class Preview2:
    """The interfaces of WASI 0.2 for one program.

    Parameters
    ----------
    args, env : list
        Arguments, and variables as pairs.
    streams : tuple
        Input, output and error output, as `streams.as_stream` gives them.
    """

    def __init__(self, args: list[str], env: list[tuple[str, str]], streams: tuple[Any, Any, Any]) -> None:
        self._args = args
        self._env = env
        self._streams = streams
        self._known: dict[str, object] = {}

    def interface(self, name: str) -> object:
        """An interface by its name, whatever its version; None where WASI 0.2 has none of this name."""
        stem, _, version = name.removeprefix("wasi:").partition("@")
        if not version.startswith("0.2.") or stem.partition("/")[0] not in _PACKAGES:
            return None
        if stem not in self._known:
            make = getattr(self, "_" + stem.replace("/", "_").replace("-", "_"), None)
            self._known[stem] = _Interface(name, **(make() if make is not None else {}))
        return self._known[stem]

    def _io_error(self) -> dict[str, Any]:
        return {"Error": IoError}

    def _io_poll(self) -> dict[str, Any]:
        return {"Pollable": Pollable, "poll": _wait}

    def _io_streams(self) -> dict[str, Any]:
        return {"InputStream": InputStream, "OutputStream": OutputStream}

    def _cli_environment(self) -> dict[str, Any]:
        return {
            "get_environment": lambda: self._env,
            "get_arguments": lambda: self._args,
            "initial_cwd": _nothing,
        }

    def _cli_exit(self) -> dict[str, Any]:
        return {"exit": lambda status: _exit(int(isinstance(status, Err))), "exit_with_code": _exit}

    def _cli_stdin(self) -> dict[str, Any]:
        return {"get_stdin": lambda: InputStream(self._streams[0])}

    def _cli_stdout(self) -> dict[str, Any]:
        return {"get_stdout": lambda: OutputStream(self._streams[1])}

    def _cli_stderr(self) -> dict[str, Any]:
        return {"get_stderr": lambda: OutputStream(self._streams[2])}

    def _cli_terminal_stdin(self) -> dict[str, Any]:
        return {"get_terminal_stdin": _nothing}

    def _cli_terminal_stdout(self) -> dict[str, Any]:
        return {"get_terminal_stdout": _nothing}

    def _cli_terminal_stderr(self) -> dict[str, Any]:
        return {"get_terminal_stderr": _nothing}

    def _clocks_monotonic_clock(self) -> dict[str, Any]:
        return {
            "now": time.monotonic_ns,
            "resolution": lambda: 1,
            "subscribe_instant": Pollable,
            "subscribe_duration": lambda nanoseconds: Pollable(time.monotonic_ns() + nanoseconds),
        }

    def _clocks_wall_clock(self) -> dict[str, Any]:
        return {"now": lambda: _wall_time(time.time_ns()), "resolution": lambda: _wall_time(1)}

    def _random_random(self) -> dict[str, Any]:
        return {"get_random_bytes": os.urandom, "get_random_u64": _random_u64}

    def _random_insecure(self) -> dict[str, Any]:
        return {"get_insecure_random_bytes": os.urandom, "get_insecure_random_u64": _random_u64}

    def _random_insecure_seed(self) -> dict[str, Any]:
        return {"insecure_seed": lambda: (_random_u64(), _random_u64())}

    def _filesystem_preopens(self) -> dict[str, Any]:
        return {"get_directories": list}

    def _filesystem_types(self) -> dict[str, Any]:
        return {"filesystem_error_code": _nothing}

    def _sockets_instance_network(self) -> dict[str, Any]:
        return {"instance_network": Network}

    def _sockets_tcp_create_socket(self) -> dict[str, Any]:
        return {"create_tcp_socket": _denied}

    def _sockets_udp_create_socket(self) -> dict[str, Any]:
        return {"create_udp_socket": _denied}

    def _sockets_ip_name_lookup(self) -> dict[str, Any]:
        return {"resolve_addresses": _denied}


_PACKAGES: Final = frozenset(("io", "cli", "clocks", "random", "filesystem", "sockets", "http"))
