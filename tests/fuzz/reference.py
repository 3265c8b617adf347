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
from tests.fuzz.shape import Shape, TagType, shape_of
from tests.fuzz.values import (
    EXCEPTION,
    GUEST_OBJECT,
    NUMBERS,
    OTHER_TYPE,
    VECTOR,
    Exn,
    ExportedFunc,
    HostError,
    HostFunc,
    HostThrow,
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
    _CODE.ALLOCATION_TOO_LARGE: STACK_EXHAUSTED,  # engines differ in that as well
    _CODE.MEMORY_OUT_OF_BOUNDS: "memory",
    _CODE.TABLE_OUT_OF_BOUNDS: "table",
    _CODE.INDIRECT_CALL_TO_NULL: "null element",
    _CODE.BAD_SIGNATURE: "signature",
    _CODE.INTEGER_OVERFLOW: "overflow",
    _CODE.INTEGER_DIVISION_BY_ZERO: "division",
    _CODE.BAD_CONVERSION_TO_INTEGER: "conversion",
    _CODE.UNREACHABLE: UNREACHABLE,
    _CODE.NULL_REFERENCE: "null reference",
    _CODE.ARRAY_OUT_OF_BOUNDS: "array",
    _CODE.CAST_FAILURE: "cast",
    _CODE.HEAP_MISALIGNED: "unaligned",
    _CODE.ATOMIC_WAIT_NON_SHARED_MEMORY: "not shared",
}
#: Message of the trap that a host function raises.
HOST_MESSAGE: Final = "host"
_KINDS: Final = {"i32": 0, "i64": 1, "f32": 2, "f64": 3, "v128": 4, "funcref": 5, "externref": 6, EXCEPTION: 8}
_TYPES: Final = {kind: name for name, kind in _KINDS.items()}
_EXTERN_FUNC, _EXTERN_GLOBAL, _EXTERN_TABLE, _EXTERN_MEMORY, _EXTERN_SHARED_MEMORY, _EXTERN_TAG = range(6)
#: Deeper than this, an exception within exceptions is not looked at.
MAX_DEPTH: Final = 100
#: A module whose function has a parameter of each type, as there is no other way to all of them.
_ALL_TYPES: Final = f'(module (func (export "f") (param {" ".join(_KINDS)})))'
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
    config.wasm_relaxed_simd_deterministic = True
    config.shared_memory = True
    for feature in ("exceptions", "tail_call", "memory64", "multi_memory", "wide_arithmetic", "custom_page_sizes"):
        setattr(config, f"wasm_{feature}", True)
    config.wasm_gc = config.wasm_function_references = True  # exceptions need the one, the one the other
    return wasmtime.Engine(config)


def compile_reference(data: bytes, *, canonical_nans: bool = False) -> ReferenceModule:
    """Compile a module with wasmtime, with or without every NaN made canonical. Raises Rejected."""
    try:
        engine = _engine(canonical_nans)
        module = wasmtime.Module(engine, data)
    except wasmtime.WasmtimeError as error:
        raise Rejected(str(error)) from error
    return ReferenceModule(engine, module, shape_of(data))


class _Types:
    """Value types of an engine: what wasmtime's Python package has knows no v128 and no exnref."""

    def __init__(self, engine: Any) -> None:
        store = wasmtime.Store(engine)
        func = wasmtime.Instance(store, wasmtime.Module(engine, _ALL_TYPES), []).exports(store)["f"]
        self._owner = ffi.wasmtime_func_type(store._context(), byref(func._func))  # type: ignore[union-attr]
        params = ffi.wasm_functype_params(self._owner).contents
        self._types = {kind: params.data[index] for index, kind in enumerate(_KINDS)}

    def make(self, kind: str) -> Any:
        """A type, which belongs to the caller."""
        return ffi.wasm_valtype_copy(self._types[kind])

    def vector(self, kinds: Sequence[str]) -> Any:
        """Likewise, several."""
        made = ffi.wasm_valtype_vec_t()
        ffi.wasm_valtype_vec_new_uninitialized(byref(made), len(kinds))
        for index, kind in enumerate(kinds):
            made.data[index] = self.make(kind)
        return made

    def names(self, vector: Any) -> tuple[str, ...]:
        """Names of the types of a vector."""
        return tuple(self._name(vector.contents.data[index]) for index in range(vector.contents.size))

    def _name(self, type_: Any) -> str:
        known = (kind for kind, one in self._types.items() if ffi.wasmtime_wasm_valtype_equal(one, type_))
        return next(known, OTHER_TYPE)

    def function(self, signature: Signature) -> Any:
        """A function type, which belongs to the caller."""
        params, results = self.vector(signature.params), self.vector(signature.results)
        return ffi.wasm_functype_new(byref(params), byref(results))


@lru_cache(maxsize=2)
def _types(engine: Any) -> _Types:
    return _Types(engine)


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
        self._types = _types(modules[0].engine)
        # By name: each tag, and the types of its values.
        self._tags: dict[str, tuple[Any, tuple[str, ...]]] = {}
        self._host_tags: dict[HostTag, Any] = {}
        self._nested = 0
        self._shared: list[wasmtime.SharedMemory] = []  # externs borrow them

    def instantiate(self, module: int, imports: Sequence[Given]) -> Outcome:
        """Make the imports of a module, and an instance of it."""
        externs = (ffi.wasmtime_extern_t * len(imports))(*map(self._give, imports))
        instance = ffi.wasmtime_instance_t()
        trap = ctypes.POINTER(ffi.wasm_trap_t)()
        error = ffi.wasmtime_instance_new(
            self._context, self._modules[module].module.ptr(), externs, len(imports), byref(instance), byref(trap)
        )
        if error or trap:
            return self._failure(error, trap)
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
            if isinstance(type_, TagType):
                self._tags[f"{module} {name}"] = extern.of.tag, type_.params
        return Returned()

    def has(self, module: int, name: str) -> bool:
        """Whether there is an instance of the module, which exports this."""
        return (module, name) in self._exports

    def _failure(self, error: Any, trap: Any) -> Outcome:
        """What an error is, or else a trap; an exception gives either."""
        exception = ffi.wasmtime_exnref_t()
        if ffi.wasmtime_context_take_exception(self._context, byref(exception)):
            thrown = self._thrown(exception)
            ffi.wasmtime_exnref_unroot(byref(exception))
            ffi.wasmtime_error_delete(error) if error else ffi.wasm_trap_delete(trap)
            return thrown
        return _failed(error) if error else _trapped(trap)

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
        if error or trap:
            return self._failure(error, trap)
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
        result = self._told(value)
        ffi.wasmtime_val_unroot(byref(value))
        return quieted(_TYPES[value.kind], result)

    def memories(self, keys: Sequence[Key]) -> list[Window]:
        """Exported memories, and then those of the host."""
        return [self._window(extern) for extern in self._chosen(keys, HostMemory)]

    def _window(self, extern: Any) -> Window:
        if extern.kind == _EXTERN_SHARED_MEMORY:
            shared = extern.of.sharedmemory
            data, size_bytes = ffi.wasmtime_sharedmemory_data(shared), ffi.wasmtime_sharedmemory_data_size(shared)
            return Window(ctypes.cast(data, ctypes.c_void_p).value or 0, size_bytes)
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
            elements.append(self._told(value))
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
        elif kind == EXCEPTION:
            raw.of.exnref.store_id = 0
            if isinstance(value, Exn):
                raw.of.exnref = self._new_exception(value)
        elif isinstance(value, ExportedFunc):
            raw.of.funcref = self._exports[value.module, value.name].of.func
        elif isinstance(value, HostFunc):
            raw.of.funcref = self._host(value)
        return raw

    def _read(self, raw: Any, depth: int = 0) -> Value:
        kind = _TYPES[raw.kind]
        if kind == VECTOR:
            return int.from_bytes(bytes(raw.of.v128), "little")
        if kind in NUMBERS:
            return int(raw.of.i64) & (1 << NUMBERS[kind]) - 1
        if kind == "externref":
            if raw.of.externref.store_id == 0:
                return None
            number = ffi.wasmtime_externref_data(self._context, byref(raw.of.externref))
            return int(number) - 1 if number else GUEST_OBJECT
        if kind == EXCEPTION:
            return None if raw.of.exnref.store_id == 0 else self._exception(raw.of.exnref, depth)
        return None if raw.of.funcref.store_id == 0 else self._signature(raw.of.funcref)

    def _told(self, raw: Any) -> Value:
        """A value of a global or a table as Python could tell it."""
        if _TYPES[raw.kind] == EXCEPTION:
            return None if raw.of.exnref.store_id == 0 else SOME_EXCEPTION
        return self._read(raw)

    def _signature(self, func: Any) -> str:
        key = bytes(func)
        if key not in self._signatures:
            type_ = ffi.wasmtime_func_type(self._context, byref(func))
            vectors = ffi.wasm_functype_params(type_), ffi.wasm_functype_results(type_)
            self._signatures[key] = str(Signature(*map(self._types.names, vectors)))
            ffi.wasm_functype_delete(type_)
        return self._signatures[key]

    # ---- exceptions

    def _thrown(self, exception: Any) -> Outcome:
        self._nested = 0
        try:
            return Thrown(self._exception(exception))
        except RecursionError:
            return Trapped(STACK_EXHAUSTED)

    def _exception(self, exception: Any, depth: int = 0) -> Exn:
        self._nested += 1
        if depth > MAX_DEPTH or self._nested > MAX_NESTED:
            raise RecursionError
        tag, value = ffi.wasmtime_tag_t(), ffi.wasmtime_val_t()
        ffi.wasmtime_exnref_tag(self._context, byref(exception), byref(tag))
        values: list[Value] = []
        for index in range(ffi.wasmtime_exnref_field_count(self._context, byref(exception))):
            ffi.wasmtime_exnref_field(self._context, byref(exception), index, byref(value))
            values.append(quieted(_TYPES[value.kind], self._read(value, depth + 1)))
            ffi.wasmtime_val_unroot(byref(value))
        return Exn(self._tag_name(tag), tuple(values))

    def _tag_name(self, tag: Any) -> str:
        same = ffi.wasmtime_tag_eq
        known = (name for name, (one, _) in self._tags.items() if same(self._context, byref(one), byref(tag)))
        return next(known, UNKNOWN_TAG)

    def _new_exception(self, exception: Exn) -> Any:
        """An exception as wasmtime has it; it belongs to the caller."""
        tag, kinds = self._tags[exception.tag]
        made, values = ffi.wasmtime_exnref_t(), (ffi.wasmtime_val_t * len(kinds))()
        for index, (kind, value) in enumerate(zip(kinds, exception.values, strict=True)):
            values[index] = self._value(kind, value)
        ffi.wasmtime_exnref_new(self._context, byref(tag), values, len(kinds), byref(made))
        for value in values:
            ffi.wasmtime_val_unroot(byref(value))
        return made

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
        elif isinstance(given, HostMemory) and given.type.is_shared:
            limits = wasmtime.Limits(given.type.min, given.type.max)
            shared = wasmtime.SharedMemory(self._modules[0].engine, wasmtime.MemoryType(limits, given.type.is_64, True))
            ctypes.memmove(shared.data_ptr(), given.contents, len(given.contents))
            self._shared.append(shared)
            extern.kind, extern.of.sharedmemory = _EXTERN_SHARED_MEMORY, shared.ptr()
        elif isinstance(given, HostMemory):
            memory_type = wasmtime.MemoryType(wasmtime.Limits(given.type.min, given.type.max), given.type.is_64)
            memory = wasmtime.Memory(self._store, memory_type)
            if given.contents:
                memory.write(self._store, given.contents)
            extern.kind, extern.of.memory = _EXTERN_MEMORY, memory._memory
        elif isinstance(given, HostTable):
            table_limits = wasmtime.Limits(given.type.min, given.type.max)
            table_type = wasmtime.TableType(getattr(wasmtime.ValType, given.type.element)(), table_limits)
            table = wasmtime.Table(self._store, table_type, None)
            for index, element in enumerate(given.elements):
                value = self._value(given.type.element, element)
                ffi.wasmtime_table_set(self._context, byref(table._table), index, byref(value))
            extern.kind, extern.of.table = _EXTERN_TABLE, table._table
        elif isinstance(given, HostTag):
            extern.kind, extern.of.tag = _EXTERN_TAG, self._host_tag(given)
        else:
            global_type = ffi.wasm_globaltype_new(self._types.make(given.type.content), given.type.mutable)
            value = self._value(given.type.content, given.value)
            extern.kind = _EXTERN_GLOBAL
            ffi.wasmtime_global_new(self._context, global_type, byref(value), byref(extern.of.global_))
            ffi.wasm_globaltype_delete(global_type)
        return extern

    def _host_tag(self, given: HostTag) -> Any:
        if given not in self._host_tags:
            type_ = ffi.wasm_tagtype_new(self._types.function(Signature(given.type.params, ())))
            tag = ffi.wasmtime_tag_t()
            ffi.wasmtime_tag_new(self._context, type_, byref(tag))
            ffi.wasm_tagtype_delete(type_)
            self._host_tags[given] = tag
            self._tags[str(given)] = tag, given.type.params
        return self._host_tags[given]

    def _host(self, func: HostFunc) -> Any:
        if func not in self._host_records:
            record = ffi.wasmtime_func_t()
            type_ = self._types.function(func.signature)
            ffi.wasmtime_func_new(self._context, type_, self._callback, len(self._hosts), _NO_FINALIZER, byref(record))
            ffi.wasm_functype_delete(type_)
            self._hosts.append(func)
            self._host_records[func] = record
        return self._host_records[func]

    def _host_call(self, number: int | None, _caller: Any, args: Any, nargs: int, results: Any, nresults: int) -> int:
        func = self._hosts[number or 0]
        kinds = func.signature.results
        arguments = tuple(quieted(kind, self._read(args[i])) for i, kind in enumerate(func.signature.params))
        self.trace.append((func.label, arguments))
        try:
            values = host_results(func, arguments, {name: kinds for name, (_, kinds) in self._tags.items()})
        except HostError:
            message = HOST_MESSAGE.encode()
            return _address(ffi.wasmtime_trap_new(message, len(message)))
        except HostThrow as thrown:
            self.trace.append((THROWS, (thrown.exception,)))
            exception = self._new_exception(thrown.exception)
            return _address(ffi.wasmtime_context_set_exception(self._context, byref(exception)))
        for position in range(nresults):
            value = values[position]
            given_back = kinds[position] == "funcref" and isinstance(value, int)
            results[position] = args[value] if given_back else self._value(kinds[position], value)
        return 0


def _address(pointer: Any) -> int:
    return ctypes.cast(pointer, ctypes.c_void_p).value or 0


def _failed(error: Any) -> Outcome:
    message = str(wasmtime.WasmtimeError._from_ptr(error))
    if message.split()[-1:] == [HOST_MESSAGE]:  # alone, or as the cause behind a backtrace
        return Trapped("host")
    return Unlinkable() if "incompatible import type" in message else Broken(message)


def _trapped(pointer: Any) -> Outcome:
    trap = wasmtime.Trap._from_ptr(pointer)
    code = trap.trap_code
    if code is None:
        return Trapped("host") if trap.message == HOST_MESSAGE else Broken(trap.message)
    return Trapped(TRAP_KINDS[code]) if code in TRAP_KINDS else Broken(trap.message)
