"""How late guests end after their deadline: ``python -m tests.lateness [--times 1000] [--shapes loop read ...]``.

For every shape of `tests.support.endless`, from the main thread, a worker thread and asyncio: the median, the 99th
percentile and the largest time from the deadline to the exception, in milliseconds; then what is left behind: threads,
descriptors and resident memory. Means something on an idle machine only.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import wasmartifact as wa
from tests.support.endless import SHAPES, Guest, endless

SECONDS = 0.003


def late_ms(guest: Guest, call: Callable[[], object]) -> float:
    """How long after its deadline one call ended."""
    seconds = SECONDS * (1 + random.random())
    start = time.monotonic()
    try:
        with guest.store.deadline(seconds):
            call()
    except wa.DeadlineExceeded:
        return (time.monotonic() - start - seconds) * 1000
    raise AssertionError("the call ended by itself")


def in_main(guest: Guest, times: int) -> list[float]:
    return [late_ms(guest, guest.run) for _ in range(times)]


def in_worker(guest: Guest, times: int) -> list[float]:
    found: list[float] = []
    thread = threading.Thread(target=lambda: found.extend(in_main(guest, times)))
    thread.start()
    thread.join()
    return found


def in_asyncio(guest: Guest, times: int) -> list[float]:
    async def one() -> float:
        seconds = SECONDS * (1 + random.random())
        start = time.monotonic()
        try:
            with guest.store.deadline(seconds):
                await guest.func.call_async(*guest.arguments)
        except wa.DeadlineExceeded:
            return (time.monotonic() - start - seconds) * 1000
        raise AssertionError("the call ended by itself")

    async def all_of_them() -> list[float]:
        return [await one() for _ in range(times)]

    return asyncio.run(all_of_them())


PLACES = {"main": in_main, "worker": in_worker, "asyncio": in_asyncio}


def holdings() -> tuple[int, int, float]:
    """Threads, descriptors and resident MiB of this process, without what waits for the collector."""
    gc.collect()
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20
    return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd")), resident


def show(shape: str, place: str, found: Sequence[float]) -> float:
    ordered = sorted(found)
    percentile = ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
    median = ordered[len(ordered) // 2]
    print(f"{shape:15} {place:8} {median:8.3f} {percentile:8.3f} {ordered[-1]:8.3f}", flush=True)
    return percentile


def main() -> int:
    """Print the table; 1 where a 99th percentile is over 2 ms."""
    parser = argparse.ArgumentParser(prog="python -m tests.lateness")
    parser.add_argument("--times", type=int, default=1000)
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES))
    given = parser.parse_args()
    print(f"{'milliseconds late':24} {'median':>8} {'99%':>8} {'most':>8}")
    worst = 0.0
    before = holdings()
    for shape in given.shapes:
        for place, run in PLACES.items():
            if place == "asyncio" and shape == "start":
                continue  # instantiating has no asynchronous form
            with endless(shape) as guest:
                run(guest, 5)
                worst = max(worst, show(shape, place, run(guest, given.times)))
                assert guest.usable() == 41
    print("threads, descriptors, MiB before:", before, "after:", holdings())
    return 0 if worst <= 2 else 1


if __name__ == "__main__":
    sys.exit(main())
