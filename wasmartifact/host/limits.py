"""Limits of a process and its machine: what to do where one of them is the problem. Imported when it is too late."""

from __future__ import annotations

import errno
import os
import resource
from typing import Final

_LIMITS: Final = {
    errno.EAGAIN: "the limit on processes (ulimit -u)",
    errno.EMFILE: "the limit on open files (ulimit -n), of which each loaded artifact keeps one",
    errno.ENFILE: "the kernel's limit on open files (sysctl fs.file-max)",
}


def limit_advice(problem: OSError) -> str | None:
    """What to do about a system call that failed, None where no limit is the reason."""
    if problem.errno == errno.ENOMEM:
        return memory_advice() or "free memory"
    limit = _LIMITS.get(problem.errno or 0)
    return None if limit is None else f"raise {limit}"


def as_os_error(problem: OSError | MemoryError) -> OSError:
    """Why a process can't be started: its pipes have buffers, for which Python may find no memory."""
    return problem if isinstance(problem, OSError) else OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))


def memory_advice() -> str | None:
    """What to do where memory is short for a reason that came as mere words; None where no limit is set."""
    limit_bytes = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit_bytes == resource.RLIM_INFINITY:
        return None
    return f"raise the limit on virtual memory (ulimit -v), which is {limit_bytes >> 10} KiB"
