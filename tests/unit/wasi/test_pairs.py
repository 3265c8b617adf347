"""Calls with two paths, path_link and path_rename: every kind of name with every other, by what Linux does."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Final

import pytest

import wasmartifact as wa
from tests.unit.wasi.guest import ERRNO, Guest, Ours, ours
from tests.unit.wasi.test_open import fill as fill_with_links
from tests.unit.wasi.test_open import wasi_errno

Call = Callable[[Guest, str, str], int]
Native = Callable[[int, str, str], None]

CALLS: Final[dict[str, tuple[Call, Native]]] = {
    "path_link": (
        lambda guest, old, new: guest.two_paths("path_link", 3, old, 3, new, 0),
        lambda at, old, new: os.link(old, new, src_dir_fd=at, dst_dir_fd=at, follow_symlinks=False),
    ),
    "path_rename": (
        lambda guest, old, new: guest.two_paths("path_rename", 3, old, 3, new),
        lambda at, old, new: os.rename(old, new, src_dir_fd=at, dst_dir_fd=at),
    ),
}
#: Among others names that begin like the parent directory's, and what lies behind links to directories.
NAMES: Final = (
    "new", "new/", "new/x", "file", "file/", "file/x", "dir", "dir/", "dir/.", "dir/..", "dir/inner", ".", "", "todir",
    "todir/", "todir/..", "todirslash/", "dangling", "dangling/", "loop/", "..dir", "..dir/", "..new/", "..file/",
    ".dir/", "empty/",
)  # fmt: skip
#: Errnos of a name that isn't found.
LOST: Final = {ERRNO["noent"], ERRNO["notdir"], ERRNO["loop"]}


def fill(root: Path) -> None:
    fill_with_links(root)
    for name in ("..dir", ".dir", "empty"):
        (root / name).mkdir()
    (root / "..file").write_bytes(b"two dots")


def tree(root: Path) -> list[tuple[str, str | bytes]]:
    """Names, and what they stand for."""

    def entries(directory: Path) -> Iterator[tuple[str, str | bytes]]:
        for entry in os.scandir(directory):
            name = str(Path(entry.path).relative_to(root))
            if entry.is_symlink():
                yield name, os.readlink(entry.path)
            elif entry.is_dir():
                yield name, "directory"
                yield from entries(Path(entry.path))
            else:
                yield name, Path(entry.path).read_bytes()

    return sorted(entries(root))


def by_linux(native: Native, root: Path, old: str, new: str) -> int:
    directory = os.open(root, os.O_RDONLY)
    try:
        native(directory, old, new)
    except OSError as problem:
        return wasi_errno(problem)
    finally:
        os.close(directory)
    return 0


def check_as_linux(folder: Path, name: str, names: Sequence[str], make: Callable[[Path], Guest]) -> None:
    """Errno and tree. A link to a directory is refused only after the new name was looked at.

    Where neither name is found, either one's errno is right. ``make`` gives a guest with a directory as descriptor 3.
    """
    call, native = CALLS[name]
    mine, theirs, fresh = folder / "mine", folder / "theirs", 0
    fill(mine)
    fill(theirs)
    start = tree(mine)
    guest = make(mine)
    for old, new in product(names, names):
        found, expected = call(guest, old, new), by_linux(native, theirs, old, new)
        after = tree(mine)
        if found != expected and expected in LOST:
            expected = by_linux(native, theirs, "file", new)
        assert (found, after) == (expected, tree(theirs)), (old, new)
        if after != start:
            fresh += 1
            mine, theirs = folder / f"mine{fresh}", folder / f"theirs{fresh}"
            fill(mine)
            fill(theirs)
            guest = make(mine)
    assert fresh > 0


@pytest.mark.parametrize("walks", [False, True], ids=["openat2", "walk"])
@pytest.mark.parametrize("name", CALLS)
def test_as_linux(tmp_path: Path, name: str, walks: bool) -> None:
    check_as_linux(tmp_path, name, NAMES, lambda directory: ours(directory, walks=walks))


@pytest.mark.parametrize("name", CALLS)
def test_between_file_systems(tmp_path: Path, name: str) -> None:
    """EXDEV, which tells a program to copy; EPERM would tell it to give up."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        if os.stat(other).st_dev == os.stat(tmp_path).st_dev:
            pytest.skip("/dev/shm is of the same file system as temporary files")
        (tmp_path / "file").write_bytes(b"contents")
        (tmp_path / "dir").mkdir()
        guest = Guest(Ours(wa.Wasi(preopens={"/": tmp_path, "/other": other})))
        flags = (0,) if name == "path_link" else ()
        for source in ("file", "dir", "dir/", "dir/."):
            found = guest.two_paths(name, 3, source, 4, "new", *flags)
            try:
                (os.link if flags else os.rename)(f"{tmp_path}/{source}", f"{other}/new")
            except OSError as problem:
                assert found == wasi_errno(problem), source
            else:
                pytest.fail("Linux did what it can't do")
        assert guest.two_paths(name, 3, "file", 4, "new", *flags) == ERRNO["xdev"]
