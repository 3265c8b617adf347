"""Gives every method of the face every wrong argument: ``python -m tests.unit.wasmtime.hostile`` tells what got out.

A process of its own, since what is looked for first is that the process lives. Each call is made with good arguments,
then with each of them replaced in turn. What may come out are results, errors of wasmtime's classes, and those of
Python that wasmtime-py raises for arguments (ALLOWED).
"""

from __future__ import annotations

import contextlib
import importlib
import io
import math
import os
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import wasmartifact as wa

from .conftest import FACE

Call = tuple[Callable[..., Any], list[Any]]

TEXT = """
    (module
      (import "env" "host" (func $host (param i32) (result i32)))
      (import "env" "memory" (memory 1))
      (func (export "add") (param i32 i64 f32 f64 externref funcref) (result i32) (local.get 0))
      (func (export "back") (param i32) (result i32) (call $host (local.get 0)))
      (func (export "two") (result i32 i64) (i32.const 1) (i64.const 2))
      (table (export "table") 2 8 funcref)
      (table (export "things") 2 8 externref)
      (global (export "g") (mut i32) (i32.const 1))
      (global (export "r") (mut externref) (ref.null extern))
      (global (export "c") i64 (i64.const 1))
      (memory (export "memory") 1 4))"""
PLAIN = '(module (func (export "f") (result i32) (i32.const 1)) (memory (export "memory") 1))'
WASI = '(module (import "wasi_snapshot_preview1" "sched_yield" (func (result i32))) (memory (export "memory") 1))'


class Spiteful:
    """Raises wherever Python asks it for something."""

    def _raise(self, *args: object) -> Any:
        raise RuntimeError("spite")

    __index__ = __int__ = __float__ = __len__ = __iter__ = __bool__ = __fspath__ = __getitem__ = __call__ = _raise
    __eq__ = _raise
    __hash__ = None  # type: ignore[assignment]


class Liar:
    """Answers with what is not asked for."""

    def answer(self) -> Any:
        return "one"

    __index__ = answer

    def __len__(self) -> int:
        return 3

    def __iter__(self) -> Iterator[int]:
        return iter(())

    def __fspath__(self) -> Any:
        return 7


class IntOfItsOwn(int):
    """An int that is another class."""


class TextOfItsOwn(str):
    """Text that is another class."""

    __slots__ = ()


class World:
    """Objects of one store, and of others: what the calls are made on, and with."""

    def __init__(self, w: ModuleType) -> None:
        self.w = w
        config = w.Config()
        config.shared_memory = True
        self.engine = w.Engine(config)
        self.store = w.Store(self.engine)
        self.foreign_store = w.Store(self.engine)
        self.closed_store = w.Store(self.engine)
        self.closed_store.close()
        self.i32_i32 = w.FuncType([w.ValType.i32()], [w.ValType.i32()])
        self.nothing = w.FuncType([], [])
        self.memory_type = w.MemoryType(w.Limits(1, 4))
        self.table_type = w.TableType(w.ValType.funcref(), w.Limits(1, 4))
        self.global_type = w.GlobalType(w.ValType.i32(), True)
        self.tag_type = w.TagType(w.FuncType([w.ValType.i32()], []))
        self.module = w.Module(self.engine, TEXT)
        self.plain = w.Module(self.engine, PLAIN)
        self.closed_module = w.Module(self.engine, PLAIN)
        self.closed_module.close()
        self.host = w.Func(self.store, self.i32_i32, lambda x: x)
        self.memory = w.Memory(self.store, self.memory_type)
        self.instance = w.Instance(self.store, self.module, [self.host, self.memory])
        self.exports = self.instance.exports(self.store)
        self.tag = w.Tag(self.store, self.tag_type)
        self.shared = w.SharedMemory(self.engine, w.MemoryType(w.Limits(1, 2), shared=True))
        self.foreign_func = w.Func(self.foreign_store, self.nothing, lambda: None)
        self.foreign_memory = w.Memory(self.foreign_store, self.memory_type)
        self.foreign_instance = w.Instance(self.foreign_store, self.plain, [])
        self.linker = w.Linker(self.engine)
        self.linker.allow_shadowing = True
        self.linker.define_func("env", "host", self.i32_i32, lambda x: x)
        self.linker.define(self.store, "env", "memory", self.memory)
        self.pre = self.linker.instantiate_pre(self.plain)
        self.wasi = w.WasiConfig()
        self.trap = w.Trap("x")
        self.kept: list[Any] = []  # a Caller whose call is over
        w.Func(self.store, self.nothing, self.kept.append, access_caller=True)(self.store)

    def hostile(self) -> list[Any]:
        """What is put in place of an argument."""
        w = self.w
        return [
            *(None, True, -1, 0, 1, 255, 1 << 31, 1 << 32, 1 << 63, (1 << 64) - 1, 1 << 64, 1 << 200, -(1 << 100)),
            *(
                0.5,
                math.nan,
                math.inf,
                1j,
                "",
                "x",
                "\0",
                "\udcff",
                "größe",
                "env",
                b"",
                b"x",
                b"\0asm\1\0\0\0",
                b"\xff",
            ),
            *(bytearray(b"x"), memoryview(b"abcd")[::2], [], [None], [1], (1, 2), [[]], {}, {"a": 1}, {1}, range(3)),
            *(object(), object, int, print, len, lambda *a: None, Spiteful(), Spiteful, Liar(), iter([1])),
            *(IntOfItsOwn(1), TextOfItsOwn("x"), Ellipsis, NotImplemented, StopIteration(), sys),
            *(self.store, self.foreign_store, self.closed_store, self.kept[0], self.engine, self.linker, self.wasi),
            *(self.module, self.plain, self.closed_module, self.instance, self.foreign_instance, self.pre, self.trap),
            *(self.host, self.memory, self.tag, self.shared, self.foreign_func, self.foreign_memory),
            *(self.exports, self.exports["table"], self.exports["g"], self.exports["r"], self.exports["add"]),
            *(self.i32_i32, self.memory_type, self.table_type, self.global_type, self.tag_type, w.ValType.i32()),
            *(w.Limits(1, 2), w.Limits("a", "b"), w.Limits(-1, 1 << 70), w.Limits(None, None), w.Limits(1 << 31, None)),
            *(w.Val.i32(1), w.Val.i64(1), w.Val.f32(1.0), w.Val.externref({}), w.Val.externref(None)),
            *(w.Val.funcref(self.host), w.Val.funcref(self.foreign_func), w.Val.funcref(None), w.Val.funcref(3)),
            *(w.Store, w.Func, w.Module, w.WasmtimeError("x"), w.WasmtimeError, w),
            *(object.__new__(w.Store), object.__new__(w.Func), object.__new__(w.Memory), object.__new__(w.Module)),
            *(
                object.__new__(w.Engine),
                object.__new__(w.FuncType),
                object.__new__(w.ValType),
                object.__new__(w.Instance),
            ),
            *(wa.Store(), wa.Memory(1), wa.Func(lambda: None), wa.ValType.I32),
        ]

    def calls(self, folder: str) -> Iterator[tuple[str, Call]]:
        """Every callable of the face with arguments that are right."""
        w, s = self.w, self.store
        path = os.path.join(folder, "module.wasm")
        serialized = self.plain.serialize()
        for name, value in (("module.wasm", PLAIN.encode()), ("module.so", serialized)):
            with open(os.path.join(folder, name), "wb") as file:
                file.write(value)
        yield "Engine", (w.Engine, [w.Config()])
        yield "Store", (w.Store, [self.engine, {}])
        yield "Module", (w.Module, [self.engine, PLAIN])
        yield "Module.from_file", (w.Module.from_file, [self.engine, path])
        yield "Module.validate", (w.Module.validate, [self.engine, b"\0asm\1\0\0\0"])
        yield "Module.deserialize", (w.Module.deserialize, [self.engine, serialized])
        yield "Module.deserialize_file", (w.Module.deserialize_file, [self.engine, os.path.join(folder, "module.so")])
        yield "wat2wasm", (w.wat2wasm, ["(module)"])
        yield "FuncType", (w.FuncType, [[w.ValType.i32()], []])
        yield "Limits", (w.Limits, [1, 2])
        yield "MemoryType", (w.MemoryType, [w.Limits(1, 2), False, False, 16])
        yield "TableType", (w.TableType, [w.ValType.funcref(), w.Limits(1, 2)])
        yield "GlobalType", (w.GlobalType, [w.ValType.i32(), True])
        yield "TagType", (w.TagType, [w.FuncType([], [])])
        for name in ("i32", "i64", "f32", "f64", "externref", "funcref", "ref_null"):
            yield f"Val.{name}", (getattr(w.Val, name), [1])
        yield "Val ==", (lambda one: w.Val.i32(1) == one, [1])
        yield "ValType ==", (lambda one: w.ValType.i32() == one, [1])
        yield "Limits ==", (lambda one: w.Limits(1, 2) == one, [1])
        yield "Trap", (w.Trap, ["x"])
        yield "WasmtimeError", (w.WasmtimeError, ["x"])
        yield "Func", (w.Func, [s, self.i32_i32, lambda x: x, False])
        yield "Func()", (self.exports["add"], [s, 1, 2, 3.0, 4.0, "thing", self.host])
        yield "Func(host)", (self.host, [s, 1])
        yield "Func of a result", (lambda value: w.Func(s, self.i32_i32, lambda x: value)(s, 1), [1])
        yield (
            "Func of results",
            (
                lambda value: w.Func(s, w.FuncType([], [w.ValType.i32(), w.ValType.i64()]), lambda: value)(s),
                [[1, 2]],
            ),
        )
        yield "Func.type", (self.host.type, [s])
        yield "Memory", (w.Memory, [s, self.memory_type])
        yield "Memory.type", (self.memory.type, [s])
        yield "Memory.grow", (self.memory.grow, [s, 0])
        yield "Memory.size", (self.memory.size, [s])
        yield "Memory.data_len", (self.memory.data_len, [s])
        yield "Memory.data_ptr", (self.memory.data_ptr, [s])
        yield "Memory.page_size", (self.memory.page_size, [s])
        yield "Memory.get_buffer_ptr", (self.memory.get_buffer_ptr, [s, 10, 20])
        yield "Memory.read", (self.memory.read, [s, 0, 10])
        yield "Memory.write", (self.memory.write, [s, b"xyz", 5])
        yield "SharedMemory", (w.SharedMemory, [self.engine, w.MemoryType(w.Limits(1, 2), shared=True)])
        yield "SharedMemory.grow", (self.shared.grow, [0])
        for name in ("table", "things"):
            table = self.exports[name]
            yield f"{name}.get", (table.get, [s, 0])
            yield f"{name}.set", (table.set, [s, 0, None])
            yield f"{name}.grow", (table.grow, [s, 1, None])
            yield f"{name}.size", (table.size, [s])
            yield f"{name}.type", (table.type, [s])
        yield "Table", (w.Table, [s, self.table_type, None])
        yield "Global", (w.Global, [s, self.global_type, 1])
        for name in ("g", "r", "c"):
            yield f"Global.value {name}", (self.exports[name].value, [s])
            yield f"Global.set_value {name}", (self.exports[name].set_value, [s, 1])
        yield "Tag", (w.Tag, [s, self.tag_type])
        yield "Tag.type", (self.tag.type, [s])
        yield "Tag.eq", (self.tag.eq, [s, self.tag])
        yield "Instance", (w.Instance, [s, self.module, [self.host, self.memory]])
        yield "Instance of an import", (lambda one: w.Instance(s, self.module, [one, self.memory]), [self.host])
        yield "Instance of a memory", (lambda one: w.Instance(s, self.module, [self.host, one]), [self.memory])
        yield "Instance.exports", (self.instance.exports, [s])
        yield "exports[]", (self.exports.__getitem__, ["add"])
        yield "exports.get", (self.exports.get, ["add", None])
        yield "exports in", (self.exports.__contains__, ["add"])
        yield "by_index", (lambda i: self.exports.by_index[i], [0])
        yield "Linker", (w.Linker, [self.engine])
        yield "Linker.allow_shadowing", (lambda v: setattr(w.Linker(self.engine), "allow_shadowing", v), [True])
        yield "Linker.define", (self.linker.define, [s, "a", "b", self.memory])
        yield "Linker.define_func", (self.linker.define_func, ["a", "c", self.i32_i32, lambda x: x, False])
        yield "Linker.define_instance", (self.linker.define_instance, [s, "i", self.instance])
        yield "Linker.define_module", (self.linker.define_module, [s, "m", self.plain])
        yield "Linker.instantiate", (self.linker.instantiate, [s, self.module])
        yield "Linker.instantiate_pre", (self.linker.instantiate_pre, [self.plain])
        yield "Linker.get", (self.linker.get, [s, "env", "host"])
        yield "Linker.get_default", (self.linker.get_default, [s, "m"])
        yield "Linker.traps", (self.linker.define_unknown_imports_as_traps, [self.module])
        yield "Linker.defaults", (self.linker.define_unknown_imports_as_default_values, [s, self.module])
        yield "InstancePre.instantiate", (self.pre.instantiate, [s])
        yield "Caller.get", (self.kept[0].get, ["x"])
        yield "Caller[]", (self.kept[0].__getitem__, ["x"])
        yield from self._live_caller_calls()
        yield from self._config_calls()
        yield from self._wasi_calls(folder)
        yield "Store.set_fuel", (w.Store().set_fuel, [1])
        yield "Store.set_fuel counted", (counting(w).set_fuel, [1])
        yield "Store.set_epoch_deadline", (w.Store().set_epoch_deadline, [1])
        yield "Store.set_limits", (w.Store().set_limits, [1 << 20, 10, 10, 10, 10])
        yield "Store.set_wasi", (w.Store().set_wasi, [w.WasiConfig()])

    def _live_caller_calls(self) -> Iterator[tuple[str, Call]]:
        """Within a host function: what a Caller is asked, and where it stands for a store."""

        def within(use: Callable[[Any], Any]) -> Any:
            func = self.w.Func(self.store, self.nothing, lambda caller: [use(caller), None][1], access_caller=True)
            return func(self.store)

        yield "Caller.get, live", (lambda name: within(lambda caller: caller.get(name)), ["memory"])
        yield "Caller[], live", (lambda name: within(lambda caller: caller[name]), ["memory"])
        yield "Memory.read by a Caller", (lambda n: within(lambda caller: self.memory.read(caller, 0, n)), [4])
        yield "close in a call", (lambda one: within(lambda caller: one.close()), [self.w.Store()])

    def _config_calls(self) -> Iterator[tuple[str, Call]]:
        names = ("wasm_simd", "consume_fuel", "strategy", "profiler", "cache", "epoch_interruption", "max_wasm_stack")
        for name in (*names, "memory_reservation", "target", "cranelift_opt_level"):
            yield f"Config.{name}", (lambda value, name=name: setattr(self.w.Config(), name, value), [True])
        yield "Config.cranelift_flag_set", (self.w.Config().cranelift_flag_set, ["opt_level", "speed"])
        yield "Config.cranelift_flag_enable", (self.w.Config().cranelift_flag_enable, ["x"])

    def _wasi_calls(self, folder: str) -> Iterator[tuple[str, Call]]:
        file = os.path.join(folder, "stream")
        for name in ("argv", "env"):
            yield f"WasiConfig.{name}", (lambda value, name=name: self._run_wasi(**{name: value}), [[]])
        for name in ("stdin_file", "stdout_file", "stderr_file"):
            open(file, "w").close()
            yield f"WasiConfig.{name}", (lambda value, name=name: self._run_wasi(**{name: value}), [file])
        for name in ("stdout_custom", "stderr_custom"):
            yield f"WasiConfig.{name}", (lambda value, name=name: self._run_wasi(**{name: value}), [len])
        yield "WasiConfig.preopen_dir", (self.w.WasiConfig().preopen_dir, [folder, "/", True])

    def _run_wasi(self, **options: Any) -> Any:
        """A program with this configuration."""
        config = self.w.WasiConfig()
        for name, value in options.items():
            setattr(config, name, value)
        linker = self.w.Linker(self.engine)
        linker.define_wasi()
        store = self.w.Store(self.engine)
        store.set_wasi(config)
        return linker.instantiate(store, self.w.Module(self.engine, WASI))


def counting(w: ModuleType) -> Any:
    config = w.Config()
    config.consume_fuel = True
    return w.Store(w.Engine(config))


def main() -> int:
    """Make every call; print what came out that should not, one line each; 1 if there was any."""
    w = importlib.import_module(FACE)
    #: AttributeError, IndexError and KeyError are what wasmtime-py raises for these; OSError is a path's, OverflowError
    #: a number's. RuntimeError is Spiteful's alone.
    allowed = (w.WasmtimeError, w.Trap, TypeError, ValueError, AttributeError, LookupError, OSError, OverflowError)
    made = 0
    bad: dict[str, str] = {}
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # where files are made by names such as "x"
        count = len(list(World(w).calls(folder)))
        for i in range(count):
            world = World(w)
            name, (call, good) = list(world.calls(folder))[i]
            for place in range(-1, len(good) + 1):
                for value in world.hostile() if place >= 0 else [None]:
                    args = list(good)
                    args[place : place + 1] = [value] if place >= 0 else args[-1:]
                    made += 1
                    if trouble := attempt(call, args, allowed):
                        bad.setdefault(
                            f"{name} argument {place} {trouble.splitlines()[0]}", f"{value!r:.80}\n{trouble}"
                        )
    for where, what in bad.items():
        print(where, what, sep="\n")
    print(f"{made} calls, {len(bad)} kinds of trouble")
    return bool(bad)


def attempt(call: Callable[..., Any], args: list[Any], allowed: tuple[type[BaseException], ...]) -> str:
    """What is wrong with what came out; empty where nothing is."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            call(*args)
    except RuntimeError as error:
        return "" if str(error) == "spite" else describe(error)
    except allowed as error:
        is_ours = type(error).__module__.startswith("wasmartifact.") and not type(error).__module__.startswith(FACE)
        return describe(error) if is_ours else ""
    except Exception as error:
        return describe(error)
    return ""


def describe(error: BaseException) -> str:
    """The error, then the last lines of its traceback."""
    lines = traceback.format_exception(error)
    return f"{type(error).__name__}: {error}\n" + "".join(lines[-3:])


if __name__ == "__main__":
    raise SystemExit(main())
