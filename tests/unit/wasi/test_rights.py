"""Rights of descriptors: told, given up, refused from then on; by WASI's texts, since wasmtime can't give any up."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

import wasmartifact as wa
from tests.unit.wasi.guest import (
    ALL_RIGHTS,
    CREAT,
    DATA,
    DIRECTORY,
    ERRNO,
    FOLLOW,
    OTHER_PATH,
    RESULT,
    RIGHTS,
    TRUNC,
    VECTORS,
    Guest,
    Ours,
    ours,
)
from wasmartifact.wasi import abi

READ_WRITE: Final = RIGHTS["fd_read"] | RIGHTS["fd_write"]
FILE, FOLDER, SOCKET = 5, 6, 4

#: Each call with a descriptor, what it needs by the text of the specification, and how it is made.
CALLS: Final[dict[str, tuple[int, str, Callable[[Guest], int]]]] = {
    "fd_advise": (FILE, "fd_advise", lambda g: g.call("fd_advise", FILE, 0, 0, 0)),
    "fd_allocate": (FILE, "fd_allocate", lambda g: g.call("fd_allocate", FILE, 0, 8)),
    "fd_datasync": (FILE, "fd_datasync", lambda g: g.call("fd_datasync", FILE)),
    "fd_fdstat_set_flags": (FILE, "fd_fdstat_set_flags", lambda g: g.call("fd_fdstat_set_flags", FILE, 0)),
    "fd_filestat_get": (FILE, "fd_filestat_get", lambda g: g.call("fd_filestat_get", FILE, DATA)),
    "fd_filestat_set_size": (FILE, "fd_filestat_set_size", lambda g: g.call("fd_filestat_set_size", FILE, 4)),
    "fd_filestat_set_times": (FILE, "fd_filestat_set_times", lambda g: g.call("fd_filestat_set_times", FILE, 0, 0, 1)),
    "fd_pread": (FILE, "fd_read fd_seek", lambda g: g.call("fd_pread", FILE, *g.vectors(1), 0, RESULT)),
    "fd_pwrite": (FILE, "fd_write fd_seek", lambda g: g.call("fd_pwrite", FILE, *g.vectors(1), 0, RESULT)),
    "fd_read": (FILE, "fd_read", lambda g: g.read(FILE, 1)[0]),
    "fd_readdir": (FOLDER, "fd_readdir", lambda g: g.entries(FOLDER)[0]),
    "fd_seek": (FILE, "fd_seek", lambda g: g.seek(FILE, 1, 0)[0]),
    "fd_sync": (FILE, "fd_sync", lambda g: g.call("fd_sync", FILE)),
    "fd_tell": (FILE, "fd_tell", lambda g: g.call("fd_tell", FILE, RESULT)),
    "fd_write": (FILE, "fd_write", lambda g: g.write(FILE, b"x")[0]),
    "path_create_directory": (
        FOLDER, "path_create_directory", lambda g: g.with_path("path_create_directory", FOLDER, "new"),
    ),
    "path_filestat_get": (FOLDER, "path_filestat_get", lambda g: g.filestat(FOLDER, "inner")[0]),
    "path_filestat_set_times": (
        FOLDER,
        "path_filestat_set_times",
        lambda g: g.call("path_filestat_set_times", FOLDER, FOLLOW, *g.path("inner"), 0, 0, 1),
    ),
    "path_link from": (
        FOLDER, "path_link_source", lambda g: g.two_paths("path_link", FOLDER, "inner", 3, "linked", 0),
    ),
    "path_link to": (FOLDER, "path_link_target", lambda g: g.two_paths("path_link", 3, "file", FOLDER, "linked", 0)),
    "path_open": (FOLDER, "path_open", lambda g: g.call("path_open", FOLDER, 1, *g.path("inner"), 0, 0, 0, 0, RESULT)),
    "path_open, creating": (
        FOLDER,
        "path_open path_create_file",
        lambda g: g.call("path_open", FOLDER, 1, *g.path("new"), CREAT, 0, 0, 0, RESULT),
    ),
    "path_open, truncating": (
        FOLDER,
        "path_open path_filestat_set_size",
        lambda g: g.call("path_open", FOLDER, 1, *g.path("inner"), TRUNC, 0, 0, 0, RESULT),
    ),
    "path_readlink": (FOLDER, "path_readlink", lambda g: g.readlink(FOLDER, "link")[0]),
    "path_remove_directory": (
        FOLDER, "path_remove_directory", lambda g: g.with_path("path_remove_directory", FOLDER, "empty"),
    ),
    "path_rename from": (
        FOLDER, "path_rename_source", lambda g: g.two_paths("path_rename", FOLDER, "inner", 3, "renamed"),
    ),
    "path_rename to": (
        FOLDER, "path_rename_target", lambda g: g.two_paths("path_rename", 3, "file", FOLDER, "renamed"),
    ),
    "path_symlink": (
        FOLDER,
        "path_symlink",
        lambda g: g.call("path_symlink", *g.path("inner"), FOLDER, *g.path("new", OTHER_PATH)),
    ),
    "path_unlink_file": (FOLDER, "path_unlink_file", lambda g: g.with_path("path_unlink_file", FOLDER, "inner")),
    "sock_send": (SOCKET, "fd_write", lambda g: g.call("sock_send", SOCKET, *g.vectors(1), 0, RESULT)),
    "sock_recv": (SOCKET, "fd_read", lambda g: g.call("sock_recv", SOCKET, *g.vectors(1), 0, RESULT, RESULT + 4)),
    "sock_shutdown": (SOCKET, "sock_shutdown", lambda g: g.call("sock_shutdown", SOCKET, 2)),
}  # fmt: skip


@pytest.fixture
def socket_pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """For the guest, and its peer, which has sent something."""
    left, right = socket.socketpair()
    with left, right:
        right.send(b"hello")
        yield left, right


def prepared(tmp_path: Path, given: socket.socket | None = None) -> Guest:
    """A guest with a file, a folder and, in their middle, a socket."""
    root = tmp_path / "root"
    (root / "folder" / "empty").mkdir(parents=True)
    (root / "folder" / "link").symlink_to("inner")
    for path in (root / "file", root / "folder" / "inner"):
        path.write_bytes(b"0123456789")
    guest = Guest(Ours(wa.Wasi(preopens={"/": root}, sockets=[given or socket.socket()])))
    assert guest.open(3, "file", rights=READ_WRITE) == (0, FILE)
    assert guest.open(3, "folder", DIRECTORY) == (0, FOLDER)
    return guest


def narrow(guest: Guest, fd: int, rights: int) -> None:
    """Give up all rights of a descriptor but these, as far as it has them."""
    _, _, has, inherits = guest.fdstat(fd)[1]
    assert guest.call("fd_fdstat_set_rights", fd, has & rights, inherits) == 0
    assert guest.fdstat(fd)[1][2:] == (has & rights, inherits)


@pytest.mark.parametrize("name", CALLS)
def test_a_call_needs_its_rights_and_no_others(
    tmp_path: Path, name: str, socket_pair: tuple[socket.socket, socket.socket]
) -> None:
    fd, words, call = CALLS[name]
    needed = [RIGHTS[word] for word in words.split()]
    for number, missing in enumerate(needed):
        guest = prepared(tmp_path / str(number), socket_pair[0])
        narrow(guest, fd, ALL_RIGHTS & ~missing)
        assert call(guest) == ERRNO["notcapable"]
    guest = prepared(tmp_path / "enough", socket_pair[0])
    narrow(guest, fd, sum(needed))
    assert call(guest) == 0


def test_all_functions_with_descriptors_are_known() -> None:
    """What is not in the table works on the numbers themselves, or tells what everybody may know."""
    free = {"fd_close", "fd_fdstat_get", "fd_fdstat_set_rights", "fd_prestat_get", "fd_prestat_dir_name", "fd_renumber"}
    known = {name.replace(",", "").split()[0] for name in CALLS} | {"sock_accept"}
    assert {f.name for f in abi.FUNCTIONS if f.name.startswith(("fd_", "path_", "sock_"))} == known | free


def test_rights_can_only_be_given_up(tmp_path: Path) -> None:
    guest = prepared(tmp_path)
    assert guest.call("fd_fdstat_set_rights", FILE, ALL_RIGHTS, 0) == ERRNO["notcapable"]
    assert guest.write(FILE, b"x") == (0, 1)
    narrow(guest, FILE, RIGHTS["fd_read"])
    assert guest.write(FILE, b"x")[0] == ERRNO["notcapable"]
    assert guest.call("fd_fdstat_set_rights", FILE, READ_WRITE, 0) == ERRNO["notcapable"]
    assert guest.read(FILE, 1) == (0, b"1")
    assert guest.call("fd_close", FILE) == 0


def test_what_is_opened_below_inherits(tmp_path: Path) -> None:
    """A program that keeps reading only, for all that lies below a directory."""
    guest = prepared(tmp_path)
    reading = sum(RIGHTS[name] for name in ("path_open", "fd_readdir", "fd_read", "fd_seek", "fd_filestat_get"))
    assert guest.call("fd_fdstat_set_rights", 3, reading & guest.fdstat(3)[1][2], reading) == 0

    def open_with(fd: int, path: str, rights: int) -> int:
        return guest.call("path_open", fd, 1, *guest.path(path), 0, rights, reading, 0, RESULT)

    assert open_with(3, "file", READ_WRITE) == ERRNO["notcapable"]
    assert open_with(3, "folder", reading) == 0
    folder = guest.u32()
    assert guest.fdstat(folder)[1][3] == reading
    assert guest.with_path("path_unlink_file", folder, "inner") == ERRNO["notcapable"]
    assert open_with(folder, "inner", READ_WRITE) == ERRNO["notcapable"]
    assert open_with(folder, "inner", RIGHTS["fd_read"]) == 0
    inner = guest.u32()
    assert guest.read(inner, 4) == (0, b"0123")
    assert guest.call("fd_filestat_set_times", inner, 0, 0, 1) == ERRNO["notcapable"]
    assert guest.write(FILE, b"x") == (0, 1)  # what was opened before keeps its own


def test_polling_needs_its_right(socket_pair: tuple[socket.socket, socket.socket]) -> None:
    guest = Guest(Ours(wa.Wasi(sockets=[socket_pair[0]])))
    narrow(guest, 3, READ_WRITE)
    guest.engine.write(VECTORS, bytes(8) + b"\x01" + bytes(7) + b"\x03" + bytes(31))
    assert guest.call("poll_oneoff", VECTORS, DATA, 1, RESULT) == 0
    assert int.from_bytes(guest.engine.read(DATA + 8, 2), "little") == ERRNO["notcapable"]


def test_accepting_needs_its_right() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    guest = Guest(Ours(wa.Wasi(sockets=[listener])))
    with socket.create_connection(listener.getsockname()):
        narrow(guest, 3, ALL_RIGHTS & ~RIGHTS["sock_accept"])
        assert guest.call("sock_accept", 3, 0, RESULT) == ERRNO["notcapable"]
    listener.close()


def test_a_program_that_gives_nothing_up_may_ask_for_anything(tmp_path: Path) -> None:
    """As under wasmtime: rights that an open asks for choose reading and writing and are no limits by themselves."""
    (tmp_path / "file").write_bytes(b"0123")
    guest = ours(tmp_path)
    assert guest.call("path_open", 3, 1, *guest.path("file"), 0, ALL_RIGHTS, ALL_RIGHTS, 0, RESULT) == 0
    assert guest.write(guest.u32(), b"x") == (0, 1)
    assert guest.call("path_open", 3, 1, *guest.path("file"), 0, RIGHTS["fd_read"], 0, 0, RESULT) == 0
    assert guest.seek(guest.u32(), 1, 0) == (0, 1)
