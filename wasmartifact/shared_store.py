"""Artifacts that several machines share: `compile(store=URL)`, by any file system that fsspec knows.

A store holds what a cache holds, under the same names. It is no place of trust: what comes from it runs only if it is
signed with the key that the user names, or if its digest is in the list that the user gives. Whatever goes wrong with
it costs a warning and a pack.

So that a fleet packs a module once, who packs claims it: an object ``<name>.claim`` that only one can make, and that
changes every few seconds as long as its owner lives. Others wait for the artifact, or until the claim stands still.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection
from hashlib import sha256
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final

from wasmartifact.arguments import words_of, wrong_type
from wasmartifact.diagnosis import check_front
from wasmartifact.errors import ArtifactError, ToolchainError
from wasmartifact.host.keys import read_private_key, read_public_key
from wasmartifact.host.output import write_atomically
from wasmartifact.host.packages import require
from wasmartifact.signer import sign_contents
from wasmartifact.verifier import verify_bytes

if TYPE_CHECKING:
    from wasmartifact.host.keys import Key

#: How often who packs changes its claim, and how long one stands still before others take it for dead.
BEAT_SECONDS: Final = 2.0
STALE_SECONDS: Final = 20.0
#: How often who waits looks.
POLL_SECONDS: Final = 0.25
_DIGEST_DIGITS: Final = 64
#: A list of digests that is no list, a device say, has no end.
_MAX_LIST_BYTES: Final = 1 << 26


class SharedStore:
    """One store, with what is trusted of it. It travels to the process that packs in the background.

    Parameters
    ----------
    place : str | os.PathLike | AbstractFileSystem
        URL or path of a folder, or a file system of fsspec whose root is the folder.
    key, trusted, sign_with
        As for `compile`.
    warn : callable
        Called with words where the store can't be used.

    Raises
    ------
    ToolchainError
        fsspec or the package for this kind of URL is not installed, or cryptography where there are keys.
    ValueError
        The URL, a key or a digest can't be read.
    """

    def __init__(
        self,
        place: Any,
        *,
        key: Key | None,
        trusted: str | os.PathLike[str] | Collection[str] | None,
        sign_with: Key | None,
        warn: Callable[[str], None],
    ) -> None:
        if not isinstance(place, str | os.PathLike) and not callable(getattr(place, "cat_file", None)):
            raise wrong_type("store", place, "a URL, a path, or a file system of fsspec")
        self.place = os.fsdecode(place) if isinstance(place, str | os.PathLike) else place
        self._public = None if key is None else read_public_key(key).public_bytes_raw()
        self._private = None if sign_with is None else read_private_key(sign_with).private_bytes_raw()
        self._trusted = _digests(trusted)
        self._warn = warn
        self._fs, self._root = _open(self.place)
        self._rejected: set[str] = set()  # digests that were warned of
        self._is_usable = True

    def options(self) -> dict[str, Any]:
        """Arguments that make the same store in another process."""
        return {"place": self.place, "key": self._public, "trusted": self._trusted, "sign_with": self._private}

    def fetch(self, name: str, wasm_digest: bytes) -> bytes | None:
        """An artifact of the module with this SHA-256 that may run here; None where there is none."""
        if not self._may_read:
            return None
        try:
            return self._fetch(name, wasm_digest)
        except Exception as problem:
            self._give_up(problem)
            return None

    def get_or_make(self, name: str, wasm_digest: bytes, make: Callable[[], bytes]) -> bytes:
        """The same, or made here and sent there: once, however many want it.

        Who has a key to check with and none to sign with only reads.
        """
        if not self._may_send:
            return self.fetch(name, wasm_digest) or make()
        claim = None
        if self._may_read:
            try:
                claim = _Claim(self._fs, self._path(f"{name}.claim"))
                found = self._fetch(name, wasm_digest)
                while found is None and not claim.take():
                    time.sleep(POLL_SECONDS)
                    found = self._fetch(name, wasm_digest)
                # Who had the claim before may have let it go since the last look.
                found = found or self._fetch(name, wasm_digest)
                if found is not None:
                    claim.release()
                    return found
            except Exception as problem:
                self._give_up(problem)
        try:
            made = make()
            if self._private is not None:
                made = sign_contents(bytearray(made), read_private_key(self._private))
            if self._may_send:
                self._send(name, made)
            return made
        finally:
            if claim is not None:
                claim.release()

    @property
    def _may_read(self) -> bool:
        return self._is_usable and bool(self._public or self._trusted)

    @property
    def _may_send(self) -> bool:
        """Not what others with this key would refuse."""
        return self._is_usable and (self._private is not None or self._public is None)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if self._root else name

    def _fetch(self, name: str, wasm_digest: bytes) -> bytes | None:
        """What the store has under a name, if it is trusted."""
        try:
            data: bytes = self._fs.cat_file(self._path(name))
        except FileNotFoundError:
            return None
        digest = sha256(data).hexdigest()
        problem = self._distrust(data, digest, wasm_digest)
        if problem is None:
            return data
        if digest not in self._rejected:
            self._rejected.add(digest)
            self._warn(f"{name} of the store {self.place} is not used: {problem}")
        return None

    def _distrust(self, data: bytes, digest: str, wasm_digest: bytes) -> str | None:
        """Why contents may not run; None where they may.

        Whoever can write to the store can put one artifact that is trusted under the name of another.
        """
        is_listed = digest in self._trusted
        if not is_listed and self._public is None:
            return f"its digest {digest} is not in the list of those that are trusted"
        try:
            if not is_listed and self._public is not None:
                verify_bytes(memoryview(data), read_public_key(self._public))
            found = check_front(memoryview(data))[1].header.digests["wasm_digest"]
        except ArtifactError as problem:
            return str(problem)
        if found != wasm_digest:
            return f"it is of another module, with the digest {found.hex()}, expected {wasm_digest.hex()}"
        return None

    def _send(self, name: str, data: bytes) -> None:
        """Put an artifact into the store, so that nobody sees a part of it."""
        try:
            if _is_local(self._fs):
                os.makedirs(self._root, exist_ok=True)
                write_atomically(self._path(name), [data], check=lambda path: None)
            else:
                self._fs.pipe_file(self._path(name), data)
        except Exception as problem:
            self._give_up(problem)

    def _give_up(self, problem: Exception) -> None:
        """Go on without the store; what its file system raises is anybody's."""
        self._is_usable = False
        words = " ".join(f"{type(problem).__name__}: {problem}".split())
        self._warn(f"the store {self.place} can't be used, and is left out: {words}")


class _Claim:
    """The right to make an artifact, which lasts as long as this process says so."""

    def __init__(self, fs: Any, path: str) -> None:
        self._fs = fs
        self._path = path
        self._owner = token_hex(16)
        self._seen: tuple[bytes, float] | None = None  # of another owner, since when
        self._is_over = threading.Event()
        self._beats: threading.Thread | None = None

    def take(self) -> bool:
        """Whether it is ours: nobody has it, or nobody who lives."""
        if self._make() or self._is_stale():
            self._write(0)
            self._beats = threading.Thread(target=self._beat, name="wasmartifact-claim", daemon=True)
            self._beats.start()
            return True
        return False

    def release(self) -> None:
        """Let others have it; nothing where it never was ours."""
        if self._beats is not None:
            self._is_over.set()
            self._beats.join()
            self._beats = None
            try:
                self._fs.rm_file(self._path)
            except Exception:  # it gets stale
                return

    def _make(self) -> bool:
        """Make the object, unless there is one."""
        if _is_local(self._fs):
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            try:
                os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
            except FileExistsError:
                return False
            return True
        try:
            self._fs.pipe_file(self._path, self._owner.encode(), mode="create")
        except FileExistsError:
            return False
        return True

    def _is_stale(self) -> bool:
        """Whether it has stood still for long, by our own clock."""
        try:
            found: bytes = self._fs.cat_file(self._path)
        except FileNotFoundError:  # let go of: the next look tells
            return False
        now = time.monotonic()
        if self._seen is None or self._seen[0] != found:
            self._seen = found, now
        return now - self._seen[1] > STALE_SECONDS

    def _beat(self) -> None:
        number = 0
        while not self._is_over.wait(BEAT_SECONDS):
            number += 1
            try:
                self._write(number)
            except Exception:  # once more later; a store that is gone shows when the artifact is sent
                continue

    def _write(self, number: int) -> None:
        self._fs.pipe_file(self._path, f"{self._owner} {number}".encode())


def _open(place: Any) -> tuple[Any, str]:
    """File system and path in it."""
    fsspec = require("fsspec", "a store of artifacts")
    if isinstance(place, fsspec.AbstractFileSystem):
        return _without_cache(place), ""
    try:
        fs, root = fsspec.core.url_to_fs(place)
    except ImportError as problem:
        raise ToolchainError(f"the store {place} needs another Python package: {problem}") from None
    except ValueError as problem:
        raise ValueError(f"the store {place!r} is no URL that fsspec knows: {problem}") from None
    return _without_cache(fs), str(root).rstrip("/")


def _without_cache(fs: Any) -> Any:
    """The file system behind a cache of fsspec: that shows claims as they were, and some let everybody make one."""
    cached = require("fsspec.implementations.cached", "a store of artifacts")
    while isinstance(fs, cached.CachingFileSystem):
        fs = fs.fs
    return fs


def _is_local(fs: Any) -> bool:
    return isinstance(fs, require("fsspec.implementations.local", "a store of artifacts").LocalFileSystem)


def _digests(trusted: str | os.PathLike[str] | Collection[str] | None) -> frozenset[str]:
    """SHA-256 digests of artifacts, as a collection or as the first words of a file's lines."""
    if trusted is None:
        return frozenset()
    where = "trusted"
    if isinstance(trusted, str | os.PathLike):
        where = os.fspath(trusted)
        with open(trusted, "rb") as file:
            lines = file.read(_MAX_LIST_BYTES).decode(errors="replace").splitlines()
        trusted = [line.split()[0] for line in lines if line.strip() and not line.lstrip().startswith("#")]
    digests = frozenset([str(digest).lower() for digest in words_of("trusted", trusted)])
    for digest in digests:
        if len(digest) != _DIGEST_DIGITS or not set(digest) <= set("0123456789abcdef"):
            raise ValueError(f"{where} has {digest!r}, expected SHA-256 digests, as sha256sum prints them")
    return digests
