"""wasmartifact, over its public API."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import wasmartifact as wa
from tests.fuzz.engine import STACK_EXHAUSTED, UNREACHABLE, Broken, Event, Outcome, Returned, Trapped, Unlinkable
from tests.fuzz.plan import Call, HostGlobal, HostMemory, HostObject, HostTable, Import
from tests.fuzz.smith import FUEL_NAME
from tests.fuzz.values import (
    EXTERN_POOL,
    NUMBERS,
    ExportedFunc,
    HostError,
    HostFunc,
    Value,
    from_python,
    host_results,
    to_python,
)

#: wasmtime has one code for two of ours.
TRAP_KINDS: Final = {
    "stack_exhausted": STACK_EXHAUSTED,
    "memory_out_of_bounds": "memory",
    "table_out_of_bounds": "table",
    "undefined_element": "table",
    "uninitialized_element": "null element",
    "indirect_call_type_mismatch": "signature",
    "integer_overflow": "overflow",
    "integer_divide_by_zero": "division",
    "invalid_conversion_to_integer": "conversion",
    "unreachable": UNREACHABLE,
    "null_reference": "null reference",
}


class _External:
    """An object that the host passes as externref."""


_POOL: Final = [_External() for _ in range(EXTERN_POOL)]
_POOL_INDEX: Final = {id(entry): index for index, entry in enumerate(_POOL)}


class Window:
    """A memory of ours."""

    def __init__(self, memory: wa.Memory) -> None:
        self.memory = memory
        self.size_bytes = memory.size_bytes

    def read(self, start: int, end: int) -> bytes:
        """A copy of a range."""
        return self.memory[start:end]


class Subject:
    """An instance of an artifact in a store of its own; see ``engine.Engine``."""

    def __init__(self, artifact: wa.Artifact, imports: Sequence[Import]) -> None:
        self.trace: list[Event] = []
        self._artifact = artifact
        self._imports = imports
        self._store = wa.Store()
        self._hosts: dict[HostFunc, wa.Func] = {}
        self._given: list[tuple[HostObject, Any]] = []
        self._exports: Mapping[str, Any] = {}

    def instantiate(self, imports: Sequence[HostObject]) -> Outcome:
        """Make the imports and a fresh instance."""

        def run() -> Outcome:
            self._given = [(given, self._make(given)) for given in imports]
            namespaces: dict[str, dict[str, Any]] = {}
            for item, (_, value) in zip(self._imports, self._given, strict=True):
                namespaces.setdefault(item.module, {})[item.name] = value
            self._exports = self._artifact.instantiate(namespaces, store=self._store).exports
            return Returned()

        return _outcome(run)

    def set_fuel(self, fuel: int) -> None:
        """Set the global that keeps generated code from running for ever."""
        self._exports[FUEL_NAME].value = fuel

    def call(self, call: Call) -> Outcome:
        """Call an export, with bit patterns or as everybody does."""
        kinds = call.signature.results

        def run() -> Outcome:
            func = self._exports[call.name]
            if call.raw and func not in self._hosts.values():  # an imported function has no raw way in
                return Returned(tuple(func.call_bits(list(call.arguments))))
            result = func(*map(self._to_python, call.signature.params, call.arguments))
            values = () if not kinds else (result,) if len(kinds) == 1 else result
            return Returned(tuple(map(_from_python, kinds, values)))

        return _outcome(run)

    # ---- state

    def globals(self, names: Sequence[tuple[str, str]]) -> list[Value]:
        """Values of exported globals, given by name and type."""
        exports = self._exports
        return [_from_python(kind, exports[name].value) for name, kind in names]

    def imported_globals(self) -> list[Value]:
        """Values of the globals that were given."""
        return [
            _from_python(given.type.content, value.value)
            for given, value in self._given
            if isinstance(given, HostGlobal)
        ]

    def memories(self, names: Sequence[str]) -> list[Window]:
        """Exported memories, and then those that were given."""
        return [Window(memory) for memory in self._chosen(names, HostMemory)]

    def tables(self, names: Sequence[str]) -> list[list[Value]]:
        """Exported tables, and then those that were given; size first, then the elements."""
        return [
            [len(table), *(_from_python(str(table.type.element), element) for element in table)]
            for table in self._chosen(names, HostTable)
        ]

    def _chosen(self, names: Sequence[str], kind: type) -> list[Any]:
        return [*(self._exports[name] for name in names), *(one for given, one in self._given if isinstance(given, kind))]

    # ---- what the host gives

    def _make(self, given: HostObject) -> Any:
        if isinstance(given, HostFunc):
            return self._host(given)
        if isinstance(given, HostMemory):
            memory = wa.Memory(given.type.min, given.type.max)
            memoryview(memory)[: len(given.contents)] = given.contents
            return memory
        if isinstance(given, HostTable):
            table = wa.Table(given.type.element, given.type.min, given.type.max)
            for index, element in enumerate(given.elements):
                table[index] = self._to_python(given.type.element, element)
            return table
        kind = given.type.content
        return wa.Global(kind, self._to_python(kind, given.value), mutable=given.type.mutable)

    def _host(self, func: HostFunc) -> wa.Func:
        if func not in self._hosts:
            params, results = func.signature.params, func.signature.results
            self._hosts[func] = wa.Func(self._callable(func), params=list(params), results=list(results))
        return self._hosts[func]

    def _callable(self, func: HostFunc) -> Callable[..., Any]:
        params, kinds = func.signature.params, func.signature.results

        def run(*passed: Any) -> Any:
            arguments = tuple(map(_from_python, params, passed))
            self.trace.append((func.label, arguments))
            values = host_results(func, arguments)
            results = [
                passed[value] if kind == "funcref" and isinstance(value, int) else self._to_python(kind, value)
                for kind, value in zip(kinds, values, strict=True)
            ]
            return None if not kinds else results[0] if len(kinds) == 1 else tuple(results)

        return run

    def _to_python(self, kind: str, value: Value) -> Any:
        if isinstance(value, ExportedFunc):
            return self._exports[value.name]
        if isinstance(value, HostFunc):
            return self._host(value)
        if not isinstance(value, int):
            return None
        return to_python(kind, value) if kind in NUMBERS else _POOL[value]


def _from_python(kind: str, value: Any) -> Value:
    if kind in NUMBERS:
        return from_python(kind, value)
    if value is None:
        return None
    if kind == "externref":
        return _POOL_INDEX[id(value)]
    return f"({' '.join(map(str, value.type.params))})->({' '.join(map(str, value.type.results))})"


def _outcome(action: Callable[[], Outcome]) -> Outcome:
    try:
        return action()
    except wa.Trap as trap:
        kind = TRAP_KINDS.get(trap.code)
        return Trapped(kind) if kind else Broken(str(trap))
    except HostError:
        return Trapped("host")
    except wa.UnlinkableModule:
        return Unlinkable()
    except Exception as error:
        return Broken(f"{type(error).__name__}: {error}")
