"""Directories of WASI 0.2 and commands, by programs of preview 1 that the public adapter made components.

What is right is what Linux does, or wasmtime with the same component.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import wasmtime

import wasmartifact as wa
from tests.component import adapted
from tests.unit.wasi.guest import ALL_RIGHTS, CREAT, DIRECTORY, EXCL, RIGHTS, TRUNC, Guest
from tests.unit.wasi.test_pairs import CALLS, check_as_linux
from tests.unit.wasi.test_sandbox import SECRET, ways_out

READ_WRITE = RIGHTS["fd_read"] | RIGHTS["fd_write"]
NAMES = ("new", "new/", "file", "file/x", "dir", "dir/", "dir/..", "", "todir/", "dangling", "..dir", "empty/")
#: Prints its arguments, one per line, and a variable; exits with the number of arguments.
HELLO = """(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (call $sizes (i32.const 0) (i32.const 4)))
    (drop (call $args (i32.const 64) (i32.const 1024)))
    (i32.store (i32.const 16) (i32.const 1024))
    (i32.store (i32.const 20) (i32.load (i32.const 4)))
    (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 8)))
    (if (i32.gt_u (i32.load (i32.const 0)) (i32.const 1)) (then (call $exit (i32.const 1))))))"""


@pytest.mark.parametrize("walks", [False, True], ids=["openat2", "walk"])
@pytest.mark.parametrize("name", CALLS)
def test_calls_with_two_paths_are_linux(tmp_path: Path, name: str, walks: bool) -> None:
    check_as_linux(tmp_path, name, NAMES, lambda directory: adapted.ours(directory, walks=walks))


@pytest.mark.parametrize("walks", [False, True], ids=["openat2", "walk"])
def test_no_way_leads_out(tmp_path: Path, walks: bool) -> None:
    root = tmp_path / "root"
    (root / "a" / "b" / "c").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(SECRET)
    (tmp_path / "secret").write_bytes(SECRET)
    guest, opened = adapted.ours(root, walks=walks), 0
    for way in ways_out(root):
        for oflags, rights in ((0, READ_WRITE), (CREAT, READ_WRITE), (TRUNC, READ_WRITE), (DIRECTORY, ALL_RIGHTS)):
            errno, fd = guest.open(3, way, oflags, rights)
            if errno == 0 and fd is not None:
                opened += 1
                assert guest.read(fd, 100)[1] != SECRET, way
                assert b"secret" not in {entry[3] for entry in guest.entries(fd)[1]}, way
                guest.call("fd_close", fd)
        guest.with_path("path_unlink_file", 3, way)
        guest.two_paths("path_rename", 3, "a", 3, way)
    assert (tmp_path / "secret").read_bytes() == (tmp_path / "outside" / "secret").read_bytes() == SECRET
    assert sorted(os.listdir(tmp_path)) == ["outside", "root", "secret"]
    assert os.listdir(tmp_path / "outside") == ["secret"]


def session(guest: Guest) -> Iterator[Any]:
    """What a program does with files, and what it sees."""
    errno, fd = guest.open(3, "new", CREAT | EXCL, READ_WRITE)
    yield errno
    assert fd is not None
    yield guest.write(fd, b"0123456789")
    yield guest.seek(fd, 3, 0)
    yield guest.read(fd, 4)
    yield guest.seek(fd, -2, 2)
    yield guest.write(fd, b"abcdef")
    yield guest.call("fd_filestat_set_size", fd, 12)
    yield guest.call("fd_filestat_set_times", fd, 10**18, 2 * 10**18, 0b0101)
    errno, stat = guest.filestat(fd)
    yield errno, {name: stat[name] for name in ("filetype", "nlink", "size", "atim", "mtim")}
    yield guest.call("fd_sync", fd), guest.call("fd_datasync", fd), guest.call("fd_advise", fd, 0, 0, 1)
    yield guest.call("fd_close", fd), guest.call("fd_close", fd)
    yield guest.open(3, "new", CREAT | EXCL, READ_WRITE)[0]
    yield guest.open(3, "new/", 0)[0], guest.open(3, "absent")[0], guest.open(3, "new", DIRECTORY)[0]
    errno, fd = guest.open(3, "new", 0, READ_WRITE, fdflags=1)
    yield errno
    assert fd is not None
    yield guest.write(fd, b"appended")
    yield guest.filestat(3, "new")[1]["size"]
    yield guest.with_path("path_create_directory", 3, "made"), guest.with_path("path_create_directory", 3, "made")
    yield guest.symlink("new", 3, "made/link"), guest.readlink(3, "made/link"), guest.readlink(3, "new")
    yield sorted(entry[2:] for entry in guest.entries(3)[1])
    yield guest.with_path("path_remove_directory", 3, "made"), guest.with_path("path_unlink_file", 3, "made")
    yield guest.with_path("path_unlink_file", 3, "made/link"), guest.with_path("path_remove_directory", 3, "made")
    yield guest.with_path("path_unlink_file", 3, "new"), guest.filestat(3, "new")[0]


def test_a_session_is_as_under_wasmtime(tmp_path: Path) -> None:
    seen = []
    for name, make in (("ours", adapted.ours), ("theirs", adapted.theirs)):
        (tmp_path / name).mkdir()
        seen.append(list(session(make(tmp_path / name))))
        assert os.listdir(tmp_path / name) == []
    assert seen[0] == seen[1]


def test_a_directory_without_leave_to_change_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"kept")
    guest = adapted.ours(tmp_path, preopen=wa.ReadOnly(tmp_path))
    errno, fd = guest.open(3, "file")
    assert errno == 0 and fd is not None
    assert guest.read(fd, 100) == (0, b"kept")
    changes: tuple[Callable[[], int], ...] = (
        lambda: guest.open(3, "new", CREAT, READ_WRITE)[0],
        lambda: guest.open(3, "file", TRUNC, READ_WRITE)[0],
        lambda: guest.with_path("path_unlink_file", 3, "file"),
        lambda: guest.with_path("path_create_directory", 3, "dir"),
        lambda: guest.two_paths("path_rename", 3, "file", 3, "other"),
    )
    assert all(change() != 0 for change in changes)
    assert [path.name for path in tmp_path.iterdir()] == ["file"] and (tmp_path / "file").read_bytes() == b"kept"


@pytest.mark.parametrize("arguments", [(), ("one", "two")])
def test_commands_run(tmp_path: Path, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Packed and not, by `wa.run` and from the shell."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    component = tmp_path / "hello.wasm"
    component.write_bytes(adapted.adapt(bytes(wasmtime.wat2wasm(HELLO))))
    wa.pack(component, tmp_path / "hello.so", opt_level=0)
    for program in (component, tmp_path / "hello.so"):
        expected = ("".join(f"{text}\0" for text in (program.name, *arguments)).encode(), 1 if arguments else 0)
        with (tmp_path / "out").open("wb") as output:
            code = wa.run(program, arguments, stdout=output)
        assert ((tmp_path / "out").read_bytes(), code) == expected
        command = [sys.executable, "-m", "wasmartifact", "run", "--opt-level", "0", str(program), "--", *arguments]
        done = subprocess.run(command, capture_output=True, check=False)
        assert (done.stdout, done.returncode, done.stderr) == (*expected, b"")


def test_what_is_no_command_says_so(tmp_path: Path) -> None:
    wa.pack(
        b'(component (core module $m (func (export "f"))) (core instance $i (instantiate $m)) '
        b'(func (export "f") (canon lift (core func $i "f"))))',
        tmp_path / "a.so",
        opt_level=0,
    )
    with pytest.raises(ValueError, match="is no command: it exports f"):
        wa.run(tmp_path / "a.so")
