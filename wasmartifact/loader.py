"""The load flow: look at the file before any of it runs, map its metadata, dlopen it, join the two.

Every step is O(1) in the module. docs/RATIONALE.md tells where each microsecond goes.
"""

from __future__ import annotations

import os
from _ctypes import dlclose, dlopen, dlsym  # ctypes.CDLL builds Python objects on top: 10 us a load, 3 ms an import

from wasmartifact.runtime.artifact import Artifact
from wasmartifact.runtime.native import types

TYPE_CHECKING = False  # errors and typing are imported when they are needed: they cost more than a load
if TYPE_CHECKING:
    from typing import Final

_RTLD_NOW: Final = os.RTLD_NOW | os.RTLD_LOCAL
_CONTENTS: Final = (bytes, bytearray, memoryview)


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
    if isinstance(path_or_bytes, _CONTENTS):
        path = None
        fd = _memory_file(path_or_bytes)
    else:
        path = os.fspath(path_or_bytes)
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO under the name must not hang us

    # Look before you load: head, section table, metadata header, directory, their checksum, host.
    try:
        native = types.NativeArtifact(fd, path)
    except BaseException:
        os.close(fd)
        raise
    try:
        _bind(native, path, fd)
    except BaseException:
        native.discard()  # now, not when the traceback that knows it goes
        raise
    return Artifact(native, path)


def _bind(native: types.NativeArtifact, path: str | None, fd: int) -> None:
    """Map the code by dlopen and join it with the metadata.

    glibc compares names first, so a path that was packed again while its old artifact is still loaded gives the old
    code; and the file under the name may have been replaced since we opened it. The build id tells; then the
    descriptor's own name leads to the very file that was checked. It is unique while the artifact lives, since the
    artifact keeps it open. It also serves files that were removed meanwhile, and paths with a dollar sign, in which
    glibc would replace $ORIGIN and the like.
    """
    refused = None
    if path is not None and "$" not in path:
        try:
            if _bind_name(native, path if "/" in path else f"./{path}") is None:
                return
        except OSError as problem:
            refused = problem
    try:
        fault = _bind_name(native, f"/proc/{os.getpid()}/fd/{fd}")
    except OSError as problem:
        from wasmartifact.errors import LoadError

        raise LoadError(
            f"the dynamic loader refused {path or 'the artifact'}: {refused or problem}; pack the module again, "
            "for this host",
            path=path,
        ) from None
    if fault is not None:
        from wasmartifact.runtime.native_errors import make_native_error

        raise make_native_error(*fault, path=path)


def _bind_name(native: types.NativeArtifact, name: str) -> types.Fault | None:
    """Bind the library that dlopen gives for a name; what is wrong with it, where it is another one; OSError: none."""
    handle = dlopen(name, _RTLD_NOW)
    try:
        anchor = dlsym(handle, types.ANCHOR_SYMBOL)
    except OSError:  # not even an artifact
        anchor = 0
    fault = native.bind(handle, anchor)
    if fault is not None:
        dlclose(handle)
    return fault


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
