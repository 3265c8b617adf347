"""Packing by executors: the same bytes as without, whatever they lose; errors that name the function."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import wasmartifact as wa
from tests.support.workload import workload_wasm
from wasmartifact.codegen import process, remote
from wasmartifact.codegen.compiled import FunctionGroup
from wasmartifact.codegen.pool import GroupDied, Session, Task

#: What packs quickest among the levels that an executor is asked at.
LEVEL = 1
Progress = Callable[[int, int], None]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The artifact that comes without an executor."""
    return packed(tmp_path_factory.mktemp("alone"), None)


def packed(folder: Path, executor: Executor | None, progress: Progress | None = None) -> bytes:
    output = folder / "module.so"
    wa.pack(workload_wasm(), output, opt_level=LEVEL, jobs=1, progress=progress, executor=executor)
    return output.read_bytes()


@pytest.fixture
def no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="the executor lost")
        yield


# ---- executors of others -------------------------------------------------------------------------------------------

#: Two workers, and how to get the processes that they are.
Made = tuple[Executor, Callable[[], list[int]]]


def make_threads(stack: ExitStack) -> Made:
    return stack.enter_context(ThreadPoolExecutor(2)), lambda: []


def make_processes(stack: ExitStack) -> Made:
    pool = stack.enter_context(ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")))
    return pool, lambda: list(pool._processes)


def make_loky(stack: ExitStack) -> Made:
    loky = pytest.importorskip("loky")
    executor = loky.ProcessPoolExecutor(max_workers=2)
    stack.callback(executor.shutdown, kill_workers=True)
    return executor, lambda: list(executor._processes)


def make_dask(stack: ExitStack) -> Made:
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None, "host": "127.0.0.1"}
    cluster = stack.enter_context(distributed.LocalCluster(**options))
    client = stack.enter_context(distributed.Client(cluster))
    return client.get_executor(), lambda: list(client.run(os.getpid).values())


MAKERS = {"threads": make_threads, "processes": make_processes, "loky": make_loky, "dask": make_dask}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.usefixtures("no_warnings")
def test_an_executor_changes_no_byte(name: str, alone: bytes, tmp_path: Path, stack: ExitStack) -> None:
    executor, _ = MAKERS[name](stack)
    calls: list[tuple[int, int]] = []
    assert packed(tmp_path, executor, lambda done, total: calls.append((done, total))) == alone
    assert len(calls) > 3 and calls[0][0] == 0 and calls[-1][0] == calls[-1][1] == calls[0][1]
    assert [done for done, _ in calls] == sorted({done for done, _ in calls})


@pytest.mark.parametrize("name", ["processes", "loky", "dask"])
def test_a_worker_that_is_killed_changes_no_byte(name: str, alone: bytes, tmp_path: Path, stack: ExitStack) -> None:
    """A pool of processes is broken then, Dask starts another worker: either way the artifact is whole."""
    executor, pids = MAKERS[name](stack)
    killed: list[int] = []

    def kill(done: int, total: int) -> None:
        if done and not killed:
            killed.append(pids()[0])
            os.kill(killed[0], signal.SIGKILL)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # whether anything was lost depends on the moment
        assert packed(tmp_path, executor, kill) == alone
    assert killed


# ---- executors that fail -------------------------------------------------------------------------------------------


class Elsewhere(Executor):
    """Runs each call at once, as far as ``before`` lets it: called with the call's number and its arguments."""

    def __init__(self, before: Callable[[int, list[Any]], None]) -> None:
        self.calls = 0
        self._before = before

    def submit(self, fn: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.calls += 1
        try:
            given = list(arguments)
            self._before(self.calls, given)
            future.set_result(pickle.loads(pickle.dumps(fn))(*given, **named))
        except Exception as problem:
            future.set_exception(problem)
        return future


@pytest.mark.usefixtures("no_warnings")
def test_what_is_lost_once_is_submitted_again(alone: bytes, tmp_path: Path) -> None:
    def lose(number: int, arguments: list[Any]) -> None:
        if number == 2:
            raise RuntimeError("the worker is gone")

    executor = Elsewhere(lose)
    progress: list[int] = []
    assert packed(tmp_path, executor, lambda done, _: progress.append(done)) == alone
    batches = executor.calls - 1
    assert batches > 2 and progress == sorted(set(progress))


def test_what_is_lost_twice_is_compiled_here(alone: bytes, tmp_path: Path) -> None:
    lost = set()

    def lose(number: int, arguments: list[Any]) -> None:
        if number == 1 or arguments[2] in lost:
            lost.add(arguments[2])
            raise RuntimeError("the worker is\ngone")

    with pytest.warns(RuntimeWarning, match=r"lost 1 of \d+ groups.*compiled here: RuntimeError: the worker is gone"):
        assert packed(tmp_path, Elsewhere(lose)) == alone


def test_an_executor_that_was_shut_down_costs_no_pack(alone: bytes, tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as executor:
        pass
    with pytest.warns(RuntimeWarning, match="cannot schedule new futures after shutdown"):
        assert packed(tmp_path, executor) == alone


class Silent(Executor):
    """Takes calls, and never does one."""

    def __init__(self) -> None:
        self.futures: list[Future[Any]] = []

    def submit(self, fn: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        self.futures.append(Future())
        return self.futures[-1]


def test_an_executor_without_workers_is_not_waited_for(
    alone: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "STALL_SECONDS", 0.2)
    executor = Silent()
    with pytest.warns(RuntimeWarning, match="nothing came of it"):
        assert packed(tmp_path, executor) == alone
    assert executor.futures and all(future.cancelled() for future in executor.futures)


# ---- errors --------------------------------------------------------------------------------------------------------


def test_another_version_at_the_other_end_is_an_error(tmp_path: Path) -> None:
    def ask_for_another(number: int, arguments: list[Any]) -> None:
        arguments[0] = "wasmartifact 9.9 with llvmlite 9.9"

    with pytest.raises(wa.ToolchainError, match=r"worker of the executor has other code: .*expected wasmartifact 9\.9"):
        packed(tmp_path, Elsewhere(ask_for_another))


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_worker_without_the_package_is_an_error(wrapped: bool, tmp_path: Path) -> None:
    def fail(number: int, arguments: list[Any]) -> None:
        missing = ModuleNotFoundError("No module named 'wasmartifact'")
        if wrapped:
            raise RuntimeError("the call could not be read") from missing
        raise missing

    with pytest.raises(wa.ToolchainError, match=r"can't import this package .*install wasmartifact\[pack\]"):
        packed(tmp_path, Elsewhere(fail))


def test_an_error_names_the_function_and_takes_the_rest_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(Session):
        """A worker that refuses function 150: all opcodes are compiled, so that no module makes a real one do that."""

        def run(self, tasks: Sequence[Task], *_: Any) -> Any:
            for _weight, request in tasks:
                group: Any = request[1]
                if 150 in group.indices:
                    raise wa.UnsupportedModule("function 150 uses what is not compiled", feature="new")
            raise GroupDied(0, "not this one")

    monkeypatch.setattr(remote, "Session", Refusing)
    functions = " ".join(
        f"(func (result f64) {'(drop (f64.const 1))' * 40 * (index == 150)} (f64.const {index}))"
        for index in range(200)
    )
    silent = Silent()

    class First(Silent):
        """Does the first batch that comes, which is the costliest, and leaves the others alone."""

        def submit(self, fn: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
            future = super().submit(fn)
            silent.futures.append(future)
            answer = fn(*arguments, **named)
            if pickle.loads(answer)[0] == "failed":
                future.set_result(answer)
            return future

    with pytest.raises(wa.UnsupportedModule, match="function 150 uses what is not compiled"):
        wa.pack(f"(module {functions})".encode(), tmp_path / "x.so", opt_level=LEVEL, executor=First())
    assert sorted(future.cancelled() for future in silent.futures)[1:] == [True] * (len(silent.futures) - 1)
    assert not list(tmp_path.iterdir())


def test_a_function_that_ends_every_worker_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    send, doomed = process.WorkerProcess.send, 123

    def kill_for_one(worker: process.WorkerProcess, message: bytes) -> None:
        request = pickle.loads(message[8:])
        if isinstance(request[1], FunctionGroup) and doomed in request[1].indices:
            worker._process.kill()
            worker._process.wait()
        send(worker, message)

    monkeypatch.setattr(process.WorkerProcess, "send", kill_for_one)
    with ThreadPoolExecutor(2) as executor, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(wa.ToolchainError, match=r"function 123 \(step_123\).*signal 9") as caught:
            packed(tmp_path, executor)
    assert caught.value.facts["func_index"] == doomed


def test_an_interrupt_takes_back_what_was_submitted(tmp_path: Path) -> None:
    executor = Silent()

    def interrupt(done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    class One(Silent):
        def submit(self, fn: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
            future = executor.submit(fn)
            if len(executor.futures) == 1:
                future.set_result(fn(*arguments, **named))
            return future

    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        packed(tmp_path, One(), interrupt)
    assert time.monotonic() - begin < 60
    assert len(executor.futures) > 1 and all(future.cancelled() for future in executor.futures[1:])


def test_what_an_executor_does_not_go_with(tmp_path: Path) -> None:
    for options in ({"keep": tmp_path / "kept"}, {"limits": wa.PackLimits(seconds=60)}):
        with pytest.raises(ValueError, match="executor goes without keep and limits"):
            wa.pack(b"(module)", tmp_path / "x.so", executor=Silent(), **options)
    assert not list(tmp_path.iterdir())


def test_level_0_stays_here(tmp_path: Path) -> None:
    executor = Silent()
    wa.pack(workload_wasm(), tmp_path / "x.so", opt_level=0, executor=executor)
    assert not executor.futures
