"""wasi:http: requests of components, sent by urllib3 to a server of Python's library."""

from __future__ import annotations

import errno
import gc
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

import wasmartifact as wa
from tests.component.commands import requesting, run_command
from tests.component.inside import inside
from tests.support.http_server import LARGE_BYTES, Handler, serving
from wasmartifact.wasi.component_http import MOST_REQUESTS


@pytest.fixture(scope="module")
def authority() -> Iterator[str]:
    with serving() as found:
        yield found


class Guest:
    """The calls that a guest makes, with a Wasi of its own."""

    def __init__(self, authority: str, **given: Any) -> None:
        interfaces: Any = wa.Wasi(http=urllib3.PoolManager(), **given)._component_interfaces()
        self.types = interfaces.interface("wasi:http/types@0.2.9")
        self.handle = interfaces.interface("wasi:http/outgoing-handler@0.2.9").handle
        self.authority = authority

    def request(self, path: str, method: Any = "get", headers: tuple[tuple[str, bytes], ...] = ()) -> Any:
        """A request in the making."""
        request = self.types.OutgoingRequest(self.types.Fields.from_list(headers))
        request.set_scheme("HTTP")
        request.set_authority(self.authority)
        request.set_path_with_query(path)
        request.set_method(method)
        return request

    def answer(self, request: Any, options: Any = None) -> Any:
        """What comes of it: an answer, or the error-code."""
        future = self.handle(request, options)
        while (found := future.get()) is None:
            future.subscribe().block()
        assert isinstance(future.get(), wa.Err)  # once
        assert isinstance(found, wa.Ok)
        return found.value.value

    def read(self, response: Any) -> bytes:
        """All of a body."""
        body = response.consume()
        stream, data = body.stream(), b""
        try:
            while True:
                data += stream.blocking_read(1 << 20)
        except wa.Err as end:
            if end.value != "closed":
                raise
        assert body.finish(body).get().value == wa.Ok(None)
        return data


def test_a_request_and_its_answer(authority: str, tmp_path: Path) -> None:
    def work() -> None:
        guest = Guest(authority)
        response = guest.answer(guest.request("/echo?q=1", headers=(("x-mine", b"yes"),)))
        assert response.status() == 207
        nothing = hashlib.sha256().hexdigest()
        assert response.headers().get("X-Told") == [f"GET yes {nothing}".encode()]
        assert response.headers().get("set-cookie") == [b"a=1", b"b=2"]
        with pytest.raises(wa.Err, match="immutable"):
            response.headers().append("a", b"b")
        assert guest.read(response) == b""
        with pytest.raises(wa.Err):
            response.consume()
        assert guest.read(guest.answer(guest.request("/large"))) == bytes(LARGE_BYTES)

    inside(work, tmp_path)


@pytest.mark.parametrize("method", ["post", "put", ("other", "BREW")])
def test_a_body_that_is_longer_than_a_pipe(method: Any, authority: str, tmp_path: Path) -> None:
    def work() -> None:
        guest = Guest(authority)
        sent = bytes(range(256)) * 4000
        request = guest.request("/echo", method=Other() if isinstance(method, tuple) else method)
        body = request.body()
        stream = body.write()
        future = guest.handle(request, None)
        assert future.get() is None
        stream.write(sent)
        body.finish(body, None)
        with pytest.raises(wa.Err):
            stream.write(b"more")
        future.subscribe().block()
        response = future.get().value.value
        word = "BREW" if isinstance(method, tuple) else method.upper()
        told = response.headers().get("x-told")
        assert told == [f"{word} None {hashlib.sha256(sent).hexdigest()}".encode()]
        assert guest.read(response) == sent

    inside(work, tmp_path)


class Other:
    """A case of a variant."""

    case, value = "other", "BREW"


def test_what_goes_wrong_has_a_code(authority: str, tmp_path: Path) -> None:
    def work() -> None:
        guest = Guest(authority)
        with pytest.raises(wa.Err) as broken:
            guest.read(guest.answer(guest.request("/broken")))
        assert broken.value.value[0] == "last-operation-failed"
        assert "IncompleteRead" in broken.value.value[1].to_debug_string()
        given_up = guest.request("/echo", method="post")
        body = given_up.body()
        body.write().write(b"half")
        future = guest.handle(given_up, None)
        body.close()
        future.subscribe().block()
        assert future.get().value.value == "HTTP-protocol-error"
        options = guest.types.RequestOptions()
        options.set_first_byte_timeout(50_000_000)
        assert guest.answer(guest.request("/slow"), options) == "connection-read-timeout"
        guest.authority = "127.0.0.1:1"
        assert guest.answer(guest.request("/")) == "connection-refused"
        guest.authority = "nowhere.invalid"
        assert guest.answer(guest.request("/"))[0] == "DNS-error"
        with pytest.raises(wa.Err, match="HTTP-request-URI-invalid"):
            guest.handle(guest.types.OutgoingRequest(guest.types.Fields()), None)

    inside(work, tmp_path)


def test_nothing_slips_into_a_header_or_the_place(authority: str, tmp_path: Path) -> None:
    def work() -> None:
        guest = Guest(authority)
        fields = guest.types.Fields()
        for name, value, code in (
            ("a b", b"", "invalid-syntax"),
            ("a", b"1\r\nb: 2", "invalid-syntax"),
            ("", b"", "invalid-syntax"),
            ("Host", b"other", "forbidden"),
            ("transfer-encoding", b"chunked", "forbidden"),
        ):
            for change in (fields.append, lambda name, value: fields.set(name, [value])):
                with pytest.raises(wa.Err, match=code):
                    change(name, value)
        assert fields.entries() == []
        request = guest.request("/")
        for change, wrong in (
            (request.set_authority, "host name"),
            (request.set_authority, "host/path"),
            (request.set_path_with_query, "/a b"),
            (request.set_path_with_query, "http://other/"),
            (request.set_path_with_query, "/a\r\nx: y"),
            (request.set_method, "get it"),
            (request.set_scheme, "ht tp"),
        ):
            with pytest.raises(wa.Err):
                change(wrong)

    inside(work, tmp_path)


def test_a_body_has_the_length_that_its_headers_say(authority: str, tmp_path: Path) -> None:
    """What is beyond would be another request to the server, on a connection that others use next."""

    def work() -> None:
        guest = Guest(authority)
        exact = guest.request("/echo?q=1", "post", (("content-length", b"5"),))
        body = exact.body()
        body.write().write(b"hello")
        body.finish(body, None)
        assert guest.read(guest.answer(exact)) == b"hello"
        longer = guest.request("/echo", "post", (("Content-Length", b"5"),))
        body = longer.body()
        stream = body.write()
        future = guest.handle(longer, None)
        stream.write(b"hel")
        with pytest.raises(wa.Err) as beyond:
            stream.write(b"loGET /large HTTP/1.1\r\n\r\n")
        assert beyond.value.value[1].to_debug_string() == "[Errno 27] the body of the request is to have 5 bytes"
        with pytest.raises(wa.Err) as shorter:
            body.finish(body, None)
        assert shorter.value.value == ("HTTP-request-body-size", 3)
        future.subscribe().block()
        assert future.get().value.value == "HTTP-protocol-error"
        with pytest.raises(wa.Err) as without:
            guest.handle(guest.request("/echo", "post", (("content-length", b"5"),)), None)
        assert without.value.value == ("HTTP-request-body-size", 0)
        for wrong in ((b"+5",), (b"5", b"5"), (b"1" * 30,)):
            request = guest.request("/echo", "post", tuple(("content-length", value) for value in wrong))
            with pytest.raises(wa.Err):
                request.body()
            with pytest.raises(wa.Err, match="HTTP-protocol-error"):
                guest.handle(request, None)

    inside(work, tmp_path)


def test_a_guest_that_goes_in_the_middle_of_a_body_leaves_no_thread(authority: str, tmp_path: Path) -> None:
    def work() -> None:
        guest = Guest(authority)
        request = guest.request("/echo", "post")
        body = request.body()
        body.write().write(b"half")
        guest.handle(request, None)

    before = set(threading.enumerate())
    inside(work, tmp_path)
    deadline = time.monotonic() + 30
    while [thread for thread in set(threading.enumerate()) - before if thread.name == "wasmartifact-http"]:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_longest_times_are_no_errors(authority: str, tmp_path: Path) -> None:
    def work() -> None:
        guest = Guest(authority)
        options = guest.types.RequestOptions()
        options.set_connect_timeout(2**64 - 1)
        options.set_first_byte_timeout(2**64 - 1)
        assert guest.answer(guest.request("/echo?q=1"), options).status() == 207

    inside(work, tmp_path)


def test_requests_are_limited(authority: str, tmp_path: Path) -> None:
    def work() -> None:
        few = Guest(authority, limits=wa.Limits(descriptors=4))
        kept = few.handle(few.request("/slow"), None)
        with pytest.raises(wa.Err, match="connection-limit-reached"):
            few.handle(few.request("/slow"), None)
        many = Guest(authority)
        waiting = [many.handle(many.request("/slow"), None) for _ in range(MOST_REQUESTS)]
        with pytest.raises(wa.Err, match="connection-limit-reached"):
            many.handle(many.request("/"), None)
        del waiting  # threads end when their answers have come, whoever has dropped them
        Handler.released.set()
        kept.subscribe().block()
        deadline = time.monotonic() + 30
        while True:
            try:
                assert many.answer(many.request("/")).status() == 200
                break
            except wa.Err:
                assert time.monotonic() < deadline
                time.sleep(0.01)

    Handler.released.clear()
    inside(work, tmp_path)


@pytest.mark.parametrize("lacks", ["pipe2", "dup", "thread"])
def test_a_process_that_has_no_more_of_something(
    lacks: str, authority: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("can't start new thread") if lacks == "thread" else OSError(errno.EMFILE, "no more")

    def work() -> None:
        guest = Guest(authority)
        request = guest.request("/echo?q=1")
        with monkeypatch.context() as patched:
            owner, name = (threading.Thread, "start") if lacks == "thread" else (os, lacks)
            patched.setattr(owner, name, fail)
            for _ in range(MOST_REQUESTS + 1):
                with pytest.raises(wa.Err, match="connection-limit-reached"):
                    guest.handle(request, None)
        assert guest.answer(request).status() == 207

    before = len(os.listdir("/proc/self/fd"))
    inside(work, tmp_path)
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) < before + MOST_REQUESTS


def test_a_wait_for_an_answer_ends_when_it_is_told_to(authority: str, tmp_path: Path) -> None:
    def work() -> None:
        guest = Guest(authority)
        guest.handle(guest.request("/slow"), None).subscribe().block()

    Handler.released.clear()
    store = wa.Store()
    with store.deadline(0.1), pytest.raises(wa.DeadlineExceeded):
        inside(work, tmp_path, store)
    Handler.released.set()


def test_without_a_client_there_are_no_requests(tmp_path: Path) -> None:
    interfaces: Any = wa.Wasi()._component_interfaces()
    types = interfaces.interface("wasi:http/types@0.2.9")
    calls: list[Callable[[], object]] = [
        types.Fields,
        lambda: types.OutgoingRequest.set_method(None, "get"),
        lambda: interfaces.interface("wasi:http/outgoing-handler@0.2.0").handle(None, None),
    ]
    for call in calls:
        with pytest.raises(NotImplementedError, match=r"wasi:http/.*http=True"):
            call()


@pytest.mark.parametrize("client", [urllib3.PoolManager(), True])
def test_a_command_that_is_given_a_client_reaches_the_server(client: Any, tmp_path: Path) -> None:
    with serving() as authority:
        (tmp_path / "get.wat").write_text(requesting(authority))
        assert wa.run(tmp_path / "get.wat", http=client) == 0
        assert Handler.asked[authority] == 1
        done = run_command(["--http", "get.wat"], tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert Handler.asked[authority] == 2
        for nobody in (None, False):
            with pytest.raises(NotImplementedError, match="--http"):
                wa.run(tmp_path / "get.wat", http=nobody)
        done = run_command(["get.wat"], tmp_path)
        assert done.returncode == 2 and "--http" in done.stderr
        assert Handler.asked[authority] == 2
    assert wa.run(tmp_path / "get.wat", http=client) == 0  # nobody is there: that is an answer


def test_without_urllib3_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "get.wat").write_text(requesting("127.0.0.1:1"))
    (tmp_path / "urllib3.py").write_text("raise ImportError('no urllib3 here')")
    done = run_command(["--http", "get.wat"], tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    assert "pip install 'wasmartifact[http]' (no urllib3 here)" in done.stderr


@pytest.mark.parametrize("wrong", ["yes", 1, object()])
def test_what_is_no_client_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"http must be a urllib3.PoolManager, or True"):
        wa.Wasi(http=wrong)
