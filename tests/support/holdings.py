"""What this process holds, to see that thousands of ended calls leave nothing behind."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final


class _Mallinfo2(ctypes.Structure):
    """mallinfo(3); glibc 2.33 and newer."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
        )
    )  # fmt: skip


@dataclass(frozen=True)
class Holdings:
    """Counts of what can be left; ``blocked_signals`` of the thread that counts.

    ``objects`` are those of the package's types that the collector knows, ``blocks`` what Python's allocator gave out.
    """

    threads: int
    descriptors: int
    mappings: int
    objects: int
    blocks: int
    heap_bytes: int
    blocked_signals: int


#: How long what is left may take to go.
SETTLING_S: Final = 5
#: Caches that fill up, and what Python and the C library keep for the next time.
ROOM: Final = Holdings(
    threads=0, descriptors=0, mappings=6, objects=5, blocks=300, heap_bytes=200_000, blocked_signals=0
)


def _heap_bytes() -> int:
    mallinfo2 = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if mallinfo2 is None:
        return 0
    mallinfo2.restype = _Mallinfo2
    found = mallinfo2()
    return int(found.uordblks + found.hblkhd)


def holdings() -> Holdings:
    """Count, without what waits for the collector."""
    while gc.collect():
        pass
    return Holdings(
        threads=len(os.listdir("/proc/self/task")),
        descriptors=len(os.listdir("/proc/self/fd")),
        mappings=len(Path("/proc/self/maps").read_text().splitlines()),
        objects=sum(str(type(one).__module__).startswith("wasmartifact") for one in gc.get_objects()),
        blocks=sys.getallocatedblocks(),
        heap_bytes=_heap_bytes(),
        blocked_signals=len(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    )


def left_over(before: Holdings) -> dict[str, tuple[int, int]]:
    """Before and after of what grew by more than caches do, by name; threads that are about to end may do so."""
    earlier, room = asdict(before), asdict(ROOM)
    end = time.monotonic() + SETTLING_S
    while True:
        later = asdict(holdings())
        left = {name: (earlier[name], later[name]) for name in room if later[name] > earlier[name] + room[name]}
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.05)
