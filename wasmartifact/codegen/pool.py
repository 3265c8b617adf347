"""The worker processes that compile a module's groups. They stay for later packs of this process, and end with it."""

from __future__ import annotations

import atexit
import os
import selectors
import threading
from _blake2 import blake2b  # what hashlib shows, without the import of OpenSSL
from collections.abc import Callable, Sequence

from wasmartifact.codegen.compiled import CompiledGroup
from wasmartifact.codegen.context import ModuleContext
from wasmartifact.codegen.process import WorkerDied, WorkerProcess, encode_message

_idle: list[WorkerProcess] = []
_idle_lock = threading.Lock()
#: A measure of its cost, and the request to a worker.
Task = tuple[int, tuple[object, ...]]


class GroupDied(Exception):
    """Two workers ended while they had task ``task``."""

    def __init__(self, task: int, how: str) -> None:
        super().__init__(how)
        self.task = task


class Session:
    """Workers for one module. On exit those that wait for work go back to the idle ones."""

    def __init__(self, context: ModuleContext, workers: int) -> None:
        self.context = context
        self._context_message = b""
        self._context_key = b""
        self._limit = max(1, workers)
        self._waiting: list[WorkerProcess] = []
        self._busy: dict[WorkerProcess, int] = {}  # worker -> its task

    def __enter__(self) -> Session:
        with _idle_lock:
            own = [worker for worker in _idle if worker.owner == os.getpid()]
            self._waiting = own[: self._limit]
            _idle[:] = own[self._limit :]
        return self

    def __exit__(self, *_: object) -> None:
        with _idle_lock:
            _idle.extend(self._waiting)

    def run(self, tasks: Sequence[Task], finished: Callable[[int], object] | None = None) -> list[list[CompiledGroup]]:
        """Do all tasks, the costly ones first; return the results in the order of the tasks.

        ``finished`` is called in this thread with the index of each task that is done.
        Where it fails, or is interrupted, the workers that are busy are ended.
        """
        try:
            return self._run(tasks, finished)
        finally:
            for worker in self._busy:
                worker.close()
            self._busy.clear()

    def _run(self, tasks: Sequence[Task], finished: Callable[[int], object] | None) -> list[list[CompiledGroup]]:
        if not tasks:
            return []
        if not self._context_message:
            self._context_message = encode_message(("context", self.context))
            self._context_key = blake2b(self._context_message).digest()
        results: dict[int, list[CompiledGroup]] = {}
        todo = sorted(range(len(tasks)), key=lambda task: tasks[task][0])
        retried: set[int] = set()
        with selectors.DefaultSelector() as selector:
            while todo or self._busy:
                while todo and len(self._busy) < self._limit:
                    task = todo.pop()
                    worker = self._waiting.pop() if self._waiting else WorkerProcess()
                    self._start(selector, worker, task, tasks[task][1])
                for key, _ in selector.select():
                    worker = key.fileobj  # type: ignore[assignment]
                    selector.unregister(worker)
                    task = self._busy.pop(worker)
                    try:
                        results[task] = self._receive(worker)
                    except WorkerDied as death:
                        # Anybody may have ended it while it waited for work; a new one tells whether the task does it.
                        if task in retried:
                            raise GroupDied(task, str(death)) from None
                        retried.add(task)
                        self._start(selector, WorkerProcess(), task, tasks[task][1])
                        continue
                    if finished is not None:
                        finished(task)
        return [results[task] for task in range(len(tasks))]

    def _start(self, selector: selectors.BaseSelector, worker: WorkerProcess, task: int, request: object) -> None:
        self._busy[worker] = task
        if worker.context_key != self._context_key:
            worker.context_key = self._context_key
            worker.send(self._context_message)
        worker.send(encode_message(request))
        selector.register(worker, selectors.EVENT_READ)

    def _receive(self, worker: WorkerProcess) -> list[CompiledGroup]:
        """A worker's answer; WorkerDied where there is none."""
        try:
            kind, value = worker.receive()
        except BaseException:
            worker.close()
            raise
        self._waiting.append(worker)
        if kind == "failed":
            raise value
        assert isinstance(value, list)
        return value


@atexit.register
def close_idle_workers() -> None:
    """End the workers that wait for the next pack."""
    with _idle_lock:
        for worker in _idle:
            if worker.owner == os.getpid():
                worker.close()
        _idle.clear()
