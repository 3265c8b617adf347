"""A file for this process alone: in memory, else one in a temporary directory.

memfd_create is missing from Pythons that were built for an old C library, and some containers forbid it. A name for the
file is what /proc gives; where there is no /proc, a temporary file keeps its own one until it is closed.
"""

from __future__ import annotations

import os

from wasmartifact.errors import LoadError

TYPE_CHECKING = False  # a load from bytes should not pay for typing
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Final

COPY_BYTES: Final = 1 << 20
#: Where a temporary file may lie, after $TMPDIR; the first one is in memory, too.
_FOLDERS: Final = ("/dev/shm", "/tmp", "/var/tmp")


class ScratchFile:
    """An empty file, open for reading and writing.

    Parameters
    ----------
    label : str
        What a listing of descriptors shows.
    executable : bool
        Code will be mapped from it: not on a file system that is mounted noexec.
    sealable : bool
        `seal` will be called.

    Attributes
    ----------
    fd : int
        Its descriptor, closed by `close`. Who takes it over calls `forget_name` instead.
    path : str
        Leads to the file until then.

    Raises
    ------
    LoadError
        There is neither memory nor a directory for it; says what forbade each.
    OSError
        This process has too many open files.
    """

    def __init__(self, label: str, *, executable: bool = False, sealable: bool = False) -> None:
        self._name: str | None = None
        self._is_sealable = False
        refusals = []
        try:
            self.fd = os.memfd_create(label, os.MFD_CLOEXEC | (os.MFD_ALLOW_SEALING if sealable else 0))
            if _has_proc(self.fd):
                self.path = _proc_name(self.fd)
                self._is_sealable = sealable
                return
            os.close(self.fd)
            refusals.append("a file in memory has no path without /proc")
        except AttributeError:
            refusals.append("this Python has no memfd_create")
        except OSError as problem:
            if problem.errno in (23, 24):  # ENFILE, EMFILE: any other way takes a descriptor, too
                raise
            refusals.append(f"memfd_create: {problem.strerror}")
        for folder in filter(None, (os.environ.get("TMPDIR"), *_FOLDERS)):
            refusal = self._open_in(folder, label, executable)
            if refusal is None:
                return
            refusals.append(refusal)
        raise LoadError(
            f"there is no place for a temporary file ({'; '.join(refusals)}): allow memfd_create, or set TMPDIR to a "
            "directory that can be written to" + (" and is not mounted noexec" if executable else ""),
            refusals=tuple(refusals),
        )

    def _open_in(self, folder: str, label: str, executable: bool) -> str | None:
        """Open the file in a folder; why it can't be there, or None."""
        path = os.path.join(os.path.abspath(folder), f".{label}.{os.urandom(16).hex()}")
        try:
            self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as problem:
            return f"{folder}: {problem.strerror}"
        if executable and is_noexec(self.fd):
            os.unlink(path)
            os.close(self.fd)
            return f"{folder}: mounted noexec"
        self._name = self.path = path
        if _has_proc(self.fd):
            self.forget_name()
            self.path = _proc_name(self.fd)
        return None

    def write(self, chunks: Iterable[bytes]) -> None:
        """Append chunks."""
        for chunk in chunks:
            view = memoryview(chunk).cast("B")
            while view:
                view = view[os.write(self.fd, view) :]

    def seal(self) -> None:
        """From now on nobody can change the contents, not even this process. Only a file in memory can be sealed."""
        if self._is_sealable:
            import fcntl

            seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
            fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, seals)

    def forget_name(self) -> None:
        """Remove the file's own name, where it has one."""
        name, self._name = self._name, None
        if name is not None:
            os.unlink(name)

    def close(self) -> None:
        """Remove the file."""
        self.forget_name()
        os.close(self.fd)


def read_chunks(fd: int) -> Iterator[bytes]:
    """Contents of a file from its start."""
    offset = 0
    while chunk := os.pread(fd, COPY_BYTES, offset):
        yield chunk
        offset += len(chunk)


def is_noexec(fd: int) -> bool:
    """Whether the file lies on a file system from which no code may be mapped."""
    return bool(os.fstatvfs(fd).f_flag & os.ST_NOEXEC)


def _proc_name(fd: int) -> str:
    return f"/proc/{os.getpid()}/fd/{fd}"


def _has_proc(fd: int) -> bool:
    return os.path.exists(_proc_name(fd))
