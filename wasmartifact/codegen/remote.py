"""Groups of functions compiled by an executor of the user's, on this machine or on others.

Nothing is asked of the executor but `submit`. Its workers need this package with the extra ``pack``, of this very
version. What it loses is submitted once more, then compiled here.
"""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import Any, Final
from warnings import warn

from wasmartifact.codegen.compiled import CompiledGroup
from wasmartifact.codegen.context import ModuleContext
from wasmartifact.codegen.options import llvmlite_version
from wasmartifact.codegen.pool import GroupDied, Session, Task
from wasmartifact.errors import ToolchainError, WasmArtifactError
from wasmartifact.version import VERSION

#: Calls of the executor for a batch before it is compiled here: a worker may have been ended for any reason.
ATTEMPTS: Final = 2
#: An executor whose calls all wait so long, each without an end, may have lost its workers for good.
STALL_SECONDS: Final = 600.0
#: Context and tasks are mostly small numbers and names.
_COMPRESSION_LEVEL: Final = 1


def run_remotely(
    executor: Executor,
    session: Session,
    context: ModuleContext,
    tasks: Sequence[Task],
    finished: Callable[[int], object] | None = None,
) -> list[list[CompiledGroup]]:
    """Do all tasks by an executor, and in the end by the session where it fails; as `Session.run` otherwise.

    Raises
    ------
    GroupDied
        Compiling a task here ended its process.
    ToolchainError
        Workers of the executor lack this package, or have another version of it.
    """
    remote = _Remote(executor, context, tasks, finished)
    try:
        remote.run()
    finally:
        remote.cancel()
    left = [task for task in range(len(tasks)) if task not in remote.results]
    if left:
        if remote.problem is not None:
            warn(
                f"the executor lost {len(left)} of {len(tasks)} groups of functions, which are compiled here: "
                f"{remote.problem}",
                RuntimeWarning,
                stacklevel=2,
            )
        remote.results.update(zip(left, _run_here(session, tasks, left, finished), strict=True))
    return [remote.results[task] for task in range(len(tasks))]


def _run_here(
    session: Session, tasks: Sequence[Task], left: Sequence[int], finished: Callable[[int], object] | None
) -> list[list[CompiledGroup]]:
    """Do some of the tasks by the session, under the numbers that they have among all."""
    try:
        return session.run(
            [tasks[task] for task in left], None if finished is None else lambda number: finished(left[number])
        )
    except GroupDied as death:
        raise GroupDied(left[death.task], str(death)) from None


class _Remote:
    """Batches of tasks at an executor.

    Attributes
    ----------
    results : dict[int, list[CompiledGroup]]
        By task, as far as the executor did them.
    problem : str | None
        Why the last one that it did not do was lost.
    """

    def __init__(
        self,
        executor: Executor,
        context: ModuleContext,
        tasks: Sequence[Task],
        finished: Callable[[int], object] | None,
    ) -> None:
        self._executor = executor
        self._context = _encode(context)
        self._tasks = tasks
        self._finished = finished
        self._pending: dict[Future[bytes], tuple[Sequence[int], int]] = {}  # -> tasks, attempts
        self.results: dict[int, list[CompiledGroup]] = {}
        self.problem: str | None = None

    def run(self) -> None:
        """Submit all batches, the costly ones first, and take what comes."""
        batches = _batches(self._tasks, len(self._context))
        for batch in sorted(batches, key=lambda batch: -sum(self._tasks[task][0] for task in batch)):
            self._submit(batch, 1)
        while self._pending:
            done, _ = wait(self._pending, STALL_SECONDS, FIRST_COMPLETED)
            if not done:
                self.problem = f"nothing came of it for {STALL_SECONDS:.0f} s"
                return
            for future in done:
                self._take(future, *self._pending.pop(future))

    def cancel(self) -> None:
        """Take back what was submitted and is not done."""
        for future in self._pending:
            future.cancel()

    def _submit(self, batch: Sequence[int], attempt: int) -> None:
        requests = _encode([self._tasks[task][1] for task in batch])
        try:
            future = self._executor.submit(compile_batch, toolchain(), self._context, requests, attempt)
        except Exception as problem:  # whatever the executor raises where it is broken or was shut down
            self.problem = _words(problem)
        else:
            self._pending[future] = batch, attempt

    def _take(self, future: Future[bytes], batch: Sequence[int], attempt: int) -> None:
        """Take a batch's results; where there are none, submit it again or leave it to this machine."""
        try:
            kind, value = pickle.loads(future.result())
        except Exception as problem:  # whatever the executor raises where a worker is lost
            missing = _import_problem(problem)
            if missing is not None:
                raise ToolchainError(
                    f"a worker of the executor can't import this package ({_words(missing)}); "
                    f"install wasmartifact[pack]=={VERSION} there"
                ) from None
            self.problem = _words(problem)
            if attempt < ATTEMPTS:
                self._submit(batch, attempt + 1)
            return
        if kind == "failed":
            raise value
        if kind == "died":  # of its task or of its machine: compiling it here tells
            self.problem = value
            return
        for task, result in zip(batch, value, strict=True):
            self.results[task] = result
            if self._finished is not None:
                self._finished(task)


def _batches(tasks: Sequence[Task], context_bytes: int) -> Iterator[Sequence[int]]:
    """Consecutive tasks, so many that their cost outweighs the context that is sent with them."""
    batch: list[int] = []
    cost = 0
    for task, (task_cost, _) in enumerate(tasks):
        batch.append(task)
        cost += task_cost
        if cost >= context_bytes or task + 1 == len(tasks):
            yield batch
            batch, cost = [], 0


def _encode(message: object) -> bytes:
    return zlib.compress(pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL), _COMPRESSION_LEVEL)


def _import_problem(problem: BaseException | None) -> BaseException | None:
    """The failed import that a problem comes from: of this package, or of a function that an older one lacks."""
    while problem is not None and not isinstance(problem, ImportError | AttributeError):
        problem = problem.__cause__
    return problem


def _words(problem: BaseException) -> str:
    """An exception of somebody else's in one line."""
    return " ".join(f"{type(problem).__name__}: {problem}".split()).removesuffix(":")


def toolchain() -> str:
    """What must be the same at both ends for the same code."""
    return f"wasmartifact {VERSION} with llvmlite {llvmlite_version()}"


# At the other end ---------------------------------------------------------------------------------------------------


def compile_batch(wanted: str, context: bytes, requests: bytes, attempt: int) -> bytes:
    """In a worker of the executor: do requests to a worker process of the code generator, which it starts and keeps.

    Parameters
    ----------
    wanted : str
        `toolchain` of the packer.
    context, requests : bytes
        As `_encode` makes them.
    attempt : int
        From 1. Some executors answer equal calls once.

    Returns
    -------
    bytes
        Pickled: ("done", list of results), ("failed", exception) or ("died", how the process ended).
    """
    return pickle.dumps(_compile_batch(wanted, context, requests), protocol=pickle.HIGHEST_PROTOCOL)


def _compile_batch(wanted: str, context: bytes, requests: bytes) -> tuple[str, Any]:
    try:
        try:
            found = toolchain()
        except ToolchainError as problem:
            found = str(problem)
        if found != wanted:
            raise ToolchainError(
                f"a worker of the executor has other code: {found}, expected {wanted}; install that there"
            )
        tasks: list[Task] = [(0, request) for request in _decode(requests)]
        with Session(_decode(context), 1) as session:
            return "done", session.run(tasks)
    except GroupDied as death:
        return "died", str(death)
    except WasmArtifactError as error:
        return "failed", error


def _decode(data: bytes) -> Any:
    return pickle.loads(zlib.decompress(data))
