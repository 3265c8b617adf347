"""wasi:filesystem for components: descriptors over the sandbox that preview 1 has, function for function.

A descriptor is a number of the same table that guests of preview 1 use, so the same limit holds, and the same code
resolves paths. It stays open as long as the descriptor, or a stream of it, lives.
"""

from __future__ import annotations

import os
from struct import unpack_from

from wasmartifact.runtime.component_types import Err
from wasmartifact.wasi import numbers
from wasmartifact.wasi.component_io import (
    NANOSECONDS,
    DescriptorInput,
    DescriptorOutput,
    InputStream,
    IoError,
    OutputStream,
    Refused,
    call,
    datetime,
    read,
    write,
)

TYPE_CHECKING = False  # importing typing costs more than a load
if TYPE_CHECKING:
    from typing import Any, Final

    from wasmartifact import _types as types

#: Most bytes of one read, whatever was asked for.
_READ_BYTES: Final = 1 << 20
#: Where a path lies in what the functions take for a guest's memory: behind the largest result, a filestat.
_PATH: Final = 64
_LISTING_BYTES, _ENTRY_BYTES, _LINK_BYTES = 8192, 24, 4096
#: descriptor-flags, in the order of WIT.
READ, WRITE, FILE_SYNC, DATA_SYNC, WRITE_SYNC, MUTATE = (1 << bit for bit in range(6))
_SYNCS: Final = (
    (FILE_SYNC, numbers.FDFLAG_SYNC), (DATA_SYNC, numbers.FDFLAG_DSYNC), (WRITE_SYNC, numbers.FDFLAG_RSYNC)
)  # fmt: skip
_ADVICE: Final = ("normal", "sequential", "random", "will-need", "dont-need", "no-reuse")
#: File types that have a position of each stream's own.
_SEEKABLE: Final = ("regular-file", "block-device")
_SECRET: Final = os.urandom(16)


class File:
    """An open descriptor of the program, closed when nothing has it any more.

    Parameters
    ----------
    host : WasiHost
        Whose it is.
    number : int
        Its number there.
    is_own : bool
        False for a preopened directory, which stays.
    """

    __slots__ = ("host", "is_own", "number")

    def __init__(self, host: types.WasiHost, number: int, is_own: bool) -> None:
        self.host = host
        self.number = number
        self.is_own = is_own

    def __del__(self) -> None:
        if self.is_own:
            self.host._close(self.number)


def duplicate(host: types.WasiHost, descriptor: int, direction: int) -> File:
    """A duplicate as a descriptor of the program. Raises OSError where it, or the process, has as many as it may."""
    own = os.dup(descriptor)
    try:
        return File(host, host._add_fd(own, direction), is_own=True)
    except OSError:
        os.close(own)
        raise


class _FileInput(InputStream):
    """A file from an offset on."""

    def __init__(self, file: File, offset: int) -> None:
        self.host = file.host
        self.file = file
        self.offset = offset

    def _take(self, size_bytes: int) -> bytes:
        data = read(self.host, numbers.FD_PREAD, self.file.number, size_bytes, self.offset)
        self.offset += len(data)
        return data


class _FileOutput(OutputStream):
    """Likewise, to be written."""

    def __init__(self, file: File, offset: int) -> None:
        self.host = file.host
        self.file = file
        self.offset = offset

    def _put(self, contents: Any) -> int:
        size = write(self.host, numbers.FD_PWRITE, self.file.number, contents, self.offset)
        self.offset += size
        return size


class DirectoryEntryStream:
    """What lies in a directory, but for "." and ".."."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.cookie = 0
        self.entries: list[tuple[int, bytes]] = []
        self.is_over = False

    def read_directory_entry(self) -> dict[str, Any] | None:
        """The next entry; None at the end."""
        while not self.entries and not self.is_over:
            self._list()
        if not self.entries:
            return None
        filetype, name = self.entries.pop()
        try:
            return {"type": numbers.DESCRIPTOR_TYPES[filetype], "name": name.decode()}
        except UnicodeDecodeError:
            raise Err("illegal-byte-sequence") from None

    def _list(self) -> None:
        memory = bytearray(_LISTING_BYTES + 4)
        _run(self.file, numbers.FD_READDIR, memory, 0, _LISTING_BYTES, self.cookie, _LISTING_BYTES)
        (used,) = unpack_from("<I", memory, _LISTING_BYTES)
        place = 0
        while place + _ENTRY_BYTES <= used:
            following, _, size, filetype = unpack_from("<QQIB", memory, place)
            end = place + _ENTRY_BYTES + size
            if end > used:
                break
            name = bytes(memory[place + _ENTRY_BYTES : end])
            if name not in (b".", b".."):
                self.entries.append((filetype, name))
            place, self.cookie = end, following
        self.entries.reverse()
        self.is_over = used < _LISTING_BYTES


def _run(file: File, number: int, memory: bytearray, *args: int) -> bytearray:
    """Call a function of WASI on a descriptor: the memory."""
    try:
        call(file.host, number, memory, file.number, *args)
    except Refused as refused:
        raise Err(refused.code) from None
    return memory


def _stat(memory: bytearray) -> dict[str, Any]:
    filetype, links, size, accessed, modified, changed = unpack_from("<16xB7xQQQQQ", memory)
    return {
        "type": numbers.DESCRIPTOR_TYPES[filetype],
        "link_count": links,
        "size": size,
        "data_access_timestamp": datetime(accessed),
        "data_modification_timestamp": datetime(modified),
        "status_change_timestamp": datetime(changed),
    }


def _times(access: Any, modification: Any) -> tuple[int, int, int]:
    """Arguments of a function that sets times: both, and what of them is to be set."""
    values, flags = [], 0
    for given, is_set, is_now in (
        (access, numbers.FST_ATIM, numbers.FST_ATIM_NOW),
        (modification, numbers.FST_MTIM, numbers.FST_MTIM_NOW),
    ):
        value = 0
        if given.case == "now":
            flags |= is_now
        elif given.case == "timestamp":
            flags |= is_set
            value = given.value.seconds * NANOSECONDS + given.value.nanoseconds
        if value >= 1 << 64:
            raise Err("overflow")
        values.append(value)
    return values[0], values[1], flags


def _hash(memory: bytearray) -> dict[str, int]:
    """Of the device and the inode, which it does not tell."""
    from _blake2 import blake2b

    lower, upper = unpack_from("<QQ", blake2b(memory[:16], digest_size=16, key=_SECRET).digest())
    return {"lower": lower, "upper": upper}


class Descriptor:
    """wasi:filesystem/types: an open file or directory.

    Parameters
    ----------
    file : File
        What is open.
    flags : int
        The descriptor-flags that it was opened with.
    """

    def __init__(self, file: File, flags: int) -> None:
        self.file = file
        self.flags = flags

    def _run(self, number: int, *args: int, result_bytes: int = 0) -> bytearray:
        return _run(self.file, number, bytearray(result_bytes), *args)

    def _at(self, number: int, path: str, *after: int, before: tuple[int, ...] = (), extra_bytes: int = 0) -> bytearray:
        """Call a function of the descriptor, a path, and more; behind the path is room for this many bytes."""
        text = path.encode()
        memory = bytearray(_PATH) + text + bytes(extra_bytes)
        return _run(self.file, number, memory, *before, _PATH, len(text), *after)

    def _two(self, number: int, old: str, other: Any, new: str, *before: int) -> None:
        """Call a function of a name in this directory and one in another."""
        if not isinstance(other, Descriptor) or other.file.host is not self.file.host:
            raise Err("cross-device")
        first, second = old.encode(), new.encode()
        memory = bytearray(_PATH) + first + second
        place = _PATH + len(first)
        _run(self.file, number, memory, *before, _PATH, len(first), other.file.number, place, len(second))

    def _type(self) -> str:
        return numbers.DESCRIPTOR_TYPES[self._run(numbers.FD_FDSTAT_GET, 0, result_bytes=24)[0]]

    def _openable(self, flag: int) -> str:
        """The type of what is to be read or written as a stream."""
        found = self._type()
        if found == "directory" or not self.flags & flag:
            raise Err("bad-descriptor")
        return found

    # Contents -----------------------------------------------------------------------------------------------------

    def read_via_stream(self, offset: int) -> InputStream:
        """Its contents from there on."""
        if self._openable(READ) in _SEEKABLE:
            return _FileInput(self.file, offset)
        return DescriptorInput(self.file.host, self.file.number, self.file)

    def write_via_stream(self, offset: int) -> OutputStream:
        """What is written there and behind."""
        if self._openable(WRITE) in _SEEKABLE:
            return _FileOutput(self.file, offset)
        return DescriptorOutput(self.file.host, self.file.number, self.file)

    def append_via_stream(self) -> OutputStream:
        """What is written at the end, wherever that is then."""
        appends = self._openable(WRITE) in _SEEKABLE
        number = numbers.FD_APPEND if appends else numbers.FD_WRITE
        return DescriptorOutput(self.file.host, self.file.number, self.file, number)

    def read(self, length: int, offset: int) -> tuple[bytes, bool]:
        """Bytes from an offset on, and whether that is the end."""
        try:
            size = min(length, _READ_BYTES)
            data = read(self.file.host, numbers.FD_PREAD, self.file.number, size, offset)
        except Refused as refused:
            raise Err(refused.code) from None
        return data, not data

    def write(self, buffer: bytes, offset: int) -> int:
        """How many bytes were written there."""
        try:
            return write(self.file.host, numbers.FD_PWRITE, self.file.number, buffer, offset)
        except Refused as refused:
            raise Err(refused.code) from None

    def advise(self, offset: int, length: int, advice: str) -> None:
        """How it is going to be used."""
        self._run(numbers.FD_ADVISE, offset, length, _ADVICE.index(advice))

    def set_size(self, size: int) -> None:
        """Cut it, or make it longer."""
        self._run(numbers.FD_FILESTAT_SET_SIZE, size)

    def sync(self) -> None:
        """Have all of it written."""
        self._run(numbers.FD_SYNC)

    def sync_data(self) -> None:
        """Have its data written."""
        self._run(numbers.FD_DATASYNC)

    # What is known of it ------------------------------------------------------------------------------------------

    def get_flags(self) -> int:
        """How it was opened."""
        return self.flags

    def get_type(self) -> str:
        """What it is."""
        return self._type()

    def stat(self) -> dict[str, Any]:
        """What is known of it."""
        return _stat(self._run(numbers.FD_FILESTAT_GET, 0, result_bytes=64))

    def stat_at(self, path_flags: int, path: str) -> dict[str, Any]:
        """What is known of what lies there."""
        return _stat(self._at(numbers.PATH_FILESTAT_GET, path, 0, before=(path_flags,)))

    def set_times(self, access: Any, modification: Any) -> None:
        """Set its times."""
        self._run(numbers.FD_FILESTAT_SET_TIMES, *_times(access, modification))

    def set_times_at(self, path_flags: int, path: str, access: Any, modification: Any) -> None:
        """Set the times of what lies there."""
        self._at(numbers.PATH_FILESTAT_SET_TIMES, path, *_times(access, modification), before=(path_flags,))

    def is_same_object(self, other: Any) -> bool:
        """Whether both are the same file."""
        if not isinstance(other, Descriptor):
            return False
        mine, its = (one._run(numbers.FD_FILESTAT_GET, 0, result_bytes=64)[:16] for one in (self, other))
        return mine == its

    def metadata_hash(self) -> dict[str, int]:
        """A number for its identity."""
        return _hash(self._run(numbers.FD_FILESTAT_GET, 0, result_bytes=64))

    def metadata_hash_at(self, path_flags: int, path: str) -> dict[str, int]:
        """A number for the identity of what lies there."""
        return _hash(self._at(numbers.PATH_FILESTAT_GET, path, 0, before=(path_flags,)))

    # Names in it --------------------------------------------------------------------------------------------------

    def open_at(self, path_flags: int, path: str, open_flags: int, flags: int) -> Descriptor:
        """Open what lies there."""
        rights = numbers.RIGHT_FD_READ | numbers.RIGHT_FD_READDIR if flags & READ else 0
        if flags & WRITE or open_flags & numbers.OFLAG_TRUNC:
            rights |= numbers.RIGHT_FD_WRITE
        syncs = sum(bit for flag, bit in _SYNCS if flags & flag)
        memory = self._at(numbers.PATH_OPEN, path, open_flags, rights, 0, syncs, 0, before=(path_flags,))
        return Descriptor(File(self.file.host, unpack_from("<I", memory)[0], True), int(flags))

    def read_directory(self) -> DirectoryEntryStream:
        """What lies in it."""
        if self._type() != "directory":
            raise Err("not-directory")
        return DirectoryEntryStream(self.file)

    def create_directory_at(self, path: str) -> None:
        """Make a directory."""
        self._at(numbers.PATH_CREATE_DIRECTORY, path)

    def remove_directory_at(self, path: str) -> None:
        """Remove an empty directory."""
        self._at(numbers.PATH_REMOVE_DIRECTORY, path)

    def unlink_file_at(self, path: str) -> None:
        """Remove a file."""
        self._at(numbers.PATH_UNLINK_FILE, path)

    def readlink_at(self, path: str) -> str:
        """What a symbolic link says."""
        place = _PATH + len(path.encode())
        memory = self._at(numbers.PATH_READLINK, path, place, _LINK_BYTES, 0, extra_bytes=_LINK_BYTES)
        try:
            return memory[place : place + unpack_from("<I", memory)[0]].decode()
        except UnicodeDecodeError:
            raise Err("illegal-byte-sequence") from None

    def symlink_at(self, old_path: str, new_path: str) -> None:
        """Make a symbolic link."""
        text, name = old_path.encode(), new_path.encode()
        memory, place = bytearray(_PATH) + text + name, _PATH + len(text)
        try:
            call(self.file.host, numbers.PATH_SYMLINK, memory, _PATH, len(text), self.file.number, place, len(name))
        except Refused as refused:
            raise Err(refused.code) from None

    def link_at(self, old_path_flags: int, old_path: str, other: Any, new_path: str) -> None:
        """Give a file another name."""
        self._two(numbers.PATH_LINK, old_path, other, new_path, old_path_flags)

    def rename_at(self, old_path: str, other: Any, new_path: str) -> None:
        """Give what lies there another name in its place."""
        self._two(numbers.PATH_RENAME, old_path, other, new_path)


def preopened(host: types.WasiHost, number: int, is_read_only: bool) -> Descriptor:
    """A preopened directory."""
    return Descriptor(File(host, number, False), READ if is_read_only else READ | MUTATE)


def error_code(problem: IoError) -> str | None:
    """The error-code of a stream's error, if it has one."""
    return getattr(problem, "code", None)
