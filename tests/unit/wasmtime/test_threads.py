"""Threads: what one makes, another may use and drop; stores side by side."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import pytest

from .harness import exports, func_type, instantiate

FIB = """
    (module
      (func $fib (export "fib") (param i32) (result i32)
        (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
          (then (local.get 0))
          (else (i32.add
            (call $fib (i32.sub (local.get 0) (i32.const 1)))
            (call $fib (i32.sub (local.get 0) (i32.const 2))))))))"""


def in_thread(work: Callable[[], Any]) -> Any:
    """The work's result, from a thread that has ended."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(work).result()


def test_instance_used_and_dropped_in_another_thread(w: ModuleType) -> None:
    made = []

    def make() -> None:
        store = w.Store()
        made.append((store, instantiate(w, store, FIB)))

    def use() -> Any:
        store, instance = made.pop()
        result = instance.exports(store)["fib"](store, 10)
        del store, instance
        gc.collect()
        return result

    in_thread(make)
    assert in_thread(use) == 55


def test_stores_side_by_side(w: ModuleType) -> None:
    engine = w.Engine()
    module = w.Module(engine, FIB)

    def work(n: int) -> Any:
        store = w.Store(engine)
        return w.Instance(store, module, []).exports(store)["fib"](store, n)

    with ThreadPoolExecutor(4) as executor:
        assert list(executor.map(work, range(16))) == [0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610]


def test_linker_shared_by_threads(w: ModuleType) -> None:
    engine = w.Engine()
    linker = w.Linker(engine)
    linker.define_func("", "double", func_type(w, "i32", "i32"), lambda x: 2 * x)
    text = '(module (import "" "double" (func $f (param i32) (result i32))) (export "f" (func $f)))'
    module = w.Module(engine, text)

    def work(n: int) -> Any:
        store = w.Store(engine)
        return linker.instantiate(store, module).exports(store)["f"](store, n)

    with ThreadPoolExecutor(4) as executor:
        assert list(executor.map(work, range(32))) == [2 * n for n in range(32)]


def test_modules_made_at_the_same_time(w: ModuleType) -> None:
    engine = w.Engine()
    texts = [f'(module (func (export "f") (result i32) (i32.const {i})))' for i in (1, 2, 1, 2)]

    def work(text: str) -> Any:
        store = w.Store(engine)
        return w.Instance(store, w.Module(engine, text), []).exports(store)["f"](store)

    with ThreadPoolExecutor(4) as executor:
        assert list(executor.map(work, texts)) == [1, 2, 1, 2]


def test_host_function_runs_in_the_thread_that_calls(w: ModuleType, store: Any) -> None:
    seen: list[int] = []
    func = w.Func(store, func_type(w), lambda: seen.append(threading.get_ident()))
    run = exports(w, store, '(module (import "" "" (func $f)) (func (export "run") call $f))', [func])["run"]
    in_thread(lambda: run(store))
    run(store)
    assert len(set(seen)) == 2
    assert seen[1] == threading.get_ident()


def test_python_goes_on_while_the_guest_runs(w: ModuleType) -> None:
    config = w.Config()
    config.epoch_interruption = True
    engine = w.Engine(config)
    store = w.Store(engine)
    store.set_epoch_deadline(1)
    run = exports(w, store, '(module (func (export "run") (loop br 0)))')["run"]
    traps: list[Any] = []

    def work() -> None:
        with pytest.raises(w.Trap) as caught:
            run(store)
        traps.append(caught.value)

    thread = threading.Thread(target=work)
    thread.start()
    engine.increment_epoch()
    thread.join(10)
    assert traps[0].trap_code is w.TrapCode.INTERRUPT
