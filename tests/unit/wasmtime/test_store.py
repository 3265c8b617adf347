"""Stores: their engine and data, fuel, epochs, limits, and that they can be closed."""

from __future__ import annotations

import gc
import threading
import weakref
from types import ModuleType
from typing import Any

import pytest

from .harness import engine_with, exports, func_type, instantiate, store_with

LOOP = '(module (func (export "run") (loop br 0)))'
PAGE = 65536


@pytest.mark.core
def test_store_with_and_without_an_engine(w: ModuleType) -> None:
    assert isinstance(w.Store().engine, w.Engine)
    assert isinstance(w.Store(None).engine, w.Engine)
    engine = w.Engine()
    assert w.Store(engine).engine is engine


@pytest.mark.core
def test_store_takes_only_an_engine(w: ModuleType) -> None:
    for bad in (3, "engine", w.Config()):
        with pytest.raises(TypeError):
            w.Store(bad)


@pytest.mark.core
def test_store_can_be_closed(w: ModuleType) -> None:
    with w.Store() as store:
        assert isinstance(store, w.Store)
    with pytest.raises(ValueError, match="already closed"):
        store.set_epoch_deadline(1)
    store.close()
    with pytest.raises(ValueError, match="already closed"):
        store.gc()


def test_store_holds_data(w: ModuleType) -> None:
    data = {"a": 1}
    assert w.Store(w.Engine(), data).data() is data
    assert w.Store(data=data).data() is data
    assert w.Store().data() is None


def test_store_lets_its_data_go(w: ModuleType) -> None:
    class Data:
        pass

    data = Data()
    gone = weakref.ref(data)
    store = w.Store(w.Engine(), data)
    del data
    gc.collect()
    assert gone() is not None
    store.close()
    del store
    gc.collect()
    assert gone() is None


# ---- fuel ----------------------------------------------------------------------------------------------------------


@pytest.mark.core
def test_fuel_needs_an_engine_that_counts_it(w: ModuleType, store: Any) -> None:
    with pytest.raises(w.WasmtimeError, match="fuel"):
        store.set_fuel(1)
    with pytest.raises(w.WasmtimeError, match="fuel"):
        store.get_fuel()


@pytest.mark.core
def test_fuel_as_older_versions_had_it(face: ModuleType) -> None:
    """What wasmtime-py 9 gives."""
    store = store_with(face, consume_fuel=True)
    store.add_fuel(100)
    assert (store.consume_fuel(30), store.fuel_consumed()) == (70, 30)
    store.add_fuel(5)
    with pytest.raises(face.WasmtimeError, match="not enough fuel remaining in store"):
        store.consume_fuel(1000)
    assert (store.get_fuel(), store.fuel_consumed()) == (75, 30)
    with pytest.raises(face.WasmtimeError, match="fuel is not configured in this store"):
        face.Store().add_fuel(3)


def test_fuel_is_what_was_set(w: ModuleType) -> None:
    store = store_with(w, consume_fuel=True)
    assert store.get_fuel() == 0
    for units in (1, 2, 0, 10**12):
        store.set_fuel(units)
        assert store.get_fuel() == units


@pytest.mark.core
def test_out_of_fuel(w: ModuleType) -> None:
    store = store_with(w, consume_fuel=True)
    store.set_fuel(10_000)
    run = exports(w, store, LOOP)["run"]
    with pytest.raises(w.Trap) as caught:
        run(store)
    assert caught.value.trap_code is w.TrapCode.OUT_OF_FUEL
    assert "all fuel consumed" in caught.value.message


def test_no_fuel_to_begin_with(w: ModuleType) -> None:
    store = store_with(w, consume_fuel=True)
    run = exports(w, store, '(module (func (export "run")))')["run"]
    with pytest.raises(w.Trap) as caught:
        run(store)
    assert caught.value.trap_code is w.TrapCode.OUT_OF_FUEL


def test_refuelled_store_goes_on(w: ModuleType) -> None:
    store = store_with(w, consume_fuel=True)
    store.set_fuel(10)
    run = exports(w, store, LOOP)["run"]
    with pytest.raises(w.Trap):
        run(store)
    store.set_fuel(1000)
    add = exports(w, store, '(module (func (export "f") (result i32) (i32.const 4)))')["f"]
    assert add(store) == 4
    assert 0 < store.get_fuel() < 1000


def test_fuel_counts_what_runs(w: ModuleType) -> None:
    """Twice the rounds take twice the fuel, about."""
    text = """
        (module
          (func (export "run") (param i32)
            (loop
              (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
              (br_if 0 (local.get 0)))))"""
    store = store_with(w, consume_fuel=True)
    run = exports(w, store, text)["run"]
    used = []
    for rounds in (1000, 2000):
        store.set_fuel(10**6)
        run(store, rounds)
        used.append(10**6 - store.get_fuel())
    assert 1.8 < used[1] / used[0] < 2.2


# ---- epochs --------------------------------------------------------------------------------------------------------


@pytest.fixture
def epochs(w: ModuleType) -> Any:
    return engine_with(w, epoch_interruption=True)


@pytest.mark.core
def test_deadline_can_be_set_after_epochs_have_passed(w: ModuleType, epochs: Any) -> None:
    epochs.increment_epoch()
    store = w.Store(epochs)
    store.set_epoch_deadline(1)
    assert exports(w, store, '(module (func (export "f") (result i32) (i32.const 1)))')["f"](store) == 1


@pytest.mark.core
def test_epoch_that_a_host_function_ends(w: ModuleType, epochs: Any) -> None:
    store = w.Store(epochs)
    store.set_epoch_deadline(1)
    hits: list[int] = []
    text = """
        (module
          (import "" "hit" (func $hit))
          (import "" "end" (func $end))
          (func $start (call $hit) (call $end) (loop br 0))
          (start $start))"""
    hit = w.Func(store, func_type(w), lambda: hits.append(1))
    end = w.Func(store, func_type(w), epochs.increment_epoch)
    with pytest.raises(w.Trap) as caught:
        instantiate(w, store, text, [hit, end])
    assert caught.value.trap_code is w.TrapCode.INTERRUPT
    assert hits == [1]


def test_epoch_that_another_thread_ends(w: ModuleType, epochs: Any) -> None:
    store = w.Store(epochs)
    store.set_epoch_deadline(1)
    run = exports(w, store, LOOP)["run"]
    timer = threading.Timer(0.05, epochs.increment_epoch)
    timer.start()
    with pytest.raises(w.Trap) as caught:
        run(store)
    timer.join()
    assert caught.value.trap_code is w.TrapCode.INTERRUPT
    assert "interrupt" in caught.value.message


def test_deadline_of_several_epochs(w: ModuleType, epochs: Any) -> None:
    store = w.Store(epochs)
    store.set_epoch_deadline(3)
    text = """
        (module
          (import "" "tick" (func $tick))
          (func (export "run") (loop call $tick br 0)))"""
    ticks: list[int] = []

    def tick() -> None:
        ticks.append(1)
        epochs.increment_epoch()

    run = exports(w, store, text, [w.Func(store, func_type(w), tick)])["run"]
    with pytest.raises(w.Trap):
        run(store)
    assert len(ticks) == 3


def test_deadline_that_was_renewed(w: ModuleType, epochs: Any) -> None:
    store = w.Store(epochs)
    run = exports_with_deadline(w, store, LOOP)["run"]
    store.set_epoch_deadline(1)
    epochs.increment_epoch()
    with pytest.raises(w.Trap):
        run(store)
    store.set_epoch_deadline(1)
    assert exports(w, store, '(module (func (export "f") (result i32) (i32.const 1)))')["f"](store) == 1


def test_store_without_a_deadline_traps_at_once(w: ModuleType, epochs: Any) -> None:
    store = w.Store(epochs)
    run = exports(w, store, LOOP)["run"]
    with pytest.raises(w.Trap) as caught:
        run(store)
    assert caught.value.trap_code is w.TrapCode.INTERRUPT


def test_epochs_of_other_engines_do_not_count(w: ModuleType, epochs: Any) -> None:
    store = w.Store(epochs)
    store.set_epoch_deadline(1)
    other = engine_with(w, epoch_interruption=True)
    other.increment_epoch()
    assert exports(w, store, '(module (func (export "f") (result i32) (i32.const 1)))')["f"](store) == 1


def exports_with_deadline(w: ModuleType, store: Any, text: str) -> Any:
    store.set_epoch_deadline(1)
    return exports(w, store, text)


# ---- limits --------------------------------------------------------------------------------------------------------


def memory(w: ModuleType, store: Any, pages: int = 1) -> Any:
    return w.Memory(store, w.MemoryType(w.Limits(pages, None)))


@pytest.mark.core
def test_memory_beyond_the_limit(w: ModuleType, store: Any) -> None:
    store.set_limits(memory_size=0)
    with pytest.raises(w.WasmtimeError):
        memory(w, store)
    store.set_limits(memory_size=100_000)
    memory(w, store)


@pytest.mark.core
def test_growing_beyond_the_limit(w: ModuleType, store: Any) -> None:
    store.set_limits(memory_size=200_000)
    found = memory(w, store)
    assert found.grow(store, 1) == 1
    with pytest.raises(w.WasmtimeError):
        found.grow(store, 100)
    assert found.size(store) == 2


@pytest.mark.core
def test_table_beyond_the_limit(w: ModuleType, store: Any) -> None:
    store.set_limits(table_elements=1)
    ty = w.TableType(w.ValType.funcref(), w.Limits(1, None))
    table = w.Table(store, ty, None)
    with pytest.raises(w.WasmtimeError):
        w.Table(store, w.TableType(w.ValType.funcref(), w.Limits(2, None)), None)
    with pytest.raises(w.WasmtimeError):
        table.grow(store, 1, None)


def test_guest_that_grows_beyond_the_limit(w: ModuleType, store: Any) -> None:
    store.set_limits(memory_size=3 * PAGE)
    text = '(module (memory 1) (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))'
    grow = exports(w, store, text)["grow"]
    assert [grow(store, pages) for pages in (1, 1, 1, 0)] == [1, 2, -1, 3]


def test_instance_beyond_the_limit(w: ModuleType, store: Any) -> None:
    store.set_limits(memory_size=PAGE)
    with pytest.raises(w.WasmtimeError):
        instantiate(w, store, "(module (memory 2))")
    instantiate(w, store, "(module (memory 1))")


def test_number_of_instances(w: ModuleType, store: Any) -> None:
    store.set_limits(instances=2)
    kept = [instantiate(w, store, "(module)") for _ in range(2)]
    with pytest.raises(w.WasmtimeError):
        instantiate(w, store, "(module)")
    assert len(kept) == 2


def test_number_of_memories_and_tables(w: ModuleType, store: Any) -> None:
    store.set_limits(memories=1, tables=1)
    instantiate(w, store, "(module (memory 1) (table 1 funcref))")
    with pytest.raises(w.WasmtimeError):
        instantiate(w, store, "(module (memory 1))")
    with pytest.raises(w.WasmtimeError):
        instantiate(w, store, "(module (table 1 funcref))")


def test_limits_by_position(w: ModuleType, store: Any) -> None:
    store.set_limits(PAGE, 10, 5, 5, 5)
    with pytest.raises(w.WasmtimeError):
        memory(w, store, 2)


def test_negative_limits_are_none(w: ModuleType, store: Any) -> None:
    store.set_limits()
    store.set_limits(memory_size=-1, table_elements=-5)
    memory(w, store, 4)


def test_a_deadline_that_is_set_while_an_epoch_begins_counts(face: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ticker that has seen the old deadline come must not end what the new one allows."""
    config = face.Config()
    config.epoch_interruption = True
    store = face.Store(face.Engine(config))
    store.set_epoch_deadline(1)
    run = face.Instance(store, face.Module(store.engine, '(module (func (export "run")))'), []).exports(store)["run"]
    native, has_seen, is_set = store.native, threading.Event(), threading.Event()

    class Slow:
        """The store as the ticker gets it: it is held up just before it ends what runs."""

        def deadline(self, seconds: float) -> object:
            has_seen.set()
            is_set.wait(0.3)
            return native.deadline(seconds)

    monkeypatch.setattr(store, "native", Slow())
    ticker = threading.Thread(target=store.engine.increment_epoch)
    ticker.start()
    has_seen.wait()
    store.set_epoch_deadline(10)
    is_set.set()
    ticker.join()
    assert run(store) is None
