"""Types of what modules import and export, and a module that asks for what another one exports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.fuzz.sections import CAUGHT_NAME, FUEL_NAME, GLOBAL_PREFIX, encode_name
from tests.fuzz.values import EXCEPTION, Signature
from wasmartifact import schema
from wasmartifact.externtypes import valtype_name
from wasmartifact.wasm.decode import decode_module
from wasmartifact.wasm.encode import unsigned
from wasmartifact.wasm.model import Module

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
    EXCEPTION: 0x69,
}
_PAGE_LOG2: Final = 16
#: Bits of the flags before limits.
_HAS_MAX, _IS_SHARED, _IS_64, _HAS_PAGE_SIZE = 1, 2, 4, 8


@dataclass(frozen=True)
class MemoryType:
    """Sizes in pages of ``1 << page_log2`` bytes; ``is_64``: addresses are i64."""

    min: int
    max: int | None
    is_64: bool = False
    page_log2: int = _PAGE_LOG2
    is_shared: bool = False


@dataclass(frozen=True)
class TableType:
    """Sizes in elements; ``is_64``: indices are i64."""

    element: str
    min: int
    max: int | None
    is_64: bool = False


@dataclass(frozen=True)
class GlobalType:
    """Value type and mutability."""

    content: str
    mutable: bool


@dataclass(frozen=True)
class TagType:
    """Types of the values of an exception."""

    params: tuple[str, ...]


ExternType = Signature | MemoryType | TableType | GlobalType | TagType


@dataclass(frozen=True)
class Import:
    """An import of a module."""

    module: str
    name: str
    type: ExternType


@dataclass(frozen=True)
class Shape:
    """Imports in order, and exports by name that the host deals with, see ``_is_known``."""

    imports: tuple[Import, ...]
    exports: dict[str, ExternType]

    def functions(self) -> dict[str, Signature]:
        """The exported functions."""
        return {name: type_ for name, type_ in self.exports.items() if isinstance(type_, Signature)}

    def tags(self) -> dict[str, TagType]:
        """The exported tags."""
        return {name: type_ for name, type_ in self.exports.items() if isinstance(type_, TagType)}


def shape_of(data: bytes) -> Shape:
    """The shape of a module, from our decoder: wasmtime's C API ends the process that asks it about the type v128."""
    module = decode_module(data)
    imports = tuple(Import(item.module, item.name, _type_of(module, item.kind, item.index)) for item in module.imports)
    exports = {item.name: _type_of(module, item.kind, item.index) for item in module.exports}
    return Shape(imports, {name: type_ for name, type_ in exports.items() if is_known(type_)})


def is_known(type_: ExternType) -> bool:
    """Whether it is made of types that the host deals in: not those of garbage collection, which stay in the guest."""
    if isinstance(type_, Signature):
        kinds: tuple[str, ...] = (*type_.params, *type_.results)
    elif isinstance(type_, TagType):
        kinds = type_.params
    elif isinstance(type_, TableType):
        kinds = (type_.element,)
    else:
        kinds = () if isinstance(type_, MemoryType) else (type_.content,)
    return all(kind in _TYPE_CODES for kind in kinds)


def _type_of(module: Module, kind: int, index: int) -> ExternType:
    if kind == schema.KIND_FUNC:
        type_ = module.func_type(index)
        return Signature(tuple(map(valtype_name, type_.params)), tuple(map(valtype_name, type_.results)))
    if kind == schema.KIND_MEMORY:
        memory = module.memory_types[index]
        limits = memory.limits
        return MemoryType(limits.min, limits.max, limits.is64, memory.page_log2, limits.shared)
    if kind == schema.KIND_TABLE:
        table = module.table_types[index]
        return TableType(valtype_name(table.element), table.limits.min, table.limits.max, table.limits.is64)
    if kind == schema.KIND_TAG:
        return TagType(tuple(map(valtype_name, module.func_type_at(module.tag_types[index]).params)))
    global_ = module.global_types[index]
    return GlobalType(valtype_name(global_.valtype), global_.mutable)


def asks_too_much(data: bytes) -> bool:
    """Whether a module imports from the host what Python can't give, or wasmtime's C API.

    That is an exnref, a table with indices of 64 bits, a memory with pages of another size; and a shared memory:
    an access outside of one that was imported ends the process of wasmtime 50, where it should trap.
    """
    return any(_is_too_much(item.type) for item in shape_of(data).imports if item.module != LINK_MODULE)


def _is_too_much(type_: ExternType) -> bool:
    if not is_known(type_):
        return True
    if isinstance(type_, Signature):
        return not type_.crosses
    if isinstance(type_, TableType):
        return type_.is_64 or type_.element == EXCEPTION
    if isinstance(type_, MemoryType):
        return type_.page_log2 != _PAGE_LOG2 or type_.is_shared
    return isinstance(type_, GlobalType) and type_.content == EXCEPTION


def importer_of(shape: Shape) -> bytes:
    """A module that imports all that one of this shape exports, under LINK_MODULE.

    But for the fuel, the last of the globals, under either name: who could fill it up might run for ever. And but for
    shared memories, see ``asks_too_much``.
    """
    globals_ = [name for name in shape.exports if name.startswith(GLOBAL_PREFIX)]
    hidden = {FUEL_NAME, CAUGHT_NAME, *globals_[-1:]}
    tag_types = [Signature(type_.params, ()) for type_ in shape.tags().values()]
    signatures = list(dict.fromkeys([*shape.functions().values(), *tag_types]))
    types = [b"\x60" + _value_types(type_.params) + _value_types(type_.results) for type_ in signatures]
    imports = [
        encode_name(LINK_MODULE.encode()) + encode_name(name.encode()) + _extern_type(type_, signatures)
        for name, type_ in shape.exports.items()
        if name not in hidden and not (isinstance(type_, MemoryType) and type_.is_shared)
    ]
    return b"\0asm\1\0\0\0" + _section(1, types) + _section(2, imports)


def _section(id_: int, entries: list[bytes]) -> bytes:
    content = unsigned(len(entries)) + b"".join(entries)
    return bytes([id_]) + unsigned(len(content)) + content


def _value_types(kinds: tuple[str, ...]) -> bytes:
    return unsigned(len(kinds)) + bytes(_TYPE_CODES[kind] for kind in kinds)


def _extern_type(type_: ExternType, signatures: list[Signature]) -> bytes:
    if isinstance(type_, Signature):
        return b"\0" + unsigned(signatures.index(type_))
    if isinstance(type_, TagType):
        return b"\4\0" + unsigned(signatures.index(Signature(type_.params, ())))
    if isinstance(type_, TableType):
        return bytes([1, _TYPE_CODES[type_.element]]) + _limits(type_)
    if isinstance(type_, MemoryType):
        return b"\2" + _limits(type_, type_.page_log2, is_shared=type_.is_shared)
    return bytes([3, _TYPE_CODES[type_.content], type_.mutable])


def _limits(type_: TableType | MemoryType, page_log2: int = _PAGE_LOG2, *, is_shared: bool = False) -> bytes:
    has_max, has_page_size = type_.max is not None, page_log2 != _PAGE_LOG2
    flags = _HAS_MAX * has_max | _IS_SHARED * is_shared | _IS_64 * type_.is_64 | _HAS_PAGE_SIZE * has_page_size
    limits = unsigned(type_.min) + (b"" if type_.max is None else unsigned(type_.max))
    return bytes([flags]) + limits + (unsigned(page_log2) if has_page_size else b"")
