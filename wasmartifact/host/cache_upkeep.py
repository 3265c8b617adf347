"""What the cache's folder holds, and removing it: by age, by size, or all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Final

from wasmartifact.constants import TEMPORARY_PREFIX
from wasmartifact.host.cache_folder import KEY_DIGITS

#: Sources that are known without being read: copies under names that never come again must not pile up.
MAX_LINKS: Final = 1000
#: A file that waits for its name gets it in far less time, unless the process that wrote it died.
LEFTOVER_AGE_NS: Final = 3_600 * 10**9
#: What a background process left that failed; until then it keeps others from failing again.
STATE_AGE_NS: Final = 30 * 86_400 * 10**9
_SUFFIXES: Final = frozenset({"so", "src", "tier", "code"})


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
    builds: set[str] = set()
    links = 0
    for entry in sorted(files_of(folder), key=_last_use_ns, reverse=True):
        status, kind = entry.stat(follow_symlinks=False), kind_of(entry.name)
        links += kind == ".src"
        if kind == TEMPORARY_PREFIX:
            if status.st_mtime_ns < now_ns - LEFTOVER_AGE_NS:
                _unlink(entry.path)
        elif kind == ".tier":
            if status.st_mtime_ns < now_ns - STATE_AGE_NS:
                _unlink(entry.path)
            builds.add(entry.name.replace(".tier", ".so"))
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
    artifacts = builds.union(os.path.basename(path) for _, _, path in kept)
    for _, _, path in kept:
        if path.endswith(".src") and _target(path)[0] not in artifacts:
            _unlink(path)
    return [path for path in removed if path.endswith(".so")]


def clear(folder: str) -> list[str]:
    """Remove all artifacts, links and leftovers; the lock stays, as others may wait for it. Returns as `sweep`.

    What is being packed gets there all the same.
    """
    removed = [entry.path for entry in files_of(folder)]
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
    entries = sorted(files_of(folder), key=_last_use_ns, reverse=True)
    for entry in entries:
        if kind_of(entry.name) == ".src":
            name, source = _target(entry.path)
            sources.setdefault(name, []).append(source)
    rows = []
    for entry in entries:
        if kind_of(entry.name) == ".so":
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


def kind_of(name: str) -> str | None:
    """What an entry of the folder is: its suffix, or TEMPORARY_PREFIX; None for what is not the cache's to touch."""
    if name.startswith(TEMPORARY_PREFIX):
        return TEMPORARY_PREFIX
    digest, dot, suffix = name.partition(".")
    is_ours = len(digest) == KEY_DIGITS and digest.isalnum() and suffix in _SUFFIXES
    return dot + suffix if is_ours else None


def files_of(folder: str) -> Iterator[os.DirEntry[str]]:
    """What the cache has in its folder; what other processes remove meanwhile is passed over, what is not ours, too."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if kind_of(entry.name) is None:
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
