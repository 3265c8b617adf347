"""The folder of the cache: where it is, who may write into it, how large it may be, and locks of it.

It has no subfolders. What it holds is told by the suffix after a key of 64 hexadecimal digits::

    .so             an artifact
    .src            a source file that is known without being read: a symbolic link
    .code           the code of a module's functions, for the next pack of one like it
    .tier           what a process that packs in the background does
    lock            byte ranges of it are locked, by keys
    .wasmartifact.* files that don't have their names yet
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False  # a warm start should not pay for typing
if TYPE_CHECKING:
    from typing import Final

DEFAULT_SIZE_BYTES: Final = 2_000_000_000
#: Environment variable with the largest size of the cache in bytes.
SIZE_VARIABLE: Final = "WASMARTIFACT_CACHE_SIZE_BYTES"
KEY_DIGITS: Final = 64
#: Ranges of the lock: of who packs a module now, and of who packs it in the background.
PACKING: Final = 0
BUILDING: Final = 1 << 60
#: Packing in the background that failed is tried again after this time.
RETRY_SECONDS: Final = 3600
_FLOCK: Final = "hhqqi0q"  # struct flock: type, whence, start, length, process


def size_limit(size_bytes: int | None) -> int:
    """The largest size of the cache in bytes: as given, else of the environment, else the default."""
    text = os.environ.get(SIZE_VARIABLE, "") if size_bytes is None else str(size_bytes)
    if not text:
        return DEFAULT_SIZE_BYTES
    if not (text.isascii() and text.isdigit()):
        name = SIZE_VARIABLE if size_bytes is None else "cache_size_bytes"
        raise ValueError(f"{name} is {text!r}, expected a number of bytes")
    return int(text)


def open_folder(cache_dir: str | os.PathLike[str] | None) -> str:
    """Path of the cache's folder, which exists then and is safe to load code from.

    Raises
    ------
    OSError
        There is none and it can't be made; or it belongs to another user, or others may write into it.
    """
    folder = os.path.abspath(default_folder() if cache_dir is None else os.fsdecode(cache_dir))
    try:
        status = os.stat(folder)
    except FileNotFoundError:
        _make_private_folder(folder)
        status = os.stat(folder)
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(20, "not a directory, so that it can't be the cache", folder)
    if not is_ours(status):
        raise PermissionError(
            1, f"the cache must belong to user {os.geteuid()} and be writable by nobody else (chmod 700)", folder
        )
    return folder


def _make_private_folder(folder: str) -> None:
    """Make a folder and those above it that are missing; os.makedirs leaves the mode of the latter to the umask."""
    parent = os.path.dirname(folder)
    if not os.path.isdir(parent):
        _make_private_folder(parent)
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:  # another process was faster
        if not os.path.isdir(folder):
            raise


def default_folder() -> str:
    """Path of the cache's folder, which need not exist. Raises FileNotFoundError where there is no home for it."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # unset, empty, or relative, which the XDG specification says to ignore
        # expanduser would make the root of the file system of an empty HOME.
        base = "" if os.environ.get("HOME") == "" else os.path.expanduser("~/.cache")
    if not os.path.isabs(base):
        raise FileNotFoundError(2, "no home directory for the cache; set XDG_CACHE_HOME")
    return os.path.join(base, "wasmartifact")


def is_ours(status: os.stat_result) -> bool:
    """Whether nobody but this user (and root) could have written a file or a folder."""
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def state_path(folder: str, key: str) -> str:
    """What tells of a module that is packed in the background."""
    return os.path.join(folder, f"{key}.tier")


def is_resting(folder: str, key: str) -> bool:
    """Whether packing a module in the background failed, so that it is too early to try again.

    A stat tells: the state of work that failed has the time of the next attempt for its mtime. Most starts of a program
    on a machine without an optimising compiler end here, and import nothing for it.
    """
    from time import time

    try:
        wait_seconds = os.stat(state_path(folder, key), follow_symlinks=False).st_mtime - time()
    except OSError:
        return False
    return 0 < wait_seconds <= RETRY_SECONDS  # more: the clock was wrong


# ---- locks ---------------------------------------------------------------------------------------------------------


def lock(folder: str, key: str) -> int:
    """Wait until no other process or thread packs this module; the returned descriptor holds the lock.

    A lock of an open file description (not of a process, not a file that exists) ends with its last descriptor, so that
    nothing is left of a killed process.
    """
    import fcntl

    fd = _open_lock(folder)
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLKW, _range(fcntl.F_WRLCK, PACKING, key))
    except OSError:  # a file system without locks: then both pack, and the last one to finish wins
        return fd
    except BaseException:
        os.close(fd)
        raise
    return fd


def try_lock(folder: str, key: str) -> int | None:
    """Take the lock of building in the background; None where another process has it, or there are no locks.

    Who inherits the descriptor has the lock, too, whatever becomes of this process.
    """
    import fcntl

    fd = _open_lock(folder)
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _range(fcntl.F_WRLCK, BUILDING, key))
    except OSError:
        os.close(fd)
        return None
    return fd


def is_building(folder: str, key: str) -> bool:
    """Whether a process has the lock of `try_lock`."""
    import fcntl
    import struct

    fd = os.open(os.path.join(folder, "lock"), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        found = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, _range(fcntl.F_RDLCK, BUILDING, key))
        return bool(struct.unpack(_FLOCK, found)[0] != fcntl.F_UNLCK)
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(fd)


def unlock(fd: int) -> None:
    """Let the next one in: closing would not do while a child that was forked meanwhile has the descriptor, too."""
    import fcntl
    import struct

    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, struct.pack(_FLOCK, fcntl.F_UNLCK, os.SEEK_SET, 0, 0, 0))
    except OSError:  # a file system without locks
        pass
    finally:
        os.close(fd)


def _open_lock(folder: str) -> int:
    return os.open(os.path.join(folder, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _range(kind: int, purpose: int, key: str) -> bytes:
    import struct

    return struct.pack(_FLOCK, kind, os.SEEK_SET, purpose + int(key[:15], 16), 1, 0)
