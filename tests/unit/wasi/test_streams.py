"""Standard streams of a WASI program: descriptors, file objects, text, callables, nothing; and what exceptions do."""

from __future__ import annotations

import gc
import io
import os
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fcntl import F_GETPIPE_SZ, fcntl
from pathlib import Path
from typing import Any

import pytest

import wasmartifact as wa
from tests.unit.wasi.guest import DATA, ERRNO, RESULT, RIGHTS, VECTORS, Guest, Ours

ROOT = Path(__file__).resolve().parents[3]
UNKNOWN, CHARACTER_DEVICE, REGULAR, STREAM_SOCKET = 0, 2, 4, 6


def guest_with(**streams: Any) -> Guest:
    return Guest(Ours(wa.Wasi(**streams)))


@contextmanager
def rescued_from(end: Callable[..., object], *args: Any) -> Iterator[None]:
    """For what must not wait: ends the wait after a while, so that the test fails and does not hang."""
    used: list[object] = []
    rescue = threading.Timer(5, lambda: used.append(end(*args)))
    rescue.start()
    yield
    rescue.cancel()
    rescue.join()
    assert not used, "it waited"


def test_nothing() -> None:
    guest = guest_with()
    assert guest.read(0, 10) == (0, b"")
    assert guest.write(1, b"abc") == (0, 3)
    assert guest.write(2, b"") == (0, 0)


def test_binary_file_objects() -> None:
    stdin, stdout, stderr = io.BytesIO(b"0123456789"), io.BytesIO(), io.BytesIO()
    guest = guest_with(stdin=stdin, stdout=stdout, stderr=stderr)
    assert guest.read(0, 4) == (0, b"0123")
    assert guest.read(0, 100) == (0, b"456789")
    assert guest.read(0, 100) == (0, b"")
    assert guest.write(1, b"out") == (0, 3)
    assert guest.write(2, b"err") == (0, 3)
    assert (stdout.getvalue(), stderr.getvalue()) == (b"out", b"err")
    assert guest.seek(1, 0, 0)[0] == ERRNO["spipe"]


def test_text_file_objects() -> None:
    """UTF-8, also where a character comes in parts, or is cut by the guest's buffer."""
    stdin, stdout = io.StringIO("aé€😀z"), io.StringIO()
    guest = guest_with(stdin=stdin, stdout=stdout)
    data = b""
    while (part := guest.read(0, 3)[1]) != b"":
        assert part is not None
        assert len(part) <= 3
        data += part
    assert data.decode() == "aé€😀z"
    for byte in "aé€😀z".encode():
        assert guest.write(1, bytes([byte])) == (0, 1)
    assert stdout.getvalue() == "aé€😀z"


def test_callables() -> None:
    sizes: list[int] = []
    written: list[bytes] = []

    def read(size: int) -> bytes:
        sizes.append(size)
        return b"abc"

    guest = guest_with(stdin=read, stdout=written.append)
    assert guest.read(0, 5) == (0, b"abc")
    assert sizes == [5]
    guest.engine.write(DATA, b"onetwothree")
    assert guest.call("fd_write", 1, *guest.vectors(3, 0, 3, 5), RESULT) == 0
    assert guest.u32() == 11
    assert b"".join(written) == b"onetwothree"
    assert guest.call("fd_read", 0, *guest.vectors(2, 1, 4), RESULT) == 0
    assert (guest.u32(), guest.engine.read(DATA, 3)) == (3, b"abc")


def test_more_than_a_stream_takes_at_once() -> None:
    written: list[bytes] = []
    guest = guest_with(stdout=written.append)
    guest.engine.write(VECTORS, (DATA.to_bytes(4, "little") + (65536).to_bytes(4, "little")) * 100)
    assert guest.call("fd_write", 1, VECTORS, 100, RESULT) == 0
    assert 0 < guest.u32() == sum(map(len, written)) <= 100 * 65536


def test_exceptions_pass_through() -> None:
    class OwnError(Exception):
        pass

    problem = OwnError("no")

    def fail(_: object) -> bytes:
        raise problem

    guest = guest_with(stdin=fail, stdout=fail, stderr=lambda data: None)
    for call in (lambda: guest.read(0, 1), lambda: guest.write(1, b"x")):
        with pytest.raises(OwnError) as caught:
            call()
        assert caught.value is problem
    assert guest.write(2, b"still alive") == (0, 11)


def test_a_reader_that_gives_too_much_or_no_bytes() -> None:
    with pytest.raises(ValueError, match=r"asked for 3 bytes, the callable returned 4"):
        guest_with(stdin=lambda size: b"1234").read(0, 3)
    with pytest.raises(TypeError, match="bytes-like"):
        guest_with(stdin=lambda size: "text").read(0, 3)


def test_descriptors_and_real_files(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"from a file")
    with open(tmp_path / "in", "rb", buffering=0) as stdin, open(tmp_path / "out", "w", encoding="utf-8") as stdout:
        stdout.write("before ")
        guest = guest_with(stdin=stdin, stdout=stdout, stderr=stdout.fileno())
        assert guest.read(0, 4) == (0, b"from")
        assert stdin.tell() == 4  # one open file
        assert guest.write(1, b"one ") == (0, 4)
        assert guest.write(2, b"two") == (0, 3)
        assert guest.fdstat(1)[1][0] == REGULAR
        assert guest.write(0, b"x")[0] == ERRNO["badf"]
    assert (tmp_path / "out").read_text() == "before one two"
    assert guest.write(1, b" three") == (0, 6)  # a duplicate: closing Python's file does not matter
    assert (tmp_path / "out").read_text() == "before one two three"


def test_a_terminal_looks_like_one() -> None:
    """wasi-libc's isatty: a character device without seek and tell."""
    master, slave = os.openpty()
    guest = guest_with(stdin=slave, stdout=slave)
    os.close(slave)
    for fd in (0, 1):
        filetype, _, rights, _ = guest.fdstat(fd)[1]
        assert (filetype, rights & 0b100100) == (CHARACTER_DEVICE, 0)
    assert guest.write(1, b"hello") == (0, 5)
    assert os.read(master, 100) == b"hello"
    os.write(master, b"line\n")
    assert guest.read(0, 100) == (0, b"line\n")
    os.close(master)
    with open("/dev/null", "rb") as null:
        filetype, _, rights, _ = guest_with(stdin=null).fdstat(0)[1]
    assert (filetype, rights & 0b100100) == (CHARACTER_DEVICE, 0b100100)


def test_a_closed_pipe_is_an_errno() -> None:
    reading, writing = os.pipe()
    guest = guest_with(stdout=writing)
    os.close(reading)
    os.close(writing)
    assert guest.write(1, b"x") == (ERRNO["pipe"], None)


def test_closed_pipes_and_file_limits_kill_nobody() -> None:
    """Where Python's own ignoring of SIGXFSZ was undone, too, and nothing is left pending for later either."""
    code = """
import os, resource, signal, socket, tempfile
import wasmartifact as wa
from tests.unit.wasi.guest import ERRNO, Guest, Ours, RIGHTS, ours
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
reading, writing = os.pipe()
os.close(reading)
guest = Guest(Ours(wa.Wasi(stdout=writing)))
assert guest.write(1, b"x") == (ERRNO["pipe"], None)
left, right = socket.socketpair()
right.close()
guest = Guest(Ours(wa.Wasi(sockets=[left])))
assert guest.write(3, b"x") == (ERRNO["pipe"], None)
with tempfile.TemporaryDirectory() as name:
    guest = ours(name)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    assert guest.open(3, "file", 1, RIGHTS["fd_read"] | RIGHTS["fd_write"]) == (0, 4)
    assert guest.write(4, bytes(2000)) == (0, 1000)
    assert guest.write(4, bytes(2000)) == (ERRNO["fbig"], None)
    assert guest.call("fd_filestat_set_size", 4, 2000) == ERRNO["fbig"]
    assert guest.call("fd_allocate", 4, 0, 2000) == ERRNO["fbig"]
assert not signal.sigpending()
print("alive")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("alive\n", 0), done.stderr


def test_a_full_device() -> None:
    with open("/dev/full", "wb", buffering=0) as full:
        assert guest_with(stdout=full).write(1, b"x") == (ERRNO["nospc"], None)


def test_a_non_blocking_descriptor_of_the_host_is_waited_for() -> None:
    """The guest did not ask for it; one that asks gets EAGAIN, and the host's open file stays as it was."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    guest = guest_with(stdin=reading)
    timer = threading.Timer(0.1, os.write, (writing, b"late"))
    timer.start()
    assert guest.read(0, 10) == (0, b"late")
    timer.join()
    os.set_blocking(reading, True)
    assert guest.call("fd_fdstat_set_flags", 0, 4) == 0
    assert guest.read(0, 10) == (ERRNO["again"], None)
    assert os.get_blocking(reading)
    os.close(reading)
    os.close(writing)


def test_a_guest_that_must_not_wait_does_not_fill_a_pipe_that_would_wait() -> None:
    """Only the guest asked for it: the host's descriptor waits where there is too little room."""
    reading, writing = os.pipe()
    room = fcntl(writing, F_GETPIPE_SZ)
    guest = guest_with(stdout=writing)
    assert guest.call("fd_fdstat_set_flags", 1, 4) == 0
    written = 0
    with rescued_from(os.read, reading, room):
        while written <= room and (answer := guest.write(1, bytes(room - 5000)))[0] == 0:
            written += answer[1] or 0
    assert (answer, written) == ((ERRNO["again"], None), room)
    for descriptor in (reading, writing):
        os.close(descriptor)


def test_no_room_is_not_waited_for() -> None:
    """As by Linux: a read of no bytes says nothing about the input."""
    reading, writing = os.pipe()
    with rescued_from(os.write, writing, b"x"):
        assert guest_with(stdin=reading).read(0, 0) == (0, b"")
    for descriptor in (reading, writing):
        os.close(descriptor)


def test_what_is_given_to_read_is_not_changed(tmp_path: Path) -> None:
    """Neither through a socket's own calls nor the time stamps of a file, and the other way round."""
    left, right = socket.socketpair()
    right.sendall(b"secret")
    guest = guest_with(stdin=left, stdout=left, stderr=None)
    guest.engine.write(DATA, b"answer")
    assert guest.call("sock_send", 0, *guest.vectors(6), 0, RESULT) == ERRNO["badf"]
    assert guest.call("sock_shutdown", 0, 2) == ERRNO["badf"]
    assert guest.call("sock_recv", 1, *guest.vectors(6), 0, RESULT, RESULT + 4) == ERRNO["badf"]
    assert guest.call("sock_shutdown", 1, 1) == ERRNO["badf"]
    assert guest.call("sock_shutdown", 1, 3) == ERRNO["badf"]
    assert guest.call("sock_recv", 0, *guest.vectors(6), 0, RESULT, RESULT + 4) == 0
    assert guest.call("sock_send", 1, *guest.vectors(6), 0, RESULT) == 0
    assert right.recv(10) == b"secret"
    assert guest.call("sock_shutdown", 1, 2) == 0
    assert right.recv(10) == b""
    for end in (left, right):
        end.close()
    path = tmp_path / "input"
    path.write_bytes(b"x")
    before = path.stat().st_mtime_ns
    with open(path, "r+b") as file:
        guest = guest_with(stdin=file)
        assert guest.call("fd_filestat_set_times", 0, 1, 1, 5) == ERRNO["rofs"]
        assert guest.call("fd_filestat_set_size", 0, 0) == ERRNO["inval"]  # as ftruncate of what is only read
        assert not guest.fdstat(0)[1][2] & RIGHTS["fd_filestat_set_times"]
    assert (path.stat().st_mtime_ns, path.read_bytes()) == (before, b"x")


def test_a_raw_stream_that_takes_a_part_gets_the_rest() -> None:
    class Narrow(io.RawIOBase):
        taken = b""

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int | None:
            self.taken += bytes(data[:3])
            return min(3, len(data))

    class Full(Narrow):
        def write(self, data: Any) -> None:
            return None

    stream = Narrow()
    assert guest_with(stdout=stream).write(1, b"01234567") == (0, 8)
    assert stream.taken == b"01234567"
    with pytest.raises(BlockingIOError):
        guest_with(stdout=Full()).write(1, b"01234567")


def test_a_reader_may_return_the_memory_that_is_read_into() -> None:
    """Whatever overlaps: memmove, which the sanitizers look for."""
    memory: list[wa.Memory] = []
    reader: Any = lambda size: memoryview(memory[0])[DATA + 1 : DATA + 1 + size]  # noqa: E731
    engine = Ours(wa.Wasi(stdin=reader))
    memory.append(engine.memory)
    guest = Guest(engine)
    engine.write(DATA, bytes(range(200)))
    assert guest.read(0, 100) == (0, bytes(range(1, 101)))


@pytest.mark.parametrize("stream", [object(), "text", 1.5, True])
def test_what_is_no_stream(stream: Any) -> None:
    with pytest.raises(TypeError, match="stdout: expected None, a descriptor, a file object or a callable"):
        wa.Wasi(stdout=stream)


def test_arguments_that_can_not_be(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="zero character"):
        wa.Wasi(args=["a\0b"])
    with pytest.raises(ValueError, match="no name of a variable"):
        wa.Wasi(env={"A=B": "c"})
    with pytest.raises(TypeError, match="iterable of strings"):
        wa.Wasi(args="prog")
    with pytest.raises(TypeError, match=r"env: expected a mapping such as .*, found list"):
        wa.Wasi(env=[("A", "1")])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"preopens: expected a mapping such as .*, found str"):
        wa.Wasi(preopens=".")  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        wa.Wasi(preopens={"/": tmp_path / "missing"})
    with pytest.raises(NotADirectoryError):
        wa.Wasi(preopens={"/": __file__})
    with pytest.raises(OSError, match="Bad file descriptor"):
        wa.Wasi(stdin=12345)
    with pytest.raises(IsADirectoryError):
        wa.Wasi(stdin=os.open(tmp_path, os.O_RDONLY))


def test_strings_of_the_program() -> None:
    guest = Guest(Ours(wa.Wasi(args=["prog", "", "é"], env={"A": "1", "B": "x=y"})))
    assert guest.call("args_sizes_get", RESULT, RESULT + 4) == 0
    assert (guest.u32(), guest.u32(RESULT + 4)) == (3, 9)
    assert guest.call("args_get", RESULT, DATA) == 0
    assert [guest.u32(RESULT + 4 * i) - DATA for i in range(3)] == [0, 5, 6]
    assert guest.engine.read(DATA, 9) == "prog\0\0é\0".encode()
    assert guest.call("environ_sizes_get", RESULT, RESULT + 4) == 0
    assert (guest.u32(), guest.u32(RESULT + 4)) == (2, 10)
    assert guest.call("environ_get", RESULT, DATA) == 0
    assert guest.engine.read(DATA, 10) == b"A=1\0B=x=y\0"


def test_exit_codes() -> None:
    instance = Ours(wa.Wasi()).instance
    for code in (0, 1, 255, 2**32 - 1):
        with pytest.raises(wa.Exit) as caught:
            instance.exports["proc_exit"](code)
        assert caught.value.code == code
    assert instance.exports["sched_yield"]() == 0


def test_sockets() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    left, right = socket.socketpair()
    wasi = wa.Wasi(sockets=[listener, left])
    guest = Guest(Ours(wasi))
    with socket.create_connection(listener.getsockname()) as client:
        assert guest.call("sock_accept", 3, 0, RESULT) == 0
        assert guest.u32() == 5
        client.sendall(b"question")
        assert guest.call("sock_recv", 5, *guest.vectors(4, 100), 1, RESULT, RESULT + 4) == 0  # peek
        assert guest.read(5, 100) == (0, b"question")
        guest.engine.write(DATA, b"answer")
        assert guest.call("sock_send", 5, *guest.vectors(6), 0, RESULT) == 0
        assert client.recv(100) == b"answer"
        assert guest.call("sock_shutdown", 5, 2) == 0
        assert client.recv(100) == b""
    assert guest.call("fd_fdstat_set_flags", 3, 4) == 0
    assert guest.call("sock_accept", 3, 0, RESULT) == ERRNO["again"]
    assert guest.fdstat(4)[1][0] == STREAM_SOCKET
    right.close()
    assert guest.read(4, 10) == (0, b"")
    assert guest.call("sock_recv", 1, *guest.vectors(4), 0, RESULT, RESULT + 4) == ERRNO["notsock"]
    for given in (listener, left):
        given.close()


def test_streams_in_a_cycle_are_collected() -> None:
    """A callable that knows the instance which writes to it."""

    class Owner:
        instance: Any = None

        def write(self, data: bytes) -> None:
            pass

    owner = Owner()
    owner.instance = Ours(wa.Wasi(stdout=owner.write)).instance
    gone = weakref.ref(owner)
    del owner
    gc.collect()
    gc.collect()
    assert gone() is None


def test_a_wasi_lives_as_long_as_an_instance_needs_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"here")
    stdout = io.BytesIO()
    before = len(os.listdir("/proc/self/fd"))
    guest = Guest(Ours(wa.Wasi(preopens={"/": tmp_path}, stdout=stdout)))
    gc.collect()
    assert guest.open(3, "file") == (0, 4)
    assert guest.read(4, 10) == (0, b"here")
    assert guest.write(1, b"out") == (0, 3)
    assert stdout.getvalue() == b"out"
    del guest
    gc.collect()
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before
