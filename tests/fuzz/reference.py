"""wasmtime, over its C API: Python's floats can't carry a signalling f32 NaN, and this is faster, too."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import byref
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import wasmtime
from wasmtime import _ffi

from tests.fuzz.engine import STACK_EXHAUSTED, UNREACHABLE, Broken, Event, Key, Outcome, Returned, Trapped, Unlinkable
from tests.fuzz.plan import Call, Given, HostGlobal, HostMemory, HostObject, HostTable, Linked
from tests.fuzz.sections import FUEL_NAME
from tests.fuzz.shape import Shape, shape_of
from tests.fuzz.values import (
    NUMBERS,
    VECTOR,
    ExportedFunc,
    HostError,
    HostFunc,
    Signature,
    Value,
    host_results,
    quieted,
)

#: Its structures come from a generator, with types that no value fits.
ffi: Final[Any] = _ffi
_CODE: Final = wasmtime.TrapCode
TRAP_KINDS: Final = {
    _CODE.STACK_OVERFLOW: STACK_EXHAUSTED,
    _CODE.MEMORY_OUT_OF_BOUNDS: "memory",
    _CODE.TABLE_OUT_OF_BOUNDS: "table",
    _CODE.INDIRECT_CALL_TO_NULL: "null element",
    _CODE.BAD_SIGNATURE: "signature",
    _CODE.INTEGER_OVERFLOW: "overflow",
    _CODE.INTEGER_DIVISION_BY_ZERO: "division",
    _CODE.BAD_CONVERSION_TO_INTEGER: "conversion",
    _CODE.UNREACHABLE: UNREACHABLE,
    _CODE.NULL_REFERENCE: "null reference",
}
#: Message of the trap that a host function raises.
HOST_MESSAGE: Final = "host"
_KINDS: Final = {"i32": 0, "i64": 1, "f32": 2, "f64": 3, "v128": 4, "funcref": 5, "externref": 6}
_TYPES: Final = {kind: name for name, kind in _KINDS.items()}
_EXTERN_FUNC, _EXTERN_GLOBAL, _EXTERN_TABLE, _EXTERN_MEMORY = range(4)
_NO_FINALIZER: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p)()


class Rejected(Exception):
    """wasmtime does not compile the module."""


@dataclass(frozen=True)
class ReferenceModule:
    """A compiled module and what it imports and exports."""

    engine: Any
    module: Any
    shape: Shape


@lru_cache(maxsize=2)
def _engine(canonical_nans: bool) -> Any:
    config = wasmtime.Config()
    config.parallel_compilation = False
    config.cranelift_nan_canonicalization = canonical_nans
    return wasmtime.Engine(config)


def compile_reference(data: bytes, *, canonical_nans: bool = False) -> ReferenceModule:
    """Compile a module with wasmtime, with or without every NaN made canonical. Raises Rejected."""
    try:
        engine = _engine(canonical_nans)
        module = wasmtime.Module(engine, data)
    except wasmtime.WasmtimeError as error:
        raise Rejected(str(error)) from error
    return ReferenceModule(engine, module, shape_of(data))


def _type_name(type_: Any) -> str:
    """Name of a value type; wasmtime's Python package still has the first one of externref."""
    name = str(type_)
    return "externref" if name == "anyref" else name


class Window:
    """A memory of wasmtime's."""

    def __init__(self, address: int, size_bytes: int) -> None:
        self.address = address
        self.size_bytes = size_bytes

    def read(self, start: int, end: int) -> bytes:
        """A copy of a range."""
        return ctypes.string_at(self.address + start, end - start)


class Reference:
    """Instances of modules in a store of their own; see ``engine.Engine``."""

    def __init__(self, modules: Sequence[ReferenceModule]) -> None:
        self.trace: list[Event] = []
        self._modules = modules
        self._store = wasmtime.Store(modules[0].engine)
        self._context = self._store._context()
        # wasmtime keeps the address of the callback, and which host function is meant as a number.
        self._callback = ffi.wasmtime_func_callback_t(self._host_call)
        self._hosts: list[HostFunc] = []
        self._host_records: dict[HostFunc, Any] = {}
        self._signatures: dict[bytes, str] = {}
        self._given: list[tuple[HostObject, Any]] = []
        self._exports: dict[Key, Any] = {}

    def instantiate(self, module: int, imports: Sequence[Given]) -> Outcome:
        """Make the imports of a module, and an instance of it."""
        externs = (ffi.wasmtime_extern_t * len(imports))(*map(self._give, imports))
        instance = ffi.wasmtime_instance_t()
        trap = ctypes.POINTER(ffi.wasm_trap_t)()
        error = ffi.wasmtime_instance_new(
            self._context, self._modules[module].module.ptr(), externs, len(imports), byref(instance), byref(trap)
        )
        if error:
            return self._error(error)
        if trap:
            return _trapped(trap)
        for name, type_ in self._modules[module].shape.exports.items():
            extern, encoded = ffi.wasmtime_extern_t(), name.encode()
            found = ffi.wasmtime_instance_export_get(
                self._context, byref(instance), encoded, len(encoded), byref(extern)
            )
            if not found:
                return Broken(f"no export {name!r}")
            self._exports[module, name] = extern
            if isinstance(type_, Signature):
                self._signatures[bytes(extern.of.func)] = str(type_)
        return Returned()

    @staticmethod
    def _error(error: Any) -> Outcome:
        message = str(wasmtime.WasmtimeError._from_ptr(error))
        if message.split()[-1:] == [HOST_MESSAGE]:  # alone, or as the cause behind a backtrace
            return Trapped("host")
        return Unlinkable() if "incompatible import type" in message else Broken(message)

    def set_fuel(self, module: int, fuel: int) -> None:
        """Set the global that keeps generated code from running for ever."""
        value = self._value("i32", fuel)
        ffi.wasmtime_global_set(self._context, byref(self._exports[module, FUEL_NAME].of.global_), byref(value))

    def call(self, call: Call) -> Outcome:
        """Call an export."""
        params, results = call.signature.params, call.signature.results
        passed = (ffi.wasmtime_val_t * len(params))(*map(self._value, params, call.arguments))
        returned = (ffi.wasmtime_val_t * len(results))()
        trap = ctypes.POINTER(ffi.wasm_trap_t)()
        error = ffi.wasmtime_func_call(
            self._context,
            byref(self._exports[call.module, call.name].of.func),
            passed,
            len(params),
            returned,
            len(results),
            byref(trap),
        )
        for value in passed:
            ffi.wasmtime_val_unroot(byref(value))
        if error:
            return self._error(error)
        if trap:
            return _trapped(trap)
        values = tuple(self._read(value) for value in returned)
        for value in returned:
            ffi.wasmtime_val_unroot(byref(value))
        return Returned(values if call.raw else tuple(map(quieted, results, values)))

    # ---- state

    def globals(self, keys: Sequence[tuple[Key, str]]) -> list[Value]:
        """Values of exported globals, given by key and type, and then those of host globals."""
        return [self._global(extern) for extern in self._chosen([key for key, _ in keys], HostGlobal)]

    def _global(self, extern: Any) -> Value:
        value = ffi.wasmtime_val_t()
        ffi.wasmtime_global_get(self._context, byref(extern.of.global_), byref(value))
        result = self._read(value)
        ffi.wasmtime_val_unroot(byref(value))
        return quieted(_TYPES[value.kind], result)

    def memories(self, keys: Sequence[Key]) -> list[Window]:
        """Exported memories, and then those of the host."""
        return [self._window(extern) for extern in self._chosen(keys, HostMemory)]

    def _window(self, extern: Any) -> Window:
        memory = byref(extern.of.memory)
        data = ffi.wasmtime_memory_data(self._context, memory)
        size_bytes = ffi.wasmtime_memory_data_size(self._context, memory)
        return Window(ctypes.cast(data, ctypes.c_void_p).value or 0, size_bytes)

    def tables(self, keys: Sequence[Key]) -> list[list[Value]]:
        """Exported tables, and then those of the host; size first, then the elements."""
        return [self._elements(extern) for extern in self._chosen(keys, HostTable)]

    def _elements(self, extern: Any) -> list[Value]:
        table, value = byref(extern.of.table), ffi.wasmtime_val_t()
        elements: list[Value] = [ffi.wasmtime_table_size(self._context, table)]
        for index in range(ffi.wasmtime_table_size(self._context, table)):
            ffi.wasmtime_table_get(self._context, table, index, byref(value))
            elements.append(self._read(value))
            ffi.wasmtime_val_unroot(byref(value))
        return elements

    def _chosen(self, keys: Sequence[Key], kind: type) -> list[Any]:
        return [*(self._exports[key] for key in keys), *(one for given, one in self._given if isinstance(given, kind))]

    # ---- values

    def _value(self, kind: str, value: Value) -> Any:
        """A value for wasmtime; a rooted reference belongs to the caller."""
        raw = ffi.wasmtime_val_t()
        raw.kind = _KINDS[kind]
        if kind == VECTOR:
            assert isinstance(value, int)
            raw.of.v128 = (ctypes.c_uint8 * 16)(*value.to_bytes(16, "little"))
        elif kind in NUMBERS:
            assert isinstance(value, int)
            raw.of.i64 = value
        elif kind == "externref":
            raw.of.externref.store_id = 0
            if isinstance(value, int):
                # The pool's index + 1 stands for the object: 0 would be a null pointer.
                ffi.wasmtime_externref_new(self._context, value + 1, _NO_FINALIZER, byref(raw.of.externref))
        elif isinstance(value, ExportedFunc):
            raw.of.funcref = self._exports[value.module, value.name].of.func
        elif isinstance(value, HostFunc):
            raw.of.funcref = self._host(value)
        return raw

    def _read(self, raw: Any) -> Value:
        kind = _TYPES[raw.kind]
        if kind == VECTOR:
            return int.from_bytes(bytes(raw.of.v128), "little")
        if kind in NUMBERS:
            return int(raw.of.i64) & (1 << NUMBERS[kind]) - 1
        if kind == "externref":
            if raw.of.externref.store_id == 0:
                return None
            return int(ffi.wasmtime_externref_data(self._context, byref(raw.of.externref)) or 0) - 1
        return None if raw.of.funcref.store_id == 0 else self._signature(raw.of.funcref)

    def _signature(self, func: Any) -> str:
        key = bytes(func)
        if key not in self._signatures:
            type_ = wasmtime.FuncType._from_ptr(ffi.wasmtime_func_type(self._context, byref(func)), None)
            params, results = (tuple(map(_type_name, kinds)) for kinds in (type_.params, type_.results))
            self._signatures[key] = str(Signature(params, results))
        return self._signatures[key]

    # ---- what the host gives

    def _give(self, given: Given) -> Any:
        if isinstance(given, Linked):
            return self._exports[0, given.name]
        extern = self._make(given)
        self._given.append((given, extern))
        return extern

    def _make(self, given: HostObject) -> Any:
        extern = ffi.wasmtime_extern_t()
        if isinstance(given, HostFunc):
            extern.kind, extern.of.func = _EXTERN_FUNC, self._host(given)
        elif isinstance(given, HostMemory):
            limits = wasmtime.Limits(given.type.min, given.type.max)
            memory = wasmtime.Memory(self._store, wasmtime.MemoryType(limits))
            if given.contents:
                memory.write(self._store, given.contents)
            extern.kind, extern.of.memory = _EXTERN_MEMORY, memory._memory
        elif isinstance(given, HostTable):
            limits = wasmtime.Limits(given.type.min, given.type.max)
            table_type = wasmtime.TableType(_value_type(given.type.element), limits)
            table = wasmtime.Table(self._store, table_type, None)
            for index, element in enumerate(given.elements):
                value = self._value(given.type.element, element)
                ffi.wasmtime_table_set(self._context, byref(table._table), index, byref(value))
            extern.kind, extern.of.table = _EXTERN_TABLE, table._table
        else:
            global_type = wasmtime.GlobalType(_value_type(given.type.content), given.type.mutable)
            value = self._value(given.type.content, given.value)
            extern.kind = _EXTERN_GLOBAL
            ffi.wasmtime_global_new(self._context, global_type.ptr(), byref(value), byref(extern.of.global_))
        return extern

    def _host(self, func: HostFunc) -> Any:
        if func not in self._host_records:
            record = ffi.wasmtime_func_t()
            params, results = ([*map(_value_type, kinds)] for kinds in (func.signature.params, func.signature.results))
            type_ = wasmtime.FuncType(params, results)
            ffi.wasmtime_func_new(
                self._context, type_.ptr(), self._callback, len(self._hosts), _NO_FINALIZER, byref(record)
            )
            self._hosts.append(func)
            self._host_records[func] = record
        return self._host_records[func]

    def _host_call(self, number: int | None, _caller: Any, args: Any, nargs: int, results: Any, nresults: int) -> int:
        func = self._hosts[number or 0]
        kinds = func.signature.results
        arguments = tuple(quieted(kind, self._read(args[i])) for i, kind in enumerate(func.signature.params))
        self.trace.append((func.label, arguments))
        try:
            values = host_results(func, arguments)
        except HostError:
            message = HOST_MESSAGE.encode()
            trap = ffi.wasmtime_trap_new(message, len(message))
            return ctypes.cast(trap, ctypes.c_void_p).value or 0
        for position in range(nresults):
            value = values[position]
            given_back = kinds[position] == "funcref" and isinstance(value, int)
            results[position] = args[value] if given_back else self._value(kinds[position], value)
        return 0


def _value_type(kind: str) -> Any:
    return getattr(wasmtime.ValType, kind)()


def _trapped(pointer: Any) -> Outcome:
    trap = wasmtime.Trap._from_ptr(pointer)
    code = trap.trap_code
    if code is None:
        return Trapped("host") if trap.message == HOST_MESSAGE else Broken(trap.message)
    return Trapped(TRAP_KINDS[code]) if code in TRAP_KINDS else Broken(trap.message)
