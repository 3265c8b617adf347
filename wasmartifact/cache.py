"""The cache of packed modules: `compile` packs a module at most once per machine.

Beside the artifacts lie links: what a source file was packed to. The name of a link is a digest of the source's path
and of all that the code depends on; its text is ``<key>.so#<identity>#<path>``, the identity a digest of the source's
stat. ``host/cache_folder.py`` tells what else lies there.

A warm start is a stat, a readlink and a load: it neither reads the module nor imports the packer.
"""

from __future__ import annotations

import os
import stat
import sys
from _blake2 import blake2b  # not hashlib: loading OpenSSL costs more than a load
from _frozen_importlib import _find_spec  # type: ignore[attr-defined]  # importlib.util, without its import

from wasmartifact.constants import FORMAT_VERSION, RUNTIME_ABI, TEMPORARY_PREFIX
from wasmartifact.host.cache_folder import KEY_DIGITS, is_ours, open_folder, size_limit
from wasmartifact.host.libllvm import VERSION as LIBLLVM_VERSION
from wasmartifact.host.libllvm import find_libllvm
from wasmartifact.loader import load
from wasmartifact.version import VERSION

TYPE_CHECKING = False  # typing, errors and the packer are imported when they are needed
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from concurrent.futures import Executor
    from typing import Any, Final, Never

    from wasmartifact.host.keys import Key
    from wasmartifact.host.scratch import ScratchFile
    from wasmartifact.limits import PackLimits
    from wasmartifact.runtime.artifact import Artifact
    from wasmartifact.shared_store import SharedStore

#: Environment variable that turns tiering up off with 0, for programs that don't say.
TIER_UP_VARIABLE: Final = "WASMARTIFACT_TIER_UP"
#: What a pack in the background may take where nothing is said: an hour, half of the machine's memory.
BACKGROUND_SECONDS: Final = 3600.0
BACKGROUND_MEMORY: Final = 0.5
#: A use within this time of the last one that was recorded is not recorded: a warm start writes nothing.
USE_PRECISION_NS: Final = 3_600 * 10**9
#: Time stamps come from the kernel's tick (10 ms at most); file systems without fractions of seconds step by 1 or 2 s.
FINE_STEP_NS: Final = 100 * 10**6
COARSE_STEP_NS: Final = 2 * 10**9


def compile(
    source: str | os.PathLike[str] | bytes,
    *,
    tier_up: bool = True,
    store: str | os.PathLike[str] | None = None,
    key: Key | None = None,
    trusted: str | os.PathLike[str] | Collection[str] | None = None,
    sign_with: Key | None = None,
    opt_level: int = 2,
    cpu: str | Sequence[str] = "baseline",
    target: str | None = None,
    jobs: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    fuel: bool = False,
    limits: PackLimits | None = None,
    executor: Executor | None = None,
    keep_debug: bool = False,
    incremental: bool = True,
    cache_dir: str | os.PathLike[str] | None = None,
    cache_size_bytes: int | None = None,
    warn: Callable[[str], None] | None = None,
    **unknown: Never,
) -> Artifact:
    """Load a module's artifact from the cache; pack the module into it first where it isn't there yet.

    Where the level that is asked for isn't there yet, the module is packed at level 0, which takes a fraction of the
    time, and that is what this call returns; a process in the background packs the level that was asked for, and the
    next call takes it. That process outlives the program, runs at the lowest priority, once per machine for each
    module, and is bounded. `wasmartifact cache list` shows it.

    Processes and threads that ask for the same module at the same time wait for the one that packs it. Where the cache
    can't be used (no home, read-only, full, others could write into it), the module is packed for this call alone and
    a RuntimeWarning says why; at level 0 where the extra ``pack`` is not installed.

    Parameters
    ----------
    source : str | os.PathLike | bytes
        Path of a .wasm or .wat file, or its bytes. An unchanged file is recognised by its stat and not read again.
    tier_up : bool
        False: pack the level that is asked for here and now. So do ``opt_level=0``, an executor, a program that was
        frozen, and the environment variable WASMARTIFACT_TIER_UP=0.
    store : str | os.PathLike | None
        URL of a folder that machines share, as the package fsspec (extra ``wasmartifact[store]``) has it: ``s3://...``,
        a plain folder. What the cache lacks is looked for there, and what was packed is sent there. Nothing of it runs
        that ``key`` and ``trusted`` don't let. A store that can't be used costs a RuntimeWarning.
    key : str | os.PathLike | bytes | Ed25519PublicKey | None
        The public key of what may come from the store, as for `load`.
    trusted : str | os.PathLike | Collection[str] | None
        SHA-256 digests of artifacts that may come from the store without a signature, in hexadecimal; or the path of a
        file of them, as ``sha256sum`` writes it.
    sign_with : str | os.PathLike | bytes | Ed25519PrivateKey | None
        The private key that signs what is sent to the store, as for `sign`. With ``key`` and without this, nothing is
        sent: others with that key would refuse it.
    opt_level, cpu, target, jobs, progress, fuel, limits, executor, keep_debug, incremental : optional
        As for `pack`; code of functions is kept in the folder of this cache. All but those that change the artifact
        are of no account when it is there already. In the background ``jobs`` are half of the CPUs by default, and
        ``limits`` an hour and half of the machine's memory.
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
    if unknown:
        from wasmartifact.hints import unknown_argument

        raise unknown_argument("compile", *unknown)
    if isinstance(source, str) and "(" in source:  # few paths have one: a warm start imports nothing for it
        from wasmartifact.host.input import refuse_text

        refuse_text(source)
    limit_bytes = size_limit(cache_size_bytes)
    if not isinstance(cpu, str):
        from wasmartifact.arguments import cpu_names

        cpu = list(cpu_names(cpu))
    if tier_up not in (True, False) or incremental not in (True, False) or not (warn is None or callable(warn)):
        from wasmartifact.arguments import check_callables, check_flags

        check_flags(tier_up=tier_up, incremental=incremental)
        check_callables(warn=warn)
    options = {
        "opt_level": opt_level, "cpu": cpu, "target": target, "jobs": jobs, "progress": progress, "fuel": fuel,
        "limits": limits, "executor": executor, "keep_debug": keep_debug, "incremental": incremental,
    }  # fmt: skip
    toolchain = _toolchain(cpu)
    warn = _warn if warn is None else warn
    shared = None if store is None else _Shared(store, key=key, trusted=trusted, sign_with=sign_with, warn=warn)
    packing = _Packing(options, toolchain, warn, shared)
    may_be_quick = tier_up and opt_level in (1, 2, 3) and executor is None
    try:
        folder = open_folder(cache_dir)
    except OSError as problem:
        if may_be_quick and _lacks_optimiser():
            packing = _Packing({**options, "opt_level": 0}, toolchain, warn, shared)
        return packing.into_memory(_read(source)[0], problem)
    packing.folder = folder
    cache = _Cache(folder, limit_bytes, source)
    artifact = cache.find_linked(packing)
    if artifact is not None:
        return artifact
    if may_be_quick and (_may_tier_up(folder) or _lacks_optimiser()):
        return cache.compile_quickly(packing, _Packing({**options, "opt_level": 0}, toolchain, warn, shared))
    return cache.compile(packing)


def _lacks_optimiser() -> bool:
    """Whether only level 0 can be packed here: who lets the other level come later gets that, cache or not."""
    return os.environ.get(TIER_UP_VARIABLE) != "0" and not _llvm_version()


def _may_tier_up(folder: str) -> bool:
    """Whether a process can pack in the background, and the user lets it."""
    is_frozen = hasattr(sys, "frozen")  # there is no interpreter to start
    return os.environ.get(TIER_UP_VARIABLE) != "0" and not is_frozen and os.access(folder, os.W_OK)


class _Cache:
    """The cache for one source: what is there, and what is packed into it."""

    def __init__(self, folder: str, limit_bytes: int, source: str | os.PathLike[str] | bytes) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._source = source
        #: Where the source is, whatever the working directory; empty for contents.
        self._name = "" if isinstance(source, bytes | bytearray | memoryview) else _absolute(source)
        self._contents: tuple[bytes, os.stat_result | None] | None = None
        self._contents_digest = ""

    def find_linked(self, packing: _Packing) -> Artifact | None:
        """The artifact of a source that is known without being read."""
        name = self._linked_name(packing)
        return _load_cached(os.path.join(self._folder, name), self._link(packing)) if name else None

    def compile(self, packing: _Packing) -> Artifact:
        """The artifact of the source's contents, packed if need be."""
        from wasmartifact.host.cache_folder import lock, unlock

        contents, status = self._read()
        key = self._key(packing)
        path = os.path.join(self._folder, f"{key}.so")
        try:
            held = lock(self._folder, key)
        except OSError as problem:  # read-only: then what is there serves all the same
            artifact = _load_cached(path)
            return artifact if artifact is not None else packing.into_memory(contents, problem)
        try:
            artifact = _load_cached(path)
            if artifact is None:
                artifact = packing.into_cache(path, contents)
                _sweep_if_possible(self._folder, self._limit_bytes)
            if status is not None:
                self._point(packing, key, status)
                _sweep_if_possible(self._folder, self._limit_bytes)
        finally:
            unlock(held)
        return artifact

    def compile_quickly(self, packing: _Packing, quick: _Packing) -> Artifact:
        """The artifact that was asked for, if it is there; else that of level 0, and a process that packs the other."""
        name, artifact = self._linked_name(packing), None
        if name:
            key, artifact = name.removesuffix(".so"), self.find_linked(quick)
        if artifact is None:
            contents, status = self._read()
            key = self._key(packing)
            if os.path.lexists(os.path.join(self._folder, f"{key}.so")) or packing.is_shared(contents):
                return self.compile(packing)
            artifact = self.compile(quick)
            if status is not None:
                self._point(packing, key, status)  # so that the next start need not read the source to find it
        self._begin_to_build(packing, key)
        return artifact

    def _begin_to_build(self, packing: _Packing, key: str) -> None:
        """See to it that a process packs what was asked for; a start while one is at it, or rests, imports nothing."""
        from wasmartifact.host.cache_folder import is_resting, try_lock

        if is_resting(self._folder, key):
            return
        try:
            lock = try_lock(self._folder, key)
        except OSError:  # a folder that can't be written to
            return
        if lock is not None:
            from wasmartifact.tier import begin

            level = packing.options["opt_level"]
            begin(self._folder, key, self._name, level, lock, lambda: self._request(packing, key))

    def _request(self, packing: _Packing, key: str) -> dict[str, Any]:
        """What the process in the background is told: `pack_in_background`. Raises ToolchainError if it can't pack."""
        from wasmartifact.packer import check_optimiser_installed

        check_optimiser_installed()
        return {
            "folder": self._folder,
            "key": key,
            "contents": self._read()[0],
            "options": packing.options | {"progress": None, "executor": None},
            "store": None if packing.shared is None else packing.shared.open().options(),
            "limit_bytes": self._limit_bytes,
        }

    def _read(self) -> tuple[bytes, os.stat_result | None]:
        if self._contents is None:
            self._contents = _read(self._source)
        return self._contents

    def _key(self, packing: _Packing) -> str:
        """Name of the artifact that a packing gives. The contents are hashed once, however many are asked for."""
        if not self._contents_digest:
            self._contents_digest = _digest(self._read()[0])
        return packing.key(self._contents_digest)

    def _link(self, packing: _Packing) -> str:
        return os.path.join(self._folder, f"{_digest(packing.recipe, self._name)}.src")

    def _linked_name(self, packing: _Packing) -> str | None:
        """Name of the artifact of a source that is known without being read; the artifact need not be there."""
        if not self._name:
            return None
        return _linked(self._link(packing), _identity(os.stat(self._source), packing.recipe))

    def _point(self, packing: _Packing, key: str, status: os.stat_result) -> None:
        _point(self._link(packing), f"{key}.so#{_identity(status, packing.recipe)}#{self._name}")


def pack_in_background(
    folder: str,
    key: str,
    *,
    contents: bytes,
    options: dict[str, Any],
    store: dict[str, Any] | None,
    limit_bytes: int,
    progress: Callable[[int, int], None],
) -> None:
    """Pack into the cache for programs that run level 0 meanwhile, within limits.

    Raises what `pack` does, OSError where the cache is full, and ValueError where the key is not that of the module.
    """
    from wasmartifact.limits import PackLimits

    memory_bytes = int(BACKGROUND_MEMORY * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGESIZE"))
    bounded = {
        **options,
        "progress": progress,
        "limits": options["limits"] or PackLimits(seconds=BACKGROUND_SECONDS, memory_bytes=memory_bytes),
        "jobs": options["jobs"] or max(1, len(os.sched_getaffinity(0)) // 2),
    }
    shared = None if store is None else _Shared(**store, warn=_warn)
    packing = _Packing(bounded, _toolchain(options["cpu"]), _warn, shared)
    packing.folder = folder
    if packing.key(_digest(contents)) != key:
        raise ValueError("the package that packs is not the one that asked for it")
    os.stat(folder)  # one that was removed meanwhile is not made anew
    path = os.path.join(folder, f"{key}.so")
    if not os.path.lexists(path):
        packing.only_into_cache(path, contents)
    _sweep_if_possible(folder, limit_bytes)


# ---- what an artifact depends on ----------------------------------------------------------------------------------


def _toolchain(cpu: str | Sequence[str]) -> str:
    """All that decides about the code besides the module and the options, as text."""
    host = _cpu_features() if "native" in ([cpu] if isinstance(cpu, str) else cpu) else ""
    machine, c_library = os.uname().machine, os.confstr("CS_GNU_LIBC_VERSION")
    llvm = _llvm_version() + _libllvm_version()
    return f"{VERSION} {FORMAT_VERSION} {RUNTIME_ABI} {llvm} {machine} {c_library} {host}"


def _cpu_features() -> str:
    """The features of this host that code may use."""
    from wasmartifact._native import lib

    return f"{lib.wa_host_cpu_features():x}"


def _llvm_version() -> str:
    """What tells versions of the code generator apart: llvmlite's version file, found without importing llvmlite.

    Frozen and zipped programs have no such file; there the import tells, which does not load LLVM.
    """
    spec = _find_spec("llvmlite", None)
    if spec is None:
        return ""
    try:
        if spec.has_location and spec.origin is not None:
            with open(os.path.join(os.path.dirname(spec.origin), "_version.py"), "rb", buffering=0) as file:
                return _digest(file.read())
    except OSError:
        pass
    from wasmartifact.host.packages import stated_version

    return stated_version("llvmlite")


def _libllvm_version() -> str:
    """The same of LLVM's own library, which generates code in llvmlite's place where it is there."""
    return f" libllvm {LIBLLVM_VERSION}" if find_libllvm() else ""


def _digest(*parts: str | bytes) -> str:
    """Hexadecimal digest of a sequence of texts and buffers."""
    digest = blake2b(digest_size=KEY_DIGITS // 2)
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


def _read(source: str | os.PathLike[str] | bytes) -> tuple[bytes, os.stat_result | None]:
    """Contents of a source, and the stat that may stand for them: None where it can't be trusted.

    A file that changes within one step of its time stamps after it was read may look like the one that was read.
    So its stat only counts when it was older than that step by then; and it must be the same before and after.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source), None
    from time import time_ns

    from wasmartifact.host.input import MODULE_MAGIC, NamedText, read_input

    name = os.fsdecode(source)
    with open(name, "rb") as file:
        before, start_ns = os.fstat(file.fileno()), time_ns()
        contents = read_input(file, name)
        after = os.fstat(file.fileno())
    # Whoever sets mtime changes ctime, which nobody can set.
    step_ns = FINE_STEP_NS if before.st_ctime_ns % 10**9 else COARSE_STEP_NS
    is_steady = stat.S_ISREG(before.st_mode) and _identity(before, "") == _identity(after, "")
    is_old = before.st_ctime_ns + step_ns < start_ns
    if not contents.startswith(MODULE_MAGIC):
        contents = NamedText(contents, name)
    return contents, before if is_steady and is_old else None


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


# ---- artifacts that are there --------------------------------------------------------------------------------------


def _load_cached(path: str, link: str | None = None) -> Artifact | None:
    """Load an artifact of the cache, found by a link or not; None where there is none, or none that may be used."""
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode) or not is_ours(status):
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


def _point(link: str, text: str) -> None:
    """Make a link with this text, atomically, in place of an older one."""
    temporary = os.path.join(os.path.dirname(link), TEMPORARY_PREFIX + os.urandom(16).hex())
    try:
        os.symlink(text, temporary)
        os.rename(temporary, link)
    except OSError:  # full, read-only, or a path of 4 kB: the next start reads the module again
        return


def _sweep_if_possible(folder: str, limit_bytes: int) -> None:
    from wasmartifact.host.cache_upkeep import sweep

    try:
        sweep(folder, limit_bytes)
    except OSError:  # the folder is gone, or can't be listed: the artifact is there all the same
        return


# ---- packing -------------------------------------------------------------------------------------------------------


class _Shared:
    """A store that is opened when the cache lacks something: fsspec takes longer to import than a warm start."""

    def __init__(self, place: Any, **options: Any) -> None:
        self._place = place
        self._options = options
        self._store: SharedStore | None = None

    def open(self) -> SharedStore:
        """The store."""
        if self._store is None:
            from wasmartifact.shared_store import SharedStore

            self._store = SharedStore(self._place, **self._options)
        return self._store


class _Packing:
    """How to come to an artifact that the cache lacks: a store, else the options of `pack`; and what hears of problems.

    ``recipe`` is all that decides about the code besides the module; in ``folder`` the code of functions is kept.
    """

    def __init__(
        self, options: dict[str, Any], toolchain: str, warn: Callable[[str], None], shared: _Shared | None
    ) -> None:
        self.options = options
        self.warn = warn
        self.shared = shared
        self.folder: str | None = None
        self._fetched: bytes | None = None
        extras = "".join(f" {name}" for name in ("fuel", "keep_debug") if options[name])
        self.recipe = f"{toolchain} {options['opt_level']!r} {options['cpu']!r} {options['target']!r}{extras}"

    def key(self, contents_digest: str) -> str:
        """Name of the artifact of a module with this digest in the cache, without suffix."""
        return _digest(self.recipe, contents_digest)

    def into_cache(self, path: str, contents: bytes) -> Artifact:
        """Pack into memory, copy that into the cache and load it from there; from memory where the cache is full.

        Whatever happens to the cache, nothing is packed twice.
        """
        from wasmartifact.errors import LoadError
        from wasmartifact.host.scratch import read_chunks

        packed = self._pack(contents)
        try:
            try:
                _keep(packed, path)
                return load(path)
            except FileNotFoundError:  # another process has evicted it already
                pass
            except (OSError, LoadError) as problem:
                self._warn_of(problem)
            return load(b"".join(read_chunks(packed.fd)))
        finally:
            packed.close()

    def only_into_cache(self, path: str, contents: bytes) -> None:
        """Pack into memory and copy that into the cache. Raises OSError where it is full."""
        packed = self._pack(contents)
        try:
            _keep(packed, path)
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

    def is_shared(self, contents: bytes) -> bool:
        """Whether the store has the artifact, which is kept for `into_cache`."""
        if self.shared is not None:
            self._fetched = self.shared.open().fetch(f"{self.key(_digest(contents))}.so", _wasm_digest(contents))
        return self._fetched is not None

    def _pack(self, contents: bytes) -> ScratchFile:
        """A file of this process alone that has the artifact."""
        from wasmartifact.host.scratch import ScratchFile, read_chunks

        packed = ScratchFile("wasmartifact")
        try:
            if self.shared is None:
                self._pack_into(packed, contents)
            else:

                def make() -> bytes:
                    with_code = ScratchFile("wasmartifact")
                    try:
                        self._pack_into(with_code, contents)
                        return b"".join(read_chunks(with_code.fd))
                    finally:
                        with_code.close()

                name = f"{self.key(_digest(contents))}.so"
                packed.write([self._fetched or self.shared.open().get_or_make(name, _wasm_digest(contents), make)])
        except BaseException:
            packed.close()
            raise
        return packed

    def _pack_into(self, packed: ScratchFile, contents: bytes) -> None:
        from wasmartifact.codegen.pool import close_idle_workers
        from wasmartifact.packer import INCREMENTAL_VARIABLE, pack

        kept = self.folder if self.options["incremental"] and os.environ.get(INCREMENTAL_VARIABLE) != "0" else None
        pack(contents, packed.fd, **self.options | {"incremental": kept or False})
        close_idle_workers()  # who compiles wants to run the module; the workers would stay as long as it runs

    def _warn_of(self, problem: Exception) -> None:
        self.warn(f"the module is packed for this process only, without the cache: {problem}")


def _wasm_digest(contents: bytes) -> bytes:
    """SHA-256 of the binary module, as its artifact has it."""
    from wasmartifact.metadata.digests import wasm_digest
    from wasmartifact.wasm.source import read_source

    return wasm_digest(read_source(contents))


def _keep(packed: ScratchFile, path: str) -> None:
    """Copy what was packed into the cache."""
    from wasmartifact.host.output import write_atomically
    from wasmartifact.host.scratch import read_chunks

    write_atomically(path, read_chunks(packed.fd), check=_make_private)


def _make_private(path: str) -> None:
    """Whatever the umask says, others may not write into an artifact."""
    os.chmod(path, 0o600)


def _warn(message: str) -> None:
    from warnings import warn

    warn(message, RuntimeWarning, stacklevel=2)
