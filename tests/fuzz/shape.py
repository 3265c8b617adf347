"""Types of what modules import and export, and a module that asks for what another one exports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bench.synthetic import leb128
from tests.fuzz.sections import FUEL_NAME, GLOBAL_PREFIX, encode_name
from tests.fuzz.values import VECTOR, Signature
from wasmartifact import schema
from wasmartifact.wasm.decode import decode_module
from wasmartifact.wasm.model import Module
from wasmartifact.wasm.types import valtype_name

#: Module name under which the second module of a pair imports exports of the first.
LINK_MODULE: Final = "fuzz:first"
_TYPE_CODES: Final = {
    "i32": 0x7F,
    "i64": 0x7E,
    "f32": 0x7D,
    "f64": 0x7C,
    "v128": 0x7B,
    "funcref": 0x70,
    "externref": 0x6F,
}


@dataclass(frozen=True)
class MemoryType:
    """Sizes in pages."""

    min: int
    max: int | None


@dataclass(frozen=True)
class TableType:
    """Sizes in elements."""

    element: str
    min: int
    max: int | None


@dataclass(frozen=True)
class GlobalType:
    """Value type and mutability."""

    content: str
    mutable: bool


ExternType = Signature | MemoryType | TableType | GlobalType


@dataclass(frozen=True)
class Import:
    """An import of a module."""

    module: str
    name: str
    type: ExternType


@dataclass(frozen=True)
class Shape:
    """Imports in order, and exports by name."""

    imports: tuple[Import, ...]
    exports: dict[str, ExternType]

    def functions(self) -> dict[str, Signature]:
        """The exported functions."""
        return {name: type_ for name, type_ in self.exports.items() if isinstance(type_, Signature)}


def shape_of(data: bytes) -> Shape:
    """The shape of a module, from our decoder: wasmtime's C API ends the process that asks it about the type v128."""
    module = decode_module(data)
    imports = tuple(Import(item.module, item.name, _type_of(module, item.kind, item.index)) for item in module.imports)
    return Shape(imports, {item.name: _type_of(module, item.kind, item.index) for item in module.exports})


def _type_of(module: Module, kind: int, index: int) -> ExternType:
    if kind == schema.KIND_FUNC:
        type_ = module.func_type(index)
        return Signature(tuple(map(valtype_name, type_.params)), tuple(map(valtype_name, type_.results)))
    if kind == schema.KIND_MEMORY:
        limits = module.memory_types[index].limits
        return MemoryType(limits.min, limits.max)
    if kind == schema.KIND_TABLE:
        table = module.table_types[index]
        return TableType(valtype_name(table.element), table.limits.min, table.limits.max)
    global_ = module.global_types[index]
    return GlobalType(valtype_name(global_.valtype), global_.mutable)


def asks_host_for_vectors(data: bytes) -> bool:
    """Whether a module imports from the host what has a v128 in its type: wasmtime's C API can't make that."""
    return any(
        type_.has_vectors if isinstance(type_, Signature) else type_.content == VECTOR
        for type_ in (item.type for item in shape_of(data).imports if item.module != LINK_MODULE)
        if isinstance(type_, (Signature, GlobalType))
    )


def importer_of(shape: Shape) -> bytes:
    """A module that imports all that one of this shape exports, under LINK_MODULE.

    But for the fuel, the last of the globals, under either name: who could fill it up might run for ever.
    """
    globals_ = [name for name in shape.exports if name.startswith(GLOBAL_PREFIX)]
    hidden = {FUEL_NAME, *globals_[-1:]}
    signatures = list(dict.fromkeys(shape.functions().values()))
    types = [b"\x60" + _value_types(type_.params) + _value_types(type_.results) for type_ in signatures]
    imports = [
        encode_name(LINK_MODULE.encode()) + encode_name(name.encode()) + _extern_type(type_, signatures)
        for name, type_ in shape.exports.items()
        if name not in hidden
    ]
    return b"\0asm\1\0\0\0" + _section(1, types) + _section(2, imports)


def _section(id_: int, entries: list[bytes]) -> bytes:
    content = leb128(len(entries)) + b"".join(entries)
    return bytes([id_]) + leb128(len(content)) + content


def _value_types(kinds: tuple[str, ...]) -> bytes:
    return leb128(len(kinds)) + bytes(_TYPE_CODES[kind] for kind in kinds)


def _extern_type(type_: ExternType, signatures: list[Signature]) -> bytes:
    if isinstance(type_, Signature):
        return b"\0" + leb128(signatures.index(type_))
    if isinstance(type_, TableType):
        return bytes([1, _TYPE_CODES[type_.element]]) + _limits(type_)
    if isinstance(type_, MemoryType):
        return b"\2" + _limits(type_)
    return bytes([3, _TYPE_CODES[type_.content], type_.mutable])


def _limits(type_: TableType | MemoryType) -> bytes:
    if type_.max is None:
        return b"\0" + leb128(type_.min)
    return b"\1" + leb128(type_.min) + leb128(type_.max)
