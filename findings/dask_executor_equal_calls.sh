#!/usr/bin/env bash
# distributed 2026.8.0 (PyPI): the executor of `client.get_executor()` runs equal calls once.
# Guess: each `submit` is a call of its own, as concurrent.futures describes an executor; what Client.submit does with
# pure functions is Client.submit's.
# Seen: two submissions of the same function with the same arguments share one run and one answer, an exception too, for
# as long as a future of it is held; map does the same within one call. To cancel one future cancels the other, of
# somebody who knows nothing of it. `get_executor(pure=False)` behaves as an executor. What draws random numbers, or
# retries, has to say pure=False.
. "$(dirname "$0")/lib/scratch.sh"
install distributed==2026.8.0 dask==2026.8.0
cat > look.py << 'PY'
import logging
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path

from distributed import Client


def draw(name):
    """Count the runs of a name, in a file that all workers see."""
    with Path(name).open("a") as file:
        file.write("x")
    return Path(name).stat().st_size


def fail(name):
    draw(name)
    raise OSError("busy")


def wait_for_gate(name):
    import time

    while not Path(name).exists():
        time.sleep(0.01)
    return "went on"


def look(name, executor):
    print(f"{name}, two calls:", *(future.result() for future in [executor.submit(draw, name + "a") for _ in range(2)]))
    print(f"{name}, map of three:", *sorted(executor.map(draw, [name + "b"] * 3)))
    first = executor.submit(fail, name + "c")
    first.exception()
    executor.submit(fail, name + "c").exception()
    print(f"{name}, two failures, runs:", Path(name + "c").stat().st_size)
    mine, yours = (executor.submit(wait_for_gate, name + "d") for _ in range(2))
    yours.cancel()
    Path(name + "d").touch()
    try:
        print(f"{name}, mine when yours is cancelled:", mine.result())
    except CancelledError:
        print(f"{name}, mine when yours is cancelled: cancelled")


if __name__ == "__main__":
    logging.disable()
    with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None) as client:
        look("dask", client.get_executor())
        look("dask, pure=False", client.get_executor(pure=False))
    with ThreadPoolExecutor(1) as threads:
        look("threads", threads)
PY
python look.py > seen 2> said || { cat said >&2; exit 1; }
expect << 'SEEN'
dask, two calls: 1 1
dask, map of three: 1 1 1
dask, two failures, runs: 1
dask, mine when yours is cancelled: cancelled
dask, pure=False, two calls: 1 2
dask, pure=False, map of three: 1 2 3
dask, pure=False, two failures, runs: 2
dask, pure=False, mine when yours is cancelled: went on
threads, two calls: 1 2
threads, map of three: 1 2 3
threads, two failures, runs: 2
threads, mine when yours is cancelled: went on
SEEN
