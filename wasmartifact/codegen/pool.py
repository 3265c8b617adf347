"""Compiles a module in worker processes: groups of functions, then trampolines and init code.

How functions are grouped depends on the module alone, so that the result does not depend on the number of workers.
Workers stay for later packs of this process, and end with it.
"""

from __future__ import annotations

import atexit
import os
import selectors
import threading
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from wasmartifact.codegen.compiled import AddressMap, CompiledGroup, FunctionGroup
from wasmartifact.codegen.context import ModuleContext, build_context
from wasmartifact.codegen.convention import convention_of
from wasmartifact.codegen.options import CodegenOptions
from wasmartifact.codegen.process import WorkerDied, WorkerProcess, encode_message
from wasmartifact.codegen.support import TrampolineTypes, support_texts, trampoline_types
from wasmartifact.elf.object import CodeObject
from wasmartifact.errors import MalformedModule, ToolchainError
from wasmartifact.wasm.decode import decode_bodies
from wasmartifact.wasm.initial import InitialState
from wasmartifact.wasm.model import Module

#: A group ends with the function that reaches one of these: so many functions, so many bytes of their code. What each
#: group costs by itself is 3% of a pack at level 0, and nothing measurable at the others.
GROUP_LIMITS: Final = (64, 48 * 1024)
GROUP_LIMITS_LEVEL_0: Final = (256, 128 * 1024)
#: Code that is worth another worker process, whose start takes 0.15 s of CPU.
BYTES_PER_WORKER: Final = 32 * 1024

#: progress(compiled functions, all functions)
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class CompiledModule:
    """What code generation gives to layout and metadata.

    Attributes
    ----------
    objects : list[CodeObject]
        In the order in which their text must be laid out. Function ``i`` of the index space is the symbol ``f<i>``.
    address_maps : list[AddressMap]
        One for each object; text offsets count from the start of the object's text.
    features : set[str]
        Features of ``schema.WASM_FEATURES`` that function bodies use.
    short_functions : set[int]
        Functions without loops and calls, as indices of the function index space.
    entry_symbols, host_symbols, inward_symbols : dict[int, str]
        Trampolines by canonical type index; the last one is None for a module without tail calls.
    init_symbol : str | None
        The function that instantiation runs, None where there is nothing to run.
    memory_guards : list[int]
        Per memory of the index space: 1 where code checks every access, as column memory_guard.
    checks_exceptions : bool
        Functions look for a pending exception after calls.
    """

    objects: list[CodeObject]
    address_maps: list[AddressMap]
    features: set[str]
    short_functions: set[int]
    entry_symbols: dict[int, str]
    host_symbols: dict[int, str]
    inward_symbols: dict[int, str] | None
    init_symbol: str | None
    memory_guards: list[int]
    checks_exceptions: bool


def compile_module(
    module: Module,
    initial: InitialState,
    options: CodegenOptions,
    *,
    jobs: int | None,
    progress: Progress | None,
    type_canonical: Sequence[int],
    call_features: frozenset[str] = frozenset(),
    keep: str | None = None,
) -> CompiledModule:
    """Compile all functions of a valid module, its trampolines and its init code.

    Parameters
    ----------
    module : Module
        A module that passed validation.
    initial : InitialState
        What is in images already, and what init code must do.
    options : CodegenOptions
        Level and target.
    jobs : int | None
        Most worker processes at a time, at least 1; None: one for each CPU that this process may use.
    progress : Progress | None
        Called with (compiled functions, all functions), in this thread.
    type_canonical : Sequence[int]
        For every type the first type that equals it.
    call_features : frozenset[str]
        What functions must be prepared for: see ``validate``.
    keep : str | None
        Folder for IR, assembly and object of every group, None to keep none.

    Raises
    ------
    UnsupportedModule
        The module needs a feature that is not compiled; names function and wasm offset.
    MalformedModule
        A function body breaks the binary format.
    ToolchainError
        LLVM failed; names the function.
    OSError
        A file can't be kept.
    """
    context = build_context(module, initial, options, type_canonical)
    if "tail-call" in call_features:
        context = replace(context, convention=convention_of(context.signatures, options.target.machine))
    if not call_features.isdisjoint(("exceptions", "legacy-exceptions")):
        context = replace(context, checks_exceptions=True)
    groups = list(_group_functions(module, GROUP_LIMITS if options.opt_level > 0 else GROUP_LIMITS_LEVEL_0))
    code_size_bytes = sum(len(group.data) for group in groups)
    workers = min(jobs or len(os.sched_getaffinity(0)), 1 + code_size_bytes // BYTES_PER_WORKER)
    with _Session(context, workers) as session:
        try:
            compiled = session.run(
                [(len(group.data), _request(group, keep)) for group in groups], _Counter(groups, progress)
            )
        except MalformedModule:
            decode_bodies(module)  # the worker knows a part of the module only; this tells the true offset
            raise
        except _GroupDied as death:
            raise _blame(session, module, groups[death.task], death, keep) from None
        types = trampoline_types(module, context, compiled)
        texts, init_symbol = support_texts(context, module, initial, types)
        try:
            names = [f"trampolines-{number}" for number in range(len(texts))]
            if init_symbol is not None:
                names[-1] = "init"
            compiled += session.run(
                [
                    (len(text), ("text", text, keep and os.path.join(keep, name)))
                    for text, name in zip(texts, names, strict=True)
                ],
                None,
            )
        except _GroupDied as death:
            raise ToolchainError(f"LLVM ended the process that compiled trampolines and init code ({death})") from None
    return _join(context, compiled, types, init_symbol)


def _join(
    context: ModuleContext, compiled: list[CompiledGroup], types: TrampolineTypes, init_symbol: str | None
) -> CompiledModule:
    return CompiledModule(
        objects=[group.object for group in compiled],
        address_maps=[group.address_map for group in compiled],
        features={feature for group in compiled for feature in group.facts.features},
        short_functions={index for group in compiled for index in group.facts.short_functions},
        entry_symbols=types.entry_symbols(),
        host_symbols=types.host_symbols(),
        inward_symbols=None if context.convention is None else types.inward_symbols(),
        init_symbol=init_symbol,
        memory_guards=[int(memory.checked) for memory in context.memories],
        checks_exceptions=context.checks_exceptions,
    )


# Groups -----------------------------------------------------------------------------------------------------------


def _group_functions(module: Module, limits: tuple[int, int]) -> Iterator[FunctionGroup]:
    """Consecutive functions, until a group has enough of them or enough code."""
    most_functions, most_bytes = limits
    first = 0
    for position, code in enumerate(module.codes):
        start = module.codes[first].start
        if (
            position + 1 - first >= most_functions
            or code.end - start >= most_bytes
            or position + 1 == len(module.codes)
        ):
            yield _make_group(module, first, position + 1)
            first = position + 1


def _make_group(module: Module, first: int, end: int) -> FunctionGroup:
    codes = module.codes[first:end]
    base = codes[0].start
    return FunctionGroup(
        first=module.imported_functions + first,
        data=module.data[base : codes[-1].end],
        base=base,
        starts=array("I", [code.start - base for code in codes]),
        ends=array("I", [code.end - base for code in codes]),
    )


def _request(group: FunctionGroup, keep: str | None) -> tuple[object, ...]:
    """The task of compiling a group; what is kept of it has its range of functions in the name."""
    last = group.first + len(group.starts) - 1
    return "functions", group, keep and os.path.join(keep, f"functions-{group.first:06}-{last:06}")


class _Counter:
    """Turns finished tasks into progress in functions."""

    def __init__(self, groups: list[FunctionGroup], progress: Progress | None) -> None:
        self._sizes = [len(group.starts) for group in groups]
        self._progress = progress
        self._done = 0
        if progress is not None:
            progress(0, sum(self._sizes))

    def finished(self, task: int) -> None:
        self._done += self._sizes[task]
        if self._progress is not None:
            self._progress(self._done, sum(self._sizes))


def _blame(
    session: _Session, module: Module, group: FunctionGroup, death: _GroupDied, keep: str | None
) -> ToolchainError:
    """Find the function of a group whose compilation ends the process."""
    first = group.first - module.imported_functions
    for position in range(first, first + len(group.starts)):
        try:
            session.run([(0, _request(_make_group(module, position, position + 1), keep))], None)
        except _GroupDied as alone:
            func_index = position + module.imported_functions
            name = module.function_names.get(func_index)
            return ToolchainError(
                f"LLVM ended the process that compiled function {func_index}{f' ({name})' if name else ''}: {alone}; "
                "report this with the module, or try another opt_level",
                func_index=func_index,
                func_name=name,
            )
    last = group.first + len(group.starts) - 1
    return ToolchainError(f"LLVM ended the process that compiled functions {group.first} to {last} together: {death}")


# Workers ----------------------------------------------------------------------------------------------------------

_idle: list[WorkerProcess] = []
_idle_lock = threading.Lock()
#: A task: a measure of its cost, and the request.
_Task = tuple[int, tuple[object, ...]]


class _GroupDied(Exception):
    """Two workers ended while they had task ``task``."""

    def __init__(self, task: int, how: str) -> None:
        super().__init__(how)
        self.task = task


class _Session:
    """Workers for one module. On exit those that wait for work go back to the idle ones."""

    def __init__(self, context: ModuleContext, workers: int) -> None:
        self._context_message = encode_message(("context", context))
        self._context_key = object()
        self._limit = max(1, workers)
        self._waiting: list[WorkerProcess] = []
        self._busy: dict[WorkerProcess, int] = {}  # worker -> its task

    def __enter__(self) -> _Session:
        with _idle_lock:
            own = [worker for worker in _idle if worker.owner == os.getpid()]
            self._waiting = own[: self._limit]
            _idle[:] = own[self._limit :]
        return self

    def __exit__(self, *_: object) -> None:
        with _idle_lock:
            _idle.extend(self._waiting)

    def run(self, tasks: Sequence[_Task], counter: _Counter | None) -> list[CompiledGroup]:
        """Do all tasks, the costly ones first; return the results in the order of the tasks.

        Where it fails, or is interrupted, the workers that are busy are ended.
        """
        try:
            return self._run(tasks, counter)
        finally:
            for worker in self._busy:
                worker.close()
            self._busy.clear()

    def _run(self, tasks: Sequence[_Task], counter: _Counter | None) -> list[CompiledGroup]:
        results: dict[int, CompiledGroup] = {}
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
                            raise _GroupDied(task, str(death)) from None
                        retried.add(task)
                        self._start(selector, WorkerProcess(), task, tasks[task][1])
                        continue
                    if counter is not None:
                        counter.finished(task)
        return [results[task] for task in range(len(tasks))]

    def _start(self, selector: selectors.BaseSelector, worker: WorkerProcess, task: int, request: object) -> None:
        self._busy[worker] = task
        if worker.context_key is not self._context_key:
            worker.context_key = self._context_key
            worker.send(self._context_message)
        worker.send(encode_message(request))
        selector.register(worker, selectors.EVENT_READ)

    def _receive(self, worker: WorkerProcess) -> CompiledGroup:
        """A worker's answer; WorkerDied where there is none."""
        try:
            kind, value = worker.receive()
        except BaseException:
            worker.close()
            raise
        self._waiting.append(worker)
        if kind == "failed":
            raise value
        assert isinstance(value, CompiledGroup)
        return value


@atexit.register
def close_idle_workers() -> None:
    """End the workers that wait for the next pack."""
    with _idle_lock:
        for worker in _idle:
            if worker.owner == os.getpid():
                worker.close()
        _idle.clear()
