"""wasi:sockets for components: TCP, UDP and names, by sockets of Python's that never wait themselves.

Each socket has a descriptor of the guest's, which counts against its limit and by which it waits, so that what ends a
guest ends its waits. Whoever gave the network is asked for every address.
"""

from __future__ import annotations

import errno
import os
import socket
import threading

from wasmartifact._types import WASI_INPUT, WASI_OUTPUT
from wasmartifact.runtime.component_types import Err
from wasmartifact.wasi.component_files import File, duplicate
from wasmartifact.wasi.component_io import CHUNK_BYTES, NANOSECONDS, InputStream, IoError, OutputStream, Pollable

TYPE_CHECKING = False  # importing typing costs more than a load
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Final

    from wasmartifact import _types as types

    #: (what for, host, port) -> whether the guest may; what for is one of `USES`.
    Allows = Callable[[str, str, int], object]

USES = ("tcp-bind", "tcp-connect", "udp-bind", "udp-connect", "udp-send", "name-lookup")
_FAMILIES: Final = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
_ERRORS: Final = {
    errno.EACCES: "access-denied",
    errno.EPERM: "access-denied",
    errno.EOPNOTSUPP: "not-supported",
    errno.EAFNOSUPPORT: "invalid-argument",
    errno.EINVAL: "invalid-argument",
    errno.EDESTADDRREQ: "invalid-argument",
    errno.ENOMEM: "out-of-memory",
    errno.ENOBUFS: "out-of-memory",
    errno.ETIMEDOUT: "timeout",
    errno.EALREADY: "concurrency-conflict",
    errno.EAGAIN: "would-block",
    errno.EINPROGRESS: "would-block",
    errno.EMFILE: "new-socket-limit",
    errno.ENFILE: "new-socket-limit",
    errno.EADDRNOTAVAIL: "address-not-bindable",
    errno.EADDRINUSE: "address-in-use",
    errno.EHOSTUNREACH: "remote-unreachable",
    errno.EHOSTDOWN: "remote-unreachable",
    errno.ENETUNREACH: "remote-unreachable",
    errno.ENETDOWN: "remote-unreachable",
    errno.ECONNREFUSED: "connection-refused",
    errno.ECONNRESET: "connection-reset",
    errno.EPIPE: "connection-reset",
    errno.ECONNABORTED: "connection-aborted",
    errno.EMSGSIZE: "datagram-too-large",
    errno.ENOTCONN: "invalid-state",
    errno.ENOPROTOOPT: "not-supported",
}
_SHUTDOWNS: Final = {"receive": socket.SHUT_RD, "send": socket.SHUT_WR, "both": socket.SHUT_RDWR}
_MOST_BUFFER_BYTES: Final = 2**30
_MOST_KEEP_ALIVE: Final = 32767
_MOST_KEEP_ALIVE_COUNT: Final = 127
_MOST_DATAGRAM_BYTES: Final = 65535
#: A flow label has 20 bits (RFC 8200, 3).
_MOST_FLOW_INFO: Final = 2**20 - 1
#: That one call sends or receives.
_MOST_DATAGRAMS: Final = 16
#: Names that are looked up at a time.
MOST_LOOKUPS: Final = 16


def _failed(problem: OSError) -> Err[str]:
    return Err(_ERRORS.get(problem.errno or 0, "unknown"))


def network_error_code(problem: IoError) -> str | None:
    """The error-code of a stream's error, where it is one of a connection."""
    return None if problem.errno is None else _ERRORS.get(problem.errno, "unknown")


# Addresses --------------------------------------------------------------------------------------------------------


def _to_python(address: Any, family: str) -> tuple[Any, ...]:
    """What Python's sockets take for an ip-socket-address of a family. Raises Err."""
    if str(address.case) != family:
        raise Err("invalid-argument")
    found = address.value
    if family == "ipv4":
        return (".".join(map(str, found.address)), found.port)
    packed = b"".join([part.to_bytes(2, "big") for part in found.address])
    if found.flow_info > _MOST_FLOW_INFO:
        raise Err("invalid-argument")
    if packed[:12] == b"\0" * 10 + b"\xff\xff":  # an address of IPv4, for which there are sockets of their own
        raise Err("invalid-argument")
    return (socket.inet_ntop(socket.AF_INET6, packed), found.port, found.flow_info, found.scope_id)


def _from_python(address: tuple[Any, ...], family: str) -> tuple[str, dict[str, Any]]:
    """The ip-socket-address of what Python's sockets give."""
    if family == "ipv4":
        return family, {"port": address[1], "address": _parts(address[0], family)}
    flow_info, scope_id = address[2:4]
    where = {"flow-info": flow_info, "address": _parts(address[0], family), "scope-id": scope_id}
    return family, {"port": address[1], **where}


def _parts(host: str, family: str) -> tuple[int, ...]:
    packed = socket.inet_pton(_FAMILIES[family], host.partition("%")[0])
    if family == "ipv4":
        return tuple(packed)
    return tuple([int.from_bytes(packed[place : place + 2], "big") for place in range(0, 16, 2)])


def _check_unicast(host: str) -> None:
    """Refuse addresses of many. Raises Err."""
    packed = socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    is_multicast = packed[0] == 0xFF if len(packed) == 16 else 224 <= packed[0] < 240  # RFC 4291, 2.7; RFC 5771
    if is_multicast or packed == b"\xff" * 4:
        raise Err("invalid-argument")


def _check_remote(host: str, port: int) -> None:
    """Refuse what is nobody's address. Raises Err."""
    _check_unicast(host)
    if port == 0 or host in {"0.0.0.0", "::"}:
        raise Err("invalid-argument")


# Sockets ----------------------------------------------------------------------------------------------------------


class _Handle:
    """A socket of Python's and a descriptor of the guest's, closed when nothing has them any more."""

    def __init__(self, host: types.WasiHost, made: socket.socket) -> None:
        self.host = host
        self.socket = made
        made.setblocking(False)
        try:
            self.file = duplicate(host, made.fileno(), WASI_INPUT | WASI_OUTPUT)
        except OSError:
            made.close()
            raise Err("new-socket-limit") from None

    def __del__(self) -> None:
        self.socket.close()

    def pollable(self, *, writes: bool) -> Pollable:
        """Ready when it can be read, or written."""
        return Pollable(self.host, descriptor=self.file.number, writes=writes, keeps=self)


class _Socket:
    """What sockets of both kinds have in common."""

    #: What `USES` begin with.
    kind = ""

    def __init__(self, handle: _Handle, family: str, allows: Allows, state: str = "unbound") -> None:
        self._handle = handle
        self._family = family
        self._allows = allows
        self._state = state

    @classmethod
    def _create(cls, host: types.WasiHost, allows: Allows, family: Any) -> Any:
        """A new one. Raises Err."""
        name = str(getattr(family, "value", family))
        kind = socket.SOCK_STREAM if cls.kind == "tcp" else socket.SOCK_DGRAM
        try:
            made = socket.socket(_FAMILIES[name], kind)
        except OSError as problem:
            raise _failed(problem) from None
        if name == "ipv6":
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        return cls(_Handle(host, made), name, allows)

    @property
    def _socket(self) -> socket.socket:
        return self._handle.socket

    def _expect(self, *states: str, otherwise: str = "invalid-state") -> None:
        if self._state not in states:
            raise Err(otherwise)

    def _ask(self, what: str, address: tuple[Any, ...]) -> None:
        """Raise Err where the guest may not."""
        if not self._allows(f"{self.kind}-{what}", address[0], address[1]):
            raise Err("access-denied")

    def start_bind(self, network: object, local_address: Any) -> None:
        """Bind it."""
        self._expect("unbound")
        address = _to_python(local_address, self._family)
        _check_unicast(address[0])
        self._ask("bind", address)
        try:
            if self.kind == "tcp":  # else a server that ended a minute ago is in the way
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(address[1] != 0))
            self._socket.bind(address)
        except OSError as problem:
            raise _failed(problem) from None
        self._state = "binding"

    def finish_bind(self) -> None:
        """It is bound."""
        self._expect("binding", otherwise="not-in-progress")
        self._state = "bound"

    def local_address(self) -> Any:
        """Where it is bound to."""
        if self._state in {"unbound", "binding"}:
            raise Err("invalid-state")
        return _from_python(self._socket.getsockname(), self._family)

    def remote_address(self) -> Any:
        """Whom it is connected to."""
        self._expect("connected")
        try:
            return _from_python(self._socket.getpeername(), self._family)
        except OSError:
            raise Err("invalid-state") from None

    def address_family(self) -> str:
        """Which addresses it takes."""
        return self._family

    def _get(self, level: int, option: int) -> int:
        try:
            return self._socket.getsockopt(level, option)
        except OSError as problem:
            raise _failed(problem) from None

    def _set(self, level: int, option: int, value: int) -> None:
        if value == 0:
            raise Err("invalid-argument")
        try:
            self._socket.setsockopt(level, option, value)
        except OSError as problem:
            raise _failed(problem) from None

    def _hops(self) -> tuple[int, int]:
        if self._family == "ipv4":
            return socket.IPPROTO_IP, socket.IP_TTL
        return socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS

    def hop_limit(self) -> int:
        """How many routers a packet passes at most."""
        return self._get(*self._hops())

    def set_hop_limit(self, value: int) -> None:
        """Set it."""
        self._set(*self._hops(), value)

    def receive_buffer_size(self) -> int:
        """In bytes; Linux says twice of what was set."""
        return self._get(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2

    def set_receive_buffer_size(self, value: int) -> None:
        """Set it, as far as the system allows."""
        self._set(socket.SOL_SOCKET, socket.SO_RCVBUF, min(value, _MOST_BUFFER_BYTES))

    def send_buffer_size(self) -> int:
        """In bytes, likewise."""
        return self._get(socket.SOL_SOCKET, socket.SO_SNDBUF) // 2

    def set_send_buffer_size(self, value: int) -> None:
        """Set it, as far as the system allows."""
        self._set(socket.SOL_SOCKET, socket.SO_SNDBUF, min(value, _MOST_BUFFER_BYTES))


class TcpSocket(_Socket):
    """wasi:sockets/tcp."""

    kind = "tcp"
    _backlog = 128

    def start_connect(self, network: object, remote_address: Any) -> None:
        """Begin to connect it."""
        self._expect("unbound", "bound")
        address = _to_python(remote_address, self._family)
        _check_remote(address[0], address[1])
        self._ask("connect", address)
        number = self._socket.connect_ex(address)
        if number not in {0, errno.EINPROGRESS}:
            self._state = "closed"
            raise _failed(OSError(number, ""))
        self._state = "connecting"

    def finish_connect(self) -> tuple[InputStream, OutputStream]:
        """Its streams, once it is connected."""
        self._expect("connecting", otherwise="not-in-progress")
        if not self._handle.pollable(writes=True).ready():
            raise Err("would-block")
        number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self._state = "closed" if number else "connected"
        if number:
            raise _failed(OSError(number, ""))
        return self._streams()

    def _streams(self) -> tuple[InputStream, OutputStream]:
        return _SocketInput(self._handle), _SocketOutput(self._handle)

    def start_listen(self) -> None:
        """Listen."""
        self._expect("bound")
        try:
            self._socket.listen(self._backlog)
        except OSError as problem:
            raise _failed(problem) from None
        self._state = "starting to listen"

    def finish_listen(self) -> None:
        """It listens."""
        self._expect("starting to listen", otherwise="not-in-progress")
        self._state = "listening"

    def accept(self) -> tuple[TcpSocket, InputStream, OutputStream]:
        """The next one who connected, and its streams."""
        self._expect("listening")
        try:
            made, _ = self._socket.accept()
        except OSError as problem:
            raise _failed(problem) from None
        accepted = TcpSocket(_Handle(self._handle.host, made), self._family, self._allows, "connected")
        return accepted, *accepted._streams()

    def is_listening(self) -> bool:
        """Whether it does."""
        return self._state == "listening"

    def set_listen_backlog_size(self, value: int) -> None:
        """How many may wait to be accepted."""
        if value == 0:
            raise Err("invalid-argument")
        self._expect("unbound", "bound", "listening")
        self._backlog = min(value, socket.SOMAXCONN)
        if self._state == "listening":
            self._socket.listen(self._backlog)

    def keep_alive_enabled(self) -> bool:
        """Whether silence is looked into."""
        return bool(self._get(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    def set_keep_alive_enabled(self, value: bool) -> None:
        """Set it."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, int(value))

    def keep_alive_idle_time(self) -> int:
        """After how many nanoseconds."""
        return self._get(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) * NANOSECONDS

    def set_keep_alive_idle_time(self, value: int) -> None:
        """Set it, in whole seconds."""
        self._set(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _seconds(value))

    def keep_alive_interval(self) -> int:
        """How many nanoseconds lie between probes."""
        return self._get(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) * NANOSECONDS

    def set_keep_alive_interval(self, value: int) -> None:
        """Set it, in whole seconds."""
        self._set(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _seconds(value))

    def keep_alive_count(self) -> int:
        """How many probes there are."""
        return self._get(socket.IPPROTO_TCP, socket.TCP_KEEPCNT)

    def set_keep_alive_count(self, value: int) -> None:
        """Set it."""
        self._set(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, min(value, _MOST_KEEP_ALIVE_COUNT))

    def subscribe(self) -> Pollable:
        """Ready when what was begun can be finished, or somebody can be accepted."""
        if self._state in {"connecting", "listening"}:
            return self._handle.pollable(writes=self._state == "connecting")
        return Pollable(self._handle.host)

    def shutdown(self, shutdown_type: Any) -> None:
        """Read or write no more."""
        self._expect("connected")
        try:
            self._socket.shutdown(_SHUTDOWNS[str(getattr(shutdown_type, "value", shutdown_type))])
        except OSError as problem:
            raise _failed(problem) from None


def _seconds(nanoseconds: int) -> int:
    """Whole ones, of which the system takes so many."""
    return min(-(-nanoseconds // NANOSECONDS), _MOST_KEEP_ALIVE)


class _SocketInput(InputStream):
    """What comes from a connection."""

    def __init__(self, handle: _Handle) -> None:
        self.host = handle.host
        self._handle = handle

    def _take(self, size_bytes: int) -> bytes:
        while True:
            try:
                return self._handle.socket.recv(size_bytes)
            except BlockingIOError:
                self._pollable().block()

    def _pollable(self) -> Pollable:
        return self._handle.pollable(writes=False)


class _SocketOutput(OutputStream):
    """What goes to a connection; the system sends it some time."""

    def __init__(self, handle: _Handle) -> None:
        self.host = handle.host
        self._handle = handle

    def _put(self, contents: Any) -> int:
        while True:
            try:
                return self._handle.socket.send(contents, socket.MSG_NOSIGNAL)
            except BlockingIOError:
                self.subscribe().block()

    def check_write(self) -> int:
        """How much it takes now."""
        return CHUNK_BYTES if self.subscribe().ready() else 0

    def subscribe(self) -> Pollable:
        """Ready when it takes something."""
        return self._handle.pollable(writes=True)


class UdpSocket(_Socket):
    """wasi:sockets/udp."""

    kind = "udp"

    def stream(self, remote_address: Any) -> tuple[IncomingDatagramStream, OutgoingDatagramStream]:
        """Its datagrams, of one address only where one is given."""
        self._expect("bound", "connected")
        address = None if remote_address is None else _to_python(remote_address, self._family)
        try:
            if self._state == "connected":
                self._disconnect()
            if address is not None:
                _check_remote(address[0], address[1])
                self._ask("connect", address)
                self._socket.connect(address)
                self._state = "connected"
        except OSError as problem:
            raise _failed(problem) from None
        return IncomingDatagramStream(self._handle, self._family), OutgoingDatagramStream(self, address)

    def _disconnect(self) -> None:
        """By the address of no family, which Python's sockets don't take."""
        import ctypes

        nothing = bytes(16)
        if ctypes.CDLL(None, use_errno=True).connect(self._socket.fileno(), nothing, len(nothing)):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        self._state = "bound"

    unicast_hop_limit = _Socket.hop_limit
    set_unicast_hop_limit = _Socket.set_hop_limit

    def subscribe(self) -> Pollable:
        """Ready: nothing takes time."""
        return Pollable(self._handle.host)


class IncomingDatagramStream:
    """Datagrams that came."""

    def __init__(self, handle: _Handle, family: str) -> None:
        self._handle = handle
        self._family = family

    def receive(self, most: int) -> list[dict[str, Any]]:
        """Those that are there."""
        found: list[dict[str, Any]] = []
        try:
            while len(found) < min(most, _MOST_DATAGRAMS):
                data, address = self._handle.socket.recvfrom(_MOST_DATAGRAM_BYTES)
                found.append({"data": data, "remote-address": _from_python(address, self._family)})
        except OSError as problem:
            if not found and not isinstance(problem, BlockingIOError):
                raise _failed(problem) from None
        return found

    def subscribe(self) -> Pollable:
        """Ready when there is one."""
        return self._handle.pollable(writes=False)


class OutgoingDatagramStream:
    """Datagrams to be sent: ``remote``: to this address only."""

    def __init__(self, owner: UdpSocket, remote: tuple[Any, ...] | None) -> None:
        self._owner = owner
        self._remote = remote

    def check_send(self) -> int:
        """How many it takes now."""
        return _MOST_DATAGRAMS if self.subscribe().ready() else 0

    def send(self, datagrams: Iterable[Any]) -> int:
        """Send them: how many went."""
        count = 0
        for datagram in datagrams:
            try:
                self._send(datagram)
            except (Err, OSError) as problem:
                if count or isinstance(problem, BlockingIOError):
                    break
                raise problem if isinstance(problem, Err) else _failed(problem) from None
            count += 1
        return count

    def _send(self, datagram: Any) -> None:
        given, owner = datagram.remote_address, self._owner
        address = None if given is None else _to_python(given, owner._family)
        if self._remote is not None:
            if address not in {None, self._remote}:
                raise Err("invalid-argument")
            owner._socket.send(datagram.data)
            return
        if address is None:
            raise Err("invalid-argument")
        _check_remote(address[0], address[1])
        owner._ask("send", address)
        owner._socket.sendto(datagram.data, address)

    def subscribe(self) -> Pollable:
        """Ready when it takes one."""
        return self._owner._handle.pollable(writes=True)


# Names ------------------------------------------------------------------------------------------------------------


#: An ip-address, as a variant.
_Address = tuple[str, tuple[int, ...]]


class ResolveAddressStream:
    """wasi:sockets/ip-name-lookup: addresses of a name, which a thread looks up."""

    def __init__(self, host: types.WasiHost, name: str, free: threading.Semaphore) -> None:
        self._host = host
        #: What the thread leaves. It has nothing else of this: descriptors are closed where guests run.
        self._outcome: list[list[_Address] | Err[str]] = []
        told, telling = os.pipe2(os.O_CLOEXEC)
        try:
            self._file: File = duplicate(host, told, WASI_INPUT)
            arguments = (name, telling, self._outcome, free)
            threading.Thread(target=_look_up, args=arguments, name="wasmartifact-names", daemon=True).start()
        except BaseException:
            os.close(telling)
            raise
        finally:
            os.close(told)

    def resolve_next_address(self) -> _Address | None:
        """One more, None at the end."""
        if not self._outcome:
            raise Err("would-block")
        found = self._outcome[0]
        if isinstance(found, Err):
            raise found
        return found.pop(0) if found else None

    def subscribe(self) -> Pollable:
        """Ready when they are known."""
        return Pollable(self._host, descriptor=self._file.number, keeps=self._file)


def _look_up(name: str, telling: int, outcome: list[list[_Address] | Err[str]], free: threading.Semaphore) -> None:
    """On the thread: whatever happens, the guest hears of it."""
    families = {number: family for family, number in _FAMILIES.items()}
    try:
        rows = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        named = [(families[row[0]], str(row[4][0])) for row in rows if row[0] in families]
        outcome.append([(family, _parts(host, family)) for family, host in named])
    except socket.gaierror as problem:
        is_late = problem.errno == socket.EAI_AGAIN
        outcome.append(Err("temporary-resolver-failure" if is_late else "name-unresolvable"))
    except Exception:
        outcome.append(Err("invalid-argument"))
    os.close(telling)
    free.release()


class Sockets:
    """The functions of wasi:sockets that belong to no object.

    Parameters
    ----------
    host : WasiHost
        Whose guests use them.
    allows : callable
        Asked for every address.
    """

    def __init__(self, host: types.WasiHost, allows: Allows) -> None:
        self._host = host
        self._allows = allows
        self._free = threading.Semaphore(MOST_LOOKUPS)

    def create_tcp_socket(self, family: Any) -> Any:
        """A new one."""
        return TcpSocket._create(self._host, self._allows, family)

    def create_udp_socket(self, family: Any) -> Any:
        """A new one."""
        return UdpSocket._create(self._host, self._allows, family)

    def resolve_addresses(self, network: object, name: str) -> ResolveAddressStream:
        """Begin to look a name up."""
        if not name or "\0" in name:
            raise Err("invalid-argument")
        if not self._allows("name-lookup", name, 0):
            raise Err("access-denied")
        if not self._free.acquire(blocking=False):
            raise Err("temporary-resolver-failure")
        try:
            return ResolveAddressStream(self._host, name, self._free)
        except (OSError, RuntimeError):  # no descriptor, or no thread
            self._free.release()
            raise Err("temporary-resolver-failure") from None
