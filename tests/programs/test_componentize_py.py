"""A component that componentize-py makes of a Python program uses the network as Python does, where it is given one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import wasmartifact as wa
from tests.programs.environments import installed
from tests.programs.support import available
from tests.support.http_server import LARGE_BYTES, serving

TOOL = "componentize-py==0.25.1"
WIT = """package example:net;

world net {
  export get: func(host: string, port: u16, path: string) -> result<tuple<u16, list<u8>>, string>;
  export serve: func(port: u16) -> result<list<u8>, string>;
  export ping: func(host: string, port: u16, data: list<u8>) -> result<list<u8>, string>;
}
"""
#: Modules that are first imported at run time are not there: encodings.idna is for names of hosts.
PROGRAM = """import encodings.idna, http.client, socket

import wit_world
from componentize_py_types import Err


def told(work):
    def call(*arguments):
        try:
            return work(*arguments)
        except OSError as problem:
            raise Err(f"{type(problem).__name__}: {problem}")

    return call


class WitWorld(wit_world.WitWorld):
    @told
    def get(self, host, port, path):
        connection = http.client.HTTPConnection(host, port)
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()

    @told
    def serve(self, port):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
            server.bind(("127.0.0.1", port))
            server.listen()
            peer, _ = server.accept()
            with peer:
                data = peer.recv(100)
                peer.sendall(data[::-1])
                return data

    @told
    def ping(self, host, port, data):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
            made.sendto(data, (host, port))
            return made.recvfrom(100)[0]
"""


@pytest.fixture(scope="module")
def component(tmp_path_factory: pytest.TempPathFactory) -> wa.Component:
    """The program, packed."""
    tool, work = available(lambda tool: installed((tool,)), TOOL), tmp_path_factory.mktemp("net")
    (work / "program").mkdir()
    (work / "program" / "net.wit").write_text(WIT)
    (work / "program" / "program.py").write_text(PROGRAM)
    command = ["-d", "net.wit", "-w", "net", "componentize", "program", "-o", "../net.wasm"]
    subprocess.run(
        [sys.executable, "-c", "import componentize_py; componentize_py.script()", *command],
        cwd=work / "program",
        env={**os.environ, "PYTHONPATH": str(tool)},
        check=True,
        capture_output=True,
    )
    wa.pack(work / "net.wasm", work / "net.so", opt_level=0)
    loaded = wa.load(work / "net.so")
    assert isinstance(loaded, wa.Component)
    return loaded


@pytest.fixture
def authority() -> Iterator[tuple[str, int]]:
    with serving() as found:
        host, _, port = found.partition(":")
        yield host, int(port)


def instance(component: wa.Component, network: Any = True) -> Any:
    return component.instantiate(wa.Wasi(network=network))


@pytest.mark.large
def test_a_client(component: wa.Component, authority: tuple[str, int]) -> None:
    host, port = authority
    made = instance(component)
    assert made.get(host, port, "/echo?q=1") == (207, b"")
    assert made.get("localhost", port, "/large") == (200, bytes(LARGE_BYTES))
    with pytest.raises(wa.Err, match="ConnectionRefusedError"):
        made.get(host, 1, "/")


@pytest.mark.large
def test_a_server(component: wa.Component) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    answers: list[bytes] = []

    def client() -> None:
        for _ in range(600):
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=30) as peer:
                    peer.sendall(b"hello")
                    answers.append(peer.recv(100))
                    return
            except ConnectionRefusedError:
                threading.Event().wait(0.05)

    thread = threading.Thread(target=client, daemon=True)
    thread.start()
    assert instance(component).serve(port) == b"hello"
    thread.join(30)
    assert answers == [b"olleh"]


@pytest.mark.large
def test_datagrams(component: wa.Component) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))

        def answer() -> None:
            data, where = peer.recvfrom(100)
            peer.sendto(data.upper(), where)

        threading.Thread(target=answer, daemon=True).start()
        assert instance(component).ping("127.0.0.1", peer.getsockname()[1], b"hello") == b"HELLO"


@pytest.mark.large
def test_what_is_not_allowed(component: wa.Component, authority: tuple[str, int]) -> None:
    host, port = authority
    for network in (None, lambda use, host, port: use == "name-lookup"):
        with pytest.raises(wa.Err, match="PermissionError"):
            instance(component, network).get(host, port, "/")
