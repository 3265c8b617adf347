"""func.call_async: results, errors, cancelling, deadlines, coroutine functions as host functions."""

from __future__ import annotations

import asyncio
import contextvars
import os
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

import wasmartifact as wa
from tests.support.endless import SHAPES, TAIL_WAT, endless
from tests.unit.runtime.harness import exports, load, packed

#: Only guards against hanging.
TIMEOUT_S = 60
HOST_WAT = """(module (import "env" "f" (func $f (param i32) (result i32))) (memory 1)
  (func (export "ask") (param i32) (result i32) (i32.add (call $f (local.get 0)) (i32.const 1)))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "spin") (loop $l (br $l))))"""


def run(main: Any) -> Any:
    """The result of a coroutine, within the time that a test may take."""
    return asyncio.run(asyncio.wait_for(main, TIMEOUT_S))


def test_results_and_errors_are_those_of_a_plain_call() -> None:
    def host(value: int) -> int:
        if value == 7:
            raise KeyError("seven")
        if value == 8:
            raise StopIteration
        return value

    got = exports(HOST_WAT, {"env": {"f": host}})

    async def main() -> None:
        assert await got.add.call_async(2, 3) == 5
        assert await asyncio.gather(*(got.ask.call_async(number) for number in range(5))) == [1, 2, 3, 4, 5]
        for arguments, error in (((-1,), wa.Trap), ((), TypeError), ((1 << 40,), OverflowError)):
            with pytest.raises(error):
                await got.load.call_async(*arguments)
        with pytest.raises(KeyError, match="seven"):
            await got.ask.call_async(7)
        with pytest.raises(RuntimeError, match="StopIteration"):
            await got.ask.call_async(8)
        assert await wa.Func(lambda value: 2 * value, ["i32"], ["i32"]).call_async(21) == 42

    run(main())


def test_the_event_loop_goes_on_meanwhile() -> None:
    async def main() -> int:
        with endless("loop") as guest:
            task = asyncio.create_task(guest.func.call_async())
            turns = 0
            while turns < 20:
                await asyncio.sleep(0.001)
                turns += 1
            assert not task.done()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return turns

    assert run(main()) == 20


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != "start"])
def test_every_shape_ends_by_its_deadline_and_when_it_is_cancelled(shape: str) -> None:
    async def main() -> None:
        with endless(shape) as guest:
            with guest.store.deadline(0.02), pytest.raises(wa.DeadlineExceeded):
                await guest.func.call_async(*guest.arguments)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await guest.func.call_async(*guest.arguments)
            assert guest.usable() == 41

    run(main())


def test_cancelling_ends_its_own_call_only() -> None:
    """One that waits for the store never starts; the one that runs goes on; nothing is left for the next."""

    async def main() -> None:
        got = exports(HOST_WAT, {"env": {"f": lambda value: value}})
        ask = got.ask  # to look it up takes the store too
        running = asyncio.create_task(got.spin.call_async())
        await asyncio.sleep(0.02)
        waiting = asyncio.create_task(ask.call_async(1))
        await asyncio.sleep(0.02)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not running.done()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert ask(1) == 2

    run(main())


def test_a_guest_that_catches_nothing_can_not_outlive_its_task() -> None:
    """A host function that swallows Interrupted: the guest ends all the same."""
    calls: list[int] = []

    def swallow(value: int) -> int:
        calls.append(value)
        with pytest.raises(wa.Interrupted):
            inner.spin()
        return value

    inner = exports(HOST_WAT, {"env": {"f": lambda value: value}})
    outer = exports(HOST_WAT, {"env": {"f": swallow}})

    async def main() -> None:
        task = asyncio.create_task(outer.ask.call_async(1))
        while not calls:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())
    assert inner.ask(1) == 2 and len(calls) == 1


def test_coroutine_functions_as_host_functions() -> None:
    name: contextvars.ContextVar[str] = contextvars.ContextVar("name")
    seen: list[tuple[str, bool]] = []

    async def host(value: int) -> int:
        await asyncio.sleep(0.001)
        seen.append((name.get(), threading.current_thread() is threading.main_thread()))
        if value == 7:
            raise KeyError("seven")
        return 2 * value

    got = exports(HOST_WAT, {"env": {"f": host}})

    async def main() -> None:
        name.set("outer")
        assert await got.ask.call_async(5) == 11
        with pytest.raises(KeyError, match="seven"):
            await got.ask.call_async(7)

    run(main())
    assert seen == [("outer", True)] * 2
    with pytest.raises(TypeError, match=r"coroutine function.*call_async"):
        got.ask(5)


def test_cancelling_while_a_coroutine_function_runs() -> None:
    ended: list[str] = []

    async def host(value: int) -> int:
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append("host")
        return value

    got = exports(HOST_WAT, {"env": {"f": host}})

    async def main() -> None:
        task = asyncio.create_task(got.ask.call_async(5))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == ["host"]

    run(main())
    assert got.add(1, 2) == 3


def test_an_event_loop_that_is_closed_in_the_middle_leaves_the_store_to_others() -> None:
    async def never(value: int) -> int:
        await asyncio.sleep(10 * TIMEOUT_S)
        return value

    got = exports(HOST_WAT, {"env": {"f": never}})

    async def main() -> None:
        kept.append(asyncio.ensure_future(got.ask.call_async(1)))
        await asyncio.sleep(0.1)

    kept: list[asyncio.Future[int]] = []
    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
    sums: list[int] = []
    other = threading.Thread(target=lambda: sums.append(got.add(2, 3)), daemon=True)
    other.start()
    other.join(TIMEOUT_S)
    assert sums == [5]
    kept.pop().get_coro().close()  # type: ignore[attr-defined]  # it is a task


def test_calls_that_wait_for_each_other_have_threads() -> None:
    """A chain of stores, each waiting for a call into the next: more than any pool of a fixed size would have."""
    depth = 50
    instances: list[Any] = []

    def host_of(number: int) -> Any:
        async def host(value: int) -> int:
            return value if number + 1 == depth else int(await instances[number + 1].ask.call_async(value))

        return host

    artifact = load(HOST_WAT)
    instances += [artifact.instantiate({"env": {"f": host_of(number)}}).exports for number in range(depth)]

    async def main() -> int:
        return int(await instances[0].ask.call_async(0))

    assert run(main()) == depth


def test_calls_one_after_another_have_one_thread() -> None:
    got = exports(HOST_WAT, {"env": {"f": lambda value: value}})

    async def main() -> None:
        for _ in range(1000):
            await got.ask.call_async(1)

    before = threading.active_count()
    run(main())
    assert threading.active_count() <= before + 1


def test_outside_of_an_event_loop() -> None:
    got = exports(HOST_WAT, {"env": {"f": lambda value: value}})
    coroutine = got.ask.call_async(1)
    with pytest.raises(RuntimeError, match="no running event loop"):
        coroutine.send(None)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own() -> None:
    got = exports(HOST_WAT, {"env": {"f": lambda value: value}})

    async def main() -> int:
        return int(await got.ask.call_async(1))

    assert run(main()) == 2
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if run(main()) == 2 else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0


EXIT_PROGRAM = """
import asyncio, sys
import wasmartifact as wa
spin = wa.load(sys.argv[1]).instantiate().exports.tail
async def main():
    asyncio.get_running_loop().slow_callback_duration = 60  # a slow machine is nothing to warn of
    task = asyncio.create_task(spin.call_async(0))
    await asyncio.sleep(0.05)
    if sys.argv[2] == "interrupt":
        import os, signal
        os.kill(os.getpid(), signal.SIGINT)
        await task
try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("KeyboardInterrupt")
print("left", flush=True)
"""


@pytest.mark.parametrize(("how", "printed"), [("end", "left\n"), ("interrupt", "KeyboardInterrupt\nleft\n")])
def test_the_end_of_the_loop_and_ctrl_c_end_the_guest(how: str, printed: str) -> None:
    """asyncio.run cancels what still runs, and so does Ctrl-C."""
    command = [sys.executable, "-X", "dev", "-c", EXIT_PROGRAM, str(packed(TAIL_WAT)), how]
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, printed, "")
    assert time.monotonic() - start < TIMEOUT_S / 2
