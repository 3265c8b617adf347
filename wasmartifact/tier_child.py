"""The process that packs a module into the cache while a program runs its level 0: bounded, at low priority."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from wasmartifact.cache import pack_in_background
from wasmartifact.codegen.process import read_message
from wasmartifact.errors import WasmArtifactError
from wasmartifact.host.priority import stand_back
from wasmartifact.tier import failed, read_state, remove_state, write_state

#: How often the state tells of progress.
PROGRESS_SECONDS: Final = 0.5


def main(lock: int) -> None:
    """Do the request on standard input: ``folder`` and ``key``, and what `pack_in_background` takes besides.

    ``lock`` is the descriptor of a lock, which lasts as long as this process.
    """
    os.set_inheritable(lock, False)
    stand_back()
    with open(0, "rb", closefd=False) as stream:
        request: dict[str, Any] = read_message(stream)
    _forget_standard_input()
    work(**request)


def work(folder: str, key: str, **request: Any) -> None:
    """Pack, and tell in the state of the cache how far it is or why it failed."""
    state = read_state(folder, key) | {"pid": os.getpid()}
    _note(folder, key, state)
    try:
        pack_in_background(folder, key, **request, progress=_progress(folder, key, state))
    except (WasmArtifactError, OSError, ValueError) as problem:
        _note(folder, key, failed(state, problem))
    else:
        remove_state(folder, key)


def _note(folder: str, key: str, state: dict[str, Any]) -> None:
    """Write the state, unless the folder is gone or full, which packing tells of if it matters."""
    with suppress(OSError):
        write_state(folder, key, state)


def _forget_standard_input() -> None:
    """The module's copy, which lies in memory."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


def _progress(folder: str, key: str, state: dict[str, Any]) -> Callable[[int, int], None]:
    """What tells the state how far packing is."""
    told = 0.0

    def tell(done: int, total: int) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= PROGRESS_SECONDS:
            told = now
            state.update(done=done, total=total)
            _note(folder, key, state)

    return tell
