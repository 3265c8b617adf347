"""How late guests end after their deadline: ``python -m tests.lateness [--times 1000] [--shapes loop read ...]``.

For every shape of `tests.support.endless`, from the main thread, a worker thread and asyncio: the median, the 99th
percentile and the largest time from the deadline to the exception, in milliseconds; then what is left behind, of what
`tests.support.holdings` counts. Times mean something on an idle machine only; the first rows are `time.sleep` in the
same places, which says what the machine adds.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import threading
import time
from array import array
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import wasmartifact as wa
from tests.support.endless import SHAPES, Guest, endless
from tests.support.holdings import holdings, left_over

SECONDS = 0.003
#: Until tables have grown to their end, and caches are full.
WARM_UP = 20


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


def late_sleep_ms() -> float:
    """How long after its time a sleep ends."""
    seconds = SECONDS * (1 + random.random())
    start = time.monotonic()
    time.sleep(seconds)
    return (time.monotonic() - start - seconds) * 1000


def sleeps(times: int) -> dict[str, list[float]]:
    """Sleeps in the places where guests run: what the machine and Python's threads add."""

    async def one() -> float:
        seconds = SECONDS * (1 + random.random())
        start = time.monotonic()
        await asyncio.to_thread(time.sleep, seconds)
        return (time.monotonic() - start - seconds) * 1000

    async def on_threads() -> list[float]:
        return [await one() for _ in range(times)]

    with ThreadPoolExecutor(1) as pool:
        worker = pool.submit(lambda: [late_sleep_ms() for _ in range(times)]).result()
    return {"main": [late_sleep_ms() for _ in range(times)], "worker": worker, "asyncio": asyncio.run(on_threads())}


PLACES = {"main": in_main, "worker": in_worker, "asyncio": in_asyncio}


def places_of(shape: str) -> dict[str, Callable[[Guest, int], list[float]]]:
    """Where a shape can run: instantiating has no asynchronous form."""
    return {place: run for place, run in PLACES.items() if place != "asyncio" or shape != "start"}


def run_everywhere(shape: str, times: int) -> tuple[dict[str, array[float]], dict[str, tuple[int, int]]]:
    """One guest, in all places: milliseconds late, and what was left behind while it lives."""
    with endless(shape) as guest:
        for run in places_of(shape).values():
            run(guest, WARM_UP)
        before = holdings()
        late = {place: array("d", run(guest, times)) for place, run in places_of(shape).items()}  # no float is left
        assert guest.usable() == 41
        # Instances live as long as their store.
        return late, {} if shape == "start" else left_over(before)


def measure(shape: str, times: int) -> tuple[dict[str, array[float]], dict[str, tuple[int, int]]]:
    """Milliseconds late by place, and what was left behind, by the calls and after the guest's end."""
    run_everywhere(shape, 1)
    before = holdings()
    late, left = run_everywhere(shape, times)
    return late, left | left_over(before)


def show(shape: str, place: str, found: Sequence[float]) -> float:
    ordered = sorted(found)
    percentile = ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
    median = ordered[len(ordered) // 2]
    print(f"{shape:15} {place:8} {median:8.3f} {percentile:8.3f} {ordered[-1]:8.3f}", flush=True)
    return percentile


def main() -> int:
    """Print the table; 1 where a 99th percentile is over 2 ms, or something was left."""
    parser = argparse.ArgumentParser(prog="python -m tests.lateness")
    parser.add_argument("--times", type=int, default=1000)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES), metavar="SHAPE")
    given = parser.parse_args()
    print(f"{'milliseconds late':24} {'median':>8} {'99%':>8} {'most':>8}")
    worst, leaks = 0.0, 0
    for place, slept in sleeps(given.times).items():
        show("time.sleep", place, slept)
    for shape in given.shapes:
        late, left = measure(shape, given.times)
        for place, found in late.items():
            worst = max(worst, show(shape, place, found))
        for name, (before, after) in left.items():
            print(f"{shape:15} left behind: {name}, {before} before, {after} after")
        leaks += len(left)
    print("Nothing was left behind." if leaks == 0 else f"{leaks} leaks.")
    return 0 if worst <= 2 and leaks == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
