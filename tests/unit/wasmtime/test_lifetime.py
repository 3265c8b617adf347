"""What can be closed, what stays usable, and in which order things may go."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from .harness import engine_with, exports, func_type, instantiate

Use = Callable[[ModuleType, Any], Any]


def linked_ahead(w: ModuleType) -> Any:
    engine = w.Engine()
    return w.Linker(engine).instantiate_pre(w.Module(engine, "(module)"))


def shared_memory(w: ModuleType) -> Any:
    engine = engine_with(w, shared_memory=True)
    return w.SharedMemory(engine, w.MemoryType(w.Limits(1, 1), shared=True))


#: What can be closed: how it is made, and a use of it that fails afterwards.
CLOSABLE: dict[str, tuple[Callable[[ModuleType], Any], Use]] = {
    "Config": (lambda w: w.Config(), lambda w, one: w.Engine(one)),
    "Engine": (lambda w: w.Engine(), lambda w, one: one.increment_epoch()),
    "Store": (lambda w: w.Store(), lambda w, one: one.gc()),
    "Module": (lambda w: w.Module(w.Engine(), "(module)"), lambda w, one: one.serialize()),
    "Linker": (lambda w: w.Linker(w.Engine()), lambda w, one: one.define_wasi()),
    "InstancePre": (linked_ahead, lambda w, one: one.instantiate(w.Store())),
    "SharedMemory": (shared_memory, lambda w, one: one.data_len()),
    "WasiConfig": (lambda w: w.WasiConfig(), lambda w, one: one.inherit_argv()),
    "FuncType": (lambda w: func_type(w, "i32"), lambda w, one: one.params),
    "GlobalType": (lambda w: w.GlobalType(w.ValType.i32(), True), lambda w, one: one.mutable),
    "TableType": (lambda w: w.TableType(w.ValType.funcref(), w.Limits(1, None)), lambda w, one: one.limits),
    "MemoryType": (lambda w: w.MemoryType(w.Limits(1, None)), lambda w, one: one.limits),
    "TagType": (lambda w: w.TagType(func_type(w)), lambda w, one: one.functype),
    "ValType": (lambda w: w.ValType.i32(), lambda w, one: str(one)),
    "Trap": (lambda w: w.Trap("x"), lambda w, one: one.message),
}


@pytest.mark.parametrize("name", CLOSABLE)
def test_what_is_closed_tells_so(w: ModuleType, name: str) -> None:
    make, use = CLOSABLE[name]
    one = make(w)
    one.close()
    one.close()
    with pytest.raises(ValueError, match="already closed"):
        use(w, one)


@pytest.mark.parametrize("name", CLOSABLE)
def test_with_closes(w: ModuleType, name: str) -> None:
    make, use = CLOSABLE[name]
    one = make(w)
    with one as same:
        assert same is one
    with pytest.raises(ValueError, match="already closed"):
        use(w, one)


def test_with_lets_exceptions_through(w: ModuleType) -> None:
    with pytest.raises(KeyError), w.Store():
        raise KeyError


def test_closed_store_ends_what_is_in_it(w: ModuleType) -> None:
    store = w.Store()
    out = exports(
        w, store, '(module (func (export "f")) (memory (export "m") 1) (global (export "g") i32 (i32.const 1)))'
    )
    table = w.Table(store, w.TableType(w.ValType.funcref(), w.Limits(1, None)), None)
    store.close()
    uses: list[Callable[[], Any]] = [
        lambda: out["f"](store),
        lambda: out["f"].type(store),
        lambda: out["m"].size(store),
        lambda: out["m"].read(store, 0, 1),
        lambda: out["m"].write(store, b"x", 0),
        lambda: out["m"].data_ptr(store),
        lambda: out["g"].value(store),
        lambda: table.size(store),
        lambda: table.get(store, 0),
        store.data,
        lambda: store.set_fuel(1),
        lambda: store.set_wasi(w.WasiConfig()),
        lambda: store.set_limits(memory_size=1),
        lambda: w.Memory(store, w.MemoryType(w.Limits(1, None))),
        lambda: w.Func(store, func_type(w), print),
        lambda: w.Instance(store, w.Module(store.engine, "(module)"), []),
    ]
    for use in uses:
        with pytest.raises(ValueError, match="already closed"):
            use()


def test_module_may_be_closed_before_its_instances(w: ModuleType, store: Any) -> None:
    module = w.Module(store.engine, '(module (func (export "f") (result i32) (i32.const 42)))')
    instance = w.Instance(store, module, [])
    module.close()
    gc.collect()
    assert instance.exports(store)["f"](store) == 42
    with pytest.raises(ValueError, match="already closed"):
        w.Instance(store, module, [])


def test_linker_may_be_closed_before_its_instances(w: ModuleType, store: Any) -> None:
    linker = w.Linker(store.engine)
    hits: list[int] = []
    linker.define_func("", "", func_type(w), lambda: hits.append(1))
    module = w.Module(store.engine, '(module (import "" "" (func $f)) (func (export "run") call $f))')
    run = linker.instantiate(store, module).exports(store)["run"]
    linker.close()
    del linker
    gc.collect()
    run(store)
    assert hits == [1]


def test_engine_may_go_before_all_else(w: ModuleType) -> None:
    engine = w.Engine()
    store = w.Store(engine)
    run = exports(w, store, '(module (func (export "f") (result i32) (i32.const 42)))')["f"]
    engine.close()
    assert run(store) == 42


def test_function_may_outlive_its_instance(w: ModuleType, store: Any) -> None:
    func = instantiate(w, store, '(module (func (export "f") (result i32) (i32.const 42)))').exports(store)["f"]
    gc.collect()
    assert func(store) == 42


def test_host_function_goes_with_its_store(w: ModuleType) -> None:
    class Host:
        def __call__(self) -> None:
            pass

    host = Host()
    gone = weakref.ref(host)
    store = w.Store()
    func = w.Func(store, func_type(w), host)
    func(store)
    del host
    gc.collect()
    assert gone() is not None
    del func
    store.close()
    del store
    gc.collect()
    assert gone() is None


def test_store_with_a_circle_goes(w: ModuleType) -> None:
    """A host function that holds what calls it does not keep the store once that is closed."""

    class Holder:
        out: Any = None

        def __call__(self) -> None:
            pass

    holder = Holder()
    store = w.Store()
    func = w.Func(store, func_type(w), holder)
    holder.out = exports(w, store, '(module (import "" "" (func $f)) (func (export "run") call $f))', [func])
    holder.out["run"](store)
    gone = weakref.ref(holder)
    store.close()
    del holder, store, func
    gc.collect()
    assert gone() is None
