"""Tiering up: while a program runs code of level 0, another process packs the level that it asked for into the cache.

That process is detached and outlives the program. A range of the cache's lock is its own as long as it works, by a
descriptor that it inherits: so each module is packed by one process of a machine, and a killed one leaves no lock. What
it does stands in ``<key>.tier``, one JSON text that is overwritten in place, so that a full disk does not stop it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from wasmartifact.codegen.process import start_detached
from wasmartifact.errors import WasmArtifactError
from wasmartifact.host.cache_folder import RETRY_SECONDS, is_building, state_path, unlock
from wasmartifact.host.cache_upkeep import files_of, kind_of

#: What the process runs.
CHILD: Final = "wasmartifact.tier_child"
#: Attempts to pack a module: one that was killed is taken up at once, one that failed after a while.
MAX_ATTEMPTS: Final = 3
_SUFFIX: Final = ".tier"
#: Of a state, whatever it holds: a smaller one would leave the end of a larger one behind it.
_STATE_BYTES: Final = 4096
_TEXT_CHARS: Final = 500


def begin(
    folder: str, key: str, source: str, level: int, lock: int, make_request: Callable[[], Mapping[str, Any]]
) -> None:
    """Start a process that packs a module into the cache, unless it failed too often.

    Parameters
    ----------
    folder, key : str
        The cache, and the artifact's name in it without suffix.
    source : str
        What to call the module, empty for contents without a name.
    level : int
        Level that is packed.
    lock : int
        Descriptor that `try_lock` gave, which is taken over.
    make_request : callable
        Gives what ``tier_child`` is told, if it comes to that; a WasmArtifactError says why no process could do it.
    """
    is_handed_on = False
    try:
        attempts = read_state(folder, key).get("attempts", 0) + 1
        if attempts > MAX_ATTEMPTS:
            _rest(state_path(folder, key))
        else:
            state = {"source": source[-_TEXT_CHARS:], "level": level, "attempts": attempts, "started": time.time()}
            write_state(folder, key, state)
            request = _request_or_reason(folder, key, state, make_request)
            is_handed_on = request is not None and start_detached(CHILD, dict(request), lock)
    except (OSError, WasmArtifactError):  # a full disk, no process: the program has its code all the same
        return
    finally:
        if is_handed_on:
            os.close(lock)
        else:
            unlock(lock)


def _request_or_reason(
    folder: str, key: str, state: Mapping[str, Any], make_request: Callable[[], Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    """What the process is told; None where none could do it, and the state says why."""
    try:
        return make_request()
    except WasmArtifactError as problem:
        write_state(folder, key, failed(state, problem))
        return None


def failed(state: Mapping[str, Any], problem: BaseException) -> dict[str, Any]:
    """The state of work that came to an end by a problem."""
    text = " ".join(f"{type(problem).__name__}: {problem}".split())  # one line
    return {**state, "problem": text[:_TEXT_CHARS], "ended": time.time()}


def _rest(file: int | str) -> None:
    """Let a state, by path or descriptor, tell `is_resting` that the next attempt has time."""
    wanted = time.time() + RETRY_SECONDS
    os.utime(file, (wanted, wanted))


# What stands in the cache ------------------------------------------------------------------------------------------


def read_state(folder: str, key: str) -> dict[str, Any]:
    """What a process wrote of its work; empty where there is nothing, or nothing that can be read."""
    try:
        fd = os.open(state_path(folder, key), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return {}
    try:
        state = json.loads(os.pread(fd, _STATE_BYTES, 0))
    except ValueError:
        return {}
    finally:
        os.close(fd)
    return state if isinstance(state, dict) else {}


def write_state(folder: str, key: str, state: Mapping[str, Any]) -> None:
    """Put a state in place of the one before. What failed is not tried again for a while."""
    text = json.dumps(state).encode().ljust(_STATE_BYTES)
    fd = os.open(state_path(folder, key), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.pwrite(fd, text, 0)
        if "problem" in state:
            _rest(fd)
    finally:
        os.close(fd)


def remove_state(folder: str, key: str) -> None:
    """The artifact is there."""
    try:
        os.unlink(state_path(folder, key))
    except OSError:
        return


def list_builds(folder: str) -> list[dict[str, Any]]:
    """What is being packed in the background, and what was not brought to an end.

    Returns
    -------
    list[dict[str, Any]]
        Per module ``source``, ``level``, ``attempts`` and ``started`` (seconds since 1970), ``done`` and ``total`` in
        functions once they are known, ``problem`` and ``ended`` where it failed, and ``state``: "building", "failed",
        or "stopped" by a kill, say, which the next program that wants the module takes up.
    """
    rows = []
    for entry in files_of(folder):
        if kind_of(entry.name) == _SUFFIX:
            key = entry.name.removesuffix(_SUFFIX)
            state = read_state(folder, key)
            words = "building" if is_building(folder, key) else "failed" if "problem" in state else "stopped"
            if state:
                rows.append({"path": os.path.join(folder, f"{key}.so"), **state, "state": words})
    return sorted(rows, key=lambda row: -float(row.get("started", 0)))
