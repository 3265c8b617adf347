"""Errnos of WASI, call by call, against wasmtime; where wasmtime differs from what Linux says, against Linux itself."""

from __future__ import annotations

import errno as linux
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from tests.unit.wasi.guest import (
    CREAT,
    DATA,
    DIRECTORY,
    ERRNO,
    EXCL,
    FOLLOW,
    OTHER_PATH,
    RESULT,
    RIGHTS,
    TRUNC,
    Guest,
    ours,
    theirs,
)
from wasmartifact.wasi import abi

READ_WRITE: Final = RIGHTS["fd_read"] | RIGHTS["fd_write"]
PATHS: Final[tuple[str | bytes, ...]] = (
    "file", "file/", "file/x", "./file", "dir", "dir/", "dir/.", "dir/..", "dir/inner", "dir//inner", "dir/../file",
    "dir/../../secret", "dir/back", "link", "link/", "dirlink", "dirlink/", "dirlink/inner", "dirlink/..",
    "dirlink/../file", "absolute", "absolute/x", "up", "loop", "loop/x", "dangling", "dangling/", ".", "..",
    "../secret",
    "/file", "//", "", "nothing", "nothing/", "nothing/x", "a\0b", "x" * 255, "x" * 256, "x" * 5000, b"\xff\xfe",
    "é", b"\xed\xa0\x80", "empty/", "outside",
)  # fmt: skip


def fill(root: Path) -> None:
    """The tree that every engine gets a copy of, with links that lead out of it."""
    (root / "dir").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "file").write_bytes(b"0123456789")
    (root / "dir" / "inner").write_bytes(b"inner")
    (root.parent / "secret").write_text("secret")
    targets = {
        "link": "file", "dirlink": "dir", "absolute": "/etc/passwd", "up": "../secret", "loop": "loop",
        "dangling": "nowhere", "dir/back": "../file", "outside": "dir/../../secret",
    }  # fmt: skip
    for name, target in targets.items():
        os.symlink(target, root / name)


def is_odd(path: str | bytes) -> bool:
    """Where wasmtime and Linux differ: what is done to a name with a slash behind it, or through such a link."""
    return path in {"dir/", "file/", "link/", "dirlink/", "dangling/", "nothing/", "dir/..", "dirlink/..", "empty/"}


#: What is done to one path: name -> (call, the same by Linux; None: only wasmtime can say). Each runs on fresh trees.
Native = Callable[[int, Any], object]
OPERATIONS: Final[dict[str, tuple[Callable[[Guest, str | bytes], int], Native | None]]] = {
    "open": (lambda g, p: g.open(3, p)[0], None),
    "open without following": (lambda g, p: g.open(3, p, lookup=0)[0], None),
    "open to write": (lambda g, p: g.open(3, p, rights=READ_WRITE)[0], None),
    "open a directory": (lambda g, p: g.open(3, p, DIRECTORY)[0], None),
    "open to create": (lambda g, p: g.open(3, p, CREAT, READ_WRITE)[0], None),
    "open to create new": (lambda g, p: g.open(3, p, CREAT | EXCL, READ_WRITE)[0], None),
    "open to truncate": (lambda g, p: g.open(3, p, TRUNC, READ_WRITE)[0], None),
    "stat": (lambda g, p: g.call("path_filestat_get", 3, FOLLOW, *g.path(p), DATA), None),
    "stat without following": (lambda g, p: g.call("path_filestat_get", 3, 0, *g.path(p), DATA), None),
    "set times": (
        lambda g, p: g.call("path_filestat_set_times", 3, FOLLOW, *g.path(p), 10**9, 10**9, 5),
        lambda d, p: os.utime(p, (1, 1), dir_fd=d),
    ),
    "set times without following": (
        lambda g, p: g.call("path_filestat_set_times", 3, 0, *g.path(p), 10**9, 10**9, 5),
        lambda d, p: os.utime(p, (1, 1), dir_fd=d, follow_symlinks=False),
    ),
    "read a link": (lambda g, p: g.call("path_readlink", 3, *g.path(p), DATA, 4096, RESULT), None),
    "make a directory": (
        lambda g, p: g.with_path("path_create_directory", 3, p),
        lambda d, p: os.mkdir(p, dir_fd=d),
    ),
    "remove a directory": (
        lambda g, p: g.with_path("path_remove_directory", 3, p),
        lambda d, p: os.rmdir(p, dir_fd=d),
    ),
    "remove a file": (lambda g, p: g.with_path("path_unlink_file", 3, p), lambda d, p: os.unlink(p, dir_fd=d)),
    "make a symbolic link": (
        lambda g, p: g.call("path_symlink", *g.path("target", OTHER_PATH), 3, *g.path(p)),
        lambda d, p: os.symlink("target", p, dir_fd=d),
    ),
    "link from": (
        lambda g, p: g.call("path_link", 3, 0, *g.path(p), 3, *g.path("new", OTHER_PATH)),
        lambda d, p: os.link(p, "new", src_dir_fd=d, dst_dir_fd=d, follow_symlinks=False),
    ),
    "link to": (
        lambda g, p: g.call("path_link", 3, 0, *g.path("file", OTHER_PATH), 3, *g.path(p)),
        lambda d, p: os.link("file", p, src_dir_fd=d, dst_dir_fd=d, follow_symlinks=False),
    ),
    "rename from": (
        lambda g, p: g.call("path_rename", 3, *g.path(p), 3, *g.path("new", OTHER_PATH)),
        lambda d, p: os.rename(p, "new", src_dir_fd=d, dst_dir_fd=d),
    ),
    "rename to": (
        lambda g, p: g.call("path_rename", 3, *g.path("empty", OTHER_PATH), 3, *g.path(p)),
        lambda d, p: os.rename("empty", p, src_dir_fd=d, dst_dir_fd=d),
    ),
}


def tree(root: Path) -> set[tuple[str, str | bytes]]:
    """Everything below a directory, with contents."""
    found: set[tuple[str, str | bytes]] = set()
    for path in root.rglob("*"):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found.add((name, "-> " + os.readlink(path)))
        else:
            found.add((name, "directory" if path.is_dir() else path.read_bytes()))
    return found


def by_linux(root: Path, operation: Native, path: str | bytes) -> int:
    """Errno of WASI for what Linux does."""
    directory = os.open(root, os.O_RDONLY)
    try:
        operation(directory, path)
    except OSError as problem:
        assert problem.errno is not None
        return ERRNO[linux.errorcode[problem.errno].removeprefix("E").lower()]
    finally:
        os.close(directory)
    return 0


@pytest.mark.parametrize("walks", [False, True], ids=["openat2", "walk"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_paths(tmp_path: Path, name: str, walks: bool) -> None:
    """Errno, and the tree afterwards, of one operation on every path."""
    operation, native = OPERATIONS[name]
    differences = []
    for number, path in enumerate(PATHS):
        roots = [tmp_path / f"{number}-{who}" / "root" for who in ("ours", "theirs")]
        for root in roots:
            fill(root)
        found = operation(ours(roots[0], walks=walks), path)
        if native is not None and is_odd(path):
            expected = by_linux(roots[1], native, path)
        else:
            expected = operation(theirs(roots[1]), path)
        if found != expected or tree(roots[0]) != tree(roots[1]):
            differences.append((path, abi.ERRNOS[found], abi.ERRNOS[expected] if expected >= 0 else "trap"))
        assert (tmp_path / f"{number}-ours" / "secret").read_text() == "secret"
    # A zero byte, and a name that no file can have: wasmtime looks at the target of a rename first.
    if name == "rename from":
        differences = [found for found in differences if found[0] not in {"a\0b", "x" * 256, "x" * 5000}]
    assert not differences


#: Calls on descriptors: name -> call of a guest that has opened "file" as 4 (rights of the row's key) and "dir" as 5.
DESCRIPTOR_CALLS: Final[dict[str, Callable[[Guest], Any]]] = {
    "read": lambda g: g.read(4, 4),
    "write": lambda g: g.write(4, b"ABCD"),
    "tell": lambda g: (g.call("fd_tell", 4, RESULT), g.u64()),
    "seek to the end": lambda g: g.seek(4, -1, 2),
    "seek before the start": lambda g: g.seek(4, -100, 0),
    "seek far behind the end": lambda g: g.seek(4, 1 << 40, 0),
    "read at the end": lambda g: g.read(4, 4),
    "seek relative": lambda g: g.seek(4, -(1 << 40) + 2, 1),
    "pread": lambda g: (g.call("fd_pread", 4, *g.vectors(3), 1, RESULT), g.engine.read(DATA, 3)),
    "pwrite": lambda g: g.call("fd_pwrite", 4, *g.vectors(3), 20, RESULT),
    "no buffers": lambda g: (g.call("fd_read", 4, *g.vectors(), RESULT), g.u32()),
    "empty buffers": lambda g: (g.call("fd_read", 4, *g.vectors(0, 0), RESULT), g.u32()),
    "set size": lambda g: g.call("fd_filestat_set_size", 4, 30),
    "set size below zero": lambda g: g.call("fd_filestat_set_size", 4, -1),
    "advise": lambda g: g.call("fd_advise", 4, 0, 10, 3),
    "set both kinds of times": lambda g: g.call("fd_filestat_set_times", 4, 0, 0, 3),
    "set times": lambda g: (
        g.call("fd_filestat_set_times", 4, 5 * 10**9 + 1, 6 * 10**9 + 2, 5),
        *(g.filestat(4)[1][name] for name in ("atim", "mtim")),
    ),
    "set append": lambda g: (g.call("fd_fdstat_set_flags", 4, 1), g.fdstat(4)[1][1]),
    "set non-blocking": lambda g: (g.call("fd_fdstat_set_flags", 4, 4), g.fdstat(4)[1][1]),
    "clear flags": lambda g: (g.call("fd_fdstat_set_flags", 4, 0), g.fdstat(4)[1][1]),
    "list a file": lambda g: g.entries(4),
    "stat": lambda g: (g.filestat(4)[0], *(g.filestat(4)[1][name] for name in ("filetype", "nlink", "size"))),
    "sync": lambda g: (g.call("fd_sync", 4), g.call("fd_datasync", 4)),
    "open below a file": lambda g: g.open(4, "x"),
    "prestat of a file": lambda g: (g.call("fd_prestat_get", 4, DATA), g.call("fd_prestat_dir_name", 4, DATA, 9)),
    "prestat": lambda g: (g.call("fd_prestat_get", 3, DATA), g.engine.read(DATA, 8)),
    "name of a preopen": lambda g: (g.call("fd_prestat_dir_name", 3, DATA, 1), g.engine.read(DATA, 1)),
    "no room for the name": lambda g: g.call("fd_prestat_dir_name", 3, DATA, 0),
    "read a directory": lambda g: g.read(5, 1),
    "write a directory": lambda g: g.write(5, b"1"),
    "seek a directory": lambda g: g.seek(5, 0, 0),
    "set size of a directory": lambda g: g.call("fd_filestat_set_size", 5, 0),
    "advise a directory": lambda g: g.call("fd_advise", 5, 0, 0, 0),
    "times of a directory": lambda g: g.call("fd_filestat_set_times", 5, 0, 0, 5),
    "open below": lambda g: g.open(5, "inner"),
    "open above": lambda g: g.open(5, "../file"),
    "open by a link up": lambda g: g.open(5, "back"),
    "list": lambda g: sorted((e[3], e[2]) for e in g.entries(5)[1]),
    "list into nothing": lambda g: (g.call("fd_readdir", 5, DATA, 0, 0, RESULT), g.u32()),
    "list into little": lambda g: (g.call("fd_readdir", 5, DATA, 10, 0, RESULT), g.u32()),
    "renumber from nothing": lambda g: g.call("fd_renumber", 77, 4),
    "renumber to nothing": lambda g: g.call("fd_renumber", 4, 77),
    "renumber to itself": lambda g: g.call("fd_renumber", 4, 4),
    "lowest free number": lambda g: (g.call("fd_close", 4), g.open(3, "file")),
    "renumber": lambda g: (g.call("fd_renumber", 5, 4), g.read(4, 1), g.call("fd_close", 5), g.open(3, "dir/inner")),
    "close": lambda g: (g.call("fd_close", 4), g.call("fd_close", 4), g.read(4, 1)),
    "read stdin": lambda g: (g.read(0, 4), g.write(0, b"x")),
    "write stdout": lambda g: (g.write(1, b"abc"), g.read(1, 1)),
    "seek stdout": lambda g: (g.seek(1, 0, 0), g.call("fd_tell", 1, RESULT)),
    "not open": lambda g: (g.read(50, 1), g.seek(50, 0, 0), g.fdstat(50), g.filestat(50), g.call("fd_sync", 50)),
    "sockets": lambda g: g.call("sock_shutdown", 50, 1),
    "random": lambda g: (g.call("random_get", DATA, 100), g.call("random_get", DATA, 0)),
    "yield": lambda g: g.call("sched_yield"),
    "strings": lambda g: (g.call("args_sizes_get", RESULT, RESULT + 4), g.u64(), g.call("environ_get", DATA, DATA)),
    "close the directory": lambda g: (g.call("fd_close", 3), g.call("fd_prestat_get", 3, DATA), g.open(3, "file")),
}


@pytest.mark.parametrize("rights", ["fd_read", "fd_write", "both", "append"])
def test_descriptors(tmp_path: Path, rights: str) -> None:
    """One script of calls on descriptors, on a file that was opened in each way."""
    mask = {"fd_read": RIGHTS["fd_read"], "fd_write": RIGHTS["fd_write"]}.get(rights, READ_WRITE)
    answers = []
    for engine in (ours, theirs):
        root = tmp_path / engine.__name__
        fill(root)
        guest = engine(root)
        assert guest.open(3, "file", rights=mask, fdflags=rights == "append") == (0, 4)
        assert guest.open(3, "dir", DIRECTORY) == (0, 5)
        answers.append({name: call(guest) for name, call in DESCRIPTOR_CALLS.items()})
        answers[-1]["tree"] = tree(root)
    if rights == "fd_write":  # Linux and wasmtime agree that it can't be read, but not on which fault comes first
        assert answers[0].pop("no buffers")[0] == ERRNO["badf"]
        answers[1].pop("no buffers")
    assert answers[0] == answers[1]


def test_a_closed_stream_is_not_the_next_file(tmp_path: Path) -> None:
    """What a program prints after it closed its output must not end up in what it opens next."""
    fill(tmp_path / "root")
    guest = ours(tmp_path / "root")
    for stream in range(3):
        assert guest.call("fd_close", stream) == 0
    assert guest.open(3, "file", rights=READ_WRITE) == (0, 4)
    assert guest.write(1, b"printed")[0] == ERRNO["badf"]


def test_closing_the_standard_streams(tmp_path: Path) -> None:
    """They are gone for the guest; the host's stay open."""
    answers = []
    for engine in (ours, theirs):
        guest = engine(tmp_path)
        answers.append(
            [
                [guest.call("fd_close", fd) for fd in (0, 0, 2)],
                (guest.read(0, 4), guest.fdstat(0)[0], guest.filestat(0)[0], guest.call("fd_tell", 0, RESULT)),
                (guest.write(1, b"out"), guest.write(2, b"x")),
                (guest.call("fd_close", 1), guest.write(1, b"x"), guest.call("fd_renumber", 3, 1)),
            ]
        )
    assert answers[0] == answers[1]
    assert [os.fstat(fd).st_mode != 0 for fd in range(3)] == [True] * 3


@pytest.mark.parametrize(
    "oflags, fdflags, lookup", [(16, 0, 0), (0, 32, 0), (0, 0, 2), (CREAT | DIRECTORY, 0, 0), (TRUNC | DIRECTORY, 0, 0)]
)
def test_flags_that_mean_nothing(tmp_path: Path, oflags: int, fdflags: int, lookup: int) -> None:
    fill(tmp_path / "root")
    guest = ours(tmp_path / "root")
    assert guest.open(3, "file", oflags, READ_WRITE, fdflags=fdflags, lookup=lookup) == (ERRNO["inval"], None)
    assert (tmp_path / "root" / "file").read_bytes() == b"0123456789"


@pytest.mark.parametrize("lookup", [2, 3, 1 << 31, (1 << 32) - 1])
def test_lookup_flags_that_mean_nothing(tmp_path: Path, lookup: int) -> None:
    """Wasmtime traps."""
    fill(tmp_path / "root")
    guest = ours(tmp_path / "root")
    inval = ERRNO["inval"]
    assert guest.filestat(3, "file", lookup)[0] == inval
    assert guest.call("path_filestat_set_times", 3, lookup, *guest.path("file"), 1, 1, 5) == inval
    assert guest.two_paths("path_link", 3, "file", 3, "new", lookup) == inval
    assert not (tmp_path / "root" / "new").exists()
    assert (tmp_path / "root" / "file").stat().st_mtime > 1
