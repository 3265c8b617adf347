"""Standing back: a process that others don't notice, in CPU time, disk and memory."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from typing import Final

_NICEST: Final = 19
#: The system call ioprio_set, which the C library has no function for, by machine.
_IOPRIO_SET: Final = {"x86_64": 251, "aarch64": 30}
_IOPRIO_WHO_PROCESS: Final = 1
_IOPRIO_CLASS_IDLE: Final = 3 << 13
#: Of 1000: where memory is short, the kernel ends this process before others of its size.
_OOM_SCORE: Final = b"500"


def stand_back() -> None:
    """Give this process, and what it starts, the lowest priority; as far as the system lets it."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _NICEST)
    number = _IOPRIO_SET.get(os.uname().machine)
    if number is not None:
        ctypes.CDLL(None).syscall(number, _IOPRIO_WHO_PROCESS, 0, _IOPRIO_CLASS_IDLE)
    with suppress(OSError), open("/proc/self/oom_score_adj", "wb", buffering=0) as file:
        file.write(_OOM_SCORE)
