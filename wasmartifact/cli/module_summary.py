"""What ``inspect`` tells of a module that is not packed: dict and page of ``summary``, as far as it has them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final

from wasmartifact import schema
from wasmartifact.cli.summary import MAX_ROWS, listing, type_text
from wasmartifact.errors import MalformedModule, UnsupportedModule, printable
from wasmartifact.externtypes import (
    ExternType,
    FuncType,
    GlobalType,
    MemoryType,
    TableType,
    TagType,
    valtype_name,
)
from wasmartifact.metadata.detail_rows import DATA_MODES, ELEMENT_MODES
from wasmartifact.wasm.decode import decode_bodies, decode_module, section_ranges
from wasmartifact.wasm.features import module_features
from wasmartifact.wasm.model import ConstExpr, Module, parts
from wasmartifact.wasm.opcodes import OPCODE_BY_NAME
from wasmartifact.wasm.types import canonical_types, type_digests
from wasmartifact.wasm.unsupported import judge
from wasmartifact.wasm.validate import validate

_CONSTS: Final = frozenset(OPCODE_BY_NAME[f"{type_}.const"].code for type_ in ("i32", "i64"))


def read_module(data: bytes) -> Module:
    """Decode and validate a module. Raises as `pack` does."""
    try:
        module = decode_module(data)
        validate(data, module)
    except (MalformedModule, UnsupportedModule) as problem:
        raise judge(data, problem) from None
    return module


def describe_module_head(module: Module) -> dict[str, Any]:
    """What fits on a page: sizes in bytes, counts, features."""
    return {
        "file_size_bytes": len(module.data),
        "code_size_bytes": sum(code.end - code.start for code in module.codes),
        "wasm_features": sorted(module_features(module) | decode_bodies(module), key=schema.WASM_FEATURES.index),
        "info": {"module_name": module.name or ""},
        "digests": {"wasm_digest": hashlib.sha256(module.data).hexdigest()},
        "start_function": module.start,
        "imported_functions": module.imported_functions,
        "defined_functions": len(module.codes),
        "sections": [
            {"name": name, "wasm_offset": start, "size_bytes": end - start}
            for name, start, end in section_ranges(module.data)
        ],
    }


def describe_module(module: Module) -> dict[str, Any]:
    """Everything, as JSON-ready values; keys and values as `summary.describe` has them for an artifact."""
    first = module.imported_functions
    digests = type_digests(module)
    return describe_module_head(module) | {
        "types": [
            {**_func_type(module, index)._asdict(), "kind": "func", "digest": digest.hex(), "canonical": canonical}
            for index, (digest, canonical) in enumerate(zip(digests, canonical_types(digests), strict=True))
        ],
        "imports": [
            {
                "module": row.module,
                "name": row.name,
                "kind": schema.KINDS[row.kind],
                "index": row.index,
                "type": _type(module, row.kind, row.index)._asdict(),
            }
            for row in module.imports
        ],
        "exports": [
            {
                "name": row.name,
                "kind": schema.KINDS[row.kind],
                "index": row.index,
                "type": _type(module, row.kind, row.index)._asdict(),
            }
            for row in module.exports
        ],
        "functions": [
            {
                "name": module.function_names.get(index),
                "type": _func_type(module, type_index)._asdict(),
                "wasm_offset": None if index < first else module.codes[index - first].start,
                "wasm_size_bytes": None
                if index < first
                else module.codes[index - first].end - module.codes[index - first].start,
            }
            for index, type_index in enumerate(module.function_types)
        ],
        **{
            plural: [_type(module, kind, index)._asdict() for index in range(len(space))]
            for plural, kind, space in (
                ("tables", schema.KIND_TABLE, module.table_types),
                ("memories", schema.KIND_MEMORY, module.memory_types),
                ("globals", schema.KIND_GLOBAL, module.global_types),
                ("tags", schema.KIND_TAG, module.tag_types),
            )
        },
        "elements": [
            {
                "mode": ELEMENT_MODES[row.mode],
                "type": valtype_name(row.type),
                "table_index": row.table,
                "offset": _offset(row.offset),
                "size": len(row.items),
            }
            for row in module.elements
        ],
        "data": [
            {
                "mode": DATA_MODES[row.mode],
                "memory_index": row.memory,
                "offset": _offset(row.offset),
                "size_bytes": row.end - row.start,
            }
            for row in module.datas
        ],
        "custom_sections": [{"name": row.name, "size_bytes": row.end - row.start} for row in module.custom_sections],
    }


def module_page(module: Module) -> Iterator[str]:
    """Lines of the readable summary."""
    head = describe_module_head(module)
    facts = {
        "module": module.name or "without a name",
        "wasm features": ", ".join(head["wasm_features"]) or "none beyond 1.0",
        "file": f"{head['file_size_bytes']:,} bytes",
        "code": f"{head['code_size_bytes']:,} bytes",
        "functions": f"{head['defined_functions']:,} defined, {head['imported_functions']:,} imported",
        "wasm SHA-256": head["digests"]["wasm_digest"],
    }
    yield from (f"{name:15}{printable(value)}" for name, value in facts.items())
    for what, kind, count in (
        ("memory", schema.KIND_MEMORY, len(module.memory_types)),
        ("table", schema.KIND_TABLE, len(module.table_types)),
    ):
        yield from (f"{f'{what} {index}':15}{type_text(_type(module, kind, index))}" for index in range(count))
    kinds = schema.KINDS
    imports = [
        (kinds[row.kind], f"{row.module}.{row.name}", _type(module, row.kind, row.index))
        for row in module.imports[:MAX_ROWS]
    ]
    exports = [(kinds[row.kind], row.name, _type(module, row.kind, row.index)) for row in module.exports[:MAX_ROWS]]
    yield from listing("imports", len(module.imports), imports)
    yield from listing("exports", len(module.exports), exports)
    yield ""
    yield f"{len(head['sections']):,} sections"
    for row in head["sections"]:
        yield f"  {row['wasm_offset']:#010x}  {row['size_bytes']:>12,} bytes  {printable(row['name'])}"


def _type(module: Module, kind: int, index: int) -> ExternType:
    """Type of an entry of an index space, as the metadata of an artifact shows it."""
    if kind == schema.KIND_FUNC:
        return _func_type(module, module.function_types[index])
    if kind == schema.KIND_TAG:
        return TagType(_func_type(module, module.tag_types[index]).params)
    if kind == schema.KIND_GLOBAL:
        global_type = module.global_types[index]
        return GlobalType(valtype_name(global_type.valtype), global_type.mutable)
    if kind == schema.KIND_TABLE:
        table = module.table_types[index]
        limits = table.limits
        return TableType(valtype_name(table.element), limits.min, limits.max, limits.shared, limits.is64)
    memory = module.memory_types[index]
    limits = memory.limits
    return MemoryType(limits.min, limits.max, limits.shared, limits.is64, 1 << memory.page_log2)


def _func_type(module: Module, type_index: int) -> FuncType:
    params, results = parts(module.types[type_index])
    return FuncType(tuple(map(valtype_name, params)), tuple(map(valtype_name, results)))


def _offset(expression: ConstExpr | None) -> int | None:
    """Where a segment goes; None where it goes nowhere or that is computed."""
    if expression is None or len(expression.instructions) != 1 or expression.instructions[0][1] not in _CONSTS:
        return None
    _, opcode, value = expression.instructions[0]
    return int(value) & (0xFFFFFFFF if opcode == OPCODE_BY_NAME["i32.const"].code else 0xFFFFFFFFFFFFFFFF)
