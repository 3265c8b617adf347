"""wasi:io for components: streams, what can be waited for, and errors, by the functions that preview 1 has for guests.

A stream of a file or of a descriptor is read and written by those functions, in C, so that Ctrl-C, deadlines and
interrupts end what waits. What Python gave as a callable is called.
"""

from __future__ import annotations

from struct import pack_into, unpack_from

from wasmartifact.runtime.component_types import Err
from wasmartifact.wasi import numbers

TYPE_CHECKING = False  # importing typing costs more than a load
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    from wasmartifact import _types as types

#: Most bytes that one call reads, and that `check-write` lets a component write.
CHUNK_BYTES: Final = 65536
#: In a second.
NANOSECONDS: Final = 1_000_000_000
#: Where data lies in what the functions take for a guest's memory: behind a buffer's address and size, and the result.
_DATA, _RESULT = 16, 8
_SUBSCRIPTION_BYTES, _EVENT_BYTES = 48, 32
_CLOCK, _READ, _WRITE = range(3)
_MONOTONIC, _ABSOLUTE = 1, 1


class Refused(Exception):
    """A function of WASI refused; ``code`` is the error-code of wasi:filesystem."""

    def __init__(self, errno: int) -> None:
        super().__init__(errno)
        self.code = numbers.ERROR_CODES[errno]


def call(host: types.WasiHost, number: int, memory: bytearray, *args: int) -> None:
    """Call a function of WASI. Raises Refused."""
    errno = host._call(number, memory, *args)
    if errno:
        raise Refused(errno)


def read(host: types.WasiHost, number: int, descriptor: int, size_bytes: int, *offset: int) -> bytes:
    """What fd_read or fd_pread gives. Raises Refused."""
    memory = bytearray(_DATA + size_bytes)
    pack_into("<II", memory, 0, _DATA, size_bytes)
    call(host, number, memory, descriptor, 0, 1, *offset, _RESULT)
    (size,) = unpack_from("<I", memory, _RESULT)
    return bytes(memoryview(memory)[_DATA : _DATA + size])


def write(host: types.WasiHost, number: int, descriptor: int, contents: Any, *offset: int) -> int:
    """How much fd_write, fd_pwrite or fd_append wrote. Raises Refused."""
    memory = bytearray(_DATA)
    memory += contents
    pack_into("<II", memory, 0, _DATA, len(contents))
    call(host, number, memory, descriptor, 0, 1, *offset, _RESULT)
    size: int = unpack_from("<I", memory, _RESULT)[0]
    return size


class IoError:
    """wasi:io/error: why a stream failed.

    Parameters
    ----------
    words : str
        For people.
    code : str, optional
        The error-code of wasi:filesystem.
    errno : int, optional
        Linux's number, where a callable, a connection or a request failed by one.
    """

    def __init__(self, words: str, code: str | None = None, errno: int | None = None) -> None:
        self.words = words
        self.code = code
        self.errno = errno

    def to_debug_string(self) -> str:
        """Words for people."""
        return self.words


def datetime(nanoseconds: int) -> dict[str, int]:
    """The datetime of wasi:clocks/wall-clock, since 1970."""
    seconds, rest = divmod(nanoseconds, NANOSECONDS)
    return {"seconds": seconds, "nanoseconds": rest}


def failure(problem: Refused | OSError) -> Err:
    """The stream-error of what went wrong."""
    if isinstance(problem, Refused):
        return Err(("last-operation-failed", IoError(problem.code, problem.code)))
    return Err(("last-operation-failed", IoError(str(problem), errno=problem.errno)))


class Pollable:
    """wasi:io/poll: something to wait for.

    Parameters
    ----------
    host : WasiHost
        Who waits.
    due : int
        A time of the monotonic clock, in nanoseconds; what is always ready was due at 0.
    descriptor : int, optional
        Descriptor whose readiness is waited for, instead of a time.
    writes : bool
        Its readiness to be written to.
    keeps : object
        What keeps the descriptor open.
    """

    def __init__(
        self,
        host: types.WasiHost,
        due: int = 0,
        descriptor: int | None = None,
        writes: bool = False,
        keeps: object = None,
    ) -> None:
        self.host = host
        self.due = due
        self.descriptor = descriptor
        self.writes = writes
        self.keeps = keeps

    def subscribe_in(self, memory: bytearray, place: int, number: int) -> None:
        """Write the subscription of `poll_oneoff`."""
        if self.descriptor is None:
            pack_into("<QB7xIxxxxQQH", memory, place, number, _CLOCK, _MONOTONIC, self.due, 0, _ABSOLUTE)
        else:
            pack_into("<QB7xI", memory, place, number, _WRITE if self.writes else _READ, self.descriptor)

    def ready(self) -> bool:
        """Whether it has come."""
        return 0 in wait(self.host, [self, Pollable(self.host)])

    def block(self) -> None:
        """Wait for it."""
        wait(self.host, [self])


def wait(host: types.WasiHost, pollables: list[Pollable]) -> list[int]:
    """Wait until some of them have come: which. What ends the guest's call ends the wait."""
    count = len(pollables)
    if count == 0:
        raise ValueError("wasi:io/poll: poll of an empty list, which would wait for ever")
    events, result = count * _SUBSCRIPTION_BYTES, count * (_SUBSCRIPTION_BYTES + _EVENT_BYTES)
    memory = bytearray(result + 4)
    for number, pollable in enumerate(pollables):
        pollable.subscribe_in(memory, number * _SUBSCRIPTION_BYTES, number)
    try:
        call(host, numbers.POLL_ONEOFF, memory, 0, events, count, result)
    except Refused as refused:
        raise ValueError(f"wasi:io/poll: {count} pollables can't be waited for: {refused.code}") from None
    (happened,) = unpack_from("<I", memory, result)
    return sorted(unpack_from("<Q", memory, events + number * _EVENT_BYTES)[0] for number in range(happened))


class InputStream:
    """wasi:io/streams: an input. Kinds of it differ in `_take` and `subscribe`."""

    host: types.WasiHost

    def _take(self, size_bytes: int) -> bytes:
        """What comes next; empty at the end. Raises Refused, OSError."""
        raise NotImplementedError

    def _pollable(self) -> Pollable:
        return Pollable(self.host)

    def blocking_read(self, size_bytes: int) -> bytes:
        """What comes next."""
        if size_bytes == 0:
            return b""
        try:
            data = self._take(min(size_bytes, CHUNK_BYTES))
        except (Refused, OSError) as problem:
            raise failure(problem) from None
        if not data:
            raise Err("closed")
        return data

    def read(self, size_bytes: int) -> bytes:
        """What is there, without waiting."""
        waits = self._pollable()
        if waits.descriptor is not None and not waits.ready():
            return b""
        return InputStream.blocking_read(self, size_bytes)

    def skip(self, size_bytes: int) -> int:
        """Leave out what is there."""
        return len(InputStream.read(self, size_bytes))

    def blocking_skip(self, size_bytes: int) -> int:
        """Leave out what comes next."""
        return len(InputStream.blocking_read(self, size_bytes))

    def subscribe(self) -> Pollable:
        """Ready when there is something to read."""
        return self._pollable()


class OutputStream:
    """wasi:io/streams: an output. Kinds of it differ in `_put`; each write is done when it returns."""

    host: types.WasiHost

    def _put(self, contents: Any) -> int:
        """Write some of it: how much. Raises Refused, OSError."""
        raise NotImplementedError

    def check_write(self) -> int:
        """How many bytes it takes now."""
        return CHUNK_BYTES

    def write(self, contents: bytes) -> None:
        """Write all of it."""
        rest = memoryview(contents)
        try:
            while rest:
                rest = rest[self._put(rest[:CHUNK_BYTES]) :]
        except (Refused, OSError) as problem:
            raise failure(problem) from None

    blocking_write_and_flush = write

    def flush(self) -> None:
        """Nothing is kept back."""

    blocking_flush = flush

    def write_zeroes(self, size_bytes: int) -> None:
        """Write zero bytes, as many as `check-write` permits."""
        if size_bytes > CHUNK_BYTES:
            raise ValueError(f"wasi:io/streams: write-zeroes of {size_bytes} bytes, check-write permits {CHUNK_BYTES}")
        OutputStream.write(self, bytes(size_bytes))

    blocking_write_zeroes_and_flush = write_zeroes

    def splice(self, source: InputStream, size_bytes: int) -> int:
        """Write what an input has."""
        data = InputStream.read(source, size_bytes)
        OutputStream.write(self, data)
        return len(data)

    def blocking_splice(self, source: InputStream, size_bytes: int) -> int:
        """Write what comes next in an input."""
        data = InputStream.blocking_read(source, size_bytes)
        OutputStream.write(self, data)
        return len(data)

    def subscribe(self) -> Pollable:
        """Always ready."""
        return Pollable(self.host)


class DescriptorInput(InputStream):
    """An input from a descriptor, one read after the other. ``keeps``: what keeps it open."""

    def __init__(self, host: types.WasiHost, descriptor: int, keeps: object = None) -> None:
        self.host = host
        self.descriptor = descriptor
        self.keeps = keeps

    def _take(self, size_bytes: int) -> bytes:
        return read(self.host, numbers.FD_READ, self.descriptor, size_bytes)

    def _pollable(self) -> Pollable:
        return Pollable(self.host, descriptor=self.descriptor, keeps=self.keeps)


class DescriptorOutput(OutputStream):
    """An output to a descriptor, likewise; ``number``: fd_write, or fd_append."""

    def __init__(
        self, host: types.WasiHost, descriptor: int, keeps: object = None, number: int = numbers.FD_WRITE
    ) -> None:
        self.host = host
        self.descriptor = descriptor
        self.keeps = keeps
        self.number = number

    def _put(self, contents: Any) -> int:
        return write(self.host, self.number, self.descriptor, contents)


class CallableInput(InputStream):
    """An input from a callable of the size; None: an empty one."""

    def __init__(self, host: types.WasiHost, source: Callable[[int], bytes] | None) -> None:
        self.host = host
        self.source = source

    def _take(self, size_bytes: int) -> bytes:
        return b"" if self.source is None else self.source(size_bytes)


class CallableOutput(OutputStream):
    """An output to a callable of the bytes; None discards them. ``descriptor``: which output of the program it is."""

    def __init__(self, host: types.WasiHost, descriptor: int, target: Callable[[bytes], object] | None) -> None:
        self.host = host
        self.descriptor = descriptor
        self.target = target

    def _put(self, contents: Any) -> int:
        if self.target is not None:
            self.target(bytes(contents))
        return len(contents)
