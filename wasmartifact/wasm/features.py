"""Features of WebAssembly that a module's sections show; those of its instructions come from the table of opcodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from wasmartifact.schema import (
    HEAP_ABSTRACT,
    HEAP_TYPES,
    KIND_GLOBAL,
    VALTYPE_EXNREF,
    VALTYPE_EXTERNREF,
    VALTYPE_FUNCREF,
    VALTYPE_REF,
    VALTYPE_REF_NULL,
    VALTYPE_V128,
)
from wasmartifact.wasm.model import PASSIVE, ConstExpr, Module, parts
from wasmartifact.wasm.opcodes import OPCODE_BY_NAME, OPCODES

_EXTENDED_CONST = {OPCODE_BY_NAME[f"{type_}.{name}"].code for type_ in ("i32", "i64") for name in ("add", "sub", "mul")}
_SIMPLE_HEAPS = {HEAP_TYPES[name] for name in ("func", "extern", "exn")}


def module_features(module: Module) -> set[str]:
    """Features of ``schema.WASM_FEATURES`` that types, imports, segments and constant expressions use."""
    features = {feature for valtype in set(_valtypes(module)) for feature in _valtype_features(valtype)}
    features.update(feature for expression in const_exprs(module) for feature in _const_features(expression))
    limits = [item.limits for item in module.memory_types] + [item.limits for item in module.table_types]
    modes = [item.mode for item in module.datas] + [item.mode for item in module.elements]
    visible = {item.index for item in module.imports if item.kind == KIND_GLOBAL}
    visible |= {item.index for item in module.exports if item.kind == KIND_GLOBAL}
    present = {
        "multi-value": any(len(parts(item)[1]) > 1 for item in module.types),
        "bulk-memory": module.has_data_count or PASSIVE in modes,
        "reference-types": len(module.table_types) > 1,
        "mutable-globals": any(item.mutable for index, item in enumerate(module.global_types) if index in visible),
        "exceptions": bool(module.tag_types),
        "multi-memory": len(module.memory_types) > 1,
        "memory64": any(item.is64 for item in limits),
        "function-references": any(table.init is not None for table in module.tables),
        "threads": any(item.shared for item in limits),
        "gc": bool(module.subtypes),
        "custom-page-sizes": any(item.page_log2 != 16 for item in module.memory_types),
    }
    return features | {feature for feature, found in present.items() if found}


def _valtypes(module: Module) -> Iterator[int]:
    """Value types of all definitions and imports but the funcref of a table, which WebAssembly 1.0 had."""
    for composite in module.types:
        params, results = parts(composite)
        yield from params
        yield from results
    yield from (item.valtype for item in module.global_types)
    yield from (item.element for item in module.table_types if item.element != VALTYPE_FUNCREF)
    yield from (item.type for item in module.elements if item.type != VALTYPE_FUNCREF)


def _valtype_features(valtype: int) -> Iterable[str]:
    heap = valtype >> 8
    if valtype == VALTYPE_V128:
        yield "simd"
    elif valtype == VALTYPE_EXNREF:
        yield "exceptions"
    elif valtype in (VALTYPE_FUNCREF, VALTYPE_EXTERNREF):
        yield "reference-types"
    elif heap >= HEAP_ABSTRACT and heap not in _SIMPLE_HEAPS:
        yield "gc"
    elif valtype & 0xFF in (VALTYPE_REF, VALTYPE_REF_NULL):
        yield "function-references"


def const_exprs(module: Module) -> Iterator[ConstExpr]:
    """Every constant expression of a module."""
    yield from (item.init for item in module.globals)
    yield from (item.init for item in module.tables if item.init is not None)
    offsets = [item.offset for item in module.elements] + [item.offset for item in module.datas]
    yield from (offset for offset in offsets if offset is not None)
    for element in module.elements:
        yield from (item for item in element.items if isinstance(item, ConstExpr))


def _const_features(expression: ConstExpr) -> Iterator[str]:
    for _, opcode, _ in expression.instructions:
        feature = "extended-const" if opcode in _EXTENDED_CONST else OPCODES[opcode].feature
        if feature is not None:
            yield feature
