"""The load flow: look at the file before any of it runs, map its metadata, dlopen it, join the two.

Every step is O(1) in the module. docs/RATIONALE.md tells where each microsecond goes.
"""

from __future__ import annotations

import os
from _ctypes import dlclose, dlopen, dlsym  # ctypes.CDLL builds Python objects on top: 10 us a load, 3 ms an import

from wasmartifact.constants import ANCHOR_SYMBOL
from wasmartifact.metadata.digests import check_load
from wasmartifact.runtime.artifact import Artifact
from wasmartifact.runtime.native import ffi, lib

TYPE_CHECKING = False  # errors and typing are imported when they are needed: they cost more than a load
if TYPE_CHECKING:
    from typing import Any, Final, NoReturn

_RTLD_NOW: Final = os.RTLD_NOW | os.RTLD_LOCAL
#: O_NONBLOCK: a FIFO under the name must not hang us; regular files ignore it.
_OPEN_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK


def load(path_or_bytes: str | os.PathLike[str] | bytes) -> Artifact:
    """Load an artifact; the time does not depend on the module's size.

    Parameters
    ----------
    path_or_bytes : str | os.PathLike | bytes
        Path of a file that `pack` wrote, or its contents (which go through an anonymous file in memory).

    Raises
    ------
    BadMagic, VersionMismatch, CorruptArtifact, IncompatibleHost
        What is wrong with the file or this host; found before anything of the file is executed.
    LoadError
        The dynamic loader refused the file.
    OSError
        The file can't be opened.
    """
    if isinstance(path_or_bytes, bytes | bytearray | memoryview):
        path = None
        fd = _memory_file(path_or_bytes)
    else:
        path = os.fspath(path_or_bytes)
        fd = os.open(path, _OPEN_FLAGS)

    # Look before you load: head, section table, metadata header, directory, host.
    error = ffi.new("wa_error *")
    native = lib.wa_artifact_open(fd, error)
    if not native:
        os.close(fd)
        _fail(error, path)
    try:
        size = ffi.new("uint64_t *")
        section = ffi.buffer(lib.wa_artifact_section(native, size), size[0])
        head = ffi.buffer(lib.wa_artifact_head(native, size), size[0])
        check_load(head, section, path)
        _bind(native, path, fd, error)
    except BaseException:
        lib.wa_artifact_release(native)
        raise
    return Artifact(native, path)


def _bind(native: Any, path: str | None, fd: int, error: Any) -> None:
    """Map the code by dlopen and join it with the metadata.

    glibc compares names first, so a path that was packed again while its old artifact is still loaded gives the old
    code; and the file under the name may have been replaced since we opened it. The build id tells; then the
    descriptor's own name leads to the very file that was checked. It is unique while the artifact lives, since the
    artifact keeps it open. It also serves paths with a dollar sign, in which glibc would replace $ORIGIN and the like.
    """
    if path is not None and "$" not in path and _bind_name(native, path if "/" in path else f"./{path}", error):
        return
    if not _bind_name(native, f"/proc/{os.getpid()}/fd/{fd}", error):
        _fail(error, path)


def _bind_name(native: Any, name: str, error: Any) -> bool:
    """Bind the library that dlopen gives for a name; False where it is another one."""
    handle = _dlopen(name)
    try:
        anchor = ffi.cast("void *", dlsym(handle, ANCHOR_SYMBOL))
    except OSError:  # not even an artifact
        anchor = ffi.NULL
    if lib.wa_artifact_bind(native, ffi.cast("void *", handle), anchor, error) == 0:
        return True
    dlclose(handle)
    return False


def _fail(error: Any, path: str | None) -> NoReturn:
    from wasmartifact.runtime.native_errors import raise_native_error

    raise_native_error(error, path=path)


def _dlopen(name: str) -> int:
    try:
        return dlopen(name, _RTLD_NOW)
    except OSError as problem:
        from wasmartifact.errors import LoadError

        raise LoadError(
            f"the dynamic loader refused {name}: {problem}; pack the module again, for this host", path=name
        ) from None


def _memory_file(contents: bytes | bytearray | memoryview) -> int:
    """A descriptor of an anonymous file with these contents."""
    fd = os.memfd_create("wasmartifact", os.MFD_CLOEXEC)
    try:
        view = memoryview(contents).cast("B")
        while view:
            view = view[os.write(fd, view) :]
    except BaseException:
        os.close(fd)
        raise
    return fd
