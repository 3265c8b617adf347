"""wasi:sockets: sockets of components against sockets of Python's."""

from __future__ import annotations

import gc
import os
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import wasmartifact as wa
from tests.component.commands import SOCKET, run_command
from tests.component.inside import inside
from wasmartifact.wasi.component_sockets import MOST_LOOKUPS

LOOPBACK = {"ipv4": "127.0.0.1", "ipv6": "::1"}
FAMILIES = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}


def address(host: str, port: int, flow_info: int = 0) -> Any:
    """An ip-socket-address as a component gives it."""
    if ":" not in host:
        return SimpleNamespace(case="ipv4", value=SimpleNamespace(port=port, address=tuple(socket.inet_aton(host))))
    packed = socket.inet_pton(socket.AF_INET6, host)
    parts = tuple(int.from_bytes(packed[place : place + 2], "big") for place in range(0, 16, 2))
    return SimpleNamespace(
        case="ipv6", value=SimpleNamespace(port=port, address=parts, flow_info=flow_info, scope_id=0)
    )


def given_back(found: Any) -> Any:
    """An ip-socket-address that a socket gave, as it is given."""
    case, value = found
    return SimpleNamespace(
        case=case, value=SimpleNamespace(**{key.replace("-", "_"): one for key, one in value.items()})
    )


class Guest:
    """The interfaces that a guest has."""

    def __init__(self, network: Any = True, **given: Any) -> None:
        interfaces: Any = wa.Wasi(network=network, **given)._component_interfaces()
        self.tcp = interfaces.interface("wasi:sockets/tcp-create-socket@0.2.0").create_tcp_socket
        self.udp = interfaces.interface("wasi:sockets/udp-create-socket@0.2.0").create_udp_socket
        self.resolve = interfaces.interface("wasi:sockets/ip-name-lookup@0.2.0").resolve_addresses
        self.code_of = interfaces.interface("wasi:sockets/network@0.2.0").network_error_code

    def connected(self, host: str, port: int) -> tuple[Any, Any, Any]:
        """A socket that is connected, and its streams."""
        made = self.tcp("ipv6" if ":" in host else "ipv4")
        made.start_connect(None, address(host, port))
        made.subscribe().block()
        return made, *made.finish_connect()

    def listening(self, host: str) -> tuple[Any, int]:
        """A socket that listens, and its port."""
        made = self.tcp("ipv6" if ":" in host else "ipv4")
        made.start_bind(None, address(host, 0))
        made.finish_bind()
        made.start_listen()
        made.finish_listen()
        return made, made.local_address()[1]["port"]

    def bound(self, host: str) -> Any:
        """A socket of UDP that is bound."""
        made = self.udp("ipv6" if ":" in host else "ipv4")
        made.start_bind(None, address(host, 0))
        made.finish_bind()
        return made


def read(stream: Any, size_bytes: int) -> bytes:
    """So much of a stream."""
    data = b""
    while len(data) < size_bytes:
        data += stream.blocking_read(size_bytes - len(data))
    return data


def code_of(call: Callable[[], object]) -> Any:
    """The error-code that a call gives."""
    with pytest.raises(wa.Err) as caught:
        call()
    return caught.value.value


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_client(family: str, tmp_path: Path) -> None:
    large = os.urandom(3_000_000)
    server = socket.create_server((LOOPBACK[family], 0), family=FAMILIES[family])

    def serve() -> None:
        peer, _ = server.accept()
        with peer:
            got = b""
            while len(got) < len(large):
                got += peer.recv(1 << 16)
            peer.sendall(got[::-1])
            assert peer.recv(1) == b""  # they shut it down

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()

    def work() -> None:
        guest = Guest()
        port = server.getsockname()[1]
        made, source, sink = guest.connected(LOOPBACK[family], port)
        assert (made.address_family(), made.is_listening()) == (family, False)
        assert made.remote_address()[1]["port"] == port
        assert given_back(made.remote_address()) == address(LOOPBACK[family], port)
        assert source.read(10) == b""
        assert sink.check_write() > 0
        sink.write(large)
        assert read(source, len(large)) == large[::-1]
        made.shutdown("send")
        assert code_of(lambda: source.blocking_read(1)) == "closed"

    inside(work, tmp_path)
    thread.join(30)
    assert not thread.is_alive()
    server.close()


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_server(family: str, tmp_path: Path) -> None:
    def work() -> None:
        guest = Guest()
        made, port = guest.listening(LOOPBACK[family])
        assert made.is_listening()
        assert code_of(made.accept) == "would-block"
        waits = made.subscribe()
        assert not waits.ready()
        with socket.create_connection((LOOPBACK[family], port)) as client:
            waits.block()
            accepted, source, sink = made.accept()
            client.sendall(b"hello")
            assert read(source, 5) == b"hello"
            sink.blocking_write_and_flush(b"there")
            assert client.recv(5) == b"there"
            assert accepted.remote_address()[1]["port"] == client.getsockname()[1]
            del accepted, source, sink
            gc.collect()
            assert client.recv(1) == b""  # it was closed when nothing had it any more

    inside(work, tmp_path)


def test_a_peer_that_takes_nothing_stops_a_writer(tmp_path: Path) -> None:
    server = socket.create_server((LOOPBACK["ipv4"], 0))

    full: list[bool] = []

    def fill() -> None:
        _, _, sink = Guest().connected(*server.getsockname())
        while True:
            while size := sink.check_write():
                sink.write(bytes(size))
            full.append(True)
            sink.subscribe().block()  # more than once: the system makes its buffers larger

    store = wa.Store()
    with store.deadline(0.5), pytest.raises(wa.DeadlineExceeded):
        inside(fill, tmp_path, store)
    assert full
    server.close()


def test_a_connection_that_breaks_says_how(tmp_path: Path) -> None:
    server = socket.create_server((LOOPBACK["ipv4"], 0))

    def work() -> None:
        guest = Guest()
        made, source, sink = guest.connected(*server.getsockname())
        peer, _ = server.accept()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # ends it by a reset
        peer.close()
        sink.subscribe().block()
        for call in (lambda: source.blocking_read(1), lambda: sink.write(b"more")):
            failed, problem = code_of(call)
            assert (failed, guest.code_of(problem)) == ("last-operation-failed", "connection-reset")
        assert code_of(lambda: made.shutdown("send")) == "invalid-state"

    inside(work, tmp_path)
    server.close()


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_datagrams(family: str, tmp_path: Path) -> None:
    def work() -> None:
        made = Guest().bound(LOOPBACK[family])
        source, sink = made.stream(None)
        with socket.socket(FAMILIES[family], socket.SOCK_DGRAM) as peer:
            peer.settimeout(30)
            peer.bind((LOOPBACK[family], 0))
            here = peer.getsockname()
            there = address(LOOPBACK[family], here[1])
            assert source.receive(5) == []
            assert sink.check_send() > 0
            assert sink.send([datagram(data, there) for data in (b"one", b"", b"two")]) == 3
            assert [peer.recv(10) for _ in range(3)] == [b"one", b"", b"two"]
            for data in (b"a", b"b"):
                peer.sendto(data, (LOOPBACK[family], made.local_address()[1]["port"]))
            source.subscribe().block()
            found = source.receive(1) + source.receive(5)
            assert [one["data"] for one in found] == [b"a", b"b"]
            assert given_back(found[0]["remote-address"]) == there
            assert code_of(made.remote_address) == "invalid-state"
            big = datagram(bytes(70_000), there)
            assert code_of(lambda: sink.send([big])) == "datagram-too-large"
            assert sink.send([datagram(b"ok", there), big]) == 1
            assert peer.recv(10) == b"ok"
            _, only = made.stream(there)
            assert made.remote_address() == found[0]["remote-address"]
            assert only.send([datagram(b"three", None)]) == 1
            assert peer.recv(10) == b"three"
            other = datagram(b"", address(LOOPBACK[family], here[1] ^ 1))
            assert code_of(lambda: only.send([other])) == "invalid-argument"
            _, free = made.stream(None)
            assert code_of(lambda: free.send([datagram(b"", None)])) == "invalid-argument"
            assert code_of(made.remote_address) == "invalid-state"

    inside(work, tmp_path)


def datagram(data: bytes, where: Any) -> Any:
    """As a component gives it."""
    return SimpleNamespace(data=data, remote_address=where)


def test_names(tmp_path: Path) -> None:
    def addresses(guest: Guest, name: str) -> list[Any]:
        stream, found = guest.resolve(None, name), []
        stream.subscribe().block()
        while (one := stream.resolve_next_address()) is not None:
            found.append(one)
        return found

    def work() -> None:
        guest = Guest()
        assert addresses(guest, "127.0.0.1") == [("ipv4", (127, 0, 0, 1))]
        assert addresses(guest, "::1") == [("ipv6", (0, 0, 0, 0, 0, 0, 0, 1))]
        assert ("ipv4", (127, 0, 0, 1)) in addresses(guest, "localhost")
        assert code_of(lambda: addresses(guest, "nowhere.invalid")) in {
            "name-unresolvable",
            "temporary-resolver-failure",
        }
        assert code_of(lambda: addresses(guest, "x" * 300)) in {"name-unresolvable", "invalid-argument"}
        for wrong in ("", "a\0b"):
            assert code_of(lambda wrong=wrong: guest.resolve(None, wrong)) == "invalid-argument"  # type: ignore[misc]

    inside(work, tmp_path)


def test_a_look_up_that_nobody_waits_for_keeps_no_descriptor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thread goes on, and must not close what is the guest's: there is no lock but the guest's own."""
    released = threading.Event()

    def look_up(*_: object, **__: object) -> list[object]:
        released.wait(30)
        return []

    def work() -> None:
        guest = Guest(limits=wa.Limits(descriptors=4))
        for _ in range(MOST_LOOKUPS):
            guest.resolve(None, "example.org")  # dropped: its descriptor is free again
        assert code_of(lambda: guest.resolve(None, "example.org")) == "temporary-resolver-failure"

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    inside(work, tmp_path)
    released.set()


def test_options_are_those_of_the_system(tmp_path: Path) -> None:
    def work() -> None:
        guest, second = Guest(), 1_000_000_000
        made = guest.tcp("ipv4")
        system = made._handle.socket
        made.set_keep_alive_enabled(True)
        made.set_keep_alive_idle_time(2 * second + 1)
        made.set_keep_alive_interval(1)
        made.set_keep_alive_count(2**32 - 1)
        made.set_hop_limit(9)
        assert made.keep_alive_enabled()
        assert (made.keep_alive_idle_time(), made.keep_alive_interval()) == (3 * second, second)
        assert (made.keep_alive_count(), made.hop_limit()) == (127, 9)
        assert system.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 3
        assert system.getsockopt(socket.IPPROTO_IP, socket.IP_TTL) == 9
        for one in (made, guest.udp("ipv6")):
            one.set_receive_buffer_size(20_000)
            one.set_send_buffer_size(2**64 - 1)
            assert one.receive_buffer_size() == 20_000
            assert one.send_buffer_size() > 20_000
        wrong: list[Callable[[], object]] = [
            lambda: made.set_keep_alive_idle_time(0),
            lambda: made.set_keep_alive_interval(0),
            lambda: made.set_keep_alive_count(0),
            lambda: made.set_hop_limit(0),
            lambda: made.set_receive_buffer_size(0),
            lambda: made.set_listen_backlog_size(0),
        ]
        assert [code_of(call) for call in wrong] == ["invalid-argument"] * len(wrong)

    inside(work, tmp_path)


def test_what_goes_wrong_has_a_code(tmp_path: Path) -> None:
    def work() -> None:
        guest = Guest()
        made = guest.tcp("ipv4")
        calls: list[tuple[Callable[[], object], str]] = [
            (made.finish_bind, "not-in-progress"),
            (made.finish_connect, "not-in-progress"),
            (made.finish_listen, "not-in-progress"),
            (made.start_listen, "invalid-state"),
            (made.accept, "invalid-state"),
            (made.local_address, "invalid-state"),
            (made.remote_address, "invalid-state"),
            (lambda: made.shutdown("both"), "invalid-state"),
            (lambda: made.start_bind(None, address("::1", 0)), "invalid-argument"),
            (lambda: made.start_bind(None, address("224.0.0.1", 0)), "invalid-argument"),
            (lambda: made.start_bind(None, address("8.8.8.8", 0)), "address-not-bindable"),
            (lambda: made.start_connect(None, address("0.0.0.0", 1)), "invalid-argument"),
            (lambda: made.start_connect(None, address("127.0.0.1", 0)), "invalid-argument"),
            (lambda: made.start_connect(None, address("255.255.255.255", 1)), "invalid-argument"),
            (lambda: guest.tcp("ipv6").start_connect(None, address("::ffff:1.2.3.4", 1)), "invalid-argument"),
            (lambda: guest.tcp("ipv6").start_bind(None, address("ff02::1", 0)), "invalid-argument"),
            (lambda: guest.tcp("ipv6").start_bind(None, address("::1", 0, 2**20)), "invalid-argument"),
            (lambda: guest.udp("ipv4").stream(None), "invalid-state"),
        ]
        assert [code_of(call) for call, _ in calls] == [code for _, code in calls]
        taken: Any
        taken, port = guest.listening("127.0.0.1")
        assert code_of(lambda: made.start_bind(None, address("127.0.0.1", port))) == "address-in-use"
        assert code_of(lambda: taken.start_connect(None, address("127.0.0.1", port))) == "invalid-state"
        taken = None
        gc.collect()
        made.start_connect(None, address("127.0.0.1", port))
        assert code_of(lambda: made.start_connect(None, address("127.0.0.1", port))) == "invalid-state"
        made.subscribe().block()
        assert code_of(made.finish_connect) == "connection-refused"
        assert code_of(made.finish_connect) == "not-in-progress"

    inside(work, tmp_path)


def test_whoever_gives_the_network_is_asked(tmp_path: Path) -> None:
    asked: list[tuple[str, str, int]] = []

    def allows(use: str, host: str, port: int) -> bool:
        asked.append((use, host, port))
        return False

    def work() -> None:
        guest = Guest(allows)
        calls: list[Callable[[], object]] = [
            lambda: guest.tcp("ipv4").start_bind(None, address("127.0.0.1", 5)),
            lambda: guest.tcp("ipv6").start_connect(None, address("::1", 6)),
            lambda: guest.udp("ipv4").start_bind(None, address("127.0.0.1", 7)),
            lambda: guest.resolve(None, "example.org"),
        ]
        assert [code_of(call) for call in calls] == ["access-denied"] * len(calls)
        half = Guest(lambda use, host, port: use == "udp-bind")
        made = half.bound("127.0.0.1")
        assert code_of(lambda: made.stream(address("127.0.0.1", 9))) == "access-denied"
        datagram = SimpleNamespace(data=b"", remote_address=address("127.0.0.1", 9))
        assert code_of(lambda: made.stream(None)[1].send([datagram])) == "access-denied"

    inside(work, tmp_path)
    assert asked == [
        ("tcp-bind", "127.0.0.1", 5),
        ("tcp-connect", "::1", 6),
        ("udp-bind", "127.0.0.1", 7),
        ("name-lookup", "example.org", 0),
    ]


@pytest.mark.parametrize("network", [None, False])
def test_sockets_are_denied_unless_they_are_given(network: Any, tmp_path: Path) -> None:
    def work() -> None:
        guest = Guest(network)
        for call in (guest.tcp, guest.udp, lambda _: guest.resolve(None, "localhost")):
            assert code_of(lambda call=call: call("ipv4")) == "access-denied"  # type: ignore[misc]

    inside(work, tmp_path)
    with pytest.raises(TypeError, match="network must be True, or a callable"):
        wa.Wasi(network="all")  # type: ignore[arg-type]


def test_sockets_are_limited_and_closed(tmp_path: Path) -> None:
    def work() -> None:
        guest = Guest(limits=wa.Limits(descriptors=5))
        kept = [guest.tcp("ipv4"), guest.udp("ipv4")]
        assert code_of(lambda: guest.tcp("ipv4")) == "new-socket-limit"
        assert code_of(lambda: guest.resolve(None, "localhost")) == "temporary-resolver-failure"
        kept.clear()
        for _ in range(100):
            guest.tcp("ipv4")

    before = len(os.listdir("/proc/self/fd"))
    inside(work, tmp_path)
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) < before + 10


def test_a_command_has_sockets_where_they_are_given(tmp_path: Path) -> None:
    (tmp_path / "socket.wat").write_text(SOCKET)
    assert [wa.run(tmp_path / "socket.wat", network=network) for network in (True, print, False)] == [0, 0, 1]
    assert wa.run(tmp_path / "socket.wat") == 1
    assert [run_command([*given, "socket.wat"], tmp_path).returncode for given in (["--network"], [])] == [0, 1]
