"""The metadata as a flatdata archive, written and read in place by flatdata-py from a schema.

A flatdata archive is a folder: one file for each resource and one for the schema of each, all of which are opened,
compared and mapped at once. Texts are parts of raw data, from one row's ``begin`` to ``end``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from flatdata.generator.engine import Engine
from flatdata.lib.file_resource_storage import FileResourceStorage
from flatdata.lib.file_resource_writer import FileResourceWriter
from flatdata.lib.resource_storage import ResourceStorage

from bench.contestants import InPlaceContestant
from bench.facts import Facts

SCHEMA = """
namespace metabench {
struct Type { params_begin: u32: 32; results_begin: u32: 32; end: u32: 32; }
struct Number { value: u32: 32; }
struct Import { module_begin: u32: 32; name_begin: u32: 32; end: u32: 32; kind: u8: 8; index: u32: 32; }
struct Export { name_begin: u32: 32; name_end: u32: 32; kind: u8: 8; index: u32: 32; }
struct Code { text_offset: u32: 32; size_bytes: u32: 32; }
struct Name { func_index: u32: 32; name_begin: u32: 32; name_end: u32: 32; }
struct TrapSite { text_offset: u32: 32; wasm_offset: u32: 32; trap: u8: 8; }

archive Module {
    types: vector<Type>;
    type_values: vector<Number>;
    imports: vector<Import>;
    import_texts: raw_data;
    exports: vector<Export>;
    export_names: raw_data;
    // Rows of exports by name, for binary search.
    export_order: vector<Number>;
    function_types: vector<Number>;
    code: vector<Code>;
    names: vector<Name>;
    function_names: raw_data;
    trap_sites: vector<TrapSite>;
}
}
"""


class Flatdata(InPlaceContestant[Any]):
    """Numbers by flatdata's vectorised access, which its authors recommend; single rows by its structures."""

    name = "flatdata"

    def __init__(self) -> None:
        self._module, self._archive = Engine(SCHEMA).render_python_module(archive_name="Module")

    def write(self, artifact: Path, facts: Facts, directory: Path) -> Path:
        path = directory / f"{artifact.stem}.flatdata"
        path.mkdir()
        storage = ResourceStorage(FileResourceWriter(), str(path))
        builder = self._module.metabench_ModuleBuilder(storage)
        for name, value in _resources(facts).items():
            builder.set(name, value)
        builder.finish()
        return path

    def open(self, path: Path) -> Any:
        return self._archive(FileResourceStorage(str(path)))

    def code_offset(self, opened: Any, export: str) -> int:
        wanted = export.encode()
        exports, order, names = opened.exports, opened.export_order, opened.export_names
        first, count = 0, len(order)
        while first < count:
            middle = (first + count) // 2
            row = exports[order[middle].value]
            found = bytes(names[row.name_begin : row.name_end])
            if found == wanted:
                return int(opened.code[row.index - len(opened.function_types) + len(opened.code)].text_offset)
            if found < wanted:
                first = middle + 1
            else:
                count = middle
        raise KeyError(export)

    def numbers(self, opened: Any) -> Iterator[Sequence[int]]:
        yield _column(opened.type_values, "value")
        for name, fields in (
            ("imports", ("kind", "index")),
            ("exports", ("kind", "index")),
            ("function_types", ("value",)),
            ("code", ("text_offset", "size_bytes")),
            ("names", ("func_index",)),
            ("trap_sites", ("text_offset", "wasm_offset", "trap")),
        ):
            for field in fields:
                yield _column(getattr(opened, name), field)

    def texts(self, opened: Any) -> Iterator[Any]:
        imports, import_texts = opened.imports or (), opened.import_texts
        yield b"".join(import_texts[row.module_begin : row.name_begin] for row in imports)
        yield b"".join(import_texts[row.name_begin : row.end] for row in imports)
        for data in (opened.export_names, opened.function_names):
            yield data[0 : len(data)] if data else b""


def _column(vector: Any, field: str) -> Any:
    """A field of all rows, as a numpy array; a resource that is empty opens as None."""
    return getattr(vector, field)[field].to_numpy() if vector else ()


def _resources(facts: Facts) -> dict[str, Any]:
    """The archive's resources by name, as the builder takes them."""
    values: list[int] = []
    import_texts, export_names, function_names = bytearray(), bytearray(), bytearray()
    types, imports, exports, names = [], [], [], []
    for params, results in facts.types:
        begin = len(values)
        values += [*params, *results]
        types.append({"params_begin": begin, "results_begin": begin + len(params), "end": len(values)})
    for module, name, kind, index in facts.imports:
        module_begin, name_begin = _append(import_texts, module)[0], _append(import_texts, name)[0]
        imports.append(
            {
                "module_begin": module_begin,
                "name_begin": name_begin,
                "end": len(import_texts),
                "kind": kind,
                "index": index,
            }
        )
    for name, (kind, index) in facts.exports.items():
        begin, end = _append(export_names, name)
        exports.append({"name_begin": begin, "name_end": end, "kind": kind, "index": index})
    for func_index, name in facts.names:
        begin, end = _append(function_names, name)
        names.append({"func_index": func_index, "name_begin": begin, "name_end": end})
    order = sorted(enumerate(facts.exports), key=lambda entry: entry[1].encode())
    return {
        "types": types,
        "type_values": _numbers(values),
        "imports": imports,
        "import_texts": import_texts,
        "exports": exports,
        "export_names": export_names,
        "export_order": _numbers([row for row, _ in order]),
        "function_types": _numbers(facts.function_types),
        "code": [{"text_offset": start, "size_bytes": size} for start, size in facts.code],
        "names": names,
        "function_names": function_names,
        "trap_sites": [
            {"text_offset": start, "wasm_offset": wasm_offset, "trap": trap}
            for start, wasm_offset, trap in facts.trap_sites
        ],
    }


def _numbers(values: list[int]) -> list[dict[str, int]]:
    return [{"value": value} for value in values]


def _append(texts: bytearray, text: str) -> tuple[int, int]:
    """Append a text; where it begins and ends."""
    begin = len(texts)
    texts += text.encode()
    return begin, len(texts)
