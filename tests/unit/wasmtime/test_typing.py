"""A program with types that passes mypy --strict on wasmtime-py passes on the face, too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import FACE, REAL

ROOT = Path(__file__).resolve().parents[3]

#: What typed programs write: narrowing of exports, callbacks with a Caller, types in signatures, properties that can
#: only be set. The last function has a mistake in each line, which mypy has to find.
PROGRAM = """
from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Optional

from {module} import (
    Caller, Config, Engine, ExitTrap, Frame, Func, FuncType, Global, GlobalType, Instance, InstancePre, Limits, Linker,
    Memory, MemoryType, Module, SharedMemory, Store, Table, TableType, Tag, TagType, Trap, TrapCode, Val, ValType,
    WasiConfig, WasmtimeError, wat2wasm,
)
from {module} import StoreContext, component as components
from {module}.component import Component, ExportIndex, ResourceAny, ResourceHost, ResourceType
from {module}.component import FuncType as ComponentFuncType


def component_calls(store: Store, source: bytes) -> Optional[object]:
    linker = components.Linker(store.engine)
    linker.allow_shadowing = True
    linker.add_wasip2()

    def destroy(store: StoreContext, rep: int) -> None:
        print(rep)

    with linker.root() as root:
        root.add_func("f", lambda store, text: len(text))
        with root.add_instance("a:b/c") as inner:
            inner.add_resource("r", ResourceType.host(1), destroy)
    component = Component(store.engine, source)
    instance: components.Instance = linker.instantiate(store, component)
    index: Optional[ExportIndex] = instance.get_export_index(store, "f")
    if index is None:
        return None
    func = instance.get_func(store, index)
    assert func is not None
    for name, valtype in func.type(store).params:
        if isinstance(valtype, components.ListType):
            element: components.ValType = valtype.element
        print(name, valtype)
    for item in component.type.imports(store.engine).values():
        if isinstance(item.ty, ComponentFuncType):
            print(item.ty.result)
    resource: ResourceAny = ResourceHost.own(1, 2).to_any(store)
    resource.drop(store)
    result: object = func(store, components.Variant("a", 3))
    return result


class Plugin:
    store: Store
    memory: Memory
    run: Func

    def __init__(self, engine: Engine, source: str | bytes) -> None:
        self.store = Store(engine, {{"name": "plugin"}})
        linker = Linker(engine)
        linker.allow_shadowing = True
        linker.define_func("env", "log", FuncType([ValType.i32(), ValType.i32()], []), self.log, access_caller=True)
        linker.define_wasi()
        wasi = WasiConfig()
        wasi.argv = ["plugin"]
        wasi.env = [("A", "1")]
        wasi.stdout_file = "out"
        wasi.preopen_dir(".", "/")
        self.store.set_wasi(wasi)
        self.store.set_limits(memory_size=1 << 24)
        instance: Instance = linker.instantiate(self.store, Module(engine, source))
        exports = instance.exports(self.store)
        memory, run = exports["memory"], exports.get("run")
        assert isinstance(memory, Memory)
        assert isinstance(run, Func)
        self.memory, self.run = memory, run

    def log(self, caller: Caller, address: int, length: int) -> None:
        memory = caller.get("memory")
        if isinstance(memory, Memory):
            text: bytearray = memory.read(caller, address, address + length)
            print(text.decode())

    def call(self, value: int) -> Optional[int]:
        try:
            result = self.run(self.store, Val.i32(value))
        except ExitTrap as error:
            code: int = error.code
            return code
        except Trap as trap:
            frames: list[Frame] = trap.frames
            names: list[str | None] = [frame.func_name for frame in frames]
            kind: TrapCode | None = trap.trap_code
            print(names, kind is TrapCode.UNREACHABLE, trap.message)
            return None
        except WasmtimeError as error:
            print(str(error))
            return None
        return result if isinstance(result, int) else None


def make() -> Plugin:
    config = Config()
    config.consume_fuel = True
    config.cache = True
    config.wasm_memory64 = True
    return Plugin(Engine(config), Path("plugin.wasm").read_bytes())


def inspect(module: Module) -> list[str]:
    found: list[str] = []
    for imported in module.imports:
        name: str | None = imported.name
        found.append(f"{{imported.module}} {{name}}")
    for exported in module.exports:
        kind = exported.type
        if isinstance(kind, FuncType):
            found.extend(str(param) for param in kind.params)
        elif isinstance(kind, MemoryType):
            limits: Limits = kind.limits
            least: int = limits.min
            most: int | None = limits.max
            found.append(f"{{least}} {{most}}")
    return found


def objects(store: Store) -> tuple[int, bool]:
    memory = Memory(store, MemoryType(Limits(1, None)))
    table = Table(store, TableType(ValType.funcref(), Limits(1, None)), None)
    variable = Global(store, GlobalType(ValType.i64(), mutable=True), 5)
    tag = Tag(store, TagType(FuncType([], [])))
    address = ctypes.addressof(memory.data_ptr(store).contents)
    array: ctypes.Array[ctypes.c_ubyte] = memory.get_buffer_ptr(store)
    shared = SharedMemory(store.engine, MemoryType(Limits(1, 1), shared=True))
    pre: InstancePre = Linker(store.engine).instantiate_pre(Module(store.engine, bytes(wat2wasm("(module)"))))
    pre.instantiate(store).exports(store).by_index
    with Store() as other:
        other.gc()
    total: int = memory.write(store, b"x", 0) + table.size(store) + address + len(array) + shared.data_len()
    return total, tag.eq(store, tag)
"""
MISTAKES = """
def mistakes(store: Store, module: Module) -> None:
    Memory(store, 1)
    Func(store, [ValType.i32()], print)
    Limits("1", None)
    module.exports["f"]
    Instance(store, module, []).exports(store)["f"](store)
    Store(3)
"""


@pytest.mark.parametrize("module", [REAL, FACE])
def test_typed_program(module: str, tmp_path: Path) -> None:
    if module == REAL:
        pytest.importorskip(REAL, reason="wasmtime-py, whose types these are, is not installed")
    program = PROGRAM.format(module=module)
    (tmp_path / "program.py").write_text(program + MISTAKES)
    command = [sys.executable, "-m", "mypy", "--no-error-summary", "--config-file", str(ROOT / "pyproject.toml")]
    command += ["--strict", "--cache-dir", str(ROOT / ".mypy_cache")]  # what `mypy` itself leaves is found there
    result = subprocess.run(
        [*command, "program.py"],
        cwd=tmp_path,
        env=os.environ | {"MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    first = program.count("\n") + 3
    lines = sorted({int(line.split(":")[1]) for line in result.stdout.splitlines() if ": error:" in line})
    assert lines == list(range(first, first + MISTAKES.count("\n") - 2)), result.stdout + result.stderr
