"""wasi-threads: the threads of a program, each with an instance of its own over the memory that they share.

The first that ends with an exit code, a trap or any other exception ends the program: all others are interrupted,
wherever they run or wait. So they are when the main thread returns.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from wasmartifact import _types as types
from wasmartifact.externtypes import FuncType, MemoryType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final

    from wasmartifact._types import Instance
    from wasmartifact.limits import Limits
    from wasmartifact.runtime.artifact import Artifact

MODULE: Final = "wasi"
SPAWN: Final = "thread-spawn"
ENTRY: Final = "wasi_thread_start"
#: Numbers of threads go from 1 to this, so that a C library can keep flags above them.
LAST_THREAD: Final = 2**29 - 1
#: What `thread-spawn` gives, negative, where no thread can be had.
EAGAIN: Final = 6
#: An interrupt ends a thread within milliseconds, but for one in a callable of Python's, a stream: that is left alone.
LEAVE_SECONDS: Final = 5.0


def is_threaded(artifact: Artifact) -> bool:
    """Whether a module was built for wasi-threads: it starts threads, or it imports a memory that is shared."""
    return any(_is_spawn(row) or _shared_memory(row) is not None for row in artifact.metadata.imports)


def _is_spawn(row: Any) -> bool:
    return bool((row.module, row.name, row.kind) == (MODULE, SPAWN, "func"))


def _shared_memory(row: Any) -> MemoryType | None:
    return row.type if isinstance(row.type, MemoryType) and row.type.shared else None


class Threads:
    """The threads of one program.

    Parameters
    ----------
    artifact : Artifact
        Of the program, which `is_threaded`.
    imports : mapping
        What else it imports. Its instances share these, too.
    limits : Limits or None
        Of the store of each thread; ``instances`` is how many threads there may be, the main one included. The memory
        counts once.

    Raises
    ------
    ValueError
        It imports ``wasi.thread-spawn`` but has nothing that a thread could start with.
    """

    def __init__(
        self, artifact: Artifact, imports: Mapping[str, Mapping[str, types.Func]], limits: Limits | None
    ) -> None:
        self._artifact, self._limits = artifact, limits
        self._imports: dict[str, dict[str, Any]] = {module: {**named} for module, named in imports.items()}
        for row in artifact.metadata.imports:
            named = self._imports.setdefault(row.module, {})
            if (memory := _shared_memory(row)) is not None:
                named[row.name] = _make(memory)
            elif _is_spawn(row):
                _check_entry(artifact)
                named[row.name] = types.Func(self._spawn, ["i32"], ["i32"])
        self._lock = threading.Lock()  # of all that follows
        self._last = 0
        self._main: types.Store | None = None
        self._running: dict[threading.Thread, types.Store] = {}
        self._has_ended = False
        self._outcome: BaseException | None = None

    def instantiate(self) -> Instance:
        """The instance of the main thread."""
        self._main = types.Store(limits=self._limits)
        return self._artifact.instantiate(self._imports, store=self._main)

    def run(self, call: Callable[[], object]) -> None:
        """Call what the main thread does; raise what ended the program, if anything did before that returned."""
        try:
            call()
        except BaseException as problem:
            self._end(problem)
        else:
            self._end(None)
        end = time.monotonic() + LEAVE_SECONDS
        for thread in list(self._running):
            thread.join(max(0.0, end - time.monotonic()))
        if self._outcome is not None:
            raise self._outcome

    def _spawn(self, argument: int) -> int:
        """wasi.thread-spawn: the number of a new thread, or an error, which is negative."""
        most = LAST_THREAD if self._limits is None or self._limits.instances is None else self._limits.instances - 1
        with self._lock:
            if self._has_ended or self._last == LAST_THREAD or len(self._running) >= most:
                return -EAGAIN
            self._last += 1
            store = types.Store(limits=self._limits)
            thread = threading.Thread(
                target=self._run, args=(self._last, argument, store), name=f"wasi-thread-{self._last}", daemon=True
            )
            self._running[thread] = store
            try:
                thread.start()
            except RuntimeError:  # the system has no more
                del self._running[thread]
                return -EAGAIN
            return self._last

    def _run(self, number: int, argument: int, store: types.Store) -> None:
        """What a thread does."""
        try:
            instance = self._artifact.instantiate(self._imports, store=store)
            instance.exports[ENTRY](number, argument)
        except BaseException as problem:  # reaches the main thread
            self._end(problem)
        with self._lock:
            del self._running[threading.current_thread()]

    def _end(self, outcome: BaseException | None) -> None:
        """End the program, unless it has ended: what comes after that are the interrupts."""
        with self._lock:
            if self._has_ended:
                return
            self._has_ended = True
            self._outcome = outcome
            stores = [*self._running.values()]
        if self._main is not None:
            stores.append(self._main)
        for store in stores:
            store.interrupt()


def _make(type_: MemoryType) -> types.Memory:
    return types.Memory(
        type_.min_pages,
        type_.max_pages,
        shared=True,
        memory64=type_.memory64,
        page_size_bytes=type_.page_size_bytes,
    )


def _check_entry(artifact: Artifact) -> None:
    row = artifact.metadata.exports.find(ENTRY)
    if row is None or not isinstance(row.type, FuncType) or row.type != FuncType(("i32", "i32"), ()):
        found = "no such export" if row is None else f"a {row.kind}" if row.kind != "func" else str(row.type)
        raise ValueError(
            f"a module that imports {MODULE}.{SPAWN} exports {ENTRY}(i32, i32) to start with, found {found}"
        )
