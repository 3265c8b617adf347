"""Threads: one at a time inside a store, others wait without the GIL; stores of their own run side by side."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import wasmartifact as wa
from tests.unit.runtime.harness import exports, instance, load

# A read, a call and a loop that leave time for a race, a write. The compiler can't do without the loop.
RACE_WAT = """(module (import "env" "pause" (func $pause))
    (global $count (export "count") (mut i32) (i32.const 0)) (global $noise (mut i32) (i32.const 1))
    (func (export "bump") (param $spin i32) (local $old i32) (local $x i32)
      (local.set $old (global.get $count))
      (call $pause)
      (local.set $x (global.get $noise))
      (block $done (loop $again
        (br_if $done (i32.eqz (local.get $spin)))
        (local.set $x (i32.xor (i32.mul (local.get $x) (i32.const 1664525)) (i32.shr_u (local.get $x) (i32.const 7))))
        (local.set $spin (i32.sub (local.get $spin) (i32.const 1))) (br $again)))
      (global.set $noise (local.get $x))
      (global.set $count (i32.add (local.get $old) (i32.const 1)))))"""


def run_in_threads(count: int, work: Callable[[int], None]) -> None:
    """Run work(0 .. count - 1) at the same time; the first error of any is raised here."""
    errors: list[BaseException] = []

    def guarded(index: int) -> None:
        try:
            work(index)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    if errors:
        raise errors[0]


def test_threads_that_want_one_new_module_pack_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The harness itself: no test of threads may fail by who packs its module first."""
    packs: list[Any] = []
    pack = wa.pack

    def slow_pack(*arguments: Any) -> Any:
        packs.append(arguments)
        time.sleep(0.1)
        return pack(*arguments)

    def work(index: int) -> None:
        load('(module (func (export "packed_once")))')

    monkeypatch.setattr(wa, "pack", slow_pack)
    run_in_threads(4, work)
    assert len(packs) == 1


def test_one_thread_at_a_time_is_inside_a_store() -> None:
    got = exports(RACE_WAT, {"env": {"pause": lambda: time.sleep(0.0005)}})

    def work(index: int) -> None:
        for _ in range(40):
            got.bump(1000)

    run_in_threads(4, work)
    assert got.count.value == 160


def test_instances_that_share_a_store_exclude_each_other_too() -> None:
    store = wa.Store()
    inside: list[int] = []
    most = 0

    def pause() -> None:
        nonlocal most
        inside.append(1)
        most = max(most, len(inside))
        time.sleep(0.001)
        inside.pop()

    many = [exports(RACE_WAT, {"env": {"pause": pause}}, store=store) for _ in range(3)]

    def work(index: int) -> None:
        for _ in range(20):
            many[index].bump(10)

    run_in_threads(3, work)
    assert most == 1


def test_stores_of_their_own_run_side_by_side() -> None:
    meeting = threading.Barrier(2, timeout=30)  # both must be inside at the same time to get on

    def meet() -> None:
        meeting.wait()

    many = [exports(RACE_WAT, {"env": {"pause": meet}}) for _ in range(2)]
    run_in_threads(2, lambda index: many[index].bump(10))


def test_python_runs_while_a_guest_computes() -> None:
    got = exports(RACE_WAT, {"env": {"pause": lambda: None}})
    thread = threading.Thread(target=got.bump, args=(50_000_000,))
    thread.start()
    ticks = 0
    while thread.is_alive() and ticks < 5:
        time.sleep(0.001)
        ticks += 1
    thread.join(60)
    assert ticks == 5


def test_traps_and_exceptions_in_several_threads() -> None:
    got = [
        exports(
            """(module (import "env" "f" (func $f (param i32))) (memory 1)
            (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
            (func (export "call") (param i32) (call $f (local.get 0))))""",
            {"env": {"f": lambda value: 1 // value}},
        )
        for _ in range(3)
    ]

    def work(index: int) -> None:
        for _ in range(100):
            with pytest.raises(wa.Trap):
                got[index].load(-1)
            with pytest.raises(ZeroDivisionError):
                got[index].call(0)
            assert got[index].load(0) == 0

    run_in_threads(3, work)


def test_stack_exhaustion_on_a_small_stack_is_a_trap() -> None:
    got = exports(
        '(module (func $f (export "f") (param i32) (result i32) (i32.add (i32.const 1) (call $f (local.get 0)))))'
    )
    codes: list[str] = []

    def work(index: int) -> None:
        with pytest.raises(wa.Trap) as caught:
            got.f(0)
        codes.append(caught.value.code)

    before = threading.stack_size(1024 * 1024)
    try:
        run_in_threads(2, work)
    finally:
        threading.stack_size(before)
    assert codes == ["stack_exhausted"] * 2


def test_a_store_can_be_entered_again_by_its_own_thread() -> None:
    depth: list[int] = []
    got: Any = exports(
        """(module (import "env" "f" (func $f (param i32) (result i32)))
        (func (export "go") (param i32) (result i32) (i32.add (i32.const 1) (call $f (local.get 0)))))""",
        {"env": {"f": lambda value: got.go(value - 1) if value else len(depth)}},
    )
    assert got.go(20) == 21
    run_in_threads(3, lambda index: depth.append(got.go(5)))
    assert len(depth) == 3


def test_exports_and_objects_wait_for_the_guest() -> None:
    entered, release = threading.Event(), threading.Event()

    def wait() -> None:
        entered.set()
        release.wait(30)

    made = instance(
        """(module (import "env" "wait" (func $wait)) (global (export "g") (mut i32) (i32.const 1))
        (table (export "t") 1 funcref) (func (export "go") (call $wait) (global.set 0 (i32.const 2))))""",
        {"env": {"wait": wait}},
    )
    value = made.exports.g
    inside = threading.Thread(target=made.exports.go)
    seen: list[int] = []
    outside = threading.Thread(target=lambda: seen.append(value.value))
    inside.start()
    entered.wait(30)
    outside.start()
    time.sleep(0.02)
    assert not seen
    release.set()
    inside.join(30)
    outside.join(30)
    assert seen == [2]


def test_short_calls_wait_for_a_long_one_of_another_thread() -> None:
    """A short call does not lock its store, but never runs beside a call that does: no addition gets lost."""
    got = exports(
        """(module (global $n (mut i32) (i32.const 0))
          (func (export "short") (global.set $n (i32.add (global.get $n) (i32.const 1))))
          (func (export "long") (param i32) (loop $again
            (global.set $n (i32.add (global.get $n) (i32.const 1)))
            (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
          (func (export "value") (result i32) (global.get $n)))"""
    )

    def short() -> None:
        for _ in range(20_000):
            got.short()

    def long() -> None:
        for _ in range(20):
            got.long(100_000)

    threads = [threading.Thread(target=work) for work in (short, long, short, long)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got.value() == 2 * 20_000 + 2 * 20 * 100_000
