"""Components: compiling, looking up, linking, calling, traps, resources."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from .components import GUEST_RESOURCE, HOST_RESOURCE, PROGRAM, component_api
from .harness import engine_with, store_with

EMPTY = b"\0asm\x0d\0\x01\0"
CALLS = """(component
  (import "x" (func $x))
  (core func $lower (canon lower (func $x)))
  (core module $code (import "" "x" (func $x))
    (func (export "run") call $x) (func (export "trap") unreachable) (func (export "seven") (result i32) (i32.const 7)))
  (core instance $code (instantiate $code (with "" (instance (export "x" (func $lower))))))
  (func $seven (result u8) (canon lift (core func $code "seven")))
  (func (export "run") (canon lift (core func $code "run")))
  (func (export "trap") (canon lift (core func $code "trap")))
  (func (export "take") (param "a" u32) (param "b" bool) (canon lift (core func $code "take")))
  (instance $inner (export "seven" (func $seven)))
  (export "seven" (func $seven))
  (export "test:a/numbers@1.2.0" (instance $inner)))""".replace(
    '(func (export "trap")', '(func (export "take") (param i32 i32)) (func (export "trap")', 1
)


@pytest.fixture
def c(w: ModuleType) -> Any:
    """``wasmtime.component``."""
    return component_api(w)


@pytest.fixture
def linker(c: Any, store: Any) -> Any:
    return c.Linker(store.engine)


def instance_of(c: Any, store: Any, linker: Any, text: str = CALLS) -> Any:
    return linker.instantiate(store, c.Component(store.engine, text))


def with_x(linker: Any, function: Any) -> Any:
    """The linker with the function that CALLS imports."""
    with linker.root() as root:
        root.add_func("x", function)
    return linker


# Components and what they export ----------------------------------------------------------------------------------


def test_text_and_binary(w: ModuleType, c: Any, store: Any, tmp_path: Path) -> None:
    for source in ("(component)", EMPTY, bytearray(EMPTY)):
        c.Component(store.engine, source)
    for bad in ("(component2)", "(module)", b"", b"\0", EMPTY[:6]):
        with pytest.raises(w.WasmtimeError):
            c.Component(store.engine, bad)
    for engine, wrong in ((1, b""), (store.engine, 2)):
        with pytest.raises(TypeError):
            c.Component(engine, wrong)
    path = tmp_path / "empty.wasm"
    path.write_bytes(EMPTY)
    c.Component.from_file(store.engine, path)
    c.Component.from_file(store.engine, str(path))
    with pytest.raises(FileNotFoundError):
        c.Component.from_file(store.engine, tmp_path / "none.wasm")
    with pytest.raises(w.WasmtimeError):
        w.Module(store.engine, EMPTY)


def test_serialized(w: ModuleType, c: Any, store: Any, linker: Any, tmp_path: Path) -> None:
    encoded = c.Component(store.engine, CALLS).serialize()
    path = tmp_path / "component.bin"
    path.write_bytes(encoded)
    with_x(linker, lambda _store: None)
    for made in (c.Component.deserialize(store.engine, encoded), c.Component.deserialize_file(store.engine, str(path))):
        assert linker.instantiate(store, made).get_func(store, "seven")(store) == 7
    with pytest.raises(w.WasmtimeError):
        c.Component.deserialize(store.engine, b"nothing")


def test_looking_up(w: ModuleType, c: Any, store: Any, linker: Any) -> None:
    component = c.Component(store.engine, CALLS)
    instance = with_x(linker, lambda _store: None).instantiate(store, component)
    assert component.get_export_index("none") is None
    assert instance.get_export_index(store, "none") is None
    assert instance.get_func(store, "none") is None
    for index in (component.get_export_index("seven"), instance.get_export_index(store, "seven")):
        assert isinstance(index, c.ExportIndex)
        assert instance.get_func(store, index)(store) == 7
        assert component.get_export_index("seven", instance=index) is None
    interface = component.get_export_index("test:a/numbers@1.2.0")
    assert instance.get_func(store, interface) is None
    inner = instance.get_export_index(store, "seven", interface)
    assert instance.get_func(store, inner)(store) == 7
    assert component.get_export_index("none", interface) is None
    assert component.get_export_index("test:a/numbers@1.2.7") is not None
    assert component.get_export_index("test:a/numbers@2.0.0") is None
    other = c.Component(store.engine, CALLS.replace("test:a", "test:b"))
    assert other.get_export_index("seven", interface) is None


def test_what_is_not_made_directly(w: ModuleType, c: Any) -> None:
    for name in ("ExportIndex", "Func", "FuncType", "Instance", "LinkerInstance", "ResourceAny", "ResourceHost"):
        with pytest.raises(w.WasmtimeError, match=name):
            getattr(c, name)()
    for name in ("ComponentType", "ModuleType", "ComponentInstanceType", "ResourceType"):
        with pytest.raises(w.WasmtimeError, match=name):
            getattr(c, name)()


# Calls ------------------------------------------------------------------------------------------------------------


def test_calls(w: ModuleType, c: Any, store: Any, linker: Any) -> None:
    instance = instance_of(c, store, with_x(linker, lambda _store: None))
    seven, take = (instance.get_func(store, name) for name in ("seven", "take"))
    assert seven(store) == 7
    seven.post_return(store)
    assert take(store, 3, False) is None
    assert take.type(store).params == [("a", c.U32()), ("b", c.Bool())]
    assert take.type(store).result is None
    assert seven.type(store).result == c.U8()
    for arguments in ((), (1,), (1, True, 2), ("a", True), (1, 1)):
        with pytest.raises(TypeError):
            take(store, *arguments)
    with pytest.raises((TypeError, AttributeError)):
        seven(3)


def test_the_store_of_a_host_function_is_good_while_it_runs(w: ModuleType, c: Any, store: Any, linker: Any) -> None:
    other = instance_of(c, store, with_x(c.Linker(store.engine), lambda _store: None))
    seen: list[Any] = []

    def host(inner: Any) -> None:
        seen.append(inner)
        assert isinstance(inner, w.StoreContext)
        seen.append(other.get_func(inner, "seven")(inner))

    instance_of(c, store, with_x(linker, host)).get_func(store, "run")(store)
    assert seen[1:] == [7]
    with pytest.raises(ValueError, match="no longer valid"):
        other.get_func(seen[0], "seven")


def test_exceptions_of_the_host_come_out_of_the_call(w: ModuleType, c: Any, store: Any, linker: Any) -> None:
    def host(_store: Any) -> None:
        raise RuntimeError("oh no")

    run = instance_of(c, store, with_x(linker, host)).get_func(store, "run")
    with pytest.raises(RuntimeError, match="oh no"):
        run(store)


def test_traps_are_errors_and_end_the_instance(w: ModuleType, c: Any, store: Any, linker: Any) -> None:
    instance = instance_of(c, store, with_x(linker, lambda _store: None))
    with pytest.raises(w.WasmtimeError, match="unreachable") as raised:
        instance.get_func(store, "trap")(store)
    assert not isinstance(raised.value, w.Trap)
    with pytest.raises(w.WasmtimeError, match="cannot enter component instance"):
        instance.get_func(store, "seven")(store)


def test_a_trap_ends_no_other_instance(face: ModuleType) -> None:
    """In wasmtime-py it ends all components of the store, later ones too."""
    c = component_api(face)
    store = face.Store()
    linker = with_x(c.Linker(store.engine), lambda _store: None)
    first, second = (instance_of(c, store, linker) for _ in range(2))
    with pytest.raises(face.WasmtimeError):
        first.get_func(store, "trap")(store)
    assert second.get_func(store, "seven")(store) == 7


LOOP = """(component
  (core module $code (memory (export "m") 1)
    (func (export "spin") (loop (br 0)))
    (func (export "grow") (result i32) (memory.grow (i32.const 9))))
  (core instance $code (instantiate $code))
  (func (export "spin") (canon lift (core func $code "spin")))
  (func (export "grow") (result s32) (canon lift (core func $code "grow"))))"""


def test_epochs_end_a_guest(w: ModuleType, c: Any) -> None:
    store = store_with(w, epoch_interruption=True)
    store.set_epoch_deadline(1)
    spin = instance_of(c, store, c.Linker(store.engine), LOOP).get_func(store, "spin")
    timer = threading.Timer(0.2, store.engine.increment_epoch)
    timer.start()
    with pytest.raises(w.WasmtimeError, match="interrupt"):
        spin(store)
    timer.join()


def test_fuel_ends_a_guest(w: ModuleType, c: Any) -> None:
    store = store_with(w, consume_fuel=True)
    store.set_fuel(1000)
    spin = instance_of(c, store, c.Linker(store.engine), LOOP).get_func(store, "spin")
    with pytest.raises(w.WasmtimeError, match="fuel"):
        spin(store)
    assert store.get_fuel() < 10


def test_limits_hold(w: ModuleType, c: Any, store: Any, linker: Any) -> None:
    store.set_limits(memory_size=3 * 65536)
    assert instance_of(c, store, linker, LOOP).get_func(store, "grow")(store) == -1
    other = w.Store(store.engine)
    other.set_limits(memory_size=1000)
    with pytest.raises(w.WasmtimeError):
        instance_of(c, other, linker, LOOP)
    many = w.Store(store.engine)
    many.set_limits(memories=0)
    with pytest.raises(w.WasmtimeError, match="count too high"):
        instance_of(c, many, linker, LOOP)


def test_a_feature_that_is_switched_off(w: ModuleType, c: Any) -> None:
    engine = engine_with(w, wasm_simd=False, wasm_relaxed_simd=False)
    text = "(component (core module (func (drop (v128.const i64x2 0 0)))) (core instance (instantiate 0)))"
    with pytest.raises(w.WasmtimeError):
        c.Component(engine, text)


def test_any_thread_may_use_and_drop_an_instance(w: ModuleType, c: Any, store: Any, linker: Any) -> None:
    made: list[Any] = []

    def make() -> None:
        made.append(instance_of(c, store, with_x(linker, lambda _store: None)))

    def drop() -> None:
        seen.append(made.pop().get_func(store, "seven")(store))

    seen: list[int] = []
    for work in (make, drop):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert seen == [7]


def test_cycles_are_collected(face: ModuleType) -> None:
    """A host function that has the instance which calls it does not keep it."""

    class Host:
        instance = run = None

    c = component_api(face)
    hosts: list[Any] = [Host()]
    gone = weakref.ref(hosts[0])
    store = face.Store()
    linker = with_x(c.Linker(store.engine), lambda _store, host=hosts[0]: host)
    hosts[0].instance = instance_of(c, store, linker)
    hosts[0].run = hosts[0].instance.get_func(store, "seven")
    assert hosts[0].run(store) == 7
    hosts.clear()
    del store, linker
    gc.collect()
    assert gone() is None


# The linker -------------------------------------------------------------------------------------------------------


def test_one_definition_at_a_time(w: ModuleType, c: Any, linker: Any) -> None:
    with linker.root() as root:
        with pytest.raises(w.WasmtimeError, match="in use"):
            linker.root()
        with pytest.raises(w.WasmtimeError, match="in use"):
            linker.add_wasip2()
        with root.add_instance("a") as inner:
            with pytest.raises(w.WasmtimeError, match="in use"):
                root.add_func("f", print)
            with inner.add_instance("b"), pytest.raises(w.WasmtimeError, match="in use"):
                inner.add_instance("c")
        root.add_func("f", print)
    with pytest.raises(ValueError, match="already closed"):
        root.add_func("g", print)
    linker.root()  # gone at once, as nobody has it
    linker.add_wasip2()
    linker.close()
    with pytest.raises(ValueError, match="already closed"):
        linker.root()


def test_shadowing(w: ModuleType, c: Any, store: Any, linker: Any) -> None:
    hits: list[int] = []
    with_x(linker, lambda _store: hits.append(0))
    module = w.Module(store.engine, "(module)")
    with linker.root() as root:
        root.add_module("m", module)
        root.add_resource("r", c.ResourceType.host(1), lambda _store, _rep: None)
        resource = c.ResourceType.host(1)
        for define in (
            partial(root.add_func, "x", print),
            partial(root.add_module, "m", module),
            partial(root.add_module, "x", module),
            partial(root.add_resource, "r", resource, print),
        ):
            with pytest.raises(w.WasmtimeError, match="defined twice"):
                define()
    linker.allow_shadowing = True
    with_x(linker, lambda _store: hits.append(1))
    instance_of(c, store, linker).get_func(store, "run")(store)
    assert hits == [1]


def test_an_instance_is_opened_again(w: ModuleType, c: Any, store: Any, linker: Any) -> None:
    for name in "fg":
        with linker.root() as root, root.add_instance("i") as inner:
            inner.add_func(name, lambda _store: None)
    text = '(component (import "i" (instance (export "f" (func)) (export "g" (func)))))'
    instance_of(c, store, linker, text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('(component (import "f" (func)))', "imports function `f`"),
        ('(component (import "r" (type (sub resource))))', "imports resource `r`"),
        ('(component (import "i" (instance (export "f" (func)))))', "imports instance `i`"),
        ('(component (import "i" (instance (export "r" (type (sub resource))))))', "imports instance `i`"),
        ('(component (import "x" (instance (export "f" (func)))))', "expected instance found func"),
    ],
)
def test_what_is_not_defined(w: ModuleType, c: Any, store: Any, linker: Any, text: str, words: str) -> None:
    component = c.Component(store.engine, text)
    with_x(linker, lambda _store: None)
    with pytest.raises(w.WasmtimeError, match=words):
        linker.instantiate(store, component)


def test_unknown_imports_as_traps(w: ModuleType, c: Any, store: Any, linker: Any) -> None:
    text = """(component (import "f" (func)) (import "r" (type (sub resource)))
      (import "i" (instance (export "r" (type (sub resource))) (export "f" (func)))))"""
    for source in (text, CALLS):
        linker.define_unknown_imports_as_traps(c.Component(store.engine, source))
        instance = instance_of(c, store, linker, source)
    with pytest.raises(w.WasmtimeError, match="x"):
        instance.get_func(store, "run")(store)


def test_versions_that_fit(w: ModuleType, c: Any, store: Any, linker: Any) -> None:
    with linker.root() as root, root.add_instance("test:a/b@1.2.0") as inner:
        inner.add_func("f", lambda _store: None)
    text = '(component (import "test:a/b@{}" (instance (export "f" (func)))))'
    for fits in ("1.2.0", "1.9.3"):
        instance_of(c, store, linker, text.format(fits))
    for other in ("2.0.0", "0.1.0"):
        with pytest.raises(w.WasmtimeError, match="imports instance"):
            instance_of(c, store, linker, text.format(other))


def test_wasi_is_defined_once(w: ModuleType, c: Any, linker: Any) -> None:
    linker.add_wasip2()
    linker.add_wasi_http()
    with pytest.raises(w.WasmtimeError, match="defined twice"):
        linker.add_wasip2()
    linker.allow_shadowing = True
    linker.add_wasip2()


def test_a_program_of_wasi(w: ModuleType, c: Any, store: Any, linker: Any, tmp_path: Path) -> None:
    output = tmp_path / "output"
    wasi = w.WasiConfig()
    wasi.argv = ["program", "a", "b"]
    wasi.stdout_file = str(output)
    store.set_wasi(wasi)
    linker.add_wasip2()
    instance = instance_of(c, store, linker, PROGRAM)
    hello, count, leave = (instance.get_func(store, name) for name in ("hello", "count", "leave"))
    hello(store)
    assert count(store) == 3
    assert output.read_bytes() == b"hello"
    with pytest.raises(w.ExitTrap) as raised:
        leave(store, 1)
    assert raised.value.code == 1


def test_one_function_of_wasi_is_another(w: ModuleType, c: Any, store: Any, linker: Any) -> None:
    store.set_wasi(w.WasiConfig())
    linker.add_wasip2()
    linker.allow_shadowing = True
    with linker.root() as root, root.add_instance("wasi:cli/environment@0.2.0") as environment:
        environment.add_func("get-arguments", lambda _store: ["x"] * 7)
    assert instance_of(c, store, linker, PROGRAM).get_func(store, "count")(store) == 7


def test_an_interface_that_is_named_like_wasi(w: ModuleType, c: Any, store: Any, linker: Any) -> None:
    """WASI 0.2 has no logging: components that import it get it of the program."""
    store.set_wasi(w.WasiConfig())
    linker.add_wasip2()
    text = '(component (import "wasi:logging/logging" (instance (export "log" (func)))))'
    with pytest.raises(w.WasmtimeError, match="imports instance `wasi:logging/logging`"):
        instance_of(c, store, linker, text)
    with linker.root() as root, root.add_instance("wasi:logging/logging") as logging:
        logging.add_func("log", lambda _store: None)
    instance_of(c, store, linker, text)


def test_wasi_that_the_store_was_not_told_of(face: ModuleType) -> None:
    """In wasmtime-py it ends the process."""
    c = component_api(face)
    store = face.Store()
    linker = c.Linker(store.engine)
    linker.add_wasip2()
    instance = instance_of(c, store, linker, PROGRAM)
    instance.get_func(store, "hello")(store)
    assert instance.get_func(store, "count")(store) == 0


# Resources --------------------------------------------------------------------------------------------------------


def test_resource_types(c: Any) -> None:
    host = c.ResourceType.host
    assert host(1) == host(1) != host(2)
    assert host(1) != "host"


def test_resources_of_the_host(w: ModuleType, c: Any, store: Any) -> None:
    owned, lent = c.ResourceHost.own(42, 1), c.ResourceHost.borrow(84, 2)
    assert (owned.owned, owned.rep, owned.type) == (True, 42, 1)
    assert (lent.owned, lent.rep, lent.type) == (False, 84, 2)
    any_ = owned.to_any(store)
    assert any_.owned and any_.type == c.ResourceType.host(1)
    back = any_.to_host(store)
    assert (back.owned, back.rep, back.type) == (True, 42, 1)
    with pytest.raises(w.WasmtimeError, match="unknown handle"):
        any_.drop(store)
    again = back.to_any(store)
    again.drop(store)
    with pytest.raises(w.WasmtimeError, match="unknown handle"):
        again.drop(store)


class Hosted:
    """An instance of HOST_RESOURCE; what the host sees and destroys is noted."""

    def __init__(self, w: ModuleType, destroy: Callable[[int], object] | None = None) -> None:
        self.c = component_api(w)
        self.store = w.Store()
        self.dropped: list[int] = []
        destroy = destroy or self.dropped.append
        self.given: list[Any] = []
        self.lent: list[Any] = []
        linker = self.c.Linker(self.store.engine)
        with linker.root() as root:
            root.add_resource("t", self.c.ResourceType.host(7), lambda _store, rep: destroy(rep))
            root.add_func("give", lambda _store, value: self.given.append(value))
            root.add_func("lend", lambda store, value: self.lent.append((value.owned, value.to_host(store).rep)))
            root.add_func("make", lambda _store: self.c.ResourceHost.own(99, 7))
        self.instance = instance_of(self.c, self.store, linker, HOST_RESOURCE)

    def call(self, name: str, *arguments: Any) -> Any:
        return self.instance.get_func(self.store, name)(self.store, *arguments)


def test_a_resource_that_the_guest_drops(w: ModuleType) -> None:
    hosted = Hosted(w)
    hosted.call("drop", hosted.c.ResourceHost.own(100, 7))
    assert hosted.dropped == [100]


def test_a_resource_that_comes_back(w: ModuleType) -> None:
    hosted = Hosted(w)
    back = hosted.call("pass", hosted.c.ResourceHost.own(6, 7))
    assert back.owned and back.type == hosted.c.ResourceType.host(7)
    assert hosted.dropped == []
    back.drop(hosted.store)
    assert hosted.dropped == [6]
    made = hosted.call("make")
    hosted.call("drop", made)
    assert hosted.dropped == [6, 99]
    with pytest.raises(ValueError, match="already closed"):
        hosted.call("drop", made)


def test_a_resource_that_the_host_gets(w: ModuleType) -> None:
    hosted = Hosted(w)
    hosted.call("give", hosted.c.ResourceHost.own(5, 7).to_any(hosted.store))
    (got,) = hosted.given
    assert got.owned and got.type == hosted.c.ResourceType.host(7)
    assert got.to_host(hosted.store).rep == 5


def test_a_resource_that_is_lent(w: ModuleType) -> None:
    hosted = Hosted(w)
    mine = hosted.call("make")
    hosted.call("lend", mine)
    hosted.call("lend", mine)
    hosted.call("lend", hosted.c.ResourceHost.borrow(3, 7))
    hosted.call("lend", hosted.c.ResourceHost.own(4, 7))
    assert hosted.lent == [(False, 99), (False, 99), (False, 3), (False, 4)]
    assert hosted.dropped == []
    for bad in (1, None, "t"):
        with pytest.raises(TypeError):
            hosted.call("lend", bad)


@pytest.mark.parametrize("wrong", [("own", 1, 8, "mismatched"), ("borrow", 1, 7, "cannot lower")])
def test_a_resource_of_another_kind(w: ModuleType, wrong: tuple[str, int, int, str]) -> None:
    hosted = Hosted(w)
    make, rep, number, words = wrong
    with pytest.raises(w.WasmtimeError, match=words):
        hosted.call("drop", getattr(hosted.c.ResourceHost, make)(rep, number))


def test_exceptions_of_destructors(w: ModuleType) -> None:
    hosted = Hosted(w, destroy=lambda _rep: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        hosted.call("drop", hosted.c.ResourceHost.own(1, 7))


def test_resources_of_guests(w: ModuleType, c: Any, store: Any, linker: Any) -> None:
    instance = instance_of(c, store, linker, GUEST_RESOURCE)
    interface = instance.get_export_index(store, "test:blobs/blobs@1.2.0")
    new, ident, drop = (
        instance.get_func(store, instance.get_export_index(store, name, interface))
        for name in ("[constructor]blob", "[method]blob.id", "[static]blob.drop")
    )
    ended = instance.get_func(store, "ended")
    first, second = new(store, 100), new(store, 20)
    assert first.owned and first.type == second.type == new.type(store).result.ty
    assert ident.type(store).params == [("self", c.BorrowType(first.type))]
    assert [ident(store, first), ident(store, second), ident(store, first)] == [100, 20, 100]
    with pytest.raises(w.WasmtimeError):
        first.to_host(store)
    first.drop(store)
    assert ended(store) == 100
    with pytest.raises(w.WasmtimeError, match="unknown handle"):
        first.drop(store)
    drop(store, second)
    assert ended(store) == 120
    with pytest.raises(ValueError, match="already closed"):
        ident(store, second)
    with pytest.raises(w.WasmtimeError):
        drop(store, c.ResourceHost.own(1, 1))


# The import -------------------------------------------------------------------------------------------------------


SCRIPT = f"""
import wasmtime.component
from wasmtime import Store, component
from wasmtime.component import Component, Linker
store = Store()
linker = Linker(store.engine)
with linker.root() as root:
    root.add_func("x", lambda store: print("called"))
instance = linker.instantiate(store, Component(store.engine, '''{CALLS}'''))
instance.get_func(store, "run")(store)
print(instance.get_func(store, "seven")(store), component is wasmtime.component, component.Linker.__module__)
"""


def test_a_program_that_imports_it(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "WASMARTIFACT_TIER_UP": "0"}
    command = [sys.executable, "-m", "wasmartifact.wasmtime", "-c", SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=120)
    assert done.stdout == "called\n7 True wasmartifact.wasmtime.component._linker\n", done.stderr


def test_it_is_imported_by_those_who_need_it() -> None:
    code = "import sys, wasmartifact.wasmtime as w; w.Store(); print([m for m in sys.modules if 'component' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
