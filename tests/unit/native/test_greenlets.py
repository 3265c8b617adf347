"""Host functions that switch to another greenlet: calls of one store end innermost first, or the outer one traps.

A greenlet that was made before another one went deeper lies on the same part of the stack: switching to it overwrites
the frames of the other one, which are put back later. `World` makes greenlets of both kinds.
"""

from __future__ import annotations

import gc
import os
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import wasmartifact as wa
from tests.unit.runtime.harness import load

greenlet: Any = pytest.importorskip("greenlet", exc_type=ImportError)

GUEST_WAT = """(module (import "env" "f" (func $f (param i32) (result i32)))
  (memory (export "memory") 1) (tag $t (export "t") (param i32)) (global $g (mut i32) (i32.const 0))
  (func (export "plain") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
  (func $go (export "go") (param i32) (result i32) (i32.add (call $f (local.get 0)) (i32.const 100)))
  (func (export "oob") (param i32) (result i32) (i32.load (i32.sub (i32.const 0) (call $f (local.get 0)))))
  (func (export "spin") (param i32) (result i32) (drop (call $f (local.get 0))) (loop $l (br $l)) (unreachable))
  (func (export "catch") (param i32) (result i32)
    (block $h (result i32) (try_table (catch $t $h) (drop (call $f (local.get 0)))) (i32.const -1)))
  (func (export "keep") (param i32) (result i32) (local $e exnref)
    (block $h (result i32 exnref) (try_table (catch_ref $t $h) (throw $t (local.get 0))) (unreachable))
    (local.set $e) (drop) (drop (call $f (local.get 0)))
    (block $k (result i32) (try_table (catch $t $k) (throw_ref (local.get $e))) (unreachable)))
  (func (export "churn") (param i32) (result i32) (local $e exnref)
    (loop $l
      (block $h (result i32 exnref) (try_table (catch_ref $t $h) (throw $t (i32.const 7))) (unreachable))
      (local.set $e) (drop) (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (i32.const 1)))"""
#: Frames between a greenlet's start and its call, so that old greenlets overlap with the frames of a call.
DEPTH = 40
#: Only guards against hanging.
TIMEOUT_S = 60
SHARING = ("one instance", "one store", "two stores")
#: A new greenlet lies below whoever switches to it first; an old one where it was made: over frames that came later.
KINDS = ("new", "old")


def deep(work: Callable[[], Any], levels: int = DEPTH) -> Any:
    """Call it below so many frames of C and of Python."""
    return work() if levels == 0 else next(map(deep, [work], [levels - 1]))


def in_turn(*steps: Callable[[], Any]) -> Callable[[], None]:
    """All of them, one after the other."""

    def script() -> None:
        for step in steps:
            step()

    return script


class World:
    """Two instances, ``a`` and ``b``, and greenlets; their host function does what ``scripts`` has for its argument, and returns that."""  # noqa: E501

    def __init__(self, kind: str, sharing: str) -> None:
        self.kind = kind
        self.scripts: dict[int, Callable[[], Any]] = {}
        self.greenlets: dict[str, Any] = {"main": greenlet.getcurrent()}
        self.results: dict[str, Any] = {}
        first = self.instance()
        second = first if sharing == "one instance" else self.instance(first.store if sharing == "one store" else None)
        self.stores = (first.store, second.store)
        self.a: Any = first.exports
        self.b: Any = second.exports

    def host(self, value: int) -> int:
        script = self.scripts.get(value)
        if script is not None:
            script()
        return value

    def instance(self, store: wa.Store | None = None) -> wa.Instance:
        return load(GUEST_WAT).instantiate({"env": {"f": self.host}}, store=store or wa.Store())

    def add(self, name: str, work: Callable[[], Any]) -> None:
        """A greenlet of this name that works when it is switched to, and leaves its result, or what it raised."""

        def run() -> None:
            if self.kind == "old":
                self.switch("main")
            try:
                self.results[name] = deep(work)
            except (wa.WasmArtifactError, greenlet.GreenletExit) as error:
                self.results[name] = error

        self.greenlets[name] = greenlet.greenlet(run)
        if self.kind == "old":
            self.switch(name)

    def switch(self, name: str) -> None:
        self.greenlets[name].switch()

    def is_usable(self) -> bool:
        self.scripts.clear()
        return [self.a.plain(1), self.b.go(1), self.a.go(2)] == [2, 101, 102]


def is_interleaved(found: object, *names: str) -> bool:
    """A trap in these functions, outermost first."""
    if not isinstance(found, wa.Trap) or found.code != "calls_interleaved":
        return False
    assert [frame.func_name for frame in reversed(found.frames)] == list(names)
    return True


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("sharing", SHARING)
def test_calls_that_end_innermost_first(kind: str, sharing: str) -> None:
    """The inner one on another greenlet, with host functions that come back to it."""
    world = World(kind, sharing)
    world.add("b", lambda: world.b.go(10))
    world.scripts[10] = lambda: world.results.setdefault("inner", world.b.go(11))
    world.scripts[1] = lambda: world.switch("b")
    assert deep(lambda: world.a.go(1)) == 101
    assert world.results == {"inner": 111, "b": 110}
    assert world.is_usable()


@pytest.mark.parametrize("sharing", SHARING)
@pytest.mark.parametrize("nested", [False, True])
def test_the_outer_call_goes_on_first(kind: str, sharing: str, nested: bool) -> None:
    """In one store it traps, and the inner one ends well; in two stores both do."""
    world = World(kind, sharing)

    def back_in_a() -> None:
        world.switch("b")
        if nested:  # a call on top of b's is innermost, and may end
            world.results["nested"] = deep(lambda: world.a.go(2))

    world.add("b", lambda: world.b.go(10))
    world.scripts[1] = back_in_a
    world.scripts[10] = lambda: world.switch("main")
    try:
        world.results["a"] = deep(lambda: world.a.go(1))
    except wa.Trap as trap:
        world.results["a"] = trap
    assert "b" not in world.results
    assert not nested or world.results["nested"] == 102
    assert world.results["a"] == 101 if sharing == "two stores" else is_interleaved(world.results["a"], "go")
    world.switch("b")
    assert world.results["b"] == 110
    assert world.is_usable()


@pytest.mark.parametrize("sharing", SHARING)
def test_the_inner_call_ends_while_the_outer_one_waits(kind: str, sharing: str) -> None:
    """By way of a third greenlet, which calls as well."""
    world = World(kind, sharing)
    world.add("a", lambda: world.a.go(1))
    world.add("b", lambda: world.b.go(10))
    world.scripts[1] = lambda: world.switch("main")
    world.scripts[10] = lambda: world.switch("main")
    world.switch("a")
    assert deep(lambda: world.b.go(20)) == 120
    world.switch("b")
    assert deep(lambda: world.b.go(21)) == 121
    world.switch("b")
    assert deep(lambda: world.a.go(22)) == 122
    world.switch("a")
    assert world.results == {"a": 101, "b": 110}
    assert world.is_usable()


def test_what_traps_and_throws_on_another_stack(kind: str) -> None:
    world = World(kind, "two stores")

    def throw() -> None:
        raise wa.WasmException(world.a.t, [42])

    def fail() -> None:
        raise KeyError(10)

    world.scripts[1] = lambda: world.switch("b")
    for number, (work, expected) in enumerate(
        [
            (lambda: world.b.oob(10), "memory_out_of_bounds"),
            (lambda: world.a.oob(10), "memory_out_of_bounds"),
            (lambda: world.b.go(10), "KeyError"),
        ]
    ):
        world.scripts[10] = fail if expected == "KeyError" else lambda: None
        found: list[str] = []

        def run(work: Callable[[], Any] = work, found: list[str] = found) -> None:
            try:
                work()
            except wa.Trap as trap:
                found.append(trap.code)
            except KeyError:
                found.append("KeyError")

        world.add("b", run)
        assert world.a.go(1) == 101, number
        assert found == [expected]
    # What comes back with an exception is where it belongs, too.
    world.add("b", lambda: world.b.go(10))
    world.scripts[10] = lambda: world.switch("main")
    world.scripts[2] = in_turn(lambda: world.switch("b"), throw)
    assert deep(lambda: world.a.catch(2)) == 42
    world.scripts[3] = in_turn(lambda: world.switch("b"), fail)
    with pytest.raises(KeyError):
        deep(lambda: world.a.go(3))
    with pytest.raises(wa.Trap) as caught:
        deep(lambda: world.a.oob(5))
    assert caught.value.code == "memory_out_of_bounds"
    assert world.is_usable()


def test_a_later_call_in_the_store_can_not_be_hidden_by_an_exception(kind: str) -> None:
    """The guest, which may not go on, does not get to catch one; it stays what it is."""
    world = World(kind, "one instance")

    def switch_and_raise(error: Callable[[], BaseException]) -> Callable[[], None]:
        def script() -> None:
            world.switch("b")
            raise error()

        return script

    world.scripts[10] = lambda: world.switch("main")
    for error, expected in ((lambda: wa.WasmException(world.a.t, [42]), wa.WasmException), (KeyError, KeyError)):
        world.add("b", lambda: world.b.go(10))
        world.scripts[1] = switch_and_raise(error)
        with pytest.raises(expected):
            deep(lambda: world.a.catch(1))
        world.switch("b")
        assert world.results["b"] == 110
    assert world.is_usable()


@pytest.mark.parametrize("sharing", SHARING)
@pytest.mark.parametrize("how", ["throw", "drop"])
def test_a_greenlet_that_is_killed_in_a_host_function(kind: str, sharing: str, how: str) -> None:
    world = World(kind, sharing)
    world.add("b", lambda: world.b.go(10))
    world.scripts[10] = lambda: world.switch("main")

    def kill() -> None:
        world.switch("b")
        if how == "throw":
            world.greenlets.pop("b").throw()
        else:
            del world.greenlets["b"]
            gc.collect()
        assert isinstance(world.results["b"], greenlet.GreenletExit)
        world.results["nested"] = world.b.go(2)

    world.scripts[1] = kill
    assert deep(lambda: world.a.go(1)) == 101
    assert world.results["nested"] == 102
    assert world.is_usable()


def test_the_outer_greenlet_is_killed(kind: str) -> None:
    """Its call ends before the later one of the same store."""
    world = World(kind, "one store")
    world.add("a", lambda: world.a.go(1))
    world.add("b", lambda: world.b.go(10))
    world.scripts[1] = world.scripts[10] = lambda: world.switch("main")
    world.switch("a")
    world.switch("b")
    world.greenlets["a"].throw()
    assert isinstance(world.results["a"], greenlet.GreenletExit)
    world.switch("b")
    assert world.results["b"] == 110
    assert world.is_usable()


def test_exceptions_that_another_stack_keeps(kind: str) -> None:
    """Thousands are made, and the collector runs, while frames that are not on the stack hold one."""
    world = World(kind, "one instance")
    world.add("b", lambda: world.b.churn(5000))
    world.scripts[1] = lambda: world.switch("b")
    assert deep(lambda: world.a.keep(1)) == 1
    assert world.results["b"] == 1
    world.add("b", lambda: world.b.keep(10))
    world.scripts[10] = in_turn(lambda: world.switch("main"), lambda: world.b.churn(5000))
    to_b: Callable[[], None] = lambda: world.switch("b")  # noqa: E731
    world.scripts[2] = in_turn(to_b, lambda: world.a.churn(5000), gc.collect, to_b)
    assert deep(lambda: world.a.keep(2)) == 2
    assert world.results["b"] == 10
    assert world.is_usable()


def test_a_deadline_of_a_store_whose_call_waits_on_another_stack(kind: str) -> None:
    """Others go on, in Python and in other guests; the call ends as soon as it goes on."""
    world = World(kind, "two stores")
    world.add("a", lambda: world.a.spin(1))
    world.scripts[1] = lambda: world.switch("main")
    with world.stores[0].deadline(0.02):
        deep(lambda: world.switch("a"))
        end = time.monotonic() + 0.1
        turns = 0
        while time.monotonic() < end or turns < 10:
            assert deep(lambda: world.b.go(20)) == 120
            turns += 1
        with world.stores[1].deadline(0.02), pytest.raises(wa.DeadlineExceeded):
            world.b.spin(21)
        world.switch("a")
    assert isinstance(world.results["a"], wa.DeadlineExceeded)
    assert [frame.func_name for frame in world.results["a"].frames] == ["spin"]
    assert world.is_usable()


def test_an_interrupt_while_another_stack_runs(kind: str) -> None:
    world = World(kind, "two stores")
    world.add("a", lambda: world.a.spin(1))
    world.scripts[1] = lambda: world.switch("main")
    deep(lambda: world.switch("a"))
    world.stores[0].interrupt()
    time.sleep(0.05)
    assert deep(lambda: world.b.go(20)) == 120
    world.switch("a")
    assert isinstance(world.results["a"], wa.Interrupted)
    assert world.is_usable()


def test_greenlets_without_a_frame_of_python() -> None:
    """A guest's function is what they run, and the host function is a switch itself."""
    main = greenlet.getcurrent()
    store_of = {}
    runs: dict[str, Any] = {}
    for name in ("a", "b"):
        instance = load(GUEST_WAT).instantiate({"env": {"f": main.switch}}, store=wa.Store())
        store_of[name] = instance
        runs[name] = greenlet.greenlet(instance.exports["go"])
    assert [runs[name].switch(number) for name, number in (("a", 1), ("b", 2))] == [1, 2]
    inner = load(GUEST_WAT).instantiate({"env": {"f": lambda value: value}})
    assert inner.exports["go"](3) == 103
    assert [runs[name].switch(number) for name, number in (("a", 10), ("b", 20))] == [110, 120]
    assert all(run.dead for run in runs.values())


def test_streams_that_switch(kind: str) -> None:
    """WASI calls Python as well."""
    world = World(kind, "two stores")
    written: list[bytes] = []

    def write(data: bytes) -> None:
        written.append(data)
        world.switch("b")

    wat = """(module (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1) (data (i32.const 8) "\\10\\00\\00\\00\\02\\00\\00\\00hi")
      (func (export "go") (result i32) (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0))))"""
    stream = type("Stream", (), {"write": staticmethod(write)})()
    guest = load(wat).instantiate(wa.Wasi(stdout=stream).imports()).exports
    world.add("b", lambda: world.b.go(10))
    world.scripts[10] = lambda: world.switch("main")
    assert deep(guest.go) == 0
    assert written == [b"hi"]
    world.switch("b")
    assert world.results["b"] == 110


def test_a_fork_on_another_stack(kind: str) -> None:
    world = World(kind, "two stores")
    world.add("a", lambda: world.a.go(1))
    world.scripts[1] = lambda: world.switch("main")
    deep(lambda: world.switch("a"))
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            world.switch("a")
            status = 0 if world.results["a"] == 101 and world.b.go(3) == 103 else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    world.switch("a")
    assert world.results["a"] == 101
    assert world.is_usable()


def shuffle(seed: str, stores: int) -> None:
    """Greenlets that call, call back, call again and switch at random, in stores of their own or in shared ones.

    With a store for each greenlet all results are right. Where they share some, a call that may not go on traps, and
    all others have their results.
    """
    choose = random.Random(seed)
    main = greenlet.getcurrent()
    exports: list[Any] = []
    greenlets: dict[int, Any] = {}
    outcomes: list[object] = []

    def host(value: int) -> int:
        """A value has the instance in its lowest digit, and how deep it is in the next one."""
        for _ in range(choose.randrange(3)):
            if choose.random() < 0.6:
                main.switch()
            elif value // 10 % 10 < 4:
                call(value + 10)
        return value

    def call(value: int) -> None:
        try:
            outcome: object = deep(lambda: exports[value % 10].go(value), choose.randrange(30)) == value + 100
        except wa.Trap as trap:
            outcome = trap.code
        outcomes.append(outcome)

    for _ in range(stores):
        exports.append(load(GUEST_WAT).instantiate({"env": {"f": host}}, store=wa.Store()).exports)
    for turn in range(120):
        number = choose.randrange(6)
        if number not in greenlets or greenlets[number].dead:
            greenlets[number] = greenlet.greenlet(lambda number=number: call(1000 * number + number % stores))
        deep(greenlets[number].switch, choose.randrange(20))
        assert exports[turn % stores].plain(1) == 2
    while alive := [one for one in greenlets.values() if not one.dead]:
        choose.choice(alive).switch()
    assert outcomes.count(True) > 20
    assert set(outcomes) <= ({True} if stores == 6 else {True, "calls_interleaved"})
    assert [one.plain(1) for one in exports] == [2] * stores


@pytest.mark.parametrize("stores", [1, 2, 6])
@pytest.mark.parametrize("seed", range(8))
def test_any_order(seed: int, stores: int) -> None:
    shuffle(f"{seed}/{stores}", stores)


def test_in_a_thread() -> None:
    """With the smaller stack that it has, and beside the main thread's."""
    failures: list[BaseException] = []

    def run(seed: int) -> None:
        try:
            shuffle(f"thread/{seed}", 2)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(seed,), daemon=True) for seed in range(4)]
    for thread in threads:
        thread.start()
    run(9)
    for thread in threads:
        thread.join(TIMEOUT_S)
        assert not thread.is_alive()
    assert failures == []
