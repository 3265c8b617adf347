"""Standard streams of a WASI program: what Python users give, as a descriptor or a callable that bytes go through."""

from __future__ import annotations

from io import RawIOBase

TYPE_CHECKING = False  # importing typing costs more than a load
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO, Any

    Input = int | IO[bytes] | IO[str] | Callable[[int], bytes] | None
    Output = int | IO[bytes] | IO[str] | Callable[[bytes], object] | None


def as_stream(name: str, stream: Any, writes: bool) -> int | Callable[[Any], Any] | None:
    """A descriptor, a callable of the size to read or of the bytes to write, or None.

    Parameters
    ----------
    name : str
        For messages.
    stream : int, file object, callable or None
        What the user gave.
    writes : bool
        Whether the program writes to it.

    Raises
    ------
    TypeError
        It is none of these.
    """
    if stream is None:
        return None
    if isinstance(stream, int) and not isinstance(stream, bool):
        return int(stream)
    descriptor = _descriptor(stream)
    if descriptor is not None:
        if writes and hasattr(stream, "flush"):
            stream.flush()
        return descriptor
    if writes and hasattr(stream, "write"):
        return _writer(stream)
    if not writes and hasattr(stream, "read"):
        return _reader(stream)
    if callable(stream):
        found: Callable[[Any], Any] = stream
        return found
    raise TypeError(
        f"{name}: expected None, a descriptor, a file object or a callable, found {type(stream).__name__}; "
        f'a file object for this has a method "{"write" if writes else "read"}"'
    )


def _descriptor(stream: Any) -> int | None:
    """``fileno()`` of what has one; io.BytesIO has the method, but no descriptor."""
    try:
        return int(stream.fileno())
    except (AttributeError, OSError):  # io.UnsupportedOperation is an OSError
        return None


def _is_text(stream: Any) -> bool:
    from io import TextIOBase

    return isinstance(stream, TextIOBase) or "b" not in getattr(stream, "mode", "b")


def _writer(stream: Any) -> Callable[[bytes], object]:
    if isinstance(stream, RawIOBase):
        return lambda data: _write_all(stream, data)
    if not _is_text(stream):
        return stream.write  # type: ignore[no-any-return]
    from codecs import getincrementaldecoder

    # A character may come in two parts.
    decode = getincrementaldecoder("utf-8")("replace").decode

    def write(data: bytes) -> None:
        stream.write(decode(data))

    return write


def _write_all(stream: RawIOBase, data: bytes) -> None:
    """Write to a stream that may take a part only, as buffered ones never do."""
    rest = memoryview(data)
    while rest:
        taken = stream.write(rest)
        if taken is None:
            from errno import EAGAIN

            raise BlockingIOError(EAGAIN, "the stream takes no more for now; give the program one that waits")
        rest = rest[taken:]


def _reader(stream: Any) -> Callable[[int], bytes]:
    if not _is_text(stream):
        return lambda size: stream.read(size) or b""  # None: a non-blocking one has nothing
    rest = b""

    def read(size: int) -> bytes:
        nonlocal rest
        # A character has at most four bytes; what is too much waits for the next call.
        data = rest or stream.read(max(size // 4, 1)).encode()
        rest = data[size:]
        return data[:size]

    return read
