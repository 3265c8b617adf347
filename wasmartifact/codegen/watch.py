"""A child and all that it starts, under limits of time and memory: a thread looks at them, and ends all at once."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

from wasmartifact.codegen.process import ChildProcess

#: How often memory is looked at. Four processes of LLVM get some 100 MB more in this time at most.
LOOK_SECONDS: Final = 0.02
_PAGE_BYTES: Final = os.sysconf("SC_PAGESIZE")


class Watch:
    """Ends a child where it has taken too much, while the context lasts.

    Parameters
    ----------
    child : ChildProcess
        Leads the group of all that it starts.
    deadline : float | None
        On the clock of ``time.monotonic()``.
    memory_bytes : int | None
        For all processes together, and what ``more_bytes`` tells.
    more_bytes : callable
        What else counts as memory, in bytes.

    Attributes
    ----------
    exceeded : str | None
        "seconds" or "memory_bytes" where the child was ended for that.
    peak_bytes : int
        The most that was seen.
    """

    def __init__(
        self, child: ChildProcess, *, deadline: float | None, memory_bytes: int | None, more_bytes: Callable[[], int]
    ) -> None:
        self._child = child
        self._deadline = deadline
        self._memory_bytes = memory_bytes
        self._more_bytes = more_bytes
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="wasmartifact-watch", daemon=True)
        self.exceeded: str | None = None
        self.peak_bytes = 0

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _look(self) -> None:
        while self.exceeded is None and not self._is_over.wait(self._pause()):
            if self._deadline is not None and time.monotonic() >= self._deadline:
                self.exceeded = "seconds"
            elif self._memory_bytes is not None:
                self.peak_bytes = max(self.peak_bytes, tree_bytes(self._child.pid) + self._more_bytes())
                if self.peak_bytes > self._memory_bytes:
                    self.exceeded = "memory_bytes"
        if self.exceeded is not None:
            self._child.kill()

    def _pause(self) -> float | None:
        left = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
        if self._memory_bytes is None:
            return left
        return LOOK_SECONDS if left is None else min(LOOK_SECONDS, left)


def tree_bytes(pid: int) -> int:
    """Memory of a process and of its descendants, without the files that they have mapped."""
    return sum(map(_private_bytes, _tree(pid)))


def _private_bytes(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb", buffering=0) as file:
            _, resident, shared, *_ = file.read().split()
    except (OSError, ValueError):  # it has ended
        return 0
    return max(0, int(resident) - int(shared)) * _PAGE_BYTES


def _tree(pid: int) -> Iterator[int]:
    """The process and its descendants, as far as they live."""
    yield pid
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError), open(f"/proc/{pid}/task/{thread}/children", "rb", buffering=0) as file:
                for child in file.read().split():
                    yield from _tree(int(child))
