"""The load flow: look at the file before any of it runs, map its metadata, dlopen it, join the two.

Every step is O(1) in the module. docs/RATIONALE.md tells where each microsecond goes.
"""

from __future__ import annotations

import os
from _ctypes import dlclose, dlopen, dlsym  # ctypes.CDLL builds Python objects on top: 10 us a load, 3 ms an import

from wasmartifact import _types as types
from wasmartifact.runtime.artifact import Artifact

TYPE_CHECKING = False  # errors and typing are imported when they are needed: they cost more than a load
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Final, TypeAlias

    from wasmartifact.errors import LoadError
    from wasmartifact.host.keys import Key

    #: Raises where an open file, whose path is for messages, is not to be trusted.
    Check: TypeAlias = Callable[[int, str | None], None]

_RTLD_NOW: Final = os.RTLD_NOW | os.RTLD_LOCAL
#: O_NONBLOCK: a FIFO under the name must not hang us; regular files ignore it.
_OPEN_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_CONTENTS: Final = (bytes, bytearray, memoryview)
_TOO_MANY_FILES: Final = (23, 24)  # ENFILE, EMFILE, without the import of errno
#: The class of components, once there was one: an import statement takes a quarter of a load's instructions, each time.
_COMPONENT: Final[list[type[Artifact]]] = []


def load(
    path_or_bytes: str | os.PathLike[str] | bytes,
    *,
    verify: bool = False,
    key: Key | None = None,
    private: bool = False,
) -> Artifact:
    """Load an artifact; the time does not depend on the module's size, unless it is asked for more.

    An artifact is code. To run one that others can write to, or that came over a network, ask for ``key`` and
    ``private``: then what was checked is what runs, whatever becomes of the file.

    Parameters
    ----------
    path_or_bytes : str | os.PathLike | bytes
        Path of a file that `pack` wrote, or its contents, which go through a file in memory. So do those of a file
        from which the dynamic loader can't map code: on a file system that is mounted noexec, say.
    verify : bool
        Check all that `verify` does before anything of the file is executed; takes time for every byte. Who writes
        into the file afterwards still changes what runs, if it is not ``private``.
    key : str | os.PathLike | bytes | Ed25519PublicKey | None
        The public key that it must be signed with, as for `verify`, which this implies.
    private : bool
        Run from a copy in memory, which is sealed: nobody can write to it, and a file that is cut short does not end
        the process. Each load has a copy of its own. Where the system forbids files in memory, the copy is a file
        without a name.

    Returns
    -------
    Artifact
        Ready to be instantiated any number of times. Code stays mapped until it and its instances are gone.

    Raises
    ------
    BadMagic, VersionMismatch, CorruptArtifact, IncompatibleHost
        What is wrong with the file or this host; found before anything of the file is executed.
    BadSignature
        It is not signed with this key.
    ValueError
        The key can't be read.
    LoadError
        The dynamic loader refused the file, there is no place for the contents, or too many files are open.
    OSError
        The file can't be opened.

    Examples
    --------
    >>> artifact = wa.load("module.wasm.so")
    >>> artifact.instantiate({"env": {"log": print}}).exports.add(2, 3)
    5
    """
    check = _make_check(key) if verify or key is not None else None
    if verify not in (True, False) or private not in (True, False):
        from wasmartifact.arguments import check_flags

        check_flags(verify=verify, private=private)
    if isinstance(path_or_bytes, _CONTENTS):
        return _load_contents((path_or_bytes,), None, check, is_sealed=private or check is not None)
    path = os.fspath(path_or_bytes)
    if type(path) is not str:
        path = os.fsdecode(path)
    try:
        fd = os.open(path, _OPEN_FLAGS)
    except OSError as problem:
        if problem.errno not in _TOO_MANY_FILES:
            raise
        raise _refused(path, problem) from None
    if private:
        return _load_private(fd, path, check)
    if check is not None:
        _apply(check, fd, path)
    native = _look(fd, path)
    try:
        # What was checked is this open file: its name may lead to another one by now.
        refusal = _bind(native, fd, path if check is None else None, path)
        if refusal is None:
            return _component(native, path) if native.is_component else Artifact(native, path)
        if _can_copy_help(fd):
            return _load_copy(fd, path, check)
        refusal = _descriptor_problem(fd) or refusal
    except BaseException:
        native.discard()  # now, not when the traceback that knows it goes
        raise
    native.discard()
    raise _refused(path, refusal)


def _component(native: types.NativeArtifact, path: str | None) -> Artifact:
    """The face of an artifact whose module is a flattened component."""
    if not _COMPONENT:
        from wasmartifact.runtime.component import Component

        _COMPONENT.append(Component)
    return _COMPONENT[0](native, path)


def _look(fd: int, path: str | None) -> types.NativeArtifact:
    """Look before you load: head, section table, metadata header, directory, their checksum, host."""
    try:
        return types.NativeArtifact(fd, path)
    except MemoryError:
        from errno import ENOMEM

        os.close(fd)
        raise _refused(path, OSError(ENOMEM, os.strerror(ENOMEM))) from None
    except Exception as problem:
        try:
            from wasmartifact.diagnosis import explain
        except (OSError, MemoryError, ValueError, SystemError):  # as in _refused
            os.close(fd)
            raise problem from None
        try:
            raise explain(fd, path, problem) from None
        finally:
            os.close(fd)


def _bind(native: types.NativeArtifact, fd: int, name: str | None, path: str | None) -> OSError | None:
    """Map the code by dlopen and join it with the metadata; None, or why the dynamic loader did not.

    ``name`` is that of the file, ``path`` what an error tells of it.

    glibc compares names first, so a path that was packed again while its old artifact is still loaded gives the old
    code; and the file under the name may have been replaced since we opened it. The build id tells; then the
    descriptor's own name leads to the very file that was checked. It is unique while the artifact lives, since the
    artifact keeps it open. It also serves files that were removed meanwhile, and paths with a dollar sign, in which
    glibc would replace $ORIGIN and the like.
    """
    refusal = None
    if name is not None and "$" not in name:
        try:
            if _bind_name(native, name if "/" in name else f"./{name}") is None:
                return None
        except OSError as problem:
            refusal = problem
    try:
        fault = _bind_name(native, f"/proc/{os.getpid()}/fd/{fd}")
    except OSError as problem:
        return refusal or problem
    if fault is not None:
        from wasmartifact.runtime.native_errors import make_native_error

        raise make_native_error(*fault, path=path)
    return None


def _bind_name(native: types.NativeArtifact, name: str) -> types._Fault | None:
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


# What is checked, or runs from a copy --------------------------------------------------------------------------------


def _make_check(key: Key | None) -> Check:
    """The check of all that `verify` looks at, with or without a signature."""
    from wasmartifact.verifier import verify_open

    public = None
    if key is not None:
        from wasmartifact.host.keys import read_public_key

        public = read_public_key(key)
    return lambda fd, path: verify_open(fd, path, public)


def _apply(check: Check, fd: int, path: str) -> None:
    """Check an open file, and close it where it fails."""
    try:
        check(fd, path)
    except BaseException:
        os.close(fd)
        raise


def _load_private(fd: int, path: str, check: Check | None) -> Artifact:
    """Load a sealed copy of a file, which is closed."""
    from wasmartifact.diagnosis import no_file

    try:
        problem = no_file(fd, path)
        if problem is not None:
            raise problem
        # A copy takes memory for each byte, so look first: no artifact is longer than it says.
        _look(_duplicate(fd, path), path).discard()
        return _load_copy(fd, path, check, is_sealed=True)
    finally:
        os.close(fd)


def _load_contents(
    chunks: Iterable[bytes], path: str | None, check: Check | None = None, *, is_sealed: bool = False
) -> Artifact:
    """Load an artifact through a file of our own; ``path`` is where the contents come from."""
    from wasmartifact.host.scratch import ScratchFile

    try:
        scratch = ScratchFile("wasmartifact", executable=True, sealable=is_sealed)
        try:
            scratch.write(chunks)
            scratch.seal()
            if check is not None:
                check(scratch.fd, path)
        except BaseException:
            scratch.close()
            raise
    except OSError as problem:
        raise _refused(path, problem) from None
    try:
        native = _look(scratch.fd, path)
        try:
            refusal = _bind(native, scratch.fd, scratch.path, path)
            if refusal is None:
                return _component(native, path) if native.is_component else Artifact(native, path)
            refusal = _descriptor_problem(scratch.fd) or refusal
        except BaseException:
            native.discard()
            raise
    finally:
        scratch.forget_name()
    native.discard()
    raise _refused(path, refusal)


# What the surroundings forbid ---------------------------------------------------------------------------------------


def _can_copy_help(fd: int) -> bool:
    """Whether dlopen may map a copy of what it did not map from its own file.

    That is so where the file system is mounted noexec, and where the file's own name leads elsewhere and there is no
    /proc to name it otherwise.
    """
    return bool(os.fstatvfs(fd).f_flag & os.ST_NOEXEC) or not os.path.exists(f"/proc/{os.getpid()}/fd/{fd}")


def _load_copy(fd: int, path: str, check: Check | None = None, *, is_sealed: bool = False) -> Artifact:
    """Load a copy of an open file."""
    from wasmartifact.errors import LoadError
    from wasmartifact.host.scratch import is_noexec, read_chunks

    try:
        return _load_contents(read_chunks(fd), path, check, is_sealed=is_sealed)
    except LoadError as problem:
        if not is_noexec(fd):
            raise
        raise LoadError(
            f"{path} lies on a file system that is mounted noexec, and a copy can't be loaded either ({problem}); "
            "move it to a file system without noexec",
            path=path,
        ) from None


def _duplicate(fd: int, path: str) -> int:
    """Another descriptor of an open file."""
    try:
        return os.dup(fd)
    except OSError as problem:
        raise _refused(path, problem) from None


def _descriptor_problem(fd: int) -> OSError | None:
    """The error of opening another file where there are too many. dlopen has words alone, in any language."""
    try:
        os.close(os.dup(fd))
    except OSError as problem:
        return problem
    return None


def _refused(path: str | None, refusal: OSError) -> LoadError:
    """The error for what was refused, with what can be done about it. dlopen's refusals have no number.

    Raises
    ------
    OSError
        The refusal itself, where too many files are open for the import of that class, or memory is short for it.
    """
    try:
        from wasmartifact.errors import LoadError
        from wasmartifact.host.limits import limit_advice, memory_advice
    except (OSError, MemoryError, ValueError, SystemError):  # the parser's words for no memory, see helpers.c
        raise refusal from None

    what = path or "the artifact"
    if refusal.errno is None:
        advice = memory_advice() or "pack the module again, for this host"
        return LoadError(f"the dynamic loader refused {what}: {refusal}; {advice}", path=path)
    limit = limit_advice(refusal)
    return LoadError(f"{what} can't be loaded: {refusal.strerror}{f'; {limit}' if limit else ''}", path=path)
