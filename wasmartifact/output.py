"""Writing an artifact: to a path, so that it appears whole or not at all, or to an open file."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from typing import Final

Buffer = bytes | bytearray | memoryview
_BATCH_BYTES: Final = 4 << 20
_BATCH_CHUNKS: Final = 64


def check_output(output: str | os.PathLike[str]) -> None:
    """Find out before the work whether the output can be a file's path.

    Raises
    ------
    IsADirectoryError, FileNotFoundError, NotADirectoryError
        It is a directory, or there is no directory to hold it.
    OSError
        As the file system gives it.
    """
    path = os.path.abspath(os.fspath(output))
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, "the output is a directory, expected a path for the artifact", path)
    folder = os.path.dirname(path)
    if not os.path.exists(folder):
        raise FileNotFoundError(errno.ENOENT, "no such directory for the output; create it first", folder)
    if not os.path.isdir(folder):
        raise NotADirectoryError(errno.ENOTDIR, "not a directory, so that it can't hold the output", folder)


def write_atomically(output: str | os.PathLike[str], chunks: Iterable[Buffer], *, check: Callable[[str], None]) -> None:
    """Write chunks to a nameless file beside the output, check it, then give it the output's name.

    Until then the file has no name, so that a killed process leaves nothing behind. Only where an output is replaced it
    has a hidden temporary name from one system call to the next; and from the start on file systems without nameless
    files. That name is removed on every failure short of a kill.

    Parameters
    ----------
    output : str | os.PathLike
        Final path; replaced if it exists.
    chunks : iterable of buffers
        Contents in order.
    check : callable
        Called with a path of the finished contents before they get their name; what it raises ends the write.

    Raises
    ------
    OSError
        As the file system gives it.
    """
    path = os.path.abspath(os.fspath(output))
    folder = os.path.dirname(path)
    temporary = os.path.join(folder, f".wasmartifact.{secrets.token_hex(16)}")
    try:
        fd = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o666)
        is_named = False
    except (OSError, AttributeError):
        fd = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o666)
        is_named = True
    try:
        write_descriptor(fd, chunks, check=check)
        os.fsync(fd)
        if is_named or not _give_name(fd, path):
            is_named = is_named or _give_name(fd, temporary)
            os.rename(temporary, path)
            is_named = False
        _sync_folder(folder)
    finally:
        os.close(fd)
        if is_named:
            os.unlink(temporary)


def write_descriptor(fd: int, chunks: Iterable[Buffer], *, check: Callable[[str], None]) -> None:
    """Write chunks to an open file, which stays the caller's, and check it as `write_atomically` does.

    Raises
    ------
    OSError
        As the file system gives it; the file may hold a part then.
    """
    for batch in _batches(chunks):
        _write_all(fd, batch)
    check(f"/proc/self/fd/{fd}")


def _give_name(fd: int, path: str) -> bool:
    """Link a nameless file to a path; False where something has that name already."""
    try:
        # With a directory descriptor Python calls linkat with AT_SYMLINK_FOLLOW, which naming such a file takes.
        os.link(f"/proc/self/fd/{fd}", path, src_dir_fd=fd, follow_symlinks=True)
    except FileExistsError:
        return False
    return True


def _batches(chunks: Iterable[Buffer]) -> Iterator[list[memoryview]]:
    """What one system call writes. Small writes would leave small pieces in the page cache, which are slower to map."""
    batch, size_bytes = [], 0
    for chunk in chunks:
        batch.append(memoryview(chunk).cast("B"))
        size_bytes += len(batch[-1])
        if size_bytes >= _BATCH_BYTES or len(batch) == _BATCH_CHUNKS:
            yield batch
            batch, size_bytes = [], 0
    yield batch


def _write_all(fd: int, views: list[memoryview]) -> None:
    while views := [view for view in views if view]:
        written = os.writev(fd, views)
        for number, view in enumerate(views):
            done = min(written, len(view))
            views[number], written = view[done:], written - done


def _sync_folder(folder: str) -> None:
    """Make the new name durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
