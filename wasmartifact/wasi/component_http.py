"""wasi:http for components, as far as requests that go out, which urllib3 sends on threads.

A thread and its guest have pipes between them: for the body of each way, and one that tells of the answer. The guest's
ends are descriptors of its own: what waits for them ends as any other wait of it does, no body is in memory whole, and
the limit of descriptors is one of requests, too.
"""

from __future__ import annotations

import errno
import os
import re
import threading

from wasmartifact._types import WASI_INPUT, WASI_OUTPUT
from wasmartifact.runtime.component_types import Err, Ok
from wasmartifact.wasi.component_files import File, duplicate
from wasmartifact.wasi.component_io import CHUNK_BYTES, NANOSECONDS, DescriptorInput, DescriptorOutput, Pollable

TYPE_CHECKING = False  # importing typing costs more than a load
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, Final

    from wasmartifact import _types as types

#: RFC 9110, 5.6.2 and 5.5; RFC 3986, 3.2 and 3.3.
_TOKEN: Final = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_VALUE: Final = re.compile(rb"[^\0-\10\n-\37\177]*")
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")
_AUTHORITY: Final = re.compile(r"[-._~!$&'()*+,;=:@%\[\]0-9A-Za-z]+")
_PATH: Final = re.compile(r"/[-._~!$&'()*+,;=:@%/?0-9A-Za-z\[\]|^`{}\"<>\\]*")
#: Of the connection, which is the client's affair.
_FORBIDDEN: Final = frozenset((
    "connection", "host", "http2-settings", "keep-alive", "proxy-authenticate", "proxy-authorization",
    "proxy-connection", "te", "transfer-encoding", "upgrade",
))  # fmt: skip
#: Sockets wait for no more milliseconds than a C int holds.
_LONGEST_S: Final = 2e6
#: That are on their way at a time.
MOST_REQUESTS: Final = 64
_LIMIT_REACHED: Final = "connection-limit-reached"
_NO_DESCRIPTOR: Final = 2**32 - 1
_METHODS: Final = ("get", "head", "post", "put", "delete", "connect", "options", "trace", "patch")


class Fields:
    """Headers: names and values in order; ``is_fixed``: nobody may change them."""

    def __init__(self, entries: Iterable[tuple[str, bytes]] = (), is_fixed: bool = False) -> None:
        self.entries_ = list(entries)
        self.is_fixed = is_fixed

    @staticmethod
    def from_list(entries: Iterable[tuple[str, bytes]]) -> Fields:
        """Of all its entries."""
        made = Fields()
        for name, value in entries:
            made.append(name, value)
        return made

    def get(self, name: str) -> list[bytes]:
        """Values of a name, which has no case."""
        return [value for other, value in self.entries_ if other.lower() == name.lower()]

    def has(self, name: str) -> bool:
        """Whether it has any."""
        return bool(self.get(name))

    def set(self, name: str, values: Iterable[bytes]) -> None:
        """Values in the place of those that there are."""
        values = [self._checked(name, value) for value in values]
        self.delete(name)
        self.entries_ += [(name, value) for value in values]

    def append(self, name: str, value: bytes) -> None:
        """A further value."""
        self.entries_.append((name, self._checked(name, value)))

    def delete(self, name: str) -> None:
        """All values of a name."""
        self._checked(name, b"")
        self.entries_ = [entry for entry in self.entries_ if entry[0].lower() != name.lower()]

    def entries(self) -> list[tuple[str, bytes]]:
        """All of them."""
        return self.entries_

    def clone(self) -> Fields:
        """A copy, which may be changed."""
        return Fields(self.entries_)

    def _checked(self, name: str, value: bytes) -> bytes:
        if self.is_fixed:
            raise Err("immutable")
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise Err("invalid-syntax")
        if name.lower() in _FORBIDDEN:
            raise Err("forbidden")
        return value


class OutgoingRequest:
    """A request in the making. Each host has a subclass."""

    host: types.WasiHost

    def __init__(self, headers: Fields) -> None:
        self._headers = Fields(headers.entries_, is_fixed=True)
        self._method: Any = "get"
        self._scheme: Any = None
        self._authority: str | None = None
        self._path: str | None = None
        self.source: _BodySource | None = None

    def body(self) -> OutgoingBody:
        """What the guest writes its body to; once."""
        if self.source is not None:
            raise Err(None)
        try:
            reading, writing = os.pipe2(os.O_CLOEXEC)
        except OSError:  # no more descriptors
            raise Err(None) from None
        progress = _Progress()
        self.source = _BodySource(reading, progress)
        try:
            progress.size_bytes = self.length
        except Err:
            os.close(writing)
            raise Err(None) from None
        return OutgoingBody(self.host, writing, progress)

    def method(self) -> Any:
        """As it was set; GET."""
        return self._method

    def set_method(self, method: Any) -> None:
        """Set it."""
        if not _TOKEN.fullmatch(_name(method)):
            raise Err(None)
        self._method = method

    def path_with_query(self) -> str | None:
        """As it was set."""
        return self._path

    def set_path_with_query(self, path: str | None) -> None:
        """Set it."""
        if path and not _PATH.fullmatch(path):
            raise Err(None)
        self._path = path

    def scheme(self) -> Any:
        """As it was set."""
        return self._scheme

    def set_scheme(self, scheme: Any) -> None:
        """Set it."""
        if scheme is not None and not re.fullmatch("[A-Za-z][-+.0-9A-Za-z]*", _name(scheme)):
            raise Err(None)
        self._scheme = scheme

    def authority(self) -> str | None:
        """As it was set."""
        return self._authority

    def set_authority(self, authority: str | None) -> None:
        """Set it."""
        if authority is not None and not _AUTHORITY.fullmatch(authority):
            raise Err(None)
        self._authority = authority

    def headers(self) -> Fields:
        """Which nobody may change any more."""
        return self._headers

    @property
    def length(self) -> int | None:
        """How long its headers say that the body is; None: they don't. Raises Err."""
        values = self._headers.get("content-length")
        if not values:
            return None
        if len(values) > 1 or not _LENGTH.fullmatch(values[0]):
            raise Err("HTTP-protocol-error")
        return int(values[0])

    @property
    def method_text(self) -> str:
        """As it is sent."""
        name = _name(self._method)
        return name.upper() if name in _METHODS else name

    @property
    def url(self) -> str:
        """Where it goes. Raises Err."""
        scheme = "https" if self._scheme is None else _name(self._scheme).lower()
        if self._authority is None or scheme not in ("http", "https"):
            raise Err("HTTP-request-URI-invalid")
        return f"{scheme}://{self._authority}{self._path or '/'}"


def _name(value: Any) -> str:
    """The case of a variant, or what its case "other" holds; a case without a value may be its name."""
    case = getattr(value, "case", value)
    return str(value.value if case == "other" else case)


class _Progress:
    """What is known of a request's body on both of its sides. ``size_bytes``: what it is to have; None: anything."""

    def __init__(self) -> None:
        self.size_bytes: int | None = None
        self.written_bytes = 0
        self.is_whole = False


class _BodySource:
    """A request's body, as its thread has it. It keeps nothing of the guest's, whose end may be dropped at any time."""

    def __init__(self, reading: int, progress: _Progress) -> None:
        self._reading = reading
        self._progress = progress

    def chunks(self) -> Iterator[bytes]:
        """What was written."""
        while data := os.read(self._reading, CHUNK_BYTES):
            yield data
        if not self._progress.is_whole:
            raise ConnectionAbortedError("the component gave up the body of its request")

    def refuse(self) -> None:
        """Nobody takes what is written to it from now on: that fails."""
        if self._reading >= 0:
            os.close(self._reading)
        self._reading = -1

    def __del__(self) -> None:
        self.refuse()


class OutgoingBody:
    """A request's body: what is written to it waits until the request takes it."""

    def __init__(self, host: types.WasiHost, writing: int, progress: _Progress) -> None:
        self._stream: DescriptorOutput | None = None
        self.host = host
        self.writing = writing
        self._progress = progress

    def write(self) -> DescriptorOutput:
        """The stream to it, once."""
        if self._stream is not None or self.writing < 0:
            raise Err(None)
        try:
            file = _given(self.host, self.writing, WASI_OUTPUT)
        except Err:
            raise Err(None) from None
        self._stream = _BodyOutput(file, self._progress)
        return self._stream

    @staticmethod
    def finish(body: OutgoingBody, trailers: Fields | None) -> None:
        """It is whole."""
        progress = body._progress
        if trailers is not None and trailers.entries_:
            raise Err(("internal-error", "trailers can't be sent"))
        if progress.size_bytes not in {None, progress.written_bytes}:
            body.close()
            raise Err(("HTTP-request-body-size", progress.written_bytes))
        progress.is_whole = True
        body.close()

    def close(self) -> None:
        """There comes no more; where it was not finished, the request fails."""
        if self._stream is not None:
            self._stream.descriptor, self._stream.keeps = _NO_DESCRIPTOR, None
        if self.writing >= 0:
            os.close(self.writing)
        self.writing = -1

    def __del__(self) -> None:
        self.close()


class _BodyOutput(DescriptorOutput):
    """Not more than its headers say: a server would take the rest for another request."""

    def __init__(self, file: File, progress: _Progress) -> None:
        super().__init__(file.host, file.number, file)
        self._progress = progress

    def _put(self, contents: Any) -> int:
        progress = self._progress
        if progress.size_bytes is not None and progress.written_bytes + len(contents) > progress.size_bytes:
            raise OSError(errno.EFBIG, f"the body of the request is to have {progress.size_bytes} bytes")
        size = super()._put(contents)
        progress.written_bytes += size
        return size


def _given(host: types.WasiHost, descriptor: int, direction: int) -> File:
    """A duplicate as a descriptor of the guest's. Raises Err where there are no more."""
    try:
        return duplicate(host, descriptor, direction)
    except OSError:
        raise Err(_LIMIT_REACHED) from None


class RequestOptions:
    """How long a request may take, in nanoseconds."""

    def __init__(self) -> None:
        self._times: dict[str, int | None] = {}

    def connect_timeout(self) -> int | None:
        """To connect."""
        return self._times.get("connect")

    def set_connect_timeout(self, duration: int | None) -> None:
        """Set it."""
        self._times["connect"] = duration

    def first_byte_timeout(self) -> int | None:
        """To the first byte of the answer."""
        return self._times.get("first")

    def set_first_byte_timeout(self, duration: int | None) -> None:
        """Set it."""
        self._times["first"] = duration

    def between_bytes_timeout(self) -> int | None:
        """From each byte to the next."""
        return self._times.get("between")

    def set_between_bytes_timeout(self, duration: int | None) -> None:
        """Set it."""
        self._times["between"] = duration

    @property
    def seconds(self) -> dict[str, float]:
        """What urllib3 calls them: to connect, and to read."""
        read = self._times.get("first") or self._times.get("between")
        times = {"connect": self._times.get("connect"), "read": read}
        return {name: min(time / NANOSECONDS, _LONGEST_S) for name, time in times.items() if time is not None}


class _Answer:
    """Where a thread leaves what came of a request."""

    outcome: IncomingResponse | Err[Any] | None = None


class FutureIncomingResponse:
    """An answer that may not have come yet."""

    def __init__(self, host: types.WasiHost, told: int, answer: _Answer) -> None:
        self._host = host
        self._file = _given(host, told, WASI_INPUT)
        self._answer = answer
        self._is_taken = False

    def subscribe(self) -> Pollable:
        """Ready when the answer, or what went wrong, is known."""
        return Pollable(self._host, descriptor=self._file.number, keeps=self._file)

    def get(self) -> Ok[Any] | Err[Any] | None:
        """It, once."""
        outcome = self._answer.outcome
        if self._is_taken:
            return Err(None)
        if outcome is None:
            return None
        self._is_taken = True
        self._answer.outcome = None
        return Ok(outcome if isinstance(outcome, Err) else Ok(outcome))


class Sender:
    """wasi:http/outgoing-handler: sends requests, each on a thread.

    Parameters
    ----------
    host : WasiHost
        Whose guests make them.
    client : urllib3.PoolManager | True
        That sends them; True is one that is made for the first of them.
    """

    def __init__(self, host: types.WasiHost, client: Any) -> None:
        self._host = host
        self._client = client
        self._free = threading.Semaphore(MOST_REQUESTS)

    def handle(self, request: OutgoingRequest, options: RequestOptions | None) -> FutureIncomingResponse:
        """Begin to send a request. Raises Err; ImportError where there is no urllib3."""
        self._prepare()
        url, seconds = request.url, {} if options is None else options.seconds
        if request.length and request.source is None:
            raise Err(("HTTP-request-body-size", 0))
        if not self._free.acquire(blocking=False):
            raise Err(_LIMIT_REACHED)
        try:
            return self._begin(request, url, seconds)
        except (Err, OSError, RuntimeError) as problem:  # no descriptor, or no thread
            self._free.release()
            raise problem if isinstance(problem, Err) else Err(_LIMIT_REACHED) from None

    def _prepare(self) -> None:
        try:
            import urllib3
        except ImportError as problem:
            words = "requests of components are sent by urllib3: pip install 'wasmartifact[http]'"
            raise ImportError(f"{words} ({problem})", name=problem.name) from None
        if self._client is True:
            self._client = urllib3.PoolManager()

    def _begin(self, request: OutgoingRequest, url: str, seconds: dict[str, float]) -> FutureIncomingResponse:
        told, telling = os.pipe2(os.O_CLOEXEC)
        answer = _Answer()
        try:
            future = FutureIncomingResponse(self._host, told, answer)
            # Not the answer itself: the thread must not keep what its guest has dropped.
            arguments = (request, url, seconds, telling, [answer])
            threading.Thread(target=self._run, args=arguments, name="wasmartifact-http", daemon=True).start()
        except BaseException:
            os.close(telling)
            raise
        finally:
            os.close(told)
        return future

    def _run(
        self, request: OutgoingRequest, url: str, seconds: dict[str, float], telling: int, parcel: list[_Answer]
    ) -> None:
        """On the thread: whatever happens, the guest hears of it."""
        response, sink, broken = None, -1, list[str]()
        try:
            response = self._send(request, url, seconds)
            headers = [(name, value.encode("latin-1", "replace")) for name, value in response.headers.iteritems()]
            body, sink = os.pipe2(os.O_CLOEXEC)
            outcome: Any = IncomingResponse(self._host, response.status, headers, body, broken)
        except Exception as problem:
            outcome = Err(error_code(problem))
        if request.source is not None:
            request.source.refuse()
        parcel.pop().outcome = outcome
        del outcome
        os.close(telling)
        if sink >= 0:
            _pass_on(response, sink, broken)
        elif response is not None:
            response.close()
        self._free.release()

    def _send(self, request: OutgoingRequest, url: str, seconds: dict[str, float]) -> Any:
        from urllib3 import HTTPHeaderDict, Timeout

        headers = HTTPHeaderDict()
        for name, value in request.headers().entries_:
            headers.add(name, value.decode("latin-1"))
        more: dict[str, Any] = {"timeout": Timeout(**seconds)} if seconds else {}
        if request.source is not None:
            more["body"] = request.source.chunks()
        return self._client.request(
            request.method_text,
            url,
            headers=headers,
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
            **more,
        )


def _pass_on(response: Any, sink: int, broken: list[str]) -> None:
    """Write the body of a response to a pipe; where it breaks off, say why first."""
    try:
        for data in response.stream(CHUNK_BYTES, decode_content=False):
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(sink, rest) :]
        response.release_conn()
    except BrokenPipeError:
        response.close()  # the guest wants no more of it
    except Exception as problem:
        broken.append(f"{type(problem).__name__}: {problem}")
        response.close()
    finally:
        os.close(sink)


class IncomingResponse:
    """An answer."""

    def __init__(
        self, host: types.WasiHost, status: int, headers: list[tuple[str, bytes]], body: int, broken: list[str]
    ) -> None:
        self._host = host
        self._status = status
        self._headers = headers
        self._body = body
        self._broken = broken

    def status(self) -> int:
        """Its number."""
        return self._status

    def headers(self) -> Fields:
        """Which nobody may change."""
        return Fields(self._headers, is_fixed=True)

    def consume(self) -> IncomingBody:
        """Its body, once."""
        if self._body < 0:
            raise Err(None)
        try:
            file = _given(self._host, self._body, WASI_INPUT)
        except Err:
            raise Err(None) from None
        self.__del__()
        return IncomingBody(file, self._broken)

    def __del__(self) -> None:
        if self._body >= 0:
            os.close(self._body)
        self._body = -1


class IncomingBody:
    """The body of an answer."""

    def __init__(self, file: File, broken: list[str]) -> None:
        self._file = file
        self._broken = broken
        self._has_stream = False

    def stream(self) -> _BodyInput:
        """It, once."""
        if self._has_stream:
            raise Err(None)
        self._has_stream = True
        return _BodyInput(self._file, self._broken)

    @staticmethod
    def finish(body: IncomingBody) -> FutureTrailers:
        """The trailers that come behind it."""
        return FutureTrailers(body._file.host)


class _BodyInput(DescriptorInput):
    """A body; where it breaks off, that is no end of it."""

    def __init__(self, file: File, broken: list[str]) -> None:
        super().__init__(file.host, file.number, file)
        self._broken = broken

    def _take(self, size_bytes: int) -> bytes:
        data = super()._take(size_bytes)
        if not data and self._broken:
            raise OSError(self._broken[0])
        return data


class FutureTrailers:
    """What comes behind a body: nothing that urllib3 tells of."""

    def __init__(self, host: types.WasiHost) -> None:
        self._host = host
        self._is_taken = False

    def subscribe(self) -> Pollable:
        """Ready."""
        return Pollable(self._host)

    def get(self) -> Ok[Any] | Err[Any]:
        """None, once."""
        if self._is_taken:
            return Err(None)
        self._is_taken = True
        return Ok(Ok(None))


def error_code(problem: Exception) -> Any:
    """The error-code of what urllib3 raised."""
    from urllib3 import exceptions

    for class_, code in (  # subclasses first: one that is refused is a ConnectTimeoutError, too
        (exceptions.NameResolutionError, ("DNS-error", {"rcode": None, "info-code": None})),
        (exceptions.NewConnectionError, "connection-refused"),
        (exceptions.ConnectTimeoutError, "connection-timeout"),
        (exceptions.ReadTimeoutError, "connection-read-timeout"),
        (exceptions.SSLError, "TLS-protocol-error"),
        (exceptions.LocationValueError, "HTTP-request-URI-invalid"),
        (exceptions.ProtocolError, "HTTP-protocol-error"),
    ):
        if isinstance(problem, class_):
            return code
    return ("internal-error", f"{type(problem).__name__}: {problem}")


def interface(host: types.WasiHost) -> dict[str, Any]:
    """wasi:http/types."""
    return {
        "Fields": Fields,
        "FutureIncomingResponse": FutureIncomingResponse,
        "FutureTrailers": FutureTrailers,
        "IncomingBody": IncomingBody,
        "IncomingResponse": IncomingResponse,
        "OutgoingBody": OutgoingBody,
        "OutgoingRequest": type("OutgoingRequest", (OutgoingRequest,), {"host": host}),
        "RequestOptions": RequestOptions,
        "http_error_code": lambda error: None,
    }
