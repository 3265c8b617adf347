"""Writing an artifact: to a path, so that it appears whole or not at all, or into a device, a pipe or an open file."""

from __future__ import annotations

import errno
import os
import select
import stat
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from wasmartifact.arguments import wrong_type
from wasmartifact.host.scratch import ScratchFile
from wasmartifact.schema import TEMPORARY_PREFIX, Buffer

_BATCH_BYTES: Final = 4 << 20
_BATCH_CHUNKS: Final = 64
#: Where links stand for open files.
_OPEN_FILES: Final = "/proc/"
#: Linux follows as many symbolic links in one path.
_MAX_LINKS: Final = 40


def resolve_output(output: str | os.PathLike[str] | int) -> str | int:
    """An output as a path, which an artifact can go to, or as an open descriptor.

    Raises
    ------
    TypeError
        It is neither.
    OSError
        As `check_output` does.
    """
    if isinstance(output, bool) or not isinstance(output, str | bytes | os.PathLike | int):
        raise wrong_type("output", output, "a path or an open descriptor")
    if isinstance(output, int):
        return output
    path = os.fsdecode(output)
    check_output(path)
    return path


def check_output(output: str | os.PathLike[str]) -> None:
    """Find out before the work whether an artifact can go to a path.

    Raises
    ------
    IsADirectoryError, FileNotFoundError, NotADirectoryError, PermissionError
        It is a directory, or there is no directory to hold it, or a device that this user may not write into.
    OSError
        It is a socket, or as the file system gives it.
    """
    path = _follow_links(output)
    mode = _mode(path)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "the output is a directory, expected a path for the artifact", path)
    if stat.S_ISSOCK(mode):
        raise OSError(errno.ENXIO, "the output is a socket, expected a path for the artifact", path)
    if mode:
        if not stat.S_ISREG(mode) and not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, "no permission to write into the output", path)
        return
    folder = os.path.dirname(path)
    if not os.path.exists(folder):
        raise FileNotFoundError(errno.ENOENT, "no such directory for the output; create it first", folder)
    if not os.path.isdir(folder):
        raise NotADirectoryError(errno.ENOTDIR, "not a directory, so that it can't hold the output", folder)


def write_output(
    output: str | os.PathLike[str] | int, chunks: Iterable[Buffer], *, check: Callable[[str], None]
) -> None:
    """Write chunks to whatever the output is, checked before anybody can take them for an artifact.

    A file is replaced, atomically, at the end of the symbolic links that its path may go through. What is no file (a
    device, a FIFO, an open file by its name in /proc, a descriptor) stays what it is and is written into.

    Raises
    ------
    OSError
        As the system gives it, with the output's name.
    """
    try:
        if isinstance(output, int):
            write_descriptor(output, chunks, check=check)
            return
        path = _follow_links(output)
        mode = _mode(path)
        if not mode or (stat.S_ISREG(mode) and not path.startswith(_OPEN_FILES)):
            write_atomically(path, chunks, check=check)
            return
        fd = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            _write_checked(fd, chunks, check)
        finally:
            os.close(fd)
    except OSError as problem:
        if problem.filename is None:
            problem.filename = output if isinstance(output, int) else os.fspath(output)
        raise


def absolute_path(path: str | os.PathLike[str]) -> str:
    """The path from the root. Raises FileNotFoundError where it is relative to a working directory that was removed."""
    try:
        return os.path.abspath(os.fsdecode(path))
    except FileNotFoundError:
        name = os.fsdecode(path)
        raise FileNotFoundError(
            errno.ENOENT, "the working directory was removed; give a path from the root", name
        ) from None


def _follow_links(output: str | os.PathLike[str]) -> str:
    """Absolute path of what symbolic links lead to, whether it exists or not.

    A link in /proc is not followed: it stands for an open file (`/dev/stdout`), whose name may be gone or another's.
    """
    path = absolute_path(output)
    for _ in range(_MAX_LINKS):
        if not os.path.islink(path):
            return path
        folder = os.path.realpath(os.path.dirname(path))
        if folder.startswith(_OPEN_FILES):
            return os.path.join(folder, os.path.basename(path))
        path = os.path.normpath(os.path.join(folder, os.readlink(path)))
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fspath(output))


def _mode(path: str) -> int:
    """Mode of what a path names, 0 where there is nothing."""
    try:
        return os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0


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
    temporary = os.path.join(folder, f"{TEMPORARY_PREFIX}{os.urandom(16).hex()}")
    try:
        if not os.path.isdir("/proc/self/fd"):  # a nameless file gets its name from there
            raise FileNotFoundError
        fd = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o666)
        is_named = False
    except (OSError, AttributeError):
        try:
            fd = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o666)
        except OSError as problem:
            problem.filename = path
            raise
        is_named = True
    try:
        write_descriptor(fd, chunks, check=check, path=temporary if is_named else None)
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


def write_descriptor(
    fd: int, chunks: Iterable[Buffer], *, check: Callable[[str], None], path: str | None = None
) -> None:
    """Write chunks to an open file, which stays the caller's, and check them as `write_atomically` does.

    An empty file is checked in place, by its ``path`` or else its name in /proc; what can't be read back so, or holds
    something already, gets what was checked.

    Raises
    ------
    OSError
        As the file system gives it; the file may hold a part then.
    """
    status = os.fstat(fd)
    path = path or f"/proc/self/fd/{fd}"
    if not stat.S_ISREG(status.st_mode) or status.st_size or not os.path.exists(path):
        _write_checked(fd, chunks, check)
        return
    for batch in _batches(chunks):
        _write_all(fd, batch)
    check(path)


def _write_checked(fd: int, chunks: Iterable[Buffer], check: Callable[[str], None]) -> None:
    """Write chunks to what may not be readable, after a check of a copy."""
    chunks = list(chunks)
    copy = ScratchFile("wasmartifact")
    try:
        write_descriptor(copy.fd, chunks, check=check, path=copy.path)
    finally:
        copy.close()
    for batch in _batches(chunks):
        _write_all(fd, batch)


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
    while views:
        try:
            written = os.writev(fd, views)
        except BlockingIOError:  # a pipe that another process made non-blocking
            select.select([], [fd], [])
            continue
        while views and written >= len(views[0]):
            written -= len(views.pop(0))
        if written:
            views[0] = views[0][written:]


def _sync_folder(folder: str) -> None:
    """Make the new name durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
