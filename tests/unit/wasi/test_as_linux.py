"""Calls on descriptors by what Linux does, where wasmtime does something else or nothing."""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path
from typing import Final

import pytest

import wasmartifact as wa
from tests.unit.wasi.guest import DIRECTORY, ERRNO, RIGHTS, Guest, Ours, ours
from tests.unit.wasi.test_open import wasi_errno

MODES: Final = {"fd_read": os.O_RDONLY, "fd_write": os.O_WRONLY, "both": os.O_RDWR}
EDGES: Final = (0, 1, 5, 8, 9, 4096, 1 << 62, (1 << 63) - 1, -1, -(1 << 63))


def allocate(fd: int, offset: int, size_bytes: int) -> int:
    """Errno of WASI for what Linux says."""
    try:
        os.posix_fallocate(fd, offset, size_bytes)
    except OSError as problem:
        return wasi_errno(problem)
    return 0


def truncate(fd: int, size_bytes: int) -> int:
    try:
        os.ftruncate(fd, size_bytes)
    except OSError as problem:
        return wasi_errno(problem)
    return 0


@pytest.mark.parametrize("rights", MODES)
def test_sizes(tmp_path: Path, rights: str) -> None:
    """Errno, and size, of fd_allocate and fd_filestat_set_size on a file that was opened in each way."""
    for name in ("mine", "theirs"):
        (tmp_path / name).write_bytes(b"contents")
    guest, native = ours(tmp_path), os.open(tmp_path / "theirs", MODES[rights])
    mask = RIGHTS["fd_read"] | RIGHTS["fd_write"] if rights == "both" else RIGHTS[rights]
    assert guest.open(3, "mine", rights=mask) == (0, 4)
    for offset, size_bytes in product(EDGES, EDGES):
        found, expected = guest.call("fd_allocate", 4, offset, size_bytes), allocate(native, offset, size_bytes)
        assert (found, guest.filestat(4)[1]["size"]) == (expected, os.fstat(native).st_size), (offset, size_bytes)
    for size_bytes in EDGES:
        found, expected = guest.call("fd_filestat_set_size", 4, size_bytes), truncate(native, size_bytes)
        assert (found, guest.filestat(4)[1]["size"]) == (expected, os.fstat(native).st_size), size_bytes
    os.close(native)


def test_what_has_no_size(tmp_path: Path) -> None:
    """Ends of a pipe, and a directory."""
    reading, writing = os.pipe()
    directory = os.open(tmp_path, os.O_RDONLY)
    guest = Guest(Ours(wa.Wasi(preopens={"/": tmp_path}, stdin=reading, stdout=writing)))
    for number, fd in ((0, reading), (1, writing), (3, directory)):
        assert guest.call("fd_allocate", number, 0, 1) == allocate(fd, 0, 1), number
    for number, fd in ((0, reading), (1, writing)):
        assert guest.call("fd_filestat_set_size", number, 1) == truncate(fd, 1), number
    for fd in (reading, writing, directory):
        os.close(fd)


def test_listing_a_directory_that_was_removed(tmp_path: Path) -> None:
    """It has no entries; by POSIX it is no error."""
    (tmp_path / "gone").mkdir()
    guest, native = ours(tmp_path), os.open(tmp_path / "gone", os.O_RDONLY)
    errno, fd = guest.open(3, "gone", DIRECTORY)
    assert (errno, fd) == (0, 4)
    assert guest.with_path("path_remove_directory", 3, "gone") == 0
    errno, entries = guest.entries(4)
    assert (errno, [name for _, _, _, name in entries]) == (0, [os.fsencode(name) for name in os.listdir(native)])
    assert guest.open(4, "new", 1)[0] == ERRNO["noent"]
    os.close(native)
