"""wasmartifact, over its public API."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import getitem
from typing import Any, Final

import wasmartifact as wa
from tests.fuzz.engine import (
    MAX_NESTED,
    SOME_EXCEPTION,
    STACK_EXHAUSTED,
    THROWS,
    UNKNOWN_TAG,
    UNREACHABLE,
    Broken,
    Event,
    Key,
    Outcome,
    Returned,
    Thrown,
    Trapped,
    Unlinkable,
)
from tests.fuzz.plan import Call, Given, HostGlobal, HostMemory, HostObject, HostTable, HostTag, Linked
from tests.fuzz.sections import FUEL_NAME
from tests.fuzz.shape import Import, TagType, is_known
from tests.fuzz.values import (
    EXCEPTION,
    EXTERN_POOL,
    GUEST_OBJECT,
    NUMBERS,
    VECTOR,
    Exn,
    ExportedFunc,
    HostError,
    HostFunc,
    HostThrow,
    Signature,
    Value,
    from_python,
    host_results,
    to_python,
    told,
)

#: wasmtime has one code for several of ours.
TRAP_KINDS: Final = {
    "stack_exhausted": STACK_EXHAUSTED,
    "out_of_memory": STACK_EXHAUSTED,
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
    "null_function_reference": "null reference",
    "null_exception_reference": "null reference",
    "null_structure_reference": "null reference",
    "null_array_reference": "null reference",
    "null_i31_reference": "null reference",
    "array_out_of_bounds": "array",
    "cast_failure": "cast",
    "unaligned_atomic": "unaligned",
    "expected_shared_memory": "not shared",
}


_SLOT: Final = (1 << 64) - 1


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
    """Instances of artifacts in a store of their own; see ``engine.Engine``. ``imports`` are those of each artifact."""

    def __init__(self, artifacts: Sequence[wa.Artifact], imports: Sequence[Sequence[Import]]) -> None:
        self.trace: list[Event] = []
        self._artifacts = artifacts
        self._imports = imports
        self.store = wa.Store()
        self._hosts: dict[HostFunc, wa.Func] = {}
        self._host_tags: dict[HostTag, wa.Tag] = {}
        self._tags: dict[str, wa.Tag] = {}
        self._nested = 0
        self._given: list[tuple[HostObject, Any]] = []
        self._exports: list[Mapping[str, Any]] = []

    def instantiate(self, module: int, imports: Sequence[Given]) -> Outcome:
        """Make the imports of a module, and an instance of it."""

        def run() -> Outcome:
            self.instantiate_or_raise(module, imports)
            tags = {name: value for name, value in self._exports[module].items() if isinstance(value, wa.Tag)}
            known = (name for name, tag in tags.items() if is_known(TagType(tag.params)))  # to the other engine, too
            self._tags |= {f"{module} {name}": tags[name] for name in known}
            return Returned()

        return self._outcome(run)

    def instantiate_or_raise(self, module: int, imports: Sequence[Given]) -> None:
        """Likewise, with the exceptions that users see."""
        namespaces: dict[str, dict[str, Any]] = {}
        for item, given in zip(self._imports[module], imports, strict=True):
            namespaces.setdefault(item.module, {})[item.name] = self._give(given)
        self._exports.append(self._artifacts[module].instantiate(namespaces, store=self.store).exports)

    def exports(self, module: int) -> Mapping[str, Any]:
        """What a module exports."""
        return self._exports[module]

    def set_fuel(self, module: int, fuel: int) -> None:
        """Set the global that keeps generated code from running for ever."""
        self._exports[module][FUEL_NAME].value = fuel

    def call(self, call: Call) -> Outcome:
        """Call an export, with bit patterns or as everybody does."""
        kinds = call.signature.results

        def run() -> Outcome:
            func = self._exports[call.module][call.name]
            if call.raw and func not in self._hosts.values():  # an imported function has no raw way in
                slots = _to_slots(call.signature.params, call.arguments)
                return Returned(_from_slots(kinds, func.call_bits(slots)))
            result = func(*map(self._to_python, call.signature.params, call.arguments))
            values = () if not kinds else (result,) if len(kinds) == 1 else result
            return Returned(tuple(map(self._from_python, kinds, values)))

        return self._outcome(run)

    # ---- state

    def globals(self, keys: Sequence[tuple[Key, str]]) -> list[Value]:
        """Values of exported globals, given by key and type, and then those of host globals."""
        kinds = [kind for _, kind in keys]
        kinds += [given.type.content for given, _ in self._given if isinstance(given, HostGlobal)]
        chosen = self._chosen([key for key, _ in keys], HostGlobal)
        return [self._read(kind, partial(getattr, one, "value")) for kind, one in zip(kinds, chosen, strict=True)]

    def memories(self, keys: Sequence[Key]) -> list[Window]:
        """Exported memories, and then those of the host."""
        return [Window(memory) for memory in self._chosen(keys, HostMemory)]

    def tables(self, keys: Sequence[Key]) -> list[list[Value]]:
        """Exported tables, and then those of the host; size first, then the elements."""
        return [self._elements(table) for table in self._chosen(keys, HostTable)]

    def _elements(self, table: wa.Table) -> list[Value]:
        kind = str(table.type.element)
        return [len(table), *(self._read(kind, partial(getitem, table, index)) for index in range(len(table)))]

    def _read(self, kind: str, get: Callable[[], Any]) -> Value:
        """A value of a global or a table."""
        try:
            return self._from_python(kind, get())
        except TypeError:
            if kind == EXCEPTION:
                return SOME_EXCEPTION
            raise

    def _chosen(self, keys: Sequence[Key], kind: type) -> list[Any]:
        exported = [self._exports[module][name] for module, name in keys]
        return [*exported, *(one for given, one in self._given if isinstance(given, kind))]

    # ---- what the host gives

    def _give(self, given: Given) -> Any:
        if isinstance(given, Linked):
            return self._exports[0][given.name]
        value = self._make(given)
        self._given.append((given, value))
        return value

    def _make(self, given: HostObject) -> Any:
        if isinstance(given, HostFunc):
            return self._host(given)
        if isinstance(given, HostMemory):
            memory = wa.Memory(given.type.min, given.type.max, shared=given.type.is_shared, memory64=given.type.is_64)
            memoryview(memory)[: len(given.contents)] = given.contents
            return memory
        if isinstance(given, HostTable):
            table = wa.Table(given.type.element, given.type.min, given.type.max)
            for index, element in enumerate(given.elements):
                table[index] = self._to_python(given.type.element, element)
            return table
        if isinstance(given, HostTag):
            return self._host_tag(given)
        kind = given.type.content
        return wa.Global(kind, self._to_python(kind, given.value), mutable=given.type.mutable)

    def _host_tag(self, given: HostTag) -> wa.Tag:
        if given not in self._host_tags:
            self._host_tags[given] = self._tags[str(given)] = wa.Tag(given.type.params)
        return self._host_tags[given]

    def _host(self, func: HostFunc) -> wa.Func:
        if func not in self._hosts:
            params, results = func.signature.params, func.signature.results
            self._hosts[func] = wa.Func(self._callable(func), params=list(params), results=list(results))
        return self._hosts[func]

    def _callable(self, func: HostFunc) -> Callable[..., Any]:
        params, kinds = func.signature.params, func.signature.results

        def run(*passed: Any) -> Any:
            arguments = tuple(map(self._from_python, params, passed))
            self.trace.append((func.label, arguments))
            try:
                values = host_results(func, arguments, {name: tag.params for name, tag in self._tags.items()})
            except HostThrow as thrown:
                self.trace.append((THROWS, (thrown.exception,)))
                raise self._new_exception(thrown.exception) from None
            results = [
                passed[value] if kind == "funcref" and isinstance(value, int) else self._to_python(kind, value)
                for kind, value in zip(kinds, values, strict=True)
            ]
            return None if not kinds else results[0] if len(kinds) == 1 else tuple(results)

        return run

    def _to_python(self, kind: str, value: Value) -> Any:
        if isinstance(value, ExportedFunc):
            return self._exports[value.module][value.name]
        if isinstance(value, HostFunc):
            return self._host(value)
        if isinstance(value, Exn):
            return self._new_exception(value)
        if not isinstance(value, int):
            return None
        return to_python(kind, value) if kind in NUMBERS else _POOL[value]

    def _from_python(self, kind: str, value: Any) -> Value:
        if kind in NUMBERS:
            return from_python(kind, value)
        if value is None:
            return None
        if kind == "externref":
            return _POOL_INDEX.get(id(value), GUEST_OBJECT)
        if kind == EXCEPTION:
            return self._exception(value)
        return told(Signature(tuple(map(str, value.type.params)), tuple(map(str, value.type.results))))

    # ---- exceptions

    def _thrown(self, raised: wa.WasmException) -> Outcome:
        self._nested = 0
        try:
            return Thrown(self._exception(raised))
        except RecursionError:
            return Trapped(STACK_EXHAUSTED)

    def _exception(self, raised: wa.WasmException) -> Exn:
        self._nested += 1
        if self._nested > MAX_NESTED:
            raise RecursionError
        name = next((name for name, tag in self._tags.items() if tag is raised.tag), UNKNOWN_TAG)
        return Exn(name, tuple(map(self._from_python, raised.tag.params, raised.values)))

    def _new_exception(self, exception: Exn) -> wa.WasmException:
        tag = self._tags[exception.tag]
        return wa.WasmException(tag, map(self._to_python, tag.params, exception.values))

    def _outcome(self, action: Callable[[], Outcome]) -> Outcome:
        try:
            return action()
        except wa.Trap as trap:
            kind = TRAP_KINDS.get(trap.code)
            return Trapped(kind) if kind else Broken(str(trap))
        except wa.WasmException as raised:
            return self._thrown(raised)
        except RecursionError:
            return Trapped(STACK_EXHAUSTED)
        except HostError:
            return Trapped("host")
        except wa.UnlinkableModule:
            return Unlinkable()
        except Exception as error:
            return Broken(f"{type(error).__name__}: {error}")


def _to_slots(kinds: Sequence[str], values: Sequence[Value]) -> list[int]:
    slots: list[int] = []
    for kind, value in zip(kinds, values, strict=True):
        assert isinstance(value, int)
        slots += [value & _SLOT, value >> 64] if kind == VECTOR else [value]
    return slots


def _from_slots(kinds: Sequence[str], slots: Sequence[int]) -> tuple[int, ...]:
    rest = iter(slots)
    return tuple(next(rest) | (next(rest) << 64 if kind == VECTOR else 0) for kind in kinds)
