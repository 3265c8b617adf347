"""Deadlines and interrupts end guests of every shape, on every kind of thread, and leave nothing behind."""

from __future__ import annotations

import ctypes
import gc
import math
import os
import platform
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

import wasmartifact as wa
from tests.lateness import measure
from tests.support.endless import SHAPES, TAIL_WAT, Guest, endless
from tests.unit.runtime.harness import exports, load

#: Only guards against hanging.
TIMEOUT_S = 60


def in_thread(work: Callable[[], object]) -> BaseException | None:
    """What the work raised on a thread of its own."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(TIMEOUT_S)
    assert not thread.is_alive()
    return raised[0] if raised else None


def is_usable(guest: Guest) -> bool:
    return guest.usable() == 41


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("place", ["main", "worker"])
def test_a_deadline_ends_every_shape(shape: str, place: str) -> None:
    with endless(shape) as guest:
        for _ in range(2):
            with guest.store.deadline(0.02):
                if place == "worker":
                    raised = in_thread(guest.run)
                else:
                    with pytest.raises(wa.DeadlineExceeded) as caught:
                        guest.run()
                    raised = caught.value
                assert isinstance(raised, wa.DeadlineExceeded)
                assert raised.code == "deadline_exceeded"
                with pytest.raises(wa.DeadlineExceeded):
                    guest.usable()
            assert is_usable(guest)


@pytest.mark.parametrize("shape", SHAPES)
def test_an_interrupt_ends_every_shape_once(shape: str) -> None:
    with endless(shape) as guest:
        timer = threading.Timer(0.02, guest.store.interrupt)
        timer.start()
        with pytest.raises(wa.Interrupted) as caught:
            guest.run()
        assert caught.value.code == "interrupted"
        timer.join()
        assert is_usable(guest)


class _SchedAttr(ctypes.Structure):
    """struct sched_attr, version 0: sched_setattr(2)."""

    _fields_ = (
        ("size_bytes", ctypes.c_uint32), ("policy", ctypes.c_uint32), ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32), ("priority", ctypes.c_uint32), ("runtime_ns", ctypes.c_uint64),
        ("deadline_ns", ctypes.c_uint64), ("period_ns", ctypes.c_uint64),
    )  # fmt: skip


def _slice_ns(thread: int) -> int:
    """The slice that the scheduler gives a thread, 0 where the kernel does not tell."""
    numbers = {"x86_64": 315, "aarch64": 275}  # SYS_sched_getattr
    found = _SchedAttr()
    size_bytes = ctypes.sizeof(found)
    result = ctypes.CDLL(None).syscall(numbers[platform.machine()], thread, ctypes.byref(found), size_bytes, 0)
    return found.runtime_ns if result == 0 and found.policy == os.SCHED_OTHER else 0


def test_the_thread_that_ends_guests_is_in_a_hurry() -> None:
    with wa.Store().deadline(60):
        threads = {int(task.name): (task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()}
        watcher = next(thread for thread, name in threads.items() if name == "wa-watcher")
        usual = _slice_ns(0)
        if usual == 0:
            pytest.skip("this kernel has no slices of threads; Linux 6.12 and newer have")
        stop = time.monotonic() + TIMEOUT_S
        while (found := _slice_ns(watcher)) == usual and time.monotonic() < stop:
            time.sleep(0.001)
        assert found < usual


def test_frames_are_those_of_the_moment() -> None:
    with endless("recursion") as guest, guest.store.deadline(0.02), pytest.raises(wa.DeadlineExceeded) as caught:
        guest.run()
    names = {frame.func_name for frame in caught.value.frames}
    assert names == {"fib"}
    assert 5 < len(caught.value.frames) <= 64


def test_an_interrupt_before_the_call_ends_the_next_one() -> None:
    got = load(TAIL_WAT).instantiate()
    got.store.interrupt()
    got.store.interrupt()
    with pytest.raises(wa.Interrupted):
        got.exports.usable()
    assert got.exports.usable() == 41


@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_is_left_behind(shape: str) -> None:
    """Descriptors, threads, mappings, objects, memory and blocked signals, after calls on all kinds of threads."""
    assert measure(shape, 20)[1] == {}


def test_a_table_that_grows_looks_between_steps() -> None:
    """Growth that moves 72 MB, or fills as much, is given up when its call is to end; the next one does it."""
    wat = """(module (table (export "moved") 9000000 funcref) (table (export "filled") 1 funcref) (elem declare func $f)
      (func $f (export "move") (result i32) (table.grow 0 (ref.null func) (i32.const 1)))
      (func (export "fill") (result i32) (table.grow 1 (ref.func $f) (i32.const 9000000))))"""
    for name, table, size in (("move", "moved", 9_000_000), ("fill", "filled", 1)):
        got = load(wat).instantiate()
        grow = got.exports[name]
        for _ in range(20):
            with got.store.deadline(0.001), suppress(wa.DeadlineExceeded):
                grow()
                break
        else:
            assert len(got.exports[table]) == size
            assert grow() == size
            continue
        pytest.fail("the growth was never given up")


def test_nested_deadlines_the_nearest_counts() -> None:
    with endless("loop") as guest:
        with guest.store.deadline(1000), guest.store.deadline(0.01), pytest.raises(wa.DeadlineExceeded):
            guest.run()
        with guest.store.deadline(0.01):
            with guest.store.deadline(1000), pytest.raises(wa.DeadlineExceeded):
                guest.run()
            with pytest.raises(wa.DeadlineExceeded):
                guest.usable()
        with guest.store.deadline(math.inf), guest.store.deadline(1e300):
            assert is_usable(guest)


def test_a_deadline_that_is_over_ends_calls_at_once() -> None:
    with endless("loop") as guest:
        for seconds in (0, -1.5, 0.0):
            with guest.store.deadline(seconds), pytest.raises(wa.DeadlineExceeded):
                guest.usable()
        deadline = guest.store.deadline(0.001)
        for _ in range(3):
            with deadline:
                time.sleep(0.01)  # between calls
                with pytest.raises(wa.DeadlineExceeded):
                    guest.run()
            assert is_usable(guest)


@pytest.mark.parametrize("stop", ["interrupt", "deadline"])
def test_a_host_function_stops_the_call_that_it_serves(stop: str) -> None:
    """On the way back from it: no signal has to come first, and no further call is made."""
    stops: list[object] = []

    def host() -> None:
        if stop == "interrupt":
            store.interrupt()
        stops.append(store.deadline(0 if stop == "deadline" else 60).__enter__())

    text = '(module (import "" "f" (func $f)) (func (export "run") (loop $l (call $f) (br $l))))'
    instance = load(text).instantiate({"": {"f": wa.Func(host)}})
    store = instance.store
    with pytest.raises(wa.Trap) as caught:
        instance.exports.run()
    assert isinstance(caught.value, wa.Interrupted if stop == "interrupt" else wa.DeadlineExceeded)
    assert len(stops) == 1


def test_what_is_no_deadline() -> None:
    store = wa.Store()
    with pytest.raises(ValueError, match="NaN"):
        store.deadline(math.nan)
    with pytest.raises(TypeError):
        store.deadline("1")  # type: ignore[arg-type]
    deadline = store.deadline(1)
    with deadline, pytest.raises(RuntimeError, match="is running"), deadline:
        pass


def test_the_ways_to_hold_a_deadline() -> None:
    """ExitStack looks the two methods up in the class; objects that were dropped are used again, each for one block."""
    with endless("loop") as guest:
        with ExitStack() as stack:
            deadlines = [stack.enter_context(guest.store.deadline(seconds)) for seconds in (1000, 0, 1000)]
            assert len(set(map(id, deadlines))) == 3
            with pytest.raises(wa.DeadlineExceeded):
                guest.usable()
        assert is_usable(guest)
        deadline: Any = guest.store.deadline(0)
        assert deadline.__enter__() is deadline
        with pytest.raises(wa.DeadlineExceeded):
            guest.usable()
        assert deadline.__exit__(None, None, None) is None
        assert is_usable(guest)
        for misuse, arguments in (("__enter__", ()), ("__exit__", (3, None, None, None)), ("__call__", ())):
            with pytest.raises(TypeError):
                getattr(type(deadline), misuse)(*arguments)
        for _ in range(100):
            one, other = guest.store.deadline(0), guest.store.deadline(1000)
            with other:
                del one
                assert is_usable(guest)
        with guest.store.deadline(0), pytest.raises(wa.DeadlineExceeded):
            guest.usable()
        assert is_usable(guest)
        store = weakref.ref(guest.store)
    del guest, deadline, deadlines, other, stack
    gc.collect()
    assert store() is None


def test_a_host_function_can_not_dodge_a_deadline() -> None:
    """What it catches comes again on the way back to the guest; an interrupt is done with."""

    def catch(expected: type[wa.Trap]) -> Callable[[], None]:
        def host() -> None:
            with pytest.raises(expected):
                inner.tail(0)
            caught.append(expected)

        return host

    caught: list[type[wa.Trap]] = []
    wat = '(module (import "env" "f" (func $f)) (func (export "go") (result i32) (call $f) (i32.const 5)))'
    store = wa.Store()
    inner = exports(TAIL_WAT, store=store)
    outer = exports(wat, {"env": {"f": catch(wa.DeadlineExceeded)}}, store=store)
    with store.deadline(0.01), pytest.raises(wa.DeadlineExceeded):
        outer.go()
    outer = exports(wat, {"env": {"f": catch(wa.Interrupted)}}, store=store)
    threading.Timer(0.02, store.interrupt).start()
    assert outer.go() == 5
    assert caught == [wa.DeadlineExceeded, wa.Interrupted]


def test_a_deadline_of_a_store_that_becomes_another_ones_alias() -> None:
    """Both ways round, with the deadline running and over."""
    for weight in (1, 20):
        for seconds in (0.02, 0):
            memory_wat = '(module (memory (export "m") 1) (func (export "spin") (loop $l (br $l))))'
            first = load(memory_wat).instantiate()
            artifact = load('(module (import "e" "m" (memory 1)) (func (export "spin") (loop $l (br $l))))')
            store = wa.Store()
            for _ in range(weight):
                load(TAIL_WAT).instantiate(store=store)
            with store.deadline(seconds):
                try:
                    second = artifact.instantiate({"e": first}, store=store).exports["spin"]
                except wa.DeadlineExceeded:
                    second = first.exports["spin"]
                for spin in (first.exports["spin"], second):
                    with pytest.raises(wa.DeadlineExceeded):
                        spin()
            assert exports(TAIL_WAT, store=first.store).usable() == 41


def test_many_threads_and_stores_at_once() -> None:
    """Each ends by its own deadline; those without one go on."""
    codes: list[str] = []

    def work(number: int) -> None:
        with endless("loop") as guest:
            for turn in range(10):
                if (number + turn) % 3 == 0:
                    assert is_usable(guest)
                try:
                    with guest.store.deadline(0.001 * (number % 5 + 1)):
                        guest.run()
                except wa.DeadlineExceeded as error:
                    codes.append(error.code)
                assert is_usable(guest)

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)
    assert codes == ["deadline_exceeded"] * 80
