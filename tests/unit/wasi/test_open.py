"""path_open: all combinations of flags, rights and kinds of targets, by what Linux does, and by what wasmtime does."""

from __future__ import annotations

import errno as linux
import os
import shutil
import stat
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Final, NamedTuple

import pytest

import wasmartifact as wa
from tests.unit.wasi.guest import CREAT, DIRECTORY, ERRNO, EXCL, FOLLOW, RESULT, RIGHTS, TRUNC, Guest, ours, theirs

READ, WRITE = RIGHTS["fd_read"], RIGHTS["fd_write"]
APPEND, DSYNC, NONBLOCK, RSYNC, SYNC = 1, 2, 4, 8, 16
LINKS: Final = {
    "tofile": "file", "todir": "dir", "tolink": "tofile", "dangling": "nothing", "loop": "loop",
    "todirslash": "dir/", "tofileslash": "file/", "danglingslash": "nothing/", "out": "..",
}  # fmt: skip
TARGETS: Final = (
    "new", "new/", "new/x", "file", "file/", "file/x", "dir", "dir/", "dir/.", "dir/..", "dir/inner", ".", "./", "",
    "tofile", "tofile/", "todir", "todir/", "todir/inner", "tolink", "dangling", "dangling/", "loop", "loop/",
    "todirslash", "tofileslash", "danglingslash",
)  # fmt: skip
OUTSIDE: Final = ("..", "dir/../..", "/file", "out", "out/x")
FLAGS_OF_LINUX: Final = {CREAT: os.O_CREAT, DIRECTORY: os.O_DIRECTORY, EXCL: os.O_EXCL, TRUNC: os.O_TRUNC}
FDFLAGS_OF_LINUX: Final = {
    APPEND: os.O_APPEND, DSYNC: os.O_DSYNC, NONBLOCK: os.O_NONBLOCK, RSYNC: os.O_SYNC, SYNC: os.O_SYNC,
}  # fmt: skip


class Request(NamedTuple):
    """What path_open is asked for."""

    path: str
    oflags: int
    rights: int
    fdflags: int
    lookup: int


class Answer(NamedTuple):
    """What it did. After an error, the tree is all there is."""

    errno: int
    tree: object
    filetype: int = 0
    read: int = 0  # errnos of reading and writing
    write: int = 0


def requests(paths: tuple[str, ...]) -> Iterator[Request]:
    """All without descriptor flags, these for some paths; nothing but FD_READ and FD_READ | FD_WRITE for the others."""
    few = tuple(path for path in paths if path in {"new", "file", "dir", "tofile", "todir"})
    for parts in product(paths, range(16), (READ, READ | WRITE), (0,), (0, FOLLOW)):
        yield Request(*parts)
    for parts in product(few, range(16), (0, WRITE), (0,), (0, FOLLOW)):
        yield Request(*parts)
    for parts in product(few, (0, CREAT, TRUNC, DIRECTORY), (READ, READ | WRITE), FDFLAGS_OF_LINUX, (FOLLOW,)):
        yield Request(*parts)


def fill(root: Path) -> None:
    """Make the tree anew."""
    shutil.rmtree(root, ignore_errors=True)
    (root / "dir").mkdir(parents=True)
    (root / "file").write_bytes(b"contents")
    (root / "dir" / "inner").write_bytes(b"x")
    for name, target in LINKS.items():
        (root / name).symlink_to(target)


def tree(root: Path) -> object:
    """Names, and what files hold."""
    paths = sorted(root.rglob("*"))
    return [(str(p.relative_to(root)), p.read_bytes() if p.is_file() and not p.is_symlink() else None) for p in paths]


class Trees:
    """A tree that is filled again after each change; its directory stays, since guests have it open."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self._refill()

    def look(self) -> object:
        """What is there now; afterwards it is as it was."""
        found = tree(self.root)
        if found != self.start:
            self._refill()
        return "as before" if found == self.start else found

    def _refill(self) -> None:
        for entry in self.root.iterdir():
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        fresh = self.root.parent / f"{self.root.name}.fresh"
        fill(fresh)
        for entry in fresh.iterdir():
            entry.rename(self.root / entry.name)
        self.start = tree(self.root)


def by_guest(guest: Guest, trees: Trees, request: Request) -> Answer:
    path, oflags, rights, fdflags, lookup = request
    errno = guest.call("path_open", 3, lookup, *guest.path(path), oflags, rights, rights, fdflags, RESULT)
    if errno != 0:
        return Answer(errno, trees.look())
    fd = guest.u32()
    filetype = guest.fdstat(fd)[1][0]
    read, write = guest.read(fd, 2)[0], guest.write(fd, b"YY")[0]
    assert guest.call("fd_close", fd) == 0
    return Answer(0, trees.look(), filetype, read, write)


def by_linux(directory: int, trees: Trees, request: Request) -> Answer:
    """The same by Linux: what is not asked to be written is read."""
    mode = {0: os.O_RDONLY, READ: os.O_RDONLY, WRITE: os.O_WRONLY, READ | WRITE: os.O_RDWR}[request.rights]
    flags = mode | (0 if request.lookup else os.O_NOFOLLOW)
    flags |= sum(value for bit, value in FLAGS_OF_LINUX.items() if request.oflags & bit)
    flags |= sum(value for bit, value in FDFLAGS_OF_LINUX.items() if request.fdflags & bit)
    try:
        fd = os.open(request.path, flags, 0o666, dir_fd=directory)
    except OSError as problem:
        return Answer(wasi_errno(problem), trees.look())
    is_directory = stat.S_ISDIR(os.fstat(fd).st_mode)
    done = []
    for operation in (lambda: os.read(fd, 2), lambda: os.write(fd, b"YY")):
        try:
            operation()
            done.append(0)
        except OSError as problem:
            done.append(ERRNO["badf"] if is_directory else wasi_errno(problem))
    os.close(fd)
    return Answer(0, trees.look(), 3 if is_directory else 4, *done)


def wasi_errno(problem: OSError) -> int:
    """Errno of WASI for one of Linux."""
    assert problem.errno is not None
    return ERRNO[linux.errorcode[problem.errno].removeprefix("E").lower()]


@pytest.mark.parametrize("walks", [False, True], ids=["openat2", "walk"])
def test_as_linux_opens(tmp_path: Path, walks: bool) -> None:
    """A directory that is to be written is EISDIR, O_TRUNC gives no leave to write."""
    mine, native = Trees(tmp_path / "mine"), Trees(tmp_path / "native")
    guest, directory = ours(mine.root, walks=walks), os.open(native.root, os.O_RDONLY)
    for request in requests(TARGETS):
        expected = by_linux(directory, native, request)
        if request.oflags & DIRECTORY and request.oflags != DIRECTORY:  # wasmtime's rule
            expected = Answer(ERRNO["inval"], "as before")
        assert by_guest(guest, mine, request) == expected, request
    os.close(directory)


def test_as_wasmtime_opens(tmp_path: Path) -> None:
    """But there, what is created or truncated may be written, and a link is ELOOP where Linux says ENOTDIR."""
    mine, other = Trees(tmp_path / "mine"), Trees(tmp_path / "other")
    guest, reference = ours(mine.root), theirs(other.root)
    for request in requests((*TARGETS, *OUTSIDE)):
        found, expected = by_guest(guest, mine, request), by_guest(reference, other, request)
        if request.fdflags & (DSYNC | RSYNC | SYNC) and expected.errno == ERRNO["notsup"]:
            continue
        if request.oflags & (CREAT | TRUNC) and not request.rights & WRITE and found.errno == 0:
            found, expected = (answer._replace(write=0, tree=None) for answer in (found, expected))
        if request.oflags == DIRECTORY and (found.errno, expected.errno) == (ERRNO["notdir"], ERRNO["loop"]):
            continue
        assert found == expected, request


@pytest.mark.parametrize("walks", [False, True], ids=["openat2", "walk"])
def test_a_directory_with_the_rights_that_it_has(tmp_path: Path, walks: bool) -> None:
    """Programs open "." with what fd_fdstat_get told; to ask for nothing is right, too, and then truncates a file."""
    guest = ours(tmp_path, walks=walks)
    _, (filetype, fdflags, rights, inheriting) = guest.fdstat(3)
    assert (filetype, fdflags) == (3, 0)
    assert not rights & (WRITE | RIGHTS["fd_allocate"] | RIGHTS["fd_filestat_set_size"])  # else it would be EISDIR
    for oflags, asked in product((0, DIRECTORY), (rights, READ, RIGHTS["fd_readdir"], 0)):
        assert guest.call("path_open", 3, 0, *guest.path("."), oflags, asked, inheriting, 0, RESULT) == 0
        assert guest.entries(guest.u32())[0] == 0
    (tmp_path / "file").write_bytes(b"contents")
    assert guest.call("path_open", 3, 0, *guest.path("file"), TRUNC, 0, 0, 0, RESULT) == 0
    assert (tmp_path / "file").read_bytes() == b""


@pytest.mark.parametrize("rights", [0, READ, READ | WRITE])
def test_truncating_below_a_read_only_directory(tmp_path: Path, rights: int) -> None:
    """O_TRUNC changes a file, whatever rights are asked for."""
    (tmp_path / "file").write_bytes(b"contents")
    guest = ours(tmp_path, preopen=wa.ReadOnly(tmp_path))
    assert guest.open(3, "file", TRUNC, rights) == (ERRNO["rofs"], None)
    assert (tmp_path / "file").read_bytes() == b"contents"
