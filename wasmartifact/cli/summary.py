"""What ``inspect`` tells of an artifact: one JSON-ready dict of everything, and a readable page made from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from wasmartifact import schema
from wasmartifact.errors import printable
from wasmartifact.externtypes import ExternType, FuncType, GlobalType, MemoryType, TableType
from wasmartifact.metadata import Metadata

#: Rows of imports and exports that the page shows; the JSON has them all.
MAX_ROWS: Final = 40
#: Fields of the header that are no digests.
_SIGNATURE_FIELDS: Final = ("signature", "signing_key")
_MACHINE_NAMES: Final = {number: name for name, number in schema.MACHINES.items()}


def describe_head(metadata: Metadata) -> dict[str, Any]:
    """What the header, the info strings and column sizes say, without a look at the rows; sizes in bytes."""
    numbers, digests = metadata.header
    machine = _MACHINE_NAMES.get(numbers["machine"], f"ELF machine {numbers['machine']}")
    library = numbers["library_version"]
    imported = bytes(metadata.column("import_kind")).count(schema.KIND_FUNC)
    return {
        "format": [numbers["format_major"], numbers["format_minor"]],
        "runtime_abi": numbers["runtime_abi"],
        "library_version": [library >> 16, library >> 8 & 0xFF, library & 0xFF],
        "machine": machine,
        "page_size_bytes": numbers["page_size_bytes"],
        "file_size_bytes": numbers["file_size_bytes"],
        "section_size_bytes": numbers["section_size_bytes"],
        "text_size_bytes": numbers["text_size_bytes"],
        "cpu_features": bit_names(numbers["cpu_features"], schema.CPU_FEATURES.get(machine, ())),
        "cpu_levels": [row._asdict() for row in metadata.cpu_levels],
        "wasm_features": bit_names(numbers["wasm_features"], schema.WASM_FEATURES),
        "fuel": bool(numbers["flags"] & schema.HEADER_FUEL),
        "snapshot": metadata.is_snapshot,
        "info": metadata.info,
        "digests": {name: value.hex() for name, value in digests.items() if name not in _SIGNATURE_FIELDS},
        "signing_key": digests["signing_key"].hex() if any(digests["signature"]) else None,
        "start_function": numbers["start_function"] - 1 if numbers["start_function"] else None,
        "imported_functions": imported,
        "defined_functions": len(metadata.functions) - imported,
        "trap_sites": len(metadata.trap_sites),
        "address_map_rows": len(metadata.address_map),
        "source_line_rows": len(metadata.source_lines),
    }


def describe(metadata: Metadata) -> dict[str, Any]:
    """Everything that the metadata says, as JSON-ready values; sizes and offsets in bytes.

    Raises
    ------
    CorruptArtifact
        Where a row of the metadata is damaged.
    """
    return describe_head(metadata) | {
        "types": [dict(row._asdict(), digest=row.digest.hex()) for row in metadata.types],
        "imports": [dict(row._asdict(), type=row.type._asdict()) for row in metadata.imports],
        "exports": [dict(row._asdict(), type=row.type._asdict()) for row in metadata.exports],
        "functions": [dict(row._asdict(), type=row.type._asdict()) for row in metadata.functions],
        "tables": [row.type._asdict() for row in metadata.tables],
        "memories": [dict(row.type._asdict(), guarded=row.guarded) for row in metadata.memories],
        "globals": [dict(row.type._asdict(), init=row.init.hex()) for row in metadata.globals],
        "tags": [row._asdict() for row in metadata.tags],
        "elements": [
            {
                "mode": row.mode,
                "type": row.type,
                "table_index": row.table_index,
                "offset": row.offset,
                "in_image": row.in_image,
                "size": len(row.slots),
            }
            for row in metadata.elements
        ],
        "data": [
            {
                "mode": row.mode,
                "memory_index": row.memory_index,
                "offset": row.offset,
                "in_image": row.in_image,
                "size_bytes": row.size_bytes,
            }
            for row in metadata.data
        ],
        "custom_sections": [{"name": row.name, "size_bytes": len(row.data)} for row in metadata.custom_sections],
    }


def bit_names(bits: int, names: tuple[str, ...]) -> list[str]:
    """Names of the set bits; a bit without a name shows as ``bit 40``."""
    return [names[bit] if bit < len(names) else f"bit {bit}" for bit in range(bits.bit_length()) if bits >> bit & 1]


def page(metadata: Metadata) -> Iterator[str]:
    """Lines of the readable summary. Raises CorruptArtifact as `describe` does."""
    head = describe_head(metadata)
    info = head["info"]
    facts = {
        "format": f"{dotted(head['format'])}, runtime ABI {head['runtime_abi']}",
        "packed by": info.get("packer", "?")
        + "".join(f" with {name} {version}" for name in ("llvmlite", "libllvm") if (version := info.get(name))),
        "opt_level": info.get("opt_level", "?"),
        "machine": f"{head['machine']}, {info.get('target', '?')}, cpu {info.get('cpu', '?')}",
        "CPU features": ", ".join(head["cpu_features"]) or "none",
        **(dict(_level_texts(head["cpu_levels"])) if len(head["cpu_levels"]) > 1 else {}),
        "wasm features": ", ".join(head["wasm_features"]) or "none beyond 1.0",
        **({"fuel": "counted"} if head["fuel"] else {}),
        **({"snapshot of": info.get("snapshot_of", "?")} if head["snapshot"] else {}),
        "module": printable(info.get("module_name", "")) or "without a name",
        "file": f"{head['file_size_bytes']:,} bytes",
        "machine code": f"{head['text_size_bytes']:,} bytes",
        "metadata": f"{head['section_size_bytes']:,} bytes, memory image included",
        "functions": f"{head['defined_functions']:,} defined, {head['imported_functions']:,} imported",
        "trap sites": f"{head['trap_sites']:,}",
        "build id": head["digests"]["build_id"],
        "wasm SHA-256": head["digests"]["wasm_digest"],
        **({"signing key": f"{head['signing_key']} (not checked)"} if head["signing_key"] else {}),
    }
    yield from (f"{name:15}{printable(value)}" for name, value in facts.items())
    yield from (f"{f'memory {index}':15}{type_text(row.type)}" for index, row in enumerate(metadata.memories))
    yield from (f"{f'table {index}':15}{type_text(row.type)}" for index, row in enumerate(metadata.tables))
    if metadata.is_component:  # what its module imports and exports is no user's business
        return
    imports, exports = metadata.imports, metadata.exports
    yield from listing(
        "imports", len(imports), [(row.kind, f"{row.module}.{row.name}", row.type) for row in imports[:MAX_ROWS]]
    )
    yield from listing("exports", len(exports), [(row.kind, row.name, row.type) for row in exports[:MAX_ROWS]])


def _level_texts(levels: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """A line for each CPU level: how much of the code is not the first one's."""
    for number, row in enumerate(levels):
        other = (
            f"{row['functions']:,} functions differ, {row['code_size_bytes']:,} bytes" if number else "all functions"
        )
        yield f"CPU level {number}", f"{row['name']}: {other}"


def listing(title: str, count: int, rows: list[tuple[str, str, ExternType]]) -> Iterator[str]:
    """Lines for imports or exports: (kind, name, type) of the first ones."""
    yield ""
    yield f"{count:,} {title}"
    yield from (f"  {kind:7}{printable(name)}  {type_text(type_)}" for kind, name, type_ in rows)
    if count > len(rows):
        yield f"  ... and {count - len(rows):,} more; --json lists them all"


def type_text(type_: ExternType) -> str:
    """A type in words: ``(i32, i32) -> i32``, ``1..16 pages``."""
    if isinstance(type_, FuncType):
        return f"({', '.join(type_.params)}) -> {', '.join(type_.results) or 'nothing'}"
    if isinstance(type_, MemoryType):
        limits = f"{type_.min_pages}..{'' if type_.max_pages is None else type_.max_pages} pages"
        size = "" if type_.page_size_bytes == schema.WASM_PAGE_BYTES else f" of {type_.page_size_bytes} bytes"
        return limits + size + " shared" * type_.shared + " memory64" * type_.memory64
    if isinstance(type_, TableType):
        limits = f"{type_.min}..{'' if type_.max is None else type_.max}"
        return f"{limits} {type_.element}" + " shared" * type_.shared + " table64" * type_.table64
    if isinstance(type_, GlobalType):
        return "mutable " * type_.mutable + type_.type
    return f"({', '.join(type_.params)})"


def dotted(numbers: list[int]) -> str:
    """``[1, 0]`` -> ``1.0``."""
    return ".".join(map(str, numbers))
