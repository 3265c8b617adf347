"""No way leads out of a preopened directory: links, "..", absolute paths, /proc, renames while the guest looks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

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
    Guest,
    Ours,
    ours,
)

SECRET = b"the secret"
READ_WRITE = RIGHTS["fd_read"] | RIGHTS["fd_write"]
RACE_SECONDS = 1.5


@pytest.fixture(params=[False, True], ids=["openat2", "walk"])
def walks(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory for the guest, beside a secret that it must not reach."""
    made = tmp_path / "root"
    (made / "a" / "b" / "c").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(SECRET)
    (tmp_path / "secret").write_bytes(SECRET)
    return made


def ways_out(root: Path) -> Iterator[str]:
    """Links that lead out, made by the host; then paths that do."""
    outside = root.parent / "outside"
    links = {
        "up": "..",
        "up_file": "../secret",
        "deep": "a/b/../../../secret",
        "absolute": str(outside),
        "absolute_file": str(outside / "secret"),
        "absolute_self": str(root / "a"),
        "chain3": "chain2",
        "chain2": "a/chain1",
        "a/chain1": "../../secret",
        "a/b/climb": "../../..",
        "here_up": "./../secret",
        "proc": "/proc/self/root",
        "cwd": "/proc/self/cwd",
        "slashes": "..//secret",
    }
    for name, target in links.items():
        os.symlink(target, root / name)
    for name in links:
        yield name
        yield f"{name}/"
        yield f"{name}/secret"
        yield f"{name}/outside/secret"
    yield from (
        "..",
        "../",
        "../secret",
        "a/../../secret",
        "./../secret",
        "a/b/c/../../../../secret",
        "a/..//../secret",
    )
    yield from ("/", "/secret", "//secret", str(outside / "secret"), "/proc/self/environ", "../root/../secret")
    yield from ("../root/a", "../root", f"../{root.name}/a/b")


def test_no_path_leads_out(root: Path, tmp_path: Path, walks: bool) -> None:
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "secret", tmp_path / "outside" / "secret")}
    guest = ours(root, walks=walks)
    reached = []
    for path in ways_out(root):
        answers = {
            "open": guest.open(3, path)[0],
            "open a directory": guest.open(3, path, DIRECTORY)[0],
            "create": guest.open(3, path, CREAT | TRUNC, READ_WRITE)[0],
            "stat": guest.filestat(3, path)[0],
            "set times": guest.call("path_filestat_set_times", 3, FOLLOW, *guest.path(path), 1, 1, 5),
            "list": guest.open(3, path + "/.", DIRECTORY)[0],
            "make": guest.with_path("path_create_directory", 3, path + "/made"),
            "unlink": guest.with_path("path_unlink_file", 3, path + "/secret"),
            "unlink up": guest.with_path("path_unlink_file", 3, path + "/../secret"),
            "rename": guest.two_paths("path_rename", 3, path + "/secret", 3, "stolen"),
            "link": guest.two_paths("path_link", 3, path + "/secret", 3, "stolen", 0),
            "link through": guest.two_paths("path_link", 3, path + "/", 3, "stolen", 0),
            "symlink": guest.symlink("x", 3, path + "/made"),
        }
        reached += [(path, name) for name, answer in answers.items() if answer == 0]
    # What lies in the directory itself may be named by a detour only where no step leaves it.
    assert not reached
    assert not (root / "stolen").exists()
    for secret, mtime in before.items():
        assert secret.read_bytes() == SECRET
        assert secret.stat().st_mtime_ns == mtime
    assert sorted(os.listdir(tmp_path)) == ["outside", "root", "secret"]
    assert os.listdir(tmp_path / "outside") == ["secret"]


def test_absolute_links_are_neither_made_nor_read(root: Path, walks: bool) -> None:
    guest = ours(root, walks=walks)
    assert guest.symlink("/etc/passwd", 3, "mine") == ERRNO["perm"]
    os.symlink("/etc/passwd", root / "theirs")
    assert guest.readlink(3, "theirs") == (ERRNO["perm"], None)
    assert guest.symlink("../secret", 3, "up") == 0  # it can be made, as anywhere; it can't be followed
    assert guest.open(3, "up") == (ERRNO["perm"], None)


def test_links_inside_work(root: Path, walks: bool) -> None:
    (root / "a" / "b" / "file").write_bytes(b"inside")
    links = {"one": "a/b/file", "two": "one", "a/back": "../two", "dir": "a/b", "around": "a/../dir/../b/./file"}
    for name, target in links.items():
        os.symlink(target, root / name)
    guest = ours(root, walks=walks)
    for path in ("one", "two", "a/back", "dir/file", "dir/../b/file", "around", "a/b/c/../file", "./a/./b//file"):
        errno, fd = guest.open(3, path)
        assert (errno, path) == (0, path)
        assert fd is not None
        assert guest.read(fd, 100) == (0, b"inside")
        assert guest.call("fd_close", fd) == 0


def test_many_links(root: Path, walks: bool) -> None:
    """As many as Linux follows, 40, and one more; a loop ends too."""
    (root / "link0").write_bytes(b"end")
    for number in range(1, 42):
        os.symlink(f"link{number - 1}", root / f"link{number}")
    os.symlink("pong", root / "ping")
    os.symlink("./ping", root / "pong")
    guest = ours(root, walks=walks)
    assert guest.open(3, "link40")[0] == 0
    assert guest.open(3, "link41") == (ERRNO["loop"], None)
    assert guest.open(3, "ping") == (ERRNO["loop"], None)
    assert guest.open(3, "ping/x") == (ERRNO["loop"], None)


def test_magic_links_of_proc(walks: bool) -> None:
    """A process that may look into /proc must not get at the host's descriptors, root or working directory by it."""
    guest = ours(Path("/proc/self"), walks=walks)
    with open("/etc/passwd", "rb") as opened:
        names = [f"fd/{opened.fileno()}", "root/etc/passwd", "cwd/x", "exe", "root", f"task/{os.getpid()}/root/etc"]
        for name in names:
            errno, fd = guest.open(3, name)
            assert (name, fd, errno in {ERRNO["loop"], ERRNO["perm"], ERRNO["xdev"]}) == (name, None, True)


def test_a_hard_link_of_a_read_only_file_is_none_to_write(tmp_path: Path) -> None:
    for name in ("kept", "free"):
        (tmp_path / name).mkdir()
    (tmp_path / "kept" / "file").write_bytes(SECRET)
    wasi = wa.Wasi(preopens={"/kept": wa.ReadOnly(tmp_path / "kept"), "/free": tmp_path / "free"})
    guest = Guest(Ours(wasi))
    assert guest.two_paths("path_link", 3, "file", 4, "file", 0) == ERRNO["rofs"]
    assert guest.two_paths("path_rename", 3, "file", 4, "file") == ERRNO["rofs"]
    assert os.listdir(tmp_path / "free") == []


def test_read_only(root: Path, walks: bool) -> None:
    (root / "file").write_bytes(SECRET)
    before = (root / "file").stat()
    guest = ours(root, preopen=wa.ReadOnly(root), walks=walks)
    assert guest.open(3, "file") == (0, 4)
    assert guest.open(3, "a", DIRECTORY) == (0, 5)
    assert guest.read(4, 100) == (0, SECRET)
    assert [entry[3] for entry in guest.entries(5)[1] if not entry[3].startswith(b".")] == [b"b"]
    rofs = ERRNO["rofs"]
    answers = [
        guest.open(3, "file", rights=READ_WRITE)[0],
        guest.open(3, "file", rights=RIGHTS["fd_write"])[0],
        guest.open(3, "new", CREAT)[0],
        guest.open(3, "file", TRUNC)[0],
        guest.open(5, "new", CREAT)[0],
        guest.with_path("path_create_directory", 3, "new"),
        guest.with_path("path_create_directory", 5, "new"),
        guest.with_path("path_unlink_file", 3, "file"),
        guest.with_path("path_remove_directory", 3, "a/b/c"),
        guest.symlink("x", 3, "new"),
        guest.two_paths("path_rename", 3, "file", 3, "new"),
        guest.two_paths("path_link", 3, "file", 3, "new", 0),
        guest.call("path_filestat_set_times", 3, 0, *guest.path("file"), 1, 1, 5),
        guest.call("fd_filestat_set_times", 4, 1, 1, 5),
        guest.call("fd_filestat_set_times", 5, 1, 1, 5),
        guest.call("fd_filestat_set_size", 4, 0),
        guest.call("fd_allocate", 4, 0, 100),
    ]
    assert answers == [rofs] * len(answers)
    assert guest.write(4, b"x")[0] == ERRNO["badf"]
    after = (root / "file").stat()
    assert (after.st_mtime_ns, after.st_size, after.st_nlink) == (before.st_mtime_ns, before.st_size, before.st_nlink)
    assert sorted(os.listdir(root)) == ["a", "file"]


def test_the_parent_of_the_directory_shows_no_inode(root: Path) -> None:
    found = {name: inode for _, inode, _, name in ours(root).entries(3)[1]}
    assert found[b".."] == 0
    assert found[b"."] == root.stat().st_ino


#: A second process that swaps a directory inside for a link out of it, and a directory for one further up, without end.
SWAPPER = """
import os, sys, ctypes
root = sys.argv[1]
os.chdir(root)
libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, EXCHANGE = -100, 2
print("ready", flush=True)
while True:
    libc.renameat2(AT_FDCWD, b"deep/x/y", AT_FDCWD, b"../outside/y", EXCHANGE)
    libc.renameat2(AT_FDCWD, b"swap", AT_FDCWD, b"trap", EXCHANGE)
    libc.renameat2(AT_FDCWD, b"deep/x/y", AT_FDCWD, b"moved", EXCHANGE)
    libc.renameat2(AT_FDCWD, b"file", AT_FDCWD, b"filetrap", EXCHANGE)
"""


def test_races(root: Path, tmp_path: Path, walks: bool) -> None:
    """The guest opens, stats, lists, links and removes while names change between a directory and a way out."""
    for name in ("swap", "deep/x/y/z", "moved"):
        (root / name).mkdir(parents=True)
    (root / "swap" / "secret").write_bytes(b"mine")
    (root / "file").write_bytes(b"mine")
    os.symlink("../outside", root / "trap")
    os.symlink("../secret", root / "filetrap")
    guest = ours(root, walks=walks)
    (tmp_path / "outside" / "y").mkdir()
    before = (tmp_path / "outside" / "secret").stat().st_mtime_ns
    # Where "deep/x/y" is moved up or out meanwhile, the way through ".." of the last two ends at the secrets.
    paths = (
        *("swap/secret", "file", "swap/../file"),
        *(
            "deep/x/y/z/../../../../swap/secret",
            "deep/x/y/../../../../secret",
            "deep/x/y/../../secret",
            "deep/x/y/../secret",
        ),
    )
    outcomes: set[int] = set()
    with subprocess.Popen([sys.executable, "-c", SWAPPER, str(root)], stdout=subprocess.PIPE) as swapper:
        assert swapper.stdout is not None
        assert swapper.stdout.readline() == b"ready\n"
        end = time.monotonic() + RACE_SECONDS
        while time.monotonic() < end:
            for path in paths:
                errno, fd = guest.open(3, path)
                outcomes.add(errno)
                if fd is not None:
                    assert guest.read(fd, 100) == (0, b"mine")
                    assert guest.call("fd_close", fd) == 0
                errno, status = guest.filestat(3, path)
                assert errno != 0 or status["size"] in {4, len("../secret")}
            errno = guest.two_paths("path_link", 3, "swap/secret", 3, "stolen", 0)
            if errno == 0:
                assert (root / "stolen").read_bytes() == b"mine"
                assert guest.with_path("path_unlink_file", 3, "stolen") == 0
            change_what_is_there(guest)
        swapper.kill()
    assert {0, ERRNO["perm"]} <= outcomes  # both sides of the race were seen
    assert sorted(os.listdir(tmp_path / "outside")) == ["secret", "y"]
    assert (tmp_path / "outside" / "secret").read_bytes() == (tmp_path / "secret").read_bytes() == SECRET
    assert (tmp_path / "outside" / "secret").stat().st_mtime_ns == before


def change_what_is_there(guest: Guest) -> None:
    """Every call that changes something, on names that lead out from time to time; what happens inside is undone."""
    guest.call("path_filestat_set_times", 3, FOLLOW, *guest.path("swap/secret"), 1, 1, 5)
    guest.with_path("path_create_directory", 3, "swap/made")
    guest.with_path("path_remove_directory", 3, "swap/made")
    guest.symlink("x", 3, "swap/link")
    guest.with_path("path_unlink_file", 3, "swap/link")
    guest.two_paths("path_rename", 3, "swap/secret", 3, "kept")
    guest.two_paths("path_rename", 3, "kept", 3, "swap/secret")
    _, fd = guest.open(3, "swap/new", CREAT | TRUNC, READ_WRITE)
    if fd is not None:
        assert guest.write(fd, b"mine") == (0, 4)
        guest.call("fd_close", fd)
    guest.with_path("path_unlink_file", 3, "swap/new")


def test_nothing_of_the_process_leaks(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WASI_TEST_SECRET", "1")
    guest = Guest(Ours(wa.Wasi()))
    assert guest.call("args_sizes_get", RESULT, RESULT + 4) == 0
    assert guest.u64() == 0
    assert guest.call("environ_sizes_get", RESULT, RESULT + 4) == 0
    assert guest.u64() == 0
    with open(root / "opened", "wb"):
        assert [fd for fd in range(64) if guest.fdstat(fd)[0] == 0] == [0, 1, 2]
    assert guest.read(0, 10) == (0, b"")


def test_descriptors_do_not_pass_to_children(root: Path) -> None:
    (root / "opened_by_guest").write_bytes(b"")
    guest = ours(root, walks=False)
    assert guest.open(3, "opened_by_guest", rights=ALL_RIGHTS)[0] == 0
    assert guest.open(3, "a", DIRECTORY)[0] == 0
    flags = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            continue
        if target.startswith(str(root)):
            flags[target] = os.get_inheritable(int(name))
    assert flags == dict.fromkeys((str(root), str(root / "opened_by_guest"), str(root / "a")), False)
    assert guest.call("fd_readdir", 3, DATA, 4096, 0, OTHER_PATH) == 0
