"""func.call_async: calls on threads, for asyncio, and host functions that are coroutine functions.

A call has a thread for itself while it runs: a guest may wait for a host function that waits for another call. Threads
that are done stay for a while for the next call.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import threading
from collections import deque
from functools import partial
from itertools import count
from queue import Empty, SimpleQueue

from wasmartifact import _types as types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any, Final

#: How long a thread waits for another call.
IDLE_S: Final = 10.0
#: How often a thread that waits for a coroutine looks whether its event loop was closed: then it never ends.
CLOSED_LOOK_S: Final = 0.5


# The threads ----------------------------------------------------------------------------------------------------


class _Worker:
    """A thread that makes one call after another."""

    numbers = count(1)

    def __init__(self) -> None:
        self.work: SimpleQueue[Callable[[], Callable[[], None]]] = SimpleQueue()
        name = f"wasmartifact-{next(self.numbers)}"
        threading.Thread(target=self.serve, name=name, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                report = self.work.get(timeout=IDLE_S)()
            except Empty:
                try:
                    _idle.remove(self)
                except ValueError:
                    continue  # it was just taken, and gets work
                return
            _idle.append(self)  # first: who hears of the end may make the next call, which needs no other thread
            report()
            del report  # and what it holds


#: Those that wait for work. Whoever takes one out gives it some, or it ends; each step is atomic.
_idle: Final[deque[_Worker]] = deque()
os.register_at_fork(after_in_child=_idle.clear)


def _on_thread(work: Callable[[], Callable[[], None]]) -> None:
    """Run `work`, and then what it returns, on a thread that does nothing else until the first is done."""
    try:
        worker = _idle.pop()
    except IndexError:
        worker = _Worker()
    worker.work.put(work)


# The calls ------------------------------------------------------------------------------------------------------

#: ``call``: the _Call that this thread makes.
_this_thread: Final = threading.local()


class _Call:
    """One call: its thread runs `make`, everything else belongs to the thread of the event loop."""

    def __init__(self, func: types.Func, arguments: tuple[Any, ...]) -> None:
        self.func = func
        self.arguments = arguments
        self.loop = asyncio.get_running_loop()
        self.context = contextvars.copy_context()
        self.ticket = types.new_ticket()
        self.outcome: asyncio.Future[tuple[Any, BaseException | None]] = self.loop.create_future()
        self.is_cancelled = False
        self.host_task: asyncio.Task[Any] | None = None

    def make(self) -> Callable[[], None]:
        """Make the call; what is returned tells the event loop of its end."""
        value, error = None, None
        _this_thread.call = self
        try:
            value = self.context.run(self.ticket.run, self.func, self.arguments)
        except BaseException as raised:  # the event loop's thread raises it
            error = raised
        _this_thread.call = None
        return partial(self._report, (value, error))

    def _report(self, outcome: tuple[Any, BaseException | None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
            self.loop.call_soon_threadsafe(self.outcome.set_result, outcome)

    def cancel(self) -> None:
        self.is_cancelled = True
        self.ticket.cancel()
        if self.host_task is not None and not self.loop.is_closed():
            self.host_task.cancel()

    def await_host(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """On the call's thread: run a coroutine in the event loop."""
        ended = threading.Event()

        def start() -> None:
            self.host_task = self.loop.create_task(coroutine)
            self.host_task.add_done_callback(lambda _: ended.set())
            if self.is_cancelled:
                self.host_task.cancel()

        try:
            self.loop.call_soon_threadsafe(start)
        except RuntimeError:  # the loop was closed
            coroutine.close()
            raise
        while not ended.wait(CLOSED_LOOK_S):
            if self.loop.is_closed():
                if self.host_task is None:
                    coroutine.close()
                raise RuntimeError("the event loop was closed while a guest waited for a coroutine of the host")
        task, self.host_task = self.host_task, None
        assert task is not None
        return task.result()


async def call_async(func: types.Func, arguments: tuple[Any, ...]) -> Any:
    """`Func.call_async`, which documents it."""
    call = _Call(func, arguments)
    _on_thread(call.make)
    try:
        await asyncio.shield(call.outcome)
    except BaseException as stopped:  # cancelled, or the coroutine is closed
        call.cancel()
        while isinstance(stopped, asyncio.CancelledError) and not call.outcome.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(call.outcome)
        raise
    value, error = call.outcome.result()
    if error is not None:
        try:
            raise error
        finally:
            del error, call  # no circle through the traceback
    return value


def await_host(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that a host function gave.

    Raises
    ------
    TypeError
        The call was not made by `Func.call_async`.
    """
    call: _Call | None = getattr(_this_thread, "call", None)
    if call is not None:
        return call.await_host(coroutine)
    coroutine.close()
    raise TypeError(
        f"the host function {getattr(coroutine, '__qualname__', '')} is a coroutine function: only a guest called by "
        "`await func.call_async(...)` can wait for it"
    )
