"""Writing a file so that it appears whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable

Buffer = bytes | bytearray | memoryview


def write_atomically(output: str | os.PathLike[str], chunks: Iterable[Buffer], *, check: Callable[[str], None]) -> None:
    """Write chunks to a nameless file beside the output, check it, then give it the output's name.

    Until then the file has no name, so that a killed process leaves nothing behind. File systems without nameless files
    get a hidden temporary name, which is removed on every failure short of a kill.

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
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path} is a directory, expected a path for the artifact")
    folder = os.path.dirname(path)
    temporary = os.path.join(folder, f".{os.path.basename(path)[:200]}.{secrets.token_hex(8)}")
    try:
        fd = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o666)
        is_named = False
    except (OSError, AttributeError):
        fd = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o666)
        is_named = True
    try:
        for chunk in chunks:
            _write_all(fd, chunk)
        check(f"/proc/self/fd/{fd}")
        os.fsync(fd)
        if not is_named:
            # With a directory descriptor Python calls linkat with AT_SYMLINK_FOLLOW, which naming such a file takes.
            os.link(f"/proc/self/fd/{fd}", temporary, src_dir_fd=fd, follow_symlinks=True)
            is_named = True
        os.rename(temporary, path)
        is_named = False
        _sync_folder(folder)
    finally:
        os.close(fd)
        if is_named:
            os.unlink(temporary)


def _write_all(fd: int, chunk: Buffer) -> None:
    view = memoryview(chunk).cast("B")
    while view:
        view = view[os.write(fd, view) :]


def _sync_folder(folder: str) -> None:
    """Make the new name durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
