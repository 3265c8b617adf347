"""Shared memories: instances of several stores use one at the same time; they wait, wake, grow, and are stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import wasmartifact as wa

WAT = """(module (import "env" "memory" (memory 1 40 shared))
  (func (export "wait") (param i32 i32 i64) (result i32)
    (memory.atomic.wait32 (local.get 0) (local.get 1) (local.get 2)))
  (func (export "wait_long") (param i32 i64 i64) (result i32)
    (memory.atomic.wait64 offset=8 (local.get 0) (local.get 1) (local.get 2)))
  (func (export "notify") (param i32 i32) (result i32) (memory.atomic.notify (local.get 0) (local.get 1)))
  (func (export "notify_at") (param i32 i32) (result i32) (memory.atomic.notify offset=8 (local.get 0) (local.get 1)))
  (func (export "load") (param i32) (result i32) (i32.atomic.load (local.get 0)))
  (func (export "store") (param i32 i32) (i32.atomic.store (local.get 0) (local.get 1)))
  (func (export "size") (result i32) (memory.size))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  ;; Add 1 so often at an address, by a read-modify-write each.
  (func (export "count") (param $at i32) (param $times i32)
    (loop $again
      (drop (i32.atomic.rmw.add (local.get $at) (i32.const 1)))
      (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1))))))
  ;; Add 1 so often to a plain number that a lock of three states guards, as C libraries have it.
  (func (export "count_locked") (param $lock i32) (param $times i32) (local $state i32)
    (loop $again
      (if (local.tee $state (i32.atomic.rmw.cmpxchg (local.get $lock) (i32.const 0) (i32.const 1)))
        (then (loop $contended
          (if (i32.atomic.rmw.xchg (local.get $lock) (i32.const 2))
            (then
              (drop (memory.atomic.wait32 (local.get $lock) (i32.const 2) (i64.const -1)))
              (br $contended))))))
      (i32.store offset=4 (local.get $lock) (i32.add (i32.load offset=4 (local.get $lock)) (i32.const 1)))
      (if (i32.eq (i32.atomic.rmw.xchg (local.get $lock) (i32.const 0)) (i32.const 2))
        (then (drop (memory.atomic.notify (local.get $lock) (i32.const 1)))))
      (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1))))))
  ;; Until the memory has so many pages.
  (func (export "await_size") (param $pages i32)
    (loop $again (br_if $again (i32.lt_u (memory.size) (local.get $pages))))))"""

FOREVER = -1
#: Guards against hanging only.
LONG_SECONDS = 60


@pytest.fixture(scope="module", params=[0, 2])
def artifact(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> wa.Artifact:
    directory = tmp_path_factory.mktemp("shared")
    (directory / "shared.wat").write_text(WAT)
    wa.pack(directory / "shared.wat", directory / "shared.so", opt_level=request.param)
    return wa.load(directory / "shared.so")


@pytest.fixture
def memory() -> wa.Memory:
    return wa.Memory(1, 40, shared=True)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as made:
        yield made


def make(artifact: wa.Artifact, memory: wa.Memory, store: wa.Store | None = None) -> Any:
    """Exports of a new instance, in a store of its own unless one is given."""
    return artifact.instantiate({"env": {"memory": memory}}, store=store).exports


def notify_until(exports: Any, address: int, count: int, woken: int = 1) -> None:
    """Notify as often as it takes: a thread that is to wait there may not do so yet."""
    end = time.monotonic() + LONG_SECONDS
    while woken > 0:
        woken -= exports.notify(address, count)
        assert time.monotonic() < end
        time.sleep(0.0005)
    assert woken == 0


def test_a_thread_waits_until_another_one_notifies(
    artifact: wa.Artifact, memory: wa.Memory, pool: ThreadPoolExecutor
) -> None:
    one, other = make(artifact, memory), make(artifact, memory)
    waits = pool.submit(one.wait, 16, 0, FOREVER)
    notify_until(other, 16, 1)
    assert waits.result(LONG_SECONDS) == 0
    waits = pool.submit(one.wait_long, 16, 0, FOREVER)
    assert other.notify(16, 5) == 0  # another address
    while other.notify_at(16, 5) == 0:
        time.sleep(0.0005)
    assert waits.result(LONG_SECONDS) == 0


def test_what_differs_or_takes_too_long_is_told(artifact: wa.Artifact, memory: wa.Memory) -> None:
    got = make(artifact, memory)
    got.store(0, 7)
    assert got.wait(0, 0, FOREVER) == 1
    assert got.wait_long(0, 1 << 32, FOREVER) == 1  # the upper half counts
    assert got.wait(0, 7, 0) == 2
    started = time.monotonic()
    assert got.wait(0, 7, 20_000_000) == 2
    assert time.monotonic() - started >= 0.02


@pytest.mark.parametrize(
    ("address", "code"),
    [(2, "unaligned_atomic"), (65536, "memory_out_of_bounds"), (-4, "memory_out_of_bounds")],
)
def test_wrong_addresses_trap(artifact: wa.Artifact, memory: wa.Memory, address: int, code: str) -> None:
    got = make(artifact, memory)
    assert [outcome(got.wait, address, 0, 0), outcome(got.notify, address, 1), outcome(got.notify_at, address, 1)] == [
        code,
    ] * 3
    assert outcome(got.wait_long, 4, 0, 0) == "unaligned_atomic"  # aligned to 4 only


def test_who_came_first_wakes_first(artifact: wa.Artifact, memory: wa.Memory, pool: ThreadPoolExecutor) -> None:
    """A notification wakes in the order of the waits, and as many as it says."""
    woken: list[int] = []

    def wait(number: int) -> None:
        got = make(artifact, memory)
        got.store(100, number)
        assert got.wait(64, 0, FOREVER) == 0
        woken.append(number)

    waits = []
    for number in range(1, 7):
        waits.append(pool.submit(wait, number))
        while memory[100] != number:
            time.sleep(0.0005)
        time.sleep(0.02)  # from the store to the wait
    other = make(artifact, memory)
    for number in (1, 2):
        notify_until(other, 64, 1)
        waits[number - 1].result(LONG_SECONDS)
    assert woken == [1, 2]
    notify_until(other, 64, 3, woken=3)
    for done in waits[2:5]:
        done.result(LONG_SECONDS)
    assert sorted(woken) == [1, 2, 3, 4, 5]
    notify_until(other, 64, -1)
    waits[5].result(LONG_SECONDS)
    assert other.notify(64, -1) == 0


@pytest.mark.parametrize("name", ["count", "count_locked"])
def test_nothing_is_lost(artifact: wa.Artifact, memory: wa.Memory, pool: ThreadPoolExecutor, name: str) -> None:
    threads, times = 6, 20_000
    running: list[Future[None]] = [pool.submit(make(artifact, memory)[name], 128, times) for _ in range(threads)]
    for done in running:
        done.result(LONG_SECONDS)
    place = 128 if name == "count" else 132
    assert int.from_bytes(memory[place : place + 4], "little") == threads * times


def test_explicit_stores_are_not_joined(artifact: wa.Artifact, memory: wa.Memory, pool: ThreadPoolExecutor) -> None:
    """Where they were, who notifies would wait for who waits."""
    stores = wa.Store(), wa.Store()
    one, other = (make(artifact, memory, store) for store in stores)
    waits = pool.submit(one.wait, 0, 0, FOREVER)
    notify_until(other, 0, 1)
    assert waits.result(LONG_SECONDS) == 0


def test_an_exported_memory_crosses_stores_too(pool: ThreadPoolExecutor, tmp_path: Path, artifact: wa.Artifact) -> None:
    (tmp_path / "owner.wat").write_text('(module (memory (export "memory") 1 40 shared) (data (i32.const 8) "\\07"))')
    wa.pack(tmp_path / "owner.wat", tmp_path / "owner.so", opt_level=0)
    owner = wa.load(tmp_path / "owner.so").instantiate(store=wa.Store())
    users = [make(artifact, owner.exports.memory, wa.Store()) for _ in range(2)]
    waits = pool.submit(users[0].wait, 8, 7, FOREVER)
    notify_until(users[1], 8, 1)
    assert waits.result(LONG_SECONDS) == 0
    del owner
    assert users[0].load(8) == 7


def test_growth_is_seen_by_all(artifact: wa.Artifact, memory: wa.Memory, pool: ThreadPoolExecutor) -> None:
    view = memoryview(memory)
    others = [make(artifact, memory) for _ in range(4)]
    waits = [pool.submit(other.await_size, 3) for other in others]
    last_page = 2 * 65536
    with pytest.raises(wa.Trap):
        make(artifact, memory).load(last_page)
    assert make(artifact, memory).grow(1) == 1
    assert memory.grow(1) == 2
    for done in waits:
        done.result(LONG_SECONDS)
    others[0].store(last_page, 9)
    assert others[1].load(last_page) == 9
    assert (len(view), len(memoryview(memory)), memory.size_bytes) == (65536, 3 * 65536, 3 * 65536)
    assert memoryview(memory)[last_page] == 9
    view[0] = 5
    assert others[2].load(0) == 5


def test_who_grows_at_the_same_time_gets_pages_of_its_own(
    artifact: wa.Artifact, memory: wa.Memory, pool: ThreadPoolExecutor
) -> None:
    def grow(exports: Any) -> list[int]:
        return [exports.grow(1) for _ in range(13)]

    found = [pages for done in [pool.submit(grow, make(artifact, memory)) for _ in range(4)] for pages in done.result()]
    assert sorted(found) == [-1] * 13 + list(range(1, 40))


def test_limits_count_it_once(artifact: wa.Artifact) -> None:
    memory = wa.Memory(1, 40, shared=True)
    limited = make(artifact, memory, wa.Store(limits=wa.Limits(memory_bytes=3 * 65536)))
    free = make(artifact, memory)
    assert (free.grow(2), limited.grow(1), free.grow(1)) == (1, -1, -1)  # whoever grows it


# ---- what ends a wait ------------------------------------------------------------------------------------------------


def test_a_deadline_ends_a_wait(artifact: wa.Artifact, memory: wa.Memory) -> None:
    store = wa.Store()
    got = make(artifact, memory, store)
    started = time.monotonic()
    with pytest.raises(wa.DeadlineExceeded) as caught, store.deadline(0.03):
        got.wait(0, 0, FOREVER)
    assert 0.03 <= time.monotonic() - started < LONG_SECONDS
    assert [frame.func_name for frame in caught.value.frames] == ["wait"]
    assert got.notify(0, -1) == 0  # nobody stands there any more
    assert got.wait(0, 0, 0) == 2


def test_an_interrupt_ends_a_wait(artifact: wa.Artifact, memory: wa.Memory, pool: ThreadPoolExecutor) -> None:
    """At every moment: before it begins, on its way, within."""
    store = wa.Store()
    got = make(artifact, memory, store)
    for round_ in range(100):
        waits = pool.submit(got.wait, 0, 0, FOREVER)
        time.sleep(round_ * 0.00002)
        store.interrupt()
        with pytest.raises(wa.Interrupted):
            waits.result(LONG_SECONDS)
    assert got.notify(0, -1) == 0


def test_ctrl_c_ends_a_wait(artifact: wa.Artifact, memory: wa.Memory) -> None:
    got = make(artifact, memory)
    for delay in (0.0, 0.0001, 0.001, 0.03) * 5:
        timer = threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            timer.start()
            got.wait(0, 0, FOREVER)
        timer.join()


def test_a_cancelled_task_ends_a_wait(artifact: wa.Artifact, memory: wa.Memory) -> None:
    got = make(artifact, memory)

    async def main() -> None:
        task = asyncio.ensure_future(got.wait.call_async(0, 0, FOREVER))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await got.wait.call_async(0, 1, FOREVER) == 1

    asyncio.run(main())


def test_a_stop_does_not_end_the_waits_of_others(
    artifact: wa.Artifact, memory: wa.Memory, pool: ThreadPoolExecutor
) -> None:
    store = wa.Store()
    one, other = make(artifact, memory, store), make(artifact, memory)
    waits: list[Future[int]] = [pool.submit(got.wait, 0, 0, FOREVER) for got in (one, other)]
    time.sleep(0.01)
    store.interrupt()
    with pytest.raises(wa.Interrupted):
        waits[0].result(LONG_SECONDS)
    notify_until(other_thread := make(artifact, memory), 0, -1)
    assert waits[1].result(LONG_SECONDS) == 0
    assert other_thread.notify(0, -1) == 0


def test_a_child_has_no_waiters(artifact: wa.Artifact, memory: wa.Memory, pool: ThreadPoolExecutor) -> None:
    """Those of its parent's threads stay there."""
    one, other = make(artifact, memory), make(artifact, memory)
    waits = pool.submit(one.wait, 0, 0, FOREVER)
    time.sleep(0.01)
    child = os.fork()
    if child == 0:
        os._exit(0 if (other.notify(0, -1), other.wait(0, 0, 1000)) == (0, 2) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    notify_until(other, 0, 1)
    assert waits.result(LONG_SECONDS) == 0


def outcome(func: Callable[..., object], *arguments: int) -> object:
    try:
        return func(*arguments)
    except wa.Trap as trap:
        return trap.code


@pytest.mark.parametrize("opt_level", [0, 2])
def test_other_memories_wait_and_notify_likewise(opt_level: int, tmp_path: Path) -> None:
    """A second memory, one with 64-bit addresses, offsets that don't fit into 32 bits or that wrap around."""
    text = """(module (memory 1) (memory $wide i64 1 2 shared)
      (func (export "wait") (param i64) (result i32)
        (memory.atomic.wait32 $wide (local.get 0) (i32.const 0) (i64.const 0)))
      (func (export "far") (param i64) (result i32)
        (memory.atomic.wait64 $wide offset=0xfffffffffffffff8 (local.get 0) (i64.const 0) (i64.const 0)))
      (func (export "notify") (param i64) (result i32)
        (memory.atomic.notify $wide offset=4 (local.get 0) (i32.const 1)))
      (func (export "plain") (result i32) (memory.atomic.notify 0 (i32.const 0) (i32.const 1)))
      (func (export "load") (param i64) (result i64) (i64.atomic.load $wide (local.get 0)))
      (func (export "grow") (result i64) (memory.grow $wide (i64.const 1))))"""
    (tmp_path / "wide.wat").write_text(text)
    wa.pack(tmp_path / "wide.wat", tmp_path / "wide.so", opt_level=opt_level)
    got = wa.load(tmp_path / "wide.so").instantiate().exports
    outside = "memory_out_of_bounds"
    assert [outcome(got.wait, at) for at in (0, 65532, 65536, -4, 2)] == [
        2, 2, outside, outside, "unaligned_atomic",
    ]  # fmt: skip
    assert [outcome(got.notify, at) for at in (0, 65528, 65532, -4)] == [0, 0, outside, outside]
    assert [outcome(got.far, at) for at in (0, 8, 4)] == [outside, outside, "unaligned_atomic"]
    assert got.plain() == 0
    assert (outcome(got.load, 65536), got.grow(), got.load(65536), got.wait(65536)) == (outside, 1, 0, 2)
