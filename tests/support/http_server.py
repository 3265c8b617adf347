"""A server of HTTP on this machine, of Python's library, which tells what it got."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseServer
from typing import ClassVar

LARGE_BYTES = 3_000_000


class Handler(BaseHTTPRequestHandler):
    """/echo gives back what it gets, /large much, /broken less than it said, /slow nothing for a while."""

    protocol_version = "HTTP/1.1"
    released = threading.Event()
    #: How many requests each server got, by host and port: those of earlier tests may still come.
    asked: ClassVar[Counter[str]] = Counter()

    def log_message(self, *arguments: object) -> None:
        """Nothing."""

    def body(self) -> bytes:
        """What was sent: in chunks, or as long as it says."""
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def answer(self) -> None:
        """Of every method."""
        Handler.asked[authority(self.server)] += 1
        body = self.body()
        if self.path == "/slow":
            self.released.wait(30)
        sent = {"/large": bytes(LARGE_BYTES), "/broken": b"half"}.get(self.path, body)
        self.send_response(207 if self.path == "/echo?q=1" else 200)
        self.send_header("content-length", str(len(sent) + (self.path == "/broken")))
        self.send_header("x-told", f"{self.command} {self.headers.get('x-mine')} {hashlib.sha256(body).hexdigest()}")
        self.send_header("set-cookie", "a=1")
        self.send_header("set-cookie", "b=2")
        self.end_headers()
        self.wfile.write(sent)
        self.close_connection = self.path == "/broken"

    do_GET = do_POST = do_PUT = do_BREW = answer


def authority(server: BaseServer) -> str:
    """Host and port."""
    assert isinstance(server, ThreadingHTTPServer)
    return f"127.0.0.1:{server.server_port}"


@contextmanager
def serving() -> Iterator[str]:
    """Host and port of such a server, while it serves."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield authority(server)
    Handler.released.set()
    server.shutdown()
    server.server_close()
