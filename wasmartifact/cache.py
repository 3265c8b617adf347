"""The cache of packed modules: `compile` packs a module at most once per machine.

One flat folder holds everything::

    <key>.so        an artifact; the key is a digest of the module's bytes and of all that the code depends on
    <name>.src      what a source file was packed to: the name is a digest of its path and the same dependencies, the
                    text of this symbolic link is ``<key>.so#<identity>#<path>``, the identity a digest of its stat
    lock            byte ranges of it are locked, one per key, while a module is packed
    .wasmartifact.* files that don't have their names yet

A warm start is a stat, a readlink and a load: it neither reads the module nor imports the packer.
"""

from __future__ import annotations

import os
import stat
from _blake2 import blake2b  # not hashlib: loading OpenSSL costs more than a load
from _frozen_importlib_external import PathFinder  # what importlib.util uses, without its import

from wasmartifact.constants import FORMAT_VERSION, RUNTIME_ABI, TEMPORARY_PREFIX
from wasmartifact.loader import load
from wasmartifact.version import VERSION

TYPE_CHECKING = False  # typing, errors and the packer are imported when they are needed
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor
    from typing import Any, Final

    from wasmartifact.host.scratch import ScratchFile
    from wasmartifact.limits import PackLimits
    from wasmartifact.runtime.artifact import Artifact

DEFAULT_SIZE_BYTES: Final = 2_000_000_000
#: Environment variable with the largest size of the cache in bytes.
SIZE_VARIABLE: Final = "WASMARTIFACT_CACHE_SIZE_BYTES"
#: A use within this time of the last one that was recorded is not recorded: a warm start writes nothing.
USE_PRECISION_NS: Final = 3_600 * 10**9
#: Sources that are known without being read: copies under names that never come again must not pile up.
MAX_LINKS: Final = 1000
#: Time stamps come from the kernel's tick (10 ms at most); file systems without fractions of seconds step by 1 or 2 s.
FINE_STEP_NS: Final = 100 * 10**6
COARSE_STEP_NS: Final = 2 * 10**9
#: A file that waits for its name gets it in far less time, unless the process that wrote it died.
LEFTOVER_AGE_NS: Final = 3_600 * 10**9
_DIGEST_DIGITS: Final = 64
_FLOCK: Final = "hhqqi0q"  # struct flock: type, whence, start, length, process


def compile(
    source: str | os.PathLike[str] | bytes,
    *,
    opt_level: int = 2,
    cpu: str = "baseline",
    target: str | None = None,
    jobs: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    fuel: bool = False,
    limits: PackLimits | None = None,
    executor: Executor | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    cache_size_bytes: int | None = None,
    warn: Callable[[str], None] | None = None,
) -> Artifact:
    """Load a module's artifact from the cache; pack the module into it first where it isn't there yet.

    Processes and threads that ask for the same module at the same time wait for the one that packs it. Where the cache
    can't be used (no home, read-only, full, others could write into it), the module is packed for this call alone and
    a RuntimeWarning says why.

    Parameters
    ----------
    source : str | os.PathLike | bytes
        Path of a .wasm or .wat file, or its bytes. An unchanged file is recognised by its stat and not read again.
    opt_level, cpu, target, jobs, progress, fuel, limits, executor : optional
        As for `pack`; all but those that change the code are of no account when the artifact is there already.
    cache_dir : str | os.PathLike | None
        Folder of the cache; None for ``$XDG_CACHE_HOME/wasmartifact``, which is ``~/.cache/wasmartifact`` by default.
        Made with mode 0700 if need be; its parent must be one that only trusted users can write to.
    cache_size_bytes : int | None
        Once a module was packed, the artifacts that were not used for the longest time are removed until this size is
        kept; None for the environment variable WASMARTIFACT_CACHE_SIZE_BYTES, which is 2 GB by default.
    warn : callable | None
        Called with words instead of that warning.

    Returns
    -------
    Artifact
        Loaded from the cache, or from memory where that can't be used.

    Raises
    ------
    MalformedModule, InvalidModule, UnsupportedModule, ToolchainError, LimitExceeded
        As for `pack`.
    LoadError
        The artifact does not load here, not even freshly packed: a foreign target.
    ValueError
        An option is out of range.
    OSError
        The source can't be read.

    Examples
    --------
    >>> wa.compile("module.wat", opt_level=0).instantiate({"env": {"log": print}}).exports.add(2, 3)
    5
    """
    limit_bytes = size_limit(cache_size_bytes)
    recipe = f"{_toolchain(cpu)} {opt_level!r} {cpu!r} {target!r}{' fuel' if fuel else ''}"
    options = {
        "opt_level": opt_level, "cpu": cpu, "target": target, "jobs": jobs, "progress": progress, "fuel": fuel,
        "limits": limits, "executor": executor,
    }  # fmt: skip
    packing = _Packing(options, _warn if warn is None else warn)
    try:
        folder = open_folder(cache_dir)
    except OSError as problem:
        return packing.into_memory(_read(source, recipe)[0], problem)
    return _compile(folder, source, recipe, packing, limit_bytes)


def _compile(
    folder: str,
    source: str | os.PathLike[str] | bytes,
    recipe: str,
    packing: _Packing,
    limit_bytes: int,
) -> Artifact:
    """`compile` with a folder to use."""
    link = None
    if not isinstance(source, bytes | bytearray | memoryview):
        link = os.path.join(folder, f"{_digest(recipe, _absolute(source))}.src")
        name = _linked(link, _identity(os.stat(source), recipe))
        artifact = _load_cached(os.path.join(folder, name), link) if name else None
        if artifact is not None:
            return artifact

    contents, identity = _read(source, recipe)
    key = _digest(recipe, contents)
    path = os.path.join(folder, f"{key}.so")
    try:
        lock = _lock(folder, key)
    except OSError as problem:  # read-only: then what is there serves all the same
        artifact = _load_cached(path)
        return artifact if artifact is not None else packing.into_memory(contents, problem)
    try:
        artifact = _load_cached(path)
        if artifact is None:
            artifact = packing.into_cache(path, contents)
            _sweep_if_possible(folder, limit_bytes)
        if link is not None and identity is not None:
            _point(link, f"{key}.so#{identity}#{_absolute(source)}")
            _sweep_if_possible(folder, limit_bytes)
    finally:
        _unlock(lock)
    return artifact


# ---- what an artifact depends on ----------------------------------------------------------------------------------


def _toolchain(cpu: str) -> str:
    """All that decides about the code besides the module and the options, as text."""
    host = _cpu_features() if cpu == "native" else ""
    machine, c_library = os.uname().machine, os.confstr("CS_GNU_LIBC_VERSION")
    return f"{VERSION} {FORMAT_VERSION} {RUNTIME_ABI} {_llvm_version()} {machine} {c_library} {host}"


def _cpu_features() -> str:
    """The features of this host that code may use."""
    from wasmartifact._native import lib

    return f"{lib.wa_host_cpu_features():x}"


def _llvm_version() -> str:
    """What tells versions of the code generator apart: llvmlite's version file, found without importing llvmlite.

    Frozen and zipped programs have no such file; there the import tells, which does not load LLVM.
    """
    spec = PathFinder.find_spec("llvmlite")
    try:
        if spec is not None and spec.origin is not None:
            with open(os.path.join(os.path.dirname(spec.origin), "_version.py"), "rb", buffering=0) as file:
                return _digest(file.read())
    except OSError:
        pass
    from wasmartifact.host.packages import stated_version

    return stated_version("llvmlite")


def _digest(*parts: str | bytes) -> str:
    """Hexadecimal digest of a sequence of texts and buffers."""
    digest = blake2b(digest_size=_DIGEST_DIGITS // 2)
    for part in parts:
        data = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


def _identity(status: os.stat_result, recipe: str) -> str:
    """What a source file is known by without reading it."""
    return _digest(
        f"{status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}", recipe
    )


def _read(source: str | os.PathLike[str] | bytes, recipe: str) -> tuple[bytes, str | None]:
    """Contents of a source, and the identity that may stand for them: None where its stat can't be trusted.

    A file that changes within one step of its time stamps after it was read may look like the one that was read.
    So its stat only counts when it was older than that step by then; and it must be the same before and after.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source), None
    from time import time_ns

    from wasmartifact.host.input import read_input

    with open(source, "rb") as file:
        before, start_ns = os.fstat(file.fileno()), time_ns()
        contents = read_input(file, os.fsdecode(source))
        after = os.fstat(file.fileno())
    # Whoever sets mtime changes ctime, which nobody can set.
    step_ns = FINE_STEP_NS if before.st_ctime_ns % 10**9 else COARSE_STEP_NS
    identity = _identity(before, recipe)
    is_steady = stat.S_ISREG(before.st_mode) and identity == _identity(after, recipe)
    is_old = before.st_ctime_ns + step_ns < start_ns
    return contents, identity if is_steady and is_old else None


def _absolute(source: str | os.PathLike[str] | bytes) -> str:
    """A source's path, whatever the working directory; as it is where there is none."""
    path = os.fsdecode(source)
    try:
        return os.path.abspath(path)
    except FileNotFoundError:
        return path


def _linked(link: str, identity: str) -> str | None:
    """Name of the artifact of a source that has this identity."""
    try:
        name, _, rest = os.readlink(link).partition("#")
    except OSError:
        return None
    return name if rest.partition("#")[0] == identity else None


# ---- the folder ----------------------------------------------------------------------------------------------------


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
    if not _is_ours(status):
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


def _is_ours(status: os.stat_result) -> bool:
    """Whether nobody but this user (and root) could have written a file or a folder."""
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _load_cached(path: str, link: str | None = None) -> Artifact | None:
    """Load an artifact of the cache, found by a link or not; None where there is none, or none that may be used."""
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode) or not _is_ours(status):
            return None
        artifact = load(path)
    except FileNotFoundError:
        return None
    except Exception as problem:
        from wasmartifact.errors import ArtifactError, LoadError

        if not isinstance(problem, ArtifactError | LoadError | OSError):
            raise
        return None  # damaged, or of another machine: it is packed again
    _record_use(path, status, link)
    return artifact


def _record_use(path: str, status: os.stat_result, link: str | None) -> None:
    """Let mtime be the time of the last use."""
    from time import time_ns

    if abs(time_ns() - status.st_mtime_ns) > USE_PRECISION_NS:  # in the future: the clock was wrong for a while
        try:
            os.utime(path)
            if link is not None:
                os.utime(link, follow_symlinks=False)
        except OSError:  # evicted meanwhile, or read-only
            return


def _lock(folder: str, key: str) -> int:
    """Wait until no other process or thread packs this module; the returned descriptor holds the lock.

    A lock of an open file description (not of a process, not a file that exists) ends with its last descriptor, so that
    nothing is left of a killed process.
    """
    import fcntl
    import struct

    fd = os.open(os.path.join(folder, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        start = int(key[:15], 16)
        fcntl.fcntl(fd, fcntl.F_OFD_SETLKW, struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, start, 1, 0))
    except OSError:  # a file system without locks: then both pack, and the last one to finish wins
        return fd
    except BaseException:
        os.close(fd)
        raise
    return fd


def _unlock(lock: int) -> None:
    """Let the next one in: closing would not do while a child that was forked meanwhile has the descriptor, too."""
    import fcntl
    import struct

    try:
        fcntl.fcntl(lock, fcntl.F_OFD_SETLK, struct.pack(_FLOCK, fcntl.F_UNLCK, os.SEEK_SET, 0, 0, 0))
    except OSError:  # a file system without locks
        pass
    finally:
        os.close(lock)


def _point(link: str, text: str) -> None:
    """Make a link with this text, atomically, in place of an older one."""
    from secrets import token_hex

    temporary = os.path.join(os.path.dirname(link), TEMPORARY_PREFIX + token_hex(16))
    try:
        os.symlink(text, temporary)
        os.rename(temporary, link)
    except OSError:  # full, read-only, or a path of 4 kB: the next start reads the module again
        return


def _sweep_if_possible(folder: str, limit_bytes: int) -> None:
    try:
        sweep(folder, limit_bytes)
    except OSError:  # the folder is gone, or can't be listed: the artifact is there all the same
        return


def sweep(folder: str, limit_bytes: int, *, max_age_s: float | None = None) -> list[str]:
    """Remove what was not used for the longest time beyond the limit, what it leaves, and what dead processes left.

    Artifacts that are loaded stay usable: their files live on without a name.

    Parameters
    ----------
    folder : str
        The cache.
    limit_bytes : int
        What artifacts and links may have in total.
    max_age_s : float | None
        Also remove what was not used for so long; None for no such limit.

    Returns
    -------
    list[str]
        Paths of the artifacts that were removed.
    """
    from time import time_ns

    now_ns = time_ns()
    kept: list[tuple[int, int, str]] = []  # last use, size, path
    removed: list[str] = []
    links = 0
    for entry in sorted(_entries(folder), key=_last_use_ns, reverse=True):
        status, kind = entry.stat(follow_symlinks=False), _kind(entry.name)
        links += kind == ".src"
        if kind == TEMPORARY_PREFIX:
            if status.st_mtime_ns < now_ns - LEFTOVER_AGE_NS:
                _unlink(entry.path)
        elif (max_age_s is not None and now_ns - status.st_mtime_ns > max_age_s * 1e9) or (
            kind == ".src" and links > MAX_LINKS
        ):
            removed.append(entry.path)
        else:
            kept.append((status.st_mtime_ns, status.st_size, entry.path))
    total_bytes = sum(size_bytes for _, size_bytes, _ in kept)
    while kept and total_bytes > limit_bytes:
        _, size_bytes, path = kept.pop()
        removed.append(path)
        total_bytes -= size_bytes
    for path in removed:
        _unlink(path)
    artifacts = {os.path.basename(path) for _, _, path in kept}
    for _, _, path in kept:
        if path.endswith(".src") and _target(path)[0] not in artifacts:
            _unlink(path)
    return [path for path in removed if path.endswith(".so")]


def clear(folder: str) -> list[str]:
    """Remove all artifacts, links and leftovers; the lock stays, as others may wait for it. Returns as `sweep`."""
    removed = [entry.path for entry in _entries(folder)]
    for path in removed:
        _unlink(path)
    return [path for path in removed if path.endswith(".so")]


def list_artifacts(folder: str) -> list[dict[str, Any]]:
    """What the cache holds, the most recently used first.

    Returns
    -------
    list[dict[str, Any]]
        Per artifact ``path``, ``size_bytes``, ``created`` and ``last_used`` (seconds since 1970; a use within an hour
        of the last one is not recorded), and ``sources``, the files known to have been packed to it.
    """
    sources: dict[str, list[str]] = {}
    entries = sorted(_entries(folder), key=_last_use_ns, reverse=True)
    for entry in entries:
        if _kind(entry.name) == ".src":
            name, source = _target(entry.path)
            sources.setdefault(name, []).append(source)
    rows = []
    for entry in entries:
        if _kind(entry.name) == ".so":
            status = entry.stat(follow_symlinks=False)
            rows.append(
                {
                    "path": entry.path,
                    "size_bytes": status.st_size,
                    "created": min(status.st_ctime, status.st_mtime),
                    "last_used": status.st_mtime,
                    "sources": sources.get(entry.name, []),
                }
            )
    return rows


def _target(link: str) -> tuple[str, str]:
    """Name of the artifact and path of the source of a link; empty where it has none."""
    try:
        name, _, rest = os.readlink(link).partition("#")
    except OSError:
        return "", ""
    return (name, rest.partition("#")[2]) if rest else ("", "")


def _last_use_ns(entry: os.DirEntry[str]) -> int:
    return entry.stat(follow_symlinks=False).st_mtime_ns


def _kind(name: str) -> str | None:
    """What an entry of the folder is: ".so", ".src", TEMPORARY_PREFIX; None for what is not the cache's to touch."""
    if name.startswith(TEMPORARY_PREFIX):
        return TEMPORARY_PREFIX
    digest, dot, suffix = name.partition(".")
    is_ours = len(digest) == _DIGEST_DIGITS and digest.isalnum() and suffix in {"so", "src"}
    return dot + suffix if is_ours else None


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    """What the cache has in its folder; what other processes remove meanwhile is passed over, what is not ours, too."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if _kind(entry.name) is None:
                continue
            try:
                entry.stat(follow_symlinks=False)  # which the entry keeps
            except FileNotFoundError:
                continue
            yield entry


def _unlink(path: str) -> None:
    """Remove a file, unless another process did."""
    try:
        os.unlink(path)
    except OSError:
        return


# ---- packing -------------------------------------------------------------------------------------------------------


class _Packing:
    """How to pack, if it comes to that: the options of `pack`, and what hears of a cache that can't be used."""

    def __init__(self, options: dict[str, Any], warn: Callable[[str], None]) -> None:
        self._options = options
        self._warn = warn

    def into_cache(self, path: str, contents: bytes) -> Artifact:
        """Pack into memory, copy that into the cache and load it from there; from memory where the cache is full.

        Whatever happens to the cache, nothing is packed twice.
        """
        from wasmartifact.errors import LoadError
        from wasmartifact.host.output import write_atomically
        from wasmartifact.host.scratch import read_chunks

        packed = self._pack(contents)
        try:
            try:
                write_atomically(path, read_chunks(packed.fd), check=_make_private)
                return load(path)
            except FileNotFoundError:  # another process has evicted it already
                pass
            except (OSError, LoadError) as problem:
                self._warn_of(problem)
            return load(b"".join(read_chunks(packed.fd)))
        finally:
            packed.close()

    def into_memory(self, contents: bytes, problem: OSError) -> Artifact:
        """Pack into memory and load that, after a warning of the problem."""
        from wasmartifact.host.scratch import read_chunks

        self._warn_of(problem)
        packed = self._pack(contents)
        try:
            return load(b"".join(read_chunks(packed.fd)))
        finally:
            packed.close()

    def _pack(self, contents: bytes) -> ScratchFile:
        """A file of this process alone that has the artifact."""
        from wasmartifact.codegen.pool import close_idle_workers
        from wasmartifact.host.scratch import ScratchFile
        from wasmartifact.packer import pack

        packed = ScratchFile("wasmartifact")
        try:
            pack(contents, packed.fd, **self._options)
        except BaseException:
            packed.close()
            raise
        close_idle_workers()  # who compiles wants to run the module; the workers would stay as long as it runs
        return packed

    def _warn_of(self, problem: Exception) -> None:
        self._warn(f"the module is packed for this process only, without the cache: {problem}")


def _make_private(path: str) -> None:
    """Whatever the umask says, others may not write into an artifact."""
    os.chmod(path, 0o600)


def _warn(message: str) -> None:
    from warnings import warn

    warn(message, RuntimeWarning, stacklevel=2)
