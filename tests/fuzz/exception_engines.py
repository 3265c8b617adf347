"""Engines for hashing.py: wasmartifact, wasmtime for the new encoding, node for the legacy one."""

from __future__ import annotations

import ctypes
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from ctypes import byref
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import wasmtime
from wasmtime import _ffi

import wasmartifact as wa
from tests.fuzz import reference, subject
from tests.fuzz.hashing import FUNCTIONS, HOST_TAG, TAGS
from tests.fuzz.shape import LINK_MODULE
from tests.support.node import Node, NodeInstance, NodeTag, NodeThrow, NodeTrap

ffi: Final[Any] = _ffi
#: How a call ended: "returned" and the values, "threw", the tag and the values, or "trapped" and why.
Outcome = tuple[Any, ...]
#: A tag by the place of its module, or -1 for the host's, and its name.
TagName = tuple[int, str]
HOST: Final[TagName] = (-1, "tag")
_TAGS: Final = {f"t{index}": types for index, types in enumerate(TAGS)}
#: Words of V8's messages, and the trap as wasmtime and we tell it.
_WORDS: Final = {
    "unreachable": "unreachable",
    "by zero": "division",
    "divide result": "overflow",
    "float unrepresentable": "conversion",
    "memory": "memory",
    "data segment": "memory",
    "table": "table",
    "element segment": "table",
    "stack": "stack",
}


class Engine(ABC):
    """Instances of the modules of one program; ``trace`` gathers what the host was called with."""

    def __init__(self) -> None:
        self.trace: list[int] = []

    def call(self, module: int, name: str, *values: int) -> Outcome:
        """Call an export, and say how that ended."""
        try:
            return ("returned", *self.enter(module, name, *values))
        except Exception as problem:
            outcome = self.outcome(problem)
            if outcome is None:
                raise
            return outcome

    @abstractmethod
    def enter(self, module: int, name: str, *values: int) -> Sequence[float]:
        """Call an export; raises what the engine raises."""

    @abstractmethod
    def throw(self, tag: TagName, values: Sequence[int]) -> Exception:
        """An exception for a host function to raise."""

    @abstractmethod
    def outcome(self, problem: Exception) -> Outcome | None:
        """How the call ended, by what it raised; None if it should not have."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of modules so far."""

    # What the host does

    def event(self, value: int) -> int:
        """Note a value."""
        self.trace.append(value)
        return (value * 5 + 1) & 0xFFFF

    def act(self, action: int, value: int) -> int:
        """Return, throw an exception of the host's tag or of the last module's, or call that back."""
        self.trace.append(action)
        if action == 1:
            raise self.throw(HOST, [value])
        if action == 2:
            raise self.throw((self.size - 1, "t2"), [value & 0xFF, -value])
        if action >= 3:
            return int(self.enter(self.size - 1, f"f{value % FUNCTIONS}", value & 0xFF)[0])
        return value ^ 1


class Subject(Engine):
    """wasmartifact."""

    def __init__(self, modules: Sequence[bytes], *, opt_level: int, cpu: str) -> None:
        super().__init__()
        self._store = wa.Store()
        self._host_tag = wa.Tag(HOST_TAG)
        self._instances: list[wa.Instance] = []
        host: dict[str, Any] = {"event": self.event, "act": self.act, "tag": self._host_tag}
        for module in modules:
            with tempfile.TemporaryDirectory(prefix="wasmartifact-fuzz-") as folder:
                path = Path(folder) / "module.so"
                wa.pack(module, path, opt_level=opt_level, cpu=cpu, jobs=1)
                artifact = wa.load(path)
            first = {LINK_MODULE: self._instances[0].exports} if self._instances else {}
            self._instances.append(artifact.instantiate({"host": host, **first}, store=self._store))

    def enter(self, module: int, name: str, *values: int) -> Sequence[float]:
        """Call an export; raises what the engine raises."""
        result = self._instances[module].exports[name](*values)
        return () if result is None else (result,)

    def throw(self, tag: TagName, values: Sequence[int]) -> Exception:
        """An exception for a host function to raise."""
        return wa.WasmException(self._host_tag if tag == HOST else self._instances[tag[0]].exports[tag[1]], values)

    def outcome(self, problem: Exception) -> Outcome | None:
        """How the call ended, by what it raised; None if it should not have."""
        if isinstance(problem, wa.Trap):
            return ("trapped", subject.TRAP_KINDS[problem.code])
        if isinstance(problem, wa.WasmException):
            known = {
                HOST: self._host_tag,
                **_exported(lambda place, name: self._instances[place].exports[name], self.size),
            }
            (name,) = (name for name, tag in known.items() if tag == problem.tag)
            return ("threw", name, *problem.values)
        return None

    @property
    def size(self) -> int:
        """Number of modules so far."""
        return len(self._instances)


class NodeReference(Engine):
    """node, for the legacy encoding."""

    def __init__(self, modules: Sequence[bytes], node: Node) -> None:
        super().__init__()
        node.forget()
        self._host_tag = node.tag(HOST_TAG)
        self._instances: list[NodeInstance] = []
        host: dict[str, Any] = {"event": self.event, "act": self.act, "tag": self._host_tag}
        for module in modules:
            first = self._instances[0] if self._instances else None
            exports = {} if first is None else {entry.name: first.export(entry.name) for entry in first.module.exports}
            self._instances.append(node.instantiate(module, {"host": host, LINK_MODULE: exports}))

    def enter(self, module: int, name: str, *values: int) -> Sequence[float]:
        """Call an export; raises what the engine raises."""
        return self._instances[module].call(name, *values)

    def throw(self, tag: TagName, values: Sequence[int]) -> Exception:
        """An exception for a host function to raise."""
        return NodeThrow(self._tag(tag), values)

    def outcome(self, problem: Exception) -> Outcome | None:
        """How the call ended, by what it raised; None if it should not have."""
        if isinstance(problem, NodeTrap):
            return ("trapped", next((kind for word, kind in _WORDS.items() if word in str(problem)), str(problem)))
        if isinstance(problem, NodeThrow):
            names = [HOST, *_exported(lambda place, name: None, self.size)]
            (name,) = (name for name in names if self._tag(name) == problem.tag)
            return ("threw", name, *problem.values)
        return None

    def _tag(self, name: TagName) -> NodeTag:
        return self._host_tag if name == HOST else self._instances[name[0]].tags[name[1]]

    @property
    def size(self) -> int:
        """Number of modules so far."""
        return len(self._instances)


class WasmtimeReference(Engine):
    """wasmtime, for the new encoding. Its Python package has no exceptions: they are asked of its C API.

    Its host functions neither throw nor call back, so that a program for it must not import ``act``.
    """

    def __init__(self, modules: Sequence[bytes]) -> None:
        super().__init__()
        self._store = wasmtime.Store(_wasmtime_engine())
        self._exports: list[Any] = []
        self._host_tag = wasmtime.Tag(self._store, wasmtime.TagType(wasmtime.FuncType([wasmtime.ValType.i32()], [])))
        linker = wasmtime.Linker(_wasmtime_engine())
        type_ = wasmtime.FuncType([wasmtime.ValType.i32()], [wasmtime.ValType.i32()])
        linker.define_func("host", "event", type_, self.event)
        linker.define(self._store, "host", "tag", self._host_tag)
        for module in modules:
            instance = linker.instantiate(self._store, wasmtime.Module(_wasmtime_engine(), module))
            if not self._exports:
                linker.define_instance(self._store, LINK_MODULE, instance)
            self._exports.append(instance.exports(self._store))

    def enter(self, module: int, name: str, *values: int) -> Sequence[float]:
        """Call an export; raises what the engine raises."""
        result = self._exports[module][name](self._store, *values)
        return () if result is None else (result,)

    def throw(self, tag: TagName, values: Sequence[int]) -> Exception:
        """An exception for a host function to raise."""
        raise NotImplementedError

    def outcome(self, problem: Exception) -> Outcome | None:
        """How the call ended, by what it raised; None if it should not have."""
        context, exception = self._store._context(), ffi.wasmtime_exnref_t()
        if ffi.wasmtime_context_take_exception(context, byref(exception)):
            thrown = ffi.wasmtime_tag_t()
            ffi.wasmtime_exnref_tag(context, byref(exception), byref(thrown))
            known = {HOST: self._host_tag, **_exported(lambda place, name: self._exports[place][name], self.size)}
            (name,) = (
                name for name, tag in known.items() if ffi.wasmtime_tag_eq(context, byref(tag._tag), byref(thrown))
            )
            values = [
                self._field(exception, index) for index in range(len(HOST_TAG if name == HOST else _TAGS[name[1]]))
            ]
            ffi.wasmtime_exnref_unroot(byref(exception))
            return ("threw", name, *values)
        if isinstance(problem, wasmtime.Trap):
            return ("trapped", reference.TRAP_KINDS[problem.trap_code]) if problem.trap_code is not None else None
        return None

    def _field(self, exception: Any, index: int) -> float:
        value = ffi.wasmtime_val_t()
        ffi.wasmtime_exnref_field(self._store._context(), byref(exception), ctypes.c_size_t(index), byref(value))
        found: float = (value.of.i32, value.of.i64, value.of.f32, value.of.f64)[value.kind]
        return found

    @property
    def size(self) -> int:
        """Number of modules so far."""
        return len(self._exports)


def _exported(find: Callable[[int, str], Any], size: int) -> Mapping[TagName, Any]:
    """What every module exports as its own tags."""
    return {(place, name): find(place, name) for place in range(size) for name in _TAGS}


@lru_cache(maxsize=1)
def _wasmtime_engine() -> wasmtime.Engine:
    config = wasmtime.Config()
    config.wasm_exceptions = config.wasm_tail_call = True
    config.wasm_gc = config.wasm_function_references = True  # exceptions need the one, the one the other
    config.parallel_compilation = False
    config.cranelift_opt_level = "none"
    return wasmtime.Engine(config)
