"""What every job's script ends with: ``run(job)``. It runs under either engine, and imports neither."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable


def run(job: Callable[[], object]) -> None:
    """Do a job once and print what it gave, as JSON.

    With the environment variable JOB_TIMES it is done so often, and how long that took is written to the file
    descriptor JOB_TIMES_TO: a list with wall and CPU seconds of each time, the first of them since the process was
    started, at JOB_STARTED on the monotonic clock.
    """
    count = int(os.environ.get("JOB_TIMES", "1"))
    wall, cpu = float(os.environ.get("JOB_STARTED", "0")), 0.0
    taken = []
    for _ in range(count):
        result = job()
        now = time.monotonic(), _cpu_seconds()
        taken.append((now[0] - wall, now[1] - cpu))
        wall, cpu = now
    if "JOB_TIMES" in os.environ:
        with os.fdopen(int(os.environ["JOB_TIMES_TO"]), "w") as file:
            json.dump(taken, file)
        return
    json.dump(result, sys.stdout, indent=1, ensure_ascii=False, default=digest)
    print()


def digest(data: object) -> str:
    """Bytes in short, for a result."""
    assert isinstance(data, bytes | bytearray), f"{type(data).__name__} is no result"
    return f"{len(data)} bytes, SHA-256 {hashlib.sha256(data).hexdigest()}"


def _cpu_seconds() -> float:
    """CPU time of this process and of those that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
