"""Many instances of a real program: created, called, dropped; nothing stays, and threads run side by side.

Costs and speed-ups are printed (``pytest -s``), never asserted.
"""

from __future__ import annotations

import gc
import os
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import wasmartifact as wa
from bench import quickjs
from tests.support.process import descriptors, mappings
from tests.unit.runtime.harness import instance, load

INSTANCES = 1000
#: Alive at a time: more than the pool keeps, so that instances come and go on both ways.
BATCH = 100
THREADS = 16
JOIN_S = 120
#: A module that has a table in common with others of its kind.
SHARING_WAT = """(module (import "env" "t" (table $t 4 funcref)) (memory 1) (elem declare func $f)
  (func $f (result i32) (i32.const 42))
  (func (export "put") (param i32) (table.set $t (local.get 0) (ref.func $f)))
  (func (export "call") (param i32) (result i32) (call_indirect $t (result i32) (local.get 0))))"""
COLLATZ_WAT = """(module (memory 1) (func (export "steps") (param $limit i32) (result i32)
  (local $n i32) (local $x i64) (local $steps i32)
  (block $done (loop $next
    (br_if $done (i32.ge_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (local.get $limit)))
    (local.set $x (i64.extend_i32_u (local.get $n)))
    (block $one (loop $again
      (br_if $one (i64.eq (local.get $x) (i64.const 1)))
      (if (i64.eqz (i64.and (local.get $x) (i64.const 1)))
        (then (local.set $x (i64.shr_u (local.get $x) (i64.const 1))))
        (else (local.set $x (i64.add (i64.mul (local.get $x) (i64.const 3)) (i64.const 1)))))
      (i32.store (i32.const 0) (local.tee $steps (i32.add (local.get $steps) (i32.const 1))))
      (br $again)))
    (br $next)))
  (local.get $steps)))"""


@pytest.fixture(scope="module")
def quickjs_artifact(tmp_path_factory: pytest.TempPathFactory) -> wa.Artifact:
    """QuickJS, packed once and fast."""
    path = tmp_path_factory.mktemp("instances") / "quickjs.so"
    wa.pack(quickjs.module_path(), path, opt_level=0)
    return wa.load(path)


def attach(guest: quickjs.QuickJs, exports: wa.Exports) -> None:
    """Give the guest its instance: from now on the host functions hold the instance that holds them."""

    def write(offset: int, data: bytes) -> None:
        exports.memory[offset : offset + len(data)] = data

    guest.attach(
        quickjs.Engine(exports.__getitem__, lambda offset, size: exports.memory[offset : offset + size], write)
    )


def resident_kib() -> int:
    """VmRSS of this process."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1])


def batch(artifact: wa.Artifact, plugin: wa.Artifact, size: int) -> list[float]:
    """Create, call and drop instances; seconds that creating each QuickJS took.

    Half of them have host functions of their own that hold their instance. The others come from one `link`, and each
    of them is in one store with a plug-in, all of which share one table.
    """
    table = wa.Table("funcref", 4)
    common = quickjs.QuickJs()  # serves the instance that was attached last
    linked = artifact.link({quickjs.WASI_MODULE: common.imports()})
    kept: list[Any] = []
    seconds: list[float] = []
    for index in range(size):
        start = time.perf_counter()
        if index % 2:
            guest = quickjs.QuickJs()
            made = artifact.instantiate({quickjs.WASI_MODULE: guest.imports()})
            seconds.append(time.perf_counter() - start)
            attach(guest, made.exports)
            if index % 20 == 1:
                assert guest.evaluate(f"console.log({index} * 2)") == f"{2 * index}\n"
        else:
            made = linked.instantiate(store=table.store)
            seconds.append(time.perf_counter() - start)
            plug = plugin.instantiate({"env": {"t": table}}, store=made.store)
            plug.exports.put(index % 4)
            assert plug.exports.call(index % 4) == 42
            attach(common, made.exports)
            kept.append(plug)
        address = made.exports.malloc(20000)
        made.exports.memory[address : address + 20000] = bytes([index % 251]) * 20000
        kept.append(made)
    return seconds


def held() -> tuple[int, int, int]:
    """Resident memory in KiB, open descriptors, mappings, without garbage."""
    gc.collect()
    return resident_kib(), len(descriptors()), len(mappings(""))


def test_a_thousand_instances_leave_nothing(quickjs_artifact: wa.Artifact) -> None:
    plugin = load(SHARING_WAT)
    for _ in range(3):  # the heap finds its size in the first two rounds
        before = held()
        seconds = [cost for _ in range(INSTANCES // BATCH) for cost in batch(quickjs_artifact, plugin, BATCH)]
    after = held()
    print(f"\n{INSTANCES} instances of QuickJS: median {1e6 * statistics.median(seconds):.1f} µs")
    print(f"resident KiB, descriptors, mappings: {before} before, {after} after")
    assert after[0] - before[0] < 512  # each wrote more than 20 KB
    assert after[1] == before[1]
    assert after[2] - before[2] < 20


def run_threads(work: Callable[[int], None]) -> float:
    """Run work(0 .. THREADS - 1) at the same time; seconds. The first error of any is raised here."""
    errors: list[BaseException] = []
    ready = threading.Barrier(THREADS + 1, timeout=JOIN_S)

    def guarded(index: int) -> None:
        try:
            ready.wait()
            work(index)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(index,), daemon=True) for index in range(THREADS)]
    for thread in threads:
        thread.start()
    ready.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join(JOIN_S)
        assert not thread.is_alive(), "a deadlock"
    if errors:
        raise errors[0]
    return time.perf_counter() - start


def collatz_steps(limit: int) -> int:
    """Steps that the numbers below limit take to reach 1, counted by Python."""
    total = 0
    for start in range(1, limit):
        number = start
        while number != 1:
            number = number // 2 if number % 2 == 0 else 3 * number + 1
            total += 1
    return total


def test_sixteen_threads_with_stores_of_their_own(quickjs_artifact: wa.Artifact) -> None:
    artifact, limit = load(COLLATZ_WAT), 40000
    small = collatz_steps(500)
    expected = artifact.instantiate().exports.steps(limit)
    results: list[int] = []

    def work(index: int) -> None:
        guest = quickjs.QuickJs()
        attach(guest, quickjs_artifact.instantiate({quickjs.WASI_MODULE: guest.imports()}).exports)
        assert guest.evaluate(f"console.log({index} ** 3)") == f"{index**3}\n"
        assert artifact.instantiate().exports.steps(500) == small
        results.append(artifact.instantiate().exports.steps(limit))

    start = time.perf_counter()
    for index in range(THREADS):
        work(index)
    alone = time.perf_counter() - start
    together = run_threads(work)
    assert results == [expected] * (2 * THREADS)
    print(
        f"\n{THREADS} threads, {len(os.sched_getaffinity(0))} processors: {alone / together:.2f} times as fast as one"
    )


def test_sixteen_threads_in_one_store() -> None:
    got = instance(
        """(module (import "env" "pause" (func $pause)) (global $count (export "count") (mut i32) (i32.const 0))
        (func (export "bump") (local $old i32)
          (local.set $old (global.get $count)) (call $pause)
          (global.set $count (i32.add (local.get $old) (i32.const 1)))))""",
        {"env": {"pause": lambda: time.sleep(0)}},
    )
    artifact, table = load(SHARING_WAT), wa.Table("funcref", 4)
    artifact.instantiate({"env": {"t": table}}, store=got.store)  # joins the table's store while nobody is inside

    def work(index: int) -> None:
        for turn in range(50):
            got.exports.bump()
            plug = artifact.instantiate({"env": {"t": table}}, store=got.store)
            plug.exports.put((index + turn) % 4)
            assert plug.exports.call((index + turn) % 4) == 42

    run_threads(work)
    assert got.exports.count.value == 50 * THREADS
